//! Circuit breaker: conformance 13.

use std::collections::VecDeque;
use std::time::Duration;

use super::common::{Log, World, ms};
use super::{any_duration, any_time, at, ns};
use corelane_kernel::Backoff;
use corelane_kernel::pattern::{Breaker, BreakerConfig, BreakerState, Open, Permit};
use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Failure, Outcome, ReplyTo, Time};
use proptest::prelude::*;

fn config(max_failures: u32, call_timeout: Duration, reset: Backoff) -> BreakerConfig {
    BreakerConfig { max_failures, call_timeout, reset }
}

/// Opens after three, calls take less than 50 ms, waits 100 ms at first and a second at most.
fn breaker() -> Breaker {
    Breaker::new(config(3, ms(50), Backoff::new(ms(100), ms(1000)).jitter(0))).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Call,
    Report(usize, bool),
    Cancel(usize),
    Trip,
    Reset,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Call),
        6 => (0usize..4, prop::bool::weighted(0.3)).prop_map(|(which, ok)| Step::Report(which, ok)),
        1 => (0usize..4).prop_map(Step::Cancel),
        1 => Just(Step::Trip),
        1 => Just(Step::Reset),
        6 => (0u64..15).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..200)
}

/// The rules, nanosecond by nanosecond, with counters that run down.
struct Slow {
    max_failures: u32,
    timeout: u64,
    waits: Vec<u64>,
    state: BreakerState,
    failures: u32,
    /// How often it opened since it was closed.
    depth: usize,
    open_left: u64,
    probe_left: Option<u64>,
    /// For each permit: its age, and whether what is reported of it still counts.
    permits: Vec<(u64, bool)>,
    failed: u64,
    opened: u64,
    succeeded: u64,
}

impl Slow {
    fn pass(&mut self) {
        for (age, _) in &mut self.permits {
            *age += 1;
        }
        match (self.state, &mut self.probe_left) {
            (BreakerState::Open, _) => {
                self.open_left -= 1;
                if self.open_left == 0 {
                    self.become_(BreakerState::HalfOpen);
                }
            }
            (BreakerState::HalfOpen, Some(left)) => {
                *left -= 1;
                if *left == 0 {
                    self.failed += 1;
                    self.open();
                }
            }
            _ => {}
        }
    }

    fn become_(&mut self, state: BreakerState) {
        self.state = state;
        self.probe_left = None;
        self.failures = 0;
        for (_, counts) in &mut self.permits {
            *counts = false;
        }
    }

    fn open(&mut self) {
        self.become_(BreakerState::Open);
        self.open_left = self.waits[self.depth.min(self.waits.len() - 1)];
        self.depth += 1;
        self.opened += 1;
    }

    fn close(&mut self) {
        self.become_(BreakerState::Closed);
        self.depth = 0;
    }

    /// For how long it refuses, if it does.
    fn call(&mut self) -> Result<(), u64> {
        match (self.state, self.probe_left) {
            (BreakerState::Open, _) => return Err(self.open_left),
            (_, Some(left)) => return Err(left),
            (BreakerState::HalfOpen, None) => {
                self.become_(BreakerState::HalfOpen);
                self.probe_left = Some(self.timeout);
            }
            (BreakerState::Closed, None) => {}
        }
        self.permits.push((0, true));
        Ok(())
    }

    fn report(&mut self, permit: usize, ok: bool) {
        let (age, counts) = self.permits[permit];
        if !counts {
            return;
        }
        if ok && age < self.timeout {
            self.succeeded += 1;
            if self.state == BreakerState::HalfOpen { self.close() } else { self.failures = 0 }
        } else {
            self.failed += 1;
            self.failures += 1;
            if self.state == BreakerState::HalfOpen || self.failures == self.max_failures {
                self.open();
            }
        }
    }
}

