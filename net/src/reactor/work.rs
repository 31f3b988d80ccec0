//! What the reactor does beneath its face: operations are begun and orphaned, queues are sent, sockets that are to be closed are
//! closed when nothing stands against it.

use super::engine::Reactor;
use super::event::{Event, EventKind, SocketId};
use super::slab::Key;
use super::store::{Finish, Life, SocketKind, Work};

/// Buffers that one send gathers at most.
pub(super) const GATHER: usize = 64;
/// Bytes that one send gathers, until no further buffer is added.
const GATHER_BYTES: usize = 1 << 20;
/// Bytes of each buffer that are worth holding its memory for, on average: a page.
const HELD_BYTES: usize = 4096;
/// Datagrams of one socket that are in flight at most.
const DATAGRAMS: u32 = 64;

impl Reactor {
    /// Takes a slot for an operation on a socket.
    pub(super) fn begin(&mut self, work: Work, socket: Key) -> Key {
        let key = self.store.operations.take();
        let operation = &mut self.store.operations[key];
        debug_assert!(operation.buffers.is_empty());
        operation.work = work;
        operation.socket = socket;
        operation.orphaned = false;
        operation.failed = false;
        operation.zero_copy = false;
        operation.to = None;
        (operation.sent, operation.bytes) = (0, 0);
        self.store.sockets[socket].operations += 1;
        self.store.counters.operations += 1;
        key
    }

    /// Accepts or receives, if somebody wants to hear it.
    pub(super) fn await_input(&mut self, key: Key) {
        let Some(entry) = self.store.sockets.get(key) else { return };
        if !entry.wanted
            || entry.over
            || entry.life != Life::Open
            || entry.incoming.is_some()
            || entry.starved
        {
            return;
        }
        let work = match entry.kind {
            SocketKind::Stream => Work::Receive,
            SocketKind::Listener => Work::Accept,
            SocketKind::Datagrams => Work::ReceiveFrom,
        };
        let operation = self.begin(work, key);
        self.store.sockets[key].incoming = Some(operation);
        self.backend.start(operation, &mut self.store);
    }

    /// Has a socket's queue looked at before the next submission.
    pub(super) fn soil(&mut self, key: Key) {
        let entry = &mut self.store.sockets[key];
        if !std::mem::replace(&mut entry.dirty, true) {
            self.dirty.push(key);
        }
    }

    /// Nobody waits for an operation any more: it ends as soon as it can.
    pub(super) fn orphan(&mut self, key: Key) {
        if let Some(operation) = self.store.operations.get_mut(key)
            && !std::mem::replace(&mut operation.orphaned, true)
        {
            self.store.counters.orphaned += 1;
            self.backend.cancel(key, &mut self.store);
        }
    }

    pub(super) fn orphan_all(&mut self, socket: Key) {
        for key in self.store.operations.keys() {
            if self.store.operations[key].socket == socket {
                self.orphan(key);
            }
        }
    }

    /// Drops what was to be told about a socket.
    pub(super) fn silence(&mut self, key: Key, what: impl Fn(&EventKind) -> bool) {
        let mut strangers = Vec::new();
        let mut dispose = |kind: &EventKind| {
            if let EventKind::Accepted(stranger) = kind {
                strangers.push(*stranger);
            }
        };
        self.store.events.retain(|event| {
            let drops = event.socket.0 == key && what(&event.kind);
            if drops {
                dispose(&event.kind);
            }
            !drops
        });
        let held = &mut self.store.sockets[key].held;
        held.iter().for_each(&mut dispose);
        held.clear();
        for stranger in strangers {
            if let Some(entry) = self.store.sockets.get_mut(stranger.0) {
                entry.unknown = true;
                self.abort(stranger);
            }
        }
    }

    /// Nothing of a socket's queue will be sent.
    pub(super) fn give_back_unsent(&mut self, key: Key) {
        while let Some(outgoing) = self.store.sockets[key].outgoing.pop_front() {
            let entry = &mut self.store.sockets[key];
            entry.outgoing_bytes = entry.outgoing_bytes.saturating_sub(outgoing.buffer.len());
            if let Some(token) = outgoing.token {
                self.store.tell(key, EventKind::NotWritten { token, buffer: outgoing.buffer });
            }
        }
    }

    /// Sends what waits, finishes, closes: whatever is next.
    pub(super) fn pump(&mut self, key: Key) {
        let entry = &self.store.sockets[key];
        match entry.kind {
            SocketKind::Datagrams => self.pump_datagrams(key),
            SocketKind::Stream if entry.may_send() && entry.sending.is_none() => self.pump_stream(key),
            _ => {}
        }
        self.settle(key);
    }

    fn pump_stream(&mut self, key: Key) {
        if self.store.sockets[key].outgoing.is_empty() {
            let entry = &mut self.store.sockets[key];
            if entry.finish == Finish::Wanted {
                entry.finish = Finish::Done;
                if let Some(descriptor) = &entry.descriptor {
                    // A connection that has failed meanwhile says so elsewhere.
                    let _ = self.backend.finish(descriptor);
                }
            }
            return;
        }
        let operation = self.begin(Work::Send, key);
        let entry = &mut self.store.sockets[key];
        let send = &mut self.store.operations[operation];
        while send.buffers.len() < GATHER
            && send.bytes < GATHER_BYTES
            && let Some(outgoing) = entry.outgoing.pop_front()
        {
            send.bytes += outgoing.buffer.len();
            send.buffers.push(outgoing);
        }
        send.zero_copy = entry.zero_copy
            && self.zero_copy_from.is_some_and(|from| send.bytes >= from)
            && (send.buffers.len() == 1 || send.bytes >= HELD_BYTES * send.buffers.len());
        entry.sending = Some(operation);
        self.backend.start(operation, &mut self.store);
    }

    fn pump_datagrams(&mut self, key: Key) {
        while self.store.sockets[key].may_send()
            && self.store.sockets[key].operations < DATAGRAMS
            && let Some(outgoing) = self.store.sockets[key].outgoing.pop_front()
        {
            let operation = self.begin(Work::SendTo, key);
            let send = &mut self.store.operations[operation];
            send.bytes = outgoing.buffer.len();
            send.buffers.push(outgoing);
            self.backend.start(operation, &mut self.store);
        }
    }

    /// Closes a socket that is to be closed, if nothing stands against it.
    pub(super) fn settle(&mut self, key: Key) {
        let Some(entry) = self.store.sockets.get_mut(key) else { return };
        let ends = matches!(entry.life, Life::Closing | Life::Aborting);
        if !ends || entry.operations > 0 || !entry.outgoing.is_empty() || entry.dirty {
            return;
        }
        let (unknown, tag) = (entry.unknown, entry.tag);
        let reset = entry.reset && entry.kind == SocketKind::Stream;
        if let Some(descriptor) = entry.descriptor.take() {
            self.backend.retire(key, &descriptor, reset);
        }
        self.store.sockets.free(key);
        if !unknown {
            self.store.events.push_back(Event { socket: SocketId(key), tag, kind: EventKind::Closed });
        }
    }

    #[cfg(test)]
    pub(super) fn chunks_held(&mut self) -> usize {
        self.backend.chunks_held()
    }
}
