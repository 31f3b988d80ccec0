//! Deadlines of asks. Most asks are answered long before their time is over, so what counts is what it costs to note a
//! deadline and to forget it.
//!
//! Few different times are asked within, and whoever asks later within the same time waits until later. So each time has
//! a *row* of reply cells, which is in the order of their deadlines by itself: one is put at its end, taken out from
//! anywhere, and only the first of a row is ever looked at (as in Node.js's timer lists). An ask within yet another time,
//! when all rows are in use, has a timer in the wheel instead.
//!
//! A reply cell also stands in a list of its owner's, with which it ends.

use core::cell::Cell;
use core::time::Duration;

use crate::error::OutOfMemory;
use crate::kernel::Kernel;
use crate::pool::Handle;
use crate::region::NONE;
use crate::time::Time;
use crate::timers::Duty;

/// Rows: times within which actors of one kernel ask at once, without a timer for each.
const ROWS: usize = 8;

/// In place of a row's number: the ask has a timer.
const TIMED: u32 = ROWS as u32;

/// What stands in every reply cell, behind the header.
#[repr(C)]
pub(crate) struct Pending {
    /// Neighbours in the owner's list.
    owner_next: Cell<u32>,
    owner_prev: Cell<u32>,
    owner: Cell<u32>,
    /// Its row, or [`TIMED`].
    row: Cell<u32>,
    /// Neighbours in the row. The first is the timer's number instead if there is one.
    next: Cell<u32>,
    prev: Cell<u32>,
    deadline: Cell<Time>,
}

impl Pending {
    pub(crate) fn owner(&self) -> u32 {
        self.owner.get()
    }
}

#[derive(Clone, Copy)]
struct Row {
    within: Duration,
    first: u32,
    last: u32,
}

pub(crate) struct Deadlines {
    rows: [Row; ROWS],
    /// The row that was used last: the next ask is likely to be of the same.
    recent: u32,
    /// Asks in all rows.
    open: u32,
    /// No deadline in a row is before this.
    next: Time,
}

impl Deadlines {
    pub(crate) const fn new() -> Deadlines {
        let unused = Row { within: Duration::ZERO, first: NONE, last: NONE };
        Deadlines { rows: [unused; ROWS], recent: 0, open: 0, next: Time::MAX }
    }

    /// An ask's time may be over.
    #[inline(always)]
    pub(crate) fn may_be_due(&self, now: Time) -> bool {
        self.next <= now && self.open != 0
    }

    /// The row for a time, taken into use now if there is none.
    #[inline]
    fn row_for(&mut self, within: Duration) -> Option<u32> {
        if self.rows[self.recent as usize].within == within {
            return Some(self.recent);
        }
        self.find_row(within)
    }

    #[inline(never)]
    fn find_row(&mut self, within: Duration) -> Option<u32> {
        let known = self.rows.iter().position(|row| row.within == within);
        let row = known.or_else(|| self.rows.iter().position(|row| row.first == NONE))?;
        self.rows[row].within = within;
        self.recent = row as u32;
        Some(self.recent)
    }

    /// The row whose first deadline is the earliest, with its first cell.
    fn earliest(&self, deadline_of: impl Fn(u32) -> Time) -> Option<(u32, Time)> {
        let firsts = self.rows.iter().map(|row| row.first).filter(|first| *first != NONE);
        firsts.map(|first| (first, deadline_of(first))).min_by_key(|(_, deadline)| *deadline)
    }
}

impl Kernel {
    /// Notes that an ask of `owner` whose reply cell was just made is over at its deadline at the latest.
    #[inline]
    pub(crate) fn await_answer(
        &mut self,
        cell: u32,
        owner: u32,
        within: Duration,
    ) -> Result<(), OutOfMemory> {
        let side = self.need_side(owner)?;
        let deadline = self.now + within;
        let (row, next, prev) = match self.deadlines.row_for(within) {
            Some(row) => {
                let last = core::mem::replace(&mut self.deadlines.rows[row as usize].last, cell);
                if last == NONE {
                    self.deadlines.rows[row as usize].first = cell;
                } else {
                    self.memory.pending(last).next.set(cell);
                }
                self.deadlines.open += 1;
                self.deadlines.next = self.deadlines.next.min(deadline);
                (row, NONE, last)
            }
            None => (TIMED, self.add_timer(owner, deadline, Duty::Ask { cell })?.number(), NONE),
        };
        let first = core::mem::replace(&mut self.sides.get_mut(side).asks, cell);
        if first != NONE {
            self.memory.pending(first).owner_prev.set(cell);
        }
        let pending = self.memory.pending(cell);
        pending.owner_next.set(first);
        pending.owner_prev.set(NONE);
        pending.owner.set(owner);
        pending.row.set(row);
        pending.next.set(next);
        pending.prev.set(prev);
        pending.deadline.set(deadline);
        Ok(())
    }

    /// Forgets an ask, which is over. Its owner.
    #[inline]
    pub(crate) fn forget_ask(&mut self, cell: u32) -> u32 {
        let pending = self.memory.pending(cell);
        let (owner, row) = (pending.owner.get(), pending.row.get());
        let (next, prev) = (pending.next.get(), pending.prev.get());
        let (owner_next, owner_prev) = (pending.owner_next.get(), pending.owner_prev.get());
        if owner_next != NONE {
            self.memory.pending(owner_next).owner_prev.set(owner_prev);
        }
        if owner_prev != NONE {
            self.memory.pending(owner_prev).owner_next.set(owner_next);
        } else if let Some(side) = self.side_of(owner) {
            self.sides.get_mut(side).asks = owner_next;
        }
        if row == TIMED {
            self.remove_timer(Handle::from_number(next));
            return owner;
        }
        self.deadlines.open -= 1;
        let row = &mut self.deadlines.rows[row as usize];
        if next == NONE {
            row.last = prev;
        } else {
            self.memory.pending(next).prev.set(prev);
        }
        if prev == NONE {
            row.first = next;
        } else {
            self.memory.pending(prev).next.set(next);
        }
        owner
    }

    /// An actor ends, and its asks with it: their closures are dropped, and answers that come later are dead letters.
    pub(crate) fn drop_all_asks(&mut self, owner: u32) {
        let Some(side) = self.side_of(owner) else { return };
        while self.sides.get(side).asks != NONE {
            let first = self.sides.get(side).asks;
            self.forget_ask(first);
            self.drop_ask(first);
        }
    }

    /// Ends asks whose time is over, within the turn's budget.
    pub(crate) fn run_deadlines(&mut self) -> u32 {
        let mut over = 0;
        while self.deadlines.may_be_due(self.now) && over < self.config.budget {
            match self.earliest_deadline() {
                Some((cell, deadline)) if deadline <= self.now => {
                    over += 1;
                    self.expire_ask(cell);
                    if self.pressing {
                        self.run_pressing();
                    }
                }
                Some((_, deadline)) => self.deadlines.next = deadline,
                None => break,
            }
        }
        over
    }

    fn earliest_deadline(&mut self) -> Option<(u32, Time)> {
        let memory = &self.memory;
        self.deadlines.earliest(|cell| memory.pending(cell).deadline.get())
    }

    /// When something is due next, a timer or an ask's deadline; see [`Kernel::next_deadline`].
    pub(crate) fn next_due(&mut self) -> Option<Time> {
        let ask = self.earliest_deadline().map(|(_, deadline)| deadline);
        match (ask, self.wheel.next_deadline()) {
            (Some(ask), Some(timer)) => Some(ask.min(timer)),
            (ask, timer) => ask.or(timer),
        }
    }
}
