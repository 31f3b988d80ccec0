//! A simulation that runs: the system, its clock, and the way to let time pass.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Address, Group, KernelConfig, ReplyTo, Scope, TellError, Time};

use super::jobs::Jobs;
use super::observer::Observer;
use super::options::Options;
use super::shards::{Link, Shards};
use super::stage::{Entered, Stage};
use super::trace::{Event, Trace};
use super::world::{Moment, World};
use crate::blocking::Pool;
use crate::config::Builder;
use crate::coordinated::ShutdownReason;
use crate::error::{CallError, GatewayAskError, SpawnOnError, StartError};
use crate::extensions::Plan;
use crate::gateway::Gateway;
use crate::host::Host;
use crate::report::Report;
use crate::shared::Phase;
use crate::spawn::On;
use crate::system::{Ground, Handle};

/// What a story uses its simulated system through; see [`Sim::run`](super::Sim::run).
///
/// Nothing happens by itself: telling puts messages on their way, [`run_until_idle`](Simulation::run_until_idle) and its
/// like let them arrive. What waits for an answer (spawning, calling, asking) lets the simulation go on until it is there.
pub struct Simulation {
    stage: Rc<Stage>,
    seed: u64,
    handle: Handle,
    pool: Pool,
    gateway: Option<Gateway>,
    _entered: Entered,
}

impl Simulation {
    pub(super) fn start(
        seed: u64,
        shards: usize,
        options: Options,
        plan: &Plan,
    ) -> Result<Simulation, StartError> {
        if !(1..=corelane_kernel::limits::SHARDS_MAX).contains(&shards) {
            return Err(StartError::Config(format!(
                "a system has 1 to {} shards, not {shards}",
                corelane_kernel::limits::SHARDS_MAX
            )));
        }
        for (what, words, least) in [
            ("budgets", *options.budgets.start() as usize, 1),
            ("lane_words", *options.lane_words.start(), 16),
            ("signal_words", *options.signal_words.start(), 64),
            ("batch_words", *options.batch_words.start(), 64),
            ("outbox_bytes", *options.outbox_bytes.start(), 1),
            ("region_bytes", options.region_bytes, 1 << 20),
        ] {
            if words < least {
                return Err(StartError::Config(format!("{what} is {words}, and must be at least {least}")));
            }
        }
        let stage = Rc::new(Stage::new(seed, options));
        let entered = Entered::new(stage.clone());
        let pool = Pool::new("simulated", 0);
        let (builder, ground) = draw(&stage, &pool);
        let signal_words = ground.signal_words;
        let mut links = Vec::new();
        let (handle, houses) = ground.lay_out(&builder, &vec![None; shards], |words, from, to| {
            // The mesh weaves a lane for messages and one for signals in turn.
            let signals = links.len() % 2 == 1;
            debug_assert!(!signals || words == signal_words);
            let (sender, receiver, link) = Link::new(words, Some(from), to, signals);
            links.push(link);
            (sender, receiver)
        })?;
        for mut link in links {
            link.introduce();
            stage.link(link);
        }
        // A start that fails leaves nothing loaded.
        let extensions = &handle.services.extensions;
        let unload = |_: &StartError| extensions.unload();
        extensions.load(plan, &handle).inspect_err(unload)?;
        let mut workers = Vec::new();
        for (shard, house) in houses.into_iter().enumerate() {
            let mut worker = house.build().inspect_err(unload)?;
            worker.kernel.scope().observe(Observer).map_err(|_| {
                StartError::Config(format!("region_bytes is too small for shard {shard} of {shards}"))
            })?;
            workers.push(worker);
        }
        {
            let mut worlds = stage.worlds();
            (worlds.shards, worlds.jobs) = (Shards::of(workers), Jobs::of(pool.clone()));
        }
        let gateway = handle.gateway().map_err(|error| StartError::Config(error.to_string()))?;
        Ok(Simulation { stage, seed, handle, pool, gateway: Some(gateway), _entered: entered })
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.stage.now()
    }

    /// The system, as threads and actors use it.
    pub fn system(&self) -> &Handle {
        &self.handle
    }

