//! Corelane's shards: one pinned thread per core, each with a kernel of actors, and the system they make together.
//!
//! A [`System`] starts its shards on the cores that [`topology`] chooses or the [`Builder`] names. Actors are spawned on a
//! shard ([`On`]) and stay there; an [`ActorRef`](corelane_kernel::ActorRef) works from any actor on any shard, and from
//! any thread through a [`Gateway`]. Between two shards lie two lanes, and nothing else is shared on the way of a message.
//!
//! ```text
//!      threads that are no shard                      shard 0 (core 0)              shard 1 (core 1)
//!   ┌──────────┐  gateway's lanes  ┌────────────────────────────┐   lanes   ┌────────────────────────────┐
//!   │ Gateway  │ ────────────────▶ │ inlets → kernel → exits    │ ◀───────▶ │ inlets → kernel → exits    │
//!   └──────────┘                   │ futures, inbox, idle       │           │ futures, inbox, idle       │
//!   ┌──────────┐  requests         │                            │           │                            │
//!   │ Handle   │ ────────────────▶ │ (spawn, call: rare)        │           └────────────────────────────┘
//!   └──────────┘                   └────────────────────────────┘
//! ```
//!
//! # Reading order
//!
//! `turn` (what a shard's thread does) → `wake`, `idle` (how it waits) → `drive` (what a layer above has it drive) →
//! `stall` (who looks whether it does) → `mesh`, `inbox`, `shared` (what it shares) → `handle`, `house`, `system`, `config`
//! (how it is used, built, started and ended) → `deploy` (what is decided for actors by their paths) → `gateway`, `beyond`,
//! `local`, `future`, `blocking`, `routees`, `spread` (what uses it) → `topology`, `affinity`, `memory` (what it runs on) →
//! `host` (who runs the shards), [`sim`] (all of this in one thread, from a seed), [`testkit`] (tests of actors). Beside them:
//! `services` (what hangs on a system) → `registry`, `events`, `receptionist`, `steward`, `roster`, `extensions`,
//! `coordinated` (each of it).
//!
//! # Which way to spawn
//!
//! An actor is the child of the one that spawns it, which supervises it and does not outlive it; or it stands at the top.
//!
//! | who spawns | a child | an actor at the top |
//! |---|---|---|
//! | an actor, beside itself | [`Ctx::spawn_from`], [`Ctx::spawner`]: it is there at once | [`Ctx::scope`], then [`Scope::spawner`] |
//! | an actor, on any shard | [`ShardCtx::child_spawner`] by [`On`], [`Ctx::child_on`] by number: the actor is told when it is there | [`ShardCtx::spawn_on`], [`ShardCtx::spawner_on`]: likewise |
//! | a thread that is no shard, which blocks | | [`Handle::spawn`], [`Handle::spawn_on`]; with a name [`Handle::spawn_named`], [`Handle::spawner`] |
//! | code on a shard that is no actor | [`Scope::child_on`], on an actor's behalf | [`Scope::spawner`] |
//! | a pool, its routees | [`Pool`] beside the owner; [`SpreadPool`] on any shards, or [`Routees`] by hand; `RemotePool` of `corelane-net` on other hosts | |
//!
//! The short ones take a factory and no more; a spawner also takes a name, a scheduling group and a mailbox bound. What is
//! decided for the path of a name comes before all that ([`Deployment`]).
//!
//! [`Ctx::child_on`]: corelane_kernel::Ctx::child_on
//! [`Ctx::scope`]: corelane_kernel::Ctx::scope
//! [`Ctx::spawn_from`]: corelane_kernel::Ctx::spawn_from
//! [`Ctx::spawner`]: corelane_kernel::Ctx::spawner
//! [`Pool`]: corelane_kernel::router::Pool
//! [`Scope::child_on`]: corelane_kernel::Scope::child_on
//! [`Scope::spawner`]: corelane_kernel::Scope::spawner
//!
//! # Blocking
//!
//! A handler must not block: its shard does nothing else meanwhile. Futures run on the shard and answer with a message
//! ([`ShardCtx::spawn_future`]); blocking work goes to a pool and answers with a message ([`ShardCtx::offload`]).

mod affinity;
mod beyond;
mod blocking;
mod clock;
pub mod config;
mod coordinated;
mod deploy;
mod drive;
mod error;
mod events;
mod extensions;
mod future;
mod gateway;
mod handle;
mod host;
mod house;
mod idle;
mod inbox;
mod local;
mod log;
mod memory;
mod mesh;
mod panics;
mod receptionist;
mod registry;
mod report;
mod roster;
mod routees;
mod services;
mod shared;
pub mod sim;
mod spawn;
mod spread;
mod stall;
mod steward;
mod sync;
mod system;
pub mod testkit;
pub mod topology;
mod turn;
mod unwind;
mod wake;
#[cfg(all(test, loom))]
mod wake_model;

pub use beyond::Beyond;
pub use config::{Builder, REGION_BYTES_MAX};
#[cfg(feature = "config")]
pub use config::{Config, ConfigError, Sources};
pub use coordinated::{
    AddTaskError, CoordinatedShutdown, PhaseError, SHUTDOWN_TASKS_MAX, ShutdownPhase, ShutdownReason,
    ShutdownTask,
};
pub use deploy::{
    DeployPathError, DeployPool, DeployPoolError, Deployment, RouteesOn, RouterKind, ShardSpawner,
    SystemSpawner, split_host_name,
};
pub use drive::{Driven, Driver, DriverWaker, InstallDriverError, install_driver};
pub use error::{BoxError, CallError, GatewayAskError, LookupError, OffloadError, SpawnOnError, StartError};
pub use events::EventStream;
pub use extensions::{Extension, Loading, MissingExtension};
pub use gateway::Gateway;
pub use handle::Handle;
pub use idle::Idle;
pub use local::ShardCtx;
pub use receptionist::{Key, Listing, Receptionist};
pub use report::{PhaseReport, Report, ShardReport, ShardStats};
pub use routees::Routees;
pub use spawn::On;
pub use spread::{NewRoutee, NoRoutee, RouteeSource, SpreadPool};
pub use system::System;
