//! What an actor on a shard can do besides what the kernel gives: futures, blocking work, spawning on other shards.

use std::future::Future;

use corelane_kernel::{Actor, ActorRef, ChildSpawner, Ctx, OutOfMemory};

use crate::blocking::Pool;
use crate::deploy::ShardSpawner;
use crate::drive::Berth;
use crate::error::{LookupError, OffloadError, SpawnOnError};
use crate::events;
use crate::future::{Deliver, Executor};
use crate::handle::Handle;
use crate::spawn::On;

/// The kernel's extension for all this.
pub(crate) struct Local {
    pub(crate) handle: Handle,
    pub(crate) shard: usize,
    pub(crate) executor: Executor,
    pub(crate) pool: Pool,
    pub(crate) driver: Berth,
}

/// What a [`Ctx`] can do on a shard of a [`System`](crate::System). In scope with the prelude. Of its ways to spawn and those
/// elsewhere, [one table](crate#which-way-to-spawn) says which to take.
///
/// # Panics
/// Every method panics on a kernel that no system runs: there is no shard to do it.
pub trait ShardCtx<A: Actor> {
    /// Polls `future` on this shard, and tells this actor what `then` makes of its output. The actor goes on handling
    /// messages meanwhile; its mailbox bound keeps no outcome out, but a full queue of its group does: a dead letter then. A
    /// future ends with its actor; a panic in it is the actor's failure.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the shard's region is used up; the future is dropped.
    fn spawn_future<T: 'static>(
        &mut self,
        future: impl Future<Output = T> + 'static,
        then: impl FnOnce(T) -> A::Msg + 'static,
    ) -> Result<(), OutOfMemory>;

    /// Like [`ShardCtx::spawn_future`], but this actor's messages wait until the future has ended; its outcome comes
    /// before them. Where the shard's region is used up by then, the outcome is a dead letter, and the actor goes on
    /// without it.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the shard's region is used up; the future is dropped, and the actor goes on.
    fn wait_for<T: 'static>(
        &mut self,
        future: impl Future<Output = T> + 'static,
        then: impl FnOnce(T) -> A::Msg + 'static,
    ) -> Result<(), OutOfMemory>;

    /// Runs blocking `work` on the system's pool, and tells this actor what `then` makes of its result. If this actor
    /// ends first, work that was begun is finished and its result dropped.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the shard's region is used up; the work may still be done, and its result is dropped.
    fn offload<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(Result<T, OffloadError>) -> A::Msg + 'static,
    ) -> Result<(), OutOfMemory>;

    /// Spawns a top-level actor on a shard, and tells this actor what `then` makes of its address. The actor's mailbox bound
    /// keeps that outcome no more out than an answer. A short form of [`ShardCtx::spawner_on`].
    fn spawn_on<B: Actor>(
        &mut self,
        on: On,
        factory: impl FnMut() -> B + Send + 'static,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnOnError>) -> A::Msg + Send + 'static,
    );

    /// Spawns a child on a shard of the system, with a name, a scheduling group or a mailbox bound: as any other child, it is
    /// supervised here, and goes with this actor. See [`Ctx::child_on`].
    ///
    /// ```
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, SpawnError};
    /// # use corelane_shard::{On, ShardCtx};
    /// # struct Line(u64);
    /// # struct Parser;
    /// # impl Actor for Parser {
    /// #     type Msg = Line;
    /// #     fn receive(&mut self, _: Line, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
    /// # }
    /// enum Msg { Ready(Result<ActorRef<Line>, SpawnError>) }
    ///
    /// struct Intake { parsers: Vec<ActorRef<Line>> }
    ///
    /// impl Actor for Intake {
    ///     type Msg = Msg;
    ///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         for _ in 0..4 {
    ///             ctx.child_spawner(On::Spread).spawn_from(|| Parser, Msg::Ready)?;
    ///         }
    ///         Ok(())
    ///     }
    ///     fn receive(&mut self, Msg::Ready(parser): Msg, _: &mut Ctx<'_, Self>) -> Outcome {
    ///         self.parsers.push(parser?);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn child_spawner(&mut self, on: On) -> ChildSpawner<'_, A>;

    /// Spawns a top-level actor on a shard with a name, a scheduling group, a mailbox bound, or a factory that may fail; see
    /// [`ShardSpawner`].
    fn spawner_on(&mut self, on: On) -> ShardSpawner<'_, A::Msg>;

    /// Looks an actor up by its path, on whatever shard, and tells this actor what `then` makes of the answer; see
    /// [`Handle::lookup`].
    ///
    /// ```
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
    /// # use corelane_shard::{LookupError, ShardCtx};
    /// struct Order(u64);
    ///
    /// enum Msg { Shop(Result<ActorRef<Order>, LookupError>) }
    ///
    /// struct Buyer { shop: Option<ActorRef<Order>> }
    ///
    /// impl Actor for Buyer {
    ///     type Msg = Msg;
    ///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         ctx.lookup("/user/market/shop", Msg::Shop)?;
    ///         Ok(())
    ///     }
    ///     fn receive(&mut self, Msg::Shop(found): Msg, _: &mut Ctx<'_, Self>) -> Outcome {
    ///         self.shop = Some(found?);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`OutOfMemory`] when the shard's region is used up; nobody is told then.
    fn lookup<M: 'static>(
        &mut self,
        path: &str,
        then: impl FnOnce(Result<ActorRef<M>, LookupError>) -> A::Msg + 'static,
    ) -> Result<(), OutOfMemory>;

    /// Publishes an event to all who [subscribed](crate::EventStream) to its type, on whatever shard; see there for the
    /// cost. A subscriber whose way is full misses it, which is a dead letter.
    fn publish<E: Clone + Send + 'static>(&mut self, event: E);

    /// The number of the shard on which this actor lives, counted from 0.
    fn shard(&mut self) -> usize;

    /// The system, for what only it can do.
    fn system(&mut self) -> Handle;
}

