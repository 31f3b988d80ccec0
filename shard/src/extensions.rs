//! Extensions: what a program, or a layer above, hangs on a system; one of each type, with a part of it on each shard.
//!
//! They are loaded while the system starts, in a fixed order: the system's own, then those that configuration lists, then
//! those of the builder in the order in which it was told to load them. An extension may use those before it, and no other;
//! so there are no cycles. The parts on a shard are made in the same order, on the shard's thread, before its first turn. All
//! goes in the reverse order: a shard's parts with its kernel, then, when all shards have ended, the extensions.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use corelane_kernel::{Kernel, OutOfMemory, Scope};

use crate::error::{BoxError, StartError};
use crate::handle::Handle;
use crate::unwind::guard;

/// Something that a system has one of, with a part on each of its shards.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// # use std::time::Duration;
/// # use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo, Scope};
/// use corelane_shard::{BoxError, Extension, Loading, ShardCtx, System};
///
/// /// Numbers that are unique in the system: each shard takes a block of them at a time.
/// struct Numbers { next_block: AtomicU64 }
///
/// struct Block { next: u64, end: u64 }
///
/// impl Numbers {
///     fn new(_: &Loading<'_>) -> Result<Numbers, BoxError> {
///         Ok(Numbers { next_block: AtomicU64::new(0) })
///     }
/// }
///
/// impl Extension for Numbers {
///     const NAME: &'static str = "numbers";
///     type Shard = Block;
///     fn on_shard(&self, _: &mut Scope<'_>) -> Result<Block, BoxError> {
///         let start = self.next_block.fetch_add(1000, Ordering::Relaxed);
///         Ok(Block { next: start, end: start + 1000 })
///     }
/// }
///
/// struct Desk;
///
/// impl Actor for Desk {
///     type Msg = ReplyTo<u64>;
///     fn receive(&mut self, reply: ReplyTo<u64>, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let mut scope = ctx.scope();
///         let block = Numbers::part(&mut scope).ok_or(std::fmt::Error)?;
///         let number = block.next;
///         block.next += 1;
///         assert!(number < block.end);
///         ctx.tell(reply, number);
///         Ok(())
///     }
/// }
///
/// let system = System::builder().shards(1).pinned(false).extension(Numbers::new).start()?;
/// let desk = system.spawn(|| Desk)?;
/// let mut gateway = system.gateway()?;
/// assert_eq!(gateway.ask(desk, Duration::from_secs(5), |reply| reply)?, 0);
/// assert_eq!(gateway.ask(desk, Duration::from_secs(5), |reply| reply)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Extension: Send + Sync + 'static {
    /// Its name, in errors and in configuration.
    const NAME: &'static str;

    /// What it has on each shard. Lives on the shard's thread alone, and need not be `Send`.
    type Shard: 'static;

    /// Makes a shard's part, on the shard's thread and before its first turn. Actors that are spawned here start with that
    /// turn. Must not block.
    ///
    /// # Errors
    /// Any. The system does not start then.
    fn on_shard(&self, shard: &mut Scope<'_>) -> Result<Self::Shard, BoxError>;

    /// This shard's part, `None` where the extension is not loaded. Costs a look along the row of extensions.
    fn part<'s>(scope: &'s mut Scope<'_>) -> Option<&'s mut Self::Shard>
    where
        Self: Sized,
    {
        scope.extension::<Part<Self>>().map(|part| &mut part.0)
    }
}

/// A shard's part, under the type of its extension.
struct Part<X: Extension>(X::Shard);

/// What an extension may use while it is loaded: the extensions before it, and the system's handle, to keep. No shard
/// runs yet: what needs one (spawning, calls, gateways' answers) must not be waited for here.
#[derive(Debug)]
pub struct Loading<'a> {
    handle: &'a Handle,
    settings: &'a LayerSettings,
}

