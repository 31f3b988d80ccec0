//! Aggregate: the answers of many to one question, until enough are there, no longer can be, or time has run out.
//!
//! Whoever was asked is known by a key. Each may answer or fail once; the first of three things ends it: `needed` answers
//! are there, so many have failed that there never will be, or the deadline has come. Answers that are there by then can
//! be taken in each case; what comes later is refused, and goes back to the caller.

use core::fmt;
use core::time::Duration;

use heapless::Vec;

use super::InvalidConfig;
use crate::actor::Actor;
use crate::address::{ActorRef, ReplyTo};
use crate::context::Ctx;
use crate::error::{AskError, OutOfMemory};
use crate::time::Time;
use crate::timers::TimerKey;

/// How far it has come. All but the first are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Answers are missing, and may still come.
    Waiting,
    /// As many answers as were needed are there.
    Complete,
    /// So many have failed that the others are not enough.
    Failed,
    /// The deadline came first.
    TimedOut,
}

impl Progress {
    /// Whether nothing will change any more.
    pub const fn is_over(self) -> bool {
        !matches!(self, Progress::Waiting)
    }
}

/// Why an answer was not taken. Nothing has changed, and the answer comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError<V> {
    /// It is over already.
    Over(V),
    /// This one has answered or failed before.
    Twice(V),
    /// This one was not asked.
    NotAsked(V),
}

impl<V> AnswerError<V> {
    /// The answer that was refused.
    pub fn into_inner(self) -> V {
        match self {
            AnswerError::Over(v) | AnswerError::Twice(v) | AnswerError::NotAsked(v) => v,
        }
    }
}

impl<V> fmt::Debug for AnswerError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AnswerError::Over(_) => "Over(..)",
            AnswerError::Twice(_) => "Twice(..)",
            AnswerError::NotAsked(_) => "NotAsked(..)",
        })
    }
}

impl<V> fmt::Display for AnswerError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AnswerError::Over(_) => "the aggregation is over",
            AnswerError::Twice(_) => "it has answered or failed before",
            AnswerError::NotAsked(_) => "it was not asked",
        })
    }
}

impl<V> core::error::Error for AnswerError<V> {}

#[derive(Clone, Debug)]
enum Slot<V> {
    Missing,
    Answered(V),
    Failed,
}

/// Collects the answers of up to `N` that were asked, by their keys.
///
/// Each event costs a look through the keys, of which there are few. In an actor, [`Aggregate::ask`] asks them all:
///
/// ```
/// use core::time::Duration;
/// use corelane_kernel::pattern::{Aggregate, Progress};
/// use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo};
///
/// struct Quote(ReplyTo<u64>);
/// enum Msg { Shop(ReplyTo<Option<u64>>), Quoted(u8, Result<u64, AskError>) }
///
/// struct Broker { banks: [ActorRef<Quote>; 3], quotes: Option<(Aggregate<u8, u64, 3>, ReplyTo<Option<u64>>)> }
///
/// impl Actor for Broker {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             // Two quotes of three will do, within a second.
///             Msg::Shop(reply) => {
///                 let banks = (0..).zip(self.banks);
///                 let quotes = Aggregate::ask(ctx, banks, 2, Duration::from_secs(1), |_, to| Quote(to), Msg::Quoted)?;
///                 self.quotes = Some((quotes, reply));
///             }
///             Msg::Quoted(bank, quote) => {
///                 let Some((quotes, reply)) = &mut self.quotes else { return Ok(()) };
///                 if quotes.record(bank, quote, ctx.now()).is_over() {
///                     ctx.tell(*reply, quotes.answers().map(|(_, quote)| *quote).min());
///                     self.quotes = None;
///                 }
///             }
///         }
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Aggregate<K, V, const N: usize> {
    slots: Vec<(K, Slot<V>), N>,
    needed: usize,
    answered: usize,
    failed: usize,
    deadline: Time,
    progress: Progress,
}

