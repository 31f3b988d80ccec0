//! The `corelane` command: measures this machine, shows how shards would be placed on it and how a system would be
//! configured, and runs simulations.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An actor runtime at the speed of the core.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure messages, hops, actors and memory on this machine, beside the raw loops that bound them.
    Bench(command::bench::Args),
    /// Run random systems in simulations where everything goes wrong, and check that every rule holds.
    Sim(command::sim::SimArgs),
    /// Show every setting of a system as files and variables set it, and where each value comes from.
    Config(command::config::ConfigArgs),
    /// Show cores, caches and nodes, and the pinning that would be chosen.
    Topology(command::topology::TopologyArgs),
}

fn main() -> ExitCode {
    if let Some(code) = corelane::workloads::peer() {
        return code;
    }
    match Cli::parse().command {
        Command::Bench(args) => command::bench::run(&args),
        Command::Sim(args) => command::sim::run(&args),
        Command::Config(args) => command::config::run(&args),
        Command::Topology(args) => command::topology::run(&args),
    }
}
