//! What travels between the shard of a connection and the shard of its keys: operations on the way there, their replies on
//! the way back, in one box that its connection uses again.

use std::ops::Range;

use crate::keyspace::{Keyspace, Millis};
use crate::operation::Operation;
use crate::reply::Version;

/// A box that has grown beyond this is not kept for the next batch.
const KEPT_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Keys and values, behind each other.
    bytes: Vec<u8>,
    tasks: Vec<Task>,
    replies: Vec<u8>,
    /// Replies that are still to be taken, once it is back.
    pub(crate) left: usize,
}

#[derive(Debug)]
struct Task {
    /// Whom of its connection's replies it concerns.
    slot: u64,
    /// What its connection spoke when it asked for this.
    version: Version,
    key: Range<usize>,
    operation: Operation<Range<usize>>,
    reply: Range<usize>,
}

impl Batch {
    /// Makes it an empty one.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.tasks.clear();
        self.replies.clear();
        self.left = 0;
    }

    pub(crate) fn add(&mut self, slot: u64, version: Version, key: &[u8], operation: Operation<&[u8]>) {
        let mut put = |bytes: &[u8]| {
            let from = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            from..self.bytes.len()
        };
        let key = put(key);
        let operation = operation.map(put);
        self.tasks.push(Task { slot, version, key, operation, reply: 0..0 });
    }

    /// Does all that is to be done with the keys of a shard, in order.
    pub(crate) fn run(&mut self, keys: &mut Keyspace, now: Millis) {
        for task in &mut self.tasks {
            let from = self.replies.len();
            let operation = task.operation.clone_with(|value| &self.bytes[value]);
            operation.run(&self.bytes[task.key.clone()], keys, now, task.version, &mut self.replies);
            task.reply = from..self.replies.len();
        }
        self.left = self.tasks.len();
    }

    /// Each reply: for which slot, and where it stands.
    pub(crate) fn replies(&self) -> impl Iterator<Item = (u64, Range<usize>)> + '_ {
        self.tasks.iter().map(|task| (task.slot, task.reply.clone()))
    }

    pub(crate) fn reply(&self, place: Range<usize>) -> &[u8] {
        &self.replies[place]
    }

    pub(crate) fn may_be_kept(&self) -> bool {
        self.bytes.capacity() + self.replies.capacity() <= KEPT_BYTES
    }
}

impl Operation<Range<usize>> {
    fn clone_with<'a>(&self, value: impl FnOnce(Range<usize>) -> &'a [u8]) -> Operation<&'a [u8]> {
        self.clone().map(value)
    }
}
