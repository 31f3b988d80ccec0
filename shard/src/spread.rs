//! The spread pool: a pool whose routees live on the shards that are decided for it, and that keeps its size.
//!
//! It is a [`Pool`] whose routees were all spawned elsewhere, by way of a child of the owner, the *desk*. The desk is the
//! tether of file `routees`: a leash on each routee's shard supervises the routee and goes with the desk. It is also where
//! the leashes report; so the owner's protocol has no word about it. The desk and the pool share a *hall*, in which
//! routees wait until the owner next runs, for only the owner can watch them.
//!
//! ```text
//!   owner, with its pool ── desk ◀── reports, watches ── leash ── routee
//!         ▲        └─ hall ─┘                                        │
//!         └──────────────────────── watches ─────────────────────────┘
//! ```
//!
//! Who would be told to nobody waits: the owner is suspended while its pool is empty and routees are on their way.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use corelane_kernel::limits::ROUTEES_DEFAULT;
use corelane_kernel::router::{self, Evicted, Pool, PoolError, Resizer, RoundRobin, Routee, Router};
use corelane_kernel::{Actor, ActorRef, Address, Ctx, Failure, Group, Outcome, Strategy, TellError};

use crate::deploy::RouteesOn;
use crate::error::{CallError, SpawnOnError};
use crate::local::{ShardCtx, local};
use crate::routees::{Leash, Routees};

/// A pool whose routees live on many shards, up to `N` of them: on all, unless the code or the configuration says
/// otherwise.
///
/// The owner's actor holds it, starts it, tells through it, and gives it the ends it hears of, as it would do with a
/// [`Pool`]; of what goes on between the shards it knows nothing. How it routes, how many routees it has and where they
/// live may be decided by the owner's path, without touching code: see [`DeployPool`](crate::DeployPool).
///
/// ```
/// use std::sync::mpsc;
/// use corelane_kernel::router::AnyStrategy;
/// use corelane_kernel::{Actor, Ctx, Outcome, Terminated};
/// use corelane_shard::{Builder, DeployPool, Sources, SpreadPool};
///
/// struct Job(mpsc::Sender<usize>);
///
/// struct Worker;
///
/// impl Actor for Worker {
///     type Msg = Job;
///     fn receive(&mut self, Job(done): Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         done.send(ctx.me().place().shard())?;
///         Ok(())
///     }
/// }
///
/// struct Foreman { workers: SpreadPool<Worker, AnyStrategy> }
///
/// impl Actor for Foreman {
///     type Msg = Job;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.workers.start_deployed(ctx)?;
///         Ok(())
///     }
///     fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.workers.tell(ctx, job);
///         Ok(())
///     }
///     fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.workers.replace(ctx, gone.address)?;
///         Ok(())
///     }
/// }
///
/// # #[cfg(feature = "config")] {
/// let text = r#"
///     shards = 2
///     pinned = false
///     [deploy."/user/foreman"]
///     routees = 2
///     routees_on = "spread"
/// "#;
/// let system = Sources::new().text("shop.toml", text).load()?.builder().start()?;
/// let workers = || SpreadPool::new(1, || Worker).strategy(AnyStrategy::new());
/// let foreman = system.spawner("foreman").spawn(move || Foreman { workers: workers() })?;
/// let (done, results) = mpsc::channel();
/// let mut gateway = system.gateway()?;
/// for _ in 0..2 {
///     gateway.tell(foreman, Job(done.clone()));
/// }
/// let (one, other) = (results.recv()?, results.recv()?);
/// assert_ne!(one, other);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What becomes of routees
///
/// They are no children of the owner, even those on its own shard: each is supervised on its shard by
/// [`SpreadPool::supervision`], and keeps its address, its load and its waiting messages when it is restarted. They end
/// with the instance of the owner that started the pool: when it stops, and when it is restarted, whose new instance
/// starts a new pool. The owner's own end does not wait for theirs.
///
/// One that has ended for good comes to the owner's [`terminated`](Actor::terminated), which has it
/// [replaced](SpreadPool::replace), where it was if that keeps the pool evenly spread, or only
/// [evicted](SpreadPool::evict). What it had not handled becomes dead letters.
///
/// # While routees come
///
/// A routee on another shard is there only when that shard has said so. As long as none is there and some are to come, at
/// the start and when the last has been replaced, the owner's messages wait; its hooks run. What it tells through the
/// pool in such a hook becomes dead letters. Where a routee cannot be spawned, the owner fails with a [`SpawnOnError`],
/// and where one cannot be watched, with a [`PoolError`].
///
/// # Cost
///
/// Telling costs what it costs with a [`Pool`], and a look at whether somebody has come. Each routee takes two cells (its
/// own and that of its supervisor) and three watches, and the pool one cell more.
pub struct SpreadPool<A: Actor, S = RoundRobin, F = fn() -> A, const N: usize = ROUTEES_DEFAULT> {
    /// Of the routees that were adopted; it spawns none itself.
    pool: Pool<A, S, F, N>,
    routees: Routees<F>,
    group: Group,
    mailbox: u32,
    on: RouteesOn,
    name: Option<&'static str>,
    /// With how many to start.
    size: usize,
    /// How many there are to be.
    wanted: usize,
    /// Routees ever ordered: the number in the next one's name.
    ordered: u64,
    resizer: Option<Resizer>,
    desk: Option<ActorRef<Joined<A::Msg>>>,
    hall: Rc<Hall<A::Msg>>,
}

