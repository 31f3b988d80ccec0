//! Choosing: the rules in the order of their strength.

use corelane_kernel::limits::SHARDS_MAX;

use super::fake::Fake;
use crate::topology::{Plan, PlanError, Quota, Request, Topology, Warning, plan};

/// The plan for a request that can be met.
fn planned(topology: &Topology, request: Request) -> Plan {
    let plan = plan(topology, &request).expect("a plan");
    for (number, placement) in plan.placements().iter().enumerate() {
        assert_eq!(placement.shard, number);
        assert!(!placement.reason.is_empty());
    }
    plan
}

fn with_quota(mut topology: Topology, quota_us: u64) -> Topology {
    topology.quota = Quota::new(quota_us, 100_000, "cpu.max".into());
    topology
}

#[test]
fn by_default_one_shard_for_each_physical_core() {
    let plan = planned(&Fake::machine(4, 2, 1, 1).read(), Request::auto());
    assert_eq!(plan.cores(), [0, 1, 2, 3]);
    assert_eq!(plan.warnings(), []);
    assert!(plan.may_spin());
    assert_eq!(plan.basis(), ["one shard for each of 4 usable physical cores"]);
    assert_eq!(
        plan.placements()[1].reason,
        "alone on the physical core 1,5; L3 (32 MiB) shared by cores 0-7"
    );
}

