//! The CPU time that the control groups above this process leave to it.
//!
//! Both versions are looked at, since a machine may mount both. A limit of any group between the process's
//! own and the top of what is mounted holds, so the tightest counts. Two ways in which containers differ are
//! allowed for: a group path that is not under the mount (the mount shows the container's part only, the path
//! is the host's) and a path that leads out of the container's namespace (`/..`). The CPU set of a group is
//! not read: the affinity of the thread already reflects it.

use std::path::{Component, Path, PathBuf};

use super::Quota;
use super::read::{Files, Roots};

/// The tightest limit found; `None` without one.
pub(super) fn read_quota(files: &mut Files, roots: &Roots) -> Option<Quota> {
    let groups = files.text(&roots.proc.join("self/cgroup")).unwrap_or_default();
    let mounts = roots.sys.join("fs/cgroup");
    let own_group = |wanted: fn(&str, &str) -> bool| {
        let mut lines = groups.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            Some((fields.next()?, fields.next()?, fields.next()?))
        });
        lines.find(|(id, controllers, _)| wanted(id, controllers)).map_or("", |(_, _, path)| path)
    };
    let second = own_group(|id, _| id == "0");
    let first = own_group(|_, controllers| controllers.split(',').any(|name| name == "cpu"));

    let mut tightest: Option<Quota> = None;
    let mut consider = |found: Option<Quota>| {
        if let Some(found) = found
            && tightest.as_ref().is_none_or(|known| is_tighter(&found, known))
        {
            tightest = Some(found);
        }
    };
    for mount in ["", "unified"] {
        for folder in folders(&mounts.join(mount), second) {
            consider(second_version(files, &folder));
        }
    }
    for mount in ["cpu", "cpu,cpuacct", "cpuacct,cpu"] {
        for folder in folders(&mounts.join(mount), first) {
            consider(first_version(files, &folder));
        }
    }
    tightest
}

fn is_tighter(a: &Quota, b: &Quota) -> bool {
    u128::from(a.quota_us) * u128::from(b.period_us) < u128::from(b.quota_us) * u128::from(a.period_us)
}

/// The folders of a group and of those above it, up to the mount itself.
fn folders(mount: &Path, group: &str) -> Vec<PathBuf> {
    let mut parts = Vec::new();
    for component in Path::new(group).components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => return vec![mount.to_owned()],
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    // Where the mount shows a container's part only, the front of the host's path is not to be found under
    // it.
    let hidden =
        (0..parts.len()).find(|&front| mount.join(parts[front..].iter().collect::<PathBuf>()).is_dir());
    let shown = &parts[hidden.unwrap_or(parts.len())..];
    (0..=shown.len()).rev().map(|depth| mount.join(shown[..depth].iter().collect::<PathBuf>())).collect()
}

/// `cpu.max`: `max 100000` or `250000 100000`.
fn second_version(files: &mut Files, folder: &Path) -> Option<Quota> {
    let file = folder.join("cpu.max");
    let text = files.text(&file)?;
    let quota = match text.split_whitespace().collect::<Vec<_>>()[..] {
        ["max", _] => return None,
        [quota, period] => quota_of(quota, period, &file),
        _ => None,
    };
    if quota.is_none() {
        files.notes.add(|| format!("{}: not a quota: {text:?}", file.display()));
    }
    quota
}

/// `cpu.cfs_quota_us` and `cpu.cfs_period_us`; a quota of -1 is none.
fn first_version(files: &mut Files, folder: &Path) -> Option<Quota> {
    let file = folder.join("cpu.cfs_quota_us");
    let quota = files.text(&file)?;
    if quota == "-1" {
        return None;
    }
    let period = files.text(&folder.join("cpu.cfs_period_us")).unwrap_or_default();
    let found = quota_of(&quota, &period, &file);
    if found.is_none() {
        files.notes.add(|| format!("{}: not a quota: {quota:?} in {period:?}", file.display()));
    }
    found
}

fn quota_of(quota: &str, period: &str, source: &Path) -> Option<Quota> {
    Quota::new(quota.parse().ok()?, period.parse().ok()?, source.to_owned())
}
