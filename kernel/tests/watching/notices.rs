//! Who watches, and what it is told: by its hook or by a message, once, or not at all if it takes the watch back.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, Address, Ctx, Failure, Outcome, StopReason, Terminated};

use crate::common::{Census, Order, Puppet, World, lock, order, why};

/// Conformance 14.
#[test]
fn every_watcher_hears_of_the_end_once() {
    let mut world = World::new();
    let target = world.puppet("t");
    for name in ["a", "b", "c"] {
        let watcher = world.puppet(name);
        world.have(watcher, move |_, ctx| ctx.watch(target).unwrap());
    }
    world.events();
    world.stop(target);
    let mut events = world.events();
    events.sort();
    assert_eq!(events, ["a hears: t stopped", "b hears: t stopped", "c hears: t stopped", "t stopped"]);
}

/// Conformance 14.
#[test]
fn watching_one_that_is_already_dead_or_never_lived_gives_one_notice() {
    let mut world = World::new();
    let (w, target) = (world.puppet("w"), world.puppet("t"));
    world.settle();
    world.stop(target);
    let stranger = World::new().puppet("elsewhere");
    world.events();
    world.have(w, move |_, ctx| {
        ctx.watch(target).unwrap();
        ctx.watch(Address::NOBODY).unwrap();
        ctx.watch(stranger).unwrap();
    });
    assert_eq!(
        world.events(),
        ["w hears: t not found", "w hears: somebody not found", "w hears: somebody not found"]
    );
}

#[test]
fn watching_twice_is_watching_once() {
    let mut world = World::new();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    world.have(w, move |_, ctx| {
        ctx.watch(t).unwrap();
        ctx.watch(t).unwrap();
    });
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped"]);
}

/// Conformance 17.
#[test]
fn a_notice_that_is_on_its_way_is_not_told_after_unwatch() {
    let mut world = World::new();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    world.have(w, move |_, ctx| {
        ctx.watch(t).unwrap();
        ctx.watch(Address::NOBODY).unwrap();
        // The notice of this one is queued already.
        assert!(ctx.unwatch(Address::NOBODY));
        assert!(!ctx.unwatch(Address::NOBODY));
    });
    world.events();
    // The target ends first; its watcher unwatches in the same turn, before it has heard.
    world.tell(t, order(|_, ctx| ctx.stop_self()));
    world.tell(w, order(move |me, ctx| me.say(ctx.unwatch(t))));
    world.tell(w, order(move |me, ctx| me.say(ctx.unwatch(t))));
    assert_eq!(world.events(), ["t stopped", "w true", "w false"]);
}

/// Conformance 17.
#[test]
fn watch_with_tells_its_message_instead_of_the_hook() {
    let mut world = World::new();
    let census = Census::default();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    let token = census.token();
    world.have(w, move |_, ctx| {
        ctx.watch_with(t, Order::Carry(token)).unwrap();
        ctx.watch_with(t, Order::Note(1)).unwrap();
        ctx.watch_with(t, Order::Note(2)).unwrap();
    });
    census.expect_none();
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w 2"]);
    // Of one that is gone as well.
    world.have(w, move |_, ctx| ctx.watch_with(t, Order::Note(3)).unwrap());
    assert_eq!(world.events(), ["w 3"]);
}

#[test]
fn a_plain_watch_takes_an_earlier_message_back() {
    let mut world = World::new();
    let census = Census::default();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    let token = census.token();
    world.have(w, move |_, ctx| {
        ctx.watch_with(t, Order::Carry(token)).unwrap();
        ctx.watch(t).unwrap();
    });
    census.expect_none();
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped"]);
}

#[test]
fn unwatching_drops_the_message_of_the_watch() {
    let mut world = World::new();
    let census = Census::default();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    let (one, two) = (census.token(), census.token());
    world.have(w, move |_, ctx| {
        ctx.watch_with(t, Order::Carry(one)).unwrap();
        assert!(ctx.unwatch(t));
        ctx.watch_with(Address::NOBODY, Order::Carry(two)).unwrap();
        assert!(ctx.unwatch(Address::NOBODY));
    });
    census.expect_none();
    world.stop(t);
    assert_eq!(world.events(), ["w started", "t started", "t stopped"]);
}

/// Conformance 18.
#[test]
fn a_second_death_under_the_same_name_is_told_too() {
    let mut world = World::new();
    let p = world.puppet("p");
    fn again(me: &mut Puppet, ctx: &mut Ctx<'_, Puppet>) -> Outcome {
        let child = ctx.spawner().name("child").spawn(me.other("c"))?;
        ctx.watch(child)?;
        Ok(())
    }
    world.have(p, |me, ctx| {
        me.at_end_of_other = Some(Box::new(again));
        again(me, ctx).unwrap();
    });
    for _ in 0..3 {
        world.events();
        world.have(p, |me, ctx| {
            let child = ctx.child("child").unwrap();
            ctx.stop(child);
            me.at_end_of_other = Some(Box::new(again));
        });
        assert_eq!(world.events(), ["c stopped", "p hears: c stopped", "c started"]);
    }
}

#[test]
fn watching_again_after_the_notice_gives_another() {
    let mut world = World::new();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    world.have(w, move |me, ctx| {
        ctx.watch(t).unwrap();
        me.at_end_of_other = Some(Box::new(move |_, ctx| Ok(ctx.watch(t)?)));
    });
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped", "w hears: t not found"]);
}

#[test]
fn one_end_is_told_to_many_watchers_and_one_watcher_of_many_ends() {
    const MANY: usize = 2000;
    struct Count(Arc<Mutex<usize>>);
    impl Actor for Count {
        type Msg = Address;
        fn receive(&mut self, whom: Address, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.watch(whom)?;
            Ok(())
        }
        fn terminated(&mut self, _: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
            *lock(&self.0) += 1;
            Ok(())
        }
    }
    let mut world = World::sized(8 << 20);
    let heard = Arc::new(Mutex::new(0));
    let all: Vec<_> = (0..MANY).map(|_| world.spawn(Count(heard.clone())).unwrap()).collect();
    for other in &all[1..] {
        world.tell(*other, all[0].address());
        world.tell(all[0], other.address());
    }
    world.settle();
    world.stop(all[0]);
    assert_eq!(*lock(&heard), MANY - 1);
    let hub = world.spawn(Count(heard.clone())).unwrap();
    for other in &all {
        world.tell(hub, other.address());
    }
    world.settle();
    world.scope().stop_all();
    world.settle();
    assert_eq!(*lock(&heard), MANY - 1 + 1, "only of the one that was gone already");
}

#[test]
fn reasons_read_well() {
    assert_eq!(why(&StopReason::Stopped), "stopped");
    let failure = Failure::new("x");
    assert_eq!(format!("{:?}", StopReason::Failed(failure)), "Failed(Failure(error: x))");
}
