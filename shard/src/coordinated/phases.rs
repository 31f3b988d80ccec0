//! The phases of a coordinated shutdown: what they are told of themselves, and the order that follows from it.

use std::fmt;
use std::time::Duration;

/// Time of a phase unless told otherwise.
const WITHIN: Duration = Duration::from_secs(5);

/// One phase of a system's shutdown: when it comes, how long it may take, and whether what goes wrong in it matters.
///
/// ```
/// # use corelane_shard::{ShutdownPhase, System};
/// # use std::time::Duration;
/// // Between two that are there already, with more time than they have.
/// let drain = ShutdownPhase::new("drain-queues")
///     .after("service-stop")
///     .before("before-system-terminate")
///     .within(Duration::from_secs(8));
/// let system = System::builder().shards(1).pinned(false).shutdown_phase(drain).start()?;
/// let phases = system.coordinated_shutdown().phases();
/// assert_eq!(phases[3..], ["service-stop", "drain-queues", "before-system-terminate"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownPhase {
    pub(crate) name: String,
    pub(crate) after: Vec<String>,
    pub(crate) before: Vec<String>,
    pub(crate) within: Duration,
    pub(crate) recover: bool,
}

impl ShutdownPhase {
    /// The first phase: what must be told before the service can no longer be reached.
    pub const BEFORE_SERVICE_UNBIND: &'static str = "before-service-unbind";
    /// The service takes no new connections and requests.
    pub const SERVICE_UNBIND: &'static str = "service-unbind";
    /// Requests that were taken are answered.
    pub const SERVICE_REQUESTS_DONE: &'static str = "service-requests-done";
    /// What the service is made of stops.
    pub const SERVICE_STOP: &'static str = "service-stop";
    /// The last phase: what must be done while actors still live. Then the system's actors stop, and its shards end.
    pub const BEFORE_SYSTEM_TERMINATE: &'static str = "before-system-terminate";

    /// A phase of a name, with 5 s, which the shutdown recovers from, and which comes at any time.
    pub fn new(name: impl Into<String>) -> ShutdownPhase {
        ShutdownPhase {
            name: name.into(),
            after: Vec::new(),
            before: Vec::new(),
            within: WITHIN,
            recover: true,
        }
    }

    /// It begins when `phase` is over.
    #[must_use]
    pub fn after(mut self, phase: impl Into<String>) -> Self {
        self.after.push(phase.into());
        self
    }

    /// `phase` begins when this one is over.
    #[must_use]
    pub fn before(mut self, phase: impl Into<String>) -> Self {
        self.before.push(phase.into());
        self
    }

    /// How long its tasks may take, all together, by the clock of the thread that shuts the system down.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Whether the shutdown goes on with the next phase when a task failed or took too long. If not, the tasks of all
    /// later phases are skipped; the actors stop and the shards end all the same.
    #[must_use]
    pub fn recover(mut self, recover: bool) -> Self {
        self.recover = recover;
        self
    }
}

/// Why phases make no order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhaseError {
    /// Each of these comes after the one before it, and the first after the last.
    Cycle(Vec<String>),
    /// A phase comes before or after one that there is not.
    Unknown {
        /// The phase.
        phase: String,
        /// What it names.
        names: String,
    },
}

impl fmt::Display for PhaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PhaseError::Cycle(phases) => {
                let first = phases.first().map_or("", String::as_str);
                write!(f, "{} -> {first} is a cycle", phases.join(" -> "))
            }
            PhaseError::Unknown { phase, names } => {
                write!(f, "{phase:?} comes before or after {names:?}, which is no phase")
            }
        }
    }
}

impl std::error::Error for PhaseError {}

/// The phases that every system has.
fn usual() -> Vec<ShutdownPhase> {
    let names = [
        ShutdownPhase::BEFORE_SERVICE_UNBIND,
        ShutdownPhase::SERVICE_UNBIND,
        ShutdownPhase::SERVICE_REQUESTS_DONE,
        ShutdownPhase::SERVICE_STOP,
        ShutdownPhase::BEFORE_SYSTEM_TERMINATE,
    ];
    let mut phases: Vec<_> = names.map(ShutdownPhase::new).into();
    for at in 1..phases.len() {
        phases[at].after.push(names[at - 1].to_owned());
    }
    phases
}

