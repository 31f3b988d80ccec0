//! A link's place in the gate: what it asks for is done here, and what it says is passed on.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use corelane_kernel::{Address, Border, Place, RawAddress, Time, within};

use super::changes::LinkState;
use super::connections::Ear;
use super::line::Line;
use super::row::Row;
use super::{Inner, Todo};
use crate::codec::{Atlas, Crossing, Peer};
use crate::endpoint::{Shared, port_of};
use crate::link::{Action, Connection, Link, LinkTellError, LinkTo, Loss};
use crate::peer::NoLife;
use crate::reactor::{Address as SocketAddress, Options};
use crate::resolve::RemoteLookupError;
use crate::tls::{Channel, TlsRefusal};
use crate::trust::Guard;
use crate::wire::{Introduction, MessageHead, Reason};

/// Rounds of writing in one flush, so that one link's large messages do not hold up the shard.
const ROUNDS: usize = 16;

pub(super) struct Slot {
    pub(super) link: Link,
    /// The peer's shard.
    pub(super) shard: u16,
    /// The life of the peer for which there is a border, and the border.
    pub(super) peer: Option<Arc<Peer>>,
    pub(super) border: Option<Rc<dyn Border>>,
    /// The same, where peers are not trusted.
    pub(super) guard: Option<Rc<Guard>>,
    /// Hosts that messages named of which this peer is to be told.
    pub(super) named: Rc<Named>,
    /// Messages that wait for room, or for a connection.
    pub(super) pending: Row,
    /// Messages that came and for which the kernel has had no room. The peer has no credit for them.
    pub(super) held: Row,
    /// Watches by the peer's actors on actors here.
    pub(super) watched: HashSet<(Address, Address)>,
    /// Children here of the peer's actors.
    pub(super) children: usize,
    /// The peer was given up, and nobody has been met since.
    pub(super) lost: bool,
    pub(super) rejected: Option<Reason>,
    /// Why the last connection that was dialed did not get under TLS.
    pub(super) refusal: Option<TlsRefusal>,
    /// Nobody was reached when it was dialed last.
    pub(super) failing: bool,
    /// The connection that is being made.
    pub(super) dials: Option<Connection>,
    started: bool,
    pub(super) deadline: Option<Time>,
    dirty: bool,
}

impl Slot {
    /// A child of one of the peer's actors has ended.
    pub(super) fn end_child(&mut self) {
        self.children = self.children.saturating_sub(1);
    }
}

/// The hosts that addresses in messages name, beside the two of a link. Notes those of which a peer has not been told where
/// they can be reached.
pub(super) struct Named {
    shared: Arc<Shared>,
    told: RefCell<BTreeMap<u64, Arc<Peer>>>,
    news: RefCell<Vec<Arc<Peer>>>,
}

impl Named {
    fn new(shared: Arc<Shared>) -> Named {
        Named { shared, told: RefCell::default(), news: RefCell::default() }
    }

    /// A connection begins, on which the peer is told anew. What waits for it names whom it named when it was written.
    fn begin(&self, waits: bool) {
        if waits {
            self.news.replace(self.told.borrow().values().cloned().collect());
        } else {
            self.news.borrow_mut().clear();
            self.told.borrow_mut().clear();
        }
    }

    fn take(&self) -> Vec<Arc<Peer>> {
        if self.news.borrow().is_empty() { Vec::new() } else { self.news.take() }
    }
}

impl Atlas for Named {
    fn by_realm(&self, realm: u32) -> Option<Arc<Peer>> {
        let peer = self.shared.peers.by_realm(realm)?;
        if self.told.borrow_mut().insert(peer.node(), peer.clone()).is_none() {
            self.news.borrow_mut().push(peer.clone());
        }
        Some(peer)
    }

    fn by_host(&self, node: u64, incarnation: u64) -> Option<Arc<Peer>> {
        self.shared.peers.named(node, incarnation)
    }
}

/// The key of a place among the gate's links.
pub(super) fn key(realm: u32, shard: u16) -> u64 {
    u64::from(realm) << 16 | u64::from(shard)
}

