//! Families on several shards: a child elsewhere is its parent's as any other.

mod common;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use common::family::{failing, maker};
use common::{Census, Log, Order, Puppet, Realm, World, attempt, lock, ms, order};
use corelane_kernel::{
    Actor, ActorRef, Address, Backoff, Ctx, DeadReason, Directive, Failure, FailureKind, Holdings,
    KernelConfig, Outcome, SpawnError, Strategy,
};

/// Puppets of several kernels, by name.
#[derive(Clone, Default)]
struct Known(Arc<Mutex<HashMap<&'static str, ActorRef<Order>>>>);

impl Known {
    #[track_caller]
    fn get(&self, name: &str) -> ActorRef<Order> {
        *lock(&self.0).get(name).expect("a puppet that was told of")
    }
}

/// A realm with an actor `p` at the top of kernel 0, from a factory.
struct Family {
    realm: Realm,
    p: ActorRef<Order>,
    known: Known,
}

impl Family {
    fn new(prepare: impl Fn(Puppet) -> Puppet + Send + 'static) -> Family {
        Family::of(Realm::new::<1024>(3, 1 << 20, &KernelConfig::default()), prepare)
    }

    fn supervised(strategy: Strategy) -> Family {
        Family::new(move |puppet| puppet.looking_after(strategy))
    }

    fn of(mut realm: Realm, prepare: impl Fn(Puppet) -> Puppet + Send + 'static) -> Family {
        let log = realm.log();
        let factory = move || prepare(Puppet::new("p", &log));
        let p = realm.worlds[0].scope().spawner().name("p").spawn_from(factory).unwrap();
        realm.events();
        Family { realm, p, known: Known::default() }
    }

    /// Gives `parent`, of a kernel, a child on a kernel; and lets all come to rest.
    #[track_caller]
    fn child(
        &mut self,
        at: usize,
        parent: ActorRef<Order>,
        shard: usize,
        name: &'static str,
    ) -> ActorRef<Order> {
        self.child_like(at, parent, shard, name, |puppet| puppet)
    }

    #[track_caller]
    fn child_like(
        &mut self,
        at: usize,
        parent: ActorRef<Order>,
        shard: usize,
        name: &'static str,
        prepare: impl Fn(Puppet) -> Puppet + Send + 'static,
    ) -> ActorRef<Order> {
        let known = self.known.clone();
        self.realm.worlds[at].tell(parent, bear(shard, name, known, prepare));
        self.realm.settle();
        self.known.get(name)
    }

    fn tell(&mut self, to: ActorRef<Order>, what: Order) {
        let shard = to.place().shard();
        self.realm.worlds[shard].tell(to, what);
    }

    /// Fails an actor, and gives what happened without what every restart says.
    fn fail(&mut self, actor: ActorRef<Order>) -> Vec<String> {
        self.tell(actor, failing("oops"));
        let mut events = self.realm.events();
        events.retain(|event| !event.contains(" restart"));
        events
    }

    /// Of each kernel, without the blocks of its queues.
    fn holdings(&self) -> Vec<Holdings> {
        let of = |world: &World| {
            let mut holdings = world.holdings();
            holdings.blocks = 0;
            holdings
        };
        self.realm.worlds.iter().map(of).collect()
    }

    fn alive(&self) -> Vec<u64> {
        self.realm.worlds.iter().map(|world| world.stats().actors).collect()
    }
}

/// An order to spawn a child on a kernel, and to make it known.
fn bear(
    shard: usize,
    name: &'static str,
    known: Known,
    prepare: impl Fn(Puppet) -> Puppet + Send + 'static,
) -> Order {
    attempt(move |me, ctx| {
        let log = me.log.clone();
        let factory = move || prepare(Puppet::new(name, &log));
        ctx.child_on(shard).name(name).spawn_from(factory, move |born| {
            order(move |me, _| match born {
                Ok(child) => _ = lock(&known.0).insert(name, child),
                Err(error) => me.say(format_args!("is refused {name}: {error:?}")),
            })
        })?;
        Ok(())
    })
}

const PLAIN: fn(Puppet) -> Puppet = |puppet| puppet;

// --- who is who ------------------------------------------------------------------------------------------------------

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

// --- failures --------------------------------------------------------------------------------------------------------

/// Conformance 2.
#[test]
fn a_child_that_failed_is_restarted_as_its_parent_decides_and_keeps_its_messages() {
    let mut family = Family::new(PLAIN);
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    family.tell(c, Order::Note(1));
    family.tell(c, failing("oops"));
    family.tell(c, Order::Note(2));
    // Nothing is decided as long as the parent's core does not turn.
    family.realm.worlds[1].settle();
    family.tell(c, Order::Note(3));
    family.realm.worlds[1].settle();
    assert_eq!(family.realm.log().take(), ["c 1"]);
    assert_eq!(
        family.realm.events(),
        [
            "p decides on c: error: oops",
            "c restarting: error: oops",
            "c stopped",
            "c restarted: error: oops",
            "c started",
            "c 2",
            "c 3"
        ]
    );
    assert_eq!(family.realm.worlds[1].letters(), [(DeadReason::Failed, 1)]);
    assert_eq!(family.realm.worlds[1].stats().restarted, 1);
}

/// Conformance 10.
#[test]
fn while_undecided_all_below_waits_and_resumed_all_goes_on() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Resume));
    let c = family.child(0, family.p, 1, "c");
    let g = family.child(1, c, 2, "g");
    let l = family.child(1, c, 1, "l");
    family.realm.events();
    family.tell(c, failing("oops"));
    for world in [1, 2] {
        family.realm.worlds[world].settle();
    }
    for (actor, n) in [(c, 1), (g, 2), (l, 3)] {
        family.tell(actor, Order::Note(n));
    }
    for world in [1, 2] {
        family.realm.worlds[world].settle();
    }
    assert!(family.realm.log().take().is_empty());
    let mut events = family.realm.events();
    events.sort();
    assert_eq!(events, ["c 1", "g 2", "l 3", "p decides on c: error: oops"]);
    // And again: nothing is left over of the first time.
    let mut again = family.fail(c);
    for (actor, n) in [(c, 1), (g, 2), (l, 3)] {
        family.tell(actor, Order::Note(n));
    }
    again.extend(family.realm.events());
    assert_eq!(again.len(), 4, "{again:?}");
}

