//! Addresses: plain 16-byte values of which each layer reads one more field.
//!
//! An address is a cell's **identity** word exactly as the cell stores it, the cell's **index**, and its **place**.
//!
//! ```text
//! identity (u64)   63..62 group | 61..59 gate | 58 bounded | 57..32 generation | 31..0 protocol
//! index    (u32)   granule offset of the cell in its region
//! place    (u32)   31..10 realm (which system, unique in this process) | 9..0 shard
//! ```
//!
//! The gate is zero in every address and in every cell that may run at once. A cell that may not (suspended,
//! stopping, free …) holds another value there, so that one 64-bit compare proves that the target is alive, that it
//! speaks the message's protocol, and that it is ready; whatever misses is sorted out off the hot path.
//!
//! Addresses are made by a kernel only, and a realm number is never given twice in a process. So an address whose
//! place is a kernel's own carries an index that this kernel handed out: the memory behind it is a cell header.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::limits::SHARDS_MAX;

/// A class of scheduling: a share of its core's time, chosen when an actor is spawned and carried in its address.
///
/// Each group has a queue of its own on each core. While several have work, each gets its share of every round
/// (see [`crate::KernelConfig`]), so that a flood in one cannot starve another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Group {
    /// What an actor gets unless told otherwise.
    #[default]
    Normal = 0,
    /// Served first in each round: control messages, latency-critical requests.
    Urgent = 1,
    /// Throughput work that may wait behind the others.
    Bulk = 2,
    /// Housekeeping, with the smallest share.
    Background = 3,
}

impl Group {
    /// All groups, in the order in which a round serves them.
    pub const ROUND: [Group; 4] = [Group::Urgent, Group::Normal, Group::Bulk, Group::Background];

    pub(crate) const fn from_bits(bits: u64) -> Group {
        match bits & 3 {
            0 => Group::Normal,
            1 => Group::Urgent,
            2 => Group::Bulk,
            _ => Group::Background,
        }
    }
}

/// What a cell may do now. Stored in three bits of its identity; only `Ready` is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Gate {
    /// Runs at once.
    Ready = 0,
    /// Runs at once, with duties at each message (receive time-out, mailbox bound).
    Duty = 1,
    /// Its messages wait in its backlog.
    Suspended = 2,
    /// Its backlog is being handled; what arrives meanwhile goes behind it.
    Backlog = 3,
    /// Spawned; its start has not run yet.
    Starting = 4,
    /// Asked to stop; waits for its children.
    Stopping = 5,
    /// State dropped; its watchers are told once the messages queued before its end have been passed.
    Dead = 6,
    /// Nobody lives here.
    Free = 7,
}

/// Group, gate, generation and protocol in one word; see the module's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub(crate) struct Identity(pub(crate) u64);

const GROUP_SHIFT: u32 = 62;
const GATE_SHIFT: u32 = 59;
const GENERATION_SHIFT: u32 = 32;
const GENERATION_MAX: u64 = (1 << 26) - 1;
const BOUNDED_BIT: u64 = 1 << 58;

impl Identity {
    /// Matches no cell: generation zero is never given out.
    pub(crate) const NOBODY: Identity = Identity(0);

    /// What a cell holds when it is carved: free, with the generation its first actor will get. Generations start
    /// here, below the top by `head_room` when a test wants to see the wrap.
    pub(crate) const fn carved(head_room: Option<u32>) -> Identity {
        let first = match head_room {
            Some(room) if (room as u64) < GENERATION_MAX => GENERATION_MAX - room as u64,
            Some(_) => 1,
            None => 1,
        };
        Identity((first << GENERATION_SHIFT) | ((Gate::Free as u64) << GATE_SHIFT))
    }

    /// The identity of a new actor in a free cell.
    pub(crate) const fn occupied(self, protocol: u32, group: Group, bounded: bool, gate: Gate) -> Identity {
        let generation = self.0 & (GENERATION_MAX << GENERATION_SHIFT);
        let bound = if bounded { BOUNDED_BIT } else { 0 };
        Identity(
            generation
                | protocol as u64
                | ((group as u64) << GROUP_SHIFT)
                | bound
                | ((gate as u64) << GATE_SHIFT),
        )
    }

