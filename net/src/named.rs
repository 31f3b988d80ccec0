//! Hosts that are called by a name, in the URL of an actor or where a child is to live. A name stands for addresses, which are
//! found out each time, on the system's pool for blocking work; a host's identity is its address in numbers, as ever.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;

use corelane_shard::split_host_name;

use crate::resolve::{RemoteHost, RemoteLookupError, RemoteUrl, host_and_path};

/// Most addresses of a name that are tried.
const ADDRESSES_MAX: usize = 16;

type Resolve = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Who knows the addresses of hosts by their names: the operating system, unless something else is to be asked (a registry of
/// services, say).
///
/// ```
/// use corelane_net::{EndpointConfig, Resolver};
///
/// let resolver = Resolver::by(|name, port| match name {
///     "till" => Ok(vec![([127, 0, 0, 1], port).into()]),
///     _ => Err(std::io::ErrorKind::NotFound.into()),
/// });
/// let config = EndpointConfig { resolver, ..EndpointConfig::default() };
/// ```
#[derive(Clone, Default)]
pub struct Resolver(Option<Arc<Resolve>>);

impl Resolver {
    /// Asks this function: for the addresses of a name, each with the port that it is given or another, in the order in which they
    /// are to be tried. It runs on the system's pool for blocking work, several times at once where several names are asked for.
    pub fn by(
        resolve: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Resolver {
        Resolver(Some(Arc::new(resolve)))
    }

    fn ask(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match &self.0 {
            Some(resolve) => resolve(name, port),
            None => Ok((name, port).to_socket_addrs()?.collect()),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Resolver" } else { "Resolver(of the operating system)" })
    }
}

/// A host by its name, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostName {
    name: String,
    port: u16,
}

impl HostName {
    pub(crate) fn parse(text: &str) -> Option<HostName> {
        split_host_name(text).map(|(name, port)| HostName { name: name.to_owned(), port })
    }

    /// Its addresses, in the order in which they are to be tried: each once, at least one. Blocks.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(crate) fn addresses(&self, resolver: &Resolver) -> Result<Vec<SocketAddr>, String> {
        let found = resolver.ask(&self.name, self.port).map_err(|error| error.to_string())?;
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in found.into_iter().take(ADDRESSES_MAX) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() { Err("it has no address".to_owned()) } else { Ok(addresses) }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// A system on a host that is called by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedHost {
    pub(crate) system: String,
    pub(crate) host: HostName,
}

impl NamedHost {
    /// The same at one of the host's addresses.
    pub(crate) fn at(&self, address: SocketAddr) -> RemoteHost {
        RemoteHost::new(&self.system, address)
    }

    /// Why it is nowhere.
    pub(crate) fn unresolved(&self, reason: impl Into<String>) -> RemoteLookupError {
        RemoteLookupError::Unresolved { host: self.host.to_string(), reason: reason.into() }
    }
}

/// A system on a host, whichever way that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnyHost {
    At(RemoteHost),
    Named(NamedHost),
}

impl FromStr for AnyHost {
    type Err = RemoteLookupError;

    fn from_str(text: &str) -> Result<AnyHost, RemoteLookupError> {
        let Some((before, host)) = text.split_once('@') else { return text.parse().map(AnyHost::At) };
        if host.parse::<SocketAddr>().is_ok() {
            return text.parse().map(AnyHost::At);
        }
        let wrong = |reason| RemoteLookupError::BadUrl { url: text.to_owned(), reason };
        let host = HostName::parse(host)
            .ok_or_else(|| wrong("the host is a name or an address in numbers, and a port"))?;
        // All else is as with numbers; what is wrong is said of the text as it is.
        match format!("{before}@0.0.0.0:0").parse::<RemoteHost>() {
            Ok(numbered) => Ok(AnyHost::Named(NamedHost { system: numbered.system().to_owned(), host })),
            Err(RemoteLookupError::BadUrl { reason, .. }) => Err(wrong(reason)),
            Err(other) => Err(other),
        }
    }
}

/// The place of an actor on a host that is called by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedUrl {
    pub(crate) host: NamedHost,
    path: String,
}

