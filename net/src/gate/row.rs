//! A row of messages that are written already: those that wait to be sent, or to be told here. They lie one behind the other in
//! one piece of memory, which grows to what once waited, so that a flood allocates nothing for each.

use std::collections::VecDeque;

use corelane_kernel::UplinkRefusal;

use crate::codec::EncodeError;
use crate::wire::{MessageHead, padded};

/// Bytes that each message counts for at least: it takes some beside its own.
const LEAST: usize = 64;
/// The room that a message of unknown length is offered first.
const FIRST: usize = 256;

#[derive(Default)]
pub(super) struct Row {
    heads: VecDeque<(MessageHead, usize)>,
    /// The messages, each padded to whole words.
    bytes: Vec<u8>,
    /// Where the first begins.
    start: usize,
    cost: usize,
    /// The number of the first. Messages are numbered as they come, and no number is used again.
    first: u64,
}

impl Row {
    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// What its messages count for together, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// The first.
    pub(super) fn front(&self) -> Option<(MessageHead, &[u8])> {
        let (head, length) = self.heads.front().copied()?;
        Some((head, self.bytes.get(self.start..self.start + length)?))
    }

    /// The number of the message that comes next.
    pub(super) fn next_number(&self) -> u64 {
        self.first + self.heads.len() as u64
    }

    /// Whether the message of this number, which came, is still there.
    pub(super) fn holds(&self, number: u64) -> bool {
        number >= self.first
    }

    pub(super) fn pop(&mut self) {
        let Some((_, length)) = self.heads.pop_front() else { return };
        self.first += 1;
        self.cost -= length.max(LEAST);
        self.start += padded(length);
        // What waits is moved to the front once more lies before it than it is: each byte at most once for each that was taken.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// Drops all, and the memory.
    pub(super) fn clear(&mut self) {
        *self = Row { first: self.next_number(), ..Row::default() };
    }

    pub(super) fn push(&mut self, head: MessageHead, message: &[u8]) {
        self.bytes.extend_from_slice(message);
        self.keep(head, message.len());
    }

    /// Has a message written that may take `left` bytes here and is at most `limit` long.
    pub(super) fn write(
        &mut self,
        head: MessageHead,
        left: usize,
        limit: usize,
        mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
    ) -> Result<(), UplinkRefusal> {
        let (at, mut room) = (self.bytes.len(), FIRST.min(left));
        let refusal = loop {
            self.bytes.resize(at + room, 0);
            match encode(self.bytes.get_mut(at..).unwrap_or_default()) {
                Ok(length) => {
                    self.bytes.truncate(at + length);
                    self.keep(head, length);
                    return Ok(());
                }
                Err(EncodeError::Refused) => break UplinkRefusal::NoWireForm,
                Err(EncodeError::NoRoom) if room >= limit => break UplinkRefusal::TooLarge,
                Err(EncodeError::NoRoom) if room >= left => break UplinkRefusal::Full,
                Err(EncodeError::NoRoom) => room = (room * 4).min(left).min(limit),
            }
        };
        self.bytes.truncate(at);
        Err(refusal)
    }

    /// The message at the end is whole.
    fn keep(&mut self, head: MessageHead, length: usize) {
        self.bytes.resize(self.bytes.len() + padded(length) - length, 0);
        self.heads.push_back((head, length));
        self.cost += length.max(LEAST);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Envelope, Target};

    fn head(index: u32) -> MessageHead {
        let envelope = Envelope { type_hash: 7, version: 1, readable_since: 1 };
        MessageHead { target: Target { identity: 9, index }, envelope }
    }

    fn writes(message: &[u8]) -> impl FnMut(&mut [u8]) -> Result<usize, EncodeError> {
        move |room| {
            room.get_mut(..message.len()).ok_or(EncodeError::NoRoom)?.copy_from_slice(message);
            Ok(message.len())
        }
    }

    proptest! {
        #[test]
        fn a_row_is_a_queue(steps in prop::collection::vec((0..20_u8, 0..2000_usize), 1..300)) {
            let (mut row, mut model) = (Row::default(), VecDeque::<(u32, Vec<u8>)>::new());
            // The number of each that came, by its own.
            let mut numbers = Vec::new();
            for (number, (what, length)) in steps.into_iter().enumerate() {
                let number = number as u32;
                let message = vec![number as u8; length];
                let next = row.next_number();
                match what {
                    0..7 => row.push(head(number), &message),
                    7..13 => prop_assert_eq!(row.write(head(number), 4096, 4096, writes(&message)), Ok(())),
                    19 => {
                        row.clear();
                        model.clear();
                    }
                    _ => {
                        row.pop();
                        model.pop_front();
                    }
                }
                if what < 13 {
                    model.push_back((number, message));
                    numbers.push((number, next));
                }
                for (number, of) in &numbers {
                    let waits = model.iter().any(|(waits, _)| waits == number);
                    prop_assert_eq!(row.holds(*of), waits);
                }
                let front = model.front().map(|(number, message)| (head(*number), &message[..]));
                prop_assert_eq!(row.front(), front);
                prop_assert_eq!(row.len(), model.len());
                let cost: usize = model.iter().map(|(_, message)| message.len().max(64)).sum();
                prop_assert_eq!(row.cost(), cost);
                let all: usize = model.iter().map(|(_, message)| message.len() + 8).sum();
                prop_assert!(row.bytes.len() <= 2 * all, "{} bytes for {all}", row.bytes.len());
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_nothing() {
        let mut row = Row::default();
        row.push(head(1), b"first");
        let message = [5; 1000];
        assert_eq!(row.write(head(2), 900, 5000, writes(&message)), Err(UplinkRefusal::Full));
        assert_eq!(row.write(head(2), 5000, 900, writes(&message)), Err(UplinkRefusal::TooLarge));
        let refuses = |_: &mut [u8]| Err(EncodeError::Refused);
        assert_eq!(row.write(head(2), 5000, 5000, refuses), Err(UplinkRefusal::NoWireForm));
        assert_eq!((row.len(), row.bytes.len(), row.cost()), (1, 8, 64));
        assert_eq!(row.write(head(2), 1000, 5000, writes(&message)), Ok(()));
        row.pop();
        assert_eq!(row.front(), Some((head(2), &message[..])));
        row.pop();
        assert!(row.is_empty() && row.front().is_none());
    }
}
