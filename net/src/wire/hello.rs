//! The first frame each way: who speaks, and on which terms.
//!
//! ```text
//! 0    u64   magic: the bytes "CORELANE"
//! 8    u16   oldest version of the protocol that the sender speaks
//! 10   u16   newest
//! 12   u16   the sender's shard
//! 14   u16   the receiver's shard
//! 16   u64   capabilities that the sender has
//! 24   u64   those of them without which it does not go on
//! 32   u64   the sender's node, at least 3
//! 40   u64   the sender's incarnation, not 0
//! 48   u64   the receiver's node, or 0: whoever answers
//! 56   u64   the receiver's incarnation as far as is known, or 0
//! 64   u64   epoch of the connection, not 0
//! 72   u32   association, from 1 to 2^31 - 1
//! 76   u32   longest body of a frame that the sender takes, at least 4096
//! 80   u64   longest message that it takes
//! 88   u64   bytes of messages and chunks that the receiver may send at first
//! 96   u64   messages that it may send at first
//! 104  u64   signals of this association that the sender has taken in
//! 112  u16   length of the system's name
//! 114  u16   length of the sender's public address
//! 116  u32   large messages that the sender takes at once, or 0: one
//! 120  …     name, address (UTF-8)
//! ```
//!
//! Bit 0 of the flags: this is the answer (a *welcome*). Its two versions are equal: the one that is spoken from here on.

use super::cursor::{Reader, Room};
use super::frame::{FRAME_MIN, Frame, FrameError, Kind, emit};

/// The bytes "CORELANE" read as a little-endian number.
pub const MAGIC: u64 = u64::from_le_bytes(*b"CORELANE");

/// The newest version of the protocol that this crate speaks.
pub const VERSION: u16 = 1;

/// The oldest one.
pub const VERSION_OLDEST: u16 = 1;

/// Bytes of the longest name of a system, and of the longest public address.
pub const TEXT_MAX: usize = 255;

/// Nodes below this are no hosts.
pub const NODE_FIRST: u64 = 3;

/// The last number of an association.
pub const ASSOCIATION_MAX: u32 = u32::MAX / 2;

/// Bytes of the fixed part.
const FIXED: usize = 120;

/// What two ends may be able to do besides what the version says. A bit each; unknown ones are ignored, unless the
/// other end needs them.
pub mod capability {
    /// Large messages come in chunks.
    pub const CHUNKS: u64 = 1 << 0;
    /// Fixed-layout messages lie on the wire as they lie in little-endian memory.
    pub const LITTLE_ENDIAN: u64 = 1 << 1;
    /// Children on another host, and their supervision.
    pub const SUPERVISION: u64 = 1 << 2;
    /// Messages that are alike may come behind one head.
    pub const RUNS: u64 = 1 << 3;
    /// Actors can be told to stop behind the messages for them.
    pub const RETIREMENT: u64 = 1 << 4;
    /// All that this crate has.
    pub const ALL: u64 = CHUNKS | LITTLE_ENDIAN | SUPERVISION | RUNS | RETIREMENT;
}

/// See the module's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the module's table says what they are")]
pub struct Hello<'a> {
    pub welcome: bool,
    pub version_oldest: u16,
    pub version_newest: u16,
    pub from_shard: u16,
    pub to_shard: u16,
    pub capabilities: u64,
    pub required: u64,
    pub node: u64,
    pub incarnation: u64,
    pub to_node: u64,
    pub to_incarnation: u64,
    pub epoch: u64,
    pub association: u32,
    pub frame_max: u32,
    pub message_max: u64,
    pub credit_bytes: u64,
    pub credit_messages: u64,
    pub signals_received: u64,
    pub streams_max: u32,
    pub system: &'a str,
    pub address: &'a str,
}

const WELCOME: u8 = 1;