#[test]
fn stopped_for_its_failure_its_watchers_hear_why() {
    let mut family = Family::supervised(Strategy::stopping());
    let c = family.child(0, family.p, 1, "c");
    let watcher = family.realm.worlds[2].puppet("w");
    family.realm.have(2, watcher, move |_, ctx| ctx.watch(c).unwrap());
    family.realm.have(0, family.p, move |_, ctx| ctx.watch(c).unwrap());
    family.realm.events();
    let mut events = family.fail(c);
    events.sort();
    let told = ["c stopped", "p decides on c: error: oops", "p hears: c failed (error: oops)"];
    assert_eq!(events[..3], told);
    assert_eq!(events[3..], ["w hears: c failed (error: oops)"]);
    family.realm.have(0, family.p, |me, ctx| assert!(ctx.child("c").is_none(), "{}", me.name));
    assert_eq!(family.alive(), [1, 0, 1]);
}

/// Conformance 8.
#[test]
fn an_escalated_failure_goes_up_over_cores_to_the_top() {
    let mut family = Family::new(PLAIN);
    let escalating = |puppet: Puppet| puppet.looking_after(Strategy::escalating());
    let c = family.child_like(0, family.p, 1, "c", escalating);
    let g = family.child(1, c, 2, "g");
    family.realm.events();
    assert_eq!(
        family.fail(g),
        ["c decides on g: error: oops", "p decides on c: error: oops", "g stopped", "c stopped", "c started"]
    );
    assert_eq!(family.alive(), [1, 1, 0]);
    let config = KernelConfig { supervision: Strategy::escalating(), ..KernelConfig::default() };
    let mut family = Family::of(Realm::new::<1024>(3, 1 << 20, &config), escalating);
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    let events = family.fail(c);
    assert_eq!(events, ["p decides on c: error: oops", "c stopped", "p stopped"]);
    let reason = family.realm.worlds[0].escalated().map(ToString::to_string);
    assert_eq!(reason.as_deref(), Some("error: oops"));
    assert!(family.realm.worlds[1].escalated().is_none());
}

