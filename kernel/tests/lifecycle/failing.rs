//! Failures: who is told, why, and when an actor that was failed ends.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, Address, Ctx, DeadReason, Directive, Failure, FailureKind, Outcome};

use crate::common::{Census, Order, World, attempt, lock, order};

#[test]
fn a_failing_actor_is_stopped_and_its_parent_and_watchers_are_told_why() {
    let mut world = World::new();
    let (p, w) = (world.puppet("p"), world.puppet("w"));
    world.have(p, move |me, ctx| {
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(
            w,
            order(move |_, ctx| {
                ctx.watch(child).unwrap();
                ctx.tell(child, order(|me, ctx| _ = ctx.spawn(me.other("grandchild")).unwrap()));
                ctx.tell(
                    child,
                    attempt(|_, _| {
                        "seven".parse::<u8>()?;
                        Ok(())
                    }),
                );
                ctx.tell(child, Order::Note(1));
            }),
        );
    });
    assert_eq!(
        world.events(),
        [
            "p started",
            "w started",
            "c started",
            "grandchild started",
            "p decides on c: error: invalid digit found in string",
            "grandchild stopped",
            "c stopped",
            "w hears: c failed (error: invalid digit found in string)"
        ]
    );
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1), (DeadReason::Failed, 1)]);
    assert_eq!(world.stats().failed, 1);
}

#[test]
fn a_failure_names_its_error() {
    let mut world = World::new();
    let seen = Arc::new(Mutex::new(None));
    let store = seen.clone();
    struct Parent(Arc<Mutex<Option<Failure>>>);
    impl Actor for Parent {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            let child = ctx.spawn(Child)?;
            ctx.tell(child, "no number");
            Ok(())
        }
        fn decide(&mut self, _: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
            *lock(&self.0) = Some(failure.clone());
            Directive::Stop
        }
    }
    struct Child;
    impl Actor for Child {
        type Msg = &'static str;
        fn receive(&mut self, text: &'static str, _: &mut Ctx<'_, Self>) -> Outcome {
            text.parse::<u64>()?;
            Ok(())
        }
    }
    world.spawn(Parent(store)).unwrap();
    world.settle();
    let failure = lock(&seen).clone().unwrap();
    assert!(failure.is::<std::num::ParseIntError>() && !failure.is::<std::fmt::Error>());
    assert_eq!(failure.kind(), FailureKind::Error);
    assert_eq!(failure.text(), "invalid digit found in string");
    assert_eq!(failure.error_name(), "core::num::error::ParseIntError");
}

#[test]
fn a_parent_that_fails_over_its_childs_failure_goes_too() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        me.at_failure_of_child = Some(Box::new(|_, _| Err(Failure::new("cannot go on without it"))));
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(child, attempt(|_, _| Err(Failure::new("bad day"))));
    });
    assert_eq!(
        world.events(),
        ["p started", "c started", "p decides on c: error: bad day", "c stopped", "p stopped"]
    );
    assert_eq!(world.stats().failed, 2);
}

#[test]
fn a_handler_that_asks_to_stop_and_then_fails_has_failed() {
    let mut world = World::new();
    let w = world.puppet("w");
    let a = world.puppet("a");
    world.have(w, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.tell(
        a,
        attempt(|_, ctx| {
            ctx.stop_self();
            Err(Failure::new("and failed"))
        }),
    );
    assert_eq!(world.events(), ["a stopped", "w hears: a failed (error: and failed)"]);
}

#[test]
fn a_driver_can_fail_an_actor() {
    let mut world = World::new();
    let (w, a) = (world.puppet("w"), world.puppet("a"));
    world.have(w, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.scope().fail(a, Failure::new("its future was lost"));
    assert_eq!(world.events(), ["a stopped", "w hears: a failed (error: its future was lost)"]);
    world.scope().fail(a, Failure::new("again"));
    world.scope().fail(Address::NOBODY, Failure::new("nobody"));
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.stats().failed, 1);
}

#[test]
fn an_actor_that_has_itself_or_its_parent_failed_finishes_its_handler_first() {
    let mut world = World::new();
    let census = Census::default();
    for fail_parent in [false, true] {
        let p = world.puppet("p");
        let token = census.token();
        world.have(p, move |me, ctx| {
            let child = ctx.spawn(me.other("c").keeping(token)).unwrap();
            ctx.tell(
                child,
                order(move |me, ctx| {
                    let whom = if fail_parent { ctx.parent() } else { ctx.me().address() };
                    ctx.scope().fail(whom, Failure::new("told to"));
                    assert_eq!(me.kept.len(), 1, "the state is still there");
                    me.say("is done");
                }),
            );
        });
        let events = world.events();
        if fail_parent {
            assert_eq!(events, ["p started", "c started", "c is done", "c stopped", "p stopped"]);
        } else {
            let expected =
                ["p started", "c started", "c is done", "p decides on c: error: told to", "c stopped"];
            assert_eq!(events, expected);
            world.stop(p);
            world.events();
        }
        census.expect_none();
    }
    assert_eq!(world.stats().actors, 0);
}
