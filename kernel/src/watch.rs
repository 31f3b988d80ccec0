//! Death watch: who is to be told of whose end, exactly once.
//!
//! A watch is one record. It stands in two lists: at the watcher (whom it watches) and at the target (who watches it).
//! When the target ends, the record leaves the target's list for the notices, from which it is told; when the watcher
//! stops or unwatches, the record is gone from wherever it stands, so a notice that was queued is never told. No new
//! memory is needed to tell, so no end goes unheard.
//!
//! Across shards each side keeps a record of its own, linked in its own list only, and signals travel between them. The
//! watcher's record is what makes the notice single: a `Terminated` signal for which there is none is ignored. In place
//! of the target's list it stands among the ties to that shard; see [`crate::ties`].
//!
//! One of the modules where `unsafe` is allowed: it calls behaviours.

#![allow(unsafe_code)]

use crate::actor::{StopReason, Terminated};
use crate::address::{Address, Gate, Place};
use crate::behavior::Role;
use crate::error::OutOfMemory;
use crate::failure::Failure;
use crate::kernel::{Kernel, Stage};
use crate::pool::Handle;
use crate::region::NONE;
use crate::side::Side;

/// A failure that several may still be told of.
pub(crate) struct Obituary {
    pub(crate) failure: Failure,
    pub(crate) readers: u32,
}

impl Obituary {
    /// Of all failures that there was no room to keep. No slot of the pool has this number.
    pub(crate) const UNKEPT: Handle<Obituary> = Handle::from_number(u32::MAX);
}

#[derive(Clone, Copy)]
pub(crate) struct Watch {
    watcher: Address,
    target: Address,
    /// Neighbours at the target, among the ties to its shard, or among the notices.
    target_next: Handle<Watch>,
    target_prev: Handle<Watch>,
    /// Neighbours at the watcher.
    watcher_next: Handle<Watch>,
    watcher_prev: Handle<Watch>,
    /// The message to tell instead of the hook: its parcel, if any.
    with: u32,
    state: State,
    obituary: Handle<Obituary>,
}

impl Watch {
    /// Whose end is watched for, and the next in the same row.
    pub(crate) fn target_and_next(&self) -> (Address, Handle<Watch>) {
        (self.target, self.target_next)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The target lives, as far as is known.
    Watching,
    /// Among the notices: the target ended.
    Ended,
    /// Among the notices: the target was not there.
    NotFound,
    /// Among the notices: the target's kernel is gone.
    Unreachable,
}

/// What travels to another shard's watcher. A failure's text goes along.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) target: Address,
    pub(crate) reason: StopReason,
}

impl Kernel {
    /// Starts to watch, or replaces the message of a watch that is on. `with` is a parcel's number, or [`NONE`].
    pub(crate) fn watch_cell(&mut self, watcher: u32, target: Address, with: u32) -> Result<(), OutOfMemory> {
        let watcher_side = self.need_side(watcher)?;
        if let Some(known) = self.find_watch(watcher, target) {
            let old = core::mem::replace(&mut self.watches.get_mut(known).with, with);
            self.drop_own_parcel(watcher, old);
            return Ok(());
        }
        let local = target.place == self.place;
        let alive = local && self.is_alive_or_dead(target);
        let target_side = if alive { Some(self.need_side(target.index)?) } else { None };
        let record = Watch {
            watcher: self.address_of(watcher),
            target,
            target_next: Handle::NONE,
            target_prev: Handle::NONE,
            watcher_next: self.sides.get(watcher_side).watching,
            watcher_prev: Handle::NONE,
            with,
            state: State::Watching,
            obituary: Handle::NONE,
        };
        let next = record.watcher_next;
        let watch = self.watches.insert(&mut self.memory, record).map_err(|_| OutOfMemory)?;
        let state = match target_side {
            Some(_) => State::Watching,
            None if local => State::NotFound,
            None => match self.watch_away(self.address_of(watcher), target) {
                Ok(state) => state,
                Err(OutOfMemory) => {
                    self.watches.remove(watch);
                    return Err(OutOfMemory);
                }
            },
        };
        if next.is_some() {
            self.watches.get_mut(next).watcher_prev = watch;
        }
        self.sides.get_mut(watcher_side).watching = watch;
        match target_side {
            Some(side) => self.link_at_target(side, watch),
            None if state == State::Watching => self.link_behind(watch, target.place, state),
            None => self.add_notice(watch, state, Handle::NONE),
        }
        Ok(())
    }

