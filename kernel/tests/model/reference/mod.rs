//! The reference: what a kernel does with the same steps, written for reading, with lists that are searched and copied.
//!
//! It keeps the documented order of a turn: signals, queues by group, timers, waiting messages, ends whose watchers are
//! to be told, signals again. Signals overtake messages: all that wait are handled before the next message, and after them
//! restarts that go on. A failure is decided about at once, and carried out before anything else.

mod life;
mod waiting;
mod watching;

use std::collections::{BTreeMap, VecDeque};

use corelane_kernel::DeadReason;

use crate::{Cmd, Id, PERIODIC, Plan, SHARES, STASH_BOUND, Step, UNIT, slot_of};

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
}
