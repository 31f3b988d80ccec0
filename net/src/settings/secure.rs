//! What `remote.tls` and `remote.untrusted` set. TLS and untrusted mode are there as soon as something of them is set.

use corelane_shard::config::Value;

use super::OFF;
use crate::endpoint::EndpointConfig;
use crate::tls::{PeerNames, Pem, TlsConfig, TlsConfigError};
use crate::trust::{Export, Untrusted};

pub(super) const ADDRESS: &str = "address";
pub(super) const ANY: &str = "any";

/// A file, where there is one.
fn file(pem: Option<&Pem>) -> Value {
    match pem {
        Some(Pem::File(path)) if !path.as_os_str().is_empty() => Value::Text(path.display().to_string()),
        _ => Value::Word(OFF),
    }
}

fn tls(remote: &mut EndpointConfig) -> &mut TlsConfig {
    let none = || Pem::file("");
    remote.tls.get_or_insert_with(|| TlsConfig::new(none(), none(), none()))
}

/// A part that TLS does not do without.
pub(super) fn part(remote: &EndpointConfig, of: fn(&TlsConfig) -> &Pem) -> Value {
    file(remote.tls.as_ref().map(of))
}

pub(super) fn set_part(remote: &mut EndpointConfig, value: &Value, of: fn(&mut TlsConfig) -> &mut Pem) {
    value.text(|path| *of(tls(remote)) = Pem::file(path));
    if let (Value::Word(_), Some(tls)) = (value, &mut remote.tls) {
        *of(tls) = Pem::file("");
        if tls.lacks_all() {
            remote.tls = None;
        }
    }
}

pub(super) fn revoked(remote: &EndpointConfig) -> Value {
    file(remote.tls.as_ref().and_then(|tls| tls.revoked.as_ref()))
}

pub(super) fn set_revoked(remote: &mut EndpointConfig, value: &Value) {
    value.text(|path| tls(remote).revoked = Some(Pem::file(path)));
    if let (Value::Word(_), Some(tls)) = (value, &mut remote.tls) {
        tls.revoked = None;
    }
}

pub(super) fn names(remote: &EndpointConfig, of: fn(&TlsConfig) -> &PeerNames) -> Value {
    match remote.tls.as_ref().map(of) {
        None | Some(PeerNames::Address) => Value::Word(ADDRESS),
        Some(PeerNames::Any) => Value::Word(ANY),
        Some(PeerNames::OneOf(names)) => Value::Names(names.clone()),
    }
}

pub(super) fn set_names(
    remote: &mut EndpointConfig,
    value: &Value,
    of: fn(&mut TlsConfig) -> &mut PeerNames,
) {
    match value {
        Value::Names(names) => *of(tls(remote)) = PeerNames::OneOf(names.clone()),
        Value::Word(word) if *word == ANY => *of(tls(remote)) = PeerNames::Any,
        _ => {
            if let Some(tls) = &mut remote.tls {
                *of(tls) = PeerNames::Address;
            }
        }
    }
}

pub(super) fn exports(remote: &EndpointConfig) -> Value {
    let paths = |untrusted: &Untrusted| untrusted.exports.iter().map(|export| export.path.clone()).collect();
    remote.untrusted.as_ref().map_or(Value::Word(OFF), |untrusted| Value::Names(paths(untrusted)))
}

pub(super) fn set_exports(remote: &mut EndpointConfig, value: &Value) {
    match value {
        Value::Names(paths) => {
            let untrusted = remote.untrusted.get_or_insert_default();
            untrusted.exports = paths.iter().map(Export::of).collect();
        }
        _ => remote.untrusted = None,
    }
}

pub(super) fn except(remote: &EndpointConfig) -> Value {
    Value::Names(remote.untrusted.as_ref().map_or_else(Vec::new, |untrusted| untrusted.except.clone()))
}

/// Whoever excepts somebody means that others are not trusted.
pub(super) fn set_except(remote: &mut EndpointConfig, value: &Value) {
    value.names(|names| {
        if remote.untrusted.is_some() || !names.is_empty() {
            remote.untrusted.get_or_insert_default().except = names;
        }
    });
}

/// The keys that list a name that is none, or no names at all.
pub(super) fn keys_of(remote: &EndpointConfig, error: &TlsConfigError) -> Vec<&'static str> {
    let listed = |names: &[String]| match error {
        TlsConfigError::NoName(name) => names.contains(name),
        _ => names.is_empty(),
    };
    let of_peers = |of: fn(&TlsConfig) -> &PeerNames| match remote.tls.as_ref().map(of) {
        Some(PeerNames::OneOf(names)) => listed(names),
        _ => false,
    };
    let excepted = remote.untrusted.as_ref().is_some_and(|untrusted| listed(&untrusted.except));
    [
        ("remote.tls.dialed", of_peers(|tls| &tls.dialed)),
        ("remote.tls.dialing", of_peers(|tls| &tls.dialing)),
        ("remote.untrusted.except", excepted),
    ]
    .into_iter()
    .filter_map(|(key, has_part)| has_part.then_some(key))
    .collect()
}
