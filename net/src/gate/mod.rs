//! A shard's gate to other hosts: its links, on its sockets, below its kernel's uplink.
//!
//! - **Out**: the kernel offers what no lane leads to ([`uplink`]); it is encoded into the send buffer of the link's connection,
//!   which leaves once a turn. What finds no room, or no connection yet, waits in bounded rows.
//! - **In**: what comes over a connection is read where it lies ([`inbound`]) and told at once. Signals are noted as
//!   [`Todo`]s and done when the link is done with the bytes, since they may speak to it again.
//! - **TLS**, where it is spoken, stands between a connection and its link ([`secure`]).
//! - **Links** say what is to be done about connections ([`slot`]); the gate does it, and calls each link by its time.
//!
//! All of it lives on the shard's thread, without a lock but for what the shards of a host know in common
//! ([`crate::peer`]).

mod adoptions;
mod births;
mod course;
mod inbound;
mod line;
mod lines;
mod lookups;
mod row;
mod secure;
mod slot;
mod uplink;

use std::cell::{Cell, RefCell, RefMut};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::hash::BuildHasherDefault;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use adoptions::Adoption;
use births::Births;
pub(crate) use births::Wanted;
use corelane_kernel::{
    Address, Census, ChildNews, ChildOrder, Place, RawAddress, Scope, SpawnError, StopReason, Time,
};
use corelane_shard::BoxError;
use course::Course;
use line::{Line, Spares};
use lines::Lines;
use lookups::{Lookups, Mail, Then};
use slot::Slot;
use uplink::GateUplink;

use crate::codec::{Reader, Take};
use crate::endpoint::{Shared, port_of};
use crate::link::{Connection, Farewell, LinkTo, greet};
use crate::named::AnyUrl;
use crate::reactor::{Address as SocketAddress, EventKind, Options, SocketId};
use crate::resolve::RemoteLookupError;
use crate::sockets::{Rider, Sink, Sockets};
use crate::tls::{TlsRefusal, TlsStats};
use crate::trust::Tries;
use crate::wire::{EndReason, NoChild, Reason, Signal};

type Fast<V> = HashMap<u64, V, BuildHasherDefault<Take>>;

/// Counts of a shard's gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateStats {
    /// Links to shards of other hosts, whatever state they are in.
    pub links: u64,
    /// Of these, such as have a connection now.
    pub open: u64,
    /// Messages that were written.
    pub messages_out: u64,
    /// Messages that came.
    pub messages_in: u64,
    /// Of these, such as nobody was told, for whatever reason.
    pub refused_in: u64,
    /// Messages that wait for room or for a connection.
    pub pending: u64,
    /// Messages that came and wait for room in the kernel; their senders have no credit for them.
    pub held: u64,
    /// Signals that wait for their acknowledgement.
    pub signals: u64,
    /// Watches by actors of other hosts on actors here.
    pub watches: u64,
    /// Children here of actors of other hosts.
    pub children: u64,
    /// Children on other hosts of which nothing has been heard yet.
    pub births: u64,
    /// Look-ups on other hosts that wait for their answer.
    pub lookups: u64,
    /// Times that a peer was given up, or followed by another life.
    pub lost: u64,
    /// Connections that were closed because of what came over them, and hellos that were refused.
    pub violations: u64,
    /// Connections from outside that were closed at once, since there were as many as may be.
    pub connections_refused: u64,
    /// Connections from outside that have not said hello.
    pub strangers: u64,
    /// Such as were closed: their hello was late, or they were the oldest of too many.
    pub strangers_closed: u64,
    /// What has come of TLS.
    pub tls: TlsStats,
    /// Messages, signals, look-ups and references of untrusted peers that were dropped: beyond what they were given.
    pub untrusted: u64,
}

/// See [`Gate::audit`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Audit {
    /// Connections of which a link found that the peer broke the protocol.
    pub(crate) violations: u64,
    /// Messages that wait for room, of the link that has most.
    pub(crate) held_most: u64,
    /// Messages for which peers have no credit, since they wait for room.
    pub(crate) credit_kept: u64,
}

