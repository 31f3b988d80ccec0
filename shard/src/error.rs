//! Errors of a system's operations: one small enum each.

use std::fmt;
use std::io;

use corelane_kernel::{AskError, KernelError, RealmsExhausted, SpawnError};

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
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Plan(error) => write!(f, "placing the shards: {error}"),
            StartError::Pin { shard, error } => write!(f, "pinning shard {shard}: {error}"),
            StartError::System { shard, error } => write!(f, "starting shard {shard}: {error}"),
            StartError::Kernel { shard, error } => write!(f, "shard {shard}: {error}"),
            StartError::Config(what) => write!(f, "configuration: {what}"),
            StartError::Realms(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<PlanError> for StartError {
    fn from(error: PlanError) -> StartError {
        StartError::Plan(error)
    }
}

impl From<RealmsExhausted> for StartError {
    fn from(error: RealmsExhausted) -> StartError {
        StartError::Realms(error)
    }
}

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
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallError::NoSuchShard => "the system has no such shard",
            CallError::ShuttingDown => "the system is shutting down",
            CallError::Panicked => "the closure panicked on its shard",
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
