//! What ends with the old instance: children, timers, asks, adapters, watches, and what its hooks set up.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, ActorRef, Ctx, DeadReason, Failure, Outcome, ReplyTo, SpawnError, limits};

use crate::common::family::failing;
use crate::common::{Census, Order, Puppet, World, attempt, lock, ms, order};
use crate::rig::{RESTARTED, fail, world};

#[test]
fn children_are_stopped_before_the_old_instance_is() {
    let (mut world, a) = world(|puppet| puppet);
    world.have(a, |me, ctx| {
        let b = ctx.spawn(me.other("b")).unwrap();
        ctx.tell(b, order(|me, ctx| _ = ctx.spawn(me.other("b1")).unwrap()));
        ctx.spawn(me.other("c")).unwrap();
    });
    world.events();
    world.tell(a, failing("oops"));
    world.tell(a, Order::Note(1));
    assert_eq!(
        world.events(),
        [
            "a restarting: error: oops",
            "c stopped",
            "b1 stopped",
            "b stopped",
            "a stopped",
            "a restarted: error: oops",
            "a started",
            "a 1"
        ]
    );
    assert_eq!(world.stats().actors, 1);
}

#[test]
fn children_that_the_failing_handler_spawned_never_start() {
    let (mut world, a) = world(|puppet| puppet);
    let census = Census::default();
    let token = census.token();
    world.tell(
        a,
        attempt(move |me, ctx| {
            ctx.spawn(me.other("b").keeping(token))?;
            Err(Failure::new("oops"))
        }),
    );
    let events = world.events();
    assert!(!events.iter().any(|event| event == "b 1"), "{events:?}");
    census.expect_none();
    assert_eq!(world.stats().actors, 1);
}

#[test]
fn a_large_family_ends_over_several_turns_while_the_actors_messages_wait() {
    struct Leaf;
    impl Actor for Leaf {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut world = World::sized(16 << 20);
    let log = world.log.clone();
    let a = world.scope().spawn_from(move || Puppet::new("a", &log)).unwrap();
    world.have(a, |me, ctx| {
        let middle = ctx.spawn(me.other("m")).unwrap();
        ctx.tell(
            middle,
            order(|_, ctx| {
                for _ in 0..10_000 {
                    ctx.spawn(Leaf).unwrap();
                }
            }),
        );
    });
    world.events();
    world.tell(a, failing("oops"));
    world.tell(a, Order::Note(1));
    let mut turns = 0;
    while world.turn().more {
        turns += 1;
        assert!(
            turns == 1 || world.log.take().iter().all(|event| event != "a 1") || world.stats().actors == 1
        );
    }
    assert!(turns > 1);
    world.tell(a, Order::Note(2));
    assert!(world.events().contains(&"a 2".to_owned()));
    assert_eq!(world.stats().actors, 1);
}

#[test]
fn children_that_are_left_alone_are_suspended_and_restarted_after_their_parent() {
    let mut world = World::new();
    let log = world.log.clone();
    let a = world
        .scope()
        .spawn_from(move || {
            Puppet::new("a", &log).at_restart(|me, ctx| {
                if let Some(first) = ctx.child("first") {
                    ctx.stop(first);
                }
                me.say("leaves the rest alone");
            })
        })
        .unwrap();
    let slot = Arc::new(Mutex::new(Vec::new()));
    let store = slot.clone();
    world.have(a, move |me, ctx| {
        for name in ["first", "second", "third"] {
            let log = me.log.clone();
            let child = ctx.spawner().name(name).spawn_from(move || Puppet::new(name, &log)).unwrap();
            lock(&store).push(child);
        }
        ctx.spawn(me.other("value")).unwrap();
    });
    world.events();
    let [_, second, _] = lock(&slot)[..] else { panic!("three") };
    world.tell(a, failing("oops"));
    world.tell(second, Order::Note(1));
    assert_eq!(
        world.events(),
        [
            "a restarting: error: oops",
            "a leaves the rest alone",
            "first stopped",
            "a stopped",
            "a restarted: error: oops",
            "a started",
            // One that was spawned from a value cannot be restarted.
            "value stopped",
            "second restarting: error: oops",
            "second stopped",
            "second restarted: error: oops",
            "second started",
            "third restarting: error: oops",
            "third stopped",
            "third restarted: error: oops",
            "third started",
            "second 1"
        ]
    );
    assert!(world.scope().is_alive(second));
}

#[test]
fn timers_and_the_receive_timeout_are_cancelled() {
    let (mut world, a) = world(|puppet| puppet);
    let census = Census::default();
    let tokens = [census.token(), census.token()];
    world.have(a, move |_, ctx| {
        let [one, two] = tokens;
        ctx.set_timer(1, ms(5), Order::Carry(one)).unwrap();
        ctx.set_timer(2, ms(500), Order::Carry(two)).unwrap();
        ctx.set_timer(3, ms(5), Order::Note(3)).unwrap();
        ctx.set_receive_timeout(Some(ms(7))).unwrap();
    });
    assert_eq!(fail(&mut world, a), RESTARTED);
    census.expect_none();
    assert_eq!(world.next_deadline(), None);
    world.pass(ms(1000));
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.letters(), [(DeadReason::Failed, 1)]);
}

