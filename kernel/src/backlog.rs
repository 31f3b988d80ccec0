//! Messages that wait at their actor: behind a suspension, stashed, or behind others that wait.
//!
//! A suspended actor's gate sends its messages here, in order. When the last reason not to run is gone they are handled
//! a bounded number per turn, and what arrives meanwhile goes behind them, so that order is kept. Supervision, futures,
//! recovery all use this one mechanism. One of the modules where `unsafe` is allowed: it takes records.

#![allow(unsafe_code)]

use crate::address::{ActorRef, Address, Gate};
use crate::error::{OutOfMemory, StashError, TellError};
use crate::kernel::Kernel;
use crate::letters::DeadReason;
use crate::limits::RECORD_HEAD;
use crate::parcel;
use crate::pool::Handle;
use crate::record::{Head, Kind, Payload};
use crate::region::NONE;
use crate::side::{Chain, Side};

/// Cells whose backlog is being handled, in turn.
pub(crate) struct Ring {
    first: u32,
    last: u32,
}

impl Ring {
    pub(crate) const fn new() -> Ring {
        Ring { first: NONE, last: NONE }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.first != NONE
    }
}

impl Kernel {
    /// Adds a reason for an actor not to run: its messages wait. Its signals and hooks do not.
    pub(crate) fn suspend_cell(&mut self, cell: u32) -> Result<(), OutOfMemory> {
        let side = self.need_side(cell)?;
        self.sides.get_mut(side).suspensions += 1;
        let header = self.memory.header(cell);
        if matches!(header.identity.get().gate(), Gate::Ready | Gate::Duty | Gate::Backlog) {
            header.identity.set(header.identity.get().with_gate(Gate::Suspended));
        }
        Ok(())
    }

    /// Takes one reason away. With the last one gone, what waited is handled before what comes later.
    pub(crate) fn resume_cell(&mut self, cell: u32) {
        let Some(side) = self.side_of(cell) else { return };
        let side = self.sides.get_mut(side);
        side.suspensions = side.suspensions.saturating_sub(1);
        self.reopen(cell);
    }

