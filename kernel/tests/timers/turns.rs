//! Timers and the turns of a kernel: far deadlines, times that a driver hands over, budgets, memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use corelane_kernel::{DeadReason, Group, KernelConfig, Time};

use crate::common::{Order, Puppet, Random, World, lock, ms, order};
use crate::rig::{TICK, set, world};

#[test]
fn a_timer_of_no_time_set_by_its_own_message_does_not_hold_up_the_turn() {
    fn again() -> Order {
        order(|me, ctx| {
            me.say("again");
            ctx.set_timer(1, Duration::ZERO, again()).unwrap();
        })
    }
    let config = KernelConfig { budget: 16, ..KernelConfig::default() };
    let mut world = World::with(1 << 20, config);
    let a = world.puppet("a");
    world.tell(a, again());
    for _ in 0..50 {
        world.now = world.now + TICK;
        world.turn();
    }
    let events = world.log.take();
    assert!((40..=50 * 16).contains(&events.len()), "{}", events.len());
}

#[test]
fn a_timer_beyond_the_wheels_last_level_fires_at_its_time() {
    let (mut world, a) = world();
    let day = Duration::from_secs(24 * 3600);
    for (key, days) in [(1, 53), (2, 100), (3, 400), (4, 20_000)] {
        set(&mut world, a, key, day * days, u64::from(days));
    }
    for (days, step) in [(53u64, 53), (100, 47), (400, 300), (20_000, 19_600)] {
        // All but the last moment.
        world.pass(day * step - ms(1));
        assert_eq!(world.events(), [""; 0]);
        world.pass(ms(1) + TICK);
        assert_eq!(world.events(), [format!("a {days}")]);
        world.now = Time::from_nanos(world.now.as_nanos() - TICK.as_nanos() as u64);
    }
}

#[test]
fn a_timer_for_the_end_of_time_is_set_and_cancelled() {
    let (mut world, a) = world();
    set(&mut world, a, 1, Duration::MAX, 1);
    world.pass(Duration::from_secs(1 << 32));
    world.have(a, |me, ctx| me.say(ctx.cancel_timer(1)));
    assert_eq!(world.events(), ["a true"]);
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let (mut world, a) = world();
    set(&mut world, a, 1, ms(10), 1);
    let at = world.now;
    world.now = Time::ZERO;
    world.have(a, move |me, ctx| me.say(ctx.now() == at));
    assert_eq!(world.events(), ["a true"]);
    world.now = at + ms(20);
    assert_eq!(world.events(), ["a 1"]);
}

#[test]
fn all_messages_of_a_turn_see_the_same_time() {
    let (mut world, a) = world();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..5 {
        let seen = seen.clone();
        world.tell(a, order(move |_, ctx| lock(&seen).push(ctx.now())));
    }
    world.settle();
    assert_eq!(*lock(&seen), [world.now; 5]);
}

#[test]
fn turns_at_the_deadlines_that_are_named_miss_no_timer() {
    let mut world = World::with(1 << 20, KernelConfig::default());
    let a = world.puppet("a");
    world.events();
    assert_eq!(world.next_deadline(), None);
    let mut random = Random(11);
    let mut expected = Vec::new();
    for n in 0..100 {
        let after = Duration::from_nanos(random.next() % (1 << (20 + random.below(20))));
        set(&mut world, a, n, after, n);
        expected.push((world.now + after, n));
    }
    expected.sort_unstable();
    let mut turns = 0;
    while let Some(next) = world.next_deadline() {
        assert!(next > world.now || world.log.take().is_empty());
        world.now = next;
        world.settle();
        turns += 1;
        for event in world.log.take() {
            // Within a tick they may come in any order.
            let at = expected.iter().position(|(_, n)| event == format!("a {n}")).unwrap();
            let (due, _) = expected.remove(at);
            assert!(at == 0 || due <= expected[0].0 + TICK, "before its turn");
            assert!(due <= world.now && world.now <= due + TICK, "at the first turn that may");
        }
    }
    assert!(expected.is_empty() && turns < 1000);
}

#[test]
fn timers_of_a_flooded_group_still_fire() {
    let mut world = World::sized(4 << 20);
    let slow = Puppet::new("slow", &world.log);
    let slow = world.scope().spawner().group(Group::Background).spawn(slow).unwrap();
    world.have(slow, |_, ctx| ctx.set_timer(1, ms(1), Order::Say("timer".to_owned())).unwrap());
    for n in 0..5000 {
        world.tell(slow, Order::Note(n));
    }
    world.now = world.now + ms(5);
    world.turn();
    assert!(world.log.take().contains(&"slow timer".to_owned()));
    world.settle();
    assert_eq!(world.letters(), []);
    assert_eq!(world.dead_letters(DeadReason::QueueFull), 0);
}

#[test]
fn timers_take_no_memory_for_good() {
    let (mut world, a) = world();
    let round = |world: &mut World| {
        world.have(a, |_, ctx| {
            for key in 0..500u64 {
                ctx.set_timer(key, Duration::from_micros(100 * key), Order::Note(key)).unwrap();
            }
            for key in (0..500u64).step_by(3) {
                ctx.cancel_timer(key);
            }
        });
        world.pass(ms(100));
        assert_eq!(world.events().len(), 333);
        world.stats().used_bytes
    };
    let used = round(&mut world);
    for _ in 0..20 {
        assert_eq!(round(&mut world), used);
    }
}
