//! Records: how a message lies in memory, in a queue, a lane or a parcel.
//!
//! ```text
//! word 0   index (u32) | words (u16), head included | kind (u16)
//! word 1   identity of the target, exactly as its cell stores it; for a call, its vtable
//! word 2…  the payload: the message itself, or the box that holds a large one
//! ```
//!
//! A record whose index is zero is no message: delivery finds a header there that never matches, and sorts the record
//! out by its kind. One of the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use core::any::{TypeId, type_name};
use core::mem::{ManuallyDrop, MaybeUninit, align_of, size_of};
use core::ptr;

use crate::address::{ActorRef, Address, Identity};
use crate::kernel::Kernel;
use crate::limits::{MESSAGE_INLINE_MAX, RECORD_HEAD};
use crate::scope::Scope;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Kind {
    /// A message for an actor.
    Message = 0,
    /// A message that an actor's mailbox bound counts.
    Counted = 1,
    /// Fills a ring's end; nothing.
    Pad = 2,
    /// A closure to run on this kernel.
    Call = 3,
    /// A timer is due whose message waited behind others; the payload names it.
    TimerDue = 4,
    /// Signal: run an actor's start.
    Start = 5,
    /// Signal: stop an actor.
    Stop = 6,
    /// Signal: an actor on another core watches; the payload is its address.
    Watch = 7,
    /// Signal: it no longer does.
    Unwatch = 8,
    /// Signal to the watcher (in the payload): the actor named by the head is gone, and why.
    Terminated = 9,
    /// Signal: fail an actor; the payload says why.
    Fail = 10,
    /// Signal to a kernel, the last on its lane: the kernel of the place in the payload is gone.
    Farewell = 11,
    /// Signal to a child, from its parent's kernel; see [`crate::bond`].
    Order = 12,
    /// Signal to an outpost, from its child's kernel.
    Report = 13,
}

/// A record's first word. On the hot path its parts are read one by one: a read that spans several fresh stores would have
/// to wait until they have left the core.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct First {
    index: u32,
    words: u16,
    kind: Kind,
}

const _: () = assert!(size_of::<First>() == 8);

impl First {
    #[inline(always)]
    const fn new(index: u32, words: usize, kind: Kind) -> First {
        First { index, words: words as u16, kind }
    }

    /// Reads the first word of a record, which may be a one-word pad.
    ///
    /// # Safety
    /// `at` points to a record.
    #[inline(always)]
    pub(crate) unsafe fn read(at: *const u64) -> First {
        // SAFETY: the caller's.
        unsafe { at.cast::<First>().read() }
    }

    /// In one store: a core has room for a few dozen that wait.
    #[inline(always)]
    unsafe fn write(self, at: *mut u64) {
        // SAFETY: the caller's; the parts fill the word, without padding.
        unsafe { at.write(core::mem::transmute::<First, u64>(self)) };
    }

    #[inline(always)]
    pub(crate) const fn index(self) -> u32 {
        self.index
    }

    /// Words of the record, all included.
    #[inline(always)]
    pub(crate) const fn words(self) -> usize {
        self.words as usize
    }

    #[inline(always)]
    pub(crate) const fn kind(self) -> Kind {
        self.kind
    }

    #[inline(always)]
    pub(crate) const fn is_pad(self) -> bool {
        self.kind as u16 == Kind::Pad as u16
    }
}

/// A record's first two words, taken apart.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) index: u32,
    pub(crate) kind: Kind,
    pub(crate) identity: Identity,
}

impl Head {
    /// Reads a record's head.
    ///
    /// # Safety
    /// `at` points to a record of at least two words.
    #[inline(always)]
    pub(crate) unsafe fn read(at: *const u64) -> Head {
        // SAFETY: the caller's.
        unsafe {
            let first = First::read(at);
            Head { index: first.index(), kind: first.kind(), identity: Head::identity_at(at) }
        }
    }

    /// Identity in a record.
    ///
    /// # Safety
    /// `at` points to a record of at least two words.
    #[inline(always)]
    pub(crate) unsafe fn identity_at(at: *const u64) -> Identity {
        // SAFETY: the caller's.
        Identity(unsafe { at.add(1).read() })
    }