    /// Resumes an actor with a message that comes before all that waits. Without room it is a dead letter.
    pub(crate) fn resume_first<M: Send + 'static>(&mut self, actor: ActorRef<M>, message: M) {
        let (to, cell) = (actor.address(), actor.address().index);
        match (self.need_side(cell), parcel::wrap(&mut self.memory, to, Kind::Message, message)) {
            (Ok(side), Ok(parcel)) => {
                let first = Chain { first: parcel, last: parcel };
                self.sides.get_mut(side).backlog.prepend(&self.memory, first);
            }
            (Err(_), Ok(parcel)) => self.drop_parcel(parcel, DeadReason::OutOfMemory),
            (_, Err(message)) => {
                let letter = self.letter(to, core::any::type_name::<M>(), DeadReason::OutOfMemory);
                self.publish_letter(letter, core::any::TypeId::of::<M>());
                drop(message);
            }
        }
        self.resume_cell(cell);
        if matches!(self.memory.header(cell).identity.get().gate(), Gate::Ready | Gate::Duty) {
            // It was not suspended: what waits now is to be handled all the same.
            self.open_gate(cell);
        }
    }

    /// Sets the gate of a cell as far as there are reasons for it to wait: its own, a restart, a decision that is awaited, or
    /// a hold above it.
    pub(crate) fn open_gate(&mut self, cell: u32) {
        let gate = match self.side_of(cell) {
            _ if self.is_held(cell) => Gate::Suspended,
            None => Gate::Ready,
            Some(handle) => {
                let side = self.sides.get(handle);
                if side.suspensions > 0 || side.ward.step.is_some() {
                    // What waits at one that is being restarted, or undecided, is handled by whoever comes of it.
                    Gate::Suspended
                } else if !side.backlog.is_empty() {
                    self.enter_ring(cell, handle);
                    Gate::Backlog
                } else if side.has_duties() {
                    Gate::Duty
                } else {
                    Gate::Ready
                }
            }
        };
        let header = self.memory.header(cell);
        header.identity.set(header.identity.get().with_gate(gate));
    }

    fn enter_ring(&mut self, cell: u32, side: Handle<Side>) {
        let side = self.sides.get_mut(side);
        if core::mem::replace(&mut side.in_ring, true) {
            return;
        }
        side.ring_next = NONE;
        if self.ring.last == NONE {
            self.ring.first = cell;
        } else if let Some(last) = self.side_of(self.ring.last) {
            self.sides.get_mut(last).ring_next = cell;
        }
        self.ring.last = cell;
    }

    /// Takes a cell that ends out of the ring.
    pub(crate) fn leave_ring(&mut self, cell: u32) {
        let Some(side) = self.side_of(cell) else { return };
        if !core::mem::replace(&mut self.sides.get_mut(side).in_ring, false) {
            return;
        }
        let next = self.sides.get(side).ring_next;
        let mut before = NONE;
        let mut at = self.ring.first;
        while at != cell && at != NONE {
            before = at;
            at = self.side_of(at).map_or(NONE, |side| self.sides.get(side).ring_next);
        }
        if before == NONE {
            self.ring.first = next;
        } else if let Some(side) = self.side_of(before) {
            self.sides.get_mut(side).ring_next = next;
        }
        if self.ring.last == cell {
            self.ring.last = before;
        }
    }

    /// Handles messages that waited, within the turn's budget, one cell after the other.
    pub(crate) fn run_ring(&mut self) -> u32 {
        let mut handled = 0;
        while self.ring.first != NONE && handled < self.config.budget {
            let cell = self.ring.first;
            let Some(side) = self.side_of(cell) else { break };
            let open = self.memory.header(cell).identity.get().gate() == Gate::Backlog;
            let parcel = if open { self.sides.get_mut(side).backlog.pop(&self.memory) } else { None };
            let Some(parcel) = parcel else {
                self.leave_ring(cell);
                if open {
                    self.open_gate(cell);
                }
                continue;
            };
            handled += 1;
            self.retire_with(cell, parcel);
            self.handle_waiting(cell, parcel);
            if self.pressing {
                self.run_pressing();
            }
        }
        handled
    }

    fn handle_waiting(&mut self, cell: u32, parcel: u32) {
        let head = parcel::head(&self.memory, parcel);
        let record = parcel::unwrap(&mut self.memory, parcel);
        // SAFETY: the payload follows the head.
        let payload = unsafe { record.add(RECORD_HEAD) };
        if head.kind == Kind::TimerDue {
            // SAFETY: the payload of this kind is a timer's number and serial.
            let (number, serial) = unsafe { Payload::<(u32, u32)>::take(payload) };
            self.fire_waiting(cell, number, serial);
            return;
        }
        self.do_duties(head, payload);
        self.handled += 1;
        // SAFETY: the message waited for this cell, whose gate lets it run.
        unsafe { self.receive_now(cell, payload) };
    }

    /// A record for an actor that cannot run now.
    ///
    /// # Safety
    /// `record` is a whole record, given up to this call.
    pub(crate) unsafe fn append_to_backlog(&mut self, head: Head, record: *const u64) {
        // SAFETY: the payload follows the head.
        let payload = unsafe { record.add(RECORD_HEAD) };
        // It was taken once already, and will be counted when its turn comes.
        self.unhandled += 1;
        let Ok(side) = self.need_side(head.index) else {
            return self.drop_message(head, payload, DeadReason::OutOfMemory);
        };
        let counted = head.kind == Kind::Counted;
        // What came over a lane was not counted when it was told.
        let counts = head.kind == Kind::Message && self.sides.get(side).bound != 0;
        if counts && self.sides.get(side).waiting >= self.sides.get(side).bound {
            return self.drop_message(head, payload, DeadReason::MailboxFull);
        }
        // SAFETY: the caller's.
        let Some(parcel) = (unsafe { parcel::wrap_record(&mut self.memory, record) }) else {
            if counted {
                self.lower_count(head.index);
            }
            return self.drop_message(head, payload, DeadReason::OutOfMemory);
        };
        if counts {
            self.sides.get_mut(side).waiting += 1;
            parcel::mark_counted(&self.memory, parcel);
        }
        self.sides.get_mut(side).backlog.push(&self.memory, parcel);
    }

    pub(crate) fn chain_to_backlog(&mut self, cell: u32, parcel: u32) {
        match self.need_side(cell) {
            Ok(side) => self.sides.get_mut(side).backlog.push(&self.memory, parcel),
            Err(OutOfMemory) => self.drop_parcel(parcel, DeadReason::OutOfMemory),
        }
    }

    /// What a message of a cell with duties asks for before it is handled.
    pub(crate) fn do_duties(&mut self, head: Head, payload: *const u64) {
        let Some(side) = self.side_of(head.index) else { return };
        let now = self.now;
        let side = self.sides.get_mut(side);
        if head.kind == Kind::Counted {
            side.waiting = side.waiting.saturating_sub(1);
        }
        if let Some(timeout) = &mut side.receive_timeout {
            let behavior = self.memory.header(head.index).behavior.get();
            // The look at the message is its actor's code.
            self.memory.set_running(head.index);
            // SAFETY: the payload is a message of this cell's protocol, and stays where it is.
            if behavior.is_some_and(|behavior| unsafe { (behavior.influences)(payload) }) {
                timeout.last = now;
            }
        }
    }

    /// Room for one more message in a bounded mailbox of this kernel.
    pub(crate) fn take_credit(&mut self, to: Address) -> bool {
        if !self.is_alive(to) {
            // A dead letter soon, and no bound of anybody's.
            return true;
        }
        let Some(side) = self.side_of(to.index) else { return true };
        let side = self.sides.get_mut(side);
        if side.waiting >= side.bound {
            return false;
        }
        side.waiting += 1;
        true
    }

    /// Tells an actor of this kernel what it asked for itself: beyond its mailbox bound, which is there to keep others out.
    pub(crate) fn answer<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        let address = to.address();
        if !address.identity.bounded() || !self.is_alive(address) {
            return self.tell(to, message);
        }
        if let Some(side) = self.side_of(address.index) {
            self.sides.get_mut(side).waiting += 1;
        }
        if let Err(message) = self.enqueue(address, Kind::Counted, message) {
            self.give_credit(address);
            self.bury(to, TellError::Full(message));
        }
    }

    /// Gives an actor what it asked for itself past its queue: it handles it now, or it waits at the actor where that cannot
    /// run. It comes back where some actor's code runs, and where it is to wait and there is no room.
    pub(crate) fn give_now<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), M> {
        let (address, cell) = (to.address(), to.address().index);
        if self.running() != NONE {
            return Err(message);
        }
        if !self.is_actor(address) {
            let letter = self.letter(address, core::any::type_name::<M>(), DeadReason::NoActor);
            self.publish_letter(letter, core::any::TypeId::of::<M>());
            drop(message);
            return Ok(());
        }
        let gate = self.memory.header(cell).identity.get().gate();
        if matches!(gate, Gate::Suspended | Gate::Backlog | Gate::Starting)
            && (self.need_side(cell).is_err() || !parcel::has_room(&mut self.memory, Payload::<M>::WORDS))
        {
            return Err(message);
        }
        self.handled += 1;
        // SAFETY: an actor of this address takes messages of type `M`.
        unsafe { self.hand_over(cell, message, false) };
        self.set_running(NONE);
        if self.pressing {
            self.run_pressing();
            self.set_running(NONE);
        }
        Ok(())
    }

    /// Takes back what [`Kernel::take_credit`] took; of one that is gone that was nothing.
    pub(crate) fn give_credit(&mut self, to: Address) {
        if self.is_alive(to) {
            self.lower_count(to.index);
        }
    }

    /// One message less waits at a cell.
    fn lower_count(&mut self, cell: u32) {
        if let Some(side) = self.side_of(cell) {
            let side = self.sides.get_mut(side);
            side.waiting = side.waiting.saturating_sub(1);
        }
    }

    /// Next of what waits at an actor that ends.
    pub(crate) fn next_waiting(&mut self, side: Handle<Side>) -> Option<u32> {
        let side = self.sides.get_mut(side);
        side.backlog.pop(&self.memory).or_else(|| side.stash.pop(&self.memory))
    }

    // --- stash ---------------------------------------------------------------------------------------------------

    pub(crate) fn stash_message<M>(&mut self, cell: u32, message: M) -> Result<(), StashError<M>> {
        let Ok(side) = self.need_side(cell) else { return Err(StashError::OutOfMemory(message)) };
        if self.sides.get(side).stashed >= self.sides.get(side).stash_bound {
            return Err(StashError::Full(message));
        }
        let to = self.address_of(cell);
        let parcel =
            parcel::wrap(&mut self.memory, to, Kind::Message, message).map_err(StashError::OutOfMemory)?;
        let side = self.sides.get_mut(side);
        side.stash.push(&self.memory, parcel);
        side.stashed += 1;
        Ok(())
    }

    /// Puts the first `most` stashed messages before all others that wait. Gives how many.
    pub(crate) fn unstash_messages(&mut self, cell: u32, most: u32) -> u32 {
        let Some(handle) = self.side_of(cell) else { return 0 };
        let side = self.sides.get_mut(handle);
        let mut front = Chain::EMPTY;
        let mut count = 0;
        while count < most
            && let Some(parcel) = side.stash.pop(&self.memory)
        {
            front.push(&self.memory, parcel);
            count += 1;
        }
        side.stashed -= count;
        side.backlog.prepend(&self.memory, front);
        let gate = self.memory.header(cell).identity.get().gate();
        if count > 0 && matches!(gate, Gate::Ready | Gate::Duty) {
            self.open_gate(cell);
        }
        count
    }
}
