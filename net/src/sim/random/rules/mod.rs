//! The rules that a random cluster must keep. They know what actors and the story tell them, and nothing of links, gates or
//! bytes.
//!
//! `hosts` has who lives where, and what went wrong between two lives; `messages`, `watches`, `questions` and `families` have a
//! kind of rule each. All of them are told [acts](Act), in the order in which they happen, and looked at once more when the
//! cluster is at rest. Each check has a story in `tests` that only this check notices.

mod families;
mod hosts;
mod messages;
mod questions;
#[cfg(test)]
mod tests;
mod watches;

use std::time::Duration;

use corelane_kernel::Time;
pub use corelane_shard::sim::rules::Broken;
pub(super) use corelane_shard::sim::rules::{First, Verdict, check};

use self::families::Families;
use self::hosts::Hosts;
use self::messages::Messages;
use self::questions::Questions;
use self::watches::Watches;

/// An actor, by the number it has in the world.
pub(super) type Id = u32;

/// A life of a host, in the order of all lives.
pub(super) type Life = usize;

/// A child that was sent for, by the number of that.
pub(super) type Birth = u32;

/// How long a link takes to open.
const OPENS: Duration = Duration::from_secs(5);

/// How a watched actor is said to have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Stopped,
    Failed,
    NotFound,
    Unreachable,
}

/// What came of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Them,
    /// The host has no such actor.
    Nobody,
    /// As many look-ups as may be wait already.
    TooMany,
    /// The host was not reached, or gave no answer.
    NoAnswer,
}

/// What came of the birth of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Born {
    There,
    /// As many children of that host's actors live there as may.
    TooMany,
    /// The host was not reached in time.
    Late,
    /// The host was lost, or ends.
    Lost,
    /// One of the two hosts has no memory for it.
    OutOfMemory,
    /// Another reason, which there should not be.
    Refused,
}

/// What a parent wants done about a child that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Resume,
    Restart,
    Stop,
    Escalate,
}

/// What happens in a cluster, as those say to whom it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A host begins a life; they are numbered from 0.
    Begins {
        host: u8,
    },
    /// A life is over.
    Over {
        life: Life,
    },
    /// Something goes wrong between two lives, for so long.
    Trouble {
        one: Life,
        other: Life,
        now: Time,
        lasts: Duration,
    },
    /// A life does nothing until then.
    Pauses {
        life: Life,
        until: Time,
    },
    /// Somebody is born at the top of a shard; all who are born are numbered from 0.
    Settles {
        life: Life,
        shard: usize,
    },
    /// The state of somebody is dropped.
    Dropped {
        id: Id,
    },
    /// A handler is about to fail.
    Fails {
        id: Id,
    },
    /// Somebody handles something that it is told from the story, to see whether it does.
    Stirs {
        id: Id,
    },

    Told {
        from: Id,
        to: Id,
        no: u32,
    },
    /// What was to be told was given back.
    Refused {
        from: Id,
        to: Id,
        no: u32,
    },
    /// Somebody has a message in its hands that says whom it is for.
    Heard {
        by: Id,
        from: Id,
        to: Id,
        no: u32,
    },

    Watches {
        by: Id,
        of: Id,
    },
    Unwatches {
        by: Id,
        of: Id,
    },
    /// Somebody is told of an end, of somebody whom it takes to watch.
    Notice {
        by: Id,
        of: Option<Id>,
        how: How,
    },
    /// Somebody is told to stop.
    Stops {
        by: Id,
        of: Id,
    },

    Asks {
        by: Id,
        of: Id,
        no: u32,
        now: Time,
        until: Time,
    },
    /// The question never left, and its asker was told so at once.
    NotAsked {
        no: u32,
    },
    Answered {
        by: Id,
        no: u32,
        answer: Option<u32>,
        now: Time,
    },
    LooksUp {
        by: Id,
        of: Id,
        no: u32,
        now: Time,
        until: Time,
    },
    LookedUp {
        by: Id,
        no: u32,
        found: Found,
        now: Time,
    },

    /// A child is sent for, at a host.
    Hires {
        by: Id,
        birth: Birth,
        host: u8,
        now: Time,
        until: Time,
    },
    /// It was not begun.
    NotHired {
        birth: Birth,
    },
    /// An instance of the child is made, in a life.
    Made {
        birth: Birth,
        life: Life,
    },
    /// It has started, on a shard.
    Started {
        birth: Birth,
        shard: usize,
    },
    /// The parent is told what came of it.
    Hired {
        by: Id,
        birth: Birth,
        born: Born,
        now: Time,
    },
    /// A parent decides about a child's failure.
    Decides {
        by: Id,
        birth: Birth,
        what: Decision,
    },
    /// An instance is about to be followed by another.
    Restarting {
        id: Id,
    },
}

/// What may be too small in a world: where it is, more may be refused.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// Anything may go wrong between anybody at any time.
    pub(super) anything: bool,
    pub(super) watches: Option<usize>,
    pub(super) children: Option<usize>,
    pub(super) lookups: Option<usize>,
    /// Little may wait for a connection, or for room.
    pub(super) pending: bool,
    /// The region and its queues may be full: where they are, what was asked for has no answer but a dead letter.
    pub(super) memory: bool,
}

/// All rules, and what they remember.
#[derive(Debug, Default)]
pub(super) struct Rules {
    limits: Limits,
    hosts: Hosts,
    messages: Messages,
    watches: Watches,
    questions: Questions,
    families: Families,
}

impl Rules {
    pub(super) fn new(limits: Limits) -> Rules {
        Rules { limits, hosts: Hosts::new(limits.anything), ..Rules::default() }
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Somebody who was made of a birth.
    pub(super) fn child_of(&self, birth: Birth) -> Option<Id> {
        self.families.child_of(birth)
    }

    /// How many on other hosts watch those on a shard.
    pub(super) fn watches_over(&self, life: Life, shard: usize) -> usize {
        self.watches.over(life, shard, &self.hosts)
    }

    /// Something has happened.
    pub(super) fn see(&mut self, act: Act) -> Verdict {
        // Before anything changes.
        self.families.may(act, &self.hosts)?;
        self.hosts.see(act);
        self.messages.see(act, &self.hosts)?;
        self.watches.see(act, &self.hosts, self.limits)?;
        self.questions.see(act, &self.hosts, self.limits)?;
        self.families.see(act, &mut self.hosts, self.limits)
    }

    /// Nothing is wrong any more, and there was time enough for everything.
    pub(super) fn at_rest(&self, now: Time) -> Verdict {
        self.messages.at_rest(&self.hosts)?;
        self.watches.at_rest(&self.hosts)?;
        self.questions.at_rest(&self.hosts, self.limits, now)?;
        self.families.at_rest(&self.hosts, self.limits)
    }
}
