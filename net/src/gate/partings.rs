//! Partings: lives of peers that have said goodbye on one link, and whose other links may still bring last words.
//!
//! No shard of a host says goodbye before all are done, but what each says last comes over a connection of its own, and may come
//! in any order. So a goodbye ends what was with the shard that says it, at once, and from then on nothing new leads to that life
//! of the host. What is with its other shards ends with their own goodbyes, with their connections, or after [`LAST_WORDS`],
//! whichever comes first.

use std::collections::VecDeque;
use std::time::Duration;

use corelane_kernel::Time;

use super::Inner;
use crate::link::LinkTo;

/// How long last words may be under way behind the first goodbye: some retransmissions.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The lives that this shard's links were told goodbye by, and until when their others are listened to. The oldest first.
#[derive(Default)]
pub(super) struct Partings {
    waiting: VecDeque<(Time, u64, u64)>,
}

impl Partings {
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.waiting.front().map(|(at, ..)| *at)
    }
}

impl Inner {
    /// A life of a peer has said goodbye on one of its links.
    pub(super) fn part(&mut self, node: u64, incarnation: u64) {
        if self.shared.peers.part(node, incarnation) {
            self.partings.waiting.push_back((self.now + LAST_WORDS, node, incarnation));
        }
    }

    /// Ends the lives whose last words have had their time.
    pub(super) fn end_partings(&mut self) {
        while let Some((_, node, incarnation)) =
            self.partings.waiting.front().copied().filter(|(at, ..)| *at <= self.now)
        {
            self.partings.waiting.pop_front();
            self.shared.peers.bury(node, incarnation);
        }
    }

    /// Ends what is with a slot's peer, if its life is over, or has said goodbye elsewhere and has no connection here.
    pub(super) fn end_if_over(&mut self, slot: usize) {
        let LinkTo { node, incarnation, .. } = self.slots[slot].link.to();
        if incarnation == 0 {
            return;
        }
        let is_open = self.slots[slot].link.open().is_some();
        if self.shared.peers.is_over(node, incarnation, is_open) {
            self.slots[slot].link.outlived(self.now);
            // Also where nothing was between the two yet.
            self.leave_life(slot);
            self.settle(slot);
            self.soil(slot);
        }
    }
}
