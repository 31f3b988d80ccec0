//! Circuit breaker: keeps an actor from calling a service that has been failing, and tries it again in due time.
//!
//! ```text
//!              max_failures in a row, or trip            the wait is over
//!     closed ───────────────────────────────▶ open ───────────────────────▶ half-open
//!        ▲                                      ▲                            │    │
//!        │                                      └── the one call fails: ─────┘    │
//!        │                                            the next wait is longer     │
//!        └───────────────────────── the one call succeeds ────────────────────────┘
//! ```
//!
//! Closed lets every call through; open lets none; half-open lets exactly one through. A call that takes its time-out or
//! longer counts as failed, whatever it brings. Each change makes the permits given before it stale: what is then
//! reported of them changes nothing.

use core::fmt;
use core::time::Duration;

use super::delays::Delays;
use super::{InvalidConfig, nanos};
use crate::actor::Actor;
use crate::address::{ActorRef, ReplyTo};
use crate::backoff::Backoff;
use crate::context::Ctx;
use crate::error::AskError;
use crate::time::Time;

/// Settings of a [`Breaker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row that open it. Not zero. One opens at the first hitch; a great number is no breaker.
    pub max_failures: u32,
    /// A call that takes this long or longer has failed. Not zero; [`Duration::MAX`] is for ever, and then a call that is
    /// never reported while half-open keeps it half-open for ever.
    pub call_timeout: Duration,
    /// How long it stays open: the first delay at first, the next one each time the half-open call fails, the first one
    /// again once it has closed. The first delay may not be zero.
    pub reset: Backoff,
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Lets them through.
    Closed,
    /// Refuses them.
    Open,
    /// Lets one through, and refuses the others until it is known how that went.
    HalfOpen,
}

/// What a breaker has seen since it was made. None of the counts wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerStats {
    /// Calls let through.
    pub permitted: u64,
    /// Calls refused.
    pub refused: u64,
    /// Calls that succeeded in time.
    pub succeeded: u64,
    /// Calls that failed, slow ones included.
    pub failed: u64,
    /// Calls that took their time-out or longer.
    pub slow: u64,
    /// Reports of stale permits.
    pub stale: u64,
    /// How often it opened.
    pub opened: u64,
}

/// Leave for one call, to be given back with how it went: [`Breaker::succeed`], [`Breaker::fail`] or
/// [`Breaker::record`], or [`Breaker::cancel`] if it was not made after all.
///
/// One that is never given back counts for nothing while the breaker is closed, and as a slow call while it is half-open.
/// It can be cloned, so that it may travel in messages that can; giving it back twice counts twice. It belongs
/// to the breaker that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a permit is given back with how the call went"]
pub struct Permit {
    /// When the call counts as failed.
    deadline: Time,
    era: u64,
}

/// The call is refused: the breaker is open, or half-open with its one call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// No call is let through before, unless the call that is under way succeeds or the breaker is reset.
    pub retry_at: Time,
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the circuit breaker is open")
    }
}

impl core::error::Error for Open {}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Time,
    },
    /// With the deadline of the call that is under way.
    HalfOpen {
        call: Option<Time>,
    },
}

