//! The small frames that keep a link going, and the one that ends it.
//!
//! ```text
//! heartbeat         0   u64   number, from 1, in its connection
//! credit            0   u64   bytes of messages and chunks that the peer may send in all
//!                   8   u64   messages that it may send in all
//! acknowledgement   0   u64   number of the last signal that was taken in
//! goodbye           0   u64   what the reason makes of it
//!                   8   …     text for people (UTF-8)
//! introduction      0   u64   node
//!                   8   u64   incarnation
//!                   16  …     public address (UTF-8)
//! ```
//!
//! Credit and acknowledgements count from the beginning (of the connection, of the association), so one that is repeated or
//! overtaken does no harm. A goodbye has its reason in the frame's head.

use core::fmt;

use super::cursor::{Reader, Room};
use super::frame::{Frame, FrameError, Kind, emit};
use super::hello::TEXT_MAX;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The sender's system ends, in good order.
    Leaving,
    /// The peer speaks against the protocol.
    Protocol,
    /// No version of the protocol is common, or a capability is missing.
    Incompatible,
    /// Another system, another node or another shard was called.
    WrongAddress,
    /// This incarnation has been given up: it is never listened to again.
    Quarantined,
    /// This association has been given up; the detail is the number of the one that the sender would go on with.
    Forgotten,
    /// Another connection takes this one's place; the detail is its epoch.
    Superseded,
    /// The hello did not come in time.
    TooLate,
    /// The peer sent more of what it should not than is put up with.
    Abuse,
    /// A reason of a later version.
    Other(u16),
}

impl Reason {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Reason::Leaving => 1,
            Reason::Protocol => 2,
            Reason::Incompatible => 3,
            Reason::WrongAddress => 4,
            Reason::Quarantined => 5,
            Reason::Forgotten => 6,
            Reason::Superseded => 7,
            Reason::TooLate => 8,
            Reason::Abuse => 9,
            Reason::Other(number) => number,
        }
    }

    const fn from_number(number: u16) -> Reason {
        match number {
            1 => Reason::Leaving,
            2 => Reason::Protocol,
            3 => Reason::Incompatible,
            4 => Reason::WrongAddress,
            5 => Reason::Quarantined,
            6 => Reason::Forgotten,
            7 => Reason::Superseded,
            8 => Reason::TooLate,
            9 => Reason::Abuse,
            number => Reason::Other(number),
        }
    }
}

/// As whoever is sent it is to understand it.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Leaving => "its system is ending",
            Reason::Protocol => "what came is not the protocol",
            Reason::Incompatible => "no version of the protocol is common, or a capability is missing",
            Reason::WrongAddress => {
                "another system, host or shard was called: a host is called by its system's name and the public address that it has itself"
            }
            Reason::Quarantined => "this life of the host was given up there, and is not listened to again",
            Reason::Forgotten => "what was between the hosts was given up there",
            Reason::Superseded => "another connection has taken this one's place",
            Reason::TooLate => "the hello did not come in time",
            Reason::Abuse => "more came of what should not than is put up with",
            Reason::Other(number) => return write!(f, "a reason of a later version, {number}"),
        })
    }
}

/// Bytes of the longest goodbye frame.
pub const GOODBYE_FRAME_MAX: usize = 16 + TEXT_MAX + 1;

/// The last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodbye<'a> {
    /// Why.
    pub reason: Reason,
    /// What the reason makes of it.
    pub detail: u64,
    /// For people. Comes from a peer: escape it before it is shown.
    pub text: &'a str,
}

