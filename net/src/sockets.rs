//! A shard's sockets, and who hears of each of them.
//!
//! The driver takes events from the reactor and hands each to the [`Sink`] of its socket, which tells an actor, or reads a
//! frame where it lies. Sinks are called between turns and one at a time; nothing is borrowed while one is, so it may use
//! any socket.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corelane_kernel::{Scope, Time};
use corelane_shard::{Driven, Driver, DriverWaker, Extension};

use crate::buffers::{Buffer, Chunk};
use crate::credit::{Credit, Received};
use crate::net::Net;
use crate::reactor::sim::Network;
use crate::reactor::{
    Address, Backend, Counters, EventKind, Options, Reactor, SocketError, SocketId, Waker, WriteError,
};

/// Hears what happens at a socket, on the shard's thread between turns. Must not block.
pub trait Sink: 'static {
    /// Something has happened. The last is [`EventKind::Closed`], after which the sink is dropped.
    fn hear(&mut self, socket: SocketId, event: EventKind, sockets: &Sockets, shard: &mut Scope<'_>);
}

/// A protocol of this crate on a shard's sockets, which is called in each turn. Kept weakly: it owns its sockets' handle.
pub(crate) trait Rider: 'static {
    /// Before the kernel's turn, and after what came over sockets was handed out.
    fn turn(&self, now: Time, shard: &mut Scope<'_>);

    /// After the kernel's turn, before what was written is passed on.
    fn submit(&self);

    /// Whether something is to be done in another turn at once.
    fn has_input(&self) -> bool;

    /// When it is to be called though nothing comes.
    fn next_deadline(&self) -> Option<Time>;

    /// Whether nothing is left to be said.
    fn is_quiet(&self) -> bool;
}

/// A shard's sockets. A handle, cheap to clone; lives on the shard's thread.
///
/// Actors use them by [`SocketCtx`](crate::SocketCtx). This is for what lies between: a protocol that reads bytes where they lie
/// installs a [`Sink`].
#[derive(Clone)]
pub struct Sockets {
    inner: Rc<RefCell<Inner>>,
    left: Left,
}

/// Accepted connections that were dropped before anybody took them, on whatever thread.
pub(crate) type Left = Arc<LeftBehind>;

pub(crate) struct LeftBehind {
    sockets: Mutex<Vec<SocketId>>,
    waker: Waker,
}

impl LeftBehind {
    pub(crate) fn leave(&self, socket: SocketId) {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
        self.waker.wake();
    }
}

struct Inner {
    reactor: Reactor,
    network: Option<Network>,
    rider: Option<Weak<dyn Rider>>,
    /// By the tags of sockets, less one.
    seats: Vec<Seat>,
    free: Vec<u32>,
    /// What is to be done when.
    deadlines: BTreeSet<(Time, SocketId)>,
    /// Connections whose actors lag.
    lagging: Vec<(SocketId, Arc<Credit>)>,
    linger: Duration,
    /// Sockets that go on sending without an owner.
    lingering: usize,
    now: Time,
}

#[derive(Default)]
struct Seat {
    socket: Option<SocketId>,
    sink: Option<Box<dyn Sink>>,
    deadline: Option<Time>,
    lingers: bool,
}

impl Inner {
    fn seat(&mut self, socket: SocketId) -> Option<&mut Seat> {
        let tag = self.reactor.tag(socket)?;
        let seat = self.seats.get_mut(usize::try_from(tag).ok()?.checked_sub(1)?)?;
        (seat.socket == Some(socket)).then_some(seat)
    }

    fn take_seat(&mut self, socket: SocketId, sink: Option<Box<dyn Sink>>) {
        let at = self.free.pop().unwrap_or_else(|| {
            self.seats.push(Seat::default());
            (self.seats.len() - 1) as u32
        });
        self.seats[at as usize] = Seat { socket: Some(socket), sink, deadline: None, lingers: false };
        self.reactor.set_tag(socket, u64::from(at) + 1);
    }

    /// Has the driver look at a socket at a time, or no more.
    fn set_deadline(&mut self, socket: SocketId, at: Option<Time>) {
        let Some(seat) = self.seat(socket) else { return };
        let before = std::mem::replace(&mut seat.deadline, at);
        if let Some(before) = before {
            self.deadlines.remove(&(before, socket));
        }
        if let Some(at) = at {
            self.deadlines.insert((at, socket));
        }
    }