#[test]
fn resumed_far_above_those_go_on_whose_failures_were_escalated_on_the_way() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Resume));
    let escalating = |puppet: Puppet| puppet.looking_after(Strategy::escalating());
    let c = family.child_like(0, family.p, 1, "c", escalating);
    let g = family.child_like(1, c, 2, "g", escalating);
    let l = family.child(2, g, 2, "l");
    let far = family.child(2, g, 0, "f");
    family.realm.events();
    for actor in [l, far, g] {
        let events = family.fail(actor);
        assert_eq!(events.last().map(String::as_str), Some("p decides on c: error: oops"));
        for to in [c, g, l, far] {
            family.tell(to, Order::Note(1));
        }
        let mut events = family.realm.events();
        events.sort();
        assert_eq!(events, ["c 1", "f 1", "g 1", "l 1"]);
    }
}

#[test]
fn one_whose_failure_was_escalated_goes_on_with_a_parent_whose_start_is_let_pass() {
    let decider = |failure: &Failure| match failure.to_string().contains("at its start") {
        true => Directive::Resume,
        false => Directive::Restart,
    };
    let supervision = Strategy::one_for_one().deciding(decider);
    let config = KernelConfig { supervision, ..KernelConfig::default() };
    let made = Arc::new(Mutex::new(0));
    let mut family = Family::of(Realm::new::<1024>(3, 1 << 20, &config), move |puppet| {
        let puppet = puppet.looking_after(Strategy::escalating()).at_restart(|_, _| {});
        *lock(&made) += 1;
        if *lock(&made) == 1 { puppet } else { puppet.at_start(|_, _| Err(Failure::new("at its start"))) }
    });
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    let events = family.fail(c);
    assert_eq!(events, ["p decides on c: error: oops", "p stopped", "p started"]);
    family.tell(c, Order::Note(1));
    assert_eq!(family.realm.events(), ["c 1"]);
}

/// Conformance 8.
#[test]
fn all_and_the_rest_are_restarted_wherever_they_live() {
    for (strategy, expected) in [
        (Strategy::all_for_one(), ["a", "b", "c", "d"].as_slice()),
        (Strategy::rest_for_one(), &["b", "c", "d"]),
        (Strategy::one_for_one(), &["b"]),
    ] {
        for failing_shard in [1, 0] {
            let mut family = Family::supervised(strategy);
            family.child(0, family.p, 0, "a");
            let b = family.child(0, family.p, failing_shard, "b");
            family.child(0, family.p, 1, "c");
            family.child(0, family.p, 2, "d");
            family.realm.events();
            let mut events = family.fail(b);
            events.retain(|event| event.ends_with("started"));
            events.sort();
            let expected: Vec<_> = expected.iter().map(|name| format!("{name} started")).collect();
            assert_eq!(events, expected, "{strategy:?} {failing_shard}");
        }
    }
}

#[test]
fn one_that_is_restarted_with_others_before_its_own_failure_is_heard_is_restarted_once() {
    let mut family = Family::supervised(Strategy::all_for_one());
    let b = family.child(0, family.p, 1, "b");
    let c = family.child(0, family.p, 2, "c");
    family.realm.events();
    family.tell(b, failing("first"));
    family.tell(c, failing("second"));
    // Both have failed before the parent hears of either.
    for world in [1, 2] {
        family.realm.worlds[world].settle();
    }
    let mut events = family.realm.events();
    events.retain(|event| event.ends_with("started") || event.starts_with('p'));
    events.sort();
    let decided = if events[2].contains("first") { "b: error: first" } else { "c: error: second" };
    assert_eq!(events, ["b started", "c started", &format!("p decides on {decided}")]);
    // Neither is left waiting.
    for actor in [b, c] {
        family.tell(actor, Order::Note(1));
    }
    assert_eq!(family.realm.events().len(), 2);
}

