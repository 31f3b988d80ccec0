//! Suspension: an actor's messages wait at it, in order, for as long as there is a reason.

mod common;

use common::{Census, Order, Puppet, Random, Realm, World, attempt, order};
use corelane_kernel::{ActorRef, DeadReason, Failure, Group};

fn world() -> (World, ActorRef<Order>) {
    let mut world = World::new();
    let a = world.puppet("a");
    world.events();
    (world, a)
}

#[test]
fn messages_wait_in_order_until_the_last_reason_is_gone() {
    let (mut world, a) = world();
    world.scope().suspend(a).unwrap();
    world.scope().suspend(a).unwrap();
    for n in 1..=3 {
        world.tell(a, Order::Note(n));
    }
    assert_eq!(world.events(), [""; 0]);
    world.scope().resume(a);
    assert_eq!(world.events(), [""; 0]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1", "a 2", "a 3"]);
    world.tell(a, Order::Note(4));
    assert_eq!(world.events(), ["a 4"]);
}

#[test]
fn resuming_one_that_runs_or_is_gone_does_nothing() {
    let (mut world, a) = world();
    world.scope().resume(a);
    world.tell(a, Order::Note(1));
    world.scope().suspend(a).unwrap();
    assert_eq!(world.events(), [""; 0], "the surplus resume counts for nothing");
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1"]);
    world.stop(a);
    world.scope().resume(a);
    world.scope().suspend(a).unwrap();
    assert_eq!(world.events(), ["a stopped"]);
}

#[test]
fn an_actor_that_suspends_itself_finishes_its_handler() {
    let (mut world, a) = world();
    world.tell(
        a,
        order(|me, ctx| {
            ctx.suspend_self().unwrap();
            me.say("is done");
        }),
    );
    world.tell(a, Order::Note(1));
    assert_eq!(world.events(), ["a is done"]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1"]);
}

#[test]
fn what_arrives_while_the_waiting_are_handled_goes_behind_them() {
    // Few are handled per turn, so that the two overlap.
    let config = corelane_kernel::KernelConfig { budget: 2, ..Default::default() };
    let mut world = World::with(1 << 20, config);
    let a = world.puppet("a");
    world.events();
    world.scope().suspend(a).unwrap();
    for n in 0..20 {
        world.tell(a, Order::Note(n));
    }
    world.settle();
    world.scope().resume(a);
    for n in 20..40 {
        world.turn();
        world.tell(a, Order::Note(n));
    }
    let expected: Vec<String> = (0..40).map(|n| format!("a {n}")).collect();
    assert_eq!(world.events(), expected);
}

#[test]
fn one_that_is_suspended_again_amid_its_waiting_messages_keeps_the_rest() {
    let (mut world, a) = world();
    world.scope().suspend(a).unwrap();
    world.tell(a, Order::Note(1));
    world.tell(a, order(|_, ctx| ctx.suspend_self().unwrap()));
    world.tell(a, Order::Note(2));
    world.settle();
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1"]);
    world.tell(a, Order::Note(3));
    assert_eq!(world.events(), [""; 0]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 2", "a 3"]);
}

#[test]
fn signals_and_hooks_do_not_wait() {
    let mut world = World::new();
    let (a, t) = (world.puppet("a"), world.puppet("t"));
    world.have(a, move |me, ctx| {
        ctx.watch(t).unwrap();
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(child, order(|_, ctx| ctx.suspend_self().unwrap()));
        ctx.tell(child, attempt(|_, _| Err(Failure::new("late"))));
    });
    world.scope().suspend(a).unwrap();
    world.stop(t);
    assert_eq!(world.events(), ["a started", "t started", "c started", "t stopped", "a hears: t stopped"]);
    world.stop(a);
    assert_eq!(world.events(), ["c stopped", "a stopped"]);
}

#[test]
fn one_suspended_before_its_start_starts_and_then_waits() {
    let mut world = World::new();
    let log = world.log.clone();
    let from_value = world.puppet("v");
    let from_factory = world.scope().spawn_from(move || Puppet::new("f", &log)).unwrap();
    for actor in [from_value, from_factory] {
        world.scope().suspend(actor).unwrap();
        world.tell(actor, Order::Note(1));
    }
    assert_eq!(world.events(), ["v started", "f started"]);
    for actor in [from_value, from_factory] {
        world.scope().resume(actor);
    }
    assert_eq!(world.events(), ["v 1", "f 1"]);
}

#[test]
fn what_waits_at_one_that_stops_becomes_dead_letters() {
    let (mut world, a) = world();
    let census = Census::default();
    world.scope().suspend(a).unwrap();
    for _ in 0..5 {
        world.tell(a, Order::Carry(census.token()));
    }
    world.settle();
    census.expect(5);
    world.stop(a);
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::Stopped, 5)]);
}

