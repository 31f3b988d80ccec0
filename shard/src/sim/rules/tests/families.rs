//! Families on several shards: a child of the first that lives on shard 1, and what takes its way between the two.

use super::*;

const UNDECIDED: Option<&str> = Some("who waits for a decision handles nothing, nor does anybody below it");
const FOR_EVER: Option<&str> = Some("nobody waits for a decision for ever");
const ENDS: Option<&str> = Some("who is told to stop does");
const BIRTH: Option<&str> = Some("each birth has one outcome");
const NOBODY: Option<&str> = Some("nobody is restarted whom no decision concerns");
const DONE: Option<&str> = Some("what was decided is done");
const UNHEARD: Option<&str> = Some("a parent hears once of each child that failed");

/// A child of the first comes to live on shard 1, and the first hears of it.
fn born_afar(id: Id) -> Vec<Act> {
    [&born(id, 1, 1)[..], &[Act::BirthTold { id, lives: true }, Act::BirthHeard { id }]].concat()
}

/// The fourth lives on shard 1, and is a child of the first.
fn story(acts: &[Act]) -> Option<&'static str> {
    broken(&[&born_afar(4)[..], acts].concat())
}

fn fails(decision: Decision) -> [Act; 2] {
    fails_below(1, 4, decision, Reach::One)
}

/// The first fails, and goes on or not.
fn first_fails(decision: Decision) -> [Act; 2] {
    fails_below(OUTSIDE, 1, decision, Reach::One)
}

#[test]
fn who_waits_for_a_decision_handles_nothing_nor_does_anybody_below() {
    let [failed, resumed] = fails(Decision::Resume);
    let own = [told(1, 4, 1), failed];
    assert_eq!(story(&[&own[..], &[resumed, handled(1, 4, 1)]].concat()), None);
    assert_eq!(story(&[&own[..], &[handled(1, 4, 1)]].concat()), UNDECIDED);
    // Below it on its own shard.
    let below = [&born(5, 4, 1)[..], &[told(1, 5, 1), failed]].concat();
    assert_eq!(story(&[&below[..], &[resumed, handled(1, 5, 1)]].concat()), None);
    assert_eq!(story(&[&below[..], &[handled(1, 5, 1)]].concat()), UNDECIDED);
    // Who lives elsewhere again may not have heard of it.
    let beyond = [&born(5, 4, 0)[..], &[Act::BirthTold { id: 5, lives: true }, Act::BirthHeard { id: 5 }]];
    let beyond = [&beyond.concat()[..], &[told(1, 5, 1), failed, handled(1, 5, 1), resumed]].concat();
    assert_eq!(story(&beyond), None);
    // One whose parent lives here is decided about at once, and waits for nobody.
    let [failed, resumed] = fails_below(1, 2, Decision::Resume, Reach::One);
    assert_eq!(story(&[told(1, 2, 1), failed, handled(1, 2, 1), resumed]), None);
    assert_eq!(story(&[failed]), UNHEARD, "but it is decided about");
}

#[test]
fn nobody_waits_for_a_decision_for_ever() {
    let [failed, resumed] = fails(Decision::Resume);
    assert_eq!(story(&[failed, resumed]), None);
    assert_eq!(story(&[failed]), FOR_EVER);
    // A decision that is escalated is that of somebody above.
    let escalated = fails(Decision::Escalate);
    let [above, goes_on] = first_fails(Decision::Resume);
    assert_eq!(story(&[&escalated[..], &[above]].concat()), FOR_EVER);
    assert_eq!(story(&[&escalated[..], &[above, goes_on]].concat()), None);
    // One who has ended waits no more.
    assert_eq!(story(&[&[failed, Act::StopAsked { id: 4, by: OUTSIDE }][..], &ends(4)].concat()), None);
}

#[test]
fn a_parent_elsewhere_hears_of_a_failure_before_its_child_goes_on() {
    let [failed, resumed] = fails(Decision::Resume);
    let [hook, ..] = restarts_of(4);
    let [sibling, over_all] = fails_below(1, 2, RESTART, Reach::All);
    assert_eq!(story(&[failed, hook]), UNHEARD);
    assert_eq!(story(&[resumed]), UNHEARD);
    assert_eq!(story(&[failed, resumed, resumed]), UNHEARD);
    // A failure that crosses an order to restart is decided with it.
    let crossing = [&[sibling, failed, over_all][..], &RESTARTS, &restarts_of(4)].concat();
    assert_eq!(story(&crossing), None);
    assert_eq!(story(&[&crossing[..], &[resumed]].concat()), UNHEARD);
}