/// Conformance 12.
#[test]
fn limits_and_back_off_hold_over_cores() {
    let strategy = Strategy::one_for_one().restarts(2, ms(1000));
    let mut family = Family::supervised(strategy);
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    for _ in 0..2 {
        assert_eq!(family.fail(c), ["p decides on c: error: oops", "c stopped", "c started"]);
    }
    assert_eq!(family.fail(c), ["p decides on c: error: oops", "c stopped"]);
    assert_eq!(family.alive(), [1, 0, 0]);

    let backoff = Backoff::new(ms(100), ms(1000)).jitter(0);
    let mut family = Family::supervised(Strategy::one_for_one().backoff(backoff));
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    assert_eq!(family.fail(c), ["p decides on c: error: oops", "c stopped"]);
    family.tell(c, Order::Note(1));
    family.realm.pass(ms(99));
    assert!(family.realm.events().is_empty());
    family.realm.pass(ms(2));
    assert_eq!(family.realm.events()[1..], ["c started", "c 1"]);
}

/// Conformance 11.
#[test]
fn a_start_that_fails_is_the_parents_to_decide() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Restart));
    let (p, known) = (family.p, family.known.clone());
    let tries = Arc::new(Mutex::new(0));
    let count = tries.clone();
    family.tell(
        p,
        bear(1, "c", known, move |puppet| {
            *lock(&count) += 1;
            let first = *lock(&count) < 3;
            puppet.at_start(move |_, _| if first { Err(Failure::new("not yet")) } else { Ok(()) })
        }),
    );
    family.realm.settle();
    assert_eq!((*lock(&tries), family.alive()[1]), (3, 1));
    family.realm.events();
    // A factory that fails makes nobody, and unless told otherwise that is the end.
    let mut family = Family::new(PLAIN);
    family.realm.have(0, family.p, |_, ctx| {
        let factory = || Err::<Puppet, _>(Failure::new("no"));
        let then = |born: Result<_, SpawnError>| order(move |me, _| me.say(born.is_ok()));
        ctx.child_on(2).name("c").try_spawn_from(factory, then).unwrap();
    });
    assert_eq!(family.realm.events(), ["p decides on somebody: failed start: no", "p true"]);
    assert_eq!(family.alive(), [1, 0, 0]);
    family.realm.have(0, family.p, |_, ctx| assert!(ctx.child("c").is_none()));
}

#[test]
fn a_panic_while_it_is_decided_fails_the_parent_and_stops_the_child() {
    let mut family = Family::new(|mut puppet| {
        puppet.at_failure_of_child = Some(Box::new(|_, _| panic!("no idea")));
        puppet
    });
    let c = family.child(0, family.p, 1, "c");
    family.realm.events();
    let events = family.fail(c);
    assert_eq!(events, ["p decides on c: error: oops", "c stopped", "p stopped", "p started"]);
    assert_eq!(family.alive(), [1, 0, 0]);
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
fn a_parent_that_is_resumed_while_it_waits_for_its_restart_runs_no_sooner() {
    let mut family = Family::new(PLAIN);
    family.child(0, family.p, 1, "c");
    family.realm.events();
    let p = family.p;
    // Its outer reason to wait goes while the end of its child is awaited.
    family.realm.worlds[0].scope().suspend(p).unwrap();
    family.realm.worlds[0].scope().fail(p, Failure::new("oops"));
    family.tell(p, Order::Note(1));
    family.realm.worlds[0].settle();
    assert_eq!(family.realm.log().take(), ["p restarting: error: oops"]);
    family.realm.worlds[0].scope().resume(p);
    family.realm.worlds[0].settle();
    assert_eq!(family.realm.log().take(), [""; 0]);
    assert_eq!(
        family.realm.events(),
        ["c stopped", "p stopped", "p restarted: error: oops", "p started", "p 1"]
    );
    // One that is undecided as well.
    let c = family.child(0, p, 1, "c");
    family.tell(c, failing("no"));
    family.tell(c, Order::Note(2));
    family.realm.worlds[1].settle();
    family.realm.worlds[1].scope().resume(c);
    family.realm.worlds[1].settle();
    let early = family.realm.log().take();
    assert!(!early.iter().any(|event| event == "c 2"), "{early:?}");
    assert_eq!(family.realm.events().last().map(String::as_str), Some("c 2"));
}

#[test]
fn what_waits_below_a_start_that_failed_goes_on_when_that_is_resumed_elsewhere() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Resume));
    let backoff = Backoff::new(ms(100), ms(1000)).jitter(0);
    let strategy = Strategy::one_for_one().backoff(backoff).deciding(|failure| match failure.kind() {
        FailureKind::Start => Directive::Escalate,
        _ => Directive::Restart,
    });
    let c = family.child_like(0, family.p, 1, "c", move |puppet| puppet.looking_after(strategy));
    let made = Arc::new(Mutex::new(0));
    let g = family.child_like(1, c, 1, "g", move |puppet| {
        *lock(&made) += 1;
        let puppet = puppet.at_restart(|_, _| {});
        if *lock(&made) == 1 { puppet } else { puppet.at_start(|_, _| Err(Failure::new("at its start"))) }
    });
    let l = family.child(1, g, 2, "l");
    family.realm.events();
    family.fail(g);
    family.tell(l, Order::Note(1));
    assert_eq!(family.realm.events(), [""; 0], "it waits with its parent");
    family.realm.pass(ms(101));
    let events = family.realm.events();
    assert!(events.iter().any(|event| event.starts_with("p decides on c")), "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("l 1"));
}

