//! Work pulling: jobs wait here until a worker asks for one, and come back if that worker dies.
//!
//! A producer cannot overrun the workers: it submits into a bounded pool, which refuses with the job when it is full. A
//! worker cannot be overrun either: it gets as many jobs as it asked for. A job keeps its place in the pool until it is
//! done, so that there is always room for it to come back.
//!
//! ```text
//!               submit              poll                 done
//!     producer ───────▶ waiting ───────────▶ handed out ──────▶ gone
//!                          ▲                     │ give_back, lost
//!                          ├─────────────────────┘
//!                          │ (handed out too often: spent ──take_spent──▶ gone)
//! ```
//!
//! Each job is handed out **at least once**, oldest first. It is handed out again when its worker is lost or gives it
//! back; the first worker may have done all or some of it by then. So jobs should be harmless to do twice, or carry what
//! tells that they are done already.

use core::fmt;

use heapless::{Deque, Vec};

use super::InvalidConfig;
use crate::actor::{Actor, Terminated};
use crate::address::ActorRef;
use crate::context::Ctx;
use crate::error::{OutOfMemory, TellError};

/// Settings of a [`WorkPull`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkPullConfig {
    /// How often a job is handed out at most. Not zero. A job that kills whoever takes it ends after so many; `u32::MAX`
    /// leaves it to the jobs to be harmless.
    pub attempts: u32,
}

/// Names a job for as long as it is in its pool; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    serial: u64,
    slot: u32,
}

/// A job for a worker, which whoever drives the pool is to tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handout<W, J> {
    /// Who is to do it.
    pub worker: W,
    /// What to call [`WorkPull::done`] with.
    pub ticket: Ticket,
    /// A clone of the job; the pool keeps the job itself until it is done.
    pub job: J,
    /// How often it has been handed out, this time included.
    pub attempt: u32,
}

/// The pool holds as many jobs as it may, those that are handed out included. The job comes back; submitting it again
/// after one is done may succeed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct JobsFull<J>(pub J);

impl<J> fmt::Debug for JobsFull<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JobsFull(..)")
    }
}

impl<J> fmt::Display for JobsFull<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool is full of jobs")
    }
}

impl<J> core::error::Error for JobsFull<J> {}

/// Why a worker's demand was not taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DemandError {
    /// The pool knows as many workers as it may.
    WorkersFull,
    /// The region is used up, so that the worker cannot be watched.
    OutOfMemory,
}

impl fmt::Display for DemandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DemandError::WorkersFull => "the pool knows as many workers as it may",
            DemandError::OutOfMemory => "no room to watch the worker in the kernel's region",
        })
    }
}

impl core::error::Error for DemandError {}

impl From<OutOfMemory> for DemandError {
    fn from(_: OutOfMemory) -> DemandError {
        DemandError::OutOfMemory
    }
}

#[derive(Clone, Debug)]
struct Job<W, J> {
    job: J,
    serial: u64,
    attempts: u32,
    holder: Option<W>,
}

#[derive(Clone, Debug)]
struct Worker<W> {
    id: W,
    wants: u32,
    holds: u32,
    /// Serial of the oldest unanswered demand: who has waited longest is served first.
    since: u64,
    retiring: bool,
}

