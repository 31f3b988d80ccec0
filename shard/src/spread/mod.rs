//! The spread pool: a pool whose routees live on the shards that are decided for it, and that keeps its size.
//!
//! It is a [`Pool`] that spawns none itself. Its routees are its owner's children, wherever they live, as those of any pool.
//! What becomes of the birth of one elsewhere is known later only, in a closure that runs on the owner's shard. That watches
//! the routee for the owner, and has it wait in a *hall* until the owner next runs: only the owner has hold of its pool. So
//! the owner's protocol has no word about it, and no message is told that could be lost.
//!
//! Who would be told to nobody waits: the owner is suspended while its pool is empty and routees are on their way. A routee
//! that is to be replaced after a while has its place kept by a child of the owner, the *pause*.
//!
//! Where routees may live and how one is had there is its *source*'s: a factory's, or that of a layer above, whose routees may
//! live on other hosts and be missing for a while.

mod hall;
mod keeping;
mod order;
mod source;

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use corelane_kernel::limits::ROUTEES_DEFAULT;
use corelane_kernel::router::{self, Evicted, Pool, PoolError, Resizer, RoundRobin, Routee, Router};
use corelane_kernel::{Actor, Address, Backoff, Ctx, Group, TellError};

use self::hall::{Hall, Life};
use self::order::Kind;
pub use self::source::{NewRoutee, NoRoutee, RouteeSource};
use crate::deploy::RouteesOn;

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
/// use corelane_shard::{DeployPool, SpreadPool};
/// # #[cfg(feature = "config")]
/// use corelane_shard::Sources;
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
/// They are the owner's children, wherever they live, as those of a [`Pool`]: supervised by the owner's
/// [`strategy`](Actor::strategy), with its reach, limits and back-off; suspended, restarted and stopped with the owner,
/// whose end waits for theirs. One that is restarted keeps its address, its load and its waiting messages. When the owner is
/// restarted, they stop first, and its new instance starts a new pool.
///
/// One that has ended for good comes to the owner's [`terminated`](Actor::terminated), also if its shard is lost. The owner
/// has it [replaced](SpreadPool::replace), where it was if that keeps the pool evenly spread, or only
/// [evicted](SpreadPool::evict). What it had not handled becomes dead letters.
///
/// # While routees come
///
/// A routee on another shard is there only when that shard has said so. Where none is there and some are to come, at the
/// start and when the last is replaced, the owner's messages wait until all are there; its hooks run. What it tells through the
/// pool in such a hook becomes dead letters. Where a routee cannot be spawned after all, the owner fails with a
/// [`SpawnOnError`](crate::SpawnOnError), and where one cannot be watched, with a [`PoolError`]. One that is stopped with the others before it
/// came is ordered again when the owner next tells through the pool.
///
/// # Cost
///
/// Telling costs what it costs with a [`Pool`], and a look at whether somebody has come. Each routee costs what a child on its
/// shard costs ([`Ctx::child_on`]) and a watch.
pub struct SpreadPool<A: Actor, S = RoundRobin, F = fn() -> A, const N: usize = ROUTEES_DEFAULT> {
    /// Of the routees that were adopted. It is never started, and spawns none itself.
    pool: Pool<A, S, fn() -> A, N>,
    kind: Kind<F>,
    on: RouteesOn,
    /// How many there are to be.
    wanted: usize,
    /// Routees ever ordered: the number in the next one's name.
    ordered: u64,
    backoff: Option<Backoff>,
    /// Of those that are there.
    lives: Vec<Life>,
    resizer: Option<Resizer>,
    hall: Rc<Hall<A::Msg>>,
}

impl<A: Actor, const N: usize> SpreadPool<A, RoundRobin, fn() -> A, N> {
    /// A pool of so many routees, which are spawned when it is [started](SpreadPool::start).
    pub fn new(size: usize, factory: fn() -> A) -> Self {
        SpreadPool::from_factory(size, factory)
    }
}

/// Settings, before the start.
impl<A: Actor, F: RouteeSource<A>, const N: usize> SpreadPool<A, RoundRobin, F, N> {
    /// As [`SpreadPool::new`], with a factory that may have captured something: its type is the pool's third parameter.
    pub fn from_factory(size: usize, factory: F) -> Self {
        SpreadPool::from_source(size, factory)
    }

    /// A pool whose routees come from a [`RouteeSource`] of a layer above.
    pub fn from_source(size: usize, source: F) -> Self {
        SpreadPool {
            pool: Pool::from_factory(size, nobody),
            kind: Kind { source, name: None, group: Group::Normal, mailbox: 0 },
            on: RouteesOn::Spread,
            wanted: 0,
            ordered: 0,
            backoff: None,
            lives: Vec::new(),
            resizer: None,
            hall: Hall::new(F::FAR),
        }
    }