impl Loading<'_> {
    /// The system's handle, to keep. While extensions are loaded it answers what needs no shard.
    pub fn handle(&self) -> &Handle {
        self.handle
    }

    /// The settings of a layer, by their type: those that were read for it, changed by what
    /// [`Builder::configure`](crate::Builder::configure) was told. `None` if neither is so.
    pub fn settings<S: Clone + Send + Sync + 'static>(&self) -> Option<S> {
        self.settings.get()
    }

    /// An extension that must have been loaded before.
    ///
    /// # Errors
    /// [`MissingExtension`], to be passed on.
    pub fn require<X: Extension>(&self) -> Result<Arc<X>, MissingExtension> {
        self.handle.extension::<X>().ok_or(MissingExtension { name: X::NAME })
    }
}

/// An extension that another one needs was not loaded before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingExtension {
    /// Its name.
    pub name: &'static str,
}

impl fmt::Display for MissingExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "needs the extension {:?}, which is to be loaded before it", self.name)
    }
}

impl std::error::Error for MissingExtension {}

type Load = Arc<dyn Fn(&Loading<'_>) -> Result<Loaded, BoxError> + Send + Sync>;

/// How an extension is loaded.
#[derive(Clone)]
struct Loader {
    name: &'static str,
    load: Load,
}

impl Loader {
    fn of<X: Extension>(
        make: impl Fn(&Loading<'_>) -> Result<X, BoxError> + Send + Sync + 'static,
    ) -> Loader {
        Loader { name: X::NAME, load: Arc::new(move |loading| Ok(Loaded::of(make(loading)?))) }
    }
}

/// Settings of layers above, one of each type.
#[derive(Clone, Default)]
pub(crate) struct LayerSettings(Vec<(TypeId, Arc<dyn Any + Send + Sync>)>);

impl LayerSettings {
    pub(crate) fn get<S: Clone + Send + Sync + 'static>(&self) -> Option<S> {
        let (_, settings) = self.0.iter().find(|(id, _)| *id == TypeId::of::<S>())?;
        settings.downcast_ref::<S>().cloned()
    }

    pub(crate) fn put<S: Send + Sync + 'static>(&mut self, settings: S) {
        let id = TypeId::of::<S>();
        self.0.retain(|(known, _)| *known != id);
        self.0.push((id, Arc::new(settings)));
    }
}

impl fmt::Debug for LayerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LayerSettings(of {} layers)", self.0.len())
    }
}

/// What a builder was told about extensions.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    pub(crate) settings: LayerSettings,
    offered: Vec<Loader>,
    /// Names that configuration lists, to be loaded first, and the place of the list.
    pub(crate) listed: Vec<String>,
    pub(crate) listed_at: Option<String>,
    wanted: Vec<Wanted>,
}

#[derive(Clone)]
enum Wanted {
    This(Loader),
    Named(String),
}

