//! The timer signal as the tick: the kernel's time comes from it, and its handler writes into the lane.
//!
//! A signal handler is to a process what an interrupt handler is to a core: it runs on the same stack, between any two
//! instructions, and whatever it shares with the rest must be fit for that.

#![expect(unsafe_code, reason = "the handler's access to its work")]

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use corelane_bare_demo::Source;

use crate::system::{self, Refused};

/// The time between two ticks.
const PERIOD_MICROS: u32 = 1_000;

static TICKS: AtomicU32 = AtomicU32::new(0);
/// What the handler works with. Null until [`start`]; from then on only the handler looks behind it.
static SOURCE: AtomicPtr<Source> = AtomicPtr::new(ptr::null_mut());

/// Starts the tick. From now on each one calls `source.on_interrupt()` from the signal handler.
pub(crate) fn start(source: &'static mut Source) -> Result<(), Refused> {
    SOURCE.store(source, Ordering::Release);
    system::start_timer(interrupt, PERIOD_MICROS)
}

/// Ticks since [`start`]. Signals that come while one is pending count as one, so this may be behind the clock on the
/// wall; the demo's time is this count.
pub(crate) fn count() -> u32 {
    TICKS.load(Ordering::Acquire)
}

/// Sleeps until the count is no longer `seen`; returns at once if it is not.
pub(crate) fn wait_past(seen: u32) -> Result<(), Refused> {
    system::sleep_while(|| count() == seen)
}

extern "C" fn interrupt(_signal: i32) {
    TICKS.store(TICKS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    let source = SOURCE.load(Ordering::Acquire);
    // SAFETY: the pointer is null or came from the `&'static mut` given to `start`, which nobody else kept; the signal
    // is held back while its handler runs, so this is the only reference.
    if let Some(source) = unsafe { source.as_mut() } {
        source.on_interrupt();
    }
}
