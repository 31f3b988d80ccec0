//! Signals: what must arrive exactly once in effect, however often a connection breaks.
//!
//! The number in the frame's head says which; then
//!
//! ```text
//! 0   u64   number of the signal in its association, from 1
//! 8   16    first address
//! 24  16    second address; not in a stop
//! 40  u32   reason or directive; only in ended, child failed and decision
//! 44  u32   length of the text; only there
//! 48  …     text (UTF-8)
//! ```
//!
//! An address on one of the link's two hosts takes 16 bytes: identity (u64), index (u32), shard (u32). Which host it is on
//! follows from the signal: a watcher and a parent are the sender's in some, the receiver's in others.

use corelane_kernel::RawAddress;

use super::cursor::{Reader, Room};
use super::frame::{Frame, FrameError, Kind, emit};

/// Bytes of the longest text: what a failure keeps of its own.
pub const SIGNAL_TEXT_MAX: usize = corelane_kernel::TEXT_MAX;

/// Bytes of the longest signal frame.
pub const SIGNAL_FRAME_MAX: usize = 8 + 48 + SIGNAL_TEXT_MAX.next_multiple_of(8);

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

/// What a parent decided about a child that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Decision {
    /// It goes on.
    Resume = 1,
    /// It is made anew.
    Restart = 2,
    /// It stops.
    Stop = 3,
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
    /// The sender's actor, a child of the receiver's, has failed and waits for a decision.
    ChildFailed {
        /// The sender's.
        child: RawAddress,
        /// The receiver's.
        parent: RawAddress,
        /// What the failure said.
        text: &'a str,
    },
    /// The sender's actor has decided about its child, the receiver's.
    Decided {
        /// The receiver's.
        child: RawAddress,
        /// The sender's.
        parent: RawAddress,
        /// What.
        decision: Decision,
    },
}

/// The numbers of the signals.
pub(crate) mod number {
    pub(crate) const WATCH: u16 = 1;
    pub(crate) const UNWATCH: u16 = 2;
    pub(crate) const ENDED: u16 = 3;
    pub(crate) const STOP: u16 = 4;
    pub(crate) const CHILD_FAILED: u16 = 5;
    pub(crate) const DECIDED: u16 = 6;
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
            number::ENDED | number::CHILD_FAILED | number::DECIDED => {
                let (Some(code), Some(length)) = (at.u32(), at.u32()) else { return Err(wrong("length")) };
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if length > SIGNAL_TEXT_MAX {
                    return Err(wrong("text"));
                }
                let text = at.bytes(length).ok_or(wrong("length"))?;
                let text = core::str::from_utf8(text).map_err(|_| wrong("text"))?;
                match frame.detail {
                    number::ENDED => {
                        let reason = match code {
                            1 => EndReason::Stopped,
                            2 => EndReason::Failed,
                            3 => EndReason::NotFound,
                            4 => EndReason::Unreachable,
                            _ => return Err(wrong("reason")),
                        };
                        Signal::Ended { watcher: first, target: second, reason, text }
                    }
                    number::CHILD_FAILED => Signal::ChildFailed { child: first, parent: second, text },
                    _ => {
                        let decision = match code {
                            1 => Decision::Resume,
                            2 => Decision::Restart,
                            3 => Decision::Stop,
                            _ => return Err(wrong("decision")),
                        };
                        Signal::Decided { child: first, parent: second, decision }
                    }
                }
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
        let told = |room: &mut Room<'_>, which, first, second, code: u32, text: &str| {
            let text = cut(text);
            let length = u32::try_from(text.len()).unwrap_or(0).to_le_bytes();
            let fields: [&[u8]; 6] =
                [&seq, &bytes_of(first), &bytes_of(second), &code.to_le_bytes(), &length, text.as_bytes()];
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
                    EndReason::Stopped => 1,
                    EndReason::Failed => 2,
                    EndReason::NotFound => 3,
                    EndReason::Unreachable => 4,
                };
                told(room, number::ENDED, watcher, target, code, text)
            }
            Signal::ChildFailed { child, parent, text } => {
                told(room, number::CHILD_FAILED, child, parent, 0, text)
            }
            Signal::Decided { child, parent, decision } => {
                let code = match decision {
                    Decision::Resume => 1,
                    Decision::Restart => 2,
                    Decision::Stop => 3,
                };
                told(room, number::DECIDED, child, parent, code, "")
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
