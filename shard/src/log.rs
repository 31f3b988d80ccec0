//! The log: what kernels show of failures, decisions and dead letters, as `tracing` events.
//!
//! | event | level | fields of its own |
//! |---|---|---|
//! | an actor failed | error | `actor`, `failure`, `location` of a panic |
//! | it is restarted, or goes on | info | `actor`, `failure`, `after`, where a wait comes first |
//! | it is stopped, or its supervisor fails with it | warn | `actor`, `failure` |
//! | a failure went past all supervisors, or was nobody's | error | `failure`, `location` |
//! | a dead letter | info | `reason` |
//!
//! Each says where it happened as fields: `shard`, the actor's `path` (its address where it does not live there any
//! more) and `address`, and the name of the type of its messages as `message_type`. Nothing of it is formatted unless
//! somebody listens.
//!
//! Every failure is logged. What is decided about it and dead letters are limited in rate: so many, then none for five
//! minutes, then the number of those left out. Dead letters have a setting for that; of decisions those that keep an
//! actor and those that end one have a limit each, so that an actor that is restarted over and over does not hide
//! that another one has ended.

use std::time::Duration;

use corelane_kernel::{DeadLetter, DeadReason, Decision, Failure, Observe, Path, Subject, Time};
use tracing::{Level, enabled};

/// Silence after the last dead letter or decision that was logged, or panic that was shown.
pub(crate) const SILENCE: Duration = Duration::from_secs(300);

/// Decisions of one kind that are logged before there is silence.
const DECISIONS: u32 = 10;

pub(crate) struct Log {
    shard: usize,
    letters: Limit,
    /// Of decisions by which an actor lives on.
    kept: Limit,
    /// Of those by which one ends, or another one fails.
    ended: Limit,
}

/// Lets a number of events through, then none for a time, then tells how many it kept back and begins anew.
pub(crate) struct Limit {
    most: u32,
    passed: u32,
    silent_until: Time,
    kept_back: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Log it; `after` were kept back before.
    Yes {
        after: u64,
    },
    /// Log it, and say that silence follows.
    Last {
        after: u64,
    },
    No,
}

impl Limit {
    pub(crate) fn new(most: u32) -> Limit {
        Limit { most, passed: 0, silent_until: Time::ZERO, kept_back: 0 }
    }

    pub(crate) fn ask(&mut self, now: Time) -> Pass {
        if self.passed == self.most {
            if self.most == 0 || now < self.silent_until {
                self.kept_back += 1;
                return Pass::No;
            }
            self.passed = 0;
        }
        self.passed += 1;
        let after = std::mem::take(&mut self.kept_back);
        if self.passed < self.most {
            return Pass::Yes { after };
        }
        self.silent_until = now + SILENCE;
        Pass::Last { after }
    }
}

impl Log {
    pub(crate) fn new(shard: usize, letters: u32) -> Log {
        Log { shard, letters: Limit::new(letters), kept: Limit::new(DECISIONS), ended: Limit::new(DECISIONS) }
    }
}

impl Observe for Log {
    fn dead_letter(&mut self, letter: &DeadLetter, path: Path<'_>) {
        if letter.reason == DeadReason::Failed {
            // The failure that took it along is logged.
            return;
        }
        let (after, last) = match self.letters.ask(letter.at) {
            Pass::Yes { after } => (after, false),
            Pass::Last { after } => (after, true),
            Pass::No => return,
        };
        let DeadLetter { target: address, message, reason, .. } = letter;
        let shard = self.shard;
        if after > 0 {
            tracing::info!(shard, skipped = after, "dead letters were not logged");
        }
        tracing::info!(shard, %path, ?address, message_type = message, %reason, "dead letter");
        if last {
            tracing::info!(shard, "no more dead letters are logged for {SILENCE:?}; they are counted");
        }
    }

    fn failed(&mut self, who: &Subject<'_>, failure: &Failure) {
        let Subject { address, actor, message, .. } = who;
        tracing::error!(
            shard = self.shard,
            path = %who,
            ?address,
            actor,
            message_type = message,
            %failure,
            location = failure.location(),
            "actor failed"
        );
    }

    fn decided(&mut self, who: &Subject<'_>, failure: &Failure, decision: Decision, now: Time) {
        let ends = decision.is_stop() || decision == Decision::Escalate;
        // What nobody hears does not count.
        let heard = if ends { enabled!(Level::WARN) } else { enabled!(Level::INFO) };
        if !heard {
            return;
        }
        let limit = if ends { &mut self.ended } else { &mut self.kept };
        let (skipped, last) = match limit.ask(now) {
            Pass::Yes { after } => (after, false),
            Pass::Last { after } => (after, true),
            Pass::No => return,
        };
        let Subject { address, actor, message, .. } = who;
        let shard = self.shard;
        let skipped = (skipped > 0).then_some(skipped);
        if ends {
            tracing::warn!(
                shard, skipped, path = %who, ?address, actor, message_type = message, %failure,
                "actor failed: {decision}"
            );
        } else {
            // The wait stands in a field, so that the text is one of few.
            let (decision, after) = match decision {
                Decision::RestartAfter(wait) => (Decision::Restart, Some(tracing::field::debug(wait))),
                other => (other, None),
            };
            tracing::info!(
                shard, skipped, path = %who, ?address, actor, message_type = message, %failure, after,
                "actor failed: {decision}"
            );
        }
        match (last, ends) {
            (true, true) => {
                tracing::warn!(shard, "no more ends over failures are logged for {SILENCE:?}; failures are")
            }
            (true, false) => {
                tracing::info!(
                    shard,
                    "no more restarts are logged for {SILENCE:?}; failures are, and all are counted"
                )
            }
            (false, _) => {}
        }
    }

    fn escalated(&mut self, failure: &Failure) {
        let (shard, location) = (self.shard, failure.location());
        tracing::error!(shard, %failure, location, "a failure was escalated past all supervisors");
    }

    fn panicked(&mut self, failure: &Failure) {
        tracing::error!(shard = self.shard, %failure, location = failure.location(), "code that is no actor's panicked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conformance 34.
    #[test]
    fn after_the_limit_there_is_silence_then_a_count_then_the_limit_again() {
        let mut limit = Limit::new(2);
        let at = Time::from_millis;
        assert_eq!(limit.ask(at(0)), Pass::Yes { after: 0 });
        assert_eq!(limit.ask(at(1)), Pass::Last { after: 0 });
        for t in 2..7 {
            assert_eq!(limit.ask(at(t)), Pass::No);
        }
        assert_eq!(limit.ask(at(300_001)), Pass::Yes { after: 5 });
        assert_eq!(limit.ask(at(300_002)), Pass::Last { after: 0 });
        assert_eq!(limit.ask(at(300_003)), Pass::No);
    }

    #[test]
    fn a_limit_of_none_logs_nothing() {
        let mut limit = Limit::new(0);
        assert_eq!(limit.ask(Time::from_millis(1)), Pass::No);
        assert_eq!(limit.ask(Time::from_millis(900_000)), Pass::No);
    }
}
