//! Supervision: the parent decides about a child that failed, whom that concerns, and how often.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::family::{below, failing, family, maker, supervised_by};
use common::{Census, Log, Order, Puppet, Realm, Token, World, attempt, lock, ms, order};
use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, DeadLetter, DeadReason, Directive, Failure, FailureKind, KernelConfig,
    Observe, Outcome, Path, Strategy, Subject,
};

// --- directives ------------------------------------------------------------------------------------------------------

#[test]
fn unless_told_otherwise_an_actor_that_fails_is_restarted() {
    let mut world = World::new();
    let (_, [c]) = family(&mut world, Strategy::default(), ["c"]);
    world.tell(c, failing("oops"));
    world.tell(c, Order::Note(1));
    assert_eq!(
        world.events(),
        [
            "p decides on c: error: oops",
            "c restarting: error: oops",
            "c stopped",
            "c restarted: error: oops",
            "c started",
            "c 1"
        ]
    );
    assert_eq!((world.stats().failed, world.stats().restarted), (1, 1));
}

#[test]
fn unless_told_otherwise_an_actor_that_cannot_start_and_one_of_a_death_pact_stop() {
    for kind in [FailureKind::Start, FailureKind::DeathPact] {
        let mut world = World::new();
        let (w, other) = (world.puppet("w"), world.puppet("other"));
        let log = world.log.clone();
        struct Bound(ActorRef<Order>, FailureKind, Log);
        impl Actor for Bound {
            type Msg = ();
            fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
                Ok(())
            }
            fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
                self.2.add("bound started");
                ctx.watch(self.0)?;
                if self.1 == FailureKind::Start { Err(Failure::new("not today")) } else { Ok(()) }
            }
        }
        let bound = world.scope().spawn_from(move || Bound(other, kind, log.clone())).unwrap();
        world.have(w, move |_, ctx| ctx.watch(bound).unwrap());
        world.stop(other);
        let events = world.events();
        assert_eq!(events.iter().filter(|event| *event == "bound started").count(), 1, "{events:?}");
        let heard = events.iter().any(|event| event.starts_with("w hears: somebody"));
        assert!(heard && !world.scope().is_alive(bound), "{events:?}");
        assert_eq!(world.stats().restarted, 0);
    }
}

/// Conformance 10.
#[test]
fn a_resumed_actor_keeps_its_state_and_its_children_and_goes_on() {
    struct Counter(u64, Log);
    impl Actor for Counter {
        type Msg = Option<u64>;
        fn receive(&mut self, by: Option<u64>, _: &mut Ctx<'_, Self>) -> Outcome {
            self.0 += by.ok_or_else(|| Failure::new("nothing"))?;
            self.1.add(format!("counter {}", self.0));
            Ok(())
        }
    }
    let mut world = supervised_by(Strategy::one_for_one().deciding(|_| Directive::Resume));
    let log = world.log.clone();
    let counter = world.scope().spawn_from(move || Counter(0, log.clone())).unwrap();
    for by in [Some(1), None, Some(2)] {
        world.tell(counter, by);
    }
    assert_eq!(world.events(), ["counter 1", "counter 3"]);
    // A node in the middle, with its children.
    let (_, [m]) = family(&mut world, Strategy::one_for_one().deciding(|_| Directive::Resume), ["m"]);
    let c = below(&mut world, m, "c");
    world.events();
    world.tell(m, failing("oops"));
    world.tell(c, Order::Note(1));
    world.tell(m, Order::Note(2));
    assert_eq!(world.events(), ["p decides on m: error: oops", "c 1", "m 2"]);
    assert_eq!((world.stats().failed, world.stats().restarted), (2, 0));
}

