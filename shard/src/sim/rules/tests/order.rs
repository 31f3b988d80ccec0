//! Messages, in their order.

use super::*;

#[test]
fn order_is_kept_for_each_pair() {
    let all = [told(1, 2, 1), told(1, 2, 2), told(3, 2, 1)];
    let in_order = [handled(3, 2, 1), handled(1, 2, 1), handled(1, 2, 2)];
    assert_eq!(broken(&[&all[..], &in_order].concat()), None);
    let rule = Some("messages of a pair arrive in order");
    assert_eq!(broken(&[&all[..], &[handled(1, 2, 2), handled(1, 2, 1)]].concat()), rule);
}

#[test]
fn a_message_is_handled_or_dropped_once() {
    let dropped = Act::Dropped { from: 1, to: 2, no: 1 };
    let rule = Some("a message is handled or dropped once");
    for twice in [[handled(1, 2, 1), handled(1, 2, 1)], [handled(1, 2, 1), dropped], [dropped, dropped]] {
        assert_eq!(broken(&[&[told(1, 2, 1)][..], &twice].concat()), rule, "{twice:?}");
    }
    assert_eq!(broken(&[told(1, 2, 1), dropped]), None);
    assert_eq!(broken(&[told(1, 2, 1), Act::Refused { from: 1, to: 2, no: 1 }]), None);
    assert_eq!(broken(&[told(1, 2, 1)]), Some("no message is forgotten"));
    assert_eq!(broken(&[told(1, 2, 1), told(1, 2, 1)]), Some("a message is told once"));
}

#[test]
fn no_successor_gets_a_message() {
    let wrong = Act::Handled { by: 3, from: 1, to: 2, no: 1 };
    assert_eq!(broken(&[told(1, 2, 1), wrong]), Some("no message reaches a successor of its receiver"));
}

#[test]
fn stashed_messages_come_back_in_order_and_first() {
    let put = [told(1, 2, 1), told(1, 2, 2), told(3, 2, 1), stashed(1, 2, 1), stashed(1, 2, 2)];
    let back = Act::Unstashed { by: 2, count: 2 };
    let rule = Some("stashed messages come back in order, before all others");
    let good = [back, handled(1, 2, 1), handled(1, 2, 2), handled(3, 2, 1)];
    assert_eq!(broken(&[&put[..], &good].concat()), None);
    assert_eq!(broken(&[&put[..], &[back, handled(1, 2, 2)]].concat()), rule);
    assert_eq!(broken(&[&put[..], &[back, handled(3, 2, 1)]].concat()), rule);
    assert_eq!(broken(&[&put[..], &[handled(1, 2, 1)]].concat()), rule);
    assert_eq!(broken(&[&put[..], &[Act::Unstashed { by: 2, count: 3 }]].concat()), rule);
}

#[test]
fn the_suspended_handle_nothing() {
    let story = [told(1, 2, 1), Act::Suspended { id: 2 }];
    assert_eq!(broken(&story), None, "it may wait");
    let rule = Some("a suspended actor handles no message");
    assert_eq!(broken(&[&story[..], &[handled(1, 2, 1)]].concat()), rule);
    assert_eq!(broken(&[&story[..], &[Act::Resumed { id: 2 }, handled(1, 2, 1)]].concat()), None);
    let waits = Act::FutureBegun { id: 2, no: 1, waits: true };
    assert_eq!(broken(&[told(1, 2, 1), waits, handled(1, 2, 1)]), rule);
}

#[test]
fn a_restart_keeps_messages_and_what_was_stashed_before_them() {
    let before = [told(1, 2, 1), told(1, 2, 2), told(3, 2, 1), stashed(1, 2, 1)];
    let story = |after: &[Act]| broken(&[&before[..], &fails(RESTART), &RESTARTS, after].concat());
    assert_eq!(story(&[handled(1, 2, 1), handled(3, 2, 1), handled(1, 2, 2)]), None);
    assert_eq!(story(&[handled(3, 2, 1)]), Some("stashed messages come back in order, before all others"));
    assert_eq!(story(&[]), Some("no message is forgotten"));
    let dropped = Act::Dropped { from: 1, to: 2, no: 1 };
    let lost = Some("what is stashed is not lost while its actor lives");
    assert_eq!(broken(&[&before[..], &[dropped]].concat()), lost);
    let amid = [&before[..], &fails(RESTART), &RESTARTS[..3], &[dropped, RESTARTS[3]]].concat();
    assert_eq!(broken(&amid), lost);
    assert_eq!(story(&[notice(3, 2)]), Some("each watch has one notice"));
    let watched = [&[watching(3, 2)][..], &fails(RESTART), &RESTARTS, &[notice(3, 2)]].concat();
    assert_eq!(broken(&watched), Some("a notice comes after the end"));
}

#[test]
fn what_nobody_handled_is_dropped_by_the_end() {
    let mut story = Story::of(&[&[told(1, 2, 1)][..], &ends(2), &ends(1), &ends(3)].concat());
    assert_eq!(story.broken_at_end(), Some("no message is forgotten"));
    story.goes_on(&[Act::Dropped { from: 1, to: 2, no: 1 }]);
    assert_eq!(story.broken_at_end(), None);
}
