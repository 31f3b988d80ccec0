//! Pools that grow under pressure and shrink when idle, within their bounds.

use corelane_kernel::SpawnError;
use corelane_kernel::router::{PoolError, ResizerConfig};

use crate::common::World;
use crate::rig::{EAGER, Job, Settings, Worker, expect_idle, have, owner};

/// Conformance 32.
#[test]
fn pressure_grows_a_pool_by_its_rate_and_up_to_its_bound() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 2, resizer: Some(EAGER), ..Settings::default() });
    have(&mut world, owner, |owner, ctx| {
        let sizes: Vec<_> = (0..40)
            .map(|_| {
                owner.work(ctx, 1);
                owner.pool.len()
            })
            .collect();
        // A look before each fourth message. At the third, not all of five have two messages yet.
        assert_eq!(sizes[..21], [2, 2, 2, 2, 3, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6]);
        assert_eq!((sizes[39], owner.loads().iter().sum::<u32>()), (6, 40));
    });
    expect_idle(&mut world, owner, 6);
}

/// Conformance 32.
#[test]
fn idleness_shrinks_a_pool_by_its_rate_and_down_to_its_bound() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 6, resizer: Some(EAGER), ..Settings::default() });
    let mut sizes = Vec::new();
    for _ in 0..28 {
        have(&mut world, owner, |owner, ctx| owner.work(ctx, 1));
        let size = world.stats().actors - 1;
        if sizes.last() != Some(&size) {
            sizes.push(size);
        }
    }
    // A fifth, rounded up.
    assert_eq!(sizes, [6, 4, 3, 2]);
    expect_idle(&mut world, owner, 2);
    assert_eq!(world.letters(), []);
}

/// Conformance 32.
#[test]
fn a_load_between_the_thresholds_leaves_a_pool_as_it_is() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 4, resizer: Some(EAGER), ..Settings::default() });
    have(&mut world, owner, |owner, ctx| {
        for _ in 0..40 {
            for (at, load) in [2, 2, 0, 0].into_iter().enumerate() {
                let routee = owner.pool.routees()[at].address();
                owner.pool.router(ctx).set_load(routee, load);
            }
        }
        assert_eq!(owner.pool.len(), 4);
    });
}

#[test]
fn bounded_mailboxes_are_the_load_where_nobody_acknowledges() {
    let mut world = World::new();
    let settings = Settings { size: 2, mailbox: 100, resizer: Some(EAGER), ..Settings::default() };
    let owner = owner(&mut world, &settings);
    have(&mut world, owner, |owner, ctx| {
        (0..40).for_each(|n| owner.pool.tell(ctx, Job::Note(n)));
        assert_eq!(owner.pool.len(), 6);
    });
    for n in 0..40 {
        have(&mut world, owner, move |owner, ctx| owner.pool.tell(ctx, Job::Note(n)));
    }
    have(&mut world, owner, |owner, _| assert_eq!(owner.pool.len(), 2));
    assert_eq!(
        (world.log.take().iter().filter(|word| !word.contains("stopped")).count(), world.letters()),
        (80, vec![])
    );
}

#[test]
fn bounds_hold_from_the_start_and_the_room_bounds_them() {
    let mut world = World::new();
    for (size, expected) in [(0, 2), (4, 4), (8, 6)] {
        let settings = Settings { size, resizer: Some(EAGER), ..Settings::default() };
        let owner = owner(&mut world, &settings);
        expect_idle(&mut world, owner, expected);
    }
    // Room for eight, where twenty are wanted.
    let config = ResizerConfig { upper_bound: 20, ramp_up_percent: 300, ..EAGER };
    let owner = owner(&mut world, &Settings { size: 4, resizer: Some(config), ..Settings::default() });
    have(&mut world, owner, |owner, ctx| {
        owner.work(ctx, 40);
        assert_eq!((owner.pool.len(), owner.pool.trouble()), (8, None));
    });
    // More than there is room for from the start is an error, which the owner's start passes on.
    let large = Settings { size: 9, ..Settings::default() };
    let before = world.stats().failed;
    let _ = self::owner(&mut world, &large);
    assert_eq!(world.stats().failed, before + 1);
}

#[test]
fn a_pool_that_cannot_grow_says_why_and_goes_on() {
    let mut world = World::new();
    let owner = owner(&mut world, &Settings { size: 2, resizer: Some(EAGER), ..Settings::default() });
    have(&mut world, owner, |owner, ctx| {
        let log = owner.log.clone();
        let obstacle = ctx.spawner().name("w-3").spawn(Worker { log }).unwrap();
        owner.work(ctx, 5);
        assert_eq!(
            (owner.pool.len(), owner.pool.trouble()),
            (2, Some(PoolError::Spawn(SpawnError::NameTaken)))
        );
        ctx.stop(obstacle);
    });
    have(&mut world, owner, |owner, ctx| {
        owner.work(ctx, 8);
        assert_eq!((owner.pool.len(), owner.pool.trouble()), (3, None));
    });
    assert_eq!(world.letters(), []);
}
