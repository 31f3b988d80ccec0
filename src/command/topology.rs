//! `corelane topology`: the machine's cores, and the pinning that a system would choose on it, with the
//! reasons.
//!
//! Shows what [`corelane_shard::topology`] reads and plans, and decides nothing itself. The page for people
//! may change from version to version; programs read `--json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use corelane_shard::topology::{
    Cache, CacheKind, CoreList, Plan, PlanError, Request, Topology, format_bytes, format_core_list, plan,
};
use serde_json::{Value, json};

use super::process;

/// The page shows so many groups of cores that share a like cache; `--json` shows all.
const SHARERS_SHOWN: usize = 8;

/// Arguments of `corelane topology`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TopologyArgs {
    /// Pin to these cores in this order, like 0,2-5
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    cores: Option<CoreList>,

    /// Plan for so many shards [default: one for each physical core, within the CPU quota]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    shards: Option<usize>,

    /// Print one JSON object instead of a page
    #[arg(long)]
    json: bool,
}

impl TopologyArgs {
    fn request(&self) -> Request {
        let mut request = Request::auto();
        if let Some(cores) = &self.cores {
            request = request.cores(cores.as_slice());
        }
        if let Some(shards) = self.shards {
            request = request.shards(shards);
        }
        request
    }
}

/// Runs the command: reads this machine and prints to standard output. Exit code 2 if the arguments cannot be
/// met here, with one line on standard error; 1 if the output cannot be written.
pub(crate) fn run(args: &TopologyArgs) -> ExitCode {
    let text = match render(args, &Topology::read()) {
        Ok(text) => text,
        Err(error) => return process::refuse(error),
    };
    process::print(&text)
}

fn render(args: &TopologyArgs, topology: &Topology) -> Result<String, PlanError> {
    let plan = plan(topology, &args.request())?;
    if args.json {
        return Ok(format!("{:#}\n", as_json(topology, &plan)));
    }
    let mut page = String::new();
    write_page(&mut page, topology, &plan).expect("a String takes every write");
    Ok(page)
}

fn as_json(topology: &Topology, plan: &Plan) -> Value {
    let cores = topology.cores.iter().map(|core| {
        let (package, siblings) = (core.package, &core.siblings);
        json!({ "core": core.core, "package": package, "siblings": siblings, "node": core.node })
    });
    let caches = topology.caches.iter().map(|cache| {
        let kind = cache.kind.to_string();
        json!({ "level": cache.level, "kind": kind, "bytes": cache.bytes, "cores": cache.cores })
    });
    let nodes = topology
        .nodes
        .iter()
        .map(|node| json!({ "node": node.node, "cores": node.cores, "memory_bytes": node.memory_bytes }));
    let quota = topology.quota.as_ref().map(|quota| {
        json!({
            "cores": quota.cores(),
            "quota_us": quota.quota_us,
            "period_us": quota.period_us,
            "source": quota.source.to_string_lossy(),
        })
    });
    let shards = plan.placements().iter().map(|placement| {
        json!({
            "shard": placement.shard,
            "core": placement.core,
            "node": placement.node,
            "shares_core": placement.shares_core,
            "reason": placement.reason,
        })
    });
    json!({
        "online": topology.online,
        "offline": topology.offline,
        "allowed": topology.allowed,
        "isolated": topology.isolated,
        "cores": cores.collect::<Vec<_>>(),
        "physical_cores": topology.physical_cores(),
        "caches": caches.collect::<Vec<_>>(),
        "nodes": nodes.collect::<Vec<_>>(),
        "quota": quota,
        "notes": topology.notes,
        "plan": {
            "shards": shards.collect::<Vec<_>>(),
            "basis": plan.basis(),
            "warnings": plan.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "may_spin": plan.may_spin(),
        },
    })
}

fn write_page(page: &mut String, topology: &Topology, plan: &Plan) -> std::fmt::Result {
    write_machine(page, topology)?;
    write_physical_cores(page, topology)?;
    write_caches(page, topology)?;
    write_nodes(page, topology)?;
    write_plan(page, plan)?;
    write_list(page, "Notes", &topology.notes)
}

