//! The books: who lives where in a random cluster, what has been said and done, and the rules that it must keep. They know what
//! actors and the story tell them, and nothing of links, gates or bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corelane_kernel::{ActorRef, StopReason, Time};
use corelane_shard::sim::{Dice, note};

use super::message::Msg;

/// An actor, by the number it has in the world.
pub(super) type Id = u32;

/// How late an ask's end may be: a tick of the kernel's wheel, and the longest that a shard may do nothing.
const LATE: Duration = Duration::from_millis(100);

/// What a trace notes where a rule is broken.
pub(super) const BROKEN: &str = "BROKEN";

/// A rule that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule.
    pub rule: &'static str,
    /// Who and what.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// What happened in a world, or in many, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Messages that a way was found for.
    pub told: u64,
    /// Messages that came, from this host or another.
    pub heard: u64,
    /// Of these, such as came from another host.
    pub heard_from_afar: u64,
    /// Questions that were answered.
    pub answered: u64,
    /// Questions that had no answer in time.
    pub unanswered: u64,
    /// Notices of an end.
    pub notices: u64,
    /// Of these, such as told that the host was given up, or gone.
    pub unreachable: u64,
    /// Actors found on other hosts.
    pub found: u64,
    /// Look-ups that found nobody, or no host.
    pub not_found: u64,
    /// Ways that were cut.
    pub cuts: u64,
    /// Times that all connections between two hosts were broken.
    pub resets: u64,
    /// Processes that were killed.
    pub crashes: u64,
    /// Hosts that lost their power.
    pub blackouts: u64,
    /// Hosts that were shut down in order.
    pub departures: u64,
    /// Lives that followed another.
    pub restarts: u64,
}

impl Tally {
    /// Each count with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("told", self.told),
            ("heard", self.heard),
            ("heard_from_afar", self.heard_from_afar),
            ("answered", self.answered),
            ("unanswered", self.unanswered),
            ("notices", self.notices),
            ("unreachable", self.unreachable),
            ("found", self.found),
            ("not_found", self.not_found),
            ("cuts", self.cuts),
            ("resets", self.resets),
            ("crashes", self.crashes),
            ("blackouts", self.blackouts),
            ("departures", self.departures),
            ("restarts", self.restarts),
        ]
        .into_iter()
    }

    /// Adds those of another world.
    pub fn add(&mut self, other: &Tally) {
        for (to, from) in [
            (&mut self.told, other.told),
            (&mut self.heard, other.heard),
            (&mut self.heard_from_afar, other.heard_from_afar),
            (&mut self.answered, other.answered),
            (&mut self.unanswered, other.unanswered),
            (&mut self.notices, other.notices),
            (&mut self.unreachable, other.unreachable),
            (&mut self.found, other.found),
            (&mut self.not_found, other.not_found),
            (&mut self.cuts, other.cuts),
            (&mut self.resets, other.resets),
            (&mut self.crashes, other.crashes),
            (&mut self.blackouts, other.blackouts),
            (&mut self.departures, other.departures),
            (&mut self.restarts, other.restarts),
        ] {
            *to += from;
        }
    }
}

/// A life of a host, in the order of all lives.
pub(super) type Life = usize;

#[derive(Clone, Debug)]
struct LifeOf {
    host: u8,
    over: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) life: Life,
    pub(super) host: u8,
    pub(super) shard: usize,
    pub(super) is_anchor: bool,
    /// As its own host knows it.
    pub(super) at: Option<ActorRef<Msg>>,
    ended: bool,
}

/// What one has told another.
#[derive(Debug, Default)]
struct Pair {
    told: u32,
    refused: BTreeSet<u32>,
    heard: u32,
    /// How many came.
    count: u32,
}

struct Question {
    by: Id,
    of: Id,
    deadline: Time,
}

