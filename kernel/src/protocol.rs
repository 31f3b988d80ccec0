//! Protocols: a number for each message type that some actor of this kernel speaks.
//!
//! The number is part of each such actor's identity. From it the kernel finds how to drop a message that nobody takes.
//! Numbers are the kernel's own: an identity is only ever compared by the kernel that made it.

use core::hash::{Hash, Hasher};

use crate::record::MessageType;
use crate::region::Memory;
use crate::shelf::Shelf;

/// Open-addressed table from type to number, and the types by number. Both grow by moving.
pub(crate) struct Protocols {
    types: Shelf<&'static MessageType>,
    slots: Shelf<u32>,
    /// The type that was numbered last: spawning many of one kind asks for the same again.
    last: Option<(&'static MessageType, u32)>,
}

/// What `TypeId` writes into a hasher is a hash already; the last eight bytes of it will do.
struct Take(u64);

impl Hasher for Take {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = self.0.rotate_left(5) ^ u64::from_ne_bytes(word);
        }
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

impl Protocols {
    pub(crate) const fn new() -> Protocols {
        Protocols { types: Shelf::new(), slots: Shelf::new(), last: None }
    }

    /// The number of a message type, given to it now if it is new. `None` when the region is used up.
    #[inline]
    pub(crate) fn number(&mut self, memory: &mut Memory, of: &'static MessageType) -> Option<u32> {
        if let Some((last, number)) = self.last
            && core::ptr::eq(last, of)
        {
            return Some(number);
        }
        self.look_up(memory, of)
    }

    #[inline(never)]
    fn look_up(&mut self, memory: &mut Memory, of: &'static MessageType) -> Option<u32> {
        if self.slots.len() < 2 * (self.types.len() + 1) {
            self.grow(memory)?;
        }
        let slot = self.slot(of);
        let number = match self.slots[slot] {
            0 => {
                self.types.push(memory, of).ok()?;
                let number = self.types.len() as u32;
                self.slots[slot] = number;
                #[cfg(feature = "alloc")]
                if let Some(census) = memory.census() {
                    census.add_type(number, of);
                }
                number
            }
            number => number,
        };
        self.last = Some((of, number));
        Some(number)
    }

    /// The slot where a type is, or would be.
    fn slot(&self, of: &'static MessageType) -> usize {
        let mut hash = Take(0);
        of.id.hash(&mut hash);
        let mask = self.slots.len() - 1;
        let mut slot = hash.finish() as usize & mask;
        loop {
            match self.slots[slot] {
                0 => return slot,
                n if self.types[n as usize - 1].id == of.id => return slot,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn grow(&mut self, memory: &mut Memory) -> Option<()> {
        let room = (self.slots.len() * 2).max(16);
        let mut slots = Shelf::with_room(memory, room)?;
        for _ in 0..room {
            slots.push(memory, 0).ok()?;
        }
        self.slots = slots;
        for n in 0..self.types.len() {
            let slot = self.slot(self.types[n]);
            self.slots[slot] = n as u32 + 1;
        }
        Some(())
    }

    /// All message types, by number less one.
    #[cfg(feature = "alloc")]
    pub(crate) fn messages(&self) -> &[&'static MessageType] {
        &self.types
    }

    /// The message type behind a number that [`Protocols::number`] gave.
    pub(crate) fn message(&self, number: u32) -> &'static MessageType {
        self.types[number as usize - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::tests::region;

    #[test]
    fn each_type_has_one_number_for_ever() {
        let mut memory = Memory::new(region(64 * 1024), None);
        let mut protocols = Protocols::new();
        macro_rules! number_all {
            ($($n:literal)*) => { [$(protocols.number(&mut memory, MessageType::of::<[u8; $n]>()).unwrap()),*] };
        }
        let first = number_all!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20);
        let again = number_all!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20);
        assert_eq!(first, again);
        for (i, number) in first.iter().enumerate() {
            assert_eq!(*number as usize, i + 1);
        }
        assert_eq!((protocols.message(3).name)(), "[u8; 3]");
    }
}
