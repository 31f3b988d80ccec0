//! Lives, and the tree that they make.

use super::{Act, Id, OUTSIDE, Verdict, check};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life {
    pub(super) parent: Id,
    pub(super) shard: usize,
    spawned: bool,
    made: bool,
    pub(super) started: bool,
    restarting: bool,
    pub(super) stopped: bool,
    pub(super) ended: bool,
    /// Somebody was told that it is gone.
    gone: bool,
    failed: bool,
    failure_told: bool,
    /// Reasons not to run that somebody else takes away.
    pub(super) suspended: u32,
    /// Futures that it waits for.
    pub(super) waits: u32,
    /// Children whose state is there.
    children: u32,
}

impl Life {
    /// It can hear what it is told.
    pub(super) fn runs(&self) -> bool {
        self.started && !self.stopped && !self.ended && self.suspended == 0
    }

    /// Its state is there.
    pub(super) fn lives(&self) -> bool {
        self.made && !self.ended
    }

    /// It lived, and does no more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }
}

/// Everybody who was ever spawned, by number.
#[derive(Debug, Default)]
pub(super) struct Lives {
    lives: Vec<Life>,
}

impl Lives {
    pub(super) fn of(&self, id: Id) -> Life {
        self.lives.get(id as usize).copied().unwrap_or_default()
    }

    fn at(&mut self, id: Id) -> &mut Life {
        let at = id as usize;
        if self.lives.len() <= at {
            self.lives.resize(at + 1, Life::default());
        }
        &mut self.lives[at]
    }

    pub(super) fn see(&mut self, act: Act) -> Verdict {
        match act {
            Act::Spawned { id, parent, shard } => {
                let known = self.of(id);
                check(!known.spawned && id != OUTSIDE, "a number is given once", || format!("{id}"))?;
                *self.at(id) = Life { parent, shard, spawned: true, ..Life::default() };
            }
            Act::Made { id } => {
                let life = *self.at(id);
                check(
                    life.spawned && !life.gone && (!life.made || life.restarting),
                    "a state is made once, and again by a restart",
                    || format!("{id} is made: {life:?}"),
                )?;
                let fresh = !life.made || life.ended;
                let life = self.at(id);
                *life = Life {
                    made: true,
                    started: false,
                    stopped: false,
                    ended: false,
                    restarting: false,
                    ..*life
                };
                if fresh {
                    let parent = life.parent;
                    self.at(parent).children += 1;
                }
            }
            Act::Started { id } => {
                let (life, parent) = (self.of(id), self.of(self.of(id).parent));
                check(life.lives() && !life.started && !life.gone, "an actor starts once", || {
                    format!("{id} starts: {life:?}")
                })?;
                check(!parent.stopped && !parent.ended, "a child ends before its parent", || {
                    format!("{id} starts, and {} has stopped", life.parent)
                })?;
                self.at(id).started = true;
            }
            Act::Restarting { id } => self.at(id).restarting = true,
            Act::Fails { id } => {
                let life = self.at(id);
                (life.failed, life.failure_told) = (true, false);
            }
            Act::ChildFailed { parent, child } => {
                let life = self.of(child);
                check(
                    life.parent == parent && life.failed && !life.failure_told,
                    "a parent hears once of each child that failed",
                    || format!("{parent} hears of {child}: {life:?}"),
                )?;
                self.may_act(parent, "hears of a child")?;
                self.at(child).failure_told = true;
            }
            Act::Stopped { id } => {
                let life = self.of(id);
                // One whose parent ends before it could start has its hook run all the same, if its state is there.
                check(life.lives() && !life.stopped, "an actor stops once", || {
                    format!("{id} stops: {life:?}")
                })?;
                check(life.children == 0, "a child ends before its parent", || {
                    format!("{id} stops, and {} children live", life.children)
                })?;
                self.at(id).stopped = true;
            }
            Act::Ended { id } => {
                let life = self.of(id);
                check(life.lives(), "a state is dropped once", || format!("{id}: {life:?}"))?;
                check(life.children == 0 || life.restarting, "a child ends before its parent", || {
                    format!("{id} ends, and {} children live", life.children)
                })?;
                self.at(id).ended = true;
                self.at(life.parent).children -= 1;
            }
            Act::Handled { by, .. } | Act::Stashed { by, .. } => self.may_act(by, "handles a message")?,
            Act::TimerFired { id, .. }
            | Act::Answered { id, .. }
            | Act::FutureDone { id, .. }
            | Act::Silence { id, .. } => {
                self.may_act(id, "hears something")?;
                if let Act::FutureDone { waits: true, .. } = act {
                    let life = self.at(id);
                    life.waits = life.waits.saturating_sub(1);
                }
            }
            Act::Notice { watcher, target, .. } => {
                self.may_act(watcher, "hears of an end")?;
                self.at(target).gone = true;
            }
            Act::FutureBegun { id, waits: true, .. } => self.at(id).waits += 1,
            Act::Suspended { id } => self.at(id).suspended += 1,
            Act::Resumed { id } => {
                let life = self.at(id);
                life.suspended = life.suspended.saturating_sub(1);
            }
            _ => {}
        }
        Ok(())
    }

    fn may_act(&self, id: Id, what: &str) -> Verdict {
        let life = self.of(id);
        check(
            life.lives() && life.started && !life.stopped && !life.gone,
            "an actor does nothing before its start and after its end",
            || format!("{id} {what}: {life:?}"),
        )
    }

    pub(super) fn at_rest(&self) -> Verdict {
        for (id, life) in self.lives.iter().enumerate() {
            let parent = self.of(life.parent);
            let to_tell = life.failed && life.ended && !life.failure_told && life.parent != OUTSIDE;
            check(
                !to_tell || !parent.lives() || !parent.started,
                "a parent hears once of each child that failed",
                || format!("{} was not told of {id}", life.parent),
            )?;
        }
        Ok(())
    }

    pub(super) fn at_end(&self) -> Verdict {
        for (id, life) in self.lives.iter().enumerate() {
            check(!life.lives(), "all actors have ended", || format!("{id} lives: {life:?}"))?;
        }
        Ok(())
    }
}
