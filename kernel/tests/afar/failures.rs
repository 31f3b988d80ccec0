//! What a parent decides about a child elsewhere, whom that concerns, and how often.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Address, Backoff, DeadReason, Directive, Failure, KernelConfig, SpawnError, Strategy};

use crate::common::family::{failing, maker};
use crate::common::{Order, Puppet, Realm, lock, ms, order};
use crate::rig::{Family, PLAIN, bear};

/// Conformance 2.
#[test]
fn a_child_that_failed_is_restarted_as_its_parent_decides_and_keeps_its_messages() {
    let mut family = Family::new(PLAIN);
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    family.tell(c, Order::Note(1));
    family.tell(c, failing("oops"));
    family.tell(c, Order::Note(2));
    // Nothing is decided as long as the parent's core does not turn.
    family.realm.worlds[1].settle();
    family.tell(c, Order::Note(3));
    family.realm.worlds[1].settle();
    assert_eq!(family.realm.log().take(), ["c 1"]);
    assert_eq!(
        family.realm.events(),
        [
            "p decides on c: error: oops",
            "c restarting: error: oops",
            "c stopped",
            "c restarted: error: oops",
            "c started",
            "c 2",
            "c 3"
        ]
    );
    assert_eq!(family.realm.worlds[1].letters(), [(DeadReason::Failed, 1)]);
    assert_eq!(family.realm.worlds[1].stats().restarted, 1);
}

#[test]
fn stopped_for_its_failure_its_watchers_hear_why() {
    let mut family = Family::supervised(Strategy::stopping());
    let c = family.child(0, family.p, 1, "c");
    let watcher = family.realm.worlds[2].puppet("w");
    family.realm.have(2, watcher, move |_, ctx| ctx.watch(c).unwrap());
    family.realm.have(0, family.p, move |_, ctx| ctx.watch(c).unwrap());
    family.realm.events();
    let mut events = family.fail(c);
    events.sort();
    let told = ["c stopped", "p decides on c: error: oops", "p hears: c failed (error: oops)"];
    assert_eq!(events[..3], told);
    assert_eq!(events[3..], ["w hears: c failed (error: oops)"]);
    family.realm.have(0, family.p, |me, ctx| assert!(ctx.child("c").is_none(), "{}", me.name));
    assert_eq!(family.alive(), [1, 0, 1]);
}

/// Conformance 8.
#[test]
fn an_escalated_failure_goes_up_over_cores_to_the_top() {
    let mut family = Family::new(PLAIN);
    let escalating = |puppet: Puppet| puppet.looking_after(Strategy::escalating());
    let c = family.child_like(0, family.p, 1, "c", escalating);
    let g = family.child(1, c, 2, "g");
    family.realm.events();
    assert_eq!(
        family.fail(g),
        ["c decides on g: error: oops", "p decides on c: error: oops", "g stopped", "c stopped", "c started"]
    );
    assert_eq!(family.alive(), [1, 1, 0]);
    let config = KernelConfig { supervision: Strategy::escalating(), ..KernelConfig::default() };
    let mut family = Family::of(Realm::new::<1024>(3, 1 << 20, &config), escalating);
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    let events = family.fail(c);
    assert_eq!(events, ["p decides on c: error: oops", "c stopped", "p stopped"]);
    let reason = family.realm.worlds[0].escalated().map(ToString::to_string);
    assert_eq!(reason.as_deref(), Some("error: oops"));
    assert!(family.realm.worlds[1].escalated().is_none());
}

/// Conformance 8.
#[test]
fn all_and_the_rest_are_restarted_wherever_they_live() {
    for (strategy, expected) in [
        (Strategy::all_for_one(), ["a", "b", "c", "d"].as_slice()),
        (Strategy::rest_for_one(), &["b", "c", "d"]),
        (Strategy::one_for_one(), &["b"]),
    ] {
        for failing_shard in [1, 0] {
            let mut family = Family::supervised(strategy);
            family.child(0, family.p, 0, "a");
            let b = family.child(0, family.p, failing_shard, "b");
            family.child(0, family.p, 1, "c");
            family.child(0, family.p, 2, "d");
            family.realm.events();
            let mut events = family.fail(b);
            events.retain(|event| event.ends_with("started"));
            events.sort();
            let expected: Vec<_> = expected.iter().map(|name| format!("{name} started")).collect();
            assert_eq!(events, expected, "{strategy:?} {failing_shard}");
        }
    }
}

