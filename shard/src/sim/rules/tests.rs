//! Every rule notices what breaks it, and nothing else: stories told to the rules directly.

use std::time::Duration;

use corelane_kernel::Time;

use super::{Act, Id, OUTSIDE, Reply, Rules};

const NOW: Time = Time::from_millis(1000);

/// Two who live on shard 0, the second a child of the first, and one on shard 1.
fn three() -> Vec<Act> {
    let born =
        |id, parent, shard| [Act::Spawned { id, parent, shard }, Act::Made { id }, Act::Started { id }];
    [born(1, OUTSIDE, 0), born(2, 1, 0), born(3, OUTSIDE, 1)].concat()
}

fn told(from: Id, to: Id, no: u32) -> Act {
    Act::Told { from, to, no }
}

fn handled(from: Id, to: Id, no: u32) -> Act {
    Act::Handled { by: to, from, to, no }
}

fn stashed(from: Id, to: Id, no: u32) -> Act {
    Act::Stashed { by: to, from, to, no }
}

fn notice(watcher: Id, target: Id) -> Act {
    Act::Notice { watcher, target, found: true }
}

fn watching(watcher: Id, target: Id) -> Act {
    Act::Watching { watcher, target, with: false }
}

fn ends(id: Id) -> [Act; 2] {
    [Act::Stopped { id }, Act::Ended { id }]
}

/// Tells a story after that of the three, and gives the rule that it broke, at its last act or at rest after it.
fn broken(story: &[Act]) -> Option<&'static str> {
    let mut rules = Rules::default();
    let all = [three(), story.to_vec()].concat();
    for (at, act) in all.iter().enumerate() {
        if let Err(broken) = rules.see(*act) {
            assert_eq!(at, all.len() - 1, "{broken} before the end of the story");
            return Some(broken.rule);
        }
    }
    rules.at_rest(NOW).err().map(|broken| broken.rule)
}

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
fn each_watch_has_one_notice_after_the_end() {
    let rule = Some("each watch has one notice");
    let watched = [&[watching(3, 2)][..], &ends(2)].concat();
    assert_eq!(broken(&[&watched[..], &[notice(3, 2)]].concat()), None);
    assert_eq!(broken(&watched), rule);
    assert_eq!(broken(&[&watched[..], &[notice(3, 2), notice(3, 2)]].concat()), rule);
    let unwatched = Act::Unwatched { watcher: 3, target: 2, was: true };
    assert_eq!(broken(&[&watched[..], &[unwatched, notice(3, 2)]].concat()), rule);
    assert_eq!(broken(&[watching(3, 2), notice(3, 2)]), Some("a notice comes after the end"));
    let early = [&[told(1, 2, 1)][..], &watched, &[notice(3, 2)]].concat();
    assert_eq!(broken(&early), Some("a notice comes after all that was told before the end"));
}

#[test]
fn children_end_before_their_parents() {
    let rule = Some("a child ends before its parent");
    assert_eq!(broken(&[Act::Stopped { id: 1 }]), rule);
    assert_eq!(broken(&[ends(2), ends(1)].concat()), None);
    let late = [Act::Spawned { id: 4, parent: 1, shard: 0 }, Act::Made { id: 4 }];
    assert_eq!(broken(&[&late[..], &ends(2), &[Act::Stopped { id: 1 }]].concat()), rule);
}

#[test]
fn nobody_acts_after_its_end() {
    let rule = Some("an actor does nothing before its start and after its end");
    assert_eq!(broken(&[&[told(1, 3, 1)][..], &ends(3), &[handled(1, 3, 1)]].concat()), rule);
    assert_eq!(broken(&[&ends(3)[..], &[Act::Ended { id: 3 }]].concat()), Some("a state is dropped once"));
    assert_eq!(broken(&[Act::Started { id: 3 }]), Some("an actor starts once"));
}

#[test]
fn a_restart_is_another_state_of_the_same_life() {
    let again =
        [Act::Restarting { id: 2 }, Act::Ended { id: 2 }, Act::Made { id: 2 }, Act::Started { id: 2 }];
    assert_eq!(broken(&[&again[..], &[told(1, 2, 1), handled(1, 2, 1)]].concat()), None);
    let rule = Some("a state is made once, and again by a restart");
    assert_eq!(broken(&[Act::Made { id: 2 }]), rule);
}

