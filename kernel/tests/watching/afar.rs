//! Watching across cores: failures travel with their text, and a kernel that goes is the end of all who lived there.

use corelane_kernel::{DeadReason, Failure, KernelConfig};

use crate::common::{Census, Order, Realm, attempt, order};

#[test]
fn a_failures_text_crosses_to_a_watcher_on_another_core() {
    let mut realm = Realm::pair();
    let (w, t) = (realm.worlds[0].puppet("w"), realm.worlds[1].puppet("t"));
    realm.have(0, w, move |_, ctx| ctx.watch(t).unwrap());
    realm.events();
    realm.worlds[1].tell(t, attempt(|_, _| Err(Failure::new("out of luck"))));
    assert_eq!(realm.events(), ["t stopped", "w hears: t failed (error: out of luck)"]);
}

#[test]
fn watchers_of_actors_on_a_kernel_that_goes_hear_once_that_it_is_unreachable() {
    let mut realm = Realm::new::<256>(3, 1 << 20, &KernelConfig::default());
    let census = Census::default();
    let (w, v) = (realm.worlds[0].puppet("w"), realm.worlds[0].puppet("v"));
    let (t, u) = (realm.worlds[1].puppet("t"), realm.worlds[1].puppet("u"));
    let other = realm.worlds[2].puppet("other");
    let (kept, dropped) = (census.token(), census.token());
    realm.have(0, w, move |_, ctx| {
        for target in [t, u, other] {
            ctx.watch(target).unwrap();
        }
    });
    realm.have(0, v, move |_, ctx| {
        ctx.watch_with(t, Order::Carry(kept)).unwrap();
        ctx.watch_with(u, Order::Carry(dropped)).unwrap();
        assert!(ctx.unwatch(u), "of this one nothing is told");
    });
    census.expect(1);
    realm.events();
    drop(realm.worlds.remove(1));
    let mut events = realm.events();
    events.sort();
    assert_eq!(events, ["w hears: t Unreachable", "w hears: u Unreachable"]);
    census.expect_none();
    // There is nobody any more, and whoever watches now hears that.
    realm.have(0, w, move |_, ctx| ctx.watch(t).unwrap());
    assert_eq!(realm.events(), ["w hears: t not found"]);
    realm.worlds[0].tell(t, Order::Note(1));
    assert_eq!(realm.worlds[0].letters(), [(DeadReason::Unreachable, 1)]);
    // The third kernel is there still.
    realm.worlds[1].stop(other);
    assert_eq!(realm.events(), ["other stopped", "w hears: other stopped"]);
}

#[test]
fn what_ended_before_its_kernel_went_is_told_as_it_was() {
    let mut realm = Realm::pair();
    let w = realm.worlds[0].puppet("w");
    let (t, u) = (realm.worlds[1].puppet("t"), realm.worlds[1].puppet("u"));
    realm.have(0, w, move |_, ctx| {
        ctx.watch(t).unwrap();
        ctx.watch(u).unwrap();
    });
    realm.events();
    realm.worlds[1].stop(t);
    assert_eq!(realm.log().take(), ["t stopped"]);
    drop(realm.worlds.remove(1));
    assert_eq!(realm.events(), ["w hears: t stopped", "w hears: u Unreachable"]);
}

#[test]
fn a_watch_that_the_targets_kernel_never_saw_is_told_of_when_that_goes() {
    let mut realm = Realm::pair();
    let (w, t) = (realm.worlds[0].puppet("w"), realm.worlds[1].puppet("t"));
    realm.events();
    realm.worlds[0].tell(w, order(move |_, ctx| ctx.watch(t).unwrap()));
    realm.worlds[0].turn();
    drop(realm.worlds.remove(1));
    assert_eq!(realm.events(), ["w hears: t Unreachable"]);
}

#[test]
fn a_farewell_finds_room_behind_however_many_signals() {
    for signals in 0..40 {
        let mut realm = Realm::pair();
        let w = realm.worlds[0].puppet("w");
        let all: Vec<_> = (0..signals + 1).map(|_| realm.worlds[1].puppet("t")).collect();
        let targets = all.clone();
        realm.have(0, w, move |_, ctx| {
            for target in &targets {
                ctx.watch(*target).unwrap();
            }
        });
        realm.events();
        // Their ends fill the lane for signals, and what waits behind it is lost.
        for target in &all[..signals] {
            realm.worlds[1].scope().stop(*target);
        }
        for _ in 0..3 {
            realm.worlds[1].turn();
        }
        drop(realm.worlds.remove(1));
        realm.log().take();
        let events = realm.events();
        assert_eq!(events.len(), signals + 1, "one notice each: {events:?}");
        assert_eq!(events.last().unwrap(), "w hears: t Unreachable", "after {signals}");
    }
}

#[test]
fn a_watcher_that_is_gone_does_not_hear_of_a_lost_kernel() {
    let mut realm = Realm::pair();
    let (w, v, t) = (realm.worlds[0].puppet("w"), realm.worlds[0].puppet("v"), realm.worlds[1].puppet("t"));
    for watcher in [w, v] {
        realm.have(0, watcher, move |_, ctx| ctx.watch(t).unwrap());
    }
    realm.worlds[0].stop(w);
    realm.events();
    drop(realm.worlds.remove(1));
    assert_eq!(realm.events(), ["v hears: t Unreachable"]);
    assert_eq!(realm.worlds[0].stats().actors, 1);
}