#[test]
fn asks_are_dropped_and_their_answers_are_dead_letters() {
    let (mut world, a) = world(|puppet| puppet);
    let slot: Arc<Mutex<Option<ReplyTo<u64>>>> = Arc::default();
    let (other, store) = (world.puppet("other"), slot.clone());
    world.have(a, move |_, ctx| {
        let question = |reply| {
            *lock(&store) = Some(reply);
            Order::Note(0)
        };
        ctx.ask(other, ms(10), question, |_| Order::Note(99));
    });
    world.events();
    assert_eq!(fail(&mut world, a), RESTARTED);
    let reply = lock(&slot).take().unwrap();
    world.tell(reply, 7);
    world.pass(ms(20));
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 1), (DeadReason::Failed, 1)]);
}

#[test]
fn adapters_end_and_attachments_are_dropped() {
    let (mut world, a) = world(|puppet| puppet);
    let census = Census::default();
    let (one, two) = (census.token(), census.token());
    let slot = Arc::new(Mutex::new(None));
    let store = slot.clone();
    world.have(a, move |_, ctx| {
        ctx.attach(one).unwrap();
        let adapter = ctx.adapter(move |n: u64| {
            let _ = &two;
            Order::Note(n)
        });
        *lock(&store) = adapter.ok();
    });
    census.expect(2);
    assert_eq!(fail(&mut world, a), RESTARTED);
    census.expect_none();
    let adapter: ActorRef<u64> = lock(&slot).take().unwrap();
    world.tell(adapter, 7);
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1), (DeadReason::Failed, 1)]);
}

#[test]
fn watches_end_without_a_notice() {
    let (mut world, a) = world(|puppet| puppet);
    let census = Census::default();
    let (b, c, token) = (world.puppet("b"), world.puppet("c"), census.token());
    world.have(a, move |_, ctx| {
        ctx.watch(b).unwrap();
        ctx.watch_with(c, Order::Carry(token)).unwrap();
    });
    world.events();
    assert_eq!(fail(&mut world, a), RESTARTED);
    census.expect_none();
    world.stop(b);
    world.stop(c);
    assert_eq!(world.events(), ["b stopped", "c stopped"]);
}

/// Conformance 19.
#[test]
fn what_was_stashed_comes_back_before_all_that_waits() {
    let (mut world, a) = world(|puppet| puppet);
    world.have(a, |_, ctx| ctx.set_stash_bound(2).unwrap());
    for n in 1..=2 {
        world.tell(a, Order::Stash(n));
    }
    world.tell(a, failing("oops"));
    world.tell(a, Order::Note(3));
    let mut events = world.events();
    events.retain(|event| !event.ends_with(": error: oops"));
    assert_eq!(events, ["a stopped", "a started", "a 1", "a 2", "a 3"]);
    // The bound was the old instance's.
    world.have(a, |me, ctx| {
        let mut stashed = 0;
        while ctx.stash(Order::Note(0)).is_ok() {
            stashed += 1;
        }
        me.say(stashed);
    });
    assert_eq!(world.events(), [format!("a {}", limits::STASH_DEFAULT)]);
}

#[test]
fn a_suspended_actor_runs_after_its_restart() {
    let (mut world, a) = world(|puppet| puppet);
    world.have(a, |_, ctx| ctx.suspend_self().unwrap());
    world.tell(a, Order::Note(1));
    assert_eq!(world.events(), [""; 0]);
    world.scope().fail(a, Failure::new("its future was lost"));
    assert_eq!(world.events().last().map(String::as_str), Some("a 1"));
    // Whoever would have resumed it does no harm.
    world.scope().resume(a);
    world.tell(a, Order::Note(2));
    assert_eq!(world.events(), ["a 2"]);
}

#[test]
fn what_the_hooks_of_an_old_instance_set_up_ends_with_it() {
    let census = Census::default();
    let people = census.clone();
    let (mut world, a) = world(move |puppet| {
        let people = people.clone();
        puppet.at_stop(move |me, ctx| {
            ctx.set_timer(1, ms(5), Order::Carry(people.token())).unwrap();
            ctx.attach(people.token()).unwrap();
            let token = people.token();
            ctx.adapter(move |_: u64| {
                let _ = &token;
                Order::Note(0)
            })
            .unwrap();
            ctx.suspend_self().unwrap();
            assert_eq!(ctx.spawn(me.other("late")), Err(SpawnError::Stopping));
            // A message is no part of it: it waits for the new instance.
            let this = ctx.me();
            ctx.tell(this, Order::Note(7));
        })
    });
    world.tell(a, failing("oops"));
    assert_eq!(world.events().last().map(String::as_str), Some("a 7"));
    census.expect_none();
    world.pass(ms(10));
    assert_eq!((world.events(), world.next_deadline()), (vec![], None));
}
