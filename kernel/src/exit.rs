//! An exit: the one way out of a kernel to one other shard of its realm.
//!
//! Two lanes lead there: one for messages, one for signals. A message is written into its shard's [`Batch`], which is
//! moved into the lane and published when it is full, and at the end of each turn; only the first after a flush goes
//! straight into the lane. While the lane is full, messages spill in order into an outbox of bounded size, and when that
//! is full as well, telling is refused: lane, batch, outbox is the order in which messages wait, and each is added to
//! only while what follows it is empty. Signals spill into an outbox of their own that only the region bounds, so that
//! no flood of messages can take their room.
//!
//! One of the modules where `unsafe` is allowed: it writes records into reserved room.

#![allow(unsafe_code)]

use crate::address::{Address, Place};
use crate::batch::{Batch, DropIn};
use crate::error::TellError;
use crate::lane::LaneSender;
use crate::limits::{RECORD_HEAD, RECORD_MAX};
use crate::queue::Queue;
use crate::record::{self, Head, Kind, Payload};
use crate::region::Memory;
use crate::watch::Ended;

/// Words of the last signal of all.
const FAREWELL: usize = Payload::<Place>::WORDS;

/// Words that stay free in a lane for signals, so that there is room for that one, also behind a pad.
const FAREWELL_ROOM: usize = 2 * FAREWELL - 1;

/// Messages that spill between two looks at whether the lane has room again.
const LOOK_EVERY: u32 = 32;

pub(crate) struct Exit {
    /// The kernel at the other end.
    pub(crate) place: Place,
    /// The lane can hold any message. Otherwise each is looked at, as what a batch has taken must go there.
    batches: bool,
    /// Messages wait in the outbox: what is told now goes behind them.
    spilling: bool,
    /// Messages to spill before the lane is looked at again.
    patience: u32,
    messages: LaneSender,
    signals: LaneSender,
    outbox: Queue,
    signal_outbox: Queue,
    /// Something was published since the last flush.
    pub(crate) published: bool,
    /// On the list of those that the driver is to wake.
    pub(crate) wakes: bool,
}

impl Exit {
    /// The way out over these two lanes. At most `outbox_segments` segments of messages wait behind a full lane.
    ///
    /// # Panics
    /// If the lane for signals could never hold the largest.
    pub(crate) fn new(mut messages: LaneSender, signals: LaneSender, outbox_segments: u32) -> Exit {
        assert!(
            signals.fits(Payload::<Ended>::WORDS + FAREWELL_ROOM.div_ceil(2)),
            "a lane for signals must hold at least twice {} words, those of the largest signal",
            Payload::<Ended>::WORDS
        );
        Exit {
            place: messages.place().unwrap_or(Place::NOWHERE),
            batches: messages.fits(RECORD_MAX),
            spilling: false,
            patience: 0,
            messages,
            signals,
            outbox: Queue::new(outbox_segments),
            signal_outbox: Queue::new(u32::MAX),
            published: false,
            wakes: false,
        }
    }

    /// The kernel at the other end has taken its lanes, and lives.
    pub(crate) fn is_connected(&mut self) -> bool {
        !self.is_closed() && self.messages.place().is_some() && self.signals.place().is_some()
    }

