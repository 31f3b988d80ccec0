//! The one region a kernel lives in, and how it is carved.
//!
//! A region is handed over once and never grows. Memory is taken from its front in *extents* that are never given
//! back to the region; each extent has one use for ever, so memory is **type-stable**:
//!
//! - *cells* of one size class, each an actor: a [`Header`], then the state. What is freed goes to its class's free
//!   list and keeps its generation, so that a stale address can only miss;
//! - *parcels*: messages that wait outside a queue, in power-of-two sizes;
//! - *segments* of queues, one block each;
//! - slots of a [`crate::pool::Pool`] and single objects.
//!
//! Running out is `None`, and nothing has changed then. This is one of the modules where `unsafe` is allowed; its
//! safe face hands out headers of cells it carved.

#![allow(unsafe_code)]

use core::cell::Cell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::address::Identity;
use crate::behavior::Behavior;
use crate::limits::{BLOCK_MAX, BLOCK_MIN, GRANULE, HEADER, REGION_MAX, REGION_MIN, STATE_ALIGN_MAX};
use crate::size_class::{CLASS_GRANULES, CLASSES, PARCELS, parcel_class};

/// No cell, no parcel, no slot: granule zero belongs to the region itself.
pub(crate) const NONE: u32 = 0;

/// Where the running cell is noted: behind the header of granule zero.
const RUNNING: u32 = (HEADER / GRANULE) as u32;

const _: () = assert!(HEADER + GRANULE <= STATE_ALIGN_MAX && size_of::<AtomicU32>() <= GRANULE);

/// The memory of one kernel, not yet in use.
///
/// ```
/// use core::mem::MaybeUninit;
/// use corelane_kernel::{Kernel, KernelConfig, Region};
///
/// let memory: &'static mut [MaybeUninit<u8>] = Box::leak(Box::new_uninit_slice(64 * 1024));
/// let kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
/// assert_eq!(kernel.stats().actors, 0);
/// # Ok::<(), corelane_kernel::KernelError>(())
/// ```
pub struct Region {
    base: NonNull<u8>,
    granules: u32,
}

/// Why memory cannot be a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionError {
    /// Fewer bytes than the smallest kernel needs.
    TooSmall {
        /// Bytes that were offered, after aligning their start.
        bytes: usize,
        /// Bytes that are needed.
        needed: usize,
    },
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionError::TooSmall { bytes, needed } => {
                write!(f, "a region of {bytes} usable bytes is too small for a kernel, which needs {needed}")
            }
        }
    }
}

impl core::error::Error for RegionError {}

impl Region {
    /// A region over memory that lives as long as the program: a `static` where there is no allocator.
    ///
    /// # Errors
    /// [`RegionError::TooSmall`] below [`REGION_MIN`] bytes.
    pub fn from_static(memory: &'static mut [MaybeUninit<u8>]) -> Result<Region, RegionError> {
        let len = memory.len();
        // SAFETY: the slice is valid for its length, exclusively ours, and lives for ever.
        unsafe { Region::from_raw_parts(NonNull::from(memory).cast(), len) }
    }

    /// A region over `len` bytes at `base`. Its start is aligned up to [`STATE_ALIGN_MAX`]; bytes beyond
    /// [`REGION_MAX`] are left alone.
    ///
    /// # Errors
    /// [`RegionError::TooSmall`] below [`REGION_MIN`] bytes.
    ///
    /// # Safety
    /// The memory must be valid for reads and writes, used by nobody else, and outlive the kernel that is built on
    /// it. It may be uninitialised.
    pub unsafe fn from_raw_parts(base: NonNull<u8>, len: usize) -> Result<Region, RegionError> {
        let skip = base.align_offset(STATE_ALIGN_MAX).min(len);
        let bytes = len - skip;
        if bytes < REGION_MIN {
            return Err(RegionError::TooSmall { bytes, needed: REGION_MIN });
        }
        // Sixteen granules less than could be numbered: the highest numbers mean something else.
        let bytes = (bytes as u64).min(REGION_MAX - 16 * GRANULE as u64) as usize;
        // SAFETY: `skip` is at most `len`.
        let base = unsafe { base.add(skip) };
        Ok(Region { base, granules: (bytes / GRANULE) as u32 })
    }
}

/// What stands before every actor's state.
///
/// `identity` and `behavior` are what delivery reads, and stand first. The links make the tree: a cell knows its
/// parent and its two neighbours among the parent's children. All that most actors never need (children, watchers,
/// timers, stash …) is in a side record.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) identity: Cell<Identity>,
    pub(crate) behavior: Cell<Option<&'static Behavior>>,
    /// The parent's cell; in a free cell, the next free one of its class.
    pub(crate) parent: Cell<u32>,
    pub(crate) next: Cell<u32>,
    pub(crate) prev: Cell<u32>,
    /// The side record's slot in its pool, or [`NONE`].
    pub(crate) side: Cell<u32>,
}

