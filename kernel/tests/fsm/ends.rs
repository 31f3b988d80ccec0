//! Ends: how a machine ends, with which state and data.

use crate::common::ms;
use crate::rig::{Event, NOTHING, State, begin, deed, goto, take, world};
use corelane_kernel::fsm::Step;
use corelane_kernel::{DeadReason, Failure};

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
