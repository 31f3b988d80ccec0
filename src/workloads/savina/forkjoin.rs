//! `savina.fjthrput` and `savina.fjcreate`: messages to, and creation of, actors that compute a little.

use std::hint::black_box;
use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use crate::workloads::error::check;
use crate::workloads::stage::{Report, Reporter, Stage};
use crate::workloads::{Cost, Plan, WorkloadError, tally};

/// Actors of the throughput benchmark, and messages for each.
const WORKERS: u64 = 60;
const MESSAGES: u64 = 10_000;

/// Actors of the creation benchmark.
const CREATED: u64 = 40_000;

/// The suite's computation: the square of a sine, which must come out positive. Gives 1 if it does.
fn compute() -> u64 {
    let sine = f64::sin(black_box(37.2));
    u64::from(black_box(sine * sine) > 0.0)
}

/// Computes for each message; done after [`MESSAGES`].
struct Worker {
    left: u64,
    computed: u64,
    driver: ActorRef<Step>,
}

impl Actor for Worker {
    type Msg = ();

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.computed += compute();
        self.left -= 1;
        if self.left == 0 {
            ctx.tell(self.driver, Step::Done(self.computed));
            ctx.stop_self();
        }
        Ok(())
    }
}

/// What the driver of the throughput benchmark is told.
#[derive(Clone, Copy)]
enum Step {
    Round,
    Done(u64),
}

/// Tells each worker in turn, a round at a time.
struct Driver {
    workers: Vec<ActorRef<()>>,
    rounds: u64,
    done: usize,
    computed: u64,
    began: Instant,
    reporter: Reporter,
}

impl Actor for Driver {
    type Msg = Step;

    fn receive(&mut self, step: Step, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let me = ctx.me();
        match step {
            Step::Round => {
                if self.workers.is_empty() {
                    for _ in 0..WORKERS {
                        let worker = Worker { left: MESSAGES, computed: 0, driver: me };
                        self.workers.push(ctx.spawn(worker)?);
                    }
                    self.began = Instant::now();
                }
                for &worker in &self.workers {
                    ctx.tell(worker, ());
                }
                self.rounds += 1;
                if self.rounds < MESSAGES {
                    ctx.tell(me, Step::Round);
                }
            }
            Step::Done(computed) => {
                self.computed += computed;
                self.done += 1;
                if self.done == self.workers.len() {
                    self.reporter.report(self.began.elapsed(), self.computed);
                }
            }
        }
        Ok(())
    }
}

/// `savina.fjthrput`: 10,000 messages for each of 60 actors.
pub(in crate::workloads) fn throughput(plan: &Plan) -> Result<Cost, WorkloadError> {
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let driver = stage.spawn(0, move || Driver {
        workers: Vec::new(),
        rounds: 0,
        done: 0,
        computed: 0,
        began: Instant::now(),
        reporter: reporter.clone(),
    })?;
    stage.tell(driver, Step::Round)?;
    let Report { elapsed, found } = stage.finish()?;
    check("the computations", WORKERS * MESSAGES, found)?;
    Ok(Cost::time(elapsed, WORKERS * MESSAGES))
}

/// Computes once and stops.
struct Task {
    computed: u64,
}

impl Actor for Task {
    type Msg = ();

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.computed += compute();
        ctx.stop_self();
        Ok(())
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        tally::count(self.computed);
    }
}

/// Creates all tasks in one handler, and waits until they are gone.
struct Creator {
    began: Option<Instant>,
    reporter: Reporter,
}

impl Actor for Creator {
    type Msg = ();

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        match self.began {
            None => {
                self.began = Some(Instant::now());
                for _ in 0..CREATED {
                    let task = ctx.spawn(Task { computed: 0 })?;
                    ctx.tell(task, ());
                }
            }
            Some(began) => {
                let gone = tally::read();
                if gone.actors == CREATED {
                    self.reporter.report(began.elapsed(), gone.sum);
                    return Ok(());
                }
            }
        }
        let me = ctx.me();
        ctx.tell(me, ());
        Ok(())
    }
}

/// `savina.fjcreate`: 40,000 actors, one message each.
pub(in crate::workloads) fn create(plan: &Plan) -> Result<Cost, WorkloadError> {
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let creator = stage.spawn(0, move || Creator { began: None, reporter: reporter.clone() })?;
    stage.tell(creator, ())?;
    let Report { elapsed, found } = stage.finish()?;
    check("the computations", CREATED, found)?;
    Ok(Cost::time(elapsed, CREATED))
}
