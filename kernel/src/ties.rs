//! Ties: what binds actors of this kernel to those of others, by shard.
//!
//! For each shard there are two rows of watches. In one stand the watches that actors here have on actors there: when
//! that kernel is gone, nobody is left who would tell of their ends, so each becomes a notice that says so. In the other
//! stand the notices for watchers there, which may have to wait for room. The notices of one shard are told in order;
//! those that wait hold up neither those of another shard nor those for watchers here.
//!
//! Asks of actors there are ended as well (see `deadline`).
//!
//! A kernel that ends says so on each lane for signals, behind all that it signalled before: its *farewell*. Room for it
//! is kept free there at all times, so that it can be said however full the lane is.

use crate::address::Place;
use crate::kernel::Kernel;
use crate::pool::Handle;
use crate::region::Memory;
use crate::shelf::Shelf;
use crate::watch::{State, Watch};

/// Watches that are linked through their target's neighbours.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) first: Handle<Watch>,
    pub(crate) last: Handle<Watch>,
}

impl Row {
    const EMPTY: Row = Row { first: Handle::NONE, last: Handle::NONE };
}

struct Tie {
    /// Watches by actors of this kernel on actors there.
    watched: Row,
    /// Notices for watchers there, in order.
    notices: Row,
}

pub(crate) struct Ties {
    own: Place,
    /// Notices for watchers of this kernel, in order.
    here: Row,
    /// By shard; at least one.
    away: Shelf<Tie>,
    /// Notices for watchers elsewhere, of all shards.
    waiting: u32,
}

impl Ties {
    pub(crate) fn new(memory: &mut Memory, own: Place, shards: usize) -> Option<Ties> {
        let mut away = Shelf::with_room(memory, shards)?;
        for _ in 0..shards {
            away.push(memory, Tie { watched: Row::EMPTY, notices: Row::EMPTY }).ok()?;
        }
        Some(Ties { own, here: Row::EMPTY, away, waiting: 0 })
    }

    /// Of a place in another realm, which may have more shards, it is somebody's: each watch knows its own place.
    fn at(&mut self, place: Place) -> &mut Tie {
        let last = self.away.len() - 1;
        &mut self.away[place.shard().min(last)]
    }

    /// The row of watches on actors of another kernel.
    pub(crate) fn watched(&mut self, place: Place) -> &mut Row {
        &mut self.at(place).watched
    }

    /// The row of notices for watchers at a place.
    pub(crate) fn notices(&mut self, place: Place) -> &mut Row {
        if place == self.own { &mut self.here } else { &mut self.at(place).notices }
    }

    /// A notice for a watcher at this place came or went.
    pub(crate) fn count_notice(&mut self, place: Place, came: bool) {
        if place != self.own {
            self.waiting = if came { self.waiting + 1 } else { self.waiting - 1 };
        }
    }

    /// Whether any notice is still to be told.
    pub(crate) fn have_notices(&self) -> bool {
        self.here.first.is_some() || self.waiting > 0
    }

    /// The next notice for a watcher of this kernel.
    pub(crate) fn next_here(&self) -> Handle<Watch> {
        self.here.first
    }
}

impl Kernel {
    /// Sends the notices for watchers of other kernels, each as far as there is room. Says whether any went.
    pub(crate) fn send_notices(&mut self) -> bool {
        if self.ties.waiting == 0 {
            return false;
        }
        let mut sent = false;
        for shard in 0..self.ties.away.len() {
            loop {
                let notice = self.ties.away[shard].notices.first;
                if notice.is_none() || !self.send_notice(notice) {
                    break;
                }
                sent = true;
            }
        }
        sent
    }

    /// The kernel at a place has said that it is gone: so is, for all that can be known, whoever was watched there.
    pub(crate) fn hear_farewell(&mut self, place: Place) {
        let mut at = self.ties.watched(place).first;
        while at.is_some() {
            let (target, next) = self.watches.get(at).target_and_next();
            if target.place == place {
                self.unlink_at_target(at);
                self.add_notice(at, State::Unreachable, Handle::NONE);
            }
            at = next;
        }
        self.lose_asks_of(place);
        self.lose_exit_to(place);
    }
}
