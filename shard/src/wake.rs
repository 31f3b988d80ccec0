//! Sleeping and waking: a shard that sleeps is woken by one write, done only when it sleeps, and no wake-up is lost.
//!
//! The sleeper says that it sleeps, then looks once more at everything that could have come; the waker publishes, then
//! looks whether the sleeper sleeps. A fence stands between the two steps on both sides, so at least one of them sees
//! the other (Dekker's argument). Model-checked with loom.
//!
//! A shard that sleeps elsewhere (in a driver, which waits for more than for us) does so between the same two steps, and is woken
//! by what it gave for that.

use std::fmt;
use std::time::Duration;

use crate::sync::{AtomicU32, Ordering, fence, thread};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// One shard's sleep.
pub(crate) struct Wake {
    state: AtomicU32,
    /// It never sleeps: wakers need not look.
    #[cfg(not(loom))]
    sleepless: bool,
    thread: std::sync::OnceLock<thread::Thread>,
    /// Wakes one who sleeps elsewhere than here.
    elsewhere: std::sync::OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake").field("state", &self.state).finish_non_exhaustive()
    }
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
            elsewhere: std::sync::OnceLock::new(),
        }
    }

    /// Called once by the thread that will sleep here, before anybody wakes it.
    pub(crate) fn settle(&self) {
        // A second call would come from a second thread of one shard, of which there is none.
        let _ = self.thread.set(thread::current());
    }

    /// Called once by the thread that will sleep, before it does, if it will sleep elsewhere; `wake` ends that sleep, or the next
    /// if it has not begun.
    pub(crate) fn settle_elsewhere(&self, wake: Box<dyn Fn() + Send + Sync>) {
        let _ = self.elsewhere.set(wake);
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
        if self.state.swap(AWAKE, Ordering::AcqRel) != ASLEEP {
            return;
        }
        // Who sleeps elsewhere said where before it first slept: seen here, since the sleep was.
        match self.elsewhere.get() {
            Some(wake) => wake(),
            None => self.thread.get().into_iter().for_each(thread::Thread::unpark),
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

    /// Sleeps elsewhere: `park` is called after the shard has said that it sleeps. It is to look at everything that could have
    /// come, and to wait only if nothing has.
    pub(crate) fn sleep_elsewhere(&self, park: impl FnOnce()) {
        // Released, so that whoever sees it knows how to wake us.
        self.state.swap(ASLEEP, Ordering::Release);
        fence(Ordering::SeqCst);
        park();
        self.state.swap(AWAKE, Ordering::Relaxed);
    }
}