    /// How a routee is picked. Unless told otherwise, each in turn.
    pub fn strategy<S: router::Strategy<A::Msg>>(self, strategy: S) -> SpreadPool<A, S, F, N> {
        let SpreadPool { pool, kind, on, wanted, ordered, backoff, lives, resizer, hall } = self;
        let pool = pool.strategy(strategy);
        SpreadPool { pool, kind, on, wanted, ordered, backoff, lives, resizer, hall }
    }
}

/// The factory of the pool below, which is never called: it spawns none.
fn nobody<A>() -> A {
    unreachable!("the routees of a spread pool come from its source")
}

impl<A: Actor, S, F, const N: usize> SpreadPool<A, S, F, N> {
    /// On which shards the routees live. Unless told otherwise, on all.
    pub fn on(mut self, on: RouteesOn) -> Self {
        self.on = on;
        self
    }

    /// Names the routees: the first is `name-1` below the owner's path, the second `name-2`, and so on; no number comes twice.
    /// They can be looked up by these paths, and what is deployed for them comes before what the pool says: shard, group and
    /// mailbox, by `/user/owner/*` for instance.
    pub fn named(mut self, name: &'static str) -> Self {
        self.kind.name = Some(name);
        self
    }

    /// The routees' scheduling group. Unless told otherwise, [`Group::Normal`].
    pub fn group(mut self, group: Group) -> Self {
        self.kind.group = group;
        self
    }

    /// Bounds the messages that may wait for each routee on its own core; see
    /// [`Spawner::mailbox`](corelane_kernel::Spawner::mailbox). Zero, as unless told otherwise, is no bound.
    pub fn mailbox(mut self, bound: u32) -> Self {
        self.kind.mailbox = bound;
        self
    }

    /// Waits before each [replacement](SpreadPool::replace), longer each time in the same routee's place. After one that
    /// has lived for [`Backoff::max`], waits begin anew. Unless told otherwise there is no wait, and a routee that ends as
    /// soon as it is there is replaced again and again. Jitter comes from the kernel's dice.
    ///
    /// This is about routees that have *ended*. How long one that failed waits for its restart is for the back-off of the
    /// owner's [`strategy`](Actor::strategy) to say.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
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
        self.pool.size()
    }

    /// Starts with so many routees, instead of as many as the code said. It must be called before the start.
    pub fn set_size(&mut self, size: usize) {
        self.pool.set_size(size);
    }

    pub(crate) fn set_on(&mut self, on: RouteesOn) {
        self.on = on;
    }

    /// Where the routees come from.
    pub fn source(&self) -> &F {
        &self.kind.source
    }

    /// Where the routees come from, to be changed before the start.
    pub fn source_mut(&mut self) -> &mut F {
        &mut self.kind.source
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
    F: RouteeSource<A>,
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
        let (size, bounds) = (self.size(), self.resizer.as_ref().map(Resizer::config));
        let size = bounds.map_or(size, |config| size.clamp(config.lower_bound, config.upper_bound));
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

    /// Takes out a routee that has ended, and orders another in its place; where there is a [back-off](SpreadPool::backoff),
    /// after a while. To be called from [`Actor::terminated`]. Says whether it was a routee.
    ///
    /// # Errors
    /// [`PoolError`]: it was taken out, and is not replaced.
    pub fn replace<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, gone: Address) -> Result<bool, PoolError> {
        let (evicted, life) = self.take_out(gone);
        if evicted == Evicted::Stranger {
            return Ok(false);
        }
        if let Some(life) = &life {
            self.kind.source.ended(gone, life.site, &mut ctx.scope());
        }
        let (before, wait) = match (life, self.backoff) {
            (Some(life), Some(backoff)) => {
                let now = ctx.scope().now();
                let before = if now.since(life.since) < backoff.max { life.before } else { 0 };
                (before.saturating_add(1), ctx.delay_after(&backoff, before))
            }
            _ => (0, Duration::ZERO),
        };
        if self.len() < self.wanted {
            self.order(ctx, before, wait)?;
        }
        self.refill(ctx)?;
        Ok(true)
    }

    /// Takes out a routee that has ended, and goes on with one less. To be called from [`Actor::terminated`]. With a
    /// resizer the last one's end is not [`Evicted::Last`]: the next message brings new ones.
    pub fn evict(&mut self, gone: Address) -> Evicted {
        let (evicted, _) = self.take_out(gone);
        if evicted != Evicted::Stranger {
            self.wanted = self.wanted.saturating_sub(1);
        }
        match evicted {
            Evicted::Last if self.resizer.is_some() || !self.is_empty() => Evicted::Left(0),
            evicted => evicted,
        }
    }

    /// Lets a routee go: it handles what this actor has told it, then it stops, of which nobody is told; see [`Pool::retire`]
    /// for what may be lost. Says whether it was a routee.
    pub fn retire<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, routee: impl Into<Address>) -> bool {
        self.settle(ctx);
        let routee = routee.into();
        let known = self.pool.retire(ctx, routee);
        self.forget(routee);
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
}

/// Telling.
impl<A, S, F, const N: usize> SpreadPool<A, S, F, N>
where
    A: Actor,
    S: router::Strategy<A::Msg>,
    F: RouteeSource<A>,
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
