//! What is remembered of a shard's sockets: who hears of each, until when it has time, and whose actor lags.

use std::collections::BTreeSet;
use std::rc::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corelane_kernel::Time;

use super::{Rider, Sink};
use crate::credit::Credit;
use crate::reactor::sim::Network;
use crate::reactor::{Reactor, SocketId, Waker};

/// Accepted connections that were dropped before anybody took them, on whatever thread. A handle, cheap to clone.
#[derive(Clone)]
pub(crate) struct Left(Arc<LeftBehind>);

struct LeftBehind {
    /// There are some: what is looked at in each turn instead of the lock.
    some: AtomicBool,
    sockets: Mutex<Vec<SocketId>>,
    waker: Waker,
}

impl Left {
    pub(super) fn new(waker: Waker) -> Left {
        Left(Arc::new(LeftBehind { some: AtomicBool::new(false), sockets: Mutex::default(), waker }))
    }

    pub(crate) fn leave(&self, socket: SocketId) {
        self.0.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
        // Said after it is there: who sees this finds it.
        self.0.some.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    pub(super) fn has_some(&self) -> bool {
        self.0.some.load(Ordering::Acquire)
    }

    pub(super) fn take(&self, each: impl FnMut(SocketId)) {
        if self.has_some() {
            self.0.some.swap(false, Ordering::Acquire);
            self.0.sockets.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(each);
        }
    }
}

pub(super) struct Inner {
    pub(super) reactor: Reactor,
    pub(super) network: Option<Network>,
    pub(super) rider: Option<Weak<dyn Rider>>,
    /// By the tags of sockets, less one.
    pub(super) seats: Vec<Seat>,
    pub(super) free: Vec<u32>,
    /// What is to be done when.
    pub(super) deadlines: BTreeSet<(Time, SocketId)>,
    /// Connections whose actors lag.
    pub(super) lagging: Vec<(SocketId, Arc<Credit>)>,
    pub(super) linger: Duration,
    /// Sockets that go on sending without an owner.
    pub(super) lingering: usize,
    pub(super) now: Time,
}

#[derive(Default)]
pub(super) struct Seat {
    pub(super) socket: Option<SocketId>,
    pub(super) sink: Option<Box<dyn Sink>>,
    pub(super) deadline: Option<Time>,
    pub(super) lingers: bool,
}

impl Inner {
    pub(super) fn new(reactor: Reactor, network: Option<Network>, linger: Duration, now: Time) -> Inner {
        Inner {
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
        }
    }

    pub(super) fn seat(&mut self, socket: SocketId) -> Option<&mut Seat> {
        let tag = self.reactor.tag(socket)?;
        let seat = self.seats.get_mut(usize::try_from(tag).ok()?.checked_sub(1)?)?;
        (seat.socket == Some(socket)).then_some(seat)
    }

    pub(super) fn take_seat(&mut self, socket: SocketId, sink: Option<Box<dyn Sink>>) {
        let at = self.free.pop().unwrap_or_else(|| {
            self.seats.push(Seat::default());
            (self.seats.len() - 1) as u32
        });
        self.seats[at as usize] = Seat { socket: Some(socket), sink, deadline: None, lingers: false };
        self.reactor.set_tag(socket, u64::from(at) + 1);
    }

    /// Has the driver look at a socket at a time, or no more.
    pub(super) fn set_deadline(&mut self, socket: SocketId, at: Option<Time>) {
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
    pub(super) fn vacate(&mut self, tag: u64) {
        let Some(at) = tag.checked_sub(1) else { return };
        let seat = std::mem::take(&mut self.seats[at as usize]);
        self.lingering -= usize::from(seat.lingers);
        if let (Some(deadline), Some(socket)) = (seat.deadline, seat.socket) {
            self.deadlines.remove(&(deadline, socket));
        }
        self.free.push(at as u32);
    }

    /// Goes on reading where the actor has caught up.
    pub(super) fn catch_up(&mut self) {
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