pub(super) struct Inner {
    dice: Dice,
    tally: Tally,
    faulty: bool,
    broken: Option<Broken>,
    lives: Vec<LifeOf>,
    people: Vec<Person>,
    pairs: BTreeMap<(Id, Id), Pair>,
    /// Without a notice yet.
    watches: BTreeSet<(Id, Id)>,
    questions: BTreeMap<u32, Question>,
    lookups: BTreeMap<u32, Question>,
    numbers: u32,
    /// Things that actors may still do.
    left: u32,
    /// Between whom something went wrong that may make one give the other up.
    disturbed: BTreeSet<(Life, Life)>,
    /// Everything between everybody.
    all_disturbed: bool,
    /// The newest life that a shard heard from a shard of another host.
    newest: BTreeMap<(Life, usize, u8, usize), Life>,
    /// Who is to be reached by whom at the end.
    reaches: BTreeSet<(Id, u8, usize)>,
}

/// A handle to the books. Locked for moments only.
#[derive(Clone)]
pub(super) struct Books(Arc<Mutex<Inner>>);

impl Inner {
    fn check(&mut self, holds: bool, rule: &'static str, what: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            let what = what();
            note(format_args!("{BROKEN}: {rule}: {what}"));
            self.broken = Some(Broken { rule, what });
        }
    }

    fn name(&self, id: Id) -> String {
        match self.people.get(id as usize) {
            Some(of) => {
                let state = match (of.ended, self.lives[of.life].over) {
                    (false, false) => "",
                    (true, false) => ", ended",
                    (_, true) => ", of a life that is over",
                };
                format!("{id} (host {}, life {}, shard {}{state})", of.host, of.life, of.shard)
            }
            None => format!("{id}, who never was"),
        }
    }

    fn lives(&self, id: Id) -> bool {
        self.people.get(id as usize).is_some_and(|of| !of.ended && !self.lives[of.life].over)
    }

    fn may_give_up(&self, one: Id, other: Id) -> bool {
        let (one, other) = (self.people[one as usize].life, self.people[other as usize].life);
        one != other
            && (self.all_disturbed
                || self.lives[one].over
                || self.lives[other].over
                || self.disturbed.contains(&(one.min(other), one.max(other))))
    }
}

impl Books {
    pub(super) fn new(dice: Dice, left: u32, all_disturbed: bool, faulty: bool) -> Books {
        Books(Arc::new(Mutex::new(Inner {
            dice,
            tally: Tally::default(),
            faulty,
            broken: None,
            lives: Vec::new(),
            people: Vec::new(),
            pairs: BTreeMap::new(),
            watches: BTreeSet::new(),
            questions: BTreeMap::new(),
            lookups: BTreeMap::new(),
            numbers: 0,
            left,
            disturbed: BTreeSet::new(),
            all_disturbed,
            newest: BTreeMap::new(),
            reaches: BTreeSet::new(),
        })))
    }

    fn open(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn below(&self, bound: usize) -> usize {
        self.open().dice.index(bound)
    }

    pub(super) fn one_in(&self, times: u32) -> bool {
        self.open().dice.one_in(times)
    }

    /// Whether something may still be done.
    pub(super) fn spend(&self) -> bool {
        let inner = &mut *self.open();
        inner.left = inner.left.saturating_sub(1);
        inner.left > 0
    }

    pub(super) fn tally(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.open().tally);
    }

    pub(super) fn close(&self) -> (Tally, Option<Broken>) {
        let inner = self.open();
        (inner.tally, inner.broken.clone())
    }

    pub(super) fn is_broken(&self) -> bool {
        self.open().broken.is_some()
    }

    pub(super) fn break_rule(&self, rule: &'static str, what: String) {
        self.open().check(false, rule, || what);
    }

    // --- hosts and actors --------------------------------------------------------------------------------------------

    pub(super) fn begin_life(&self, host: u8) -> Life {
        let inner = &mut *self.open();
        inner.tally.restarts += u64::from(inner.lives.iter().any(|life| life.host == host));
        inner.lives.push(LifeOf { host, over: false });
        inner.lives.len() - 1
    }

