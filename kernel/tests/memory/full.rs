//! A used-up region refuses what is new, and loses nothing of what is there: ends, failures, messages that find no room
//! to wait. What is given back is used again.

use std::sync::{Arc, Mutex};

use corelane_kernel::{ActorRef, DeadReason, Failure, KernelConfig, SpawnError};

use crate::common::{Census, Order, Puppet, World, lock, ms};
use crate::rig::fill;

#[test]
fn a_used_up_region_refuses_a_spawn_and_drops_its_state() {
    let mut world = World::sized(32 << 10);
    let census = Census::default();
    let fillers = fill(&mut world);
    assert!(fillers.len() > 20, "{}", fillers.len());
    let actors = world.stats().actors;
    for named in [false, true] {
        let puppet = Puppet::new("late", &world.log).keeping(census.token());
        let (token, log) = (census.token(), world.log.clone());
        let made = move || {
            let _ = &token;
            Puppet::new("late", &log)
        };
        let mut scope = world.kernel.scope();
        let spawner = if named { scope.spawner().name("late") } else { scope.spawner() };
        assert_eq!(spawner.spawn(puppet), Err(SpawnError::OutOfMemory));
        assert_eq!(scope.spawner().spawn_from(made), Err(SpawnError::OutOfMemory));
        census.expect_none();
        assert_eq!(scope.named("late"), None);
    }
    assert_eq!(world.stats().actors, actors);
    // What lives goes on, and a cell that is given back is used again.
    world.stop(fillers[0]);
    world.settle();
    assert_eq!(world.stats().actors, actors - 1);
    fill(&mut world);
    assert_eq!(world.stats().actors, actors);
    assert_eq!(world.letters(), []);
}

#[test]
fn a_used_up_region_still_stops_every_actor_and_tells_every_watcher() {
    for bytes in [8 << 10, 32 << 10, 128 << 10] {
        let mut world = World::sized(bytes);
        let (w, p) = (world.puppet("w"), world.puppet("p"));
        world.have(p, |me, ctx| {
            for _ in 0..3 {
                ctx.spawn(me.other("c")).unwrap();
            }
        });
        world.have(w, move |_, ctx| ctx.watch(p).unwrap());
        let fillers = fill(&mut world);
        world.events();
        for filler in &fillers {
            world.scope().stop(*filler);
        }
        world.settle();
        let stopped = world.log.take();
        assert!(stopped.len() == fillers.len() && stopped.iter().all(|event| event == "filler stopped"));
        world.stop(p);
        assert_eq!(
            world.events(),
            ["c stopped", "c stopped", "c stopped", "p stopped", "w hears: p stopped"]
        );
        world.scope().stop_all();
        world.settle();
        assert_eq!(world.stats().actors, 0);
    }
}

/// A world in which messages may take all that signals do not have yet.
fn greedy_world() -> World {
    World::with(128 << 10, KernelConfig { queue_share: 256, ..KernelConfig::default() })
}

/// Fills the region as [`fill`] does, and takes what that leaves for side records and signals: the latter only until the
/// next turn.
fn fill_to_the_last(world: &mut World) {
    let fillers = fill(world);
    for filler in &fillers {
        if world.scope().suspend(*filler).is_ok() {
            world.scope().resume(*filler);
        }
    }
    world.events();
    while world.try_tell(fillers[0], Order::Carry(Census::default().token())).is_ok() {}
}

#[test]
fn a_parent_hears_of_a_failed_child_however_little_memory_is_left() {
    for children in [1, 3, 100] {
        let mut world = greedy_world();
        let p = world.puppet("p");
        let all = Arc::new(Mutex::new(Vec::new()));
        let made = all.clone();
        world.have(p, move |me, ctx| {
            for _ in 0..children {
                lock(&made).push(ctx.spawn(me.other("c")).unwrap());
            }
        });
        fill_to_the_last(&mut world);
        // All at once, so that the signals' room is used up as well.
        let all = std::mem::take(&mut *lock(&all));
        for child in &all {
            world.scope().fail(*child, Failure::new("gone wrong"));
        }
        let events = world.events();
        let heard = events.iter().filter(|event| event.starts_with("p decides on c: ")).count();
        assert_eq!((heard, events.len()), (children, 2 * children));
        assert_eq!((world.stats().failed, &world.panics[..]), (children as u64, &[][..] as &[String]));
        // Their cells are given back.
        world.have(p, move |me, ctx| {
            for _ in 0..children {
                ctx.spawn(me.other("c")).unwrap();
            }
        });
    }
}

