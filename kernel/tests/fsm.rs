//! State machines: what an event does depends on the state; steps are values; time-outs end with the next event;
//! transitions are seen by hooks and observers; an end has a reason, a state and data.

mod common;

use std::time::Duration;

use common::{Census, Log, Realm, Token, World, ms};
use corelane_kernel::fsm::{
    Ending, Fsm, FsmCtx, Machine, Next, Observers, ObserversFull, StateChange, Step, Transition,
};
use corelane_kernel::limits::OBSERVERS_MAX;
use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, DeadReason, Directive, Failure, Outcome, ReplyTo, Terminated, Time,
    TimerKey,
};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Busy,
    /// Has a limit of its own.
    Brief,
}

/// Limit of the brief state: a little more than 100 ms.
const BRIEF: Duration = ticks(1526);

/// So many times the wheel's resolution.
const fn ticks(count: u64) -> Duration {
    Duration::from_nanos(count << 16)
}

/// What a step is made by.
type Deed = Box<dyn FnOnce(&mut Rig, State, &mut u64, &mut FsmCtx<'_, Rig>) -> Next<Rig> + Send>;

enum Event {
    Note(u64),
    Do(Deed),
    /// Not handled in any state.
    Odd(#[expect(dead_code, reason = "dropped with it")] Token),
}

/// A machine that does as it is told, and logs what happens to it. Its data is a number.
struct Rig {
    log: Log,
    observers: Observers<State>,
    at_start: Option<Deed>,
    at_timeout: Option<Deed>,
    at_transition: Option<Failure>,
    at_unhandled: Option<Deed>,
    at_alarm: Option<Deed>,
    at_end_of_other: Option<Deed>,
    at_silence: Option<Deed>,
    directive: Directive,
}

impl Rig {
    fn new(log: &Log) -> Rig {
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

    fn say(&self, what: impl std::fmt::Display) {
        self.log.add(what.to_string());
    }

    fn answer(
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

fn deed(
    deed: impl FnOnce(&mut Rig, State, &mut u64, &mut FsmCtx<'_, Rig>) -> Next<Rig> + Send + 'static,
) -> Deed {
    Box::new(deed)
}

/// An event that leads to this step.
fn take(step: Step<State, u64>) -> Event {
    Event::Do(deed(move |_, _, _, _| Ok(step)))
}

fn goto(state: State) -> Event {
    take(Step::goto(state))
}

/// A world with a machine that is `Idle` with 0, and has started.
fn world() -> (World, ActorRef<Event>) {
    begin(State::Idle, |_| {})
}

fn begin(state: State, prepare: impl FnOnce(&mut Rig)) -> (World, ActorRef<Event>) {
    let mut world = World::new();
    let mut rig = Rig::new(&world.log);
    prepare(&mut rig);
    let rig = world.spawn(Machine::new(rig, state, 0)).expect("room for a machine");
    assert_eq!(world.events()[0], format!("begins {state:?} with 0"));
    (world, rig)
}

const NOTHING: [&str; 0] = [];

// --- steps -------------------------------------------------------------------------------------------------------

#[test]
fn what_an_event_does_depends_on_the_state_and_the_data_that_steps_left() {
    let (mut world, rig) = world();
    world.tell(rig, Event::Note(1));
    world.tell(rig, take(Step::goto(State::Busy).using(7)));
    world.tell(rig, Event::Note(2));
    world.tell(rig, take(Step::stay().using(8)));
    world.tell(rig, Event::Note(3));
    // Data may be changed where it is as well.
    world.tell(
        rig,
        Event::Do(deed(|_, _, data, _| {
            *data += 1;
            Ok(Step::goto(State::Idle))
        })),
    );
    world.tell(rig, Event::Note(4));
    assert_eq!(
        world.events(),
        [
            "1 while Idle with 0",
            "Idle to Busy, 0 to 7",
            "2 while Busy with 7",
            "3 while Busy with 8",
            "Busy to Idle, 9 to 9",
            "4 while Idle with 9",
        ]
    );
}

#[test]
fn data_that_is_replaced_is_dropped_once() {
    struct Holder;
    impl Fsm for Holder {
        type State = State;
        type Event = Option<Token>;
        type Data = Token;
        fn handle(
            &mut self,
            _: State,
            event: Option<Token>,
            _: &mut Token,
            _: &mut FsmCtx<'_, Self>,
        ) -> Next<Self> {
            Ok(match event {
                Some(token) => Step::goto(State::Busy).using(token),
                None => Step::stop(),
            })
        }
    }
    let mut world = World::new();
    let census = Census::default();
    let holder = world.spawn(Machine::new(Holder, State::Idle, census.token())).expect("room");
    for _ in 0..3 {
        world.tell(holder, Some(census.token()));
    }
    world.settle();
    census.expect(1);
    world.tell(holder, None);
    world.settle();
    census.expect_none();
    assert_eq!(census.born(), 4);
}

#[test]
fn a_step_may_answer_a_question() {
    struct Asker(Log);
    impl Actor for Asker {
        type Msg = u64;
        fn receive(&mut self, answer: u64, _: &mut Ctx<'_, Self>) -> Outcome {
            self.0.add(format!("answered {answer}"));
            Ok(())
        }
    }
    let (mut world, rig) = world();
    let asker = Asker(world.log.clone());
    let reply: ReplyTo<u64> = world.spawn(asker).expect("room");
    let step =
        deed(move |_, _, data, ctx| Ok(Step::goto(State::Busy).using(1).replying(ctx, reply, *data + 40)));
    world.tell(rig, Event::Do(step));
    assert_eq!(world.events(), ["Idle to Busy, 0 to 1", "answered 40"]);
}

#[test]
fn a_machine_may_leave_the_state_it_begins_in_before_its_first_event() {
    let (mut world, rig) = begin(State::Idle, |rig| {
        rig.at_start = Some(deed(|_, _, _, _| Ok(Step::goto(State::Busy).using(5))));
    });
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["1 while Busy with 5"]);
}

#[test]
fn a_machine_comes_from_a_factory_as_any_actor_does() {
    let mut world = World::new();
    let log = world.log.clone();
    let factory = move || Machine::new(Rig::new(&log), State::Busy, 3);
    let rig = world.scope().spawner().name("rig").mailbox(2).spawn_from(factory).expect("room");
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["begins Busy with 3", "1 while Busy with 3"]);
}

// --- unhandled events --------------------------------------------------------------------------------------------

#[test]
fn an_event_that_is_not_handled_is_a_dead_letter_and_the_machine_stays() {
    let (mut world, rig) = world();
    let undertaker = common::Undertaker(world.log.clone());
    let undertaker = world.spawn(undertaker).expect("room");
    world.scope().subscribe_dead_letters(undertaker).expect("room");
    let census = Census::default();
    world.tell(rig, Event::Odd(census.token()));
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["1 while Idle with 0", "dead letter for rig: unhandled"]);
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::Unhandled, 1)]);
}

