//! The board: everything of a Cortex-M4 that the kernel itself knows nothing of.
//!
//! - [`startup`]: the vector table and the way from reset to `main`
//! - [`tick`]: the SysTick timer, its interrupt handler, and sleeping until the next tick
//! - [`semihosting`]: text and the exit status, through the debugger or the emulator
//!
//! All `unsafe` of the image is in these three files. An image defines `main` and a panic handler.

#![no_std]
#![cfg(target_arch = "arm")]

pub mod semihosting;
pub mod startup;
pub mod tick;
