//! The hall: where routees wait for their owner, who is suspended while nobody is there to be told.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corelane_kernel::router::PoolError;
use corelane_kernel::{ActorRef, Address, Failure, Scope, Time};

use super::source::NoRoutee;

/// Where a routee lives, since when it is there, and how many came before it in its place that did not live long.
pub(super) struct Life {
    pub(super) routee: Address,
    pub(super) site: usize,
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
    /// One who was on the way cannot be had, which is the owner's failure if nobody is there.
    pub(super) missing: RefCell<Option<Failure>>,
    /// The owner waits for the first, not for all.
    first: bool,
    /// The owner is suspended until nobody is on the way.
    pub(super) held: Cell<bool>,
    /// The instance of the owner that the pool belongs to has ended.
    pub(super) over: Cell<bool>,
}

/// Somebody on the way.
pub(super) struct Awaited {
    pub(super) number: u64,
    pub(super) site: usize,
    pub(super) before: u32,
}

impl<M: 'static> Hall<M> {
    /// `first`: the owner waits for the first routee only.
    pub(super) fn new(first: bool) -> Rc<Hall<M>> {
        Rc::new(Hall {
            any: Cell::new(false),
            arrived: RefCell::new(Vec::new()),
            awaited: RefCell::new(Vec::new()),
            short: Cell::new(false),
            missing: RefCell::new(None),
            first,
            held: Cell::new(false),
            over: Cell::new(false),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.arrived.borrow().len() + self.awaited.borrow().len()
    }

    /// How many of those here and on their way live at a site.
    pub(super) fn at_site(&self, site: usize) -> usize {
        let here = self.arrived.borrow().iter().filter(|(_, life)| life.site == site).count();
        here + self.awaited.borrow().iter().filter(|awaited| awaited.site == site).count()
    }

    /// Whether the owner need not wait, as far as those here go.
    pub(super) fn suffices(&self) -> bool {
        self.first && !self.arrived.borrow().is_empty()
    }

    /// One on the way could not be had, and is to be ordered again. Gives how many came before it by now.
    pub(super) fn again(&self, number: u64) -> u32 {
        let mut awaited = self.awaited.borrow_mut();
        let Some(awaited) = awaited.iter_mut().find(|awaited| awaited.number == number) else { return 0 };
        awaited.before = awaited.before.saturating_add(1);
        awaited.before
    }

    /// Whether somebody of this number is on the way.
    pub(super) fn awaits(&self, number: u64) -> bool {
        self.awaited.borrow().iter().any(|awaited| awaited.number == number)
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

    /// Somebody has come to a site, or will not.
    pub(super) fn meet(
        &self,
        owner: Address,
        number: u64,
        born: Result<(ActorRef<M>, usize), NoRoutee>,
        scope: &mut Scope<'_>,
    ) {
        let before = self.strike(number).map_or(0, |awaited| awaited.before);
        if self.over.get() {
            // The next instance of the owner knows nothing of it.
            return born.into_iter().for_each(|(routee, _)| scope.stop(routee));
        }
        let failure = match born {
            Ok((to, site)) if scope.watch(owner, to).is_ok() => {
                let life = Life { routee: to.address(), site, since: scope.now(), before };
                self.arrived.borrow_mut().push((to, life));
                None
            }
            Ok((to, _)) => {
                scope.stop(to);
                Some(Failure::from(PoolError::OutOfMemory))
            }
            Err(NoRoutee::Stopping) => {
                self.short.set(true);
                None
            }
            Err(NoRoutee::Failed(failure)) => Some(failure),
            // An owner that waits has nobody else.
            Err(NoRoutee::Missing(failure)) if self.held.get() && self.len() == 0 => Some(failure),
            Err(NoRoutee::Missing(failure)) => {
                self.missing.replace(Some(failure));
                None
            }
        };
        let failed = failure.is_some();
        failure.into_iter().for_each(|failure| scope.fail(owner, failure));
        self.any.set(true);
        // Nobody else would, if the failure is one to go on after.
        if failed || self.suffices() || self.awaited.borrow().is_empty() {
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
