//! An actor's timers: keyed messages, once or periodic; alarms; the receive time-out; the deadline of an ask that found
//! no row (see `deadline`).
//!
//! A timer is one record that stands in the wheel and in its owner's list. What it is to tell stays in it until its
//! turn to be handled has come, so that one that is cancelled, replaced, or whose owner stops never fires, also if it
//! was due already. One of the modules where `unsafe` is allowed: it takes records and calls behaviours.

#![allow(unsafe_code)]

use core::mem::MaybeUninit;
use core::time::Duration;

use crate::address::Gate;
use crate::error::OutOfMemory;
use crate::kernel::{Kernel, Stage};
use crate::limits::{RECORD_HEAD, RECORD_MAX};
use crate::parcel;
use crate::pool::Handle;
use crate::record::{Head, Kind, Payload};
use crate::region::NONE;
use crate::side::ReceiveTimeout;
use crate::time::Time;
use crate::wheel::{self, Place, Spot, Timed};

/// Names a timer or an alarm among its actor's: a number, or a text where that reads better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerKey {
    /// A number.
    Number(u64),
    /// A text.
    Name(&'static str),
}

impl From<u64> for TimerKey {
    fn from(number: u64) -> TimerKey {
        TimerKey::Number(number)
    }
}

impl From<&'static str> for TimerKey {
    fn from(name: &'static str) -> TimerKey {
        TimerKey::Name(name)
    }
}

/// What runs a hook of the actor and tells it no message.
#[derive(Clone, Copy)]
pub(crate) enum Alarm {
    /// The actor's own, by its key.
    Keyed(TimerKey),
    /// The time of a state machine's state may be up.
    State,
}

#[derive(Clone, Copy)]
pub(crate) enum Duty {
    /// Tell the message in the parcel.
    Tell { key: TimerKey, parcel: u32 },
    /// Tell a clone of the message in the parcel, and again after a period of ticks.
    Repeat { key: TimerKey, parcel: u32, period: u64, clone: unsafe fn(*const u64, *mut u64) },
    /// Run the hook.
    Alarm(Alarm),
    /// The ask whose reply cell this is has no answer.
    Ask { cell: u32 },
    /// No message for some time.
    Silence,
    /// The owner's restart has waited long enough.
    Restart,
}

impl Duty {
    /// The key by which its actor knows it.
    fn key(&self) -> Option<TimerKey> {
        match *self {
            Duty::Tell { key, .. } | Duty::Repeat { key, .. } | Duty::Alarm(Alarm::Keyed(key)) => Some(key),
            Duty::Alarm(Alarm::State) | Duty::Ask { .. } | Duty::Silence | Duty::Restart => None,
        }
    }

    /// The parcel of what it tells, or [`NONE`].
    fn parcel(&self) -> u32 {
        match *self {
            Duty::Tell { parcel, .. } | Duty::Repeat { parcel, .. } => parcel,
            Duty::Alarm(_) | Duty::Ask { .. } | Duty::Silence | Duty::Restart => NONE,
        }
    }
}

pub(crate) struct Timer {
    place: Place<Timer>,
    owner: u32,
    serial: u32,
    owner_next: Handle<Timer>,
    owner_prev: Handle<Timer>,
    duty: Duty,
}

impl Timed for Timer {
    fn place(&mut self) -> &mut Place<Timer> {
        &mut self.place
    }
}

impl Kernel {
    /// Sets a timer for a cell at a time.
    pub(crate) fn add_timer(
        &mut self,
        owner: u32,
        at: Time,
        duty: Duty,
    ) -> Result<Handle<Timer>, OutOfMemory> {
        self.wheel.prepare(&mut self.memory).ok_or(OutOfMemory)?;
        let side = self.need_side(owner)?;
        self.serial = self.serial.wrapping_add(1);
        let first = self.sides.get(side).timers;
        let timer = Timer {
            place: Place::out(),
            owner,
            serial: self.serial,
            owner_next: first,
            owner_prev: Handle::NONE,
            duty,
        };
        let timer = self.timers.insert(&mut self.memory, timer).map_err(|_| OutOfMemory)?;
        if first.is_some() {
            self.timers.get_mut(first).owner_prev = timer;
        }
        self.sides.get_mut(side).timers = timer;
        self.wheel.insert(&mut self.timers, timer, wheel::tick_at_or_after(at));
        Ok(timer)
    }

