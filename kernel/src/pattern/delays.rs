//! Delays: those of a back-off one after the other, with jitter from its seed.

use core::time::Duration;

use super::{InvalidConfig, nanos};
use crate::backoff::{Backoff, Dice};

/// The delays of a [`Backoff`], one after the other, without end.
#[derive(Clone, Debug)]
pub struct Delays {
    backoff: Backoff,
    /// The next delay before jitter, in nanoseconds.
    next: u64,
    dice: Dice,
}

impl Delays {
    /// From the first delay on.
    ///
    /// # Errors
    /// [`InvalidConfig`] names the field that makes no sense.
    pub const fn new(backoff: Backoff) -> Result<Delays, InvalidConfig> {
        match check(&backoff) {
            Ok(()) => Ok(Delays { backoff, next: backoff.start(), dice: Dice::new(backoff.seed) }),
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
        self.next = self.backoff.grown(delay);
        self.backoff.shortened(delay, &mut self.dice)
    }

    /// From the first delay on again. Jitter goes on where it was, so that it does not repeat.
    pub const fn reset(&mut self) {
        self.next = self.backoff.start();
    }

    /// The same delays from the first on, with jitter of their own, drawn from this one's.
    #[must_use]
    pub fn fork(&mut self) -> Delays {
        let dice = Dice::new(self.dice.throw());
        Delays { backoff: self.backoff, next: self.backoff.start(), dice }
    }
}

const fn check(backoff: &Backoff) -> Result<(), InvalidConfig> {
    if backoff.growth_percent < 100 {
        return Err(InvalidConfig::new(
            "Backoff",
            "growth_percent",
            "is less than 100: delays may not shrink",
        ));
    }
    if nanos(backoff.max) < nanos(backoff.first) {
        return Err(InvalidConfig::new("Backoff", "max", "is less than `first`"));
    }
    if backoff.jitter_percent > 100 {
        return Err(InvalidConfig::new("Backoff", "jitter_percent", "is more than 100"));
    }
    Ok(())
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
    }

    #[test]
    fn jitter_spreads_evenly_over_its_whole_range() {
        let backoff = Backoff::fixed(Duration::from_nanos(1000)).jitter(40).seed(7);
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
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_secs(9)).jitter(50).seed(3);
        let take = |mut delays: Delays| (0..12).map(|_| delays.next_delay()).collect::<Vec<_>>();
        let mut delays = Delays::new(backoff).unwrap();
        let (fork, other) = (delays.fork(), delays.fork());
        assert_eq!(take(Delays::new(backoff).unwrap()), take(Delays::new(backoff).unwrap()));
        assert_ne!(take(fork.clone()), take(other));
        assert_ne!(take(fork), take(delays));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let good = Backoff::new(Duration::from_secs(1), Duration::from_secs(2)).jitter(0);
        for (bad, text) in [
            (good.growth(99), "Backoff.growth_percent is less than 100: delays may not shrink"),
            (Backoff { max: Duration::from_millis(999), ..good }, "Backoff.max is less than `first`"),
            (good.jitter(101).seed(0), "Backoff.jitter_percent is more than 100"),
        ] {
            assert_eq!(Delays::new(bad).unwrap_err().to_string(), text);
        }
    }
}
