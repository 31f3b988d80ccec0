//! The context: what an actor can do while it handles something.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use crate::actor::Actor;
use crate::address::{ActorRef, Address, Place, ReplyTo};
use crate::backoff::Backoff;
use crate::error::{AskError, OutOfMemory, SpawnError, StashError, TellError};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::letters::DeadReason;
use crate::parcel;
use crate::paths::Path;
use crate::record::Kind;
use crate::region::NONE;
use crate::scope::{Scope, Spawner};
use crate::time::Time;
use crate::timers::TimerKey;

/// The kernel as one actor sees it, for as long as its handler runs.
pub struct Ctx<'k, A: Actor> {
    kernel: &'k mut Kernel,
    cell: u32,
    actor: PhantomData<fn(A)>,
}

impl<'k, A: Actor> Ctx<'k, A> {
    #[inline(always)]
    pub(crate) fn new(kernel: &'k mut Kernel, cell: u32) -> Ctx<'k, A> {
        Ctx { kernel, cell, actor: PhantomData }
    }

    /// This actor's address, to be told to others. Costs a load.
    #[inline]
    pub fn me(&self) -> ActorRef<A::Msg> {
        self.kernel.address_of(self.cell).typed()
    }

    /// The parent's address; [`Address::NOBODY`] for a top-level actor.
    pub fn parent(&self) -> Address {
        let parent = self.kernel.memory.header(self.cell).parent.get();
        if parent == NONE || parent == self.kernel.root {
            let bond = self.kernel.bond_of(self.cell);
            return bond.map_or(Address::NOBODY, |bond| self.kernel.bonds.get(bond).parent);
        }
        self.kernel.address_of(parent)
    }

    /// This actor's name among its siblings, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.kernel.name_of(self.cell)
    }

