//! Inlets: the lanes that come into a kernel, from other shards, from gateways, from interrupt handlers.

use crate::lane::LaneReceiver;
use crate::region::Memory;
use crate::shelf::Shelf;

pub(crate) struct Inlets {
    pub(crate) signals: Shelf<LaneReceiver>,
    pub(crate) messages: Shelf<LaneReceiver>,
}

impl Inlets {
    pub(crate) const fn new() -> Inlets {
        Inlets { signals: Shelf::new(), messages: Shelf::new() }
    }

    #[inline]
    pub(crate) fn have_more(&mut self) -> bool {
        self.signals.iter_mut().any(LaneReceiver::has_more) || self.messages.iter_mut().any(LaneReceiver::has_more)
    }

    pub(crate) fn prune(&mut self) {
        let mut at = 0;
        while at < self.messages.len() {
            // The order matters: an orphan gets nothing new, so what is empty after that stays empty.
            if self.messages[at].is_orphan() && !self.messages[at].has_more() {
                self.messages.swap_remove(at);
            } else {
                at += 1;
            }
        }
    }

    pub(crate) fn add(&mut self, memory: &mut Memory, lane: LaneReceiver) -> Result<(), LaneReceiver> {
        self.messages.push(memory, lane)
    }

    pub(crate) fn add_signals(
        &mut self,
        memory: &mut Memory,
        lane: LaneReceiver,
    ) -> Result<(), LaneReceiver> {
        self.signals.push(memory, lane)
    }
}
