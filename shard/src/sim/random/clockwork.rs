//! A state machine that lives in a random world: it does what the others do, and goes from state to state. Each state has
//! a number of its own, so that the rules know one visit to a state from the next.

use std::time::Duration;

use corelane_kernel::fsm::{Ending, Fsm, FsmCtx, Machine, Next, Observers, StateChange, Step, Transition};
use corelane_kernel::{Actor, Address, Ctx, Directive, Failure, Outcome, Strategy, Terminated, TimerKey};

use super::super::rules::{Act, Id, Lack};
use super::dweller::{Dweller, is_want, perhaps_fail_to_make};
use super::message::Msg;
use super::parenting::Parenting;
use super::town::Town;

/// A state, and which one it is of all that ever were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    kind: u8,
    pub(super) no: u32,
}

const FIRST: State = State { kind: 0, no: 0 };

/// What observers hear.
pub(super) type Change = StateChange<State>;

/// The machine, as the actor that says what it hears of restarts, of which a machine hears nothing.
pub(super) struct Clockwork {
    machine: Machine<Works>,
    town: Town,
    id: Id,
}

/// What the machine does. Its data is how many transitions it has made.
struct Works {
    dweller: Dweller,
    observers: Observers<State>,
}

impl Clockwork {
    pub(super) fn new(town: &Town, id: Id) -> Clockwork {
        let works = Works { dweller: Dweller::new(town, id), observers: Observers::new() };
        Clockwork { machine: Machine::new(works, FIRST, 0), town: town.clone(), id }
    }

    pub(super) fn make(town: &Town, id: Id) -> Clockwork {
        perhaps_fail_to_make(town, id);
        Clockwork::new(town, id)
    }

    /// As a dweller does. It may be the time of its state for which there was no room.
    fn owns(&self, outcome: Outcome) -> Outcome {
        let Err(failure) = outcome.as_ref() else { return outcome };
        if !is_want(failure) {
            return outcome;
        }
        self.town.see(Act::Lacks { id: self.id, what: Lack::StateTimeout });
        if !self.town.may_fail(self.id) {
            return Ok(());
        }
        self.town.see(Act::Fails { id: self.id });
        outcome
    }
}

impl Works {
    fn town(&self) -> &Town {
        &self.dweller.town
    }

    /// An event or a hook comes in a state.
    fn at(&self, state: State) {
        self.town().see(Act::InState { id: self.dweller.id, state: state.no });
    }

    fn limit_of(state: State) -> Option<Duration> {
        [None, None, Some(Duration::from_micros(300)), Some(Duration::from_millis(4))]
            [usize::from(state.kind % 4)]
    }

    /// What is to follow.
    fn step(&mut self, state: State, made: u32, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        let town = self.town().clone();
        let goes = town.one_in(2).then(|| State { kind: town.below(4) as u8, no: town.serial() });
        let (limit, own) = match town.below(6) {
            0 => (Some(Duration::from_micros(1 + town.below(9000))), true),
            1 => (None, true),
            _ => (Works::limit_of(goes.unwrap_or(state)), false),
        };
        let stops = town.one_in(150);
        let to = goes.filter(|_| !stops).map(|state| state.no);
        if stops {
            self.dweller.leave();
        }
        town.see(Act::Stepped { id: self.dweller.id, to, limit, stops, now: ctx.now() });
        if stops {
            return Ok(Step::stop());
        }
        let step = match goes {
            Some(state) if town.one_in(2) => Step::goto(state).using(made + 1),
            Some(state) => Step::goto(state),
            None => Step::stay(),
        };
        Ok(match limit {
            _ if !own => step,
            Some(limit) => step.for_max(limit),
            None => step.forever(),
        })
    }
}

impl Fsm for Works {
    type State = State;
    type Event = Msg;
    type Data = u32;

