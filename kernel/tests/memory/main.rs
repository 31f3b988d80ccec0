//! Memory: states of every size and alignment, and a region that is used up at any point whatever. Running out is an
//! answer: nothing has changed then, nothing is lost, and what is given back is used again.

#[path = "../common/mod.rs"]
mod common;

mod full;
mod operations;
mod rig;
mod states;
mod stops;
