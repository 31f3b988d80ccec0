//! How a child elsewhere is spawned, what it is known by, and what is heard of its birth.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, ActorRef, Ctx, Failure, KernelConfig, Outcome, SpawnError};

use crate::common::family::{failing, maker};
use crate::common::{Census, Log, Order, Puppet, Realm, attempt, lock, order};
use crate::rig::{Family, PLAIN, bear};

#[test]
fn a_child_elsewhere_is_its_parents_by_name_path_and_address() {
    let mut family = Family::new(PLAIN);
    let (p, known) = (family.p, family.known.clone());
    family.tell(p, bear(1, "c", known, PLAIN));
    assert_eq!(family.realm.events(), ["c started"]);
    let c = family.known.get("c");
    assert_eq!(c.place().shard(), 1);
    assert_eq!(family.realm.worlds[1].scope().path(c).to_string(), "/user/p/c");
    assert_eq!(family.realm.worlds[0].scope().child_of(p, "c"), Some(c.address()));
    assert_eq!(family.realm.worlds[1].scope().named("c"), None, "it is no top-level actor");
    family.realm.have(0, p, move |me, ctx| {
        let mut children = Vec::new();
        ctx.children(|child| children.push(child));
        assert_eq!(children, [c.address()]);
        assert_eq!((ctx.child("c"), ctx.name_of(c)), (Some(c.address()), Some("c")));
        me.say("knows");
    });
    family.realm.have(1, c, move |me, ctx| {
        assert_eq!((ctx.parent(), ctx.name()), (p.address(), Some("c")));
        ctx.spawner().name("g").spawn(me.other("g")).unwrap();
        let g = ctx.child("g").unwrap();
        assert_eq!(ctx.scope().path(g).to_string(), "/user/p/c/g");
        me.say("knows");
    });
    assert_eq!(family.realm.events(), ["p knows", "c knows", "g started"]);
}

#[test]
fn one_without_a_name_and_below_a_long_path_still_has_a_path_of_its_own() {
    let mut realm = Realm::new::<1024>(2, 1 << 20, &KernelConfig::default());
    let log = realm.log();
    let long = "x".repeat(60);
    let mut parent = realm.worlds[0].scope().spawner().name(&long).spawn(Puppet::new("a", &log)).unwrap();
    let spawned: Arc<Mutex<Vec<ActorRef<Order>>>> = Arc::default();
    for depth in 0..4 {
        let (to, log, long) = (spawned.clone(), log.clone(), long.clone());
        let shard = parent.place().shard();
        realm.have(shard, parent, move |_, ctx| {
            let log = log.clone();
            let spawner = ctx.child_on(1 - shard);
            let spawner = if depth == 3 { spawner } else { spawner.name(&long) };
            spawner
                .spawn_from(maker("b", &log), move |born| order(move |_, _| lock(&to).push(born.unwrap())))
                .unwrap();
        });
        parent = *lock(&spawned).last().unwrap();
    }
    let path = |realm: &mut Realm, actor: ActorRef<Order>| {
        realm.worlds[actor.place().shard()].scope().path(actor).to_string()
    };
    let last = lock(&spawned).clone();
    assert_eq!(path(&mut realm, last[0]), format!("/user/{long}/{long}"));
    let unnamed = |path: &str| path.starts_with("/user/$0.") && path.ends_with(&long);
    let third = path(&mut realm, last[2]);
    assert!(path(&mut realm, last[1]).ends_with(&long) && unnamed(&third), "{third}");
    let fourth = path(&mut realm, last[3]);
    assert!(fourth.starts_with(&format!("{third}/$0.")), "{fourth}");
}

#[test]
fn where_the_shard_is_the_parents_own_it_is_a_child_as_any_other() {
    let mut family = Family::new(PLAIN);
    let c = family.child(0, family.p, 0, "c");
    assert_eq!((c.place().shard(), family.alive()), (0, vec![2, 0, 0]));
    family.realm.worlds[0].stop(family.p);
    assert_eq!(family.realm.events(), ["c started", "c stopped", "p stopped"]);
}