/// A circuit breaker.
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::Time;
/// use corelane_kernel::Backoff;
/// use corelane_kernel::pattern::{Breaker, BreakerConfig, BreakerState};
///
/// let ms = Duration::from_millis;
/// let mut breaker = Breaker::new(BreakerConfig {
///     max_failures: 2,
///     call_timeout: ms(50),
///     reset: Backoff::new(ms(100), ms(5000)).jitter(0),
/// })?;
/// let mut now = Time::ZERO;
/// for _ in 0..2 {
///     let permit = breaker.call(now)?;
///     breaker.fail(permit, now);
/// }
/// let open = breaker.call(now).unwrap_err();
/// assert_eq!(open.retry_at, now + ms(100));
///
/// now = open.retry_at;
/// let permit = breaker.call(now)?;
/// assert!(breaker.call(now).is_err(), "half-open lets one call through");
/// assert_eq!(breaker.succeed(permit, now + ms(10)), Some(BreakerState::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// In an actor, [`Permit::ask`] asks under the permit's time-out:
///
/// ```
/// # use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo};
/// # use corelane_kernel::pattern::{Breaker, Permit};
/// struct Price(ReplyTo<u64>);
/// enum Msg { Look, Seen(Permit, Result<u64, AskError>) }
///
/// struct Buyer { shop: ActorRef<Price>, breaker: Breaker }
///
/// impl Actor for Buyer {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Look => match self.breaker.call(ctx.now()) {
///                 Ok(permit) => permit.ask(ctx, self.shop, Price, Msg::Seen),
///                 Err(open) => println!("not before {:?}", open.retry_at),
///             },
///             Msg::Seen(permit, price) => {
///                 self.breaker.record(permit, &price, ctx.now());
///             }
///         }
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Breaker {
    max_failures: u32,
    call_timeout: Duration,
    delays: Delays,
    state: State,
    /// Counts changes; a permit of another era is stale.
    era: u64,
    stats: BreakerStats,
}

impl Breaker {
    /// A closed breaker.
    ///
    /// # Errors
    /// [`InvalidConfig`] names the field that makes no sense.
    pub fn new(config: BreakerConfig) -> Result<Breaker, InvalidConfig> {
        let invalid = |field, why| Err(InvalidConfig::new("BreakerConfig", field, why));
        if config.max_failures == 0 {
            return invalid("max_failures", "is zero, so that it would never close");
        }
        if nanos(config.call_timeout) == 0 {
            return invalid("call_timeout", "is zero, so that every call would fail");
        }
        if nanos(config.reset.first) == 0 {
            return invalid("reset.first", "is zero, so that it would never be open");
        }
        Ok(Breaker {
            max_failures: config.max_failures,
            call_timeout: config.call_timeout,
            delays: Delays::new(config.reset)?,
            state: State::Closed { failures: 0 },
            era: 0,
            stats: BreakerStats::default(),
        })
    }

    // --- calls ---------------------------------------------------------------------------------------------------

    /// Asks for leave to call.
    ///
    /// # Errors
    /// [`Open`] says when to ask again.
    pub fn call(&mut self, now: Time) -> Result<Permit, Open> {
        self.advance(now);
        let deadline = now + self.call_timeout;
        match self.state {
            State::Closed { .. } => {}
            State::HalfOpen { call: None } => {
                self.change(State::HalfOpen { call: Some(deadline) });
            }
            State::Open { until: retry_at } | State::HalfOpen { call: Some(retry_at) } => {
                count(&mut self.stats.refused);
                return Err(Open { retry_at });
            }
        }
        count(&mut self.stats.permitted);
        Ok(Permit { deadline, era: self.era })
    }

    /// The call has succeeded; if that took its time-out or longer, it has failed all the same. Gives the state to which
    /// this changed the breaker, if it did.
    pub fn succeed(&mut self, permit: Permit, now: Time) -> Option<BreakerState> {
        if now >= permit.deadline {
            return self.fail(permit, now);
        }
        if !self.is_current(&permit, now) {
            return None;
        }
        count(&mut self.stats.succeeded);
        match self.state {
            State::Closed { .. } => self.state = State::Closed { failures: 0 },
            State::Open { .. } => {}
            State::HalfOpen { .. } => return Some(self.close()),
        }
        None
    }

    /// The call has failed. Gives the state to which this changed the breaker, if it did.
    pub fn fail(&mut self, permit: Permit, now: Time) -> Option<BreakerState> {
        if !self.is_current(&permit, now) {
            return None;
        }
        count(&mut self.stats.failed);
        if now >= permit.deadline {
            count(&mut self.stats.slow);
        }
        match self.state {
            State::Closed { failures } if failures + 1 < self.max_failures => {
                self.state = State::Closed { failures: failures + 1 };
                None
            }
            State::Open { .. } => None,
            State::Closed { .. } | State::HalfOpen { .. } => Some(self.open(now)),
        }
    }