    /// The socket of a seat was closed.
    fn vacate(&mut self, tag: u64) {
        let Some(at) = tag.checked_sub(1) else { return };
        let seat = std::mem::take(&mut self.seats[at as usize]);
        self.lingering -= usize::from(seat.lingers);
        if let (Some(deadline), Some(socket)) = (seat.deadline, seat.socket) {
            self.deadlines.remove(&(deadline, socket));
        }
        self.free.push(at as u32);
    }

    /// Goes on reading where the actor has caught up.
    fn catch_up(&mut self) {
        let reactor = &mut self.reactor;
        self.lagging.retain(|(socket, credit)| {
            let lags = credit.lags();
            if !lags && credit.is_wanted() {
                reactor.resume(*socket);
            }
            lags
        });
    }
}

impl Sockets {
    pub(crate) fn new(reactor: Reactor, network: Option<Network>, linger: Duration, now: Time) -> Sockets {
        let left = LeftBehind { sockets: Mutex::default(), waker: reactor.waker() };
        let inner = Inner {
            reactor,
            network,
            rider: None,
            seats: Vec::new(),
            free: Vec::new(),
            deadlines: BTreeSet::new(),
            lagging: Vec::new(),
            linger,
            lingering: 0,
            now,
        };
        Sockets { inner: Rc::new(RefCell::new(inner)), left: Arc::new(left) }
    }

    /// This shard's sockets; `None` where no [`Net`] is loaded.
    pub fn of(shard: &mut Scope<'_>) -> Option<Sockets> {
        Net::part(shard).cloned()
    }

