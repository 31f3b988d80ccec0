//! Memory that two processes map: a page of words that each writes for the other, and a ring of bytes for each direction. One of
//! the modules where `unsafe` is allowed.
//!
//! Who dials makes it, from a file without a name, and seals it: its size is what it is for ever, so no access can fall off its
//! end, and its pages are there before it is used. Who is dialed opens it by the number that the dialer's process has for it, and
//! takes nothing that is not sealed, of this size and made for this connection, and nothing twice.
//!
//! **What is read here may be anything.** The other process is run by the same user, but it may be broken, or write to a ring while
//! we read it. So positions are atomic, and checked by whoever uses them; and bytes are copied out once, and looked at only in the
//! copy.

#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use memmap2::{MmapOptions, MmapRaw};

use super::file;
use super::offer::Offer;

/// Bytes of each ring: so many that a sender is seldom held up, and so few that they stay in a core's own cache.
pub(crate) const RING: usize = 128 << 10;

/// Bytes before the first ring.
const FRONT: usize = 4096;

const BYTES: usize = FRONT + 2 * RING;

/// An end of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Who has made it.
    Dialer,
    /// Who has opened it.
    Dialed,
}

impl End {
    pub(super) fn other(self) -> End {
        match self {
            End::Dialer => End::Dialed,
            End::Dialed => End::Dialer,
        }
    }
}

/// A word on lines of the cache of its own: what is written often keeps no other word from being read.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct Alone<T>(pub(super) T);

/// What an end writes, and the other one reads. Positions count bytes since the beginning.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Words {
    /// Bytes that were sent from this end.
    pub(super) sent: Alone<AtomicU64>,
    /// Bytes that were received at this end.
    pub(super) received: Alone<AtomicU64>,
    pub(super) state: Alone<State>,
}

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct State {
    /// This end sleeps, and is to be rung for. Taken back by whoever rings.
    pub(super) asleep: AtomicU32,
    /// This end waits until there is room for what it sends.
    pub(super) wants_room: AtomicU32,
    /// Once no more is sent from this end through its ring: one more than the bells that were rung before. Zero until then.
    pub(super) ended: AtomicU64,
}

#[repr(C)]
struct Front {
    /// Of the [`Offer`].
    nonce: AtomicU64,
    ends: Alone<[Words; 2]>,
}

const _: () = assert!(size_of::<Front>() <= FRONT);

/// The files that this process has opened and not closed yet.
static OPENED: Mutex<BTreeSet<[u64; 2]>> = Mutex::new(BTreeSet::new());

/// That a file is opened here, and not once more until this is dropped: a peer might offer one over two connections.
#[derive(Debug)]
struct Claim([u64; 2]);

impl Claim {
    fn new(identity: [u64; 2]) -> io::Result<Claim> {
        match OPENED.lock().unwrap_or_else(PoisonError::into_inner).insert(identity) {
            true => Ok(Claim(identity)),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, "it is that of another connection")),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        OPENED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

#[derive(Debug)]
pub(super) struct Region {
    /// Dropped before the claim.
    map: MmapRaw,
    _claim: Option<Claim>,
}

impl Region {
    /// Makes one, and the file through which it can be opened for as long as that is kept, with its number.
    pub(super) fn make(nonce: u64) -> io::Result<(Region, File, u32)> {
        let (file, number) = file::make(BYTES as u64)?;
        let region = Region::map(&file, None)?;
        region.front().nonce.store(nonce, Ordering::Relaxed);
        Ok((region, file, number))
    }

    /// Opens one that a process has made, under the number that the process has here.
    pub(super) fn open(process: u32, offer: Offer) -> io::Result<Region> {
        let file = file::open(process, offer.descriptor, BYTES as u64)?;
        let region = Region::map(&file, Some(Claim::new(file::identity(&file)?)?))?;
        if region.front().nonce.load(Ordering::Relaxed) != offer.nonce {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is of another connection"));
        }
        Ok(region)
    }

    fn map(file: &File, claim: Option<Claim>) -> io::Result<Region> {
        let map = MmapOptions::new().len(BYTES).populate().map_raw(file)?;
        Ok(Region { map, _claim: claim })
    }

    #[cfg(test)]
    pub(super) fn base(&self) -> *const u8 {
        self.map.as_ptr()
    }

    /// What is in it, with words and rings.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        // SAFETY: the whole mapping is read, byte by byte, while nobody writes to it.
        (0..BYTES).map(|at| unsafe { self.map.as_ptr().add(at).read() })
    }

    fn front(&self) -> &Front {
        // SAFETY: the mapping is at least so long, begins at a page, and stays where it is for as long as `self` does; its file
        // is sealed, so no access falls off its end. All of the front is atomic, for which any bytes are valid, and neither process
        // accesses it in another way.
        unsafe { &*self.map.as_mut_ptr().cast() }
    }

    pub(super) fn words(&self, of: End) -> &Words {
        let [dialer, dialed] = &self.front().ends.0;
        match of {
            End::Dialer => dialer,
            End::Dialed => dialed,
        }
    }

    /// The ring through which this end sends.
    fn ring(&self, from: End) -> *mut u8 {
        let at = match from {
            End::Dialer => FRONT,
            End::Dialed => FRONT + RING,
        };
        // SAFETY: both rings lie in the mapping.
        unsafe { self.map.as_mut_ptr().add(at) }
    }

    /// Copies bytes into the ring of an end, from a position on.
    ///
    /// # Panics
    /// If they are more than a ring holds.
    #[inline]
    pub(super) fn put(&mut self, from: End, at: u64, bytes: &[u8]) {
        assert!(bytes.len() <= RING);
        let at = at as usize % RING;
        let (first, second) = bytes.split_at(bytes.len().min(RING - at));
        let ring = self.ring(from);
        // SAFETY: `first` ends at the end of the ring at the latest, and `second`, which begins at its beginning, is no longer than
        // the ring is. No reference leads there. In this process only this end writes to this ring (it was made here, or opened
        // here once), and only the other reads it, where the positions say that these bytes are not its; what another process
        // does there is no access of this one.
        unsafe {
            ptr::copy_nonoverlapping(first.as_ptr(), ring.add(at), first.len());
            ptr::copy_nonoverlapping(second.as_ptr(), ring, second.len());
        }
    }

    /// Copies bytes out of the ring of an end, from a position on.
    ///
    /// # Panics
    /// If they are more than a ring holds.
    #[inline]
    pub(super) fn get(&self, from: End, at: u64, into: &mut [u8]) {
        assert!(into.len() <= RING);
        let at = at as usize % RING;
        let (first, second) = into.split_at_mut(into.len().min(RING - at));
        let ring = self.ring(from);
        // SAFETY: as in `put`. The positions, which were read before, say that the other end is done with these bytes; if it is
        // another process and writes them all the same, what is copied is some mixture of bytes, and bytes may be anything.
        unsafe {
            ptr::copy_nonoverlapping(ring.add(at), first.as_mut_ptr(), first.len());
            ptr::copy_nonoverlapping(ring, second.as_mut_ptr(), second.len());
        }
    }
}
