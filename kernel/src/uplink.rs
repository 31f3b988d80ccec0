//! The uplink: what a kernel offers upwards because no lane leads there.
//!
//! An address of another realm is none of this kernel's business: no lane leads to it. Whoever carries messages between hosts
//! hangs an [`Uplink`] on the kernel, and is offered what is told to such addresses, and the signals for them: watch, unwatch,
//! stop, the ends of actors here that are watched from there, and what parents and children on two hosts have to say to each
//! other. The way in is the other half of this file: the signals that came from a host are handed to [`Scope::watch_for`],
//! [`Scope::unwatch_for`] and [`Scope::end_for`], those of families to what stands in `abroad`; messages are simply told.
//! When a host is lost, [`Scope::lose_place`] tells everybody who watched somebody there, and ends the bonds to there.
//!
//! Nothing on a message's way between shards looks at this: it is asked only where an address would be unreachable without
//! it. Whether a signal for elsewhere takes a lane or the uplink is settled here, so that nobody else need know.

use core::ptr::NonNull;

use crate::actor::StopReason;
use crate::address::{Address, Place};
use crate::bond::{ChildNews, ChildOrder, Order, Report};
use crate::erased::{AnyMessage, Erased};
use crate::error::{OutOfMemory, TellError};
use crate::kernel::Kernel;
use crate::letters::DeadReason;
use crate::pool::Handle;
use crate::record::Kind;
use crate::scope::Scope;
use crate::watch::{Ended, State};

/// Why an uplink does not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UplinkRefusal {
    /// No way leads there, or no more.
    Unreachable,
    /// There is no room at present.
    Full,
    /// The message is longer than the other host takes.
    TooLarge,
    /// Messages of this type cannot leave the process, or this one cannot.
    NoWireForm,
}

impl UplinkRefusal {
    /// Gives a message back that is refused so.
    #[cold]
    pub(crate) fn of<M>(self, message: M) -> TellError<M> {
        match self {
            UplinkRefusal::Unreachable => TellError::Unreachable(message),
            UplinkRefusal::Full => TellError::Full(message),
            UplinkRefusal::TooLarge => TellError::TooLarge(message),
            UplinkRefusal::NoWireForm => TellError::NoWireForm(message),
        }
    }
}

/// Carries to other realms what no lane leads to. Called in the middle of a turn, with the kernel's state borrowed: it takes
/// note, and does its work between turns. Must not block, and must not panic.
///
// Addresses of other realms are admitted by what needs an allocator.
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// # use core::mem::MaybeUninit;
/// # use corelane_kernel::{Address, AnyMessage, ForeignRealm, Kernel, KernelConfig, MessageKind, RawAddress, Region, StopReason};
/// # use corelane_kernel::{ActorRef, TellError, Uplink, UplinkRefusal};
/// /// Takes numbers, wherever they are to go.
/// struct Counting;
///
/// impl Uplink for Counting {
///     fn tell(&mut self, _: Address, message: AnyMessage<'_>) -> Result<(), UplinkRefusal> {
///         if message.get::<u64>().is_some() { Ok(()) } else { Err(UplinkRefusal::NoWireForm) }
///     }
///     fn watch(&mut self, _: Address, _: Address) -> bool { true }
///     fn unwatch(&mut self, _: Address, _: Address) {}
///     fn ended(&mut self, _: Address, _: Address, _: &StopReason) {}
///     fn stop(&mut self, _: Address) {}
/// }
///
/// # let memory = Box::leak(Box::new([MaybeUninit::<u8>::uninit(); 64 * 1024]));
/// let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
/// kernel.scope().uplink_by(Counting)?;
///
/// let raw = RawAddress { identity: 1 << 32 | 7, index: 5, shard: 0 };
/// let realm = ForeignRealm::new()?;
/// let numbers: ActorRef<u64> =
///     realm.admit_as(raw, MessageKind::of::<u64>()).and_then(|far| far.typed()).ok_or("no such address")?;
/// assert!(kernel.try_tell(numbers, 7).is_ok());
/// let texts: ActorRef<&str> =
///     realm.admit_as(raw, MessageKind::of::<&str>()).and_then(|far| far.typed()).ok_or("no such address")?;
/// assert!(matches!(kernel.try_tell(texts, "x"), Err(TellError::NoWireForm("x"))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Uplink: 'static {
    /// Takes a message, by writing down what is to be sent of it; the value itself is dropped by the caller.
    ///
    /// # Errors
    /// [`UplinkRefusal`]; the message goes back to who told it.
    fn tell(&mut self, to: Address, message: AnyMessage<'_>) -> Result<(), UplinkRefusal>;

    /// An actor here watches one there. Says whether a way leads there; if not, the watcher is told at once. Else it is to be
    /// told by [`Scope::end_for`] or [`Scope::lose_place`].
    fn watch(&mut self, watcher: Address, target: Address) -> bool;

    /// An actor here no longer watches one there, of which [`Uplink::watch`] was told. A notice that comes all the same is
    /// passed over.
    fn unwatch(&mut self, watcher: Address, target: Address);

    /// An actor here has ended, or was not there, that one there watches.
    fn ended(&mut self, watcher: Address, target: Address, reason: &StopReason);

    /// An actor there is to stop.
    fn stop(&mut self, target: Address);

    /// An actor there is to stop once it has handled what was told to it before over this uplink: for [`Scope::retire`] there,
    /// behind that. Says whether it will be, or no way leads there any more; if neither, it is [stopped](Uplink::stop). Unless
    /// implemented, it is.
    fn retire(&mut self, target: Address) -> bool {
        let _ = target;
        false
    }

    /// The parent of a child there, for which an outpost stands here, orders something of it: for
    /// [`Scope::order_for`] there, once and in order. Unless implemented, no way leads to any child.
    ///
    /// # Errors
    /// [`UplinkRefusal::Unreachable`]: no way leads there, or no more, and the bond is over. Any other: it is said again
    /// in a later turn, as the sum of all that was wanted meanwhile.
    fn order(
        &mut self,
        outpost: Address,
        child: Address,
        round: u32,
        order: &ChildOrder,
    ) -> Result<(), UplinkRefusal> {
        let _ = (outpost, child, round, order);
        Err(UplinkRefusal::Unreachable)
    }

    /// Something has become of a child here whose parent is there: for [`Scope::report_for`] there, once and in order.
    /// Unless implemented, no way leads to any parent.
    ///
    /// # Errors
    /// As for [`Uplink::order`].
    fn report(
        &mut self,
        child: Address,
        outpost: Address,
        round: u32,
        news: &ChildNews,
    ) -> Result<(), UplinkRefusal> {
        let _ = (child, outpost, round, news);
        Err(UplinkRefusal::Unreachable)
    }
}

