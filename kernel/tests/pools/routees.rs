//! Routees of a pool: had, replaced, retired, let go, and adopted from other cores.

use corelane_kernel::router::{Pool, PoolError, ResizerConfig, Routee};
use corelane_kernel::{
    Actor, Ctx, DeadReason, Directive, Group, KernelConfig, Outcome, SpawnError, Strategy,
};

use crate::common::{Realm, World};
use crate::rig::{Job, Order, Settings, Worker, expect_idle, have, owner};

#[test]
fn routees_are_named_children_that_stop_with_their_owner() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 3, ..Settings::default() });
    have(&mut world, owner, |owner, ctx| {
        let mut children = Vec::new();
        ctx.children(|child| children.push(child));
        let routees: Vec<_> = owner.pool.routees().iter().map(Routee::address).collect();
        // Newest first, and an adapter among them.
        children.retain(|child| routees.contains(child));
        children.reverse();
        assert_eq!((children, ctx.child("w-2")), (routees.clone(), Some(routees[1])));
        owner.pool.router(ctx).broadcast(ctx, Job::Note(1));
    });
    assert_eq!(world.events(), ["w-1 1", "w-2 1", "w-3 1"]);
    world.stop(owner);
    assert_eq!(world.events(), ["w-3 stopped", "w-2 stopped", "w-1 stopped"]);
    assert_eq!((world.stats().actors, world.letters()), (0, vec![]));
}

#[test]
fn routees_are_spawned_into_their_group() {
    struct Idle;
    impl Actor for Idle {
        type Msg = u64;
        fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    struct Foreman(Pool<Idle>);
    impl Actor for Foreman {
        type Msg = ();
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            self.0.start(ctx)?;
            let groups: Vec<_> = self.0.routees().iter().map(|routee| routee.address().group()).collect();
            assert_eq!(groups, [Group::Bulk, Group::Bulk]);
            Ok(())
        }
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut world = World::new();
    world.spawn(Foreman(Pool::new(2, || Idle).group(Group::Bulk))).unwrap();
    world.settle();
    assert_eq!((world.stats().actors, world.panics.len()), (3, 0));
}

/// Conformance 28.
#[test]
fn a_pool_whose_owner_replaces_who_ends_keeps_its_size() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 2, replaces: true, ..Settings::default() });
    for (ends, comes) in [("w-1", "w-3"), ("w-2", "w-4")] {
        have(&mut world, owner, |owner, ctx| owner.pool.tell(ctx, Job::Fail));
        assert_eq!(world.events(), [format!("{ends} stopped"), "evicted: Left(2)".to_owned()]);
        have(&mut world, owner, |owner, ctx| owner.pool.router(ctx).broadcast(ctx, Job::Note(7)));
        assert_eq!(world.events().last(), Some(&format!("{comes} 7")));
    }
    have(&mut world, owner, |owner, ctx| {
        let stranger = ctx.me().address();
        assert_eq!(owner.pool.replace(ctx, stranger), Ok(false));
        assert_eq!(owner.pool.len(), 2);
        owner.pool.resize(ctx, 1).expect("fewer");
        owner.pool.tell(ctx, Job::Fail);
    });
    let heard = world.events();
    assert_eq!(heard.last().map(String::as_str), Some("evicted: Left(1)"), "the last one as well: {heard:?}");
}

/// Conformance 28.
#[test]
fn a_routee_that_fails_is_evicted_and_with_the_last_one_the_owner_is_told() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 2, ..Settings::default() });
    have(&mut world, owner, |owner, ctx| owner.pool.tell(ctx, Job::Fail));
    assert_eq!(world.events(), ["w-1 stopped", "evicted: Left(1)"]);
    have(&mut world, owner, |owner, ctx| owner.pool.tell(ctx, Job::Fail));
    assert_eq!(world.events(), ["w-2 stopped", "evicted: Last"]);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn a_routee_that_is_restarted_stays_in_its_pool() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 2, restarts: true, ..Settings::default() });
    have(&mut world, owner, |owner, ctx| owner.pool.tell(ctx, Job::Fail));
    assert_eq!(world.events(), ["w-1 stopped"]);
    have(&mut world, owner, |owner, ctx| owner.pool.router(ctx).broadcast(ctx, Job::Note(1)));
    assert_eq!(world.events(), ["w-1 1", "w-2 1"]);
    assert_eq!((world.stats().restarted, world.stats().actors), (1, 3));
}

/// Conformance 28.
#[test]
fn where_a_resizer_exists_the_next_message_finds_new_routees() {
    let mut world = World::new();
    let config = ResizerConfig { lower_bound: 2, messages_per_resize: 1000, ..ResizerConfig::default() };
    let owner = owner(&mut world, &Settings { size: 1, resizer: Some(config), ..Settings::default() });
    expect_idle(&mut world, owner, 2);
    have(&mut world, owner, |owner, ctx| owner.pool.router(ctx).broadcast(ctx, Job::Fail));
    assert_eq!(world.events(), ["w-1 stopped", "w-2 stopped", "evicted: Left(1)", "evicted: Left(0)"]);
    have(&mut world, owner, |owner, ctx| {
        assert!(owner.pool.is_empty());
        owner.pool.tell(ctx, Job::Note(1));
        owner.pool.tell(ctx, Job::Note(2));
    });
    assert_eq!(world.events(), ["w-3 1", "w-4 2"]);
    assert_eq!(world.letters(), [(DeadReason::Failed, 2)]);
}

