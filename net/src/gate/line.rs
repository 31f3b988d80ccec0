//! A connection: the bytes that wait to be sent over it, and the beginning of a frame that came over it.
//!
//! Under TLS its channel seals what is passed on, whole send buffers at once, so that records are as long as they can be.

use std::net::IpAddr;

use crate::buffers::Buffer;
use crate::memory::Memory;
use crate::reactor::SocketId;
use crate::sockets::Sockets;
use crate::tls::Channel;
use crate::wire::{Room, Written};

/// Bytes of a send buffer, at least.
const SEND: usize = 128 << 10;
/// Bytes that are in flight at one connection before no more are passed on.
const IN_FLIGHT_MAX: usize = 512 << 10;
/// Up to so many bytes are copied into a small buffer to be sent; beyond, the send buffer itself goes.
const COPY_MAX: usize = 16 << 10;
/// Buffers of each size that are kept for later.
const SPARES_MAX: usize = 16;

/// Buffers that were sent and can be filled again, so that sending does not allocate.
pub(super) struct Spares {
    bytes: usize,
    large: Vec<Vec<u8>>,
    small: Vec<Vec<u8>>,
    /// Such as sealed bytes were in: a little longer than what was sealed.
    sealed: Vec<Vec<u8>>,
}

impl Spares {
    pub(super) fn new(room_min: usize) -> Spares {
        Spares { bytes: SEND.max(2 * room_min), large: Vec::new(), small: Vec::new(), sealed: Vec::new() }
    }

    /// A whole send buffer.
    pub(super) fn large(&mut self) -> Vec<u8> {
        self.large.pop().unwrap_or_else(|| vec![0; self.bytes])
    }

    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() >= self.bytes {
            if self.large.len() < SPARES_MAX {
                buffer.resize(self.bytes, 0);
                self.large.push(buffer);
            }
        } else if self.small.len() < SPARES_MAX && buffer.capacity() > 0 {
            buffer.clear();
            self.small.push(buffer);
        }
    }

    fn give_sealed_back(&mut self, mut buffer: Vec<u8>) {
        if self.sealed.len() < SPARES_MAX {
            buffer.clear();
            self.sealed.push(buffer);
        }
    }
}

/// A bell: any byte.
const BELL: u8 = 0;

/// The room for the last words of a connection that has no send buffer yet.
const LAST_WORDS: usize = 512;

/// How bytes go to the peer, and come from it.
#[derive(Default)]
pub(super) enum Way {
    #[default]
    Socket,
    /// Over the socket memory was offered, which is not answered yet.
    Offered(Box<Memory>),
    /// Through memory; over the socket there are bells.
    Memory(Box<Memory>),
}

pub(super) struct Line {
    /// In the order in which connections of all shards were there; see [`crate::peer`].
    pub(super) number: u64,
    pub(super) socket: SocketId,
    pub(super) slot: Option<usize>,
    pub(super) came_in: bool,
    /// Over a Unix socket.
    pub(super) nearby: bool,
    pub(super) way: Way,
    /// Memory was offered over it by who has dialed, which is done once.
    pub(super) was_offered: bool,
    /// Where it came from, if it did.
    pub(super) from: Option<IpAddr>,
    pub(super) out: Vec<u8>,
    so_far: Written,
    in_flight: usize,
    /// What came and is not a whole frame yet.
    pub(super) rest: Vec<u8>,
    /// Under TLS: what stands between the socket and the link.
    pub(super) channel: Option<Box<Channel>>,
    /// Its certificate says that the peer is one of those that are trusted in untrusted mode.
    pub(super) trusted: bool,
    /// What was sealed and found no room at the socket. It goes before all else.
    sealed: Vec<u8>,
    /// Bytes are being handed over; if that is so when more come, it ended in a panic, and nobody knows where.
    pub(super) reading: bool,
    /// Nothing follows what is written.
    ending: bool,
}

impl Line {
    /// A connection that came in has no slot and, until its hello, no send buffer.
    pub(super) fn new(
        socket: SocketId,
        slot: Option<usize>,
        out: Vec<u8>,
        channel: Option<Box<Channel>>,
        number: u64,
    ) -> Line {
        Line {
            number,
            socket,
            slot,
            came_in: slot.is_none(),
            nearby: false,
            way: Way::Socket,
            was_offered: false,
            from: None,
            out,
            so_far: Written::default(),
            in_flight: 0,
            rest: Vec::new(),
            channel,
            trusted: false,
            sealed: Vec::new(),
            reading: false,
            ending: false,
        }
    }