    /// The call has succeeded or failed, as its result says.
    pub fn record<T, E>(&mut self, permit: Permit, result: &Result<T, E>, now: Time) -> Option<BreakerState> {
        match result {
            Ok(_) => self.succeed(permit, now),
            Err(_) => self.fail(permit, now),
        }
    }

    /// The call was not made, or says nothing about the service (the question itself was wrong, for instance). If it was
    /// the one call of a half-open breaker, the next one may go instead.
    pub fn cancel(&mut self, permit: Permit, now: Time) {
        if self.is_current(&permit, now)
            && let State::HalfOpen { .. } = self.state
        {
            self.change(State::HalfOpen { call: None });
        }
    }

    // --- by hand -------------------------------------------------------------------------------------------------

    /// Opens it, as failures would; if it is open already, its wait begins again with the next delay.
    pub fn trip(&mut self, now: Time) {
        self.advance(now);
        self.open(now);
    }

    /// Closes it, and forgets failures and longer waits. Calls that are under way are reported in vain.
    pub fn reset(&mut self, now: Time) {
        self.advance(now);
        self.close();
    }

    // --- what is there to see ------------------------------------------------------------------------------------

    /// What it does with calls at this time.
    pub fn state(&self, now: Time) -> BreakerState {
        let mut then = self.clone();
        then.advance(now);
        match then.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Failures in a row while closed; zero otherwise.
    pub fn failures(&self) -> u32 {
        if let State::Closed { failures } = self.state { failures } else { 0 }
    }

    /// Counts since it was made.
    pub fn stats(&self) -> BreakerStats {
        self.stats
    }

    // -------------------------------------------------------------------------------------------------------------

    /// Does what time alone does: a call that is late has failed, a wait that is over makes half-open.
    fn advance(&mut self, now: Time) {
        if let State::HalfOpen { call: Some(deadline) } = self.state
            && now >= deadline
        {
            count(&mut self.stats.failed);
            count(&mut self.stats.slow);
            self.open(deadline);
        }
        if let State::Open { until } = self.state
            && now >= until
        {
            self.change(State::HalfOpen { call: None });
        }
    }

    /// Whether a permit still counts, after time has done its part.
    fn is_current(&mut self, permit: &Permit, now: Time) -> bool {
        self.advance(now);
        let current = permit.era == self.era;
        if !current {
            count(&mut self.stats.stale);
        }
        current
    }

    fn open(&mut self, at: Time) -> BreakerState {
        count(&mut self.stats.opened);
        let until = at + self.delays.next_delay();
        self.change(State::Open { until });
        BreakerState::Open
    }

    fn close(&mut self) -> BreakerState {
        self.delays.reset();
        self.change(State::Closed { failures: 0 });
        BreakerState::Closed
    }

    fn change(&mut self, to: State) {
        self.state = to;
        // Ten thousand changes a second take 58 million years to wrap it.
        self.era = self.era.wrapping_add(1);
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

impl Permit {
    /// Asks what the permit is for, within its time-out; see [`Ctx::ask`]. `then` makes the message that brings the permit
    /// back with the answer.
    ///
    /// A question that could not be sent is an error like any: a service whose queue is full has failed.
    pub fn ask<A, T, R, F>(
        self,
        ctx: &mut Ctx<'_, A>,
        of: ActorRef<T>,
        question: impl FnOnce(ReplyTo<R>) -> T,
        then: F,
    ) where
        A: Actor,
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(Permit, Result<R, AskError>) -> A::Msg + 'static,
    {
        let within = self.deadline.since(ctx.now());
        ctx.ask(of, within, question, move |answer| then(self, answer));
    }

    /// When the call counts as failed.
    pub fn deadline(&self) -> Time {
        self.deadline
    }
}
