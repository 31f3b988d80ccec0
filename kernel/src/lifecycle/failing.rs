//! Arc 8: an actor's error or panic, and how it comes to be known. What follows is its parent's decision; see
//! `deciding.rs`.
//!
//! On one core the decision is made at once, on the failing actor's way out of its code: nobody else runs, nothing
//! has to be kept, and so no failure is lost for want of memory. Where an actor is made to fail from outside, its code or
//! its parent's may be running, and a signal tells of it; without room for that the cell itself is the note.

use super::Closing;
use crate::address::{Address, Gate};
use crate::error::OutOfMemory;
use crate::failure::Failure;
use crate::kernel::{Kernel, Stage};
use crate::letters::DeadReason;
use crate::pool::Handle;
use crate::record::Kind;
use crate::region::NONE;
use crate::side::FAILED_BARE;
use crate::watch::Obituary;

impl Kernel {
    /// An actor's handler failed, and the message with it.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail_at_message(&mut self, cell: u32, failure: Failure) {
        if let Some(behavior) = self.memory.header(cell).behavior.get() {
            let message = behavior.message;
            let letter = self.letter(self.address_of(cell), (message.name)(), DeadReason::Failed);
            self.publish_letter(letter, message.id);
        }
        self.fail(cell, failure);
    }

    /// An actor's code failed, and has returned: its parent decides.
    #[cold]
    pub(crate) fn fail(&mut self, cell: u32, failure: Failure) {
        self.report_failure(cell, &failure);
        self.judge(cell, failure);
    }

    /// Counts a failure and shows it.
    pub(super) fn report_failure(&mut self, cell: u32, failure: &Failure) {
        self.failed += 1;
        self.show_failure(cell, failure);
    }

    /// Somebody else has an actor fail. Its code, or that of one above it, may be running: a signal tells of it.
    pub(crate) fn request_failure(&mut self, actor: Address, failure: Failure) {
        let cell = actor.index;
        if self.memory.header(cell).identity.get().gate() == Gate::Stopping {
            return;
        }
        self.report_failure(cell, &failure);
        self.post_failure(actor, failure);
    }

    /// Has a failure that is known decided about when the signals are through, whatever panics before.
    pub(super) fn post_failure(&mut self, actor: Address, failure: Failure) {
        let cell = actor.index;
        if self.signal(actor, Kind::Fail, failure.clone()).is_err() {
            self.keep_failure(cell, failure);
            if let Some(side) = self.side_of(cell) {
                self.sides.get_mut(side).ward.marked = true;
            }
            self.marked_failures = true;
            self.pressing = true;
        }
    }

    /// A failure that was posted is decided about.
    pub(crate) fn hear_failure(&mut self, cell: u32, failure: Failure) {
        if let Some(side) = self.side_of(cell) {
            self.sides.get_mut(side).ward.at_a_loss = false;
        }
        self.judge(cell, failure);
    }

    /// Whether a cell is marked as one that is to fail. The mark of one without a side record means that only as long as
    /// it does not stop.
    pub(crate) fn is_marked_failed(&self, cell: u32) -> bool {
        match self.side_of(cell) {
            Some(side) => self.sides.get(side).ward.marked,
            None => {
                let header = self.memory.header(cell);
                header.side.get() == FAILED_BARE
                    && !matches!(header.identity.get().gate(), Gate::Stopping | Gate::Dead | Gate::Free)
            }
        }
    }

    /// Fails one of those that are marked. Says whether there was one.
    pub(crate) fn fail_next_marked(&mut self) -> bool {
        if !self.marked_failures {
            return false;
        }
        let root = self.root;
        let mut at = self.first_child(root);
        while at != NONE && !self.is_marked_failed(at) {
            let child = self.first_child(at);
            at = if child != NONE { child } else { self.after_subtree(at, root) };
        }
        if at == NONE {
            self.marked_failures = false;
            return false;
        }
        let failure = self.failure_in(self.obituary_of(at));
        self.forget_failure(at);
        self.hear_failure(at, failure);
        true
    }

    /// Keeps a failure at its cell for those who are to be told. Without room they are told that it failed, and not why;
    /// the observer has seen it.
    pub(super) fn keep_failure(&mut self, cell: u32, failure: Failure) {
        match self.need_side(cell) {
            Ok(side) => {
                let new = self.new_obituary(failure);
                self.replace_obituary(side, new);
            }
            Err(OutOfMemory) => self.memory.header(cell).side.set(FAILED_BARE),
        }
    }

    /// The failure of an actor that goes on is over.
    pub(super) fn forget_failure(&mut self, cell: u32) {
        if let Some(side) = self.side_of(cell) {
            self.sides.get_mut(side).ward.marked = false;
            self.replace_obituary(side, Handle::NONE);
        } else if self.memory.header(cell).side.get() == FAILED_BARE {
            self.memory.header(cell).side.set(NONE);
        }
    }

    /// The failure that a cell's restart is for.
    pub(super) fn failure_of(&self, cell: u32) -> Failure {
        self.known_failure(cell).unwrap_or_else(Failure::unkept)
    }

    /// The failure over which a cell ends or is restarted, if it is.
    pub(crate) fn known_failure(&self, cell: u32) -> Option<Failure> {
        let kept = self.obituary_of(cell);
        match &self.at_hand {
            _ if kept.is_some() && kept != Obituary::UNKEPT => Some(self.failure_in(kept)),
            Some((whose, failure)) if *whose == self.address_of(cell) => Some(failure.clone()),
            _ => kept.is_some().then(Failure::unkept),
        }
    }

    /// Keeps a failure for those who are to be told of it.
    pub(crate) fn new_obituary(&mut self, failure: Failure) -> Handle<Obituary> {
        self.obituaries.insert(&mut self.memory, Obituary { failure, readers: 1 }).unwrap_or(Obituary::UNKEPT)
    }

    pub(super) fn replace_obituary(&mut self, side: Handle<crate::side::Side>, new: Handle<Obituary>) {
        let old = core::mem::replace(&mut self.sides.get_mut(side).obituary, new);
        if old.is_some() {
            self.drop_obituary(old);
        }
    }

    pub(crate) fn failure_in(&self, obituary: Handle<Obituary>) -> Failure {
        if obituary == Obituary::UNKEPT {
            return Failure::unkept();
        }
        self.obituaries.get(obituary).failure.clone()
    }

    pub(crate) fn share_obituary(&mut self, obituary: Handle<Obituary>) {
        if obituary != Obituary::UNKEPT {
            self.obituaries.get_mut(obituary).readers += 1;
        }
    }

    pub(crate) fn drop_obituary(&mut self, obituary: Handle<Obituary>) {
        if obituary == Obituary::UNKEPT {
            return;
        }
        let readers = &mut self.obituaries.get_mut(obituary).readers;
        *readers -= 1;
        if *readers == 0 {
            self.obituaries.remove(obituary);
        }
    }

    /// Why a cell's actor failed, if it did.
    pub(crate) fn obituary_of(&self, cell: u32) -> Handle<Obituary> {
        match self.side_of(cell) {
            Some(side) => self.sides.get(side).obituary,
            None if self.memory.header(cell).side.get() == FAILED_BARE => Obituary::UNKEPT,
            None => Handle::NONE,
        }
    }

    /// See [`Kernel::recover`].
    pub(crate) fn after_panic(&mut self, cell: u32, stage: Stage, failure: Failure) {
        if core::mem::take(&mut self.finding_stops) {
            (self.marked_stops, self.pressing) = (true, true);
        }
        // What the unwound stack would have looked at next.
        self.pressing |= self.marked_failures || !self.restarts.is_empty();
        match stage {
            Stage::Handler if cell != NONE => self.fail_at_message(cell, failure),
            Stage::Handler | Stage::Foreign => self.observer.panicked(&failure),
            Stage::Hook => self.fail(cell, failure),
            Stage::Start => self.fail(cell, failure.at_start()),
            Stage::Decision => self.fail_at_decision(cell, failure),
            Stage::Restart(step) => {
                self.report_failure(cell, &failure);
                self.restart_after_panic(cell, step);
            }
            Stage::Cancel => {
                self.report_failure(cell, &failure);
                let top = self.topmost_stopping(cell);
                self.defer_stop(top);
            }
            Stage::StoppedHook => self.go_on_closing(cell, Closing::State, &failure),
            Stage::DropState | Stage::DropWaiting => self.go_on_closing(cell, Closing::Waiting, &failure),
        }
    }

    /// A panic came out of an actor's end: its next step follows. The stop that led here is gone with the unwound
    /// stack, so the topmost ancestor that is stopping is asked again. The failure of one that is on its way out is shown,
    /// and otherwise of no effect.
    fn go_on_closing(&mut self, cell: u32, next: Closing, failure: &Failure) {
        self.report_failure(cell, failure);
        let parent = self.memory.header(cell).parent.get();
        if parent != NONE && self.memory.header(parent).identity.get().gate() == Gate::Stopping {
            let top = self.topmost_stopping(parent);
            self.defer_stop(top);
        }
        self.close(cell, next);
    }

    /// The highest cell at or above one that stops, of which all in between stop.
    fn topmost_stopping(&self, cell: u32) -> Address {
        let mut top = cell;
        loop {
            let above = self.memory.header(top).parent.get();
            if above == NONE || self.memory.header(above).identity.get().gate() != Gate::Stopping {
                return self.address_of(top);
            }
            top = above;
        }
    }
}