// --- ends ------------------------------------------------------------------------------------------------------------

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
fn a_parent_that_is_restarted_waits_for_the_end_of_children_elsewhere() {
    let mut family = Family::new(PLAIN);
    let c = family.child(0, family.p, 1, "c");
    family.child(1, c, 2, "g");
    family.realm.events();
    family.tell(family.p, failing("oops"));
    family.tell(family.p, Order::Note(1));
    family.realm.worlds[0].settle();
    assert_eq!(family.realm.log().take(), ["p restarting: error: oops"]);
    assert_eq!(
        family.realm.events(),
        ["g stopped", "c stopped", "p stopped", "p restarted: error: oops", "p started", "p 1"]
    );
}

/// Or an owner whose pool is empty then would stop, or have routees replaced that are not wanted any more.
#[test]
fn an_instance_that_is_about_to_be_restarted_hears_nothing_of_the_ends_of_its_children() {
    let mut family = Family::new(PLAIN);
    let children = [(0, "a"), (1, "b"), (2, "c")].map(|(shard, name)| {
        let child = family.child(0, family.p, shard, name);
        family.realm.have(0, family.p, move |_, ctx| ctx.watch(child).unwrap());
        child
    });
    family.realm.events();
    family.tell(family.p, failing("oops"));
    // One after the other.
    for at in [0, 1, 0, 2, 0] {
        family.realm.worlds[at].settle();
    }
    let events = family.realm.events();
    assert!(!events.iter().any(|event| event.contains("hears")), "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("p started"));
    assert_eq!(children.len(), 3);
}

#[test]
fn one_whose_restart_waits_for_children_elsewhere_handles_nothing_though_it_is_resumed() {
    let mut family = Family::new(PLAIN);
    family.child(0, family.p, 1, "c");
    family.realm.have(0, family.p, |_, ctx| ctx.suspend_self().unwrap());
    family.realm.events();
    let p = family.p;
    family.tell(p, Order::Note(1));
    family.realm.worlds[0].scope().fail(p, Failure::new("oops"));
    family.realm.worlds[0].settle();
    family.realm.worlds[0].scope().resume(p);
    family.realm.worlds[0].settle();
    assert_eq!(family.realm.log().take(), ["p restarting: error: oops"]);
    let events = family.realm.events();
    assert_eq!(events, ["c stopped", "p stopped", "p restarted: error: oops", "p started", "p 1"]);
}

#[test]
fn one_that_waits_for_a_decision_handles_nothing_though_it_is_resumed() {
    let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Resume));
    let c = family.child(0, family.p, 1, "c");
    family.realm.have(1, c, |_, ctx| ctx.suspend_self().unwrap());
    family.realm.events();
    family.realm.worlds[1].scope().fail(c, Failure::new("oops"));
    family.realm.worlds[1].settle();
    family.realm.worlds[1].scope().resume(c);
    family.tell(c, Order::Note(1));
    family.realm.worlds[1].settle();
    assert!(family.realm.log().take().is_empty());
    assert_eq!(family.realm.events(), ["p decides on c: error: oops", "c 1"]);
}

