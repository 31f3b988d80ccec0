//! All lives, and the tree that they make.

use std::collections::BTreeSet;

use corelane_kernel::Time;

use super::families::{Afar, UNDECIDED};
use super::life::Life;
use super::losses::bit_of;
use super::restarts::FOLLOWS;
use super::{Act, Decision, Id, Lack, OUTSIDE, Verdict, check};

const UNHEARD: &str = "a parent hears once of each child that failed";
const AT_A_LOSS: &str = "nobody whose decision has panicked is asked before that is decided about";
const REFUSED: &str = "nobody is made again who has asked to stop, or whom a decision has stopped";

/// Everybody who was ever spawned, by number.
#[derive(Debug, Default)]
pub(super) struct Lives {
    pub(super) lives: Vec<Life>,
    /// Whoever was spawned below somebody, by the number of that.
    below: Vec<Vec<Id>>,
    /// Ranks given so far.
    ranked: u32,
    /// Whom the last decision concerns.
    pub(super) concerned: Vec<Id>,
    /// Who has decided just now that a child is to stop: who fails then has panicked over it.
    decided: Option<Id>,
    /// Shards that are lost.
    pub(super) lost: BTreeSet<usize>,
    /// Shards that had no room for something.
    pub(super) short: BTreeSet<usize>,
}

/// Of one that is younger than all who have begun.
const UNBEGUN: u32 = u32::MAX;

impl Lives {
    pub(super) fn of(&self, id: Id) -> Life {
        let life = self.lives.get(id as usize).copied().unwrap_or_default();
        let (held, is_held) = self.held_above(&life);
        Life { held, is_held, ..life }
    }

    pub(super) fn children_of(&self, parent: Id) -> Vec<Id> {
        self.below.get(parent as usize).cloned().unwrap_or_default()
    }

    pub(super) fn at(&mut self, id: Id) -> &mut Life {
        let at = id as usize;
        if self.lives.len() <= at {
            self.lives.resize(at + 1, Life::default());
        }
        &mut self.lives[at]
    }

