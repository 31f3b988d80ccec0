//! Timers of an owner that is suspended: they wait in their place, and are cancelled and replaced there.

use crate::common::{Census, Order, World, lock, ms, order};
use crate::rig::{Tick, set, ticker, world};

#[test]
fn a_suspended_owners_timer_waits_in_its_place_and_can_still_be_cancelled() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    let (ticker, ticks) = ticker(&mut world, None);
    for actor in [a, b] {
        set(&mut world, actor, 1, ms(10), 1);
        set(&mut world, actor, 2, ms(10), 2);
    }
    world.tell(ticker, Tick::Every(ms(10), None));
    world.events();
    for actor in [a, b] {
        world.scope().suspend(actor).unwrap();
    }
    world.scope().suspend(ticker).unwrap();
    world.tell(a, Order::Note(0));
    world.tell(b, order(|_, ctx| assert!(ctx.cancel_timer(1))));
    world.pass(ms(35));
    world.tell(a, Order::Note(3));
    world.pass(ms(35));
    assert_eq!(world.events(), [""; 0]);
    for actor in [a, b] {
        world.scope().resume(actor);
    }
    world.scope().resume(ticker);
    let mut events = world.events();
    events.sort();
    assert_eq!(events, ["a 0", "a 1", "a 2", "a 3", "b 2"]);
    assert_eq!(lock(&ticks).len(), 1, "what was missed is skipped");
    world.pass(ms(25));
    assert_eq!(lock(&ticks).len(), 2, "the beat goes on");
}

#[test]
fn a_timer_that_waits_behind_a_suspension_never_fires_once_its_owner_stops() {
    let (mut world, a) = world();
    let census = Census::default();
    let token = census.token();
    world.have(a, move |_, ctx| ctx.set_timer(1, ms(1), Order::Carry(token)).unwrap());
    world.scope().suspend(a).unwrap();
    world.pass(ms(10));
    world.stop(a);
    census.expect_none();
    assert_eq!((world.events(), world.letters()), (vec!["a stopped".to_owned()], vec![]));
}

#[test]
fn a_timer_that_waited_and_was_replaced_does_not_lend_its_place_to_the_new_one() {
    let (mut world, a) = world();
    let t = world.puppet("t");
    world.have(a, move |me, ctx| {
        ctx.set_timer(1, ms(1), Order::Note(1)).unwrap();
        ctx.watch(t).unwrap();
        // Hooks run while it is suspended.
        me.at_end_of_other = Some(Box::new(|_, ctx| {
            assert!(ctx.cancel_timer(1));
            Ok(ctx.set_timer(1, ms(1), Order::Note(2))?)
        }));
    });
    world.scope().suspend(a).unwrap();
    world.pass(ms(10));
    world.stop(t);
    world.tell(a, Order::Note(7));
    world.pass(ms(10));
    world.log.take();
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 7", "a 2"]);
}

#[test]
fn a_timer_that_waits_and_is_replaced_fires_at_its_new_time_only() {
    let (mut world, a) = world();
    set(&mut world, a, 1, ms(1), 1);
    world.scope().suspend(a).unwrap();
    world.tell(a, order(|_, ctx| ctx.set_timer(1, ms(50), Order::Note(2)).unwrap()));
    world.pass(ms(10));
    world.scope().resume(a);
    assert_eq!(world.events(), [""; 0]);
    world.pass(ms(60));
    assert_eq!(world.events(), ["a 2"]);
}
