//! The message types that may come in and go out: by name, by hash, by Rust type.
//!
//! Filled at start; afterwards it is only read, and can be shared by all shards. What is not in it cannot come in: no name
//! from a peer is ever kept, and none makes code run that was not registered here.

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use corelane_kernel::{
    Actor, Address, AdmitError, AnyMessage, Census, Failure, RawAddress, Scope, TellError, Wire,
};
use corelane_shard::{Handle, LookupError};

use super::props::{Factory, Props};
use super::{Codec, DecodeError, EncodeError, Envelope, decode, encode, envelope};
use crate::wire::{MessageHead, Run, Target};

/// Why a message that came in was not told to anybody. The message is dropped, and the link goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undelivered {
    /// No such type is registered.
    UnknownType,
    /// It cannot be read.
    Decode(DecodeError),
    /// Its target is no actor's address, or takes other messages.
    Address(AdmitError),
    /// The queue is full; the message can be offered again.
    Full,
    /// The actor's own mailbox is.
    MailboxFull,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undelivered::UnknownType => f.write_str("a message of unknown type"),
            Undelivered::Decode(error) => error.fmt(f),
            Undelivered::Address(error) => error.fmt(f),
            Undelivered::Full => f.write_str("no room for a message"),
            Undelivered::MailboxFull => f.write_str("a message for a full mailbox"),
        }
    }
}

impl std::error::Error for Undelivered {}

/// Why a type is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryError {
    /// Another type has this name.
    NameTaken {
        /// The name.
        name: &'static str,
        /// The type that has it.
        by: &'static str,
    },
    /// Something is made of such props already.
    SpawnsTaken {
        /// The name of the props.
        name: &'static str,
    },
    /// Another name has the same hash: one of them has to be chosen anew.
    HashTaken {
        /// The name.
        name: &'static str,
        /// The other.
        by: &'static str,
    },
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegistryError::NameTaken { name, by } => {
                write!(f, "the message type {by} is called \"{name}\" already")
            }
            RegistryError::SpawnsTaken { name } => {
                write!(f, "another actor is made of the props \"{name}\" already")
            }
            RegistryError::HashTaken { name, by } => {
                write!(f, "the names \"{name}\" and \"{by}\" have the same hash: choose another")
            }
        }
    }
}

impl std::error::Error for RegistryError {}

