//! Tail-chopping: one is asked, after an interval another, and so on; the first answer wins.
//!
//! Somebody must act when an interval is over, and it is not the asking actor, which handles messages of its own type: a
//! child of it does, for as long as the question is open. The child asks one question with one reply address, as
//! scatter-gather does, but gives that address to one routee at a time.
//!
//! ```text
//! asker --Begin(reply)--> chopper --question--> first routee
//!                         chopper --question--> second routee       an interval later
//!   asker <----answer---- chopper <--answer---- whichever is first
//! ```

use core::time::Duration;

use heapless::Vec;

use super::hashing::{ConsistentHash, KeyHasher, keeper};
use super::route::Router;
use super::strategy::{Blind, Routee};
use crate::actor::Actor;
use crate::address::{ActorRef, Place, ReplyTo};
use crate::context::Ctx;
use crate::error::{AskError, SpawnError};
use crate::failure::Outcome;

/// Asks one routee after the other, on behalf of its parent.
struct Chopper<M, R, Q, const N: usize> {
    /// Whom to ask, the next one last.
    left: Vec<ActorRef<M>, N>,
    question: Q,
    within: Duration,
    interval: Duration,
    asker: ActorRef<Result<R, AskError>>,
    reply: ReplyTo<R>,
}

enum Step<R> {
    Begin(ReplyTo<Result<R, AskError>>),
    Next,
    Ended(Result<R, AskError>),
}

impl<M, R, Q, const N: usize> Chopper<M, R, Q, N>
where
    M: Send + 'static,
    R: Send + 'static,
    Q: FnMut(ReplyTo<R>) -> M + 'static,
{
    /// Asks the next that can be told. Says whether there was one.
    fn ask_next(&mut self, ctx: &mut Ctx<'_, Self>) -> bool {
        while let Some(next) = self.left.pop() {
            if ctx.try_tell(next, (self.question)(self.reply)).is_ok() {
                // Without room for a timer, the one that was asked is the last.
                let _ = self.left.is_empty() || ctx.set_timer("next", self.interval, Step::Next).is_ok();
                return true;
            }
        }
        false
    }
}

impl<M, R, Q, const N: usize> Actor for Chopper<M, R, Q, N>
where
    M: Send + 'static,
    R: Send + 'static,
    Q: FnMut(ReplyTo<R>) -> M + 'static,
{
    type Msg = Step<R>;

    fn receive(&mut self, step: Step<R>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match step {
            Step::Begin(asker) => {
                self.asker = asker;
                let within = self.within;
                let first = |ctx: &mut Ctx<'_, Self>, reply| {
                    self.reply = reply;
                    self.ask_next(ctx)
                };
                ctx.ask_by(Place::NOWHERE, within, first, Step::Ended);
            }
            Step::Next => {
                self.ask_next(ctx);
            }
            Step::Ended(answer) => {
                // The asker has a deadline of its own, which was not later.
                if !matches!(answer, Err(AskError::Timeout)) {
                    ctx.tell(self.asker, answer);
                }
                ctx.stop_self();
            }
        }
        Ok(())
    }
}

