//! Errands: what a child is to be made of, from when it is wanted until it is known what became of it.
//!
//! Two hold one: the gate, which sends for the child, and the outpost, which tells the parent. Where the child's host turns
//! out to be this one, the outpost gives its place to a child that is spawned here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corelane_kernel::{ActorRef, Address, Group, Scope, SpawnError};
use corelane_shard::Extension;

use super::Gate;
use crate::codec::{self, EncodeError, Props};
use crate::endpoint::Endpoint;
use crate::resolve::RemoteLookupError;
use crate::spawning::RemoteSpawnError;

/// How a child is to be spawned, wherever that is.
#[derive(Clone, Copy)]
pub(crate) struct How<'a> {
    /// `None` where the host chooses.
    pub(crate) shard: Option<u16>,
    pub(crate) name: Option<&'a str>,
    pub(crate) group: Group,
    pub(crate) mailbox: u32,
}

/// What becomes of a child that is not sent for any more.
pub(super) enum Fate {
    /// There is none.
    Refused(RemoteSpawnError),
    /// Its host is this one.
    Here,
}

/// See the module.
pub(super) struct Errand<P> {
    parent: Address,
    shard: Option<u16>,
    name: Option<Box<str>>,
    group: Group,
    mailbox: u32,
    /// `None` once they are used up.
    props: RefCell<Option<P>>,
    /// What the outpost does not hear from the kernel.
    fate: Cell<Option<Fate>>,
}

/// An errand, whatever the props.
pub(super) trait AnyErrand {
    /// The shard that the child is to live on. `None` where the host chooses.
    fn shard(&self) -> Option<u16>;

    /// The child's name, or nothing.
    fn name(&self) -> &str;

    /// Writes the props.
    fn encode(&self, to: &mut [u8]) -> Result<usize, EncodeError>;

    /// Says why the outpost is about to be refused.
    fn settle(&self, fate: Fate);
}

impl<P: Props> AnyErrand for Errand<P> {
    fn shard(&self) -> Option<u16> {
        self.shard
    }

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    fn encode(&self, to: &mut [u8]) -> Result<usize, EncodeError> {
        self.props.borrow().as_ref().map_or(Err(EncodeError::Refused), |props| codec::encode(props, to))
    }

    fn settle(&self, fate: Fate) {
        self.fate.set(Some(fate));
    }
}

impl<P: Props> Errand<P> {
    pub(super) fn new(parent: Address, how: How<'_>, props: P) -> Errand<P> {
        let How { shard, name, group, mailbox } = how;
        let (name, props) = (name.map(Box::from), RefCell::new(Some(props)));
        Errand { parent, shard, name, group, mailbox, props, fate: Cell::new(None) }
    }

    /// It is known what became of the outpost: `then` is called, now or once a child is there that is spawned here after all.
    pub(super) fn conclude(
        &self,
        born: Result<ActorRef<P::Msg>, SpawnError>,
        scope: &mut Scope<'_>,
        then: impl FnOnce(Result<ActorRef<P::Msg>, RemoteSpawnError>, &mut Scope<'_>) + 'static,
    ) {
        let error = match (born, self.fate.take()) {
            (Ok(child), _) => return then(Ok(child), scope),
            // An outpost that was told to stop gives its place to nobody.
            (Err(SpawnError::Stopping), Some(Fate::Here)) => SpawnError::Stopping.into(),
            (Err(_), Some(Fate::Here)) => return self.spawn_here(scope, then),
            (Err(_), Some(Fate::Refused(error))) => error,
            (Err(SpawnError::Unreachable), None) => RemoteSpawnError::Lost,
            (Err(error), None) => RemoteSpawnError::Spawn(error),
        };
        then(Err(error), scope);
    }

    fn spawn_here(
        &self,
        scope: &mut Scope<'_>,
        then: impl FnOnce(Result<ActorRef<P::Msg>, RemoteSpawnError>, &mut Scope<'_>) + 'static,
    ) {
        let how =
            How { shard: self.shard, name: self.name.as_deref(), group: self.group, mailbox: self.mailbox };
        // Handed back where nothing was begun.
        let kept = Rc::new(Cell::new(Some(then)));
        let then = kept.clone();
        let then = move |born: Result<ActorRef<P::Msg>, SpawnError>, scope: &mut Scope<'_>| {
            if let Some(then) = then.take() {
                then(born.map_err(RemoteSpawnError::Spawn), scope);
            }
        };
        let begun = match (Endpoint::part(scope).cloned(), self.props.take()) {
            (Some(gate), Some(props)) => gate.spawn_here(scope, self.parent, how, props, then),
            _ => Err(RemoteLookupError::ShuttingDown.into()),
        };
        if let Err(error) = begun
            && let Some(then) = kept.take()
        {
            then(Err(error), scope);
        }
    }
}

impl Gate {
    /// Spawns a child on this host.
    pub(super) fn spawn_here<P: Props>(
        &self,
        scope: &mut Scope<'_>,
        parent: Address,
        how: How<'_>,
        props: P,
        then: impl FnOnce(Result<ActorRef<P::Msg>, SpawnError>, &mut Scope<'_>) + 'static,
    ) -> Result<(), RemoteSpawnError> {
        let shared = self.inner.borrow().shared.clone();
        let unknown = || RemoteSpawnError::UnknownProps { name: P::NAME };
        let factory = shared.registry.factory(codec::envelope::<P>().type_hash).ok_or_else(unknown)?;
        let shard = how.shard.unwrap_or_else(|| shared.next_child());
        let spawner = scope.child_on(parent, shard.into()).ok_or(SpawnError::Stopping)?;
        let spawner = spawner.group(how.group).mailbox(how.mailbox);
        let spawner = match how.name {
            Some(name) => spawner.name(name),
            None => spawner,
        };
        Ok(factory.spawn_here(spawner, props, then).ok_or_else(unknown)??)
    }
}
