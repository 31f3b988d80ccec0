//! A host of a simulation: a whole system of its own, with its shards, its blocking pool and its way in.
//!
//! A simulation has one from the start, which lives as long as it does. Others come and go: they are shut down in order, or
//! they crash, as a process does that is killed: whatever it was about to do is not done.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use corelane_kernel::{
    Actor, ActorRef, Address, Group, KernelConfig, Place, ReplyTo, Scope, TellError, Time,
};

use super::jobs::Jobs;
use super::observer::Observer;
use super::options::Options;
use super::shards::{Link, Shards};
use super::stage::{Home, Stage};
use super::world::Moment;
use crate::blocking::Pool;
use crate::config::Builder;
use crate::coordinated::ShutdownReason;
use crate::error::{BoxError, CallError, GatewayAskError, SpawnOnError, StartError};
use crate::extensions::{Extension, Loading, Plan};
use crate::gateway::Gateway;
use crate::handle::Handle;
use crate::house::Ground;
use crate::report::Report;
use crate::shared::Phase;
use crate::spawn::On;

/// A system to be, on a host of its own: how many shards, and which extensions. See
/// [`Simulation::start_host`](super::Simulation::start_host).
#[derive(Clone, Debug)]
#[must_use = "a host does nothing until it is started"]
pub struct HostPlan {
    pub(super) shards: usize,
    pub(super) extensions: Plan,
}

impl HostPlan {
    /// A system of so many shards.
    pub fn new(shards: usize) -> HostPlan {
        HostPlan { shards, extensions: Plan::default() }
    }

    /// Loads an extension, as [`Builder::extension`](crate::Builder::extension) does.
    pub fn extension<X: Extension>(
        mut self,
        make: impl Fn(&Loading<'_>) -> Result<X, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.extensions.want(make);
        self
    }
}

/// A system of a simulation, beside the one that each has from the start: as on another host. Nothing leads from one to the
/// other but what extensions bring: a simulated network, say.
///
/// Started by [`Simulation::start_host`](super::Simulation::start_host), and used as the simulation is. Dropping it is a
/// [crash](Host::crash).
///
/// ```
/// # use corelane_kernel::{Actor, Ctx, Outcome};
/// use corelane_shard::sim::{HostPlan, Sim};
/// # struct Idler;
/// # impl Actor for Idler {
/// #     type Msg = u64;
/// #     fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// # }
/// let trace = Sim::new(1).shards(1).run(|sim| {
///     let mut far = sim.start_host(HostPlan::new(2))?;
///     let idler = far.spawn_on(1, || Idler)?;
///     far.tell(idler, 7);
///     sim.run_until_idle();
///     far.crash();
///     let mut again = sim.start_host(HostPlan::new(2))?;
///     // Nobody is there whom the former life knew.
///     assert!(again.try_tell(idler, 8).is_err());
///     Ok(())
/// })?;
/// assert_eq!(trace.messages, 1);
/// # Ok::<(), corelane_shard::sim::SimError>(())
/// ```
pub struct Host {
    stage: Rc<Stage>,
    number: usize,
    started: Time,
    handle: Handle,
    pool: Pool,
    gateway: Option<Gateway>,
    /// It was shut down.
    over: bool,
}

impl Host {
    pub(super) fn start(stage: &Rc<Stage>, shards: usize, plan: &Plan) -> Result<Host, StartError> {
        if !(1..=corelane_kernel::limits::SHARDS_MAX).contains(&shards) {
            return Err(StartError::Config(format!(
                "a system has 1 to {} shards, not {shards}",
                corelane_kernel::limits::SHARDS_MAX
            )));
        }
        check(stage.options())?;
        let pool = Pool::new("simulated", 0);
        let (builder, ground) = draw(stage, &pool);
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
        let number = stage.settle(handle.shared.posts[0].place.realm());
        for mut link in links {
            link.introduce();
            stage.link(number, link);
        }
        // A start that fails is undone when this is dropped.
        let mut host = Host {
            stage: stage.clone(),
            number,
            started: stage.now(),
            handle: handle.clone(),
            pool: pool.clone(),
            gateway: None,
            over: false,
        };
        handle.services.extensions.load(plan, &handle)?;
        let mut workers = Vec::new();
        for (shard, house) in houses.into_iter().enumerate() {
            let mut worker = house.build()?;
            worker.kernel.scope().observe(Observer { host: number, shard }).map_err(|_| {
                StartError::Config(format!("region_bytes is too small for shard {shard} of {shards}"))
            })?;
            workers.push(worker);
        }
        {
            let mut worlds = stage.worlds();
            if worlds.homes.len() <= number {
                worlds.homes.resize_with(number + 1, Home::default);
            }
            worlds.homes[number] =
                Home { shards: Shards::of(number, workers, stage.now()), jobs: Jobs::of(pool) };
        }
        let gateway = handle.gateway().map_err(|error| StartError::Config(error.to_string()))?;
        host.gateway = Some(gateway);
        Ok(host)
    }

    /// Its number in the [trace](super::Trace). That of one that is gone may be given again.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The system, as threads and actors use it.
    pub fn system(&self) -> &Handle {
        &self.handle
    }

    /// Whether the system was asked to end; see [`Simulation::is_asked_to_end`](super::Simulation::is_asked_to_end).
    pub fn is_asked_to_end(&self) -> bool {
        self.handle.is_asked_to_end()
    }

