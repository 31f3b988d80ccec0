//! The registry of names: top-level names that are unique in a whole system, and typed look-up by path.
//!
//! Each shard's kernel asks the one table of the system before a top-level actor gets its name, and gives the name back
//! when it is free again. It also asks for the deployment of every path at which an actor with a name is spawned. So the
//! first name of a path leads to a shard, and the rest is walked on that shard, where the actors are; where a child lives on
//! another shard than its parent, the walk goes on there. The table takes one entry of about a hundred bytes for each
//! top-level actor that has a name, and nothing on a message's way looks at it.

use std::any::type_name;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_kernel::{Actor, ActorRef, Address, Decided, GrantNames, NewPath, ResolveError, Scope};

use crate::deploy::{Deployments, TOP};
use crate::error::{CallError, LookupError, SpawnOnError};
use crate::handle::Handle;
use crate::shared::Shared;
use crate::spawn::On;

/// The top-level names of a system.
#[derive(Default)]
pub(crate) struct Names {
    table: Mutex<HashMap<Box<str>, Address>>,
}

impl Names {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Address>> {
        // No foreign code runs while the lock is held.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, name: &str) -> Option<Address> {
        self.lock().get(name).copied()
    }
}

/// What each kernel asks.
pub(crate) struct Granter {
    names: Arc<Names>,
    deployments: Arc<Deployments>,
    shared: Arc<Shared>,
    /// What paths are written into.
    path: String,
}

impl Granter {
    pub(crate) fn new(names: Arc<Names>, deployments: Arc<Deployments>, shared: Arc<Shared>) -> Granter {
        Granter { names, deployments, shared, path: String::new() }
    }
}

impl GrantNames for Granter {
    fn grant(&mut self, name: &str, to: Address) -> bool {
        let mut table = self.names.lock();
        let free = !table.contains_key(name);
        if free {
            table.insert(name.into(), to);
        }
        free
    }

    fn take_back(&mut self, name: &str, from: Address) {
        let mut table = self.names.lock();
        if table.get(name) == Some(&from) {
            table.remove(name);
        }
    }

    fn decide(&mut self, path: &NewPath<'_>) -> Decided {
        if self.deployments.are_none() {
            return Decided::default();
        }
        self.path.clear();
        // Writing to a string does not fail.
        let _ = write!(self.path, "{path}");
        let deployment = self.deployments.get(&self.path).unwrap_or_default();
        let shard = deployment.on.filter(|_| path.anywhere()).map(|on| match on {
            On::Spread => self.shared.next_decided(),
            on => on.choose(&self.shared),
        });
        Decided {
            group: deployment.group,
            mailbox: deployment.mailbox,
            shard: shard.and_then(|shard| u16::try_from(shard).ok()),
        }
    }
}

/// The names in a path, or why it is none.
fn names_in(path: &str) -> Result<impl Iterator<Item = &str>, LookupError> {
    let bad = |reason| Err(LookupError::BadPath { path: path.to_owned(), reason });
    let Some(names) = path.strip_prefix(TOP) else { return bad("a path begins with /user/") };
    let names = names.split('/');
    for name in names.clone() {
        if name.is_empty() {
            return bad("a name in a path is not empty");
        }
        if name.starts_with('$') {
            return bad("what begins with $ stands for an actor without a name, which cannot be looked up");
        }
    }
    Ok(names)
}

/// A look-up on its way down a path, from shard to shard.
struct Walk<F> {
    shared: Arc<Shared>,
    path: String,
    /// The actor that was reached, and how much of the path leads there.
    at: Address,
    upto: usize,
    found: F,
}

impl<F> Walk<F> {
    /// Goes on from this shard, as far down as the path leads here.
    fn step<M: 'static>(mut self, scope: &mut Scope<'_>)
    where
        F: FnOnce(Result<ActorRef<M>, LookupError>) + Send + 'static,
    {
        let missing = |path: &str, upto: usize| LookupError::NoSuchActor { path: path[..upto].to_owned() };
        while self.upto < self.path.len() {
            let name = self.path[self.upto + 1..].split('/').next().unwrap_or_default();
            let upto = self.upto + 1 + name.len();
            let Some(child) = scope.child_of(self.at, name) else {
                return (self.found)(Err(missing(&self.path, upto)));
            };
            (self.at, self.upto) = (child, upto);
            if !child.place().same_realm(scope.place()) {
                return (self.found)(Err(LookupError::OtherHost { path: self.path[..upto].to_owned() }));
            }
            if child.place() != scope.place() {
                // One request more for each change of shards.
                return self.go();
            }
        }
        let found = scope.resolve(self.at).map_err(|error| match error {
            ResolveError::OtherProtocol { speaks } => {
                LookupError::OtherProtocol { path: self.path.clone(), speaks, asked: type_name::<M>() }
            }
            _ => missing(&self.path, self.upto),
        });
        (self.found)(found);
    }

    /// Goes on at the actor that was reached. A system that shuts down drops `found`, which says so.
    fn go<M: 'static>(self)
    where
        F: FnOnce(Result<ActorRef<M>, LookupError>) + Send + 'static,
    {
        let (shared, shard) = (self.shared.clone(), self.at.place().shard());
        let _ = shared.run_on(shard, move |scope| self.step(scope));
    }
}

