//! The system: shards that run, and the way to use and to end them.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use corelane_kernel::{Actor, ActorRef, DeadLetter, LaneReceiver, LaneSender, Place, Scope, Seat, lane};

use crate::blocking::Pool;
use crate::clock::Clock;
use crate::config::Builder;
use crate::coordinated::ShutdownReason;
use crate::deploy::Deployments;
use crate::drive::Berth;
use crate::error::{CallError, SpawnOnError, StartError};
use crate::future::Executor;
use crate::gateway::Gateway;
use crate::host::{Deadline, Host};
use crate::idle::Idler;
use crate::inbox::Inbox;
use crate::local::Local;
use crate::log::Log;
use crate::memory::{Housed, HousingError};
use crate::mesh::{self, Corner};
use crate::report::{Report, ShardReport, ShardStats};
use crate::services::Services;
use crate::shared::{Gauges, Phase, Post, Shared};
use crate::spawn::On;
use crate::stall::{Pulse, Watchdog};
use crate::topology::{Plan, pin_current_thread};
use crate::turn::Worker;
use crate::unwind::guard;
use crate::wake::Wake;

/// Words of the lane for signals between two shards.
pub(crate) const SIGNAL_WORDS: usize = 1024;

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

/// A system's handle: what threads and actors use it through. Cheap to clone; keeps nothing alive.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) services: Arc<Services>,
    pub(crate) deployments: Arc<Deployments>,
    gateway_bytes: usize,
    asked: Arc<Asked>,
}

/// Whether somebody asked for the system's end.
struct Asked {
    flag: Mutex<bool>,
    changed: Condvar,
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

impl Handle {
    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.shared.posts.len()
    }

    /// Whether the end has begun.
    pub fn is_shutting_down(&self) -> bool {
        self.shared.phase() != Phase::Running
    }

    /// A way in for one thread; see [`Gateway`].
    ///
    /// # Errors
    /// [`CallError::ShuttingDown`].
    pub fn gateway(&self) -> Result<Gateway, CallError> {
        Gateway::open(&self.shared, self.gateway_bytes, self.services.reader())
    }

    /// Runs a closure on a shard, between turns, and blocks until its result is there. Must not be called from an
    /// actor: it would hold up its core, and on the same shard wait for itself, for ever.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call<T: Send + 'static>(
        &self,
        shard: usize,
        call: impl FnOnce(&mut Scope<'_>) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let (sender, receiver) = oneshot::channel();
        self.shared.run_on(shard, move |scope| {
            // The caller waits; if its thread is gone all the same, nobody wants the result.
            let _ = sender.send(call(scope));
        })?;
        let answered = || receiver.has_message() || receiver.is_closed();
        self.shared.host.simulate_until(None, answered);
        let lost = || self.shared.posts.get(shard).is_some_and(|post| post.inbox.is_closed());
        receiver.recv().map_err(|_| match self.shared.phase() {
            Phase::Running if lost() => CallError::ShardLost,
            Phase::Running => CallError::Panicked,
            _ => CallError::ShuttingDown,
        })
    }

