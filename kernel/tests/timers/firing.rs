//! When a timer fires: at its time, in its order, and never when it is cancelled, replaced or its owner is gone.

use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, DeadReason, Failure, Outcome, Time, TimerKey};

use crate::common::{Census, Order, Puppet, Random, World, attempt, ms, order};
use crate::rig::{TICK, set, world};

#[test]
fn a_timer_fires_once_and_never_early_and_at_most_a_tick_late() {
    let mut random = Random(3);
    let (mut world, a) = world();
    for round in 0..300 {
        let span = 1u64 << random.below(43);
        let after = Duration::from_nanos(random.next() % span);
        world.now = world.now + Duration::from_nanos(random.next() % 1_000_000);
        let set_at = world.now;
        set(&mut world, a, 1, after, round);
        if after > Duration::ZERO {
            // The very last moment before.
            world.now = Time::from_nanos((set_at + after).as_nanos() - 1);
            assert_eq!(world.events(), [""; 0], "early after {after:?}");
        }
        world.now = set_at + after + TICK;
        assert_eq!(world.events(), [format!("a {round}")], "late after {after:?}");
        world.pass(ms(1));
        assert_eq!(world.events(), [""; 0]);
    }
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines() {
    let (mut world, a) = world();
    for (key, after) in [(1, 30), (2, 10), (3, 20), (4, 500), (5, 5)] {
        set(&mut world, a, key, ms(after), key);
    }
    world.pass(ms(1000));
    assert_eq!(world.events(), ["a 5", "a 2", "a 3", "a 1", "a 4"]);
}

#[test]
fn an_alarm_rings_once_and_never_early() {
    struct Sleeper(crate::common::Log);
    impl Actor for Sleeper {
        type Msg = Duration;
        fn receive(&mut self, after: Duration, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.set_alarm(1, after)?;
            Ok(())
        }
        fn alarm(&mut self, key: TimerKey, ctx: &mut Ctx<'_, Self>) -> Outcome {
            self.0.add(format!("{key:?}, set: {}", ctx.has_timer(key)));
            Err(Failure::new("woken"))
        }
    }
    let mut world = World::new();
    let sleeper = Sleeper(world.log.clone());
    let sleeper = world.spawn(sleeper).expect("room");
    let after = Duration::from_nanos(123_456_789);
    world.tell(sleeper, after);
    world.settle();
    world.now = world.now + (after - Duration::from_nanos(1));
    assert_eq!(world.events(), [""; 0]);
    world.now = world.now + TICK;
    assert_eq!(world.events(), ["Number(1), set: false"]);
    assert_eq!((world.stats().failed, world.stats().actors), (1, 0), "an error of an alarm fails the actor");
}

#[test]
fn numbers_and_names_are_different_keys() {
    let (mut world, a) = world();
    world.have(a, |me, ctx| {
        ctx.set_timer(1, ms(1), Order::Note(1)).unwrap();
        ctx.set_timer(2, ms(1), Order::Note(2)).unwrap();
        ctx.set_timer("one", ms(1), Order::Note(3)).unwrap();
        ctx.set_timer(TimerKey::Name("two"), ms(1), Order::Note(4)).unwrap();
        assert!(ctx.has_timer(1) && ctx.has_timer("one") && !ctx.has_timer("three") && !ctx.has_timer(3));
        assert!(ctx.cancel_timer(2) && !ctx.cancel_timer(2) && ctx.cancel_timer("two"));
        me.say("checked");
    });
    world.pass(ms(5));
    assert_eq!(world.events(), ["a checked", "a 1", "a 3"]);
    world.have(a, |me, ctx| me.say(ctx.has_timer(1)));
    assert_eq!(world.events(), ["a false"], "one that fired is no longer set");
}

#[test]
fn keys_belong_to_their_actor() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    for actor in [a, b] {
        set(&mut world, actor, 1, ms(1), 1);
    }
    world.have(b, |_, ctx| assert!(ctx.cancel_timer(1)));
    world.events();
    world.pass(ms(5));
    assert_eq!(world.events(), ["a 1"]);
}