#[test]
fn one_that_is_restarted_with_others_before_its_own_failure_is_heard_is_restarted_once() {
    let mut family = Family::supervised(Strategy::all_for_one());
    let b = family.child(0, family.p, 1, "b");
    let c = family.child(0, family.p, 2, "c");
    family.realm.events();
    family.tell(b, failing("first"));
    family.tell(c, failing("second"));
    // Both have failed before the parent hears of either.
    for world in [1, 2] {
        family.realm.worlds[world].settle();
    }
    let mut events = family.realm.events();
    events.retain(|event| event.ends_with("started") || event.starts_with('p'));
    events.sort();
    let decided = if events[2].contains("first") { "b: error: first" } else { "c: error: second" };
    assert_eq!(events, ["b started", "c started", &format!("p decides on {decided}")]);
    // Neither is left waiting.
    for actor in [b, c] {
        family.tell(actor, Order::Note(1));
    }
    assert_eq!(family.realm.events().len(), 2);
}

/// Conformance 12.
#[test]
fn limits_and_back_off_hold_over_cores() {
    let strategy = Strategy::one_for_one().restarts(2, ms(1000));
    let mut family = Family::supervised(strategy);
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    for _ in 0..2 {
        assert_eq!(family.fail(c), ["p decides on c: error: oops", "c stopped", "c started"]);
    }
    assert_eq!(family.fail(c), ["p decides on c: error: oops", "c stopped"]);
    assert_eq!(family.alive(), [1, 0, 0]);

    let backoff = Backoff::new(ms(100), ms(1000)).jitter(0);
    let mut family = Family::supervised(Strategy::one_for_one().backoff(backoff));
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    assert_eq!(family.fail(c), ["p decides on c: error: oops", "c stopped"]);
    family.tell(c, Order::Note(1));
    family.realm.pass(ms(99));
    assert!(family.realm.events().is_empty());
    family.realm.pass(ms(2));
    assert_eq!(family.realm.events()[1..], ["c started", "c 1"]);
}

/// Conformance 11.
#[test]
fn a_start_that_fails_is_the_parents_to_decide() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Restart));
    let (p, known) = (family.p, family.known.clone());
    let tries = Arc::new(Mutex::new(0));
    let count = tries.clone();
    family.tell(
        p,
        bear(1, "c", known, move |puppet| {
            *lock(&count) += 1;
            let first = *lock(&count) < 3;
            puppet.at_start(move |_, _| if first { Err(Failure::new("not yet")) } else { Ok(()) })
        }),
    );
    family.realm.settle();
    assert_eq!((*lock(&tries), family.alive()[1]), (3, 1));
    family.realm.events();
    // A factory that fails makes nobody, and unless told otherwise that is the end.
    let mut family = Family::new(PLAIN);
    family.realm.have(0, family.p, |_, ctx| {
        let factory = || Err::<Puppet, _>(Failure::new("no"));
        let then = |born: Result<_, SpawnError>| order(move |me, _| me.say(born.is_ok()));
        ctx.child_on(2).name("c").try_spawn_from(factory, then).unwrap();
    });
    assert_eq!(family.realm.events(), ["p decides on somebody: failed start: no", "p true"]);
    assert_eq!(family.alive(), [1, 0, 0]);
    family.realm.have(0, family.p, |_, ctx| assert!(ctx.child("c").is_none()));
}

#[test]
fn a_panic_while_it_is_decided_fails_the_parent_and_stops_the_child() {
    let mut family = Family::new(|mut puppet| {
        puppet.at_failure_of_child = Some(Box::new(|_, _| panic!("no idea")));
        puppet
    });
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    let events = family.fail(c);
    assert_eq!(events, ["p decides on c: error: oops", "c stopped", "p stopped", "p started"]);
    assert_eq!(family.alive(), [1, 0, 0]);
}

#[test]
fn the_root_of_a_kernel_does_not_look_after_children_from_elsewhere() {
    let config = KernelConfig { supervision: Strategy::all_for_one(), ..KernelConfig::default() };
    let mut family = Family::of(Realm::new::<1024>(3, 1 << 20, &config), PLAIN);
    let c = family.child(0, family.p, 1, "c");
    let log = family.realm.log();
    let top = family.realm.worlds[1].scope().spawn_from(maker("t", &log)).unwrap();
    family.realm.events();
    assert_eq!(family.fail(top), ["t stopped", "t started"]);
    assert_eq!(family.fail(c), ["p decides on c: error: oops", "c stopped", "c started"]);
    let _: Address = c.address();
}
