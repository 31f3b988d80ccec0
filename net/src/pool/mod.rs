//! The remote pool: a pool whose routees live on the hosts that are decided for it.
//!
//! It is a [`SpreadPool`] with another source of routees (file `source`): children of its owner that hosts make of props,
//! where that one's are made by a factory on the shards of one system. What a host cannot give is had from another.

mod source;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corelane_kernel::limits::ROUTEES_DEFAULT;
use corelane_kernel::router::{
    AnyStrategy, Evicted, KeyOf, PoolError, Resizer, RoundRobin, Routee, Router, Strategy,
};
use corelane_kernel::{Actor, Address, Backoff, Ctx, Group, TellError};
use corelane_shard::{DeployPool, DeployPoolError, RouteesOn, SpreadPool};

use self::source::{Afar, Hosts, Troubles};
use crate::codec::Props;
use crate::endpoint::Endpoint;

pub use self::source::PoolTrouble;

/// A pool whose routees live on many hosts, up to `N` of them: on this one, unless the code or the configuration says
/// otherwise.
///
/// Routees are made of clones of the pool's [`Props`] by whatever the [`Registry`](crate::codec::Registry) of their host makes
/// of these. The owner's actor holds the pool, starts it, tells through it, and gives it the ends it hears of, as it would do
/// with a [`Pool`](corelane_kernel::router::Pool) or a [`SpreadPool`]. On which hosts the routees live, how many they are and
/// how messages are routed may be decided by the owner's path, without touching code: see [`DeployPool`].
///
/// ```
/// use std::time::Duration;
/// use corelane_kernel::router::AnyStrategy;
/// use corelane_kernel::{Actor, Backoff, Ctx, Outcome, Terminated};
/// use corelane_net::codec::{Compact, Props, Registry, Wire};
/// use corelane_net::{Endpoint, EndpointConfig, Net, NetConfig, PoolTrouble, RemotePool};
/// use corelane_shard::{DeployPool, Deployment, System};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Resize { width: u32 }
///
/// impl Wire for Resize {
///     const NAME: &'static str = "images.Resize";
///     type Form = Compact;
/// }
///
/// impl Props for Resize {
///     type Msg = String;
/// }
///
/// struct Resizer { width: u32 }
///
/// impl Actor for Resizer {
///     type Msg = String;
///     fn receive(&mut self, file: String, _: &mut Ctx<'_, Self>) -> Outcome {
///         println!("{file} at {}", self.width);
///         Ok(())
///     }
/// }
///
/// enum Msg { File(String), Trouble(PoolTrouble) }
///
/// struct Foreman { resizers: RemotePool<Resize, AnyStrategy> }
///
/// impl Actor for Foreman {
///     type Msg = Msg;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.resizers.report_to(ctx, Msg::Trouble);
///         self.resizers.start_deployed(ctx)?;
///         Ok(())
///     }
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::File(file) => self.resizers.tell(ctx, file),
///             Msg::Trouble(trouble) => println!("{trouble}"),
///         }
///         Ok(())
///     }
///     fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.resizers.replace(ctx, gone.address)?;
///         Ok(())
///     }
/// }
///
/// // The same program runs on every host: it says what is made of the props.
/// let mut registry = Registry::new();
/// registry.spawns(|resize: &Resize| Resizer { width: resize.width })?;
///
/// // In code, or in a file:
/// //   [deploy."/user/foreman"]
/// //   routees = 6
/// //   routees_at = ["corelane://images@127.0.0.1:2552", "corelane://images@127.0.0.1:2652"]
/// let hosts = ["corelane://images@127.0.0.1:2552", "corelane://images@127.0.0.1:2652"];
/// let builder = System::builder().deploy("/user/foreman", Deployment::new().routees(6).routees_at(hosts));
/// # let builder = builder.shards(1).pinned(false);
/// # let config = EndpointConfig { system: "images".into(), ..EndpointConfig::default() };
/// let system = builder
///     .extension(Net::of(NetConfig::default()))
///     .extension(Endpoint::of(config, registry))
///     .start()?;
/// let again = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
/// let foreman = system.spawner("foreman").spawn(move || Foreman {
///     resizers: RemotePool::new(2, Resize { width: 80 }).strategy(AnyStrategy::new()).named("resizer").backoff(again),
/// })?;
/// # let _ = foreman;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Where routees live
///
/// A new one comes to the host where the fewest of its pool are, of equals to the one that is named first; so at the start each
/// host gets one in turn. This host may be among them. One that is called by a name is found each time that a routee is to be had
/// there; see [`RemoteCtx::child_at`](crate::RemoteCtx::child_at). Each host chooses the shard. Where no host is named they live on this
/// one, on the shards that [`RemotePool::on`] says.
///
/// # What becomes of routees
///
/// They are the owner's children, wherever they live: supervised by its [`strategy`](Actor::strategy), suspended, restarted
/// and stopped with it, and its end waits for theirs; see [`RemoteCtx::child_at`](crate::RemoteCtx::child_at).
///
/// One that has ended for good comes to the owner's [`terminated`](Actor::terminated), also if its host is lost. The owner has
/// it [replaced](RemotePool::replace), on another host if its own is lost and there is another, or only
/// [evicted](RemotePool::evict). What it had not handled is lost with a lost host; what is told to it from then on becomes
/// dead letters.
///
/// # What hosts cannot give
///
/// A host may not be found by its name, or not be reached in time ([`RemotePool::within`]), refuse the routee, or not know what to make of the props. Then
/// the routee is tried at the other hosts, each once. Each trouble is logged as a warning, kept
/// ([`RemotePool::trouble`]), and told to an owner that [asked for it](RemotePool::report_to). If no host has it,
///
/// - with a [back-off](RemotePool::backoff) it is tried again after a while, and so on, and its place in the pool is kept;
/// - without one the owner goes on with the others, until [`RemotePool::replace`] or [`RemotePool::resize`] orders it anew.
///   If there are no others, the owner fails with the [`RemoteSpawnError`](crate::RemoteSpawnError), and its supervisor
///   decides.
///
/// What is wrong on this host fails the owner at once: a host of another system or that may not be joined, a message type
/// that is not registered, props that are too long, a region that is used up.
///
/// # While routees come
///
/// Where none is there and some are to come, the owner's messages wait until the first is there; its hooks run. What it tells
/// through the pool in such a hook becomes dead letters.
///
/// # Strategies
///
/// All of them work with routees on other hosts: a strategy picks among addresses. What
/// [`SmallestLoad`](corelane_kernel::router::SmallestLoad) goes by is what this pool has given to each routee and what the
/// owner has said to be [`done`](RemotePool::done); how many messages wait there is not known here, and
/// [`Router::measure`] leaves the loads of routees elsewhere as they are. [`ConsistentHash`](corelane_kernel::router::ConsistentHash)
/// knows a routee by its address, so the keys of one that is replaced move.
///
/// # Cost
///
/// Telling costs what it costs with a [`SpreadPool`], and what telling costs over the link. Each routee costs what a child on
/// its host costs, and a watch.
pub struct RemotePool<P: Props + Clone, S = RoundRobin, const N: usize = ROUTEES_DEFAULT> {
    inner: SpreadPool<Afar<P>, S, Hosts<P>, N>,
}

