//! What the tests share that count allocations: an allocator that does, for each thread and over all of them.
//!
//! The fuzz targets share it too, whose bound on memory is of what a thread holds at once.

#![allow(unsafe_code, dead_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static OF_THIS_THREAD: Cell<u64> = const { Cell::new(0) };
    /// Bytes: what it frees of other threads' makes this less than nothing.
    static HELD: Cell<i64> = const { Cell::new(0) };
    static MOST_HELD: Cell<i64> = const { Cell::new(0) };
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

/// What it gives, and how many bytes this thread held at most while it ran, beyond those that it held before.
pub(crate) fn most_held<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    let outer = MOST_HELD.replace(before);
    let given = run();
    let most = MOST_HELD.get();
    MOST_HELD.set(outer.max(most));
    (given, (most - before) as usize)
}

fn count(bytes: usize) {
    OF_THIS_THREAD.set(OF_THIS_THREAD.get() + 1);
    OF_ALL_THREADS.fetch_add(1, Ordering::Relaxed);
    let held = HELD.get() + bytes as i64;
    HELD.set(held);
    MOST_HELD.set(MOST_HELD.get().max(held));
}

fn release(bytes: usize) {
    HELD.set(HELD.get() - bytes as i64);
}

struct Counting;

// SAFETY: all is passed on to the system's allocator; counting touches numbers that need none and have no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        release(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // Both stand for a moment, where it is moved.
        count(bytes);
        release(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
