//! The turn: signals, lanes, queues, timers, each within a budget, and the delivery of one message.
//!
//! Delivery is one compare: a record carries its target's identity exactly as the cell stores it, so equality proves
//! that the target lives, speaks the message's protocol and is ready. Everything else misses and is sorted out in
//! [`Kernel::deliver_slow`]. One of the modules where `unsafe` is allowed.
//!
//! Whatever is read from a queue or lane is taken off it *before* user code runs, and the running cell is noted, so
//! that a driver that catches a panic finds the kernel whole and knows whose panic it was.

#![allow(unsafe_code)]

use crate::address::{Address, Gate, Group, Identity};
use crate::hints::{on_a_line, prefetch_cell};
use crate::inlet::Stretch;
use crate::kernel::{Kernel, Stage};
use crate::letters::DeadReason;
use crate::limits::{LOOK_STEP, NEAR_ACTORS, RECORD_HEAD};
use crate::record::{CallType, First, Head, Kind};
use crate::region::NONE;
use crate::time::Time;

/// What a turn did, and whether another has something to do at once; from [`Kernel::turn`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Messages, signals, calls and timers that were handled. Zero means that nothing moved.
    pub handled: u32,
    /// More is waiting already: another turn at once has something to do. What lies in lanes is not looked at for this:
    /// see [`Kernel::has_input`].
    pub more: bool,
}

impl Kernel {
    /// Says what time it is before anything is done between turns: from here on time-outs that are set count from it, and no longer
    /// from the last turn, which may have been long ago. Never goes back. The next [`Kernel::turn`] has a time of its own.
    ///
    /// ```
    /// # use core::{mem::MaybeUninit, time::Duration};
    /// # use corelane_kernel::{Kernel, KernelConfig, Region, Time};
    /// # let memory = Box::leak(Box::new([MaybeUninit::<u8>::uninit(); 64 * 1024]));
    /// let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
    /// let later = Time::ZERO + Duration::from_secs(1);
    /// kernel.turn(Time::ZERO);
    /// kernel.advance_to(later);
    /// kernel.advance_to(Time::ZERO);
    /// assert_eq!(kernel.scope().now(), later);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn advance_to(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// One turn at time `now`: signals, then lanes, queues, timers, and publishing what goes to other shards. Each step
    /// has its budget (see [`crate::KernelConfig`]). Time that runs backwards is taken for standing still.
    ///
    /// A panic of user code passes through; see [`Kernel::recover`].
    ///
    /// # Panics
    /// If called while a turn runs, that is from an actor's code.
    pub fn turn(&mut self, now: Time) -> Turn {
        assert!(self.running() == NONE, "a turn within a turn");
        self.advance_to(now);
        self.stage = Stage::Handler;
        self.restarts_left = self.config.budget;
        let mut handled = 0;
        if !self.late_restarts.is_empty() {
            self.take_up_late_restarts();
        }
        if self.bonds_wait {
            self.run_bonds();
        }
        if !self.deferred.is_empty() {
            handled += self.run_deferred();
        }
        handled += self.run_signal_lanes();
        if self.pressing {
            handled += self.run_pressing();
        }
        handled += self.run_lanes();
        // What was told so far is waited for on another core.
        self.flush();
        for group in Group::ROUND {
            if !self.queues[group as usize].is_empty() {
                handled += self.run_group(group as usize);
            }
        }
        self.flush();
        if self.has_small_duties() {
            handled += self.run_timers() + self.run_deadlines() + self.run_ring();
            self.set_running(NONE);
            if self.queue_waiters != 0 {
                self.run_retirements();
                self.run_mourning();
            }
            if self.pressing {
                handled += self.run_pressing();
            }
            self.flush();
        }
        self.set_running(NONE);
        let more = self.pressing
            || self.queues.iter().any(|queue| !queue.is_empty())
            || !self.deferred.is_empty()
            || !self.late_restarts.is_empty()
            || self.bonds_wait
            // Watchers that were told of an end in this turn may have ended over it, and are watched themselves.
            // Those who retire may be asked to stop in the next turn.
            || self.queue_waiters != 0
            || self.ring.is_busy()
            || self.wheel.is_due()
            || self.deadlines.may_be_due(self.now);
        Turn { handled, more }
    }

    /// Whether timers, waiting messages or the dead ask for anything.
    #[inline(always)]
    fn has_small_duties(&self) -> bool {
        self.pressing
            || self.queue_waiters != 0
            || self.ring.is_busy()
            || !self.timers.is_empty()
            || self.deadlines.may_be_due(self.now)
    }

