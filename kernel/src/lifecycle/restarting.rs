//! Arcs 10 to 12: a new state takes the place of an old one, in steps each of which survives a panic of user code.
//!
//! Most restarts are through before anybody else runs. One that waits (for children that stop, for a back-off, for the
//! next turn) is noted in its cell's side record, in a row or a timer: its gate keeps messages waiting, and all that
//! lives below it is suspended as well. No memory is needed to go on. One of the modules where `unsafe` is allowed: it
//! calls behaviours.

#![allow(unsafe_code)]

use core::time::Duration;

use crate::address::Gate;
use crate::behavior::Role;
use crate::kernel::{Kernel, Stage};
use crate::limits::STASH_DEFAULT;
use crate::pool::Handle;
use crate::region::NONE;
use crate::supervise::Step;
use crate::timers::Duty;

/// Restarts that are to go on, in order: cells that are linked through their side records.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    first: u32,
    last: u32,
}

impl Row {
    pub(crate) const EMPTY: Row = Row { first: NONE, last: NONE };

    pub(crate) fn is_empty(&self) -> bool {
        self.first == NONE
    }
}

impl Kernel {
    /// Goes on with a cell's restart, from a step. The failure that it is for is kept at the cell, or is the one at hand.
    pub(super) fn restart(&mut self, cell: u32, from: Step) {
        let header = self.memory.header(cell);
        let Some(behavior) = header.behavior.get() else { return };
        if from == Step::Hook {
            // Its messages wait from here on.
            header.identity.set(header.identity.get().with_gate(Gate::Suspended));
            let failure = self.failure_of(cell);
            self.begin_step(cell, Step::Hook);
            // SAFETY: the state is made, and none of its code runs.
            unsafe { (behavior.restarting)(self, cell, &failure) };
            if self.has_children(cell) {
                // The stops that were asked for are signals, and come first.
                self.enter(NONE, Stage::Handler);
                return self.list_restart(cell, Step::Children);
            }
        }
        if from <= Step::Children {
            self.begin_step(cell, Step::Children);
            self.enter(NONE, Stage::Handler);
            if self.has_stopping_children(cell) {
                // The end of each leads back here.
                return self.hold_below(cell);
            }
        }
        if from <= Step::Stopped {
            self.begin_step(cell, Step::Stopped);
            // As for one that stops: nothing is spawned below it any more.
            let header = self.memory.header(cell);
            header.identity.set(header.identity.get().with_gate(Gate::Stopping));
            // SAFETY: as above.
            unsafe { (behavior.stopped)(self, cell) };
        }
        if from <= Step::State {
            self.begin_step(cell, Step::State);
            // From here on the cell says that its state is gone: whatever unwinds, nobody drops it again.
            let header = self.memory.header(cell);
            header.identity.set(header.identity.get().with_gate(Gate::Starting));
            if let Some(side) = self.side_of(cell) {
                self.sides.get_mut(side).ward.lived = true;
            }
            // SAFETY: as above; after this no step before is taken again, also after a panic.
            unsafe { (behavior.drop_state)(&self.memory, cell) };
        }
        if from <= Step::Own {
            self.begin_step(cell, Step::Own);
            self.drop_own(cell);
        }
        self.enter(NONE, Stage::Handler);
        self.make_again(cell);
    }

    /// What a panic of a step of a restart leads to: the next step.
    pub(super) fn restart_after_panic(&mut self, cell: u32, step: Step) {
        let next = match step {
            Step::Hook => {
                // Whatever it had in mind for its children.
                self.request_stop_below(cell);
                if self.has_children(cell) {
                    return self.list_restart(cell, Step::Children);
                }
                Step::Stopped
            }
            // None of its code runs while it is undecided.
            Step::Undecided | Step::Children | Step::Stopped => Step::State,
            // What was being dropped is off its place already.
            Step::State | Step::Own => Step::Own,
            Step::Make => Step::Make,
        };
        self.restart(cell, next);
    }

    /// How far the restart of a cell has come, or that it is undecided; `None` if it is neither.
    pub(crate) fn step_of(&self, cell: u32) -> Option<Step> {
        self.sides.get(self.side_of(cell)?).ward.step
    }

