//! Lives, from their beginning to their end.

use super::*;

#[test]
fn children_end_before_their_parents() {
    let rule = Some("a child ends before its parent");
    assert_eq!(broken(&[ends(2), ends(1)].concat()), None);
    assert_eq!(broken(&[Act::Stopped { id: 1 }]), rule);
    let [spawned, made, started] = born(4, 1, 0);
    assert_eq!(broken(&[&[spawned, made][..], &ends(2), &[Act::Stopped { id: 1 }]].concat()), rule);
    // One whose state is made when the hook of its parent has run.
    let late = [&ends(2)[..], &[spawned, Act::Stopped { id: 1 }, made]].concat();
    assert_eq!(broken(&[&late[..], &[Act::Ended { id: 4 }, Act::Ended { id: 1 }]].concat()), None);
    assert_eq!(broken(&[&late[..], &[started]].concat()), rule);
    assert_eq!(broken(&[&late[..], &[Act::Ended { id: 1 }]].concat()), rule);
}

#[test]
fn nobody_acts_before_its_start_and_after_its_end() {
    let rule = Some("an actor does nothing before its start and after its end");
    assert_eq!(broken(&[&[told(1, 3, 1)][..], &ends(3), &[handled(1, 3, 1)]].concat()), rule);
    assert_eq!(broken(&[Act::Stopped { id: 3 }, Act::Received { id: 3, now: NOW }]), rule);
    let due = Act::TimerSet { id: 4, key: 1, no: 1, due: NOW, every: false };
    let fired = Act::TimerFired { id: 4, key: 1, no: 1, now: NOW };
    let [spawned, made, started] = born(4, OUTSIDE, 0);
    assert_eq!(broken(&[spawned, made, started, due, fired]), None);
    assert_eq!(broken(&[spawned, made, due, fired]), rule);
    assert_eq!(
        broken(&[&[watching(1, 3)][..], &ends(3), &[Act::Stopped { id: 2 }, notice(2, 3)]].concat()),
        rule
    );
    let [failed, heard] = fails(Decision::Resume);
    let above = [failed, Act::StopAsked { id: 1, by: OUTSIDE }, Act::Ended { id: 2 }];
    assert_eq!(broken(&above), Some("the hooks of an end come before it"));
    let unbegun = fails_below(2, 4, Decision::Resume, Reach::One);
    assert_eq!(broken(&[&born(4, 2, 0)[..2], &unbegun].concat()), None);
    let unstarted = Act::ChildFailed { parent: 4, child: 5, now: NOW, decision: RESTART, reach: Reach::One };
    let below = [spawned, made, Act::Spawned { id: 5, parent: 4, shard: 0 }, Act::Fails { id: 5 }, unstarted];
    assert_eq!(broken(&below), rule);
    assert_eq!(broken(&[failed, heard]), None);
}

#[test]
fn hooks_and_drops_come_once() {
    let [spawned, ..] = born(2, 1, 0);
    assert_eq!(broken(&[spawned]), Some("a number is given once"));
    assert_eq!(broken(&[Act::Spawned { id: OUTSIDE, parent: 1, shard: 0 }]), Some("a number is given once"));
    assert_eq!(broken(&[Act::Started { id: 3 }]), Some("an actor starts once"));
    assert_eq!(broken(&[Act::Stopped { id: 3 }, Act::Stopped { id: 3 }]), Some("an actor stops once"));
    assert_eq!(broken(&[&ends(3)[..], &[Act::Ended { id: 3 }]].concat()), Some("a state is dropped once"));
    assert_eq!(broken(&[Act::Ended { id: 3 }]), Some("the hooks of an end come before it"));
    // One that never started has none.
    assert_eq!(broken(&[&born(4, 1, 0)[..2], &[Act::Ended { id: 4 }]].concat()), None);
}

#[test]
fn a_restart_is_another_state_of_the_same_life() {
    let again = [&fails(RESTART)[..], &RESTARTS].concat();
    assert_eq!(broken(&[&again[..], &[told(1, 2, 1), handled(1, 2, 1)]].concat()), None);
    let rule = Some("a state is made once, and again by a restart");
    assert_eq!(broken(&[Act::Made { id: 2 }]), rule);
    let once = Some("an actor starts once");
    assert_eq!(broken(&[&again[..], &[Act::Started { id: 2 }]].concat()), once);
    // Not as if it were new, and not without its leave.
    assert_eq!(broken(&[&again[..6], &[Act::Started { id: 2 }]].concat()), once);
    let hooks = Some("the hooks of an end come before it");
    assert_eq!(broken(&[&again[..3], &[Act::Ended { id: 2 }]].concat()), hooks);
    // Its own hook comes once, while it lives, and before the `restarted` of the next state.
    let order = Some("a restart has its hooks in order");
    assert_eq!(broken(&[&again[..3], &RESTARTS[..1]].concat()), order);
    assert_eq!(broken(&[&again[..4], &RESTARTS[..1]].concat()), order);
    assert_eq!(broken(&[&again[..], &RESTARTS[4..5]].concat()), once);
    assert_eq!(broken(&[&born(4, 1, 0)[..2], &[Act::Restarted { id: 4, now: NOW }]].concat()), once);
}

#[test]
fn one_that_is_being_restarted_handles_nothing_more() {
    let story = [&[told(1, 2, 1)][..], &fails(RESTART), &RESTARTS[..1], &[handled(1, 2, 1)]].concat();
    assert_eq!(broken(&story), Some("one that is being restarted handles nothing more"));
}

#[test]
fn a_parent_hears_once_of_a_failure() {
    let [failed, heard] = fails(Decision::Stop);
    let rule = Some("a parent hears once of each child that failed");
    assert_eq!(broken(&[&[failed, heard][..], &ends(2)].concat()), None);
    assert_eq!(broken(&[&[failed][..], &ends(2)].concat()), rule);
    assert_eq!(broken(&[failed, heard, heard]), rule);
    assert_eq!(broken(&[heard]), rule);
    assert_eq!(broken(&[failed, RESTARTS[0]]), rule);
    let other = Act::ChildFailed { parent: 3, child: 2, now: NOW, decision: RESTART, reach: Reach::One };
    assert_eq!(broken(&[failed, other]), rule, "a stranger");
    // One whose start has failed is made again when that is decided.
    let [spawned, made, _] = born(4, 1, 0);
    let [failed, heard] = fails_below(1, 4, RESTART, Reach::One);
    assert_eq!(Story::of(&[spawned, failed]).broken_by(made), rule);
    assert_eq!(Story::of(&[spawned, failed, heard]).broken_by(made), None);
}

#[test]
fn nothing_is_left_at_the_end() {
    let mut story = Story::of(&[]);
    assert_eq!(story.broken_at_end(), Some("all actors have ended"));
    story.goes_on(&[ends(2), ends(1), ends(3)].concat());
    assert_eq!(story.broken_at_end(), None);
}
