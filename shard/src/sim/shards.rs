//! The shards of a simulated system and the lanes between them. One step of a shard at a time; what a step publishes is
//! carried over later, lane by lane; a shard that has nothing to do sleeps until it is woken, its driver has input or a timer
//! is due, exactly when a thread would.
//!
//! A wake-up travels with what it is for: between two threads, a fence has the sleeper see either the wake-up or what was
//! published before it. So a shard that was told something and is not woken sleeps on, and a wake-up that is forgotten shows.

use std::collections::VecDeque;

use corelane_kernel::{LaneReceiver, LaneRelay, LaneSender, Time, relayed_lane};

use super::stage::News;
use super::trace::{Event, Fault};
use super::world::{Moment, World};
use crate::report::ShardReport;
use crate::shared::Phase;
use crate::turn::{Pace, Step, Worker};
use crate::unwind::guard;

/// A lane of the simulation.
pub(crate) struct Link {
    relay: LaneRelay,
    from: Option<usize>,
    to: usize,
    signals: bool,
    /// What is held, oldest first.
    due: VecDeque<Due>,
}

/// Something that was published and is not yet visible.
struct Due {
    at: Time,
    published: Time,
    /// It wakes the shard.
    wakes: bool,
}

impl Link {
    pub(crate) fn new(
        words: usize,
        from: Option<usize>,
        to: usize,
        signals: bool,
    ) -> (LaneSender, LaneReceiver, Link) {
        let (sender, receiver, relay) = relayed_lane(words);
        (sender, receiver, Link { relay, from, to, signals, due: VecDeque::new() })
    }

    /// Tells the sender where its receiver lives.
    pub(crate) fn introduce(&mut self) {
        self.relay.give_back();
    }
}

enum State {
    /// Its next step is at this time.
    Runs(Time),
    /// Until it is woken, or until a timer is due.
    Sleeps(Option<Time>),
    Ended(ShardReport),
}

struct Shard {
    /// None once it is lost.
    worker: Option<Worker>,
    pace: Pace,
    state: State,
    /// It does nothing before this time.
    stalled: Time,
    /// Its last step ended behind a full lane.
    spills: bool,
}

#[derive(Clone, Copy)]
enum Next {
    Shard(usize),
    Link(usize),
}

#[derive(Default)]
pub(super) struct Shards {
    /// Whose they are.
    host: usize,
    shards: Vec<Shard>,
    links: Vec<Link>,
    next: Option<Next>,
    /// The system was asked to end, as a fault.
    shut_down: bool,
}

impl Shards {
    pub(super) fn of(host: usize, workers: Vec<Worker>, now: Time) -> Shards {
        let shard = |worker| Shard {
            worker: Some(worker),
            pace: Pace::starting_at(now),
            state: State::Runs(now),
            stalled: now,
            spills: false,
        };
        Shards {
            host,
            shards: workers.into_iter().map(shard).collect(),
            links: Vec::new(),
            next: None,
            shut_down: false,
        }
    }

    /// Takes note of what was published and who was woken since the last look.
    fn look(&mut self, moment: &Moment<'_>) {
        if let Some(new) = moment.stage.take_links(self.host) {
            self.links.extend(new);
        }
        let options = moment.options();
        let Shards { shards, links, .. } = self;
        let mut over = false;
        for link in links.iter_mut() {
            if link.relay.note() {
                let due = moment.now() + moment.time(&options.lane_time);
                // A lane keeps its order.
                let at = link.due.back().map_or(due, |last| due.max(last.at));
                link.due.push_back(Due { at, published: moment.now(), wakes: false });
            }
            if link.from.is_none() {
                link.relay.give_back();
            }
            over |= link.relay.is_over();
        }
        if over {
            links.retain(|link| !link.relay.is_over());
        }
        for (number, shard) in shards.iter_mut().enumerate() {
            let Some(worker) = &mut shard.worker else { continue };
            if !worker.shared.posts[number].wake.was_woken() {
                // A thread would wait in its driver.
                if matches!(shard.state, State::Sleeps(_)) && worker.driver_has_input() {
                    shard.state = State::Runs(moment.now() + moment.time(&options.wake_time));
                }
                continue;
            }
            let mut under_way = false;
            for link in links.iter_mut().filter(|link| link.to == number) {
                if let Some(last) = link.due.back_mut() {
                    (last.wakes, under_way) = (true, true);
                }
            }
            if !under_way && let State::Sleeps(_) = shard.state {
                shard.state = State::Runs(moment.now() + moment.time(&options.wake_time));
            }
        }
    }

