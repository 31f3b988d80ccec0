//! The end of a lane that messages go into: records are reserved, written in place, committed and published.

#![allow(unsafe_code)]

use core::fmt;

use super::Ring;
use crate::address::{ActorRef, Address, Place};
use crate::error::TellError;
use crate::hints::prefetch_to_write;
use crate::record::{self, CallType, Carried, Kind, Payload};
use crate::scope::Scope;
use crate::sync::{Ordering, fence};

/// Words of a cache line.
const LINE_WORDS: usize = 8;

/// The end of a lane that messages go into. Whoever has it is its one producer: a shard, a thread, an interrupt handler.
pub struct LaneSender {
    ring: Ring,
    place: Place,
    #[cfg(feature = "alloc")]
    described: bool,
    write: usize,
    published: usize,
    /// The receiver's `head` when last looked at.
    head: usize,
}

// SAFETY: the sender's words are its own, and messages are `Send`.
unsafe impl Send for LaneSender {}

impl LaneSender {
    pub(super) fn new(ring: Ring, start: usize) -> LaneSender {
        LaneSender {
            ring,
            place: Place::NOWHERE,
            #[cfg(feature = "alloc")]
            described: false,
            write: start,
            published: start,
            head: start,
        }
    }

    /// Room for a record of `words`, or `None` while the lane is full. Write it whole, then [`LaneSender::commit`].
    #[inline(always)]
    pub(crate) fn reserve(&mut self, words: usize) -> Option<*mut u64> {
        let room = self.ring.capacity - (self.write & (self.ring.capacity - 1));
        let used = self.write.wrapping_sub(self.head);
        if words <= room && used + words <= self.ring.capacity {
            self.ring.touch(self.write, words, true);
            return Some(self.ring.at(self.write));
        }
        self.reserve_slowly(words, room)
    }

    #[inline(never)]
    fn reserve_slowly(&mut self, words: usize, room: usize) -> Option<*mut u64> {
        let needed = if words > room { room + words } else { words };
        if self.write.wrapping_sub(self.head) + needed > self.ring.capacity {
            self.head = self.ring.shared().head.load(Ordering::Acquire);
            if self.write.wrapping_sub(self.head) + needed > self.ring.capacity {
                return None;
            }
        }
        if words > room {
            self.ring.touch(self.write, room, true);
            // SAFETY: the `room` words up to the ring's end are ours.
            unsafe { record::write_pad(self.ring.at(self.write), room) };
            self.write = self.write.wrapping_add(room);
        }
        self.ring.touch(self.write, words, true);
        Some(self.ring.at(self.write))
    }

    /// As [`LaneSender::reserve`], but only where `spare` words more stay free behind the record.
    pub(crate) fn reserve_leaving(&mut self, words: usize, spare: usize) -> Option<*mut u64> {
        let room = self.ring.capacity - (self.write & (self.ring.capacity - 1));
        let needed = spare + if words > room { room + words } else { words };
        if self.write.wrapping_sub(self.head) + needed > self.ring.capacity {
            self.head = self.ring.shared().head.load(Ordering::Acquire);
            if self.write.wrapping_sub(self.head) + needed > self.ring.capacity {
                return None;
            }
        }
        self.reserve(words)
    }

    /// Where the next record goes, and how many of the wanted words are free there, up to the ring's end. Write whole
    /// records, then [`LaneSender::commit`] them.
    #[inline]
    pub(crate) fn room(&mut self, wanted: usize) -> (*mut u64, usize) {
        let wanted = wanted.min(self.ring.capacity - (self.write & (self.ring.capacity - 1)));
        if self.ring.capacity - self.write.wrapping_sub(self.head) < wanted {
            self.head = self.ring.shared().head.load(Ordering::Acquire);
        }
        let words = wanted.min(self.ring.capacity - self.write.wrapping_sub(self.head));
        self.ring.touch(self.write, words, true);
        (self.ring.at(self.write), words)
    }

    /// Asks for the `words` words that come after the next `skip`, which will be written before long; unless the
    /// receiver may still be reading there, who would only be robbed of them.
    #[inline]
    pub(crate) fn prefetch_ahead(&mut self, skip: usize, words: usize) {
        let end = self.write.wrapping_add(skip + words);
        if end.wrapping_sub(self.head) > self.ring.capacity {
            self.head = self.ring.shared().head.load(Ordering::Acquire);
            if end.wrapping_sub(self.head) > self.ring.capacity {
                return;
            }
        }
        for word in (0..words).step_by(LINE_WORDS) {
            prefetch_to_write(self.ring.at(self.write.wrapping_add(skip + word)).cast());
        }
    }

    /// Makes the record that was written at the reserved place part of the lane; invisible until published.
    #[inline(always)]
    pub(crate) fn commit(&mut self, words: usize) {
        self.write = self.write.wrapping_add(words);
    }

