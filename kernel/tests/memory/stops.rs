//! Stops for which there is no room among the signals.

use corelane_kernel::SpawnError;

use crate::common::{Census, Puppet, Token, World};
use crate::rig::Tiny;

/// What makes a puppet, and holds a token as long as it could.
fn factory(
    name: &'static str,
    log: &crate::common::Log,
    token: Option<Token>,
) -> impl FnMut() -> Puppet + Send + 'static {
    let log = log.clone();
    move || {
        let _ = &token;
        Puppet::new(name, &log)
    }
}

/// Fills the region one by one, so that the queue of signals keeps its one segment. Then `free` of the cells are given
/// back.
fn fill_but(world: &mut World, free: usize) {
    // The queue of messages takes its segment before that.
    let first = world.puppet("first");
    world.have(first, |_, ctx| ctx.stop_self());
    let mut all = Vec::new();
    while let Ok(filler) = world.kernel.scope().spawn_from(factory("filler", &world.log, None)) {
        all.push(filler);
        world.settle();
    }
    while world.kernel.spawn(Tiny).is_ok() {
        world.settle();
    }
    assert!(all.len() > free, "{} of {free}", all.len());
    for filler in &all[..free] {
        world.stop(*filler);
    }
    world.log.take();
}

#[test]
fn a_stop_that_finds_no_room_among_the_signals_is_not_lost() {
    let mut world = World::sized(64 << 10);
    let census = Census::default();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    fill_but(&mut world, 100);
    let people = census.clone();
    world.have(a, move |me, ctx| {
        // Each takes room for its start; cells there are more of.
        let mut children = Vec::new();
        let error = loop {
            match ctx.spawn_from(factory("c", &me.log, Some(people.token()))) {
                Ok(child) => children.push(child),
                Err(error) => break error,
            }
        };
        assert!(
            error == SpawnError::OutOfMemory && (20..100).contains(&children.len()),
            "{}",
            children.len()
        );
        people.expect(children.len());
        // These were never made and end at once; the others are found when their turn comes.
        for child in &children[5..] {
            ctx.stop(*child);
        }
        people.expect(5);
        ctx.stop(b);
        ctx.stop_self();
        me.say("is done");
    });
    let mut events = world.events();
    assert_eq!(events.remove(0), "a is done");
    assert_eq!(events.iter().filter(|e| *e == "c started").count(), 5, "{events:?}");
    assert_eq!(events.iter().filter(|e| *e == "c stopped").count(), 5, "{events:?}");
    assert!(events.contains(&"a stopped".to_owned()) && events.contains(&"b stopped".to_owned()));
    assert!(!world.scope().is_alive(a) && !world.scope().is_alive(b));
    census.expect_none();
    assert_eq!(world.panics, [""; 0]);
}

#[test]
fn stops_that_find_no_room_survive_panicking_hooks() {
    let mut world = World::sized(64 << 10);
    let a = world.puppet("a");
    let log = world.log.clone();
    let doomed: Vec<_> = (0..5)
        .map(|_| world.kernel.spawn(Puppet::new("d", &log).at_stop(|_, _| panic!("no"))).unwrap())
        .collect();
    // A family, of which each member's hook panics.
    let parent = Puppet::new("p", &log).at_stop(|_, _| panic!("no")).at_start(|me, ctx| {
        for _ in 0..5 {
            ctx.spawn(me.other("c").at_stop(|_, _| panic!("no")))?;
        }
        Ok(())
    });
    let parent = world.kernel.spawn(parent).unwrap();
    fill_but(&mut world, 100);
    world.have(a, move |me, ctx| {
        while ctx.spawn_from(factory("child", &me.log, None)).is_ok() {}
        for one in doomed {
            ctx.stop(one);
        }
        ctx.stop(parent);
    });
    let events = world.events();
    for (who, count) in [("d stopped", 5), ("c stopped", 5), ("p stopped", 1)] {
        assert_eq!(events.iter().filter(|e| *e == who).count(), count, "{who}: {events:?}");
    }
    assert_eq!(world.panics.len(), 11);
    assert!(!world.scope().is_alive(parent));
}
