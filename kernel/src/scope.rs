//! The scope: the kernel as actors, closures and its driver may use it.
//!
//! Everything here can be done while an actor runs. What only a driver may do (turns, lanes, recovery) is on
//! [`Kernel`] itself. An actor's own [`Ctx`](crate::Ctx) has all of this and what concerns the actor besides.

use core::fmt;
use core::time::Duration;

use crate::actor::Actor;
use crate::address::{ActorRef, Address, Group, Place, ReplyTo};
use crate::backoff::Backoff;
use crate::behavior::{Given, Made};
use crate::error::{AskError, OutOfMemory, ResolveError, SpawnError, TellError};
use crate::failure::Failure;
use crate::grants::GrantNames;
use crate::holdings::Holdings;
use crate::kernel::{Kernel, Stats};
use crate::letters::DeadLetter;
use crate::lifecycle::Birth;
use crate::observer::Observe;
use crate::paths::Path;
use crate::region::NONE;
use crate::time::Time;

/// What actors, closures and the driver use a kernel through.
pub struct Scope<'k> {
    kernel: &'k mut Kernel,
}

impl<'k> Scope<'k> {
    pub(crate) fn new(kernel: &'k mut Kernel) -> Scope<'k> {
        Scope { kernel }
    }

    /// Tells an actor, wherever it lives. What is refused becomes a dead letter.
    ///
    /// Delivery is at most once, and in order for each pair of sender and receiver of one scheduling group.
    #[inline]
    pub fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.kernel.tell(to, message);
    }

