//! Smallest load: who has least to do.
//!
//! A core knows no number of messages that wait for an actor: they wait in one queue for all of a core, and for other
//! cores in a lane. So load is what the router itself can answer for: messages it has given to a routee, less those that
//! were said to be done. Where routees of the same core have bounded mailboxes, their true number can be looked up.

use core::hint::select_unpredictable;

use super::strategy::{Blind, Routee, Strategy};

/// Picks the routee with the smallest load; among equals, each in turn.
///
/// A router adds one to a routee's load for each message it tells it. What takes one off is up to the owner:
///
/// - [`Router::done`](super::Router::done), when a routee has said that it has finished one;
/// - the same when an ask through [`Router::pick`](super::Router::pick) has ended, with an answer or without;
/// - [`Router::measure`](super::Router::measure) sets the loads of routees with a bounded mailbox on this core to the
///   number of messages that wait there, whoever told them.
///
/// Where nothing ever does, loads only grow, and this is no more than a costly round robin. A message that a routee
/// lost, by a restart for instance, counts until [`Router::set_load`](super::Router::set_load) says otherwise.
///
/// Costs a look at each routee: less than a nanosecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmallestLoad {
    next: usize,
}

impl SmallestLoad {
    /// Begins with the first of those that have least to do.
    pub const fn new() -> SmallestLoad {
        SmallestLoad { next: 0 }
    }

    /// The index of the smallest of these loads, of equals the next around the row; `None` if there are none.
    #[inline]
    pub fn least(&mut self, loads: impl IntoIterator<Item = u32>) -> Option<usize> {
        let (mut least, mut least_at) = (u64::MAX, usize::MAX);
        for (at, load) in loads.into_iter().enumerate() {
            // Those before the position come behind their equals.
            let rank = u64::from(load) << 1 | u64::from(at < self.next);
            // No branch: a new least one is news each time.
            least_at = select_unpredictable(rank < least, at, least_at);
            least = least.min(rank);
        }
        if least_at == usize::MAX {
            return None;
        }
        self.next = least_at + 1;
        Some(least_at)
    }
}

impl<M> Strategy<M> for SmallestLoad {
    #[inline]
    fn pick(&mut self, routees: &[Routee<M>], _: &M) -> Option<usize> {
        self.pick_blind(routees)
    }

    fn removed(&mut self, index: usize) {
        if index < self.next {
            self.next -= 1;
        }
    }
}

impl<M> Blind<M> for SmallestLoad {
    #[inline]
    fn pick_blind(&mut self, routees: &[Routee<M>]) -> Option<usize> {
        self.least(routees.iter().map(Routee::load))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_is_picked_and_equals_take_turns() {
        let mut least = SmallestLoad::new();
        assert_eq!(least.least([3, 1, 2]), Some(1));
        assert_eq!(least.least([1, 1, 1]), Some(2));
        assert_eq!(least.least([1, 1, 1]), Some(0));
        assert_eq!(least.least([1, 1, 1]), Some(1));
        assert_eq!(least.least([0, 1, 0]), Some(2));
        assert_eq!(least.least([0, 1, 0]), Some(0));
        assert_eq!(least.least([]), None);
    }

    #[test]
    fn a_routee_that_leaves_takes_nobodys_turn_with_it() {
        let mut least = SmallestLoad::new();
        assert_eq!((least.least([0; 4]), least.least([0; 4])), (Some(0), Some(1)));
        <SmallestLoad as Strategy<()>>::removed(&mut least, 0);
        assert_eq!(least.least([0; 3]), Some(1));
    }
}
