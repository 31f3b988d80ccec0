//! Routers and pools.

use super::*;

/// Two routees of the first, which may have one to three.
fn pool() -> Vec<Act> {
    let started = [Act::PoolStarted { owner: 1, least: 1, most: 3 }];
    let joined = [joins(4), joins(5)];
    [&born(4, 1, 0)[..], &born(5, 1, 0), &started, &joined].concat()
}

fn joins(routee: Id) -> Act {
    Act::Joined { owner: 1, routee }
}

fn retires(routee: Id) -> Act {
    Act::Retired { owner: 1, routee }
}

fn spread(all: bool) -> [Act; 2] {
    [Act::Routed { owner: 1, no: 8, all }, Act::Spread { owner: 1, no: 8 }]
}

fn errand(by: Id) -> Act {
    Act::RoutedHandled { by, owner: 1, no: 8 }
}

#[test]
fn what_is_routed_reaches_one_routee_and_what_is_broadcast_each_once() {
    let story = |acts: &[Act]| broken(&[&pool()[..], acts].concat());
    let [routed, told] = spread(false);
    let one = Some("what is routed reaches one routee, what is broadcast each of them once");
    assert_eq!(story(&[routed, told, errand(5)]), None);
    assert_eq!(story(&[routed, told, errand(5), errand(4)]), one);
    let copied = Act::Copied { owner: 1, no: 8 };
    assert_eq!(story(&[routed, copied]), one);
    let dropped = Act::RoutedDropped { owner: 1, no: 8 };
    assert_eq!(story(&[routed, told, errand(5), dropped]), one);
    assert_eq!(story(&[routed, dropped, dropped]), one);
    let [routed, told] = spread(true);
    assert_eq!(story(&[routed, copied, told, errand(5), errand(4)]), None);
    assert_eq!(story(&[routed, copied, told, errand(5), dropped]), None);
    assert_eq!(story(&[routed, copied, told, errand(5), errand(5)]), one);
    assert_eq!(story(&[routed, told]), one, "one of them is left out");
    let forgotten = Some("nothing that is routed is forgotten");
    assert_eq!(story(&[routed, copied, told, errand(5)]), forgotten);
    // It may wait at one who waits.
    let waits = [Act::Suspended { id: 5 }, routed, copied, told, errand(4)];
    assert_eq!(story(&waits), None);
    assert_eq!(story(&[&waits[..], &[Act::Resumed { id: 5 }]].concat()), forgotten);
    let mut over =
        Story::of(&[&pool()[..], &waits, &ends(5), &ends(4), &ends(2), &ends(1), &ends(3)].concat());
    assert_eq!(over.broken_at_end(), forgotten);
    over.goes_on(&[dropped]);
    assert_eq!(over.broken_at_end(), None);
}

#[test]
fn what_is_routed_goes_to_routees_only() {
    let story = |acts: &[Act]| broken(&[&pool()[..], acts].concat());
    let [routed, told] = spread(false);
    let rule = Some("what is routed goes to who is a routee then");
    assert_eq!(story(&[routed, told, errand(2)]), rule);
    assert_eq!(story(&[&[retires(5)][..], &ends(5), &[routed, told, errand(4)]].concat()), None);
    assert_eq!(story(&[retires(5), routed, told, errand(5)]), rule);
    assert_eq!(story(&[&[routed, told, retires(5), errand(5)][..], &ends(5)].concat()), None);
}

#[test]
fn a_pool_counts_its_routees_and_keeps_its_bounds() {
    let size = |size| Act::PoolSize { owner: 1, size };
    let story = |acts: &[Act]| broken(&[&pool()[..], acts].concat());
    assert_eq!(story(&[size(2)]), None);
    let counted = Some("a pool knows its routees");
    assert_eq!(story(&[size(3)]), counted);
    assert_eq!(story(&[joins(4)]), counted, "it has joined before");
    assert_eq!(story(&[watching(1, 6), retires(6)]), counted, "it never did");
    let bounds = Some("a pool keeps within its bounds");
    assert_eq!(story(&[retires(4), retires(5), size(0)]), bounds);
    assert_eq!(story(&[joins(6), joins(7), size(4)]), bounds);
    // Those that end by themselves are missed until the pool looks again.
    let lost = [&ends(4)[..], &[notice(1, 4)], &ends(5), &[notice(1, 5), size(0)]].concat();
    assert_eq!(story(&lost), None);
}

#[test]
fn who_retires_handles_what_it_was_told_and_ends() {
    let story = |acts: &[Act]| broken(&[&pool()[..], acts].concat());
    let [telling, handling] = [told(1, 5, 1), handled(1, 5, 1)];
    let dropped = Act::Dropped { from: 1, to: 5, no: 1 };
    assert_eq!(story(&[&[telling, retires(5), handling][..], &ends(5)].concat()), None);
    let rule = Some("who retires handles what it was told");
    assert_eq!(story(&[&[telling, retires(5)][..], &ends(5), &[dropped]].concat()), rule);
    // Unless it ends with one above it, whose turn to stop comes before.
    let above = [Act::PoolStarted { owner: 3, least: 0, most: 1 }, Act::Joined { owner: 3, routee: 1 }];
    let above = [&above[..], &[Act::Retired { owner: 3, routee: 1 }, telling, retires(5)]].concat();
    let family = [ends(5), ends(4), ends(2), ends(1)].concat();
    assert_eq!(story(&[&above[..], &family, &[dropped]].concat()), None);
    let asked =
        [&[telling, retires(5), Act::StopAsked { id: 5, by: OUTSIDE }][..], &ends(5), &[dropped]].concat();
    assert_eq!(story(&asked), None, "somebody stops it before");
    assert_eq!(story(&[retires(5)]), Some("who retires ends"));
    let suspended = Act::Suspended { id: 5 };
    assert_eq!(story(&[telling, suspended, retires(5)]), None, "it waits");
    let ended = [&[telling, suspended, retires(5)][..], &ends(5), &[dropped]].concat();
    assert_eq!(story(&ended), rule, "nor is what waits lost");
    assert_eq!(
        story(&[&[retires(5)][..], &ends(5), &[notice(1, 5)]].concat()),
        Some("each watch has one notice")
    );
}
