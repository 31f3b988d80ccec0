//! State machines.

use super::*;

fn in_state(state: u32) -> Act {
    Act::InState { id: 2, state }
}

fn stepped(to: Option<u32>, limit: Option<Duration>) -> Act {
    Act::Stepped { id: 2, to, limit, stops: false, now: NOW }
}

fn transition(from: u32, to: u32) -> Act {
    Act::Transition { id: 2, from, to }
}

#[test]
fn a_machine_is_where_its_last_transition_led() {
    let goes = [in_state(0), stepped(Some(7), None), transition(0, 7)];
    assert_eq!(broken(&[&goes[..], &[in_state(7)]].concat()), None);
    let state = Some("a machine is in the state that its last transition led to");
    assert_eq!(broken(&[&goes[..], &[in_state(0)]].concat()), state);
    assert_eq!(broken(&[in_state(3)]), state);
    let announced = Some("a transition is made once, as a step announced it");
    assert_eq!(broken(&[&goes[..], &[transition(7, 7)]].concat()), announced);
    assert_eq!(broken(&[in_state(0), stepped(Some(7), None), transition(0, 8)]), announced);
    assert_eq!(broken(&[in_state(0), stepped(None, None), transition(0, 8)]), announced);
    assert_eq!(Story::of(&[in_state(0), stepped(Some(7), None)]).broken_by(in_state(0)), announced);
    assert_eq!(broken(&[in_state(0), stepped(Some(7), None)]), announced, "it is never made");
    // Another instance begins anew; a failure on the way leaves the state as it was.
    assert_eq!(broken(&[&goes[..], &fails(RESTART), &RESTARTS, &[in_state(0)]].concat()), None);
    let failed = [&goes[..2], &fails(Decision::Resume), &[in_state(0)]].concat();
    assert_eq!(broken(&failed), None);
}

#[test]
fn a_state_time_out_comes_after_its_time_without_an_event_and_is_not_forgotten() {
    let limit = Some(Duration::from_millis(10));
    let over = |state, millis| Act::StateTimeout { id: 2, state, now: Time::from_millis(millis) };
    let rule = Some("a state time-out comes after so long without an event");
    assert_eq!(broken(&[stepped(None, limit), over(0, 1010), in_state(0)]), None);
    assert_eq!(broken(&[stepped(None, limit), over(0, 1009)]), rule);
    assert_eq!(broken(&[stepped(None, limit), in_state(0), over(0, 1010)]), rule);
    assert_eq!(broken(&[stepped(None, None), over(0, 1010)]), rule);
    let goes = [stepped(Some(7), limit), transition(0, 7)];
    assert_eq!(broken(&[&goes[..], &[over(7, 1010), in_state(7)]].concat()), None);
    assert_eq!(
        broken(&[&goes[..], &[over(0, 1010)]].concat()),
        Some("a machine is in the state that its last transition led to")
    );
    let mut story = Story::of(&[stepped(None, limit)]);
    assert_eq!(story.0.at_rest(Time::from_millis(1010)), Ok(()));
    let broken = story.0.at_rest(Time::from_millis(1012)).unwrap_err();
    assert_eq!(broken.rule, "no state time-out is forgotten");
}

#[test]
fn a_machine_ends_normally_only_by_a_step_of_its_own() {
    let finished = |normal| Act::Finished { id: 2, state: 0, normal };
    let stops = Act::Stepped { id: 2, to: None, limit: None, stops: true, now: NOW };
    assert_eq!(broken(&[&[stops, finished(true)][..], &ends(2)].concat()), None);
    assert_eq!(broken(&[&[finished(false)][..], &ends(2)].concat()), None);
    assert_eq!(broken(&[finished(true)]), Some("a machine says why it ends"));
}

#[test]
fn observers_hear_of_transitions_in_order_and_once() {
    let made =
        [stepped(Some(7), None), transition(0, 7), in_state(7), stepped(Some(9), None), transition(7, 9)];
    let heard = |from, to| Act::Observed { observer: 3, machine: 2, from, to };
    let story = |heard: &[Act]| broken(&[&made[..], heard].concat());
    assert_eq!(story(&[heard(None, 0), heard(Some(0), 7), heard(Some(7), 9)]), None);
    assert_eq!(story(&[heard(None, 7), heard(None, 7), heard(Some(7), 9)]), None);
    let once = Some("observers hear of each transition at most once, and in order");
    assert_eq!(story(&[heard(Some(0), 7), heard(Some(0), 7)]), once);
    assert_eq!(story(&[heard(Some(7), 9), heard(Some(0), 7)]), once);
    let was = Some("observers hear of what was");
    assert_eq!(story(&[heard(Some(0), 9)]), was);
    assert_eq!(story(&[heard(None, 8)]), was);
}