    /// Handles one group's messages up to its share.
    #[inline(never)]
    fn run_group(&mut self, group: usize) -> u32 {
        let before = self.handled;
        let end = before + u64::from(self.config.shares[group]);
        'share: while self.handled < end {
            let memory = &self.memory;
            if self.actors > NEAR_ACTORS {
                self.queues[group].look_ahead(|cell| prefetch_cell(memory.at::<u8>(cell).as_ptr()));
            }
            for _ in 0..LOOK_STEP {
                let Some(record) = self.queues[group].pop(&mut self.memory) else { break 'share };
                self.handled += 1;
                // SAFETY: popped records are whole, their index is a cell of this kernel, and their payload is ours.
                unsafe { self.deliver(record) };
            }
        }
        on_a_line();
        (self.handled - before) as u32
    }

    /// Handles what lies in the lanes, straight out of their memory.
    fn run_lanes(&mut self) -> u32 {
        let before = self.handled;
        for lane in 0..self.inlets.messages.len() {
            let mut budget = self.config.budget;
            while budget > 0
                && let Some(stretch) = self.inlets.begin(lane)
            {
                // SAFETY: the stretch is of whole published records, which stay until the inlet is settled.
                let blocked = unsafe { self.run_stretch(&stretch, &mut budget) };
                self.inlets.settle();
                if blocked {
                    break;
                }
            }
        }
        (self.handled - before) as u32
    }

    /// Handles a stretch of records. Says whether it met one that must stay where it is.
    ///
    /// # Safety
    /// Each record that begins in the stretch is whole, stays readable, and is given up to this call.
    unsafe fn run_stretch(&mut self, stretch: &Stretch, budget: &mut u32) -> bool {
        let far = self.actors > NEAR_ACTORS;
        let mut at = stretch.start;
        while at < stretch.end && *budget > 0 {
            *budget -= 1;
            // SAFETY: whole records lie between `at` and the end; a pad, which may be a single word, has index zero.
            unsafe {
                let first = First::read(at);
                let next = at.add(first.words());
                if first.index() == NONE && first.is_pad() {
                    self.inlets.advance(next);
                    return false;
                }
                if may_wait(Head::identity_at(at)) && first.index() != NONE {
                    // Groups that may wait go to their queue, so that what comes behind them need not.
                    let group = Head::identity_at(at).group();
                    if self.queues[group].push_record(&mut self.memory, at) {
                        self.inlets.advance(next);
                    } else if self.queues[group].is_empty() {
                        // There is no room for it, and may never be: nothing is before it, so it runs at once.
                        self.inlets.advance(next);
                        self.handled += 1;
                        self.deliver(at);
                    } else {
                        return true;
                    }
                } else {
                    if far && next < stretch.end {
                        prefetch_cell(self.memory.at::<u8>(First::read(next).index()).as_ptr());
                    }
                    // Taken before it is delivered: a panic finds it gone.
                    self.inlets.advance(next);
                    self.handled += 1;
                    self.deliver(at);
                }
                at = next;
            }
        }
        false
    }

    fn run_signal_lanes(&mut self) -> u32 {
        let mut handled = 0;
        for at in 0..self.inlets.signals.len() {
            let mut budget = self.config.budget;
            while budget > 0 {
                let Some(record) = self.inlets.signals[at].peek() else { break };
                budget -= 1;
                handled += 1;
                // SAFETY: as for messages.
                unsafe {
                    self.inlets.signals[at].take(Head::words_at(record));
                    self.handle_signal(Head::read(record), record.add(RECORD_HEAD));
                }
                if self.pressing {
                    handled += self.run_pressing();
                }
            }
            self.inlets.signals[at].release();
        }
        handled
    }

    /// Handles every signal and notice that waits. They are as many as handlers and lanes have caused, and each lane
    /// and handler is bounded, so this ends.
    #[inline(never)]
    pub(crate) fn run_pressing(&mut self) -> u32 {
        let mut handled = 0;
        loop {
            if let Some(record) = self.signals.pop(&mut self.memory) {
                // SAFETY: a whole signal record.
                unsafe { self.handle_signal(Head::read(record), record.add(RECORD_HEAD)) };
            } else if !self.fail_next_marked() && !self.run_next_restart() && !self.tell_next_notice() {
                break;
            }
            handled += 1;
        }
        // A notice for another shard may have to wait for room.
        self.pressing = self.ties.have_notices();
        if self.marked_stops {
            self.find_marked_stops();
            self.pressing |= !self.restarts.is_empty();
        }
        handled
    }

    fn run_deferred(&mut self) -> u32 {
        let mut handled = 0;
        let end = self.deferred.pushed();
        while self.deferred.popped(&self.memory) < end {
            let Some(record) = self.deferred.pop(&mut self.memory) else { break };
            handled += 1;
            // SAFETY: a whole signal record.
            unsafe { self.handle_signal(Head::read(record), record.add(RECORD_HEAD)) };
            if self.pressing {
                handled += self.run_pressing();
            }
        }
        handled
    }

