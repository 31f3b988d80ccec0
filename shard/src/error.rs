//! Errors of a system's operations: one small enum each.

use std::fmt;
use std::io;

use corelane_kernel::{AskError, KernelError, RealmsExhausted, SpawnError};

use crate::coordinated::PhaseError;
use crate::topology::{PinError, PlanError};

/// Why a system did not start. Nothing runs then.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The shards cannot be placed as asked.
    Plan(PlanError),
    /// A shard could not be pinned to its core.
    Pin {
        /// Which shard.
        shard: usize,
        /// What went wrong.
        error: PinError,
    },
    /// The operating system gave no memory or no thread.
    System {
        /// Which shard.
        shard: usize,
        /// What it said.
        error: io::Error,
    },
    /// The operating system gave no thread for the watchdog of [`Builder::stall_after`](crate::Builder::stall_after).
    Watchdog(io::Error),
    /// A shard's kernel refused its settings.
    Kernel {
        /// Which shard.
        shard: usize,
        /// What is wrong.
        error: KernelError,
    },
    /// A setting makes no sense; the text names it.
    Config(String),
    /// This process has started too many systems.
    Realms(RealmsExhausted),
    /// An extension could not be loaded.
    Extension {
        /// Its name.
        name: String,
        /// On which shard its part could not be made; `None` if the extension itself could not.
        shard: Option<usize>,
        /// What it said.
        error: BoxError,
    },
    /// The phases of the shutdown make no order.
    Phases(PhaseError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Plan(error) => write!(f, "placing the shards: {error}"),
            StartError::Pin { shard, error } => write!(f, "pinning shard {shard}: {error}"),
            StartError::System { shard, error } => write!(f, "starting shard {shard}: {error}"),
            StartError::Watchdog(error) => write!(f, "starting the watchdog: {error}"),
            StartError::Kernel { shard, error } => write!(f, "shard {shard}: {error}"),
            StartError::Config(what) => write!(f, "configuration: {what}"),
            StartError::Realms(error) => error.fmt(f),
            StartError::Extension { name, shard: Some(shard), error } => {
                write!(f, "extension {name:?} on shard {shard}: {error}")
            }
            StartError::Extension { name, shard: None, error } => write!(f, "extension {name:?}: {error}"),
            StartError::Phases(error) => write!(f, "shutdown phases: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<PlanError> for StartError {
    fn from(error: PlanError) -> StartError {
        StartError::Plan(error)
    }
}

impl From<PhaseError> for StartError {
    fn from(error: PhaseError) -> StartError {
        StartError::Phases(error)
    }
}

impl From<RealmsExhausted> for StartError {
    fn from(error: RealmsExhausted) -> StartError {
        StartError::Realms(error)
    }
}

/// Any error of code that is not the system's own, as extensions and shutdown tasks give it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a path led to no actor with the protocol that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupError {
    /// The text is no path of an actor with a name.
    BadPath {
        /// The text.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody lives there.
    NoSuchActor {
        /// The path up to the first name that nobody bears.
        path: String,
    },
    /// The actor speaks another protocol.
    OtherProtocol {
        /// Its path.
        path: String,
        /// Name of the type of its messages.
        speaks: &'static str,
        /// Name of the type that was asked for.
        asked: &'static str,
    },
    /// The actor lives on another host, as the child of one here: its parent knows its address.
    OtherHost {
        /// The path up to the actor that does.
        path: String,
    },
    /// The system is shutting down.
    ShuttingDown,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookupError::BadPath { path, reason } => write!(f, "{path:?} is no path of an actor: {reason}"),
            LookupError::NoSuchActor { path } => write!(f, "no actor lives at {path}"),
            LookupError::OtherProtocol { path, speaks, asked } => {
                write!(f, "the messages of {path} are of type {speaks}, not {asked}")
            }
            LookupError::OtherHost { path } => write!(f, "{path} lives on another host"),
            LookupError::ShuttingDown => f.write_str("the system is shutting down"),
        }
    }
}

impl std::error::Error for LookupError {}

/// Why a thread's request to a system was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// The system has no such shard.
    NoSuchShard,
    /// The system is shutting down. The closure was dropped.
    ShuttingDown,
    /// The closure panicked on its shard.
    Panicked,
    /// The shard is lost: its thread has ended before the system did. The closure was dropped.
    ShardLost,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallError::NoSuchShard => "the system has no such shard",
            CallError::ShuttingDown => "the system is shutting down",
            CallError::Panicked => "the closure panicked on its shard",
            CallError::ShardLost => "the shard is lost",
        })
    }
}

impl std::error::Error for CallError {}

/// Why a thread could not spawn an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnOnError {
    /// The request was not done.
    Call(CallError),
    /// The shard's kernel refused.
    Spawn(SpawnError),
}

impl fmt::Display for SpawnOnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpawnOnError::Call(error) => error.fmt(f),
            SpawnOnError::Spawn(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SpawnOnError {}

impl From<CallError> for SpawnOnError {
    fn from(error: CallError) -> SpawnOnError {
        SpawnOnError::Call(error)
    }
}

impl From<SpawnError> for SpawnOnError {
    fn from(error: SpawnError) -> SpawnOnError {
        SpawnOnError::Spawn(error)
    }
}

/// Why a gateway's ask has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayAskError {
    /// No answer in time, or the question could not be sent; see [`AskError`].
    Ask(AskError),
    /// The system is gone, or the actor is of another system.
    Unreachable,
}

impl fmt::Display for GatewayAskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GatewayAskError::Ask(error) => error.fmt(f),
            GatewayAskError::Unreachable => f.write_str("no way leads to the actor"),
        }
    }
}

impl std::error::Error for GatewayAskError {}

/// Why blocking work has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffloadError {
    /// The work panicked, with this message.
    Panicked(String),
    /// The system is shutting down, and the work was not done.
    ShuttingDown,
}

impl fmt::Display for OffloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OffloadError::Panicked(message) => write!(f, "blocking work panicked: {message}"),
            OffloadError::ShuttingDown => f.write_str("the system is shutting down"),
        }
    }
}

impl std::error::Error for OffloadError {}