    pub(super) fn see(&mut self, act: Act) -> Verdict {
        let decided = self.decided.take();
        match act {
            Act::Spawned { id, parent, shard } => {
                let known = self.of(id);
                check(!known.spawned && id != OUTSIDE, "a number is given once", || format!("{id}"))?;
                let afar = parent != OUTSIDE && self.of(parent).shard != shard;
                let afar = afar.then(Afar::default);
                *self.at(id) = Life { parent, shard, rank: UNBEGUN, spawned: true, afar, ..Life::default() };
                if parent != OUTSIDE {
                    self.rank(id);
                }
                if self.below.len() <= parent as usize {
                    self.below.resize(parent as usize + 1, Vec::new());
                }
                self.below[parent as usize].push(id);
                // What is spawned when the children have been told to stop is left alone.
                let above = self.at(parent);
                above.keeps |= above.restarting;
                self.is_born_lost(id);
            }
            Act::Lost { shard } => self.lose(shard),
            Act::OutOfMemory { shard } => _ = self.short.insert(shard),
            Act::Made { id } => {
                self.is_there(id, "is made")?;
                let life = *self.at(id);
                check(
                    life.spawned && !life.gone && (!life.made || life.between),
                    "a state is made once, and again by a restart",
                    || format!("{id} is made: {life:?}"),
                )?;
                check(life.afar.is_some() || !self.must_be_told(&life), UNHEARD, || {
                    format!("{} was not told of {id}", life.parent)
                })?;
                check(!life.ward.refused && !life.leaves, REFUSED, || format!("{id} is made: {life:?}"))?;
                self.rank(id);
                let fresh = !life.made || life.ended;
                let life = self.at(id);
                *life = Life {
                    made: true,
                    started: false,
                    stopped: false,
                    ended: false,
                    restarting: false,
                    between: false,
                    restarted: false,
                    begun_well: None,
                    at_a_loss: false,
                    rested: false,
                    ..*life
                };
                life.goes_on();
                if fresh {
                    let parent = life.parent;
                    self.at(parent).children += 1;
                }
                self.made_again(id);
            }
            Act::Restarted { id, now } => {
                let life = self.of(id);
                check(life.lives() && !life.started && life.lived, "an actor starts once", || {
                    format!("{id} starts again: {life:?}")
                })?;
                let life = self.at(id);
                life.restarted = true;
                life.passes(now);
                if life.afar.is_none() {
                    life.ward.waits.are_over(now);
                }
                self.let_restart_below(id, now);
                self.in_time(id, now)?;
            }
            Act::Started { id } => {
                self.is_there(id, "starts")?;
                let (life, parent) = (self.of(id), self.of(self.of(id).parent));
                let first = life.restarted == life.lived;
                check(life.lives() && !life.started && !life.gone && first, "an actor starts once", || {
                    format!("{id} starts: {life:?}")
                })?;
                // One that is left alone over a restart may be made again meanwhile.
                let ended = (parent.stopped || parent.ended) && !parent.between && !parent.lost;
                check(!ended, "a child ends before its parent", || {
                    format!("{id} starts, and {} has stopped", life.parent)
                })?;
                self.at(id).started = true;
            }
            Act::Restarting { id, keeps } => {
                let life = self.of(id);
                check(
                    life.lives() && !life.restarting && !life.stopped,
                    "a restart has its hooks in order",
                    || format!("{id} is restarted: {life:?}"),
                )?;
                check(!self.must_be_told(&life), UNHEARD, || {
                    format!("{} was not told of {id}", life.parent)
                })?;
                self.begin_restart(id)?;
                self.disturb_below(id);
                if !keeps {
                    self.children_of(id).into_iter().for_each(|child| self.at(child).ward.must_end = true);
                }
                let life = self.at(id);
                (life.restarting, life.keeps, life.disturbed) = (true, keeps, true);
                life.goes_on();
            }
            Act::Fails { id } => {
                self.rank(id);
                if self.at(id).begun_well.is_none() {
                    self.begins_badly(id);
                }
                self.at(id).at_a_loss = decided == Some(id);
                let life = self.of(id);
                let parent = self.of(life.parent);
                let above = life.parent == OUTSIDE;
                let can_be_asked = parent.lives() && parent.started && !parent.stopped && !parent.at_a_loss;
                let asked = above || can_be_asked;
                // One that was told to stop may hear that before its parent hears of the failure, or after.
                let stops = life.ward.must_end || above && parent.ward.must_end;
                let excused = life.ward.to_follow || stops || life.restarting || !asked;
                if life.afar.is_some() {
                    self.fails_afar(id, asked);
                    return Ok(());
                }
                let life = self.at(id);
                (life.failed, life.failure_told, life.excused) = (true, false, excused);
                life.disturbed = true;
                self.fails(id, asked);
            }
            Act::ChildFailed { parent, child, now, decision, reach } => {
                let life = self.of(child);
                check(life.parent == parent && life.failed && !life.failure_told, UNHEARD, || {
                    format!("{parent} hears of {child}: {life:?}")
                })?;
                if parent != OUTSIDE {
                    self.may_act(parent, "hears of a child")?;
                    let asked = self.at(parent);
                    let decided = asked.excused || asked.afar.is_some();
                    check(!asked.at_a_loss || decided, AT_A_LOSS, || {
                        format!("{parent} hears of {child}: {asked:?}")
                    })?;
                    // Who decides about it elsewhere has been told.
                    asked.at_a_loss = false;
                    asked.begun_well.get_or_insert(true);
                    self.decided = (decision == Decision::Stop).then_some(parent);
                }
                let failed = self.at(child);
                (failed.failure_told, failed.at_a_loss) = (true, false);
                self.decides(child, decision);
                self.decide(child, now, decision, reach);
            }
            Act::BirthTold { id, lives } => {
                self.is_introduced(id, lives);
                let life = self.of(id);
                if life.afar.is_some() {
                    // Of one on its own shard it is told at once, in its first hook perhaps.
                    self.at(life.parent).begun_well.get_or_insert(true);
                }
            }
            Act::Leaves { id } => {
                self.is_asked_to_stop(id, OUTSIDE);
                self.at(id).leaves = true;
            }
            Act::StopAsked { id, by } => self.is_asked_to_stop(id, by),
            Act::Retired { routee, .. } => self.at(routee).ward.is_to_stop = true,
            Act::Stopped { id } => {
                self.is_there(id, "stops")?;
                let life = self.of(id);
                check(life.lives() && life.started && !life.stopped, "an actor stops once", || {
                    format!("{id} stops: {life:?}")
                })?;
                check(life.children == 0 || life.keeps_children(), "a child ends before its parent", || {
                    format!("{id} stops, and {} children live", life.children)
                })?;
                self.disturb_below(id);
                let life = self.at(id);
                life.stopped = true;
                life.ward.to_follow = false;
                life.goes_on();
                self.cannot_be_asked(id);
            }
            Act::Ended { id } => {
                let life = self.of(id);
                check(life.lives(), "a state is dropped once", || format!("{id}: {life:?}"))?;
                check(
                    life.stopped || !life.started || life.lost,
                    "the hooks of an end come before it",
                    || format!("{id} ends: {life:?}"),
                )?;
                let alone = life.children == 0 || life.keeps_children() || life.lost;
                check(alone, "a child ends before its parent", || {
                    format!("{id} ends, and {} children live", life.children)
                })?;
                let again = life.restarting;
                let ending = self.at(id);
                ending.ended = true;
                if again {
                    // What suspended the old instance, and that it failed, is over.
                    *ending =
                        Life { between: true, lived: true, failed: false, suspended: 0, waits: 0, ..*ending };
                    self.leave_alone(id);
                }
                self.at(life.parent).children -= 1;
                self.cannot_be_asked(id);
            }
            Act::Received { id, now } => {
                self.may_handle(id)?;
                let life = self.at(id);
                life.begun_well.get_or_insert(true);
                life.goes_on();
                life.passes(now);
            }
            Act::Handled { by, .. } | Act::Stashed { by, .. } => self.may_handle(by)?,
            Act::StateTimeout { id, .. } => _ = self.at(id).begun_well.get_or_insert(true),
            Act::TimerFired { id, .. }
            | Act::Answered { id, .. }
            | Act::FutureDone { id, .. }
            | Act::Silence { id, .. } => {
                self.may_act(id, "hears something")?;
                self.at(id).begun_well.get_or_insert(true);
                if let Act::FutureDone { waits: true, .. } = act {
                    self.at(id).take_reason_away(true);
                }
            }
            Act::Notice { watcher, target, found } => {
                self.may_act(watcher, "hears of an end")?;
                self.at(watcher).begun_well.get_or_insert(true);
                // One that could not be watched for want of room may live.
                let gone = found || !self.is_short(target);
                self.at(target).gone |= gone;
            }
            Act::Lacks { id, what: Lack::Future { waits: true, .. } } => self.at(id).take_reason_away(true),
            Act::Lacks { id, what: Lack::Restart } => {
                self.at(id).ward.due = None;
                // They are stopped with it, also those who have not begun.
                for id in std::mem::take(&mut self.concerned) {
                    self.at(id).ward.is_to_stop = true;
                }
            }
            Act::FutureBegun { id, waits: true, .. } => self.at(id).waits += 1,
            Act::Suspended { id } => self.at(id).suspended += 1,
            Act::Resumed { id } => self.at(id).take_reason_away(false),
            _ => {}
        }
        Ok(())
    }

