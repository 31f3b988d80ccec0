//! Workers that log what they are told, and senders with a router that do with it as they are told.

use corelane_kernel::router::{Evicted, HashKey, KeyHasher, Router, Strategy};
use corelane_kernel::{Actor, ActorRef, Address, AskError, Ctx, Failure, Outcome, ReplyTo, Terminated};

use crate::common::{Log, Token, World};

/// What a routee is told.
#[derive(Clone)]
pub(crate) enum Job {
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
pub(crate) enum Manner {
    Answers,
    IsSilent,
}

/// Logs what it is told; answers with what it adds to the question.
pub(crate) struct Worker {
    pub(crate) name: &'static str,
    pub(crate) log: Log,
    pub(crate) manner: Manner,
    pub(crate) adds: u64,
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

pub(crate) const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

pub(crate) fn worker(world: &mut World, name: &'static str, manner: Manner) -> ActorRef<Job> {
    let adds = 10 * (1 + NAMES.iter().position(|known| *known == name).expect("a known name") as u64);
    let worker = Worker { name, log: world.log.clone(), manner, adds };
    world.spawn(worker).expect("room for a worker")
}

pub(crate) fn workers<const N: usize>(world: &mut World) -> [ActorRef<Job>; N] {
    std::array::from_fn(|at| worker(world, NAMES[at], Manner::Answers))
}

/// An actor with a router: does with it as it is told, and logs answers and ends.
pub(crate) struct Sender<S> {
    pub(crate) router: Router<Job, S, 8>,
    pub(crate) log: Log,
}

pub(crate) type Deed<S> = Box<dyn FnOnce(&mut Router<Job, S, 8>, &mut Ctx<'_, Sender<S>>) + Send>;

pub(crate) enum Order<S: Strategy<Job> + 'static> {
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

pub(crate) fn sender<S: Strategy<Job> + 'static>(
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
pub(crate) fn have<S: Strategy<Job> + 'static>(
    world: &mut World,
    sender: ActorRef<Order<S>>,
    deed: impl FnOnce(&mut Router<Job, S, 8>, &mut Ctx<'_, Sender<S>>) + Send + 'static,
) {
    world.tell(sender, Order::Do(Box::new(deed)));
    world.settle();
}
