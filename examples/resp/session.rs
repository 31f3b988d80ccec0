//! One connection's requests and replies. It knows no socket and no actor: it is shown what has come and the keys of its own
//! shard, and says what is to be sent to the peer and what to the shards where other keys live.
//!
//! Replies leave in the order of their requests, whenever and wherever these are done. As long as nothing is under way
//! elsewhere, a reply is written straight behind the last. Otherwise it has a *slot* in a row, and leaves when all before
//! it have.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher as _};
use std::ops::Range;

use crate::batch::Batch;
use crate::commands;
use crate::keyspace::{Keyspace, Millis};
use crate::operation::{Operation, count_in};
use crate::protocol::{Args, Parser};
use crate::reply::{Version, Write as _};

/// Slots that may be under way; a peer that sends on has to wait.
const SLOTS_MAX: usize = 4096;

/// Bytes of replies that may wait, to be sent or for others before them; as above.
const OUTPUT_MAX: usize = 1024 * 1024;

/// What a session has at hand of its shard.
pub(crate) struct Here<'k> {
    pub(crate) keys: &'k mut Keyspace,
    pub(crate) now: Millis,
    /// Its number, of so many.
    pub(crate) shard: usize,
    pub(crate) shards: usize,
}

/// A reply that has its place, and what is known of it.
#[derive(Debug)]
enum Slot {
    /// So many bytes at the front of what is held.
    Held(usize),
    /// It comes from another shard.
    Away,
    /// It is back: in a batch that has returned.
    Back { batch: usize, place: Range<usize> },
    /// So many parts are still to come of a sum.
    Sum { left: usize, total: i64 },
    /// As above, of something whose reply is that it was done.
    Done { left: usize },
}

/// What becomes of the parts of a request that concerns several keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gather {
    Sum,
    Done,
}

#[derive(Debug)]
pub(crate) struct Session {
    parser: Parser,
    pub(crate) version: Version,
    /// Replies that may be sent.
    output: Vec<u8>,
    /// Replies of this shard that wait for others, from here on.
    held: Vec<u8>,
    held_from: usize,
    slots: VecDeque<Slot>,
    /// The number of the first slot.
    first: u64,
    /// By shard: what is to be sent there.
    outgoing: Vec<Option<Box<Batch>>>,
    /// Batches that are back, of which some reply has not left yet.
    returned: Vec<Option<Box<Batch>>>,
    /// Boxes to be used again: they are sent as they are.
    #[expect(clippy::vec_box, reason = "a batch stays in its box on all its ways")]
    spare: Vec<Box<Batch>>,
    /// Requests that were read since they were taken.
    requests: u32,
    /// Nothing more is read: the peer said farewell, or nonsense.
    closing: bool,
}

impl Session {
    pub(crate) fn new() -> Session {
        Session {
            parser: Parser::default(),
            version: Version::Two,
            output: Vec::new(),
            held: Vec::new(),
            held_from: 0,
            slots: VecDeque::new(),
            first: 0,
            outgoing: Vec::new(),
            returned: Vec::new(),
            spare: Vec::new(),
            requests: 0,
            closing: false,
        }
    }

    /// Handles the requests in `input`. Gives how many of its bytes are done with; the rest is to be shown again, with more
    /// behind it.
    pub(crate) fn read(&mut self, input: &[u8], here: &mut Here<'_>) -> usize {
        let mut done = 0;
        // Out of here while commands have the session: they read its arguments.
        let mut parser = std::mem::take(&mut self.parser);
        while !self.closing && !self.is_full() {
            match parser.parse(&input[done..]) {
                Ok(None) => break,
                Ok(Some(length)) => {
                    commands::run(self, parser.args(&input[done..]), here);
                    done += length;
                    self.requests += 1;
                }
                Err(error) => {
                    self.reply(|to, _| to.error(&format!("ERR {error}")));
                    self.close();
                }
            }
        }
        self.parser = parser;
        done
    }

    /// How many requests were read since this was called last.
    pub(crate) fn take_requests(&mut self) -> u32 {
        std::mem::take(&mut self.requests)
    }

    /// Whether the peer has to wait until something has left.
    pub(crate) fn is_full(&self) -> bool {
        self.slots.len() >= SLOTS_MAX || self.output.len() + self.held.len() >= OUTPUT_MAX
    }

    /// Nothing more is to be read.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Whether the connection is to be closed once the output has left.
    pub(crate) fn is_over(&self) -> bool {
        self.closing && self.slots.is_empty()
    }

