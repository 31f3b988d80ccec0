//! The resizer: how many routees a pool should have, by how many of them are under pressure.
//!
//! A pure state machine. It counts the messages that are routed, says when a look at the routees is due, and turns what
//! was seen there into a change; the pool looks, spawns and stops. The rules are those of Akka's default resizer, in
//! whole per cents instead of fractions, so that no rounding depends on a machine's arithmetic.

use core::fmt;

use super::strategy::Routee;

/// When and by how much a pool grows and shrinks. Start from [`ResizerConfig::default`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizerConfig {
    /// Fewest routees, at least 1. Default 1.
    pub lower_bound: usize,
    /// Most routees, not fewer than `lower_bound`; what the pool has room for bounds it as well. Default 10.
    pub upper_bound: usize,
    /// The load from which a routee is under pressure. 1 is busy; 2, the default, is busy with another message waiting.
    /// A large value lets queues grow before routees do; 0 makes all be under pressure always.
    pub pressure_threshold: u32,
    /// How much the pool grows while all routees are under pressure, in per cent of their number, rounded up. Default
    /// 20; 0 never grows it.
    pub ramp_up_percent: u32,
    /// The pool shrinks while less than this part of the routees, in per cent, is under pressure. From 0, which never
    /// shrinks it, to 100. Default 30.
    pub back_off_below_percent: u32,
    /// How much it shrinks then, in per cent of their number, rounded up. From 0, which never shrinks it, to 100.
    /// Default 10.
    pub back_off_percent: u32,
    /// Messages routed between two looks at the routees, at least 1. Default 10. Each look costs about as much as a
    /// message.
    pub messages_per_resize: u32,
}

impl Default for ResizerConfig {
    fn default() -> Self {
        ResizerConfig {
            lower_bound: 1,
            upper_bound: 10,
            pressure_threshold: 2,
            ramp_up_percent: 20,
            back_off_below_percent: 30,
            back_off_percent: 10,
            messages_per_resize: 10,
        }
    }
}

/// Which setting of a resizer makes no sense. The caller's configuration is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResizerError {
    /// `lower_bound` is zero: a pool without routees has no load by which to grow.
    NoLowerBound,
    /// `upper_bound` is below `lower_bound`.
    BoundsCrossed,
    /// `back_off_below_percent` is more than 100.
    BackOffBelow,
    /// `back_off_percent` is more than 100.
    BackOff,
    /// `messages_per_resize` is zero.
    NeverDue,
}

impl fmt::Display for ResizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ResizerError::NoLowerBound => "resizer: lower_bound must be at least 1",
            ResizerError::BoundsCrossed => "resizer: upper_bound must not be below lower_bound",
            ResizerError::BackOffBelow => "resizer: back_off_below_percent must be from 0 to 100",
            ResizerError::BackOff => "resizer: back_off_percent must be from 0 to 100",
            ResizerError::NeverDue => "resizer: messages_per_resize must be at least 1",
        })
    }
}

impl core::error::Error for ResizerError {}

/// What was seen at a pool's routees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// How many there are.
    pub routees: usize,
    /// How many of them are under pressure.
    pub pressed: usize,
}

/// Decides how many routees a pool should have.
///
/// Driven with each message: [`due`](Resizer::due) says when to look; [`sample`](Resizer::sample) looks;
/// [`decide`](Resizer::decide) says how many routees to add or, below zero, to take away. A [`Pool`](super::Pool) does
/// all that.
///
/// ```
/// use corelane_kernel::router::{Resizer, ResizerConfig, Sample};
///
/// let resizer = Resizer::new(ResizerConfig { lower_bound: 2, ..ResizerConfig::default() })?;
/// assert_eq!(resizer.decide(Sample { routees: 5, pressed: 5 }), 1, "20 % of 5");
/// assert_eq!(resizer.decide(Sample { routees: 5, pressed: 3 }), 0);
/// assert_eq!(resizer.decide(Sample { routees: 5, pressed: 1 }), -1, "10 % of 5, rounded up");
/// assert_eq!(resizer.decide(Sample { routees: 2, pressed: 0 }), 0, "not below the bound");
/// # Ok::<(), corelane_kernel::router::ResizerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resizer {
    config: ResizerConfig,
    /// Messages routed since the last look.
    routed: u32,
}

