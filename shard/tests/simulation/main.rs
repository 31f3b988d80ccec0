//! The simulator: a system of several shards in one thread, from a seed. The same code as under threads, the same trace for
//! the same seed, every fault that was asked for, and rules that notice what is broken.

mod blocking;
mod clock;
mod faults;
mod hosts;
mod losses;
mod random;
mod refusals;
mod rig;
mod shutdown;
mod traces;
