//! Deadlines of asks. Most asks are answered long before their time is over, so what counts is what it costs to note a
//! deadline and to forget it.
//!
//! Few different times are asked within, and whoever asks later within the same time waits until later. So each time has
//! a *row* of reply cells, which is in the order of their deadlines by itself: one is put at its end, taken out from
//! anywhere, and only the first of a row is ever looked at (as in Node.js's timer lists). An ask within yet another time,
//! when all rows are in use, has a timer in the wheel instead.
//!
//! A reply cell also stands in a list of its owner's, with which it ends.
//!
//! An ask knows the kernel whose actor was asked. When that kernel is gone the ask is over: it moves to a row of those that
//! are *lost*, and is ended when its queue has passed what was in it then, which may hold its answer.

use core::cell::Cell;
use core::time::Duration;

use crate::address::Place;
use crate::error::{AskError, OutOfMemory};
use crate::kernel::Kernel;
use crate::limits::GROUPS;
use crate::pool::Handle;
use crate::region::{Memory, NONE};
use crate::time::Time;
use crate::timers::{Duty, Timer};

/// Rows: times within which actors of one kernel ask at once, without a timer for each.
const ROWS: usize = 8;

/// How long an ask waits whose outcome has no room to wait.
const RETRY: Duration = Duration::from_millis(1);

/// The row of those, in the order of when they are looked at again.
const AGAIN: u32 = ROWS as u32;

/// The row of asks that have a timer each. It is in no order.
const TIMED: u32 = AGAIN + 1;

/// The first of the rows of lost asks, one for each scheduling group, in the order in which they are ended.
const LOST: u32 = TIMED + 1;

/// A row's number has so many bits.
const ROW_BITS: u32 = 4;
const ROW_MASK: u32 = (1 << ROW_BITS) - 1;
const _: () = assert!(LOST as usize + GROUPS <= 1 << ROW_BITS);

/// Stand for the place of the kernel that was asked: once that is gone, and where the question never left.
const GONE: u32 = u32::MAX >> ROW_BITS;
const NOT_SENT: u32 = GONE - 1;

/// What stands in every reply cell, behind the header.
#[repr(C)]
pub(crate) struct Pending {
    /// Neighbours in the owner's list.
    owner_next: Cell<u32>,
    owner_prev: Cell<u32>,
    owner: Cell<u32>,
    /// Its row, and above [`ROW_BITS`] the place of the kernel that was asked; zero for one here, if several were asked, and for
    /// one of the realms that come after a quarter of a million others, whose numbers do not fit: such asks end at their
    /// deadlines.
    row: Cell<u32>,
    /// Neighbours in the row.
    next: Cell<u32>,
    prev: Cell<u32>,
    /// The deadline, in a row that is ordered by it. Else, as a number: the timer; of a lost ask, the position in its queue up to
    /// which its answer may lie there.
    deadline: Cell<Time>,
}

impl Pending {
    pub(crate) fn owner(&self) -> u32 {
        self.owner.get()
    }

    /// Notes the kernel whose actor is asked.
    #[cold]
    pub(crate) fn note_place(&self, of: Place) {
        if of.0 < NOT_SENT {
            self.row.set(of.0 << ROW_BITS | self.row());
        }
    }

    #[inline(always)]
    fn row(&self) -> u32 {
        self.row.get() & ROW_MASK
    }

    /// The timer of an ask that has one.
    fn timer(&self) -> Handle<Timer> {
        Handle::from_number(self.deadline.get().as_nanos() as u32)
    }
}

#[derive(Clone, Copy)]
struct Row {
    within: Duration,
    first: u32,
    last: u32,
}

pub(crate) struct Deadlines {
    rows: [Row; ROWS + 1],
    /// The row that was used last: the next ask is likely to be of the same.
    recent: u32,
    /// Asks in all rows, and lost ones.
    open: u32,
    /// No deadline in a row is before this. In the past as long as any ask is lost.
    next: Time,
}

