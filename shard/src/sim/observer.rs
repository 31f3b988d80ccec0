//! What the kernels of a simulation show of failures and dead letters, as events of the trace.

use corelane_kernel::{DeadLetter, Failure, Observe, Path, Subject};

use super::stage;
use super::trace::{Event, Whom};

/// Of the kernels of one host.
pub(super) struct Observer {
    pub(super) host: usize,
}

fn add(event: Event) {
    // A kernel that is dropped after its simulation has nobody to tell.
    if let Some(stage) = stage::try_current() {
        stage.add(event);
    }
}

impl Observe for Observer {
    fn dead_letter(&mut self, letter: &DeadLetter, _: Path<'_>) {
        let whom = Whom::on(self.host, letter.target);
        let (message, reason) = (letter.message, letter.reason);
        add(Event::DeadLetter { whom, message, reason });
    }

    fn failed(&mut self, who: &Subject<'_>, failure: &Failure) {
        let whom = Whom::on(self.host, who.address);
        add(Event::Failed { whom, actor: who.actor, text: failure.to_string() });
    }

    fn escalated(&mut self, failure: &Failure) {
        add(Event::Escalated { text: failure.to_string() });
    }

    fn panicked(&mut self, failure: &Failure) {
        add(Event::Panicked { text: failure.to_string() });
    }
}
