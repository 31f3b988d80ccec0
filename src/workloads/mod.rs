//! The workloads that the runtime is measured with, as functions.
//!
//! `corelane bench` runs them beside the raw loops that bound them, and the criterion suite runs the same
//! functions for its reports. Each starts what it needs, measures only the part that its name says, checks that
//! every message arrived and every sum is right, and gives a [`Cost`]; a wrong count is an error, never a figure.
//!
//! The way through: [`WORKLOADS`] is the list and `suite` its file; a [`Plan`] says how large and on which cores; a
//! `stage` is the system that the actors of a workload run on; `raw` holds the loops that the runtime is compared
//! with. The other modules hold the workloads, one subject each.
//!
//! Counts, not seconds, end a run, so the work is the same on every machine.

mod ask;
mod cost;
mod cross;
mod dice;
mod error;
mod fsm;
mod gateway;
mod memory;
mod pin;
mod plan;
mod quantile;
mod random;
mod raw;
mod remote;
mod restart;
mod ring;
mod route;
mod savina;
mod socket;
mod spawn;
mod spray;
mod stage;
mod stall;
mod storm;
mod suite;
mod tally;
mod tell;

pub use cost::{Cost, Unit};
pub use error::WorkloadError;
pub use plan::{Plan, Scale};
pub use remote::peer;
pub use suite::{Raw, Run, WORKLOADS, Workload};
