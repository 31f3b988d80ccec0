//! The event stream: publishing by type, to whoever subscribed to that type, on whatever shard.
//!
//! One table for the whole system, behind a lock, says who subscribed to what. Those who publish (shards and gateways)
//! each keep copies of the rows they publish to, and one number says whether the table has changed since. So publishing
//! looks at that number and at one row, and shares nothing with others who publish; an event that nobody wants costs no
//! more than that.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_kernel::{ActorRef, Address, DeadLetter, Scope};

use crate::error::{BoxError, CallError};
use crate::extensions::Extension;
use crate::roster::Roster;
use crate::shared::Shared;
use crate::steward::{Desk, Errand};

/// A system's event stream: publishes values by their type. Cheap to clone; see
/// [`Handle::events`](crate::Handle::events).
///
/// An actor subscribes to a type of event, and is told a clone of each that is published from then on, by any actor on
/// any shard ([`ShardCtx::publish`](crate::ShardCtx::publish)) or through any gateway
/// ([`Gateway::publish`](crate::Gateway::publish)), at most once and in order for each who publishes. An actor of
/// another protocol subscribes with an [adapter](corelane_kernel::Ctx::adapter). A subscriber that stops is forgotten.
/// Types are matched exactly: related events are one `enum`.
///
/// Every [`DeadLetter`] of the system is published here: what no actor was there for, what was dropped because a queue
/// or mailbox was full, and what was [unhandled](corelane_kernel::Ctx::unhandled). Dead letters that are dead letters
/// again are counted, and not published.
///
/// With dead letters alone, "from then on" begins late: a new subscriber hears of those from the **next turn** of each
/// shard on. What becomes a dead letter in the turn that runs when [`subscribe`](EventStream::subscribe) returns is missed,
/// even if it was told afterwards: an actor that subscribes in its `started` and then tells somebody who is gone does not
/// hear of that. Who must miss none has two ways: [`Handle::subscribe_dead_letters`](crate::Handle::subscribe_dead_letters)
/// blocks a thread that is no shard until all shards know; and on an actor's own shard
/// [`Scope::subscribe_dead_letters`] holds at once. To all other types a subscription holds when `subscribe` returns.
///
/// Publishing to a type that nobody subscribed to costs a look-up, about ten nanoseconds, and no message. The first event
/// of a type after any subscription has changed copies the row of its subscribers. The table takes about a hundred bytes
/// for each subscription, and each shard and gateway 16 for each subscriber of the types that it publishes.
///
/// ```
/// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, ReplyTo};
/// # use corelane_shard::{ShardCtx, System};
/// # use std::time::Duration;
/// #[derive(Clone)]
/// struct PriceChanged(u64);
///
/// enum Msg { Price(PriceChanged), Last(ReplyTo<u64>) }
///
/// #[derive(Default)]
/// struct Display { last: u64 }
///
/// impl Actor for Display {
///     type Msg = Msg;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let prices = ctx.adapter(Msg::Price)?;
///         ctx.system().events().subscribe::<PriceChanged>(prices)?;
///         Ok(())
///     }
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Price(PriceChanged(price)) => self.last = price,
///             Msg::Last(reply) => ctx.tell(reply, self.last),
///         }
///         Ok(())
///     }
/// }
///
/// let system = System::builder().shards(1).pinned(false).start()?;
/// let display = system.spawn(Display::default)?;
/// let mut gateway = system.gateway()?;
/// // Its start is over when it answers.
/// gateway.ask(display, Duration::from_secs(5), Msg::Last)?;
/// gateway.publish(PriceChanged(42));
/// assert_eq!(gateway.ask(display, Duration::from_secs(5), Msg::Last)?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EventStream {
    desk: Arc<Desk>,
}

impl EventStream {
    pub(crate) fn new(desk: Arc<Desk>) -> EventStream {
        EventStream { desk }
    }

