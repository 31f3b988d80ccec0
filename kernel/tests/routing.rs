//! Routers: who gets a message, who is asked, and what becomes of a router whose routees come and go.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Census, Log, Realm, Token, World, ms};
use corelane_kernel::router::{
    AddError, Blind, ConsistentHash, Evicted, HashKey, KeyHasher, Random, RoundRobin, Routee, Router,
    SmallestLoad, Strategy,
};
use corelane_kernel::{
    Actor, ActorRef, Address, AskError, Ctx, DeadReason, Failure, Outcome, ReplyTo, TellError, Terminated,
};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};
use proptest::sample::Index;

/// What a routee is told.
#[derive(Clone)]
enum Job {
    Note(u64),
    Ask(u64, ReplyTo<u64>),
    Carry(Token),
    Stop,
    Fail,
}

impl HashKey for Job {
    fn hash_key(&self, state: &mut KeyHasher) {
        if let Job::Note(n) | Job::Ask(n, _) = self {
            std::hash::Hash::hash(n, state);
        }
    }
}

/// How a worker meets a question.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Answers,
    IsSilent,
}

/// Logs what it is told; answers with what it adds to the question.
struct Worker {
    name: &'static str,
    log: Log,
    manner: Manner,
    adds: u64,
}

impl Actor for Worker {
    type Msg = Job;
    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match job {
            Job::Note(n) => self.log.add(format!("{} {n}", self.name)),
            Job::Ask(n, reply) => {
                self.log.add(format!("{} asked {n}", self.name));
                if self.manner == Manner::Answers {
                    ctx.tell(reply, n + self.adds);
                }
            }
            Job::Carry(token) => drop(token),
            Job::Stop => ctx.stop_self(),
            Job::Fail => return Err(Failure::new("told to fail")),
        }
        Ok(())
    }
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn worker(world: &mut World, name: &'static str, manner: Manner) -> ActorRef<Job> {
    let adds = 10 * (1 + NAMES.iter().position(|known| *known == name).expect("a known name") as u64);
    let worker = Worker { name, log: world.log.clone(), manner, adds };
    world.spawn(worker).expect("room for a worker")
}

fn workers<const N: usize>(world: &mut World) -> [ActorRef<Job>; N] {
    std::array::from_fn(|at| worker(world, NAMES[at], Manner::Answers))
}

/// An actor with a router: does with it as it is told, and logs answers and ends.
struct Sender<S> {
    router: Router<Job, S, 8>,
    log: Log,
}

type Deed<S> = Box<dyn FnOnce(&mut Router<Job, S, 8>, &mut Ctx<'_, Sender<S>>) + Send>;

enum Order<S: Strategy<Job> + 'static> {
    Do(Deed<S>),
    Answer(Result<u64, AskError>),
    Done(Address),
}

impl<S: Strategy<Job> + 'static> Actor for Sender<S> {
    type Msg = Order<S>;
    fn receive(&mut self, order: Order<S>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Do(deed) => deed(&mut self.router, ctx),
            Order::Answer(answer) => self.log.add(format!("answer {answer:?}")),
            Order::Done(routee) => assert!(self.router.done(routee)),
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let evicted = self.router.evict(gone.address);
        self.log.add(format!("evicted: {evicted:?}"));
        if evicted == Evicted::Last {
            ctx.stop_self();
        }
        Ok(())
    }
    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        self.log.add("sender stopped");
    }
}

fn sender<S: Strategy<Job> + 'static>(
    world: &mut World,
    strategy: S,
    routees: &[ActorRef<Job>],
) -> ActorRef<Order<S>> {
    let mut router = Router::new(strategy);
    for routee in routees {
        router.add(*routee).expect("room for a routee");
    }
    let log = world.log.clone();
    world.spawn(Sender { router, log }).expect("room for a sender")
}

/// Has a sender do something, and settles.
fn have<S: Strategy<Job> + 'static>(
    world: &mut World,
    sender: ActorRef<Order<S>>,
    deed: impl FnOnce(&mut Router<Job, S, 8>, &mut Ctx<'_, Sender<S>>) + Send + 'static,
) {
    world.tell(sender, Order::Do(Box::new(deed)));
    world.settle();
}

// --- telling -----------------------------------------------------------------------------------------------------

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

// --- routees -----------------------------------------------------------------------------------------------------

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

// --- load --------------------------------------------------------------------------------------------------------

#[test]
fn the_smallest_load_gets_the_next_message_and_what_is_done_counts_no_more() {
    let mut world = World::new();
    let [a, b, c] = workers(&mut world);
    let sender = sender(&mut world, SmallestLoad::new(), &[a, b, c]);
    have(&mut world, sender, move |router, ctx| {
        assert!(router.set_load(a, 2));
        (0..4).for_each(|n| router.tell(ctx, Job::Note(n)));
        let loads: Vec<_> = router.routees().iter().map(Routee::load).collect();
        assert_eq!(loads, [2, 2, 2]);
        assert!(router.done(b) && router.done(b) && router.done(b), "never below none");
        assert!(!router.done(ActorRef::<Job>::nobody()));
        (4..6).for_each(|n| router.tell(ctx, Job::Note(n)));
    });
    assert_eq!(world.events(), ["b 0", "c 1", "b 2", "c 3", "b 4", "b 5"]);
}

