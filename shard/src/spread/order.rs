//! Orders: routees that are to be spawned, at once or after a pause.

use std::rc::Rc;
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Address, Backoff, Ctx, Group, Outcome, Scope, SpawnError};

use super::hall::Hall;
use super::source::{NewRoutee, NoRoutee, RouteeSource};

/// How routees are made.
#[derive(Clone)]
pub(super) struct Kind<F> {
    pub(super) source: F,
    pub(super) name: Option<&'static str>,
    pub(super) group: Group,
    pub(super) mailbox: u32,
}

/// A routee to be spawned.
pub(super) struct Order<M, F> {
    pub(super) number: u64,
    pub(super) owner: Address,
    pub(super) site: usize,
    pub(super) kind: Kind<F>,
    pub(super) hall: Rc<Hall<M>>,
}

impl<M, F: Clone> Clone for Order<M, F> {
    fn clone(&self) -> Self {
        let Order { number, owner, site, ref kind, ref hall } = *self;
        Order { number, owner, site, kind: kind.clone(), hall: hall.clone() }
    }
}

impl<M: 'static, F> Order<M, F> {
    /// Gives the order. What becomes of it is heard in the hall; that the routee cannot be had, by the pause that keeps its
    /// place, if there is one.
    pub(super) fn give<A>(
        self,
        pause: Option<ActorRef<Step>>,
        scope: &mut Scope<'_>,
    ) -> Result<(), SpawnError>
    where
        A: Actor<Msg = M>,
        F: RouteeSource<A>,
    {
        let Order { number, owner, site, kind, hall } = self;
        let name = kind.name.map(|name| format!("{name}-{number}"));
        let (name, group, mailbox) = (name.as_deref(), kind.group, kind.mailbox);
        let wanted = NewRoutee { owner, number, site, name, group, mailbox };
        let source = kind.source.clone();
        kind.source.spawn(&wanted, scope, move |born, scope| match (born, pause) {
            (Err(NoRoutee::Missing(_)), Some(pause)) if !hall.over.get() => scope.answer(pause, Step::Again),
            (born, pause) => {
                let born = born.map(|routee| (routee, source.site_of(routee.address(), site, scope)));
                hall.meet(owner, number, born, scope);
                pause.into_iter().for_each(|pause| scope.stop(pause));
            }
        })
    }
}

/// Gives an order after a while; and again, as long as the routee cannot be had. A child of the owner, so that it goes with it.
pub(super) struct Pause<A: Actor, F> {
    pub(super) wait: Duration,
    pub(super) order: Order<A::Msg, F>,
    /// How long to wait before it is ordered again; `None` where that is not to be.
    pub(super) again: Option<Backoff>,
    /// Nobody will hear of the order otherwise.
    pub(super) open: bool,
}

pub(super) enum Step {
    /// The while is over.
    Due,
    /// The routee could not be had.
    Again,
}

impl<A, F> Pause<A, F>
where
    A: Actor,
    F: RouteeSource<A>,
{
    fn wait_for(&mut self, wait: Duration, ctx: &mut Ctx<'_, Self>) {
        if wait.is_zero() || ctx.set_timer("due", wait, Step::Due).is_err() {
            // Or there is no room to wait.
            self.give(ctx);
        }
    }

    fn give(&mut self, ctx: &mut Ctx<'_, Self>) {
        let me = ctx.me();
        let pause = self.again.map(|_| me);
        self.open = pause.is_some();
        if let Err(error) = self.order.clone().give::<A>(pause, &mut ctx.scope()) {
            let error = match error {
                SpawnError::Stopping => NoRoutee::Stopping,
                error => NoRoutee::Failed(crate::error::SpawnOnError::from(error).into()),
            };
            self.end(error, ctx);
        }
        if !self.open {
            ctx.stop_self();
        }
    }

    fn end(&mut self, error: NoRoutee, ctx: &mut Ctx<'_, Self>) {
        self.open = false;
        let Order { owner, number, ref hall, .. } = self.order;
        hall.meet(owner, number, Err(error), &mut ctx.scope());
    }
}

impl<A, F> Actor for Pause<A, F>
where
    A: Actor,
    F: RouteeSource<A>,
{
    type Msg = Step;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.wait_for(self.wait, ctx);
        Ok(())
    }

    fn receive(&mut self, step: Step, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match (step, self.again) {
            (Step::Again, Some(backoff)) => {
                let before = self.order.hall.again(self.order.number);
                let wait = ctx.delay_after(&backoff, before.saturating_sub(1));
                self.wait_for(wait, ctx);
            }
            _ => self.give(ctx),
        }
        Ok(())
    }

    /// While the routee is awaited it is too early only if the owner goes as well, or has all its children stopped.
    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        if self.open && self.order.hall.awaits(self.order.number) {
            self.end(NoRoutee::Stopping, ctx);
        }
    }
}
