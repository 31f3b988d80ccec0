//! Who runs a system's shards, as far as those who wait outside must know: threads of their own, or a simulation on this
//! very thread, which somebody who waits must let go on.

use std::time::{Duration, Instant};

use corelane_kernel::{LaneReceiver, LaneSender, Place, Time, lane};

use crate::sim::stage;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// Each shard has its thread.
    Threads,
    /// All shards are run by the simulation of this thread.
    Simulation,
}

/// When to give up waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    At(Instant),
    Simulated(Time),
}

impl Deadline {
    pub(crate) fn is_over(self) -> bool {
        match self {
            Deadline::At(at) => Instant::now() >= at,
            Deadline::Simulated(at) => stage::current().now() >= at,
        }
    }

    /// How much time is left.
    pub(crate) fn left(self) -> Duration {
        match self {
            Deadline::At(at) => at.saturating_duration_since(Instant::now()),
            Deadline::Simulated(at) => at.since(stage::current().now()),
        }
    }
}

impl Host {
    /// The end of a time that begins now.
    pub(crate) fn deadline(self, within: Duration) -> Deadline {
        match self {
            Host::Threads => Deadline::At(Instant::now() + within),
            Host::Simulation => Deadline::Simulated(stage::current().now() + within),
        }
    }

    /// Lets others work for a moment.
    pub(crate) fn pause(self) {
        match self {
            Host::Threads => std::thread::yield_now(),
            Host::Simulation => stage::current().pause(),
        }
    }

    /// Goes on until `done`, or until the time is over, where somebody must go on for that: in a simulation. Says whether
    /// to wait still.
    pub(crate) fn simulate_until(self, within: Option<Duration>, done: impl FnMut() -> bool) -> bool {
        match self {
            Host::Threads => true,
            Host::Simulation => {
                stage::current().run_until(within, done);
                false
            }
        }
    }

    /// A lane to a shard from outside.
    pub(crate) fn lane(self, words: usize, to: Place) -> (LaneSender, LaneReceiver) {
        match self {
            Host::Threads => lane(words),
            Host::Simulation => stage::current().lane_from_outside(words, to),
        }
    }
}
