//! Blocks of expectations that are to take so long, and no longer.

use std::fmt;
use std::ops::{Bound, Deref, DerefMut, RangeBounds};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Time};

use super::Drive;
use crate::sim::Event;

/// What runs the actors, within a block that has a time; see [`Drive::within`]. Stands for what it was made of, so that a
/// [`TestKernel`](super::TestKernel) or a [`Simulation`](crate::sim::Simulation) can be used inside as ever.
pub struct Within<'d, D> {
    of: &'d mut D,
    /// The end of the block or of one around it, whichever comes first.
    until: Option<Time>,
}

/// The most that a range of times lets pass.
fn most(time: &impl RangeBounds<Duration>) -> Option<Duration> {
    match time.end_bound() {
        Bound::Included(most) | Bound::Excluded(most) => Some(*most),
        Bound::Unbounded => None,
    }
}

/// The least that it asks for.
fn least(time: &impl RangeBounds<Duration>) -> Duration {
    match time.start_bound() {
        Bound::Included(least) | Bound::Excluded(least) => *least,
        Bound::Unbounded => Duration::ZERO,
    }
}

#[track_caller]
pub(super) fn within<D: Drive, T>(
    of: &mut D,
    time: impl RangeBounds<Duration>,
    story: impl FnOnce(&mut Within<'_, D>) -> T,
) -> T {
    let (start, around) = (of.now(), of.left());
    let (least, most) = (least(&time), most(&time));
    if let Some(left) = around.filter(|left| *left < least) {
        panic!("a block that is to take {least:?} begins when {left:?} are left of the one around it");
    }
    let left = match (most, around) {
        (Some(most), Some(around)) => Some(most.min(around)),
        (most, around) => most.or(around),
    };
    let told = story(&mut Within { of, until: left.map(|left| start + left) });
    let took = of.now().since(start);
    assert!(took >= least, "the block took {took:?}, and at least {least:?} was expected");
    if let Some(left) = left {
        assert!(took <= left, "the block took {took:?}, and at most {left:?} was expected");
    }
    assert!(time.contains(&took), "the block took {took:?}, the very time that it was not to take");
    told
}

impl<D: Drive> Drive for Within<'_, D> {
    fn now(&self) -> Time {
        self.of.now()
    }

    fn drive(&mut self, within: Duration, done: &mut dyn FnMut() -> bool) -> bool {
        self.of.drive(within, done)
    }

    fn spawn_from<A: Actor>(&mut self, factory: impl FnMut() -> A + Send + 'static) -> ActorRef<A::Msg> {
        self.of.spawn_from(factory)
    }

    fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.of.tell(to, message);
    }

    fn happened(&self) -> Vec<(Time, Event)> {
        self.of.happened()
    }

    fn left(&self) -> Option<Duration> {
        self.until.map(|until| until.since(self.of.now()))
    }
}

impl<D> Deref for Within<'_, D> {
    type Target = D;
    fn deref(&self) -> &D {
        self.of
    }
}

impl<D> DerefMut for Within<'_, D> {
    fn deref_mut(&mut self) -> &mut D {
        self.of
    }
}

impl<D: Drive> fmt::Debug for Within<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Within({:?} left)", self.left())
    }
}
