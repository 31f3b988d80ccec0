//! Retirements: actors on other hosts that are to stop behind what they were told.
//!
//! A signal would overtake messages. So the word to retire goes as a message to the actor itself, behind those that were told
//! before on whichever way they take (waiting for a connection or for credit, in pieces, held at the other end), and is taken
//! in there by the gate. A message that was sent is lost with its connection: this one is said again over the next, until the
//! other host has said that it heard. One that was not sent waits for the next as it is. Taken in twice it does no more than once,
//! since by then what was told before has come or is lost.
//!
//! A host without [`capability::RETIREMENT`](crate::wire::capability) is sent the signal to stop.

use std::collections::{BTreeMap, HashMap};

use corelane_kernel::{Address, Census, Compact, RawAddress, Scope, Wire};
use serde::{Deserialize, Serialize};

use super::Inner;
use crate::codec::{self, Undelivered};
use crate::wire::{MessageHead, Signal, Target};

/// To an actor: that it is to stop behind what it was told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Retire {
    /// Stands in the answer again.
    number: u64,
}

impl Wire for Retire {
    const NAME: &'static str = "corelane.Retire";
    type Form = Compact;
}

/// To the host that has said so: that it was heard.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Retiring {
    pub(super) number: u64,
}

impl Wire for Retiring {
    const NAME: &'static str = "corelane.Retiring";
    type Form = Compact;
}

/// One of which the other host has not said yet that it heard.
#[derive(Clone, Copy)]
struct Retirement {
    /// The link.
    slot: usize,
    target: Address,
    /// Its number in the link's row, if it had to wait there.
    kept: Option<u64>,
}

/// All of them, at most one for each actor.
#[derive(Default)]
pub(super) struct Retirements {
    waiting: BTreeMap<u64, Retirement>,
    by_target: HashMap<Address, u64>,
    last: u64,
}

impl Retirements {
    fn insert(&mut self, slot: usize, target: Address) -> u64 {
        self.last += 1;
        if let Some(before) = self.by_target.insert(target, self.last) {
            self.waiting.remove(&before);
        }
        self.waiting.insert(self.last, Retirement { slot, target, kept: None });
        self.last
    }

    /// The one of an actor.
    fn to(&self, target: Address) -> Option<&Retirement> {
        self.waiting.get(self.by_target.get(&target)?)
    }

    /// The other host has heard it, if it is the one that was told.
    pub(super) fn heard(&mut self, slot: usize, number: u64) {
        if self.waiting.get(&number).is_some_and(|retirement| retirement.slot == slot)
            && let Some(Retirement { target, .. }) = self.waiting.remove(&number)
        {
            self.by_target.remove(&target);
        }
    }

    /// An association is over, and with it whoever was to retire.
    pub(super) fn forget(&mut self, slot: usize) {
        for number in self.of(slot) {
            self.heard(slot, number);
        }
    }

    fn of(&self, slot: usize) -> Vec<u64> {
        let of = self.waiting.iter().filter(|(_, retirement)| retirement.slot == slot);
        of.map(|(number, _)| *number).collect()
    }
}

impl Inner {
    /// Has an actor of another host stop behind what it was told. `false` where no way leads there, or its host cannot do that.
    pub(super) fn retire(&mut self, target: Address) -> bool {
        let Some(slot) = self.slot_to(target) else { return false };
        let of = &self.slots[slot];
        if of.lost || self.left.get() || (of.link.open().is_some() && !of.link.can_retire()) {
            return false;
        }
        let before = self.retirements.to(target).filter(|before| before.slot == slot);
        if before.and_then(|before| before.kept).is_some_and(|kept| of.pending.holds(kept)) {
            // It will stop there, and hear nothing that was told since.
            return true;
        }
        let number = self.retirements.insert(slot, target);
        self.start(slot);
        self.send_retirement(number);
        true
    }

    fn send_retirement(&mut self, number: u64) {
        let Some(Retirement { slot, target, kept }) = self.retirements.waiting.get(&number).copied() else {
            return;
        };
        if kept.is_some_and(|kept| self.slots[slot].pending.holds(kept)) {
            return;
        }
        let RawAddress { identity, index, .. } = target.to_raw();
        let kept = self.send_or_keep(slot, Target { identity, index }, &Retire { number }, usize::MAX);
        if let Some(retirement) = self.retirements.waiting.get_mut(&number) {
            retirement.kept = kept;
        }
    }

    /// A link is open: who is to retire is told so, or told again, unless the word waits to be sent since before.
    pub(super) fn resend_retirements(&mut self, slot: usize) {
        let can_retire = self.slots[slot].link.can_retire();
        for number in self.retirements.of(slot) {
            if can_retire {
                self.send_retirement(number);
            } else if let Some(Retirement { target, .. }) = self.retirements.waiting.get(&number).copied() {
                let stop = Signal::Stop { target: target.to_raw() };
                // A link that takes no more signals is lost, and its peer's actors with it.
                let _ = self.slots[slot].link.signal(self.now, stop);
                self.retirements.heard(slot, number);
            }
        }
    }
}

/// Takes the word in that an actor here is to retire, and gives the number by which that is answered. `may`: whether the peer is
/// allowed to stop it.
///
/// # Errors
/// [`Undelivered::UnknownType`] for a message that is no such word, [`Undelivered::Decode`] for one that cannot be read.
pub(super) fn take_in(
    scope: &mut Scope<'_>,
    census: &Census,
    head: MessageHead,
    body: &[u8],
    may: impl FnOnce(Address) -> bool,
) -> Result<u64, Undelivered> {
    if head.envelope.type_hash != codec::envelope::<Retire>().type_hash {
        return Err(Undelivered::UnknownType);
    }
    let Retire { number } = codec::decode(head.envelope, body).map_err(Undelivered::Decode)?;
    let Target { identity, index } = head.target;
    let shard = u32::try_from(census.place().shard()).unwrap_or(u32::MAX);
    // One that no kernel here made is nobody's, and as good as gone.
    if let Ok(target) = census.admit_address(RawAddress { identity, index, shard })
        && may(target)
    {
        scope.retire(target);
    }
    Ok(number)
}
