//! What is wanting: where a shard has no room for something, somebody goes without it, and says so. Nobody does elsewhere.

use super::losses::bit_of;
use super::tree::Lives;
use super::{Act, Id, Lack, Verdict, check};

#[derive(Debug, Default)]
pub(super) struct Lacks {
    /// Who goes without what, since the system was last at rest. That its shard is short is known by the next time.
    wanting: Vec<(Id, Lack)>,
}

impl Lacks {
    pub(super) fn see(&mut self, act: Act, lives: &Lives) {
        match act {
            Act::Lacks { id, what } if lives.goes_without(id, what) => self.wanting.push((id, what)),
            // One that was about to stop was told nothing more.
            Act::Ended { id } => self.wanting.retain(|(who, _)| *who != id),
            _ => {}
        }
    }

    pub(super) fn at_rest(&mut self, lives: &Lives) -> Verdict {
        for (id, what) in std::mem::take(&mut self.wanting) {
            let rule = "nobody goes without anything for which there is room";
            check(lives.is_short(id), rule, || format!("{id} lacks {what:?}: {:?}", lives.of(id)))?;
        }
        Ok(())
    }
}

impl Lives {
    /// Whether somebody lives where there was no room for something.
    pub(super) fn is_short(&self, id: Id) -> bool {
        self.short.contains(&self.of(id).shard)
    }

    /// The bits of all shards that had no room for something.
    pub(super) fn short_bits(&self) -> u64 {
        self.short.iter().fold(0, |bits, shard| bits | bit_of(*shard))
    }

    /// Whether it is a loss to somebody that it lacks something. What is replaced, called off, or comes to one who has ended
    /// is none; of what is kept in lists, these say.
    fn goes_without(&self, id: Id, what: Lack) -> bool {
        let life = self.of(id);
        match what {
            Lack::Notice { .. } | Lack::Timer { .. } | Lack::Answer { .. } => false,
            Lack::Future { .. } | Lack::StateTimeout | Lack::Routees => life.lives() && !life.stopped,
            Lack::Restart => !life.made && life.ward.due.is_some(),
        }
    }
}
