//! Who ends with whom, also where a kernel is gone.

use corelane_kernel::KernelConfig;

use crate::common::family::maker;
use crate::common::{Census, Log, Realm, World, order};
use crate::rig::{Family, PLAIN, bear};

#[test]
fn children_elsewhere_end_before_their_parent_leaves_first() {
    let mut family = Family::new(PLAIN);
    let before = family.holdings();
    let c = family.child(0, family.p, 1, "c");
    let g = family.child(1, c, 2, "g");
    family.child(2, g, 0, "gg");
    family.child(2, g, 2, "gl");
    family.child(0, family.p, 0, "l");
    family.realm.events();
    family.realm.worlds[0].scope().stop(family.p);
    let events = family.realm.events();
    assert_eq!(events[..2], ["l stopped", "gl stopped"]);
    assert_eq!(events[2..], ["gg stopped", "g stopped", "c stopped", "p stopped"]);
    assert_eq!(family.alive(), [0, 0, 0]);
    for (shard, (before, after)) in before.iter().zip(family.holdings()).enumerate() {
        let own = u32::from(shard == 0);
        assert_eq!(after.cells + own, before.cells, "{shard}");
        assert!(after.records <= before.records, "{shard}: {before:?} {after:?}");
    }
}

#[test]
fn thousands_of_children_on_all_cores_end_with_their_parent() {
    let mut family = Family::of(Realm::new::<65536>(3, 16 << 20, &KernelConfig::default()), PLAIN);
    let before = family.holdings();
    family.realm.have(0, family.p, |me, ctx| {
        for n in 0..6000 {
            let log = Log::default();
            let factory = maker("c", &log);
            ctx.child_on(n % 3).spawn_from(factory, |born| order(move |_, _| _ = born.unwrap())).unwrap();
        }
        me.say("spawned");
    });
    assert_eq!(family.alive(), [2001, 2000, 2000]);
    family.realm.worlds[0].stop(family.p);
    family.realm.settle();
    assert_eq!(family.alive(), [0, 0, 0]);
    let after = family.holdings();
    assert_eq!(after[1..], before[1..]);
    assert_eq!(family.realm.events(), ["p spawned", "p stopped"]);
}

#[test]
fn one_that_stops_by_itself_leaves_its_name_and_no_trace() {
    let mut family = Family::new(PLAIN);
    let before = family.holdings();
    for shard in [1, 2] {
        let c = family.child(0, family.p, shard, "c");
        family.realm.have(shard, c, |_, ctx| ctx.stop_self());
        assert_eq!(family.realm.events(), ["c started", "c stopped"]);
    }
    assert_eq!(family.holdings(), before);
}

#[test]
fn with_its_parents_kernel_a_child_goes_as_well() {
    let mut family = Family::new(PLAIN);
    let c = family.child(0, family.p, 1, "c");
    family.child(1, c, 2, "g");
    family.realm.events();
    let fresh = World::new();
    drop(std::mem::replace(&mut family.realm.worlds[0], fresh));
    family.realm.settle();
    assert_eq!(family.realm.log().take(), Vec::<String>::new());
    let log = family.realm.worlds[1].log.take();
    assert_eq!(log, ["g stopped", "c stopped"]);
    assert_eq!(family.alive(), [0, 0, 0]);
}

#[test]
fn a_parent_ends_also_if_the_kernels_of_its_children_are_gone() {
    let mut family = Family::new(PLAIN);
    let (p, known) = (family.p, family.known.clone());
    family.child(0, p, 1, "c");
    family.tell(p, bear(1, "d", known, PLAIN));
    family.realm.worlds[0].settle();
    family.realm.log().take();
    drop(family.realm.worlds.remove(1));
    family.realm.settle();
    assert_eq!(family.realm.events(), ["p is refused d: Unreachable"]);
    family.realm.have(0, p, |_, ctx| assert_eq!((ctx.child("c"), ctx.child("d")), (None, None)));
    family.realm.worlds[0].stop(p);
    assert_eq!(family.realm.events(), ["p stopped"]);
}

#[test]
fn a_realm_that_is_dropped_drops_every_state_once() {
    let census = Census::default();
    let mut family = Family::new(PLAIN);
    for (n, name) in [(1, "c"), (2, "d"), (0, "e")] {
        let census = census.clone();
        family.child_like(0, family.p, n, name, move |puppet| puppet.keeping(census.token()));
    }
    let (p, known, token) = (family.p, family.known.clone(), census.token());
    // One more is on its way.
    family.tell(p, bear(1, "f", known, move |puppet| puppet.keeping(token.clone())));
    family.realm.worlds[0].settle();
    census.expect(4);
    drop(family);
    census.expect_none();
}

#[test]
fn whoever_stops_all_top_level_actors_stops_families_from_their_heads() {
    let mut family = Family::new(PLAIN);
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    for world in [1, 2] {
        family.realm.worlds[world].scope().stop_all();
        family.realm.settle();
    }
    assert!(family.realm.worlds[1].scope().is_alive(c));
    family.realm.worlds[0].scope().stop_all();
    assert_eq!(family.realm.events(), ["c stopped", "p stopped"]);
}