    pub(super) fn end_life(&self, life: Life) {
        self.open().lives[life].over = true;
        note(format_args!("life {life} is over"));
    }

    /// Something goes wrong between a life and all others.
    pub(super) fn disturb_all(&self, life: Life) {
        let inner = &mut *self.open();
        for other in 0..inner.lives.len() {
            inner.disturbed.insert((other.min(life), other.max(life)));
        }
    }

    /// Those who are always there.
    pub(super) fn anchors(&self, life: Life) -> Vec<(Id, ActorRef<Msg>)> {
        let inner = self.open();
        let of = inner.people.iter().enumerate().filter(|(_, of)| of.is_anchor && of.life == life);
        of.filter_map(|(id, of)| Some((id as Id, of.at?))).collect()
    }

    /// Something goes wrong between two hosts as they are now: each may give the other up.
    pub(super) fn disturb(&self, one: u8, other: u8) {
        let inner = &mut *self.open();
        let of = |host| inner.lives.iter().rposition(|life| life.host == host);
        if let (Some(one), Some(other)) = (of(one), of(other)) {
            inner.disturbed.insert((one.min(other), one.max(other)));
        }
    }

    pub(super) fn be_born(&self, life: Life, shard: usize, is_anchor: bool) -> Id {
        let inner = &mut *self.open();
        let host = inner.lives[life].host;
        inner.people.push(Person { life, host, shard, is_anchor, at: None, ended: false });
        (inner.people.len() - 1) as Id
    }

    pub(super) fn settle(&self, id: Id, at: ActorRef<Msg>) {
        self.open().people[id as usize].at = Some(at);
    }

    /// Its state is dropped.
    pub(super) fn end(&self, id: Id) {
        self.open().people[id as usize].ended = true;
        note(format_args!("{id} ends"));
    }

    /// Somebody, alive or not.
    pub(super) fn somebody(&self) -> Option<(Id, Person)> {
        let inner = &mut *self.open();
        let id = inner.dice.index(inner.people.len());
        Some((id as Id, inner.people.get(id)?.clone()))
    }

    pub(super) fn is_alive(&self, id: Id) -> bool {
        self.open().lives(id)
    }

    /// Somebody who lives, of this life or of any, but not of that.
    pub(super) fn somebody_alive(&self, of: Option<Life>, but: Option<Life>) -> Option<(Id, Person)> {
        let inner = &mut *self.open();
        let life = |id: Id| inner.people[id as usize].life;
        let living: Vec<Id> = (0..inner.people.len() as Id)
            .filter(|id| inner.lives(*id) && of.is_none_or(|of| life(*id) == of) && but != Some(life(*id)))
            .collect();
        let id = *living.get(inner.dice.index(living.len()))?;
        Some((id, inner.people[id as usize].clone()))
    }

    pub(super) fn person(&self, id: Id) -> Person {
        self.open().people[id as usize].clone()
    }

    pub(super) fn number(&self) -> u32 {
        let inner = &mut *self.open();
        inner.numbers += 1;
        inner.numbers
    }

    // --- messages ----------------------------------------------------------------------------------------------------

    /// The number of the next message of a pair.
    pub(super) fn tell(&self, from: Id, to: Id) -> u32 {
        let inner = &mut *self.open();
        let pair = inner.pairs.entry((from, to)).or_default();
        pair.told += 1;
        let no = pair.told;
        inner.tally.told += 1;
        note(format_args!("{from} tells {to} {no}"));
        no
    }

    pub(super) fn refused(&self, from: Id, to: Id, no: u32, why: &'static str) {
        let inner = &mut *self.open();
        inner.tally.told -= 1;
        inner.pairs.entry((from, to)).or_default().refused.insert(no);
        note(format_args!("{from} is refused {no} to {to}: {why}"));
    }

