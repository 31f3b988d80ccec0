//! The net's settings as keys of the configuration: the tables `[net]` and `[remote]`.
//!
//! Keys are called as the fields that they set, so that this page, `examples/corelane.toml` and the documentation of
//! [`NetConfig`] and [`EndpointConfig`] say the same. A key is added here and in `examples/corelane.toml`: those that bound one
//! field are a line each (`field`), the others say how they are shown and set.

mod address;
mod field;
mod secure;
#[cfg(test)]
mod tests;

use std::time::Duration;

use corelane_shard::config::{Allowed, Conflict, Section, SectionKey, Value};

use self::address::{ADDRESS, address, set_address};
use self::field::{bytes, number, time};
use crate::endpoint::{EndpointConfig, EndpointError};
use crate::liveness::SAMPLES_MAX;
use crate::net::NetConfig;
use crate::reactor::Choice;

const AUTO: &str = "auto";
const OFF: &str = "off";

const BACKENDS: [(&str, Choice); 3] =
    [(AUTO, Choice::Automatic), ("io_uring", Choice::Uring), ("poll", Choice::Poll)];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Most of what is counted and takes memory only as it comes.
const MANY: u64 = u32::MAX as u64;
const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);

type NetKey = SectionKey<NetConfig>;

/// The table `[net]`: a shard's sockets.
impl Section for NetConfig {
    const KEYS: &'static [NetKey] = &[
        NetKey {
            name: "net.backend",
            allowed: Allowed::words(&[BACKENDS[0].0, BACKENDS[1].0, BACKENDS[2].0]),
            get: |net| {
                let backend = BACKENDS.iter().find(|(_, choice)| *choice == net.reactor.backend);
                Value::Word(backend.map_or(AUTO, |(name, _)| name))
            },
            set: |net, value| value.named(&BACKENDS, |backend| net.reactor.backend = backend),
        },
        number!("net.chunks", reactor.chunks, 1, 1 << 15),
        bytes!("net.chunk_bytes", reactor.chunk_bytes, 1, MIB),
        number!("net.sockets", reactor.sockets, 1, 1 << 24),
        bytes!("net.send_bytes", reactor.send_bytes, 4 * KIB, GIB),
        number!("net.ring_entries", reactor.ring_entries, 16, 4096),
        number!("net.registered", reactor.registered, 0, 1 << 20),
        time!("net.coalesce", reactor.coalesce, Duration::ZERO, MILLISECOND),
        NetKey {
            name: "net.zero_copy_from",
            allowed: Allowed::bytes(1, GIB).or(&[OFF]),
            get: |net| {
                net.reactor.zero_copy_from.map_or(Value::Word(OFF), |bytes| Value::Bytes(bytes as u64))
            },
            set: |net, value| net.reactor.zero_copy_from = value.to_usize(),
        },
        time!("net.linger", linger, Duration::ZERO, HOUR),
    ];
}

type RemoteKey = SectionKey<EndpointConfig>;

