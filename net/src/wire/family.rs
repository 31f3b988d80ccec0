//! What parents and children on two hosts say to each other, behind the addresses of a signal.
//!
//! An order and a report go on with
//!
//! ```text
//! 40  u32   what is ordered, or reported
//! 44  u32   length of the text
//! 48  u32   restarts that were ordered, or obeyed, so far
//! 52  u32   kind of the failure; in a report that there is no child, why not
//! 56  u64   hash of the name of the failure's type
//! 64  u64   nanoseconds to wait before a restart; in a report that there is no child, a shard
//! 72  …     text of the failure (UTF-8)
//! ```
//!
//! where what an order or a report has no use for is zero. A spawn, whose two addresses are the outpost's and the parent's,
//! goes on with
//!
//! ```text
//! 40  u64   type of the props: the hash of its name
//! 48  u16   version of that type
//! 50  u16   oldest version of a reader that can read it
//! 52  u32   bound of the mailbox; 0 is none
//! 56  u64   type of the child's messages: the hash of its name
//! 64  u8    scheduling group: 0 normal, 1 urgent, 2 bulk, 3 background
//! 65  u8    1: any shard of the receiver's will do; 0: this one
//! 66  u8    length of the child's name; 0: it has none
//! 67  u8    length of the parent's path
//! 68  u32   length of the props
//! 72  …     name, path (UTF-8), props in the form of their type
//! ```

use core::time::Duration;

use corelane_kernel::limits::{NAME_MAX, PREFIX_MAX};
use corelane_kernel::{FailureKind, Group};

use super::cursor::{Reader, Room};
use super::frame::{FRAME_MIN, FrameError, HEAD, Kind};
use super::message::Envelope;
use super::signal::{cut, text};

/// Bytes of the longest props of a child that is spawned on another host. More can be told to it when it is there.
pub const SPAWN_PROPS_MAX: usize = 3 << 10;

/// Bytes before a spawn's name.
const SPAWN_HEAD: usize = 72;

/// Bytes of the longest frame of a spawn.
pub const SPAWN_FRAME_MAX: usize = HEAD + SPAWN_HEAD + NAME_MAX + PREFIX_MAX + SPAWN_PROPS_MAX;

// Whoever takes frames at all takes a spawn: it must not depend on what the next connection agrees on.
const _: () =
    assert!(SPAWN_FRAME_MAX - HEAD <= 4096 && FRAME_MIN == 4096 && SPAWN_FRAME_MAX.is_multiple_of(8));

/// A failure, as another host is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault<'a> {
    /// What kind of thing went wrong.
    pub kind: FailureKind,
    /// The hash of the name of its error's type.
    pub error: u64,
    /// What it said; cut when it is written, if it is too long.
    pub text: &'a str,
}

/// What a parent orders of its child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ordered<'a> {
    /// Go on.
    Resume,
    /// Begin anew.
    Restart {
        /// After so long; more than 584 years are not written.
        wait: Duration,
        /// What it is over.
        fault: Fault<'a>,
    },
    /// Let messages wait.
    Hold,
    /// Or no longer.
    Release,
    /// Stop.
    Stop,
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum News<'a> {
    /// It is there.
    Born,
    /// It failed, and waits for a decision.
    Failed(Fault<'a>),
    /// It has ended.
    Ended,
    /// It could not be made.
    Unborn(NoChild),
}

/// Why there is no child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoChild {
    /// It may live anywhere, and is to be asked for on this shard.
    AskShard(u16),
    /// Nothing is registered for such props.
    UnknownProps,
    /// What is made of them takes other messages.
    OtherProtocol,
    /// They are of a version that cannot be read there.
    Version,
    /// They cannot be read.
    Malformed,
    /// This peer may not spawn there, or not so; also what a later version may say.
    Refused,
    /// There is no room.
    OutOfMemory,
    /// The system there is shutting down.
    ShuttingDown,
    /// As many children of this peer's parents live there as may.
    TooMany,
}