    /// Delivers one record.
    ///
    /// # Safety
    /// The record is whole; its index is zero or a cell of this kernel; its payload is given up to this call.
    #[inline(always)]
    unsafe fn deliver(&mut self, record: *const u64) {
        // SAFETY: the caller's.
        let (cell, identity) = unsafe { (First::read(record).index(), Head::identity_at(record)) };
        let header = self.memory.header(cell);
        if header.identity.get() == identity {
            // SAFETY: an address's identity is that of an occupied cell, which has a behaviour.
            let behavior = unsafe { header.behavior.get().unwrap_unchecked() };
            self.set_running(cell);
            // SAFETY: equal identities mean that the payload is of the type that this behaviour receives, and that
            // the cell's state is made and nobody uses it.
            unsafe { (behavior.receive)(self, cell, record.add(RECORD_HEAD)) };
        } else {
            // SAFETY: the caller's.
            unsafe { self.deliver_slow(record) };
        }
        if self.pressing {
            self.run_pressing();
        }
    }

    /// Delivers a record whose target is not simply ready.
    ///
    /// # Safety
    /// As for [`Kernel::deliver`].
    #[inline(never)]
    unsafe fn deliver_slow(&mut self, record: *const u64) {
        // SAFETY: the caller's.
        let (head, payload) = unsafe { (Head::read(record), record.add(RECORD_HEAD)) };
        match head.kind {
            Kind::Message | Kind::Counted if head.index != NONE => {
                let identity = self.memory.header(head.index).identity.get();
                let gate = identity.gate();
                if identity.with_gate(Gate::Ready) != head.identity {
                    self.unhandled += 1;
                    return self.drop_message(head, payload, DeadReason::NoActor);
                }
                match gate {
                    Gate::Ready | Gate::Duty => {
                        self.do_duties(head, payload);
                        // SAFETY: the identity is the target's, and its gate lets messages run.
                        unsafe { self.receive_now(head.index, payload) };
                    }
                    Gate::Suspended | Gate::Backlog | Gate::Starting => {
                        // SAFETY: a whole record, given up to the backlog.
                        unsafe { self.append_to_backlog(head, record) };
                    }
                    Gate::Stopping | Gate::Dead | Gate::Free => {
                        self.unhandled += 1;
                        self.drop_message(head, payload, DeadReason::NoActor);
                    }
                }
            }
            Kind::Call => {
                self.unhandled += 1;
                self.set_running(NONE);
                self.stage = Stage::Foreign;
                // SAFETY: a call's second word is its vtable, its payload the closure.
                unsafe { (CallType::from_word(head.identity).run)(self, payload) };
                self.stage = Stage::Handler;
            }
            // A message to nobody's address never gets here: nobody's place is no kernel's. Signals have their own
            // queues and lanes, and pads are skipped by the lane.
            _ => debug_assert!(false, "a record of kind {:?} among messages", head.kind),
        }
    }

    /// Runs a handler on the message in `payload`.
    ///
    /// # Safety
    /// The cell is an actor whose state is made and not in use, and the payload is of its message type.
    // Not in a turn: there it would move the loop that delivers, which has the same call, to a slower place.
    #[inline(never)]
    pub(crate) unsafe fn receive_now(&mut self, cell: u32, payload: *const u64) {
        self.set_running(cell);
        let behavior = self.memory.header(cell).behavior.get();
        debug_assert!(behavior.is_some());
        if let Some(behavior) = behavior {
            // SAFETY: the caller's.
            unsafe { (behavior.receive)(self, cell, payload) };
        }
    }

    /// A message nobody handles: counted, told of, dropped.
    #[cold]
    #[inline(never)]
    pub(crate) fn drop_message(&mut self, head: Head, payload: *const u64, reason: DeadReason) {
        let message = self.protocols.message(head.identity.protocol());
        let reason = match reason {
            DeadReason::NoActor if message.answer => DeadReason::LateAnswer,
            reason => reason,
        };
        let target = Address { identity: head.identity, index: head.index, place: self.place };
        let letter = self.letter(target, (message.name)(), reason);
        let (running, stage) = (self.running(), self.stage);
        if stage != Stage::DropWaiting {
            // Nobody's panic, unless what waited at an actor is dropped with it: then its end must go on.
            self.enter(NONE, Stage::Foreign);
        }
        // Dropped before it is told of: telling may use the room where the message lies.
        self.letters.count_one(reason);
        // SAFETY: the identity's protocol is the payload's type, and the payload was given up to this call.
        unsafe { (message.drop)(payload) };
        self.set_running(running);
        self.stage = stage;
        self.tell_of_letter(letter, message.id);
    }
}

/// Whether a message is for a group that may wait behind the others.
#[inline(always)]
const fn may_wait(identity: Identity) -> bool {
    identity.group() >= Group::Bulk as usize
}

const _: () = assert!((Group::Bulk as usize) == 2 && (Group::Background as usize) == 3);