    /// Whether an empty lane has room for a record of `words`, wherever its cursor stands.
    #[inline(always)]
    pub(crate) fn fits(&self, words: usize) -> bool {
        words * 2 <= self.ring.capacity
    }

    /// Makes everything told so far visible to the receiver. Says whether there was anything.
    #[inline(always)]
    pub fn publish(&mut self) -> bool {
        if self.write == self.published {
            return false;
        }
        self.ring.shared().tail.store(self.write, Ordering::Release);
        self.published = self.write;
        true
    }

    /// Whether the receiver is gone: nothing told now will be handled.
    pub fn is_closed(&self) -> bool {
        self.ring.shared().closed.load(Ordering::Acquire)
    }

    /// Asked after publishing: whether what was published may never be looked at, because the receiver went meanwhile.
    /// `false` says that the receiver takes it, or drops it when it goes. Costs a fence.
    pub fn is_refused(&self) -> bool {
        fence(Ordering::SeqCst);
        self.is_closed()
    }

    /// The kernel at the other end, once it has taken the lane.
    #[inline(always)]
    pub fn place(&mut self) -> Option<Place> {
        if self.place == Place::NOWHERE {
            self.place = Place(self.ring.shared().place.load(Ordering::Acquire));
        }
        (self.place != Place::NOWHERE).then_some(self.place)
    }

    /// Writes a record that ends with how to drop its payload, for the day when both ends are gone and it still lies
    /// here: a thread may tell while the receiving kernel ends. Nobody else looks at that word.
    fn put<T>(&mut self, to: Address, kind: Kind, value: T) -> Result<(), TellError<T>> {
        let words = Payload::<T>::WORDS + 1;
        if !self.fits(words) {
            return Err(TellError::TooLarge(value));
        }
        let Some(at) = self.reserve(words) else { return Err(TellError::Full(value)) };
        // SAFETY: the words were reserved; the record's own count includes the last one.
        unsafe {
            record::write(at, to, kind, value);
            record::set_words(at, words);
            at.add(words - 1).cast::<unsafe fn(*const u64)>().write(Payload::<T>::drop_in);
        }
        self.commit(words);
        Ok(())
    }

    /// Says that all records of this lane are written by [`LaneSender::put`], once, before the first.
    fn describe(&mut self) {
        #[cfg(feature = "alloc")]
        if !self.described
            && let Some(heap) = &self.ring._heap
        {
            self.described = true;
            heap.described.store(true, Ordering::Relaxed);
        }
    }

    /// Tells an actor of the receiving kernel. The message is visible to it after the next [`LaneSender::publish`].
    ///
    /// # Errors
    /// The message comes back: `Full` while the lane is, `Unreachable` if the actor does not live on the receiving
    /// kernel or that is gone, `TooLarge` if a lane of this size can never hold it.
    #[inline]
    pub fn try_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        if self.place() != Some(to.place()) || self.is_closed() {
            return Err(TellError::Unreachable(message));
        }
        self.describe();
        self.put(to.address(), Kind::Message, message)
    }

    /// Has the receiving kernel tell an actor of another realm, by its uplink. In order with what else is told over this lane.
    /// What the uplink then refuses is a dead letter of that kernel.
    ///
    /// # Errors
    /// The message comes back: `Full` while the lane is, `Unreachable` if the receiving kernel is gone, `TooLarge` if a lane
    /// of this size can never hold it.
    pub fn try_tell_beyond<M: Send + 'static>(
        &mut self,
        to: ActorRef<M>,
        message: M,
    ) -> Result<(), TellError<M>> {
        if self.is_closed() {
            return Err(TellError::Unreachable(message));
        }
        self.describe();
        let call = CallType::beyond::<M>();
        let address = Address { identity: call.word(), index: 0, place: Place::NOWHERE };
        self.put(address, Kind::Call, Carried { to, message }).map_err(|refused| match refused {
            TellError::TooLarge(carried) => TellError::TooLarge(carried.message),
            TellError::Full(carried) => TellError::Full(carried.message),
            other => TellError::Unreachable(other.into_inner().message),
        })
    }

    /// Sends a closure that the receiving kernel runs in its turn, before or after messages just as it was sent.
    ///
    /// # Errors
    /// The closure comes back, for the reasons of [`LaneSender::try_tell`].
    pub fn try_call<F: FnOnce(&mut Scope<'_>) + Send + 'static>(
        &mut self,
        call: F,
    ) -> Result<(), TellError<F>> {
        if self.is_closed() {
            return Err(TellError::Unreachable(call));
        }
        self.describe();
        let to = Address { identity: CallType::of::<F>().word(), index: 0, place: Place::NOWHERE };
        self.put(to, Kind::Call, call)
    }
}

impl Drop for LaneSender {
    /// What was told is published: nothing accepted is forgotten.
    fn drop(&mut self) {
        self.publish();
    }
}

impl fmt::Debug for LaneSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaneSender({} words to {:?})", self.ring.capacity, self.place)
    }
}
