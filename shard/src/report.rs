//! Reports: what shards did, while they run and when they have ended.

use std::fmt;
use std::io::Write as _;
use std::process::{ExitCode, Termination};
use std::time::Duration;

use corelane_kernel::{DeadReason, Failure};

use crate::coordinated::ShutdownReason;

/// One shard's counts and levels, as it last published them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardStats {
    /// The shard's number.
    pub shard: usize,
    /// The core it is pinned to, if it is.
    pub core: Option<usize>,
    /// Actors that live.
    pub actors: u64,
    /// Messages that actors handled since the start.
    pub handled: u64,
    /// Actors spawned since the start.
    pub spawned: u64,
    /// Actors that failed since the start.
    pub failed: u64,
    /// Actors that were restarted since the start, each time.
    pub restarted: u64,
    /// Dead letters since the start.
    pub dead_letters: u64,
    /// Bytes of the region that were ever used.
    pub used_bytes: u64,
    /// Bytes of the region.
    pub region_bytes: u64,
    /// Times a handler held up the shard longer than [`Builder::stall_after`](crate::Builder::stall_after); up to date.
    pub stalls: u64,
    /// Turns since the start.
    pub turns: u64,
    /// Times it went to sleep.
    pub sleeps: u64,
}

/// What one shard leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardReport {
    /// The shard's number.
    pub shard: usize,
    /// The core it was pinned to, if it was.
    pub core: Option<usize>,
    /// Messages that actors handled; see [`Stats::handled`](corelane_kernel::Stats).
    pub handled: u64,
    /// Actors that had not stopped.
    pub actors_left: u64,
    /// Requests of other threads that were not done.
    pub requests_left: u64,
    /// Futures that had not ended.
    pub futures_left: u64,
    /// Dead letters by reason.
    pub dead_letters: [(DeadReason, u64); DeadReason::ALL.len()],
}

/// What became of one phase's tasks of the coordinated shutdown: the tasks' names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PhaseReport {
    /// The phase.
    pub phase: String,
    /// Done, in the order in which they ended.
    pub done: Vec<String>,
    /// Failed, each with what it said.
    pub failed: Vec<(String, String)>,
    /// Not done in time, and dropped.
    pub timed_out: Vec<String>,
    /// Never begun: a phase before this one failed that the shutdown does not recover from.
    pub skipped: Vec<String>,
}

impl PhaseReport {
    pub(crate) fn new(phase: &str) -> PhaseReport {
        PhaseReport {
            phase: phase.to_owned(),
            done: Vec::new(),
            failed: Vec::new(),
            timed_out: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// All its tasks were done.
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty() && self.timed_out.is_empty() && self.skipped.is_empty()
    }
}

impl fmt::Display for PhaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} tasks done", self.phase, self.done.len())?;
        for (name, error) in &self.failed {
            write!(f, ", {name:?} failed ({error})")?;
        }
        for (names, what) in [(&self.timed_out, "out of time"), (&self.skipped, "skipped")] {
            for name in names {
                write!(f, ", {name:?} {what}")?;
            }
        }
        Ok(())
    }
}

/// How a system ended.
///
/// A program whose `main` gives it back exits with its [`exit_code`](Report::exit_code), and says on standard error what
/// was not clean; so whoever started the program, a supervisor of services for instance, knows that it failed:
///
/// ```
/// use std::error::Error;
/// use std::time::Duration;
/// use corelane_shard::{Report, System};
///
/// fn main() -> Result<Report, Box<dyn Error>> {
///     let system = System::builder().shards(1).pinned(false).start()?;
///     // ...
///     Ok(system.shutdown(Duration::from_secs(5)))
/// }
/// ```
///
/// With [`System::wait`](crate::System::wait) as its last line it ends by itself when a failure is escalated past all
/// supervisors, with exit code 1 and, for example, `Error: 1 shard ran 2.0s: … stopped by a failure that no supervisor
/// took: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How long it ran.
    pub ran: Duration,
    /// Why it was shut down.
    pub reason: ShutdownReason,
    /// The phases of the coordinated shutdown that had tasks, in order.
    pub phases: Vec<PhaseReport>,
    /// What each shard that ended leaves behind.
    pub shards: Vec<ShardReport>,
    /// Shards that had not ended in time. Their threads go on by themselves and hold on to their memory.
    pub unfinished: Vec<usize>,
    /// Jobs of the blocking pool that were not begun.
    pub jobs_left: u64,
    /// The failure for which the system stopped by itself, if it did: one that was escalated past all supervisors.
    pub escalated: Option<Failure>,
}

impl Report {
    /// No failure led to it, every shutdown task was done, every shard and actor stopped in time, and no job was left over.
    /// Dead letters, and requests of threads that came too late, do not count.
    pub fn is_clean(&self) -> bool {
        self.escalated.is_none()
            && self.unfinished.is_empty()
            && self.jobs_left == 0
            && self.shards.iter().all(|s| s.actors_left == 0)
            && self.phases.iter().all(PhaseReport::is_clean)
    }

    /// What a process should exit with whose system ended so: [`ExitCode::SUCCESS`] if it is [clean](Report::is_clean),
    /// else [`ExitCode::FAILURE`], which is 1.
    pub fn exit_code(&self) -> ExitCode {
        if self.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// Messages handled by all shards.
    pub fn handled(&self) -> u64 {
        self.shards.iter().map(|shard| shard.handled).sum()
    }

    /// Dead letters of all shards, all reasons together.
    pub fn dead_letters(&self) -> u64 {
        self.shards.iter().flat_map(|shard| shard.dead_letters).map(|(_, count)| count).sum()
    }
}

/// The [exit code](Report::exit_code), with the report on standard error if it is a failure.
impl Termination for Report {
    fn report(self) -> ExitCode {
        if !self.is_clean() {
            // As the standard library does for an error; where nobody listens, the code says it all.
            let _ = writeln!(std::io::stderr(), "Error: {self}");
        }
        self.exit_code()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards = self.shards.len() + self.unfinished.len();
        let left: u64 = self.shards.iter().map(|shard| shard.actors_left).sum();
        write!(
            f,
            "{shards} {} ran {:.1?}: {} messages handled, {} dead letters, {left} actors left",
            if shards == 1 { "shard" } else { "shards" },
            self.ran,
            self.handled(),
            self.dead_letters(),
        )?;
        if !self.unfinished.is_empty() {
            write!(f, "; shards {:?} did not end in time", self.unfinished)?;
        }
        if self.jobs_left > 0 {
            write!(f, "; {} blocking jobs not begun", self.jobs_left)?;
        }
        if let Some(failure) = &self.escalated {
            write!(f, "; stopped by a failure that no supervisor took: {failure}")?;
        }
        for phase in self.phases.iter().filter(|phase| !phase.is_clean()) {
            write!(f, "; shutdown phase {phase}")?;
        }
        Ok(())
    }
}
