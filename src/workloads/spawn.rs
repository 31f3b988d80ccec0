//! The whole life of an actor: spawned, told once, stopped. The workload `spawn`.
//!
//! The nursery spawns actors with a `u64` of state in bursts and tells each one number; each adds it to its state
//! and stops itself. The clock stops when the last one's `stopped` hook has run.

use std::time::Instant;

use corelane_kernel::{Actor, Ctx, Outcome};

use super::error::{check, sum_below};
use super::stage::{Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError, tally};

/// Actors spawned before the nursery lets them run.
const BURST: u64 = 256;

/// Handles one message and stops.
struct Mayfly {
    state: u64,
}

impl Actor for Mayfly {
    type Msg = u64;

    fn receive(&mut self, number: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.state += number;
        ctx.stop_self();
        Ok(())
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        tally::count(self.state);
    }
}

/// Spawns and tells, until all are gone.
struct Nursery {
    spawned: u64,
    count: u64,
    began: Option<Instant>,
    reporter: Reporter,
}

impl Actor for Nursery {
    type Msg = ();

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        let began = *self.began.get_or_insert_with(Instant::now);
        let gone = tally::read();
        if gone.actors == self.count {
            self.reporter.report(began.elapsed(), gone.sum);
            return Ok(());
        }
        let until = self.count.min(self.spawned + BURST);
        for number in self.spawned..until {
            let child = ctx.spawn(Mayfly { state: 0 })?;
            ctx.tell(child, number);
        }
        self.spawned = until;
        let me = ctx.me();
        ctx.tell(me, ());
        Ok(())
    }
}

/// `spawn`: 1 M actors.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn spawn(plan: &Plan) -> Result<Cost, WorkloadError> {
    let count = plan.pick(1_000_000, 200_000);
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let nursery =
        stage.spawn(0, move || Nursery { spawned: 0, count, began: None, reporter: reporter.clone() })?;
    stage.tell(nursery, ())?;
    let Report { elapsed, found } = stage.finish()?;
    check("the sum of the actors' states", sum_below(count), found)?;
    Ok(Cost::time(elapsed, count))
}
