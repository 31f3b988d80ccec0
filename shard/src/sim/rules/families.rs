//! Families on several shards: what differs where a parent lives elsewhere than its child. A decision takes its way, so
//! more may happen before it is heard: another decision for all, a stop, a failure that crosses a restart. What that may
//! lead to is let pass here; what must come of it in the end is looked for when the system is at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use corelane_kernel::Time;

use super::life::Life;
use super::tree::Lives;
use super::{Act, Decision, Id, OUTSIDE, Verdict, check};

pub(super) const UNDECIDED: &str = "who waits for a decision handles nothing, nor does anybody below it";
const FOR_EVER: &str = "nobody waits for a decision for ever";
const ENDS: &str = "who is told to stop does";
const BIRTH: &str = "each birth has one outcome";

/// What is between a child and its parent on another shard.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Afar {
    /// Its parent was told that it lives.
    known: bool,
    /// It failed, and its parent's decision has not been made.
    undecided: bool,
    /// Its parent has failed over this, and the decision is that of somebody above.
    escalated: bool,
    /// It failed, and has not been seen to go on.
    awaits: bool,
    /// It is made again so long after the decision is heard, at most.
    at_most: Option<Duration>,
    /// The last time that it is known to have read.
    last: Time,
}

impl Life {
    /// It goes on after a failure, or ends.
    pub(super) fn goes_on(&mut self) {
        if let Some(afar) = &mut self.afar {
            // What it had not said yet before its end, for want of room, is not said any more.
            self.excused |= self.stopped && afar.awaits;
            (afar.undecided, afar.escalated, afar.awaits) = (false, false, false);
        }
    }

    pub(super) fn passes(&mut self, now: Time) {
        if let Some(afar) = &mut self.afar {
            afar.last = now;
        }
    }
}

impl Lives {
    /// Whether somebody above is being made again or waits for a decision; and whether whoever lives here knows of the
    /// former.
    pub(super) fn held_above(&self, life: &Life) -> (bool, bool) {
        let (mut held, mut knows) = (false, false);
        let (mut here, mut at) = (life.afar.is_none(), life.parent);
        while let Some(above) = self.lives.get(at as usize).filter(|_| at != OUTSIDE) {
            held |= above.between || above.afar.is_some_and(|afar| afar.undecided);
            knows |= above.between && (here || above.rested);
            here &= above.afar.is_none();
            at = above.parent;
        }
        (held, knows)
    }

    /// Whether it waits for a decision from elsewhere, or somebody above it on its own shard does.
    pub(super) fn is_undecided(&self, id: Id) -> bool {
        let mut at = id;
        while let Some(life) = self.lives.get(at as usize).filter(|_| at != OUTSIDE) {
            if let Some(afar) = life.afar {
                return afar.undecided;
            }
            at = life.parent;
        }
        false
    }

    /// Its parent hears of it, for the first time.
    pub(super) fn is_introduced(&mut self, id: Id, lives: bool) {
        if let Some(afar) = &mut self.at(id).afar {
            afar.known = lives;
        }
    }

    pub(super) fn is_known(&self, id: Id) -> bool {
        self.of(id).afar.is_none_or(|afar| afar.known)
    }

    pub(super) fn waits_at_top(&self, id: Id) -> bool {
        let life = self.of(id);
        life.parent == OUTSIDE && life.failed && !life.failure_told && !life.has_ended()
    }

    pub(super) fn may_fail(&self, id: Id) -> bool {
        let life = self.of(id);
        life.is_up_and_running() && !life.ward.is_to_stop && !life.afar.is_some_and(|afar| afar.awaits)
    }

    /// One whose parent lives elsewhere fails: it waits for the decision, unless it does so already, or is being restarted.
    pub(super) fn fails_afar(&mut self, id: Id, asked: bool) {
        let ends = self.is_dismissed(id);
        // All below is suspended meanwhile: a stop comes before what waits behind that.
        self.each_below(id, &|life| life.disturbed = true);
        let life = self.at(id);
        let Some(afar) = &mut life.afar else { return };
        life.disturbed = true;
        life.ward.due = None;
        life.ward.may_restart += u32::from(!asked);
        if afar.awaits {
            // It may not have heard yet that it goes on, and this is then no failure more; or it has.
            if life.failure_told {
                (life.failure_told, life.excused) = (false, true);
            }
            return;
        }
        let restarts = life.restarting && !life.between;
        let ward = &life.ward;
        let orders = ward.to_follow || ward.may_restart > 0;
        (life.failed, life.failure_told) = (true, false);
        life.excused = orders || ends || restarts || !asked;
        (afar.undecided, afar.awaits, afar.escalated) = (!restarts, true, false);
    }

