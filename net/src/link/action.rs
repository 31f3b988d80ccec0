//! What a link asks of its driver, what it tells of, and what a driver gives it to hand things over to.

use std::fmt;

use crate::codec::Undelivered;
use crate::wire::{Goodbye, Introduction, MessageHead, Reason, Room, Run, Signal};

/// A connection, by the number that the driver gave it. Each connection of a link has its own, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connection(pub u64);

/// Why an association ended: its actors are gone for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// Nothing has been heard for longer than is believable.
    Silent,
    /// The peer's process is another one now.
    Restarted,
    /// The peer has given this end up.
    Forgotten,
    /// The peer's system has ended in good order.
    Left,
    /// More signals wait for their acknowledgement than may.
    SignalsFull,
    /// Somebody here has given the peer up ([`super::Link::quarantine`]).
    Quarantined,
    /// This end has left ([`super::Link::leave`]).
    Leaving,
    /// The peer takes this process for dead, or for somebody else.
    Rejected,
}

/// The last words on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Why.
    pub reason: Reason,
    /// What the reason makes of it.
    pub detail: u64,
    /// For people.
    pub text: &'static str,
}

impl Farewell {
    pub(super) const fn new(reason: Reason, text: &'static str) -> Farewell {
        Farewell { reason, detail: 0, text }
    }

    /// Writes the goodbye. `false` where it does not fit: then the connection ends without.
    pub fn write(&self, room: &mut Room<'_>) -> bool {
        Goodbye { reason: self.reason, detail: self.detail, text: self.text }.write(room)
    }
}

/// What the driver is to do, or to know. In order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect to the peer; then [`super::Link::dialed`] or [`super::Link::dial_failed`].
    Dial,
    /// Write the farewell behind what was written, if there is one, and close. Nothing of this connection is listened to
    /// any more.
    Close(Connection, Option<Farewell>),
    /// The link is open: messages may go.
    Up {
        /// Which life of the peer.
        incarnation: u64,
        /// Which association with it.
        association: u32,
    },
    /// The connection is gone; it will be tried again. Messages are refused meanwhile, signals wait.
    Down,
    /// The association is over, once and for all: each watcher of an actor there is to be told now, each ask to fail, and
    /// what was waiting to be signalled is gone. Told once for each association that was up or had signals to send.
    Lost {
        /// Which life of the peer.
        incarnation: u64,
        /// Which association with it.
        association: u32,
        /// Why.
        why: Loss,
    },
    /// The peer does not want this end: wrong system, no common version, an incarnation that it takes for dead. It is tried
    /// again after the longest wait.
    Rejected(Reason),
}

/// What became of a message that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done with: the peer may send another for it.
    Taken,
    /// It is kept: the peer may not, until [`super::Link::release`].
    Held,
    /// It was not told to anybody.
    Refused(Undelivered),
}

/// Takes what comes in over a link, in place.
pub trait Inbound {
    /// Whether a life of the peer that speaks over a connection may be met: not if somebody knows that another followed it,
    /// as of two processes at one address. Asked once for each connection, before it opens.
    fn may_meet(&mut self, incarnation: u64) -> bool {
        let _ = incarnation;
        true
    }

    /// A message, and whom it is for. Its bytes are good until this returns.
    fn message(&mut self, head: MessageHead, body: &[u8]) -> Verdict;

    /// Messages that are alike. Says how many at the front were [`Verdict::Taken`] at once; the next is offered by itself
    /// ([`Inbound::message`]), and those behind it here again.
    fn run(&mut self, head: MessageHead, run: Run<'_>) -> usize {
        let _ = (head, run);
        0
    }

    /// A signal, which comes once. The numbers in it are the peer's: to be checked.
    fn signal(&mut self, signal: Signal<'_>);

    /// Where a host can be reached that addresses in later messages name.
    fn introduced(&mut self, introduction: Introduction<'_>) {
        let _ = introduction;
    }
}

/// Why a message is not sent. It stays with the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkTellError {
    /// There is no connection now.
    Down,
    /// The send buffer has no room: send what is in it first.
    NoRoom,
    /// The peer has as much as it takes for now.
    NoCredit,
    /// As many large messages as may are on their way already, or as many bytes of them.
    StreamsFull,
    /// Longer than the peer takes.
    TooLarge,
    /// It cannot be written for this peer.
    Unwritable,
}

impl fmt::Display for LinkTellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkTellError::Down => "the link is down",
            LinkTellError::NoRoom => "the send buffer is full",
            LinkTellError::NoCredit => "the peer takes no more for now",
            LinkTellError::StreamsFull => "too many large messages are under way",
            LinkTellError::TooLarge => "the message is longer than the peer takes",
            LinkTellError::Unwritable => "the message cannot be written for this peer",
        })
    }
}

impl std::error::Error for LinkTellError {}

/// Why a signal is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignalError {
    /// Nobody has ever been heard of at the other end, so there is nobody to signal to.
    NoPeer,
    /// This end has left.
    Left,
    /// The association ended over this: too many signals wait. [`Action::Lost`] says so too.
    Full,
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignalError::NoPeer => "nobody is known at the other end of the link",
            SignalError::Left => "the link has been left",
            SignalError::Full => "too many signals wait for their acknowledgement",
        })
    }
}

impl std::error::Error for SignalError {}

/// Counts since the link was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Messages that were written.
    pub messages_out: u64,
    /// Messages that were handed over.
    pub messages_in: u64,
    /// Of these, such as nobody was told: of unknown type.
    pub unknown_type: u64,
    /// Of a version that cannot be read.
    pub unreadable_version: u64,
    /// Malformed.
    pub malformed: u64,
    /// For what is no actor's address, or one's that takes other messages.
    pub wrong_address: u64,
    /// For which there was no room.
    pub no_room: u64,
    /// Signals that were handed over.
    pub signals_in: u64,
    /// Signals that came again and were dropped.
    pub signals_repeated: u64,
    /// Frames that were skipped, of kinds this version does not know.
    pub skipped: u64,
    /// Connections that were opened.
    pub opened: u64,
    /// Connections that were closed because of what the peer sent.
    pub violations: u64,
    /// Hellos that were refused.
    pub refused: u64,
}
