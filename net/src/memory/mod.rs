//! A stream of bytes through memory that two processes of one machine share: no system call, and no more than the way from one
//! core's cache to the other's. Beneath a link it stands in the place of the Unix socket over which it was agreed.
//!
//! - **Made** by who dials, who [offers](Memory::make) it as the first thing said over the socket. Who is dialed
//!   [opens](Memory::open) it and says so in one byte, or declines. From then on all bytes of both directions go through it.
//! - **Bells**: the socket stays, and says when the other process is gone. Besides it carries bells, bytes without a meaning, which
//!   wake a shard that sleeps: one before it sleeps says so in a word of the memory, and looks once more; whoever sends, or has
//!   made room that is waited for, looks at that word afterwards. In this order one of the two sees the other.
//! - **Ends**: who closes while the ring is full [ends](Memory::end) it at the byte to which it has come, and sends the rest over
//!   the socket. The words say how many bells were rung until then, and so where the rest begins. What was sent before a process
//!   died is read to its end.
//!
//! Nothing that the other process writes is believed: see [`region`].

mod file;
mod offer;
mod region;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::sync::atomic::{Ordering, fence};

pub(crate) use offer::{DECLINED, First, OFFER, Offer, TAKEN};
use region::{End, RING, Region, Words};

/// The other end has broken the rules: what it says of its positions cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// One end of a shared memory.
#[derive(Debug)]
pub(crate) struct Memory {
    region: Region,
    end: End,
    /// How the other end finds it.
    file: Option<File>,
    /// Positions of this end. Those in the memory are copies, for the other one.
    sent: u64,
    received: u64,
    /// How far the other end has received when that was last looked at.
    room_seen: u64,
    /// There was not room for all when something was sent last.
    wants_room: bool,
    bells: u64,
    bells_heard: u64,
    /// The other end has said what cannot be: nothing is sent any more, and who looks for input is told.
    broken: bool,
}

impl Memory {
    fn over(region: Region, end: End) -> Memory {
        Memory {
            region,
            end,
            file: None,
            sent: 0,
            received: 0,
            room_seen: 0,
            wants_room: false,
            bells: 0,
            bells_heard: 0,
            broken: false,
        }
    }

    /// Makes one that is to be offered, and what says so.
    pub(crate) fn make(nonce: u64) -> io::Result<(Memory, [u8; OFFER])> {
        let (region, file, descriptor) = Region::make(nonce)?;
        let memory = Memory { file: Some(file), ..Memory::over(region, End::Dialer) };
        Ok((memory, Offer { descriptor, nonce }.write()))
    }

    /// The offer was answered: nobody opens it any more.
    pub(crate) fn agreed(&mut self) {
        self.file = None;
    }

    /// Opens one that a process offers.
    pub(crate) fn open(process: u32, offer: Offer) -> io::Result<Memory> {
        Ok(Memory::over(Region::open(process, offer)?, End::Dialed))
    }

    fn mine(&self) -> &Words {
        self.region.words(self.end)
    }

    fn theirs(&self) -> &Words {
        self.region.words(self.end.other())
    }

    // ---- sending ----

    /// Bytes that there is room for, as the other end says.
    fn room(&self) -> Result<usize, Broken> {
        let received = self.theirs().received.0.load(Ordering::Acquire);
        if received < self.room_seen || received > self.sent {
            return Err(Broken);
        }
        Ok(RING - (self.sent - received) as usize)
    }