    /// This actor's path, to be printed; see [`Path`].
    pub fn path(&self) -> Path<'_> {
        self.kernel.path(self.kernel.address_of(self.cell))
    }

    /// The time of this turn: the same for all messages of a turn.
    #[inline]
    pub fn now(&self) -> Time {
        self.kernel.now
    }

    /// What is not this actor's own: spawning at the top, extensions, dead letters …
    pub fn scope(&mut self) -> Scope<'_> {
        Scope::new(self.kernel)
    }

    pub(crate) fn parts(&mut self) -> (&mut Kernel, u32) {
        (self.kernel, self.cell)
    }

    /// The same context for another type of actor with the same messages: for an actor that wraps another and passes on
    /// what it is told.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, Ctx, Outcome};
    /// /// Counts what an actor is told.
    /// struct Counted<A> { inner: A, messages: u64 }
    ///
    /// impl<A: Actor> Actor for Counted<A> {
    ///     type Msg = A::Msg;
    ///     fn receive(&mut self, msg: A::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         self.messages += 1;
    ///         self.inner.receive(msg, &mut ctx.for_inner())
    ///     }
    /// }
    /// ```
    pub fn for_inner<B: Actor<Msg = A::Msg>>(&mut self) -> Ctx<'_, B> {
        Ctx { kernel: self.kernel, cell: self.cell, actor: PhantomData }
    }

    // --- messages ------------------------------------------------------------------------------------------------

    /// Tells an actor, wherever it lives; see [`Scope::tell`]. About the cost of a function call and a copy of the
    /// message, on this core; a few times that to another.
    #[inline(always)]
    pub fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.kernel.dispatch_tell(to, message);
    }

    /// Tells an actor, or gives the message back.
    ///
    /// # Errors
    /// As [`Scope::try_tell`].
    #[inline(always)]
    pub fn try_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        self.kernel.send(to, message)
    }

    /// Makes a dead letter of what was refused.
    pub(crate) fn bury<M: Send + 'static>(&mut self, to: ActorRef<M>, refused: TellError<M>) {
        self.kernel.bury(to, refused);
    }

    /// Passes the message at hand on, as it is: whatever reply address it carries stays its sender's.
    #[inline(always)]
    pub fn forward<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.tell(to, message);
    }

    /// Drops a message that this actor has no use for in the state it is in. It becomes a dead letter, so that it is
    /// counted, and whoever watches dead letters hears of it.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, Ctx, Outcome};
    /// enum Msg { Open, Write(String) }
    ///
    /// struct File { open: bool }
    ///
    /// impl Actor for File {
    ///     type Msg = Msg;
    ///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         match msg {
    ///             Msg::Open => self.open = true,
    ///             Msg::Write(text) if self.open => print!("{text}"),
    ///             early => ctx.unhandled(early),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    #[cold]
    pub fn unhandled(&mut self, message: A::Msg) {
        let me = self.kernel.address_of(self.cell);
        let letter = self.kernel.letter(me, core::any::type_name::<A::Msg>(), DeadReason::Unhandled);
        self.kernel.publish_letter(letter, core::any::TypeId::of::<A::Msg>());
        drop(message);
    }

    /// Asks a question: `question` makes the message around a reply address, and `then` turns the answer (or its absence)
    /// into a message to this actor. The ask ends with its answer, after `within`, or with this actor; and with the
    /// shard or the host of whom was asked, once it is known to be gone ([`AskError::Unreachable`]). Answers after that are dead
    /// letters. An actor that merely ends does not end it: it may have passed the question on.
    ///
    /// Exactly one message comes of it, as long as this actor lives. Where it is suspended, and the region has no room for
    /// that message to wait, the answer is a dead letter, and that there was none is told when there is room. Only where the
    /// region has no room for the reply address, and this actor's queue is full, nothing comes but a dead letter.
    ///
    /// Costs about three messages. Allocates nothing.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, AskError, Ctx, Outcome, ActorRef, ReplyTo};
    /// # use core::time::Duration;
    /// struct Price(ReplyTo<u64>);
    /// struct Buyer { shop: ActorRef<Price> }
    /// enum Msg { Look, Seen(Result<u64, AskError>) }
    ///
    /// impl Actor for Buyer {
    ///     type Msg = Msg;
    ///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         match msg {
    ///             Msg::Look => ctx.ask(self.shop, Duration::from_secs(1), Price, Msg::Seen),
    ///             Msg::Seen(price) => { price?; }
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn ask<T, R, F>(
        &mut self,
        of: ActorRef<T>,
        within: Duration,
        question: impl FnOnce(ReplyTo<R>) -> T,
        then: F,
    ) where
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(Result<R, AskError>) -> A::Msg + 'static,
    {
        self.ask_by(of.place(), within, |ctx, reply| ctx.kernel.send(of, question(reply)).is_ok(), then);
    }

    /// Asks by whatever `send` does with the reply address, once or more: it says whether any question is on its way. Without
    /// the kernel at `of` no answer is waited for.
    #[inline(always)]
    pub(crate) fn ask_by<R, F>(
        &mut self,
        of: Place,
        within: Duration,
        send: impl FnOnce(&mut Self, ReplyTo<R>) -> bool,
        then: F,
    ) where
        R: Send + 'static,
        F: FnOnce(Result<R, AskError>) -> A::Msg + 'static,
    {
        match self.kernel.open_ask::<A::Msg, R, F>(self.cell, within, then) {
            Ok((reply, open)) => {
                self.kernel.ask_of(&open, of);
                if !send(self, reply) {
                    let me = self.me();
                    if let Some(then) = self.kernel.end_unsent::<A::Msg, F>(open) {
                        self.kernel.answer(me, then(Err(AskError::NotSent)));
                    }
                }
            }
            Err((then, error)) => {
                let me = self.me();
                self.kernel.answer(me, then(Err(error)));
            }
        }
    }

    /// An address for messages of type `R`, which `map` turns into this actor's own. It ends with this actor; in
    /// [`Actor::stopped`] it is nobody's already.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; the closure is dropped.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
    /// /// What a sensor tells whoever subscribes.
    /// struct Reading(f32);
    ///
    /// struct Subscribe(ActorRef<Reading>);
    ///
    /// enum Msg { Start, Warm, Cold }
    ///
    /// struct Heater { sensor: ActorRef<Subscribe> }
    ///
    /// impl Actor for Heater {
    ///     type Msg = Msg;
    ///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         if let Msg::Start = msg {
    ///             let readings = ctx.adapter(|Reading(degrees)| if degrees < 19.0 { Msg::Cold } else { Msg::Warm })?;
    ///             ctx.tell(self.sensor, Subscribe(readings));
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn adapter<R: Send + 'static>(
        &mut self,
        map: impl FnMut(R) -> A::Msg + 'static,
    ) -> Result<ActorRef<R>, OutOfMemory> {
        self.kernel.adapt::<A::Msg, R, _>(self.cell, map).ok_or(OutOfMemory)
    }

    // --- children ------------------------------------------------------------------------------------------------

    /// Spawns a child from its state. Its `started` runs before its first message, after this handler. It cannot be
    /// restarted: a decision to do so stops it.
    ///
    /// # Errors
    /// [`SpawnError`]; the state is dropped.
    pub fn spawn<B: Actor>(&mut self, child: B) -> Result<ActorRef<B::Msg>, SpawnError> {
        self.spawner().spawn(child)
    }

    /// Spawns a child from a factory that makes its state when it starts, and again when it is restarted.
    ///
    /// # Errors
    /// [`SpawnError`]; the factory is dropped.
    pub fn spawn_from<B: Actor>(
        &mut self,
        factory: impl FnMut() -> B + Send + 'static,
    ) -> Result<ActorRef<B::Msg>, SpawnError> {
        self.spawner().spawn_from(factory)
    }

    /// Spawns a child with a name, a scheduling group or a mailbox bound.
    pub fn spawner(&mut self) -> Spawner<'_> {
        Spawner::below(self.kernel, self.cell)
    }

    /// The child of a name. One on another shard is there once this actor was told of it.
    pub fn child(&self, name: &str) -> Option<Address> {
        self.kernel.known_address(self.kernel.child_named(self.cell, name)?)
    }

    /// The name of a child, if it was given one. That of one on another shard is searched for among all children.
    pub fn name_of(&self, child: impl Into<Address>) -> Option<&str> {
        let child = child.into();
        if child.place() != self.kernel.place {
            return self.kernel.name_of(self.kernel.outpost_of(self.cell, child)?);
        }
        let mine =
            self.kernel.is_actor(child) && self.kernel.memory.header(child.index).parent.get() == self.cell;
        if mine { self.kernel.name_of(child.index) } else { None }
    }

    /// Calls `each` with every child's address; newest first. One on another shard is among them once this actor was told
    /// of it.
    pub fn children(&self, mut each: impl FnMut(Address)) {
        self.kernel.each_child(self.cell, |cell| {
            if let Some(child) = self.kernel.known_address(cell) {
                each(child);
            }
        });
    }

    // --- ends ----------------------------------------------------------------------------------------------------

    /// Asks an actor to stop; see [`Scope::stop`].
    pub fn stop(&mut self, actor: impl Into<Address>) {
        self.kernel.request_stop(actor.into());
    }

    /// Asks an actor to stop once it has handled what this core has told it until now; see [`Scope::retire`]. Of itself, an
    /// actor so asks to handle what waits for it before it ends.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Terminated};
    /// # struct Uploader { store: ActorRef<u64> }
    /// # impl Actor for Uploader {
    /// #     type Msg = ();
    /// #     fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
    /// ctx.watch(self.store)?;
    /// ctx.tell(self.store, 1);
    /// ctx.tell(self.store, 2);
    /// // It handles both first.
    /// ctx.retire(self.store);
    /// #         Ok(())
    /// #     }
    /// # }
    /// ```
    pub fn retire(&mut self, actor: impl Into<Address>) {
        self.kernel.retire_anywhere(actor.into());
    }

    /// Stops this actor when its handler returns.
    pub fn stop_self(&mut self) {
        let me = self.kernel.address_of(self.cell);
        self.kernel.request_stop(me);
    }

    /// Asks every child to stop.
    pub fn stop_children(&mut self) {
        self.kernel.request_stop_below(self.cell);
    }

    /// Watches an actor, wherever it lives: `terminated` runs once when it is gone, also if it is gone already. Watching
    /// twice is watching once.
    ///
    /// The notice comes after every message that the target was told before its end on its core has been handled or
    /// become a dead letter. If the target's whole kernel goes, the notice says that it is
    /// [`Unreachable`](crate::StopReason::Unreachable). If its kernel, another one, has no room to keep the watch, the notice
    /// comes at once, and says [`NotFound`](crate::StopReason::NotFound).
    ///
    /// Costs a walk through those whom this actor watches, or those who watch the target, whichever are fewer; of one on
    /// another core, through the former.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up: it is not watched.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, StopReason, Terminated};
    /// struct Pool { workers: Vec<ActorRef<u64>> }
    ///
    /// impl Actor for Pool {
    ///     type Msg = ActorRef<u64>;
    ///     fn receive(&mut self, worker: ActorRef<u64>, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         ctx.watch(worker)?;
    ///         self.workers.push(worker);
    ///         Ok(())
    ///     }
    ///     fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
    ///         self.workers.retain(|worker| worker.address() != gone.address);
    ///         if let StopReason::Failed(failure) = &gone.reason {
    ///             eprintln!("a worker is lost: {failure}");
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn watch(&mut self, actor: impl Into<Address>) -> Result<(), OutOfMemory> {
        self.kernel.watch_cell(self.cell, actor.into(), NONE)
    }

    /// Watches an actor, and tells this one `message` instead of running `terminated`. Replaces an earlier message.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up: it is not watched, and the message is dropped.
    pub fn watch_with(&mut self, actor: impl Into<Address>, message: A::Msg) -> Result<(), OutOfMemory> {
        let me = self.kernel.address_of(self.cell);
        let with =
            parcel::wrap(&mut self.kernel.memory, me, Kind::Message, message).map_err(|_| OutOfMemory)?;
        self.kernel.watch_cell(self.cell, actor.into(), with).inspect_err(|_| {
            self.kernel.drop_own_parcel(self.cell, with);
        })
    }

    /// Ends a watch: its notice will not come, also if it was on its way. Says whether there was one. A message of
    /// [`Ctx::watch_with`] that waits behind a suspension has come already, and stays.
    pub fn unwatch(&mut self, actor: impl Into<Address>) -> bool {
        self.kernel.unwatch_cell(self.cell, actor.into())
    }

    /// Hangs a value on this actor, dropped when it ends or is restarted.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; the value is dropped.
    pub fn attach<T: 'static>(&mut self, value: T) -> Result<(), OutOfMemory> {
        self.kernel.attach_value(self.cell, value)
    }

    /// Why this actor failed, if it did: for hooks that run at its end.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.kernel.known_failure(self.cell)
    }

    // --- time ----------------------------------------------------------------------------------------------------

    /// Tells this actor `message` after a time, once. A timer of the same key is replaced. Resolution is 66 µs; never
    /// early.
    ///
    /// Costs the same however many timers others have set; its key is searched for among this actor's own, one by one.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; nothing has changed, and the message is dropped.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, Ctx, Outcome};
    /// # use core::time::Duration;
    /// #[derive(Clone)]
    /// enum Msg { Input, Idle, Tick }
    ///
    /// struct Session;
    ///
    /// impl Actor for Session {
    ///     type Msg = Msg;
    ///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         ctx.set_periodic("tick", Duration::from_millis(100), Msg::Tick)?;
    ///         Ok(())
    ///     }
    ///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         match msg {
    ///             // Replaces the one before.
    ///             Msg::Input => ctx.set_timer("idle", Duration::from_secs(30), Msg::Idle)?,
    ///             Msg::Idle => ctx.stop_self(),
    ///             Msg::Tick => {}
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn set_timer(
        &mut self,
        key: impl Into<TimerKey>,
        after: Duration,
        message: A::Msg,
    ) -> Result<(), OutOfMemory> {
        self.kernel.tell_after(self.cell, key.into(), after, message)
    }

    /// Tells this actor a clone of `message` every `period`, first after one. A timer of the same key is replaced.
    /// Periods that were missed are skipped; one of less than 66 µs, the resolution, is as long as that. Costs as
    /// [`Ctx::set_timer`].
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; nothing has changed, and the message is dropped.
    pub fn set_periodic(
        &mut self,
        key: impl Into<TimerKey>,
        period: Duration,
        message: A::Msg,
    ) -> Result<(), OutOfMemory>
    where
        A::Msg: Clone,
    {
        self.kernel.tell_every(self.cell, key.into(), period, period, message)
    }

    /// How long a back-off waits after so many attempts; see [`Scope::delay_after`].
    pub fn delay_after(&mut self, backoff: &Backoff, attempts: u32) -> Duration {
        self.scope().delay_after(backoff, attempts)
    }

    /// Runs [`Actor::alarm`] after a time, once: a timer that needs no message, so that what only the actor tells
    /// itself need not stand in its protocol. Alarms and timers share their keys: one of the same key is replaced, and
    /// [`Ctx::cancel_timer`] and [`Ctx::has_timer`] are for both. Resolution is 66 µs; never early.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; nothing has changed.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, Ctx, Outcome, TimerKey};
    /// # use core::time::Duration;
    /// struct Cache { entries: Vec<(u64, u64)> }
    ///
    /// const SWEEP: u64 = 1;
    ///
    /// impl Actor for Cache {
    ///     type Msg = (u64, u64);
    ///     fn receive(&mut self, entry: (u64, u64), ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         self.entries.push(entry);
    ///         // Begins anew with each entry.
    ///         ctx.set_alarm(SWEEP, Duration::from_secs(60))?;
    ///         Ok(())
    ///     }
    ///     fn alarm(&mut self, key: TimerKey, _: &mut Ctx<'_, Self>) -> Outcome {
    ///         if key == SWEEP.into() { self.entries.clear(); }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn set_alarm(&mut self, key: impl Into<TimerKey>, after: Duration) -> Result<(), OutOfMemory> {
        self.kernel.set_alarm(self.cell, key.into(), after)
    }

    /// Sets when [`Actor::state_alarm`] runs. Replaces what was set.
    pub(crate) fn set_state_alarm(&mut self, at: Time) -> Result<(), OutOfMemory> {
        self.kernel.set_state_alarm(self.cell, at)
    }

    /// Cancels the timer or alarm of a key, which then never fires, also if it was due. Says whether there was one.
    pub fn cancel_timer(&mut self, key: impl Into<TimerKey>) -> bool {
        self.kernel.cancel_key(self.cell, key.into())
    }

    /// Whether a timer or an alarm of a key is set.
    pub fn has_timer(&self, key: impl Into<TimerKey>) -> bool {
        self.kernel.has_timer(self.cell, key.into())
    }

    /// Runs `receive_timeout` whenever no message came for `after`; `None` switches it off. While it is on, each message
    /// costs a few nanoseconds more. Resolution is 66 µs; never early.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; nothing has changed.
    pub fn set_receive_timeout(&mut self, after: Option<Duration>) -> Result<(), OutOfMemory> {
        self.kernel.set_silence(self.cell, after)
    }

    // --- messages that wait --------------------------------------------------------------------------------------

    /// Puts a message aside until [`Ctx::unstash_all`].
    ///
    /// # Errors
    /// [`StashError`] with the message: the stash holds as many as its bound allows, or the region is used up.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, Ctx, Failure, Outcome};
    /// enum Msg { Opened, Query(String) }
    ///
    /// struct Store { open: bool }
    ///
    /// impl Actor for Store {
    ///     type Msg = Msg;
    ///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         match msg {
    ///             Msg::Opened => {
    ///                 self.open = true;
    ///                 ctx.unstash_all();
    ///             }
    ///             waits if !self.open => ctx.stash(waits).map_err(|_| Failure::new("too many wait"))?,
    ///             Msg::Query(_) => {}
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn stash(&mut self, message: A::Msg) -> Result<(), StashError<A::Msg>> {
        self.kernel.stash_message(self.cell, message)
    }

    /// Takes all stashed messages back, in the order in which they were stashed, before any that wait. Gives how many.
    pub fn unstash_all(&mut self) -> u32 {
        self.kernel.unstash_messages(self.cell, u32::MAX)
    }

    /// Takes the first stashed message back, before any that wait. Says whether there was one.
    pub fn unstash(&mut self) -> bool {
        self.kernel.unstash_messages(self.cell, 1) == 1
    }

    /// Bounds the stash; what is stashed already stays. Unless told otherwise, [`crate::limits::STASH_DEFAULT`].
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; nothing has changed.
    pub fn set_stash_bound(&mut self, bound: u32) -> Result<(), OutOfMemory> {
        let side = self.kernel.need_side(self.cell)?;
        self.kernel.sides.get_mut(side).stash_bound = bound;
        Ok(())
    }

    /// Adds a reason for this actor not to run: from the next message on, its messages wait, in order, until
    /// [`Scope::resume`] was called as often.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; it runs on then.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
    /// struct Load { whom: ActorRef<u64> }
    ///
    /// struct Cache { loader: ActorRef<Load> }
    ///
    /// impl Actor for Cache {
    ///     type Msg = u64;
    ///     fn receive(&mut self, _: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         // Nothing is handled until the loader has done its part, and resumes this one.
    ///         let whom = ctx.me();
    ///         ctx.tell(self.loader, Load { whom });
    ///         ctx.suspend_self()?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// struct Loader;
    ///
    /// impl Actor for Loader {
    ///     type Msg = Load;
    ///     fn receive(&mut self, load: Load, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         ctx.scope().resume(load.whom);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn suspend_self(&mut self) -> Result<(), OutOfMemory> {
        self.kernel.suspend_cell(self.cell)
    }
}

impl<A: Actor> fmt::Debug for Ctx<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ctx<{}>({:?})", core::any::type_name::<A>(), self.me())
    }
}
