//! Ask: a question whose answer comes to an address made for it, within a time.
//!
//! The reply address is a cell of its own that waits for one message. It turns the answer (or its absence) into a message
//! of the asking actor and hands it over at once: the answer has already waited its turn in the queue. The deadline is
//! one of the asking actor's timers, and the ask ends with it, with the answer, or with the actor, whatever is first. One of
//! the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use core::any::type_name;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr;
use core::time::Duration;

use crate::actor::Terminated;
use crate::address::{ActorRef, Address, Gate, ReplyTo};
use crate::behavior::{Behavior, Layout, Role};
use crate::error::AskError;
use crate::failure::{Failure, Outcome};
use crate::kernel::Kernel;
use crate::letters::DeadReason;
use crate::limits::{RECORD_HEAD, RECORD_MAX};
use crate::parcel;
use crate::pool::Handle;
use crate::record::{self, Kind, MessageType, Payload};
use crate::region::{Memory, NONE};
use crate::timers::{Duty, Timer};

/// What stands in a reply cell.
struct Asking<M, R, F> {
    owner: u32,
    timer: Handle<Timer>,
    then: F,
    types: core::marker::PhantomData<fn(R) -> M>,
}

/// A type-erased hook that no reply cell has.
unsafe fn no_start(_: &mut Kernel, _: u32) -> Outcome {
    Ok(())
}
unsafe fn no_hook(_: &mut Kernel, _: u32) {}
unsafe fn no_terminated(_: &mut Kernel, _: u32, _: &Terminated) -> Outcome {
    Ok(())
}
unsafe fn no_child(_: &mut Kernel, _: u32, _: Address, _: &Failure) -> Outcome {
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
        stopped: no_hook,
        terminated: no_terminated,
        child_failed: no_child,
        receive_timeout: no_start,
        influences: no_influence,
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
    const BEHAVIOR: &'static Behavior =
        const { &plain::<Self, R>(Role::Ask, Self::answered, drop_value::<Self>) };

    /// The answer in `payload` has come.
    unsafe fn answered(kernel: &mut Kernel, cell: u32, payload: *const u64) {
        // SAFETY: the record named this cell's identity, so its payload is an `R`.
        let answer = unsafe { Payload::<R>::take(payload) };
        // SAFETY: this is the cell's table, so it holds a `Self`.
        unsafe { Self::end(kernel, cell, Ok(answer)) };
    }

    /// The deadline has come.
    unsafe fn expired(kernel: &mut Kernel, cell: u32) {
        // Counted like the answer in whose place it comes.
        kernel.handled += 1;
        // SAFETY: the timer was set for this cell, and ends with it.
        unsafe { Self::end(kernel, cell, Err(AskError::Timeout)) };
    }

    /// Frees the cell and its timer, and gives the owner its message.
    #[inline]
    unsafe fn end(kernel: &mut Kernel, cell: u32, answer: Result<R, AskError>) {
        // SAFETY: the caller's; the value is read once, and the cell freed.
        let Asking { owner, timer, then, .. } = unsafe { Layout::<Self>::of(&kernel.memory, cell).read() };
        kernel.remove_timer(timer);
        kernel.release_cell(cell);
        // The closure is the owner's code: its panic is the owner's failure.
        kernel.running = owner;
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
    ) -> Result<(ReplyTo<R>, u32), (F, AskError)>
    where
        M: Send + 'static,
        R: Send + 'static,
        F: FnOnce(Result<R, AskError>) -> M + 'static,
    {
        let group = self.address_of(owner).group();
        let asking = Asking::<M, R, F> { owner, timer: Handle::NONE, then, types: core::marker::PhantomData };
        let address = match self.own_cell(Asking::<M, R, F>::BEHAVIOR, group, asking) {
            Ok(address) => address,
            Err(asking) => return Err((asking.then, AskError::OutOfMemory)),
        };
        let duty = Duty::Ask { cell: address.index, expire: Asking::<M, R, F>::expired };
        let at = Layout::<Asking<M, R, F>>::of(&self.memory, address.index);
        match self.add_timer(owner, self.now + within, duty) {
            Ok(timer) => {
                // SAFETY: the cell holds the value that was just written.
                unsafe { (*at).timer = timer };
                Ok((address.typed(), address.index))
            }
            Err(_) => {
                // SAFETY: the value is read once, and the cell freed.
                let asking = unsafe { at.read() };
                self.release_cell(address.index);
                Err((asking.then, AskError::OutOfMemory))
            }
        }
    }

    /// Ends an ask whose question was refused: its closure hears of it like of a time-out.
    pub(crate) fn refuse_ask<M, R, F>(&mut self, cell: u32) -> F
    where
        M: Send + 'static,
        R: Send + 'static,
        F: FnOnce(Result<R, AskError>) -> M + 'static,
    {
        // SAFETY: the cell was made by `open_ask` with these types just before, and nothing ran since.
        let Asking { timer, then, .. } = unsafe { Layout::<Asking<M, R, F>>::of(&self.memory, cell).read() };
        self.remove_timer(timer);
        self.release_cell(cell);
        then
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

/// What stands in a reply cell that belongs to no actor.
struct Waiting<R, F> {
    timer: Handle<Timer>,
    then: F,
    types: core::marker::PhantomData<fn(R)>,
}

impl<R: Send + 'static, F: FnOnce(Result<R, AskError>) + 'static> Waiting<R, F> {
    const BEHAVIOR: &'static Behavior =
        const { &plain::<Self, R>(Role::Ask, Self::answered, drop_value::<Self>) };

    unsafe fn answered(kernel: &mut Kernel, cell: u32, payload: *const u64) {
        // No actor handles it.
        kernel.unhandled += 1;
        // SAFETY: the record named this cell's identity, so its payload is an `R` and the cell holds a `Self`.
        unsafe { Self::end(kernel, cell, Ok(Payload::<R>::take(payload))) };
    }

    unsafe fn expired(kernel: &mut Kernel, cell: u32) {
        // SAFETY: the timer was set for this cell, and ends with it.
        unsafe { Self::end(kernel, cell, Err(AskError::Timeout)) };
    }

    unsafe fn end(kernel: &mut Kernel, cell: u32, answer: Result<R, AskError>) {
        // SAFETY: the caller's; the value is read once, and the cell freed.
        let Waiting { timer, then, .. } = unsafe { Layout::<Self>::of(&kernel.memory, cell).read() };
        kernel.remove_timer(timer);
        kernel.release_cell(cell);
        kernel.running = NONE;
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
        let waiting = Waiting::<R, F> { timer: Handle::NONE, then, types: core::marker::PhantomData };
        let group = of.address().group();
        let address = match self.own_cell(Waiting::<R, F>::BEHAVIOR, group, waiting) {
            Ok(address) => address,
            Err(waiting) => return (waiting.then)(Err(AskError::OutOfMemory)),
        };
        let cell = address.index;
        let at = Layout::<Waiting<R, F>>::of(&self.memory, cell);
        let duty = Duty::Ask { cell, expire: Waiting::<R, F>::expired };
        let sent = match self.add_timer(self.root, self.now + within, duty) {
            Ok(timer) => {
                // SAFETY: the cell holds the value that was just written.
                unsafe { (*at).timer = timer };
                if self.send(of, question(address.typed())).is_ok() {
                    return;
                }
                self.remove_timer(timer);
                AskError::NotSent
            }
            Err(_) => AskError::OutOfMemory,
        };
        // SAFETY: the value is read once, and the cell freed.
        let waiting = unsafe { at.read() };
        self.release_cell(cell);
        (waiting.then)(Err(sent));
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
            kernel.running = owner;
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
