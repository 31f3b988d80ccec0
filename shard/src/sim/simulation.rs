//! A simulation that runs: the system, its clock, and the way to let time pass.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Address, ReplyTo, Scope, TellError, Time};

use super::host::{Host, HostPlan};
use super::options::Options;
use super::stage::{Entered, News, Stage};
use super::trace::{Event, Trace};
use super::world::World;
use crate::error::{CallError, GatewayAskError, SpawnOnError, StartError};
use crate::extensions::Plan;
use crate::handle::Handle;

/// What a story uses its simulated system through; see [`Sim::run`](super::Sim::run).
///
/// Nothing happens by itself: telling puts messages on their way, [`run_until_idle`](Simulation::run_until_idle) and its
/// like let them arrive. What waits for an answer (spawning, calling, asking) lets the simulation go on until it is there.
pub struct Simulation {
    stage: Rc<Stage>,
    seed: u64,
    host: Host,
    _entered: Entered,
}

impl Simulation {
    pub(super) fn start(
        seed: u64,
        shards: usize,
        options: Options,
        plan: &Plan,
    ) -> Result<Simulation, StartError> {
        let stage = Rc::new(Stage::new(seed, options));
        let entered = Entered::new(stage.clone());
        let host = Host::start(&stage, shards, plan)?;
        Ok(Simulation { stage, seed, host, _entered: entered })
    }

    /// The seed from which all is drawn: the same one makes the same happen.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The virtual time. It stands still but in the calls that let something happen.
    pub fn now(&self) -> Time {
        self.stage.now()
    }

    /// The system, as threads and actors use it.
    pub fn system(&self) -> &Handle {
        self.host.system()
    }

    /// Whether the system was asked to end: by an actor, a failure that was escalated past all supervisors, or a fault
    /// (see [`Options::shutdown_one_in`]). It goes on until the story returns, as a system does until whoever waits for it
    /// shuts it down.
    pub fn is_asked_to_end(&self) -> bool {
        self.host.is_asked_to_end()
    }

    /// Starts a further system, as on another host. It is gone when what is given is dropped.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start_host(&mut self, plan: HostPlan) -> Result<Host, StartError> {
        Host::start(&self.stage, plan.shards, &plan.extensions)
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
        self.host.spawn_on(shard, factory)
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
        self.host.call(shard, call)
    }

    /// Tells an actor, through a gateway. What is refused is dropped.
    pub fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.host.tell(to, message);
    }

    /// Tells an actor, or gives the message back.
    ///
    /// # Errors
    /// As [`Gateway::try_tell`](crate::Gateway::try_tell).
    pub fn try_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        self.host.try_tell(to, message)
    }

    /// Asks an actor; goes on until the answer is there, at most for `within`.
    ///
    /// # Errors
    /// As [`Gateway::ask`](crate::Gateway::ask).
    pub fn ask<T: Send + 'static, R: Send + 'static>(
        &mut self,
        to: ActorRef<T>,
        within: Duration,
        question: impl FnOnce(ReplyTo<R>) -> T + Send + 'static,
    ) -> Result<R, GatewayAskError> {
        self.host.ask(to, within, question)
    }

    /// Asks an actor to stop, as [`Scope::stop`] does, on its own shard. One that is gone already is passed over.
    pub fn stop(&mut self, actor: impl Into<Address>) {
        self.host.stop(actor);
    }

    /// Has a shard do nothing for so long, as if the machine had other things to do.
    pub fn stall(&mut self, shard: usize, time: Duration) {
        self.host.stall(shard, time);
    }

    /// Has a shard be lost, with all who live there, as if its thread had ended by a panic that nobody caught: nothing of it is
    /// run any more, not even a hook, and what it had not published yet goes as far as lanes have room. Says whether there was
    /// such a shard.
    pub fn lose_shard(&mut self, shard: usize) -> bool {
        self.host.lose_shard(shard)
    }

    /// Whether a shard is lost: by a fault (see [`Options::shard_loss_one_in`]), or by [`Simulation::lose_shard`].
    pub fn is_lost(&self, shard: usize) -> bool {
        self.host.is_lost(shard)
    }

    /// Calls `herald` with what befalls the simulation's own system, when it does.
    pub(super) fn on_news(&mut self, herald: impl Fn(News) + 'static) {
        self.stage.on_news(Box::new(herald));
    }

    /// Adds a [world](World): a network, a disk, whatever has events of its own beside the shards. It takes part from here on.
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

    /// Goes on until a future is ready, such as that of [`Gateway::ask_future`](crate::Gateway::ask_future), and gives its output.
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

    /// Ends the simulation's own system as [`System::shutdown`](crate::System::shutdown) does.
    pub(super) fn finish(&mut self) -> Trace {
        let report = self.host.finish();
        let tracer = std::mem::replace(&mut *self.stage.tracer(), super::trace::Tracer::new(false));
        tracer.finish(self.seed, self.stage.now(), report)
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // The stage is up until all that may look for it is gone.
        self.host.end();
        let worlds = self.stage.take_worlds();
        drop(worlds);
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Simulation(seed {}, {:?})", self.seed, self.now())
    }
}
