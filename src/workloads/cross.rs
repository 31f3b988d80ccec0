//! A ball between two shards: `cross.pingpong` and `wake`.
//!
//! One message is under way at any time. Between shards that spin, the figure is what a hop between two cores
//! costs; between shards that park as soon as there is nothing to do, it is what sleeping and waking costs. For that, a
//! moment that does not count passes before each round, so that the other shard is asleep.

use std::time::{Duration, Instant};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::error::check;
use super::stage::{Later, Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError};

/// Longer than a thread takes to fall asleep once it has nothing to do.
const PAUSE: Duration = Duration::from_micros(20);

/// Lets the other side fall asleep; the time when it sleeps.
pub(super) fn let_sleep() -> Instant {
    let since = Instant::now();
    loop {
        let now = Instant::now();
        if now.duration_since(since) >= PAUSE {
            return now;
        }
        std::hint::spin_loop();
    }
}

/// Plays every ball back.
struct Pong {
    peer: ActorRef<u64>,
}

impl Actor for Pong {
    type Msg = u64;

    fn receive(&mut self, ball: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(self.peer, ball);
        Ok(())
    }
}

/// Serves, and counts the balls that come back.
struct Ping {
    peer: Later<u64>,
    rounds: u64,
    back: u64,
    began: Option<Instant>,
    /// Whether the other side is to sleep before each round, and what the rounds took then.
    sleepy: bool,
    spent: Duration,
    reporter: Reporter,
}

impl Actor for Ping {
    type Msg = u64;

    fn receive(&mut self, ball: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let Some(began) = self.began else {
            self.began = Some(if self.sleepy { let_sleep() } else { Instant::now() });
            ctx.tell(self.peer.get(), ball);
            return Ok(());
        };
        // The ball counts along, so that one that comes twice or never is seen.
        self.back += u64::from(ball == self.back);
        if self.sleepy {
            self.spent += began.elapsed();
            self.began = Some(let_sleep());
        }
        if self.back == self.rounds {
            let elapsed = if self.sleepy { self.spent } else { began.elapsed() };
            self.reporter.report(elapsed, self.back);
        } else {
            ctx.tell(self.peer.get(), self.back);
        }
        Ok(())
    }
}

/// `cross.pingpong`: 1 M round trips between two shards that never park.
pub(super) fn pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    rally(Stage::on(&plan.pair()?)?, plan.pick(1_000_000, 100_000), false)
}

/// `wake`: 20,000 round trips between two shards that park at once.
pub(super) fn wake(plan: &Plan) -> Result<Cost, WorkloadError> {
    rally(Stage::drowsy(&plan.pair()?)?, plan.pick(20_000, 2_000), true)
}

fn rally(mut stage: Stage, rounds: u64, sleepy: bool) -> Result<Cost, WorkloadError> {
    let (peer, reporter) = (Later::default(), stage.reporter());
    let later = peer.clone();
    let ping = stage.spawn(0, move || Ping {
        peer: later.clone(),
        rounds,
        back: 0,
        began: None,
        sleepy,
        spent: Duration::ZERO,
        reporter: reporter.clone(),
    })?;
    peer.set(stage.spawn(1, move || Pong { peer: ping })?);
    stage.tell(ping, 0)?;
    let Report { elapsed, found } = stage.finish()?;
    check("the balls that came back", rounds, found)?;
    Ok(Cost::time(elapsed, rounds))
}
