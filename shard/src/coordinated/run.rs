//! Running the tasks of one phase: all at once, on the thread that shuts the system down, until they have ended or
//! their time is over.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::error::BoxError;
use crate::host::{Deadline, Host};
use crate::report::PhaseReport;
use crate::unwind;

pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A task, with what begins it.
pub(crate) struct Begun {
    pub(crate) name: String,
    pub(crate) begin: Box<dyn FnOnce() -> TaskFuture>,
}

/// Wakes the thread that polls, or has it see that it was woken, where it runs the shards itself meanwhile.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs the tasks of a phase, and notes how they ended. Each is begun and polled once at least, also after `deadline`.
pub(crate) fn run(tasks: Vec<Begun>, host: Host, deadline: Deadline, report: &mut PhaseReport) {
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
    let unpark = Arc::new(Unpark { thread: std::thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(unpark.clone());
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
            Poll::Pending => {
                let left = deadline.left();
                if left.is_zero() {
                    break;
                }
                if host.simulate_until(Some(left), || unpark.woken.swap(false, Ordering::AcqRel)) {
                    std::thread::park_timeout(left);
                }
            }
        }
    }
    report.timed_out = open.into_values().collect();
    if let Err(failure) = unwind::guard(move || drop(running)) {
        tracing::error!(phase = report.phase, %failure, "dropping a shutdown task panicked");
    }
}
