//! Outcomes: what actors here asked this gate for, a look-up or a child on another host, and are to be told.
//!
//! None is lost for want of room. Each is handed over between turns, past the queue of its actor's kernel, however full that
//! is; only where the actor cannot run now, and the region has no room for the message to wait, it stays here until there is
//! some. It ends with its actor.

use corelane_kernel::{ActorRef, Scope};

use super::Gate;

/// Hands a message over, or keeps it. Says whether it is done.
type Outcome = Box<dyn FnMut(&mut Scope<'_>) -> bool>;

#[derive(Default)]
pub(super) struct Outcomes {
    waiting: std::collections::VecDeque<Outcome>,
    /// Some have come since they were last looked at.
    fresh: bool,
}

impl Outcomes {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn are_fresh(&self) -> bool {
        self.fresh
    }
}

impl Gate {
    /// Tells an actor of this shard what it asked for, soon and for certain. From anywhere where the gate is not at work.
    pub(crate) fn answer<M: Send + 'static>(&self, to: ActorRef<M>, message: M) {
        let mut message = Some(message);
        let outcome = move |scope: &mut Scope<'_>| {
            message = message.take().and_then(|message| scope.hand_over(to, message).err());
            message.is_none()
        };
        let outcomes = &mut self.enter().outcomes;
        outcomes.waiting.push_back(Box::new(outcome));
        outcomes.fresh = true;
    }

    /// Hands over what waits, as far as there is room: between turns only. Each is taken up once, so that one whose actor
    /// panics over it costs no other.
    pub(super) fn hand_over_outcomes(&self, scope: &mut Scope<'_>) {
        let waiting = {
            let mut inner = self.enter();
            inner.outcomes.fresh = false;
            inner.outcomes.waiting.len()
        };
        for _ in 0..waiting {
            let Some(mut outcome) = self.enter().outcomes.waiting.pop_front() else { return };
            if !outcome(scope) {
                self.enter().outcomes.waiting.push_back(outcome);
            }
        }
    }
}
