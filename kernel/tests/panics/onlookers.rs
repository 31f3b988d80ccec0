//! Who sees a panic and who does not: the observer, and siblings.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use corelane_kernel::{
    Actor, Ctx, DeadLetter, DeadReason, Failure, KernelConfig, Observe, Outcome, Path, Subject, Terminated,
};

use crate::common::{Census, Log, Order, Realm, Token, World, lock, order};
use crate::minefield::{Mine, Minefield};
use crate::rig::Bomb;

/// Sees what goes wrong.
struct Journal(Log);

impl Observe for Journal {
    fn dead_letter(&mut self, letter: &DeadLetter, _: Path<'_>) {
        self.0.add(format!("letter: {}", letter.reason));
    }
    fn failed(&mut self, who: &Subject<'_>, failure: &Failure) {
        self.0.add(format!("failed: {} {failure}", who.actor.rsplit("::").next().unwrap()));
    }
    fn panicked(&mut self, failure: &Failure) {
        self.0.add(format!("panicked: {failure}"));
    }
}

#[test]
fn a_panic_that_is_no_actors_is_shown_as_nobodys() {
    let mut realm = Realm::pair();
    let journal = Journal(realm.log());
    realm.worlds[1].scope().observe(journal).unwrap();
    let (census, survivor) = (Census::default(), realm.worlds[1].puppet("s"));
    realm.events();
    // A call from another core.
    let held = census.token();
    realm.worlds[0]
        .scope()
        .call_on(1, move |_| {
            let _held = held;
            panic!("in a call");
        })
        .map_err(|_| "refused")
        .unwrap();
    realm.worlds[0].tell(survivor, Order::Note(1));
    assert_eq!(realm.events(), ["panicked: panic: in a call", "s 1"]);
    // The drop of a dead letter.
    let log = realm.log();
    let mined = realm.worlds[1].spawn(Minefield::new(log)).unwrap();
    realm.settle();
    realm.worlds[1].stop(mined);
    realm.worlds[1].tell(mined, Mine::Own(Bomb::new("in a drop", &census)));
    realm.worlds[1].tell(survivor, Order::Note(2));
    assert_eq!(realm.events(), ["stopped", "panicked: panic: in a drop", "s 2"]);
    census.expect_none();
    assert_eq!(realm.worlds[1].letters(), [(DeadReason::NoActor, 1)]);
    assert!(realm.worlds[1].scope().is_alive(survivor));
}

#[test]
fn a_panicking_drop_of_what_waits_for_a_kernel_that_is_gone_is_nobodys() {
    let config = KernelConfig { outbox_bytes: 4096, ..KernelConfig::default() };
    let mut realm = Realm::new::<32>(2, 1 << 20, &config);
    let (a, census) = (realm.worlds[0].puppet("a"), Census::default());
    let log = realm.log();
    let mined = Minefield::new(log);
    let mined = realm.worlds[1].spawn(mined).unwrap();
    realm.settle();
    for _ in 0..10 {
        realm.worlds[0].tell(mined, Mine::Own(Bomb::new("spilled", &census)));
    }
    assert!(realm.worlds[0].spilled());
    // The lane's own go with their kernel; each of those behind it panics.
    let gone = std::panic::catch_unwind(AssertUnwindSafe(|| drop(realm.worlds.remove(1))));
    assert!(gone.is_err());
    realm.worlds[0].tell(a, Order::Note(1));
    realm.worlds[0].settle();
    assert!(realm.worlds[0].panics.len() > 1);
    assert!(realm.worlds[0].scope().is_alive(a));
    assert_eq!(realm.worlds[0].stats().failed, 0);
    assert!(realm.worlds[0].events().contains(&"a 1".to_owned()));
    census.expect_none();
}

#[test]
fn the_observer_sees_failures_with_the_actors_type() {
    let mut world = World::new();
    let journal = Journal(world.log.clone());
    world.scope().observe(journal).unwrap();
    let a = world.puppet("a");
    world.tell(a, order(|_, _| panic!("boom")));
    world.tell(a, Order::Note(1));
    assert_eq!(
        world.events(),
        [
            "a started",
            "letter: its handler failed",
            "failed: Puppet panic: boom",
            "a stopped",
            "letter: no such actor"
        ]
    );
}

/// Reliability 16.
#[test]
fn a_thousand_siblings_miss_nothing_while_others_panic() {
    struct Sibling(Arc<Mutex<u64>>);
    impl Actor for Sibling {
        type Msg = u64;
        fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
            *lock(&self.0) += n;
            Ok(())
        }
        fn terminated(&mut self, _: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    struct Weak(#[allow(dead_code)] Token);
    impl Actor for Weak {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            panic!("weak")
        }
    }
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut world = World::new();
    let (sum, census) = (Arc::new(Mutex::new(0)), Census::default());
    let siblings: Vec<_> = (0..1000).map(|_| world.spawn(Sibling(sum.clone())).unwrap()).collect();
    let mut used = 0;
    for round in 0..20 {
        for sibling in &siblings {
            world.tell(*sibling, 1);
        }
        for _ in 0..50 {
            let weak = world.spawn(Weak(census.token())).unwrap();
            world.tell(weak, ());
        }
        world.settle();
        if round == 0 {
            used = world.stats().used_bytes;
        }
    }
    std::panic::set_hook(previous);
    assert_eq!(*lock(&sum), 20_000);
    assert_eq!(world.panics.len(), 1000);
    census.expect_none();
    assert_eq!(world.stats().used_bytes, used, "panics leave nothing behind");
}
