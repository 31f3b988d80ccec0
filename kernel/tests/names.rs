//! Names: unique among siblings, free again when their bearer has ended.

mod common;

use std::collections::HashMap;

use common::{Census, Order, Puppet, Random, World, order};
use corelane_kernel::{Actor, Address, Ctx, DeadReason, Outcome, SpawnError, limits::NAME_MAX};

fn spawn(world: &mut World, name: &str) -> Result<Address, SpawnError> {
    let puppet = Puppet::new("a", &world.log);
    world.scope().spawner().name(name).spawn(puppet).map(Address::from)
}

/// Conformance 4. A name is taken on the one core of its parent, so that no race is possible.
#[test]
fn a_name_is_given_once_among_siblings() {
    let mut world = World::new();
    let a = spawn(&mut world, "a").unwrap();
    assert_eq!(spawn(&mut world, "a"), Err(SpawnError::NameTaken));
    spawn(&mut world, "A").unwrap();
    assert_eq!(world.scope().named("a"), Some(a));
    assert_eq!(world.stats().actors, 2);
}

#[test]
fn the_same_name_may_stand_below_another_parent() {
    let mut world = World::new();
    spawn(&mut world, "x").unwrap();
    for parent in ["p", "q"] {
        let parent = world.puppet(parent);
        world.have(parent, |me, ctx| {
            let named = ctx.spawner().name("x").spawn(me.other("x")).unwrap();
            assert_eq!(ctx.child("x"), Some(named.address()));
            assert_eq!(ctx.spawner().name("x").spawn(me.other("x")), Err(SpawnError::NameTaken));
        });
    }
    assert_eq!((world.panics.len(), world.stats().actors), (0, 5));
}

/// Conformance 4.
#[test]
fn malformed_names_are_refused() {
    let mut world = World::new();
    let census = Census::default();
    let long = "n".repeat(NAME_MAX + 1);
    for name in ["", "a b", "a/b", "ü", "$own", "a\n", "a#", "tab\t", "nul\0", "a\u{7f}", "<a>", &long] {
        let puppet = Puppet::new("a", &world.log).keeping(census.token());
        let refused = world.scope().spawner().name(name).spawn(puppet);
        assert_eq!(refused, Err(SpawnError::BadName), "{name:?}");
        census.expect_none();
    }
    assert_eq!((world.stats().actors, world.events()), (0, vec![]));
    let longest = "n".repeat(NAME_MAX);
    for name in ["a", "Z9", "-_.*$+:@&=,!~';()", "a$", "0", &longest] {
        let address = spawn(&mut world, name).unwrap_or_else(|e| panic!("{name:?}: {e}"));
        assert_eq!(world.scope().named(name), Some(address));
    }
    let text = SpawnError::BadName.to_string();
    assert!(text.contains("1 to 64 bytes"), "{text}");
}

/// Conformance 5.
#[test]
fn a_reused_name_is_another_actors_and_the_old_address_stays_dead() {
    let mut world = World::new();
    let puppet = Puppet::new("first", &world.log);
    let first = world.scope().spawner().name("n").spawn(puppet).unwrap();
    world.settle();
    world.stop(first);
    assert_eq!(world.scope().named("n"), None);
    let puppet = Puppet::new("second", &world.log);
    let second = world.scope().spawner().name("n").spawn(puppet).unwrap();
    assert_ne!(first, second);
    world.tell(first, Order::Note(1));
    world.tell(second, Order::Note(2));
    assert_eq!(world.events(), ["first started", "first stopped", "second started", "second 2"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn a_name_is_taken_until_its_bearers_children_have_stopped() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let child = me.other("c").at_stop(|me, ctx| {
            // The hook runs while the name is still its own.
            me.say(ctx.name().unwrap_or("nameless").to_owned());
        });
        let child = ctx.spawner().name("n").spawn(child).unwrap();
        ctx.stop(child);
        assert_eq!(ctx.spawner().name("n").spawn(me.other("d")), Err(SpawnError::NameTaken));
        let me = ctx.me();
        ctx.tell(me, order(|me, ctx| _ = ctx.spawner().name("n").spawn(me.other("d")).unwrap()));
    });
    assert_eq!(world.events(), ["p started", "c started", "c stopped", "c n", "d started"]);
}

#[test]
fn a_failed_spawn_leaves_its_name_free() {
    let mut world = World::sized(16 * 1024);
    struct Big(#[allow(dead_code)] [u64; 200]);
    impl Actor for Big {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut named = Vec::new();
    let failed = loop {
        let name = format!("n{}", named.len());
        match world.scope().spawner().name(&name).spawn(Big([0; 200])) {
            Ok(address) => named.push(address),
            Err(SpawnError::OutOfMemory) => break name,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(named.len() > 2);
    assert_eq!(world.scope().named(&failed), None);
    world.settle();
    world.stop(named[0]);
    let again = world.scope().spawner().name(&failed).spawn(Big([0; 200])).unwrap();
    assert_eq!(world.scope().named(&failed), Some(again.address()));
}

#[test]
fn refused_spawns_take_no_memory_for_good() {
    let mut world = World::new();
    spawn(&mut world, "taken").unwrap();
    world.settle();
    let mut used = Vec::new();
    for _ in 0..1000 {
        let mut scope = world.kernel.scope();
        let puppet = || Puppet::new("a", &world.log);
        let taken = scope.spawner().name("taken").mailbox(5).spawn(puppet());
        let bad = scope.spawner().name("bad name").mailbox(5).spawn(puppet());
        assert_eq!((taken, bad), (Err(SpawnError::NameTaken), Err(SpawnError::BadName)));
        used.push(world.stats().used_bytes);
    }
    assert_eq!(used[1], used[999]);
}

#[test]
fn names_behave_like_a_map_under_random_spawns_and_stops() {
    let mut world = World::sized(4 << 20);
    let mut random = Random(9);
    let mut model: HashMap<String, Address> = HashMap::new();
    for step in 0..20_000 {
        let name = format!("n{}", random.below(300));
        match random.below(3) {
            0 => match (spawn(&mut world, &name), model.get(&name)) {
                (Ok(address), None) => drop(model.insert(name, address)),
                (Err(SpawnError::NameTaken), Some(_)) => {}
                other => panic!("step {step}, {name}: {other:?}"),
            },
            1 => {
                if let Some(address) = model.remove(&name) {
                    world.stop(address);
                }
            }
            _ => assert_eq!(world.scope().named(&name), model.get(&name).copied(), "step {step}"),
        }
        if step % 1000 == 0 {
            world.settle();
            world.log.take();
            for n in 0..300 {
                let name = format!("n{n}");
                assert_eq!(world.scope().named(&name), model.get(&name).copied(), "step {step}");
            }
        }
    }
    let mut used = Vec::new();
    for _ in 0..10 {
        world.scope().stop_all();
        world.settle();
        for n in 0..300 {
            spawn(&mut world, &format!("n{n}")).unwrap();
        }
        used.push(world.stats().used_bytes);
    }
    assert_eq!(used[4], used[9], "names take no memory for good: {used:?}");
}
