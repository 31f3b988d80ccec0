//! What a shard does when nothing moves: spin, yield, sleep.
//!
//! Waking a sleeping thread costs tens of microseconds, a hop between spinning ones a tenth of one; but a core that
//! spins is a core used. Each policy answers differently; the decision is a small state machine fed with the time, so
//! that it can be tested without a thread.

use std::time::Duration;

use corelane_kernel::Time;

/// How a shard waits when nothing moves: what it costs to wake it against what it costs to keep it awake.
///
/// A shard that sleeps is woken by whoever tells one of its actors, which takes tens of microseconds; one that spins sees a
/// message within a tenth of one, and uses its core up. Where shards share a core none of them spins, whatever is set.
///
/// ```
/// use corelane_shard::{Idle, System};
///
/// let system = System::builder().shards(1).pinned(false).idle(Idle::Frugal).start()?;
/// # drop(system);
/// # Ok::<(), corelane_shard::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Idle {
    /// Never sleeps: lowest latency, and each shard's core is always busy. For cores that are given to the system.
    Latency,
    /// Spins as long as recent traffic makes a message likely, then sleeps: a few times the usual gap between
    /// messages, at most a millisecond. An idle system uses next to nothing.
    #[default]
    Balanced,
    /// Sleeps as soon as nothing moves: least use of the core, tens of microseconds more for the first message.
    Frugal,
}

/// What to do until the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Look again at once.
    Spin,
    /// Sleep until woken or until a timer is due.
    Sleep,
}

/// Longest gap between messages that spinning is meant for: a few wake-ups' worth.
const GAP_MAX: Duration = Duration::from_micros(250);
/// Spinning goes on for this many usual gaps.
const GAPS: u32 = 4;
/// Shortest time to spin, so that an answer to what was just sent finds the shard awake.
const SPIN_MIN: Duration = Duration::from_micros(50);

pub(crate) struct Idler {
    policy: Idle,
    may_spin: bool,
    /// When something moved last.
    last: Time,
    idle: bool,
    /// Usual gap between messages: a moving average of those that came one after the other.
    gap: Duration,
}

impl Idler {
    /// `may_spin` is false where shards share cores: one that spins would keep the others from working.
    pub(crate) fn new(policy: Idle, may_spin: bool, now: Time) -> Idler {
        Idler { policy, may_spin, last: now, idle: false, gap: GAP_MAX }
    }

    /// Whether the policy never sleeps.
    pub(crate) fn is_sleepless(policy: Idle, may_spin: bool) -> bool {
        policy == Idle::Latency && may_spin
    }

    /// Something moved in the turn that ended at `now`.
    #[inline]
    pub(crate) fn moved(&mut self, now: Time) {
        if self.idle {
            self.idle = false;
            // A long silence says nothing about the traffic that follows it: it counts as one long gap.
            let gap = now.since(self.last).min(4 * GAP_MAX);
            self.gap = (7 * self.gap + gap) / 8;
        }
        self.last = now;
    }

    /// Nothing moved in the turn that ended at `now`.
    #[inline]
    pub(crate) fn rest(&mut self, now: Time) -> Rest {
        self.idle = true;
        match self.policy {
            _ if !self.may_spin => Rest::Sleep,
            Idle::Latency => Rest::Spin,
            Idle::Frugal => Rest::Sleep,
            Idle::Balanced => {
                let spin = if self.gap <= GAP_MAX { (GAPS * self.gap).max(SPIN_MIN) } else { SPIN_MIN };
                if now.since(self.last) < spin { Rest::Spin } else { Rest::Sleep }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Time {
        Time::from_nanos(micros * 1000)
    }

    #[test]
    fn latency_never_sleeps_and_frugal_never_spins() {
        let mut latency = Idler::new(Idle::Latency, true, at(0));
        let mut frugal = Idler::new(Idle::Frugal, true, at(0));
        for t in 1..1000 {
            assert_eq!(latency.rest(at(t * t)), Rest::Spin);
            assert_eq!(frugal.rest(at(t * t)), Rest::Sleep);
        }
    }

    #[test]
    fn shards_that_share_a_core_never_spin() {
        let mut latency = Idler::new(Idle::Latency, false, at(0));
        assert_eq!(latency.rest(at(1)), Rest::Sleep);
        assert!(!Idler::is_sleepless(Idle::Latency, false));
    }

    /// Feeds one message every `gap` microseconds; gives how long it would have spun after the last.
    fn spins_after(gap: u64, messages: u64) -> u64 {
        let mut idler = Idler::new(Idle::Balanced, true, at(0));
        let mut now = 0;
        for _ in 0..messages {
            idler.rest(at(now + gap / 2));
            now += gap;
            idler.moved(at(now));
        }
        (1..10_000).find(|t| idler.rest(at(now + t)) == Rest::Sleep).unwrap()
    }

    #[test]
    fn balanced_spins_while_a_message_is_likely() {
        assert_eq!(spins_after(1, 200), 50);
        assert!((350..450).contains(&spins_after(100, 200)));
        assert!(spins_after(10_000, 200) <= 50);
    }

    #[test]
    fn balanced_sleeps_when_traffic_ends() {
        for gap in [1, 10, 100, 200, 1000] {
            assert!(spins_after(gap, 500) <= 1001);
        }
    }
}