impl<'a> Goodbye<'a> {
    /// Reads the body of a goodbye. One that makes no sense ends the connection as well, so this does not fail: what
    /// is not there is zero or empty.
    pub fn read(frame: &Frame<'a>) -> Goodbye<'a> {
        let mut at = Reader::new(frame.body);
        let (detail, text) = at.u64().map_or((0, &[][..]), |detail| (detail, at.rest()));
        let text = text.get(..text.len().min(TEXT_MAX)).unwrap_or_default();
        let text = core::str::from_utf8(text).unwrap_or_default();
        Goodbye { reason: Reason::from_number(frame.detail), detail, text }
    }

    /// Writes the frame. `false` where it does not fit.
    pub fn write(&self, room: &mut Room<'_>) -> bool {
        let mut end = self.text.len().min(TEXT_MAX);
        while !self.text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let text = self.text.as_bytes().get(..end).unwrap_or_default();
        emit(room, Kind::Goodbye, 0, self.reason.number(), [&self.detail.to_le_bytes()[..], text])
    }
}

/// The number of a heartbeat.
///
/// # Errors
/// [`FrameError::Malformed`] for a body that is too short.
pub fn read_heartbeat(frame: &Frame<'_>) -> Result<u64, FrameError> {
    Reader::new(frame.body).u64().ok_or(FrameError::malformed(Kind::Heartbeat, "length"))
}

/// Writes a heartbeat. `false` where it does not fit.
pub fn write_heartbeat(number: u64, room: &mut Room<'_>) -> bool {
    emit(room, Kind::Heartbeat, 0, 0, [&number.to_le_bytes()[..]])
}

/// The number of the last signal that the peer has taken in.
///
/// # Errors
/// [`FrameError::Malformed`] for a body that is too short.
pub fn read_acknowledgement(frame: &Frame<'_>) -> Result<u64, FrameError> {
    Reader::new(frame.body).u64().ok_or(FrameError::malformed(Kind::Acknowledgement, "length"))
}

/// Writes an acknowledgement. `false` where it does not fit.
pub fn write_acknowledgement(signals: u64, room: &mut Room<'_>) -> bool {
    emit(room, Kind::Acknowledgement, 0, 0, [&signals.to_le_bytes()[..]])
}

/// How much may be sent in all since the connection began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes of message and chunk frames, heads and padding included.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}

impl Allowance {
    /// Reads the body of a credit frame.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] for a body that is too short.
    pub fn read(frame: &Frame<'_>) -> Result<Allowance, FrameError> {
        let mut at = Reader::new(frame.body);
        match (at.u64(), at.u64()) {
            (Some(bytes), Some(messages)) => Ok(Allowance { bytes, messages }),
            _ => Err(FrameError::malformed(Kind::Credit, "length")),
        }
    }

    /// Writes a credit frame. `false` where it does not fit.
    pub fn write(&self, room: &mut Room<'_>) -> bool {
        emit(room, Kind::Credit, 0, 0, [&self.bytes.to_le_bytes(), &self.messages.to_le_bytes()])
    }
}

/// Where a host can be reached that addresses in later messages of this connection name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Introduction<'a> {
    /// The host's node.
    pub node: u64,
    /// Its incarnation.
    pub incarnation: u64,
    /// Its public address.
    pub address: &'a str,
}

impl<'a> Introduction<'a> {
    /// Reads the body of an introduction.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] names the field that is wrong.
    pub fn read(frame: &Frame<'a>) -> Result<Introduction<'a>, FrameError> {
        let wrong = |field| FrameError::malformed(Kind::Introduction, field);
        let mut at = Reader::new(frame.body);
        let (Some(node), Some(incarnation)) = (at.u64(), at.u64()) else { return Err(wrong("length")) };
        let address = at.rest();
        if node == 0 || incarnation == 0 {
            return Err(wrong("identity"));
        }
        if address.is_empty() || address.len() > TEXT_MAX {
            return Err(wrong("address"));
        }
        let address = core::str::from_utf8(address).map_err(|_| wrong("address"))?;
        Ok(Introduction { node, incarnation, address })
    }

    /// Writes the frame. `false` where it does not fit.
    pub fn write(&self, room: &mut Room<'_>) -> bool {
        let fields: [&[u8]; 3] =
            [&self.node.to_le_bytes(), &self.incarnation.to_le_bytes(), self.address.as_bytes()];
        emit(room, Kind::Introduction, 0, 0, fields)
    }
}