/// The place of a peer's shard.
pub(super) fn place_of(peer: &Peer, shard: u16) -> Option<Place> {
    let somebody = RawAddress { identity: 1 << 32 | 1, index: 1, shard: shard.into() };
    Some(peer.realm().address(somebody)?.place())
}

impl Inner {
    /// The slot of a link, made if there is none. `None` for a shard that no host has, and for one link more than may be.
    pub(super) fn slot_for(&mut self, to: LinkTo) -> Option<usize> {
        if let Some(slot) = self.by_link.get(&(to.node, to.shard)) {
            return Some(*slot);
        }
        if usize::from(to.shard) >= corelane_kernel::limits::SHARDS_MAX
            || self.slots.len() >= self.shared.config.links_max
        {
            return None;
        }
        let link = Link::new(self.shared.me.clone(), self.shard, to, self.shared.config.link).ok()?;
        let named = Rc::new(Named::new(self.shared.clone()));
        self.slots.push(Slot {
            link,
            shard: to.shard,
            peer: None,
            border: None,
            guard: None,
            named,
            pending: Row::default(),
            held: Row::default(),
            watched: HashSet::new(),
            children: 0,
            lost: false,
            rejected: None,
            refusal: None,
            failing: false,
            dials: None,
            started: false,
            deadline: None,
            dirty: false,
        });
        let slot = self.slots.len() - 1;
        self.by_link.insert((to.node, to.shard), slot);
        Some(slot)
    }

    /// The slot that leads to an address of another realm, unless its host is over or given up.
    pub(super) fn slot_to(&mut self, to: Address) -> Option<usize> {
        let (realm, shard) = (to.place().realm(), to.place().shard() as u16);
        let place = key(realm, shard);
        if let Some((last, slot)) = self.last_place
            && last == place
        {
            return Some(slot);
        }
        if let Some(slot) = self.by_place.get(&place) {
            self.last_place = Some((place, *slot));
            return Some(*slot);
        }
        let peer = self.shared.peers.by_realm(realm)?;
        self.slot_with(peer, shard)
    }

    /// The slot of the link to a shard of this life of a peer, unless that is with another.
    pub(super) fn slot_with(&mut self, peer: Arc<Peer>, shard: u16) -> Option<usize> {
        let to = LinkTo { node: peer.node(), incarnation: peer.incarnation(), shard };
        let slot = self.slot_for(to)?;
        let met = self.slots[slot].link.to().incarnation;
        if met != to.incarnation {
            if met != 0 || self.slots[slot].peer.is_some() {
                // The link is with another life of the host.
                return None;
            }
            self.slots[slot].link.expect(to.incarnation);
        }
        self.enter_life(slot, peer);
        Some(slot)
    }

    /// Gives a slot the border of a life of its peer.
    fn enter_life(&mut self, slot: usize, peer: Arc<Peer>) {
        let Some(home) = self.shared.home().cloned() else { return };
        let realm = peer.realm().realm();
        if self.slots[slot].peer.as_ref().is_some_and(|known| known.realm().realm() == realm) {
            self.slots[slot].lost = false;
            return;
        }
        self.leave_life(slot);
        let of = &mut self.slots[slot];
        let others: Rc<dyn Atlas> = of.named.clone();
        let crossing: Rc<dyn Border> = Rc::new(Crossing::new(home, peer.clone(), Some(others)));
        of.guard = self.shared.trust.as_ref().map(|trust| {
            let (trust, tries) = (trust.clone(), self.tries.clone());
            Rc::new(Guard::new(crossing.clone(), trust, tries, peer.node(), realm))
        });
        of.border = Some(of.guard.clone().map_or(crossing, |guard| guard));
        of.peer = Some(peer);
        of.lost = false;
        self.by_place.insert(key(realm, of.shard), slot);
    }

