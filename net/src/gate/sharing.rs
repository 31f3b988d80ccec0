//! Connections whose bytes go through memory that both processes share; see [`crate::memory`]. It is offered over a Unix socket
//! before anything else is said, and where it cannot be had the socket is used.

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;

use corelane_kernel::Scope;

use super::Inner;
use super::line::{Line, Way};
use crate::link::Connection;
use crate::memory::{Broken, DECLINED, First, Memory, OFFER, Offer, TAKEN};

/// Bytes that are read from one connection before another has its turn.
const PIECE: usize = 64 << 10;

impl Inner {
    /// A Unix socket is connected to a peer: memory is offered to it. Says whether its answer is to be awaited.
    pub(super) fn offer_memory(&mut self, connection: Connection) -> bool {
        let Some(line) = self.lines.get_mut(connection).filter(|line| line.nearby) else { return false };
        let Some(slot) = line.slot else { return false };
        if !self.shared.config.shared_memory {
            return false;
        }
        match Memory::make(RandomState::new().hash_one(connection.0)) {
            Ok((memory, offer)) => {
                line.say(&self.sockets, &offer);
                line.way = Way::Offered(Box::new(memory));
                self.handshakes.push_back((self.now + self.shared.config.link.handshake, connection));
                self.slots[slot].link.dials_on(self.now);
                self.settle(slot);
                true
            }
            Err(error) => {
                tracing::info!(%error, "there is no memory to share with a peer on this machine");
                false
            }
        }
    }

    /// The first bytes of a connection that came in may offer memory. Says how many of them do; `None` if they are something
    /// else.
    pub(super) fn hear_offer(&mut self, connection: Connection, bytes: &[u8]) -> Option<usize> {
        let line = self.lines.get_mut(connection)?;
        if !line.nearby || line.was_offered {
            return None;
        }
        let offer = match Offer::read(bytes) {
            First::Other => return None,
            First::Part => return Some(0),
            First::Offer(offer) => offer,
        };
        line.was_offered = true;
        let socket = line.socket;
        let opened = match offer {
            Some(offer) if self.shared.config.shared_memory => self
                .sockets
                .peer_user(socket)
                .map_err(io::Error::other)
                .and_then(|peer| Memory::open(peer.process, offer)),
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
        let line = self.lines.get_mut(connection)?;
        match opened {
            Ok(memory) => {
                line.say(&self.sockets, &[TAKEN]);
                line.way = Way::Memory(Box::new(memory));
                self.sharing.push(connection);
            }
            Err(error) => {
                tracing::debug!(%error, "memory that a peer offers is declined");
                line.say(&self.sockets, &[DECLINED]);
            }
        }
        Some(OFFER)
    }

    /// Bytes have come over a connection's socket.
    pub(super) fn heard(&mut self, connection: Connection, bytes: &[u8], scope: &mut Scope<'_>) {
        let Some(line) = self.lines.get_mut(connection) else { return };
        match &line.way {
            Way::Socket => self.received(connection, bytes, scope),
            Way::Offered(_) => self.answered(connection, bytes, scope),
            Way::Memory(_) => {
                // What was sent before goes before.
                self.drain(connection, scope);
                let Some(line) = self.lines.get_mut(connection) else { return };
                let bells = line.memory_mut().map_or(0, |memory| memory.hear(bytes.len()));
                if let Some(rest) = bytes.get(bells..).filter(|rest| !rest.is_empty()) {
                    self.received(connection, rest, scope);
                }
            }
        }
    }

    /// What memory was offered to has answered.
    fn answered(&mut self, connection: Connection, bytes: &[u8], scope: &mut Scope<'_>) {
        let Some((answer, rest)) = bytes.split_first() else { return };
        self.no_handshake(connection);
        let Some(line) = self.lines.get_mut(connection) else { return };
        let (way, slot) = (std::mem::take(&mut line.way), line.slot);
        match (way, *answer) {
            (Way::Offered(mut memory), TAKEN) => {
                memory.agreed();
                line.way = Way::Memory(memory);
                self.sharing.push(connection);
            }
            (_, DECLINED) => {}
            (_, answer) => {
                tracing::warn!(answer, "a peer does not answer as one that is offered memory");
                return self.gone(connection);
            }
        }
        if let Some(slot) = slot {
            self.dialed(slot, connection);
        }
        if !rest.is_empty() {
            self.heard(connection, rest, scope);
        }
    }

    /// Reads what has come through memory. Says how many pieces it was.
    pub(super) fn read_memories(&mut self, scope: &mut Scope<'_>) -> u32 {
        let (mut at, mut pieces) = (0, 0);
        let slept = self.asleep.replace(false);
        while let Some(connection) = self.sharing.get(at).copied() {
            let line = self.lines.get(connection);
            let Some((memory, slot)) = line.and_then(|line| Some((line.memory()?, line.slot))) else {
                self.sharing.swap_remove(at);
                continue;
            };
            at += 1;
            if slept {
                memory.wakes();
            }
            if memory.has_room_again()
                && let Some(slot) = slot
            {
                self.soil(slot);
            }
            pieces += u32::from(self.read_memory(connection, PIECE, scope));
        }
        pieces
    }

    /// Reads all that has been sent through memory so far.
    pub(super) fn drain(&mut self, connection: Connection, scope: &mut Scope<'_>) {
        let mut bytes = self.lines.get(connection).and_then(Line::memory).map_or(0, Memory::to_read);
        while bytes > 0 && self.read_memory(connection, bytes.min(PIECE), scope) {
            bytes = bytes.saturating_sub(PIECE);
        }
    }

    /// Reads a piece of what has come through memory. Says whether there was something.
    fn read_memory(&mut self, connection: Connection, at_most: usize, scope: &mut Scope<'_>) -> bool {
        let Some(line) = self.lines.get_mut(connection) else { return false };
        let Some(memory) = line.memory_mut() else { return false };
        if memory.to_read() == 0 {
            return false;
        }
        let mut piece = std::mem::take(&mut self.piece);
        piece.resize(PIECE, 0);
        match memory.receive(&mut piece[..at_most]) {
            Ok((bytes, bell)) => {
                if bell {
                    line.ring(&self.sockets);
                }
                self.received(connection, &piece[..bytes], scope);
            }
            Err(Broken) => {
                tracing::warn!("a peer writes to the memory that is shared with it what cannot be");
                self.broken += 1;
                self.gone(connection);
            }
        }
        self.piece = piece;
        true
    }

    /// Whether something has come through memory, or has room there again.
    pub(super) fn have_memories_input(&self) -> bool {
        self.memories().any(Memory::has_input)
    }

    /// The shard is about to sleep. Says whether something has come before all peers knew.
    pub(super) fn memories_sleep(&self) -> bool {
        self.asleep.set(!self.sharing.is_empty());
        // Each is told, whatever the others say.
        self.memories().fold(false, |some, memory| memory.sleeps() | some)
    }

    fn memories(&self) -> impl Iterator<Item = &Memory> {
        self.sharing.iter().filter_map(|connection| self.lines.get(*connection)?.memory())
    }
}