/// What is left to be done when nothing is borrowed.
enum Todo {
    Watch(Address, Address),
    Unwatch(Address, Address),
    Ended(Address, Address, StopReason),
    Stop(Address),
    Lose(Place),
    Unreachable(u64),
    /// A watch by a link's peer, of these numbers, that is refused.
    Refuse(usize, RawAddress, RawAddress, EndReason),
    /// Somebody was found at a place of a peer.
    Recall(Place),
    Answer(Then, Result<corelane_kernel::Admitted, RemoteLookupError>),
    /// Nobody was reached over this link: what is asked there may be asked elsewhere.
    PassOver(usize),
    /// To send for a child on another host.
    Bear(u64),
    /// There will be no child for an outpost here.
    Childless(Address, SpawnError),
    /// By a link's peer, for an outpost here: there is no child.
    Unborn(usize, Address, NoChild),
    Report(Address, Address, u32, ChildNews),
    Order(Address, Address, u32, ChildOrder),
    Adopt(Box<Adoption>),
    /// To a link's peer, for an outpost of these numbers there: there is no child.
    NoChild(usize, RawAddress, NoChild),
    /// Something that is not to be done in the midst of what the kernel does.
    Call(Box<dyn FnOnce(&mut Scope<'_>)>),
}

/// See the module.
pub struct Gate {
    inner: RefCell<Inner>,
    this: Weak<Gate>,
}

struct Inner {
    this: Weak<Gate>,
    shared: Arc<Shared>,
    shard: u16,
    census: Arc<Census>,
    sockets: Sockets,
    now: Time,
    slots: Vec<Slot>,
    /// By node and shard.
    by_link: HashMap<(u64, u16), usize>,
    /// By realm and shard.
    by_place: Fast<usize>,
    /// What was looked up last, which is what is looked for most often: the slot that leads to a place, how messages of a type
    /// go out to an actor, and how they are read.
    last_place: Option<(u64, usize)>,
    course: Option<Course>,
    last_reader: Option<(u64, Reader)>,
    lines: Lines,
    /// Connections that came in and have not said hello, and until when they may. The oldest first.
    strangers: VecDeque<(Time, Connection)>,
    strangers_closed: u64,
    /// Connections that this end has dialed and that are not under TLS yet, and until when they may. The oldest first.
    handshakes: VecDeque<(Time, Connection)>,
    tls: TlsStats,
    tries: Rc<Tries>,
    /// Until then, refusals are not worth a warning.
    warned_until: Time,
    /// Hellos that were refused before it was known whose link they were for.
    refused: u64,
    incoming: usize,
    /// How many of these there are from each address.
    by_address: HashMap<IpAddr, usize>,
    connections_refused: u64,
    spares: Spares,
    /// What links want to be called for.
    deadlines: BTreeSet<(Time, usize)>,
    dirty: Vec<usize>,
    /// The row that the next dirty ones stand in, as yet empty.
    flushed: Vec<usize>,
    /// Links with messages that wait for room in the kernel.
    holding: Vec<usize>,
    todo: Vec<Todo>,
    lookups: Lookups,
    births: Births,
    mail: Arc<Mail>,
    /// Ends of lives that this shard's links have heard of.
    ends: u64,
    listener: Option<SocketId>,
    left: Cell<bool>,
    lost: u64,
}

impl Gate {
    /// Opens a shard's gate: it listens from here on.
    pub(crate) fn open(
        shared: Arc<Shared>,
        shard: u16,
        census: Arc<Census>,
        sockets: Sockets,
    ) -> Result<Rc<Gate>, BoxError> {
        let mail = Arc::new(Mail::new(sockets.waker()));
        let at = port_of(shared.bind, shard).ok_or("there is no port for the shard")?;
        let spares = Spares::new(shared.config.link.room_min());
        let gate = Rc::new_cyclic(|this: &Weak<Gate>| Gate {
            this: this.clone(),
            inner: RefCell::new(Inner {
                this: this.clone(),
                lookups: Lookups::new(shared.config.lookups_max),
                births: Births::default(),
                shared,
                shard,
                census,
                now: sockets.now(),
                sockets,
                slots: Vec::new(),
                by_link: HashMap::new(),
                by_place: Fast::default(),
                last_place: None,
                course: None,
                last_reader: None,
                lines: Lines::default(),
                strangers: VecDeque::new(),
                strangers_closed: 0,
                handshakes: VecDeque::new(),
                tls: TlsStats::default(),
                tries: Rc::default(),
                warned_until: Time::ZERO,
                refused: 0,
                incoming: 0,
                by_address: HashMap::new(),
                connections_refused: 0,
                spares,
                deadlines: BTreeSet::new(),
                dirty: Vec::new(),
                flushed: Vec::new(),
                holding: Vec::new(),
                todo: Vec::new(),
                mail,
                ends: 0,
                listener: None,
                left: Cell::new(false),
                lost: 0,
            }),
        });
        {
            let mut inner = gate.enter();
            let (taken, door) = (inner.shared.take_port(shard), Door { gate: gate.this.clone() });
            let listener = match taken {
                Some(taken) => inner.sockets.listen_on(taken, door)?,
                None => inner.sockets.listen(&SocketAddress::Ip(at), &Options::default(), door)?,
            };
            inner.sockets.resume(listener);
            inner.listener = Some(listener);
            let rider: Weak<Gate> = gate.this.clone();
            inner.sockets.ride(rider);
        }
        Ok(gate)
    }

    pub(crate) fn uplink(&self) -> GateUplink {
        GateUplink { gate: self.this.upgrade() }
    }

    /// What is behind the gate, to be changed: no course is open.
    fn enter(&self) -> RefMut<'_, Inner> {
        let mut inner = self.inner.borrow_mut();
        inner.close_course();
        inner
    }

    /// What the shard's links have done so far.
    pub fn stats(&self) -> GateStats {
        let inner = self.enter();
        let mut stats = GateStats {
            links: inner.slots.len() as u64,
            lost: inner.lost,
            violations: inner.refused,
            connections_refused: inner.connections_refused,
            strangers: inner.strangers.len() as u64,
            strangers_closed: inner.strangers_closed,
            tls: inner.tls,
            untrusted: inner.tries.dropped(),
            births: inner.births.len() as u64,
            lookups: inner.lookups.len() as u64,
            ..GateStats::default()
        };
        for slot in &inner.slots {
            let of = slot.link.stats();
            stats.open += u64::from(slot.link.open().is_some());
            stats.messages_out += of.messages_out;
            stats.messages_in += of.messages_in;
            stats.refused_in +=
                of.unknown_type + of.unreadable_version + of.malformed + of.wrong_address + of.no_room;
            stats.pending += slot.pending.len() as u64;
            stats.held += slot.held.len() as u64;
            stats.signals += slot.link.signals_waiting() as u64;
            stats.watches += slot.watched.len() as u64;
            stats.children += slot.children as u64;
            stats.violations += of.violations + of.refused;
        }
        stats
    }

    /// What no gate may have, whatever goes wrong: for who checks it.
    pub(crate) fn audit(&self) -> Audit {
        let inner = self.inner.borrow();
        let mut audit = Audit::default();
        for slot in &inner.slots {
            audit.violations += slot.link.stats().violations;
            audit.held_most = audit.held_most.max(slot.held.len() as u64);
            audit.credit_kept += slot.link.held().messages;
        }
        audit
    }

    /// Looks an actor up on another host.
    pub(crate) fn lookup<M: corelane_kernel::Wire<Form: crate::codec::Codec<M>>>(
        &self,
        scope: &mut Scope<'_>,
        url: AnyUrl,
        within: Duration,
        then: impl FnOnce(&mut Scope<'_>, Result<corelane_kernel::ActorRef<M>, RemoteLookupError>) + 'static,
    ) {
        {
            let mut inner = self.enter();
            inner.now = inner.sockets.now();
            let then: Then = Box::new(move |scope, found| {
                // It was checked against `M`.
                let found = found.and_then(|admitted| admitted.typed().ok_or(RemoteLookupError::NoAnswer));
                then(scope, found);
            });
            inner.look_up::<M>(url, within, then);
        }
        self.work_off(scope);
    }

    /// Something has happened at a connection.
    fn hear(&self, connection: Connection, event: EventKind, scope: &mut Scope<'_>) {
        {
            let mut inner = self.enter();
            inner.now = inner.sockets.now();
            match event {
                EventKind::Connected => inner.connected(connection),
                EventKind::Received(chunk) => inner.received(connection, chunk, scope),
                EventKind::Written { buffer, .. } => inner.written(connection, buffer),
                EventKind::Finished | EventKind::Failed(_) => inner.cut(connection),
                EventKind::Closed => inner.gone(connection),
                _ => {}
            }
        }
        self.work_off(scope);
    }

    /// A connection has come in.
    fn accepted(&self, socket: SocketId) {
        let mut inner = self.enter();
        inner.now = inner.sockets.now();
        let from = match inner.sockets.peer_address(socket) {
            Ok(SocketAddress::Ip(address)) => Some(address.ip().to_canonical()),
            _ => None,
        };
        let channel = inner.channel_to_dialer();
        let (true, true, Ok(channel)) = (inner.has_room_for(from), inner.shared.home().is_some(), channel)
        else {
            inner.connections_refused += 1;
            inner.sockets.abort(socket);
            return;
        };
        inner.make_room_for_stranger();
        let connection = inner.lines.next();
        let number = inner.shared.peers.connection();
        let mut line = Line::new(socket, None, Vec::new(), channel, number);
        line.from = from;
        inner.lines.insert(connection, line);
        inner.incoming += 1;
        if let Some(from) = from {
            *inner.by_address.entry(from).or_default() += 1;
        }
        let until = inner.now + inner.shared.config.link.handshake;
        inner.strangers.push_back((until, connection));
        inner.sockets.attach(socket, Ear { gate: inner.this.clone(), connection });
        inner.sockets.resume(socket);
    }

    /// Does what is left to be done.
    fn work_off(&self, scope: &mut Scope<'_>) {
        // What is done may leave more to be done.
        for _ in 0..64 {
            let todo = std::mem::take(&mut self.enter().todo);
            if todo.is_empty() {
                return;
            }
            let mut rest = Rest { gate: self, todo: todo.into_iter() };
            while let Some(todo) = rest.todo.next() {
                match todo {
                    Todo::Watch(watcher, target) => scope.watch_for(watcher, target),
                    Todo::Unwatch(watcher, target) => scope.unwatch_for(watcher, target),
                    Todo::Ended(watcher, target, reason) => scope.end_for(watcher, target, reason),
                    Todo::Stop(target) => scope.stop(target),
                    Todo::Lose(place) => scope.lose_place(place),
                    Todo::Unreachable(count) => (0..count).for_each(|_| scope.count_unreachable()),
                    Todo::Refuse(slot, watcher, target, reason) => {
                        self.enter().refuse_watch(slot, watcher, target, reason);
                    }
                    Todo::Recall(place) => self.enter().recall(place),
                    Todo::Answer(then, found) => then(scope, found),
                    Todo::Call(call) => call(scope),
                    Todo::PassOver(slot) => self.enter().pass_over(slot),
                    Todo::Bear(number) => self.bear(number, scope),
                    Todo::Childless(outpost, error) => {
                        if scope.refuse_outpost(outpost, error).is_err() {
                            return rest.later(Todo::Childless(outpost, error));
                        }
                    }
                    Todo::Unborn(slot, outpost, why) => self.enter().unborn(slot, outpost, why),
                    Todo::Report(outpost, child, round, news) => {
                        if scope.report_for(outpost, child, round, news.clone()).is_err() {
                            return rest.later(Todo::Report(outpost, child, round, news));
                        }
                        self.enter().known(outpost, child.place());
                    }
                    Todo::Order(outpost, child, round, order) => {
                        if scope.order_for(outpost, child, round, order.clone()).is_err() {
                            return rest.later(Todo::Order(outpost, child, round, order));
                        }
                    }
                    Todo::Adopt(adoption) => self.adopt(*adoption, scope),
                    Todo::NoChild(slot, outpost, why) => {
                        self.enter().refuse_child(slot, outpost, why);
                    }
                }
            }
        }
    }
}

/// What is left of a row of things to be done: for later, where there is no room for one of them, or one has panicked.
struct Rest<'a> {
    gate: &'a Gate,
    todo: std::vec::IntoIter<Todo>,
}

impl Rest<'_> {
    /// The kernel has no room for this one now.
    fn later(self, todo: Todo) {
        let gate = self.gate;
        drop(self);
        gate.enter().todo.insert(0, todo);
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        if self.todo.len() > 0 {
            self.gate.enter().todo.splice(0..0, self.todo.by_ref());
        }
    }
}

