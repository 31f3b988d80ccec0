//! The end of a lane that a kernel takes messages from: records are shown where they lie, taken, and their room given back.

#![allow(unsafe_code)]

use core::fmt;

use super::Ring;
#[cfg(feature = "alloc")]
use super::heap::{Types, drop_described};
use crate::address::Place;
use crate::hints::prefetch;
use crate::inlet::Stretch;
use crate::record::First;
#[cfg(feature = "alloc")]
use crate::record::MessageType;
#[cfg(feature = "alloc")]
use crate::sync::Arc;
use crate::sync::{Ordering, fence};

/// The end of a lane that a kernel takes messages from; see [`Kernel::add_lane`](crate::Kernel::add_lane).
pub struct LaneReceiver {
    ring: Ring,
    read: usize,
    released: usize,
    /// The sender's `tail` when last looked at.
    tail: usize,
}

// SAFETY: the receiver's words are its own, and messages are `Send`.
unsafe impl Send for LaneReceiver {}

impl LaneReceiver {
    pub(super) fn new(ring: Ring, start: usize) -> LaneReceiver {
        LaneReceiver { ring, read: start, released: start, tail: start }
    }

    /// Says which kernel will receive, so that the sender may tell before that has taken the lane. The first binding
    /// holds; [`Kernel::add_lane`](crate::Kernel::add_lane) refuses a lane that is bound to another kernel.
    pub fn bind(&mut self, place: Place) {
        let shared = self.ring.shared();
        if shared.place.load(Ordering::Relaxed) == 0 {
            shared.place.store(place.0, Ordering::Release);
        }
    }

    /// Whether the lane is bound to this place.
    pub(crate) fn is_bound_to(&self, place: Place) -> bool {
        self.ring.shared().place.load(Ordering::Relaxed) == place.0
    }

    /// Whether the sender is gone, as far as that can be told: of a lane on the heap.
    pub(crate) fn is_orphan(&self) -> bool {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &self.ring._heap {
            let alone = Arc::strong_count(heap) == 1;
            // The count is read without order: what the sender published before it let go is seen from here on.
            fence(Ordering::Acquire);
            return alone;
        }
        false
    }

    /// Whether something is published that was not yet taken. Looks at the shared cursor only when it must.
    #[inline(always)]
    pub(crate) fn has_more(&mut self) -> bool {
        if self.read == self.tail {
            self.tail = self.ring.shared().tail.load(Ordering::Acquire);
        }
        self.read != self.tail
    }

    /// As [`LaneReceiver::has_more`], for whoever waits: asks for the line of the record that will be next, so that it comes
    /// along with the cursor that tells of it and not after that.
    #[inline(always)]
    pub(crate) fn awaits_more(&mut self) -> bool {
        let more = self.has_more();
        if !more {
            prefetch(self.ring.at(self.read).cast());
        }
        more
    }

    /// The next record, which stays in the lane.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Option<*const u64> {
        while self.has_more() {
            let at = self.ring.at(self.read);
            self.ring.touch(self.read, 1, false);
            // SAFETY: between `read` and `tail` lie whole records and pads.
            let first = unsafe { First::read(at) };
            self.ring.touch(self.read, first.words(), false);
            if !first.is_pad() {
                return Some(at);
            }
            self.read = self.read.wrapping_add(first.words());
        }
        None
    }

    /// The records from the next on that were published when last looked, up to the ring's end and to a quarter of its
    /// words, so that room is given back before the lane can run full. The last may reach beyond the stretch's end.
    pub(crate) fn stretch(&mut self) -> Option<Stretch> {
        if !self.has_more() {
            return None;
        }
        let published = self.tail.wrapping_sub(self.read);
        let contiguous = self.ring.capacity - (self.read & (self.ring.capacity - 1));
        let words = published.min(contiguous);
        self.ring.touch(self.read, words, false);
        let start = self.ring.at(self.read).cast_const();
        // SAFETY: inside the ring, or one past its end.
        Some(Stretch { start, end: unsafe { start.add(words.min(self.ring.capacity / 4)) } })
    }

    /// Takes all records of the last stretch that lie before `at`.
    pub(crate) fn take_until(&mut self, at: *const u64) {
        // SAFETY: both lie in the ring's words, or one past them.
        let words = unsafe { at.offset_from(self.ring.at(self.read)) };
        debug_assert!(words >= 0);
        self.read = self.read.wrapping_add(words as usize);
    }

    /// Takes the record of `words` that [`LaneReceiver::peek`] showed. It stays readable, and its payload is the
    /// caller's to move out or drop, until this or [`LaneReceiver::release`] is called again.
    #[inline(always)]
    pub(crate) fn take(&mut self, words: usize) {
        // Give room back before the lane can run full, but not record by record: each store costs the sender a miss.
        if self.read.wrapping_sub(self.released) >= self.ring.capacity / 4 {
            self.release();
        }
        self.read = self.read.wrapping_add(words);
    }

    /// Tells the model checker that the record of `words` that was just taken is being read.
    #[cfg(all(test, loom, feature = "alloc"))]
    pub(crate) fn touch_taken(&self, words: usize) {
        self.ring.touch(self.read.wrapping_sub(words), words, false);
    }

    /// Gives the room of everything taken so far back to the sender.
    #[inline(always)]
    pub(crate) fn release(&mut self) {
        if self.read != self.released {
            self.ring.shared().head.store(self.read, Ordering::Release);
            self.released = self.read;
        }
    }

    /// Refuses what is told from now on. See [`LaneSender::is_refused`] for what was being told meanwhile.
    pub(crate) fn close(&mut self) {
        self.ring.shared().closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Leaves behind how to drop messages that are published from now on and that nobody takes. The sender cannot keep
    /// it for each: only the kernel that ends knows its protocols. `copy` is made for the first lane on the heap, and
    /// shared by all.
    #[cfg(feature = "alloc")]
    pub(crate) fn bequeath(&mut self, types: &[&'static MessageType], copy: &mut Option<Types>) {
        if let Some(heap) = &self.ring._heap {
            let types = copy.get_or_insert_with(|| types.into());
            // SAFETY: only this end, of which there is one, writes it, and only the last of both ends reads it.
            unsafe { *heap.types.get() = Some(types.clone()) };
        }
    }

    /// Drops what lies in a lane whose records say how.
    fn drop_described(&mut self) {
        #[cfg(feature = "alloc")]
        while let Some(record) = self.peek()
            && self.ring._heap.as_ref().is_some_and(|heap| heap.described.load(Ordering::Relaxed))
        {
            // SAFETY: a whole record that says how to drop its payload, taken once.
            unsafe {
                self.take(First::read(record).words());
                drop_described(record);
            }
        }
    }
}

impl Drop for LaneReceiver {
    /// Nobody takes what is told from now on, and what was taken is nobody's any more: a panic may have come between
    /// taking a record and giving its room back.
    fn drop(&mut self) {
        /// Gives the room back also when a payload's drop panics.
        struct Release<'l>(&'l mut LaneReceiver);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                self.0.release();
            }
        }
        self.close();
        Release(self).0.drop_described();
    }
}

impl fmt::Debug for LaneReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaneReceiver({} words)", self.ring.capacity)
    }
}