    /// The kernel at the other end is gone.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.messages.is_closed()
    }

    /// Opens the batch if messages may be told through it now, and shuts it otherwise.
    #[inline]
    pub(crate) fn set_door(&self, batch: &mut Batch) {
        if self.spilling || !self.batches {
            batch.shut();
        } else {
            batch.open_for(self.place);
        }
    }

    /// Writes a message that nothing waits before straight into the lane, and publishes it; or gives it back.
    #[inline]
    pub(crate) fn write_first<M>(&mut self, to: Address, message: M) -> Result<(), M> {
        if self.place != to.place || !self.batches || self.spilling || self.is_closed() {
            return Err(message);
        }
        let Some(at) = self.messages.reserve(Payload::<M>::WORDS) else { return Err(message) };
        // SAFETY: the words were reserved.
        unsafe { record::write(at, to, Kind::Message, message) };
        self.messages.commit(Payload::<M>::WORDS);
        self.published |= self.messages.publish();
        Ok(())
    }

    /// Writes a signal into its lane, or behind it; only an exhausted region refuses it, and gives it back.
    pub(crate) fn signal<T>(
        &mut self,
        memory: &mut Memory,
        to: Address,
        kind: Kind,
        value: T,
    ) -> Result<(), T> {
        let words = Payload::<T>::WORDS;
        if self.signal_outbox.is_empty()
            && let Some(at) = self.signals.reserve_leaving(words, FAREWELL_ROOM)
        {
            // SAFETY: the words were reserved.
            unsafe { record::write(at, to, kind, value) };
            self.signals.commit(words);
            return Ok(());
        }
        let Some(at) = self.signal_outbox.reserve(memory, words) else { return Err(value) };
        // SAFETY: the words were reserved.
        unsafe { record::write(at, to, kind, value) };
        self.signal_outbox.commit(words);
        Ok(())
    }

    /// Tells the kernel at the other end that the one at `place`, this one, is gone: the last of all signals. Those that
    /// found no room before are not told any more.
    pub(crate) fn say_farewell(mut self, place: Place) {
        if let Some(at) = self.signals.reserve(FAREWELL) {
            // SAFETY: the words were reserved.
            unsafe { record::write(at, Address::NOBODY, Kind::Farewell, place) };
            self.signals.commit(FAREWELL);
        } else {
            debug_assert!(self.is_closed(), "room for it is always left");
        }
        self.signals.publish();
    }

    /// Moves what the lane has room for there, before it goes.
    pub(crate) fn move_last(&mut self, batch: &mut Batch) {
        if !self.is_closed() {
            batch.move_into(&mut self.messages);
        }
    }

    /// Takes off the message that has waited longest in the outbox: its payload, and how to drop it.
    pub(crate) fn pop_spilled(&mut self, memory: &mut Memory) -> Option<(*const u64, DropIn)> {
        let record = self.outbox.pop(memory)?;
        // SAFETY: a whole record that `put_behind` wrote, with how to drop its payload as its last word.
        unsafe {
            let last = record.add(Head::words_at(record) - 1);
            Some((record.add(RECORD_HEAD), last.cast::<DropIn>().read()))
        }
    }

    /// The kernel at the other end may take its lane after it was connected here.
    #[cold]
    pub(crate) fn is_now_at(&mut self, place: Place) -> bool {
        self.place = self.messages.place().unwrap_or(Place::NOWHERE);
        self.place == place
    }

    /// Writes a record into the lane, behind the batch, or behind both into the outbox.
    pub(crate) fn put<T>(
        &mut self,
        memory: &mut Memory,
        batch: &mut Batch,
        to: Address,
        kind: Kind,
        value: T,
    ) -> Result<(), TellError<T>> {
        if self.spilling {
            self.patience -= 1;
            if self.patience == 0 {
                self.unspill(memory, batch);
            }
            return self.put_behind(memory, batch, to, kind, value);
        }
        let moved = batch.move_into(&mut self.messages);
        self.published |= self.messages.publish();
        if moved && let Some(at) = self.messages.reserve(Payload::<T>::WORDS) {
            // SAFETY: the words were reserved.
            unsafe { record::write(at, to, kind, value) };
            self.messages.commit(Payload::<T>::WORDS);
            return Ok(());
        }
        (self.spilling, self.patience) = (true, LOOK_EVERY);
        self.put_behind(memory, batch, to, kind, value)
    }

    /// Writes a record into the outbox, or into the lane if nothing waits before it there.
    ///
    /// A record that waits here has one more word than in the lane: how to drop its payload, for the day when the
    /// kernel is dropped before the lane has room. It travels along, and nobody looks at it at the other end.
    fn put_behind<T>(
        &mut self,
        memory: &mut Memory,
        batch: &mut Batch,
        to: Address,
        kind: Kind,
        value: T,
    ) -> Result<(), TellError<T>> {
        let words = Payload::<T>::WORDS + 1;
        if !self.messages.fits(words) {
            self.unspill(memory, batch);
            return Err(TellError::TooLarge(value));
        }
        let mut room = if self.spilling { self.outbox.reserve(memory, words) } else { None };
        if room.is_none() {
            if self.unspill(memory, batch)
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
            at.add(words - 1).cast::<DropIn>().write(Payload::<T>::drop_in);
        }
        self.outbox.commit(words);
        Ok(())
    }

    /// Moves what waits into the lane as far as it has room, and publishes it. Says whether nothing is left.
    #[inline(never)]
    fn unspill(&mut self, memory: &mut Memory, batch: &mut Batch) -> bool {
        self.patience = LOOK_EVERY;
        if self.messages.is_closed() {
            // Nobody takes what lies in the lane; what stays here is dropped when a flush finds out.
            return false;
        }
        if batch.move_into(&mut self.messages) {
            drain(&mut self.outbox, &mut self.messages, memory, LaneSender::reserve);
            self.spilling = !self.outbox.is_empty();
        }
        self.published |= self.messages.publish();
        !self.spilling
    }

    /// Moves what waits into the lanes as far as they have room, and publishes both. Says whether something waits still.
    #[inline(always)]
    pub(crate) fn flush(&mut self, memory: &mut Memory, batch: &mut Batch) -> bool {
        if !self.signal_outbox.is_empty() {
            drain(&mut self.signal_outbox, &mut self.signals, memory, |lane, words| {
                lane.reserve_leaving(words, FAREWELL_ROOM)
            });
        }
        self.published |= self.signals.publish();
        if self.spilling {
            if self.unspill(memory, batch) {
                self.set_door(batch);
            }
        } else {
            if !batch.move_into(&mut self.messages) {
                (self.spilling, self.patience) = (true, LOOK_EVERY);
                batch.shut();
            }
            self.published |= self.messages.publish();
        }
        self.spilling || !self.signal_outbox.is_empty()
    }
}

fn drain(
    from: &mut Queue,
    to: &mut LaneSender,
    memory: &mut Memory,
    reserve: impl Fn(&mut LaneSender, usize) -> Option<*mut u64>,
) {
    while let Some(record) = from.peek(memory) {
        // SAFETY: the queue holds whole records; the reserved room takes all its words; popping gives the payload up.
        unsafe {
            let words = Head::words_at(record);
            let Some(at) = reserve(to, words) else { return };
            core::ptr::copy_nonoverlapping(record, at, words);
            to.commit(words);
            from.pop(memory);
        }
    }
}