    /// The identity of the cell once its actor is gone, or `None` when its generations are used up.
    pub(crate) const fn freed(self) -> Option<Identity> {
        let generation = (self.0 >> GENERATION_SHIFT) & GENERATION_MAX;
        if generation == GENERATION_MAX {
            return None;
        }
        Some(Identity(((generation + 1) << GENERATION_SHIFT) | ((Gate::Free as u64) << GATE_SHIFT)))
    }

    pub(crate) const fn gate(self) -> Gate {
        match (self.0 >> GATE_SHIFT) & 7 {
            0 => Gate::Ready,
            1 => Gate::Duty,
            2 => Gate::Suspended,
            3 => Gate::Backlog,
            4 => Gate::Starting,
            5 => Gate::Stopping,
            6 => Gate::Dead,
            _ => Gate::Free,
        }
    }

    pub(crate) const fn with_gate(self, gate: Gate) -> Identity {
        Identity((self.0 & !(7 << GATE_SHIFT)) | ((gate as u64) << GATE_SHIFT))
    }

    pub(crate) const fn group(self) -> usize {
        (self.0 >> GROUP_SHIFT) as usize
    }

    #[inline(always)]
    pub(crate) const fn bounded(self) -> bool {
        self.0 & BOUNDED_BIT != 0
    }

    pub(crate) const fn generation(self) -> u64 {
        (self.0 >> GENERATION_SHIFT) & GENERATION_MAX
    }

    pub(crate) const fn protocol(self) -> u32 {
        self.0 as u32
    }
}

/// Which kernel: a realm (a system, or a lone kernel) and a shard in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Place(pub(crate) u32);

impl Place {
    pub(crate) const NOWHERE: Place = Place(0);

    /// No kernel's place, nor any address's: realm numbers end before it.
    pub(crate) const SHUT: Place = Place(u32::MAX);

    /// The shard's number within its system, below [`SHARDS_MAX`].
    pub const fn shard(self) -> usize {
        (self.0 & (SHARDS_MAX as u32 - 1)) as usize
    }

    /// The system's number, unique within the process and never zero.
    pub const fn realm(self) -> u32 {
        self.0 >> 10
    }

    /// Whether both are shards of one system.
    pub const fn same_realm(self, other: Place) -> bool {
        self.realm() == other.realm()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.realm(), self.shard())
    }
}

/// The right to be one kernel: a [`Place`] that nobody else has. Not `Clone`, so that no two kernels share one.
#[derive(Debug)]
pub struct Seat {
    place: Place,
}

/// Process-wide count of realms. It makes every kernel's addresses foreign to every other kernel.
static REALMS: AtomicU32 = AtomicU32::new(1);

/// All realm numbers of this process are used up (four million systems were started).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealmsExhausted;

impl fmt::Display for RealmsExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this process has started four million systems; no number is left for another")
    }
}

impl core::error::Error for RealmsExhausted {}

/// A realm number that nobody had before.
pub(crate) fn next_realm() -> Result<u32, RealmsExhausted> {
    REALMS
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < (1 << 22) - 1).then_some(n + 1))
        .map_err(|_| RealmsExhausted)
}

impl Seat {
    /// A new realm's seats, one per shard.
    ///
    /// # Errors
    /// [`RealmsExhausted`] after about four million realms in one process.
    ///
    /// # Panics
    /// If `shards` is zero or more than [`SHARDS_MAX`].
    ///
    /// ```
    /// use corelane_kernel::Seat;
    ///
    /// let places: Vec<_> = Seat::realm(3)?.map(|seat| seat.place()).collect();
    /// assert_eq!(places[2].shard(), 2);
    /// assert!(places[0].same_realm(places[2]));
    /// # Ok::<(), corelane_kernel::RealmsExhausted>(())
    /// ```
    pub fn realm(shards: usize) -> Result<impl Iterator<Item = Seat>, RealmsExhausted> {
        assert!((1..=SHARDS_MAX).contains(&shards), "a system has 1 to {SHARDS_MAX} shards, not {shards}");
        let realm = next_realm()?;
        Ok((0..shards as u32).map(move |shard| Seat { place: Place((realm << 10) | shard) }))
    }

    /// The place that this seat is for.
    pub fn place(&self) -> Place {
        self.place
    }
}

