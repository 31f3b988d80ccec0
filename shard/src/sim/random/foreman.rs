//! The owner of a pool in a random world: it does what the others do, and routes messages to those whom it has hired.
//!
//! A pool spawns its routees from clones of one factory. Each clone is a seat of its own, with the number of the routee
//! that will have it, so the books know of every routee before it lives.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_kernel::router::{AnyStrategy, ConsistentHash, Pool, Resizer, ResizerConfig, RouterKind};
use corelane_kernel::{Actor, Address, Ctx, Directive, Failure, Outcome, Strategy, Terminated, TimerKey};

use super::super::rules::{Act, Id, Lack, OUTSIDE};
use super::dweller::{Dweller, perhaps_fail_to_make};
use super::message::{Due, Errand, Msg};
use super::parenting::Parenting;
use super::town::{Person, Town};

/// Most routees of a pool.
const ROOM: usize = 8;

/// Who is to have the seats that were taken last, oldest first.
type Hired = Arc<Mutex<VecDeque<Id>>>;

fn lock(hired: &Hired) -> MutexGuard<'_, VecDeque<Id>> {
    hired.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The factory of a routee; each clone that of another.
struct Seat {
    town: Town,
    owner: Id,
    shard: usize,
    id: Id,
    hired: Hired,
}

impl Clone for Seat {
    fn clone(&self) -> Seat {
        let id = self.town.expect(self.owner, self.shard);
        lock(&self.hired).push_back(id);
        Seat { town: self.town.clone(), id, hired: self.hired.clone(), owner: self.owner, shard: self.shard }
    }
}

impl Drop for Seat {
    /// Nobody was spawned with it.
    fn drop(&mut self) {
        lock(&self.hired).retain(|id| *id != self.id);
    }
}

impl Seat {
    fn fill(&self) -> Dweller {
        Dweller::make(&self.town, self.id)
    }
}

type ByNumber = AnyStrategy<fn(&Msg) -> u32>;

pub(super) struct Foreman<F> {
    dweller: Dweller,
    pool: Pool<Dweller, ByNumber, F, ROOM>,
    bounds: (u32, u32),
    hired: Hired,
    /// What the kernel had had no room for when it last looked.
    refusals: u64,
}

/// The owner of a pool, of whom it fails to be made now and then.
pub(super) fn foreman(
    town: &Town,
    id: Id,
    shard: usize,
) -> Foreman<impl FnMut() -> Dweller + Clone + Send + use<>> {
    perhaps_fail_to_make(town, id);
    let hired = Hired::default();
    let seat = Seat { town: town.clone(), owner: id, shard, id: 0, hired: hired.clone() };
    let key: fn(&Msg) -> u32 = Msg::number;
    let pool = Pool::from_factory(1 + town.below(3) as usize, move || seat.fill());
    let mut pool = pool.strategy(AnyStrategy::keyed(ConsistentHash::with(key)));
    if town.one_in(2) {
        pool = pool.mailbox(4 + town.below(20) as u32);
    }
    let mut bounds = (0, ROOM as u32);
    if !town.one_in(3) {
        bounds = (1 + town.below(2) as u32, 3 + town.below(4) as u32);
        let config = ResizerConfig {
            lower_bound: bounds.0 as usize,
            upper_bound: bounds.1 as usize,
            messages_per_resize: 1 + town.below(8) as u32,
            ..ResizerConfig::default()
        };
        // Bounds that do not cross make sense.
        pool = pool.resizer(Resizer::new(config).expect("a resizer with sensible bounds"));
    }
    Foreman { dweller: Dweller::new(town, id), pool, bounds, hired, refusals: 0 }
}

