//! Deployment by path: what was decided for an actor with a name comes before what the code says that spawns it.

mod common;

use std::sync::mpsc::{Sender, channel};

use common::{Job, Puppet, builder, end, next, with};
use corelane_kernel::router::{AnyStrategy, ConsistentHash, KeyOf, Pool};
use corelane_kernel::{Actor, ActorRef, Ctx, Group, Outcome, Scope, SpawnError, Terminated};
use corelane_shard::{
    CallError, DeployPool, DeployPoolError, Deployment, Gateway, On, RouteesOn, RouterKind, ShardCtx,
    SpawnOnError, StartError, System,
};

/// Conformance 21.
#[test]
fn what_is_decided_for_a_path_comes_before_the_code() {
    let decided = Deployment::new().on(On::Shard(1)).group(Group::Urgent);
    let system = builder(2).deploy("/user/decided", decided).start().unwrap();
    for (name, shard, group) in [("decided", 1, Group::Urgent), ("free", 0, Group::Bulk)] {
        let spawner = system.spawner(name).on(On::Shard(0)).group(Group::Bulk);
        let actor = spawner.spawn(Puppet::default).unwrap();
        assert_eq!((actor.place().shard(), actor.address().group()), (shard, group), "{name}");
        let named = system.call(shard, move |scope| scope.named(name)).unwrap();
        assert_eq!(named, Some(actor.address()));
    }
    end(system);
}

/// A puppet is told so often by its own core that its mailbox is full, and says how often that worked.
fn takes(system: &System, name: &str, code: u32) -> usize {
    let mut gateway = system.gateway().unwrap();
    let target = system.spawner(name).mailbox(code).spawn(Puppet::default).unwrap();
    let teller = common::puppet(system, target.place().shard());
    accepts(&mut gateway, teller, target)
}

/// How many of twenty messages find room.
fn accepts(gateway: &mut Gateway, teller: ActorRef<Job>, target: ActorRef<Job>) -> usize {
    with(gateway, teller, move |ctx| {
        (0..20).take_while(|_| ctx.try_tell(target, Job::from(())).is_ok()).count()
    })
}

#[test]
fn a_mailbox_is_bounded_as_decided_and_otherwise_as_the_code_says() {
    let system = builder(1)
        .deploy("/user/*", Deployment::new().mailbox(3))
        .deploy("/user/own", Deployment::new().group(Group::Normal))
        .deploy("/user/unbounded", Deployment::new().mailbox(0))
        .start()
        .unwrap();
    assert_eq!(takes(&system, "any", 5), 3);
    // Its own deployment applies, and leaves the mailbox to the code.
    assert_eq!(takes(&system, "own", 5), 5);
    assert_eq!(takes(&system, "unbounded", 5), 20);
    end(system);
}

#[test]
fn names_are_unique_and_checked_and_a_factory_may_fail() {
    let system = builder(1).start().unwrap();
    system.spawner("one").spawn(Puppet::default).unwrap();
    let refused = system.spawner("one").spawn(Puppet::default);
    assert_eq!(refused, Err(SpawnOnError::Spawn(SpawnError::NameTaken)));
    let refused = system.spawner("no name").spawn(Puppet::default);
    assert_eq!(refused, Err(SpawnOnError::Spawn(SpawnError::BadName)));
    let failing = system.spawner("failing").try_spawn(|| {
        let number: u32 = "none".parse()?;
        Ok(Puppet::default().holds(number))
    });
    assert!(failing.is_ok());
    common::await_some(|| (system.call(0, |scope| scope.stats().failed) == Ok(1)).then_some(()));
    end(system);
}

/// A child of a puppet, of which the code says that it is a bulk actor.
fn child(system: &System, parent: ActorRef<Job>, name: Option<&'static str>) -> ActorRef<Job> {
    let mut gateway = system.gateway().unwrap();
    with(&mut gateway, parent, move |ctx| {
        let spawner = ctx.spawner().group(Group::Bulk);
        let spawner = match name {
            Some(name) => spawner.name(name),
            None => spawner,
        };
        spawner.spawn(Puppet::default()).unwrap()
    })
}