impl Plan {
    pub(crate) fn want<X: Extension>(
        &mut self,
        make: impl Fn(&Loading<'_>) -> Result<X, BoxError> + Send + Sync + 'static,
    ) {
        self.wanted.push(Wanted::This(Loader::of(make)));
    }

    pub(crate) fn offer<X: Extension>(
        &mut self,
        make: impl Fn(&Loading<'_>) -> Result<X, BoxError> + Send + Sync + 'static,
    ) {
        self.offered.push(Loader::of(make));
    }

    pub(crate) fn want_named(&mut self, name: String) {
        self.wanted.push(Wanted::Named(name));
    }

    /// All that are to be loaded, in order.
    fn loaders(&self) -> impl Iterator<Item = Result<&Loader, StartError>> {
        let place = self.listed_at.as_ref().map_or(String::new(), |place| format!("{place}: "));
        let listed = self.listed.iter().map(move |name| self.offered(name, &place));
        let wanted = self.wanted.iter().map(|wanted| match wanted {
            Wanted::This(loader) => Ok(loader),
            Wanted::Named(name) => self.offered(name, ""),
        });
        listed.chain(wanted)
    }

    /// The loader of a name; `place` says in the error where the name stands.
    fn offered(&self, name: &str, place: &str) -> Result<&Loader, StartError> {
        self.offered.iter().rev().find(|loader| loader.name == name).ok_or_else(|| {
            let mut known: Vec<&str> = self.offered.iter().map(|loader| loader.name).collect();
            known.sort_unstable();
            let error = format!("{place}no extension of that name is offered; there are {known:?}").into();
            StartError::Extension { name: name.to_owned(), shard: None, error }
        })
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.wanted.iter().map(|wanted| match wanted {
            Wanted::This(loader) => loader.name,
            Wanted::Named(name) => name,
        });
        f.debug_list().entries(self.listed.iter().map(String::as_str).chain(wanted)).finish()
    }
}

type MakePart = Arc<dyn Fn(&mut Scope<'_>) -> Result<(), BoxError> + Send + Sync>;

/// An extension, its type forgotten.
#[derive(Clone)]
struct Loaded {
    name: &'static str,
    id: TypeId,
    extension: Arc<dyn Any + Send + Sync>,
    make_part: MakePart,
}

impl Loaded {
    fn of<X: Extension>(extension: X) -> Loaded {
        let extension = Arc::new(extension);
        let own = extension.clone();
        let make_part: MakePart = Arc::new(move |scope| {
            let part = own.on_shard(scope)?;
            scope.set_extension(Part::<X>(part)).map_err(|OutOfMemory| OutOfMemory.into())
        });
        Loaded { name: X::NAME, id: TypeId::of::<X>(), extension, make_part }
    }
}

/// The extensions of a system.
#[derive(Default)]
pub(crate) struct Extensions {
    loaded: RwLock<Vec<Loaded>>,
}

impl Extensions {
    fn all(&self) -> Vec<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds one that is there already.
    pub(crate) fn add<X: Extension>(&self, extension: X) {
        self.push(Loaded::of(extension));
    }

    fn push(&self, loaded: Loaded) {
        // No foreign code runs while the lock is held.
        self.loaded.write().unwrap_or_else(PoisonError::into_inner).push(loaded);
    }

    /// Loads what is planned, in order.
    pub(crate) fn load(&self, plan: &Plan, handle: &Handle) -> Result<(), StartError> {
        // All names are known before anything is loaded.
        let loaders: Vec<_> = plan.loaders().collect::<Result<_, _>>()?;
        for loader in loaders {
            let failed = |error| StartError::Extension { name: loader.name.to_owned(), shard: None, error };
            let loaded = guard(|| (loader.load)(&Loading { handle, settings: &plan.settings }));
            let loaded = loaded.unwrap_or_else(|panic| Err(panic.to_string().into())).map_err(failed)?;
            if self.all().iter().any(|known| known.id == loaded.id) {
                return Err(failed("it is loaded already".into()));
            }
            self.push(loaded);
        }
        Ok(())
    }

    /// Makes a shard's parts, in order.
    pub(crate) fn make_parts(&self, kernel: &mut Kernel, shard: usize) -> Result<(), StartError> {
        for loaded in self.all() {
            let made = guard(|| (loaded.make_part)(&mut kernel.scope()));
            made.unwrap_or_else(|panic| Err(panic.to_string().into())).map_err(|error| {
                StartError::Extension { name: loaded.name.to_owned(), shard: Some(shard), error }
            })?;
        }
        Ok(())
    }

    fn get<X: Extension>(&self) -> Option<Arc<X>> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let known = loaded.iter().find(|known| known.id == TypeId::of::<X>())?;
        known.extension.clone().downcast().ok()
    }

    /// Lets go of all, the last one first.
    pub(crate) fn unload(&self) {
        loop {
            let last = self.loaded.write().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(last) = last else { return };
            let name = last.name;
            if let Err(failure) = guard(|| drop(last)) {
                tracing::error!(extension = name, %failure, "dropping an extension panicked");
            }
        }
    }
}

impl Handle {
    /// The system's extension of a type, `None` if it is not loaded, or the system has ended. A shard's part of it is
    /// [`Extension::part`]. Costs a lock that readers share: keep what it gives.
    pub fn extension<X: Extension>(&self) -> Option<Arc<X>> {
        self.services.extensions.get()
    }
}
