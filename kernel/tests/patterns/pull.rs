//! Work pulling.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::common::{Log, Random, Realm, World, ms};
use corelane_kernel::pattern::{DemandError, Handout, JobsFull, Ticket, WorkPull, WorkPullConfig};
use corelane_kernel::{Actor, ActorRef, Ctx, Failure, Outcome, TellError, Terminated};
use proptest::prelude::*;

const WORKERS: usize = 3;
const JOBS: usize = 5;

type Pool = WorkPull<u8, u32, WORKERS, JOBS>;

fn pool(attempts: u32) -> Pool {
    Pool::new(WorkPullConfig { attempts }).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Submit,
    Demand(u8, u32),
    Poll,
    Done(usize),
    GiveBack(u8, usize),
    Lost(u8),
    Retire(u8),
    TakeSpent,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let worker = 0u8..5;
    let step = prop_oneof![
        5 => Just(Step::Submit),
        4 => (worker.clone(), 0u32..3).prop_map(|(worker, jobs)| Step::Demand(worker, jobs)),
        6 => Just(Step::Poll),
        4 => (0usize..8).prop_map(Step::Done),
        2 => (worker.clone(), 0usize..8).prop_map(|(worker, job)| Step::GiveBack(worker, job)),
        1 => worker.clone().prop_map(Step::Lost),
        1 => worker.prop_map(Step::Retire),
        2 => Just(Step::TakeSpent),
    ];
    proptest::collection::vec(step, 1..200)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    Waiting,
    With(u8),
    Spent,
    Gone,
}

/// All jobs that ever were, in the order of submission, and who is known, in the order of asking.
#[derive(Default)]
struct Model {
    jobs: Vec<(Ticket, Where, u32)>,
    /// Worker, demand, whether it leaves; whoever has waited longest first.
    workers: Vec<(u8, u32, bool)>,
}

impl Model {
    fn count(&self, is: impl Fn(Where) -> bool) -> usize {
        self.jobs.iter().filter(|(_, place, _)| is(*place)).count()
    }

    fn holds(&self, worker: u8) -> bool {
        self.count(|place| place == Where::With(worker)) > 0
    }

    fn put_back(&mut self, job: usize, attempts: u32) {
        self.jobs[job].1 = Where::Waiting;
        if self.jobs[job].2 >= attempts {
            self.jobs[job].1 = Where::Spent;
        }
    }

    fn let_go(&mut self) {
        let gone: Vec<u8> = self
            .workers
            .iter()
            .filter(|(worker, _, leaves)| *leaves && !self.holds(*worker))
            .map(|(worker, ..)| *worker)
            .collect();
        self.workers.retain(|(worker, ..)| !gone.contains(worker));
    }
}

