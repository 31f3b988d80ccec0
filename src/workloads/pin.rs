//! Pinned threads for the loops that run beside the system.
//!
//! A raw loop must have the same conditions as the workload that it bounds, so it runs on threads of its own,
//! each pinned to the core that the shard had. A loop of which one thread could not be pinned does not start:
//! there is never a figure from an unpinned thread, nor a thread that spins for a partner who is not there.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use corelane_shard::topology::pin_current_thread;

use super::error::WorkloadError;

/// Runs `body` on a thread of its own, pinned to `core`.
///
/// # Errors
/// [`WorkloadError::Pinning`] if the core may not be used, [`WorkloadError::Panicked`] if the body panics.
pub(super) fn run<T, F>(core: usize, body: F) -> Result<T, WorkloadError>
where
    T: Send,
    F: FnOnce() -> T + Send,
{
    thread::scope(|scope| {
        let handle = scope.spawn(|| {
            pin_current_thread(core).map_err(|source| WorkloadError::Pinning { source })?;
            Ok(body())
        });
        handle.join().map_err(|_| WorkloadError::Panicked)?
    })
}

/// Runs `first` and `second` at the same time, each on a thread of its own pinned to its core. Neither begins
/// before both are pinned.
///
/// # Errors
/// As [`run`].
pub(super) fn pair<A, B, F, G>(cores: [usize; 2], first: F, second: G) -> Result<(A, B), WorkloadError>
where
    A: Send,
    B: Send,
    F: FnOnce() -> A + Send,
    G: FnOnce() -> B + Send,
{
    let met = Barrier::new(2);
    let both = [AtomicBool::new(false), AtomicBool::new(false)];
    // The one that could not be pinned says why; the other only does not begin.
    let ready = |own: usize| {
        let pinned = pin_current_thread(cores[own]);
        both[own].store(pinned.is_ok(), Ordering::SeqCst);
        met.wait();
        pinned.map_err(|source| WorkloadError::Pinning { source })?;
        Ok(both[1 - own].load(Ordering::SeqCst))
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| Ok::<_, WorkloadError>(ready(0)?.then(first)));
        let second = scope.spawn(|| Ok::<_, WorkloadError>(ready(1)?.then(second)));
        let (first, second) = (first.join(), second.join());
        match (first.map_err(|_| WorkloadError::Panicked)??, second.map_err(|_| WorkloadError::Panicked)??) {
            (Some(first), Some(second)) => Ok((first, second)),
            // Unreachable: a side that does not begin means an error on the other.
            _ => Err(WorkloadError::Panicked),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane_shard::topology::Topology;

    /// A number that no machine has as a core, yet within the system's set of cores.
    const NO_CORE: usize = 1023;

    fn a_core() -> usize {
        Topology::read().allowed[0]
    }

    #[test]
    fn a_core_that_does_not_exist_is_an_error() {
        assert!(matches!(run(NO_CORE, || 1), Err(WorkloadError::Pinning { .. })));
    }

    #[test]
    fn a_pair_of_which_one_cannot_be_pinned_does_not_begin() {
        let began = AtomicBool::new(false);
        let begin = || began.store(true, Ordering::SeqCst);
        for cores in [[a_core(), NO_CORE], [NO_CORE, a_core()]] {
            assert!(matches!(pair(cores, begin, begin), Err(WorkloadError::Pinning { .. })));
        }
        assert!(!began.load(Ordering::SeqCst));
    }

    #[test]
    fn a_panic_is_an_error() {
        let result = run(a_core(), || {
            if a_core() != NO_CORE {
                panic!("as the test wants")
            }
        });
        assert!(matches!(result, Err(WorkloadError::Panicked)));
    }
}
