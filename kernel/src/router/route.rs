//! The router: a row of routees, a strategy, and ways to tell whom it picks.

use core::fmt;
use core::hash::Hash;

use heapless::Vec;

use super::hashing::{ConsistentHash, KeyHasher, keeper};
use super::round_robin::RoundRobin;
use super::strategy::{Blind, Routee, Strategy};
use crate::actor::Actor;
use crate::address::{ActorRef, Address};
use crate::context::Ctx;
use crate::error::TellError;
use crate::limits::ROUTEES_DEFAULT;

/// Picks one of up to `N` actors for each message, and tells it.
///
/// A value for the state of the actor that sends: 32 bytes for each of the `N` routees there is room for,
/// [`ROUTEES_DEFAULT`] unless told otherwise. Nothing is allocated.
///
/// This is a *group*: its routees are spawned by whomever, and given to it. One whose routees belong to it is a
/// [`Pool`](super::Pool).
///
/// ```
/// use corelane_kernel::router::{Evicted, Router};
/// use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Terminated};
///
/// enum Msg { Join(ActorRef<u64>), Work(u64) }
///
/// #[derive(Default)]
/// struct Foreman { workers: Router<u64> }
///
/// impl Actor for Foreman {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Join(worker) => self.workers.add_watched(ctx, worker)?,
///             Msg::Work(job) => self.workers.tell(ctx, job),
///         }
///         Ok(())
///     }
///     fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         if let Evicted::Last = self.workers.evict(gone.address) {
///             ctx.stop_self();
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// An ask goes to whom the router picks:
///
/// ```
/// # use core::time::Duration;
/// # use corelane_kernel::router::{Router, SmallestLoad};
/// # use corelane_kernel::{Actor, Address, AskError, Ctx, Outcome, ReplyTo};
/// struct Price(ReplyTo<u64>);
/// enum Msg { Look, Seen(Address, Result<u64, AskError>) }
///
/// struct Buyer { shops: Router<Price, SmallestLoad> }
///
/// impl Actor for Buyer {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Look => {
///                 let shop = self.shops.pick();
///                 ctx.ask(shop, Duration::from_secs(1), Price, move |seen| Msg::Seen(shop.address(), seen));
///             }
///             Msg::Seen(shop, price) => {
///                 self.shops.done(shop);
///                 price?;
///             }
///         }
///         Ok(())
///     }
/// }
/// ```
pub struct Router<M, S = RoundRobin, const N: usize = ROUTEES_DEFAULT> {
    pub(super) routees: Vec<Routee<M>, N>,
    pub(super) strategy: S,
}

/// What became of a router when a routee was evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the last routee may be gone, and with it all that the router can tell"]
pub enum Evicted {
    /// It was none of its routees; nothing has changed.
    Stranger,
    /// So many are left. None only where a resizer brings new ones with the next message.
    Left(usize),
    /// It was the last one. An owner that lives to route has nothing to live for.
    Last,
}

/// Why a routee was not added. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddError {
    /// The router has as many routees as it has room for.
    Full,
    /// It could not be watched: the kernel's region is used up.
    OutOfMemory,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddError::Full => "the router has as many routees as it has room for",
            AddError::OutOfMemory => "no room for another watch in the kernel's region",
        })
    }
}

impl core::error::Error for AddError {}

impl<M, S, const N: usize> Router<M, S, N> {
    /// A router without routees.
    pub const fn new(strategy: S) -> Router<M, S, N> {
        Router { routees: Vec::new(), strategy }
    }

    /// The routees, in the order in which they were added.
    pub fn routees(&self) -> &[Routee<M>] {
        &self.routees
    }

    /// How many routees there are.
    pub fn len(&self) -> usize {
        self.routees.len()
    }

    /// Whether there is no routee.
    pub fn is_empty(&self) -> bool {
        self.routees.is_empty()
    }

    /// Whether an actor is a routee.
    pub fn knows(&self, actor: impl Into<Address>) -> bool {
        self.find(actor.into()).is_some()
    }

    /// The strategy, by which the router picks.
    pub fn strategy(&self) -> &S {
        &self.strategy
    }

    /// The strategy, to be changed.
    pub fn strategy_mut(&mut self) -> &mut S {
        &mut self.strategy
    }