proptest! {
    #[test]
    fn a_pool_behaves_like_a_list_of_all_jobs(attempts in 1u32..4, steps in steps()) {
        let mut pool = pool(attempts);
        let mut model = Model::default();
        for step in steps {
            // Of the last few jobs, so that most are still there.
            let pick = |job: usize, model: &Model| model.jobs.len().checked_sub(1 + job);
            match step {
                Step::Submit => {
                    let number = model.jobs.len() as u32;
                    let full = model.count(|place| place != Where::Gone) == JOBS;
                    match pool.submit(number) {
                        Ok(ticket) => {
                            prop_assert!(!full);
                            model.jobs.push((ticket, Where::Waiting, 0));
                        }
                        Err(JobsFull(job)) => prop_assert!(full && job == number),
                    }
                }
                Step::Demand(worker, jobs) => {
                    let known = model.workers.iter().position(|(known, ..)| *known == worker);
                    let result = pool.demand(worker, jobs);
                    match known {
                        Some(at) => {
                            prop_assert_eq!(result, Ok(()));
                            let (_, wants, _) = model.workers[at];
                            model.workers[at] = (worker, wants + jobs, false);
                            if wants == 0 {
                                let last = model.workers.remove(at);
                                model.workers.push(last);
                            }
                        }
                        None if model.workers.len() == WORKERS => {
                            prop_assert_eq!(result, Err(DemandError::WorkersFull));
                        }
                        None => {
                            prop_assert_eq!(result, Ok(()));
                            model.workers.push((worker, jobs, false));
                        }
                    }
                }
                Step::Poll => {
                    let job = model.jobs.iter().position(|(_, place, _)| *place == Where::Waiting);
                    let worker = model.workers.iter().position(|(_, wants, _)| *wants > 0);
                    let given = pool.poll().map(|Handout { worker, ticket, job, attempt, .. }| (worker, ticket, job, attempt));
                    if let (Some(job), Some(worker)) = (job, worker) {
                        let (id, wants, leaves) = model.workers.remove(worker);
                        model.workers.push((id, wants - 1, leaves));
                        model.jobs[job].1 = Where::With(id);
                        model.jobs[job].2 += 1;
                        let (ticket, _, attempt) = model.jobs[job];
                        prop_assert_eq!(given, Some((id, ticket, job as u32, attempt)));
                    } else {
                        prop_assert_eq!(given, None);
                    }
                }
                Step::Done(job) => if let Some(job) = pick(job, &model) {
                    let there = model.jobs[job].1 != Where::Gone;
                    prop_assert_eq!(pool.done(model.jobs[job].0), there.then_some(job as u32));
                    model.jobs[job].1 = Where::Gone;
                    model.let_go();
                },
                Step::GiveBack(worker, job) => if let Some(job) = pick(job, &model) {
                    let has = model.jobs[job].1 == Where::With(worker);
                    prop_assert_eq!(pool.give_back(&worker, model.jobs[job].0), has);
                    if has {
                        model.put_back(job, attempts);
                        model.let_go();
                    }
                },
                Step::Lost(worker) => {
                    let had: Vec<usize> =
                        (0..model.jobs.len()).filter(|job| model.jobs[*job].1 == Where::With(worker)).collect();
                    prop_assert_eq!(pool.lost(&worker), had.len());
                    for job in had {
                        model.put_back(job, attempts);
                    }
                    model.workers.retain(|(known, ..)| *known != worker);
                }
                Step::Retire(worker) => {
                    pool.retire(&worker);
                    if let Some(known) = model.workers.iter_mut().find(|(known, ..)| *known == worker) {
                        *known = (worker, 0, true);
                    }
                    model.let_go();
                }
                Step::TakeSpent => {
                    let first = model.jobs.iter().position(|(_, place, _)| *place == Where::Spent);
                    let taken = pool.take_spent();
                    prop_assert_eq!(taken, first.map(|job| (model.jobs[job].0, job as u32)));
                    if let Some(job) = first {
                        model.jobs[job].1 = Where::Gone;
                    }
                }
            }
            prop_assert_eq!(pool.waiting(), model.count(|place| place == Where::Waiting));
            prop_assert_eq!(pool.handed_out(), model.count(|place| matches!(place, Where::With(_))));
            prop_assert_eq!(pool.spent(), model.count(|place| place == Where::Spent));
            prop_assert_eq!(pool.room(), JOBS - model.count(|place| place != Where::Gone));
            prop_assert_eq!(pool.workers(), model.workers.len());
            prop_assert_eq!(pool.demanded(), model.workers.iter().map(|(_, wants, _)| u64::from(*wants)).sum::<u64>());
        }
    }
}

#[test]
fn what_makes_no_sense_is_named() {
    let invalid = Pool::new(WorkPullConfig { attempts: 0 }).unwrap_err();
    assert_eq!(invalid.to_string(), "WorkPullConfig.attempts is zero, so that no job would be handed out");
}

#[test]
fn a_late_report_of_a_worker_that_was_thought_lost_ends_the_job_once() {
    let mut pool = pool(u32::MAX);
    pool.submit(7).unwrap();
    pool.demand(1, 1).unwrap();
    let ticket = pool.poll().unwrap().ticket;
    assert_eq!(pool.lost(&1), 1);
    // Before it is handed out again: nobody does it twice.
    let mut early = pool.clone();
    assert_eq!((early.done(ticket), early.waiting(), early.room()), (Some(7), 0, JOBS));
    // After: the other one's report is the late one.
    pool.demand(2, 1).unwrap();
    assert_eq!(pool.poll().unwrap().attempt, 2);
    assert_eq!(pool.done(ticket), Some(7));
    assert_eq!(pool.done(ticket), None);
    assert_eq!((pool.room(), pool.handed_out()), (JOBS, 0));
    assert!(!pool.give_back(&2, ticket));
}

#[derive(Clone, Debug)]
struct Work {
    ticket: Ticket,
    job: u32,
}

enum Msg {
    Submit(u32),
    Ready(ActorRef<Work>),
    Done(ActorRef<Work>, Ticket),
    HandOut,
}

/// The pool as an actor.
struct Boss {
    jobs: WorkPull<ActorRef<Work>, u32, 4, 6>,
    log: Log,
}

impl Boss {
    fn new(attempts: u32, log: &Log) -> Boss {
        Boss { jobs: WorkPull::new(WorkPullConfig { attempts }).unwrap(), log: log.clone() }
    }

    fn hand_out(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        while let Some((_, job)) = self.jobs.take_spent() {
            self.log.add(format!("{job} given up"));
        }
        match self.jobs.hand_out(ctx, |out| Work { ticket: out.ticket, job: out.job }) {
            Ok(_) => Ok(()),
            Err(TellError::MailboxFull(())) => {
                self.log.add("mailbox full");
                Ok(ctx.set_timer("hand out", ms(5), Msg::HandOut)?)
            }
            Err(other) => Err(other.into()),
        }
    }
}

