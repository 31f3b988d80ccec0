//! What is refused, with the place, what was found there and what is allowed.

use std::ffi::OsString;
use std::path::Path;

use corelane_shard::config::{Builder, ConfigProblem, Origin, Sources, Value};

use crate::rig::{Scratch, load, origin, refused, refused_variable, value};

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