pub(crate) fn local<A: Actor>(ctx: &mut Ctx<'_, A>) -> (Executor, Pool, Handle, usize) {
    let mut scope = ctx.scope();
    let local = scope.extension::<Local>().expect("an actor on a shard: this kernel is run by no system");
    (local.executor.clone(), local.pool.clone(), local.handle.clone(), local.shard)
}

impl<A: Actor> ShardCtx<A> for Ctx<'_, A> {
    fn spawn_future<T: 'static>(
        &mut self,
        future: impl Future<Output = T> + 'static,
        then: impl FnOnce(T) -> A::Msg + 'static,
    ) -> Result<(), OutOfMemory> {
        let (executor, ..) = local(self);
        match executor.spawn(self.me(), Deliver::Tell, future, then) {
            // A guard that cannot be hung is dropped, and ends the future.
            Some(guard) => self.attach(guard),
            None => Ok(()),
        }
    }

    fn wait_for<T: 'static>(
        &mut self,
        future: impl Future<Output = T> + 'static,
        then: impl FnOnce(T) -> A::Msg + 'static,
    ) -> Result<(), OutOfMemory> {
        let (executor, ..) = local(self);
        self.suspend_self()?;
        let guard = executor.spawn(self.me(), Deliver::Resume, future, then);
        let hung = guard.map_or(Ok(()), |guard| self.attach(guard));
        if hung.is_err() {
            let me = self.me();
            self.scope().resume(me);
        }
        hung
    }

    fn offload<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(Result<T, OffloadError>) -> A::Msg + 'static,
    ) -> Result<(), OutOfMemory> {
        let (_, pool, ..) = local(self);
        let result = pool.run(work);
        // A sender that was dropped was a job that will not be done.
        let result = async move { result.await.unwrap_or(Err(OffloadError::ShuttingDown)) };
        self.spawn_future(result, then)
    }

    fn spawn_on<B: Actor>(
        &mut self,
        on: On,
        factory: impl FnMut() -> B + Send + 'static,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnOnError>) -> A::Msg + Send + 'static,
    ) {
        self.spawner_on(on).spawn(factory, then);
    }

    fn spawner_on(&mut self, on: On) -> ShardSpawner<'_, A::Msg> {
        let (handle, me) = (self.system(), self.me());
        ShardSpawner::new(self.scope(), me, handle, on)
    }

    fn child_spawner(&mut self, on: On) -> ChildSpawner<'_, A> {
        let shard = on.choose(&self.system().shared);
        self.child_on(shard)
    }

    fn lookup<M: 'static>(
        &mut self,
        path: &str,
        then: impl FnOnce(Result<ActorRef<M>, LookupError>) -> A::Msg + 'static,
    ) -> Result<(), OutOfMemory> {
        let found = self.system().lookup_future(path);
        self.spawn_future(found, then)
    }

    fn publish<E: Clone + Send + 'static>(&mut self, event: E) {
        events::publish(&mut self.scope(), event);
    }

    fn shard(&mut self) -> usize {
        local(self).3
    }

    fn system(&mut self) -> Handle {
        local(self).2
    }
}
