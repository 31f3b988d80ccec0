//! Running the tasks of one phase: all at once, on the thread that shuts the system down, until they have ended or
//! their time is over.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::error::BoxError;
use crate::report::PhaseReport;
use crate::unwind;

pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A task, with what begins it.
pub(crate) struct Begun {
    pub(crate) name: String,
    pub(crate) begin: Box<dyn FnOnce() -> TaskFuture>,
}

/// Wakes the thread that polls.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs the tasks of a phase, and notes how they ended. Each is begun and polled once at least, also after `deadline`.
pub(crate) fn run(tasks: Vec<Begun>, deadline: Instant, report: &mut PhaseReport) {
    let mut open: BTreeMap<usize, String> = tasks.iter().map(|task| task.name.clone()).enumerate().collect();
    let mut running: FuturesUnordered<_> = tasks
        .into_iter()
        .enumerate()
        .map(|(at, Begun { begin, .. })| {
            // Beginning is part of the task, and so is a panic in it.
            let task = AssertUnwindSafe(async move { begin().await }).catch_unwind();
            async move {
                let result = task.await.unwrap_or_else(|panic| {
                    Err(unwind::tell(panic, |text| format!("it panicked: {text}")).into())
                });
                (at, result)
            }
        })
        .collect();
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match running.poll_next_unpin(&mut context) {
            Poll::Ready(None) => return,
            Poll::Ready(Some((at, result))) => {
                let name = open.remove(&at).unwrap_or_default();
                match result {
                    Ok(()) => report.done.push(name),
                    Err(error) => report.failed.push((name, error.to_string())),
                }
            }
            Poll::Pending => match deadline.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => std::thread::park_timeout(left),
                _ => break,
            },
        }
    }
    report.timed_out = open.into_values().collect();
    if let Err(failure) = unwind::guard(move || drop(running)) {
        tracing::error!(phase = report.phase, %failure, "dropping a shutdown task panicked");
    }
}
