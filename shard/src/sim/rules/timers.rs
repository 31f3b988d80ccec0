//! Timers and receive time-outs: never early, never twice, never after they were cancelled or replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use corelane_kernel::Time;

use super::tree::Lives;
use super::{Act, Id, Lack, Verdict, check};

/// How late a timer may be in a system at rest: a tick of the wheel and some.
pub(super) const LATE: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
struct Timer {
    no: u32,
    due: Time,
    every: bool,
    /// Its message was dropped.
    lacks: bool,
    /// Since when it is late, where there may have been no room for it to wait: it is looked at again in the next tick.
    late: Option<Time>,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    timers: BTreeMap<(Id, u8), Timer>,
    /// How long an actor must hear nothing, and since when it does.
    silences: BTreeMap<Id, (Option<Duration>, Time)>,
}

impl Timers {
    pub(super) fn see(&mut self, act: Act) -> Verdict {
        match act {
            Act::TimerSet { id, key, no, due, every } => {
                self.timers.insert((id, key), Timer { no, due, every, lacks: false, late: None });
            }
            Act::TimerCancelled { id, key, was } => {
                let set = self.timers.remove(&(id, key));
                check(set.is_some() == was, "a timer is set until it fires or is cancelled", || {
                    format!("{id} cancels {key}: {was}, {set:?}")
                })?;
            }
            Act::TimerFired { id, key, no, now } => {
                let set = self.timers.get(&(id, key)).copied().filter(|timer| timer.no == no);
                let Some(timer) = set else {
                    return check(
                        false,
                        "a timer fires once, and not after it was cancelled or replaced",
                        || format!("{no} of key {key} at {id}"),
                    );
                };
                check(timer.due <= now, "a timer is never early", || {
                    format!("{no} of key {key} at {id}: {now:?}, {timer:?}")
                })?;
                if !timer.every {
                    self.timers.remove(&(id, key));
                }
            }
            Act::Lacks { id, what: Lack::Timer { key, no } } => {
                if let Some(timer) = self.timers.get_mut(&(id, key)).filter(|timer| timer.no == no) {
                    timer.lacks = true;
                }
            }
            Act::Heard { id, now } => self.silences.entry(id).or_default().1 = now,
            Act::SilenceSet { id, after } => self.silences.entry(id).or_default().0 = after,
            Act::Silence { id, now } => {
                let (after, since) = self.silences.get(&id).copied().unwrap_or_default();
                check(
                    after.is_some_and(|after| now.since(since) >= after),
                    "a receive time-out comes after silence",
                    || format!("{id} at {now:?}: {after:?} since {since:?}"),
                )?;
            }
            Act::Ended { id } => {
                let own: Vec<_> = self.timers.range((id, 0)..(id + 1, 0)).map(|(key, _)| *key).collect();
                own.iter().for_each(|key| _ = self.timers.remove(key));
                self.silences.remove(&id);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn at_rest(&mut self, now: Time, lives: &Lives) -> Verdict {
        for ((id, key), timer) in &mut self.timers {
            let life = lives.of(*id);
            let waits = timer.every || !life.runs() || timer.due + LATE >= now;
            let short = lives.is_short(*id);
            let again = short && now <= *timer.late.get_or_insert(now) + LATE * 2;
            timer.late = timer.late.filter(|_| !waits);
            check(waits || again || timer.lacks && short, "no timer is forgotten", || {
                format!("key {key} at {id}: {timer:?}")
            })?;
        }
        Ok(())
    }
}
