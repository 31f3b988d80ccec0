//! Coordinated shutdown: tasks in phases, before the actors of a system are stopped.
//!
//! `System::shutdown`, `System::wait` and dropping the system run it, once. It knows phases and tasks only: when all
//! phases are over, the system ends as it always does. Time is the clock of the thread that shuts down, or a
//! simulation's.

mod phases;
mod run;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corelane_kernel::{ActorRef, ReplyTo, Scope};

use crate::blocking::Pool;
use crate::error::BoxError;
use crate::handle::Handle;
use crate::host::{Deadline, Host};
use crate::report::PhaseReport;
use crate::shared::Shared;

pub(crate) use phases::order;
pub use phases::{PhaseError, ShutdownPhase};
use run::{Begun, TaskFuture};

/// Tasks that may wait for a system's shutdown at once. What is entered for each connection or request is to be removed
/// with it.
pub const SHUTDOWN_TASKS_MAX: usize = 1 << 16;

/// Why a system shuts down. The first reason that is given stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownReason {
    /// Somebody asked for it, with [`System::shutdown`](crate::System::shutdown) or
    /// [`Handle::request_shutdown`](crate::Handle::request_shutdown).
    Requested,
    /// The [`System`](crate::System) was dropped.
    Dropped,
    /// The operating system asked for it: the signal's name.
    Signal(String),
    /// Something failed that the system cannot go on without.
    Failed(String),
    /// Another reason.
    Other(String),
}

impl fmt::Display for ShutdownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShutdownReason::Requested => f.write_str("requested"),
            ShutdownReason::Dropped => f.write_str("dropped"),
            ShutdownReason::Signal(name) => write!(f, "signal {name}"),
            ShutdownReason::Failed(what) => write!(f, "failed: {what}"),
            ShutdownReason::Other(what) => f.write_str(what),
        }
    }
}

/// Why a task was not entered. It was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddTaskError {
    /// There is no such phase.
    NoSuchPhase {
        /// What was asked for.
        phase: String,
        /// Those that there are, in order.
        phases: Vec<String>,
    },
    /// The phase has begun or is over.
    TooLate {
        /// The phase.
        phase: String,
    },
    /// [`SHUTDOWN_TASKS_MAX`] tasks wait.
    Full,
}

impl fmt::Display for AddTaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddTaskError::NoSuchPhase { phase, phases } => {
                write!(f, "there is no shutdown phase {phase:?}; there are {phases:?}")
            }
            AddTaskError::TooLate { phase } => write!(f, "the shutdown phase {phase:?} has begun already"),
            AddTaskError::Full => write!(f, "{SHUTDOWN_TASKS_MAX} tasks wait for the shutdown already"),
        }
    }
}

impl std::error::Error for AddTaskError {}

/// A task that was entered, for [`CoordinatedShutdown::remove_task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShutdownTask {
    phase: usize,
    number: u64,
}

struct Task {
    name: String,
    begin: Box<dyn FnOnce(ShutdownReason) -> TaskFuture + Send>,
}

struct State {
    reason: Option<ShutdownReason>,
    /// Phases that have begun or are over.
    begun: usize,
    /// Those of each phase, by number.
    tasks: Vec<BTreeMap<u64, Task>>,
    waiting: usize,
    next: u64,
}

/// The phases and tasks of a system.
pub(crate) struct Coordinator {
    phases: Vec<ShutdownPhase>,
    state: Mutex<State>,
    pub(crate) pool: Pool,
}

