//! Signals on their way: kept until the peer says that it has them, and sent again on the next connection.
//!
//! Signals are numbered from 1 in their association. A connection carries them in order and without gaps, from the first
//! that is not acknowledged; the receiver takes the next one, and drops those that it has. So each arrives once in effect,
//! and in order, or the association ends.

use std::collections::VecDeque;

use crate::wire::{Room, SIGNAL_FRAME_MAX, SPAWN_FRAME_MAX, Signal};

/// The sender's side.
#[derive(Debug, Default)]
pub(super) struct Resend {
    /// Frames that are not acknowledged, in order.
    frames: VecDeque<Box<[u8]>>,
    acknowledged: u64,
    /// How many of the frames were written on this connection.
    written: usize,
}

/// An acknowledgement of something that was never sent.
#[derive(Debug)]
pub(super) struct Ahead;

impl Resend {
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The number of the last that was taken in.
    pub(super) fn sent(&self) -> u64 {
        self.acknowledged + self.frames.len() as u64
    }

    /// Takes a signal in.
    pub(super) fn push(&mut self, signal: &Signal<'_>) {
        let seq = self.sent() + 1;
        let (mut plain, mut large) = ([0; SIGNAL_FRAME_MAX], Vec::new());
        let bytes = match signal {
            Signal::Spawn { .. } => {
                large.resize(SPAWN_FRAME_MAX, 0);
                large.as_mut_slice()
            }
            _ => &mut plain,
        };
        let mut room = Room::new(bytes);
        let fits = signal.write(seq, &mut room);
        debug_assert!(fits, "the longest signal fits");
        self.frames.push_back(room.written().into());
    }

    /// The peer has all up to this number.
    pub(super) fn acknowledge(&mut self, number: u64) -> Result<(), Ahead> {
        let Some(new) = number.checked_sub(self.acknowledged) else { return Ok(()) };
        if new > self.frames.len() as u64 {
            return Err(Ahead);
        }
        self.frames.drain(..new as usize);
        self.written = self.written.saturating_sub(new as usize);
        self.acknowledged = number;
        Ok(())
    }

    /// A new connection: the peer has said up to where it has them, and all behind go again.
    pub(super) fn begin(&mut self, received: u64) -> Result<(), Ahead> {
        self.written = 0;
        self.acknowledge(received)
    }

    /// Writes what was not written on this connection. Says whether all is.
    pub(super) fn write(&mut self, room: &mut Room<'_>) -> bool {
        while let Some(frame) = self.frames.get(self.written) {
            if !room.put(&[frame]) {
                return false;
            }
            self.written += 1;
        }
        true
    }
}

/// What the receiver does with a signal of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The next: it is taken in.
    New,
    /// It was taken in before.
    Duplicate,
    /// One is missing before it.
    Gap,
}

/// The receiver's side.
#[derive(Debug, Default)]
pub(super) struct Intake {
    pub(super) last: u64,
    /// Something came that has not been acknowledged on this connection.
    pub(super) owed: bool,
}

impl Intake {
    pub(super) fn arrive(&mut self, number: u64) -> Arrival {
        self.owed = true;
        if number <= self.last {
            Arrival::Duplicate
        } else if number == self.last + 1 {
            self.last = number;
            Arrival::New
        } else {
            Arrival::Gap
        }
    }
}
