//! Routers and pools: who gets what is routed, and who belongs to a pool.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Lives;
use super::{Act, Id, Lack, Verdict, check};

const ONE: &str = "what is routed reaches one routee, what is broadcast each of them once";
const ROUTEES: &str = "what is routed goes to who is a routee then";
const COUNTED: &str = "a pool knows its routees";
const BOUNDS: &str = "a pool keeps within its bounds";

#[derive(Debug, Default)]
struct Pool {
    least: u32,
    most: u32,
    routees: BTreeSet<Id>,
    /// Some have ended since it last had as many as it must.
    lost: bool,
    /// They are to end, and are routees no more.
    retired: BTreeSet<Id>,
}

#[derive(Debug, Default)]
struct Message {
    all: bool,
    /// Who may get it, once that is known.
    routees: Option<BTreeSet<Id>>,
    copies: u32,
    handled: BTreeSet<Id>,
    dropped: u32,
}

impl Message {
    fn is_over(&self) -> bool {
        self.handled.len() as u32 + self.dropped == self.copies
    }
}

#[derive(Debug, Default)]
pub(super) struct Routing {
    /// Pools by owner.
    pools: BTreeMap<Id, Pool>,
    messages: BTreeMap<(Id, u32), Message>,
}

impl Routing {
    pub(super) fn see(&mut self, act: Act) -> Verdict {
        match act {
            Act::PoolStarted { owner, least, most } => {
                self.pools.insert(owner, Pool { least, most, ..Pool::default() });
            }
            Act::Joined { owner, routee } => {
                let pool = self.pools.entry(owner).or_default();
                let new = pool.routees.insert(routee);
                check(new, COUNTED, || format!("{routee} joins {owner} twice"))?;
            }
            Act::Retired { owner, routee } => {
                let pool = self.pools.entry(owner).or_default();
                check(pool.routees.remove(&routee), COUNTED, || format!("{routee} is none of {owner}'s"))?;
                pool.retired.insert(routee);
            }
            Act::Notice { watcher, target, .. } => {
                if let Some(pool) = self.pools.get_mut(&watcher) {
                    pool.lost |= pool.routees.remove(&target);
                }
            }
            Act::Lacks { id, what: Lack::Routees } => {
                if let Some(pool) = self.pools.get_mut(&id) {
                    pool.lost = true;
                }
            }
            Act::PoolSize { owner, size } => {
                let Some(pool) = self.pools.get_mut(&owner) else { return Ok(()) };
                check(pool.routees.len() as u32 == size, COUNTED, || {
                    format!("{owner} has {size}: {pool:?}")
                })?;
                let enough = size >= pool.least;
                pool.lost &= !enough;
                check(size <= pool.most && (enough || pool.lost), BOUNDS, || {
                    format!("{owner} has {size}: {pool:?}")
                })?;
            }
            Act::Routed { owner, no, all } => {
                self.messages.insert((owner, no), Message { all, copies: 1, ..Message::default() });
            }
            Act::Spread { owner, no } => {
                let routees = self.pools.get(&owner).map(|pool| pool.routees.clone()).unwrap_or_default();
                if let Some(message) = self.messages.get_mut(&(owner, no)) {
                    // What nobody is there for is dropped.
                    let copies = if message.all { routees.len().max(1) } else { 1 };
                    check(message.copies == copies as u32, ONE, || {
                        format!("{no} of {owner} is told {} times, to {routees:?}", message.copies)
                    })?;
                    message.routees = Some(routees);
                }
                self.forget(owner, no);
            }
            Act::Copied { owner, no } => {
                let message = self.messages.entry((owner, no)).or_default();
                check(message.all, ONE, || format!("{no} of {owner} is copied"))?;
                message.copies += 1;
            }
            Act::RoutedHandled { by, owner, no } => {
                let name = || format!("{no} of {owner} at {by}");
                let Some(message) = self.messages.get_mut(&(owner, no)) else {
                    return check(false, ONE, name);
                };
                let once = (message.all || message.handled.is_empty()) && message.handled.insert(by);
                check(once && message.handled.len() as u32 + message.dropped <= message.copies, ONE, name)?;
                let may = message.routees.as_ref().is_some_and(|routees| routees.contains(&by));
                check(may, ROUTEES, || format!("{}: {message:?}", name()))?;
                self.forget(owner, no);
            }
            Act::RoutedDropped { owner, no } => {
                let name = || format!("{no} of {owner} is dropped");
                let Some(message) = self.messages.get_mut(&(owner, no)) else {
                    return check(false, ONE, name);
                };
                message.dropped += 1;
                check(message.handled.len() as u32 + message.dropped <= message.copies, ONE, name)?;
                self.forget(owner, no);
            }
            Act::Ended { id } => _ = self.pools.remove(&id),
            _ => {}
        }
        Ok(())
    }

    /// A message of which nothing more is to come. One that is not spread yet is to be.
    fn forget(&mut self, owner: Id, no: u32) {
        if self
            .messages
            .get(&(owner, no))
            .is_some_and(|message| message.routees.is_some() && message.is_over())
        {
            self.messages.remove(&(owner, no));
        }
    }

    pub(super) fn at_rest(&self, lives: &Lives) -> Verdict {
        for (owner, pool) in &self.pools {
            for id in &pool.retired {
                let life = lives.of(*id);
                // Of one that is suspended what waits must be handled first.
                let waits = life.suspended > 0 || life.held;
                check(!life.lives() || waits, "who retires ends", || {
                    format!("{id}, retired by {owner}: {life:?}")
                })?;
            }
        }
        for ((owner, no), message) in &self.messages {
            let left = message.copies - message.handled.len() as u32 - message.dropped;
            let may_wait = |id: &&Id| {
                let life = lives.of(**id);
                let waits = life.suspended > 0 || life.held;
                !message.handled.contains(*id) && (life.lives() && waits || life.is_to_be_made())
            };
            let waiting = message.routees.iter().flatten().filter(may_wait).count() as u32;
            check(left <= waiting, "nothing that is routed is forgotten", || {
                format!("{no} of {owner}: {message:?}")
            })?;
        }
        Ok(())
    }

    pub(super) fn at_end(&self) -> Verdict {
        match self.messages.iter().find(|(_, message)| !message.is_over()) {
            Some(((owner, no), message)) => check(false, "nothing that is routed is forgotten", || {
                format!("{no} of {owner}: {message:?}")
            }),
            None => Ok(()),
        }
    }
}