impl<K: Eq, V, const N: usize> Aggregate<K, V, N> {
    /// Waits for the answers of `asked`, of which `needed` will do, until `deadline`; [`Time::MAX`] is no deadline.
    ///
    /// # Errors
    /// [`InvalidConfig`]: `asked` has more than `N` keys or the same twice; `needed` is zero or more than were asked.
    ///
    /// ```
    /// use corelane_kernel::Time;
    /// use corelane_kernel::pattern::{Aggregate, Progress};
    ///
    /// let mut votes = Aggregate::<&str, bool, 4>::new(["a", "b", "c"], 2, Time::from_millis(100))?;
    /// let now = Time::ZERO;
    /// assert_eq!(votes.answer("b", true, now)?, Progress::Waiting);
    /// assert_eq!(votes.fail("c", now), Progress::Waiting);
    /// assert_eq!(votes.answer("a", false, now)?, Progress::Complete);
    /// assert_eq!(votes.answers().filter(|(_, vote)| **vote).count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        asked: impl IntoIterator<Item = K>,
        needed: usize,
        deadline: Time,
    ) -> Result<Aggregate<K, V, N>, InvalidConfig> {
        let invalid = |field, why| Err(InvalidConfig::new("Aggregate", field, why));
        let mut slots = Vec::<(K, Slot<V>), N>::new();
        for key in asked {
            if slots.iter().any(|(other, _)| *other == key) {
                return invalid("asked", "has the same key twice");
            }
            if slots.push((key, Slot::Missing)).is_err() {
                return invalid("asked", "has more keys than the aggregate has room for");
            }
        }
        if needed == 0 {
            return invalid("needed", "is zero, so that it would be over at once");
        }
        if needed > slots.len() {
            return invalid("needed", "is more than are asked");
        }
        Ok(Aggregate { slots, needed, answered: 0, failed: 0, deadline, progress: Progress::Waiting })
    }

    // --- events --------------------------------------------------------------------------------------------------

    /// An answer has come.
    ///
    /// # Errors
    /// [`AnswerError`] with the answer, which was not taken.
    pub fn answer(&mut self, key: K, value: V, now: Time) -> Result<Progress, AnswerError<V>> {
        if self.poll(now).is_over() {
            return Err(AnswerError::Over(value));
        }
        let Some((_, slot)) = self.slots.iter_mut().find(|(other, _)| *other == key) else {
            return Err(AnswerError::NotAsked(value));
        };
        if !matches!(slot, Slot::Missing) {
            return Err(AnswerError::Twice(value));
        }
        *slot = Slot::Answered(value);
        self.answered += 1;
        if self.answered >= self.needed {
            self.progress = Progress::Complete;
        }
        Ok(self.progress)
    }

    /// This one will not answer: it failed, ended, or refused. One that was not asked, has answered or has failed before
    /// changes nothing.
    pub fn fail(&mut self, key: K, now: Time) -> Progress {
        if !self.poll(now).is_over()
            && let Some((_, slot @ Slot::Missing)) = self.slots.iter_mut().find(|(other, _)| *other == key)
        {
            *slot = Slot::Failed;
            self.failed += 1;
            if self.slots.len() - self.failed < self.needed {
                self.progress = Progress::Failed;
            }
        }
        self.progress
    }

    /// An answer has come or is known not to. An answer that is not taken is dropped.
    pub fn record<E>(&mut self, key: K, result: Result<V, E>, now: Time) -> Progress {
        match result {
            Ok(value) => self.answer(key, value, now).unwrap_or(self.progress),
            Err(_) => self.fail(key, now),
        }
    }

    /// Time has passed: if the deadline has, what has not answered by then is not waited for. To be called when
    /// [`deadline`](Aggregate::deadline) is due; the other events look at the time themselves.
    pub fn poll(&mut self, now: Time) -> Progress {
        if self.progress == Progress::Waiting && now >= self.deadline {
            self.progress = Progress::TimedOut;
        }
        self.progress
    }

    // --- results -------------------------------------------------------------------------------------------------

    /// How far it has come, as of the last event.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// When it is over at the latest; none if it is over.
    pub fn deadline(&self) -> Option<Time> {
        (self.progress == Progress::Waiting && self.deadline != Time::MAX).then_some(self.deadline)
    }

    /// The answers so far, in the order of asking.
    pub fn answers(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots.iter().filter_map(|(key, slot)| match slot {
            Slot::Answered(value) => Some((key, value)),
            Slot::Missing | Slot::Failed => None,
        })
    }

    /// Those that have not answered, whether they failed or may still, in the order of asking.
    pub fn missing(&self) -> impl Iterator<Item = &K> {
        self.slots.iter().filter_map(|(key, slot)| (!matches!(slot, Slot::Answered(_))).then_some(key))
    }

    /// The answers so far, taken out, in the order of asking.
    pub fn into_answers(self) -> impl Iterator<Item = (K, V)> {
        self.slots.into_iter().filter_map(|(key, slot)| match slot {
            Slot::Answered(value) => Some((key, value)),
            Slot::Missing | Slot::Failed => None,
        })
    }

    // --- in an actor ---------------------------------------------------------------------------------------------

    /// Asks each of `asked` (see [`Ctx::ask`]), and waits for their answers, of which `needed` will do. `question` makes the
    /// message for one of them, `then` the message that brings its answer to this actor, which is to
    /// [`record`](Aggregate::record) it. The deadline needs no timer: each ask has it.
    ///
    /// # Errors
    /// [`InvalidConfig`] as for [`Aggregate::new`]; nobody was asked. A question that cannot be sent is heard of like one
    /// that failed.
    pub fn ask<A, T, F>(
        ctx: &mut Ctx<'_, A>,
        asked: impl IntoIterator<Item = (K, ActorRef<T>)>,
        needed: usize,
        within: Duration,
        mut question: impl FnMut(&K, ReplyTo<V>) -> T,
        then: F,
    ) -> Result<Aggregate<K, V, N>, InvalidConfig>
    where
        A: Actor,
        K: Clone + 'static,
        V: Send + 'static,
        T: Send + 'static,
        F: FnOnce(K, Result<V, AskError>) -> A::Msg + Clone + 'static,
    {
        let mut keys = Vec::<K, N>::new();
        let mut addresses = Vec::<ActorRef<T>, N>::new();
        for (key, address) in asked {
            if keys.push(key).is_err() || addresses.push(address).is_err() {
                let why = "has more keys than the aggregate has room for";
                return Err(InvalidConfig::new("Aggregate", "asked", why));
            }
        }
        let aggregate = Aggregate::new(keys, needed, ctx.now() + within)?;
        for ((key, _), of) in aggregate.slots.iter().zip(addresses) {
            let (then, whose) = (then.clone(), key.clone());
            ctx.ask(of, within, |reply| question(key, reply), move |answer| then(whose, answer));
        }
        Ok(aggregate)
    }

    /// Sets a timer if it is not over, which tells the actor `message` when it is to [`poll`](Aggregate::poll), and cancels it
    /// if it is: for answers that come as ordinary messages. To be called once it was made, and once it is over.
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
