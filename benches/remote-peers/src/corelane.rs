//! Corelane: its own workloads `remote.pingpong` and `remote.pipelined`, of which `corelane bench` says more.

use corelane::workloads::{Plan, Scale, WORKLOADS};

use crate::system::{Places, RunError, System};

/// The system `corelane`.
pub(crate) struct Corelane;

impl System for Corelane {
    fn name(&self) -> &'static str {
        "corelane"
    }

    fn round_trip(&self, places: Places, window: u64, quick: bool) -> Result<f64, RunError> {
        let name = if window == 1 { "remote.pingpong" } else { "remote.pipelined" };
        let workload = WORKLOADS.iter().find(|workload| workload.name == name);
        let workload = workload.ok_or(RunError::Panicked)?;
        let scale = if quick { Scale::Quick } else { Scale::Full };
        let plan =
            Plan::new(scale, vec![places.near.id, places.far.id]).map_err(RunError::refused("plan"))?;
        Ok((workload.run)(&plan).map_err(RunError::refused("run"))?.each())
    }
}
