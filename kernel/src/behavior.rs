//! Behaviours: the code of one actor type, with the type erased.
//!
//! A cell points to a static table of functions, each monomorphised for its actor type and how it was spawned (from a
//! value, or from a factory that is kept behind the state). One indirect call handles a message. One of the modules
//! where `unsafe` is allowed: each function is called only on a cell whose header names the table it stands in.

#![allow(unsafe_code)]

use core::any::type_name;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr;

use crate::actor::{Actor, Terminated};
use crate::address::Address;
use crate::context::Ctx;
use crate::failure::{Failure, Outcome};
use crate::kernel::Kernel;
use crate::limits::{HEADER, STATE_ALIGN_MAX};
use crate::record::{MessageType, Payload};
use crate::region::Memory;
use crate::size_class::class_for;
use crate::supervise::{Directive, Strategy};
use crate::timers::Alarm;

/// What lives in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A user's actor.
    Actor,
    /// The kernel's own root, parent of all top-level actors.
    Root,
    /// A reply address that waits for one message.
    Ask,
    /// An address that translates messages for its owner.
    Adapter,
    /// What stands for a child on another shard.
    Outpost,
}

pub(crate) struct Behavior {
    /// Handles the message in a payload.
    pub(crate) receive: unsafe fn(&mut Kernel, u32, *const u64),
    /// Makes the state, if a factory does, and runs `started`.
    pub(crate) start: unsafe fn(&mut Kernel, u32) -> Outcome,
    /// Makes the state anew by its factory, and runs `restarted`.
    pub(crate) restart: unsafe fn(&mut Kernel, u32, &Failure) -> Outcome,
    pub(crate) restarting: unsafe fn(&mut Kernel, u32, &Failure),
    pub(crate) stopped: unsafe fn(&mut Kernel, u32),
    pub(crate) terminated: unsafe fn(&mut Kernel, u32, &Terminated) -> Outcome,
    pub(crate) decide: unsafe fn(&mut Kernel, u32, Address, &Failure) -> (Directive, Strategy),
    pub(crate) receive_timeout: unsafe fn(&mut Kernel, u32) -> Outcome,
    pub(crate) alarm: unsafe fn(&mut Kernel, u32, Alarm) -> Outcome,
    pub(crate) influences: unsafe fn(*const u64) -> bool,
    /// Drops the state, and keeps what makes it.
    pub(crate) drop_state: unsafe fn(&Memory, u32),
    /// Drops the state, unless it was never made, and what was kept to make it.
    pub(crate) drop: unsafe fn(&Memory, u32, bool),
    pub(crate) message: &'static MessageType,
    pub(crate) name: fn() -> &'static str,
    pub(crate) class: u8,
    pub(crate) role: Role,
    /// The state is made at the start, not before.
    pub(crate) made_at_start: bool,
}

/// How an actor's state comes to be.
pub(crate) trait Maker<A>: 'static {
    const AT_START: bool;
    fn make(&mut self) -> Result<A, Failure>;
}

/// The state was given at spawn.
pub(crate) struct Given;

impl<A> Maker<A> for Given {
    const AT_START: bool = false;
    fn make(&mut self) -> Result<A, Failure> {
        Err(Failure::new("an actor that was spawned from a value cannot be made again"))
    }
}

/// The state is made by a factory.
pub(crate) struct Made<F>(pub(crate) F);

impl<A, F: FnMut() -> Result<A, Failure> + 'static> Maker<A> for Made<F> {
    const AT_START: bool = true;
    fn make(&mut self) -> Result<A, Failure> {
        (self.0)()
    }
}

/// What stands behind a header: the state, then what makes it.
#[repr(C)]
pub(crate) struct Incarnation<A, F> {
    pub(crate) state: MaybeUninit<A>,
    pub(crate) maker: F,
}

/// Offset and size class of anything that stands behind a header.
pub(crate) struct Layout<T>(PhantomData<T>);

