//! State machines: what an event does depends on the state; steps are values; time-outs end with the next event;
//! transitions are seen by hooks and observers; an end has a reason, a state and data.

#[path = "../common/mod.rs"]
mod common;

mod alarms;
mod ends;
mod hooks;
mod rig;
mod steps;
mod time_outs;
mod transitions;
