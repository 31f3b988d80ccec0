//! Watches: one notice for each.

use std::collections::BTreeMap;

use super::order::Order;
use super::tree::Lives;
use super::{Act, Id, Lack, Verdict, check};

const ONE: &str = "each watch has one notice";

#[derive(Debug, Default)]
pub(super) struct Watches {
    /// Watches whose notice has not come, by watcher and target.
    open: BTreeMap<(Id, Id), Watch>,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    /// The notice comes as a message.
    with: bool,
    /// A notice is due.
    due: bool,
    /// So many may come besides: messages that waited already when the watch began anew.
    more: u32,
    /// Its message was dropped.
    lacks: bool,
}

/// Whether a notice of somebody may wait: it has ended, or could not be watched.
fn may_have_come(target: Id, lives: &Lives) -> bool {
    !lives.of(target).lives() || lives.is_short(target)
}

impl Watches {
    pub(super) fn see(&mut self, act: Act, lives: &Lives, order: &Order) -> Verdict {
        match act {
            Act::Joined { owner: watcher, routee: target } => {
                self.open.insert((watcher, target), Watch { with: false, due: true, more: 0, lacks: false });
            }
            Act::Retired { owner: watcher, routee: target } => {
                let open = self.open.remove(&(watcher, target));
                check(open.is_some(), ONE, || format!("{watcher} did not watch its {target}"))?;
            }
            Act::Watching { watcher, target, with } => {
                // One that waits is counted once, however often the watch begins anew.
                let waits = |open: &Watch| open.due && open.with && may_have_come(target, lives);
                let more = |open: &Watch| open.more + u32::from(waits(open));
                let more = self.open.get(&(watcher, target)).map_or(0, more);
                self.open.insert((watcher, target), Watch { with, due: true, more, lacks: false });
            }
            Act::Unwatched { watcher, target, was } => {
                let open = self.open.get(&(watcher, target)).copied();
                check(open.is_some() || !was, ONE, || format!("{watcher} did not watch {target}"))?;
                // A message that waits has come already, and stays.
                check(was || open.is_none_or(|open| open.with || open.more > 0), ONE, || {
                    format!("the watch of {watcher} over {target} is forgotten")
                })?;
                if let Some(open) = self.open.get_mut(&(watcher, target)).filter(|_| was) {
                    open.due = false;
                    if open.more == 0 {
                        self.open.remove(&(watcher, target));
                    }
                }
            }
            Act::Notice { watcher, target, found } => {
                let open = self.open.remove(&(watcher, target));
                if let Some(open) = open.filter(|open| open.more > 0) {
                    let more = open.more - u32::from(!open.due);
                    if more > 0 {
                        self.open.insert((watcher, target), Watch { due: false, more, ..open });
                    }
                }
                check(open.is_some(), ONE, || format!("{watcher} hears of {target}, and does not watch it"))?;
                // Where there is no room to note a watch, it is better too early than never.
                let early = !found && lives.is_short(target);
                check(!lives.of(target).lives() || early, "a notice comes after the end", || {
                    format!("{watcher} hears of {target}, which lives")
                })?;
                check(
                    !found || !order.is_anything_left_of(target),
                    "a notice comes after all that was told before the end",
                    || format!("{watcher} hears of {target}"),
                )?;
            }
            Act::Lacks { id, what: Lack::Notice { target } } => {
                if let Some(open) = self.open.get_mut(&(id, target)) {
                    open.lacks |= !lives.of(target).lives();
                }
            }
            Act::Ended { id } => {
                let again = lives.of(id).between;
                let own: Vec<_> =
                    self.open.range((id, 0)..(id + 1, 0)).map(|(key, open)| (*key, *open)).collect();
                for (key, open) in own {
                    // A message that waits already outlives the instance that asked for it.
                    let waits = open.due && open.with && may_have_come(key.1, lives);
                    let more = open.more + u32::from(waits);
                    if again && more > 0 {
                        self.open.insert(key, Watch { with: true, due: false, more, lacks: false });
                    } else {
                        self.open.remove(&key);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn at_rest(&self, lives: &Lives) -> Verdict {
        for ((watcher, target), watch) in self.open.iter().filter(|(_, watch)| watch.due) {
            let (watching, watched) = (lives.of(*watcher), lives.of(*target));
            // Signals overtake what waits; messages do not.
            let hears = watching.lives()
                && watching.started
                && (!watch.with || watching.suspended == 0 && !watching.held);
            let lacks = watch.lacks && lives.is_short(*watcher);
            check(!watched.has_ended() || !hears || lacks, ONE, || {
                format!("{watcher} was not told that {target} is gone")
            })?;
        }
        Ok(())
    }
}
