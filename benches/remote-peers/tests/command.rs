//! The program, run as a user runs it: each system plays every ball back between two processes, or says why it is left out.

use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn every_system_gives_its_figures() {
    let output = Command::new(env!("CARGO_BIN_EXE_remote-peers"))
        .args(["--quick", "--runs", "1", "--json"])
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    if complaints.starts_with("error: two cores are needed") {
        println!("SKIPPED: {complaints}");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{complaints}");
    let array: Vec<Value> = serde_json::from_slice(&output.stdout).expect("one JSON array");
    for system in ["corelane", "erlang", "ractor_cluster"] {
        let rows: Vec<_> = array.iter().filter(|row| row["system"] == system).collect();
        if rows.is_empty() {
            assert_eq!(system, "erlang", "{complaints}");
            assert!(complaints.contains("left out: erlang: there is no erl"), "{complaints}");
            println!("SKIPPED: {complaints}");
            continue;
        }
        assert_eq!(rows.iter().map(|row| &row["name"]).collect::<Vec<_>>(), ["pingpong", "pipelined"]);
        assert!(
            rows.iter().all(|row| row["median"].as_f64().is_some_and(|median| median > 0.0)),
            "{array:?}"
        );
    }
}
