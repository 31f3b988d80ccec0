//! The stall detector: a thread that looks at every shard now and then, and reports one that is held up by a handler.
//!
//! A shard numbers its turns ([`Pulse`]): one store for each turn, none for a message. A turn that is still the same after two
//! looks in a row, each half of `stall_after` behind the last, has taken at least that long: the watchdog says so at once,
//! for it may never end, counts it, and notes whose code runs. When the turn ends after all, the shard says who it was and
//! how long it took. So a stall is counted once and told twice, at its beginning and at its end.
//!
//! Looks are counted, not timed: a process that stood still for an hour finds one look late, and that is no stall.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use corelane_kernel::Seen;

use crate::memory::Lookout;
use crate::shared::Shared;

/// The turn of a shard that is in none: it sleeps, or has not begun, or has ended.
const AT_REST: u64 = 0;
/// Looks that find the same turn again until it is a stall.
const LOOKS: u32 = 2;

/// What a shard and the watchdog tell each other. It has a cache line to itself, which the shard keeps but for the looks.
#[derive(Default)]
pub(crate) struct Pulse {
    /// The number of the turn, or [`AT_REST`].
    turn: AtomicU64,
    /// The watchdog found this turn to be a stall.
    late: AtomicBool,
    stalls: AtomicU64,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    lookout: Option<Lookout>,
    /// The turn that was found to be a stall, and whose code ran then.
    stalled: Option<(u64, Option<Seen>)>,
}

impl Pulse {
    fn watched(&self) -> std::sync::MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shard's kernel can be looked at from here on.
    pub(crate) fn show(&self, lookout: Lookout) {
        self.watched().lookout = Some(lookout);
    }

    /// No longer: the shard lets go of its memory.
    pub(crate) fn hide(&self) {
        self.watched().lookout = None;
    }

    /// A turn begins. Their numbers begin at one.
    #[inline(always)]
    pub(crate) fn begin(&self, turn: u64) {
        self.turn.store(turn, Ordering::Relaxed);
        // Before whatever this turn runs: who sees that sees this.
        fence(Ordering::Release);
    }

    /// The shard is about to sleep, or takes no more turns.
    pub(crate) fn rest(&self) {
        self.turn.store(AT_REST, Ordering::Relaxed);
    }

    /// Whether the turn that ends was found to be a stall.
    #[inline(always)]
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }

    /// A turn ends: if it was a stall, whose code ran, should that be an actor's. One that was marked between its last
    /// instruction and the next turn is over, and of no interest any more.
    #[cold]
    pub(crate) fn end_stall(&self, turn: u64) -> Option<Option<Seen>> {
        let mut watched = self.watched();
        self.late.store(false, Ordering::Relaxed);
        watched.stalled.take().and_then(|(stalled, seen)| (stalled == turn).then_some(seen))
    }

    pub(crate) fn stalls(&self) -> u64 {
        self.stalls.load(Ordering::Relaxed)
    }

    /// Marks the turn of this number as a stall, unless it has ended.
    fn mark(&self, turn: u64) -> bool {
        let mut watched = self.watched();
        let seen = watched.lookout.as_ref().and_then(Lookout::look);
        // What was seen is of this turn if it is still this turn.
        fence(Ordering::Acquire);
        if self.turn.load(Ordering::Relaxed) != turn {
            return false;
        }
        watched.stalled = Some((turn, seen));
        self.stalls.fetch_add(1, Ordering::Relaxed);
        self.late.store(true, Ordering::Relaxed);
        true
    }
}

/// How often the same turn of a shard was found.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    turn: u64,
    again: u32,
}

impl Watch {
    /// Whether this look makes the turn a stall: once for each.
    fn finds(&mut self, turn: u64) -> bool {
        if turn == AT_REST || turn != self.turn {
            *self = Watch { turn, again: 0 };
            return false;
        }
        self.again = self.again.saturating_add(1);
        self.again == LOOKS
    }
}

#[derive(Default)]
struct Leash {
    over: Mutex<bool>,
    changed: Condvar,
}

/// The thread that looks. Ended and waited for when this is dropped.
pub(crate) struct Watchdog {
    leash: Arc<Leash>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub(crate) fn start(name: &str, shared: Arc<Shared>, after: Duration) -> io::Result<Watchdog> {
        let leash = Arc::new(Leash::default());
        let held = leash.clone();
        let thread = std::thread::Builder::new().name(format!("{name}-watchdog")).spawn(move || {
            let mut watches = vec![Watch::default(); shared.posts.len()];
            while held.rest(after / LOOKS) {
                look_around(&shared, &mut watches, after);
            }
        })?;
        Ok(Watchdog { leash, thread: Some(thread) })
    }
}

impl Leash {
    /// Waits for all of this time; false if it is over.
    fn rest(&self, time: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(over, time, |over| !*over);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.leash.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.leash.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its panic, of a subscriber to the log, was its end; nothing else hangs on it.
            let _ = thread.join();
        }
    }
}

fn look_around(shared: &Shared, watches: &mut [Watch], after: Duration) {
    for (shard, (post, watch)) in shared.posts.iter().zip(watches).enumerate() {
        let turn = post.pulse.turn.load(Ordering::Relaxed);
        if watch.finds(turn) && post.pulse.mark(turn) {
            tracing::warn!(shard, core = post.core, at_least = ?after, "a handler holds up its shard");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_turn_at_three_looks_is_one_stall() {
        let mut watch = Watch::default();
        let found: Vec<bool> = [7, 7, 7, 7, 7, 8, 8, 9, 9, 9].map(|turn| watch.finds(turn)).to_vec();
        let expected = [2, 9];
        for (at, found) in found.into_iter().enumerate() {
            assert_eq!(found, expected.contains(&at), "look {at}");
        }
    }

    #[test]
    fn a_shard_at_rest_never_stalls() {
        let mut watch = Watch::default();
        assert!((0..10).all(|_| !watch.finds(AT_REST)));
        assert!([5, 5, AT_REST, 5, 5].into_iter().all(|turn| !watch.finds(turn)));
    }

    #[test]
    fn a_turn_that_ended_between_look_and_mark_is_no_stall() {
        let pulse = Pulse::default();
        pulse.begin(3);
        assert!(!pulse.mark(2) && !pulse.is_late());
        assert!(pulse.mark(3) && pulse.is_late());
        assert_eq!((pulse.end_stall(3), pulse.is_late(), pulse.stalls()), (Some(None), false, 1));
        // Marked after its end was looked at: the next turn does not answer for it.
        assert!(pulse.mark(3));
        pulse.begin(4);
        assert_eq!((pulse.end_stall(4), pulse.is_late(), pulse.stalls()), (None, false, 2));
    }

    #[test]
    fn a_watchdog_that_sleeps_for_a_day_ends_at_once() {
        let leash = Arc::new(Leash::default());
        let held = leash.clone();
        let thread = std::thread::spawn(move || while held.rest(Duration::from_hours(24)) {});
        drop(Watchdog { leash, thread: Some(thread) });
    }
}
