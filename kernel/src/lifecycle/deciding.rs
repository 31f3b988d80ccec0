//! Arc 9: what a parent decides about a child that failed, and whom it concerns.
//!
//! The parent's hook runs at once, whatever the parent waits for itself: a decision is no message. Only a parent that has
//! no state just now, as it is being restarted, or whose hook has panicked, which is to be decided about first, cannot be
//! asked; the default strategy decides for it. Top-level actors are the root's, which decides by the kernel's settings.
//!
//! What a decision needs to remember (limits, waits) stands in side records, which a used-up region may refuse: then
//! the actor is stopped, for a restart that cannot be counted might never end. One of the modules where `unsafe` is
//! allowed: it calls the parent's behaviour.

#![allow(unsafe_code)]

use core::time::Duration;

use crate::address::{Address, Gate};
use crate::backoff::Backoff;
use crate::behavior::Role;
use crate::failure::{Failure, FailureKind};
use crate::kernel::{Kernel, Stage};
use crate::observer::Decision;
use crate::region::NONE;
use crate::supervise::{Directive, Reach, Step, Strategy};

impl Kernel {
    /// Has a failure decided about, by the parent or whom it is escalated to, and carries that out.
    pub(crate) fn judge(&mut self, cell: u32, failure: Failure) {
        let mut failed = cell;
        let first = self.address_of(cell);
        loop {
            if self.is_ending(failed) || self.step_of(failed).is_some() {
                // Nothing more is decided about one until it has its new instance.
                return;
            }
            if failed == self.stops_itself || !self.is_ward(failed) {
                return self.stop_failed(failed, failure);
            }
            if self.is_from_afar(failed) {
                return self.refer(failed, failure);
            }
            let (child, parent) = (self.address_of(failed), self.memory.header(failed).parent.get());
            self.at_hand = Some((child, failure.clone()));
            let (directive, strategy) = self.decision(parent, failed, &failure);
            if !self.is_alive(child) || self.is_ending(failed) {
                // It was stopped over this.
                return;
            }
            if directive != Directive::Escalate {
                if directive == Directive::Resume && failed != cell && self.awaits_decision(first) {
                    // What goes on above goes on here as well.
                    self.carry_out(cell, directive, &strategy, failure.clone());
                }
                return self.carry_out(failed, directive, &strategy, failure);
            }
            self.show_decision(failed, &failure, Decision::Escalate);
            if !self.is_made(failed) {
                // The note by which a restart above finds it: its start has been, and nothing else leads to another.
                self.keep_failure(failed, failure.clone());
                if let Some(side) = self.side_of(failed) {
                    self.sides.get_mut(side).ward.lived |= failed == self.reborn;
                }
            }
            if parent == self.root || parent == NONE {
                self.observer.escalated(&failure);
                if self.escalated.is_none() {
                    self.escalated = Some(failure.clone());
                }
                return self.stop_failed(failed, failure);
            }
            self.report_failure(parent, &failure);
            failed = parent;
        }
    }

    /// Whether one whose failure was escalated is there still, and nothing else was begun with it.
    fn awaits_decision(&self, of: Address) -> bool {
        self.is_alive(of) && !self.is_ending(of.index) && self.step_of(of.index).is_none()
    }

    /// Whether nothing can be decided any more about who lives in a cell.
    fn is_ending(&self, cell: u32) -> bool {
        matches!(self.memory.header(cell).identity.get().gate(), Gate::Stopping | Gate::Dead | Gate::Free)
    }

    /// What a parent decides about a child. Its hook runs.
    fn decision(&mut self, parent: u32, child: u32, failure: &Failure) -> (Directive, Strategy) {
        if parent == self.root {
            let strategy = self.config.supervision;
            self.enter(parent, Stage::Decision);
            let directive = strategy.directive(failure);
            self.enter(NONE, Stage::Handler);
            return (directive, strategy);
        }
        if self.is_ending(parent) {
            return (Directive::Stop, Strategy::default());
        }
        let behavior = match self.memory.header(parent).behavior.get() {
            Some(behavior) if self.is_made(parent) && !self.is_at_a_loss(parent) => behavior,
            _ => return (Directive::for_failure(failure), Strategy::default()),
        };
        let child = self.known_address(child).unwrap_or(Address::NOBODY);
        self.enter(parent, Stage::Decision);
        // SAFETY: the parent's state is made, and none of its code runs: a handler that failed has returned.
        let decision = unsafe { (behavior.decide)(self, parent, child, failure) };
        self.enter(NONE, Stage::Handler);
        decision
    }

