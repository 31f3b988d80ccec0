//! Become and unbecome: an actor whose behaviour is a value that its handlers replace.

use core::fmt;

use heapless::Vec;

use crate::actor::Actor;
use crate::context::Ctx;
use crate::failure::Outcome;

/// A way to handle a message; any function of this shape, or method of the actor.
pub type Handler<A> = fn(&mut A, <A as Actor>::Msg, &mut Ctx<'_, A>) -> Outcome;

/// The behaviour of an actor, and a bounded stack of those it goes back to.
///
/// It is a field of the actor, whose [`Actor::receive`] hands each message to the [`Become::current`] handler. A handler
/// changes what handles the *next* message: [`Become::replace`] becomes another, [`Become::push`] becomes another for a
/// while, and [`Become::pop`] (unbecome) goes back. A restarted actor begins with the behaviour that its factory gives it.
///
/// `DEPTH` bounds how many behaviours wait below the current one. Takes `DEPTH + 2` words, and one indirect call for each
/// message.
///
/// For a few modes, an `enum` and a `match` do as well, and the compiler sees that no case is missing. With time-outs,
/// hooks at transitions or observers, an [`Fsm`](crate::fsm::Fsm) is what you want.
///
/// ```
/// use corelane_kernel::{Actor, Become, Ctx, Outcome, ReplyTo};
///
/// enum Msg { Provoke, Sleep, Wake, Greet(ReplyTo<&'static str>) }
///
/// struct Dog { behavior: Become<Dog> }
///
/// impl Dog {
///     fn calm(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Provoke => self.behavior.replace(Self::angry),
///             Msg::Sleep => self.behavior.push(Self::asleep)?,
///             Msg::Greet(reply) => ctx.tell(reply, "wags its tail"),
///             Msg::Wake => {}
///         }
///         Ok(())
///     }
///     fn angry(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Sleep => self.behavior.push(Self::asleep)?,
///             Msg::Greet(reply) => ctx.tell(reply, "growls"),
///             Msg::Provoke | Msg::Wake => {}
///         }
///         Ok(())
///     }
///     /// Wakes as it fell asleep: calm or angry.
///     fn asleep(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Wake => { self.behavior.pop(); }
///             other => ctx.unhandled(other),
///         }
///         Ok(())
///     }
/// }
///
/// impl Actor for Dog {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.behavior.current()(self, msg, ctx)
///     }
/// }
///
/// let dog = Dog { behavior: Become::new(Dog::calm) };
/// # drop(dog);
/// ```
pub struct Become<A: Actor, const DEPTH: usize = 4> {
    current: Handler<A>,
    below: Vec<Handler<A>, DEPTH>,
}

impl<A: Actor, const DEPTH: usize> Become<A, DEPTH> {
    /// Begins with a behaviour.
    pub const fn new(handler: Handler<A>) -> Become<A, DEPTH> {
        Become { current: handler, below: Vec::new() }
    }

    /// What handles a message now.
    #[inline(always)]
    pub fn current(&self) -> Handler<A> {
        self.current
    }

    /// Becomes another, for good. What is below on the stack stays.
    pub fn replace(&mut self, handler: Handler<A>) {
        self.current = handler;
    }

    /// Becomes another until [`Become::pop`].
    ///
    /// # Errors
    /// [`BecomeTooDeep`]: `DEPTH` behaviours wait below the current one, which stays.
    pub fn push(&mut self, handler: Handler<A>) -> Result<(), BecomeTooDeep> {
        self.below.push(self.current).map_err(|_| BecomeTooDeep { depth: DEPTH })?;
        self.current = handler;
        Ok(())
    }

    /// Goes back to the behaviour below (unbecome). Says whether there was one; if not, the current one stays.
    pub fn pop(&mut self) -> bool {
        let below = self.below.pop();
        if let Some(handler) = below {
            self.current = handler;
        }
        below.is_some()
    }

    /// How many behaviours wait below the current one.
    pub fn depth(&self) -> usize {
        self.below.len()
    }
}

impl<A: Actor, const DEPTH: usize> fmt::Debug for Become<A, DEPTH> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Become").field("depth", &self.depth()).finish_non_exhaustive()
    }
}

/// A stack of behaviours is full; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BecomeTooDeep {
    /// How many behaviours may wait below the current one.
    pub depth: usize,
}

impl fmt::Display for BecomeTooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} behaviours wait below the current one", self.depth)
    }
}

impl core::error::Error for BecomeTooDeep {}
