//! The SysTick timer: the tick that the kernel's time comes from, and the interrupt that writes into the lane.
//!
//! One interrupt does both, as on a part whose converter is started by the timer. The handler counts the tick and then
//! calls the source that [`start`] was given. It runs on the main stack, above whatever it interrupted.

#![expect(unsafe_code, reason = "timer registers, interrupt masking, and the handler's access to its work")]

use core::arch::asm;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use corelane_bare_demo::Source;

/// The core's clock on this board, in hertz.
const CORE_CLOCK_HZ: u32 = 25_000_000;
/// Ticks per second.
const TICK_HZ: u32 = 1_000;
const RELOAD: u32 = CORE_CLOCK_HZ / TICK_HZ - 1;
const _: () = assert!(RELOAD < 1 << 24, "the counter has 24 bits");

const CONTROL: *mut u32 = ptr::without_provenance_mut(0xE000_E010);
const RELOAD_VALUE: *mut u32 = ptr::without_provenance_mut(0xE000_E014);
const CURRENT_VALUE: *mut u32 = ptr::without_provenance_mut(0xE000_E018);
/// Counter on, interrupt on, clocked by the core.
const CONTROL_ON: u32 = 0b111;

static TICKS: AtomicU32 = AtomicU32::new(0);
/// What the handler works with. Null until [`start`]; from then on only the handler looks behind it.
static SOURCE: AtomicPtr<Source> = AtomicPtr::new(ptr::null_mut());

/// Starts the tick. From now on each one calls `on_interrupt` of `source`, if there is one, in interrupt context.
pub fn start(source: Option<&'static mut Source>) {
    SOURCE.store(source.map_or(ptr::null_mut(), ptr::from_mut), Ordering::Release);
    // SAFETY: these are SysTick's registers on every ARMv7-M core, and nothing else here touches them.
    unsafe {
        RELOAD_VALUE.write_volatile(RELOAD);
        CURRENT_VALUE.write_volatile(0);
        CONTROL.write_volatile(CONTROL_ON);
    }
}

/// Ticks since [`start`].
pub fn count() -> u32 {
    TICKS.load(Ordering::Acquire)
}

/// Sleeps until the count is no longer `seen`; returns at once if it is not.
pub fn wait_past(seen: u32) {
    while count() == seen {
        // SAFETY: with interrupts masked no tick can slip in between the look at the count and the sleep; a pending
        // interrupt still ends `wfi`, and is taken as soon as the mask is lifted.
        unsafe {
            asm!("cpsid i", options(nostack, preserves_flags));
            if count() == seen {
                asm!("dsb", "wfi", options(nostack, preserves_flags));
            }
            asm!("cpsie i", "isb", options(nostack, preserves_flags));
        }
    }
}

/// The SysTick handler; the vector table calls it.
pub(crate) unsafe extern "C" fn interrupt() {
    TICKS.store(TICKS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    let source = SOURCE.load(Ordering::Acquire);
    // SAFETY: the pointer is null or came from the `&'static mut` given to `start`, which nobody else kept; SysTick
    // does not interrupt itself, so this is the only reference.
    if let Some(source) = unsafe { source.as_mut() } {
        source.on_interrupt();
    }
}
