//! Messages: to whom they are, in order for each pair, at most once, of no life that was followed by another, and none lost where
//! nothing was wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::hosts::Hosts;
use super::{Act, Id, Life, Verdict, check};

/// What one has told another.
#[derive(Debug, Default)]
struct Pair {
    told: u32,
    refused: BTreeSet<u32>,
    /// The last that came, and how many did.
    heard: u32,
    count: u32,
}

#[derive(Debug, Default)]
pub(super) struct Messages {
    pairs: BTreeMap<(Id, Id), Pair>,
    /// The newest life that a shard heard from a shard of another host.
    newest: BTreeMap<(Life, usize, u8, usize), Life>,
}

impl Messages {
    pub(super) fn see(&mut self, act: Act, hosts: &Hosts) -> Verdict {
        match act {
            Act::Told { from, to, no } => self.pairs.entry((from, to)).or_default().told = no,
            Act::Refused { from, to, no } => _ = self.pairs.entry((from, to)).or_default().refused.insert(no),
            Act::Heard { by, from, to, no } => {
                let what =
                    || format!("{no} from {} to {}, at {}", hosts.name(from), hosts.name(to), hosts.name(by));
                check(by == to, "no message reaches another than it is for", what)?;
                check((from as usize) < hosts.people(), "messages come from somebody", what)?;
                let (sender, receiver) = (hosts.of(from), hosts.of(by));
                let pair = self.pairs.entry((from, to)).or_default();
                let last = pair.heard;
                pair.heard = last.max(no);
                pair.count += 1;
                check(no > last, "messages of a pair come in order and at most once", || {
                    format!("{}, after {last}", what())
                })?;
                let sent = no <= pair.told && !pair.refused.contains(&no);
                check(sent, "what is refused is not sent", what)?;
                if sender.life != receiver.life {
                    let way = (receiver.life, receiver.shard, sender.host, sender.shard);
                    let newest = self.newest.entry(way).or_insert(sender.life);
                    let before = std::mem::replace(newest, sender.life.max(*newest));
                    check(sender.life >= before, "a life that was followed by another is not heard", || {
                        format!("{}: life {before} was heard before", what())
                    })?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn at_rest(&self, hosts: &Hosts) -> Verdict {
        for ((from, to), pair) in &self.pairs {
            let calm = hosts.is_alive(*from)
                && hosts.is_alive(*to)
                // What waited for an instance that was followed by another may be dropped with it.
                && hosts.of(*to).instances == 1
                && hosts.is_clear(hosts.of(*from).life, hosts.of(*to).life);
            let sent = pair.told - pair.refused.len() as u32;
            check(!calm || sent == pair.count, "nothing is lost where nothing was wrong", || {
                format!("of {} to {}: {pair:?}", hosts.name(*from), hosts.name(*to))
            })?;
        }
        Ok(())
    }
}
