//! A token goes round a ring of actors: `local.pingpong`, `local.ring` and Savina's thread ring.
//!
//! One message is under way at any time, so nothing can be batched: the figure is what a core needs to take one
//! message in and hand one on. Two actors are a ping-pong; many do not find their cells in the cache.

use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::error::check;
use super::stage::{Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError};

/// Hands the token on. The token counts the hops that are left.
struct Node {
    next: ActorRef<u64>,
}

impl Actor for Node {
    type Msg = u64;

    fn receive(&mut self, token: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(self.next, token - 1);
        Ok(())
    }
}

/// The node where the token starts and ends; the others are its children.
struct Start {
    others: u64,
    next: ActorRef<u64>,
    began: Option<Instant>,
    laps: u64,
    reporter: Reporter,
}

impl Actor for Start {
    type Msg = u64;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.next = ctx.me();
        for _ in 0..self.others {
            self.next = ctx.spawn(Node { next: self.next })?;
        }
        Ok(())
    }

    fn receive(&mut self, token: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match self.began {
            None => self.began = Some(Instant::now()),
            Some(_) => self.laps += 1,
        }
        match (token, self.began) {
            (0, Some(began)) => self.reporter.report(began.elapsed(), self.laps),
            _ => ctx.tell(self.next, token - 1),
        }
        Ok(())
    }
}

/// `local.pingpong`: two actors, 1 M round trips.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    rounds(plan, 2, 1_000_000)
}

/// `local.ring.100`: a hundred actors, 5 M hops.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn hundred(plan: &Plan) -> Result<Cost, WorkloadError> {
    hops(plan, 100, plan.pick(5_000_000, 1_000_000))
}

/// `local.ring.10k`: ten thousand actors, 5 M hops.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn ten_thousand(plan: &Plan) -> Result<Cost, WorkloadError> {
    hops(plan, 10_000, plan.pick(5_000_000, 1_000_000))
}

/// The cost of one hop among `hops` in a ring of `actors`.
pub(super) fn hops(plan: &Plan, actors: u64, hops: u64) -> Result<Cost, WorkloadError> {
    rounds(plan, actors, hops / actors).map(|cost| cost.split(actors))
}

/// The cost of one lap among `laps` around a ring of `actors`.
fn rounds(plan: &Plan, actors: u64, laps: u64) -> Result<Cost, WorkloadError> {
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let start = stage.spawn(0, move || Start {
        others: actors - 1,
        next: ActorRef::nobody(),
        began: None,
        laps: 0,
        reporter: reporter.clone(),
    })?;
    stage.tell(start, laps * actors)?;
    let Report { elapsed, found } = stage.finish()?;
    check("the laps of the token", laps, found)?;
    Ok(Cost::time(elapsed, laps))
}
