//! Panics in handlers, hooks, factories and closures.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, Ctx, DeadReason, Failure, Outcome, ReplyTo};

use crate::common::{Census, Log, Order, Puppet, Token, World, lock, ms, order};
use crate::rig::family;

#[test]
fn a_handlers_panic_is_the_failure_of_its_actor_alone() {
    let mut world = World::new();
    let (_, c) = family(&mut world, |log| Puppet::new("c", log));
    let other = world.puppet("other");
    world.tell(other, Order::Note(1));
    world.tell(c, order(|_, _| panic!("boom")));
    world.tell(c, Order::Note(2));
    world.tell(other, Order::Note(3));
    assert_eq!(
        world.events(),
        [
            "other started",
            "other 1",
            "p decides on c: panic: boom",
            "c stopped",
            "other 3",
            "w hears: c failed (panic: boom)"
        ]
    );
    assert_eq!((world.stats().failed, world.stats().actors), (1, 3));
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1), (DeadReason::Failed, 1)]);
}

#[test]
fn what_a_panicking_handler_held_is_dropped_and_what_waited_becomes_dead_letters() {
    let mut world = World::new();
    let census = Census::default();
    let token = census.token();
    let (_, c) = family(&mut world, |log| Puppet::new("c", log).keeping(token));
    let held = census.token();
    world.tell(
        c,
        order(move |_, _| {
            let _held = held;
            panic!("boom");
        }),
    );
    for _ in 0..10 {
        world.tell(c, Order::Carry(census.token()));
    }
    world.settle();
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::NoActor, 10), (DeadReason::Failed, 1)]);
}

/// Reliability 18.
#[test]
fn a_panic_in_every_hook_fails_its_own_actor() {
    type Prepare = fn(&mut Puppet);
    let cases: [(&str, Prepare); 4] = [
        ("at its start", |_| {}),
        ("at the end of another", |c| c.at_end_of_other = Some(Box::new(|_, _| panic!("boom")))),
        ("at the failure of a child", |c| c.at_failure_of_child = Some(Box::new(|_, _| panic!("boom")))),
        ("at silence", |c| c.at_silence = Some(Box::new(|_, _| panic!("boom")))),
    ];
    for (what, prepare) in cases {
        let mut world = World::new();
        let w = world.puppet("w");
        let other = world.puppet("other");
        let log = world.log.clone();
        world.have(w, move |_, ctx| {
            let mut c = Puppet::new("c", &log);
            if what == "at its start" {
                c = c.at_start(|_, _| panic!("boom"));
            }
            prepare(&mut c);
            let c = ctx.spawn(c).unwrap();
            ctx.watch(c).unwrap();
            ctx.tell(
                c,
                order(move |me, ctx| {
                    ctx.watch(other).unwrap();
                    ctx.set_receive_timeout(Some(ms(10))).unwrap();
                    let child = ctx.spawn(me.other("grandchild")).unwrap();
                    if what == "at the failure of a child" {
                        ctx.tell(child, crate::common::attempt(|_, _| Err(Failure::new("x"))));
                    }
                }),
            );
        });
        if what == "at the end of another" {
            world.stop(other);
        }
        world.pass(ms(20));
        assert_eq!(world.panics, ["boom"], "{what}");
        let events = world.events();
        let kind = if what == "at its start" { "failed start" } else { "panic" };
        let told = format!("w hears: c failed ({kind}: boom)");
        assert_eq!(events.iter().filter(|e| **e == told).count(), 1, "{what}: {events:?}");
        assert!(!events.contains(&"other failed".to_owned()));
    }
}