    /// What may be sent to the peer now.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What is to be sent to other shards.
    pub(crate) fn outgoing(&mut self) -> impl Iterator<Item = (usize, Box<Batch>)> + '_ {
        self.outgoing.iter_mut().enumerate().filter_map(|(shard, batch)| Some((shard, batch.take()?)))
    }

    /// A batch is back.
    pub(crate) fn returned(&mut self, batch: Box<Batch>) {
        let at = match self.returned.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.returned.push(None);
                self.returned.len() - 1
            }
        };
        let mut left = batch.left;
        for (slot, place) in batch.replies() {
            let slot = &mut self.slots[(slot - self.first) as usize];
            match slot {
                Slot::Away => *slot = Slot::Back { batch: at, place },
                Slot::Sum { left: parts, total } => {
                    *total += count_in(batch.reply(place));
                    *parts -= 1;
                    left -= 1;
                }
                Slot::Done { left: parts } => {
                    *parts -= 1;
                    left -= 1;
                }
                Slot::Held(_) | Slot::Back { .. } => unreachable!("a slot has one reply"),
            }
        }
        self.returned[at] = Some(batch);
        self.take_from(at, self.returned[at].as_ref().map_or(0, |batch| batch.left) - left);
        self.settle();
    }

    /// Replies of a batch were taken. With the last one it may be used again.
    fn take_from(&mut self, at: usize, taken: usize) {
        let Some(batch) = &mut self.returned[at] else { return };
        batch.left -= taken;
        if batch.left == 0
            && let Some(mut batch) = self.returned[at].take()
            && batch.may_be_kept()
        {
            batch.clear();
            self.spare.push(batch);
        }
    }

    /// Lets replies leave up to the first that is not known yet.
    fn settle(&mut self) {
        while let Some(slot) = self.slots.front() {
            match *slot {
                Slot::Held(bytes) => {
                    let upto = self.held_from + bytes;
                    self.output.extend_from_slice(&self.held[self.held_from..upto]);
                    self.held_from = upto;
                    if upto == self.held.len() {
                        self.held.clear();
                        self.held_from = 0;
                    }
                }
                Slot::Back { batch, ref place } => {
                    let place = place.clone();
                    if let Some(batch) = &self.returned[batch] {
                        self.output.extend_from_slice(batch.reply(place));
                    }
                    self.take_from(batch, 1);
                }
                Slot::Sum { left: 0, total } => self.output.integer(total),
                Slot::Done { left: 0 } => self.output.ok(),
                Slot::Away | Slot::Sum { .. } | Slot::Done { .. } => return,
            }
            self.slots.pop_front();
            self.first += 1;
        }
    }

    // --- what commands do ----------------------------------------------------------------------------------------

    /// Replies at once.
    pub(crate) fn reply(&mut self, write: impl FnOnce(&mut Vec<u8>, Version)) {
        let version = self.version;
        if self.slots.is_empty() {
            return write(&mut self.output, version);
        }
        let before = self.held.len();
        write(&mut self.held, version);
        let written = self.held.len() - before;
        match self.slots.back_mut() {
            Some(Slot::Held(bytes)) => *bytes += written,
            _ => self.slots.push_back(Slot::Held(written)),
        }
    }

    /// Has something done with a key, wherever it lives, and replies what comes of that.
    pub(crate) fn one(&mut self, key: &[u8], operation: Operation<&[u8]>, here: &mut Here<'_>) {
        let shard = shard_of(key, here.shards);
        if shard == here.shard {
            return self.reply(|to, version| operation.run(key, here.keys, here.now, version, to));
        }
        let slot = self.first + self.slots.len() as u64;
        self.slots.push_back(Slot::Away);
        self.send(shard, slot, key, operation);
    }

    /// Has something done with several keys; the reply is one for all.
    pub(crate) fn many<'a>(
        &mut self,
        gather: Gather,
        each: impl Iterator<Item = (&'a [u8], Operation<&'a [u8]>)>,
        here: &mut Here<'_>,
    ) {
        let slot = self.first + self.slots.len() as u64;
        let (mut left, mut total) = (0, 0);
        let mut reply = Vec::new();
        for (key, operation) in each {
            let shard = shard_of(key, here.shards);
            if shard == here.shard {
                reply.clear();
                operation.run(key, here.keys, here.now, self.version, &mut reply);
                total += count_in(&reply);
            } else {
                left += 1;
                self.send(shard, slot, key, operation);
            }
        }
        self.gathered(gather, left, total);
    }

    /// Has something done by every shard; the reply is one for all.
    pub(crate) fn everywhere(&mut self, gather: Gather, operation: Operation<&[u8]>, here: &mut Here<'_>) {
        let slot = self.first + self.slots.len() as u64;
        let mut reply = Vec::new();
        operation.run(b"", here.keys, here.now, self.version, &mut reply);
        for shard in (0..here.shards).filter(|shard| *shard != here.shard) {
            self.send(shard, slot, b"", operation);
        }
        self.gathered(gather, here.shards - 1, count_in(&reply));
    }

    fn gathered(&mut self, gather: Gather, left: usize, total: i64) {
        self.slots.push_back(match gather {
            Gather::Sum => Slot::Sum { left, total },
            Gather::Done => Slot::Done { left },
        });
        self.settle();
    }

    fn send(&mut self, shard: usize, slot: u64, key: &[u8], operation: Operation<&[u8]>) {
        if self.outgoing.len() <= shard {
            self.outgoing.resize_with(shard + 1, || None);
        }
        let spare = &mut self.spare;
        let batch = self.outgoing[shard].get_or_insert_with(|| spare.pop().unwrap_or_default());
        batch.add(slot, self.version, key, operation);
    }
}

/// The shard where a key lives.
pub(crate) fn shard_of(key: &[u8], shards: usize) -> usize {
    if shards == 1 {
        return 0;
    }
    let mut hasher = foldhash::fast::FixedState::with_seed(0).build_hasher();
    hasher.write(key);
    // The high half of a product spreads evenly over any number (Lemire, 2019).
    ((u128::from(hasher.finish()) * shards as u128) >> 64) as usize
}

/// A command's name, in capitals.
pub(crate) fn name_of<'b>(args: &Args<'_>, room: &'b mut [u8; 16]) -> &'b [u8] {
    let name = args.get(0).unwrap_or_default();
    let Some(room) = room.get_mut(..name.len()) else { return b"" };
    room.copy_from_slice(name);
    room.make_ascii_uppercase();
    room
}