#[test]
fn a_stopped_actor_is_stopped_with_its_children_and_its_watchers_hear_why() {
    let mut world = World::new();
    let (_, [c, d]) = family(&mut world, Strategy::stopping(), ["c", "d"]);
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(c).unwrap());
    below(&mut world, c, "grandchild");
    world.events();
    world.tell(c, failing("oops"));
    world.tell(d, Order::Note(1));
    assert_eq!(
        world.events(),
        [
            "p decides on c: error: oops",
            "grandchild stopped",
            "c stopped",
            "d 1",
            "w hears: c failed (error: oops)"
        ]
    );
}

/// Conformance 8: here the boss restarts the manager, and the manager's new instance brings its workers along.
#[test]
fn an_escalated_failure_is_the_parents_and_its_own_parent_decides() {
    let mut world = World::new();
    let (_, [manager]) = family(&mut world, Strategy::default(), ["manager"]);
    world.have(manager, |me, _| me.strategy = Strategy::escalating());
    let (w1, w2) = (below(&mut world, manager, "w1"), below(&mut world, manager, "w2"));
    world.events();
    world.tell(w1, failing("oops"));
    assert_eq!(
        world.events(),
        [
            "manager decides on w1: error: oops",
            "p decides on manager: error: oops",
            "manager restarting: error: oops",
            "w2 stopped",
            "w1 stopped",
            "manager stopped",
            "manager restarted: error: oops",
            "manager started"
        ]
    );
    assert!(!world.scope().is_alive(w1) && !world.scope().is_alive(w2));
    assert_eq!(world.stats().failed, 2);
}

/// Conformance 8.
#[test]
fn a_boss_that_restarts_a_manager_has_every_worker_again() {
    let mut world = World::new();
    let (boss, []) = family(&mut world, Strategy::default(), []);
    let log = world.log.clone();
    world.have(boss, move |_, ctx| {
        let escalating = Strategy::all_for_one().deciding(|_| Directive::Escalate);
        let manager = move || {
            Puppet::new("manager", &log).looking_after(escalating).at_start(|me, ctx| {
                for name in ["w1", "w2"] {
                    ctx.spawner().name(name).spawn_from(maker(name, &me.log))?;
                }
                Ok(())
            })
        };
        ctx.spawner().name("manager").spawn_from(manager).unwrap();
    });
    assert_eq!(world.events(), ["manager started", "w1 started", "w2 started"]);
    let manager = world.scope().child_of(boss, "manager").unwrap();
    let workers = |world: &mut World| {
        ["w1", "w2"].map(|name| {
            let worker = world.scope().child_of(manager, name).expect("a worker");
            world.scope().resolve::<Order>(worker).unwrap()
        })
    };
    let old = workers(&mut world);
    world.tell(old[0], failing("oops"));
    let events = world.events();
    assert_eq!(events[events.len() - 3..], ["manager started", "w1 started", "w2 started"], "{events:?}");
    assert_eq!(world.scope().child_of(boss, "manager"), Some(manager), "at its address");
    for (n, (old, new)) in old.into_iter().zip(workers(&mut world)).enumerate() {
        assert!(old != new && !world.scope().is_alive(old));
        world.tell(new, Order::Note(n as u64));
    }
    assert_eq!(world.events(), ["w1 0", "w2 1"]);
}

#[test]
fn an_escalated_failure_that_is_resumed_above_is_resumed_below() {
    let mut world = World::new();
    let (_, [m]) = family(&mut world, Strategy::one_for_one().deciding(|_| Directive::Resume), ["m"]);
    world.have(m, |me, _| me.strategy = Strategy::escalating());
    let c = below(&mut world, m, "c");
    world.events();
    world.tell(c, failing("oops"));
    world.tell(c, Order::Note(1));
    world.tell(m, Order::Note(2));
    assert_eq!(world.events(), ["m decides on c: error: oops", "p decides on m: error: oops", "c 1", "m 2"]);
}

