//! `corelane bench`: every workload, several times, beside the raw loop that bounds it.
//!
//! The parts, in the order in which a run passes them: [`Args`] what was asked for; [`select`] which workloads
//! that means; [`runner`] measures them, the workload and its raw loop in turn; [`figures`] makes a median of
//! the runs; [`table`] prints for people under the [`conditions`], [`json`] for programs. A workload that must
//! start from a fresh process is run by [`child`].
//!
//! Standard output holds the results and nothing else; progress and complaints go to standard error. The exit
//! code is 0 if every figure asked for is there, 1 if a workload failed or counted wrong, 2 if the arguments
//! make no sense, and 130 after an interruption.

mod child;
mod conditions;
mod figures;
mod json;
mod runner;
mod select;
mod table;

use std::io::{self, Write};
use std::process::ExitCode;

use corelane::workloads::{Plan, Scale, WORKLOADS};
use corelane_shard::topology::{self, CoreList, Request, Topology};

use self::conditions::Conditions;
use self::figures::Row;
use self::runner::{Outcome, Runner};
use super::process;

/// Runs of each workload at full scale: odd, so that the median is one of them.
const RUNS_FULL: u32 = 5;
/// Runs of each workload with `--quick`.
const RUNS_QUICK: u32 = 3;

/// Measure every workload beside the raw loop that bounds it.
///
/// Every figure is a cost: nanoseconds for each message, round trip or actor, and bytes for each actor.
/// Smaller is better, and a ratio of 1.0 is the bound.
#[derive(Debug, clap::Args)]
#[command(after_long_help = select::listing())]
pub(crate) struct Args {
    /// Smaller counts and fewer runs: half a minute in all
    #[arg(long)]
    quick: bool,
    /// One JSON array on standard output instead of the table
    #[arg(long)]
    json: bool,
    /// Only the workloads with these names, or whose names begin so
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// The cores to use, in this order, such as 0,2 or 4-7 [default: the ones the topology suggests]
    #[arg(long, value_name = "LIST")]
    cores: Option<CoreList>,
    /// Runs of each workload [default: 5, or 3 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Measure one workload once in this process; how the command measures itself in a child process
    #[arg(long, hide = true, value_name = "NAME", conflicts_with_all = ["json", "only", "runs"])]
    measure: Option<String>,
}

impl Args {
    fn scale(&self) -> Scale {
        if self.quick { Scale::Quick } else { Scale::Full }
    }

    fn runs(&self) -> u32 {
        self.runs.unwrap_or(if self.quick { RUNS_QUICK } else { RUNS_FULL })
    }
}

/// Runs the command and says how it went; see the module for the exit codes.
pub(crate) fn run(args: &Args) -> ExitCode {
    let topology = Topology::read();
    let request = match &args.cores {
        Some(cores) => Request::auto().cores(cores.as_slice()),
        None => Request::auto(),
    };
    let placement = match topology::plan(&topology, &request) {
        Ok(placement) => placement,
        Err(error) => return process::refuse(error),
    };
    let plan = match Plan::new(args.scale(), placement.cores()) {
        Ok(plan) => plan,
        Err(error) => return process::refuse(error),
    };
    if let Some(name) = &args.measure {
        return child::serve(name, &plan);
    }
    let chosen = match select::select(WORKLOADS, &args.only) {
        Ok(chosen) => chosen,
        Err(error) => return process::refuse(error),
    };
    for warning in placement.warnings() {
        eprintln!("warning: {warning}");
    }

    let interrupted = process::interruption();
    let runner = Runner::new(&plan, args.runs(), chosen.len(), &interrupted);
    let mut stdout = io::stdout().lock();
    let written = if args.json {
        let mut rows = Vec::new();
        let outcome = runner.run(&chosen, |row| {
            rows.push(row);
            Ok(())
        });
        // Half an array would look like a whole one to the program that reads it.
        if matches!(outcome, Ok(Outcome::Complete)) {
            json::write(&mut stdout, &rows).map(|()| outcome)
        } else {
            Ok(outcome)
        }
    } else {
        let conditions = Conditions::of(&topology, &plan);
        table::head(&mut stdout, &conditions, chosen.len(), args.runs(), plan.scale())
            .map(|()| runner.run(&chosen, |row: Row| table::row(&mut stdout, &row)))
    };
    match written.and_then(|outcome| stdout.flush().map(|()| outcome)) {
        Ok(Ok(Outcome::Complete)) => ExitCode::SUCCESS,
        Ok(Ok(Outcome::Interrupted)) => {
            eprintln!("interrupted");
            ExitCode::from(process::INTERRUPTED)
        }
        Ok(Err(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: the results could not be written: {error}");
            ExitCode::FAILURE
        }
    }
}
