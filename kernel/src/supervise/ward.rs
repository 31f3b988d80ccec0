//! What supervision remembers of one actor: how often it was restarted, and how far its restart has come, or that its
//! parent's decision is still awaited.

use core::time::Duration;

use super::Strategy;
use crate::backoff::{Backoff, Dice};
use crate::region::NONE;
use crate::time::Time;

/// How far a restart has come. Each step survives a panic of the code that it runs: the next one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Step {
    /// Wait for what a parent on another shard decides: not a restart yet, and perhaps none.
    Undecided,
    /// Run the old instance's `restarting` hook.
    Hook,
    /// Children that were told to stop are stopping.
    Children,
    /// Run the old instance's `stopped` hook.
    Stopped,
    /// Drop the old state.
    State,
    /// Drop what the old instance had set up.
    Own,
    /// Make the new state, when its time has come.
    Make,
}

/// Part of an actor's side record.
#[derive(Clone, Copy)]
pub(crate) struct Ward {
    /// Of the restart that is under way, if one is.
    pub(crate) step: Option<Step>,
    /// It stands in a row of restarts that go on.
    pub(crate) listed: bool,
    /// It goes on in the next turn, not in this one.
    pub(crate) late: bool,
    /// All that lives below it is suspended until it has a new state or goes on with the old one.
    pub(crate) holds: bool,
    /// It never began to start, though its gate does not say so: unless its state was given, there is none.
    pub(crate) unbegun: bool,
    /// An instance has lived, so that the next one is a restarted one.
    pub(crate) lived: bool,
    /// A decision of its own has panicked, and nothing is decided yet about that.
    pub(crate) at_a_loss: bool,
    /// It is to fail, for which there was no room among the signals.
    pub(crate) marked: bool,
    /// Neighbours in that row.
    pub(crate) next: u32,
    pub(crate) prev: u32,
    /// Restarts that count towards the limit, and since when.
    restarts: u32,
    since: Time,
    /// Waits since the last quiet time, and when the last one was to be over.
    waits: u32,
    /// When the new state is to be made.
    pub(crate) until: Time,
}

impl Ward {
    pub(crate) const fn new() -> Ward {
        Ward {
            step: None,
            listed: false,
            late: false,
            holds: false,
            unbegun: false,
            lived: false,
            at_a_loss: false,
            marked: false,
            next: NONE,
            prev: NONE,
            restarts: 0,
            since: Time::ZERO,
            waits: 0,
            until: Time::ZERO,
        }
    }

    /// Counts a restart, and says whether it is within the limit of `most` within `within`.
    pub(crate) fn permits(&mut self, (most, within): (u32, Duration), now: Time) -> bool {
        if self.restarts > 0 && now.since(self.since) <= within {
            self.restarts = self.restarts.saturating_add(1);
        } else {
            (self.restarts, self.since) = (1, now);
        }
        self.restarts <= most
    }

    /// How long to wait before the next restart; `None` to give up.
    pub(crate) fn wait(
        &mut self,
        backoff: &Backoff,
        strategy: &Strategy,
        now: Time,
        dice: &mut Dice,
    ) -> Option<Duration> {
        if now.since(self.until) >= strategy.reset_after.unwrap_or(backoff.max) {
            self.waits = 0;
        }
        if self.waits >= strategy.give_up_after {
            return None;
        }
        let wait = backoff.delay_after(self.waits, dice);
        self.waits = self.waits.saturating_add(1);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: (u32, Duration) = (2, Duration::from_millis(100));

    /// Reliability 17.
    #[test]
    fn as_many_restarts_as_the_limit_says_are_within_it_and_no_more() {
        let mut ward = Ward::new();
        let permitted = [0, 1, 2].map(|ms| ward.permits(LIMIT, Time::from_millis(ms)));
        assert_eq!(permitted, [true, true, false]);
    }

    /// Reliability 17.
    #[test]
    fn the_edge_of_the_time_is_within_it_and_what_follows_begins_anew() {
        for (third, permitted) in [(100_000_000, false), (100_000_001, true)] {
            let mut ward = Ward::new();
            assert!(ward.permits(LIMIT, Time::ZERO) && ward.permits(LIMIT, Time::from_millis(50)));
            assert_eq!(ward.permits(LIMIT, Time::from_nanos(third)), permitted, "{third}");
        }
    }

    #[test]
    fn a_limit_of_zero_permits_none() {
        assert!(!Ward::new().permits((0, Duration::MAX), Time::ZERO));
    }

    /// Reliability 17.
    #[test]
    fn quiet_time_makes_waits_short_again_and_without_it_an_end_comes() {
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_secs(1)).jitter(0);
        let strategy = Strategy::one_for_one().give_up_after(3);
        let mut ward = Ward::new();
        let mut now = Time::from_millis(5000);
        let mut fail = |quiet: u64| {
            now = now + Duration::from_millis(quiet);
            let wait = ward.wait(&backoff, &strategy, now, &mut Dice::new(0))?;
            now = now + wait;
            ward.until = now;
            Some(wait.as_millis())
        };
        assert_eq!([fail(0), fail(999), fail(999)], [Some(1), Some(2), Some(4)]);
        assert_eq!([fail(1000), fail(0), fail(0), fail(0)], [Some(1), Some(2), Some(4), None]);
    }
}
