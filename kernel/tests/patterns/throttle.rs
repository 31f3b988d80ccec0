//! Throttles.

use std::time::Duration;

use super::common::{Log, World, ms};
use super::{any_duration, any_time, at, ns};
use corelane_kernel::pattern::{SlidingWindow, Throttle, ThrottleConfig, Throttled};
use corelane_kernel::{Actor, Ctx, Outcome, Time};
use proptest::prelude::*;

/// Whether so many may pass now after all that have: in no span of time more than the burst and what comes at the rate.
fn within_bound(config: ThrottleConfig, passed: &[(u64, u32)], tokens: u32, now: u64) -> bool {
    let per = config.per.as_nanos();
    let mut count = u128::from(tokens);
    let burst = u128::from(config.burst) * per;
    let fits =
        |count: u128, since: u64| count * per <= burst + u128::from(config.rate) * u128::from(now - since);
    fits(count, now)
        && passed.iter().rev().all(|(when, tokens)| {
            count += u128::from(*tokens);
            fits(count, *when)
        })
}

proptest! {
    /// Refuses exactly what would break the bound, neither more nor less, and knows exactly when it would not.
    #[test]
    fn never_more_than_the_burst_and_the_rate_in_any_span_and_never_less(
        rate in prop_oneof![1u32..20, any::<u32>().prop_map(|n| n.max(1))],
        per in prop_oneof![1u64..100, 1u64..10_000_000_000],
        burst in 1u32..10,
        tries in proptest::collection::vec((prop_oneof![0u64..5, 0u64..200, 0u64..4_000_000_000], 0u32..4), 1..120)
    ) {
        let config = ThrottleConfig { rate, per: ns(per), burst };
        let mut throttle = Throttle::new(config).unwrap();
        let (mut now, mut passed) = (0u64, Vec::new());
        for (gap, tokens) in tries {
            now += gap;
            let fits = tokens <= burst && within_bound(config, &passed, tokens, now);
            match throttle.take(tokens, at(now)) {
                Ok(()) => {
                    prop_assert!(fits, "{tokens} let through at {now}");
                    if tokens > 0 {
                        passed.push((now, tokens));
                    }
                }
                Err(Throttled::TooMuch) => prop_assert!(tokens > burst),
                Err(Throttled::Until(then)) => {
                    prop_assert!(!fits && tokens <= burst, "{tokens} refused at {now}");
                    let then = then.as_nanos();
                    prop_assert!(then > now);
                    prop_assert!(within_bound(config, &passed, tokens, then));
                    prop_assert!(!within_bound(config, &passed, tokens, then - 1));
                    prop_assert_eq!(throttle.clone().take(tokens, at(then)), Ok(()));
                }
                Err(other) => prop_assert!(false, "{other:?}"),
            }
            let available = throttle.available(at(now));
            prop_assert!(within_bound(config, &passed, available, now));
            prop_assert!(available == burst || !within_bound(config, &passed, available + 1, now));
        }
    }

    #[test]
    fn a_sliding_window_never_holds_more_than_its_number(
        window in 1u64..50, gaps in proptest::collection::vec(0u64..20, 1..200)
    ) {
        let mut sliding = SlidingWindow::<4>::new(ns(window)).unwrap();
        let (mut now, mut passed): (u64, Vec<u64>) = (0, Vec::new());
        for gap in gaps {
            now += gap;
            let inside: Vec<u64> = passed.iter().copied().filter(|when| when + window > now).collect();
            prop_assert_eq!(sliding.available(at(now)), 4 - inside.len());
            match sliding.pass(at(now)) {
                Ok(()) => {
                    prop_assert!(inside.len() < 4);
                    passed.push(now);
                }
                Err(refused) => {
                    prop_assert_eq!(inside.len(), 4);
                    prop_assert_eq!(refused, Throttled::Until(at(inside[0] + window)));
                }
            }
        }
    }

    #[test]
    fn no_time_and_no_setting_makes_a_throttle_panic(
        rate: u32, per in any_duration(), burst: u32, tries in proptest::collection::vec((any_time(), any::<u32>()), 0..40)
    ) {
        let config = ThrottleConfig { rate, per, burst };
        let made = Throttle::new(config);
        prop_assert_eq!(made.is_ok(), rate > 0 && burst > 0 && per > Duration::ZERO);
        let mut window = SlidingWindow::<3>::new(per).unwrap_or(SlidingWindow::new(ms(1)).unwrap());
        for (now, _) in &tries {
            if let Err(Throttled::Until(then)) = window.pass(*now) {
                prop_assert!(then > *now || then == Time::MAX);
            }
            prop_assert!(window.available(*now) <= 3);
        }
        let Ok(mut throttle) = made else { return Ok(()) };
        for (now, tokens) in tries {
            if let Err(Throttled::Until(then)) = throttle.take(tokens, now) {
                prop_assert!(then > now || then == Time::MAX);
            }
            prop_assert!(throttle.available(now) <= burst);
        }
    }
}

