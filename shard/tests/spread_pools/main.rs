//! Spread pools: routees on the shards that a configuration decides, whose owner knows nothing of shards; and a size that
//! they keep.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "config")]
mod configured;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::routee::{Job, Worker};
use common::{Census, LONG, actors, await_some, builder, end, hush, next};
use corelane_kernel::router::{AnyStrategy, Evicted, PoolError, Resizer, ResizerConfig};
use corelane_kernel::{
    Actor, ActorRef, Address, Backoff, Ctx, Failure, Group, Outcome, Strategy, Terminated,
};
use corelane_shard::{
    Builder, CallError, DeployPool, DeployPoolError, Deployment, Gateway, On, RouteesOn, RouterKind,
    SpawnOnError, SpreadPool, System,
};

type Workers = SpreadPool<Worker, AnyStrategy, Box<dyn Factory>, 8>;

/// A factory whose type can be written down.
trait Factory: FnMut() -> Worker + Send {
    fn duplicate(&self) -> Box<dyn Factory>;
}
impl<F: FnMut() -> Worker + Clone + Send + 'static> Factory for F {
    fn duplicate(&self) -> Box<dyn Factory> {
        Box::new(self.clone())
    }
}
impl Clone for Box<dyn Factory> {
    fn clone(&self) -> Self {
        (**self).duplicate()
    }
}

enum Msg {
    Job(Job),
    Run(Order),
}

type Order = Box<dyn FnOnce(&mut Owner, &mut Ctx<'_, Owner>) -> Outcome + Send>;

/// Starts its pool as it is deployed, routes jobs, and has who ends replaced, or only evicted.
struct Owner {
    pool: Workers,
    replaces: bool,
    supervision: Strategy,
    gone: Sender<(Address, Evicted)>,
}

impl Actor for Owner {
    type Msg = Msg;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.pool.start_deployed(ctx)?;
        Ok(())
    }

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Job(job) => self.pool.tell(ctx, job),
            Msg::Run(order) => order(self, ctx)?,
        }
        Ok(())
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let evicted = if self.replaces {
            assert!(self.pool.replace(ctx, gone.address)?);
            Evicted::Left(self.pool.routees(ctx).len())
        } else {
            self.pool.evict(gone.address)
        };
        self.gone.send((gone.address, evicted))?;
        Ok(())
    }

    fn strategy(&self) -> Strategy {
        self.supervision
    }
}

/// An owner on shard 0, and what is heard of it.
struct Stage {
    system: System,
    gateway: Gateway,
    owner: ActorRef<Msg>,
    census: Census,
    gone: Receiver<(Address, Evicted)>,
}

impl Stage {
    fn new(builder: Builder, settings: impl FnMut(Workers) -> Workers + Send + 'static) -> Stage {
        Stage::with(builder, true, Strategy::one_for_one(), settings)
    }

    fn with(
        builder: Builder,
        replaces: bool,
        supervision: Strategy,
        mut settings: impl FnMut(Workers) -> Workers + Send + 'static,
    ) -> Stage {
        let system = builder.start().unwrap();
        let census = Census::default();
        let (is_gone, gone) = channel();
        let counted = census.clone();
        let owner = move || {
            let counted = counted.clone();
            let worker: Box<dyn Factory> = Box::new(move || Worker::new(&counted));
            let pool = SpreadPool::from_factory(3, worker).strategy(AnyStrategy::new());
            Owner { pool: settings(pool), replaces, supervision, gone: is_gone.clone() }
        };
        let owner = system.spawner("owner").on(On::Shard(0)).spawn(owner).unwrap();
        let gateway = system.gateway().unwrap();
        Stage { system, gateway, owner, census, gone }
    }

    fn tell(&mut self, job: Job) {
        self.gateway.tell_within(self.owner, Msg::Job(job), LONG).unwrap();
    }

    /// What the owner makes of its pool.
    fn ask<T: Send + 'static>(
        &mut self,
        what: impl FnOnce(&mut Owner, &mut Ctx<'_, Owner>) -> T + Send + 'static,
    ) -> T {
        let (sender, answer) = channel();
        let order: Order = Box::new(move |owner, ctx| Ok(sender.send(what(owner, ctx))?));
        self.gateway.tell_within(self.owner, Msg::Run(order), LONG).unwrap();
        next(&answer)
    }