impl Rider for Gate {
    fn turn(&self, now: Time, scope: &mut Scope<'_>) {
        {
            let mut inner = self.enter();
            inner.now = now;
            inner.dismiss_strangers();
            inner.deliver_held(scope);
            inner.call_links();
            inner.hear_of_ends();
            inner.read_mail();
            inner.expire_lookups();
            inner.expire_births();
            if !inner.left.get()
                && inner.shared.handle.is_shutting_down()
                && scope.stats().actors == 0
                && inner.todo.is_empty()
            {
                inner.leave();
            }
        }
        self.work_off(scope);
    }

    fn submit(&self) {
        self.enter().flush();
    }

    fn has_input(&self) -> bool {
        let inner = self.inner.borrow();
        !inner.todo.is_empty() || !inner.dirty.is_empty() || !inner.mail.is_empty()
    }

    fn next_deadline(&self) -> Option<Time> {
        let inner = self.inner.borrow();
        if !inner.mail.is_empty() {
            return Some(inner.now);
        }
        // A system that ends is left as soon as its actors are gone. The kernel may have room whenever it has had a turn.
        let ends = !inner.left.get() && inner.shared.handle.is_shutting_down();
        let soon = (ends || !inner.holding.is_empty()).then(|| inner.now + Duration::from_millis(1));
        let link = inner.deadlines.first().map(|(at, _)| *at);
        let stranger = inner.strangers.front().map(|(at, _)| *at);
        let handshake = inner.handshakes.front().map(|(at, _)| *at);
        let [lookup, birth] = [inner.lookups.next_deadline(), inner.births.next_deadline()];
        [link, stranger, handshake, soon, lookup, birth].into_iter().flatten().min()
    }

