//! Errors of the kernel's operations: one small enum each. A refused message comes back inside its error.

use core::fmt;

use crate::address::RealmsExhausted;
use crate::region::RegionError;

/// Why a message was refused. It was not queued anywhere, and comes back.
///
/// ```
/// use corelane_kernel::{ActorRef, Kernel, TellError};
///
/// /// Tells, or keeps the message for later.
/// fn offer(kernel: &mut Kernel, to: ActorRef<String>, text: String, later: &mut Vec<String>) {
///     match kernel.try_tell(to, text) {
///         Ok(()) => {}
///         Err(TellError::Full(text) | TellError::MailboxFull(text)) => later.push(text),
///         Err(lost) => eprintln!("{lost}"),
///     }
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TellError<M> {
    /// The queue, lane or outbox on its way is full. Trying again after the receiver has worked may succeed.
    Full(M),
    /// The actor's own mailbox bound is reached. Trying again after it has worked may succeed.
    MailboxFull(M),
    /// No way leads to the actor's core or host, or its kernel is gone. Trying again will not help.
    Unreachable(M),
    /// The lane on the way is too small ever to hold this message, or the other host takes none so long. Configuration is
    /// at fault.
    TooLarge(M),
    /// The actor lives on another host, and messages of this type cannot leave the process: it has no wire form, is not
    /// registered, or holds what means nothing elsewhere. Trying again will not help.
    NoWireForm(M),
}

impl<M> TellError<M> {
    /// The message that was refused.
    pub fn into_inner(self) -> M {
        match self {
            TellError::Full(m)
            | TellError::MailboxFull(m)
            | TellError::Unreachable(m)
            | TellError::TooLarge(m)
            | TellError::NoWireForm(m) => m,
        }
    }

    /// The same error about something made of the message.
    pub fn map<N>(self, f: impl FnOnce(M) -> N) -> TellError<N> {
        match self {
            TellError::Full(m) => TellError::Full(f(m)),
            TellError::MailboxFull(m) => TellError::MailboxFull(f(m)),
            TellError::Unreachable(m) => TellError::Unreachable(f(m)),
            TellError::TooLarge(m) => TellError::TooLarge(f(m)),
            TellError::NoWireForm(m) => TellError::NoWireForm(f(m)),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            TellError::Full(_) => "the way to the actor is full",
            TellError::MailboxFull(_) => "the actor's mailbox is full",
            TellError::Unreachable(_) => "no way leads to the actor",
            TellError::TooLarge(_) => "the message is too large for the way to the actor",
            TellError::NoWireForm(_) => "the message cannot leave the process",
        }
    }
}

impl<M> fmt::Debug for TellError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            TellError::Full(_) => "Full",
            TellError::MailboxFull(_) => "MailboxFull",
            TellError::Unreachable(_) => "Unreachable",
            TellError::TooLarge(_) => "TooLarge",
            TellError::NoWireForm(_) => "NoWireForm",
        };
        f.debug_tuple(name).finish_non_exhaustive()
    }
}

impl<M> fmt::Display for TellError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl<M> core::error::Error for TellError<M> {}

/// Why an actor was not spawned. Nothing has changed then; a value that was to be spawned is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnError {
    /// The kernel's region is used up.
    OutOfMemory,
    /// The parent is stopping.
    Stopping,
    /// A child of that name lives.
    NameTaken,
    /// The name is empty, longer than [`crate::limits::NAME_MAX`], or holds a byte that names may not.
    BadName,
    /// No way leads to the shard where the actor is to live: there is none of that number, or it is gone.
    Unreachable,
    /// The way to the shard where the actor is to live is full; a later try may find room.
    Full,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnError::OutOfMemory => "no room for another actor in the kernel's region",
            SpawnError::Stopping => "the parent is stopping",
            SpawnError::NameTaken => "a child of that name lives",
            SpawnError::BadName => {
                "a name has 1 to 64 bytes of ASCII letters, digits and -_.*+:@&=,!~';() and does not begin with $"
            }
            SpawnError::Unreachable => "no way leads to the shard where the actor is to live",
            SpawnError::Full => "the way to the shard where the actor is to live is full",
        })
    }
}

impl core::error::Error for SpawnError {}

/// Why an address is not that of an actor with a given protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// No actor of that address lives.
    NoActor,
    /// The actor lives on another kernel, which alone knows its protocol.
    Elsewhere,
    /// The actor speaks another protocol.
    OtherProtocol {
        /// Name of the type of its messages.
        speaks: &'static str,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::NoActor => f.write_str("no actor of that address lives"),
            ResolveError::Elsewhere => f.write_str("the actor lives on another kernel"),
            ResolveError::OtherProtocol { speaks } => write!(f, "the actor's messages are of type {speaks}"),
        }
    }
}

impl core::error::Error for ResolveError {}

/// The kernel's region is used up; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kernel's region is used up")
    }
}

impl core::error::Error for OutOfMemory {}

/// Why an ask has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// No answer came in time. The question may have been handled or not.
    Timeout,
    /// The question could not be sent: its way is full, or leads nowhere. It was not handled.
    NotSent,
    /// No room for the reply address in the kernel's region. The question was not sent.
    OutOfMemory,
    /// The kernel of the actor that was asked is gone: its shard has ended, or its host was lost. The question may have been
    /// handled or not, and whoever it was passed on to is not waited for.
    Unreachable,
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AskError::Timeout => "no answer in time",
            AskError::NotSent => "the question could not be sent",
            AskError::OutOfMemory => "no room for a reply address in the kernel's region",
            AskError::Unreachable => "whoever was asked is out of reach",
        })
    }
}

impl core::error::Error for AskError {}

/// Why a message was not stashed. It comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StashError<M> {
    /// The stash holds as many as its bound allows.
    Full(M),
    /// The kernel's region is used up.
    OutOfMemory(M),
}

impl<M> StashError<M> {
    /// The message that was refused.
    pub fn into_inner(self) -> M {
        match self {
            StashError::Full(m) | StashError::OutOfMemory(m) => m,
        }
    }
}

impl<M> fmt::Debug for StashError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StashError::Full(_) => "Full(..)",
            StashError::OutOfMemory(_) => "OutOfMemory(..)",
        })
    }
}

impl<M> fmt::Display for StashError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StashError::Full(_) => "the stash is full",
            StashError::OutOfMemory(_) => "the kernel's region is used up",
        })
    }
}

impl<M> core::error::Error for StashError<M> {}

/// Why a kernel could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelError {
    /// The memory is no region.
    Region(RegionError),
    /// No realm number is left.
    Realms(RealmsExhausted),
    /// A setting makes no sense; the text says which.
    Config(&'static str),
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KernelError::Region(e) => e.fmt(f),
            KernelError::Realms(e) => e.fmt(f),
            KernelError::Config(what) => write!(f, "kernel configuration: {what}"),
        }
    }
}

impl core::error::Error for KernelError {}

impl From<RegionError> for KernelError {
    fn from(e: RegionError) -> Self {
        KernelError::Region(e)
    }
}

impl From<RealmsExhausted> for KernelError {
    fn from(e: RealmsExhausted) -> Self {
        KernelError::Realms(e)
    }
}
