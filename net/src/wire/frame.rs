//! The head of a frame, and where one frame ends and the next begins.
//!
//! ```text
//! 0   u32   length of the body in bytes, without head and padding
//! 4   u8    kind
//! 5   u8    flags
//! 6   u16   what the kind makes of it
//! 8   …     body, then zeros up to a multiple of 8
//! ```
//!
//! [`Frame::read`] is a pure function over what has been received so far: it either finds a whole frame at the front, or
//! says that more has to come, or that no more has to come. So it does not matter in which pieces the bytes arrive, and
//! nothing is copied or reserved. A length is compared with its limit as soon as the head is there.

use core::fmt;

use super::cursor::{Reader, Room};

/// Bytes of a frame's head.
pub const HEAD: usize = 8;

/// The shortest [`Frame::read`]'s limit may be: the longest body of a frame whose length no limit of a link settles.
pub const FRAME_MIN: u32 = 4096;

/// What a frame is. The numbers are the protocol's, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The first frame each way: who speaks, and on which terms.
    Hello = 1,
    /// The last frame: why nothing follows.
    Goodbye = 2,
    /// A sign of life.
    Heartbeat = 3,
    /// How much the peer may send in all.
    Credit = 4,
    /// Up to which signal all have arrived.
    Acknowledgement = 5,
    /// A signal: watch, unwatch, ended, stop, supervision.
    Signal = 6,
    /// A message for an actor.
    Message = 7,
    /// A piece of a message that is too large for one frame.
    Chunk = 8,
    /// Where a host can be reached that addresses in messages name.
    Introduction = 9,
    /// Messages for an actor, all alike in type and length.
    Run = 10,
}

impl Kind {
    /// All kinds, by number.
    pub const ALL: [Kind; 10] = [
        Kind::Hello,
        Kind::Goodbye,
        Kind::Heartbeat,
        Kind::Credit,
        Kind::Acknowledgement,
        Kind::Signal,
        Kind::Message,
        Kind::Chunk,
        Kind::Introduction,
        Kind::Run,
    ];

    /// Kinds from here on are skipped by who does not know them.
    pub const SKIPPED: u8 = 128;

    const fn from_number(number: u8) -> Option<Kind> {
        Some(match number {
            1 => Kind::Hello,
            2 => Kind::Goodbye,
            3 => Kind::Heartbeat,
            4 => Kind::Credit,
            5 => Kind::Acknowledgement,
            6 => Kind::Signal,
            7 => Kind::Message,
            8 => Kind::Chunk,
            9 => Kind::Introduction,
            10 => Kind::Run,
            _ => return None,
        })
    }

    /// The kind's number on the wire.
    pub const fn number(self) -> u8 {
        // The one cast that an enum's number needs.
        #[allow(clippy::as_conversions)]
        {
            self as u8
        }
    }
}

/// Why bytes are no frame. The peer is at fault, and what follows cannot be told apart any more: the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A body longer than agreed.
    TooLong {
        /// Bytes that the head announces.
        length: u32,
        /// Bytes that are allowed.
        limit: u32,
    },
    /// A kind that this version does not know and must not skip.
    UnknownKind(u8),
    /// Something else than zeros behind the body.
    Padding,
    /// A body that is none of its kind.
    Malformed {
        /// The kind of the frame.
        kind: Kind,
        /// The field that is wrong.
        field: &'static str,
    },
}

impl FrameError {
    pub(crate) const fn malformed(kind: Kind, field: &'static str) -> FrameError {
        FrameError::Malformed { kind, field }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLong { length, limit } => {
                write!(f, "a frame of {length} bytes, where {limit} are allowed")
            }
            FrameError::UnknownKind(number) => write!(f, "a frame of unknown kind {number}"),
            FrameError::Padding => f.write_str("a frame that is not padded with zeros"),
            FrameError::Malformed { kind, field } => write!(f, "a malformed {kind:?} frame: {field}"),
        }
    }
}

impl core::error::Error for FrameError {}

/// One frame, its body still to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is; `None` for a kind that is to be skipped.
    pub kind: Option<Kind>,
    /// Bits that the kind explains. Unknown ones are ignored.
    pub flags: u8,
    /// What the kind makes of it.
    pub detail: u16,
    /// The body, without padding.
    pub body: &'a [u8],
}

/// Bytes that a body takes with its padding.
pub(crate) const fn padded(length: usize) -> usize {
    length.saturating_add(7) & !7
}

/// How many bytes are lacking that make what is there a frame's head, or the frame that its head announces. `None` where none
/// are.
pub(crate) fn lacking(bytes: &[u8]) -> Option<usize> {
    let Some((length, _)) = bytes.split_first_chunk::<4>().filter(|_| bytes.len() >= HEAD) else {
        return HEAD.checked_sub(bytes.len());
    };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let whole = padded(length).saturating_add(HEAD);
    whole.checked_sub(bytes.len()).filter(|lacks| *lacks > 0)
}

