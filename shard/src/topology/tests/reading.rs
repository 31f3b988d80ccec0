//! Reading: what is told, what is derived where nothing is told, and what nonsense does.

use std::path::PathBuf;

use super::fake::Fake;
use crate::topology::{CacheKind, Topology};

#[test]
fn a_machine_with_smt_two_nodes_and_four_caches() {
    let fake = Fake::machine(8, 2, 2, 4);
    let read = fake.read_allowed("0-15");
    assert_eq!(read.online, (0..16).collect::<Vec<_>>());
    assert_eq!(read.allowed, read.online);
    assert_eq!((read.offline.len(), read.isolated.len()), (0, 0));
    assert_eq!(read.physical_cores(), (0..8).map(|core| vec![core, core + 8]).collect::<Vec<_>>());

    let core = read.core(13).expect("core 13 is online");
    assert_eq!((core.package, core.node, core.siblings.as_slice()), (Some(1), Some(1), &[5, 13][..]));
    assert_eq!(read.core(16), None);

    let counts = [(1, CacheKind::Data, 8), (1, CacheKind::Instruction, 8), (2, CacheKind::Unified, 8)];
    for (level, kind, count) in counts {
        let caches = read.caches.iter().filter(|cache| cache.level == level && cache.kind == kind);
        assert_eq!(caches.count(), count, "L{level} {kind}");
    }
    let last = read.last_level_cache(13).expect("a last-level cache");
    assert_eq!((last.level, last.bytes, last.cores.as_slice()), (3, Some(32 << 20), &[4, 5, 12, 13][..]));
    assert_eq!(last.to_string(), "L3 (32 MiB)");

    assert_eq!(read.nodes.len(), 2);
    assert_eq!(read.nodes[1].cores, [4, 5, 6, 7, 12, 13, 14, 15]);
    assert_eq!(read.nodes[1].memory_bytes, Some(16 << 30));
    assert_eq!(read.quota, None);
    assert_eq!(read.notes, Vec::<String>::new());
}

#[test]
fn the_older_name_of_the_siblings_file() {
    let fake = Fake::machine(2, 2, 1, 1);
    for core in 0..4 {
        fake.remove(&format!("devices/system/cpu/cpu{core}/topology/core_cpus_list"));
        fake.core(core, "topology/thread_siblings_list", if core < 2 { "0-1" } else { "2-3" });
    }
    assert_eq!(fake.read().physical_cores(), [[0, 1], [2, 3]]);
}

#[test]
fn sizes_have_units() {
    for (text, bytes) in [
        ("512K", Some(512 << 10)),
        ("32M", Some(32 << 20)),
        ("1G", Some(1 << 30)),
        ("64", Some(64)),
        ("", None),
        ("K", None),
        ("4T", None),
        ("4KK", None),
        ("-4K", None),
        ("18014398509481984K", None),
    ] {
        let fake = Fake::machine(1, 1, 1, 1);
        fake.core(0, "cache/index3/size", text);
        assert_eq!(fake.read().last_level_cache(0).map(|cache| cache.bytes), Some(bytes), "{text:?}");
    }
}

#[test]
fn a_cache_of_instructions_is_not_what_neighbours_share() {
    let fake = Fake::machine(1, 1, 1, 1);
    for index in 2..4 {
        fake.remove(&format!("devices/system/cpu/cpu0/cache/index{index}"));
    }
    let read = fake.read();
    assert_eq!(read.caches.len(), 2);
    assert_eq!(read.last_level_cache(0).map(|cache| cache.kind), Some(CacheKind::Data));
}

#[test]
fn a_container_sees_its_own_set() {
    let read = Fake::machine(8, 1, 1, 2).read_allowed("5,2-3");
    assert_eq!(read.allowed, [2, 3, 5]);
    assert_eq!(read.usable(), [2, 3, 5]);
    assert_eq!(read.online.len(), 8);
    assert_eq!(read.notes, Vec::<String>::new());
}

/// Some container managers show an `online` file in which a container's cores count from 0.
#[test]
fn an_allowed_core_is_online_whatever_sysfs_says() {
    let fake = Fake::machine(8, 1, 1, 2);
    fake.sys("devices/system/cpu/online", "0-1");
    let read = fake.read_allowed("4-5");
    assert_eq!(read.online, [0, 1, 4, 5]);
    assert_eq!(read.usable(), [4, 5]);
    assert!(read.notes.iter().any(|note| note.contains("4-5")), "{:?}", read.notes);
}

#[test]
fn offline_and_isolated_cores() {
    let fake = Fake::machine(4, 1, 1, 1);
    fake.sys("devices/system/cpu/online", "0,2-3");
    fake.sys("devices/system/cpu/isolated", "3");
    let read = fake.read();
    assert_eq!((read.online, read.offline, read.isolated), (vec![0, 2, 3], vec![1], vec![3]));
    assert_eq!(read.cores.iter().map(|core| core.core).collect::<Vec<_>>(), [0, 2, 3]);
}