/// Up to `JOBS` jobs, handed out to up to `WORKERS` workers as these ask for them.
///
/// Workers are known by any value; in an actor by their [`ActorRef`], and then the pool watches and tells them. Each event
/// costs a look through the workers, and through the jobs only when a worker is lost. All jobs live inside this
/// value: an actor that has it must be within [`STATE_SIZE_MAX`](crate::limits::STATE_SIZE_MAX).
///
/// ```
/// use corelane_kernel::pattern::{JobsFull, Ticket, WorkPull};
/// use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Terminated};
///
/// /// What a worker is told.
/// struct Work(Ticket, String);
///
/// enum Msg { Submit(String), Ready(ActorRef<Work>), Done(ActorRef<Work>, Ticket) }
///
/// struct Pool { jobs: WorkPull<ActorRef<Work>, String, 8, 64> }
///
/// impl Actor for Pool {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Submit(job) => {
///                 if let Err(JobsFull(job)) = self.jobs.submit(job) {
///                     eprintln!("try later: {job}");
///                 }
///             }
///             Msg::Ready(worker) => self.jobs.demand_from(ctx, worker, 1)?,
///             Msg::Done(worker, ticket) => {
///                 self.jobs.done(ticket);
///                 self.jobs.demand_from(ctx, worker, 1)?;
///             }
///         }
///         self.jobs.hand_out(ctx, |out| Work(out.ticket, out.job))?;
///         Ok(())
///     }
///     fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.jobs.ended(gone);
///         while let Some((_, job)) = self.jobs.take_spent() {
///             eprintln!("given up: {job}");
///         }
///         self.jobs.hand_out(ctx, |out| Work(out.ticket, out.job))?;
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct WorkPull<W, J, const WORKERS: usize, const JOBS: usize> {
    attempts: u32,
    serial: u64,
    workers: Vec<Worker<W>, WORKERS>,
    /// Each slot's number is in `free`, in `waiting` or in `spent`, or its job has a holder.
    jobs: [Option<Job<W, J>>; JOBS],
    free: Vec<u32, JOBS>,
    /// Oldest job first.
    waiting: Deque<u32, JOBS>,
    /// Oldest job first.
    spent: Deque<u32, JOBS>,
    handed_out: usize,
}

impl<W: Clone + Eq, J: Clone, const WORKERS: usize, const JOBS: usize> WorkPull<W, J, WORKERS, JOBS> {
    const HAS_ROOM: () =
        assert!(WORKERS > 0 && JOBS > 0 && JOBS <= u32::MAX as usize, "a pool has room for some");

    /// An empty pool. That it has room for workers and jobs is checked by the compiler.
    ///
    /// # Errors
    /// [`InvalidConfig`] names the field that makes no sense.
    pub fn new(config: WorkPullConfig) -> Result<Self, InvalidConfig> {
        let () = Self::HAS_ROOM;
        if config.attempts == 0 {
            let why = "is zero, so that no job would be handed out";
            return Err(InvalidConfig::new("WorkPullConfig", "attempts", why));
        }
        Ok(WorkPull {
            attempts: config.attempts,
            serial: 0,
            workers: Vec::new(),
            jobs: [const { None }; JOBS],
            free: (0..JOBS as u32).rev().collect(),
            waiting: Deque::new(),
            spent: Deque::new(),
            handed_out: 0,
        })
    }

    // --- producers -----------------------------------------------------------------------------------------------

    /// Puts a job behind those that wait.
    ///
    /// # Errors
    /// [`JobsFull`] with the job.
    pub fn submit(&mut self, job: J) -> Result<Ticket, JobsFull<J>> {
        let Some(slot) = self.free.pop() else { return Err(JobsFull(job)) };
        let serial = self.next_serial();
        self.jobs[slot as usize] = Some(Job { job, serial, attempts: 0, holder: None });
        // There is room: each slot is in one list at most.
        let _ = self.waiting.push_back(slot);
        Ok(Ticket { serial, slot })
    }

    // --- workers -------------------------------------------------------------------------------------------------

    /// A worker asks for so many jobs, besides those it has asked for and not got.
    ///
    /// # Errors
    /// [`DemandError::WorkersFull`].
    pub fn demand(&mut self, worker: W, jobs: u32) -> Result<(), DemandError> {
        let since = self.next_serial();
        match self.workers.iter_mut().find(|known| known.id == worker) {
            Some(known) => {
                if known.wants == 0 {
                    known.since = since;
                }
                known.wants = known.wants.saturating_add(jobs);
                known.retiring = false;
                Ok(())
            }
            None => {
                let worker = Worker { id: worker, wants: jobs, holds: 0, since, retiring: false };
                self.workers.push(worker).map_err(|_| DemandError::WorkersFull)
            }
        }
    }

