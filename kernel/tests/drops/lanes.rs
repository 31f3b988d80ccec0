//! What lies in lanes and behind them when either of their ends goes.

use corelane_kernel::{ActorRef, DeadReason, KernelConfig};

use crate::common::{Census, Order, Realm, World, lane_of, order};

/// Kernels of a realm with lanes that hold few messages.
fn tight() -> Realm {
    let config = KernelConfig { outbox_bytes: 4096, ..KernelConfig::default() };
    Realm::new::<32>(2, 1 << 20, &config)
}

/// Tells until the outbox is full as well. Gives how many were taken.
fn flood(realm: &mut Realm, a: ActorRef<Order>, census: &Census) -> usize {
    let mut told = 0;
    while realm.worlds[0].try_tell(a, Order::Carry(census.token())).is_ok() {
        told += 1;
    }
    census.expect(told);
    told
}

#[test]
fn messages_in_a_lane_and_behind_it_are_dropped_with_their_kernels_in_either_order() {
    for sender_first in [true, false] {
        for turns in [0, 1, 3] {
            let (mut realm, census) = (tight(), Census::default());
            let a = realm.worlds[1].puppet("a");
            realm.settle();
            assert!(flood(&mut realm, a, &census) > 20);
            for _ in 0..turns {
                realm.worlds[0].turn();
            }
            if sender_first {
                drop(realm.worlds.remove(0));
                realm.settle();
            } else {
                drop(realm.worlds.remove(1));
                realm.worlds[0].turn();
            }
            drop(realm);
            census.expect_none();
        }
    }
}

#[test]
fn calls_in_a_lane_and_behind_it_are_dropped_with_their_kernels() {
    for sender_first in [true, false] {
        let (mut realm, census) = (tight(), Census::default());
        realm.settle();
        let mut calls = 0;
        loop {
            let token = census.token();
            if realm.worlds[0].scope().call_on(1, move |_| drop(token)).is_err() {
                break;
            }
            calls += 1;
        }
        assert!(calls > 20);
        census.expect(calls);
        realm.worlds[0].turn();
        if sender_first {
            drop(realm.worlds.remove(0));
            realm.worlds[0].settle();
        } else {
            drop(realm.worlds.remove(1));
        }
        drop(realm);
        census.expect_none();
    }
}

#[test]
fn what_was_told_is_handled_or_dropped_once_when_the_sender_goes_first() {
    let (mut realm, census) = (tight(), Census::default());
    let a = realm.worlds[1].puppet("a");
    realm.settle();
    // Not published by any turn.
    for n in 0..3 {
        realm.worlds[0].tell(a, Order::Note(n));
    }
    drop(realm.worlds.remove(0));
    realm.worlds[0].settle();
    let events = realm.worlds[0].events();
    assert_eq!(events, ["a started", "a 0", "a 1", "a 2"]);
    census.expect_none();
}

#[test]
fn what_is_told_to_a_kernel_that_is_gone_is_not_kept() {
    let (mut realm, census) = (tight(), Census::default());
    let a = realm.worlds[1].puppet("a");
    realm.settle();
    drop(realm.worlds.remove(1));
    // The sender finds out at the end of its turn.
    realm.worlds[0].turn();
    assert!(!realm.worlds[0].is_connected());
    let used = realm.worlds[0].stats().used_bytes;
    let w = realm.worlds[0].puppet("w");
    for _ in 0..10_000 {
        realm.worlds[0].tell(a, Order::Carry(census.token()));
        realm.worlds[0].tell(
            w,
            order(move |_, ctx| {
                ctx.watch(a).unwrap();
                ctx.unwatch(a);
                ctx.stop(a);
            }),
        );
        realm.worlds[0].turn();
    }
    census.expect_none();
    assert_eq!(realm.worlds[0].letters(), [(DeadReason::Unreachable, 10_000)]);
    assert!(realm.worlds[0].stats().used_bytes < used + (128 << 10), "signals to nobody pile up");
}

#[test]
fn messages_in_a_gateways_lane_are_dropped_with_the_kernel() {
    let (mut world, census) = (World::new(), Census::default());
    let (mut gateway, receiver) = lane_of::<256>();
    world.add_lane(receiver).unwrap();
    let a = world.puppet("a");
    world.settle();
    let mut told = 0;
    while gateway.try_tell(a, Order::Carry(census.token())).is_ok() {
        told += 1;
    }
    let token = census.token();
    assert!(gateway.try_call(move |_| drop(token)).is_err(), "full for calls as well");
    gateway.publish();
    census.expect(told);
    drop(world);
    census.expect_none();
    let late = gateway.try_tell(a, Order::Carry(census.token())).unwrap_err();
    assert!(gateway.is_closed() && matches!(late, corelane_kernel::TellError::Unreachable(_)));
    drop(late);
    census.expect_none();
}
