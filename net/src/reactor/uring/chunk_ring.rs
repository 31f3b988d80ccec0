//! The ring through which the kernel is given chunks to receive into.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

/// The ring of chunks that the kernel takes from.
pub(super) struct ChunkRing {
    pub(super) entries: NonNull<BufRingEntry>,
    layout: Layout,
    mask: u16,
    tail: u16,
    /// The kernel no longer knows of it.
    pub(super) ended: bool,
}

impl ChunkRing {
    /// `entries` is a power of two.
    pub(super) fn new(entries: u16) -> ChunkRing {
        let bytes = usize::from(entries) * mem::size_of::<BufRingEntry>();
        let layout = Layout::from_size_align(bytes, 4096).expect("a small power of two");
        // SAFETY: the layout's size is not zero.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) });
        let Some(memory) = memory else { handle_alloc_error(layout) };
        ChunkRing { entries: memory.cast(), layout, mask: entries - 1, tail: 0, ended: true }
    }

    /// Adds a chunk, which the kernel sees when it is [published](ChunkRing::publish).
    pub(super) fn push(&mut self, index: u16, at: NonNull<u8>, bytes: usize) {
        // SAFETY: masked, it is one of the ring's entries. The kernel reads none between its head and our tail that we did
        // not publish, and there are no more chunks than entries, so none is written that it may still read.
        let entry = unsafe { &mut *self.entries.as_ptr().add(usize::from(self.tail & self.mask)) };
        entry.set_addr(at.as_ptr() as u64);
        entry.set_len(bytes as u32);
        entry.set_bid(index);
        self.tail = self.tail.wrapping_add(1);
    }

    pub(super) fn publish(&self) {
        // SAFETY: the first entry of the ring, whose reserved field is the ring's tail: an aligned `u16` that the kernel reads
        // while we write it, so both do so atomically.
        let tail = unsafe { &*BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for ChunkRing {
    fn drop(&mut self) {
        if self.ended {
            // SAFETY: allocated with this layout, and the kernel no longer knows of it.
            unsafe { dealloc(self.entries.as_ptr().cast(), self.layout) }
        }
    }
}
