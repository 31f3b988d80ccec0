//! Starting a system: settings that make no sense are refused with an error that names them, and nothing runs then.

mod common;

use std::time::Duration;

use common::{Puppet, builder, end, next};
use corelane_kernel::KernelConfig;
use corelane_shard::topology::{PlanError, Topology};
use corelane_shard::{Builder, Idle, On, StartError, System};

/// Why it does not start.
fn refused(builder: Builder) -> StartError {
    builder.start().map(|_| ()).expect_err("a start that is refused")
}

/// The same, as text, which must mention all of `words`.
fn refused_with(builder: Builder, words: &[&str]) {
    let text = refused(builder).to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text:?} does not mention {words:?}");
}

#[test]
fn a_core_that_does_not_exist_is_named() {
    let error = refused(builder(1).cores(&[99_999]));
    assert!(matches!(&error, StartError::Plan(PlanError::NoSuchCore { core: 99_999, .. })), "{error}");
    refused_with(builder(1).cores(&[99_999]), &["placing the shards", "there is no core 99999", "online"]);
}

#[test]
fn a_core_that_is_listed_twice_is_named() {
    let core = Topology::read().allowed[0];
    let error = refused(System::builder().cores(&[core, core]));
    assert!(
        matches!(&error, StartError::Plan(PlanError::Duplicate { core: twice }) if *twice == core),
        "{error}"
    );
    refused_with(System::builder().cores(&[core, core]), &["listed twice"]);
}

#[test]
fn numbers_of_shards_that_make_no_sense_are_refused() {
    assert!(matches!(refused(builder(0)), StartError::Plan(PlanError::NoShards)));
    refused_with(builder(5000), &["5000 shards are too many", "1024"]);
    refused_with(System::builder().cores(&[]), &["list of cores is empty"]);
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    refused_with(builder(1).lane_bytes(4095), &["lane_bytes is 4095", "4 KiB"]);
    refused_with(builder(1).lane_bytes(usize::MAX), &["lane_bytes", "1 GiB"]);
    refused_with(builder(1).gateway_bytes(0), &["gateway_bytes is 0", "4 KiB"]);
    refused_with(builder(1).region_bytes(1000), &["region_bytes is 1000", "1 MiB"]);
    refused_with(builder(1).region_bytes(usize::MAX), &["region_bytes", "1 MiB"]);
    refused_with(builder(1).blocking_threads(0), &["blocking", "at least one"]);
    refused_with(builder(1).blocking_threads(usize::MAX), &["blocking_threads", "65,536"]);
    refused_with(builder(1).shutdown_within(Duration::MAX), &["shutdown_within", "a year"]);
}

#[test]
fn names_that_threads_cannot_bear_are_refused() {
    refused_with(builder(1).name(""), &["name is \"\"", "empty"]);
    refused_with(builder(1).name("a\0b"), &["name is", "control characters"]);
}

#[test]
fn settings_of_the_kernel_that_make_no_sense_are_refused_soon() {
    let begun = std::time::Instant::now();
    let config = KernelConfig { shares: [1, 0, 1, 1], ..KernelConfig::default() };
    refused_with(builder(2).kernel(config), &["shard", "share"]);
    let config = KernelConfig { budget: 0, ..KernelConfig::default() };
    refused_with(builder(2).kernel(config), &["budget"]);
    let config = KernelConfig { queue_share: 0, ..KernelConfig::default() };
    refused_with(builder(1).kernel(config), &["queue_share"]);
    assert!(begun.elapsed() < common::LONG, "a start that fails waits for nobody");
}

#[test]
fn the_smallest_system_works() {
    let system = builder(1)
        .region_bytes(1 << 20)
        .lane_bytes(4096)
        .gateway_bytes(4096)
        .blocking_threads(1)
        .idle(Idle::Frugal)
        .start()
        .unwrap();
    let mut gateway = system.gateway().unwrap();
    let puppet = common::puppet(&system, 0);
    assert_eq!(common::with(&mut gateway, puppet, |_| 1), 1);
    end(system);
}

#[test]
fn more_shards_than_cores_share_them() {
    let cores = Topology::read().allowed.len();
    let shards = 4 * cores + 1;
    let system = builder(shards).region_bytes(2 << 20).lane_bytes(4096).start().unwrap();
    let (said, heard) = std::sync::mpsc::channel();
    let mut gateway = system.gateway().unwrap();
    for shard in 0..shards {
        let puppet = common::puppet(&system, shard);
        let said = said.clone();
        common::tell(
            &mut gateway,
            puppet,
            common::Job::run(move |ctx| said.send(ctx.me().place().shard()).unwrap()),
        );
    }
    let mut all: Vec<_> = (0..shards).map(|_| next(&heard)).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..shards));
    end(system);
}

/// Conformance 21.
#[test]
fn pinned_shards_run_on_their_cores() {
    let cores = Topology::read().allowed;
    let system =
        builder(cores.len().min(2)).cores(&cores[..cores.len().min(2)]).pinned(true).start().unwrap();
    for stats in system.stats() {
        assert_eq!(stats.core, Some(cores[stats.shard]));
        let allowed = system.call(stats.shard, |_| Topology::read().allowed).unwrap();
        assert_eq!(allowed, [cores[stats.shard]]);
    }
    let report = end(system);
    assert!(report.shards.iter().all(|shard| shard.core == Some(cores[shard.shard])));
}

#[test]
fn systems_side_by_side_know_nothing_of_each_other() {
    let systems: Vec<_> = (0..4).map(|_| builder(2).region_bytes(2 << 20).start().unwrap()).collect();
    for (n, system) in systems.iter().enumerate() {
        for _ in 0..n {
            system.spawn_on(On::Shard(1), Puppet::default).unwrap();
        }
    }
    for (n, system) in systems.into_iter().enumerate() {
        assert_eq!(system.call(1, |scope| scope.stats().actors), Ok(n as u64));
        let report = end(system);
        assert!(report.ran > Duration::ZERO);
    }
}
