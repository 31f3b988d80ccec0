//! Routees on other shards: spawned where they are wanted, for a pool of whose owner they are no children, and gone with it
//! all the same.
//!
//! Each routee is the child of a *leash* on its own shard, which supervises it, and the owner has a child of its own, the
//! *tether*, that every leash watches. A tether ends with the instance of the owner that spawned it: when the owner stops,
//! when it is restarted, when its shard is lost. Then the leashes stop, and with them the routees. A leash that comes too
//! late finds no tether, and goes at once. So nobody has to be told, and nothing is left behind.
//!
//! ```text
//!   shard 0                     shard 1                    shard 2
//!   owner ── tether ◀──watches── leash ── routee     ┌───── leash ── routee
//!     │         ▲                            ▲       │                  ▲
//!     │         └──watches────────────────── │ ──────┘                  │
//!     └── its pool watches ──────────────────┴──────────────────────────┘
//! ```

use std::convert::Infallible;
use std::fmt;

use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, Group, Outcome, Scope, SpawnError, Strategy, Terminated,
};

use crate::error::{CallError, SpawnOnError};
use crate::local::{local, report};
use crate::spawn::On;

/// Spawns routees on any shards, for the [`Pool`](corelane_kernel::router::Pool) or the
/// [`Router`](corelane_kernel::router::Router) of one actor, their owner.
///
/// The owner is told of each when it is there, and has its pool adopt it: that watches it, and its end comes to the
/// owner's [`terminated`](Actor::terminated). Routees end with the instance of the owner that spawned them: when it stops,
/// and when it is restarted, whose new instance spawns new ones. Its own end does not wait for theirs.
///
/// They are no children of the owner: they are supervised on their own shards, by
/// [`Routees::supervision`], and keep their addresses when they are restarted. One that stops is not replaced: a
/// [`SpreadPool`](crate::SpreadPool) does that, and all else that an owner has to do here.
///
/// ```
/// use std::sync::mpsc;
/// use corelane_kernel::router::{Evicted, Pool};
/// use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Terminated};
/// use corelane_shard::{On, Routees, SpawnOnError, System};
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
/// enum Msg { Joined(Result<ActorRef<Job>, SpawnOnError>), Work(Job) }
///
/// struct Foreman { workers: Pool<Worker>, early: Vec<Job> }
///
/// impl Actor for Foreman {
///     type Msg = Msg;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         Routees::new(|| Worker).spawn(ctx, [On::Shard(0), On::Shard(1)], Msg::Joined)?;
///         Ok(())
///     }
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Joined(worker) => {
///                 self.workers.adopt(ctx, worker?)?;
///                 for job in self.early.drain(..) {
///                     self.workers.tell(ctx, job);
///                 }
///             }
///             Msg::Work(job) if self.workers.is_empty() => self.early.push(job),
///             Msg::Work(job) => self.workers.tell(ctx, job),
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
///
/// let system = System::builder().shards(2).pinned(false).start()?;
/// let foreman = system.spawn(|| Foreman { workers: Pool::new(0, || Worker), early: Vec::new() })?;
/// let (done, results) = mpsc::channel();
/// system.gateway()?.tell(foreman, Msg::Work(Job(done)));
/// assert!(results.recv()? < 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "routees are there once they are spawned"]
pub struct Routees<F> {
    factory: F,
    group: Group,
    mailbox: u32,
    supervision: Strategy,
}

impl<F> Routees<F> {
    /// Routees from this factory, which makes each one's state when it starts, and again when it is restarted.
    pub const fn new(factory: F) -> Routees<F> {
        Routees { factory, group: Group::Normal, mailbox: 0, supervision: Strategy::one_for_one() }
    }

    /// Their scheduling group. Unless told otherwise, [`Group::Normal`].
    pub const fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// Bounds the messages that may wait for each on its own core; see
    /// [`Spawner::mailbox`](corelane_kernel::Spawner::mailbox). Zero, as unless told otherwise, is no bound.
    pub const fn mailbox(mut self, bound: u32) -> Self {
        self.mailbox = bound;
        self
    }

    /// What is done about one that fails. It concerns no other, whatever the strategy says. Unless told otherwise,
    /// [`Strategy::one_for_one`], which restarts it. Where a failure is escalated, the routee is stopped.
    pub const fn supervision(mut self, strategy: Strategy) -> Self {
        self.supervision = strategy;
        self
    }

    /// Spawns one on each of these shards, and tells this actor, their owner, of each what `then` makes of it: its
    /// address, or why it is not there. Four of them one after the other on all shards: `[On::Spread; 4]`.
    ///
    /// Costs three cells for one routee and two for each further one (its own and its leash), and three watches for each,
    /// one of which is the owner's own.
    ///
    /// # Errors
    /// [`SpawnError`] when the owner cannot have another child; nothing has changed.
    ///
    /// # Panics
    /// On a kernel that no system runs: there are no shards.
    pub fn spawn<A: Actor, B: Actor>(
        &self,
        ctx: &mut Ctx<'_, A>,
        on: impl IntoIterator<Item = On>,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnOnError>) -> A::Msg + Clone + Send + 'static,
    ) -> Result<(), SpawnError>
    where
        F: FnMut() -> B + Clone + Send + 'static,
    {
        let (.., handle, own) = local(ctx);
        let tether = ctx.spawn(Tether)?.address();
        let owner = ctx.me();
        for on in on {
            let leash = Leash { tether, owner, routees: self.clone(), then: then.clone() };
            let shard = on.choose(&handle.shared);
            if shard == own {
                leash.put_on(&mut ctx.scope());
            } else if shard >= handle.shards() {
                ctx.tell(owner, then.clone()(Err(CallError::NoSuchShard.into())));
            } else {
                // A system that is shutting down stops the owner as well: nobody is left to be told.
                let _ = handle.shared.run_on(shard, move |scope| leash.put_on(scope));
            }
        }
        Ok(())
    }
}

