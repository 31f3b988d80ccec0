//! Memory that is shared with the operating system: chunks that it receives into, and buffers that it sends from.
//!
//! Every chunk of a pool has exactly one owner at any time: the free list of its supply, the operating system (it was
//! *lent*), or one [`Chunk`]. A chunk may be dropped on any thread; it then goes back to its pool, and the reactor takes
//! it up again when it needs one. The pool's memory lives until the last of its chunks is gone, whatever became of the
//! reactor. In debug builds what nobody owns is filled with a pattern, and whoever takes it up checks that the pattern
//! stands: a write after the end of an operation is found out.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Chunks begin at multiples of this: a page, so that copies from and to other aligned memory are fast.
const ALIGN: usize = 4096;
/// What memory without an owner is filled with in debug builds.
const PATTERN: u8 = 0xD5;

/// The memory of one reactor's chunks, shared by all of them.
struct Pool {
    memory: NonNull<u8>,
    layout: Layout,
    chunk_bytes: usize,
    returned: Mutex<Returned>,
    /// Wakes the reactor, if it waits for a chunk.
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// What came back and was not taken up yet.
struct Returned {
    chunks: Vec<u16>,
    /// The reactor looked for a chunk and found none.
    awaited: bool,
}

// SAFETY: the memory is reached only through chunks and the supply, which own disjoint parts of it (see the module's
// documentation); the rest is a mutex and a cell that is set once, of types that may be shared.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Pool {
    fn at(&self, index: u16) -> NonNull<u8> {
        debug_assert!(usize::from(index) * self.chunk_bytes < self.layout.size());
        // SAFETY: an index is below the number of chunks, by which the memory was sized.
        unsafe { self.memory.add(usize::from(index) * self.chunk_bytes) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Returned> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, index: u16) {
        let mut returned = self.lock();
        // Room for all was made at the start.
        returned.chunks.push(index);
        let awaited = std::mem::take(&mut returned.awaited);
        drop(returned);
        if awaited && let Some(wake) = self.wake.get() {
            wake();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout; the last owner is gone, and nothing is lent any more (a supply that could
        // not get everything back from the operating system keeps the pool alive for ever).
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}

/// The reactor's end of a pool: what is free, and what is lent to the operating system.
pub(crate) struct Supply {
    pool: Arc<Pool>,
    free: Vec<u16>,
    lent: Box<[bool]>,
    lent_count: usize,
}

impl Supply {
    /// So many chunks of so many bytes each, rounded up to whole pages.
    pub(crate) fn new(chunks: u16, chunk_bytes: usize) -> Supply {
        let chunks = chunks.max(1);
        let chunk_bytes = chunk_bytes.max(1).next_multiple_of(ALIGN);
        let layout = Layout::from_size_align(chunk_bytes * usize::from(chunks), ALIGN)
            .expect("a pool is far smaller than the address space");
        // SAFETY: the layout's size is not zero.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) });
        let Some(memory) = memory else { handle_alloc_error(layout) };
        let returned = Returned { chunks: Vec::with_capacity(chunks.into()), awaited: false };
        let (returned, wake) = (Mutex::new(returned), OnceLock::new());
        let pool = Arc::new(Pool { memory, layout, chunk_bytes, returned, wake });
        if cfg!(debug_assertions) {
            // SAFETY: nobody else has seen the memory yet.
            unsafe { memory.as_ptr().write_bytes(PATTERN, layout.size()) }
        }
        let lent = vec![false; chunks.into()].into_boxed_slice();
        Supply { pool, free: (0..chunks).rev().collect(), lent, lent_count: 0 }
    }

    /// Calls this when a chunk comes back after none was found. Counts only the first time.
    pub(crate) fn wake_by(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _ = self.pool.wake.set(Box::new(wake));
    }

    /// How many chunks there are.
    #[cfg(target_os = "linux")]
    pub(crate) fn chunks(&self) -> usize {
        self.lent.len()
    }

    /// Bytes of a chunk.
    pub(crate) fn chunk_bytes(&self) -> usize {
        self.pool.chunk_bytes
    }

    /// The one that came back last, whose memory is the likeliest to be in a cache.
    fn next(&mut self) -> Option<u16> {
        self.free.append(&mut self.pool.lock().chunks);
        self.free.pop()
    }

    /// Whether a chunk is at hand. If none is, the next that comes back wakes the reactor.
    pub(crate) fn has_free(&mut self) -> bool {
        if self.free.is_empty() {
            let mut returned = self.pool.lock();
            self.free.append(&mut returned.chunks);
            returned.awaited = self.free.is_empty();
        }
        !self.free.is_empty()
    }

    /// Chunks that the operating system has to receive into.
    #[cfg(target_os = "linux")]
    pub(crate) fn lent(&self) -> usize {
        self.lent_count
    }

    /// A chunk to be filled, whole.
    pub(crate) fn take(&mut self) -> Option<Chunk> {
        let index = self.next()?;
        let end = self.pool.chunk_bytes as u32;
        let chunk = Chunk { pool: self.pool.clone(), index, start: 0, end };
        check_pattern(&chunk);
        Some(chunk)
    }

    /// Hands a chunk over to the operating system, which may write into it until it is [reclaimed](Supply::reclaim).
    pub(crate) fn lend(&mut self) -> Option<(u16, NonNull<u8>)> {
        let index = self.next()?;
        self.lent[usize::from(index)] = true;
        self.lent_count += 1;
        Some((index, self.pool.at(index)))
    }

    /// The operating system has written `len` bytes into a chunk that was lent, and is done with it. `None` if it was not
    /// lent: one chunk given to two operations, or none at all.
    pub(crate) fn reclaim(&mut self, index: u16, len: usize) -> Option<Chunk> {
        let lent = self.lent.get_mut(usize::from(index)).filter(|lent| **lent)?;
        *lent = false;
        self.lent_count -= 1;
        let all = self.pool.chunk_bytes;
        let mut chunk = Chunk { pool: self.pool.clone(), index, start: 0, end: all as u32 };
        check_pattern(&chunk[len.min(all)..]);
        chunk.truncate(len);
        Some(chunk)
    }

    /// The operating system holds no chunk any more, wherever they are.
    pub(crate) fn recall(&mut self) {
        for (index, lent) in self.lent.iter_mut().enumerate() {
            if std::mem::take(lent) {
                self.free.push(index as u16);
            }
        }
        self.lent_count = 0;
    }

    /// Keeps the memory for ever: it is not known whether the operating system still writes into it.
    pub(crate) fn leak(&self) {
        std::mem::forget(self.pool.clone());
    }

    /// Chunks that are neither free nor lent: somebody still holds them.
    #[cfg(test)]
    pub(crate) fn held(&mut self) -> usize {
        let mut returned = self.pool.lock();
        self.free.append(&mut returned.chunks);
        self.lent.len() - self.free.len() - self.lent_count
    }
}

/// In debug builds: nobody has written here since it had its last owner.
fn check_pattern(bytes: &[u8]) {
    if cfg!(debug_assertions) {
        assert!(bytes.iter().all(|byte| *byte == PATTERN), "memory was written to that nobody owned");
    }
}

/// Bytes that were received, in memory of the reactor's pool. Owns them: they may be changed, kept, or sent to another
/// thread.
///
/// A reactor has a bounded number of chunks, and stops receiving when none is left. Whoever keeps bytes for long copies
/// them out.
pub struct Chunk {
    pool: Arc<Pool>,
    index: u16,
    start: u32,
    end: u32,
}

impl Chunk {
    /// Forgets all but the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start.saturating_add(u32::try_from(len).unwrap_or(u32::MAX)));
    }

    /// Forgets the first `count` bytes, or all if there are fewer.
    pub fn advance(&mut self, count: usize) {
        self.start = self.end.min(self.start.saturating_add(u32::try_from(count).unwrap_or(u32::MAX)));
    }

    /// The chunk as memory that a system call fills.
    #[cfg(unix)]
    pub(crate) fn as_uninit(&mut self) -> &mut [std::mem::MaybeUninit<u8>] {
        let bytes: &mut [u8] = self;
        let (at, len) = (bytes.as_mut_ptr(), bytes.len());
        // SAFETY: the same memory, borrowed for as long. System calls, for which this is, write initialised bytes only.
        unsafe { std::slice::from_raw_parts_mut(at.cast(), len) }
    }
}

impl Deref for Chunk {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        let at = self.pool.at(self.index);
        // SAFETY: a chunk owns its memory alone, which was initialised when the pool was made; `start <= end <= chunk_bytes`.
        unsafe {
            std::slice::from_raw_parts(at.add(self.start as usize).as_ptr(), (self.end - self.start) as usize)
        }
    }
}

impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        let at = self.pool.at(self.index);
        // SAFETY: as in `deref`; it is borrowed mutably.
        unsafe {
            std::slice::from_raw_parts_mut(
                at.add(self.start as usize).as_ptr(),
                (self.end - self.start) as usize,
            )
        }
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            (self.start, self.end) = (0, self.pool.chunk_bytes as u32);
            self.fill(PATTERN);
        }
        self.pool.give_back(self.index);
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} bytes)", self.len())
    }
}