    fn handle(&mut self, state: State, msg: Msg, made: &mut u32, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        self.at(state);
        match msg {
            Msg::Observe(token, who) => {
                token.handled(self.dweller.id);
                // That there are too many already is an answer.
                let _ = self.observers.subscribe(who, state, ctx);
            }
            msg => self.dweller.hear(msg, ctx)?,
        }
        self.step(state, *made, ctx)
    }

    fn time_limit(&self, state: State) -> Option<Duration> {
        Works::limit_of(state)
    }

    fn state_timeout(&mut self, state: State, made: &mut u32, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        self.town().see(Act::StateTimeout { id: self.dweller.id, state: state.no, now: ctx.now() });
        self.at(state);
        self.dweller.do_something(ctx)?;
        self.dweller.perhaps_fail()?;
        self.step(state, *made, ctx)
    }

    fn transitioned(&mut self, made: &Transition<'_, State, u32>, _: &mut FsmCtx<'_, Self>) -> Outcome {
        self.dweller.perhaps_fail()?;
        self.town().see(Act::Transition { id: self.dweller.id, from: made.from.no, to: made.to.no });
        Ok(())
    }

    fn observers(&mut self) -> Option<&mut Observers<State>> {
        Some(&mut self.observers)
    }

    fn started(&mut self, state: State, made: &mut u32, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        self.at(state);
        self.dweller.begin(ctx)?;
        self.step(state, *made, ctx)
    }

    fn stopped(&mut self, ending: &Ending, state: State, _: &mut u32, ctx: &mut FsmCtx<'_, Self>) {
        let normal = matches!(ending, Ending::Normal);
        self.town().see(Act::Finished { id: self.dweller.id, state: state.no, normal });
        self.dweller.end(ctx);
    }

    fn alarm(
        &mut self,
        key: TimerKey,
        state: State,
        made: &mut u32,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        self.at(state);
        self.dweller.ring(key, ctx)?;
        self.step(state, *made, ctx)
    }

    fn terminated(
        &mut self,
        gone: &Terminated,
        state: State,
        made: &mut u32,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        self.at(state);
        self.dweller.mourn(gone, ctx)?;
        self.step(state, *made, ctx)
    }

    fn strategy(&self) -> Strategy {
        Parenting::of(self.dweller.id).strategy()
    }

    fn decide(
        &mut self,
        child: Address,
        _: &Failure,
        _: State,
        _: &mut u32,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Directive {
        self.dweller.judge(child, ctx)
    }

    fn receive_timeout(&mut self, state: State, made: &mut u32, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        self.at(state);
        self.dweller.silence(ctx)?;
        self.step(state, *made, ctx)
    }
}

impl Actor for Clockwork {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.machine.receive(msg, &mut ctx.for_inner());
        self.owns(outcome)
    }

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.machine.started(&mut ctx.for_inner());
        self.owns(outcome)
    }

    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.machine.stopped(&mut ctx.for_inner());
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.machine.terminated(gone, &mut ctx.for_inner());
        self.owns(outcome)
    }

    fn strategy(&self) -> Strategy {
        self.machine.strategy()
    }

    fn decide(&mut self, child: Address, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        self.machine.decide(child, failure, &mut ctx.for_inner())
    }

    fn restarting(&mut self, failure: &Failure, ctx: &mut Ctx<'_, Self>) {
        self.town.see(Act::Restarting { id: self.id, keeps: false });
        self.machine.restarting(failure, &mut ctx.for_inner());
    }

    fn restarted(&mut self, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.town.see(Act::Restarted { id: self.id, now: ctx.now() });
        let outcome = self.machine.restarted(failure, &mut ctx.for_inner());
        self.owns(outcome)
    }

    fn receive_timeout(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.machine.receive_timeout(&mut ctx.for_inner());
        self.owns(outcome)
    }

    fn alarm(&mut self, key: TimerKey, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.machine.alarm(key, &mut ctx.for_inner());
        self.owns(outcome)
    }

    fn state_alarm(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.machine.state_alarm(&mut ctx.for_inner());
        self.owns(outcome)
    }
}
