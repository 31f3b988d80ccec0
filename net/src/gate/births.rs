//! Births: children of this shard's actors that are to be spawned on other hosts, until it is known what became of them.
//!
//! An outpost stands for each among its parent's children from the beginning. Who is not known yet, or not reached, is waited
//! for, then the child is sent for by a signal, which arrives once and is answered once, or the host is lost. All that is
//! bounded by one deadline.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use corelane_kernel::{ActorRef, Address, Outpost, Place, Scope, SpawnError, Time};

use super::slot::place_of;
use super::{Gate, Inner, Todo};
use crate::codec::{self, EncodeError, Envelope, Props};
use crate::link::LinkTo;
use crate::peer::node_of;
use crate::resolve::{RemoteHost, RemoteLookupError};
use crate::spawning::RemoteSpawnError;
use crate::wire::{NoChild, SPAWN_PROPS_MAX, Signal, Spawn};

/// What is wanted of a child, but for its props.
pub(crate) struct Wanted<'a> {
    pub(crate) host: &'a RemoteHost,
    pub(crate) shard: Option<u16>,
    /// How long the child may be waited for; what the endpoint says unless told otherwise.
    pub(crate) within: Option<Duration>,
    pub(crate) name: Option<&'a str>,
    pub(crate) group: corelane_kernel::Group,
    pub(crate) mailbox: u32,
}

/// How props are written.
type Encode = Box<dyn Fn(&mut [u8]) -> Result<usize, EncodeError>>;

/// Why there is no child, for what tells the parent.
type Why = Rc<Cell<Option<RemoteSpawnError>>>;

/// A child that is not there yet.
struct Birth {
    /// The link over which it is sent for.
    slot: usize,
    host: SocketAddr,
    outpost: Outpost,
    name: Option<Box<str>>,
    anywhere: bool,
    envelope: Envelope,
    props: &'static str,
    protocol: u64,
    encode: Encode,
    why: Why,
    /// Until when the child is waited for.
    deadline: Time,
    /// It was sent for, and the host has not said yet what became of it.
    sent: bool,
}

#[derive(Default)]
pub(super) struct Births {
    waiting: HashMap<u64, Birth>,
    by_outpost: HashMap<Address, u64>,
    deadlines: BTreeSet<(Time, u64)>,
    last: u64,
}

impl Births {
    fn insert(&mut self, birth: Birth) -> u64 {
        self.last += 1;
        let number = self.last;
        self.by_outpost.insert(birth.outpost.address(), number);
        self.deadlines.insert((birth.deadline, number));
        self.waiting.insert(number, birth);
        number
    }

    fn remove(&mut self, number: u64) -> Option<Birth> {
        let birth = self.waiting.remove(&number)?;
        self.by_outpost.remove(&birth.outpost.address());
        self.deadlines.remove(&(birth.deadline, number));
        Some(birth)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Those of which this holds, in the order in which they were wanted.
    fn which(&self, mut holds: impl FnMut(&Birth) -> bool) -> Vec<u64> {
        let of = self.waiting.iter().filter(|(_, birth)| holds(birth));
        let mut of: Vec<u64> = of.map(|(number, _)| *number).collect();
        of.sort_unstable();
        of
    }
}

impl Gate {
    /// This host.
    pub(crate) fn own_host(&self) -> RemoteHost {
        let shared = &self.inner.borrow().shared;
        RemoteHost::new(&shared.me.system, shared.public)
    }