    fn get(&self) -> RefMut<'_, Inner> {
        self.inner.borrow_mut()
    }

    /// What moves the bytes.
    pub fn backend(&self) -> Backend {
        self.get().reactor.backend()
    }

    /// Why it does; see [`Reactor::reason`].
    pub fn reason(&self) -> String {
        self.get().reactor.reason().to_owned()
    }

    /// What the reactor has counted.
    pub fn counters(&self) -> Counters {
        self.get().reactor.counters()
    }

    /// Sockets that are not closed yet.
    pub fn len(&self) -> usize {
        self.get().reactor.sockets()
    }

    /// Whether there is no socket.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Listens; see [`Reactor::listen`].
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn listen(
        &self,
        address: &Address,
        options: &Options,
        sink: impl Sink,
    ) -> Result<SocketId, SocketError> {
        let mut inner = self.get();
        let socket = inner.reactor.listen(address, options)?;
        inner.take_seat(socket, Some(Box::new(sink)));
        Ok(socket)
    }

    /// Connects; see [`Reactor::connect`]. If that takes longer than `within`, it has failed: it timed out.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn connect(
        &self,
        address: &Address,
        options: &Options,
        within: Option<Duration>,
        sink: impl Sink,
    ) -> Result<SocketId, SocketError> {
        let mut inner = self.get();
        let socket = inner.reactor.connect(address, options)?;
        inner.take_seat(socket, Some(Box::new(sink)));
        let deadline = within.map(|within| inner.now + within);
        inner.set_deadline(socket, deadline);
        Ok(socket)
    }

    /// A socket for datagrams; see [`Reactor::datagrams`].
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn datagrams(
        &self,
        address: SocketAddr,
        options: &Options,
        sink: impl Sink,
    ) -> Result<SocketId, SocketError> {
        let mut inner = self.get();
        let socket = inner.reactor.datagrams(address, options)?;
        inner.take_seat(socket, Some(Box::new(sink)));
        Ok(socket)
    }

    /// Has a sink hear of a socket, in place of the one that did: for a connection that was accepted.
    pub fn attach(&self, socket: SocketId, sink: impl Sink) {
        let mut inner = self.get();
        if inner.reactor.tag(socket).is_none() {
            // It is closed already.
            return;
        }
        let before = match inner.seat(socket) {
            Some(seat) => seat.sink.replace(Box::new(sink)),
            None => {
                inner.take_seat(socket, Some(Box::new(sink)));
                None
            }
        };
        drop(inner);
        // What it holds may use the sockets.
        drop(before);
    }

    /// See [`Reactor::write`].
    ///
    /// # Errors
    /// [`WriteError`], with the buffer.
    pub fn write(
        &self,
        socket: SocketId,
        bytes: impl Into<Buffer>,
        token: Option<u64>,
    ) -> Result<(), WriteError> {
        self.get().reactor.write(socket, bytes, token)
    }

    /// See [`Reactor::send_to`].
    ///
    /// # Errors
    /// [`WriteError`], with the buffer.
    pub fn send_to(
        &self,
        socket: SocketId,
        to: SocketAddr,
        bytes: impl Into<Buffer>,
        token: Option<u64>,
    ) -> Result<(), WriteError> {
        self.get().reactor.send_to(socket, to, bytes, token)
    }

    /// See [`Reactor::unsent`].
    pub fn unsent(&self, socket: SocketId) -> usize {
        self.get().reactor.unsent(socket)
    }

    /// See [`Reactor::resume`].
    pub fn resume(&self, socket: SocketId) {
        self.get().reactor.resume(socket);
    }

    /// See [`Reactor::pause`].
    pub fn pause(&self, socket: SocketId) {
        self.get().reactor.pause(socket);
    }

    /// See [`Reactor::finish`].
    pub fn finish(&self, socket: SocketId) {
        self.get().reactor.finish(socket);
    }

    /// See [`Reactor::close`].
    pub fn close(&self, socket: SocketId) {
        self.get().reactor.close(socket);
    }

    /// See [`Reactor::abort`].
    pub fn abort(&self, socket: SocketId) {
        self.get().reactor.abort(socket);
    }

    /// Closes a socket of which nobody wants to hear any more. What was written is sent within the
    /// [linger](crate::NetConfig::linger) time.
    pub fn leave(&self, socket: SocketId) {
        let mut inner = self.get();
        inner.reactor.close(socket);
        if inner.reactor.tag(socket).is_none() {
            return;
        }
        if inner.seat(socket).is_none() {
            inner.take_seat(socket, None);
        }
        let at = inner.now + inner.linger;
        let sink = match inner.seat(socket) {
            Some(seat) if !seat.lingers => {
                seat.lingers = true;
                seat.sink.take()
            }
            _ => return,
        };
        inner.lingering += 1;
        inner.set_deadline(socket, Some(at));
        drop(inner);
        // What it holds may use the sockets.
        drop(sink);
    }

    /// See [`Reactor::local_address`].
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn local_address(&self, socket: SocketId) -> Result<Address, SocketError> {
        self.get().reactor.local_address(socket)
    }

    /// See [`Reactor::peer_address`].
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn peer_address(&self, socket: SocketId) -> Result<Address, SocketError> {
        self.get().reactor.peer_address(socket)
    }

    /// Has a protocol called in each turn, in place of the one that was.
    pub(crate) fn ride(&self, rider: Weak<dyn Rider>) {
        self.get().rider = Some(rider);
    }

    fn rider(&self) -> Option<Rc<dyn Rider>> {
        self.get().rider.as_ref()?.upgrade()
    }

    /// The time of this turn.
    pub(crate) fn now(&self) -> Time {
        self.get().now
    }

    pub(crate) fn waker(&self) -> Waker {
        self.get().reactor.waker()
    }

    pub(crate) fn left(&self) -> Left {
        self.left.clone()
    }

    /// What has come for an actor. With it the actor may lag: nothing more is read for it then until it has caught up.
    pub(crate) fn received(&self, socket: SocketId, chunk: Chunk, credit: &Arc<Credit>) -> Received {
        let (received, pauses) = Received::new(chunk, credit);
        if pauses {
            let mut inner = self.get();
            inner.reactor.pause(socket);
            inner.lagging.push((socket, credit.clone()));
        }
        received
    }

    /// Hands an event to whom it concerns.
    fn tell(&self, socket: SocketId, tag: u64, kind: EventKind, shard: &mut Scope<'_>) {
        let mut inner = self.get();
        let closed = matches!(kind, EventKind::Closed);
        if matches!(kind, EventKind::Connected | EventKind::Failed(_)) {
            inner.set_deadline(socket, None);
        }
        let at = tag.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        let seat = at.and_then(|at| inner.seats.get_mut(at)).filter(|seat| seat.socket == Some(socket));
        let sink = seat.and_then(|seat| seat.sink.take());
        if closed {
            inner.vacate(tag);
        }
        drop(inner);
        let Some(mut sink) = sink else { return };
        sink.hear(socket, kind, self, shard);
        if closed {
            return;
        }
        let mut inner = self.get();
        match inner.seat(socket) {
            // Unless it was replaced or let go meanwhile.
            Some(seat) if seat.sink.is_none() && !seat.lingers => seat.sink = Some(sink),
            _ => {
                drop(inner);
                drop(sink);
            }
        }
    }

    /// Does what is due.
    fn do_due(&self, now: Time, shard: &mut Scope<'_>) {
        loop {
            let mut inner = self.get();
            let Some((at, socket)) = inner.deadlines.first().copied().filter(|(at, _)| *at <= now) else {
                return;
            };
            inner.deadlines.remove(&(at, socket));
            let Some(seat) = inner.seat(socket) else { continue };
            seat.deadline = None;
            let connects = !seat.lingers;
            let tag = inner.reactor.tag(socket).unwrap_or_default();
            inner.reactor.abort(socket);
            drop(inner);
            if connects {
                self.tell(socket, tag, EventKind::Failed(io::ErrorKind::TimedOut.into()), shard);
            }
        }
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inner.try_borrow() {
            Ok(inner) => write!(f, "Sockets({:?})", inner.reactor),
            Err(_) => f.write_str("Sockets"),
        }
    }
}

