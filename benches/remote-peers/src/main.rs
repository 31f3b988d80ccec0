//! Messages between two processes on one machine: Corelane beside Erlang/OTP's distribution and ractor_cluster, interleaved in
//! one run. Every figure is nanoseconds for a round trip of 64 bytes, so smaller is better.
//!
//! Reading order: `system` (what a system must offer), `report` (what is made of the figures), then one file for each system.

mod corelane;
mod erlang;
mod ractor;
mod report;
mod system;

use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use clap::Parser;
use core_affinity::CoreId;

use crate::report::Row;
use crate::system::{Places, RunError, System};

/// Every system, in the order of the table. Corelane is first: the others are compared with it.
const SYSTEMS: &[&dyn System] =
    &[&corelane::CORELANE, &corelane::OVER_TCP, &erlang::Erlang, &ractor::RactorCluster];

/// How many round trips are under way, under which name.
const WINDOWS: &[(&str, u64)] = &[("pingpong", 1), ("pipelined", 1_000)];

/// Far more than the slowest run takes.
const RUN_LIMIT: Duration = Duration::from_secs(120);

/// Measures round trips between two processes. Every figure is nanoseconds for one.
#[derive(Parser)]
#[command(name = "remote-peers", version)]
struct Options {
    /// Print one JSON array instead of the table.
    #[arg(long)]
    json: bool,
    /// Fewer round trips; the figures are rougher.
    #[arg(long)]
    quick: bool,
    /// Runs of each workload on each system.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
}

fn main() -> ExitCode {
    // The other process of each system is this program, or Erlang's.
    if let Some(code) = ::corelane::workloads::peer() {
        return code;
    }
    if let Some(code) = ractor::peer() {
        return code;
    }
    let options = Options::parse();
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let [near, far, ..] = cores[..] else {
        eprintln!("error: two cores are needed, and this process may use {}", cores.len());
        return ExitCode::from(2);
    };
    let places = Places { near, far };
    let systems: Vec<&'static dyn System> = SYSTEMS.iter().copied().filter(is_there).collect();
    match run(&systems, places, options.runs.into(), options.quick) {
        Ok(rows) if options.json => println!("{}", report::json(&rows)),
        Ok(rows) => print!("{}", report::table(&rows)),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Whether a system can be measured here; says if not.
fn is_there(system: &&'static dyn System) -> bool {
    let missing = system.missing();
    if let Some(missing) = &missing {
        eprintln!("left out: {}: {missing}", system.name());
    }
    missing.is_none()
}

/// Run 1 of everything, then run 2; another system goes first each time.
fn run(
    systems: &[&'static dyn System],
    places: Places,
    runs: usize,
    quick: bool,
) -> Result<Vec<Row>, String> {
    let mut figures = vec![vec![Vec::with_capacity(runs); systems.len()]; WINDOWS.len()];
    for run in 0..runs {
        for (&(name, window), figures) in WINDOWS.iter().zip(&mut figures) {
            for turn in 0..systems.len() {
                let at = (run + turn) % systems.len();
                let system = systems[at];
                let figure = within_limit(move || system.round_trip(places, window, quick))
                    .map_err(|error| format!("{name} on {}: {error}", system.name()))?;
                figures[at].push(figure);
            }
        }
    }
    let rows = WINDOWS.iter().zip(figures).flat_map(|(&(name, _), figures)| {
        let of_systems = systems.iter().zip(figures);
        of_systems.filter_map(move |(system, figures)| Row::of(name, system.name(), figures))
    });
    Ok(rows.collect())
}

/// Runs `job` on a thread of its own. One that goes on past the limit is left behind; the program is about to end.
fn within_limit<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    let (answer, answered) = channel();
    let thread = thread::spawn(move || drop(answer.send(job())));
    match answered.recv_timeout(RUN_LIMIT) {
        Ok(result) => {
            thread.join().map_err(|_| RunError::Panicked)?;
            result
        }
        Err(RecvTimeoutError::Disconnected) => Err(RunError::Panicked),
        Err(RecvTimeoutError::Timeout) => Err(RunError::Stalled(RUN_LIMIT)),
    }
}

/// Pins the calling thread, and what it starts from then on.
fn pin(core: CoreId) -> Result<(), RunError> {
    if core_affinity::set_for_current(core) { Ok(()) } else { Err(RunError::Pin(core.id)) }
}
