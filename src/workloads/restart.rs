//! Failing and healing: an actor whose every message fails, with an error value or by a panic, and which is restarted each
//! time. The workloads `restart.error` and `restart.panic`.
//!
//! The feeder tells the phoenix numbers in bursts. Each instance of it adds one number to its state, and fails; the default
//! strategy restarts it. The clock stops when the last instance that failed has taken its leave. What is measured is
//! all of it: the message, the error and its text or the unwinding, the dead letter, the decision, the hooks, the drop, the
//! factory.

use std::error::Error;
use std::fmt;
use std::hint::black_box;
use std::panic::{catch_unwind, resume_unwind};
use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::error::{check, sum_below};
use super::stage::{Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError, pin, tally};

/// Numbers told before the feeder lets the phoenix burn.
const BURST: u64 = 256;

/// What it fails with.
#[derive(Debug)]
struct Burnt;

impl fmt::Display for Burnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("burnt")
    }
}

impl Error for Burnt {}

/// Handles one message and fails.
struct Phoenix<const PANICS: bool> {
    state: u64,
}

impl<const PANICS: bool> Phoenix<PANICS> {
    fn new() -> Self {
        Phoenix { state: 0 }
    }
}

impl<const PANICS: bool> Actor for Phoenix<PANICS> {
    type Msg = u64;

    fn receive(&mut self, number: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        self.state += number;
        if PANICS {
            burn();
        }
        Err(Burnt)?
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        tally::count(self.state);
    }
}

/// Panics, without the panic hook, which would write to standard error.
fn burn() -> ! {
    resume_unwind(Box::new("burnt"))
}

/// Tells the phoenix, until it has burnt often enough.
struct Feeder {
    phoenix: ActorRef<u64>,
    told: u64,
    count: u64,
    began: Option<Instant>,
    reporter: Reporter,
}

impl Actor for Feeder {
    type Msg = ();

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        let began = *self.began.get_or_insert_with(Instant::now);
        let burnt = tally::read();
        if burnt.actors == self.count {
            self.reporter.report(began.elapsed(), burnt.sum);
            return Ok(());
        }
        let until = self.count.min(self.told + BURST);
        for number in self.told..until {
            ctx.tell(self.phoenix, number);
        }
        self.told = until;
        let me = ctx.me();
        ctx.tell(me, ());
        Ok(())
    }
}

/// `restart.error`: 1 M restarts.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn error(plan: &Plan) -> Result<Cost, WorkloadError> {
    burn_often::<false>(plan, plan.pick(1_000_000, 200_000))
}

/// `restart.panic`: 200,000 restarts.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn panic(plan: &Plan) -> Result<Cost, WorkloadError> {
    burn_often::<true>(plan, panics(plan))
}

const fn panics(plan: &Plan) -> u64 {
    plan.pick(200_000, 20_000)
}

fn burn_often<const PANICS: bool>(plan: &Plan, count: u64) -> Result<Cost, WorkloadError> {
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let phoenix = stage.spawn(0, Phoenix::<PANICS>::new)?;
    let feeder = stage.spawn(0, move || Feeder {
        phoenix,
        told: 0,
        count,
        began: None,
        reporter: reporter.clone(),
    })?;
    stage.tell(feeder, ())?;
    let Report { elapsed, found } = stage.wait()?;
    // Each message that failed is told of as one.
    stage.end_with_letters(count)?;
    check("the sum of the instances' states", sum_below(count), found)?;
    Ok(Cost::time(elapsed, count))
}

/// Beside `restart.error`: the same state made and dropped, the constructor behind a pointer as a factory is.
///
/// # Errors
/// A core that cannot be used, or a wrong sum.
pub(super) fn construct(plan: &Plan) -> Result<Cost, WorkloadError> {
    let count = plan.pick(1_000_000, 200_000);
    let (elapsed, sum) = pin::run(plan.core(), || {
        let make: fn() -> Phoenix<false> = black_box(Phoenix::new);
        let began = Instant::now();
        let mut sum = 0u64;
        for number in 0..count {
            let mut phoenix = make();
            phoenix.state += number;
            sum = sum.wrapping_add(black_box(phoenix).state);
        }
        (began.elapsed(), sum)
    })?;
    check("the sum of the states", sum_below(count), sum)?;
    Ok(Cost::time(elapsed, count))
}

/// Beside `restart.panic`: as many panics, each caught at once.
///
/// # Errors
/// A core that cannot be used, or a wrong count.
pub(super) fn unwind(plan: &Plan) -> Result<Cost, WorkloadError> {
    let count = panics(plan);
    let (elapsed, caught) = pin::run(plan.core(), || {
        let began = Instant::now();
        let caught = (0..count).map(|_| u64::from(catch_unwind(burn).is_err())).sum();
        (began.elapsed(), caught)
    })?;
    check("the panics that were caught", count, caught)?;
    Ok(Cost::time(elapsed, count))
}
