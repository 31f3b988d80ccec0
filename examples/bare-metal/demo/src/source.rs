//! The interrupt's half: reads the converter and writes the samples into the lane.
//!
//! It never waits: what the lane does not take is kept and offered again at the next interrupt, in order. Everything it
//! touches is its own, so it needs no lock against the code it interrupts.

use core::iter::Fuse;

use corelane_kernel::{ActorRef, LaneSender};

use crate::actors::Reading;
use crate::samples::Converter;

/// Interrupts between two bursts.
const BURST_EVERY: u32 = 64;
/// Samples that a burst delivers at once.
const BURST: u32 = 40;

/// What an interrupt handler works with: the sending end of the lane, and the converter.
#[derive(Debug)]
pub struct Source {
    lane: LaneSender,
    meter: ActorRef<Reading>,
    converter: Fuse<Converter>,
    interrupts: u32,
    /// Samples that the converter has ready.
    ready: u32,
    /// The message that the lane did not take.
    kept: Option<Reading>,
    refused: u32,
    ended: bool,
}

impl Source {
    pub(crate) fn new(lane: LaneSender, meter: ActorRef<Reading>) -> Source {
        Source {
            lane,
            meter,
            converter: Converter::default().fuse(),
            interrupts: 0,
            ready: 0,
            kept: None,
            refused: 0,
            ended: false,
        }
    }

    /// Reads what the converter has ready and offers it to the meter. Called from interrupt context, once a tick.
    pub fn on_interrupt(&mut self) {
        self.interrupts = self.interrupts.wrapping_add(1);
        self.ready += if self.interrupts.is_multiple_of(BURST_EVERY) { BURST } else { 1 };
        while let Some(reading) = self.next_reading() {
            if let Err(refused) = self.lane.try_tell(self.meter, reading) {
                self.kept = Some(refused.into_inner());
                self.refused += 1;
                break;
            }
        }
        self.lane.publish();
    }

    fn next_reading(&mut self) -> Option<Reading> {
        if let Some(kept) = self.kept.take() {
            return Some(kept);
        }
        if self.ended || self.ready == 0 {
            return None;
        }
        self.ready -= 1;
        Some(match self.converter.next() {
            Some(sample) => Reading::Sample(sample),
            None => {
                self.ended = true;
                Reading::End { refused: self.refused }
            }
        })
    }
}