    fn is_quiet(&self) -> bool {
        let inner = self.inner.borrow();
        !inner.shared.handle.is_shutting_down() || inner.left.get()
    }
}

impl Inner {
    /// Whether another connection may come in from there.
    fn has_room_for(&self, from: Option<IpAddr>) -> bool {
        let config = &self.shared.config;
        let of_address = from.and_then(|from| self.by_address.get(&from)).copied().unwrap_or_default();
        self.incoming < config.connections_max && of_address < config.connections_per_address_max
    }

    /// Closes what came in and has not said hello in time, and what was dialed and is not under TLS in time.
    fn dismiss_strangers(&mut self) {
        while let Some((_, connection)) = self.strangers.front().copied().filter(|(at, _)| *at <= self.now) {
            self.dismiss(connection, TlsRefusal::Late, "no hello in time");
        }
        while let Some((_, connection)) = self.handshakes.front().copied().filter(|(at, _)| *at <= self.now) {
            self.handshakes.pop_front();
            self.refuse(connection, TlsRefusal::Late);
        }
    }

    /// Closes the oldest connection without a hello, if there are as many as may be.
    fn make_room_for_stranger(&mut self) {
        while self.strangers.len() >= self.shared.config.strangers_max {
            let Some((_, oldest)) = self.strangers.front().copied() else { return };
            self.dismiss(oldest, TlsRefusal::Crowded, "too many connections without a hello");
        }
    }