impl NamedUrl {
    /// The same at one of the host's addresses.
    pub(crate) fn at(&self, address: SocketAddr) -> RemoteUrl {
        RemoteUrl::of(self.host.at(address), &self.path)
    }
}

/// The place of an actor on a host, whichever way that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnyUrl {
    At(RemoteUrl),
    Named(NamedUrl),
}

impl FromStr for AnyUrl {
    type Err = RemoteLookupError;

    fn from_str(text: &str) -> Result<AnyUrl, RemoteLookupError> {
        let (host, path) = host_and_path(text)?;
        Ok(match host {
            AnyHost::At(host) => AnyUrl::At(RemoteUrl::of(host, path)),
            AnyHost::Named(host) => AnyUrl::Named(NamedUrl { host, path: path.to_owned() }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_told_apart_and_errors_say_what_is_wrong() {
        let AnyUrl::Named(url) = "corelane://shop@till-2.example:2552/user/a/b".parse().unwrap() else {
            panic!("a name")
        };
        let NamedHost { system, host } = &url.host;
        assert_eq!((system.as_str(), host.to_string().as_str()), ("shop", "till-2.example:2552"));
        let at = url.at("192.0.2.7:2552".parse().unwrap());
        assert_eq!(at.to_string(), "corelane://shop@192.0.2.7:2552/user/a/b");
        for text in ["corelane://shop@127.0.0.1:1/user/a", "corelane://shop@[::1]:1/user/a"] {
            assert!(matches!(text.parse(), Ok(AnyUrl::At(_))), "{text}");
        }
        for (text, reason) in [
            ("http://shop@localhost:1/user/a", "corelane://"),
            ("corelane://localhost:1/user/a", "@"),
            ("corelane://@localhost:1/user/a", "name is missing"),
            ("corelane://shop@localhost/user/a", "and a port"),
            ("corelane://shop@localhost:65536/user/a", "and a port"),
            ("corelane://shop@localhost:+1/user/a", "and a port"),
            ("corelane://shop@127.0.0.300:1/user/a", "in numbers"),
            ("corelane://shop@a b:1/user/a", "a name"),
            ("corelane://shop@localhost:1", "path"),
            ("corelane://shop@localhost:1/system/a", "/user/"),
        ] {
            let error = text.parse::<AnyUrl>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_host_is_called_by_a_name_or_by_numbers_and_nothing_stands_behind() {
        let AnyHost::Named(host) = "corelane://shop@db.internal:9000".parse().unwrap() else {
            panic!("a name")
        };
        let at = host.at("192.0.2.7:9000".parse().unwrap());
        assert_eq!(at.to_string(), "corelane://shop@192.0.2.7:9000");
        for text in ["corelane://shop@127.0.0.1:1", "corelane://shop@[::1]:1"] {
            assert_eq!(text.parse::<AnyHost>(), text.parse().map(AnyHost::At));
        }
        for (text, reason) in [
            ("shop@db.internal:1", "corelane://"),
            ("corelane://db.internal:1", "@"),
            ("corelane://@db.internal:1", "name is missing"),
            ("corelane://shop@db.internal", "and a port"),
            ("corelane://shop@db.internal:65536", "and a port"),
            ("corelane://shop@db.internal:1/user/a", "and a port"),
            ("corelane://shop@db@internal:1", "a name"),
            ("corelane://shop@", "a name"),
            ("", "corelane://"),
        ] {
            let error = text.parse::<AnyHost>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn the_name_of_this_machine_has_addresses_of_loopback() {
        let addresses = HostName::parse("localhost:7").unwrap().addresses(&Resolver::default()).unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 7));
        assert!(
            HostName::parse(&format!("{}:7", "a".repeat(64)))
                .unwrap()
                .addresses(&Resolver::default())
                .is_err()
        );
    }
}