/// Conformance 6.
#[test]
fn a_failure_escalated_past_the_root_is_noted_and_the_actor_stops() {
    struct Journal(Log);
    impl Observe for Journal {
        fn dead_letter(&mut self, _: &DeadLetter, _: Path<'_>) {}
        fn failed(&mut self, _: &Subject<'_>, _: &Failure) {}
        fn escalated(&mut self, failure: &Failure) {
            self.0.add(format!("escalated: {failure}"));
        }
        fn panicked(&mut self, _: &Failure) {}
    }
    let mut world = supervised_by(Strategy::escalating());
    let journal = Journal(world.log.clone());
    world.scope().observe(journal).unwrap();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    assert!(world.escalated().is_none());
    world.tell(a, failing("first"));
    world.tell(b, failing("second"));
    assert_eq!(
        world.events(),
        [
            "a started",
            "b started",
            "escalated: error: first",
            "a stopped",
            "escalated: error: second",
            "b stopped"
        ]
    );
    assert_eq!(world.escalated().map(Failure::text), Some("first"));
}

// --- who decides, and on what ----------------------------------------------------------------------------------------

#[test]
fn a_decision_may_depend_on_the_error_and_on_the_child() {
    struct Parent(Log);
    impl Actor for Parent {
        type Msg = Order;
        fn receive(&mut self, _: Order, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            for name in ["a", "b"] {
                let child = ctx.spawner().name(name).spawn_from(maker(name, &self.0))?;
                ctx.tell(
                    child,
                    attempt(|_, _| {
                        "x".parse::<u8>()?;
                        Ok(())
                    }),
                );
                ctx.tell(child, failing("else"));
            }
            Ok(())
        }
        fn decide(&mut self, child: Address, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
            assert_eq!(ctx.name_of(ctx.me()), None, "a parent is not its own child");
            match ctx.name_of(child) {
                _ if failure.is::<std::num::ParseIntError>() => Directive::Resume,
                Some("a") => Directive::Stop,
                other => {
                    assert_eq!(other, Some("b"));
                    Directive::Restart
                }
            }
        }
    }
    let mut world = World::new();
    let log = world.log.clone();
    world.spawn(Parent(log)).unwrap();
    assert_eq!(
        world.events(),
        [
            "a started",
            "b started",
            "a stopped",
            "b restarting: error: else",
            "b stopped",
            "b restarted: error: else",
            "b started"
        ]
    );
}

#[test]
fn a_parent_that_is_suspended_decides_at_once() {
    let mut world = World::new();
    let (p, [c]) = family(&mut world, Strategy::stopping(), ["c"]);
    world.scope().suspend(p).unwrap();
    world.tell(p, Order::Note(1));
    world.tell(c, failing("oops"));
    assert_eq!(world.events(), ["p decides on c: error: oops", "c stopped"]);
    world.scope().resume(p);
    assert_eq!(world.events(), ["p 1"]);
}

#[test]
fn a_failure_overtakes_every_message_that_waits() {
    let mut world = World::new();
    let (p, [c]) = family(&mut world, Strategy::default(), ["c"]);
    world.tell(c, failing("oops"));
    world.tell(p, Order::Note(1));
    world.tell(c, Order::Note(2));
    let events = world.events();
    assert_eq!(events.first().map(String::as_str), Some("p decides on c: error: oops"));
    assert_eq!(events[events.len() - 2..], ["p 1", "c 2"]);
}

#[test]
fn an_actor_that_asked_to_stop_and_then_fails_stops_and_nobody_is_asked() {
    let mut world = World::new();
    let (_, [c]) = family(&mut world, Strategy::default(), ["c"]);
    world.tell(
        c,
        attempt(|_, ctx| {
            ctx.stop_self();
            Err(Failure::new("oops"))
        }),
    );
    assert_eq!(world.events(), ["c stopped"]);
    // The next one in its cell is no heir to that.
    let (_, [d]) = family(&mut world, Strategy::default(), ["d"]);
    world.tell(d, failing("oops"));
    assert!(world.events().contains(&"d started".to_owned()));
}

#[test]
fn a_decision_that_stops_its_child_or_itself_is_carried_out() {
    let mut world = World::new();
    let (p, [c, _]) = family(&mut world, Strategy::default(), ["c", "d"]);
    world.have(p, move |me, _| {
        me.at_failure_of_child = Some(Box::new(move |_, ctx| {
            ctx.stop(c);
            ctx.stop_self();
            Ok(())
        }));
    });
    world.tell(c, failing("oops"));
    let events = world.events();
    assert_eq!(events.first().map(String::as_str), Some("p decides on c: error: oops"));
    assert_eq!(events[events.len() - 2..], ["d stopped", "p stopped"]);
    assert_eq!(world.stats().actors, 0);
}

/// Reliability 18.
#[test]
fn a_decision_that_panics_stops_the_child_and_fails_the_parent() {
    let mut world = World::new();
    let (_, [m]) = family(&mut world, Strategy::default(), ["m"]);
    let c = below(&mut world, m, "c");
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(c).unwrap());
    world.have(m, |me, _| me.at_failure_of_child = Some(Box::new(|_, _| panic!("at a loss"))));
    world.events();
    world.tell(c, failing("oops"));
    assert_eq!(
        world.events(),
        [
            "m decides on c: error: oops",
            "c stopped",
            "p decides on m: panic: at a loss",
            "m restarting: panic: at a loss",
            "m stopped",
            "m restarted: panic: at a loss",
            "m started",
            "w hears: c failed (error: oops)"
        ]
    );
    assert_eq!(world.panics, ["at a loss"]);
}

/// Reliability 18, for the other hook of a supervisor.
#[test]
fn a_strategy_that_panics_stops_the_child_and_fails_the_parent() {
    struct Lost(Log);
    impl Actor for Lost {
        type Msg = ();
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            self.0.add("lost started");
            let child = ctx.spawn_from(maker("c", &self.0))?;
            ctx.tell(child, failing("oops"));
            Ok(())
        }
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn strategy(&self) -> Strategy {
            panic!("at a loss")
        }
    }
    let mut world = supervised_by(Strategy::one_for_one().restarts(1, Duration::MAX));
    let log = world.log.clone();
    let lost = world.scope().spawn_from(move || Lost(log.clone())).unwrap();
    let b = world.puppet("b");
    world.tell(b, Order::Note(1));
    // Restarted once by the root, then no more.
    let events = world.events();
    let count = |word: &str| events.iter().filter(|event| *event == word).count();
    assert_eq!((count("lost started"), count("c started"), count("c stopped")), (2, 2, 2), "{events:?}");
    assert!(!world.scope().is_alive(lost) && events.contains(&"b 1".to_owned()), "{events:?}");
    assert_eq!(world.panics, ["at a loss", "at a loss"]);
}