#[test]
fn a_rate_that_divides_no_nanosecond_does_not_drift() {
    // Seven in three seconds: a token every 428,571,428.57 ns.
    let mut throttle =
        Throttle::new(ThrottleConfig { rate: 7, per: Duration::from_secs(3), burst: 2 }).unwrap();
    let (mut now, mut count) = (Time::ZERO, 0u64);
    let end = Time::ZERO + Duration::from_secs(30_000);
    while now < end {
        match throttle.pass(now) {
            Ok(()) => count += 1,
            Err(Throttled::Until(then)) => now = then,
            Err(other) => panic!("{other}"),
        }
    }
    // The two that were saved, and those of ten thousand periods, the last of which would come just now.
    assert_eq!(count, 2 + 70_000 - 1);
    assert_eq!(now, end);
}

#[test]
fn what_makes_no_sense_is_named() {
    let good = ThrottleConfig { rate: 1, per: ms(1), burst: 1 };
    for (bad, field) in [
        (ThrottleConfig { rate: 0, ..good }, "rate"),
        (ThrottleConfig { per: ms(0), ..good }, "per"),
        (ThrottleConfig { burst: 0, ..good }, "burst"),
    ] {
        let invalid = Throttle::new(bad).unwrap_err();
        assert_eq!((invalid.config, invalid.field), ("ThrottleConfig", field));
    }
    assert_eq!(SlidingWindow::<1>::new(ms(0)).unwrap_err().field, "window");
}

/// Sends what it is told at a rate, and lets the rest wait.
struct Sender {
    throttle: Throttle,
    waiting: std::collections::VecDeque<u64>,
    log: Log,
    begun: Time,
}

enum Msg {
    Send(u64),
    Go,
}

impl Actor for Sender {
    type Msg = Msg;
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if let Msg::Send(n) = msg {
            self.waiting.push_back(n);
        }
        while let Some(n) = self.waiting.front() {
            match self.throttle.pass(ctx.now()) {
                Ok(()) => self.log.add(format!("{n} at {}", ctx.now().since(self.begun).as_millis())),
                Err(Throttled::Until(at)) => {
                    return Ok(ctx.set_timer("throttle", at.since(ctx.now()), Msg::Go)?);
                }
                Err(never) => return Err(never.into()),
            }
            self.waiting.pop_front();
        }
        Ok(())
    }
}

#[test]
fn an_actor_lets_messages_wait_for_a_throttle_and_keeps_their_order() {
    let mut world = World::new();
    let throttle = Throttle::new(ThrottleConfig { rate: 1, per: ms(10), burst: 2 }).unwrap();
    let sender = Sender { throttle, waiting: Default::default(), log: world.log.clone(), begun: world.now };
    let sender = world.spawn(sender).unwrap();
    for n in 0..5 {
        world.tell(sender, Msg::Send(n));
    }
    assert_eq!(world.events(), ["0 at 0", "1 at 0"]);
    for _ in 0..400 {
        world.pass(ms(1) / 10);
    }
    assert_eq!(world.events(), ["2 at 10", "3 at 20", "4 at 30"]);
}
