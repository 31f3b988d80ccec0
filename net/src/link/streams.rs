//! Large messages in pieces, going out and coming in.
//!
//! Out: a stream for each actor that a large message is on its way to. What is told to that actor meanwhile goes into its
//! stream, so that it does not overtake; messages to others pass by. In: one buffer for each open stream, which holds one
//! message at most and grows as bytes come, never ahead of them.

use std::collections::VecDeque;

use crate::wire::{
    CHUNK_FRAME, Chunk, MessageHead, Room, STREAM_HEAD, Target, padded, read_stream_head, stream_head,
};

#[derive(Debug)]
struct Outgoing {
    id: u32,
    target: Target,
    bytes: Vec<u8>,
    /// How many of the bytes are written.
    written: usize,
    /// Bytes of the stream before these.
    offset: u64,
}

/// Streams that go out on one connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The next to have its turn is first.
    streams: VecDeque<Outgoing>,
    next: u32,
    /// Bytes that wait in all of them.
    waiting: usize,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether something is on its way to this actor, which must not be overtaken.
    pub(super) fn leads_to(&self, target: Target) -> bool {
        self.streams.iter().any(|stream| stream.target == target)
    }

    /// Puts a message into its actor's stream, which is opened if there is none.
    pub(super) fn push(&mut self, head: MessageHead, message: &[u8]) {
        let at = match self.streams.iter().position(|stream| stream.target == head.target) {
            Some(at) => at,
            None => {
                let id = self.next;
                self.next = self.next.wrapping_add(1);
                self.streams.push_back(Outgoing {
                    id,
                    target: head.target,
                    bytes: Vec::new(),
                    written: 0,
                    offset: 0,
                });
                self.streams.len() - 1
            }
        };
        let stream = &mut self.streams[at];
        stream.bytes.drain(..stream.written);
        stream.written = 0;
        let end = stream.bytes.len() + STREAM_HEAD + padded(message.len());
        stream.bytes.reserve(end - stream.bytes.len());
        stream.bytes.extend_from_slice(&stream_head(head, message.len()));
        stream.bytes.extend_from_slice(message);
        stream.bytes.resize(end, 0);
        self.waiting += STREAM_HEAD + padded(message.len());
    }

    /// Writes the next piece of the stream whose turn it is, and gives the bytes of its frame. At most `chunk` bytes of the
    /// stream, a multiple of 8, in at most `bytes_max` in all.
    pub(super) fn write(&mut self, room: &mut Room<'_>, chunk: usize, bytes_max: u64) -> Option<usize> {
        let stream = self.streams.front_mut()?;
        let most = room.left().min(usize::try_from(bytes_max).unwrap_or(usize::MAX));
        let size = most.checked_sub(CHUNK_FRAME)?.min(chunk) & !7;
        let left = stream.bytes.len() - stream.written;
        let size = size.min(left);
        if size == 0 {
            return None;
        }
        let piece = &stream.bytes[stream.written..stream.written + size];
        let last = size == left;
        if !(Chunk { stream: stream.id, offset: stream.offset, last, bytes: piece }).write(room) {
            return None;
        }
        stream.written += size;
        stream.offset += size as u64;
        self.waiting -= size;
        if last {
            self.streams.pop_front();
        } else {
            self.streams.rotate_left(1);
        }
        Some(CHUNK_FRAME + size)
    }
}

#[derive(Debug)]
struct Incoming {
    id: u32,
    /// Bytes of the stream that have come.
    offset: u64,
    /// The message that is not whole yet.
    bytes: Vec<u8>,
}

/// Streams that come in on one connection.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    streams: Vec<Incoming>,
}

/// Why a chunk is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkError {
    /// More streams at once than are taken.
    TooManyStreams,
    /// Not the piece that follows.
    OutOfOrder,
    /// A message longer than is taken.
    TooLong,
    /// The stream ends within a message.
    Unfinished,
}