    /// Who did each of the next jobs.
    fn share(&mut self, jobs: u64) -> Vec<Address> {
        let (done, results) = channel();
        for number in 0..jobs {
            self.tell(Job::Do(number, done.clone()));
        }
        let mut by: Vec<_> = (0..jobs).map(|_| next(&results)).collect();
        by.sort_by_key(|(_, number)| *number);
        by.into_iter().map(|(who, _)| who).collect()
    }

    /// How many routees live on each shard.
    fn spread(&mut self) -> Vec<usize> {
        let shards = self.system.shards();
        self.ask(move |owner, ctx| {
            let routees = owner.pool.routees(ctx);
            let at = |shard| routees.iter().filter(|to| to.address().place().shard() == shard).count();
            (0..shards).map(at).collect()
        })
    }

    /// Waits until so many workers live, in all.
    fn await_workers(&self, wanted: usize) {
        await_some(|| (self.census.count() == wanted).then_some(()));
    }
}

fn same(pool: Workers) -> Workers {
    pool
}

#[test]
fn what_is_told_before_the_routees_have_come_waits_for_them() {
    let system = builder(3).start().unwrap();
    let census = Census::default();
    let (is_gone, _gone) = channel();
    let (done, results) = channel();
    let mut gateway = system.gateway().unwrap();
    let counted = census.clone();
    let owner = move || {
        let counted = counted.clone();
        let worker: Box<dyn Factory> = Box::new(move || Worker::new(&counted));
        let pool = SpreadPool::from_factory(3, worker).strategy(AnyStrategy::new());
        Owner { pool, replaces: true, supervision: Strategy::one_for_one(), gone: is_gone.clone() }
    };
    for _ in 0..50 {
        let owner = system.spawn_on(On::Shard(0), owner.clone()).unwrap();
        for number in 0..3 {
            gateway.tell_within(owner, Msg::Job(Job::Do(number, done.clone())), LONG).unwrap();
        }
        let mut shards: Vec<_> = (0..3).map(|_| next(&results).0.place().shard()).collect();
        shards.sort_unstable();
        assert_eq!(shards, [0, 1, 2]);
    }
    assert_eq!(end(system).dead_letters(), 0);
}

/// Conformance 28.
#[test]
fn one_that_stopped_is_replaced_where_it_was() {
    let mut stage = Stage::new(builder(3), same);
    let mut before = stage.share(3);
    for left in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
        stage.tell(Job::Stop);
        let (gone, evicted) = next(&stage.gone);
        // Another on the owner's own shard is there at once.
        let others = if gone.place().shard() == 0 { 3 } else { 2 };
        assert_eq!(evicted, Evicted::Left(others), "{left:?}");
        let position = before.iter().position(|routee| *routee == gone);
        before.remove(position.expect("a routee"));
        assert_eq!(stage.ask(|owner, _| owner.pool.len()), 3);
        await_some(|| (stage.spread() == [1, 1, 1]).then_some(()));
        let new = stage.share(3);
        assert!(before.iter().all(|routee| new.contains(routee)) && !new.contains(&gone));
        before = new;
    }
    assert_eq!(stage.census.count(), 3);
    await_some(|| (actors(&stage.system) == [2, 1, 1]).then_some(()));
    end(stage.system);
}

#[test]
fn with_the_last_one_replaced_messages_wait_for_the_new_one() {
    let mut stage = Stage::new(builder(2), |pool| pool.on(RouteesOn::Shards { first: 1, last: 1 }));
    stage.ask(|owner, ctx| owner.pool.resize(ctx, 1)).unwrap();
    for round in 0..20 {
        let [before] = stage.share(1)[..] else { unreachable!() };
        stage.tell(Job::Stop);
        assert_eq!(next(&stage.gone), (before, Evicted::Left(0)));
        let [after] = stage.share(1)[..] else { unreachable!() };
        assert_ne!(before, after, "{round}");
    }
    stage.await_workers(1);
    assert_eq!(end(stage.system).dead_letters(), 0);
}

