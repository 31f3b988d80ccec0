//! Who decides about a failure, on what, and what happens if that goes wrong itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Address, Ctx, Directive, Failure, Outcome, Strategy};

use crate::common::family::{below, failing, family, maker, supervised_by};
use crate::common::{Log, Order, Puppet, Realm, World, attempt, lock};

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

#[test]
fn a_decision_that_panics_fails_the_parent_also_if_the_childs_last_hook_panics() {
    let mut world = World::new();
    let (_, [m]) = family(&mut world, Strategy::default(), ["m"]);
    let c = below(&mut world, m, "c");
    world.have(c, |me, _| me.at_stop = Some(Box::new(|_, _| panic!("and again"))));
    world.have(m, |me, _| me.at_failure_of_child = Some(Box::new(|_, _| panic!("at a loss"))));
    world.events();
    world.tell(c, failing("oops"));
    let events = world.events();
    assert!(events.contains(&"p decides on m: panic: at a loss".to_owned()), "{events:?}");
    let started: Vec<_> = events.iter().filter(|event| event.ends_with(" started")).collect();
    assert_eq!(started, ["m started"]);
    assert_eq!(world.panics, ["at a loss", "and again"]);
}

/// The starts of its children are signals that come before that of its own failure.
#[test]
fn a_parent_that_panics_over_one_child_fails_once_and_is_not_asked_about_the_next() {
    for directive in [Directive::Resume, Directive::Restart] {
        let decider = match directive {
            Directive::Resume => |_: &Failure| Directive::Resume,
            _ => |_: &Failure| Directive::Restart,
        };
        let mut world = World::new();
        let (_, [m]) = family(&mut world, Strategy::one_for_one().deciding(decider), ["m"]);
        world.have(m, |me, ctx| {
            me.strategy = Strategy::one_for_one().deciding(|_| panic!("at a loss"));
            for _ in 0..3 {
                ctx.spawn_from(|| -> Puppet { panic!("no way") }).unwrap();
            }
        });
        let events = world.events();
        let count = |word: &str| events.iter().filter(|event| event.starts_with(word)).count();
        assert_eq!(count("m decides on somebody: failed start: no way"), 1, "{events:?}");
        assert_eq!(count("p decides on m: panic: at a loss"), 1, "{events:?}");
        assert_eq!(count("m started"), usize::from(directive == Directive::Restart), "{events:?}");
        assert_eq!(world.panics, ["no way", "at a loss", "no way", "no way"]);
        // Once that is decided it is asked again, and may fail again.
        world.have(m, |me, ctx| {
            me.strategy = Strategy::one_for_one().deciding(|_| panic!("again"));
            ctx.spawn_from(|| -> Puppet { panic!("no way") }).unwrap();
        });
        assert!(world.events().contains(&"p decides on m: panic: again".to_owned()));
    }
}

/// Or hooks of a state that has failed already would run, for what has come from other kernels meanwhile.
#[test]
fn a_parent_whose_decision_panicked_is_decided_about_before_anything_else_is_heard() {
    let mut realm = Realm::pair();
    let log = realm.log();
    let factory = move || {
        let mut p = Puppet::new("p", &log);
        p.at_failure_of_child = Some(Box::new(|_, _| panic!("at a loss")));
        p
    };
    let p = realm.worlds[0].scope().spawn_from(factory).unwrap();
    let c = below(&mut realm.worlds[0], p, "c");
    let far = realm.worlds[1].puppet("far");
    realm.have(0, p, move |_, ctx| ctx.watch(far).unwrap());
    realm.events();
    realm.worlds[0].tell(c, failing("oops"));
    realm.worlds[0].turn();
    assert_eq!(realm.worlds[0].panics, ["at a loss"]);
    realm.worlds[1].stop(far);
    assert_eq!(
        realm.events(),
        [
            "p decides on c: error: oops",
            "c stopped",
            "p restarting: panic: at a loss",
            "p stopped",
            "p restarted: panic: at a loss",
            "p started",
            "far stopped"
        ]
    );
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
