//! The workloads: their names, sizes, units, and the check value that each must give.
//!
//! A size is a constant of the workload, the same for every system of a run.

use core_affinity::CoreId;

use crate::place::Place;
use crate::resident;
use crate::system::{RunError, System};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tell,
    FanIn,
    PingPong,
    Ask,
    Spawn,
    Bytes,
}

/// Senders of the fan-in workload.
const FAN_IN: u64 = 8;

/// One workload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    /// The name in the table, in the JSON and for `--only`.
    pub name: &'static str,
    kind: Kind,
    cores: usize,
    /// Messages, round trips or actors.
    full: u64,
    /// The same with `--quick`.
    quick: u64,
}

const fn workload(name: &'static str, kind: Kind, cores: usize, full: u64, quick: u64) -> Workload {
    Workload { name, kind, cores, full, quick }
}

/// Every workload, in the order of the table.
pub(crate) const WORKLOADS: &[Workload] = &[
    workload("tell.1core", Kind::Tell, 1, 2_000_000, 400_000),
    workload("tell.2core", Kind::Tell, 2, 2_000_000, 400_000),
    workload("pingpong.1core", Kind::PingPong, 1, 200_000, 50_000),
    workload("pingpong.2core", Kind::PingPong, 2, 200_000, 50_000),
    workload("spawn.1core", Kind::Spawn, 1, 100_000, 20_000),
    workload("fanin.2core", Kind::FanIn, 2, 2_000_000, 400_000),
    workload("ask.1core", Kind::Ask, 1, 200_000, 50_000),
    workload("ask.2core", Kind::Ask, 2, 200_000, 50_000),
    workload("bytes", Kind::Bytes, 1, 200_000, 50_000),
];

impl Workload {
    /// The unit of its figures.
    pub(crate) fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Tell | Kind::FanIn => "ns/message",
            Kind::PingPong | Kind::Ask => "ns/round-trip",
            Kind::Spawn => "ns/actor",
            Kind::Bytes => "bytes/actor",
        }
    }

    /// What happens once per figure, if the figure is a time.
    pub(crate) fn rate_of(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Tell | Kind::FanIn => Some("messages"),
            Kind::PingPong | Kind::Ask => Some("round trips"),
            Kind::Spawn => Some("actors"),
            Kind::Bytes => None,
        }
    }

    /// Cores that it needs.
    pub(crate) fn cores(&self) -> usize {
        self.cores
    }

    /// Messages, round trips or actors in a run.
    pub(crate) fn size(&self, quick: bool) -> u64 {
        if quick { self.quick } else { self.full }
    }

    /// Runs it once on `system`, and returns the checked figure.
    ///
    /// `cores` holds at least [`cores`](Self::cores) cores.
    pub(crate) fn run(&self, system: &dyn System, cores: &[CoreId], quick: bool) -> Result<f64, RunError> {
        self.run_size(system, cores, self.size(quick))
    }

    fn run_size(&self, system: &dyn System, cores: &[CoreId], size: u64) -> Result<f64, RunError> {
        let place = Place { near: cores[0], far: cores[self.cores - 1] };
        let ran = match self.kind {
            Kind::Tell => system.tell(place, 1, size)?,
            Kind::FanIn => system.tell(place, FAN_IN, size)?,
            Kind::PingPong => system.pingpong(place, size)?,
            Kind::Ask => system.ask(place, size)?,
            Kind::Spawn => system.spawn(place, size)?,
            Kind::Bytes => return resident::in_child(system.name(), size),
        };
        self.kind.verify(size, ran.check)?;
        Ok(ran.elapsed.as_nanos() as f64 / size as f64)
    }
}

/// Measures memory in this process, which should have done nothing else: bytes per idle actor.
pub(crate) fn idle_bytes(system: &dyn System, core: CoreId, actors: u64) -> Result<f64, RunError> {
    let idle = system.idle(Place::one(core), actors)?;
    Kind::Bytes.verify(actors, idle.check)?;
    Ok(idle.grown as f64 / actors as f64)
}

impl Kind {
    /// The check value of a run of this size in which every message was handled once.
    fn expected(self, size: u64) -> u64 {
        let sum_below = size * size.saturating_sub(1) / 2;
        match self {
            Self::Tell | Self::FanIn => sum_below,
            Self::PingPong => 2 * size,
            Self::Ask | Self::Spawn | Self::Bytes => sum_below + size,
        }
    }

    fn verify(self, size: u64, found: u64) -> Result<(), RunError> {
        let expected = self.expected(size);
        if found == expected { Ok(()) } else { Err(RunError::WrongCheck { expected, found }) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::SYSTEMS;
    use crate::harness::within_limit;
    use crate::system::{Idle, Ran};

    #[test]
    fn every_system_passes_every_workload() {
        let cores = core_affinity::get_core_ids().unwrap();
        // One after another: the tally is one for the process.
        for &system in SYSTEMS {
            for workload in WORKLOADS.iter().filter(|workload| workload.cores <= cores.len()) {
                let cores = cores.clone();
                let result = within_limit(move || match workload.kind {
                    Kind::Bytes => idle_bytes(system, cores[0], 1000),
                    _ => workload.run_size(system, &cores, 1000),
                });
                let figure = result.unwrap_or_else(|e| panic!("{} on {}: {e}", workload.name, system.name()));
                assert!(figure > 0.0, "{} on {}", workload.name, system.name());
            }
        }
    }

    /// Loses one message of every run.
    struct Leaky;

    impl System for Leaky {
        fn name(&self) -> &'static str {
            "leaky"
        }
        fn tell(&self, _: Place, _: u64, messages: u64) -> Result<Ran, RunError> {
            Ok(Ran { elapsed: Duration::from_secs(1), check: (0..messages - 1).sum() })
        }
        fn pingpong(&self, _: Place, round_trips: u64) -> Result<Ran, RunError> {
            Ok(Ran { elapsed: Duration::from_secs(1), check: round_trips * 2 - 1 })
        }
        fn ask(&self, _: Place, asks: u64) -> Result<Ran, RunError> {
            Ok(Ran { elapsed: Duration::from_secs(1), check: (0..asks).sum() })
        }
        fn spawn(&self, _: Place, actors: u64) -> Result<Ran, RunError> {
            Ok(Ran { elapsed: Duration::from_secs(1), check: (1..actors).sum() })
        }
        fn idle(&self, _: Place, actors: u64) -> Result<Idle, RunError> {
            Ok(Idle { grown: 1, check: (1..actors).sum() })
        }
    }

    #[test]
    fn a_wrong_count_is_never_a_figure() {
        let core = CoreId { id: 0 };
        for workload in WORKLOADS {
            let result = match workload.kind {
                Kind::Bytes => idle_bytes(&Leaky, core, 10),
                _ => workload.run_size(&Leaky, &[core, core], 10),
            };
            assert!(matches!(result, Err(RunError::WrongCheck { .. })), "{}: {result:?}", workload.name);
        }
    }
}
