//! Streams of actors, on real sockets with each backend, and in the simulator.

mod connecting;
mod datagrams;
mod rig;
mod serving;
mod simulated;
