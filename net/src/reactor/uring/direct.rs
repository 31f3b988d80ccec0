//! Receiving without the ring, while a shard spins for one stream. What a ring is told that a stream has something, and is
//! entered to receive it, takes longer than to ask the stream itself; so where several things in a row have come from one
//! stream, and nobody slept meanwhile, its receive is taken back from the kernel and done here.
//!
//! - **Begins** after [`STREAK`] small pieces in a row from one stream. Its receive is cancelled; only when the kernel has
//!   said that it is over is anything received here, so that the order stays.
//! - **Goes on** while the shard has nothing else to do: the stream is asked whenever the shard looks whether something has come.
//! - **Ends** when it has been asked in vain for long, when the shard is busy or sleeps, or when so much comes that it fills a
//!   chunk: then the same receive is the kernel's again.
//!
//! The operation stays in flight all the while, as far as the engine goes.

use std::collections::VecDeque;
use std::io;

use io_uring::{opcode, squeue};

use super::{CANCEL, Uring};
use crate::buffers::Chunk;
use crate::reactor::backend::{Completion, Drive, Outcome};
use crate::reactor::descriptor::system;
use crate::reactor::slab::Key;
use crate::reactor::store::Store;

/// Small pieces in a row from one stream. So many that what is lost by an end soon after is little to what they took.
const STREAK: u32 = 32;
/// How often a stream is asked in vain in a row: somewhat longer than a round trip between two machines takes.
const VAIN_MAX: u32 = 512;
/// Turns in a row that were not begun because something was looked for. A shard that is busy need not ask.
const BUSY_MAX: u32 = 8;

pub(super) struct Direct {
    /// [`STREAK`], but in a test.
    after: u32,
    /// What is received here.
    key: Option<Key>,
    /// What the kernel is asked to end, to be received here.
    leaving: Option<Key>,
    /// Where the last piece came from, and how many did in a row.
    last: Option<Key>,
    streak: u32,
    vain: u32,
    busy: u32,
    /// What is received into next.
    chunk: Option<Chunk>,
    /// What has come, until it is reaped.
    ready: VecDeque<Completion>,
}

impl Direct {
    pub(super) fn new() -> Direct {
        Direct {
            after: STREAK,
            key: None,
            leaving: None,
            last: None,
            streak: 0,
            vain: 0,
            busy: 0,
            chunk: None,
            ready: VecDeque::new(),
        }
    }

    /// Takes each stream over as soon as it has brought something.
    #[cfg(test)]
    pub(super) fn at_once(&mut self) {
        self.after = 1;
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Nothing is received here any more. Gives what was.
    fn leave(&mut self) -> Option<Key> {
        self.chunk = None;
        self.key.take()
    }

    /// The shard sleeps.
    pub(super) fn forget(&mut self) {
        (self.last, self.streak) = (None, 0);
    }

    /// Whether this end of a receive is the one that was asked for, so that it goes on here.
    pub(super) fn takes_over(&mut self, key: Key, more: bool, outcome: &Outcome) -> bool {
        if more || self.leaving != Some(key) {
            return false;
        }
        self.leaving = None;
        if !matches!(outcome, Outcome::Cancelled) {
            return false;
        }
        (self.key, self.vain, self.busy) = (Some(key), 0, 0);
        true
    }
}

impl Uring {
    /// A stream has brought so many bytes by the ring.
    pub(super) fn note_piece(&mut self, key: Key, bytes: usize, store: &mut Store) {
        let direct = &mut self.direct;
        if direct.last != Some(key) || bytes == self.supply.chunk_bytes() {
            (direct.last, direct.streak) = (Some(key), 0);
        }
        direct.streak += 1;
        let is_wanted = direct.streak >= direct.after && direct.key.is_none() && direct.leaving.is_none();
        if is_wanted && store.operations.get(key).is_some_and(|operation| !operation.orphaned) {
            direct.leaving = Some(key);
            let entry = opcode::AsyncCancel::new(key.word()).build().user_data(CANCEL);
            self.push(entry.flags(squeue::Flags::SKIP_SUCCESS), store);
        }
    }

    /// The engine wants the end of an operation. Says whether it is received here, and has ended with that.
    pub(super) fn cancel_direct(&mut self, key: Key) -> bool {
        if self.direct.leaving == Some(key) {
            // What the kernel says of it is the engine's.
            self.direct.leaving = None;
        }
        if self.direct.key != Some(key) {
            return false;
        }
        self.direct.leave();
        self.direct.ready.push_back(Completion { key, outcome: Outcome::Cancelled, more: false });
        true
    }

    /// Looks whether something has come, since the shard has nothing else to do.
    #[inline]
    pub(super) fn look_direct(&mut self, store: &mut Store) -> bool {
        self.direct.busy = 0;
        self.direct.has_ready() || (self.direct.key.is_some() && self.receive_direct(store))
    }

    /// Hands out what has come.
    pub(super) fn reap_direct(&mut self, store: &mut Store, out: &mut VecDeque<Completion>) {
        if self.direct.key.is_some() && !self.direct.has_ready() {
            self.direct.busy += 1;
            if self.direct.busy > BUSY_MAX {
                self.end_direct(store);
            } else {
                self.receive_direct(store);
            }
        }
        out.extend(self.direct.ready.drain(..));
    }

    /// Gives the receive back to the kernel, with the next submission.
    pub(super) fn end_direct(&mut self, store: &mut Store) {
        self.direct.forget();
        if let Some(key) = self.direct.leave() {
            self.start(key, store);
        }
    }

    /// Asks the stream. Says whether something is ready.
    fn receive_direct(&mut self, store: &mut Store) -> bool {
        let Some(key) = self.direct.key else { return false };
        let Some(mut chunk) = self.direct.chunk.take().or_else(|| self.supply.take()) else {
            // The kernel will find that out, and the engine deals with it.
            self.end_direct(store);
            return false;
        };
        let socket = system(store.descriptor_of(key));
        let (outcome, more) = match socket.recv_with_flags(chunk.as_uninit(), libc::MSG_DONTWAIT) {
            Ok(0) => (Outcome::EndOfStream, false),
            Ok(bytes) => {
                let is_full = bytes == chunk.len();
                chunk.truncate(bytes);
                (self.direct.vain, self.came) = (0, self.came + 1);
                store.counters.direct += 1;
                self.direct.ready.push_back(Completion {
                    key,
                    outcome: Outcome::Received(chunk),
                    more: true,
                });
                if is_full {
                    self.end_direct(store);
                }
                return true;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                store.counters.interrupted += u64::from(error.kind() == io::ErrorKind::Interrupted);
                self.direct.chunk = Some(chunk);
                self.direct.vain += 1;
                if self.direct.vain > VAIN_MAX {
                    self.end_direct(store);
                }
                return false;
            }
            Err(error) => (Outcome::Failed(error), false),
        };
        self.direct.leave();
        self.direct.ready.push_back(Completion { key, outcome, more });
        true
    }
}
