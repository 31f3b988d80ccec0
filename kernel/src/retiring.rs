//! Retirement: an actor stops once it has handled what it was told on this core until then.
//!
//! A stop overtakes messages. One that is to come behind them takes its place without any memory of its own, so that none is
//! lost where the region is used up: the actor's side record notes how far its group's queue had been written, and stands
//! in the group's list of such. When the queue has passed that position, all that was told before has been handled, or waits
//! at the actor (because that is suspended, say), which then stops with the last of it.
//!
//! To another core a call goes behind the messages in their lane, to another host a word behind those on their link.
//!
//! Restarts change nothing of this. An actor that ends before leaves the list.

use crate::address::{Address, Gate};
use crate::kernel::Kernel;
use crate::region::NONE;
use crate::scope::Scope;

/// Behind what an actor is to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retirement {
    /// It is not to.
    None,
    /// The position in its group's queue that its side record has as `end`. Neighbours in the group's list.
    Queue { next: u32, prev: u32 },
    /// This parcel, which waits at it.
    Parcel(u32),
}

impl Kernel {
    /// Stops an actor, wherever it lives, when it has handled what this kernel has told it until now.
    pub(crate) fn retire_anywhere(&mut self, whom: Address) {
        if whom.place == self.place {
            return self.retire(whom);
        }
        let seen_to = if self.is_beyond_place(whom.place) {
            self.retire_away(whom)
        } else {
            // Behind the messages in the lane.
            let behind = move |scope: &mut Scope<'_>| scope.kernel().retire(whom);
            self.call_away(whom.place.shard(), behind).is_ok()
        };
        if !seen_to {
            self.request_stop(whom);
        }
    }

    /// Stops an actor of this kernel when it has handled what it was told here until now. One that retires already goes
    /// on for as long. One without a side record, which whoever is or was watched has, is stopped at once where there is no
    /// room for one.
    pub(crate) fn retire(&mut self, whom: Address) {
        let cell = whom.index;
        if cell == self.root
            || !self.is_actor(whom)
            || self.memory.header(cell).identity.get().gate() == Gate::Stopping
        {
            return;
        }
        let Ok(side) = self.need_side(cell) else { return self.request_stop(whom) };
        self.forget_retirement(cell);
        let group = whom.identity.group();
        let (first, last) = self.retiring[group];
        self.retiring[group] = (if first == NONE { cell } else { first }, cell);
        self.link_retiring(last, |_, next| *next = cell);
        self.queue_waiters += 1;
        let end = self.queues[group].pushed();
        let side = self.sides.get_mut(side);
        (side.end, side.retirement) = (end, Retirement::Queue { next: NONE, prev: last });
    }

    /// Changes the neighbours (the one before, the one behind) of a cell in a group's list.
    fn link_retiring(&mut self, cell: u32, change: impl FnOnce(&mut u32, &mut u32)) {
        if cell != NONE
            && let Some(side) = self.side_of(cell)
            && let Retirement::Queue { next, prev } = &mut self.sides.get_mut(side).retirement
        {
            change(prev, next);
        }
    }

    /// Has an actor go on, or end by other means.
    pub(crate) fn forget_retirement(&mut self, cell: u32) {
        let Some(side) = self.side_of(cell) else { return };
        let retirement = core::mem::replace(&mut self.sides.get_mut(side).retirement, Retirement::None);
        let Retirement::Queue { next, prev } = retirement else { return };
        self.queue_waiters -= 1;
        self.link_retiring(prev, |_, next_of_prev| *next_of_prev = next);
        self.link_retiring(next, |prev_of_next, _| *prev_of_next = prev);
        let list = &mut self.retiring[self.memory.header(cell).identity.get().group()];
        if list.0 == cell {
            list.0 = next;
        }
        if list.1 == cell {
            list.1 = prev;
        }
    }

    /// Stops those whose queue has passed what they were to handle, or has them wait for what waits at themselves.
    pub(crate) fn run_retirements(&mut self) {
        for group in 0..self.retiring.len() {
            loop {
                let cell = self.retiring[group].0;
                let Some(side) = (cell != NONE).then(|| self.side_of(cell)).flatten() else { break };
                if self.sides.get(side).end > self.queues[group].popped(&self.memory) {
                    break;
                }
                self.forget_retirement(cell);
                let side = self.sides.get_mut(side);
                if !side.backlog.is_empty() {
                    side.retirement = Retirement::Parcel(side.backlog.last);
                } else {
                    self.request_stop(self.address_of(cell));
                }
            }
        }
    }

    /// A parcel's turn has come among what waits at a cell: if that is to stop behind it, it is told so now. A stop waits
    /// until the handler is through; and one that is asked for before is not lost with a handler that panics.
    pub(crate) fn retire_with(&mut self, cell: u32, parcel: u32) {
        if let Some(side) = self.side_of(cell)
            && self.sides.get(side).retirement == Retirement::Parcel(parcel)
        {
            self.forget_retirement(cell);
            // It does not ask for this itself: should it fail at the parcel, that is its parent's to hear.
            self.set_running(NONE);
            self.request_stop(self.address_of(cell));
        }
    }
}
