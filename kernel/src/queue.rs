//! The queue: a FIFO of variable-size records in segments, one per scheduling group and one for signals.
//!
//! - A record never straddles two segments. A segment is one block; its first word links to the next, its second says
//!   how far it was filled.
//! - A queue that has drained starts again at the front of its segment, so that a light load stays in the first-level
//!   cache.
//! - It is bounded by a number of segments; a full queue refuses and nothing has changed.
//! - `scout` runs ahead of `read`: it shows which cells come next, so that they can be prefetched.
//!
//! Positions count words since the queue was made, for ever; they tell when everything that was queued at some moment
//! has been passed. One of the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use core::ptr;

use crate::address::Address;
use crate::limits::{LOOK_AHEAD, LOOK_STEP, RECORD_HEAD};
use crate::record::{self, First, Head, Kind};
use crate::region::{Memory, NONE};

/// Words of a segment before its records: the link, and the fill.
const SEGMENT_HEAD: usize = 2;

/// See the [module](self). A multiple of a cache line, so that finding a group's queue is a shift.
#[repr(C, align(64))]
pub(crate) struct Queue {
    write: *mut u64,
    /// End of the segment that is written.
    limit: *mut u64,
    read: *mut u64,
    /// End of the records in the segment that is read, or null while that is the one that is written.
    read_end: *mut u64,
    scout: *mut u64,
    /// First record of the segment that is written.
    front: *mut u64,
    head: u32,
    tail: u32,
    segments: u32,
    bound: u32,
    /// Position of the first word of the head's and the tail's segment.
    head_origin: u64,
    tail_origin: u64,
}

impl Queue {
    /// An empty queue of at most `bound` segments. It takes no memory until something is pushed.
    pub(crate) const fn new(bound: u32) -> Queue {
        Queue {
            write: ptr::null_mut(),
            limit: ptr::null_mut(),
            read: ptr::null_mut(),
            read_end: ptr::null_mut(),
            scout: ptr::null_mut(),
            front: ptr::null_mut(),
            head: NONE,
            tail: NONE,
            segments: 0,
            bound,
            head_origin: 0,
            tail_origin: 0,
        }
    }