/// What an order or a report has behind its addresses.
#[derive(Clone, Copy, Default)]
pub(super) struct Tail<'a> {
    pub(super) what: u32,
    pub(super) round: u32,
    detail: u32,
    error: u64,
    number: u64,
    pub(super) text: &'a str,
}

impl<'a> Tail<'a> {
    pub(super) fn read(at: &mut Reader<'a>) -> Result<Tail<'a>, FrameError> {
        let short = FrameError::malformed(Kind::Signal, "length");
        let mut fields = || {
            let (what, length, round, detail) = (at.u32()?, at.u32()?, at.u32()?, at.u32()?);
            Some((Tail { what, round, detail, error: at.u64()?, number: at.u64()?, text: "" }, length))
        };
        let (mut tail, length) = fields().ok_or(short)?;
        tail.text = text(at, length)?;
        Ok(tail)
    }

    /// The bytes before the text.
    pub(super) fn fixed(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        Room::new(&mut bytes).put(&[
            &self.what.to_le_bytes(),
            &u32::try_from(self.text.len()).unwrap_or(0).to_le_bytes(),
            &self.round.to_le_bytes(),
            &self.detail.to_le_bytes(),
            &self.error.to_le_bytes(),
            &self.number.to_le_bytes(),
        ]);
        bytes
    }

    fn plain(what: u32, round: u32) -> Tail<'a> {
        Tail { what, round, ..Tail::default() }
    }

    fn with(what: u32, round: u32, fault: &Fault<'a>) -> Tail<'a> {
        let detail = match fault.kind {
            FailureKind::Panic => 2,
            FailureKind::Start => 3,
            FailureKind::DeathPact => 4,
            _ => 1,
        };
        Tail { what, round, detail, error: fault.error, number: 0, text: cut(fault.text) }
    }

    /// The failure. A kind that is not known here is an error's.
    fn fault(&self) -> Fault<'a> {
        let kind = match self.detail {
            2 => FailureKind::Panic,
            3 => FailureKind::Start,
            4 => FailureKind::DeathPact,
            _ => FailureKind::Error,
        };
        Fault { kind, error: self.error, text: self.text }
    }
}

impl<'a> Ordered<'a> {
    pub(super) fn of(tail: &Tail<'a>) -> Option<Ordered<'a>> {
        Some(match tail.what {
            1 => Ordered::Resume,
            2 => Ordered::Restart { wait: Duration::from_nanos(tail.number), fault: tail.fault() },
            3 => Ordered::Hold,
            4 => Ordered::Release,
            5 => Ordered::Stop,
            _ => return None,
        })
    }

    pub(super) fn tail(&self, round: u32) -> Tail<'a> {
        match self {
            Ordered::Resume => Tail::plain(1, round),
            Ordered::Restart { wait, fault } => {
                let number = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
                Tail { number, ..Tail::with(2, round, fault) }
            }
            Ordered::Hold => Tail::plain(3, round),
            Ordered::Release => Tail::plain(4, round),
            Ordered::Stop => Tail::plain(5, round),
        }
    }
}

impl<'a> News<'a> {
    pub(super) fn of(tail: &Tail<'a>) -> Option<News<'a>> {
        Some(match tail.what {
            1 => News::Born,
            2 => News::Failed(tail.fault()),
            3 => News::Ended,
            4 => News::Unborn(NoChild::of(tail.detail, tail.number)?),
            _ => return None,
        })
    }

    pub(super) fn tail(&self, round: u32) -> Tail<'a> {
        match self {
            News::Born => Tail::plain(1, round),
            News::Failed(fault) => Tail::with(2, round, fault),
            News::Ended => Tail::plain(3, round),
            News::Unborn(why) => {
                let (detail, number) = why.numbers();
                Tail { detail, number, ..Tail::plain(4, round) }
            }
        }
    }
}

impl NoChild {
    fn of(detail: u32, number: u64) -> Option<NoChild> {
        Some(match detail {
            1 => NoChild::AskShard(u16::try_from(number).ok()?),
            2 => NoChild::UnknownProps,
            3 => NoChild::OtherProtocol,
            4 => NoChild::Version,
            5 => NoChild::Malformed,
            7 => NoChild::OutOfMemory,
            8 => NoChild::ShuttingDown,
            9 => NoChild::TooMany,
            _ => NoChild::Refused,
        })
    }

