//! Hosts that are called by a name in the URL of an actor. A name stands for addresses, which are found out at each look-up, on
//! the system's pool for blocking work; a host's identity is its address in numbers, as ever.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;

use crate::resolve::{RemoteLookupError, RemoteUrl};

/// Longest name of a host.
const NAME_MAX: usize = 253;

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
    /// What stands before a port is a name if it can be one and is no address.
    pub(crate) fn parse(text: &str) -> Option<HostName> {
        let (name, port) = text.rsplit_once(':')?;
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = (1..=NAME_MAX).contains(&name.len())
            && name.bytes().all(in_name)
            && name.bytes().any(|byte| byte.is_ascii_alphabetic());
        let port = port.parse().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))?;
        is_name.then(|| HostName { name: name.to_owned(), port })
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

/// The place of an actor on a host that is called by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedUrl {
    pub(crate) system: String,
    pub(crate) host: HostName,
    path: String,
}

impl NamedUrl {
    /// The same at one of the host's addresses.
    pub(crate) fn at(&self, address: SocketAddr) -> RemoteUrl {
        RemoteUrl::of(&self.system, address, &self.path)
    }

    /// Why it leads nowhere.
    pub(crate) fn unresolved(&self, reason: impl Into<String>) -> RemoteLookupError {
        RemoteLookupError::Unresolved { host: self.host.to_string(), reason: reason.into() }
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
        let Some((before, rest)) = text.split_once('@') else { return text.parse().map(AnyUrl::At) };
        let end = rest.find('/').unwrap_or(rest.len());
        let host = &rest[..end];
        if host.parse::<SocketAddr>().is_ok() {
            return text.parse().map(AnyUrl::At);
        }
        let Some(host) = HostName::parse(host) else {
            let reason = "the host is a name or an address in numbers, and a port";
            return Err(RemoteLookupError::BadUrl { url: text.to_owned(), reason });
        };
        // All else is as in a URL with numbers; what is wrong is said of the text as it is.
        let numbered = format!("{before}@0.0.0.0:0{}", &rest[end..]);
        match numbered.parse::<RemoteUrl>() {
            Ok(url) => Ok(AnyUrl::Named(NamedUrl {
                system: url.system().to_owned(),
                host,
                path: url.path().to_owned(),
            })),
            Err(RemoteLookupError::BadUrl { reason, .. }) => {
                Err(RemoteLookupError::BadUrl { url: text.to_owned(), reason })
            }
            Err(other) => Err(other),
        }
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
        assert_eq!((url.system.as_str(), url.host.to_string().as_str()), ("shop", "till-2.example:2552"));
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