#[test]
fn children_with_a_name_have_what_is_decided_without_their_parent_asking() {
    let worker = Deployment::new().group(Group::Background).mailbox(2).on(On::Shard(0));
    let system = builder(2)
        .deploy("/user/parent/*", worker)
        .deploy("/user/parent/own", Deployment::new().mailbox(4))
        .deploy("/user/*/any/leaf", Deployment::new().group(Group::Urgent))
        .start()
        .unwrap();
    let parent = system.spawn_named(On::Shard(1), "parent", Puppet::default).unwrap();
    let any = child(&system, parent, Some("any"));
    let own = child(&system, parent, Some("own"));
    let nameless = child(&system, parent, None);
    let leaf = child(&system, any, Some("leaf"));
    let found = [any, own, nameless, leaf].map(|child| (child.place().shard(), child.address().group()));
    // The shard is the parent's, whatever is decided.
    assert_eq!(found, [(1, Group::Background), (1, Group::Bulk), (1, Group::Bulk), (1, Group::Urgent)]);
    let mut gateway = system.gateway().unwrap();
    for (target, taken) in [(any, 2), (own, 4), (nameless, 20), (leaf, 20)] {
        assert_eq!(accepts(&mut gateway, parent, target), taken);
    }
    end(system);
}

#[test]
fn all_ways_to_spawn_a_name_at_the_top_hold_to_what_is_decided() {
    let decided = Deployment::new().on(On::Shard(1)).group(Group::Urgent);
    let system = builder(2).deploy("/user/*", decided).start().unwrap();
    let named = system.spawn_named(On::Shard(0), "named", Puppet::default).unwrap();
    assert_eq!((named.place().shard(), named.address().group()), (1, Group::Urgent));
    // On a shard already: only its shard is its own.
    let spawn = |scope: &mut Scope<'_>| scope.spawner().name("inside").spawn(Puppet::default()).unwrap();
    let inside = system.call(0, spawn).unwrap();
    assert_eq!((inside.place().shard(), inside.address().group()), (0, Group::Urgent));
    end(system);
}

#[test]
fn a_name_is_free_again_on_all_shards_when_its_actor_could_not_be_spawned() {
    let system = builder(2).region_bytes(1 << 20).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    // One after the other, of names and of nothing, until not even a name has room.
    let fill = |scope: &mut Scope<'_>| {
        let mut refused = Vec::new();
        for n in 0..100_000 {
            let name = format!("n{n}");
            if scope.spawner().name(&name).spawn(Puppet::default()).is_err() {
                refused.push(name);
                if refused.len() == 3 || scope.spawn(Puppet::default()).is_err() {
                    break;
                }
            }
        }
        refused
    };
    let refused = system.call(0, fill).unwrap();
    assert!(!refused.is_empty());
    let nowhere = system.spawner("nowhere").on(On::Shard(2)).spawn(Puppet::default);
    assert_eq!(nowhere, Err(SpawnOnError::Call(CallError::NoSuchShard)));
    for name in refused.iter().map(String::as_str).chain(["nowhere"]) {
        let spawned = system.spawner(name).on(On::Shard(1)).spawn(Puppet::default).unwrap();
        with(&mut gateway, spawned, |_| ());
    }
    end(system);
}

#[test]
fn what_is_decided_can_be_asked_for() {
    let pool = Deployment::new().router(RouterKind::ConsistentHash).routees(8);
    let worker = Deployment::new().group(Group::Background).mailbox(10);
    let system =
        builder(1).deploy("/user/pool", pool.clone()).deploy("/user/pool/*", worker.clone()).start().unwrap();
    assert_eq!(system.deployment("/user/pool"), Some(pool));
    assert_eq!(system.deployment("/user/pool/a"), Some(worker));
    assert_eq!(system.deployment("/user/else"), None);
    let decided = system.deployment("/user/pool/a").unwrap();
    let parent = common::puppet(&system, 0);
    let mut gateway = system.gateway().unwrap();
    // For one without a name, which has no path of its own.
    let child = with(&mut gateway, parent, move |ctx| decided.apply(ctx.spawner()).spawn(Puppet::default()));
    assert_eq!(child.unwrap().address().group(), Group::Background);
    end(system);
}

/// Finds the key in a message: a type that can be written down.
type Keyed = AnyStrategy<fn(&u64) -> u64>;

/// Does nothing.
struct Worker;

impl Actor for Worker {
    type Msg = u64;
    fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// Starts its pool as it is deployed, and says what came of it.
struct Foreman<S: 'static> {
    pool: Pool<Worker, S>,
    started: Sender<(RouterKind, usize, Group)>,
}

impl<K: KeyOf<u64> + 'static> Actor for Foreman<AnyStrategy<K>> {
    type Msg = ();
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.pool.start_deployed(ctx)?;
        let group = self.pool.routees()[0].address().group();
        self.started.send((self.pool.strategy_mut().kind(), self.pool.len(), group))?;
        Ok(())
    }
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.pool.evict(gone.address);
        Ok(())
    }
}