#[test]
fn a_retired_routee_first_handles_what_it_was_told() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 2, ..Settings::default() });
    have(&mut world, owner, |owner, ctx| {
        (0..4).for_each(|n| owner.pool.tell(ctx, Job::Note(n)));
        let first = owner.pool.routees()[0].address();
        assert!(owner.pool.retire(ctx, first) && !owner.pool.retire(ctx, first));
        (4..6).for_each(|n| owner.pool.tell(ctx, Job::Note(n)));
    });
    assert_eq!(world.events(), ["w-1 0", "w-2 1", "w-1 2", "w-2 3", "w-2 4", "w-2 5", "w-1 stopped"]);
    // No more than the owner and the other one, and nobody was told of an end.
    assert_eq!((world.stats().actors, world.letters()), (2, vec![]));
}

#[test]
fn a_routee_retires_also_if_its_siblings_are_restarted_or_stopped_meanwhile() {
    let all = Strategy::all_for_one();
    let rest = Strategy::rest_for_one().deciding(|_| Directive::Stop);
    for (strategy, left) in [(all, 3), (rest, 2)] {
        let mut world = World::new();
        let owner = owner(&mut world, &Settings { size: 3, ..Settings::default() });
        have(&mut world, owner, move |owner, ctx| {
            owner.strategy = strategy;
            let last = owner.pool.routees()[2].to();
            ctx.tell(last, Job::Fail);
            let first = owner.pool.routees()[0].address();
            assert!(owner.pool.retire(ctx, first));
        });
        let events = world.events();
        assert!(events.iter().any(|event| event == "w-1 stopped"), "{events:?}");
        // The owner, the second, and the last where it was restarted.
        assert_eq!(world.stats().actors, left, "{events:?}");
    }
}

#[test]
fn a_routee_that_is_let_go_stays_a_child_of_whose_end_nobody_is_told() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 2, ..Settings::default() });
    have(&mut world, owner, |owner, ctx| {
        let first = owner.pool.routees()[0].address();
        assert!(owner.pool.release(ctx, first) && !owner.pool.release(ctx, first));
        owner.pool.tell(ctx, Job::Note(1));
    });
    assert_eq!((world.events(), world.stats().actors), (vec!["w-2 1".into()], 3));
    have(&mut world, owner, |_, ctx| ctx.stop(ctx.child("w-1").unwrap()));
    assert_eq!(world.events(), ["w-1 stopped"]);
}

#[test]
fn a_pool_is_resized_by_hand_and_the_idlest_go_first() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 2, ..Settings::default() });
    have(&mut world, owner, |owner, ctx| {
        owner.pool.resize(ctx, 5).unwrap();
        for (at, load) in [3, 0, 1, 0, 2].into_iter().enumerate() {
            let routee = owner.pool.routees()[at].address();
            owner.pool.router(ctx).set_load(routee, load);
        }
        assert_eq!(owner.pool.resize(ctx, 9), Err(PoolError::Full));
        assert_eq!(owner.pool.len(), 5);
        owner.pool.resize(ctx, 2).unwrap();
        assert_eq!(owner.loads(), [3, 2]);
    });
    assert_eq!(world.events(), ["w-4 stopped", "w-2 stopped", "w-3 stopped"]);
    // No name comes twice.
    have(&mut world, owner, |owner, ctx| {
        owner.pool.resize(ctx, 3).unwrap();
        assert!(ctx.child("w-6").is_some());
    });
}

#[test]
fn what_cannot_be_spawned_is_an_error_and_what_was_stays() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 1, ..Settings::default() });
    have(&mut world, owner, |owner, ctx| {
        let log = owner.log.clone();
        ctx.spawner().name("w-3").spawn(Worker { log }).unwrap();
        assert_eq!(owner.pool.resize(ctx, 3), Err(PoolError::Spawn(SpawnError::NameTaken)));
        assert_eq!(owner.pool.len(), 2);
    });
}

#[test]
fn routees_of_other_cores_are_adopted_watched_and_retired_behind_their_messages() {
    let mut realm = Realm::new::<1024>(2, 1 << 20, &KernelConfig::default());
    let log = realm.log();
    let far = [(); 2].map(|()| {
        let worker = Worker { log: log.clone() };
        realm.worlds[1].scope().spawner().spawn(worker).unwrap()
    });
    let owner = owner(&mut realm.worlds[0], &Settings { size: 1, ..Settings::default() });
    realm.settle();
    realm.worlds[0].tell(
        owner,
        Order::Do(Box::new(move |owner, ctx| {
            far.into_iter().for_each(|routee| owner.pool.adopt(ctx, routee).unwrap());
            (0..6).for_each(|n| owner.pool.tell(ctx, Job::Note(n)));
            assert!(owner.pool.retire(ctx, far[0]));
        })),
    );
    let mut heard = realm.events();
    assert_eq!(heard.pop().as_deref(), Some("nameless stopped"));
    heard.sort();
    assert_eq!(heard, ["nameless 1", "nameless 2", "nameless 4", "nameless 5", "w-1 0", "w-1 3"]);
    realm.worlds[1].stop(far[1]);
    assert_eq!(realm.events(), ["nameless stopped", "evicted: Left(1)"]);
    assert_eq!(realm.worlds[1].stats().actors, 0);
    assert_eq!(realm.worlds.iter().map(|world| world.stats().dead_letters).sum::<u64>(), 0);
}