#[test]
fn one_that_fails_is_dealt_with_as_its_owner_decides() {
    hush();
    let supervision = Strategy::one_for_one().backoff(Backoff::fixed(Duration::from_millis(1)));
    let mut stage =
        Stage::with(builder(2), true, supervision, |pool| pool.on(RouteesOn::Shards { first: 1, last: 1 }));
    stage.ask(|owner, ctx| owner.pool.resize(ctx, 1)).unwrap();
    let before = stage.share(1);
    for job in [Job::Fail, Job::Panic] {
        stage.tell(job);
        assert_eq!(stage.share(1), before, "restarted, it has its address");
    }
    let restarted = |shard| stage.system.call(shard, |scope| scope.stats().restarted).unwrap();
    assert_eq!([0, 1].map(restarted), [0, 2]);
    assert!(stage.gone.try_recv().is_err());
    end(stage.system);
}

#[test]
fn one_that_was_given_up_is_replaced() {
    for supervision in [Strategy::stopping(), Strategy::one_for_one().restarts(0, Duration::MAX)] {
        let mut stage = Stage::with(builder(2), true, supervision, same);
        let before = stage.share(3);
        stage.tell(Job::Fail);
        let (gone, _) = next(&stage.gone);
        assert!(before.contains(&gone));
        await_some(|| (stage.spread() == [2, 1]).then_some(()));
        let after = stage.share(3);
        assert_eq!(after.iter().filter(|routee| before.contains(routee)).count(), 2);
        end(stage.system);
    }
}

#[test]
fn where_one_stops_all_the_pool_is_made_anew() {
    let supervision = Strategy::all_for_one().restarts(0, Duration::MAX);
    let mut stage = Stage::with(builder(3), true, supervision, same);
    let before = stage.share(3);
    for _ in 0..5 {
        stage.tell(Job::Fail);
        (0..3).for_each(|_| _ = next(&stage.gone));
        await_some(|| (stage.spread() == [1, 1, 1]).then_some(()));
        let after = stage.share(3);
        assert!(after.iter().all(|routee| !before.contains(routee)));
    }
    stage.await_workers(3);
    end(stage.system);
}

#[test]
fn a_named_routee_is_found_by_its_path() {
    let builder = builder(3).deploy("/user/owner/worker-2", Deployment::new().on(On::Shard(2)));
    let mut stage = Stage::new(builder, |pool| pool.named("worker").on(RouteesOn::Own));
    let mut who = stage.share(3);
    who.sort_by_key(|routee| format!("{routee:?}"));
    let mut found: Vec<_> = (1..=3)
        .map(|number| {
            let path = format!("/user/owner/worker-{number}");
            let found = stage.system.lookup::<Job>(&path).unwrap().address();
            assert_eq!(found.place().shard(), if number == 2 { 2 } else { 0 }, "as it is deployed");
            assert_eq!(stage.system.path_of(found).unwrap(), Some(path));
            found
        })
        .collect();
    found.sort_by_key(|routee| format!("{routee:?}"));
    assert_eq!(found, who);
    end(stage.system);
}

#[test]
fn one_that_is_evicted_only_is_not_replaced() {
    let mut stage = Stage::with(builder(2), false, Strategy::one_for_one(), same);
    stage.share(3);
    for evicted in [Evicted::Left(2), Evicted::Left(1), Evicted::Last] {
        stage.tell(Job::Stop);
        assert_eq!(next(&stage.gone).1, evicted);
    }
    assert!(stage.ask(|owner, _| owner.pool.is_empty()));
    // A message finds nobody, and does not wait.
    stage.tell(Job::Stop);
    await_some(|| (actors(&stage.system) == [1, 0]).then_some(()));
    assert_eq!(end(stage.system).dead_letters(), 1);
}