/// What a leash reports.
struct Joined<M> {
    number: u64,
    routee: Result<ActorRef<M>, SpawnOnError>,
}

/// Where routees wait for the owner.
struct Hall<M> {
    /// Somebody is here.
    any: Cell<bool>,
    arrived: RefCell<Vec<ActorRef<M>>>,
    /// The numbers of those on their way, and their shards.
    awaited: RefCell<Vec<(u64, usize)>>,
    /// The owner is suspended until nobody is on the way.
    held: Cell<bool>,
}

impl<M> Hall<M> {
    fn new() -> Rc<Hall<M>> {
        Rc::new(Hall {
            any: Cell::new(false),
            arrived: RefCell::new(Vec::new()),
            awaited: RefCell::new(Vec::new()),
            held: Cell::new(false),
        })
    }

    fn len(&self) -> usize {
        self.arrived.borrow().len() + self.awaited.borrow().len()
    }

    /// How many of those here and on their way live on a shard.
    fn on_shard(&self, shard: usize) -> usize {
        let here = self.arrived.borrow().iter().filter(|routee| routee.place().shard() == shard).count();
        here + self.awaited.borrow().iter().filter(|(_, at)| *at == shard).count()
    }
}

/// Where leashes report. It is spawned from a value, so a restart of the owner is its end, and theirs.
struct Desk<M> {
    owner: Address,
    hall: Rc<Hall<M>>,
}

impl<M: Send + 'static> Actor for Desk<M> {
    type Msg = Joined<M>;

    fn receive(&mut self, joined: Joined<M>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.hall.awaited.borrow_mut().retain(|(number, _)| *number != joined.number);
        let failed = joined.routee.is_err();
        match joined.routee {
            Ok(routee) => {
                self.hall.arrived.borrow_mut().push(routee);
                self.hall.any.set(true);
            }
            Err(error) => ctx.scope().fail(self.owner, Failure::from(error)),
        }
        // Nobody else would, if the failure is one to go on after.
        if (failed || self.hall.awaited.borrow().is_empty()) && self.hall.held.take() {
            ctx.scope().resume(self.owner);
        }
        Ok(())
    }
}

impl<A: Actor, const N: usize> SpreadPool<A, RoundRobin, fn() -> A, N> {
    /// A pool of so many routees, which are spawned when it is [started](SpreadPool::start).
    pub fn new(size: usize, factory: fn() -> A) -> Self {
        SpreadPool::from_factory(size, factory)
    }
}

/// Settings, before the start.
impl<A: Actor, F: Clone, const N: usize> SpreadPool<A, RoundRobin, F, N> {
    /// As [`SpreadPool::new`], with a factory that may have captured something: its type is the pool's third parameter.
    pub fn from_factory(size: usize, factory: F) -> Self {
        SpreadPool {
            pool: Pool::from_factory(0, factory.clone()),
            routees: Routees::new(factory),
            group: Group::Normal,
            mailbox: 0,
            on: RouteesOn::Spread,
            name: None,
            size,
            wanted: 0,
            ordered: 0,
            resizer: None,
            desk: None,
            hall: Hall::new(),
        }
    }

    /// How a routee is picked. Unless told otherwise, each in turn.
    pub fn strategy<S: router::Strategy<A::Msg>>(self, strategy: S) -> SpreadPool<A, S, F, N> {
        SpreadPool {
            pool: self.pool.strategy(strategy),
            routees: self.routees,
            group: self.group,
            mailbox: self.mailbox,
            on: self.on,
            name: self.name,
            size: self.size,
            wanted: self.wanted,
            ordered: self.ordered,
            resizer: self.resizer,
            desk: self.desk,
            hall: self.hall,
        }
    }
}

impl<A: Actor, S, F, const N: usize> SpreadPool<A, S, F, N> {
    /// On which shards the routees live. Unless told otherwise, on all.
    pub fn on(mut self, on: RouteesOn) -> Self {
        self.on = on;
        self
    }