#[test]
fn whom_one_spawns_while_it_waits_for_a_decision_waits_as_well() {
    let resuming = Strategy::one_for_one().deciding(|_| Directive::Resume);
    let mut family = Family::supervised(resuming);
    let known = family.known.clone();
    let other = family.realm.worlds[1].puppet("o");
    let c = family.child(0, family.p, 1, "c");
    family.realm.have(1, c, move |me, ctx| {
        ctx.watch(other).unwrap();
        me.at_end_of_other = Some(Box::new(move |me, ctx| {
            let log = me.log.clone();
            let near = ctx.spawn_from(move || Puppet::new("n", &log))?;
            lock(&known.0).insert("n", near);
            let Order::Do(deed) = bear(2, "f", known, PLAIN) else { return Ok(()) };
            deed(me, ctx)
        }));
    });
    family.realm.events();
    family.tell(c, failing("oops"));
    family.realm.worlds[1].scope().stop(other);
    for world in [1, 2, 1] {
        family.realm.worlds[world].settle();
    }
    family.realm.log().take();
    let near = family.known.get("n");
    family.tell(near, Order::Note(1));
    family.realm.worlds[1].settle();
    assert!(family.realm.log().take().is_empty());
    let mut events = family.realm.events();
    events.sort();
    assert_eq!(events, ["n 1", "p decides on c: error: oops"]);
    let far = family.known.get("f");
    family.tell(far, Order::Note(2));
    assert_eq!(family.realm.events(), ["f 2"]);
}

#[test]
fn children_elsewhere_that_the_old_instance_leaves_alone_are_restarted_after_it() {
    let mut family = Family::new(|puppet| puppet.at_restart(|_, _| {}));
    let c = family.child_like(0, family.p, 1, "c", |puppet| puppet.at_restart(|_, _| {}));
    let g = family.child(1, c, 2, "g");
    family.realm.events();
    assert_eq!(
        family.fail(family.p),
        ["p stopped", "p started", "c stopped", "c started", "g stopped", "g started"]
    );
    for (actor, n) in [(c, 1), (g, 2)] {
        family.tell(actor, Order::Note(n));
    }
    assert_eq!(family.realm.events(), ["c 1", "g 2"]);
}

#[test]
fn what_waits_for_a_parents_back_off_waits_on_all_cores() {
    let backoff = Backoff::new(ms(100), ms(1000)).jitter(0);
    let config =
        KernelConfig { supervision: Strategy::one_for_one().backoff(backoff), ..KernelConfig::default() };
    let realm = Realm::new::<1024>(3, 1 << 20, &config);
    let mut family = Family::of(realm, |puppet| puppet.at_restart(|_, _| {}));
    let c = family.child_like(0, family.p, 1, "c", |puppet| puppet.at_restart(|_, _| {}));
    let g = family.child(1, c, 2, "g");
    family.realm.events();
    assert_eq!(family.fail(family.p), ["p stopped"]);
    for (actor, n) in [(c, 1), (g, 2)] {
        family.tell(actor, Order::Note(n));
    }
    family.realm.pass(ms(99));
    assert!(family.realm.events().is_empty());
    family.realm.pass(ms(2));
    let mut events = family.realm.events();
    events.retain(|event| !event.contains(" restart"));
    assert_eq!(events[..2], ["p started", "c stopped"]);
    events.sort();
    assert_eq!(events[..3], ["c 1", "c started", "c stopped"]);
    assert!(events.contains(&"g 2".to_owned()), "{events:?}");
}

