//! The pool: a router whose routees are its owner's children.
//!
//! The owner's actor holds the pool, starts it, tells through it, and gives it the ends it hears of. Routees are spawned
//! from one factory and watched; they are ordinary children, supervised as such, and stop with their owner. A resizer,
//! if there is one, looks at their load between messages.
//!
//! A routee that is to go is *retired*: no message is routed to it any more, it handles what it was told, then it stops; see
//! `retiring`.

use core::fmt::{self, Write};

use heapless::String;

use super::resizer::Resizer;
use super::round_robin::RoundRobin;
use super::route::{AddError, Evicted, Router};
use super::strategy::{Routee, Strategy};
use crate::actor::Actor;
use crate::address::{ActorRef, Address, Group};
use crate::context::Ctx;
use crate::error::{SpawnError, TellError};
use crate::limits::{NAME_MAX, ROUTEES_DEFAULT};

/// Routees of one type, spawned and supervised by the actor that holds the pool; up to `N` of them.
///
/// ```
/// use corelane_kernel::router::{Evicted, Pool, Resizer, ResizerConfig, SmallestLoad};
/// use corelane_kernel::{Actor, Address, ActorRef, Ctx, Outcome, ReplyTo, Terminated};
///
/// struct Job { size: u64, done: ReplyTo<Address> }
///
/// struct Worker;
///
/// impl Actor for Worker {
///     type Msg = Job;
///     fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let me = ctx.me().address();
///         ctx.tell(job.done, me);
///         Ok(())
///     }
/// }
///
/// enum Msg { Work(u64), Done(Address) }
///
/// struct Foreman { workers: Pool<Worker, SmallestLoad>, done: ActorRef<Address> }
///
/// impl Foreman {
///     fn new() -> Foreman {
///         let resizer = Resizer::new(ResizerConfig::default()).expect("the default makes sense");
///         let workers = Pool::new(2, || Worker).strategy(SmallestLoad::new()).named("worker").resizer(resizer);
///         Foreman { workers, done: ActorRef::nobody() }
///     }
/// }
///
/// impl Actor for Foreman {
///     type Msg = Msg;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.done = ctx.adapter(Msg::Done)?;
///         self.workers.start(ctx)?;
///         Ok(())
///     }
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Work(size) => self.workers.tell(ctx, Job { size, done: self.done }),
///             Msg::Done(worker) => _ = self.workers.done(worker),
///         }
///         Ok(())
///     }
///     fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         if let Evicted::Last = self.workers.evict(gone.address) {
///             ctx.stop_self();
///         }
///         Ok(())
///     }
/// }
/// # let _ = Foreman::new();
/// ```
///
/// The owner must have a [`terminated`](Actor::terminated) hook that gives ends to [`Pool::evict`]: routees are watched,
/// and an owner that does not say what becomes of it when one ends fails with it.
///
/// # The load that a resizer sees
///
/// is that of the [`Router`]: messages given and not [`done`](Pool::done). With [`Pool::mailbox`] it is measured
/// instead, before each look, for the routees of this core. A pool with a resizer needs one or the other: where neither
/// is there, loads only grow, and so does the pool, to its upper bound.
pub struct Pool<A: Actor, S = RoundRobin, F = fn() -> A, const N: usize = ROUTEES_DEFAULT> {
    router: Router<A::Msg, S, N>,
    factory: F,
    size: usize,
    name: Option<&'static str>,
    group: Group,
    mailbox: u32,
    /// Routees spawned so far: the number in the next one's name.
    spawned: u64,
    resizer: Option<Resizer>,
    trouble: Option<PoolError>,
}

/// Why a pool has fewer routees than it should. Those that it has stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolError {
    /// There is no room for so many; nothing has changed.
    Full,
    /// A routee was not spawned.
    Spawn(SpawnError),
    /// A routee could not be watched, and was stopped or not taken: the kernel's region is used up.
    OutOfMemory,
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::Full => f.write_str("the pool has no room for so many routees"),
            PoolError::Spawn(error) => write!(f, "a pool's routee: {error}"),
            PoolError::OutOfMemory => f.write_str("no room to watch a pool's routee in the kernel's region"),
        }
    }
}

impl core::error::Error for PoolError {}

impl From<AddError> for PoolError {
    fn from(error: AddError) -> PoolError {
        match error {
            AddError::Full => PoolError::Full,
            AddError::OutOfMemory => PoolError::OutOfMemory,
        }
    }
}

impl<A: Actor, const N: usize> Pool<A, RoundRobin, fn() -> A, N> {
    /// A pool of so many routees, which are spawned when it is [started](Pool::start).
    pub const fn new(size: usize, factory: fn() -> A) -> Self {
        Pool::from_factory(size, factory)
    }
}

