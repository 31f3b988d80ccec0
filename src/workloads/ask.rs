//! Sequential asks between two actors of a core: the workload `ask.local`.
//!
//! The asker asks, waits for the answer, and asks again. Every ask has a deadline and a reply address of its own.

use std::time::{Duration, Instant};

use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo};

use super::error::check;
use super::stage::{Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError, tell};

/// Far longer than any answer takes; a timer all the same, set and cancelled for each ask.
const DEADLINE: Duration = Duration::from_secs(30);

/// Answers each question with the number of questions so far.
struct Oracle {
    asked: u64,
}

impl Actor for Oracle {
    type Msg = ReplyTo<u64>;

    fn receive(&mut self, reply: ReplyTo<u64>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.asked += 1;
        ctx.tell(reply, self.asked);
        Ok(())
    }
}

/// What the asker is told.
enum Word {
    Begin,
    Answer(Result<u64, AskError>),
}

/// Asks one question after the other.
struct Asker {
    oracle: ActorRef<ReplyTo<u64>>,
    rounds: u64,
    answers: u64,
    began: Option<Instant>,
    reporter: Reporter,
}

impl Actor for Asker {
    type Msg = Word;

    fn receive(&mut self, word: Word, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let began = *self.began.get_or_insert_with(Instant::now);
        if let Word::Answer(answer) = word {
            // Each answer must be the next number: none lost, none twice, none of another question.
            if answer? == self.answers + 1 {
                self.answers += 1;
            }
            if self.answers == self.rounds {
                self.reporter.report(began.elapsed(), self.answers);
                return Ok(());
            }
        }
        ctx.ask(self.oracle, DEADLINE, |reply| reply, Word::Answer);
        Ok(())
    }
}

/// `ask.local`: 1 M asks.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn local(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = plan.pick(1_000_000, 200_000);
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let oracle = stage.spawn(0, || Oracle { asked: 0 })?;
    let asker = stage.spawn(0, move || Asker {
        oracle,
        rounds,
        answers: 0,
        began: None,
        reporter: reporter.clone(),
    })?;
    stage.tell(asker, Word::Begin)?;
    let Report { elapsed, found } = stage.finish()?;
    check("the answers", rounds, found)?;
    Ok(Cost::time(elapsed, rounds))
}

/// Bounds `ask.local`: a question and an answer as two plain tells, by [`tell::local`].
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn two_tells(plan: &Plan) -> Result<Cost, WorkloadError> {
    Ok(tell::local(plan)?.times(2))
}
