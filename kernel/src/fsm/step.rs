//! Steps: what a handler answers, as a value.

use core::time::Duration;

use super::Fsm;
use crate::actor::Actor;
use crate::address::ReplyTo;
use crate::context::Ctx;
use crate::failure::Failure;

/// What a machine's handler answers: the step to take, or the failure of the actor.
pub type Next<F> = Result<Step<<F as Fsm>::State, <F as Fsm>::Data>, Failure>;

/// What a machine does after an event: stay, go to a state, or stop.
///
/// ```
/// # use core::time::Duration;
/// # use corelane_kernel::fsm::Step;
/// # enum State { Idle, Busy }
/// # struct Work { left: u32 }
/// # fn steps() -> [Step<State, Work>; 5] { [
/// Step::stay(),
/// Step::stay().using(Work { left: 3 }),
/// Step::goto(State::Busy).using(Work { left: 9 }).for_max(Duration::from_secs(5)),
/// Step::goto(State::Idle).forever(),
/// Step::stop(),
/// # ] }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a step does nothing until a handler returns it"]
pub struct Step<S, D>(pub(super) Way<S, D>);

/// A step by how much it says. Most say little, and little is written and read for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way<S, D> {
    Stay,
    Goto(S),
    /// With new data, with a limit of its own, or a stop. `to` is `None` to stay.
    Full {
        to: Option<S>,
        data: Option<D>,
        wait: Wait,
    },
}

/// How long the machine may wait for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// As long as its state may take.
    OfState,
    Max(Duration),
    Forever,
    /// Not at all: it stops.
    Stop,
}

impl<S, D> Step<S, D> {
    /// Stays in the state: no transition. The state's time begins anew.
    #[inline(always)]
    pub const fn stay() -> Step<S, D> {
        Step(Way::Stay)
    }

    /// Goes to a state. A transition also if it is the one that the machine is in.
    #[inline(always)]
    pub const fn goto(state: S) -> Step<S, D> {
        Step(Way::Goto(state))
    }

    /// Stops the machine, as [`Ending::Normal`](super::Ending::Normal): no event is handled after this one, and its timers
    /// are cancelled. To end as failed, a handler returns an error.
    #[inline(always)]
    pub const fn stop() -> Step<S, D> {
        Step(Way::Full { to: None, data: None, wait: Wait::Stop })
    }

    /// With this data instead of the machine's.
    #[inline(always)]
    pub fn using(self, data: D) -> Step<S, D> {
        let (to, _, wait) = self.parts();
        Step(Way::Full { to, data: Some(data), wait })
    }

    /// Runs [`Fsm::state_timeout`] if nothing comes for so long, whatever the state's own limit is. Resolution is 66 µs;
    /// never early. A step that stops waits for nothing.
    #[inline(always)]
    pub fn for_max(self, limit: Duration) -> Step<S, D> {
        self.waiting(Wait::Max(limit))
    }

    /// Waits for what comes next as long as it takes, whatever the state's own limit is.
    #[inline(always)]
    pub fn forever(self) -> Step<S, D> {
        self.waiting(Wait::Forever)
    }

    #[inline(always)]
    fn waiting(self, wait: Wait) -> Step<S, D> {
        let (to, data, before) = self.parts();
        let wait = if before == Wait::Stop { before } else { wait };
        Step(Way::Full { to, data, wait })
    }

    #[inline(always)]
    pub(super) fn parts(self) -> (Option<S>, Option<D>, Wait) {
        match self.0 {
            Way::Stay => (None, None, Wait::OfState),
            Way::Goto(to) => (Some(to), None, Wait::OfState),
            Way::Full { to, data, wait } => (to, data, wait),
        }
    }

    /// Answers a question. The answer is told at once, so before the hooks of the transition run: it is the same as a
    /// [`Ctx::tell`] before the step, and leaves the handler one expression.
    #[inline]
    pub fn replying<A: Actor, R: Send + 'static>(
        self,
        ctx: &mut Ctx<'_, A>,
        reply: ReplyTo<R>,
        answer: R,
    ) -> Step<S, D> {
        ctx.tell(reply, answer);
        self
    }
}
