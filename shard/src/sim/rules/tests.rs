//! Every rule notices what breaks it, and nothing else: stories told to the rules directly.

use std::time::Duration;

use corelane_kernel::Time;

use super::{Act, Decision, Id, OUTSIDE, Reach, Reply, Rules};

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

/// The hooks of an actor whose parent has it restarted.
const RESTARTS: [Act; 6] = [
    Act::Restarting { id: 2, keeps: false },
    Act::Stopped { id: 2 },
    Act::Ended { id: 2 },
    Act::Made { id: 2 },
    Act::Restarted { id: 2, now: NOW },
    Act::Started { id: 2 },
];

/// The second fails, and its parent decides.
fn fails(decision: Decision) -> [Act; 2] {
    let heard = Act::ChildFailed { parent: 1, child: 2, now: NOW, decision, reach: Reach::One };
    [Act::Fails { id: 2 }, heard]
}

const RESTART: Decision =
    Decision::Restart { wait: Duration::ZERO, at_most: Some(Duration::ZERO), limit: None };

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
fn what_an_instance_set_up_ends_with_it() {
    let due = Time::from_millis(500);
    let story = |before: &[Act], after: Act| broken(&[before, &fails(RESTART), &RESTARTS, &[after]].concat());
    let set = Act::TimerSet { id: 2, key: 1, no: 1, due, every: false };
    let fired = Act::TimerFired { id: 2, key: 1, no: 1, now: due };
    let once = Some("a timer fires once, and not after it was cancelled or replaced");
    assert_eq!(story(&[set], fired), once);
    let asked = Act::Asked { id: 2, no: 7, deadline: NOW };
    let answered = Act::Answered { id: 2, no: 7, reply: Reply::Answer(7), now: due };
    assert_eq!(story(&[asked, Act::Replied { no: 7 }], answered), None);
    let later = [&[asked][..], &fails(RESTART), &RESTARTS, &[Act::Replied { no: 7 }, answered]].concat();
    assert_eq!(broken(&later), Some("an ask ends with its instance"));
    let ended = [&[watching(2, 3)][..], &fails(RESTART), &RESTARTS, &ends(3), &[notice(2, 3)]].concat();
    assert_eq!(broken(&ended), Some("each watch has one notice"));
}

#[test]
fn decisions_are_done_as_often_and_as_late_as_they_say() {
    let nobody = Some("nobody is restarted whom no decision concerns");
    assert_eq!(broken(&RESTARTS[..1]), nobody);
    assert_eq!(broken(&[&fails(Decision::Resume)[..], &RESTARTS[..1]].concat()), nobody);
    assert_eq!(broken(&[&fails(RESTART)[..], &RESTARTS, &RESTARTS[..1]].concat()), nobody);
    let done = Some("what was decided is done");
    assert_eq!(broken(&fails(Decision::Stop)), done);
    assert_eq!(broken(&fails(RESTART)), done);
    assert_eq!(broken(&[&fails(Decision::Stop)[..], &ends(2)].concat()), None);

    let limit = Some((1, Duration::from_secs(1)));
    let limited = fails(Decision::Restart { wait: Duration::ZERO, at_most: None, limit });
    assert_eq!(broken(&[&limited[..], &RESTARTS, &limited, &RESTARTS[..1]].concat()), nobody);

    let wait = Duration::from_nanos(1);
    let waiting = fails(Decision::Restart { wait, at_most: None, limit: None });
    assert_eq!(broken(&[&waiting[..], &RESTARTS[..5]].concat()), Some("a back-off is waited for"));
    let past = Time::from_millis(900);
    let decided = Act::ChildFailed { parent: 1, child: 2, now: past, decision: RESTART, reach: Reach::One };
    let forgotten = [&[Act::Fails { id: 2 }, decided][..], &RESTARTS[..3]].concat();
    assert_eq!(broken(&forgotten), Some("no restart is forgotten"));
}

#[test]
fn what_is_decided_at_the_top_is_checked_as_well() {
    let failed = Act::Fails { id: 1 };
    let heard =
        |decision| Act::ChildFailed { parent: OUTSIDE, child: 1, now: NOW, decision, reach: Reach::One };
    let restarting = Act::Restarting { id: 1, keeps: true };
    assert_eq!(broken(&[failed, restarting]), Some("a parent hears once of each child that failed"));
    let nobody = Some("nobody is restarted whom no decision concerns");
    assert_eq!(broken(&[restarting]), nobody);
    assert_eq!(broken(&[failed, heard(Decision::Resume), restarting]), nobody);
    assert_eq!(broken(&[failed, heard(Decision::Stop)]), Some("what was decided is done"));
    // The top of another shard is another parent.
    let all = Act::ChildFailed { parent: OUTSIDE, child: 1, now: NOW, decision: RESTART, reach: Reach::All };
    assert_eq!(broken(&[failed, all, Act::Restarting { id: 3, keeps: true }]), nobody);
}

