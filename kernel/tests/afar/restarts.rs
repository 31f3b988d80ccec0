//! A parent that is restarted, and its children elsewhere.

use corelane_kernel::{Backoff, Failure, KernelConfig, Strategy};

use crate::common::family::failing;
use crate::common::{Order, Realm, ms};
use crate::rig::{Family, PLAIN};

#[test]
fn a_parent_that_is_resumed_while_it_waits_for_its_restart_runs_no_sooner() {
    let mut family = Family::new(PLAIN);
    family.child(0, family.p, 1, "c");
    family.realm.events();
    let p = family.p;
    // Its outer reason to wait goes while the end of its child is awaited.
    family.realm.worlds[0].scope().suspend(p).unwrap();
    family.realm.worlds[0].scope().fail(p, Failure::new("oops"));
    family.tell(p, Order::Note(1));
    family.realm.worlds[0].settle();
    assert_eq!(family.realm.log().take(), ["p restarting: error: oops"]);
    family.realm.worlds[0].scope().resume(p);
    family.realm.worlds[0].settle();
    assert_eq!(family.realm.log().take(), [""; 0]);
    assert_eq!(
        family.realm.events(),
        ["c stopped", "p stopped", "p restarted: error: oops", "p started", "p 1"]
    );
    // One that is undecided as well.
    let c = family.child(0, p, 1, "c");
    family.tell(c, failing("no"));
    family.tell(c, Order::Note(2));
    family.realm.worlds[1].settle();
    family.realm.worlds[1].scope().resume(c);
    family.realm.worlds[1].settle();
    let early = family.realm.log().take();
    assert!(!early.iter().any(|event| event == "c 2"), "{early:?}");
    assert_eq!(family.realm.events().last().map(String::as_str), Some("c 2"));
}

#[test]
fn a_parent_that_is_restarted_waits_for_the_end_of_children_elsewhere() {
    let mut family = Family::new(PLAIN);
    let c = family.child(0, family.p, 1, "c");
    family.child(1, c, 2, "g");
    family.realm.events();
    family.tell(family.p, failing("oops"));
    family.tell(family.p, Order::Note(1));
    family.realm.worlds[0].settle();
    assert_eq!(family.realm.log().take(), ["p restarting: error: oops"]);
    assert_eq!(
        family.realm.events(),
        ["g stopped", "c stopped", "p stopped", "p restarted: error: oops", "p started", "p 1"]
    );
}

/// Or an owner whose pool is empty then would stop, or have routees replaced that are not wanted any more.
#[test]
fn an_instance_that_is_about_to_be_restarted_hears_nothing_of_the_ends_of_its_children() {
    let mut family = Family::new(PLAIN);
    let children = [(0, "a"), (1, "b"), (2, "c")].map(|(shard, name)| {
        let child = family.child(0, family.p, shard, name);
        family.realm.have(0, family.p, move |_, ctx| ctx.watch(child).unwrap());
        child
    });
    family.realm.events();
    family.tell(family.p, failing("oops"));
    // One after the other.
    for at in [0, 1, 0, 2, 0] {
        family.realm.worlds[at].settle();
    }
    let events = family.realm.events();
    assert!(!events.iter().any(|event| event.contains("hears")), "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("p started"));
    assert_eq!(children.len(), 3);
}

#[test]
fn one_whose_restart_waits_for_children_elsewhere_handles_nothing_though_it_is_resumed() {
    let mut family = Family::new(PLAIN);
    family.child(0, family.p, 1, "c");
    family.realm.have(0, family.p, |_, ctx| ctx.suspend_self().unwrap());
    family.realm.events();
    let p = family.p;
    family.tell(p, Order::Note(1));
    family.realm.worlds[0].scope().fail(p, Failure::new("oops"));
    family.realm.worlds[0].settle();
    family.realm.worlds[0].scope().resume(p);
    family.realm.worlds[0].settle();
    assert_eq!(family.realm.log().take(), ["p restarting: error: oops"]);
    let events = family.realm.events();
    assert_eq!(events, ["c stopped", "p stopped", "p restarted: error: oops", "p started", "p 1"]);
}

#[test]
fn children_elsewhere_that_the_old_instance_leaves_alone_are_restarted_after_it() {
    let mut family = Family::new(|puppet| puppet.at_restart(|_, _| {}));
    let c = family.child_like(0, family.p, 1, "c", |puppet| puppet.at_restart(|_, _| {}));
    let g = family.child(1, c, 2, "g");
    family.realm.events();
    assert_eq!(
        family.fail(family.p),
        ["p stopped", "p started", "c stopped", "c started", "g stopped", "g started"]
    );
    for (actor, n) in [(c, 1), (g, 2)] {
        family.tell(actor, Order::Note(n));
    }
    assert_eq!(family.realm.events(), ["c 1", "g 2"]);
}

#[test]
fn what_waits_for_a_parents_back_off_waits_on_all_cores() {
    let backoff = Backoff::new(ms(100), ms(1000)).jitter(0);
    let config =
        KernelConfig { supervision: Strategy::one_for_one().backoff(backoff), ..KernelConfig::default() };
    let realm = Realm::new::<1024>(3, 1 << 20, &config);
    let mut family = Family::of(realm, |puppet| puppet.at_restart(|_, _| {}));
    let c = family.child_like(0, family.p, 1, "c", |puppet| puppet.at_restart(|_, _| {}));
    let g = family.child(1, c, 2, "g");
    family.realm.events();
    assert_eq!(family.fail(family.p), ["p stopped"]);
    for (actor, n) in [(c, 1), (g, 2)] {
        family.tell(actor, Order::Note(n));
    }
    family.realm.pass(ms(99));
    assert!(family.realm.events().is_empty());
    family.realm.pass(ms(2));
    let mut events = family.realm.events();
    events.retain(|event| !event.contains(" restart"));
    assert_eq!(events[..2], ["p started", "c stopped"]);
    events.sort();
    assert_eq!(events[..3], ["c 1", "c started", "c stopped"]);
    assert!(events.contains(&"g 2".to_owned()), "{events:?}");
}
