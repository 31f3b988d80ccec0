//! `savina.count`: one actor sends a million increments at once, then asks for the count.

use std::time::{Duration, Instant};

use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo};

use crate::workloads::error::check;
use crate::workloads::stage::{Report, Reporter, Stage};
use crate::workloads::{Cost, Plan, WorkloadError};

/// Increments.
const INCREMENTS: u64 = 1_000_000;

/// Far longer than the counting takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the counter is told.
enum Counting {
    Increment,
    Retrieve(ReplyTo<u64>),
}

/// Counts.
struct Counter {
    count: u64,
}

impl Actor for Counter {
    type Msg = Counting;

    fn receive(&mut self, counting: Counting, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match counting {
            Counting::Increment => self.count += 1,
            Counting::Retrieve(reply) => ctx.tell(reply, self.count),
        }
        Ok(())
    }
}

/// What the producer is told.
enum Order {
    Produce,
    Counted(Result<u64, AskError>),
}

/// Sends all increments in one handler: the counter's messages have to wait somewhere.
struct Producer {
    counter: ActorRef<Counting>,
    began: Instant,
    reporter: Reporter,
}

impl Actor for Producer {
    type Msg = Order;

    fn receive(&mut self, order: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Produce => {
                self.began = Instant::now();
                for _ in 0..INCREMENTS {
                    ctx.tell(self.counter, Counting::Increment);
                }
                ctx.ask(self.counter, DEADLINE, Counting::Retrieve, Order::Counted);
            }
            Order::Counted(count) => self.reporter.report(self.began.elapsed(), count?),
        }
        Ok(())
    }
}

/// Runs it.
pub(in crate::workloads) fn run(plan: &Plan) -> Result<Cost, WorkloadError> {
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let counter = stage.spawn(0, || Counter { count: 0 })?;
    let producer =
        stage.spawn(0, move || Producer { counter, began: Instant::now(), reporter: reporter.clone() })?;
    stage.tell(producer, Order::Produce)?;
    let Report { elapsed, found } = stage.finish()?;
    check("the count", INCREMENTS, found)?;
    Ok(Cost::time(elapsed, INCREMENTS))
}
