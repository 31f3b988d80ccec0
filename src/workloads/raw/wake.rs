//! The raw loop of a wake-up: two threads that sleep until the other wakes them.
//!
//! `std`'s park and unpark are one futex wait and one futex wake on Linux, with nothing around them: the
//! cheapest way there is for a thread to sleep until another says so. An eventfd was measured against it and
//! was no faster: it is two system calls for each direction as well, both through the file layer.
//!
//! Before each round the caller lets a moment pass, which does not count: two threads that answer each other faster than
//! they fall asleep would never sleep at all.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::workloads::cross::let_sleep;
use crate::workloads::error::check;
use crate::workloads::{Cost, Plan, WorkloadError, pin};

/// One direction: a counter to look at, and the thread that sleeps until it moves.
#[derive(Default)]
struct Bell {
    rung: AtomicU64,
    sleeper: OnceLock<Thread>,
}

impl Bell {
    /// Names the calling thread as the one to wake.
    fn listen(&self) {
        self.sleeper.get_or_init(thread::current);
    }

    fn ring(&self) {
        self.rung.fetch_add(1, Ordering::Release);
        self.sleeper.wait().unpark();
    }

    /// Sleeps until the bell has been rung `times` times altogether.
    fn wait(&self, times: u64) {
        while self.rung.load(Ordering::Acquire) < times {
            thread::park();
        }
    }
}

/// Bounds `wake`: one thread wakes another that is parked, and parks until that one wakes it.
///
/// # Errors
/// A core that cannot be used, or a wrong number of wake-ups.
pub(in crate::workloads) fn park(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = plan.pick(20_000, 2_000);
    let (there, back) = (Bell::default(), Bell::default());
    let (elapsed, ()) = pin::pair(
        plan.pair()?,
        || {
            back.listen();
            let mut spent = Duration::ZERO;
            for round in 1..=rounds {
                let began = let_sleep();
                there.ring();
                back.wait(round);
                spent += began.elapsed();
            }
            spent
        },
        || {
            there.listen();
            for round in 1..=rounds {
                there.wait(round);
                back.ring();
            }
        },
    )?;
    check("the wake-ups", 2 * rounds, there.rung.into_inner() + back.rung.into_inner())?;
    Ok(Cost::time(elapsed, rounds))
}