/// The usual phases and those given, each after all that it comes after. One that is given twice, or is a usual one, has
/// the time and the recovery that were given last, and comes after and before all that it was ever told to. Where the
/// order is free, the usual come first, then the others as they were given.
pub(crate) fn order(given: &[ShutdownPhase]) -> Result<Vec<ShutdownPhase>, PhaseError> {
    let mut phases = usual();
    for phase in given {
        match phases.iter_mut().find(|known| known.name == phase.name) {
            Some(known) => {
                known.after.extend(phase.after.iter().cloned());
                known.before.extend(phase.before.iter().cloned());
                (known.within, known.recover) = (phase.within, phase.recover);
            }
            None => phases.push(phase.clone()),
        }
    }
    // For each phase, those that it comes after.
    let mut needs = vec![Vec::new(); phases.len()];
    for (at, phase) in phases.iter().enumerate() {
        let find = |names: &String| {
            phases
                .iter()
                .position(|known| known.name == *names)
                .ok_or_else(|| PhaseError::Unknown { phase: phase.name.clone(), names: names.clone() })
        };
        for name in &phase.after {
            needs[at].push(find(name)?);
        }
        for name in &phase.before {
            needs[find(name)?].push(at);
        }
    }
    let mut placed: Vec<usize> = Vec::with_capacity(phases.len());
    while placed.len() < phases.len() {
        let is_next =
            |at: &usize| !placed.contains(at) && needs[*at].iter().all(|need| placed.contains(need));
        match (0..phases.len()).find(is_next) {
            Some(next) => placed.push(next),
            None => return Err(PhaseError::Cycle(cycle(&phases, &needs, &placed))),
        }
    }
    Ok(placed.into_iter().map(|at| phases[at].clone()).collect())
}

/// A cycle among the phases that could not be placed: each of them needs another one.
fn cycle(phases: &[ShutdownPhase], needs: &[Vec<usize>], placed: &[usize]) -> Vec<String> {
    let open = |at: &usize| !placed.contains(at);
    let mut way: Vec<usize> = (0..phases.len()).find(open).into_iter().collect();
    while let Some(next) = way.last().and_then(|at| needs[*at].iter().copied().find(open)) {
        if let Some(start) = way.iter().position(|known| *known == next) {
            return way[start..].iter().map(|at| phases[*at].name.clone()).collect();
        }
        way.push(next);
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(phases: &[ShutdownPhase]) -> Vec<&str> {
        phases.iter().map(|phase| phase.name.as_str()).collect()
    }

    #[test]
    fn the_usual_phases_come_one_after_the_other() {
        let order = order(&[]).unwrap();
        let expected = [
            "before-service-unbind",
            "service-unbind",
            "service-requests-done",
            "service-stop",
            "before-system-terminate",
        ];
        assert_eq!(names(&order), expected);
        assert!(order.iter().all(|phase| phase.within == Duration::from_secs(5) && phase.recover));
    }

    #[test]
    fn a_usual_phase_can_be_changed_and_keeps_its_place() {
        let changed = ShutdownPhase::new("service-stop").within(Duration::from_secs(60)).recover(false);
        let order = order(&[changed]).unwrap();
        assert_eq!((order[3].name.as_str(), order.len()), ("service-stop", 5));
        assert_eq!((order[3].within, order[3].recover), (Duration::from_secs(60), false));
    }

    /// Conformance 35.
    #[test]
    fn cycles_are_refused_and_named() {
        let given = [
            ShutdownPhase::new("free"),
            ShutdownPhase::new("a").after("c"),
            ShutdownPhase::new("b").after("a"),
            ShutdownPhase::new("c").after("b").after("free"),
            ShutdownPhase::new("d").after("a"),
        ];
        let Err(PhaseError::Cycle(cycle)) = order(&given) else { panic!("a cycle") };
        assert_eq!(cycle, ["a", "c", "b"]);
        let own = order(&[ShutdownPhase::new("a").after("a")]).unwrap_err();
        assert_eq!(own.to_string(), "a -> a is a cycle");
        let usual = ShutdownPhase::new("x").after("service-stop").before("service-unbind");
        assert!(matches!(order(&[usual]), Err(PhaseError::Cycle(_))));
    }

    #[test]
    fn a_phase_that_there_is_not_is_refused_by_name() {
        for given in [ShutdownPhase::new("a").after("nowhere"), ShutdownPhase::new("a").before("nowhere")] {
            let error = order(&[given]).unwrap_err();
            assert_eq!(error, PhaseError::Unknown { phase: "a".into(), names: "nowhere".into() });
        }
    }

    proptest! {
        /// Conformance 35. Edges that lead from lower to higher numbers make no cycle, in whatever order they are given.
        #[test]
        fn every_phase_comes_after_all_that_it_was_told_to(
            edges in prop::collection::vec((0usize..12, 0usize..12, any::<bool>()), 0..40),
            shuffle in Just((0..12usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut given: Vec<_> = (0..12).map(|n| ShutdownPhase::new(format!("p{n}"))).collect();
            let edges: Vec<_> = edges.into_iter().filter(|(a, b, _)| a < b).collect();
            for (first, second, told_by_the_first) in &edges {
                if *told_by_the_first {
                    given[*first].before.push(format!("p{second}"));
                } else {
                    given[*second].after.push(format!("p{first}"));
                }
            }
            let given: Vec<_> = shuffle.into_iter().map(|at| given[at].clone()).collect();
            let order = order(&given).unwrap();
            prop_assert_eq!(order.len(), 17);
            let place = |n: &usize| order.iter().position(|phase| phase.name == format!("p{n}")).unwrap();
            for (first, second, _) in &edges {
                prop_assert!(place(first) < place(second));
            }
        }
    }
}
