//! Pools: routees that their owner spawns, counts, grows and retires.

mod common;

use std::sync::{Arc, Mutex};

use common::{Log, Realm, World, lock};
use corelane_kernel::router::{Evicted, Pool, PoolError, Resizer, ResizerConfig, Routee, SmallestLoad};
use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, DeadReason, Directive, Failure, Group, KernelConfig, Outcome, ReplyTo,
    SpawnError, Strategy, Terminated,
};
use proptest::prelude::{Just, Strategy as _, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;

/// What a worker is told.
#[derive(Clone)]
enum Job {
    Note(u64),
    Work(ReplyTo<Address>),
    Fail,
}

/// Logs what it is told, and acknowledges work.
struct Worker {
    log: Log,
}

impl Worker {
    fn say(&self, ctx: &Ctx<'_, Self>, what: impl std::fmt::Display) {
        self.log.add(format!("{} {what}", ctx.name().unwrap_or("nameless")));
    }
}

impl Actor for Worker {
    type Msg = Job;
    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let me = ctx.me().address();
        match job {
            Job::Note(n) => self.say(ctx, n),
            Job::Work(done) => ctx.tell(done, me),
            Job::Fail => return Err(Failure::new("told to fail")),
        }
        Ok(())
    }
    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.say(ctx, "stopped");
    }
}

type Workers<F> = Pool<Worker, SmallestLoad, F, 8>;

trait Factory: FnMut() -> Worker + Clone + Send + 'static {}
impl<F: FnMut() -> Worker + Clone + Send + 'static> Factory for F {}

/// An actor with a pool: does with it as it is told, and logs who ends.
struct Owner<F: Factory> {
    pool: Workers<F>,
    done: ReplyTo<Address>,
    log: Log,
    strategy: Strategy,
    /// Who ends is replaced, not only evicted.
    replaces: bool,
}

type Deed<F> = Box<dyn FnOnce(&mut Owner<F>, &mut Ctx<'_, Owner<F>>) + Send>;

enum Order<F: Factory> {
    Do(Deed<F>),
    Done(Address),
}

impl<F: Factory> Actor for Owner<F> {
    type Msg = Order<F>;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.done = ctx.adapter(Order::Done)?;
        self.pool.start(ctx)?;
        Ok(())
    }
    fn receive(&mut self, order: Order<F>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Do(deed) => deed(self, ctx),
            Order::Done(worker) => _ = self.pool.done(worker),
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let evicted = if self.replaces {
            assert!(self.pool.replace(ctx, gone.address)?);
            Evicted::Left(self.pool.len())
        } else {
            self.pool.evict(gone.address)
        };
        self.log.add(format!("evicted: {evicted:?}"));
        if evicted == Evicted::Last {
            ctx.stop_self();
        }
        Ok(())
    }

    fn strategy(&self) -> Strategy {
        self.strategy
    }
}

impl<F: Factory> Owner<F> {
    /// Gives work to so many workers, who acknowledge it when they have done it.
    fn work(&mut self, ctx: &mut Ctx<'_, Self>, jobs: usize) {
        for _ in 0..jobs {
            self.pool.tell(ctx, Job::Work(self.done));
        }
    }

    fn loads(&self) -> Vec<u32> {
        self.pool.routees().iter().map(Routee::load).collect()
    }
}

#[derive(Default)]
struct Settings {
    size: usize,
    mailbox: u32,
    resizer: Option<ResizerConfig>,
    /// Workers that fail are restarted instead of stopped.
    restarts: bool,
    replaces: bool,
}

fn owner(world: &mut World, settings: &Settings) -> ActorRef<Order<impl Factory + use<>>> {
    let log = world.log.clone();
    let factory = {
        let log = log.clone();
        move || Worker { log: log.clone() }
    };
    let mut pool = Pool::from_factory(settings.size, factory)
        .strategy(SmallestLoad::new())
        .named("w")
        .mailbox(settings.mailbox);
    if let Some(config) = settings.resizer {
        pool = pool.resizer(Resizer::new(config).expect("settings that make sense"));
    }
    let strategy = if settings.restarts { Strategy::default() } else { Strategy::stopping() };
    let owner = Owner { pool, done: ActorRef::nobody(), log, strategy, replaces: settings.replaces };
    let owner = world.spawn(owner).expect("room for an owner");
    world.settle();
    owner
}