    /// Somebody can be asked about its children no more: the default decides about those whose failures are on their way.
    pub(super) fn cannot_be_asked(&mut self, id: Id) {
        for child in self.children_of(id) {
            let life = self.at(child);
            if life.afar.is_some() && life.failed && !life.failure_told {
                life.excused = true;
                life.ward.may_restart += 1;
            }
        }
    }

    /// A parent has decided about a failure.
    pub(super) fn decides(&mut self, child: Id, decision: Decision) {
        let escalates = decision == Decision::Escalate;
        let parent = self.of(self.of(child).parent);
        // Its own failure may have been decided about already, and that of its child goes along.
        let pending =
            parent.afar.is_some_and(|afar| afar.awaits) || parent.restarting || parent.ward.to_follow;
        if let Some(afar) = &mut self.at(child).afar {
            afar.escalated = escalates;
            afar.undecided &= escalates && !pending;
        }
        if !escalates {
            self.decided_above(child);
        }
    }

    /// What was escalated from below is decided with it.
    fn decided_above(&mut self, id: Id) {
        self.each_below(id, &|life| {
            if let Some(afar) = &mut life.afar {
                afar.undecided &= !afar.escalated;
                afar.escalated = false;
            }
        });
    }

    /// A decision about somebody elsewhere, `own` or over a sibling: an order is on its way.
    pub(super) fn order(&mut self, id: Id, own: bool, decision: Decision) {
        let up = self.of(id).is_up_and_running();
        let life = self.at(id);
        let (lives, restarting) = (life.lives(), life.restarting);
        let Some(afar) = &mut life.afar else { return };
        let ward = &mut life.ward;
        match decision {
            Decision::Restart { wait, at_most, .. } => {
                if own || afar.known {
                    let not_before = afar.last + wait;
                    // Which of several it is restarted by is not known; nor whether one that is under way comes before.
                    let only = ward.may_restart == 0 && (own || !restarting);
                    ward.not_before = if only { not_before } else { not_before.min(ward.not_before) };
                    ward.may_restart += 1;
                    ward.to_follow |= up || own && lives;
                    ward.left_alone &= !ward.to_follow;
                    if !own && life.failed {
                        // What it failed over before the restart is decided with it.
                        life.failure_told = true;
                    }
                }
                ward.due = None;
                afar.at_most = if own { at_most } else { None };
                ward.is_to_stop |= !own && at_most.is_none();
            }
            _ => {
                ward.due = None;
                ward.to_follow |= up || own && lives;
                ward.must_end = true;
                life.excused |= life.failed;
                ward.is_to_stop |= !own;
            }
        }
    }

    /// The parent of somebody elsewhere was made again, and has left it alone.
    pub(super) fn order_after_parent(&mut self, id: Id) {
        let life = self.at(id);
        if life.afar.is_some_and(|afar| afar.known) {
            let up = life.is_up_and_running();
            life.told_before = Some(life.failure_told);
            life.ward.may_restart += 1;
            life.ward.not_before = Time::ZERO;
            life.failure_told |= life.failed;
            if up {
                life.ward.is_left_alone();
            }
        }
    }

    /// The first hook of an instance fails: it has ordered nothing.
    pub(super) fn begins_badly(&mut self, id: Id) {
        self.at(id).begun_well = Some(false);
        for child in self.children_of(id) {
            let life = self.at(child);
            if let Some(told) = life.told_before.take() {
                life.failure_told = told;
                life.ward.may_restart = life.ward.may_restart.saturating_sub(1);
            }
        }
    }

    /// There is nothing to go on with for one who lives elsewhere: it is made when it hears that.
    pub(super) fn is_made_when_heard(&mut self, id: Id) {
        let ward = &mut self.at(id).ward;
        let due = ward.due.take();
        match &mut self.at(id).afar {
            Some(afar) => {
                afar.at_most = due.map(|_| Duration::ZERO);
                self.at(id).ward.not_before = Time::ZERO;
            }
            None => self.at(id).ward.due = due,
        }
    }

    /// Whether a restart counts for somebody, and whether that is certain: its end may have begun, and wait for that of
    /// children elsewhere, or be on its way to its parent.
    pub(super) fn is_counted(&self, id: Id, own: bool) -> Option<bool> {
        let life = self.of(id);
        if own {
            return Some(true);
        }
        (self.is_known(id) && !life.gone).then(|| {
            let stays = !life.ward.is_to_stop && !life.ward.must_end && !life.stopped;
            stays && (life.lives() || life.is_to_be_made())
        })
    }

