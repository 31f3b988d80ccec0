//! Corelane: an actor runtime at the speed of the core.
//!
//! One thread per core, one kernel of actors per thread, lock-free lanes between them. This crate is the facade: it
//! re-exports the [`kernel`] (actors in an arena, no `std`), the [`shard`] crate (pinned cores, the system) and, with the
//! feature `net`, the `net` crate (sockets for actors, actors of other hosts). Its [`prelude`] is what most programs
//! import.
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
pub use corelane_kernel::{fsm, pattern, router};
#[cfg(feature = "net")]
pub use corelane_net as net;
pub use corelane_shard as shard;
pub use corelane_shard::{sim, testkit};

#[cfg(feature = "workloads")]
pub mod workloads;

/// What most programs import. What only some need is in the modules beside it.
///
/// ```
/// use corelane::prelude::*;
/// use std::time::Duration;
///
/// # struct Connection;
/// # impl Actor for Connection {
/// #     type Msg = ();
/// #     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// # }
/// struct Connections;
///
/// impl Actor for Connections {
///     type Msg = ();
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         ctx.spawn_from(|| Connection)?;
///         Ok(())
///     }
///     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
///     fn strategy(&self) -> Strategy {
///         let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
///         Strategy::one_for_one().backoff(backoff)
///     }
/// }
/// ```
pub mod prelude {
    pub use corelane_kernel::fsm::{Fsm, FsmCtx, Machine, Next, Step};
    pub use corelane_kernel::router::{Pool, Router};
    pub use corelane_kernel::{
        Actor, ActorRef, Address, AskError, Backoff, Become, Ctx, DeadLetter, DeadReason, Directive, Failure,
        FailureKind, Group, Outcome, ReplyTo, Scope, StopReason, Strategy, TellError, Terminated, Time,
        TimerKey,
    };
    pub use corelane_shard::{
        Builder, DeployPool, Deployment, Gateway, Handle, Idle, Key, Listing, On, Report, ShardCtx,
        SpreadPool, System,
    };
}
