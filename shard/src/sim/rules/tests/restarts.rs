//! Decisions, and restarts that follow from them.

use super::*;

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
    let fails = |decision, reach| fails_below(OUTSIDE, 1, decision, reach);
    let restarting = |id| Act::Restarting { id, keeps: true };
    let unheard = Some("a parent hears once of each child that failed");
    assert_eq!(broken(&[Act::Fails { id: 1 }, restarting(1)]), unheard);
    let nobody = Some("nobody is restarted whom no decision concerns");
    assert_eq!(broken(&[restarting(1)]), nobody);
    assert_eq!(broken(&[&fails(Decision::Resume, Reach::One)[..], &[restarting(1)]].concat()), nobody);
    assert_eq!(broken(&fails(Decision::Stop, Reach::One)), Some("what was decided is done"));
    // The top of another shard is another parent.
    assert_eq!(broken(&[&fails(RESTART, Reach::All)[..], &[restarting(3)]].concat()), nobody);
}

#[test]
fn a_limit_is_counted_for_each_whom_a_decision_concerns() {
    let limit = Some((1, Duration::from_secs(1)));
    let decision = Decision::Restart { wait: Duration::ZERO, at_most: Some(Duration::ZERO), limit };
    let fails = |child, reach| fails_below(1, child, decision, reach);
    let again = restarts_of;
    let all = [&born(4, 1, 0)[..], &fails(2, Reach::All), &again(2), &again(4)].concat();
    assert_eq!(broken(&all), None);
    let nobody = Some("nobody is restarted whom no decision concerns");
    // The one that failed has had as many as it may; so has the other, which did not fail.
    for failed in [2, 4] {
        assert_eq!(broken(&[&all[..], &fails(failed, Reach::All), &again(2)[..1]].concat()), nobody);
    }
    // The first is none of the rest, and the second has had one.
    let rest = [&born(4, 1, 0)[..], &fails(4, Reach::Rest), &again(4)].concat();
    assert_eq!(broken(&[&rest[..], &fails(2, Reach::One), &again(2)].concat()), None);
    assert_eq!(broken(&[&rest[..], &fails(2, Reach::Rest), &again(2)[..1]].concat()), nobody);
    assert_eq!(
        broken(&[&born(4, 1, 0)[..], &fails(2, Reach::All), &again(2)].concat()),
        Some("what was decided is done")
    );
}

/// Only what follows from those above is off when they go on; what was decided about a child itself is done.
#[test]
fn a_parent_that_goes_on_takes_no_decision_back() {
    let above = fails_below(OUTSIDE, 1, Decision::Resume, Reach::One);
    let story = [&fails(RESTART)[..], &above].concat();
    assert_eq!(broken(&story), Some("what was decided is done"));
    assert_eq!(broken(&[&story[..], &RESTARTS].concat()), None);
}

#[test]
fn children_that_are_left_alone_wait_and_are_restarted_after_their_parent() {
    let parent = fails_below(OUTSIDE, 1, RESTART, Reach::One);
    let [_, hooks @ ..] = restarts_of(1);
    let keeps = Act::Restarting { id: 1, keeps: true };
    let until = [&[told(1, 2, 1)][..], &parent, &[keeps, hooks[0], hooks[1]]].concat();
    assert_eq!(Story::of(&until).broken_at_rest(), None);
    let waits = "messages wait while somebody above is made again";
    assert_eq!(Story::of(&until).broken_by(handled(1, 2, 1)), Some(waits));

    let mut story = Story::of(&[&until[..], &hooks[2..]].concat());
    assert_eq!(story.broken_at_rest(), Some("what was decided is done"));
    story.goes_on(&RESTARTS);
    assert_eq!(story.broken_at_rest(), Some("no message is forgotten"));
    story.goes_on(&[handled(1, 2, 1)]);
    assert_eq!(story.broken_at_rest(), None);
}

