//! Timers and receive time-outs: never early, never twice, never after they were cancelled or replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use corelane_kernel::Time;

use super::tree::Lives;
use super::{Act, Id, Verdict, check};

/// How late a timer may be in a system at rest: a tick of the wheel and some.
pub(super) const LATE: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
struct Timer {
    no: u32,
    due: Time,
    every: bool,
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
                self.timers.insert((id, key), Timer { no, due, every });
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

    pub(super) fn at_rest(&self, now: Time, lives: &Lives) -> Verdict {
        for ((id, key), timer) in &self.timers {
            let life = lives.of(*id);
            let waits = timer.every || !life.runs() || timer.due + LATE >= now;
            check(waits, "no timer is forgotten", || format!("key {key} at {id}: {timer:?}"))?;
        }
        Ok(())
    }
}
