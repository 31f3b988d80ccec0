//! Pools by configuration: how a pool routes, how many routees it has and where they live, decided for its owner by the
//! owner's path.

use std::fmt;

use corelane_kernel::router::{AnyStrategy, KeyOf, Pool, PoolError, UnfitKind};
use corelane_kernel::{Actor, Ctx};

use super::{Deployment, RouteesOn};
use crate::local::ShardCtx;
use crate::spread::{RouteeSource, SpreadPool};

/// Lets operators say how a pool routes and how many routees it has, and of a [`SpreadPool`], where they live; of the
/// `RemotePool` of `corelane-net`, on which hosts too.
///
/// ```
/// use corelane_kernel::router::{AnyStrategy, Evicted, Pool, RouterKind};
/// use corelane_kernel::{Actor, Ctx, Outcome, Terminated};
/// use corelane_shard::DeployPool;
/// # #[cfg(feature = "config")]
/// use corelane_shard::Sources;
///
/// struct Worker;
///
/// impl Actor for Worker {
///     type Msg = u64;
///     fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// }
///
/// struct Foreman { workers: Pool<Worker, AnyStrategy> }
///
/// impl Actor for Foreman {
///     type Msg = u64;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.workers.start_deployed(ctx)?;
///         Ok(())
///     }
///     fn receive(&mut self, job: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.workers.tell(ctx, job);
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
/// # #[cfg(feature = "config")] {
/// let text = r#"
///     [deploy."/user/foreman"]
///     router = "smallest-load"
///     routees = 8
/// "#;
/// let system = Sources::new().text("shop.toml", text).load()?.builder().shards(1).start()?;
/// let workers = || Pool::new(2, || Worker).strategy(AnyStrategy::new());
/// let foreman = system.spawner("foreman").spawn(move || Foreman { workers: workers() })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait DeployPool {
    /// Takes what is decided for the owner's path, and starts the pool with it ([`Pool::start`], [`SpreadPool::start`]): to
    /// be called from the owner's `started`, once. What is not decided is as the code says. A resizer's bounds hold for
    /// the size.
    ///
    /// # Errors
    /// [`DeployPoolError`]: given on, it is the owner's failure at its start, and so are its words.
    ///
    /// # Panics
    /// On a kernel that no system runs: nobody has decided anything there.
    fn start_deployed<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), DeployPoolError>;

    /// Takes what is decided for the owner's path, without starting the pool: for an owner who looks at
    /// [`Pool::size`] first.
    ///
    /// # Errors
    /// [`DeployPoolError`]; the pool is as it was.
    ///
    /// # Panics
    /// As [`DeployPool::start_deployed`].
    fn deploy<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), DeployPoolError>;
}

/// Why a pool does not do what is decided for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeployPoolError {
    /// The code cannot route like that.
    Router {
        /// The owner's path.
        path: String,
        /// Why not.
        error: UnfitKind,
    },
    /// There is no room in the pool for so many routees.
    Routees {
        /// The owner's path.
        path: String,
        /// How many are decided.
        routees: u32,
        /// How many there is room for.
        room: usize,
    },
    /// The routees that a [`Pool`] spawns live on their owner's shard: it takes a [`SpreadPool`] to have them elsewhere.
    RouteesOn {
        /// The owner's path.
        path: String,
    },
    /// The pool's routees cannot live on the hosts that are decided: they are the [`Pool`]'s own or those of a
    /// [`SpreadPool`], or one of the hosts cannot be joined.
    RouteesAt {
        /// The owner's path.
        path: String,
        /// Why not.
        error: String,
    },
    /// The pool did not start, for a reason that nobody decided.
    Pool(PoolError),
}