    /// Closes a connection without a hello.
    fn dismiss(&mut self, connection: Connection, refusal: TlsRefusal, text: &'static str) {
        self.no_stranger(connection);
        self.strangers_closed += 1;
        if self.lines.get(connection).is_some_and(Line::is_handshaking) {
            self.refuse(connection, refusal);
        } else {
            self.close(connection, Some(Farewell { reason: Reason::TooLate, detail: 0, text }));
        }
    }

    /// A connection that came in has said hello, or is gone.
    fn no_stranger(&mut self, connection: Connection) {
        if let Some(at) = self.strangers.iter().position(|(_, known)| *known == connection) {
            self.strangers.remove(at);
        }
    }

    /// Calls the links whose time has come.
    fn call_links(&mut self) {
        let mut due = Vec::new();
        while let Some((at, slot)) = self.deadlines.first().copied().filter(|(at, _)| *at <= self.now) {
            self.deadlines.remove(&(at, slot));
            self.slots[slot].deadline = None;
            due.push(slot);
        }
        for slot in due {
            self.slots[slot].link.tick(self.now);
            self.settle(slot);
            self.soil(slot);
        }
    }

    /// Other shards' links may have met new lives: what these followed is over here as well.
    fn hear_of_ends(&mut self) {
        let ends = self.shared.peers.ends();
        if std::mem::replace(&mut self.ends, ends) == ends {
            return;
        }
        for slot in 0..self.slots.len() {
            let LinkTo { node, incarnation, .. } = self.slots[slot].link.to();
            if incarnation != 0 && self.shared.peers.is_over(node, incarnation) {
                self.slots[slot].link.outlived(self.now);
                // Also where nothing was between the two yet.
                self.leave_life(slot);
                self.settle(slot);
                self.soil(slot);
            }
        }
    }

