//! Settings of a system: in code, by a [`Builder`]; and with the feature `config` from files and from the environment.
//!
//! ```
//! use corelane_shard::{Deployment, Idle, System};
//! use corelane_kernel::Group;
//!
//! let system = System::builder()
//!     .name("shop")
//!     .shards(1)
//!     .idle(Idle::Frugal)
//!     .deploy("/user/orders", Deployment::new().group(Group::Urgent).mailbox(1000))
//!     .start()?;
//! assert_eq!(system.shards(), 1);
//! # Ok::<(), corelane_shard::StartError>(())
//! ```
//!
//! `builder` collects them and starts the system. With the feature `config` they are read from files and from variables of
//! the environment as well, by what a `Sources` names: `source` reads them, `document` walks a file, `keys` is the table of
//! the system's settings, `section` how a layer above adds a table of its own, `value` and `measure` read and write what stands for one, `nearest` guesses what was meant, `problem` says
//! what is wrong and where, and `effective` holds the result with the origin of every value.
//!
//! Precedence, later wins: the defaults, files in their order, the environment, the builder. Nothing is read that was not
//! asked for.

mod builder;
#[cfg(feature = "config")]
mod document;
#[cfg(feature = "config")]
mod effective;
#[cfg(feature = "config")]
mod keys;
#[cfg(feature = "config")]
mod measure;
#[cfg(feature = "config")]
mod nearest;
#[cfg(feature = "config")]
mod problem;
#[cfg(feature = "config")]
mod section;
#[cfg(feature = "config")]
mod source;
#[cfg(feature = "config")]
mod value;

pub use builder::{Builder, REGION_BYTES_MAX};
#[cfg(feature = "config")]
pub use effective::{Config, Setting};
#[cfg(feature = "config")]
pub use problem::{ConfigError, ConfigProblem, Origin};
#[cfg(feature = "config")]
pub use section::{Conflict, Section, SectionKey};
#[cfg(feature = "config")]
pub use source::Sources;
#[cfg(feature = "config")]
pub use value::{Allowed, Value};