    /// Whether a cell is there to which watchers can be linked: living, stopping, or not yet mourned. A reply address
    /// has no side record, and is none.
    fn is_alive_or_dead(&self, of: Address) -> bool {
        if of.index == NONE {
            return false;
        }
        let identity = self.memory.header(of.index).identity.get();
        identity.with_gate(Gate::Ready) == of.identity
            && identity.gate() != Gate::Free
            && self.role(of.index) != Role::Ask
    }

    fn link_at_target(&mut self, side: Handle<Side>, watch: Handle<Watch>) {
        let first = core::mem::replace(&mut self.sides.get_mut(side).watchers, watch);
        self.watches.get_mut(watch).target_next = first;
        if first.is_some() {
            self.watches.get_mut(first).target_prev = watch;
        }
    }

    /// The watch of `target` by `watcher`. Looks through both lists at once, to the end of the shorter.
    pub(crate) fn find_watch(&self, watcher: u32, target: Address) -> Option<Handle<Watch>> {
        let mut at_watcher = self.sides.get(self.side_of(watcher)?).watching;
        let both = target.place == self.place && self.is_alive_or_dead(target);
        // Only here is the target's index one of this region's.
        let mut at_target = match both.then(|| self.side_of(target.index)) {
            Some(Some(side)) => self.sides.get(side).watchers,
            Some(None) => return self.find_notice(at_watcher, target),
            None => Handle::NONE,
        };
        let from = self.address_of(watcher);
        while at_watcher.is_some() {
            let watch = self.watches.get(at_watcher);
            if watch.target == target {
                return Some(at_watcher);
            }
            at_watcher = watch.watcher_next;
            if both {
                if at_target.is_none() {
                    return None;
                }
                let watch = self.watches.get(at_target);
                if watch.watcher == from {
                    return Some(at_target);
                }
                at_target = watch.target_next;
            }
        }
        None
    }

    /// A watch whose target has no list of watchers: it can only be one whose notice waits.
    fn find_notice(&self, mut at: Handle<Watch>, target: Address) -> Option<Handle<Watch>> {
        while at.is_some() {
            let watch = self.watches.get(at);
            if watch.target == target && watch.state != State::Watching {
                return Some(at);
            }
            at = watch.watcher_next;
        }
        None
    }

    /// Ends a watch. Says whether there was one. No notice comes after this, also not one that was queued.
    pub(crate) fn unwatch_cell(&mut self, watcher: u32, target: Address) -> bool {
        let Some(watch) = self.find_watch(watcher, target) else { return false };
        if target.place != self.place && self.watches.get(watch).state == State::Watching {
            let from = self.address_of(watcher);
            self.unwatch_away(from, target);
        }
        self.unlink_at_watcher(watcher, watch);
        self.end_watch(watch);
        true
    }

    fn unlink_at_watcher(&mut self, watcher: u32, watch: Handle<Watch>) {
        let Watch { watcher_next: next, watcher_prev: prev, .. } = *self.watches.get(watch);
        if next.is_some() {
            self.watches.get_mut(next).watcher_prev = prev;
        }
        if prev.is_some() {
            self.watches.get_mut(prev).watcher_next = next;
        } else if let Some(side) = self.side_of(watcher) {
            self.sides.get_mut(side).watching = next;
        }
    }

    /// Removes a record that is out of its watcher's list from its other list, and forgets it.
    fn end_watch(&mut self, watch: Handle<Watch>) {
        self.unlink_at_target(watch);
        let record = self.watches.remove(watch);
        if record.obituary.is_some() {
            self.drop_obituary(record.obituary);
        }
        // Last, for the message's drop may panic.
        if record.with != NONE {
            self.drop_own_parcel(record.watcher.index, record.with);
        }
    }

