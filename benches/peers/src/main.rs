//! Corelane beside its peers: actix, kameo, ractor and plain tokio, in the same workloads with the same
//! counts, interleaved in one run. Every figure is a cost, so smaller is better.
//!
//! Reading order: `system` (what a system must offer), `workload` (what is measured), `harness` (how it is run), then
//! one file for each system. To add a system, write its file, declare it below and name it in [`SYSTEMS`].

mod actix;
mod corelane;
mod harness;
mod kameo;
mod place;
mod ractor;
mod report;
mod resident;
mod runtime;
mod system;
mod tally;
mod tokio_mpsc;
mod workload;

use std::io::{IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{CommandFactory, Parser, error::ErrorKind};

use crate::harness::{Plan, within_limit};
use crate::resident::CHILD_ARGUMENT;
use crate::system::System;
use crate::workload::{WORKLOADS, Workload, idle_bytes};

/// Every system, in the order of the table.
const SYSTEMS: &[&dyn System] =
    &[&corelane::Corelane, &tokio_mpsc::Tokio, &actix::Actix, &kameo::Kameo, &ractor::Ractor];

/// Measures actor systems side by side. Every figure is a cost: nanoseconds per message, round trip or actor, or bytes
/// per idle actor.
#[derive(Parser)]
#[command(name = "peers", version)]
struct Options {
    /// Print one JSON array instead of the table.
    #[arg(long)]
    json: bool,
    /// Fewer messages and actors; the figures are rougher.
    #[arg(long)]
    quick: bool,
    /// Runs of each workload on each system.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// Run only these workloads, or only these systems, or only these workloads on these systems.
    #[arg(long, num_args = 1.., value_name = "NAME", value_parser = PossibleValuesParser::new(names()))]
    only: Vec<String>,
    /// Print the bytes per idle actor of a system, measured in this process.
    #[arg(long, hide = true, num_args = 2, value_names = ["SYSTEM", "ACTORS"])]
    resident_child: Option<Vec<String>>,
}

fn names() -> Vec<&'static str> {
    WORKLOADS.iter().map(|workload| workload.name).chain(SYSTEMS.iter().map(|system| system.name())).collect()
}

fn main() -> ExitCode {
    let options = Options::parse();
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(arguments) = &options.resident_child {
        return resident_child(arguments, &cores);
    }
    let plan = plan(&options, cores);
    let on_terminal = stderr().is_terminal();
    let result = harness::run(&plan, |run, workload, system| {
        if on_terminal {
            eprint!("\r\x1b[Krun {} of {}: {workload} {system}", run + 1, plan.runs);
            let _ = stderr().flush();
        }
    });
    if on_terminal {
        eprint!("\r\x1b[K");
    }
    let text = match result {
        Ok(rows) if options.json => report::json(&rows),
        Ok(rows) => report::table(&rows),
        Err(failure) => {
            eprintln!("error: {} on {}: {}", failure.workload, failure.system, failure.error);
            return ExitCode::FAILURE;
        }
    };
    match stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write the figures: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the options ask for; exits with a message if this machine cannot do it.
fn plan(options: &Options, cores: Vec<core_affinity::CoreId>) -> Plan {
    let named = |name: &str| options.only.iter().any(|only| only == name);
    let any_system = !SYSTEMS.iter().any(|system| named(system.name()));
    let any_workload = !WORKLOADS.iter().any(|workload| named(workload.name));
    let systems = SYSTEMS.iter().copied().filter(|system| any_system || named(system.name())).collect();
    let workloads: Vec<&Workload> =
        WORKLOADS.iter().filter(|workload| any_workload || named(workload.name)).collect();
    if let Some(workload) = workloads.iter().find(|workload| workload.cores() > cores.len()) {
        let message = format!(
            "{} needs {} cores and this process may use {}; choose workloads with --only",
            workload.name,
            workload.cores(),
            cores.len()
        );
        Options::command().error(ErrorKind::ValueValidation, message).exit();
    }
    Plan { systems, workloads, cores, runs: options.runs.into(), quick: options.quick }
}

fn resident_child(arguments: &[String], cores: &[core_affinity::CoreId]) -> ExitCode {
    let system = SYSTEMS.iter().copied().find(|system| system.name() == arguments[0]);
    let (Some(system), Ok(actors), Some(&core)) = (system, arguments[1].parse(), cores.first()) else {
        eprintln!("error: {CHILD_ARGUMENT} takes the name of a system and a number of actors");
        return ExitCode::from(2);
    };
    match within_limit(move || idle_bytes(system, core, actors)) {
        Ok(bytes) => println!("{bytes}"),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
