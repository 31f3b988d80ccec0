//! The rules: what must hold in every system of actors, whatever happens. They know no shard, no kernel and no lane, only
//! what actors say that they did ([`Act`]), in the order in which they did it.
//!
//! | file | rules |
//! |---|---|
//! | `tree` | a life has a beginning, its hooks and an end, each once and in order; children end before their parents; a parent hears once of each child that failed |
//! | `families` | over shards as well: who waits for a decision of a parent elsewhere handles nothing, and none waits for ever; each birth has one outcome, which its parent hears; who is to stop does |
//! | `losses` | who lives on a shard that is lost ends there and does nothing more; children elsewhere end as well, and parents elsewhere hear |
//! | `lacks` | nobody goes without anything but on a shard that had no room for something |
//! | `restarts` | nobody is restarted whom no decision concerns, more often than a limit allows, or too early; what was decided is done, also to siblings and to children that were left alone, which handle nothing meanwhile |
//! | `waits` | waits before restarts grow, begin anew after quiet, and end where they are to |
//! | `order` | messages of each pair arrive in order, at most once, at no successor, and none is forgotten; what is stashed or waits behind a suspension keeps its place |
//! | `watches` | one notice for each watch, not before the end, and after all that was told before it |
//! | `timers` | none fires early, twice, or after it was cancelled or replaced; none is forgotten |
//! | `answers` | each ask and each future has one outcome, its own |
//! | `machines` | a machine is in the state that its last transition led to; each transition is the one that a step announced; observers hear of transitions in order, each once; a state time-out comes after so long without an event, and is not forgotten |
//! | `routing` | what is routed reaches one routee, what is broadcast each of them once; nobody gets it who was no routee then; a pool counts its routees and keeps its bounds; who retires handles what it was told, and ends |
//!
//! A restart is none of these ends: its actor keeps its number, the messages that wait for it in their order (with what
//! was stashed before them) and its watchers. Its timers, watches, asks and futures end with the instance: all that may
//! come of them later is a message that waited already.

mod answers;
mod families;
mod lacks;
mod life;
mod losses;
mod machines;
mod order;
mod restarts;
mod routing;
#[cfg(test)]
mod tests;
mod timers;
mod tree;
mod waits;
mod watches;

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use corelane_kernel::Time;

use super::stage;

use self::answers::Answers;
use self::families::Births;
use self::lacks::Lacks;
use self::machines::Machines;
use self::order::Order;
use self::routing::Routing;
use self::timers::Timers;
use self::tree::Lives;
use self::watches::Watches;

/// An actor's number, never given twice. [`OUTSIDE`] is no actor's.
pub type Id = u32;

/// Whoever is no actor: the parent of all at the top, and the sender of what is told from outside.
pub const OUTSIDE: Id = 0;

/// How an ask ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reply {
    /// With an answer, which carries the number of the ask that it is for.
    Answer(u32),
    /// Its time was over.
    Timeout,
    /// It could not be sent.
    NotSent,
}

/// What a parent decides about a child that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// It goes on.
    Resume,
    /// It is restarted.
    Restart {
        /// After so long at least.
        wait: Duration,
        /// After so long at most, if it is certain that it is made again as long as the limit allows it. Whoever decides
        /// knows that; only rules that do not know all may not.
        at_most: Option<Duration>,
        /// So many restarts within so long, counted for each whom a decision concerns; one more for any of them, and all
        /// are stopped.
        limit: Option<(u32, Duration)>,
    },
    /// It is restarted after a wait that grows, or stopped after too many of them; the limit as for `Restart`.
    BackOff {
        /// How it grows.
        growth: Growth,
        /// As for `Restart`.
        limit: Option<(u32, Duration)>,
    },
    /// It is stopped.
    Stop,
    /// The parent fails itself.
    Escalate,
}

/// Waits before restarts that grow with each failure, until there is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Growth {
    /// The first one; each is twice as long as the one before.
    pub first: Duration,
    /// None is longer.
    pub most: Duration,
    /// By how much of itself each may be shorter.
    pub jitter_percent: u32,
    /// Who does not fail for so long after a wait begins again with the first.
    pub quiet: Duration,
    /// After so many without such quiet, the next failure ends it.
    pub give_up_after: Option<u32>,
}

/// Whom a decision to restart or to stop concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// The child that failed.
    One,
    /// All children.
    All,
    /// The child that failed and those that were spawned after it.
    Rest,
}

/// What somebody goes without where a shard has no room for it.
#[allow(missing_docs, reason = "each variant says what its numbers are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lack {
    /// The notice of a watch, which was to come as a message.
    Notice { target: Id },
    /// The message of a timer.
    Timer { key: u8, no: u32 },
    /// The time-out of its state, as a machine.
    StateTimeout,
    /// The outcome of an ask.
    Answer { no: u32 },
    /// The outcome of a future, for which it `waits`.
    Future { no: u32, waits: bool },
    /// Some routees of its pool.
    Routees,
    /// Another state in the place of the one that failed: it stops.
    Restart,
}

