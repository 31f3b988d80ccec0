//! Births: children of this shard's actors that are to be spawned on other hosts, until it is known what became of them.
//!
//! An outpost stands for each among its parent's children from the beginning. Where its host is, if that is called by a name, is
//! found out; who is not known yet, or not reached, is waited for; then the child is sent for by a signal, which arrives once
//! and is answered once, or the host is lost. All that is bounded by one deadline.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use corelane_kernel::{ActorRef, Address, Outpost, Place, Scope, SpawnError, Time};

use super::candidates::{Candidates, Wants};
use super::errand::{AnyErrand, Errand, Fate, How};
use super::slot::place_of;
use super::{Gate, Inner, Todo};
use crate::codec::{self, EncodeError, Envelope, Props};
use crate::link::LinkTo;
use crate::named::{AnyHost, NamedHost};
use crate::peer::node_of;
use crate::resolve::{RemoteHost, RemoteLookupError};
use crate::spawning::RemoteSpawnError;
use crate::wire::{NoChild, SPAWN_PROPS_MAX, Signal, Spawn};

/// What is wanted of a child, but for its props.
pub(crate) struct Wanted<'a> {
    pub(crate) host: &'a AnyHost,
    pub(crate) how: How<'a>,
    /// How long the child may be waited for; what the endpoint says unless told otherwise.
    pub(crate) within: Option<Duration>,
}

/// Where a child is to be spawned.
enum Way {
    /// On this host.
    Here,
    /// Over a link.
    Over(usize, SocketAddr),
    /// On a host that is yet to be found.
    Named(NamedHost),
}

/// A child that is not there yet.
struct Birth {
    /// The link over which it is sent for, and the address of its host; `None` until that is found.
    slot: Option<usize>,
    host: Option<SocketAddr>,
    /// If the host was called by a name: where else it may be. Nowhere, once the child was sent for.
    named: Option<Box<Candidates>>,
    outpost: Outpost,
    anywhere: bool,
    envelope: Envelope,
    props: &'static str,
    protocol: u64,
    errand: Rc<dyn AnyErrand>,
    /// Until when the child is waited for.
    deadline: Time,
    /// It was sent for, and the host has not said yet what became of it.
    sent: bool,
}

impl Birth {
    /// Whether it waits for a link to be open.
    fn waits_for(&self, slot: usize) -> bool {
        self.slot == Some(slot) && !self.sent
    }
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
    pub(crate) fn own_host(&self) -> AnyHost {
        let shared = &self.inner.borrow().shared;
        AnyHost::At(RemoteHost::new(&shared.me.system, shared.public))
    }

