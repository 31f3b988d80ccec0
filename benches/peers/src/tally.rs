//! Counts kept by the actors of the spawn and memory workloads, outside their state so that the state is one `u64`.
//!
//! One run at a time: a run begins with [`reset`]. All counts are relaxed; a run reads them on the thread that ran the
//! actors.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static STARTED: AtomicU64 = AtomicU64::new(0);
static GONE: AtomicU64 = AtomicU64::new(0);
static SUM: AtomicU64 = AtomicU64::new(0);

/// Begins a run.
pub(crate) fn reset() {
    for count in [&STARTED, &GONE, &SUM] {
        count.store(0, Relaxed);
    }
}

/// An actor is ready for messages; called from its start hook.
pub(crate) fn start() {
    STARTED.fetch_add(1, Relaxed);
}

/// Actors that have started.
pub(crate) fn started() -> u64 {
    STARTED.load(Relaxed)
}

/// Actors whose state has been dropped.
pub(crate) fn gone() -> u64 {
    GONE.load(Relaxed)
}

/// Sum of what was handled.
pub(crate) fn sum() -> u64 {
    SUM.load(Relaxed)
}

/// The whole state of an actor of these workloads.
#[derive(Debug)]
pub(crate) struct State(pub u64);

impl State {
    /// Handles the one message.
    pub(crate) fn handle(&self, message: u64) {
        SUM.fetch_add(self.0 + message, Relaxed);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        GONE.fetch_add(1, Relaxed);
    }
}

const _: () = assert!(size_of::<State>() == size_of::<u64>());
