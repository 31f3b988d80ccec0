//! `savina.pingpong`: 40,000 round trips, with a message to itself before each.

use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use crate::workloads::error::check;
use crate::workloads::stage::{Report, Reporter, Stage};
use crate::workloads::{Cost, Plan, WorkloadError};

/// Round trips.
const ROUNDS: u64 = 40_000;

/// What the pinger is told.
#[derive(Clone, Copy)]
enum Word {
    Start,
    Tick,
    Pong,
}

/// What the ponger is told: who asks.
struct Ping {
    sender: ActorRef<Word>,
}

/// Answers every ping.
struct Ponger {
    answered: u64,
}

impl Actor for Ponger {
    type Msg = Ping;

    fn receive(&mut self, ping: Ping, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.answered += 1;
        ctx.tell(ping.sender, Word::Pong);
        Ok(())
    }
}

/// Sends a ping, and for each pong a tick to itself that sends the next.
struct Pinger {
    ponger: ActorRef<Ping>,
    left: u64,
    pongs: u64,
    began: Option<Instant>,
    reporter: Reporter,
}

impl Actor for Pinger {
    type Msg = Word;

    fn receive(&mut self, word: Word, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let began = *self.began.get_or_insert_with(Instant::now);
        let sender = ctx.me();
        match word {
            Word::Start | Word::Tick => {
                self.left -= 1;
                ctx.tell(self.ponger, Ping { sender });
            }
            Word::Pong => {
                self.pongs += 1;
                if self.left > 0 {
                    ctx.tell(sender, Word::Tick);
                } else {
                    self.reporter.report(began.elapsed(), self.pongs);
                }
            }
        }
        Ok(())
    }
}

/// Runs it.
pub(in crate::workloads) fn run(plan: &Plan) -> Result<Cost, WorkloadError> {
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let ponger = stage.spawn(0, || Ponger { answered: 0 })?;
    let pinger = stage.spawn(0, move || Pinger {
        ponger,
        left: ROUNDS,
        pongs: 0,
        began: None,
        reporter: reporter.clone(),
    })?;
    stage.tell(pinger, Word::Start)?;
    let Report { elapsed, found } = stage.finish()?;
    check("the pongs", ROUNDS, found)?;
    Ok(Cost::time(elapsed, ROUNDS))
}