    /// Whether the instance at hand is about to make room for the next: its `restarting` hook has run.
    pub(crate) fn is_taking_leave(&self, cell: u32) -> bool {
        self.step_of(cell).is_some_and(|step| step != Step::Undecided)
    }

    /// Notes how far a restart has come, in case of a panic.
    fn begin_step(&mut self, cell: u32, step: Step) {
        self.enter(cell, Stage::Restart(step));
        if let Some(side) = self.side_of(cell) {
            self.sides.get_mut(side).ward.step = Some(step);
        }
    }

    /// Drops what an instance had set up. Each thing is off its place before it is dropped, so that this may begin again.
    fn drop_own(&mut self, cell: u32) {
        let Some(side) = self.side_of(cell) else { return };
        self.cancel_all_timers(cell);
        self.drop_attachments(side);
        self.close_adapters(cell);
        self.enter(cell, Stage::Restart(Step::Own));
        self.forget_watching(cell, side);
        self.unlist_restart(cell);
        self.unstash_messages(cell, u32::MAX);
        let side = self.sides.get_mut(side);
        (side.stash_bound, side.suspensions) = (STASH_DEFAULT, 0);
    }

    /// Arc 11: makes the new state, unless that is to wait.
    fn make_again(&mut self, cell: u32) {
        let mut lived = true;
        if self.restarts_left == 0 {
            // Others are served in between, also if this one fails at once again and again.
            self.put_off(cell);
        }
        if let Some(side) = self.side_of(cell) {
            let ward = &mut self.sides.get_mut(side).ward;
            ward.step = Some(Step::Make);
            let until = ward.until;
            if until > self.now {
                self.hold_below(cell);
                if self.add_timer(cell, until, Duty::Restart).is_err() {
                    // No room for a timer: it is looked at in each turn.
                    self.list_late(cell);
                }
                return;
            }
            if core::mem::take(&mut self.sides.get_mut(side).ward.late) {
                self.hold_below(cell);
                return self.list_late(cell);
            }
            let ward = &mut self.sides.get_mut(side).ward;
            ward.step = None;
            lived = ward.lived;
        } else {
            self.reborn = cell;
        }
        self.restarts_left = self.restarts_left.saturating_sub(1);
        let failure = self.failure_of(cell);
        let Some(behavior) = self.memory.header(cell).behavior.get() else { return };
        self.enter(cell, Stage::Start);
        // SAFETY: the cell is starting: the state is gone or was never made, and its maker is there.
        let outcome = unsafe {
            if lived { (behavior.restart)(self, cell, &failure) } else { (behavior.start)(self, cell) }
        };
        self.enter(NONE, Stage::Handler);
        if let Err(failure) = outcome {
            return self.fail(cell, failure.at_start());
        }
        self.reborn = NONE;
        self.restarted += u64::from(lived);
        self.restart_survivors(cell);
        self.forget_failure(cell);
    }

    /// Has a new instance wait for the next turn. Without room to note that, it is made in this one.
    fn put_off(&mut self, cell: u32) {
        let bare = self.side_of(cell).is_none();
        let failure = self.failure_of(cell);
        if let Ok(side) = self.need_side(cell) {
            let ward = &mut self.sides.get_mut(side).ward;
            (ward.late, ward.lived) = (true, ward.lived | bare);
            if bare {
                self.keep_failure(cell, failure);
            }
        }
    }

    /// A restart's time has come.
    pub(crate) fn restart_in_time(&mut self, cell: u32) {
        debug_assert!(!self.is_made(cell));
        self.restart(cell, Step::Make);
    }

    /// Goes on with the next restart in the row. Says whether there was one.
    pub(crate) fn run_next_restart(&mut self) -> bool {
        let cell = self.restarts.first;
        if cell == NONE {
            return false;
        }
        self.unlist_restart(cell);
        if let Some(step) = self.step_of(cell)
            && self.memory.header(cell).identity.get().gate() != Gate::Stopping
        {
            self.restart(cell, step);
        }
        true
    }

