//! The reference: what a kernel does with the same steps, written for reading, with lists that are searched and copied.
//!
//! It keeps the documented order of a turn: signals, queues by group, timers, waiting messages, ends whose watchers are
//! to be told, signals again. Signals overtake messages: all that wait are handled before the next message, and after them
//! restarts that go on. A failure is decided about at once, and carried out before anything else.

use std::collections::{BTreeMap, VecDeque};

use corelane_kernel::DeadReason;

use super::{Cmd, Id, PERIODIC, Plan, SHARES, STASH_BOUND, Step, UNIT, leaves_children, reach_of, slot_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Ready,
    Suspended,
    Backlog,
    Starting,
    Stopping,
    /// Ended; its watchers are still to be told.
    Mourned,
    Gone,
}

#[derive(Clone, Debug)]
enum Waiting {
    Message(Cmd, bool),
    /// A timer that came due, by key and number.
    Due(u64, u64),
}

#[derive(Clone, Debug)]
enum Duty {
    Tell(u64),
    Repeat(u64, u64),
    Silence,
}

#[derive(Clone, Debug)]
struct Timer {
    number: u64,
    tick: u64,
    duty: Duty,
    /// It came due and waits its turn.
    out: bool,
}

#[derive(Clone, Debug)]
struct Watch {
    target: Id,
    with: Option<u64>,
    /// Why it ended, once it is among the notices.
    told: Option<String>,
}

#[derive(Clone, Debug)]
struct Doll {
    gate: Gate,
    group: usize,
    parent: Option<Id>,
    /// Newest first.
    children: Vec<Id>,
    suspensions: u32,
    backlog: VecDeque<Waiting>,
    stash: VecDeque<Cmd>,
    timers: BTreeMap<u64, Timer>,
    /// After how much silence, and since when.
    silence: Option<(u64, u64)>,
    watches: Vec<Watch>,
    /// Newest first.
    watchers: Vec<Id>,
    bound: u32,
    waiting: u32,
    failed: bool,
    /// Spawned from a factory.
    made: bool,
    /// It is being restarted, and has come so far.
    restart: Option<Restart>,
    end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restart {
    /// About to begin.
    Listed,
    /// Waits until the stops of its children are through.
    Children,
}

enum Signal {
    Start(Id),
    Stop(Id),
    Fail(Id, Plan),
}

/// Key under which the receive time-out stands among the timers.
const SILENCE: u64 = 6;

pub(super) struct Reference {
    dolls: Vec<Doll>,
    queues: [VecDeque<(Id, Cmd, bool)>; 4],
    pushed: [u64; 4],
    popped: [u64; 4],
    signals: VecDeque<Signal>,
    /// Restarts that go on when the signals are through.
    restarts: VecDeque<Id>,
    /// Watchers that are to be told, each with its target.
    notices: VecDeque<(Id, Id)>,
    mourned: [VecDeque<Id>; 4],
    ring: VecDeque<Id>,
    now: u64,
    numbers: u64,
    pub(super) log: Vec<String>,
    pub(super) letters: BTreeMap<u8, u64>,
}

impl Reference {
    pub(super) fn new(now: u64) -> Reference {
        Reference {
            dolls: Vec::new(),
            queues: Default::default(),
            pushed: [0; 4],
            popped: [0; 4],
            signals: VecDeque::new(),
            restarts: VecDeque::new(),
            notices: VecDeque::new(),
            mourned: Default::default(),
            ring: VecDeque::new(),
            now,
            numbers: 0,
            log: Vec::new(),
            letters: BTreeMap::new(),
        }
    }

    pub(super) fn living(&self) -> usize {
        self.dolls.iter().filter(|doll| !matches!(doll.gate, Gate::Mourned | Gate::Gone)).count()
    }

    pub(super) fn count(&self) -> usize {
        self.dolls.len()
    }

    fn alive(&self, id: Id) -> bool {
        self.dolls.get(id).is_some_and(|doll| !matches!(doll.gate, Gate::Mourned | Gate::Gone))
    }

    fn say(&mut self, id: Id, what: impl std::fmt::Display) {
        self.log.push(format!("{id}: {what}"));
    }

    fn bury(&mut self, reason: DeadReason) {
        *self.letters.entry(reason as u8).or_default() += 1;
    }

