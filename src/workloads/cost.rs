//! What a workload reports: a total, and the number of things it is the total of.
//!
//! Every figure of the suite is a cost, so that smaller is better everywhere: nanoseconds for each message,
//! round trip or actor, and bytes for each actor. A [`Cost`] keeps the total and the count rather than their
//! quotient, so that the command can divide and the criterion suite can use the time as it is.

use std::fmt;
use std::time::Duration;

/// What one workload cost in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    total: Total,
    count: u64,
}

/// The two kinds of total a workload can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Total {
    Time(Duration),
    Bytes(u64),
}

impl Cost {
    /// `count` messages, round trips or actors took `elapsed` altogether.
    #[must_use]
    pub const fn time(elapsed: Duration, count: u64) -> Self {
        Self { total: Total::Time(elapsed), count }
    }

    /// `count` actors occupied `bytes` altogether.
    #[must_use]
    pub const fn bytes(bytes: u64, count: u64) -> Self {
        Self { total: Total::Bytes(bytes), count }
    }

    /// The cost of one: nanoseconds or bytes. A count of zero gives infinity or NaN, never a small figure.
    #[must_use]
    pub fn each(&self) -> f64 {
        let total = match self.total {
            Total::Time(elapsed) => elapsed.as_secs_f64() * 1e9,
            Total::Bytes(bytes) => bytes as f64,
        };
        total / self.count as f64
    }

    /// The cost of one `parts`-th of what this is the cost of: the same total over so many times the count.
    #[must_use]
    pub const fn split(self, parts: u64) -> Self {
        Self { total: self.total, count: self.count * parts }
    }

    /// The cost of doing it `times` times: so many times the total over the same count.
    #[must_use]
    pub const fn times(self, times: u32) -> Self {
        let total = match self.total {
            Total::Time(elapsed) => Total::Time(elapsed.saturating_mul(times)),
            Total::Bytes(bytes) => Total::Bytes(bytes.saturating_mul(times as u64)),
        };
        Self { total, count: self.count }
    }

    /// How many things the total covers.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The time measured, or `None` where the workload measured bytes.
    #[must_use]
    pub const fn elapsed(&self) -> Option<Duration> {
        match self.total {
            Total::Time(elapsed) => Some(elapsed),
            Total::Bytes(_) => None,
        }
    }

    /// The bytes counted, or `None` where the workload measured time.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<u64> {
        match self.total {
            Total::Bytes(bytes) => Some(bytes),
            Total::Time(_) => None,
        }
    }
}

/// The unit of a workload's figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds for each message delivered.
    NanosPerMessage,
    /// Nanoseconds for each request with its answer.
    NanosPerRoundTrip,
    /// Nanoseconds for each actor's whole life.
    NanosPerActor,
    /// Nanoseconds for each failure of an actor and its restart.
    NanosPerRestart,
    /// Nanoseconds that 99 of 100 messages take at most, from being told to being handled.
    NanosAtP99,
    /// Nanoseconds until a host has joined another.
    NanosPerJoin,
    /// Bytes of resident memory for each actor.
    BytesPerActor,
}

impl Unit {
    /// The unit as the command prints it, in its table and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NanosPerMessage => "ns/message",
            Self::NanosPerRoundTrip => "ns/round trip",
            Self::NanosPerActor => "ns/actor",
            Self::NanosPerRestart => "ns/restart",
            Self::NanosAtP99 => "ns at p99",
            Self::NanosPerJoin => "ns/join",
            Self::BytesPerActor => "bytes/actor",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_divides_the_total_by_the_count() {
        assert_eq!(Cost::time(Duration::from_micros(10), 1_000).each(), 10.0);
        assert_eq!(Cost::bytes(480, 10).each(), 48.0);
    }

    #[test]
    fn split_and_times_change_what_one_is() {
        let lap = Cost::time(Duration::from_micros(10), 100);
        assert_eq!((lap.each(), lap.split(4).each(), lap.times(2).each()), (100.0, 25.0, 200.0));
    }

    #[test]
    fn a_count_of_zero_is_never_a_small_figure() {
        assert!(!Cost::time(Duration::from_secs(1), 0).each().is_finite());
        assert!(!Cost::bytes(0, 0).each().is_finite());
    }

    #[test]
    fn a_total_is_a_time_or_bytes() {
        let (time, bytes) = (Cost::time(Duration::from_secs(2), 1), Cost::bytes(7, 1));
        assert_eq!((time.elapsed(), time.as_bytes()), (Some(Duration::from_secs(2)), None));
        assert_eq!((bytes.elapsed(), bytes.as_bytes()), (None, Some(7)));
    }
}
