//! Families: births, decisions, and ends.

use super::*;

/// The child of every story, and its number.
const BIRTH: Birth = 7;
const CHILD: Id = 3;

const HIRES: Act = Act::Hires {
    by: A,
    birth: BIRTH,
    host: 2,
    now: Time::from_millis(1000),
    until: Time::from_millis(10_000),
};
const MADE: Act = Act::Made { birth: BIRTH, life: FAR };
const FAILS: Act = Act::Fails { id: CHILD };
const STIRS: Act = Act::Stirs { id: CHILD };
const AGAIN: [Act; 3] = [Act::Restarting { id: CHILD }, Act::Dropped { id: CHILD }, MADE];

fn hired(born: Born, second: u64) -> Act {
    Act::Hired { by: A, birth: BIRTH, born, now: at(second) }
}

const fn decides(what: Decision) -> Act {
    Act::Decides { by: A, birth: BIRTH, what }
}

/// A child that is there, and what happens then.
fn born(then: &[Act]) -> Vec<Act> {
    let started = Act::Started { birth: BIRTH, shard: 0 };
    and(&[HIRES, MADE, started, hired(Born::There, 2)], then)
}

#[test]
fn a_birth_has_one_outcome() {
    let rule = Some("each birth has one outcome");
    assert_eq!(broken(&born(&[])), None);
    assert_eq!(broken(&born(&[hired(Born::There, 2)])), rule);
    assert_eq!(broken(&[HIRES]), rule);
    assert_eq!(broken_in(Limits { memory: true, ..Limits::default() }, &[HIRES]), None);
    assert_eq!(broken(&[HIRES, Act::NotHired { birth: BIRTH }]), None);
    assert_eq!(broken(&[HIRES, Act::Dropped { id: A }]), None);
    assert_eq!(
        broken(&[HIRES, MADE, Act::Hired { by: B, birth: BIRTH, born: Born::There, now: at(2) }]),
        rule
    );
    assert_eq!(broken(&[hired(Born::Lost, 1)]), rule);
}

#[test]
fn a_birth_makes_one_child_where_it_was_wanted() {
    let rule = Some("a birth makes one child");
    assert_eq!(broken(&born(&[MADE])), rule);
    assert_eq!(broken(&[MADE]), rule);
    assert_eq!(broken(&[HIRES, Act::Made { birth: BIRTH, life: NEAR }]), rule);
}

#[test]
fn a_birth_comes_to_nothing_for_a_reason() {
    let rule = Some("a birth ends for a reason");
    assert_eq!(broken(&[HIRES, hired(Born::There, 2)]), rule, "nobody was made");
    assert_eq!(broken(&[HIRES, hired(Born::Refused, 2)]), rule);
    // The patient wait longer than a link takes to open where nothing is wrong.
    assert_eq!(broken(&[HIRES, trouble(SHORT), hired(Born::Late, 10)]), None);
    assert_eq!(broken(&[HIRES, hired(Born::Late, 10)]), rule);
    assert_eq!(broken(&[HIRES, trouble(SHORT), hired(Born::Late, 2)]), rule);
    assert_eq!(broken(&[HIRES, trouble(LONG), hired(Born::Late, 2)]), None);
    let soon = Act::Hires { by: A, birth: BIRTH, host: 2, now: at(1), until: at(2) };
    assert_eq!(broken(&[soon, hired(Born::Late, 2)]), None);
    assert_eq!(broken(&[HIRES, trouble(SHORT), hired(Born::Lost, 2)]), rule);
    assert_eq!(broken(&[HIRES, trouble(LONG), hired(Born::Lost, 2)]), None);
    assert_eq!(broken(&[HIRES, hired(Born::OutOfMemory, 2)]), rule);
    let short = Limits { memory: true, ..Limits::default() };
    assert_eq!(broken_in(short, &[HIRES, hired(Born::OutOfMemory, 2)]), None);
}

#[test]
fn children_are_too_many_only_where_there_are_so_many() {
    let rule = Some("a birth ends for a reason");
    let few = Limits { children: Some(1), ..Limits::default() };
    let next = |second: u64| {
        let (birth, now) = (8, at(second));
        let hires = Act::Hires { by: A, birth, host: 2, now, until: at(second + 9) };
        [hires, Act::Hired { by: A, birth, born: Born::TooMany, now }]
    };
    assert_eq!(broken_in(few, &born(&next(3))), None);
    assert_eq!(broken(&born(&next(3))), rule, "there is no such limit");
    assert_eq!(broken_in(few, &next(3)), rule, "there is no other");
    // One that has ended counts no more, a while after.
    let passes = Act::Trouble { one: NEAR, other: NEAR, now: at(3), lasts: SHORT };
    let ended = born(&[Act::Dropped { id: CHILD }, passes]);
    assert_eq!(broken_in(few, &and(&ended, &next(3))), None);
    assert_eq!(broken_in(few, &and(&ended, &next(9))), rule);
    // Of another host's actors there may be as many.
    let other = Act::Hires { by: C, birth: 8, host: 2, now: at(3), until: at(9) };
    let refused = Act::Hired { by: C, birth: 8, born: Born::TooMany, now: at(3) };
    assert_eq!(broken_in(few, &born(&[other, refused])), rule);
}

