//! One that has failed, and all below it, waits for a decision from elsewhere, and goes on when that has come.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Backoff, Directive, Failure, FailureKind, KernelConfig, Strategy};

use crate::common::family::failing;
use crate::common::{Order, Puppet, Realm, lock, ms};
use crate::rig::{Family, PLAIN, bear};

/// Conformance 10.
#[test]
fn while_undecided_all_below_waits_and_resumed_all_goes_on() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Resume));
    let c = family.child(0, family.p, 1, "c");
    let g = family.child(1, c, 2, "g");
    let l = family.child(1, c, 1, "l");
    family.realm.events();
    family.tell(c, failing("oops"));
    for world in [1, 2] {
        family.realm.worlds[world].settle();
    }
    for (actor, n) in [(c, 1), (g, 2), (l, 3)] {
        family.tell(actor, Order::Note(n));
    }
    for world in [1, 2] {
        family.realm.worlds[world].settle();
    }
    assert!(family.realm.log().take().is_empty());
    let mut events = family.realm.events();
    events.sort();
    assert_eq!(events, ["c 1", "g 2", "l 3", "p decides on c: error: oops"]);
    // And again: nothing is left over of the first time.
    let mut again = family.fail(c);
    for (actor, n) in [(c, 1), (g, 2), (l, 3)] {
        family.tell(actor, Order::Note(n));
    }
    again.extend(family.realm.events());
    assert_eq!(again.len(), 4, "{again:?}");
}

#[test]
fn resumed_far_above_those_go_on_whose_failures_were_escalated_on_the_way() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Resume));
    let escalating = |puppet: Puppet| puppet.looking_after(Strategy::escalating());
    let c = family.child_like(0, family.p, 1, "c", escalating);
    let g = family.child_like(1, c, 2, "g", escalating);
    let l = family.child(2, g, 2, "l");
    let far = family.child(2, g, 0, "f");
    family.realm.events();
    for actor in [l, far, g] {
        let events = family.fail(actor);
        assert_eq!(events.last().map(String::as_str), Some("p decides on c: error: oops"));
        for to in [c, g, l, far] {
            family.tell(to, Order::Note(1));
        }
        let mut events = family.realm.events();
        events.sort();
        assert_eq!(events, ["c 1", "f 1", "g 1", "l 1"]);
    }
}

#[test]
fn one_whose_failure_was_escalated_goes_on_with_a_parent_whose_start_is_let_pass() {
    let decider = |failure: &Failure| match failure.to_string().contains("at its start") {
        true => Directive::Resume,
        false => Directive::Restart,
    };
    let supervision = Strategy::one_for_one().deciding(decider);
    let config = KernelConfig { supervision, ..KernelConfig::default() };
    let made = Arc::new(Mutex::new(0));
    let mut family = Family::of(Realm::new::<1024>(3, 1 << 20, &config), move |puppet| {
        let puppet = puppet.looking_after(Strategy::escalating()).at_restart(|_, _| {});
        *lock(&made) += 1;
        if *lock(&made) == 1 { puppet } else { puppet.at_start(|_, _| Err(Failure::new("at its start"))) }
    });
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    let events = family.fail(c);
    assert_eq!(events, ["p decides on c: error: oops", "p stopped", "p started"]);
    family.tell(c, Order::Note(1));
    assert_eq!(family.realm.events(), ["c 1"]);
}

#[test]
fn what_waits_below_a_start_that_failed_goes_on_when_that_is_resumed_elsewhere() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Resume));
    let backoff = Backoff::new(ms(100), ms(1000)).jitter(0);
    let strategy = Strategy::one_for_one().backoff(backoff).deciding(|failure| match failure.kind() {
        FailureKind::Start => Directive::Escalate,
        _ => Directive::Restart,
    });
    let c = family.child_like(0, family.p, 1, "c", move |puppet| puppet.looking_after(strategy));
    let made = Arc::new(Mutex::new(0));
    let g = family.child_like(1, c, 1, "g", move |puppet| {
        *lock(&made) += 1;
        let puppet = puppet.at_restart(|_, _| {});
        if *lock(&made) == 1 { puppet } else { puppet.at_start(|_, _| Err(Failure::new("at its start"))) }
    });
    let l = family.child(1, g, 2, "l");
    family.realm.events();
    family.fail(g);
    family.tell(l, Order::Note(1));
    assert_eq!(family.realm.events(), [""; 0], "it waits with its parent");
    family.realm.pass(ms(101));
    let events = family.realm.events();
    assert!(events.iter().any(|event| event.starts_with("p decides on c")), "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("l 1"));
}

#[test]
fn one_that_waits_for_a_decision_handles_nothing_though_it_is_resumed() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Resume));
    let c = family.child(0, family.p, 1, "c");
    family.realm.have(1, c, |_, ctx| ctx.suspend_self().unwrap());
    family.realm.events();
    family.realm.worlds[1].scope().fail(c, Failure::new("oops"));
    family.realm.worlds[1].settle();
    family.realm.worlds[1].scope().resume(c);
    family.tell(c, Order::Note(1));
    family.realm.worlds[1].settle();
    assert!(family.realm.log().take().is_empty());
    assert_eq!(family.realm.events(), ["p decides on c: error: oops", "c 1"]);
}

#[test]
fn whom_one_spawns_while_it_waits_for_a_decision_waits_as_well() {
    let resuming = Strategy::one_for_one().deciding(|_| Directive::Resume);
    let mut family = Family::supervised(resuming);
    let known = family.known.clone();
    let other = family.realm.worlds[1].puppet("o");
    let c = family.child(0, family.p, 1, "c");
    family.realm.have(1, c, move |me, ctx| {
        ctx.watch(other).unwrap();
        me.at_end_of_other = Some(Box::new(move |me, ctx| {
            let log = me.log.clone();
            let near = ctx.spawn_from(move || Puppet::new("n", &log))?;
            lock(&known.0).insert("n", near);
            let Order::Do(deed) = bear(2, "f", known, PLAIN) else { return Ok(()) };
            deed(me, ctx)
        }));
    });
    family.realm.events();
    family.tell(c, failing("oops"));
    family.realm.worlds[1].scope().stop(other);
    for world in [1, 2, 1] {
        family.realm.worlds[world].settle();
    }
    family.realm.log().take();
    let near = family.known.get("n");
    family.tell(near, Order::Note(1));
    family.realm.worlds[1].settle();
    assert!(family.realm.log().take().is_empty());
    let mut events = family.realm.events();
    events.sort();
    assert_eq!(events, ["n 1", "p decides on c: error: oops"]);
    let far = family.known.get("f");
    family.tell(far, Order::Note(2));
    assert_eq!(family.realm.events(), ["f 2"]);
}
