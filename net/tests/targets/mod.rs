//! What must hold for any bytes from a peer. Run over random bytes by `tests/hostile.rs`, and for as long as one likes by the
//! fuzz targets in `fuzz/`, each of which includes the files that it needs.

pub(crate) mod chunk;
pub(crate) mod envelope;
pub(crate) mod frames;
pub(crate) mod hello;
pub(crate) mod link;
mod messages;
mod reading;
