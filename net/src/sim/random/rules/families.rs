//! Families over hosts: a child is born once, its failures are decided about once and what is decided is done once, it ends
//! before its parent, and none is left without one.

use std::collections::BTreeMap;
use std::time::Duration;

use corelane_kernel::Time;

use super::hosts::Hosts;
use super::{Act, Birth, Born, Decision, Id, Life, Limits, OPENS, Verdict, check};

const OUTCOME: &str = "each birth has one outcome";
const MADE: &str = "a birth makes one child";
const DECIDED: &str = "each failure is decided about once";
const DONE: &str = "what is decided is done once";
const WAITS: &str = "who waits for a decision handles nothing";
const ORPHAN: &str = "no child is left without its parent";

/// How long the end of a child may be on its way to where children are counted.
const SETTLES: Duration = Duration::from_secs(1);

/// What is between a child and its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Well,
    /// It has failed, and waits.
    Failed,
    /// Its parent has failed over it, so that somebody above decides.
    Escalated,
    /// It is to go on, and has not been seen to.
    Resumed,
    /// Its child's failure became its own while a decision about it was on its way: that may be about both.
    Uncertain,
    ToRestart,
    Restarting,
    ToEnd,
}

#[derive(Clone, Debug)]
struct Child {
    by: Id,
    /// The parent's instance.
    instance: u32,
    host: u8,
    hired: Time,
    until: Time,
    born: Option<Born>,
    id: Option<Id>,
    state: State,
}

#[derive(Debug, Default)]
pub(super) struct Families {
    children: BTreeMap<Birth, Child>,
    /// When something was last said that had a time.
    now: Time,
    /// By when a child's instance was gone.
    ends: BTreeMap<Birth, Time>,
    /// Those of which no time is known yet.
    ending: Vec<Birth>,
}

impl Families {
    pub(super) fn child_of(&self, birth: Birth) -> Option<Id> {
        self.children.get(&birth)?.id
    }

    fn birth_of(&self, id: Id, hosts: &Hosts) -> Option<Birth> {
        hosts.of(id).birth
    }

    /// Whether something may happen, as things are.
    pub(super) fn may(&self, act: Act, hosts: &Hosts) -> Verdict {
        let (Act::Heard { by: id, .. } | Act::Stirs { id }) = act else { return Ok(()) };
        if (id as usize) >= hosts.people() {
            return Ok(());
        }
        let waits =
            self.birth_of(id, hosts).and_then(|birth| self.children.get(&birth)).is_some_and(|child| {
                matches!(child.state, State::Failed | State::ToRestart | State::Restarting | State::ToEnd)
            });
        check(!waits, WAITS, || format!("{}: {act:?}", hosts.name(id)))
    }

    fn passes(&mut self, now: Time) {
        self.now = self.now.max(now);
        let now = self.now;
        self.ends.extend(self.ending.drain(..).map(|birth| (birth, now)));
    }

    pub(super) fn see(&mut self, act: Act, hosts: &mut Hosts, limits: Limits) -> Verdict {
        match act {
            Act::Hires { by, birth, host, now, until } => {
                self.passes(now);
                let instance = hosts.of(by).instances;
                let (born, id, state) = (None, None, State::Well);
                let child = Child { by, instance, host, hired: now, until, born, id, state };
                self.children.insert(birth, child);
            }
            Act::NotHired { birth } => _ = self.children.remove(&birth),
            Act::Made { birth, life } => return self.made(birth, life, hosts),
            Act::Started { birth, shard } => return self.started(birth, shard, hosts, limits),
            Act::Hired { by, birth, born, now } => {
                self.passes(now);
                return self.hired(by, birth, born, hosts, limits);
            }
            Act::Fails { id } => {
                if let Some(child) = self.birth_of(id, hosts).and_then(|birth| self.children.get_mut(&birth))
                {
                    child.state = State::Failed;
                }
            }
            Act::Heard { by: id, .. } | Act::Stirs { id } => {
                if let Some(child) = self.birth_of(id, hosts).and_then(|birth| self.children.get_mut(&birth))
                    && child.state == State::Resumed
                {
                    child.state = State::Well;
                }
            }
            Act::Decides { by, birth, what } => return self.decides(by, birth, what, hosts),
            Act::Restarting { id } => {
                let child = self.birth_of(id, hosts).and_then(|birth| self.children.get_mut(&birth));
                let decided = child.is_some_and(|child| {
                    let before = std::mem::replace(&mut child.state, State::Restarting);
                    matches!(before, State::ToRestart | State::Uncertain)
                });
                return check(decided, DONE, || format!("{} restarts", hosts.name(id)));
            }
            Act::Dropped { id } => return self.dropped(id, hosts),
            Act::Answered { now, .. } | Act::LookedUp { now, .. } | Act::Trouble { now, .. } => {
                self.passes(now);
            }
            _ => {}
        }
        Ok(())
    }