impl Deadlines {
    pub(crate) const fn new() -> Deadlines {
        let unused = Row { within: Duration::ZERO, first: NONE, last: NONE };
        Deadlines { rows: [unused; ROWS + 1], recent: 0, open: 0, next: Time::MAX }
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
        let rows = &self.rows[..ROWS];
        let known = rows.iter().position(|row| row.within == within);
        let row = known.or_else(|| rows.iter().position(|row| row.first == NONE))?;
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

/// The rows of asks that are in no order of deadlines: those from [`TIMED`] on.
pub(crate) struct OddAsks {
    rows: [Ends; 1 + GROUPS],
    /// Asks that are lost.
    lost: u32,
}

/// The first and the last of a row.
#[derive(Clone, Copy)]
struct Ends(u32, u32);

impl OddAsks {
    pub(crate) const fn new() -> OddAsks {
        OddAsks { rows: [Ends(NONE, NONE); 1 + GROUPS], lost: 0 }
    }

    fn row(&mut self, row: u32) -> &mut Ends {
        &mut self.rows[(row - TIMED) as usize]
    }

    /// Puts an ask at the end of a row.
    #[cold]
    fn push(&mut self, memory: &Memory, row: u32, cell: u32) -> u32 {
        let Ends(first, last) = self.row(row);
        let before = core::mem::replace(last, cell);
        match before {
            NONE => *first = cell,
            before => memory.pending(before).next.set(cell),
        }
        before
    }
}

/// Takes an ask out of the row that has these ends.
fn unlink(memory: &Memory, cell: u32, first: &mut u32, last: &mut u32) {
    let pending = memory.pending(cell);
    let (next, prev) = (pending.next.get(), pending.prev.get());
    match next {
        NONE => *last = prev,
        next => memory.pending(next).prev.set(prev),
    }
    match prev {
        NONE => *first = next,
        prev => memory.pending(prev).next.set(next),
    }
}

impl Kernel {
    /// Notes that an ask of `owner` whose reply cell was just made is over at its deadline at the latest. Whoever made it says
    /// [of whom](Kernel::ask_of) it is.
    #[inline]
    pub(crate) fn await_answer(
        &mut self,
        cell: u32,
        owner: u32,
        within: Duration,
    ) -> Result<(), OutOfMemory> {
        let side = self.need_side(owner)?;
        let deadline = self.now + within;
        let (row, prev, deadline) = match self.deadlines.row_for(within) {
            Some(row) => {
                let last = core::mem::replace(&mut self.deadlines.rows[row as usize].last, cell);
                if last == NONE {
                    self.deadlines.rows[row as usize].first = cell;
                } else {
                    self.memory.pending(last).next.set(cell);
                }
                self.deadlines.open += 1;
                self.deadlines.next = self.deadlines.next.min(deadline);
                (row, last, deadline)
            }
            None => {
                let timer = self.add_timer(owner, deadline, Duty::Ask { cell })?;
                (
                    TIMED,
                    self.odd_asks.push(&self.memory, TIMED, cell),
                    Time::from_nanos(timer.number().into()),
                )
            }
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
        pending.next.set(NONE);
        pending.prev.set(prev);
        pending.deadline.set(deadline);
        Ok(())
    }

    /// Forgets an ask, which is over. Its owner.
    #[inline(never)]
    pub(crate) fn forget_ask(&mut self, cell: u32) -> u32 {
        let pending = self.memory.pending(cell);
        let (owner, row) = (pending.owner.get(), pending.row());
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
        if row >= TIMED {
            self.forget_odd(row, cell);
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

    /// Takes an ask that has a timer, or is lost, out of its row.
    #[cold]
    fn forget_odd(&mut self, row: u32, cell: u32) {
        if row == TIMED {
            let timer = self.memory.pending(cell).timer();
            self.remove_timer(timer);
        } else {
            self.odd_asks.lost -= 1;
            self.deadlines.open -= 1;
        }
        let Ends(first, last) = self.odd_asks.row(row);
        unlink(&self.memory, cell, first, last);
    }

    /// The kernel at a place is gone, and nobody there will answer. What it has answered before may still lie in the queues: each
    /// ask waits until its own has passed that.
    pub(crate) fn lose_asks_of(&mut self, place: Place) {
        if place == Place::NOWHERE {
            return;
        }
        for row in 0..LOST {
            let mut at = match self.deadlines.rows.get(row as usize) {
                Some(row) => row.first,
                None => self.odd_asks.row(row).0,
            };
            while at != NONE {
                let (cell, pending) = (at, self.memory.pending(at));
                at = pending.next.get();
                if pending.row.get() >> ROW_BITS == place.0 {
                    self.lose_ask(row, cell);
                }
            }
        }
        if self.odd_asks.lost != 0 {
            self.deadlines.next = Time::ZERO;
        }
    }

    /// Takes an ask out of its row, to be put into another.
    fn leave_row(&mut self, row: u32, cell: u32) {
        match self.deadlines.rows.get_mut(row as usize) {
            Some(row) => {
                unlink(&self.memory, cell, &mut row.first, &mut row.last);
                self.deadlines.open -= 1;
            }
            None => self.forget_odd(row, cell),
        }
    }

    /// Moves an ask from its row to that of the lost ones of its group.
    fn lose_ask(&mut self, row: u32, cell: u32) {
        let group = self.address_of(cell).group() as usize;
        let end = self.queues[group].pushed();
        self.move_to_lost(row, cell, GONE, end);
    }

    /// Moves an ask to the lost ones of its group. It ends when its queue has passed `end`, for the reason that stands in
    /// place of a place.
    fn move_to_lost(&mut self, row: u32, cell: u32, why: u32, end: u64) {
        self.leave_row(row, cell);
        let lost = LOST + self.address_of(cell).group() as u32;
        let prev = self.odd_asks.push(&self.memory, lost, cell);
        let pending = self.memory.pending(cell);
        pending.next.set(NONE);
        pending.prev.set(prev);
        pending.row.set(why << ROW_BITS | lost);
        pending.deadline.set(Time::from_nanos(end));
        self.odd_asks.lost += 1;
        self.deadlines.open += 1;
    }

    /// The question of an ask that was just made could not be sent: it ends in this turn or the next, whatever room its
    /// owner's queue has.
    #[cold]
    pub(crate) fn note_not_sent(&mut self, cell: u32) {
        self.move_to_lost(self.memory.pending(cell).row(), cell, NOT_SENT, 0);
        self.deadlines.next = Time::ZERO;
    }

    /// An ask whose time is over, but for whose outcome there is no room to wait, ends some time later. Needs no memory.
    #[cold]
    pub(crate) fn postpone_ask(&mut self, cell: u32) {
        self.leave_row(self.memory.pending(cell).row(), cell);
        let deadline = self.now + RETRY;
        let row = AGAIN as usize;
        let last = core::mem::replace(&mut self.deadlines.rows[row].last, cell);
        if last == NONE {
            self.deadlines.rows[row].first = cell;
        } else {
            self.memory.pending(last).next.set(cell);
        }
        let pending = self.memory.pending(cell);
        pending.row.set(pending.row.get() & !ROW_MASK | AGAIN);
        pending.next.set(NONE);
        pending.prev.set(last);
        pending.deadline.set(deadline);
        self.deadlines.open += 1;
        self.deadlines.next = self.deadlines.next.min(deadline);
    }

    /// Why an ask that gets no answer gets none.
    pub(crate) fn why_unanswered(&self, cell: u32) -> AskError {
        match self.memory.pending(cell).row.get() >> ROW_BITS {
            GONE => AskError::Unreachable,
            NOT_SENT => AskError::NotSent,
            _ => AskError::Timeout,
        }
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

    /// Ends asks that are lost and those whose time is over, within the turn's budget.
    pub(crate) fn run_deadlines(&mut self) -> u32 {
        let mut over = 0;
        if self.odd_asks.lost != 0 {
            over = self.run_lost();
        }
        while self.deadlines.may_be_due(self.now) && over < self.config.budget {
            match self.earliest_deadline() {
                Some((cell, deadline)) if deadline <= self.now => {
                    over += 1;
                    self.expire_ask(cell);
                    if self.pressing {
                        self.run_pressing();
                    }
                }
                other => {
                    self.deadlines.next = other.map_or(Time::MAX, |(_, deadline)| deadline);
                    break;
                }
            }
        }
        if self.odd_asks.lost != 0 {
            self.deadlines.next = Time::ZERO;
        }
        over
    }

    /// Ends those of the lost asks whose answers can no longer be under way.
    #[cold]
    fn run_lost(&mut self) -> u32 {
        let mut over = 0;
        for group in 0..GROUPS {
            while over < self.config.budget {
                let cell = self.odd_asks.row(LOST + group as u32).0;
                let passed = self.queues[group].popped(&self.memory);
                if cell == NONE || self.memory.pending(cell).deadline.get().as_nanos() > passed {
                    break;
                }
                over += 1;
                self.expire_ask(cell);
                if self.pressing {
                    self.run_pressing();
                }
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