/// Has an owner do something, and settles.
fn have<F: Factory>(
    world: &mut World,
    owner: ActorRef<Order<F>>,
    deed: impl FnOnce(&mut Owner<F>, &mut Ctx<'_, Owner<F>>) + Send + 'static,
) {
    world.tell(owner, Order::Do(Box::new(deed)));
    world.settle();
}

/// The owner has so many workers, none of which has anything to do.
#[track_caller]
fn expect_idle<F: Factory>(world: &mut World, owner: ActorRef<Order<F>>, workers: usize) {
    have(world, owner, move |owner, _| assert_eq!(owner.loads(), vec![0; workers]));
}

// --- routees -----------------------------------------------------------------------------------------------------

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

// --- resizing ----------------------------------------------------------------------------------------------------

const EAGER: ResizerConfig = ResizerConfig {
    lower_bound: 2,
    upper_bound: 6,
    pressure_threshold: 2,
    ramp_up_percent: 50,
    back_off_below_percent: 50,
    back_off_percent: 20,
    messages_per_resize: 4,
};

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

// --- whatever happens --------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Step {
    Note(usize),
    Work(usize),
    Broadcast,
    Fail(Index),
    Retire(Index),
    Release(Index),
    Resize(usize),
    Settle,
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    prop_oneof![
        (1usize..20).prop_map(Step::Note),
        (1usize..20).prop_map(Step::Work),
        Just(Step::Broadcast),
        any::<Index>().prop_map(Step::Fail),
        any::<Index>().prop_map(Step::Retire),
        any::<Index>().prop_map(Step::Release),
        (0usize..=8).prop_map(Step::Resize),
        Just(Step::Settle),
    ]
}

proptest! {
    /// Several steps may happen in one handler, before anything that they told is handled.
    #[test]
    fn every_message_is_handled_or_a_dead_letter_and_routees_are_the_living_children(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new();
        let owner = owner(&mut world, &Settings { size: 3, resizer: Some(EAGER), ..Settings::default() });
        let counts = Arc::new(Mutex::new((0u64, 0u64)));
        for steps in steps.split_inclusive(|step| matches!(step, Step::Settle)) {
            let (steps, counts) = (steps.to_vec(), counts.clone());
            have(&mut world, owner, move |owner, ctx| {
                let (told, released) = &mut *lock(&counts);
                for step in steps {
                    let picked = |index: Index, owner: &Owner<_>| {
                        let routees = owner.pool.routees();
                        (!routees.is_empty()).then(|| index.get(routees).to())
                    };
                    match step {
                        Step::Note(jobs) => {
                            (0..jobs).for_each(|_| owner.pool.tell(ctx, Job::Note(7)));
                            *told += jobs as u64;
                        }
                        Step::Work(jobs) => owner.work(ctx, jobs),
                        Step::Broadcast => {
                            let router = owner.pool.router(ctx);
                            router.broadcast(ctx, Job::Note(7));
                            *told += router.len() as u64;
                        }
                        Step::Fail(index) => {
                            if let Some(routee) = picked(index, owner) {
                                ctx.tell(routee, Job::Fail);
                            }
                        }
                        Step::Retire(index) => {
                            if let Some(routee) = picked(index, owner) {
                                assert!(owner.pool.retire(ctx, routee));
                            }
                        }
                        Step::Release(index) => {
                            if let Some(routee) = picked(index, owner) {
                                assert!(owner.pool.release(ctx, routee));
                                ctx.stop(routee);
                                *released += 1;
                            }
                        }
                        Step::Resize(size) => owner.pool.resize(ctx, size).unwrap(),
                        Step::Settle => {}
                    }
                    assert!(owner.pool.len() <= 8);
                }
            });
            have(&mut world, owner, |owner, ctx| {
                let routees: Vec<_> = owner.pool.routees().iter().map(Routee::address).collect();
                assert!(routees.iter().all(|routee| ctx.scope().is_alive(*routee)));
            });
            have(&mut world, owner, |owner, ctx| {
                assert_eq!(ctx.scope().stats().actors, 1 + owner.pool.len() as u64);
            });
        }
        // What a routee that failed, or was stopped at once, had not handled yet is a dead letter; nothing else is.
        let heard = world.log.take();
        let noted = heard.iter().filter(|word| word.ends_with(" 7")).count() as u64;
        let (told, released) = *lock(&counts);
        let letters = world.stats().dead_letters;
        prop_assert!(noted <= told && told <= noted + letters);
        prop_assert!(letters == 0 || world.stats().failed + released > 0);
        prop_assert_eq!(world.panics.len(), 0, "{:?}", &world.panics);
    }
}