impl Actor for Boss {
    type Msg = Msg;
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Submit(job) => {
                if let Err(JobsFull(job)) = self.jobs.submit(job) {
                    self.log.add(format!("{job} refused"));
                }
            }
            Msg::Ready(worker) => self.jobs.demand_from(ctx, worker, 1)?,
            Msg::Done(worker, ticket) => {
                if let Some(job) = self.jobs.done(ticket) {
                    self.log.add(format!("{job} done"));
                }
                self.jobs.demand_from(ctx, worker, 1)?;
            }
            Msg::HandOut => {}
        }
        self.hand_out(ctx)
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let jobs = self.jobs.ended(gone);
        self.log.add(format!("a worker with {jobs} is gone"));
        self.hand_out(ctx)
    }
}

/// What becomes of a job at a worker.
type Deed = Box<dyn FnMut(u32) -> Fate>;

#[derive(Clone, Copy)]
enum Fate {
    Does,
    /// Does it, and dies before it says so.
    DoesAndDies,
    Dies,
    Sleeps,
}

struct Worker {
    boss: ActorRef<Msg>,
    deed: Deed,
    log: Log,
}

impl Actor for Worker {
    type Msg = Work;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let me = ctx.me();
        ctx.tell(self.boss, Msg::Ready(me));
        Ok(())
    }
    fn receive(&mut self, work: Work, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let fate = (self.deed)(work.job);
        if matches!(fate, Fate::Does | Fate::DoesAndDies) {
            self.log.add(format!("{}", work.job));
        }
        match fate {
            Fate::Does => {
                let me = ctx.me();
                ctx.tell(self.boss, Msg::Done(me, work.ticket));
                Ok(())
            }
            Fate::DoesAndDies | Fate::Dies => Err(Failure::new("dies")),
            Fate::Sleeps => Ok(()),
        }
    }
}

fn worker(world: &mut World, boss: ActorRef<Msg>, fate: impl FnMut(u32) -> Fate + 'static) -> ActorRef<Work> {
    let worker = Worker { boss, deed: Box::new(fate), log: world.log.clone() };
    world.spawn(worker).unwrap()
}

fn world(attempts: u32) -> (World, ActorRef<Msg>) {
    let mut world = World::new();
    let boss = Boss::new(attempts, &world.log);
    let boss = world.spawn(boss).unwrap();
    (world, boss)
}

#[test]
fn a_producer_is_refused_with_its_job_when_the_pool_is_full_and_served_when_workers_come() {
    let (mut world, boss) = world(u32::MAX);
    for job in 0..8 {
        world.tell(boss, Msg::Submit(job));
    }
    assert_eq!(world.events(), ["6 refused", "7 refused"]);
    worker(&mut world, boss, |_| Fate::Does);
    let events = world.events();
    assert_eq!(events.len(), 12);
    assert_eq!(events[..4], ["0", "0 done", "1", "1 done"]);
}

#[test]
fn a_worker_has_no_more_jobs_than_it_asked_for() {
    let (mut world, boss) = world(u32::MAX);
    worker(&mut world, boss, |_| Fate::Sleeps);
    for job in 0..7 {
        world.tell(boss, Msg::Submit(job));
    }
    // One is with the worker, and keeps its place; five wait.
    assert_eq!(world.events(), ["6 refused"]);
    worker(&mut world, boss, |_| Fate::Does);
    assert_eq!(world.events()[..2], ["1", "1 done"]);
}

#[test]
fn the_job_of_a_worker_that_dies_goes_to_another_before_younger_ones() {
    let (mut world, boss) = world(u32::MAX);
    let sleeper = worker(&mut world, boss, |_| Fate::Sleeps);
    for job in 0..4 {
        world.tell(boss, Msg::Submit(job));
    }
    world.settle();
    world.stop(sleeper);
    assert_eq!(world.events(), ["a worker with 1 is gone"]);
    worker(&mut world, boss, |_| Fate::Does);
    assert_eq!(world.events(), ["0", "0 done", "1", "1 done", "2", "2 done", "3", "3 done"]);
}

#[test]
fn a_job_that_was_done_by_a_worker_that_died_is_done_again() {
    let (mut world, boss) = world(u32::MAX);
    worker(&mut world, boss, |_| Fate::DoesAndDies);
    world.tell(boss, Msg::Submit(1));
    assert_eq!(world.events(), ["1", "a worker with 1 is gone"]);
    worker(&mut world, boss, |_| Fate::Does);
    assert_eq!(world.events(), ["1", "1 done"]);
}