#[test]
fn nothing_at_all_is_derived_from_the_allowed_set() {
    let read = Fake::empty().read_allowed("0,4");
    assert_eq!((read.online.as_slice(), read.allowed.as_slice()), (&[0, 4][..], &[0, 4][..]));
    assert_eq!(read.physical_cores(), [[0], [4]]);
    assert_eq!(read.core(4).map(|core| (core.package, core.node)), Some((None, None)));
    assert!(read.caches.is_empty() && read.nodes.is_empty() && read.quota.is_none());
    assert_eq!(read.last_level_cache(0), None);
    assert_eq!(read.notes.len(), 2, "the cores and the nodes: {:?}", read.notes);
}

#[test]
fn with_no_allowed_set_either_the_standard_library_counts() {
    let read = Fake::empty().read();
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(read.online, (0..count).collect::<Vec<_>>());
    assert_eq!(read.allowed, read.online);
}

#[test]
fn single_missing_files_leave_the_rest() {
    let fake = Fake::machine(2, 1, 1, 1);
    for file in [
        "cpu/present",
        "cpu/isolated",
        "cpu/cpu0/topology",
        "cpu/cpu0/cache/index2/size",
        "cpu/cpu0/cache/index3/level",
        "cpu/cpu1/cache/index0/shared_cpu_list",
        "node/node0/meminfo",
    ] {
        fake.remove(&format!("devices/system/{file}"));
    }
    let read = fake.read_allowed("0-1");
    assert_eq!(read.online, [0, 1]);
    assert_eq!(read.core(0).map(|core| (core.package, core.siblings.clone())), Some((None, vec![0])));
    let second_level = read.caches.iter().find(|cache| cache.level == 2 && cache.cores == [0]);
    assert_eq!(second_level.map(|cache| cache.bytes), Some(None));
    assert_eq!(read.last_level_cache(0).map(|cache| cache.level), Some(3), "core 1 tells of it");
    assert!(read.caches.iter().any(|cache| cache.kind == CacheKind::Data && cache.cores == [1]));
    assert_eq!(read.nodes[0].memory_bytes, None);
    assert_eq!(read.notes, Vec::<String>::new(), "a missing file is no remark");
}

#[test]
fn nonsense_is_passed_over_and_noted() {
    let fake = Fake::machine(2, 1, 1, 1);
    let mut bad = Vec::new();
    let mut spoil = |file: &str, text: &[u8]| {
        fake.sys_bytes(&format!("devices/system/{file}"), text);
        bad.push(file.to_owned());
    };
    spoil("cpu/online", b"zero to one\n");
    spoil("cpu/isolated", b"\xff\xfe");
    spoil("cpu/cpu0/topology/core_cpus_list", b"0-");
    spoil("cpu/cpu0/topology/physical_package_id", b"first");
    spoil("cpu/cpu0/cache/index0/level", b"");
    spoil("cpu/cpu0/cache/index1/type", b"Trace");
    spoil("cpu/cpu0/cache/index2/size", b"99999999999999999999G");
    spoil("cpu/cpu0/cache/index3/shared_cpu_list", b"0-99999999");
    spoil("node/node0/cpulist", b"9-1");
    fake.core(1, "topology/physical_package_id", "-1");
    fake.core(1, "cache/index3/shared_cpu_list", "0");
    fake.core(1, "topology/core_cpus_list", "0");

    let read = fake.read_allowed("0-1");
    assert_eq!(read.online, [0, 1]);
    assert_eq!(read.isolated, Vec::<usize>::new());
    for core in [0, 1] {
        let known = read.core(core).expect("an online core");
        assert_eq!((known.package, known.node, known.siblings.as_slice()), (None, None, &[core][..]));
        assert_eq!(read.last_level_cache(core).map(|cache| cache.cores.clone()), Some(vec![core]));
    }
    for file in bad {
        assert!(read.notes.iter().any(|note| note.contains(&file)), "no note of {file}: {:#?}", read.notes);
    }
    assert!(
        !read.notes.iter().any(|note| note.contains("cpu1/topology/physical_package_id")),
        "-1 is no nonsense"
    );
}

#[test]
fn notes_are_bounded() {
    let fake = Fake::machine(24, 1, 1, 1);
    for core in 0..24 {
        fake.core(core, "topology/core_cpus_list", "?");
    }
    let notes = fake.read_allowed("0-23").notes;
    assert_eq!(notes.len(), 17);
    assert_eq!(notes[16], "and 8 more of the kind");
}

