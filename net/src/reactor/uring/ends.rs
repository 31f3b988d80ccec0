//! What the kernel's word about an entry says about its operation.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::FromRawFd;

use io_uring::cqueue;
use socket2::Socket;

use super::frame::datagram;
use super::{BELL, CANCEL, TICK, Uring};
use crate::reactor::backend::{Completion, Descriptor, Outcome};
use crate::reactor::slab::Key;
use crate::reactor::store::{Store, Work};

/// `IORING_NOTIF_USAGE_ZC_COPIED` of `linux/io_uring.h`.
const USAGE_COPIED: u32 = 1 << 31;

impl Uring {
    pub(super) fn translate(&mut self, entry: &cqueue::Entry, store: &mut Store) -> Option<Completion> {
        let (word, result, flags) = (entry.user_data(), entry.result(), entry.flags());
        match word {
            BELL => {
                self.bell_armed = false;
                self.rung = true;
                self.crowd.ring();
                return None;
            }
            TICK => {
                self.tick_armed = false;
                self.crowd.end_period();
                return None;
            }
            CANCEL => return None,
            _ => {}
        }
        let key = Key::of_word(word);
        let more = cqueue::more(flags);
        let len = usize::try_from(result).unwrap_or(0);
        let chunk = cqueue::buffer_select(flags).and_then(|index| self.supply.reclaim(index, len));
        let Some(operation) = store.operations.get_mut(key) else {
            return Some(Completion { key, outcome: Outcome::Cancelled, more });
        };
        let socket = operation.socket;
        let outcome = if cqueue::notif(flags) {
            Outcome::Released { copied: result as u32 & USAGE_COPIED != 0 }
        } else if result < 0 {
            match -result {
                libc::ECANCELED => Outcome::Cancelled,
                libc::ENOBUFS if matches!(operation.work, Work::Receive | Work::ReceiveFrom) => {
                    Outcome::NoChunk
                }
                code @ (libc::EINTR | libc::EAGAIN) => {
                    store.counters.interrupted += u64::from(code == libc::EINTR);
                    match operation.work {
                        Work::Send => Outcome::Sent(0),
                        Work::Connect => Outcome::Failed(io::Error::from_raw_os_error(code)),
                        _ => Outcome::Cancelled,
                    }
                }
                // Without a copy it cannot be done (a device that cannot, or the limit for locked memory): with one, then, after
                // the notification, if one is announced.
                libc::EOPNOTSUPP | libc::EINVAL | libc::ENOMEM if operation.zero_copy => {
                    store.sockets[socket].zero_copy = false;
                    Outcome::Sent(0)
                }
                code => Outcome::Failed(io::Error::from_raw_os_error(code)),
            }
        } else {
            match operation.work {
                // SAFETY: a descriptor that the kernel has made for us, and named once.
                Work::Accept => Outcome::Accepted(Descriptor::System(unsafe { Socket::from_raw_fd(result) })),
                Work::Connect => Outcome::Connected,
                Work::Receive if len == 0 => Outcome::EndOfStream,
                Work::Receive => chunk.map_or_else(lost_chunk, Outcome::Received),
                Work::ReceiveFrom => {
                    let header = &self.frame(key).header;
                    chunk.and_then(|chunk| datagram(chunk, header)).unwrap_or_else(lost_chunk)
                }
                Work::Send | Work::SendTo => Outcome::Sent(len),
            }
        };
        let comes =
            matches!(outcome, Outcome::Received(_) | Outcome::ReceivedFrom { .. } | Outcome::Accepted(_));
        if comes {
            self.came += 1;
            if self.tick_armed {
                self.crowd.hear(socket.slot);
            }
        }
        if self.direct.takes_over(key, more, &outcome) {
            return None;
        }
        if let Outcome::Received(chunk) = &outcome
            && more
        {
            self.note_piece(key, chunk.len(), store);
        }
        Some(Completion { key, outcome, more })
    }
}

/// The kernel named no chunk, or one that it did not have.
fn lost_chunk() -> Outcome {
    Outcome::Failed(io::Error::other("the kernel received into memory that it was not given"))
}
