//! Debounce: of events that come in a burst, acts on the first, on the last, or on both.
//!
//! A *burst* is a row of events, each less than `quiet` after the one before. The trailing event of a burst is not known
//! until `quiet` has passed after it: it is held until then, and [`Debounce::poll`] gives it out. So a timer belongs to
//! it, which [`Debounce::arm`] keeps set.

use core::time::Duration;

use super::{InvalidConfig, nanos};
use crate::actor::Actor;
use crate::context::Ctx;
use crate::error::OutOfMemory;
use crate::time::Time;
use crate::timers::TimerKey;

/// Which events of a burst are acted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The first, at once. The others are dropped.
    Leading,
    /// The last, when it has been quiet.
    #[default]
    Trailing,
    /// The first at once, and the last when it has been quiet, if it is another.
    Both,
}

/// Settings of a [`Debounce`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebounceConfig {
    /// A burst is over when no event came for so long. Not zero.
    pub quiet: Duration,
    /// Which events are acted on.
    pub edge: Edge,
    /// No event waits longer for one to be acted on, even if the burst goes on: after so long the last one so far is given
    /// out. With [`Edge::Leading`], which holds none: an event so long after the last one given out is given out as well.
    /// Not less than `quiet`; [`Duration::MAX`] is no bound.
    pub max_wait: Duration,
}

/// Holds the last event of a burst until it may be acted on.
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::pattern::{Debounce, DebounceConfig, Edge};
/// use corelane_kernel::{Actor, Ctx, Outcome};
///
/// enum Msg { Typed(String), Quiet }
///
/// struct Search { typed: Debounce<String> }
///
/// impl Search {
///     fn look_up(&mut self, _text: String) {}
/// }
///
/// impl Actor for Search {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let due = match msg {
///             Msg::Typed(text) => self.typed.event(text, ctx.now()),
///             Msg::Quiet => self.typed.poll(ctx.now()),
///         };
///         if let Some(text) = due {
///             self.look_up(text);
///         }
///         self.typed.arm(ctx, "typed", Msg::Quiet)?;
///         Ok(())
///     }
/// }
///
/// let typed = Debounce::new(DebounceConfig {
///     quiet: Duration::from_millis(300),
///     edge: Edge::Trailing,
///     max_wait: Duration::from_secs(2),
/// })?;
/// let search = Search { typed };
/// # Ok::<(), corelane_kernel::pattern::InvalidConfig>(())
/// ```
#[derive(Clone, Debug)]
pub struct Debounce<T> {
    config: DebounceConfig,
    /// When the last event came; none yet, or the burst was ended by hand.
    last: Option<Time>,
    /// When the last one was given out at the leading edge.
    led: Time,
    held: Option<Held<T>>,
}

#[derive(Clone, Debug)]
struct Held<T> {
    /// The last event.
    event: T,
    /// Since when one is held.
    since: Time,
}

impl<T> Debounce<T> {
    /// Nothing is held; the first event begins a burst.
    ///
    /// # Errors
    /// [`InvalidConfig`] names the field that makes no sense.
    pub const fn new(config: DebounceConfig) -> Result<Debounce<T>, InvalidConfig> {
        if nanos(config.quiet) == 0 {
            let why = "is zero, so that every event would be a burst of its own";
            return Err(InvalidConfig::new("DebounceConfig", "quiet", why));
        }
        if nanos(config.max_wait) < nanos(config.quiet) {
            return Err(InvalidConfig::new("DebounceConfig", "max_wait", "is less than `quiet`"));
        }
        Ok(Debounce { config, last: None, led: Time::ZERO, held: None })
    }

    /// An event has come. Gives what is to be acted on now: this event if it leads a burst, or an earlier one whose time
    /// had come and that nobody had polled.
    pub fn event(&mut self, event: T, now: Time) -> Option<T> {
        let DebounceConfig { quiet, edge, max_wait } = self.config;
        let due = self.poll(now);
        let begins = self.last.is_none_or(|last| now >= last + quiet);
        self.last = Some(self.last.map_or(now, |last| last.max(now)));
        let leads = match edge {
            Edge::Leading => begins || now >= self.led + max_wait,
            Edge::Both => begins,
            Edge::Trailing => false,
        };
        if leads {
            self.led = now;
            // One that was due is older than this, which stands for both.
            return Some(event);
        }
        if edge != Edge::Leading {
            let since = self.held.as_ref().map_or(now, |held| held.since);
            self.held = Some(Held { event, since });
        }
        due
    }

    /// Gives the event that is held, if its time has come: to be called at [`Debounce::deadline`]; calling it earlier or
    /// more often does nothing.
    pub fn poll(&mut self, now: Time) -> Option<T> {
        if self.deadline().is_some_and(|deadline| now >= deadline) { self.flush() } else { None }
    }

    /// When the event that is held is to be acted on, unless another comes.
    pub fn deadline(&self) -> Option<Time> {
        let held = self.held.as_ref()?;
        let quiet = self.last? + self.config.quiet;
        Some(quiet.min(held.since + self.config.max_wait))
    }

    /// Gives the event that is held now. The burst goes on: what comes within `quiet` still belongs to it.
    pub fn flush(&mut self) -> Option<T> {
        self.held.take().map(|held| held.event)
    }

    /// Ends the burst, and gives back the event that was held: the next one begins another.
    pub fn reset(&mut self) -> Option<T> {
        self.last = None;
        self.flush()
    }

    /// Keeps a timer set while an event is held, which tells the actor `message` when it is to [`poll`](Debounce::poll). To
    /// be called after every event and every poll; each call costs a timer.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up: the timer is not set, and the message is dropped.
    pub fn arm<A: Actor>(
        &self,
        ctx: &mut Ctx<'_, A>,
        key: impl Into<TimerKey>,
        message: A::Msg,
    ) -> Result<(), OutOfMemory> {
        super::arm(ctx, key.into(), self.deadline(), message)
    }
}
