//! The settings of a kernel, and their bounds.

use crate::address::Group;
use crate::error::KernelError;
use crate::limits::GROUPS;
use crate::supervise::Strategy;

/// Settings of a kernel. Start from [`KernelConfig::default`].
#[derive(Clone, Debug)]
pub struct KernelConfig {
    /// Messages each scheduling group may handle in one turn, indexed by [`Group`]: its share,
    /// rounded up to a multiple of eight. None may be zero. Small
    /// values let an urgent message wait less behind other groups; large ones pay the round's overhead less often. Default
    /// 512 for urgent and for normal, 128 for bulk, 32 for background.
    pub shares: [u32; GROUPS],
    /// Records taken from each lane in one turn, and timers fired, waiting messages handled and actors restarted in one
    /// turn. Not zero. Default 512.
    pub budget: u32,
    /// Part of the region that each group's queue may fill, in 256ths, from 1 to 256. A full queue refuses. Default 64 (a
    /// quarter).
    pub queue_share: u32,
    /// Bytes of messages that may wait for each other shard behind a full lane, before telling it is refused. Signals are not
    /// counted. Default 64 KiB.
    pub outbox_bytes: usize,
    /// Words of the batch in which what is told to another shard waits, one for each. It is published when it is full,
    /// and at the end of each turn at the latest. From 64 to 1,048,576; default 256 (2 KiB).
    pub batch_words: usize,
    /// How top-level actors are looked after. Default: restarted, without a limit, unless they could not start or failed with
    /// whom they watched.
    pub supervision: Strategy,
    /// Settles the random part of waits between restarts: kernels of the same seed and place throw the same dice.
    /// Default zero, which is as good as any.
    pub seed: u64,
    /// For tests of what happens when a cell's generations are used up: how many fresh cells start with. `None` for
    /// all sixty-seven million.
    pub generations: Option<u32>,
}

impl Default for KernelConfig {
    fn default() -> Self {
        let mut shares = [0; GROUPS];
        shares[Group::Urgent as usize] = 512;
        shares[Group::Normal as usize] = 512;
        shares[Group::Bulk as usize] = 128;
        shares[Group::Background as usize] = 32;
        KernelConfig {
            shares,
            budget: 512,
            queue_share: 64,
            outbox_bytes: 64 << 10,
            batch_words: 256,
            supervision: Strategy::one_for_one(),
            seed: 0,
            generations: None,
        }
    }
}

/// Bounds of [`KernelConfig::batch_words`].
const BATCH_WORDS_MIN: usize = 64;
const BATCH_WORDS_MAX: usize = 1 << 20;

impl KernelConfig {
    /// Whether each setting is within its bounds.
    pub(crate) fn check(&self) -> Result<(), KernelError> {
        if self.shares.contains(&0) || self.budget == 0 {
            return Err(KernelError::Config("every group's share and the budget must be at least 1"));
        }
        if !(1..=256).contains(&self.queue_share) {
            return Err(KernelError::Config("queue_share counts 256ths of the region, from 1 to 256"));
        }
        if !(BATCH_WORDS_MIN..=BATCH_WORDS_MAX).contains(&self.batch_words) {
            return Err(KernelError::Config("batch_words must be from 64 to 1,048,576"));
        }
        Ok(())
    }
}
