//! Supervision: what a parent wants done about a child that failed.
//!
//! A failing actor does not mend itself; its parent decides. Two hooks of [`Actor`](crate::Actor) say how:
//! [`strategy`](crate::Actor::strategy) gives a small value (whom a decision concerns, how often a child may be
//! restarted, how long to wait before), and [`decide`](crate::Actor::decide) gives the [`Directive`] for one failure.
//! Both have defaults, so that an actor which says nothing has its children restarted.
//!
//! What stands here is arithmetic on values: it knows neither cells nor hooks. The decision is asked for in
//! `lifecycle/deciding.rs` and carried out in `lifecycle/restarting.rs` and `lifecycle/stopping.rs`.

mod strategy;
mod ward;

pub(crate) use strategy::Reach;
pub use strategy::{Directive, Strategy};
pub(crate) use ward::{Step, Ward};
