//! What the figures depend on, printed above them: processor, cores, operating system, huge pages, load, build.
//!
//! What cannot be read is left out; nothing here fails.

use std::fmt;
use std::fs;

use corelane::workloads::Plan;
use corelane_shard::topology::{Topology, format_core_list};

/// The conditions of one measurement, as lines of a name and a text.
#[derive(Debug)]
pub(super) struct Conditions {
    lines: Vec<(&'static str, String)>,
}

impl Conditions {
    /// The conditions on this machine with the cores of `plan`.
    pub(super) fn of(topology: &Topology, plan: &Plan) -> Self {
        let cores = plan.cores().iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let allowed = format!("{cores} of the allowed {}", format_core_list(&topology.allowed));
        let file = |path: &str| fs::read_to_string(path).ok();
        let lines = [
            ("processor", file("/proc/cpuinfo").and_then(|text| model_name(&text))),
            ("cores", Some(allowed)),
            ("system", file("/proc/version").and_then(|text| version(&text))),
            (
                "huge pages",
                file("/sys/kernel/mm/transparent_hugepage/enabled").and_then(|text| bracketed(&text)),
            ),
            ("load", file("/proc/loadavg").and_then(|text| load(&text))),
            ("build", Some(build())),
        ];
        Self { lines: lines.into_iter().filter_map(|(name, text)| Some((name, text?))).collect() }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(name, text)| writeln!(f, "  {name:<11}{text}"))
    }
}

/// The processor's name in the text of procfs' `cpuinfo`.
fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// System and release in the text of procfs' `version`.
fn version(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let system = words.next()?;
    let release = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(format!("{system} {release}"))
}

/// The chosen word of a sysfs file that lists all and brackets one.
fn bracketed(text: &str) -> Option<String> {
    Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
}

/// The load of the last minute in the text of procfs' `loadavg`.
fn load(text: &str) -> Option<String> {
    Some(format!("{} in the last minute", text.split_whitespace().next()?))
}

/// How this executable was built, with a warning where its figures mean nothing.
fn build() -> String {
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    if cfg!(debug_assertions) {
        format!("{target}, DEBUG: these figures say nothing; use `cargo run --release`")
    } else {
        format!("{target}, release")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_linux_machine_are_understood() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC 7763\nflags\t: fpu\nmodel name\t: other\n";
        assert_eq!(model_name(cpuinfo).as_deref(), Some("AMD EPYC 7763"));
        assert_eq!(version("Linux version 6.18.4-x (gcc 13) #1 SMP").as_deref(), Some("Linux 6.18.4-x"));
        assert_eq!(bracketed("always [madvise] never\n").as_deref(), Some("madvise"));
        assert_eq!(load("0.42 0.26 0.16 1/99 1234\n").as_deref(), Some("0.42 in the last minute"));
    }

    #[test]
    fn what_is_not_as_expected_is_left_out() {
        assert_eq!(model_name("Processor: ARM\n"), None);
        assert_eq!(version(""), None);
        assert_eq!(bracketed("madvise\n"), None);
        assert_eq!(load(""), None);
    }
}
