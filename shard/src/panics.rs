//! What is shown of panics: on shards' threads, the first few.
//!
//! Every panic calls the process's panic hook, which by default writes to standard error, with a backtrace if the environment
//! asks for one. On a shard a panic is an actor's failure: caught, told to its supervisor, counted
//! ([`ShardStats::failed`](crate::ShardStats)) and logged with the actor's path as an `ERROR` event of `tracing`. Ten thousand
//! of them a second must not spend the shard's time on showing each a second time. So the first system of a process puts
//! a hook in front of the one that is there. On the thread of a shard it lets through the first [`SHOWN`], then none for five
//! minutes, by the rule by which dead letters are logged; of all other threads, everything. A hook that the program sets
//! later takes the place of both, and is called for each.

use std::cell::RefCell;
use std::io::Write as _;
use std::panic;
use std::sync::{Once, OnceLock};
use std::time::Instant;

use corelane_kernel::Time;

use crate::log::{Limit, Pass, SILENCE};

/// Panics of one shard that the hook shows before it falls silent.
const SHOWN: u32 = 10;

thread_local! {
    /// On a shard's thread, how many may still be shown.
    static LIMIT: RefCell<Option<Limit>> = const { RefCell::new(None) };
}

/// This thread is a shard's from here on.
pub(crate) fn limit_on_this_thread() {
    LIMIT.set(Some(Limit::new(SHOWN)));
}

/// Puts the hook in its place, once for the process.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    if std::thread::panicking() {
        // A hook cannot be set now. The next system does.
        return;
    }
    ONCE.call_once(|| {
        let shown = panic::take_hook();
        panic::set_hook(Box::new(move |info| match ask() {
            Pass::Yes { .. } => shown(info),
            Pass::Last { .. } => {
                shown(info);
                // Whether it can be written or not: a hook must not panic.
                let _ = writeln!(
                    std::io::stderr(),
                    "no more panics of this shard are shown for {SILENCE:?}; each is logged and counted as a failure"
                );
            }
            Pass::No => {}
        }));
    });
}

/// Whether to show a panic of this thread.
fn ask() -> Pass {
    static START: OnceLock<Instant> = OnceLock::new();
    let asked = LIMIT.try_with(|limit| {
        let mut limit = limit.try_borrow_mut().ok()?;
        let since = START.get_or_init(Instant::now).elapsed();
        Some(limit.as_mut()?.ask(Time::ZERO + since))
    });
    asked.ok().flatten().unwrap_or(Pass::Yes { after: 0 })
}