impl<T> Layout<T> {
    pub(crate) const OFFSET: usize = {
        assert!(
            align_of::<T>() <= STATE_ALIGN_MAX,
            "an actor's state is aligned more strictly than the stated bound (STATE_ALIGN_MAX): box it"
        );
        HEADER.next_multiple_of(align_of::<T>())
    };
    pub(crate) const CLASS: u8 =
        class_for(Self::OFFSET + size_of::<T>(), if align_of::<T>() > 8 { align_of::<T>() } else { 8 });

    /// Where it stands in a cell.
    #[inline(always)]
    pub(crate) fn of(memory: &Memory, cell: u32) -> *mut T {
        // SAFETY: a cell of the class has `OFFSET + size_of::<T>()` bytes.
        unsafe { memory.at::<u8>(cell).as_ptr().add(Self::OFFSET).cast() }
    }
}

impl Behavior {
    /// The table of actor type `A` made by `F`.
    pub(crate) const fn of<A: Actor, F: Maker<A>>() -> &'static Behavior {
        const {
            &Behavior {
                receive: receive::<A, F>,
                start: start::<A, F>,
                restart: restart::<A, F>,
                restarting: restarting::<A, F>,
                stopped: stopped::<A, F>,
                terminated: terminated::<A, F>,
                decide: decide::<A, F>,
                receive_timeout: receive_timeout::<A, F>,
                alarm: alarm::<A, F>,
                influences: influences::<A>,
                drop_state: drop_state::<A, F>,
                drop: drop_incarnation::<A, F>,
                message: MessageType::of::<A::Msg>(),
                name: type_name::<A>,
                class: Layout::<Incarnation<A, F>>::CLASS,
                role: Role::Actor,
                made_at_start: F::AT_START,
            }
        }
    }
}

/// The state of a running actor.
///
/// # Safety
/// The cell holds an `Incarnation<A, F>` whose state is made, and no other reference to the state lives.
#[inline(always)]
unsafe fn state<'a, A, F>(kernel: &Kernel, cell: u32) -> &'a mut A {
    let at = Layout::<Incarnation<A, F>>::of(&kernel.memory, cell);
    // SAFETY: the caller's. The kernel itself never makes a reference to a state while its actor runs.
    unsafe { (*at).state.assume_init_mut() }
}

unsafe fn receive<A: Actor, F>(kernel: &mut Kernel, cell: u32, payload: *const u64) {
    // SAFETY: the record named this cell's identity, so its payload is an `A::Msg`, moved out here once; the cell's
    // table is this one, so its state is an `A`.
    let (message, actor) = unsafe { (Payload::<A::Msg>::take(payload), state::<A, F>(kernel, cell)) };
    if let Err(failure) = actor.receive(message, &mut Ctx::new(kernel, cell)) {
        kernel.fail_at_message(cell, failure);
    }
}

/// Has the factory make the state of a cell that is starting.
///
/// # Safety
/// The cell holds an `Incarnation<A, F>` whose state is not made.
unsafe fn make<A: Actor, F: Maker<A>>(kernel: &mut Kernel, cell: u32) -> Outcome {
    let at = Layout::<Incarnation<A, F>>::of(&kernel.memory, cell);
    // SAFETY: the caller's: the maker is there and the state is not.
    unsafe {
        let made = (*at).maker.make()?;
        (*at).state.write(made);
    }
    kernel.state_made(cell);
    Ok(())
}

unsafe fn start<A: Actor, F: Maker<A>>(kernel: &mut Kernel, cell: u32) -> Outcome {
    if F::AT_START {
        // SAFETY: the cell is starting: its maker is there and its state is not.
        unsafe { make::<A, F>(kernel, cell)? };
    }
    // SAFETY: the state is there now.
    let actor = unsafe { state::<A, F>(kernel, cell) };
    actor.started(&mut Ctx::new(kernel, cell))
}

unsafe fn restart<A: Actor, F: Maker<A>>(kernel: &mut Kernel, cell: u32, failure: &Failure) -> Outcome {
    // SAFETY: the cell is starting again: its maker is there and its state is gone. After that the state is there.
    let actor = unsafe {
        make::<A, F>(kernel, cell)?;
        state::<A, F>(kernel, cell)
    };
    actor.restarted(failure, &mut Ctx::new(kernel, cell))
}

