//! Which core for which shard: a pure function.
//!
//! The rules, the stronger first:
//!
//! 1. What was listed is taken as listed: the cores in that order, one shard each, or an error that names the
//!    core.
//! 2. Only cores that are online and allowed are chosen.
//! 3. A physical core takes a second shard only when each has one: siblings share one set of execution units,
//!    and two busy siblings slow each other down.
//! 4. The shards stay on as few memory nodes as hold them, and there in as few last-level caches: a hop
//!    between two caches costs more than one within.
//! 5. Where several places are as good, the tightest fit, then the lowest number: the same machine and
//!    request always give the same plan.
//!
//! **More shards than cores** is a plan with a warning, not an error: a test or a laptop may want eight
//! shards on two cores. The shards are then dealt round over the cores and stay pinned, so that each keeps
//! its caches and its memory node, but [`Plan::may_spin`] says no: a shard that spins would hold the core
//! against the very shard it waits for. A **quota** below the number of shards is a warning for the same
//! reason: a spinning shard would burn the time that the others need.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use corelane_kernel::limits::SHARDS_MAX;

use super::plan_error::{PlanError, Warning};
use super::{Cache, Quota, Topology, counted, format_core_list, group_by_physical_core};

/// What is asked of [`plan()`]: how many shards, on which cores. Each may be left open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub(crate) shards: Option<usize>,
    pub(crate) cores: Option<Vec<usize>>,
}

impl Request {
    /// One shard for each physical core that may be used, but no more than the CPU quota keeps busy, and at
    /// least one.
    pub fn auto() -> Self {
        Self::default()
    }

    /// This many shards. With [`cores`](Self::cores), the first so many of the list, or the list dealt round
    /// if it is shorter.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// These cores, in this order. Without [`shards`](Self::shards), one shard for each.
    #[must_use]
    pub fn cores(mut self, cores: &[usize]) -> Self {
        self.cores = Some(cores.to_vec());
        self
    }
}

/// Where each shard goes, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    placements: Vec<Placement>,
    basis: Vec<String>,
    warnings: Vec<Warning>,
}

/// Which core a shard is pinned to, and why that one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placement {
    /// The shard's number, counted from 0.
    pub shard: usize,
    /// The core to pin it to.
    pub core: usize,
    /// The memory node near to it, if told.
    pub node: Option<usize>,
    /// Whether another shard has the same core.
    pub shares_core: bool,
    /// Why this core, in words for a person.
    pub reason: String,
}

impl Plan {
    /// The shards by number; never none.
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }

    /// The core of each shard, by shard number. One core may come several times.
    pub fn cores(&self) -> Vec<usize> {
        self.placements.iter().map(|placement| placement.core).collect()
    }

    /// What the whole choice rests on, in words for a person.
    pub fn basis(&self) -> &[String] {
        &self.basis
    }

    /// What is likely to disappoint.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether an idle shard may spin while it waits. False if that would take the time of another shard:
    /// when shards share a core, or the quota is below the number of shards.
    pub fn may_spin(&self) -> bool {
        !self.warnings.iter().any(|warning| match warning {
            Warning::CoresShared { .. } | Warning::QuotaBelowShards { .. } => true,
            Warning::ListedUnused { .. } => false,
        })
    }
}

/// Chooses a core for each shard by the rules at the top of this module. Pure: the same topology and request
/// always give the same plan.
///
/// # Errors
/// [`PlanError`], for the first thing wrong in the order of the list.
pub fn plan(topology: &Topology, request: &Request) -> Result<Plan, PlanError> {
    if request.shards == Some(0) {
        return Err(PlanError::NoShards);
    }
    let listed = request.cores.as_deref().unwrap_or_default();
    let asked = request.shards.unwrap_or(listed.len());
    if asked > SHARDS_MAX {
        return Err(PlanError::TooManyShards { asked, most: SHARDS_MAX });
    }
    let (cores, basis, mut warnings) = match &request.cores {
        Some(listed) => take_listed(topology, listed, asked)?,
        None => choose_cores(topology, request.shards)?,
    };
    let distinct = cores.iter().collect::<BTreeSet<_>>().len();
    if distinct < cores.len() {
        warnings.push(Warning::CoresShared { shards: cores.len(), cores: distinct });
    }
    if let Some(quota) = topology.quota.as_ref().filter(|quota| quota.is_below(cores.len())) {
        warnings.push(Warning::QuotaBelowShards { shards: cores.len(), quota: quota.clone() });
    }
    let placements = explain(topology, &cores, request.cores.is_some());
    Ok(Plan { placements, basis, warnings })
}

