//! Debounce.

use super::common::{Log, World, ms};
use super::{any_duration, any_time, at, ns};
use corelane_kernel::pattern::{Debounce, DebounceConfig, Edge};
use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Time};
use proptest::prelude::*;
use std::time::Duration;

fn edges() -> impl Strategy<Value = Edge> {
    prop_oneof![Just(Edge::Leading), Just(Edge::Trailing), Just(Edge::Both)]
}

/// The rules, nanosecond by nanosecond, with counters that run down.
struct Slow {
    edge: Edge,
    quiet: u64,
    max_wait: u64,
    quiet_left: u64,
    wait_left: u64,
    lead_left: u64,
    held: Option<u32>,
}

impl Slow {
    fn pass(&mut self) -> Option<u32> {
        self.quiet_left = self.quiet_left.saturating_sub(1);
        self.lead_left = self.lead_left.saturating_sub(1);
        self.wait_left = self.wait_left.saturating_sub(1);
        if self.quiet_left == 0 || self.wait_left == 0 { self.held.take() } else { None }
    }

    fn event(&mut self, event: u32) -> Option<u32> {
        let begins = self.quiet_left == 0;
        self.quiet_left = self.quiet;
        let leads = match self.edge {
            Edge::Leading => begins || self.lead_left == 0,
            Edge::Both => begins,
            Edge::Trailing => false,
        };
        if leads {
            self.lead_left = self.max_wait;
            return Some(event);
        }
        if self.edge != Edge::Leading {
            if self.held.is_none() {
                self.wait_left = self.max_wait;
            }
            self.held = Some(event);
        }
        None
    }
}

proptest! {
    /// Polled at each deadline, as by a timer.
    #[test]
    fn gives_out_what_a_slow_one_does_and_when(
        edge in edges(), quiet in 1u64..10, more in 0u64..30,
        gaps in proptest::collection::vec(prop_oneof![3 => 0u64..8, 1 => 0u64..40], 1..100)
    ) {
        let max_wait = quiet + more;
        let config = DebounceConfig { quiet: ns(quiet), edge, max_wait: ns(max_wait) };
        let mut debounce = Debounce::new(config).unwrap();
        let mut slow = Slow { edge, quiet, max_wait, quiet_left: 0, wait_left: 0, lead_left: 0, held: None };
        let (mut given, mut expected) = (Vec::new(), Vec::new());
        let mut now = 1000u64;
        // The last gap is long enough for everything to come out.
        for (event, gap) in (0u32..).zip(gaps.into_iter().chain([1000])) {
            for _ in 0..gap {
                now += 1;
                expected.extend(slow.pass().map(|event| (now, event)));
            }
            while let Some(due) = debounce.deadline().filter(|due| *due <= at(now)) {
                prop_assert_eq!(debounce.poll(at(due.as_nanos() - 1)), None, "too early");
                let event = debounce.poll(due);
                prop_assert!(event.is_some());
                given.extend(event.map(|event| (due.as_nanos(), event)));
            }
            given.extend(debounce.event(event, at(now)).map(|event| (now, event)));
            expected.extend(slow.event(event).map(|event| (now, event)));
            prop_assert_eq!(&given, &expected);
        }
    }

    /// Nobody polls: still nothing is given out early, twice, or in another order.
    #[test]
    fn what_nobody_polled_comes_out_with_a_later_event(
        edge in edges(), quiet in 1u64..10, more in 0u64..30, gaps in proptest::collection::vec(0u64..20, 1..100)
    ) {
        let config = DebounceConfig { quiet: ns(quiet), edge, max_wait: ns(quiet + more) };
        let mut debounce = Debounce::new(config).unwrap();
        let (mut now, mut last) = (1000u64, None);
        for (event, gap) in (0u32..).zip(gaps) {
            now += gap;
            let deadline = debounce.deadline();
            if let Some(given) = debounce.event(event, at(now)) {
                prop_assert!(given == event || deadline.is_some_and(|deadline| deadline <= at(now)));
                prop_assert!(last < Some(given));
                last = Some(given);
            }
        }
        if let Some(given) = debounce.flush() {
            prop_assert!(last < Some(given));
        }
    }

    #[test]
    fn no_time_and_no_setting_makes_a_debounce_panic(
        edge in edges(), quiet in any_duration(), max_wait in any_duration(),
        events in proptest::collection::vec((any_time(), 0u8..4), 0..40)
    ) {
        let Ok(mut debounce) = Debounce::new(DebounceConfig { quiet, edge, max_wait }) else { return Ok(()) };
        for (now, event) in events {
            match event {
                0 | 1 => drop(debounce.event(now, now)),
                2 => drop(debounce.poll(now)),
                _ => drop(debounce.reset()),
            }
            if edge == Edge::Leading {
                prop_assert_eq!(debounce.deadline(), None);
            }
        }
    }
}

