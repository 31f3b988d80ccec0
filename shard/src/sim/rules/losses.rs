//! Shards that are lost: who lived there ends without a hook and does nothing more. What was told them is dropped, what they
//! were to decide is decided by their end: children elsewhere stop, and parents elsewhere go on without them.

use super::life::Life;
use super::tree::Lives;
use super::{Id, Verdict, check};

const NOTHING: &str = "nothing is done on a shard that is lost";

/// A shard's bit in a set of some. Beyond 64 shards several share one, and less is certain.
pub(super) const fn bit_of(shard: usize) -> u64 {
    1 << (shard % 64)
}

impl Life {
    /// Its shard is lost. What is left of it is a state, perhaps, that is dropped.
    fn is_lost_now(&mut self) {
        (self.lost, self.disturbed) = (true, true);
        (self.restarting, self.between) = (false, false);
        // Its parent may have heard of a failure before, or never will.
        self.excused |= self.failed;
        self.goes_on();
    }
}

impl Lives {
    pub(super) fn lose(&mut self, shard: usize) {
        self.lost.insert(shard);
        for id in 1..self.lives.len() as Id {
            self.at(id).ward.asked_from &= !bit_of(shard);
            if self.of(id).shard == shard {
                self.at(id).is_lost_now();
                self.disturb_below(id);
                self.orphan(id);
            }
        }
    }

    /// Somebody is to live on a shard that is lost already, or below one who did.
    pub(super) fn is_born_lost(&mut self, id: Id) {
        let life = self.of(id);
        if self.lost.contains(&life.shard) {
            self.at(id).is_lost_now();
        }
    }

    /// The children of one who is lost that live elsewhere are to stop, once they hear of it.
    fn orphan(&mut self, id: Id) {
        for child in self.children_of(id) {
            if self.of(child).afar.is_some() {
                self.disturb_below(child);
                let ward = &mut self.at(child).ward;
                (ward.is_to_stop, ward.must_end) = (true, true);
            }
        }
    }

    pub(super) fn is_there(&self, id: Id, what: &str) -> Verdict {
        check(!self.of(id).lost, NOTHING, || format!("{id} {what}: {:?}", self.of(id)))
    }

    pub(super) fn losses_are_over(&self) -> Verdict {
        for (id, life) in self.lives.iter().enumerate().filter(|(_, life)| life.lost) {
            check(!life.lives(), "who lives on a shard that is lost ends with it", || {
                format!("{id}: {life:?}")
            })?;
        }
        Ok(())
    }
}
