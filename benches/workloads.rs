//! The criterion suite: the workloads of `corelane bench` with throughput, history and HTML reports.
//!
//! The same functions run as in the command, each beside its raw loop, at the quick counts: what criterion adds is
//! statistics over many runs and the comparison with the run before. Only the part that a workload measures
//! counts; starting and ending its system does not. A wrong count ends the suite with the workload's name.
//!
//! `actor.bytes` measures memory and is left to the command.

use std::process::ExitCode;
use std::time::Duration;

use corelane::workloads::{Cost, Plan, Run, Scale, WORKLOADS, WorkloadError};
use corelane_shard::topology::{self, Request, Topology};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group};

/// Adds `run` to a group: an iteration is a pass, its elements what the pass covers. Says whether this machine can
/// run it.
fn add(group: &mut BenchmarkGroup<'_, WallTime>, label: &str, name: &str, run: Run, plan: &Plan) -> bool {
    let pass = || run(plan);
    let cost = match pass() {
        Err(error) if error.is_unavailable() => {
            eprintln!("left out: {name} {error}");
            return false;
        }
        first => expect(name, first),
    };
    group.throughput(Throughput::Elements(cost.count()));
    group.bench_function(label, |bencher| {
        let time = |_| expect(name, pass()).elapsed().unwrap_or_else(|| panic!("{name} measures no time"));
        bencher.iter_custom(|passes| (0..passes).map(time).sum());
    });
    true
}

/// The cost of a pass that must succeed.
fn expect(name: &str, pass: Result<Cost, WorkloadError>) -> Cost {
    pass.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn workloads(criterion: &mut Criterion) {
    let placement = topology::plan(&Topology::read(), &Request::auto()).expect("every machine has a core");
    let plan = Plan::new(Scale::Quick, placement.cores()).expect("a placement has a core");
    for workload in WORKLOADS.iter().filter(|workload| !workload.own_process) {
        let mut group = criterion.benchmark_group(workload.name);
        group.sampling_mode(SamplingMode::Flat);
        if add(&mut group, "corelane", workload.name, workload.run, &plan)
            && let Some(raw) = &workload.raw
        {
            add(&mut group, "raw", workload.name, raw.run, &plan);
        }
        group.finish();
    }
}

criterion_group! {
    name = suite;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = workloads
}

fn main() -> ExitCode {
    // The other process of the remote workloads.
    if let Some(code) = corelane::workloads::peer() {
        return code;
    }
    suite();
    Criterion::default().configure_from_args().final_summary();
    ExitCode::SUCCESS
}
