//! The receptionist: actors register for a key, and others find them by it, or subscribe to who is registered.
//!
//! One table for the whole system, behind a lock. A change is seen at once by whoever looks; subscribers are told by the
//! steward, each the newest state, so that many changes at once lead to few notices.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_kernel::{ActorRef, Address, Scope};

use crate::error::{BoxError, CallError};
use crate::extensions::Extension;
use crate::roster::Roster;
use crate::steward::{Desk, Errand};

/// What actors whose messages are of type `M` register for: a name together with that type. Two keys are one if both are
/// equal.
pub struct Key<M> {
    name: Cow<'static, str>,
    message: PhantomData<fn(M)>,
}

impl<M> Key<M> {
    /// A key of a fixed name, for a `const` or `static`.
    pub const fn new(name: &'static str) -> Key<M> {
        Key { name: Cow::Borrowed(name), message: PhantomData }
    }

    /// A key whose name is made while the program runs.
    pub fn of(name: impl Into<String>) -> Key<M> {
        Key { name: Cow::Owned(name.into()), message: PhantomData }
    }

    /// The name, which is one half of the key; the type `M` is the other.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<M> Clone for Key<M> {
    fn clone(&self) -> Self {
        Key { name: self.name.clone(), message: PhantomData }
    }
}

impl<M> PartialEq for Key<M> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<M> Eq for Key<M> {}

impl<M> fmt::Debug for Key<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, {})", self.name, std::any::type_name::<M>())
    }
}

/// A key without its type.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct KeyId {
    message: TypeId,
    name: Cow<'static, str>,
}

impl KeyId {
    fn of<M: 'static>(key: &Key<M>) -> KeyId {
        KeyId { message: TypeId::of::<M>(), name: key.name.clone() }
    }
}

/// Who is registered for a key, in the order of their registration, at one moment. Cheap to clone.
pub struct Listing<M> {
    key: Key<M>,
    actors: Actors<M>,
}

impl<M> Listing<M> {
    /// The key for which they are registered.
    pub fn key(&self) -> &Key<M> {
        &self.key
    }

    /// The actors, the one that registered first before all others; none if nobody is registered. One that has ended may still
    /// be among them: the next listing is without it.
    pub fn actors(&self) -> &[ActorRef<M>] {
        &self.actors
    }
}

impl<M> Clone for Listing<M> {
    fn clone(&self) -> Self {
        Listing { key: self.key.clone(), actors: self.actors.clone() }
    }
}

impl<M> fmt::Debug for Listing<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.key, self.actors)
    }
}

/// A system's receptionist: who is registered for which [`Key`]. Cheap to clone; see
/// [`Handle::receptionist`](crate::Handle::receptionist).
///
/// Registrations and subscriptions end with their actor, also if that is on another shard than whoever made them: the
/// receptionist watches them. A registration is found as soon as [`Receptionist::register`] has returned. A subscriber is
/// told who is registered when it subscribes, and again after changes: always the newest [`Listing`], never an older one
/// after a newer, and one for many changes at once. An actor that has just stopped may still be listed until its end has
/// travelled to the receptionist. A listing that finds its subscriber's way full is a dead letter like any other message;
/// the next change brings a new one.
///
/// Registering, subscribing and finding take a lock, and nothing that is told to actors goes this way: for services, and
/// not for one key per request. The table takes about a hundred bytes for each registration and subscription; a listing
/// that changed is copied once.
///
/// ```
/// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
/// # use corelane_shard::{Key, Listing, ShardCtx, System};
/// struct Job(u64);
///
/// const WORKERS: Key<Job> = Key::new("workers");
///
/// struct Worker;
///
/// impl Actor for Worker {
///     type Msg = Job;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         ctx.system().receptionist().register(&WORKERS, ctx.me())?;
///         Ok(())
///     }
///     fn receive(&mut self, _: Job, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// }
///
/// enum Msg { Workers(Listing<Job>), Work(Job) }
///
/// struct Boss { workers: Option<Listing<Job>> }
///
/// impl Actor for Boss {
///     type Msg = Msg;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let workers = ctx.adapter(Msg::Workers)?;
///         ctx.system().receptionist().subscribe(&WORKERS, workers)?;
///         Ok(())
///     }
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Workers(listing) => self.workers = Some(listing),
///             Msg::Work(job) => match self.workers.as_ref().and_then(|workers| workers.actors().first()) {
///                 Some(worker) => ctx.tell(*worker, job),
///                 None => ctx.unhandled(Msg::Work(job)),
///             },
///         }
///         Ok(())
///     }
/// }
///
/// let system = System::builder().shards(2).pinned(false).start()?;
/// let worker = system.spawn(|| Worker)?;
/// # let _boss = system.spawn(|| Boss { workers: None })?;
/// # system.receptionist().register(&WORKERS, worker)?;
/// assert_eq!(system.receptionist().find(&WORKERS).actors(), [worker]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Receptionist {
    desk: Arc<Desk>,
}