    /// Runs a closure on a shard, between turns, and does not wait for it: from any thread, also from an actor. A system that
    /// shuts down may drop the closure instead.
    ///
    /// # Errors
    /// [`CallError`]; the closure is dropped.
    pub fn run_on(
        &self,
        shard: usize,
        call: impl FnOnce(&mut Scope<'_>) + Send + 'static,
    ) -> Result<(), CallError> {
        self.shared.run_on(shard, call)
    }

    /// Runs blocking `work` on the system's pool, and does not wait for it: from any thread. An actor has
    /// [`ShardCtx::offload`](crate::ShardCtx::offload), which tells it the result. A system that shuts down may drop the closure
    /// instead.
    pub fn offload(&self, work: impl FnOnce() + Send + 'static) {
        // Nobody waits for a result.
        drop(self.services.coordinator.pool.run(work));
    }

    /// Spawns a top-level actor on some shard, one after the other; blocks until it is there. Must not be called from
    /// an actor: use [`ShardCtx::spawn_on`](crate::ShardCtx::spawn_on) there.
    ///
    /// # Errors
    /// [`SpawnOnError`]; the factory is dropped.
    pub fn spawn<A: Actor>(
        &self,
        factory: impl FnMut() -> A + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnOnError> {
        self.spawn_on(On::Spread, factory)
    }

    /// Spawns a top-level actor where `on` says; blocks until it is there. Must not be called from an actor.
    ///
    /// # Errors
    /// [`SpawnOnError`]; the factory is dropped.
    pub fn spawn_on<A: Actor>(
        &self,
        on: On,
        factory: impl FnMut() -> A + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnOnError> {
        Ok(self.call(on.choose(&self.shared), move |scope| scope.spawn_from(factory))??)
    }

    /// Tells an actor of every dead letter of every shard from now on, as long as it can keep up. Blocks until each shard
    /// knows, so that of what is told afterwards none is missed (an [`EventStream`](crate::EventStream) subscription may
    /// miss some). Must not be called from an actor.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn subscribe_dead_letters(&self, subscriber: ActorRef<DeadLetter>) -> Result<(), CallError> {
        for shard in 0..self.shards() {
            self.call(shard, move |scope| scope.subscribe_dead_letters(subscriber).is_ok())?;
        }
        Ok(())
    }

    /// Each shard's counts and levels, as it last published them: at least every thousand busy turns, and whenever it
    /// falls asleep.
    pub fn stats(&self) -> Vec<ShardStats> {
        let posts = self.shared.posts.iter().enumerate();
        posts
            .map(|(shard, post)| {
                let gauge = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
                let gauges = &post.gauges;
                ShardStats {
                    shard,
                    core: post.core,
                    actors: gauge(&gauges.actors),
                    handled: gauge(&gauges.handled),
                    spawned: gauge(&gauges.spawned),
                    failed: gauge(&gauges.failed),
                    restarted: gauge(&gauges.restarted),
                    dead_letters: gauge(&gauges.dead_letters),
                    used_bytes: gauge(&gauges.used_bytes),
                    region_bytes: gauge(&gauges.region_bytes),
                    stalls: post.pulse.stalls(),
                    turns: gauge(&gauges.turns),
                    sleeps: gauge(&gauges.sleeps),
                }
            })
            .collect()
    }

    /// Messages that gateways could not deliver and dropped.
    pub fn gateway_dead_letters(&self) -> u64 {
        self.shared.gateway_letters.load(Ordering::Relaxed)
    }

    /// Asks whoever waits in [`System::wait`] to shut the system down. May be called from anywhere.
    /// [`CoordinatedShutdown::request`](crate::CoordinatedShutdown::request) does so for a reason.
    pub fn request_shutdown(&self) {
        self.services.coordinator.note(ShutdownReason::Requested);
        *self.asked.flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.asked.changed.notify_all();
    }

    /// Whether somebody has asked for the end already.
    pub(crate) fn is_asked_to_end(&self) -> bool {
        *self.asked.flag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until_asked(&self) {
        let mut asked = self.asked.flag.lock().unwrap_or_else(PoisonError::into_inner);
        while !*asked {
            asked = self.asked.changed.wait(asked).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({} shards)", self.shards())
    }
}

/// What a system stands on.
pub(crate) struct Ground {
    pub(crate) host: Host,
    pub(crate) may_spin: bool,
    pub(crate) signal_words: usize,
    /// Bytes of each shard's region.
    pub(crate) region: usize,
    pub(crate) pool: Pool,
}

impl Ground {
    /// What the shards on these cores share, and what each of them is built from. `lane` makes a lane of so many words
    /// from one shard to another.
    pub(crate) fn lay_out(
        self,
        builder: &Builder,
        cores: &[Option<usize>],
        lane: impl FnMut(usize, usize, usize) -> (LaneSender, LaneReceiver),
    ) -> Result<(Handle, Vec<House>), StartError> {
        let clock = Clock::new();
        let sleepless = Idler::is_sleepless(builder.idle, self.may_spin);
        let seats: Vec<Seat> = Seat::realm(cores.len())?.collect();
        let places: Vec<Place> = seats.iter().map(Seat::place).collect();
        let posts = cores.iter().zip(&places).map(|(core, place)| Post {
            place: *place,
            core: *core,
            wake: Wake::new(sleepless),
            inbox: Inbox::new(),
            gauges: Gauges::default(),
            pulse: Pulse::default().into(),
            told: AtomicU64::new(0),
            quiet: AtomicU64::new(0),
            active_turns: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::new(Shared::new(clock, self.host, posts.collect(), self.may_spin));
        let corners = mesh::weave(&places, builder.lane_bytes / 8, self.signal_words, lane);
        let asked = Arc::new(Asked { flag: Mutex::new(false), changed: Condvar::new() });
        let services = Arc::new(Services::new(&shared, &builder.phases, self.pool.clone())?);
        let deployments = Deployments::new(&builder.decisions, cores.len()).map_err(StartError::Config)?;
        let deployments = Arc::new(deployments);
        let handle = Handle { shared, services, deployments, gateway_bytes: builder.gateway_bytes, asked };
        let houses = seats.into_iter().zip(corners).enumerate().map(|(shard, (seat, corner))| House {
            shard,
            shards: cores.len(),
            seat,
            corner,
            region: self.region,
            builder: builder.clone(),
            handle: handle.clone(),
            pool: self.pool.clone(),
        });
        let houses = houses.collect();
        Ok((handle, houses))
    }
}

/// What a shard is built from.
pub(crate) struct House {
    shard: usize,
    shards: usize,
    seat: Seat,
    corner: Corner,
    region: usize,
    builder: Builder,
    handle: Handle,
    pool: Pool,
}

/// A shard's thread ends when it is dropped: see [`Shared::leave`].
struct Leaving {
    shared: Arc<Shared>,
    shard: usize,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.shared.leave(self.shard);
    }
}

impl House {
    fn run(self, ready: &mpsc::Sender<Result<(), StartError>>) -> ShardReport {
        let (shard, shared) = (self.shard, self.handle.shared.clone());
        // Whatever ends this thread: it wakes the others when the kernel is dropped, to hear the farewell.
        let _leaving = Leaving { shared: shared.clone(), shard };
        shared.posts[shard].wake.settle();
        crate::panics::limit_on_this_thread();
        let built = self.build();
        let mut worker = match built {
            Ok(built) => built,
            Err(error) => {
                // The starter is listening until all have answered.
                let _ = ready.send(Err(error));
                return ShardReport {
                    shard,
                    core: None,
                    handled: 0,
                    actors_left: 0,
                    requests_left: 0,
                    futures_left: 0,
                    dead_letters: corelane_kernel::DeadReason::ALL.map(|reason| (reason, 0)),
                };
            }
        };
        shared.posts[shard].pulse.show(worker.kernel.lookout());
        let _ = ready.send(Ok(()));
        let report = worker.run();
        // What is still in the kernel is dropped here, on its own thread; a drop that panics must not lose the report.
        if let Err(failure) = guard(move || drop(worker)) {
            tracing::error!(shard, %failure, "dropping what was left panicked");
        }
        report
    }

    /// Called on the thread that will run the shard.
    pub(crate) fn build(self) -> Result<Worker, StartError> {
        let shard = self.shard;
        let shared = self.handle.shared.clone();
        let post = &shared.posts[shard];
        if let Some(core) = post.core {
            pin_current_thread(core).map_err(|error| StartError::Pin { shard, error })?;
        }
        let config = self.builder.kernel.clone();
        let mut housed =
            Housed::new(self.region, config, self.seat, self.shards).map_err(|error| match error {
                HousingError::Memory(error) => StartError::System { shard, error },
                HousingError::Kernel(error) => StartError::Kernel { shard, error },
            })?;
        let too_small = || {
            StartError::Config(format!(
                "region_bytes is {}, too small for {} shards",
                self.region, self.shards
            ))
        };
        self.corner.furnish(&mut housed).ok_or_else(too_small)?;
        let executor = Executor::new(self.handle.shared.clone(), shard);
        let local = Local {
            handle: self.handle.clone(),
            shard,
            executor: executor.clone(),
            pool: self.pool.clone(),
            driver: Berth::Free,
        };
        housed.set_extension(local).map_err(|_| too_small())?;
        let log = Log::new(shard, self.builder.log_letters);
        housed.scope().observe(log).map_err(|_| too_small())?;
        let services = &self.handle.services;
        services.furnish(&mut housed, &self.handle.deployments).map_err(|_| too_small())?;
        services.extensions.make_parts(&mut housed, shard)?;
        let driver = housed.scope().extension::<Local>().and_then(|local| local.driver.close());
        if let Some(driver) = &driver {
            post.wake.settle_elsewhere(driver.waker());
        }
        let idler = Idler::new(self.builder.idle, shared.may_spin, shared.clock.now());
        Ok(Worker {
            shared,
            handle: self.handle,
            shard,
            executor,
            idler,
            orphans: false,
            kernel: housed,
            driver,
        })
    }
}
