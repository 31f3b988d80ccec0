//! Routers: who gets a message, who is asked, and what becomes of a router whose routees come and go.

#[path = "../common/mod.rs"]
mod common;

mod afar;
mod asking;
mod hashing;
mod load;
mod rig;
mod routees;
mod telling;
