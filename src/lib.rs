//! Corelane: an actor runtime at the speed of the core.
//!
//! One thread per core, one kernel of actors per thread, lock-free lanes between them. This crate is the facade: it
//! re-exports the [`kernel`] (actors in an arena, no `std`) and the [`shard`] crate (pinned cores, the system), and its
//! [`prelude`] is what most programs import.
//!
//! ```
//! use corelane::prelude::*;
//! use std::time::Duration;
//!
//! enum Msg { Add(u64), Get(ReplyTo<u64>) }
//!
//! struct Counter { total: u64 }
//!
//! impl Actor for Counter {
//!     type Msg = Msg;
//!     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         match msg {
//!             Msg::Add(n) => self.total += n,
//!             Msg::Get(reply) => ctx.tell(reply, self.total),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let system = System::builder().shards(1).start()?;
//! let counter = system.spawn(|| Counter { total: 0 })?;
//! let mut gateway = system.gateway()?;
//! gateway.tell(counter, Msg::Add(40));
//! gateway.tell(counter, Msg::Add(2));
//! assert_eq!(gateway.ask(counter, Duration::from_secs(5), Msg::Get)?, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use corelane_kernel as kernel;
pub use corelane_shard as shard;

#[cfg(feature = "workloads")]
pub mod workloads;

/// What most programs import.
pub mod prelude {
    pub use corelane_kernel::{
        Actor, ActorRef, Address, AskError, Ctx, DeadLetter, DeadReason, Failure, Group, Outcome, ReplyTo,
        Scope, StopReason, TellError, Terminated, Time,
    };
    pub use corelane_shard::{Gateway, Handle, Idle, On, Report, ShardCtx, System};
}
