//! State machines: actors whose answer to an event depends on the state they are in.
//!
//! An [`Fsm`] says what each event does in each state; a [`Machine`] of it is the actor. States, events and data are
//! types of the user's, and the handler is one `match` over state and event, so the compiler says what is missing. A
//! handler answers with a [`Step`], a value: stay, go to a state, or stop, with new data, and with how long it may take
//! until the next event.
//!
//! ```
//! use core::time::Duration;
//! use corelane_kernel::ReplyTo;
//! use corelane_kernel::fsm::{Fsm, FsmCtx, Machine, Next, Step};
//! # use core::mem::MaybeUninit;
//! # use corelane_kernel::{Actor, Ctx, Kernel, KernelConfig, Outcome, Region, Time};
//!
//! #[derive(Clone, Copy, Debug, PartialEq, Eq)]
//! enum State { Locked, Unlocked }
//!
//! enum Event { Coin, Push, HowMany(ReplyTo<u32>) }
//!
//! /// Lets one through for each coin. Its data is how many have passed.
//! struct Turnstile;
//!
//! impl Fsm for Turnstile {
//!     type State = State;
//!     type Event = Event;
//!     type Data = u32;
//!
//!     fn handle(&mut self, state: State, event: Event, passed: &mut u32, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
//!         Ok(match (state, event) {
//!             (State::Locked, Event::Coin) => Step::goto(State::Unlocked),
//!             (State::Unlocked, Event::Push) => Step::goto(State::Locked).using(*passed + 1),
//!             (_, Event::HowMany(reply)) => Step::stay().replying(ctx, reply, *passed),
//!             (state, event) => return self.unhandled(state, event, passed, ctx),
//!         })
//!     }
//!
//!     fn time_limit(&self, state: State) -> Option<Duration> {
//!         (state == State::Unlocked).then_some(Duration::from_secs(10))
//!     }
//!
//!     fn state_timeout(&mut self, _: State, _: &mut u32, _: &mut FsmCtx<'_, Self>) -> Next<Self> {
//!         Ok(Step::goto(State::Locked))
//!     }
//! }
//!
//! # struct Asker;
//! # impl Actor for Asker {
//! #     type Msg = u32;
//! #     fn receive(&mut self, n: u32, _: &mut Ctx<'_, Self>) -> Outcome { assert_eq!(n, 1); Ok(()) }
//! # }
//! # let memory = Box::leak(Box::new([MaybeUninit::<u8>::uninit(); 64 * 1024]));
//! # let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
//! let turnstile = kernel.scope().spawn_from(|| Machine::new(Turnstile, State::Locked, 0))?;
//! for event in [Event::Coin, Event::Push, Event::Push] {
//!     kernel.tell(turnstile, event);
//! }
//! # let asker = kernel.spawn(Asker)?;
//! # kernel.tell(turnstile, Event::HowMany(asker));
//! # while kernel.turn(Time::ZERO).more {}
//! # assert_eq!(kernel.stats().failed, 0);
//! // The push at the locked one.
//! assert_eq!(kernel.dead_letters(corelane_kernel::DeadReason::Unhandled), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Time
//!
//! A **state time-out** runs [`Fsm::state_timeout`]. Its time begins when a step is taken, that is at the start and after
//! each event or hook, also with [`Step::stay`]: it is the time *without an event* in a state. It is what the step says
//! ([`Step::for_max`], [`Step::forever`]), or else the state's own ([`Fsm::time_limit`]). Whatever comes before its end
//! cancels it, also if it was due already. A state with a limit costs a few nanoseconds for each event; one without
//! costs nothing.
//!
//! **Named timers** are those of every actor, and other events leave them alone: [`Ctx::set_timer`] and
//! [`Ctx::set_periodic`] tell an event, [`Ctx::set_alarm`] runs [`Fsm::alarm`]. So what a machine tells itself need not
//! stand in its protocol.
//!
//! # Transitions
//!
//! [`Step::goto`] is a transition, also to the same state; [`Step::stay`] is none. At a transition, in this order:
//! [`Fsm::transitioned`] runs, with the data of before and of after; the machine takes the new state and data; its
//! [`Observers`] are told, if it has any. The state in which a machine begins is no transition: that is what
//! [`Fsm::started`] is for.
//!
//! # Ends
//!
//! A machine ends with [`Step::stop`], with a failure, or because somebody stops it. [`Fsm::stopped`] runs once, with the
//! reason, state and data.
//!
//! # Which to use
//!
//! For two or three modes without time-outs or hooks, an `enum` in the actor and a `match` are enough.
//! [`Become`](crate::Become) is for modes that are functions, and for those that come back to where they came from.

mod machine;
mod observers;
mod step;

use core::time::Duration;

use crate::actor::Terminated;
use crate::address::Address;
use crate::context::Ctx;
use crate::failure::{Failure, Outcome};
use crate::supervise::{Directive, Strategy};
use crate::timers::TimerKey;

pub use machine::Machine;
pub use observers::{Observers, ObserversFull, StateChange};
pub use step::{Next, Step};

/// The context of a machine's handlers: that of its actor, whose messages are the machine's events.
pub type FsmCtx<'k, F> = Ctx<'k, Machine<F>>;