/// What became of something that was to be said to the other end of a bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Yes,
    /// There was no room: it is to be said later.
    Later,
    /// Nobody is there any more, so the bond is over.
    Never,
}

impl Said {
    fn of(told: Result<(), UplinkRefusal>) -> Said {
        match told {
            Ok(()) => Said::Yes,
            Err(UplinkRefusal::Unreachable) => Said::Never,
            Err(_) => Said::Later,
        }
    }

    /// A lane refuses only for want of room. Where it is gone, its farewell ends the bonds.
    fn by_lane<T>(told: Result<(), T>) -> Said {
        if told.is_ok() { Said::Yes } else { Said::Later }
    }
}

/// The uplink in use, if any.
pub(crate) struct Way {
    uplink: Option<Erased<dyn Uplink>>,
}

impl Way {
    pub(crate) const fn new() -> Way {
        Way { uplink: None }
    }
}

impl Kernel {
    /// Whether an address is for the uplink, if there is one.
    pub(crate) fn is_beyond(&self, to: Address) -> bool {
        self.is_beyond_place(to.place) && to != Address::NOBODY
    }

    pub(crate) fn is_beyond_place(&self, place: Place) -> bool {
        !place.same_realm(self.place)
    }

    fn uplink_to(&mut self, to: Address) -> Option<&mut dyn Uplink> {
        if !self.is_beyond(to) {
            return None;
        }
        self.way.uplink.as_deref_mut()
    }

    /// Offers a message to an actor of another realm. It stays where it is.
    #[inline]
    pub(crate) fn offer_up(&mut self, to: Address, message: AnyMessage<'_>) -> Result<(), UplinkRefusal> {
        debug_assert!(self.is_beyond_place(to.place));
        match &mut self.way.uplink {
            Some(uplink) if to != Address::NOBODY => uplink.tell(to, message),
            _ => Err(UplinkRefusal::Unreachable),
        }
    }

    /// Has an actor elsewhere watched. Gives how the watch stands: that it is on, or why it is over already.
    pub(crate) fn watch_away(&mut self, watcher: Address, target: Address) -> Result<State, OutOfMemory> {
        if let Some(uplink) = self.uplink_to(target) {
            return Ok(if uplink.watch(watcher, target) { State::Watching } else { State::Unreachable });
        }
        if !self.exits.leads_to(target.place) {
            return Ok(State::NotFound);
        }
        self.signal_away(target, Kind::Watch, watcher).map_err(|_| OutOfMemory)?;
        Ok(State::Watching)
    }

    /// Takes back a watch of an actor elsewhere.
    pub(crate) fn unwatch_away(&mut self, watcher: Address, target: Address) {
        match self.uplink_to(target) {
            Some(uplink) => uplink.unwatch(watcher, target),
            // If this is refused, the target's shard keeps a record until the target's end, and its notice is ignored.
            None => drop(self.signal_away(target, Kind::Unwatch, watcher)),
        }
    }

    /// Tells a watcher elsewhere of an end. Says whether that is done: not where the region is used up and the lane full.
    pub(crate) fn end_away(&mut self, watcher: Address, target: Address, reason: StopReason) -> bool {
        match self.uplink_to(watcher) {
            Some(uplink) => {
                uplink.ended(watcher, target, &reason);
                true
            }
            None => self.signal_away(watcher, Kind::Terminated, Ended { target, reason }).is_ok(),
        }
    }

