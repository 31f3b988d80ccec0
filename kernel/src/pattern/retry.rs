//! Retry: whether to try again what has failed, and after how long.
//!
//! One value for one operation at a time. It counts tries and knows the deadline; what the operation is, and the timer
//! that starts the next try, are the actor's.

use core::time::Duration;

use super::delays::Delays;
use super::{InvalidConfig, nanos};
use crate::backoff::Backoff;
use crate::time::Time;

/// How often a [`Retry`] tries, how long it waits between, and when it gives up: whichever bound comes first holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// How often it is tried, the first time included. Not zero; 1 is no retry; `u32::MAX` leaves it to `within`.
    pub attempts: u32,
    /// The wait before each further try.
    pub delay: Backoff,
    /// No try begins so long after the first one or later. Not zero; [`Duration::MAX`] leaves it to `attempts`.
    pub within: Duration,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextTry {
    /// Try again after this time.
    After(Duration),
    /// The tries are used up, or the next one would begin too late.
    GiveUp,
}

/// Decides about tries of one operation.
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::Backoff;
/// use corelane_kernel::pattern::{NextTry, Retry, RetryConfig};
/// use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Failure, Outcome, ReplyTo};
///
/// struct Load(ReplyTo<u64>);
/// enum Msg { Try, Loaded(Result<u64, AskError>) }
///
/// struct Loader { store: ActorRef<Load>, retry: Retry }
///
/// impl Actor for Loader {
///     type Msg = Msg;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.retry.restart(ctx.now());
///         self.receive(Msg::Try, ctx)
///     }
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Try => ctx.ask(self.store, Duration::from_millis(100), Load, Msg::Loaded),
///             Msg::Loaded(Ok(_)) => {}
///             Msg::Loaded(Err(_)) => match self.retry.failed(ctx.now()) {
///                 NextTry::After(delay) => ctx.set_timer("retry", delay, Msg::Try)?,
///                 NextTry::GiveUp => return Err(Failure::new("the store does not answer")),
///             },
///         }
///         Ok(())
///     }
/// }
///
/// let ms = Duration::from_millis;
/// let config = RetryConfig {
///     attempts: 5,
///     delay: Backoff::new(ms(10), ms(1000)).jitter(20).seed(42),
///     within: ms(3000),
/// };
/// let loader = Loader { store: ActorRef::nobody(), retry: Retry::new(config)? };
/// # Ok::<(), corelane_kernel::pattern::InvalidConfig>(())
/// ```
#[derive(Clone, Debug)]
pub struct Retry {
    attempts: u32,
    failures: u32,
    gave_up: bool,
    within: Duration,
    deadline: Time,
    delays: Delays,
}

impl Retry {
    /// Tries that begin at [`Time::ZERO`]; [`Retry::restart`] says when they really do.
    ///
    /// # Errors
    /// [`InvalidConfig`] names the field that makes no sense.
    pub fn new(config: RetryConfig) -> Result<Retry, InvalidConfig> {
        if config.attempts == 0 {
            return Err(InvalidConfig::new("RetryConfig", "attempts", "is zero: the first try counts"));
        }
        if nanos(config.within) == 0 {
            return Err(InvalidConfig::new("RetryConfig", "within", "is zero, so that no try could begin"));
        }
        let delays = Delays::new(config.delay)?;
        let (attempts, within) = (config.attempts, config.within);
        Ok(Retry { attempts, failures: 0, gave_up: false, within, deadline: Time::ZERO + within, delays })
    }

    /// A new operation's first try begins now: tries, delays and deadline start afresh.
    pub fn restart(&mut self, now: Time) {
        self.failures = 0;
        self.gave_up = false;
        self.deadline = now + self.within;
        self.delays.reset();
    }

    /// The same settings for another operation, whose first try begins now. Its jitter is its own: operations that
    /// fail together do not come back together.
    #[must_use]
    pub fn fork(&mut self, now: Time) -> Retry {
        let Retry { attempts, within, .. } = *self;
        Retry {
            attempts,
            failures: 0,
            gave_up: false,
            within,
            deadline: now + within,
            delays: self.delays.fork(),
        }
    }