impl Inbox {
    /// Bytes that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.streams.iter().map(|stream| stream.bytes.capacity()).sum()
    }

    /// Takes a piece in, and hands each message over that it makes whole.
    pub(super) fn take(
        &mut self,
        chunk: Chunk<'_>,
        streams_max: usize,
        message_max: u64,
        mut whole: impl FnMut(MessageHead, &[u8]),
    ) -> Result<(), ChunkError> {
        let at = match self.streams.iter().position(|stream| stream.id == chunk.stream) {
            Some(at) => at,
            None if self.streams.len() >= streams_max => return Err(ChunkError::TooManyStreams),
            None => {
                self.streams.push(Incoming { id: chunk.stream, offset: 0, bytes: Vec::new() });
                self.streams.len() - 1
            }
        };
        let stream = &mut self.streams[at];
        if stream.offset != chunk.offset {
            return Err(ChunkError::OutOfOrder);
        }
        stream.offset += chunk.bytes.len() as u64;
        let mut bytes = chunk.bytes;
        while !bytes.is_empty() {
            // First the head, then as much as it says.
            let wanted = match read_stream_head(&stream.bytes) {
                None => STREAM_HEAD,
                Some((_, length)) if length > message_max => return Err(ChunkError::TooLong),
                Some((_, length)) => STREAM_HEAD + padded(length as usize),
            };
            let (now, later) = bytes.split_at((wanted - stream.bytes.len()).min(bytes.len()));
            stream.bytes.extend_from_slice(now);
            bytes = later;
            if let Some((head, length)) = read_stream_head(&stream.bytes) {
                if length > message_max {
                    return Err(ChunkError::TooLong);
                }
                let length = length as usize;
                if stream.bytes.len() == STREAM_HEAD + padded(length) {
                    whole(head, &stream.bytes[STREAM_HEAD..STREAM_HEAD + length]);
                    stream.bytes.clear();
                }
            }
        }
        if chunk.last {
            let unfinished = !stream.bytes.is_empty();
            self.streams.swap_remove(at);
            if unfinished {
                return Err(ChunkError::Unfinished);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Envelope, Frame, Meaning};

    fn head(index: u32) -> MessageHead {
        let envelope = Envelope { type_hash: 1, version: 1, readable_since: 1 };
        MessageHead { target: Target { identity: 9, index }, envelope }
    }

    proptest! {
        /// What goes into streams comes out of them, in order for each actor, whatever the sizes of pieces and rooms.
        #[test]
        fn streams_carry_messages_whole_and_in_order(
            messages in prop::collection::vec((0..4_u32, 0..5000_usize), 1..40),
            chunk in 1..80_usize,
            rooms in prop::collection::vec(32..2000_usize, 1..20),
        ) {
            let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
            let mut sent = vec![Vec::new(); 4];
            let mut got = vec![Vec::new(); 4];
            let mut rooms = rooms.iter().cycle();
            let mut messages = messages.into_iter().enumerate();
            loop {
                let next = messages.next();
                if let Some((n, (to, size))) = &next {
                    let body = vec![*n as u8; *size];
                    outbox.push(head(*to), &body);
                    sent[*to as usize].push(body);
                }
                for _ in 0..if next.is_some() { 1 } else { 100_000 } {
                    let mut bytes = vec![0; *rooms.next().unwrap()];
                    let mut room = Room::new(&mut bytes);
                    let size = outbox.write(&mut room, chunk * 8, u64::MAX);
                    if outbox.is_empty() && size.is_none() {
                        break;
                    }
                    prop_assert_eq!(size.unwrap_or(0), room.used());
                    if size.is_some() {
                        let (frame, _) = Frame::read(room.written(), 1 << 16).unwrap().unwrap();
                        let Ok(Meaning::Chunk(piece)) = Meaning::read(&frame) else { panic!("no chunk") };
                        let done = inbox.take(piece, 4, 5000, |head, body| {
                            got[head.target.index as usize].push(body.to_vec());
                        });
                        prop_assert_eq!(done, Ok(()));
                        prop_assert!(inbox.held() < 4 * 12_000);
                    }
                }
                if next.is_none() {
                    break;
                }
            }
            prop_assert_eq!((got, outbox.waiting()), (sent, 0));
            prop_assert_eq!(inbox.streams.len(), 0);
        }
    }

    /// Reliability 26: gappy fragments and announced lengths cost nothing.
    #[test]
    fn pieces_that_do_not_follow_and_lengths_beyond_the_limit_are_refused_at_once() {
        let piece = |stream, offset, bytes| Chunk { stream, offset, last: false, bytes };
        let mut inbox = Inbox::default();
        let refused = inbox.take(piece(1, 8, &[0; 8]), 2, 100, |_, _| ());
        assert_eq!(refused, Err(ChunkError::OutOfOrder));
        let mut inbox = Inbox::default();
        let announced = stream_head(head(1), 101);
        let refused = inbox.take(piece(1, 0, &announced), 2, 100, |_, _| ());
        assert_eq!(refused, Err(ChunkError::TooLong));
        assert!(inbox.held() < 100);
        let mut inbox = Inbox::default();
        for stream in 0..2 {
            assert_eq!(inbox.take(piece(stream, 0, &[1]), 2, 100, |_, _| ()), Ok(()));
        }
        let refused = inbox.take(piece(2, 0, &[1]), 2, 100, |_, _| ());
        assert_eq!(refused, Err(ChunkError::TooManyStreams));
        let refused = inbox.take(Chunk { stream: 0, offset: 1, last: true, bytes: &[1] }, 2, 100, |_, _| ());
        assert_eq!(refused, Err(ChunkError::Unfinished));
    }
}