#[test]
fn a_job_that_kills_its_workers_is_given_up_and_the_others_are_done() {
    let (mut world, boss) = world(2);
    world.tell(boss, Msg::Submit(13));
    world.tell(boss, Msg::Submit(14));
    for _ in 0..3 {
        worker(&mut world, boss, |job| if job == 13 { Fate::Dies } else { Fate::Does });
    }
    let events = world.events();
    for expected in ["13 given up", "14 done"] {
        assert_eq!(events.iter().filter(|event| *event == expected).count(), 1, "{events:?}");
    }
    assert_eq!(events.iter().filter(|event| *event == "a worker with 1 is gone").count(), 2, "{events:?}");
}

#[test]
fn a_job_whose_worker_cannot_be_told_waits_and_is_handed_out_later() {
    let (mut world, boss) = world(1);
    // Of the first it never says that it is done, so that it gets the second for what it has asked before.
    let deed: Deed = Box::new(|job| if job == 1 { Fate::Sleeps } else { Fate::Does });
    let sleeper = Worker { boss, deed, log: world.log.clone() };
    let sleeper = world.scope().spawner().mailbox(1).spawn(sleeper).unwrap();
    world.settle();
    world.scope().suspend(sleeper).unwrap();
    world.tell(boss, Msg::Ready(sleeper));
    world.tell(boss, Msg::Submit(1));
    world.tell(boss, Msg::Submit(2));
    assert_eq!(world.events(), ["mailbox full"], "the first fills it, the second does not fit");
    world.scope().resume(sleeper);
    world.settle();
    world.pass(ms(6));
    assert_eq!(world.events(), ["2", "2 done"]);
}

#[test]
fn a_worker_to_which_no_way_leads_is_lost_and_costs_no_attempt() {
    let mut elsewhere = World::new();
    let (mut world, boss) = world(1);
    let stranger = worker(&mut elsewhere, boss, |_| Fate::Does);
    world.tell(boss, Msg::Submit(1));
    world.tell(boss, Msg::Ready(stranger));
    world.settle();
    assert_eq!(world.events(), ["a worker with 0 is gone"]);
    worker(&mut world, boss, |_| Fate::Does);
    assert_eq!(world.events(), ["1", "1 done"]);
}

/// Workers on two cores that die at random, and are replaced; all jobs are done, some more than once, none less.
#[test]
fn every_job_is_done_at_least_once_whatever_dies() {
    let mut twice = 0;
    for seed in 0..40 {
        let mut realm = Realm::pair();
        let log = realm.log();
        let boss = realm.worlds[0].spawn(Boss::new(u32::MAX, &log)).unwrap();
        let mut random = Random(seed);
        let dice = Rc::new(RefCell::new(Random(seed + 1000)));
        let (mut submitted, mut alive) = (0, 0);
        let mut tally = Tally::default();
        for _ in 0..400 {
            while alive - tally.gone < 3 {
                let shard = random.below(2);
                let dice = dice.clone();
                worker(&mut realm.worlds[shard], boss, move |_| match dice.borrow_mut().below(6) {
                    0 => Fate::Dies,
                    1 => Fate::DoesAndDies,
                    _ => Fate::Does,
                });
                alive += 1;
            }
            for _ in 0..random.below(4) {
                realm.worlds[0].tell(boss, Msg::Submit(submitted));
                submitted += 1;
            }
            for _ in 0..random.below(3) {
                let shard = random.below(2);
                realm.worlds[shard].turn();
            }
            for event in log.take() {
                tally.count(&event);
            }
        }
        // What is left is done by one that never dies.
        worker(&mut realm.worlds[0], boss, |_| Fate::Does);
        for event in realm.events() {
            tally.count(&event);
        }
        let Tally { worked, done, refused, gone } = tally;
        assert_eq!(done.len() + refused, submitted as usize, "seed {seed}");
        assert!(done.values().all(|times| *times == 1), "each is reported done once");
        assert!(done.keys().all(|job| worked.contains_key(job)), "and somebody did it");
        assert!(gone > 0 && done.len() > 100, "seed {seed}: {gone} died, {} done", done.len());
        twice += worked.values().filter(|times| **times > 1).count();
    }
    assert!(twice > 0, "workers that die after the work are among them");
}

/// What the log says, in numbers.
#[derive(Default)]
struct Tally {
    /// How often each job was worked on to its end, and reported done.
    worked: HashMap<u32, usize>,
    done: HashMap<u32, usize>,
    refused: usize,
    gone: usize,
}

impl Tally {
    fn count(&mut self, event: &str) {
        let mut words = event.split(' ');
        match (words.next().map(str::parse), words.next()) {
            (Some(Ok(job)), None) => *self.worked.entry(job).or_default() += 1,
            (Some(Ok(job)), Some("done")) => *self.done.entry(job).or_default() += 1,
            (Some(Ok(_)), Some("refused")) => self.refused += 1,
            (_, Some("worker")) => self.gone += 1,
            _ => panic!("{event}"),
        }
    }
}
