//! The system that a workload runs on, and the way its figure comes back.
//!
//! A stage is a system with one pinned shard for each core it is given. Actors are spawned on it from outside,
//! the first message is told, and the actor that sees the end reports. Ending a stage is part of the check: it
//! must stop in order, leave no actor behind, and have made no dead letter on the way.

use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef};
use corelane_shard::{Builder, Gateway, Idle, On, System};

use super::WorkloadError;
use super::error::check;

/// The longest that a run may take. Every workload ends in a fraction of it on any machine that can run it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an actor that saw the end of a workload has to tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    /// The time that the workload took.
    pub(super) elapsed: Duration,
    /// What it counted, to be compared with what its parameters dictate.
    pub(super) found: u64,
}

/// An actor's way to report.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    to: mpsc::Sender<Report>,
}

impl Reporter {
    /// Reports. Nothing happens if the stage is gone.
    pub(super) fn report(&self, elapsed: Duration, found: u64) {
        let _ = self.to.send(Report { elapsed, found });
    }
}

/// An address that is set after the actor that needs it was spawned.
#[derive(Debug)]
pub(super) struct Later<M> {
    address: Arc<OnceLock<ActorRef<M>>>,
}

impl<M> Clone for Later<M> {
    fn clone(&self) -> Self {
        Self { address: Arc::clone(&self.address) }
    }
}

impl<M> Default for Later<M> {
    fn default() -> Self {
        Self { address: Arc::default() }
    }
}

impl<M> Later<M> {
    /// Sets the address. The first one stays.
    pub(super) fn set(&self, address: ActorRef<M>) {
        self.address.get_or_init(|| address);
    }

    /// The address, or nobody's as long as none is set.
    #[inline]
    pub(super) fn get(&self) -> ActorRef<M> {
        self.address.get().copied().unwrap_or(ActorRef::nobody())
    }
}

/// A running system and the reports of its actors.
pub(super) struct Stage {
    system: System,
    gateway: Gateway,
    reporter: Reporter,
    reports: mpsc::Receiver<Report>,
}

impl Stage {
    /// A stage with a shard on each of `cores`, which never park.
    pub(super) fn on(cores: &[usize]) -> Result<Self, WorkloadError> {
        Self::start(cores, Idle::Latency)
    }

    /// A stage with a shard on each of `cores`, which park as soon as nothing is to do.
    pub(super) fn drowsy(cores: &[usize]) -> Result<Self, WorkloadError> {
        Self::start(cores, Idle::Frugal)
    }

    fn start(cores: &[usize], idle: Idle) -> Result<Self, WorkloadError> {
        Self::with(System::builder().name("bench").cores(cores).idle(idle).shutdown_within(PATIENCE))
    }

    /// A stage of a builder's system.
    pub(super) fn with(builder: Builder) -> Result<Self, WorkloadError> {
        let system = builder.start().map_err(WorkloadError::runtime("the system could not be started"))?;
        let gateway = system.gateway().map_err(WorkloadError::runtime("no gateway could be opened"))?;
        let (to, reports) = mpsc::channel();
        Ok(Self { system, gateway, reporter: Reporter { to }, reports })
    }

    /// The system.
    pub(super) fn system(&self) -> &System {
        &self.system
    }

    /// The system's gateway for this thread.
    pub(super) fn gateway(&mut self) -> &mut Gateway {
        &mut self.gateway
    }

    /// Spawns an actor on the shard of the core with this position.
    pub(super) fn spawn<A: Actor>(
        &self,
        shard: usize,
        factory: impl FnMut() -> A + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, WorkloadError> {
        let spawned = self.system.spawn_on(On::Shard(shard), factory);
        spawned.map_err(WorkloadError::runtime("an actor could not be spawned"))
    }

    /// Tells an actor from outside.
    pub(super) fn tell<M: Send + 'static>(
        &mut self,
        to: ActorRef<M>,
        message: M,
    ) -> Result<(), WorkloadError> {
        let told = self.gateway.try_tell(to, message).map_err(|refused| refused.to_string());
        told.map_err(WorkloadError::runtime("an actor could not be told"))
    }

    /// A way for an actor to report.
    pub(super) fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// The next report.
    pub(super) fn wait(&self) -> Result<Report, WorkloadError> {
        self.reports.recv_timeout(PATIENCE).map_err(|_| {
            let dead_letters = self.system.stats().iter().map(|shard| shard.dead_letters).sum();
            WorkloadError::NoReport { waited: PATIENCE, dead_letters }
        })
    }

    /// The next report, after which the stage ends in order.
    pub(super) fn finish(self) -> Result<Report, WorkloadError> {
        let report = self.wait()?;
        self.end()?;
        Ok(report)
    }

    /// Ends the stage in order.
    pub(super) fn end(self) -> Result<(), WorkloadError> {
        self.end_with_letters(0)
    }

    /// Ends the stage in order, after so many dead letters.
    pub(super) fn end_with_letters(self, letters: u64) -> Result<(), WorkloadError> {
        let Self { system, gateway, .. } = self;
        let undelivered = system.gateway_dead_letters();
        drop(gateway);
        let report = system.shutdown(PATIENCE);
        if !report.is_clean() {
            return Err(WorkloadError::Unclean { report: report.to_string() });
        }
        check("the dead letters", letters, undelivered + report.dead_letters())
    }
}

#[cfg(test)]
mod tests {
    use corelane_kernel::{Ctx, Outcome};
    use corelane_shard::topology::Topology;

    use super::*;

    /// Tells the number on, and reports it.
    struct Relay {
        to: ActorRef<u64>,
        reporter: Reporter,
    }

    impl Actor for Relay {
        type Msg = u64;

        fn receive(&mut self, number: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.tell(self.to, number);
            self.reporter.report(Duration::from_nanos(number), number);
            Ok(())
        }
    }

    /// A stage with a relay to nobody, and the relay.
    fn relay() -> (Stage, ActorRef<u64>) {
        let stage = Stage::drowsy(&Topology::read().allowed[..1]).expect("a stage on one core");
        let reporter = stage.reporter();
        let relay = stage.spawn(0, move || Relay { to: ActorRef::nobody(), reporter: reporter.clone() });
        (stage, relay.expect("there is room for an actor"))
    }

    #[test]
    fn a_report_comes_back_and_a_quiet_stage_ends_clean() {
        let (stage, _) = relay();
        stage.reporter().report(Duration::from_nanos(5), 7);
        let report = stage.finish().expect("nothing was lost");
        assert_eq!((report.elapsed, report.found), (Duration::from_nanos(5), 7));
    }

    #[test]
    fn a_dead_letter_spoils_the_run() {
        let (mut stage, relay) = relay();
        stage.tell(relay, 3).expect("the way is free");
        assert!(matches!(stage.finish(), Err(WorkloadError::WrongResult { expected: 0, found: 1, .. })));
    }

    #[test]
    fn an_address_set_later_is_nobody_until_then() {
        let (stage, relay) = relay();
        let later = Later::default();
        let copy = later.clone();
        assert_eq!(copy.get(), ActorRef::nobody());
        later.set(relay);
        assert_eq!(copy.get(), relay);
        stage.end().expect("nothing was lost");
    }
}
