//! A spread pool in the simulator: whatever order its shards run in, it keeps its size and its spread, and whoever asks it
//! is answered.

use std::error::Error;
use std::time::Duration;

use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo, Terminated};
use corelane_shard::SpreadPool;
use corelane_shard::sim::{Sim, Simulation};

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
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.pool.replace(ctx, gone.address)?;
        Ok(())
    }
}

const LONG: Duration = Duration::from_secs(60);

fn scenario(sim: &mut Simulation) -> Result<(), Box<dyn Error>> {
    let home = sim.below(3);
    let owner = sim.spawn_on(home, || Owner { pool: SpreadPool::new(3, || Worker) })?;
    for _ in 0..40 {
        // All of them now and then, so that the owner has to wait for new ones.
        let stops = sim.below(5);
        (0..stops).for_each(|_| sim.tell(owner, Msg::Job(Job::Stop)));
        if sim.below(2) == 0 {
            sim.run_until_idle();
            // Nobody has stopped since: whoever is asked is there.
            let shard = sim.ask(owner, LONG, |done| Msg::Job(Job::Work(done)))?;
            assert!(shard < 3);
            assert_eq!(sim.ask(owner, LONG, Msg::Spread)?, [1, 1, 1]);
        }
    }
    Ok(())
}

#[test]
fn a_pool_keeps_its_size_and_spread_in_any_order_of_its_shards() {
    for seed in 0..100 {
        let run =
            || Sim::new(seed).shards(3).run(scenario).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let trace = run();
        if seed < 5 {
            assert_eq!(run().hash, trace.hash, "seed {seed}");
        }
    }
}
