//! Keys: each has one routee, which only joining and leaving change.

use corelane_kernel::ActorRef;
use corelane_kernel::router::{ConsistentHash, Evicted, Router};

use crate::common::World;
use crate::rig::{Job, have, sender, workers};

/// Conformance 29.
#[test]
fn the_same_key_reaches_the_same_routee_by_function_by_message_and_beside_the_message() {
    let key_of = |job: &Job| match job {
        Job::Note(n) | Job::Ask(n, _) => *n,
        _ => 0,
    };
    let mut world = World::new();
    let routees = workers::<5>(&mut world);
    let by_message = sender(&mut world, ConsistentHash::new(), &routees);
    let by_function = sender(&mut world, ConsistentHash::by(key_of), &routees);
    for n in 0..50 {
        have(&mut world, by_message, move |router, ctx| {
            router.tell(ctx, Job::Note(n));
            router.tell(ctx, Job::Note(n));
            let beside = router.pick_for_key(&n);
            ctx.tell(beside, Job::Note(n));
        });
        have(&mut world, by_function, move |router, ctx| router.tell(ctx, Job::Note(n)));
        let heard = world.events();
        assert!(heard.len() == 4 && heard.iter().all(|word| *word == heard[0]), "{heard:?}");
    }
}

/// Conformance 29.
#[test]
fn keys_move_only_to_a_routee_that_joins_and_only_from_one_that_leaves() {
    let mut world = World::new();
    let [a, b, c, d, e] = workers(&mut world);
    let mut router: Router<Job, ConsistentHash, 5> = Router::default();
    let keepers = |router: &mut Router<Job, ConsistentHash, 5>| -> Vec<ActorRef<Job>> {
        (0..500).map(|key: u32| router.pick_for_key(&key)).collect()
    };
    [a, b, c, d].into_iter().for_each(|routee| router.add(routee).unwrap());
    let before = keepers(&mut router);
    router.add(e).unwrap();
    let joined = keepers(&mut router);
    let moved = before.iter().zip(&joined).filter(|(before, joined)| before != joined);
    let moved: Vec<_> = moved.map(|(_, joined)| *joined).collect();
    assert!(moved.iter().all(|to| *to == e));
    assert!((60..=140).contains(&moved.len()), "about a fifth of 500 keys: {}", moved.len());
    assert!(router.remove(e));
    assert_eq!(keepers(&mut router), before);
}

#[test]
fn a_routee_that_comes_under_a_name_has_the_keys_of_the_one_before() {
    let mut world = World::new();
    let [a, b, c, next] = workers(&mut world);
    let mut router: Router<Job, ConsistentHash> = Router::default();
    for (routee, name) in [(a, "north"), (b, "south"), (c, "west")] {
        router.add_named(routee, name).unwrap();
    }
    let before: Vec<_> = (0..200u64).map(|key| router.pick_for_key(&key)).collect();
    assert_eq!(router.evict(b.address()), Evicted::Left(2));
    router.add_named(next, "south").unwrap();
    for (key, before) in (0..200u64).zip(before) {
        assert_eq!(router.pick_for_key(&key), if before == b { next } else { before });
    }
}
