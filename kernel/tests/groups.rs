//! Scheduling groups: each has its share of every round, so that none starves another.

mod common;

use std::sync::{Arc, Mutex};

use common::{Order, Puppet, Realm, World, lock};
use corelane_kernel::{Actor, ActorRef, Ctx, Group, Kernel, KernelConfig, KernelError, Outcome};

/// Counts what all of its kind handle, and has its own count seen.
struct Counter {
    all: Arc<Mutex<u64>>,
    /// Tells this one at every so many, with the count.
    probe: Option<(u64, ActorRef<u64>)>,
}

impl Actor for Counter {
    type Msg = u64;
    fn receive(&mut self, _: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let mut all = lock(&self.all);
        *all += 1;
        if let Some((every, probe)) = self.probe
            && all.is_multiple_of(every)
        {
            ctx.tell(probe, *all);
        }
        Ok(())
    }
}

/// How many messages of the flood were handled between the telling of a message and its handling.
struct Probe {
    all: Arc<Mutex<u64>>,
    waits: Arc<Mutex<Vec<u64>>>,
}

impl Actor for Probe {
    type Msg = u64;
    fn receive(&mut self, at: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        lock(&self.waits).push(*lock(&self.all) - at);
        Ok(())
    }
}

/// Conformance 20.
#[test]
fn a_message_to_an_idle_urgent_actor_waits_at_most_one_budget_behind_a_million_of_bulk() {
    const FLOOD: u64 = 1_000_000;
    let config = KernelConfig { queue_share: 256, ..KernelConfig::default() };
    let share = u64::from(config.shares[Group::Bulk as usize]);
    let mut world = World::with(96 << 20, config);
    let (all, waits) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Vec::new())));
    let probe = Probe { all: all.clone(), waits: waits.clone() };
    let probe = world.scope().spawner().group(Group::Urgent).spawn(probe).unwrap();
    let bulk = Counter { all: all.clone(), probe: Some((10_007, probe)) };
    let bulk = world.scope().spawner().group(Group::Bulk).spawn(bulk).unwrap();
    for n in 0..FLOOD {
        world.tell(bulk, n);
    }
    world.settle();
    assert_eq!((*lock(&all), world.letters()), (FLOOD, vec![]));
    let waits = lock(&waits);
    assert_eq!(waits.len() as u64, FLOOD / 10_007);
    assert!(waits.iter().all(|wait| *wait <= share), "{:?}", waits.iter().max());
}

#[test]
fn a_message_from_another_core_to_an_urgent_actor_overtakes_a_flood_of_bulk() {
    let config = KernelConfig { queue_share: 256, ..KernelConfig::default() };
    let share = u64::from(config.shares[Group::Bulk as usize]);
    let mut realm = Realm::new::<4096>(2, 32 << 20, &config);
    let (all, waits) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Vec::new())));
    let there = &mut realm.worlds[1];
    let probe = Probe { all: all.clone(), waits: waits.clone() };
    let probe = there.scope().spawner().group(Group::Urgent).spawn(probe).unwrap();
    let bulk = Counter { all: all.clone(), probe: None };
    let bulk = there.scope().spawner().group(Group::Bulk).spawn(bulk).unwrap();
    // The flood comes over the same lane, before each probe.
    for _ in 0..200 {
        for n in 0..100 {
            realm.worlds[0].tell(bulk, n);
        }
        let at = *lock(&all);
        realm.worlds[0].tell(probe, at);
        realm.worlds[0].flush();
        realm.worlds[1].turn();
    }
    realm.settle();
    assert_eq!(*lock(&all), 20_000);
    let waits = lock(&waits);
    assert_eq!(waits.len(), 200);
    assert!(waits.iter().all(|wait| *wait <= share), "{:?}", waits.iter().max());
}

#[test]
fn each_group_gets_its_share_of_a_round() {
    let shares = [64, 128, 32, 8];
    let config = KernelConfig { shares, ..KernelConfig::default() };
    let mut world = World::with(8 << 20, config);
    let counts = Group::ROUND.map(|group| {
        let all = Arc::new(Mutex::new(0));
        let counter = Counter { all: all.clone(), probe: None };
        let actor = world.scope().spawner().group(group).spawn(counter).unwrap();
        for n in 0..5000 {
            world.tell(actor, n);
        }
        (group, all)
    });
    for round in 1..=30 {
        let turn = world.turn();
        assert!(turn.more);
        for (group, all) in &counts {
            assert_eq!(*lock(all), round * u64::from(shares[*group as usize]), "{group:?}");
        }
    }
    world.settle();
    assert!(counts.iter().all(|(_, all)| *lock(all) == 5000));
}

/// Conformance 20.
#[test]
fn a_round_serves_the_urgent_first() {
    let mut world = World::new();
    for (group, name) in [
        (Group::Background, "background"),
        (Group::Bulk, "bulk"),
        (Group::Normal, "normal"),
        (Group::Urgent, "urgent"),
    ] {
        let puppet = Puppet::new(name, &world.log);
        let actor = world.scope().spawner().group(group).spawn(puppet).unwrap();
        world.tell(actor, Order::Note(1));
    }
    let events = world.events();
    assert_eq!(events[4..], ["urgent 1", "normal 1", "bulk 1", "background 1"]);
}

/// Conformance 20.
#[test]
fn order_holds_within_a_group_whoever_tells() {
    let mut realm = Realm::pair();
    let log = realm.log();
    for group in Group::ROUND {
        let puppet = Puppet::new("a", &log);
        let a = realm.worlds[1].scope().spawner().group(group).spawn(puppet).unwrap();
        realm.events();
        for n in 0..50 {
            realm.worlds[0].tell(a, Order::Note(n));
        }
        let expected: Vec<String> = (0..50).map(|n| format!("a {n}")).collect();
        assert_eq!(realm.events(), expected, "{group:?}");
    }
}

#[test]
fn a_share_or_budget_of_nothing_is_refused() {
    for group in Group::ROUND {
        let mut config = KernelConfig::default();
        config.shares[group as usize] = 0;
        let refused = Kernel::new(common::region(1 << 20), config).map(drop).unwrap_err();
        assert!(matches!(refused, KernelError::Config(text) if text.contains("share")), "{refused}");
    }
    let config = KernelConfig { budget: 0, ..KernelConfig::default() };
    assert!(Kernel::new(common::region(1 << 20), config).is_err());
    for queue_share in [0, 257] {
        let config = KernelConfig { queue_share, ..KernelConfig::default() };
        let refused = Kernel::new(common::region(1 << 20), config).map(drop).unwrap_err();
        assert!(refused.to_string().contains("queue_share"), "{refused}");
    }
}
