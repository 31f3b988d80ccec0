//! Bonds: what ties a child on another shard, or on another host, to its parent, and what travels along.
//!
//! In the parent's kernel an *outpost* stands among the children in the child's place: a cell that handles no message, has
//! the child's name, and is restarted, suspended and stopped like any other child. What is done with it, it orders from the
//! child's kernel; what becomes of the child is reported to it. So the tree of each kernel is whole, and none of its walks
//! knows that a part of it lies elsewhere.
//!
//! ```text
//!   shard 0                          shard 1
//!   root                             root
//!     └─ parent                        └─ child
//!          └─ outpost ◀── reports ────────┘
//!                └─────── orders ────────▶
//! ```
//!
//! Orders and reports are signals, over lanes or over the uplink. Each end keeps in its bond what it has still to say, so that nothing is lost where the
//! region is used up and the lane full: it is said when there is room again, the last word only.

use core::time::Duration;

use heapless::String;

use crate::address::{Address, Place};
use crate::error::SpawnError;
use crate::failure::Failure;
use crate::limits::{NAME_MAX, PREFIX_MAX};

/// The path of a parent on another shard, as its child prints it.
pub(crate) type Prefix = String<PREFIX_MAX, u8>;

/// The name of a child on another shard.
pub(crate) type OwnName = String<NAME_MAX, u8>;

/// Which end of a bond a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Parent,
    Child,
}

/// What is to be done about a bond, found again if a panic comes between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// At the parent's end: the failure that is kept at the outpost is to be decided about.
    Judgement,
    /// The other end is gone.
    End,
}

/// Part of the cell of an outpost, or of a child whose parent is elsewhere; found through its side record.
pub(crate) struct Bond {
    pub(crate) end: End,
    /// The outpost, or the child once it is known.
    pub(crate) other: Address,
    /// Where that is.
    pub(crate) place: Place,
    pub(crate) due: Due,
    /// Restarts that were ordered, or obeyed. A failure that was reported before a restart was heard of is out of date.
    pub(crate) round: u32,
    /// The child is suspended over what happens above its parent: as was ordered last, or obeyed.
    pub(crate) held: bool,
    /// A failure of the child was reported, and no order has gone out since. (The child's own note is its ward's step.)
    pub(crate) undecided: bool,
    /// Nothing is left to say: the child's birth and its last failure, or the stop of the outpost.
    pub(crate) said: bool,
    /// An order that was not sent yet.
    pub(crate) order: Option<ChildOrder>,
    /// The child's end: who the parent is, and its path.
    pub(crate) parent: Address,
    pub(crate) prefix: Prefix,
}

impl Bond {
    pub(crate) fn new(end: End, other: Address, place: Place) -> Bond {
        Bond {
            end,
            other,
            place,
            due: Due::Nothing,
            round: 0,
            held: false,
            undecided: false,
            said: false,
            order: None,
            parent: Address::NOBODY,
            prefix: Prefix::new(),
        }
    }
}

/// What a parent's kernel tells a child's.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) round: u32,
    pub(crate) what: ChildOrder,
}

/// What a parent orders of a child that lives elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildOrder {
    /// Go on as if it had not failed.
    Resume,
    /// Begin anew: over its own failure, or over somebody else's.
    Restart {
        /// After so long.
        wait: Duration,
        /// The failure that it is over.
        failure: Failure,
    },
    /// Let messages wait, or no longer.
    Hold(bool),
    /// Stop, with all below it.
    Stop,
}

/// What a child's kernel tells a parent's. Each report names the child, so that the first that is heard introduces it.
#[derive(Clone)]
pub(crate) struct Report {
    pub(crate) child: Address,
    pub(crate) round: u32,
    pub(crate) news: ChildNews,
}

/// What there is to report of a child that lives elsewhere than its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildNews {
    /// It is there.
    Born,
    /// It could not be made. Said between shards only: who sends for a child on another host uses
    /// [`Scope::refuse_outpost`](crate::Scope::refuse_outpost).
    Unborn(SpawnError),
    /// It has failed, and waits for a decision.
    Failed(Failure),
    /// It has ended.
    Ended,
}