proptest! {
    #[test]
    fn a_breaker_behaves_like_a_slow_one(
        max_failures in 1u32..5, timeout in 1u64..20, first in 1u64..10, growth in 100u32..300, steps in steps()
    ) {
        let most = first * 4;
        let waits: Vec<u64> =
            std::iter::successors(Some(first), |wait| Some((wait * u64::from(growth)).div_ceil(100).min(most)))
                .take(40).collect();
        let reset = Backoff::new(ns(first), ns(most)).jitter(0).growth(growth);
        let mut breaker = Breaker::new(config(max_failures, ns(timeout), reset)).unwrap();
        let mut slow = Slow {
            max_failures, timeout, waits, state: BreakerState::Closed, failures: 0, depth: 0, open_left: 0,
            probe_left: None, permits: Vec::new(), failed: 0, opened: 0, succeeded: 0,
        };
        // Calls under way, with the model's number of each.
        let mut calls: VecDeque<(usize, Permit)> = VecDeque::new();
        let (mut now, mut refused) = (1000u64, 0);
        for step in steps {
            match step {
                Step::Call => {
                    let expected = slow.call();
                    match breaker.call(at(now)) {
                        Ok(permit) => {
                            prop_assert_eq!(expected, Ok(()));
                            calls.push_back((slow.permits.len() - 1, permit));
                        }
                        Err(Open { retry_at }) => {
                            refused += 1;
                            prop_assert_eq!(expected, Err(retry_at.as_nanos() - now));
                        }
                    }
                }
                Step::Report(which, ok) if which < calls.len() => {
                    let (number, permit) = calls.remove(which).unwrap();
                    let before = breaker.state(at(now));
                    let result = if ok { Ok(()) } else { Err(()) };
                    let changed = breaker.record(permit, &result, at(now));
                    slow.report(number, ok);
                    prop_assert_eq!(changed, (slow.state != before).then_some(slow.state));
                }
                Step::Cancel(which) if which < calls.len() => {
                    let (number, permit) = calls.remove(which).unwrap();
                    breaker.cancel(permit, at(now));
                    if slow.permits[number].1 {
                        slow.probe_left = None;
                        slow.permits[number].1 = false;
                    }
                }
                Step::Report(..) | Step::Cancel(_) => {}
                Step::Trip => {
                    breaker.trip(at(now));
                    slow.open();
                }
                Step::Reset => {
                    breaker.reset(at(now));
                    slow.close();
                }
                Step::Pass(by) => {
                    now += by;
                    for _ in 0..by {
                        slow.pass();
                    }
                }
            }
            prop_assert_eq!(breaker.state(at(now)), slow.state);
            prop_assert_eq!(breaker.failures(), slow.failures);
        }
        // What time alone did since the last event is counted with the next.
        let expected = slow.call();
        prop_assert_eq!(breaker.call(at(now)).is_ok(), expected.is_ok());
        refused += u64::from(expected.is_err());
        let stats = breaker.stats();
        prop_assert_eq!(stats.permitted, slow.permits.len() as u64);
        prop_assert_eq!(
            (stats.refused, stats.succeeded, stats.failed, stats.opened),
            (refused, slow.succeeded, slow.failed, slow.opened)
        );
    }

    #[test]
    fn no_time_and_no_setting_makes_a_breaker_panic(
        max_failures: u32, timeout in any_duration(), first in any_duration(), most in any_duration(),
        growth: u32, jitter in 0u32..150, seed: u64, events in proptest::collection::vec((any_time(), 0u8..7), 0..40)
    ) {
        let reset = Backoff { first, growth_percent: growth, max: most, jitter_percent: jitter, seed };
        let Ok(mut breaker) = Breaker::new(config(max_failures, timeout, reset)) else { return Ok(()) };
        let mut permits = Vec::new();
        for (now, event) in events {
            match (event, permits.pop()) {
                (0..=2, _) => match breaker.call(now) {
                    Ok(permit) => permits.push(permit),
                    Err(open) => prop_assert!(open.retry_at > now || open.retry_at == Time::MAX),
                },
                (3, Some(permit)) => drop(breaker.succeed(permit, now)),
                (4, Some(permit)) => drop(breaker.fail(permit, now)),
                (5, Some(permit)) => breaker.cancel(permit, now),
                (6, _) => breaker.trip(now),
                _ => {}
            }
            breaker.state(now);
        }
    }
}

