//! A connection: the bytes that wait to be sent over it, and the beginning of a frame that came over it.

use crate::buffers::Buffer;
use crate::reactor::SocketId;
use crate::sockets::Sockets;

/// Bytes of a send buffer, at least.
const SEND: usize = 64 << 10;
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
}

impl Spares {
    pub(super) fn new(room_min: usize) -> Spares {
        Spares { bytes: SEND.max(2 * room_min), large: Vec::new(), small: Vec::new() }
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
        } else if self.small.len() < SPARES_MAX {
            buffer.clear();
            self.small.push(buffer);
        }
    }
}

pub(super) struct Line {
    pub(super) socket: SocketId,
    pub(super) slot: Option<usize>,
    pub(super) came_in: bool,
    pub(super) out: Vec<u8>,
    used: usize,
    in_flight: usize,
    /// What came and is not a whole frame yet.
    pub(super) rest: Vec<u8>,
    /// Bytes are being handed over; if that is so when more come, it ended in a panic, and nobody knows where.
    pub(super) reading: bool,
}

impl Line {
    pub(super) fn new(socket: SocketId, slot: Option<usize>, out: Vec<u8>) -> Line {
        let came_in = slot.is_none();
        Line { socket, slot, came_in, out, used: 0, in_flight: 0, rest: Vec::new(), reading: false }
    }

    /// What is left of the send buffer.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.out.get_mut(self.used..).unwrap_or_default()
    }

    /// So many bytes of the room were written.
    pub(super) fn keep(&mut self, bytes: usize) {
        self.used += bytes;
    }

    /// Passes on what was written. Says whether the send buffer is empty now.
    pub(super) fn pass_on(&mut self, sockets: &Sockets, spares: &mut Spares) -> bool {
        if self.used == 0 {
            return true;
        }
        if self.in_flight >= IN_FLIGHT_MAX {
            return false;
        }
        if self.in_flight == 0 {
            let bytes = self.out.get(..self.used).unwrap_or_default();
            let sent = sockets.send_now(self.socket, bytes);
            if sent == self.used {
                self.used = 0;
                return true;
            }
            if sent > 0 {
                self.out.copy_within(sent..self.used, 0);
                self.used -= sent;
            }
        }
        let bytes = if self.used > COPY_MAX {
            let mut full = std::mem::replace(&mut self.out, spares.large());
            full.truncate(self.used);
            full
        } else {
            let mut small = spares.small.pop().unwrap_or_default();
            small.extend_from_slice(self.out.get(..self.used).unwrap_or_default());
            small
        };
        match sockets.write(self.socket, bytes, Some(0)) {
            Ok(()) => self.in_flight += self.used,
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
        self.used = 0;
        true
    }

    /// A write is done.
    pub(super) fn written(&mut self, buffer: Buffer, spares: &mut Spares) {
        self.in_flight = self.in_flight.saturating_sub(buffer.len());
        if let Some(buffer) = buffer.into_vec() {
            spares.give_back(buffer);
        }
    }
}