    /// Whether it is not known yet who is there, or how to speak to it.
    pub(super) fn is_handshaking(&self) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.is_handshaking())
            || matches!(self.way, Way::Offered(_))
    }

    /// The memory that is shared with the peer.
    pub(super) fn memory(&self) -> Option<&Memory> {
        match &self.way {
            Way::Memory(memory) => Some(memory),
            _ => None,
        }
    }

    pub(super) fn memory_mut(&mut self) -> Option<&mut Memory> {
        match &mut self.way {
            Way::Memory(memory) => Some(memory),
            _ => None,
        }
    }

    /// Says a few bytes over the socket, past the send buffer. Says whether they are on their way: where they are not, the peer
    /// reads none of very many that are.
    pub(super) fn say(&self, sockets: &Sockets, bytes: &[u8]) -> bool {
        let sent = sockets.send_now(self.socket, bytes);
        sent == bytes.len() || sockets.write(self.socket, bytes[sent..].to_vec(), None).is_ok()
    }

    /// Wakes the peer, with which memory is shared.
    #[cold]
    pub(super) fn ring(&mut self, sockets: &Sockets) {
        if self.say(sockets, &[BELL])
            && let Some(memory) = self.memory_mut()
        {
            memory.rung();
        }
    }

    /// Makes room where nothing but last words will be written.
    pub(super) fn make_last_room(&mut self) {
        if self.out.is_empty() {
            self.out = vec![0; LAST_WORDS];
        }
    }

    /// Nothing follows what is written: it goes, whatever is in flight before it.
    pub(super) fn end(&mut self) {
        self.in_flight = 0;
        self.ending = true;
    }

    /// Has something written behind what is in the send buffer.
    #[inline(always)]
    pub(super) fn write<R>(&mut self, write: impl FnOnce(&mut Room<'_>) -> R) -> R {
        let mut room = Room::behind(&mut self.out, self.so_far);
        let result = write(&mut room);
        self.so_far = room.so_far();
        result
    }

    /// Gives the send buffer away, to be written behind what is in it. Nothing else is done to the line until it is back.
    #[inline]
    pub(super) fn lend(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    #[inline]
    pub(super) fn take_back(&mut self, out: Vec<u8>) {
        debug_assert!(self.out.is_empty());
        self.out = out;
    }

    /// Passes on what was written. Says whether the send buffer is empty now.
    pub(super) fn pass_on(&mut self, sockets: &Sockets, spares: &mut Spares) -> bool {
        if self.channel.is_some() {
            return self.seal_and_pass_on(sockets, spares);
        }
        let used = self.so_far.used();
        if used == 0 {
            return true;
        }
        if let Some(all) = self.pass_through_memory(used, sockets) {
            return all;
        }
        let used = self.so_far.used();
        // Behind what is in flight nothing is any sooner there for being passed on now: it goes with what comes, or when that is
        // sent.
        if self.in_flight >= IN_FLIGHT_MAX || (self.in_flight > 0 && used < self.out.len() / 2) {
            return false;
        }
        if self.in_flight == 0 {
            let sent = sockets.send_now(self.socket, self.out.get(..used).unwrap_or_default());
            if sent > 0 {
                self.out.copy_within(sent..used, 0);
                self.so_far.take(sent);
            }
            if sent == used {
                return true;
            }
        }
        let used = self.so_far.used();
        let bytes = if used > COPY_MAX {
            let mut full = std::mem::replace(&mut self.out, spares.large());
            full.truncate(used);
            full
        } else {
            let mut small = spares.small.pop().unwrap_or_default();
            small.extend_from_slice(self.out.get(..used).unwrap_or_default());
            small
        };
        match sockets.write(self.socket, bytes, Some(0)) {
            Ok(()) => self.in_flight += used,
            Err(crate::reactor::WriteError::Full(bytes)) => {
                // Less may wait at a socket than in flight here: tried again when something was sent.
                if let Some(out) = self.out.get_mut(..bytes.len()) {
                    out.copy_from_slice(&bytes);
                }
                return false;
            }
            // The connection has failed, and its end will be told.
            Err(crate::reactor::WriteError::Closed(_)) => {}
        }
        self.so_far = Written::default();
        true
    }

    /// [`Line::pass_on`] where memory is shared; `None` where the bytes go over the socket.
    fn pass_through_memory(&mut self, used: usize, sockets: &Sockets) -> Option<bool> {
        let Way::Memory(memory) = &mut self.way else { return None };
        let (taken, bell) = memory.send(self.out.get(..used).unwrap_or_default());
        self.out.copy_within(taken..used, 0);
        self.so_far.take(taken);
        if bell {
            self.ring(sockets);
        }
        if taken < used && self.ending {
            // Nobody waits for room here any more.
            if let Way::Memory(memory) = std::mem::take(&mut self.way) {
                memory.end();
            }
            return None;
        }
        Some(taken == used)
    }

    /// [`Line::pass_on`] under TLS.
    fn seal_and_pass_on(&mut self, sockets: &Sockets, spares: &mut Spares) -> bool {
        let Some(channel) = &mut self.channel else { return true };
        while self.so_far.used() > 0 || !self.sealed.is_empty() || channel.has_output() {
            if self.in_flight >= IN_FLIGHT_MAX {
                return false;
            }
            if self.sealed.is_empty() {
                self.sealed = spares.sealed.pop().unwrap_or_default();
                channel.seal(self.out.get(..self.so_far.used()).unwrap_or_default(), &mut self.sealed);
                self.so_far = Written::default();
            }
            let mut sealed = std::mem::take(&mut self.sealed);
            if self.in_flight == 0 {
                let sent = sockets.send_now(self.socket, &sealed);
                if sent == sealed.len() {
                    spares.give_sealed_back(sealed);
                    continue;
                }
                sealed.drain(..sent);
            }
            let length = sealed.len();
            match sockets.write(self.socket, sealed, Some(0)) {
                Ok(()) => self.in_flight += length,
                // It goes as it is when something was sent: its records are numbered.
                Err(crate::reactor::WriteError::Full(sealed)) => {
                    self.sealed = sealed.into_vec().unwrap_or_default();
                    return false;
                }
                // The connection has failed, and its end will be told.
                Err(crate::reactor::WriteError::Closed(_)) => {}
            }
        }
        true
    }

    /// A write is done.
    pub(super) fn written(&mut self, buffer: Buffer, spares: &mut Spares) {
        self.in_flight = self.in_flight.saturating_sub(buffer.len());
        match (buffer.into_vec(), &self.channel) {
            (Some(buffer), Some(_)) => spares.give_sealed_back(buffer),
            (Some(buffer), None) => spares.give_back(buffer),
            (None, _) => {}
        }
    }
}
