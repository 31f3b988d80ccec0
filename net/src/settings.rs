//! The net's settings as keys of the configuration: the tables `[net]` and `[remote]`.
//!
//! Keys are called as the fields that they set, so that this page, `examples/corelane.toml` and the documentation of
//! [`NetConfig`] and [`EndpointConfig`] say the same. A key is added here and in `examples/corelane.toml`.

mod secure;

use std::net::SocketAddr;
use std::time::Duration;

use corelane_shard::config::{Allowed, Conflict, Section, SectionKey, Value};

use crate::endpoint::{EndpointConfig, EndpointError};
use crate::named::{HostName, Resolver};
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
        NetKey {
            name: "net.chunks",
            allowed: Allowed::number(1, 1 << 15),
            get: |net| Value::Number(net.reactor.chunks.into()),
            set: |net, value| value.number(|chunks| net.reactor.chunks = chunks as u16),
        },
        NetKey {
            name: "net.chunk_bytes",
            allowed: Allowed::bytes(1, MIB),
            get: |net| Value::Bytes(net.reactor.chunk_bytes as u64),
            set: |net, value| value.size(|bytes| net.reactor.chunk_bytes = bytes),
        },
        NetKey {
            name: "net.sockets",
            allowed: Allowed::number(1, 1 << 24),
            get: |net| Value::Number(net.reactor.sockets as u64),
            set: |net, value| value.size(|sockets| net.reactor.sockets = sockets),
        },
        NetKey {
            name: "net.send_bytes",
            allowed: Allowed::bytes(4 * KIB, GIB),
            get: |net| Value::Bytes(net.reactor.send_bytes as u64),
            set: |net, value| value.size(|bytes| net.reactor.send_bytes = bytes),
        },
        NetKey {
            name: "net.ring_entries",
            allowed: Allowed::number(1, 4096),
            get: |net| Value::Number(net.reactor.ring_entries.into()),
            set: |net, value| value.number(|entries| net.reactor.ring_entries = entries as u16),
        },
        NetKey {
            name: "net.coalesce",
            allowed: Allowed::time(Duration::ZERO, MILLISECOND),
            get: |net| Value::Time(net.reactor.coalesce),
            set: |net, value| value.time(|coalesce| net.reactor.coalesce = coalesce),
        },
        NetKey {
            name: "net.zero_copy_from",
            allowed: Allowed::bytes(1, GIB).or(&[OFF]),
            get: |net| {
                net.reactor.zero_copy_from.map_or(Value::Word(OFF), |bytes| Value::Bytes(bytes as u64))
            },
            set: |net, value| net.reactor.zero_copy_from = value.to_usize(),
        },
        NetKey {
            name: "net.linger",
            allowed: Allowed::time(Duration::ZERO, HOUR),
            get: |net| Value::Time(net.linger),
            set: |net, value| value.time(|linger| net.linger = linger),
        },
    ];
}

const ADDRESS: &str = "an address and a port, like \"127.0.0.1:2552\", \"[::1]:2552\" or \"localhost:2552\"";

