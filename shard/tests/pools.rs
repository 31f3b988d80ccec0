//! Pools over several shards: routees where they are wanted, children of their owner and in its pool.

mod common;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::routee::{Job, Worker};
use common::{Census, LONG, actors, await_some, builder, end, hush, next};
use corelane_kernel::router::{Evicted, Pool};
use corelane_kernel::{Actor, ActorRef, Address, Ctx, Failure, KernelConfig, Outcome, Strategy, Terminated};
use corelane_shard::{CallError, Gateway, On, Routees, SpawnOnError, System};

type Joined = Result<ActorRef<Job>, SpawnOnError>;
type Order = Box<dyn FnOnce(&mut Owner, &mut Ctx<'_, Owner>) -> Outcome + Send>;

enum Msg {
    Joined(Joined),
    Run(Order),
}

/// Spawns routees when it starts, and tells of what becomes of them.
struct Owner {
    pool: Pool<Worker, corelane_kernel::router::RoundRobin, fn() -> Worker>,
    on: Vec<On>,
    supervision: Strategy,
    census: Census,
    joined: Sender<Joined>,
    gone: Sender<(Address, Evicted)>,
}

impl Actor for Owner {
    type Msg = Msg;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let census = self.census.clone();
        let routees = Routees::new(move || Worker::new(&census));
        routees.spawn(ctx, self.on.iter().copied(), Msg::Joined);
        Ok(())
    }

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Joined(joined) => {
                if let Ok(routee) = joined {
                    self.pool.adopt(ctx, routee)?;
                }
                self.joined.send(joined)?;
                Ok(())
            }
            Msg::Run(order) => order(self, ctx),
        }
    }

    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        let evicted = self.pool.evict(gone.address);
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
    joined: Receiver<Joined>,
    gone: Receiver<(Address, Evicted)>,
}

impl Stage {
    fn new(shards: usize, on: Vec<On>, supervision: Strategy) -> Stage {
        let kernel = KernelConfig::default();
        let system = builder(shards).kernel(kernel).start().unwrap();
        let census = Census::default();
        let (has_joined, joined) = channel();
        let (is_gone, gone) = channel();
        let counted = census.clone();
        let owner = move || Owner {
            pool: Pool::new(0, || unreachable!("none of its own")),
            on: on.clone(),
            supervision,
            census: counted.clone(),
            joined: has_joined.clone(),
            gone: is_gone.clone(),
        };
        let owner = system.spawn_on(On::Shard(0), owner).unwrap();
        let gateway = system.gateway().unwrap();
        Stage { system, gateway, owner, census, joined, gone }
    }

