//! The inbox of a shard: rare requests from other threads, each a closure. Messages go over lanes; what comes here
//! (spawning from outside, a new gateway, the result of blocking work) may lock and allocate.

use std::sync::PoisonError;

use corelane_kernel::{LaneReceiver, Scope};

use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::wake::Wake;

/// What a thread may ask of a shard.
pub(crate) enum Request {
    /// Run this between turns.
    Run(Box<dyn FnOnce(&mut Scope<'_>) + Send>),
    /// Take a gateway's lane.
    AddLane(LaneReceiver),
    /// A gateway is gone: let go of lanes nobody sends into.
    Prune,
}

pub(crate) struct Inbox {
    requests: Mutex<State>,
    /// Hint that requests wait, so that a turn need not lock.
    waiting: AtomicBool,
}

struct State {
    queue: Vec<Request>,
    closed: bool,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            requests: Mutex::new(State { queue: Vec::new(), closed: false }),
            waiting: AtomicBool::new(false),
        }
    }

    /// Leaves a request and wakes the shard; gives it back when the shard has ended.
    pub(crate) fn push(&self, request: Request, wake: &Wake) -> Result<(), Request> {
        {
            // A panic while the lock is held is impossible: pushing and taking run no foreign code.
            let mut state = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            if state.closed {
                return Err(request);
            }
            state.queue.push(request);
            self.waiting.store(true, Ordering::Release);
        }
        wake.wake();
        Ok(())
    }

    #[inline]
    pub(crate) fn has_requests(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// Takes all that waits.
    pub(crate) fn take(&self) -> Vec<Request> {
        let mut state = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.store(false, Ordering::Relaxed);
        std::mem::take(&mut state.queue)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Refuses what comes from now on, and takes all that waits.
    pub(crate) fn close(&self) -> Vec<Request> {
        let mut state = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        std::mem::take(&mut state.queue)
    }
}