#[test]
fn a_failure_that_is_on_its_way_when_the_parent_ends_is_decided_by_the_default() {
    let parent_ends = [&[Act::Fails { id: 4 }, Act::StopAsked { id: 1, by: OUTSIDE }][..], &ends(2)].concat();
    assert_eq!(story(&[&parent_ends[..], &ends(4), &ends(1)].concat()), None);
    let left = [&parent_ends[..], &[Act::Stopped { id: 1 }]].concat();
    assert_eq!(story(&left), Some("a child ends before its parent"), "on whatever shard");
}

#[test]
fn who_is_told_to_stop_does() {
    let stopped = fails(Decision::Stop);
    assert_eq!(story(&[&stopped[..], &ends(4)].concat()), None);
    assert_eq!(story(&stopped), ENDS);
    assert_eq!(story(&[Act::StopAsked { id: 4, by: OUTSIDE }]), ENDS);
    assert_eq!(story(&[Act::StopAsked { id: 2, by: OUTSIDE }]), ENDS, "at home as well");
    // Over a sibling: it hears of that later, and ends.
    let over_all = [&fails_below(1, 2, Decision::Stop, Reach::All)[..], &ends(2)].concat();
    assert_eq!(story(&over_all), ENDS);
    assert_eq!(story(&[&over_all[..], &ends(4)].concat()), None);
    // None of the rest is one who was there before.
    let rest = [&born(5, 1, 0)[..], &fails_below(1, 5, Decision::Stop, Reach::Rest), &ends(5)].concat();
    assert_eq!(story(&rest), None);
}

#[test]
fn an_order_to_restart_is_obeyed_once() {
    let again = [&fails(RESTART)[..], &restarts_of(4)].concat();
    let [hook, ..] = restarts_of(4);
    assert_eq!(story(&again), None);
    assert_eq!(story(&fails(RESTART)), DONE);
    assert_eq!(story(&[&again[..], &[hook]].concat()), NOBODY, "an order that is said twice");
    assert_eq!(story(&[hook]), NOBODY);
    assert_eq!(story(&[&fails(Decision::Resume)[..], &[hook]].concat()), NOBODY);
    // Two orders are on their way, and each lets it be restarted.
    let over_sibling = fails_below(1, 2, RESTART, Reach::All);
    let two = [&over_sibling[..], &RESTARTS, &over_sibling, &RESTARTS].concat();
    assert_eq!(story(&[&two[..], &restarts_of(4), &restarts_of(4)].concat()), None);
    assert_eq!(story(&[&two[..], &restarts_of(4), &restarts_of(4), &[hook]].concat()), NOBODY);
    // One who is not known to live yet is about to be made anyway.
    let unborn = [&born(5, 1, 1)[..], &over_sibling, &RESTARTS].concat();
    assert_eq!(broken(&[&unborn[..], &[Act::Restarting { id: 5, keeps: false }]].concat()), NOBODY);
}

#[test]
fn an_order_to_restart_is_not_obeyed_too_early() {
    let wait = Duration::from_millis(5);
    let waiting = Decision::Restart { wait, at_most: Some(wait), limit: None };
    let until_made = |last| {
        let read = Act::Received { id: 4, now: last };
        [&[read][..], &fails(waiting), &restarts_of(4)].concat()
    };
    // It hears of it at the time that it read last, or later.
    assert_eq!(story(&until_made(Time::from_millis(995))), None);
    let late = until_made(Time::from_millis(996));
    assert_eq!(story(&late[..late.len() - 1]), Some("a back-off is waited for"));
}

#[test]
fn a_restart_elsewhere_is_not_forgotten() {
    let [restarting, stopped, ended, made, ..] = restarts_of(4);
    let mut story = Story::of(&[&born_afar(4)[..], &fails(RESTART), &[restarting, stopped, ended]].concat());
    assert_eq!(story.broken_at_rest(), None, "the order is heard by then, and its time begins");
    let forgotten = story.0.at_rest(NOW + Duration::from_millis(2)).unwrap_err();
    assert_eq!(forgotten.rule, "no restart is forgotten");
    story.goes_on(&[made]);
    assert_eq!(story.0.at_rest(NOW + Duration::from_millis(2)), Ok(()));
}

