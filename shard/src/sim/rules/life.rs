//! What is known of one actor: how far its life has come, and what it waits for.

use super::Id;
use super::families::Afar;
use super::restarts::Ward;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life {
    pub(super) parent: Id,
    /// Its place among its siblings, oldest first.
    pub(super) rank: u32,
    pub(super) shard: usize,
    pub(super) spawned: bool,
    pub(super) made: bool,
    pub(super) started: bool,
    /// Its hook has run; the end of this state is a restart's.
    pub(super) restarting: bool,
    /// It leaves its children alone over that.
    pub(super) keeps: bool,
    /// Its state was dropped by a restart, and the next one is not made yet.
    pub(super) between: bool,
    /// A state was dropped by a restart.
    pub(super) lived: bool,
    /// The `restarted` hook has run on this state.
    pub(super) restarted: bool,
    /// Whether the `started` hook of this state has succeeded, once that shows.
    pub(super) begun_well: Option<bool>,
    /// It has asked to stop, and does after what it was at.
    pub(super) leaves: bool,
    pub(super) stopped: bool,
    pub(super) ended: bool,
    /// Its shard is lost.
    pub(super) lost: bool,
    /// Somebody was told that it is gone.
    pub(super) gone: bool,
    pub(super) failed: bool,
    pub(super) failure_told: bool,
    /// A decision of its own has panicked, and nothing is decided about that.
    pub(super) at_a_loss: bool,
    /// Whether a failure of it had been told before its parent, which lives elsewhere, was made again and took it along.
    pub(super) told_before: Option<bool>,
    /// Nobody need be told: it failed when something was decided about it already, or below one without a state.
    pub(super) excused: bool,
    pub(super) ward: Ward,
    /// What is between it and a parent on another shard, if its parent lives there.
    pub(super) afar: Option<Afar>,
    /// Somebody above it is being made again, or waits for a decision, and it may have heard of that.
    pub(super) held: bool,
    /// It has.
    pub(super) is_held: bool,
    /// A system at rest has seen it without a state: all below know.
    pub(super) rested: bool,
    /// Reasons not to run that somebody else takes away.
    pub(super) suspended: u32,
    /// Futures that it waits for.
    pub(super) waits: u32,
    /// Children whose state is there.
    pub(super) children: u32,
    /// Something has come in the way of what it does: a failure, a stop, a loss.
    pub(super) disturbed: bool,
}

impl Life {
    /// It can hear what it is told.
    pub(super) fn runs(&self) -> bool {
        self.started && !self.stopped && !self.ended && self.suspended == 0 && !self.held
    }

    /// Reasons not to run are counted, and not told apart.
    pub(super) fn take_reason_away(&mut self, future: bool) {
        let (first, other) = if future {
            (&mut self.waits, &mut self.suspended)
        } else {
            (&mut self.suspended, &mut self.waits)
        };
        let reasons = if *first > 0 { first } else { other };
        *reasons = reasons.saturating_sub(1);
    }

    /// It is to be made, again or for the first time after that failed.
    pub(super) fn is_to_be_made(&self) -> bool {
        !self.lost && (self.between || (self.spawned && !self.made && self.failed))
    }

    /// Its state is there.
    pub(super) fn lives(&self) -> bool {
        self.made && !self.ended
    }

    pub(super) fn keeps_children(&self) -> bool {
        self.restarting && self.keeps
    }

    /// It lived, and does no more.
    pub(super) fn has_ended(&self) -> bool {
        self.lost || self.ended && !self.between
    }
}