fn keyless(
    started: &Sender<(RouterKind, usize, Group)>,
) -> impl FnMut() -> Foreman<AnyStrategy> + Send + use<> {
    let started = started.clone();
    move || Foreman {
        pool: Pool::new(2, || Worker).strategy(AnyStrategy::new()).named("worker"),
        started: started.clone(),
    }
}

fn keyed(started: &Sender<(RouterKind, usize, Group)>) -> impl FnMut() -> Foreman<Keyed> + Send + use<> {
    let (started, key) = (started.clone(), ConsistentHash::by(|message: &u64| *message));
    move || Foreman {
        pool: Pool::new(2, || Worker).strategy(AnyStrategy::keyed(key)).named("worker"),
        started: started.clone(),
    }
}

#[test]
fn a_pool_routes_as_decided_and_has_as_many_routees() {
    let system = builder(1)
        .deploy("/user/least", Deployment::new().router(RouterKind::SmallestLoad).routees(5))
        .deploy("/user/hash", Deployment::new().router(RouterKind::ConsistentHash))
        .deploy("/user/many", Deployment::new().routees(16))
        .deploy("/user/least/worker-1", Deployment::new().group(Group::Bulk))
        .start()
        .unwrap();
    let (started, has_started) = channel();
    for (name, kind, routees, group) in [
        ("code", RouterKind::RoundRobin, 2, Group::Normal),
        ("least", RouterKind::SmallestLoad, 5, Group::Bulk),
        ("many", RouterKind::RoundRobin, 16, Group::Normal),
    ] {
        system.spawner(name).spawn(keyless(&started)).unwrap();
        assert_eq!(next(&has_started), (kind, routees, group), "{name}");
    }
    system.spawner("hash").spawn(keyed(&started)).unwrap();
    assert_eq!(next(&has_started), (RouterKind::ConsistentHash, 2, Group::Normal));
    end(system);
}

#[test]
fn what_a_pool_cannot_honour_fails_its_owner_at_the_start_with_the_reason() {
    for (name, deployment, text) in [
        (
            "hash",
            Deployment::new().router(RouterKind::ConsistentHash),
            "router: consistent-hash has no key to go by in the code; deployed for",
        ),
        (
            "all",
            Deployment::new().router(RouterKind::Broadcast).routees(3),
            "router: broadcast is a call in code, not a pick; deployed for \"/user/top/all\"",
        ),
        (
            "many",
            Deployment::new().routees(17),
            "routees: 17, and the pool has room for 16; deployed for \"/user/top/many\"",
        ),
    ] {
        let system = builder(1).deploy(format!("/user/top/{name}"), deployment).start().unwrap();
        let (failed, failures) = channel();
        let mut once = Some(Puppet::default().failures(failed));
        let top = system.spawner("top").spawn(move || once.take().unwrap()).unwrap();
        let (started, has_started) = channel();
        let foreman = keyless(&started);
        let mut gateway = system.gateway().unwrap();
        with(&mut gateway, top, move |ctx| ctx.spawner().name(name).spawn_from(foreman)).unwrap();
        let (_, failure) = next(&failures);
        assert!(failure.is::<DeployPoolError>());
        assert!(failure.to_string().contains(text), "{failure}");
        assert!(has_started.try_recv().is_err());
        end(system);
    }
}

/// Conformance 21.
#[test]
fn a_deployment_that_makes_no_sense_is_refused_at_the_start() {
    for (path, deployment, words) in [
        ("orders", Deployment::new(), &["\"orders\"", "begins with /user/"][..]),
        ("/user/a*", Deployment::new(), &["\"/user/a*\"", "whole name"]),
        ("/user/a", Deployment::new().on(On::Shard(2)), &["\"/user/a\"", "no shard 2", "2 run"]),
    ] {
        let error = builder(2).deploy(path, deployment).start().map(|_| ()).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StartError::Config(_)), "{error:?}");
        assert!(words.iter().all(|word| text.contains(word)), "{text:?} does not mention {words:?}");
    }
}

#[test]
fn a_pool_of_children_does_not_pass_over_shards_that_are_decided() {
    let system = builder(2)
        .deploy("/user/spread", Deployment::new().routees_on(RouteesOn::Spread))
        .deploy("/user/own", Deployment::new().routees_on(RouteesOn::Own))
        .deploy("/user/back", Deployment::new().routees_on(RouteesOn::Shards { first: 1, last: 1 }))
        .start()
        .unwrap();
    let (started, has_started) = channel();
    system.spawner("own").spawn(keyless(&started)).unwrap();
    assert_eq!(next(&has_started).1, 2);
    for name in ["spread", "back"] {
        let before = failed(&system);
        system.spawner(name).spawn(keyless(&started)).unwrap();
        common::await_some(|| (failed(&system) == before + 1).then_some(()));
    }
    assert!(has_started.try_recv().is_err());
    end(system);
}

