//! A hierarchical timing wheel (Varghese and Lauck, 1987): setting, cancelling and firing a timer cost the same however
//! many are set.
//!
//! Six levels of 64 slots; a tick is 2^16 ns (65.536 µs), a slot of level *n* is 64^n ticks. A timer stands in the
//! level of the highest six bits in which its deadline differs from the wheel's time, and moves down as that comes
//! near. One beyond the last level (52 days) waits in its farthest slot and is looked at again from there. Deadlines
//! are rounded up to a tick, so a timer never fires early, and late by at most a tick and the driver's turn.
//!
//! The wheel's slots are taken from the region when the first timer is set.

use core::time::Duration;

use crate::pool::{Handle, Pool};
use crate::region::Memory;
use crate::shelf::Shelf;
use crate::time::Time;

pub(crate) const TICK_SHIFT: u32 = 16;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 6;
const FARTHEST: u64 = (1 << (SLOT_BITS as u64 * LEVELS as u64)) - 1;

/// Where in the wheel a timer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Nowhere.
    Out,
    /// In this slot of all levels' slots.
    Slot(u16),
    /// Among those that are due.
    Due,
}

/// What the wheel keeps in each timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<T> {
    pub(crate) deadline: u64,
    pub(crate) spot: Spot,
    next: Handle<T>,
    prev: Handle<T>,
}

impl<T> Place<T> {
    pub(crate) const fn out() -> Place<T> {
        Place { deadline: 0, spot: Spot::Out, next: Handle::NONE, prev: Handle::NONE }
    }
}

/// A record that can stand in a wheel.
pub(crate) trait Timed: Sized {
    fn place(&mut self) -> &mut Place<Self>;
}

#[derive(Clone, Copy)]
struct List<T> {
    first: Handle<T>,
    last: Handle<T>,
}

pub(crate) struct Wheel<T> {
    /// Everything due up to this tick has been moved to `due`.
    now: u64,
    occupied: [u64; LEVELS],
    slots: Shelf<List<T>>,
    due: List<T>,
}

impl<T> List<T> {
    const EMPTY: List<T> = List { first: Handle::NONE, last: Handle::NONE };
}

/// First tick at or after a time.
pub(crate) fn tick_at_or_after(time: Time) -> u64 {
    time.as_nanos().div_ceil(1 << TICK_SHIFT)
}

/// Ticks in a duration, rounded up.
pub(crate) fn ticks_of(duration: Duration) -> u64 {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    nanos.div_ceil(1 << TICK_SHIFT)
}

impl<T: Timed> Wheel<T> {
    pub(crate) const fn new() -> Wheel<T> {
        Wheel { now: 0, occupied: [0; LEVELS], slots: Shelf::new(), due: List::EMPTY }
    }

    /// Takes the slots' memory if that was not done. `None` when the region is used up.
    pub(crate) fn prepare(&mut self, memory: &mut Memory) -> Option<()> {
        if self.slots.is_empty() {
            let mut slots = Shelf::with_room(memory, SLOTS * LEVELS)?;
            for _ in 0..SLOTS * LEVELS {
                slots.push(memory, List::EMPTY).ok()?;
            }
            self.slots = slots;
        }
        Some(())
    }

    /// Sets a timer that stands nowhere, for a tick. One that is not in the future is due at once.
    pub(crate) fn insert(&mut self, pool: &mut Pool<T>, timer: Handle<T>, deadline: u64) {
        debug_assert!(pool.get_mut(timer).place().spot == Spot::Out);
        if deadline <= self.now {
            self.link(pool, timer, deadline, Spot::Due);
            return;
        }
        // A deadline beyond the last level is looked at again at the farthest point the wheel can show.
        let shown = deadline.min(self.now.saturating_add(FARTHEST));
        let level = (((self.now ^ shown) | 1).ilog2() / SLOT_BITS).min(LEVELS as u32 - 1);
        let slot = (shown >> (level * SLOT_BITS)) as usize % SLOTS;
        self.occupied[level as usize] |= 1 << slot;
        self.link(pool, timer, deadline, Spot::Slot((level as usize * SLOTS + slot) as u16));
    }

    fn list(&mut self, spot: Spot) -> Option<&mut List<T>> {
        match spot {
            Spot::Out => None,
            Spot::Due => Some(&mut self.due),
            Spot::Slot(at) => self.slots.get_mut(at as usize),
        }
    }

    fn link(&mut self, pool: &mut Pool<T>, timer: Handle<T>, deadline: u64, spot: Spot) {
        let Some(list) = self.list(spot) else { return };
        let last = core::mem::replace(&mut list.last, timer);
        if last.is_none() {
            list.first = timer;
        } else {
            pool.get_mut(last).place().next = timer;
        }
        *pool.get_mut(timer).place() = Place { deadline, spot, next: Handle::NONE, prev: last };
    }

    /// Takes a timer out, wherever it stands.
    pub(crate) fn remove(&mut self, pool: &mut Pool<T>, timer: Handle<T>) {
        let Place { deadline, spot, next, prev } = *pool.get_mut(timer).place();
        // It forgets its neighbours: one that stands nowhere may be removed again.
        *pool.get_mut(timer).place() = Place { deadline, ..Place::out() };
        if next.is_some() {
            pool.get_mut(next).place().prev = prev;
        }
        if prev.is_some() {
            pool.get_mut(prev).place().next = next;
        }
        let Some(list) = self.list(spot) else { return };
        if prev.is_none() {
            list.first = next;
        }
        if next.is_none() {
            list.last = prev;
        }
        if let Spot::Slot(at) = spot
            && list.first.is_none()
        {
            self.occupied[at as usize / SLOTS] &= !(1 << (at as usize % SLOTS));
        }
    }

