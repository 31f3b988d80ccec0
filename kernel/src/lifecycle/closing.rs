//! Arcs 5 to 7: the end of an actor, in steps each of which survives a panic of user code. One of the modules where
//! `unsafe` is allowed: it calls the cell's behaviour.

#![allow(unsafe_code)]

use crate::address::Gate;
use crate::behavior::Role;
use crate::kernel::{Kernel, Stage};
use crate::letters::DeadReason;
use crate::region::NONE;

/// Where to begin, or to go on after a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closing {
    /// Run the `stopped` hook, then all that follows.
    Hook,
    /// Drop the state, then all that follows.
    State,
    /// There is no state; drop what was to make it, then all that follows.
    Unmade,
    /// Drop what waited, and what is attached; then tell and give the cell back.
    Waiting,
}

impl Kernel {
    /// Closes a cell without children, then every ancestor that waited only for it.
    pub(crate) fn close(&mut self, cell: u32, from: Closing) {
        let mut cell = cell;
        let mut from = from;
        loop {
            let parent = self.close_one(cell, from);
            let waits = parent != NONE
                && parent != self.root
                && self.memory.header(parent).identity.get().gate() == Gate::Stopping
                && self.first_child(parent) == NONE;
            if !waits {
                return;
            }
            (cell, from) = (parent, self.first_of_closing(parent));
        }
    }

    /// Where the end of a cell that lives begins.
    pub(super) fn first_of_closing(&self, cell: u32) -> Closing {
        match self.is_made(cell) {
            true if self.has_begun(cell) => Closing::Hook,
            true => Closing::State,
            false => Closing::Unmade,
        }
    }

    /// Closes one cell without children; gives its parent.
    pub(crate) fn close_one(&mut self, cell: u32, from: Closing) -> u32 {
        let Some(behavior) = self.memory.header(cell).behavior.get() else { return NONE };
        if from == Closing::Hook && behavior.role == Role::Actor && !self.dropping {
            self.enter(cell, Stage::StoppedHook);
            // SAFETY: the state is made and nobody uses it: its handler, if one ran, has returned.
            unsafe { (behavior.stopped)(self, cell) };
        }
        if from < Closing::Waiting {
            self.enter(cell, Stage::DropState);
            // From here on the cell says that its state is gone: whatever unwinds, nobody drops it again.
            let header = self.memory.header(cell);
            header.identity.set(header.identity.get().with_gate(Gate::Dead));
            // SAFETY: as above; after this no step before `Waiting` is taken again, also after a panic.
            unsafe { (behavior.drop)(&self.memory, cell, from != Closing::Unmade) };
        }
        self.enter(cell, Stage::DropWaiting);
        // The hook may have set timers; those from before ended when the stop began.
        self.cancel_all_timers(cell);
        if cell == self.stops_itself {
            self.stops_itself = NONE;
        }
        if cell == self.reborn {
            self.reborn = NONE;
        }
        if let Some(side) = self.side_of(cell) {
            self.unlist_restart(cell);
            self.forget_retirement(cell);
            self.stop_holding(cell);
            self.sides.get_mut(side).ward.step = None;
            self.drop_attachments(side);
            self.leave_ring(cell);
            while let Some(parcel) = self.next_waiting(side) {
                self.drop_parcel(parcel, DeadReason::Stopped);
            }
            self.forget_watching(cell, side);
        }
        self.enter(NONE, Stage::Handler);
        self.end(cell, behavior.role)
    }

    /// Nothing of the actor is left but its cell: strike it from the tree, tell who is to be told, give it back.
    fn end(&mut self, cell: u32, role: Role) -> u32 {
        let parent = self.memory.header(cell).parent.get();
        self.unlink_child(cell);
        if parent != NONE {
            self.note_end_below(parent);
        }
        if role == Role::Actor {
            self.actors -= 1;
        }
        if self.memory.header(cell).side.get() == NONE {
            self.release_cell(cell);
            return parent;
        }
        self.strike_name(parent, cell);
        self.lay_to_rest(cell);
        parent
    }

    /// Gives a dead cell back, or has it mourned first if somebody watches it.
    fn lay_to_rest(&mut self, cell: u32) {
        let Some(side) = self.side_of(cell) else { return self.release_cell(cell) };
        if self.sides.get(side).watchers.is_none() && !self.is_from_afar(cell) {
            return self.bury_cell(cell);
        }
        // Watchers hear of the end when all that was queued before it has been passed, and has become dead letters.
        let group = self.memory.header(cell).identity.get().group();
        self.sides.get_mut(side).end = self.queues[group].pushed();
        let header = self.memory.header(cell);
        header.identity.set(header.identity.get().with_gate(Gate::Dead));
        header.next.set(NONE);
        self.queue_waiters += 1;
        let (first, last) = self.mourned[group];
        if last == NONE {
            self.mourned[group] = (cell, cell);
        } else {
            self.memory.header(last).next.set(cell);
            self.mourned[group] = (first, cell);
        }
    }

    /// Arc 6: tells the watchers of those whose end has been passed.
    pub(crate) fn run_mourning(&mut self) {
        for group in 0..self.mourned.len() {
            while self.mourned[group].0 != NONE {
                let cell = self.mourned[group].0;
                let Some(side) = self.side_of(cell) else { break };
                if self.sides.get(side).end > self.queues[group].popped(&self.memory) {
                    break;
                }
                if !self.report_end(cell) {
                    break;
                }
                let next = self.memory.header(cell).next.get();
                self.queue_waiters -= 1;
                self.mourned[group] = if next == NONE { (NONE, NONE) } else { (next, self.mourned[group].1) };
                self.notify_watchers(cell, side);
                self.bury_cell(cell);
            }
        }
    }

    /// Arc 7, for a cell with a side record.
    pub(crate) fn bury_cell(&mut self, cell: u32) {
        self.untie(cell);
        if let Some(side) = self.side_of(cell) {
            let side = self.sides.remove(side);
            if side.obituary.is_some() {
                self.drop_obituary(side.obituary);
            }
        }
        self.release_cell(cell);
    }

    /// Drops everything, exactly once, without running any hook.
    pub(crate) fn drop_all(&mut self) {
        self.dropping = true;
        let root = self.root;
        if root != NONE {
            // The asks of nobody's code hang there.
            self.cancel_all_timers(root);
            let mut at = self.first_child(root);
            while at != NONE {
                let child = self.first_child(at);
                if child != NONE {
                    at = child;
                    continue;
                }
                let gone = self.memory.header(at).identity.get().gate() == Gate::Dead;
                let step = match self.is_made(at) {
                    _ if gone => Closing::Waiting,
                    true => Closing::State,
                    false => Closing::Unmade,
                };
                let parent = self.close_one(at, step);
                at = if parent == root { self.first_child(root) } else { parent };
            }
        }
    }
}