#[test]
fn an_ask_counts_until_its_answer_or_the_end_of_its_time() {
    let mut world = World::new();
    let a = worker(&mut world, "a", Manner::Answers);
    let b = worker(&mut world, "b", Manner::IsSilent);
    let sender = sender(&mut world, SmallestLoad::new(), &[a, b]);
    let loads = |world: &mut World, expected: [u32; 2]| {
        have(world, sender, move |router, _| {
            let loads: Vec<_> = router.routees().iter().map(Routee::load).collect();
            assert_eq!(loads, expected);
        });
    };
    have(&mut world, sender, |router, ctx| {
        for n in 0..4 {
            let to = router.pick();
            ctx.ask(to, ms(10), move |reply| Job::Ask(n, reply), move |_| Order::Done(to.address()));
        }
        assert!(router.routees().iter().all(|routee| routee.load() == 2));
    });
    loads(&mut world, [0, 2]);
    world.pass(ms(11));
    loads(&mut world, [0, 0]);
}

#[test]
fn bounded_mailboxes_are_measured_and_what_they_refuse_counts_towards_no_load() {
    let mut world = World::new();
    let [a, _] = workers::<2>(&mut world);
    let log = world.log.clone();
    let bounded = Worker { name: "b", log, manner: Manner::IsSilent, adds: 0 };
    let bounded = world.scope().spawner().mailbox(3).spawn(bounded).unwrap();
    let sender = sender(&mut world, SmallestLoad::new(), &[a, bounded]);
    world.settle();
    assert_eq!(world.scope().mailbox_len(bounded), Some(0));
    assert_eq!(world.scope().mailbox_len(a), None, "it has no bound");
    let loads =
        |router: &Router<Job, SmallestLoad, 8>| router.routees().iter().map(Routee::load).collect::<Vec<_>>();
    // The order to the sender comes behind what others told the routee, but neither has been handled then.
    world.tell(
        sender,
        Order::Do(Box::new(move |router, ctx| {
            ctx.tell(bounded, Job::Note(1));
            ctx.tell(bounded, Job::Note(2));
            router.set_load(a, 9);
            router.measure(ctx);
            assert_eq!(loads(router), [9, 2]);
            assert!(router.try_tell(ctx, Job::Note(3)).is_ok());
            assert!(matches!(router.try_tell(ctx, Job::Note(4)), Err(TellError::MailboxFull(Job::Note(4)))));
            router.tell(ctx, Job::Note(5));
            assert_eq!(loads(router), [9, 3]);
        })),
    );
    assert_eq!(world.events(), ["b 1", "b 2", "b 3"]);
    assert_eq!(world.letters(), [(DeadReason::MailboxFull, 1)]);
    have(&mut world, sender, move |router, ctx| {
        router.measure(ctx);
        assert_eq!(loads(router), [9, 0]);
    });
    world.stop(bounded);
    assert_eq!(world.scope().mailbox_len(bounded), None, "it is gone");
}

// --- hashing -----------------------------------------------------------------------------------------------------

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

// --- scatter-gather ----------------------------------------------------------------------------------------------

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

// --- other cores -------------------------------------------------------------------------------------------------

#[test]
fn routees_on_other_cores_are_told_asked_and_evicted_like_any() {
    let mut realm = Realm::new::<1024>(3, 1 << 20, &corelane_kernel::KernelConfig::default());
    let routees = [0, 1, 2].map(|shard| worker(&mut realm.worlds[shard], NAMES[shard], Manner::Answers));
    let sender = sender(&mut realm.worlds[0], RoundRobin::new(), &[]);
    realm.settle();
    let have = |realm: &mut Realm, deed: Deed<RoundRobin>| {
        realm.worlds[0].tell(sender, Order::Do(deed));
        let mut heard = realm.events();
        heard.sort();
        heard
    };
    let told = have(
        &mut realm,
        Box::new(move |router, ctx| {
            routees.into_iter().for_each(|routee| router.add_watched(ctx, routee).unwrap());
            (0..6).for_each(|n| router.tell(ctx, Job::Note(n)));
        }),
    );
    assert_eq!(told, ["a 0", "a 3", "b 1", "b 4", "c 2", "c 5"]);
    let asked = have(
        &mut realm,
        Box::new(move |router, ctx| {
            router.remove(routees[0]);
            router.scatter_gather(ctx, ms(10), |reply| Job::Ask(1, reply), Order::Answer);
        }),
    );
    assert!(asked[0] == "answer Ok(21)" || asked[0] == "answer Ok(31)", "{asked:?}");
    assert_eq!(asked[1..], ["b asked 1", "c asked 1"]);
    let chopped = have(
        &mut realm,
        Box::new(move |router, ctx| {
            router.remove(routees[1]);
            router.tail_chop(ctx, ms(10), ms(1), |reply| Job::Ask(1, reply), Order::Answer);
        }),
    );
    assert_eq!(chopped, ["answer Ok(31)", "c asked 1"]);
    realm.worlds[2].stop(routees[2]);
    assert_eq!(realm.events(), ["evicted: Last", "sender stopped"]);
}
