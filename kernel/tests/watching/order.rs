//! When a notice comes: after all that its target was told, and whoever else ends meanwhile.

use corelane_kernel::{Address, DeadReason, Failure, Group};

use crate::common::{Census, Order, Puppet, World, attempt, order};

#[test]
fn the_notice_comes_after_all_that_the_target_was_told() {
    let mut world = World::new();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    world.have(w, move |me, ctx| {
        ctx.watch(t).unwrap();
        me.at_end_of_other = Some(Box::new(|me, ctx| {
            me.say(ctx.scope().stats().dead_letters);
            Ok(())
        }));
    });
    world.events();
    world.tell(t, order(|_, ctx| ctx.stop_self()));
    // More than a turn handles.
    for n in 0..2000 {
        world.tell(t, Order::Note(n));
    }
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped", "w 2000"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 2000)]);
}

#[test]
fn an_end_in_a_slow_group_is_told_after_its_own_queue_only() {
    let mut world = World::new();
    let (w, busy) = (world.puppet("w"), world.puppet("busy"));
    let slow = Puppet::new("slow", &world.log);
    let slow = world.scope().spawner().group(Group::Background).spawn(slow).unwrap();
    world.have(w, move |_, ctx| ctx.watch(slow).unwrap());
    world.events();
    world.tell(slow, Order::Note(1));
    world.scope().stop(slow);
    world.tell(busy, Order::Note(1));
    assert_eq!(world.events(), ["slow stopped", "busy 1", "w hears: slow stopped"]);
}

#[test]
fn a_watcher_that_ends_first_hears_nothing() {
    let mut world = World::new();
    let census = Census::default();
    let (w, v, t) = (world.puppet("w"), world.puppet("v"), world.puppet("t"));
    let tokens = [census.token(), census.token()];
    world.have(w, move |_, ctx| {
        let [one, two] = tokens;
        ctx.watch_with(t, Order::Carry(one)).unwrap();
        // Its notice is queued when the watcher stops.
        ctx.watch_with(Address::NOBODY, Order::Carry(two)).unwrap();
        ctx.stop_self();
    });
    world.have(v, move |_, ctx| ctx.watch(t).unwrap());
    census.expect_none();
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "v hears: t stopped"]);
}

#[test]
fn two_may_watch_each_other_and_one_itself() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.have(a, move |_, ctx| {
        ctx.watch(b).unwrap();
        let me = ctx.me();
        ctx.watch(me).unwrap();
    });
    world.have(b, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.stop(a);
    world.stop(b);
    assert_eq!(world.events(), ["a stopped", "b hears: a stopped", "b stopped"]);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn both_of_two_that_stop_together_are_gone() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let a = ctx.spawn(me.other("a")).unwrap();
        let b = ctx.spawn(me.other("b")).unwrap();
        ctx.tell(a, order(move |_, ctx| ctx.watch(b).unwrap()));
        ctx.tell(b, order(move |_, ctx| ctx.watch(a).unwrap()));
    });
    world.events();
    world.stop(p);
    let mut events = world.events();
    events.sort();
    // Whichever goes first, the other is stopping by then, and hears nothing.
    assert_eq!(events, ["a stopped", "b stopped", "p stopped"]);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn a_parent_hears_of_a_child_that_it_watches_in_its_own_turn() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.watch(child).unwrap();
        ctx.tell(child, attempt(|_, _| Err(Failure::new("gone wrong"))));
    });
    assert_eq!(
        world.events(),
        [
            "p started",
            "c started",
            "p decides on c: error: gone wrong",
            "c stopped",
            "p hears: c failed (error: gone wrong)"
        ]
    );
}

#[test]
fn a_suspended_watcher_hears_by_its_hook_at_once_and_by_message_when_it_runs() {
    let mut world = World::new();
    let (w, v, t) = (world.puppet("w"), world.puppet("v"), world.puppet("t"));
    world.have(w, move |_, ctx| ctx.watch(t).unwrap());
    world.have(v, move |_, ctx| ctx.watch_with(t, Order::Note(1)).unwrap());
    world.scope().suspend(w).unwrap();
    world.scope().suspend(v).unwrap();
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped"]);
    world.scope().resume(v);
    assert_eq!(world.events(), ["v 1"]);
}
