//! Questions and look-ups: one outcome for each, by its deadline, and without an answer before that only for a reason.

use std::collections::BTreeMap;
use std::time::Duration;

use corelane_kernel::Time;

use super::hosts::Hosts;
use super::{Act, Found, Id, Limits, OPENS, Verdict, check};

/// How late an end may be: a tick of the kernel's wheel, and the longest that a shard may do nothing.
const LATE: Duration = Duration::from_millis(100);

/// How early one may be: a shard may read an earlier time than it has.
const EARLY: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug)]
struct Question {
    by: Id,
    of: Id,
    asked: Time,
    until: Time,
    /// Of the instance that asked: the next one is not told.
    instance: u32,
}

#[derive(Debug, Default)]
pub(super) struct Questions {
    asked: BTreeMap<u32, Question>,
    looked_up: BTreeMap<u32, Question>,
}

impl Questions {
    pub(super) fn see(&mut self, act: Act, hosts: &Hosts, limits: Limits) -> Verdict {
        // A child that failed, or somebody above it, is told when it goes on.
        let is_late = |by: Id, question: Question, now: Time| {
            let by = hosts.of(by);
            by.birth.is_none() && !limits.anything && now > hosts.wakes(by.life, question.until) + LATE
        };
        match act {
            Act::Asks { by, of, no, now: asked, until } => {
                let instance = hosts.of(by).instances;
                self.asked.insert(no, Question { by, of, asked, until, instance });
            }
            Act::LooksUp { by, of, no, now: asked, until } => {
                let instance = hosts.of(by).instances;
                self.looked_up.insert(no, Question { by, of, asked, until, instance });
            }
            Act::NotAsked { no } => _ = self.asked.remove(&no),
            Act::Answered { by, no, answer, now } => {
                let what = || format!("{no} of {}: {answer:?} at {now:?}", hosts.name(by));
                let Some(question) = self.asked.remove(&no) else {
                    return check(false, "a question has one outcome", what);
                };
                let own = question.by == by && answer.is_none_or(|answer| answer == no);
                check(own, "an answer is that of its question", what)?;
                check(!is_late(by, question, now), "a question ends at its deadline", what)?;
                let may_give_up = hosts.may_give_up(hosts.of(by).life, hosts.of(question.of).life);
                let early = answer.is_none() && now + EARLY < question.until && !may_give_up;
                check(!early, "a question ends early only by an answer", || {
                    format!("{} to {}", what(), hosts.name(question.of))
                })?;
            }
            Act::LookedUp { by, no, found, now } => {
                let Some(question) = self.looked_up.remove(&no) else {
                    return check(false, "a look-up has one outcome", || {
                        format!("{no} of {}", hosts.name(by))
                    });
                };
                let of = hosts.of(question.of);
                let what =
                    || format!("{no} of {} for {}: {found:?}", hosts.name(by), hosts.name(question.of));
                check(!is_late(by, question, now), "a look-up ends at its deadline", what)?;
                let lives = hosts.is_alive(question.of);
                check(found != Found::Nobody || !lives, "who lives is found", what)?;
                let may = found != Found::TooMany || limits.lookups.is_some();
                check(may, "a look-up is refused for a reason", what)?;
                let may_give_up = hosts.may_give_up_host(hosts.of(by).life, of.host);
                let early = found == Found::NoAnswer && now + EARLY < question.until && !may_give_up;
                check(!early, "a look-up ends early only by an answer", what)?;
                // Where nothing is wrong, a link opens sooner than the patient wait. An answer is dropped where little may wait.
                let troubled = hosts.was_troubled(hosts.of(by).life, of.host);
                let calm = !(troubled || limits.memory || limits.pending);
                let answered =
                    found != Found::NoAnswer || !calm || question.until.since(question.asked) < OPENS;
                check(answered, "a look-up is answered where nothing was wrong", what)?;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn at_rest(&self, hosts: &Hosts, limits: Limits, now: Time) -> Verdict {
        let open = |of: &BTreeMap<u32, Question>| {
            let waits = |of: &Question| {
                hosts.is_alive(of.by) && hosts.of(of.by).instances == of.instance && of.until + LATE < now
            };
            of.iter()
                .find(|(_, of)| waits(of))
                .map(|(no, of)| format!("{no} of {} has none", hosts.name(of.by)))
        };
        if limits.memory {
            return Ok(());
        }
        let (question, lookup) = (open(&self.asked), open(&self.looked_up));
        check(question.is_none(), "a question has one outcome", || question.unwrap_or_default())?;
        check(lookup.is_none(), "a look-up has one outcome", || lookup.unwrap_or_default())
    }
}
