//! A shard's gate to other hosts: its links, on its sockets, below its kernel's uplink.
//!
//! - **Out**: the kernel offers what no lane leads to ([`uplink`]); it is encoded into the send buffer of the link's connection,
//!   which leaves once a turn. What finds no room, or no connection yet, waits in bounded rows.
//! - **In**: what comes over a connection is read where it lies ([`inbound`]) and told at once. Signals are noted as
//!   [`Todo`]s and done when the link is done with the bytes, since they may speak to it again.
//! - **Peers on this machine** are spoken to over Unix sockets ([`nearby`]), and through memory that is shared ([`sharing`]).
//! - **TLS**, where it is spoken, stands between a connection and its link ([`secure`]).
//! - **Hosts that are called by names** are found off this thread, and tried at each of their addresses ([`candidates`]).
//! - **Outcomes** of what actors asked for are handed to them whatever is full ([`outcomes`]).
//! - **Links** say what is to be done about connections ([`slot`]); the gate does it ([`connections`]), and calls each link by
//!   its time.
//!
//! All of it lives on the shard's thread, without a lock but for what the shards of a host know in common
//! ([`crate::peer`]).

mod adoptions;
mod births;
mod candidates;
mod changes;
mod connections;
mod course;
mod errand;
mod inbound;
mod line;
mod lines;
mod lookups;
mod nearby;
mod outcomes;
mod partings;
mod retirements;
mod row;
mod secure;
mod sharing;
mod slot;
mod stats;
mod strangers;
mod todo;
mod uplink;

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::hash::BuildHasherDefault;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use births::Births;
pub(crate) use births::Wanted;
pub use changes::{LinkEvent, LinkState};
use connections::Door;
use corelane_kernel::{Census, Scope, Time};
use corelane_shard::BoxError;
use course::Course;
pub(crate) use errand::How;
use line::Spares;
use lines::Lines;
use lookups::{Lookups, Mail, Then};
use outcomes::Outcomes;
use partings::Partings;
use retirements::Retirements;
use slot::Slot;
pub use stats::GateStats;
use strangers::Strangers;
use todo::Todo;
use uplink::GateUplink;

use crate::codec::{Reader, Take};
use crate::endpoint::{Shared, port_of};
use crate::link::Connection;
use crate::named::AnyUrl;
use crate::reactor::{Address as SocketAddress, Options, SocketId};
use crate::resolve::RemoteLookupError;
use crate::sockets::{Rider, Sockets};
use crate::tls::TlsStats;
use crate::trust::Tries;
use crate::wire::Signal;

type Fast<V> = HashMap<u64, V, BuildHasherDefault<Take>>;

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
    /// Connections that came in and have not said hello.
    strangers: Strangers,
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
    retirements: Retirements,
    outcomes: Outcomes,
    mail: Arc<Mail>,
    /// Ends and goodbyes of lives that this shard's links have heard of.
    ends: u64,
    partings: Partings,
    listener: Option<SocketId>,
    /// For peers on this machine.
    listener_nearby: Option<SocketId>,
    /// Connections whose bytes go through memory.
    sharing: Vec<Connection>,
    /// A piece of what came so, while it is read.
    piece: Vec<u8>,
    /// Peers ring before this shard reads what they share with it.
    asleep: Cell<bool>,
    /// Connections that were closed since what a peer wrote to shared memory could not be.
    broken: u64,
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
                retirements: Retirements::default(),
                outcomes: Outcomes::default(),
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
                strangers: Strangers::default(),
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
                partings: Partings::default(),
                listener: None,
                listener_nearby: None,
                sharing: Vec::new(),
                piece: Vec::new(),
                asleep: Cell::new(false),
                broken: 0,
                left: Cell::new(false),
                lost: 0,
            }),
        });
        {
            let mut inner = gate.enter();
            let (taken, door) =
                (inner.shared.take_port(shard), Door { gate: gate.this.clone(), nearby: false });
            let listener = match taken {
                Some(taken) => inner.sockets.listen_on(taken, door)?,
                None => inner.sockets.listen(&SocketAddress::Ip(at), &Options::default(), door)?,
            };
            inner.sockets.resume(listener);
            inner.listener = Some(listener);
            inner.listen_nearby(at);
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
}