/// The core of each shard, what that rests on, and what was remarkable on the way.
type Choice = (Vec<usize>, Vec<String>, Vec<Warning>);

fn take_listed(topology: &Topology, listed: &[usize], shards: usize) -> Result<Choice, PlanError> {
    if listed.is_empty() {
        return Err(PlanError::EmptyList);
    }
    let mut seen = BTreeSet::new();
    for &core in listed {
        if topology.online.binary_search(&core).is_err() {
            let online = topology.online.clone();
            return Err(match topology.offline.binary_search(&core) {
                Ok(_) => PlanError::Offline { core, online },
                Err(_) => PlanError::NoSuchCore { core, online },
            });
        }
        if topology.allowed.binary_search(&core).is_err() {
            return Err(PlanError::NotAllowed { core, allowed: topology.allowed.clone() });
        }
        if !seen.insert(core) {
            return Err(PlanError::Duplicate { core });
        }
    }
    let basis = vec![format!("cores {} were listed", format_core_list(listed))];
    let warnings = match listed.get(shards..) {
        Some(unused) if !unused.is_empty() => vec![Warning::ListedUnused { cores: unused.to_vec() }],
        _ => Vec::new(),
    };
    let cores = listed.iter().copied().cycle().take(shards).collect();
    Ok((cores, basis, warnings))
}

fn choose_cores(topology: &Topology, asked: Option<usize>) -> Result<Choice, PlanError> {
    let usable = topology.usable();
    if usable.is_empty() {
        return Err(PlanError::NoUsableCore);
    }
    let physical = Physical::all(topology, &usable);
    let mut basis = Vec::new();
    let shards = match asked {
        Some(shards) => {
            let usable = counted(physical.len(), "usable physical core");
            basis.push(format!("as many shards as asked for: {shards}, with {usable}"));
            shards
        }
        None => {
            let (shards, why) = derive_count(physical.len(), topology.quota.as_ref());
            basis.push(why);
            shards
        }
    };

    let places = |physical: &[Physical], key: Key| physical.iter().map(key).collect::<BTreeSet<_>>().len();
    let (nodes, caches) = (places(&physical, BY_NODE), places(&physical, BY_CACHE));
    let mut chosen = choose(physical, shards, &[BY_NODE, BY_CACHE]);
    chosen.sort_by_key(|physical| (physical.node, physical.cache, physical.threads.first().copied()));
    if nodes > 1 || caches > 1 {
        basis.push(format!(
            "on {} of {nodes} memory nodes and in {} of {caches} last-level caches, as few as hold them",
            places(&chosen, BY_NODE),
            places(&chosen, BY_CACHE)
        ));
    }

    // First threads of all, then second threads of all, and so on; and round again when all are taken.
    let most_threads = chosen.iter().map(|physical| physical.threads.len()).max().unwrap_or(0);
    let by_turn: Vec<usize> = (0..most_threads)
        .flat_map(|turn| chosen.iter().filter_map(move |physical| physical.threads.get(turn).copied()))
        .collect();
    Ok((by_turn.into_iter().cycle().take(shards).collect(), basis, Vec::new()))
}

/// How many shards if none says: one for each physical core, within the quota and the bound.
fn derive_count(physical: usize, quota: Option<&Quota>) -> (usize, String) {
    let usable = counted(physical, "usable physical core");
    match quota.filter(|quota| quota.whole_cores() < physical) {
        Some(quota) => {
            let shards = quota.whole_cores().min(SHARDS_MAX);
            (shards, format!("as many shards as the CPU quota of {quota} keeps busy, with {usable}"))
        }
        None => (physical.min(SHARDS_MAX), format!("one shard for each of {usable}")),
    }
}

/// A physical core as far as it may be used.
#[derive(Clone, Debug)]
struct Physical {
    /// Its usable threads, ascending; at least one.
    threads: Vec<usize>,
    node: Option<usize>,
    /// The lowest core of its last-level cache, as that cache's name.
    cache: Option<usize>,
}

impl Physical {
    fn all(topology: &Topology, usable: &[usize]) -> Vec<Self> {
        group_by_physical_core(topology, usable)
            .into_values()
            .map(|threads| {
                let node = topology.core(threads[0]).and_then(|core| core.node);
                let cache =
                    topology.last_level_cache(threads[0]).and_then(|cache| cache.cores.first().copied());
                Self { threads, node, cache }
            })
            .collect()
    }
}

