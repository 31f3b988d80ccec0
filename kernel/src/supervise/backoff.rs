//! Back-off: how long to wait before a restart, longer each time, and never quite the same.

use core::time::Duration;

/// How long to wait before a restart: `first`, then twice as long each time, never longer than `most`; and on top of that
/// a random part, so that those which failed together do not come back together.
///
/// While an actor waits, its old state is gone and its messages wait for the new one. No thread waits and nothing is
/// polled: the wait is a timer of the kernel.
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::{Actor, Backoff, Ctx, Outcome, Strategy};
///
/// struct Connections;
///
/// impl Actor for Connections {
///     type Msg = ();
///     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
///     fn strategy(&self) -> Strategy {
///         let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
///         Strategy::one_for_one().backoff(backoff.give_up_after(20))
///     }
/// }
/// ```
///
/// This is for children that *fail*. One that stops is gone, and its address with it: a parent that wants another watches
/// it and spawns the next after [`Ctx::delay`](crate::Ctx::delay).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a back-off does nothing by itself: give it to a strategy"]
pub struct Backoff {
    first: Duration,
    most: Duration,
    jitter: u8,
    reset_after: Duration,
    give_up_after: u32,
}

impl Backoff {
    /// Waits from `first` to `most`, with up to a fifth on top; forgets earlier failures of a child that was quiet for
    /// as long as `most` after its restart; never gives up.
    pub const fn new(first: Duration, most: Duration) -> Backoff {
        Backoff { first, most, jitter: 20, reset_after: most, give_up_after: u32::MAX }
    }

    /// How much longer than planned a wait may be, in percent. Zero makes every wait the planned one. Default 20.
    pub const fn jitter(mut self, percent: u8) -> Backoff {
        self.jitter = percent;
        self
    }

    /// A child that does not fail for so long after a restart begins again with the first wait. Default: the longest
    /// wait.
    pub const fn reset_after(mut self, quiet: Duration) -> Backoff {
        self.reset_after = quiet;
        self
    }

    /// Stops a child that fails again after so many restarts, without having been quiet in between. Default: never.
    pub const fn give_up_after(mut self, restarts: u32) -> Backoff {
        self.give_up_after = restarts;
        self
    }

    /// Whether so long without a failure makes earlier ones forgotten.
    pub(crate) fn forgets_after(&self, quiet: Duration) -> bool {
        quiet >= self.reset_after
    }

    pub(crate) fn gives_up_after(&self, restarts: u32) -> bool {
        restarts >= self.give_up_after
    }

    /// The wait before the restart that follows on so many, with a throw of the dice.
    pub(crate) fn wait(&self, restarts: u32, throw: u32) -> Duration {
        let planned = match 1u32.checked_shl(restarts) {
            Some(times) => self.first.saturating_mul(times).min(self.most),
            None if self.first.is_zero() => Duration::ZERO,
            None => self.most,
        };
        // The throw as a part of 2^32, which cannot overflow: a duration has less than 2^94 nanoseconds.
        let most = planned.as_nanos() / 100 * u128::from(self.jitter);
        let extra = (most >> 32).saturating_mul(u128::from(throw))
            + (((most & u128::from(u32::MAX)) * u128::from(throw)) >> 32);
        planned.saturating_add(Duration::from_nanos(u64::try_from(extra).unwrap_or(u64::MAX)))
    }
}

/// Random numbers that a seed settles: SplitMix64, by Steele, Lea and Flood (2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(crate) fn throw(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff::new(3 * MS, 40 * MS).jitter(0);
        let waits: std::vec::Vec<_> = (0..7).map(|n| backoff.wait(n, u32::MAX).as_millis()).collect();
        assert_eq!(waits, [3, 6, 12, 24, 40, 40, 40]);
        for n in [31, 32, 33, 1000, u32::MAX] {
            assert_eq!(backoff.wait(n, 0), 40 * MS);
        }
    }

    #[test]
    fn jitter_only_lengthens_and_by_no_more_than_its_share() {
        let backoff = Backoff::new(100 * MS, 100 * MS).jitter(50);
        assert_eq!(backoff.wait(0, 0), 100 * MS);
        assert_eq!(backoff.wait(0, 1 << 31), 125 * MS);
        let longest = backoff.wait(0, u32::MAX);
        assert!(longest < 150 * MS && longest > 149 * MS, "{longest:?}");
    }

    #[test]
    fn extreme_waits_do_not_overflow() {
        let backoff = Backoff::new(Duration::MAX, Duration::MAX).jitter(255);
        assert_eq!(backoff.wait(5, u32::MAX), Duration::MAX);
        assert_eq!(Backoff::new(Duration::ZERO, Duration::MAX).wait(u32::MAX, 7), Duration::ZERO);
        assert_eq!(Backoff::new(MS, Duration::ZERO).wait(0, 7), Duration::ZERO);
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