#[test]
fn the_hook_for_unhandled_events_is_the_machines_own() {
    let (mut world, rig) = begin(State::Busy, |rig| {
        rig.at_unhandled = Some(deed(|_, _, _, _| Ok(Step::goto(State::Idle))));
    });
    world.tell(rig, Event::Odd(Census::default().token()));
    assert_eq!(world.events(), ["cannot handle it while Busy", "Busy to Idle, 0 to 0"]);
    assert_eq!(world.letters(), []);
}

#[test]
fn hooks_that_are_not_overridden_stay_and_bury_what_is_not_handled() {
    struct Bare(Log);
    impl Fsm for Bare {
        type State = State;
        type Event = bool;
        type Data = u64;
        fn handle(
            &mut self,
            state: State,
            event: bool,
            data: &mut u64,
            ctx: &mut FsmCtx<'_, Self>,
        ) -> Next<Self> {
            self.0.add(format!("{state:?} {data}"));
            if event {
                Ok(Step::goto(State::Busy).for_max(ms(10)))
            } else {
                self.unhandled(state, event, data, ctx)
            }
        }
    }
    let mut world = World::new();
    let bare = Bare(world.log.clone());
    let bare = world.spawn(Machine::new(bare, State::Idle, 1)).expect("room");
    world.tell(bare, false);
    world.tell(bare, true);
    world.pass(ms(20));
    world.tell(bare, true);
    assert_eq!(world.events(), ["Idle 1", "Idle 1", "Busy 1"]);
    assert_eq!(world.letters(), [(DeadReason::Unhandled, 1)]);
    world.stop(bare);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn a_machine_that_watches_and_has_no_hook_for_the_end_fails() {
    struct Mourner;
    impl Fsm for Mourner {
        type State = State;
        type Event = Address;
        type Data = ();
        fn handle(&mut self, _: State, whom: Address, _: &mut (), ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
            ctx.watch(whom)?;
            Ok(Step::stay())
        }
    }
    let mut world = World::new();
    let other = world.puppet("other");
    let mourner = world.spawn(Machine::new(Mourner, State::Idle, ())).expect("room");
    world.tell(mourner, other.address());
    world.settle();
    assert_eq!(world.stats().failed, 0);
    world.stop(other);
    assert_eq!((world.stats().failed, world.stats().actors), (1, 0));
}

// --- state time-outs ---------------------------------------------------------------------------------------------

/// Conformance 25.
#[test]
fn a_state_time_out_comes_once_its_time_without_an_event_is_up() {
    let (mut world, rig) = world();
    world.tell(rig, goto(State::Brief));
    world.pass(ms(99));
    assert_eq!(world.events(), ["Idle to Brief, 0 to 0"]);
    world.pass(ms(2));
    assert_eq!(world.events(), ["Brief is over"]);
}

/// Conformance 25.
#[test]
fn the_state_in_which_a_machine_begins_has_its_time() {
    let (mut world, _) = begin(State::Brief, |_| {});
    world.pass(ms(101));
    assert_eq!(world.events(), ["Brief is over"]);
}

/// Conformance 25.
#[test]
fn an_event_cancels_the_state_time_out_and_staying_begins_it_anew() {
    let (mut world, rig) = begin(State::Brief, |_| {});
    for n in 0..10 {
        world.pass(ms(60));
        world.tell(rig, Event::Note(n));
        assert_eq!(world.events(), [format!("{n} while Brief with 0")]);
    }
    world.pass(ms(99));
    assert_eq!(world.events(), NOTHING);
    world.pass(ms(2));
    assert_eq!(world.events(), ["Brief is over"]);
}

/// Conformance 25.
#[test]
fn a_transition_cancels_the_state_time_out() {
    let (mut world, rig) = begin(State::Brief, |_| {});
    world.pass(ms(50));
    world.tell(rig, goto(State::Idle));
    assert_eq!(world.events(), ["Brief to Idle, 0 to 0"]);
    world.pass(ms(1000));
    assert_eq!(world.events(), NOTHING);
}

/// Conformance 25.
#[test]
fn a_state_time_out_that_is_due_does_not_come_after_an_event() {
    let (mut world, rig) = begin(State::Brief, |_| {});
    world.scope().suspend(rig).expect("room");
    world.tell(rig, goto(State::Idle));
    world.pass(ms(200));
    assert_eq!(world.events(), NOTHING, "it is suspended, and the time-out waits behind the event");
    world.scope().resume(rig);
    assert_eq!(world.events(), ["Brief to Idle, 0 to 0"]);
    world.pass(ms(1000));
    assert_eq!(world.events(), NOTHING);
}

/// Conformance 25.
#[test]
fn another_timer_of_the_same_moment_cancels_a_state_time_out_that_is_due() {
    let (mut world, rig) = begin(State::Idle, |_| {});
    let step = deed(|_, _, _, ctx| {
        // Set first, so it fires first.
        ctx.set_alarm("first", ms(100))?;
        Ok(Step::goto(State::Brief))
    });
    world.tell(rig, Event::Do(step));
    world.pass(ms(101));
    let events = world.events();
    assert_eq!(events, ["Idle to Brief, 0 to 0", "alarm Name(\"first\") while Brief"]);
    world.pass(ms(98));
    assert_eq!(world.events(), NOTHING);
    world.pass(ms(4));
    assert_eq!(world.events(), ["Brief is over"]);
}

/// Conformance 25.
#[test]
fn a_step_overrides_the_time_of_its_state_or_switches_it_off() {
    let (mut world, rig) = world();
    world.tell(rig, take(Step::goto(State::Brief).for_max(ms(300))));
    world.pass(ms(299));
    assert_eq!(world.events(), ["Idle to Brief, 0 to 0"]);
    world.pass(ms(2));
    // It stayed: the state's own limit again.
    assert_eq!(world.events(), ["Brief is over"]);
    world.pass(ms(101));
    assert_eq!(world.events(), ["Brief is over"]);
    world.tell(rig, take(Step::stay().for_max(ms(10))));
    world.pass(ms(11));
    assert_eq!(world.events(), ["Brief is over"]);
    for forever in [Step::stay().forever(), Step::stay().for_max(Duration::MAX)] {
        world.tell(rig, take(forever));
        world.pass(ms(10_000_000));
        assert_eq!(world.events(), NOTHING);
    }
    // A state without a limit gets one from the step, for this once.
    world.tell(rig, take(Step::goto(State::Busy).for_max(ms(10))));
    world.pass(ms(11));
    assert_eq!(world.events(), ["Brief to Busy, 0 to 0", "Busy is over"]);
    world.pass(ms(10_000_000));
    assert_eq!(world.events(), NOTHING);
}

/// Conformance 25.
#[test]
fn a_state_time_out_leads_to_a_step_as_an_event_does() {
    let (mut world, rig) = begin(State::Brief, |rig| {
        rig.at_timeout = Some(deed(|_, _, data, _| Ok(Step::goto(State::Idle).using(*data + 1))));
    });
    world.pass(ms(101));
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["Brief is over", "Brief to Idle, 0 to 1", "1 while Idle with 1"]);
}

