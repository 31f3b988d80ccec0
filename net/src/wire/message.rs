//! A message for an actor, whole in one frame; and the head that a large one has at the front of its chunks.
//!
//! ```text
//! 0   u64   identity of the target, as its kernel made it
//! 8   u32   index of the target
//! 12  u16   version of the message's type
//! 14  u16   oldest version of a reader that can read it
//! 16  u64   type: a hash of its name
//! 24  …     the message, as its codec wrote it
//! ```
//!
//! With the frame's head that makes 32 bytes, so the message begins where 8 divides. The target's shard is the link's.

use super::cursor::{Reader, Room};
use super::frame::{Frame, FrameError, HEAD, Kind, head, padded};

/// Bytes before the message, in its frame's body.
pub const MESSAGE_HEAD: usize = 24;

/// Bytes of a frame with an empty message.
pub const MESSAGE_FRAME: usize = HEAD + MESSAGE_HEAD;

/// Whom a message is for. Numbers from a peer: they are checked by the kernel they are for, before anything is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The identity word of its address.
    pub identity: u64,
    /// Its index.
    pub index: u32,
}

/// What a message says of itself before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Envelope {
    /// A hash of the name of its type; see [`crate::codec::type_hash`].
    pub type_hash: u64,
    /// The version of its type.
    pub version: u16,
    /// The oldest version of the type whose reader can read it.
    pub readable_since: u16,
}

/// The head of a message: whom it is for, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageHead {
    /// Whom it is for.
    pub target: Target,
    /// What it is.
    pub envelope: Envelope,
}

impl MessageHead {
    pub(crate) fn from_reader(at: &mut Reader<'_>) -> Option<MessageHead> {
        let (identity, index) = (at.u64()?, at.u32()?);
        let (version, readable_since, type_hash) = (at.u16()?, at.u16()?, at.u64()?);
        let envelope = Envelope { type_hash, version, readable_since };
        Some(MessageHead { target: Target { identity, index }, envelope })
    }

    pub(crate) fn to_bytes(self) -> [u8; MESSAGE_HEAD] {
        let mut bytes = [0; MESSAGE_HEAD];
        for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.to_words()) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    /// The same as numbers, so that they are written and compared as such.
    #[inline]
    pub(crate) fn to_words(self) -> [u64; MESSAGE_HEAD / 8] {
        let MessageHead { target: Target { identity, index }, envelope } = self;
        let versions = u64::from(envelope.version) | u64::from(envelope.readable_since) << 16;
        [identity, u64::from(index) | versions << 32, envelope.type_hash]
    }

    /// The head of the frame, of which so many bytes are the body, and this one, which are its first.
    fn frame(self, body: usize) -> [u8; MESSAGE_FRAME] {
        let mut bytes = [0; MESSAGE_FRAME];
        if let Some((front, back)) = bytes.split_first_chunk_mut::<HEAD>() {
            *front = head(body, Kind::Message, 0, 0);
            back.copy_from_slice(&self.to_bytes());
        }
        bytes
    }

    /// The head and the message of a message frame.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] for a body that is shorter than a head.
    pub fn read<'a>(frame: &Frame<'a>) -> Result<(MessageHead, &'a [u8]), FrameError> {
        let mut at = Reader::new(frame.body);
        let head = MessageHead::from_reader(&mut at).ok_or(FrameError::malformed(Kind::Message, "length"))?;
        Ok((head, at.rest()))
    }

    /// Writes a message frame, whose message `write` puts straight into the room: at most `limit` bytes of it are
    /// offered. Answers with the bytes of the frame, or with `write`'s error; then nothing is written.
    ///
    /// # Errors
    /// What `write` answered. Also its error for no bytes at all, where not even a head fits.
    pub fn write_with<E>(
        self,
        room: &mut Room<'_>,
        limit: usize,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let Some((_, spare)) = room.spare().split_first_chunk_mut::<MESSAGE_FRAME>() else {
            return write(&mut []);
        };
        // What is written is padded, so the last bytes that make no whole word are not offered.
        let offered = (spare.len() & !7).min(limit);
        let length = write(spare.get_mut(..offered).unwrap_or_default())?.min(offered);
        Ok(self.keep(room, length))
    }

    /// Makes a frame of a message that stands where it belongs behind a head. Gives the frame's bytes.
    pub(crate) fn keep(self, room: &mut Room<'_>, length: usize) -> usize {
        let Some((front, spare)) = room.spare().split_first_chunk_mut::<MESSAGE_FRAME>() else { return 0 };
        let end = padded(length);
        if end > length {
            spare.get_mut(length..end).unwrap_or_default().fill(0);
        }
        *front = self.frame(length.saturating_add(MESSAGE_HEAD));
        let whole = end.saturating_add(MESSAGE_FRAME);
        room.keep_messages(whole);
        whole
    }
}
