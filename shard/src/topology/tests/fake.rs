//! A sysfs and a procfs in a temporary folder, removed with the value.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

use crate::topology::{Roots, Topology, format_core_list, parse_core_list};

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// The folder, which a test fills file by file.
pub(crate) struct Fake {
    folder: PathBuf,
}

impl Fake {
    pub(crate) fn empty() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("corelane-topology-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        Self { folder }
    }

    /// A machine of like cores.
    ///
    /// `physical` physical cores with `threads` each, the second threads numbered after all first ones;
    /// `nodes` memory nodes and packages, and `caches` last-level caches, each over an equal part.
    pub(crate) fn machine(physical: usize, threads: usize, nodes: usize, caches: usize) -> Self {
        let fake = Self::empty();
        let all: Vec<usize> = (0..physical * threads).collect();
        let part = |core: usize, parts: usize| (core % physical) * parts / physical;
        let same = |core: usize, parts: usize| -> Vec<usize> {
            all.iter().copied().filter(|&other| part(other, parts) == part(core, parts)).collect()
        };
        fake.sys("devices/system/cpu/online", &format_core_list(&all));
        fake.sys("devices/system/cpu/present", &format_core_list(&all));
        fake.sys("devices/system/cpu/isolated", "");
        for &core in &all {
            let siblings = same(core, physical);
            fake.core(core, "topology/core_cpus_list", &format_core_list(&siblings));
            fake.core(core, "topology/physical_package_id", &part(core, nodes).to_string());
            fake.cache(core, 0, [1, 48], "Data", &siblings);
            fake.cache(core, 1, [1, 32], "Instruction", &siblings);
            fake.cache(core, 2, [2, 1024], "Unified", &siblings);
            fake.cache(core, 3, [3, 32768], "Unified", &same(core, caches));
        }
        for node in 0..nodes {
            let near: Vec<usize> = all.iter().copied().filter(|&core| part(core, nodes) == node).collect();
            fake.sys(&format!("devices/system/node/node{node}/cpulist"), &format_core_list(&near));
            let memory = format!("Node {node} MemTotal:       16777216 kB\nNode {node} MemFree:  12 kB");
            fake.sys(&format!("devices/system/node/node{node}/meminfo"), &memory);
        }
        fake
    }

    fn cache(&self, core: usize, index: usize, [level, kib]: [usize; 2], kind: &str, cores: &[usize]) {
        let folder = format!("cache/index{index}");
        self.core(core, &format!("{folder}/level"), &level.to_string());
        self.core(core, &format!("{folder}/type"), kind);
        self.core(core, &format!("{folder}/size"), &format!("{kib}K"));
        self.core(core, &format!("{folder}/shared_cpu_list"), &format_core_list(cores));
    }

    /// Writes a file of sysfs, with the newline that ends each.
    pub(crate) fn sys(&self, file: &str, text: &str) {
        self.write(&self.folder.join("sys").join(file), format!("{text}\n").as_bytes());
    }

    /// Writes a file of one core.
    pub(crate) fn core(&self, core: usize, file: &str, text: &str) {
        self.sys(&format!("devices/system/cpu/cpu{core}/{file}"), text);
    }

    /// Writes a file of sysfs as it is.
    pub(crate) fn sys_bytes(&self, file: &str, bytes: &[u8]) {
        self.write(&self.folder.join("sys").join(file), bytes);
    }

    /// Writes the lines of `/proc/self/cgroup`.
    pub(crate) fn groups(&self, lines: &[&str]) {
        let mut text = String::new();
        for line in lines {
            writeln!(text, "{line}").expect("writing to a string");
        }
        self.write(&self.folder.join("proc/self/cgroup"), text.as_bytes());
    }

    fn write(&self, file: &Path, bytes: &[u8]) {
        fs::create_dir_all(file.parent().expect("a file in a folder")).expect("a folder");
        fs::write(file, bytes).expect("a written file");
    }

    /// Removes a file or a folder of sysfs.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.folder.join("sys").join(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
            .expect("something to remove");
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots { sys: self.folder.join("sys"), proc: self.folder.join("proc") }
    }

    /// Reads it, every online core being allowed.
    pub(crate) fn read(&self) -> Topology {
        Topology::read_from(&self.roots(), None)
    }

    /// Reads it with the listed cores allowed.
    pub(crate) fn read_allowed(&self, allowed: &str) -> Topology {
        let allowed = parse_core_list(allowed).expect("a list of cores");
        Topology::read_from(&self.roots(), Some(&allowed))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // A folder that stays behind does no harm; a panic while a failed test unwinds would hide the
        // failure.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
