//! What files say of spread pools, and what they may not.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use corelane_shard::{Sources, StartError};

use super::*;

/// A file that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Scratch {
        // Tests run in parallel, and some call their files alike.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("corelane-spread-{}-{number}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Scratch(path)
    }

    fn builder(&self) -> Builder {
        Sources::new().file(&self.0).load().unwrap().builder().shutdown_within(LONG)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const SYSTEM: &str = "shards = 3\npinned = false\nregion_bytes = \"16 MiB\"\n";

/// Conformance 21. One program, of which the code says nothing else each time.
#[test]
fn a_file_decides_how_a_pool_routes_how_many_routees_it_has_and_on_which_shards() {
    for (name, deployed, router, spread) in [
        ("none", "", RouterKind::RoundRobin, [1, 1, 1]),
        ("all", "router = \"smallest-load\"\nroutees = 7", RouterKind::SmallestLoad, [3, 2, 2]),
        ("word", "router = \"random\"\nroutees_on = \"spread\"", RouterKind::Random, [1, 1, 1]),
        ("own", "routees_on = \"own\"", RouterKind::RoundRobin, [3, 0, 0]),
        ("one", "routees = 2\nroutees_on = 2", RouterKind::RoundRobin, [0, 0, 2]),
        ("some", "routees = 8\nroutees_on = \"1-2\"", RouterKind::RoundRobin, [0, 4, 4]),
    ] {
        let file = Scratch::new(name, &format!("{SYSTEM}[deploy.\"/user/owner\"]\n{deployed}\n"));
        let mut stage = Stage::new(file.builder(), same);
        assert_eq!(stage.spread(), spread, "{name}");
        assert_eq!(stage.ask(|owner, _| owner.pool.strategy_mut().kind()), router, "{name}");
        let routees = spread.iter().sum::<usize>();
        let mut who = stage.share(100);
        who.sort_by_key(|who| format!("{who:?}"));
        who.dedup();
        assert!(who.len() <= routees && (router != RouterKind::RoundRobin || who.len() == routees));
        end(stage.system);
    }
}

/// Conformance 21.
#[test]
fn shards_that_do_not_run_are_refused_with_their_place() {
    for (name, value, words) in [
        ("one", "3", "there is no shard 3: 3 run, from 0"),
        ("some", "\"2-4\"", "there is no shard 4: 3 run, from 0"),
    ] {
        let text = format!("{SYSTEM}[deploy.\"/user/owner\"]\nroutees = 3\nroutees_on = {value}\n");
        let file = Scratch::new(name, &text);
        let error = file.builder().start().map(|_| ()).unwrap_err();
        assert!(matches!(error, StartError::Config(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(".toml:6: deploy \"/user/owner\": ") && text.contains(words), "{text}");
    }
}

/// Conformance 21.
#[test]
fn what_names_no_hosts_for_routees_is_refused_with_its_place() {
    for (value, words) in [
        ("[]", "a list of hosts, like [\"corelane://"),
        ("\"\"", "a list of hosts, like [\"corelane://"),
        ("3", "a list of hosts, like [\"corelane://"),
        ("[\"corelane://shop@local host:1\"]", "the host is a name or an address in numbers, and a port"),
        (
            "[\"corelane://s@[::1]:1\", \"corelane://s@localhost\"]",
            "the host is a name or an address in numbers",
        ),
        ("[\"corelane://s@till:1\", \"corelane://s@till:1\"]", "is listed twice"),
        ("[\"shop@127.0.0.1:1\"]", "\"shop@127.0.0.1:1\": it begins with corelane://"),
        ("[\"corelane://s@127.0.0.1:1\", \"corelane://s@127.0.0.1:1\"]", "is listed twice"),
    ] {
        let text = format!("[deploy.\"/user/owner\"]\nroutees_at = {value}\n");
        let error = Sources::new().text("shop.toml", text).load().unwrap_err().to_string();
        assert!(error.contains("shop.toml:2") && error.contains(words), "{value}: {error}");
    }
    // On the shards of other hosts nobody here decides.
    let hosts = "routees_at = [\"corelane://s@127.0.0.1:1\", \"corelane://s@[::1]:2\", \"corelane://s@till.internal:3\"]";
    let text = format!("{SYSTEM}[deploy.\"/user/owner\"]\nroutees_on = 1\n{hosts}\n");
    let config = Sources::new().text("shop.toml", text).load().unwrap();
    assert!(config.to_string().contains(hosts), "{config}");
    let error = config.builder().start().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("shop.toml:6: deploy \"/user/owner\": routees_at says"), "{error}");
}

/// Conformance 21.
#[test]
fn a_host_for_a_child_is_called_by_a_name_or_in_numbers_and_what_is_none_is_refused_with_its_place() {
    for value in ["corelane://shop@db.internal:9000", "corelane://shop@127.0.0.1:2552"] {
        let text = format!("{SYSTEM}[deploy.\"/user/owner/w\"]\nhost = {value:?}\n");
        let config = Sources::new().text("shop.toml", text).load().unwrap();
        assert!(config.to_string().contains(&format!("host = {value:?}")), "{config}");
        let system = config.builder().start().unwrap();
        let decided = system.deployment("/user/owner/w").unwrap();
        assert_eq!(decided.host.as_deref(), Some(value));
        end(system);
    }
    for (value, words) in [
        ("\"db.internal:9000\"", "begins with corelane://"),
        ("\"corelane://shop@db.internal\"", "the host is a name or an address in numbers, and a port"),
        ("\"corelane://shop@db internal:9000\"", "the host is a name or an address in numbers, and a port"),
        ("\"corelane://shop@db.internal:0\"", "the port is missing"),
        ("9000", "a host, like \"corelane://"),
    ] {
        let text = format!("[deploy.\"/user/owner/w\"]\nhost = {value}\n");
        let error = Sources::new().text("shop.toml", text).load().unwrap_err().to_string();
        assert!(error.contains("shop.toml:2") && error.contains("host"), "{value}: {error}");
        assert!(error.contains(words), "{value}: {error}");
    }
}

#[test]
fn what_names_no_shards_is_refused_with_what_may_stand_there() {
    for (value, words) in [
        ("\"spred\"", "did you mean \"spread\"?"),
        ("\"4-2\"", "4-2 runs backwards"),
        ("\"1-\"", "\"own\", \"spread\", or shards from 0 to"),
        ("\"-1\"", "\"own\", \"spread\", or shards from 0 to"),
        ("1024", "\"own\", \"spread\", or shards from 0 to 1023, like 2 or \"2-5\""),
        ("[1, 2]", "\"own\", \"spread\", or shards from 0 to"),
    ] {
        let text = format!("[deploy.\"/user/owner\"]\nroutees_on = {value}\n");
        let error = Sources::new().text("shop.toml", text).load().unwrap_err().to_string();
        assert!(error.contains("shop.toml:2") && error.contains(words), "{value}: {error}");
    }
    let text = "[deploy.\"/user/owner\"]\nroutees_on = \"0-2\"\n[deploy.\"/user/other\"]\nroutees_on = 4\n";
    let shown = Sources::new().text("shop.toml", text).load().unwrap().to_string();
    assert!(shown.contains("routees_on = \"0-2\"  #") && shown.contains("routees_on = 4  #"), "{shown}");
}
