//! The vector table and the way from reset to `main`.
//!
//! `reset` is assembly, since no Rust may run before the statics hold their values: it turns the floating-point unit
//! on, paints the stack so that its deepest use can be told afterwards, copies `.data`, clears `.bss`, calls
//! `main` and exits with what that returns. `link.x` puts the initial stack pointer in front of the table.

#![expect(unsafe_code, reason = "startup code and the symbols of the linker script")]

use core::arch::global_asm;
use core::ptr;

use crate::{semihosting, tick};

/// The exit status after a fault of the processor: an access outside memory, an overflow of the stack, a bad
/// instruction.
pub const STATUS_FAULT: u32 = 102;

/// What the stack is filled with before anything runs on it.
const PAINT: u32 = 0xA5A5_A5A5;

#[derive(Clone, Copy)]
#[repr(C)]
union Vector {
    handler: unsafe extern "C" fn(),
    reserved: u32,
}

const UNUSED: Vector = Vector { handler: fault };
const RESERVED: Vector = Vector { reserved: 0 };

/// Exceptions 1 to 15 of ARMv7-M, in the order the core looks them up.
// SAFETY: the section is the one that `link.x` places right after the initial stack pointer.
#[unsafe(link_section = ".vector_table")]
#[unsafe(no_mangle)]
static VECTORS: [Vector; 15] = [
    Vector { handler: reset },
    UNUSED, // NMI
    Vector { handler: fault },
    UNUSED, // MemManage
    UNUSED, // BusFault
    UNUSED, // UsageFault
    RESERVED,
    RESERVED,
    RESERVED,
    RESERVED,
    UNUSED, // SVCall
    UNUSED, // DebugMonitor
    RESERVED,
    UNUSED, // PendSV
    Vector { handler: tick::interrupt },
];

unsafe extern "C" {
    fn reset();
    fn fault();
    static __stack_low: u32;
    static __stack_high: u32;
}

global_asm!(
    ".section .text.reset, \"ax\", %progbits",
    ".global reset",
    ".type reset, %function",
    ".thumb_func",
    "reset:",
    // Full access to coprocessors 10 and 11: without it the first floating-point instruction faults.
    "ldr r0, =0xE000ED88",
    "ldr r1, [r0]",
    "orr r1, r1, #0x00F00000",
    "str r1, [r0]",
    "dsb",
    "isb",
    "ldr r0, =__stack_low",
    "ldr r1, =__stack_high",
    "ldr r2, ={paint}",
    "0:",
    "cmp r0, r1",
    "itt lo",
    "strlo r2, [r0], #4",
    "blo 0b",
    "ldr r0, =__data_start",
    "ldr r1, =__data_end",
    "ldr r2, =__data_image",
    "1:",
    "cmp r0, r1",
    "ittt lo",
    "ldrlo r3, [r2], #4",
    "strlo r3, [r0], #4",
    "blo 1b",
    "ldr r0, =__bss_start",
    "ldr r1, =__bss_end",
    "movs r2, #0",
    "2:",
    "cmp r0, r1",
    "itt lo",
    "strlo r2, [r0], #4",
    "blo 2b",
    "bl main",
    "bl {exit}",
    "udf #0",
    ".size reset, . - reset",
    // The stack pointer may be what caused the fault, so the handler starts on a fresh stack; it never returns.
    ".global fault",
    ".type fault, %function",
    ".thumb_func",
    "fault:",
    "ldr r0, =__stack_high",
    "mov sp, r0",
    "bl {report}",
    "udf #0",
    ".size fault, . - fault",
    ".ltorg",
    paint = const PAINT,
    exit = sym exit_from_main,
    report = sym report_fault,
);

extern "C" fn exit_from_main(status: u32) -> ! {
    semihosting::exit(status)
}

extern "C" fn report_fault() -> ! {
    semihosting::write(c"fault: the processor stopped at a bad access or instruction\n");
    semihosting::exit(STATUS_FAULT)
}

/// How many bytes of stack there are, and how many the deepest call chain so far has used, interrupts included.
///
/// The second is the distance from the top to the lowest word whose paint is gone. A frame that was reserved and never
/// written is not seen.
pub fn stack_use() -> (usize, usize) {
    let low = (&raw const __stack_low).addr();
    let high = (&raw const __stack_high).addr();
    let painted = |&word: &usize| {
        // SAFETY: `reset` wrote every word between the two symbols of `link.x`. The search stops at the first word in
        // use, so what it reads is memory of no Rust object; the read is volatile for the same reason.
        unsafe { ptr::with_exposed_provenance::<u32>(word).read_volatile() == PAINT }
    };
    let untouched = (low..high).step_by(size_of::<u32>()).take_while(painted).count() * size_of::<u32>();
    (high - low, high - low - untouched)
}