/// Reliability 18, for the kernel's own decision.
#[test]
fn a_decision_at_the_top_that_panics_stops_the_actor() {
    let mut world = supervised_by(Strategy::one_for_one().deciding(|_| panic!("at a loss")));
    let log = world.log.clone();
    let a = world.scope().spawn_from(maker("a", &log)).unwrap();
    let (b, w) = (world.puppet("b"), world.puppet("w"));
    world.have(w, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.tell(a, failing("oops"));
    world.tell(b, Order::Note(1));
    assert_eq!(world.events(), ["a stopped", "b 1", "w hears: a failed (error: oops)"]);
    assert_eq!(world.panics, ["at a loss"]);
}

#[test]
fn an_adapter_that_is_made_to_fail_only_ends() {
    let mut world = World::new();
    let (p, []) = family(&mut world, Strategy::default(), []);
    let slot = Arc::new(Mutex::new(None));
    let store = slot.clone();
    world.have(p, move |_, ctx| *lock(&store) = ctx.adapter(Order::Note).ok());
    let adapter: ActorRef<u64> = lock(&slot).take().unwrap();
    world.scope().fail(adapter, Failure::new("oops"));
    world.tell(adapter, 1);
    world.tell(p, Order::Note(2));
    assert_eq!(world.events(), ["p 2"]);
}

#[test]
fn an_actor_that_fails_at_every_start_by_a_signal_leaves_others_their_turns() {
    let mut world = supervised_by(Strategy::one_for_one().deciding(|_| Directive::Restart));
    let b = world.puppet("b");
    struct Doomed;
    impl Actor for Doomed {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            // Nobody is there, and it has no hook for that.
            ctx.watch(Address::NOBODY)?;
            Ok(())
        }
    }
    struct Suicidal;
    impl Actor for Suicidal {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            let me = ctx.me();
            ctx.scope().fail(me, Failure::new("by itself"));
            Ok(())
        }
    }
    let doomed = world.scope().spawn_from(|| Doomed).unwrap();
    let suicidal = world.scope().spawn_from(|| Suicidal).unwrap();
    for n in 0..20 {
        world.tell(b, Order::Note(n));
        assert!(world.turn().more);
        assert!(world.log.take().contains(&format!("b {n}")));
    }
    assert!(world.stats().restarted > 20);
    world.scope().stop(doomed);
    world.scope().stop(suicidal);
    world.settle();
    assert_eq!(world.stats().actors, 1);
}