/// What a state machine does with each event, in each state; see [the module](self).
///
/// All but [`Fsm::handle`] are hooks. Those that answer with a [`Next`] are handlers as `handle` is: they may go to
/// another state, and begin the state's time anew. An error from any of them fails the actor; its state and data are
/// then those from before.
pub trait Fsm: Sized + 'static {
    /// The states: an enum. What belongs to one state only is better kept in [`Fsm::Data`].
    type State: Copy + Eq + Send + 'static;

    /// What may be told to it: an enum, usually.
    type Event: Send + 'static;

    /// What it knows, besides its state. Need not be `Send`.
    type Data: 'static;

    /// Handles an event. Data may be changed where it is, or be replaced by the step ([`Step::using`]).
    ///
    /// # Errors
    /// An error fails the actor.
    fn handle(
        &mut self,
        state: Self::State,
        event: Self::Event,
        data: &mut Self::Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self>;

    /// How long a state may take without an event, unless a step says otherwise. `None` is for ever.
    fn time_limit(&self, state: Self::State) -> Option<Duration> {
        let _ = state;
        None
    }

    /// No event came within the state's time. Unless overridden it stays, and the time begins anew.
    ///
    /// # Errors
    /// An error fails the actor.
    fn state_timeout(
        &mut self,
        state: Self::State,
        data: &mut Self::Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        let _ = (state, data, ctx);
        Ok(Step::stay())
    }

    /// For [`Fsm::handle`] to call with what it does not handle. Unless overridden it stays, and the event becomes a dead
    /// letter (see [`Ctx::unhandled`]).
    ///
    /// # Errors
    /// An error fails the actor.
    fn unhandled(
        &mut self,
        state: Self::State,
        event: Self::Event,
        data: &mut Self::Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        let _ = (state, data);
        ctx.unhandled(event);
        Ok(Step::stay())
    }

    /// Runs at each transition, also to the same state, before it is made.
    ///
    /// # Errors
    /// An error fails the actor, and the transition is not made.
    fn transitioned(
        &mut self,
        transition: &Transition<'_, Self::State, Self::Data>,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Outcome {
        let _ = (transition, ctx);
        Ok(())
    }

    /// Those who are told of each transition; a machine that has some keeps them among its own fields.
    fn observers(&mut self) -> Option<&mut Observers<Self::State>> {
        None
    }

    /// Runs once, before the first event, in the state in which the machine begins.
    ///
    /// # Errors
    /// An error fails the actor before it handled anything.
    fn started(
        &mut self,
        state: Self::State,
        data: &mut Self::Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        let _ = (state, data, ctx);
        Ok(Step::stay())
    }

    /// Runs once, after the last event, when all children are gone.
    fn stopped(
        &mut self,
        ending: &Ending,
        state: Self::State,
        data: &mut Self::Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) {
        let _ = (ending, state, data, ctx);
    }

    /// An alarm rings (see [`Ctx::set_alarm`]).
    ///
    /// # Errors
    /// An error fails the actor.
    fn alarm(
        &mut self,
        key: TimerKey,
        state: Self::State,
        data: &mut Self::Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        let _ = (key, state, data, ctx);
        Ok(Step::stay())
    }

    /// A watched actor is gone (see [`Ctx::watch`]).
    ///
    /// # Errors
    /// An error fails the actor; so does not overriding this and watching all the same (a *death pact*).
    fn terminated(
        &mut self,
        gone: &Terminated,
        state: Self::State,
        data: &mut Self::Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        let _ = (state, data, ctx);
        Err(gone.death_pact())
    }

    /// How this machine looks after its children; see [`Actor::strategy`](crate::Actor::strategy).
    fn strategy(&self) -> Strategy {
        Strategy::default()
    }

    /// A child failed: what is to be done? See [`Actor::decide`](crate::Actor::decide). It is no event: the state stays,
    /// and its time goes on.
    fn decide(
        &mut self,
        child: Address,
        failure: &Failure,
        state: Self::State,
        data: &mut Self::Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Directive {
        let _ = (child, state, data, ctx);
        self.strategy().directive(failure)
    }

    /// No event came for as long as [`Ctx::set_receive_timeout`] says, whatever the state. Repeats until that is switched
    /// off.
    ///
    /// # Errors
    /// An error fails the actor.
    fn receive_timeout(
        &mut self,
        state: Self::State,
        data: &mut Self::Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        let _ = (state, data, ctx);
        Ok(Step::stay())
    }

    /// Whether an event puts the receive time-out off. Asked only while one is set. State time-outs do not ask.
    fn influences_receive_timeout(event: &Self::Event) -> bool {
        let _ = event;
        true
    }
}

/// A transition that is about to be made.
#[derive(Debug)]
pub struct Transition<'a, S, D> {
    /// The state that is left.
    pub from: S,
    /// The state that is entered; the same, if the step goes to the state that the machine is in.
    pub to: S,
    /// The data as the handler left it.
    pub before: &'a D,
    /// The data that the step brings ([`Step::using`]); the same as `before` if it brings none.
    pub after: &'a D,
}

/// Why a machine ends, as its [`stopped`](Fsm::stopped) hook is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ending {
    /// One of its steps was [`Step::stop`].
    Normal,
    /// It was told to stop, or its parent stopped.
    Shutdown,
    /// It failed.
    Failure(Failure),
}
