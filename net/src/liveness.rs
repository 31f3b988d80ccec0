//! Whether a peer is still there: a φ-accrual failure detector over the times between its signs of life.
//!
//! After N. Hayashibara, X. Défago, R. Yared, T. Katayama, *The φ Accrual Failure Detector*, SRDS 2004. φ is the negative
//! decimal logarithm of the probability that a sign of life comes later than now, given how far apart they were: 1 means a
//! mistake in one case of ten, 10 in one of ten thousand million. As in Akka, the distribution is the normal one, its tail the
//! logistic approximation `1 / (1 + e^(y (1.5976 + 0.070566 y²)))` (off by at most 0.00014), the mean is put off by a pause
//! that is put up with, the deviation has a floor, and before there is a history one is made up from a first estimate.
//!
//! No clock: times come in.

use std::collections::VecDeque;
use std::time::Duration;

use corelane_kernel::Time;

/// Times between heartbeats that may be remembered.
pub const SAMPLES_MAX: usize = 1 << 16;

/// More than a year is silence, not an interval.
const INTERVAL_MAX: u64 = 1 << 55;

// So no sum of squares overflows.
const _: () =
    assert!(((INTERVAL_MAX as u128) * (INTERVAL_MAX as u128)).checked_mul(SAMPLES_MAX as u128).is_some());

/// How soon a peer is given up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LivenessConfig {
    /// φ from which on it is. Each further 1 makes a mistake ten times as rare and takes longer. Default 10.
    pub threshold: f64,
    /// How long a peer may be silent beyond what is usual without becoming suspect: a collector of garbage, a suspended
    /// machine, a short outage. Default 10 s. Zero finds a dead peer within a few heartbeats, and a slow one as well.
    pub pause: Duration,
    /// Times between heartbeats that are remembered, from 2 to [`SAMPLES_MAX`]: what is outside is taken for the nearest.
    /// Default 200.
    pub samples: usize,
    /// Least standard deviation that is assumed: a peer that was very regular may be a little late all the same. Default
    /// 100 ms.
    pub deviation_min: Duration,
    /// The time between heartbeats that is assumed until some have come; its deviation is a quarter. Default 1 s.
    pub first: Duration,
}

impl Default for LivenessConfig {
    fn default() -> Self {
        LivenessConfig {
            threshold: 10.0,
            pause: Duration::from_secs(10),
            samples: 200,
            deviation_min: Duration::from_millis(100),
            first: Duration::from_secs(1),
        }
    }
}

/// Watches one peer.
///
/// ```
/// use std::time::Duration;
/// use corelane_kernel::Time;
/// use corelane_net::liveness::{Detector, LivenessConfig};
///
/// let mut detector = Detector::new(LivenessConfig { pause: Duration::from_secs(3), ..Default::default() });
/// for second in 0..60 {
///     detector.heartbeat(Time::from_millis(second * 1000));
/// }
/// assert!(detector.is_available(Time::from_millis(62_000)));
/// assert!(!detector.is_available(Time::from_millis(66_000)));
/// ```
#[derive(Clone, Debug)]
pub struct Detector {
    config: LivenessConfig,
    /// Nanoseconds between heartbeats, oldest first.
    intervals: VecDeque<u64>,
    sum: u128,
    /// Sum of the squares.
    squares: u128,
    beat: Option<Time>,
    heard: Option<Time>,
}

impl Detector {
    /// One that has heard nothing yet.
    pub fn new(config: LivenessConfig) -> Detector {
        let config = LivenessConfig { samples: config.samples.clamp(2, SAMPLES_MAX), ..config };
        let mut detector = Detector {
            config,
            intervals: VecDeque::with_capacity(config.samples),
            sum: 0,
            squares: 0,
            beat: None,
            heard: None,
        };
        let first = nanos(config.first);
        detector.remember(first.saturating_sub(first / 4));
        detector.remember(first.saturating_add(first / 4));
        detector
    }

    fn remember(&mut self, interval: u64) {
        if self.intervals.len() >= self.config.samples
            && let Some(oldest) = self.intervals.pop_front()
        {
            self.sum -= u128::from(oldest);
            self.squares -= u128::from(oldest) * u128::from(oldest);
        }
        let interval = interval.min(INTERVAL_MAX);
        self.intervals.push_back(interval);
        self.sum += u128::from(interval);
        self.squares += u128::from(interval) * u128::from(interval);
    }

    /// A heartbeat has come. Its distance from the one before is remembered, unless the peer had been given up: that silence
    /// says nothing about its rhythm.
    pub fn heartbeat(&mut self, now: Time) {
        if let Some(before) = self.beat
            && self.is_available(now)
        {
            self.remember(nanos(now.since(before)));
        }
        self.beat = Some(now);
        self.heard(now);
    }

    /// Something else has come: the peer is alive, but this says nothing about its rhythm.
    pub fn heard(&mut self, now: Time) {
        self.heard = Some(self.heard.map_or(now, |before| before.max(now)));
    }

    /// Waiting begins: from here on silence counts, though nothing has been heard.
    pub fn expect(&mut self, now: Time) {
        self.heard(now);
    }

    /// Until now nobody was here for so long to hear anything: it was not the peer that was silent, and no part of its rhythm.
    pub fn excuse(&mut self, now: Time, absence: Duration) {
        // What was heard since is not put off into the future, where it would hide a silence that is yet to come.
        let later = |time: Time| (time + absence).min(now).max(time);
        self.heard = self.heard.map(later);
        self.beat = self.beat.map(later);
    }