impl<M: Send + 'static, S, const N: usize> Router<M, S, N> {
    /// Asks the routee that the strategy picks; if no answer came after `interval`, another one as well, and so on. The
    /// first answer (or its absence) becomes a message to this actor, by `then`. `question` makes each routee's message
    /// around the one reply address.
    ///
    /// The order is the strategy's, which picks each among those that are left: at random, in turn, or by the load that
    /// they have now. A routee that cannot be told is passed over at once. Answers after the first are dead letters. No
    /// load is counted.
    ///
    /// Without an answer within the time, `then` gets [`AskError::Timeout`]. Without routees it gets
    /// [`AskError::NotSent`] at once, and as soon as that is known if none could be told.
    ///
    /// A child of this actor asks for it, and is gone when the question is answered: the first question comes behind
    /// what is told in this handler. Costs about a spawn and an ask more than an ask, and a timer for each interval.
    /// Allocates nothing.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use corelane_kernel::router::{Random, Router};
    /// # use corelane_kernel::{Actor, AskError, Ctx, Outcome, ReplyTo};
    /// struct Find { name: &'static str, reply: ReplyTo<u64> }
    /// enum Msg { Look(&'static str), Found(Result<u64, AskError>) }
    ///
    /// struct Directory { replicas: Router<Find, Random> }
    ///
    /// impl Actor for Directory {
    ///     type Msg = Msg;
    ///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         let (within, interval) = (Duration::from_millis(50), Duration::from_millis(5));
    ///         match msg {
    ///             Msg::Look(name) => {
    ///                 let question = move |reply| Find { name, reply };
    ///                 self.replicas.tail_chop(ctx, within, interval, question, Msg::Found);
    ///             }
    ///             Msg::Found(number) => println!("{:?}", number?),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn tail_chop<A: Actor, R: Send + 'static>(
        &mut self,
        ctx: &mut Ctx<'_, A>,
        within: Duration,
        interval: Duration,
        question: impl FnMut(ReplyTo<R>) -> M + 'static,
        then: impl FnOnce(Result<R, AskError>) -> A::Msg + 'static,
    ) where
        S: Blind<M> + Clone,
    {
        let first = self.strategy.pick_blind(&self.routees);
        // The next question begins with the next pick, however many this one asks.
        let mut others = self.strategy.clone();
        let order = in_order(&self.routees, first, |left, asked| {
            others.removed(asked);
            others.pick_blind(left)
        });
        chop(ctx, order, (within, interval), question, then);
    }
}

impl<M: Send + 'static, K, const N: usize> Router<M, ConsistentHash<K>, N> {
    /// As [`Router::tail_chop`], beginning with the routee that has a key, and going on with the one that would have it
    /// without that, and so on: where a key's data has replicas, that is the order of them.
    pub fn tail_chop_for_key<A: Actor, R: Send + 'static>(
        &self,
        ctx: &mut Ctx<'_, A>,
        key: &(impl core::hash::Hash + ?Sized),
        (within, interval): (Duration, Duration),
        question: impl FnMut(ReplyTo<R>) -> M + 'static,
        then: impl FnOnce(Result<R, AskError>) -> A::Msg + 'static,
    ) {
        let key = KeyHasher::hash_of(key);
        let order = in_order(&self.routees, keeper(&self.routees, key), |left, _| keeper(left, key));
        chop(ctx, order, (within, interval), question, then);
    }
}

/// The routees in the order in which they are picked, the first one last. `next` picks among those that are left once
/// the one of an index has been taken out.
fn in_order<M, const N: usize>(
    routees: &Vec<Routee<M>, N>,
    first: Option<usize>,
    mut next: impl FnMut(&[Routee<M>], usize) -> Option<usize>,
) -> Vec<ActorRef<M>, N> {
    let (mut left, mut order) = (routees.clone(), Vec::new());
    let mut picked = first;
    while let Some(at) = picked.filter(|at| *at < left.len()) {
        // As many fit as there are routees.
        let _ = order.push(left.remove(at).to());
        picked = next(&left, at);
    }
    order.reverse();
    order
}

fn chop<A: Actor, M: Send + 'static, R: Send + 'static, const N: usize>(
    ctx: &mut Ctx<'_, A>,
    left: Vec<ActorRef<M>, N>,
    (within, interval): (Duration, Duration),
    question: impl FnMut(ReplyTo<R>) -> M + 'static,
    then: impl FnOnce(Result<R, AskError>) -> A::Msg + 'static,
) {
    let me = ctx.me();
    if left.is_empty() {
        return ctx.tell(me, then(Err(AskError::NotSent)));
    }
    let (asker, reply) = (ActorRef::nobody(), ActorRef::nobody());
    let chopper = Chopper { left, question, within, interval, asker, reply };
    match ctx.spawner().group(me.address().group()).spawn(chopper) {
        Ok(chopper) => ctx.ask(chopper, within, Step::Begin, |answer| then(answer.and_then(|answer| answer))),
        Err(SpawnError::OutOfMemory) => ctx.tell(me, then(Err(AskError::OutOfMemory))),
        Err(_) => ctx.tell(me, then(Err(AskError::NotSent))),
    }
}