/// What an actor did, or what was done to it.
#[allow(missing_docs, reason = "each variant says what its numbers are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Act {
    /// It is to live on this shard, as a child of that parent, which may live on another.
    Spawned { id: Id, parent: Id, shard: usize },
    /// It is not to live after all: nothing was begun.
    Unspawned { id: Id },
    /// Its parent, which spawned it with an outcome to be told, is told that it has come to be, or that it has not.
    BirthTold { id: Id, lives: bool },
    /// Its parent handles the message that tells of its birth.
    BirthHeard { id: Id },
    /// That message is dropped unhandled.
    BirthDropped { id: Id },
    /// Its state was made: the first time, or again by a restart.
    Made { id: Id },
    /// Its `started` hook runs.
    Started { id: Id },
    /// Its `restarting` hook runs: another state is to come in the place of this one. It `keeps` its children, or has
    /// them stopped.
    Restarting { id: Id, keeps: bool },
    /// Its `restarted` hook runs, which calls `started`.
    Restarted { id: Id, now: Time },
    /// It fails now: by an error, or by a panic; or its state cannot be made.
    Fails { id: Id },
    /// Its parent hears that it failed, and decides.
    ChildFailed { parent: Id, child: Id, now: Time, decision: Decision, reach: Reach },
    /// It asks to stop, in code of its own.
    Leaves { id: Id },
    /// Somebody asks it to stop, whose word is lost with its shard if that is another and lost before it is on its way.
    StopAsked { id: Id, by: Id },
    /// Its `stopped` hook runs.
    Stopped { id: Id },
    /// Its state is dropped.
    Ended { id: Id },
    /// A message comes into its handler, at this time of its shard's.
    Received { id: Id, now: Time },
    /// It tells another its so-manieth message.
    Told { from: Id, to: Id, no: u32 },
    /// That message came back, and is not on its way.
    Refused { from: Id, to: Id, no: u32 },
    /// Actor `by` handles it.
    Handled { by: Id, from: Id, to: Id, no: u32 },
    /// Actor `by` put it aside.
    Stashed { by: Id, from: Id, to: Id, no: u32 },
    /// It was dropped unhandled.
    Dropped { from: Id, to: Id, no: u32 },
    /// An actor took so many of its stashed messages back.
    Unstashed { by: Id, count: u32 },
    /// It is suspended, for one more reason.
    Suspended { id: Id },
    /// One reason not to run is gone.
    Resumed { id: Id },
    /// It watches another; `with` a message in place of the hook.
    Watching { watcher: Id, target: Id, with: bool },
    /// It watches it no more; `was` says whether it did.
    Unwatched { watcher: Id, target: Id, was: bool },
    /// It hears that another is gone; `found` if that was there when the watch began.
    Notice { watcher: Id, target: Id, found: bool },
    /// It set a timer of a key, in place of an earlier one.
    TimerSet { id: Id, key: u8, no: u32, due: Time, every: bool },
    /// It cancelled that timer; `was` says whether there was one.
    TimerCancelled { id: Id, key: u8, was: bool },
    /// It hears of a timer.
    TimerFired { id: Id, key: u8, no: u32, now: Time },
    /// It heard something, which puts its receive time-out off, or switched that on.
    Heard { id: Id, now: Time },
    /// It switched its receive time-out on or off.
    SilenceSet { id: Id, after: Option<std::time::Duration> },
    /// Its receive time-out runs.
    Silence { id: Id, now: Time },
    /// Somebody answers an ask.
    Replied { no: u32 },
    /// It asked something.
    Asked { id: Id, no: u32, deadline: Time },
    /// It hears how that ended.
    Answered { id: Id, no: u32, reply: Reply, now: Time },
    /// It has a future, and `waits` for it.
    FutureBegun { id: Id, no: u32, waits: bool },
    /// It hears that the future has ended, for which it `waits`.
    FutureDone { id: Id, no: u32, waits: bool },
    /// A machine handles an event or a hook in this state. States have numbers that are given once; a machine begins in
    /// state 0.
    InState { id: Id, state: u32 },
    /// A machine's handler answers: it goes to a state or stays, for so long without an event; or it stops.
    Stepped { id: Id, to: Option<u32>, limit: Option<Duration>, stops: bool, now: Time },
    /// A machine's transition is made.
    Transition { id: Id, from: u32, to: u32 },
    /// A machine's state time-out runs.
    StateTimeout { id: Id, state: u32, now: Time },
    /// A machine's last hook runs, and says whether a step of its own led there.
    Finished { id: Id, state: u32, normal: bool },
    /// Somebody hears of a machine's transition; or in which state it is, from where it begins to observe.
    Observed { observer: Id, machine: Id, from: Option<u32>, to: u32 },
    /// A pool is started, with bounds to its size.
    PoolStarted { owner: Id, least: u32, most: u32 },
    /// A routee was added to the pool of its owner, which watches it.
    Joined { owner: Id, routee: Id },
    /// It was taken out, watched no more, and is to stop once it has handled what it was told.
    Retired { owner: Id, routee: Id },
    /// How many routees a pool says that it has.
    PoolSize { owner: Id, size: u32 },
    /// The owner of a pool routes a message to one routee, or to `all`.
    Routed { owner: Id, no: u32, all: bool },
    /// It has been told to those who are routees now.
    Spread { owner: Id, no: u32 },
    /// A message that is routed was copied, for one more routee.
    Copied { owner: Id, no: u32 },
    /// A routee handles what was routed.
    RoutedHandled { by: Id, owner: Id, no: u32 },
    /// What was routed was dropped unhandled.
    RoutedDropped { owner: Id, no: u32 },
    /// Something that was to come to it was dropped, or was refused to it.
    Lacks { id: Id, what: Lack },
    /// A shard had no room for something.
    OutOfMemory { shard: usize },
    /// A shard is lost from here on, with all who live there: their states are dropped without a hook.
    Lost { shard: usize },
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: &'static str,
    /// By what.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

