//! How many of a connection's messages its actor has not handled: with too many, the connection is paused, so that a flood from
//! a peer waits at the peer.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{ThreadId, current};

use crate::buffers::{Buffer, Chunk};
use crate::reactor::Waker;

/// One connection's.
pub(crate) struct Credit {
    /// Messages with bytes that are still somewhere.
    unhandled: AtomicU32,
    /// As many as there may be before it is paused; it goes on at half of that.
    most: u32,
    paused: AtomicBool,
    /// Its actor wants to hear what comes.
    wanted: AtomicBool,
    thread: ThreadId,
    waker: Waker,
}

impl Credit {
    pub(crate) fn new(most: u32, waker: Waker) -> Arc<Credit> {
        Arc::new(Credit {
            unhandled: AtomicU32::new(0),
            most: most.max(1),
            paused: AtomicBool::new(false),
            wanted: AtomicBool::new(true),
            thread: current().id(),
            waker,
        })
    }

    /// One more message; says whether the connection is to be paused.
    fn take(&self) -> bool {
        let unhandled = self.unhandled.fetch_add(1, Ordering::SeqCst) + 1;
        // Once: who is paused is sent at most what had come before.
        unhandled >= self.most && !self.paused.swap(true, Ordering::SeqCst)
    }

    fn give_back(&self) {
        let left = self.unhandled.fetch_sub(1, Ordering::SeqCst) - 1;
        // On the shard's own thread, it is looked at in this very turn.
        if left <= self.most / 2 && self.paused.load(Ordering::SeqCst) && current().id() != self.thread {
            self.waker.wake();
        }
    }

    /// Paused, and with little enough to go on.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.unhandled.load(Ordering::SeqCst) <= self.most / 2
    }

    /// Whether it is to stay paused. If not, it is paused no more.
    pub(crate) fn lags(&self) -> bool {
        let lags = !self.has_caught_up();
        if !lags {
            self.paused.store(false, Ordering::SeqCst);
        }
        lags
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    pub(crate) fn set_wanted(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

/// Bytes that came over a connection. As long as they are kept they count as unhandled, and the connection is paused when too many
/// do; and they take one of the reactor's chunks. Whoever keeps bytes for long copies them out.
pub struct Received {
    chunk: Option<Chunk>,
    credit: Arc<Credit>,
}

impl Received {
    /// What has come; and whether the connection is to be paused.
    pub(crate) fn new(chunk: Chunk, credit: &Arc<Credit>) -> (Received, bool) {
        let pauses = credit.take();
        (Received { chunk: Some(chunk), credit: credit.clone() }, pauses)
    }
}

impl Deref for Received {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.chunk.as_deref().unwrap_or_default()
    }
}

/// To send it on without a copy.
impl From<Received> for Buffer {
    fn from(mut received: Received) -> Buffer {
        received.chunk.take().map_or_else(|| Buffer::from(b""), Buffer::from)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        // First the memory, then the word that there is some.
        self.chunk = None;
        self.credit.give_back();
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({} bytes)", self.len())
    }
}
