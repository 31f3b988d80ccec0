//! A ball between two shards: `cross.pingpong` and `wake`.
//!
//! One message is under way at any time. Between shards that spin, the figure is what a hop between two cores
//! costs; between shards that park as soon as there is nothing to do, it is what sleeping and waking costs.

use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::error::check;
use super::stage::{Later, Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError};

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
    reporter: Reporter,
}

impl Actor for Ping {
    type Msg = u64;

    fn receive(&mut self, ball: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let Some(began) = self.began else {
            self.began = Some(Instant::now());
            ctx.tell(self.peer.get(), ball);
            return Ok(());
        };
        // The ball counts along, so that one that comes twice or never is seen.
        self.back += u64::from(ball == self.back);
        if self.back == self.rounds {
            self.reporter.report(began.elapsed(), self.back);
        } else {
            ctx.tell(self.peer.get(), self.back);
        }
        Ok(())
    }
}

/// `cross.pingpong`: 1 M round trips between two shards that never park.
pub(super) fn pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    rally(Stage::on(&plan.pair()?)?, plan.pick(1_000_000, 100_000))
}

/// `wake`: 20,000 round trips between two shards that park at once.
pub(super) fn wake(plan: &Plan) -> Result<Cost, WorkloadError> {
    rally(Stage::drowsy(&plan.pair()?)?, plan.pick(20_000, 2_000))
}

fn rally(mut stage: Stage, rounds: u64) -> Result<Cost, WorkloadError> {
    let (peer, reporter) = (Later::default(), stage.reporter());
    let later = peer.clone();
    let ping = stage.spawn(0, move || Ping {
        peer: later.clone(),
        rounds,
        back: 0,
        began: None,
        reporter: reporter.clone(),
    })?;
    peer.set(stage.spawn(1, move || Pong { peer: ping })?);
    stage.tell(ping, 0)?;
    let Report { elapsed, found } = stage.finish()?;
    check("the balls that came back", rounds, found)?;
    Ok(Cost::time(elapsed, rounds))
}