/// In numbers. A name stands for its first address of the older kind, which every machine has, else for its first.
fn address(text: &str) -> Result<String, String> {
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
fn set_address(value: &Value, set: impl FnOnce(SocketAddr)) {
    value.text(|text| {
        if let Ok(address) = text.parse() {
            set(address);
        }
    });
}

type RemoteKey = SectionKey<EndpointConfig>;

const fn most(
    name: &'static str,
    least: u64,
    most: u64,
    get: fn(&EndpointConfig) -> Value,
    set: fn(&mut EndpointConfig, &Value),
) -> RemoteKey {
    RemoteKey { name, allowed: Allowed::number(least, most), get, set }
}

const fn bytes(
    name: &'static str,
    least: u64,
    most: u64,
    get: fn(&EndpointConfig) -> Value,
    set: fn(&mut EndpointConfig, &Value),
) -> RemoteKey {
    RemoteKey { name, allowed: Allowed::bytes(least, most), get, set }
}

const fn time(
    name: &'static str,
    least: Duration,
    most: Duration,
    get: fn(&EndpointConfig) -> Value,
    set: fn(&mut EndpointConfig, &Value),
) -> RemoteKey {
    RemoteKey { name, allowed: Allowed::time(least, most), get, set }
}

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
        most(
            "remote.connections_max",
            1,
            1 << 24,
            |remote| Value::Number(remote.connections_max as u64),
            |remote, value| value.size(|most| remote.connections_max = most),
        ),
        most(
            "remote.connections_per_address_max",
            1,
            1 << 24,
            |remote| Value::Number(remote.connections_per_address_max as u64),
            |remote, value| value.size(|most| remote.connections_per_address_max = most),
        ),
        most(
            "remote.strangers_max",
            1,
            1 << 24,
            |remote| Value::Number(remote.strangers_max as u64),
            |remote, value| value.size(|most| remote.strangers_max = most),
        ),
        most(
            "remote.links_max",
            1,
            1 << 24,
            |remote| Value::Number(remote.links_max as u64),
            |remote, value| value.size(|most| remote.links_max = most),
        ),
        most(
            "remote.hosts_max",
            1,
            1 << 20,
            |remote| Value::Number(remote.hosts_max as u64),
            |remote, value| value.size(|most| remote.hosts_max = most),
        ),
        bytes(
            "remote.pending_bytes",
            0,
            GIB,
            |remote| Value::Bytes(remote.pending_bytes as u64),
            |remote, value| value.size(|bytes| remote.pending_bytes = bytes),
        ),
        most(
            "remote.watches_max",
            0,
            MANY,
            |remote| Value::Number(remote.watches_max as u64),
            |remote, value| value.size(|most| remote.watches_max = most),
        ),
        most(
            "remote.children_max",
            0,
            MANY,
            |remote| Value::Number(remote.children_max as u64),
            |remote, value| value.size(|most| remote.children_max = most),
        ),
        most(
            "remote.lookups_max",
            0,
            MANY,
            |remote| Value::Number(remote.lookups_max as u64),
            |remote, value| value.size(|most| remote.lookups_max = most),
        ),
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
        time(
            "remote.link.heartbeat",
            MILLISECOND,
            HOUR,
            |remote| Value::Time(remote.link.heartbeat),
            |remote, value| value.time(|every| remote.link.heartbeat = every),
        ),
        time(
            "remote.link.handshake",
            MILLISECOND,
            HOUR,
            |remote| Value::Time(remote.link.handshake),
            |remote, value| value.time(|within| remote.link.handshake = within),
        ),
        time(
            "remote.link.redial_first",
            MILLISECOND,
            HOUR,
            |remote| Value::Time(remote.link.redial_first),
            |remote, value| value.time(|wait| remote.link.redial_first = wait),
        ),
        time(
            "remote.link.redial_max",
            MILLISECOND,
            HOUR,
            |remote| Value::Time(remote.link.redial_max),
            |remote, value| value.time(|wait| remote.link.redial_max = wait),
        ),
        bytes(
            "remote.link.frame_max",
            4 * KIB,
            16 * MIB,
            |remote| Value::Bytes(remote.link.frame_max.into()),
            |remote, value| value.count(|bytes| remote.link.frame_max = bytes),
        ),
        bytes(
            "remote.link.message_max",
            KIB,
            GIB,
            |remote| Value::Bytes(remote.link.message_max),
            |remote, value| value.number(|bytes| remote.link.message_max = bytes),
        ),
        bytes(
            "remote.link.chunk",
            KIB,
            16 * MIB,
            |remote| Value::Bytes(remote.link.chunk as u64),
            |remote, value| value.size(|bytes| remote.link.chunk = bytes),
        ),
        most(
            "remote.link.streams_max",
            1,
            1 << 16,
            |remote| Value::Number(remote.link.streams_max as u64),
            |remote, value| value.size(|most| remote.link.streams_max = most),
        ),
        bytes(
            "remote.link.backlog_max",
            KIB,
            GIB,
            |remote| Value::Bytes(remote.link.backlog_max as u64),
            |remote, value| value.size(|bytes| remote.link.backlog_max = bytes),
        ),
        bytes(
            "remote.link.credit_bytes",
            16 * KIB,
            GIB,
            |remote| Value::Bytes(remote.link.credit_bytes),
            |remote, value| value.number(|bytes| remote.link.credit_bytes = bytes),
        ),
        most(
            "remote.link.credit_messages",
            2,
            MANY,
            |remote| Value::Number(remote.link.credit_messages),
            |remote, value| value.number(|most| remote.link.credit_messages = most),
        ),
        most(
            "remote.link.signals_max",
            1,
            MANY,
            |remote| Value::Number(remote.link.signals_max as u64),
            |remote, value| value.size(|most| remote.link.signals_max = most),
        ),
        most(
            "remote.link.strikes_max",
            1,
            MANY,
            |remote| Value::Number(remote.link.strikes_max.into()),
            |remote, value| value.count(|most| remote.link.strikes_max = most),
        ),
        most(
            "remote.link.liveness.threshold",
            1,
            1000,
            |remote| Value::Number(remote.link.liveness.threshold as u64),
            |remote, value| value.count(|threshold| remote.link.liveness.threshold = threshold.into()),
        ),
        time(
            "remote.link.liveness.pause",
            Duration::ZERO,
            Duration::from_hours(24),
            |remote| Value::Time(remote.link.liveness.pause),
            |remote, value| value.time(|pause| remote.link.liveness.pause = pause),
        ),
        most(
            "remote.link.liveness.samples",
            2,
            100_000,
            |remote| Value::Number(remote.link.liveness.samples as u64),
            |remote, value| value.size(|samples| remote.link.liveness.samples = samples),
        ),
        time(
            "remote.link.liveness.deviation_min",
            Duration::ZERO,
            HOUR,
            |remote| Value::Time(remote.link.liveness.deviation_min),
            |remote, value| value.time(|least| remote.link.liveness.deviation_min = least),
        ),
        time(
            "remote.link.liveness.first",
            MILLISECOND,
            HOUR,
            |remote| Value::Time(remote.link.liveness.first),
            |remote, value| value.time(|first| remote.link.liveness.first = first),
        ),
    ];

    fn check(&self) -> Result<(), Conflict> {
        self.check().map_err(|error| {
            let reason = error.to_string();
            let keys = match error {
                EndpointError::BeyondLoopback(address) if self.public == Some(address) => {
                    vec!["remote.public"]
                }
                EndpointError::BeyondLoopback(_) => vec!["remote.bind"],
                _ => named_in(&reason),
            };
            Conflict { keys, reason }
        })
    }
}