    /// A life of a slot's peer is over: so is all that was with it.
    pub(super) fn leave_life(&mut self, slot: usize) {
        self.void(slot);
        let of = &mut self.slots[slot];
        of.border = None;
        of.guard = None;
        if let Some(peer) = of.peer.take() {
            if let Some(trust) = &self.shared.trust {
                trust.forget(peer.realm().realm());
            }
            self.by_place.remove(&key(peer.realm().realm(), of.shard));
            self.last_place = None;
            self.course = None;
        }
    }

    /// What was between a slot's peer and this end is void: who watches there is told, and what waits is lost.
    fn void(&mut self, slot: usize) {
        let of = &mut self.slots[slot];
        let waiting = of.pending.len() as u64;
        of.pending.clear();
        if waiting > 0 {
            self.todo.push(Todo::Unreachable(waiting));
        }
        while let Some((_, body)) = of.held.front() {
            of.link.release(body.len());
            of.held.pop();
        }
        of.held.clear();
        of.children = 0;
        // In an order that does not depend on the process.
        let mut watched: Vec<_> = of.watched.drain().collect();
        let numbers = |address: Address| {
            let RawAddress { identity, index, shard } = address.to_raw();
            (shard, index, identity)
        };
        watched.sort_unstable_by_key(|(watcher, target)| (numbers(*watcher), numbers(*target)));
        self.todo.extend(watched.into_iter().map(|(watcher, target)| Todo::Unwatch(watcher, target)));
        if let Some(place) = of.peer.as_ref().and_then(|peer| place_of(peer, of.shard)) {
            self.todo.push(Todo::Lose(place));
        }
        self.forget_births(slot);
        self.retirements.forget(slot);
    }