    fn choose(&self, moment: &Moment<'_>) -> Option<(Time, Next)> {
        let there = self.shards.iter().enumerate().filter(|(_, shard)| shard.worker.is_some());
        let shards = there.filter_map(|(number, shard)| match shard.state {
            State::Runs(at) | State::Sleeps(Some(at)) => Some((at.max(shard.stalled), Next::Shard(number))),
            State::Sleeps(None) | State::Ended(_) => None,
        });
        let links = self.links.iter().enumerate();
        let links = links.filter_map(|(at, link)| Some((link.due.front()?.at, Next::Link(at))));
        let (mut next, mut equals) = (None::<(Time, Next)>, 0u32);
        for (at, what) in shards.chain(links) {
            match next {
                Some((earliest, _)) if at > earliest => {}
                Some((earliest, _)) if at == earliest => {
                    equals += 1;
                    if moment.one_in(equals) {
                        next = Some((at, what));
                    }
                }
                _ => (next, equals) = (Some((at, what)), 1),
            }
        }
        next
    }

    /// Carries over what is due in a lane.
    fn carry(&mut self, at: usize, moment: &Moment<'_>) {
        let link = &mut self.links[at];
        let (from, to, signals) = (link.from, link.to, link.signals);
        let Some(due) = link.due.pop_front() else { return };
        link.relay.forward();
        moment.stage.add(Event::Lane { host: self.host, from, to, signals });
        if due.wakes
            && let State::Sleeps(_) = self.shards[to].state
        {
            let wakes_up = moment.now() + moment.time(&moment.options().wake_time);
            self.shards[to].state = State::Runs(wakes_up);
        }
        let is_older = |waits: &Due| waits.published < due.published;
        if self.links.iter().any(|other| other.to == to && other.due.front().is_some_and(is_older)) {
            moment.fault(Fault::LaneDelay, self.host, Some(to));
        }
    }

    fn step_of(&mut self, number: usize, moment: &Moment<'_>) {
        let options = moment.options();
        if moment.one_in(options.shard_loss_one_in) && self.has_others(number) {
            self.lose(number, moment);
            return;
        }
        // Room that was given back is seen now and then: a lane is full for longer than it has to be.
        if !moment.one_in(3) {
            for link in self.links.iter_mut().filter(|link| link.from == Some(number)) {
                link.relay.give_back();
            }
        }
        let shard = &mut self.shards[number];
        let Some(worker) = &mut shard.worker else { return };
        if moment.one_in(options.shutdown_one_in) && !std::mem::replace(&mut self.shut_down, true) {
            moment.fault(Fault::Shutdown, self.host, Some(number));
            worker.handle.request_shutdown();
        }
        if moment.one_in(options.clock_jump_one_in) {
            moment.stage.set_now(moment.now() + moment.time(&options.clock_jump));
            moment.fault(Fault::ClockJump, self.host, None);
        }
        let mut reading = moment.now();
        if moment.one_in(options.clock_back_one_in) {
            let back = moment.time(&options.clock_back);
            reading = Time::ZERO + reading.since(Time::ZERO).saturating_sub(back);
            moment.fault(Fault::ClockBack, self.host, Some(number));
        }
        shard.pace.rested(reading);
        // To a kernel, time never goes back.
        moment.stage.set_reading(reading.max(worker.kernel.scope().now()));
        let before = worker.kernel.stats();
        let step = worker.step(&mut shard.pace, || reading);
        let stats = worker.kernel.stats();
        let handled = stats.handled.saturating_sub(before.handled);
        moment.stage.add(Event::Step { host: self.host, shard: number, handled, actors: stats.actors });
        if stats.refusals > before.refusals {
            moment.fault(Fault::MemoryRefusal, self.host, Some(number));
            moment.stage.tell(self.host, News::OutOfMemory { shard: number });
        }
        if step == Step::Stuck && !std::mem::replace(&mut shard.spills, true) {
            moment.fault(Fault::Spill, self.host, Some(number));
        }
        shard.spills &= step == Step::Stuck;
        let next = moment.now() + moment.time(&options.step_time);
        if moment.one_in(options.stall_one_in) {
            shard.stalled = next + moment.time(&options.stall_time);
            moment.fault(Fault::Stall, self.host, Some(number));
        }
        shard.state = match step {
            Step::Idle(phase) if worker.may_sleep(phase) => {
                worker.prepare_to_sleep(&mut shard.pace);
                State::Sleeps(worker.next_deadline())
            }
            Step::Busy | Step::Stuck | Step::Idle(_) => State::Runs(next),
            Step::Over => State::Ended(worker.end(&shard.pace)),
        };
    }

