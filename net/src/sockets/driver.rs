//! What the shard drives: in each turn what has come is handed out, and what was written is passed on.

use std::io;
use std::time::Duration;

use corelane_kernel::{Scope, Time};
use corelane_shard::{Driven, Driver, DriverWaker};

use super::Sockets;
use crate::reactor::EventKind;
use crate::reactor::sim::Network;

/// A protocol of this crate on a shard's sockets, which is called in each turn. Kept weakly: it owns its sockets' handle.
pub(crate) trait Rider: 'static {
    /// It is this time, and requests of other threads are about to be handled.
    fn advance_to(&self, now: Time);

    /// Before the kernel's turn, and after what came over sockets was handed out. Says how many pieces have come otherwise.
    fn turn(&self, now: Time, shard: &mut Scope<'_>) -> u32;

    /// After the kernel's turn, before what was written is passed on.
    fn submit(&self);

    /// Whether something is to be done in another turn at once.
    fn has_input(&self) -> bool;

    /// The same, asked before the shard sleeps: what comes from here on is to wake it.
    fn has_pending(&self) -> bool;

    /// When it is to be called though nothing comes.
    fn next_deadline(&self) -> Option<Time>;

    /// Whether nothing is left to be said.
    fn is_quiet(&self) -> bool;
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
            self.sockets.left.take(|socket| inner.reactor.abort(socket));
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
            driven.handled += rider.turn(now, shard);
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

    fn advance_to(&mut self, now: Time) {
        self.sockets.get().now = now;
        if let Some(rider) = self.sockets.rider() {
            rider.advance_to(now);
        }
    }

    fn has_input(&mut self) -> bool {
        // First what is awaited most often.
        self.sockets.get().reactor.has_input()
            || self.sockets.has_other_input()
            || self.sockets.rider().is_some_and(|rider| rider.has_input())
    }

    fn has_pending(&mut self) -> bool {
        self.sockets.get().reactor.has_pending()
            || self.sockets.has_other_input()
            || self.sockets.rider().is_some_and(|rider| rider.has_pending())
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
        // A network that is a world of its own needs nobody to move it on.
        let network = inner.network.as_ref().filter(|network| !network.is_world);
        let network = network.and_then(Network::next_due).map(|due| Time::ZERO + due);
        inner.deadlines.first().map(|(at, _)| *at).into_iter().chain(network).chain(rider).min()
    }

    fn is_quiet(&self) -> bool {
        self.sockets.get().lingering == 0 && self.sockets.rider().is_none_or(|rider| rider.is_quiet())
    }
}

impl Sockets {
    /// Whether something is to be done at sockets that is not of the reactor's events.
    fn has_other_input(&self) -> bool {
        self.get().lagging.iter().any(|(_, credit)| credit.has_caught_up()) || self.left.has_some()
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
