//! Back-off: how long to wait each time, longer and longer up to a bound, and never quite the same.
//!
//! One schedule for all that waits before it tries again: restarts ([`Strategy::backoff`](crate::Strategy::backoff)),
//! attempts of an actor's own ([`Ctx::delay_after`](crate::Ctx::delay_after)), and the patterns that retry. All in whole
//! nanoseconds and per cent: the same numbers from the dice give the same delays on any machine. Jitter only shortens, so that
//! [`Backoff::max`] is a bound.

use core::time::Duration;

/// How long to wait each time: the first delay, how it grows, and what is the most.
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::Backoff;
/// use corelane_kernel::pattern::Delays;
///
/// let ms = Duration::from_millis;
/// let mut delays = Delays::new(Backoff::new(ms(10), ms(100)).jitter(0))?;
/// let first: Vec<_> = (0..6).map(|_| delays.next_delay()).collect();
/// assert_eq!(first, [ms(10), ms(20), ms(40), ms(80), ms(100), ms(100)]);
/// # Ok::<(), corelane_kernel::pattern::InvalidConfig>(())
/// ```
///
/// What makes no sense is refused where an error can be given ([`Delays::new`](crate::pattern::Delays::new), and the
/// patterns that take one). A [`Strategy`](crate::Strategy) and [`Ctx::delay_after`](crate::Ctx::delay_after) take it for the
/// nearest that does: delays that do not shrink, no delay longer than `max`, jitter of at most the whole delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a back-off does nothing by itself: give it to what waits"]
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
    /// What jitter is drawn from, where each has delays of its own: in [`Delays`](crate::pattern::Delays) and the
    /// patterns. The same seed gives the same delays, so give each actor another, for instance from its name or number.
    /// Without jitter it means nothing. A kernel has dice of its own, for the restarts of all its actors and for
    /// [`Ctx::delay_after`](crate::Ctx::delay_after), and does not look at it.
    pub seed: u64,
}

impl Backoff {
    /// Delays that double from `first` up to `max`, less up to a fifth of jitter.
    pub const fn new(first: Duration, max: Duration) -> Backoff {
        Backoff { first, growth_percent: 200, max, jitter_percent: 20, seed: 0 }
    }

    /// The same delay each time, without jitter.
    pub const fn fixed(delay: Duration) -> Backoff {
        Backoff { first: delay, growth_percent: 100, max: delay, jitter_percent: 0, seed: 0 }
    }

    /// The same with another growth; see [`Backoff::growth_percent`].
    pub const fn growth(self, percent: u32) -> Backoff {
        Backoff { growth_percent: percent, ..self }
    }

    /// The same with another jitter; see [`Backoff::jitter_percent`].
    pub const fn jitter(self, percent: u32) -> Backoff {
        Backoff { jitter_percent: percent, ..self }
    }

    /// The same with another seed; see [`Backoff::seed`].
    pub const fn seed(self, seed: u64) -> Backoff {
        Backoff { seed, ..self }
    }

    /// The first delay before jitter, in nanoseconds.
    pub(crate) const fn start(&self) -> u64 {
        let (first, max) = (nanos(self.first), nanos(self.max));
        if first < max { first } else { max }
    }

    /// What follows on a delay, both before jitter, in nanoseconds.
    pub(crate) fn grown(&self, delay: u64) -> u64 {
        percent_up(delay, self.growth_percent.max(100)).min(nanos(self.max))
    }

    /// A delay less its jitter.
    pub(crate) const fn shortened(&self, delay: u64, dice: &mut Dice) -> Duration {
        let jitter = percent_up(delay, if self.jitter_percent < 100 { self.jitter_percent } else { 100 });
        let shorter = if jitter == 0 { 0 } else { dice.up_to(jitter) };
        Duration::from_nanos(delay - shorter)
    }

