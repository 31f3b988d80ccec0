//! Panics in drops, at every place where something of an actor's is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use corelane_kernel::{ActorRef, Failure};

use crate::common::{Census, Order, World, lock, ms};
use crate::minefield::{Mine, Minefield, PLACES, Where};
use crate::rig::Bomb;

/// Spawns a minefield with bombs laid at these places, below a parent, watched by a puppet `w`.
fn mined(world: &mut World, places: &[Where], census: &Census) -> (ActorRef<Order>, ActorRef<Mine>) {
    let w = world.puppet("w");
    let p = world.puppet("p");
    let slot = Arc::new(Mutex::new(None));
    let (store, log) = (slot.clone(), world.log.clone());
    world.have(p, move |_, ctx| {
        let mined = Minefield::new(log);
        *lock(&store) = Some(ctx.spawn(mined).unwrap());
    });
    let mined: ActorRef<Mine> = lock(&slot).take().unwrap();
    world.have(w, move |_, ctx| ctx.watch(mined).unwrap());
    world.have(w, move |_, ctx| ctx.watch(p).unwrap());
    for at in places {
        world.tell(mined, Mine::Lay(*at, Bomb::new("laid", census)));
    }
    world.settle();
    if places.contains(&Where::Backlog) {
        world.scope().suspend(mined).unwrap();
        world.tell(mined, Mine::Own(Bomb::new("backlog", census)));
        world.tell(mined, Mine::Own(Bomb::new("backlog", census)));
        world.settle();
    }
    assert_eq!(world.panics, [""; 0]);
    world.events();
    (p, mined)
}

fn expect_all_over(world: &mut World, census: &Census, what: &str) {
    world.settle();
    world.pass(ms(100));
    census.expect_none();
    let events = world.events();
    assert_eq!(events.iter().filter(|e| *e == "stopped").count(), 1, "{what}: {events:?}");
    let heard = events.iter().filter(|e| e.starts_with("w hears: somebody")).count();
    assert_eq!(heard, 1, "{what}: {events:?}");
}

/// Reliability 18.
#[test]
fn a_panicking_drop_at_any_place_of_an_actor_leaves_nothing_behind_when_it_stops() {
    for at in PLACES {
        let (mut world, census) = (World::new(), Census::default());
        let (_, mined) = mined(&mut world, &[at], &census);
        world.scope().stop(mined);
        if at == Where::Queue {
            world.tell(mined, Mine::Own(Bomb::new("queue", &census)));
        }
        expect_all_over(&mut world, &census, &format!("{at:?}"));
        assert!(!world.panics.is_empty(), "{at:?}");
        assert_eq!(world.stats().actors, 2, "{at:?}");
    }
}

/// Reliability 18.
#[test]
fn panicking_drops_at_all_places_at_once_leave_nothing_behind() {
    let (mut world, census) = (World::new(), Census::default());
    let all: Vec<Where> = PLACES.into_iter().chain(PLACES).collect();
    let (_, mined) = mined(&mut world, &all, &census);
    world.scope().stop(mined);
    for _ in 0..3 {
        world.tell(mined, Mine::Own(Bomb::new("queue", &census)));
    }
    expect_all_over(&mut world, &census, "all");
    assert!(world.panics.len() >= 15, "{:?}", world.panics);
    assert_eq!(world.stats().actors, 2);
}

#[test]
fn panicking_drops_do_not_keep_a_parent_from_stopping() {
    for at in PLACES {
        let (mut world, census) = (World::new(), Census::default());
        let (p, _) = mined(&mut world, &[at, at], &census);
        world.scope().stop(p);
        expect_all_over(&mut world, &census, &format!("{at:?}"));
        assert_eq!(world.stats().actors, 1, "{at:?}");
    }
}

/// Reliability 18.
#[test]
fn panicking_drops_of_an_actor_that_failed_are_told_as_its_failure() {
    for at in PLACES {
        let (mut world, census) = (World::new(), Census::default());
        let (_, mined) = mined(&mut world, &[at], &census);
        world.scope().fail(mined, Failure::new("enough"));
        expect_all_over(&mut world, &census, &format!("{at:?}"));
        assert_eq!(world.stats().actors, 2, "{at:?}");
    }
}

/// Reliability 18.
#[test]
fn a_kernel_dropped_while_a_drop_is_unwinding_drops_nothing_twice() {
    for at in PLACES {
        let (mut world, census) = (World::new(), Census::default());
        let (_, mined) = mined(&mut world, &[at], &census);
        world.scope().stop(mined);
        if at == Where::Queue {
            world.tell(mined, Mine::Own(Bomb::new("queue", &census)));
        }
        let now = world.now;
        // The driver does not catch: the kernel goes with the stack.
        let result = catch_unwind(AssertUnwindSafe(move || {
            let mut world = world;
            for _ in 0..10 {
                world.kernel.turn(now);
            }
        }));
        assert!(result.is_err(), "{at:?}");
        census.expect_none();
    }
}
