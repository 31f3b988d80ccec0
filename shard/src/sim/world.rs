//! Worlds: what a simulation is made of. Each knows when something is to happen in it next, and lets it happen. The shards
//! of a system are one, the blocking pool is another; a network or a disk is a further one.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use corelane_kernel::Time;

use super::options::Options;
use super::stage::Stage;
use super::trace::{Event, Fault};

/// A part of a simulation, with events of its own; see [`Simulation::add_world`](super::Simulation::add_world).
///
/// The simulation asks every world when its next event is, takes the earliest (a die decides between equals), sets the
/// clock to it, and lets that world do it. All chance comes from the [`Moment`]: a world that asks nothing else does the
/// same for the same seed.
pub trait World {
    /// When the next event of this world is; `None` while there is none. One that is past happens now.
    fn next_time(&mut self, moment: &Moment<'_>) -> Option<Time>;

    /// Does the next event, whose time it is now. Called only where [`World::next_time`] named a time.
    fn step(&mut self, moment: &Moment<'_>);

    /// Whether nothing is under way here: all that may come is a timer. A simulation runs
    /// [until it is idle](super::Simulation::run_until_idle) in all worlds.
    fn is_idle(&mut self, moment: &Moment<'_>) -> bool {
        self.next_time(moment).is_none()
    }
}

/// A moment of a simulation: its time, its dice and its trace.
pub struct Moment<'s> {
    pub(super) stage: &'s Stage,
}

impl Moment<'_> {
    /// The virtual time of this moment.
    pub fn now(&self) -> Time {
        self.stage.now()
    }

    /// What the simulation may do.
    pub fn options(&self) -> &Options {
        self.stage.options()
    }

    /// A number below `bound`, each as likely as another. `bound` must not be zero.
    pub fn below(&self, bound: usize) -> usize {
        self.stage.dice().index(bound)
    }

    /// Once in so many times; never for zero.
    pub fn one_in(&self, times: u32) -> bool {
        times != 0 && self.stage.dice().one_in(times)
    }

    /// A time from a range, its ends included.
    pub fn time(&self, range: &RangeInclusive<Duration>) -> Duration {
        self.stage.dice().time(range)
    }

    /// Notes something in the trace.
    pub fn note(&self, text: impl fmt::Display) {
        self.stage.add(Event::Note(text.to_string()));
    }

    pub(super) fn fault(&self, fault: Fault, host: usize, shard: Option<usize>) {
        self.stage.add(Event::Fault { fault, host, shard });
    }
}

impl fmt::Debug for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Moment({:?})", self.now())
    }
}
