//! Observers: addresses that are told of a machine's states, in a list of bounded size.

use core::fmt;

use heapless::Vec;

use crate::actor::Actor;
use crate::address::{ActorRef, Address};
use crate::context::Ctx;
use crate::limits::OBSERVERS_MAX;

/// What an observer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange<S> {
    /// It observes from now on, and the machine is in this state.
    Current {
        /// The machine.
        machine: Address,
        /// Its state.
        state: S,
    },
    /// The machine has made a transition, to the same state perhaps.
    Transition {
        /// The machine.
        machine: Address,
        /// The state that it left.
        from: S,
        /// The state that it is in now.
        to: S,
    },
}

/// Actors that are told of a machine's states: of the current one when they subscribe, then of each transition, in order.
///
/// At most [`OBSERVERS_MAX`]; the list is a field of the machine, and takes no other memory. An observer that has ended
/// harms nobody: one of the machine's own core is struck off the list, and what is told to one of another core is a
/// dead letter there until it is unsubscribed. An observer that cannot keep up misses transitions, which are dead letters.
///
/// Who may observe is for the machine's protocol to say:
///
/// ```
/// use corelane_kernel::ActorRef;
/// use corelane_kernel::fsm::{Fsm, FsmCtx, Next, Observers, StateChange, Step};
///
/// #[derive(Clone, Copy, PartialEq, Eq)]
/// enum State { Closed, Open }
///
/// enum Event { Toggle, Observe(ActorRef<StateChange<State>>) }
///
/// struct Valve { observers: Observers<State> }
///
/// impl Fsm for Valve {
///     type State = State;
///     type Event = Event;
///     type Data = ();
///
///     fn handle(&mut self, state: State, event: Event, _: &mut (), ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
///         Ok(match (state, event) {
///             (State::Closed, Event::Toggle) => Step::goto(State::Open),
///             (State::Open, Event::Toggle) => Step::goto(State::Closed),
///             (state, Event::Observe(who)) => {
///                 self.observers.subscribe(who, state, ctx)?;
///                 Step::stay()
///             }
///         })
///     }
///
///     fn observers(&mut self) -> Option<&mut Observers<State>> {
///         Some(&mut self.observers)
///     }
/// }
/// ```
pub struct Observers<S> {
    list: Vec<ActorRef<StateChange<S>>, OBSERVERS_MAX>,
}

impl<S: Copy + Send + 'static> Observers<S> {
    /// No observers.
    pub const fn new() -> Observers<S> {
        Observers { list: Vec::new() }
    }

    /// Adds an observer, and tells it the current state. One that is on the list already is only told.
    ///
    /// # Errors
    /// [`ObserversFull`]: the list is full of observers that may all be alive. Nothing is told.
    pub fn subscribe<A: Actor>(
        &mut self,
        observer: ActorRef<StateChange<S>>,
        state: S,
        ctx: &mut Ctx<'_, A>,
    ) -> Result<(), ObserversFull> {
        if !self.list.contains(&observer) {
            if self.list.is_full() {
                let scope = ctx.scope();
                self.list.retain(|known| scope.is_alive(*known));
            }
            self.list.push(observer).map_err(|_| ObserversFull)?;
        }
        let machine = ctx.me().address();
        ctx.tell(observer, StateChange::Current { machine, state });
        Ok(())
    }

    /// Strikes an observer off the list. Says whether it was on it.
    pub fn unsubscribe(&mut self, observer: ActorRef<StateChange<S>>) -> bool {
        let known = self.list.iter().position(|known| *known == observer);
        // In place: the others go on being told in the order in which they subscribed.
        known.map(|at| self.list.remove(at)).is_some()
    }

    /// How many are on the list.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nobody is on the list.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Tells all of a transition.
    pub(super) fn transitioned<A: Actor>(&mut self, from: S, to: S, ctx: &mut Ctx<'_, A>) {
        let machine = ctx.me().address();
        self.list.retain(|observer| {
            let alive = ctx.scope().is_alive(*observer);
            if alive {
                ctx.tell(*observer, StateChange::Transition { machine, from, to });
            }
            alive
        });
    }
}

impl<S: Copy + Send + 'static> Default for Observers<S> {
    fn default() -> Observers<S> {
        Observers::new()
    }
}

impl<S> fmt::Debug for Observers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

/// A machine has as many observers as it may; none was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObserversFull;

impl fmt::Display for ObserversFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a machine has at most {OBSERVERS_MAX} observers")
    }
}

impl core::error::Error for ObserversFull {}
