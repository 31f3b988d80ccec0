//! What the bare-metal images run: a few actors over a static region, timers fed from a tick, and messages that an
//! interrupt handler writes into a lane.
//!
//! The story is a small measuring device. A converter is read at each tick, inside the interrupt, and its samples go
//! to a meter; now and then it delivers a burst that is larger than the lane, so that the handler gets messages back
//! and must offer them again. A recorder asks the meter for its window at every beat of a timer. A faulty part fails
//! on its first message, an alarm is cancelled before it goes off, and whoever watches is told of each end once.
//!
//! - [`samples`]: the converter, and what all of its samples come to
//! - [`source`]: the interrupt's half, which owns the lane's sending end
//! - [`actors`]: the other half
//! - [`verdict`]: the checks, each a sentence and whether it held
//!
//! What a board is, it says itself by [`Board`]: a tick, a way to sleep until the next one, and a console. There is no
//! `unsafe`, no allocator, no `std` and no clock in here; the board's files hold all that depends on the platform.

#![no_std]
#![forbid(unsafe_code)]

use core::fmt::{self, Write};
use core::mem::MaybeUninit;

use corelane_kernel::{
    DeadReason, Kernel, KernelConfig, KernelError, LaneReceiver, LaneSender, OutOfMemory, Region, SpawnError,
    Stats, Time,
};

use actors::{Device, Log, Meter, Reading, states};

pub mod actors;
pub mod samples;
pub mod source;
pub mod verdict;

pub use source::Source;
pub use verdict::Verdict;

/// Bytes of region that the demo needs.
pub const REGION_BYTES: usize = 20 * 1024;

/// Words of the lane between the interrupt and the kernel. A burst does not fit, which is the point.
pub const LANE_WORDS: usize = 64;

/// Ticks after which the demo gives up: about five times what it takes.
const TICKS_MAX: u32 = 3_000;

/// What the demo needs of the machine under it.
pub trait Board {
    /// What is printed goes here.
    type Console: fmt::Write;

    /// Starts the tick, a thousand a second. At each one the board counts it and then calls
    /// [`Source::on_interrupt`], in interrupt context. Called once.
    fn start(&mut self, source: Source);

    /// Ticks since the start.
    fn ticks(&self) -> u32;

    /// Sleeps until the count of ticks is no longer `seen`. Must not miss a tick that comes just before it sleeps.
    fn wait_past(&mut self, seen: u32);

    /// The console.
    fn console(&mut self) -> &mut Self::Console;
}

/// Why the demo did not come to a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The kernel could not be built.
    Kernel(KernelError),
    /// The first actor could not be spawned.
    Spawn(SpawnError),
    /// The region has no room for the lane or the log.
    NoRoom,
    /// The actors were not done after many times the ticks it should take.
    Late,
    /// The console refused.
    Console,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Kernel(error) => write!(f, "the kernel could not be built: {error}"),
            Trouble::Spawn(error) => write!(f, "the first actor could not be spawned: {error}"),
            Trouble::NoRoom => f.write_str("the region has no room for the lane or the log"),
            Trouble::Late => write!(f, "the actors were not done after {TICKS_MAX} ticks"),
            Trouble::Console => f.write_str("the console refused"),
        }
    }
}

impl core::error::Error for Trouble {}

impl From<KernelError> for Trouble {
    fn from(error: KernelError) -> Trouble {
        Trouble::Kernel(error)
    }
}

impl From<SpawnError> for Trouble {
    fn from(error: SpawnError) -> Trouble {
        Trouble::Spawn(error)
    }
}

impl From<OutOfMemory> for Trouble {
    fn from(_: OutOfMemory) -> Trouble {
        Trouble::NoRoom
    }
}

impl From<fmt::Error> for Trouble {
    fn from(_: fmt::Error) -> Trouble {
        Trouble::Console
    }
}

/// Runs the demo to its end on `board`, in `memory` of at least [`REGION_BYTES`], and prints its checks.
///
/// # Errors
/// [`Trouble`] if it could not start, or did not end.
pub fn run<B: Board>(
    board: &mut B,
    memory: &'static mut [MaybeUninit<u8>],
    (sender, receiver): (LaneSender, LaneReceiver),
) -> Result<Verdict, Trouble> {
    let states_before = states();
    // Used where it was returned to: a kernel is large for a small stack, and moving it would take room for another.
    let (log, stats, late) = match &mut build(memory, receiver) {
        Ok(kernel) => drive(kernel, board, sender)?,
        Err(trouble) => return Err(*trouble),
    };
    let (made, dropped) = states();
    let verdict =
        Verdict { log, stats, late, made: made - states_before.0, dropped: dropped - states_before.1 };

    let ticks = board.ticks();
    verdict.print(board.console())?;
    writeln!(
        board.console(),
        "board: {} ticks, {} windows, {} messages, {} of {} bytes of the region used",
        ticks,
        verdict.log.windows,
        stats.handled,
        stats.used_bytes,
        stats.region_bytes
    )?;
    Ok(verdict)
}

/// Apart from what runs it, so that the stack on which a kernel is put together is free again by then.
#[inline(never)]
fn build(memory: &'static mut [MaybeUninit<u8>], receiver: LaneReceiver) -> Result<Kernel, Trouble> {
    let region = Region::from_static(memory).map_err(KernelError::from)?;
    let mut kernel = Kernel::new(region, KernelConfig::default())?;
    kernel.set_extension(Log::EMPTY)?;
    kernel.add_lane(receiver).map_err(|_| Trouble::NoRoom)?;
    Ok(kernel)
}

/// Runs the actors to their end. Gives the log they wrote, the kernel's counts, and how many dead letters one message
/// made that was told after the end.
#[inline(never)]
fn drive<B: Board>(
    kernel: &mut Kernel,
    board: &mut B,
    sender: LaneSender,
) -> Result<(Log, Stats, u64), Trouble> {
    let meter = kernel.spawn(Meter::new())?;
    kernel.spawn(Device::new(meter))?;
    board.start(Source::new(sender, meter));

    while kernel.stats().actors > 0 {
        let ticks = board.ticks();
        if ticks > TICKS_MAX {
            return Err(Trouble::Late);
        }
        let turn = kernel.turn(Time::from_millis(ticks.into()));
        if turn.handled == 0 && !turn.more {
            board.wait_past(ticks);
        }
    }

    let before = kernel.dead_letters(DeadReason::NoActor);
    kernel.tell(meter, Reading::Sample(0));
    let now = Time::from_millis(board.ticks().into());
    while kernel.turn(now).more {}
    let late = kernel.dead_letters(DeadReason::NoActor) - before;

    let log = kernel.extension::<Log>().map_or(Log::EMPTY, |log| log.clone());
    Ok((log, kernel.stats(), late))
}