#[test]
fn children_elsewhere_that_are_left_alone_wait_and_are_restarted_after_their_parent() {
    let keeps = Act::Restarting { id: 1, keeps: true };
    let [_, stopped, ended, hooks @ ..] = restarts_of(1);
    let until = [&born_afar(4)[..], &[told(1, 4, 1), told(1, 4, 2)], &first_fails(RESTART)].concat();
    // What comes before it hears of that is handled.
    let mut story = Story::of(&[&ends(2)[..], &until, &[keeps, stopped, ended, handled(1, 4, 1)]].concat());
    assert_eq!(story.broken_at_rest(), None);
    let waits = Some("messages wait while somebody above is made again");
    let knows = || {
        let mut story = Story::of(&[&ends(2)[..], &until, &[keeps, stopped, ended]].concat());
        assert_eq!(story.broken_at_rest(), None);
        story
    };
    assert_eq!(knows().broken_by(handled(1, 4, 1)), waits);
    let mut story = knows();
    story.goes_on(&hooks);
    assert_eq!(story.broken_at_rest(), DONE);
    let mut story = knows();
    story.goes_on(&hooks);
    story.goes_on(&restarts_of(4));
    story.goes_on(&[handled(1, 4, 1), handled(1, 4, 2)]);
    assert_eq!(story.broken_at_rest(), None);
}

#[test]
fn each_birth_has_one_outcome() {
    let [spawned, made, started] = born(5, 1, 1);
    let told = |lives| Act::BirthTold { id: 5, lives };
    let (heard, dropped) = (Act::BirthHeard { id: 5 }, Act::BirthDropped { id: 5 });
    assert_eq!(broken(&[spawned, made, started, told(true), heard]), None);
    assert_eq!(broken(&[spawned, made, started, told(true), dropped]), None);
    assert_eq!(broken(&[spawned, told(false), heard]), None);
    assert_eq!(Story::of(&[spawned, made, told(true)]).broken_by(told(true)), BIRTH);
    assert_eq!(broken(&[spawned, made, told(true), heard, heard]), BIRTH);
    assert_eq!(broken(&[spawned, made, heard]), BIRTH, "nothing was told");
    assert_eq!(Story::of(&[spawned, made]).broken_by(told(false)), BIRTH, "it lives");
    assert_eq!(broken(&[spawned, told(false), heard, made]), BIRTH, "it does after all");
    assert_eq!(broken(&[spawned, Act::Unspawned { id: 5 }]), None);
    assert_eq!(broken(&[spawned, Act::Unspawned { id: 5 }, made]), BIRTH);
    assert_eq!(broken(&[spawned, Act::Unspawned { id: 5 }, told(false)]), BIRTH, "nothing was begun");
    // At home it is told at once, and once.
    let home = born(5, 1, 0);
    assert_eq!(broken(&[&home[..1], &[told(true), heard], &home[1..]].concat()), None);
    assert_eq!(Story::of(&[home[0], told(true)]).broken_by(told(true)), BIRTH);
}

#[test]
fn no_birth_is_forgotten() {
    let [spawned, made, started] = born(5, 1, 1);
    let told = Act::BirthTold { id: 5, lives: true };
    assert_eq!(broken(&[spawned]), BIRTH);
    assert_eq!(broken(&[spawned, made, started]), BIRTH);
    assert_eq!(broken(&[spawned, made, started, told]), BIRTH, "its parent does not hear");
    assert_eq!(broken(&[spawned, made, started, told, Act::Suspended { id: 1 }]), None, "it will");
    // Where the parent has stopped it before, nothing is told.
    let stops = [&[spawned, Act::StopAsked { id: 1, by: OUTSIDE }][..], &ends(2), &ends(1)].concat();
    assert_eq!(broken(&stops), None);
    // What is on its way is heard or dropped by the end.
    let all_end = [&[spawned, made, started, told][..], &ends(5), &ends(2), &ends(1), &ends(3)].concat();
    assert_eq!(Story::of(&all_end).broken_at_end(), BIRTH);
    let dropped = [&all_end[..], &[Act::BirthDropped { id: 5 }]].concat();
    assert_eq!(Story::of(&dropped).broken_at_end(), None);
}
