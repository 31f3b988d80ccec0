//! Reading the machine from sysfs and procfs.
//!
//! Reads some twenty small files for each core. Every file may be missing (a small virtual machine, a
//! sandbox, another operating system) or hold nonsense: a missing one is passed over, nonsense is passed over
//! and noted, and what follows from neither is derived. So a topology always comes out, with at least one
//! online and allowed core.
//!
//! One thing is not read here but handed in: the set of cores that the calling thread may use, which comes
//! from a system call.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::cgroup;
use super::list::parse_core_list;
use super::{Cache, CacheKind, Core, Node, Topology, format_core_list};

/// More notes than this say nothing new; the rest is counted.
const NOTES_MAX: usize = 16;

/// More caches of one core than any machine has.
const CACHES_OF_A_CORE_MAX: usize = 16;

/// Where sysfs and procfs are mounted. Tests put folders of their own here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// Usually `/sys`.
    pub sys: PathBuf,
    /// Usually `/proc`.
    pub proc: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { sys: PathBuf::from("/sys"), proc: PathBuf::from("/proc") }
    }
}

impl Topology {
    /// Reads this machine as the calling thread may use it: a thread that is already pinned finds one allowed
    /// core, so read before pinning.
    ///
    /// Costs milliseconds on a large machine: meant for the start of a program.
    pub fn read() -> Self {
        Self::read_from(&Roots::default(), crate::affinity::current_affinity().as_deref())
    }

    /// Reads a machine from the given places. `allowed` is the set of cores that may be used; without it,
    /// every online core may be.
    pub fn read_from(roots: &Roots, allowed: Option<&[usize]>) -> Self {
        let mut files = Files { notes: Notes::default() };
        let cpu = roots.sys.join("devices/system/cpu");

        let mut allowed = allowed.unwrap_or_default().to_vec();
        sort(&mut allowed);
        let online = online_cores(&mut files, &cpu, &allowed);
        if allowed.is_empty() {
            files
                .notes
                .add(|| "the set of allowed cores is not known: every online core is taken".to_owned());
            allowed.clone_from(&online);
        }
        let mut offline = files.list(&cpu.join("present")).unwrap_or_default();
        offline.retain(|core| online.binary_search(core).is_err());
        let isolated = files.list(&cpu.join("isolated")).unwrap_or_default();
        let nodes = read_nodes(&mut files, &roots.sys.join("devices/system/node"));
        let cores = read_cores(&mut files, &cpu, &online, &nodes);
        let caches = read_caches(&mut files, &cpu, &online);
        let quota = cgroup::read_quota(&mut files, roots);
        let notes = files.notes.finish();
        Self { online, offline, allowed, isolated, cores, caches, nodes, quota, notes }
    }
}

/// The online cores, never none. An allowed core is online whatever sysfs says: the kernel itself named it,
/// while container managers show a sysfs in which cores are renumbered.
fn online_cores(files: &mut Files, cpu: &Path, allowed: &[usize]) -> Vec<usize> {
    let mut online = match files.list(&cpu.join("online")) {
        Some(online) if !online.is_empty() => online,
        _ => {
            let derived = if allowed.is_empty() { counted_cores() } else { allowed.to_vec() };
            files.notes.add(|| {
                let cores = format_core_list(&derived);
                format!("{} does not tell the online cores: {cores} taken", cpu.display())
            });
            derived
        }
    };
    let hidden: Vec<usize> =
        allowed.iter().copied().filter(|core| online.binary_search(core).is_err()).collect();
    if !hidden.is_empty() {
        files.notes.add(|| {
            let cores = format_core_list(&hidden);
            format!("{} lists cores {cores} as not online, but this thread may run there", cpu.display())
        });
        online.extend(hidden);
        sort(&mut online);
    }
    online
}

/// The last resort where neither sysfs nor the affinity tells: as many cores as the standard library counts.
fn counted_cores() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, usize::from)).collect()
}

fn read_cores(files: &mut Files, cpu: &Path, online: &[usize], nodes: &[Node]) -> Vec<Core> {
    online
        .iter()
        .map(|&core| {
            let topology = cpu.join(format!("cpu{core}/topology"));
            // The second name is the older one of the same file.
            let siblings = files
                .list(&topology.join("core_cpus_list"))
                .or_else(|| files.list(&topology.join("thread_siblings_list")));
            let siblings = match siblings {
                Some(siblings) if siblings.binary_search(&core).is_ok() => siblings,
                Some(_) => {
                    let place = topology.display();
                    files.notes.add(|| format!("{place}: core {core} is not among its own siblings"));
                    vec![core]
                }
                None => vec![core],
            };
            let package = files.number(&topology.join("physical_package_id"));
            let node =
                nodes.iter().find(|node| node.cores.binary_search(&core).is_ok()).map(|node| node.node);
            Core { core, package, siblings, node }
        })
        .collect()
}

