//! Back-off: delays that stay the same or grow up to a bound, with jitter from a seed.
//!
//! [`Backoff`] is the settings, [`Delays`] the sequence. All in whole nanoseconds and per cent: the same seed gives the
//! same delays on any machine. A delay is never longer than [`Backoff::max`]: jitter only shortens.

use core::time::Duration;

use super::{InvalidConfig, nanos};

/// How long to wait each time: settings of [`Delays`], of a [`Retry`](super::Retry), of a [`Breaker`](super::Breaker).
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::pattern::{Backoff, Delays};
///
/// let ms = Duration::from_millis;
/// let mut delays = Delays::new(Backoff::exponential(ms(10), ms(100)))?;
/// let first: Vec<_> = (0..6).map(|_| delays.next_delay()).collect();
/// assert_eq!(first, [ms(10), ms(20), ms(40), ms(80), ms(100), ms(100)]);
/// # Ok::<(), corelane_kernel::pattern::InvalidConfig>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first delay, before jitter. Zero is no wait, ever.
    pub first: Duration,
    /// Each delay in per cent of the one before: 100 keeps it, 200 doubles it. Not less than 100.
    pub growth_percent: u32,
    /// No delay is longer. Not less than `first`.
    pub max: Duration,
    /// By how much of itself jitter may shorten a delay: 0 for not at all; 20 spreads a delay of 1 s evenly over 0.8 to
    /// 1 s; 100 over 0 to 1 s. Not more than 100. Many that failed together come back together without it.
    pub jitter_percent: u32,
    /// What jitter is drawn from. Give each actor another, for instance from its name or number; the same one gives the same
    /// delays. Without jitter it means nothing.
    pub seed: u64,
}

impl Backoff {
    /// The same delay each time, without jitter.
    pub const fn fixed(delay: Duration) -> Backoff {
        Backoff { first: delay, growth_percent: 100, max: delay, jitter_percent: 0, seed: 0 }
    }

    /// Delays that double from `first` up to `max`, without jitter.
    pub const fn exponential(first: Duration, max: Duration) -> Backoff {
        Backoff { first, growth_percent: 200, max, jitter_percent: 0, seed: 0 }
    }

    /// The same with another growth; see [`Backoff::growth_percent`].
    #[must_use]
    pub const fn growing(self, percent: u32) -> Backoff {
        Backoff { growth_percent: percent, ..self }
    }

    /// The same with jitter; see [`Backoff::jitter_percent`] and [`Backoff::seed`].
    #[must_use]
    pub const fn jittered(self, percent: u32, seed: u64) -> Backoff {
        Backoff { jitter_percent: percent, seed, ..self }
    }

    pub(super) const fn check(&self) -> Result<(), InvalidConfig> {
        if self.growth_percent < 100 {
            return Err(InvalidConfig::new(
                "Backoff",
                "growth_percent",
                "is less than 100: delays may not shrink",
            ));
        }
        if nanos(self.max) < nanos(self.first) {
            return Err(InvalidConfig::new("Backoff", "max", "is less than `first`"));
        }
        if self.jitter_percent > 100 {
            return Err(InvalidConfig::new("Backoff", "jitter_percent", "is more than 100"));
        }
        Ok(())
    }
}

/// The delays of a [`Backoff`], one after the other, without end.
#[derive(Clone, Debug)]
pub struct Delays {
    backoff: Backoff,
    /// The next delay before jitter, in nanoseconds.
    next: u64,
    random: Random,
}

impl Delays {
    /// From the first delay on.
    ///
    /// # Errors
    /// [`InvalidConfig`] names the field that makes no sense.
    pub const fn new(backoff: Backoff) -> Result<Delays, InvalidConfig> {
        match backoff.check() {
            Ok(()) => Ok(Delays { backoff, next: nanos(backoff.first), random: Random(backoff.seed) }),
            Err(invalid) => Err(invalid),
        }
    }

