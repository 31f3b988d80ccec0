//! Restarts: who is restarted, how often and when; and that what was decided is done.

use std::time::Duration;

use corelane_kernel::Time;

use super::life::Life;
use super::timers::LATE;
use super::tree::Lives;
use super::waits::Waits;
use super::{Decision, Id, OUTSIDE, Reach, Verdict, check};

pub(super) const FOLLOWS: &str = "who is to be restarted or to stop handles nothing before";

/// What was decided about somebody.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ward {
    /// A decision lets it be restarted, once; so does each order that is on its way to it.
    pub(super) may_restart: u32,
    /// It is to be restarted or to stop.
    pub(super) to_follow: bool,
    /// That is because somebody above is made again, and nothing was decided about it itself.
    pub(super) left_alone: bool,
    /// Its next state is not made before.
    pub(super) not_before: Time,
    /// Its next state is made by then, unless it is stopped.
    pub(super) due: Option<Time>,
    /// Somebody has asked it to stop, who may be heard late.
    pub(super) is_to_stop: bool,
    /// Restarts that count towards the limit, since when, and when the last one was.
    counted: (u32, Time, Time),
    /// One of them may not count: it may have been gone already, or was stopped.
    miscounted: bool,
    /// How often it has waited before it was made again.
    pub(super) waits: Waits,
    /// It was stopped when it failed, at once.
    pub(super) refused: bool,
    /// It was told to stop, and is to have ended by the next rest.
    pub(super) must_end: bool,
    /// So it is by those who live on these other shards, one bit for each: what they said may be lost with them.
    pub(super) asked_from: u64,
    /// Somebody above it, or its parent, may have ended it before it was known.
    pub(super) dismissed: bool,
}

impl Life {
    /// Something can be decided about it besides what was.
    pub(super) fn is_up_and_running(&self) -> bool {
        self.lives() && self.started && !self.stopped && !self.restarting
    }
}

impl Lives {
    /// Somebody fails. Where no parent is asked, the default may restart it.
    pub(super) fn fails(&mut self, id: Id, asked: bool) {
        let ward = &mut self.at(id).ward;
        ward.due = None;
        ward.may_restart |= u32::from(!asked);
    }

    pub(super) fn decide(&mut self, child: Id, now: Time, decision: Decision, reach: Reach) {
        let (decision, goes_on) = self.backs_off(child, now, decision);
        let Life { parent, shard, rank, .. } = self.of(child);
        let stops = self.of(parent).restarting;
        let concerned: Vec<_> = match reach {
            _ if matches!(decision, Decision::Resume | Decision::Escalate) => Vec::new(),
            Reach::One => vec![child],
            // The top of each shard is a parent of its own.
            Reach::All | Reach::Rest => self
                .children_of(parent)
                .into_iter()
                .filter(|id| {
                    (parent != OUTSIDE || self.of(*id).shard == shard)
                        && (reach == Reach::All || self.of(*id).rank >= rank)
                })
                .collect(),
        };
        if reach != Reach::One {
            // What helps one that is not concerned may be.
            for id in self.children_of(parent) {
                let life = self.at(id);
                (life.disturbed, life.ward.dismissed) = (true, true);
            }
        }
        let decision = self.within_limit(child, now, decision, goes_on, &concerned);
        self.concerned.clone_from(&concerned);
        for id in concerned {
            if let Decision::Restart { wait, at_most, .. } = decision
                && id != child
            {
                self.at(id).ward.waits.may_wait(now, wait, at_most);
            }
            // Its end may wait for that of children elsewhere.
            self.disturb_below(id);
            if self.of(id).afar.is_some() {
                self.order(id, id == child, decision);
                continue;
            }
            // A sibling that is being restarted already, or never lived, is none of this decision's.
            let apt = id == child || self.of(id).is_up_and_running() && !self.of(id).ward.to_follow;
            let life = self.at(id);
            // Its own panic over a child may be decided about before this is carried out, or with it.
            life.excused |= id != child && life.at_a_loss;
            let to_follow = apt && life.lives();
            let ward = &mut life.ward;
            ward.left_alone &= !to_follow;
            match decision {
                Decision::Restart { wait, at_most, .. } => {
                    if apt {
                        ward.may_restart = 1;
                        ward.not_before = now + wait;
                        // A parent that is restarted has told its children to stop.
                        ward.due = at_most.map(|at_most| now + at_most).filter(|_| !stops);
                        ward.to_follow |= to_follow;
                    } else {
                        // It may be stopped instead.
                        ward.may_restart = 1;
                        ward.due = None;
                    }
                    // Where too many restarts may stop all, the stop of one that has begun since comes as well.
                    ward.is_to_stop |= id != child && at_most.is_none();
                }
                _ => {
                    ward.refused |= id == child;
                    (ward.may_restart, ward.due) = (0, None);
                    ward.to_follow |= to_follow;
                    ward.is_to_stop |= id != child;
                }
            }
        }
        let goes_on = matches!(decision, Decision::Resume | Decision::Escalate);
        if goes_on && self.of(child).begun_well != Some(true) {
            // Below a new instance whose failed start is let pass, children go on as they are. One that fails later, over
            // a child perhaps, has had them restarted.
            for below in self.children_of(child) {
                let ward = &mut self.at(below).ward;
                ward.to_follow &= !std::mem::take(&mut ward.left_alone);
            }
        }
        if decision == Decision::Resume && !self.of(child).lives() {
            // There is nothing to go on with: it is made, in the next turn.
            let ward = &mut self.at(child).ward;
            (ward.not_before, ward.due) = (now, Some(now).filter(|_| !stops));
            self.is_made_when_heard(child);
        }
    }

