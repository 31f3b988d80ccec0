//! What the two hosts show each other under TLS: a certificate for 127.0.0.1 that is its own root.
//!
//! Its key is here for everybody to read, so it keeps nothing secret, and must not: it is for measuring between two processes of
//! one machine.

use corelane_net::{Pem, TlsConfig};

const CERTIFICATE: &str = include_str!("known.pem");
const KEY: &str = include_str!("known.key");

/// The settings of both hosts.
pub(super) fn settings() -> TlsConfig {
    TlsConfig::new(Pem::text(CERTIFICATE), Pem::text(KEY), Pem::text(CERTIFICATE))
}
