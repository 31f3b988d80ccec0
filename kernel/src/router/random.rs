//! Random: any, each as likely.

use super::hashing::{GOLDEN, mix};
use super::strategy::{Blind, Routee, Strategy, id_of};
use crate::address::Address;

/// Picks any routee, each as likely, from a seed: the same seed picks the same.
///
/// The numbers are those of SplitMix64 (Steele, Lea and Flood, 2014), brought below the number of routees by a
/// multiplication (Lemire, 2019), which favours some by no more than one in 2⁵⁹ where there are 32. They are no secret:
/// who knows a few can tell the next. Costs three multiplications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Picks by this seed. Any will do; senders that share one pick alike.
    pub const fn seeded(seed: u64) -> Random {
        Random { state: seed }
    }

    /// Picks by a seed that each sender has for itself, and that is the same in every run that spawns the same: made of
    /// the sender's address.
    pub fn of(sender: impl Into<Address>) -> Random {
        Random::seeded(id_of(sender.into()))
    }

    /// Any index below `count`; `None` if that is zero.
    #[inline]
    pub fn any_below(&mut self, count: usize) -> Option<usize> {
        self.state = self.state.wrapping_add(GOLDEN);
        let at = (u128::from(mix(self.state)) * count as u128) >> 64;
        (count != 0).then_some(at as usize)
    }
}

impl<M> Strategy<M> for Random {
    #[inline]
    fn pick(&mut self, routees: &[Routee<M>], _: &M) -> Option<usize> {
        self.any_below(routees.len())
    }
}

impl<M> Blind<M> for Random {
    #[inline]
    fn pick_blind(&mut self, routees: &[Routee<M>]) -> Option<usize> {
        self.any_below(routees.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn one_seed_picks_the_same_and_two_do_not() {
        let draw = |seed| {
            let mut random = Random::seeded(seed);
            (0..64).map(|_| random.any_below(10)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn every_routee_is_about_as_likely() {
        for count in [1, 2, 3, 7, 16] {
            let mut random = Random::seeded(1);
            let mut picked = [0u32; 16];
            for _ in 0..16_000 {
                picked[random.any_below(count).expect("there are some")] += 1;
            }
            let expected = 16_000 / count as u32;
            for times in &picked[..count] {
                assert!(times.abs_diff(expected) <= expected / 8, "{picked:?}");
            }
        }
        assert_eq!(Random::seeded(1).any_below(0), None);
    }
}
