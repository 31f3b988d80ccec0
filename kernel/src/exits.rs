//! The exits of a kernel: one for each other shard, and which of them have something to move.
//!
//! Telling an actor elsewhere writes into its shard's [`Batch`] and looks at nothing else. A flush looks only at the
//! exits on a list: those that were told something since the last one, or behind whose full lane something waits. So a
//! turn costs what it tells, however many shards there are.
//!
//! One of the modules where `unsafe` is allowed: it writes into batches, and drops what they could not move.

#![allow(unsafe_code)]

use crate::address::{Address, Place};
use crate::batch::{Batch, DropIn};
use crate::config::KernelConfig;
use crate::error::TellError;
use crate::exit::Exit;
use crate::kernel::{Kernel, Stage};
use crate::lane::LaneSender;
use crate::letters::DeadReason;
use crate::record::{self, CallType, Kind, Payload};
use crate::region::{Memory, NONE};
use crate::scope::Scope;
use crate::shelf::Shelf;

pub(crate) struct Exits {
    /// Beside `by_shard`: open where there is an exit whose lane has room, as far as is known.
    batches: Shelf<Batch>,
    by_shard: Shelf<Option<Exit>>,
    outbox_segments: u32,
    /// Shards for which something is in a batch or waits in an outbox: all that a flush looks at.
    listed: List,
    /// Shards to which something was published since the driver last asked.
    waking: List,
}

/// Shards, each at most once.
struct List {
    shards: Shelf<u16>,
    len: usize,
}

impl List {
    fn new(memory: &mut Memory, room: usize) -> Option<List> {
        let mut shards = Shelf::with_room(memory, room)?;
        for _ in 0..room {
            shards.push(memory, 0).ok()?;
        }
        Some(List { shards, len: 0 })
    }

    fn push(&mut self, shard: usize) {
        self.shards[self.len] = shard as u16;
        self.len += 1;
    }

    fn get(&self, at: usize) -> Option<usize> {
        (at < self.len).then(|| self.shards[at] as usize)
    }

    #[inline]
    fn pop(&mut self) -> Option<usize> {
        self.len = self.len.checked_sub(1)?;
        Some(self.shards[self.len] as usize)
    }

    /// Takes one out; the last takes its place.
    fn remove(&mut self, at: usize) {
        self.len -= 1;
        self.shards[at] = self.shards[self.len];
    }
}

impl Exits {
    /// The ways out of shard `own` of so many.
    pub(crate) fn new(
        memory: &mut Memory,
        own: usize,
        shards: usize,
        config: &KernelConfig,
    ) -> Option<Exits> {
        let room = if shards > 1 { shards } else { 0 };
        let mut batches = Shelf::with_room(memory, room)?;
        let mut by_shard = Shelf::with_room(memory, room)?;
        for shard in 0..room {
            let batch = if shard == own { Batch::NONE } else { Batch::new(memory, config.batch_words)? };
            batches.push(memory, batch).ok()?;
            by_shard.push(memory, None).ok()?;
        }
        let outbox_segments = config.outbox_bytes.div_ceil(memory.block_bytes()).max(1) as u32;
        let (listed, waking) = (List::new(memory, room)?, List::new(memory, room)?);
        Some(Exits { batches, by_shard, outbox_segments, listed, waking })
    }

    pub(crate) fn connect(&mut self, shard: usize, messages: LaneSender, signals: LaneSender) {
        let exit = Exit::new(messages, signals, self.outbox_segments);
        exit.set_door(&mut self.batches[shard]);
        self.by_shard[shard] = Some(exit);
    }

    fn to(&mut self, place: Place) -> Option<&mut Exit> {
        let exit = self.by_shard.get_mut(place.shard())?.as_mut()?;
        if exit.place == place || exit.is_now_at(place) { Some(exit) } else { None }
    }

    pub(crate) fn leads_to(&mut self, place: Place) -> bool {
        self.to(place).is_some()
    }

    /// The place of a shard of the realm to which a way leads.
    pub(crate) fn place_of(&mut self, shard: usize) -> Option<Place> {
        let exit = self.by_shard.get_mut(shard)?.as_mut()?;
        if exit.is_closed() || !exit.is_connected() { None } else { Some(exit.place) }
    }

