//! Ask: a question whose answer comes to an address made for it, within a time.
//!
//! The reply address is a cell of its own that waits for one message. It turns the answer (or its absence) into a message
//! of the asking actor and hands it over at once: the answer has already waited its turn in the queue. An ask ends with
//! the answer, its deadline or the end of the kernel that was asked (see `deadline`), or the asking actor, whatever is first.
//!
//! ```text
//! 0        32        64 …
//! header   pending   what becomes of the answer
//! ```
//!
//! One of the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use core::any::type_name;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr;
use core::time::Duration;

use crate::actor::Terminated;
use crate::address::{ActorRef, Address, Gate, Group, Place, ReplyTo};
use crate::behavior::{Behavior, Layout, Role};
use crate::deadline::Pending;
use crate::error::AskError;
use crate::failure::{Failure, Outcome};
use crate::kernel::Kernel;
use crate::letters::DeadReason;
use crate::limits::{HEADER, RECORD_HEAD, RECORD_MAX, STATE_ALIGN_MAX};
use crate::parcel;
use crate::record::{self, Kind, MessageType, Payload};
use crate::region::{Memory, NONE};
use crate::size_class::class_for;
use crate::supervise::{Directive, Strategy};
use crate::timers::Alarm;

/// What becomes of an answer, and where that stands in a reply cell.
struct Then<F>(core::marker::PhantomData<F>);

impl<F> Then<F> {
    const OFFSET: usize = (HEADER + size_of::<Pending>()).next_multiple_of(align_of::<F>());
    const CLASS: u8 = {
        assert!(
            align_of::<F>() <= STATE_ALIGN_MAX,
            "what an ask's closure captures is aligned more strictly than the stated bound (STATE_ALIGN_MAX): box it"
        );
        class_for(Self::OFFSET + size_of::<F>(), if align_of::<F>() > 8 { align_of::<F>() } else { 8 })
    };

    fn of(memory: &Memory, cell: u32) -> *mut F {
        // SAFETY: a cell of the class has `OFFSET + size_of::<F>()` bytes.
        unsafe { memory.at::<u8>(cell).as_ptr().add(Self::OFFSET).cast() }
    }

    unsafe fn drop(memory: &Memory, cell: u32, _: bool) {
        // SAFETY: the cell holds an `F`, dropped here only.
        unsafe { ptr::drop_in_place(Self::of(memory, cell)) };
    }

    /// The table of a reply cell that waits for an `R`.
    const fn behavior<R: 'static>(
        answered: unsafe fn(&mut Kernel, u32, *const u64),
        expired: unsafe fn(&mut Kernel, u32) -> Outcome,
    ) -> Behavior {
        Behavior {
            receive_timeout: expired,
            class: Self::CLASS,
            ..plain::<F, R>(Role::Ask, answered, Self::drop)
        }
    }
}

impl Memory {
    /// What stands in a reply cell of whatever type.
    #[inline(always)]
    pub(crate) fn pending(&self, cell: u32) -> &Pending {
        // SAFETY: reply cells have a `Pending` behind their header, all of whose fields are `Cell`s of plain numbers; no
        // exclusive reference to one is made.
        unsafe { self.at::<u8>(cell).add(HEADER).cast().as_ref() }
    }
}

/// A reply cell that was just made for an `F`.
pub(crate) struct Open<F>(u32, core::marker::PhantomData<F>);

/// Turns an answer that comes as an `R` into a message of the asking actor, an `M`.
struct Asking<M, R, F>(core::marker::PhantomData<fn(R, F) -> M>);