#[test]
fn a_limit_is_counted_for_each_whom_a_decision_concerns() {
    let born = |id| [Act::Spawned { id, parent: 1, shard: 0 }, Act::Made { id }, Act::Started { id }];
    let limit = Some((1, Duration::from_secs(1)));
    let decision = Decision::Restart { wait: Duration::ZERO, at_most: Some(Duration::ZERO), limit };
    let fails = |child, reach| {
        [Act::Fails { id: child }, Act::ChildFailed { parent: 1, child, now: NOW, decision, reach }]
    };
    let again = |id| {
        [
            Act::Restarting { id, keeps: false },
            Act::Stopped { id },
            Act::Ended { id },
            Act::Made { id },
            Act::Restarted { id, now: NOW },
            Act::Started { id },
        ]
    };
    let all = [&born(4)[..], &fails(2, Reach::All), &again(2), &again(4)].concat();
    assert_eq!(broken(&all), None);
    let nobody = Some("nobody is restarted whom no decision concerns");
    // The one that failed has had as many as it may; so has the other, which did not fail.
    for failed in [2, 4] {
        assert_eq!(broken(&[&all[..], &fails(failed, Reach::All), &again(2)[..1]].concat()), nobody);
    }
    // The first is none of the rest, and the second has had one.
    let rest = [&born(4)[..], &fails(4, Reach::Rest), &again(4)].concat();
    assert_eq!(broken(&[&rest[..], &fails(2, Reach::One), &again(2)].concat()), None);
    assert_eq!(broken(&[&rest[..], &fails(2, Reach::Rest), &again(2)[..1]].concat()), nobody);
    assert_eq!(
        broken(&[&born(4)[..], &fails(2, Reach::All), &again(2)].concat()),
        Some("what was decided is done")
    );
}

/// Only what follows from those above is off when they go on; what was decided about a child itself is done.
#[test]
fn a_parent_that_goes_on_takes_no_decision_back() {
    let above = |decision| {
        let heard = Act::ChildFailed { parent: OUTSIDE, child: 1, now: NOW, decision, reach: Reach::One };
        [Act::Fails { id: 1 }, heard]
    };
    let story = [&fails(RESTART)[..], &above(Decision::Resume)].concat();
    assert_eq!(broken(&story), Some("what was decided is done"));
    assert_eq!(broken(&[&story[..], &RESTARTS].concat()), None);
}

#[test]
fn one_that_is_being_restarted_handles_nothing_more() {
    let story = [&[told(1, 2, 1)][..], &fails(RESTART), &RESTARTS[..1], &[handled(1, 2, 1)]].concat();
    assert_eq!(broken(&story), Some("one that is being restarted handles nothing more"));
}

#[test]
fn children_that_are_left_alone_wait_and_are_restarted_after_their_parent() {
    let mut rules = Rules::default();
    let born = |id, parent| [Act::Spawned { id, parent, shard: 0 }, Act::Made { id }, Act::Started { id }];
    let again = [
        Act::Fails { id: 1 },
        Act::ChildFailed { parent: OUTSIDE, child: 1, now: NOW, decision: RESTART, reach: Reach::One },
        Act::Restarting { id: 1, keeps: true },
        Act::Stopped { id: 1 },
        Act::Ended { id: 1 },
    ];
    let [begins, rest @ ..] =
        [Act::Made { id: 1 }, Act::Restarted { id: 1, now: NOW }, Act::Started { id: 1 }];
    for act in [&born(1, OUTSIDE)[..], &born(2, 1), &[told(1, 2, 1)], &again].concat() {
        rules.see(act).expect("a rule holds");
    }
    assert_eq!(rules.at_rest(NOW), Ok(()));
    let mut early = rules;
    let waits = "messages wait while somebody above is made again";
    assert_eq!(early.see(handled(1, 2, 1)).unwrap_err().rule, waits);
    for act in [begins, rest[0], rest[1]] {
        early.see(act).expect("a rule holds");
    }
    assert_eq!(early.at_rest(NOW).unwrap_err().rule, "what was decided is done");
    for act in RESTARTS {
        early.see(act).expect("a rule holds");
    }
    assert_eq!(early.at_rest(NOW).unwrap_err().rule, "no message is forgotten");
    early.see(handled(1, 2, 1)).expect("a rule holds");
    assert_eq!(early.at_rest(NOW), Ok(()));
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

// --- machines ----------------------------------------------------------------------------------------------------

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
    assert_eq!(broken(&[in_state(0), stepped(Some(7), None), in_state(0)]), announced);
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
    let mut rules = Rules::default();
    for act in [three(), vec![stepped(None, limit)]].concat() {
        rules.see(act).expect("a rule holds");
    }
    assert_eq!(rules.at_rest(Time::from_millis(1010)), Ok(()));
    let broken = rules.at_rest(Time::from_millis(1012)).unwrap_err();
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

// --- pools -------------------------------------------------------------------------------------------------------

/// Two routees of the first, which may have one to three.
fn pool() -> Vec<Act> {
    let born = |id| [Act::Spawned { id, parent: 1, shard: 0 }, Act::Made { id }, Act::Started { id }];
    let started = [Act::PoolStarted { owner: 1, least: 1, most: 3 }];
    let joined = [joins(4), joins(5)];
    [&born(4)[..], &born(5), &started, &joined].concat()
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
    let [routed, told] = spread(true);
    assert_eq!(story(&[routed, copied, told, errand(5), errand(4)]), None);
    assert_eq!(story(&[routed, copied, told, errand(5), dropped]), None);
    assert_eq!(story(&[routed, copied, told, errand(5), errand(5)]), one);
    assert_eq!(story(&[routed, told]), one, "one of them is left out");
    let forgotten = Some("nothing that is routed is forgotten");
    assert_eq!(story(&[routed, copied, told, errand(5)]), forgotten);
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
    assert_eq!(story(&[size(3)]), Some("a pool knows its routees"));
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
    let asked = [&[telling, retires(5), Act::StopAsked { id: 5 }][..], &ends(5), &[dropped]].concat();
    assert_eq!(story(&asked), None, "somebody stops it before");
    assert_eq!(story(&[retires(5)]), Some("who retires ends"));
    assert_eq!(
        story(&[&[retires(5)][..], &ends(5), &[notice(1, 5)]].concat()),
        Some("each watch has one notice")
    );
}
