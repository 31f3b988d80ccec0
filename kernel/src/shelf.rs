//! A shelf: a growing row of values in the region, for the few things of which a kernel has some (lanes, exits,
//! message types, extensions). Growing moves the row to twice the room; the old room is not used again, so that all
//! moves together cost at most as much as the final row. One of the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::{ptr, slice};

use crate::limits::STATE_ALIGN_MAX;
use crate::region::Memory;

pub(crate) struct Shelf<T> {
    start: NonNull<T>,
    len: usize,
    room: usize,
}

impl<T> Shelf<T> {
    pub(crate) const fn new() -> Shelf<T> {
        const { assert!(align_of::<T>() <= STATE_ALIGN_MAX && size_of::<T>() > 0) };
        Shelf { start: NonNull::dangling(), len: 0, room: 0 }
    }

    /// An empty shelf with room for `room` values.
    pub(crate) fn with_room(memory: &mut Memory, room: usize) -> Option<Shelf<T>> {
        let mut shelf = Shelf::new();
        if room > 0 {
            let index = memory.extent(room * size_of::<T>())?;
            shelf.start = memory.at::<T>(index);
            shelf.room = room;
        }
        Some(shelf)
    }

    /// Puts a value at the end, or gives it back when the region is used up.
    pub(crate) fn push(&mut self, memory: &mut Memory, value: T) -> Result<(), T> {
        if self.len == self.room {
            let Some(larger) = Shelf::with_room(memory, (self.room * 2).max(4)) else { return Err(value) };
            // SAFETY: the new row has room for all; the values are moved, and the old row is never looked at again.
            unsafe { ptr::copy_nonoverlapping(self.start.as_ptr(), larger.start.as_ptr(), self.len) };
            self.start = larger.start;
            self.room = larger.room;
        }
        // SAFETY: there is room behind the last value.
        unsafe { self.start.as_ptr().add(self.len).write(value) };
        self.len += 1;
        Ok(())
    }

    /// Takes out a value; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, at: usize) -> T {
        assert!(at < self.len);
        self.len -= 1;
        // SAFETY: both places hold values; the taken one is read once, and the last moved over it.
        unsafe {
            let taken = self.start.as_ptr().add(at).read();
            ptr::copy(self.start.as_ptr().add(self.len), self.start.as_ptr().add(at), 1);
            taken
        }
    }
}

impl<T> Deref for Shelf<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `len` values stand from `start` on.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Shelf<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Shelf<T> {
    fn drop(&mut self) {
        // SAFETY: the values are ours, and the region outlives the kernel's parts.
        unsafe { ptr::drop_in_place(&raw mut **self) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::tests::region;
    use std::rc::Rc;

    #[test]
    fn values_survive_growth_and_are_dropped_once() {
        let mut memory = Memory::new(region(64 * 1024), None);
        let counted = Rc::new(());
        {
            let mut shelf = Shelf::new();
            for n in 0..50usize {
                assert!(shelf.push(&mut memory, (n, counted.clone())).is_ok());
            }
            assert_eq!(shelf.swap_remove(3).0, 3);
            assert_eq!(shelf[3].0, 49);
            assert_eq!(Rc::strong_count(&counted), 50);
        }
        assert_eq!(Rc::strong_count(&counted), 1);
    }
}
