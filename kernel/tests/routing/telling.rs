//! Who gets a message: each in turn, any, all, or whom a strategy of one's own picks.

use corelane_kernel::router::{Random, RoundRobin, Routee, Router, Strategy};
use corelane_kernel::{ActorRef, DeadReason, TellError};

use crate::common::{Census, World};
use crate::rig::{Job, NAMES, have, sender, workers};

#[test]
fn round_robin_tells_each_in_turn() {
    let mut world = World::new();
    let routees = workers::<3>(&mut world);
    let sender = sender(&mut world, RoundRobin::new(), &routees);
    have(&mut world, sender, |router, ctx| (0..7).for_each(|n| router.tell(ctx, Job::Note(n))));
    assert_eq!(world.events(), ["a 0", "b 1", "c 2", "a 3", "b 4", "c 5", "a 6"]);
}

/// Conformance 32.
#[test]
fn round_robin_goes_on_where_a_counter_would_wrap() {
    let mut world = World::new();
    let routees = workers::<3>(&mut world);
    let sender = sender(&mut world, RoundRobin::starting_at(usize::MAX - 1), &routees);
    have(&mut world, sender, |router, ctx| (0..6).for_each(|n| router.tell(ctx, Job::Note(n))));
    let first = (usize::MAX - 1) % 3;
    let expected = (0..6).map(|n| format!("{} {n}", NAMES[(first + n) % 3])).collect::<Vec<_>>();
    assert_eq!(world.events(), expected);
}

#[test]
fn a_random_router_reaches_all_and_picks_by_its_seed_alone() {
    let run = |seed| {
        let mut world = World::new();
        let routees = workers::<4>(&mut world);
        let sender = sender(&mut world, Random::seeded(seed), &routees);
        have(&mut world, sender, |router, ctx| (0..60).for_each(|_| router.tell(ctx, Job::Note(0))));
        world.events()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    for name in &NAMES[..4] {
        assert!(run(1).contains(&format!("{name} 0")), "{name}");
    }
}

#[test]
fn random_senders_of_one_system_pick_differently_and_alike_in_each_run() {
    let run = || {
        let mut world = World::new();
        [world.puppet("a"), world.puppet("b")].map(|sender| {
            let mut random = Random::of(sender);
            (0..32).map(|_| random.any_below(8).unwrap()).collect::<Vec<_>>()
        })
    };
    let [a, b] = run();
    assert_ne!(a, b);
    assert_eq!(run(), [a, b]);
}

/// Conformance 24.
#[test]
fn a_broadcast_reaches_all_with_a_clone_to_each_but_the_last() {
    let mut world = World::new();
    let routees = workers::<3>(&mut world);
    let sender = sender(&mut world, RoundRobin::new(), &routees);
    have(&mut world, sender, |router, ctx| router.broadcast(ctx, Job::Note(4)));
    assert_eq!(world.events(), ["a 4", "b 4", "c 4"]);
    let census = Census::default();
    let token = census.token();
    have(&mut world, sender, move |router, ctx| router.broadcast(ctx, Job::Carry(token)));
    assert_eq!(census.born(), 3, "the last is told the message itself");
    census.expect_none();
}

#[test]
fn what_a_router_without_routees_is_told_comes_back_or_is_a_dead_letter() {
    let mut world = World::new();
    let sender = sender(&mut world, RoundRobin::new(), &[]);
    have(&mut world, sender, |router, ctx| {
        assert!(matches!(router.try_tell(ctx, Job::Note(7)), Err(TellError::Unreachable(Job::Note(7)))));
        assert_eq!((router.pick(), router.pick_for(&Job::Stop)), (ActorRef::nobody(), ActorRef::nobody()));
    });
    assert_eq!(world.letters(), []);
    have(&mut world, sender, |router, ctx| {
        router.tell(ctx, Job::Note(1));
        router.broadcast(ctx, Job::Note(2));
    });
    assert_eq!(world.letters(), [(DeadReason::Unreachable, 2)]);
}

#[test]
fn code_that_is_no_actor_tells_whom_a_router_picks() {
    let mut world = World::new();
    let mut router: Router<Job> = Router::default();
    for routee in workers::<2>(&mut world) {
        router.add(routee).unwrap();
    }
    for n in 0..3 {
        let job = Job::Note(n);
        let to = router.pick_for(&job);
        world.tell(to, job);
    }
    assert_eq!(world.events(), ["a 0", "b 1", "a 2"]);
}

/// Sends all to the last, and with zero to nobody there is.
struct Last;

impl Strategy<Job> for Last {
    fn pick(&mut self, routees: &[Routee<Job>], job: &Job) -> Option<usize> {
        match job {
            Job::Note(0) => Some(usize::MAX),
            _ => routees.len().checked_sub(1),
        }
    }
}

#[test]
fn a_strategy_of_ones_own_picks_and_one_that_errs_picks_nobody() {
    let mut world = World::new();
    let routees = workers::<3>(&mut world);
    let sender = sender(&mut world, Last, &routees);
    have(&mut world, sender, |router, ctx| (0..3).for_each(|n| router.tell(ctx, Job::Note(n))));
    assert_eq!(world.events(), ["c 1", "c 2"]);
    assert_eq!(world.letters(), [(DeadReason::Unreachable, 1)]);
}
