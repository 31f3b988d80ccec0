//! What the tests of this folder share: small systems, an actor that does as it is told, channels that fail a test
//! instead of hanging it, and values that are counted as they are dropped.

#![allow(dead_code)]

pub(crate) mod lines;
pub(crate) mod routee;

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, Directive, Failure, KernelConfig, Outcome, StopReason, Strategy,
    Terminated,
};
use corelane_shard::{Builder, Gateway, Handle, On, Report, System};

/// Longer than anything here takes on a busy machine; only a test that fails waits so long.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A system of this many shards that leaves room for other tests: unpinned, 16 MiB each. Who fails at its top is stopped.
pub(crate) fn builder(shards: usize) -> Builder {
    System::builder()
        .shards(shards)
        .pinned(false)
        .region_bytes(16 << 20)
        .log_dead_letters(0)
        .kernel(KernelConfig { supervision: Strategy::stopping(), ..KernelConfig::default() })
        .shutdown_within(LONG)
}

pub(crate) fn system(shards: usize) -> System {
    builder(shards).start().expect("a system")
}

/// Ends a system that must end in order.
pub(crate) fn end(system: System) -> Report {
    let report = system.shutdown(LONG);
    assert!(report.is_clean(), "{report}");
    report
}

/// How many actors live on each shard.
pub(crate) fn actors(system: &Handle) -> Vec<u64> {
    let actors = |shard| system.call(shard, |scope| scope.stats().actors).expect("a call");
    (0..system.shards()).map(actors).collect()
}

/// What a channel gives next.
pub(crate) fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(LONG).expect("something on the channel in time")
}

/// Calls `look` until it gives something. Between two looks other threads run; a test that would wait for ever fails.
pub(crate) fn await_some<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "what is awaited comes in time");
        std::thread::yield_now();
    }
}

/// What is told to a [`Puppet`]: a closure that it runs.
pub(crate) struct Job(Work);

type Work = Box<dyn FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) -> Outcome + Send>;

