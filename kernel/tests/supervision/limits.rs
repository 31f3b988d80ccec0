//! How often children are restarted, and what that needs.

use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Directive, KernelConfig, Outcome, Strategy};

use crate::common::family::{below, failing, family, maker, supervised_by};
use crate::common::{Log, Order, Puppet, World, ms};

/// Conformance 1: three pairs of hooks, each with a new instance, then only the end.
///
/// Reliability 17.
#[test]
fn after_as_many_restarts_as_the_limit_says_the_next_failure_stops() {
    let mut world = World::new();
    let strategy = Strategy::one_for_one().restarts(3, Duration::MAX);
    let (_, [c]) = family(&mut world, strategy, ["c"]);
    for _ in 0..4 {
        world.tell(c, failing("oops"));
    }
    let round = [
        "p decides on c: error: oops",
        "c restarting: error: oops",
        "c stopped",
        "c restarted: error: oops",
        "c started",
    ];
    let expected: Vec<_> = [round; 3].concat().into_iter().chain([round[0], round[2]]).collect();
    assert_eq!(world.events(), expected);
    assert!(!world.scope().is_alive(c));
}

/// Conformance 9, reliability 17.
#[test]
fn a_limit_counts_within_its_time_and_its_very_end_belongs_to_it() {
    for (after, lives) in [(5000, false), (5001, true)] {
        let mut world = World::new();
        let strategy = Strategy::one_for_one().restarts(1, Duration::from_secs(5));
        let (_, [c]) = family(&mut world, strategy, ["c"]);
        let w = world.puppet("w");
        world.have(w, move |_, ctx| ctx.watch(c).unwrap());
        world.tell(c, failing("first"));
        world.settle();
        assert!(world.scope().is_alive(c));
        world.now = world.now + ms(after);
        world.tell(c, failing("second"));
        let heard = world.events().contains(&"w hears: c failed (error: second)".to_owned());
        assert_eq!((world.scope().is_alive(c), heard), (lives, !lives), "{after}");
    }
}

/// Reliability 17.
#[test]
fn a_limit_counts_for_each_whom_the_decision_concerns() {
    let mut world = World::new();
    let strategy = Strategy::all_for_one().restarts(2, Duration::MAX);
    let (_, [a, b, _]) = family(&mut world, strategy, ["a", "b", "c"]);
    for (child, left) in [(a, 4), (b, 4), (a, 1)] {
        world.tell(child, failing("oops"));
        world.settle();
        assert_eq!(world.stats().actors, left);
    }
}

/// Reliability 17.
#[test]
fn supervisors_above_each_other_count_apart() {
    let mut world = World::new();
    let limit = |strategy: Strategy| strategy.restarts(1, Duration::MAX);
    let (_, [m]) = family(&mut world, limit(Strategy::one_for_one()), ["m"]);
    let spawn = |world: &mut World| {
        world.have(m, move |me, _| me.strategy = limit(Strategy::one_for_one()));
        below(world, m, "c")
    };
    // The child uses up its limit, and nobody else's.
    let c = spawn(&mut world);
    world.tell(c, failing("oops"));
    world.tell(c, failing("oops"));
    world.settle();
    assert!(!world.scope().is_alive(c) && world.scope().is_alive(m));
    world.tell(m, failing("oops"));
    world.settle();
    let c = spawn(&mut world);
    world.tell(c, failing("oops"));
    world.settle();
    assert!(world.scope().is_alive(c) && world.scope().is_alive(m));
    world.tell(m, failing("oops"));
    world.settle();
    assert!(!world.scope().is_alive(m));
}

/// Reliability 17: a limit that is used up is a death pact's failure above, which counts there; so limits multiply.
#[test]
fn a_used_up_limit_climbs_by_a_death_pact_as_often_as_the_one_above_allows() {
    const MOST: u32 = 2;
    let limit = Strategy::one_for_one().restarts(MOST, Duration::MAX).deciding(|_| Directive::Restart);
    /// Spawns one that cannot live, and cannot live without it.
    struct Middle(Strategy, Log);
    impl Actor for Middle {
        type Msg = ();
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            self.1.add("middle");
            let log = self.1.clone();
            let weak = ctx.spawn_from(move || {
                log.add("weak");
                Puppet::new("weak", &log)
            })?;
            ctx.watch(weak)?;
            for _ in 0..=MOST {
                ctx.tell(weak, failing("oops"));
            }
            Ok(())
        }
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn strategy(&self) -> Strategy {
            self.0
        }
    }
    let mut world = supervised_by(limit);
    let log = world.log.clone();
    let middle = world.scope().spawn_from(move || Middle(limit, log.clone())).unwrap();
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(middle).unwrap());
    let events = world.events();
    let count = |word: &str| events.iter().filter(|event| *event == word).count() as u32;
    assert_eq!((count("middle"), count("weak")), (MOST + 1, (MOST + 1) * (MOST + 1)));
    assert_eq!(u64::from(MOST + MOST * (MOST + 1)), world.stats().restarted);
    let end = events.last().unwrap();
    assert!(end.starts_with("w hears: somebody failed (death pact: "), "{end}");
    assert_eq!(world.stats().actors, 1);
}

/// An actor `a` from a factory, in a world without room for anything else.
fn hemmed_in(world: &mut World) -> ActorRef<Order> {
    let log = world.log.clone();
    let a = world.scope().spawn_from(maker("a", &log)).unwrap();
    world.tell(a, Order::Note(1));
    world.settle();
    let mut fillers = Vec::new();
    while let Ok(filler) = world.kernel.spawn(Puppet::new("filler", &log)) {
        fillers.push(filler);
        world.settle();
    }
    for filler in &fillers {
        let _ = world.scope().suspend(*filler);
    }
    world.events();
    a
}

#[test]
fn a_limit_without_room_to_count_stops() {
    let mut world = World::with(
        32 << 10,
        KernelConfig {
            supervision: Strategy::one_for_one().restarts(100, Duration::MAX),
            ..KernelConfig::default()
        },
    );
    let a = hemmed_in(&mut world);
    world.tell(a, failing("oops"));
    assert_eq!(world.events(), ["a stopped"]);
}

#[test]
fn without_a_limit_a_restart_needs_no_memory() {
    let mut world = World::sized(32 << 10);
    let a = hemmed_in(&mut world);
    for _ in 0..10 {
        world.tell(a, failing("oops"));
        world.tell(a, Order::Note(2));
        let events = world.events();
        assert_eq!(events[events.len() - 2..], ["a started", "a 2"], "{events:?}");
    }
    let used = world.stats().used_bytes;
    world.tell(a, failing("oops"));
    world.settle();
    assert_eq!(world.stats().used_bytes, used);
}
