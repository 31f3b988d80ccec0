//! Messages: in order for each pair, at most once, at nobody else, and none forgotten.

use std::collections::{BTreeMap, VecDeque};

use super::tree::Lives;
use super::{Act, Id, Verdict, check};

const ONCE: &str = "a message is handled or dropped once";
const LOST: &str = "what is stashed is not lost while its actor lives";
const STASH: &str = "stashed messages come back in order, before all others";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    UnderWay,
    Stashed,
    Unstashed,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    at: Where,
    /// It was told on the core of its target, before that ended.
    before_end: bool,
    /// It was told by the owner of its target, which retires and handles it before.
    before_retirement: bool,
}

/// Receiver, sender, and the message's number in the pair.
type Key = (Id, Id, u32);

#[derive(Debug, Default)]
pub(super) struct Order {
    messages: BTreeMap<Key, Message>,
    /// Number of the last message that was handled, by pair.
    last: BTreeMap<(Id, Id), u32>,
    stash: BTreeMap<Id, VecDeque<Key>>,
    unstashed: BTreeMap<Id, VecDeque<Key>>,
    /// Messages that were told before an actor's end, on its core, and are neither handled nor dropped.
    before_end: BTreeMap<Id, u32>,
    /// What was stashed by one who is to be made again, and dropped: it must have been stopped meanwhile.
    lost: BTreeMap<Id, Key>,
}

impl Order {
    pub(super) fn see(&mut self, act: Act, lives: &Lives) -> Verdict {
        match act {
            Act::Told { from, to, no } => {
                let message = Message { at: Where::UnderWay, before_end: false, before_retirement: false };
                let new = self.messages.insert((to, from, no), message).is_none();
                check(new, "a message is told once", || format!("{no} from {from} to {to}"))?;
            }
            Act::Refused { from, to, no } => {
                self.messages.remove(&(to, from, no));
            }
            Act::Handled { by, from, to, no } => {
                self.take(by, (to, from, no), lives)?;
                self.forget((to, from, no));
            }
            Act::Stashed { by, from, to, no } => {
                let key = (to, from, no);
                self.take(by, key, lives)?;
                if let Some(message) = self.messages.get_mut(&key) {
                    message.at = Where::Stashed;
                    self.stash.entry(by).or_default().push_back(key);
                }
            }
            Act::Unstashed { by, count } => {
                let stash = self.stash.entry(by).or_default();
                check(count as usize <= stash.len(), STASH, || {
                    format!("{by} takes {count} of {} back", stash.len())
                })?;
                let back: Vec<_> = stash.drain(..count as usize).collect();
                for key in back.into_iter().rev() {
                    if let Some(message) = self.messages.get_mut(&key) {
                        message.at = Where::Unstashed;
                    }
                    self.unstashed.entry(by).or_default().push_front(key);
                }
            }
            Act::Dropped { from, to, no } => {
                let key = (to, from, no);
                let name = || format!("{no} from {from} to {to} is dropped");
                let Some(message) = self.messages.get(&key) else { return check(false, ONCE, name) };
                let life = lives.of(to);
                check(message.at != Where::Stashed || !life.lives(), LOST, name)?;
                let due = message.before_retirement && message.at == Where::UnderWay;
                // Without room to note that it is to handle all that first, it stops at once.
                let kept = !due || lives.is_disturbed(to) || lives.is_short(to);
                check(kept, "who retires handles what it was told", name)?;
                if life.between && message.at == Where::Unstashed {
                    self.lost.insert(to, key);
                }
                for waiting in [&mut self.stash, &mut self.unstashed] {
                    if let Some(waiting) = waiting.get_mut(&to) {
                        waiting.retain(|other| *other != key);
                    }
                }
                self.forget(key);
            }
            Act::Retired { owner, routee } => {
                for (_, message) in self.messages.range_mut((routee, owner, 0)..(routee, owner + 1, 0)) {
                    message.before_retirement = message.at == Where::UnderWay;
                }
            }
            Act::Made { id } => {
                check(!self.lost.contains_key(&id), LOST, || format!("{id} is made again without it"))?;
            }
            Act::Ended { id } if lives.of(id).between => {
                // What it stashed goes back to the front of what waits, in order.
                for key in self.stash.remove(&id).unwrap_or_default().into_iter().rev() {
                    if let Some(message) = self.messages.get_mut(&key) {
                        message.at = Where::Unstashed;
                    }
                    self.unstashed.entry(id).or_default().push_front(key);
                }
            }
            Act::Ended { id } => {
                let mut count = 0;
                for ((_, from, _), message) in self.messages.range_mut((id, 0, 0)..(id + 1, 0, 0)) {
                    if *from != super::OUTSIDE && lives.of(*from).shard == lives.of(id).shard {
                        message.before_end = true;
                        count += 1;
                    }
                }
                self.before_end.insert(id, count);
            }
            _ => {}
        }
        Ok(())
    }

    /// An actor has a message in its hands.
    fn take(&mut self, by: Id, key: Key, lives: &Lives) -> Verdict {
        let (to, from, no) = key;
        let name = || format!("{no} from {from} to {to}, at {by}");
        check(by == to, "no message reaches a successor of its receiver", name)?;
        let Some(message) = self.messages.get(&key) else { return check(false, ONCE, name) };
        let life = lives.of(by);
        check(life.suspended + life.waits == 0, "a suspended actor handles no message", name)?;
        let waiting = self.unstashed.entry(by).or_default();
        match message.at {
            Where::UnderWay => {
                check(waiting.is_empty(), STASH, name)?;
                let last = self.last.entry((from, to)).or_default();
                let before = std::mem::replace(last, no);
                check(before < no, "messages of a pair arrive in order", || {
                    format!("{}, after {before}", name())
                })
            }
            Where::Stashed => check(false, STASH, name),
            Where::Unstashed => check(waiting.pop_front() == Some(key), STASH, name),
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(message) = self.messages.remove(&key)
            && message.before_end
            && let Some(count) = self.before_end.get_mut(&key.0)
        {
            *count -= 1;
        }
    }

    /// Whether something is left that an actor was told on its core before its end.
    pub(super) fn is_anything_left_of(&self, id: Id) -> bool {
        self.before_end.get(&id).is_some_and(|count| *count > 0)
    }

    pub(super) fn at_rest(&self, lives: &Lives) -> Verdict {
        for ((to, from, no), message) in &self.messages {
            let life = lives.of(*to);
            let waits = message.at == Where::Stashed || life.suspended > 0 || life.held;
            // What was told from outside stays in its lane until whoever told it lets go of that.
            let stays = life.lost && *from == super::OUTSIDE;
            let may_wait = life.lives() && waits || life.is_to_be_made() || stays;
            check(may_wait, "no message is forgotten", || {
                format!("{no} from {from} to {to} has not come: {message:?}, {life:?}")
            })?;
        }
        Ok(())
    }

    pub(super) fn at_end(&self) -> Verdict {
        match self.messages.first_key_value() {
            Some(((to, from, no), message)) => check(false, "no message is forgotten", || {
                format!("{no} from {from} to {to} is neither handled nor dropped: {message:?}")
            }),
            None => Ok(()),
        }
    }
}