    /// What was put off in the last turn is to go on in this one.
    pub(crate) fn take_up_late_restarts(&mut self) {
        let late = core::mem::replace(&mut self.late_restarts, Row::EMPTY);
        if self.restarts.is_empty() {
            self.restarts = late;
        } else if let (Some(last), Some(first)) = (self.side_of(self.restarts.last), self.side_of(late.first))
        {
            self.sides.get_mut(last).ward.next = late.first;
            self.sides.get_mut(first).ward.prev = self.restarts.last;
            self.restarts.last = late.last;
        }
        self.pressing = true;
    }

    /// A child or adapter of a cell has ended: a restart that waits for that goes on.
    pub(super) fn note_end_below(&mut self, parent: u32) {
        if let Some(step @ (Step::Children | Step::Own)) = self.step_of(parent) {
            self.list_restart(parent, step);
        }
    }

    /// An actor that failed goes on as it is.
    pub(super) fn go_on(&mut self, cell: u32) {
        if self.role(cell) == Role::Outpost {
            return self.order_resume(cell);
        }
        self.forget_failure(cell);
        if self.stop_holding(cell) {
            self.reopen_below(cell);
        }
    }

    /// Arc 12: the children that an old instance left alone are restarted after it; also those whose start failed with it.
    fn restart_survivors(&mut self, cell: u32) {
        self.stop_holding(cell);
        let mut at = self.first_child(cell);
        if at == NONE {
            return;
        }
        let failure = self.failure_of(cell);
        while self.memory.header(at).next.get() != NONE {
            at = self.memory.header(at).next.get();
        }
        // Oldest first.
        while at != NONE {
            let next = self.memory.header(at).prev.get();
            if self.role(at) == Role::Outpost {
                self.reopen(at);
            }
            if self.lives_below(at) || self.is_yet_to_be_made(at) {
                self.restart_along(at, false, Duration::ZERO, &failure);
            }
            at = next;
        }
    }

    /// Whether a child is there to be restarted: one that has an instance, and neither ends nor is being restarted.
    pub(super) fn lives_below(&self, cell: u32) -> bool {
        let gate = self.memory.header(cell).identity.get().gate();
        self.is_ward(cell)
            && self.step_of(cell).is_none()
            && matches!(gate, Gate::Ready | Gate::Duty | Gate::Suspended | Gate::Backlog)
            && self.known_address(cell).is_some()
    }

    /// Whether a child's start has been and failed, and nobody has decided about it but that the parent fails with it.
    pub(super) fn is_yet_to_be_made(&self, cell: u32) -> bool {
        self.role(cell) == Role::Actor
            && self.step_of(cell).is_none()
            && self.memory.header(cell).identity.get().gate() == Gate::Starting
            && self.obituary_of(cell).is_some()
    }

    fn has_children(&self, cell: u32) -> bool {
        let mut some = false;
        self.each_child(cell, |_| some = true);
        some
    }

    fn has_stopping_children(&self, cell: u32) -> bool {
        let mut at = self.first_child(cell);
        while at != NONE {
            if self.memory.header(at).identity.get().gate() == Gate::Stopping {
                return true;
            }
            at = self.memory.header(at).next.get();
        }
        false
    }

    /// Ends the adapters of a cell.
    fn close_adapters(&mut self, cell: u32) {
        let mut at = self.first_child(cell);
        while at != NONE {
            let next = self.memory.header(at).next.get();
            if self.role(at) == Role::Adapter {
                self.close_one(at, super::Closing::State);
            }
            at = next;
        }
    }

    // --- what waits ----------------------------------------------------------------------------------------------

    /// Suspends all that lives below a cell, until it has a new state or goes on with the old one.
    pub(super) fn hold_below(&mut self, cell: u32) {
        if self.first_child(cell) != NONE {
            self.hold_all_below(cell);
        }
    }

    /// As [`Kernel::hold_below`], and those as well that a hook of the cell spawns meanwhile.
    pub(super) fn hold_all_below(&mut self, cell: u32) {
        if let Some(side) = self.side_of(cell) {
            let held = core::mem::replace(&mut self.sides.get_mut(side).ward.holds, true);
            self.holding += u32::from(!held);
        }
        self.suspend_below(cell);
    }

    pub(super) fn suspend_below(&mut self, cell: u32) {
        let mut at = self.first_child(cell);
        while at != NONE {
            self.suspend_gate(at);
            at = self.after(at, cell);
        }
    }

