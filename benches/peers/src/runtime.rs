//! The tokio runtimes that tokio, kameo and ractor run on.
//!
//! One `current_thread` runtime on one pinned thread for one core; two of them, on a pinned thread each, for two cores.
//! That is tokio's documented way to keep tasks where they are: the work-stealing runtime would put two tasks that talk
//! on the same worker whenever it can. Neither runtime has an I/O or time driver, so that parking is a futex and an
//! unparked turn makes no system call.

use std::future::Future;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::place::{Place, pin};
use crate::system::{BURST, RunError};

/// What a side does while it has no message, when there are two sides. On one core a message always finds its receiver
/// awake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Sleeps, as tokio does by itself. Cheapest in a flood, where a side seldom waits.
    Park,
    /// Keeps looking for messages: a task that only yields keeps the scheduler from parking. Cheapest in a round trip,
    /// which otherwise pays for waking a sleeping thread twice, a hundred times the price of the messages.
    Poll,
}

/// Tasks that receive one message at a time handle this many and then give way to others: tokio's cooperative budget.
const TASK_BUDGET: u64 = 128;

/// Runs `body` on the near side, with the handle of the runtime on the far side: the same one on one core.
pub(crate) fn run<T, F, Fut>(place: Place, waiting: Waiting, body: F) -> Result<T, RunError>
where
    F: FnOnce(Handle) -> Fut,
    Fut: Future<Output = Result<T, RunError>>,
{
    pin(place.near)?;
    let near = current_thread()?;
    if !place.is_split() {
        return near.block_on(body(near.handle().clone()));
    }
    let (handle_out, handle_in) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        let far = scope.spawn(move || {
            pin(place.far)?;
            let far = current_thread()?;
            // Fails only if the near side has gone, and then `stopped` says so at once.
            let _ = handle_out.send(far.handle().clone());
            far.block_on(async {
                if waiting == Waiting::Poll {
                    tokio::spawn(poll_forever());
                }
                let _ = stopped.await;
            });
            Ok(())
        });
        let result = match handle_in.recv() {
            Ok(handle) => near.block_on(async {
                if waiting == Waiting::Poll {
                    tokio::spawn(poll_forever());
                }
                body(handle).await
            }),
            Err(_) => Err(RunError::Panicked),
        };
        drop(stop);
        match far.join() {
            Ok(Ok(())) => result,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RunError::Panicked),
        }
    })
}

/// A runtime for one thread, without drivers.
pub(crate) fn current_thread() -> Result<Runtime, RunError> {
    Builder::new_current_thread().build().map_err(|error| RunError::Os("cannot make a runtime", error))
}

/// Never ends; see [`Waiting::Poll`].
pub(crate) async fn poll_forever() {
    loop {
        yield_now().await;
    }
}

/// Lets receivers of one message at a time handle a whole burst, so that a sender on the same core does not run ahead
/// of them.
pub(crate) async fn let_burst_be_handled() {
    for _ in 0..BURST.div_ceil(TASK_BUDGET) {
        yield_now().await;
    }
}

/// Yields until `done`.
pub(crate) async fn yield_until(mut done: impl FnMut() -> bool) {
    while !done() {
        yield_now().await;
    }
}