/// A type-erased hook that no reply cell has.
unsafe fn no_start(_: &mut Kernel, _: u32) -> Outcome {
    Ok(())
}
unsafe fn no_hook(_: &mut Kernel, _: u32) {}
unsafe fn no_terminated(_: &mut Kernel, _: u32, _: &Terminated) -> Outcome {
    Ok(())
}
unsafe fn no_decision(_: &mut Kernel, _: u32, _: Address, _: &Failure) -> (Directive, Strategy) {
    (Directive::Stop, Strategy::one_for_one())
}
unsafe fn no_restart(_: &mut Kernel, _: u32, _: &Failure) -> Outcome {
    Ok(())
}
unsafe fn no_restarting(_: &mut Kernel, _: u32, _: &Failure) {}
unsafe fn no_state(_: &Memory, _: u32) {}
unsafe fn no_alarm(_: &mut Kernel, _: u32, _: Alarm) -> Outcome {
    Ok(())
}
unsafe fn no_influence(_: *const u64) -> bool {
    true
}

/// The table of a cell that is no actor: only what it does with a message, and how it is dropped.
pub(crate) const fn plain<T, R: 'static>(
    role: Role,
    receive: unsafe fn(&mut Kernel, u32, *const u64),
    drop: unsafe fn(&Memory, u32, bool),
) -> Behavior {
    Behavior {
        receive,
        start: no_start,
        restart: no_restart,
        restarting: no_restarting,
        stopped: no_hook,
        terminated: no_terminated,
        decide: no_decision,
        receive_timeout: no_start,
        alarm: no_alarm,
        influences: no_influence,
        drop_state: no_state,
        drop,
        message: match role {
            Role::Ask => MessageType::of_answer::<R>(),
            _ => MessageType::of::<R>(),
        },
        name: type_name::<T>,
        class: Layout::<T>::CLASS,
        role,
        made_at_start: false,
    }
}

pub(crate) unsafe fn drop_value<T>(memory: &Memory, cell: u32, _: bool) {
    // SAFETY: the cell holds a `T`, dropped here only.
    unsafe { ptr::drop_in_place(Layout::<T>::of(memory, cell)) };
}

impl<M: Send + 'static, R: Send + 'static, F: FnOnce(Result<R, AskError>) -> M + 'static> Asking<M, R, F> {
    const BEHAVIOR: &'static Behavior = const { &Then::<F>::behavior::<R>(Self::answered, Self::expired) };

    /// The answer in `payload` has come.
    unsafe fn answered(kernel: &mut Kernel, cell: u32, payload: *const u64) {
        if kernel.gate_of_asker(cell) != Gate::Ready {
            // SAFETY: passed on.
            return unsafe { Self::answered_slowly(kernel, cell, payload) };
        }
        // SAFETY: the record named this cell's identity, so its payload is an `R`; this is the cell's table, so it holds an
        // `F`; the owner's messages are of type `M`, and it takes one now: only it could make this ask.
        unsafe {
            let answer = Payload::<R>::take(payload);
            let (owner, then) = kernel.close_ask::<F>(cell);
            // The closure is the owner's code: its panic is the owner's failure. It has no way to the kernel.
            kernel.set_running(owner);
            let message = then(Ok(answer));
            let mut room = MaybeUninit::<[u64; RECORD_MAX]>::uninit();
            let room = room.as_mut_ptr().cast::<u64>();
            Payload::<M>::put(room, message);
            kernel.receive_now(owner, room);
        }
    }

    /// The answer has come to one that may have to wait, or has ended.
    #[cold]
    #[inline(never)]
    unsafe fn answered_slowly(kernel: &mut Kernel, cell: u32, payload: *const u64) {
        if !kernel.has_room_for_outcome::<M>(cell) {
            return kernel.drop_answer(cell, payload);
        }
        // SAFETY: as above.
        unsafe { Self::end(kernel, cell, Ok(Payload::<R>::take(payload))) };
    }

    /// No answer comes.
    unsafe fn expired(kernel: &mut Kernel, cell: u32) -> Outcome {
        if !kernel.has_room_for_outcome::<M>(cell) {
            kernel.postpone_ask(cell);
            return Ok(());
        }
        // Counted like the answer in whose place it comes.
        kernel.handled += 1;
        // SAFETY: as above.
        unsafe { Self::end(kernel, cell, Err(kernel.why_unanswered(cell))) };
        Ok(())
    }

    /// Frees the cell, and gives the owner its message.
    unsafe fn end(kernel: &mut Kernel, cell: u32, answer: Result<R, AskError>) {
        // SAFETY: the caller's.
        let (owner, then) = unsafe { kernel.close_ask::<F>(cell) };
        // The closure is the owner's code: its panic is the owner's failure.
        kernel.set_running(owner);
        let message = then(answer);
        // SAFETY: the owner's messages are of type `M`: only it could make this ask.
        unsafe { kernel.hand_over(owner, message, false) };
    }
}