/// What the shard drives.
pub(crate) struct NetDriver {
    sockets: Sockets,
}

impl NetDriver {
    pub(crate) fn of(sockets: Sockets) -> NetDriver {
        NetDriver { sockets }
    }
}

impl Driver for NetDriver {
    fn complete(&mut self, shard: &mut Scope<'_>, now: Time, budget: u32) -> Driven {
        {
            let mut inner = self.sockets.get();
            inner.now = now;
            if let Some(network) = &inner.network {
                network.advance_to(now.since(Time::ZERO));
            }
            let mut left = self.sockets.left.sockets.lock().unwrap_or_else(PoisonError::into_inner);
            left.drain(..).for_each(|socket| inner.reactor.abort(socket));
            inner.reactor.turn();
        }
        self.sockets.do_due(now, shard);
        let mut driven = Driven::default();
        driven.more = loop {
            if driven.handled >= budget {
                break true;
            }
            let event = self.sockets.get().reactor.next_event();
            let Some(event) = event else { break false };
            self.sockets.tell(event.socket, event.tag, event.kind, shard);
            driven.handled += 1;
        };
        if let Some(rider) = self.sockets.rider() {
            rider.turn(now, shard);
        }
        driven
    }

    fn submit(&mut self) {
        if let Some(rider) = self.sockets.rider() {
            rider.submit();
        }
        let mut inner = self.sockets.get();
        inner.catch_up();
        inner.reactor.submit();
    }

    fn has_input(&mut self) -> bool {
        if self.sockets.rider().is_some_and(|rider| rider.has_input()) {
            return true;
        }
        let mut inner = self.sockets.get();
        inner.reactor.has_input()
            || inner.lagging.iter().any(|(_, credit)| credit.has_caught_up())
            || !self.sockets.left.sockets.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn park(&mut self, timeout: Option<Duration>) {
        self.sockets.get().reactor.park(timeout);
    }

    fn waker(&self) -> DriverWaker {
        let waker = self.sockets.waker();
        Box::new(move || waker.wake())
    }

    fn next_deadline(&mut self) -> Option<Time> {
        let rider = self.sockets.rider().and_then(|rider| rider.next_deadline());
        let inner = self.sockets.get();
        let network = inner.network.as_ref().and_then(Network::next_due).map(|due| Time::ZERO + due);
        inner.deadlines.first().map(|(at, _)| *at).into_iter().chain(network).chain(rider).min()
    }

    fn is_quiet(&self) -> bool {
        self.sockets.get().lingering == 0 && self.sockets.rider().is_none_or(|rider| rider.is_quiet())
    }
}
