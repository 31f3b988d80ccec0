//! What the tests share that count allocations: an allocator that does, for each thread and over all of them.

#![allow(unsafe_code, dead_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static OF_THIS_THREAD: Cell<u64> = const { Cell::new(0) };
}

static OF_ALL_THREADS: AtomicU64 = AtomicU64::new(0);

/// So many has this thread made; tests run in parallel.
pub(crate) fn allocations() -> u64 {
    OF_THIS_THREAD.get()
}

/// So many have all threads made: for a test that is alone in its process.
pub(crate) fn allocations_of_all() -> u64 {
    OF_ALL_THREADS.load(Ordering::Relaxed)
}

fn count() {
    OF_THIS_THREAD.set(OF_THIS_THREAD.get() + 1);
    OF_ALL_THREADS.fetch_add(1, Ordering::Relaxed);
}

struct Counting;

// SAFETY: all is passed on to the system's allocator; counting touches numbers that need none and have no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