impl Kernel {
    /// Makes a reply address that belongs to `owner`, whose messages are of type `M`.
    pub(crate) fn open_ask<M, R, F>(
        &mut self,
        owner: u32,
        within: Duration,
        then: F,
    ) -> Result<(ReplyTo<R>, Open<F>), (F, AskError)>
    where
        M: Send + 'static,
        R: Send + 'static,
        F: FnOnce(Result<R, AskError>) -> M + 'static,
    {
        let group = self.address_of(owner).group();
        self.open_reply(Asking::<M, R, F>::BEHAVIOR, group, owner, within, then)
    }

    /// A reply cell with this table, and what becomes of the answer, which comes back where there is no room.
    #[inline]
    fn open_reply<R, F>(
        &mut self,
        behavior: &'static Behavior,
        group: Group,
        owner: u32,
        within: Duration,
        then: F,
    ) -> Result<(ReplyTo<R>, Open<F>), (F, AskError)> {
        let Ok(cell) = self.raw_cell(behavior, group, false, Gate::Ready) else {
            return Err((then, AskError::OutOfMemory));
        };
        if self.await_answer(cell, owner, within).is_err() {
            self.release_cell(cell);
            return Err((then, AskError::OutOfMemory));
        }
        // SAFETY: the behaviour's class is that of `F`.
        unsafe { Then::<F>::of(&self.memory, cell).write(then) };
        Ok((self.address_of(cell).typed(), Open(cell, core::marker::PhantomData)))
    }

    /// Says of whom an ask is, before anything else runs: a kernel without which no answer is waited for.
    #[inline(always)]
    pub(crate) fn ask_of<F>(&mut self, open: &Open<F>, of: Place) {
        if of != self.place {
            self.memory.pending(open.0).note_place(of);
        }
    }

    /// Ends an ask whose question was refused, before anything else ran: what was to become of the answer comes back. `None`
    /// where the owner's queue has no room for what comes of it, an `M`: the ask is over soon then, by itself.
    pub(crate) fn end_unsent<M, F>(&mut self, open: Open<F>) -> Option<F> {
        let group = self.address_of(self.memory.pending(open.0).owner()).identity.group();
        if self.queues[group].reserve(&mut self.memory, Payload::<M>::WORDS).is_none() {
            self.note_not_sent(open.0);
            return None;
        }
        Some(self.refuse_ask(open))
    }

    /// Ends an ask whose question was refused, before anything else ran: what was to become of the answer comes back.
    fn refuse_ask<F>(&mut self, open: Open<F>) -> F {
        // SAFETY: the cell was made for an `F` just before, and nothing ran since.
        unsafe { self.close_ask::<F>(open.0).1 }
    }

    /// Frees a reply cell. Its owner, and what was to become of the answer.
    ///
    /// # Safety
    /// The cell is an open reply cell that holds an `F`.
    #[inline(always)]
    unsafe fn close_ask<F>(&mut self, cell: u32) -> (u32, F) {
        // SAFETY: the caller's; the value is read once, and the cell freed.
        let then = unsafe { Then::<F>::of(&self.memory, cell).read() };
        let owner = self.forget_ask(cell);
        self.memory.free_cell(Then::<F>::CLASS, cell);
        (owner, then)
    }

    #[inline(always)]
    fn gate_of_asker(&self, cell: u32) -> Gate {
        self.memory.header(self.memory.pending(cell).owner()).identity.get().gate()
    }

