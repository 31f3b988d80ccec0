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

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

use crate::address::{ActorRef, Address, Place};
use crate::error::TellError;
use crate::hints::{prefetch, prefetch_to_write};
use crate::inlet::Stretch;
#[cfg(feature = "alloc")]
use crate::limits::RECORD_HEAD;
#[cfg(feature = "alloc")]
use crate::record::MessageType;
use crate::record::{self, CallType, Carried, First, Kind, Payload};
use crate::scope::Scope;
#[cfg(feature = "alloc")]
use crate::sync::Arc;
use crate::sync::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};
#[cfg(feature = "alloc")]
use crate::teardown::drop_by_type;

/// Words of a cache line.
const LINE_WORDS: usize = 8;

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
    /// An empty lane.
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
        Some(ends(ring.clone(), ring, 0))
    }
}

#[cfg(not(loom))]
impl<const WORDS: usize> Default for LaneMemory<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// A kernel's message types, by protocol.
#[cfg(feature = "alloc")]
type Types = alloc::sync::Arc<[&'static MessageType]>;

/// A lane on the heap, kept alive by both ends.
#[cfg(feature = "alloc")]
pub(crate) struct HeapLane {
    pub(crate) shared: Shared,
    /// What the sender sees in place of `shared`, where a relay stands between the ends; see [`crate::LaneRelay`].
    pub(crate) near: Option<Shared>,
    /// Each record ends with how to drop its payload; see [`LaneSender::try_tell`].
    described: AtomicBool,
    /// The message types of the kernel that received; see [`LaneReceiver::bequeath`].
    types: UnsafeCell<Option<Types>>,
    words: alloc::boxed::Box<[UnsafeCell<MaybeUninit<u64>>]>,
    #[cfg(loom)]
    shadow: alloc::vec::Vec<loom::cell::UnsafeCell<()>>,
}

// SAFETY: as for `LaneMemory`; the types are written by the receiving end, and read when both are gone.
#[cfg(feature = "alloc")]
unsafe impl Sync for HeapLane {}
// SAFETY: plain words, atomics, and what may be shared.
#[cfg(feature = "alloc")]
unsafe impl Send for HeapLane {}

/// A new lane on the heap with room for `words` eight-byte words, rounded up to a power of two. What takes more than half of
/// them it refuses for good ([`TellError::TooLarge`]): a message takes its own words, two for its head, and one more where
/// it is told by [`LaneSender::try_tell`].
///
/// # Panics
/// If `words` is less than 8.
#[cfg(feature = "alloc")]
pub fn lane(words: usize) -> (LaneSender, LaneReceiver) {
    lane_from(words, 0)
}

/// A lane whose cursors start at `start`: for tests of what happens when they pass the end of their numbers.
#[cfg(feature = "alloc")]
pub(crate) fn lane_from(words: usize, start: usize) -> (LaneSender, LaneReceiver) {
    assert!(words >= 8, "a lane has at least 8 words, not {words}");
    let capacity = words.next_power_of_two();
    let heap = Arc::new(HeapLane {
        shared: Shared::new(start),
        near: None,
        described: AtomicBool::new(false),
        types: UnsafeCell::new(None),
        words: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
        #[cfg(loom)]
        shadow: (0..capacity).map(|_| loom::cell::UnsafeCell::new(())).collect(),
    });
    let ring = Ring {
        shared: NonNull::from(&heap.shared),
        // SAFETY: a slice's pointer is not null; `UnsafeCell<MaybeUninit<u64>>` is a word.
        words: unsafe { NonNull::new_unchecked(heap.words.as_ptr().cast_mut().cast()) },
        capacity,
        _heap: Some(heap),
    };
    ends(ring.clone(), ring, start)
}

/// A lane of `words` whose sender sees cursors of its own, which something else carries to and fro.
#[cfg(feature = "alloc")]
pub(crate) fn split_lane(words: usize) -> (LaneSender, LaneReceiver, Arc<HeapLane>) {
    assert!(words >= 8, "a lane has at least 8 words, not {words}");
    let capacity = words.next_power_of_two();
    let heap = Arc::new(HeapLane {
        shared: Shared::new(0),
        near: Some(Shared::new(0)),
        described: AtomicBool::new(false),
        types: UnsafeCell::new(None),
        words: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
        #[cfg(loom)]
        shadow: (0..capacity).map(|_| loom::cell::UnsafeCell::new(())).collect(),
    });
    let ring = |shared: &Shared| Ring {
        shared: NonNull::from(shared),
        // SAFETY: as for any other lane on the heap.
        words: unsafe { NonNull::new_unchecked(heap.words.as_ptr().cast_mut().cast()) },
        capacity,
        _heap: Some(heap.clone()),
    };
    let (sender, receiver) = ends(ring(heap.near.as_ref().unwrap_or(&heap.shared)), ring(&heap.shared), 0);
    (sender, receiver, heap)
}

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

fn ends(a: Ring, b: Ring, start: usize) -> (LaneSender, LaneReceiver) {
    (
        LaneSender {
            ring: a,
            place: Place::NOWHERE,
            #[cfg(feature = "alloc")]
            described: false,
            write: start,
            published: start,
            head: start,
        },
        LaneReceiver { ring: b, read: start, released: start, tail: start },
    )
}

/// The end of a lane that messages go into. Whoever has it is its one producer: a shard, a thread, an interrupt handler.
pub struct LaneSender {
    ring: Ring,
    place: Place,
    #[cfg(feature = "alloc")]
    described: bool,
    write: usize,
    published: usize,
    /// The receiver's `head` when last looked at.
    head: usize,
}

// SAFETY: the sender's words are its own, and messages are `Send`.
unsafe impl Send for LaneSender {}

impl LaneSender {
    /// Room for a record of `words`, or `None` while the lane is full. Write it whole, then [`LaneSender::commit`].
    #[inline(always)]
    pub(crate) fn reserve(&mut self, words: usize) -> Option<*mut u64> {
        let room = self.ring.capacity - (self.write & (self.ring.capacity - 1));
        let used = self.write.wrapping_sub(self.head);
        if words <= room && used + words <= self.ring.capacity {
            self.ring.touch(self.write, words, true);
            return Some(self.ring.at(self.write));
        }
        self.reserve_slowly(words, room)
    }

    #[inline(never)]
    fn reserve_slowly(&mut self, words: usize, room: usize) -> Option<*mut u64> {
        let needed = if words > room { room + words } else { words };
        if self.write.wrapping_sub(self.head) + needed > self.ring.capacity {
            self.head = self.ring.shared().head.load(Ordering::Acquire);
            if self.write.wrapping_sub(self.head) + needed > self.ring.capacity {
                return None;
            }
        }
        if words > room {
            self.ring.touch(self.write, room, true);
            // SAFETY: the `room` words up to the ring's end are ours.
            unsafe { record::write_pad(self.ring.at(self.write), room) };
            self.write = self.write.wrapping_add(room);
        }
        self.ring.touch(self.write, words, true);
        Some(self.ring.at(self.write))
    }

    /// As [`LaneSender::reserve`], but only where `spare` words more stay free behind the record.
    pub(crate) fn reserve_leaving(&mut self, words: usize, spare: usize) -> Option<*mut u64> {
        let room = self.ring.capacity - (self.write & (self.ring.capacity - 1));
        let needed = spare + if words > room { room + words } else { words };
        if self.write.wrapping_sub(self.head) + needed > self.ring.capacity {
            self.head = self.ring.shared().head.load(Ordering::Acquire);
            if self.write.wrapping_sub(self.head) + needed > self.ring.capacity {
                return None;
            }
        }
        self.reserve(words)
    }

    /// Where the next record goes, and how many of the wanted words are free there, up to the ring's end. Write whole
    /// records, then [`LaneSender::commit`] them.
    #[inline]
    pub(crate) fn room(&mut self, wanted: usize) -> (*mut u64, usize) {
        let wanted = wanted.min(self.ring.capacity - (self.write & (self.ring.capacity - 1)));
        if self.ring.capacity - self.write.wrapping_sub(self.head) < wanted {
            self.head = self.ring.shared().head.load(Ordering::Acquire);
        }
        let words = wanted.min(self.ring.capacity - self.write.wrapping_sub(self.head));
        self.ring.touch(self.write, words, true);
        (self.ring.at(self.write), words)
    }

    /// Asks for the `words` words that come after the next `skip`, which will be written before long; unless the
    /// receiver may still be reading there, who would only be robbed of them.
    #[inline]
    pub(crate) fn prefetch_ahead(&mut self, skip: usize, words: usize) {
        let end = self.write.wrapping_add(skip + words);
        if end.wrapping_sub(self.head) > self.ring.capacity {
            self.head = self.ring.shared().head.load(Ordering::Acquire);
            if end.wrapping_sub(self.head) > self.ring.capacity {
                return;
            }
        }
        for word in (0..words).step_by(LINE_WORDS) {
            prefetch_to_write(self.ring.at(self.write.wrapping_add(skip + word)).cast());
        }
    }

    /// Makes the record that was written at the reserved place part of the lane; invisible until published.
    #[inline(always)]
    pub(crate) fn commit(&mut self, words: usize) {
        self.write = self.write.wrapping_add(words);
    }

    /// Whether an empty lane has room for a record of `words`, wherever its cursor stands.
    #[inline(always)]
    pub(crate) fn fits(&self, words: usize) -> bool {
        words * 2 <= self.ring.capacity
    }

    /// Makes everything told so far visible to the receiver. Says whether there was anything.
    #[inline(always)]
    pub fn publish(&mut self) -> bool {
        if self.write == self.published {
            return false;
        }
        self.ring.shared().tail.store(self.write, Ordering::Release);
        self.published = self.write;
        true
    }

    /// Whether the receiver is gone: nothing told now will be handled.
    pub fn is_closed(&self) -> bool {
        self.ring.shared().closed.load(Ordering::Acquire)
    }

    /// Asked after publishing: whether what was published may never be looked at, because the receiver went meanwhile.
    /// `false` says that the receiver takes it, or drops it when it goes. Costs a fence.
    pub fn is_refused(&self) -> bool {
        fence(Ordering::SeqCst);
        self.is_closed()
    }

    /// The kernel at the other end, once it has taken the lane.
    #[inline(always)]
    pub fn place(&mut self) -> Option<Place> {
        if self.place == Place::NOWHERE {
            self.place = Place(self.ring.shared().place.load(Ordering::Acquire));
        }
        (self.place != Place::NOWHERE).then_some(self.place)
    }

    /// Writes a record that ends with how to drop its payload, for the day when both ends are gone and it still lies
    /// here: a thread may tell while the receiving kernel ends. Nobody else looks at that word.
    fn put<T>(&mut self, to: Address, kind: Kind, value: T) -> Result<(), TellError<T>> {
        let words = Payload::<T>::WORDS + 1;
        if !self.fits(words) {
            return Err(TellError::TooLarge(value));
        }
        let Some(at) = self.reserve(words) else { return Err(TellError::Full(value)) };
        // SAFETY: the words were reserved; the record's own count includes the last one.
        unsafe {
            record::write(at, to, kind, value);
            record::set_words(at, words);
            at.add(words - 1).cast::<unsafe fn(*const u64)>().write(Payload::<T>::drop_in);
        }
        self.commit(words);
        Ok(())
    }

    /// Says that all records of this lane are written by [`LaneSender::put`], once, before the first.
    fn describe(&mut self) {
        #[cfg(feature = "alloc")]
        if !self.described
            && let Some(heap) = &self.ring._heap
        {
            self.described = true;
            heap.described.store(true, Ordering::Relaxed);
        }
    }

    /// Tells an actor of the receiving kernel. The message is visible to it after the next [`LaneSender::publish`].
    ///
    /// # Errors
    /// The message comes back: `Full` while the lane is, `Unreachable` if the actor does not live on the receiving
    /// kernel or that is gone, `TooLarge` if a lane of this size can never hold it.
    #[inline]
    pub fn try_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        if self.place() != Some(to.place()) || self.is_closed() {
            return Err(TellError::Unreachable(message));
        }
        self.describe();
        self.put(to.address(), Kind::Message, message)
    }

    /// Has the receiving kernel tell an actor of another realm, by its uplink. In order with what else is told over this lane.
    /// What the uplink then refuses is a dead letter of that kernel.
    ///
    /// # Errors
    /// The message comes back: `Full` while the lane is, `Unreachable` if the receiving kernel is gone, `TooLarge` if a lane of this
    /// size can never hold it.
    pub fn try_tell_beyond<M: Send + 'static>(
        &mut self,
        to: ActorRef<M>,
        message: M,
    ) -> Result<(), TellError<M>> {
        if self.is_closed() {
            return Err(TellError::Unreachable(message));
        }
        self.describe();
        let call = CallType::beyond::<M>();
        let address = Address { identity: call.word(), index: 0, place: Place::NOWHERE };
        self.put(address, Kind::Call, Carried { to, message }).map_err(|refused| match refused {
            TellError::TooLarge(carried) => TellError::TooLarge(carried.message),
            TellError::Full(carried) => TellError::Full(carried.message),
            other => TellError::Unreachable(other.into_inner().message),
        })
    }

    /// Sends a closure that the receiving kernel runs in its turn, before or after messages just as it was sent.
    ///
    /// # Errors
    /// The closure comes back, for the reasons of [`LaneSender::try_tell`].
    pub fn try_call<F: FnOnce(&mut Scope<'_>) + Send + 'static>(
        &mut self,
        call: F,
    ) -> Result<(), TellError<F>> {
        if self.is_closed() {
            return Err(TellError::Unreachable(call));
        }
        self.describe();
        let to = Address { identity: CallType::of::<F>().word(), index: 0, place: Place::NOWHERE };
        self.put(to, Kind::Call, call)
    }
}

impl Drop for LaneSender {
    /// What was told is published: nothing accepted is forgotten.
    fn drop(&mut self) {
        self.publish();
    }
}

/// Drops the payload of a record whose last word says how.
///
/// # Safety
/// [`LaneSender::put`] wrote the record, and nobody takes its payload.
#[cfg(feature = "alloc")]
unsafe fn drop_described(record: *const u64) {
    // SAFETY: the caller's.
    unsafe {
        let drop = record.add(First::read(record).words() - 1).cast::<unsafe fn(*const u64)>().read();
        drop(record.add(RECORD_HEAD));
    }
}

#[cfg(feature = "alloc")]
impl HeapLane {
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

#[cfg(feature = "alloc")]
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

impl fmt::Debug for LaneSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaneSender({} words to {:?})", self.ring.capacity, self.place)
    }
}

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
}

impl LaneReceiver {
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