    /// Takes a timer out of the wheel and its owner's list. What it was to do is the caller's.
    pub(crate) fn remove_timer(&mut self, timer: Handle<Timer>) -> Duty {
        self.wheel.remove(&mut self.timers, timer);
        let Timer { owner, owner_next: next, owner_prev: prev, duty, .. } = self.timers.remove(timer);
        if next.is_some() {
            self.timers.get_mut(next).owner_prev = prev;
        }
        if prev.is_some() {
            self.timers.get_mut(prev).owner_next = next;
        } else if let Some(side) = self.side_of(owner) {
            self.sides.get_mut(side).timers = next;
        }
        duty
    }

    /// Cancels every timer of a cell: its own and its receive time-out; and its asks.
    pub(crate) fn cancel_all_timers(&mut self, cell: u32) {
        // Those with a timer take it along.
        self.drop_all_asks(cell);
        let Some(side) = self.side_of(cell) else { return };
        self.sides.get_mut(side).receive_timeout = None;
        while self.sides.get(side).timers.is_some() {
            let first = self.sides.get(side).timers;
            match self.remove_timer(first) {
                Duty::Tell { parcel, .. } | Duty::Repeat { parcel, .. } => self.drop_own_parcel(cell, parcel),
                Duty::Alarm(_) | Duty::Ask { .. } | Duty::Silence | Duty::Restart => {}
            }
        }
    }

    fn find_timer(&self, cell: u32, key: TimerKey) -> Option<Handle<Timer>> {
        self.find_duty(cell, |duty| duty.key() == Some(key))
    }

    fn find_duty(&self, cell: u32, is_it: impl Fn(&Duty) -> bool) -> Option<Handle<Timer>> {
        let mut at = self.sides.get(self.side_of(cell)?).timers;
        while at.is_some() {
            let timer = self.timers.get(at);
            if is_it(&timer.duty) {
                return Some(at);
            }
            at = timer.owner_next;
        }
        None
    }

    pub(crate) fn has_timer(&self, cell: u32, key: TimerKey) -> bool {
        self.find_timer(cell, key).is_some()
    }

    /// Cancels the timer of a key. Says whether there was one.
    pub(crate) fn cancel_key(&mut self, cell: u32, key: TimerKey) -> bool {
        let Some(timer) = self.find_timer(cell, key) else { return false };
        let parcel = self.remove_timer(timer).parcel();
        self.drop_own_parcel(cell, parcel);
        true
    }

    /// Sets a keyed timer that tells once; one of the same key is replaced.
    pub(crate) fn tell_after<M>(
        &mut self,
        cell: u32,
        key: TimerKey,
        after: Duration,
        message: M,
    ) -> Result<(), OutOfMemory> {
        let to = self.address_of(cell);
        let parcel = parcel::wrap(&mut self.memory, to, Kind::Message, message).map_err(|_| OutOfMemory)?;
        self.add_keyed(cell, key, after, Duty::Tell { key, parcel })
    }

    /// Sets a keyed timer that tells again and again; one of the same key is replaced.
    pub(crate) fn tell_every<M: Clone>(
        &mut self,
        cell: u32,
        key: TimerKey,
        first: Duration,
        period: Duration,
        message: M,
    ) -> Result<(), OutOfMemory> {
        let to = self.address_of(cell);
        let parcel = parcel::wrap(&mut self.memory, to, Kind::Message, message).map_err(|_| OutOfMemory)?;
        let period = wheel::ticks_of(period).max(1);
        let duty = Duty::Repeat { key, parcel, period, clone: Payload::<M>::clone_to };
        self.add_keyed(cell, key, first, duty)
    }

