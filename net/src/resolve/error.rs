//! What can be wrong with a look-up on another host.

use std::fmt;
use std::net::SocketAddr;

use crate::tls::TlsRefusal;
use crate::wire::Reason;

/// Why an actor on another host was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteLookupError {
    /// The text is no URL of an actor, or of a host.
    BadUrl {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The URL is of another system than this one, and only hosts of one system can be joined.
    OtherSystem {
        /// The system it names.
        named: String,
        /// This one.
        own: String,
    },
    /// The host is not on this machine, and there is neither TLS nor the word that messages may leave it in the clear.
    BeyondLoopback(SocketAddr),
    /// The message type is not registered here.
    NotRegistered {
        /// Its name on the wire.
        name: &'static str,
    },
    /// The host does not know the message type.
    UnknownType {
        /// Its name on the wire.
        name: &'static str,
    },
    /// Nobody lives there.
    NoSuchActor {
        /// The path up to the first name that nobody bears.
        path: String,
    },
    /// The actor speaks another protocol.
    OtherProtocol {
        /// Its path.
        path: String,
        /// The type of its messages, as it is called there.
        speaks: String,
    },
    /// The host at this address does not want this one.
    Rejected(Reason),
    /// There is no secure connection to the host at this address.
    Tls(TlsRefusal),
    /// The host is called by a name that has no address.
    Unresolved {
        /// The name, with the port.
        host: String,
        /// Why, as the operating system says it.
        reason: String,
    },
    /// No answer in time: nobody could be reached at the address.
    NotConnected(SocketAddr),
    /// No answer in time, from a host that was reached.
    NoAnswer,
    /// As many look-ups, or as many hosts, as may are known.
    TooMany,
    /// No endpoint is loaded on this system.
    NoEndpoint,
    /// This system, or the other, is shutting down.
    ShuttingDown,
}

impl fmt::Display for RemoteLookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use RemoteLookupError::*;
        match self {
            BadUrl { url, reason } => write!(f, "{url:?} is no URL of an actor or a host: {reason}"),
            OtherSystem { named, own } => {
                write!(f, "the URL is of the system {named:?}, and only hosts of {own:?} can be joined")
            }
            BeyondLoopback(host) => write!(
                f,
                "{host} is not on this machine: set tls, or insecure_plaintext_beyond_loopback if messages may leave it in the clear"
            ),
            NotRegistered { name } => write!(f, "the message type {name:?} is not registered"),
            UnknownType { name } => {
                write!(f, "the message type {name:?} is not registered on the other host")
            }
            NoSuchActor { path } => write!(f, "no actor lives at {path}"),
            OtherProtocol { path, speaks } => write!(f, "the messages of {path} are of type {speaks}"),
            Rejected(reason) => write!(f, "the host rejects this one: {reason}"),
            Tls(refusal) => write!(f, "no secure connection to the host: {refusal}"),
            Unresolved { host, reason } => write!(f, "the host {host} has no address: {reason}"),
            NotConnected(host) => write!(f, "nobody could be reached at {host}"),
            NoAnswer => f.write_str("the host did not answer in time"),
            TooMany => f.write_str("too many look-ups, or too many hosts"),
            NoEndpoint => f.write_str("the extension \"endpoint\" is not loaded"),
            ShuttingDown => f.write_str("the system is shutting down"),
        }
    }
}

impl std::error::Error for RemoteLookupError {}