    fn run(&mut self, order: impl FnOnce(&mut Owner, &mut Ctx<'_, Owner>) -> Outcome + Send + 'static) {
        self.gateway.tell_within(self.owner, Msg::Run(Box::new(order)), LONG).unwrap();
    }

    fn tell(&mut self, job: Job) {
        self.run(move |owner, ctx| {
            owner.pool.tell(ctx, job);
            Ok(())
        });
    }

    fn join<const N: usize>(&self) -> [ActorRef<Job>; N] {
        [(); N].map(|()| next(&self.joined).unwrap())
    }

    /// Who did each of the next jobs.
    fn share(&mut self, jobs: u64) -> Vec<Address> {
        let (done, results) = channel();
        for number in 0..jobs {
            self.tell(Job::Do(number, done.clone()));
        }
        let by: BTreeMap<_, _> = (0..jobs).map(|_| next(&results)).map(|(who, n)| (n, who)).collect();
        by.into_values().collect()
    }

    /// Waits until so many actors are left on the shards.
    fn await_actors(&self, wanted: &[u64]) {
        await_some(|| (actors(&self.system) == wanted).then_some(()));
    }
}

#[test]
fn routees_live_where_they_are_wanted_and_each_has_its_turn() {
    let mut stage = Stage::new(3, [2, 1, 0].map(On::Shard).to_vec(), Strategy::one_for_one());
    let mut routees: Vec<_> = stage.join::<3>().map(Address::from).to_vec();
    let mut who = stage.share(6);
    assert_eq!(who[..3], who[3..], "each in turn");
    who.truncate(3);
    who.sort_by_key(|who| who.place().shard());
    routees.sort_by_key(|routee| routee.place().shard());
    assert_eq!(who, routees);
    assert_eq!([0, 1, 2].map(|at: usize| routees[at].place().shard()), [0, 1, 2]);
    end(stage.system);
}

#[test]
fn spread_routees_are_on_all_shards_in_equal_numbers() {
    let stage = Stage::new(2, vec![On::Spread; 6], Strategy::one_for_one());
    let on_first = stage.join::<6>().iter().filter(|routee| routee.place().shard() == 0).count();
    assert_eq!(on_first, 3);
    end(stage.system);
}

#[test]
fn routees_stop_with_their_owner() {
    let mut stage = Stage::new(3, [0, 1, 2, 2].map(On::Shard).to_vec(), Strategy::one_for_one());
    stage.join::<4>();
    // One is there when its address is; its state is made when it starts.
    await_some(|| (stage.census.count() == 4).then_some(()));
    stage.await_actors(&[2, 1, 2]);
    stage.run(|_, ctx| {
        ctx.stop_self();
        Ok(())
    });
    await_some(|| (stage.census.count() == 0).then_some(()));
    stage.await_actors(&[0, 0, 0]);
    end(stage.system);
}

#[test]
fn an_owner_that_is_restarted_has_new_routees_and_the_old_ones_go() {
    let mut stage = Stage::new(2, [0, 1, 1].map(On::Shard).to_vec(), Strategy::one_for_one());
    let old = stage.join::<3>();
    stage.run(|_, _| Err(Failure::new("the owner fails")));
    let new = stage.join::<3>();
    assert!(new.iter().all(|routee| !old.contains(routee)));
    stage.await_actors(&[2, 2]);
    await_some(|| (stage.census.count() == 3).then_some(()));
    let who = stage.share(3);
    assert!(who.iter().all(|who| new.iter().any(|routee| routee.address() == *who)));
    end(stage.system);
}

#[test]
fn routees_that_come_after_their_owners_end_do_not_stay() {
    for _ in 0..20 {
        let mut stage = Stage::new(2, Vec::new(), Strategy::one_for_one());
        stage.run(|owner, ctx| {
            owner.on = [1, 0, 1].map(On::Shard).to_vec();
            owner.started(ctx)?;
            ctx.stop_self();
            Ok(())
        });
        stage.await_actors(&[0, 0]);
        assert_eq!(stage.census.count(), 0);
        end(stage.system);
    }
}

#[test]
fn one_that_fails_is_restarted_as_its_owner_decides_and_remains_a_routee() {
    hush();
    let mut stage = Stage::new(2, vec![On::Shard(1)], Strategy::one_for_one());
    let [routee] = stage.join();
    for job in [Job::Fail, Job::Panic] {
        stage.tell(job);
        assert_eq!(stage.share(1), [routee.address()]);
    }
    assert_eq!(stage.system.call(1, |scope| scope.stats().restarted), Ok(2));
    assert!(stage.gone.try_recv().is_err());
    end(stage.system);
}

#[test]
fn one_that_ends_is_evicted_and_the_others_go_on() {
    let mut stage = Stage::new(2, [1, 1, 0].map(On::Shard).to_vec(), Strategy::stopping());
    let routees = stage.join::<3>();
    let mut left = routees.map(Address::from).to_vec();
    for (job, evicted) in
        [(Job::Fail, Evicted::Left(2)), (Job::Stop, Evicted::Left(1)), (Job::Stop, Evicted::Last)]
    {
        let mut who = stage.share(2 * left.len() as u64);
        who.sort_by_key(|who| left.iter().position(|routee| routee == who));
        let each_twice: Vec<_> = left.iter().flat_map(|routee| [*routee; 2]).collect();
        assert_eq!(who, each_twice);
        stage.tell(job);
        let (gone, how) = next(&stage.gone);
        assert_eq!(how, evicted);
        let before = left.len();
        left.retain(|routee| *routee != gone);
        assert_eq!(left.len(), before - 1);
    }
    stage.await_actors(&[1, 0]);
    assert_eq!(stage.census.count(), 0);
    end(stage.system);
}

#[test]
fn one_that_is_retired_handles_what_it_was_told_and_stops() {
    let mut stage = Stage::new(2, [1, 0].map(On::Shard).to_vec(), Strategy::one_for_one());
    let routees = stage.join::<2>();
    let (done, results) = channel();
    stage.run(move |owner, ctx| {
        for number in 0..100 {
            owner.pool.tell(ctx, Job::Do(number, done.clone()));
        }
        for routee in routees {
            assert!(owner.pool.retire(ctx, routee));
        }
        Ok(())
    });
    let mut done: Vec<_> = (0..100).map(|_| next(&results).1).collect();
    done.sort_unstable();
    assert_eq!(done, (0..100).collect::<Vec<_>>());
    stage.await_actors(&[1, 0]);
    assert!(stage.gone.try_recv().is_err(), "of one that was retired nobody is told");
    end(stage.system);
}

#[test]
fn an_owner_is_told_of_what_cannot_be_spawned() {
    let stage = Stage::new(2, [7, 1].map(On::Shard).to_vec(), Strategy::one_for_one());
    let mut joined = [next(&stage.joined), next(&stage.joined)];
    joined.sort_by_key(|joined| joined.is_ok());
    assert_eq!(joined[0], Err(SpawnOnError::Call(CallError::NoSuchShard)));
    assert_eq!(joined[1].map(|routee| routee.place().shard()), Ok(1));
    end(stage.system);
}

#[test]
fn a_back_off_holds_for_routees_elsewhere() {
    let backoff = corelane_kernel::Backoff::fixed(Duration::from_millis(1));
    let supervision = Strategy::one_for_one().backoff(backoff).give_up_after(1);
    let mut stage = Stage::new(2, vec![On::Shard(1)], supervision);
    let [routee] = stage.join();
    stage.tell(Job::Fail);
    assert_eq!(stage.share(1), [routee.address()]);
    end(stage.system);
}

#[test]
fn a_decision_about_one_concerns_the_others_where_the_owners_strategy_says_so() {
    let mut stage = Stage::new(3, [0, 1, 2].map(On::Shard).to_vec(), Strategy::all_for_one());
    let routees = stage.join::<3>();
    stage.share(3);
    stage.tell(Job::Fail);
    let mut who = stage.share(3);
    who.sort_by_key(|who| who.place().shard());
    let restarted = |shard| stage.system.call(shard, |scope| scope.stats().restarted).unwrap();
    await_some(|| ([0, 1, 2].map(restarted) == [1, 1, 1]).then_some(()));
    assert!(routees.iter().all(|routee| who.contains(&routee.address())), "all have their addresses");
    end(stage.system);
}

/// Its children are gone before it: whoever waits for its end need not wait for theirs.
#[test]
fn the_end_of_an_owner_is_behind_that_of_every_routee() {
    for _ in 0..20 {
        let mut stage = Stage::new(3, [1, 2, 1, 2].map(On::Shard).to_vec(), Strategy::one_for_one());
        stage.join::<4>();
        stage.share(4);
        let (notice, notices) = channel();
        let watcher = common::Puppet::default().notices(notice).on(&stage.system, 0);
        let owner = stage.owner;
        common::with(&mut stage.gateway, watcher, move |ctx| ctx.watch(owner).unwrap());
        stage.system.call(0, move |scope| scope.stop(owner)).unwrap();
        next(&notices);
        assert_eq!(stage.census.count(), 0);
        end(stage.system);
    }
}
