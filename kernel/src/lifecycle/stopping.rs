//! Arc 4, by request: stopping an actor and all below it, leaves first.
//!
//! A subtree may be large, so a stop closes a bounded number of cells and leaves the rest for the next turn. Nothing
//! but the root of the stop is remembered in between: the next round walks down from there again.

use crate::address::{Address, Gate};
use crate::behavior::Role;
use crate::kernel::{Kernel, Stage};
use crate::record::Kind;
use crate::region::NONE;

/// Cells closed by one stop in one turn.
const CLOSED_PER_TURN: u32 = 4096;

impl Kernel {
    /// Asks an actor, wherever it lives, to stop. To one that is gone, nothing happens.
    pub(crate) fn request_stop(&mut self, to: Address) {
        if to.place != self.place {
            return self.request_stop_away(to);
        }
        if to.index == NONE || to.index == self.root || !self.is_actor(to) {
            return;
        }
        if to.index == self.running() {
            self.stops_itself = to.index;
        }
        if self.signal(to, Kind::Stop, ()).is_err() {
            // No room for the signal: the cell itself is the note, found by walking the tree.
            if !self.mark_stopping(to.index) {
                return self.close_unbegun(to.index);
            }
            self.marked_stops = true;
            self.pressing = true;
        }
    }

    /// Asks an actor elsewhere to stop; where there is no room for that, in a later turn.
    fn request_stop_away(&mut self, to: Address) {
        if self.stop_away(to) || self.unstopped.contains(&to) {
            return;
        }
        self.bonds_wait = true;
        if self.unstopped.push(to).is_err() {
            // The region is used up, the lane full, and many were to stop before. It is counted as lost.
            self.letters.count_one(crate::letters::DeadReason::OutOfMemory);
        }
    }

    /// Asks those to stop of whom that could not be said before, as far as there is room.
    pub(crate) fn repeat_stops(&mut self) {
        for to in core::mem::take(&mut self.unstopped) {
            self.request_stop_away(to);
        }
    }

    /// Asks every child of a cell to stop.
    pub(crate) fn request_stop_below(&mut self, cell: u32) {
        let mut at = self.first_child(cell);
        while at != NONE {
            let next = self.memory.header(at).next.get();
            if self.is_ward(at) {
                self.request_stop(self.address_of(at));
            }
            at = next;
        }
    }

    /// Sets the gate that says that a cell is stopping. One that has not begun, and is without a side record that could say
    /// so as well, must keep the gate that does; nothing is below it. Says whether it was set.
    fn mark_stopping(&mut self, cell: u32) -> bool {
        if !self.has_begun(cell) {
            let Some(side) = self.side_of(cell) else { return false };
            self.sides.get_mut(side).ward.unbegun = true;
        }
        let header = self.memory.header(cell);
        header.identity.set(header.identity.get().with_gate(Gate::Stopping));
        true
    }

    /// A cell whose gate must go on saying that it never began cannot be marked. Nothing of it runs or ever ran, so it
    /// ends at once, also from within another's handler.
    #[cold]
    fn close_unbegun(&mut self, cell: u32) {
        let (running, stage) = (self.running(), self.stage);
        self.close_one(cell, self.first_of_closing(cell));
        self.enter(running, stage);
    }

    /// Whether the actor of an address lives in this kernel and has not begun to stop, or is stopping still.
    pub(crate) fn is_alive(&self, of: Address) -> bool {
        if of.place != self.place || of.index == NONE {
            return false;
        }
        let identity = self.memory.header(of.index).identity.get();
        identity.with_gate(Gate::Ready) == of.identity && !matches!(identity.gate(), Gate::Dead | Gate::Free)
    }

    /// Whether an address is that of an actor or adapter that lives in this kernel. The reply address of an ask is
    /// neither: it ends with its answer, its deadline or its owner, and must not be ended, held or hung on otherwise.
    pub(crate) fn is_actor(&self, of: Address) -> bool {
        self.is_alive(of) && self.role(of.index) != Role::Ask
    }

    /// Stops a cell: at once if nothing is below it, otherwise from its leaves up.
    pub(crate) fn stop_cell(&mut self, cell: u32) {
        let mut left = CLOSED_PER_TURN;
        if !self.close_subtree(cell, &mut left) {
            let address = self.address_of(cell);
            self.defer_stop(address);
        }
    }

    /// Remembers to go on stopping in the next turn. Where there is no room for that, the gates of the cells are the
    /// note, as for a stop that found no room.
    pub(super) fn defer_stop(&mut self, root: Address) {
        if !self.deferred.push_signal(&mut self.memory, root, Kind::Stop) {
            self.marked_stops = true;
            self.pressing = true;
        }
    }

    /// Closes cells below `root`, leaves first, then `root`. Says whether that is done, but for what waits for the end of
    /// children elsewhere: the last of them leads on.
    fn close_subtree(&mut self, root: u32, left: &mut u32) -> bool {
        let mut at = root;
        loop {
            self.begin_stopping(at);
            let child = self.first_child(at);
            if child != NONE {
                at = child;
                continue;
            }
            // Up, until there is one beside whose turn has not been.
            loop {
                let header = self.memory.header(at);
                let (parent, next) = (header.parent.get(), header.next.get());
                if self.first_child(at) == NONE && self.role(at) != Role::Outpost {
                    if *left == 0 {
                        return false;
                    }
                    *left -= 1;
                    let step = self.first_of_closing(at);
                    if at == root {
                        // Closing may go on with a parent that waited for this child; see `close`.
                        self.close(at, step);
                        return true;
                    }
                    self.close_one(at, step);
                }
                if at == root {
                    return true;
                }
                if next != NONE {
                    // What was run may have ended the next one as well: then the walk begins again.
                    at = if self.is_child(next, parent) { next } else { root };
                    break;
                }
                at = parent;
            }
        }
    }

    fn is_child(&self, cell: u32, parent: u32) -> bool {
        let header = self.memory.header(cell);
        header.parent.get() == parent && !matches!(header.identity.get().gate(), Gate::Dead | Gate::Free)
    }

    /// From here on no message runs and nothing is spawned below.
    fn begin_stopping(&mut self, cell: u32) {
        if self.memory.header(cell).identity.get().gate() != Gate::Stopping && self.mark_stopping(cell) {
            self.enter(cell, Stage::Cancel);
            self.cancel_all_timers(cell);
            self.enter(NONE, Stage::Handler);
        }
        if self.role(cell) == Role::Outpost {
            self.speak(cell);
        }
    }

    /// After stops that found no room among the signals: finds the cells that were marked instead.
    #[cold]
    pub(crate) fn find_marked_stops(&mut self) {
        self.marked_stops = false;
        self.finding_stops = true;
        let root = self.root;
        let mut at = self.first_child(root);
        while at != NONE {
            if self.memory.header(at).identity.get().gate() == Gate::Stopping {
                let next = self.after_subtree(at, root);
                let mut left = u32::MAX;
                self.close_subtree(at, &mut left);
                at = next;
                continue;
            }
            let child = self.first_child(at);
            at = if child != NONE { child } else { self.after_subtree(at, root) };
        }
        self.finding_stops = false;
    }

    /// The cell that a walk visits after `at` and all below it.
    pub(super) fn after_subtree(&self, at: u32, root: u32) -> u32 {
        let mut at = at;
        while at != root && at != NONE {
            let header = self.memory.header(at);
            if header.next.get() != NONE {
                return header.next.get();
            }
            at = header.parent.get();
        }
        NONE
    }
}
