//! The books of a random cluster: what its actors and its story look at and write into. They tell the [rules](super::rules) what
//! happens, note it in the trace, count it, throw the dice, and keep the faults that lie in [ambush](super::ambush).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corelane_kernel::{ActorRef, AskError, Time};
use corelane_shard::sim::{Dice, note};

use super::ambush::{Ambushes, Fault};
use super::message::{Msg, Slip};
use super::rules::{Act, Birth, Born, Broken, First, Found, How, Id, Life, Limits, Rules, Verdict};
use super::tally::Tally;

/// Whom an actor may know.
pub(super) type Whom = (Id, ActorRef<Msg>);

/// A clerk whom one may know.
pub(super) type ClerkAt = (Id, ActorRef<Slip>);

pub(super) struct Inner {
    dice: Dice,
    tally: Tally,
    rules: Rules,
    faulty: bool,
    first: First,
    /// Where each lives, as its own host knows it.
    at: BTreeMap<Id, ActorRef<Msg>>,
    /// Those who are always there, and in which life.
    anchors: Vec<(Life, Id)>,
    /// The same for clerks.
    clerks: Vec<Id>,
    /// The last message of each pair.
    told: BTreeMap<(Id, Id), u32>,
    numbers: u32,
    /// Things that actors may still do.
    left: u32,
    ambushes: Ambushes,
    /// Where each looks for others on the next host only: how many there are.
    ring: Option<u8>,
    /// Who has called whom, and has no answer yet.
    calls: BTreeSet<(Id, Id)>,
    /// Who is to be reached by whom at the end.
    reaches: BTreeSet<(Id, Id)>,
    /// Who is to say something at the end.
    stirred: Vec<Id>,
}

/// A handle to the books. Locked for moments only.
#[derive(Clone)]
pub(super) struct Books(Arc<Mutex<Inner>>);

impl Inner {
    fn settle(&mut self, verdict: Verdict) {
        if self.first.settle(verdict)
            && let Some(broken) = self.first.broken()
        {
            note(format_args!("BROKEN: {broken}"));
        }
    }

    fn count(&mut self, act: Act) {
        let hosts = self.rules.hosts();
        let apart = |one: Id, other: Id| hosts.of(one).life != hosts.of(other).life;
        let tally = &mut self.tally;
        match act {
            Act::Begins { host } => tally.restarts += u64::from(hosts.life_of(host).is_some()),
            Act::Told { .. } => tally.told += 1,
            Act::Refused { .. } => tally.told -= 1,
            Act::Heard { by, from, .. } => {
                tally.heard += 1;
                tally.heard_from_afar += u64::from((from as usize) < hosts.people() && apart(by, from));
            }
            Act::Watches { by, of } => tally.watches_afar += u64::from(apart(by, of)),
            Act::Stops { by, of } => tally.stops_afar += u64::from(apart(by, of)),
            Act::Notice { how, .. } => {
                tally.notices += 1;
                tally.unreachable += u64::from(how == How::Unreachable);
            }
            Act::Answered { answer: Some(_), .. } => tally.answered += 1,
            Act::Answered { answer: None, .. } => tally.unanswered += 1,
            Act::LookedUp { found: Found::Them, .. } => tally.found += 1,
            Act::LookedUp { .. } => tally.not_found += 1,
            Act::Hired { born: Born::There, .. } => tally.born += 1,
            Act::Hired { .. } => tally.unborn += 1,
            Act::Decides { .. } => tally.decisions += 1,
            Act::Restarting { .. } => tally.made_again += 1,
            _ => {}
        }
    }
}

