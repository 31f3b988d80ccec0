//! The `corelane` command, run as a user runs it: arguments, output for programs, exit codes, interruption.
#![cfg(feature = "cli")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use corelane::net::sim::random::RandomCluster;
use corelane::shard::sim::random::RandomWorld;
use corelane::workloads::WORKLOADS;
use serde_json::Value;

fn corelane(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What the command printed for programs; it must have succeeded.
fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("standard output is one JSON value")
}

#[test]
fn bad_arguments_end_with_code_2_and_say_what_is_wrong() {
    for (args, complaint) in [
        (&[][..], "Usage: corelane <COMMAND>"),
        (&["measure"], "'measure'"),
        (&["--json"], "'--json'"),
        (&["bench", "local.tell"], "'local.tell'"),
        (&["bench", "--only"], "--only <NAME>"),
        (&["bench", "--only", "lokal"], "`lokal`"),
        (&["bench", "--only", "local.tell", "lokal"], "`lokal`"),
        (&["bench", "--runs", "0"], "'0' for '--runs <N>': 0 is not in 1.."),
        (&["bench", "--runs", "some"], "'some' for '--runs <N>'"),
        (&["bench", "--cores", "0,x"], "character 3"),
        (&["bench", "--cores", "1000000"], "core"),
        (&["sim", "--seeds", "0"], "'0' for '--seeds <N>': 0 is not in 1.."),
        (&["sim", "--first", "-1"], "'-1'"),
        (&["sim", "--first", "18446744073709551615", "--seeds", "2"], "more than there are"),
        (&["config", "--file"], "--file <FILE>"),
        (&["config", "--file", "/nowhere/shop.toml"], "error: /nowhere/shop.toml: cannot be read: "),
        (&["config", "shop.toml"], "'shop.toml'"),
        (&["topology", "--cores", "2-1"], "2-1"),
        (&["topology", "--cores", "65000"], "no core 65000"),
        (&["topology", "--shards", "0"], "at least one shard"),
        (&["topology", "--shards", "two"], "'two' for '--shards <N>'"),
    ] {
        let output = corelane(args);
        let complaints = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {complaints}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
        assert!(complaints.contains(complaint), "{args:?}: {complaints}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for (args, part) in [
        (&["--help"][..], "topology"),
        (&["bench", "--help"], "local.random.10m"),
        (&["sim", "--help"], "--first"),
        (&["config", "--help"], "CORELANE_*"),
        (&["topology", "--help"], "--shards"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let output = corelane(args);
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{args:?}");
        assert!(text(&output.stdout).contains(part), "{args:?}");
    }
}

// --- topology ----------------------------------------------------------------------------------------------------

#[test]
fn topology_tells_the_cores_and_the_pinning_it_would_choose() {
    let machine = json(&corelane(["topology", "--json"]));
    let numbers = |list: &Value| -> Vec<u64> {
        list.as_array().expect("a list").iter().map(|number| number.as_u64().expect("a number")).collect()
    };
    let allowed = numbers(&machine["allowed"]);
    assert!(!allowed.is_empty());
    for key in ["online", "offline", "isolated", "cores", "physical_cores", "caches", "nodes", "notes"] {
        assert!(machine[key].is_array(), "{key} is {}", machine[key]);
    }
    let shards = machine["plan"]["shards"].as_array().expect("a list");
    assert!(!shards.is_empty());
    for (number, shard) in shards.iter().enumerate() {
        assert_eq!(shard["shard"], number);
        assert!(allowed.contains(&shard["core"].as_u64().expect("a number")), "{shard}");
        assert!(shard["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{shard}");
    }

    let last = allowed.last().expect("a core");
    let asked = json(&corelane(["topology", "--json", "--cores", &last.to_string()]));
    assert_eq!(asked["plan"]["shards"].as_array().map(Vec::len), Some(1));
    assert_eq!(asked["plan"]["shards"][0]["core"], *last);
}

#[test]
fn topology_prints_a_page_for_people() {
    let output = corelane(["topology", "--shards", "1"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let page = text(&output.stdout);
    for heading in ["Machine\n", "Physical cores\n", "Caches\n", "NUMA nodes\n", "Pinning: 1 shard\n"] {
        assert!(page.contains(heading), "{heading:?} is not in\n{page}");
    }
}

// --- sim ---------------------------------------------------------------------------------------------------------

#[test]
fn sim_runs_seeds_and_gives_the_same_trace_again() {
    let run = |first: &str| json(&corelane(["sim", "--seeds", "10", "--first", first, "--json"]));
    let result = run("5");
    assert_eq!([&result["seeds"], &result["first"], &result["failed"]], [10, 5, 0]);
    assert_eq!(result["broken"], Value::Null);
    assert!(result["messages"].as_u64().is_some_and(|messages| messages > 1000), "{result}");
    let faults = [
        "lane_delay",
        "spill",
        "stall",
        "clock_jump",
        "clock_back",
        "panic",
        "shutdown",
        "memory_refusal",
        "shard_loss",
    ];
    for fault in faults {
        assert!(result["faults"][fault].is_u64(), "{fault}: {result}");
    }
    let trace = result["trace"].as_str().expect("a hash");
    assert!(trace.len() == 16 && trace.bytes().all(|digit| digit.is_ascii_hexdigit()), "{trace}");
    assert_eq!(run("5"), result);
    assert_ne!(run("6")["trace"], result["trace"]);
}

/// Reliability 7: 200 seeds in two processes, in two orders, beside each other and with other threads about: hash maps have
/// other keys there, memory lies elsewhere, and systems other numbers. Each trace is the same.
#[test]
fn sim_gives_each_of_200_seeds_the_same_trace_in_another_process_and_order() {
    let traces = |firsts: Vec<u64>| -> Vec<(u64, String)> {
        let run = |first: u64| {
            let first = first.to_string();
            let result = json(&corelane(["sim", "--seeds", "20", "--first", &first, "--json"]));
            assert_eq!([&result["seeds"], &result["failed"]], [20, 0], "{result}");
            result["trace"].as_str().expect("a hash").to_owned()
        };
        firsts.into_iter().map(|first| (first, run(first))).collect()
    };
    let firsts = || (0..10).map(|nth| nth * 20);
    let (forward, mut backward) = std::thread::scope(|scope| {
        let forward = scope.spawn(|| traces(firsts().collect()));
        let backward = traces(firsts().rev().collect());
        (forward.join().expect("the seeds run"), backward)
    });
    backward.reverse();
    assert_eq!(forward, backward);
    // In one process, after other worlds and before others, each seed by itself.
    let here = |seed| RandomWorld::new(seed).run().expect("a world").trace.hash;
    let before: Vec<_> = (0..20).rev().map(here).collect();
    let mut after: Vec<_> = (0..20).map(here).collect();
    after.reverse();
    assert_eq!(before, after);
    let all = after.iter().rev().fold(0xcbf2_9ce4_8422_2325_u64, |all, hash| {
        (all ^ hash).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29)
    });
    assert_eq!(format!("{all:016x}"), forward[0].1);
}

#[test]
fn sim_stops_at_the_first_broken_rule_with_the_command_that_replays_it() {
    let output = corelane(["sim", "--seeds", "50", "--first", "4", "--faulty", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!([&result["seeds"], &result["failed"]], [1, 1]);
    assert_eq!(result["broken"]["seed"], 4);
    assert_eq!(result["broken"]["replay"], "corelane sim --first 4 --seeds 1 --faulty");
    let complaints = text(&output.stderr);
    let last: Vec<_> = complaints.lines().rev().take(3).collect();
    assert_eq!(last[0], "this makes it happen again: corelane sim --first 4 --seeds 1 --faulty");
    assert!(last[1].starts_with("error: seed 4: a message is handled or dropped once: "), "{complaints}");
    assert!(last[2].contains("Handled {"), "{complaints}");
}

/// Several hosts in a network, in another process and another order: hash maps have other keys there.
#[test]
fn sim_runs_clusters_and_gives_the_same_trace_again() {
    let run = |first: &str, seeds: &str| {
        json(&corelane(["sim", "--hosts", "--seeds", seeds, "--first", first, "--json"]))
    };
    let result = run("5", "8");
    assert_eq!([&result["seeds"], &result["first"], &result["failed"]], [8, 5, 0]);
    for count in ["told", "heard_from_afar", "answered", "notices", "found", "cuts", "crashes", "restarts"] {
        assert!(result["hosts"][count].as_u64().is_some_and(|count| count > 0), "{count}: {result}");
    }
    assert_eq!(run("5", "8"), result);
    assert_ne!(run("6", "8")["trace"], result["trace"]);
    // In one process, after others, each seed by itself.
    let here = |seed| RandomCluster::new(seed).run().expect("a world").trace.hash;
    let mut hashes: Vec<_> = (5..13).rev().map(here).collect();
    hashes.reverse();
    let all = hashes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |all, hash| {
        (all ^ hash).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29)
    });
    assert_eq!(format!("{all:016x}"), result["trace"].as_str().expect("a hash"));
}

#[test]
fn sim_stops_at_a_cluster_that_breaks_a_rule() {
    let output = corelane(["sim", "--hosts", "--seeds", "50", "--faulty", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(result["failed"], 1);
    let seed = &result["broken"]["seed"];
    let replay = format!("corelane sim --hosts --first {seed} --seeds 1 --faulty");
    assert_eq!(result["broken"]["replay"], replay.as_str());
    let complaints = text(&output.stderr);
    let last: Vec<_> = complaints.lines().rev().take(3).collect();
    assert_eq!(last[0], format!("this makes it happen again: {replay}"));
    assert!(last[1].starts_with(&format!("error: seed {seed}: messages of a pair")), "{complaints}");
    assert!(last[2].contains("Heard"), "{complaints}");
}

#[test]
fn sim_prints_a_summary_for_people() {
    let output = corelane(["sim", "--seeds", "3"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    assert!(text(&output.stdout).starts_with("3 seeds from 0 on: every rule held\n"));
}

// --- config ------------------------------------------------------------------------------------------------------

/// A file of text, removed with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn with(text: &str) -> Scratch {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("corelane-command-{}-{number}.toml", std::process::id()));
        std::fs::write(&path, text).expect("a written file");
        Scratch(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path that is text")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// With these variables and no others.
fn config(args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corelane"))
        .arg("config")
        .args(args)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the command starts")
}

#[test]
fn config_tells_every_value_and_where_it_comes_from() {
    let base = Scratch::with("name = \"base\"\nidle = \"latency\"\nlane_bytes = \"8 KiB\"\n");
    let host = Scratch::with("\nidle = \"frugal\"\n[deploy.\"/user/*\"]\ngroup = \"bulk\"\n");
    let args = ["--file", base.path(), "--file", host.path(), "--json"];
    let object = json(&config(&args, &[("CORELANE_LANE_BYTES", "16 KiB")]));
    let settings = &object["settings"];
    assert_eq!(settings["name"]["file"], base.path());
    assert_eq!(
        (&settings["idle"]["value"], &settings["idle"]["file"]),
        (&"frugal".into(), &host.path().into())
    );
    assert_eq!(settings["idle"]["line"], 2);
    assert_eq!(settings["lane_bytes"]["value"], 16 << 10);
    assert_eq!(settings["lane_bytes"]["variable"], "CORELANE_LANE_BYTES");
    assert_eq!(settings["kernel.budget"]["origin"], "default");
    assert_eq!(object["deploy"]["/user/*"]["group"]["value"], "bulk");
}

#[test]
fn what_config_prints_can_be_fed_back() {
    let file = Scratch::with("cores = [1, 0]\n[deploy.\"/user/orders\"]\nshard = \"spread\"\nmailbox = 5\n");
    let variables = [("CORELANE_KERNEL_SHARES_BULK", "8"), ("CORELANE_SHUTDOWN_WITHIN", "90 s")];
    let first = config(&["--file", file.path()], &variables);
    assert_eq!((first.status.code(), text(&first.stderr).as_str()), (Some(0), ""));
    let again = Scratch::with(&text(&first.stdout));
    let values = |mut object: Value| {
        for settings in ["/settings", "/deploy/~1user~1orders"] {
            let settings = object.pointer_mut(settings).and_then(Value::as_object_mut).expect("an object");
            for setting in settings.values_mut() {
                *setting = setting["value"].take();
            }
        }
        object
    };
    let wanted = values(json(&config(&["--json", "--file", file.path()], &variables)));
    assert_eq!(values(json(&config(&["--json", "--file", again.path()], &[]))), wanted);
    assert_eq!(wanted["settings"]["kernel.shares.bulk"], 8);
    assert_eq!(wanted["deploy"]["/user/orders"]["shard"], "spread");
}

#[test]
fn config_refuses_with_code_2_and_every_problem_on_a_line_of_its_own() {
    let file = Scratch::with("lane_byte = 1\n\nidle = \"lazy\"\n");
    let output = config(&["--file", file.path()], &[("CORELANE_SHARDS", "0"), ("CORELANE_SHARD", "1")]);
    let complaints = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{complaints}");
    let path = file.path();
    let wanted = [
        format!("error: {path}:1: lane_byte: unknown key; did you mean lane_bytes?"),
        format!("error: {path}:3: idle: found \"lazy\"; allowed: \"latency\", \"balanced\", \"frugal\""),
        "error: CORELANE_SHARD: unknown variable; did you mean CORELANE_SHARDS?".to_owned(),
        "error: CORELANE_SHARDS: found \"0\"; allowed: \"auto\", or a whole number from 1 to 1024".to_owned(),
    ];
    assert_eq!(complaints.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn config_without_anything_prints_the_defaults() {
    let output = config(&[], &[]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let page = text(&output.stdout);
    let values = page.lines().filter(|line| line.contains(" = "));
    assert!(
        values.clone().count() > 15 && values.clone().all(|line| line.ends_with("  # default")),
        "{page}"
    );
}

// --- bench -------------------------------------------------------------------------------------------------------

/// One element of the array has all its fields, of the right kind, and they fit together.
fn check_element(element: &Value) {
    let name = element["name"].as_str().expect("a name");
    let workload = WORKLOADS.iter().find(|workload| workload.name == name).expect("the name of a workload");
    let keys: Vec<_> = element.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut wanted = ["name", "unit", "median", "min", "max", "raw", "ratio"];
    wanted.sort_unstable();
    assert_eq!(
        {
            let mut keys = keys;
            keys.sort_unstable();
            keys
        },
        wanted
    );
    assert_eq!(element["unit"], workload.unit.as_str());

    let figure = |key: &str| element[key].as_f64().filter(|figure| *figure > 0.0);
    let [min, median, max] = ["min", "median", "max"].map(|key| figure(key).expect("a positive number"));
    assert!(min <= median && median <= max, "{element}");
    if workload.raw.is_none() {
        assert!(element["raw"].is_null() && element["ratio"].is_null(), "{element}");
        return;
    }
    let (raw, ratio) =
        (figure("raw").expect("a positive number"), figure("ratio").expect("a positive number"));
    // All three are rounded to a thousandth.
    let most = (median + 0.0006) / (raw - 0.0006) + 0.0006;
    let least = (median - 0.0006) / (raw + 0.0006) - 0.0006;
    assert!((least..=most).contains(&ratio), "{element}");
}

#[test]
fn bench_prints_one_array_for_programs() {
    let output = corelane(["bench", "--quick", "--only", "local.tell", "--json", "--runs", "2"]);
    let array = json(&output);
    let elements = array.as_array().expect("an array");
    assert_eq!(elements.len(), 1);
    assert_eq!(elements[0]["name"], "local.tell");
    check_element(&elements[0]);
}

#[test]
fn bench_prints_a_table_for_people() {
    let output = corelane(["bench", "--quick", "--only", "savina.count", "--runs", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    let row = table.lines().find(|line| line.starts_with("savina.count")).expect("a row");
    assert!(row.contains("ns/message") && row.contains("messages/s"), "{row}");
    assert!(table.lines().any(|line| line.starts_with("name") && line.ends_with("ratio")), "{table}");
}

/// The command starts itself once more, and both processes end in order.
#[test]
fn bench_measures_between_two_processes() {
    let output = corelane(["bench", "--quick", "--only", "remote.parked", "--json", "--runs", "1"]);
    let array = json(&output);
    let elements = array.as_array().expect("an array");
    if elements.is_empty() {
        let complaints = text(&output.stderr);
        assert!(complaints.starts_with("left out: remote.parked needs 2 cores"), "{complaints}");
        return;
    }
    assert_eq!(elements[0]["name"], "remote.parked");
    check_element(&elements[0]);
}

#[test]
fn a_second_process_that_cannot_serve_says_why() {
    let output = corelane(["remote-peer", "65000", "spins", "clear"]);
    let complaints = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""), "{complaints}");
    assert!(complaints.contains("no core 65000"), "{complaints}");
}

/// The first line of the table says that the handler is set; from then on an interrupt ends the run in progress, in
/// order and without half an array.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_in_order() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(["bench", "--quick", "--only", "local.tell", "--runs", "1000000"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdout = BufReader::new(bench.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a first line");
    assert!(line.starts_with("corelane "), "{line}");
    let sent = Command::new("kill").args(["-INT", &bench.id().to_string()]).status().expect("kill starts");
    assert!(sent.success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("text");
    let output = bench.wait_with_output().expect("the command ends");
    let complaints = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{complaints}");
    assert!(complaints.lines().any(|line| line.ends_with("interrupted")), "{complaints}");
    assert!(!rest.lines().any(|line| line.starts_with("local.tell")), "{rest}");
}

/// For whoever has run the whole suite with `--json` into a file, named in `CORELANE_BENCH_JSON`.
#[test]
#[ignore = "looks at a file that `corelane bench --json` has written; .ci/run writes one"]
fn a_file_holds_the_whole_suite() {
    let path = std::env::var_os("CORELANE_BENCH_JSON").expect("CORELANE_BENCH_JSON names a file");
    let file = std::fs::read(&path).expect("the file can be read");
    let array: Value = serde_json::from_slice(&file).expect("the file is one JSON value");
    let elements = array.as_array().expect("an array");
    elements.iter().for_each(check_element);
    let names: Vec<_> = elements.iter().map(|element| element["name"].as_str()).collect();
    // What needs two cores is left out where there is one.
    let allowed = json(&corelane(["topology", "--json"]))["plan"]["shards"].as_array().map_or(0, Vec::len);
    let wanted = WORKLOADS.iter().filter(|workload| allowed > 1 || workload.name.starts_with("local."));
    for workload in wanted {
        assert!(names.contains(&Some(workload.name)), "{} is missing", workload.name);
    }
}