impl Handle {
    /// Looks an actor up by its path, `/user/a/b`: the child `b` of the top-level actor `a`, on whatever shard. Blocks
    /// until the answer is there. Must not be called from an actor: use
    /// [`ShardCtx::lookup`](crate::ShardCtx::lookup) there.
    ///
    /// The reference is to the actor that bears the name now, not to the one that bears it later: it is looked up once.
    /// Costs a request to the top-level actor's shard, whatever the number of actors, and one more for each child on the
    /// way that lives on another shard than its parent.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, Ctx, Outcome};
    /// # use corelane_shard::{LookupError, On, System};
    /// struct Clock;
    ///
    /// impl Actor for Clock {
    ///     type Msg = u64;
    ///     fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
    /// }
    ///
    /// let system = System::builder().shards(2).pinned(false).start()?;
    /// let clock = system.spawn_named(On::Spread, "clock", || Clock)?;
    /// assert_eq!(system.lookup::<u64>("/user/clock"), Ok(clock));
    /// let refused = system.lookup::<String>("/user/clock");
    /// assert!(matches!(refused, Err(LookupError::OtherProtocol { speaks: "u64", .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn lookup<M: 'static>(&self, path: &str) -> Result<ActorRef<M>, LookupError> {
        let (sender, receiver) = oneshot::channel();
        self.lookup_then(path, move |found| {
            // Whoever asked waits.
            let _ = sender.send(found);
        });
        receiver.recv().unwrap_or(Err(LookupError::ShuttingDown))
    }

    /// Like [`Handle::lookup`], with the answer as a future that any executor can await. The request is sent now.
    ///
    /// # Errors
    /// [`LookupError`], from the future.
    pub fn lookup_future<M: 'static>(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<ActorRef<M>, LookupError>> + Send + use<M> {
        let (sender, receiver) = oneshot::async_channel();
        self.lookup_then(path, move |found| {
            // The future may have been dropped.
            let _ = sender.send(found);
        });
        async move { receiver.await.unwrap_or(Err(LookupError::ShuttingDown)) }
    }

    /// Like [`Handle::lookup`], with the answer handed to a closure: at once where nothing bears the path, else on the shard of
    /// what does. Never blocks. A system that shuts down may drop the closure instead.
    pub fn lookup_then<M: 'static>(
        &self,
        path: &str,
        found: impl FnOnce(Result<ActorRef<M>, LookupError>) + Send + 'static,
    ) {
        let first = match names_in(path) {
            Ok(mut names) => names.next().unwrap_or_default(),
            Err(error) => return found(Err(error)),
        };
        let Some(top) = self.services.names.get(first) else {
            return found(Err(LookupError::NoSuchActor { path: format!("{TOP}{first}") }));
        };
        let upto = TOP.len() + first.len();
        Walk { shared: self.shared.clone(), path: path.to_owned(), at: top, upto, found }.go();
    }

    /// Spawns a top-level actor with a name, which is unique among the top-level actors of all shards; blocks until it is
    /// there. Must not be called from an actor. A short form of [`Handle::spawner`], which see: what is decided for the
    /// name's path comes before `on`.
    ///
    /// # Errors
    /// [`SpawnOnError`], with [`SpawnError::NameTaken`](corelane_kernel::SpawnError::NameTaken) or
    /// [`SpawnError::BadName`](corelane_kernel::SpawnError::BadName) inside; the factory is dropped.
    pub fn spawn_named<A: Actor>(
        &self,
        on: On,
        name: &str,
        factory: impl FnMut() -> A + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnOnError> {
        self.spawner(name).on(on).spawn(factory)
    }

    /// The path of an actor of any shard, `None` if it does not live; blocks until it is known. Must not be called from an
    /// actor: [`Ctx::path`](corelane_kernel::Ctx::path) and [`Scope::path`] give those of an actor's own shard.
    ///
    /// An actor without a name stands in it as `$shard.index.generation`: always the same, never another's, and good for
    /// reading only.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::NoSuchShard`] if the actor is of another system.
    pub fn path_of(&self, actor: impl Into<Address>) -> Result<Option<String>, CallError> {
        let actor = actor.into();
        let shard = actor.place().shard();
        if self.shared.posts.get(shard).is_none_or(|post| post.place != actor.place()) {
            return Err(CallError::NoSuchShard);
        }
        self.call(shard, move |scope| scope.is_alive(actor).then(|| scope.path(actor).to_string()))
    }
}