/// Settings, before the start.
impl<P: Props + Clone, const N: usize> RemotePool<P, RoundRobin, N> {
    /// A pool of so many routees made of these props, which are spawned when it is [started](RemotePool::start).
    pub fn new(size: usize, props: P) -> Self {
        let source = Hosts {
            props: Rc::new(props),
            hosts: Rc::default(),
            within: None,
            troubles: Rc::new(Troubles::default()),
        };
        RemotePool { inner: SpreadPool::from_source(size, source) }
    }

    /// How a routee is picked. Unless told otherwise, each in turn.
    pub fn strategy<S: Strategy<P::Msg>>(self, strategy: S) -> RemotePool<P, S, N> {
        RemotePool { inner: self.inner.strategy(strategy) }
    }
}

impl<P: Props + Clone, S, const N: usize> RemotePool<P, S, N> {
    /// On which hosts the routees live, each `corelane://system@host:port`. Unless told otherwise, on this one. What cannot be
    /// joined fails the owner when a routee is ordered there.
    pub fn at<H: AsRef<str>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.inner.source_mut().hosts = hosts.into_iter().map(|host| Arc::from(host.as_ref())).collect();
        self
    }

    /// On which shards the routees live where that is on this host. Unless told otherwise, on all.
    pub fn on(mut self, on: RouteesOn) -> Self {
        self.inner = self.inner.on(on);
        self
    }

    /// Names the routees: the first is `name-1` below the owner's path, the second `name-2`, and so on; no number comes twice.
    /// What is deployed for these paths comes before what the pool says: host, group and mailbox.
    pub fn named(mut self, name: &'static str) -> Self {
        self.inner = self.inner.named(name);
        self
    }

    /// The routees' scheduling group. Unless told otherwise, [`Group::Normal`].
    pub fn group(mut self, group: Group) -> Self {
        self.inner = self.inner.group(group);
        self
    }

    /// Bounds the messages that may wait for each routee on its own core; see
    /// [`Spawner::mailbox`](corelane_kernel::Spawner::mailbox). Zero, as unless told otherwise, is no bound.
    pub fn mailbox(mut self, bound: u32) -> Self {
        self.inner = self.inner.mailbox(bound);
        self
    }

    /// Waits before each [replacement](RemotePool::replace), longer each time in the same routee's place, and has a routee that
    /// no host could give tried again after such a wait. After one that has lived for [`Backoff::max`], waits begin anew.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.inner = self.inner.backoff(backoff);
        self
    }

    /// Lets the number of routees follow their load, as [`SpreadPool::resizer`] does.
    pub fn resizer(mut self, resizer: Resizer) -> Self {
        self.inner = self.inner.resizer(resizer);
        self
    }

    /// How long each host may be waited for, for one routee. Unless told otherwise as long as the endpoint says,
    /// [`EndpointConfig::spawn_within`](crate::EndpointConfig::spawn_within).
    pub fn within(mut self, within: Duration) -> Self {
        self.inner.source_mut().within = Some(within);
        self
    }

    /// Has this actor told what `then` makes of each trouble with a host, besides what the pool does about it. Nothing that is
    /// full keeps that out, but it waits as other messages do while nobody is in the pool. To be called before the start.
    pub fn report_to<B: Actor>(
        &mut self,
        ctx: &mut Ctx<'_, B>,
        then: impl Fn(PoolTrouble) -> B::Msg + 'static,
    ) {
        let owner = ctx.me();
        let report = Rc::new(move |trouble, scope: &mut corelane_kernel::Scope<'_>| {
            Endpoint::answer(scope, owner, then(trouble));
        });
        self.inner.source().troubles.report.replace(Some(report));
    }

    /// The last trouble with a host, whatever was done about it since.
    pub fn trouble(&self) -> Option<PoolTrouble> {
        self.inner.source().troubles.last.borrow().clone()
    }

    /// With how many routees it starts. A resizer's bounds hold all the same.
    pub fn size(&self) -> usize {
        self.inner.size()
    }

    /// Starts with so many routees, instead of as many as the code said. It must be called before the start.
    pub fn set_size(&mut self, size: usize) {
        self.inner.set_size(size);
    }

    /// The strategy, to be changed.
    pub fn strategy_mut(&mut self) -> &mut S {
        self.inner.strategy_mut()
    }

    /// How many routees there are, and are on their way.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether there is no routee, and none on its way.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// A routee has finished a message of this pool: its load is one less. Says whether it is a routee.
    pub fn done(&mut self, routee: impl Into<Address>) -> bool {
        self.inner.done(routee)
    }
}

