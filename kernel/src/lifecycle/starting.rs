//! Arcs 1 and 2: an actor comes to life. One of the modules where `unsafe` is allowed: it writes a new state into its
//! cell, and calls the cell's behaviour.

#![allow(unsafe_code)]

use crate::actor::Actor;
use crate::address::{ActorRef, Address, Gate, Group};
use crate::behavior::{Behavior, Incarnation, Layout, Maker, Role};
use crate::error::{OutOfMemory, SpawnError};
use crate::kernel::{Kernel, Stage};
use crate::outpost::Origin;
use crate::record::{self, Kind, Payload};
use crate::region::NONE;
use crate::root::Root;

/// How an actor is to be born, besides its state.
#[derive(Clone, Copy, Default)]
pub(crate) struct Birth<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) group: Group,
    pub(crate) bound: u32,
    /// Where it is to live, if that was decided by its path.
    pub(crate) shard: Option<u16>,
    /// Of one whose parent lives elsewhere.
    pub(crate) from: Option<&'a Origin>,
}

impl Kernel {
    /// Makes the root: the parent of all top-level actors. It has a side record for ever, and handles no message.
    pub(crate) fn plant_root(&mut self) -> Result<(), OutOfMemory> {
        let behavior = const { Behavior::of::<Root, crate::behavior::Given>() };
        let cell = self.memory.cell(behavior.class).ok_or(OutOfMemory)?;
        let protocol = self.protocols.number(&mut self.memory, behavior.message).ok_or(OutOfMemory)?;
        let header = self.memory.header(cell);
        header.behavior.set(Some(behavior));
        header.identity.set(header.identity.get().occupied(protocol, Group::Normal, false, Gate::Ready));
        header.side.set(NONE);
        let at = Layout::<Incarnation<Root, crate::behavior::Given>>::of(&self.memory, cell);
        // SAFETY: a fresh cell of this layout's class.
        unsafe {
            at.write(Incarnation { state: core::mem::MaybeUninit::new(Root), maker: crate::behavior::Given });
        }
        self.root = cell;
        self.need_side(cell)?;
        Ok(())
    }

    /// Arc 1. Nothing has changed when it fails.
    pub(crate) fn spawn_cell<A: Actor, F: Maker<A>>(
        &mut self,
        parent: u32,
        birth: Birth<'_>,
        state: core::mem::MaybeUninit<A>,
        maker: F,
    ) -> Result<ActorRef<A::Msg>, SpawnError> {
        let behavior = const { Behavior::of::<A, F>() };
        // Until it stands in its cell, a state that was given is dropped with this guard.
        let mut incarnation = Unborn { incarnation: Some(Incarnation { state, maker }), made: !F::AT_START };
        let cell = self.born(parent, birth, behavior)?;
        let at = Layout::<Incarnation<A, F>>::of(&self.memory, cell);
        if let Some(incarnation) = incarnation.incarnation.take() {
            // SAFETY: the cell is of the behaviour's class and holds no state yet.
            unsafe { at.write(incarnation) };
        }
        self.actors += 1;
        self.spawned += 1;
        Ok(self.address_of(cell).typed())
    }

    /// A cell with a header, in its place in the tree, and its start among the signals.
    fn born(
        &mut self,
        parent: u32,
        birth: Birth<'_>,
        behavior: &'static Behavior,
    ) -> Result<u32, SpawnError> {
        if matches!(self.memory.header(parent).identity.get().gate(), Gate::Stopping | Gate::Dead) {
            return Err(SpawnError::Stopping);
        }
        let birth = if birth.name.is_some() { self.decided(parent, birth, false) } else { birth };
        let cell = self.raw_cell(behavior, birth.group, birth.bound != 0, Gate::Starting)?;
        let result = self.settle(parent, cell, birth);
        if let Err(error) = result {
            self.give_up(cell);
            return Err(error);
        }
        Ok(cell)
    }

    fn settle(&mut self, parent: u32, cell: u32, birth: Birth<'_>) -> Result<(), SpawnError> {
        self.need_side(parent)?;
        if birth.bound != 0 {
            let side = self.need_side(cell)?;
            self.sides.get_mut(side).bound = birth.bound;
        }
        if let Some(name) = birth.name {
            self.enter_name(parent, cell, name)?;
        }
        if let Some(origin) = birth.from {
            self.tie_to(cell, origin)?;
        }
        if let Err(OutOfMemory) = self.signal(self.address_of(cell), Kind::Start, ()) {
            self.strike_name(parent, cell);
            return Err(SpawnError::OutOfMemory);
        }
        self.link_child(parent, cell);
        Ok(())
    }

