//! Throttles: how much may pass in how much time.
//!
//! [`Throttle`] is a token bucket: a burst at once, and a rate in the long run. [`SlidingWindow`] is stricter: at most so many
//! in any window, wherever it begins. Both are exact: they count in nanoseconds and parts of a token, and round only when
//! they say when to come back, up to the next nanosecond. So they do not drift.

use core::fmt;
use core::time::Duration;

use heapless::Deque;

use super::{InvalidConfig, nanos};
use crate::time::Time;

/// Settings of a [`Throttle`]: `rate` tokens in each `per`, up to `burst` saved.
///
/// In any span of time `t` it lets through at most `burst + rate * t / per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// Tokens that come in each `per`. Not zero.
    pub rate: u32,
    /// See `rate`. Not zero.
    pub per: Duration,
    /// Tokens that can be saved, and so taken at once. Not zero. 1 spaces everything by at least `per / rate`, which the clock
    /// rounds up to a nanosecond each time; from 2 on that is made up for.
    pub burst: u32,
}

/// What was asked for does not pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Throttled {
    /// It passes at this time, if nothing else has passed until then, and not before.
    Until(Time),
    /// It is more than can ever pass at once.
    TooMuch,
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Throttled::Until(_) => "over the rate",
            Throttled::TooMuch => "more than the throttle lets through at once",
        })
    }
}

impl core::error::Error for Throttled {}

/// A token bucket, full at first.
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::Time;
/// use corelane_kernel::pattern::{Throttle, ThrottleConfig, Throttled};
///
/// // Ten a second, and up to three at once.
/// let mut throttle = Throttle::new(ThrottleConfig { rate: 10, per: Duration::from_secs(1), burst: 3 })?;
/// let now = Time::ZERO;
/// for _ in 0..3 {
///     throttle.pass(now)?;
/// }
/// let soon = now + Duration::from_millis(100);
/// assert_eq!(throttle.pass(now), Err(Throttled::Until(soon)));
/// assert_eq!(throttle.pass(soon), Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An actor that lets the rest wait instead of refusing it:
///
/// ```
/// # use corelane_kernel::{Actor, Ctx, Failure, Outcome};
/// # use corelane_kernel::pattern::{Throttle, Throttled};
/// # fn send(_: u64) {}
/// enum Msg { Send(u64), Go }
///
/// struct Sender { throttle: Throttle, waiting: heapless::Deque<u64, 100> }
///
/// impl Actor for Sender {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         if let Msg::Send(n) = msg {
///             self.waiting.push_back(n).map_err(|_| Failure::new("too many wait"))?;
///         }
///         while let Some(n) = self.waiting.front() {
///             match self.throttle.pass(ctx.now()) {
///                 Ok(()) => send(*n),
///                 Err(Throttled::Until(at)) => {
///                     return Ok(ctx.set_timer("throttle", at.since(ctx.now()), Msg::Go)?);
///                 }
///                 Err(never) => return Err(never.into()),
///             }
///             self.waiting.pop_front();
///         }
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Throttle {
    rate: u32,
    /// Parts of one token: nanoseconds of `per`. In each nanosecond come `rate` parts.
    token: u64,
    burst: u32,
    /// Parts that are there, as of `at`. At most `burst` tokens, which is less than 2^96.
    parts: u128,
    at: Time,
}

impl Throttle {
    /// A full bucket.
    ///
    /// # Errors
    /// [`InvalidConfig`] names the field that makes no sense.
    pub fn new(config: ThrottleConfig) -> Result<Throttle, InvalidConfig> {
        let ThrottleConfig { rate, per, burst } = config;
        let invalid = |field, why| Err(InvalidConfig::new("ThrottleConfig", field, why));
        if rate == 0 {
            return invalid("rate", "is zero, so that nothing would ever pass");
        }
        if nanos(per) == 0 {
            return invalid("per", "is zero, so that everything would pass");
        }
        if burst == 0 {
            return invalid("burst", "is zero, so that nothing would ever pass");
        }
        let token = nanos(per);
        Ok(Throttle { rate, token, burst, parts: u128::from(token) * u128::from(burst), at: Time::ZERO })
    }