impl Receptionist {
    pub(crate) fn new(desk: Arc<Desk>) -> Receptionist {
        Receptionist { desk }
    }

    /// Registers an actor for a key, until it stops. Registering twice is registering once. An actor may register for
    /// several keys.
    ///
    /// # Errors
    /// [`CallError::ShuttingDown`].
    pub fn register<M: Send + 'static>(&self, key: &Key<M>, actor: ActorRef<M>) -> Result<(), CallError> {
        if self.desk.rooms.change(key, actor, |room| room.registered.insert(actor)) {
            let errands = [Errand::Watch(actor.address()), Errand::Announce(KeyId::of(key))];
            self.desk.send(errands).inspect_err(|_| {
                self.desk.rooms.change(key, actor, |room| room.registered.remove(actor.address()));
            })?;
        }
        Ok(())
    }

    /// Ends a registration. Says whether there was one.
    pub fn deregister<M: Send + 'static>(&self, key: &Key<M>, actor: ActorRef<M>) -> bool {
        let was = self.desk.rooms.change(key, actor, |room| room.registered.remove(actor.address()));
        if was {
            // Where the system ends, nobody is told of changes any more.
            let _ = self.desk.send([Errand::Announce(KeyId::of(key))]);
        }
        was
    }

    /// Who is registered for a key now.
    pub fn find<M: Send + 'static>(&self, key: &Key<M>) -> Listing<M> {
        Listing { key: key.clone(), actors: self.desk.rooms.find(key) }
    }

    /// Tells an actor who is registered for a key: now, and after changes, until it stops. Subscribing twice is
    /// subscribing once.
    ///
    /// # Errors
    /// [`CallError::ShuttingDown`].
    pub fn subscribe<M: Send + 'static>(
        &self,
        key: &Key<M>,
        subscriber: ActorRef<Listing<M>>,
    ) -> Result<(), CallError> {
        if self.desk.rooms.change(key, subscriber, |room| room.subscribe(subscriber)) {
            let errands = [Errand::Watch(subscriber.address()), Errand::Announce(KeyId::of(key))];
            self.desk.send(errands).inspect_err(|_| {
                self.desk.rooms.change(key, subscriber, |room| room.unsubscribe(subscriber.address()));
            })?;
        }
        Ok(())
    }

    /// Ends a subscription. What is on its way still arrives. Says whether there was one.
    pub fn unsubscribe<M: Send + 'static>(&self, key: &Key<M>, subscriber: ActorRef<Listing<M>>) -> bool {
        self.desk.rooms.change(key, subscriber, |room| room.unsubscribe(subscriber.address()))
    }
}

impl Extension for Receptionist {
    const NAME: &'static str = "receptionist";
    type Shard = ();