const _: () = assert!(size_of::<Header>() == HEADER);

/// A free list and the fresh end of the newest extent, in granule indexes.
#[derive(Clone, Copy)]
struct Carving {
    free: u32,
    cursor: u32,
    end: u32,
    /// Pieces in all extents together, without those that are retired.
    pieces: u32,
}

const EMPTY: Carving = Carving { free: NONE, cursor: NONE, end: NONE, pieces: 0 };

/// A region in use.
pub(crate) struct Memory {
    base: NonNull<u8>,
    granules: u32,
    /// First granule never taken.
    frontier: u32,
    block: u32,
    segments: u32,
    /// Blocks that queues have taken in all.
    segments_made: u32,
    /// How often there was no room.
    refusals: u64,
    cells: [Carving; CLASSES],
    parcels: [Carving; PARCELS],
    generations_left: Option<u32>,
    /// Where fresh cells are noted for others, if somebody asked for it.
    #[cfg(feature = "alloc")]
    census: Option<alloc::sync::Arc<crate::census::Census>>,
}

impl Memory {
    /// Takes a region into use. `generations_left` makes fresh cells start that near to the end of their
    /// generations, for tests.
    pub(crate) fn new(region: Region, generations_left: Option<u32>) -> Memory {
        let bytes = region.granules as usize * GRANULE;
        let block = (bytes / 256).clamp(BLOCK_MIN, BLOCK_MAX);
        // Rounded down to a power of two; both bounds are powers of two themselves.
        let block = 1usize << block.ilog2();
        let memory = Memory {
            base: region.base,
            granules: region.granules,
            frontier: (STATE_ALIGN_MAX / GRANULE) as u32,
            block: (block / GRANULE) as u32,
            segments: NONE,
            segments_made: 0,
            refusals: 0,
            cells: [EMPTY; CLASSES],
            parcels: [EMPTY; PARCELS],
            generations_left,
            #[cfg(feature = "alloc")]
            census: None,
        };
        // SAFETY: the first granules are the region's own, aligned, and hold a header's bytes. A header stands there
        // so that a record with index zero, which is no message, misses like any other.
        unsafe {
            memory.at::<Header>(NONE).write(Header {
                identity: Cell::new(Identity(u64::MAX)),
                behavior: Cell::new(None),
                parent: Cell::new(NONE),
                next: Cell::new(NONE),
                prev: Cell::new(NONE),
                side: Cell::new(NONE),
            });
            memory.at::<AtomicU32>(RUNNING).write(AtomicU32::new(NONE));
        }
        memory
    }

    /// Where the kernel notes the cell whose code runs. It stands here, and not in the kernel, so that another thread may
    /// read it while the kernel is in use: nothing but this atomic is ever made of these bytes. It lies at a fixed distance
    /// from where cells are counted from, so writing it needs no other pointer.
    #[inline(always)]
    pub(crate) fn running(&self) -> &AtomicU32 {
        // SAFETY: written by `new`, in the granules that are the region's own, and never anything else.
        unsafe { self.at::<AtomicU32>(RUNNING).as_ref() }
    }

    #[inline(always)]
    pub(crate) fn set_running(&self, cell: u32) {
        self.running().store(cell, Ordering::Relaxed);
    }

    /// Address of granule `index`. The pointer is good for what was carved there.
    #[inline(always)]
    pub(crate) fn at<T>(&self, index: u32) -> NonNull<T> {
        debug_assert!(index < self.granules);
        // SAFETY: every index in circulation was handed out by this region and lies inside it.
        unsafe { self.base.add(index as usize * GRANULE).cast() }
    }

    /// The header of a cell.
    #[inline(always)]
    pub(crate) fn header(&self, cell: u32) -> &Header {
        // SAFETY: cell indexes come from `cell`, which wrote a header there; cells are type-stable, so it is one for
        // as long as the region lives. All its fields are `Cell`s, and no exclusive reference to a header is made.
        unsafe { self.at::<Header>(cell).as_ref() }
    }