    /// Tells an actor, or gives the message back.
    ///
    /// # Errors
    /// [`TellError`]: nothing was queued. `Ok` says that the message is on its way, not that the actor lives.
    #[inline]
    pub fn try_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        self.kernel.try_tell(to, message)
    }

    /// Tells an actor of this kernel what it asked for itself, such as the outcome of work that it began: its mailbox
    /// bound, which is there to keep others out, does not refuse that. Otherwise as [`Scope::tell`].
    #[inline]
    pub fn answer<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.kernel.answer(to, message);
    }

    /// Gives an actor of this kernel what it asked for itself past its queue, so that nothing is lost where that is full: it
    /// handles the message before this returns, or the message waits at the actor where that cannot run now. For one that is
    /// gone it becomes a dead letter.
    ///
    /// Between turns only, so for a driver, and what it drives: extensions, futures.
    ///
    /// # Errors
    /// The message, where an actor's code runs, or where it would have to wait and the region is used up: to be given again
    /// later.
    pub fn hand_over<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), M> {
        self.kernel.give_now(to, message)
    }

    /// Spawns a top-level actor from its state. Its `started` runs before its first message. It cannot be restarted: a
    /// decision to do so stops it.
    ///
    /// # Errors
    /// [`SpawnError`]; the state is dropped.
    pub fn spawn<A: Actor>(&mut self, actor: A) -> Result<ActorRef<A::Msg>, SpawnError> {
        self.spawner().spawn(actor)
    }

    /// Spawns a top-level actor from a factory that makes its state when it starts, and again when it is restarted.
    ///
    /// # Errors
    /// [`SpawnError`]; the factory is dropped.
    pub fn spawn_from<A: Actor>(
        &mut self,
        factory: impl FnMut() -> A + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnError> {
        self.spawner().spawn_from(factory)
    }

    /// Spawns a top-level actor with a name, a scheduling group or a mailbox bound.
    pub fn spawner(&mut self) -> Spawner<'_> {
        let parent = self.kernel.root;
        Spawner::below(self.kernel, parent)
    }

    /// Asks an actor to stop: it finishes the message at hand, its children stop first, then it. Messages it has not
    /// handled become dead letters. Nothing happens if it is gone.
    ///
    /// No stop is refused for want of room on this core. To other cores a few wait where the lane is full and the region
    /// used up; more than that are lost, each of which counts as a dead letter ([`DeadReason::OutOfMemory`]). Children there
    /// that stop with their parent always hear of it.
    ///
    /// [`DeadReason::OutOfMemory`]: crate::DeadReason::OutOfMemory
    pub fn stop(&mut self, actor: impl Into<Address>) {
        self.kernel.request_stop(actor.into());
    }

    /// Asks an actor, wherever it lives, to stop once it has handled what this kernel has told it until now: where a
    /// [stop](Scope::stop) overtakes messages, this comes behind them. Also what waits at one that is suspended is handled, when
    /// it goes on. What it has stashed by then, and what others tell it meanwhile, may become dead letters. Nothing happens if it
    /// is gone.
    ///
    /// On this core nothing is lost for want of memory. One on another core is stopped at once, and what waits for it becomes
    /// dead letters, if the way there is full. On another host all is handled that gets there; one that cannot be told to, since
    /// its host does not know how, is stopped at once.
    pub fn retire(&mut self, actor: impl Into<Address>) {
        self.kernel.retire_anywhere(actor.into());
    }

    /// Asks every top-level actor of this kernel to stop, and with them all others, but for those whose parents live on
    /// other shards: these stop with their parents. Children of parents on other hosts are asked as well.
    pub fn stop_all(&mut self) {
        let mut roots = self.kernel.first_child(self.kernel.root);
        while roots != NONE {
            let next = self.kernel.memory.header(roots).next.get();
            if !self.kernel.is_from_another_shard(roots) {
                let address = self.kernel.address_of(roots);
                self.kernel.request_stop(address);
            }
            roots = next;
        }
    }

    /// Whether an actor of this kernel lives. One of another kernel counts as living: only watching tells.
    pub fn is_alive(&self, actor: impl Into<Address>) -> bool {
        let actor = actor.into();
        actor.place != self.kernel.place && actor != Address::NOBODY || self.kernel.is_alive(actor)
    }

    /// Messages that wait in an actor's mailbox, where that is bounded; see [`Spawner::mailbox`]. `None` for one of
    /// another kernel, one whose mailbox has no bound, and one that is gone.
    pub fn mailbox_len(&self, actor: impl Into<Address>) -> Option<u32> {
        let actor = actor.into();
        let side = self.kernel.is_alive(actor).then(|| self.kernel.side_of(actor.index))??;
        let side = self.kernel.sides.get(side);
        (side.bound != 0).then_some(side.waiting)
    }

    /// The top-level actor of a name.
    pub fn named(&self, name: &str) -> Option<Address> {
        let cell = self.kernel.child_named(self.kernel.root, name)?;
        Some(self.kernel.address_of(cell))
    }

    /// The child of a name, of an actor of this kernel.
    pub fn child_of(&self, parent: impl Into<Address>, name: &str) -> Option<Address> {
        self.kernel.child_of(parent.into(), name)
    }

    /// An actor's path, to be printed; see [`Path`].
    pub fn path(&self, actor: impl Into<Address>) -> Path<'_> {
        self.kernel.path(actor.into())
    }

    /// The reference to an actor of this kernel whose messages are of type `M`.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn resolve<M: 'static>(&self, actor: impl Into<Address>) -> Result<ActorRef<M>, ResolveError> {
        self.kernel.resolve(actor.into())
    }

    /// Sets who gives out the names of this kernel's top-level actors; an earlier one is dropped. Names that were given
    /// before are unknown to it, so set it first.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; the granter is dropped.
    pub fn grant_names_by<G: GrantNames>(&mut self, granter: G) -> Result<(), OutOfMemory> {
        self.kernel.set_granter(granter)
    }

    /// Adds a reason for an actor of this kernel not to run: its messages wait, in order. Signals do not. Each message that waits
    /// takes up memory of the region; those for which there is none are dead letters.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; the actor runs on then.
    pub fn suspend(&mut self, actor: impl Into<Address>) -> Result<(), OutOfMemory> {
        let actor = actor.into();
        if self.kernel.is_actor(actor) { self.kernel.suspend_cell(actor.index) } else { Ok(()) }
    }

    /// Takes one reason not to run away. With the last one gone, the actor handles what waited.
    pub fn resume(&mut self, actor: impl Into<Address>) {
        let actor = actor.into();
        if self.kernel.is_actor(actor) {
            self.kernel.resume_cell(actor.index);
        }
    }

    /// Takes one reason not to run away, and has the actor handle `message` before all that waits for it. One that is gone
    /// is told, which is a dead letter. Where the region has no room for the message, that is a dead letter as well, and the
    /// actor resumes without it.
    pub fn resume_with<M: Send + 'static>(&mut self, actor: ActorRef<M>, message: M) {
        if self.kernel.is_actor(actor.address()) {
            self.kernel.resume_first(actor, message);
        } else {
            self.kernel.tell(actor, message);
        }
    }

    /// Fails an actor of this kernel, as if a hook of it had returned this failure: after the message at hand, before
    /// any other. One that is stopping already only stops.
    pub fn fail(&mut self, actor: impl Into<Address>, failure: Failure) {
        let actor = actor.into();
        if self.kernel.is_actor(actor) {
            self.kernel.request_failure(actor, failure);
        }
    }

    /// Has an actor of this kernel watch another, as [`Ctx::watch`](crate::Ctx::watch) does. Nothing happens if it is gone.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up: it is not watched.
    pub fn watch(
        &mut self,
        watcher: impl Into<Address>,
        target: impl Into<Address>,
    ) -> Result<(), OutOfMemory> {
        let watcher = watcher.into();
        if !self.kernel.is_actor(watcher) {
            return Ok(());
        }
        self.kernel.watch_cell(watcher.index, target.into(), NONE)
    }

    /// Asks a question on behalf of code that is no actor: `then` is called once with the answer or its absence, on
    /// this kernel, or dropped with it.
    pub fn ask<T, R>(
        &mut self,
        of: ActorRef<T>,
        within: Duration,
        question: impl FnOnce(ReplyTo<R>) -> T,
        then: impl FnOnce(Result<R, AskError>) + 'static,
    ) where
        T: Send + 'static,
        R: Send + 'static,
    {
        self.kernel.ask_from_outside(of, within, question, then);
    }

    /// Runs a closure on another shard of this realm, in order with what is told to actors there.
    ///
    /// # Errors
    /// [`TellError`]: the closure comes back and will not run.
    pub fn call_on<F>(&mut self, shard: usize, call: F) -> Result<(), TellError<F>>
    where
        F: FnOnce(&mut Scope<'_>) + Send + 'static,
    {
        self.kernel.call_away(shard, call)
    }

    /// Tells an actor of every dead letter of this kernel from now on, as long as it can keep up.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up.
    pub fn subscribe_dead_letters(&mut self, subscriber: ActorRef<DeadLetter>) -> Result<(), OutOfMemory> {
        self.kernel.subscribe_letters(subscriber)
    }

    /// Ends a subscription to dead letters.
    pub fn unsubscribe_dead_letters(&mut self, subscriber: ActorRef<DeadLetter>) {
        self.kernel.unsubscribe_letters(subscriber);
    }

    /// How long a back-off waits after so many attempts, with jitter from this kernel's dice: for attempts of one's
    /// own, such as spawning an actor again that has stopped.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use corelane_kernel::{Actor, Backoff, Ctx, Outcome, Terminated};
    /// # struct Session;
    /// # impl Actor for Session {
    /// #     type Msg = ();
    /// #     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
    /// # }
    /// enum Msg { Again }
    ///
    /// /// Keeps a session open, though each ends some day.
    /// struct Keeper { backoff: Backoff, attempts: u32 }
    ///
    /// impl Actor for Keeper {
    ///     type Msg = Msg;
    ///     fn receive(&mut self, Msg::Again: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         let session = ctx.spawn_from(|| Session)?;
    ///         ctx.watch(session)?;
    ///         Ok(())
    ///     }
    ///     fn terminated(&mut self, _: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         let delay = ctx.delay_after(&self.backoff, self.attempts);
    ///         self.attempts += 1;
    ///         ctx.set_timer("again", delay, Msg::Again)?;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn delay_after(&mut self, backoff: &Backoff, attempts: u32) -> Duration {
        backoff.delay_after(attempts, &mut self.kernel.dice)
    }

    /// The time of this turn, or of what is done between turns.
    #[inline]
    pub fn now(&self) -> Time {
        self.kernel.now
    }

    /// Which kernel this is; see [`Kernel::place`](crate::Kernel::place).
    pub fn place(&self) -> Place {
        self.kernel.place
    }

    /// What was counted since the kernel was made, and levels as they are now; see [`Kernel::stats`](crate::Kernel::stats).
    pub fn stats(&self) -> Stats {
        self.kernel.stats()
    }

    /// What is in use; see [`Kernel::holdings`](crate::Kernel::holdings).
    pub fn holdings(&self) -> Holdings {
        self.kernel.holdings()
    }

    /// The extension of type `T`, if it was set.
    pub fn extension<T: 'static>(&mut self) -> Option<&mut T> {
        self.kernel.extension::<T>()
    }

    /// Sets the extension of type `T`; an earlier one of that type is replaced and dropped.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; the value is dropped.
    pub fn set_extension<T: 'static>(&mut self, value: T) -> Result<(), OutOfMemory> {
        self.kernel.set_extension(value)
    }

    /// Sets who sees failures and dead letters; an earlier one is dropped.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; the observer is dropped.
    pub fn observe<O: Observe>(&mut self, observer: O) -> Result<(), OutOfMemory> {
        self.kernel.set_observer(observer)
    }

    /// Hangs a value on an actor of this kernel, dropped when that ends or is restarted. At once if it has ended.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; the value is dropped.
    pub fn attach<T: 'static>(&mut self, actor: impl Into<Address>, value: T) -> Result<(), OutOfMemory> {
        let actor = actor.into();
        if self.kernel.is_actor(actor) { self.kernel.attach_value(actor.index, value) } else { Ok(()) }
    }
}

