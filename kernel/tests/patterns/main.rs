//! The patterns: each against a simple model under random events, and in actors of a real kernel whose clock only the
//! test moves.

#[path = "../common/mod.rs"]
mod common;

mod aggregate;
mod breaker;
mod debounce;
mod pull;
mod retry;
mod throttle;

use corelane_kernel::Time;
use proptest::prelude::*;
use std::time::Duration;

fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// Times from everywhere, the ends above all.
fn any_time() -> impl Strategy<Value = Time> {
    prop_oneof![(0u64..50), any::<u64>(), (u64::MAX - 50..=u64::MAX)].prop_map(at)
}

/// Durations from everywhere, zero and those beyond all time among them.
fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0u64..50).prop_map(ns),
        any::<u64>().prop_map(ns),
        (any::<u64>(), 0u32..1_000_000_000).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
        Just(Duration::MAX),
    ]
}