    /// Room for a message to an actor elsewhere, in its shard's batch, if that takes one of this type now.
    #[inline(always)]
    pub(crate) fn room_for<M>(&self, to: Address) -> Option<*mut u64> {
        self.batches.get(to.place.shard()).filter(|batch| batch.takes::<M>(to)).map(Batch::at)
    }

    /// Makes the message that was written into the room part of its batch.
    #[inline(always)]
    pub(crate) fn commit(&mut self, to: Address, words: usize) {
        self.batches[to.place.shard()].commit(words);
    }

    /// Tells an actor through its shard's batch, or gives the message back: the first to a shard since the last flush is
    /// published at once, since nothing may follow for long; one of another type than the last begins a run.
    pub(crate) fn write<M>(&mut self, to: Address, message: M) -> Result<(), M> {
        if let Some(at) = self.room_for::<M>(to) {
            // SAFETY: the room is the record's.
            unsafe { record::write(at, to, Kind::Message, message) };
            self.commit(to, Payload::<M>::WORDS);
            return Ok(());
        }
        self.write_slowly(to, message)
    }

    #[inline(never)]
    fn write_slowly<M>(&mut self, to: Address, message: M) -> Result<(), M> {
        let shard = to.place.shard();
        let Some(Some(exit)) = self.by_shard.get_mut(shard) else { return Err(message) };
        let batch = &mut self.batches[shard];
        let mut message = message;
        if !batch.listed {
            match exit.write_first(to, message) {
                Ok(()) => {
                    self.list(shard);
                    return Ok(());
                }
                Err(back) => message = back,
            }
        }
        if !batch.begin_run(to, Payload::<M>::WORDS, Payload::<M>::drop_in) {
            return Err(message);
        }
        // SAFETY: a run of the type was begun, with room for one more.
        unsafe { record::write(batch.at(), to, Kind::Message, message) };
        batch.commit(Payload::<M>::WORDS);
        self.list(shard);
        Ok(())
    }

    /// Sees to it that the next flush looks at a shard's exit.
    fn list(&mut self, shard: usize) {
        if !core::mem::replace(&mut self.batches[shard].listed, true) {
            self.listed.push(shard);
        }
    }

    /// Writes a record into a shard's lane, or behind it into the outbox.
    fn put<T>(
        &mut self,
        memory: &mut Memory,
        shard: usize,
        to: Address,
        kind: Kind,
        value: T,
    ) -> Result<(), TellError<T>> {
        let Some(Some(exit)) = self.by_shard.get_mut(shard) else {
            return Err(TellError::Unreachable(value));
        };
        if exit.is_closed() {
            // The next flush lets go of it.
            self.list(shard);
            return Err(TellError::Unreachable(value));
        }
        let batch = &mut self.batches[shard];
        let result = exit.put(memory, batch, to, kind, value);
        exit.set_door(batch);
        self.list(shard);
        result
    }
}