/// The keys of the table `[remote]` that a text calls by their own names.
fn named_in(text: &str) -> Vec<&'static str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && !"._".contains(c));
    let keys = EndpointConfig::KEYS.iter().map(|key| key.name);
    let names = |word: &str, key: &str| {
        key.strip_suffix(word).is_some_and(|before| before.ends_with('.')) && !word.is_empty()
    };
    words.filter_map(|word| keys.clone().find(|key| names(word, key))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use corelane_shard::Sources;
    use corelane_shard::config::Config;

    use super::*;

    fn sources() -> Sources {
        Sources::new().section::<NetConfig>().section::<EndpointConfig>()
    }

    fn values(config: &Config) -> BTreeMap<&'static str, String> {
        config.settings().map(|setting| (setting.key, setting.value.to_string())).collect()
    }

    /// For each key the words or values at the bounds of what it allows, none of which goes ill with the defaults.
    const SAMPLES: [(&str, [&str; 2]); 48] = [
        ("net.backend", ["\"io_uring\"", "\"poll\""]),
        ("net.chunks", ["1", "32768"]),
        ("net.chunk_bytes", ["\"1 bytes\"", "\"1 MiB\""]),
        ("net.sockets", ["1", "16777216"]),
        ("net.send_bytes", ["\"4 KiB\"", "\"1 GiB\""]),
        ("net.ring_entries", ["1", "4096"]),
        ("net.coalesce", ["\"0 ns\"", "\"1 ms\""]),
        ("net.zero_copy_from", ["\"1 bytes\"", "\"1 GiB\""]),
        ("net.linger", ["\"0 ns\"", "\"1 h\""]),
        ("remote.system", ["\"shop\"", "\"a b\""]),
        ("remote.bind", ["\"127.0.0.2:2552\"", "\"[::1]:0\""]),
        ("remote.public", ["\"127.0.0.2:2552\"", "\"[::1]:1\""]),
        ("remote.insecure_plaintext_beyond_loopback", ["true", "false"]),
        ("remote.connections_max", ["1", "16777216"]),
        ("remote.connections_per_address_max", ["1", "16777216"]),
        ("remote.strangers_max", ["1", "16777216"]),
        ("remote.links_max", ["1", "16777216"]),
        ("remote.hosts_max", ["1", "1048576"]),
        ("remote.pending_bytes", ["\"0 bytes\"", "\"1 GiB\""]),
        ("remote.watches_max", ["0", "4294967295"]),
        ("remote.children_max", ["0", "4294967295"]),
        ("remote.lookups_max", ["0", "4294967295"]),
        ("remote.tls.certificates", ["\"a.pem\"", "\"/b/b.pem\""]),
        ("remote.tls.key", ["\"a.key\"", "\"/b/b.key\""]),
        ("remote.tls.roots", ["\"a.pem\"", "\"/b/b.pem\""]),
        ("remote.tls.revoked", ["\"a.pem\"", "\"/b/b.pem\""]),
        ("remote.tls.dialed", ["\"any\"", "[\"corelane://shop\", \"a.example\"]"]),
        ("remote.tls.dialing", ["\"any\"", "[\"corelane://shop\", \"a.example\"]"]),
        ("remote.untrusted.exports", ["[]", "[\"/user/a\", \"/user/b/c\"]"]),
        ("remote.untrusted.except", ["[\"corelane://shop\"]", "[]"]),
        ("remote.link.heartbeat", ["\"1 ms\"", "\"1 h\""]),
        ("remote.link.handshake", ["\"1 ms\"", "\"1 h\""]),
        ("remote.link.redial_first", ["\"1 ms\"", "\"5 s\""]),
        ("remote.link.redial_max", ["\"50 ms\"", "\"1 h\""]),
        ("remote.link.frame_max", ["\"17 KiB\"", "\"16 MiB\""]),
        ("remote.link.message_max", ["\"16 KiB\"", "\"1 GiB\""]),
        ("remote.link.chunk", ["\"1 KiB\"", "\"63 KiB\""]),
        ("remote.link.streams_max", ["1", "65536"]),
        ("remote.link.backlog_max", ["\"16 KiB\"", "\"1 GiB\""]),
        ("remote.link.credit_bytes", ["\"64 KiB\"", "\"1 GiB\""]),
        ("remote.link.credit_messages", ["2", "4294967295"]),
        ("remote.link.signals_max", ["1", "4294967295"]),
        ("remote.link.strikes_max", ["1", "4294967295"]),
        ("remote.link.liveness.threshold", ["1", "1000"]),
        ("remote.link.liveness.pause", ["\"0 ns\"", "\"1 d\""]),
        ("remote.link.liveness.samples", ["2", "100000"]),
        ("remote.link.liveness.deviation_min", ["\"0 ns\"", "\"1 h\""]),
        ("remote.link.liveness.first", ["\"1 ms\"", "\"1 h\""]),
    ];

    /// What a key does not do without, with values.
    fn beside(key: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = [
            ("remote.tls.", ("remote.tls.certificates", "\"host.pem\"")),
            ("remote.tls.", ("remote.tls.key", "\"host.key\"")),
            ("remote.tls.", ("remote.tls.roots", "\"roots.pem\"")),
            ("remote.untrusted.", ("remote.untrusted.exports", "[]")),
        ];
        all.into_iter().filter(move |(table, _)| key.starts_with(table)).map(|(_, needed)| needed)
    }

    #[test]
    fn every_key_sets_what_it_gets_and_nothing_else() {
        let defaults = values(&sources().load().unwrap());
        let tabled = NetConfig::KEYS.iter().map(|key| key.name);
        let tabled: Vec<_> = tabled.chain(EndpointConfig::KEYS.iter().map(|key| key.name)).collect();
        assert_eq!(SAMPLES.map(|(key, _)| key).to_vec(), tabled);
        for (key, samples) in SAMPLES {
            for sample in samples {
                let mut wanted = defaults.clone();
                let mut text = format!("{key} = {sample}");
                for (other, value) in beside(key).filter(|(other, _)| *other != key) {
                    wanted.insert(other, value.to_owned());
                    text += &format!("\n{other} = {value}");
                }
                let config = sources().text("shop.toml", text).load();
                let config = config.unwrap_or_else(|error| panic!("{error}"));
                wanted.insert(key, sample.to_owned());
                assert_eq!(values(&config), wanted);
            }
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_the_place_of_one_of_it() {
        for (text, complaint) in [
            (
                "[remote]\n\nbind = \"0.0.0.0:2552\"",
                "shop.toml:3: remote.bind: 0.0.0.0:2552 is not a loopback address: set tls, or insecure_plaintext_beyond_loopback if",
            ),
            (
                "[remote]\npublic = \"192.0.2.7:2552\"",
                "shop.toml:2: remote.public: 192.0.2.7:2552 is not a loopback",
            ),
            ("[remote]\npublic = \"127.0.0.1:0\"", "shop.toml:2: remote.public: public must have a port"),
            ("[remote]\nsystem = \"a@b\"", "shop.toml:2: remote.system: system must not contain"),
            (
                "[remote.link]\nredial_first = \"6 s\"",
                "shop.toml:2: remote.link.redial_first: redial_max must be at least redial_first",
            ),
            ("[remote.link]\nchunk = 1025", "shop.toml:2: remote.link.chunk: chunk must be a multiple of 8"),
            (
                "[remote.tls]\nkey = \"host.key\"",
                "shop.toml:2: remote.tls.key: tls wants certificates, a key and roots",
            ),
            (
                "[remote.untrusted]\nexports = [\"/user/*\"]",
                "shop.toml:2: remote.untrusted.exports: untrusted.exports: an exported path has no empty names",
            ),
            (
                "[remote.link]\nframe_max = \"16 KiB\"",
                "shop.toml:2: remote.link.frame_max: chunk must be less than frame_max",
            ),
        ] {
            let error = sources().text("shop.toml", text).load().unwrap_err();
            assert!(error.to_string().starts_with(complaint), "{error}");
            assert_eq!(error.problems().len(), 1);
        }
        let beyond = "[remote]\nbind = \"0.0.0.0:2552\"\npublic = \"192.0.2.7:2552\"\ninsecure_plaintext_beyond_loopback = true";
        assert!(sources().text("shop.toml", beyond).load().is_ok());
        let files = "certificates = \"a.pem\"\nkey = \"a.key\"\nroots = \"b.pem\"";
        let beyond = format!("[remote]\nbind = \"192.0.2.7:2552\"\n[remote.tls]\n{files}");
        assert!(sources().text("shop.toml", beyond).load().is_ok());
    }

    #[test]
    fn values_that_are_none_are_refused_with_what_is_allowed() {
        for (variable, value, complaint) in [
            (
                "CORELANE_NET_BACKEND",
                "epoll",
                "(did you mean \"poll\"?); allowed: \"auto\", \"io_uring\", \"poll\"",
            ),
            ("CORELANE_NET_BACKED", "poll", "unknown variable; did you mean CORELANE_NET_BACKEND?"),
            ("CORELANE_REMOTE_BIND", "2552", "(it is no such address); allowed: an address and a port"),
            ("CORELANE_REMOTE_PUBLIC", "127.0.0.1", "allowed: \"auto\", or an address and a port"),
            ("CORELANE_REMOTE_LINK_FRAME_MAX", "17 MiB", "a size from 4 KiB to 16 MiB"),
        ] {
            let error = sources().variables([(variable, value)]).load().unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn where_a_system_listens_may_be_called_by_a_name() {
        let text = "[remote]\nbind = \"localhost:2552\"\npublic = \"localhost:2553\"";
        let values = values(&sources().text("shop.toml", text).load().unwrap());
        assert!(values["remote.bind"].ends_with(":2552\"") && values["remote.public"].ends_with(":2553\""));
        let bind: SocketAddr = values["remote.bind"].trim_matches('"').parse().unwrap();
        assert!(bind.ip().is_loopback());
        let name = "a".repeat(64);
        let error = sources().text("shop.toml", format!("remote.bind = \"{name}:1\"")).load().unwrap_err();
        assert!(error.to_string().contains("(it has no address: "), "{error}");
    }
}
