//! Pieces of large messages, between which other frames go.
//!
//! ```text
//! 0   u32   stream
//! 4   u32   zero
//! 8   u64   offset of the piece in its stream
//! 16  …     the piece
//! ```
//!
//! A **stream** carries messages to one actor, one behind the other, each as its head (the 24 bytes of a message frame),
//! its length (u64), and itself, padded with zeros to a multiple of 8. Bit 0 of the flags: the stream ends with this piece.
//!
//! Pieces of a stream come in order and without gaps, so a receiver keeps one buffer for each stream, and nothing for a
//! piece. A stream begins with a piece at offset zero. Its number is in use until it has ended.

use super::cursor::{Reader, Room};
use super::frame::{Frame, FrameError, HEAD, Kind, emit};
use super::message::{MESSAGE_HEAD, MessageHead};

/// Bytes of a chunk frame besides the piece.
pub const CHUNK_FRAME: usize = HEAD + 16;

/// Bytes before a message in a stream.
pub const STREAM_HEAD: usize = MESSAGE_HEAD + 8;

const LAST: u8 = 1;

/// One piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The stream it is of.
    pub stream: u32,
    /// Bytes of the stream before it.
    pub offset: u64,
    /// Whether the stream ends with it.
    pub last: bool,
    /// The piece.
    pub bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Reads the body of a chunk.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] for a body that is too short, and for an empty piece that ends nothing.
    pub fn read(frame: &Frame<'a>) -> Result<Chunk<'a>, FrameError> {
        let wrong = |field| FrameError::malformed(Kind::Chunk, field);
        let mut at = Reader::new(frame.body);
        let (Some(stream), Some(_), Some(offset)) = (at.u32(), at.u32(), at.u64()) else {
            return Err(wrong("length"));
        };
        let chunk = Chunk { stream, offset, last: frame.flags & LAST != 0, bytes: at.rest() };
        if chunk.bytes.is_empty() { Err(wrong("empty")) } else { Ok(chunk) }
    }

    /// Writes the frame. `false` where it does not fit.
    pub fn write(&self, room: &mut Room<'_>) -> bool {
        let flags = if self.last { LAST } else { 0 };
        let fields: [&[u8]; 4] =
            [&self.stream.to_le_bytes(), &[0; 4], &self.offset.to_le_bytes(), self.bytes];
        emit(room, Kind::Chunk, flags, 0, fields)
    }
}

/// What stands before a message in a stream: its head, and its length.
pub(crate) fn stream_head(head: MessageHead, length: usize) -> [u8; STREAM_HEAD] {
    let mut bytes = [0; STREAM_HEAD];
    Room::new(&mut bytes).put(&[&head.to_bytes(), &u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes()]);
    bytes
}

/// The head and the length of the message at the front of a stream's bytes, once they are there.
pub(crate) fn read_stream_head(bytes: &[u8]) -> Option<(MessageHead, u64)> {
    let mut at = Reader::new(bytes);
    Some((MessageHead::from_reader(&mut at)?, at.u64()?))
}
