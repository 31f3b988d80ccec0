//! Spawning a named top-level actor from outside, where the deployment of its path has the last word.

use std::fmt;

use corelane_kernel::{Actor, ActorRef, Failure, Group, Scope};

use super::{Deployment, TOP};
use crate::error::SpawnOnError;
use crate::handle::Handle;
use crate::spawn::On;

/// Spawns one top-level actor with a name; made by [`Handle::spawner`].
///
/// What is said here is what holds as long as nobody decides otherwise: what the [`Deployment`] of the actor's path
/// decides, from a configuration file or [`Builder::deploy`](crate::Builder::deploy), comes before it.
///
/// ```
/// use corelane_kernel::{Actor, Ctx, Group, Outcome};
/// use corelane_shard::{Deployment, On, System};
///
/// struct Orders;
///
/// impl Actor for Orders {
///     type Msg = u64;
///     fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// }
///
/// let urgent = Deployment::new().on(On::Shard(1)).group(Group::Urgent);
/// let system = System::builder().shards(2).pinned(false).deploy("/user/orders", urgent).start()?;
/// let orders = system.spawner("orders").on(On::Shard(0)).mailbox(10_000).spawn(|| Orders)?;
/// assert_eq!(orders.place().shard(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a spawner does nothing until `spawn` or `try_spawn` is called"]
pub struct SystemSpawner<'h> {
    handle: &'h Handle,
    name: &'h str,
    on: On,
    group: Group,
    mailbox: u32,
}

impl SystemSpawner<'_> {
    /// On which shard. Unless told otherwise, one after the other.
    pub fn on(mut self, on: On) -> Self {
        self.on = on;
        self
    }

    /// The scheduling group. Unless told otherwise, [`Group::Normal`].
    pub fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// Bounds the messages that may wait for the actor on its own core; see
    /// [`Spawner::mailbox`](corelane_kernel::Spawner::mailbox). Zero, as unless told otherwise, is no bound.
    pub fn mailbox(mut self, bound: u32) -> Self {
        self.mailbox = bound;
        self
    }

    /// Spawns from a factory that makes the state when the actor starts; blocks until the actor is there. Must not be
    /// called from an actor.
    ///
    /// # Errors
    /// [`SpawnOnError`], with [`SpawnError::NameTaken`](corelane_kernel::SpawnError::NameTaken) or
    /// [`SpawnError::BadName`](corelane_kernel::SpawnError::BadName) inside; the factory is dropped.
    pub fn spawn<A: Actor>(
        self,
        mut factory: impl FnMut() -> A + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnOnError> {
        self.try_spawn(move || Ok(factory()))
    }

    /// Spawns from a factory that may fail; its failure is the actor's, before it handled anything. Blocks until the
    /// actor is there. Must not be called from an actor.
    ///
    /// # Errors
    /// As [`SystemSpawner::spawn`].
    pub fn try_spawn<A: Actor>(
        self,
        factory: impl FnMut() -> Result<A, Failure> + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnOnError> {
        let shard = self.handle.choose_for(Some(self.name), self.on);
        let (name, group, mailbox) = (self.name.to_owned(), self.group, self.mailbox);
        let spawn = move |scope: &mut Scope<'_>| {
            scope.spawner().name(&name).group(group).mailbox(mailbox).try_spawn_from(factory)
        };
        Ok(self.handle.call(shard, spawn)??)
    }
}

impl fmt::Debug for SystemSpawner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SystemSpawner { name, on, group, mailbox, .. } = self;
        write!(f, "SystemSpawner(name: {name:?}, on: {on:?}, group: {group:?}, mailbox: {mailbox})")
    }
}

impl Handle {
    /// Spawns a top-level actor with a name, which is unique among the top-level actors of all shards; see
    /// [`SystemSpawner`].
    ///
    /// Of several that ask for one name at once, exactly one gets it. The name is free again when its bearer has stopped,
    /// before those who watch it are told so; and at once if it could not be spawned.
    pub fn spawner<'h>(&'h self, name: &'h str) -> SystemSpawner<'h> {
        SystemSpawner { handle: self, name, on: On::Spread, group: Group::default(), mailbox: 0 }
    }

    /// What is decided for the actor of a path, `/user/orders/worker`: by the deployment of that path, else by that of
    /// the most specific pattern; one of them alone, never a mixture. `None` if there is none.
    ///
    /// Whoever is spawned with a name has the group and the mailbox of it without asking; a top-level actor that
    /// [`Handle::spawner`] spawns, its shard as well.
    pub fn deployment(&self, path: &str) -> Option<Deployment> {
        self.deployments.get(path)
    }

    /// The shard of a top-level actor of this name, if it has one: as is decided, else as the code says. The kernel that
    /// spawns it there asks for the deployment once more, for the rest of it.
    pub(crate) fn choose_for(&self, name: Option<&str>, on: On) -> usize {
        let decided = name.and_then(|name| self.deployment(&format!("{TOP}{name}"))?.on);
        decided.unwrap_or(on).choose(&self.shared)
    }
}