    fn is_asked_to_stop(&mut self, id: Id, by: Id) {
        self.disturb_below(id);
        let afar = by != OUTSIDE && self.of(by).shard != self.of(id).shard;
        let from = self.of(by).shard;
        let life = self.at(id);
        (life.ward.is_to_stop, life.disturbed) = (true, true);
        if afar {
            life.ward.asked_from |= bit_of(from);
        } else {
            life.ward.must_end = true;
        }
    }

    fn may_handle(&self, id: Id) -> Verdict {
        self.may_act(id, "handles a message")?;
        let life = self.of(id);
        check(!life.is_held, "messages wait while somebody above is made again", || {
            format!("{id}: {life:?}")
        })?;
        check(!self.is_undecided(id), UNDECIDED, || format!("{id}: {life:?}"))?;
        check(!self.is_to_follow(id), FOLLOWS, || format!("{id}: {life:?}"))?;
        check(!life.restarting, "one that is being restarted handles nothing more", || {
            format!("{id}: {life:?}")
        })
    }

    fn may_act(&self, id: Id, what: &str) -> Verdict {
        self.is_there(id, what)?;
        let life = self.of(id);
        check(
            life.lives() && life.started && !life.stopped && !life.gone,
            "an actor does nothing before its start and after its end",
            || format!("{id} {what}: {life:?}"),
        )
    }

