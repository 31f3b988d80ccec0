//! Scatter-gather: all are asked, the first answer wins.
//!
//! One reply address is made and given to all routees. It ends with its first answer, so nothing is to be compared,
//! counted or cancelled: whatever comes later is a late answer, as for any ask.

use core::time::Duration;

use super::route::Router;
use crate::actor::Actor;
use crate::address::{Place, ReplyTo};
use crate::context::Ctx;
use crate::error::AskError;

impl<M: Send + 'static, S, const N: usize> Router<M, S, N> {
    /// Asks all routees, and turns the first answer (or its absence) into a message to this actor, by `then`. `question`
    /// makes each routee's message around the one reply address. Answers after the first are dead letters, counted as
    /// [`LateAnswer`](crate::DeadReason::LateAnswer). No load is counted.
    ///
    /// Without an answer within the time, `then` gets [`AskError::Timeout`]. Without routees, or if none could be told,
    /// it gets [`AskError::NotSent`] at once.
    ///
    /// Costs an ask, and a tell for each routee. Allocates nothing.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use corelane_kernel::router::Router;
    /// # use corelane_kernel::{Actor, AskError, Ctx, Outcome, ReplyTo};
    /// struct Find { name: &'static str, reply: ReplyTo<u64> }
    /// enum Msg { Look(&'static str), Found(Result<u64, AskError>) }
    ///
    /// struct Directory { replicas: Router<Find> }
    ///
    /// impl Actor for Directory {
    ///     type Msg = Msg;
    ///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         match msg {
    ///             Msg::Look(name) => {
    ///                 let question = |reply| Find { name, reply };
    ///                 self.replicas.scatter_gather(ctx, Duration::from_millis(50), question, Msg::Found);
    ///             }
    ///             Msg::Found(number) => println!("{:?}", number?),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn scatter_gather<A: Actor, R: Send + 'static>(
        &self,
        ctx: &mut Ctx<'_, A>,
        within: Duration,
        mut question: impl FnMut(ReplyTo<R>) -> M,
        then: impl FnOnce(Result<R, AskError>) -> A::Msg + 'static,
    ) {
        let all = |ctx: &mut Ctx<'_, A>, reply| {
            let mut asked = false;
            for routee in &self.routees {
                asked |= ctx.try_tell(routee.to(), question(reply)).is_ok();
            }
            asked
        };
        ctx.ask_by(Place::NOWHERE, within, all, then);
    }
}
