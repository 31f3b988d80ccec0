//! Orders: routees that are to be spawned, at once or after a pause.

use std::rc::Rc;
use std::time::Duration;

use corelane_kernel::{Actor, Address, Ctx, Group, Outcome, Scope, SpawnError};

use super::hall::Hall;

/// How routees are made.
#[derive(Clone)]
pub(super) struct Kind<F> {
    pub(super) factory: F,
    pub(super) name: Option<&'static str>,
    pub(super) group: Group,
    pub(super) mailbox: u32,
}

/// A routee to be spawned.
pub(super) struct Order<M, F> {
    pub(super) number: u64,
    pub(super) owner: Address,
    pub(super) shard: usize,
    pub(super) kind: Kind<F>,
    pub(super) hall: Rc<Hall<M>>,
}

impl<A, F> Order<A::Msg, F>
where
    A: Actor,
    F: FnMut() -> A + Clone + Send + 'static,
{
    pub(super) fn give(self, scope: &mut Scope<'_>) -> Result<(), SpawnError> {
        let Order { number, owner, shard, kind, hall } = self;
        let name = kind.name.map(|name| format!("{name}-{number}"));
        let spawner = scope.child_on(owner, shard).ok_or(SpawnError::Stopping)?;
        let spawner = spawner.group(kind.group).mailbox(kind.mailbox);
        let spawner = match &name {
            Some(name) => spawner.name(name),
            None => spawner,
        };
        spawner.spawn_then(kind.factory, move |born, scope| hall.meet(owner, number, born, scope))
    }

    pub(super) fn give_or_tell(self, scope: &mut Scope<'_>) {
        let (owner, number, hall) = (self.owner, self.number, self.hall.clone());
        if let Err(error) = self.give(scope) {
            hall.meet(owner, number, Err(error), scope);
        }
    }
}

/// Gives an order after a while. A child of the owner, so that it goes with it.
pub(super) struct Pause<M, F> {
    pub(super) wait: Duration,
    pub(super) order: Option<Order<M, F>>,
}

/// The while is over.
pub(super) struct Due;

impl<A, F> Actor for Pause<A::Msg, F>
where
    A: Actor,
    F: FnMut() -> A + Clone + Send + 'static,
{
    type Msg = Due;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if ctx.set_timer("due", self.wait, Due).is_err() {
            // No room to wait.
            return self.receive(Due, ctx);
        }
        Ok(())
    }

    fn receive(&mut self, _: Due, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if let Some(order) = self.order.take() {
            order.give_or_tell(&mut ctx.scope());
        }
        ctx.stop_self();
        Ok(())
    }

    /// It is too early only if the owner goes as well, or has all its children stopped.
    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        if let Some(Order { hall, owner, number, .. }) = self.order.take() {
            hall.meet(owner, number, Err(SpawnError::Stopping), &mut ctx.scope());
        }
    }
}
