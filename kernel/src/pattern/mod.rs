//! Patterns: small pieces from which services are built, each a plain value that an actor keeps in its own state.
//!
//! A piece takes events and a [`Time`], and answers with a decision. It has no thread, no clock, no actor of its own, and
//! allocates nothing: what it holds is bounded by its type. So it can be tested with numbers alone, and used where there
//! are no actors. What an actor does with the decision (set a timer, tell, stash) is the actor's; where that is more than a
//! line, the piece has a method that takes the actor's context.
//!
//! | piece | question it answers |
//! |---|---|
//! | [`Breaker`] | may I call a service that has been failing? |
//! | [`Backoff`](crate::Backoff), [`Delays`] | how long shall I wait this time? |
//! | [`Retry`] | it failed: try again, after how long, or give up? |
//! | [`Throttle`] | may this pass, at a rate with a burst? |
//! | [`SlidingWindow`] | may this pass, at most so many in any window? |
//! | [`Debounce`] | events come in a burst: which one do I act on, and when? |
//! | [`WorkPull`] | which worker gets which job, and who does it if that worker dies? |
//! | [`Aggregate`] | I asked many: do I have the answers I need, or has time run out? |
//!
//! # Time
//!
//! `now` is the caller's, usually [`Ctx::now`](crate::Ctx::now). It is counted in nanoseconds and must not run backwards;
//! where it does, a piece waits longer, and nothing worse. A deadline is met before it and missed at it, as with
//! timers, which are never early. A duration of more than 584 years means *never*, and no duration overflows.
//!
//! # Settings
//!
//! Settings are checked where a piece is made. What makes no sense is an [`InvalidConfig`] that names the field.

use core::fmt;

use crate::actor::Actor;
use crate::backoff::nanos;
use crate::context::Ctx;
use crate::error::OutOfMemory;
use crate::time::Time;
use crate::timers::TimerKey;

mod aggregate;
mod breaker;
mod debounce;
mod delays;
mod pull;
mod retry;
mod throttle;

pub use aggregate::{Aggregate, AnswerError, Progress};
pub use breaker::{Breaker, BreakerConfig, BreakerState, BreakerStats, Open, Permit};
pub use debounce::{Debounce, DebounceConfig, Edge};
pub use delays::Delays;
pub use pull::{DemandError, Handout, JobsFull, Ticket, WorkPull, WorkPullConfig};
pub use retry::{NextTry, Retry, RetryConfig};
pub use throttle::{SlidingWindow, Throttle, ThrottleConfig, Throttled};

/// A setting makes no sense. Nothing was made.
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::pattern::{Throttle, ThrottleConfig};
///
/// let config = ThrottleConfig { rate: 0, per: Duration::from_secs(1), burst: 5 };
/// let invalid = Throttle::new(config).unwrap_err();
/// assert_eq!((invalid.config, invalid.field), ("ThrottleConfig", "rate"));
/// assert_eq!(invalid.to_string(), "ThrottleConfig.rate is zero, so that nothing would ever pass");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidConfig {
    /// The type of the settings.
    pub config: &'static str,
    /// The field, as it is written in code.
    pub field: &'static str,
    /// What is wrong with it, to be read after its name.
    pub why: &'static str,
}

impl InvalidConfig {
    const fn new(config: &'static str, field: &'static str, why: &'static str) -> InvalidConfig {
        InvalidConfig { config, field, why }
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} {}", self.config, self.field, self.why)
    }
}

impl core::error::Error for InvalidConfig {}

/// Has an actor's timer set if a piece has a deadline, and not set if it has none.
fn arm<A: Actor>(
    ctx: &mut Ctx<'_, A>,
    key: TimerKey,
    deadline: Option<Time>,
    message: A::Msg,
) -> Result<(), OutOfMemory> {
    match deadline {
        Some(at) => ctx.set_timer(key, at.since(ctx.now()), message),
        None => {
            ctx.cancel_timer(key);
            Ok(())
        }
    }
}
