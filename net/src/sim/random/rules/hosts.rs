//! Who lives where, and what went wrong between two lives: what is lost, or given up, has to have a reason.
//!
//! Each trouble costs its time and what it takes to mend; those of a short while add up. What is in trouble for less than it
//! takes to give a peer up may lose messages, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use corelane_kernel::Time;

use super::{Act, Birth, Decision, Id, Life};

/// What the end of a trouble takes at most: something is sent again, a connection is dialed and opens.
const MENDS: Duration = Duration::from_secs(1);

/// A peer that is in trouble for less is not given up: links put up with a pause that is longer.
pub(in super::super) const PATIENCE: Duration = Duration::from_millis(2500);

#[derive(Clone, Debug)]
struct LifeOf {
    host: u8,
    over: bool,
    /// It does nothing before that.
    paused: Time,
}

/// Somebody.
#[derive(Clone, Debug)]
pub(in super::super) struct Person {
    pub(in super::super) life: Life,
    pub(in super::super) host: u8,
    pub(in super::super) shard: usize,
    /// What it was born by, if it is a child.
    pub(in super::super) birth: Option<Birth>,
    pub(super) ended: bool,
    /// The former instance is gone, and the next one not there yet; or never will be.
    pub(super) between: bool,
    /// A handler of it has failed.
    pub(super) failed: bool,
    /// How many instances of it there were.
    pub(super) instances: u32,
}

#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// When all of it is mended.
    until: Time,
    may_give_up: bool,
}

#[derive(Debug, Default)]
pub(in super::super) struct Hosts {
    /// Anything may have been wrong at any time.
    anything: bool,
    lives: Vec<LifeOf>,
    pub(super) people: Vec<Person>,
    troubles: BTreeMap<(Life, Life), Trouble>,
}

impl Hosts {
    pub(super) fn new(anything: bool) -> Hosts {
        Hosts { anything, ..Hosts::default() }
    }

    pub(super) fn see(&mut self, act: Act) {
        match act {
            Act::Begins { host } => self.lives.push(LifeOf { host, over: false, paused: Time::ZERO }),
            Act::Over { life } => self.lives[life].over = true,
            Act::Trouble { one, other, now, lasts } => {
                let before = Trouble { until: now, may_give_up: false };
                let trouble = self.troubles.entry((one.min(other), one.max(other))).or_insert(before);
                trouble.until = trouble.until.max(now) + lasts + MENDS;
                trouble.may_give_up |= trouble.until.since(now) > PATIENCE;
            }
            Act::Pauses { life, until } => {
                let paused = &mut self.lives[life].paused;
                *paused = until.max(*paused);
            }
            Act::Settles { life, shard } => _ = self.settle(life, shard, None),
            Act::Dropped { id } => {
                let of = &mut self.people[id as usize];
                of.ended |= !of.between;
            }
            Act::Fails { id: by } | Act::Decides { by, what: Decision::Escalate, .. } => {
                self.people[by as usize].failed = true;
            }
            Act::Restarting { id } => self.people[id as usize].between = true,
            _ => {}
        }
    }

    pub(super) fn settle(&mut self, life: Life, shard: usize, birth: Option<Birth>) -> Id {
        let host = self.lives[life].host;
        let born =
            Person { life, host, shard, birth, ended: false, between: false, failed: false, instances: 1 };
        self.people.push(born);
        (self.people.len() - 1) as Id
    }

    pub(super) fn at(&mut self, id: Id) -> &mut Person {
        &mut self.people[id as usize]
    }

    /// Somebody, of whom it is known that there is such a one.
    pub(in super::super) fn of(&self, id: Id) -> &Person {
        &self.people[id as usize]
    }

    pub(in super::super) fn people(&self) -> usize {
        self.people.len()
    }

    pub(in super::super) fn lives(&self) -> usize {
        self.lives.len()
    }

    /// The newest life of a host.
    pub(in super::super) fn life_of(&self, host: u8) -> Option<Life> {
        self.lives.iter().rposition(|life| life.host == host)
    }

    pub(super) fn is_over(&self, life: Life) -> bool {
        self.lives[life].over
    }

    pub(in super::super) fn is_alive(&self, id: Id) -> bool {
        self.people.get(id as usize).is_some_and(|of| !of.ended && !of.between && !self.lives[of.life].over)
    }

    /// Those who live on a shard of a life.
    pub(in super::super) fn on(&self, life: Life, shard: usize) -> impl Iterator<Item = Id> {
        let is_there =
            move |id: &Id| self.is_alive(*id) && (self.of(*id).life, self.of(*id).shard) == (life, shard);
        (0..self.people.len() as Id).filter(is_there)
    }

    /// When a life notices at the earliest that it is this late.
    pub(super) fn wakes(&self, life: Life, at: Time) -> Time {
        at.max(self.lives[life].paused)
    }

    fn trouble(&self, one: Life, other: Life) -> Option<&Trouble> {
        self.troubles.get(&(one.min(other), one.max(other)))
    }

    /// Whether nothing was ever wrong between two lives.
    pub(super) fn is_clear(&self, one: Life, other: Life) -> bool {
        let lives = |life: Life| !self.lives[life].over;
        one == other || !self.anything && lives(one) && lives(other) && self.trouble(one, other).is_none()
    }

    /// Whether one of two lives may have given the other up, or heard that it is over.
    pub(in super::super) fn may_give_up(&self, one: Life, other: Life) -> bool {
        let over = |life: Life| self.lives[life].over;
        let trouble = self.trouble(one, other).is_some_and(|trouble| trouble.may_give_up);
        one != other && (self.anything || over(one) || over(other) || trouble)
    }

    /// Whether a life may have given up any of a host's.
    pub(super) fn may_give_up_host(&self, one: Life, host: u8) -> bool {
        let mut lives = (0..self.lives.len()).filter(|life| self.lives[*life].host == host);
        lives.any(|life| self.may_give_up(one, life))
    }

    /// Whether something was wrong between a life and any of a host's, be it for a moment.
    pub(super) fn was_troubled(&self, one: Life, host: u8) -> bool {
        let mut lives = (0..self.lives.len()).filter(|life| self.lives[*life].host == host);
        lives.any(|life| !self.is_clear(one, life))
    }

    pub(in super::super) fn name(&self, id: Id) -> String {
        match self.people.get(id as usize) {
            Some(of) => {
                let state = match (of.ended, self.lives[of.life].over) {
                    (false, false) if of.between => ", between two instances",
                    (false, false) => "",
                    (true, false) => ", ended",
                    (_, true) => ", of a life that is over",
                };
                format!("{id} (host {}, life {}, shard {}{state})", of.host, of.life, of.shard)
            }
            None => format!("{id}, who never was"),
        }
    }
}
