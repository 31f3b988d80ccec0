//! The kernel of Corelane: one core's worth of actors, and nothing else.
//!
//! No threads, no sockets, no clock, no allocator, no `std`. Memory is handed over once, as a [`Region`]; time is
//! handed over at each [`Kernel::turn`]. So the same kernel runs under a pinned thread, on a microcontroller, and inside
//! a simulation.
//!
//! ```
//! use core::mem::MaybeUninit;
//! use corelane_kernel::{Actor, ActorRef, Ctx, Kernel, KernelConfig, Outcome, Region, Time};
//!
//! struct Greeter { greeted: u32 }
//!
//! impl Actor for Greeter {
//!     type Msg = &'static str;
//!     fn receive(&mut self, name: &'static str, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         self.greeted += 1;
//!         if name == "last" { ctx.stop_self(); }
//!         Ok(())
//!     }
//! }
//!
//! let memory = Box::leak(Box::new([MaybeUninit::<u8>::uninit(); 64 * 1024]));
//! let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
//! let greeter: ActorRef<&'static str> = kernel.spawn(Greeter { greeted: 0 })?;
//! kernel.tell(greeter, "first");
//! kernel.tell(greeter, "last");
//! while kernel.turn(Time::ZERO).more {}
//! assert_eq!(kernel.stats().actors, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Vocabulary
//!
//! | word | meaning |
//! |---|---|
//! | actor | state that handles messages of one type, one at a time ([`Actor`]) |
//! | cell | where an actor lives: a 32-byte header, then the state; its *index* is its offset in the region |
//! | identity | generation, protocol, group and gate of a cell in one word; an address carries the same word |
//! | gate | the part of the identity that says whether messages may run; zero means yes |
//! | record | a message as it lies in a queue or a lane: two words of head, then the message itself |
//! | queue | a FIFO of records in segments; one for each scheduling group ([`Group`]), one for signals |
//! | lane | a single-producer, single-consumer ring of records between two cores ([`LaneSender`], [`LaneReceiver`]) |
//! | exit, inlet | the lanes that lead out of a kernel, and into it |
//! | batch | what was told to another core and is not yet in its lane |
//! | parcel | a record that waits outside a queue: stashed, behind a suspension, in a timer |
//! | side record | what only some actors need (children, watchers, timers, stash), kept out of the header |
//! | signal | what overtakes messages: start, stop, watch, the end of a watched actor, a failure from outside |
//! | directive | what a parent decides about a child that failed ([`Directive`]): resume, restart, stop, escalate |
//! | instance | one state of an actor: a restart puts the next one in its place, at the same address |
//! | turn | one round of everything a kernel has to do, within budgets ([`Kernel::turn`]) |
//! | realm, seat | a set of kernels that know each other's addresses, and the right to be one of them ([`Seat`]) |
//!
//! # A cell's life
//!
//! ```text
//!   free --spawn--> starting --start--> ready <--suspend/resume--> suspended, backlog
//!    ^                 |  ^               |                              |
//!    |                 |  +---restart-----+---------- fail --------------+
//!    |                 +--stop------------+------------------------------+
//!    |                                    v
//!    +----- dead <---- closing <---- stopping (children first)
//!        watchers told    hook, drop
//! ```
//!
//! The numbered drawing, with the function of each arc, is at the top of `lifecycle/mod.rs`.
//!
//! # A message's life
//!
//! [`Ctx::tell`] writes a record into the queue of the target's group (same place) or into the batch of its shard (another
//! place), which goes into a lane. A turn reads records in order, compares the identity in the record with the one in the cell, and calls the
//! actor's code with the message moved out. Unequal means that the target is gone, suspended, or has duties; that is
//! sorted out off the hot path. Nothing on the way allocates.
//!
//! # Reading order
//!
//! `address`, `limits` (what an address is, every bound) → `size_class`, `region`, `pool`, `shelf`, `parcel` (memory)
//! → `record`, `queue`, `lane` (messages in memory) → `behavior` (types erased) → `config`, `kernel`, `telling`,
//! `dispatch` (telling and turns) → `backoff`, `supervise/` (what may be decided), `lifecycle/` (births, failures,
//! restarts and ends) → `signals`, `watch`, `ties`, `wheel`, `timers`, `ask`, `deadline`, `backlog`, `retiring`,
//! `names`, `grants`, `paths` (what actors can do) → `context`, `scope` (how they do it) → `batch`, `exit`, `exits`,
//! `inlet`, `relay`, `bond`, `outpost` (other cores) → `census`, `border`, `uplink`, `abroad` (other hosts) →
//! `becoming`, `fsm/`, `router/`, `pattern/` (what is made of all that).
//!
//! # Features
//!
//! `alloc`: messages larger than [`limits::MESSAGE_INLINE_MAX`] travel in a box (without it they are a compile error), and
//! lanes can be made on the heap (`lane`).
//!
//! `serde`: [`ActorRef`] travels inside messages that serde writes; needs `std`.