    /// Whether a place is on this host.
    pub fn is_at(&self, place: Place) -> bool {
        self.handle.shared.posts[0].place.same_realm(place)
    }

    fn gateway(&mut self) -> &mut Gateway {
        // It is taken at the end only.
        self.gateway.as_mut().expect("a gateway as long as the host runs")
    }

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

    /// Tells an actor of this host, through a gateway. What is refused is dropped.
    pub fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.gateway().tell(to, message);
    }

    /// Tells an actor of this host, or gives the message back.
    ///
    /// # Errors
    /// As [`Gateway::try_tell`].
    pub fn try_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        self.gateway().try_tell(to, message)
    }

    /// Asks an actor of this host; goes on until the answer is there, at most for `within`.
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

    /// Asks an actor of this host to stop.
    pub fn stop(&mut self, actor: impl Into<Address>) {
        let actor = actor.into();
        // A shard that is not there has no actors.
        let _ = self.handle.shared.run_on(actor.place().shard(), move |scope| scope.stop(actor));
    }

    /// Has a shard do nothing for so long, as if the machine had other things to do.
    pub fn stall(&mut self, shard: usize, time: Duration) {
        if let Some(home) = self.stage.worlds().homes.get_mut(self.number) {
            home.shards.stall(shard, self.stage.now() + time);
        }
    }

    /// Has a shard be lost, with all who live there; see [`Simulation::lose_shard`](super::Simulation::lose_shard).
    pub fn lose_shard(&mut self, shard: usize) -> bool {
        let mut worlds = self.stage.worlds();
        let home = worlds.homes.get_mut(self.number);
        home.is_some_and(|home| home.shards.lose(shard, &Moment { stage: &self.stage }))
    }

    /// Whether a shard is lost.
    pub fn is_lost(&self, shard: usize) -> bool {
        self.stage.worlds().homes.get(self.number).is_some_and(|home| home.shards.is_lost(shard))
    }

    // --- the end -----------------------------------------------------------------------------------------------------

    /// Ends the system as [`System::shutdown`](crate::System::shutdown) does, the tasks of its coordinated shutdown first.
    /// All other hosts go on meanwhile.
    pub fn shut_down(mut self) -> Report {
        self.finish()
    }

    /// The process is gone, from one moment to the next: nothing that waits is handled, no hook is run, and nobody is told
    /// but by what the operating system does (it closes sockets). What was in memory is dropped.
    pub fn crash(self) {}

    pub(super) fn finish(&mut self) -> Report {
        let (stage, shared, number) = (self.stage.clone(), self.handle.shared.clone(), self.number);
        self.gateway = None;
        self.handle.request_shutdown();
        let within = stage.options().shutdown_within;
        let until = stage.now() + within;
        let phases = self.handle.services.coordinator.run(shared.host, shared.host.deadline(within));
        shared.enter(Phase::Stopping);
        let left = |stage: &Stage| Some(until.since(stage.now()));
        stage.run_until(left(&stage), || {
            let worlds = stage.worlds();
            shared.is_quiet(|shard| worlds.homes[number].shards.has_ended(shard))
        });
        let jobs_left = self.pool.close(Instant::now());
        let moment = Moment { stage: &stage };
        // What was begun is finished.
        stage.run_until(left(&stage), || {
            super::world::World::is_idle(&mut stage.worlds().homes[number].jobs, &moment)
        });
        shared.enter(Phase::Ending);
        stage.run_until(Some(within), || stage.worlds().homes[number].shards.have_ended());
        shared.enter(Phase::Over);
        let (shards, unfinished) = stage.worlds().homes[number].shards.tear_down(&moment);
        self.over = true;
        let ran = stage.now().since(self.started);
        let services = &self.handle.services;
        services.extensions.unload();
        let reason = services.coordinator.reason().unwrap_or(ShutdownReason::Requested);
        let escalated = shared.escalated();
        stage.vacate(number);
        Report { ran, reason, phases, shards, unfinished, jobs_left, escalated }
    }

    /// As dropping it does.
    pub(super) fn end(&mut self) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.gateway = None;
        let shared = &self.handle.shared;
        shared.enter(Phase::Over);
        self.pool.close(Instant::now());
        let (stage, number) = (&self.stage, self.number);
        // Where the simulation is gone already, so are the worlds.
        if super::stage::try_current().is_some_and(|current| Rc::ptr_eq(&current, stage)) {
            let mut worlds = stage.worlds();
            if let Some(home) = worlds.homes.get_mut(number) {
                home.shards.tear_down(&Moment { stage });
                *home = Home::default();
            }
            stage.vacate(number);
        }
        self.handle.services.extensions.unload();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({}, {} shards)", self.number, self.handle.shards())
    }
}

fn check(options: &Options) -> Result<(), StartError> {
    for (what, words, least) in [
        ("budgets", *options.budgets.start() as usize, 1),
        ("lane_words", *options.lane_words.start(), 16),
        ("signal_words", *options.signal_words.start(), 64),
        ("batch_words", *options.batch_words.start(), 64),
        ("outbox_bytes", *options.outbox_bytes.start(), 1),
        ("region_bytes", options.region_bytes, 64 << 10),
    ] {
        if words < least {
            return Err(StartError::Config(format!("{what} is {words}, and must be at least {least}")));
        }
    }
    Ok(())
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
        host: crate::host::Host::Simulation,
        may_spin: false,
        signal_words,
        region: options.region_bytes,
        pool: pool.clone(),
    };
    (builder, ground)
}
