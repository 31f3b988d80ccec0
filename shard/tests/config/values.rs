//! Values: their shapes, which of several wins, and what of them reaches the system.

use std::time::Duration;

use corelane_kernel::Group;
use corelane_shard::config::{Builder, Config, Sources, Value};
use corelane_shard::topology::Topology;
use corelane_shard::{Deployment, On, RouterKind, StartError};

use crate::common::{LONG, Puppet};
use crate::rig::{Scratch, load, origin, value};

#[test]
fn every_shape_of_value_is_read() {
    let config = load(concat!(
        "name = 'shop'\nshards = 2\ncores = \"0-3,6\"\npinned = false\nidle = \"latency\"\n",
        "region_bytes = \"1.5 GiB\"\nlane_bytes = 8192\nshutdown_within = \"1500 ms\"\n",
        "kernel.budget = 1_024\nkernel.shares = { urgent = 0x10, bulk = 8 }\n",
    ));
    assert_eq!(value(&config, "name"), Value::Text("shop".to_owned()));
    assert_eq!(value(&config, "shards"), Value::Number(2));
    assert_eq!(value(&config, "cores"), Value::Cores(vec![0, 1, 2, 3, 6]));
    assert_eq!(value(&config, "pinned"), Value::Flag(false));
    assert_eq!(value(&config, "idle"), Value::Word("latency"));
    assert_eq!(value(&config, "region_bytes"), Value::Bytes(3 << 29));
    assert_eq!(value(&config, "lane_bytes"), Value::Bytes(8192));
    assert_eq!(value(&config, "shutdown_within"), Value::Time(Duration::from_millis(1500)));
    assert_eq!(value(&config, "kernel.budget"), Value::Number(1024));
    assert_eq!(value(&config, "kernel.shares.urgent"), Value::Number(16));
    assert_eq!(origin(&config, "kernel.shares.bulk"), "shop.toml:10");
    assert_eq!(origin(&config, "kernel.shares.normal"), "default");
    assert_eq!(value(&load("cores = [4, 1]"), "cores"), Value::Cores(vec![4, 1]));
}

#[test]
fn later_wins_defaults_files_environment_and_the_builder() {
    let sources = Sources::new()
        .variables([("CORELANE_IDLE", "frugal"), ("CORELANE_CORES", "auto"), ("HOME", "/"), ("CORELANE", "")])
        .text("base.toml", "name = \"base\"\nlane_bytes = \"8 KiB\"\nidle = \"latency\"\ncores = [0]\n")
        .text("host.toml", "\nlane_bytes = \"16 KiB\"\n");
    let config = sources.load().unwrap();
    for (key, wanted, from) in [
        ("name", "\"base\"", "base.toml:1"),
        ("lane_bytes", "\"16 KiB\"", "host.toml:2"),
        ("idle", "\"frugal\"", "CORELANE_IDLE"),
        ("cores", "\"auto\"", "CORELANE_CORES"),
        ("gateway_bytes", "\"16 KiB\"", "default"),
    ] {
        assert_eq!(
            (value(&config, key).to_string().as_str(), origin(&config, key).as_str()),
            (wanted, from),
            "{key}"
        );
    }
    // What the builder then says wins: a name that no thread can bear is refused at the start only.
    let error = config.builder().name("").start().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("name is \"\""), "{error}");
}

#[test]
fn settings_reach_the_system() {
    let text = concat!(
        "shards = 2\npinned = false\nregion_bytes = \"2 MiB\"\nlog_dead_letters = 0\n",
        "[deploy.\"/user/*\"]\nshard = 1\n[deploy.\"/user/orders\"]\nshard = 0\ngroup = \"urgent\"\nmailbox = 3\n",
        "[deploy.\"/user/pool\"]\nrouter = \"tail-chopping\"\nroutees = 4\nshard = \"least-loaded\"\n",
    );
    let file = Scratch::with(text.as_bytes());
    let system = Builder::from_file(&file.0).unwrap().shutdown_within(LONG).start().unwrap();
    assert_eq!(system.shards(), 2);
    assert!(system.stats().iter().all(|stats| stats.core.is_none()));
    assert_eq!(system.call(0, |scope| scope.stats().region_bytes), Ok(2 << 20));
    let orders = system.spawner("orders").spawn(Puppet::default).unwrap();
    assert_eq!((orders.place().shard(), orders.address().group()), (0, Group::Urgent));
    let other = system.spawner("other").on(On::Shard(0)).spawn(Puppet::default).unwrap();
    assert_eq!(other.place().shard(), 1);
    let pool = Deployment::new().router(RouterKind::TailChopping).routees(4).on(On::LeastLoaded);
    assert_eq!(system.deployment("/user/pool"), Some(pool));
    crate::common::end(system);
}

#[test]
fn what_the_builder_decides_wins_over_a_file_in_each_part() {
    let config = load(
        "shards = 1\npinned = false\nregion_bytes = \"2 MiB\"\n[deploy.\"/user/a\"]\ngroup = \"bulk\"\nmailbox = 3\n",
    );
    let system = config.builder().deploy("/user/a", Deployment::new().mailbox(5)).start().unwrap();
    assert_eq!(system.deployment("/user/a"), Some(Deployment::new().group(Group::Bulk).mailbox(5)));
}

#[test]
fn an_empty_deployment_keeps_patterns_away() {
    let config = load(
        "shards = 1\npinned = false\nregion_bytes = \"2 MiB\"\ndeploy.\"/user/*\".mailbox = 1\ndeploy.\"/user/a\" = {}\n",
    );
    let system = config.builder().start().unwrap();
    assert_eq!(system.deployment("/user/a"), Some(Deployment::new()));
    assert_eq!(system.deployment("/user/b"), Some(Deployment::new().mailbox(1)));
}

#[test]
fn what_only_the_start_can_check_is_refused_then_and_names_its_place() {
    let config = load("shards = 1\npinned = false\n[deploy.\"/user/a\"]\nmailbox = 1\nshard = 1\n");
    let error = config.builder().start().map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StartError::Config(_)));
    assert!(text.contains("shop.toml:5: deploy \"/user/a\": there is no shard 1: 1 run"), "{text}");
}

#[test]
fn the_text_of_a_configuration_gives_it_again() {
    let cores = Topology::read().allowed;
    let config = Sources::new()
        .text(
            "a \"b\"\n\u{1}.toml",
            format!(
                "name = 'tab\" \\ ä #'\ncores = {cores:?}\nshutdown_within = \"1.5 s\"\nregion_bytes = 34359738360\n\
                 extensions = ['a \"b\"', \"c\"]\n\
                 [deploy]\n\"/user/*\" = {{}}\n\"/user/a\" = {{ shard = \"spread\", mailbox = 7, router = \"random\" }}\n",
            ),
        )
        .variables([("CORELANE_KERNEL_BATCH_WORDS", "64")])
        .load()
        .unwrap();
    let text = config.to_string();
    let again = Sources::new()
        .text("again.toml", text.as_str())
        .load()
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let values = |config: &Config| {
        let settings: Vec<_> = config.settings().map(|setting| (setting.key, setting.value)).collect();
        let deployments: Vec<(String, Vec<_>)> = config
            .deployments()
            .map(|(path, settings)| {
                (path.to_owned(), settings.into_iter().map(|setting| (setting.key, setting.value)).collect())
            })
            .collect();
        (settings, deployments)
    };
    assert_eq!(values(&again), values(&config));
    assert!(text.contains("CORELANE_KERNEL_BATCH_WORDS"), "{text}");
    assert!(text.contains("[deploy.\"/user/a\"]"), "{text}");
}