impl Rider for Gate {
    fn advance_to(&self, now: Time) {
        self.enter().now = now;
    }

    fn turn(&self, now: Time, scope: &mut Scope<'_>) -> u32 {
        let pieces = {
            let mut inner = self.enter();
            inner.now = now;
            let pieces = inner.read_memories(scope);
            inner.dismiss_strangers();
            inner.deliver_held(scope);
            inner.call_links();
            inner.end_partings();
            inner.hear_of_ends();
            inner.read_mail();
            inner.expire_lookups();
            inner.expire_births();
            if !inner.left.get() && inner.shared.handle.is_shutting_down() {
                inner.end(scope.stats().actors == 0);
            }
            pieces
        };
        self.work_off(scope);
        self.hand_over_outcomes(scope);
        pieces
    }

    fn submit(&self) {
        self.enter().flush();
    }

    fn has_input(&self) -> bool {
        let inner = self.inner.borrow();
        !inner.todo.is_empty()
            || !inner.dirty.is_empty()
            || !inner.mail.is_empty()
            || inner.outcomes.are_fresh()
            || inner.have_memories_input()
    }

    fn has_pending(&self) -> bool {
        self.has_input() || self.inner.borrow().memories_sleep()
    }

    fn next_deadline(&self) -> Option<Time> {
        let inner = self.inner.borrow();
        if !inner.mail.is_empty() {
            return Some(inner.now);
        }
        // A system that ends is left as soon as its actors are gone. The kernel may have room whenever it has had a turn.
        let ends = !inner.left.get() && inner.shared.handle.is_shutting_down();
        let waits = !inner.holding.is_empty() || !inner.outcomes.is_empty();
        let soon = (ends || waits).then(|| inner.now + Duration::from_millis(1));
        let link = inner.deadlines.first().map(|(at, _)| *at);
        let stranger = inner.strangers.next_deadline();
        let handshake = inner.handshakes.front().map(|(at, _)| *at);
        let [lookup, birth] = [inner.lookups.next_deadline(), inner.births.next_deadline()];
        let parting = inner.partings.next_deadline();
        [link, stranger, handshake, soon, lookup, birth, parting].into_iter().flatten().min()
    }

    fn is_quiet(&self) -> bool {
        let inner = self.inner.borrow();
        !inner.shared.handle.is_shutting_down() || inner.left.get()
    }
}

impl Inner {
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

    /// Other links, perhaps of other shards, may have met new lives, or were told goodbye: what these followed, and were told
    /// goodbye by, is over here as well.
    fn hear_of_ends(&mut self) {
        let ends = self.shared.peers.ends();
        if std::mem::replace(&mut self.ends, ends) != ends {
            (0..self.slots.len()).for_each(|slot| self.end_if_over(slot));
        }
    }

    fn say_of_watch(&mut self, slot: usize, signal: Signal<'_>) {
        // A link that has been left, or lost, has nobody to tell.
        let _ = self.slots[slot].link.signal(self.now, signal);
        self.settle(slot);
        self.soil(slot);
    }

    /// The system ends, and this shard has no actors any more, or some still. With the first goodbye it is soon over for its peers,
    /// on whatever link ([`partings`]), so nobody says it before all shards are done: what their last actors say is heard.
    fn end(&mut self, is_empty: bool) {
        if is_empty && self.todo.is_empty() {
            self.shared.done(self.shard);
        }
        if self.shared.are_done() {
            self.leave();
        }
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
        for listener in [self.listener.take(), self.listener_nearby.take()].into_iter().flatten() {
            self.sockets.close(listener);
        }
        for (then, found) in self.lookups.end() {
            self.todo.push(Todo::Answer(then, found));
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}