    /// Words of the record at `at`, which may be a one-word pad.
    ///
    /// # Safety
    /// `at` points to a record's first word.
    #[inline(always)]
    pub(crate) unsafe fn words_at(at: *const u64) -> usize {
        // SAFETY: the caller's.
        unsafe { First::read(at).words() }
    }

    /// Writes the head of a record for `to`.
    ///
    /// # Safety
    /// `at` points to two writable words.
    #[inline(always)]
    pub(crate) unsafe fn write(at: *mut u64, to: Address, words: usize, kind: Kind) {
        // SAFETY: the caller's.
        unsafe {
            First::new(to.index, words, kind).write(at);
            at.add(1).write(to.identity.0);
        }
    }
}

/// How a value of type `T` travels in a record: by value up to the inline bound, boxed above it.
pub(crate) struct Payload<T>(core::marker::PhantomData<T>);

impl<T> Payload<T> {
    const BOXED: bool = size_of::<T>() > MESSAGE_INLINE_MAX;

    /// Words of the whole record.
    pub(crate) const WORDS: usize = RECORD_HEAD
        + if Self::BOXED {
            #[cfg(not(feature = "alloc"))]
            panic!("a message larger than MESSAGE_INLINE_MAX needs the `alloc` feature");
            #[cfg(feature = "alloc")]
            1
        } else {
            size_of::<T>().div_ceil(8)
        };

    /// Moves `value` into a record's payload.
    ///
    /// # Safety
    /// `at` points to [`Payload::WORDS`] `-` [`RECORD_HEAD`] writable words.
    #[inline(always)]
    pub(crate) unsafe fn put(at: *mut u64, value: T) {
        if Self::BOXED {
            #[cfg(feature = "alloc")]
            // SAFETY: there is a word for the pointer.
            unsafe {
                at.cast::<*mut T>()
                    .write_unaligned(alloc::boxed::Box::into_raw(alloc::boxed::Box::new(value)));
            }
        } else if align_of::<T>() <= 8 {
            // SAFETY: there is room, and records are aligned to words.
            unsafe { at.cast::<T>().write(value) }
        } else {
            // SAFETY: there is room.
            unsafe { at.cast::<T>().write_unaligned(value) }
        }
    }

    /// Moves the value out of a record's payload.
    ///
    /// # Safety
    /// `at` points to a payload that [`Payload::put`] wrote and nobody has taken.
    #[inline(always)]
    pub(crate) unsafe fn take(at: *const u64) -> T {
        if Self::BOXED {
            #[cfg(feature = "alloc")]
            // SAFETY: the pointer came from a box of a `T`, and is taken once.
            return unsafe { *alloc::boxed::Box::from_raw(at.cast::<*mut T>().read_unaligned()) };
            #[cfg(not(feature = "alloc"))]
            unreachable!()
        } else if align_of::<T>() <= 8 && size_of::<T>() <= FRESH {
            // SAFETY: the caller's; records are aligned to words, and have all words that a value takes a part of.
            unsafe { take_words(at) }
        } else if align_of::<T>() <= 8 {
            // SAFETY: the caller's; records are aligned to words.
            unsafe { at.cast::<T>().read() }
        } else {
            // SAFETY: the caller's.
            unsafe { at.cast::<T>().read_unaligned() }
        }
    }

    /// A look at the value in a payload, which stays there.
    ///
    /// # Safety
    /// `at` holds a value, and nobody takes it while the view lives. The view must be forgotten, not dropped.
    pub(crate) unsafe fn view(at: *const u64) -> View<T> {
        if Self::BOXED {
            // SAFETY: the payload is a pointer to the value.
            View::Boxed(unsafe { at.cast::<*const T>().read_unaligned() })
        } else {
            // SAFETY: a bitwise copy, so that the value is aligned.
            View::Copied(unsafe { at.cast::<T>().read_unaligned() })
        }
    }

    /// Drops the value in a payload.
    ///
    /// # Safety
    /// `at` holds a value that nobody takes.
    pub(crate) unsafe fn drop_in(at: *const u64) {
        // SAFETY: passed on.
        drop(unsafe { Self::take(at) });
    }