    /// The oldest job that waits, for the worker that has waited longest; none if there is none of either. It counts as
    /// handed out from now on.
    pub fn poll(&mut self) -> Option<Handout<W, J>> {
        let slot = *self.waiting.front()?;
        let since = self.next_serial();
        let worker =
            self.workers.iter_mut().filter(|known| known.wants > 0).min_by_key(|known| known.since)?;
        let held = self.jobs[slot as usize].as_mut()?;
        let (job, id) = (held.job.clone(), worker.id.clone());
        // From here on no foreign code runs.
        worker.wants -= 1;
        worker.holds += 1;
        worker.since = since;
        held.attempts = held.attempts.saturating_add(1);
        let handout = Handout {
            worker: id.clone(),
            ticket: Ticket { serial: held.serial, slot },
            job,
            attempt: held.attempts,
        };
        held.holder = Some(id);
        self.waiting.pop_front();
        self.handed_out += 1;
        Some(handout)
    }

    /// A job is done, and leaves the pool; gives it back. The first report counts, whoever makes it: one that comes from
    /// a worker that was thought lost ends the job as well. None if the job was done before.
    pub fn done(&mut self, ticket: Ticket) -> Option<J> {
        let job = self.jobs.get_mut(ticket.slot as usize)?.take_if(|job| job.serial == ticket.serial)?;
        match &job.holder {
            Some(worker) => self.release(worker),
            None => {
                self.waiting.retain(|slot| *slot != ticket.slot);
                self.spent.retain(|slot| *slot != ticket.slot);
            }
        }
        self.free_slot(ticket.slot);
        Some(job.job)
    }

    /// A worker cannot do a job that it has: another is to. Says whether it had it.
    pub fn give_back(&mut self, worker: &W, ticket: Ticket) -> bool {
        let held = self.jobs.get(ticket.slot as usize).and_then(Option::as_ref);
        let has = held.is_some_and(|job| job.serial == ticket.serial && job.holder.as_ref() == Some(worker));
        if has {
            self.release(worker);
            self.put_back(ticket.slot);
        }
        has
    }

    /// A worker is dead: its jobs wait again, before younger ones. Gives how many it had. One that is not known changes
    /// nothing.
    pub fn lost(&mut self, worker: &W) -> usize {
        let mut had = 0;
        for slot in 0..JOBS as u32 {
            if self.jobs[slot as usize].as_ref().is_some_and(|job| job.holder.as_ref() == Some(worker)) {
                self.handed_out -= 1;
                self.put_back(slot);
                had += 1;
            }
        }
        self.workers.retain(|known| known.id != *worker);
        had
    }

    /// A worker wants no more jobs. It is forgotten when it has done those it has, unless it asks again.
    pub fn retire(&mut self, worker: &W) {
        if let Some(known) = self.workers.iter_mut().find(|known| known.id == *worker) {
            known.wants = 0;
            known.retiring = true;
        }
        self.workers.retain(|known| !known.retiring || known.holds > 0);
    }

    /// The oldest job that was handed out as often as it may, and is not done. It keeps its place in the pool until it is taken.
    pub fn take_spent(&mut self) -> Option<(Ticket, J)> {
        let slot = self.spent.pop_front()?;
        let job = self.jobs[slot as usize].take()?;
        self.free_slot(slot);
        Some((Ticket { serial: job.serial, slot }, job.job))
    }

    // --- what is there to see ------------------------------------------------------------------------------------

    /// How many more jobs could be submitted now.
    pub fn room(&self) -> usize {
        self.free.len()
    }

    /// Jobs that wait for a worker.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Jobs that workers have.
    pub fn handed_out(&self) -> usize {
        self.handed_out
    }

    /// Jobs that were handed out as often as they may, and wait for [`WorkPull::take_spent`].
    pub fn spent(&self) -> usize {
        self.spent.len()
    }

    /// Workers that are known: they have asked, and were neither lost nor retired.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Jobs that workers have asked for and not got.
    pub fn demanded(&self) -> u64 {
        self.workers.iter().map(|known| u64::from(known.wants)).sum()
    }

    // -------------------------------------------------------------------------------------------------------------

    fn next_serial(&mut self) -> u64 {
        // A thousand million a second take 584 years to wrap it.
        self.serial += 1;
        self.serial
    }