// --- lost kernels ----------------------------------------------------------------------------------------------------

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

#[test]
fn the_root_of_a_kernel_does_not_look_after_children_from_elsewhere() {
    let config = KernelConfig { supervision: Strategy::all_for_one(), ..KernelConfig::default() };
    let mut family = Family::of(Realm::new::<1024>(3, 1 << 20, &config), PLAIN);
    let c = family.child(0, family.p, 1, "c");
    let log = family.realm.log();
    let top = family.realm.worlds[1].scope().spawn_from(maker("t", &log)).unwrap();
    family.realm.events();
    assert_eq!(family.fail(top), ["t stopped", "t started"]);
    assert_eq!(family.fail(c), ["p decides on c: error: oops", "c stopped", "c started"]);
    let _: Address = c.address();
}

// --- used-up memory --------------------------------------------------------------------------------------------------

/// Takes all memory of a kernel that an actor, or a message to one, can take.
fn fill(world: &mut World) {
    struct Tiny;
    impl Actor for Tiny {
        type Msg = Order;
        fn receive(&mut self, _: Order, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut last = None;
    while let Ok(filler) = world.kernel.spawn(Puppet::new("filler", &Log::default())) {
        last = Some(filler);
    }
    while world.kernel.spawn(Tiny).is_ok() {}
    world.settle();
    let last = last.expect("room for one at least");
    world.scope().suspend(last).unwrap();
    while world.try_tell(last, Order::Note(0)).is_ok() {}
    world.settle();
    while world.try_tell(last, Order::Note(0)).is_ok() {}
}

#[test]
fn neither_report_nor_order_is_lost_where_memory_is_used_up_and_the_lane_full() {
    let children = 60;
    for directive in [Directive::Restart, Directive::Resume, Directive::Stop] {
        let config = KernelConfig { queue_share: 256, ..KernelConfig::default() };
        let strategy = match directive {
            Directive::Restart => Strategy::one_for_one(),
            Directive::Resume => Strategy::one_for_one().deciding(|_| Directive::Resume),
            _ => Strategy::stopping(),
        };
        let realm = Realm::new::<1024>(2, 256 << 10, &config);
        let mut family = Family::of(realm, move |puppet| puppet.looking_after(strategy));
        let all: Arc<Mutex<Vec<ActorRef<Order>>>> = Arc::default();
        let born = all.clone();
        family.realm.have(0, family.p, move |me, ctx| {
            for _ in 0..children {
                let (log, born) = (me.log.clone(), born.clone());
                let then =
                    move |child: Result<_, SpawnError>| order(move |_, _| lock(&born).push(child.unwrap()));
                ctx.child_on(1).spawn_from(maker("c", &log), then).unwrap();
            }
        });
        family.realm.events();
        for world in &mut family.realm.worlds {
            fill(world);
        }
        let all = lock(&all).clone();
        for child in &all {
            family.realm.worlds[1].scope().fail(*child, Failure::new("gone wrong"));
        }
        // First the one end has no way to say what it has to, then the other.
        for world in [1, 0, 1] {
            for _ in 0..5 {
                family.realm.worlds[world].turn();
            }
        }
        let events = family.realm.events();
        let of = |what: &str| events.iter().filter(|event| event.contains(what)).count();
        let (restarted, stopped) = match directive {
            Directive::Restart => (children, children),
            Directive::Resume => (0, 0),
            _ => (0, children),
        };
        assert_eq!(of("p decides on"), children);
        assert_eq!((of("c restarted"), of("c stopped")), (restarted, stopped), "{directive:?}");
        for child in &all {
            family.tell(*child, Order::Note(1));
        }
        let handled = family.realm.events().len();
        assert!(directive == Directive::Stop || handled > 0, "those who live are told");
        family.realm.worlds[0].scope().stop(family.p);
        let events = family.realm.events();
        assert_eq!(events.last().map(String::as_str), Some("p stopped"), "{directive:?}");
        assert_eq!(events.len(), 1 + if directive == Directive::Stop { 0 } else { children });
    }
}
