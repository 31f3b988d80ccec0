//! A system's handle: what threads and actors use the system through. It keeps nothing alive.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use corelane_kernel::{Actor, ActorRef, DeadLetter, Scope};

use crate::coordinated::ShutdownReason;
use crate::deploy::Deployments;
use crate::error::{CallError, SpawnOnError};
use crate::gateway::Gateway;
use crate::report::ShardStats;
use crate::services::Services;
use crate::shared::{Phase, Shared};
use crate::spawn::On;

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

impl Handle {
    pub(crate) fn new(
        shared: Arc<Shared>,
        services: Arc<Services>,
        deployments: Arc<Deployments>,
        gateway_bytes: usize,
    ) -> Handle {
        let asked = Arc::new(Asked { flag: Mutex::new(false), changed: Condvar::new() });
        Handle { shared, services, deployments, gateway_bytes, asked }
    }

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

    /// Whether a shard is lost, with all who lived there: its thread has ended by a panic that nobody caught. So are all at the
    /// end of the system.
    pub fn is_lost(&self, shard: usize) -> bool {
        self.shared.is_lost(shard)
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

    /// Asks whoever waits in [`System::wait`](crate::System::wait) to shut the system down. May be called from anywhere.
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

    pub(crate) fn wait_until_asked(&self) {
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