    /// The suspicion now: 0 before anything was heard, and beyond all bounds with time.
    pub fn phi(&self, now: Time) -> f64 {
        let Some(heard) = self.heard else { return 0.0 };
        let silence = now.since(heard).as_secs_f64();
        let (mean, deviation) = self.usual();
        let y = (silence - mean - self.config.pause.as_secs_f64()) / deviation;
        let e = (-y * (1.5976 + 0.070566 * y * y)).exp();
        // Of the two ways to write the same the one that loses no digits.
        if y > 0.0 { -(e / (1.0 + e)).log10() } else { -(1.0 - 1.0 / (1.0 + e)).log10() }
    }

    /// Whether the suspicion is below the threshold.
    pub fn is_available(&self, now: Time) -> bool {
        self.phi(now) < self.config.threshold
    }

    /// Mean of what is remembered and its standard deviation, no less than the least; in seconds.
    fn usual(&self) -> (f64, f64) {
        const SECOND: f64 = 1e9;
        let count = self.intervals.len().max(1) as f64;
        let mean = self.sum as f64 / SECOND / count;
        let variance = self.squares as f64 / (SECOND * SECOND) / count - mean * mean;
        (mean, variance.max(0.0).sqrt().max(self.config.deviation_min.as_secs_f64()).max(1e-9))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONFIG: LivenessConfig = LivenessConfig {
        threshold: 8.0,
        pause: Duration::from_secs(3),
        samples: 20,
        deviation_min: Duration::from_millis(100),
        first: Duration::from_secs(1),
    };

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    /// Conformance 42: regular heartbeats keep the suspicion low, missed ones beyond the tolerated pause end it, and new
    /// ones make the peer available again.
    #[test]
    fn a_peer_is_given_up_after_the_pause_and_is_back_with_its_next_heartbeat() {
        let mut detector = Detector::new(CONFIG);
        assert_eq!(detector.phi(at(1 << 40)), 0.0);
        detector.heartbeat(at(0));
        // A guess after one.
        assert!(detector.phi(at(1000)) < 0.3 && detector.phi(at(60_000)) > 8.0);
        for second in 1..100 {
            assert!(detector.is_available(at(second * 1000)));
            detector.heartbeat(at(second * 1000));
        }
        assert!(detector.is_available(at(99_000 + 4000)));
        assert!(!detector.is_available(at(99_000 + 5000)));
        detector.heartbeat(at(120_000));
        assert!(detector.is_available(at(120_000)));
        // The long silence was no interval.
        assert!(!detector.is_available(at(126_000)));
    }

    /// Reliability 31: an absence of this process, whether what came meanwhile is read before it is noticed or after.
    #[test]
    fn an_absence_is_neither_silence_nor_rhythm_nor_an_advance_on_silence_to_come() {
        for read_first in [false, true] {
            let mut detector = Detector::new(CONFIG);
            for second in 0..20 {
                detector.heartbeat(at(second * 1000));
            }
            let (back, absence) = (3_600_000, Duration::from_millis(3_600_000 - 20_000));
            if read_first {
                detector.heartbeat(at(back));
            }
            detector.excuse(at(back), absence);
            if !read_first {
                detector.heartbeat(at(back));
            }
            assert!(detector.is_available(at(back + 4000)), "{read_first}");
            assert!(!detector.is_available(at(back + 6000)), "{read_first}");
        }
    }

    #[test]
    fn the_history_is_capped() {
        let mut detector = Detector::new(CONFIG);
        let mut now = 0;
        for step in [1000, 2000] {
            for _ in 0..100 {
                now += step;
                detector.heartbeat(at(now));
            }
            assert_eq!(detector.intervals.len(), 20);
            assert_eq!(detector.usual(), (step as f64 / 1000.0, 0.1));
        }
    }

    /// Nobody is ever given up, and heartbeats come once in a lifetime.
    #[test]
    fn settings_and_times_beyond_all_bounds_are_taken_for_the_nearest() {
        let longest = Duration::MAX;
        let config = LivenessConfig { pause: longest, samples: usize::MAX, first: longest, ..CONFIG };
        let mut detector = Detector::new(config);
        let mut few = Detector::new(LivenessConfig { samples: 0, ..config });
        for beat in 0..100 {
            let now = if beat % 2 == 0 { Time::ZERO } else { Time::MAX };
            for detector in [&mut detector, &mut few] {
                detector.heartbeat(now);
                detector.excuse(now, longest);
                assert!(detector.is_available(Time::MAX) && !detector.phi(now).is_nan());
            }
        }
        assert_eq!(few.intervals.len(), 2);
    }

    #[test]
    fn the_suspicion_is_what_the_normal_distribution_says() {
        let mut detector = Detector::new(LivenessConfig { pause: Duration::ZERO, ..CONFIG });
        for second in 0..100 {
            detector.heartbeat(at(second * 1000));
        }
        // Deviations past the mean, and −log10 of the normal distribution's tail there.
        for (deviations, phi) in [(0, 0.301), (1, 0.7995), (2, 1.643), (3, 2.87)] {
            let found = detector.phi(at(99_000 + 1000 + deviations * 100));
            assert!((found - phi).abs() < 0.05, "{deviations}: {found} for {phi}");
        }
    }

    proptest! {
        #[test]
        fn the_suspicion_grows_with_silence_and_is_a_number(
            steps in prop::collection::vec(0..10_000_000_000_u64, 0..50),
            silences in prop::collection::vec(0..100_000_000_000_u64, 2..20),
        ) {
            let mut detector = Detector::new(CONFIG);
            let mut now = 0;
            for step in steps {
                now += step;
                detector.heartbeat(Time::from_nanos(now));
            }
            let mut silences = silences;
            silences.sort_unstable();
            let mut least = 0.0;
            for silence in silences {
                let phi = detector.phi(Time::from_nanos(now + silence));
                prop_assert!(!phi.is_nan() && phi >= least - 1e-9, "{phi} after {least}");
                least = phi;
            }
        }
    }
}
