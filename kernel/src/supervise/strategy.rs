//! Directives and strategies: plain values, made once and copied.

use core::time::Duration;

use crate::backoff::Backoff;
use crate::failure::{Failure, FailureKind};

/// What is to be done about an actor that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Directive {
    /// It goes on with its state and its next message, as if nothing had happened. One whose state could not be made is
    /// made again.
    Resume,
    /// A new state takes the place of the old one; see [`Actor`](crate::Actor#restarts). If the strategy has a back-off,
    /// after a while.
    ///
    /// An actor that was spawned from a value, and not from a factory, cannot be made again: it is stopped.
    Restart,
    /// As [`Directive::Restart`], with the new state made after this time, whatever the strategy's back-off says. Its
    /// messages wait meanwhile.
    RestartAfter(Duration),
    /// It stops, and its watchers are told why.
    Stop,
    /// The one that decides cannot: it fails itself, with the same failure, and its own parent decides about it. What that
    /// decides concerns the child as well, as part of what lives below the parent.
    Escalate,
}

impl Directive {
    /// What is done about a failure unless somebody says otherwise: [`Directive::Stop`] for an actor that could not start
    /// and for a death pact, [`Directive::Restart`] for all else.
    pub const fn for_failure(failure: &Failure) -> Directive {
        match failure.kind() {
            FailureKind::Start | FailureKind::DeathPact => Directive::Stop,
            _ => Directive::Restart,
        }
    }

    const fn stop(_: &Failure) -> Directive {
        Directive::Stop
    }

    const fn escalate(_: &Failure) -> Directive {
        Directive::Escalate
    }
}

/// Which children a decision to restart or to stop concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    One,
    All,
    Rest,
}

/// How a parent looks after its children: whom a decision concerns, how often they may be restarted, how long to wait
/// before, and what to decide unless [`Actor::decide`](crate::Actor::decide) says it.
///
/// A value of a few words, made anew at each failure: it may depend on the parent's state. Counts are kept with each
/// child.
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::{Actor, Ctx, Outcome, Strategy};
///
/// struct Pool;
///
/// impl Actor for Pool {
///     type Msg = ();
///     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
///     fn strategy(&self) -> Strategy { Strategy::all_for_one().restarts(3, Duration::from_secs(5)) }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a strategy does nothing by itself: give it from `Actor::strategy`"]
pub struct Strategy {
    pub(crate) reach: Reach,
    /// So many restarts within so long; `None` is no limit.
    pub(crate) limit: Option<(u32, Duration)>,
    pub(crate) backoff: Option<Backoff>,
    /// How long a child must be quiet to begin again with the first wait; `None` is the longest wait.
    pub(crate) reset_after: Option<Duration>,
    /// So many waits without such quiet, and no more.
    pub(crate) give_up_after: u32,
    decider: fn(&Failure) -> Directive,
}

impl Strategy {
    const fn reaching(reach: Reach) -> Strategy {
        Strategy {
            reach,
            limit: None,
            backoff: None,
            reset_after: None,
            give_up_after: u32::MAX,
            decider: Directive::for_failure,
        }
    }

    /// A decision concerns the child that failed, and no other.
    pub const fn one_for_one() -> Strategy {
        Strategy::reaching(Reach::One)
    }

    /// A decision to restart or to stop concerns all children: for those that cannot do without each other.
    pub const fn all_for_one() -> Strategy {
        Strategy::reaching(Reach::All)
    }

    /// A decision to restart or to stop concerns the child that failed and those that were spawned after it: for children
    /// of which each builds on those before it.
    pub const fn rest_for_one() -> Strategy {
        Strategy::reaching(Reach::Rest)
    }

    /// Stops every child that fails.
    pub const fn stopping() -> Strategy {
        Strategy::one_for_one().deciding(Directive::stop)
    }

    /// Fails with every child that fails.
    pub const fn escalating() -> Strategy {
        Strategy::one_for_one().deciding(Directive::escalate)
    }

    /// At most `most` restarts of a child within `within`; the next one stops it instead. With zero there is none.
    ///
    /// The time begins with the first restart, and anew with the first after it is over; a failure at its very end is
    /// still within. For one that never ends, [`Duration::MAX`]. Where the strategy concerns several children, each
    /// restart counts for each of them, and all are stopped when it is too many for one.
    pub const fn restarts(mut self, most: u32, within: Duration) -> Strategy {
        self.limit = Some((most, within));
        self
    }

    /// Waits before each restart, longer each time; see [`Backoff`]. Jitter comes from the kernel's dice.
    ///
    /// While an actor waits, its old state is gone and its messages wait for the new one. No thread waits and nothing is
    /// polled: the wait is a timer of the kernel.
    ///
    /// ```
    /// use core::time::Duration;
    /// use corelane_kernel::{Actor, Backoff, Ctx, Outcome, Strategy};
    ///
    /// struct Connections;
    ///
    /// impl Actor for Connections {
    ///     type Msg = ();
    ///     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
    ///     fn strategy(&self) -> Strategy {
    ///         let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
    ///         Strategy::one_for_one().backoff(backoff).give_up_after(20)
    ///     }
    /// }
    /// ```
    ///
    /// This is for children that *fail*. One that stops is gone, and its address with it: a parent that wants another
    /// watches it and spawns the next after [`Ctx::delay_after`](crate::Ctx::delay_after).
    pub const fn backoff(mut self, backoff: Backoff) -> Strategy {
        self.backoff = Some(backoff);
        self
    }

    /// A child that does not fail for so long after a restart begins again with the first wait of the back-off. Unless
    /// told otherwise, [`Backoff::max`]. Without a back-off it means nothing.
    pub const fn reset_after(mut self, quiet: Duration) -> Strategy {
        self.reset_after = Some(quiet);
        self
    }

    /// Stops a child that fails again after so many waits of the back-off, without having been quiet in between. Unless
    /// told otherwise, never. Without a back-off it means nothing; [`Strategy::restarts`] is a limit with or without one.
    pub const fn give_up_after(mut self, restarts: u32) -> Strategy {
        self.give_up_after = restarts;
        self
    }

    /// What to decide, where that depends on the failure alone. Unless told otherwise, [`Directive::for_failure`].
    pub const fn deciding(mut self, decider: fn(&Failure) -> Directive) -> Strategy {
        self.decider = decider;
        self
    }

    /// What this strategy decides about a failure.
    pub fn directive(&self, failure: &Failure) -> Directive {
        (self.decider)(failure)
    }
}

/// [`Strategy::one_for_one`], without a limit or a wait.
impl Default for Strategy {
    fn default() -> Strategy {
        Strategy::one_for_one()
    }
}