#[test]
fn a_parent_that_stops_over_one_failed_child_is_not_asked_about_the_next() {
    let mut world = greedy_world();
    let p = world.puppet("p");
    let all = Arc::new(Mutex::new(Vec::new()));
    let made = all.clone();
    world.have(p, move |me, ctx| {
        me.at_failure_of_child = Some(Box::new(|_, ctx| {
            ctx.stop_self();
            Ok(())
        }));
        for _ in 0..100 {
            lock(&made).push(ctx.spawn(me.other("c")).unwrap());
        }
    });
    fill_to_the_last(&mut world);
    for child in std::mem::take(&mut *lock(&all)) {
        world.scope().fail(child, Failure::new("gone wrong"));
    }
    let mut events = world.events();
    events.retain(|event| event != "c stopped");
    assert_eq!(events.pop(), Some("p stopped".to_owned()));
    // Asked about those whose failure came before its own stop, and about none after.
    assert!((1..100).contains(&events.len()), "{}", events.len());
    assert!(events.iter().all(|event| event == "p decides on c: error: gone wrong"), "{events:?}");
    assert_eq!((world.stats().failed, &world.panics[..]), (100, &[][..] as &[String]));
    assert!(!world.scope().is_alive(p));
}

#[test]
fn a_message_that_finds_no_room_to_wait_is_a_dead_letter_and_gives_its_credit_back() {
    let mut world = World::sized(32 << 10);
    let census = Census::default();
    let puppet = Puppet::new("a", &world.log);
    let a = world.scope().spawner().mailbox(3).spawn(puppet).unwrap();
    world.settle();
    world.scope().suspend(a).unwrap();
    fill(&mut world);
    world.log.take();
    for _ in 0..20 {
        world.try_tell(a, Order::Carry(census.token())).expect("the mailbox is empty");
        world.settle();
        census.expect_none();
    }
    assert_eq!(world.letters(), [(DeadReason::OutOfMemory, 20)]);
    world.scope().resume(a);
    world.tell(a, Order::Note(1));
    assert_eq!(world.events(), ["a 1"]);
}

#[test]
fn memory_given_back_is_used_again_for_its_own_kind() {
    let mut world = World::sized(256 << 10);
    let mut used = Vec::new();
    for _ in 0..30 {
        let (a, b) = (world.puppet("a"), world.puppet("b"));
        world.have(a, move |me, ctx| {
            for key in 0..20 {
                ctx.set_timer(key, ms(5), Order::Note(key)).unwrap();
                assert!(ctx.stash(Order::Note(key)).is_ok());
                ctx.attach([key; 10]).unwrap();
                ctx.adapter(Order::Note).unwrap();
                ctx.spawner().name(&format!("n{key}")).spawn(me.other("c")).unwrap();
                ctx.ask(b, ms(5), |_: ActorRef<u8>| Order::Note(key), |_| Order::Note(0));
            }
            ctx.watch_with(b, Order::Note(99)).unwrap();
            ctx.set_receive_timeout(Some(ms(7))).unwrap();
            ctx.suspend_self().unwrap();
        });
        world.tell(a, Order::Note(1));
        world.pass(ms(6));
        world.scope().resume(a);
        world.pass(ms(20));
        world.scope().stop_all();
        world.events();
        assert_eq!(world.stats().actors, 0);
        used.push(world.stats().used_bytes);
    }
    assert_eq!(used[2], used[29], "{used:?}");
}