    /// From here on a cell's messages wait, wherever it is that they come.
    pub(crate) fn suspend_gate(&mut self, cell: u32) {
        let header = self.memory.header(cell);
        if self.is_ward(cell)
            && matches!(header.identity.get().gate(), Gate::Ready | Gate::Duty | Gate::Backlog)
        {
            header.identity.set(header.identity.get().with_gate(Gate::Suspended));
            if self.role(cell) == Role::Outpost {
                self.speak(cell);
            }
        }
    }

    /// What was suspended below a cell goes on, unless there is another reason for it to wait.
    pub(super) fn reopen_below(&mut self, cell: u32) {
        let mut at = self.first_child(cell);
        while at != NONE {
            self.reopen(at);
            at = self.after(at, cell);
        }
    }

    /// Has a suspended cell go on, unless there is a reason left for it to wait; wherever it is that its messages wait.
    pub(crate) fn reopen(&mut self, cell: u32) {
        if self.memory.header(cell).identity.get().gate() == Gate::Suspended {
            self.open_gate(cell);
            if self.role(cell) == Role::Outpost {
                self.speak(cell);
            }
        }
    }

    /// Ends a hold. Says whether there was one. The gates below are the caller's.
    pub(super) fn stop_holding(&mut self, cell: u32) -> bool {
        let Some(side) = self.side_of(cell) else { return false };
        let held = core::mem::replace(&mut self.sides.get_mut(side).ward.holds, false);
        self.holding -= u32::from(held);
        held
    }

    /// Whether somebody above a cell keeps it suspended.
    pub(crate) fn is_held(&self, cell: u32) -> bool {
        if self.holding == 0 {
            return false;
        }
        let mut at = cell;
        while at != NONE {
            if self.is_held_from_afar(at) {
                return true;
            }
            at = self.memory.header(at).parent.get();
            if at != NONE && self.side_of(at).is_some_and(|side| self.sides.get(side).ward.holds) {
                return true;
            }
        }
        false
    }

    /// The cell that a walk through all below `top` visits after `at`.
    pub(super) fn after(&self, at: u32, top: u32) -> u32 {
        let child = self.first_child(at);
        if child != NONE { child } else { self.after_subtree(at, top) }
    }

    /// Has a restart go on from a step when the signals are through.
    pub(super) fn list_restart(&mut self, cell: u32, step: Step) {
        self.pressing = true;
        if let Some(side) = self.side_of(cell) {
            self.sides.get_mut(side).ward.step = Some(step);
            if !self.sides.get(side).ward.listed {
                self.restarts = self.append(self.restarts, cell);
            }
        }
    }

    fn list_late(&mut self, cell: u32) {
        self.late_restarts = self.append(self.late_restarts, cell);
    }

    fn append(&mut self, row: Row, cell: u32) -> Row {
        let Some(side) = self.side_of(cell) else { return row };
        let ward = &mut self.sides.get_mut(side).ward;
        (ward.listed, ward.next, ward.prev) = (true, NONE, row.last);
        if let Some(last) = self.ward_of(row.last) {
            self.sides.get_mut(last).ward.next = cell;
        }
        Row { first: if row.is_empty() { cell } else { row.first }, last: cell }
    }

    fn ward_of(&self, cell: u32) -> Option<Handle<crate::side::Side>> {
        if cell == NONE { None } else { self.side_of(cell) }
    }

    /// Takes a cell out of the row that it stands in, if it does.
    pub(super) fn unlist_restart(&mut self, cell: u32) {
        let Some(side) = self.side_of(cell) else { return };
        let ward = &mut self.sides.get_mut(side).ward;
        if !core::mem::replace(&mut ward.listed, false) {
            return;
        }
        let (next, prev) = (ward.next, ward.prev);
        if let Some(next) = self.ward_of(next) {
            self.sides.get_mut(next).ward.prev = prev;
        }
        if let Some(prev) = self.ward_of(prev) {
            self.sides.get_mut(prev).ward.next = next;
        }
        for row in [&mut self.restarts, &mut self.late_restarts] {
            if row.first == cell {
                row.first = next;
            }
            if row.last == cell {
                row.last = prev;
            }
        }
    }
}
