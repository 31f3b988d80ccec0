//! The clock of a system: nanoseconds since it started, read once per turn by each shard.

use std::time::Instant;

use corelane_kernel::Time;

/// Counts from the start of its system; all shards share one start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { start: Instant::now() }
    }

    #[inline]
    pub(crate) fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}