#[test]
fn what_makes_no_sense_is_named() {
    let good = config(1, ms(1), Backoff::fixed(ms(1)));
    for (bad, text) in [
        (BreakerConfig { max_failures: 0, ..good }, "BreakerConfig.max_failures is zero"),
        (BreakerConfig { call_timeout: ms(0), ..good }, "BreakerConfig.call_timeout is zero"),
        (BreakerConfig { reset: Backoff::fixed(ms(0)), ..good }, "BreakerConfig.reset.first is zero"),
        (BreakerConfig { reset: good.reset.growth(1), ..good }, "Backoff.growth_percent is less than 100"),
    ] {
        let invalid = Breaker::new(bad).unwrap_err().to_string();
        assert!(invalid.starts_with(text), "{invalid}");
    }
}

#[test]
fn what_is_reported_of_calls_from_before_it_opened_changes_nothing() {
    let mut breaker = breaker();
    let now = at(0);
    let old: Vec<Permit> = (0..6).map(|_| breaker.call(now).unwrap()).collect();
    for permit in &old[..3] {
        breaker.fail(permit.clone(), now);
    }
    assert_eq!(breaker.state(now), BreakerState::Open);
    breaker.fail(old[3].clone(), now);
    breaker.succeed(old[4].clone(), now);
    assert_eq!(breaker.state(now), BreakerState::Open);
    // Nor do they decide in place of the one call that half-open lets through.
    let now = now + ms(100);
    let one = breaker.call(now).unwrap();
    breaker.cancel(old[5].clone(), now);
    breaker.succeed(old[5].clone(), now);
    assert!(breaker.call(now).is_err());
    assert_eq!(breaker.state(now), BreakerState::HalfOpen);
    assert_eq!(breaker.succeed(one.clone(), now), Some(BreakerState::Closed));
    breaker.fail(one, now);
    assert_eq!(breaker.failures(), 0);
    assert_eq!(breaker.stats().stale, 5);
}

#[test]
fn a_half_open_call_that_is_never_reported_fails_in_time() {
    let mut breaker = breaker();
    breaker.trip(at(0));
    let _lost = breaker.call(at(0) + ms(100)).unwrap();
    // Its time-out is at 150 ms, and then it waits twice as long as before.
    assert_eq!(breaker.call(at(0) + ms(120)).unwrap_err().retry_at, at(0) + ms(150));
    assert_eq!(breaker.state(at(0) + ms(150)), BreakerState::Open);
    assert_eq!(breaker.call(at(0) + ms(200)).unwrap_err().retry_at, at(0) + ms(350));
    assert!(breaker.call(at(0) + ms(350)).is_ok());
}

/// A service whose health is told, and a client that calls it through a breaker.
enum Call {
    Health(Health),
    Do(ReplyTo<u64>),
}

#[derive(Clone, Copy, PartialEq)]
enum Health {
    Well,
    Silent,
}

struct Service {
    health: Health,
    log: Log,
}

impl Actor for Service {
    type Msg = Call;
    fn receive(&mut self, call: Call, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match call {
            Call::Health(health) => self.health = health,
            Call::Do(reply) => {
                self.log.add("called");
                if self.health == Health::Well {
                    ctx.tell(reply, 7);
                }
            }
        }
        Ok(())
    }
}

enum Msg {
    Call,
    Answer(Permit, Result<u64, AskError>),
    Crash,
}

struct Client {
    service: ActorRef<Call>,
    breaker: Breaker,
    log: Log,
}

