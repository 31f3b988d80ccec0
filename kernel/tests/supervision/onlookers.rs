//! What others notice of a failure: watchers, siblings, whoever looks at dead letters.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, Ctx, DeadReason, Directive, Failure, Outcome, Strategy};

use crate::common::family::{failing, family, maker, supervised_by};
use crate::common::{Census, Order, Realm, Token, Undertaker, World, lock, ms, order};

/// Conformance 15.
#[test]
fn whoever_watches_an_actor_hears_nothing_of_its_restarts() {
    let mut world = World::new();
    let (p, [c]) = family(&mut world, Strategy::default(), ["c"]);
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(c).unwrap());
    world.have(p, move |_, ctx| ctx.watch(c).unwrap());
    world.events();
    for _ in 0..3 {
        world.tell(c, failing("oops"));
    }
    assert!(!world.events().iter().any(|event| event.contains("hears")));
    world.stop(c);
    let mut events = world.events();
    events.sort();
    assert_eq!(events, ["c stopped", "p hears: c stopped", "w hears: c stopped"]);
}

#[test]
fn a_watcher_on_another_core_hears_of_the_end_and_not_of_restarts() {
    let mut realm = Realm::pair();
    let log = realm.log();
    let c = realm.worlds[1].scope().spawn_from(maker("c", &log)).unwrap();
    let w = realm.worlds[0].puppet("w");
    realm.worlds[0].tell(w, order(move |_, ctx| ctx.watch(c).unwrap()));
    realm.events();
    realm.worlds[0].tell(c, failing("oops"));
    realm.worlds[0].tell(c, Order::Note(1));
    assert_eq!(
        realm.events(),
        ["c restarting: error: oops", "c stopped", "c restarted: error: oops", "c started", "c 1"]
    );
    realm.worlds[1].scope().stop(c);
    assert_eq!(realm.events(), ["c stopped", "w hears: c stopped"]);
}

#[test]
fn the_message_that_failed_is_told_of_as_a_dead_letter_whatever_is_decided() {
    for directive in [Directive::Resume, Directive::Restart, Directive::Stop, Directive::Escalate] {
        let decider: fn(&Failure) -> Directive = match directive {
            Directive::Resume => |_| Directive::Resume,
            Directive::Restart => |_| Directive::Restart,
            Directive::Stop => |_| Directive::Stop,
            _ => |_| Directive::Escalate,
        };
        let mut world = supervised_by(Strategy::one_for_one().deciding(decider));
        let undertaker = Undertaker(world.log.clone());
        let undertaker = world.spawn(undertaker).unwrap();
        world.scope().subscribe_dead_letters(undertaker).unwrap();
        let log = world.log.clone();
        let a = world.scope().spawn_from(maker("a", &log)).unwrap();
        world.events();
        world.tell(a, failing("oops"));
        let events = world.events();
        let told = "dead letter for a: its handler failed".to_owned();
        assert_eq!(events.iter().filter(|event| **event == told).count(), 1, "{events:?}");
        // Once more by a panic; hooks have no message that could fail.
        if world.scope().is_alive(a) {
            world.tell(a, order(|_, _| panic!("oops")));
            world.settle();
            assert_eq!(world.letters(), [(DeadReason::Failed, 2)]);
        }
    }
}

/// Reliability 16, with all that an instance may hold.
#[test]
fn a_storm_of_failures_costs_siblings_nothing_and_leaves_nothing_behind() {
    struct Sibling(Arc<Mutex<u64>>);
    impl Actor for Sibling {
        type Msg = u64;
        fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
            *lock(&self.0) += n;
            Ok(())
        }
    }
    struct Weak(#[allow(dead_code)] Token);
    impl Actor for Weak {
        type Msg = bool;
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            // Something of each kind that must go with the instance.
            ctx.set_timer(1, ms(1000), true)?;
            ctx.set_receive_timeout(Some(ms(1000)))?;
            ctx.attach([0u64; 4])?;
            ctx.adapter(|n: u64| n == 0)?;
            ctx.spawn_from(|| Leaf)?;
            Ok(())
        }
        fn receive(&mut self, by_panic: bool, _: &mut Ctx<'_, Self>) -> Outcome {
            if by_panic { panic!("weak") } else { Err(Failure::new("weak")) }
        }
    }
    struct Leaf;
    impl Actor for Leaf {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut world = World::sized(4 << 20);
    let (sum, census) = (Arc::new(Mutex::new(0)), Census::default());
    let siblings: Vec<_> = (0..1000).map(|_| world.spawn(Sibling(sum.clone())).unwrap()).collect();
    let weak: Vec<_> = (0..50)
        .map(|_| {
            let census = census.clone();
            world.scope().spawn_from(move || Weak(census.token())).unwrap()
        })
        .collect();
    let mut used = 0;
    for round in 0..40 {
        for (n, sibling) in siblings.iter().enumerate() {
            world.tell(*sibling, 1);
            if n % 10 == 0 {
                world.tell(weak[n / 10 % 50], n % 20 == 0);
            }
        }
        world.settle();
        assert_eq!(*lock(&sum), (round + 1) * 1000);
        if round == 1 {
            used = world.stats().used_bytes;
        }
    }
    std::panic::set_hook(previous);
    assert_eq!((world.stats().failed, world.stats().restarted), (4000, 4000));
    assert_eq!(world.panics.len(), 2000);
    assert_eq!(world.stats().actors, 1000 + 50 + 50);
    assert_eq!(world.letters(), [(DeadReason::Failed, 4000)]);
    assert_eq!(world.stats().used_bytes, used, "failures leave nothing behind");
    census.expect(50);
    world.scope().stop_all();
    world.settle();
    census.expect_none();
}
