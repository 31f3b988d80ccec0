//! Signals: what must arrive exactly once in effect, however often a connection breaks.
//!
//! The number in the frame's head says which; then
//!
//! ```text
//! 0   u64   number of the signal in its association, from 1
//! 8   16    first address
//! 24  16    second address; not in a stop
//! 40  u32   reason; only in ended
//! 44  u32   length of the text; only there
//! 48  …     text (UTF-8)
//! ```
//!
//! What parents and children say to each other goes on behind the addresses as `family` says.
//!
//! An address on one of the link's two hosts takes 16 bytes: identity (u64), index (u32), shard (u32). Which host it is on
//! follows from the signal: a watcher and a child are the sender's in some, the receiver's in others.

use corelane_kernel::RawAddress;

use super::cursor::{Reader, Room};
use super::family::{News, Ordered, Spawn, Tail};
use super::frame::{Frame, FrameError, Kind, emit};

/// Bytes of the longest text: what a failure keeps of its own.
pub const SIGNAL_TEXT_MAX: usize = corelane_kernel::limits::FAILURE_TEXT_MAX;

/// Bytes of the longest signal frame but for a spawn's, which has [`SPAWN_FRAME_MAX`](super::SPAWN_FRAME_MAX).
pub const SIGNAL_FRAME_MAX: usize = 8 + 72 + SIGNAL_TEXT_MAX.next_multiple_of(8);

/// Why an actor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum EndReason {
    /// It stopped.
    Stopped = 1,
    /// It failed, and the text says how.
    Failed = 2,
    /// It was not there.
    NotFound = 3,
    /// Its shard is gone.
    Unreachable = 4,
}

/// One signal. Addresses of the receiver's host are checked by the kernel they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal<'a> {
    /// The sender's actor wants to be told of the end of the receiver's.
    Watch {
        /// The sender's.
        watcher: RawAddress,
        /// The receiver's.
        target: RawAddress,
    },
    /// It no longer does.
    Unwatch {
        /// The sender's.
        watcher: RawAddress,
        /// The receiver's.
        target: RawAddress,
    },
    /// The sender's actor, which the receiver's watched, has ended.
    Ended {
        /// The receiver's.
        watcher: RawAddress,
        /// The sender's.
        target: RawAddress,
        /// Why.
        reason: EndReason,
        /// What the failure said.
        text: &'a str,
    },
    /// Stop the receiver's actor.
    Stop {
        /// The receiver's.
        target: RawAddress,
    },
    /// The parent of the receiver's actor, the sender's, orders something of it.
    Order {
        /// The receiver's.
        child: RawAddress,
        /// The outpost that stands for it, the sender's.
        outpost: RawAddress,
        /// Restarts that were ordered so far.
        round: u32,
        /// What.
        order: Ordered<'a>,
    },
    /// Something has become of the sender's actor, whose parent is the receiver's.
    Report {
        /// The sender's; nothing but zeros where there is none.
        child: RawAddress,
        /// The outpost that stands for it, the receiver's.
        outpost: RawAddress,
        /// Restarts that were obeyed so far.
        round: u32,
        /// What.
        news: News<'a>,
    },
    /// A child of the sender's actor is to be spawned at the receiver.
    Spawn {
        /// The outpost that stands for it, the sender's.
        outpost: RawAddress,
        /// Its parent, the sender's.
        parent: RawAddress,
        /// What, and how.
        spawn: Spawn<'a>,
    },
}

/// The numbers of the signals.
pub(crate) mod number {
    pub(crate) const WATCH: u16 = 1;
    pub(crate) const UNWATCH: u16 = 2;
    pub(crate) const ENDED: u16 = 3;
    pub(crate) const STOP: u16 = 4;
    pub(crate) const ORDER: u16 = 5;
    pub(crate) const REPORT: u16 = 6;
    pub(crate) const SPAWN: u16 = 7;
}

fn address(at: &mut Reader<'_>) -> Option<RawAddress> {
    Some(RawAddress { identity: at.u64()?, index: at.u32()?, shard: at.u32()? })
}

fn bytes_of(address: RawAddress) -> [u8; 16] {
    let mut bytes = [0; 16];
    Room::new(&mut bytes).put(&[
        &address.identity.to_le_bytes(),
        &address.index.to_le_bytes(),
        &address.shard.to_le_bytes(),
    ]);
    bytes
}

/// As much of a text as a signal carries: cut between two characters.
pub(crate) fn cut(text: &str) -> &str {
    let mut end = text.len().min(SIGNAL_TEXT_MAX);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// The text of this length that is next.
pub(super) fn text<'a>(at: &mut Reader<'a>, length: u32) -> Result<&'a str, FrameError> {
    let wrong = |field| FrameError::malformed(Kind::Signal, field);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > SIGNAL_TEXT_MAX {
        return Err(wrong("text"));
    }
    let text = at.bytes(length).ok_or(wrong("length"))?;
    core::str::from_utf8(text).map_err(|_| wrong("text"))
}