/// By what physical cores are kept together.
type Key = fn(&Physical) -> Option<usize>;
const BY_NODE: Key = |physical| physical.node;
const BY_CACHE: Key = |physical| physical.cache;

/// Takes up to `wanted` physical cores out of as few groups as hold them, and within the last of these out of
/// as few smaller groups; `keys` from the widest grouping to the narrowest.
fn choose(physical: Vec<Physical>, wanted: usize, keys: &[Key]) -> Vec<Physical> {
    let Some((&key, inner)) = keys.split_first() else {
        return physical.into_iter().take(wanted).collect();
    };
    let mut groups = group(&physical, key);
    let mut chosen = Vec::new();
    while chosen.len() < wanted && !groups.is_empty() {
        let left = wanted - chosen.len();
        // The sort is stable and both searches take the first of equals: the lowest number.
        let fits = (0..groups.len())
            .filter(|&at| groups[at].len() >= left)
            .min_by_key(|&at| (pieces(&groups[at], left, inner), groups[at].len()));
        let next = fits.unwrap_or(0);
        chosen.extend(choose(groups.remove(next), left, inner));
    }
    chosen
}

/// The groups that a key makes, the largest first, equals by the key.
fn group(physical: &[Physical], key: Key) -> Vec<Vec<Physical>> {
    let mut groups = BTreeMap::<Option<usize>, Vec<Physical>>::new();
    for one in physical {
        groups.entry(key(one)).or_default().push(one.clone());
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| Reverse(group.len()));
    groups
}

/// Over how many groups of the next key `wanted` of these are spread at least.
fn pieces(physical: &[Physical], wanted: usize, keys: &[Key]) -> usize {
    let Some(&key) = keys.first() else { return 1 };
    let mut left = wanted;
    group(physical, key)
        .iter()
        .take_while(|group| {
            let needed = left > 0;
            left = left.saturating_sub(group.len());
            needed
        })
        .count()
}

/// Gives each shard's core its reason.
fn explain(topology: &Topology, cores: &[usize], listed: bool) -> Vec<Placement> {
    let mut shards_on = BTreeMap::<usize, Vec<usize>>::new();
    for (shard, &core) in cores.iter().enumerate() {
        shards_on.entry(core).or_default().push(shard);
    }
    let many_nodes = topology.nodes.len() > 1;
    cores
        .iter()
        .enumerate()
        .map(|(shard, &core)| {
            let known = topology.core(core);
            let siblings = known.map_or(&[][..], |known| &known.siblings);
            let node = known.and_then(|known| known.node);
            let same_core = &shards_on[&core];
            let beside: Vec<usize> = siblings
                .iter()
                .filter(|&&sibling| sibling != core)
                .filter_map(|sibling| shards_on.get(sibling))
                .flatten()
                .copied()
                .collect();

            let mut reason = String::new();
            if listed {
                reason.push_str("as listed; ");
            }
            if same_core.len() > 1 {
                let others: Vec<usize> = same_core.iter().copied().filter(|&other| other != shard).collect();
                reason.push_str(&format!(
                    "shares the core with {}: more shards than cores",
                    shard_names(&others)
                ));
            } else if !beside.is_empty() {
                let (threads, beside) = (format_core_list(siblings), shard_names(&beside));
                reason.push_str(&format!("a thread of the physical core {threads}, beside {beside}"));
                if !listed {
                    reason.push_str(": more shards than physical cores");
                }
            } else if siblings.len() > 1 {
                reason.push_str(&format!("alone on the physical core {}", format_core_list(siblings)));
            } else {
                reason.push_str("a physical core of its own");
            }
            if let Some(node) = node.filter(|_| many_nodes) {
                reason.push_str(&format!("; node {node}"));
            }
            reason.push_str(&cache_reason(topology.last_level_cache(core)));
            Placement { shard, core, node, shares_core: same_core.len() > 1, reason }
        })
        .collect()
}

/// `shard 3`, `shards 3,5`, or their number where naming them all would fill the page.
fn shard_names(shards: &[usize]) -> String {
    match shards {
        [only] => format!("shard {only}"),
        few if few.len() <= 8 => format!("shards {}", format_core_list(few)),
        many => format!("{} other shards", many.len()),
    }
}

fn cache_reason(cache: Option<&Cache>) -> String {
    match cache {
        Some(cache) if cache.cores.len() > 1 => {
            format!("; {cache} shared by cores {}", format_core_list(&cache.cores))
        }
        Some(cache) => format!("; {cache} of its own"),
        None => String::new(),
    }
}
