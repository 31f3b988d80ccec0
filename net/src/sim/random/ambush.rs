//! Faults that lie in ambush: right after something was sent they may follow, so that they fall between a signal and its
//! acknowledgement, a hello and its welcome, a message and its answer.
//!
//! Actors [provoke](Ambushes::provoke) them; each waits for its time, which is as likely microseconds away as a second. It is
//! the story that does them, since hosts are its own: a world of the simulation only says when.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use corelane_kernel::Time;
use corelane_shard::sim::{Dice, Moment, World};

use super::books::Books;

/// Faults that lie in ambush in one world, at most.
const MOST: u32 = 40;

/// Something that goes wrong between two hosts, or is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All connections between them break.
    Reset,
    /// Nothing comes from one to the other for a while, or either way.
    Cut {
        both: bool,
        lasts: Duration,
    },
    Mend,
    /// The first does nothing for a while.
    Pause {
        lasts: Duration,
    },
    /// The first is killed; and may be back at once.
    Crash {
        again: bool,
    },
    /// The first comes back, if it is not there.
    Return,
}

/// A fault, with the hosts that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) one: u8,
    pub(super) other: u8,
}

#[derive(Debug)]
pub(super) struct Ambushes {
    one_in: u32,
    left: u32,
    /// By time, and then in the order in which they were laid.
    waiting: BTreeMap<(Time, u32), Fault>,
    last: u32,
    sprung: VecDeque<Fault>,
}

/// A time of up to a second, of any size.
fn soon(dice: &mut Dice) -> Duration {
    let most = 1 << (10 + dice.below(21));
    Duration::from_nanos(dice.below(most))
}

impl Ambushes {
    pub(super) fn new(one_in: u32) -> Ambushes {
        Ambushes { one_in, left: MOST, waiting: BTreeMap::new(), last: 0, sprung: VecDeque::new() }
    }

    /// Something has just gone from one host to another.
    pub(super) fn provoke(&mut self, dice: &mut Dice, one: u8, other: u8, now: Time) {
        if self.left > 0 && dice.one_in(self.one_in) {
            self.left -= 1;
            self.lay(dice, one, other, now);
        }
    }

    fn lay(&mut self, dice: &mut Dice, one: u8, other: u8, now: Time) {
        let (one, other) = if dice.one_in(2) { (one, other) } else { (other, one) };
        let lasts = soon(dice) * [1, 1, 1, 8][dice.index(4)];
        let kind = match dice.index(20) {
            0..9 => Kind::Reset,
            9..15 => Kind::Cut { both: dice.one_in(2), lasts },
            15..17 => Kind::Pause { lasts },
            _ => Kind::Crash { again: dice.one_in(2) },
        };
        let at = now + soon(dice);
        self.wait(at, Fault { kind, one, other });
    }

    pub(super) fn wait(&mut self, at: Time, fault: Fault) {
        self.last += 1;
        self.waiting.insert((at, self.last), fault);
    }

    /// One was done: another may follow it, while what it broke is being mended.
    pub(super) fn follow(&mut self, dice: &mut Dice, fault: Fault, now: Time) {
        let Fault { kind, one, other } = fault;
        match kind {
            Kind::Cut { lasts, .. } => self.wait(now + lasts, Fault { kind: Kind::Mend, ..fault }),
            Kind::Crash { again: false } => {
                self.wait(now + soon(dice) * 4, Fault { kind: Kind::Return, ..fault })
            }
            _ => {}
        }
        if self.left > 0 && dice.one_in(3) {
            self.left -= 1;
            self.lay(dice, one, other, now);
        }
    }

    pub(super) fn has_sprung(&self) -> bool {
        !self.sprung.is_empty()
    }

    pub(super) fn take_sprung(&mut self) -> Option<Fault> {
        self.sprung.pop_front()
    }

    /// None comes any more.
    pub(super) fn disarm(&mut self) {
        self.left = 0;
        self.waiting.clear();
        self.sprung.clear();
    }
}

/// Says when a fault's time has come.
pub(super) struct Watchman(pub(super) Books);

impl World for Watchman {
    fn next_time(&mut self, _: &Moment<'_>) -> Option<Time> {
        self.0.ambushes(|ambushes, _| ambushes.waiting.first_key_value().map(|((at, _), _)| *at))
    }

    fn step(&mut self, _: &Moment<'_>) {
        self.0.ambushes(|ambushes, _| {
            let first = ambushes.waiting.pop_first();
            ambushes.sprung.extend(first.map(|(_, fault)| fault));
        });
    }
}
