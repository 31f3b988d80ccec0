//! What the kernel offers, in the middle of its turn.

use std::any::{Any, TypeId};
use std::cell::RefMut;
use std::rc::Rc;

use corelane_kernel::{Address, ChildNews, ChildOrder, Failure, StopReason, Uplink, UplinkRefusal, within};

use super::{Gate, Inner};
use crate::codec::{EncodeError, Writer};
use crate::link::LinkTellError;
use crate::wire::{EndReason, Fault, MessageHead, News, NoChild, Ordered, Signal, Target};

/// The gate as the kernel knows it. Keeps the gate as long as the kernel lives.
pub(crate) struct GateUplink {
    pub(super) gate: Option<Rc<Gate>>,
}

impl GateUplink {
    /// The gate, unless it is at work: what a message's own code does while it is written or read has no way out.
    fn inner(&self) -> Option<RefMut<'_, Inner>> {
        self.gate.as_ref()?.inner.try_borrow_mut().ok()
    }
}

impl Uplink for GateUplink {
    fn tell(&mut self, to: Address, message: &dyn Any) -> Result<(), UplinkRefusal> {
        self.inner().ok_or(UplinkRefusal::Full)?.tell(to, message)
    }

    fn watch(&mut self, watcher: Address, target: Address) -> bool {
        self.inner().is_some_and(|mut inner| {
            let signal = Signal::Watch { watcher: watcher.to_raw(), target: target.to_raw() };
            inner.signal_to(target, signal)
        })
    }

    fn unwatch(&mut self, watcher: Address, target: Address) {
        if let Some(mut inner) = self.inner() {
            let signal = Signal::Unwatch { watcher: watcher.to_raw(), target: target.to_raw() };
            inner.signal_to(target, signal);
        }
    }

    fn ended(&mut self, watcher: Address, target: Address, reason: &StopReason) {
        let Some(mut inner) = self.inner() else { return };
        // Over, or given up: nobody waits for it.
        let Some(slot) = inner.slot_to(watcher) else { return };
        if !inner.slots[slot].watched.remove(&(watcher, target)) {
            return;
        }
        let (reason, text) = match reason {
            StopReason::Failed(failure) => (EndReason::Failed, failure.text()),
            StopReason::NotFound => (EndReason::NotFound, ""),
            StopReason::Unreachable => (EndReason::Unreachable, ""),
            _ => (EndReason::Stopped, ""),
        };
        let signal = Signal::Ended { watcher: watcher.to_raw(), target: target.to_raw(), reason, text };
        inner.signal_to(watcher, signal);
    }

    fn stop(&mut self, target: Address) {
        if let Some(mut inner) = self.inner() {
            inner.signal_to(target, Signal::Stop { target: target.to_raw() });
        }
    }

    fn order(
        &mut self,
        outpost: Address,
        child: Address,
        round: u32,
        order: &ChildOrder,
    ) -> Result<(), UplinkRefusal> {
        let order = match order {
            ChildOrder::Resume => Ordered::Resume,
            ChildOrder::Restart { wait, failure } => Ordered::Restart { wait: *wait, fault: fault(failure) },
            ChildOrder::Hold(true) => Ordered::Hold,
            ChildOrder::Hold(false) => Ordered::Release,
            ChildOrder::Stop => Ordered::Stop,
        };
        let signal = Signal::Order { child: child.to_raw(), outpost: outpost.to_raw(), round, order };
        let mut inner = self.inner().ok_or(UplinkRefusal::Full)?;
        if inner.signal_to(child, signal) { Ok(()) } else { Err(UplinkRefusal::Unreachable) }
    }

