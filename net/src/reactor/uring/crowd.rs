//! How many completions a wait goes on for, where waits coalesce: by who spoke in the last *period*, and how often.
//!
//! A wait that ends by the count costs no timer, which on a virtual machine costs more than the wake-up that it saves. So the
//! count is meant to be reached: what can be counted on are the sockets that spoke a moment ago, and will again once they are
//! answered. For half of them is waited, so that one half is at work while the other is served; and for no more than come in a
//! share of a period, so that slow traffic is not held up. A timer runs once in a period, no matter how many waits there are,
//! and ends what goes on until then: where the count was wrong, it errs by one period, and has learnt from it.

use super::AWAITED_MAX;

/// Waits that a period has room for, at least: none is meant to be longer than this share.
const WAITS: usize = 4;

#[derive(Debug)]
pub(super) struct Crowd {
    /// By the slots of sockets: the period in which each spoke last.
    spoke: Vec<u32>,
    period: u32,
    /// Sockets that have spoken in this period, and how often they did.
    speakers: usize,
    came: usize,
    /// Another thread has rung in this period: what it has for us is not to be held up.
    rung: bool,
    awaited: usize,
}

impl Crowd {
    pub(super) fn new() -> Crowd {
        Crowd { spoke: Vec::new(), period: 1, speakers: 0, came: 0, rung: false, awaited: 1 }
    }

    /// Something has come from the socket of this slot.
    pub(super) fn hear(&mut self, slot: u32) {
        let slot = slot as usize;
        if self.spoke.len() <= slot {
            self.spoke.resize(slot + 1, 0);
        }
        let is_first = std::mem::replace(&mut self.spoke[slot], self.period) != self.period;
        self.speakers += usize::from(is_first);
        self.came += 1;
    }

    /// Another thread has rung.
    pub(super) fn ring(&mut self) {
        self.rung = true;
        self.awaited = 1;
    }

    /// So many completions are worth waiting for.
    pub(super) fn awaited(&self) -> usize {
        self.awaited
    }

    /// A period is over: what it was like the next will be.
    pub(super) fn end_period(&mut self) {
        let most = if self.rung { 1 } else { (self.speakers / 2).min(self.came / WAITS) };
        self.awaited = most.clamp(1, AWAITED_MAX);
        self.begin_period();
    }

    /// Forgets what has come: a period begins that has no forerunner.
    pub(super) fn begin_period(&mut self) {
        self.period = self.period.checked_add(1).unwrap_or_else(|| {
            self.spoke.clear();
            1
        });
        (self.speakers, self.came, self.rung) = (0, 0, false);
    }

    /// Nothing is to be waited for until periods begin anew.
    pub(super) fn disperse(&mut self) {
        self.begin_period();
        self.awaited = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is awaited after a period in which so many sockets spoke so often each.
    fn after(speakers: u32, times: u32) -> usize {
        let mut crowd = Crowd::new();
        for _ in 0..times {
            (0..speakers).for_each(|slot| crowd.hear(slot));
        }
        crowd.end_period();
        crowd.awaited()
    }

    #[test]
    fn half_of_those_that_speak_are_awaited() {
        let all = [0, 1, 2, 3, 10, 50, 1000];
        assert_eq!(all.map(|speakers| after(speakers, 10)), [1, 1, 1, 1, 5, 25, 64]);
    }

    #[test]
    fn no_more_are_awaited_than_come_in_a_share_of_the_period() {
        assert_eq!([1, 2, 3].map(|times| after(40, times)), [10, 20, 20]);
        assert_eq!(after(7, 1), 1);
    }

    #[test]
    fn nobody_is_awaited_where_other_threads_ring_or_nothing_has_come() {
        let mut crowd = Crowd::new();
        for rings in [false, true, false] {
            (0..400).for_each(|n| crowd.hear(n % 20));
            if rings {
                assert_eq!(crowd.awaited(), 10);
                crowd.ring();
                assert_eq!(crowd.awaited(), 1);
            }
            crowd.end_period();
            assert_eq!(crowd.awaited(), if rings { 1 } else { 10 });
        }
        crowd.end_period();
        assert_eq!(crowd.awaited(), 1);
    }

    #[test]
    fn who_speaks_in_two_periods_counts_in_each_also_when_their_numbers_begin_again() {
        let mut crowd = Crowd::new();
        crowd.period = u32::MAX - 2;
        for _ in 0..6 {
            (0..400).for_each(|n| crowd.hear(n % 20));
            crowd.end_period();
            assert_eq!(crowd.awaited(), 10);
        }
    }
}
