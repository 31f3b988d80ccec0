//! Sources: where the routees of a pool may live, and how one is had there.
//!
//! A factory is a source, of routees on this system's shards. A layer above that knows other hosts has others.

use std::fmt;
use std::sync::Arc;

use corelane_kernel::{Actor, ActorRef, Address, Failure, Group, Scope, SpawnError};

use crate::deploy::RouteesOn;
use crate::error::{CallError, SpawnOnError};
use crate::handle::Handle;

/// How a [`SpreadPool`](crate::SpreadPool) comes by its routees, of type `A`, at *sites*: places that it tells apart by
/// numbers. Every factory is one, whose sites are the shards; a layer above implements it for routees that live elsewhere.
pub trait RouteeSource<A: Actor>: Clone + 'static {
    /// Whether a routee may be missing for a while, or for ever, without its owner being at fault: one on another host. Then
    /// an owner that waits because nobody is there waits for the first only, not for all that are on their way; and what is
    /// [missing](NoRoutee::Missing) is ordered again where the pool has a back-off.
    const FAR: bool = false;

    /// The numbers of the sites where a new routee may live. It comes where the fewest are, of equals to the first.
    ///
    /// # Errors
    /// The failure of the owner: it may live nowhere.
    fn sites(&self, on: RouteesOn, own: usize, system: &Handle) -> Result<Vec<usize>, Failure>;

    /// Has a routee spawned, and calls `then` once with its address, or with why there is none; before this returns, perhaps.
    ///
    /// # Errors
    /// [`SpawnError`]: nothing was begun, and `then` is not called.
    fn spawn(
        &self,
        wanted: &NewRoutee<'_>,
        scope: &mut Scope<'_>,
        then: impl FnOnce(Result<ActorRef<A::Msg>, NoRoutee>, &mut Scope<'_>) + 'static,
    ) -> Result<(), SpawnError>;

    /// At which site a routee has come to live that was ordered for this one.
    fn site_of(&self, routee: Address, ordered: usize, scope: &mut Scope<'_>) -> usize {
        let _ = (routee, scope);
        ordered
    }

    /// A routee of this site has ended, and another is about to be ordered for it.
    fn ended(&self, routee: Address, site: usize, scope: &mut Scope<'_>) {
        let _ = (routee, site, scope);
    }

    /// These are the hosts that are decided for the routees, or none: then they live on this one.
    ///
    /// # Errors
    /// Why they cannot live there, in words.
    fn put_at(&mut self, hosts: &[Arc<str>], scope: &mut Scope<'_>) -> Result<(), String>;
}

/// A routee that is to be had from a [`RouteeSource`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewRoutee<'a> {
    /// Whose child it is to be.
    pub owner: Address,
    /// Counts the routees of the pool.
    pub number: u64,
    /// Where it is to live.
    pub site: usize,
    /// Its name.
    pub name: Option<&'a str>,
    /// Its scheduling group.
    pub group: Group,
    /// The bound of its mailbox; zero is none.
    pub mailbox: u32,
}

/// Why a [`RouteeSource`] has no routee to give after all.
#[derive(Clone, Debug)]
pub enum NoRoutee {
    /// It was stopped before it came, as part of a family whose parent goes on perhaps: it is ordered again.
    Stopping,
    /// It is the owner's failure.
    Failed(Failure),
    /// It cannot be had anywhere, and the owner goes on without: this is its failure only where nobody else is there, or on
    /// the way.
    Missing(Failure),
}

impl fmt::Display for NoRoutee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoRoutee::Stopping => SpawnError::Stopping.fmt(f),
            NoRoutee::Failed(failure) | NoRoutee::Missing(failure) => failure.fmt(f),
        }
    }
}

impl RouteesOn {
    /// The shards of an owner on this one where its routees may live: its own first, then the next ones in turn. Shards that
    /// are lost are none of them, unless all are.
    ///
    /// # Errors
    /// [`CallError::NoSuchShard`] where one of those that are named does not exist.
    pub fn shards(self, own: usize, system: &Handle) -> Result<Vec<usize>, CallError> {
        let count = system.shards();
        let mut shards: Vec<usize> = self.range(own, count).collect();
        if shards.iter().any(|shard| *shard >= count) {
            return Err(CallError::NoSuchShard);
        }
        shards.sort_by_key(|shard| (shard + count - own) % count);
        let there: Vec<usize> =
            shards.iter().copied().filter(|shard| !system.shared.is_lost(*shard)).collect();
        Ok(if there.is_empty() { shards } else { there })
    }
}

impl<A, F> RouteeSource<A> for F
where
    A: Actor,
    F: FnMut() -> A + Clone + Send + 'static,
{
    fn sites(&self, on: RouteesOn, own: usize, system: &Handle) -> Result<Vec<usize>, Failure> {
        on.shards(own, system).map_err(|error| Failure::from(SpawnOnError::Call(error)))
    }

    fn spawn(
        &self,
        wanted: &NewRoutee<'_>,
        scope: &mut Scope<'_>,
        then: impl FnOnce(Result<ActorRef<A::Msg>, NoRoutee>, &mut Scope<'_>) + 'static,
    ) -> Result<(), SpawnError> {
        let spawner = scope.child_on(wanted.owner, wanted.site).ok_or(SpawnError::Stopping)?;
        let spawner = spawner.group(wanted.group).mailbox(wanted.mailbox);
        let spawner = match wanted.name {
            Some(name) => spawner.name(name),
            None => spawner,
        };
        spawner.spawn_then(self.clone(), move |born, scope| {
            let born = born.map_err(|error| match error {
                SpawnError::Stopping => NoRoutee::Stopping,
                error => NoRoutee::Failed(SpawnOnError::from(error).into()),
            });
            then(born, scope);
        })
    }

    /// What is decided for its name may have brought it to another one.
    fn site_of(&self, routee: Address, _: usize, _: &mut Scope<'_>) -> usize {
        routee.place().shard()
    }

    fn put_at(&mut self, hosts: &[Arc<str>], _: &mut Scope<'_>) -> Result<(), String> {
        match hosts {
            [] => Ok(()),
            _ => Err("this pool's live on their owner's host: it takes a RemotePool".to_owned()),
        }
    }
}