#[test]
fn a_pool_is_resized_evenly_and_nothing_that_was_told_is_lost() {
    let mut stage = Stage::new(builder(3), same);
    let (done, results) = channel();
    let mut told = 0;
    for (size, spread) in [(8, [3, 3, 2]), (4, [2, 1, 1]), (1, [1, 0, 0]), (5, [2, 2, 1])] {
        let done = done.clone();
        let resized = stage.ask(move |owner, ctx| {
            for number in 0..40 {
                owner.pool.tell(ctx, Job::Do(number, done.clone()));
            }
            owner.pool.resize(ctx, size)
        });
        assert_eq!(resized, Ok(()));
        told += 40;
        await_some(|| (stage.spread().iter().sum::<usize>() == size).then_some(()));
        // Loads are even; the youngest go first, which came last where the fewest were.
        assert_eq!(stage.spread(), spread, "{size}");
    }
    (0..told).for_each(|_| _ = next(&results));
    stage.await_workers(5);
    assert_eq!(stage.ask(|owner, ctx| owner.pool.resize(ctx, 9)), Err(PoolError::Full));
    assert_eq!(end(stage.system).dead_letters(), 0);
}

#[test]
fn one_that_is_too_many_when_it_comes_is_let_go() {
    let mut stage = Stage::new(builder(2), same);
    for _ in 0..20 {
        let resized = stage.ask(|owner, ctx| owner.pool.resize(ctx, 8).and(owner.pool.resize(ctx, 2)));
        assert_eq!(resized, Ok(()));
        await_some(|| {
            (stage.ask(|owner, ctx| owner.pool.routees(ctx).len() == owner.pool.len())).then_some(())
        });
        assert_eq!(stage.ask(|owner, _| owner.pool.len()), 2);
    }
    stage.await_workers(2);
    end(stage.system);
}

#[test]
fn pressure_grows_a_pool_over_the_shards() {
    let config =
        ResizerConfig { lower_bound: 2, upper_bound: 6, messages_per_resize: 4, ..ResizerConfig::default() };
    let mut stage = Stage::new(builder(2), move |pool| pool.resizer(Resizer::new(config).unwrap()));
    let (done, results) = channel();
    // Nobody says that a job is done, so each burdens its routee for ever.
    await_some(|| {
        for number in 0..8 {
            stage.tell(Job::Do(number, done.clone()));
        }
        (0..8).for_each(|_| _ = next(&results));
        (stage.spread() == [3, 3]).then_some(())
    });
    for job in 0..40 {
        stage.tell(Job::Do(job, done.clone()));
    }
    assert_eq!(stage.spread(), [3, 3], "no more than its upper bound");
    end(stage.system);
}

#[test]
fn routees_go_with_their_owner_and_a_restarted_one_has_new_ones() {
    let mut stage = Stage::new(builder(3).kernel(Default::default()), same);
    let before = stage.share(3);
    let fails: Order = Box::new(|_, _| Err(Failure::new("the owner fails")));
    stage.gateway.tell_within(stage.owner, Msg::Run(fails), LONG).unwrap();
    let after = stage.share(3);
    assert!(after.iter().all(|routee| !before.contains(routee)));
    stage.await_workers(3);
    stage.ask(|_, ctx| ctx.stop_self());
    stage.await_workers(0);
    await_some(|| (actors(&stage.system) == [0, 0, 0]).then_some(()));
    end(stage.system);
}

/// An owner below a puppet that hears of its failure.
fn failure_of(deployment: Deployment, on: RouteesOn) -> Failure {
    let system = builder(2).deploy("/user/top/owner", deployment).start().unwrap();
    let (failed, failures) = channel();
    let mut once = Some(common::Puppet::default().failures(failed));
    let top = system.spawner("top").spawn(move || once.take().unwrap()).unwrap();
    let mut gateway = system.gateway().unwrap();
    let spawned = common::with(&mut gateway, top, move |ctx| {
        let census = Census::default();
        let (gone, _) = channel();
        let worker: Box<dyn Factory> = Box::new(move || Worker::new(&census));
        let pool = SpreadPool::from_factory(3, worker).strategy(AnyStrategy::new()).on(on);
        ctx.spawner().name("owner").spawn(Owner {
            pool,
            replaces: true,
            supervision: Strategy::one_for_one(),
            gone,
        })
    });
    spawned.unwrap();
    let (_, failure) = next(&failures);
    end(system);
    failure
}

