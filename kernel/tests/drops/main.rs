//! Whatever a kernel was given is dropped exactly once: with its actor, however that ends, or with the kernel.

#[path = "../common/mod.rs"]
mod common;

mod actors;
#[cfg(feature = "alloc")]
mod heap;
mod kernels;
mod lanes;
mod messages;