/// Settings, before the start.
impl<A: Actor, F, const N: usize> Pool<A, RoundRobin, F, N> {
    /// As [`Pool::new`], with a factory that may have captured something: its type is the pool's third parameter.
    pub const fn from_factory(size: usize, factory: F) -> Self {
        Pool {
            router: Router::new(RoundRobin::new()),
            factory,
            size,
            name: None,
            group: Group::Normal,
            mailbox: 0,
            spawned: 0,
            resizer: None,
            trouble: None,
        }
    }

    /// How a routee is picked. Unless told otherwise, each in turn.
    pub fn strategy<S: Strategy<A::Msg>>(self, strategy: S) -> Pool<A, S, F, N> {
        let Pool { factory, size, name, group, mailbox, spawned, resizer, trouble, .. } = self;
        let router = Router::new(strategy);
        Pool { router, factory, size, name, group, mailbox, spawned, resizer, trouble }
    }
}

impl<A: Actor, S, F, const N: usize> Pool<A, S, F, N> {
    /// Names the routees `name-1`, `name-2` and so on, in the order in which they are spawned. No number comes twice.
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// The routees' scheduling group. Unless told otherwise, [`Group::Normal`].
    pub const fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// Bounds the routees' mailboxes; see [`Spawner::mailbox`](crate::Spawner::mailbox). The resizer then goes by the
    /// messages that wait in them.
    pub const fn mailbox(mut self, bound: u32) -> Self {
        self.mailbox = bound;
        self
    }

    /// Lets the number of routees follow their load, from the size given up or down.
    pub fn resizer(mut self, resizer: Resizer) -> Self {
        self.resizer = Some(resizer);
        self
    }

    /// With how many routees it starts. A resizer's bounds hold all the same.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Starts with so many routees, instead of as many as the code said. It must be called before the start.
    pub const fn set_size(&mut self, size: usize) {
        self.size = size;
    }

    /// The strategy, to be changed.
    pub fn strategy_mut(&mut self) -> &mut S {
        self.router.strategy_mut()
    }

    /// The routees, oldest first.
    pub fn routees(&self) -> &[Routee<A::Msg>] {
        self.router.routees()
    }

    /// How many routees there are.
    pub fn len(&self) -> usize {
        self.router.len()
    }

    /// Whether there is no routee.
    pub fn is_empty(&self) -> bool {
        self.router.is_empty()
    }

    /// Why the resizer could not bring all the routees it wanted, when it last wanted some.
    pub fn trouble(&self) -> Option<PoolError> {
        self.trouble
    }

    /// A routee has finished a message of this pool: its load is one less. Says whether it is a routee.
    pub fn done(&mut self, routee: impl Into<Address>) -> bool {
        self.router.done(routee)
    }
}