    /// Nothing is queued.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.read == self.write
    }

    fn front_of(memory: &Memory, segment: u32) -> *mut u64 {
        // SAFETY: a segment is a block, which is larger than its head.
        unsafe { memory.at::<u64>(segment).as_ptr().add(SEGMENT_HEAD) }
    }

    /// Position behind the last record.
    pub(crate) fn pushed(&self) -> u64 {
        if self.tail == NONE {
            return 0;
        }
        // SAFETY: `write` lies in the tail segment, at or behind its front.
        self.tail_origin + unsafe { self.write.offset_from(self.front) } as u64
    }

    /// Position of the next record to be popped.
    pub(crate) fn popped(&self, memory: &Memory) -> u64 {
        if self.head == NONE {
            return 0;
        }
        // SAFETY: `read` lies in the head segment, at or behind its front.
        self.head_origin + unsafe { self.read.offset_from(Self::front_of(memory, self.head)) } as u64
    }

    /// Room for a record of `words`, or `None` when the queue is full. Write it whole, then [`Queue::commit`].
    #[inline(always)]
    pub(crate) fn reserve(&mut self, memory: &mut Memory, words: usize) -> Option<*mut u64> {
        match self.reserve_here(words) {
            Some(at) => Some(at),
            None => self.reserve_in_next(memory, words),
        }
    }

    /// Room for a record of `words` in the segment that is written now.
    #[inline(always)]
    pub(crate) fn reserve_here(&mut self, words: usize) -> Option<*mut u64> {
        let room = (self.limit as usize).wrapping_sub(self.write as usize);
        (room >= words * 8).then_some(self.write)
    }

    #[cold]
    #[inline(never)]
    fn reserve_in_next(&mut self, memory: &mut Memory, words: usize) -> Option<*mut u64> {
        debug_assert!(words + SEGMENT_HEAD <= memory.block_bytes() / 8);
        if self.segments == self.bound {
            return None;
        }
        let next = memory.segment()?;
        self.segments += 1;
        let front = Self::front_of(memory, next);
        if self.tail == NONE {
            (self.head, self.read, self.scout) = (next, front, front);
        } else {
            // SAFETY: the tail's head words are ours; `write` lies inside its block.
            unsafe {
                let filled = self.write.offset_from(self.front) as u64;
                let head = memory.at::<u64>(self.tail).as_ptr();
                head.write(next as u64);
                head.add(1).write(filled);
                self.tail_origin += filled;
            }
            if self.head == self.tail {
                self.read_end = self.write;
            }
        }
        (self.tail, self.front, self.write) = (next, front, front);
        // SAFETY: one past a block's last word.
        self.limit = unsafe { memory.at::<u64>(next).as_ptr().add(memory.block_bytes() / 8) };
        Some(front)
    }

    /// Makes the record of `words` that was written at the reserved place part of the queue.
    #[inline(always)]
    pub(crate) fn commit(&mut self, words: usize) {
        // SAFETY: the words were reserved in this segment.
        self.write = unsafe { self.write.add(words) };
    }

    /// Pushes a copy of the record at `from`, bit for bit.
    ///
    /// # Safety
    /// `from` points to a record whose payload the caller gives up if this is `true`.
    pub(crate) unsafe fn push_record(&mut self, memory: &mut Memory, from: *const u64) -> bool {
        // SAFETY: the caller's; the reserved place holds the record's words.
        unsafe {
            let words = Head::words_at(from);
            let Some(at) = self.reserve(memory, words) else { return false };
            ptr::copy_nonoverlapping(from, at, words);
            self.commit(words);
        }
        true
    }

    /// Pushes a signal without a payload.
    pub(crate) fn push_signal(&mut self, memory: &mut Memory, to: Address, kind: Kind) -> bool {
        let Some(at) = self.reserve(memory, RECORD_HEAD) else { return false };
        // SAFETY: the words were reserved.
        unsafe { record::write(at, to, kind, ()) };
        self.commit(RECORD_HEAD);
        true
    }

    /// Whether a record waits, with the read cursor moved to it.
    #[inline(always)]
    fn seek(&mut self, memory: &mut Memory) -> bool {
        if self.read == self.write {
            return false;
        }
        if self.read == self.read_end {
            return self.seek_in_next(memory);
        }
        true
    }

    /// The segment that is read has come to its end; there is another.
    #[cold]
    #[inline(never)]
    fn seek_in_next(&mut self, memory: &mut Memory) -> bool {
        // SAFETY: a segment that is not the tail has its head words filled in.
        let (next, filled) = unsafe {
            let head = memory.at::<u64>(self.head).as_ptr();
            (head.read() as u32, head.add(1).read())
        };
        memory.free_segment(self.head);
        self.segments -= 1;
        self.head_origin += filled;
        self.head = next;
        let front = Self::front_of(memory, next);
        (self.read, self.scout) = (front, front);
        self.read_end = if next == self.tail {
            ptr::null_mut()
        } else {
            // SAFETY: as above; `filled` words of records lie behind the front.
            unsafe { front.add(memory.at::<u64>(next).as_ptr().add(1).read() as usize) }
        };
        self.read != self.write
    }

    /// The next record, which stays in the queue.
    pub(crate) fn peek(&mut self, memory: &mut Memory) -> Option<*const u64> {
        self.seek(memory).then_some(self.read.cast_const())
    }

    /// Takes the next record off the queue. It stays readable until the queue is next pushed to, and its payload is
    /// the caller's to move out or drop before that.
    #[inline(always)]
    pub(crate) fn pop(&mut self, memory: &mut Memory) -> Option<*mut u64> {
        if !self.seek(memory) {
            return None;
        }
        let record = self.read;
        // SAFETY: a record starts at `read`, and the next one (or the end) follows it.
        self.read = unsafe { record.add(Head::words_at(record)) };
        if self.read == self.write {
            self.rewind();
        }
        Some(record)
    }

    /// Nothing is left: start again at the front of the segment.
    #[inline(always)]
    fn rewind(&mut self) {
        // `read` is `write`, so head and tail are the same segment.
        // SAFETY: both lie in the tail segment.
        let words = unsafe { self.write.offset_from(self.front) } as u64;
        self.tail_origin += words;
        self.head_origin = self.tail_origin;
        (self.read, self.scout, self.write) = (self.front, self.front, self.front);
    }

    /// Shows `each` the heads of the records that lie [`LOOK_AHEAD`] and more ahead of the next one and were not shown
    /// yet. To be called once for every [`LOOK_STEP`] records that are popped.
    #[inline(always)]
    pub(crate) fn look_ahead(&mut self, mut each: impl FnMut(u32)) {
        let end = if self.read_end.is_null() { self.write } else { self.read_end };
        let mut left = LOOK_STEP;
        if self.scout <= self.read {
            self.scout = self.read;
            left = LOOK_AHEAD + LOOK_STEP;
        }
        let mut scout = self.scout;
        while left > 0 && scout < end {
            // SAFETY: between `read` and the end of its segment's records lie whole records, and `scout` is at one.
            unsafe {
                let first = First::read(scout);
                each(first.index());
                scout = scout.add(first.words());
            }
            left -= 1;
        }
        self.scout = scout;
    }
}

