//! The actor: state, one protocol, and what happens to it.

use crate::address::Address;
use crate::context::Ctx;
use crate::failure::{Failure, Outcome};

/// State that handles messages of one type, one at a time, on one core.
///
/// The state need not be `Send`: it never leaves its core. Messages must be, for they may come from another. Handlers
/// must not block; a handler that returns an error (or panics, where there is unwinding) fails its actor alone.
///
/// ```
/// use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
///
/// enum Msg { Add(u64), Get(ReplyTo<u64>) }
///
/// struct Counter { total: u64 }
///
/// impl Actor for Counter {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Add(n) => self.total += n,
///             Msg::Get(reply) => ctx.tell(reply, self.total),
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Actor: Sized + 'static {
    /// What may be told to it: an enum, usually.
    type Msg: Send + 'static;

    /// Handles one message.
    ///
    /// # Errors
    /// An error fails the actor: it is stopped, its parent and its watchers are told why.
    fn receive(&mut self, msg: Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome;

    /// Runs once, before the first message.
    ///
    /// # Errors
    /// An error fails the actor before it handled anything.
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = ctx;
        Ok(())
    }

    /// Runs once, after the last message, when all children are gone. What is told to itself here is a dead letter.
    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        let _ = ctx;
    }

    /// A watched actor is gone (see [`Ctx::watch`]).
    ///
    /// # Errors
    /// An error fails the actor; so does not overriding this and watching all the same (a *death pact*).
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = ctx;
        Err(Failure::death_pact(format_args!("{:?} is gone ({:?})", gone.address, gone.reason)))
    }

    /// A child failed and was stopped.
    ///
    /// # Errors
    /// An error fails this actor as well.
    fn child_failed(&mut self, child: Address, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = (child, failure, ctx);
        Ok(())
    }

    /// No message came for as long as [`Ctx::set_receive_timeout`] says. Repeats until that is switched off.
    ///
    /// # Errors
    /// An error fails the actor.
    fn receive_timeout(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = ctx;
        Ok(())
    }

    /// Whether a message puts the receive time-out off. Asked only while one is set.
    fn influences_receive_timeout(msg: &Self::Msg) -> bool {
        let _ = msg;
        true
    }
}

/// Notice that a watched actor is gone. Comes exactly once for each watch.
#[derive(Clone, Debug)]
pub struct Terminated {
    /// The actor that was watched.
    pub address: Address,
    /// Why it ended.
    pub reason: StopReason,
}

/// Why an actor ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// It stopped itself, was told to, or its parent stopped.
    Stopped,
    /// It failed.
    Failed(Failure),
    /// It was already gone when the watch began, or never lived.
    NotFound,
    /// Its kernel is gone, and with it whoever lived there: the shard has ended, or was lost.
    Unreachable,
}