    fn made(&mut self, birth: Birth, life: Life, hosts: &mut Hosts) -> Verdict {
        let Some(child) = self.children.get_mut(&birth) else {
            return check(false, MADE, || format!("{birth} was never wanted"));
        };
        match child.id {
            None => {
                check(hosts.life_of(child.host) == Some(life), MADE, || {
                    format!("{birth} was wanted at host {}, and is in life {life}", child.host)
                })?;
                child.id = Some(hosts.settle(life, 0, Some(birth)));
                Ok(())
            }
            Some(id) => {
                let again = std::mem::replace(&mut child.state, State::Well) == State::Restarting;
                check(again, MADE, || {
                    format!("{birth}, by {}, twice: {}", hosts.name(child.by), hosts.name(id))
                })?;
                self.ending.retain(|ending| *ending != birth);
                self.ends.remove(&birth);
                let of = hosts.at(id);
                (of.between, of.instances) = (false, of.instances + 1);
                Ok(())
            }
        }
    }

    fn started(&mut self, birth: Birth, shard: usize, hosts: &mut Hosts, limits: Limits) -> Verdict {
        let Some((by, id)) = self.children.get(&birth).and_then(|child| Some((child.by, child.id?))) else {
            return Ok(());
        };
        hosts.at(id).shard = shard;
        let (near, far) = (hosts.of(by), hosts.of(id));
        let Some(most) = limits.children.filter(|_| near.life != far.life) else { return Ok(()) };
        let place = |of: Id| (hosts.of(of).life, hosts.of(of).shard);
        let is_like = |child: &&Child| {
            place(child.by) == place(by)
                && child.id.is_some_and(|other| hosts.is_alive(other) && place(other) == place(id))
        };
        let count = self.children.values().filter(is_like).count();
        // What is left of an association that is over ends by itself.
        let may = count <= most || hosts.may_give_up(near.life, far.life);
        check(may, "no more children live on a host than may", || {
            format!("{birth} of {}: {count}", hosts.name(by))
        })
    }

    fn hired(&mut self, by: Id, birth: Birth, born: Born, hosts: &Hosts, limits: Limits) -> Verdict {
        let now = self.now;
        let near = |child: &Child| (hosts.of(child.by).life, hosts.of(child.by).shard, child.host);
        let Some(child) = self.children.get(&birth).cloned() else {
            return check(false, OUTCOME, || format!("{birth} of {} was never wanted", hosts.name(by)));
        };
        let what = || format!("{birth} of {} at host {}: {born:?}", hosts.name(by), child.host);
        check(child.born.is_none() && child.by == by, OUTCOME, what)?;
        let may = match born {
            Born::There => child.id.is_some(),
            Born::Late if hosts.may_give_up_host(hosts.of(by).life, child.host) => true,
            // Where nothing is wrong, a link opens sooner.
            Born::Late => {
                let waited = child.until.since(child.hired);
                now + SETTLES >= child.until
                    && (waited < OPENS || hosts.was_troubled(hosts.of(by).life, child.host))
            }
            Born::Lost => hosts.may_give_up_host(hosts.of(by).life, child.host),
            Born::OutOfMemory => limits.memory,
            Born::TooMany => {
                let gone_before =
                    |birth: &Birth| self.ends.get(birth).is_some_and(|end| *end + SETTLES < child.hired);
                let others = self
                    .children
                    .iter()
                    .filter(|(other, of)| near(of) == near(&child) && of.id.is_some() && !gone_before(other));
                limits.children.is_some_and(|most| others.count() >= most)
            }
            Born::Refused => false,
        };
        if let Some(child) = self.children.get_mut(&birth) {
            child.born = Some(born);
        }
        check(may, "a birth ends for a reason", what)
    }