    fn report(
        &mut self,
        child: Address,
        outpost: Address,
        round: u32,
        news: &ChildNews,
    ) -> Result<(), UplinkRefusal> {
        let (news, ended) = match news {
            ChildNews::Born => (News::Born, false),
            ChildNews::Failed(failure) => (News::Failed(fault(failure)), false),
            ChildNews::Ended => (News::Ended, true),
            // Never offered: who is not born here is answered by the gate.
            ChildNews::Unborn(_) => (News::Unborn(NoChild::Refused), false),
        };
        let signal = Signal::Report { child: child.to_raw(), outpost: outpost.to_raw(), round, news };
        let mut inner = self.inner().ok_or(UplinkRefusal::Full)?;
        if ended && let Some(slot) = inner.slot_to(outpost) {
            inner.slots[slot].end_child();
        }
        if inner.signal_to(outpost, signal) { Ok(()) } else { Err(UplinkRefusal::Unreachable) }
    }
}

fn fault(failure: &Failure) -> Fault<'_> {
    Fault { kind: failure.kind(), error: failure.error_hash(), text: failure.text() }
}

/// How messages of a type to an actor go out: looked up once for as long as nothing else is told.
pub(super) struct Course {
    to: Address,
    of: TypeId,
    slot: usize,
    head: MessageHead,
    writer: Writer,
}

impl Inner {
    /// Settles how messages of a type to an actor go out.
    #[cold]
    fn set_course(&mut self, to: Address, of: TypeId) -> Result<(), UplinkRefusal> {
        let writer = self.shared.registry.writer(of).ok_or(UplinkRefusal::NoWireForm)?;
        let slot = self.slot_to(to).ok_or(UplinkRefusal::Unreachable)?;
        let raw = to.to_raw();
        let target = Target { identity: raw.identity, index: raw.index };
        let head = MessageHead { target, envelope: writer.envelope };
        self.course = Some(Course { to, of, slot, head, writer });
        Ok(())
    }

    fn tell(&mut self, to: Address, message: &dyn Any) -> Result<(), UplinkRefusal> {
        let of = message.type_id();
        if !self.course.as_ref().is_some_and(|course| course.to == to && course.of == of) {
            self.set_course(to, of)?;
        }
        let Some(Course { slot, head, writer, .. }) = &self.course else {
            return Err(UplinkRefusal::Unreachable);
        };
        let (slot, head, Writer { addresses, encode, .. }) = (*slot, *head, *writer);
        let encode = |to: &mut [u8]| encode(message, to);
        if self.slots[slot].lost || self.left.get() {
            return Err(UplinkRefusal::Unreachable);
        }
        // What waits goes first.
        if self.slots[slot].pending.is_empty() {
            match self.write(slot, head, addresses, &encode) {
                Ok(()) => return Ok(()),
                Err(LinkTellError::TooLarge) => return Err(UplinkRefusal::TooLarge),
                Err(LinkTellError::Unwritable) => return Err(UplinkRefusal::NoWireForm),
                Err(_) => {}
            }
        }
        self.keep(slot, head, &encode)
    }

    /// Has a message wait for room, or for a connection.
    #[inline(never)]
    fn keep(
        &mut self,
        slot: usize,
        head: MessageHead,
        encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
    ) -> Result<(), UplinkRefusal> {
        self.start(slot);
        let of = &mut self.slots[slot];
        let left = self.shared.config.pending_bytes.saturating_sub(of.pending.cost());
        let Some(border) = of.border.clone() else { return Err(UplinkRefusal::Unreachable) };
        let limit = usize::try_from(self.shared.config.link.message_max).unwrap_or(usize::MAX);
        within(border, || of.pending.write(head, left, limit, encode))
    }

    /// Says whether a way leads there.
    fn signal_to(&mut self, to: Address, signal: Signal<'_>) -> bool {
        let Some(slot) = self.slot_to(to) else { return false };
        if self.slots[slot].lost || self.left.get() {
            return false;
        }
        let taken = self.slots[slot].link.signal(self.now, signal).is_ok();
        self.start(slot);
        self.settle(slot);
        self.soil(slot);
        taken
    }
}