    /// Somebody has a message in its hands that says whom it is for.
    pub(super) fn hear(&self, by: Id, from: Id, to: Id, no: u32) {
        note(format_args!("{by} hears {no} of {from}"));
        let inner = &mut *self.open();
        inner.tally.heard += 1;
        let name = |inner: &Inner| {
            format!("{no} from {} to {}, at {}", inner.name(from), inner.name(to), inner.name(by))
        };
        let what = name(inner);
        inner.check(by == to, "no message reaches another than it is for", || what.clone());
        let (sender, receiver) = match (inner.people.get(from as usize), inner.people.get(by as usize)) {
            (Some(sender), Some(receiver)) => (sender.clone(), receiver.clone()),
            _ => return inner.check(false, "messages come from somebody", || what),
        };
        let again = inner.faulty && inner.dice.one_in(400);
        let pair = inner.pairs.entry((from, to)).or_default();
        let (last, told, refused) = (pair.heard, pair.told, pair.refused.contains(&no));
        pair.heard = pair.heard.max(no);
        pair.count += 1;
        inner.check(no > last && !again, "messages of a pair come in order and at most once", || {
            format!("{what}, after {last}")
        });
        inner.check(no <= told && !refused, "what is refused is not sent", || what.clone());
        if sender.life != receiver.life {
            inner.tally.heard_from_afar += 1;
            let way = (receiver.life, receiver.shard, sender.host, sender.shard);
            let newest = inner.newest.entry(way).or_insert(sender.life);
            let before = std::mem::replace(newest, sender.life.max(*newest));
            inner.check(sender.life >= before, "a life that was followed by another is not heard", || {
                format!("{what}: life {before} was heard before")
            });
        }
    }

    // --- questions ---------------------------------------------------------------------------------------------------

    pub(super) fn ask(&self, by: Id, of: Id, deadline: Time) -> u32 {
        let no = self.number();
        self.open().questions.insert(no, Question { by, of, deadline });
        no
    }

    pub(super) fn answered(&self, by: Id, no: u32, answer: Option<u32>, now: Time) {
        note(format_args!("{by} has {answer:?} for {no}"));
        let inner = &mut *self.open();
        let Some(question) = inner.questions.remove(&no) else {
            return inner.check(false, "a question has one outcome", || format!("{no} of {by}: {answer:?}"));
        };
        let own = question.by == by && answer.is_none_or(|answer| answer == no);
        inner.check(own, "an answer is that of its question", || format!("{no} of {by}: {answer:?}"));
        let late = now > question.deadline + LATE && !inner.all_disturbed;
        inner.check(!late, "a question ends at its deadline", || {
            format!("{no} of {by} ends at {now:?}, not {:?}", question.deadline)
        });
        let early = answer.is_none() && now < question.deadline && !inner.may_give_up(by, question.of);
        let of = inner.name(question.of);
        inner.check(!early, "a question ends early only by an answer", || format!("{no} of {by} to {of}"));
        match answer {
            Some(_) => inner.tally.answered += 1,
            None => inner.tally.unanswered += 1,
        }
    }

    /// It never left: the asker is told so at once.
    pub(super) fn not_asked(&self, no: u32) {
        self.open().questions.remove(&no);
    }

    pub(super) fn look_up(&self, by: Id, deadline: Time) -> u32 {
        let no = self.number();
        self.open().lookups.insert(no, Question { by, of: by, deadline });
        no
    }

    pub(super) fn looked_up(&self, by: Id, no: u32, whom: Option<Id>, now: Time) {
        note(format_args!("{by} has looked up {no}: {whom:?}"));
        let inner = &mut *self.open();
        let Some(question) = inner.lookups.remove(&no) else {
            return inner.check(false, "a look-up has one outcome", || format!("{no} of {by}"));
        };
        let late = now > question.deadline + LATE && !inner.all_disturbed;
        inner.check(!late, "a look-up ends at its deadline", || {
            format!("{no} of {by} ends at {now:?}, not {:?}", question.deadline)
        });
        match whom {
            Some(_) => inner.tally.found += 1,
            None => inner.tally.not_found += 1,
        }
    }