    /// Sets an alarm; a timer or an alarm of the same key is replaced.
    pub(crate) fn set_alarm(&mut self, cell: u32, key: TimerKey, after: Duration) -> Result<(), OutOfMemory> {
        self.add_keyed(cell, key, after, Duty::Alarm(Alarm::Keyed(key)))
    }

    /// Sets when a state machine is to look whether its state's time is up. Replaces what was set.
    pub(crate) fn set_state_alarm(&mut self, cell: u32, at: Time) -> Result<(), OutOfMemory> {
        let old = self.find_duty(cell, |duty| matches!(duty, Duty::Alarm(Alarm::State)));
        self.add_timer(cell, at, Duty::Alarm(Alarm::State))?;
        if let Some(old) = old {
            self.remove_timer(old);
        }
        Ok(())
    }

    fn add_keyed(
        &mut self,
        cell: u32,
        key: TimerKey,
        after: Duration,
        duty: Duty,
    ) -> Result<(), OutOfMemory> {
        let old = self.find_timer(cell, key);
        match self.add_timer(cell, self.now + after, duty) {
            Ok(_) => {
                if let Some(old) = old {
                    let parcel = self.remove_timer(old).parcel();
                    self.drop_own_parcel(cell, parcel);
                }
                Ok(())
            }
            Err(OutOfMemory) => {
                self.drop_own_parcel(cell, duty.parcel());
                Err(OutOfMemory)
            }
        }
    }

    /// Sets or (`None`) switches off the time of silence after which `receive_timeout` runs.
    pub(crate) fn set_silence(&mut self, cell: u32, after: Option<Duration>) -> Result<(), OutOfMemory> {
        let side = self.need_side(cell)?;
        let timer = match after {
            Some(after) => Some(self.add_timer(cell, self.now + after, Duty::Silence)?),
            None => None,
        };
        let last = self.now;
        let timeout = after.zip(timer).map(|(after, timer)| ReceiveTimeout { after, last, timer });
        if let Some(old) = core::mem::replace(&mut self.sides.get_mut(side).receive_timeout, timeout) {
            self.remove_timer(old.timer);
        }
        if matches!(self.memory.header(cell).identity.get().gate(), Gate::Ready | Gate::Duty) {
            self.open_gate(cell);
        }
        Ok(())
    }

    /// Fires what is due, within the turn's budget.
    pub(crate) fn run_timers(&mut self) -> u32 {
        self.wheel.advance(&mut self.timers, self.now);
        let mut fired = 0;
        while fired < self.config.budget
            && let Some(timer) = self.wheel.pop_due(&mut self.timers)
        {
            fired += 1;
            self.come_due(timer);
            if self.pressing {
                self.run_pressing();
            }
        }
        fired
    }

    fn come_due(&mut self, timer: Handle<Timer>) {
        let Timer { owner, serial, duty, .. } = *self.timers.get(timer);
        let gate = self.memory.header(owner).identity.get().gate();
        let waits = matches!(gate, Gate::Suspended | Gate::Backlog | Gate::Starting);
        if waits && !matches!(duty, Duty::Ask { .. } | Duty::Restart) {
            // It stays a timer, and takes its place among what waits.
            let to = self.address_of(owner);
            let due = (timer.number(), serial);
            match parcel::wrap(&mut self.memory, to, Kind::TimerDue, due) {
                Ok(parcel) => self.chain_to_backlog(owner, parcel),
                // No room to wait in order: look again at the next tick.
                Err(_) => self.rearm(timer, 1),
            }
            return;
        }
        self.fire(owner, timer);
    }

    fn rearm(&mut self, timer: Handle<Timer>, ticks: u64) {
        let deadline = wheel::tick_at_or_after(self.now).saturating_add(ticks);
        self.wheel.insert(&mut self.timers, timer, deadline);
    }