    /// Does something in the next turn: an outpost of which its parent was just told is gone by then, and its name is free.
    pub(crate) fn call_later(&self, call: impl FnOnce(&mut Scope<'_>) + 'static) {
        self.enter().todo.push(Todo::Call(Box::new(call)));
    }

    /// Whether children may be spawned on a host at all, as far as is known here.
    pub(crate) fn check_host(&self, host: &RemoteHost) -> Result<(), RemoteLookupError> {
        self.inner.borrow().node_at(host).map(drop)
    }

    /// Whether an actor of which something was just heard lives on a host.
    pub(crate) fn is_of(&self, actor: Address, own: Place, host: &RemoteHost) -> bool {
        let shared = &self.inner.borrow().shared;
        let node = match actor.place().same_realm(own) {
            true => Some(shared.me.node),
            false => shared.peers.by_realm(actor.place().realm()).map(|peer| peer.node()),
        };
        node == Some(node_of(host.system(), host.address()))
    }

    /// Whether what is told to an actor of another host is refused, because that is lost.
    pub(crate) fn is_lost(&self, actor: Address, own: Place) -> bool {
        let mut inner = self.enter();
        !actor.place().same_realm(own)
            && inner.slot_to(actor).is_none_or(|slot| inner.slots.get(slot).is_none_or(|of| of.lost))
    }

    /// The host that is decided for a child of this name, by its path.
    pub(crate) fn host_decided(
        &self,
        scope: &Scope<'_>,
        parent: Address,
        name: &str,
    ) -> Option<Result<RemoteHost, RemoteLookupError>> {
        let path = format!("{}/{name}", scope.path(parent));
        let deployment = self.inner.borrow().shared.handle.deployment(&path)?;
        deployment.host.map(|host| host.parse())
    }

    /// Spawns a child on a host. Nothing is begun where that fails.
    pub(crate) fn spawn_child<P: Props>(
        &self,
        scope: &mut Scope<'_>,
        parent: Address,
        wanted: &Wanted<'_>,
        props: P,
        then: impl FnOnce(Result<ActorRef<P::Msg>, RemoteSpawnError>, &mut Scope<'_>) + 'static,
    ) -> Result<(), RemoteSpawnError> {
        let slot = self.enter().begin_birth::<P>(wanted)?;
        let why = Why::default();
        let kept = why.clone();
        let then = move |born: Result<ActorRef<P::Msg>, SpawnError>, scope: &mut Scope<'_>| {
            let born = born.map_err(|error| match (kept.take(), error) {
                (Some(why), _) => why,
                (None, SpawnError::Unreachable) => RemoteSpawnError::Lost,
                (None, error) => RemoteSpawnError::Spawn(error),
            });
            then(born, scope);
        };
        let Some(slot) = slot else { return self.spawn_here(scope, parent, wanted, props, then) };
        let spawner = scope.child_on(parent, 0).ok_or(SpawnError::Stopping)?;
        let spawner = spawner.group(wanted.group).mailbox(wanted.mailbox);
        let spawner = match wanted.name {
            Some(name) => spawner.name(name),
            None => spawner,
        };
        let outpost = spawner.outpost(then)?;
        {
            let mut inner = self.enter();
            inner.now = inner.sockets.now();
            let deadline = inner.now + wanted.within.unwrap_or(inner.shared.config.spawn_within);
            let number = inner.births.insert(Birth {
                slot,
                host: wanted.host.address(),
                outpost,
                name: wanted.name.map(Box::from),
                anywhere: wanted.shard.is_none(),
                envelope: codec::envelope::<P>(),
                props: P::NAME,
                protocol: codec::envelope::<P::Msg>().type_hash,
                encode: Box::new(move |to| codec::encode(&props, to)),
                why,
                deadline,
                sent: false,
            });
            inner.start(slot);
            inner.todo.push(Todo::Bear(number));
        }
        self.work_off(scope);
        Ok(())
    }

    /// The host is this one.
    fn spawn_here<P: Props>(
        &self,
        scope: &mut Scope<'_>,
        parent: Address,
        wanted: &Wanted<'_>,
        props: P,
        then: impl FnOnce(Result<ActorRef<P::Msg>, SpawnError>, &mut Scope<'_>) + 'static,
    ) -> Result<(), RemoteSpawnError> {
        let shared = self.inner.borrow().shared.clone();
        let unknown = || RemoteSpawnError::UnknownProps { name: P::NAME };
        let factory = shared.registry.factory(codec::envelope::<P>().type_hash).ok_or_else(unknown)?;
        let shard = wanted.shard.unwrap_or_else(|| shared.next_child());
        let spawner = scope.child_on(parent, shard.into()).ok_or(SpawnError::Stopping)?;
        let spawner = spawner.group(wanted.group).mailbox(wanted.mailbox);
        let spawner = match wanted.name {
            Some(name) => spawner.name(name),
            None => spawner,
        };
        Ok(factory.spawn_here(spawner, props, then).ok_or_else(unknown)??)
    }

    /// Binds an outpost and sends for its child, if its host is known.
    pub(super) fn bear(&self, number: u64, scope: &mut Scope<'_>) {
        let Some((outpost, place)) = self.enter().birth_place(number) else { return };
        let wanted = scope.bind_outpost(outpost, place);
        let mut inner = self.enter();
        let sent = if wanted { inner.send_birth(number) } else { Err(SpawnError::Stopping.into()) };
        if let Err(error) = sent {
            inner.refuse_birth(number, error);
        }
    }
}

impl Inner {
    /// The link over which a child is to be sent for; `None` for this host.
    fn begin_birth<P: Props>(&mut self, wanted: &Wanted<'_>) -> Result<Option<usize>, RemoteSpawnError> {
        let protocol = codec::envelope::<P::Msg>().type_hash;
        if self.shared.registry.name(protocol) != Some(<P::Msg as codec::Wire>::NAME) {
            let name = <P::Msg as codec::Wire>::NAME;
            return Err(RemoteLookupError::NotRegistered { name }.into());
        }
        let node = self.node_at(wanted.host)?;
        if node == self.shared.me.node {
            return Ok(None);
        }
        let shard = wanted.shard.unwrap_or(0);
        let slot = self.slot_for(LinkTo { node, incarnation: 0, shard });
        slot.map(Some).ok_or(RemoteSpawnError::Spawn(SpawnError::Unreachable))
    }

    /// Where a child is to live that was not sent for yet, once the link to there is open.
    fn birth_place(&mut self, number: u64) -> Option<(Address, Place)> {
        let birth = self.births.waiting.get(&number).filter(|birth| !birth.sent)?;
        let of = self.slots.get(birth.slot).filter(|of| !of.lost && of.link.open().is_some())?;
        Some((birth.outpost.address(), place_of(of.peer.as_ref()?, of.shard)?))
    }

    fn send_birth(&mut self, number: u64) -> Result<(), RemoteSpawnError> {
        let Some(birth) = self.births.waiting.get_mut(&number) else { return Ok(()) };
        let of = &mut self.slots[birth.slot];
        let mut props = vec![0; SPAWN_PROPS_MAX];
        let border = of.border.clone().ok_or(RemoteSpawnError::Lost)?;
        let written = corelane_kernel::within(border, || (birth.encode)(&mut props));
        let name = birth.props;
        let length = written.map_err(|error| match error {
            EncodeError::NoRoom => RemoteSpawnError::TooLarge { name },
            EncodeError::Refused => RemoteSpawnError::Unwritable { name },
        })?;
        let spawn = Spawn {
            envelope: birth.envelope,
            protocol: birth.protocol,
            group: birth.outpost.group(),
            mailbox: birth.outpost.mailbox(),
            anywhere: birth.anywhere,
            name: birth.name.as_deref().unwrap_or_default(),
            path: birth.outpost.path(),
            props: props.get(..length).unwrap_or_default(),
        };
        let (outpost, parent) = (birth.outpost.address().to_raw(), birth.outpost.parent().to_raw());
        let signalled = of.link.signal(self.now, Signal::Spawn { outpost, parent, spawn });
        birth.sent = true;
        let slot = birth.slot;
        // Of whom the props name.
        self.introduce(slot);
        self.settle(slot);
        self.soil(slot);
        signalled.map_err(|_| RemoteSpawnError::Lost)
    }

    /// Something was reported of a child at this place: it is there, or was.
    pub(super) fn known(&mut self, outpost: Address, place: Place) {
        let Some(number) = self.births.by_outpost.get(&outpost).copied() else { return };
        let of = self.births.waiting.get(&number).and_then(|birth| self.slots.get(birth.slot));
        if of.and_then(|of| place_of(of.peer.as_ref()?, of.shard)) == Some(place) {
            self.births.remove(number);
        }
    }

    /// There will be no child.
    fn refuse_birth(&mut self, number: u64, error: RemoteSpawnError) {
        if let Some(birth) = self.births.remove(number) {
            let told = match error {
                RemoteSpawnError::Spawn(error) => error,
                _ => SpawnError::Unreachable,
            };
            birth.why.set(Some(error));
            self.todo.push(Todo::Childless(birth.outpost.address(), told));
        }
    }

    /// A peer has said why there is no child.
    pub(super) fn unborn(&mut self, slot: usize, outpost: Address, why: NoChild) {
        let Some(number) = self.births.by_outpost.get(&outpost).copied() else { return };
        let Some(birth) = self.births.waiting.get(&number) else { return };
        if birth.slot != slot || !birth.sent {
            return;
        }
        let name = birth.props;
        let error = match why {
            NoChild::AskShard(shard) if birth.anywhere => return self.ask_shard(number, shard),
            NoChild::UnknownProps => RemoteSpawnError::UnknownProps { name },
            NoChild::OtherProtocol => RemoteSpawnError::OtherProtocol { name },
            NoChild::Version => RemoteSpawnError::Version { name },
            NoChild::Malformed => RemoteSpawnError::Malformed { name },
            NoChild::OutOfMemory => RemoteSpawnError::OutOfMemory,
            NoChild::ShuttingDown => RemoteLookupError::ShuttingDown.into(),
            NoChild::TooMany => RemoteSpawnError::TooMany,
            _ => RemoteSpawnError::Refused,
        };
        self.refuse_birth(number, error);
    }

    /// The host has chosen a shard.
    fn ask_shard(&mut self, number: u64, shard: u16) {
        let Some(birth) = self.births.waiting.get(&number) else { return };
        let peer = self.slots[birth.slot].peer.clone();
        let slot = peer.and_then(|peer| self.slot_with(peer, shard));
        match (slot, self.births.waiting.get_mut(&number)) {
            (Some(slot), Some(birth)) => {
                (birth.slot, birth.anywhere, birth.sent) = (slot, false, false);
                self.start(slot);
                self.todo.push(Todo::Bear(number));
            }
            _ => self.refuse_birth(number, RemoteSpawnError::Lost),
        }
    }

    /// A link is open: who waited for it is sent for.
    pub(super) fn bear_waiting(&mut self, slot: usize) {
        let waits = |birth: &Birth| birth.slot == slot && !birth.sent;
        self.todo.extend(self.births.which(waits).into_iter().map(Todo::Bear));
    }

    /// A host is lost. Parents of those who were sent for hear of it from the kernel.
    pub(super) fn forget_births(&mut self, slot: usize) {
        for number in self.births.which(|birth| birth.slot == slot && birth.sent) {
            self.births.remove(number);
        }
    }

    /// A host does not want this one.
    pub(super) fn reject_births(&mut self, slot: usize, error: &RemoteLookupError) {
        for number in self.births.which(|birth| birth.slot == slot && !birth.sent) {
            self.refuse_birth(number, error.clone().into());
        }
    }

    /// Gives up whom nobody has heard of in time. Should such a child be there all the same, or come later, it is told to stop
    /// when its host says so: by the kernel, to which its outpost is nobody's by then.
    pub(super) fn expire_births(&mut self) {
        if self.shared.handle.is_shutting_down() {
            // Who was sent for is waited for: its host is there, and stops it at once.
            for number in self.births.which(|birth| !birth.sent) {
                self.refuse_birth(number, RemoteLookupError::ShuttingDown.into());
            }
        }
        while let Some((_, number)) =
            self.births.deadlines.first().copied().filter(|(deadline, _)| *deadline <= self.now)
        {
            let Some(birth) = self.births.waiting.get(&number) else { return };
            let of = &self.slots[birth.slot];
            let error = match (of.rejected, of.refusal) {
                _ if birth.sent => RemoteSpawnError::NoAnswer,
                (Some(reason), _) => RemoteLookupError::Rejected(reason).into(),
                (None, Some(refusal)) => RemoteLookupError::Tls(refusal).into(),
                (None, None) => RemoteLookupError::NotConnected(birth.host).into(),
            };
            self.refuse_birth(number, error);
        }
    }
}
