//! What a parent may decide, and what comes of it.

use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadLetter, Directive, Failure, FailureKind, Observe, Outcome, Path, Strategy,
    Subject,
};

use crate::common::family::{below, failing, family, maker, supervised_by};
use crate::common::{Log, Order, Puppet, World};

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