    pub(crate) fn unlink_at_target(&mut self, watch: Handle<Watch>) {
        let record = *self.watches.get(watch);
        let (next, prev) = (record.target_next, record.target_prev);
        if next.is_some() {
            self.watches.get_mut(next).target_prev = prev;
        }
        if prev.is_some() {
            self.watches.get_mut(prev).target_next = next;
        }
        let is_notice = record.state != State::Watching;
        if is_notice || record.target.place != self.place {
            let row = if is_notice {
                self.ties.count_notice(record.watcher.place, false);
                self.ties.notices(record.watcher.place)
            } else {
                self.ties.watched(record.target.place)
            };
            if row.first == watch {
                row.first = next;
            }
            if row.last == watch {
                row.last = prev;
            }
        } else if prev.is_none()
            && self.is_alive_or_dead(record.target)
            && let Some(side) = self.side_of(record.target.index)
        {
            self.sides.get_mut(side).watchers = next;
        }
    }

    /// Puts a record that stands in no target's list among the notices.
    pub(crate) fn add_notice(&mut self, watch: Handle<Watch>, state: State, obituary: Handle<Obituary>) {
        let record = self.watches.get_mut(watch);
        record.obituary = obituary;
        let place = record.watcher.place;
        self.link_behind(watch, place, state);
        self.ties.count_notice(place, true);
        self.pressing = true;
    }

    /// Puts a record that stands in no target's list at the end of a row of ties to a place: of those watched there, or
    /// of the notices for there.
    fn link_behind(&mut self, watch: Handle<Watch>, place: Place, state: State) {
        let row = match state {
            State::Watching => self.ties.watched(place),
            State::Ended | State::NotFound | State::Unreachable => self.ties.notices(place),
        };
        let last = core::mem::replace(&mut row.last, watch);
        if last.is_none() {
            row.first = watch;
        } else {
            self.watches.get_mut(last).target_next = watch;
        }
        let record = self.watches.get_mut(watch);
        (record.state, record.target_next, record.target_prev) = (state, Handle::NONE, last);
    }

    /// The target in `cell` has ended: all its watches become notices.
    pub(crate) fn notify_watchers(&mut self, _cell: u32, side: Handle<Side>) {
        let obituary = self.sides.get(side).obituary;
        let mut at = core::mem::replace(&mut self.sides.get_mut(side).watchers, Handle::NONE);
        while at.is_some() {
            let next = self.watches.get(at).target_next;
            if obituary.is_some() {
                self.share_obituary(obituary);
            }
            self.add_notice(at, State::Ended, obituary);
            at = next;
        }
    }

    /// Tells one notice, or sends those for elsewhere if there is none for here. Says whether anything was told.
    pub(crate) fn tell_next_notice(&mut self) -> bool {
        let watch = self.ties.next_here();
        if watch.is_none() {
            return self.send_notices();
        }
        let record = *self.watches.get(watch);
        let reason = self.reason_of(&record);
        let watcher = record.watcher.index;
        self.unlink_at_watcher(watcher, watch);
        self.watches.get_mut(watch).with = NONE;
        self.end_watch(watch);
        self.tell_terminated(watcher, Terminated { address: record.target, reason }, record.with);
        true
    }

    /// Sends a notice to its watcher's kernel. If the region is used up and the lane full, it stays where it is.
    pub(crate) fn send_notice(&mut self, watch: Handle<Watch>) -> bool {
        let record = *self.watches.get(watch);
        let sent = self.end_away(record.watcher, record.target, self.reason_of(&record));
        if sent {
            self.end_watch(watch);
        }
        sent
    }

    /// Why the target of a notice ended.
    fn reason_of(&self, notice: &Watch) -> StopReason {
        match notice.state {
            State::NotFound => StopReason::NotFound,
            State::Unreachable => StopReason::Unreachable,
            State::Ended | State::Watching if notice.obituary.is_some() => {
                StopReason::Failed(self.failure_in(notice.obituary))
            }
            State::Ended | State::Watching => StopReason::Stopped,
        }
    }

