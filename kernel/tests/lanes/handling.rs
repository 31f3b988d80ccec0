//! How a turn takes messages out of a lane: by group and budget, and through panics and ends.

use corelane_kernel::{DeadReason, Group, KernelConfig};

use crate::common::{Census, Order, Puppet, Realm, order};

#[test]
fn groups_that_may_wait_do_not_hold_up_the_lane() {
    let mut realm = Realm::new::<4096>(2, 1 << 20, &KernelConfig::default());
    let census = Census::default();
    let bulk = {
        let puppet = Puppet::new("bulk", &realm.log());
        realm.worlds[1].scope().spawner().group(Group::Bulk).spawn(puppet).unwrap()
    };
    let a = realm.worlds[1].puppet("a");
    realm.events();
    for n in 0..300 {
        realm.worlds[0].tell(bulk, Order::Note(n));
    }
    realm.worlds[0].tell(a, Order::Note(1));
    realm.worlds[0].tell(bulk, Order::Carry(census.token()));
    realm.worlds[0].flush();
    realm.worlds[1].turn();
    let events = realm.log().take();
    let at = events.iter().position(|e| e == "a 1").expect("handled in the first turn");
    assert!(at <= 128, "behind {at}");
    assert_eq!(events.len() + realm.events().len(), 301);
    census.expect_none();
}

#[test]
fn a_slow_groups_full_queue_leaves_its_messages_in_the_lane() {
    // The queue of a group holds less than the lane.
    let config = KernelConfig { queue_share: 1, shares: [512, 512, 8, 8], ..KernelConfig::default() };
    let mut realm = Realm::new::<8192>(2, 64 << 10, &config);
    let bulk = {
        let puppet = Puppet::new("bulk", &realm.log());
        realm.worlds[1].scope().spawner().group(Group::Bulk).spawn(puppet).unwrap()
    };
    realm.events();
    let mut told = 0;
    while realm.worlds[0].try_tell(bulk, Order::Note(told)).is_ok() {
        told += 1;
    }
    let expected: Vec<String> = (0..told).map(|n| format!("bulk {n}")).collect();
    assert_eq!(realm.events(), expected);
    assert_eq!((realm.worlds[1].letters(), told > 1000), (vec![], true));
}

#[test]
fn a_lanes_budget_leaves_the_rest_for_the_next_turn() {
    let config = KernelConfig { budget: 10, ..KernelConfig::default() };
    let mut realm = Realm::new::<4096>(2, 1 << 20, &config);
    let a = realm.worlds[1].puppet("a");
    realm.events();
    for n in 0..95 {
        realm.worlds[0].tell(a, Order::Note(n));
    }
    realm.worlds[0].flush();
    for turn in 1..=10 {
        assert!(realm.worlds[1].has_input(), "turn {turn}");
        realm.worlds[1].turn();
        assert_eq!(realm.log().take().len(), if turn < 10 { 10 } else { 5 });
    }
    assert!(!realm.worlds[1].has_input());
}

#[test]
fn a_panic_amid_a_lanes_messages_loses_none_and_repeats_none() {
    let mut realm = Realm::pair();
    let census = Census::default();
    let (a, b) = (realm.worlds[1].puppet("a"), realm.worlds[1].puppet("b"));
    realm.events();
    for n in 0..10 {
        realm.worlds[0].tell(b, Order::Note(n));
        realm.worlds[0].tell(a, Order::Carry(census.token()));
        let token = census.token();
        realm.worlds[0].tell(
            a,
            order(move |_, _| {
                let _held = token;
                panic!("boom")
            }),
        );
    }
    let events = realm.events();
    let of_b: Vec<_> = events.into_iter().filter(|e| e.starts_with("b ")).collect();
    assert_eq!(of_b, (0..10).map(|n| format!("b {n}")).collect::<Vec<_>>());
    census.expect_none();
    assert_eq!(realm.worlds[1].panics, ["boom"]);
    assert_eq!(realm.worlds[1].letters(), [(DeadReason::NoActor, 18), (DeadReason::Failed, 1)]);
}

#[test]
fn a_kernel_dropped_amid_a_lanes_messages_drops_each_once() {
    for recover in [false, true] {
        let mut realm = Realm::pair();
        let census = Census::default();
        let (a, b) = (realm.worlds[1].puppet("a"), realm.worlds[1].puppet("b"));
        realm.events();
        for n in 0..20 {
            realm.worlds[0].tell(a, Order::Carry(census.token()));
            if n == 10 {
                realm.worlds[0].tell(b, order(|_, _| panic!("boom")));
            }
        }
        realm.worlds[0].flush();
        let mut world = realm.worlds.pop().unwrap();
        let now = world.now;
        if recover {
            world.turn();
        } else {
            let turn = std::panic::AssertUnwindSafe(|| world.kernel.turn(now));
            assert!(std::panic::catch_unwind(turn).is_err());
        }
        assert_eq!(census.alive(), 9, "of those behind the panic");
        drop(world);
        census.expect_none();
    }
}
