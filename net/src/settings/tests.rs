//! Every key by its bounds, what does not go together, and what is said of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

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
const SAMPLES: [(&str, [&str; 2]); 52] = [
    ("net.backend", ["\"io_uring\"", "\"poll\""]),
    ("net.chunks", ["1", "32768"]),
    ("net.chunk_bytes", ["\"1 bytes\"", "\"1 MiB\""]),
    ("net.sockets", ["1", "16777216"]),
    ("net.send_bytes", ["\"4 KiB\"", "\"1 GiB\""]),
    ("net.ring_entries", ["16", "4096"]),
    ("net.registered", ["0", "1048576"]),
    ("net.coalesce", ["\"0 ns\"", "\"1 ms\""]),
    ("net.zero_copy_from", ["\"1 bytes\"", "\"1 GiB\""]),
    ("net.linger", ["\"0 ns\"", "\"1 h\""]),
    ("remote.system", ["\"shop\"", "\"a b\""]),
    ("remote.bind", ["\"127.0.0.2:2552\"", "\"[::1]:0\""]),
    ("remote.public", ["\"127.0.0.2:2552\"", "\"[::1]:1\""]),
    ("remote.insecure_plaintext_beyond_loopback", ["true", "false"]),
    ("remote.unix_sockets", ["false", "true"]),
    ("remote.shared_memory", ["false", "true"]),
    ("remote.connections_max", ["1", "16777216"]),
    ("remote.connections_per_address_max", ["1", "16777216"]),
    ("remote.strangers_max", ["1", "16777216"]),
    ("remote.links_max", ["1", "16777216"]),
    ("remote.hosts_max", ["1", "1048576"]),
    ("remote.pending_bytes", ["\"0 bytes\"", "\"1 GiB\""]),
    ("remote.watches_max", ["0", "4294967295"]),
    ("remote.children_max", ["0", "4294967295"]),
    ("remote.spawn_within", ["\"1 ms\"", "\"1 h\""]),
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
    ("remote.link.liveness.samples", ["2", "65536"]),
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
            "[remote]\nbind = \"0.0.0.0:2552\"\ninsecure_plaintext_beyond_loopback = true",
            "shop.toml:2: remote.bind: public must be a host's address",
        ),
        (
            "[remote]\npublic = \"[::]:2552\"\ninsecure_plaintext_beyond_loopback = true",
            "shop.toml:2: remote.public: public must be a host's address",
        ),
        (
            "[remote.tls]\n\ndialed = \"any\"",
            "shop.toml:3: remote.tls.dialed: tls wants certificates, a key and roots",
        ),
        (
            "[remote.tls]\ncertificates = \"a\"\nkey = \"b\"\nroots = \"c\"\ndialing = [\"any host\"]",
            "shop.toml:5: remote.tls.dialing: tls: \"any host\" is no DNS name, IP address or URI",
        ),
        (
            "[remote.tls]\ncertificates = \"a\"\nkey = \"b\"\nroots = \"c\"\ndialed = []",
            "shop.toml:5: remote.tls.dialed: tls: a list of peers' names is empty",
        ),
        (
            "[remote.untrusted]\nexcept = [\"shop.example\", \"a b\"]",
            "shop.toml:2: remote.untrusted.except: tls: \"a b\" is no DNS name",
        ),
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
