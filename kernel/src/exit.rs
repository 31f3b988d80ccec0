//! Exits: the one way out of a kernel, to the other shards of its realm.
//!
//! Each other shard is reached by two lanes: one for messages, one for signals. A message is written in place into its
//! lane; while the lane is full, messages spill in order into an outbox of bounded size, and when that is full as well,
//! telling is refused. Signals spill into an outbox of their own that only the region bounds, so that no flood of
//! messages can take their room. Lanes are published once per turn, or per batch.
//!
//! One of the modules where `unsafe` is allowed: it writes records into reserved room.

#![allow(unsafe_code)]

use crate::address::{Address, Place};
use crate::error::TellError;
use crate::kernel::{Kernel, KernelConfig, Stage};
use crate::lane::LaneSender;
use crate::letters::DeadReason;
use crate::limits::RECORD_HEAD;
use crate::queue::Queue;
use crate::record::{self, CallType, Head, Kind, Payload};
use crate::region::{Memory, NONE};
use crate::scope::Scope;
use crate::shelf::Shelf;
use crate::watch::Ended;

/// Messages that spill between two looks at whether the lane has room again.
const LOOK_EVERY: u32 = 32;

pub(crate) struct Exit {
    /// The kernel at the other end.
    place: Place,
    /// Messages wait in the outbox: what is told now goes behind them.
    spilling: bool,
    /// Messages to spill before the lane is looked at again.
    patience: u32,
    messages: LaneSender,
    signals: LaneSender,
    outbox: Queue,
    signal_outbox: Queue,
    /// Published since the driver last asked: whoever sleeps at the other end must be woken.
    published: bool,
}

pub(crate) struct Exits {
    by_shard: Shelf<Option<Exit>>,
    outbox_segments: u32,
    batch_words: usize,
}

impl Exits {
    pub(crate) fn new(memory: &mut Memory, shards: usize, config: &KernelConfig) -> Option<Exits> {
        let mut by_shard = Shelf::with_room(memory, if shards > 1 { shards } else { 0 })?;
        if shards > 1 {
            for _ in 0..shards {
                by_shard.push(memory, None).ok()?;
            }
        }
        let outbox_segments = config.outbox_bytes.div_ceil(memory.block_bytes()).max(1) as u32;
        Some(Exits { by_shard, outbox_segments, batch_words: config.batch_words })
    }

    pub(crate) fn connect(&mut self, shard: usize, mut messages: LaneSender, signals: LaneSender) {
        assert!(
            signals.fits(Payload::<Ended>::WORDS),
            "a lane for signals must hold at least twice {} words, those of the largest signal",
            Payload::<Ended>::WORDS
        );
        self.by_shard[shard] = Some(Exit {
            place: messages.place().unwrap_or(Place::NOWHERE),
            spilling: false,
            patience: 0,
            messages,
            signals,
            outbox: Queue::new(self.outbox_segments),
            signal_outbox: Queue::new(u32::MAX),
            published: false,
        });
    }

    #[inline(always)]
    fn to(&mut self, place: Place) -> Option<&mut Exit> {
        let exit = self.by_shard.get_mut(place.shard())?.as_mut()?;
        if exit.place == place || exit.is_now_at(place) { Some(exit) } else { None }
    }
}

impl Exits {
    pub(crate) fn leads_to(&mut self, place: Place) -> bool {
        self.to(place).is_some()
    }
}

impl Exit {
    /// The kernel at the other end may take its lane after it was connected here.
    #[cold]
    fn is_now_at(&mut self, place: Place) -> bool {
        self.place = self.messages.place().unwrap_or(Place::NOWHERE);
        self.place == place
    }

    /// Writes a record into the lane, or behind it into the outbox.
    #[inline(always)]
    fn put<T>(
        &mut self,
        memory: &mut Memory,
        batch: usize,
        to: Address,
        kind: Kind,
        value: T,
    ) -> Result<(), TellError<T>> {
        let words = Payload::<T>::WORDS;
        if !self.spilling
            && let Some(at) = self.messages.reserve(words)
        {
            // SAFETY: the words were reserved.
            unsafe { record::write(at, to, kind, value) };
            self.messages.commit(words);
            if self.messages.unpublished() >= batch {
                self.published |= self.messages.publish();
            }
            return Ok(());
        }
        self.spill(memory, to, kind, value)
    }

