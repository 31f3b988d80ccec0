//! Timers that fire again and again.

use std::time::Duration;

use crate::common::{Census, World, lock, ms};
use crate::rig::{TICK, Tick, ticker};

#[test]
fn a_periodic_timer_keeps_its_beat_and_skips_what_was_missed() {
    let mut world = World::new();
    let census = Census::default();
    let (ticker, ticks) = ticker(&mut world, None);
    world.tell(ticker, Tick::Every(ms(10), Some(census.token())));
    world.settle();
    let start = world.now.as_nanos() / 1_000_000;
    for _ in 0..100 {
        world.pass(ms(1));
    }
    let seen: Vec<u64> = std::mem::take(&mut *lock(&ticks)).iter().map(|(at, _)| at - start).collect();
    assert!(seen.len() == 9 || seen.len() == 10, "{seen:?}");
    for (n, at) in seen.iter().enumerate() {
        let due = 10 * (n as u64 + 1);
        assert!((due..=due + 1).contains(at), "{seen:?}");
    }
    // A long pause gives one, not a burst; then the beat goes on.
    world.pass(ms(1000));
    assert_eq!(lock(&ticks).len(), 1);
    lock(&ticks).clear();
    for _ in 0..30 {
        world.pass(ms(1));
    }
    assert_eq!(lock(&ticks).len(), 3);
    census.expect(1);
    world.stop(ticker);
    census.expect_none();
    world.pass(ms(100));
    assert_eq!(lock(&ticks).len(), 3);
}

#[test]
fn a_periodic_timer_may_be_cancelled_from_its_own_tick_and_from_elsewhere() {
    let mut world = World::new();
    let (one, ticks) = ticker(&mut world, Some(3));
    world.tell(one, Tick::Every(ms(1), None));
    world.settle();
    for _ in 0..20 {
        world.pass(ms(1));
    }
    assert_eq!(lock(&ticks).len(), 3);
    let (two, ticks) = ticker(&mut world, None);
    world.tell(two, Tick::Every(ms(1), None));
    world.settle();
    world.pass(ms(2));
    world.tell(two, Tick::Cancel);
    world.settle();
    let so_far = lock(&ticks).len();
    world.pass(ms(20));
    assert_eq!(lock(&ticks).len(), so_far);
    assert_eq!(world.next_deadline(), None);
}

#[test]
fn a_period_of_no_time_is_one_tick() {
    let mut world = World::new();
    let (ticker, ticks) = ticker(&mut world, Some(5));
    world.tell(ticker, Tick::Every(Duration::ZERO, None));
    world.settle();
    for _ in 0..20 {
        world.pass(TICK);
    }
    assert_eq!(lock(&ticks).len(), 5);
}
