//! What waits: behind a suspension, in a backlog, for its time.

use super::{Duty, Gate, Reference, Timer, Waiting};
use crate::{Cmd, Id, UNIT, slot_of};

impl Reference {
    pub(super) fn suspend(&mut self, id: Id) {
        if !self.alive(id) {
            return;
        }
        self.dolls[id].suspensions += 1;
        if matches!(self.dolls[id].gate, Gate::Ready | Gate::Backlog) {
            self.dolls[id].gate = Gate::Suspended;
        }
    }

    pub(super) fn resume(&mut self, id: Id) {
        if !self.alive(id) {
            return;
        }
        self.dolls[id].suspensions = self.dolls[id].suspensions.saturating_sub(1);
        if self.dolls[id].suspensions == 0 && self.dolls[id].gate == Gate::Suspended {
            self.open(id);
        }
    }

    pub(super) fn open(&mut self, id: Id) {
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

    pub(super) fn run_ring(&mut self) {
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

    pub(super) fn set_timer(&mut self, id: Id, key: u64, units: u64, duty: Duty) {
        self.numbers += 1;
        let slot = if matches!(duty, Duty::Repeat(..)) { 0 } else { slot_of(id, key) };
        let tick = self.now + units * UNIT + slot;
        let timer = Timer { number: self.numbers, tick, duty, out: false };
        self.dolls[id].timers.insert(key, timer);
    }

    pub(super) fn run_timers(&mut self) {
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

    pub(super) fn fire(&mut self, id: Id, key: u64) {
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
