//! Resident memory: reading it, and measuring it in a child process that has run nothing before.

use std::fs;
use std::process::Command;

use crate::system::RunError;

/// The argument that makes this program a child process; see [`in_child`].
pub(crate) const CHILD_ARGUMENT: &str = "--resident-child";

/// Resident memory of this process, in bytes. Linux only.
pub(crate) fn bytes() -> Result<u64, RunError> {
    // The roll-up adds up the page tables; the counters of `status` may lag by some pages per thread.
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")
        .or_else(|_| fs::read_to_string("/proc/self/status"))
        .map_err(|error| RunError::Os("cannot read resident memory from /proc", error))?;
    parse(&rollup).ok_or_else(|| RunError::Child("no resident size in /proc".to_owned()))
}

fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix("Rss:").or_else(|| l.strip_prefix("VmRSS:")))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Runs this program again as `CHILD_ARGUMENT system actors`, and returns the number of bytes that it prints.
pub(crate) fn in_child(system: &str, actors: u64) -> Result<f64, RunError> {
    let program = std::env::current_exe().map_err(|e| RunError::Os("cannot find this program", e))?;
    let output = Command::new(program)
        .args([CHILD_ARGUMENT, system, &actors.to_string()])
        .output()
        .map_err(|error| RunError::Os("cannot start the child process", error))?;
    let said = String::from_utf8_lossy(&output.stdout);
    match said.trim().parse() {
        Ok(bytes) if output.status.success() => Ok(bytes),
        _ => Err(RunError::Child(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_size_is_found_in_either_file() {
        assert_eq!(parse("Pss: 1 kB\nRss:               2048 kB\n"), Some(2 << 20));
        assert_eq!(parse("VmHWM:\t 9 kB\nVmRSS:\t     4 kB\n"), Some(4096));
        assert_eq!(parse("Rss: many\n"), None);
    }

    #[test]
    fn touched_memory_is_resident() {
        let before = bytes().unwrap();
        let block = vec![1u8; 64 << 20];
        let after = bytes().unwrap();
        assert!(after - before > (block.len() / 2) as u64, "{before} {after}");
    }
}
