//! Batches: what was told to another shard and is not yet in its lane. All that telling an actor elsewhere looks at.
//!
//! A message is written here, into memory that only this core touches, and moved into the lane with all others of its
//! batch. A store into the lane waits until the other core has given up its copy of that line, and the few dozen stores
//! that a core may have waiting are soon used up by those of the code around it; moving a batch needs so few stores for
//! each line that many lines are under way at once. When one is moved, the lines of the next but one are asked for, so
//! that they have come by the time they are written.
//!
//! ```text
//! start        read           at                 end             limit
//!   | moved …    | record, record | free            | … run, run   |
//! ```
//!
//! Records grow from the start. How to drop their payloads, for the day when they can no longer be moved, is noted from
//! the limit down, once for each run of messages of one type. The type is known by the protocol in their address, which
//! is that of the kernel they all go to. (Not by the function that drops them: one function may have several addresses,
//! and then each message would begin a run.) One of the modules where `unsafe` is allowed: it writes
//! and copies records.

#![allow(unsafe_code)]

use core::ptr;

use crate::address::{Address, Place};
use crate::lane::LaneSender;
use crate::limits::RECORD_HEAD;
use crate::record::{Head, Payload};
use crate::region::Memory;

/// Words of the lane between what is moved and what is asked for ahead: a batch's, as it is unless told otherwise.
/// A line that the other core has read takes several times as long to come back as a batch takes to be told.
const AHEAD_WORDS: usize = 256;

/// No message type's number.
const NO_RUN: u32 = u32::MAX;

/// How to drop a payload.
pub(crate) type DropIn = unsafe fn(*const u64);

/// Records of one type, from `start` up to the next run.
#[derive(Clone, Copy)]
#[repr(C)]
struct Run {
    start: *mut u64,
    drop: DropIn,
}

/// See the [module](self). Aligned so that finding a shard's batch is a shift.
#[repr(C, align(64))]
pub(crate) struct Batch {
    at: *mut u64,
    /// The last run, or the limit.
    end: *mut u64,
    /// The protocol of the last run's messages; [`NO_RUN`] in a batch that is empty.
    protocol: u32,
    /// The place that may be told through this. While it is shut, no address has it.
    place: Place,
    /// The exits have this one on their list of those with something to move.
    pub(crate) listed: bool,
    read: *mut u64,
    start: *mut u64,
    limit: *mut u64,
}

impl Batch {
    /// One that never has room.
    pub(crate) const NONE: Batch = Batch {
        at: ptr::null_mut(),
        end: ptr::null_mut(),
        protocol: NO_RUN,
        place: Place::SHUT,
        listed: false,
        read: ptr::null_mut(),
        start: ptr::null_mut(),
        limit: ptr::null_mut(),
    };

    /// An empty batch of so many words, shut; `None` when the region is used up.
    pub(crate) fn new(memory: &mut Memory, words: usize) -> Option<Batch> {
        let index = memory.extent(words * 8)?;
        let start = memory.at::<u64>(index).as_ptr();
        // SAFETY: one past the extent's last word.
        let limit = unsafe { start.add(words) };
        Some(Batch { at: start, end: limit, read: start, start, limit, ..Batch::NONE })
    }

    /// Lets messages for this place be told through the batch, if it is the place of a kernel.
    pub(crate) fn open_for(&mut self, place: Place) {
        // Nobody's address is nowhere: nothing must be told there.
        self.place = if place == Place::NOWHERE { Place::SHUT } else { place };
    }

    /// From now on nothing is told through the batch.
    pub(crate) fn shut(&mut self) {
        self.place = Place::SHUT;
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.read
    }

    /// Whether a record of a message of type `M`, which is the address's, may be written now: it is for the place that this
    /// leads to, of the type of the last run, and there is room.
    #[inline(always)]
    pub(crate) fn takes<M>(&self, to: Address) -> bool {
        let room = (self.end as usize).wrapping_sub(self.at as usize);
        self.place == to.place && self.protocol == to.identity.protocol() && room >= Payload::<M>::WORDS * 8
    }

    /// Where the next record goes.
    #[inline(always)]
    pub(crate) const fn at(&self) -> *mut u64 {
        self.at
    }

    /// Makes the record of `words` that was written there part of the batch.
    #[inline(always)]
    pub(crate) fn commit(&mut self, words: usize) {
        self.at = self.at.wrapping_add(words);
    }