    /// Writes a clone of the value in `from` to `to`, which has the same room.
    ///
    /// # Safety
    /// `from` holds a value, `to` is writable for [`Payload::WORDS`] `-` [`RECORD_HEAD`] words.
    pub(crate) unsafe fn clone_to(from: *const u64, to: *mut u64)
    where
        T: Clone,
    {
        if Self::BOXED {
            #[cfg(feature = "alloc")]
            // SAFETY: the pointer is that of a box of a `T` which stays where it is; `to` has room for another.
            unsafe {
                let original = &*from.cast::<*const T>().read_unaligned();
                Self::put(to, original.clone());
            }
        } else {
            // SAFETY: the caller's. The copy on the stack is never dropped: the original stays in place.
            unsafe {
                let original = ManuallyDrop::new(Self::take(from));
                Self::put(to, T::clone(&original));
            }
        }
    }
}

/// Bytes up to which a message is read word by word.
const FRESH: usize = 32;

/// Reads a value word by word. Its sender wrote it field by field, perhaps just now; one wide load over several stores
/// that have not left the core yet would wait until they have, which takes longer than handling the message.
///
/// # Safety
/// `at` holds a `T` in whole words, at most [`FRESH`] bytes, that nobody else takes.
#[inline(always)]
unsafe fn take_words<T>(at: *const u64) -> T {
    /// As many words as any such value has; the compiler drops those that `T` has not.
    #[repr(C)]
    union Words<T> {
        words: [MaybeUninit<u64>; FRESH / 8],
        value: ManuallyDrop<T>,
    }
    let mut read = Words::<T> { words: [MaybeUninit::uninit(); FRESH / 8] };
    for word in 0..size_of::<T>().div_ceil(8) {
        // SAFETY: the caller's. Volatile, so that the loads are not made one again.
        unsafe { read.words[word] = at.add(word).cast::<MaybeUninit<u64>>().read_volatile() };
    }
    // SAFETY: all bytes of the value were read.
    ManuallyDrop::into_inner(unsafe { read.value })
}

/// See [`Payload::view`].
pub(crate) enum View<T> {
    Copied(T),
    Boxed(*const T),
}

impl<T> View<T> {
    pub(crate) fn get(&self) -> &T {
        match self {
            View::Copied(value) => value,
            // SAFETY: the box stays where it is while the view lives.
            View::Boxed(at) => unsafe { &**at },
        }
    }
}

/// What a kernel must know of a message type besides its actor's code: how to drop one nobody takes, and its name.
pub(crate) struct MessageType {
    pub(crate) id: TypeId,
    pub(crate) drop: unsafe fn(*const u64),
    pub(crate) name: fn() -> &'static str,
    /// Only the reply address of an ask takes it.
    pub(crate) answer: bool,
}

/// Stands for an answer of type `R`: a protocol of its own, so that one that comes too late is known for what it is.
struct Answer<R>(core::marker::PhantomData<R>);

impl MessageType {
    pub(crate) const fn of<M: 'static>() -> &'static MessageType {
        const {
            &MessageType {
                id: TypeId::of::<M>(),
                drop: Payload::<M>::drop_in,
                name: type_name::<M>,
                answer: false,
            }
        }
    }

    /// The type of an answer that comes as an `R`.
    pub(crate) const fn of_answer<R: 'static>() -> &'static MessageType {
        const {
            &MessageType {
                id: TypeId::of::<Answer<R>>(),
                drop: Payload::<R>::drop_in,
                name: type_name::<R>,
                answer: true,
            }
        }
    }
}

/// The vtable of a call: a closure that travels in a record and runs on the kernel it reaches.
pub(crate) struct CallType {
    pub(crate) run: unsafe fn(&mut Kernel, *const u64),
    pub(crate) drop: unsafe fn(*const u64),
}

impl CallType {
    pub(crate) const fn of<F: FnOnce(&mut Scope<'_>) + 'static>() -> &'static CallType {
        const { &CallType { run: run_call::<F>, drop: Payload::<F>::drop_in } }
    }

    /// Of a message for another realm, which the receiver's uplink carries: a [`Carried`].
    pub(crate) const fn beyond<M: Send + 'static>() -> &'static CallType {
        const { &CallType { run: carry::<M>, drop: Payload::<Carried<M>>::drop_in } }
    }

    /// The vtable as a record's second word.
    pub(crate) fn word(&'static self) -> Identity {
        Identity(ptr::from_ref(self).expose_provenance() as u64)
    }

