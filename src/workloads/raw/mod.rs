//! The raw loops: what a workload would cost if the runtime around it cost nothing.
//!
//! Each does the bare memory traffic of a workload on the same cores: it moves the same bytes through the
//! same kind of queue and makes one indirect call for each message, with no address to check, no actor, no
//! budget and no timer. They bound the workloads beside them, so they are written to be as fast as plain
//! safe code can be, and they check their own results as the workloads do.
//!
//! A message with a `u64` is a record of 24 bytes: 16 of header, 8 of message. That is [`Record`].

pub(super) mod hop;
pub(super) mod memory;
pub(super) mod queue;
pub(super) mod socket;
#[cfg(target_os = "linux")]
pub(super) mod uring;
pub(super) mod wake;

use std::hint::black_box;

/// A message with a `u64` as the queues hold it: two words of header, one of message.
pub(super) type Record = [u64; 3];

/// Records pushed before they are popped, as many as a sender in the workloads tells in one turn.
const BURST: u64 = 256;

/// What runs when a record reaches its target.
type Behaviour = fn(&mut u64, u64);

/// The bare minimum of an actor: a behaviour to call and a state to change.
struct Target {
    behaviour: Behaviour,
    state: u64,
}

/// Cells to choose from, so that the compiler cannot know which one a record names.
const TARGETS: usize = 16;

impl Target {
    /// The cells of one loop, all alike.
    fn cells() -> Vec<Self> {
        std::iter::repeat_with(Self::adder).take(TARGETS).collect()
    }

    /// The cell that every record names; the compiler cannot see which it is.
    fn index() -> u64 {
        black_box(TARGETS as u64 / 2)
    }

    /// A target that adds up what it is sent. The compiler cannot see which function it holds.
    fn adder() -> Self {
        Self { behaviour: black_box(add as Behaviour), state: 0 }
    }

    #[inline(always)]
    fn deliver(&mut self, payload: u64) {
        (self.behaviour)(&mut self.state, payload);
    }
}

#[inline(never)]
fn add(state: &mut u64, payload: u64) {
    *state = state.wrapping_add(payload);
}