/// An actor's address without the type of its messages: enough to stop, watch, compare and print it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Address {
    pub(crate) identity: Identity,
    pub(crate) index: u32,
    pub(crate) place: Place,
}

impl Address {
    /// The address of no actor. What is told to it becomes a dead letter.
    pub const NOBODY: Address = Address { identity: Identity::NOBODY, index: 0, place: Place::NOWHERE };

    /// The kernel on which the actor lives, or lived. It never moves to another.
    pub const fn place(self) -> Place {
        self.place
    }

    /// The actor lives at this place, and telling it asks for nothing but a queue. One test instead of two.
    #[inline(always)]
    pub(crate) const fn is_simply_at(self, place: Place) -> bool {
        ((self.place.0 ^ place.0) as u64) | (self.identity.0 & BOUNDED_BIT) == 0
    }

    /// The actor's scheduling group.
    pub const fn group(self) -> Group {
        Group::from_bits(self.identity.0 >> GROUP_SHIFT)
    }

    pub(crate) const fn typed<M>(self) -> ActorRef<M> {
        ActorRef { address: self, message: PhantomData }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.identity == Identity::NOBODY {
            return f.write_str("nobody");
        }
        write!(f, "{:?}:{}#{}", self.place, self.index, self.identity.generation())
    }
}

/// An actor's address: 16 bytes, `Copy`, good on any core.
///
/// It names one incarnation for ever: once that actor has stopped, messages told to it become dead letters, also when
/// its cell is used again. Holding one keeps nothing alive.
#[repr(transparent)]
pub struct ActorRef<M> {
    address: Address,
    message: PhantomData<fn(M)>,
}

/// Where an answer goes: an ordinary [`ActorRef`], which an ask makes for one message. It ends with its answer, its
/// deadline or the asking actor, and not otherwise: stopping or suspending it does nothing, and whoever watches it is
/// told that it is not there.
pub type ReplyTo<R> = ActorRef<R>;

const _: () = assert!(size_of::<ActorRef<u64>>() == 16);

impl<M> ActorRef<M> {
    /// A reference to no actor. What is told to it becomes a dead letter.
    pub const fn nobody() -> ActorRef<M> {
        Address::NOBODY.typed()
    }

    /// The address without the message type.
    pub const fn address(self) -> Address {
        self.address
    }

    /// The kernel on which the actor lives, or lived; see [`Address::place`].
    pub const fn place(self) -> Place {
        self.address.place
    }
}

impl<M> From<ActorRef<M>> for Address {
    fn from(of: ActorRef<M>) -> Address {
        of.address
    }
}

impl<M> Clone for ActorRef<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M> Copy for ActorRef<M> {}
impl<M> PartialEq for ActorRef<M> {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}
impl<M> Eq for ActorRef<M> {}
impl<M> Hash for ActorRef<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
    }
}
impl<M> fmt::Debug for ActorRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_never_wraps() {
        let mut id = Identity::carved(Some(2));
        let mut lives = 1;
        while let Some(next) = id.freed() {
            assert!(next.0 & (GENERATION_MAX << GENERATION_SHIFT) != 0);
            id = next;
            lives += 1;
        }
        assert_eq!(lives, 3);
    }

    #[test]
    fn every_gate_but_ready_makes_an_identity_miss() {
        let living = Identity::carved(None).occupied(7, Group::Bulk, true, Gate::Ready);
        let all = [
            Gate::Duty,
            Gate::Suspended,
            Gate::Backlog,
            Gate::Starting,
            Gate::Stopping,
            Gate::Dead,
            Gate::Free,
        ];
        for gate in all {
            assert_ne!(living.with_gate(gate), living);
            assert_eq!(living.with_gate(gate).gate(), gate);
            assert_eq!(living.with_gate(gate).with_gate(Gate::Ready), living);
        }
        assert_eq!((living.protocol(), living.group(), living.bounded()), (7, 2, true));
    }

    #[test]
    fn realms_are_never_given_twice() {
        let a = Seat::realm(2).unwrap().map(|s| s.place());
        let b = Seat::realm(1).unwrap().map(|s| s.place());
        let mut all: heapless::Vec<Place, 4> = a.chain(b).collect();
        assert!(all[0].same_realm(all[1]) && !all[0].same_realm(all[2]));
        let last = all.pop().unwrap();
        assert!(!all.contains(&last));
    }
}