type Encode = fn(AnyMessage<'_>, &mut [u8]) -> Result<usize, EncodeError>;
type Fill = fn(AnyMessage<'_>, &mut [u8]) -> bool;
type Found = Box<dyn FnOnce(Result<Address, LookupError>) + Send>;
type Find = fn(&Handle, &str, Found);
type Deliver = fn(&mut Scope<'_>, &Census, RawAddress, Envelope, &[u8]) -> Result<(), Undelivered>;
type DeliverRun = fn(&mut Scope<'_>, &Census, RawAddress, Envelope, Run<'_>) -> usize;

struct Entry {
    id: TypeId,
    rust: &'static str,
    name: &'static str,
    envelope: Envelope,
    addresses: bool,
    encode: Encode,
    fill: Fill,
    deliver: Deliver,
    deliver_run: DeliverRun,
    find: Find,
}

/// Type hashes and `TypeId`s are hashes already. Only what is registered becomes a key, so no peer can choose keys.
#[derive(Default)]
pub(crate) struct Take(u64);

impl Hasher for Take {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

type Table<K> = HashMap<K, usize, BuildHasherDefault<Take>>;

/// See the module.
///
/// ```
/// # use corelane_kernel::{Actor, Ctx, Kernel, KernelConfig, Outcome, RawAddress, Region, Time};
/// # use corelane_net::codec::{self, Fixed, Registry, Wire};
/// # use corelane_net::wire::{MessageHead, Target};
/// # struct Sum(u64);
/// # impl Actor for Sum {
/// #     type Msg = Add;
/// #     fn receive(&mut self, add: Add, _: &mut Ctx<'_, Self>) -> Outcome { self.0 += add.0; Ok(()) }
/// # }
/// # let memory = Box::leak(Box::new([core::mem::MaybeUninit::<u8>::uninit(); 64 * 1024]));
/// # let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
/// # #[derive(Clone, Copy, codec::bytemuck::Pod, codec::bytemuck::Zeroable)]
/// # #[repr(C)]
/// # struct Add(u64);
/// # impl Wire for Add {
/// #     const NAME: &'static str = "demo.Add";
/// #     type Form = Fixed;
/// # }
/// let mut registry = Registry::new();
/// registry.register::<Add>()?;
///
/// let census = kernel.census().ok_or("before the first actor")?;
/// let sum = kernel.spawn(Sum(0))?;
/// let RawAddress { identity, index, .. } = sum.address().to_raw();
///
/// // As it came over a link:
/// let head = MessageHead { target: Target { identity, index }, envelope: codec::envelope::<Add>() };
/// registry.deliver(&mut kernel.scope(), &census, head, &7_u64.to_le_bytes())?;
/// kernel.turn(Time::ZERO);
/// assert_eq!(kernel.stats().handled, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Registry {
    entries: Vec<Entry>,
    by_hash: Table<u64>,
    by_type: Table<TypeId>,
    factories: HashMap<u64, Factory, BuildHasherDefault<Take>>,
}

impl Registry {
    /// A registry without any types: nothing can be sent or received before it is [registered](Registry::register).
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Lets messages of type `M` in and out. Once more does nothing.
    ///
    /// # Errors
    /// [`RegistryError`], and nothing has changed.
    pub fn register<M: Wire<Form: Codec<M>>>(&mut self) -> Result<(), RegistryError> {
        let (id, envelope) = (TypeId::of::<M>(), envelope::<M>());
        if self.by_type.contains_key(&id) {
            return Ok(());
        }
        if let Some(known) = self.by_hash(envelope.type_hash) {
            return Err(if known.name == M::NAME {
                RegistryError::NameTaken { name: known.name, by: known.rust }
            } else {
                RegistryError::HashTaken { name: M::NAME, by: known.name }
            });
        }
        self.by_hash.insert(envelope.type_hash, self.entries.len());
        self.by_type.insert(id, self.entries.len());
        self.entries.push(Entry {
            id,
            rust: type_name::<M>(),
            name: M::NAME,
            envelope,
            addresses: M::Form::ADDRESSES,
            encode: encode_any::<M>,
            fill: fill_any::<M>,
            deliver: deliver::<M>,
            deliver_run: deliver_run::<M>,
            find: find::<M>,
        });
        Ok(())
    }

    /// Lets parents on other hosts spawn children here of props `P`: what the factory makes of them. It is called when the
    /// child starts, and again when it is restarted. Registers the props and the child's messages as well. See
    /// [`Props`] for how a child is spawned.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn spawns<P: Props, A: Actor<Msg = P::Msg>>(
        &mut self,
        factory: impl Fn(&P) -> A + Send + Sync + 'static,
    ) -> Result<(), RegistryError> {
        self.try_spawns(move |props| Ok(factory(props)))
    }

    /// As [`Registry::spawns`], of a factory that may fail; its failure is the child's, before it handled anything.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn try_spawns<P: Props, A: Actor<Msg = P::Msg>>(
        &mut self,
        factory: impl Fn(&P) -> Result<A, Failure> + Send + Sync + 'static,
    ) -> Result<(), RegistryError> {
        self.register::<P>()?;
        self.register::<P::Msg>()?;
        match self.factories.entry(envelope::<P>().type_hash) {
            Vacant(entry) => {
                entry.insert(Factory::of::<P, A>(factory));
                Ok(())
            }
            Occupied(_) => Err(RegistryError::SpawnsTaken { name: P::NAME }),
        }
    }

    /// What is made of props with this hash.
    pub(crate) fn factory(&self, hash: u64) -> Option<&Factory> {
        self.factories.get(&hash)
    }

    fn by_hash(&self, hash: u64) -> Option<&Entry> {
        self.entries.get(*self.by_hash.get(&hash)?)
    }

    /// The name of the type with this hash.
    pub fn name(&self, hash: u64) -> Option<&'static str> {
        self.by_hash(hash).map(|entry| entry.name)
    }

    /// Has `found` called with the actor of this system that bears a path, if its messages are of the type with this hash.
    /// `None`, and it is not called, for a type that is not registered.
    pub(crate) fn find(&self, hash: u64, handle: &Handle, path: &str, found: Found) -> Option<()> {
        (self.by_hash(hash)?.find)(handle, path, found);
        Some(())
    }

    /// How a message of a registered type describes itself, and how it is written; `None` for other types.
    pub fn writer(&self, of: TypeId) -> Option<Writer> {
        let entry = self.entries.get(*self.by_type.get(&of)?)?;
        debug_assert_eq!(entry.id, of);
        let Entry { envelope, addresses, encode, fill, .. } = *entry;
        Some(Writer { envelope, addresses, encode, fill })
    }

    /// Decodes a message that came in and tells it to its target. Without allocating, unless the message itself does.
    ///
    /// The target's numbers and type are checked first; so a message reaches an actor of its type, a dead letter, or nobody.
    ///
    /// # Errors
    /// [`Undelivered`].
    #[inline]
    pub fn deliver(
        &self,
        scope: &mut Scope<'_>,
        census: &Census,
        head: MessageHead,
        body: &[u8],
    ) -> Result<(), Undelivered> {
        let reader = self.reader(head.envelope.type_hash).ok_or(Undelivered::UnknownType)?;
        reader.deliver(scope, census, head, body)
    }

    /// How messages of the type with this hash are read; `None` for a type that is not registered.
    pub fn reader(&self, hash: u64) -> Option<Reader> {
        self.by_hash(hash).map(|entry| Reader { deliver: entry.deliver, deliver_run: entry.deliver_run })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.iter().map(|entry| entry.name)).finish()
    }
}

