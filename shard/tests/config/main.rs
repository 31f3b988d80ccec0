//! Configuration from files and variables: precedence, origins, and errors that name the place, what was found there and
//! what is allowed.

#[path = "../common/mod.rs"]
mod common;

mod listed;
mod random;
mod refused;
mod rig;
mod values;