unsafe fn restarting<A: Actor, F>(kernel: &mut Kernel, cell: u32, failure: &Failure) {
    // SAFETY: called while the state is there.
    let actor = unsafe { state::<A, F>(kernel, cell) };
    actor.restarting(failure, &mut Ctx::new(kernel, cell));
}

unsafe fn stopped<A: Actor, F>(kernel: &mut Kernel, cell: u32) {
    // SAFETY: called while the state is there.
    let actor = unsafe { state::<A, F>(kernel, cell) };
    actor.stopped(&mut Ctx::new(kernel, cell));
}

unsafe fn terminated<A: Actor, F>(kernel: &mut Kernel, cell: u32, gone: &Terminated) -> Outcome {
    // SAFETY: called while the state is there.
    let actor = unsafe { state::<A, F>(kernel, cell) };
    actor.terminated(gone, &mut Ctx::new(kernel, cell))
}

unsafe fn decide<A: Actor, F>(
    kernel: &mut Kernel,
    cell: u32,
    child: Address,
    failure: &Failure,
) -> (Directive, Strategy) {
    // SAFETY: called while the state is there.
    let actor = unsafe { state::<A, F>(kernel, cell) };
    let directive = actor.decide(child, failure, &mut Ctx::new(kernel, cell));
    (directive, actor.strategy())
}

unsafe fn receive_timeout<A: Actor, F>(kernel: &mut Kernel, cell: u32) -> Outcome {
    // SAFETY: called while the state is there.
    let actor = unsafe { state::<A, F>(kernel, cell) };
    actor.receive_timeout(&mut Ctx::new(kernel, cell))
}

unsafe fn alarm<A: Actor, F>(kernel: &mut Kernel, cell: u32, alarm: Alarm) -> Outcome {
    // SAFETY: called while the state is there.
    let actor = unsafe { state::<A, F>(kernel, cell) };
    let ctx = &mut Ctx::new(kernel, cell);
    match alarm {
        Alarm::Keyed(key) => actor.alarm(key, ctx),
        Alarm::State => actor.state_alarm(ctx),
    }
}

unsafe fn influences<A: Actor>(payload: *const u64) -> bool {
    /// Drops the message in a payload when looking at it panics: it is off its queue already.
    struct Unwinding<M>(*const u64, PhantomData<M>);
    impl<M> Drop for Unwinding<M> {
        fn drop(&mut self) {
            // SAFETY: the payload holds a message that nobody takes after a panic.
            unsafe { Payload::<M>::drop_in(self.0) };
        }
    }
    let unwinding = Unwinding::<A::Msg>(payload, PhantomData);
    // SAFETY: the payload is an `A::Msg` that stays in its record; the copy is looked at and forgotten.
    let message = core::mem::ManuallyDrop::new(unsafe { Payload::<A::Msg>::view(payload) });
    let influences = A::influences_receive_timeout(message.get());
    core::mem::forget(unwinding);
    influences
}

unsafe fn drop_state<A, F>(memory: &Memory, cell: u32) {
    let at = Layout::<Incarnation<A, F>>::of(memory, cell);
    // SAFETY: the state is there, and the cell says already that it is not: it is dropped here only.
    unsafe { ptr::drop_in_place((&raw mut (*at).state).cast::<A>()) };
}

unsafe fn drop_incarnation<A, F>(memory: &Memory, cell: u32, made: bool) {
    let at = Layout::<Incarnation<A, F>>::of(memory, cell);
    /// Drops the maker even when dropping the state panics.
    struct Rest<F>(*mut F);
    impl<F> Drop for Rest<F> {
        fn drop(&mut self) {
            // SAFETY: the maker is there from spawn to here, and is dropped here only.
            unsafe { ptr::drop_in_place(self.0) };
        }
    }
    // SAFETY: both fields stand in the cell; the state is there if `made` says so; each is dropped here only.
    unsafe {
        let _rest = Rest(&raw mut (*at).maker);
        if made {
            ptr::drop_in_place((&raw mut (*at).state).cast::<A>());
        }
    }
}