fn failed(system: &System) -> u64 {
    (0..system.shards()).map(|shard| system.call(shard, |scope| scope.stats().failed).unwrap()).sum()
}

/// Spawns from within an actor, and hands on what it is told.
struct Opener {
    opened: Sender<Result<ActorRef<Job>, SpawnOnError>>,
}

type Opening = Box<dyn FnOnce(&mut Ctx<'_, Opener>) + Send>;

enum Open {
    Do(Opening),
    Opened(Result<ActorRef<Job>, SpawnOnError>),
}

impl Actor for Opener {
    type Msg = Open;
    fn receive(&mut self, msg: Open, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Open::Do(what) => what(ctx),
            Open::Opened(opened) => self.opened.send(opened)?,
        }
        Ok(())
    }
}

/// Conformance 21.
#[test]
fn an_actor_spawns_a_name_on_any_shard_as_it_is_decided() {
    let decided = Deployment::new().on(On::Shard(1)).group(Group::Urgent);
    let system = builder(2)
        .deploy("/user/decided", decided)
        .deploy("/user/bound", Deployment::new().mailbox(2))
        .start();
    let system = system.unwrap();
    let (opened, has_opened) = channel();
    let opener = system.spawn_on(On::Shard(0), move || Opener { opened: opened.clone() }).unwrap();
    let mut gateway = system.gateway().unwrap();
    let mut open = |name: Option<&'static str>, on: On| {
        gateway.tell(
            opener,
            Open::Do(Box::new(move |ctx| {
                let spawner = ctx.spawner_on(on).group(Group::Bulk).mailbox(7);
                let spawner = match name {
                    Some(name) => spawner.name(name),
                    None => spawner,
                };
                spawner.spawn(Puppet::default, Open::Opened);
            })),
        );
        next(&has_opened)
    };
    let mut found = Vec::new();
    for (name, on) in [(Some("decided"), 0), (Some("bound"), 1), (Some("free"), 0), (None, 1)]
        .map(|(n, s)| (n, On::Shard(s)))
    {
        let actor = open(name, on).unwrap();
        found.push((actor, actor.place().shard(), actor.address().group()));
        assert_eq!(name.map(|name| system.lookup(&format!("/user/{name}"))), name.map(|_| Ok(actor)));
    }
    assert_eq!(
        found.iter().map(|(_, shard, group)| (*shard, *group)).collect::<Vec<_>>(),
        [(1, Group::Urgent), (1, Group::Bulk), (0, Group::Bulk), (1, Group::Bulk)]
    );
    for (name, on, error) in [
        (Some("free"), 1, SpawnOnError::Spawn(SpawnError::NameTaken)),
        (Some("no name"), 0, SpawnOnError::Spawn(SpawnError::BadName)),
        (None, 2, SpawnOnError::Call(CallError::NoSuchShard)),
    ] {
        assert_eq!(open(name, On::Shard(on)), Err(error));
    }
    // The mailbox: what the code says, unless it is decided.
    for (at, taken) in [(0, 7), (1, 2), (3, 7)] {
        let (target, shard, _) = found[at];
        let teller = common::puppet(&system, shard);
        let mut gateway = system.gateway().unwrap();
        assert_eq!(accepts(&mut gateway, teller, target), taken, "{at}");
    }
    end(system);
}

#[test]
fn a_factory_that_an_actor_gives_to_another_shard_may_fail() {
    let system = builder(2).start().unwrap();
    let (opened, has_opened) = channel();
    let opener = system.spawn_on(On::Shard(0), move || Opener { opened: opened.clone() }).unwrap();
    let failing = |ctx: &mut Ctx<'_, Opener>| {
        let factory = || {
            let number: u32 = "none".parse()?;
            Ok(Puppet::default().holds(number))
        };
        ctx.spawner_on(On::Shard(1)).name("failing").try_spawn(factory, Open::Opened);
    };
    system.gateway().unwrap().tell(opener, Open::Do(Box::new(failing)));
    assert!(next(&has_opened).is_ok());
    common::await_some(|| (system.call(1, |scope| scope.stats().failed) == Ok(1)).then_some(()));
    end(system);
}
