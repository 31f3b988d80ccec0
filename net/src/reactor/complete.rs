//! What follows from a word of the backend about an operation.

use std::io;

use super::backend::{Completion, Descriptor, Outcome};
use super::engine::Reactor;
use super::event::{EventKind, SocketId};
use super::slab::Key;
use super::store::{Finish, Life, SocketKind, Work};

impl Reactor {
    pub(super) fn complete(&mut self, completion: Completion) {
        let Completion { key, outcome, more } = completion;
        let Some(operation) = self.store.operations.get(key) else {
            // What it brought goes with it: a connection is closed, a chunk goes back.
            self.store.counters.stale += 1;
            return;
        };
        self.store.counters.completions += 1;
        match operation.work {
            Work::Accept => self.accepted(key, outcome, more),
            Work::Connect => self.connected(key, outcome),
            Work::Receive | Work::ReceiveFrom => self.received(key, outcome, more),
            Work::Send | Work::SendTo => self.sent(key, outcome, more),
        }
    }

    /// An operation has had its last completion.
    fn end(&mut self, key: Key) -> Key {
        let operation = &mut self.store.operations[key];
        operation.buffers.clear();
        let socket = operation.socket;
        self.store.operations.free(key);
        let entry = &mut self.store.sockets[socket];
        entry.operations -= 1;
        if entry.incoming == Some(key) {
            entry.incoming = None;
        }
        if entry.sending == Some(key) {
            entry.sending = None;
        }
        // Something else may be next.
        let is_next = !entry.outgoing.is_empty()
            || entry.finish == Finish::Wanted
            || matches!(entry.life, Life::Closing | Life::Aborting);
        if is_next {
            self.soil(socket);
        }
        socket
    }

    fn accepted(&mut self, key: Key, outcome: Outcome, more: bool) {
        let operation = &self.store.operations[key];
        let (listener, orphaned) = (operation.socket, operation.orphaned);
        match outcome {
            // Dropped, it is closed.
            Outcome::Accepted(_) if orphaned => {}
            Outcome::Accepted(_) if self.store.sockets.len() >= self.sockets_max => {
                self.store.counters.turned_away += 1;
            }
            Outcome::Accepted(descriptor) => self.welcome(listener, descriptor),
            Outcome::Failed(error) if !orphaned && !is_passing(&error) => {
                self.store.sockets[listener].wanted = false;
                self.store.tell(listener, EventKind::NotAccepted(error));
            }
            _ => {}
        }
        if !more {
            self.end(key);
            self.await_input(listener);
        }
    }

    fn welcome(&mut self, listener: Key, descriptor: Descriptor) {
        self.store.counters.accepted += 1;
        let zero_copy = self.may_zero_copy(&descriptor);
        let key = self.store.sockets.take();
        let entry = &mut self.store.sockets[key];
        entry.begin(SocketKind::Stream, Life::Open, descriptor);
        entry.zero_copy = zero_copy;
        self.store.tell(listener, EventKind::Accepted(SocketId(key)));
    }

    fn may_zero_copy(&self, descriptor: &Descriptor) -> bool {
        self.zero_copy_from.is_some()
            && self.backend.peer_address(descriptor).is_ok_and(|address| !address.is_local())
    }