    /// What is decided for routees, by path: the first is `name-1` below the owner's path, the second `name-2`, and so on;
    /// no number comes twice. Their group and mailbox can be deployed then, by `/user/owner/*` for instance. They cannot be
    /// looked up by these paths.
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// The routees' scheduling group. Unless told otherwise, [`Group::Normal`].
    pub fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// Bounds the messages that may wait for each routee on its own core; see
    /// [`Spawner::mailbox`](corelane_kernel::Spawner::mailbox). Zero, as unless told otherwise, is no bound.
    pub fn mailbox(mut self, bound: u32) -> Self {
        self.mailbox = bound;
        self
    }

    /// What is done about a routee that fails, on its own shard; see [`Routees::supervision`].
    pub fn supervision(mut self, strategy: Strategy) -> Self {
        self.routees = self.routees.supervision(strategy);
        self
    }

    /// Lets the number of routees follow their load, from the size given up or down: the messages given to them and not
    /// [`done`](SpreadPool::done). Where the owner never says that one is done, loads only grow, and so does the pool.
    pub fn resizer(mut self, resizer: Resizer) -> Self {
        self.resizer = Some(resizer);
        self
    }

    /// With how many routees it starts. A resizer's bounds hold all the same.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Starts with so many routees, instead of as many as the code said. It must be called before the start.
    pub fn set_size(&mut self, size: usize) {
        self.size = size;
    }

    pub(crate) fn set_on(&mut self, on: RouteesOn) {
        self.on = on;
    }

    /// The strategy, to be changed.
    pub fn strategy_mut(&mut self) -> &mut S {
        self.pool.strategy_mut()
    }

    /// How many routees there are, and are on their way.
    pub fn len(&self) -> usize {
        self.pool.len() + self.hall.len()
    }

    /// Whether there is no routee, and none on its way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A routee has finished a message of this pool: its load is one less. Says whether it is a routee.
    pub fn done(&mut self, routee: impl Into<Address>) -> bool {
        self.pool.done(routee)
    }
}

