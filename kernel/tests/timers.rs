//! Timers: keyed messages once or periodically, alarms, and the receive time-out. None fires early, and none after it was
//! cancelled, replaced or its owner stopped, also if it was due.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Census, Order, Puppet, Random, World, attempt, lock, ms, order};
use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadReason, Failure, Group, KernelConfig, Outcome, Time, TimerKey,
};

/// The wheel's resolution.
const TICK: Duration = Duration::from_nanos(1 << 16);

fn world() -> (World, ActorRef<Order>) {
    let mut world = World::new();
    let a = world.puppet("a");
    world.events();
    (world, a)
}

fn set(world: &mut World, a: ActorRef<Order>, key: u64, after: Duration, note: u64) {
    world.have(a, move |_, ctx| ctx.set_timer(key, after, Order::Note(note)).unwrap());
}

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
    struct Sleeper(common::Log);
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

/// An actor with a periodic timer, whose messages are `Clone`.
struct Ticker {
    ticks: Ticks,
    cancel_at: Option<u64>,
}

#[derive(Clone)]
enum Tick {
    Every(Duration, Option<common::Token>),
    Beat(u64, #[allow(dead_code)] Option<common::Token>),
    Cancel,
}

impl Actor for Ticker {
    type Msg = Tick;
    fn receive(&mut self, tick: Tick, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match tick {
            Tick::Every(period, token) => ctx.set_periodic("tick", period, Tick::Beat(1, token))?,
            Tick::Beat(n, _) => {
                let mut ticks = lock(&self.ticks);
                ticks.push((ctx.now().as_nanos() / 1_000_000, n));
                if self.cancel_at == Some(ticks.len() as u64) {
                    assert!(ctx.cancel_timer("tick"));
                }
            }
            Tick::Cancel => assert!(ctx.cancel_timer("tick")),
        }
        Ok(())
    }
}

/// When it ticked, in milliseconds, and with which number.
type Ticks = Arc<Mutex<Vec<(u64, u64)>>>;

fn ticker(world: &mut World, cancel_at: Option<u64>) -> (ActorRef<Tick>, Ticks) {
    let ticks = Arc::new(Mutex::new(Vec::new()));
    let ticker = world.spawn(Ticker { ticks: ticks.clone(), cancel_at }).unwrap();
    (ticker, ticks)
}

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

// --- receive time-out --------------------------------------------------------------------------------------------

/// Conformance 7.
#[test]
fn silence_is_heard_after_its_time_and_again_until_it_is_switched_off() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    world.pass(ms(9));
    assert_eq!(world.events(), [""; 0]);
    for _ in 0..3 {
        world.pass(ms(11));
        assert_eq!(world.events(), ["a hears nothing"]);
    }
    world.have(a, |_, ctx| ctx.set_receive_timeout(None).unwrap());
    world.pass(ms(100));
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.next_deadline(), None);
}

/// Conformance 7.
#[test]
fn a_receive_time_out_ends_with_its_actor() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    world.pass(ms(5));
    assert!(world.next_deadline().is_some());
    world.stop(a);
    assert_eq!(world.events(), ["a stopped"]);
    assert_eq!(world.next_deadline(), None);
    world.pass(ms(100));
    assert_eq!(world.events(), [""; 0]);
}

#[test]
fn each_message_puts_the_receive_time_out_off() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    for n in 0..20 {
        world.pass(ms(6));
        world.tell(a, Order::Note(n));
    }
    world.pass(ms(6));
    assert!(!world.events().contains(&"a hears nothing".to_owned()));
    world.pass(ms(6));
    assert_eq!(world.events(), ["a hears nothing"]);
}

/// Conformance 7.
#[test]
fn messages_that_do_not_influence_it_leave_the_receive_time_out_alone() {
    let (mut world, a) = world();
    let census = Census::default();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    for _ in 0..4 {
        world.pass(ms(3));
        world.tell(a, Order::Carry(census.token()));
    }
    assert_eq!(world.events(), ["a hears nothing"]);
    census.expect_none();
}

