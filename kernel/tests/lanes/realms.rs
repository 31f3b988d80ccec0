//! Kernels that know each other: their addresses, whom to wake, watches across, and seats.

use corelane_kernel::{Kernel, KernelConfig, KernelError, Seat, TellError};

use crate::common::{Order, Realm, World};

#[test]
fn one_address_of_each_of_three_kernels() {
    let mut realm = Realm::new::<256>(3, 1 << 20, &KernelConfig::default());
    let all: Vec<_> =
        ["a", "b", "c"].into_iter().enumerate().map(|(n, name)| realm.worlds[n].puppet(name)).collect();
    assert!(realm.worlds.iter_mut().all(|world| world.is_connected()));
    realm.events();
    for from in 0..3 {
        for to in &all {
            realm.worlds[from].tell(*to, Order::Note(from as u64));
        }
    }
    let mut events = realm.events();
    events.sort();
    assert_eq!(events, ["a 0", "a 1", "a 2", "b 0", "b 1", "b 2", "c 0", "c 1", "c 2"]);
    for (n, address) in all.iter().enumerate() {
        assert_eq!(address.place(), realm.worlds[n].place());
        assert_eq!(address.place().shard(), n);
        assert!(address.place().same_realm(all[0].place()));
    }
}

#[test]
fn published_names_each_shard_that_has_something_new() {
    let mut realm = Realm::new::<256>(3, 1 << 20, &KernelConfig::default());
    let c = realm.worlds[2].puppet("c");
    realm.events();
    let to_wake = |world: &mut World| {
        let mut all = Vec::new();
        world.published(|shard| all.push(shard));
        all
    };
    to_wake(&mut realm.worlds[0]);
    realm.worlds[0].tell(c, Order::Note(1));
    assert_eq!(to_wake(&mut realm.worlds[0]), [0; 0], "not yet published");
    realm.worlds[0].flush();
    assert_eq!(to_wake(&mut realm.worlds[0]), [2]);
    assert_eq!(to_wake(&mut realm.worlds[0]), [0; 0]);
    let stop = c;
    realm.worlds[0].scope().stop(stop);
    realm.worlds[0].turn();
    assert_eq!(to_wake(&mut realm.worlds[0]), [2], "signals as well");
}

#[test]
fn an_address_of_another_realm_is_unreachable_even_with_lanes() {
    let mut realm = Realm::pair();
    let other = Realm::pair().worlds[1].puppet("other");
    assert!(matches!(realm.worlds[0].try_tell(other, Order::Note(1)), Err(TellError::Unreachable(_))));
    realm.worlds[0].scope().stop(other);
    realm.settle();
    assert_eq!(realm.events(), [""; 0]);
}

#[test]
fn is_alive_says_yes_of_another_kernels_actor() {
    let mut realm = Realm::pair();
    let a = realm.worlds[1].puppet("a");
    realm.settle();
    realm.worlds[1].stop(a);
    assert!(realm.worlds[0].scope().is_alive(a) && !realm.worlds[1].scope().is_alive(a));
}

#[test]
fn a_watcher_that_ends_takes_its_watch_back_across() {
    let mut realm = Realm::pair();
    let t = realm.worlds[1].puppet("t");
    let round = |realm: &mut Realm| {
        for _ in 0..100 {
            let w = realm.worlds[0].puppet("w");
            realm.have(0, w, move |_, ctx| {
                ctx.watch(t).unwrap();
                ctx.stop_self();
            });
        }
        realm.events();
        realm.worlds[1].stats().used_bytes
    };
    let used = round(&mut realm);
    for _ in 0..5 {
        assert_eq!(round(&mut realm), used);
    }
    realm.worlds[1].scope().stop(t);
    assert_eq!(realm.events(), ["t stopped"]);
}

#[test]
fn a_seat_must_fit_its_realm() {
    let seats: Vec<_> = Seat::realm(3).unwrap().collect();
    for (n, seat) in seats.into_iter().enumerate() {
        let kernel = Kernel::seated(crate::common::region(1 << 20), KernelConfig::default(), seat, n);
        let refused = kernel.map(drop).unwrap_err();
        assert!(matches!(refused, KernelError::Config(text) if text.contains("seat")), "{refused}");
    }
}
