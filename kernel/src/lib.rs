//! placeholder
#![no_std]
#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod actor;
mod address;
mod ask;
mod attachment;
mod backlog;
mod behavior;
mod context;
mod dispatch;
mod erased;
mod error;
mod exit;
mod extension;
mod failure;
mod inlet;
mod kernel;
mod lane;
mod letters;
mod lifecycle;
pub mod limits;
mod names;
mod parcel;
mod pool;
mod prefetch;
mod probe;
mod protocol;
mod queue;
mod record;
mod region;
mod root;
mod scope;
mod shelf;
mod side;
mod sync;
mod teardown;
mod time;
mod timers;
mod watch;
mod wheel;

pub use actor::{Actor, StopReason, Terminated};
pub use address::{ActorRef, Address, Group, Place, RealmsExhausted, ReplyTo, Seat};
pub use context::Ctx;
pub use dispatch::Turn;
pub use error::{AskError, KernelError, OutOfMemory, SpawnError, StashError, TellError};
pub use failure::{Failure, FailureKind, Outcome, TEXT_MAX};
pub use kernel::{Kernel, KernelConfig, Stats};
#[cfg(not(loom))]
pub use lane::LaneMemory;
#[cfg(feature = "alloc")]
pub use lane::lane;
pub use lane::{LaneReceiver, LaneSender};
pub use letters::{DeadLetter, DeadReason};
pub use probe::Observe;
pub use region::{REGION_MIN, Region, RegionError};
pub use scope::{Scope, Spawner};
pub use time::Time;
pub use timers::TimerKey;