/// Who is in it.
impl<A, S, F, const N: usize> Pool<A, S, F, N>
where
    A: Actor,
    S: Strategy<A::Msg>,
    F: FnMut() -> A + Clone + Send + 'static,
{
    /// Spawns the routees, as children of this actor: to be called from its `started`, once. A resizer's bounds hold
    /// from the start.
    ///
    /// # Errors
    /// [`PoolError`].
    pub fn start<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), PoolError> {
        let bounds = self.resizer.as_ref().map(Resizer::config);
        let size = bounds.map_or(self.size, |config| self.size.clamp(config.lower_bound, config.upper_bound));
        self.resize(ctx, size)
    }

    /// Spawns or retires routees until there are so many. Those with the smallest load go first, of equals the youngest.
    /// A resizer goes on from there.
    ///
    /// # Errors
    /// [`PoolError`].
    pub fn resize<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, size: usize) -> Result<(), PoolError> {
        if size > N {
            return Err(PoolError::Full);
        }
        while self.len() < size {
            self.spawn_one(ctx)?;
        }
        while self.len() > size {
            // The first of equals, seen from the end.
            let idlest = self.routees().iter().rev().min_by_key(|routee| routee.load());
            let Some(idlest) = idlest.map(Routee::address) else { break };
            self.retire(ctx, idlest);
        }
        Ok(())
    }

    fn spawn_one<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), PoolError> {
        let mut name = String::<NAME_MAX>::new();
        let mut spawner = ctx.spawner().group(self.group).mailbox(self.mailbox);
        if let Some(prefix) = self.name {
            write!(name, "{prefix}-{}", self.spawned + 1)
                .map_err(|_| PoolError::Spawn(SpawnError::BadName))?;
            spawner = spawner.name(&name);
        }
        let routee = spawner.spawn_from(self.factory.clone()).map_err(PoolError::Spawn)?;
        self.spawned += 1;
        self.router.add_watched(ctx, routee).map_err(|error| {
            ctx.stop(routee);
            error.into()
        })
    }

    /// Takes in a routee that was not spawned by this pool, and watches it: a child on another shard ([`Ctx::child_on`]) for
    /// instance. It is retired like any other. If it is no child of this actor, whoever spawned it sees to it that it stops
    /// with this actor, if it shall.
    ///
    /// # Errors
    /// [`PoolError`]; it is not taken in.
    pub fn adopt<B: Actor>(
        &mut self,
        ctx: &mut Ctx<'_, B>,
        routee: ActorRef<A::Msg>,
    ) -> Result<(), PoolError> {
        Ok(self.router.add_watched(ctx, routee)?)
    }

    /// Lets a routee go, unwatched, without stopping it. A child stays one. Says whether it was a routee.
    pub fn release<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, routee: impl Into<Address>) -> bool {
        let routee = routee.into();
        let known = self.router.remove(routee);
        if known {
            ctx.unwatch(routee);
        }
        known
    }

    /// Lets a routee go: it handles what this actor has told it, then it stops, of which nobody is told. Also what waits at
    /// one that is suspended is handled, when it goes on. What it has stashed then, and what others tell it meanwhile, may
    /// become dead letters; so does all that waits, if it is stopped before, with this actor or by it. Says whether it was a
    /// routee.
    ///
    /// On this core nothing is lost for want of memory. One on another core is stopped at once, and what waits for it
    /// becomes dead letters, if the way there is full. On another host all is handled that gets there; see [`Ctx::retire`].
    pub fn retire<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, routee: impl Into<Address>) -> bool {
        let routee = routee.into();
        let known = self.release(ctx, routee);
        if known {
            ctx.retire(routee);
        }
        known
    }

    /// Takes out a routee that has ended, and spawns another in its place: for an owner whose pool is to keep its size. To
    /// be called from [`Actor::terminated`], instead of [`Pool::evict`]. Says whether it was a routee.
    ///
    /// A routee that ends as soon as it is there is replaced again and again; a [`Backoff`](crate::Backoff) of the owner's
    /// strategy slows down one that fails.
    ///
    /// # Errors
    /// [`PoolError`]: it was taken out, and is not replaced.
    pub fn replace<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, gone: Address) -> Result<bool, PoolError> {
        let known = self.router.remove(gone);
        if known {
            self.spawn_one(ctx)?;
        }
        Ok(known)
    }

    /// Takes out a routee that has ended. To be called from [`Actor::terminated`]. With a resizer the last one's end is
    /// not [`Evicted::Last`]: the next message brings new ones. Nothing but a resizer does; without one,
    /// [`Pool::replace`] and [`Pool::resize`] are there for an owner who wants them.
    pub fn evict(&mut self, gone: Address) -> Evicted {
        match self.router.evict(gone) {
            Evicted::Last if self.resizer.is_some() => Evicted::Left(0),
            evicted => evicted,
        }
    }
}

/// Telling.
impl<A, S, F, const N: usize> Pool<A, S, F, N>
where
    A: Actor,
    S: Strategy<A::Msg>,
    F: FnMut() -> A + Clone + Send + 'static,
{
    /// Tells the routee that the strategy picks; see [`Router::tell`].
    #[inline]
    pub fn tell<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, message: A::Msg) {
        self.router(ctx).tell(ctx, message);
    }

    /// Tells the routee that the strategy picks, or gives the message back; see [`Router::try_tell`].
    ///
    /// # Errors
    /// As [`Router::try_tell`].
    #[inline]
    pub fn try_tell<B: Actor>(
        &mut self,
        ctx: &mut Ctx<'_, B>,
        message: A::Msg,
    ) -> Result<(), TellError<A::Msg>> {
        self.router(ctx).try_tell(ctx, message)
    }

    /// The router, for all else that one can do: broadcasts, asks, picking for a key. The resizer counts each call as one
    /// message, and has its say before.
    #[inline]
    pub fn router<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> &mut Router<A::Msg, S, N> {
        if let Some(resizer) = &mut self.resizer
            && resizer.due(self.router.len())
        {
            self.look(ctx);
        }
        &mut self.router
    }

    /// Looks at the routees' load, and makes them as many as it asks for.
    #[cold]
    #[inline(never)]
    fn look<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) {
        if self.mailbox != 0 {
            self.router.measure(ctx);
        }
        let Some(resizer) = &self.resizer else { return };
        let change = resizer.decide(resizer.sample(self.router.routees()));
        if change != 0 {
            let size = self.len().saturating_add_signed(change as isize).min(N);
            self.trouble = self.resize(ctx, size).err();
        }
    }
}

impl<A: Actor, S: fmt::Debug, F, const N: usize> fmt::Debug for Pool<A, S, F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool<{}>({:?})", core::any::type_name::<A>(), self.router)
    }
}
