//! The extension that joins a system to others: actors of one tell, ask, watch and stop those of another with the same calls.
//!
//! Each shard listens at a port of its own and dials its own links, one to each shard of a peer that its actors tell. What a
//! shard does for it is its gate's.

mod config;

use std::any::TypeId;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

pub use config::{EndpointConfig, EndpointError};
use corelane_kernel::{ActorRef, Address, Census, Scope, UplinkRefusal, Wire};
use corelane_shard::{Beyond, BoxError, Extension, Handle, Loading};

use crate::codec::{Codec, Home, Registry, RegistryError};
use crate::gate::{Gate, GateStats};
use crate::link::Me;
use crate::named::AnyUrl;
use crate::net::Net;
use crate::peer::{Peers, node_of};
use crate::reactor::{Options, Taken};
use crate::resolve::RemoteLookupError;
use crate::sockets::Sockets;
use crate::tls::{Identity, TlsConfig, TlsConfigError};
use crate::trust::{Rights, Trust};

/// Attempts to find ports in a row.
const PORT_TRIES: usize = 64;

/// What all shards of a system have in common, as far as other hosts go.
pub(crate) struct Shared {
    pub(crate) config: EndpointConfig,
    pub(crate) registry: Registry,
    pub(crate) me: Me,
    pub(crate) public: SocketAddr,
    pub(crate) bind: SocketAddr,
    pub(crate) peers: Peers,
    pub(crate) handle: Handle,
    /// What new connections show and believe, if links are under TLS.
    tls: Option<RwLock<Arc<Identity>>>,
    /// Children of other hosts' actors that might live anywhere, so far.
    children: AtomicUsize,
    /// Which shards have no actors any more, where the system ends.
    done: Box<[AtomicBool]>,
    /// What untrusted peers may reach, in untrusted mode.
    pub(crate) trust: Option<Arc<Trust>>,
    censuses: Mutex<Vec<Option<Arc<Census>>>>,
    home: OnceLock<Arc<Home>>,
    /// Each shard's port, until its reactor is there to accept what comes.
    ports: Mutex<Vec<Option<Taken>>>,
}

impl Shared {
    /// This host, once all its shards are there.
    pub(crate) fn home(&self) -> Option<&Arc<Home>> {
        self.home.get()
    }

