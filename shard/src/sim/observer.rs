//! What the kernels of a simulation show of failures and dead letters, as events of the trace.

use corelane_kernel::{DeadLetter, DeadReason, Decision, Failure, Observe, Path, Subject, Time};

use super::stage::{self, News};
use super::trace::{Event, Whom};

/// Of one kernel of a host.
pub(super) struct Observer {
    pub(super) host: usize,
    pub(super) shard: usize,
}

fn add(event: Event) {
    // A kernel that is dropped after its simulation has nobody to tell.
    if let Some(stage) = stage::try_current() {
        stage.add(event);
    }
}

impl Observer {
    fn tell(&self, news: News) {
        if let Some(stage) = stage::try_current() {
            stage.tell(self.host, news);
        }
    }
}

impl Observe for Observer {
    fn dead_letter(&mut self, letter: &DeadLetter, _: Path<'_>) {
        let whom = Whom::on(self.host, letter.target);
        let (message, reason) = (letter.message, letter.reason);
        let shard = letter.target.place().shard();
        if matches!(reason, DeadReason::OutOfMemory | DeadReason::QueueFull) && shard == self.shard {
            self.tell(News::OutOfMemory { shard });
        }
        add(Event::DeadLetter { whom, message, reason });
    }

    fn failed(&mut self, who: &Subject<'_>, failure: &Failure) {
        let whom = Whom::on(self.host, who.address);
        add(Event::Failed { whom, actor: who.actor, text: failure.to_string() });
    }

    fn decided(&mut self, who: &Subject<'_>, _: &Failure, decision: Decision, _: Time) {
        if matches!(decision, Decision::GiveUp | Decision::CannotRestart) {
            self.tell(News::GivenUp { whom: who.address });
        }
    }

    fn escalated(&mut self, failure: &Failure) {
        add(Event::Escalated { text: failure.to_string() });
    }

    fn panicked(&mut self, failure: &Failure) {
        add(Event::Panicked { text: failure.to_string() });
    }
}
