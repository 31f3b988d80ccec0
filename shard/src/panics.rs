//! What is shown of panics, which is the first few on shards' threads, and what is kept of all: where they were.
//!
//! Every panic calls the process's panic hook, which by default writes to standard error, with a backtrace if the environment
//! asks for one. On a shard a panic is an actor's failure: caught, told to its supervisor, counted
//! ([`ShardStats::failed`](crate::ShardStats)) and logged with the actor's path as an `ERROR` event of `tracing`. Ten thousand
//! of them a second must not spend the shard's time on showing each a second time. So the first system of a process puts
//! a hook in front of the one that is there. On the thread of a shard it lets through the first [`SHOWN`], then none for five
//! minutes, by the rule by which dead letters are logged; of all other threads, everything. A hook that the program sets
//! later takes the place of both, and is called for each.
//!
//! Only the hook is told where in the source a panic was. It leaves that behind for whoever catches the panic, so that each
//! failure that is logged says it, long after the hook has fallen silent. The text of a place is made once and kept for
//! good: there are as many as the program has places that panic.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::panic::{self, Location, PanicHookInfo};
use std::sync::{Mutex, Once, OnceLock, PoisonError};
use std::time::Instant;

use corelane_kernel::Time;

use crate::log::{Limit, Pass, SILENCE};
use crate::unwind;

/// Panics of one shard that the hook shows before it falls silent.
const SHOWN: u32 = 10;

thread_local! {
    /// On a shard's thread, how many may still be shown.
    static LIMIT: RefCell<Option<Limit>> = const { RefCell::new(None) };
    /// Where the last panic of this thread was, and a digest of what it said.
    static LAST: Cell<Option<(u64, &'static str)>> = const { Cell::new(None) };
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
        panic::set_hook(Box::new(move |info| {
            note(info);
            match ask() {
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
            }
        }));
    });
}

/// Where the panic was that was just caught on this thread and says this, if the hook has seen it. A panic that was resumed
/// with another payload has gone past the hook: it does not get the place of the one before.
pub(crate) fn location_of(text: &str) -> Option<&'static str> {
    let (said, location) = LAST.try_with(Cell::take).ok()??;
    (said == digest(text)).then_some(location)
}

/// Leaves behind where a panic is.
fn note(info: &PanicHookInfo<'_>) {
    let last = info.location().map(|at| (digest(unwind::text(info.payload())), text_of(at)));
    // A thread that ends has nobody who catches it.
    let _ = LAST.try_with(|kept| kept.set(last));
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// File, line and column of a place.
type At<'a> = (&'a str, u32, u32);

/// A place in words, which stay.
fn text_of(location: &Location<'_>) -> &'static str {
    static TEXTS: Mutex<BTreeMap<At<'static>, &'static str>> = Mutex::new(BTreeMap::new());
    fn known<'a>(texts: &BTreeMap<At<'a>, &'static str>, at: At<'a>) -> Option<&'static str> {
        texts.get(&at).copied()
    }
    let (file, line, column) = (location.file(), location.line(), location.column());
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = known(&texts, (file, line, column)) {
        return text;
    }
    let text: &'static str = Box::leak(format!("{file}:{line}:{column}").into_boxed_str());
    texts.insert((&text[..file.len()], line, column), text);
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches what panics, and gives what was said with its place.
    fn caught(panics: impl FnOnce()) -> (String, Option<&'static str>) {
        let panic = panic::catch_unwind(panic::AssertUnwindSafe(panics)).expect_err("it panics");
        unwind::tell(panic, |text| (text.to_owned(), location_of(text)))
    }

    #[test]
    fn who_catches_a_panic_knows_its_place_and_of_no_other() {
        install();
        let line = line!() + 1;
        let first = caught(|| panic!("on purpose: {}", 1));
        assert_eq!((&first.0[..], first.1), ("on purpose: 1", Some(&*format!("{}:{line}:31", file!()))));
        // The same place in the same words, however often.
        let again: Vec<_> = (0..3).map(|_| caught(|| panic!("on purpose")).1.map(str::as_ptr)).collect();
        assert!(again[0].is_some() && again.iter().all(|text| *text == again[0]));
        // It is known once.
        assert_eq!(location_of("on purpose"), None);
        // One that goes past the hook has no place: neither none at all, nor that of one that somebody else caught.
        assert_eq!(caught(|| panic::resume_unwind(Box::new("resumed"))), ("resumed".to_owned(), None));
        let taken = || {
            let _ = panic::catch_unwind(|| panic!("on purpose: taken"));
            panic::resume_unwind(Box::new("resumed"))
        };
        assert_eq!(caught(taken), ("resumed".to_owned(), None));
    }
}