#[test]
fn what_makes_no_sense_is_named() {
    let good = DebounceConfig { quiet: ms(2), edge: Edge::Both, max_wait: ms(2) };
    let field = |config| Debounce::<u64>::new(config).unwrap_err().to_string();
    assert!(field(DebounceConfig { quiet: ms(0), ..good }).starts_with("DebounceConfig.quiet is zero"));
    assert_eq!(
        field(DebounceConfig { max_wait: ms(1), ..good }),
        "DebounceConfig.max_wait is less than `quiet`"
    );
    assert!(Debounce::<u64>::new(good).is_ok());
}

#[test]
fn a_burst_ended_by_hand_gives_back_what_was_held() {
    let config = DebounceConfig { quiet: ms(10), edge: Edge::Both, max_wait: Duration::MAX };
    let mut debounce = Debounce::new(config).unwrap();
    assert_eq!(debounce.event(1, at(0)), Some(1));
    assert_eq!(debounce.event(2, at(1)), None);
    assert_eq!(debounce.reset(), Some(2));
    assert_eq!(debounce.event(3, at(2)), Some(3), "it leads a burst of its own");
    assert_eq!(debounce.event(4, at(3)), None);
    assert_eq!(debounce.flush(), Some(4));
    assert_eq!(debounce.event(5, at(4)), None, "the burst goes on");
    assert_eq!(debounce.poll(at(4) + ms(10)), Some(5));
}

/// Logs what is due, and when.
struct Screen {
    changes: Debounce<u64>,
    log: Log,
    begun: Time,
}

enum Msg {
    Change(u64),
    Quiet,
}

impl Actor for Screen {
    type Msg = Msg;
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let due = match msg {
            Msg::Change(n) => self.changes.event(n, ctx.now()),
            Msg::Quiet => self.changes.poll(ctx.now()),
        };
        if let Some(n) = due {
            self.log.add(format!("{n} at {:?}", ctx.now().since(self.begun)));
        }
        self.changes.arm(ctx, "screen", Msg::Quiet)?;
        Ok(())
    }
}

fn screen(edge: Edge, max_wait: Duration) -> (World, ActorRef<Msg>) {
    let mut world = World::new();
    let changes = Debounce::new(DebounceConfig { quiet: ms(10), edge, max_wait }).unwrap();
    let screen = Screen { changes, log: world.log.clone(), begun: world.now };
    let screen = world.spawn(screen).unwrap();
    (world, screen)
}

#[test]
fn an_actor_acts_on_the_last_event_of_a_burst_when_it_has_been_quiet() {
    let (mut world, screen) = screen(Edge::Trailing, Duration::MAX);
    for n in 0..5 {
        world.tell(screen, Msg::Change(n));
        world.pass(ms(9));
    }
    assert_eq!(world.events(), [""; 0]);
    world.pass(ms(1));
    // Ten milliseconds after the last event, at 36 ms, and up to a timer's tick more.
    world.pass(ns(1 << 16));
    assert_eq!(world.events(), ["4 at 46.065536ms"]);
    world.pass(ms(100));
    assert_eq!(world.events(), [""; 0]);
}

#[test]
fn an_actor_acts_on_the_first_event_at_once_and_on_the_last_in_time() {
    let (mut world, screen) = screen(Edge::Both, ms(30));
    for n in 0..8 {
        world.tell(screen, Msg::Change(n));
        world.pass(ms(8));
    }
    world.pass(ms(8));
    let events = world.events();
    // The second event came at 8 ms, and waits until 38 ms; the clock moves by 8 ms here. The next that is held, number
    // 5, came at 40 ms, and the last at 56 ms: it is due at 66 ms.
    assert_eq!(events, ["0 at 0ns", "4 at 40ms", "7 at 72ms"]);
}

#[test]
fn an_actor_acts_on_the_first_event_only() {
    let (mut world, screen) = screen(Edge::Leading, Duration::MAX);
    for n in 0..5 {
        world.tell(screen, Msg::Change(n));
        world.pass(ms(5));
    }
    world.pass(ms(10));
    world.tell(screen, Msg::Change(9));
    assert_eq!(world.events(), ["0 at 0ns", "9 at 35ms"]);
}
