//! How a reactor is driven: what has come is collected and handed out, what was asked for is passed on, and it waits. And
//! how it ends.

use std::time::{Duration, Instant};

use super::engine::Reactor;
use super::event::{Event, EventKind, SocketId};
use super::store::Store;

/// How long a reactor that is dropped waits for what is in flight. What was cancelled ends at once; more than this is
/// taken only by a send without a copy whose memory the network holds.
const DRAIN: Duration = Duration::from_secs(2);

impl Reactor {
    /// Collects what has come to an end. Gives how many events wait to be [taken](Reactor::next_event).
    pub fn turn(&mut self) -> usize {
        self.backend.reap(&mut self.store, &mut self.completions);
        self.complete_all();
        if !self.starved.is_empty() && self.backend.has_chunks() {
            // In the order in which they ran out; who runs out again waits behind the others.
            for _ in 0..self.starved.len() {
                let Some(key) = self.starved.pop_front() else { break };
                if let Some(entry) = self.store.sockets.get_mut(key) {
                    entry.starved = false;
                    self.await_input(key);
                }
            }
        }
        self.store.events.len()
    }

    fn complete_all(&mut self) {
        while let Some(completion) = self.completions.pop_front() {
            self.complete(completion);
        }
    }

    /// The next thing that has happened.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let event = self.store.events.pop_front()?;
            let may_wait = matches!(
                event.kind,
                EventKind::Received(_)
                    | EventKind::ReceivedFrom { .. }
                    | EventKind::Finished
                    | EventKind::Accepted(_)
            );
            if may_wait
                && let Some(entry) = self.store.sockets.get_mut(event.socket.0)
                && !entry.wanted
            {
                entry.held.push_back(event.kind);
                continue;
            }
            return Some(event);
        }
    }

    /// Passes on what was asked for since the last time. To be called once after each turn's events.
    pub fn submit(&mut self) {
        self.begin_all();
        self.backend.submit(&mut self.store, &mut self.completions);
        self.complete_all();
    }

    /// Begins what is next at each socket for which something was asked.
    fn begin_all(&mut self) {
        // What ends here may soil others.
        let mut at = 0;
        while at < self.dirty.len() {
            let key = self.dirty[at];
            at += 1;
            if let Some(entry) = self.store.sockets.get_mut(key) {
                entry.dirty = false;
                self.pump(key);
            }
        }
        self.dirty.clear();
    }

    /// Whether [`Reactor::turn`] or [`Reactor::next_event`] may have something. Cheap enough to be asked while spinning.
    pub fn has_input(&mut self) -> bool {
        !self.store.events.is_empty()
            // A send that was done when it was passed on, and behind which more waits.
            || self.has_output()
            || self.backend.has_input(&mut self.store)
            || (!self.starved.is_empty() && self.backend.has_chunks())
    }

    /// Whether [`Reactor::park`] would return at once, as far as is known: less than [`Reactor::has_input`] says where a wait
    /// finds by itself what the operating system has put off.
    pub fn has_pending(&mut self) -> bool {
        !self.store.events.is_empty()
            || self.has_output()
            || self.backend.has_pending(&mut self.store)
            || (!self.starved.is_empty() && self.backend.has_chunks())
    }

    /// Whether something waits for [`Reactor::submit`].
    pub fn has_output(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Submits, and waits until something comes, somebody uses the [`Waker`], or the time is over; for ever without one. May
    /// return early. Where the backend is io_uring, both are one system call.
    ///
    /// [`Waker`]: super::Waker
    pub fn park(&mut self, timeout: Option<Duration>) {
        self.begin_all();
        if self.has_pending() {
            self.backend.submit(&mut self.store, &mut self.completions);
            return self.complete_all();
        }
        self.store.counters.parks += 1;
        self.backend.park(timeout, &mut self.store);
    }

    /// Aborts every socket, and waits until nothing is in flight or the time is over; gives whether nothing is.
    fn drain(&mut self, within: Duration) -> bool {
        for key in self.store.sockets.keys() {
            self.abort(SocketId(key));
        }
        let until = Instant::now() + within;
        loop {
            self.submit();
            self.turn();
            self.store.events.clear();
            if self.store.operations.len() == 0 {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            if !self.backend.has_input(&mut self.store) {
                self.backend.park(Some(Duration::from_millis(10)), &mut self.store);
            }
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        if self.drain(DRAIN) {
            self.submit();
            self.backend.end();
            return;
        }
        let left = self.store.operations.len();
        tracing::warn!(left, "operations are still in flight: their memory is left to them for ever");
        self.backend.leak();
        std::mem::forget(std::mem::replace(&mut self.store, Store::new()));
    }
}