    /// Whether the system was asked to end: by an actor, a failure that was escalated past all supervisors, or a fault
    /// (see [`Options::shutdown_one_in`]). It goes on until the story returns, as a system does until whoever waits for it
    /// shuts it down.
    pub fn is_asked_to_end(&self) -> bool {
        self.handle.is_asked_to_end()
    }

    fn gateway(&mut self) -> &mut Gateway {
        // It is taken at the end only.
        self.gateway.as_mut().expect("a gateway as long as the story runs")
    }

    // --- what is done to the system --------------------------------------------------------------------------------

    /// Spawns a top-level actor on a shard; goes on until it is there.
    ///
    /// # Errors
    /// As [`Handle::spawn_on`].
    pub fn spawn_on<A: Actor>(
        &mut self,
        shard: usize,
        factory: impl FnMut() -> A + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnOnError> {
        self.handle.spawn_on(On::Shard(shard), factory)
    }

    /// Runs a closure on a shard between two steps; goes on until its result is there.
    ///
    /// # Errors
    /// As [`Handle::call`].
    pub fn call<T: Send + 'static>(
        &mut self,
        shard: usize,
        call: impl FnOnce(&mut Scope<'_>) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        self.handle.call(shard, call)
    }

    /// Tells an actor, through a gateway. What is refused is dropped.
    pub fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.gateway().tell(to, message);
    }

    /// Tells an actor, or gives the message back.
    ///
    /// # Errors
    /// As [`Gateway::try_tell`].
    pub fn try_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        self.gateway().try_tell(to, message)
    }

    /// Asks an actor; goes on until the answer is there, at most for `within`.
    ///
    /// # Errors
    /// As [`Gateway::ask`].
    pub fn ask<T: Send + 'static, R: Send + 'static>(
        &mut self,
        to: ActorRef<T>,
        within: Duration,
        question: impl FnOnce(ReplyTo<R>) -> T + Send + 'static,
    ) -> Result<R, GatewayAskError> {
        self.gateway().ask(to, within, question)
    }

    /// Asks an actor to stop.
    pub fn stop(&mut self, actor: impl Into<Address>) {
        let actor = actor.into();
        // A shard that is not there has no actors.
        let _ = self.handle.shared.run_on(actor.place().shard(), move |scope| scope.stop(actor));
    }

    /// Has a shard do nothing for so long, as if the machine had other things to do.
    pub fn stall(&mut self, shard: usize, time: Duration) {
        self.stage.worlds().shards.stall(shard, self.stage.now() + time);
    }

    /// Adds a world.
    pub fn add_world(&mut self, world: impl World + 'static) {
        self.stage.add_world(Box::new(world));
    }

    /// Notes something in the trace.
    pub fn note(&mut self, text: impl fmt::Display) {
        self.stage.add(Event::Note(text.to_string()));
    }

    /// A number below `bound`, from the seed.
    pub fn below(&mut self, bound: usize) -> usize {
        self.stage.dice().index(bound)
    }

    /// What happened so far, if that is kept.
    pub fn events(&self) -> Vec<(Time, Event)> {
        self.stage.tracer().events().to_vec()
    }

    // --- letting time pass -----------------------------------------------------------------------------------------

    /// Lets the next event happen. Says whether there was one.
    pub fn step(&mut self) -> bool {
        self.stage.advance(Time::MAX)
    }

    /// Goes on until nothing is under way: every message has arrived, every job is done, every shard sleeps. What is left
    /// are timers that are not due yet.
    ///
    /// # Panics
    /// If that takes more events than [`Options::events_max`].
    pub fn run_until_idle(&mut self) {
        while !self.stage.is_idle() {
            self.stage.advance(Time::MAX);
        }
    }

    /// Lets time pass: all that happens in it happens.
    pub fn run_for(&mut self, time: Duration) {
        self.stage.run_until(Some(time), || false);
    }

    /// Goes on until `done`, at most for `within`. Says whether it is done.
    pub fn run_until(&mut self, within: Duration, mut done: impl FnMut() -> bool) -> bool {
        self.stage.run_until(Some(within), &mut done);
        done()
    }

    /// Goes on until a future is ready, such as that of [`Gateway::ask_future`], and gives its output.
    ///
    /// # Panics
    /// If nothing is left that could make it ready.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Release);
            }
        }
        let mut future = pin!(future);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(flag.clone());
        loop {
            self.stage.run_until(None, || flag.0.swap(false, Ordering::AcqRel));
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
        }
    }

    // --- the end -----------------------------------------------------------------------------------------------------

    /// Ends the system as [`System::shutdown`](crate::System::shutdown) does, the tasks of its coordinated shutdown first.
    pub(super) fn finish(&mut self) -> Trace {
        let (stage, shared) = (self.stage.clone(), self.handle.shared.clone());
        self.gateway = None;
        self.handle.request_shutdown();
        let within = stage.options().shutdown_within;
        let until = stage.now() + within;
        let phases = self.handle.services.coordinator.run(shared.host, shared.host.deadline(within));
        shared.enter(Phase::Stopping);
        let left = |stage: &Stage| Some(until.since(stage.now()));
        stage.run_until(left(&stage), || {
            let worlds = stage.worlds();
            shared.is_quiet(|shard| worlds.shards.has_ended(shard))
        });
        let jobs_left = self.pool.close(std::time::Instant::now());
        let moment = Moment { stage: &stage };
        // What was begun is finished.
        stage.run_until(left(&stage), || stage.worlds().jobs.is_idle(&moment));
        shared.enter(Phase::Ending);
        stage.run_until(Some(within), || stage.worlds().shards.have_ended());
        shared.enter(Phase::Over);
        let (shards, unfinished) = stage.worlds().shards.tear_down(&moment);
        let ran = stage.now().since(Time::ZERO);
        let services = &self.handle.services;
        services.extensions.unload();
        let reason = services.coordinator.reason().unwrap_or(ShutdownReason::Requested);
        let escalated = shared.escalated();
        let report = Report { ran, reason, phases, shards, unfinished, jobs_left, escalated };
        let tracer = std::mem::replace(&mut *stage.tracer(), super::trace::Tracer::new(false));
        tracer.finish(self.seed, stage.now(), report)
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // The stage is up until all that may look for it is gone.
        self.gateway = None;
        let worlds = self.stage.take_worlds();
        drop(worlds);
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Simulation(seed {}, {:?})", self.seed, self.now())
    }
}

