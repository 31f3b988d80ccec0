//! The trace: what happened in a simulation, as a hash that is equal only if all of it was, and as a list.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hasher;
use std::time::Duration;

use corelane_kernel::{Address, DeadReason, Time};

use crate::report::Report;

/// What a simulation did to its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Fault {
    /// Something that was published was seen later than what was published after it, in another lane to the same shard.
    LaneDelay,
    /// Messages spilled behind a full lane.
    Spill,
    /// A shard did nothing for a while.
    Stall,
    /// The clock jumped forward.
    ClockJump,
    /// A shard read an earlier time than before.
    ClockBack,
    /// A handler of a [`Chaos`](super::Chaos) panicked.
    Panic,
    /// The system was asked to shut down, whatever was under way.
    Shutdown,
    /// A shard's region had no room for what it was asked for in a step.
    MemoryRefusal,
    /// A shard was lost, with all who lived there, as if its thread had ended by a panic that nobody caught.
    ShardLoss,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 9] = [
        Fault::LaneDelay,
        Fault::Spill,
        Fault::Stall,
        Fault::ClockJump,
        Fault::ClockBack,
        Fault::Panic,
        Fault::Shutdown,
        Fault::MemoryRefusal,
        Fault::ShardLoss,
    ];

    /// Its name, as the `corelane sim` command prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Fault::LaneDelay => "lane_delay",
            Fault::Spill => "spill",
            Fault::Stall => "stall",
            Fault::ClockJump => "clock_jump",
            Fault::ClockBack => "clock_back",
            Fault::Panic => "panic",
            Fault::Shutdown => "shutdown",
            Fault::MemoryRefusal => "memory_refusal",
            Fault::ShardLoss => "shard_loss",
        }
    }
}

/// How often each fault was injected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    counts: [u64; Fault::ALL.len()],
}

impl Faults {
    /// How often this one was.
    pub const fn count(&self, fault: Fault) -> u64 {
        self.counts[fault as usize]
    }

    /// Each with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u64)> + '_ {
        Fault::ALL.into_iter().map(|fault| (fault, self.count(fault)))
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Faults) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }
}

/// An actor as a trace names it: like its [`Address`], without the system's number, which depends on what else the process
/// has started.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Whom(String);

impl From<Address> for Whom {
    fn from(address: Address) -> Whom {
        let text = format!("{address:?}");
        Whom(text.split_once('/').map_or(text.as_str(), |(_, at)| at).to_owned())
    }
}

impl Whom {
    /// As a host knows the address.
    pub(crate) fn on(host: usize, address: Address) -> Whom {
        let Whom(text) = address.into();
        Whom(if host == 0 { text } else { format!("{text} as host {host} knows it") })
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that happened in a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A shard took a step.
    Step {
        /// On which host; see [`Host`](super::Host).
        host: usize,
        /// Which shard.
        shard: usize,
        /// Messages that its actors handled in it.
        handled: u64,
        /// Actors that live there now.
        actors: u64,
    },
    /// What one shard published (or somebody outside) became visible to another.
    Lane {
        /// On which host.
        host: usize,
        /// The shard that published; `None` for a gateway.
        from: Option<usize>,
        /// The shard that sees it.
        to: usize,
        /// Signals, not messages.
        signals: bool,
    },
    /// A blocking job was done.
    Job,
    /// A fault was injected.
    Fault {
        /// What kind.
        fault: Fault,
        /// On which host.
        host: usize,
        /// Where, if it concerns one shard.
        shard: Option<usize>,
    },
    /// An actor failed.
    Failed {
        /// The actor.
        whom: Whom,
        /// Its type.
        actor: &'static str,
        /// Why.
        text: String,
    },
    /// A message was not handled.
    DeadLetter {
        /// Whom it was for.
        whom: Whom,
        /// Its type.
        message: &'static str,
        /// Why.
        reason: DeadReason,
    },
    /// A failure was escalated past all supervisors: the system stops.
    Escalated {
        /// What it says.
        text: String,
    },
    /// Code that belongs to no actor panicked.
    Panicked {
        /// What it said.
        text: String,
    },
    /// What somebody noted; see [`note`](super::note).
    Note(String),
}

/// A host, where there is more than one to name.
struct Named(usize);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            host => write!(f, "host {host}, "),
        }
    }
}

