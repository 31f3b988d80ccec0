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
