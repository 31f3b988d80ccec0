//! Sleeping and waking: a shard that sleeps is woken by one write, done only when it sleeps, and no wake-up is lost.
//!
//! The sleeper says that it sleeps, then looks once more at everything that could have come; the waker publishes, then
//! looks whether the sleeper sleeps. A fence stands between the two steps on both sides, so at least one of them sees
//! the other (Dekker's argument). Model-checked with loom.

use std::time::Duration;

use crate::sync::{AtomicU32, Ordering, fence, thread};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// One shard's sleep.
#[derive(Debug)]
pub(crate) struct Wake {
    state: AtomicU32,
    /// It never sleeps: wakers need not look.
    #[cfg(not(loom))]
    sleepless: bool,
    thread: std::sync::OnceLock<thread::Thread>,
}

impl Wake {
    /// The sleep of a shard; `sleepless` promises that it never will.
    pub(crate) fn new(sleepless: bool) -> Wake {
        let _ = sleepless;
        Wake {
            state: AtomicU32::new(AWAKE),
            #[cfg(not(loom))]
            sleepless,
            thread: std::sync::OnceLock::new(),
        }
    }

    /// Called once by the thread that will sleep here, before anybody wakes it.
    pub(crate) fn settle(&self) {
        // A second call would come from a second thread of one shard, of which there is none.
        let _ = self.thread.set(thread::current());
    }

    /// Called after something was published for the shard.
    #[inline]
    pub(crate) fn wake(&self) {
        #[cfg(not(loom))]
        if self.sleepless {
            return;
        }
        fence(Ordering::SeqCst);
        if self.state.load(Ordering::Relaxed) == ASLEEP {
            self.rouse();
        }
    }

    #[cold]
    fn rouse(&self) {
        if self.state.swap(AWAKE, Ordering::AcqRel) == ASLEEP
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// For who runs the shard in place of a thread: whether it was woken since this was called last. It then counts as
    /// asleep all the time, so that each wake-up is seen.
    pub(crate) fn was_woken(&self) -> bool {
        self.state.swap(ASLEEP, Ordering::AcqRel) == AWAKE
    }

    /// Sleeps until woken, for at most `timeout`, unless `has_work` finds something after the shard has said that it
    /// sleeps. May return early.
    pub(crate) fn sleep(&self, timeout: Option<Duration>, has_work: impl FnOnce() -> bool) {
        // Exchanged, not stored, here and below: each change then plainly follows the last one, whoever made it. The
        // model checker knows no other order of changes.
        self.state.swap(ASLEEP, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !has_work() {
            while self.state.load(Ordering::Acquire) == ASLEEP {
                match timeout {
                    #[cfg(not(loom))]
                    Some(timeout) => {
                        thread::park_timeout(timeout);
                        break;
                    }
                    _ => thread::park(),
                }
            }
        }
        self.state.swap(AWAKE, Ordering::Relaxed);
    }
}
