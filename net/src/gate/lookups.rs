//! Look-ups: those that this shard waits for, and those that it does for others.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corelane_kernel::{Admitted, MessageKind, RawAddress, Scope, Time, Wire};

use super::candidates::{Candidates, Wants};
use super::{Inner, Todo};
use crate::codec::{self, Codec};
use crate::endpoint::Shared;
use crate::link::LinkTo;
use crate::named::AnyUrl;
use crate::peer::node_of;
use crate::reactor::Waker;
use crate::resolve::{Found, HOST, Lookup, NotFound, RemoteHost, RemoteLookupError, RemoteUrl};
use crate::wire::{MessageHead, Target};

/// What becomes of the answer.
pub(super) type Then = Box<dyn FnOnce(&mut Scope<'_>, Result<Admitted, RemoteLookupError>)>;

/// A look-up that waits for its answer.
pub(super) struct Waiting {
    /// The link over which it is asked; `None` for an actor of this system.
    slot: Option<usize>,
    /// The number of the question in that link's row, if it had to wait there.
    kept: Option<u64>,
    url: RemoteUrl,
    /// If the host was called by a name: what else it may be.
    named: Option<Box<Candidates>>,
    pub(super) kind: MessageKind,
    name: &'static str,
    type_hash: u64,
    deadline: Time,
    pub(super) then: Then,
}

impl Waiting {
    pub(super) fn conclude(&self, found: Result<Admitted, NotFound>) -> Result<Admitted, RemoteLookupError> {
        found.map_err(|why| why.explain(&self.url, self.name))
    }
}

pub(super) struct Lookups {
    waiting: HashMap<u64, Waiting>,
    deadlines: BTreeSet<(Time, u64)>,
    last: u64,
    max: usize,
}

impl Lookups {
    pub(super) fn new(max: usize) -> Lookups {
        Lookups { waiting: HashMap::new(), deadlines: BTreeSet::new(), last: 0, max }
    }

    /// The one with this number that is asked over this link.
    pub(super) fn take(&mut self, number: u64, slot: usize) -> Option<Waiting> {
        self.waiting.get(&number).filter(|waiting| waiting.slot == Some(slot))?;
        self.remove(number)
    }

    fn remove(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        self.deadlines.remove(&(waiting.deadline, number));
        Some(waiting)
    }

    fn of(&self, slot: usize) -> Vec<u64> {
        let mut of: Vec<u64> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.slot == Some(slot))
            .map(|(number, _)| *number)
            .collect();
        of.sort_unstable();
        of
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// None is answered any more.
    pub(super) fn end(&mut self) -> Vec<(Then, Result<Admitted, RemoteLookupError>)> {
        let ended = std::mem::take(&mut self.deadlines).into_iter();
        let ended = ended.filter_map(|(_, number)| self.waiting.remove(&number));
        ended.map(|waiting| (waiting.then, Err(RemoteLookupError::ShuttingDown))).collect()
    }
}

/// Who has asked for an actor of this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Peer(Asker),
    /// This shard.
    Own,
}

/// A peer that has asked. As long as it has no answer, it has no credit for the question: so what it asks costs no more here
/// than what it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    /// The link.
    pub(super) slot: usize,
    /// Which life of the peer. Another counts its questions anew, and is not to take the answer for its own.
    pub(super) incarnation: u64,
    /// The length of the question.
    pub(super) length: usize,
}

/// What other threads have found out for this shard.
pub(super) enum Letter {
    Found(Origin, Found),
    /// The addresses of a host, or why there is none.
    Resolved(Wants, Result<Vec<SocketAddr>, String>),
}

/// What was found on other shards, and by the pool, for this one.
pub(super) struct Mail {
    /// There are some: what is looked at in each turn instead of the lock.
    some: AtomicBool,
    letters: Mutex<Vec<Letter>>,
    waker: Waker,
}

impl Mail {
    pub(super) fn new(waker: Waker) -> Mail {
        Mail { some: AtomicBool::new(false), letters: Mutex::default(), waker }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.some.load(Ordering::Acquire)
    }

    fn put(&self, origin: Origin, found: Found) {
        self.post(Letter::Found(origin, found));
    }