#![no_std]
#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "serde"))]
extern crate std;

mod abroad;
mod actor;
mod address;
mod ask;
mod attachment;
mod backlog;
mod backoff;
mod batch;
mod beacon;
mod becoming;
mod behavior;
mod bond;
#[cfg(feature = "serde")]
mod border;
#[cfg(feature = "alloc")]
mod census;
mod compile_fail;
mod config;
mod context;
mod deadline;
mod dispatch;
mod erased;
mod error;
mod exit;
mod exits;
mod extension;
mod failure;
pub mod fsm;
mod grants;
mod hints;
mod holdings;
mod inlet;
mod kernel;
mod lane;
#[cfg(all(test, loom, feature = "alloc"))]
mod lane_model;
#[cfg(all(test, not(loom), feature = "alloc"))]
mod lane_wrap;
mod letters;
mod lifecycle;
pub mod limits;
mod names;
mod observer;
mod outpost;
mod parcel;
mod paths;
pub mod pattern;
mod pool;
mod protocol;
mod queue;
mod record;
mod region;
#[cfg(feature = "alloc")]
mod relay;
mod retiring;
mod root;
pub mod router;
mod scope;
mod shelf;
mod side;
mod signals;
mod size_class;
mod supervise;
mod sync;
mod teardown;
mod telling;
mod ties;
mod time;
mod timers;
mod uplink;
mod watch;
mod wheel;

pub use abroad::{Outpost, Parentage};
pub use actor::{Actor, StopReason, Terminated};
pub use address::{ActorRef, Address, Group, Place, RealmsExhausted, ReplyTo, Seat};
pub use backoff::Backoff;
pub use beacon::{Beacon, Seen};
pub use becoming::{Become, BecomeTooDeep, Handler};
pub use bond::{ChildNews, ChildOrder};
#[cfg(feature = "serde")]
pub use border::{Border, Compact, FarAddress, Fixed, Wire, within};
#[cfg(feature = "alloc")]
pub use census::{AdmitError, Admitted, Census, ForeignRealm, MessageKind, RawAddress};
pub use config::KernelConfig;
pub use context::Ctx;
pub use dispatch::Turn;
pub use erased::AnyMessage;
pub use error::{AskError, KernelError, OutOfMemory, ResolveError, SpawnError, StashError, TellError};
pub use failure::{Failure, FailureKind, Outcome};
pub use grants::{Decided, GrantNames, NewPath};
pub use holdings::Holdings;
pub use kernel::{Kernel, Stats};
#[cfg(not(loom))]
pub use lane::LaneMemory;
#[cfg(feature = "alloc")]
pub use lane::lane;
pub use lane::{LaneReceiver, LaneSender};
pub use letters::{DeadLetter, DeadReason};
pub use observer::{Decision, Observe, Subject};
pub use outpost::ChildSpawner;
pub use paths::Path;
pub use region::{Region, RegionError};
#[cfg(feature = "alloc")]
pub use relay::{LaneRelay, relayed_lane};
pub use scope::{Scope, Spawner};
pub use supervise::{Directive, Strategy};
pub use time::Time;
pub use timers::TimerKey;
pub use uplink::{Uplink, UplinkRefusal};
