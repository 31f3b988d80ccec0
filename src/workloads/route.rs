//! One actor tells eight others through a router on one core, with each strategy: the workloads `route.*`.
//!
//! The stream of `local.tell` with a router in the teller's state: 256 numbers, then a message to itself to go on
//! behind them. The key of a number is the number; no load is ever said to be less, so that the smallest is looked for
//! among eight that differ by one at most. After the last number it asks all adders for their sums, by a broadcast. The
//! clock runs from the first tell to the last sum.

use std::time::Instant;

use corelane_kernel::router::{ConsistentHash, Random, RoundRobin, Router, SmallestLoad, Strategy};
use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::error::{check, sum_below};
use super::stage::{Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError};

/// Numbers told before the teller lets others run.
const BURST: u64 = 256;

/// Adders behind the router.
const ROUTEES: usize = 8;

/// What asks an adder for its sum. No number that is told is as large.
const ASK: u64 = u64::MAX;

/// Adds up what it is told.
struct Adder {
    sum: u64,
    asker: ActorRef<Order>,
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
enum Order {
    Take(ActorRef<u64>),
    Begin { count: u64 },
    GoOn,
    Sum(u64),
}

/// Tells the numbers below a count.
struct Teller<S> {
    adders: Router<u64, S, ROUTEES>,
    next: u64,
    count: u64,
    sums: usize,
    sum: u64,
    began: Instant,
    reporter: Reporter,
}

impl<S: Strategy<u64> + 'static> Teller<S> {
    fn new(strategy: S, reporter: Reporter) -> Self {
        Self {
            adders: Router::new(strategy),
            next: 0,
            count: 0,
            sums: 0,
            sum: 0,
            began: Instant::now(),
            reporter,
        }
    }

    /// Tells the next numbers, and asks for the sums behind the last.
    fn tell_on(&mut self, ctx: &mut Ctx<'_, Self>) {
        let until = self.count.min(self.next + BURST);
        for number in self.next..until {
            self.adders.tell(ctx, number);
        }
        self.next = until;
        if self.next == self.count {
            self.adders.broadcast(ctx, ASK);
        } else {
            let me = ctx.me();
            ctx.tell(me, Order::GoOn);
        }
    }
}

impl<S: Strategy<u64> + 'static> Actor for Teller<S> {
    type Msg = Order;

    fn receive(&mut self, order: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Take(adder) => self.adders.add(adder)?,
            Order::Begin { count } => {
                (self.count, self.began) = (count, Instant::now());
                self.tell_on(ctx);
            }
            Order::GoOn => self.tell_on(ctx),
            Order::Sum(sum) => {
                self.sums += 1;
                self.sum += sum;
                if self.sums == ROUTEES {
                    self.reporter.report(self.began.elapsed(), self.sum);
                }
            }
        }
        Ok(())
    }
}

/// `route.roundrobin`: 10 M numbers, each routee in turn.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn round_robin(plan: &Plan) -> Result<Cost, WorkloadError> {
    through(plan, RoundRobin::new())
}

/// `route.random`: 10 M numbers, each to any routee.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn random(plan: &Plan) -> Result<Cost, WorkloadError> {
    through(plan, Random::seeded(7))
}

/// `route.hash`: 10 M numbers, each to the routee that keeps it.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn hash(plan: &Plan) -> Result<Cost, WorkloadError> {
    through(plan, ConsistentHash::with(|number: &u64| *number))
}

/// `route.leastload`: 10 M numbers, each to the routee that was told the fewest.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn least_load(plan: &Plan) -> Result<Cost, WorkloadError> {
    through(plan, SmallestLoad::new())
}

fn through<S: Strategy<u64> + Clone + Send + 'static>(
    plan: &Plan,
    strategy: S,
) -> Result<Cost, WorkloadError> {
    let count = plan.pick(10_000_000, 2_000_000);
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let teller = stage.spawn(0, move || Teller::new(strategy.clone(), reporter.clone()))?;
    for _ in 0..ROUTEES {
        let adder = stage.spawn(0, move || Adder { sum: 0, asker: teller })?;
        stage.tell(teller, Order::Take(adder))?;
    }
    stage.tell(teller, Order::Begin { count })?;
    let Report { elapsed, found } = stage.finish()?;
    check("the sum of the messages", sum_below(count), found)?;
    Ok(Cost::time(elapsed, count))
}