impl<F: FnMut() -> Dweller + Clone + Send + 'static> Foreman<F> {
    fn see(&self, act: Act) {
        self.dweller.town.see(act);
    }

    /// Says who has come and gone since it last looked at its pool.
    fn look(&mut self, ctx: &mut Ctx<'_, Self>) {
        let owner = self.dweller.id;
        let before = std::mem::replace(&mut self.refusals, ctx.scope().stats().refusals);
        if before < self.refusals {
            self.see(Act::Lacks { id: owner, what: Lack::Routees });
        }
        let mut new = lock(&self.hired).drain(..).collect::<VecDeque<_>>();
        for routee in self.pool.routees() {
            let at = routee.to();
            if self.dweller.hired.iter().all(|(known, _)| *known != at.address()) {
                // One of whom no seat tells is the rules' to find.
                let id = new.pop_front().unwrap_or_default();
                self.dweller.hired.push((at.address(), id));
                self.dweller.town.enter(Person { id, at });
                self.see(Act::Joined { owner, routee: id });
            }
        }
        for id in new {
            // One that could not be watched is none.
            self.see(Act::StopAsked { id, by: owner });
        }
        let pool = &self.pool;
        let gone = |(at, _): &mut (Address, Id)| pool.routees().iter().all(|routee| routee.address() != *at);
        let retired: Vec<_> = self.dweller.hired.extract_if(.., gone).collect();
        for (_, routee) in retired {
            self.see(Act::Retired { owner, routee });
        }
        self.see(Act::PoolSize { owner, size: self.pool.len() as u32 });
    }

    /// Routes something, or changes who it is routed to.
    fn lead(&mut self, ctx: &mut Ctx<'_, Self>) {
        let (town, owner) = (self.dweller.town.clone(), self.dweller.id);
        match town.below(12) {
            0..5 => self.route(ctx, false),
            5 => (0..8 + town.below(24)).for_each(|_| self.route(ctx, false)),
            6 => self.route(ctx, true),
            7..9 => {
                // Picked for a message that is told as any other.
                let due = Due::new(&town, OUTSIDE, Lack::Timer { key: 0, no: town.serial() });
                let to = self.pool.router(ctx).pick_for(&Msg::Timer(due));
                self.look(ctx);
                if let Some((_, id)) = self.dweller.hired.iter().find(|(at, _)| *at == to.address()) {
                    self.dweller.tell(ctx, Person { id: *id, at: to });
                }
            }
            9 if self.bounds.0 == 0 => {
                let size = town.below(ROOM as u64 + 1) as usize;
                // Where one is not spawned the pool has fewer.
                let _ = self.pool.resize(ctx, size);
                self.look(ctx);
            }
            9 | 10 => {
                let kinds = [
                    RouterKind::RoundRobin,
                    RouterKind::Random,
                    RouterKind::SmallestLoad,
                    RouterKind::ConsistentHash,
                ];
                let me = ctx.me();
                // Each of them is a pick, and there is a key.
                let _ = self.pool.strategy_mut().choose(kinds[town.below(4) as usize], me);
            }
            _ => {
                let done: Vec<_> = self.pool.routees().iter().map(|routee| routee.address()).collect();
                done.into_iter().for_each(|routee| _ = self.pool.done(routee));
                town.see(Act::PoolSize { owner, size: self.pool.len() as u32 });
            }
        }
    }

    fn route(&mut self, ctx: &mut Ctx<'_, Self>, all: bool) {
        let (town, owner) = (self.dweller.town.clone(), self.dweller.id);
        if !town.may_tell() {
            return;
        }
        let errand = Errand::new(&town, owner, all);
        let no = errand.no;
        if all {
            self.pool.router(ctx).broadcast(ctx, Msg::Errand(errand));
        } else if town.one_in(2) {
            self.pool.tell(ctx, Msg::Errand(errand));
        } else if let Err(refused) = self.pool.try_tell(ctx, Msg::Errand(errand)) {
            drop(refused);
        }
        self.look(ctx);
        self.see(Act::Spread { owner, no });
    }
}

impl<F: FnMut() -> Dweller + Clone + Send + 'static> Actor for Foreman<F> {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.dweller.hear(msg, ctx);
        self.dweller.owns(outcome)?;
        if self.dweller.leaves {
            return Ok(());
        }
        (0..self.dweller.town.below(3)).for_each(|_| self.lead(ctx));
        self.dweller.perhaps_fail()
    }

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let (owner, (least, most)) = (self.dweller.id, self.bounds);
        self.see(Act::PoolStarted { owner, least, most });
        self.dweller.announce(ctx);
        let started = self.pool.start(ctx).map_err(Failure::from);
        self.look(ctx);
        let outcome = started.and_then(|()| self.dweller.go_on(ctx));
        self.dweller.owns(outcome)
    }

    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.dweller.end(ctx);
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        // Without routees it goes on: a resizer brings new ones, or a change of its size.
        let _ = self.pool.evict(gone.address);
        self.dweller.hired.retain(|(at, _)| *at != gone.address);
        let outcome = self.dweller.mourn(gone, ctx);
        self.dweller.owns(outcome)
    }

    fn strategy(&self) -> Strategy {
        Parenting::of(self.dweller.id).strategy()
    }

    fn decide(&mut self, child: Address, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        self.dweller.judge(child, ctx)
    }

    fn restarting(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) {
        self.dweller.take_leave(ctx);
    }

    fn restarted(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.see(Act::Restarted { id: self.dweller.id, now: ctx.now() });
        self.started(ctx)
    }

    fn alarm(&mut self, key: TimerKey, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.dweller.ring(key, ctx);
        self.dweller.owns(outcome)
    }

    fn receive_timeout(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.dweller.silence(ctx);
        self.dweller.owns(outcome)
    }
}