    /// Whether another shard than this is left.
    fn has_others(&self, number: usize) -> bool {
        let mut others = self.shards.iter().enumerate().filter(|(other, _)| *other != number);
        others.any(|(_, shard)| shard.worker.is_some())
    }

    /// A shard's thread ends by a panic between two steps: what it leaves is dropped as the panic unwinds.
    pub(super) fn lose(&mut self, number: usize, moment: &Moment<'_>) -> bool {
        let running = |shard: &&mut Shard| !matches!(shard.state, State::Ended(_));
        let Some(shard) = self.shards.get_mut(number).filter(running) else { return false };
        let Some(worker) = shard.worker.take() else { return false };
        moment.fault(Fault::ShardLoss, self.host, Some(number));
        moment.stage.tell(self.host, News::Lost { shard: number });
        let shared = worker.shared.clone();
        if let Err(failure) = guard(move || drop(worker)) {
            moment.stage.add(Event::Panicked { text: failure.to_string() });
        }
        shared.leave(number);
        true
    }

    pub(super) fn is_lost(&self, shard: usize) -> bool {
        self.shards.get(shard).is_some_and(|shard| shard.worker.is_none())
    }

    /// Has a shard do nothing for a while.
    pub(super) fn stall(&mut self, shard: usize, until: Time) {
        if let Some(shard) = self.shards.get_mut(shard) {
            shard.stalled = shard.stalled.max(until);
        }
    }

    pub(super) fn have_ended(&self) -> bool {
        (0..self.shards.len()).all(|shard| self.has_ended(shard))
    }

    /// Whether a shard takes no more steps.
    pub(super) fn has_ended(&self, shard: usize) -> bool {
        self.is_lost(shard) || matches!(self.shards[shard].state, State::Ended(_))
    }

    /// Everything that is under way arrives: what is left of lanes and kernels is dropped, one shard after the other in an
    /// order that is drawn. Gives what the shards that have ended leave behind, and which have not.
    pub(super) fn tear_down(&mut self, moment: &Moment<'_>) -> (Vec<ShardReport>, Vec<usize>) {
        self.look(moment);
        for link in &mut self.links {
            while link.relay.forward() {}
        }
        let (mut reports, mut unfinished) = (Vec::new(), Vec::new());
        let mut left: Vec<_> = std::mem::take(&mut self.shards).into_iter().enumerate().collect();
        let mut workers = left.iter().filter_map(|(_, shard)| shard.worker.as_ref());
        debug_assert!(workers.all(|worker| worker.shared.phase() == Phase::Over));
        while !left.is_empty() {
            let (number, Shard { worker, state, .. }) = left.swap_remove(moment.below(left.len()));
            match state {
                State::Ended(report) => reports.push(report),
                _ => unfinished.push(number),
            }
            let shared = worker.as_ref().map(|worker| worker.shared.clone());
            if let Err(failure) = guard(move || drop(worker)) {
                moment.stage.add(Event::Panicked { text: failure.to_string() });
            }
            // What was asked of a host that crashed is dropped with it: it may hold the host.
            if let Some(shared) = shared {
                shared.leave(number);
            }
            for link in &mut self.links {
                while link.relay.note() {}
                while link.relay.forward() {}
                link.relay.give_back();
            }
        }
        self.links.clear();
        reports.sort_by_key(|report| report.shard);
        unfinished.sort_unstable();
        (reports, unfinished)
    }
}

impl World for Shards {
    fn next_time(&mut self, moment: &Moment<'_>) -> Option<Time> {
        self.look(moment);
        let (at, next) = self.choose(moment)?;
        self.next = Some(next);
        Some(at)
    }

    fn step(&mut self, moment: &Moment<'_>) {
        match self.next.take() {
            Some(Next::Shard(number)) => self.step_of(number, moment),
            Some(Next::Link(at)) => self.carry(at, moment),
            None => {}
        }
    }

    fn is_idle(&mut self, moment: &Moment<'_>) -> bool {
        self.look(moment);
        let sleeps = |shard: &Shard| match shard.state {
            _ if shard.worker.is_none() => true,
            State::Runs(_) => false,
            State::Sleeps(until) => until.is_none_or(|until| until > moment.now()),
            State::Ended(_) => true,
        };
        self.shards.iter().all(sleeps) && self.links.iter().all(|link| link.due.is_empty())
    }
}