    fn find(&self, address: Address) -> Option<usize> {
        self.routees.iter().position(|routee| routee.address() == address)
    }

    fn find_mut(&mut self, address: Address) -> Option<&mut Routee<M>> {
        self.routees.iter_mut().find(|routee| routee.address() == address)
    }
}

/// Who is a routee.
impl<M, S: Strategy<M>, const N: usize> Router<M, S, N> {
    /// Adds a routee, behind the others. Adding one twice is adding it once. What is told to one that has ended becomes
    /// dead letters, until it is taken out.
    ///
    /// # Errors
    /// [`AddError::Full`].
    pub fn add(&mut self, routee: ActorRef<M>) -> Result<(), AddError> {
        if self.knows(routee) {
            return Ok(());
        }
        self.routees.push(Routee::new(routee)).map_err(|_| AddError::Full)
    }

    /// Adds a routee that hashing knows by a name; see [`Routee::named`]. One that was added already gets the name.
    ///
    /// # Errors
    /// [`AddError::Full`].
    pub fn add_named(&mut self, routee: ActorRef<M>, name: &(impl Hash + ?Sized)) -> Result<(), AddError> {
        let named = Routee::named(routee, name);
        if let Some(known) = self.find_mut(routee.address()) {
            *known = named.with_load(known.load());
            return Ok(());
        }
        self.routees.push(named).map_err(|_| AddError::Full)
    }

    /// Adds a routee and watches it: its end comes to [`Actor::terminated`], and is to be given to [`Router::evict`]
    /// from there.
    ///
    /// # Errors
    /// [`AddError`].
    pub fn add_watched<A: Actor>(
        &mut self,
        ctx: &mut Ctx<'_, A>,
        routee: ActorRef<M>,
    ) -> Result<(), AddError> {
        let known = self.knows(routee);
        self.add(routee)?;
        if ctx.watch(routee).is_err() {
            if !known {
                self.remove(routee);
            }
            return Err(AddError::OutOfMemory);
        }
        Ok(())
    }

    /// Takes a routee out, and says whether it was one. It goes on with what it was told. A watch stays on: the owner
    /// ends it with [`Ctx::unwatch`].
    pub fn remove(&mut self, routee: impl Into<Address>) -> bool {
        let Some(at) = self.find(routee.into()) else { return false };
        // The others stay in their order.
        self.routees.remove(at);
        self.strategy.removed(at);
        true
    }

    /// Takes out a routee that has ended.
    pub fn evict(&mut self, gone: Address) -> Evicted {
        match (self.remove(gone), self.len()) {
            (false, _) => Evicted::Stranger,
            (true, 0) => Evicted::Last,
            (true, left) => Evicted::Left(left),
        }
    }
}

/// Who gets a message.
impl<M, S: Strategy<M>, const N: usize> Router<M, S, N> {
    /// Whom to tell this message, which then counts towards its load. [`ActorRef::nobody`] where there are no routees.
    #[inline]
    pub fn pick_for(&mut self, message: &M) -> ActorRef<M> {
        let at = self.strategy.pick(&self.routees, message);
        self.given_to(at)
    }

    /// Whom to tell or ask next, whatever it will be; see [`Router::pick_for`].
    #[inline]
    pub fn pick(&mut self) -> ActorRef<M>
    where
        S: Blind<M>,
    {
        let at = self.strategy.pick_blind(&self.routees);
        self.given_to(at)
    }

    #[inline(always)]
    fn given_to(&mut self, at: Option<usize>) -> ActorRef<M> {
        match at.and_then(|at| self.routees.get_mut(at)) {
            Some(routee) => {
                routee.count();
                routee.to()
            }
            None => ActorRef::nobody(),
        }
    }