    /// Tells an actor every event of type `E` that is published from now on; of dead letters, from the next turn of each
    /// shard on (see [`EventStream`]). Subscribing twice is subscribing once.
    ///
    /// # Errors
    /// [`CallError::ShuttingDown`].
    pub fn subscribe<E: Clone + Send + 'static>(&self, subscriber: ActorRef<E>) -> Result<(), CallError> {
        if self.desk.topics.subscribe(subscriber) {
            self.desk.send([Errand::Watch(subscriber.address())]).inspect_err(|_| {
                self.desk.topics.unsubscribe(subscriber);
            })?;
        }
        Ok(())
    }

    /// Ends a subscription to events of type `E`, and to no other type. What is on its way still arrives. Says whether
    /// there was one.
    pub fn unsubscribe<E: Clone + Send + 'static>(&self, subscriber: ActorRef<E>) -> bool {
        self.desk.topics.unsubscribe(subscriber)
    }

    /// How many subscribed to events of type `E`.
    pub fn subscribers<E: Clone + Send + 'static>(&self) -> usize {
        self.desk.topics.count::<E>()
    }

    /// Publishes an event from a closure on a shard. Actors have [`ShardCtx::publish`](crate::ShardCtx::publish).
    pub fn publish<E: Clone + Send + 'static>(&self, scope: &mut Scope<'_>, event: E) {
        publish(scope, event);
    }
}

/// Tells an event to its subscribers, from a shard. Nobody subscribes to a kernel that no system runs.
pub(crate) fn publish<E: Clone + Send + 'static>(scope: &mut Scope<'_>, event: E) {
    if let Some(to) = EventStream::part(scope).and_then(Reader::subscribers) {
        each_of(&to, event, |to, event| scope.tell(to, event));
    }
}

/// Gives each subscriber a clone of an event, and the last one the event itself.
pub(crate) fn each_of<E: Clone>(to: &[ActorRef<E>], event: E, mut tell: impl FnMut(ActorRef<E>, E)) {
    if let Some((last, others)) = to.split_last() {
        for to in others {
            tell(*to, event.clone());
        }
        tell(*last, event);
    }
}

impl Extension for EventStream {
    const NAME: &'static str = "event-stream";
    type Shard = Reader;

    fn on_shard(&self, _: &mut Scope<'_>) -> Result<Reader, BoxError> {
        Ok(Reader::new(self.desk.clone()))
    }
}

/// Who subscribed to what, for the whole system.
pub(crate) struct Topics {
    shared: Arc<Shared>,
    /// Changes whenever a row does.
    version: AtomicU64,
    rows: Mutex<HashMap<TypeId, Box<dyn Row>>>,
}

/// The subscribers to one type, which is forgotten.
trait Row: Any + Send {
    fn remove(&mut self, actor: Address) -> bool;
    fn is_empty(&self) -> bool;
    fn addresses(&self) -> Vec<Address>;
    fn any(&mut self) -> &mut dyn Any;
}

impl<E: 'static> Row for Roster<E> {
    fn remove(&mut self, actor: Address) -> bool {
        Roster::remove(self, actor)
    }
    fn is_empty(&self) -> bool {
        Roster::is_empty(self)
    }
    fn addresses(&self) -> Vec<Address> {
        Roster::addresses(self).collect()
    }
    fn any(&mut self) -> &mut dyn Any {
        self
    }
}

type Rows = HashMap<TypeId, Box<dyn Row>>;

/// The subscribers to `E`, if there ever was one.
fn row<E: 'static>(rows: &mut Rows) -> Option<&mut Roster<E>> {
    rows.get_mut(&TypeId::of::<E>())?.any().downcast_mut()
}

impl Topics {
    pub(crate) fn new(shared: Arc<Shared>) -> Topics {
        Topics { shared, version: AtomicU64::new(1), rows: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        // No foreign code runs while the lock is held.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called with the lock held, after a change.
    fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Says whether the subscription is new.
    fn subscribe<E: Send + 'static>(&self, subscriber: ActorRef<E>) -> bool {
        let mut rows = self.lock();
        rows.entry(TypeId::of::<E>()).or_insert_with(|| Box::new(Roster::<E>::new()));
        let new = row::<E>(&mut rows).is_some_and(|roster| roster.insert(subscriber));
        if new {
            self.changed();
            if let Some(clerk) = as_clerk(&subscriber) {
                self.on_each_shard(move |scope| {
                    if scope.subscribe_dead_letters(clerk).is_err() {
                        tracing::error!(?clerk, "no room for its subscription to this shard's dead letters");
                    }
                });
            }
        }
        new
    }

    fn unsubscribe<E: 'static>(&self, subscriber: ActorRef<E>) -> bool {
        self.strike(&mut self.lock(), TypeId::of::<E>(), subscriber.address())
    }

    /// Strikes an actor from all rows.
    pub(crate) fn forget(&self, actor: Address) {
        let mut rows = self.lock();
        let types: Vec<TypeId> = rows.keys().copied().collect();
        for of in types {
            self.strike(&mut rows, of, actor);
        }
    }

