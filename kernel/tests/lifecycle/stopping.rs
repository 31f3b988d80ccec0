//! Stops: children first, messages that wait, watchers; and what comes to nothing at an end.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, ActorRef, Address, Ctx, DeadReason, Outcome, SpawnError};

use crate::common::{Census, Order, Puppet, Undertaker, World, lock, ms, order};

#[test]
fn children_stop_before_their_parent_leaves_first() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.have(a, |me, ctx| {
        let b = ctx.spawn(me.other("b")).unwrap();
        let c = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(b, order(|me, ctx| _ = ctx.spawn(me.other("b1")).unwrap()));
        ctx.tell(b, order(|me, ctx| _ = ctx.spawn(me.other("b2")).unwrap()));
        ctx.tell(c, order(|me, ctx| _ = ctx.spawn(me.other("c1")).unwrap()));
    });
    world.events();
    world.stop(a);
    let events = world.events();
    assert_eq!(events.len(), 6);
    let at = |name: &str| events.iter().position(|e| *e == format!("{name} stopped")).unwrap();
    assert!(at("b1") < at("b") && at("b2") < at("b") && at("c1") < at("c"));
    assert!(at("b") < at("a") && at("c") < at("a"));
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn stopping_finishes_the_message_at_hand_then_buries_those_that_wait_then_tells_watchers() {
    let mut world = World::new();
    let (log, watcher) = (world.log.clone(), world.puppet("w"));
    let undertaker = world.spawn(Undertaker(log)).unwrap();
    world.scope().subscribe_dead_letters(undertaker).unwrap();
    let a = world.puppet("a");
    world.have(watcher, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.tell(
        a,
        order(|me, ctx| {
            ctx.stop_self();
            me.say("goes on to the end of its handler");
        }),
    );
    world.tell(a, Order::Note(1));
    world.tell(a, Order::Note(2));
    assert_eq!(
        world.events(),
        [
            "a goes on to the end of its handler",
            "a stopped",
            "dead letter for a: no such actor",
            "dead letter for a: no such actor",
            "w hears: a stopped"
        ]
    );
}

#[test]
fn stopping_one_that_is_gone_does_nothing_and_stopping_twice_is_stopping_once() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.settle();
    world.scope().stop(a);
    world.scope().stop(a);
    world.stop(a);
    world.stop(a);
    world.stop(Address::NOBODY);
    assert_eq!(world.events(), ["a started", "b started", "a stopped"]);
    assert!(world.scope().is_alive(b) && !world.scope().is_alive(a));
    assert!(!world.scope().is_alive(Address::NOBODY));
}

/// Conformance 6.
#[test]
fn a_stopping_actor_spawns_no_children() {
    let mut world = World::new();
    let results = Arc::new(Mutex::new(Vec::new()));
    let seen = results.clone();
    let puppet = Puppet::new("a", &world.log).at_stop(move |me, ctx| {
        let child = ctx.spawn(me.other("child")).map(drop);
        let named = ctx.spawner().name("x").spawn(me.other("child")).map(drop);
        let top = ctx.scope().spawn(me.other("top")).map(drop);
        lock(&seen).extend([child, named, top]);
    });
    let a = world.spawn(puppet).unwrap();
    world.settle();
    world.stop(a);
    assert_eq!(*lock(&results), [Err(SpawnError::Stopping), Err(SpawnError::Stopping), Ok(())]);
    assert_eq!(world.events(), ["a started", "a stopped", "top started"]);
    assert_eq!(world.stats().actors, 1);
}

