//! Blocking asks from a thread that is no shard: the workload `gateway.ask`.
//!
//! The thread is pinned to the plan's first core and the shard to the second, so that both can spin.

use std::time::{Duration, Instant};

use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};

use super::error::check;
use super::stage::Stage;
use super::{Cost, Plan, WorkloadError, pin};

/// Far longer than any answer takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// Answers each question with the number of questions so far.
struct Clerk {
    asked: u64,
}

impl Actor for Clerk {
    type Msg = ReplyTo<u64>;

    fn receive(&mut self, reply: ReplyTo<u64>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.asked += 1;
        ctx.tell(reply, self.asked);
        Ok(())
    }
}

/// `gateway.ask`: 200,000 asks, one after the other.
pub(super) fn ask(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = plan.pick(200_000, 40_000);
    let [near, far] = plan.pair()?;
    let mut stage = Stage::on(&[far])?;
    let clerk = stage.spawn(0, || Clerk { asked: 0 })?;
    let gateway = stage.gateway();
    let (elapsed, right) = pin::run(near, || {
        let began = Instant::now();
        let mut right = 0;
        for round in 1..=rounds {
            let answer = gateway.ask(clerk, DEADLINE, |reply| reply);
            right += u64::from(answer.map_err(WorkloadError::runtime("an ask failed"))? == round);
        }
        Ok::<_, WorkloadError>((began.elapsed(), right))
    })??;
    check("the right answers", rounds, right)?;
    stage.end()?;
    Ok(Cost::time(elapsed, rounds))
}
