//! Lanes: single-producer, single-consumer rings of message records, the only thing that two cores share.
//!
//! The sender writes records in place behind its private `write` cursor and makes them visible in batches, with one
//! release store of `tail` ([`LaneSender::publish`]). The receiver's kernel runs its handlers straight out of the
//! ring and gives room back in batches, with one release store of `head`. Each side keeps a copy of the other's cursor
//! and looks at the shared one only when the copy says that it must. This is the ring of Lamport (1977) with the
//! cached cursors of FastForward/MCRingBuffer (Lee et al., "A lock-free, cache-efficient shared ring buffer", 2009).
//!
//! Invariants: `head ≤ tail ≤ head + capacity` (all counted in words, modulo the word size of the machine); words in
//! `[tail, head + capacity)` belong to the sender, words in `[head, tail)` to the receiver. A record never wraps: a
//! pad fills the ring's end. One of the modules where `unsafe` is allowed; model-checked with loom.

#![allow(unsafe_code)]

#[cfg(feature = "alloc")]
mod heap;
mod receiver;
mod sender;

#[cfg(not(loom))]
use core::cell::UnsafeCell;
#[cfg(not(loom))]
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

#[cfg(feature = "alloc")]
pub use self::heap::lane;
#[cfg(all(test, feature = "alloc"))]
pub(crate) use self::heap::lane_from;
#[cfg(feature = "alloc")]
pub(crate) use self::heap::{HeapLane, split_lane};
pub use self::receiver::LaneReceiver;
pub use self::sender::LaneSender;
#[cfg(feature = "alloc")]
use crate::sync::Arc;
#[cfg(not(loom))]
use crate::sync::Ordering;
use crate::sync::{AtomicBool, AtomicU32, AtomicUsize};

/// What the two ends of a lane share besides the words.
pub(crate) struct Shared {
    /// End of what is published. Written by the sender.
    pub(crate) tail: CachePadded<AtomicUsize>,
    /// Start of what is not yet given back. Written by the receiver.
    pub(crate) head: CachePadded<AtomicUsize>,
    /// The place of the kernel that receives, zero until it has one. Written once.
    pub(crate) place: AtomicU32,
    /// The receiver is gone.
    pub(crate) closed: AtomicBool,
}

impl Shared {
    #[cfg(not(loom))]
    const fn new(start: usize) -> Shared {
        Shared {
            tail: CachePadded::new(AtomicUsize::new(start)),
            head: CachePadded::new(AtomicUsize::new(start)),
            place: AtomicU32::new(0),
            closed: AtomicBool::new(false),
        }
    }

    #[cfg(all(loom, feature = "alloc"))]
    fn new(start: usize) -> Shared {
        Shared {
            tail: CachePadded::new(AtomicUsize::new(start)),
            head: CachePadded::new(AtomicUsize::new(start)),
            place: AtomicU32::new(0),
            closed: AtomicBool::new(false),
        }
    }
}

/// Memory for one lane of `WORDS` eight-byte words, to be a `static` where there is no allocator. `WORDS` must be a
/// power of two, and at least twice the words of the largest message with its two-word head.
///
/// ```
/// # use corelane_kernel::{Actor, Ctx, Kernel, KernelConfig, LaneMemory, Outcome, Region, Time};
/// # struct Sum(u64);
/// # impl Actor for Sum {
/// #     type Msg = u64;
/// #     fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome { self.0 += n; Ok(()) }
/// # }
/// # let memory = Box::leak(Box::new([core::mem::MaybeUninit::<u8>::uninit(); 64 * 1024]));
/// # let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
/// static LANE: LaneMemory<256> = LaneMemory::new();
///
/// let (mut sender, receiver) = LANE.split().expect("taken once");
/// kernel.add_lane(receiver).map_err(|_| "no room for a lane")?;
/// let sum = kernel.spawn(Sum(0))?;
///
/// // In an interrupt handler, or on another thread:
/// sender.try_tell(sum, 7)?;
/// sender.publish();
///
/// kernel.turn(Time::ZERO);
/// assert_eq!(kernel.stats().handled, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(not(loom))]
pub struct LaneMemory<const WORDS: usize> {
    shared: Shared,
    taken: AtomicBool,
    words: UnsafeCell<[MaybeUninit<u64>; WORDS]>,
}

// SAFETY: the words are reached only through the two ends, of which `split` makes one pair; they share the words as
// the module's invariants say.
#[cfg(not(loom))]
unsafe impl<const WORDS: usize> Sync for LaneMemory<WORDS> {}

#[cfg(not(loom))]
impl<const WORDS: usize> LaneMemory<WORDS> {
    /// An empty lane, in a `const` or `static`. A number of words that is no power of two, or below 8, does not compile.
    pub const fn new() -> Self {
        const { assert!(WORDS.is_power_of_two() && WORDS >= 8, "a lane has a power of two of words, at least 8") };
        LaneMemory {
            shared: Shared::new(0),
            taken: AtomicBool::new(false),
            words: UnsafeCell::new([MaybeUninit::uninit(); WORDS]),
        }
    }

    /// The two ends, once; `None` from the second call on.
    pub fn split(&'static self) -> Option<(LaneSender, LaneReceiver)> {
        if self.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return None;
        }
        let ring = Ring {
            shared: NonNull::from(&self.shared),
            words: NonNull::new(self.words.get().cast::<u64>())?,
            capacity: WORDS,
            #[cfg(feature = "alloc")]
            _heap: None,
        };
        Some((LaneSender::new(ring.clone(), 0), LaneReceiver::new(ring, 0)))
    }
}

#[cfg(not(loom))]
impl<const WORDS: usize> Default for LaneMemory<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// One end's view of the memory that both share.
#[derive(Clone)]
struct Ring {
    shared: NonNull<Shared>,
    words: NonNull<u64>,
    capacity: usize,
    #[cfg(feature = "alloc")]
    _heap: Option<Arc<HeapLane>>,
}

impl Ring {
    #[inline(always)]
    fn shared(&self) -> &Shared {
        // SAFETY: the memory is static, or kept alive by `_heap`.
        unsafe { self.shared.as_ref() }
    }

    #[inline(always)]
    fn at(&self, cursor: usize) -> *mut u64 {
        // SAFETY: masked to the ring's words.
        unsafe { self.words.as_ptr().add(cursor & (self.capacity - 1)) }
    }

    /// Tells the model checker which words are read or written here; nothing otherwise.
    #[inline(always)]
    fn touch(&self, _cursor: usize, _words: usize, _write: bool) {
        #[cfg(all(loom, feature = "alloc"))]
        for i in 0.._words {
            let at = _cursor.wrapping_add(i) & (self.capacity - 1);
            let cell = &self._heap.as_ref().expect("a heap lane").shadow[at];
            if _write { cell.with_mut(|_| ()) } else { cell.with(|_| ()) }
        }
    }
}
