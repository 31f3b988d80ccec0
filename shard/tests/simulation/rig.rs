//! Actors and stories that the tests of the simulator share.

use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, StopReason, Terminated};
use corelane_shard::ShardCtx;
use corelane_shard::sim::{Chaos, Options, Sim, Simulation, Trace, note};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What is told to a [`Puppet`]: a closure that it runs.
pub(crate) struct Job(pub(crate) Work);

pub(crate) type Work = Box<dyn FnOnce(&mut Ctx<'_, Puppet>) -> Outcome + Send>;

pub(crate) fn job(work: impl FnOnce(&mut Ctx<'_, Puppet>) + Send + 'static) -> Job {
    Job(Box::new(|ctx| {
        work(ctx);
        Ok(())
    }))
}

pub(crate) struct Puppet;

impl Actor for Puppet {
    type Msg = Job;

    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        (job.0)(ctx)
    }

    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        let reason = match &gone.reason {
            StopReason::Failed(failure) => failure.to_string(),
            other => format!("{other:?}"),
        };
        note(format_args!("hears: {reason}"));
        Ok(())
    }
}

/// Tells a number back to whoever told it, with one more, until none is left.
pub(crate) struct Player;

pub(crate) struct Ball(pub(crate) u32, pub(crate) ActorRef<Ball>);

impl Actor for Player {
    type Msg = Ball;

    fn receive(&mut self, Ball(left, from): Ball, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if left > 0 {
            let me = ctx.me();
            ctx.tell(from, Ball(left - 1, me));
        }
        Ok(())
    }
}

pub(crate) fn calm(seed: u64) -> Sim {
    Sim::new(seed).options(Options::calm())
}

/// Some of everything: games between all shards, futures, blocking work, timers.
pub(crate) fn story(sim: &mut Simulation) -> Result<(), Box<dyn std::error::Error>> {
    let mut players = Vec::new();
    for n in 0..8 {
        players.push(sim.spawn_on(n % 3, || Chaos::around(Player))?);
    }
    let puppet = sim.spawn_on(1, || Puppet)?;
    for round in 0..20 {
        for n in 0..players.len() {
            let other = players[(n + round) % players.len()];
            sim.tell(players[n], Ball(10, other));
        }
        sim.tell(
            puppet,
            job(move |ctx| {
                ctx.offload(move || round, |_| job(|_| note("a job"))).expect("room");
                ctx.spawn_future(async {}, |()| job(|_| note("a future"))).expect("room");
                ctx.set_timer(1, Duration::from_millis(3), job(|_| note("a timer"))).expect("room");
            }),
        );
        sim.run_for(Duration::from_millis(5));
    }
    sim.run_until_idle();
    Ok(())
}

pub(crate) fn run(seed: u64) -> Trace {
    Sim::new(seed).shards(3).run(story).expect("it runs")
}
