//! What the actors of one shard held when they stopped.
//!
//! Millions of actors cannot each be asked whether they got their messages, nor can each hold a reference to a
//! common sum without being larger than the workload says. They count themselves here from their `stopped` hook,
//! on their shard's own thread; a stage's shards have threads of their own, so each stage starts from zero.

use std::cell::Cell;

thread_local! {
    static TALLY: Cell<Tally> = const { Cell::new(Tally { actors: 0, sum: 0 }) };
}

/// Actors that counted themselves, and the sum of what they held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many actors.
    pub(super) actors: u64,
    /// What they held altogether, wrapping.
    pub(super) sum: u64,
}

/// Counts an actor that held `state`.
#[inline]
pub(super) fn count(state: u64) {
    let Tally { actors, sum } = TALLY.get();
    TALLY.set(Tally { actors: actors + 1, sum: sum.wrapping_add(state) });
}

/// What was counted on this thread so far.
#[inline]
pub(super) fn read() -> Tally {
    TALLY.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_counts_for_itself() {
        let counted = || {
            count(3);
            count(u64::MAX);
            read()
        };
        let expected = Tally { actors: 2, sum: 2 };
        for _ in 0..2 {
            let tally = std::thread::spawn(counted).join().expect("counting does not panic");
            assert_eq!(tally, expected);
        }
    }
}