/// Who is in it, and telling.
impl<P: Props + Clone, S: Strategy<P::Msg>, const N: usize> RemotePool<P, S, N> {
    /// Orders the routees: to be called from the owner's `started`, once. The owner's messages wait until the first is there. A
    /// resizer's bounds hold from the start.
    ///
    /// # Errors
    /// [`PoolError`].
    ///
    /// # Panics
    /// On a kernel that no system runs.
    pub fn start<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), PoolError> {
        self.inner.start(ctx)
    }

    /// Orders or retires routees until there are so many: new ones on the host where the fewest are, retired ones with the
    /// smallest load first, of equals the youngest. See [`RemotePool::retire`].
    ///
    /// # Errors
    /// [`PoolError`].
    ///
    /// # Panics
    /// As [`RemotePool::start`].
    pub fn resize<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, size: usize) -> Result<(), PoolError> {
        self.inner.resize(ctx, size)
    }

    /// Takes out a routee that has ended, and orders another in its place, and others that are missing; where there is a
    /// [back-off](RemotePool::backoff), after a while. To be called from [`Actor::terminated`]. Says whether it was a routee.
    ///
    /// # Errors
    /// [`PoolError`]: it was taken out, and is not replaced.
    pub fn replace<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, gone: Address) -> Result<bool, PoolError> {
        self.inner.replace(ctx, gone)
    }

    /// Takes out a routee that has ended, and goes on with one less. To be called from [`Actor::terminated`]. With a
    /// resizer the last one's end is not [`Evicted::Last`]: the next message brings new ones.
    pub fn evict(&mut self, gone: Address) -> Evicted {
        self.inner.evict(gone)
    }

    /// Lets a routee go: it handles what this actor has told it, wherever it lives, then it stops, of which nobody is told.
    /// What is lost with a connection, or with its host, is all that may be lost of it; see [`Ctx::retire`]. Says whether it was
    /// a routee.
    pub fn retire<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, routee: impl Into<Address>) -> bool {
        self.inner.retire(ctx, routee)
    }

    /// The routees that are there, oldest first.
    pub fn routees<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> &[Routee<P::Msg>] {
        self.inner.routees(ctx)
    }

    /// Tells the routee that the strategy picks; see [`Router::tell`].
    #[inline]
    pub fn tell<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>, message: P::Msg) {
        self.inner.tell(ctx, message);
    }

    /// Tells the routee that the strategy picks, or gives the message back; see [`Router::try_tell`].
    ///
    /// # Errors
    /// As [`Router::try_tell`].
    #[inline]
    pub fn try_tell<B: Actor>(
        &mut self,
        ctx: &mut Ctx<'_, B>,
        message: P::Msg,
    ) -> Result<(), TellError<P::Msg>> {
        self.inner.try_tell(ctx, message)
    }

    /// The router, for all else that one can do: broadcasts, asks, picking for a key. The resizer counts each call as one
    /// message, and has its say before.
    #[inline]
    pub fn router<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> &mut Router<P::Msg, S, N> {
        self.inner.router(ctx)
    }
}

impl<P, K, const N: usize> DeployPool for RemotePool<P, AnyStrategy<K>, N>
where
    P: Props + Clone,
    K: KeyOf<P::Msg>,
{
    fn start_deployed<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), DeployPoolError> {
        self.inner.start_deployed(ctx)
    }

    fn deploy<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), DeployPoolError> {
        self.inner.deploy(ctx)
    }
}

impl<P: Props + Clone, S: fmt::Debug, const N: usize> fmt::Debug for RemotePool<P, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = &self.inner.source().hosts;
        write!(f, "RemotePool({} routees of {:?}, at: {hosts:?})", self.len(), P::NAME)
    }
}
