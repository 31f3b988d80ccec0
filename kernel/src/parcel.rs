//! Parcels: records that wait outside a queue, each in memory of its own: at a suspended actor, in a stash, in a timer,
//! in a watch. The first word links a parcel to the next of its chain and keeps its size. One of the modules where
//! `unsafe` is allowed.

#![allow(unsafe_code)]

use crate::address::{Address, Gate};
use crate::kernel::Kernel;
use crate::letters::DeadReason;
use crate::limits::RECORD_HEAD;
use crate::record::{self, Head, Kind, Payload};
use crate::region::{Memory, NONE};
use crate::side::Chain;

#[repr(C)]
struct Label {
    next: u32,
    words: u32,
}

/// Memory for a record of `words`, labelled; gives the parcel and where its record goes.
fn take(memory: &mut Memory, words: usize) -> Option<(u32, *mut u64)> {
    let parcel = memory.parcel((words + 1) * 8)?;
    let at = memory.at::<u64>(parcel).as_ptr();
    // SAFETY: the parcel has room for a word more than the record.
    unsafe {
        at.cast::<Label>().write(Label { next: NONE, words: words as u32 });
        Some((parcel, at.add(1)))
    }
}

/// A parcel that holds a message for `to`, or the message back when the region is used up.
pub(crate) fn wrap<M>(memory: &mut Memory, to: Address, kind: Kind, message: M) -> Result<u32, M> {
    let Some((parcel, at)) = take(memory, Payload::<M>::WORDS) else { return Err(message) };
    // SAFETY: room for the record.
    unsafe { record::write(at, to, kind, message) };
    Ok(parcel)
}

/// Whether there is room for a record of `words` now.
pub(crate) fn has_room(memory: &mut Memory, words: usize) -> bool {
    let bytes = (words + 1) * 8;
    let parcel = memory.parcel(bytes);
    if let Some(parcel) = parcel {
        memory.free_parcel(bytes, parcel);
    }
    parcel.is_some()
}

/// A parcel with a bitwise copy of a record.
///
/// # Safety
/// `from` is a whole record, whose payload the caller gives up if this succeeds.
pub(crate) unsafe fn wrap_record(memory: &mut Memory, from: *const u64) -> Option<u32> {
    // SAFETY: the caller's; the parcel has room.
    unsafe {
        let words = Head::words_at(from);
        let (parcel, at) = take(memory, words)?;
        core::ptr::copy_nonoverlapping(from, at, words);
        Some(parcel)
    }
}

/// The record in a parcel.
pub(crate) fn record(memory: &Memory, parcel: u32) -> *mut u64 {
    // SAFETY: a parcel's record follows its label.
    unsafe { memory.at::<u64>(parcel).as_ptr().add(1) }
}

/// The head of the record in a parcel.
pub(crate) fn head(memory: &Memory, parcel: u32) -> Head {
    // SAFETY: a parcel holds a whole record.
    unsafe { Head::read(record(memory, parcel)) }
}

/// Gives a parcel's memory back. Its record stays readable until the next parcel is taken.
pub(crate) fn unwrap(memory: &mut Memory, parcel: u32) -> *const u64 {
    // SAFETY: a parcel begins with its label.
    let words = unsafe { memory.at::<Label>(parcel).as_ref().words };
    let record = record(memory, parcel);
    memory.free_parcel((words as usize + 1) * 8, parcel);
    record
}

/// Marks the record in a parcel as counted by its actor's mailbox bound.
pub(crate) fn mark_counted(memory: &Memory, parcel: u32) {
    // SAFETY: a parcel holds a record.
    unsafe { record::set_kind(self::record(memory, parcel), Kind::Counted) };
}

impl Chain {
    pub(crate) fn push(&mut self, memory: &Memory, parcel: u32) {
        if self.last == NONE {
            self.first = parcel;
        } else {
            // SAFETY: a parcel begins with its label.
            unsafe { memory.at::<Label>(self.last).as_mut().next = parcel };
        }
        self.last = parcel;
    }

    pub(crate) fn pop(&mut self, memory: &Memory) -> Option<u32> {
        let parcel = self.first;
        if parcel == NONE {
            return None;
        }
        // SAFETY: a parcel begins with its label.
        unsafe {
            let label = memory.at::<Label>(parcel).as_mut();
            self.first = core::mem::replace(&mut label.next, NONE);
        }
        if self.first == NONE {
            self.last = NONE;
        }
        Some(parcel)
    }

    /// Puts all of `front` before what is here.
    pub(crate) fn prepend(&mut self, memory: &Memory, front: Chain) {
        if front.is_empty() {
            return;
        }
        // SAFETY: a parcel begins with its label.
        unsafe { memory.at::<Label>(front.last).as_mut().next = self.first };
        self.first = front.first;
        if self.last == NONE {
            self.last = front.last;
        }
    }
}

impl Kernel {
    /// Delivers the message in a parcel to a cell: now, or after what waits there, or to the dead letters.
    pub(crate) fn deliver_parcel(&mut self, cell: u32, parcel: u32) {
        match self.memory.header(cell).identity.get().gate() {
            Gate::Ready | Gate::Duty => self.receive_parcel(cell, parcel),
            Gate::Suspended | Gate::Backlog | Gate::Starting => self.chain_to_backlog(cell, parcel),
            Gate::Stopping | Gate::Dead | Gate::Free => self.drop_parcel(parcel, DeadReason::NoActor),
        }
    }

    /// Delivers a parcel whose turn has come to a cell that may run, even while others wait behind it.
    pub(crate) fn deliver_parcel_now(&mut self, cell: u32, parcel: u32) {
        if self.memory.header(cell).identity.get().gate() != Gate::Backlog {
            return self.deliver_parcel(cell, parcel);
        }
        self.receive_parcel(cell, parcel);
    }

    fn receive_parcel(&mut self, cell: u32, parcel: u32) {
        let head = head(&self.memory, parcel);
        let record = unwrap(&mut self.memory, parcel);
        self.handled += 1;
        // SAFETY: the parcel was wrapped for this cell; its payload is moved out before any parcel is taken.
        unsafe {
            let payload = record.add(RECORD_HEAD);
            self.do_duties(head, payload);
            self.receive_now(cell, payload);
        }
    }

    /// Drops a parcel; a message in it becomes a dead letter.
    pub(crate) fn drop_parcel(&mut self, parcel: u32, reason: DeadReason) {
        let head = head(&self.memory, parcel);
        let record = unwrap(&mut self.memory, parcel);
        if matches!(head.kind, Kind::Message | Kind::Counted) {
            // SAFETY: the payload follows the head, and is given up.
            self.drop_message(head, unsafe { record.add(RECORD_HEAD) }, reason);
        }
    }

    /// Drops a parcel that its own actor made and no longer wants; nobody is told. [`NONE`] is nothing.
    pub(crate) fn drop_own_parcel(&mut self, owner: u32, parcel: u32) {
        if parcel == NONE {
            return;
        }
        let head = head(&self.memory, parcel);
        let drop = self.protocols.message(head.identity.protocol()).drop;
        let record = unwrap(&mut self.memory, parcel);
        debug_assert_eq!(head.index, owner);
        // SAFETY: the parcel holds a message of its owner's protocol.
        unsafe { drop(record.add(RECORD_HEAD)) };
    }
}
