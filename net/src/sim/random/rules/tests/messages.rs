//! Messages: to whom, in which order, how often, of which life, and whether they come.

use super::*;

const TOLD: Act = Act::Told { from: A, to: C, no: 1 };
const AGAIN: Act = Act::Told { from: A, to: C, no: 2 };

const fn heard(no: u32) -> Act {
    Act::Heard { by: C, from: A, to: C, no }
}

#[test]
fn messages_come_in_order_and_at_most_once() {
    let rule = Some("messages of a pair come in order and at most once");
    assert_eq!(broken(&[TOLD, AGAIN, heard(1), heard(2)]), None);
    assert_eq!(broken(&[TOLD, AGAIN, heard(2), heard(1)]), rule);
    assert_eq!(broken(&[TOLD, heard(1), heard(1)]), rule);
}

#[test]
fn a_message_reaches_whom_it_is_for_and_comes_from_somebody() {
    let rule = Some("no message reaches another than it is for");
    assert_eq!(broken(&[TOLD, Act::Heard { by: B, from: A, to: C, no: 1 }]), rule);
    let nobody = Act::Heard { by: C, from: 77, to: C, no: 1 };
    assert_eq!(broken(&[nobody]), Some("messages come from somebody"));
}

#[test]
fn what_was_refused_or_never_told_is_not_heard() {
    let rule = Some("what is refused is not sent");
    let refused = Act::Refused { from: A, to: C, no: 1 };
    assert_eq!(broken(&[TOLD, refused]), None);
    assert_eq!(broken(&[TOLD, refused, heard(1)]), rule);
    assert_eq!(broken(&[TOLD, heard(2)]), rule);
}

#[test]
fn a_life_is_not_heard_behind_the_one_that_followed_it() {
    let rule = Some("a life that was followed by another is not heard");
    let said = |from| [Act::Told { from, to: A, no: 1 }, Act::Heard { by: A, from, to: A, no: 1 }];
    let [told, late] = said(C);
    assert_eq!(broken(&[&[told][..], &NEXT, &[late], &said(3)].concat()), None);
    assert_eq!(broken(&[&[told][..], &NEXT, &said(3), &[late]].concat()), rule);
}

#[test]
fn nothing_is_lost_where_nothing_was_wrong() {
    let rule = Some("nothing is lost where nothing was wrong");
    assert_eq!(broken(&[TOLD]), rule);
    assert_eq!(broken(&[TOLD, AGAIN, heard(2)]), rule);
    assert_eq!(broken(&[TOLD, trouble(SHORT)]), None);
    assert_eq!(broken(&[TOLD, Act::Over { life: FAR }]), None);
    assert_eq!(broken(&[TOLD, Act::Dropped { id: C }]), None);
    assert_eq!(broken_in(Limits { anything: true, ..Limits::default() }, &[TOLD]), None);
}
