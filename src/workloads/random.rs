//! Tells to uniformly random actors of ten thousand, a million or ten million: `local.random.*`.
//!
//! The targets are drawn before the clock starts, so the figure is that of telling and handling, not of drawing
//! a number. With ten thousand actors all cells lie in the second cache; with ten million nearly every message
//! finds its target in memory, and the figure shows how well the queue looks ahead.

use std::time::{Duration, Instant};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::dice::Dice;
use super::error::{check, sum_below};
use super::stage::{Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError, tally};

/// Actors spawned, or messages told, before the field lets others run.
const BURST: u64 = 256;

/// Adds up what it is told, and counts itself when it stops.
struct Target {
    sum: u64,
}

impl Actor for Target {
    type Msg = u64;

    fn receive(&mut self, number: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        self.sum += number;
        Ok(())
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        tally::count(self.sum);
    }
}

/// Where the field is in its work. It tells itself to go on after each burst.
enum Work {
    Spawn,
    Tell { next: u64, began: Instant },
    Done { elapsed: Duration },
}

/// Spawns the targets, tells them, and stops.
struct Field {
    actors: u64,
    messages: u64,
    targets: Vec<ActorRef<u64>>,
    drawn: Vec<ActorRef<u64>>,
    work: Work,
    reporter: Reporter,
}

impl Field {
    /// The next targets; when there are as many as there should be, the draw.
    fn spawn_on(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let missing = self.actors - self.targets.len() as u64;
        for _ in 0..missing.min(BURST) {
            self.targets.push(ctx.spawn(Target { sum: 0 })?);
        }
        if missing <= BURST {
            let mut dice = Dice::new(self.actors);
            let targets = std::mem::take(&mut self.targets);
            self.drawn = (0..self.messages).map(|_| targets[dice.below(targets.len())]).collect();
            self.work = Work::Tell { next: 0, began: Instant::now() };
        }
        Ok(())
    }
}

impl Actor for Field {
    type Msg = ();

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        match &mut self.work {
            Work::Spawn => self.spawn_on(ctx)?,
            // The last of its messages to itself is queued behind all that it told.
            Work::Tell { next, began } if *next == self.messages => {
                self.work = Work::Done { elapsed: began.elapsed() };
                ctx.stop_self();
                return Ok(());
            }
            Work::Tell { next, .. } => {
                let until = self.messages.min(*next + BURST);
                for number in *next..until {
                    ctx.tell(self.drawn[number as usize], number);
                }
                *next = until;
            }
            Work::Done { .. } => return Ok(()),
        }
        let me = ctx.me();
        ctx.tell(me, ());
        Ok(())
    }

    // All targets have stopped when this runs.
    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        if let Work::Done { elapsed } = self.work {
            self.reporter.report(elapsed, tally::read().sum);
        }
    }
}

/// `local.random.10k`: ten thousand actors, 10 M messages.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn ten_thousand(plan: &Plan) -> Result<Cost, WorkloadError> {
    scatter(plan, 10_000)
}

/// `local.random.1m`: a million actors, 10 M messages.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn a_million(plan: &Plan) -> Result<Cost, WorkloadError> {
    scatter(plan, 1_000_000)
}

/// `local.random.10m`: ten million actors, 10 M messages.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn ten_million(plan: &Plan) -> Result<Cost, WorkloadError> {
    scatter(plan, 10_000_000)
}

fn scatter(plan: &Plan, actors: u64) -> Result<Cost, WorkloadError> {
    let messages = plan.pick(10_000_000, 2_000_000);
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let field = stage.spawn(0, move || Field {
        actors,
        messages,
        targets: Vec::new(),
        drawn: Vec::new(),
        work: Work::Spawn,
        reporter: reporter.clone(),
    })?;
    stage.tell(field, ())?;
    let Report { elapsed, found } = stage.finish()?;
    check("the sum of the messages", sum_below(messages), found)?;
    Ok(Cost::time(elapsed, messages))
}
