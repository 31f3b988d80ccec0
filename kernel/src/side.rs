//! Side records: what only some actors need, kept out of the 32 bytes that all have.

use core::time::Duration;

use crate::bond::Bond;
use crate::limits::STASH_DEFAULT;
use crate::names::Name;
use crate::pool::Handle;
use crate::region::NONE;
use crate::retiring::Retirement;
use crate::supervise::Ward;
use crate::time::Time;
use crate::timers::Timer;
use crate::watch::{Obituary, Watch};

/// Stands in a cell's header in place of a side record that there was no room for: the actor has failed. No record has
/// this number, as a region ends before it.
pub(crate) const FAILED_BARE: u32 = u32::MAX;

/// A list of parcels: first and last.
#[derive(Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Chain {
    pub(crate) const EMPTY: Chain = Chain { first: NONE, last: NONE };

    pub(crate) fn is_empty(&self) -> bool {
        self.first == NONE
    }
}

#[derive(Clone, Copy)]
pub(crate) struct ReceiveTimeout {
    pub(crate) after: Duration,
    pub(crate) last: Time,
    pub(crate) timer: Handle<Timer>,
}

pub(crate) struct Side {
    pub(crate) first_child: u32,
    /// Cells in the list of children, adapters among them.
    pub(crate) children: u32,
    /// Who watches this actor.
    pub(crate) watchers: Handle<Watch>,
    /// Whom it watches.
    pub(crate) watching: Handle<Watch>,
    pub(crate) timers: Handle<Timer>,
    /// First of its open asks' reply cells.
    pub(crate) asks: u32,
    /// Things to drop when the actor stops; see `Ctx::attach`.
    pub(crate) attachments: u32,
    /// Messages that wait for the actor, in order.
    pub(crate) backlog: Chain,
    pub(crate) stash: Chain,
    pub(crate) stashed: u32,
    pub(crate) stash_bound: u32,
    /// How many reasons there are not to run.
    pub(crate) suspensions: u32,
    /// Neighbour in the ring of cells whose backlog is being handled, and whether it is in there.
    pub(crate) ring_next: u32,
    pub(crate) in_ring: bool,
    pub(crate) name: Handle<Name>,
    /// What ties it to the other end, if its parent lives elsewhere, or if it stands for a child that does.
    pub(crate) bond: Handle<Bond>,
    /// Root of the trie of the children's names.
    pub(crate) child_names: Handle<Name>,
    pub(crate) receive_timeout: Option<ReceiveTimeout>,
    /// Mailbox bound (zero: none) and messages that count towards it.
    pub(crate) bound: u32,
    pub(crate) waiting: u32,
    pub(crate) obituary: Handle<Obituary>,
    /// Position in the group's queue that must be passed before the watchers are told, or before it retires.
    pub(crate) end: u64,
    pub(crate) retirement: Retirement,
    pub(crate) ward: Ward,
}

impl Side {
    pub(crate) const fn new() -> Side {
        Side {
            first_child: NONE,
            children: 0,
            watchers: Handle::NONE,
            watching: Handle::NONE,
            timers: Handle::NONE,
            asks: NONE,
            attachments: NONE,
            backlog: Chain::EMPTY,
            stash: Chain::EMPTY,
            stashed: 0,
            stash_bound: STASH_DEFAULT,
            suspensions: 0,
            ring_next: NONE,
            in_ring: false,
            name: Handle::NONE,
            bond: Handle::NONE,
            child_names: Handle::NONE,
            receive_timeout: None,
            bound: 0,
            waiting: 0,
            obituary: Handle::NONE,
            end: 0,
            retirement: Retirement::None,
            ward: Ward::new(),
        }
    }

    /// Messages must pass through the slow path: there are duties.
    pub(crate) fn has_duties(&self) -> bool {
        self.bound != 0 || self.receive_timeout.is_some()
    }
}