#[test]
fn a_parent_hears_once_of_a_failure() {
    let heard = Act::ChildFailed { parent: 1, child: 2 };
    let rule = Some("a parent hears once of each child that failed");
    let failed = [&[Act::Fails { id: 2 }][..], &ends(2)].concat();
    assert_eq!(broken(&[&failed[..], &[heard]].concat()), None);
    assert_eq!(broken(&failed), rule);
    assert_eq!(broken(&[&failed[..], &[heard, heard]].concat()), rule);
    assert_eq!(broken(&[heard]), rule);
}

#[test]
fn timers_fire_once_in_time_and_not_after_they_were_cancelled() {
    let due = Time::from_millis(500);
    let set = |no| Act::TimerSet { id: 2, key: 1, no, due, every: false };
    let fired = |no, millis| Act::TimerFired { id: 2, key: 1, no, now: Time::from_millis(millis) };
    let cancelled = |was| Act::TimerCancelled { id: 2, key: 1, was };
    assert_eq!(broken(&[set(1), fired(1, 500)]), None);
    let once = Some("a timer fires once, and not after it was cancelled or replaced");
    assert_eq!(broken(&[set(1), fired(1, 500), fired(1, 501)]), once);
    assert_eq!(broken(&[set(1), set(2), fired(1, 500)]), once);
    assert_eq!(broken(&[set(1), cancelled(true), fired(1, 500)]), once);
    assert_eq!(broken(&[set(1), fired(1, 499)]), Some("a timer is never early"));
    assert_eq!(broken(&[set(1)]), Some("no timer is forgotten"));
    let known = Some("a timer is set until it fires or is cancelled");
    assert_eq!(broken(&[set(1), cancelled(false)]), known);
    assert_eq!(broken(&[cancelled(true)]), known);
}

#[test]
fn a_receive_time_out_comes_after_silence() {
    let at = Time::from_millis;
    let silence = |millis| Act::Silence { id: 2, now: at(millis) };
    let set = [
        Act::SilenceSet { id: 2, after: Some(Duration::from_millis(10)) },
        Act::Heard { id: 2, now: at(100) },
    ];
    let rule = Some("a receive time-out comes after silence");
    assert_eq!(broken(&[&set[..], &[silence(110)]].concat()), None);
    assert_eq!(broken(&[&set[..], &[silence(109)]].concat()), rule);
    assert_eq!(broken(&[silence(109)]), rule);
}

#[test]
fn each_ask_and_each_future_has_its_own_outcome_once() {
    let asked = Act::Asked { id: 2, no: 7, deadline: Time::from_millis(500) };
    let answered = |reply, millis| Act::Answered { id: 2, no: 7, reply, now: Time::from_millis(millis) };
    let answer = answered(Reply::Answer(7), 100);
    let rule = Some("each ask has one outcome");
    assert_eq!(broken(&[asked, answer]), None);
    assert_eq!(broken(&[asked]), rule);
    assert_eq!(broken(&[asked, answer, answered(Reply::Timeout, 500)]), rule);
    assert_eq!(broken(&[asked, answered(Reply::Answer(6), 100)]), Some("an answer is that of its ask"));
    assert_eq!(broken(&[asked, answered(Reply::Timeout, 499)]), Some("an ask is never over early"));

    let begun = Act::FutureBegun { id: 2, no: 1, waits: false };
    let done = Act::FutureDone { id: 2, no: 1, waits: false };
    let rule = Some("each future has one outcome");
    assert_eq!(broken(&[begun, done]), None);
    assert_eq!(broken(&[begun]), rule);
    assert_eq!(broken(&[begun, done, done]), rule);
}

#[test]
fn nothing_is_left_at_the_end() {
    let mut rules = Rules::default();
    three().into_iter().for_each(|act| rules.see(act).expect("a rule holds"));
    assert_eq!(rules.at_end().unwrap_err().rule, "all actors have ended");
    for act in [ends(2), ends(1), ends(3)].concat() {
        rules.see(act).expect("a rule holds");
    }
    assert_eq!(rules.at_end(), Ok(()));
    rules.see(told(1, 2, 1)).expect("it may be told");
    assert_eq!(rules.at_end().unwrap_err().rule, "no message is forgotten");
}
