//! Adapters: another's messages turned into one's own.

use std::sync::{Arc, Mutex};

use corelane_kernel::{ActorRef, DeadReason};

use crate::common::{Census, Order, Realm, World, lock};
use crate::rig::world;

#[test]
fn an_adapter_turns_anothers_messages_into_ones_own() {
    let (mut world, a, _) = world();
    let address = Arc::new(Mutex::new(None));
    let store = address.clone();
    world.have(a, move |_, ctx| {
        let mut count = 0;
        let adapter = ctx.adapter(move |text: &'static str| {
            count += 1;
            Order::Say(format!("{text} {count}"))
        });
        *lock(&store) = Some(adapter.unwrap());
    });
    let adapter: ActorRef<&'static str> = lock(&address).unwrap();
    world.tell(adapter, "x");
    world.tell(a, Order::Note(1));
    world.tell(adapter, "y");
    assert_eq!(world.events(), ["a x 1", "a 1", "a y 2"]);
}

fn adapter_of(world: &mut World, a: ActorRef<Order>, token: crate::common::Token) -> ActorRef<u64> {
    let address = Arc::new(Mutex::new(None));
    let store = address.clone();
    world.have(a, move |_, ctx| {
        let adapter = ctx.adapter(move |n| {
            let _ = &token;
            Order::Note(n)
        });
        *lock(&store) = Some(adapter.unwrap());
    });
    lock(&address).unwrap()
}

#[test]
fn an_adapter_ends_with_its_actor() {
    let (mut world, a, _) = world();
    let census = Census::default();
    let adapter = adapter_of(&mut world, a, census.token());
    world.tell(adapter, 1);
    world.settle();
    world.scope().stop(a);
    world.tell(adapter, 2);
    assert_eq!(world.events(), ["a 1", "a stopped"]);
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
    assert_eq!(world.stats().actors, 1);
}

#[test]
fn an_adapter_may_be_stopped_watched_and_suspended_on_its_own() {
    let (mut world, a, _) = world();
    let census = Census::default();
    let adapter = adapter_of(&mut world, a, census.token());
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(adapter).unwrap());
    world.scope().suspend(adapter).unwrap();
    world.tell(adapter, 1);
    world.tell(a, Order::Note(2));
    assert_eq!(world.events(), ["w started", "a 2"]);
    world.scope().resume(adapter);
    assert_eq!(world.events(), ["a 1"]);
    world.stop(adapter);
    census.expect_none();
    assert_eq!(world.events(), ["w hears: somebody stopped"]);
    world.tell(adapter, 3);
    world.tell(a, Order::Note(4));
    assert_eq!(world.events(), ["a 4"]);
}

#[test]
fn what_comes_through_an_adapter_waits_while_its_actor_is_suspended() {
    let (mut world, a, _) = world();
    let adapter = adapter_of(&mut world, a, Census::default().token());
    world.scope().suspend(a).unwrap();
    world.tell(a, Order::Note(1));
    world.tell(adapter, 2);
    world.tell(a, Order::Note(3));
    assert_eq!(world.events(), [""; 0]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1", "a 2", "a 3"]);
}

#[test]
fn an_adapter_of_another_core_is_told_over_its_lane() {
    let mut realm = Realm::pair();
    let (a, b) = (realm.worlds[0].puppet("a"), realm.worlds[1].puppet("b"));
    let adapter = adapter_of(&mut realm.worlds[0], a, Census::default().token());
    realm.events();
    realm.have(1, b, move |_, ctx| ctx.tell(adapter, 5));
    assert_eq!(realm.events(), ["a 5"]);
}