impl Actor for Client {
    type Msg = Msg;
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Call => match self.breaker.call(ctx.now()) {
                Ok(permit) => permit.ask(ctx, self.service, Call::Do, Msg::Answer),
                Err(open) => self.log.add(format!("refused for {:?}", open.retry_at.since(ctx.now()))),
            },
            Msg::Answer(permit, answer) => {
                self.log.add(format!("{answer:?}"));
                if let Some(state) = self.breaker.record(permit, &answer, ctx.now()) {
                    self.log.add(format!("now {state:?}"));
                }
            }
            Msg::Crash => return Err(Failure::new("crash")),
        }
        Ok(())
    }
}

fn world() -> (World, ActorRef<Call>, ActorRef<Msg>) {
    let mut world = World::new();
    let log = world.log.clone();
    let service = world.spawn(Service { health: Health::Well, log: log.clone() }).unwrap();
    let client = world.spawn(Client { service, breaker: breaker(), log }).unwrap();
    (world, service, client)
}

/// Conformance 13.
#[test]
fn conformance_13_a_breaker_opens_fails_fast_lets_one_call_through_and_closes() {
    let (mut world, service, client) = world();
    world.tell(client, Msg::Call);
    assert_eq!(world.events(), ["called", "Ok(7)"]);

    // Time-outs of the ask are the breaker's.
    world.tell(service, Call::Health(Health::Silent));
    for _ in 0..3 {
        world.tell(client, Msg::Call);
    }
    world.pass(ms(49));
    assert_eq!(world.events(), ["called"; 3]);
    world.pass(ms(2));
    assert_eq!(world.events(), ["Err(Timeout)", "Err(Timeout)", "Err(Timeout)", "now Open"]);

    // Open: the service is left alone.
    world.tell(client, Msg::Call);
    assert_eq!(world.events(), ["refused for 100ms"]);
    world.pass(ms(99));
    world.tell(client, Msg::Call);
    assert_eq!(world.events(), ["refused for 1ms"]);

    // Half-open: one call; it fails, and the next wait is longer.
    world.pass(ms(1));
    world.tell(client, Msg::Call);
    assert_eq!(world.events(), ["called"]);
    world.tell(client, Msg::Call);
    assert_eq!(world.events(), ["refused for 50ms"]);
    world.pass(ms(51));
    assert_eq!(world.events(), ["Err(Timeout)"]);
    world.tell(client, Msg::Call);
    let refused = world.events();
    assert_eq!(
        refused,
        ["refused for 199ms"],
        "the wait counts from the time-out, not from when it was heard of"
    );

    // Half-open again: one call; it succeeds, and everything goes through.
    world.pass(ms(199));
    world.tell(service, Call::Health(Health::Well));
    world.tell(client, Msg::Call);
    assert_eq!(world.events(), ["called", "Ok(7)", "now Closed"]);
    for _ in 0..3 {
        world.tell(client, Msg::Call);
    }
    assert_eq!(world.events().len(), 6);

    // Once it has closed, the first wait is the first one again.
    world.tell(service, Call::Health(Health::Silent));
    for _ in 0..3 {
        world.tell(client, Msg::Call);
    }
    world.pass(ms(51));
    world.events();
    world.tell(client, Msg::Call);
    assert_eq!(world.events(), ["refused for 100ms"]);
}

#[test]
fn a_service_that_is_gone_opens_the_breaker_like_one_that_is_silent() {
    let (mut world, service, client) = world();
    world.stop(service);
    for _ in 0..3 {
        world.tell(client, Msg::Call);
    }
    world.pass(ms(51));
    assert_eq!(world.events().last().unwrap(), "now Open");
}

#[test]
fn a_permit_dies_with_its_actor() {
    let (mut world, service, client) = world();
    world.tell(service, Call::Health(Health::Silent));
    world.tell(client, Msg::Call);
    world.tell(client, Msg::Crash);
    world.pass(ms(100));
    assert_eq!(world.events(), ["called"]);
}
