//! A relay: a lane whose two ends see each other late, and only when somebody says so. For simulations.
//!
//! Between two cores, what one publishes is seen by the other a little later, and what waits in between is at the mercy of
//! caches and schedulers. With a relay it is at the mercy of whoever holds it: both ends are those of an ordinary lane and
//! cost the same, but each has cursors of its own, and the relay carries them over.

use alloc::collections::VecDeque;
use core::fmt;

use crate::lane::{HeapLane, LaneReceiver, LaneSender, Shared, split_lane};
use crate::sync::{Arc, Ordering};

/// Carries what is published in a lane to its receiver, and the room it gives back to its sender, when it is told to.
///
/// ```
/// # use corelane_kernel::{Actor, Ctx, Kernel, KernelConfig, Outcome, Region, Time, relayed_lane};
/// # struct Sum(u64);
/// # impl Actor for Sum {
/// #     type Msg = u64;
/// #     fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome { self.0 += n; Ok(()) }
/// # }
/// # let memory = Box::leak(Box::new([core::mem::MaybeUninit::<u8>::uninit(); 64 * 1024]));
/// # let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
/// let (mut sender, receiver, mut relay) = relayed_lane(256);
/// kernel.add_lane(receiver).map_err(|_| "no room for a lane")?;
/// relay.give_back();
/// let sum = kernel.spawn(Sum(0))?;
///
/// sender.try_tell(sum, 7)?;
/// sender.publish();
/// assert!(relay.note());
/// kernel.turn(Time::ZERO);
/// assert_eq!(kernel.stats().handled, 0);
///
/// relay.forward();
/// kernel.turn(Time::ZERO);
/// assert_eq!(kernel.stats().handled, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LaneRelay {
    lane: Arc<HeapLane>,
    /// Ends of what was published and noted, and is not yet carried over.
    noted: VecDeque<usize>,
    /// End of all that was noted.
    end: usize,
}

/// A new lane on the heap, as [`lane`](crate::lane) makes one, with a relay between its ends.
///
/// # Panics
/// If `words` is less than 8.
pub fn relayed_lane(words: usize) -> (LaneSender, LaneReceiver, LaneRelay) {
    let (sender, receiver, lane) = split_lane(words);
    (sender, receiver, LaneRelay { lane, noted: VecDeque::new(), end: 0 })
}

impl LaneRelay {
    fn near(&self) -> &Shared {
        self.lane.near.as_ref().unwrap_or(&self.lane.shared)
    }

    /// Takes note of what was published since the last note. Says whether there was anything.
    pub fn note(&mut self) -> bool {
        let tail = self.near().tail.load(Ordering::Acquire);
        if tail == self.end {
            return false;
        }
        self.end = tail;
        self.noted.push_back(tail);
        true
    }

    /// How many notes wait to be carried over.
    pub fn held(&self) -> usize {
        self.noted.len()
    }

    /// Makes what belongs to the oldest note visible to the receiver. Says whether there was one.
    pub fn forward(&mut self) -> bool {
        let Some(tail) = self.noted.pop_front() else { return false };
        self.lane.shared.tail.store(tail, Ordering::Release);
        true
    }

    /// Shows the sender the room that the receiver has given back, where that lives, and whether it is gone. Says
    /// whether the sender has more room now.
    pub fn give_back(&mut self) -> bool {
        let (far, near) = (&self.lane.shared, self.near());
        near.place.store(far.place.load(Ordering::Acquire), Ordering::Release);
        near.closed.store(far.closed.load(Ordering::Acquire), Ordering::Release);
        let head = far.head.load(Ordering::Acquire);
        near.head.swap(head, Ordering::AcqRel) != head
    }

    /// Whether nothing is left to do: an end is gone, and all that was published is carried over.
    pub fn is_over(&self) -> bool {
        self.noted.is_empty()
            && self.near().tail.load(Ordering::Acquire) == self.end
            && Arc::strong_count(&self.lane) < 3
    }
}

impl fmt::Debug for LaneRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaneRelay({} held)", self.noted.len())
    }
}
