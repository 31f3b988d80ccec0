//! Simulated clusters: whole systems on hosts of their own, joined by a simulated network, in one thread and on one clock, with
//! everything that varies drawn from one seed.
//!
//! It is the [simulator of shards](corelane_shard::sim) with more than one host in it, each with its own sockets and endpoint;
//! the code that runs is the code that always runs, down to the bytes of the links. [`Cluster`] lays hosts out,
//! [`Network`] delays, cuts and breaks what is between them, and a [host](corelane_shard::sim::Host) crashes and comes back as
//! another life.
//!
//! ```
//! use std::time::Duration;
//! use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
//! use corelane_net::RemoteCtx;
//! use corelane_net::codec::Registry;
//! use corelane_net::sim::Cluster;
//! use corelane_shard::On;
//! use corelane_shard::sim::{Sim, note};
//!
//! struct Echo;
//!
//! impl Actor for Echo {
//!     type Msg = String;
//!     fn receive(&mut self, text: String, _: &mut Ctx<'_, Self>) -> Outcome {
//!         note(text);
//!         Ok(())
//!     }
//! }
//!
//! /// Looks somebody up on another host, and tells it something.
//! struct Caller { url: String }
//!
//! impl Actor for Caller {
//!     type Msg = Result<corelane_kernel::ActorRef<String>, corelane_net::RemoteLookupError>;
//!     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         ctx.lookup_at(&self.url, Duration::from_secs(60), |found| found);
//!         Ok(())
//!     }
//!     fn receive(&mut self, found: Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         ctx.tell(found?, "hello".to_owned());
//!         Ok(())
//!     }
//! }
//!
//! let trace = Sim::new(7).shards(1).run(|sim| {
//!     let mut cluster = Cluster::new(7);
//!     let far = sim.start_host(cluster.plan(1, 2, Registry::new()))?;
//!     let mut near = sim.start_host(cluster.plan(2, 1, Registry::new()))?;
//!     far.system().spawn_named(On::Shard(1), "echo", || Echo)?;
//!
//!     // Nothing gets through from one to the other for a while.
//!     let network = cluster.network();
//!     network.cut(Cluster::host(2), Cluster::host(1));
//!     let url = cluster.url(1, "/user/echo");
//!     near.spawn_on(0, move || Caller { url: url.clone() })?;
//!     sim.run_for(Duration::from_secs(5));
//!     sim.note("mended");
//!     network.mend_all();
//!     sim.run_for(Duration::from_secs(30));
//!     Ok(())
//! })?;
//! assert_eq!(trace.notes().collect::<Vec<_>>(), ["mended", "hello"]);
//! # Ok::<(), corelane_shard::sim::SimError>(())
//! ```
//!
//! # Random worlds
//!
//! [`random`] has clusters whose actors do everything at random while everything goes wrong, watched by rules that know
//! nothing of the code: what `corelane sim --hosts` runs, seed after seed.

pub mod random;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use corelane_shard::sim::HostPlan;

use crate::codec::Registry;
use crate::endpoint::{Endpoint, EndpointConfig};
use crate::net::{Net, NetConfig, SimulatedHost};
use crate::reactor::ReactorConfig;
pub use crate::reactor::sim::{Network, NetworkOptions};

/// The port of every host's first shard.
const PORT: u16 = 2552;

/// Hosts in one simulated network. To be made while a [simulation](corelane_shard::sim::Sim) runs, in its story.
#[derive(Debug)]
pub struct Cluster {
    /// The reactors of all hosts that are planned from here on. 64 chunks of 4 KiB unless set otherwise.
    pub reactor: ReactorConfig,
    /// The endpoints of all hosts that are planned from here on; where they listen, and which life they are, is set for each.
    pub endpoint: EndpointConfig,
    network: Network,
    number: u64,
    lives: u64,
}

impl Cluster {
    /// A cluster whose network is drawn from a seed, which is its number on this thread as well.
    pub fn new(seed: u64) -> Cluster {
        Cluster {
            reactor: ReactorConfig { chunks: 64, chunk_bytes: 4096, ..ReactorConfig::default() },
            endpoint: EndpointConfig {
                insecure_plaintext_beyond_loopback: true,
                ..EndpointConfig::default()
            },
            network: Network::shared(seed, &NetworkOptions::default()),
            number: seed,
            lives: 0,
        }
    }

    /// The network between the hosts.
    pub fn network(&self) -> Network {
        self.network.clone()
    }

    /// The address of a host.
    pub const fn host(number: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
    }

    /// Where a host's system is reached.
    pub fn address(number: u8) -> SocketAddr {
        (Cluster::host(number), PORT).into()
    }

    /// The URL of an actor on a host, by its path.
    pub fn url(&self, host: u8, path: &str) -> String {
        format!("corelane://{}@{}{path}", self.endpoint.system, Cluster::address(host))
    }

    /// A new life of a host: a system of so many shards with sockets and an endpoint, for
    /// [`Simulation::start_host`](corelane_shard::sim::Simulation::start_host). Its former life, if there was one, must be gone.
    pub fn plan(&mut self, host: u8, shards: usize, registry: Registry) -> HostPlan {
        self.lives += 1;
        let mut endpoint = self.endpoint.clone();
        endpoint.bind = Cluster::address(host);
        endpoint.public = None;
        endpoint.incarnation = Some(self.lives);
        endpoint.link.seed = self.lives;
        let place = SimulatedHost {
            address: Cluster::host(host),
            network: self.number,
            options: NetworkOptions::default(),
        };
        let net = NetConfig { reactor: self.reactor.clone(), simulated: Some(place), ..NetConfig::default() };
        HostPlan::new(shards).extension(Net::of(net)).extension(Endpoint::of(endpoint, registry))
    }
}