#[test]
fn no_more_children_live_on_a_host_than_may_unless_the_hosts_lost_each_other() {
    let rule = Some("no more children live on a host than may");
    let few = Limits { children: Some(1), ..Limits::default() };
    let hires = Act::Hires { by: A, birth: 8, host: 2, now: at(3), until: at(9) };
    let next = [hires, Act::Made { birth: 8, life: FAR }, Act::Started { birth: 8, shard: 0 }];
    let there = [Act::Hired { by: A, birth: 8, born: Born::There, now: at(4) }];
    assert_eq!(broken_in(few, &born(&next)), rule);
    assert_eq!(broken(&born(&and(&next, &there))), None);
    let elsewhere = [hires, next[1], Act::Started { birth: 8, shard: 1 }, there[0]];
    assert_eq!(broken_in(few, &born(&elsewhere)), None);
    let after = [&[Act::Dropped { id: CHILD }][..], &next, &there].concat();
    assert_eq!(broken_in(few, &born(&after)), None);
    assert_eq!(broken_in(few, &born(&[&[trouble(LONG)][..], &next, &there].concat())), None);
}

#[test]
fn a_failure_is_decided_about_once_and_nothing_is_handled_before() {
    let rule = Some("each failure is decided about once");
    let waits = Some("who waits for a decision handles nothing");
    let resumes = decides(Decision::Resume);
    assert_eq!(broken(&born(&[FAILS, resumes, STIRS])), None);
    assert_eq!(broken(&born(&[FAILS])), rule);
    assert_eq!(broken(&born(&[resumes])), rule);
    assert_eq!(broken(&born(&[FAILS, resumes, resumes])), rule);
    assert_eq!(broken(&born(&[FAILS, Act::Decides { by: B, birth: BIRTH, what: Decision::Resume }])), rule);
    assert_eq!(broken(&[Act::Decides { by: A, birth: 9, what: Decision::Stop }]), rule);
    assert_eq!(broken(&born(&[FAILS, STIRS])), waits);
    let told = Act::Told { from: A, to: CHILD, no: 1 };
    let heard = Act::Heard { by: CHILD, from: A, to: CHILD, no: 1 };
    assert_eq!(broken(&born(&[told, heard])), None);
    assert_eq!(broken(&born(&[told, FAILS, heard])), waits);
    assert_eq!(broken(&born(&[FAILS, decides(Decision::Restart), STIRS])), waits);
    assert_eq!(broken(&born(&[FAILS, decides(Decision::Stop), STIRS])), waits);
}

#[test]
fn what_is_decided_is_done_once() {
    let rule = Some("what is decided is done once");
    let restarts = born(&[FAILS, decides(Decision::Restart)]);
    assert_eq!(broken(&restarts), rule);
    assert_eq!(broken(&[&restarts[..], &AGAIN, &[STIRS]].concat()), None);
    assert_eq!(broken(&[&restarts[..], &AGAIN, &AGAIN[..1]].concat()), rule);
    assert_eq!(broken(&born(&AGAIN[..1])), rule);
    assert_eq!(broken(&born(&[FAILS, decides(Decision::Stop)])), rule);
    assert_eq!(broken(&born(&[FAILS, decides(Decision::Stop), Act::Dropped { id: CHILD }])), None);
}

#[test]
fn an_escalated_failure_is_its_parents_and_decided_about_with_it() {
    let (below, grandchild) = (8, 4);
    let hires = Act::Hires { by: CHILD, birth: below, host: 1, now: at(2), until: at(9) };
    let made = Act::Made { birth: below, life: NEAR };
    let hired = Act::Hired { by: CHILD, birth: below, born: Born::There, now: at(3) };
    let fails =
        [Act::Fails { id: grandchild }, Act::Decides { by: CHILD, birth: below, what: Decision::Escalate }];
    let family = born(&and(&[hires, made, hired], &fails));
    assert_eq!(
        broken(&and(&family, &[decides(Decision::Resume), STIRS, Act::Stirs { id: grandchild }])),
        None
    );
    assert_eq!(broken(&family), Some("each failure is decided about once"));
    assert_eq!(broken(&and(&family, &[STIRS])), Some("who waits for a decision handles nothing"));
    // A decision that is on its way meanwhile may be about both.
    let crossed = [&[hires, made, hired, FAILS, decides(Decision::Resume)][..], &fails].concat();
    assert_eq!(broken(&born(&crossed)), None);
}

#[test]
fn a_child_ends_before_its_parent_and_is_not_left_alone() {
    let end = Act::Dropped { id: A };
    let (first, rule) = (Act::Dropped { id: CHILD }, Some("a child ends before its parent"));
    assert_eq!(broken(&born(&[first, end])), None);
    assert_eq!(broken(&born(&[end])), rule);
    // One that came too late to be waited for is stopped when it is heard of.
    let late = |then: &[Act]| and(&[HIRES, trouble(SHORT), MADE, hired(Born::Late, 10)], then);
    assert_eq!(broken(&late(&[end, first])), None);
    assert_eq!(broken(&[HIRES, trouble(SHORT), MADE, end, first]), None);
    assert_eq!(broken(&[HIRES, MADE, end]), rule);
    let orphan = Some("no child is left without its parent");
    assert_eq!(broken(&late(&[end])), orphan);
    assert_eq!(broken(&born(&[trouble(LONG), end])), orphan);
    assert_eq!(broken(&born(&[trouble(LONG), end, first])), None);
    assert_eq!(broken(&born(&[Act::Over { life: NEAR }])), orphan);
    assert_eq!(broken(&[HIRES, MADE, trouble(LONG), hired(Born::Lost, 2)]), orphan);
    // A crash takes no time.
    assert_eq!(broken(&born(&[Act::Over { life: NEAR }, end, first])), None);
}