    /// Asks an actor elsewhere to stop. Says whether that is done: not where the region is used up and the lane full.
    pub(crate) fn stop_away(&mut self, target: Address) -> bool {
        match self.uplink_to(target) {
            Some(uplink) => {
                uplink.stop(target);
                true
            }
            None => self.signal_away(target, Kind::Stop, ()).is_ok(),
        }
    }

    /// Asks an actor of another realm to stop behind what it was told. Says whether that is seen to.
    pub(crate) fn retire_away(&mut self, target: Address) -> bool {
        self.uplink_to(target).is_some_and(|uplink| uplink.retire(target))
    }

    /// Orders something of a child elsewhere.
    pub(crate) fn order_away(
        &mut self,
        outpost: Address,
        child: Address,
        round: u32,
        what: &ChildOrder,
    ) -> Said {
        match self.uplink_to(child) {
            Some(uplink) => Said::of(uplink.order(outpost, child, round, what)),
            None if *what == ChildOrder::Stop => Said::by_lane(self.signal_away(child, Kind::Stop, ())),
            None => {
                let order = Order { round, what: what.clone() };
                Said::by_lane(self.signal_away(child, Kind::Order, order))
            }
        }
    }

    /// Reports what became of a child to its parent elsewhere.
    pub(crate) fn report_away(&mut self, outpost: Address, report: Report) -> Said {
        match self.uplink_to(outpost) {
            Some(uplink) => Said::of(uplink.report(report.child, outpost, report.round, &report.news)),
            None => Said::by_lane(self.signal_away(outpost, Kind::Report, report)),
        }
    }

    /// Whether something can be said to an address elsewhere.
    pub(crate) fn leads_to(&mut self, to: Address) -> bool {
        self.uplink_to(to).is_some() || self.exits.leads_to(to.place)
    }

    /// A watched actor of another host has ended. No memory is needed but for a failure's text, which may be lost.
    fn end_from_beyond(&mut self, watcher: Address, target: Address, reason: StopReason) {
        if !self.is_beyond(target) || !self.is_actor(watcher) {
            return;
        }
        let Some(watch) = self.find_watch(watcher.index, target) else { return };
        if !self.is_watching(watch) {
            // Its notice is on its way already.
            return;
        }
        self.unlink_at_target(watch);
        let (state, obituary) = match reason {
            StopReason::Stopped => (State::Ended, Handle::NONE),
            StopReason::Failed(failure) => (State::Ended, self.new_obituary(failure)),
            StopReason::NotFound => (State::NotFound, Handle::NONE),
            StopReason::Unreachable => (State::Unreachable, Handle::NONE),
        };
        self.add_notice(watch, state, obituary);
    }
}

impl Scope<'_> {
    /// Sets who is offered what no lane leads to; an earlier one is dropped.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; the uplink is dropped.
    pub fn uplink_by<U: Uplink>(&mut self, uplink: U) -> Result<(), OutOfMemory> {
        let kernel = self.kernel();
        let erased = Erased::new(&mut kernel.memory, uplink).map_err(|_| OutOfMemory)?;
        kernel.way = Way { uplink: Some(erased.erase(|at| at as NonNull<dyn Uplink>)) };
        Ok(())
    }

    /// What is needed to check addresses that come from outside; see [`Kernel::census`].
    #[cfg(feature = "alloc")]
    pub fn census(&mut self) -> Option<alloc::sync::Arc<crate::Census>> {
        self.kernel().census()
    }

    /// Counts a message to an address elsewhere that was taken, and could not be delivered after all.
    pub fn count_unreachable(&mut self) {
        self.kernel().letters.count_one(DeadReason::Unreachable);
    }

    /// An actor of another realm watches one of this kernel from here on. The uplink is told of its end, at once if it is
    /// gone. Once more does nothing.
    pub fn watch_for(&mut self, watcher: Address, target: Address) {
        let kernel = self.kernel();
        if kernel.is_beyond(watcher) && target.place() == kernel.place() {
            kernel.watch_from_afar(watcher, target);
        }
    }

    /// An actor of another realm no longer watches one of this kernel. The uplink is not told of its end any more; where it did
    /// not watch, nothing happens.
    pub fn unwatch_for(&mut self, watcher: Address, target: Address) {
        let kernel = self.kernel();
        if target.place() == kernel.place() {
            kernel.unwatch_from_afar(watcher, target);
        }
    }

    /// An actor of another realm has ended, which one of this kernel watches: it is told, once. Nothing happens if it does
    /// not watch, or no longer.
    pub fn end_for(&mut self, watcher: Address, target: Address, reason: StopReason) {
        self.kernel().end_from_beyond(watcher, target, reason);
    }

    /// A kernel of another realm is gone, for all that can be known: whoever watches an actor there is told, once; in the next
    /// turn children of parents there are stopped, and who waits for children there waits no longer.
    pub fn lose_place(&mut self, place: Place) {
        let kernel = self.kernel();
        if !place.same_realm(kernel.place()) {
            kernel.hear_farewell(place);
            kernel.lose_bonds_to(place);
        }
    }
}
