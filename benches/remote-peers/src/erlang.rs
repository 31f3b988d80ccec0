//! Erlang/OTP's distribution: two nodes, each with one scheduler on its core; the balls are binaries.
//!
//! No daemon that maps names to ports is started: the node that serves listens at a port of its own, and the other is told which.
//! The module is compiled, so that it runs as native code and not in an interpreter. The schedulers wait as they do by
//! themselves: to spin longer, or not at all, was no faster.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pin;
use crate::system::{Places, RunError, System, rounds};

const MODULE: &str = include_str!("rally.erl");

/// The system `erlang`.
pub(crate) struct Erlang;

impl System for Erlang {
    fn name(&self) -> &'static str {
        "erlang"
    }

    fn missing(&self) -> Option<String> {
        static FOUND: OnceLock<bool> = OnceLock::new();
        let found = FOUND.get_or_init(|| {
            let version =
                Command::new("erl").args(["-noshell", "-eval", "halt()."]).stdin(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        });
        (!found).then(|| "there is no erl (Debian: apt-get install erlang-base)".to_owned())
    }

    fn round_trip(&self, places: Places, window: u64, quick: bool) -> Result<f64, RunError> {
        play(places, window, rounds(window, quick))
    }
}

/// A folder with the compiled module, removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, RunError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("remote-peers-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| RunError::Os("cannot make a folder", error))?;
        let folder = Self(path);
        fs::write(folder.0.join("rally.erl"), MODULE).map_err(|error| RunError::Os("cannot write", error))?;
        let compiled = Command::new("erlc").arg("rally.erl").current_dir(&folder.0).output();
        let compiled = compiled.map_err(|error| RunError::Os("cannot start erlc", error))?;
        if !compiled.status.success() {
            let said = String::from_utf8_lossy(&compiled.stdout).trim().to_owned();
            return Err(RunError::Refused("erlc", said));
        }
        Ok(folder)
    }

    /// A node, which inherits the calling thread's core.
    fn node(&self, name: &str, port: u16, run: &str) -> Command {
        let mut command = Command::new("erl");
        command.current_dir(&self.0).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.args(["-noshell", "-sname", name, "-setcookie", "rally"]);
        command.args(["-start_epmd", "false", "-erl_epmd_port", &port.to_string()]);
        // One scheduler each way, on the one core that it may use.
        command.args(["+S", "1:1", "-eval", run]);
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Nanoseconds for a round trip.
fn play(places: Places, window: u64, rounds: u64) -> Result<f64, RunError> {
    let folder = Folder::new()?;
    let failed = |what| move |error| RunError::Os(what, error);
    // Free a moment ago.
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = free.map_err(failed("no free port"))?.port();
    let (far, near) = (format!("far{port}@localhost"), format!("near{port}@localhost"));
    pin(places.far)?;
    let mut serve = folder.node(&far, port, "rally:serve().");
    // It reads its standard input, whose end is its own.
    let mut server = serve.stdin(Stdio::piped()).spawn().map_err(failed("cannot start erl"))?;
    let result = (|| {
        let mut line = String::new();
        let out = server.stdout.take().ok_or(RunError::Panicked)?;
        BufReader::new(out).read_line(&mut line).map_err(failed("cannot hear the node"))?;
        if line.trim() != "ready" {
            return Err(RunError::Refused("the node does not serve", line));
        }
        pin(places.near)?;
        let run = format!("rally:play('{far}', {window}, {rounds}).");
        let mut player = folder.node(&near, port, &run);
        let played = player.args(["-dist_listen", "false"]).stdin(Stdio::null()).output();
        let played = played.map_err(failed("cannot start erl"))?;
        let nanos = String::from_utf8_lossy(&played.stdout).trim().parse::<u64>();
        match nanos {
            Ok(nanos) if played.status.success() => Ok(nanos as f64 / rounds as f64),
            _ => {
                let said = String::from_utf8_lossy(&played.stderr).trim().to_owned();
                Err(RunError::Refused("the player", said))
            }
        }
    })();
    drop(server.stdin.take());
    if result.is_err() {
        let _ = server.kill();
    }
    let mut said = String::new();
    if let Some(stderr) = &mut server.stderr {
        let _ = stderr.read_to_string(&mut said);
    }
    server.wait().map_err(failed("cannot wait for erl"))?;
    result.map_err(|error| match error {
        RunError::Refused(what, more) => RunError::Refused(what, format!("{more} {}", said.trim())),
        other => other,
    })
}
