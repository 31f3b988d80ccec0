//! Questions to several: to all at once, or to one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use corelane_kernel::router::{Blind, ConsistentHash, RoundRobin, Router, SmallestLoad, Strategy};
use corelane_kernel::{ActorRef, DeadReason};

use crate::common::{Census, World, ms};
use crate::rig::{Job, Manner, Order, Worker, have, sender, worker, workers};

/// Has the sender ask all, within 10 ms.
fn scatter<S: Strategy<Job> + 'static>(world: &mut World, sender: ActorRef<Order<S>>) {
    have(world, sender, |router, ctx| {
        router.scatter_gather(ctx, ms(10), |reply| Job::Ask(1, reply), Order::Answer);
    });
}

/// Conformance 30.
#[test]
fn of_several_answers_only_the_first_counts() {
    let mut world = World::new();
    let a = worker(&mut world, "a", Manner::IsSilent);
    let [b, c] = ["b", "c"].map(|name| worker(&mut world, name, Manner::Answers));
    let sender = sender(&mut world, RoundRobin::new(), &[a, b, c]);
    scatter(&mut world, sender);
    assert_eq!(world.events(), ["a asked 1", "b asked 1", "c asked 1", "answer Ok(21)"]);
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 1)]);
    world.pass(ms(100));
    assert_eq!(world.events(), [""; 0], "the deadline went with the answer");
}

/// Conformance 30.
#[test]
fn no_answer_in_time_is_a_failure_when_the_time_is_over() {
    let mut world = World::new();
    let routees = ["a", "b"].map(|name| worker(&mut world, name, Manner::IsSilent));
    let sender = sender(&mut world, RoundRobin::new(), &routees);
    scatter(&mut world, sender);
    assert_eq!(world.events(), ["a asked 1", "b asked 1"]);
    world.pass(ms(11));
    assert_eq!(world.events(), ["answer Err(Timeout)"]);
}

/// Conformance 30.
#[test]
fn who_asks_no_routees_has_a_failure_at_once() {
    let mut world = World::new();
    let sender = sender(&mut world, RoundRobin::new(), &[]);
    scatter(&mut world, sender);
    assert_eq!(world.events(), ["answer Err(NotSent)"]);
    have(&mut world, sender, |router, ctx| {
        router.tail_chop(ctx, ms(10), ms(1), |reply| Job::Ask(1, reply), Order::Answer);
    });
    assert_eq!(world.events(), ["answer Err(NotSent)"]);
    assert_eq!((world.letters(), world.stats().actors), (vec![], 1));
}

#[test]
fn a_routee_that_cannot_be_told_spoils_no_answer_of_another() {
    let mut world = World::new();
    let (a, log) = (worker(&mut world, "a", Manner::Answers), world.log.clone());
    let full = Worker { name: "full", log, manner: Manner::Answers, adds: 0 };
    let full = world.scope().spawner().mailbox(1).spawn(full).unwrap();
    let both = sender(&mut world, RoundRobin::new(), &[full, a]);
    world.settle();
    world.tell(
        both,
        Order::Do(Box::new(move |router, ctx| {
            ctx.tell(full, Job::Note(0));
            router.scatter_gather(ctx, ms(10), |reply| Job::Ask(1, reply), Order::Answer);
        })),
    );
    assert_eq!(world.events(), ["full 0", "a asked 1", "answer Ok(11)"]);
    // Where none can be told, that is known at once.
    let alone = sender(&mut world, RoundRobin::new(), &[full]);
    world.tell(
        alone,
        Order::Do(Box::new(move |router, ctx| {
            ctx.tell(full, Job::Note(0));
            router.scatter_gather(ctx, ms(10), |reply| Job::Ask(1, reply), Order::Answer);
        })),
    );
    assert_eq!(world.events(), ["full 0", "answer Err(NotSent)"]);
    assert_eq!(world.letters(), []);
}

// --- tail-chopping -----------------------------------------------------------------------------------------------

/// Has the sender ask one after the other, 5 ms apart and 50 ms in all.
fn chop<S: Blind<Job> + Clone + 'static>(world: &mut World, sender: ActorRef<Order<S>>) {
    have(world, sender, |router, ctx| {
        router.tail_chop(ctx, ms(50), ms(5), |reply| Job::Ask(1, reply), Order::Answer);
    });
}

/// Conformance 31.
#[test]
fn the_second_is_asked_an_interval_after_a_silent_first_and_the_first_answer_wins() {
    let mut world = World::new();
    let [a, b] = ["a", "b"].map(|name| worker(&mut world, name, Manner::IsSilent));
    let c = worker(&mut world, "c", Manner::Answers);
    let sender = sender(&mut world, RoundRobin::new(), &[a, b, c]);
    chop(&mut world, sender);
    assert_eq!(world.events(), ["a asked 1"]);
    world.pass(ms(4));
    assert_eq!(world.events(), [""; 0]);
    world.pass(ms(2));
    assert_eq!(world.events(), ["b asked 1"]);
    world.pass(ms(6));
    assert_eq!(world.events(), ["c asked 1", "answer Ok(31)"]);
    world.pass(ms(100));
    assert_eq!((world.events(), world.letters(), world.stats().actors), (vec![], vec![], 4));
    // The next question begins with the next.
    chop(&mut world, sender);
    assert_eq!(world.events(), ["b asked 1"]);
    world.pass(ms(6));
    assert_eq!(world.events(), ["c asked 1", "answer Ok(31)"]);
}