impl Job {
    pub(crate) fn new(job: impl FnOnce(&mut Ctx<'_, Puppet>) -> Outcome + Send + 'static) -> Job {
        Job(Box::new(|_, ctx| job(ctx)))
    }

    /// One that always succeeds.
    pub(crate) fn run(job: impl FnOnce(&mut Ctx<'_, Puppet>) + Send + 'static) -> Job {
        Job::new(|ctx| {
            job(ctx);
            Ok(())
        })
    }
}

impl From<()> for Job {
    /// Nothing to do.
    fn from((): ()) -> Job {
        Job::run(|_| ())
    }
}

type Start = Box<dyn FnMut(&mut Ctx<'_, Puppet>) -> Outcome + Send>;
type Hook = Box<dyn FnMut(&mut Ctx<'_, Puppet>) + Send>;

/// An actor that runs the closures it is told, and passes on the notices that it gets.
#[derive(Default)]
pub(crate) struct Puppet {
    notices: Option<Sender<Terminated>>,
    failures: Option<Sender<(Address, Failure)>>,
    started: Option<Start>,
    stopped: Option<Hook>,
    /// Dropped with the state.
    held: Option<Box<dyn Send>>,
}

impl Puppet {
    pub(crate) fn notices(mut self, to: Sender<Terminated>) -> Puppet {
        self.notices = Some(to);
        self
    }

    pub(crate) fn failures(mut self, to: Sender<(Address, Failure)>) -> Puppet {
        self.failures = Some(to);
        self
    }

    pub(crate) fn started(
        mut self,
        hook: impl FnMut(&mut Ctx<'_, Puppet>) -> Outcome + Send + 'static,
    ) -> Puppet {
        self.started = Some(Box::new(hook));
        self
    }

    pub(crate) fn stopped(mut self, hook: impl FnMut(&mut Ctx<'_, Puppet>) + Send + 'static) -> Puppet {
        self.stopped = Some(Box::new(hook));
        self
    }

    pub(crate) fn holds(mut self, value: impl Send + 'static) -> Puppet {
        self.held = Some(Box::new(value));
        self
    }

    /// Spawns this one.
    pub(crate) fn on(self, system: &Handle, shard: usize) -> ActorRef<Job> {
        let mut once = Some(self);
        system
            .spawn_on(On::Shard(shard), move || once.take().expect("a puppet is made once"))
            .expect("a puppet")
    }
}

/// A puppet on a shard.
pub(crate) fn puppet(system: &Handle, shard: usize) -> ActorRef<Job> {
    Puppet::default().on(system, shard)
}

impl Actor for Puppet {
    type Msg = Job;

    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        (job.0)(self, ctx)
    }

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.started.as_mut().map_or(Ok(()), |hook| hook(ctx))
    }

    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        if let Some(hook) = &mut self.stopped {
            hook(ctx);
        }
    }

    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        if let Some(notices) = &self.notices {
            // A test that no longer listens has seen enough.
            let _ = notices.send(gone.clone());
        }
        Ok(())
    }

    fn decide(&mut self, child: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
        if let Some(failures) = &self.failures {
            let _ = failures.send((child, failure.clone()));
        }
        Directive::Stop
    }
}

/// Tells a puppet from outside, which must work.
pub(crate) fn tell(gateway: &mut Gateway, to: ActorRef<Job>, job: impl Into<Job>) {
    gateway.tell_within(to, job.into(), LONG).expect("the puppet is told");
}

/// Runs `job` in a puppet and gives its result.
pub(crate) fn with<T: Send + 'static>(
    gateway: &mut Gateway,
    puppet: ActorRef<Job>,
    job: impl FnOnce(&mut Ctx<'_, Puppet>) -> T + Send + 'static,
) -> T {
    let (sender, receiver) = channel();
    tell(
        gateway,
        puppet,
        Job::run(move |ctx| {
            let _ = sender.send(job(ctx));
        }),
    );
    next(&receiver)
}

/// Has a watcher watch, so that whatever the target is told from now on finds it watched.
pub(crate) fn watch(
    system: &Handle,
    gateway: &mut Gateway,
    watcher: ActorRef<Job>,
    target: impl Into<Address> + Send + 'static,
) {
    let target = target.into();
    with(gateway, watcher, move |ctx| ctx.watch(target)).expect("room for a watch");
    // Calls run between turns: the first when the signal has been published, the second before the turn that handles
    // it, which handles signals first.
    for shard in [watcher.place().shard(), target.place().shard()] {
        system.call(shard, |_| ()).expect("a call");
    }
}

/// The text of a notice that says that somebody failed.
pub(crate) fn failure(notice: &Terminated) -> String {
    match &notice.reason {
        StopReason::Failed(failure) => failure.to_string(),
        other => format!("{other:?}"),
    }
}

/// An actor that collects what it is told and gives it all when asked.
pub(crate) struct Collector<T>(Vec<T>);

pub(crate) enum Collect<T: Send + 'static> {
    Add(T),
    Get(Sender<Vec<T>>),
}

impl<T: Send + 'static> Actor for Collector<T> {
    type Msg = Collect<T>;

    fn receive(&mut self, msg: Collect<T>, _: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Collect::Add(value) => self.0.push(value),
            Collect::Get(to) => to.send(std::mem::take(&mut self.0))?,
        }
        Ok(())
    }
}

impl<T: Send + 'static> Collector<T> {
    pub(crate) fn on(system: &Handle, shard: usize) -> ActorRef<Collect<T>> {
        system.spawn_on(On::Shard(shard), || Collector(Vec::new())).expect("a collector")
    }
}

/// What a collector has by now, in order.
pub(crate) fn collected<T: Debug + Send + 'static>(
    gateway: &mut Gateway,
    from: ActorRef<Collect<T>>,
) -> Vec<T> {
    let (sender, receiver) = channel();
    gateway.tell_within(from, Collect::Get(sender), LONG).expect("the collector is told");
    next(&receiver)
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Counts how many of its kind there are.
#[derive(Clone, Default, Debug)]
pub(crate) struct Census(Arc<AtomicUsize>);

impl Census {
    /// One more, until it is dropped.
    pub(crate) fn one(&self) -> Counted {
        self.0.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone())
    }

    /// How many are there.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A value that is counted, and must be dropped exactly once: a second drop takes the count below what it was.
#[derive(Debug)]
pub(crate) struct Counted(Census);

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.0.0.fetch_sub(1, Ordering::SeqCst);
        assert!(before > 0, "dropped more often than made");
    }
}

/// Panics of tests that panic on purpose, or with something that is no text, are not shown; all others are, as ever.
pub(crate) fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            if text.is_some_and(|text| !text.starts_with("on purpose")) {
                shown(info);
            }
        }));
    });
}
