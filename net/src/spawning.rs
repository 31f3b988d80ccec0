//! Spawning on other hosts: how an actor has a child there, and what can be wrong with it.

use std::fmt;
use std::time::Duration;

use corelane_kernel::{ActorRef, Address, Group, Scope, SpawnError};
use corelane_shard::Extension;

use crate::codec::Props;
use crate::endpoint::Endpoint;
use crate::gate::{How, Wanted};
use crate::named::AnyHost;
use crate::resolve::RemoteLookupError;
use crate::wire::SPAWN_PROPS_MAX;

/// Why there is no child on another host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteSpawnError {
    /// The host cannot be asked: there is none at the address, its name has [no
    /// address](RemoteLookupError::Unresolved), it is of another system, it does not want this one; or the type of the child's
    /// messages is not registered here.
    Host(RemoteLookupError),
    /// The parent's own shard refuses: the name is taken, the region used up, the parent stopping.
    Spawn(SpawnError),
    /// The host makes nothing of such props.
    UnknownProps {
        /// The name of their type on the wire.
        name: &'static str,
    },
    /// What the host makes of them takes other messages.
    OtherProtocol {
        /// The name of their type on the wire.
        name: &'static str,
    },
    /// The host cannot read this version of them.
    Version {
        /// The name of their type on the wire.
        name: &'static str,
    },
    /// The host cannot read them.
    Malformed {
        /// The name of their type on the wire.
        name: &'static str,
    },
    /// They are longer than [`SPAWN_PROPS_MAX`] bytes.
    TooLarge {
        /// The name of their type on the wire.
        name: &'static str,
    },
    /// They cannot be written for this host: an address in them means nothing there.
    Unwritable {
        /// The name of their type on the wire.
        name: &'static str,
    },
    /// The host does not let this one spawn there, or not so.
    Refused,
    /// The host has no memory left for the child.
    OutOfMemory,
    /// As many children of this host's actors live there as may.
    TooMany,
    /// The host was lost before it was known what became of the child. If the child was there, it stops.
    Lost,
    /// The host was reached, and did not say in time what became of the child. If the child is there, or comes later, it is
    /// stopped as soon as the host says so.
    NoAnswer,
}

impl fmt::Display for RemoteSpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use RemoteSpawnError::*;
        match self {
            Host(error) => error.fmt(f),
            Spawn(error) => error.fmt(f),
            UnknownProps { name } => write!(f, "the host makes nothing of the props {name:?}"),
            OtherProtocol { name } => {
                write!(f, "what the host makes of the props {name:?} takes other messages")
            }
            Version { name } => write!(f, "the host cannot read this version of the props {name:?}"),
            Malformed { name } => write!(f, "the host cannot read the props {name:?}"),
            TooLarge { name } => write!(f, "the props {name:?} have more than {SPAWN_PROPS_MAX} bytes"),
            Unwritable { name } => write!(f, "the props {name:?} cannot be written for the host"),
            Refused => f.write_str("the host does not let this one spawn there"),
            OutOfMemory => f.write_str("the host has no memory left for the child"),
            TooMany => f.write_str("as many children of this host's actors live there as may"),
            Lost => f.write_str("the host was lost before it was known what became of the child"),
            NoAnswer => f.write_str("the host did not say in time what became of the child"),
        }
    }
}

impl std::error::Error for RemoteSpawnError {}

impl From<SpawnError> for RemoteSpawnError {
    fn from(error: SpawnError) -> RemoteSpawnError {
        RemoteSpawnError::Spawn(error)
    }
}

impl From<RemoteLookupError> for RemoteSpawnError {
    fn from(error: RemoteLookupError) -> RemoteSpawnError {
        RemoteSpawnError::Host(error)
    }
}

/// How a child on another host is to be spawned. Made by [`RemoteCtx::child_at`](crate::RemoteCtx::child_at), and by
/// [`Endpoint::child_at`].
#[must_use = "a spawner does nothing until `spawn` or `spawn_then` is called"]
pub struct RemoteChildSpawner<'k, O> {
    scope: Scope<'k>,
    owner: O,
    parent: Address,
    /// `None` for this one.
    host: Option<Result<AnyHost, RemoteLookupError>>,
    shard: Option<u16>,
    name: Option<&'k str>,
    group: Group,
    mailbox: u32,
    within: Option<Duration>,
}