/// Conformance 6.
#[test]
fn stopping_all_ends_every_top_level_actor_and_all_below() {
    let mut world = World::new();
    for name in ["a", "b"] {
        let top = world.puppet(name);
        world.have(top, |me, ctx| _ = ctx.spawn(me.other("child")).unwrap());
    }
    world.events();
    world.scope().stop_all();
    let mut events = world.events();
    events.sort();
    assert_eq!(events, ["a stopped", "b stopped", "child stopped", "child stopped"]);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn a_large_family_stops_over_several_turns_while_others_are_served() {
    const CHILDREN: u64 = 20_000;
    struct Leaf;
    impl Actor for Leaf {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut world = World::sized(16 << 20);
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.have(a, |_, ctx| {
        for _ in 0..CHILDREN {
            ctx.spawn(Leaf).unwrap();
        }
    });
    assert_eq!(world.stats().actors, CHILDREN + 2);
    world.events();
    world.scope().stop(a);
    let mut turns = 0;
    while world.stats().actors > 1 {
        world.tell(b, Order::Note(turns));
        let turn = world.turn();
        assert!(turn.more || world.stats().actors == 1, "a driver would sleep before the family has stopped");
        turns += 1;
    }
    assert!(turns > 3, "one turn closed {} cells", CHILDREN / turns);
    let events = world.events();
    assert!(events.iter().filter(|e| e.starts_with("b ")).count() as u64 >= turns);
    assert_eq!(events.iter().filter(|e| *e == "a stopped").count(), 1);
}

#[test]
fn a_child_may_stop_its_parent_and_is_stopped_with_it() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(
            child,
            order(|me, ctx| {
                let parent = ctx.parent();
                ctx.stop(parent);
                ctx.stop_self();
                me.say("is done");
            }),
        );
    });
    assert_eq!(world.events(), ["p started", "c started", "c is done", "c stopped", "p stopped"]);
}

#[test]
fn what_a_stopped_hook_tells_itself_or_sets_comes_to_nothing() {
    let mut world = World::new();
    let census = Census::default();
    let tokens: Vec<_> = (0..6).map(|_| census.token()).collect();
    let (log, mut carried) = (world.log.clone(), tokens.into_iter());
    let mut next = move || Order::Carry(carried.next().unwrap());
    let puppet = Puppet::new("a", &log).at_stop(move |_, ctx| {
        let me = ctx.me();
        ctx.tell(me, next());
        ctx.set_timer(1, ms(0), next()).unwrap();
        ctx.set_receive_timeout(Some(ms(0))).unwrap();
        ctx.stash(next()).map_err(|_| "refused").unwrap();
        assert_eq!(ctx.unstash_all(), 1);
        ctx.stash(next()).map_err(|_| "refused").unwrap();
        ctx.watch_with(me, next()).unwrap();
        let last = next();
        ctx.ask(me, ms(5), |_: ActorRef<u64>| Order::Note(9), move |_| last);
        ctx.suspend_self().unwrap();
    });
    let a = world.spawn(puppet).unwrap();
    world.settle();
    world.stop(a);
    world.pass(ms(100));
    assert_eq!(world.events(), ["a started", "a stopped"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 2), (DeadReason::Stopped, 2)]);
    census.expect_none();
}

#[test]
fn an_adapter_made_in_a_stopped_hook_leads_to_nobody_for_ever() {
    /// Would misread what is told through an adapter of another type's.
    struct Heir(Arc<Mutex<Vec<String>>>);
    impl Actor for Heir {
        type Msg = String;
        fn receive(&mut self, text: String, _: &mut Ctx<'_, Self>) -> Outcome {
            lock(&self.0).push(text);
            Ok(())
        }
    }
    struct Testator(Arc<Mutex<Option<ActorRef<u64>>>>, Option<crate::common::Token>);
    impl Actor for Testator {
        type Msg = u64;
        fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
            let token = self.1.take();
            let adapter = ctx.adapter(move |n: u64| {
                let _ = &token;
                n
            });
            *lock(&self.0) = adapter.ok();
        }
    }
    let mut world = World::new();
    let (census, left, got) = (Census::default(), Arc::new(Mutex::new(None)), Arc::default());
    let testator = world.spawn(Testator(left.clone(), Some(census.token()))).unwrap();
    world.settle();
    world.stop(testator);
    census.expect_none();
    let heirs: Vec<_> = (0..8).map(|_| world.spawn(Heir(Arc::clone(&got))).unwrap()).collect();
    let adapter: ActorRef<u64> = lock(&left).take().expect("an address all the same");
    world.tell(adapter, 77);
    world.tell(heirs[0], "mine".to_owned());
    world.settle();
    assert_eq!(*lock(&got), ["mine"]);
    assert_eq!(world.stats().dead_letters, 1);
}
