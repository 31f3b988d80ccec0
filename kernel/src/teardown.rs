//! The end of a kernel: everything that is still in it is dropped, exactly once. One of the modules where `unsafe` is
//! allowed: it takes records off queues and lanes.

#![allow(unsafe_code)]

use crate::address::Group;
use crate::kernel::Kernel;
use crate::letters::DeadReason;
use crate::limits::RECORD_HEAD;
#[cfg(feature = "alloc")]
use crate::record::MessageType;
use crate::record::{CallType, Head, Kind};
use crate::region::NONE;

/// Drops the payload of a record that its kernel never took, by that kernel's message types.
///
/// # Safety
/// The record is whole, was told to that kernel, and its payload is given up to this call.
#[cfg(feature = "alloc")]
pub(crate) unsafe fn drop_by_type(record: *const u64, types: &[&'static MessageType]) {
    // SAFETY: the caller's. A message's identity is one that the kernel gave, and so is the protocol in it.
    unsafe {
        let head = Head::read(record);
        let payload = record.add(RECORD_HEAD);
        match head.kind {
            Kind::Message | Kind::Counted => {
                let number = head.identity.protocol() as usize;
                if let Some(message) = number.checked_sub(1).and_then(|at| types.get(at)) {
                    (message.drop)(payload);
                }
            }
            Kind::Call => (CallType::from_word(head.identity).drop)(payload),
            // Signals hold nothing that needs dropping.
            _ => {}
        }
    }
}

impl Kernel {
    /// Drops a record that will not be delivered.
    ///
    /// # Safety
    /// The record is whole, and its payload is given up to this call.
    unsafe fn drop_record(&mut self, record: *const u64) {
        // SAFETY: the caller's.
        unsafe {
            let head = Head::read(record);
            let payload = record.add(RECORD_HEAD);
            match head.kind {
                Kind::Message | Kind::Counted if head.index != NONE => {
                    self.drop_message(head, payload, DeadReason::NoActor);
                }
                Kind::Call => (CallType::from_word(head.identity).drop)(payload),
                // Signals hold nothing that needs dropping.
                _ => {}
            }
        }
    }

    /// Refuses what comes over lanes from now on, and drops what has come. What is published meanwhile stays in the lane;
    /// so each lane is left what it takes to drop that, when the other end has let go of it as well.
    pub(crate) fn close_inlets(&mut self) {
        // A panic may have come between taking a record and noting it.
        self.inlets.settle();
        #[cfg(feature = "alloc")]
        let mut types = None;
        for at in 0..self.inlets.messages.len() {
            #[cfg(feature = "alloc")]
            self.inlets.messages[at].bequeath(self.protocols.messages(), &mut types);
            self.inlets.messages[at].close();
            while let Some(record) = self.inlets.messages[at].peek() {
                // SAFETY: a whole record, taken once.
                unsafe {
                    self.inlets.messages[at].take(Head::words_at(record));
                    self.drop_record(record);
                }
            }
            self.inlets.messages[at].release();
        }
    }
}

impl Kernel {
    /// Drops what there is, each thing marked or taken off its place before: after a panic it can be called again.
    fn drop_what_is_left(&mut self) {
        self.drop_all();
        for group in Group::ROUND {
            while let Some(record) = self.queues[group as usize].pop(&mut self.memory) {
                // SAFETY: a whole record, taken once.
                unsafe { self.drop_record(record) };
            }
        }
        self.close_inlets();
        self.drop_spilled();
        self.say_farewell();
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        /// Drops the rest when something's drop panics.
        struct Rest<'k>(&'k mut Kernel);
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.0.drop_what_is_left();
            }
        }
        let rest = Rest(self);
        rest.0.drop_what_is_left();
        core::mem::forget(rest);
    }
}