impl Resizer {
    /// A resizer with these settings.
    ///
    /// # Errors
    /// [`ResizerError`] names the setting that makes no sense.
    pub const fn new(config: ResizerConfig) -> Result<Resizer, ResizerError> {
        if config.lower_bound == 0 {
            return Err(ResizerError::NoLowerBound);
        }
        if config.upper_bound < config.lower_bound {
            return Err(ResizerError::BoundsCrossed);
        }
        if config.back_off_below_percent > 100 {
            return Err(ResizerError::BackOffBelow);
        }
        if config.back_off_percent > 100 {
            return Err(ResizerError::BackOff);
        }
        if config.messages_per_resize == 0 {
            return Err(ResizerError::NeverDue);
        }
        Ok(Resizer { config, routed: 0 })
    }

    /// The settings that it was made with, which are within their bounds.
    pub fn config(&self) -> &ResizerConfig {
        &self.config
    }

    /// The next message is to be routed to so many routees. Says whether to look at them first: each time so many
    /// messages have been routed, and whenever there are no routees.
    #[inline]
    pub fn due(&mut self, routees: usize) -> bool {
        if self.routed < self.config.messages_per_resize && routees > 0 {
            self.routed += 1;
            return false;
        }
        self.routed = 1;
        true
    }

    /// Counts the routees, and those whose load is [`ResizerConfig::pressure_threshold`] or more. Costs a look at each.
    pub fn sample<M>(&self, routees: &[Routee<M>]) -> Sample {
        let pressed = |routee: &&Routee<M>| routee.load() >= self.config.pressure_threshold;
        Sample { routees: routees.len(), pressed: routees.iter().filter(pressed).count() }
    }