    /// A worker has one job less.
    fn release(&mut self, worker: &W) {
        self.handed_out -= 1;
        if let Some(known) = self.workers.iter_mut().find(|known| known.id == *worker) {
            known.holds -= 1;
        }
        self.workers.retain(|known| !known.retiring || known.holds > 0);
    }

    /// A job that was handed out waits again, or is spent; in the order of age.
    fn put_back(&mut self, slot: u32) {
        let Some(job) = &mut self.jobs[slot as usize] else { return };
        job.holder = None;
        let spent = job.attempts >= self.attempts && self.attempts != u32::MAX;
        let list = if spent { &mut self.spent } else { &mut self.waiting };
        let age = |slot: u32| self.jobs[slot as usize].as_ref().map_or(0, |job| job.serial);
        // There is room: each slot is in one list at most.
        let _ = list.push_front(slot);
        // What was handed out is older than almost all that wait, so it is not far.
        let mut at = 0;
        while list.get(at + 1).is_some_and(|next| age(slot) > age(*next)) {
            list.swap(at, at + 1);
            at += 1;
        }
    }

    fn free_slot(&mut self, slot: u32) {
        // There is room: each slot is in one list at most.
        let _ = self.free.push(slot);
    }

    /// Takes a hand-out back as if it had not been: the job waits, and the worker's demand stands.
    fn undo(&mut self, worker: &W, ticket: Ticket) {
        self.handed_out -= 1;
        if let Some(job) = &mut self.jobs[ticket.slot as usize] {
            job.attempts = job.attempts.saturating_sub(1);
        }
        self.put_back(ticket.slot);
        if let Some(known) = self.workers.iter_mut().find(|known| known.id == *worker) {
            known.holds -= 1;
            known.wants = known.wants.saturating_add(1);
        }
    }
}

/// In an actor, whose workers are actors.
impl<M: Send + 'static, J: Clone, const WORKERS: usize, const JOBS: usize>
    WorkPull<ActorRef<M>, J, WORKERS, JOBS>
{
    /// As [`WorkPull::demand`], and watches the worker: the actor's `terminated` is to call [`WorkPull::ended`].
    ///
    /// # Errors
    /// [`DemandError`].
    pub fn demand_from<A: Actor>(
        &mut self,
        ctx: &mut Ctx<'_, A>,
        worker: ActorRef<M>,
        jobs: u32,
    ) -> Result<(), DemandError> {
        let known = self.workers.iter().any(|known| known.id == worker);
        if !known {
            if self.workers.is_full() {
                return Err(DemandError::WorkersFull);
            }
            ctx.watch(worker)?;
        }
        self.demand(worker, jobs)
    }

    /// Hands out as many jobs as can be now, each in a message made of it. To be called after every event. Gives how many
    /// were handed out.
    ///
    /// # Errors
    /// [`TellError`] when a worker could not be told. The job waits again, the worker's demand stands, and what was handed
    /// out before stays so. When the way was full, calling this again later (from a timer) may succeed. A worker to which no
    /// way leads is taken for lost instead.
    pub fn hand_out<A: Actor>(
        &mut self,
        ctx: &mut Ctx<'_, A>,
        mut message: impl FnMut(Handout<ActorRef<M>, J>) -> M,
    ) -> Result<usize, TellError<()>> {
        let mut count = 0;
        while let Some(handout) = self.poll() {
            let (worker, ticket) = (handout.worker, handout.ticket);
            match ctx.try_tell(worker, message(handout)) {
                Ok(()) => count += 1,
                Err(TellError::Unreachable(_)) => {
                    self.undo(&worker, ticket);
                    self.lost(&worker);
                }
                Err(refused) => {
                    self.undo(&worker, ticket);
                    return Err(refused.map(|_| ()));
                }
            }
        }
        Ok(count)
    }

    /// A watched actor is gone; if it was a worker, it is [`lost`](WorkPull::lost). Gives how many jobs it had.
    pub fn ended(&mut self, gone: &Terminated) -> usize {
        match self.workers.iter().find(|known| known.id.address() == gone.address) {
            Some(known) => {
                let worker = known.id;
                self.lost(&worker)
            }
            None => 0,
        }
    }
}
