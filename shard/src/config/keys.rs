//! Every key of the configuration, in the order in which they are shown: what it means, what it allows, and where its
//! value is in a [`Builder`].
//!
//! A setting is added here and in `examples/corelane.toml`, and nowhere else: reading, checking, printing and the names of
//! the variables follow from this table.

use std::time::Duration;

use corelane_kernel::Group;
use corelane_kernel::limits::SHARDS_MAX;

use super::builder::{
    BLOCKING_THREADS, Builder, LANE_BYTES, REGION_BYTES_MAX, REGION_BYTES_MIN, SHUTDOWN_WITHIN_MAX,
    STALL_AFTER,
};
use super::section::{Section, SectionKey};
use super::value::{Allowed, Value};
use crate::deploy::{Deployment, RouteesOn, RouterKind, host_named};
use crate::idle::Idle;
use crate::spawn::On;

/// What every variable of the environment begins with.
pub(crate) const PREFIX: &str = "CORELANE_";

/// A setting of the system.
type Key = SectionKey<Builder>;

/// A part of what is decided for an actor by its path.
pub(crate) struct DeployKey {
    pub(crate) name: &'static str,
    pub(crate) allowed: Allowed,
    pub(crate) set: fn(&mut Deployment, &Value),
}

/// Most messages of one turn, in each group and from each lane: turns of many milliseconds.
const BUDGET_MAX: u64 = 1 << 20;
/// Most routees of a pool.
const ROUTEES_MAX: u64 = 65_536;

const AUTO: &str = "auto";
const OFF: &str = "off";
const SPREAD: &str = "spread";
const LEAST_LOADED: &str = "least-loaded";
const OWN: &str = "own";

const IDLES: [(&str, Idle); 3] =
    [("latency", Idle::Latency), ("balanced", Idle::Balanced), ("frugal", Idle::Frugal)];

/// The scheduling groups by their names.
const GROUPS: [(&str, Group); 4] = [
    ("urgent", Group::Urgent),
    ("normal", Group::Normal),
    ("bulk", Group::Bulk),
    ("background", Group::Background),
];

const fn names<T, const N: usize>(table: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = table[at].0;
        at += 1;
    }
    names
}

const fn routers() -> [&'static str; RouterKind::ALL.len()] {
    let mut names = [""; RouterKind::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = RouterKind::ALL[at].as_str();
        at += 1;
    }
    names
}

/// Sizes in memory, as the table bounds them.
const fn bytes(least: usize, most: usize) -> Allowed {
    Allowed::bytes(least as u64, most as u64)
}

/// The system's own settings are held as a layer's are.
impl Section for Builder {
    const KEYS: &'static [SectionKey<Builder>] = KEYS;
}

