//! Panics of user code, wherever it runs: the driver catches them around the turn, and they are the failure of one
//! actor alone. Nothing is lost or dropped twice by them.

#[path = "../common/mod.rs"]
mod common;

mod drops;
mod handlers;
mod minefield;
mod onlookers;
mod rig;