    /// First tick of the next slot that holds timers, with its level and number.
    fn next_slot(&self) -> Option<(u64, usize, usize)> {
        // The lowest level that holds any holds the earliest: higher levels begin behind the end of lower ones.
        for level in 0..LEVELS {
            if self.occupied[level] == 0 {
                continue;
            }
            let shift = level as u32 * SLOT_BITS;
            let here = (self.now >> shift) as usize % SLOTS;
            // Slots are looked at from the one after the current on; the current one, if held, is a round away.
            let ahead = self.occupied[level].rotate_right(here as u32 + 1).trailing_zeros() as u64 + 1;
            let start = ((self.now >> shift) + ahead) << shift;
            return Some((start, level, (here + ahead as usize) % SLOTS));
        }
        None
    }

    /// Moves the wheel's time forward; what is due by then goes to the due list, in the order of deadlines.
    pub(crate) fn advance(&mut self, pool: &mut Pool<T>, now: Time) {
        let until = now.as_nanos() >> TICK_SHIFT;
        while let Some((start, level, slot)) = self.next_slot() {
            if start > until {
                break;
            }
            self.now = start;
            loop {
                let timer = self.slots[level * SLOTS + slot].first;
                if timer.is_none() {
                    break;
                }
                let deadline = pool.get_mut(timer).place().deadline;
                self.remove(pool, timer);
                self.insert(pool, timer, deadline);
            }
        }
        self.now = self.now.max(until);
    }

    /// Takes the next timer that is due.
    pub(crate) fn pop_due(&mut self, pool: &mut Pool<T>) -> Option<Handle<T>> {
        let timer = self.due.first;
        if timer.is_none() {
            return None;
        }
        self.remove(pool, timer);
        Some(timer)
    }

    /// Timers wait in the due list.
    pub(crate) fn is_due(&self) -> bool {
        self.due.first.is_some()
    }

    /// A time not after the next deadline: at a higher level, when the wheel must look closer.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        if self.is_due() {
            return Some(Time::from_nanos(self.now << TICK_SHIFT));
        }
        let (start, ..) = self.next_slot()?;
        Some(Time::from_nanos(start.saturating_mul(1 << TICK_SHIFT)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::tests::region;
    use proptest::prelude::*;
    use std::vec::Vec;

    struct Entry {
        id: u32,
        place: Place<Entry>,
    }

    impl Timed for Entry {
        fn place(&mut self) -> &mut Place<Entry> {
            &mut self.place
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(u64),
        Cancel(usize),
        Advance(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let span = prop_oneof![0u64..70, 0u64..5000, 0u64..300_000, 0u64..(1 << 40)];
        let step = prop_oneof![
            3 => span.clone().prop_map(Step::Set),
            1 => (0usize..50).prop_map(Step::Cancel),
            2 => span.prop_map(Step::Advance),
        ];
        proptest::collection::vec(step, 1..120)
    }

    proptest! {
        #[test]
        fn behaves_like_a_sorted_list(steps in steps()) {
            let mut memory = Memory::new(region(1 << 20), None);
            let mut pool = Pool::new(&memory);
            let mut wheel = Wheel::new();
            wheel.prepare(&mut memory).unwrap();
            let mut model: Vec<(u64, u32, Handle<Entry>)> = Vec::new();
            let (mut now, mut id) = (0u64, 0u32);
            for step in steps {
                match step {
                    Step::Set(after) => {
                        id += 1;
                        let entry = Entry { id, place: Place::out() };
                        let timer = pool.insert(&mut memory, entry).ok().unwrap();
                        wheel.insert(&mut pool, timer, now + after);
                        model.push((now + after, id, timer));
                    }
                    Step::Cancel(at) if !model.is_empty() => {
                        let (.., timer) = model.remove(at % model.len());
                        wheel.remove(&mut pool, timer);
                        pool.remove(timer);
                    }
                    Step::Cancel(_) => {}
                    Step::Advance(by) => {
                        if let Some(next) = wheel.next_deadline() {
                            let earliest = model.iter().map(|(deadline, ..)| *deadline).min().unwrap();
                            prop_assert!(next.as_nanos() >> TICK_SHIFT <= earliest.max(now));
                        } else {
                            prop_assert!(model.is_empty());
                        }
                        now += by;
                        wheel.advance(&mut pool, Time::from_nanos(now << TICK_SHIFT));
                        let mut fired = Vec::new();
                        while let Some(timer) = wheel.pop_due(&mut pool) {
                            fired.push(pool.remove(timer).id);
                        }
                        let mut expected: Vec<u32> =
                            model.iter().filter(|(deadline, ..)| *deadline <= now).map(|(_, id, _)| *id).collect();
                        model.retain(|(deadline, ..)| *deadline > now);
                        fired.sort_unstable();
                        expected.sort_unstable();
                        prop_assert_eq!(fired, expected);
                    }
                }
            }
        }
    }
}
