//! Supervision: the parent decides about a child that failed, whom that concerns, and how often.

#[path = "../common/mod.rs"]
mod common;

mod deciding;
mod directives;
mod limits;
mod onlookers;
mod reach;