#[test]
fn messages_of_every_way_put_the_receive_time_out_off() {
    type Way = fn(&mut Puppet, &mut Ctx<'_, Puppet>, ActorRef<Order>);
    let ways: [(&str, Way); 5] = [
        ("a timer", |_, ctx, _| ctx.set_timer(1, ms(6), Order::Note(1)).unwrap()),
        ("an adapter", |_, ctx, helper| {
            let adapter = ctx.adapter(Order::Note).unwrap();
            let deed = move |_: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| ctx.tell(adapter, 1);
            ctx.tell(helper, order(move |_, ctx| ctx.set_timer(1, ms(6), order(deed)).unwrap()));
        }),
        ("an ask's answer", |_, ctx, helper| {
            ctx.ask(
                helper,
                ms(100),
                |reply: ActorRef<u64>| {
                    let deed = move |_: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| ctx.tell(reply, 1);
                    order(move |_, ctx| ctx.set_timer(1, ms(6), order(deed)).unwrap())
                },
                |answer| Order::Note(answer.unwrap()),
            );
        }),
        ("an ask's end", |_, ctx, helper| {
            ctx.ask(helper, ms(6), |_: ActorRef<u64>| Order::Say("is asked".to_owned()), |_| Order::Note(1));
        }),
        ("a watch's message", |me, ctx, _| {
            let child = me.other("c").at_start(|_, ctx| {
                ctx.set_timer(1, ms(6), order(|_, ctx| ctx.stop_self()))?;
                Ok(())
            });
            let child = ctx.spawn(child).unwrap();
            ctx.watch_with(child, Order::Note(1)).unwrap();
        }),
    ];
    for (name, way) in ways {
        let mut world = World::new();
        let (a, helper) = (world.puppet("a"), world.puppet("h"));
        world.have(a, move |me, ctx| {
            ctx.set_receive_timeout(Some(ms(10))).unwrap();
            way(me, ctx, helper);
        });
        world.events();
        world.pass(ms(7));
        assert!(world.events().contains(&"a 1".to_owned()), "{name}");
        world.pass(ms(7));
        assert_eq!(world.events(), [""; 0], "{name} did not count");
        world.pass(ms(5));
        assert_eq!(world.events(), ["a hears nothing"], "{name}");
    }
}

#[test]
fn a_new_receive_time_out_replaces_the_old_one() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(50))).unwrap());
    world.pass(ms(45));
    assert_eq!(world.events(), [""; 0]);
    world.pass(ms(10));
    assert_eq!(world.events(), ["a hears nothing"]);
}

#[test]
fn a_receive_time_out_of_no_time_fires_at_most_once_a_tick() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(Duration::ZERO)).unwrap());
    for _ in 0..10 {
        world.pass(TICK);
    }
    let heard = world.events().len();
    assert!((9..=12).contains(&heard), "{heard}");
}

#[test]
fn silence_counts_while_suspended_but_not_against_messages_that_waited() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    world.scope().suspend(a).unwrap();
    world.tell(a, Order::Note(1));
    world.pass(ms(30));
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1"]);
    world.pass(ms(11));
    assert_eq!(world.events(), ["a hears nothing"]);
    world.scope().suspend(a).unwrap();
    world.pass(ms(30));
    assert_eq!(world.events(), [""; 0]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a hears nothing"]);
}

#[test]
fn a_failing_receive_time_out_fails_its_actor() {
    let (mut world, a) = world();
    world.have(a, |me, ctx| {
        me.at_silence = Some(Box::new(|_, _| Err(Failure::new("too quiet"))));
        ctx.set_receive_timeout(Some(ms(10))).unwrap();
    });
    world.pass(ms(20));
    assert_eq!(world.events(), ["a hears nothing", "a stopped"]);
    assert_eq!(world.stats().failed, 1);
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
