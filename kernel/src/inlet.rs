//! Inlets: the lanes that come into a kernel, from other shards, from gateways, from interrupt handlers.

use crate::lane::LaneReceiver;
use crate::region::Memory;
use crate::shelf::Shelf;

pub(crate) struct Inlets {
    pub(crate) signals: Shelf<LaneReceiver>,
    pub(crate) messages: Shelf<LaneReceiver>,
    /// The lane that is being read, and how far: kept here while handlers run, and in the lane otherwise.
    reading: Option<(usize, Stretch)>,
}

/// Records that lie behind each other in a lane. Each that begins before the end is whole, published, and not yet taken.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) start: *const u64,
    pub(crate) end: *const u64,
}

impl Inlets {
    pub(crate) const fn new() -> Inlets {
        Inlets { signals: Shelf::new(), messages: Shelf::new(), reading: None }
    }

    /// Begins to read a lane; `None` when nothing is published there.
    pub(crate) fn begin(&mut self, lane: usize) -> Option<Stretch> {
        self.settle();
        let stretch = self.messages[lane].stretch()?;
        self.reading = Some((lane, stretch));
        Some(stretch)
    }

    /// What lies before `to` in the lane that is being read has been taken.
    #[inline(always)]
    pub(crate) fn advance(&mut self, to: *const u64) {
        if let Some((_, stretch)) = &mut self.reading {
            stretch.start = to;
        }
    }

    /// Gives the room of all that was taken back to the lane's sender; also what a panic left to do.
    pub(crate) fn settle(&mut self) {
        if let Some((lane, stretch)) = self.reading.take() {
            self.messages[lane].take_until(stretch.start);
            self.messages[lane].release();
        }
    }

    #[inline]
    pub(crate) fn have_more(&mut self) -> bool {
        self.signals.iter_mut().any(LaneReceiver::has_more)
            || self.messages.iter_mut().any(LaneReceiver::awaits_more)
    }

    /// Lets go of lanes whose sender is gone. Says whether some such lane still holds messages.
    pub(crate) fn prune(&mut self) -> bool {
        self.settle();
        let mut held = false;
        let mut at = 0;
        while at < self.messages.len() {
            // The order matters: an orphan gets nothing new, so what is empty after that stays empty.
            let orphan = self.messages[at].is_orphan();
            if orphan && !self.messages[at].has_more() {
                self.messages.swap_remove(at);
            } else {
                held |= orphan;
                at += 1;
            }
        }
        held
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