impl Books {
    pub(super) fn new(dice: Dice, left: u32, limits: Limits, ambush_one_in: u32, faulty: bool) -> Books {
        Books(Arc::new(Mutex::new(Inner {
            dice,
            tally: Tally::default(),
            rules: Rules::new(limits),
            faulty,
            first: First::default(),
            at: BTreeMap::new(),
            anchors: Vec::new(),
            clerks: Vec::new(),
            told: BTreeMap::new(),
            numbers: 0,
            left,
            ambushes: Ambushes::new(ambush_one_in),
            ring: None,
            calls: BTreeSet::new(),
            reaches: BTreeSet::new(),
            stirred: Vec::new(),
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

    pub(super) fn number(&self) -> u32 {
        let inner = &mut *self.open();
        inner.numbers += 1;
        inner.numbers
    }

    pub(super) fn tally(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.open().tally);
    }

    pub(super) fn close(&self) -> (Tally, First) {
        let inner = self.open();
        (inner.tally, inner.first.clone())
    }

    pub(super) fn is_broken(&self) -> bool {
        self.open().first.broken().is_some()
    }

    pub(super) fn break_rule(&self, rule: &'static str, what: String) {
        self.open().settle(Err(Broken { rule, what }));
    }

    /// Something happens.
    pub(super) fn see(&self, act: Act) {
        note(format_args!("{act:?}"));
        let inner = &mut *self.open();
        inner.count(act);
        let verdict = inner.rules.see(act);
        inner.settle(verdict);
        if matches!(act, Act::Heard { .. }) && inner.faulty && inner.dice.one_in(400) {
            let verdict = inner.rules.see(act);
            inner.settle(verdict);
        }
    }

    // --- hosts and actors --------------------------------------------------------------------------------------------

    pub(super) fn begin_life(&self, host: u8) -> Life {
        self.see(Act::Begins { host });
        self.open().rules.hosts().lives() - 1
    }

    /// Something goes wrong between a life and all others.
    pub(super) fn trouble_all(&self, life: Life, now: Time, lasts: Duration) {
        let lives = self.open().rules.hosts().lives();
        for other in (0..lives).filter(|other| *other != life) {
            self.see(Act::Trouble { one: life, other, now, lasts });
        }
    }

    /// Something goes wrong between two hosts as they are now.
    pub(super) fn trouble(&self, one: u8, other: u8, now: Time, lasts: Duration) {
        let lives = {
            let inner = self.open();
            inner.rules.hosts().life_of(one).zip(inner.rules.hosts().life_of(other))
        };
        if let Some((one, other)) = lives {
            self.see(Act::Trouble { one, other, now, lasts });
        }
    }

    pub(super) fn be_born(&self, life: Life, shard: usize, is_anchor: bool) -> Id {
        self.see(Act::Settles { life, shard });
        let inner = &mut *self.open();
        let id = (inner.rules.hosts().people() - 1) as Id;
        if is_anchor {
            inner.anchors.push((life, id));
        }
        id
    }

    pub(super) fn settle_clerk(&self, id: Id) {
        self.open().clerks.push(id);
    }

    /// A clerk who lives, of another life than that one.
    pub(super) fn some_clerk(&self, but: Life) -> Option<Id> {
        let inner = &mut *self.open();
        let hosts = inner.rules.hosts();
        let fits = |id: &&Id| hosts.is_alive(**id) && hosts.of(**id).life != but;
        let all: Vec<Id> = inner.clerks.iter().filter(fits).copied().collect();
        all.get(inner.dice.index(all.len())).copied()
    }

    /// An instance of a child is made.
    pub(super) fn make(&self, birth: Birth, life: Life) -> Id {
        self.see(Act::Made { birth, life });
        // Of a birth that nobody wanted there is none; the rules have said so.
        self.open().rules.child_of(birth).unwrap_or_default()
    }

    pub(super) fn child_of(&self, birth: Birth) -> Option<Id> {
        self.open().rules.child_of(birth)
    }

    pub(super) fn settle(&self, id: Id, at: ActorRef<Msg>) {
        self.open().at.insert(id, at);
    }

    /// Its state is dropped.
    pub(super) fn drop_one(&self, id: Id) {
        self.see(Act::Dropped { id });
    }

    /// Those who are always there.
    pub(super) fn anchors(&self, life: Life) -> Vec<Whom> {
        let inner = self.open();
        let of = inner.anchors.iter().filter(|(of, _)| *of == life);
        of.filter_map(|(_, id)| Some((*id, *inner.at.get(id)?))).collect()
    }

    pub(super) fn is_anchor(&self, id: Id) -> bool {
        self.open().anchors.iter().any(|(_, anchor)| *anchor == id)
    }

    pub(super) fn is_alive(&self, id: Id) -> bool {
        self.open().rules.hosts().is_alive(id)
    }

    pub(super) fn life_of(&self, id: Id) -> Life {
        self.open().rules.hosts().of(id).life
    }

    pub(super) fn host_of(&self, id: Id) -> u8 {
        self.open().rules.hosts().of(id).host
    }

    /// How many live on a shard of a life, as the books have it.
    pub(super) fn population(&self, life: Life, shard: usize) -> usize {
        self.open().rules.hosts().on(life, shard).count()
    }

    /// How many watches there are from other hosts on those who live on a shard, as the books have it.
    pub(super) fn watches(&self, life: Life, shard: usize) -> usize {
        self.open().rules.watches_over(life, shard)
    }

    /// Whether shards have little memory.
    pub(super) fn is_short(&self) -> bool {
        self.open().rules.limits().memory
    }

    /// Each looks for others on the next of so many hosts only.
    pub(super) fn lay_ring(&self, hosts: u8) {
        self.open().ring = Some(hosts);
    }

    /// Whether one who lives on a host looks for somebody on another.
    pub(super) fn is_near(&self, from: u8, to: u8) -> bool {
        self.open().ring.is_none_or(|hosts| to == from || to == from % hosts + 1)
    }

    /// Somebody who can be looked up, alive or not.
    pub(super) fn somebody(&self) -> Option<Id> {
        let inner = &mut *self.open();
        let hosts = inner.rules.hosts();
        let id = inner.dice.index(hosts.people()) as Id;
        (inner.at.contains_key(&id) && hosts.of(id).birth.is_none()).then_some(id)
    }

    /// Somebody who lives, of this life or of any, but not of that; and perhaps only one who can be looked up.
    pub(super) fn somebody_alive(&self, of: Option<Life>, but: Option<Life>, at_top: bool) -> Option<Id> {
        let inner = &mut *self.open();
        let hosts = inner.rules.hosts();
        let fits = |id: &Id| {
            let person = hosts.of(*id);
            hosts.is_alive(*id)
                && inner.at.contains_key(id)
                && of.is_none_or(|of| person.life == of)
                && but != Some(person.life)
                && (!at_top || person.birth.is_none())
        };
        let living: Vec<Id> = (0..hosts.people() as Id).filter(fits).collect();
        living.get(inner.dice.index(living.len())).copied()
    }

    pub(super) fn at(&self, id: Id) -> Option<ActorRef<Msg>> {
        self.open().at.get(&id).copied()
    }

    /// The number of the next message of a pair.
    pub(super) fn tell(&self, from: Id, to: Id) -> u32 {
        let no = {
            let inner = &mut *self.open();
            let told = inner.told.entry((from, to)).or_default();
            *told += 1;
            *told
        };
        self.see(Act::Told { from, to, no });
        no
    }

    // --- ambush ------------------------------------------------------------------------------------------------------

    /// Something was just sent, or came, between two hosts: perhaps a fault follows.
    pub(super) fn provoke(&self, one: u8, other: u8, now: Time) {
        let inner = &mut *self.open();
        if one != other && inner.left > 0 {
            inner.ambushes.provoke(&mut inner.dice, one, other, now);
        }
    }

    pub(super) fn ambushes<T>(&self, look: impl FnOnce(&mut Ambushes, &mut Dice) -> T) -> T {
        let inner = &mut *self.open();
        look(&mut inner.ambushes, &mut inner.dice)
    }

    pub(super) fn next_sprung(&self) -> Option<Fault> {
        self.open().ambushes.take_sprung()
    }

    // --- rest --------------------------------------------------------------------------------------------------------

    /// Nobody does anything of its own accord any more.
    pub(super) fn calm_down(&self) {
        self.open().left = 0;
    }

    /// The residents of a shard.
    pub(super) fn residents(&self, life: Life, shard: usize) -> Vec<Whom> {
        let inner = self.open();
        let all = inner.rules.hosts().on(life, shard);
        all.filter_map(|id| Some((id, *inner.at.get(&id)?))).collect()
    }

    /// Somebody calls somebody.
    pub(super) fn calls(&self, by: Id, whom: Id) {
        self.open().calls.insert((by, whom));
    }

    /// Somebody has an answer to a call, or knows at once that there is none.
    pub(super) fn has_called(&self, by: Id, whom: Id, answer: Result<u32, AskError>) {
        let inner = &mut *self.open();
        let (rules, hosts) = (inner.rules.limits(), inner.rules.hosts());
        let may = match answer {
            Ok(number) => number == whom,
            // Who is given up is told nothing until somebody is found there; where little may wait, little is told at once.
            Err(AskError::NotSent) => {
                rules.memory || rules.pending || hosts.may_give_up(hosts.of(by).life, hosts.of(whom).life)
            }
            // Where little may wait, the answer may be refused.
            Err(_) => rules.memory || rules.pending,
        };
        if may {
            inner.calls.remove(&(by, whom));
            inner.tally.calls += u64::from(answer.is_ok());
        }
    }

    /// Who has called has had time enough.
    pub(super) fn called(&self) {
        let inner = &mut *self.open();
        let hosts = inner.rules.hosts();
        let lives = |(by, whom): &&(Id, Id)| hosts.is_alive(*by) && hosts.is_alive(*whom);
        if let Some((by, whom)) = inner.calls.iter().find(lives).copied() {
            let what = format!("{} has none from {}", hosts.name(by), hosts.name(whom));
            inner.settle(Err(Broken { rule: "who is well and known answers", what }));
        }
    }

    /// Somebody is to be reached by somebody.
    pub(super) fn will_reach(&self, by: Id, whom: Id) {
        self.open().reaches.insert((by, whom));
    }

    pub(super) fn has_reached(&self, by: Id, whom: Id) {
        self.open().reaches.remove(&(by, whom));
    }

    /// All who live are to say something.
    pub(super) fn stir(&self, life: Life, shard: usize) -> Vec<Whom> {
        let inner = &mut *self.open();
        let all: Vec<Id> = inner.rules.hosts().on(life, shard).collect();
        let all: Vec<Whom> = all.into_iter().filter_map(|id| Some((id, *inner.at.get(&id)?))).collect();
        inner.stirred.extend(all.iter().map(|(id, _)| *id));
        all
    }

    pub(super) fn has_stirred(&self, id: Id) {
        self.see(Act::Stirs { id });
        self.open().stirred.retain(|stirred| *stirred != id);
    }

    /// Nothing is wrong any more, and there was time enough for everything.
    pub(super) fn rest(&self, now: Time) {
        let inner = &mut *self.open();
        let verdict = inner.rules.at_rest(now);
        inner.settle(verdict);
    }

    /// All had time to reach each other.
    pub(super) fn reunion(&self) {
        let inner = &mut *self.open();
        let hosts = inner.rules.hosts();
        let mut broken = None;
        if let Some((by, whom)) = inner.reaches.first().copied() {
            let left = inner.reaches.len();
            let what = format!("{} does not reach {} ({left} such)", hosts.name(by), hosts.name(whom));
            broken = Some(Broken { rule: "links open again", what });
        }
        if let Some(id) = inner.stirred.iter().find(|id| hosts.is_alive(**id)) {
            broken = Some(Broken { rule: "who lives handles what it is told", what: hosts.name(*id) });
        }
        inner.settle(broken.map_or(Ok(()), Err));
    }
}