    fn on_shard(&self, _: &mut Scope<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// All keys for which somebody is registered or has subscribed.
#[derive(Default)]
pub(crate) struct Rooms {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    rooms: HashMap<KeyId, Box<dyn AnyRoom>>,
    /// The keys at which an actor is entered, in whatever part.
    keys_of: HashMap<Address, Vec<KeyId>>,
}

impl Table {
    /// After a change at a key: the actor's keys are those at which it is entered, and a key of nobody is gone.
    fn tidy(&mut self, key: &KeyId, actor: Address) {
        let Some(room) = self.rooms.get(key) else { return };
        let (entered, empty) = (room.holds(actor), room.is_empty());
        let keys = self.keys_of.entry(actor).or_default();
        match (entered, keys.iter().position(|known| known == key)) {
            (true, None) => keys.push(key.clone()),
            (false, Some(at)) => drop(keys.swap_remove(at)),
            _ => {}
        }
        if keys.is_empty() {
            self.keys_of.remove(&actor);
        }
        if empty {
            self.rooms.remove(key);
        }
    }
}

/// One key.
struct Room<M> {
    key: Key<M>,
    registered: Roster<M>,
    subscribers: HashMap<Address, Subscription<M>>,
}

struct Subscription<M> {
    subscriber: ActorRef<Listing<M>>,
    /// What it was told last.
    told: Option<Actors<M>>,
}

type Actors<M> = Arc<[ActorRef<M>]>;

impl<M> Room<M> {
    fn new(key: &Key<M>) -> Room<M> {
        Room { key: key.clone(), registered: Roster::new(), subscribers: HashMap::new() }
    }

    fn subscribe(&mut self, subscriber: ActorRef<Listing<M>>) -> bool {
        let new = !self.subscribers.contains_key(&subscriber.address());
        if new {
            self.subscribers.insert(subscriber.address(), Subscription { subscriber, told: None });
        }
        new
    }

    fn unsubscribe(&mut self, subscriber: Address) -> bool {
        self.subscribers.remove(&subscriber).is_some()
    }
}

/// Tells subscribers what is new to them.
pub(crate) type News = Box<dyn FnOnce(&mut Scope<'_>)>;

trait AnyRoom: Any + Send {
    /// Strikes an actor; says whether it was registered.
    fn forget(&mut self, actor: Address) -> bool;
    fn holds(&self, actor: Address) -> bool;
    fn is_empty(&self) -> bool;
    fn news(&mut self) -> Option<News>;
    fn any(&mut self) -> &mut dyn Any;
}

impl<M: Send + 'static> AnyRoom for Room<M> {
    fn forget(&mut self, actor: Address) -> bool {
        self.unsubscribe(actor);
        self.registered.remove(actor)
    }

    fn holds(&self, actor: Address) -> bool {
        self.subscribers.contains_key(&actor) || self.registered.get(actor).is_some()
    }

    fn is_empty(&self) -> bool {
        self.subscribers.is_empty() && self.registered.is_empty()
    }

    fn news(&mut self) -> Option<News> {
        if self.subscribers.is_empty() {
            return None;
        }
        let listing = Listing { key: self.key.clone(), actors: self.registered.all() };
        let mut to = Vec::new();
        for Subscription { subscriber, told } in self.subscribers.values_mut() {
            // One copy is made for each change: another copy is another state.
            if told.as_ref().is_none_or(|told| !Arc::ptr_eq(told, &listing.actors)) {
                *told = Some(listing.actors.clone());
                to.push(*subscriber);
            }
        }
        Some(Box::new(move |scope| {
            for subscriber in to {
                scope.tell(subscriber, listing.clone());
            }
        }))
    }

    fn any(&mut self) -> &mut dyn Any {
        self
    }
}

impl Rooms {
    fn lock(&self) -> MutexGuard<'_, Table> {
        // No foreign code runs while the lock is held.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is entered at a key of an actor; says what `change` says.
    fn change<M: Send + 'static>(
        &self,
        key: &Key<M>,
        actor: impl Into<Address>,
        change: impl FnOnce(&mut Room<M>) -> bool,
    ) -> bool {
        let (id, actor) = (KeyId::of(key), actor.into());
        let mut table = self.lock();
        let room = table.rooms.entry(id.clone()).or_insert_with(|| Box::new(Room::new(key)));
        let changed = room.any().downcast_mut::<Room<M>>().is_some_and(change);
        table.tidy(&id, actor);
        changed
    }

    fn find<M: Send + 'static>(&self, key: &Key<M>) -> Actors<M> {
        let mut table = self.lock();
        let room = table.rooms.get_mut(&KeyId::of(key));
        let room = room.and_then(|room| room.any().downcast_mut::<Room<M>>());
        room.map_or_else(|| Arc::from([]), |room| room.registered.all())
    }

    /// Strikes an actor everywhere; gives the keys at which it was registered.
    pub(crate) fn forget(&self, actor: Address) -> Vec<KeyId> {
        let mut table = self.lock();
        let mut keys = table.keys_of.get(&actor).cloned().unwrap_or_default();
        keys.retain(|key| {
            let was = table.rooms.get_mut(key).is_some_and(|room| room.forget(actor));
            table.tidy(key, actor);
            was
        });
        keys
    }

    /// What the subscribers to a key are to be told, if there are any.
    pub(crate) fn news(&self, key: &KeyId) -> Option<News> {
        self.lock().rooms.get_mut(key)?.news()
    }

    pub(crate) fn addresses(&self) -> Vec<Address> {
        self.lock().keys_of.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::tests::actors;

    #[test]
    fn nothing_is_kept_of_those_who_are_gone() {
        let rooms = Rooms::default();
        let [a, b] = actors::<u64, 2>();
        let [reader] = actors::<Listing<u64>, 1>();
        let keys: Vec<Key<u64>> = (0..10).map(|n| Key::of(format!("key {n}"))).collect();
        for key in &keys {
            assert!(rooms.change(key, a, |room| room.registered.insert(a)));
            assert!(rooms.change(key, b, |room| room.registered.insert(b)));
            assert!(rooms.change(key, reader, |room| room.subscribe(reader)));
        }
        let entered = rooms.addresses();
        assert_eq!(entered.len(), 3);
        assert_eq!(rooms.forget(a.address()).len(), 10, "the keys whose subscribers are to be told");
        assert_eq!(rooms.forget(reader.address()).len(), 0, "it was registered for none");
        assert_eq!(rooms.addresses(), [b.address()]);
        for key in &keys {
            assert!(rooms.change(key, b, |room| room.registered.remove(b.address())));
        }
        // Looking at what is not there, and striking it, enters nothing.
        assert_eq!(*rooms.find(&keys[0]), []);
        assert!(!rooms.change(&keys[0], a, |room| room.registered.remove(a.address())));
        assert_eq!(rooms.forget(a.address()).len(), 0);
        let table = rooms.lock();
        assert!(table.rooms.is_empty() && table.keys_of.is_empty());
    }
}
