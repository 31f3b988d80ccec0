//! The smallest useful image: one actor, its messages, and a timer. Its size is what the kernel costs.
//!
//! The actor adds up the numbers that it is told and gives its sum a few ticks after the last, when its timer comes.
//! The exit status says whether it is right. What is printed besides are figures of what the kernel took.

#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "`main` is called by its name")]

use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use board::{semihosting, startup, tick};
use corelane_kernel::{Actor, Ctx, Failure, Kernel, KernelConfig, KernelError, Outcome, Region, Time};
use static_cell::ConstStaticCell;

const STATUS_WRONG_SUM: u32 = 1;
const STATUS_FAILURE: u32 = 2;
const STATUS_PANIC: u32 = 101;

const REGION_BYTES: usize = 9 * 1024;

static REGION: ConstStaticCell<[MaybeUninit<u8>; REGION_BYTES]> =
    ConstStaticCell::new([MaybeUninit::uninit(); REGION_BYTES]);
/// Where the sum goes, plus one; zero while there is none.
static ANSWER: AtomicU32 = AtomicU32::new(0);

#[derive(Clone)]
enum Msg {
    Add(u32),
    Answer,
}

struct Counter {
    sum: u32,
}

impl Actor for Counter {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Add(n) => {
                self.sum += n;
                ctx.set_timer(0, Duration::from_millis(3), Msg::Answer)?;
            }
            Msg::Answer => {
                ANSWER.store(self.sum + 1, Ordering::Relaxed);
                ctx.stop_self();
            }
        }
        Ok(())
    }
}

/// Apart from what runs it, so that the stack on which a kernel is put together is free again by then.
#[inline(never)]
fn build() -> Result<Kernel, KernelError> {
    Kernel::new(Region::from_static(REGION.take())?, KernelConfig::default())
}

#[inline(never)]
fn count(kernel: &mut Kernel) -> Result<u32, Failure> {
    let counter = kernel.spawn(Counter { sum: 0 })?;
    for n in 1..=10 {
        kernel.tell(counter, Msg::Add(n));
    }
    tick::start(None);
    while kernel.stats().actors > 0 {
        let ticks = tick::count();
        let turn = kernel.turn(Time::from_millis(ticks.into()));
        if turn.handled == 0 && !turn.more {
            tick::wait_past(ticks);
        }
    }
    semihosting::write_number(c"board: bytes of a kernel ", size_of::<Kernel>() as u32);
    semihosting::write_number(c"board: bytes of region used ", kernel.stats().used_bytes as u32);
    Ok(ANSWER.load(Ordering::Relaxed))
}

/// Called by the startup code; what it returns is the exit status.
// SAFETY: the one function of this name, with the signature that the startup code calls.
#[unsafe(no_mangle)]
extern "C" fn main() -> u32 {
    // Used where it was returned to: moving it would take room for another.
    let counted = match &mut build() {
        Ok(kernel) => count(kernel),
        Err(_) => return STATUS_FAILURE,
    };
    semihosting::write_number(c"board: bytes of stack used ", startup::stack_use().1 as u32);
    match counted {
        Ok(answer) if answer == 55 + 1 && tick::count() >= 3 => 0,
        Ok(_) => STATUS_WRONG_SUM,
        Err(_) => STATUS_FAILURE,
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    semihosting::exit(STATUS_PANIC)
}