    /// How many routees to add or, below zero, to take away. Never leads out of the bounds, and back into them from
    /// wherever the number of routees is.
    pub fn decide(&self, sample: Sample) -> i32 {
        let config = &self.config;
        let routees = sample.routees as i128;
        let part = |percent: u32| (routees * i128::from(percent) + 99) / 100;
        let pressed = sample.pressed as i128;
        let grow = if pressed < routees { 0 } else { part(config.ramp_up_percent) };
        let idle = pressed * 100 < i128::from(config.back_off_below_percent) * routees;
        let shrink = if idle { part(config.back_off_percent) } else { 0 };
        let bounds = (config.lower_bound as i128, config.upper_bound as i128);
        let change = (routees + grow - shrink).clamp(bounds.0, bounds.1) - routees;
        change.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ActorRef;
    use proptest::prelude::*;

    fn resizer(change: impl FnOnce(&mut ResizerConfig)) -> Result<Resizer, ResizerError> {
        let mut config = ResizerConfig::default();
        change(&mut config);
        Resizer::new(config)
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_by_name() {
        let refused = |change: fn(&mut ResizerConfig)| resizer(change).map(|_| ()).unwrap_err();
        assert_eq!(refused(|config| config.lower_bound = 0), ResizerError::NoLowerBound);
        assert_eq!(refused(|config| config.lower_bound = 11), ResizerError::BoundsCrossed);
        assert_eq!(refused(|config| config.back_off_below_percent = 101), ResizerError::BackOffBelow);
        assert_eq!(refused(|config| config.back_off_percent = 101), ResizerError::BackOff);
        assert_eq!(refused(|config| config.messages_per_resize = 0), ResizerError::NeverDue);
        assert!(resizer(|config| config.lower_bound = 10).is_ok());
    }

    #[test]
    fn a_look_is_due_after_so_many_messages_and_when_nobody_is_left() {
        let mut resizer = resizer(|config| config.messages_per_resize = 3).unwrap();
        let due = [3, 3, 3, 3, 3, 3, 3, 0, 3, 3, 3].map(|routees| resizer.due(routees));
        assert_eq!(due, [false, false, false, true, false, false, true, true, false, false, true]);
    }

    #[test]
    fn routees_from_the_threshold_on_are_under_pressure() {
        let resizer = resizer(|config| config.pressure_threshold = 2).unwrap();
        let routees = [0, 1, 2, 3].map(|load| Routee::<u64>::new(ActorRef::nobody()).with_load(load));
        assert_eq!(resizer.sample(&routees), Sample { routees: 4, pressed: 2 });
    }

    /// Akka's `DefaultResizer.capacity`, word for word.
    fn reference(config: &ResizerConfig, pressed: usize, routees: usize) -> i64 {
        let rate = |percent: u32| f64::from(percent) / 100.0;
        let capacity = routees as f64;
        let ramp_up = if pressed < routees { 0.0 } else { (rate(config.ramp_up_percent) * capacity).ceil() };
        let (threshold, back_off) = (rate(config.back_off_below_percent), rate(config.back_off_percent));
        let idle = threshold > 0.0 && back_off > 0.0 && routees > 0 && pressed as f64 / capacity < threshold;
        let back_off = if idle { (-back_off * capacity).floor() } else { 0.0 };
        let delta = (ramp_up + back_off) as i64;
        let proposed = routees as i64 + delta;
        let (lower, upper) = (config.lower_bound as i64, config.upper_bound as i64);
        if proposed < lower {
            delta + (lower - proposed)
        } else if proposed > upper {
            delta - (proposed - upper)
        } else {
            delta
        }
    }

    proptest! {
        /// Conformance 32. Where a product is a whole number, fractions round as they like: such cases are left out.
        #[test]
        fn decisions_are_those_of_the_reference_and_stay_within_bounds(
            lower_bound in 1usize..20,
            more in 0usize..40,
            ramp_up_percent in 0u32..300,
            back_off_below_percent in 0u32..=100,
            back_off_percent in 0u32..=100,
            routees in 0usize..80,
            part in 0.0..=1.0f64,
        ) {
            let config = ResizerConfig {
                lower_bound,
                upper_bound: lower_bound + more,
                ramp_up_percent,
                back_off_below_percent,
                back_off_percent,
                ..ResizerConfig::default()
            };
            let pressed = (routees as f64 * part).round() as usize;
            let change = Resizer::new(config).unwrap().decide(Sample { routees, pressed });
            let after = routees as i64 + i64::from(change);
            prop_assert!((lower_bound as i64..=config.upper_bound as i64).contains(&after));

            let whole = |percent: u32| (routees * percent as usize).is_multiple_of(100);
            let even = pressed * 100 == routees * back_off_below_percent as usize;
            if !whole(ramp_up_percent) && !whole(back_off_percent) && !even {
                prop_assert_eq!(i64::from(change), reference(&config, pressed, routees));
            }
        }
    }

    #[test]
    fn whole_parts_are_taken_as_they_are() {
        let decide = |routees, pressed, up, down| {
            let percents = |config: &mut ResizerConfig| {
                (config.ramp_up_percent, config.back_off_percent) = (up, down);
                config.upper_bound = 100;
            };
            resizer(percents).unwrap().decide(Sample { routees, pressed })
        };
        assert_eq!((decide(10, 10, 20, 10), decide(10, 0, 20, 10)), (2, -1));
        assert_eq!((decide(10, 3, 20, 10), decide(10, 2, 20, 10)), (0, -1));
        assert_eq!((decide(10, 10, 0, 0), decide(10, 0, 0, 0), decide(10, 0, 0, 100)), (0, 0, -9));
        let vast = Sample { routees: usize::MAX, pressed: 0 };
        assert_eq!(resizer(|_| ()).unwrap().decide(vast), i32::MIN);
    }
}