    fn tell_terminated(&mut self, watcher: u32, gone: Terminated, with: u32) {
        let header = self.memory.header(watcher);
        let gate = header.identity.get().gate();
        if with != NONE {
            self.deliver_parcel(watcher, with);
            return;
        }
        if matches!(gate, Gate::Stopping | Gate::Dead | Gate::Free | Gate::Starting) {
            return;
        }
        if gate == Gate::Suspended && self.is_taking_leave(watcher) {
            // Most often this is a child that was stopped for the restart. What the old instance watched ends with it.
            return;
        }
        if let Some(behavior) = header.behavior.get() {
            self.enter(watcher, Stage::Hook);
            // SAFETY: the watcher lives, its state is made, and none of its code runs.
            let outcome = unsafe { (behavior.terminated)(self, watcher, &gone) };
            self.stage = Stage::Handler;
            if let Err(failure) = outcome {
                self.fail(watcher, failure);
            }
        }
    }

    /// The watcher ends: all its watches with it, one after the other, so that a panicking drop loses none.
    pub(crate) fn forget_watching(&mut self, cell: u32, side: Handle<Side>) {
        loop {
            let watch = self.sides.get(side).watching;
            if watch.is_none() {
                return;
            }
            let record = *self.watches.get(watch);
            if record.target.place != self.place && record.state == State::Watching {
                self.unwatch_away(record.watcher, record.target);
            }
            self.unlink_at_watcher(cell, watch);
            self.end_watch(watch);
        }
    }

    /// What a watcher here is told of an end on another shard. One that does not watch is told nothing.
    pub(crate) fn hear_terminated(&mut self, watcher: u32, ended: Ended) {
        if let Some(watch) = self.find_watch(watcher, ended.target) {
            let with = core::mem::replace(&mut self.watches.get_mut(watch).with, NONE);
            self.unlink_at_watcher(watcher, watch);
            self.end_watch(watch);
            let gone = Terminated { address: ended.target, reason: ended.reason };
            self.tell_terminated(watcher, gone, with);
        }
    }

    /// Whether the end that is watched for is not known of yet.
    pub(crate) fn is_watching(&self, watch: Handle<Watch>) -> bool {
        self.watches.get(watch).state == State::Watching
    }

    /// An actor of another shard no longer watches one of this.
    pub(crate) fn unwatch_from_afar(&mut self, watcher: Address, target: Address) {
        if let Some(watch) = self.find_from_afar(watcher, target) {
            self.end_watch(watch);
        }
    }

    /// An actor of another shard watches one of this.
    pub(crate) fn watch_from_afar(&mut self, watcher: Address, target: Address) {
        if self.find_from_afar(watcher, target).is_some() {
            return;
        }
        if self.is_alive_or_dead(target)
            && let Ok(side) = self.need_side(target.index)
        {
            let record = Watch {
                watcher,
                target,
                target_next: Handle::NONE,
                target_prev: Handle::NONE,
                watcher_next: Handle::NONE,
                watcher_prev: Handle::NONE,
                with: NONE,
                state: State::Watching,
                obituary: Handle::NONE,
            };
            if let Ok(watch) = self.watches.insert(&mut self.memory, record) {
                self.link_at_target(side, watch);
                return;
            }
        }
        // Gone, or no room to watch it: better a notice too early than one that never comes.
        self.refuse_watch(watcher, target);
    }

    /// Tells a watcher elsewhere that its target is not there; where there is no room for that, in a later turn.
    fn refuse_watch(&mut self, watcher: Address, target: Address) {
        if self.end_away(watcher, target, StopReason::NotFound) {
            return;
        }
        self.bonds_wait = true;
        if self.unwatched.push((watcher, target)).is_err() {
            // The region is used up, the lane full, and many were refused before. It is counted as lost.
            self.letters.count_one(crate::letters::DeadReason::OutOfMemory);
        }
    }

    /// Tells those whose watches could not be kept, as far as there is room.
    pub(crate) fn refuse_watches(&mut self) {
        for (watcher, target) in core::mem::take(&mut self.unwatched) {
            self.refuse_watch(watcher, target);
        }
    }

    fn find_from_afar(&self, watcher: Address, target: Address) -> Option<Handle<Watch>> {
        if !self.is_alive_or_dead(target) {
            return None;
        }
        let mut at = self.sides.get(self.side_of(target.index)?).watchers;
        while at.is_some() {
            let watch = self.watches.get(at);
            if watch.watcher == watcher {
                return Some(at);
            }
            at = watch.target_next;
        }
        None
    }
}