impl<'a> Frame<'a> {
    /// The frame at the front of `bytes`, and how many bytes it takes; `None` while there is not all of it.
    ///
    /// Costs a few compares. Call it again with what follows, or with the same bytes and more.
    ///
    /// # Errors
    /// [`FrameError`], all but `Malformed`.
    pub fn read(bytes: &'a [u8], limit: u32) -> Result<Option<(Frame<'a>, usize)>, FrameError> {
        let mut reader = Reader::new(bytes);
        let (Some(length), Some(number), Some(flags), Some(detail)) =
            (reader.u32(), reader.u8(), reader.u8(), reader.u16())
        else {
            return Ok(None);
        };
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        let kind = Kind::from_number(number);
        if kind.is_none() && number < Kind::SKIPPED {
            return Err(FrameError::UnknownKind(number));
        }
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        let whole = padded(length);
        let Some(body) = reader.bytes(whole) else { return Ok(None) };
        let Some((body, padding)) = body.split_at_checked(length) else { return Ok(None) };
        if padding.iter().any(|byte| *byte != 0) {
            return Err(FrameError::Padding);
        }
        Ok(Some((Frame { kind, flags, detail, body }, whole.saturating_add(HEAD))))
    }
}

/// The bytes of a head.
#[inline]
pub(crate) fn head(length: usize, kind: Kind, flags: u8, detail: u16) -> [u8; HEAD] {
    let length = u64::from(u32::try_from(length).unwrap_or(u32::MAX));
    let rest = u64::from(kind.number()) | u64::from(flags) << 8 | u64::from(detail) << 16;
    (length | rest << 32).to_le_bytes()
}

/// Writes a frame whose body is these fields. `false`, and nothing is written, where it does not fit.
pub(crate) fn emit<const N: usize>(
    room: &mut Room<'_>,
    kind: Kind,
    flags: u8,
    detail: u16,
    fields: [&[u8]; N],
) -> bool {
    let length = fields.iter().fold(0_usize, |sum, field| sum.saturating_add(field.len()));
    let whole = HEAD.saturating_add(padded(length));
    if whole > room.left() {
        return false;
    }
    let zeros = padded(length).saturating_sub(length);
    room.put(&[&head(length, kind, flags, detail)])
        && room.put(&fields)
        && room.put(&[[0; 7].get(..zeros).unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_long_as_its_padded_body() {
        let mut bytes = [0xff; 64];
        let mut room = Room::new(&mut bytes);
        assert!(emit(&mut room, Kind::Message, 3, 0x0102, [&[1, 2, 3], &[4, 5, 6]]));
        assert_eq!(room.written(), [6, 0, 0, 0, 7, 3, 2, 1, 1, 2, 3, 4, 5, 6, 0, 0]);
        let (frame, size) = Frame::read(room.written(), 6).unwrap().unwrap();
        assert_eq!((frame.kind, frame.flags, frame.detail, size), (Some(Kind::Message), 3, 0x0102, 16));
        assert_eq!(frame.body, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_length_is_refused_before_its_bytes_come() {
        let head = head(usize::MAX, Kind::Chunk, 0, 0);
        let refused = FrameError::TooLong { length: u32::MAX, limit: 100 };
        assert_eq!(Frame::read(&head, 100), Err(refused));
        assert_eq!(Frame::read(&head[..7], 100), Ok(None));
    }

    #[test]
    fn unknown_kinds_are_refused_below_128_and_skipped_from_there_on() {
        let frame = |kind| [0, 0, 0, 0, kind, 0, 0, 0];
        assert_eq!(Frame::read(&frame(0), 9), Err(FrameError::UnknownKind(0)));
        assert_eq!(Frame::read(&frame(127), 9), Err(FrameError::UnknownKind(127)));
        assert_eq!(Frame::read(&frame(128), 9).unwrap().unwrap().0.kind, None);
        for kind in Kind::ALL {
            assert_eq!(Frame::read(&frame(kind.number()), 9).unwrap().unwrap().0.kind, Some(kind));
        }
    }

    #[test]
    fn what_lacks_leads_to_the_head_and_then_to_the_frames_end() {
        let whole = [6, 0, 0, 0, 7, 3, 2, 1, 1, 2, 3, 4, 5, 6, 0, 0];
        assert_eq!([lacking(&whole[..1]), lacking(&whole[..7])], [Some(7), Some(1)]);
        assert_eq!([lacking(&whole[..8]), lacking(&whole[..15]), lacking(&whole)], [Some(8), Some(1), None]);
        assert!(lacking(&head(usize::MAX, Kind::Chunk, 0, 0)).is_some_and(|lacks| lacks >= 1 << 31));
    }

    #[test]
    fn padding_is_zeros() {
        let bytes = [1, 0, 0, 0, 128, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(Frame::read(&bytes, 9), Err(FrameError::Padding));
    }
}
