//! Lanes on the heap: kept alive by both ends, and what lies in them when both are gone is dropped.
//!
//! The memory of a lane outlives whichever end goes first, and so may records that were published while the receiver went.
//! How to drop these is said by each record, or by the types that the receiving kernel left behind.

#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{LaneReceiver, LaneSender, Ring, Shared};
use crate::limits::RECORD_HEAD;
use crate::record::{First, MessageType};
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::teardown::drop_by_type;

/// A kernel's message types, by protocol.
pub(super) type Types = alloc::sync::Arc<[&'static MessageType]>;

/// A lane on the heap, kept alive by both ends.
pub(crate) struct HeapLane {
    pub(crate) shared: Shared,
    /// What the sender sees in place of `shared`, where a relay stands between the ends; see [`crate::LaneRelay`].
    pub(crate) near: Option<Shared>,
    /// Each record ends with how to drop its payload; see [`LaneSender::try_tell`].
    pub(super) described: AtomicBool,
    /// The message types of the kernel that received; see [`LaneReceiver::bequeath`].
    pub(super) types: UnsafeCell<Option<Types>>,
    words: alloc::boxed::Box<[UnsafeCell<MaybeUninit<u64>>]>,
    #[cfg(loom)]
    pub(super) shadow: alloc::vec::Vec<loom::cell::UnsafeCell<()>>,
}

// SAFETY: as for `LaneMemory`; the types are written by the receiving end, and read when both are gone.
unsafe impl Sync for HeapLane {}
// SAFETY: plain words, atomics, and what may be shared.
unsafe impl Send for HeapLane {}

impl HeapLane {
    fn new(words: usize, start: usize, near: Option<Shared>) -> Arc<HeapLane> {
        assert!(words >= 8, "a lane has at least 8 words, not {words}");
        let capacity = words.next_power_of_two();
        Arc::new(HeapLane {
            shared: Shared::new(start),
            near,
            described: AtomicBool::new(false),
            types: UnsafeCell::new(None),
            words: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
            #[cfg(loom)]
            shadow: (0..capacity).map(|_| loom::cell::UnsafeCell::new(())).collect(),
        })
    }

    /// What an end sees that has these cursors, which are the lane's own or those near the sender.
    fn ring(heap: &Arc<HeapLane>, shared: &Shared) -> Ring {
        Ring {
            shared: NonNull::from(shared),
            // SAFETY: a slice's pointer is not null; `UnsafeCell<MaybeUninit<u64>>` is a word.
            words: unsafe { NonNull::new_unchecked(heap.words.as_ptr().cast_mut().cast()) },
            capacity: heap.words.len(),
            _heap: Some(heap.clone()),
        }
    }

    fn ends(heap: &Arc<HeapLane>, start: usize) -> (LaneSender, LaneReceiver) {
        let near = heap.near.as_ref().unwrap_or(&heap.shared);
        let (near, far) = (HeapLane::ring(heap, near), HeapLane::ring(heap, &heap.shared));
        (LaneSender::new(near, start), LaneReceiver::new(far, start))
    }

    /// Drops what nobody took: what was published while the receiver went.
    fn drop_what_is_left(&mut self) {
        let described = self.described.load(Ordering::Relaxed);
        let types = self.types.get_mut().clone();
        // Also what was published and never carried over.
        let tail = self.near.as_ref().unwrap_or(&self.shared).tail.load(Ordering::Acquire);
        loop {
            let at = self.shared.head.load(Ordering::Acquire);
            if at == tail {
                return;
            }
            let record = self.words[at & (self.words.len() - 1)].get().cast::<u64>().cast_const();
            // SAFETY: both ends are gone; between head and tail lie whole records and pads that nobody took, each
            // passed before its payload is dropped.
            unsafe {
                let first = First::read(record);
                self.shared.head.store(at.wrapping_add(first.words()), Ordering::Release);
                if first.is_pad() {
                } else if described {
                    drop_described(record);
                } else {
                    drop_by_type(record, types.as_deref().unwrap_or_default());
                }
            }
        }
    }
}

impl Drop for HeapLane {
    fn drop(&mut self) {
        /// Drops the rest when a payload's drop panics.
        struct Rest<'l>(&'l mut HeapLane);
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.0.drop_what_is_left();
            }
        }
        Rest(self).0.drop_what_is_left();
    }
}

/// A new lane on the heap with room for `words` eight-byte words, rounded up to a power of two. What takes more than half of
/// them it refuses for good ([`TellError::TooLarge`](crate::TellError::TooLarge)): a message takes its own words, two for its
/// head, and one more where it is told by [`LaneSender::try_tell`].
///
/// # Panics
/// If `words` is less than 8.
pub fn lane(words: usize) -> (LaneSender, LaneReceiver) {
    HeapLane::ends(&HeapLane::new(words, 0, None), 0)
}

/// A lane whose cursors start at `start`: for tests of what happens when they pass the end of their numbers.
#[cfg(test)]
pub(crate) fn lane_from(words: usize, start: usize) -> (LaneSender, LaneReceiver) {
    HeapLane::ends(&HeapLane::new(words, start, None), start)
}

/// A lane of `words` whose sender sees cursors of its own, which something else carries to and fro.
pub(crate) fn split_lane(words: usize) -> (LaneSender, LaneReceiver, Arc<HeapLane>) {
    let heap = HeapLane::new(words, 0, Some(Shared::new(0)));
    let (sender, receiver) = HeapLane::ends(&heap, 0);
    (sender, receiver, heap)
}

/// Drops the payload of a record whose last word says how.
///
/// # Safety
/// [`LaneSender::put`] wrote the record, and nobody takes its payload.
pub(super) unsafe fn drop_described(record: *const u64) {
    // SAFETY: the caller's.
    unsafe {
        let drop = record.add(First::read(record).words() - 1).cast::<unsafe fn(*const u64)>().read();
        drop(record.add(RECORD_HEAD));
    }
}