    fn connected(&mut self, key: Key, outcome: Outcome) {
        let orphaned = self.store.operations[key].orphaned;
        let socket = self.end(key);
        if orphaned {
            return;
        }
        match outcome {
            Outcome::Connected => {
                let descriptor = self.store.sockets[socket].descriptor.as_ref();
                let zero_copy = descriptor.is_some_and(|descriptor| self.may_zero_copy(descriptor));
                let entry = &mut self.store.sockets[socket];
                entry.life = Life::Open;
                entry.zero_copy = zero_copy;
                self.store.tell(socket, EventKind::Connected);
                self.await_input(socket);
            }
            Outcome::Failed(error) => self.fail(socket, error),
            _ => self.fail(socket, io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn received(&mut self, key: Key, outcome: Outcome, more: bool) {
        let operation = &self.store.operations[key];
        let (socket, orphaned) = (operation.socket, operation.orphaned);
        let mut failure = None;
        match outcome {
            // Dropped, a chunk goes back to where it came from.
            _ if orphaned => {}
            Outcome::Received(bytes) => {
                self.store.counters.bytes_received += bytes.len() as u64;
                self.store.tell(socket, EventKind::Received(bytes));
            }
            Outcome::ReceivedFrom { from, bytes, truncated } => {
                self.store.counters.bytes_received += bytes.len() as u64;
                self.store.tell(socket, EventKind::ReceivedFrom { from, bytes, truncated });
            }
            Outcome::EndOfStream => {
                let was_over = std::mem::replace(&mut self.store.sockets[socket].over, true);
                if !was_over {
                    self.store.tell(socket, EventKind::Finished);
                }
            }
            Outcome::NoChunk => {
                self.store.counters.out_of_chunks += 1;
                self.store.sockets[socket].starved = true;
                self.starved.push_back(socket);
            }
            // A peer of datagrams that is gone is no failure of the socket.
            Outcome::Failed(error) if self.store.sockets[socket].kind != SocketKind::Datagrams => {
                failure = Some(error);
            }
            _ => {}
        }
        if !more {
            self.end(key);
        }
        match failure {
            Some(error) => self.fail(socket, error),
            None if !more => self.await_input(socket),
            None => {}
        }
    }

    fn sent(&mut self, key: Key, outcome: Outcome, more: bool) {
        let operation = &mut self.store.operations[key];
        let (socket, orphaned, work) = (operation.socket, operation.orphaned, operation.work);
        let mut failure = None;
        match outcome {
            Outcome::Sent(count) => {
                operation.sent += count;
                self.store.counters.bytes_sent += count as u64;
                if operation.sent < operation.bytes {
                    self.store.counters.short_sends += 1;
                }
            }
            Outcome::Released { copied } => {
                self.store.counters.copied_zero_copies += u64::from(copied);
                if copied {
                    self.store.sockets[socket].zero_copy = false;
                }
            }
            Outcome::Failed(error) => {
                operation.failed = true;
                failure = (work == Work::Send && !orphaned).then_some(error);
            }
            _ => operation.failed = true,
        }
        let operation = &mut self.store.operations[key];
        let is_whole = operation.sent >= operation.bytes;
        if more {
            // Its memory is still in use. What comes behind it need not wait for that, unless a part of it must.
            if is_whole && self.store.sockets[socket].sending == Some(key) {
                self.store.sockets[socket].sending = None;
                self.soil(socket);
            }
        } else if is_whole || operation.failed || orphaned || work == Work::SendTo {
            self.end_send(key);
        } else {
            // The rest of it.
            operation.zero_copy = false;
            self.backend.start(key, &mut self.store);
        }
        if let Some(error) = failure {
            self.fail(socket, error);
        }
    }

    /// Gives back what a send needs no more.
    fn end_send(&mut self, key: Key) {
        let operation = &mut self.store.operations[key];
        let socket = operation.socket;
        let heard = !operation.orphaned && self.store.sockets[socket].life != Life::Aborting;
        let failed = operation.failed;
        let mut sent = operation.sent;
        let mut buffers = std::mem::take(&mut operation.buffers);
        let entry = &mut self.store.sockets[socket];
        entry.outgoing_bytes = entry.outgoing_bytes.saturating_sub(operation.bytes);
        for outgoing in buffers.drain(..) {
            let is_sent = sent >= outgoing.buffer.len() && !(failed && sent == 0);
            sent = sent.saturating_sub(outgoing.buffer.len());
            if let (true, Some(token)) = (heard, outgoing.token) {
                let buffer = outgoing.buffer;
                let kind = match is_sent {
                    true => EventKind::Written { token, buffer },
                    false => EventKind::NotWritten { token, buffer },
                };
                self.store.tell(socket, kind);
            } else {
                self.spare.keep(outgoing.buffer);
            }
        }
        // Its room is for the next.
        self.store.operations[key].buffers = buffers;
        self.end(key);
    }

    /// A connection has failed: nothing goes over it any more.
    fn fail(&mut self, socket: Key, error: io::Error) {
        self.give_back_unsent(socket);
        let entry = &mut self.store.sockets[socket];
        entry.over = true;
        match entry.life {
            Life::Open | Life::Connecting => {
                entry.life = Life::Failed;
                for operation in [entry.incoming, entry.sending].into_iter().flatten() {
                    self.backend.cancel(operation, &mut self.store);
                }
                self.store.tell(socket, EventKind::Failed(error));
            }
            Life::Closing => {
                entry.life = Life::Aborting;
                self.soil(socket);
            }
            Life::Failed | Life::Aborting => {}
        }
    }
}

/// Whether an accept that failed so may be tried again at once: it was the connection that failed, not the listener.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | WouldBlock | HostUnreachable | NetworkUnreachable
    )
}