fn write_machine(page: &mut String, topology: &Topology) -> std::fmt::Result {
    let (online, physical) = (topology.online.len(), topology.physical_cores().len());
    writeln!(page, "Machine")?;
    writeln!(
        page,
        "  online    {} ({}, {})",
        format_core_list(&topology.online),
        counted(online, "core"),
        counted(physical, "physical core")
    )?;
    writeln!(page, "  offline   {}", format_core_list(&topology.offline))?;
    let all = if topology.allowed == topology.online { " (all that are online)" } else { "" };
    writeln!(page, "  allowed   {}{all}", format_core_list(&topology.allowed))?;
    writeln!(page, "  isolated  {}", format_core_list(&topology.isolated))?;
    match &topology.quota {
        Some(quota) => writeln!(page, "  quota     {quota} of CPU time ({})", quota.source.display()),
        None => writeln!(page, "  quota     none"),
    }
}

fn write_physical_cores(page: &mut String, topology: &Topology) -> std::fmt::Result {
    let mut rows = vec![["threads", "package", "node", "last-level cache"].map(str::to_owned)];
    for threads in topology.physical_cores() {
        let core = threads.first().and_then(|&first| topology.core(first));
        let cache = core.and_then(|core| topology.last_level_cache(core.core));
        rows.push([
            format_core_list(&threads),
            or_unknown(core.and_then(|core| core.package)),
            or_unknown(core.and_then(|core| core.node)),
            cache.map_or("?".to_owned(), |cache| format!("{cache} of {}", format_core_list(&cache.cores))),
        ]);
    }
    writeln!(page, "\nPhysical cores")?;
    write_table(page, &rows)
}

/// Like caches in one row: a machine has one L1 for each physical core, all of a size.
fn write_caches(page: &mut String, topology: &Topology) -> std::fmt::Result {
    let mut like = BTreeMap::<(usize, CacheKind, Option<u64>), Vec<&Cache>>::new();
    for cache in &topology.caches {
        like.entry((cache.level, cache.kind, cache.bytes)).or_default().push(cache);
    }
    let mut rows = vec![["level", "kind", "size", "count", "cores of each"].map(str::to_owned)];
    for ((level, kind, bytes), caches) in like {
        let mut sharers: Vec<String> =
            caches.iter().take(SHARERS_SHOWN).map(|cache| format_core_list(&cache.cores)).collect();
        if caches.len() > SHARERS_SHOWN {
            sharers.push("...".to_owned());
        }
        rows.push([
            format!("L{level}"),
            kind.to_string(),
            bytes.map_or("?".to_owned(), format_bytes),
            caches.len().to_string(),
            sharers.join(" | "),
        ]);
    }
    writeln!(page, "\nCaches")?;
    if rows.len() == 1 {
        return writeln!(page, "  not told");
    }
    write_table(page, &rows)
}

fn write_nodes(page: &mut String, topology: &Topology) -> std::fmt::Result {
    let mut rows = vec![["node", "memory", "cores"].map(str::to_owned)];
    for node in &topology.nodes {
        let memory = node.memory_bytes.map_or("?".to_owned(), format_bytes);
        rows.push([node.node.to_string(), memory, format_core_list(&node.cores)]);
    }
    writeln!(page, "\nNUMA nodes")?;
    if rows.len() == 1 {
        return writeln!(page, "  not told");
    }
    write_table(page, &rows)
}

fn write_plan(page: &mut String, plan: &Plan) -> std::fmt::Result {
    let mut rows = vec![["shard", "core", "because"].map(str::to_owned)];
    for placement in plan.placements() {
        rows.push([placement.shard.to_string(), placement.core.to_string(), placement.reason.clone()]);
    }
    writeln!(page, "\nPinning: {}", counted(plan.placements().len(), "shard"))?;
    for basis in plan.basis() {
        writeln!(page, "  {basis}")?;
    }
    if !plan.may_spin() {
        writeln!(page, "  idle shards must not spin here")?;
    }
    writeln!(page)?;
    write_table(page, &rows)?;
    let warnings: Vec<String> = plan.warnings().iter().map(ToString::to_string).collect();
    write_list(page, "Warnings", &warnings)
}

fn write_list(page: &mut String, title: &str, lines: &[String]) -> std::fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(page, "\n{title}")?;
    lines.iter().try_for_each(|line| writeln!(page, "  {line}"))
}