    /// Does something in the next turn: an outpost of which its parent was just told is gone by then, and its name is free.
    pub(crate) fn call_later(&self, call: impl FnOnce(&mut Scope<'_>) + 'static) {
        self.enter().todo.push(Todo::Call(Box::new(call)));
    }

    /// Whether children may be spawned on a host at all, as far as is known here: of one that is called by a name, that is
    /// little.
    pub(crate) fn check_host(&self, host: &AnyHost) -> Result<(), RemoteLookupError> {
        let inner = self.inner.borrow();
        match host {
            AnyHost::At(host) => inner.node_at(host).map(drop),
            AnyHost::Named(host) => inner.check_system(&host.system),
        }
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
    ) -> Option<Result<AnyHost, RemoteLookupError>> {
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
        let way = self.enter().begin_birth::<P>(wanted)?;
        if let Way::Here = way {
            let then = move |born: Result<_, SpawnError>, scope: &mut Scope<'_>| {
                then(born.map_err(RemoteSpawnError::Spawn), scope);
            };
            return self.spawn_here(scope, parent, wanted.how, props, then);
        }
        let errand = Rc::new(Errand::new(parent, wanted.how, props));
        let kept = errand.clone();
        let then = move |born: Result<_, SpawnError>, scope: &mut Scope<'_>| kept.conclude(born, scope, then);
        let spawner = scope.child_on(parent, 0).ok_or(SpawnError::Stopping)?;
        let spawner = spawner.group(wanted.how.group).mailbox(wanted.how.mailbox);
        let spawner = match wanted.how.name {
            Some(name) => spawner.name(name),
            None => spawner,
        };
        let outpost = spawner.outpost(then)?;
        {
            let mut inner = self.enter();
            inner.now = inner.sockets.now();
            let deadline = inner.now + wanted.within.unwrap_or(inner.shared.config.spawn_within);
            let number = inner.births.insert(Birth {
                slot: None,
                host: None,
                named: None,
                outpost,
                anywhere: wanted.how.shard.is_none(),
                envelope: codec::envelope::<P>(),
                props: P::NAME,
                protocol: codec::envelope::<P::Msg>().type_hash,
                errand,
                deadline,
                sent: false,
            });
            inner.go(number, way);
        }
        self.work_off(scope);
        Ok(())
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
    /// Where a child is to be spawned.
    fn begin_birth<P: Props>(&mut self, wanted: &Wanted<'_>) -> Result<Way, RemoteSpawnError> {
        let protocol = codec::envelope::<P::Msg>().type_hash;
        if self.shared.registry.name(protocol) != Some(<P::Msg as codec::Wire>::NAME) {
            let name = <P::Msg as codec::Wire>::NAME;
            return Err(RemoteLookupError::NotRegistered { name }.into());
        }
        match wanted.host {
            AnyHost::At(host) => self.way_to_child(host, wanted.how.shard),
            AnyHost::Named(host) => {
                self.check_system(&host.system)?;
                Ok(Way::Named(host.clone()))
            }
        }
    }

    /// The way to a child on a shard of a host, or on whichever that chooses.
    fn way_to_child(&mut self, host: &RemoteHost, shard: Option<u16>) -> Result<Way, RemoteSpawnError> {
        let node = self.node_at(host)?;
        if node == self.shared.me.node {
            return Ok(Way::Here);
        }
        let slot = self.slot_for(LinkTo { node, incarnation: 0, shard: shard.unwrap_or(0) });
        let slot = slot.ok_or(RemoteSpawnError::Spawn(SpawnError::Unreachable))?;
        Ok(Way::Over(slot, host.address()))
    }

    /// Sends for a child that way, as soon as that can be.
    fn go(&mut self, number: u64, way: Way) {
        let Some(birth) = self.births.waiting.get_mut(&number) else { return };
        match way {
            Way::Here => self.settle_birth(number, Fate::Here),
            Way::Over(slot, host) => {
                (birth.slot, birth.host) = (Some(slot), Some(host));
                self.start(slot);
                self.todo.push(Todo::Bear(number));
            }
            Way::Named(host) => {
                let named = birth.named.insert(Box::new(Candidates::new(host)));
                let host = named.host.clone();
                self.resolve(Wants::Birth(number), &host);
            }
        }
    }

    /// The addresses of a birth's host are known: the first of them is tried. A name that is this host's own leads nowhere else.
    pub(super) fn birth_resolved(&mut self, number: u64, addresses: Result<Vec<SocketAddr>, String>) {
        let Some(birth) = self.births.waiting.get_mut(&number) else { return };
        let Some(mut named) = birth.named.take() else { return };
        let shard = birth.errand.shard().unwrap_or(0);
        match addresses {
            Ok(addresses) if addresses.contains(&self.shared.public) => self.go(number, Way::Here),
            Ok(addresses) => {
                self.line_up(&mut named, addresses, shard);
                self.put_back(number, named);
                self.try_next(number);
            }
            Err(reason) => self.refuse_birth(number, named.host.unresolved(reason).into()),
        }
    }

    fn put_back(&mut self, number: u64, named: Box<Candidates>) {
        if let Some(birth) = self.births.waiting.get_mut(&number) {
            birth.named = Some(named);
        }
    }

    /// Goes to the next address of a birth's host, if there is one. Says whether that has settled it for now.
    fn try_next(&mut self, number: u64) -> bool {
        let Some(birth) = self.births.waiting.get_mut(&number) else { return true };
        let Some(mut named) = birth.named.take() else { return false };
        let shard = birth.errand.shard();
        let next = self.next_way(&mut named, |inner, host| inner.way_to_child(host, shard));
        self.put_back(number, named);
        match next {
            Some(Ok((_, way))) => self.go(number, way),
            Some(Err(error)) => self.refuse_birth(number, error),
            None => return false,
        }
        true
    }

    /// Nobody was reached over a link: a child that may be had at another address is.
    pub(super) fn pass_births_over(&mut self, slot: usize) {
        for number in self.births.which(|birth| birth.waits_for(slot)) {
            self.try_next(number);
        }
    }

    /// Where a child is to live that was not sent for yet, once the link to there is open.
    fn birth_place(&mut self, number: u64) -> Option<(Address, Place)> {
        let birth = self.births.waiting.get(&number).filter(|birth| !birth.sent)?;
        let of = self.slots.get(birth.slot?).filter(|of| !of.lost && of.link.open().is_some())?;
        Some((birth.outpost.address(), place_of(of.peer.as_ref()?, of.shard)?))
    }

    fn send_birth(&mut self, number: u64) -> Result<(), RemoteSpawnError> {
        let Some(birth) = self.births.waiting.get_mut(&number) else { return Ok(()) };
        let Some(slot) = birth.slot else { return Ok(()) };
        let of = &mut self.slots[slot];
        let mut props = vec![0; SPAWN_PROPS_MAX];
        let border = of.border.clone().ok_or(RemoteSpawnError::Lost)?;
        let written = corelane_kernel::within(border, || birth.errand.encode(&mut props));
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
            name: birth.errand.name(),
            path: birth.outpost.path(),
            props: props.get(..length).unwrap_or_default(),
        };
        let (outpost, parent) = (birth.outpost.address().to_raw(), birth.outpost.parent().to_raw());
        let signalled = of.link.signal(self.now, Signal::Spawn { outpost, parent, spawn });
        // Whoever is there is the one: a child that may be there is not had elsewhere.
        (birth.sent, birth.named) = (true, None);
        // Of whom the props name.
        self.introduce(slot);
        self.settle(slot);
        self.soil(slot);
        signalled.map_err(|_| RemoteSpawnError::Lost)
    }