/// A shard in one word, which for the first host is its number.
const fn shard_word(host: usize, shard: u64) -> u64 {
    ((host as u64) << 32) ^ shard
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Step { host, shard, handled, actors } => {
                write!(f, "{}shard {shard} handles {handled} messages, has {actors} actors", Named(*host))
            }
            Event::Lane { host, from, to, signals } => {
                let what = if *signals { "signals" } else { "messages" };
                match from {
                    Some(from) => write!(f, "{}shard {to} sees {what} of shard {from}", Named(*host)),
                    None => write!(f, "{}shard {to} sees {what} from outside", Named(*host)),
                }
            }
            Event::Job => f.write_str("a blocking job is done"),
            Event::Fault { fault, host, shard: Some(shard) } => {
                write!(f, "fault on {}shard {shard}: {}", Named(*host), fault.name())
            }
            Event::Fault { fault, host, shard: None } => write!(f, "{}fault: {}", Named(*host), fault.name()),
            Event::Failed { whom, actor, text } => write!(f, "{actor} {whom} failed: {text}"),
            Event::DeadLetter { whom, message, reason } => {
                write!(f, "dead letter to {whom}: {message}, {reason}")
            }
            Event::Escalated { text } => write!(f, "escalated past all supervisors: {text}"),
            Event::Panicked { text } => write!(f, "code that is no actor's panicked: {text}"),
            Event::Note(text) => f.write_str(text),
        }
    }
}

/// FNV-1a (Fowler, Noll, Vo), with words in place of bytes, and turned between them since its high bits never reach the low.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) const fn new() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) const fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        text.bytes().for_each(|byte| self.word(u64::from(byte)));
    }

    pub(crate) const fn value(self) -> u64 {
        self.0
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.word(u64::from(*byte)));
    }

    fn write_u32(&mut self, word: u32) {
        self.word(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.word(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.word(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.word(word as u64);
    }

    fn finish(&self) -> u64 {
        self.value()
    }
}

/// Gathers a trace.
pub(crate) struct Tracer {
    digest: Digest,
    events: Option<Vec<(Time, Event)>>,
    faults: Faults,
    failures: BTreeMap<String, u64>,
    messages: u64,
}

impl Tracer {
    pub(crate) fn new(record: bool) -> Tracer {
        let events = record.then(Vec::new);
        Tracer {
            digest: Digest::new(),
            events,
            faults: Faults::default(),
            failures: BTreeMap::new(),
            messages: 0,
        }
    }

    pub(crate) fn add(&mut self, at: Time, event: Event) {
        let digest = &mut self.digest;
        digest.word(at.as_nanos());
        match &event {
            Event::Step { host, shard, handled, actors } => {
                self.messages += handled;
                let shard = shard_word(*host, *shard as u64);
                [1, shard, *handled, *actors].into_iter().for_each(|word| digest.word(word));
            }
            Event::Lane { host, from, to, signals } => {
                let from = from.map_or(u64::MAX, |from| from as u64);
                let to = shard_word(*host, *to as u64);
                [2, from, to, u64::from(*signals)].into_iter().for_each(|word| digest.word(word));
            }
            Event::Fault { fault, host, shard } => {
                self.faults.counts[*fault as usize] += 1;
                let shard = shard_word(*host, shard.map_or(u64::MAX, |shard| shard as u64));
                [3, *fault as u64, shard].into_iter().for_each(|word| digest.word(word));
            }
            other => {
                digest.text(&other.to_string());
                if let Event::Failed { text, .. } | Event::Panicked { text } = other {
                    *self.failures.entry(text.clone()).or_default() += 1;
                }
            }
        }
        if let Some(events) = &mut self.events {
            events.push((at, event));
        }
    }

    /// Adds something whose digest is known, as a note.
    pub(crate) fn add_digest(&mut self, at: Time, digest: u64, text: impl FnOnce() -> String) {
        self.digest.word(digest);
        if let Some(events) = &mut self.events {
            events.push((at, Event::Note(text())));
        }
    }

    pub(crate) fn events(&self) -> &[(Time, Event)] {
        self.events.as_deref().unwrap_or_default()
    }

    pub(crate) fn finish(self, seed: u64, end: Time, report: Report) -> Trace {
        Trace {
            seed,
            hash: self.digest.value(),
            events: self.events.unwrap_or_default(),
            faults: self.faults,
            failures: self.failures,
            messages: self.messages,
            virtual_time: end.since(Time::ZERO),
            report,
        }
    }
}

/// What happened in a simulation. Two runs of the same program with the same seed and options have equal traces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// A hash of all that happened, and when.
    pub hash: u64,
    /// All that happened, in order; empty unless [`Options::record`](super::Options::record) says so.
    pub events: Vec<(Time, Event)>,
    /// Faults injected, by kind.
    pub faults: Faults,
    /// What actors failed with, and code that is no actor's panicked with, and how often.
    pub failures: BTreeMap<String, u64>,
    /// Messages that actors handled.
    pub messages: u64,
    /// How much time passed in the simulation.
    pub virtual_time: Duration,
    /// How the system ended.
    pub report: Report,
}

impl Trace {
    /// What was noted, in order; see [`note`](super::note).
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.events.iter().filter_map(|(_, event)| match event {
            Event::Note(text) => Some(text.as_str()),
            _ => None,
        })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, event) in &self.events {
            writeln!(f, "{at:?}: {event}")?;
        }
        write!(f, "seed {}: {} messages, trace {:016x}", self.seed, self.messages, self.hash)
    }
}
