//! Routees that join, leave, die, or cannot be watched; and whose turn it is then.

use corelane_kernel::router::{AddError, Evicted, RoundRobin, Routee, Router};
use corelane_kernel::{ActorRef, DeadReason};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};
use proptest::sample::Index;

use crate::common::{Log, World};
use crate::rig::{Job, Manner, Order, Worker, have, sender, workers};

#[test]
fn a_routee_is_added_once_and_a_full_router_says_so() {
    let mut world = World::new();
    let [a, b, c] = workers(&mut world);
    let mut router: Router<Job, RoundRobin, 2> = Router::default();
    assert_eq!([a, a, b, a].map(|routee| router.add(routee)), [Ok(()); 4]);
    assert_eq!((router.len(), router.add(c)), (2, Err(AddError::Full)));
    assert_eq!((router.remove(a), router.remove(a), router.add(c)), (true, false, Ok(())));
    let row: Vec<_> = router.routees().iter().map(Routee::to).collect();
    assert_eq!(row, [b, c]);
    assert_eq!((router.evict(a.address()), router.evict(b.address())), (Evicted::Stranger, Evicted::Left(1)));
    assert_eq!((router.evict(c.address()), router.is_empty()), (Evicted::Last, true));
}

/// Conformance 28.
#[test]
fn a_routee_that_dies_is_evicted_and_the_last_one_takes_the_sender_along() {
    let mut world = World::new();
    let [a, b, c] = workers(&mut world);
    let sender = sender(&mut world, RoundRobin::new(), &[]);
    have(&mut world, sender, move |router, ctx| {
        [a, b, c].into_iter().for_each(|routee| router.add_watched(ctx, routee).unwrap());
    });
    world.tell(b, Job::Fail);
    assert_eq!(world.events(), ["evicted: Left(2)"]);
    have(&mut world, sender, |router, ctx| (0..3).for_each(|n| router.tell(ctx, Job::Note(n))));
    assert_eq!(world.events(), ["a 0", "c 1", "a 2"]);
    world.tell(a, Job::Stop);
    world.tell(c, Job::Fail);
    assert_eq!(world.events(), ["evicted: Left(1)", "evicted: Last", "sender stopped"]);
    assert_eq!((world.letters(), world.stats().actors), (vec![(DeadReason::Failed, 2)], 0));
}

#[test]
fn a_routee_that_is_gone_already_is_evicted_as_soon_as_it_is_added() {
    let mut world = World::new();
    let [a, b] = workers(&mut world);
    world.stop(a);
    let sender = sender(&mut world, RoundRobin::new(), &[b]);
    have(&mut world, sender, move |router, ctx| router.add_watched(ctx, a).unwrap());
    assert_eq!(world.events(), ["evicted: Left(1)"]);
}

#[test]
fn a_routee_that_could_not_be_watched_is_not_added() {
    let mut world = World::sized(64 << 10);
    let [a, b] = workers(&mut world);
    let sender = sender(&mut world, RoundRobin::new(), &[]);
    world.settle();
    // Nothing is left of the region once these have their side records.
    while world.spawn(Worker { name: "x", log: Log::default(), manner: Manner::IsSilent, adds: 0 }).is_ok() {}
    world.settle();
    have(&mut world, sender, move |router, ctx| {
        let mut watched = Vec::new();
        while let Ok(adapter) = ctx.adapter(|job| Order::Do(Box::new(move |_, _| drop::<Job>(job)))) {
            watched.push(adapter);
            if ctx.watch(adapter).is_err() {
                break;
            }
        }
        let added = router.add_watched(ctx, a);
        // What was added before stays, watched or not.
        router.add(b).unwrap();
        let again = router.add_watched(ctx, b);
        assert_eq!((added, again), (Err(AddError::OutOfMemory), Err(AddError::OutOfMemory)));
        assert_eq!((router.knows(a), router.knows(b)), (false, true));
    });
}

proptest! {
    /// The model is a ring of names with a mark before the one whose turn it is.
    #[test]
    fn turns_are_kept_whoever_joins_and_leaves(steps in prop::collection::vec((0u8..5, any::<Index>()), 1..80)) {
        let mut world = World::new();
        let pool = [(); 8].map(|()| world.puppet("p"));
        let mut router: Router<_, RoundRobin, 8> = Router::default();
        let (mut row, mut turn) = (Vec::new(), 0);
        for (step, index) in steps {
            match step {
                0 => {
                    let joins = *index.get(&pool);
                    router.add(joins).unwrap();
                    if !row.contains(&joins) {
                        row.push(joins);
                    }
                }
                1 if !row.is_empty() => {
                    let at = index.index(row.len());
                    let leaves = row[at];
                    let next = row.get(turn).copied();
                    row.remove(at);
                    // Whose turn it was keeps it, or leaves it to the one behind.
                    turn = match next {
                        Some(next) if next != leaves => row.iter().position(|routee| *routee == next).unwrap(),
                        Some(_) => at,
                        None => row.len(),
                    };
                    assert!(router.remove(leaves));
                }
                _ => {
                    turn = if turn >= row.len() { 0 } else { turn };
                    let expected = row.get(turn).copied().unwrap_or(ActorRef::nobody());
                    turn += usize::from(!row.is_empty());
                    prop_assert_eq!(router.pick(), expected);
                }
            }
            let routees: Vec<_> = router.routees().iter().map(Routee::to).collect();
            prop_assert_eq!(&routees, &row);
        }
    }
}