    /// It failed, and its parent, who was there to be asked, has not heard of it.
    fn must_be_told(&self, life: &Life) -> bool {
        let unheard = life.failed && !life.failure_told && !life.excused;
        let parent = self.of(life.parent);
        unheard && (life.parent == OUTSIDE || parent.lives() && parent.started)
    }

    /// Has its place among its siblings from here on. At the top that is when it begins: who is spawned from elsewhere
    /// comes when it does.
    fn rank(&mut self, id: Id) {
        if self.at(id).rank == UNBEGUN {
            self.ranked += 1;
            self.at(id).rank = self.ranked;
        }
    }

    /// Whether something has come in the way of what an actor does, or of what lives above it.
    pub(super) fn is_disturbed(&self, id: Id) -> bool {
        let life = self.of(id);
        let disturbed = self.of(OUTSIDE).disturbed || self.is_in_the_way(id, |life| life.disturbed);
        disturbed || life.held || self.is_to_stop_above(&life)
    }

    /// Whether somebody above is to stop, who may be heard late, or after what it was told: all below it end as well.
    fn is_to_stop_above(&self, life: &Life) -> bool {
        let mut at = life.parent;
        while let Some(above) = self.lives.get(at as usize).filter(|_| at != OUTSIDE) {
            if above.ward.is_to_stop {
                return true;
            }
            at = above.parent;
        }
        false
    }

    /// Something befalls all that lives below, which may end it.
    pub(super) fn disturb_below(&mut self, id: Id) {
        self.each_below(id, &|life| (life.disturbed, life.ward.dismissed) = (true, true));
    }

    pub(super) fn each_below(&mut self, id: Id, what: &impl Fn(&mut Life)) {
        for child in self.children_of(id) {
            what(self.at(child));
            self.each_below(child, what);
        }
    }

    pub(super) fn at_rest(&mut self, now: Time) -> Verdict {
        self.losses_are_over()?;
        self.families_are_whole(now)?;
        for (id, life) in self.lives.iter().enumerate() {
            check(!self.must_be_told(life), UNHEARD, || {
                format!("{} was not told of {id}: {life:?}", life.parent)
            })?;
        }
        self.decisions_are_done(now)?;
        self.calm_down();
        Ok(())
    }

    /// Nothing waits any more for those who run: all that came in their way is over, and who may have ended it is heard.
    fn calm_down(&mut self) {
        for id in 1..self.lives.len() as Id {
            let life = self.of(id);
            if life.runs() && life.waits == 0 && !life.restarting {
                let life = self.at(id);
                (life.disturbed, life.ward.dismissed) = (false, false);
            }
        }
    }

    pub(super) fn at_end(&self) -> Verdict {
        for (id, life) in self.lives.iter().enumerate() {
            check(!life.lives(), "all actors have ended", || format!("{id} lives: {life:?}"))?;
        }
        Ok(())
    }
}
