//! State time-outs: when they come, what cancels them, and that they follow a model.

use std::time::Duration;

use crate::common::{World, ms};
use crate::rig::{Event, NOTHING, State, begin, deed, goto, take, ticks, world};
use corelane_kernel::Time;
use corelane_kernel::fsm::Step;
use proptest::prelude::*;

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