    /// Begins a run of records of an address's type, unless the batch leads elsewhere or has no room for a run and `words`.
    pub(crate) fn begin_run(&mut self, to: Address, words: usize, drop: DropIn) -> bool {
        let room = (self.end as usize).wrapping_sub(self.at as usize);
        if self.place != to.place || room < size_of::<Run>() + words * 8 {
            return false;
        }
        // SAFETY: there is room for a run below the last one.
        unsafe {
            self.end = self.end.cast::<Run>().sub(1).cast();
            self.end.cast::<Run>().write(Run { start: self.at, drop });
        }
        self.protocol = to.identity.protocol();
        true
    }

    /// Moves what is here into the lane, as far as that has room. Says whether nothing is left.
    #[inline(always)]
    pub(crate) fn move_into(&mut self, lane: &mut LaneSender) -> bool {
        self.is_empty() || self.move_some(lane)
    }

    #[inline(never)]
    fn move_some(&mut self, lane: &mut LaneSender) -> bool {
        while !self.is_empty() {
            // SAFETY: `read` and `at` lie in the batch.
            let left = unsafe { self.at.offset_from(self.read) } as usize;
            let (to, room) = lane.room(left);
            let words = if room == left { left } else { self.whole_records(room) };
            if words == 0 {
                // SAFETY: a record begins at `read`, as something is left.
                if lane.reserve(unsafe { Head::words_at(self.read) }).is_none() {
                    return false;
                }
                // What was too short is padded now; the room begins anew.
                continue;
            }
            // SAFETY: whole records lie from `read` on; the room is the lane's own, outside the region; from here on
            // the payloads are the receiver's.
            unsafe {
                copy(self.read, to, words);
                self.read = self.read.add(words);
            }
            lane.commit(words);
            lane.prefetch_ahead(AHEAD_WORDS, words);
        }
        (self.at, self.read, self.end, self.protocol) = (self.start, self.start, self.limit, NO_RUN);
        true
    }

    /// Words of the records that fit into `room` words.
    fn whole_records(&self, room: usize) -> usize {
        let mut words = 0;
        loop {
            // SAFETY: more records are left than fit, so one begins here.
            let next = unsafe { Head::words_at(self.read.add(words)) };
            if words + next > room {
                return words;
            }
            words += next;
        }
    }

    /// Takes the next record off the batch: its payload, and how to drop it.
    pub(crate) fn pop(&mut self) -> Option<(*const u64, DropIn)> {
        if self.is_empty() {
            return None;
        }
        let record = self.read;
        let mut run = self.end.cast::<Run>();
        // SAFETY: from the end to the limit lie runs, the latest first; the first of all begins no later than any
        // record. A whole record begins at `read`.
        unsafe {
            while (*run).start > record {
                run = run.add(1);
            }
            self.read = record.add(Head::words_at(record));
            Some((record.add(RECORD_HEAD), (*run).drop))
        }
    }
}

