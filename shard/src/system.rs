//! The system: shards that run, and how they end.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use corelane_kernel::lane;

use crate::blocking::Pool;
use crate::config::Builder;
use crate::coordinated::ShutdownReason;
use crate::error::StartError;
use crate::handle::Handle;
use crate::host::{Deadline, Host};
use crate::house::{Ground, House};
use crate::report::{Report, ShardReport};
use crate::shared::Phase;
use crate::stall::Watchdog;
use crate::topology::Plan;

/// Words of the lane for signals between two shards.
const SIGNAL_WORDS: usize = 1024;

/// What a shard is given for its last turn, and again for dropping what is left, also when there is no time any more.
const GRACE: Duration = Duration::from_millis(250);

/// Actors on pinned cores. Dropping it shuts it down in order.
///
/// ```
/// use corelane_shard::{System, Idle};
/// # use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
/// # use std::time::Duration;
/// struct Double;
/// impl Actor for Double {
///     type Msg = (u64, ReplyTo<u64>);
///     fn receive(&mut self, (n, reply): Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         ctx.tell(reply, 2 * n);
///         Ok(())
///     }
/// }
///
/// let system = System::builder().shards(1).start()?;
/// let double = system.spawn(|| Double)?;
/// let answer = system.gateway()?.ask(double, Duration::from_secs(5), |reply| (21, reply))?;
/// assert_eq!(answer, 42);
/// let report = system.shutdown(Duration::from_secs(5));
/// assert!(report.is_clean());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct System {
    handle: Handle,
    threads: Vec<JoinHandle<ShardReport>>,
    pool: Pool,
    started: Instant,
    shutdown_within: Duration,
    watchdog: Option<Watchdog>,
    /// All shards have started.
    running: bool,
}

impl System {
    /// Collects settings for a system.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn launch(mut builder: Builder, plan: &Plan, region: usize) -> Result<System, StartError> {
        for warning in plan.warnings() {
            tracing::warn!("{warning}");
        }
        if builder.kernel.seed == 0 {
            // So that the shards of many hosts that failed together do not come back together.
            builder.kernel.seed = RandomState::new().build_hasher().finish();
        }
        let cores: Vec<_> = plan.cores().into_iter().map(|core| builder.pin.then_some(core)).collect();
        let pool = Pool::new(&builder.name, builder.blocking_threads);
        let ground = Ground {
            host: Host::Threads,
            may_spin: plan.may_spin(),
            signal_words: SIGNAL_WORDS,
            region,
            pool: pool.clone(),
        };
        let (handle, houses) = ground.lay_out(&builder, &cores, |words, _, _| lane(words))?;
        let mut system = System {
            handle,
            threads: Vec::new(),
            pool,
            started: Instant::now(),
            shutdown_within: builder.shutdown_within,
            watchdog: None,
            running: false,
        };
        // A start that fails drops the system, which ends the threads that run already.
        system.services.extensions.load(&builder.extensions, &system.handle)?;
        system.start_threads(&builder, houses)?;
        if let Some(after) = builder.stall_after {
            let watchdog = Watchdog::start(&builder.name, system.handle.shared.clone(), after);
            system.watchdog = Some(watchdog.map_err(StartError::Watchdog)?);
        }
        system.running = true;
        Ok(system)
    }

    fn start_threads(&mut self, builder: &Builder, houses: Vec<House>) -> Result<(), StartError> {
        crate::panics::install();
        let (ready, started) = mpsc::channel();
        let shards = houses.len();
        for (shard, house) in houses.into_iter().enumerate() {
            let ready = ready.clone();
            let thread = std::thread::Builder::new()
                .name(format!("{}-{shard}", builder.name))
                .spawn(move || house.run(&ready))
                .map_err(|error| StartError::System { shard, error })?;
            self.threads.push(thread);
        }
        drop(ready);
        for _ in 0..shards {
            // A thread that ends without a word has panicked, which its join reports.
            started
                .recv()
                .unwrap_or_else(|_| Err(StartError::Config("a shard's thread panicked".to_owned())))?;
        }
        Ok(())
    }

    /// Blocks until somebody calls [`Handle::request_shutdown`], or a failure is escalated past all supervisors, then shuts
    /// down within the builder's time.
    pub fn wait(self) -> Report {
        self.handle.wait_until_asked();
        let within = self.shutdown_within;
        self.shutdown(within)
    }

    /// Ends the system in order: the tasks of the [coordinated shutdown](crate::CoordinatedShutdown) are done; actors stop,
    /// children first; what they still say is delivered; shards end; what was left is reported. Takes at most `within` and
    /// half a second; what has not ended by then is left to itself.
    ///
    /// Must not be called from an actor.
    pub fn shutdown(mut self, within: Duration) -> Report {
        self.end(within, ShutdownReason::Requested)
    }

    fn end(&mut self, within: Duration, reason: ShutdownReason) -> Report {
        let deadline = Instant::now() + within;
        let shared = self.handle.shared.clone();
        let coordinator = &self.handle.services.coordinator;
        coordinator.note(reason.clone());
        self.handle.request_shutdown();
        let phases =
            if self.running { coordinator.run(shared.host, Deadline::At(deadline)) } else { Vec::new() };
        let reason = coordinator.reason().unwrap_or(reason);
        shared.enter(Phase::Stopping);
        while !self.is_quiet() && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_micros(200));
        }
        let jobs_left = self.pool.close(deadline);
        shared.enter(Phase::Ending);
        // A shard whose actors let it ends at once; one that is held up must not hold up the others for long.
        let deadline = deadline.max(Instant::now() + GRACE);
        while !self.have_ended() && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_micros(200));
        }
        shared.enter(Phase::Over);
        let deadline = deadline.max(Instant::now() + GRACE);
        for thread in &self.threads {
            thread.thread().unpark();
        }
        let mut report = Report {
            ran: self.started.elapsed(),
            reason,
            phases,
            shards: Vec::new(),
            unfinished: Vec::new(),
            jobs_left,
            escalated: shared.escalated(),
        };
        for (shard, thread) in self.threads.drain(..).enumerate() {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::park_timeout(Duration::from_micros(200));
            }
            if !thread.is_finished() {
                report.unfinished.push(shard);
                continue;
            }
            match thread.join() {
                Ok(left) => report.shards.push(left),
                Err(_) => report.unfinished.push(shard),
            }
        }
        self.watchdog = None;
        self.handle.services.extensions.unload();
        report
    }

    /// Nothing waits on any shard, and nothing moved while we looked.
    fn is_quiet(&self) -> bool {
        let gone = |shard: usize| self.threads.get(shard).is_none_or(JoinHandle::is_finished);
        self.handle.shared.is_quiet(gone)
    }

    /// No shard takes another turn.
    fn have_ended(&self) -> bool {
        let posts = &self.handle.shared.posts;
        self.threads
            .iter()
            .zip(posts)
            .all(|(thread, post)| thread.is_finished() || post.ended.load(Ordering::Acquire))
    }
}

impl Deref for System {
    type Target = Handle;
    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            let report = self.end(self.shutdown_within, ShutdownReason::Dropped);
            if !report.is_clean() {
                tracing::warn!(%report, "the system did not end cleanly");
            }
        }
        // What a start that failed has loaded.
        self.handle.services.extensions.unload();
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "System({} shards)", self.handle.shards())
    }
}
