//! What is said over a link for a look-up.
//!
//! A look-up is a message to the host itself: to identity 0 and index 0, which no actor has. It is answered by one of the same
//! kind; see `docs/wire.md`.

use corelane_kernel::{Compact, RawAddress, Wire};
use corelane_shard::LookupError;
use serde::{Deserialize, Serialize};

use super::error::RemoteLookupError;
use super::url::RemoteUrl;
use crate::wire::Target;

/// Whom messages to a host itself are for.
pub(crate) const HOST: Target = Target { identity: 0, index: 0 };

/// Asks a host for an actor of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lookup {
    /// Stands in the answer again.
    pub(crate) number: u64,
    /// The hash of the message type's name.
    pub(crate) type_hash: u64,
    pub(crate) path: String,
}

impl Wire for Lookup {
    const NAME: &'static str = "corelane.Lookup";
    type Form = Compact;
}

/// What a host answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) number: u64,
    pub(crate) result: Result<RawAddress, NotFound>,
}

impl Wire for Found {
    const NAME: &'static str = "corelane.Found";
    type Form = Compact;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NotFound {
    UnknownType,
    NoSuchActor(String),
    OtherProtocol { path: String, speaks: String },
    BadPath,
    ShuttingDown,
}

impl From<LookupError> for NotFound {
    fn from(error: LookupError) -> NotFound {
        match error {
            LookupError::BadPath { .. } => NotFound::BadPath,
            LookupError::NoSuchActor { path } => NotFound::NoSuchActor(path),
            LookupError::OtherProtocol { path, speaks, .. } => {
                NotFound::OtherProtocol { path, speaks: speaks.to_owned() }
            }
            // Whoever holds its address has it from the actor's parent.
            LookupError::OtherHost { path } => NotFound::NoSuchActor(path),
            _ => NotFound::ShuttingDown,
        }
    }
}

impl NotFound {
    pub(crate) fn explain(self, url: &RemoteUrl, name: &'static str) -> RemoteLookupError {
        match self {
            NotFound::UnknownType => RemoteLookupError::UnknownType { name },
            NotFound::NoSuchActor(path) => RemoteLookupError::NoSuchActor { path },
            NotFound::OtherProtocol { path, speaks } => RemoteLookupError::OtherProtocol { path, speaks },
            NotFound::BadPath => RemoteLookupError::BadUrl {
                url: url.to_string(),
                reason: "its path is none of an actor with a name",
            },
            NotFound::ShuttingDown => RemoteLookupError::ShuttingDown,
        }
    }
}