    fn decides(&mut self, by: Id, birth: Birth, what: Decision, hosts: &Hosts) -> Verdict {
        let named = || format!("{} about {birth}: {what:?}", hosts.name(by));
        let Some(child) = self.children.get_mut(&birth) else { return check(false, DECIDED, named) };
        let state = match what {
            Decision::Resume => State::Resumed,
            Decision::Restart => State::ToRestart,
            Decision::Stop => State::ToEnd,
            Decision::Escalate => State::Escalated,
        };
        let before = std::mem::replace(&mut child.state, state);
        let waits = matches!(before, State::Failed | State::Escalated | State::Uncertain);
        check(waits && child.by == by, DECIDED, || format!("{}, {before:?}", named()))?;
        if what == Decision::Escalate
            && let Some(parent) = self.birth_of(by, hosts).and_then(|birth| self.children.get_mut(&birth))
        {
            parent.state = match parent.state {
                State::Well | State::Failed => State::Failed,
                // It is between two instances: what failed goes with the former.
                State::Restarting => State::Restarting,
                _ => State::Uncertain,
            };
        }
        Ok(())
    }

    /// An instance is gone, and with it the children that it had.
    fn dropped(&mut self, id: Id, hosts: &Hosts) -> Verdict {
        if let Some(birth) = self.birth_of(id, hosts) {
            self.ending.push(birth);
        }
        let parent = hosts.of(id);
        if hosts.is_over(parent.life) {
            return Ok(());
        }
        for (birth, child) in self.children.iter().filter(|(_, child)| child.by == id) {
            let Some(at) = child.id.filter(|at| child.instance == parent.instances && hosts.is_alive(*at))
            else {
                continue;
            };
            // Who waits for a birth does not wait for ever: the child is stopped when it says that it is there.
            let too_late = match child.born {
                Some(born) => born == Born::Late,
                None => child.until.since(child.hired) < OPENS || hosts.was_troubled(parent.life, child.host),
            };
            let may_give_up = too_late || hosts.may_give_up(parent.life, hosts.of(at).life);
            check(may_give_up, "a child ends before its parent", || {
                format!("{birth}, {}, of {}", hosts.name(at), hosts.name(id))
            })?;
        }
        Ok(())
    }

    pub(super) fn at_rest(&self, hosts: &Hosts, limits: Limits) -> Verdict {
        for (birth, child) in &self.children {
            let parent = hosts.of(child.by);
            let what = || {
                let id = child.id.map(|id| hosts.name(id));
                format!("{birth}, {id:?}, of {}: {:?}, {:?}", hosts.name(child.by), child.born, child.state)
            };
            let has_parent = hosts.is_alive(child.by) && parent.instances == child.instance;
            let told = child.born.is_some() || limits.memory;
            check(!has_parent || told, OUTCOME, what)?;
            let Some(_) = child.id.filter(|id| hosts.is_alive(*id)) else { continue };
            let there = child.born.is_none_or(|born| born == Born::There);
            check(has_parent && there, ORPHAN, what)?;
            check(child.state != State::Failed, DECIDED, what)?;
            check(!matches!(child.state, State::ToRestart | State::Restarting | State::ToEnd), DONE, what)?;
        }
        Ok(())
    }
}
