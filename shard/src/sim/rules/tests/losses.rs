//! Shards that are lost: of the three, the third lives alone on shard 1 at first.

use super::*;

const LOST: Act = Act::Lost { shard: 1 };
const NOTHING: Option<&str> = Some("nothing is done on a shard that is lost");

/// The third is lost, and its state is dropped.
const ENDS: [Act; 2] = [LOST, Act::Ended { id: 3 }];

/// A child of the first that lives on shard 1, and one of its own beside it.
fn born_afar() -> Vec<Act> {
    let told = [Act::BirthTold { id: 4, lives: true }, Act::BirthHeard { id: 4 }];
    [&born(4, 1, 1)[..], &told, &born(5, 4, 1)].concat()
}

#[test]
fn who_lives_on_a_shard_that_is_lost_ends_with_it_without_a_hook() {
    assert_eq!(broken(&ENDS), None);
    assert_eq!(broken(&ENDS[..1]), Some("who lives on a shard that is lost ends with it"));
    assert_eq!(broken(&ENDS[1..]), Some("the hooks of an end come before it"), "only where it is lost");
    assert_eq!(broken(&[&ENDS[..], &ENDS[1..]].concat()), Some("a state is dropped once"));
    // In whatever order, as nobody waits for anybody.
    let below = [&born(4, 3, 1)[..], &[LOST, Act::Ended { id: 3 }, Act::Ended { id: 4 }]].concat();
    assert_eq!(broken(&below), None);
    // Also one that was about to be made again, or made at all.
    let [restarting, stopped, ended, made, ..] = restarts_of(3);
    let failed = fails_below(OUTSIDE, 3, RESTART, Reach::One);
    let amid = [&failed[..], &[restarting, stopped]].concat();
    assert_eq!(broken(&[&amid[..], &ENDS].concat()), None);
    assert_eq!(broken(&[&amid[..], &[ended, LOST]].concat()), None);
    assert_eq!(broken(&[&amid[..], &[ended, LOST, made]].concat()), NOTHING);
}

#[test]
fn nothing_is_done_on_a_shard_that_is_lost() {
    assert_eq!(broken(&[LOST, Act::Stopped { id: 3 }]), NOTHING);
    assert_eq!(broken(&[told(1, 3, 1), LOST, handled(1, 3, 1)]), NOTHING);
    assert_eq!(broken(&[LOST, Act::Received { id: 3, now: NOW }]), NOTHING);
    assert_eq!(broken(&[watching(3, 2), LOST, notice(3, 2)]), NOTHING);
    let [spawned, made, started] = born(4, OUTSIDE, 1);
    assert_eq!(broken(&[spawned, made, LOST, started]), NOTHING);
    assert_eq!(broken(&[spawned, LOST, made]), NOTHING);
    // Whom it was to be is spawned after that.
    assert_eq!(broken(&[&ENDS[..], &[spawned, made]].concat()), NOTHING);
    // Others go on.
    assert_eq!(broken(&[&ENDS[..], &[told(1, 2, 1), handled(1, 2, 1)]].concat()), None);
}

#[test]
fn what_was_told_a_lost_shard_is_dropped_unless_it_came_from_outside() {
    let dropped = Act::Dropped { from: 1, to: 3, no: 1 };
    assert_eq!(broken(&[&[told(1, 3, 1)][..], &ENDS, &[dropped]].concat()), None);
    let forgotten = Some("no message is forgotten");
    assert_eq!(broken(&[&[told(1, 3, 1)][..], &ENDS].concat()), forgotten);
    let mut outside = Story::of(&[&[told(OUTSIDE, 3, 1)][..], &ENDS, &ends(2), &ends(1)].concat());
    assert_eq!(outside.broken_at_rest(), None);
    assert_eq!(outside.broken_at_end(), forgotten, "it is dropped by the end");
}

#[test]
fn watchers_of_one_who_is_lost_hear_of_it() {
    let story = |after: &[Act]| broken(&[&[watching(1, 3)][..], &ENDS, after].concat());
    let heard = Act::Notice { watcher: 1, target: 3, found: false };
    assert_eq!(story(&[heard]), None);
    assert_eq!(story(&[]), Some("each watch has one notice"));
    assert_eq!(story(&[heard, heard]), Some("each watch has one notice"));
}

#[test]
fn children_elsewhere_of_one_who_is_lost_end_once_they_hear() {
    let rule = Some("who is told to stop does");
    let child =
        [&born(4, 3, 0)[..], &[Act::BirthTold { id: 4, lives: true }, Act::BirthHeard { id: 4 }]].concat();
    let story = |after: &[Act]| broken(&[&child[..], &ENDS, after].concat());
    assert_eq!(story(&ends(4)), None);
    assert_eq!(story(&[]), rule);
    // Until they hear they go on, and what fails or starts meanwhile is no harm.
    let goes_on = [&[told(1, 4, 1), handled(1, 4, 1), Act::Fails { id: 4 }][..], &ends(4)].concat();
    assert_eq!(story(&goes_on), None);
    let [spawned, made, started] = born(4, 3, 0);
    assert_eq!(broken(&[&[spawned][..], &ENDS, &[made, started], &ends(4)].concat()), None);
    assert_eq!(broken(&[&[spawned][..], &ENDS, &[made, started]].concat()), rule);
    assert_eq!(broken(&[&[spawned][..], &ENDS].concat()), None, "it is never made");
}

#[test]
fn a_parent_elsewhere_goes_on_without_one_who_is_lost() {
    let lost = [Act::Lost { shard: 1 }, Act::Ended { id: 3 }, Act::Ended { id: 4 }, Act::Ended { id: 5 }];
    let story = |before: &[Act], after: &[Act]| broken(&[&born_afar()[..], before, &lost, after].concat());
    assert_eq!(story(&[], &[ends(2), ends(1)].concat()), None);
    // It hears of a failure from before, or not.
    let [failed, heard] = fails_below(1, 4, RESTART, Reach::One);
    assert_eq!(story(&[failed], &[]), None);
    assert_eq!(story(&[failed], &[heard]), None);
    assert_eq!(story(&[failed, heard], &[]), None);
    // A birth there is told of as one that has not come about.
    let [spawned, ..] = born(6, 1, 1);
    let birth = Some("each birth has one outcome");
    assert_eq!(story(&[spawned], &[]), birth);
    let told = Act::BirthTold { id: 6, lives: false };
    assert_eq!(story(&[spawned], &[told, Act::BirthHeard { id: 6 }]), None);
}

#[test]
fn a_stop_that_somebody_lost_has_asked_for_may_be_lost_as_well() {
    let asked = |by| Act::StopAsked { id: 2, by };
    let rule = Some("who is told to stop does");
    assert_eq!(broken(&[asked(3)]), rule);
    assert_eq!(broken(&[&[asked(3)][..], &ENDS].concat()), None);
    assert_eq!(broken(&[&[asked(3), asked(1)][..], &ENDS].concat()), rule, "somebody else has as well");
    assert_eq!(broken(&[&[asked(OUTSIDE)][..], &ENDS].concat()), rule);
}
