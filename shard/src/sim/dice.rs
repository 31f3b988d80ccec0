//! Dice: all that is random in a simulation, from one seed. `SplitMix64` (Steele, Lea, Flood, 2014): what a seed leads to
//! never changes, whatever libraries do.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A generator of numbers that a seed decides.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// A generator whose numbers `seed` decides.
    pub const fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// The next number, any of all.
    pub const fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, each about as likely as the other; zero if the bound is zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.roll() as u128 * bound as u128) >> 64) as u64
    }

    /// A number below `bound`; see [`Dice::below`].
    pub const fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    /// Once in so many times on average; never for zero.
    pub const fn one_in(&mut self, times: u32) -> bool {
        times != 0 && self.below(times as u64) == 0
    }

    /// A number of a range; its start if it is empty.
    pub const fn between(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let span = range.end().saturating_sub(*range.start());
        *range.start() + self.below(span.saturating_add(1))
    }

    /// A time of a range, short ones far more often than long ones: each size of time about as likely as the other.
    pub fn time(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let span = range.end().saturating_sub(*range.start()).as_nanos();
        let span = u64::try_from(span).unwrap_or(u64::MAX - 1);
        let shift = self.below(12);
        *range.start() + Duration::from_nanos(self.below(span + 1) >> shift)
    }

    /// Another generator, whose numbers have nothing to do with those of this one.
    pub const fn fork(&mut self) -> Dice {
        Dice::new(self.roll())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range_and_come_about_as_often() {
        let mut dice = Dice::new(7);
        let mut seen = [0u32; 10];
        for _ in 0..100_000 {
            seen[dice.index(10)] += 1;
            assert!((3..=5).contains(&dice.between(&(3..=5))));
            let time = dice.time(&(Duration::from_nanos(5)..=Duration::from_micros(1)));
            assert!((5..=1000).contains(&time.as_nanos()));
        }
        assert!(seen.iter().all(|count| (9_500..10_500).contains(count)), "{seen:?}");
    }

    #[test]
    fn what_a_seed_leads_to_never_changes() {
        let mut dice = Dice::new(1);
        assert_eq!([dice.roll(), dice.roll()], [0x910a_2dec_8902_5cc1, 0xbeeb_8da1_658e_ec67]);
        assert_ne!(Dice::new(1).fork().roll(), Dice::new(2).fork().roll());
    }
}