/// The table `[remote]`: how the system is reached by others, and reaches them.
impl Section for EndpointConfig {
    const KEYS: &'static [RemoteKey] = &[
        RemoteKey {
            name: "remote.system",
            allowed: Allowed::text(),
            get: |remote| Value::Text(remote.system.clone()),
            set: |remote, value| value.text(|system| remote.system = system),
        },
        RemoteKey {
            name: "remote.bind",
            allowed: Allowed::parsed(ADDRESS, address),
            get: |remote| Value::Text(remote.bind.to_string()),
            set: |remote, value| set_address(value, |bind| remote.bind = bind),
        },
        RemoteKey {
            name: "remote.public",
            allowed: Allowed::parsed(ADDRESS, address).or(&[AUTO]),
            get: |remote| remote.public.map_or(Value::Word(AUTO), |public| Value::Text(public.to_string())),
            set: |remote, value| {
                remote.public = None;
                set_address(value, |public| remote.public = Some(public));
            },
        },
        RemoteKey {
            name: "remote.insecure_plaintext_beyond_loopback",
            allowed: Allowed::flag(),
            get: |remote| Value::Flag(remote.insecure_plaintext_beyond_loopback),
            set: |remote, value| value.flag(|flag| remote.insecure_plaintext_beyond_loopback = flag),
        },
        RemoteKey {
            name: "remote.unix_sockets",
            allowed: Allowed::flag(),
            get: |remote| Value::Flag(remote.unix_sockets),
            set: |remote, value| value.flag(|flag| remote.unix_sockets = flag),
        },
        RemoteKey {
            name: "remote.shared_memory",
            allowed: Allowed::flag(),
            get: |remote| Value::Flag(remote.shared_memory),
            set: |remote, value| value.flag(|flag| remote.shared_memory = flag),
        },
        number!("remote.connections_max", connections_max, 1, 1 << 24),
        number!("remote.connections_per_address_max", connections_per_address_max, 1, 1 << 24),
        number!("remote.strangers_max", strangers_max, 1, 1 << 24),
        number!("remote.links_max", links_max, 1, 1 << 24),
        number!("remote.hosts_max", hosts_max, 1, 1 << 20),
        bytes!("remote.pending_bytes", pending_bytes, 0, GIB),
        number!("remote.watches_max", watches_max, 0, MANY),
        number!("remote.children_max", children_max, 0, MANY),
        time!("remote.spawn_within", spawn_within, MILLISECOND, HOUR),
        number!("remote.lookups_max", lookups_max, 0, MANY),
        RemoteKey {
            name: "remote.tls.certificates",
            allowed: Allowed::text().or(&[OFF]),
            get: |remote| secure::part(remote, |tls| &tls.certificates),
            set: |remote, value| secure::set_part(remote, value, |tls| &mut tls.certificates),
        },
        RemoteKey {
            name: "remote.tls.key",
            allowed: Allowed::text().or(&[OFF]),
            get: |remote| secure::part(remote, |tls| &tls.key),
            set: |remote, value| secure::set_part(remote, value, |tls| &mut tls.key),
        },
        RemoteKey {
            name: "remote.tls.roots",
            allowed: Allowed::text().or(&[OFF]),
            get: |remote| secure::part(remote, |tls| &tls.roots),
            set: |remote, value| secure::set_part(remote, value, |tls| &mut tls.roots),
        },
        RemoteKey {
            name: "remote.tls.revoked",
            allowed: Allowed::text().or(&[OFF]),
            get: secure::revoked,
            set: secure::set_revoked,
        },
        RemoteKey {
            name: "remote.tls.dialed",
            allowed: Allowed::names().or(&[secure::ADDRESS, secure::ANY]),
            get: |remote| secure::names(remote, |tls| &tls.dialed),
            set: |remote, value| secure::set_names(remote, value, |tls| &mut tls.dialed),
        },
        RemoteKey {
            name: "remote.tls.dialing",
            allowed: Allowed::names().or(&[secure::ADDRESS, secure::ANY]),
            get: |remote| secure::names(remote, |tls| &tls.dialing),
            set: |remote, value| secure::set_names(remote, value, |tls| &mut tls.dialing),
        },
        RemoteKey {
            name: "remote.untrusted.exports",
            allowed: Allowed::names().or(&[OFF]),
            get: secure::exports,
            set: secure::set_exports,
        },
        RemoteKey {
            name: "remote.untrusted.except",
            allowed: Allowed::names(),
            get: secure::except,
            set: secure::set_except,
        },
        time!("remote.link.heartbeat", link.heartbeat, MILLISECOND, HOUR),
        time!("remote.link.handshake", link.handshake, MILLISECOND, HOUR),
        time!("remote.link.redial_first", link.redial_first, MILLISECOND, HOUR),
        time!("remote.link.redial_max", link.redial_max, MILLISECOND, HOUR),
        bytes!("remote.link.frame_max", link.frame_max, 4 * KIB, 16 * MIB),
        bytes!("remote.link.message_max", link.message_max, KIB, GIB),
        bytes!("remote.link.chunk", link.chunk, KIB, 16 * MIB),
        number!("remote.link.streams_max", link.streams_max, 1, 1 << 16),
        bytes!("remote.link.backlog_max", link.backlog_max, KIB, GIB),
        bytes!("remote.link.credit_bytes", link.credit_bytes, 16 * KIB, GIB),
        number!("remote.link.credit_messages", link.credit_messages, 2, MANY),
        number!("remote.link.signals_max", link.signals_max, 1, MANY),
        number!("remote.link.strikes_max", link.strikes_max, 1, MANY),
        RemoteKey {
            name: "remote.link.liveness.threshold",
            allowed: Allowed::number(1, 1000),
            get: |remote| Value::Number(remote.link.liveness.threshold as u64),
            set: |remote, value| value.count(|threshold| remote.link.liveness.threshold = threshold.into()),
        },
        time!("remote.link.liveness.pause", link.liveness.pause, Duration::ZERO, Duration::from_hours(24)),
        number!("remote.link.liveness.samples", link.liveness.samples, 2, SAMPLES_MAX as u64),
        time!("remote.link.liveness.deviation_min", link.liveness.deviation_min, Duration::ZERO, HOUR),
        time!("remote.link.liveness.first", link.liveness.first, MILLISECOND, HOUR),
    ];

    fn check(&self) -> Result<(), Conflict> {
        self.check().map_err(|error| {
            let reason = error.to_string();
            let keys = match error {
                EndpointError::BeyondLoopback(address) if self.public == Some(address) => {
                    vec!["remote.public"]
                }
                EndpointError::BeyondLoopback(_) => vec!["remote.bind"],
                EndpointError::Tls(error) => secure::keys_of(self, &error),
                _ => named_in(&reason),
            };
            Conflict { keys, reason }
        })
    }
}

/// The keys of the table `[remote]` that a text calls by their own names, and behind them those in tables that it names.
fn named_in(text: &str) -> Vec<&'static str> {
    let words =
        || text.split(|c: char| !c.is_alphanumeric() && !"._".contains(c)).filter(|word| !word.is_empty());
    let keys = EndpointConfig::KEYS.iter().map(|key| key.name);
    let names = |word: &str, key: &str| key.strip_suffix(word).is_some_and(|before| before.ends_with('.'));
    let holds = |word: &str, key: &str| key.split('.').rev().skip(1).any(|table| table == word);
    let own = words().filter_map(|word| keys.clone().find(|key| names(word, key)));
    own.chain(keys.clone().filter(|key| words().any(|word| holds(word, key)))).collect()
}
