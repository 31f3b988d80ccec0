//! Configuration from files and variables: precedence, origins, and errors that name the place, what was found there and
//! what is allowed.

mod common;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{LONG, Puppet};
use corelane_kernel::{Group, Scope};
use corelane_shard::config::{Builder, Config, ConfigProblem, Origin, Sources, Value};
use corelane_shard::topology::Topology;
use corelane_shard::{BoxError, Deployment, Extension, Loading, On, RouterKind, StartError};
use proptest::prelude::*;

fn load(text: &str) -> Config {
    Sources::new().text("shop.toml", text).load().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What is wrong with a file, one problem a line.
fn refused(text: &str) -> String {
    match Sources::new().text("shop.toml", text).load() {
        Ok(config) => panic!("{text:?} is taken as\n{config}"),
        Err(error) => error.to_string(),
    }
}

fn refused_variable(name: &str, value: &str) -> String {
    Sources::new().variables([(name, value)]).load().unwrap_err().to_string()
}

fn value(config: &Config, key: &str) -> Value {
    config.settings().find(|setting| setting.key == key).expect("a key").value
}

fn origin(config: &Config, key: &str) -> String {
    config.settings().find(|setting| setting.key == key).expect("a key").origin.to_string()
}

/// A file that is removed with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn with(bytes: &[u8]) -> Scratch {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("corelane-config-{}-{number}.toml", std::process::id()));
        fs::write(&path, bytes).expect("a written file");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

// --- values and precedence ---------------------------------------------------------------------------------------

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
    common::end(system);
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

/// Two extensions that say when they are made.
struct Noted<const N: usize>;

const NAMES: [&str; 2] = ["one", "two"];

impl<const N: usize> Extension for Noted<N> {
    const NAME: &'static str = NAMES[N];
    type Shard = ();
    fn on_shard(&self, _: &mut Scope<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Offers both, and loads what is listed, of which the names are given; or why it does not start.
fn loaded(builder: Builder) -> Result<Vec<&'static str>, String> {
    let made = Arc::new(Mutex::new(Vec::new()));
    fn noted<const N: usize>(
        made: &Arc<Mutex<Vec<&'static str>>>,
    ) -> impl Fn(&Loading<'_>) -> Result<Noted<N>, BoxError> + use<N> {
        let made = made.clone();
        move |_| {
            made.lock().unwrap().push(NAMES[N]);
            Ok(Noted)
        }
    }
    let builder = builder.shards(1).pinned(false).offer_extension(noted::<0>(&made));
    let started = builder.offer_extension(noted::<1>(&made)).start();
    let made = made.lock().unwrap().clone();
    match started {
        Ok(_) => Ok(made),
        Err(error) => {
            assert!(matches!(error, StartError::Extension { .. }), "{error}");
            Err(format!("{error}, after {made:?}"))
        }
    }
}

#[test]
fn listed_extensions_are_loaded_in_order_and_before_those_of_the_program() {
    let listed = |text: &str| loaded(load(text).builder());
    assert_eq!(listed(""), Ok(vec![]));
    assert_eq!(listed("extensions = []"), Ok(vec![]));
    assert_eq!(listed("extensions = [\"two\", \"one\"]"), Ok(vec!["two", "one"]));
    assert_eq!(listed("extensions = \"two, one\""), Ok(vec!["two", "one"]));
    let program = load("extensions = [\"two\"]").builder().load_extension("one");
    assert_eq!(loaded(program), Ok(vec!["two", "one"]));
    // A later list replaces the whole of an earlier one.
    let sources = Sources::new().text("shop.toml", "extensions = [\"two\"]");
    let config = sources.variables([("CORELANE_EXTENSIONS", "one")]).load().unwrap();
    assert_eq!(loaded(config.builder()), Ok(vec!["one"]));
    assert_eq!(origin(&config, "extensions"), "CORELANE_EXTENSIONS");
    let sources = Sources::new().text("shop.toml", "extensions = [\"two\"]");
    let config = sources.variables([("CORELANE_EXTENSIONS", "")]).load().unwrap();
    assert_eq!(loaded(config.builder()), Ok(vec![]));
}

#[test]
fn a_listed_extension_that_nobody_offers_is_refused_at_the_start_with_its_place() {
    let error = loaded(load("\nextensions = [\"one\", \"tow\"]").builder()).unwrap_err();
    // Nothing is loaded then, not even what comes before it.
    assert_eq!(
        error,
        "extension \"tow\": shop.toml:2: no extension of that name is offered; there are [\"one\", \"two\"], after []"
    );
    let twice = load("extensions = [\"one\"]").builder().load_extension("one");
    assert_eq!(
        loaded(twice).unwrap_err(),
        "extension \"one\": it is loaded already, after [\"one\", \"one\"]"
    );
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

// --- what is refused ---------------------------------------------------------------------------------------------

#[test]
fn unknown_keys_are_refused_and_near_misses_understood() {
    for (text, complaint) in [
        ("lane_byte = 1", "shop.toml:1: lane_byte: unknown key; did you mean lane_bytes?"),
        ("\n\nlane-bytes = 1", "shop.toml:3: lane-bytes: unknown key; did you mean lane_bytes?"),
        ("budget = 1", "shop.toml:1: budget: unknown key; did you mean kernel.budget?"),
        ("[kernal]\nbudget = 1", "shop.toml:1: kernal: unknown key; did you mean kernel?"),
        (
            "[kernel.shares]\nurgnet = 1",
            "shop.toml:2: kernel.shares.urgnet: unknown key; did you mean kernel.shares.urgent?",
        ),
        ("\"kernel.budget\" = 1", "shop.toml:1: kernel.budget: unknown key"),
        ("colour = 1", "shop.toml:1: colour: unknown key"),
        ("\"\" = 1", "shop.toml:1: : unknown key"),
        ("\"a\\nb\" = 1", "shop.toml:1: a\\nb: unknown key"),
        (
            "[deploy.\"/user/a\"]\nmail_box = 1",
            "shop.toml:2: deploy.\"/user/a\".mail_box: unknown key; did you mean mailbox?",
        ),
    ] {
        let error = refused(text);
        assert!(error.starts_with(complaint), "{error}");
    }
    // Nothing is guessed that is nothing alike.
    assert_eq!(refused("colour = 1"), "shop.toml:1: colour: unknown key");
}

#[test]
fn bad_values_are_refused_with_what_was_found_and_what_is_allowed() {
    for (text, found, allowed) in [
        ("shards = 0", "shards: found 0", "\"auto\", or a whole number from 1 to 1024"),
        ("shards = -1", "shards: found -1", "\"auto\", or a whole number from 1 to 1024"),
        ("shards = 1.5", "shards: found 1.5", "whole number"),
        ("shards = \"2\"", "shards: found \"2\"", "whole number"),
        ("shards = \"atuo\"", "found \"atuo\" (did you mean \"auto\"?)", "\"auto\", or"),
        ("shards = 99999999999999999999", "found 99999999999999999999", "whole number"),
        ("name = ''", "name: found ''", "not empty"),
        ("name = \"a\\u0000b\"", "name: found \"a\\u0000b\"", "no control characters"),
        ("name = 5", "name: found 5", "text"),
        ("pinned = \"yes\"", "pinned: found \"yes\"", "true or false"),
        ("idle = \"balance\"", "(did you mean \"balanced\"?)", "\"latency\", \"balanced\", \"frugal\""),
        ("lane_bytes = \"64 KB\"", "found \"64 KB\" (KB means different", "a size from 4 KiB to 1 GiB"),
        ("lane_bytes = \"2 KiB\"", "found \"2 KiB\"", "a size from 4 KiB to 1 GiB"),
        ("lane_bytes = 1e5", "found 1e5", "a size"),
        ("region_bytes = \"32 GiB\"", "found \"32 GiB\"", "to 34359738360 bytes"),
        ("shutdown_within = 10", "found 10", "a time up to 365 d, like \"10 s\""),
        ("shutdown_within = \"10\"", "(its unit is missing", "a time"),
        ("shutdown_within = \"366 d\"", "found \"366 d\"", "365 d"),
        ("cores = \"3-1\"", "counts down; write 1-3)", "like \"0-3,6\" or [0, 1, 2]"),
        ("cores = [0, 1, 0]", "core 0 is listed twice", "a list of cores"),
        ("cores = []", "the list is empty", "a list of cores"),
        ("extensions = [\"one\", \"one\"]", "\"one\" is listed twice", "a list of names, like"),
        ("extensions = [\"one\", \" \"]", "a name is empty", "a list of names"),
        ("extensions = [\"one,two\"]", "\"one,two\" is no name", "a list of names"),
        ("extensions = [1]", "found [1]", "a list of names"),
        ("extensions = 1", "found 1", "a list of names"),
        ("cores = [0, -1]", "found [0, -1]", "a list of cores"),
        ("cores = [0, 9999999]", "core numbers end at", "a list of cores"),
        ("kernel = 5", "kernel: found 5", "a table, [kernel]"),
        ("deploy = 5", "deploy: found 5", "[deploy.\"/user/name\"]"),
        ("[lane_bytes]\nx = 1", "lane_bytes: found a table", "a size"),
        ("[[kernel]]\nbudget = 1", "kernel: found", "a table"),
        ("[kernel]\nqueue_share = 257", "kernel.queue_share: found 257", "from 1 to 256"),
        ("shards = 1979-05-27", "shards: found 1979-05-27", "whole number"),
    ] {
        let error = refused(text);
        assert!(error.starts_with("shop.toml:1: ") || error.starts_with("shop.toml:2: "), "{error}");
        assert!(error.contains(found), "{text:?}: {error}");
        let (_, said) = error.split_once("; allowed: ").expect("what is allowed");
        assert!(said.contains(allowed), "{text:?}: {error}");
        assert!(!error.contains('\n'), "{text:?}: {error}");
    }
}

/// Conformance 21.
#[test]
fn bad_deployments_are_refused() {
    for (text, complaint) in [
        ("deploy.\"orders\" = {}", "shop.toml:1: deploy \"orders\": a path begins with /user/"),
        ("[deploy.\"/user/a*\"]", "shop.toml:1: deploy \"/user/a*\": a * stands for one whole name"),
        (
            "[deploy.\"/user/a\"]\nshard = 1024",
            "deploy.\"/user/a\".shard: found 1024; allowed: \"spread\", \"least-loaded\", or a whole number from 0 to 1023",
        ),
        (
            "[deploy.\"/user/a\"]\ngroup = \"urgend\"",
            "(did you mean \"urgent\"?); allowed: \"urgent\", \"normal\"",
        ),
        (
            "[deploy.\"/user/a\"]\nrouter = \"roundrobin\"",
            "(did you mean \"round-robin\"?); allowed: \"round-robin\", \"random\"",
        ),
        ("[deploy.\"/user/a\"]\nroutees = 0", "from 1 to 65536"),
        ("deploy.\"/user/a\" = 1", "found 1; allowed: a table, [deploy.\"/user/a\"]"),
    ] {
        let error = refused(text);
        assert!(error.contains(complaint), "{text:?}: {error}");
    }
}

#[test]
fn variables_are_refused_by_name() {
    for (name, value, complaint) in [
        (
            "CORELANE_LANE_BYTE",
            "1",
            "CORELANE_LANE_BYTE: unknown variable; did you mean CORELANE_LANE_BYTES?",
        ),
        ("CORELANE_BUDGET", "1", "CORELANE_BUDGET: unknown variable"),
        ("CORELANE_", "1", "CORELANE_: unknown variable"),
        ("CORELANE_lane_bytes", "1", "unknown variable; did you mean CORELANE_LANE_BYTES?"),
        (
            "CORELANE_SHARDS",
            "two",
            "CORELANE_SHARDS: found \"two\"; allowed: \"auto\", or a whole number from 1 to 1024",
        ),
        ("CORELANE_SHARDS", "", "CORELANE_SHARDS: found \"\"; allowed"),
        ("CORELANE_SHARDS", "+2", "CORELANE_SHARDS: found \"+2\"; allowed"),
        ("CORELANE_PINNED", "1", "true or false"),
        ("CORELANE_LANE_BYTES", "1\n2", "found \"1\\n2\""),
        ("CORELANE_DEPLOY", "x", "unknown variable"),
    ] {
        let error = refused_variable(name, value);
        assert!(error.contains(complaint), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    // Of others, and what Kubernetes sets for a service of this name.
    let foreign =
        ["CORELANE", "CORELANEX", "CORELANE_SERVICE_HOST", "CORELANE_PORT", "CORELANE_PORT_80_TCP_ADDR"];
    let config = Sources::new().variables(foreign.map(|name| (name, "x"))).load().unwrap();
    assert!(config.settings().all(|setting| *setting.origin == Origin::Default));
}

#[cfg(unix)]
#[test]
fn variables_that_are_no_unicode_are_refused() {
    use std::os::unix::ffi::OsStringExt;
    let garbled = OsString::from_vec(b"\xff".to_vec());
    let error =
        Sources::new().variables([(OsString::from("CORELANE_NAME"), garbled.clone())]).load().unwrap_err();
    assert!(error.to_string().contains("CORELANE_NAME: found \"\u{fffd}\" (it must be UTF-8)"), "{error}");
    assert!(Sources::new().variables([(OsString::from("HOME"), garbled)]).load().is_ok());
}

#[test]
fn everything_that_is_wrong_is_said_at_once_by_file_and_line() {
    let error = Sources::new()
        .variables([("CORELANE_SHARDS", "x"), ("CORELANE_IDLE", "y")])
        .text("a.toml", "name = 1\nshards = 0\nidle = 5\nbad = 1\n[kernel]\nbudget = 0\n")
        .text("b.toml", "broken")
        .load()
        .unwrap_err();
    let text = error.to_string();
    let places: Vec<_> = text.lines().map(|line| line.split(": ").next().unwrap()).collect();
    let wanted = [
        "a.toml:1",
        "a.toml:2",
        "a.toml:3",
        "a.toml:4",
        "a.toml:6",
        "b.toml:1:7",
        "CORELANE_IDLE",
        "CORELANE_SHARDS",
    ];
    assert_eq!(places, wanted, "{text}");
    assert_eq!(error.problems().len(), wanted.len());
    assert!(matches!(error.problems()[5], ConfigProblem::Syntax { column: 7, .. }));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = Path::new("/nowhere/shop.toml");
    let error = Builder::from_file(missing).map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/shop.toml: cannot be read: "), "{error}");
    let folder = std::env::temp_dir();
    assert!(Builder::from_file(folder).is_err());
    let large = Scratch::with(&vec![b'\n'; (1 << 20) + 1]);
    let error = Builder::from_file(&large.0).map(|_| ()).unwrap_err().to_string();
    assert!(error.ends_with("is larger than 1 MiB, which no configuration is"), "{error}");
    let latin = Scratch::with(b"name = 'shop'\n# \xe4");
    let error = Builder::from_file(&latin.0).map(|_| ()).unwrap_err().to_string();
    assert!(error.ends_with(":2:3: the file must be UTF-8"), "{error}");
}

#[test]
fn marks_of_other_systems_are_no_errors() {
    let config = load("\u{feff}name = 'shop'\r\nshards = 2\r\n");
    assert_eq!(
        (value(&config, "shards"), origin(&config, "shards")),
        (Value::Number(2), "shop.toml:2".to_owned())
    );
}

#[test]
fn files_that_are_made_to_hurt_do_not() {
    let deep = "[".repeat(200_000);
    assert!(refused(&format!("cores = {deep}")).starts_with("shop.toml:1:"));
    assert!(refused(&format!("a = {}", "{a=".repeat(200_000))).starts_with("shop.toml:1:"));
    assert!(Sources::new().text("shop.toml", format!("{}x = 1", "a.".repeat(100_000))).load().is_err());
    // Many problems are cut off, and do not take for ever.
    let many: String = (0..100_000).map(|n| format!("k{n} = 1\n")).collect();
    let error = Sources::new().text("shop.toml", many).load().unwrap_err();
    assert_eq!(error.problems().len(), 100);
    let long = refused(&format!("{} = \"{}\"", "k".repeat(100_000), "v".repeat(100_000)));
    assert!(long.len() < 200, "{long}");
}

/// Texts that are nearly configuration: pieces of it, put together at random.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(
            &[
                "name",
                "shards",
                "cores",
                "lane_bytes",
                "kernel",
                "kernel.shares",
                "urgent",
                "deploy",
                "\"/user/a\"",
                "\"/user/*\"",
                "shard",
                "=",
                "[",
                "]",
                "[[",
                "{",
                "}",
                ",",
                ".",
                "\n",
                "\"",
                "'",
                "#",
                "1",
                "-1",
                "0x",
                "1e9",
                "\"auto\"",
                "\"64 KiB\"",
                "\"0-3\"",
                "true",
                "nan",
                "1979-05-27",
                "\u{0}",
                "\r",
                "ä",
                " ",
            ][..]
        )
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![any::<String>(), nearly()], value in any::<String>(), key: prop::sample::Index) {
        let keys: Vec<_> = Config::default().settings().map(|setting| setting.key).collect();
        let key = key.get(&keys).replace('.', "_").to_uppercase();
        let sources = Sources::new().text("shop.toml", text).variables([(format!("CORELANE_{key}"), value)]);
        match sources.load() {
            // What is taken can be given again.
            Ok(config) => prop_assert!(Sources::new().text("again.toml", config.to_string()).load().is_ok()),
            Err(error) => {
                prop_assert!(!error.problems().is_empty());
                prop_assert_eq!(error.to_string().lines().count(), error.problems().len());
            }
        }
    }

    #[test]
    fn no_bytes_in_a_file_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let file = Scratch::with(&bytes);
        if let Err(error) = Builder::from_file(&file.0) {
            prop_assert!(!error.problems().is_empty());
        }
    }
}