    fn refuse_watch(&mut self, slot: usize, watcher: RawAddress, target: RawAddress, reason: EndReason) {
        let ended = Signal::Ended { watcher, target, reason, text: "" };
        // A link that has been left, or lost, has nobody to tell.
        let _ = self.slots[slot].link.signal(self.now, ended);
        self.settle(slot);
        self.soil(slot);
    }

    /// The system ends: the peers are told.
    fn leave(&mut self) {
        self.left.set(true);
        for slot in 0..self.slots.len() {
            self.flush_slot(slot);
            self.slots[slot].link.leave();
            self.settle(slot);
        }
        for connection in self.lines.connections() {
            self.close(connection, None);
        }
        if let Some(listener) = self.listener.take() {
            self.sockets.close(listener);
        }
        for (then, found) in self.lookups.end() {
            self.todo.push(Todo::Answer(then, found));
        }
    }

    /// The first frame of a connection that came in. Says how many bytes it took; `None` while there is not all of it, or if
    /// the connection was closed.
    fn greet(&mut self, connection: Connection, bytes: &[u8]) -> Option<usize> {
        let shared = self.shared.clone();
        let wrong = |text| Farewell { reason: Reason::WrongAddress, detail: 0, text };
        let clear = self.check_clear(connection, bytes);
        let welcomed = clear.and_then(|()| greet(&shared.me, bytes)).and_then(|greeted| {
            let Some((hello, size)) = greeted else { return Ok(None) };
            let address: std::net::SocketAddr =
                hello.address.parse().map_err(|_| wrong("the sender's address is none"))?;
            self.check_name(connection, address)?;
            if crate::peer::node_of(hello.system, address) != hello.node {
                return Err(wrong("the sender's node is not that of its address"));
            }
            if hello.to_shard != self.shard {
                return Err(wrong("another shard"));
            }
            let number = self.lines.get(connection).map_or(0, |line| line.number);
            if !shared.peers.may_meet(hello.node, hello.incarnation, number) {
                let text = "this incarnation was followed by another";
                return Err(Farewell { reason: Reason::Quarantined, detail: 0, text });
            }
            if !shared.peers.note_address(hello.node, address) {
                let text = "more hosts than may be known";
                return Err(Farewell { reason: Reason::Abuse, detail: 0, text });
            }
            let to = LinkTo { node: hello.node, incarnation: 0, shard: hello.from_shard };
            let slot = self.slot_for(to).ok_or_else(|| {
                if self.slots.len() < shared.config.links_max {
                    return wrong("no such shard");
                }
                Farewell { reason: Reason::Abuse, detail: 0, text: "more links than may be" }
            })?;
            let Some(line) = self.lines.get_mut(connection) else { return Ok(None) };
            if line.out.is_empty() {
                line.out = self.spares.large();
            }
            let mut room = line.room();
            self.slots[slot].link.accept(self.now, connection, &hello, &mut room)?;
            let written = room.so_far();
            line.keep(written);
            line.slot = Some(slot);
            line.pass_on(&self.sockets, &mut self.spares);
            Ok(Some((slot, size)))
        });
        match welcomed {
            Ok(Some((slot, size))) => {
                self.no_stranger(connection);
                self.settle(slot);
                Some(size)
            }
            Ok(None) => None,
            Err(farewell) => {
                self.refused += 1;
                tracing::debug!(?farewell.reason, farewell.text, "a hello is refused");
                self.close(connection, Some(farewell));
                None
            }
        }
    }

