//! The hall: where routees wait for their owner, who is suspended while nobody is there to be told.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corelane_kernel::router::PoolError;
use corelane_kernel::{ActorRef, Address, Failure, Scope, SpawnError, Time};

use crate::error::SpawnOnError;

/// Since when a routee is there, and how many came before it in its place that did not live long.
pub(super) struct Life {
    pub(super) routee: Address,
    pub(super) since: Time,
    pub(super) before: u32,
}

/// Where routees wait for the owner.
pub(super) struct Hall<M> {
    /// Somebody is here, or somebody who was on the way will not come.
    pub(super) any: Cell<bool>,
    pub(super) arrived: RefCell<Vec<(ActorRef<M>, Life)>>,
    pub(super) awaited: RefCell<Vec<Awaited>>,
    /// Somebody who was on the way will not come: another is to.
    pub(super) short: Cell<bool>,
    /// The owner is suspended until nobody is on the way.
    pub(super) held: Cell<bool>,
    /// The instance of the owner that the pool belongs to has ended.
    pub(super) over: Cell<bool>,
}

/// Somebody on the way.
pub(super) struct Awaited {
    pub(super) number: u64,
    pub(super) shard: usize,
    pub(super) before: u32,
}

impl<M: 'static> Hall<M> {
    pub(super) fn new() -> Rc<Hall<M>> {
        Rc::new(Hall {
            any: Cell::new(false),
            arrived: RefCell::new(Vec::new()),
            awaited: RefCell::new(Vec::new()),
            short: Cell::new(false),
            held: Cell::new(false),
            over: Cell::new(false),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.arrived.borrow().len() + self.awaited.borrow().len()
    }

    /// How many of those here and on their way live on a shard.
    pub(super) fn on_shard(&self, shard: usize) -> usize {
        let here = self.arrived.borrow().iter().filter(|(routee, _)| routee.place().shard() == shard).count();
        here + self.awaited.borrow().iter().filter(|awaited| awaited.shard == shard).count()
    }

    /// Nobody of this number is on the way any more.
    pub(super) fn strike(&self, number: u64) -> Option<Awaited> {
        let mut awaited = self.awaited.borrow_mut();
        let at = awaited.iter().position(|awaited| awaited.number == number)?;
        Some(awaited.swap_remove(at))
    }

    /// One who is here has ended.
    pub(super) fn leave(&self, gone: Address) -> Option<Life> {
        let mut arrived = self.arrived.borrow_mut();
        let at = arrived.iter().position(|(_, life)| life.routee == gone)?;
        Some(arrived.remove(at).1)
    }

    /// Somebody has come, or will not.
    pub(super) fn meet(
        &self,
        owner: Address,
        number: u64,
        born: Result<ActorRef<M>, SpawnError>,
        scope: &mut Scope<'_>,
    ) {
        let before = self.strike(number).map_or(0, |awaited| awaited.before);
        if self.over.get() {
            // The next instance of the owner knows nothing of it.
            return born.into_iter().for_each(|routee| scope.stop(routee));
        }
        let mut failed = false;
        match born {
            Ok(to) if scope.watch(owner, to).is_ok() => {
                let life = Life { routee: to.address(), since: scope.now(), before };
                self.arrived.borrow_mut().push((to, life));
            }
            Ok(to) => {
                scope.stop(to);
                scope.fail(owner, Failure::from(PoolError::OutOfMemory));
                failed = true;
            }
            // It was stopped before it came, as part of a family whose parent goes on perhaps.
            Err(SpawnError::Stopping) => self.short.set(true),
            Err(error) => {
                scope.fail(owner, Failure::from(SpawnOnError::from(error)));
                failed = true;
            }
        }
        self.any.set(true);
        // Nobody else would, if the failure is one to go on after.
        if failed || self.awaited.borrow().is_empty() {
            self.let_go(owner, scope);
        }
    }

    pub(super) fn let_go(&self, owner: Address, scope: &mut Scope<'_>) {
        if self.held.take() {
            scope.resume(owner);
        }
    }
}

/// Hangs on the owner, and goes with the instance that the pool belongs to: with it goes the suspension as well.
pub(super) struct Over<M>(pub(super) Rc<Hall<M>>);

impl<M> Drop for Over<M> {
    fn drop(&mut self) {
        self.0.over.set(true);
        self.0.held.set(false);
    }
}