    /// Whether something has come in the way of somebody: of itself, or of those above it as far as it knows.
    pub(super) fn is_in_the_way(&self, id: Id, what: impl Fn(&Life) -> bool) -> bool {
        let (mut afar, mut at) = (true, id);
        while let Some(life) = self.lives.get(at as usize).filter(|_| at != OUTSIDE) {
            if afar && what(life) {
                return true;
            }
            // Who is spawned before its parent has heard of something is not there yet when that happens above.
            afar = at != id && afar || life.afar.is_some();
            at = life.parent;
        }
        false
    }

    /// Whether somebody may be ended, or have been, before it is known.
    fn is_dismissed(&self, id: Id) -> bool {
        self.is_in_the_way(id, |life| life.ward.dismissed || life.ward.is_to_stop || life.ward.must_end)
    }

    /// In a system at rest all decisions have been heard.
    pub(super) fn families_are_whole(&mut self, now: Time) -> Verdict {
        let all_stop = self.of(OUTSIDE).ward.is_to_stop;
        for id in 1..self.lives.len() as Id {
            let life = self.of(id);
            // Where there was no room for what it was to be told from elsewhere, that is lost.
            let heard = life.ward.asked_from & !self.short_bits();
            let must_end = life.ward.must_end || heard != 0;
            check(!must_end || !life.lives() || life.restarting, ENDS, || format!("{id}: {life:?}"))?;
            self.at(id).rested = life.between;
            let Some(afar) = life.afar else { continue };
            let parent = self.of(life.parent);
            let there = parent.lives() && parent.started && !self.is_dismissed(id);
            let stays = life.lives() || life.is_to_be_made() && there;
            check(!afar.undecided || !stays || all_stop, FOR_EVER, || format!("{id}: {life:?}"))?;
            let life = self.at(id);
            life.ward.may_restart = 0;
            if let Some(afar) = &mut life.afar {
                afar.awaits = false;
                let made_by = afar.at_most.take().filter(|_| there).map(|at_most| now + at_most);
                life.ward.due = life.ward.due.or(made_by);
            }
        }
        Ok(())
    }
}

/// What became of children that were spawned with an outcome to be told.
#[derive(Debug, Default)]
pub(super) struct Births {
    births: BTreeMap<Id, Birth>,
    /// Those that are not to live.
    refused: BTreeSet<Id>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Birth {
    /// Nothing was told of it yet.
    Untold,
    /// That is on its way to the parent's handler.
    Told,
    /// It was handled or dropped there.
    Over,
}

impl Births {
    pub(super) fn see(&mut self, act: Act, lives: &Lives) -> Verdict {
        match act {
            Act::Spawned { id, .. } if lives.of(id).afar.is_some() => {
                self.births.insert(id, Birth::Untold);
            }
            Act::Unspawned { id } => {
                self.births.remove(&id);
                self.refused.insert(id);
            }
            Act::BirthTold { id, lives: there } => {
                let before = self.births.insert(id, Birth::Told);
                let first = before == Some(Birth::Untold) || lives.of(id).afar.is_none() && before.is_none();
                check(first, BIRTH, || format!("{id} is told of: {before:?}"))?;
                if !there {
                    self.refused.insert(id);
                    check(!lives.of(id).lives(), BIRTH, || format!("{id} lives"))?;
                }
            }
            Act::BirthHeard { id } | Act::BirthDropped { id } => {
                let before = self.births.insert(id, Birth::Over);
                check(before == Some(Birth::Told), BIRTH, || format!("{id} is heard of: {before:?}"))?;
            }
            Act::Made { id } => check(!self.refused.contains(&id), BIRTH, || format!("{id} is made"))?,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn at_rest(&self, lives: &Lives) -> Verdict {
        let all_stop = lives.of(OUTSIDE).ward.is_to_stop;
        for (id, birth) in &self.births {
            let life = lives.of(*id);
            let parent = lives.of(life.parent);
            let excused = match birth {
                Birth::Untold => !life.lives() && (lives.is_dismissed(*id) || !parent.lives() || all_stop),
                Birth::Told => {
                    parent.lives() && (parent.suspended > 0 || parent.held) || parent.is_to_be_made()
                }
                Birth::Over => true,
            };
            check(excused, BIRTH, || format!("{id}, {birth:?} by {}: {life:?}, {parent:?}", life.parent))?;
        }
        Ok(())
    }

    pub(super) fn at_end(&self) -> Verdict {
        let told = self.births.iter().find(|(_, birth)| **birth == Birth::Told);
        check(told.is_none(), BIRTH, || format!("{told:?} is neither heard nor dropped"))
    }
}