fn read_caches(files: &mut Files, cpu: &Path, online: &[usize]) -> Vec<Cache> {
    let mut seen = BTreeSet::new();
    let mut caches = Vec::new();
    for &core in online {
        for index in 0..CACHES_OF_A_CORE_MAX {
            let place = cpu.join(format!("cpu{core}/cache/index{index}"));
            if !place.is_dir() {
                break;
            }
            if let Some(cache) = read_cache(files, &place, core)
                && seen.insert((cache.level, cache.kind, cache.cores.clone()))
            {
                caches.push(cache);
            }
        }
    }
    caches.sort_by(|a, b| (a.level, a.kind, &a.cores).cmp(&(b.level, b.kind, &b.cores)));
    caches
}

fn read_cache(files: &mut Files, place: &Path, core: usize) -> Option<Cache> {
    let level = files.number(&place.join("level"))?;
    let kind_file = place.join("type");
    let kind = match files.text(&kind_file)?.as_str() {
        "Data" => CacheKind::Data,
        "Instruction" => CacheKind::Instruction,
        "Unified" => CacheKind::Unified,
        other => {
            files.notes.add(|| format!("{}: unknown: {other:?}", kind_file.display()));
            return None;
        }
    };
    let size = place.join("size");
    let bytes = files.text(&size).and_then(|text| {
        let bytes = parse_size(&text);
        if bytes.is_none() {
            files.notes.add(|| format!("{}: not a size: {text:?}", size.display()));
        }
        bytes
    });
    let cores = match files.list(&place.join("shared_cpu_list")) {
        Some(cores) if cores.binary_search(&core).is_ok() => cores,
        Some(_) => {
            files.notes.add(|| format!("{}: core {core} does not share its own cache", place.display()));
            vec![core]
        }
        None => vec![core],
    };
    Some(Cache { level, kind, bytes, cores })
}

/// A size as sysfs writes it: `512K`, seldom with another unit or none.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn read_nodes(files: &mut Files, place: &Path) -> Vec<Node> {
    let mut numbers: Vec<usize> = fs::read_dir(place)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("node")?.parse().ok())
        .collect();
    sort(&mut numbers);
    if numbers.is_empty() {
        files.notes.add(|| format!("{} tells no memory nodes: one is assumed", place.display()));
    }
    numbers
        .into_iter()
        .map(|node| {
            let place = place.join(format!("node{node}"));
            let cores = files.list(&place.join("cpulist")).unwrap_or_default();
            // The line reads "Node 0 MemTotal:  16384 kB".
            let memory_bytes = files.text(&place.join("meminfo")).and_then(|text| {
                let line = text.lines().find_map(|line| line.split_once("MemTotal:"))?.1;
                line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
            });
            Node { node, cores, memory_bytes }
        })
        .collect()
}

fn sort(cores: &mut Vec<usize>) {
    cores.sort_unstable();
    cores.dedup();
}

/// Reads small files, and keeps notes of what could not be understood.
pub(super) struct Files {
    pub(super) notes: Notes,
}

impl Files {
    /// The text of a file without the blanks around it; `None` if there is no such file. What cannot be read
    /// for another reason is noted.
    pub(super) fn text(&mut self, file: &Path) -> Option<String> {
        match fs::read_to_string(file) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
                    self.notes.add(|| format!("{}: {error}", file.display()));
                }
                None
            }
        }
    }

    /// A list of cores in ascending order. An empty file is the empty list, as for `isolated`.
    pub(super) fn list(&mut self, file: &Path) -> Option<Vec<usize>> {
        let text = self.text(file)?;
        if text.is_empty() {
            return Some(Vec::new());
        }
        match parse_core_list(&text) {
            Ok(mut cores) => {
                sort(&mut cores);
                Some(cores)
            }
            Err(error) => {
                self.notes.add(|| format!("{}: {error}", file.display()));
                None
            }
        }
    }

    /// A number. `-1` stands for "not known" in sysfs.
    pub(super) fn number(&mut self, file: &Path) -> Option<usize> {
        let text = self.text(file)?;
        let number = text.parse().ok();
        if number.is_none() && text != "-1" {
            self.notes.add(|| format!("{}: not a number: {text:?}", file.display()));
        }
        number
    }
}

/// A bounded list of remarks: nonsense in one file is often nonsense in the same file of a hundred cores.
#[derive(Default)]
pub(super) struct Notes {
    kept: Vec<String>,
    dropped: usize,
}

impl Notes {
    pub(super) fn add(&mut self, note: impl FnOnce() -> String) {
        if self.kept.len() < NOTES_MAX {
            self.kept.push(note());
        } else {
            self.dropped += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.dropped > 0 {
            self.kept.push(format!("and {} more of the kind", self.dropped));
        }
        self.kept
    }
}
