//! Spawning a top-level actor on any shard from an actor, which is told of it: nothing blocks.

use std::fmt;

use corelane_kernel::{Actor, ActorRef, Failure, Group, Scope};

use crate::error::{CallError, SpawnOnError};
use crate::handle::Handle;
use crate::local::Local;
use crate::spawn::On;

/// Spawns one top-level actor on a shard, and tells the actor that spawns it; made by
/// [`ShardCtx::spawner_on`](crate::ShardCtx::spawner_on).
///
/// With a name, what the [`Deployment`](super::Deployment) of its path decides comes before what is said here: the shard,
/// the group and the mailbox. The name is unique among the top-level actors of all shards.
///
/// ```
/// use corelane_kernel::{Actor, ActorRef, Ctx, Group, Outcome};
/// use corelane_shard::{On, ShardCtx, SpawnOnError};
///
/// struct Orders;
///
/// impl Actor for Orders {
///     type Msg = u64;
///     fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// }
///
/// enum Msg { Open, Opened(Result<ActorRef<u64>, SpawnOnError>) }
///
/// struct Shop { orders: Option<ActorRef<u64>> }
///
/// impl Actor for Shop {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Open => {
///                 let spawner = ctx.spawner_on(On::LeastLoaded).name("orders").group(Group::Urgent);
///                 spawner.spawn(|| Orders, Msg::Opened);
///             }
///             Msg::Opened(orders) => self.orders = Some(orders?),
///         }
///         Ok(())
///     }
/// }
/// # let _ = Shop { orders: None };
/// ```
#[must_use = "a spawner does nothing until `spawn` or `try_spawn` is called"]
pub struct ShardSpawner<'s, M> {
    scope: Scope<'s>,
    /// Who is told.
    by: ActorRef<M>,
    handle: Handle,
    on: On,
    name: Option<&'s str>,
    group: Group,
    mailbox: u32,
}

impl<'s, M: Send + 'static> ShardSpawner<'s, M> {
    pub(crate) fn new(scope: Scope<'s>, by: ActorRef<M>, handle: Handle, on: On) -> ShardSpawner<'s, M> {
        ShardSpawner { scope, by, handle, on, name: None, group: Group::default(), mailbox: 0 }
    }

    /// Names the actor, as [`Spawner::name`](corelane_kernel::Spawner::name) does.
    pub fn name(mut self, name: &'s str) -> Self {
        self.name = Some(name);
        self
    }

    /// The scheduling group. Unless told otherwise, [`Group::Normal`].
    pub fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// Bounds the messages that may wait for the actor on its own core; see
    /// [`Spawner::mailbox`](corelane_kernel::Spawner::mailbox). Zero, as unless told otherwise, is no bound.
    pub fn mailbox(mut self, bound: u32) -> Self {
        self.mailbox = bound;
        self
    }

    /// Spawns from a factory that makes the state when the actor starts, and tells the actor at work what `then` makes of
    /// its address, or of why it is not there, with [`SpawnError::NameTaken`](corelane_kernel::SpawnError::NameTaken) or
    /// [`SpawnError::BadName`](corelane_kernel::SpawnError::BadName) inside. Its mailbox bound keeps that no more out
    /// than an answer.
    pub fn spawn<B: Actor>(
        self,
        mut factory: impl FnMut() -> B + Send + 'static,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnOnError>) -> M + Send + 'static,
    ) {
        self.try_spawn(move || Ok(factory()), then);
    }

    /// As [`ShardSpawner::spawn`], from a factory that may fail; its failure is the new actor's, before it handled
    /// anything.
    pub fn try_spawn<B: Actor>(
        self,
        factory: impl FnMut() -> Result<B, Failure> + Send + 'static,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnOnError>) -> M + Send + 'static,
    ) {
        let ShardSpawner { mut scope, by, handle, on, name, group, mailbox } = self;
        let shard = handle.choose_for(name, on);
        if shard >= handle.shards() {
            return scope.answer(by, then(Err(CallError::NoSuchShard.into())));
        }
        if shard != scope.place().shard() && handle.shared.is_lost(shard) {
            return scope.answer(by, then(Err(handle.shared.refusal().into())));
        }
        let name = name.map(str::to_owned);
        let spawn = move |scope: &mut Scope<'_>| {
            let spawner = scope.spawner().group(group).mailbox(mailbox);
            let spawned = match &name {
                Some(name) => spawner.name(name).try_spawn_from(factory),
                None => spawner.try_spawn_from(factory),
            };
            report(scope, by, then(spawned.map_err(SpawnOnError::from)));
        };
        if shard == scope.place().shard() {
            spawn(&mut scope);
        } else {
            // A system that is shutting down stops this actor as well: nobody is left to be told.
            let _ = handle.shared.run_on(shard, spawn);
        }
    }
}

/// Tells an actor what became of its request to this shard, as surely as it was made: by the inbox of its shard, which is
/// never full, where a lane may be. An actor that waits for it would wait for ever.
fn report<M: Send + 'static>(scope: &mut Scope<'_>, to: ActorRef<M>, message: M) {
    if to.place() == scope.place() {
        return scope.answer(to, message);
    }
    let local = scope.extension::<Local>().expect("a request to a shard runs on one");
    let shared = local.handle.shared.clone();
    // A system that is shutting down stops that actor as well: nobody is left to be told.
    let _ = shared.run_on(to.place().shard(), move |scope| scope.answer(to, message));
}

impl<M> fmt::Debug for ShardSpawner<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShardSpawner { name, on, group, mailbox, .. } = self;
        write!(f, "ShardSpawner(name: {name:?}, on: {on:?}, group: {group:?}, mailbox: {mailbox})")
    }
}