    /// A record that waits here has one more word than in the lane: how to drop its payload, for the day when the
    /// kernel is dropped before the lane has room. It travels along, and nobody looks at it at the other end.
    #[inline(never)]
    fn spill<T>(
        &mut self,
        memory: &mut Memory,
        to: Address,
        kind: Kind,
        value: T,
    ) -> Result<(), TellError<T>> {
        if !self.spilling {
            // What is in the lane makes no progress while it is not published.
            self.published |= self.messages.publish();
            (self.spilling, self.patience) = (true, LOOK_EVERY);
        } else {
            self.patience -= 1;
            if self.patience == 0 {
                self.unspill(memory);
            }
        }
        self.put_behind(memory, to, kind, value)
    }

    /// Writes a record into the outbox, or into the lane if nothing waits before it there.
    fn put_behind<T>(
        &mut self,
        memory: &mut Memory,
        to: Address,
        kind: Kind,
        value: T,
    ) -> Result<(), TellError<T>> {
        let words = Payload::<T>::WORDS + 1;
        if !self.messages.fits(words) {
            self.unspill(memory);
            return Err(TellError::TooLarge(value));
        }
        let mut room = if self.spilling { self.outbox.reserve(memory, words) } else { None };
        if room.is_none() {
            if self.unspill(memory)
                && let Some(at) = self.messages.reserve(Payload::<T>::WORDS)
            {
                // SAFETY: the words were reserved.
                unsafe { record::write(at, to, kind, value) };
                self.messages.commit(Payload::<T>::WORDS);
                return Ok(());
            }
            room = self.outbox.reserve(memory, words);
            self.spilling |= room.is_some();
        }
        let Some(at) = room else { return Err(TellError::Full(value)) };
        // SAFETY: the words were reserved; the record's own count includes the last one.
        unsafe {
            record::write(at, to, kind, value);
            record::set_words(at, words);
            at.add(words - 1).cast::<unsafe fn(*const u64)>().write(Payload::<T>::drop_in);
        }
        self.outbox.commit(words);
        Ok(())
    }

    /// Moves what spilled into the lane as far as it has room, and publishes it. Says whether nothing is left.
    #[inline(never)]
    fn unspill(&mut self, memory: &mut Memory) -> bool {
        if self.messages.is_closed() {
            // Nobody takes what lies in the lane; what stays here is dropped when the turn's end finds out.
            self.patience = LOOK_EVERY;
            return false;
        }
        drain(&mut self.outbox, &mut self.messages, memory);
        self.published |= self.messages.publish();
        (self.spilling, self.patience) = (!self.outbox.is_empty(), LOOK_EVERY);
        !self.spilling
    }

    /// Moves what spilled into the lanes as far as they have room, and publishes both.
    #[inline(always)]
    fn flush(&mut self, memory: &mut Memory) {
        if !self.signal_outbox.is_empty() {
            drain(&mut self.signal_outbox, &mut self.signals, memory);
        }
        self.published |= self.signals.publish();
        if self.spilling {
            self.unspill(memory);
        }
        self.published |= self.messages.publish();
    }
}

fn drain(from: &mut Queue, to: &mut LaneSender, memory: &mut Memory) {
    while let Some(record) = from.peek(memory) {
        // SAFETY: the queue holds whole records; the reserved room takes all its words; popping gives the payload up.
        unsafe {
            let words = Head::words_at(record);
            let Some(at) = to.reserve(words) else { return };
            core::ptr::copy_nonoverlapping(record, at, words);
            to.commit(words);
            from.pop(memory);
        }
    }
}

