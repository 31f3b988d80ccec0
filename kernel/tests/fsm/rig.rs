//! The machine that these tests are about: it does as it is told, and logs what happens to it.

use std::time::Duration;

use crate::common::{Log, Token, World};
use corelane_kernel::fsm::{Ending, Fsm, FsmCtx, Machine, Next, Observers, Step, Transition};
use corelane_kernel::{ActorRef, Address, Directive, Failure, Outcome, Terminated, TimerKey};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Busy,
    /// Has a limit of its own.
    Brief,
}

/// Limit of the brief state: a little more than 100 ms.
pub(crate) const BRIEF: Duration = ticks(1526);

/// So many times the wheel's resolution.
pub(crate) const fn ticks(count: u64) -> Duration {
    Duration::from_nanos(count << 16)
}

/// What a step is made by.
pub(crate) type Deed = Box<dyn FnOnce(&mut Rig, State, &mut u64, &mut FsmCtx<'_, Rig>) -> Next<Rig> + Send>;

pub(crate) enum Event {
    Note(u64),
    Do(Deed),
    /// Not handled in any state.
    Odd(#[expect(dead_code, reason = "dropped with it")] Token),
}

/// A machine that does as it is told, and logs what happens to it. Its data is a number.
pub(crate) struct Rig {
    pub(crate) log: Log,
    pub(crate) observers: Observers<State>,
    pub(crate) at_start: Option<Deed>,
    pub(crate) at_timeout: Option<Deed>,
    pub(crate) at_transition: Option<Failure>,
    pub(crate) at_unhandled: Option<Deed>,
    pub(crate) at_alarm: Option<Deed>,
    pub(crate) at_end_of_other: Option<Deed>,
    pub(crate) at_silence: Option<Deed>,
    pub(crate) directive: Directive,
}

impl Rig {
    pub(crate) fn new(log: &Log) -> Rig {
        Rig {
            log: log.clone(),
            observers: Observers::new(),
            at_start: None,
            at_timeout: None,
            at_transition: None,
            at_unhandled: None,
            at_alarm: None,
            at_end_of_other: None,
            at_silence: None,
            directive: Directive::Stop,
        }
    }

    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        self.log.add(what.to_string());
    }

    pub(crate) fn answer(
        &mut self,
        deed: Option<Deed>,
        state: State,
        data: &mut u64,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        deed.map_or(Ok(Step::stay()), |deed| deed(self, state, data, ctx))
    }
}

impl Fsm for Rig {
    type State = State;
    type Event = Event;
    type Data = u64;

    fn handle(
        &mut self,
        state: State,
        event: Event,
        data: &mut u64,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        match (state, event) {
            (_, Event::Do(deed)) => deed(self, state, data, ctx),
            (state, Event::Note(n)) => {
                self.say(format_args!("{n} while {state:?} with {data}"));
                Ok(Step::stay())
            }
            (state, odd @ Event::Odd(_)) => self.unhandled(state, odd, data, ctx),
        }
    }

    fn time_limit(&self, state: State) -> Option<Duration> {
        (state == State::Brief).then_some(BRIEF)
    }

    fn state_timeout(&mut self, state: State, data: &mut u64, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        self.say(format_args!("{state:?} is over"));
        let deed = self.at_timeout.take();
        self.answer(deed, state, data, ctx)
    }

    fn unhandled(
        &mut self,
        state: State,
        event: Event,
        data: &mut u64,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        if let Some(deed) = self.at_unhandled.take() {
            self.say(format_args!("cannot handle it while {state:?}"));
            return deed(self, state, data, ctx);
        }
        // As the hook does that is not overridden.
        ctx.unhandled(event);
        Ok(Step::stay())
    }

    fn transitioned(&mut self, transition: &Transition<'_, State, u64>, _: &mut FsmCtx<'_, Self>) -> Outcome {
        let Transition { from, to, before, after } = transition;
        self.say(format_args!("{from:?} to {to:?}, {before} to {after}"));
        self.at_transition.take().map_or(Ok(()), Err)
    }

    fn observers(&mut self) -> Option<&mut Observers<State>> {
        Some(&mut self.observers)
    }

    fn started(&mut self, state: State, data: &mut u64, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        self.log.know(ctx.me().address(), "rig");
        self.say(format_args!("begins {state:?} with {data}"));
        let deed = self.at_start.take();
        self.answer(deed, state, data, ctx)
    }

    fn stopped(&mut self, ending: &Ending, state: State, data: &mut u64, _: &mut FsmCtx<'_, Self>) {
        let ending = match ending {
            Ending::Failure(failure) => failure.to_string(),
            other => format!("{other:?}"),
        };
        self.say(format_args!("ends {state:?} with {data}: {ending}"));
    }

    fn alarm(
        &mut self,
        key: TimerKey,
        state: State,
        data: &mut u64,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        self.say(format_args!("alarm {key:?} while {state:?}"));
        let deed = self.at_alarm.take();
        self.answer(deed, state, data, ctx)
    }

    fn terminated(
        &mut self,
        gone: &Terminated,
        state: State,
        data: &mut u64,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        self.say(format_args!("hears of the end of {}", self.log.name_of(gone.address)));
        let deed = self.at_end_of_other.take();
        self.answer(deed, state, data, ctx)
    }

    fn decide(
        &mut self,
        _: Address,
        failure: &Failure,
        state: State,
        _: &mut u64,
        _: &mut FsmCtx<'_, Self>,
    ) -> Directive {
        self.say(format_args!("decides on a child's {failure} while {state:?}"));
        self.directive
    }

    fn receive_timeout(&mut self, state: State, data: &mut u64, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        self.say(format_args!("hears nothing while {state:?}"));
        let deed = self.at_silence.take();
        self.answer(deed, state, data, ctx)
    }

    /// What it cannot handle does not count.
    fn influences_receive_timeout(event: &Event) -> bool {
        !matches!(event, Event::Odd(_))
    }
}

pub(crate) fn deed(
    deed: impl FnOnce(&mut Rig, State, &mut u64, &mut FsmCtx<'_, Rig>) -> Next<Rig> + Send + 'static,
) -> Deed {
    Box::new(deed)
}

/// An event that leads to this step.
pub(crate) fn take(step: Step<State, u64>) -> Event {
    Event::Do(deed(move |_, _, _, _| Ok(step)))
}

pub(crate) fn goto(state: State) -> Event {
    take(Step::goto(state))
}

/// A world with a machine that is `Idle` with 0, and has started.
pub(crate) fn world() -> (World, ActorRef<Event>) {
    begin(State::Idle, |_| {})
}

pub(crate) fn begin(state: State, prepare: impl FnOnce(&mut Rig)) -> (World, ActorRef<Event>) {
    let mut world = World::new();
    let mut rig = Rig::new(&world.log);
    prepare(&mut rig);
    let rig = world.spawn(Machine::new(rig, state, 0)).expect("room for a machine");
    assert_eq!(world.events()[0], format!("begins {state:?} with 0"));
    (world, rig)
}

pub(crate) const NOTHING: [&str; 0] = [];