    /// The vtable behind a record's second word.
    ///
    /// # Safety
    /// The word came from [`CallType::word`].
    pub(crate) unsafe fn from_word(word: Identity) -> &'static CallType {
        // SAFETY: the caller's; the vtable is static.
        unsafe { &*ptr::with_exposed_provenance(word.0 as usize) }
    }
}

unsafe fn run_call<F: FnOnce(&mut Scope<'_>) + 'static>(kernel: &mut Kernel, at: *const u64) {
    // SAFETY: the record's vtable says that its payload is an `F`.
    let call = unsafe { Payload::<F>::take(at) };
    call(&mut Scope::new(kernel));
}

/// A message that is told from where it gets to.
pub(crate) struct Carried<M> {
    pub(crate) to: ActorRef<M>,
    pub(crate) message: M,
}

unsafe fn carry<M: Send + 'static>(kernel: &mut Kernel, at: *const u64) {
    // SAFETY: the record's vtable says that its payload is this.
    let Carried { to, message } = unsafe { Payload::<Carried<M>>::take(at) };
    kernel.tell(to, message);
}

/// Writes a whole record.
///
/// # Safety
/// `at` points to `Payload::<T>::WORDS` writable words.
#[inline(always)]
pub(crate) unsafe fn write<T>(at: *mut u64, to: Address, kind: Kind, value: T) {
    // SAFETY: the caller's.
    unsafe {
        Head::write(at, to, Payload::<T>::WORDS, kind);
        Payload::put(at.add(RECORD_HEAD), value);
    }
}

/// Changes how many words the record at `at` says it has.
///
/// # Safety
/// `at` points to a record that has these words.
pub(crate) unsafe fn set_words(at: *mut u64, words: usize) {
    // SAFETY: the caller's.
    unsafe {
        let first = First::read(at);
        First::new(first.index(), words, first.kind()).write(at);
    }
}

/// Changes the kind of the record at `at`.
///
/// # Safety
/// `at` points to a record.
pub(crate) unsafe fn set_kind(at: *mut u64, kind: Kind) {
    // SAFETY: the caller's.
    unsafe {
        let first = First::read(at);
        First::new(first.index(), first.words(), kind).write(at);
    }
}

/// Writes a pad of `words` words.
///
/// # Safety
/// `at` points to at least one writable word.
#[inline]
pub(crate) unsafe fn write_pad(at: *mut u64, words: usize) {
    // SAFETY: the caller's.
    unsafe { First::new(0, words, Kind::Pad).write(at) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn any_size_and_alignment_comes_back_as_it_went() {
        fn round_trip<T: PartialEq + core::fmt::Debug + Clone>(value: T) {
            let mut words = [0u64; 80];
            // SAFETY: the buffer is larger than any record here.
            unsafe {
                write(words.as_mut_ptr(), Address::NOBODY, Kind::Message, value.clone());
                assert_eq!(Head::words_at(words.as_ptr()), Payload::<T>::WORDS);
                assert_eq!(Head::read(words.as_ptr()).kind, Kind::Message);
                assert_eq!(Payload::<T>::take(words.as_ptr().add(2)), value);
            }
        }
        #[derive(Clone, Debug, PartialEq)]
        #[repr(align(32))]
        struct Wide(u8);
        round_trip(());
        round_trip(3u8);
        round_trip([7u8; 13]);
        round_trip(u128::MAX);
        round_trip(Wide(9));
        round_trip(std::string::String::from("owned"));
        #[cfg(feature = "alloc")]
        round_trip([5u64; 100]);
    }

    #[test]
    fn a_payload_is_dropped_once() {
        let counted = Rc::new(());
        let mut words = [0u64; 8];
        // SAFETY: room for a pointer.
        unsafe {
            Payload::put(words.as_mut_ptr(), counted.clone());
            let mut copy = [0u64; 8];
            Payload::<Rc<()>>::clone_to(words.as_ptr(), copy.as_mut_ptr());
            assert_eq!(Rc::strong_count(&counted), 3);
            (MessageType::of::<Rc<()>>().drop)(copy.as_ptr());
            (MessageType::of::<Rc<()>>().drop)(words.as_ptr());
        }
        assert_eq!(Rc::strong_count(&counted), 1);
    }
}
