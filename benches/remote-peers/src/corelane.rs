//! Corelane: its own workloads, of which `corelane bench` says more, in the two ways in which hosts of one machine may speak.

use corelane::workloads::{Plan, Scale, WORKLOADS};

use crate::system::{Places, RunError, System};

/// The system `corelane`, in one of its ways.
pub(crate) struct Corelane {
    name: &'static str,
    /// The workloads with one ball under way and with a thousand.
    workloads: [&'static str; 2],
}

/// As hosts of one machine speak unless they are told not to: through memory that both processes share.
pub(crate) const CORELANE: Corelane =
    Corelane { name: "corelane", workloads: ["remote.memory.pingpong", "remote.memory.pipelined"] };

/// As hosts of different machines do.
pub(crate) const OVER_TCP: Corelane =
    Corelane { name: "corelane, tcp", workloads: ["remote.pingpong", "remote.pipelined"] };

impl System for Corelane {
    fn name(&self) -> &'static str {
        self.name
    }

    fn missing(&self) -> Option<String> {
        let is_there = |name| WORKLOADS.iter().any(|workload| workload.name == name);
        (!self.workloads.into_iter().all(is_there)).then(|| "processes share no memory here".to_owned())
    }

    fn round_trip(&self, places: Places, window: u64, quick: bool) -> Result<f64, RunError> {
        let [one, many] = self.workloads;
        let name = if window == 1 { one } else { many };
        let workload = WORKLOADS.iter().find(|workload| workload.name == name);
        let workload = workload.ok_or(RunError::Panicked)?;
        let scale = if quick { Scale::Quick } else { Scale::Full };
        let plan =
            Plan::new(scale, vec![places.near.id, places.far.id]).map_err(RunError::refused("plan"))?;
        Ok((workload.run)(&plan).map_err(RunError::refused("run"))?.each())
    }
}