impl Scope<'_> {
    pub(crate) fn kernel(&mut self) -> &mut Kernel {
        self.kernel
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", self.kernel)
    }
}

/// How an actor is to be spawned: name, scheduling group, mailbox bound.
///
/// ```
/// # use corelane_kernel::{Actor, Ctx, Group, Kernel, KernelConfig, Outcome, Region, SpawnError};
/// struct Indexer;
///
/// impl Actor for Indexer {
///     type Msg = u64;
///     fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// }
///
/// # let memory = Box::leak(Box::new([core::mem::MaybeUninit::<u8>::uninit(); 64 * 1024]));
/// # let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
/// let mut scope = kernel.scope();
/// let indexer = scope.spawner().name("indexer").group(Group::Bulk).mailbox(1000).spawn_from(|| Indexer)?;
/// assert_eq!(scope.named("indexer"), Some(indexer.address()));
/// assert_eq!(scope.spawner().name("indexer").spawn(Indexer), Err(SpawnError::NameTaken));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a spawner does nothing until `spawn` or `spawn_from` is called"]
pub struct Spawner<'k> {
    kernel: &'k mut Kernel,
    parent: u32,
    birth: Birth<'k>,
}

impl<'k> Spawner<'k> {
    pub(crate) fn below(kernel: &'k mut Kernel, parent: u32) -> Spawner<'k> {
        Spawner { kernel, parent, birth: Birth::default() }
    }

    /// A name, unique among the children of its parent; that of a top-level actor among all shards of a system. What is
    /// decided for the path that it makes ([`GrantNames::decide`](crate::GrantNames::decide), the deployments of a system)
    /// comes before the group and the mailbox that are set here.
    pub fn name(mut self, name: &'k str) -> Self {
        self.birth.name = Some(name);
        self
    }

    /// The scheduling group. Unless told otherwise, [`Group::Normal`].
    pub fn group(mut self, group: Group) -> Self {
        self.birth.group = group;
        self
    }

    /// Bounds the messages that may wait for the actor on its own core; telling it more is refused. What comes from
    /// other cores is bounded by its lane and outbox. Zero, as unless told otherwise, is no bound.
    pub fn mailbox(mut self, bound: u32) -> Self {
        self.birth.bound = bound;
        self
    }

    /// Spawns from a state. It cannot be restarted: a decision to do so stops it.
    ///
    /// # Errors
    /// [`SpawnError`]; the state is dropped.
    pub fn spawn<A: Actor>(self, actor: A) -> Result<ActorRef<A::Msg>, SpawnError> {
        let state = core::mem::MaybeUninit::new(actor);
        self.kernel.spawn_cell(self.parent, self.birth, state, Given)
    }

    /// Spawns from a factory that makes the state when the actor starts, and again when it is restarted.
    ///
    /// # Errors
    /// [`SpawnError`]; the factory is dropped.
    pub fn spawn_from<A: Actor>(
        self,
        mut factory: impl FnMut() -> A + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnError> {
        self.try_spawn_from(move || Ok(factory()))
    }

    /// Spawns from a factory that may fail; its failure is the actor's, before it handled anything.
    ///
    /// # Errors
    /// [`SpawnError`]; the factory is dropped.
    pub fn try_spawn_from<A: Actor>(
        self,
        factory: impl FnMut() -> Result<A, Failure> + Send + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnError> {
        let state = core::mem::MaybeUninit::uninit();
        self.kernel.spawn_cell(self.parent, self.birth, state, Made(factory))
    }
}

impl fmt::Debug for Spawner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spawner(name: {:?}, group: {:?})", self.birth.name, self.birth.group)
    }
}
