//! State machines: their states follow from what their steps announce, and a state's time is the time without an event.

use std::collections::BTreeMap;

use corelane_kernel::Time;

use super::timers::LATE;
use super::tree::Lives;
use super::{Act, Id, Lack, Verdict, check};

const STATE: &str = "a machine is in the state that its last transition led to";
const ANNOUNCED: &str = "a transition is made once, as a step announced it";
const OBSERVED: &str = "observers hear of each transition at most once, and in order";

#[derive(Clone, Copy, Debug, Default)]
struct Machine {
    state: u32,
    /// The state that its step goes to, until the transition is made.
    to: Option<u32>,
    /// When the time of the state is up.
    until: Option<Time>,
    /// When it will be, after the transition that is to be made.
    next: Option<Time>,
    stops: bool,
    /// There was no room to look at the time of its state when that is up.
    lacks: bool,
}

#[derive(Debug, Default)]
pub(super) struct Machines {
    machines: BTreeMap<Id, Machine>,
    /// Transitions by the number of the state that they led to: whose, and from where.
    made: BTreeMap<u32, (Id, u32)>,
    /// The number of the last state that an observer has heard of, by observer and machine.
    heard: BTreeMap<(Id, Id), u32>,
}

impl Machines {
    pub(super) fn see(&mut self, act: Act, lives: &Lives) -> Verdict {
        match act {
            Act::InState { id, state } => {
                let machine = self.at(id, state)?;
                check(machine.to.is_none(), ANNOUNCED, || format!("{id} has not made it: {machine:?}"))?;
                machine.until = None;
            }
            Act::Stepped { id, to, limit, stops, now } => {
                let machine = self.machines.entry(id).or_default();
                let until = limit.map(|limit| now + limit).filter(|_| !stops);
                (machine.to, machine.lacks) = (to, false);
                machine.stops |= stops;
                if to.is_some() { machine.next = until } else { machine.until = until }
            }
            Act::Transition { id, from, to } => {
                let machine = self.at(id, from)?;
                check(machine.to == Some(to), ANNOUNCED, || format!("{id} goes to {to}: {machine:?}"))?;
                *machine = Machine { state: to, to: None, until: machine.next, ..*machine };
                self.made.insert(to, (id, from));
            }
            Act::StateTimeout { id, state, now } => {
                let machine = self.at(id, state)?;
                let over = machine.until.is_some_and(|until| until <= now);
                check(over, "a state time-out comes after so long without an event", || {
                    format!("{id} at {now:?}: {machine:?}")
                })?;
            }
            Act::Finished { id, state, normal } => {
                let machine = self.at(id, state)?;
                check(machine.stops || !normal, "a machine says why it ends", || {
                    format!("{id}: {machine:?}")
                })?;
            }
            Act::Observed { observer, machine, from, to } => {
                let name = || format!("{observer} hears that {machine} went from {from:?} to {to}");
                let made = self.made.get(&to).copied();
                let known = match from {
                    Some(from) => made == Some((machine, from)),
                    None => to == 0 || made.is_some_and(|(whose, _)| whose == machine),
                };
                check(known, "observers hear of what was", name)?;
                if let Some(last) = self.heard.insert((observer, machine), to) {
                    // One that begins again to observe hears of the same state again; so does one of a restarted machine.
                    let later = if from.is_some() { last < to } else { last <= to || to == 0 };
                    check(later, OBSERVED, || format!("{}, after {last}", name()))?;
                }
            }
            Act::Fails { id } => {
                // The time of the state goes on: it was over already if an event led to this.
                if let Some(machine) = self.machines.get_mut(&id) {
                    machine.to = None;
                }
            }
            Act::Lacks { id, what: Lack::StateTimeout } => {
                if let Some(machine) = self.machines.get_mut(&id) {
                    machine.lacks = true;
                }
            }
            Act::Ended { id } => {
                self.machines.remove(&id);
                if !lives.of(id).between {
                    self.heard.retain(|(observer, _), _| *observer != id);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A machine that says in which state it is.
    fn at(&mut self, id: Id, state: u32) -> Result<&mut Machine, super::Broken> {
        let machine = self.machines.entry(id).or_default();
        check(machine.state == state, STATE, || format!("{id} in {state}: {machine:?}"))?;
        Ok(machine)
    }

    pub(super) fn at_rest(&self, now: Time, lives: &Lives) -> Verdict {
        for (id, machine) in &self.machines {
            let lacks = machine.lacks && lives.is_short(*id);
            let waits =
                !lives.of(*id).runs() || lacks || machine.until.is_none_or(|until| until + LATE >= now);
            check(waits, "no state time-out is forgotten", || format!("{id} at {now:?}: {machine:?}"))?;
            check(machine.to.is_none() || !lives.of(*id).runs(), ANNOUNCED, || format!("{id}: {machine:?}"))?;
        }
        Ok(())
    }
}
