//! Questions and look-ups, and their outcomes.

use super::*;

const ASKS: Act =
    Act::Asks { by: A, of: C, no: 5, now: Time::from_millis(9500), until: Time::from_millis(10_000) };
const LOOKS_UP: Act =
    Act::LooksUp { by: A, of: C, no: 5, now: Time::from_millis(9500), until: Time::from_millis(10_000) };

fn answered(answer: Option<u32>, second: u64) -> Act {
    Act::Answered { by: A, no: 5, answer, now: at(second) }
}

fn looked_up(found: Found, second: u64) -> Act {
    Act::LookedUp { by: A, no: 5, found, now: at(second) }
}

#[test]
fn a_question_has_one_outcome_which_is_its_own() {
    let rule = Some("a question has one outcome");
    assert_eq!(broken(&[ASKS, answered(Some(5), 1)]), None);
    assert_eq!(broken(&[ASKS, answered(None, 10)]), None);
    assert_eq!(broken(&[ASKS, answered(Some(5), 1), answered(Some(5), 1)]), rule);
    assert_eq!(broken(&[ASKS]), rule);
    assert_eq!(broken(&[ASKS, Act::NotAsked { no: 5 }]), None);
    assert_eq!(broken(&[ASKS, Act::Dropped { id: A }]), None);
    let own = Some("an answer is that of its question");
    assert_eq!(broken(&[ASKS, answered(Some(6), 1)]), own);
    assert_eq!(broken(&[ASKS, Act::Answered { by: B, no: 5, answer: Some(5), now: at(1) }]), own);
}

#[test]
fn a_question_ends_at_its_deadline_and_before_it_only_by_an_answer() {
    let late = Some("a question ends at its deadline");
    assert_eq!(broken(&[ASKS, answered(None, 11)]), late);
    assert_eq!(broken(&[ASKS, answered(Some(5), 11)]), late);
    let pause = Act::Pauses { life: NEAR, until: at(12) };
    assert_eq!(broken(&[ASKS, pause, answered(None, 12)]), None);
    assert_eq!(broken(&[ASKS, Act::Pauses { life: FAR, until: at(12) }, answered(None, 12)]), late);
    let early = Some("a question ends early only by an answer");
    assert_eq!(broken(&[ASKS, answered(None, 9)]), early);
    assert_eq!(broken(&[ASKS, trouble(SHORT), answered(None, 9)]), early);
    assert_eq!(broken(&[ASKS, trouble(LONG), answered(None, 9)]), None);
}

#[test]
fn a_look_up_has_one_outcome_by_its_deadline() {
    let rule = Some("a look-up has one outcome");
    assert_eq!(broken(&[LOOKS_UP, looked_up(Found::Them, 1)]), None);
    assert_eq!(broken(&[LOOKS_UP, looked_up(Found::Them, 1), looked_up(Found::Them, 1)]), rule);
    assert_eq!(broken(&[LOOKS_UP]), rule);
    assert_eq!(broken_in(Limits { memory: true, ..Limits::default() }, &[LOOKS_UP]), None);
    let late = Some("a look-up ends at its deadline");
    assert_eq!(broken(&[LOOKS_UP, looked_up(Found::NoAnswer, 11)]), late);
    let early = Some("a look-up ends early only by an answer");
    assert_eq!(broken(&[LOOKS_UP, looked_up(Found::NoAnswer, 9)]), early);
    assert_eq!(broken(&[LOOKS_UP, trouble(LONG), looked_up(Found::NoAnswer, 9)]), None);
    assert_eq!(broken(&[LOOKS_UP, looked_up(Found::NoAnswer, 10)]), None);
}

#[test]
fn a_patient_look_up_is_answered_where_nothing_was_wrong() {
    let patient = Act::LooksUp { by: A, of: C, no: 5, now: at(1), until: at(10) };
    let none = looked_up(Found::NoAnswer, 10);
    assert_eq!(broken(&[patient, none]), Some("a look-up is answered where nothing was wrong"));
    assert_eq!(broken(&[patient, trouble(SHORT), none]), None);
    assert_eq!(broken(&[patient, looked_up(Found::Them, 10)]), None);
    assert_eq!(broken_in(Limits { memory: true, ..Limits::default() }, &[patient, none]), None);
}

#[test]
fn who_lives_is_found_and_a_look_up_refused_for_a_reason() {
    let nobody = looked_up(Found::Nobody, 1);
    assert_eq!(broken(&[LOOKS_UP, nobody]), Some("who lives is found"));
    assert_eq!(broken(&[LOOKS_UP, Act::Dropped { id: C }, nobody]), None);
    let many = looked_up(Found::TooMany, 1);
    assert_eq!(broken(&[LOOKS_UP, many]), Some("a look-up is refused for a reason"));
    assert_eq!(broken_in(Limits { lookups: Some(1), ..Limits::default() }, &[LOOKS_UP, many]), None);
}
