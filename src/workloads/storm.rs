//! A storm of panics: actors that panic ten thousand times a second, beside a thousand siblings on their core that go about
//! their work. The workload `storm`, whose figure is not the storm's but the siblings': how long 99 of 100 of their messages
//! take at most, from being told to being handled.
//!
//! The crier tells every sibling the time, and when they have heard, again: the core is busy, and a sibling's message waits
//! for those before it, for some tens of microseconds. The ticker has a timer of 100 µs; each time, it has one of the weak
//! panic, and the default strategy restarts it. Quiet, beside it, is the same without the panics: the weak are told, and
//! do nothing. As many ticks end both.
//!
//! On a core of which panics take a twentieth, an idle sibling's p99 would be the length of a panic, whatever the runtime does:
//! what is compared is a core at work. The panics are raised without the panic hook, which would write to standard error.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::error::check;
use super::quantile::Times;
use super::stage::{Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError};

const SIBLINGS: u64 = 1_000;
const WEAK: usize = 16;
const PERIOD: Duration = Duration::from_micros(100);

thread_local! {
    /// What the siblings of this shard waited.
    static WAITED: RefCell<Times> = RefCell::new(Times::new());
}

/// Hears the time.
pub(super) struct Sibling;

impl Actor for Sibling {
    type Msg = Instant;

    fn receive(&mut self, told: Instant, _: &mut Ctx<'_, Self>) -> Outcome {
        let waited = told.elapsed().as_nanos() as u64;
        WAITED.with_borrow_mut(|times| times.add(waited));
        Ok(())
    }
}

/// Panics when it is told to.
struct Weak;

impl Actor for Weak {
    type Msg = bool;

    fn receive(&mut self, panics: bool, _: &mut Ctx<'_, Self>) -> Outcome {
        if panics {
            resume_unwind(Box::new("weak"));
        }
        Ok(())
    }
}

/// Has one of the weak panic at each tick, then says that it is over.
struct Ticker {
    weak: Vec<ActorRef<bool>>,
    panics: bool,
    left: u64,
    crier: ActorRef<Cry>,
}

impl Actor for Ticker {
    type Msg = ();

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        Ok(ctx.set_periodic(0u64, PERIOD, ())?)
    }

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.left -= 1;
        ctx.tell(self.weak[self.left as usize % WEAK], self.panics);
        if self.left == 0 {
            ctx.cancel_timer(0u64);
            ctx.tell(self.crier, Cry::Enough);
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
pub(super) enum Cry {
    /// Tell everybody.
    Again,
    /// Once more, and report.
    Enough,
}

/// Tells every sibling the time, again and again.
pub(super) struct Crier {
    siblings: Vec<ActorRef<Instant>>,
    cried: u64,
    enough: bool,
    reporter: Reporter,
}

impl Crier {
    /// One that tells these, which live on its shard, and reports what they waited.
    pub(super) fn new(siblings: Vec<ActorRef<Instant>>, reporter: Reporter) -> Self {
        Self { siblings, cried: 0, enough: false, reporter }
    }
}

impl Actor for Crier {
    type Msg = Cry;

    fn receive(&mut self, cry: Cry, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match cry {
            Cry::Enough => self.enough = true,
            // All have heard: this is told behind what they were.
            Cry::Again if self.enough => WAITED.with_borrow(|times| {
                let unheard = (self.cried * SIBLINGS).abs_diff(times.count());
                self.reporter.report(times.per_mille(990), unheard);
            }),
            Cry::Again => {
                self.cried += 1;
                for sibling in &self.siblings {
                    ctx.tell(*sibling, Instant::now());
                }
                let me = ctx.me();
                ctx.tell(me, Cry::Again);
            }
        }
        Ok(())
    }
}

/// `storm`: 20,000 panics, two seconds of them.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn storm(plan: &Plan) -> Result<Cost, WorkloadError> {
    run(plan, true)
}

/// Beside `storm`: as many ticks, and nobody panics.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn quiet(plan: &Plan) -> Result<Cost, WorkloadError> {
    run(plan, false)
}

/// A thousand siblings on a shard.
pub(super) fn siblings(stage: &Stage, shard: usize) -> Result<Vec<ActorRef<Instant>>, WorkloadError> {
    (0..SIBLINGS).map(|_| stage.spawn(shard, || Sibling)).collect()
}

fn run(plan: &Plan, panics: bool) -> Result<Cost, WorkloadError> {
    let count = plan.pick(20_000, 3_000);
    let mut stage = Stage::on(&[plan.core()])?;
    let siblings = siblings(&stage, 0)?;
    let weak = (0..WEAK).map(|_| stage.spawn(0, || Weak)).collect::<Result<Vec<_>, _>>()?;
    let reporter = stage.reporter();
    let crier = stage.spawn(0, move || Crier::new(siblings.clone(), reporter.clone()))?;
    stage.tell(crier, Cry::Again)?;
    stage.spawn(0, move || Ticker { weak: weak.clone(), panics, left: count, crier })?;
    let Report { elapsed, found } = stage.wait()?;
    // Each message that its handler panicked at is told of as one.
    stage.end_with_letters(if panics { count } else { 0 })?;
    check("the messages that no sibling handled", 0, found)?;
    Ok(Cost::time(elapsed, 1))
}
