//! Asks and futures: each has one outcome, and its own.

use std::collections::{BTreeMap, BTreeSet};

use corelane_kernel::Time;

use super::timers::LATE;
use super::tree::Lives;
use super::{Act, Id, Lack, Reply, Verdict, check};

#[derive(Debug)]
struct Ask {
    /// When its time is over.
    deadline: Time,
    /// Since when it has been found late, while its actor runs.
    late: Option<Time>,
}

#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Asks without an outcome.
    asks: BTreeMap<(Id, u32), Ask>,
    futures: BTreeMap<(Id, u32), ()>,
    /// Asks of instances that were restarted, and whether they were answered only then: what waited already may come.
    late_asks: BTreeMap<u32, bool>,
    late_futures: BTreeMap<(Id, u32), ()>,
    /// Asks whose outcome was dropped.
    lacking: BTreeSet<(Id, u32)>,
}

impl Answers {
    pub(super) fn see(&mut self, act: Act, lives: &Lives) -> Verdict {
        match act {
            Act::Asked { id, no, deadline } => _ = self.asks.insert((id, no), Ask { deadline, late: None }),
            Act::Answered { id, no, reply, now } => {
                let Some(Ask { deadline, .. }) = self.asks.remove(&(id, no)) else {
                    if let Some(only_then) = self.late_asks.remove(&no) {
                        let came = only_then && matches!(reply, Reply::Answer(_));
                        return check(!came, "an ask ends with its instance", || format!("{no} of {id}"));
                    }
                    return check(false, "each ask has one outcome", || format!("{no} of {id}: {reply:?}"));
                };
                let own = !matches!(reply, Reply::Answer(of) if of != no);
                check(own, "an answer is that of its ask", || format!("{no} of {id}: {reply:?}"))?;
                check(reply != Reply::Timeout || now >= deadline, "an ask is never over early", || {
                    format!("{no} of {id}: {now:?}, {deadline:?}")
                })?;
            }
            Act::Replied { no } => {
                if let Some(only_then) = self.late_asks.get_mut(&no) {
                    *only_then = true;
                }
            }
            Act::Lacks { id, what: Lack::Answer { no } } if self.asks.contains_key(&(id, no)) => {
                self.lacking.insert((id, no));
            }
            Act::Lacks { id, what: Lack::Future { no, .. } } => _ = self.futures.remove(&(id, no)),
            Act::FutureBegun { id, no, .. } => _ = self.futures.insert((id, no), ()),
            Act::FutureDone { id, no, .. } => {
                let known = self.futures.remove(&(id, no)).is_some();
                let late = self.late_futures.remove(&(id, no)).is_some();
                check(known || late, "each future has one outcome", || format!("{no} of {id}"))?;
            }
            Act::Ended { id } => {
                if lives.of(id).between {
                    let own = |(owner, _): &&(Id, u32)| *owner == id;
                    self.late_asks.extend(self.asks.keys().filter(own).map(|(_, no)| (*no, false)));
                    self.late_futures.extend(self.futures.keys().filter(own).map(|key| (*key, ())));
                }
                self.asks.retain(|(owner, _), _| *owner != id);
                self.lacking.retain(|(owner, _)| *owner != id);
                self.futures.retain(|(owner, _), ()| *owner != id);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn at_rest(&mut self, now: Time, lives: &Lives) -> Verdict {
        for ((id, no), ask) in &mut self.asks {
            let short = lives.is_short(*id);
            let lacks = self.lacking.contains(&(*id, *no)) && short;
            let waits = !lives.of(*id).runs() || ask.deadline + LATE >= now;
            // One whose outcome found no room to wait is looked at again soon.
            let again = short && now <= *ask.late.get_or_insert(now) + LATE * 2;
            ask.late = ask.late.filter(|_| !waits);
            check(waits || again || lacks, "each ask has one outcome", || format!("{no} of {id} has none"))?;
        }
        for (id, no) in self.futures.keys() {
            check(!lives.of(*id).runs(), "each future has one outcome", || format!("{no} of {id} has none"))?;
        }
        Ok(())
    }
}