const KEYS: &[Key] = &[
    Key {
        name: "name",
        allowed: Allowed::text(),
        get: |builder| Value::Text(builder.name.clone()),
        set: |builder, value| value.text(|text| builder.name = text),
    },
    Key {
        name: "shards",
        allowed: Allowed::number(1, SHARDS_MAX as u64).or(&[AUTO]),
        get: |builder| auto(builder.request.shards, |shards| Value::Number(shards as u64)),
        set: |builder, value| builder.request.shards = value.to_usize(),
    },
    Key {
        name: "cores",
        allowed: Allowed::cores().or(&[AUTO]),
        get: |builder| auto(builder.request.cores.clone(), Value::Cores),
        set: |builder, value| builder.request.cores = value.to_cores(),
    },
    Key {
        name: "pinned",
        allowed: Allowed::flag(),
        get: |builder| Value::Flag(builder.pin),
        set: |builder, value| value.flag(|flag| builder.pin = flag),
    },
    Key {
        name: "idle",
        allowed: Allowed::words(&names(&IDLES)),
        get: |builder| Value::Word(name_of(&IDLES, builder.idle)),
        set: |builder, value| value.named(&IDLES, |idle| builder.idle = idle),
    },
    Key {
        name: "region_bytes",
        allowed: bytes(REGION_BYTES_MIN, REGION_BYTES_MAX).or(&[AUTO]),
        get: |builder| auto(builder.region_bytes, |bytes| Value::Bytes(bytes as u64)),
        set: |builder, value| builder.region_bytes = value.to_usize(),
    },
    Key {
        name: "lane_bytes",
        allowed: bytes(*LANE_BYTES.start(), *LANE_BYTES.end()),
        get: |builder| Value::Bytes(builder.lane_bytes as u64),
        set: |builder, value| value.size(|bytes| builder.lane_bytes = bytes),
    },
    Key {
        name: "gateway_bytes",
        allowed: bytes(*LANE_BYTES.start(), *LANE_BYTES.end()),
        get: |builder| Value::Bytes(builder.gateway_bytes as u64),
        set: |builder, value| value.size(|bytes| builder.gateway_bytes = bytes),
    },
    Key {
        name: "blocking_threads",
        allowed: Allowed::number(*BLOCKING_THREADS.start() as u64, *BLOCKING_THREADS.end() as u64),
        get: |builder| Value::Number(builder.blocking_threads as u64),
        set: |builder, value| value.size(|threads| builder.blocking_threads = threads),
    },
    Key {
        name: "log_dead_letters",
        allowed: Allowed::number(0, u32::MAX as u64),
        get: |builder| Value::Number(builder.log_letters.into()),
        set: |builder, value| value.count(|most| builder.log_letters = most),
    },
    Key {
        name: "stall_after",
        allowed: Allowed::time(*STALL_AFTER.start(), *STALL_AFTER.end()).or(&[OFF]),
        get: |builder| builder.stall_after.map_or(Value::Word(OFF), Value::Time),
        set: |builder, value| {
            builder.stall_after = None;
            value.time(|after| builder.stall_after = Some(after));
        },
    },
    Key {
        name: "shutdown_within",
        allowed: Allowed::time(Duration::ZERO, SHUTDOWN_WITHIN_MAX),
        get: |builder| Value::Time(builder.shutdown_within),
        set: |builder, value| value.time(|within| builder.shutdown_within = within),
    },
    Key {
        name: EXTENSIONS,
        allowed: Allowed::names(),
        get: |builder| Value::Names(builder.extensions.listed.clone()),
        set: |builder, value| value.names(|names| builder.extensions.listed = names),
    },
    Key {
        name: "kernel.budget",
        allowed: Allowed::number(1, BUDGET_MAX),
        get: |builder| Value::Number(builder.kernel.budget.into()),
        set: |builder, value| value.count(|budget| builder.kernel.budget = budget),
    },
    Key {
        name: "kernel.queue_share",
        allowed: Allowed::number(1, 256),
        get: |builder| Value::Number(builder.kernel.queue_share.into()),
        set: |builder, value| value.count(|share| builder.kernel.queue_share = share),
    },
    Key {
        name: "kernel.outbox_bytes",
        allowed: bytes(0, *LANE_BYTES.end()),
        get: |builder| Value::Bytes(builder.kernel.outbox_bytes as u64),
        set: |builder, value| value.size(|bytes| builder.kernel.outbox_bytes = bytes),
    },
    Key {
        name: "kernel.batch_words",
        allowed: Allowed::number(64, 1 << 20),
        get: |builder| Value::Number(builder.kernel.batch_words as u64),
        set: |builder, value| value.size(|words| builder.kernel.batch_words = words),
    },
    share(
        "kernel.shares.urgent",
        |builder| get_share(builder, Group::Urgent),
        |builder, value| {
            set_share(builder, Group::Urgent, value);
        },
    ),
    share(
        "kernel.shares.normal",
        |builder| get_share(builder, Group::Normal),
        |builder, value| {
            set_share(builder, Group::Normal, value);
        },
    ),
    share(
        "kernel.shares.bulk",
        |builder| get_share(builder, Group::Bulk),
        |builder, value| {
            set_share(builder, Group::Bulk, value);
        },
    ),
    share(
        "kernel.shares.background",
        |builder| get_share(builder, Group::Background),
        |builder, value| {
            set_share(builder, Group::Background, value);
        },
    ),
];

/// The key of what is loaded.
pub(crate) const EXTENSIONS: &str = "extensions";

/// The table of what is decided for actors: `[deploy."/user/name"]`.
pub(crate) const DEPLOY: &str = "deploy";
/// The keys of a deployment of which only the start knows whether they make sense: whether there are such shards, and which
/// of them stand together.
pub(crate) const SHARD: &str = "shard";
pub(crate) const ROUTEES_ON: &str = "routees_on";
pub(crate) const ROUTEES_AT: &str = "routees_at";