#[test]
fn a_failure_from_outside_is_decided_about_like_any_other() {
    let mut world = World::new();
    let (_, [c]) = family(&mut world, Strategy::default(), ["c"]);
    world.tell(c, Order::Note(1));
    world.scope().fail(c, Failure::new("its future was lost"));
    let events = world.events();
    assert_eq!(events.first().map(String::as_str), Some("p decides on c: error: its future was lost"));
    assert_eq!(events[events.len() - 2..], ["c started", "c 1"]);
    assert_eq!(world.letters(), [], "no message failed");
}

// --- whom a decision concerns ----------------------------------------------------------------------------------------

fn of(events: &[String], word: &str) -> Vec<String> {
    events.iter().filter_map(|event| event.strip_suffix(word)).map(str::to_owned).collect()
}

#[test]
fn one_for_one_concerns_the_one_that_failed() {
    let mut world = World::new();
    let (_, [_, b, _]) = family(&mut world, Strategy::one_for_one(), ["a", "b", "c"]);
    world.tell(b, failing("oops"));
    assert_eq!(of(&world.events(), " started"), ["b"]);
}

/// Conformance 8.
#[test]
fn all_for_one_restarts_all_in_the_order_of_their_births() {
    let mut world = World::new();
    let (p, [a, b, c]) = family(&mut world, Strategy::all_for_one(), ["a", "b", "c"]);
    // An adapter of the parent's is no child.
    world.have(p, |_, ctx| _ = ctx.adapter(Order::Note).unwrap());
    world.tell(b, failing("oops"));
    let events = world.events();
    assert_eq!(of(&events, " stopped"), ["a", "b", "c"]);
    assert_eq!(of(&events, " started"), ["a", "b", "c"]);
    for child in [a, b, c] {
        world.tell(child, Order::Note(1));
    }
    assert_eq!(world.events(), ["a 1", "b 1", "c 1"]);
}

#[test]
fn rest_for_one_restarts_the_one_that_failed_and_those_born_after_it() {
    let mut world = World::new();
    let (_, [_, b, _, _]) = family(&mut world, Strategy::rest_for_one(), ["a", "b", "c", "d"]);
    world.tell(b, failing("oops"));
    assert_eq!(of(&world.events(), " started"), ["b", "c", "d"]);
}

#[test]
fn a_decision_to_stop_concerns_as_many() {
    for (strategy, gone) in
        [(Strategy::all_for_one(), &["a", "b", "c"][..]), (Strategy::rest_for_one(), &["b", "c"][..])]
    {
        let mut world = World::new();
        let (_, [_, b, _]) = family(&mut world, strategy.deciding(|_| Directive::Stop), ["a", "b", "c"]);
        world.tell(b, failing("oops"));
        let mut stopped = of(&world.events(), " stopped");
        stopped.sort();
        assert_eq!(stopped, gone);
        assert_eq!(world.stats().actors, 4 - gone.len() as u64);
    }
}