    /// A parent's decision panicked: nobody knows what to do with the child, and the parent has failed as well.
    pub(super) fn fail_at_decision(&mut self, parent: u32, panic: Failure) {
        let above = self.address_of(parent);
        if parent == self.root {
            self.observer.panicked(&panic);
        } else {
            self.report_failure(parent, &panic);
            if self.is_alive(above) && !self.is_ending(parent) {
                // Noted before the child is stopped, as its last hooks may panic as well.
                if let Some(side) = self.side_of(parent) {
                    self.sides.get_mut(side).ward.at_a_loss = true;
                }
                self.post_failure(above, panic);
            }
        }
        if let Some((child, failure)) = self.at_hand.take()
            && self.is_alive(child)
            && !self.is_ending(child.index)
        {
            self.show_decision(child.index, &failure, Decision::Stop);
            self.stop_failed(child.index, failure);
        }
    }

    /// Whether a decision of an actor has panicked, and nothing is decided yet about that.
    fn is_at_a_loss(&self, cell: u32) -> bool {
        self.side_of(cell).is_some_and(|side| self.sides.get(side).ward.at_a_loss)
    }

    fn carry_out(&mut self, failed: u32, directive: Directive, strategy: &Strategy, failure: Failure) {
        let wait = match directive {
            Directive::Resume if self.is_made(failed) => {
                self.show_decision(failed, &failure, Decision::Resume);
                self.go_on(failed);
                if failure.kind() == FailureKind::Start {
                    // What a new instance was to restart below it waits still, for somebody above perhaps who does no
                    // more; it goes on with this one.
                    self.reopen_below(failed);
                    self.resume_below(failed);
                }
                return;
            }
            // There is nothing to go on with: its making is tried again.
            Directive::Resume => return self.restart_failed(failed, Duration::ZERO, failure),
            Directive::Restart => match &strategy.backoff {
                Some(backoff) => self.next_wait(failed, backoff, strategy),
                None => Some(Duration::ZERO),
            },
            Directive::RestartAfter(wait) => Some(wait),
            Directive::Stop | Directive::Escalate => None,
        };
        match wait {
            Some(wait) if self.permits(failed, strategy) => self.restart_all(failed, strategy, wait, failure),
            _ => {
                let asked = matches!(directive, Directive::Stop | Directive::Escalate);
                let decision = if asked { Decision::Stop } else { Decision::GiveUp };
                self.show_decision(failed, &failure, decision);
                self.stop_all_reached(failed, strategy, failure);
            }
        }
    }

    /// How long to wait before the next restart; `None` to give up, or where there is no room to count.
    fn next_wait(&mut self, failed: u32, backoff: &Backoff, strategy: &Strategy) -> Option<Duration> {
        let side = self.need_side(failed).ok()?;
        self.sides.get_mut(side).ward.wait(backoff, strategy, self.now, &mut self.dice)
    }

    /// Counts a restart for each whom it concerns. Says whether it is within the limit of all.
    fn permits(&mut self, failed: u32, strategy: &Strategy) -> bool {
        let Some(limit) = strategy.limit else { return true };
        let mut permitted = true;
        let mut at = self.first_reached(failed, strategy.reach);
        while at != NONE {
            if self.concerns(at, failed) {
                permitted &= match self.need_side(at) {
                    Ok(side) => self.sides.get_mut(side).ward.permits(limit, self.now),
                    Err(_) => false,
                };
            }
            at = self.next_reached(at, strategy.reach);
        }
        permitted
    }

    fn restart_all(&mut self, failed: u32, strategy: &Strategy, wait: Duration, failure: Failure) {
        if strategy.reach == Reach::One {
            return self.restart_failed(failed, wait, failure);
        }
        let mut at = self.first_reached(failed, strategy.reach);
        while at != NONE {
            let next = self.next_reached(at, strategy.reach);
            if at == failed || self.concerns(at, failed) {
                self.restart_along(at, at == failed, wait, &failure);
            }
            at = next;
        }
    }