pub(crate) const DEPLOY_KEYS: &[DeployKey] = &[
    DeployKey {
        name: SHARD,
        allowed: Allowed::number(0, SHARDS_MAX as u64 - 1).or(&[SPREAD, LEAST_LOADED]),
        set: |deployment, value| {
            deployment.on = match value {
                Value::Word(SPREAD) => Some(On::Spread),
                Value::Word(_) => Some(On::LeastLoaded),
                value => value.to_usize().map(On::Shard),
            }
        },
    },
    DeployKey {
        name: "group",
        allowed: Allowed::words(&names(&GROUPS)),
        set: |deployment, value| value.named(&GROUPS, |group| deployment.group = Some(group)),
    },
    DeployKey {
        name: "mailbox",
        allowed: Allowed::number(0, u32::MAX as u64),
        set: |deployment, value| value.count(|bound| deployment.mailbox = Some(bound)),
    },
    DeployKey {
        name: "router",
        allowed: Allowed::words(&routers()),
        set: |deployment, value| {
            let Value::Word(name) = value else { return };
            deployment.router = RouterKind::ALL.into_iter().find(|kind| kind.as_str() == *name);
        },
    },
    DeployKey {
        name: "routees",
        allowed: Allowed::number(1, ROUTEES_MAX),
        set: |deployment, value| value.count(|routees| deployment.routees = Some(routees)),
    },
    DeployKey {
        name: ROUTEES_ON,
        allowed: Allowed::shards(SHARDS_MAX - 1).or(&[OWN, SPREAD]),
        set: |deployment, value| {
            deployment.routees_on = match *value {
                Value::Word(OWN) => Some(RouteesOn::Own),
                Value::Word(_) => Some(RouteesOn::Spread),
                Value::Shards(first, last) => Some(RouteesOn::Shards { first, last }),
                _ => None,
            }
        },
    },
    DeployKey {
        name: ROUTEES_AT,
        allowed: Allowed::parsed_list(
            "a list of hosts, like [\"corelane://shop@127.0.0.1:2552\", \"corelane://shop@till.internal:2552\"]",
            host_named,
        ),
        set: |deployment, value| {
            value.names(|hosts| *deployment = std::mem::take(deployment).routees_at(hosts));
        },
    },
    DeployKey {
        name: "host",
        allowed: Allowed::parsed(
            "a host, like \"corelane://shop@127.0.0.1:2552\" or \"corelane://shop@till.internal:2552\"",
            host_named,
        ),
        set: |deployment, value| value.text(|host| deployment.host = Some(host.into())),
    },
];

const fn share(name: &'static str, get: fn(&Builder) -> Value, set: fn(&mut Builder, &Value)) -> Key {
    Key { name, allowed: Allowed::number(1, BUDGET_MAX), get, set }
}

fn get_share(builder: &Builder, group: Group) -> Value {
    Value::Number(builder.kernel.shares[group as usize].into())
}

fn set_share(builder: &mut Builder, group: Group, value: &Value) {
    value.count(|share| builder.kernel.shares[group as usize] = share);
}

fn auto<T>(setting: Option<T>, value: impl FnOnce(T) -> Value) -> Value {
    setting.map_or(Value::Word(AUTO), value)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::super::value::{Raw, Shape};
    use super::*;

    /// Values of every shape that a key allows, none of them a default.
    fn samples(allowed: &Allowed) -> Vec<Value> {
        let mut samples: Vec<_> = allowed.words.iter().map(|word| Value::Word(word)).collect();
        match allowed.shape {
            Shape::None => {}
            Shape::Text => samples.push(Value::Text("shop".to_owned())),
            Shape::Flag => samples.extend([true, false].map(Value::Flag)),
            Shape::Number { least, most } => samples.extend([least, least + 1, most].map(Value::Number)),
            Shape::Bytes { least, most } => samples.extend([least, most].map(Value::Bytes)),
            Shape::Time { least, most } => {
                samples.extend([least, least + Duration::from_millis(1), most].map(Value::Time))
            }
            Shape::Cores => samples.push(Value::Cores(vec![3, 0, 1])),
            Shape::Shards { most } => samples.extend([(0, 0), (1, most)].map(|(a, b)| Value::Shards(a, b))),
            // None of these keys has a value that only its layer can read.
            Shape::Parsed { .. } | Shape::ParsedList { .. } => {}
            Shape::Names => samples.push(Value::Names(vec!["two".to_owned(), "one".to_owned()])),
        }
        samples
    }

    #[test]
    fn every_key_sets_what_it_gets_and_nothing_else() {
        for key in KEYS {
            for value in samples(&key.allowed) {
                let mut builder = Builder::default();
                (key.set)(&mut builder, &value);
                assert_eq!((key.get)(&builder), value, "{}", key.name);
                for other in KEYS.iter().filter(|other| other.name != key.name) {
                    assert_eq!(
                        (other.get)(&builder),
                        (other.get)(&Builder::default()),
                        "{} by {}",
                        other.name,
                        key.name
                    );
                }
            }
        }
    }

    #[test]
    fn every_part_of_a_deployment_is_set() {
        for key in DEPLOY_KEYS {
            let mut seen = Vec::new();
            for value in samples(&key.allowed) {
                let mut deployment = Deployment::new();
                (key.set)(&mut deployment, &value);
                assert!(
                    deployment != Deployment::new() && !seen.contains(&deployment),
                    "{} {value}",
                    key.name
                );
                seen.push(deployment);
            }
        }
    }

    #[test]
    fn defaults_are_allowed() {
        for key in KEYS {
            let default = (key.get)(&Builder::default());
            let text = format!("key = {default}");
            let table = DeTable::parse(&text).expect("it is written as it is read");
            let written = table.get_ref().get("key").expect("a value").get_ref();
            assert_eq!(key.allowed.read(Raw::File(written)), Ok(default), "{}", key.name);
        }
    }
}