impl Kernel {
    /// Tells an actor that lives elsewhere.
    #[inline(always)]
    pub(crate) fn send_away<M: Send + 'static>(
        &mut self,
        to: Address,
        message: M,
    ) -> Result<(), TellError<M>> {
        let batch = self.exits.batch_words;
        match self.exits.to(to.place) {
            Some(exit) => exit.put(&mut self.memory, batch, to, Kind::Message, message),
            None => Err(TellError::Unreachable(message)),
        }
    }

    /// Runs a closure on another shard of the realm, in order with what is told to that shard's actors.
    pub(crate) fn call_away<F>(&mut self, shard: usize, call: F) -> Result<(), TellError<F>>
    where
        F: FnOnce(&mut Scope<'_>) + Send + 'static,
    {
        let to = Address { identity: CallType::of::<F>().word(), index: 0, place: Place::NOWHERE };
        let batch = self.exits.batch_words;
        match self.exits.by_shard.get_mut(shard) {
            Some(Some(exit)) => exit.put(&mut self.memory, batch, to, Kind::Call, call),
            _ => Err(TellError::Unreachable(call)),
        }
    }

    /// Sends a signal to an actor's shard; only an exhausted region refuses it, and gives it back.
    pub(crate) fn signal_away<T>(&mut self, to: Address, kind: Kind, value: T) -> Result<(), T> {
        let words = Payload::<T>::WORDS;
        let Some(exit) = self.exits.to(to.place) else { return Ok(()) };
        if exit.signal_outbox.is_empty()
            && let Some(at) = exit.signals.reserve(words)
        {
            // SAFETY: the words were reserved.
            unsafe { record::write(at, to, kind, value) };
            exit.signals.commit(words);
            return Ok(());
        }
        let Some(at) = exit.signal_outbox.reserve(&mut self.memory, words) else { return Err(value) };
        // SAFETY: the words were reserved.
        unsafe { record::write(at, to, kind, value) };
        exit.signal_outbox.commit(words);
        Ok(())
    }

    /// Publishes what was told to other shards, after moving along what spilled. Part of every turn; also for drivers
    /// that tell from outside a turn.
    pub fn flush(&mut self) {
        for shard in 0..self.exits.by_shard.len() {
            let Some(exit) = &mut self.exits.by_shard[shard] else { continue };
            if exit.messages.is_closed() {
                self.lose_exit(shard);
            } else {
                exit.flush(&mut self.memory);
            }
        }
    }

    /// The kernel at the other end is gone: what waits for it is dropped, and no way leads there from now on.
    #[cold]
    fn lose_exit(&mut self, shard: usize) {
        // A panicking drop is nobody's failure.
        (self.running, self.stage) = (NONE, Stage::Foreign);
        self.drop_spilled_to(shard);
        self.stage = Stage::Handler;
        self.exits.by_shard[shard] = None;
    }

    /// Calls `wake` with each shard to which something was published since the last call.
    #[inline]
    pub fn published(&mut self, mut wake: impl FnMut(usize)) {
        for (shard, exit) in self.exits.by_shard.iter_mut().enumerate() {
            if let Some(exit) = exit
                && core::mem::take(&mut exit.published)
            {
                wake(shard);
            }
        }
    }

    /// Whether anything told to other shards waits behind a full lane.
    pub fn spilled(&self) -> bool {
        self.exits
            .by_shard
            .iter()
            .flatten()
            .any(|exit| !exit.outbox.is_empty() || !exit.signal_outbox.is_empty())
    }

    /// Whether every other shard's kernel has bound its lanes, so that addresses there can be told.
    pub fn is_connected(&mut self) -> bool {
        let own = self.place.shard();
        self.exits.by_shard.iter_mut().enumerate().all(|(shard, exit)| match exit {
            Some(exit) => exit.messages.place().is_some() && exit.signals.place().is_some(),
            None => shard == own,
        })
    }

    /// Drops what still waits for other shards, when the kernel is dropped.
    pub(crate) fn drop_spilled(&mut self) {
        for shard in 0..self.exits.by_shard.len() {
            self.drop_spilled_to(shard);
        }
    }

    fn drop_spilled_to(&mut self, shard: usize) {
        while let Some(Some(exit)) = self.exits.by_shard.get_mut(shard)
            && let Some(record) = exit.outbox.pop(&mut self.memory)
        {
            // SAFETY: a whole record that `spill` wrote; its payload is dropped once, here, as its last word says.
            unsafe {
                let last = record.add(Head::words_at(record) - 1);
                let drop = last.cast::<unsafe fn(*const u64)>().read();
                self.letters.count_one(DeadReason::Unreachable);
                drop(record.add(RECORD_HEAD));
            }
        }
    }
}
