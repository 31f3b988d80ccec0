//! Where a socket is: an Internet address and port, or a path of the file system.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of a stream's or listener's end.
///
/// Written `127.0.0.1:2552`, `[::1]:2552`, `unix:/run/service.sock` or, for an abstract Unix socket, `unix:@service`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// TCP or UDP.
    Ip(SocketAddr),
    /// A Unix socket of this path. Empty for an end that has no name, as a client's has none. One that begins with a zero byte is
    /// no path but an abstract name: nothing in the file system, and gone with its socket; Linux has such.
    Unix(PathBuf),
}

impl Address {
    /// The Internet address, if it is one.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Address::Ip(address) => Some(*address),
            Address::Unix(_) => None,
        }
    }

    /// Whether both ends of a connection to it are on this host.
    pub fn is_local(&self) -> bool {
        self.ip().is_none_or(|address| address.ip().is_loopback())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Unix(path) => match path.as_os_str().as_encoded_bytes() {
                [0, name @ ..] => write!(f, "unix:@{}", String::from_utf8_lossy(name)),
                _ => write!(f, "unix:{}", path.display()),
            },
        }
    }
}

/// A text that is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(String);

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no address: write host:port, [host]:port or unix:path", self.0)
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Address, AddressError> {
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() => Ok(Address::Unix(match path.strip_prefix('@') {
                Some(name) => format!("\0{name}").into(),
                None => path.into(),
            })),
            Some(_) => Err(AddressError(text.to_owned())),
            None => text.parse().map(Address::Ip).map_err(|_| AddressError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["127.0.0.1:2552", "[::1]:80", "unix:/run/a b.sock", "unix:@a/b"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["", "127.0.0.1", "unix:", "localhost:80", "127.0.0.1:70000"] {
            assert!(text.parse::<Address>().unwrap_err().to_string().contains(&format!("{text:?}")));
        }
    }
}