    /// Restarts an actor that failed, or stops it if that cannot be.
    pub(super) fn restart_failed(&mut self, cell: u32, wait: Duration, failure: Failure) {
        if self.role(cell) == Role::Outpost {
            return self.order_restart(cell, wait, failure);
        }
        // What could not start is tried again in the next turn, or nobody else would have a turn any more.
        let late = failure.kind() == FailureKind::Start || !self.is_made(cell);
        let has_side =
            if late || !wait.is_zero() { self.need_side(cell).is_ok() } else { self.side_of(cell).is_some() };
        if !self.can_restart(cell) || (!has_side && (late || !wait.is_zero())) {
            self.show_decision(cell, &failure, Decision::CannotRestart);
            return self.stop_failed(cell, failure);
        }
        self.show_restart(cell, wait, &failure);
        if has_side {
            self.keep_failure(cell, failure);
            self.plan_restart(cell, wait, late);
        }
        self.restart(cell, self.first_step(cell));
    }

    /// Restarts an actor over another's failure, or its own among others', when the signals are through.
    pub(super) fn restart_along(&mut self, cell: u32, failed: bool, wait: Duration, failure: &Failure) {
        if self.role(cell) == Role::Outpost {
            return self.order_restart(cell, wait, failure.clone());
        }
        if !self.can_restart(cell) || self.need_side(cell).is_err() {
            if failed {
                self.show_decision(cell, failure, Decision::CannotRestart);
                self.keep_failure(cell, failure.clone());
            }
            // No code runs before all whom the decision concerns have heard of it: it may panic.
            return self.request_stop(self.address_of(cell));
        }
        if failed {
            self.show_restart(cell, wait, failure);
        }
        self.keep_failure(cell, failure.clone());
        self.plan_restart(cell, wait, failure.kind() == FailureKind::Start);
        self.list_restart(cell, self.first_step(cell));
    }

    fn show_restart(&mut self, cell: u32, wait: Duration, failure: &Failure) {
        let decision = if wait.is_zero() { Decision::Restart } else { Decision::RestartAfter(wait) };
        self.show_decision(cell, failure, decision);
    }

    /// An actor that was never made has nothing to take leave of.
    fn first_step(&self, cell: u32) -> Step {
        if self.is_made(cell) { Step::Hook } else { Step::Make }
    }

    fn can_restart(&self, cell: u32) -> bool {
        self.memory.header(cell).behavior.get().is_some_and(|behavior| behavior.made_at_start)
    }

    fn plan_restart(&mut self, cell: u32, wait: Duration, late: bool) {
        let until = self.now + wait;
        if let Some(side) = self.side_of(cell) {
            let ward = &mut self.sides.get_mut(side).ward;
            (ward.until, ward.late) = (until, late);
            ward.lived |= cell == self.reborn;
        }
    }

    fn stop_all_reached(&mut self, failed: u32, strategy: &Strategy, failure: Failure) {
        if strategy.reach != Reach::One {
            let mut at = self.first_reached(failed, strategy.reach);
            while at != NONE {
                let next = self.next_reached(at, strategy.reach);
                if at != failed && self.is_ward(at) && !self.is_from_afar(at) {
                    self.request_stop(self.address_of(at));
                }
                at = next;
            }
        }
        self.stop_failed(failed, failure);
    }

    /// Stops an actor for a failure, of which its watchers are told.
    pub(super) fn stop_failed(&mut self, cell: u32, failure: Failure) {
        self.keep_failure(cell, failure);
        self.stop_cell(cell);
    }

    /// The oldest cell within reach of a decision. The children of a parent are listed newest first.
    fn first_reached(&self, failed: u32, reach: Reach) -> u32 {
        let mut at = failed;
        while reach == Reach::All && self.memory.header(at).next.get() != NONE {
            at = self.memory.header(at).next.get();
        }
        at
    }

    fn next_reached(&self, at: u32, reach: Reach) -> u32 {
        if reach == Reach::One { NONE } else { self.memory.header(at).prev.get() }
    }

    /// Whether a restart over the failure of a sibling, or its own, concerns a cell: neither one that is about to be made
    /// anyway, nor one that ends.
    fn concerns(&self, cell: u32, failed: u32) -> bool {
        cell == failed || (self.lives_below(cell) && !self.is_from_afar(cell))
    }
}
