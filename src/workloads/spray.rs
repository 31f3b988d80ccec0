//! Many senders on all shards tell receivers on all shards: `cross.all.random` and `cross.all.fanin`.
//!
//! Every sender tells numbers to receivers it draws, 256 at a time, and stops for the turn where the way is full.
//! Behind its last number it tells each receiver so; a receiver that has heard that from every sender tells its
//! sum to the referee. Messages keep their order for each pair, so each sum is whole when it is told.

use std::sync::Arc;
use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::dice::Dice;
use super::error::{check, sum_below};
use super::stage::{Report, Reporter, Stage};
use super::{Cost, Plan, WorkloadError};

/// Numbers told before a sender lets others run.
const BURST: u64 = 256;

/// Told behind the last number. No number that is told is as large.
const END: u64 = u64::MAX;

/// Adds up what it is told, until every sender has ended.
struct Receiver {
    sum: u64,
    senders: u64,
    referee: ActorRef<Call>,
}

impl Actor for Receiver {
    type Msg = u64;

    fn receive(&mut self, number: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if number != END {
            self.sum = self.sum.wrapping_add(number);
            return Ok(());
        }
        self.senders = self.senders.saturating_sub(1);
        if self.senders == 0 && ctx.try_tell(self.referee, Call::Sum(self.sum)).is_err() {
            // The way is full of what others sent. One more end leads here again, in another turn.
            let me = ctx.me();
            ctx.tell(me, END);
        }
        Ok(())
    }
}

/// Tells the numbers from `next` to `end`, then the end to each receiver.
struct Sender {
    receivers: Arc<[ActorRef<u64>]>,
    dice: Dice,
    next: u64,
    end: u64,
    ended: usize,
}

impl Sender {
    /// A burst. Says whether everything is told.
    fn tell_on(&mut self, ctx: &mut Ctx<'_, Self>) -> bool {
        let until = self.end.min(self.next + BURST);
        while self.next < until {
            // Drawn again if the way is full: the next one's may be free.
            let to = self.receivers[self.dice.below(self.receivers.len())];
            if ctx.try_tell(to, self.next).is_err() {
                return false;
            }
            self.next += 1;
        }
        while self.next == self.end && self.ended < self.receivers.len() {
            if ctx.try_tell(self.receivers[self.ended], END).is_err() {
                return false;
            }
            self.ended += 1;
        }
        self.ended == self.receivers.len()
    }
}

impl Actor for Sender {
    type Msg = ();

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        if !self.tell_on(ctx) {
            let me = ctx.me();
            ctx.tell(me, ());
        }
        Ok(())
    }
}

/// What the referee is told.
enum Call {
    Begin(Arc<[ActorRef<()>]>),
    Sum(u64),
}

/// Starts the senders and waits for the receivers.
struct Referee {
    missing: usize,
    sum: u64,
    began: Option<Instant>,
    reporter: Reporter,
}

impl Actor for Referee {
    type Msg = Call;

    fn receive(&mut self, call: Call, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match call {
            Call::Begin(senders) => {
                self.began = Some(Instant::now());
                for &sender in &*senders {
                    ctx.tell(sender, ());
                }
            }
            Call::Sum(sum) => {
                self.sum = self.sum.wrapping_add(sum);
                self.missing -= 1;
                if let (0, Some(began)) = (self.missing, self.began) {
                    self.reporter.report(began.elapsed(), self.sum);
                }
            }
        }
        Ok(())
    }
}

/// `cross.all.random`: a sender and a thousand receivers on each shard, 10 M messages altogether.
pub(super) fn random(plan: &Plan) -> Result<Cost, WorkloadError> {
    plan.pair()?;
    let shards = plan.cores().len() as u64;
    spray(plan, shards, 1_000 * shards, plan.pick(10_000_000, 2_000_000))
}

/// `cross.all.fanin`: eight senders on all shards and one receiver, 10 M messages altogether.
pub(super) fn fan_in(plan: &Plan) -> Result<Cost, WorkloadError> {
    plan.pair()?;
    spray(plan, 8, 1, plan.pick(10_000_000, 2_000_000))
}

/// `messages` messages from so many senders to so many receivers, both dealt to the shards in turn.
fn spray(plan: &Plan, senders: u64, receivers: u64, messages: u64) -> Result<Cost, WorkloadError> {
    let mut stage = Stage::on(plan.cores())?;
    let shards = plan.cores().len() as u64;
    let reporter = stage.reporter();
    let referee = stage.spawn(0, move || Referee {
        missing: receivers as usize,
        sum: 0,
        began: None,
        reporter: reporter.clone(),
    })?;
    let receivers: Arc<[_]> = (0..receivers)
        .map(|n| stage.spawn((n % shards) as usize, move || Receiver { sum: 0, senders, referee }))
        .collect::<Result<_, _>>()?;
    let senders: Arc<[_]> = (0..senders)
        .map(|n| {
            let (next, end) = (n * messages / senders, (n + 1) * messages / senders);
            let receivers = Arc::clone(&receivers);
            stage.spawn((n % shards) as usize, move || Sender {
                receivers: Arc::clone(&receivers),
                dice: Dice::new(n),
                next,
                end,
                ended: 0,
            })
        })
        .collect::<Result<_, _>>()?;
    stage.tell(referee, Call::Begin(senders))?;
    let Report { elapsed, found } = stage.finish()?;
    check("the sum of the messages", sum_below(messages), found)?;
    Ok(Cost::time(elapsed, messages))
}
