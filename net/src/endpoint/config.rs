//! The settings of an endpoint, and what is wrong with them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::link::{LinkConfig, LinkConfigError};
use crate::named::Resolver;
use crate::tls::{PeerName, TlsConfig, TlsConfigError};
use crate::trust::Untrusted;

/// How a system is reached by others, and reaches them.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The system's name. Hosts of one system can be joined. From 1 to 255 bytes.
    pub system: String,
    /// Where the system listens: shard `n` at the port that is `n` above this one. Port 0 takes as many free ports in a row as
    /// there are shards. They are taken when the system starts, which fails if somebody else has one for two seconds (a process that
    /// was killed may have it for a moment). Default 127.0.0.1:0.
    pub bind: SocketAddr,
    /// Where others reach it, if that is not where it listens: behind a translation of addresses, or where it listens at all
    /// addresses of its machine, which are no host's. Shard `n` is reached at the port that is `n` above this one. The system's
    /// identity: two processes that follow each other at one public address are two lives of one host. Default where it listens.
    pub public: Option<SocketAddr>,
    /// The number of this life; drawn at random unless given, which only a simulation wants.
    pub incarnation: Option<u64>,
    /// Each link's settings.
    pub link: LinkConfig,
    /// Connections from outside that each shard has at most. Default 1024.
    pub connections_max: usize,
    /// Of these, such as come from one IP address: so that one host cannot have them all. Default 512.
    pub connections_per_address_max: usize,
    /// Of these, such as have not said hello yet. With one more, the oldest of the IP address that has most of them is closed, so
    /// that a host gets through however many are silent. What each costs before its hello is its socket and some kilobytes.
    /// Default 256.
    pub strangers_max: usize,
    /// Hosts that are known at most. Default 1024.
    pub hosts_max: usize,
    /// Links that each shard has at most, one to each shard of a peer; those that a hello made included. Default 16,384.
    pub links_max: usize,
    /// Bytes of messages that wait, for each link, while its connection is made or has no room. Default 4 MiB. What is told
    /// beyond is refused: [`TellError::Full`](corelane_kernel::TellError::Full).
    pub pending_bytes: usize,
    /// Watches by a peer's actors on actors here, for each link. One more is answered at once: unreachable. Default 1,000,000.
    pub watches_max: usize,
    /// Children here of a peer's actors, for each link. One more is refused:
    /// [`RemoteSpawnError::TooMany`](crate::RemoteSpawnError::TooMany). Default 100,000.
    pub children_max: usize,
    /// How long a child on another host is waited for, until its host is reached and has said what became of it, unless the
    /// code says otherwise ([`RemoteChildSpawner::within`](crate::RemoteChildSpawner::within)). Its parent's end waits for it
    /// as long. A round trip and the time to connect at least; so long that a host under load is not given up. Default 10 s.
    pub spawn_within: Duration,
    /// Look-ups that each shard waits for at once. Default 1024.
    pub lookups_max: usize,
    /// Who knows the addresses of hosts that are called by names, in URLs and where children are to live. Default the operating
    /// system.
    pub resolver: Resolver,
    /// Whether hosts of the same machine speak over Unix sockets: a peer whose address is a loopback one is looked for at an
    /// abstract socket first, named after the address, and dialed as any other if nobody is there. Who is must be run by
    /// the same user, or root. About half the time of a round trip; but what watches or disturbs the loopback device does not
    /// see it. Linux only, and not under [`EndpointConfig::tls`]. Default `true`.
    pub unix_sockets: bool,
    /// Whether hosts that speak over a Unix socket share memory instead, 260 KiB for each pair of their shards that have a link:
    /// what is told goes from one core's cache to the other's, and the socket only wakes who sleeps and says that a process is
    /// gone. Used where both want it and each may open what the other has (which it may not where one has privileges that the other
    /// lacks, or where they see different processes). Default `true`.
    pub shared_memory: bool,
    /// TLS on all links, which is what links beyond this machine want. Default none: then only loopback addresses are bound,
    /// published and dialed.
    pub tls: Option<TlsConfig>,
    /// Untrusted mode: peers reach exported actors only. Default none: whoever is let in is trusted.
    pub untrusted: Option<Untrusted>,
    /// Lets bytes leave this machine as they are, without encryption and to whoever says that it is the peer, where there is no
    /// [`EndpointConfig::tls`]. Default `false`.
    pub insecure_plaintext_beyond_loopback: bool,
}

impl Default for EndpointConfig {
    fn default() -> EndpointConfig {
        EndpointConfig {
            system: "corelane".to_owned(),
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            public: None,
            incarnation: None,
            link: LinkConfig::default(),
            connections_max: 1024,
            connections_per_address_max: 512,
            strangers_max: 256,
            hosts_max: 1024,
            links_max: 16_384,
            pending_bytes: 4 << 20,
            watches_max: 1_000_000,
            children_max: 100_000,
            spawn_within: Duration::from_secs(10),
            lookups_max: 1024,
            resolver: Resolver::default(),
            unix_sockets: true,
            shared_memory: true,
            tls: None,
            untrusted: None,
            insecure_plaintext_beyond_loopback: false,
        }
    }
}

