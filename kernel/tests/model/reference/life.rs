//! Births, failures, restarts and ends.

use std::collections::{BTreeMap, VecDeque};

use corelane_kernel::DeadReason;

use super::{Doll, Gate, Reference, Restart, Signal, Waiting};
use crate::{Id, Plan, leaves_children, reach_of};

impl Reference {
    pub(super) fn spawn(&mut self, parent: Option<Id>, group: usize, bound: u32, made: bool) {
        if self.dolls.len() >= crate::DOLLS {
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

    pub(super) fn request_stop(&mut self, id: Id) {
        if self.alive(id) {
            self.signals.push_back(Signal::Stop(id));
        }
    }

    pub(super) fn stop_failed(&mut self, id: Id) {
        self.dolls[id].failed = true;
        self.stop(id);
    }

    pub(super) fn judge(&mut self, id: Id, plan: Plan) {
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

    pub(super) fn reach(&self, id: Id) -> usize {
        self.dolls[id].parent.map_or(0, reach_of)
    }

    /// Whom a decision about an actor concerns, oldest first.
    pub(super) fn reached(&self, id: Id) -> Vec<Id> {
        let Some(parent) = self.dolls[id].parent else { return vec![id] };
        let siblings: Vec<Id> = self.dolls[parent].children.iter().rev().copied().collect();
        match reach_of(parent) {
            0 => vec![id],
            1 => siblings,
            _ => siblings.into_iter().skip_while(|other| *other != id).collect(),
        }
    }

    /// It has an instance, and is not about to have another.
    pub(super) fn lives(&self, id: Id) -> bool {
        let doll = &self.dolls[id];
        doll.restart.is_none() && matches!(doll.gate, Gate::Ready | Gate::Suspended | Gate::Backlog)
    }

    pub(super) fn restart_along(&mut self, id: Id, failed: bool) {
        match (self.dolls[id].made, failed) {
            (true, _) => self.list(id, Restart::Listed),
            (false, true) => self.stop_failed(id),
            (false, false) => self.request_stop(id),
        }
    }

    pub(super) fn list(&mut self, id: Id, at: Restart) {
        self.dolls[id].failed = true;
        self.dolls[id].restart = Some(at);
        if !self.restarts.contains(&id) {
            self.restarts.push_back(id);
        }
    }

    pub(super) fn restart(&mut self, id: Id, from: Restart) {
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
    pub(super) fn stop(&mut self, id: Id) {
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

    pub(super) fn run_signals(&mut self) {
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
}