#[test]
fn a_limit_of_nothing_is_over_at_once_but_not_before_what_waits() {
    let (mut world, rig) = world();
    world.tell(rig, take(Step::stay().for_max(Duration::ZERO)));
    world.tell(rig, Event::Note(1));
    world.pass(ms(1));
    assert_eq!(world.events(), ["1 while Idle with 0"]);
    world.tell(rig, take(Step::stay().for_max(Duration::ZERO)));
    world.pass(ms(1));
    assert_eq!(world.events(), ["Idle is over"]);
}

#[test]
fn a_state_time_out_has_no_key_that_an_actor_could_meet() {
    let (mut world, rig) = begin(State::Brief, |_| {});
    let step = deed(|rig, _, _, ctx| {
        for number in [0, 1, u64::MAX] {
            rig.say(ctx.cancel_timer(number));
        }
        rig.say(ctx.cancel_timer(""));
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(step));
    assert_eq!(world.events(), ["false"; 4]);
    world.pass(ms(101));
    assert_eq!(world.events(), ["Brief is over"]);
}

#[derive(Clone, Debug)]
enum Deal {
    /// An event that leads to a state, or stays; within the state's own limit, another, or none.
    Tell(Option<State>, Limit),
    /// So many ticks pass.
    Pass(u64),
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Own,
    Forever,
    Max(u64),
}

fn deals() -> impl Strategy<Value = Vec<Deal>> {
    let state = prop_oneof![Just(State::Idle), Just(State::Busy), Just(State::Brief)];
    let limit = prop_oneof![Just(Limit::Own), Just(Limit::Forever), (0u64..4000).prop_map(Limit::Max)];
    let tell = (proptest::option::of(state), limit).prop_map(|(to, limit)| Deal::Tell(to, limit));
    proptest::collection::vec(prop_oneof![tell, (0u64..3000).prop_map(Deal::Pass)], 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Conformance 25: whatever comes when, a time-out comes when the model says so, and at no other time.
    #[test]
    fn state_time_outs_follow_a_model(deals in deals()) {
        let (mut world, rig) = world();
        // All times are whole ticks, so none is rounded.
        world.now = Time::ZERO + ticks(100_000);
        let mut now = 0;
        let (mut state, mut until) = (State::Idle, None);
        let own = |state| (state == State::Brief).then_some(1526);
        for deal in deals {
            match deal {
                Deal::Tell(to, limit) => {
                    state = to.unwrap_or(state);
                    let step = to.map_or(Step::stay(), Step::goto);
                    let (step, wait) = match limit {
                        Limit::Own => (step, own(state)),
                        Limit::Forever => (step.forever(), None),
                        Limit::Max(limit) => (step.for_max(ticks(limit)), Some(limit)),
                    };
                    until = wait.map(|wait| now + wait);
                    world.tell(rig, take(step));
                }
                Deal::Pass(count) => {
                    now += count;
                    world.now = world.now + ticks(count);
                }
            }
            let heard = world.events().iter().filter(|word| word.ends_with("is over")).count();
            let due = until.is_some_and(|until| until <= now);
            prop_assert_eq!(heard, usize::from(due), "at {}", now);
            if due {
                // It stayed.
                until = own(state).map(|wait| now + wait);
            }
        }
    }
}

// --- named timers ------------------------------------------------------------------------------------------------

/// Conformance 27.
#[test]
fn named_timers_are_left_alone_by_events_and_transitions() {
    let (mut world, rig) = world();
    let step = deed(|_, _, _, ctx| {
        ctx.set_timer("once", ms(100), Event::Note(1))?;
        ctx.set_alarm(7, ms(200))?;
        Ok(Step::goto(State::Brief))
    });
    world.tell(rig, Event::Do(step));
    world.pass(ms(50));
    world.tell(rig, goto(State::Busy));
    world.tell(rig, Event::Note(0));
    world.events();
    world.pass(ms(51));
    assert_eq!(world.events(), ["1 while Busy with 0"]);
    world.pass(ms(100));
    assert_eq!(world.events(), ["alarm Number(7) while Busy"]);
    world.pass(ms(10_000));
    assert_eq!(world.events(), NOTHING);
}

/// Conformance 27.
#[test]
fn a_named_timer_is_an_event_that_begins_the_time_of_the_state_anew() {
    let (mut world, rig) = begin(State::Brief, |rig| {
        rig.at_start = Some(deed(|_, _, _, ctx| {
            ctx.set_alarm("beat", ms(70))?;
            Ok(Step::stay())
        }));
    });
    world.pass(ms(71));
    assert_eq!(world.events(), ["alarm Name(\"beat\") while Brief"]);
    world.pass(ms(99));
    assert_eq!(world.events(), NOTHING);
    world.pass(ms(3));
    assert_eq!(world.events(), ["Brief is over"]);
    world.stop(rig);
}

/// Conformance 27.
#[test]
fn of_timers_and_alarms_of_one_key_only_the_newest_fires() {
    let (mut world, rig) = world();
    let step = deed(|rig, _, _, ctx| {
        ctx.set_timer("key", ms(10), Event::Note(1))?;
        ctx.set_alarm("key", ms(20))?;
        ctx.set_alarm("key", ms(30))?;
        rig.say(ctx.has_timer("key"));
        ctx.set_alarm("other", ms(20))?;
        ctx.set_timer("other", ms(40), Event::Note(2))?;
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(step));
    for (after, expected) in
        [(21, "true"), (10, "alarm Name(\"key\") while Idle"), (10, "2 while Idle with 0")]
    {
        world.pass(ms(after));
        assert_eq!(world.events(), [expected]);
    }
}

/// Conformance 27.
#[test]
fn an_alarm_that_is_due_does_not_ring_once_it_is_cancelled() {
    for replace in [false, true] {
        let (mut world, rig) = begin(State::Idle, |rig| {
            rig.at_alarm = Some(deed(move |_, _, _, ctx| {
                if replace {
                    ctx.set_alarm(2, ms(50))?;
                } else {
                    assert!(ctx.cancel_timer(2));
                }
                Ok(Step::stay())
            }));
        });
        let step = deed(|_, _, _, ctx| {
            ctx.set_alarm(1, ms(10))?;
            ctx.set_alarm(2, ms(10))?;
            Ok(Step::stay())
        });
        world.tell(rig, Event::Do(step));
        world.pass(ms(20));
        assert_eq!(world.events(), ["alarm Number(1) while Idle"]);
        world.pass(ms(60));
        let rings: &[&str] = if replace { &["alarm Number(2) while Idle"] } else { &[] };
        assert_eq!(world.events(), rings);
    }
}

/// Conformance 27.
#[test]
fn an_alarm_that_waits_behind_a_suspension_does_not_ring_once_it_is_cancelled() {
    let (mut world, rig) = world();
    let step = deed(|_, _, _, ctx| {
        ctx.set_alarm(1, ms(10))?;
        ctx.set_alarm(2, ms(10))?;
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(step));
    world.settle();
    world.scope().suspend(rig).expect("room");
    let step = deed(|_, _, _, ctx| {
        assert!(ctx.cancel_timer(1));
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(step));
    world.pass(ms(20));
    world.scope().resume(rig);
    assert_eq!(world.events(), ["alarm Number(2) while Idle"]);
}

// --- transitions -------------------------------------------------------------------------------------------------

/// Conformance 26.
#[test]
fn going_to_the_same_state_is_a_transition_and_staying_is_none() {
    let (mut world, rig) = world();
    world.tell(rig, take(Step::stay().using(1)));
    assert_eq!(world.events(), NOTHING);
    world.tell(rig, take(Step::goto(State::Idle).using(2)));
    assert_eq!(world.events(), ["Idle to Idle, 1 to 2"]);
}

/// Conformance 26.
#[test]
fn a_transition_whose_hook_fails_is_not_made() {
    let (mut world, rig) = begin(State::Idle, |rig| rig.at_transition = Some(Failure::new("no way")));
    let watcher = world.observer(rig);
    assert_eq!(world.events(), ["watcher: rig is Idle"]);
    world.tell(rig, take(Step::goto(State::Busy).using(9)));
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["Idle to Busy, 0 to 9", "ends Idle with 0: error: no way"]);
    assert!(world.scope().is_alive(watcher));
}

/// An actor that logs what it observes.
struct Watcher(&'static str, Log);

impl Actor for Watcher {
    type Msg = StateChange<State>;
    fn receive(&mut self, change: StateChange<State>, _: &mut Ctx<'_, Self>) -> Outcome {
        let (name, who) = (self.0, |machine| self.1.name_of(machine));
        self.1.add(match change {
            StateChange::Current { machine, state } => format!("{name}: {} is {state:?}", who(machine)),
            StateChange::Transition { machine, from, to } => {
                format!("{name}: {} from {from:?} to {to:?}", who(machine))
            }
        });
        Ok(())
    }
}

type Eye = ActorRef<StateChange<State>>;

fn subscribe(who: Eye) -> Event {
    Event::Do(deed(move |rig, state, _, ctx| {
        rig.observers.subscribe(who, state, ctx)?;
        Ok(Step::stay())
    }))
}

impl World {
    fn watcher(&mut self, name: &'static str) -> Eye {
        let watcher = Watcher(name, self.log.clone());
        self.spawn(watcher).expect("room")
    }

    /// An observer of a machine.
    fn observer(&mut self, rig: ActorRef<Event>) -> Eye {
        let watcher = self.watcher("watcher");
        self.tell(rig, subscribe(watcher));
        watcher
    }
}

/// Conformance 26.
#[test]
fn an_observer_is_told_the_current_state_and_then_each_transition() {
    let (mut world, rig) = world();
    world.tell(rig, goto(State::Busy));
    world.events();
    let watcher = world.observer(rig);
    for step in [Step::goto(State::Busy), Step::stay(), Step::goto(State::Idle), Step::stop()] {
        world.tell(rig, take(step));
    }
    let events: Vec<_> = world.events().into_iter().filter(|word| word.starts_with("watcher")).collect();
    assert_eq!(
        events,
        ["watcher: rig is Busy", "watcher: rig from Busy to Busy", "watcher: rig from Busy to Idle"],
        "those before its end are told also when it ends in the same turn"
    );
    assert!(world.scope().is_alive(watcher));
}

/// Conformance 26.
#[test]
fn an_observer_that_unsubscribed_is_told_nothing_more() {
    let (mut world, rig) = world();
    let watcher = world.observer(rig);
    // Twice is once, but for the current state.
    world.tell(rig, subscribe(watcher));
    world.tell(rig, goto(State::Busy));
    let gone = deed(move |rig, _, _, _| {
        rig.say(rig.observers.len());
        assert!(rig.observers.unsubscribe(watcher) && !rig.observers.unsubscribe(watcher));
        rig.say(rig.observers.is_empty());
        Ok(Step::goto(State::Idle))
    });
    world.tell(rig, Event::Do(gone));
    let mut events = world.events();
    events.sort();
    assert_eq!(
        events,
        [
            "1",
            "Busy to Idle, 0 to 0",
            "Idle to Busy, 0 to 0",
            "true",
            "watcher: rig from Idle to Busy",
            "watcher: rig is Idle",
            "watcher: rig is Idle",
        ]
    );
}

/// Conformance 26.
#[test]
fn an_observer_that_has_ended_is_harmless_and_is_struck_off() {
    let (mut world, rig) = world();
    let watcher = world.observer(rig);
    world.tell(rig, subscribe(ActorRef::nobody()));
    world.stop(watcher);
    world.events();
    let nobody = world.letters();
    world.tell(rig, goto(State::Busy));
    let count = deed(|rig, _, _, _| {
        rig.say(rig.observers.len());
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(count));
    assert_eq!(world.events(), ["Idle to Busy, 0 to 0", "0"]);
    assert_eq!(world.letters(), nobody, "no dead letter for those who are known to be gone");
}

/// Conformance 26.
#[test]
fn observers_on_another_core_are_told_in_order_and_harmless_when_gone() {
    let mut realm = Realm::pair();
    let log = realm.log();
    let rig = Machine::new(Rig::new(&log), State::Idle, 0);
    let rig = realm.worlds[0].spawn(rig).expect("room");
    let eye = realm.worlds[1].watcher("far");
    realm.worlds[0].tell(rig, subscribe(eye));
    for to in [State::Busy, State::Brief, State::Idle] {
        realm.worlds[0].tell(rig, goto(to));
    }
    let far: Vec<_> = realm.events().into_iter().filter(|word| word.starts_with("far")).collect();
    assert_eq!(
        far,
        [
            "far: rig is Idle",
            "far: rig from Idle to Busy",
            "far: rig from Busy to Brief",
            "far: rig from Brief to Idle",
        ]
    );
    realm.worlds[1].scope().stop(eye);
    realm.settle();
    realm.worlds[0].tell(rig, goto(State::Busy));
    assert_eq!(realm.events(), ["Idle to Busy, 0 to 0"]);
    assert_eq!(realm.worlds[1].letters(), [(DeadReason::NoActor, 1)]);
    assert_eq!(realm.worlds[0].stats().failed, 0);
}

#[test]
fn observers_are_as_many_as_is_stated_and_the_dead_make_room() {
    let (mut world, rig) = world();
    let mut all: Vec<_> = (0..=OBSERVERS_MAX).map(|_| world.watcher("one")).collect();
    let last = all.pop().expect("one too many");
    for &eye in &all {
        world.tell(rig, subscribe(eye));
    }
    let refused = deed(move |rig, state, _, ctx| {
        assert_eq!(rig.observers.subscribe(last, state, ctx), Err(ObserversFull));
        rig.say(ObserversFull);
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(refused));
    let events = world.events();
    assert_eq!(events.iter().filter(|word| *word == "one: rig is Idle").count(), OBSERVERS_MAX);
    assert!(events.contains(&format!("a machine has at most {OBSERVERS_MAX} observers")), "{events:?}");
    world.stop(all[3]);
    world.tell(rig, subscribe(last));
    assert_eq!(world.events(), ["one: rig is Idle"]);
}

// --- ends --------------------------------------------------------------------------------------------------------

#[test]
fn a_step_that_stops_ends_normally_with_its_data_and_nothing_is_handled_after_it() {
    let (mut world, rig) = begin(State::Brief, |_| {});
    let step = deed(|_, _, _, ctx| {
        ctx.set_alarm(1, ms(1))?;
        ctx.set_timer(2, ms(1), Event::Note(2))?;
        // A step that stops waits for nothing.
        Ok(Step::stop().using(4).for_max(ms(1)))
    });
    world.tell(rig, Event::Do(step));
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["ends Brief with 4: Normal"]);
    world.pass(ms(1000));
    assert_eq!(world.events(), NOTHING);
    assert_eq!((world.stats().actors, world.stats().failed), (0, 0));
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn a_machine_that_is_stopped_from_outside_is_shut_down() {
    let (mut world, rig) = world();
    world.tell(rig, take(Step::goto(State::Busy).using(1)));
    world.events();
    world.stop(rig);
    assert_eq!(world.events(), ["ends Busy with 1: Shutdown"]);
}

#[test]
fn a_machine_that_fails_ends_with_the_failure_and_the_state_it_was_in() {
    let (mut world, rig) = world();
    world.tell(rig, goto(State::Busy));
    world.events();
    world.tell(rig, Event::Do(deed(|_, _, _, _| Err("many".parse::<u8>().map(drop).unwrap_err().into()))));
    assert_eq!(world.events(), ["ends Busy with 0: error: invalid digit found in string"]);
    assert_eq!((world.stats().actors, world.stats().failed), (0, 1));
}

#[test]
fn a_machine_that_panics_ends_with_the_panic() {
    let (mut world, rig) = world();
    world.tell(
        rig,
        Event::Do(deed(|_, _, data, _| {
            *data = 3;
            panic!("stuck")
        })),
    );
    assert_eq!(world.events(), ["ends Idle with 3: panic: stuck"]);
    assert_eq!(world.panics, ["stuck"]);
}

#[test]
fn a_machine_that_fails_at_its_start_ends_with_that() {
    let (mut world, _) = begin(State::Idle, |rig| {
        rig.at_start = Some(deed(|_, _, _, _| Err(Failure::new("no coins"))));
    });
    world.settle();
    assert_eq!((world.stats().actors, world.stats().failed), (0, 1));
}

// --- other hooks -------------------------------------------------------------------------------------------------

#[test]
fn the_end_of_a_watched_actor_leads_to_a_step() {
    let (mut world, rig) = begin(State::Busy, |rig| {
        rig.at_end_of_other = Some(deed(|_, _, _, _| Ok(Step::goto(State::Idle))));
    });
    let other = world.puppet("other");
    let watch = deed(move |_, _, _, ctx| {
        ctx.watch(other)?;
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(watch));
    world.events();
    world.stop(other);
    assert_eq!(world.events(), ["other stopped", "hears of the end of other", "Busy to Idle, 0 to 0"]);
}

/// A child of a machine, whose handler fails.
struct Brat;

impl Actor for Brat {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Err(Failure::new("bored"))
    }
}

#[test]
fn a_machine_decides_about_its_children_and_stays_where_it_is() {
    for (directive, left) in [(Directive::Stop, 1), (Directive::Restart, 2), (Directive::Resume, 2)] {
        let (mut world, rig) = begin(State::Busy, |rig| rig.directive = directive);
        let spawn = deed(|_, _, _, ctx| {
            let brat = ctx.spawn_from(|| Brat)?;
            ctx.tell(brat, ());
            Ok(Step::stay())
        });
        world.tell(rig, Event::Do(spawn));
        assert_eq!(world.events(), ["decides on a child's error: bored while Busy"]);
        assert_eq!(world.stats().actors, left, "{directive:?}");
    }
}

#[test]
fn a_machine_that_is_restarted_begins_anew() {
    let mut world = World::new();
    let log = world.log.clone();
    let rig = world.scope().spawn_from(move || Machine::new(Rig::new(&log), State::Idle, 0)).unwrap();
    world.tell(rig, take(Step::goto(State::Busy).using(7)));
    world.events();
    world.tell(rig, Event::Do(deed(|_, _, _, _| Err(Failure::new("oops")))));
    assert_eq!(world.events(), ["ends Busy with 7: error: oops", "begins Idle with 0"]);
}

#[test]
fn a_receive_time_out_runs_whatever_the_state_and_leads_to_a_step() {
    let (mut world, rig) = begin(State::Idle, |rig| {
        rig.at_silence = Some(deed(|_, _, _, _| Ok(Step::goto(State::Busy))));
    });
    let set = deed(|_, _, _, ctx| {
        ctx.set_receive_timeout(Some(ms(100)))?;
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(set));
    world.pass(ms(60));
    world.tell(rig, goto(State::Busy));
    world.tell(rig, goto(State::Idle));
    world.pass(ms(60));
    // Does not count.
    world.tell(rig, Event::Odd(Census::default().token()));
    world.events();
    world.pass(ms(60));
    assert_eq!(world.events(), ["hears nothing while Idle", "Idle to Busy, 0 to 0"]);
}

// --- memory ------------------------------------------------------------------------------------------------------

#[test]
fn state_time_outs_take_no_memory_for_good() {
    let (mut world, rig) = begin(State::Brief, |_| {});
    let round = |world: &mut World| {
        for millis in (1..60).rev().chain(1..60) {
            world.tell(rig, take(Step::stay().for_max(ms(millis))));
            world.pass(ms(millis % 7));
        }
        world.log.take();
        world.stats().used_bytes
    };
    let used = round(&mut world);
    for _ in 0..50 {
        assert_eq!(round(&mut world), used);
    }
}
