//! Arc 4, by failure: what an actor's error or panic does to it.

use super::Closing;
use crate::address::{Address, Gate};
use crate::error::OutOfMemory;
use crate::failure::Failure;
use crate::kernel::{Kernel, Stage};
use crate::pool::Handle;
use crate::record::Kind;
use crate::region::NONE;
use crate::side::FAILED_BARE;
use crate::watch::Obituary;

impl Kernel {
    /// An actor's code failed: it is stopped, and its parent and watchers are told why.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail(&mut self, cell: u32, failure: Failure) {
        self.failed += 1;
        let gate = self.memory.header(cell).identity.get().gate();
        let name = self.memory.header(cell).behavior.get().map_or("", |behavior| (behavior.name)());
        self.probe.failed(self.address_of(cell), name, &failure);
        if matches!(gate, Gate::Stopping | Gate::Dead | Gate::Free) {
            return;
        }
        self.write_obituary(cell, failure);
        if self.is_made(cell) {
            self.stop_cell(cell);
        } else {
            // Its state was never made: there is no hook to run and nothing below it.
            self.close(cell, Closing::Unmade);
        }
    }

    /// Somebody else has an actor fail. Its code, or that of one below it, may be running: it ends by a signal.
    pub(crate) fn request_failure(&mut self, actor: Address, failure: Failure) {
        let cell = actor.index;
        if self.memory.header(cell).identity.get().gate() == Gate::Stopping {
            return;
        }
        self.failed += 1;
        let name = self.memory.header(cell).behavior.get().map_or("", |behavior| (behavior.name)());
        self.probe.failed(actor, name, &failure);
        self.write_obituary(cell, failure);
        self.request_stop(actor);
    }

    /// Keeps the reason at the cell for those who are to be told. Without room they are told that it failed, and not why;
    /// the probe has seen it.
    fn write_obituary(&mut self, cell: u32, failure: Failure) {
        if self.obituary_of(cell).is_some() {
            return;
        }
        match self.need_side(cell) {
            Ok(side) => self.sides.get_mut(side).obituary = self.new_obituary(failure),
            Err(OutOfMemory) => self.memory.header(cell).side.set(FAILED_BARE),
        }
    }

    /// Keeps a failure for those who are to be told of it.
    pub(crate) fn new_obituary(&mut self, failure: Failure) -> Handle<Obituary> {
        self.obituaries.insert(&mut self.memory, Obituary { failure, readers: 1 }).unwrap_or(Obituary::UNKEPT)
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

    /// Tells the parent of a child that failed, if there is somebody to be told. Says whether that is done: without room
    /// for the signal it is not.
    pub(crate) fn tell_parent(&mut self, cell: u32) -> bool {
        let parent = self.memory.header(cell).parent.get();
        let obituary = self.obituary_of(cell);
        if self.dropping || obituary.is_none() || parent == NONE || parent == self.root {
            return true;
        }
        let (to, child) = (self.address_of(parent), self.address_of(cell));
        let told = self.signal(to, Kind::ChildFailed, (child, obituary.number())).is_ok();
        if told {
            self.share_obituary(obituary);
        }
        told
    }

    /// Keeps a dead cell until its parent has been told of its failure: the cell itself is the note, so none is lost.
    pub(crate) fn keep_untold(&mut self, cell: u32) {
        let header = self.memory.header(cell);
        header.identity.set(header.identity.get().with_gate(Gate::Dead));
        header.next.set(NONE);
        let (first, last) = self.untold;
        if last == NONE {
            self.untold = (cell, cell);
        } else {
            self.memory.header(last).next.set(cell);
            self.untold = (first, cell);
        }
        self.pressing = true;
    }

    /// Tells the next parent of a failure that found no room among the signals. Says whether there was one.
    pub(crate) fn tell_next_untold(&mut self) -> bool {
        let (cell, last) = self.untold;
        if cell == NONE {
            return false;
        }
        let header = self.memory.header(cell);
        let (next, parent) = (header.next.get(), header.parent.get());
        self.untold = if next == NONE { (NONE, NONE) } else { (next, last) };
        let (child, failure) = (self.address_of(cell), self.failure_in(self.obituary_of(cell)));
        self.lay_to_rest(cell);
        if parent != NONE {
            let parent = self.address_of(parent);
            self.tell_child_failed(parent, child, &failure);
            self.running = NONE;
        }
        true
    }

    /// An actor ends that may be the parent of some who are kept: nobody is told of them any more, least of all the next
    /// one in its cell.
    pub(crate) fn forget_untold_of(&mut self, parent: u32) {
        let mut at = self.untold.0;
        while at != NONE {
            let header = self.memory.header(at);
            if header.parent.get() == parent {
                header.parent.set(NONE);
            }
            at = header.next.get();
        }
    }

    /// See [`Kernel::recover`].
    pub(crate) fn after_panic(&mut self, cell: u32, stage: Stage, failure: Failure) {
        if core::mem::take(&mut self.finding_stops) {
            (self.marked_stops, self.pressing) = (true, true);
        }
        match stage {
            Stage::Handler if cell != NONE => self.fail(cell, failure),
            Stage::Handler | Stage::Foreign => self.probe.panicked(&failure),
            Stage::Cancel => {
                self.report_late(cell, &failure);
                let top = self.topmost_stopping(cell);
                self.defer_stop(top);
            }
            Stage::StoppedHook => self.go_on_closing(cell, Closing::State, &failure),
            Stage::DropState | Stage::DropWaiting => self.go_on_closing(cell, Closing::Waiting, &failure),
        }
    }

    /// A panic came out of an actor's end: its next step follows. The stop that led here is gone with the unwound
    /// stack, so the topmost ancestor that is stopping is asked again.
    fn go_on_closing(&mut self, cell: u32, next: Closing, failure: &Failure) {
        self.report_late(cell, failure);
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

    /// A failure of an actor that is already on its way out: shown, and otherwise of no effect.
    fn report_late(&mut self, cell: u32, failure: &Failure) {
        self.failed += 1;
        let name = self.memory.header(cell).behavior.get().map_or("", |behavior| (behavior.name)());
        let address = self.address_of(cell);
        self.probe.failed(address, name, failure);
    }
}
