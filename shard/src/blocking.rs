//! The pool for blocking work: a few threads, started as they are needed, that run closures in the order they came.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::OffloadError;
use crate::unwind;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A handle to the pool.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    most: usize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    threads: Vec<JoinHandle<()>>,
    idle: usize,
    closed: bool,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No foreign code runs while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// A pool of at most `most` threads. One of none does nothing by itself: see [`Pool::take`].
    pub(crate) fn new(name: &str, most: usize) -> Pool {
        let state = State { jobs: VecDeque::new(), threads: Vec::new(), idle: 0, closed: false };
        Pool {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                most,
                state: Mutex::new(state),
                changed: Condvar::new(),
            }),
        }
    }

    /// Has `work` run on a thread of the pool; the receiver gets its result. The queue is not bounded: who offloads
    /// bounds what is in flight.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::AsyncReceiver<Result<T, OffloadError>> {
        let (sender, receiver) = oneshot::async_channel();
        let job: Job = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            let result =
                result.map_err(|panic| unwind::tell(panic, |text| OffloadError::Panicked(text.to_owned())));
            // Whoever asked may be gone. What comes back is taken out of the channel first, as its drop may panic.
            if let Err(unwanted) = sender.send(result) {
                drop(unwanted.into_inner());
            }
        });
        self.push(job);
        receiver
    }

    fn push(&self, job: Job) {
        let mut state = self.inner.lock();
        if state.closed {
            // Its receiver hears that the work was not done, when the job is dropped here, without the lock.
            drop(state);
            drop(job);
            return;
        }
        state.jobs.push_back(job);
        if state.idle < state.jobs.len() && state.threads.len() < self.inner.most {
            let inner = self.inner.clone();
            let name = format!("{}-blocking-{}", self.inner.name, state.threads.len());
            match std::thread::Builder::new().name(name).spawn(move || inner.work()) {
                Ok(thread) => state.threads.push(thread),
                Err(error) => tracing::error!(%error, "no thread for blocking work"),
            }
        }
        drop(state);
        self.inner.changed.notify_one();
    }

    /// The job that waited longest, for who does the pool's work in place of its threads.
    pub(crate) fn take(&self) -> Option<Job> {
        self.inner.lock().jobs.pop_front()
    }

    /// Ends the pool: what was begun is finished, what was not is dropped. Gives how many jobs were dropped. Threads
    /// that are still busy at the deadline are left to themselves.
    pub(crate) fn close(&self, deadline: Instant) -> u64 {
        let (jobs, threads) = {
            let mut state = self.inner.lock();
            state.closed = true;
            (std::mem::take(&mut state.jobs), std::mem::take(&mut state.threads))
        };
        let left = jobs.len() as u64;
        for job in jobs {
            dispose(|| drop(job));
        }
        self.inner.changed.notify_all();
        for thread in threads {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            if thread.is_finished() {
                // A job's panic does not end its thread.
                let _ = thread.join();
            }
        }
        left
    }
}

/// Runs what may drop values that nobody wants any more. Their panics have no one to go to.
pub(crate) fn dispose(f: impl FnOnce()) {
    if let Err(failure) = unwind::guard(f) {
        tracing::error!(%failure, "dropping blocking work or its result panicked");
    }
}

impl Inner {
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                dispose(job);
                state = self.lock();
            } else if state.closed {
                return;
            } else {
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}
