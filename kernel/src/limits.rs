//! Every bound of the kernel in one place, with the relations between them checked at compile time.

/// Bytes per granule: an actor's index counts granules from the start of its region.
pub const GRANULE: usize = 8;

/// Bytes of the smallest region: room for the root, a segment for signals and one for messages, and a first actor.
pub const REGION_MIN: usize = 6 * BLOCK_MIN;

/// Largest region a kernel can use, in bytes: a 32-bit index times [`GRANULE`]. A longer one is used up to here.
pub const REGION_MAX: u64 = (u32::MAX as u64) * GRANULE as u64;

/// Largest alignment of an actor's state, in bytes (a cache-line pair, what `CachePadded` asks for).
pub const STATE_ALIGN_MAX: usize = 128;

/// Largest actor state (with its factory, when spawned from one), in bytes. A larger state belongs in a box.
pub const STATE_SIZE_MAX: usize = CELL_MAX - STATE_ALIGN_MAX;

/// Largest message that travels by value inside its record, in bytes. A larger one is boxed with the `alloc`
/// feature, and is a compile error without it.
pub const MESSAGE_INLINE_MAX: usize = 512;

/// Number of scheduling groups.
pub const GROUPS: usize = 4;

/// Longest name of an actor, in bytes.
pub const NAME_MAX: usize = 64;

/// Bytes of its parent's path that a child on another shard keeps, to print its own. Where the path is longer, the parent
/// stands in it as one without a name.
pub const PREFIX_MAX: usize = 128;

/// Message types that a kernel's census knows at most. Addresses of actors of later ones are refused.
pub const CENSUS_TYPES_MAX: usize = 4096;

/// Children from other shards that could not be, of whom a kernel notes that it has still to say so.
pub(crate) const UNBORN_MAX: usize = 8;

/// Watches of actors elsewhere that could not be kept, of which a kernel notes that it has still to say so.
pub(crate) const UNWATCHED_MAX: usize = 16;

/// Actors elsewhere that are to stop, of whom a kernel notes that it has still to say so.
pub(crate) const UNSTOPPED_MAX: usize = 16;

/// Shards in one system; an address has ten bits for its shard.
pub const SHARDS_MAX: usize = 1 << 10;

/// Routees that a router or a pool has room for unless it says otherwise.
pub const ROUTEES_DEFAULT: usize = 16;

/// Longest text of a failure, in bytes; what is longer is cut at a character.
pub const FAILURE_TEXT_MAX: usize = 80;

/// Messages an actor may stash unless it asks for another bound.
pub const STASH_DEFAULT: u32 = 1024;

/// Observers of one state machine.
pub const OBSERVERS_MAX: usize = 8;

/// Records between the one being handled and those whose target cells are prefetched, and how many are looked at in one
/// go. Far memory answers many requests at once, and each of them as late as dozens of small handlers take; what was
/// asked for this early still fits into the first cache.
pub(crate) const LOOK_AHEAD: usize = 64;
pub(crate) const LOOK_STEP: usize = 8;

/// So many actors' cells are taken to be near: in a second-level cache, where looking ahead costs more than it gains.
pub(crate) const NEAR_ACTORS: u64 = 8192;

/// Largest cell, header included, in bytes.
pub(crate) const CELL_MAX: usize = 32 * 1024;

/// Bytes before an actor's state.
pub(crate) const HEADER: usize = 32;

/// Smallest and largest block in which memory is taken from the region, in bytes.
pub(crate) const BLOCK_MIN: usize = 1024;
pub(crate) const BLOCK_MAX: usize = 64 * 1024;

/// Words before a record's payload.
pub(crate) const RECORD_HEAD: usize = 2;

/// Words of the largest record.
pub(crate) const RECORD_MAX: usize = RECORD_HEAD + MESSAGE_INLINE_MAX / 8;

// A segment (one block) must hold at least one record of the largest kind behind its own two-word header.
const _: () = assert!((RECORD_MAX + 2) * 8 <= BLOCK_MIN);
// The state follows the header directly unless its alignment asks for more.
const _: () = assert!(HEADER.is_multiple_of(GRANULE) && STATE_ALIGN_MAX >= HEADER);
