//! The blocking pool of a simulated system: jobs are done in this very thread, at times that are drawn.

use corelane_kernel::Time;

use super::trace::Event;
use super::world::{Moment, World};
use crate::blocking::{Job, Pool, dispose};

#[derive(Default)]
pub(super) struct Jobs {
    pool: Option<Pool>,
    /// Begun, with the time at which each is done.
    begun: Vec<(Time, Job)>,
}

impl Jobs {
    pub(super) fn of(pool: Pool) -> Jobs {
        Jobs { pool: Some(pool), begun: Vec::new() }
    }

    /// Begins jobs in the order in which they came, as long as a thread would be free for them.
    fn begin(&mut self, moment: &Moment<'_>) {
        let Some(pool) = &self.pool else { return };
        while self.begun.len() < moment.options().blocking_threads.max(1) {
            let Some(job) = pool.take() else { return };
            let takes = moment.time(&moment.options().job_time);
            self.begun.push((moment.now() + takes, job));
        }
    }
}

impl World for Jobs {
    fn next_time(&mut self, moment: &Moment<'_>) -> Option<Time> {
        self.begin(moment);
        self.begun.iter().map(|(at, _)| *at).min()
    }

    fn step(&mut self, moment: &Moment<'_>) {
        // The first of those that are done next: who came earlier ends earlier.
        let next = self.begun.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(next, _)| next);
        if let Some(next) = next {
            let (_, job) = self.begun.remove(next);
            moment.stage.add(Event::Job);
            dispose(job);
        }
    }
}
