//! Lanes: what crosses between two kernels of a realm arrives once and in order, spills when a lane is full, is refused
//! when its outbox is full as well, and never stands in a signal's way.

#[path = "../common/mod.rs"]
mod common;

mod crossing;
mod ends;
mod floods;
mod handling;
#[cfg(feature = "alloc")]
mod heap;
mod realms;