impl<'a> Hello<'a> {
    /// Reads the body of a hello.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] names the first field that is wrong.
    pub fn read(frame: &Frame<'a>) -> Result<Hello<'a>, FrameError> {
        let wrong = |field| FrameError::malformed(Kind::Hello, field);
        Hello::fields(frame).ok_or(wrong("length")).and_then(|(magic, hello)| {
            let names = hello.system.len().max(hello.address.len());
            match hello {
                _ if magic != MAGIC => Err(wrong("magic")),
                _ if hello.version_oldest > hello.version_newest => Err(wrong("versions")),
                _ if hello.required & !hello.capabilities != 0 => Err(wrong("required capabilities")),
                _ if hello.node < NODE_FIRST || hello.incarnation == 0 => Err(wrong("identity")),
                _ if hello.epoch == 0 => Err(wrong("epoch")),
                _ if hello.association == 0 || hello.association > ASSOCIATION_MAX => {
                    Err(wrong("association"))
                }
                _ if hello.frame_max < FRAME_MIN => Err(wrong("limits")),
                _ if names > TEXT_MAX || hello.system.is_empty() => Err(wrong("names")),
                hello => Ok(hello),
            }
        })
    }

    fn fields(frame: &Frame<'a>) -> Option<(u64, Hello<'a>)> {
        let mut at = Reader::new(frame.body);
        let magic = at.u64()?;
        let mut hello = Hello {
            welcome: frame.flags & WELCOME != 0,
            version_oldest: at.u16()?,
            version_newest: at.u16()?,
            from_shard: at.u16()?,
            to_shard: at.u16()?,
            capabilities: at.u64()?,
            required: at.u64()?,
            node: at.u64()?,
            incarnation: at.u64()?,
            to_node: at.u64()?,
            to_incarnation: at.u64()?,
            epoch: at.u64()?,
            association: at.u32()?,
            frame_max: at.u32()?,
            message_max: at.u64()?,
            credit_bytes: at.u64()?,
            credit_messages: at.u64()?,
            signals_received: at.u64()?,
            streams_max: 0,
            system: "",
            address: "",
        };
        let (system, address) = (usize::from(at.u16()?), usize::from(at.u16()?));
        hello.streams_max = at.u32()?;
        hello.system = core::str::from_utf8(at.bytes(system)?).ok()?;
        hello.address = core::str::from_utf8(at.bytes(address)?).ok()?;
        Some((magic, hello))
    }

    /// Bytes that [`Hello::write`] takes.
    pub fn size(&self) -> usize {
        let names = self.system.len().saturating_add(self.address.len());
        super::frame::padded(FIXED.saturating_add(names)).saturating_add(super::frame::HEAD)
    }

    /// Writes the frame. `false` where it does not fit, or a name is longer than [`TEXT_MAX`].
    pub fn write(&self, room: &mut Room<'_>) -> bool {
        let (Ok(system), Ok(address)) = (u8::try_from(self.system.len()), u8::try_from(self.address.len()))
        else {
            return false;
        };
        let fields: [&[u8]; 23] = [
            &MAGIC.to_le_bytes(),
            &self.version_oldest.to_le_bytes(),
            &self.version_newest.to_le_bytes(),
            &self.from_shard.to_le_bytes(),
            &self.to_shard.to_le_bytes(),
            &self.capabilities.to_le_bytes(),
            &self.required.to_le_bytes(),
            &self.node.to_le_bytes(),
            &self.incarnation.to_le_bytes(),
            &self.to_node.to_le_bytes(),
            &self.to_incarnation.to_le_bytes(),
            &self.epoch.to_le_bytes(),
            &self.association.to_le_bytes(),
            &self.frame_max.to_le_bytes(),
            &self.message_max.to_le_bytes(),
            &self.credit_bytes.to_le_bytes(),
            &self.credit_messages.to_le_bytes(),
            &self.signals_received.to_le_bytes(),
            &u16::from(system).to_le_bytes(),
            &u16::from(address).to_le_bytes(),
            &self.streams_max.to_le_bytes(),
            self.system.as_bytes(),
            self.address.as_bytes(),
        ];
        emit(room, Kind::Hello, if self.welcome { WELCOME } else { 0 }, 0, fields)
    }

    /// The newest version that both speak.
    pub fn common_version(&self, oldest: u16, newest: u16) -> Option<u16> {
        let version = self.version_newest.min(newest);
        (version >= self.version_oldest.max(oldest)).then_some(version)
    }
}
