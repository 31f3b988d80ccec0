//! The demo on a Cortex-M4: see the library `corelane_bare_demo` for what runs, and the library `board` for what
//! it runs on.

#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "`main` is called by its name")]

use core::fmt::Write;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use board::{semihosting, startup, tick};
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

struct CortexM4 {
    console: semihosting::Console,
}

impl Board for CortexM4 {
    type Console = semihosting::Console;

    fn start(&mut self, source: Source) {
        tick::start(Some(SOURCE.init(source)));
    }

    fn ticks(&self) -> u32 {
        tick::count()
    }

    fn wait_past(&mut self, seen: u32) {
        tick::wait_past(seen);
    }

    fn console(&mut self) -> &mut semihosting::Console {
        &mut self.console
    }
}

/// Called by the startup code; what it returns is the exit status.
// SAFETY: the one function of this name, with the signature that the startup code calls.
#[unsafe(no_mangle)]
extern "C" fn main() -> u32 {
    let mut board = CortexM4 { console: semihosting::Console };
    let Some(ends) = LANE.split() else { return STATUS_TROUBLE };
    let status = match run(&mut board, REGION.take(), ends) {
        Ok(verdict) if verdict.passed() => 0,
        Ok(_) => STATUS_FAILED,
        Err(trouble) => {
            let _ = writeln!(board.console, "trouble: {trouble}");
            STATUS_TROUBLE
        }
    };
    let (stack, used) = startup::stack_use();
    let _ = writeln!(board.console, "board: {used} of {stack} bytes of stack used");
    status
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(semihosting::Console, "{info}");
    semihosting::exit(STATUS_PANIC)
}