impl<'a> Signal<'a> {
    /// The number and the meaning of a signal frame.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] names the first field that is wrong.
    pub fn read(frame: &Frame<'a>) -> Result<(u64, Signal<'a>), FrameError> {
        let wrong = |field| FrameError::malformed(Kind::Signal, field);
        let mut at = Reader::new(frame.body);
        let (Some(seq), Some(first)) = (at.u64(), address(&mut at)) else { return Err(wrong("length")) };
        if seq == 0 {
            return Err(wrong("number"));
        }
        if frame.detail == number::STOP {
            return Ok((seq, Signal::Stop { target: first }));
        }
        let second = address(&mut at).ok_or(wrong("length"))?;
        let signal = match frame.detail {
            number::WATCH => Signal::Watch { watcher: first, target: second },
            number::UNWATCH => Signal::Unwatch { watcher: first, target: second },
            number::ENDED => {
                let (Some(code), Some(length)) = (at.u32(), at.u32()) else { return Err(wrong("length")) };
                let text = text(&mut at, length)?;
                let reason = match code {
                    1 => EndReason::Stopped,
                    2 => EndReason::Failed,
                    3 => EndReason::NotFound,
                    4 => EndReason::Unreachable,
                    _ => return Err(wrong("reason")),
                };
                Signal::Ended { watcher: first, target: second, reason, text }
            }
            number::ORDER => {
                let tail = Tail::read(&mut at)?;
                let order = Ordered::of(&tail).ok_or(wrong("order"))?;
                Signal::Order { child: first, outpost: second, round: tail.round, order }
            }
            number::REPORT => {
                let tail = Tail::read(&mut at)?;
                let news = News::of(&tail).ok_or(wrong("news"))?;
                Signal::Report { child: first, outpost: second, round: tail.round, news }
            }
            number::SPAWN => {
                let spawn = Spawn::read(&mut at)?;
                Signal::Spawn { outpost: first, parent: second, spawn }
            }
            _ => return Err(wrong("which")),
        };
        Ok((seq, signal))
    }

    /// Writes the frame. `false` where it does not fit. Of a text that is too long, its beginning is written.
    pub fn write(&self, seq: u64, room: &mut Room<'_>) -> bool {
        let seq = seq.to_le_bytes();
        let plain = |room: &mut Room<'_>, which, first, second| {
            emit(room, Kind::Signal, 0, which, [&seq[..], &bytes_of(first), &bytes_of(second)])
        };
        let family = |room: &mut Room<'_>, which, child, outpost, tail: &Tail<'_>| {
            let fields: [&[u8]; 5] =
                [&seq, &bytes_of(child), &bytes_of(outpost), &tail.fixed(), tail.text.as_bytes()];
            emit(room, Kind::Signal, 0, which, fields)
        };
        match *self {
            Signal::Watch { watcher, target } => plain(room, number::WATCH, watcher, target),
            Signal::Unwatch { watcher, target } => plain(room, number::UNWATCH, watcher, target),
            Signal::Stop { target } => {
                emit(room, Kind::Signal, 0, number::STOP, [&seq[..], &bytes_of(target)])
            }
            Signal::Ended { watcher, target, reason, text } => {
                let code = match reason {
                    EndReason::Stopped => 1_u32,
                    EndReason::Failed => 2,
                    EndReason::NotFound => 3,
                    EndReason::Unreachable => 4,
                };
                let text = cut(text);
                let length = u32::try_from(text.len()).unwrap_or(0).to_le_bytes();
                let fields: [&[u8]; 6] = [
                    &seq,
                    &bytes_of(watcher),
                    &bytes_of(target),
                    &code.to_le_bytes(),
                    &length,
                    text.as_bytes(),
                ];
                emit(room, Kind::Signal, 0, number::ENDED, fields)
            }
            Signal::Order { child, outpost, round, order } => {
                family(room, number::ORDER, child, outpost, &order.tail(round))
            }
            Signal::Report { child, outpost, round, news } => {
                family(room, number::REPORT, child, outpost, &news.tail(round))
            }
            Signal::Spawn { outpost, parent, spawn } => {
                let Some(fixed) = spawn.fixed() else { return false };
                let fields: [&[u8]; 7] = [
                    &seq,
                    &bytes_of(outpost),
                    &bytes_of(parent),
                    &fixed,
                    spawn.name.as_bytes(),
                    spawn.path.as_bytes(),
                    spawn.props,
                ];
                emit(room, Kind::Signal, 0, number::SPAWN, fields)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_two_characters() {
        let long = "ä".repeat(SIGNAL_TEXT_MAX);
        assert_eq!(cut(&long).len(), SIGNAL_TEXT_MAX & !1);
        assert_eq!(cut("short"), "short");
    }
}