    /// The settings.
    pub const fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// How long to wait this time.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = percent_up(delay, self.backoff.growth_percent).min(nanos(self.backoff.max));
        let jitter = percent_up(delay, self.backoff.jitter_percent).min(delay);
        let shorter = if jitter == 0 { 0 } else { self.random.up_to(jitter) };
        Duration::from_nanos(delay - shorter)
    }

    /// From the first delay on again. Jitter goes on where it was, so that it does not repeat.
    pub const fn reset(&mut self) {
        self.next = nanos(self.backoff.first);
    }

    /// The same delays from the first on, with jitter of their own, drawn from this one's.
    #[must_use]
    pub fn fork(&mut self) -> Delays {
        let seed = self.random.next();
        Delays { backoff: self.backoff, next: nanos(self.backoff.first), random: Random(seed) }
    }
}

/// So many per cent of a number, rounded up (or a delay of a nanosecond would never grow), saturating.
fn percent_up(of: u64, percent: u32) -> u64 {
    let percent = u64::from(percent);
    (of / 100).saturating_mul(percent).saturating_add((of % 100 * percent).div_ceil(100))
}

/// Steele, Lea and Flood's SplitMix64: numbers from a seed, evenly spread, and not for secrets.
#[derive(Clone, Copy, Debug)]
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from zero to `most`, both included.
    const fn up_to(&mut self, most: u64) -> u64 {
        ((self.next() as u128 * (most as u128 + 1)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;
    use std::vec::Vec;

    fn any_duration() -> impl Strategy<Value = Duration> {
        prop_oneof![
            (0u64..1000).prop_map(Duration::from_nanos),
            any::<u64>().prop_map(Duration::from_nanos),
            (any::<u64>(), 0u32..1_000_000_000).prop_map(|(s, n)| Duration::new(s, n)),
            Just(Duration::MAX),
        ]
    }

    proptest! {
        #[test]
        fn each_delay_lies_between_the_jittered_and_the_plain_one(
            first in any_duration(), max in any_duration(), growth: u32, jitter in 0u32..=110, seed: u64
        ) {
            let backoff = Backoff { first, growth_percent: growth, max, jitter_percent: jitter, seed };
            let valid = growth >= 100 && nanos(max) >= nanos(first) && jitter <= 100;
            let delays = Delays::new(backoff);
            prop_assert_eq!(delays.is_ok(), valid);
            let Ok(mut delays) = delays else { return Ok(()) };
            let mut plain = u128::from(nanos(first));
            for _ in 0..40 {
                let delay = delays.next_delay().as_nanos();
                prop_assert!(delay <= plain && delay >= plain - (plain * u128::from(jitter)).div_ceil(100));
                plain = (plain * u128::from(growth)).div_ceil(100).min(u128::from(nanos(max)));
            }
            delays.reset();
            prop_assert!(delays.next_delay() <= first);
        }

        #[test]
        fn random_numbers_stay_below_their_bound(seed: u64, most: u64) {
            let mut random = Random(seed);
            for _ in 0..20 {
                prop_assert!(random.up_to(most) <= most);
            }
        }
    }

    #[test]
    fn jitter_spreads_evenly_over_its_whole_range() {
        let backoff = Backoff::fixed(Duration::from_nanos(1000)).jittered(40, 7);
        let mut delays = Delays::new(backoff).unwrap();
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            let delay = delays.next_delay().as_nanos() as usize;
            assert!((600..=1000).contains(&delay));
            tenths[((delay - 600) / 40).min(9)] += 1;
        }
        assert!(tenths.iter().all(|n| (850..=1150).contains(n)), "{tenths:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_delays_and_a_fork_others() {
        let backoff = Backoff::exponential(Duration::from_millis(1), Duration::from_secs(9)).jittered(50, 3);
        let take = |mut delays: Delays| (0..12).map(|_| delays.next_delay()).collect::<Vec<_>>();
        let mut delays = Delays::new(backoff).unwrap();
        let (fork, other) = (delays.fork(), delays.fork());
        assert_eq!(take(Delays::new(backoff).unwrap()), take(Delays::new(backoff).unwrap()));
        assert_ne!(take(fork.clone()), take(other));
        assert_ne!(take(fork), take(delays));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let good = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(2));
        for (bad, text) in [
            (good.growing(99), "Backoff.growth_percent is less than 100: delays may not shrink"),
            (Backoff { max: Duration::from_millis(999), ..good }, "Backoff.max is less than `first`"),
            (good.jittered(101, 0), "Backoff.jitter_percent is more than 100"),
        ] {
            assert_eq!(Delays::new(bad).unwrap_err().to_string(), text);
        }
    }
}