    pub(super) fn post(&self, letter: Letter) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        // Said after it is there: who sees this finds it.
        self.some.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn take(&self) -> Vec<Letter> {
        if self.is_empty() {
            return Vec::new();
        }
        self.some.swap(false, Ordering::Acquire);
        std::mem::take(&mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers as if nobody bore the path.
    pub(super) fn find_nobody(&self, origin: Origin, lookup: Lookup) {
        self.put(origin, Found { number: lookup.number, result: Err(NotFound::NoSuchActor(lookup.path)) });
    }

    /// Looks an actor of this system up; the answer comes by this mail, behind what is done with the actor.
    pub(super) fn find(
        self: &Arc<Mail>,
        shared: &Shared,
        origin: Origin,
        lookup: Lookup,
        with: impl FnOnce(corelane_kernel::Address) + Send + 'static,
    ) {
        let Lookup { number, type_hash, path } = lookup;
        let mail = self.clone();
        let found = Box::new(move |found: Result<corelane_kernel::Address, _>| {
            let result = found.map_err(NotFound::from).map(|actor| {
                with(actor);
                actor.to_raw()
            });
            mail.put(origin, Found { number, result });
        });
        if shared.registry.find(type_hash, &shared.handle, &path, found).is_none() {
            self.put(origin, Found { number, result: Err(NotFound::UnknownType) });
        }
    }
}

impl Inner {
    pub(super) fn look_up<M: Wire<Form: Codec<M>>>(&mut self, url: AnyUrl, within: Duration, then: Then) {
        let (url, named) = match url {
            AnyUrl::At(url) => (url, None),
            AnyUrl::Named(url) => {
                let nowhere = url.at(SocketAddr::from(([0; 4], 0)));
                (nowhere, Some(Box::new(Candidates::new(url.host))))
            }
        };
        let is_named = named.is_some();
        match self.begin_lookup::<M>(url.remote_host(), is_named) {
            Ok(slot) => {
                let deadline = self.now + within;
                self.lookups.last += 1;
                let number = self.lookups.last;
                let type_hash = codec::envelope::<M>().type_hash;
                let kind = MessageKind::of::<M>();
                if let Some(named) = &named {
                    self.resolve(Wants::Lookup(number), &named.host);
                }
                let waiting =
                    Waiting { slot, kept: None, url, named, kind, name: M::NAME, type_hash, deadline, then };
                self.lookups.waiting.insert(number, waiting);
                self.lookups.deadlines.insert((deadline, number));
                if !is_named {
                    self.ask_there(number, slot);
                }
            }
            Err(error) => self.todo.push(Todo::Answer(then, Err(error))),
        }
    }

    /// Asks over a link, or this system itself.
    fn ask_there(&mut self, number: u64, slot: Option<usize>) {
        match slot {
            Some(slot) => {
                self.start(slot);
                // There are no more of these at once than may be.
                self.send_lookup(number, usize::MAX);
            }
            None => self.find_here(number),
        }
    }

    /// The link over which a look-up goes; `None` for this system itself, and while the host is a name.
    fn begin_lookup<M: Wire<Form: Codec<M>>>(
        &mut self,
        host: &RemoteHost,
        is_named: bool,
    ) -> Result<Option<usize>, RemoteLookupError> {
        if self.shared.registry.name(codec::envelope::<M>().type_hash) != Some(M::NAME) {
            return Err(RemoteLookupError::NotRegistered { name: M::NAME });
        }
        self.check_system(host.system())?;
        if self.lookups.waiting.len() >= self.lookups.max {
            return Err(RemoteLookupError::TooMany);
        }
        if is_named { Ok(None) } else { self.way_to(host) }
    }

    /// The link to a host; `None` for this system itself.
    fn way_to(&mut self, host: &RemoteHost) -> Result<Option<usize>, RemoteLookupError> {
        let node = self.node_at(host)?;
        if node == self.shared.me.node {
            return Ok(None);
        }
        let slot = self.slot_for(LinkTo { node, incarnation: 0, shard: 0 });
        let slot = slot.ok_or(RemoteLookupError::TooMany)?;
        let detour = if self.slots[slot].failing { self.detour(slot) } else { None };
        Ok(detour.or(Some(slot)))
    }

    /// Another link to the host of this one, to a shard that is there for certain: any shard of a host answers.
    fn detour(&self, slot: usize) -> Option<usize> {
        let node = self.slots[slot].link.to().node;
        let others =
            self.slots.iter().enumerate().filter(|(other, of)| {
                *other != slot && of.link.to().node == node && of.link.open().is_some()
            });
        others.min_by_key(|(_, of)| of.shard).map(|(other, _)| other)
    }

    /// The addresses of a look-up's host are known: the first of them is asked.
    fn resolved(&mut self, number: u64, addresses: Result<Vec<SocketAddr>, String>) {
        let Some(waiting) = self.lookups.waiting.get_mut(&number) else { return };
        let Some(mut named) = waiting.named.take() else { return };
        let addresses = addresses.map_err(|reason| named.host.unresolved(reason));
        let addresses = addresses.map(|addresses| self.line_up(&mut named, addresses, 0));
        if let Some(waiting) = self.lookups.waiting.get_mut(&number) {
            waiting.named = Some(named);
        }
        match addresses {
            Ok(()) => _ = self.ask_next(number),
            Err(error) => self.conclude(number, error),
        }
    }

    /// Asks at the next address of a look-up's host, if there is one. Says whether that has settled it for now.
    fn ask_next(&mut self, number: u64) -> bool {
        let Some(mut named) = self.lookups.waiting.get_mut(&number).and_then(|of| of.named.take()) else {
            return false;
        };
        let next = self.next_way(&mut named, Inner::way_to);
        let Some(waiting) = self.lookups.waiting.get_mut(&number) else { return true };
        waiting.named = Some(named);
        match next {
            Some(Ok((host, slot))) => {
                waiting.url = RemoteUrl::of(host, waiting.url.path());
                (waiting.slot, waiting.kept) = (slot, None);
                self.ask_there(number, slot);
                true
            }
            Some(Err(error)) => {
                self.conclude(number, error);
                true
            }
            None => false,
        }
    }

    /// Nobody was reached over a link: who knows another address goes on there; who does not, over another link to the same host,
    /// which may have lost that shard alone.
    pub(super) fn pass_over(&mut self, slot: usize) {
        for number in self.lookups.of(slot) {
            if self.ask_next(number) {
                continue;
            }
            if let Some(detour) = self.detour(slot)
                && let Some(waiting) = self.lookups.waiting.get_mut(&number)
            {
                (waiting.slot, waiting.kept) = (Some(detour), None);
                self.ask_there(number, Some(detour));
            }
        }
        self.pass_births_over(slot);
    }

    /// A look-up finds nobody.
    fn conclude(&mut self, number: u64, error: RemoteLookupError) {
        if let Some(waiting) = self.lookups.remove(number) {
            self.todo.push(Todo::Answer(waiting.then, Err(error)));
        }
    }

    pub(super) fn check_system(&self, system: &str) -> Result<(), RemoteLookupError> {
        let me = &self.shared.me;
        if system != me.system {
            let (named, own) = (system.to_owned(), me.system.clone());
            return Err(RemoteLookupError::OtherSystem { named, own });
        }
        if self.left.get() {
            return Err(RemoteLookupError::ShuttingDown);
        }
        Ok(())
    }

    /// The node of a host that may be reached, whose address is noted. This one's own is as good as any.
    pub(super) fn node_at(&self, host: &RemoteHost) -> Result<u64, RemoteLookupError> {
        self.check_system(host.system())?;
        let (config, me) = (&self.shared.config, &self.shared.me);
        if !config.permits(host.address()) {
            return Err(RemoteLookupError::BeyondLoopback(host.address()));
        }
        let node = node_of(host.system(), host.address());
        if node != me.node && !self.shared.peers.note_address(node, host.address()) {
            return Err(RemoteLookupError::TooMany);
        }
        Ok(node)
    }

    fn find_here(&mut self, number: u64) {
        let Some(waiting) = self.lookups.waiting.get(&number) else { return };
        let lookup = Lookup { number, type_hash: waiting.type_hash, path: waiting.url.path().to_owned() };
        self.mail.find(&self.shared, Origin::Own, lookup, |_| ());
    }

    /// Asks, if there is a connection. What is lost with one is asked again over the next. Of those that wait, no more than
    /// `most` bytes may be there already.
    fn send_lookup(&mut self, number: u64, most: usize) {
        let Some(waiting) = self.lookups.waiting.get(&number) else { return };
        let Some(slot) = waiting.slot else { return };
        if waiting.kept.is_some_and(|kept| self.slots[slot].pending.holds(kept)) {
            return;
        }
        let lookup = Lookup { number, type_hash: waiting.type_hash, path: waiting.url.path().to_owned() };
        let kept = self.send_or_keep(slot, HOST, &lookup, most);
        if let Some(waiting) = self.lookups.waiting.get_mut(&number) {
            waiting.kept = kept;
        }
    }

    /// Answers a peer, if it is still the one that has asked. What it does not take is dropped, once as much waits as may.
    fn answer(&mut self, asker: Asker, found: &Found) {
        let Asker { slot, incarnation, length } = asker;
        self.slots[slot].link.release(length);
        self.soil(slot);
        let LinkTo { node, incarnation: now, .. } = self.slots[slot].link.to();
        if now == incarnation && !self.send_to_host(slot, found, self.shared.config.pending_bytes) {
            tracing::debug!(
                node,
                incarnation,
                "a look-up of another host is not answered: it does not take the answer"
            );
            self.todo.push(Todo::Unreachable(1));
        }
    }

    /// As [`Inner::send_to_peer`], to the peer's host itself.
    pub(super) fn send_to_host<M: Wire<Form: Codec<M>>>(
        &mut self,
        slot: usize,
        message: &M,
        most: usize,
    ) -> bool {
        self.send_to_peer(slot, HOST, message, most)
    }

    /// As [`Inner::send_to_peer`]. Gives the number of the message in the link's row, if it waits there: a connection that breaks
    /// does not take what waits with it, so as long as the row holds it, it need not be said again.
    pub(super) fn send_or_keep<M: Wire<Form: Codec<M>>>(
        &mut self,
        slot: usize,
        target: Target,
        message: &M,
        most: usize,
    ) -> Option<u64> {
        let number = self.slots[slot].pending.next_number();
        self.send_to_peer(slot, target, message, most);
        (self.slots[slot].pending.next_number() > number).then_some(number)
    }

    /// A message of this gate's own to a peer, if there is a connection. Behind what waits, if the link does not take it now;
    /// not if that is more than `most` bytes already. Says whether it goes, or is as good as lost with a connection.
    fn send_to_peer<M: Wire<Form: Codec<M>>>(
        &mut self,
        slot: usize,
        target: Target,
        message: &M,
        most: usize,
    ) -> bool {
        let head = MessageHead { target, envelope: codec::envelope::<M>() };
        if self.slots[slot].link.open().is_none() {
            return true;
        }
        if self.slots[slot].pending.is_empty()
            && self.write(slot, head, true, |to| codec::encode(message, to)).is_ok()
        {
            return true;
        }
        if self.slots[slot].pending.cost() >= most {
            return false;
        }
        let Ok(bytes) = codec::encode_large(message, 256, 64 << 10) else { return false };
        self.slots[slot].pending.push(head, &bytes);
        self.soil(slot);
        true
    }

    /// A link is open: what is asked over it is asked now, or again; unless that waits to be sent since before.
    pub(super) fn resend_lookups(&mut self, slot: usize) {
        for number in self.lookups.of(slot) {
            self.send_lookup(number, self.shared.config.pending_bytes);
        }
    }

    pub(super) fn reject_lookups(&mut self, slot: usize, why: &RemoteLookupError) {
        for number in self.lookups.of(slot) {
            if !self.ask_next(number) {
                self.conclude(number, why.clone());
            }
        }
    }

    /// Passes on what was found elsewhere.
    pub(super) fn read_mail(&mut self) {
        if self.mail.is_empty() {
            return;
        }
        for letter in self.mail.take() {
            match letter {
                Letter::Resolved(Wants::Lookup(number), addresses) => self.resolved(number, addresses),
                Letter::Resolved(Wants::Birth(number), addresses) => self.birth_resolved(number, addresses),
                Letter::Found(Origin::Peer(asker), found) => self.answer(asker, &found),
                Letter::Found(Origin::Own, found) => {
                    let Some(waiting) = self.lookups.remove(found.number) else { continue };
                    let admitted = found.result.and_then(|raw| self.admit_own(raw, waiting.kind));
                    let found = waiting.conclude(admitted);
                    self.todo.push(Todo::Answer(waiting.then, found));
                }
            }
        }
    }

    fn admit_own(&self, raw: RawAddress, kind: MessageKind) -> Result<Admitted, NotFound> {
        let census = usize::try_from(raw.shard).ok().and_then(|shard| self.shared.home()?.census(shard));
        census.and_then(|census| census.admit_as(raw, kind).ok()).ok_or(NotFound::ShuttingDown)
    }

    pub(super) fn expire_lookups(&mut self) {
        while let Some((_, number)) =
            self.lookups.deadlines.first().copied().filter(|(deadline, _)| *deadline <= self.now)
        {
            let Some(waiting) = self.lookups.remove(number) else { return };
            let of = waiting.slot.and_then(|slot| self.slots.get(slot));
            let error = match of {
                Some(of) => match (of.rejected, of.refusal) {
                    (Some(reason), _) => RemoteLookupError::Rejected(reason),
                    (None, Some(refusal)) if of.link.open().is_none() => RemoteLookupError::Tls(refusal),
                    (None, None) if of.link.open().is_none() => {
                        RemoteLookupError::NotConnected(waiting.url.host())
                    }
                    (None, _) => RemoteLookupError::NoAnswer,
                },
                None => {
                    let overdue = waiting.named.as_deref().and_then(Candidates::overdue);
                    overdue.unwrap_or(RemoteLookupError::NoAnswer)
                }
            };
            self.todo.push(Todo::Answer(waiting.then, Err(error)));
        }
    }
}