    /// Tells the routee that the strategy picks, as [`Ctx::tell`] does: about a plain tell and the pick. What is refused
    /// becomes a dead letter, and counts towards no load; without routees everything is.
    #[inline]
    pub fn tell<A: Actor>(&mut self, ctx: &mut Ctx<'_, A>, message: M)
    where
        M: Send + 'static,
    {
        // The address is read from the row where it is used. Were it picked first, as one of two, it would be put
        // together on the stack, and telling would wait for that.
        let at = self.strategy.pick(&self.routees, &message);
        let Some(routee) = at.and_then(|at| self.routees.get_mut(at)) else {
            return tell_nobody(ctx, message);
        };
        match ctx.try_tell(routee.to(), message) {
            Ok(()) => routee.count(),
            Err(refused) => ctx.bury(routee.to(), refused),
        }
    }

    /// Tells the routee that the strategy picks, or gives the message back.
    ///
    /// # Errors
    /// As [`Ctx::try_tell`], and [`TellError::Unreachable`] without routees. A message that comes back counts towards
    /// no load. Routees with a full mailbox are not passed over: another try goes to whom the strategy picks then.
    #[inline]
    pub fn try_tell<A: Actor>(&mut self, ctx: &mut Ctx<'_, A>, message: M) -> Result<(), TellError<M>>
    where
        M: Send + 'static,
    {
        let at = self.strategy.pick(&self.routees, &message);
        let Some(routee) = at.and_then(|at| self.routees.get_mut(at)) else {
            return Err(TellError::Unreachable(message));
        };
        let told = ctx.try_tell(routee.to(), message);
        if told.is_ok() {
            routee.count();
        }
        told
    }

    /// Tells all routees, in their order: a clone to each but the last, which gets the message itself. Without
    /// routees it becomes a dead letter.
    pub fn broadcast<A: Actor>(&mut self, ctx: &mut Ctx<'_, A>, message: M)
    where
        M: Clone + Send + 'static,
    {
        let Some((last, others)) = self.routees.split_last_mut() else {
            return ctx.tell(ActorRef::nobody(), message);
        };
        for routee in others {
            routee.count();
            ctx.tell(routee.to(), message.clone());
        }
        last.count();
        ctx.tell(last.to(), message);
    }
}

#[cold]
#[inline(never)]
fn tell_nobody<A: Actor, M: Send + 'static>(ctx: &mut Ctx<'_, A>, message: M) {
    ctx.tell(ActorRef::nobody(), message);
}

impl<M, K, const N: usize> Router<M, ConsistentHash<K>, N> {
    /// Whom to tell or ask what belongs to this key, whatever the message says; it counts towards its load.
    /// [`ActorRef::nobody`] where there are no routees.
    ///
    /// A message's own key is found by the same hash: who tells by message and who tells by key agree.
    #[inline]
    pub fn pick_for_key(&mut self, key: &(impl Hash + ?Sized)) -> ActorRef<M> {
        let Some(at) = keeper(&self.routees, KeyHasher::hash_of(key)) else { return ActorRef::nobody() };
        let routee = &mut self.routees[at];
        routee.count();
        routee.to()
    }
}

/// How much each has to do.
impl<M, S, const N: usize> Router<M, S, N> {
    /// A routee has finished a message that this router gave it: its load is one less. Says whether it is a routee.
    pub fn done(&mut self, routee: impl Into<Address>) -> bool {
        self.find_mut(routee.into()).map(Routee::uncount).is_some()
    }

    /// Sets a routee's load, from whatever its owner knows. Says whether it is a routee.
    pub fn set_load(&mut self, routee: impl Into<Address>, load: u32) -> bool {
        self.find_mut(routee.into()).map(|routee| routee.set_load(load)).is_some()
    }

    /// Sets the load of each routee that lives on this core and has a bounded mailbox to the number of messages that
    /// wait in it, whoever told them; see [`Scope::mailbox_len`](crate::Scope::mailbox_len). Other loads stay as they
    /// are. Costs a look at each routee's cell.
    pub fn measure<A: Actor>(&mut self, ctx: &mut Ctx<'_, A>) {
        let scope = ctx.scope();
        for routee in &mut self.routees {
            if let Some(waiting) = scope.mailbox_len(routee.address()) {
                routee.set_load(waiting);
            }
        }
    }
}

impl<M, S: Default, const N: usize> Default for Router<M, S, N> {
    fn default() -> Self {
        Router::new(S::default())
    }
}

impl<M, S: fmt::Debug, const N: usize> fmt::Debug for Router<M, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Router({:?}, {:?})", self.strategy, self.routees())
    }
}
