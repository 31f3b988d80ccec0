//! Routees on any shards: children of their owner, for its pool or router.
//!
//! There is no more to them than that: [`Ctx::child_on`] makes each, and the owner is told of it when it is there.

use std::fmt;

use corelane_kernel::{Actor, ActorRef, Ctx, Group};

use crate::error::{CallError, SpawnOnError};
use crate::local::local;
use crate::spawn::On;

/// Spawns routees on any shards, for the [`Pool`](corelane_kernel::router::Pool) or the
/// [`Router`](corelane_kernel::router::Router) of one actor, their owner.
///
/// The owner is told of each when it is there, and has its pool adopt it: that watches it, and its end comes to the
/// owner's [`terminated`](Actor::terminated).
///
/// They are the owner's children, as those that a pool spawns by itself: supervised by the owner's
/// [`strategy`](Actor::strategy), suspended, restarted and stopped with it, and the owner's end waits for theirs. One that
/// is restarted keeps its address. One that stops is not replaced: a [`SpreadPool`](crate::SpreadPool) does that, and all
/// else that an owner has to do here.
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
///         Routees::new(|| Worker).spawn(ctx, [On::Shard(0), On::Shard(1)], Msg::Joined);
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
}

impl<F> Routees<F> {
    /// Routees from this factory, which makes each one's state when it starts, and again when it is restarted.
    pub const fn new(factory: F) -> Routees<F> {
        Routees { factory, group: Group::Normal, mailbox: 0 }
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

    /// Spawns one on each of these shards, as children of this actor, their owner, who is told of each what `then` makes of
    /// it: its address, or why it is not there. The owner's mailbox bound does not keep that out. Four of them one after the
    /// other on all shards: `[On::Spread; 4]`.
    ///
    /// Each costs what a child on its shard costs; see [`Ctx::child_on`].
    ///
    /// # Panics
    /// On a kernel that no system runs: there are no shards.
    pub fn spawn<A: Actor, B: Actor>(
        &self,
        ctx: &mut Ctx<'_, A>,
        on: impl IntoIterator<Item = On>,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnOnError>) -> A::Msg + Clone + 'static,
    ) where
        F: FnMut() -> B + Clone + Send + 'static,
    {
        let (.., handle, _) = local(ctx);
        let owner = ctx.me();
        for on in on {
            let shard = on.choose(&handle.shared);
            let told = then.clone();
            let begun: Result<(), SpawnOnError> = if shard < handle.shards() {
                let spawner = ctx.child_on(shard).group(self.group).mailbox(self.mailbox);
                let told = move |born: Result<_, _>| told(born.map_err(SpawnOnError::from));
                spawner.spawn_from(self.factory.clone(), told).map_err(SpawnOnError::from)
            } else {
                Err(CallError::NoSuchShard.into())
            };
            if let Err(error) = begun {
                ctx.scope().answer(owner, then.clone()(Err(error)));
            }
        }
    }
}

impl<F> fmt::Debug for Routees<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Routees(group: {:?}, mailbox: {})", self.group, self.mailbox)
    }
}
