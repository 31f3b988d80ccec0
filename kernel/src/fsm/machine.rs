//! The machine: the actor that takes the steps of an [`Fsm`].
//!
//! The time of a state is lazy. `until` says when it is up, and each event only writes that; the kernel's alarm, which
//! says when to look, is set anew only if it would ring too late. When it rings early it is set to what `until` says by
//! then; when there is nothing to wait for, it is not set again. An event clears `until` before its handler runs: so
//! nothing that came in time can be followed by a time-out, however late the alarm is heard.

use core::time::Duration;

use super::step::{Wait, Way};
use super::{Ending, Fsm, FsmCtx, Next, Step, Transition};
use crate::actor::{Actor, Terminated};
use crate::address::Address;
use crate::failure::{Failure, Outcome};
use crate::supervise::{Directive, Strategy};
use crate::time::Time;
use crate::timers::TimerKey;

/// The actor of a state machine, spawned like any other; its messages are the machine's events.
///
/// Takes 17 bytes beside the [`Fsm`], its state and its data.
///
/// ```
/// # use corelane_kernel::{ActorRef, Scope, SpawnError};
/// # use corelane_kernel::fsm::{Fsm, FsmCtx, Machine, Next, Step};
/// # #[derive(Clone, Copy, PartialEq, Eq)]
/// # enum State { Off, On }
/// # struct Pressed;
/// # struct Lamp;
/// # impl Fsm for Lamp {
/// #     type State = State;
/// #     type Event = Pressed;
/// #     type Data = ();
/// #     fn handle(&mut self, state: State, _: Pressed, _: &mut (), _: &mut FsmCtx<'_, Self>) -> Next<Self> {
/// #         Ok(Step::goto(if state == State::On { State::Off } else { State::On }))
/// #     }
/// # }
/// fn install(scope: &mut Scope<'_>) -> Result<ActorRef<Pressed>, SpawnError> {
///     scope.spawner().name("lamp").spawn_from(|| Machine::new(Lamp, State::Off, ()))
/// }
/// ```
pub struct Machine<F: Fsm> {
    fsm: F,
    data: F::Data,
    /// When the state's time is up; [`Time::MAX`] if it has none.
    until: Time,
    /// When the kernel's alarm rings; [`Time::MAX`] if it is not set.
    alarm: Time,
    state: F::State,
    /// One of its steps was to stop.
    stopping: bool,
}

impl<F: Fsm> Machine<F> {
    /// A machine that begins in a state, with data.
    pub const fn new(fsm: F, state: F::State, data: F::Data) -> Machine<F> {
        Machine { fsm, data, until: Time::MAX, alarm: Time::MAX, state, stopping: false }
    }

    /// Takes the step that an event leads to.
    #[inline(always)]
    fn on(
        &mut self,
        ctx: &mut FsmCtx<'_, F>,
        handler: impl FnOnce(&mut F, F::State, &mut F::Data, &mut FsmCtx<'_, F>) -> Next<F>,
    ) -> Outcome {
        self.until = Time::MAX;
        let next = handler(&mut self.fsm, self.state, &mut self.data, ctx);
        // Looked at where it lies: moving it would wait for the stores that wrote it.
        match &next {
            Ok(Step(Way::Stay)) => {}
            Ok(Step(Way::Goto(to))) => self.enter(*to, None, ctx)?,
            Ok(Step(Way::Full { .. })) | Err(_) => return self.take(next, ctx),
        }
        self.begin(ctx)
    }

    /// A step that says more than where it leads, or a failure.
    #[inline(never)]
    fn take(&mut self, next: Next<F>, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        let (to, data, wait) = next?.parts();
        if let Some(to) = to {
            self.enter(to, data, ctx)?;
        } else if let Some(data) = data {
            self.data = data;
        }
        match wait {
            Wait::OfState => self.begin(ctx),
            Wait::Max(limit) => self.wait(limit, ctx),
            Wait::Forever => Ok(()),
            Wait::Stop => {
                self.stopping = true;
                ctx.stop_self();
                Ok(())
            }
        }
    }

    #[inline(always)]
    fn enter(&mut self, to: F::State, data: Option<F::Data>, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        let from = self.state;
        let after = data.as_ref().unwrap_or(&self.data);
        self.fsm.transitioned(&Transition { from, to, before: &self.data, after }, ctx)?;
        self.state = to;
        if let Some(data) = data {
            self.data = data;
        }
        if let Some(observers) = self.fsm.observers() {
            observers.transitioned(from, to, ctx);
        }
        Ok(())
    }

    /// Begins the time of the state.
    #[inline(always)]
    fn begin(&mut self, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        match self.fsm.time_limit(self.state) {
            Some(limit) => self.wait(limit, ctx),
            None => Ok(()),
        }
    }

    fn wait(&mut self, limit: Duration, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        self.until = ctx.now() + limit;
        if self.alarm > self.until { self.set_alarm(ctx) } else { Ok(()) }
    }

    #[cold]
    fn set_alarm(&mut self, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        ctx.set_state_alarm(self.until)?;
        self.alarm = self.until;
        Ok(())
    }
}

impl<F: Fsm> Actor for Machine<F> {
    type Msg = F::Event;

    #[inline(always)]
    fn receive(&mut self, event: F::Event, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        self.on(ctx, |fsm, state, data, ctx| fsm.handle(state, event, data, ctx))
    }

    fn started(&mut self, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        self.on(ctx, F::started)
    }

    fn stopped(&mut self, ctx: &mut FsmCtx<'_, F>) {
        let ending = match ctx.failure() {
            Some(failure) => Ending::Failure(failure),
            None if self.stopping => Ending::Normal,
            None => Ending::Shutdown,
        };
        self.fsm.stopped(&ending, self.state, &mut self.data, ctx);
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        self.on(ctx, |fsm, state, data, ctx| fsm.terminated(gone, state, data, ctx))
    }

    fn strategy(&self) -> Strategy {
        self.fsm.strategy()
    }

    fn decide(&mut self, child: Address, failure: &Failure, ctx: &mut FsmCtx<'_, F>) -> Directive {
        self.fsm.decide(child, failure, self.state, &mut self.data, ctx)
    }

    fn receive_timeout(&mut self, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        self.on(ctx, F::receive_timeout)
    }

    fn alarm(&mut self, key: TimerKey, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        self.on(ctx, |fsm, state, data, ctx| fsm.alarm(key, state, data, ctx))
    }

    fn state_alarm(&mut self, ctx: &mut FsmCtx<'_, F>) -> Outcome {
        self.alarm = Time::MAX;
        if self.until == Time::MAX {
            Ok(())
        } else if self.until > ctx.now() {
            self.set_alarm(ctx)
        } else {
            self.on(ctx, F::state_timeout)
        }
    }

    fn influences_receive_timeout(event: &F::Event) -> bool {
        F::influences_receive_timeout(event)
    }
}
