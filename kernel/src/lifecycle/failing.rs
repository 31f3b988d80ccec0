//! Arc 4, by failure: what an actor's error or panic does to it.

use super::Closing;
use crate::address::{Address, Gate};
use crate::failure::Failure;
use crate::kernel::{Kernel, Stage};
use crate::region::NONE;
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

    /// Keeps the reason at the cell for those who are to be told. Without room they are told of a plain stop; the
    /// probe has seen the failure.
    fn write_obituary(&mut self, cell: u32, failure: Failure) {
        if let Ok(side) = self.need_side(cell)
            && self.sides.get(side).obituary.is_none()
            && let Ok(obituary) = self.obituaries.insert(&mut self.memory, Obituary { failure, readers: 1 })
        {
            self.sides.get_mut(side).obituary = obituary;
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
