//! Deployment by path: what was decided for a named top-level actor comes before what the code says that spawns it.

mod common;

use common::{Puppet, builder, end, with};
use corelane_kernel::{Group, SpawnError};
use corelane_shard::{Deployment, On, RouterKind, SpawnOnError, StartError, System};

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
    let shard = target.place().shard();
    let teller = common::puppet(system, shard);
    with(&mut gateway, teller, move |ctx| {
        (0..20).take_while(|_| ctx.try_tell(target, common::Job::from(())).is_ok()).count()
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

#[test]
fn parents_and_pools_can_ask_what_is_decided_below_them() {
    let pool = Deployment::new().router(RouterKind::ConsistentHash).routees(8);
    let worker = Deployment::new().group(Group::Background).mailbox(10);
    let system = builder(1).deploy("/user/pool", pool).deploy("/user/pool/*", worker).start().unwrap();
    assert_eq!(system.deployment("/user/pool"), Some(pool));
    assert_eq!(system.deployment("/user/pool/a"), Some(worker));
    assert_eq!(system.deployment("/user/else"), None);
    let decided = system.deployment("/user/pool/a").unwrap();
    let parent = common::puppet(&system, 0);
    let mut gateway = system.gateway().unwrap();
    let child = with(&mut gateway, parent, move |ctx| decided.apply(ctx.spawner()).spawn(Puppet::default()));
    assert_eq!(child.unwrap().address().group(), Group::Background);
    end(system);
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
