//! Workers, and an owner of a pool of them that does with it as it is told.

use corelane_kernel::router::{Evicted, Pool, Resizer, ResizerConfig, Routee, SmallestLoad};
use corelane_kernel::{Actor, ActorRef, Address, Ctx, Failure, Outcome, ReplyTo, Strategy, Terminated};

use crate::common::{Log, World};

/// What a worker is told.
#[derive(Clone)]
pub(crate) enum Job {
    Note(u64),
    Work(ReplyTo<Address>),
    Fail,
}

/// Logs what it is told, and acknowledges work.
pub(crate) struct Worker {
    pub(crate) log: Log,
}

impl Worker {
    pub(crate) fn say(&self, ctx: &Ctx<'_, Self>, what: impl std::fmt::Display) {
        self.log.add(format!("{} {what}", ctx.name().unwrap_or("nameless")));
    }
}

impl Actor for Worker {
    type Msg = Job;
    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let me = ctx.me().address();
        match job {
            Job::Note(n) => self.say(ctx, n),
            Job::Work(done) => ctx.tell(done, me),
            Job::Fail => return Err(Failure::new("told to fail")),
        }
        Ok(())
    }
    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.say(ctx, "stopped");
    }
}

pub(crate) type Workers<F> = Pool<Worker, SmallestLoad, F, 8>;

pub(crate) trait Factory: FnMut() -> Worker + Clone + Send + 'static {}
impl<F: FnMut() -> Worker + Clone + Send + 'static> Factory for F {}

/// An actor with a pool: does with it as it is told, and logs who ends.
pub(crate) struct Owner<F: Factory> {
    pub(crate) pool: Workers<F>,
    pub(crate) done: ReplyTo<Address>,
    pub(crate) log: Log,
    pub(crate) strategy: Strategy,
    /// Who ends is replaced, not only evicted.
    pub(crate) replaces: bool,
}

pub(crate) type Deed<F> = Box<dyn FnOnce(&mut Owner<F>, &mut Ctx<'_, Owner<F>>) + Send>;

pub(crate) enum Order<F: Factory> {
    Do(Deed<F>),
    Done(Address),
}

impl<F: Factory> Actor for Owner<F> {
    type Msg = Order<F>;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.done = ctx.adapter(Order::Done)?;
        self.pool.start(ctx)?;
        Ok(())
    }
    fn receive(&mut self, order: Order<F>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Do(deed) => deed(self, ctx),
            Order::Done(worker) => _ = self.pool.done(worker),
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let evicted = if self.replaces {
            assert!(self.pool.replace(ctx, gone.address)?);
            Evicted::Left(self.pool.len())
        } else {
            self.pool.evict(gone.address)
        };
        self.log.add(format!("evicted: {evicted:?}"));
        if evicted == Evicted::Last {
            ctx.stop_self();
        }
        Ok(())
    }

    fn strategy(&self) -> Strategy {
        self.strategy
    }
}

impl<F: Factory> Owner<F> {
    /// Gives work to so many workers, who acknowledge it when they have done it.
    pub(crate) fn work(&mut self, ctx: &mut Ctx<'_, Self>, jobs: usize) {
        for _ in 0..jobs {
            self.pool.tell(ctx, Job::Work(self.done));
        }
    }

    pub(crate) fn loads(&self) -> Vec<u32> {
        self.pool.routees().iter().map(Routee::load).collect()
    }
}

#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) size: usize,
    pub(crate) mailbox: u32,
    pub(crate) resizer: Option<ResizerConfig>,
    /// Workers that fail are restarted instead of stopped.
    pub(crate) restarts: bool,
    pub(crate) replaces: bool,
}

pub(crate) fn owner(world: &mut World, settings: &Settings) -> ActorRef<Order<impl Factory + use<>>> {
    let log = world.log.clone();
    let factory = {
        let log = log.clone();
        move || Worker { log: log.clone() }
    };
    let mut pool = Pool::from_factory(settings.size, factory)
        .strategy(SmallestLoad::new())
        .named("w")
        .mailbox(settings.mailbox);
    if let Some(config) = settings.resizer {
        pool = pool.resizer(Resizer::new(config).expect("settings that make sense"));
    }
    let strategy = if settings.restarts { Strategy::default() } else { Strategy::stopping() };
    let owner = Owner { pool, done: ActorRef::nobody(), log, strategy, replaces: settings.replaces };
    let owner = world.spawn(owner).expect("room for an owner");
    world.settle();
    owner
}

/// Has an owner do something, and settles.
pub(crate) fn have<F: Factory>(
    world: &mut World,
    owner: ActorRef<Order<F>>,
    deed: impl FnOnce(&mut Owner<F>, &mut Ctx<'_, Owner<F>>) + Send + 'static,
) {
    world.tell(owner, Order::Do(Box::new(deed)));
    world.settle();
}

/// The owner has so many workers, none of which has anything to do.
#[track_caller]
pub(crate) fn expect_idle<F: Factory>(world: &mut World, owner: ActorRef<Order<F>>, workers: usize) {
    have(world, owner, move |owner, _| assert_eq!(owner.loads(), vec![0; workers]));
}

pub(crate) const EAGER: ResizerConfig = ResizerConfig {
    lower_bound: 2,
    upper_bound: 6,
    pressure_threshold: 2,
    ramp_up_percent: 50,
    back_off_below_percent: 50,
    back_off_percent: 20,
    messages_per_resize: 4,
};