/// Keeps count of the chunks that are out for somebody.
pub(crate) trait Keeper: Send + Sync {
    /// One of them is back in its pool.
    fn is_back(&self);
}

/// A chunk that counts for its keeper until it is dropped, whoever has it.
pub(crate) struct Counted {
    /// There until it is dropped.
    chunk: Option<Chunk>,
    keeper: Arc<dyn Keeper>,
}

impl Counted {
    pub(crate) fn new(chunk: Chunk, keeper: Arc<dyn Keeper>) -> Counted {
        Counted { chunk: Some(chunk), keeper }
    }
}

impl Deref for Counted {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.chunk.as_deref().unwrap_or_default()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // First the memory, then the word that there is some.
        self.chunk = None;
        self.keeper.is_back();
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counted({} bytes)", self.len())
    }
}

/// Bytes to be sent. The reactor owns them until the operating system has let go of them, and gives them back then to
/// who asked for it.
///
/// Whatever it is made from, its bytes stay where they are when it is moved.
#[derive(Debug)]
pub struct Buffer(Bytes);

#[derive(Debug)]
enum Bytes {
    Own(Vec<u8>),
    Static(&'static [u8]),
    Shared(Arc<[u8]>),
    Chunk(Chunk),
    Counted(Counted),
}

impl Buffer {
    /// The vector it was made from, to be filled anew without an allocation. `None` if it was made from something else.
    pub fn into_vec(self) -> Option<Vec<u8>> {
        match self.0 {
            Bytes::Own(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Own(bytes) => bytes,
            Bytes::Static(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
            Bytes::Chunk(chunk) => chunk,
            Bytes::Counted(chunk) => chunk,
        }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Buffer {
        Buffer(Bytes::Own(bytes))
    }
}

impl From<&'static [u8]> for Buffer {
    fn from(bytes: &'static [u8]) -> Buffer {
        Buffer(Bytes::Static(bytes))
    }
}

impl<const N: usize> From<&'static [u8; N]> for Buffer {
    fn from(bytes: &'static [u8; N]) -> Buffer {
        Buffer(Bytes::Static(bytes))
    }
}

impl From<Arc<[u8]>> for Buffer {
    fn from(bytes: Arc<[u8]>) -> Buffer {
        Buffer(Bytes::Shared(bytes))
    }
}

impl From<Chunk> for Buffer {
    fn from(chunk: Chunk) -> Buffer {
        Buffer(Bytes::Chunk(chunk))
    }
}

impl From<Counted> for Buffer {
    fn from(chunk: Counted) -> Buffer {
        Buffer(Bytes::Counted(chunk))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_chunk_goes_back_to_its_pool_from_any_thread() {
        let mut supply = Supply::new(2, 100);
        let chunks: Vec<_> = std::iter::from_fn(|| supply.take()).collect();
        assert_eq!((chunks.len(), chunks[0].len(), supply.held()), (2, ALIGN, 2));
        std::thread::spawn(move || drop(chunks)).join().unwrap();
        assert_eq!(supply.held(), 0);
        assert!(supply.take().is_some());
    }

    #[test]
    fn whoever_finds_no_chunk_is_woken_once_by_the_next_that_comes_back() {
        let mut supply = Supply::new(2, 1);
        let woken = Arc::new(AtomicU32::new(0));
        let count = woken.clone();
        supply.wake_by(move || _ = count.fetch_add(1, Ordering::Relaxed));
        let (a, b) = (supply.take().unwrap(), supply.take().unwrap());
        assert!(!supply.has_free());
        drop(a);
        drop(b);
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert!(supply.has_free());
        drop(supply.take());
        assert_eq!(woken.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_chunk_is_reclaimed_only_once_and_only_if_it_was_lent() {
        let mut supply = Supply::new(2, 1);
        assert!(supply.reclaim(0, 0).is_none());
        let (index, _) = supply.lend().unwrap();
        let chunk = supply.reclaim(index, 0).unwrap();
        assert!(chunk.is_empty());
        assert!(supply.reclaim(index, 0).is_none());
        assert!(supply.reclaim(7, 0).is_none());
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "nobody owned")]
    fn a_write_into_memory_that_was_given_back_is_found_out() {
        let mut supply = Supply::new(1, 1);
        let at = {
            let mut chunk = supply.take().unwrap();
            chunk.as_mut_ptr()
        };
        // SAFETY: the pool is alive; that nobody owns this memory is what is tested.
        unsafe { at.add(17).write(0) };
        supply.take();
    }

    #[test]
    fn a_chunk_outlives_its_supply() {
        let mut supply = Supply::new(1, 1);
        let mut chunk = supply.take().unwrap();
        drop(supply);
        chunk.fill(7);
        chunk.advance(10);
        chunk.truncate(3);
        assert_eq!(*chunk, [7; 3]);
    }

    #[test]
    fn a_buffer_gives_its_vector_back() {
        assert_eq!(Buffer::from(vec![1, 2]).into_vec(), Some(vec![1, 2]));
        assert_eq!(Buffer::from(b"abc").into_vec(), None);
        assert_eq!(*Buffer::from(Arc::<[u8]>::from([1, 2])), [1, 2]);
    }
}
