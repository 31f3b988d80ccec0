//! How a system on some host, and an actor in it, are written.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::error::RemoteLookupError;

const SCHEME: &str = "corelane://";

/// A system on some host: `corelane://system@host:port`.
///
/// The host is written as numbers (`127.0.0.1`, `[::1]`): it is the public address by which the system there knows itself. Where
/// a [child is to live](crate::RemoteCtx::child_at) is a text, and there the host may be called by a name as well.
///
/// ```
/// use corelane_net::RemoteHost;
///
/// let host: RemoteHost = "corelane://shop@127.0.0.1:2552".parse()?;
/// assert_eq!((host.system(), host.address().port()), ("shop", 2552));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteHost {
    system: String,
    address: SocketAddr,
}

impl RemoteHost {
    pub(crate) fn new(system: &str, address: SocketAddr) -> RemoteHost {
        RemoteHost { system: system.to_owned(), address }
    }

    /// The system's name.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The public address of the host.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Display for RemoteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}@{}", self.system, self.address)
    }
}

impl FromStr for RemoteHost {
    type Err = RemoteLookupError;

    fn from_str(text: &str) -> Result<RemoteHost, RemoteLookupError> {
        let wrong = |reason| RemoteLookupError::BadUrl { url: text.to_owned(), reason };
        let rest = text.strip_prefix(SCHEME).ok_or(wrong("it begins with corelane://"))?;
        let (system, address) = rest.split_once('@').ok_or(wrong("the system's name stands before an @"))?;
        let address = address.parse().map_err(|_| wrong("the host is an address in numbers, and a port"))?;
        if system.is_empty() {
            return Err(wrong("the system's name is missing"));
        }
        Ok(RemoteHost { system: system.to_owned(), address })
    }
}

/// The place of an actor in a system on some host: `corelane://system@host:port/user/a/b`.
///
/// The host is written as numbers (`127.0.0.1`, `[::1]`): it is the public address by which the system there knows itself. A
/// [look-up](crate::Endpoint::lookup) takes the text of a URL, and there the host may be called by a name as well.
///
/// ```
/// use corelane_net::RemoteUrl;
///
/// let url: RemoteUrl = "corelane://shop@127.0.0.1:2552/user/till/2".parse()?;
/// assert_eq!((url.system(), url.path()), ("shop", "/user/till/2"));
/// assert!("corelane://127.0.0.1/user/till".parse::<RemoteUrl>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrl {
    host: RemoteHost,
    path: String,
}

impl RemoteUrl {
    /// The system's name.
    pub fn system(&self) -> &str {
        self.host.system()
    }

    /// The public address of the host.
    pub fn host(&self) -> SocketAddr {
        self.host.address()
    }

    /// Its parts, which are those of another one.
    pub(crate) fn of(host: RemoteHost, path: &str) -> RemoteUrl {
        RemoteUrl { host, path: path.to_owned() }
    }

    /// The system and its host.
    pub fn remote_host(&self) -> &RemoteHost {
        &self.host
    }

    /// The path of the actor there, from `/user/` on.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, self.path)
    }
}

impl FromStr for RemoteUrl {
    type Err = RemoteLookupError;

    fn from_str(text: &str) -> Result<RemoteUrl, RemoteLookupError> {
        host_and_path(text).map(|(host, path)| RemoteUrl::of(host, path))
    }
}

/// The parts of a URL of an actor. What is wrong with one of them is said of the whole.
pub(crate) fn host_and_path<H: FromStr<Err = RemoteLookupError>>(
    text: &str,
) -> Result<(H, &str), RemoteLookupError> {
    let wrong = |reason| RemoteLookupError::BadUrl { url: text.to_owned(), reason };
    let end = text.find('@').and_then(|at| Some(at + text.get(at..)?.find('/')?));
    let (host, path) = text.split_at(end.unwrap_or(text.len()));
    let host = host.parse().map_err(|error| match error {
        RemoteLookupError::BadUrl { reason, .. } => wrong(reason),
        other => other,
    })?;
    match path {
        "" => Err(wrong("a path from /user/ on is missing")),
        path if path.starts_with("/user/") => Ok((host, path)),
        _ => Err(wrong("a path begins with /user/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_it_is_written_and_errors_say_what_is_wrong() {
        for text in ["corelane://shop@127.0.0.1:2552/user/a", "corelane://s@[::1]:80/user/a/b"] {
            assert_eq!(text.parse::<RemoteUrl>().unwrap().to_string(), text);
        }
        for (text, reason) in [
            ("http://shop@127.0.0.1:1/user/a", "corelane://"),
            ("corelane://127.0.0.1:1/user/a", "@"),
            ("corelane://@127.0.0.1:1/user/a", "name is missing"),
            ("corelane://shop@localhost:1/user/a", "in numbers"),
            ("corelane://shop@127.0.0.1/user/a", "port"),
            ("corelane://shop@127.0.0.1:1", "path"),
            ("corelane://shop@127.0.0.1:1/system/a", "/user/"),
        ] {
            let error = text.parse::<RemoteUrl>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(text), "{error}");
        }
    }
}