    /// What a new connection shows and believes, if links are under TLS.
    pub(crate) fn tls(&self) -> Option<Arc<Identity>> {
        self.tls.as_ref().map(|identity| identity.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn add_census(&self, shard: usize, census: Arc<Census>) -> Result<(), BoxError> {
        let mut censuses = self.censuses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = censuses.get_mut(shard) {
            *place = Some(census);
        }
        if let Some(all) = censuses.iter().cloned().collect::<Option<Vec<_>>>() {
            let home = Home::new(self.me.node, self.me.incarnation, all)?;
            let _ = self.home.set(Arc::new(home));
        }
        Ok(())
    }

    /// The system ends, and a shard has no actors any more.
    pub(crate) fn done(&self, shard: u16) {
        if let Some(done) = self.done.get(usize::from(shard)) {
            done.store(true, Ordering::Release);
        }
    }

    /// Whether no shard has actors any more. Those of one that is lost are gone with it.
    pub(crate) fn are_done(&self) -> bool {
        let mut shards = self.done.iter().enumerate();
        shards.all(|(shard, done)| done.load(Ordering::Acquire) || self.handle.is_lost(shard))
    }

    /// The shard of the next child that may live anywhere: all in turn, but for those that are lost.
    pub(crate) fn next_child(&self) -> u16 {
        let shards = self.handle.shards();
        let mut turns = (0..shards).map(|_| self.children.fetch_add(1, Ordering::Relaxed) % shards);
        let shard = turns.find(|shard| !self.handle.is_lost(*shard));
        shard.and_then(|shard| u16::try_from(shard).ok()).unwrap_or(0)
    }

    /// The port of a shard, which is taken. `None` in a simulated network.
    pub(crate) fn take_port(&self, shard: u16) -> Option<Taken> {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.get_mut(usize::from(shard))?.take()
    }
}

/// For gateways, which have no kernel that could be asked.
impl Beyond for Shared {
    fn check(&self, to: Address, message: TypeId) -> Result<(), UplinkRefusal> {
        self.registry.writer(message).ok_or(UplinkRefusal::NoWireForm)?;
        // One that was given up may be met again; one that is over never is.
        self.peers.by_realm(to.place().realm()).map(|_| ()).ok_or(UplinkRefusal::Unreachable)
    }
}

/// Where shard `shard` is reached at an endpoint.
pub(crate) fn port_of(base: SocketAddr, shard: u16) -> Option<SocketAddr> {
    let mut address = base;
    address.set_port(base.port().checked_add(shard)?);
    Some(address)
}

/// Joins a system to others. Loaded as an [extension](corelane_shard::Builder::extension), behind [`Net`].
///
/// Messages that leave the process are of types that implement [`Wire`] and are registered on both sides. Numbers, `bool`,
/// `()` and `String` are registered already.
///
/// ```
/// use std::time::Duration;
/// use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
/// use corelane_net::codec::{Compact, Registry, Wire};
/// use corelane_net::{Endpoint, EndpointConfig, Net, NetConfig};
/// use corelane_shard::{On, System};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum Sum { Add(u64), Get(ReplyTo<u64>) }
///
/// impl Wire for Sum {
///     const NAME: &'static str = "demo.Sum";
///     type Form = Compact;
/// }
///
/// struct Adder(u64);
///
/// impl Actor for Adder {
///     type Msg = Sum;
///     fn receive(&mut self, message: Sum, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match message {
///             Sum::Add(n) => self.0 += n,
///             Sum::Get(reply) => ctx.tell(reply, self.0),
///         }
///         Ok(())
///     }
/// }
///
/// let system = || -> Result<System, Box<dyn std::error::Error>> {
///     let mut registry = Registry::new();
///     registry.register::<Sum>()?;
///     let config = EndpointConfig { system: "demo".into(), ..EndpointConfig::default() };
///     let builder = System::builder().shards(1).pinned(false);
///     Ok(builder.extension(Net::of(NetConfig::default())).extension(Endpoint::of(config, registry)).start()?)
/// };
/// // Two hosts: here in one process.
/// let (far, near) = (system()?, system()?);
/// far.spawn_named(On::Spread, "adder", || Adder(0))?;
/// let at = far.extension::<Endpoint>().ok_or("loaded")?.address();
///
/// let endpoint = near.extension::<Endpoint>().ok_or("loaded")?;
/// let adder = endpoint.lookup::<Sum>(&format!("corelane://demo@{at}/user/adder"), Duration::from_secs(30))?;
/// let asked = near.call(0, move |scope| {
///     let (sender, receiver) = std::sync::mpsc::channel();
///     scope.tell(adder, Sum::Add(3));
///     scope.ask(adder, Duration::from_secs(30), Sum::Get, move |sum| _ = sender.send(sum));
///     receiver
/// })?;
/// assert_eq!(asked.recv()??, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Endpoint {
    shared: Arc<Shared>,
}

impl Endpoint {
    /// Makes the extension, for [`Builder::extension`](corelane_shard::Builder::extension).
    ///
    /// # Errors
    /// From what it returns: [`EndpointError`], [`RegistryError`], and what loading says.
    pub fn of(
        config: EndpointConfig,
        registry: Registry,
    ) -> impl Fn(&Loading<'_>) -> Result<Endpoint, BoxError> + Send + Sync + 'static {
        let registry = Once::new(registry);
        move |loading| Endpoint::load(config.clone(), registry.take()?, loading)
    }

    /// Makes the extension from the settings that were read, or that [`Builder::configure`](corelane_shard::Builder::configure)
    /// was told: for [`Builder::extension`](corelane_shard::Builder::extension), or to be
    /// [offered](corelane_shard::Builder::offer_extension) as `endpoint`. Which messages there are, only a program knows; all the
    /// rest may stand in a file (with the feature `config`).
    ///
    /// ```
    /// # #[cfg(feature = "config")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use corelane_net::codec::Registry;
    /// use corelane_net::{Endpoint, EndpointConfig, Net, NetConfig};
    /// use corelane_shard::Sources;
    ///
    /// // As it may stand in a file.
    /// let text = "
    ///     shards = 1
    ///     pinned = false
    ///     extensions = [\"net\", \"endpoint\"]
    ///     [remote]
    ///     system = \"shop\"
    ///     bind = \"127.0.0.1:0\"
    /// ";
    /// let sources = Sources::new().section::<NetConfig>().section::<EndpointConfig>();
    /// let config = sources.text("shop.toml", text).environment().load()?;
    /// let builder = config.builder().offer_extension(Net::configured());
    /// let system = builder.offer_extension(Endpoint::configured(Registry::new())).start()?;
    /// let endpoint = system.extension::<Endpoint>().ok_or("loaded")?;
    /// assert!(endpoint.address().ip().is_loopback());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "config"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// As [`Endpoint::of`].
    pub fn configured(
        registry: Registry,
    ) -> impl Fn(&Loading<'_>) -> Result<Endpoint, BoxError> + Send + Sync + 'static {
        let registry = Once::new(registry);
        move |loading| Endpoint::load(loading.settings().unwrap_or_default(), registry.take()?, loading)
    }

    fn load(
        config: EndpointConfig,
        mut registry: Registry,
        loading: &Loading<'_>,
    ) -> Result<Endpoint, BoxError> {
        config.check()?;
        let tls = config.tls.as_ref().map(Identity::load).transpose().map_err(EndpointError::Tls)?;
        let trust = config.untrusted.as_ref().map(Trust::new).transpose().map_err(EndpointError::Tls)?;
        register_plain(&mut registry)?;
        let net = loading.require::<Net>()?;
        let shards = loading.handle().shards();
        let (bind, ports) =
            if net.is_simulated() { (config.bind, Vec::new()) } else { take_ports(config.bind, shards)? };
        let public = config.public.unwrap_or(bind);
        let last = u16::try_from(shards - 1).ok().and_then(|last| port_of(public, last));
        if public.port() == 0 || last.is_none() {
            return Err(EndpointError::Config("public, or bind, leaves no port for each shard").into());
        }
        let drawn = || RandomState::new().hash_one(std::time::SystemTime::now()).max(1);
        let me = Me {
            system: config.system.clone(),
            address: public.to_string(),
            node: node_of(&config.system, public),
            incarnation: config.incarnation.unwrap_or_else(drawn),
        };
        let peers = Peers::new(config.hosts_max);
        let shared = Shared {
            registry,
            me,
            public,
            bind,
            peers,
            handle: loading.handle().clone(),
            trust: trust.map(Arc::new),
            tls: tls.map(|identity| RwLock::new(Arc::new(identity))),
            children: AtomicUsize::new(0),
            done: (0..shards).map(|_| AtomicBool::new(false)).collect(),
            censuses: Mutex::new(vec![None; shards]),
            home: OnceLock::new(),
            ports: Mutex::new(ports),
            config,
        };
        let shared = Arc::new(shared);
        let beyond: Weak<Shared> = Arc::downgrade(&shared);
        loading.reach_beyond_by(beyond);
        Ok(Endpoint { shared })
    }

    /// Where other hosts reach this one, as it stands in a URL: `corelane://system@address/user/a`.
    pub fn address(&self) -> SocketAddr {
        self.shared.public
    }

    /// The number that stands for this host on the wire, and that of its life.
    pub fn identity(&self) -> (u64, u64) {
        (self.shared.me.node, self.shared.me.incarnation)
    }

    /// Looks an actor up that takes messages of type `M`: `corelane://system@host:port/user/a/b`. The host is the public address
    /// of a system, as it has it itself; this system's own is as good as any. Blocks until the answer is there. Must not be called
    /// from an actor: use [`RemoteCtx::lookup_at`](crate::RemoteCtx::lookup_at) there.
    ///
    /// The host may be called by a name, which stands for the addresses that the operating system knows for it at that time. They
    /// are tried in turn: the next one when nobody can be reached at one, or whoever is there is another. A reference goes with the
    /// address; who has moved to another one is found by the next look-up.
    ///
    /// The first shard of the host is asked. Where that cannot be reached, any other to which the asking shard has a link that is
    /// open.
    ///
    /// The reference is to the actor that bears the name now.
    ///
    /// # Errors
    /// [`RemoteLookupError`], at the latest after `within`.
    pub fn lookup<M: Wire<Form: Codec<M>>>(
        &self,
        url: &str,
        within: Duration,
    ) -> Result<ActorRef<M>, RemoteLookupError> {
        let (sender, receiver) = oneshot::channel();
        // Whoever asked waits.
        self.look_up::<M>(url, within, move |found| _ = sender.send(found));
        receiver.recv().unwrap_or(Err(RemoteLookupError::ShuttingDown))
    }

    /// In [untrusted mode](crate::Untrusted), lets untrusted peers reach an actor, whoever they have its reference from, until it
    /// is [withdrawn](Endpoint::withdraw). Otherwise does nothing.
    pub fn export(&self, actor: impl Into<Address>, rights: Rights) {
        if let Some(trust) = &self.shared.trust {
            trust.export(actor.into(), rights);
        }
    }

    /// Takes an actor back from all untrusted peers, however they were given it. A path that is exported gives it to whoever
    /// looks it up again.
    pub fn withdraw(&self, actor: impl Into<Address>) {
        if let Some(trust) = &self.shared.trust {
            trust.withdraw(actor.into());
        }
    }

    /// Reads the files of [`EndpointConfig::tls`] again: connections that are made from here on show, and believe, what is in
    /// them now. Those that are open stay. Blocks while the files are read; not for an actor.
    ///
    /// # Errors
    /// [`TlsConfigError`]; what was there before stays in use.
    pub fn renew_tls(&self) -> Result<(), TlsConfigError> {
        self.renew_tls_by(self.shared.config.tls.as_ref().ok_or(TlsConfigError::NoTls)?)
    }

    /// As [`Endpoint::renew_tls`], with other settings in place of those of the start.
    ///
    /// # Errors
    /// [`TlsConfigError`]; what was there before stays in use.
    pub fn renew_tls_by(&self, config: &TlsConfig) -> Result<(), TlsConfigError> {
        let identity = self.shared.tls.as_ref().ok_or(TlsConfigError::NoTls)?;
        let renewed = Arc::new(Identity::load(config)?);
        *identity.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        tracing::info!(endpoint = ?self, "certificates were renewed");
        Ok(())
    }

    /// Like [`Endpoint::lookup`], with the answer as a future that any executor can await. The question is sent now, the future need
    /// only be polled for its answer; dropping it gives the answer up. Never blocks.
    ///
    /// # Errors
    /// [`RemoteLookupError`], from the future.
    pub fn lookup_future<M: Wire<Form: Codec<M>>>(
        &self,
        url: &str,
        within: Duration,
    ) -> impl Future<Output = Result<ActorRef<M>, RemoteLookupError>> + Send + use<M> {
        let (sender, receiver) = oneshot::async_channel();
        // The future may have been dropped.
        self.look_up::<M>(url, within, move |found| _ = sender.send(found));
        async move { receiver.await.unwrap_or(Err(RemoteLookupError::ShuttingDown)) }
    }

    /// Tells an actor of this shard what it asked for: by the shard's gate for certain, or as far as there is room where there is
    /// no gate.
    pub(crate) fn answer<M: Send + 'static>(scope: &mut Scope<'_>, to: ActorRef<M>, message: M) {
        match Endpoint::part(scope) {
            Some(gate) => gate.answer(to, message),
            None => scope.answer(to, message),
        }
    }

    /// Has a shard look an actor up. A system that shuts down may drop the closure instead.
    fn look_up<M: Wire<Form: Codec<M>>>(
        &self,
        url: &str,
        within: Duration,
        found: impl FnOnce(Result<ActorRef<M>, RemoteLookupError>) + Send + 'static,
    ) {
        let url: AnyUrl = match url.parse() {
            Ok(url) => url,
            Err(error) => return found(Err(error)),
        };
        let _ = self.shared.handle.run_on(0, move |scope| match Endpoint::part(scope).cloned() {
            Some(gate) => gate.lookup::<M>(scope, url, within, move |_, answer| found(answer)),
            None => found(Err(RemoteLookupError::NoEndpoint)),
        });
    }

    /// What a shard's links have done so far.
    ///
    /// # Errors
    /// [`corelane_shard::CallError`].
    pub fn stats(&self, shard: usize) -> Result<GateStats, corelane_shard::CallError> {
        self.shared
            .handle
            .call(shard, |scope| Endpoint::part(scope).map(|gate| gate.stats()).unwrap_or_default())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint(corelane://{}@{})", self.shared.me.system, self.shared.public)
    }
}

impl Extension for Endpoint {
    const NAME: &'static str = "endpoint";

    type Shard = std::rc::Rc<Gate>;

    fn on_shard(&self, scope: &mut Scope<'_>) -> Result<Self::Shard, BoxError> {
        let shard = scope.place().shard();
        let census = scope.census().ok_or(EndpointError::NoCensus)?;
        let sockets = Sockets::of(scope).ok_or(EndpointError::NoSockets)?;
        self.shared.add_census(shard, census.clone())?;
        let gate = Gate::open(self.shared.clone(), shard as u16, census, sockets)?;
        scope.uplink_by(gate.uplink()).map_err(|_| "the region is too small for an endpoint")?;
        tracing::info!(shard, endpoint = ?self, "listening");
        Ok(gate)
    }
}

/// A registry until it is taken.
struct Once(Mutex<Option<Registry>>);

impl Once {
    fn new(registry: Registry) -> Once {
        Once(Mutex::new(Some(registry)))
    }

    fn take(&self) -> Result<Registry, EndpointError> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or(EndpointError::Config("an endpoint's registry is good for one system"))
    }
}

/// Types that have a wire form of their own.
fn register_plain(registry: &mut Registry) -> Result<(), RegistryError> {
    registry.register::<u8>()?;
    registry.register::<u16>()?;
    registry.register::<u32>()?;
    registry.register::<u64>()?;
    registry.register::<u128>()?;
    registry.register::<i8>()?;
    registry.register::<i16>()?;
    registry.register::<i32>()?;
    registry.register::<i64>()?;
    registry.register::<i128>()?;
    registry.register::<f32>()?;
    registry.register::<f64>()?;
    registry.register::<bool>()?;
    registry.register::<()>()?;
    registry.register::<String>()
}

/// A port for each shard, one above the other. From here on nobody else has them.
fn take_ports(bind: SocketAddr, shards: usize) -> Result<(SocketAddr, Vec<Option<Taken>>), EndpointError> {
    let mut last = std::io::Error::other("no attempt");
    for _ in 0..if bind.port() == 0 { PORT_TRIES } else { 1 } {
        match try_ports(bind, shards) {
            Ok(ports) => return Ok(ports),
            Err(error) => last = error,
        }
    }
    Err(EndpointError::Ports { bind, count: shards, error: last })
}

fn try_ports(bind: SocketAddr, shards: usize) -> std::io::Result<(SocketAddr, Vec<Option<Taken>>)> {
    // Of ports that are not asked for others will do.
    let take = if bind.port() == 0 { Taken::at } else { Taken::soon_at };
    let first = take(bind, &Options::default())?;
    let base = first.address;
    let mut ports = vec![Some(first)];
    for shard in 1..shards {
        let address = u16::try_from(shard).ok().and_then(|shard| port_of(base, shard));
        let address = address.ok_or_else(|| std::io::Error::other("the ports end before"))?;
        ports.push(Some(take(address, &Options::default())?));
    }
    Ok((base, ports))
}