/// The quota that a machine with these files has, in hundredths of a core, and the folder that said so.
fn quota(groups: &[&str], files: &[(&str, &str)]) -> Option<(u64, PathBuf)> {
    let fake = Fake::machine(1, 1, 1, 1);
    fake.groups(groups);
    for (file, text) in files {
        fake.sys(&format!("fs/cgroup/{file}"), text);
    }
    let quota = fake.read().quota?;
    let folder = quota.source.parent().expect("a file in a folder");
    let mounts = fake.roots().sys.join("fs/cgroup");
    let folder = folder.strip_prefix(mounts).expect("a folder of control groups").to_owned();
    Some((quota.quota_us * 100 / quota.period_us, folder))
}

#[test]
fn a_quota_of_the_second_version() {
    let own = ["0::/a/b"];
    assert_eq!(quota(&own, &[("a/b/cpu.max", "max 100000")]), None);
    assert_eq!(quota(&own, &[("a/b/cpu.max", "250000 100000")]), Some((250, "a/b".into())));
    assert_eq!(
        quota(&own, &[("a/b/cpu.max", "250000 100000"), ("a/cpu.max", "50000 50000")]),
        Some((100, "a".into()))
    );
    assert_eq!(
        quota(
            &own,
            &[("a/b/cpu.max", "max 100000"), ("a/other/cpu.max", "1000 100000"), ("cpu.max", "max 100000")]
        ),
        None,
        "another group's limit is not ours"
    );
    assert_eq!(quota(&["0::/"], &[("cpu.max", "50000 100000")]), Some((50, "".into())));
    assert_eq!(quota(&["0::/c"], &[("unified/c/cpu.max", "50000 100000")]), Some((50, "unified/c".into())));
}

#[test]
fn a_quota_of_the_first_version() {
    let files = |folder: &str, quota: &str, period: &str| {
        [
            (format!("{folder}/cpu.cfs_quota_us"), quota.to_owned()),
            (format!("{folder}/cpu.cfs_period_us"), period.to_owned()),
        ]
    };
    let check = |groups: &[&str], written: &[[(String, String); 2]]| {
        let written: Vec<_> =
            written.iter().flatten().map(|(file, text)| (file.as_str(), text.as_str())).collect();
        quota(groups, &written)
    };
    let own = ["5:memory:/m", "4:cpu,cpuacct:/a", "1:cpuset:/s", "0::/"];
    assert_eq!(check(&own, &[files("cpu,cpuacct/a", "-1", "100000")]), None);
    let limited = files("cpu,cpuacct/a", "150000", "100000");
    assert_eq!(check(&own, std::slice::from_ref(&limited)), Some((150, "cpu,cpuacct/a".into())));
    let tighter = files("cpu,cpuacct", "20000", "20000");
    assert_eq!(check(&own, &[limited, tighter]), Some((100, "cpu,cpuacct".into())));
    // Neither the CPU sets nor the memory groups say anything about time.
    assert_eq!(check(&own, &[files("cpu/s", "1000", "100000"), files("cpu/m", "1000", "100000")]), None);
}

#[test]
fn a_container_whose_group_path_is_the_hosts() {
    let host = ["4:cpu:/docker/0123", "0::/docker/0123"];
    let files = [("cpu/cpu.cfs_quota_us", "300000"), ("cpu/cpu.cfs_period_us", "100000")];
    assert_eq!(quota(&host, &files), Some((300, "cpu".into())), "the mount is the container");

    let inner = ["0::/docker/0123/inner"];
    let files = [("inner/cpu.max", "100000 100000"), ("cpu.max", "200000 100000")];
    assert_eq!(quota(&inner, &files), Some((100, "inner".into())), "a group within the container");

    let files = [("cpu.max", "70000 100000"), ("other/cpu.max", "10000 100000")];
    assert_eq!(quota(&["0::/../other"], &files), Some((70, "".into())), "a group outside the namespace");
}

#[test]
fn a_garbled_quota_is_noted() {
    for text in ["", "max", "many 100000", "100000", "100000 0", "0 100000", "1 2 3", "-5 100000"] {
        let fake = Fake::machine(1, 1, 1, 1);
        fake.sys("fs/cgroup/cpu.max", text);
        let read = fake.read();
        assert_eq!(read.quota, None, "{text:?}");
        assert!(read.notes.iter().any(|note| note.contains("cpu.max")), "{text:?}: {:?}", read.notes);
    }
    let fake = Fake::machine(1, 1, 1, 1);
    fake.sys("fs/cgroup/cpu/cpu.cfs_quota_us", "100000");
    assert_eq!(fake.read().quota, None, "a quota without a period");
}

/// Whatever this machine is, what is read of it is consistent, and a thread can be pinned where it says so.
#[test]
fn this_machine() {
    let read = Topology::read();
    assert!(!read.usable().is_empty());
    assert_eq!(read.usable(), read.allowed, "every allowed core is online");
    assert_eq!(read.cores.iter().map(|core| core.core).collect::<Vec<_>>(), read.online);
    let together: usize = read.physical_cores().iter().map(Vec::len).sum();
    assert_eq!(together, read.online.len());
}