    /// Takes one token.
    ///
    /// # Errors
    /// [`Throttled::Until`] says when there will be one; nothing is taken.
    pub fn pass(&mut self, now: Time) -> Result<(), Throttled> {
        self.take(1, now)
    }

    /// Takes so many tokens, all or none: for things of different weight. Zero always pass.
    ///
    /// # Errors
    /// [`Throttled`]; nothing is taken.
    pub fn take(&mut self, tokens: u32, now: Time) -> Result<(), Throttled> {
        if tokens > self.burst {
            return Err(Throttled::TooMuch);
        }
        self.fill(now);
        let needed = u128::from(self.token) * u128::from(tokens);
        match self.parts.checked_sub(needed) {
            Some(left) => {
                self.parts = left;
                Ok(())
            }
            None => {
                let wait = (needed - self.parts).div_ceil(u128::from(self.rate));
                let wait = u64::try_from(wait).unwrap_or(u64::MAX);
                Err(Throttled::Until(self.at + Duration::from_nanos(wait)))
            }
        }
    }

    /// Whole tokens that could be taken at this time.
    pub fn available(&self, now: Time) -> u32 {
        let mut then = self.clone();
        then.fill(now);
        // At most `burst`.
        (then.parts / u128::from(self.token)) as u32
    }

    fn fill(&mut self, now: Time) {
        if now <= self.at {
            return;
        }
        let elapsed = now.as_nanos() - self.at.as_nanos();
        let full = u128::from(self.token) * u128::from(self.burst);
        // Each product and the sum stay below 2^97.
        self.parts = (self.parts + u128::from(elapsed) * u128::from(self.rate)).min(full);
        self.at = now;
    }
}

/// At most `N` in any window of time, wherever it begins: a window of one second holds no two instants a second or more
/// apart. Remembers when the last `N` passed, 8 bytes for each.
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::Time;
/// use corelane_kernel::pattern::{SlidingWindow, Throttled};
///
/// let ms = Time::from_millis;
/// let mut window = SlidingWindow::<2>::new(Duration::from_millis(100))?;
/// assert_eq!(window.pass(ms(0)), Ok(()));
/// assert_eq!(window.pass(ms(60)), Ok(()));
/// assert_eq!(window.pass(ms(90)), Err(Throttled::Until(ms(100))));
/// assert_eq!(window.pass(ms(100)), Ok(()));
/// assert_eq!(window.pass(ms(101)), Err(Throttled::Until(ms(160))));
/// # Ok::<(), corelane_kernel::pattern::InvalidConfig>(())
/// ```
#[derive(Clone, Debug)]
pub struct SlidingWindow<const N: usize> {
    window: Duration,
    /// When the last of them passed, oldest first.
    passed: Deque<Time, N>,
}

impl<const N: usize> SlidingWindow<N> {
    const HOLDS_SOME: () = assert!(N > 0, "a window for none lets nothing pass");

    /// A window in which nothing has passed. That `N` is not zero is checked by the compiler.
    ///
    /// # Errors
    /// [`InvalidConfig`]: the window is zero.
    pub fn new(window: Duration) -> Result<SlidingWindow<N>, InvalidConfig> {
        let () = Self::HOLDS_SOME;
        if nanos(window) == 0 {
            return Err(InvalidConfig::new(
                "SlidingWindow",
                "window",
                "is zero, so that everything would pass",
            ));
        }
        Ok(SlidingWindow { window, passed: Deque::new() })
    }

    /// Lets one through.
    ///
    /// # Errors
    /// [`Throttled::Until`] says when the oldest one leaves the window; nothing has changed.
    pub fn pass(&mut self, now: Time) -> Result<(), Throttled> {
        // Where time runs backwards, the latest known counts.
        let now = self.passed.back().map_or(now, |last| now.max(*last));
        if self.passed.is_full()
            && let Some(oldest) = self.passed.front()
        {
            let until = *oldest + self.window;
            if now < until {
                return Err(Throttled::Until(until));
            }
            self.passed.pop_front();
        }
        // There is room: it was not full, or has just lost its oldest.
        let _ = self.passed.push_back(now);
        Ok(())
    }

    /// How many more could pass at this time.
    pub fn available(&self, now: Time) -> usize {
        N - self.passed.iter().filter(|passed| now < **passed + self.window).count()
    }
}
