//! Watches: one notice for each, of an end or for a reason; and stops, which arrive.

use std::collections::{BTreeMap, BTreeSet};

use super::hosts::Hosts;
use super::{Act, How, Id, Life, Limits, Verdict, check};

const ONE: &str = "each watch has one notice";

/// A shard of a life.
type Place = (Life, usize);

#[derive(Debug, Default)]
pub(super) struct Watches {
    /// Those without a notice yet.
    open: BTreeSet<(Id, Id)>,
    /// How many there were between a shard and another host's.
    between: BTreeMap<(Place, Place), usize>,
    /// Who was told to stop, and by whom first.
    stops: BTreeMap<Id, Id>,
}

impl Watches {
    pub(super) fn see(&mut self, act: Act, hosts: &Hosts, limits: Limits) -> Verdict {
        let place = |id: Id| (hosts.of(id).life, hosts.of(id).shard);
        match act {
            Act::Watches { by, of } => {
                self.open.insert((by, of));
                *self.between.entry((place(by), place(of))).or_default() += 1;
            }
            Act::Unwatches { by, of } => _ = self.open.remove(&(by, of)),
            // The next instance has none of its watches.
            Act::Restarting { id } => self.open.retain(|(by, _)| *by != id),
            Act::Stops { by, of } => _ = self.stops.entry(of).or_insert(by),
            Act::Notice { by, of, how } => {
                let watched = of.is_some_and(|of| self.open.remove(&(by, of)));
                check(watched, ONE, || format!("{} of {of:?}: {how:?}", hosts.name(by)))?;
                let Some(of) = of else { return Ok(()) };
                let name = || format!("{} of {}: {how:?}", hosts.name(by), hosts.name(of));
                if how == How::Unreachable {
                    let many = self.between.get(&(place(by), place(of))).copied().unwrap_or_default();
                    let may = hosts.may_give_up(place(by).0, place(of).0)
                        || limits.watches.is_some_and(|watches| many > watches && place(by).0 != place(of).0);
                    return check(may, "a host is given up only if something was wrong", name);
                }
                // Where there is no room for a watch, better a notice too early than one that never comes.
                let early = limits.memory && how == How::NotFound;
                check(early || !hosts.is_alive(of), "a notice comes after the end", name)?;
                // At the top, whoever fails ends by that, unless it was told to stop as well.
                let person = hosts.of(of);
                let only_failed = person.failed && person.birth.is_none() && !self.stops.contains_key(&of);
                let so = match how {
                    How::Failed => person.failed,
                    How::Stopped => !only_failed,
                    _ => true,
                };
                check(so, "a notice says how it ended", name)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// How many on other hosts watch those on a shard.
    pub(super) fn over(&self, life: Life, shard: usize, hosts: &Hosts) -> usize {
        let is_over = |(by, of): &&(Id, Id)| {
            let (by, of) = (hosts.of(*by), hosts.of(*of));
            by.life != of.life && (of.life, of.shard) == (life, shard)
        };
        self.open
            .iter()
            .filter(|watch| hosts.is_alive(watch.0) && hosts.is_alive(watch.1))
            .filter(is_over)
            .count()
    }

    pub(super) fn at_rest(&self, hosts: &Hosts) -> Verdict {
        for (by, of) in &self.open {
            let told = !hosts.is_alive(*by) || hosts.is_alive(*of);
            check(told, ONE, || format!("{} was not told of {}", hosts.name(*by), hosts.name(*of)))?;
        }
        for (of, by) in &self.stops {
            let heard = !hosts.is_alive(*of) || hosts.may_give_up(hosts.of(*by).life, hosts.of(*of).life);
            check(heard, "who is told to stop does", || {
                format!("{} was told so by {}", hosts.name(*of), hosts.name(*by))
            })?;
        }
        Ok(())
    }
}
