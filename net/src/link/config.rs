//! The settings of a link, with what each is for, and their relations.

use std::fmt;
use std::time::Duration;

use crate::liveness::{LivenessConfig, SAMPLES_MAX};
use crate::wire::{CHUNK_FRAME, FRAME_MIN, HEAD, MESSAGE_FRAME, STREAM_HEAD, TEXT_MAX};

/// Incarnations of a peer that are remembered as dead, the oldest forgotten first. One that comes back after so many others
/// would be taken for new.
pub const GRAVES_MAX: usize = 64;

/// Connections of one link that may wait for the answer to their welcome. With one more the oldest is closed.
pub const KNOCKS_MAX: usize = 4;

/// Settings of one link, or of all links of a host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// How often a sign of life is sent. Default 1 s. The peer's detector learns the rhythm, so the two ends may differ.
    pub heartbeat: Duration,
    /// When a peer is given up.
    pub liveness: LivenessConfig,
    /// How long connecting and the hellos may take. Default 15 s.
    pub handshake: Duration,
    /// The wait before the first new attempt to connect; doubled with each that fails. Default 50 ms.
    pub redial_first: Duration,
    /// The longest such wait. Default 5 s. A fifth of each wait is random, so that hosts do not come all at once.
    pub redial_max: Duration,
    /// Longest body of a frame that is taken, in bytes: what a receive buffer must hold with a head before it. At least
    /// 4096. Default 64 KiB.
    pub frame_max: u32,
    /// Longest message that is taken, in bytes. With [`LinkConfig::streams_max`], what a peer can make this end hold. Default
    /// 16 MiB.
    pub message_max: u64,
    /// Longest message that goes in one frame, in bytes; longer ones go in chunks of this size, with other frames in
    /// between. Small values make large messages disturb others less and cost more. Default 16 KiB.
    pub chunk: usize,
    /// Large messages to different actors that are under way at once, each way: as many as both ends say. Default 4.
    pub streams_max: usize,
    /// Bytes of large messages that wait to be sent. Default 64 MiB.
    pub backlog_max: usize,
    /// Bytes that a peer may send ahead of what was handled here. At least four chunks. Default 4 MiB.
    pub credit_bytes: u64,
    /// Messages that it may. Default 65,536.
    pub credit_messages: u64,
    /// Signals that wait for their acknowledgement. One more, and the peer is given up: it does not take in what must not be
    /// lost. Default 20,000.
    pub signals_max: usize,
    /// Messages that cannot be read, or whose target cannot be, before the peer is taken to mean harm and its connection is
    /// closed. Default 1000.
    pub strikes_max: u32,
    /// Settles the random part of waits.
    pub seed: u64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        LinkConfig {
            heartbeat: Duration::from_secs(1),
            liveness: LivenessConfig::default(),
            handshake: Duration::from_secs(15),
            redial_first: Duration::from_millis(50),
            redial_max: Duration::from_secs(5),
            frame_max: 64 << 10,
            message_max: 16 << 20,
            chunk: 16 << 10,
            streams_max: 4,
            backlog_max: 64 << 20,
            credit_bytes: 4 << 20,
            credit_messages: 1 << 16,
            signals_max: 20_000,
            strikes_max: 1000,
            seed: 0,
        }
    }
}

/// A setting that makes no sense, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfigError(pub &'static str);

impl fmt::Display for LinkConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for LinkConfigError {}

impl LinkConfig {
    /// Checks the settings and their relations.
    ///
    /// # Errors
    /// [`LinkConfigError`] names the first that is wrong.
    pub fn check(&self) -> Result<(), LinkConfigError> {
        let chunk = u64::try_from(self.chunk).unwrap_or(u64::MAX);
        let wrong = [
            (self.heartbeat.is_zero(), "heartbeat must not be zero"),
            (self.handshake.is_zero(), "handshake must not be zero"),
            (self.redial_first.is_zero(), "redial_first must not be zero"),
            (self.redial_max < self.redial_first, "redial_max must be at least redial_first"),
            (self.frame_max < FRAME_MIN, "frame_max must be at least 4096"),
            (self.frame_max > 16 << 20, "frame_max must be at most 16 MiB"),
            (
                self.chunk < 1024 || !self.chunk.is_multiple_of(8),
                "chunk must be a multiple of 8, and at least 1024",
            ),
            (chunk > u64::from(self.frame_max).saturating_sub(64), "chunk must be less than frame_max by 64"),
            (self.message_max < chunk, "message_max must be at least chunk"),
            (self.streams_max == 0, "streams_max must be at least 1"),
            (self.backlog_max < self.chunk, "backlog_max must be at least chunk"),
            (
                self.credit_bytes < 4 * chunk.max(FRAME_MIN.into()),
                "credit_bytes must be at least four chunks",
            ),
            (self.credit_messages < 2, "credit_messages must be at least 2"),
            (self.signals_max == 0, "signals_max must be at least 1"),
            (self.strikes_max == 0, "strikes_max must be at least 1"),
            (
                !(2..=SAMPLES_MAX).contains(&self.liveness.samples),
                "liveness.samples must be from 2 to 65,536",
            ),
            (
                self.liveness.threshold.is_nan() || self.liveness.threshold <= 0.0,
                "liveness.threshold must be above 0",
            ),
        ];
        match wrong.iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, what)) => Err(LinkConfigError(what)),
            None => Ok(()),
        }
    }

    /// The room that a send buffer must have when it is empty: no frame of a link is larger.
    pub fn room_min(&self) -> usize {
        self.chunk + CHUNK_FRAME.max(MESSAGE_FRAME).max(HEAD + STREAM_HEAD) + 120 + 2 * (TEXT_MAX + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense_and_nonsense_is_named() {
        assert_eq!(LinkConfig::default().check(), Ok(()));
        let wrong = LinkConfig { chunk: 1000, ..LinkConfig::default() };
        assert_eq!(
            wrong.check().unwrap_err().to_string(),
            "chunk must be a multiple of 8, and at least 1024"
        );
        let wrong = LinkConfig { chunk: 64 << 10, ..LinkConfig::default() };
        assert_eq!(wrong.check().unwrap_err().to_string(), "chunk must be less than frame_max by 64");
        for (samples, good) in [(1, false), (2, true), (SAMPLES_MAX, true), (usize::MAX, false)] {
            let liveness = LivenessConfig { samples, ..LivenessConfig::default() };
            let config = LinkConfig { liveness, ..LinkConfig::default() };
            assert_eq!(config.check().is_ok(), good, "{samples}");
        }
    }
}