#[test]
fn a_decision_to_resume_concerns_no_other() {
    let mut world = World::new();
    let (_, [a, b]) = family(&mut world, Strategy::all_for_one().deciding(|_| Directive::Resume), ["a", "b"]);
    world.tell(a, failing("oops"));
    world.tell(b, Order::Note(1));
    assert_eq!(world.events(), ["p decides on a: error: oops", "b 1"]);
}

#[test]
fn siblings_that_cannot_be_made_again_are_stopped() {
    let mut world = World::new();
    let (p, [a]) = family(&mut world, Strategy::all_for_one(), ["a"]);
    world.have(p, |me, ctx| _ = ctx.spawn(me.other("value")).unwrap());
    world.events();
    world.tell(a, failing("oops"));
    let events = world.events();
    assert_eq!(
        (of(&events, " started"), of(&events, " stopped")),
        (vec!["a".to_owned()], vec!["value".to_owned(), "a".to_owned()])
    );
    assert_eq!(world.stats().actors, 2);
}

/// Reliability 18.
#[test]
fn a_sibling_whose_hooks_panic_keeps_no_other_from_its_restart() {
    let mut world = World::new();
    let (_, [a, b, c]) = family(&mut world, Strategy::all_for_one(), ["a", "b", "c"]);
    for child in [a, b] {
        world.have(child, |me, _| {
            me.at_restart = Some(Box::new(|_, _| panic!("restarting")));
            me.at_stop = Some(Box::new(|_, _| panic!("stopped")));
        });
    }
    world.tell(c, failing("oops"));
    assert_eq!(of(&world.events(), " started"), ["a", "b", "c"]);
    assert_eq!(world.panics, ["restarting", "stopped", "restarting", "stopped"]);
}

// --- limits ----------------------------------------------------------------------------------------------------------

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

#[test]
fn a_limit_without_room_to_count_stops() {
    let mut world = World::with(
        32 << 10,
        KernelConfig {
            supervision: Strategy::one_for_one().restarts(100, Duration::MAX),
            ..KernelConfig::default()
        },
    );
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
    world.tell(a, failing("oops"));
    assert_eq!(world.events(), ["a stopped"]);
}

#[test]
fn without_a_limit_a_restart_needs_no_memory() {
    let mut world = World::sized(32 << 10);
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

// --- the rest --------------------------------------------------------------------------------------------------------

/// Conformance 15.
#[test]
fn whoever_watches_an_actor_hears_nothing_of_its_restarts() {
    let mut world = World::new();
    let (p, [c]) = family(&mut world, Strategy::default(), ["c"]);
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(c).unwrap());
    world.have(p, move |_, ctx| ctx.watch(c).unwrap());
    world.events();
    for _ in 0..3 {
        world.tell(c, failing("oops"));
    }
    assert!(!world.events().iter().any(|event| event.contains("hears")));
    world.stop(c);
    let mut events = world.events();
    events.sort();
    assert_eq!(events, ["c stopped", "p hears: c stopped", "w hears: c stopped"]);
}

#[test]
fn a_watcher_on_another_core_hears_of_the_end_and_not_of_restarts() {
    let mut realm = Realm::pair();
    let log = realm.log();
    let c = realm.worlds[1].scope().spawn_from(maker("c", &log)).unwrap();
    let w = realm.worlds[0].puppet("w");
    realm.worlds[0].tell(w, order(move |_, ctx| ctx.watch(c).unwrap()));
    realm.events();
    realm.worlds[0].tell(c, failing("oops"));
    realm.worlds[0].tell(c, Order::Note(1));
    assert_eq!(
        realm.events(),
        ["c restarting: error: oops", "c stopped", "c restarted: error: oops", "c started", "c 1"]
    );
    realm.worlds[1].scope().stop(c);
    assert_eq!(realm.events(), ["c stopped", "w hears: c stopped"]);
}