    /// Bytes of the region, and how many of them have been taken into use.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.granules as usize * GRANULE, self.frontier as usize * GRANULE)
    }

    /// Bytes of a block: the unit in which queues and classes take memory.
    pub(crate) fn block_bytes(&self) -> usize {
        self.block as usize * GRANULE
    }

    /// How often something was asked of the region that it had no room for.
    pub(crate) fn refusals(&self) -> u64 {
        self.refusals
    }

    /// Takes `bytes` of fresh memory, aligned to [`STATE_ALIGN_MAX`].
    pub(crate) fn extent(&mut self, bytes: usize) -> Option<u32> {
        let extent = self.try_extent(bytes);
        self.refusals += u64::from(extent.is_none());
        extent
    }

    /// The same, for who can do with less: that there is no room is no refusal.
    pub(crate) fn try_extent(&mut self, bytes: usize) -> Option<u32> {
        let step = STATE_ALIGN_MAX / GRANULE;
        let granules = bytes.div_ceil(STATE_ALIGN_MAX).checked_mul(step)?;
        let granules = u32::try_from(granules).ok()?;
        let end = self.frontier.checked_add(granules)?;
        if end > self.granules {
            return None;
        }
        let index = self.frontier;
        self.frontier = end;
        Some(index)
    }

    /// An extent of a block for pieces of `piece` granules, or of one piece where a block is smaller or no longer
    /// fits. Gives its start and its end.
    fn slab(&mut self, piece: u32) -> Option<(u32, u32)> {
        let piece_bytes = piece as usize * GRANULE;
        let (index, bytes) = match self.try_extent(self.block_bytes().max(piece_bytes)) {
            Some(index) => (index, self.block_bytes().max(piece_bytes)),
            None => (self.extent(piece_bytes)?, piece_bytes),
        };
        let pieces = bytes / piece_bytes;
        Some((index, index + pieces as u32 * piece))
    }

    /// A free cell of a size class. Its gate is free, its generation the one its next actor gets, and its other
    /// fields and its state are whatever they were.
    #[inline]
    pub(crate) fn cell(&mut self, class: u8) -> Option<u32> {
        let index = self.cells[class as usize].free;
        if index != NONE {
            let next = self.header(index).parent.get();
            self.cells[class as usize].free = next;
            return Some(index);
        }
        self.fresh_cell(class)
    }

    fn fresh_cell(&mut self, class: u8) -> Option<u32> {
        let piece = CLASS_GRANULES[class as usize] as u32;
        let carving = &self.cells[class as usize];
        if carving.cursor == carving.end {
            let (cursor, end) = self.slab(piece)?;
            let pieces = self.cells[class as usize].pieces + (end - cursor) / piece;
            self.cells[class as usize] = Carving { free: NONE, cursor, end, pieces };
        }
        let carving = &mut self.cells[class as usize];
        let index = carving.cursor;
        carving.cursor += piece;
        // SAFETY: the granules from `index` were taken for a cell of this class and never used; a header fits, and
        // classes keep it aligned to eight bytes.
        unsafe {
            self.at::<Header>(index).write(Header {
                identity: Cell::new(Identity::carved(self.generations_left)),
                behavior: Cell::new(None),
                parent: Cell::new(NONE),
                next: Cell::new(NONE),
                prev: Cell::new(NONE),
                side: Cell::new(NONE),
            });
        }
        #[cfg(feature = "alloc")]
        if let Some(census) = &self.census {
            census.add_cell(index);
        }
        Some(index)
    }

    /// Has all cells that are carved from here on noted.
    #[cfg(feature = "alloc")]
    pub(crate) fn keep_census(&mut self, place: crate::address::Place) {
        self.census = Some(alloc::sync::Arc::new(crate::census::Census::new(place, self.granules)));
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn census(&self) -> Option<&alloc::sync::Arc<crate::census::Census>> {
        self.census.as_ref()
    }

    /// Gives a cell back, or retires it for ever if its generations are used up.
    #[inline]
    pub(crate) fn free_cell(&mut self, class: u8, cell: u32) {
        let header = self.header(cell);
        header.behavior.set(None);
        match header.identity.get().freed() {
            Some(next) => {
                header.identity.set(next);
                header.parent.set(self.cells[class as usize].free);
                self.cells[class as usize].free = cell;
            }
            None => {
                header.identity.set(Identity::NOBODY.with_gate(crate::address::Gate::Free));
                self.cells[class as usize].pieces -= 1;
            }
        }
    }

    /// Memory for a parcel of up to `bytes`.
    pub(crate) fn parcel(&mut self, bytes: usize) -> Option<u32> {
        let class = parcel_class(bytes);
        let carving = self.parcels[class];
        if carving.free != NONE {
            // SAFETY: a free parcel's first word is the next free one.
            self.parcels[class].free = unsafe { self.at::<u32>(carving.free).read() };
            return Some(carving.free);
        }
        let piece = (2u32) << class;
        if carving.cursor == carving.end {
            let (cursor, end) = self.slab(piece)?;
            let pieces = carving.pieces + (end - cursor) / piece;
            self.parcels[class] = Carving { free: NONE, cursor, end, pieces };
        }
        let index = self.parcels[class].cursor;
        self.parcels[class].cursor += piece;
        Some(index)
    }

    /// Gives back a parcel that was taken for `bytes`.
    pub(crate) fn free_parcel(&mut self, bytes: usize, parcel: u32) {
        let class = parcel_class(bytes);
        // SAFETY: the parcel's memory is ours again; its first word holds the link.
        unsafe { self.at::<u32>(parcel).write(self.parcels[class].free) };
        self.parcels[class].free = parcel;
    }

    /// One block for a queue.
    pub(crate) fn segment(&mut self) -> Option<u32> {
        if self.segments == NONE {
            let fresh = self.extent(self.block_bytes());
            self.segments_made += u32::from(fresh.is_some());
            return fresh;
        }
        let index = self.segments;
        // SAFETY: a free segment's first word is the next free one.
        self.segments = unsafe { self.at::<u32>(index).read() };
        Some(index)
    }

    /// Cells in use. Walks the free lists.
    pub(crate) fn cells_taken(&self) -> u32 {
        let taken = |(carving, granules): (&Carving, u16)| {
            let mut free = (carving.end - carving.cursor) / u32::from(granules);
            let mut at = carving.free;
            while at != NONE {
                free += 1;
                at = self.header(at).parent.get();
            }
            carving.pieces - free
        };
        self.cells.iter().zip(CLASS_GRANULES).map(taken).sum()
    }

    /// Parcels in use. Walks the free lists.
    pub(crate) fn parcels_taken(&self) -> u32 {
        let taken = |(class, carving): (usize, &Carving)| {
            carving.pieces - (carving.end - carving.cursor) / (2 << class) - self.free_from(carving.free)
        };
        self.parcels.iter().enumerate().map(taken).sum()
    }

    /// Blocks that queues hold. Walks the free list.
    pub(crate) fn segments_taken(&self) -> u32 {
        self.segments_made - self.free_from(self.segments)
    }

    /// Length of a list of free parcels or segments.
    fn free_from(&self, first: u32) -> u32 {
        let (mut at, mut free) = (first, 0);
        while at != NONE {
            free += 1;
            // SAFETY: the first word of a free parcel or segment is the next free one.
            at = unsafe { self.at::<u32>(at).read() };
        }
        free
    }

    /// Gives a queue's block back.
    pub(crate) fn free_segment(&mut self, segment: u32) {
        // SAFETY: the segment is nobody's now; its first word holds the link.
        unsafe { self.at::<u32>(segment).write(self.segments) };
        self.segments = segment;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::size_class::class_for;

    /// Regions stay reachable from here, so that a leak checker sees only what tests really leak.
    static KEPT: std::sync::Mutex<std::vec::Vec<usize>> = std::sync::Mutex::new(std::vec::Vec::new());

    /// A region of leaked, test-sized memory.
    pub(crate) fn region(bytes: usize) -> Region {
        let memory: &'static mut [MaybeUninit<u8>] =
            std::boxed::Box::leak(std::boxed::Box::new_uninit_slice(bytes));
        KEPT.lock().unwrap().push(memory.as_ptr() as usize);
        Region::from_static(memory).unwrap()
    }

    #[test]
    fn a_region_below_the_minimum_is_refused() {
        let memory: &'static mut [MaybeUninit<u8>] = &mut [];
        assert!(matches!(Region::from_static(memory), Err(RegionError::TooSmall { .. })));
    }

    #[test]
    fn cells_hold_their_class_and_stay_aligned() {
        let mut memory = Memory::new(region(1 << 20), None);
        for (bytes, align) in [(40, 8), (41, 8), (64, 64), (256, 128), (1000, 16), (9000, 8)] {
            let class = class_for(bytes, align);
            assert!(CLASS_GRANULES[class as usize] as usize * GRANULE >= bytes);
            for _ in 0..5 {
                let cell = memory.cell(class).unwrap();
                assert_eq!(memory.at::<u8>(cell).as_ptr() as usize % align, 0);
            }
        }
    }

    #[test]
    fn a_retired_cell_is_never_given_again() {
        let mut memory = Memory::new(region(64 * 1024), Some(2));
        let first = memory.cell(0).unwrap();
        memory.free_cell(0, first);
        for _ in 0..2 {
            assert_eq!(memory.cell(0), Some(first));
            memory.free_cell(0, first);
        }
        assert_ne!(memory.cell(0), Some(first));
    }

    #[test]
    fn running_out_is_none_and_changes_nothing() {
        let mut memory = Memory::new(region(16 * 1024), None);
        let mut cells = std::vec::Vec::new();
        while let Some(cell) = memory.cell(3) {
            cells.push(cell);
        }
        assert!(cells.len() > 100);
        assert_eq!(memory.cell(3), None);
        memory.free_cell(3, cells[7]);
        assert_eq!(memory.cell(3), Some(cells[7]));
        assert_eq!(memory.cell(3), None);
    }
}