    /// A cell with its header written, not yet in the tree.
    #[inline]
    pub(crate) fn raw_cell(
        &mut self,
        behavior: &'static Behavior,
        group: Group,
        bounded: bool,
        gate: Gate,
    ) -> Result<u32, OutOfMemory> {
        let protocol = self.protocols.number(&mut self.memory, behavior.message).ok_or(OutOfMemory)?;
        let cell = self.memory.cell(behavior.class).ok_or(OutOfMemory)?;
        let header = self.memory.header(cell);
        header.behavior.set(Some(behavior));
        header.identity.set(header.identity.get().occupied(protocol, group, bounded, gate));
        header.parent.set(NONE);
        header.next.set(NONE);
        header.prev.set(NONE);
        header.side.set(NONE);
        Ok(cell)
    }

    /// Takes back a cell that was never told of.
    pub(crate) fn give_up(&mut self, cell: u32) {
        self.untie(cell);
        if let Some(side) = self.side_of(cell) {
            self.sides.remove(side);
        }
        self.release_cell(cell);
    }

    /// Gives a cell back to its class.
    #[inline]
    pub(crate) fn release_cell(&mut self, cell: u32) {
        if let Some(behavior) = self.memory.header(cell).behavior.get() {
            self.memory.free_cell(behavior.class, cell);
        }
    }

    /// A signal to a cell of this kernel. Signals overtake messages.
    pub(crate) fn signal<T>(&mut self, to: Address, kind: Kind, value: T) -> Result<(), OutOfMemory> {
        let words = Payload::<T>::WORDS;
        let at = self.signals.reserve(&mut self.memory, words).ok_or(OutOfMemory)?;
        // SAFETY: the words were reserved.
        unsafe { record::write(at, to, kind, value) };
        self.signals.commit(words);
        self.pressing = true;
        Ok(())
    }

    /// Arc 2, when the start signal is handled.
    pub(crate) fn run_start(&mut self, cell: u32) {
        let header = self.memory.header(cell);
        if header.identity.get().gate() != Gate::Starting {
            return;
        }
        let Some(behavior) = header.behavior.get() else { return };
        if self.step_of(cell).is_some() {
            // Its start has been and failed; this one comes late.
            return;
        }
        if !behavior.made_at_start {
            self.state_made(cell);
        }
        self.enter(cell, Stage::Start);
        // SAFETY: the cell is starting, and this is its behaviour.
        let outcome = unsafe { (behavior.start)(self, cell) };
        self.enter(NONE, Stage::Handler);
        if let Err(failure) = outcome {
            self.fail(cell, failure.at_start());
        }
    }

    /// The state stands in its cell: messages may run from here on.
    pub(crate) fn state_made(&mut self, cell: u32) {
        self.open_gate(cell);
    }

    /// A state that was never made is not dropped. One that was given is there before its start.
    pub(crate) fn is_made(&self, cell: u32) -> bool {
        match self.memory.header(cell).behavior.get() {
            Some(behavior) if behavior.made_at_start => self.has_begun(cell),
            _ => true,
        }
    }

    /// Whether code of the instance in a cell has run, or runs: one that never began has no hooks at its end.
    pub(super) fn has_begun(&self, cell: u32) -> bool {
        self.memory.header(cell).identity.get().gate() != Gate::Starting
            && !self.side_of(cell).is_some_and(|side| self.sides.get(side).ward.unbegun)
    }

    /// A cell for the kernel's own use: outside the tree, ready at once.
    pub(crate) fn own_cell<T>(
        &mut self,
        behavior: &'static Behavior,
        group: Group,
        value: T,
    ) -> Result<Address, T> {
        let Ok(cell) = self.raw_cell(behavior, group, false, Gate::Ready) else { return Err(value) };
        // SAFETY: the behaviour's class is that of `T`'s layout, as its maker sees to.
        unsafe { Layout::<T>::of(&self.memory, cell).write(value) };
        Ok(self.address_of(cell))
    }

    /// The role of what lives in a cell.
    pub(crate) fn role(&self, cell: u32) -> Role {
        self.memory.header(cell).behavior.get().map_or(Role::Root, |behavior| behavior.role)
    }
}

/// An incarnation on its way into a cell.
struct Unborn<A, F> {
    incarnation: Option<Incarnation<A, F>>,
    made: bool,
}

impl<A, F> Drop for Unborn<A, F> {
    fn drop(&mut self) {
        if let Some(incarnation) = &mut self.incarnation
            && self.made
        {
            // SAFETY: a state that is made and did not reach a cell.
            unsafe { incarnation.state.assume_init_drop() };
        }
    }
}

impl From<OutOfMemory> for SpawnError {
    fn from(_: OutOfMemory) -> SpawnError {
        SpawnError::OutOfMemory
    }
}
