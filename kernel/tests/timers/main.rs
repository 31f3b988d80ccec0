//! Timers: keyed messages once or periodically, alarms, and the receive time-out. None fires early, and none after it was
//! cancelled, replaced or its owner stopped, also if it was due.

#[path = "../common/mod.rs"]
mod common;

mod firing;
mod periodic;
mod receive_timeout;
mod rig;
mod turns;
mod waiting;
