//! Restarts: what stays, what ends, in which order, and what happens when a step of it goes wrong itself.

#[path = "../common/mod.rs"]
mod common;

mod cut_short;
mod ends;
mod rig;
mod stays;
mod unmade;