    /// Whether an ask may end: its owner takes the message that comes of it, an `M`, now, or there is room for it to wait.
    fn has_room_for_outcome<M>(&mut self, cell: u32) -> bool {
        let waits = matches!(self.gate_of_asker(cell), Gate::Suspended | Gate::Backlog | Gate::Starting);
        !waits || parcel::has_room(&mut self.memory, Payload::<M>::WORDS)
    }

    /// An answer for whose outcome there is no room is a dead letter. The ask stays open, so that its owner hears of it:
    /// that there was none in time.
    #[cold]
    #[inline(never)]
    fn drop_answer(&mut self, cell: u32, payload: *const u64) {
        self.unhandled += 1;
        let identity = self.address_of(cell).identity;
        let head = record::Head { index: cell, kind: Kind::Message, identity };
        self.drop_message(head, payload, DeadReason::OutOfMemory);
    }

    /// An ask is over without an answer.
    pub(crate) fn expire_ask(&mut self, cell: u32) {
        if let Some(behavior) = self.memory.header(cell).behavior.get() {
            self.set_running(self.memory.pending(cell).owner());
            // SAFETY: a reply cell's table has what is to be done without an answer there; the ask is open, so its cell
            // holds what the table says.
            let done = unsafe { (behavior.receive_timeout)(self, cell) };
            debug_assert!(done.is_ok());
        }
    }

    /// An ask ends with its owner: its closure is dropped, and answers that come later are dead letters.
    pub(crate) fn drop_ask(&mut self, cell: u32) {
        if let Some(behavior) = self.memory.header(cell).behavior.get() {
            // The cell is given back first, so that a panic of the drop leaves no half-dead one. Nothing takes it
            // meanwhile: the drop has no way to this kernel.
            self.memory.free_cell(behavior.class, cell);
            // SAFETY: the cell holds the value of this behaviour.
            unsafe { (behavior.drop)(&self.memory, cell, true) };
        }
    }

    /// Gives an actor a message now, or puts it where its messages wait: within its mailbox bound if others told it,
    /// beyond that if it asked for it. It is counted as handled already, and taken back from there if it is not.
    ///
    /// # Safety
    /// The actor's messages are of type `M`.
    pub(crate) unsafe fn hand_over<M: Send + 'static>(&mut self, owner: u32, message: M, told: bool) {
        let mut room = MaybeUninit::<[u64; RECORD_MAX]>::uninit();
        let room = room.as_mut_ptr().cast::<u64>();
        let to = self.address_of(owner);
        let message = ManuallyDrop::new(message);
        // SAFETY: the room is that of the largest record; the message is moved there once, and from there once.
        unsafe {
            record::write(room, to, Kind::Message, ManuallyDrop::into_inner(message));
            let head = record::Head::read(room);
            let payload = room.add(RECORD_HEAD).cast_const();
            match self.memory.header(owner).identity.get().gate() {
                Gate::Ready => self.receive_now(owner, payload),
                Gate::Duty => {
                    self.do_duties(head, payload);
                    self.receive_now(owner, payload);
                }
                Gate::Suspended | Gate::Backlog | Gate::Starting if told => {
                    self.append_to_backlog(head, room);
                }
                Gate::Suspended | Gate::Backlog | Gate::Starting => {
                    self.unhandled += 1;
                    match parcel::wrap_record(&mut self.memory, room) {
                        Some(parcel) => self.chain_to_backlog(owner, parcel),
                        None => self.drop_message(head, payload, DeadReason::OutOfMemory),
                    }
                }
                Gate::Stopping | Gate::Dead | Gate::Free => {
                    self.unhandled += 1;
                    self.drop_message(head, payload, DeadReason::NoActor);
                }
            }
        }
    }
}

/// Gives an answer that comes as an `R` to code that is no actor.
struct Waiting<R, F>(core::marker::PhantomData<fn(R, F)>);

