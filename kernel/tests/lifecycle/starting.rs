//! Starts: who starts when, from a value or from a factory, and starts that fail.

use corelane_kernel::{Actor, Ctx, DeadReason, Failure, Outcome};

use crate::common::{Census, Order, Puppet, World, attempt};

#[test]
fn started_runs_before_the_first_message_and_stopped_after_the_last() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.tell(a, Order::Note(1));
    world.tell(a, Order::Note(2));
    assert_eq!(world.events(), ["a started", "a 1", "a 2"]);
    world.stop(a);
    assert_eq!(world.events(), ["a stopped"]);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn actors_start_in_the_order_in_which_they_were_spawned() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.puppet(name);
    }
    assert_eq!(world.events(), ["a started", "b started", "c started"]);
}

#[test]
fn a_child_starts_after_the_handler_that_spawned_it_and_before_its_first_message() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.have(a, |me, ctx| {
        let b = ctx.spawn(me.other("b")).unwrap();
        ctx.tell(b, Order::Note(1));
        me.say("is done");
    });
    assert_eq!(world.events(), ["a started", "a is done", "b started", "b 1"]);
}

#[test]
fn an_actor_stopped_before_its_first_turn_starts_and_stops() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.tell(a, Order::Note(1));
    world.stop(a);
    assert_eq!(world.events(), ["a started", "a stopped"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn an_actor_that_ends_before_its_start_has_no_hooks_and_its_state_is_dropped_once() {
    let mut world = World::new();
    let a = world.puppet("a");
    let census = Census::default();
    let (plain, with_side) = (census.token(), census.token());
    world.have(a, move |me, ctx| {
        // The stop comes before their start signals.
        ctx.stop_self();
        let b = ctx.spawn(me.other("b").keeping(plain)).unwrap();
        ctx.tell(b, Order::Note(1));
        ctx.spawner().name("c").spawn(me.other("c").keeping(with_side)).unwrap();
        let mut log = Some(me.other("d"));
        ctx.spawn_from(move || log.take().unwrap()).unwrap();
    });
    assert_eq!(world.events(), ["a started", "a stopped"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
    assert_eq!(world.stats().actors, 0);
    census.expect_none();
}

#[test]
fn a_factory_makes_the_state_when_the_actor_starts() {
    let mut world = World::new();
    let log = world.log.clone();
    let a = world
        .scope()
        .spawn_from(move || {
            log.add("made");
            Puppet::new("a", &log)
        })
        .unwrap();
    assert_eq!(world.log.take(), [""; 0]);
    world.tell(a, Order::Note(1));
    assert_eq!(world.events(), ["made", "a started", "a 1"]);
}

#[test]
fn a_state_need_not_be_send() {
    struct Local(std::rc::Rc<std::cell::Cell<u32>>);
    impl Actor for Local {
        type Msg = u32;
        fn receive(&mut self, n: u32, _: &mut Ctx<'_, Self>) -> Outcome {
            self.0.set(self.0.get() + n);
            Ok(())
        }
    }
    let mut world = World::new();
    let sum = std::rc::Rc::new(std::cell::Cell::new(0));
    let a = world.spawn(Local(sum.clone())).unwrap();
    world.tell(a, 40);
    world.tell(a, 2);
    world.settle();
    assert_eq!(sum.get(), 42);
}

#[test]
fn a_factory_that_fails_is_its_actors_failure_before_anything_was_handled() {
    let mut world = World::new();
    let log = world.log.clone();
    let parent = world.puppet("p");
    world.have(parent, move |me, ctx| {
        let child = ctx
            .spawner()
            .try_spawn_from(move || -> Result<Puppet, Failure> {
                log.add("tried");
                Err(Failure::new("no database"))
            })
            .unwrap();
        me.log.know(child.address(), "c");
        ctx.watch(child).unwrap();
        ctx.tell(child, Order::Note(1));
    });
    let events = world.events();
    assert_eq!(
        events,
        [
            "p started",
            "tried",
            "p decides on c: failed start: no database",
            "p hears: c failed (failed start: no database)"
        ]
    );
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
    assert_eq!((world.stats().failed, world.stats().actors), (1, 1));
}

#[test]
fn a_started_hook_that_fails_ends_the_actor_before_its_first_message() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let child = me.other("c").at_start(|_, _| Err(Failure::new("not today")));
        let child = ctx.spawn(child).unwrap();
        ctx.tell(child, Order::Note(1));
    });
    assert_eq!(
        world.events(),
        ["p started", "c started", "p decides on c: failed start: not today", "c stopped"]
    );
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn an_actor_whose_factory_never_ran_is_stopped_without_hooks() {
    let mut world = World::new();
    let census = Census::default();
    let token = census.token();
    let p = world.puppet("p");
    world.have(p, move |me, ctx| {
        let log = me.log.clone();
        let child = ctx.spawn_from(move || {
            let _ = &token;
            log.add("made");
            Puppet::new("c", &log)
        });
        // The parent's own end is asked for first, the child's start comes before it; a failure comes before both.
        let child = child.unwrap();
        ctx.watch(child).unwrap();
        ctx.stop(child);
    });
    assert_eq!(world.events(), ["p started", "made", "c started", "c stopped", "p hears: c stopped"]);
    census.expect_none();
}

#[test]
fn children_spawned_by_a_handler_that_fails_stop_without_having_been_made() {
    let mut world = World::new();
    let census = Census::default();
    let token = census.token();
    let p = world.puppet("p");
    world.settle();
    world.tell(
        p,
        attempt(move |me, ctx| {
            let log = me.log.clone();
            let made = move || {
                let _ = &token;
                log.add("made");
                Puppet::new("c", &log)
            };
            ctx.spawn_from(made).unwrap();
            Err(Failure::new("changed my mind"))
        }),
    );
    assert_eq!(world.events(), ["p started", "p stopped"]);
    census.expect_none();
    assert_eq!(world.stats().actors, 0);
}