impl<F> fmt::Debug for Routees<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Routees { group, mailbox, supervision, .. } = self;
        write!(f, "Routees(group: {group:?}, mailbox: {mailbox}, supervision: {supervision:?})")
    }
}

/// Lives as long as the instance of its parent. It is spawned from a value, so a restart of its parent is its end.
struct Tether;

impl Actor for Tether {
    type Msg = Infallible;
    fn receive(&mut self, never: Infallible, _: &mut Ctx<'_, Self>) -> Outcome {
        match never {}
    }
}

/// The parent of one routee, which goes with it and with the tether.
pub(crate) struct Leash<M, F, T> {
    pub(crate) tether: Address,
    pub(crate) owner: ActorRef<M>,
    pub(crate) routees: Routees<F>,
    pub(crate) then: T,
}

impl<M, F, T, B> Leash<M, F, T>
where
    M: Send + 'static,
    F: FnMut() -> B + Clone + Send + 'static,
    B: Actor,
    T: FnOnce(Result<ActorRef<B::Msg>, SpawnOnError>) -> M + Clone + Send + 'static,
{
    pub(crate) fn put_on(self, scope: &mut Scope<'_>) {
        let (owner, then) = (self.owner, self.then.clone());
        if let Err(error) = scope.spawn(self) {
            report(scope, owner, then(Err(error.into())));
        }
    }

    fn spawn_routee(&self, ctx: &mut Ctx<'_, Self>) -> Result<ActorRef<B::Msg>, SpawnError> {
        let Routees { factory, group, mailbox, .. } = self.routees.clone();
        ctx.watch(self.tether)?;
        let routee = ctx.spawner().group(group).mailbox(mailbox).spawn_from(factory)?;
        ctx.watch(routee)?;
        Ok(routee)
    }
}

impl<M, F, T, B> Actor for Leash<M, F, T>
where
    M: Send + 'static,
    F: FnMut() -> B + Clone + Send + 'static,
    B: Actor,
    T: FnOnce(Result<ActorRef<B::Msg>, SpawnOnError>) -> M + Clone + Send + 'static,
{
    type Msg = Infallible;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let routee = self.spawn_routee(ctx);
        if routee.is_err() {
            ctx.stop_self();
        }
        report(&mut ctx.scope(), self.owner, self.then.clone()(routee.map_err(SpawnOnError::from)));
        Ok(())
    }

    fn receive(&mut self, never: Infallible, _: &mut Ctx<'_, Self>) -> Outcome {
        match never {}
    }

    /// The tether's end or the routee's.
    fn terminated(&mut self, _: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.stop_self();
        Ok(())
    }

    fn strategy(&self) -> Strategy {
        self.routees.supervision
    }
}
