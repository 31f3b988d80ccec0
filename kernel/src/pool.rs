//! Pools of small records that most actors never need: side records, watches, timers, names.
//!
//! A pool carves its slots from the region and keeps them for one type for ever, with a mark that says whether a slot
//! is taken. So a handle is a plain number, links between records are plain numbers, and a wrong one is found out
//! instead of followed: `get` checks the mark. What is still in a pool when its kernel is dropped is forgotten: these
//! records own nothing outside the region. One of the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::limits::GRANULE;
use crate::region::{Memory, NONE};

/// A slot's number in the pool of `T`s that made it.
pub(crate) struct Handle<T>(u32, PhantomData<fn() -> T>);

impl<T> Handle<T> {
    pub(crate) const NONE: Handle<T> = Handle(NONE, PhantomData);

    pub(crate) const fn is_none(self) -> bool {
        self.0 == NONE
    }

    pub(crate) const fn is_some(self) -> bool {
        self.0 != NONE
    }

    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// The handle behind a number that [`Handle::number`] gave. A wrong number is found out by the pool.
    pub(crate) const fn from_number(number: u32) -> Handle<T> {
        Handle(number, PhantomData)
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Handle<T> {}
impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The mark of a slot in use. No slot stands there (a region ends before), and granule zero holds another number: so one
/// look at the mark finds out a missing handle as well as a stale one.
const TAKEN: u32 = u32::MAX - 1;

#[repr(C, align(8))]
struct Slot<T> {
    /// [`TAKEN`], or the next free slot.
    mark: u32,
    value: MaybeUninit<T>,
}

/// Slots of one type, carved from the region as they are needed.
pub(crate) struct Pool<T> {
    base: NonNull<u8>,
    free: u32,
    /// First slot never used of the newest extent, and that extent's end.
    cursor: u32,
    end: u32,
    /// All slots ever carved lie at or after this one; a number below was never a slot.
    live: u32,
    slots: PhantomData<T>,
}

impl<T> Pool<T> {
    const PIECE: u32 = {
        assert!(align_of::<T>() <= GRANULE);
        (size_of::<Slot<T>>() / GRANULE) as u32
    };

    pub(crate) fn new(memory: &Memory) -> Pool<T> {
        Pool { base: memory.at::<u8>(0), free: NONE, cursor: NONE, end: NONE, live: 0, slots: PhantomData }
    }

    /// No slot is in use.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Slots in use.
    pub(crate) const fn len(&self) -> u32 {
        self.live
    }

    #[inline(always)]
    fn slot(&self, number: u32) -> NonNull<Slot<T>> {
        // SAFETY: numbers are indexes of this pool's slots, inside the region that the base belongs to.
        unsafe { self.base.add(number as usize * GRANULE).cast() }
    }

    /// Puts a value into a slot, or gives it back when the region is used up.
    #[inline]
    pub(crate) fn insert(&mut self, memory: &mut Memory, value: T) -> Result<Handle<T>, T> {
        let number = if self.free != NONE {
            let number = self.free;
            // SAFETY: a free slot's mark is the next free one.
            self.free = unsafe { self.slot(number).as_ref().mark };
            number
        } else {
            if self.cursor == self.end && !self.carve(memory) {
                return Err(value);
            }
            let number = self.cursor;
            self.cursor += Self::PIECE;
            number
        };
        // SAFETY: the slot is carved for a `Slot<T>`, aligned, and not taken.
        unsafe { self.slot(number).write(Slot { mark: TAKEN, value: MaybeUninit::new(value) }) };
        self.live += 1;
        Ok(Handle(number, PhantomData))
    }

    fn carve(&mut self, memory: &mut Memory) -> bool {
        // A small first extent keeps a small kernel small; a busy pool takes whole blocks.
        let piece = Self::PIECE as usize * GRANULE;
        let few = if self.live == 0 { 4 } else { (self.live as usize).max(4) };
        let wanted = (few * piece).min(memory.block_bytes()).max(piece);
        let (index, slots) = match memory.try_extent(wanted) {
            Some(index) => (index, wanted / piece),
            None => match memory.extent(piece) {
                Some(index) => (index, 1),
                None => return false,
            },
        };
        self.cursor = index;
        self.end = index + slots as u32 * Self::PIECE;
        true
    }

    /// Empties a slot.
    ///
    /// # Panics
    /// If the slot is not taken: the kernel's own links would be wrong.
    #[inline]
    pub(crate) fn remove(&mut self, handle: Handle<T>) -> T {
        let number = handle.0;
        let slot = self.slot(number).as_ptr();
        // SAFETY: the number is one of this pool's slots; it is taken, as checked, so its value is there and is read
        // once before the mark says free.
        unsafe {
            assert!((*slot).mark == TAKEN, "a kernel record was freed twice");
            let value = (*slot).value.assume_init_read();
            (*slot).mark = self.free;
            self.free = number;
            self.live -= 1;
            value
        }
    }

    /// The value in a slot.
    ///
    /// # Panics
    /// If the slot is not taken.
    #[inline]
    pub(crate) fn get(&self, handle: Handle<T>) -> &T {
        // SAFETY: the number is one of this pool's slots, or granule zero, whose first bytes are no mark; the mark says
        // that the value is there.
        unsafe {
            let slot = self.slot(handle.0).as_ref();
            assert!(slot.mark == TAKEN, "a kernel record is missing or was freed");
            slot.value.assume_init_ref()
        }
    }

    /// The value in a slot, to change it.
    ///
    /// # Panics
    /// If the slot is not taken.
    #[inline]
    pub(crate) fn get_mut(&mut self, handle: Handle<T>) -> &mut T {
        // SAFETY: as for `get`; the pool is borrowed exclusively, and so are all its values.
        unsafe {
            let slot = self.slot(handle.0).as_mut();
            assert!(slot.mark == TAKEN, "a kernel record is missing or was freed");
            slot.value.assume_init_mut()
        }
    }

    /// Whether a handle's slot is taken.
    pub(crate) fn holds(&self, handle: Handle<T>) -> bool {
        // SAFETY: the number is one of this pool's slots.
        handle.0 != NONE && unsafe { self.slot(handle.0).as_ref().mark == TAKEN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::tests::region;

    #[test]
    fn a_slot_is_reused_and_a_stale_handle_is_found_out() {
        let mut memory = Memory::new(region(64 * 1024), None);
        let mut pool = Pool::<[u64; 3]>::new(&memory);
        let a = pool.insert(&mut memory, [1; 3]).unwrap();
        let b = pool.insert(&mut memory, [2; 3]).unwrap();
        assert_eq!(pool.remove(a), [1; 3]);
        assert!(!pool.holds(a) && pool.holds(b));
        let c = pool.insert(&mut memory, [3; 3]).unwrap();
        assert_eq!((pool.get(b), pool.get(c)), (&[2; 3], &[3; 3]));
        assert_eq!(pool.len(), 2);
    }

    #[test]
    #[should_panic(expected = "freed twice")]
    fn freeing_twice_is_found_out() {
        let mut memory = Memory::new(region(64 * 1024), None);
        let mut pool = Pool::<u32>::new(&memory);
        let a = pool.insert(&mut memory, 1).unwrap();
        pool.remove(a);
        pool.remove(a);
    }

    #[test]
    fn a_full_region_gives_the_value_back() {
        let mut memory = Memory::new(region(8 * 1024), None);
        let mut pool = Pool::<u64>::new(&memory);
        let mut n = 0u64;
        while pool.insert(&mut memory, n).is_ok() {
            n += 1;
        }
        assert!(n > 50);
        assert_eq!(pool.insert(&mut memory, 99), Err(99));
    }
}
