//! The wire protocol: what two hosts say to each other, byte by byte.
//!
//! `docs/wire.md` is its description for people, and is held to this code by a test. A connection carries **frames**, each
//! a multiple of 8 bytes long and little-endian, so that whoever keeps the first of them at an aligned address finds all
//! payloads aligned. There is one file for each family of frames; each has the table of its bytes at the top, a type for
//! its meaning, and `read` and `write`.
//!
//! | kind | frame | file |
//! |---|---|---|
//! | 1 | hello | [`hello`](Hello) |
//! | 2, 3, 4, 5, 9 | goodbye, heartbeat, credit, acknowledgement, introduction | `control` |
//! | 6 | signal | [`signal`](Signal), `family` |
//! | 7 | message | [`message`](MessageHead) |
//! | 8 | chunk | [`chunk`](Chunk) |
//! | 10 | run | [`run`](Run) |
//!
//! Nothing here panics, recurses, reserves memory or copies, whatever bytes come: a frame is read in place, and its
//! length is compared with a limit before anything else is done with it.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod chunk;
mod control;
mod cursor;
mod family;
mod frame;
mod hello;
mod message;
mod run;
mod signal;

pub use chunk::{CHUNK_FRAME, Chunk, STREAM_HEAD};
pub(crate) use chunk::{read_stream_head, stream_head};
pub use control::{
    Allowance, GOODBYE_FRAME_MAX, Goodbye, Introduction, Reason, read_acknowledgement, read_heartbeat,
    write_acknowledgement, write_heartbeat,
};
pub use cursor::{Room, Written};
pub use family::{Fault, News, NoChild, Ordered, SPAWN_FRAME_MAX, SPAWN_PROPS_MAX, Spawn};
pub use frame::{FRAME_MIN, Frame, FrameError, HEAD, Kind};
pub(crate) use frame::{lacking, padded};
pub use hello::{ASSOCIATION_MAX, Hello, MAGIC, NODE_FIRST, TEXT_MAX, VERSION, VERSION_OLDEST, capability};
pub use message::{Envelope, MESSAGE_FRAME, MESSAGE_HEAD, MessageHead, Target};
pub(crate) use run::Joint;
pub use run::Run;
pub use signal::{EndReason, SIGNAL_FRAME_MAX, SIGNAL_TEXT_MAX, Signal};

/// The longest frame that may come before the limits are agreed: a hello or a goodbye.
pub const HELLO_MAX: u32 = FRAME_MIN;

/// What a frame says, for who looks on: traces, tests, fuzzing. A link reads only what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is what its type says")]
pub enum Meaning<'a> {
    Hello(Hello<'a>),
    Goodbye(Goodbye<'a>),
    Heartbeat(u64),
    Credit(Allowance),
    Acknowledgement(u64),
    Signal(u64, Signal<'a>),
    Message(MessageHead, &'a [u8]),
    Run(MessageHead, Run<'a>),
    Chunk(Chunk<'a>),
    Introduction(Introduction<'a>),
    /// A frame that is to be skipped.
    Skipped,
}

impl<'a> Meaning<'a> {
    /// Reads a frame's body.
    ///
    /// # Errors
    /// [`FrameError::Malformed`].
    pub fn read(frame: &Frame<'a>) -> Result<Meaning<'a>, FrameError> {
        Ok(match frame.kind {
            None => Meaning::Skipped,
            Some(Kind::Hello) => Meaning::Hello(Hello::read(frame)?),
            Some(Kind::Goodbye) => Meaning::Goodbye(Goodbye::read(frame)),
            Some(Kind::Heartbeat) => Meaning::Heartbeat(read_heartbeat(frame)?),
            Some(Kind::Credit) => Meaning::Credit(Allowance::read(frame)?),
            Some(Kind::Acknowledgement) => Meaning::Acknowledgement(read_acknowledgement(frame)?),
            Some(Kind::Signal) => {
                let (seq, signal) = Signal::read(frame)?;
                Meaning::Signal(seq, signal)
            }
            Some(Kind::Message) => {
                let (head, message) = MessageHead::read(frame)?;
                Meaning::Message(head, message)
            }
            Some(Kind::Run) => {
                let (head, run) = Run::read(frame)?;
                Meaning::Run(head, run)
            }
            Some(Kind::Chunk) => Meaning::Chunk(Chunk::read(frame)?),
            Some(Kind::Introduction) => Meaning::Introduction(Introduction::read(frame)?),
        })
    }

    /// Writes the frame that says this. `false` where it does not fit; what is to be skipped is never written.
    pub fn write(&self, room: &mut Room<'_>) -> bool {
        match self {
            Meaning::Hello(hello) => hello.write(room),
            Meaning::Goodbye(goodbye) => goodbye.write(room),
            Meaning::Heartbeat(number) => write_heartbeat(*number, room),
            Meaning::Credit(allowance) => allowance.write(room),
            Meaning::Acknowledgement(signals) => write_acknowledgement(*signals, room),
            Meaning::Signal(seq, signal) => signal.write(*seq, room),
            Meaning::Message(head, message) => head
                .write_with(room, usize::MAX, |to| match to.get_mut(..message.len()) {
                    Some(to) => {
                        to.copy_from_slice(message);
                        Ok(message.len())
                    }
                    None => Err(()),
                })
                .is_ok(),
            Meaning::Run(head, run) => run.write(*head, room),
            Meaning::Chunk(chunk) => chunk.write(room),
            Meaning::Introduction(introduction) => introduction.write(room),
            Meaning::Skipped => false,
        }
    }
}