    // --- what a driver does --------------------------------------------------------------------------------------

    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::Spawn { group, bound, made } => self.spawn(None, *group, *bound, *made),
            Step::Tell(id, cmd) => self.tell(*id, cmd.clone()),
            Step::Stop(id) => self.request_stop(*id),
            Step::Fail(id, plan) if self.alive(*id) => self.signals.push_back(Signal::Fail(*id, *plan)),
            Step::Fail(..) => {}
            Step::Suspend(id) => self.suspend(*id),
            Step::Resume(id) => self.resume(*id),
            Step::ResumeWith(id, n) => {
                if self.alive(*id) {
                    self.dolls[*id].backlog.push_front(Waiting::Message(Cmd::Note(*n), false));
                    self.resume(*id);
                    if self.dolls[*id].gate == Gate::Ready {
                        self.open(*id);
                    }
                } else {
                    self.tell(*id, Cmd::Note(*n));
                }
            }
            Step::Advance(units) => self.now += units * UNIT,
            Step::Turn => self.turn(),
        }
    }

    pub(super) fn idle(&self) -> bool {
        self.signals.is_empty()
            && self.notices.is_empty()
            && self.queues.iter().all(VecDeque::is_empty)
            && self.ring.is_empty()
            && self.mourned.iter().all(VecDeque::is_empty)
    }

    fn turn(&mut self) {
        self.run_signals();
        // Urgent first, then normal, bulk and background.
        for group in [1, 0, 2, 3] {
            for _ in 0..SHARES[group] {
                let Some((id, cmd, counted)) = self.queues[group].pop_front() else { break };
                self.popped[group] += 1;
                self.deliver(id, cmd, counted);
                self.run_signals();
            }
        }
        self.run_timers();
        self.run_ring();
        self.run_mourning();
        self.run_signals();
    }

    // --- messages ------------------------------------------------------------------------------------------------

    fn tell(&mut self, id: Id, cmd: Cmd) {
        let mut counted = false;
        if self.dolls[id].bound > 0 && self.alive(id) {
            if self.dolls[id].waiting >= self.dolls[id].bound {
                return self.bury(DeadReason::MailboxFull);
            }
            self.dolls[id].waiting += 1;
            counted = true;
        }
        let group = self.dolls[id].group;
        self.queues[group].push_back((id, cmd, counted));
        self.pushed[group] += 1;
    }

    fn deliver(&mut self, id: Id, cmd: Cmd, counted: bool) {
        match self.dolls[id].gate {
            Gate::Ready => self.handle(id, cmd, counted),
            Gate::Suspended | Gate::Backlog | Gate::Starting => {
                self.dolls[id].backlog.push_back(Waiting::Message(cmd, counted));
            }
            Gate::Stopping | Gate::Mourned | Gate::Gone => self.bury(DeadReason::NoActor),
        }
    }

    fn handle(&mut self, id: Id, cmd: Cmd, counted: bool) {
        let now = self.now;
        let doll = &mut self.dolls[id];
        if counted {
            doll.waiting -= 1;
        }
        if let Some((_, last)) = &mut doll.silence {
            *last = now;
        }
        match cmd {
            Cmd::Note(n) => self.say(id, n),
            Cmd::Stash(n) if doll.stash.len() < STASH_BOUND => doll.stash.push_back(Cmd::Note(n)),
            Cmd::Stash(n) => self.say(id, format_args!("stash is full for {n}")),
            Cmd::Unstash(most) => {
                let count = most.min(doll.stash.len());
                for cmd in doll.stash.drain(..count).collect::<Vec<_>>().into_iter().rev() {
                    doll.backlog.push_front(Waiting::Message(cmd, false));
                }
                self.say(id, format_args!("takes {count} back"));
                if count > 0 && self.dolls[id].gate == Gate::Ready {
                    self.open(id);
                }
            }
            Cmd::Watch(target) => self.watch(id, target, None),
            Cmd::WatchWith(target, n) => self.watch(id, target, Some(n)),
            Cmd::Unwatch(target) => {
                let had = doll.watches.iter().any(|watch| watch.target == target);
                doll.watches.retain(|watch| watch.target != target);
                self.forget(id, target);
                self.say(id, format_args!("unwatches: {had}"));
            }
            Cmd::Timer(key, units, n) => self.set_timer(id, key, units, Duty::Tell(n)),
            Cmd::Periodic(units, n) => self.set_timer(id, PERIODIC, units, Duty::Repeat(n, units)),
            Cmd::Cancel(key) => {
                let had = doll.timers.remove(&key).is_some();
                self.say(id, format_args!("cancels: {had}"));
            }
            Cmd::Silence(units) => {
                doll.timers.remove(&SILENCE);
                doll.silence = None;
                if let Some(units) = units {
                    doll.silence = Some((units * UNIT + slot_of(id, SILENCE), now));
                    self.set_timer(id, SILENCE, units, Duty::Silence);
                }
            }
            Cmd::SuspendSelf => self.suspend(id),
            Cmd::Resume(other) => self.resume(other),
            Cmd::Stop(other) => self.request_stop(other),
            Cmd::StopSelf => self.request_stop(id),
            Cmd::Fail(plan) => {
                self.bury(DeadReason::Failed);
                self.judge(id, plan);
            }
            Cmd::Spawn { group, bound, made } => self.spawn(Some(id), group, bound, made),
            Cmd::TellTo(other, n) => self.tell(other, Cmd::Note(n)),
        }
    }

    // --- life ----------------------------------------------------------------------------------------------------

    fn spawn(&mut self, parent: Option<Id>, group: usize, bound: u32, made: bool) {
        if self.dolls.len() >= super::DOLLS {
            return;
        }
        let id = self.dolls.len();
        self.dolls.push(Doll {
            gate: Gate::Starting,
            group,
            parent,
            children: Vec::new(),
            suspensions: 0,
            backlog: VecDeque::new(),
            stash: VecDeque::new(),
            timers: BTreeMap::new(),
            silence: None,
            watches: Vec::new(),
            watchers: Vec::new(),
            bound,
            waiting: 0,
            failed: false,
            made,
            restart: None,
            end: 0,
        });
        if let Some(parent) = parent {
            self.dolls[parent].children.insert(0, id);
        }
        self.signals.push_back(Signal::Start(id));
    }

    fn request_stop(&mut self, id: Id) {
        if self.alive(id) {
            self.signals.push_back(Signal::Stop(id));
        }
    }

    fn stop_failed(&mut self, id: Id) {
        self.dolls[id].failed = true;
        self.stop(id);
    }

    fn judge(&mut self, id: Id, plan: Plan) {
        if self.dolls[id].restart.is_some() {
            // It is being restarted already.
            return;
        }
        let parent = self.dolls[id].parent;
        if let Some(parent) = parent {
            self.say(parent, format_args!("child {id} failed"));
        }
        let reached = self.reached(id);
        match (plan, parent) {
            (Plan::Resume, _) => {}
            (Plan::Restart, _) if reached.len() == 1 && reached[0] == id && self.reach(id) == 0 => {
                if self.dolls[id].made { self.restart(id, Restart::Listed) } else { self.stop_failed(id) }
            }
            (Plan::Restart, _) => {
                for one in reached {
                    if one == id || self.lives(one) {
                        self.restart_along(one, one == id);
                    }
                }
            }
            (Plan::Escalate, Some(parent)) => self.judge(parent, plan),
            (Plan::Stop, _) => {
                for one in reached {
                    if one != id {
                        self.request_stop(one);
                    }
                }
                self.stop_failed(id);
            }
            (Plan::Escalate, None) => self.stop_failed(id),
        }
    }

    fn reach(&self, id: Id) -> usize {
        self.dolls[id].parent.map_or(0, reach_of)
    }

    /// Whom a decision about an actor concerns, oldest first.
    fn reached(&self, id: Id) -> Vec<Id> {
        let Some(parent) = self.dolls[id].parent else { return vec![id] };
        let siblings: Vec<Id> = self.dolls[parent].children.iter().rev().copied().collect();
        match reach_of(parent) {
            0 => vec![id],
            1 => siblings,
            _ => siblings.into_iter().skip_while(|other| *other != id).collect(),
        }
    }

    /// It has an instance, and is not about to have another.
    fn lives(&self, id: Id) -> bool {
        let doll = &self.dolls[id];
        doll.restart.is_none() && matches!(doll.gate, Gate::Ready | Gate::Suspended | Gate::Backlog)
    }

    fn restart_along(&mut self, id: Id, failed: bool) {
        match (self.dolls[id].made, failed) {
            (true, _) => self.list(id, Restart::Listed),
            (false, true) => self.stop_failed(id),
            (false, false) => self.request_stop(id),
        }
    }

    fn list(&mut self, id: Id, at: Restart) {
        self.dolls[id].failed = true;
        self.dolls[id].restart = Some(at);
        if !self.restarts.contains(&id) {
            self.restarts.push_back(id);
        }
    }

    fn restart(&mut self, id: Id, from: Restart) {
        if from == Restart::Listed {
            self.dolls[id].gate = Gate::Suspended;
            self.say(id, "restarting");
            let children = self.dolls[id].children.clone();
            if !leaves_children(id) {
                for child in &children {
                    self.request_stop(*child);
                }
            }
            if !children.is_empty() {
                return self.list(id, Restart::Children);
            }
        }
        self.say(id, "stopped");
        let doll = &mut self.dolls[id];
        (doll.restart, doll.failed, doll.suspensions) = (None, false, 0);
        doll.timers.clear();
        doll.silence = None;
        for cmd in std::mem::take(&mut doll.stash).into_iter().rev() {
            doll.backlog.push_front(Waiting::Message(cmd, false));
        }
        for watch in std::mem::take(&mut doll.watches) {
            self.forget(id, watch.target);
        }
        self.open(id);
        self.say(id, "restarted");
        for child in self.dolls[id].children.clone().into_iter().rev() {
            if self.lives(child) {
                self.restart_along(child, false);
            }
        }
    }

    /// Leaves first, each closed before its parent.
    fn stop(&mut self, id: Id) {
        self.dolls[id].gate = Gate::Stopping;
        self.dolls[id].timers.clear();
        self.dolls[id].silence = None;
        while let Some(child) = self.dolls[id].children.first().copied() {
            self.stop(child);
        }
        self.say(id, "stopped");
        let waiting = std::mem::take(&mut self.dolls[id].backlog);
        let messages = waiting.iter().filter(|waiting| matches!(waiting, Waiting::Message(..))).count();
        let stashed = std::mem::take(&mut self.dolls[id].stash);
        for _ in 0..messages + stashed.len() {
            self.bury(DeadReason::Stopped);
        }
        self.ring.retain(|other| *other != id);
        self.restarts.retain(|other| *other != id);
        self.dolls[id].restart = None;
        for watch in std::mem::take(&mut self.dolls[id].watches) {
            self.forget(id, watch.target);
        }
        if let Some(parent) = self.dolls[id].parent {
            self.dolls[parent].children.retain(|child| *child != id);
        }
        let group = self.dolls[id].group;
        if self.dolls[id].watchers.is_empty() {
            self.dolls[id].gate = Gate::Gone;
        } else {
            self.dolls[id].gate = Gate::Mourned;
            self.dolls[id].end = self.pushed[group];
            self.mourned[group].push_back(id);
        }
    }

    fn run_signals(&mut self) {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                match signal {
                    Signal::Start(id) if self.dolls[id].gate == Gate::Starting => {
                        self.open(id);
                        self.say(id, "started");
                    }
                    Signal::Stop(id) if self.alive(id) => self.stop(id),
                    Signal::Fail(id, plan) if self.alive(id) => self.judge(id, plan),
                    _ => {}
                }
            } else if let Some(id) = self.restarts.pop_front() {
                if let Some(step) = self.dolls[id].restart {
                    self.restart(id, step);
                }
            } else if let Some((watcher, target)) = self.notices.pop_front() {
                self.tell_notice(watcher, target);
            } else {
                return;
            }
        }
    }

    // --- watching ------------------------------------------------------------------------------------------------

    fn watch(&mut self, id: Id, target: Id, with: Option<u64>) {
        if let Some(known) = self.dolls[id].watches.iter_mut().find(|watch| watch.target == target) {
            known.with = with;
            return;
        }
        let gone = self.dolls[target].gate == Gate::Gone;
        let told = gone.then(|| "not found".to_owned());
        self.dolls[id].watches.push(Watch { target, with, told });
        if gone {
            self.notices.push_back((id, target));
        } else {
            self.dolls[target].watchers.insert(0, id);
        }
    }

    /// Strikes a watcher from its target's list and from the notices.
    fn forget(&mut self, watcher: Id, target: Id) {
        self.dolls[target].watchers.retain(|other| *other != watcher);
        self.notices.retain(|notice| *notice != (watcher, target));
    }

    fn run_mourning(&mut self) {
        for group in 0..4 {
            while let Some(id) = self.mourned[group].front().copied() {
                if self.dolls[id].end > self.popped[group] {
                    break;
                }
                self.mourned[group].pop_front();
                let reason = if self.dolls[id].failed { "failed" } else { "stopped" };
                for watcher in std::mem::take(&mut self.dolls[id].watchers) {
                    let watches = &mut self.dolls[watcher].watches;
                    if let Some(watch) = watches.iter_mut().find(|watch| watch.target == id) {
                        watch.told = Some(reason.to_owned());
                    }
                    self.notices.push_back((watcher, id));
                }
                self.dolls[id].gate = Gate::Gone;
            }
        }
    }

    fn tell_notice(&mut self, watcher: Id, target: Id) {
        let watches = &mut self.dolls[watcher].watches;
        let at = watches.iter().position(|watch| watch.target == target).expect("a notice has a watch");
        let Watch { with, told, .. } = watches.remove(at);
        match with {
            Some(n) => self.deliver(watcher, Cmd::Note(n), false),
            None => self.say(watcher, format_args!("hears: {target} {}", told.expect("a reason"))),
        }
    }

    // --- waiting -------------------------------------------------------------------------------------------------

    fn suspend(&mut self, id: Id) {
        if !self.alive(id) {
            return;
        }
        self.dolls[id].suspensions += 1;
        if matches!(self.dolls[id].gate, Gate::Ready | Gate::Backlog) {
            self.dolls[id].gate = Gate::Suspended;
        }
    }

    fn resume(&mut self, id: Id) {
        if !self.alive(id) {
            return;
        }
        self.dolls[id].suspensions = self.dolls[id].suspensions.saturating_sub(1);
        if self.dolls[id].suspensions == 0 && self.dolls[id].gate == Gate::Suspended {
            self.open(id);
        }
    }

    fn open(&mut self, id: Id) {
        let doll = &mut self.dolls[id];
        doll.gate = if doll.suspensions > 0 {
            Gate::Suspended
        } else if doll.backlog.is_empty() {
            Gate::Ready
        } else {
            if !self.ring.contains(&id) {
                self.ring.push_back(id);
            }
            Gate::Backlog
        };
    }

    fn run_ring(&mut self) {
        while let Some(id) = self.ring.front().copied() {
            let open = self.dolls[id].gate == Gate::Backlog;
            let waiting = if open { self.dolls[id].backlog.pop_front() } else { None };
            match waiting {
                Some(Waiting::Message(cmd, counted)) => self.handle(id, cmd, counted),
                Some(Waiting::Due(key, number)) => {
                    let timer = self.dolls[id].timers.get(&key);
                    if timer.is_some_and(|timer| timer.number == number && timer.out) {
                        self.fire(id, key);
                    }
                }
                None => {
                    self.ring.pop_front();
                    if open {
                        self.open(id);
                    }
                    continue;
                }
            }
            self.run_signals();
        }
    }

    // --- time ----------------------------------------------------------------------------------------------------

    fn set_timer(&mut self, id: Id, key: u64, units: u64, duty: Duty) {
        self.numbers += 1;
        let slot = if matches!(duty, Duty::Repeat(..)) { 0 } else { slot_of(id, key) };
        let tick = self.now + units * UNIT + slot;
        let timer = Timer { number: self.numbers, tick, duty, out: false };
        self.dolls[id].timers.insert(key, timer);
    }

    fn run_timers(&mut self) {
        loop {
            let due = (0..self.dolls.len())
                .flat_map(|id| self.dolls[id].timers.iter().map(move |(key, timer)| (timer, id, *key)))
                .filter(|(timer, ..)| !timer.out && timer.tick <= self.now)
                .min_by_key(|(timer, ..)| timer.tick)
                .map(|(timer, id, key)| (timer.number, id, key));
            let Some((number, id, key)) = due else { return };
            if let Some(timer) = self.dolls[id].timers.get_mut(&key) {
                timer.out = true;
            }
            if matches!(self.dolls[id].gate, Gate::Suspended | Gate::Backlog | Gate::Starting) {
                self.dolls[id].backlog.push_back(Waiting::Due(key, number));
            } else {
                self.fire(id, key);
            }
            self.run_signals();
        }
    }

    fn fire(&mut self, id: Id, key: u64) {
        let now = self.now;
        let doll = &mut self.dolls[id];
        let Some(timer) = doll.timers.get_mut(&key) else { return };
        match timer.duty {
            Duty::Tell(n) => {
                self.dolls[id].timers.remove(&key);
                self.handle(id, Cmd::Note(n), false);
            }
            Duty::Repeat(n, units) => {
                let period = units * UNIT;
                timer.tick += ((now - timer.tick) / period + 1) * period;
                timer.out = false;
                self.handle(id, Cmd::Note(n), false);
            }
            Duty::Silence => {
                let Some((after, last)) = doll.silence else { return };
                let silent = last + after <= now;
                let last = if silent { now } else { last };
                (timer.tick, timer.out) = (last + after, false);
                doll.silence = Some((after, last));
                if silent {
                    self.say(id, "hears nothing");
                }
            }
        }
    }
}