    /// A timer's turn has come among what waited at its owner.
    pub(crate) fn fire_waiting(&mut self, owner: u32, number: u32, serial: u32) {
        let timer = Handle::from_number(number);
        if !self.timers.holds(timer) {
            return;
        }
        let known = self.timers.get_mut(timer);
        if known.serial == serial && known.owner == owner && known.place.spot == Spot::Out {
            self.fire(owner, timer);
        }
    }

    fn fire(&mut self, owner: u32, timer: Handle<Timer>) {
        match self.timers.get(timer).duty {
            Duty::Tell { parcel, .. } => {
                self.remove_timer(timer);
                self.deliver_parcel_now(owner, parcel);
            }
            Duty::Repeat { parcel, period, clone, .. } => {
                // Missed periods are skipped, and the beat is kept.
                let last = self.timers.get(timer).place.deadline;
                let now = self.now.as_nanos() >> wheel::TICK_SHIFT;
                let missed = now.saturating_sub(last) / period;
                let next = last.saturating_add((missed + 1).saturating_mul(period));
                self.wheel.insert(&mut self.timers, timer, next);
                self.deliver_clone(owner, parcel, clone);
            }
            Duty::Alarm(alarm) => {
                self.remove_timer(timer);
                self.ring_alarm(owner, alarm);
            }
            Duty::Ask { cell } => self.expire_ask(cell),
            Duty::Silence => self.end_silence(owner, timer),
            Duty::Restart => {
                self.remove_timer(timer);
                self.restart_in_time(owner);
            }
        }
    }

    fn deliver_clone(&mut self, owner: u32, parcel: u32, clone: unsafe fn(*const u64, *mut u64)) {
        let mut room = MaybeUninit::<[u64; RECORD_MAX]>::uninit();
        let payload = room.as_mut_ptr().cast::<u64>();
        let from = parcel::record(&self.memory, parcel);
        self.set_running(owner);
        // SAFETY: the parcel holds a record of the type that `clone` clones; the room is that of the largest record.
        // The clone is moved out by the handler, or dropped as a dead letter.
        unsafe {
            let head = Head::read(from);
            clone(from.add(RECORD_HEAD), payload);
            match self.memory.header(owner).identity.get().gate() {
                Gate::Stopping | Gate::Dead | Gate::Free => {
                    self.drop_message(head, payload, crate::letters::DeadReason::NoActor);
                }
                _ => {
                    self.handled += 1;
                    self.do_duties(head, payload);
                    self.receive_now(owner, payload);
                }
            }
        }
    }

    fn ring_alarm(&mut self, owner: u32, alarm: Alarm) {
        let header = self.memory.header(owner);
        // A stop that found no room has not cancelled the timers yet.
        if matches!(header.identity.get().gate(), Gate::Stopping | Gate::Dead | Gate::Free) {
            return;
        }
        if let Some(behavior) = header.behavior.get() {
            self.enter(owner, Stage::Hook);
            // SAFETY: the owner may run now, and none of its code does.
            let outcome = unsafe { (behavior.alarm)(self, owner, alarm) };
            self.stage = Stage::Handler;
            if let Err(failure) = outcome {
                self.fail(owner, failure);
            }
        }
    }

    fn end_silence(&mut self, owner: u32, timer: Handle<Timer>) {
        let now = self.now;
        let Some(side) = self.side_of(owner) else { return };
        let Some(timeout) = &mut self.sides.get_mut(side).receive_timeout else { return };
        let due = timeout.last + timeout.after;
        let silent = due <= now;
        if silent {
            timeout.last = now;
        }
        let next = timeout.last + timeout.after;
        let deadline = wheel::tick_at_or_after(next).max((now.as_nanos() >> wheel::TICK_SHIFT) + 1);
        self.wheel.insert(&mut self.timers, timer, deadline);
        if silent && let Some(behavior) = self.memory.header(owner).behavior.get() {
            self.enter(owner, Stage::Hook);
            // SAFETY: the owner may run now, and none of its code does.
            let outcome = unsafe { (behavior.receive_timeout)(self, owner) };
            self.stage = Stage::Handler;
            if let Err(failure) = outcome {
                self.fail(owner, failure);
            }
        }
    }
}
