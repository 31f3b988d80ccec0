//! The system calls this program makes, each under a safe face: write, exit, and what a timer signal needs.
//!
//! Linux takes the number in `rax` and the arguments in `rdi`, `rsi`, `rdx`, `r10`; it clobbers `rcx` and `r11`, and
//! answers in `rax`, where the last 4095 values are errors.

#![expect(unsafe_code, reason = "system calls")]

use core::arch::{asm, global_asm};
use core::fmt;

const WRITE: usize = 1;
const RT_SIGACTION: usize = 13;
const RT_SIGPROCMASK: usize = 14;
const SETITIMER: usize = 38;
const RT_SIGSUSPEND: usize = 130;
const EXIT_GROUP: usize = 231;

const STANDARD_OUTPUT: usize = 1;
const EINTR: usize = 4;

/// The only signal used here.
const SIGALRM: usize = 14;
/// The signal as a set: bit n - 1 stands for signal n.
const SET_OF_SIGALRM: u64 = 1 << (SIGALRM - 1);
const EMPTY_SET: u64 = 0;
const SIG_BLOCK: usize = 0;
const SIG_UNBLOCK: usize = 1;
const ITIMER_REAL: usize = 0;
/// Restart what the signal interrupted; the return from the handler is ours.
const SA_FLAGS: u64 = 0x1000_0000 | 0x0400_0000;

/// The system refused a call, with this error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) usize);

/// # Safety
/// The arguments must be what the call `number` asks for: most are read as addresses.
unsafe fn call(number: usize, arguments: [usize; 4]) -> Result<usize, Refused> {
    let [first, second, third, fourth] = arguments;
    let answer: usize;
    // SAFETY: the registers are those of the calling convention; memory behind the arguments is the caller's matter.
    unsafe {
        asm!("syscall", inout("rax") number => answer, in("rdi") first, in("rsi") second, in("rdx") third,
            in("r10") fourth, out("rcx") _, out("r11") _, options(nostack));
    }
    if answer > usize::MAX - 4095 { Err(Refused(answer.wrapping_neg())) } else { Ok(answer) }
}

/// Ends the program with `status`, of which the system keeps the low eight bits.
pub(crate) fn exit(status: u32) -> ! {
    // SAFETY: the call takes a number and does not return.
    let _ = unsafe { call(EXIT_GROUP, [status as usize, 0, 0, 0]) };
    unreachable!("the system does not return from exit_group")
}

/// Standard output, written without a buffer.
#[derive(Debug, Default)]
pub(crate) struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut left = text.as_bytes();
        while !left.is_empty() {
            // SAFETY: address and length are those of a live slice, which is only read.
            match unsafe { call(WRITE, [STANDARD_OUTPUT, left.as_ptr().addr(), left.len(), 0]) } {
                Ok(0) => return Err(fmt::Error),
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(Refused(EINTR)) => {}
                Err(Refused(_)) => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

/// What the system keeps for a signal; the layout is the system's own, not that of a C library.
#[repr(C)]
struct SignalAction {
    handler: extern "C" fn(i32),
    flags: u64,
    restorer: unsafe extern "C" fn(),
    mask: u64,
}

/// Microseconds in two halves, as `setitimer` reads them.
#[repr(C)]
struct Interval {
    repeat_seconds: i64,
    repeat_micros: i64,
    first_seconds: i64,
    first_micros: i64,
}

unsafe extern "C" {
    fn return_from_signal();
}

global_asm!(
    ".section .text.return_from_signal, \"ax\", @progbits",
    ".global return_from_signal",
    ".type return_from_signal, @function",
    "return_from_signal:",
    // rt_sigreturn: the frame it restores lies on the stack.
    "mov eax, 15",
    "syscall",
    "ud2",
    ".size return_from_signal, . - return_from_signal",
);

/// Calls `handler` on the timer signal, every `period_micros` (1 to 999,999) from now on. The handler interrupts
/// whatever runs, and is not itself interrupted by the next signal.
pub(crate) fn start_timer(handler: extern "C" fn(i32), period_micros: u32) -> Result<(), Refused> {
    let action = SignalAction { handler, flags: SA_FLAGS, restorer: return_from_signal, mask: EMPTY_SET };
    let period = i64::from(period_micros);
    let interval =
        Interval { repeat_seconds: 0, repeat_micros: period, first_seconds: 0, first_micros: period };
    // SAFETY: both structures have the system's layout and outlive their call; the old values are not asked for; 8 is
    // the size of the mask.
    unsafe {
        call(RT_SIGACTION, [SIGALRM, (&raw const action).addr(), 0, size_of::<u64>()])?;
        call(SETITIMER, [ITIMER_REAL, (&raw const interval).addr(), 0, 0])?;
    }
    Ok(())
}

/// Runs `look` with the timer signal held back; while it answers true, sleeps until the signal has come. No signal is
/// missed between the look and the sleep.
pub(crate) fn sleep_while(look: impl Fn() -> bool) -> Result<(), Refused> {
    change_mask(SIG_BLOCK)?;
    while look() {
        let none = EMPTY_SET;
        // SAFETY: the set outlives the call. It always ends in an error, EINTR, once a handler has run.
        let _ = unsafe { call(RT_SIGSUSPEND, [(&raw const none).addr(), size_of::<u64>(), 0, 0]) };
    }
    change_mask(SIG_UNBLOCK)
}

fn change_mask(how: usize) -> Result<(), Refused> {
    let set = SET_OF_SIGALRM;
    // SAFETY: the set outlives the call; the old one is not asked for.
    unsafe { call(RT_SIGPROCMASK, [how, (&raw const set).addr(), 0, size_of::<u64>()]) }.map(drop)
}