    /// Something was reported of a child at this place: it is there, or was.
    pub(super) fn known(&mut self, outpost: Address, place: Place) {
        let Some(number) = self.births.by_outpost.get(&outpost).copied() else { return };
        let of = self.births.waiting.get(&number).and_then(|birth| self.slots.get(birth.slot?));
        if of.and_then(|of| place_of(of.peer.as_ref()?, of.shard)) == Some(place) {
            self.births.remove(number);
        }
    }

    /// There will be no child.
    fn refuse_birth(&mut self, number: u64, error: RemoteSpawnError) {
        self.settle_birth(number, Fate::Refused(error));
    }

    /// No child is to be sent for: its outpost hears why.
    fn settle_birth(&mut self, number: u64, fate: Fate) {
        if let Some(birth) = self.births.remove(number) {
            let told = match fate {
                Fate::Refused(RemoteSpawnError::Spawn(error)) => error,
                _ => SpawnError::Unreachable,
            };
            birth.errand.settle(fate);
            self.todo.push(Todo::Childless(birth.outpost.address(), told));
        }
    }

    /// A peer has said why there is no child.
    pub(super) fn unborn(&mut self, slot: usize, outpost: Address, why: NoChild) {
        let Some(number) = self.births.by_outpost.get(&outpost).copied() else { return };
        let Some(birth) = self.births.waiting.get(&number) else { return };
        if birth.slot != Some(slot) || !birth.sent {
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
        let of = self.births.waiting.get(&number).and_then(|birth| self.slots.get(birth.slot?));
        let peer = of.and_then(|of| of.peer.clone());
        let slot = peer.and_then(|peer| self.slot_with(peer, shard));
        match (slot, self.births.waiting.get_mut(&number)) {
            (Some(slot), Some(birth)) => {
                (birth.slot, birth.anywhere, birth.sent) = (Some(slot), false, false);
                self.start(slot);
                self.todo.push(Todo::Bear(number));
            }
            _ => self.refuse_birth(number, RemoteSpawnError::Lost),
        }
    }

    /// A link is open: who waited for it is sent for.
    pub(super) fn bear_waiting(&mut self, slot: usize) {
        let waiting = self.births.which(|birth| birth.waits_for(slot));
        self.todo.extend(waiting.into_iter().map(Todo::Bear));
    }

    /// A host is lost. Parents of those who were sent for hear of it from the kernel.
    pub(super) fn forget_births(&mut self, slot: usize) {
        for number in self.births.which(|birth| birth.slot == Some(slot) && birth.sent) {
            self.births.remove(number);
        }
    }

    /// A host does not want this one.
    pub(super) fn reject_births(&mut self, slot: usize, error: &RemoteLookupError) {
        for number in self.births.which(|birth| birth.waits_for(slot)) {
            if !self.try_next(number) {
                self.refuse_birth(number, error.clone().into());
            }
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
            let error = self.why_not_sent(birth).map_or(RemoteSpawnError::NoAnswer, RemoteSpawnError::Host);
            self.refuse_birth(number, error);
        }
    }

    /// Why a child could not be sent for. `None` if it was.
    fn why_not_sent(&self, birth: &Birth) -> Option<RemoteLookupError> {
        if birth.sent {
            return None;
        }
        let of = birth.slot.and_then(|slot| self.slots.get(slot));
        Some(match (of.and_then(|of| of.rejected), of.and_then(|of| of.refusal), birth.host) {
            (Some(reason), ..) => RemoteLookupError::Rejected(reason),
            (None, Some(refusal), _) => RemoteLookupError::Tls(refusal),
            (None, None, Some(host)) => RemoteLookupError::NotConnected(host),
            (None, None, None) => birth.named.as_deref()?.overdue()?,
        })
    }
}