/// Conformance 27.
#[test]
fn only_the_newest_timer_of_a_key_fires() {
    let (mut world, a) = world();
    let census = Census::default();
    let token = census.token();
    world.have(a, move |_, ctx| ctx.set_timer(1, ms(1), Order::Carry(token)).unwrap());
    set(&mut world, a, 1, ms(20), 2);
    census.expect_none();
    world.pass(ms(10));
    assert_eq!(world.events(), [""; 0]);
    world.pass(ms(15));
    assert_eq!(world.events(), ["a 2"]);
}

/// Conformance 27.
#[test]
fn a_timer_that_is_due_does_not_fire_once_it_is_cancelled_or_replaced() {
    for replace in [false, true] {
        let (mut world, a) = world();
        let census = Census::default();
        let token = census.token();
        world.have(a, move |_, ctx| {
            let deed = move |_: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| {
                // Both are due in this turn; this one came first.
                if replace {
                    ctx.set_timer(2, ms(50), Order::Note(22)).unwrap();
                } else {
                    assert!(ctx.cancel_timer(2));
                }
            };
            ctx.set_timer(1, ms(1), order(deed)).unwrap();
            ctx.set_timer(2, ms(2), Order::Carry(token)).unwrap();
        });
        world.pass(ms(10));
        census.expect_none();
        assert_eq!(world.events(), [""; 0]);
        world.pass(ms(100));
        assert_eq!(world.events(), if replace { vec!["a 22"] } else { vec![] });
    }
}

#[test]
fn a_timer_that_is_due_does_not_fire_once_its_owner_stops_or_fails() {
    for fails in [false, true] {
        let (mut world, a) = world();
        let census = Census::default();
        let tokens = [census.token(), census.token()];
        world.have(a, move |_, ctx| {
            let [one, two] = tokens;
            ctx.set_timer(2, ms(2), Order::Carry(one)).unwrap();
            ctx.set_timer(3, ms(500), Order::Carry(two)).unwrap();
            ctx.set_timer(4, ms(2), Order::Note(4)).unwrap();
            ctx.set_receive_timeout(Some(ms(3))).unwrap();
            let last = attempt(move |_, ctx| {
                if fails {
                    return Err(Failure::new("enough"));
                }
                ctx.stop_self();
                Ok(())
            });
            ctx.set_timer(1, ms(1), last).unwrap();
        });
        world.pass(ms(1000));
        assert_eq!(world.events(), ["a stopped"]);
        census.expect_none();
        let failed = fails.then_some((DeadReason::Failed, 1));
        assert_eq!(world.letters(), Vec::from_iter(failed), "what never fired is no dead letter");
        assert_eq!(world.next_deadline(), None);
    }
}

#[test]
fn timers_of_one_that_takes_several_turns_to_stop_end_when_it_begins() {
    struct Leaf;
    impl Actor for Leaf {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut world = World::sized(8 << 20);
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    let census = Census::default();
    let tokens = [census.token(), census.token()];
    world.have(a, move |_, ctx| {
        for _ in 0..15_000 {
            ctx.spawn(Leaf).unwrap();
        }
        let [one, two] = tokens;
        ctx.set_timer(1, ms(1), Order::Carry(one)).unwrap();
        ctx.set_receive_timeout(Some(ms(1))).unwrap();
        ctx.ask(b, ms(1), |_: ActorRef<u64>| Order::Note(1), move |_| Order::Carry(two));
    });
    world.log.take();
    world.scope().stop(a);
    world.turn();
    census.expect_none();
    world.now = world.now + ms(10);
    assert!(world.turn().more && world.scope().is_alive(a), "it is still stopping");
    assert_eq!((world.events(), world.letters()), (vec!["a stopped".to_owned()], vec![]));
}

#[test]
fn a_timer_may_be_stopped_by_another_actor_in_the_turn_in_which_it_is_due() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    set(&mut world, b, 1, ms(2), 1);
    world.have(a, move |_, ctx| ctx.set_timer(1, ms(1), order(move |_, ctx| ctx.stop(b))).unwrap());
    world.events();
    world.pass(ms(10));
    assert_eq!(world.events(), ["b stopped"]);
}
