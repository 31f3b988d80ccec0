//! TLS 1.3 between hosts: both ends show a certificate, and no setting turns that off.
//!
//! Reading order: [`config`] (certificates, key, roots, and who a peer may be) → [`names`] (what a certificate must bear) →
//! [`refusal`] (why there is no connection, and counts) → [`adapter`] (`rustls`: the only file that knows it), sans-IO: bytes
//! of the socket on one side, bytes of the link on the other. The gate puts a channel between each connection and its link.

mod adapter;
mod config;
mod names;
mod refusal;
#[cfg(test)]
mod tests;

pub(crate) use adapter::{Channel, Identity};
pub use config::{Pem, TlsConfig, TlsConfigError, TlsPart};
pub(crate) use names::PeerName;
pub use names::PeerNames;
pub use refusal::{TlsRefusal, TlsStats};