#[test]
fn a_routee_that_cannot_be_spawned_and_a_deployment_that_cannot_be_honoured_fail_the_owner() {
    let failure = failure_of(Deployment::new(), RouteesOn::Shards { first: 0, last: 2 });
    assert!(failure.is::<SpawnOnError>(), "{failure}");
    assert!(failure.to_string().contains(&CallError::NoSuchShard.to_string()), "{failure}");
    let failure = failure_of(Deployment::new().routees(9), RouteesOn::Spread);
    assert!(failure.is::<DeployPoolError>() && failure.to_string().contains("room for 8"), "{failure}");
    let elsewhere = Deployment::new().routees_at(["corelane://shop@127.0.0.1:1"]);
    let failure = failure_of(elsewhere, RouteesOn::Spread);
    assert!(failure.is::<DeployPoolError>() && failure.to_string().contains("a RemotePool"), "{failure}");
    let failure = failure_of(Deployment::new().router(RouterKind::ConsistentHash), RouteesOn::Spread);
    assert!(failure.is::<DeployPoolError>() && failure.to_string().contains("no key"), "{failure}");
}

#[test]
fn routees_have_the_group_and_mailbox_that_are_decided_for_their_names() {
    let builder = builder(2)
        .deploy("/user/owner/*", Deployment::new().group(Group::Background))
        .deploy("/user/owner/worker-2", Deployment::new().mailbox(5));
    let mut stage =
        Stage::new(builder, |pool| pool.on(RouteesOn::Own).named("worker").group(Group::Bulk).mailbox(3));
    let (done, _results) = channel();
    let found = stage.ask(move |owner, ctx| {
        let routees: Vec<_> = owner.pool.routees(ctx).iter().map(|routee| routee.to()).collect();
        let takes = |routee: &ActorRef<Job>| {
            (0..10).take_while(|number| ctx.try_tell(*routee, Job::Do(*number, done.clone())).is_ok()).count()
        };
        let taken: Vec<_> = routees.iter().map(takes).collect();
        routees.iter().map(|routee| routee.address().group()).zip(taken).collect::<Vec<_>>()
    });
    // The second has a deployment of its own, which leaves the group to the code.
    assert_eq!(found, [(Group::Background, 3), (Group::Bulk, 5), (Group::Background, 3)]);
    end(stage.system);
}

/// Keeps the queue of its core full until it is told otherwise.
struct Flood(Arc<AtomicBool>);

impl Actor for Flood {
    type Msg = ();
    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        while self.0.load(Ordering::Relaxed) && ctx.try_tell(ctx.me(), ()).is_ok() {}
        Ok(())
    }
}

#[test]
fn an_owner_hears_of_its_routees_though_the_queue_of_its_core_is_full() {
    let floods = Arc::new(AtomicBool::new(true));
    let flooding = floods.clone();
    let mut once = Some(Flood(flooding));
    let system = builder(2).start().unwrap();
    let flood = system.spawn_on(On::Shard(0), move || once.take().unwrap()).unwrap();
    system.gateway().unwrap().tell(flood, ());
    await_some(|| {
        let handled = system.call(0, |scope| scope.stats().handled).unwrap();
        (handled > 100).then_some(())
    });
    let census = Census::default();
    let (is_gone, _gone) = channel();
    let owner = move || {
        let census = census.clone();
        let worker: Box<dyn Factory> = Box::new(move || Worker::new(&census));
        let pool = SpreadPool::from_factory(3, worker).strategy(AnyStrategy::new());
        let pool = pool.on(RouteesOn::Shards { first: 1, last: 1 });
        Owner { pool, replaces: true, supervision: Strategy::one_for_one(), gone: is_gone.clone() }
    };
    let mut gateway = system.gateway().unwrap();
    for _ in 0..20 {
        let owner = system.spawn_on(On::Shard(0), owner.clone()).unwrap();
        let (done, results) = channel();
        gateway.tell_within(owner, Msg::Job(Job::Do(1, done)), LONG).unwrap();
        assert_eq!(next(&results).0.place().shard(), 1);
    }
    let dead_letters = |shard| system.call(shard, |scope| scope.stats().dead_letters).unwrap();
    assert_eq!([0, 1].map(dead_letters), [0, 0]);
    floods.store(false, Ordering::Relaxed);
    end(system);
}
