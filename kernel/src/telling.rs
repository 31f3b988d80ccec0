//! Telling: how a message gets onto its way.
//!
//! The common cases (an actor here whose queue has room, or one elsewhere whose shard's batch has) are inlined where a
//! message is told; all others are one call away.
//!
//! A message is written once, in one place of the code, to wherever there is room for it, or to a scratch record if there
//! is none. So the compiler builds it where it goes. Were it handed from one attempt to the next, it would be built on the
//! stack and copied from there, and a copy that spans stores which have not left the core yet waits for them: for longer
//! than all the rest of telling takes. One of the modules where `unsafe` is allowed: it writes records into reserved room.

#![allow(unsafe_code)]

use core::any::{TypeId, type_name};
use core::mem::MaybeUninit;

use crate::address::{ActorRef, Address};
use crate::erased::AnyMessage;
use crate::error::TellError;
use crate::kernel::Kernel;
use crate::letters::DeadReason;
use crate::limits::RECORD_HEAD;
use crate::record::{self, Kind, Payload};

/// Bytes of the largest message that is written to a scratch record.
const SCRATCH_MAX: usize = 64;

/// Where a message that has no room elsewhere is written: as large as its record.
#[repr(C)]
struct Scratch<M> {
    head: [u64; RECORD_HEAD],
    payload: MaybeUninit<M>,
}

/// Whether a message for which there is no room is handed on as it is. One of a word travels in a register. For a large
/// one, a scratch record would take as much of the stack again, to spare it one wait for many stores.
const fn is_handed_on<M>() -> bool {
    size_of::<M>() <= size_of::<usize>() || size_of::<M>() > SCRATCH_MAX
}

/// Where a message goes.
enum Room {
    Queue(*mut u64),
    Batch(*mut u64),
    None,
}

impl Kernel {
    /// Tells; what is refused is buried.
    #[inline(always)]
    pub(crate) fn dispatch_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        let mut scratch = MaybeUninit::<Scratch<M>>::uninit();
        let scratch = scratch.as_mut_ptr().cast::<u64>();
        let at = self.room_in_queue::<M>(to.address());
        if at.is_none() && is_handed_on::<M>() {
            return self.tell_slowly(to, message);
        }
        // SAFETY: the room, or the scratch record, holds the message; from there it is taken once.
        unsafe {
            record::write(at.unwrap_or(scratch), to.address(), Kind::Message, message);
            if at.is_some() {
                self.queues[to.address().identity.group()].commit(Payload::<M>::WORDS);
            } else {
                self.tell_slowly(to, Payload::<M>::take(scratch.add(RECORD_HEAD)));
            }
        }
    }

    #[inline(never)]
    fn tell_slowly<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        if let Err(refused) = self.send_slowly(to, message) {
            self.bury(to, refused);
        }
    }

    /// Sends, or gives the message back.
    #[inline(always)]
    pub(crate) fn send<M: Send + 'static>(
        &mut self,
        to: ActorRef<M>,
        message: M,
    ) -> Result<(), TellError<M>> {
        let mut scratch = MaybeUninit::<Scratch<M>>::uninit();
        let scratch = scratch.as_mut_ptr().cast::<u64>();
        let room = self.room::<M>(to.address());
        let at = match room {
            Room::Queue(at) | Room::Batch(at) => at,
            Room::None if is_handed_on::<M>() => return self.send_slowly(to, message),
            Room::None => scratch,
        };
        // SAFETY: the room, or the scratch record, holds the message; from there it is taken once.
        unsafe {
            record::write(at, to.address(), Kind::Message, message);
            match room {
                Room::Queue(_) => self.queues[to.address().identity.group()].commit(Payload::<M>::WORDS),
                Room::Batch(_) => self.exits.commit(to.address(), Payload::<M>::WORDS),
                Room::None => return self.send_slowly(to, Payload::<M>::take(scratch.add(RECORD_HEAD))),
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn room<M>(&mut self, to: Address) -> Room {
        if to.is_simply_at(self.place) {
            self.room_in_queue::<M>(to).map_or(Room::None, Room::Queue)
        } else {
            self.exits.room_for::<M>(to).map_or(Room::None, Room::Batch)
        }
    }

    /// Room for a message to an actor of this kernel that no bound counts, in the segment that its group's queue writes.
    #[inline(always)]
    fn room_in_queue<M>(&mut self, to: Address) -> Option<*mut u64> {
        if !to.is_simply_at(self.place) {
            return None;
        }
        self.queues[to.identity.group()].reserve_here(Payload::<M>::WORDS)
    }

    #[inline(never)]
    fn send_slowly<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        let address = to.address();
        if address.place != self.place {
            if self.is_beyond_place(address.place) {
                return match self.offer_up(address, AnyMessage::of(&message)) {
                    Ok(()) => Ok(()),
                    Err(refusal) => Err(refusal.of(message)),
                };
            }
            return match self.exits.write(address, message) {
                Ok(()) => Ok(()),
                Err(message) => self.send_away(address, message),
            };
        }
        if !address.identity.bounded() {
            return self.enqueue(address, Kind::Message, message).map_err(TellError::Full);
        }
        if !self.take_credit(address) {
            return Err(TellError::MailboxFull(message));
        }
        self.enqueue(address, Kind::Counted, message).map_err(|message| {
            self.give_credit(address);
            TellError::Full(message)
        })
    }

    /// Puts a message into its group's queue, or gives it back.
    pub(crate) fn enqueue<M>(&mut self, to: Address, kind: Kind, message: M) -> Result<(), M> {
        let words = Payload::<M>::WORDS;
        let queue = &mut self.queues[to.identity.group()];
        let Some(at) = queue.reserve(&mut self.memory, words) else { return Err(message) };
        // SAFETY: the words were reserved.
        unsafe { record::write(at, to, kind, message) };
        queue.commit(words);
        Ok(())
    }

    /// A refused tell becomes a dead letter.
    #[cold]
    #[inline(never)]
    pub(crate) fn bury<M: Send + 'static>(&mut self, to: ActorRef<M>, refused: TellError<M>) {
        let reason = match refused {
            TellError::Full(_) | TellError::TooLarge(_) => DeadReason::QueueFull,
            TellError::MailboxFull(_) => DeadReason::MailboxFull,
            TellError::Unreachable(_) => DeadReason::Unreachable,
            TellError::NoWireForm(_) => DeadReason::NoWireForm,
        };
        let letter = self.letter(to.address(), type_name::<M>(), reason);
        // Told of before it is dropped: the drop may panic, and must not cost the letter its count.
        self.publish_letter(letter, TypeId::of::<M>());
        drop(refused.into_inner());
    }
}