    /// Sends as many of these bytes as there is room for. Says how many, and whether a bell is to be rung. Where the other end
    /// has broken the rules it is as if all were sent: who reads hears of it.
    #[inline]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut room = RING - (self.sent - self.room_seen) as usize;
        if room < bytes.len() {
            match self.room() {
                Ok(now) => room = now,
                Err(Broken) => {
                    self.broken = true;
                    return (bytes.len(), false);
                }
            }
            self.room_seen = self.sent - (RING - room) as u64;
        }
        let taken = bytes.len().min(room);
        self.wants_room = taken < bytes.len();
        if taken == 0 {
            return (0, false);
        }
        self.region.put(self.end, self.sent, &bytes[..taken]);
        self.sent += taken as u64;
        self.mine().sent.0.store(self.sent, Ordering::Release);
        (taken, self.rouses())
    }

    /// Whether the other end sleeps, and this call is the one that wakes it. After something was written for it.
    #[inline]
    fn rouses(&self) -> bool {
        fence(Ordering::SeqCst);
        let asleep = &self.theirs().state.0.asleep;
        asleep.load(Ordering::Relaxed) != 0 && asleep.swap(0, Ordering::Relaxed) != 0
    }

    /// A bell was rung.
    pub(crate) fn rung(&mut self) {
        self.bells += 1;
    }

    /// Nothing more is sent through the memory: what follows goes over the socket, behind the bells that were rung.
    pub(crate) fn end(self) {
        // A bell that finds the socket closed would be a failure of it, in place of what is said there last.
        self.wakes();
        self.mine().state.0.ended.store(self.bells + 1, Ordering::Release);
    }

    // ---- receiving ----

    /// Bytes that have come, as the other end says.
    #[inline]
    fn waiting(&self) -> Result<usize, Broken> {
        let sent = self.theirs().sent.0.load(Ordering::Acquire);
        match sent.checked_sub(self.received) {
            Some(waiting) if waiting <= RING as u64 && !self.broken => Ok(waiting as usize),
            _ => Err(Broken),
        }
    }

    /// Bytes that have come; one where the other end has broken the rules, so that it is looked at.
    pub(crate) fn to_read(&self) -> usize {
        self.waiting().unwrap_or(1)
    }

    /// Takes what has come, as much as there is room for. Says how many bytes that was, and whether a bell is to be rung.
    ///
    /// # Errors
    /// [`Broken`]; nothing was taken.
    pub(crate) fn receive(&mut self, into: &mut [u8]) -> Result<(usize, bool), Broken> {
        let waiting = self.waiting().inspect_err(|_| self.broken = true)?;
        let taken = waiting.min(into.len());
        if taken == 0 {
            return Ok((0, false));
        }
        self.region.get(self.end.other(), self.received, &mut into[..taken]);
        self.received += taken as u64;
        self.mine().received.0.store(self.received, Ordering::Release);
        // Who waits for room does not wait for less than half of all.
        let has_room = waiting - taken <= RING / 2;
        Ok((taken, has_room && self.rouses_for_room()))
    }

    #[inline]
    fn rouses_for_room(&self) -> bool {
        fence(Ordering::SeqCst);
        self.theirs().state.0.wants_room.load(Ordering::Relaxed) != 0 && self.rouses()
    }

    /// So many bytes have come over the socket, and all that had been sent through the memory until then was received. Says how
    /// many of them are bells; what is behind these goes on with the stream.
    pub(crate) fn hear(&mut self, bytes: usize) -> usize {
        let bells = match self.theirs().state.0.ended.load(Ordering::Acquire) {
            0 => bytes,
            ended => {
                usize::try_from((ended - 1).saturating_sub(self.bells_heard)).unwrap_or(bytes).min(bytes)
            }
        };
        self.bells_heard += bells as u64;
        bells
    }

    // ---- waiting ----

    /// Whether there is room again that was waited for, or no telling: who sends then finds out what is wrong.
    pub(crate) fn has_room_again(&self) -> bool {
        self.wants_room && !self.room().is_ok_and(|room| room < RING / 2)
    }

    /// Whether something is to be done here. Whatever is wrong with the other end is, too.
    #[inline]
    pub(crate) fn has_input(&self) -> bool {
        self.to_read() > 0 || self.has_room_again()
    }

    /// This end is about to sleep, until a bell is rung. Says whether something has come before.
    pub(crate) fn sleeps(&self) -> bool {
        let state = &self.mine().state.0;
        state.wants_room.store(self.wants_room.into(), Ordering::Relaxed);
        state.asleep.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.has_input()
    }

    /// This end sleeps no more.
    pub(crate) fn wakes(&self) {
        self.mine().state.0.asleep.store(0, Ordering::Relaxed);
    }

    /// Bytes that were sent.
    #[cfg(test)]
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Says of this end what need not be so.
    #[cfg(test)]
    pub(crate) fn pretend(&self, sent: u64, received: u64) {
        self.mine().received.0.store(received, Ordering::Relaxed);
        self.mine().sent.0.store(sent, Ordering::Release);
    }
}