    /// The delay that follows on so many.
    pub(crate) fn delay_after(&self, delays: u32, dice: &mut Dice) -> Duration {
        let mut delay = self.start();
        // One that has stopped growing stays as it is. The slowest growth takes some four thousand steps to the end of
        // time.
        for _ in 0..delays {
            let grown = self.grown(delay);
            if grown == delay {
                break;
            }
            delay = grown;
        }
        self.shortened(delay, dice)
    }
}

/// A duration in nanoseconds, saturating at 584 years as [`Time`](crate::Time) does.
pub(crate) const fn nanos(of: Duration) -> u64 {
    of.as_secs().saturating_mul(1_000_000_000).saturating_add(of.subsec_nanos() as u64)
}

/// So many per cent of a number, rounded up (or a delay of a nanosecond would never grow), saturating.
const fn percent_up(of: u64, percent: u32) -> u64 {
    let percent = percent as u64;
    (of / 100).saturating_mul(percent).saturating_add((of % 100 * percent).div_ceil(100))
}

/// Steele, Lea and Flood's SplitMix64 (2014): numbers from a seed, evenly spread, and not for secrets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(crate) const fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from zero to `most`, both included.
    pub(crate) const fn up_to(&mut self, most: u64) -> u64 {
        ((self.throw() as u128 * (most as u128 + 1)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn delay(backoff: Backoff, delays: u32) -> Duration {
        backoff.delay_after(delays, &mut Dice::new(7))
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let backoff = Backoff::new(3 * MS, 40 * MS).jitter(0);
        let delays: std::vec::Vec<_> = (0..7).map(|n| delay(backoff, n).as_millis()).collect();
        assert_eq!(delays, [3, 6, 12, 24, 40, 40, 40]);
        for n in [31, 32, 33, 1000, u32::MAX] {
            assert_eq!(delay(backoff, n), 40 * MS);
        }
    }

    #[test]
    fn extremes_do_not_overflow_and_what_makes_no_sense_is_taken_for_what_does() {
        let longest = Duration::from_nanos(u64::MAX);
        assert_eq!(delay(Backoff::new(Duration::MAX, Duration::MAX).jitter(0), 5), longest);
        assert!(delay(Backoff::new(Duration::MAX, Duration::MAX).jitter(u32::MAX), 5) <= longest);
        assert_eq!(delay(Backoff::new(MS, Duration::MAX).growth(101).jitter(0), u32::MAX), longest);
        assert_eq!(delay(Backoff::new(Duration::ZERO, Duration::MAX), u32::MAX), Duration::ZERO);
        assert_eq!(delay(Backoff::new(MS, Duration::ZERO), 0), Duration::ZERO);
        assert_eq!(delay(Backoff::new(2 * MS, MS).jitter(0), 3), MS);
        assert_eq!(delay(Backoff::new(MS, 9 * MS).growth(7).jitter(0), 3), MS);
    }

    proptest! {
        #[test]
        fn jitter_only_shortens_and_by_no_more_than_its_share(
            first in 0u64..1 << 40, max: u64, growth in 0u32..400, jitter: u32, delays in 0u32..200, seed: u64,
        ) {
            let (first, max) = (Duration::from_nanos(first), Duration::from_nanos(max));
            let backoff = Backoff::new(first, max).growth(growth).jitter(jitter);
            let plain = delay(backoff.jitter(0), delays);
            let shortened = backoff.delay_after(delays, &mut Dice::new(seed)).as_nanos();
            let most = (plain.as_nanos() * u128::from(jitter.min(100))).div_ceil(100);
            prop_assert!(plain <= max);
            prop_assert!(shortened <= plain.as_nanos() && shortened >= plain.as_nanos() - most);
        }

        #[test]
        fn throws_stay_below_their_bound(seed: u64, most: u64) {
            let mut dice = Dice::new(seed);
            for _ in 0..20 {
                prop_assert!(dice.up_to(most) <= most);
            }
        }
    }

    #[test]
    fn the_same_seed_throws_the_same() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            [dice.throw(), dice.throw(), dice.throw()]
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }
}
