//! Round robin: each in turn.

use super::strategy::{Blind, Routee, Strategy};

/// Picks each routee in turn.
///
/// It keeps no count of messages but a position in the row, so nothing ever wraps, and a routee that joins or leaves
/// makes nobody's turn come twice or not at all. Costs a comparison and an addition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundRobin {
    next: usize,
}

impl RoundRobin {
    /// Begins with the first routee.
    pub const fn new() -> RoundRobin {
        RoundRobin { next: 0 }
    }

    /// Begins with the routee of any number, counted around the row. Senders that begin at different ones do not all
    /// burden the first.
    pub const fn starting_at(number: usize) -> RoundRobin {
        RoundRobin { next: number }
    }

    /// The next index below `count`; `None` if that is zero.
    #[inline]
    pub fn next_below(&mut self, count: usize) -> Option<usize> {
        if self.next >= count {
            if count == 0 {
                return None;
            }
            // One past the end, unless it began further away or the row was cut short.
            self.next = if self.next == count { 0 } else { self.next % count };
        }
        let at = self.next;
        self.next = at + 1;
        Some(at)
    }
}

impl<M> Strategy<M> for RoundRobin {
    #[inline]
    fn pick(&mut self, routees: &[Routee<M>], _: &M) -> Option<usize> {
        self.next_below(routees.len())
    }

    fn removed(&mut self, index: usize) {
        if index < self.next {
            self.next -= 1;
        }
    }
}

impl<M> Blind<M> for RoundRobin {
    #[inline]
    fn pick_blind(&mut self, routees: &[Routee<M>]) -> Option<usize> {
        self.next_below(routees.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn turns(turns: &mut RoundRobin, count: usize, times: usize) -> Vec<usize> {
        (0..times).map(|_| turns.next_below(count).expect("there are some")).collect()
    }

    /// Conformance 32.
    #[test]
    fn round_robin_survives_the_wrap_of_any_counter() {
        let mut from_the_top = RoundRobin::starting_at(usize::MAX);
        let first = usize::MAX % 3;
        let expected: Vec<usize> = (0..9).map(|turn| (first + turn) % 3).collect();
        assert_eq!(turns(&mut from_the_top, 3, 9), expected);
        assert!(from_the_top.next <= 3);
    }

    #[test]
    fn nobody_is_next_of_none_and_the_turn_goes_on_with_the_next_that_come() {
        let mut robin = RoundRobin::new();
        assert_eq!((robin.next_below(0), robin.next_below(0)), (None, None));
        assert_eq!(turns(&mut robin, 2, 4), [0, 1, 0, 1]);
        let mut from_afar = RoundRobin::starting_at(7);
        assert_eq!(from_afar.next_below(0), None);
        assert_eq!(turns(&mut from_afar, 4, 2), [3, 0]);
    }

    #[test]
    fn a_routee_that_leaves_takes_nobodys_turn_with_it() {
        // Of 0 1 2 3, the first two had their turn.
        let cases = [(0, [1, 2, 0]), (1, [1, 2, 0]), (2, [2, 0, 1]), (3, [2, 0, 1])];
        for (leaver, expected) in cases {
            let mut robin = RoundRobin::new();
            turns(&mut robin, 4, 2);
            <RoundRobin as Strategy<()>>::removed(&mut robin, leaver);
            assert_eq!(turns(&mut robin, 3, 3), expected, "{leaver} left");
        }
    }
}
