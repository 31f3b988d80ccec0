//! What a simulation may do to its system: the ranges from which it draws, and how often things go wrong.

use std::ops::RangeInclusive;
use std::time::Duration;

use corelane_kernel::Strategy;

/// Ranges and chances of a [`Sim`](super::Sim). Each range is drawn from again and again, or once where that is said; a
/// chance is *one in so many times*, and never for zero.
///
/// ```
/// use corelane_shard::sim::Options;
///
/// // Lanes that are always full, and a system that is otherwise well.
/// let options = Options { lane_words: 256..=256, outbox_bytes: 1024..=1024, ..Options::calm() };
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// Messages that each scheduling group may handle in a turn, and the kernel's budget: drawn once for each of them, the
    /// same on all shards.
    pub budgets: RangeInclusive<u32>,
    /// Eight-byte words of the lanes for messages, rounded up to a power of two. Drawn once. A message must fit twice.
    pub lane_words: RangeInclusive<usize>,
    /// Words of the lanes for signals, at least 64. Drawn once.
    pub signal_words: RangeInclusive<usize>,
    /// Words of a batch, from 64. Drawn once.
    pub batch_words: RangeInclusive<usize>,
    /// Bytes that may wait behind a full lane. Drawn once.
    pub outbox_bytes: RangeInclusive<usize>,
    /// Bytes of each shard's region, at least 64 KiB. One that is small is used up on the way: what finds no room in it is
    /// refused, or goes without, which the trace counts as a fault.
    pub region_bytes: usize,
    /// Generations of a fresh cell, as in [`KernelConfig`](corelane_kernel::KernelConfig).
    pub generations: Option<u32>,
    /// What becomes of top-level actors that fail, as in [`KernelConfig`](corelane_kernel::KernelConfig).
    pub supervision: Strategy,
    /// Blocking jobs that run at one time.
    pub blocking_threads: usize,
    /// How long a shard's step takes.
    pub step_time: RangeInclusive<Duration>,
    /// How long what is published in a lane takes to be seen.
    pub lane_time: RangeInclusive<Duration>,
    /// How long a shard that sleeps takes to wake up.
    pub wake_time: RangeInclusive<Duration>,
    /// How long a blocking job takes.
    pub job_time: RangeInclusive<Duration>,
    /// Steps, one of which a stall follows: the shard does nothing for a while.
    pub stall_one_in: u32,
    /// How long a stall lasts.
    pub stall_time: RangeInclusive<Duration>,
    /// Steps, before one of which the clock jumps forward.
    pub clock_jump_one_in: u32,
    /// How far it jumps.
    pub clock_jump: RangeInclusive<Duration>,
    /// Steps, one of which reads an earlier time than the one before.
    pub clock_back_one_in: u32,
    /// How much earlier.
    pub clock_back: RangeInclusive<Duration>,
    /// Handlers of actors in a [`Chaos`](super::Chaos), one of which panics.
    pub panic_one_in: u32,
    /// Steps, before one of which the system is asked to shut down, as by [`Handle::request_shutdown`](crate::Handle::request_shutdown),
    /// whatever is under way: at most once. A story hears of it by
    /// [`Simulation::is_asked_to_end`](super::Simulation::is_asked_to_end), and returns.
    pub shutdown_one_in: u32,
    /// Steps, one of which a shard does not take: it is lost, with all who live there, as if its thread had ended by a panic that
    /// nobody caught. The others hear that it is `Unreachable`. It is never the last that is left. A story hears of it by
    /// [`Simulation::is_lost`](super::Simulation::is_lost); the report of the system names it as one that has not ended.
    pub shard_loss_one_in: u32,
    /// Events after which a simulation is taken for one that never ends.
    pub events_max: u64,
    /// How long the end of the system may take.
    pub shutdown_within: Duration,
    /// Keep the trace's events, and not only their hash.
    pub record: bool,
}

const fn micros(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_micros(from)..=Duration::from_micros(to)
}

impl Options {
    /// Nothing goes wrong, and nothing is small: only the order of things is drawn.
    pub fn calm() -> Options {
        Options {
            budgets: 512..=512,
            lane_words: 8192..=8192,
            signal_words: 1024..=1024,
            batch_words: 256..=256,
            outbox_bytes: 64 << 10..=64 << 10,
            region_bytes: 4 << 20,
            generations: None,
            supervision: Strategy::one_for_one(),
            blocking_threads: 4,
            step_time: micros(1, 3),
            lane_time: micros(0, 1),
            wake_time: micros(1, 50),
            job_time: micros(10, 1000),
            stall_one_in: 0,
            stall_time: micros(0, 0),
            clock_jump_one_in: 0,
            clock_jump: micros(0, 0),
            clock_back_one_in: 0,
            clock_back: micros(0, 0),
            panic_one_in: 0,
            shutdown_one_in: 0,
            shard_loss_one_in: 0,
            events_max: 100_000_000,
            shutdown_within: Duration::from_secs(3600),
            record: true,
        }
    }
}

impl Default for Options {
    /// Small lanes and budgets, long ways, and everything that can go wrong does, now and then.
    fn default() -> Options {
        Options {
            budgets: 1..=64,
            lane_words: 256..=2048,
            signal_words: 64..=1024,
            batch_words: 64..=256,
            outbox_bytes: 1 << 10..=64 << 10,
            step_time: micros(1, 20),
            lane_time: micros(0, 200),
            wake_time: micros(1, 300),
            job_time: micros(10, 20_000),
            stall_one_in: 200,
            stall_time: micros(100, 20_000),
            clock_jump_one_in: 2000,
            clock_jump: micros(1000, 2_000_000),
            clock_back_one_in: 200,
            clock_back: micros(1, 5000),
            panic_one_in: 100,
            ..Options::calm()
        }
    }
}