    fn numbers(self) -> (u32, u64) {
        match self {
            NoChild::AskShard(shard) => (1, shard.into()),
            NoChild::UnknownProps => (2, 0),
            NoChild::OtherProtocol => (3, 0),
            NoChild::Version => (4, 0),
            NoChild::Malformed => (5, 0),
            NoChild::Refused => (6, 0),
            NoChild::OutOfMemory => (7, 0),
            NoChild::ShuttingDown => (8, 0),
            NoChild::TooMany => (9, 0),
        }
    }
}

/// What child is to be spawned, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spawn<'a> {
    /// What the props say of themselves.
    pub envelope: Envelope,
    /// The hash of the name of the type of its messages.
    pub protocol: u64,
    /// Its scheduling group.
    pub group: Group,
    /// The bound of its mailbox; 0 is none.
    pub mailbox: u32,
    /// Whether any shard of the receiver's will do.
    pub anywhere: bool,
    /// Its name; empty where it has none.
    pub name: &'a str,
    /// The path of its parent.
    pub path: &'a str,
    /// The props, in the form of their type.
    pub props: &'a [u8],
}

impl<'a> Spawn<'a> {
    pub(super) fn read(at: &mut Reader<'a>) -> Result<Spawn<'a>, FrameError> {
        let wrong = |field| FrameError::malformed(Kind::Signal, field);
        let mut fields = || {
            let (type_hash, version, readable_since) = (at.u64()?, at.u16()?, at.u16()?);
            let (mailbox, protocol) = (at.u32()?, at.u64()?);
            let (group, anywhere) = (at.u8()?, at.u8()?);
            let (name, path, props) = (at.u8()?, at.u8()?, at.u32()?);
            let envelope = Envelope { type_hash, version, readable_since };
            Some((envelope, mailbox, protocol, group, anywhere, (name.into(), path.into(), props)))
        };
        let (envelope, mailbox, protocol, group, anywhere, lengths) = fields().ok_or(wrong("length"))?;
        let (name, path, props): (usize, usize, u32) = lengths;
        let group = match group {
            0 => Group::Normal,
            1 => Group::Urgent,
            2 => Group::Bulk,
            3 => Group::Background,
            _ => return Err(wrong("group")),
        };
        let props = usize::try_from(props).unwrap_or(usize::MAX);
        if name > NAME_MAX || path > PREFIX_MAX || props > SPAWN_PROPS_MAX {
            return Err(wrong("limits"));
        }
        let mut text = |length| {
            let bytes = at.bytes(length).ok_or(wrong("length"))?;
            core::str::from_utf8(bytes).map_err(|_| wrong("text"))
        };
        let (name, path) = (text(name)?, text(path)?);
        let props = at.bytes(props).ok_or(wrong("length"))?;
        Ok(Spawn { envelope, protocol, group, mailbox, anywhere: anywhere != 0, name, path, props })
    }

    /// The bytes before the name; `None` where something is too long.
    pub(super) fn fixed(&self) -> Option<[u8; 32]> {
        if self.name.len() > NAME_MAX || self.path.len() > PREFIX_MAX || self.props.len() > SPAWN_PROPS_MAX {
            return None;
        }
        let group = match self.group {
            Group::Normal => 0,
            Group::Urgent => 1,
            Group::Bulk => 2,
            Group::Background => 3,
        };
        let (name, path) = (u8::try_from(self.name.len()).ok()?, u8::try_from(self.path.len()).ok()?);
        let mut bytes = [0; 32];
        Room::new(&mut bytes).put(&[
            &self.envelope.type_hash.to_le_bytes(),
            &self.envelope.version.to_le_bytes(),
            &self.envelope.readable_since.to_le_bytes(),
            &self.mailbox.to_le_bytes(),
            &self.protocol.to_le_bytes(),
            &[group, u8::from(self.anywhere), name, path],
            &u32::try_from(self.props.len()).ok()?.to_le_bytes(),
        ]);
        Some(bytes)
    }
}