#[test]
fn the_message_that_failed_is_told_of_as_a_dead_letter_whatever_is_decided() {
    for directive in [Directive::Resume, Directive::Restart, Directive::Stop, Directive::Escalate] {
        let decider: fn(&Failure) -> Directive = match directive {
            Directive::Resume => |_| Directive::Resume,
            Directive::Restart => |_| Directive::Restart,
            Directive::Stop => |_| Directive::Stop,
            _ => |_| Directive::Escalate,
        };
        let mut world = supervised_by(Strategy::one_for_one().deciding(decider));
        let undertaker = common::Undertaker(world.log.clone());
        let undertaker = world.spawn(undertaker).unwrap();
        world.scope().subscribe_dead_letters(undertaker).unwrap();
        let log = world.log.clone();
        let a = world.scope().spawn_from(maker("a", &log)).unwrap();
        world.events();
        world.tell(a, failing("oops"));
        let events = world.events();
        let told = "dead letter for a: its handler failed".to_owned();
        assert_eq!(events.iter().filter(|event| **event == told).count(), 1, "{events:?}");
        // Once more by a panic; hooks have no message that could fail.
        if world.scope().is_alive(a) {
            world.tell(a, order(|_, _| panic!("oops")));
            world.settle();
            assert_eq!(world.letters(), [(DeadReason::Failed, 2)]);
        }
    }
}

/// Reliability 16, with all that an instance may hold.
#[test]
fn a_storm_of_failures_costs_siblings_nothing_and_leaves_nothing_behind() {
    struct Sibling(Arc<Mutex<u64>>);
    impl Actor for Sibling {
        type Msg = u64;
        fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
            *lock(&self.0) += n;
            Ok(())
        }
    }
    struct Weak(#[allow(dead_code)] Token);
    impl Actor for Weak {
        type Msg = bool;
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            // Something of each kind that must go with the instance.
            ctx.set_timer(1, ms(1000), true)?;
            ctx.set_receive_timeout(Some(ms(1000)))?;
            ctx.attach([0u64; 4])?;
            ctx.adapter(|n: u64| n == 0)?;
            ctx.spawn_from(|| Leaf)?;
            Ok(())
        }
        fn receive(&mut self, by_panic: bool, _: &mut Ctx<'_, Self>) -> Outcome {
            if by_panic { panic!("weak") } else { Err(Failure::new("weak")) }
        }
    }
    struct Leaf;
    impl Actor for Leaf {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut world = World::sized(4 << 20);
    let (sum, census) = (Arc::new(Mutex::new(0)), Census::default());
    let siblings: Vec<_> = (0..1000).map(|_| world.spawn(Sibling(sum.clone())).unwrap()).collect();
    let weak: Vec<_> = (0..50)
        .map(|_| {
            let census = census.clone();
            world.scope().spawn_from(move || Weak(census.token())).unwrap()
        })
        .collect();
    let mut used = 0;
    for round in 0..40 {
        for (n, sibling) in siblings.iter().enumerate() {
            world.tell(*sibling, 1);
            if n % 10 == 0 {
                world.tell(weak[n / 10 % 50], n % 20 == 0);
            }
        }
        world.settle();
        assert_eq!(*lock(&sum), (round + 1) * 1000);
        if round == 1 {
            used = world.stats().used_bytes;
        }
    }
    std::panic::set_hook(previous);
    assert_eq!((world.stats().failed, world.stats().restarted), (4000, 4000));
    assert_eq!(world.panics.len(), 2000);
    assert_eq!(world.stats().actors, 1000 + 50 + 50);
    assert_eq!(world.letters(), [(DeadReason::Failed, 4000)]);
    assert_eq!(world.stats().used_bytes, used, "failures leave nothing behind");
    census.expect(50);
    world.scope().stop_all();
    world.settle();
    census.expect_none();
}