impl std::error::Error for Broken {}

/// What a rule says of something that happened.
pub type Verdict = Result<(), Broken>;

/// The first rule that was broken in a world, and when: what comes after it may be its consequence.
#[derive(Clone, Debug, Default)]
pub struct First {
    broken: Option<Broken>,
    after: Option<usize>,
}

impl First {
    /// A rule has spoken. Says whether this is the first that was broken.
    pub fn settle(&mut self, verdict: Verdict) -> bool {
        let Err(broken) = verdict else { return false };
        let first = self.broken.is_none();
        if first {
            self.after = stage::try_current().map(|stage| stage.events());
            self.broken = Some(broken);
        }
        first
    }

    /// The rule, if there is one.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// How many of the trace's events had happened by then; `None` where it was found after the world's end.
    pub fn after(&self) -> Option<usize> {
        self.after
    }
}

/// That this holds, or that this rule is broken by that.
///
/// # Errors
/// [`Broken`].
pub fn check(holds: bool, rule: &'static str, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Broken { rule, what: what() }) }
}

/// All rules, and what they remember.
///
/// ```
/// use corelane_shard::sim::rules::{Act, OUTSIDE, Rules};
///
/// let mut rules = Rules::default();
/// for act in [
///     Act::Spawned { id: 1, parent: OUTSIDE, shard: 0 },
///     Act::Made { id: 1 },
///     Act::Started { id: 1 },
///     Act::Told { from: OUTSIDE, to: 1, no: 1 },
///     Act::Handled { by: 1, from: OUTSIDE, to: 1, no: 1 },
/// ] {
///     rules.see(act)?;
/// }
/// let twice = rules.see(Act::Handled { by: 1, from: OUTSIDE, to: 1, no: 1 });
/// assert_eq!(twice.unwrap_err().rule, "a message is handled or dropped once");
/// # Ok::<(), corelane_shard::sim::rules::Broken>(())
/// ```
#[derive(Debug, Default)]
pub struct Rules {
    lives: Lives,
    births: Births,
    order: Order,
    watches: Watches,
    timers: Timers,
    answers: Answers,
    machines: Machines,
    routing: Routing,
    lacks: Lacks,
}

impl Rules {
    /// Something was done.
    ///
    /// # Errors
    /// [`Broken`]: a rule forbids it.
    pub fn see(&mut self, act: Act) -> Verdict {
        self.lacks.see(act, &self.lives);
        self.lives.see(act)?;
        self.births.see(act, &self.lives)?;
        self.order.see(act, &self.lives)?;
        self.watches.see(act, &self.lives, &self.order)?;
        self.timers.see(act)?;
        self.answers.see(act, &self.lives)?;
        self.machines.see(act, &self.lives)?;
        self.routing.see(act)
    }

    /// Nothing is under way at this time: what had to come has come.
    ///
    /// # Errors
    /// [`Broken`]: something has not.
    pub fn at_rest(&mut self, now: Time) -> Verdict {
        self.lives.at_rest(now)?;
        self.births.at_rest(&self.lives)?;
        self.order.at_rest(&self.lives)?;
        self.watches.at_rest(&self.lives)?;
        self.timers.at_rest(now, &self.lives)?;
        self.answers.at_rest(now, &self.lives)?;
        self.machines.at_rest(now, &self.lives)?;
        self.routing.at_rest(&self.lives)?;
        self.lacks.at_rest(&self.lives)
    }

    /// Whether a failure of this actor is its parent's to decide: nothing is under way with it.
    pub(in super::super) fn may_fail(&self, id: Id) -> bool {
        self.lives.may_fail(id)
    }

    /// Whether an actor at the top has failed, and nothing has been decided about that.
    pub(in super::super) fn waits_at_top(&self, id: Id) -> bool {
        self.lives.waits_at_top(id)
    }

    /// All actors have been stopped, and nothing is under way.
    ///
    /// # Errors
    /// [`Broken`]: something is left.
    pub fn at_end(&self) -> Verdict {
        self.lives.at_end()?;
        self.births.at_end()?;
        self.order.at_end()?;
        self.routing.at_end()
    }
}