#[test]
fn who_is_to_be_restarted_or_to_stop_handles_nothing_before() {
    let rule = Some("who is to be restarted or to stop handles nothing before");
    let early = |before: &[Act], by: Id| {
        let family = [&born(4, 1, 0)[..], &born(5, 2, 0), &[told(3, by, 1)]].concat();
        broken(&[&family[..], before, &[handled(3, by, 1)]].concat())
    };
    assert_eq!(early(&fails(RESTART), 2), rule);
    assert_eq!(early(&fails(Decision::Stop), 2), rule);
    assert_eq!(early(&fails(Decision::Resume), 2), None);
    assert_eq!(early(&fails_below(1, 2, RESTART, Reach::All), 4), rule, "a sibling");
    assert_eq!(early(&[Act::Leaves { id: 2 }], 2), rule);
    let kept = Act::Restarting { id: 2, keeps: true };
    assert_eq!(early(&[&fails(RESTART)[..], &[kept]].concat(), 5), rule, "below one that is restarted");
}

#[test]
fn children_that_a_restart_stops_end() {
    let restarting = |keeps| {
        let [failed, heard] = fails_below(OUTSIDE, 1, RESTART, Reach::One);
        broken(&[failed, heard, Act::Restarting { id: 1, keeps }])
    };
    assert_eq!(restarting(false), Some("who is told to stop does"));
    assert_eq!(restarting(true), None);
}

#[test]
fn nobody_is_made_again_whom_a_decision_has_stopped() {
    let spawned = Act::Spawned { id: 4, parent: 1, shard: 0 };
    let made = |decision| {
        let [failed, heard] = fails_below(1, 4, decision, Reach::One);
        broken(&[spawned, failed, heard, Act::Made { id: 4 }])
    };
    assert_eq!(
        made(Decision::Stop),
        Some("nobody is made again who has asked to stop, or whom a decision has stopped")
    );
    assert_eq!(made(RESTART), None);
    let unheard = [spawned, Act::Fails { id: 4 }, Act::Made { id: 4 }];
    assert_eq!(broken(&unheard), Some("a parent hears once of each child that failed"));
}

#[test]
fn who_has_panicked_over_a_child_is_asked_again_when_that_is_decided() {
    let panicked = [&born(4, 1, 0)[..], &fails(Decision::Stop), &[Act::Fails { id: 1 }], &ends(2)].concat();
    let next = fails_below(1, 4, Decision::Resume, Reach::One);
    let decided = Act::ChildFailed {
        parent: OUTSIDE,
        child: 1,
        now: NOW,
        decision: Decision::Resume,
        reach: Reach::One,
    };
    assert_eq!(
        broken(&[&panicked[..], &next].concat()),
        Some("nobody whose decision has panicked is asked before that is decided about")
    );
    assert_eq!(broken(&[&panicked[..], &[decided], &next].concat()), None);
    // The default has decided about that child: nobody is told.
    assert_eq!(broken(&[&panicked[..], &[next[0], decided]].concat()), None);
}

#[test]
fn children_of_an_instance_whose_first_hook_fails_go_on_if_it_does() {
    let [failed, heard] = fails_below(OUTSIDE, 1, RESTART, Reach::One);
    let [_, resumed] = fails_below(OUTSIDE, 1, Decision::Resume, Reach::One);
    let again = [
        failed,
        heard,
        Act::Restarting { id: 1, keeps: true },
        Act::Stopped { id: 1 },
        Act::Ended { id: 1 },
        Act::Made { id: 1 },
        Act::Restarted { id: 1, now: NOW },
        Act::Started { id: 1 },
    ];
    assert_eq!(broken(&again), Some("what was decided is done"));
    assert_eq!(broken(&[&again[..], &[failed, resumed]].concat()), None);
    // That hook may have spawned one beside it, of whom it is told at once.
    let spawns = [
        Act::Spawned { id: 4, parent: 1, shard: 0 },
        Act::BirthTold { id: 4, lives: true },
        failed,
        Act::BirthDropped { id: 4 },
        resumed,
    ];
    assert_eq!(broken(&[&again[..], &spawns].concat()), None);
}