/// What is drawn once: how the kernels are built.
fn draw(stage: &Stage, pool: &Pool) -> (Builder, Ground) {
    let options = stage.options();
    let mut dice = stage.dice();
    // Zero would ask for one that is not drawn.
    let seed = dice.roll() | 1;
    let mut size = |from: usize, to: usize| {
        // Small sizes as likely as large ones.
        let range = from.ilog2() as u64..=to.max(from).ilog2() as u64;
        (1usize << dice.between(&range)).clamp(from, to.max(from))
    };
    let mut budget = || size(*options.budgets.start() as usize, *options.budgets.end() as usize) as u32;
    let mut kernel = KernelConfig {
        generations: options.generations,
        supervision: options.supervision,
        seed,
        ..KernelConfig::default()
    };
    for group in Group::ROUND {
        kernel.shares[group as usize] = budget();
    }
    kernel.budget = budget();
    kernel.batch_words = size(*options.batch_words.start(), *options.batch_words.end());
    kernel.outbox_bytes = size(*options.outbox_bytes.start(), *options.outbox_bytes.end());
    let lane_words = size(*options.lane_words.start(), *options.lane_words.end());
    let signal_words = size(*options.signal_words.start(), *options.signal_words.end());
    let builder = Builder {
        lane_bytes: lane_words * 8,
        gateway_bytes: lane_words * 8,
        kernel,
        log_letters: 0,
        ..Builder::default()
    };
    let ground = Ground {
        host: Host::Simulation,
        may_spin: false,
        signal_words,
        region: options.region_bytes,
        pool: pool.clone(),
    };
    (builder, ground)
}