    /// Closes a connection, with last words.
    fn close(&mut self, connection: Connection, farewell: Option<Farewell>) {
        let Some(mut line) = self.take_line(connection) else { return };
        if let Some(farewell) = farewell.filter(|_| !line.is_handshaking()) {
            line.make_last_room();
            let mut room = line.room();
            farewell.write(&mut room);
            let written = room.so_far();
            line.keep(written);
        }
        line.pass_on(&self.sockets, &mut self.spares);
        if let Some(channel) = &mut line.channel {
            channel.end();
            line.pass_on(&self.sockets, &mut self.spares);
        }
        self.sockets.leave(line.socket);
        self.spares.give_back(line.out);
    }

    /// A connection is none of the gate's any more.
    fn take_line(&mut self, connection: Connection) -> Option<Line> {
        let line = self.lines.remove(connection)?;
        self.incoming -= usize::from(line.came_in);
        if let Some(from) = line.from
            && let Entry::Occupied(mut count) = self.by_address.entry(from)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        match line.slot {
            None => self.no_stranger(connection),
            Some(_) if line.is_handshaking() => self.no_handshake(connection),
            Some(_) => {}
        }
        Some(line)
    }

    /// A connection that this end dialed is there.
    fn connected(&mut self, connection: Connection) {
        let Some(line) = self.lines.get_mut(connection) else { return };
        let Some(slot) = line.slot else { return };
        line.number = self.shared.peers.connection();
        self.sockets.resume(line.socket);
        if line.is_handshaking() {
            line.pass_on(&self.sockets, &mut self.spares);
            return;
        }
        self.dialed(slot, connection);
    }

    /// A connection that this end dialed is good for the hello.
    fn dialed(&mut self, slot: usize, connection: Connection) {
        self.slots[slot].link.dialed(self.now, connection);
        self.slots[slot].dials = None;
        self.settle(slot);
        self.soil(slot);
    }

    /// A connection is lost, or was never made.
    fn gone(&mut self, connection: Connection) {
        let Some(line) = self.take_line(connection) else { return };
        self.sockets.abort(line.socket);
        self.spares.give_back(line.out);
        if let Some(slot) = line.slot {
            self.disconnected(slot, connection);
        }
    }

    /// A link's connection is no more, or was never made.
    fn disconnected(&mut self, slot: usize, connection: Connection) {
        if self.slots[slot].dials.take_if(|dials| *dials == connection).is_some() {
            self.dial_failed(slot);
        } else {
            self.slots[slot].link.disconnected(self.now, connection);
        }
        self.settle(slot);
    }
}

/// Hears what happens at a connection.
struct Ear {
    gate: Weak<Gate>,
    connection: Connection,
}

impl Sink for Ear {
    fn hear(&mut self, socket: SocketId, event: EventKind, sockets: &Sockets, scope: &mut Scope<'_>) {
        match self.gate.upgrade() {
            Some(gate) => gate.hear(self.connection, event, scope),
            None => sockets.abort(socket),
        }
    }
}

/// Hears what happens at the listener.
struct Door {
    gate: Weak<Gate>,
}

impl Sink for Door {
    fn hear(&mut self, socket: SocketId, event: EventKind, sockets: &Sockets, _: &mut Scope<'_>) {
        match (event, self.gate.upgrade()) {
            (EventKind::Accepted(stream), Some(gate)) => gate.accepted(stream),
            (EventKind::Accepted(stream), None) => sockets.abort(stream),
            (EventKind::NotAccepted(error), _) => {
                tracing::warn!(%error, "a connection of another host was not accepted");
                sockets.resume(socket);
            }
            _ => {}
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}
