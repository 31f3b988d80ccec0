//! Handing over: what an actor asked for comes to it past its queue, or is given back to whoever brings it.

mod common;

use common::{Order, Puppet, World, ms, order};
use corelane_kernel::{ActorRef, DeadReason};

fn give(world: &mut World, to: ActorRef<Order>, n: u64) -> bool {
    world.kernel.scope().hand_over(to, Order::Note(n)).is_ok()
}

/// Fills the queue, and says of how many.
fn fill(world: &mut World, to: ActorRef<Order>) -> usize {
    (0..).take_while(|_| world.kernel.try_tell(to, Order::Note(0)).is_ok()).count()
}

#[test]
fn an_actor_is_given_what_it_asked_for_though_its_queue_is_full() {
    let mut world = World::sized(256 << 10);
    let a = world.puppet("a");
    world.events();
    let told = fill(&mut world, a);
    let handled = world.stats().handled;
    assert!(give(&mut world, a, 7));
    assert_eq!(world.log.take(), ["a 7"], "at once");
    assert_eq!(world.stats().handled, handled + 1);
    assert_eq!(world.events(), vec!["a 0"; told]);
    assert_eq!(world.letters(), []);
}

#[test]
fn what_is_given_to_one_that_cannot_run_waits_at_it() {
    let mut world = World::new();
    let a = world.kernel.scope().spawner().mailbox(1).spawn(Puppet::new("a", &world.log)).unwrap();
    world.events();
    world.scope().suspend(a).unwrap();
    world.tell(a, Order::Note(1));
    world.settle();
    for n in 2..=3 {
        assert!(give(&mut world, a, n), "its bound keeps others out");
    }
    assert_eq!(world.events(), [""; 0]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1", "a 2", "a 3"]);
    assert_eq!(world.letters(), []);
}

#[test]
fn what_finds_no_room_to_wait_comes_back() {
    let mut world = World::sized(256 << 10);
    let (a, hoard) = (world.puppet("a"), world.puppet("hoard"));
    world.events();
    for actor in [a, hoard] {
        world.scope().suspend(actor).unwrap();
    }
    while world.letters().is_empty() {
        world.tell(hoard, Order::Note(0));
        world.settle();
    }
    assert_eq!(world.letters(), [(DeadReason::OutOfMemory, 1)]);
    assert!(!give(&mut world, a, 1));
    assert_eq!(world.letters(), [(DeadReason::OutOfMemory, 1)], "it comes back, and is no dead letter");
    world.stop(hoard);
    assert!(give(&mut world, a, 2));
    world.log.take();
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 2"]);
}

#[test]
fn nothing_is_given_while_an_actor_runs() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.have(a, move |me, ctx| {
        for to in [b, ctx.me()] {
            let refused = ctx.scope().hand_over(to, Order::Note(1)).is_err();
            me.say(refused);
        }
    });
    assert_eq!(world.events().iter().filter(|word| word.contains("true")).count(), 2);
}

#[test]
fn what_is_given_to_one_that_is_gone_is_a_dead_letter() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.stop(a);
    assert!(give(&mut world, a, 1));
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn one_that_ends_over_what_it_is_given_ends_as_ever() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.have(b, move |_, ctx| ctx.watch(a).unwrap());
    world.log.take();
    let given = world.kernel.scope().hand_over(a, order(|_, ctx| ctx.stop_self()));
    assert!(given.is_ok());
    assert!(give(&mut world, a, 1), "it is gone by then");
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
    let events = world.events();
    assert!(events.iter().any(|event| event.starts_with("b hears")), "{events:?}");
    world.pass(ms(1));
}