/// Rows of columns as wide as their widest cell; the last column is as wide as it is.
fn write_table<const N: usize>(page: &mut String, rows: &[[String; N]]) -> std::fmt::Result {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for row in rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            write!(line, "  {cell:width$}")?;
        }
        writeln!(page, "{}", line.trim_end())?;
    }
    Ok(())
}

fn or_unknown(number: Option<usize>) -> String {
    number.map_or("?".to_owned(), |number| number.to_string())
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use clap::Parser;
    use corelane_shard::topology::Roots;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: TopologyArgs,
    }

    fn parsed(words: &[&str]) -> Result<TopologyArgs, clap::Error> {
        Line::try_parse_from([&["topology"], words].concat()).map(|line| line.args)
    }

    /// A folder of files, removed with the value.
    struct Folder(PathBuf);

    impl Folder {
        fn with(files: &[(&str, &str)]) -> Self {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("corelane-topology-command-{}-{number}", std::process::id());
            let folder = Self(std::env::temp_dir().join(name));
            for (file, text) in files {
                let file = folder.0.join(file);
                fs::create_dir_all(file.parent().expect("a file in a folder")).expect("a folder");
                fs::write(file, text).expect("a written file");
            }
            folder
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Two physical cores of two threads each, one L2, a quota of 1.5 cores; core 4 is switched off.
    fn machine() -> Topology {
        let cpu = "sys/devices/system/cpu";
        let mut files = vec![
            (format!("{cpu}/online"), "0-3\n"),
            (format!("{cpu}/present"), "0-4\n"),
            ("sys/devices/system/node/node0/cpulist".to_owned(), "0-3\n"),
            ("sys/devices/system/node/node0/meminfo".to_owned(), "Node 0 MemTotal: 2097152 kB\n"),
            ("sys/fs/cgroup/cpu.max".to_owned(), "150000 100000\n"),
        ];
        for core in 0..4 {
            let of_core = |file: &str| format!("{cpu}/cpu{core}/{file}");
            files.push((of_core("topology/core_cpus_list"), ["0,2\n", "1,3\n"][core % 2]));
            files.push((of_core("topology/physical_package_id"), "0\n"));
            files.push((of_core("cache/index0/level"), "2\n"));
            files.push((of_core("cache/index0/type"), "Unified\n"));
            files.push((of_core("cache/index0/size"), "1536K\n"));
            files.push((of_core("cache/index0/shared_cpu_list"), "0-3\n"));
        }
        let files: Vec<_> = files.iter().map(|(file, text)| (file.as_str(), *text)).collect();
        let folder = Folder::with(&files);
        let roots = Roots { sys: folder.0.join("sys"), proc: folder.0.join("proc") };
        Topology::read_from(&roots, Some(&[0, 1, 2]))
    }

    #[test]
    fn arguments() {
        let args = parsed(&["--cores", "0,2-3", "--shards", "2", "--json"]).expect("good arguments");
        assert_eq!(args.request(), Request::auto().cores(&[0, 2, 3]).shards(2));
        assert!(args.json);
        assert_eq!(parsed(&[]).expect("no arguments").request(), Request::auto());
    }

    #[test]
    fn bad_arguments_end_with_code_2_and_say_where() {
        for (words, message) in [
            (&["--cores", "0,x"][..], "character 3: expected a core number, found 'x'"),
            (&["--cores", "5-2"], "the range 5-2 counts down"),
            (&["--cores", ""], "the list of cores is empty"),
            (&["--cores", "-1"], "character 1: expected a core number, found '-'"),
            (&["--shards", "-1"], "invalid value '-1' for '--shards <N>'"),
            (&["--shards", "two"], "two"),
            (&["--colour"], "--colour"),
        ] {
            let error = parsed(words).expect_err("bad arguments");
            assert_eq!(error.exit_code(), i32::from(process::REFUSED), "{words:?}");
            assert!(error.to_string().contains(message), "{words:?}: {error}");
        }
    }

    #[test]
    fn arguments_that_this_machine_cannot_meet_are_an_error() {
        for (words, message) in [
            (["--cores", "0,7"], "there is no core 7 (online: 0-3)"),
            (["--cores", "4"], "core 4 is switched off (online: 0-3)"),
            (["--cores", "3"], "core 3 may not be used here (allowed: 0-2;"),
            (["--cores", "1,1"], "core 1 is listed twice"),
            (["--shards", "0"], "at least one shard"),
        ] {
            let args = parsed(&words).expect("well-formed arguments");
            let error = render(&args, &machine()).expect_err("no plan").to_string();
            assert!(error.starts_with(message), "{words:?}: {error}");
        }
    }

    #[test]
    fn the_page() {
        let args = parsed(&["--shards", "2"]).expect("good arguments");
        let mut topology = machine();
        if let Some(quota) = &mut topology.quota {
            quota.source = "cpu.max".into();
        }
        let page = render(&args, &topology).expect("a page");
        let expected = "\
Machine
  online    0-3 (4 cores, 2 physical cores)
  offline   4
  allowed   0-2
  isolated  none
  quota     1.50 cores of CPU time (cpu.max)

Physical cores
  threads  package  node  last-level cache
  0,2      0        0     L2 (1.5 MiB) of 0-3
  1,3      0        0     L2 (1.5 MiB) of 0-3

Caches
  level  kind     size     count  cores of each
  L2     unified  1.5 MiB  1      0-3

NUMA nodes
  node  memory  cores
  0     2 GiB   0-3

Pinning: 2 shards
  as many shards as asked for: 2, with 2 usable physical cores
  idle shards must not spin here

  shard  core  because
  0      0     alone on the physical core 0,2; L2 (1.5 MiB) shared by cores 0-3
  1      1     alone on the physical core 1,3; L2 (1.5 MiB) shared by cores 0-3

Warnings
  the CPU quota of 1.50 cores is below the number of shards (2): busy shards will be stopped for the rest \
of each period of 100000 µs (cpu.max)
";
        assert_eq!(page, expected);
    }

    #[test]
    fn the_page_of_a_machine_that_tells_nothing() {
        let roots = Roots { sys: "missing".into(), proc: "missing".into() };
        let page =
            render(&TopologyArgs::default(), &Topology::read_from(&roots, Some(&[0]))).expect("a page");
        assert!(page.contains("Caches\n  not told\n\nNUMA nodes\n  not told\n"), "{page}");
        assert!(page.contains("\nNotes\n"), "{page}");
        assert!(page.contains("Pinning: 1 shard\n"), "{page}");
    }

    #[test]
    fn json() {
        let args = parsed(&["--json", "--cores", "2,0"]).expect("good arguments");
        let text = render(&args, &machine()).expect("an object");
        let object: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(object["online"], json!([0, 1, 2, 3]));
        assert_eq!(object["offline"], json!([4]));
        assert_eq!(object["allowed"], json!([0, 1, 2]));
        assert_eq!(object["cores"][3], json!({ "core": 3, "package": 0, "siblings": [1, 3], "node": 0 }));
        assert_eq!(object["physical_cores"], json!([[0, 2], [1, 3]]));
        let cache = json!({ "level": 2, "kind": "unified", "bytes": 1_572_864, "cores": [0, 1, 2, 3] });
        assert_eq!(object["caches"], json!([cache]));
        assert_eq!(
            object["nodes"],
            json!([{ "node": 0, "cores": [0, 1, 2, 3], "memory_bytes": 2_147_483_648_u64 }])
        );
        assert_eq!(object["quota"]["cores"], json!(1.5));
        assert_eq!(object["plan"]["shards"][0]["core"], json!(2));
        assert_eq!(object["plan"]["shards"][1]["core"], json!(0));
        assert_eq!(object["plan"]["may_spin"], json!(false));
        assert_eq!(object["plan"]["warnings"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn like_caches_are_counted_in_one_row() {
        let mut files = vec![("sys/devices/system/cpu/online".to_owned(), "0-9\n".to_owned())];
        for core in 0..10 {
            let place = format!("sys/devices/system/cpu/cpu{core}/cache/index0");
            for (file, text) in
                [("level", "1"), ("type", "Data"), ("size", "32K"), ("shared_cpu_list", &core.to_string())]
            {
                files.push((format!("{place}/{file}"), text.to_owned()));
            }
        }
        let files: Vec<_> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
        let folder = Folder::with(&files);
        let roots = Roots { sys: folder.0.join("sys"), proc: folder.0.join("proc") };
        let page = render(&TopologyArgs::default(), &Topology::read_from(&roots, None)).expect("a page");
        assert!(
            page.contains("  L1     data  32 KiB  10     0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | ...\n"),
            "{page}"
        );
    }
}