/// Why there is no endpoint.
#[derive(Debug)]
#[non_exhaustive]
pub enum EndpointError {
    /// A setting makes no sense.
    Config(&'static str),
    /// A setting of the links does.
    Link(LinkConfigError),
    /// Something of the settings of TLS cannot be used.
    Tls(TlsConfigError),
    /// An address is not one of loopback, and there is neither TLS nor the word that this is meant.
    BeyondLoopback(SocketAddr),
    /// The port of each shard could not be had.
    Ports {
        /// Where the system was to listen; port 0 is any.
        bind: SocketAddr,
        /// How many shards it has.
        count: usize,
        /// Why the last of them could not be had.
        error: std::io::Error,
    },
    /// Actors were spawned on the shard before the endpoint was there, so that their addresses cannot be checked.
    NoCensus,
    /// The sockets are not there: load [`Net`](crate::Net) before.
    NoSockets,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndpointError::Config(what) => f.write_str(what),
            EndpointError::Link(error) => error.fmt(f),
            EndpointError::Tls(error) => error.fmt(f),
            EndpointError::BeyondLoopback(address) => write!(
                f,
                "{address} is not a loopback address: set tls, or insecure_plaintext_beyond_loopback if messages may leave this machine in the clear"
            ),
            EndpointError::Ports { bind, count, error } => {
                write!(f, "cannot listen at {bind}")?;
                match (bind.port(), count) {
                    (0, _) => write!(f, ", with {count} free ports in a row: {error}"),
                    (_, 1) => write!(f, ": {error}"),
                    _ => write!(f, " and the {} ports above it, one for each shard: {error}", count - 1),
                }
            }
            EndpointError::NoCensus => {
                f.write_str("actors were spawned on the shard before the endpoint was there")
            }
            EndpointError::NoSockets => f.write_str("the extension \"net\" is to be loaded before"),
        }
    }
}

impl std::error::Error for EndpointError {}

impl EndpointConfig {
    /// Checks the settings and their relations.
    ///
    /// # Errors
    /// [`EndpointError`] names the first that is wrong.
    pub fn check(&self) -> Result<(), EndpointError> {
        self.link.check().map_err(EndpointError::Link)?;
        let wrong = [
            (self.system.is_empty() || self.system.len() > 255, "system must have 1 to 255 bytes"),
            (
                self.system.contains(['@', '/', ':']),
                "system must not contain @, / or :, which separate the parts of an address",
            ),
            (self.incarnation == Some(0), "incarnation must not be 0"),
            (self.connections_max == 0, "connections_max must be at least 1"),
            (self.connections_per_address_max == 0, "connections_per_address_max must be at least 1"),
            (self.links_max == 0, "links_max must be at least 1"),
            (self.strangers_max == 0, "strangers_max must be at least 1"),
            (self.hosts_max == 0, "hosts_max must be at least 1"),
            (self.public.is_some_and(|public| public.port() == 0), "public must have a port"),
        ];
        if let Some((_, what)) = wrong.iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(EndpointError::Config(what));
        }
        if self.tls.as_ref().is_some_and(TlsConfig::lacks_some) {
            return Err(EndpointError::Config("tls wants certificates, a key and roots"));
        }
        if let Some(tls) = &self.tls {
            tls.check().map_err(EndpointError::Tls)?;
        }
        if let Some(untrusted) = &self.untrusted {
            untrusted.check().map_err(EndpointError::Config)?;
            PeerName::parse_all(&untrusted.except).map_err(EndpointError::Tls)?;
        }
        for address in std::iter::once(self.bind).chain(self.public) {
            if !self.permits(address) {
                return Err(EndpointError::BeyondLoopback(address));
            }
        }
        if self.public.unwrap_or(self.bind).ip().is_unspecified() {
            return Err(EndpointError::Config(
                "public must be a host's address, as bind is all of this machine's",
            ));
        }
        Ok(())
    }

    /// Whether bytes may go to, or come over, this address.
    pub(crate) fn permits(&self, address: SocketAddr) -> bool {
        self.tls.is_some() || self.insecure_plaintext_beyond_loopback || address.ip().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_it_wants_an_explicit_word() {
        let bind = "0.0.0.0:2552".parse().unwrap();
        let config = EndpointConfig { bind, ..EndpointConfig::default() };
        assert!(matches!(config.check(), Err(EndpointError::BeyondLoopback(refused)) if refused == bind));
        let config = EndpointConfig { insecure_plaintext_beyond_loopback: true, ..config };
        // Nobody can be told to reach it there.
        let error = config.check().unwrap_err().to_string();
        assert!(error.starts_with("public must be a host's address"), "{error}");
        let public = Some("192.0.2.7:2552".parse().unwrap());
        assert!(EndpointConfig { public, ..config }.check().is_ok());
        let config = EndpointConfig { public, ..EndpointConfig::default() };
        assert!(matches!(config.check(), Err(EndpointError::BeyondLoopback(_))));
    }

    #[test]
    fn nonsense_is_named() {
        let config = EndpointConfig { system: "a@b".into(), ..EndpointConfig::default() };
        assert!(config.check().unwrap_err().to_string().starts_with("system must not contain"));
        let link = LinkConfig { streams_max: 0, ..LinkConfig::default() };
        let config = EndpointConfig { link, ..EndpointConfig::default() };
        assert_eq!(config.check().unwrap_err().to_string(), "streams_max must be at least 1");
    }

    #[test]
    fn ports_that_cannot_be_had_are_named() {
        let text = |port, count| {
            let error = std::io::ErrorKind::AddrInUse.into();
            EndpointError::Ports { bind: ([127, 0, 0, 1], port).into(), count, error }.to_string()
        };
        assert!(text(2552, 1).starts_with("cannot listen at 127.0.0.1:2552: "));
        assert!(
            text(2552, 4).starts_with("cannot listen at 127.0.0.1:2552 and the 3 ports above it, one for")
        );
        assert!(text(0, 4).starts_with("cannot listen at 127.0.0.1:0, with 4 free ports in a row: "));
    }
}