impl Coordinator {
    /// The phases are in order.
    pub(crate) fn new(phases: Vec<ShutdownPhase>, pool: Pool) -> Coordinator {
        let tasks = phases.iter().map(|_| BTreeMap::new()).collect();
        let state = Mutex::new(State { reason: None, begun: 0, tasks, waiting: 0, next: 0 });
        Coordinator { phases, state, pool }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No foreign code runs while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the reason, if it is the first.
    pub(crate) fn note(&self, reason: ShutdownReason) {
        self.lock().reason.get_or_insert(reason);
    }

    pub(crate) fn reason(&self) -> Option<ShutdownReason> {
        self.lock().reason.clone()
    }

    fn add(&self, phase: &str, task: Task) -> Result<ShutdownTask, AddTaskError> {
        let Some(at) = self.phases.iter().position(|known| known.name == phase) else {
            let phases = self.phases.iter().map(|phase| phase.name.clone()).collect();
            return Err(AddTaskError::NoSuchPhase { phase: phase.to_owned(), phases });
        };
        let mut state = self.lock();
        let refused = if at < state.begun {
            AddTaskError::TooLate { phase: phase.to_owned() }
        } else if state.waiting == SHUTDOWN_TASKS_MAX {
            AddTaskError::Full
        } else {
            let number = state.next;
            state.next += 1;
            state.waiting += 1;
            state.tasks[at].insert(number, task);
            return Ok(ShutdownTask { phase: at, number });
        };
        // The task's drop is foreign code.
        drop(state);
        drop(task);
        Err(refused)
    }

    fn remove(&self, task: ShutdownTask) -> bool {
        let mut state = self.lock();
        let removed = state.tasks.get_mut(task.phase).and_then(|tasks| tasks.remove(&task.number));
        state.waiting -= usize::from(removed.is_some());
        drop(state);
        removed.is_some()
    }

    /// Takes the tasks of a phase, which begins.
    fn begin(&self, phase: usize) -> (ShutdownReason, Vec<Task>) {
        let mut state = self.lock();
        state.begun = state.begun.max(phase + 1);
        let tasks = std::mem::take(&mut state.tasks[phase]);
        state.waiting -= tasks.len();
        (state.reason.clone().unwrap_or(ShutdownReason::Requested), tasks.into_values().collect())
    }

    /// Runs all phases, in order, until `deadline` at most; gives what became of those that had tasks. Does nothing the
    /// second time.
    pub(crate) fn run(&self, host: Host, deadline: Deadline) -> Vec<PhaseReport> {
        let mut reports = Vec::new();
        let mut go_on = true;
        let first = self.lock().begun;
        for (at, phase) in self.phases.iter().enumerate().skip(first) {
            let (reason, tasks) = self.begin(at);
            if tasks.is_empty() {
                continue;
            }
            let mut report = PhaseReport::new(&phase.name);
            if go_on {
                let tasks = tasks.into_iter().map(|Task { name, begin }| {
                    let reason = reason.clone();
                    Begun { name, begin: Box::new(move || begin(reason)) }
                });
                let until = host.deadline(phase.within.min(deadline.left()));
                run::run(tasks.collect(), host, until, &mut report);
            } else {
                report.skipped = tasks.iter().map(|task| task.name.clone()).collect();
                if let Err(failure) = crate::unwind::guard(move || drop(tasks)) {
                    tracing::error!(phase = phase.name, %failure, "dropping a shutdown task panicked");
                }
            }
            if !report.is_clean() {
                tracing::warn!(%report, recover = phase.recover, "a shutdown phase did not end cleanly");
                go_on &= phase.recover;
            }
            reports.push(report);
        }
        reports
    }
}

/// A system's coordinated shutdown: what is to be done, in which order, before its actors are stopped. Cheap to clone;
/// see [`Handle::coordinated_shutdown`](crate::Handle::coordinated_shutdown).
///
/// The shutdown is begun by [`System::shutdown`](crate::System::shutdown), by [`System::wait`](crate::System::wait) when
/// somebody [asks for it](CoordinatedShutdown::request), or by dropping the system, and runs once. Phase after phase, the
/// tasks of one phase all at once, on the thread that shuts the system down; actors, futures, gateways and the blocking
/// pool work as ever meanwhile. When the last phase is over, the actors are stopped and the shards end. What became of the
/// tasks is in [`Report::phases`](crate::Report).
///
/// A task may be added by any thread or actor, also by another task, as long as its phase has not begun. One that fails,
/// panics, or is not done in its phase's time does not keep the others from running, and unless the phase says otherwise
/// ([`ShutdownPhase::recover`]) not the next phase either. A phase's time ends with the time that the whole shutdown
/// was given: `System::shutdown(within)` counts from the first phase. A task that is out of time is dropped.
///
/// ```
/// # use corelane_shard::{BoxError, ShutdownPhase, ShutdownReason, System};
/// # use std::time::Duration;
/// let system = System::builder().shards(1).pinned(false).start()?;
/// let shutdown = system.coordinated_shutdown();
/// shutdown.add_task(ShutdownPhase::SERVICE_UNBIND, "close the listener", |reason| async move {
///     assert_eq!(reason, ShutdownReason::Other("maintenance".to_owned()));
///     Ok(())
/// })?;
/// shutdown.add_blocking_task(ShutdownPhase::BEFORE_SYSTEM_TERMINATE, "flush the disk", |_| Ok(()))?;
/// shutdown.request(ShutdownReason::Other("maintenance".to_owned()));
/// let report = system.wait();
/// assert_eq!(report.phases.len(), 2);
/// assert!(report.is_clean(), "{report}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CoordinatedShutdown {
    handle: Handle,
}

impl CoordinatedShutdown {
    fn coordinator(&self) -> &Coordinator {
        &self.handle.services.coordinator
    }

    /// The names of the phases, in order.
    pub fn phases(&self) -> Vec<String> {
        self.coordinator().phases.iter().map(|phase| phase.name.clone()).collect()
    }

    /// Why the system shuts down, once it does or was asked to.
    pub fn reason(&self) -> Option<ShutdownReason> {
        self.coordinator().reason()
    }

