//! What a state machine costs over a plain actor: Akka's benchmark of its FSM, every fourth message a transition.
//!
//! The stream is that of `local.tell`, and the adder has two states: the numbers divisible by four take it from one to
//! the other, and each state counts what it is told. The raw "loop" is a plain actor with the same states, so the ratio
//! is the price of steps as values, and of a place for time-outs and hooks.

use corelane_kernel::fsm::{Fsm, FsmCtx, Machine, Next, Step};
use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::stage::Stage;
use super::tell::{ASK, Order, stream};
use super::{Cost, Plan, WorkloadError};

/// Where an adder may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Left,
    Right,
}

/// What an adder knows.
#[derive(Default)]
struct Data {
    sum: u64,
    left: u64,
    right: u64,
}

impl Data {
    /// The sum; a wrong one unless the states were told as many numbers as they should. From a transition to the next
    /// are four numbers, the first of which is counted by the state that it leaves.
    fn result(&self) -> u64 {
        if self.left.abs_diff(self.right) <= 4 { self.sum } else { !self.sum }
    }

    /// Tells the sum. Apart, in both adders: it happens once.
    #[cold]
    fn tell<A: Actor>(&self, asker: ActorRef<Order>, ctx: &mut Ctx<'_, A>) {
        ctx.tell(asker, Order::Sum(self.result()));
    }
}

/// Whether a number leads to the other state.
#[inline(always)]
const fn moves(number: u64) -> bool {
    number.is_multiple_of(4)
}

/// The adder as a state machine.
struct Adder {
    asker: ActorRef<Order>,
}

impl Fsm for Adder {
    type State = State;
    type Event = u64;
    type Data = Data;

    fn handle(
        &mut self,
        state: State,
        number: u64,
        data: &mut Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        if number == ASK {
            data.tell(self.asker, ctx);
            return Ok(Step::stay());
        }
        data.sum += number;
        Ok(match state {
            State::Left => {
                data.left += 1;
                if moves(number) { Step::goto(State::Right) } else { Step::stay() }
            }
            State::Right => {
                data.right += 1;
                if moves(number) { Step::goto(State::Left) } else { Step::stay() }
            }
        })
    }
}

/// The adder as a plain actor.
struct Plain {
    state: State,
    data: Data,
    asker: ActorRef<Order>,
}

impl Actor for Plain {
    type Msg = u64;

    fn receive(&mut self, number: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let data = &mut self.data;
        if number == ASK {
            data.tell(self.asker, ctx);
            return Ok(());
        }
        data.sum += number;
        match self.state {
            State::Left => {
                data.left += 1;
                if moves(number) {
                    self.state = State::Right;
                }
            }
            State::Right => {
                data.right += 1;
                if moves(number) {
                    self.state = State::Left;
                }
            }
        }
        Ok(())
    }
}

/// `fsm`: 10 M numbers to a state machine.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn machine(plan: &Plan) -> Result<Cost, WorkloadError> {
    stream(Stage::on(&[plan.core()])?, 0, count(plan), |asker| {
        Machine::new(Adder { asker }, State::Left, Data::default())
    })
}

/// Bounds `fsm`: as many to a plain actor.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn plain(plan: &Plan) -> Result<Cost, WorkloadError> {
    stream(Stage::on(&[plan.core()])?, 0, count(plan), |asker| Plain {
        state: State::Left,
        data: Data::default(),
        asker,
    })
}

const fn count(plan: &Plan) -> u64 {
    plan.pick(10_000_000, 2_000_000)
}