    /// A try has failed. After giving up it stays at that until [`Retry::restart`].
    pub fn failed(&mut self, now: Time) -> NextTry {
        self.failures = self.failures.saturating_add(1);
        // The greatest number means no bound, so it is not reached.
        let used_up = self.failures >= self.attempts && self.attempts != u32::MAX;
        if self.gave_up || used_up {
            self.gave_up = true;
            return NextTry::GiveUp;
        }
        let delay = self.delays.next_delay();
        self.gave_up = now + delay >= self.deadline;
        if self.gave_up { NextTry::GiveUp } else { NextTry::After(delay) }
    }

    /// Failures since the first try began.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When it is too late to begin a try.
    pub fn deadline(&self) -> Time {
        self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    fn any_nanos() -> impl Strategy<Value = u64> {
        prop_oneof![0u64..100, 0u64..1_000_000, any::<u64>(), Just(u64::MAX)]
    }

    fn config(attempts: u32, delay: Backoff, within: Duration) -> RetryConfig {
        RetryConfig { attempts, delay, within }
    }

    proptest! {
        /// The reference lists all tries beforehand, from when each fails.
        #[test]
        fn tries_end_with_their_number_or_the_deadline(
            attempts in prop_oneof![1u32..6, Just(u32::MAX)],
            first in any_nanos(),
            jitter in 0u32..=100,
            within in any_nanos(),
            start in any_nanos(),
            works in proptest::collection::vec(any_nanos(), 1..10),
        ) {
            let delay = Backoff { max: Duration::MAX, ..Backoff::fixed(Duration::from_nanos(first)) }
                .growth(150)
                .jitter(jitter).seed(first);
            let within = Duration::from_nanos(within.max(1));
            let mut retry = Retry::new(config(attempts, delay, within)).unwrap();
            let mut delays = Delays::new(delay).unwrap();
            let mut now = Time::from_nanos(start);
            retry.restart(now);
            let deadline = now + within;
            let mut over = false;
            for (n, work) in works.into_iter().enumerate() {
                now = now + Duration::from_nanos(work);
                let expected = if over || n as u32 + 1 == attempts {
                    NextTry::GiveUp
                } else {
                    let delay = delays.next_delay();
                    if now + delay < deadline { NextTry::After(delay) } else { NextTry::GiveUp }
                };
                over = expected == NextTry::GiveUp;
                prop_assert_eq!(retry.failed(now), expected);
                prop_assert_eq!(retry.failures(), n as u32 + 1);
                if let NextTry::After(delay) = expected {
                    now = now + delay;
                    prop_assert!(now < deadline, "a try begins before the deadline");
                }
            }
        }
    }

    #[test]
    fn a_new_operation_has_all_its_tries() {
        let mut retry = Retry::new(config(2, Backoff::fixed(Duration::ZERO), Duration::MAX)).unwrap();
        retry.restart(Time::from_millis(1));
        for _ in 0..3 {
            assert_eq!(retry.failed(Time::from_millis(2)), NextTry::After(Duration::ZERO));
            assert_eq!(retry.failed(Time::from_millis(3)), NextTry::GiveUp);
            assert_eq!(retry.failed(Time::from_millis(4)), NextTry::GiveUp);
            retry.restart(Time::from_millis(5));
        }
        let mut fork = retry.fork(Time::from_millis(6));
        assert_eq!(fork.failed(Time::from_millis(6)), NextTry::After(Duration::ZERO));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let delay = Backoff::fixed(Duration::from_millis(1));
        for (bad, text) in [
            (config(0, delay, Duration::MAX), "RetryConfig.attempts is zero: the first try counts"),
            (config(1, delay, Duration::ZERO), "RetryConfig.within is zero, so that no try could begin"),
            (
                config(1, delay.growth(0), Duration::MAX),
                "Backoff.growth_percent is less than 100: delays may not shrink",
            ),
        ] {
            assert_eq!(Retry::new(bad).unwrap_err().to_string(), text);
        }
    }
}