    fn strike(&self, rows: &mut Rows, of: TypeId, actor: Address) -> bool {
        let clerk = row::<DeadLetter>(rows).filter(|_| of == TypeId::of::<DeadLetter>());
        let clerk = clerk.and_then(|clerks| clerks.get(actor));
        let Some(row) = rows.get_mut(&of) else { return false };
        if !row.remove(actor) {
            return false;
        }
        if row.is_empty() {
            rows.remove(&of);
        }
        self.changed();
        if let Some(clerk) = clerk {
            self.on_each_shard(move |scope| scope.unsubscribe_dead_letters(clerk));
        }
        true
    }

    fn count<E: 'static>(&self) -> usize {
        row::<E>(&mut self.lock()).map_or(0, |roster| roster.len())
    }

    pub(crate) fn addresses(&self) -> Vec<Address> {
        self.lock().values().flat_map(|row| row.addresses()).collect()
    }

    /// Has each shard take over a change, in the order of the changes, as the lock is held.
    fn on_each_shard(&self, call: impl Fn(&mut Scope<'_>) + Clone + Send + 'static) {
        for shard in 0..self.shared.posts.len() {
            // A shard that is ending tells nobody any more.
            let _ = self.shared.run_on(shard, call.clone());
        }
    }
}

/// A subscriber to dead letters, which kernels tell of them by themselves.
fn as_clerk<E: 'static>(subscriber: &ActorRef<E>) -> Option<ActorRef<DeadLetter>> {
    (subscriber as &dyn Any).downcast_ref::<ActorRef<DeadLetter>>().copied()
}

/// One who publishes: the rows that it needs, as they were when the table last changed.
pub struct Reader {
    desk: Arc<Desk>,
    version: u64,
    /// One for each type that was published since; with nobody's subscription as well.
    copies: HashMap<TypeId, Option<Box<dyn Any + Send>>>,
}

impl Reader {
    pub(crate) fn new(desk: Arc<Desk>) -> Reader {
        Reader { desk, version: 0, copies: HashMap::new() }
    }

    /// Who is to be told events of type `E`, if anybody is.
    pub(crate) fn subscribers<E: 'static>(&mut self) -> Option<Arc<[ActorRef<E>]>> {
        let version = self.desk.topics.version.load(Ordering::Acquire);
        if version != self.version {
            self.copies.clear();
            self.version = version;
        }
        let topics = &self.desk.topics;
        let copy = self.copies.entry(TypeId::of::<E>()).or_insert_with(|| {
            let all = row::<E>(&mut topics.lock())?.all();
            // A copy of its own, whose count no other core touches.
            let own: Arc<[ActorRef<E>]> = Arc::from(&*all);
            Some(Box::new(own))
        });
        copy.as_ref()?.downcast_ref::<Arc<[ActorRef<E>]>>().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::host::Host;
    use crate::roster::tests::actors;

    #[test]
    fn nothing_is_kept_of_those_who_are_gone() {
        let topics = Topics::new(Arc::new(Shared::new(Clock::new(), Host::Threads, Vec::new(), false)));
        let [a, b] = actors::<u64, 2>();
        let [clerk] = actors::<DeadLetter, 1>();
        assert!(topics.subscribe(a) && topics.subscribe(b) && topics.subscribe(clerk));
        assert!(!topics.subscribe(a));
        assert_eq!((topics.count::<u64>(), topics.count::<u8>(), topics.addresses().len()), (2, 0, 3));
        topics.forget(a.address());
        assert!(topics.unsubscribe(b) && !topics.unsubscribe(b));
        topics.forget(clerk.address());
        assert!(topics.lock().is_empty());
    }

    #[test]
    fn a_reader_looks_at_the_table_only_after_a_change() {
        let desk = Arc::new(Desk::new(Arc::new(Shared::new(Clock::new(), Host::Threads, Vec::new(), false))));
        let [a, b] = actors::<u64, 2>();
        let mut reader = Reader::new(desk.clone());
        assert!(reader.subscribers::<u64>().is_none());
        {
            // Whoever took the lock here would wait for ever.
            let _held = desk.topics.lock();
            assert!(reader.subscribers::<u64>().is_none());
        }
        desk.topics.subscribe(a);
        assert_eq!(*reader.subscribers::<u64>().unwrap(), [a]);
        {
            let _held = desk.topics.lock();
            assert_eq!(*reader.subscribers::<u64>().unwrap(), [a]);
        }
        desk.topics.subscribe(b);
        assert_eq!(*reader.subscribers::<u64>().unwrap(), [a, b]);
        assert!(reader.subscribers::<u8>().is_none());
    }
}