/// What is wrong comes first: a failure keeps only the beginning of a long text, and the log has the path anyway.
impl fmt::Display for DeployPoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeployPoolError::Router { path, error } => {
                write!(f, "router: {error}; deployed for {path:?}")
            }
            DeployPoolError::Routees { path, routees, room } => {
                write!(f, "routees: {routees}, and the pool has room for {room}; deployed for {path:?}")
            }
            DeployPoolError::RouteesOn { path } => {
                write!(f, "routees_on: this pool's live with their owner; deployed for {path:?}")
            }
            DeployPoolError::RouteesAt { path, error } => {
                write!(f, "routees_at: {error}; deployed for {path:?}")
            }
            DeployPoolError::Pool(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DeployPoolError {}

impl From<PoolError> for DeployPoolError {
    fn from(error: PoolError) -> DeployPoolError {
        DeployPoolError::Pool(error)
    }
}

impl<A, K, F, const N: usize> DeployPool for Pool<A, AnyStrategy<K>, F, N>
where
    A: Actor,
    K: KeyOf<A::Msg>,
    F: FnMut() -> A + Clone + Send + 'static,
{
    fn start_deployed<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), DeployPoolError> {
        self.deploy(ctx)?;
        Ok(self.start(ctx)?)
    }

    fn deploy<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), DeployPoolError> {
        let Some((path, decided)) = decided(ctx) else { return Ok(()) };
        if !matches!(decided.routees_on, None | Some(RouteesOn::Own)) {
            return Err(DeployPoolError::RouteesOn { path });
        }
        if decided.routees_at.is_some() {
            let error = "this pool's live with their owner: it takes a RemotePool".to_owned();
            return Err(DeployPoolError::RouteesAt { path, error });
        }
        let size = size_within::<N>(&path, &decided)?;
        choose(self.strategy_mut(), &decided, path, ctx)?;
        size.into_iter().for_each(|size| self.set_size(size));
        Ok(())
    }
}

impl<A, K, F, const N: usize> DeployPool for SpreadPool<A, AnyStrategy<K>, F, N>
where
    A: Actor,
    K: KeyOf<A::Msg>,
    F: RouteeSource<A>,
{
    fn start_deployed<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), DeployPoolError> {
        self.deploy(ctx)?;
        Ok(self.start(ctx)?)
    }

    fn deploy<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), DeployPoolError> {
        let Some((path, decided)) = decided(ctx) else { return Ok(()) };
        let size = size_within::<N>(&path, &decided)?;
        // Who says on which shards, says on this host. All is taken, or nothing.
        let mut source = self.source().clone();
        if let Some(hosts) = decided.routees_at.as_deref().or(decided.routees_on.and(Some(&[]))) {
            let put = source.put_at(hosts, &mut ctx.scope());
            put.map_err(|error| DeployPoolError::RouteesAt { path: path.clone(), error })?;
        }
        choose(self.strategy_mut(), &decided, path, ctx)?;
        *self.source_mut() = source;
        size.into_iter().for_each(|size| self.set_size(size));
        decided.routees_on.into_iter().for_each(|on| self.set_on(on));
        Ok(())
    }
}

/// The owner's path, and what is decided for it.
fn decided<B: Actor>(ctx: &mut Ctx<'_, B>) -> Option<(String, Deployment)> {
    let path = ctx.path().to_string();
    let deployment = ctx.system().deployment(&path)?;
    Some((path, deployment))
}

/// How many routees are decided, if that is decided and there is room for so many.
fn size_within<const N: usize>(path: &str, decided: &Deployment) -> Result<Option<usize>, DeployPoolError> {
    let Some(routees) = decided.routees else { return Ok(None) };
    match usize::try_from(routees) {
        Ok(size) if size <= N => Ok(Some(size)),
        _ => Err(DeployPoolError::Routees { path: path.to_owned(), routees, room: N }),
    }
}

fn choose<K, B: Actor>(
    strategy: &mut AnyStrategy<K>,
    decided: &Deployment,
    path: String,
    ctx: &Ctx<'_, B>,
) -> Result<(), DeployPoolError> {
    let Some(kind) = decided.router else { return Ok(()) };
    strategy.choose(kind, ctx.me()).map_err(|error| DeployPoolError::Router { path, error })
}