const _: () = assert!(size_of::<Queue>().is_power_of_two());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::record::{Kind, Payload, write};
    use crate::region::tests::region;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec::Vec;

    fn push<const N: usize>(queue: &mut Queue, memory: &mut Memory, tag: u64) -> bool {
        let words = Payload::<[u64; N]>::WORDS;
        let Some(at) = queue.reserve(memory, words) else { return false };
        // SAFETY: the room was reserved.
        unsafe { write(at, Address::NOBODY, Kind::Message, [tag; N]) };
        queue.commit(words);
        true
    }

    fn pop(queue: &mut Queue, memory: &mut Memory) -> Option<(usize, u64)> {
        queue.look_ahead(|index| assert_eq!(index, 0));
        let at = queue.pop(memory)?;
        // SAFETY: a record of plain words.
        unsafe {
            let words = Head::words_at(at);
            let payload = core::slice::from_raw_parts(at.add(2), words - 2);
            assert!(payload.iter().all(|w| *w == payload[0]));
            Some((words - 2, payload[0]))
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_deque(steps in proptest::collection::vec((0u8..6, 1usize..40), 1..200), bound in 1u32..6) {
            let mut memory = Memory::new(region(64 * 1024), None);
            let mut queue = Queue::new(bound);
            let mut model = VecDeque::new();
            let mut tag = 0;
            let mut refused = 0;
            for (step, times) in steps {
                for _ in 0..times {
                    tag += 1;
                    let (size, ok) = match step {
                        0 => (1, push::<1>(&mut queue, &mut memory, tag)),
                        1 => (2, push::<2>(&mut queue, &mut memory, tag)),
                        2 => (17, push::<17>(&mut queue, &mut memory, tag)),
                        _ => {
                            prop_assert_eq!(pop(&mut queue, &mut memory), model.pop_front());
                            continue;
                        }
                    };
                    if ok { model.push_back((size, tag)) } else { refused += 1 }
                }
                prop_assert_eq!(queue.is_empty(), model.is_empty());
                let waiting: usize = model.iter().map(|(size, _)| size + 2).sum();
                prop_assert_eq!(queue.pushed() - queue.popped(&memory), waiting as u64);
                prop_assert!(queue.segments <= bound);
            }
            while let Some(next) = model.pop_front() {
                prop_assert_eq!(pop(&mut queue, &mut memory), Some(next));
            }
            prop_assert_eq!(pop(&mut queue, &mut memory), None);
            prop_assert!(refused == 0 || bound < 6);
        }
    }

    #[test]
    fn a_drained_queue_starts_again_at_the_front() {
        let mut memory = Memory::new(region(64 * 1024), None);
        let mut queue = Queue::new(8);
        let mut places = Vec::new();
        for n in 0..1000 {
            assert!(push::<3>(&mut queue, &mut memory, n));
            places.push(queue.read);
            assert_eq!(pop(&mut queue, &mut memory), Some((3, n)));
        }
        assert!(places.iter().all(|p| *p == places[0]));
        assert_eq!(memory.usage().1, places_used(&memory));
    }

    fn places_used(memory: &Memory) -> usize {
        // The region's own granules and one segment.
        128 + memory.block_bytes()
    }

    #[test]
    fn a_full_queue_takes_again_when_a_segment_is_free() {
        let mut memory = Memory::new(region(64 * 1024), None);
        let mut queue = Queue::new(2);
        let mut n = 0;
        while push::<1>(&mut queue, &mut memory, n) {
            n += 1;
        }
        assert!(!push::<1>(&mut queue, &mut memory, n));
        for m in 0..n / 2 + 1 {
            assert_eq!(pop(&mut queue, &mut memory), Some((1, m)));
        }
        assert!(push::<1>(&mut queue, &mut memory, n));
    }
}
