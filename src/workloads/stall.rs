//! A stall: an actor that spins for half a second, and what those on another core notice of it. The workload `cross.stall`,
//! whose figure is not the spinner's but theirs: how long 99 of 100 messages of a thousand busy siblings on the second core
//! take at most, while the first core's shard is held up. Beside it the same siblings, while an actor on the first core
//! waits for a timer as long.
//!
//! The siblings are those of [`storm`](super::storm): their core is busy in both, so that what is compared is a core at work.

use std::time::{Duration, Instant};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::error::check;
use super::stage::{Report, Stage};
use super::storm::{Crier, Cry, siblings};
use super::{Cost, Plan, WorkloadError};

/// How long the shard is held up at a time.
const STALL: Duration = Duration::from_millis(500);

/// Holds up its shard, or lets as much time pass without it, so many times; then says that it is over.
struct Staller {
    spins: bool,
    left: u64,
    crier: ActorRef<Cry>,
}

impl Staller {
    fn go_on(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if self.spins {
            let me = ctx.me();
            ctx.tell(me, ());
            return Ok(());
        }
        Ok(ctx.set_timer(0u64, STALL, ())?)
    }
}

impl Actor for Staller {
    type Msg = ();

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.go_on(ctx)
    }

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        if self.spins {
            let since = Instant::now();
            while since.elapsed() < STALL {
                std::hint::spin_loop();
            }
        }
        self.left -= 1;
        if self.left == 0 {
            ctx.tell(self.crier, Cry::Enough);
            return Ok(());
        }
        self.go_on(ctx)
    }
}

/// `cross.stall`: four stalls, two seconds of them.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn stall(plan: &Plan) -> Result<Cost, WorkloadError> {
    run(plan, true)
}

/// Beside `cross.stall`: as many timers, and nobody spins.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn quiet(plan: &Plan) -> Result<Cost, WorkloadError> {
    run(plan, false)
}

fn run(plan: &Plan, spins: bool) -> Result<Cost, WorkloadError> {
    let left = plan.pick(4, 1);
    let mut stage = Stage::on(&plan.pair()?)?;
    let siblings = siblings(&stage, 1)?;
    let reporter = stage.reporter();
    let crier = stage.spawn(1, move || Crier::new(siblings.clone(), reporter.clone()))?;
    stage.tell(crier, Cry::Again)?;
    stage.spawn(0, move || Staller { spins, left, crier })?;
    let Report { elapsed, found } = stage.finish()?;
    check("the messages that no sibling handled", 0, found)?;
    Ok(Cost::time(elapsed, 1))
}
