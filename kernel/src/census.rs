//! The door for addresses that come from outside: what other threads may know of a kernel's cells and message types.
//!
//! Delivery needs no bounds check, because addresses are made by kernels only: an index is one that the kernel handed out,
//! and equal identities prove the type of the payload. Numbers that come over a wire prove nothing. A **census** notes, for
//! as long as its kernel lives, where cells begin (one bit for each granule) and which type each protocol number stands for;
//! an address that agrees with it can only miss or be right. It can be read from any thread, so that a message for one
//! shard may name an actor of another.
//!
//! Kernels whose census nobody asks for keep none. One of the modules where `unsafe` is allowed: it keeps the message types,
//! which are static, behind atomic pointers.

#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::TypeId;
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::address::{ActorRef, Address, Gate, Identity, Place, RealmsExhausted, next_realm};
use crate::kernel::Kernel;
use crate::limits::{CENSUS_TYPES_MAX, SHARDS_MAX};
use crate::record::MessageType;
use crate::region::NONE;

/// The numbers of an address as they lie on a wire: all of it but the realm, which means nothing elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RawAddress {
    /// Group, bound, generation and protocol.
    pub identity: u64,
    /// Where the cell begins.
    pub index: u32,
    /// The shard.
    pub shard: u32,
}

impl Address {
    /// The numbers of this address. They are worth something only where its realm is known.
    pub const fn to_raw(self) -> RawAddress {
        RawAddress { identity: self.identity.0, index: self.index, shard: self.place.shard() as u32 }
    }

    /// Whether this is [`Address::NOBODY`].
    pub const fn is_nobody(self) -> bool {
        self.place.0 == Place::NOWHERE.0
    }
}

/// Why numbers are no address of an actor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdmitError {
    /// Another shard's.
    Elsewhere,
    /// No cell begins there, or no address has such an identity.
    NoCell,
    /// No actor there takes messages of this type.
    WrongType,
}

impl fmt::Display for AdmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdmitError::Elsewhere => "the address is another shard's",
            AdmitError::NoCell => "no actor ever had this address",
            AdmitError::WrongType => "actors of this address take other messages",
        })
    }
}

impl core::error::Error for AdmitError {}

/// A message type, for a check that is made where the type itself is not known.
#[derive(Clone, Copy)]
pub struct MessageKind {
    plain: &'static MessageType,
    answer: &'static MessageType,
}

impl MessageKind {
    /// Of messages of type `M`. Can be made in a `const`.
    pub const fn of<M: Send + 'static>() -> MessageKind {
        MessageKind { plain: MessageType::of::<M>(), answer: MessageType::of_answer::<M>() }
    }

    /// The identifier of the message type, by which a table may be kept.
    pub const fn id(self) -> TypeId {
        self.plain.id
    }
}

impl PartialEq for MessageKind {
    fn eq(&self, other: &Self) -> bool {
        self.plain.id == other.plain.id
    }
}

impl Eq for MessageKind {}

impl fmt::Debug for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((self.plain.name)())
    }
}

/// An address that was checked against a message type; only [`Census::admit_as`], [`ForeignRealm::admit_as`] and
/// [`Admitted::nobody`] make one.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    address: Address,
    kind: MessageKind,
}

impl Admitted {
    /// The address of no actor, as one of type `kind`: what is told to it is a dead letter.
    pub const fn nobody(kind: MessageKind) -> Admitted {
        Admitted { address: Address::NOBODY, kind }
    }

    /// The reference, if it was checked against `M`.
    pub fn typed<M: Send + 'static>(self) -> Option<ActorRef<M>> {
        (self.kind == MessageKind::of::<M>()).then(|| self.address.typed())
    }
}

/// See the module. Shared by the kernel, which writes it, and whoever asked for it with [`Kernel::census`].
///
/// ```
/// # use corelane_kernel::{Actor, AdmitError, Ctx, Kernel, KernelConfig, Outcome, RawAddress, Region};
/// # struct Sum(u64);
/// # impl Actor for Sum {
/// #     type Msg = u64;
/// #     fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome { self.0 += n; Ok(()) }
/// # }
/// # let memory = Box::leak(Box::new([core::mem::MaybeUninit::<u8>::uninit(); 64 * 1024]));
/// let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
/// let census = kernel.census().ok_or("before the first actor")?;
/// let sum = kernel.spawn(Sum(0))?;
///
/// let raw = sum.address().to_raw();
/// assert_eq!(census.admit::<u64>(raw), Ok(sum));
/// assert_eq!(census.admit::<u32>(raw), Err(AdmitError::WrongType));
/// assert_eq!(census.admit::<u64>(RawAddress { index: raw.index + 1, ..raw }), Err(AdmitError::NoCell));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Census {
    place: Place,
    /// One bit for each granule of the region: a cell begins there.
    cells: Box<[AtomicU32]>,
    /// By protocol number less one.
    types: Box<[AtomicPtr<MessageType>]>,
}

impl Census {
    pub(crate) fn new(place: Place, granules: u32) -> Census {
        let words = granules.div_ceil(32) as usize;
        Census {
            place,
            cells: (0..words).map(|_| AtomicU32::new(0)).collect(),
            types: (0..CENSUS_TYPES_MAX).map(|_| AtomicPtr::new(ptr::null_mut())).collect(),
        }
    }