    /// Asks whoever waits in [`System::wait`](crate::System::wait) to shut the system down, for a reason. May be called
    /// from anywhere. The first reason stands.
    pub fn request(&self, reason: ShutdownReason) {
        self.coordinator().note(reason);
        self.handle.request_shutdown();
    }

    /// Enters a task for a phase: `begin` makes a future of the reason, which is polled on the thread that shuts the system
    /// down, beside the other tasks of the phase, and must not block it.
    ///
    /// # Errors
    /// [`AddTaskError`]; the task is dropped.
    pub fn add_task<F>(
        &self,
        phase: &str,
        name: impl Into<String>,
        begin: impl FnOnce(ShutdownReason) -> F + Send + 'static,
    ) -> Result<ShutdownTask, AddTaskError>
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let begin = Box::new(move |reason| -> TaskFuture { Box::pin(begin(reason)) });
        self.coordinator().add(phase, Task { name: name.into(), begin })
    }

    /// Enters a task that blocks: it runs on the system's pool. One that is out of time goes on there by itself.
    ///
    /// # Errors
    /// [`AddTaskError`]; the task is dropped.
    pub fn add_blocking_task(
        &self,
        phase: &str,
        name: impl Into<String>,
        work: impl FnOnce(ShutdownReason) -> Result<(), BoxError> + Send + 'static,
    ) -> Result<ShutdownTask, AddTaskError> {
        let pool = self.coordinator().pool.clone();
        self.add_task(phase, name, move |reason| {
            let result = pool.run(move || work(reason));
            async move { result.await?? }
        })
    }

    /// Enters a task that an actor does: it is asked when the phase begins, and the task is done when it answers.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
    /// # use corelane_shard::{ShardCtx, ShutdownPhase, System};
    /// enum Msg { Put(u64), Flush(ReplyTo<()>) }
    ///
    /// struct Buffer { waiting: Vec<u64> }
    ///
    /// impl Actor for Buffer {
    ///     type Msg = Msg;
    ///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         let (me, shutdown) = (ctx.me(), ctx.system().coordinated_shutdown());
    ///         shutdown.add_actor_task(ShutdownPhase::SERVICE_STOP, "flush", me, |_, reply| Msg::Flush(reply))?;
    ///         Ok(())
    ///     }
    ///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         match msg {
    ///             Msg::Put(n) => self.waiting.push(n),
    ///             Msg::Flush(reply) => {
    ///                 self.waiting.clear();
    ///                 ctx.tell(reply, ());
    ///             }
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// # let system = System::builder().shards(1).pinned(false).start()?;
    /// # let buffer = system.spawn(|| Buffer { waiting: vec![] })?;
    /// # let mut gateway = system.gateway()?;
    /// # gateway.ask(buffer, std::time::Duration::from_secs(5), Msg::Flush)?;
    /// # let report = system.shutdown(std::time::Duration::from_secs(5));
    /// # assert_eq!(report.phases[0].done, ["flush"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AddTaskError`]; the task is dropped.
    pub fn add_actor_task<T: Send + 'static>(
        &self,
        phase: &str,
        name: impl Into<String>,
        actor: ActorRef<T>,
        question: impl FnOnce(ShutdownReason, ReplyTo<()>) -> T + Send + 'static,
    ) -> Result<ShutdownTask, AddTaskError> {
        let shared = self.handle.shared.clone();
        let phases = &self.coordinator().phases;
        let within =
            phases.iter().find(|known| known.name == phase).map_or(Duration::ZERO, |known| known.within);
        // The phase ends a task that is out of time, and the ask comes to its end some time after it.
        let within = within.saturating_add(Duration::from_secs(60));
        self.add_task(phase, name, move |reason| {
            ask(shared, actor, within, move |reply| question(reason, reply))
        })
    }

    /// Takes a task out again that has not begun. Says whether there was one; it is dropped.
    pub fn remove_task(&self, task: ShutdownTask) -> bool {
        self.coordinator().remove(task)
    }
}

/// Asks an actor, from its own shard.
async fn ask<T: Send + 'static>(
    shared: Arc<Shared>,
    actor: ActorRef<T>,
    within: Duration,
    question: impl FnOnce(ReplyTo<()>) -> T + Send + 'static,
) -> Result<(), BoxError> {
    let (sender, receiver) = oneshot::async_channel();
    shared.run_on(actor.place().shard(), move |scope: &mut Scope<'_>| {
        scope.ask(actor, within, question, move |answer| {
            // The task may be out of time.
            let _ = sender.send(answer);
        });
    })?;
    Ok(receiver.await??)
}

impl fmt::Debug for CoordinatedShutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CoordinatedShutdown({:?})", self.phases())
    }
}

impl Handle {
    /// What is to be done before the system's actors are stopped; see [`CoordinatedShutdown`].
    pub fn coordinated_shutdown(&self) -> CoordinatedShutdown {
        CoordinatedShutdown { handle: self.clone() }
    }
}