#[test]
fn what_cannot_be_spawned_is_refused_at_once_and_leaves_nothing() {
    let mut family = Family::new(PLAIN);
    family.child(0, family.p, 1, "c");
    let before = family.holdings();
    let census = Census::default();
    let token = census.token();
    family.realm.have(0, family.p, move |me, ctx| {
        let log = me.log.clone();
        let mut spawn = |shard, name: &str| {
            let (log, token) = (log.clone(), token.clone());
            let factory = maker("x", &log);
            ctx.child_on(shard).name(name).spawn_from(factory, move |_| Order::Carry(token))
        };
        assert_eq!(spawn(1, "c"), Err(SpawnError::NameTaken));
        assert_eq!(spawn(2, "c"), Err(SpawnError::NameTaken));
        assert_eq!(spawn(0, "c"), Err(SpawnError::NameTaken));
        assert_eq!(spawn(1, "$c"), Err(SpawnError::BadName));
        assert_eq!(spawn(7, "d"), Err(SpawnError::Unreachable));
        assert_eq!(ctx.spawn(me.other("x")).map(drop), Ok(()));
        ctx.stop_children();
    });
    family.realm.settle();
    census.expect_none();
    assert_eq!(family.alive(), [1, 0, 0]);
    let after = family.holdings();
    assert!(after[0].cells < before[0].cells && after[0].records < before[0].records, "{before:?} {after:?}");
}

#[test]
fn a_full_way_refuses_and_a_later_try_finds_room() {
    let config = KernelConfig { outbox_bytes: 1, ..KernelConfig::default() };
    let mut family = Family::of(Realm::new::<128>(3, 1 << 20, &config), PLAIN);
    family.realm.worlds[0].tell(
        family.p,
        attempt(|me, ctx| {
            let refused = (0..10_000).find_map(|_| {
                let log = me.log.clone();
                let factory = maker("c", &log);
                ctx.child_on(1).spawn_from(factory, |born| order(move |_, _| _ = born.unwrap())).err()
            });
            assert_eq!(refused, Some(SpawnError::Full));
            Ok(())
        }),
    );
    family.realm.settle();
    let alive = family.alive()[1];
    assert!(alive > 0);
    family.child(0, family.p, 1, "c");
    assert_eq!(family.alive()[1], alive + 1);
    family.realm.worlds[0].stop(family.p);
    family.realm.settle();
    assert_eq!(family.alive(), [0, 0, 0]);
}

#[test]
fn a_child_for_which_there_is_no_room_there_is_told_of_as_that() {
    let mut family = Family::new(PLAIN);
    let before = family.holdings();
    // Kernel 1 has no room for this state.
    struct Huge([u64; 3000]);
    impl Actor for Huge {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            self.0[0] += 1;
            Ok(())
        }
    }
    while family.realm.worlds[1].spawn(Huge([0; 3000])).is_ok() {}
    family.realm.settle();
    family.realm.have(0, family.p, |_, ctx| {
        let factory = || Huge([0; 3000]);
        ctx.child_on(1)
            .name("huge")
            .spawn_from(factory, |born| order(move |me, _| me.say(format_args!("{:?}", born.map(drop)))))
            .unwrap();
    });
    assert_eq!(family.realm.events(), ["p Err(OutOfMemory)"]);
    assert_eq!(family.holdings()[0], before[0], "the outpost is gone, and its name is free");
}

/// An order to spawn a puppet on a kernel on the puppet's own behalf, by its scope, and to log what is heard of that.
fn bear_for(shard: usize) -> Order {
    attempt(move |me, ctx| {
        let (log, parent) = (me.log.clone(), ctx.me());
        let heard = log.clone();
        let mut scope = ctx.scope();
        let spawner = scope.child_on(parent, shard).expect("a living parent");
        spawner.name("c").spawn_then(maker("c", &log), move |born, scope| {
            let known = born.map(|child| {
                scope.watch(parent, child).unwrap();
                scope.child_of(parent, "c") == Some(child.address())
            });
            heard.add(format!("heard: {known:?}"));
        })?;
        me.say("goes on");
        Ok(())
    })
}