/// Who is in it.
impl<A, S, F, const N: usize> SpreadPool<A, S, F, N>
where
    A: Actor,
    S: router::Strategy<A::Msg>,
    F: FnMut() -> A + Clone + Send + 'static,
{
    /// Orders the routees: to be called from the owner's `started`, once. The owner's messages wait until all are there. A
    /// resizer's bounds hold from the start.
    ///
    /// # Errors
    /// [`PoolError`].
    ///
    /// # Panics
    /// On a kernel that no system runs: there are no shards.
    pub fn start<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), PoolError> {
        let bounds = self.resizer.as_ref().map(Resizer::config);
        let size = bounds.map_or(self.size, |config| self.size.clamp(config.lower_bound, config.upper_bound));
        self.resize(ctx, size)
    }

    /// Orders or retires routees until there are so many: new ones where the fewest are, retired ones with the smallest
    /// load first, of equals the youngest. One that is retired handles what this actor has told it, then it stops, of
    /// which nobody is told.
    ///
    /// # Errors
    /// [`PoolError`].
    ///
    /// # Panics
    /// As [`SpreadPool::start`].
    pub fn resize<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, size: usize) -> Result<(), PoolError> {
        if size > N {
            return Err(PoolError::Full);
        }
        self.wanted = size;
        self.refill(ctx)?;
        self.settle(ctx);
        Ok(())
    }

    /// Takes out a routee that has ended, and orders another in its place. To be called from
    /// [`Actor::terminated`]. Says whether it was a routee.
    ///
    /// A routee that ends as soon as it is there is replaced again and again: a
    /// [`Backoff`](corelane_kernel::Backoff) in [`SpreadPool::supervision`] slows down one that fails.
    ///
    /// # Errors
    /// [`PoolError`]: it was taken out, and is not replaced.
    pub fn replace<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, gone: Address) -> Result<bool, PoolError> {
        if self.pool.evict(gone) == Evicted::Stranger {
            return Ok(false);
        }
        self.refill(ctx)?;
        Ok(true)
    }

    /// Takes out a routee that has ended, and goes on with one less. To be called from [`Actor::terminated`]. With a
    /// resizer the last one's end is not [`Evicted::Last`]: the next message brings new ones.
    pub fn evict(&mut self, gone: Address) -> Evicted {
        let evicted = self.pool.evict(gone);
        if evicted != Evicted::Stranger {
            self.wanted = self.wanted.saturating_sub(1);
        }
        match evicted {
            Evicted::Last if self.resizer.is_some() || !self.is_empty() => Evicted::Left(0),
            evicted => evicted,
        }
    }

    /// Lets a routee go: it handles what this actor has told it, then it stops, of which nobody is told. Says whether it
    /// was a routee.
    pub fn retire<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, routee: impl Into<Address>) -> bool {
        self.settle(ctx);
        let known = self.pool.retire(ctx, routee);
        if known {
            self.wanted = self.wanted.saturating_sub(1);
        }
        known
    }

    /// The routees that are there, oldest first.
    pub fn routees<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> &[Routee<A::Msg>] {
        self.settle(ctx);
        self.pool.routees()
    }

    /// Orders routees until as many as are wanted are there or on their way.
    fn refill<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), PoolError> {
        while self.len() < self.wanted {
            if ctx.system().is_shutting_down() {
                // All that live are being stopped, this actor with them.
                return Ok(());
            }
            self.order(ctx)?;
        }
        Ok(())
    }

    fn order<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), PoolError> {
        let (.., handle, own) = local(ctx);
        let desk = self.desk(ctx)?;
        if self.pool.is_empty() && !self.hall.held.get() {
            ctx.suspend_self().map_err(|_| PoolError::OutOfMemory)?;
            self.hall.held.set(true);
        }
        self.ordered += 1;
        let number = self.ordered;
        let shard = self.place(own, handle.shards());
        self.hall.awaited.borrow_mut().push((number, shard));
        let decided =
            self.name.and_then(|name| handle.deployment(&format!("{}/{name}-{number}", ctx.path())));
        let decided = decided.unwrap_or_default();
        let group = decided.group.unwrap_or(self.group);
        let routees = self.routees.clone().group(group).mailbox(decided.mailbox.unwrap_or(self.mailbox));
        let then = move |routee| Joined { number, routee };
        let leash = Leash { tether: desk.address(), owner: desk, routees, then };
        if shard == own {
            leash.put_on(&mut ctx.scope());
        } else if let Err(error @ CallError::NoSuchShard) =
            handle.shared.run_on(shard, move |scope| leash.put_on(scope))
        {
            ctx.scope().answer(desk, Joined { number, routee: Err(error.into()) });
        }
        Ok(())
    }

    /// The desk: another one if somebody has stopped it, and all routees with it.
    fn desk<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<ActorRef<Joined<A::Msg>>, PoolError> {
        if let Some(desk) = self.desk.filter(|desk| ctx.scope().is_alive(*desk)) {
            return Ok(desk);
        }
        let desk = Desk { owner: ctx.me().address(), hall: self.hall.clone() };
        let desk = ctx.spawn(desk).map_err(PoolError::Spawn)?;
        self.desk = Some(desk);
        Ok(desk)
    }

    /// Where the fewest are, of those shards where they may be; of equals, the owner's own or the next.
    fn place(&self, own: usize, shards: usize) -> usize {
        let there = |shard| {
            let adopted = self.pool.routees().iter();
            adopted.filter(|routee| routee.address().place().shard() == shard).count()
                + self.hall.on_shard(shard)
        };
        let away = |shard: usize| (shard + shards - own) % shards;
        self.on.range(own, shards).min_by_key(|shard| (there(*shard), away(*shard))).unwrap_or(own)
    }

    /// Takes in who has come, and lets go who is too many.
    #[cold]
    #[inline(never)]
    fn settle<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) {
        self.hall.any.set(false);
        for routee in self.hall.arrived.take() {
            if let Err(error) = self.pool.adopt(ctx, routee) {
                ctx.stop(routee);
                let me = ctx.me();
                ctx.scope().fail(me, Failure::from(error));
            }
        }
        while self.pool.len() > self.wanted {
            // The first of equals, seen from the end.
            let idlest = self.pool.routees().iter().rev().min_by_key(|routee| routee.load());
            let Some(idlest) = idlest.map(Routee::address) else { break };
            self.pool.retire(ctx, idlest);
        }
    }

    #[cold]
    #[inline(never)]
    fn look<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) {
        let Some(resizer) = &self.resizer else { return };
        let change = resizer.decide(resizer.sample(self.pool.routees()));
        if change != 0 {
            let size = self.pool.len().saturating_add_signed(change as isize).min(N);
            if let Err(error) = self.resize(ctx, size) {
                let me = ctx.me();
                ctx.scope().fail(me, Failure::from(error));
            }
        }
    }
}

/// Telling.
impl<A, S, F, const N: usize> SpreadPool<A, S, F, N>
where
    A: Actor,
    S: router::Strategy<A::Msg>,
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
        if self.hall.any.get() {
            self.settle(ctx);
        }
        if let Some(resizer) = &mut self.resizer
            && resizer.due(self.pool.len())
        {
            self.look(ctx);
        }
        self.pool.router(ctx)
    }
}

impl<A: Actor, S: fmt::Debug, F, const N: usize> fmt::Debug for SpreadPool<A, S, F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpreadPool({:?}, on: {:?}, {} on their way)", self.pool, self.on, self.hall.len())
    }
}
