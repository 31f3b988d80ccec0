//! The demo as a Linux program without a C library, without `std` and without an allocator: the system's kernel is only
//! its console, its alarm clock and its exit.
//!
//! - [`start`]: from the first instruction to here, and the memory functions that the compiler may call
//! - [`system`]: the system calls
//! - [`tick`]: the timer signal, which stands in for an interrupt
//!
//! See the library `corelane_bare_demo` for what runs.

#![no_std]
#![no_main]

mod start;
mod system;
mod tick;

use core::fmt::Write;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use corelane_bare_demo::{Board, LANE_WORDS, REGION_BYTES, Source, run};
use corelane_kernel::LaneMemory;
use static_cell::{ConstStaticCell, StaticCell};

const STATUS_FAILED: u32 = 1;
const STATUS_TROUBLE: u32 = 2;
const STATUS_PANIC: u32 = 101;

static REGION: ConstStaticCell<[MaybeUninit<u8>; REGION_BYTES]> =
    ConstStaticCell::new([MaybeUninit::uninit(); REGION_BYTES]);
static LANE: LaneMemory<LANE_WORDS> = LaneMemory::new();
static SOURCE: StaticCell<Source> = StaticCell::new();

struct Process {
    console: system::Console,
}

impl Process {
    /// Without its tick the demo cannot go on.
    fn must<T>(&mut self, what: &str, answer: Result<T, system::Refused>) -> T {
        match answer {
            Ok(value) => value,
            Err(system::Refused(error)) => {
                let _ = writeln!(self.console, "trouble: the system refused to {what}: error {error}");
                system::exit(STATUS_TROUBLE)
            }
        }
    }
}

impl Board for Process {
    type Console = system::Console;

    fn start(&mut self, source: Source) {
        let answer = tick::start(SOURCE.init(source));
        self.must("start the timer", answer);
    }

    fn ticks(&self) -> u32 {
        tick::count()
    }

    fn wait_past(&mut self, seen: u32) {
        let answer = tick::wait_past(seen);
        self.must("wait for the timer", answer);
    }

    fn console(&mut self) -> &mut system::Console {
        &mut self.console
    }
}

/// Called by the startup code on the program's first stack.
extern "C" fn main() -> ! {
    let mut board = Process { console: system::Console };
    let Some(ends) = LANE.split() else { system::exit(STATUS_TROUBLE) };
    let status = match run(&mut board, REGION.take(), ends) {
        Ok(verdict) if verdict.passed() => 0,
        Ok(_) => STATUS_FAILED,
        Err(trouble) => {
            let _ = writeln!(board.console, "trouble: {trouble}");
            STATUS_TROUBLE
        }
    };
    system::exit(status)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(system::Console, "{info}");
    system::exit(STATUS_PANIC)
}
