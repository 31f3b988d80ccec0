//! Whom a decision concerns: the one that failed, all, or those born after it as well.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Directive, Strategy};

use crate::common::family::{failing, family};
use crate::common::{Order, Puppet, World, lock};

fn of(events: &[String], word: &str) -> Vec<String> {
    events.iter().filter_map(|event| event.strip_suffix(word)).map(str::to_owned).collect()
}

#[test]
fn one_for_one_concerns_the_one_that_failed() {
    let mut world = World::new();
    let (_, [_, b, _]) = family(&mut world, Strategy::one_for_one(), ["a", "b", "c"]);
    world.tell(b, failing("oops"));
    assert_eq!(of(&world.events(), " started"), ["b"]);
}

/// Conformance 8.
#[test]
fn all_for_one_restarts_all_in_the_order_of_their_births() {
    let mut world = World::new();
    let (p, [a, b, c]) = family(&mut world, Strategy::all_for_one(), ["a", "b", "c"]);
    // An adapter of the parent's is no child.
    world.have(p, |_, ctx| _ = ctx.adapter(Order::Note).unwrap());
    world.tell(b, failing("oops"));
    let events = world.events();
    assert_eq!(of(&events, " stopped"), ["a", "b", "c"]);
    assert_eq!(of(&events, " started"), ["a", "b", "c"]);
    for child in [a, b, c] {
        world.tell(child, Order::Note(1));
    }
    assert_eq!(world.events(), ["a 1", "b 1", "c 1"]);
}

#[test]
fn rest_for_one_restarts_the_one_that_failed_and_those_born_after_it() {
    let mut world = World::new();
    let (_, [_, b, _, _]) = family(&mut world, Strategy::rest_for_one(), ["a", "b", "c", "d"]);
    world.tell(b, failing("oops"));
    assert_eq!(of(&world.events(), " started"), ["b", "c", "d"]);
}

#[test]
fn a_decision_to_stop_concerns_as_many() {
    for (strategy, gone) in
        [(Strategy::all_for_one(), &["a", "b", "c"][..]), (Strategy::rest_for_one(), &["b", "c"][..])]
    {
        let mut world = World::new();
        let (_, [_, b, _]) = family(&mut world, strategy.deciding(|_| Directive::Stop), ["a", "b", "c"]);
        world.tell(b, failing("oops"));
        let mut stopped = of(&world.events(), " stopped");
        stopped.sort();
        assert_eq!(stopped, gone);
        assert_eq!(world.stats().actors, 4 - gone.len() as u64);
    }
}

#[test]
fn a_decision_to_resume_concerns_no_other() {
    let mut world = World::new();
    let (_, [a, b]) = family(&mut world, Strategy::all_for_one().deciding(|_| Directive::Resume), ["a", "b"]);
    world.tell(a, failing("oops"));
    world.tell(b, Order::Note(1));
    assert_eq!(world.events(), ["p decides on a: error: oops", "b 1"]);
}

#[test]
fn siblings_that_cannot_be_made_again_are_stopped() {
    let mut world = World::new();
    let (p, [a]) = family(&mut world, Strategy::all_for_one(), ["a"]);
    world.have(p, |me, ctx| _ = ctx.spawn(me.other("value")).unwrap());
    world.events();
    world.tell(a, failing("oops"));
    let events = world.events();
    assert_eq!(
        (of(&events, " started"), of(&events, " stopped")),
        (vec!["a".to_owned()], vec!["value".to_owned(), "a".to_owned()])
    );
    assert_eq!(world.stats().actors, 2);
}

/// Reliability 18.
#[test]
fn a_sibling_whose_hooks_panic_keeps_no_other_from_its_restart() {
    let mut world = World::new();
    let (_, [a, b, c]) = family(&mut world, Strategy::all_for_one(), ["a", "b", "c"]);
    for child in [a, b] {
        world.have(child, |me, _| {
            me.at_restart = Some(Box::new(|_, _| panic!("restarting")));
            me.at_stop = Some(Box::new(|_, _| panic!("stopped")));
        });
    }
    world.tell(c, failing("oops"));
    assert_eq!(of(&world.events(), " started"), ["a", "b", "c"]);
    assert_eq!(world.panics, ["restarting", "stopped", "restarting", "stopped"]);
}

#[test]
fn one_that_cannot_be_made_again_and_panics_at_its_end_keeps_no_other_from_its_restart() {
    let mut world = World::new();
    let (p, [a]) = family(&mut world, Strategy::all_for_one(), ["a"]);
    let value = Arc::new(Mutex::new(None));
    let slot = value.clone();
    world.have(p, move |me, ctx| {
        let panicking = me.other("value").at_stop(|_, _| panic!("stopped"));
        *lock(&slot) = Some(ctx.spawn(panicking).unwrap());
    });
    world.have(p, |me, ctx| {
        let log = me.log.clone();
        ctx.spawn_from(move || Puppet::new("b", &log)).unwrap();
    });
    world.events();
    let value = lock(&value).take().unwrap();
    world.tell(value, failing("oops"));
    assert_eq!(of(&world.events(), " started"), ["a", "b"]);
    assert!(world.scope().stats().actors == 3, "{a:?}");
}
