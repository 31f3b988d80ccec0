//! What the kernel offers, in the middle of its turn.

use std::cell::RefMut;
use std::rc::Rc;

use corelane_kernel::{
    Address, AnyMessage, ChildNews, ChildOrder, Failure, StopReason, Uplink, UplinkRefusal,
};

use super::{Gate, Inner};
use crate::wire::{EndReason, Fault, News, NoChild, Ordered, Signal};

/// The gate as the kernel knows it. Keeps the gate as long as the kernel lives.
pub(crate) struct GateUplink {
    pub(super) gate: Option<Rc<Gate>>,
}

impl GateUplink {
    /// The gate, unless it is at work: what a message's own code does while it is written or read has no way out.
    fn inner(&self) -> Option<RefMut<'_, Inner>> {
        let mut inner = self.gate.as_ref()?.inner.try_borrow_mut().ok()?;
        inner.close_course();
        Some(inner)
    }
}

impl Uplink for GateUplink {
    fn tell(&mut self, to: Address, message: AnyMessage<'_>) -> Result<(), UplinkRefusal> {
        // The only one that a course stays open for.
        let inner = self.gate.as_ref().and_then(|gate| gate.inner.try_borrow_mut().ok());
        inner.ok_or(UplinkRefusal::Full)?.tell(to, message)
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

    fn retire(&mut self, target: Address) -> bool {
        self.inner().is_some_and(|mut inner| inner.retire(target))
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

impl Inner {
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
