//! The extension that gives every shard of a system its sockets.

use std::net::IpAddr;
use std::time::Duration;

use corelane_kernel::Scope;
use corelane_shard::{BoxError, Extension, Loading, install_driver};

use crate::reactor::sim::{Network, NetworkOptions};
use crate::reactor::{Reactor, ReactorConfig};
use crate::sockets::{NetDriver, Sockets};

/// How a system's sockets are made.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// Each shard's reactor.
    pub reactor: ReactorConfig,
    /// How long a connection that its actor has left goes on sending what was written, until it is reset. 5 s by default. A
    /// system that stops waits for it, within its own time.
    pub linger: Duration,
    /// A simulated network in place of the operating system's.
    pub simulated: Option<SimulatedHost>,
}

impl Default for NetConfig {
    fn default() -> NetConfig {
        NetConfig { reactor: ReactorConfig::default(), linger: Duration::from_secs(5), simulated: None }
    }
}

/// A system's place in a simulated network.
#[derive(Clone, Debug)]
pub struct SimulatedHost {
    /// Its address.
    pub address: IpAddr,
    /// The network's seed, and its name: all systems of a simulation that give the same number are in one network.
    pub network: u64,
    /// How it behaves, if it is the first of its network.
    pub options: NetworkOptions,
}

/// Sockets for a system: a reactor on each of its shards, driven in the shard's turn. Loaded as an
/// [extension](corelane_shard::Builder::extension); then actors use [`SocketCtx`](crate::SocketCtx).
///
/// ```
/// use corelane_net::{Net, NetConfig};
/// use corelane_shard::System;
///
/// let system = System::builder().shards(1).pinned(false).extension(Net::of(NetConfig::default())).start()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Net {
    config: NetConfig,
}

impl Net {
    /// Makes the extension, for [`Builder::extension`](corelane_shard::Builder::extension).
    pub fn of(config: NetConfig) -> impl Fn(&Loading<'_>) -> Result<Net, BoxError> + Send + Sync + 'static {
        move |_| Ok(Net { config: config.clone() })
    }

    /// Makes the extension from the settings that were read, or that [`Builder::configure`](corelane_shard::Builder::configure)
    /// was told: for [`Builder::extension`](corelane_shard::Builder::extension), or to be
    /// [offered](corelane_shard::Builder::offer_extension) as `net`.
    pub fn configured() -> impl Fn(&Loading<'_>) -> Result<Net, BoxError> + Send + Sync + 'static {
        |loading| Ok(Net { config: loading.settings().unwrap_or_default() })
    }

    /// Whether the network is a simulated one.
    pub(crate) fn is_simulated(&self) -> bool {
        self.config.simulated.is_some()
    }
}

impl Extension for Net {
    const NAME: &'static str = "net";

    type Shard = Sockets;

    fn on_shard(&self, shard: &mut Scope<'_>) -> Result<Sockets, BoxError> {
        let config = &self.config.reactor;
        let (reactor, network) = match &self.config.simulated {
            None => (Reactor::open(config)?, None),
            Some(host) => {
                let network = Network::shared(host.network, &host.options);
                (network.reactor(host.address, config), Some(network))
            }
        };
        let (number, backend, reason) = (shard.place().shard(), reactor.backend(), reactor.reason());
        tracing::info!(shard = number, %backend, reason, "sockets");
        let sockets = Sockets::new(reactor, network, self.config.linger, shard.now());
        install_driver(shard, NetDriver::of(sockets.clone()))?;
        Ok(sockets)
    }
}