/// How messages of one type are written, with the type erased.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    /// What such a message says of itself.
    pub envelope: Envelope,
    /// Whether there may be addresses in it; see [`Codec::ADDRESSES`].
    pub addresses: bool,
    encode: Encode,
    fill: Fill,
}

impl Writer {
    /// Writes a message.
    ///
    /// # Errors
    /// [`EncodeError`]; `Refused` also for a message of another type.
    pub fn encode(&self, message: AnyMessage<'_>, to: &mut [u8]) -> Result<usize, EncodeError> {
        (self.encode)(message, to)
    }

    /// Writes a message that takes exactly this room. Says whether that is done; if not, the room may have been written to.
    #[inline]
    pub(crate) fn fill(&self, message: AnyMessage<'_>, room: &mut [u8]) -> bool {
        (self.fill)(message, room)
    }
}

/// How messages of one type are read, with the type erased.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    deliver: Deliver,
    deliver_run: DeliverRun,
}

impl Reader {
    /// As [`Registry::deliver`], for messages of this type.
    ///
    /// # Errors
    /// [`Undelivered`].
    #[inline]
    pub fn deliver(
        &self,
        scope: &mut Scope<'_>,
        census: &Census,
        head: MessageHead,
        body: &[u8],
    ) -> Result<(), Undelivered> {
        (self.deliver)(scope, census, address_at(census, head.target), head.envelope, body)
    }

    /// Delivers the messages of a run up to the first that cannot be, and says how many these are. Why it cannot be,
    /// [`Reader::deliver`] says of that one; it costs the same again.
    #[inline]
    pub fn deliver_run(
        &self,
        scope: &mut Scope<'_>,
        census: &Census,
        head: MessageHead,
        run: Run<'_>,
    ) -> usize {
        (self.deliver_run)(scope, census, address_at(census, head.target), head.envelope, run)
    }
}

/// What the numbers of a message's target mean on the shard that it came to.
fn address_at(census: &Census, target: Target) -> RawAddress {
    let Target { identity, index } = target;
    let shard = u32::try_from(census.place().shard()).unwrap_or(u32::MAX);
    RawAddress { identity, index, shard }
}

fn find<M: Wire>(handle: &Handle, path: &str, found: Found) {
    handle.lookup_then::<M>(path, |actor| found(actor.map(Into::into)));
}

fn encode_any<M: Wire<Form: Codec<M>>>(message: AnyMessage<'_>, to: &mut [u8]) -> Result<usize, EncodeError> {
    encode::<M>(message.get().ok_or(EncodeError::Refused)?, to)
}

fn fill_any<M: Wire<Form: Codec<M>>>(message: AnyMessage<'_>, room: &mut [u8]) -> bool {
    message.get().is_some_and(|message| encode::<M>(message, room) == Ok(room.len()))
}

fn deliver<M: Wire<Form: Codec<M>>>(
    scope: &mut Scope<'_>,
    census: &Census,
    to: RawAddress,
    envelope: Envelope,
    body: &[u8],
) -> Result<(), Undelivered> {
    let to = census.admit::<M>(to).map_err(Undelivered::Address)?;
    let message = decode::<M>(envelope, body).map_err(Undelivered::Decode)?;
    scope.try_tell(to, message).map_err(|refused| match refused {
        TellError::Full(_) => Undelivered::Full,
        TellError::MailboxFull(_) => Undelivered::MailboxFull,
        // An address that this kernel's census admitted is one here, so nothing else is left.
        _ => Undelivered::Address(AdmitError::Elsewhere),
    })
}

fn deliver_run<M: Wire<Form: Codec<M>>>(
    scope: &mut Scope<'_>,
    census: &Census,
    to: RawAddress,
    envelope: Envelope,
    run: Run<'_>,
) -> usize {
    let Ok(to) = census.admit::<M>(to) else { return 0 };
    let taken = run.messages().take_while(|body| {
        decode::<M>(envelope, body).is_ok_and(|message| scope.try_tell(to, message).is_ok())
    });
    taken.count()
}
