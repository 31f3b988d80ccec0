//! The kernel's table of our descriptors: an operation on one that stands there need not look it up, hold it and let go of it.
//!
//! A socket's place is its slot. To put it there and to take it out are system calls, so that is done only for sockets that
//! are used for long: before the first operation after so many others. It is taken out when its last operation has ended,
//! and before its descriptor is closed: a table that still had it would keep the connection open. So a place is free before
//! its slot is, and whoever has the slot next finds nothing of the last.
//!
//! What has no place, since the table is too small or the kernel refused, is used by its number.

use std::os::fd::RawFd;

use io_uring::Submitter;

use crate::reactor::counters::Counters;

/// `IORING_REGISTER_FILES_UPDATE` of `linux/io_uring.h`.
pub(super) const UPDATE: u8 = 6;

/// Operations of a socket before it has a place: after about so many more, the two system calls have paid.
const AFTER: u8 = 32;

/// Nothing is there.
const NOTHING: RawFd = -1;

#[derive(Clone, Copy, Debug)]
enum Place {
    /// So many operations were begun on the socket of this slot.
    Free(u8),
    Held,
    /// The kernel did not want it.
    Refused,
}

#[derive(Debug)]
pub(super) struct Table {
    /// By the slots of sockets.
    places: Vec<Place>,
    after: u8,
}

impl Table {
    /// Has the kernel make a table of so many places; one without any if it refuses.
    pub(super) fn new(submitter: &Submitter<'_>, places: u32) -> Table {
        let mut table = Table { places: Vec::new(), after: AFTER };
        if places > 0 {
            match submitter.register_files_sparse(places) {
                Ok(()) => table.places.resize(places as usize, Place::Free(0)),
                Err(error) => tracing::warn!(%error, places, "descriptors are not registered with io_uring"),
            }
        }
        table
    }

    /// Has each socket be given its place before its first operation.
    #[cfg(test)]
    pub(super) fn hold_at_once(&mut self) {
        self.after = 0;
    }

    /// Whether a socket's descriptor has its place for the operation that is about to begin.
    #[inline]
    pub(super) fn holds(
        &mut self,
        submitter: &Submitter<'_>,
        slot: u32,
        descriptor: RawFd,
        counters: &mut Counters,
    ) -> bool {
        let Some(place) = self.places.get_mut(slot as usize) else { return false };
        match *place {
            Place::Held => return true,
            Place::Refused => {}
            Place::Free(begun) if begun < self.after => *place = Place::Free(begun + 1),
            Place::Free(_) => match submitter.register_files_update(slot, &[descriptor]) {
                Ok(_) => {
                    counters.registered += 1;
                    *place = Place::Held;
                    return true;
                }
                Err(error) => {
                    tracing::debug!(%error, slot, "a descriptor is not registered with io_uring");
                    *place = Place::Refused;
                }
            },
        }
        false
    }

    /// No operation of a socket is in flight, and its descriptor is about to be closed.
    pub(super) fn release(&mut self, submitter: &Submitter<'_>, slot: u32) {
        let Some(place) = self.places.get_mut(slot as usize) else { return };
        if let Place::Held = std::mem::replace(place, Place::Free(0))
            && let Err(error) = submitter.register_files_update(slot, &[NOTHING])
        {
            // To put nothing somewhere needs no memory, and the place is there.
            tracing::error!(%error, slot, "io_uring does not let go of a descriptor");
        }
    }
}

#[cfg(test)]
mod tests {
    use io_uring::IoUring;

    use super::*;

    #[test]
    fn what_the_kernel_refuses_is_used_by_its_number() {
        let Ok(ring) = IoUring::new(2) else {
            println!("SKIPPED: there is no io_uring here");
            return;
        };
        let mut counters = Counters::default();
        // More places than a process may have descriptors: the table itself.
        let mut table = Table::new(&ring.submitter(), u32::MAX);
        table.hold_at_once();
        assert!(!table.holds(&ring.submitter(), 0, 1, &mut counters));
        table.release(&ring.submitter(), 0);
        // A ring among a ring's descriptors would never be freed: one of them.
        let mut table = Table::new(&ring.submitter(), 2);
        table.hold_at_once();
        let own = std::os::fd::AsRawFd::as_raw_fd(&ring);
        for _ in 0..2 {
            assert!(!table.holds(&ring.submitter(), 0, own, &mut counters));
        }
        table.release(&ring.submitter(), 0);
        assert!(table.holds(&ring.submitter(), 0, 1, &mut counters));
        // And what has no place.
        assert!(!table.holds(&ring.submitter(), 2, 1, &mut counters));
        assert_eq!(counters.registered, 1);
    }
}
