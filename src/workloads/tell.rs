//! One actor tells another, on one core or on two: the stream of `local.tell` and `cross.tell`.
//!
//! The teller sends 256 numbers, then a message to itself to go on behind them, as an actor does that shares its
//! core with others. After the last number it asks the adder for the sum. The clock runs from its first tell to
//! the answer, which the adder can only give after it has handled them all.

use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::error::{check, sum_below};
use super::stage::{Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError};

/// Numbers told before the teller lets others run.
const BURST: u64 = 256;

/// What asks the adder for its sum. No number that is told is as large.
pub(super) const ASK: u64 = u64::MAX;

/// Adds up what it is told.
struct Adder {
    sum: u64,
    asker: ActorRef<Order>,
}

impl Adder {
    fn new(asker: ActorRef<Order>) -> Self {
        Self { sum: 0, asker }
    }
}

impl Actor for Adder {
    type Msg = u64;

    fn receive(&mut self, number: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if number == ASK {
            ctx.tell(self.asker, Order::Sum(self.sum));
        } else {
            self.sum += number;
        }
        Ok(())
    }
}

/// What the teller is told.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// To begin.
    Begin { to: ActorRef<u64>, count: u64 },
    /// To go on behind what it has told.
    GoOn,
    /// What the adder's sum is.
    Sum(u64),
}

/// What the teller has still to do.
struct Task {
    to: ActorRef<u64>,
    next: u64,
    count: u64,
    began: Instant,
}

/// Tells the numbers below a count.
struct Teller {
    task: Option<Task>,
    reporter: Reporter,
}

impl Actor for Teller {
    type Msg = Order;

    fn receive(&mut self, order: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Begin { to, count } => {
                self.task = Some(Task { to, next: 0, count, began: Instant::now() })
            }
            Order::GoOn => {}
            Order::Sum(sum) => {
                if let Some(task) = self.task.take() {
                    self.reporter.report(task.began.elapsed(), sum);
                }
            }
        }
        if let Some(task) = &mut self.task
            && !task.tell_on(ctx)
        {
            let me = ctx.me();
            ctx.tell(me, Order::GoOn);
        }
        Ok(())
    }
}

impl Task {
    /// Tells the next numbers, and asks for the sum behind the last. Says whether all is told: the way to another
    /// core may be full, and what it refused is told again in another turn.
    fn tell_on(&mut self, ctx: &mut Ctx<'_, Teller>) -> bool {
        let until = self.count.min(self.next + BURST);
        while self.next < until {
            if ctx.try_tell(self.to, self.next).is_err() {
                return false;
            }
            self.next += 1;
        }
        self.next == self.count && ctx.try_tell(self.to, ASK).is_ok()
    }
}

/// `local.tell`: both actors on one core, 10 M numbers.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn local(plan: &Plan) -> Result<Cost, WorkloadError> {
    stream(Stage::on(&[plan.core()])?, 0, plan.pick(10_000_000, 2_000_000), Adder::new)
}

/// `cross.tell`: the adder on another core, 20 M numbers.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn cross(plan: &Plan) -> Result<Cost, WorkloadError> {
    stream(Stage::on(&plan.pair()?)?, 1, plan.pick(20_000_000, 4_000_000), Adder::new)
}

/// Streams `count` numbers from the first shard to an adder of any kind on shard `far`. It is made with the address to
/// which it tells its sum when it is told to [`ASK`].
pub(super) fn stream<A: Actor<Msg = u64>>(
    mut stage: Stage,
    far: usize,
    count: u64,
    adder: impl Fn(ActorRef<Order>) -> A + Send + 'static,
) -> Result<Cost, WorkloadError> {
    let reporter = stage.reporter();
    let teller = stage.spawn(0, move || Teller { task: None, reporter: reporter.clone() })?;
    let adder = stage.spawn(far, move || adder(teller))?;
    stage.tell(teller, Order::Begin { to: adder, count })?;
    let Report { elapsed, found } = stage.finish()?;
    check("the sum of the messages", sum_below(count), found)?;
    Ok(Cost::time(elapsed, count))
}