    // --- watches -----------------------------------------------------------------------------------------------------

    pub(super) fn watch(&self, watcher: Id, target: Id) {
        note(format_args!("{watcher} watches {target}"));
        self.open().watches.insert((watcher, target));
    }

    pub(super) fn unwatch(&self, watcher: Id, target: Id) {
        note(format_args!("{watcher} watches {target} no more"));
        self.open().watches.remove(&(watcher, target));
    }

    pub(super) fn notice(&self, watcher: Id, target: Option<Id>, reason: &StopReason) {
        note(format_args!("{watcher} hears of {target:?}: {reason:?}"));
        let inner = &mut *self.open();
        inner.tally.notices += 1;
        inner.tally.unreachable += u64::from(matches!(reason, StopReason::Unreachable));
        let watched = target.is_some_and(|target| inner.watches.remove(&(watcher, target)));
        inner.check(watched, "each watch has one notice", || format!("{watcher} of {target:?}: {reason:?}"));
        let Some(target) = target else { return };
        let name = format!("{} of {}", inner.name(watcher), inner.name(target));
        let ended = !inner.lives(target);
        match reason {
            StopReason::Unreachable => {
                let may = inner.may_give_up(watcher, target);
                inner.check(may, "a host is given up only if something was wrong", || name);
            }
            _ => inner.check(ended, "a notice comes after the end", || format!("{name}: {reason:?}")),
        }
    }

    // --- rest --------------------------------------------------------------------------------------------------------

    /// Somebody is to be reached from somebody.
    pub(super) fn will_reach(&self, by: Id, host: u8, shard: usize) {
        self.open().reaches.insert((by, host, shard));
    }

    pub(super) fn has_reached(&self, by: Id, host: u8, shard: usize) {
        self.open().reaches.remove(&(by, host, shard));
    }

    /// Nothing is wrong any more, and there was time enough for everything.
    pub(super) fn rest(&self, now: Time) {
        let inner = &mut *self.open();
        let untold = inner.watches.iter().find(|(watcher, target)| {
            let twice = inner.people[*watcher as usize].ended;
            inner.lives(*watcher) && !twice && !inner.lives(*target)
        });
        if let Some((watcher, target)) = untold.copied() {
            let name = format!("{} was not told of {}", inner.name(watcher), inner.name(target));
            inner.check(false, "each watch has one notice", || name);
        }
        let open = |of: &BTreeMap<u32, Question>| {
            of.iter()
                .find(|(_, of)| inner.lives(of.by) && of.deadline + LATE < now)
                .map(|(no, of)| format!("{no} of {} has none", inner.name(of.by)))
        };
        let (question, lookup) = (open(&inner.questions), open(&inner.lookups));
        inner.check(question.is_none(), "a question has one outcome", || question.unwrap_or_default());
        inner.check(lookup.is_none(), "a look-up has one outcome", || lookup.unwrap_or_default());
        let lost = inner.pairs.iter().find(|((from, to), pair)| {
            let (sender, receiver) = (&inner.people[*from as usize], &inner.people[*to as usize]);
            let calm = sender.life == receiver.life || !inner.may_give_up(*from, *to);
            calm && inner.lives(*from)
                && inner.lives(*to)
                && pair.told - pair.refused.len() as u32 > pair.count
        });
        if let Some(((from, to), pair)) = lost {
            let name = format!("of {} to {}: {pair:?}", inner.name(*from), inner.name(*to));
            inner.check(false, "nothing is lost where nothing was wrong", || name);
        }
    }

    /// All had time to reach each other.
    pub(super) fn reunion(&self) {
        let inner = &mut *self.open();
        if let Some((by, host, shard)) = inner.reaches.first().copied() {
            let left = inner.reaches.len();
            let name = format!("{} does not reach host {host}, shard {shard} ({left} such)", inner.name(by));
            inner.check(false, "links open again", || name);
        }
    }
}