#[test]
fn a_panicking_factory_is_a_failure_before_anything_was_handled() {
    let mut world = World::new();
    let census = Census::default();
    let token = census.token();
    let p = world.puppet("p");
    world.have(p, move |_, ctx| {
        let child = ctx
            .spawn_from(move || -> Puppet {
                let _ = &token;
                panic!("no way")
            })
            .unwrap();
        ctx.watch(child).unwrap();
        ctx.tell(child, Order::Note(1));
    });
    assert_eq!(
        world.events(),
        [
            "p started",
            "p decides on somebody: failed start: no way",
            "p hears: somebody failed (failed start: no way)"
        ]
    );
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

/// Conformance 3, reliability 18.
#[test]
fn a_panicking_stopped_hook_is_shown_and_watchers_still_hear() {
    let mut world = World::new();
    let census = Census::default();
    let token = census.token();
    let (_, c) =
        family(&mut world, |log| Puppet::new("c", log).keeping(token).at_stop(|_, _| panic!("no goodbye")));
    let stashed = Order::Carry(census.token());
    world.have(c, move |_, ctx| assert!(ctx.stash(stashed).is_ok()));
    world.stop(c);
    assert_eq!(world.panics, ["no goodbye"]);
    assert_eq!(world.events(), ["c stopped", "w hears: c stopped"]);
    census.expect_none();
    assert_eq!((world.stats().failed, world.stats().actors), (1, 2));
}

#[test]
fn a_panicking_hook_of_a_child_does_not_keep_its_parent_from_stopping() {
    let mut world = World::new();
    let (p, _) = family(&mut world, |log| Puppet::new("c", log).at_stop(|_, _| panic!("no goodbye")));
    let w = world.puppet("w2");
    world.have(p, |me, ctx| {
        for name in ["d", "e", "f"] {
            ctx.spawn(me.other(name).at_stop(|_, _| panic!("nor here"))).unwrap();
        }
    });
    world.have(w, move |_, ctx| ctx.watch(p).unwrap());
    world.events();
    world.stop(p);
    assert_eq!(world.panics.len(), 4);
    let events = world.events();
    assert_eq!(events.len(), 7, "{events:?}");
    assert!(events.contains(&"w2 hears: p stopped".to_owned()));
    assert_eq!(world.stats().actors, 2);
}

#[test]
fn a_panicking_map_or_closure_is_its_owners_failure() {
    let mut world = World::new();
    let slot = Arc::new(Mutex::new(None));
    for case in 0..3 {
        let (_, c) = family(&mut world, |log| Puppet::new("c", log));
        let (store, other) = (slot.clone(), world.puppet("other"));
        world.have(c, move |_, ctx| match case {
            0 => *lock(&store) = Some(ctx.adapter(|_: u64| -> Order { panic!("boom") }).unwrap()),
            1 => ctx.ask(
                other,
                ms(10),
                |reply| {
                    *lock(&store) = Some(reply);
                    Order::Note(1)
                },
                |_: Result<u64, _>| panic!("boom"),
            ),
            _ => ctx.ask(other, ms(10), |_: ReplyTo<u64>| Order::Note(1), |_| panic!("boom")),
        });
        if let Some(address) = lock(&slot).take() {
            world.tell(address, 1u64);
        }
        world.pass(ms(20));
        let events = world.events();
        assert!(events.contains(&"w hears: c failed (panic: boom)".to_owned()), "{case}: {events:?}");
        assert!(world.scope().is_alive(other), "{case}");
    }
}

/// An actor whose answer to `influences_receive_timeout` is a panic.
struct Touchy(Log);

impl Actor for Touchy {
    type Msg = Option<Token>;
    fn receive(&mut self, _: Option<Token>, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0.add("touchy handled it");
        Ok(())
    }
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        Ok(ctx.set_receive_timeout(Some(ms(10)))?)
    }
    fn influences_receive_timeout(message: &Option<Token>) -> bool {
        assert!(message.is_none(), "asked about a token");
        true
    }
}

#[test]
fn a_panic_about_a_messages_influence_is_its_actors_failure_and_drops_the_message() {
    for suspended in [false, true] {
        let mut world = World::new();
        let census = Census::default();
        let log = world.log.clone();
        let touchy = world.spawn(Touchy(log)).unwrap();
        let other = world.puppet("other");
        let w = world.puppet("w");
        world.have(w, move |_, ctx| ctx.watch(touchy).unwrap());
        world.events();
        if suspended {
            world.scope().suspend(touchy).unwrap();
        }
        world.tell(other, Order::Note(1));
        world.tell(touchy, Some(census.token()));
        world.settle();
        if suspended {
            world.scope().resume(touchy);
        }
        let events = world.events();
        assert_eq!(events, ["other 1", "w hears: somebody failed (panic: asked about a token)"]);
        assert!(world.scope().is_alive(other));
        census.expect_none();
    }
}

#[test]
fn a_panicking_clone_of_a_periodic_message_is_its_owners_failure() {
    struct Fragile;
    struct Copyable(#[allow(dead_code)] Token);
    impl Clone for Copyable {
        fn clone(&self) -> Copyable {
            panic!("no copies")
        }
    }
    impl Actor for Fragile {
        type Msg = Option<Copyable>;
        fn receive(&mut self, message: Option<Copyable>, ctx: &mut Ctx<'_, Self>) -> Outcome {
            Ok(ctx.set_periodic(1, ms(1), message)?)
        }
    }
    let mut world = World::new();
    let census = Census::default();
    let fragile = world.spawn(Fragile).unwrap();
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(fragile).unwrap());
    world.tell(fragile, Some(Copyable(census.token())));
    world.pass(ms(5));
    assert_eq!(world.events(), ["w started", "w hears: somebody failed (panic: no copies)"]);
    census.expect_none();
}