    /// Notes a cell. Only the kernel does, so nothing is lost between the load and the store; it is there for whoever
    /// hears of the cell's address.
    pub(crate) fn add_cell(&self, index: u32) {
        if let Some(word) = self.cells.get((index / 32) as usize) {
            word.store(word.load(Ordering::Relaxed) | (1 << (index % 32)), Ordering::Release);
        }
    }

    pub(crate) fn add_type(&self, number: u32, of: &'static MessageType) {
        if let Some(slot) = self.types.get(number as usize - 1) {
            slot.store(ptr::from_ref(of).cast_mut(), Ordering::Release);
        }
    }

    /// The place of the kernel that this is the census of; also when that has ended.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The address with these numbers, if they are an actor's of this kernel that takes messages of type `M`, or were one's
    /// that has ended. Costs two loads and three compares.
    ///
    /// # Errors
    /// [`AdmitError`]; the numbers are wrong, or somebody made them up.
    pub fn admit<M: Send + 'static>(&self, raw: RawAddress) -> Result<ActorRef<M>, AdmitError> {
        self.checked(raw, MessageKind::of::<M>()).map(Address::typed)
    }

    /// As [`Census::admit`], where the type is a value.
    ///
    /// # Errors
    /// [`AdmitError`].
    pub fn admit_as(&self, raw: RawAddress, kind: MessageKind) -> Result<Admitted, AdmitError> {
        self.checked(raw, kind).map(|address| Admitted { address, kind })
    }

    /// As [`Census::admit`], for an address whose type of messages does not matter: to stop, watch, compare.
    ///
    /// # Errors
    /// [`AdmitError`], but for `WrongType`.
    pub fn admit_address(&self, raw: RawAddress) -> Result<Address, AdmitError> {
        self.here(raw).map(|(address, _)| address)
    }

    fn checked(&self, raw: RawAddress, kind: MessageKind) -> Result<Address, AdmitError> {
        let (address, of) = self.here(raw)?;
        if of.id == kind.plain.id || of.id == kind.answer.id {
            Ok(address)
        } else {
            Err(AdmitError::WrongType)
        }
    }

    fn here(&self, raw: RawAddress) -> Result<(Address, &'static MessageType), AdmitError> {
        if raw.shard as usize != self.place.shard() {
            return Err(AdmitError::Elsewhere);
        }
        let identity = Identity(raw.identity);
        let bits = self.cells.get((raw.index / 32) as usize).map_or(0, |word| word.load(Ordering::Acquire));
        let begins = bits & (1 << (raw.index % 32)) != 0;
        if raw.index == NONE || !begins || identity.gate() != Gate::Ready {
            return Err(AdmitError::NoCell);
        }
        let slot = (identity.protocol() as usize).checked_sub(1).and_then(|at| self.types.get(at));
        let of = slot.map_or(ptr::null_mut(), |slot| slot.load(Ordering::Acquire));
        // SAFETY: null, or from the `&'static` that `add_type` was given.
        let of = unsafe { of.as_ref() }.ok_or(AdmitError::NoCell)?;
        Ok((Address { identity, index: raw.index, place: self.place }, of))
    }
}

impl fmt::Debug for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Census of {:?}", self.place)
    }
}

impl Kernel {
    /// What is needed to check addresses of this kernel's actors that come from outside; `None` once an actor has been
    /// spawned without one. Takes a 64th of the region's size of address space on the heap, and as much memory as the cells
    /// in use make it; a fresh cell costs one store more from here on.
    pub fn census(&mut self) -> Option<Arc<Census>> {
        if self.memory.census().is_none() && self.stats().spawned == 0 {
            let place = self.place();
            self.memory.keep_census(place);
        }
        self.memory.census().cloned()
    }
}

/// The right to make addresses of a realm that no kernel of this process has: another host's.
///
/// No kernel here ever looks behind such an address, so its numbers need no check. What is told to it goes to whoever
/// carries messages to that host, and finds out there whether they are right.
///
/// ```
/// use corelane_kernel::{ForeignRealm, RawAddress};
///
/// let far = ForeignRealm::new()?;
/// let raw = RawAddress { identity: 1 << 32 | 7, index: 5, shard: 3 };
/// let address = far.address(raw).ok_or("no such address")?;
/// assert_eq!((address.to_raw(), address.place().realm()), (raw, far.realm()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ForeignRealm {
    realm: u32,
}

impl ForeignRealm {
    /// A realm whose number nobody else gets.
    ///
    /// # Errors
    /// [`RealmsExhausted`] after about four million realms in one process.
    pub fn new() -> Result<ForeignRealm, RealmsExhausted> {
        Ok(ForeignRealm { realm: next_realm()? })
    }

    /// The number that its addresses have in [`Place::realm`].
    pub const fn realm(&self) -> u32 {
        self.realm
    }

    /// The address with these numbers; `None` where no kernel's could have them.
    pub fn address(&self, raw: RawAddress) -> Option<Address> {
        let identity = Identity(raw.identity);
        let may_be = (raw.shard as usize) < SHARDS_MAX
            && raw.index != NONE
            && identity.gate() == Gate::Ready
            && identity.generation() != 0
            && identity.protocol() != 0;
        let place = Place((self.realm << 10) | raw.shard);
        may_be.then_some(Address { identity, index: raw.index, place })
    }

    /// As [`ForeignRealm::address`], of an actor that takes messages of this kind. It is the other host that knows whether
    /// it does.
    pub fn admit_as(&self, raw: RawAddress, kind: MessageKind) -> Option<Admitted> {
        Some(Admitted { address: self.address(raw)?, kind })
    }
}
