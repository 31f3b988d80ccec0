//! Routers: which of several actors gets a message.
//!
//! Routing happens in the sender. A [`Router`] is a value in the sending actor's own state, no actor that messages pass
//! through: it picks an address, and the message is told straight to it. So a routed tell costs a plain one and a pick,
//! waits in no queue twice, and two senders share nothing. Each sender has a router of its own.
//!
//! | word | meaning |
//! |---|---|
//! | routee | an actor that a router may pick ([`Routee`]) |
//! | strategy | how one is picked: [`RoundRobin`], [`Random`], [`SmallestLoad`], [`ConsistentHash`], any [`Strategy`], or one chosen at run time ([`AnyStrategy`]) |
//! | group | a router whose routees are given to it: [`Router::add`], [`Router::add_watched`] |
//! | pool | a router whose routees are spawned, supervised and counted by their owner ([`Pool`]) |
//! | load | messages that a routee was given and has not finished, as far as its router knows ([`Router::done`]) |
//! | resizer | what decides how many routees a pool has, by their load ([`Resizer`]) |
//!
//! What goes to more than one routee needs no strategy: [`Router::broadcast`] tells all, [`Router::scatter_gather`] asks
//! all and takes the first answer, [`Router::tail_chop`] asks one after the other until an answer comes.
//!
//! # Life of a routee
//!
//! A router holds addresses, and holding one keeps nothing alive. An owner that watches its routees gives the end of each
//! to [`Router::evict`] or [`Pool::evict`], which says when the last one is gone. What is told through a router without
//! routees becomes a dead letter, and what is asked has its error at once.
//!
//! # A strategy alone
//!
//! A strategy is a plain value that needs no router: it picks an index from a row of routees. Whoever tells from elsewhere,
//! over a gateway for instance, takes the address from [`Router::pick_for`] and tells it himself.
//!
//! ```
//! use corelane_kernel::ActorRef;
//! use corelane_kernel::router::{RoundRobin, Routee, Strategy};
//!
//! let row = [ActorRef::<u64>::nobody(); 3].map(Routee::new);
//! let mut turns = RoundRobin::new();
//! let picked: Vec<_> = (0..4).map(|n| turns.pick(&row, &n)).collect();
//! assert_eq!(picked, [Some(0), Some(1), Some(2), Some(0)]);
//! ```
//!
//! # Reading order
//!
//! `strategy` (what picking is) → `round_robin`, `random`, `smallest_load`, `hashing` (how), `any` (how, chosen at run time)
//! → `route` (the router) → `gather`, `chop` (asking several) → `resizer` (how many) → `pool` (whose).

mod any;
mod chop;
mod gather;
mod hashing;
mod pool;
mod random;
mod resizer;
mod round_robin;
mod route;
mod smallest_load;
mod strategy;

pub use any::{AnyStrategy, NoKey, RouterKind, UnfitKind};
pub use hashing::{ByMessage, ConsistentHash, HashKey, KeyHasher, KeyOf};
pub use pool::{Pool, PoolError};
pub use random::Random;
pub use resizer::{Resizer, ResizerConfig, ResizerError, Sample};
pub use round_robin::RoundRobin;
pub use route::{AddError, Evicted, Router};
pub use smallest_load::SmallestLoad;
pub use strategy::{Blind, Routee, Strategy};