    /// What becomes of a decision to restart, which a back-off lets happen, or perhaps not: too many restarts of one whom it
    /// concerns, and all are stopped.
    fn within_limit(
        &mut self,
        child: Id,
        now: Time,
        decision: Decision,
        goes_on: bool,
        concerned: &[Id],
    ) -> Decision {
        let Decision::Restart { wait, limit: Some(limit), .. } = decision else { return decision };
        let (mut permitted, mut certain) = (true, true);
        for id in concerned {
            let life = self.of(*id);
            let own = *id == child;
            if life.afar.is_none() && !own && !life.is_up_and_running() {
                continue;
            }
            if life.afar.is_none() && !own && life.ward.to_follow {
                // A restart that has begun is not counted again. Of one that is to stop as well nobody knows here which
                // comes first.
                certain &= !life.ward.is_to_stop;
                continue;
            }
            let Some(certainly) = self.is_counted(*id, own) else { continue };
            let ward = &mut self.at(*id).ward;
            let within = ward.permits(limit, now, certainly && goes_on);
            if ward.miscounted { certain = false } else { permitted &= within }
        }
        match (permitted, certain) {
            (false, _) => Decision::Stop,
            (true, true) => decision,
            (true, false) => Decision::Restart { wait, at_most: None, limit: None },
        }
    }

    /// Whether it has asked to stop, or is to be restarted or to stop by a decision that was made on its shard: that comes
    /// before any message. Those below it may hear of a stop later, as one that is long, or that a panic cuts short, takes
    /// more than a turn; but of a restart at once.
    pub(super) fn is_to_follow(&self, id: Id) -> bool {
        let life = self.of(id);
        let decided = life.afar.is_none() && life.ward.to_follow && !life.ward.left_alone;
        life.leaves || decided || self.is_restarting_above(&life)
    }

    /// Whether somebody above on the same shard is being restarted.
    fn is_restarting_above(&self, life: &Life) -> bool {
        let (mut here, mut at) = (life.afar.is_none(), life.parent);
        while let Some(above) = self.lives.get(at as usize).filter(|_| here && at != OUTSIDE) {
            if above.restarting {
                return true;
            }
            (here, at) = (above.afar.is_none(), above.parent);
        }
        false
    }

    pub(super) fn begin_restart(&mut self, id: Id) -> Verdict {
        let life = self.of(id);
        check(life.ward.may_restart > 0, "nobody is restarted whom no decision concerns", || {
            format!("{id}: {life:?}")
        })?;
        let ward = &mut self.at(id).ward;
        ward.may_restart = if life.afar.is_some() { ward.may_restart - 1 } else { 0 };
        (ward.to_follow, ward.left_alone) = (false, false);
        for child in self.children_of(id) {
            // They may be stopped.
            self.at(child).ward.due = None;
        }
        Ok(())
    }

    /// The state of one who is restarted is dropped: children that are there still are restarted after it.
    pub(super) fn leave_alone(&mut self, id: Id) {
        for child in self.children_of(id) {
            self.at(child).told_before = None;
            if self.of(child).is_up_and_running() && self.is_known(child) {
                self.at(child).ward.is_left_alone();
            }
        }
    }

    /// Children that live when their parent has its new instance are restarted after it.
    pub(super) fn let_restart_below(&mut self, id: Id, now: Time) {
        for child in self.children_of(id) {
            self.at(child).ward.waits.may_wait(now, Duration::ZERO, Some(Duration::ZERO));
            if self.of(child).afar.is_some() {
                self.order_after_parent(child);
            } else if self.of(child).is_up_and_running() {
                let ward = &mut self.at(child).ward;
                ward.may_restart = 1;
                ward.is_left_alone();
            }
        }
    }

    pub(super) fn made_again(&mut self, id: Id) {
        self.at(id).ward.due = None;
    }

    pub(super) fn in_time(&self, id: Id, now: Time) -> Verdict {
        let ward = self.of(id).ward;
        check(now >= ward.not_before, "a back-off is waited for", || format!("{id} at {now:?}: {ward:?}"))
    }

    pub(super) fn decisions_are_done(&self, now: Time) -> Verdict {
        let all_stop = self.of(OUTSIDE).ward.is_to_stop;
        for id in 1..self.lives.len() as Id {
            let life = self.of(id);
            let parent = self.of(life.parent);
            // What concerns the children of one who is made again waits for that.
            let waits = life.held || parent.restarting;
            check(waits || !life.ward.to_follow || !life.lives(), "what was decided is done", || {
                format!("{id} is neither restarted nor stopped: {life:?}")
            })?;
            let late = life.ward.due.is_some_and(|due| due + LATE < now) && life.is_to_be_made();
            let stops = life.gone || life.ward.is_to_stop || life.ward.must_end || all_stop;
            check(
                waits || stops || !late || life.parent != OUTSIDE && !(parent.lives() && parent.started),
                "no restart is forgotten",
                || format!("{id} at {now:?}: {life:?}"),
            )?;
        }
        Ok(())
    }
}

impl Ward {
    /// It is restarted after somebody above it, unless it is to be anyway.
    pub(super) fn is_left_alone(&mut self) {
        self.left_alone |= !self.to_follow;
        self.to_follow = true;
    }

    /// Counts a restart: the time begins with the first, and anew with the first after it is over.
    fn permits(&mut self, (most, within): (u32, Duration), now: Time, certainly: bool) -> bool {
        let (count, since, last) = self.counted;
        // When the time of each that was counted is over it is known again since when the next ones are.
        self.miscounted &= now.since(last) <= within;
        self.miscounted |= !certainly;
        let goes_on = count > 0 && now.since(since) <= within;
        self.counted = if goes_on { (count + 1, since, now) } else { (1, now, now) };
        self.counted.0 <= most
    }
}