#[test]
fn siblings_only_when_each_physical_core_has_a_shard() {
    let machine = Fake::machine(4, 2, 1, 1).read();
    assert_eq!(planned(&machine, Request::auto().shards(3)).cores(), [0, 1, 2]);
    let plan = planned(&machine, Request::auto().shards(6));
    assert_eq!(plan.cores(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(plan.warnings(), []);
    let reasons: Vec<&str> = plan.placements().iter().map(|placement| placement.reason.as_str()).collect();
    assert!(
        reasons[0]
            .starts_with("a thread of the physical core 0,4, beside shard 4: more shards than physical")
    );
    assert!(reasons[4].starts_with("a thread of the physical core 0,4, beside shard 0"));
    assert!(reasons[2].starts_with("alone on the physical core 2,6"));
}

#[test]
fn four_threads_to_a_core() {
    let machine = Fake::machine(2, 4, 1, 1).read();
    assert_eq!(planned(&machine, Request::auto()).cores(), [0, 1]);
    assert_eq!(planned(&machine, Request::auto().shards(7)).cores(), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_sibling_that_may_not_be_used_is_not() {
    // Core 0 is not allowed, its sibling 4 is; of cores 1 and 5, both are.
    let machine = Fake::machine(4, 2, 1, 1).read_allowed("1,4,5");
    assert_eq!(planned(&machine, Request::auto()).cores(), [1, 4]);
    assert_eq!(planned(&machine, Request::auto().shards(3)).cores(), [1, 4, 5]);
}

#[test]
fn as_few_nodes_as_fit() {
    let machine = Fake::machine(8, 1, 2, 2).read();
    let plan = planned(&machine, Request::auto().shards(4));
    assert_eq!(plan.cores(), [0, 1, 2, 3]);
    assert!(plan.placements().iter().all(|placement| placement.node == Some(0)));
    assert_eq!(
        plan.basis()[1],
        "on 1 of 2 memory nodes and in 1 of 2 last-level caches, as few as hold them"
    );
    assert!(plan.placements()[3].reason.contains("node 0"), "{}", plan.placements()[3].reason);
    let plan = planned(&machine, Request::auto().shards(5));
    assert_eq!(plan.cores(), [0, 1, 2, 3, 4]);
    assert_eq!(
        plan.basis()[1],
        "on 2 of 2 memory nodes and in 2 of 2 last-level caches, as few as hold them"
    );

    // Two of node 0 and four of node 1 are left: only node 1 holds three shards.
    let machine = Fake::machine(8, 1, 2, 2).read_allowed("2-7");
    assert_eq!(planned(&machine, Request::auto().shards(3)).cores(), [4, 5, 6]);
    assert_eq!(planned(&machine, Request::auto().shards(2)).cores(), [2, 3], "the tightest fit");
    assert_eq!(planned(&machine, Request::auto().shards(5)).cores(), [2, 4, 5, 6, 7]);
}

#[test]
fn as_few_caches_as_fit_within_a_node() {
    // Caches: 0-1, 2-3, 4-5, 6-7; nodes: 0-3, 4-7.
    let machine = Fake::machine(8, 1, 2, 4);
    assert_eq!(planned(&machine.read_allowed("1-7"), Request::auto().shards(2)).cores(), [2, 3]);
    // Node 0 offers one core in each cache, node 1 two in one: the same tightness, but one cache.
    assert_eq!(planned(&machine.read_allowed("1,2,6,7"), Request::auto().shards(2)).cores(), [6, 7]);
    assert_eq!(planned(&machine.read_allowed("1-3,5-7"), Request::auto().shards(3)).cores(), [1, 2, 3]);
}

#[test]
fn one_node_with_many_caches_before_two_nodes_with_few() {
    // Caches of two cores each; nodes: 0-5, 6-11.
    let machine = Fake::machine(12, 1, 2, 6).read_allowed("0,2,4,6-7");
    assert_eq!(planned(&machine, Request::auto().shards(3)).cores(), [0, 2, 4]);
}

/// Some machines number their cores by turns over the nodes.
#[test]
fn neighbours_in_number_are_neighbours_on_the_machine() {
    let mut machine = Fake::empty().read_allowed("0-3");
    for core in &mut machine.cores {
        core.node = Some(core.core % 2);
    }
    assert_eq!(planned(&machine, Request::auto()).cores(), [0, 2, 1, 3]);
    assert_eq!(planned(&machine, Request::auto().shards(2)).cores(), [0, 2]);
}

#[test]
fn nodes_come_before_caches_and_physical_cores_before_both() {
    let machine = Fake::machine(4, 2, 2, 2).read();
    // Four threads would fit on one node of two physical cores; four physical cores need both.
    assert_eq!(planned(&machine, Request::auto().shards(4)).cores(), [0, 1, 2, 3]);
}

#[test]
fn the_quota_bounds_the_default() {
    let machine = Fake::machine(8, 1, 2, 2).read();
    for (quota_us, shards, warned) in [
        (50_000, 1, true),
        (100_000, 1, false),
        (250_000, 2, false),
        (799_999, 7, false),
        (800_000, 8, false),
        (9_000_000, 8, false),
    ] {
        let plan = planned(&with_quota(machine.clone(), quota_us), Request::auto());
        assert_eq!(plan.placements().len(), shards, "{quota_us}");
        assert_eq!(!plan.warnings().is_empty(), warned, "{quota_us}");
    }
    let plan = planned(&with_quota(machine, 250_000), Request::auto());
    assert!(plan.basis()[0].contains("2.50 cores"), "{:?}", plan.basis());
}

#[test]
fn a_quota_below_the_shards_asked_for_is_a_warning() {
    let machine = with_quota(Fake::machine(8, 1, 1, 1).read(), 250_000);
    let quota = machine.quota.clone().expect("a quota");
    for request in [Request::auto().shards(3), Request::auto().cores(&[1, 2, 3])] {
        let plan = planned(&machine, request);
        assert_eq!(plan.warnings(), [Warning::QuotaBelowShards { shards: 3, quota: quota.clone() }]);
        assert!(!plan.may_spin());
        assert!(plan.warnings()[0].to_string().contains("2.50 cores"));
    }
    assert_eq!(planned(&machine, Request::auto().shards(2)).warnings(), []);
}

#[test]
fn more_shards_than_cores_are_dealt_round_with_a_warning() {
    let machine = Fake::machine(8, 1, 1, 1).read_allowed("3,6");
    let plan = planned(&machine, Request::auto().shards(5));
    assert_eq!(plan.cores(), [3, 6, 3, 6, 3]);
    assert_eq!(plan.warnings(), [Warning::CoresShared { shards: 5, cores: 2 }]);
    assert!(!plan.may_spin());
    assert!(plan.placements().iter().all(|placement| placement.shares_core));
    assert!(plan.placements()[1].reason.starts_with("shares the core with shard 3: more shards than cores"));
    assert!(plan.placements()[0].reason.starts_with("shares the core with shards 2,4: more"));
}

#[test]
fn threads_are_all_taken_before_one_is_shared() {
    let plan = planned(&Fake::machine(2, 2, 1, 1).read(), Request::auto().shards(5));
    assert_eq!(plan.cores(), [0, 1, 2, 3, 0]);
    let sharing: Vec<bool> = plan.placements().iter().map(|placement| placement.shares_core).collect();
    assert_eq!(sharing, [true, false, false, false, true]);
}

#[test]
fn a_list_is_taken_as_listed() {
    let machine = Fake::machine(4, 2, 2, 2).read();
    let plan = planned(&machine, Request::auto().cores(&[5, 1, 0]));
    assert_eq!(plan.cores(), [5, 1, 0]);
    assert_eq!(plan.warnings(), []);
    assert_eq!(plan.basis(), ["cores 5,1,0 were listed"]);
    let reasons: Vec<&str> = plan.placements().iter().map(|placement| placement.reason.as_str()).collect();
    assert!(
        reasons[0].starts_with("as listed; a thread of the physical core 1,5, beside shard 1; node 0"),
        "{reasons:?}"
    );
    assert!(reasons[2].starts_with("as listed; alone on the physical core 0,4"), "{reasons:?}");
}

#[test]
fn a_list_with_a_number_of_shards() {
    let machine = Fake::machine(4, 1, 1, 1).read();
    let plan = planned(&machine, Request::auto().cores(&[3, 1, 2]).shards(2));
    assert_eq!(plan.cores(), [3, 1]);
    assert_eq!(plan.warnings(), [Warning::ListedUnused { cores: vec![2] }]);
    assert!(plan.may_spin());
    let plan = planned(&machine, Request::auto().cores(&[3, 1]).shards(3));
    assert_eq!(plan.cores(), [3, 1, 3]);
    assert_eq!(plan.warnings(), [Warning::CoresShared { shards: 3, cores: 2 }]);
}

#[test]
fn a_listed_core_that_cannot_be_used_is_an_error() {
    let fake = Fake::machine(4, 1, 1, 1);
    fake.sys("devices/system/cpu/online", "0,2-3");
    let machine = fake.read_allowed("0,3");
    let error = |cores: &[usize]| plan(&machine, &Request::auto().cores(cores)).expect_err("no plan");
    assert_eq!(error(&[0, 9]), PlanError::NoSuchCore { core: 9, online: vec![0, 2, 3] });
    assert_eq!(error(&[1]), PlanError::Offline { core: 1, online: vec![0, 2, 3] });
    assert_eq!(error(&[2, 9]), PlanError::NotAllowed { core: 2, allowed: vec![0, 3] });
    assert_eq!(error(&[3, 0, 3]), PlanError::Duplicate { core: 3 });
    assert_eq!(error(&[]), PlanError::EmptyList);
    // A core beyond the shards asked for is checked too: a slip in a list should not hide.
    let fewer = Request::auto().cores(&[0, 9]).shards(1);
    assert_eq!(plan(&machine, &fewer), Err(PlanError::NoSuchCore { core: 9, online: vec![0, 2, 3] }));
}

#[test]
fn errors_say_what_there_is() {
    let online = vec![0, 1, 2, 3, 8];
    for (error, expected) in [
        (PlanError::NoSuchCore { core: 9, online: online.clone() }, "there is no core 9 (online: 0-3,8)"),
        (PlanError::Offline { core: 4, online: online.clone() }, "core 4 is switched off (online: 0-3,8)"),
        (PlanError::Duplicate { core: 3 }, "core 3 is listed twice: one shard for a core"),
    ] {
        assert_eq!(error.to_string(), expected);
    }
    assert!(PlanError::NotAllowed { core: 2, allowed: online }.to_string().contains("allowed: 0-3,8"));
}

#[test]
fn the_number_of_shards_is_bounded() {
    let machine = Fake::machine(2, 1, 1, 1).read();
    let error = |shards| plan(&machine, &Request::auto().shards(shards)).expect_err("no plan");
    assert_eq!(error(0), PlanError::NoShards);
    assert_eq!(error(SHARDS_MAX + 1), PlanError::TooManyShards { asked: SHARDS_MAX + 1, most: SHARDS_MAX });
    assert_eq!(error(usize::MAX), PlanError::TooManyShards { asked: usize::MAX, most: SHARDS_MAX });
    let plan = planned(&machine, Request::auto().shards(SHARDS_MAX));
    assert_eq!(plan.placements().len(), SHARDS_MAX);
    assert!(plan.placements()[0].reason.contains("511 other shards"));
}

#[test]
fn without_any_knowledge_of_caches_and_nodes() {
    let plan = planned(&Fake::empty().read_allowed("0-2"), Request::auto());
    assert_eq!(plan.cores(), [0, 1, 2]);
    assert_eq!(plan.placements()[0].reason, "a physical core of its own");
    assert_eq!(plan.placements()[0].node, None);
}

#[test]
fn a_topology_without_cores_has_no_plan() {
    assert_eq!(plan(&Topology::default(), &Request::auto()), Err(PlanError::NoUsableCore));
    let disjoint = Topology { online: vec![0], allowed: vec![1], ..Topology::default() };
    assert_eq!(plan(&disjoint, &Request::auto()), Err(PlanError::NoUsableCore));
}

/// Every number of shards on every allowed set of a small machine: the rules hold, not only the examples
/// above.
#[test]
fn the_rules_hold_on_every_subset() {
    // Physical cores 0-3 with siblings 4-7; nodes and caches: physical cores 0-1 and 2-3.
    let fake = Fake::machine(4, 2, 2, 2);
    let full = fake.read();
    for set in 1_u32..256 {
        let mut machine = full.clone();
        machine.allowed = (0..8).filter(|core| set >> core & 1 == 1).collect();
        let physical_of = |core: usize| core % 4;
        let node_of = |core: usize| physical_of(core) / 2;
        let count_of = |cores: &[usize], of: &dyn Fn(usize) -> usize| {
            cores.iter().map(|&core| of(core)).collect::<std::collections::BTreeSet<_>>().len()
        };
        let physical = count_of(&machine.allowed, &physical_of);
        let on_a_node: Vec<usize> = (0..2)
            .map(|node| {
                let near: Vec<usize> =
                    machine.allowed.iter().copied().filter(|&core| node_of(core) == node).collect();
                count_of(&near, &physical_of)
            })
            .collect();
        for shards in 1..=10 {
            let plan = planned(&machine, Request::auto().shards(shards));
            let cores = plan.cores();
            assert!(cores.iter().all(|core| machine.allowed.contains(core)), "{set:#b} {shards}");
            assert_eq!(
                count_of(&cores, &|core| core),
                shards.min(machine.allowed.len()),
                "{set:#b} {shards}"
            );
            assert_eq!(count_of(&cores, &physical_of), shards.min(physical), "{set:#b} {shards}");
            let fits_one = on_a_node.iter().any(|&room| room >= shards);
            let nodes = if fits_one { 1 } else { on_a_node.iter().filter(|&&room| room > 0).count() };
            assert_eq!(count_of(&cores, &node_of), nodes, "{set:#b} {shards}");
            assert_eq!(plan.may_spin(), shards <= machine.allowed.len(), "{set:#b} {shards}");
        }
    }
}