    /// Has a link dial, if it does not yet.
    pub(super) fn start(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.slots[slot].started, true) {
            self.slots[slot].link.start(self.now);
            self.settle(slot);
        }
    }

    /// Something is to be written for a link, or may be.
    pub(super) fn soil(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.slots[slot].dirty, true) {
            self.dirty.push(slot);
        }
    }

    /// Does what a link asks for, and notes when it wants to be called.
    pub(super) fn settle(&mut self, slot: usize) {
        while let Some(action) = self.slots[slot].link.poll() {
            match action {
                Action::Dial => self.dial(slot),
                Action::Close(connection, farewell) => {
                    let of = &mut self.slots[slot];
                    of.dials.take_if(|dials| *dials == connection);
                    self.close(connection, farewell);
                }
                Action::Up { incarnation, .. } => self.up(slot, incarnation),
                Action::Down => {
                    let incarnation = self.slots[slot].link.to().incarnation;
                    self.note_change(slot, incarnation, LinkState::Down);
                }
                Action::Lost { why, incarnation, .. } => self.lose(slot, why, incarnation),
                Action::Rejected(reason) => {
                    self.slots[slot].rejected = Some(reason);
                    let incarnation = self.slots[slot].link.to().incarnation;
                    self.note_change(slot, incarnation, LinkState::Rejected(reason));
                    self.void(slot);
                    self.slots[slot].lost = true;
                    let error = RemoteLookupError::Rejected(reason);
                    self.reject_lookups(slot, &error);
                    self.reject_births(slot, &error);
                }
            }
        }
        self.schedule(slot);
    }

    fn schedule(&mut self, slot: usize) {
        let of = &mut self.slots[slot];
        // What is overdue waits for room: it is looked at again soon, not at once.
        let soon = self.now + std::time::Duration::from_millis(1);
        let next = of.link.next_time().map(|at| at.max(soon));
        if next == of.deadline {
            return;
        }
        if let Some(before) = std::mem::replace(&mut of.deadline, next) {
            self.deadlines.remove(&(before, slot));
        }
        if let Some(next) = next {
            self.deadlines.insert((next, slot));
        }
    }

    /// Where the peer's shard listens.
    fn address_of(&self, slot: usize) -> Option<SocketAddr> {
        let at = self.host_of(slot).filter(|at| self.shared.config.permits(*at))?;
        port_of(at, self.slots[slot].shard)
    }

    fn dial(&mut self, slot: usize) {
        match self.address_of(slot).and_then(|at| self.nearby(at)) {
            Some(name) => {
                let connection = self.connect(slot, &name, None);
                match connection.and_then(|connection| self.lines.get_mut(connection)) {
                    Some(line) => line.nearby = true,
                    None => self.dial_port(slot),
                }
            }
            None => self.dial_port(slot),
        }
    }

    /// Dials the peer's port.
    pub(super) fn dial_port(&mut self, slot: usize) {
        let dialed = self.address_of(slot).and_then(|at| {
            let channel = self.channel_to_dialed(at.ip()).ok()?;
            let secure = channel.is_some();
            let connection = self.connect(slot, &SocketAddress::Ip(at), channel)?;
            if secure {
                self.handshakes.push_back((self.now + self.shared.config.link.handshake, connection));
            }
            Some(connection)
        });
        if dialed.is_none() {
            self.dial_failed(slot);
        }
    }

    /// Begins a connection of a link.
    fn connect(
        &mut self,
        slot: usize,
        to: &SocketAddress,
        channel: Option<Box<Channel>>,
    ) -> Option<Connection> {
        let connection = self.lines.next();
        let ear = Ear { gate: self.this.clone(), connection };
        let within = Some(self.shared.config.link.handshake);
        let connecting = self.sockets.connect(to, &Options::default(), within, ear);
        let socket = connecting.inspect_err(|error| tracing::debug!(%error, "a link is not dialed")).ok()?;
        let line = Line::new(socket, Some(slot), self.spares.large(), channel, 0);
        self.lines.insert(connection, line);
        self.slots[slot].dials = Some(connection);
        Some(connection)
    }

    /// Nobody was reached.
    pub(super) fn dial_failed(&mut self, slot: usize) {
        self.slots[slot].failing = true;
        self.slots[slot].link.dial_failed(self.now);
        self.todo.push(Todo::PassOver(slot));
    }

    /// A link is open: whoever answers is of this life.
    fn up(&mut self, slot: usize, incarnation: u64) {
        let node = self.slots[slot].link.to().node;
        let open = self.slots[slot].link.open();
        let number = open.and_then(|connection| self.lines.get(connection)).map_or(0, |line| line.number);
        match self.shared.peers.meet(node, incarnation, number) {
            Ok(peer) => {
                self.slots[slot].failing = false;
                self.slots[slot].rejected = None;
                self.slots[slot].refusal = None;
                self.enter_life(slot, peer);
                let of = &self.slots[slot];
                of.named.begin(!of.pending.is_empty() || of.link.signals_waiting() > 0);
                self.introduce(slot);
                self.note_change(slot, incarnation, LinkState::Open);
                self.resend_lookups(slot);
                self.resend_retirements(slot);
                self.bear_waiting(slot);
                self.soil(slot);
            }
            Err(refused) => {
                tracing::warn!(node, incarnation, ?refused, "a host is not met");
                let link = &mut self.slots[slot].link;
                match refused {
                    NoLife::Over => link.outlived(self.now),
                    NoLife::TooMany => link.quarantine(self.now),
                }
            }
        }
    }

    /// The association with a life of the peer is over.
    fn lose(&mut self, slot: usize, why: Loss, incarnation: u64) {
        let node = self.slots[slot].link.to().node;
        tracing::info!(node, incarnation, ?why, "a host is lost");
        self.lost += 1;
        match why {
            Loss::Restarted => {
                self.leave_life(slot);
                // One that has said goodbye is still heard on its other links.
                if !self.shared.peers.is_over(node, incarnation, false) {
                    self.shared.peers.bury(node, incarnation);
                }
            }
            Loss::Left => {
                self.leave_life(slot);
                self.part(node, incarnation);
            }
            _ => self.void(slot),
        }
        self.slots[slot].lost = true;
        // Behind what tells watchers of it.
        self.note_change(slot, incarnation, LinkState::Lost(why));
    }

    /// Somebody was found at a place of a peer. If the link there was lost and has not been dialed again yet, what is told and
    /// watched there waits for it from now on, as before the first time: another link has said that the peer is alive.
    pub(super) fn recall(&mut self, place: Place) {
        let Some(slot) = self.by_place.get(&key(place.realm(), place.shard() as u16)).copied() else {
            return;
        };
        if std::mem::take(&mut self.slots[slot].lost) {
            self.slots[slot].link.hurry(self.now);
            self.settle(slot);
        }
    }

    /// Writes what is due over all links that have something.
    pub(super) fn flush(&mut self) {
        // The same two rows in turn, so that nothing is allocated: what is flushed may be soiled again.
        let spare = std::mem::take(&mut self.flushed);
        let mut dirty = std::mem::replace(&mut self.dirty, spare);
        for slot in dirty.drain(..) {
            self.slots[slot].dirty = false;
            self.flush_slot(slot);
        }
        self.flushed = dirty;
    }

    pub(super) fn flush_slot(&mut self, slot: usize) {
        self.send_pending(slot);
        for round in 0..=ROUNDS {
            let of = &mut self.slots[slot];
            let Some(connection) = of.link.line() else { break };
            let Some(line) = self.lines.get_mut(connection) else { break };
            let (link, now) = (&mut of.link, self.now);
            let (more, used) = line.write(|room| {
                let before = room.used();
                (link.flush(now, room), room.used() - before)
            });
            // Who has no room now hears of it when something was sent.
            let passed = line.pass_on(&self.sockets, &mut self.spares);
            if !more || !passed || used == 0 {
                break;
            }
            if round == ROUNDS {
                self.soil(slot);
            }
        }
        self.settle(slot);
    }

    /// Writes a message, if the link takes it now. `addresses`: there may be some in it.
    #[inline(always)]
    pub(super) fn write(
        &mut self,
        slot: usize,
        head: MessageHead,
        addresses: bool,
        mut encode: impl FnMut(&mut [u8]) -> Result<usize, crate::codec::EncodeError>,
    ) -> Result<(), LinkTellError> {
        let of = &mut self.slots[slot];
        let open = of.link.open().and_then(|connection| self.lines.get_mut(connection));
        let (Some(line), Some(border)) = (open, &of.border) else { return Err(LinkTellError::Down) };
        for last in [false, true] {
            let link = &mut of.link;
            let told = line.write(|room| match addresses {
                true => within(border.clone(), || link.tell_with(room, head, &mut encode)),
                false => link.tell_with(room, head, &mut encode),
            });
            match told {
                Err(LinkTellError::NoRoom) if !last && line.pass_on(&self.sockets, &mut self.spares) => {}
                told => {
                    if told.is_ok() {
                        if addresses {
                            self.introduce(slot);
                        }
                        self.soil(slot);
                    }
                    return told;
                }
            }
        }
        Err(LinkTellError::NoRoom)
    }

    /// Tells a peer where the hosts can be reached that messages to it have named.
    pub(super) fn introduce(&mut self, slot: usize) {
        for peer in self.slots[slot].named.take() {
            if let Some(address) = self.shared.peers.address(peer.node()) {
                let (node, incarnation) = (peer.node(), peer.incarnation());
                let address = address.to_string();
                self.slots[slot].link.introduce(&Introduction { node, incarnation, address: &address });
            }
        }
    }

    /// Sends what waits, as far as it goes.
    fn send_pending(&mut self, slot: usize) {
        if self.slots[slot].pending.is_empty() {
            return;
        }
        let mut pending = std::mem::take(&mut self.slots[slot].pending);
        while let Some((head, bytes)) = pending.front() {
            // Addresses in it were translated when it was written.
            let sent = self.write(slot, head, false, |to| {
                to.get_mut(..bytes.len()).ok_or(crate::codec::EncodeError::NoRoom)?.copy_from_slice(bytes);
                Ok(bytes.len())
            });
            match sent {
                Ok(()) => {}
                Err(LinkTellError::TooLarge | LinkTellError::Unwritable) => {
                    self.todo.push(Todo::Unreachable(1));
                }
                Err(_) => break,
            }
            pending.pop();
        }
        self.slots[slot].pending = pending;
        // Whom they name, somebody else may have told of on a connection that broke.
        self.introduce(slot);
    }
}
