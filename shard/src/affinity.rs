//! Binding a thread to a core.
//!
//! A thin, safe face over `core_affinity`: it bounds the core's number (the library would index past its
//! mask), turns its `bool` into an error that says what happened, and reads the mask back, so that `Ok` means
//! that the thread runs on that core and nowhere else. Which cores may be asked for, and which one is wise,
//! is decided by [`topology`](crate::topology); nothing here chooses.

use std::fmt;

use crate::topology::{format_core_list, parse_core_list};

/// Core numbers below this fit into the affinity mask that `core_affinity` builds on this operating system.
const MASK_CORES: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    1024
} else if cfg!(target_os = "windows") {
    64
} else {
    256
};

/// Whether the operating system reports the mask of one thread. Windows reports the process's mask, macOS
/// takes a pin as a hint, and NetBSD's answer lists every core: there the system's word is all there is.
const READS_BACK: bool = cfg!(any(target_os = "linux", target_os = "android", target_os = "freebsd"));

/// Why a thread could not be pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinError {
    /// The number is beyond what this operating system's mask can name. Nothing changed; the caller's
    /// mistake.
    OutOfRange {
        /// The core asked for.
        core: usize,
        /// The highest number that can be named.
        highest: usize,
    },
    /// The operating system refused: the core is offline, does not exist, lies outside the container's CPU
    /// set, or pinning is not supported here. Nothing changed.
    Refused {
        /// The core asked for.
        core: usize,
    },
    /// The operating system agreed, but the thread's mask read back is another one: something else (a
    /// container manager, a debugger) changes it too. The mask is now `found`.
    Elsewhere {
        /// The core asked for.
        core: usize,
        /// The cores on which the thread may run now; empty if the mask could not be read.
        found: Vec<usize>,
    },
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { core, highest } => {
                write!(f, "core {core} cannot be named to this operating system (highest: {highest})")
            }
            Self::Refused { core } => write!(
                f,
                "the operating system refused to pin the thread to core {core} (offline, outside the CPU \
                 set, or not supported)"
            ),
            Self::Elsewhere { core, found } => {
                write!(
                    f,
                    "the thread was pinned to core {core}, but may now run on: {}",
                    format_core_list(found)
                )
            }
        }
    }
}

impl std::error::Error for PinError {}

/// Binds the calling thread to `core` (a logical CPU number, as the operating system counts them) until it
/// ends or is pinned again. Threads that it spawns afterwards inherit the pin.
///
/// On Linux, Android and FreeBSD the mask is read back, and `Ok` is a fact. On Windows and NetBSD it means
/// that the system call succeeded; on macOS, that a hint was taken.
///
/// Costs two system calls and, on a loaded core, a migration.
///
/// # Errors
/// See [`PinError`]; each variant says whether the thread's mask changed.
pub fn pin_current_thread(core: usize) -> Result<(), PinError> {
    if core >= MASK_CORES {
        return Err(PinError::OutOfRange { core, highest: MASK_CORES - 1 });
    }
    if !core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
        return Err(PinError::Refused { core });
    }
    if READS_BACK {
        let found = current_affinity().unwrap_or_default();
        if found != [core] {
            return Err(PinError::Elsewhere { core, found });
        }
    }
    Ok(())
}

/// The cores on which the calling thread may run, in ascending order, or `None` where the system does not
/// tell.
///
/// This is what a container's CPU set, `taskset` and `numactl` leave over; a thread that is already pinned
/// sees its own core only. Where the system counts more cores than `core_affinity`'s mask holds, the kernel
/// refuses to fill it, and procfs, which has no such bound, is asked instead.
pub(crate) fn current_affinity() -> Option<Vec<usize>> {
    let mut cores: Vec<usize> = match core_affinity::get_core_ids() {
        Some(ids) => ids.into_iter().map(|id| id.id).collect(),
        None => allowed_in_status(&std::fs::read_to_string("/proc/thread-self/status").ok()?)?,
    };
    cores.sort_unstable();
    (!cores.is_empty()).then_some(cores)
}

/// The allowed set in the text of a procfs `status` file.
fn allowed_in_status(status: &str) -> Option<Vec<usize>> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    parse_core_list(list.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs on a thread of its own, because a pin outlives the test on the thread that made it.
    fn on_a_thread<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
        std::thread::spawn(body).join().expect("the thread ends without a panic")
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_pinned_thread_may_run_on_that_core_only() {
        let allowed = current_affinity().expect("Linux tells the mask");
        assert!(allowed.is_sorted());
        for core in allowed {
            let after = on_a_thread(move || pin_current_thread(core).map(|()| current_affinity()));
            assert_eq!(after, Ok(Some(vec![core])));
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_thread_can_be_pinned_again() {
        let allowed = current_affinity().expect("Linux tells the mask");
        let last = on_a_thread(move || {
            for &core in &allowed {
                pin_current_thread(core).expect("allowed, so pinnable");
            }
            current_affinity() == allowed.last().map(|&core| vec![core])
        });
        assert!(last);
    }

    #[test]
    fn a_number_past_the_mask_is_an_error_and_changes_nothing() {
        on_a_thread(|| {
            let before = current_affinity();
            for core in [MASK_CORES, MASK_CORES + 1, usize::MAX] {
                assert_eq!(
                    pin_current_thread(core),
                    Err(PinError::OutOfRange { core, highest: MASK_CORES - 1 })
                );
            }
            assert_eq!(current_affinity(), before);
        });
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_core_that_does_not_exist_is_refused_and_changes_nothing() {
        on_a_thread(|| {
            let possible = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
            let missing =
                parse_core_list(possible.trim()).ok().and_then(|all| all.last().map(|last| last + 1));
            // Where sysfs is hidden, the mask's last core stands in for one that is not there.
            let core = missing.unwrap_or(MASK_CORES - 1).min(MASK_CORES - 1);
            let before = current_affinity();
            assert_eq!(pin_current_thread(core), Err(PinError::Refused { core }));
            assert_eq!(current_affinity(), before);
        });
    }

    #[test]
    fn the_status_file_names_the_allowed_set() {
        let status =
            "Name:\tx\nCpus_allowed:\tff,00000003\nCpus_allowed_list:\t0-1,32-39\nMems_allowed:\t1\n";
        assert_eq!(allowed_in_status(status), Some(vec![0, 1, 32, 33, 34, 35, 36, 37, 38, 39]));
        assert_eq!(allowed_in_status("Name:\tx\n"), None);
        assert_eq!(allowed_in_status("Cpus_allowed_list:\t\n"), None);
        assert_eq!(allowed_in_status("Cpus_allowed_list:\tf,f\n"), None);
    }

    #[test]
    fn errors_name_the_core() {
        for error in [
            PinError::OutOfRange { core: 77, highest: 63 },
            PinError::Refused { core: 77 },
            PinError::Elsewhere { core: 77, found: vec![1, 2, 3] },
        ] {
            assert!(error.to_string().contains("core 77"), "{error}");
        }
        assert!(PinError::Elsewhere { core: 7, found: vec![1, 2, 3] }.to_string().contains("1-3"));
    }
}