#[test]
fn a_birth_is_heard_of_without_a_message_on_behalf_of_a_parent() {
    for shard in [0, 1] {
        let mut family = Family::new(PLAIN);
        family.realm.worlds[0].scope().suspend(family.p).unwrap();
        family.tell(family.p, bear_for(shard));
        assert_eq!(family.realm.events(), [""; 0]);
        family.realm.worlds[0].scope().resume(family.p);
        let heard = "heard: Ok(true)";
        let mut events = family.realm.events();
        // On the parent's own kernel at once, from elsewhere in no order with what the child does.
        assert!(shard == 1 || events[..2] == [heard, "p goes on"], "{events:?}");
        events.sort_unstable();
        assert_eq!(events, ["c started", heard, "p goes on"]);
        let child = family.realm.worlds[0].scope().child_of(family.p, "c").unwrap();
        family.realm.worlds[shard].scope().stop(child);
        let events = family.realm.events();
        assert!(events[0] == "c stopped" && events[1].starts_with("p hears"), "{events:?}");
        family.realm.worlds[0].stop(family.p);
        assert_eq!(family.realm.events(), ["p stopped"]);
        assert!(family.realm.worlds[0].scope().child_on(family.p, shard).is_none(), "of one that is gone");
    }
}

#[test]
fn the_birth_of_one_that_is_stopped_before_it_is_known_is_heard_of_as_that() {
    for restarts in [false, true] {
        let mut family = Family::new(PLAIN);
        family.tell(family.p, bear_for(1));
        family.realm.worlds[0].settle();
        if restarts {
            family.tell(family.p, failing("oops"));
        } else {
            family.realm.have(0, family.p, |_, ctx| ctx.stop_children());
        }
        let events = family.realm.events();
        let heard: Vec<_> = events.iter().filter(|event| event.starts_with("heard")).collect();
        assert_eq!(heard, ["heard: Err(Stopping)"], "{events:?}");
        assert_eq!(family.alive(), [1, 0, 0]);
    }
}

#[test]
fn a_panic_of_what_tells_of_a_birth_loses_neither_failure_nor_end() {
    for fails in [false, true] {
        let mut family = Family::new(PLAIN);
        family.realm.worlds[0].tell(
            family.p,
            attempt(move |_, ctx| {
                let log = Log::default();
                let factory = move || {
                    let puppet = Puppet::new("c", &log);
                    if fails {
                        Err(Failure::new("no"))
                    } else {
                        Ok(puppet.at_start(|_, ctx| {
                            ctx.stop_self();
                            Ok(())
                        }))
                    }
                };
                ctx.child_on(1).try_spawn_from(factory, |_| panic!("at the birth"))?;
                Ok(())
            }),
        );
        // Birth and end are told of together.
        family.realm.worlds[0].settle();
        family.realm.worlds[1].settle();
        family.realm.settle();
        assert_eq!(family.realm.worlds[0].panics, ["at the birth"]);
        assert_eq!(family.alive(), [1, 0, 0]);
        let log = family.realm.events();
        assert!(log.iter().any(|event| event == "p started"), "{log:?}");
    }
}

#[test]
fn one_that_is_stopped_before_it_is_known_never_lives_on() {
    for turns in 0..4 {
        let mut family = Family::new(PLAIN);
        let (p, known) = (family.p, family.known.clone());
        let before = family.holdings();
        family.tell(p, bear(1, "c", known, PLAIN));
        family.realm.worlds[0].settle();
        for _ in 0..turns {
            family.realm.worlds[1].turn();
        }
        family.realm.have(0, p, |_, ctx| ctx.stop_children());
        family.realm.settle();
        assert_eq!(family.alive(), [1, 0, 0], "{turns}");
        assert_eq!(family.holdings(), before, "{turns}");
        assert!(turns > 0 || lock(&family.known.0).is_empty(), "nothing is told of one that is stopped");
    }
}