impl<R: Send + 'static, F: FnOnce(Result<R, AskError>) + 'static> Waiting<R, F> {
    const BEHAVIOR: &'static Behavior = const { &Then::<F>::behavior::<R>(Self::answered, Self::expired) };

    unsafe fn answered(kernel: &mut Kernel, cell: u32, payload: *const u64) {
        // No actor handles it.
        kernel.unhandled += 1;
        // SAFETY: the record named this cell's identity, so its payload is an `R` and the cell holds an `F`.
        unsafe { Self::end(kernel, cell, Ok(Payload::<R>::take(payload))) };
    }

    unsafe fn expired(kernel: &mut Kernel, cell: u32) -> Outcome {
        // SAFETY: this is the cell's table, so it holds an `F`.
        unsafe { Self::end(kernel, cell, Err(kernel.why_unanswered(cell))) };
        Ok(())
    }

    unsafe fn end(kernel: &mut Kernel, cell: u32, answer: Result<R, AskError>) {
        // SAFETY: the caller's.
        let (_, then) = unsafe { kernel.close_ask::<F>(cell) };
        kernel.set_running(NONE);
        then(answer);
    }
}

impl Kernel {
    /// Asks on behalf of code that is no actor; `then` is called once, or dropped with the kernel.
    pub(crate) fn ask_from_outside<T, R, F>(
        &mut self,
        of: ActorRef<T>,
        within: Duration,
        question: impl FnOnce(ReplyTo<R>) -> T,
        then: F,
    ) where
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(Result<R, AskError>) + 'static,
    {
        let (behavior, group) = (Waiting::<R, F>::BEHAVIOR, of.address().group());
        let (reply, open) = match self.open_reply(behavior, group, self.root, within, then) {
            Ok(open) => open,
            Err((then, error)) => return then(Err(error)),
        };
        self.ask_of(&open, of.place());
        if self.send(of, question(reply)).is_err() {
            let then = self.refuse_ask(open);
            then(Err(AskError::NotSent));
        }
    }
}

/// What stands in an adapter's cell.
struct Adapting<M, R, F> {
    owner: u32,
    map: F,
    types: core::marker::PhantomData<fn(R) -> M>,
}

impl<M: Send + 'static, R: Send + 'static, F: FnMut(R) -> M + 'static> Adapting<M, R, F> {
    const BEHAVIOR: &'static Behavior =
        const { &plain::<Self, R>(Role::Adapter, Self::translate, drop_value::<Self>) };

    unsafe fn translate(kernel: &mut Kernel, cell: u32, payload: *const u64) {
        let at = Layout::<Self>::of(&kernel.memory, cell);
        // SAFETY: the record named this cell's identity, so its payload is an `R`, and the cell holds a `Self` that
        // nobody else uses. The closure has no way to the kernel, so the cell stays while it runs.
        unsafe {
            let message = Payload::<R>::take(payload);
            let owner = (*at).owner;
            kernel.set_running(owner);
            let message = ((*at).map)(message);
            kernel.hand_over(owner, message, true);
        }
    }
}

impl Kernel {
    /// An address that translates messages of type `R` for `owner`, whose messages are of type `M`, and ends with it.
    pub(crate) fn adapt<M, R, F>(&mut self, owner: u32, map: F) -> Option<ActorRef<R>>
    where
        M: Send + 'static,
        R: Send + 'static,
        F: FnMut(R) -> M + 'static,
    {
        if self.memory.header(owner).identity.get().gate() == Gate::Stopping {
            // Its children are gone already: an adapter made now would outlive it.
            return Some(ActorRef::nobody());
        }
        let group = self.address_of(owner).group();
        self.need_side(owner).ok()?;
        let adapting = Adapting::<M, R, F> { owner, map, types: core::marker::PhantomData };
        let address = self.own_cell(Adapting::<M, R, F>::BEHAVIOR, group, adapting).ok()?;
        self.link_child(owner, address.index);
        Some(address.typed())
    }
}
