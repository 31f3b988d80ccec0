//! A spread pool in the simulator: whatever order its shards run in, it keeps its size and its spread, and whoever asks it
//! is answered.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corelane_kernel::{Actor, Backoff, Ctx, Failure, Outcome, ReplyTo, Terminated, Time};
use corelane_shard::sim::{Options, Sim, Simulation};
use corelane_shard::{RouteesOn, SpreadPool};

enum Job {
    Work(ReplyTo<u64>),
    Stop,
}

struct Worker;

impl Actor for Worker {
    type Msg = Job;
    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match job {
            Job::Work(done) => ctx.tell(done, ctx.me().place().shard() as u64),
            Job::Stop => ctx.stop_self(),
        }
        Ok(())
    }
}

enum Msg {
    Job(Job),
    /// How many routees live on each shard.
    Spread(ReplyTo<[usize; 3]>),
    Fail,
}

struct Owner {
    pool: SpreadPool<Worker>,
}

impl Actor for Owner {
    type Msg = Msg;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.pool.start(ctx)?;
        Ok(())
    }
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Job(job) => self.pool.tell(ctx, job),
            Msg::Spread(reply) => {
                let mut spread = [0; 3];
                self.pool.routees(ctx).iter().for_each(|to| spread[to.address().place().shard()] += 1);
                ctx.tell(reply, spread);
            }
            Msg::Fail => return Err(Failure::new("the owner fails")),
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.pool.replace(ctx, gone.address)?;
        Ok(())
    }
}

const LONG: Duration = Duration::from_secs(60);

fn scenario(sim: &mut Simulation, pool: fn() -> SpreadPool<Worker>) -> Result<(), Box<dyn Error>> {
    let home = sim.below(3);
    let owner = sim.spawn_on(home, move || Owner { pool: pool() })?;
    for _ in 0..40 {
        // All of them now and then, so that the owner has to wait for new ones.
        let stops = sim.below(5);
        (0..stops).for_each(|_| sim.tell(owner, Msg::Job(Job::Stop)));
        if sim.below(4) == 0 {
            sim.tell(owner, Msg::Fail);
        }
        if sim.below(2) == 0 {
            // Longer than any wait for a replacement.
            sim.run_for(Duration::from_millis(100));
            sim.run_until_idle();
            // Nobody has stopped since: whoever is asked is there.
            let shard = sim.ask(owner, LONG, |done| Msg::Job(Job::Work(done)))?;
            assert!(shard < 3);
            assert_eq!(sim.ask(owner, LONG, Msg::Spread)?, [1, 1, 1]);
            let actors = |shard| sim.call(shard, |scope| scope.stats().actors);
            let actors: u64 = [0, 1, 2].map(actors).into_iter().map(Result::unwrap).sum();
            assert_eq!(actors, 4, "the owner and its routees, and nobody of before");
        }
    }
    Ok(())
}

fn plain() -> SpreadPool<Worker> {
    SpreadPool::new(3, || Worker).named("worker")
}

fn patient() -> SpreadPool<Worker> {
    plain().backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(8)))
}

#[test]
fn a_pool_keeps_its_size_and_spread_in_any_order_of_its_shards() {
    for (pool, seeds) in [(plain as fn() -> _, 0..100), (patient, 100..200)] {
        for seed in seeds {
            let run = || {
                let trace = Sim::new(seed).shards(3).run(|sim| scenario(sim, pool));
                trace.unwrap_or_else(|error| panic!("seed {seed}: {error}"))
            };
            let trace = run();
            if seed % 20 == 0 {
                assert_eq!(run().hash, trace.hash, "seed {seed}");
            }
        }
    }
}

/// When routees started.
type Births = Arc<Mutex<Vec<Time>>>;

/// Ends at once, but for one in six.
struct Mayfly(Births);

impl Actor for Mayfly {
    type Msg = Job;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let mut births = self.0.lock().unwrap();
        births.push(ctx.now());
        if !births.len().is_multiple_of(6) {
            ctx.stop_self();
        }
        Ok(())
    }
    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match job {
            Job::Work(done) => ctx.tell(done, ctx.me().place().shard() as u64),
            Job::Stop => ctx.stop_self(),
        }
        Ok(())
    }
}

/// The owner of one mayfly, if it is there.
struct Keeper<F> {
    pool: SpreadPool<Mayfly, corelane_kernel::router::RoundRobin, F>,
}

impl<F: FnMut() -> Mayfly + Clone + Send + 'static> Actor for Keeper<F> {
    type Msg = Job;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.pool.start(ctx)?;
        Ok(())
    }
    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.pool.tell(ctx, job);
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        assert!(self.pool.replace(ctx, gone.address)?);
        Ok(())
    }
}

#[test]
fn one_that_ends_at_once_is_replaced_after_waits_that_grow_and_begin_anew() {
    let ms = Duration::from_millis;
    for shard in [0, 1] {
        let births = Births::default();
        let counted = births.clone();
        let scenario = move |sim: &mut Simulation| -> Result<(), Box<dyn Error>> {
            let births = counted.clone();
            let keeper = sim.spawn_on(0, move || {
                let births = births.clone();
                let pool = SpreadPool::from_factory(1, move || Mayfly(births.clone()))
                    .on(RouteesOn::Shards { first: shard, last: shard })
                    .backoff(Backoff::new(ms(100), ms(800)).jitter(0));
                Keeper { pool }
            })?;
            for round in 1..=2 {
                sim.run_for(ms(4_000));
                assert_eq!(counted.lock().unwrap().len(), 6 * round);
                assert_eq!(sim.ask(keeper, LONG, Job::Work)?, shard as u64);
                sim.tell(keeper, Job::Stop);
            }
            Ok(())
        };
        Sim::new(7).shards(2).options(Options::calm()).run(scenario).unwrap();
        let births = births.lock().unwrap();
        let waits: Vec<_> = births.windows(2).map(|two| two[1].since(two[0]).as_millis() / 50 * 50).collect();
        assert_eq!(waits[..5], [100, 200, 400, 800, 800], "{births:?}");
        // The sixth lived for longer than the longest wait.
        assert_eq!(waits[6..11], [200, 400, 800, 800, 800], "{births:?}");
    }
}

/// A family of which all are stopped when one fails, at the worst of times: some are waited for.
#[test]
fn who_is_stopped_while_on_the_way_is_ordered_again() {
    struct Severe {
        pool: SpreadPool<Worker>,
    }
    impl Actor for Severe {
        type Msg = Msg;
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            self.pool.start(ctx)?;
            ctx.stop_children();
            Ok(())
        }
        fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
            if let Msg::Job(job) = msg {
                self.pool.tell(ctx, job);
            }
            Ok(())
        }
        fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
            self.pool.replace(ctx, gone.address)?;
            Ok(())
        }
    }
    for seed in 0..50 {
        let scenario = |sim: &mut Simulation| -> Result<(), Box<dyn Error>> {
            let owner = sim.spawn_on(0, || Severe { pool: SpreadPool::new(3, || Worker) })?;
            sim.run_until_idle();
            // The first that comes finds that nobody is there, and has all ordered again.
            let _ = sim.ask(owner, Duration::from_millis(100), |done| Msg::Job(Job::Work(done)));
            let shard = sim.ask(owner, LONG, |done| Msg::Job(Job::Work(done)))?;
            assert!(shard < 3);
            Ok(())
        };
        Sim::new(seed).shards(3).run(scenario).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