#[test]
fn one_that_stops_amid_its_waiting_messages_buries_the_rest() {
    for fails in [false, true] {
        let (mut world, a) = world();
        let b = world.puppet("b");
        let census = Census::default();
        for actor in [a, b] {
            world.scope().suspend(actor).unwrap();
            world.tell(actor, Order::Carry(census.token()));
        }
        world.tell(
            a,
            attempt(move |_, ctx| {
                ctx.stop_self();
                if fails { Err(Failure::new("x")) } else { Ok(()) }
            }),
        );
        for actor in [a, b] {
            world.tell(actor, Order::Carry(census.token()));
        }
        world.tell(b, Order::Note(1));
        world.settle();
        for actor in [a, b] {
            world.scope().resume(actor);
        }
        world.settle();
        census.expect_none();
        assert_eq!(world.events(), ["b started", "a stopped", "b 1"]);
        let failed = fails.then_some((DeadReason::Failed, 1));
        assert_eq!(world.letters(), Vec::from_iter([(DeadReason::Stopped, 1)].into_iter().chain(failed)));
    }
}

#[test]
fn a_backlog_of_many_is_handled_a_budget_at_a_time_beside_others() {
    let mut world = World::sized(8 << 20);
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.scope().suspend(a).unwrap();
    for n in 0..10_000 {
        world.tell(a, Order::Note(n));
    }
    world.events();
    world.scope().resume(a);
    world.tell(b, Order::Note(1));
    world.turn();
    let events = world.log.take();
    assert!(events.contains(&"b 1".to_owned()) && events.len() < 2000, "{}", events.len());
    assert_eq!(world.events().len() + events.len(), 10_001);
}

#[test]
fn several_backlogs_are_handled_one_after_the_other_each_in_order() {
    let mut world = World::new();
    let all: Vec<_> = ["a", "b", "c", "d"].map(|name| world.puppet(name)).into();
    world.events();
    let mut random = Random(5);
    let mut expected = vec![Vec::new(); all.len()];
    for n in 0..500 {
        let at = random.below(all.len());
        match random.below(6) {
            0 => world.scope().suspend(all[at]).unwrap(),
            1 => world.scope().resume(all[at]),
            2 => drop(world.turn()),
            _ => {
                world.tell(all[at], Order::Note(n));
                expected[at].push(format!("{} {n}", ["a", "b", "c", "d"][at]));
            }
        }
    }
    for actor in &all {
        for _ in 0..500 {
            world.scope().resume(*actor);
        }
    }
    let events = world.events();
    for (at, name) in ["a ", "b ", "c ", "d "].iter().enumerate() {
        let seen: Vec<_> = events.iter().filter(|e| e.starts_with(name)).cloned().collect();
        assert_eq!(seen, expected[at]);
    }
}

#[test]
fn messages_from_another_core_wait_as_well() {
    let mut realm = Realm::pair();
    let (a, slow) = (realm.worlds[1].puppet("a"), {
        let puppet = Puppet::new("slow", &realm.log());
        realm.worlds[1].scope().spawner().group(Group::Bulk).spawn(puppet).unwrap()
    });
    realm.events();
    for actor in [a, slow] {
        realm.worlds[1].scope().suspend(actor).unwrap();
        for n in 0..3 {
            realm.worlds[0].tell(actor, Order::Note(n));
        }
    }
    assert_eq!(realm.events(), [""; 0]);
    for actor in [a, slow] {
        realm.worlds[1].scope().resume(actor);
    }
    assert_eq!(realm.events(), ["a 0", "a 1", "a 2", "slow 0", "slow 1", "slow 2"]);
}

#[test]
fn resuming_with_a_message_puts_it_before_all_that_waits() {
    let (mut world, a) = world();
    world.scope().suspend(a).unwrap();
    world.tell(a, Order::Note(1));
    world.tell(a, Order::Note(2));
    world.settle();
    world.scope().resume_with(a, Order::Note(0));
    assert_eq!(world.events(), ["a 0", "a 1", "a 2"]);
    // Two reasons: it is the first of all when the last is gone.
    world.scope().suspend(a).unwrap();
    world.scope().suspend(a).unwrap();
    world.tell(a, Order::Note(1));
    world.settle();
    world.scope().resume_with(a, Order::Note(0));
    assert_eq!(world.events(), [""; 0]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 0", "a 1"]);
}

#[test]
fn resuming_one_that_is_gone_with_a_message_is_a_dead_letter() {
    let (mut world, a) = world();
    world.stop(a);
    world.scope().resume_with(a, Order::Note(1));
    world.settle();
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn resuming_one_that_is_not_suspended_with_a_message_tells_it() {
    let (mut world, a) = world();
    world.scope().resume_with(a, Order::Note(1));
    assert_eq!(world.events(), ["a 1"]);
    world.tell(a, Order::Note(2));
    world.scope().resume_with(a, Order::Note(3));
    assert_eq!(world.events(), ["a 3", "a 2"]);
}