/// Conformance 31.
#[test]
fn an_answer_in_time_keeps_the_others_from_being_asked() {
    let mut world = World::new();
    let routees = workers::<3>(&mut world);
    let sender = sender(&mut world, RoundRobin::starting_at(1), &routees);
    chop(&mut world, sender);
    assert_eq!(world.events(), ["b asked 1", "answer Ok(21)"]);
    world.pass(ms(200));
    assert_eq!((world.events(), world.stats().actors), (vec![], 4));
}

/// Conformance 31.
#[test]
fn when_all_were_asked_in_vain_the_time_still_runs_out() {
    let mut world = World::new();
    let routees = ["a", "b"].map(|name| worker(&mut world, name, Manner::IsSilent));
    let sender = sender(&mut world, RoundRobin::new(), &routees);
    chop(&mut world, sender);
    world.pass(ms(6));
    world.pass(ms(40));
    assert_eq!(world.events(), ["a asked 1", "b asked 1"]);
    world.pass(ms(5));
    assert_eq!(world.events(), ["answer Err(Timeout)"]);
    assert_eq!((world.letters(), world.stats().actors), (vec![], 3));
}

#[test]
fn the_strategy_decides_who_is_asked_next() {
    let mut world = World::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| worker(&mut world, name, Manner::IsSilent));
    let by_load = sender(&mut world, SmallestLoad::new(), &[a, b, c]);
    have(&mut world, by_load, move |router, _| {
        assert!(router.set_load(a, 2) && router.set_load(b, 1) && router.set_load(c, 3));
    });
    let asked = |world: &mut World| {
        (0..4).for_each(|_| world.pass(ms(6)));
        world.events()
    };
    chop(&mut world, by_load);
    assert_eq!(asked(&mut world), ["b asked 1", "a asked 1", "c asked 1"]);
    world.pass(ms(50));
    assert_eq!(world.events(), ["answer Err(Timeout)"]);

    let by_key = sender(&mut world, ConsistentHash::new(), &[a, b, c]);
    have(&mut world, by_key, |router, ctx| {
        let times = (ms(50), ms(5));
        router.tail_chop_for_key(ctx, &7u64, times, |reply| Job::Ask(7, reply), Order::Answer);
    });
    let order = asked(&mut world);
    // Without the first, the key would belong to the second.
    let mut router: Router<Job, ConsistentHash, 8> = Router::default();
    [a, b, c].into_iter().for_each(|routee| router.add(routee).unwrap());
    let names: BTreeMap<_, _> = [(a.address(), "a"), (b.address(), "b"), (c.address(), "c")]
        .map(|(address, name)| (format!("{address:?}"), name))
        .into();
    let mut replicas = Vec::new();
    while !router.is_empty() {
        let keeper = router.pick_for_key(&7u64).address();
        replicas.push(format!("{} asked 7", names[&format!("{keeper:?}")]));
        router.remove(keeper);
    }
    assert_eq!(order, replicas);
}

#[test]
fn routees_that_cannot_be_told_are_passed_over_at_once() {
    let mut world = World::new();
    let (a, log) = (worker(&mut world, "a", Manner::Answers), world.log.clone());
    let full = Worker { name: "full", log, manner: Manner::IsSilent, adds: 0 };
    let full = world.scope().spawner().mailbox(1).spawn(full).unwrap();
    world.scope().suspend(full).unwrap();
    world.tell(full, Job::Note(0));
    let both = sender(&mut world, RoundRobin::new(), &[full, a]);
    chop(&mut world, both);
    assert_eq!(world.events(), ["a asked 1", "answer Ok(11)"]);
    let alone = sender(&mut world, RoundRobin::new(), &[full]);
    chop(&mut world, alone);
    assert_eq!(world.events(), ["answer Err(NotSent)"]);
    assert_eq!((world.letters(), world.stats().actors), (vec![], 4));
}

#[test]
fn a_sender_that_stops_takes_its_open_questions_along() {
    let mut world = World::new();
    let routees = ["a", "b"].map(|name| worker(&mut world, name, Manner::IsSilent));
    let census = Census::default();
    let sender = sender(&mut world, RoundRobin::new(), &routees);
    let (asked, then) = (census.token(), census.token());
    have(&mut world, sender, move |router, ctx| {
        let question = move |reply| {
            let _ = &asked;
            Job::Ask(1, reply)
        };
        router.tail_chop(ctx, ms(50), ms(5), question, move |answer| {
            drop(then);
            Order::Answer(answer)
        });
        router.scatter_gather(ctx, ms(50), |reply| Job::Ask(2, reply), Order::Answer);
    });
    census.expect(2);
    world.stop(sender);
    census.expect_none();
    world.pass(Duration::from_secs(1));
    let heard = world.events();
    assert_eq!(heard, ["a asked 2", "b asked 2", "a asked 1", "sender stopped"]);
    assert_eq!(world.stats().actors, 2);
}
