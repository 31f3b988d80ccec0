//! Where a system listens, and where others reach it: an address in numbers, or by a name that has one.

use std::net::SocketAddr;

use corelane_shard::config::Value;

use crate::named::{HostName, Resolver};

pub(super) const ADDRESS: &str =
    "an address and a port, like \"127.0.0.1:2552\", \"[::1]:2552\" or \"localhost:2552\"";

/// In numbers. A name stands for its first address of the older kind, which every machine has, else for its first.
pub(super) fn address(text: &str) -> Result<String, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address.to_string());
    }
    let host = HostName::parse(text).ok_or("it is no such address")?;
    let addresses =
        host.addresses(&Resolver::default()).map_err(|reason| format!("it has no address: {reason}"))?;
    let address = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    Ok(address.ok_or("it has no address")?.to_string())
}

/// Of a text that the table allows.
pub(super) fn set_address(value: &Value, set: impl FnOnce(SocketAddr)) {
    value.text(|text| {
        if let Ok(address) = text.parse() {
            set(address);
        }
    });
}
