//! Shards without room: of the three, the first two live on shard 0, the third on shard 1.

use super::*;

const SHORT: Act = Act::OutOfMemory { shard: 0 };

fn lacks(id: Id, what: Lack) -> Act {
    Act::Lacks { id, what }
}

/// A story that is lawful where shard 0 had no room for something, and breaks a rule where it had, or where shard 1 had none.
fn lawful_if_short(story: &[Act], rule: &'static str) {
    assert_eq!(broken(&[&[SHORT][..], story].concat()), None);
    assert_eq!(broken(story), Some(rule));
    assert_eq!(broken(&[&[Act::OutOfMemory { shard: 1 }][..], story].concat()), Some(rule));
}

const WANTING: &str = "nobody goes without anything for which there is room";

#[test]
fn nobody_goes_without_anything_for_which_there_is_room() {
    let future = lacks(2, Lack::Future { no: 1, waits: true });
    let begun = Act::FutureBegun { id: 2, no: 1, waits: true };
    lawful_if_short(&[begun, future], WANTING);
    // It goes on as if it had heard of it.
    lawful_if_short(&[told(1, 2, 1), begun, future, handled(1, 2, 1)], WANTING);
    lawful_if_short(&[lacks(2, Lack::StateTimeout)], WANTING);
    let started = Act::PoolStarted { owner: 2, least: 1, most: 3 };
    let size = Act::PoolSize { owner: 2, size: 0 };
    assert_eq!(broken(&[started, size]), Some("a pool keeps within its bounds"));
    lawful_if_short(&[started, lacks(2, Lack::Routees), size], WANTING);
    // One that is about to stop is told nothing more.
    assert_eq!(broken(&[&[begun, future][..], &ends(2)].concat()), None);
}

#[test]
fn what_was_to_come_may_be_wanting_where_there_is_no_room() {
    let due = Time::from_millis(500);
    let set = Act::TimerSet { id: 2, key: 1, no: 1, due, every: false };
    lawful_if_short(&[set, lacks(2, Lack::Timer { key: 1, no: 1 })], "no timer is forgotten");
    let other = [SHORT, set, lacks(2, Lack::Timer { key: 1, no: 2 })];
    assert_eq!(Story::of(&other).0.at_rest(NOW), Ok(()), "it is looked at again");
    let asked = Act::Asked { id: 2, no: 7, deadline: due };
    lawful_if_short(&[asked, lacks(2, Lack::Answer { no: 7 })], "each ask has one outcome");
    let watched = [&[Act::Watching { watcher: 2, target: 3, with: true }][..], &ends(3)].concat();
    let lack = [&watched[..], &[lacks(2, Lack::Notice { target: 3 })]].concat();
    lawful_if_short(&lack, "each watch has one notice");
    assert_eq!(broken(&[&[SHORT][..], &watched].concat()), Some("each watch has one notice"));
}

#[test]
fn a_timer_that_found_no_room_to_wait_is_looked_at_again_soon() {
    let set = Act::TimerSet { id: 2, key: 1, no: 1, due: Time::from_millis(500), every: false };
    let mut story = Story::of(&[SHORT, set]);
    assert_eq!(story.broken_at_rest(), None);
    assert_eq!(story.0.at_rest(NOW + Duration::from_millis(2)), Ok(()));
    let forgotten = story.0.at_rest(NOW + Duration::from_millis(3)).unwrap_err();
    assert_eq!(forgotten.rule, "no timer is forgotten");
}

#[test]
fn an_ask_whose_outcome_found_no_room_to_wait_is_looked_at_again_soon() {
    let asked = Act::Asked { id: 2, no: 7, deadline: Time::from_millis(500) };
    let mut story = Story::of(&[SHORT, asked]);
    assert_eq!(story.broken_at_rest(), None);
    assert_eq!(story.0.at_rest(NOW + Duration::from_millis(2)), Ok(()));
    let forgotten = story.0.at_rest(NOW + Duration::from_millis(3)).unwrap_err();
    assert_eq!(forgotten.rule, "each ask has one outcome");
}

#[test]
fn a_machine_that_found_no_room_for_its_time_may_miss_it() {
    let limit = Some(Duration::ZERO);
    let stepped = Act::Stepped { id: 2, to: None, limit, stops: false, now: Time::from_millis(500) };
    lawful_if_short(&[stepped, lacks(2, Lack::StateTimeout)], "no state time-out is forgotten");
    assert_eq!(broken(&[SHORT, stepped]), Some("no state time-out is forgotten"));
}

#[test]
fn a_watch_that_finds_no_room_is_refused_and_its_target_goes_on() {
    let early = Act::Notice { watcher: 3, target: 2, found: false };
    lawful_if_short(&[watching(3, 2), early], "a notice comes after the end");
    let goes_on = [SHORT, watching(3, 2), early, told(1, 2, 1), handled(1, 2, 1)];
    assert_eq!(broken(&goes_on), None);
    assert_eq!(broken(&[SHORT, watching(3, 2), notice(3, 2)]), Some("a notice comes after the end"));
}

#[test]
fn who_is_never_made_again_for_want_of_room_has_said_so() {
    let past = Time::from_millis(900);
    let [spawned, ..] = born(4, 1, 0);
    let heard = Act::ChildFailed { parent: 1, child: 4, now: past, decision: RESTART, reach: Reach::One };
    let failed = [spawned, Act::Fails { id: 4 }, heard];
    assert_eq!(broken(&failed), Some("no restart is forgotten"));
    lawful_if_short(&[&failed[..], &[lacks(4, Lack::Restart)]].concat(), WANTING);
}

#[test]
fn a_stop_asked_for_from_a_shard_without_room_may_be_lost() {
    let asked = |id, by| Act::StopAsked { id, by };
    let rule = Some("who is told to stop does");
    assert_eq!(broken(&[SHORT, asked(3, 2)]), None);
    assert_eq!(broken(&[SHORT, asked(2, 1)]), rule, "at home it is not");
    assert_eq!(broken(&[SHORT, asked(2, 3)]), rule, "nor from a shard that has");
}

#[test]
fn who_retires_may_stop_at_once_where_there_is_no_room() {
    let pool = [Act::PoolStarted { owner: 1, least: 0, most: 3 }, Act::Joined { owner: 1, routee: 2 }];
    let retires = [told(1, 2, 1), Act::Retired { owner: 1, routee: 2 }];
    let dropped = [Act::Dropped { from: 1, to: 2, no: 1 }];
    lawful_if_short(
        &[&pool[..], &retires, &ends(2), &dropped].concat(),
        "who retires handles what it was told",
    );
}