impl<'k, O> RemoteChildSpawner<'k, O> {
    pub(crate) fn new(
        scope: Scope<'k>,
        parent: Address,
        owner: O,
        host: Option<&str>,
    ) -> RemoteChildSpawner<'k, O> {
        RemoteChildSpawner {
            scope,
            owner,
            parent,
            host: host.map(str::parse),
            shard: None,
            name: None,
            group: Group::Normal,
            mailbox: 0,
            within: None,
        }
    }

    /// A name, unique among the children of this actor, wherever they live. What is decided for the path that it makes (the
    /// deployments of a system) comes before what is set here: the host, the group and the mailbox. Where a host is
    /// decided, it chooses the shard.
    pub fn name(mut self, name: &'k str) -> Self {
        self.name = Some(name);
        self
    }

    /// The scheduling group. Unless told otherwise, [`Group::Normal`].
    pub fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// Bounds the messages that may wait for the actor on its own core; see
    /// [`Spawner::mailbox`](corelane_kernel::Spawner::mailbox).
    pub fn mailbox(mut self, bound: u32) -> Self {
        self.mailbox = bound;
        self
    }

    /// The shard there. Unless told otherwise, the host chooses one: its shards in turn.
    pub fn shard(mut self, shard: u16) -> Self {
        self.shard = Some(shard);
        self
    }

    /// How long the child may be waited for: until its host is found by its name, and reached, and has said what became of it. Unless told otherwise
    /// as long as the endpoint says, [`EndpointConfig::spawn_within`](crate::EndpointConfig::spawn_within). After that there is
    /// no child, which is told as any other refusal; this actor's end waits for it no longer than that.
    pub fn within(mut self, within: Duration) -> Self {
        self.within = Some(within);
        self
    }

    /// Has the host make a child of these props, and calls `then` once on the parent's shard with the child's address, or with
    /// why there is none ([`SpawnError::Stopping`]: the parent has begun to stop it before). Where the host is this one, that
    /// may be before this returns.
    ///
    /// For what looks after children on an actor's behalf, such as a pool. A panic of `then` is the parent's failure.
    ///
    /// # Errors
    /// [`RemoteSpawnError`]: nothing was begun, and `then` is not called.
    pub fn spawn_then<P: Props>(
        mut self,
        props: P,
        then: impl FnOnce(Result<ActorRef<P::Msg>, RemoteSpawnError>, &mut Scope<'_>) + 'static,
    ) -> Result<(), RemoteSpawnError> {
        let RemoteChildSpawner { parent, host, shard, name, group, mailbox, within, .. } = self;
        let birth = Birth { parent, host, shard, name, group, mailbox, within };
        birth.begin(&mut self.scope, props, then)
    }
}

/// A child that is to be spawned wherever it is decided.
pub(crate) struct Birth<'a> {
    pub(crate) parent: Address,
    /// `None` for this one.
    pub(crate) host: Option<Result<AnyHost, RemoteLookupError>>,
    pub(crate) shard: Option<u16>,
    pub(crate) name: Option<&'a str>,
    pub(crate) group: Group,
    pub(crate) mailbox: u32,
    pub(crate) within: Option<Duration>,
}

impl Birth<'_> {
    /// Has the child made, as [`RemoteChildSpawner::spawn_then`] says.
    pub(crate) fn begin<P: Props>(
        self,
        scope: &mut Scope<'_>,
        props: P,
        then: impl FnOnce(Result<ActorRef<P::Msg>, RemoteSpawnError>, &mut Scope<'_>) + 'static,
    ) -> Result<(), RemoteSpawnError> {
        let gate = Endpoint::part(scope).cloned().ok_or(RemoteLookupError::NoEndpoint)?;
        let decided = self.name.and_then(|name| gate.host_decided(scope, self.parent, name));
        let (host, shard) = match (decided, self.host) {
            (Some(host), _) => (host?, None),
            (None, Some(host)) => (host?, self.shard),
            (None, None) => (gate.own_host(), self.shard),
        };
        let how = How { shard, name: self.name, group: self.group, mailbox: self.mailbox };
        let wanted = Wanted { host: &host, how, within: self.within };
        gate.spawn_child(scope, self.parent, &wanted, props, then)
    }
}

impl<M: Send + 'static> RemoteChildSpawner<'_, ActorRef<M>> {
    /// Has the host make a child of these props. This actor is told once what `then` makes of the child's address, or of why
    /// there is none; unless it has begun to stop the child before. That comes in no order with what the child itself tells,
    /// overtakes what waits in this actor's queue, and comes whatever is full, as long as this actor lives.
    ///
    /// # Errors
    /// [`RemoteSpawnError`]: nothing was begun, and `then` is not called.
    pub fn spawn<P: Props>(
        self,
        props: P,
        then: impl FnOnce(Result<ActorRef<P::Msg>, RemoteSpawnError>) -> M + 'static,
    ) -> Result<(), RemoteSpawnError> {
        let owner = self.owner;
        self.spawn_then(props, move |born, scope| {
            if born == Err(RemoteSpawnError::Spawn(SpawnError::Stopping)) {
                return;
            }
            Endpoint::answer(scope, owner, then(born));
        })
    }
}

impl<O> fmt::Debug for RemoteChildSpawner<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteChildSpawner({:?}, name: {:?}, group: {:?})", self.host, self.name, self.group)
    }
}

impl Endpoint {
    /// Spawns a child of an actor of this shard on another host: as [`RemoteCtx::child_at`](crate::RemoteCtx::child_at), on the
    /// actor's behalf, by [`RemoteChildSpawner::spawn_then`].
    pub fn child_at<'k>(
        scope: Scope<'k>,
        parent: impl Into<Address>,
        host: &str,
    ) -> RemoteChildSpawner<'k, ()> {
        RemoteChildSpawner::new(scope, parent.into(), (), Some(host))
    }
}