impl Kernel {
    /// Tells an actor that lives elsewhere, when its shard's batch does not take it.
    pub(crate) fn send_away<M: Send + 'static>(
        &mut self,
        to: Address,
        message: M,
    ) -> Result<(), TellError<M>> {
        if !self.exits.leads_to(to.place) {
            return Err(TellError::Unreachable(message));
        }
        self.exits.put(&mut self.memory, to.place.shard(), to, Kind::Message, message)
    }

    /// Runs a closure on another shard of the realm, in order with what is told to that shard's actors.
    pub(crate) fn call_away<F>(&mut self, shard: usize, call: F) -> Result<(), TellError<F>>
    where
        F: FnOnce(&mut Scope<'_>) + Send + 'static,
    {
        let to = Address { identity: CallType::of::<F>().word(), index: 0, place: Place::NOWHERE };
        self.exits.put(&mut self.memory, shard, to, Kind::Call, call)
    }

    /// Sends a signal to an actor's shard; only an exhausted region refuses it, and gives it back.
    pub(crate) fn signal_away<T>(&mut self, to: Address, kind: Kind, value: T) -> Result<(), T> {
        let Some(exit) = self.exits.to(to.place) else { return Ok(()) };
        let sent = exit.signal(&mut self.memory, to, kind, value);
        self.exits.list(to.place.shard());
        sent
    }

    /// Publishes what was told to other shards, after moving along what spilled. Part of every turn; also for drivers
    /// that tell from outside a turn.
    #[inline]
    pub fn flush(&mut self) {
        if self.exits.listed.len > 0 {
            self.flush_listed();
        }
    }

    #[inline(never)]
    fn flush_listed(&mut self) {
        let mut at = 0;
        while let Some(shard) = self.exits.listed.get(at) {
            let batch = &mut self.exits.batches[shard];
            let exit = self.exits.by_shard[shard].as_mut().filter(|exit| !exit.is_closed());
            let lost = exit.is_none();
            if let Some(exit) = exit {
                let waits = exit.flush(&mut self.memory, batch);
                if core::mem::take(&mut exit.published) && !core::mem::replace(&mut exit.wakes, true) {
                    self.exits.waking.push(shard);
                }
                if waits {
                    at += 1;
                    continue;
                }
            }
            if lost {
                // Listed until all is dropped: a panic there is caught, and the next flush goes on.
                self.lose_exit(shard);
            }
            self.exits.batches[shard].listed = false;
            self.exits.listed.remove(at);
        }
    }

    /// The kernel at a place has said that it is gone.
    pub(crate) fn lose_exit_to(&mut self, place: Place) {
        if self.exits.leads_to(place) {
            self.lose_exit(place.shard());
        }
    }

    /// Tells every other kernel that this one is gone, on its way out. What waits for them is dropped before.
    pub(crate) fn say_farewell(&mut self) {
        for shard in 0..self.exits.by_shard.len() {
            if let Some(exit) = self.exits.by_shard[shard].take() {
                exit.say_farewell(self.place);
            }
        }
    }

    /// The kernel at the other end is gone: what waits for it is dropped, and no way leads there from now on.
    #[cold]
    fn lose_exit(&mut self, shard: usize) {
        // A panicking drop is nobody's failure.
        self.enter(NONE, Stage::Foreign);
        self.exits.batches[shard].shut();
        self.drop_spilled_to(shard);
        self.stage = Stage::Handler;
        self.exits.by_shard[shard] = None;
    }

    /// Calls `wake` with each shard to which something was published since the last call.
    #[inline]
    pub fn published(&mut self, mut wake: impl FnMut(usize)) {
        while let Some(shard) = self.exits.waking.pop() {
            if let Some(exit) = &mut self.exits.by_shard[shard] {
                exit.wakes = false;
            }
            wake(shard);
        }
    }

    /// Whether anything told to other shards waits for the next flush: behind a full lane, if one has just been.
    #[inline]
    pub fn spilled(&self) -> bool {
        self.exits.listed.len > 0
    }

    /// Whether every other shard's kernel has bound its lanes and lives, so that addresses there can be told.
    pub fn is_connected(&mut self) -> bool {
        let own = self.place.shard();
        self.exits.by_shard.iter_mut().enumerate().all(|(shard, exit)| match exit {
            Some(exit) => exit.is_connected(),
            None => shard == own,
        })
    }

    /// Drops what still waits for other shards, when the kernel is dropped. What the lanes have room for goes there, and
    /// is published as they go.
    pub(crate) fn drop_spilled(&mut self) {
        for shard in 0..self.exits.by_shard.len() {
            if let Some(exit) = &mut self.exits.by_shard[shard] {
                exit.move_last(&mut self.exits.batches[shard]);
            }
            self.drop_spilled_to(shard);
        }
    }

    fn drop_spilled_to(&mut self, shard: usize) {
        while let Some((payload, drop)) = self.next_spilled_to(shard) {
            self.letters.count_one(DeadReason::Unreachable);
            // SAFETY: the payload of a record that was taken off, dropped once, here, as was noted when it was written.
            unsafe { drop(payload) };
        }
    }

    /// Takes off what has waited longest for a shard: its payload, and how to drop it.
    fn next_spilled_to(&mut self, shard: usize) -> Option<(*const u64, DropIn)> {
        match self.exits.batches.get_mut(shard)?.pop() {
            Some(next) => Some(next),
            None => self.exits.by_shard.get_mut(shard)?.as_mut()?.pop_spilled(&mut self.memory),
        }
    }
}
