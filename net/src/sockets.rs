//! A shard's sockets, and who hears of each of them.
//!
//! The driver takes events from the reactor and hands each to the [`Sink`] of its socket, which tells an actor, or reads a
//! frame where it lies. Sinks are called between turns and one at a time; nothing is borrowed while one is, so it may use
//! any socket.

mod driver;
mod seats;

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use corelane_kernel::{Scope, Time};
use corelane_shard::Extension;

pub(crate) use self::driver::{NetDriver, Rider};
use self::seats::Inner;
pub(crate) use self::seats::Left;
use crate::buffers::{Buffer, Chunk};
use crate::credit::{Credit, Received};
use crate::net::Net;
use crate::reactor::sim::Network;
use crate::reactor::{
    Address, Backend, Counters, EventKind, Options, PeerUser, Reactor, SocketError, SocketId, Taken, Waker,
    WriteError,
};

/// Hears what happens at a socket, on the shard's thread between turns. Must not block.
pub trait Sink: 'static {
    /// Something has happened. The last is [`EventKind::Closed`], after which the sink is dropped.
    fn hear(&mut self, socket: SocketId, event: EventKind, sockets: &Sockets, shard: &mut Scope<'_>);
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

impl Sockets {
    pub(crate) fn new(reactor: Reactor, network: Option<Network>, linger: Duration, now: Time) -> Sockets {
        let left = Left::new(reactor.waker());
        let inner = Inner::new(reactor, network, linger, now);
        Sockets { inner: Rc::new(RefCell::new(inner)), left }
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

    /// Whether this shard's waits may go on for more to come from now on, for as long as
    /// [`ReactorConfig::coalesce`](crate::reactor::ReactorConfig::coalesce) says; they may at first. For a service that sees by
    /// its traffic whether that pays: clients that send many requests at once gain by it, and one that waits for its only
    /// answer does not.
    pub fn set_coalescing(&self, coalescing: bool) {
        self.get().reactor.set_coalescing(coalescing);
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

    /// Listens at an address that was taken before; see [`Reactor::listen_on`].
    pub(crate) fn listen_on(&self, taken: Taken, sink: impl Sink) -> Result<SocketId, SocketError> {
        let mut inner = self.get();
        let socket = inner.reactor.listen_on(taken)?;
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
        address: &Address,
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

    /// See [`Reactor::spare`].
    pub fn spare(&self, room: usize) -> Vec<u8> {
        self.get().reactor.spare(room)
    }

    /// See [`Reactor::send_now`].
    pub fn send_now(&self, socket: SocketId, bytes: &[u8]) -> usize {
        self.get().reactor.send_now(socket, bytes)
    }

    /// See [`Reactor::send_to`].
    ///
    /// # Errors
    /// [`WriteError`], with the buffer.
    pub fn send_to(
        &self,
        socket: SocketId,
        to: impl Into<Address>,
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

    /// See [`Reactor::peer_user`].
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn peer_user(&self, socket: SocketId) -> Result<PeerUser, SocketError> {
        self.get().reactor.peer_user(socket)
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
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inner.try_borrow() {
            Ok(inner) => write!(f, "Sockets({:?})", inner.reactor),
            Err(_) => f.write_str("Sockets"),
        }
    }
}
