//! Named timers of a machine, whose alarms are events.

use crate::common::ms;
use crate::rig::{Event, NOTHING, State, begin, deed, goto, world};
use corelane_kernel::fsm::Step;

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