/// Copies words. A few are copied here: the library's copy is made for many.
///
/// # Safety
/// As for [`ptr::copy_nonoverlapping`].
#[inline(always)]
unsafe fn copy(from: *const u64, to: *mut u64, words: usize) {
    // SAFETY: the caller's.
    unsafe {
        if words <= 8 {
            for word in 0..words {
                to.add(word).write(from.add(word).read());
            }
        } else {
            ptr::copy_nonoverlapping(from, to, words);
        }
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::address::{Gate, Group, Seat};
    use crate::lane::{LaneReceiver, lane};
    use crate::limits::RECORD_HEAD;
    use crate::record::{self, Kind};
    use crate::region::tests::region;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::rc::Rc;
    use std::vec::Vec;

    /// A message whose drops are counted. `WIDTH` makes types of several sizes.
    struct Token<const WIDTH: usize> {
        number: u64,
        _counted: Rc<()>,
        _wide: [u64; WIDTH],
    }

    /// The address of an actor there whose messages have this number.
    fn of_type(to: Address, protocol: u32) -> Address {
        Address { identity: to.identity.occupied(protocol, Group::Normal, false, Gate::Ready), ..to }
    }

    /// Writes a token as telling does. Says whether it was taken.
    fn write<const WIDTH: usize>(batch: &mut Batch, to: Address, number: u64, counted: &Rc<()>) -> bool {
        let (words, drop) = (Payload::<Token<WIDTH>>::WORDS, Payload::<Token<WIDTH>>::drop_in);
        let to = of_type(to, WIDTH as u32 + 1);
        if !batch.takes::<Token<WIDTH>>(to) && !batch.begin_run(to, words, drop) {
            return false;
        }
        let token = Token { number, _counted: counted.clone(), _wide: [number; WIDTH] };
        // SAFETY: the batch takes it.
        unsafe { record::write(batch.at(), to, Kind::Message, token) };
        batch.commit(words);
        true
    }

    /// Takes the next token out of a lane.
    fn receive(receiver: &mut LaneReceiver) -> Option<u64> {
        let at = receiver.peek()?;
        // SAFETY: a whole record of a token, of the width that its words tell, taken once.
        unsafe {
            let words = Head::words_at(at);
            receiver.take(words);
            let payload = at.add(RECORD_HEAD);
            let number = match words - RECORD_HEAD {
                2 => Payload::<Token<0>>::take(payload).number,
                5 => Payload::<Token<3>>::take(payload).number,
                _ => Payload::<Token<20>>::take(payload).number,
            };
            receiver.release();
            Some(number)
        }
    }

    proptest! {
        #[test]
        fn what_was_told_is_moved_in_order_or_dropped_once(
            steps in proptest::collection::vec((0u8..6, 1usize..12), 1..150),
        ) {
            let place = Seat::realm(1).unwrap().next().unwrap().place();
            let to = Address { place, ..Address::NOBODY };
            let mut memory = Memory::new(region(64 * 1024), None);
            let mut batch = Batch::new(&mut memory, 64).unwrap();
            let counted = Rc::new(());
            prop_assert!(!write::<0>(&mut batch, to, 0, &counted), "it is shut");
            batch.open_for(place);
            let (mut sender, mut receiver) = lane(128);
            let (mut waiting, mut number) = (VecDeque::new(), 0);
            for (step, times) in steps {
                for _ in 0..times {
                    let taken = match step {
                        0 => write::<0>(&mut batch, to, number, &counted),
                        1 => write::<3>(&mut batch, to, number, &counted),
                        2 => write::<20>(&mut batch, to, number, &counted),
                        3 => {
                            prop_assert_eq!(batch.move_into(&mut sender), batch.is_empty());
                            sender.publish();
                            continue;
                        }
                        _ => {
                            if let Some(next) = receive(&mut receiver) {
                                prop_assert_eq!(Some(next), waiting.pop_front());
                            }
                            continue;
                        }
                    };
                    if taken {
                        waiting.push_back(number);
                    }
                    number += 1;
                }
                prop_assert_eq!(Rc::strong_count(&counted), waiting.len() + 1);
            }
            // The receiver is gone: what is in the batch is dropped, each as what it is.
            let in_lane: Vec<_> = core::iter::from_fn(|| receive(&mut receiver)).collect();
            prop_assert!(in_lane.iter().eq(waiting.iter().take(in_lane.len())));
            while let Some((payload, drop)) = batch.pop() {
                // SAFETY: taken off the batch, dropped once.
                unsafe { drop(payload) };
            }
            // What was moved and not published is in the lane still.
            sender.publish();
            while receive(&mut receiver).is_some() {}
            prop_assert_eq!(Rc::strong_count(&counted), 1);
        }
    }

    #[test]
    fn nobody_is_told_through_a_batch_that_leads_nowhere() {
        let mut memory = Memory::new(region(64 * 1024), None);
        let mut batch = Batch::new(&mut memory, 64).unwrap();
        batch.open_for(Place::NOWHERE);
        assert!(!batch.takes::<u64>(Address::NOBODY));
        assert!(!batch.begin_run(Address::NOBODY, 3, Payload::<u64>::drop_in));
    }

    #[test]
    fn messages_of_one_type_need_one_run_and_those_of_another_a_second() {
        let place = Seat::realm(1).unwrap().next().unwrap().place();
        let to = |protocol| of_type(Address { place, ..Address::NOBODY }, protocol);
        let mut memory = Memory::new(region(64 * 1024), None);
        let mut batch = Batch::new(&mut memory, 64).unwrap();
        batch.open_for(place);
        assert!(!batch.takes::<u64>(to(1)), "no run was begun");
        assert!(batch.begin_run(to(1), Payload::<u64>::WORDS, Payload::<u64>::drop_in));
        for _ in 0..3 {
            assert!(batch.takes::<u64>(to(1)) && !batch.takes::<u32>(to(2)));
            // SAFETY: the batch takes it.
            unsafe { record::write(batch.at(), to(1), Kind::Message, 1u64) };
            batch.commit(Payload::<u64>::WORDS);
        }
        assert!(batch.begin_run(to(2), Payload::<u32>::WORDS, Payload::<u32>::drop_in));
        assert!(batch.takes::<u32>(to(2)) && !batch.takes::<u64>(to(1)));
    }
}
