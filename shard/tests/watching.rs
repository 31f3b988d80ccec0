//! Watching across shards: each end is told to each watcher once, with its reason, whatever else goes on.

mod common;

use std::sync::mpsc::{Receiver, channel};

use common::{Job, Puppet, end, failure, hush, next, puppet, system, tell, watch, with};
use corelane_kernel::{ActorRef, Failure, StopReason, Terminated};
use corelane_shard::{Gateway, System};

/// A system of two shards, a watcher on the second and its notices.
fn watcher() -> (System, Gateway, ActorRef<Job>, Receiver<Terminated>) {
    let system = system(2);
    let gateway = system.gateway().unwrap();
    let (notices, heard) = channel();
    let watcher = Puppet::default().notices(notices).on(&system, 1);
    (system, gateway, watcher, heard)
}

#[test]
fn a_stop_is_told_to_the_watcher_on_another_shard() {
    let (system, mut gateway, watcher, heard) = watcher();
    let target = puppet(&system, 0);
    watch(&system, &mut gateway, watcher, target);
    with(&mut gateway, watcher, move |ctx| ctx.stop(target));
    let notice = next(&heard);
    assert_eq!(notice.address, target.address());
    assert!(matches!(notice.reason, StopReason::Stopped));
    end(system);
    assert!(heard.try_recv().is_err(), "told once");
}

#[test]
fn a_failure_is_told_with_its_text() {
    hush();
    let (system, mut gateway, watcher, heard) = watcher();
    let failing = puppet(&system, 0);
    watch(&system, &mut gateway, watcher, failing);
    tell(&mut gateway, failing, Job::new(|_| Err(Failure::new("no more paper"))));
    let notice = next(&heard);
    assert_eq!((notice.address, failure(&notice)), (failing.address(), "error: no more paper".to_owned()));

    let parsing = puppet(&system, 0);
    watch(&system, &mut gateway, watcher, parsing);
    tell(&mut gateway, parsing, Job::new(|_| Ok("x".parse::<u8>().map(drop)?)));
    let notice = next(&heard);
    let StopReason::Failed(why) = &notice.reason else { panic!("{notice:?}") };
    assert!(why.is::<std::num::ParseIntError>());
    assert_eq!(why.text(), "invalid digit found in string");

    let panicking = puppet(&system, 0);
    watch(&system, &mut gateway, watcher, panicking);
    tell(&mut gateway, panicking, Job::run(|_| panic!("on purpose: {}", 7)));
    assert_eq!(failure(&next(&heard)), "panic: on purpose: 7");
    end(system);
}

#[test]
fn whoever_watches_the_dead_is_told_at_once_that_nobody_was_found() {
    let (system, mut gateway, watcher, heard) = watcher();
    let target = puppet(&system, 0);
    watch(&system, &mut gateway, watcher, target);
    with(&mut gateway, watcher, move |ctx| ctx.stop(target));
    assert!(matches!(next(&heard).reason, StopReason::Stopped));
    // Again, now that it is gone; and an address that never was anybody's, and one of a system that is none of ours.
    let other = common::system(1);
    let foreign = puppet(&other, 0);
    for nobody in [target, ActorRef::nobody(), foreign] {
        with(&mut gateway, watcher, move |ctx| ctx.watch(nobody)).unwrap();
        let notice = next(&heard);
        assert_eq!(notice.address, nobody.address());
        assert!(matches!(notice.reason, StopReason::NotFound));
    }
    end(other);
    end(system);
}

#[test]
fn watching_twice_is_watching_once() {
    let (system, mut gateway, watcher, heard) = watcher();
    let (target, last) = (puppet(&system, 0), puppet(&system, 0));
    watch(&system, &mut gateway, watcher, target);
    watch(&system, &mut gateway, watcher, target);
    watch(&system, &mut gateway, watcher, last);
    with(&mut gateway, watcher, move |ctx| {
        ctx.stop(target);
        ctx.stop(last);
    });
    assert_eq!(next(&heard).address, target.address());
    assert_eq!(next(&heard).address, last.address());
    end(system);
    assert!(heard.try_recv().is_err());
}

#[test]
fn after_unwatch_no_notice_comes() {
    let (system, mut gateway, watcher, heard) = watcher();
    for round in 0..100 {
        let (target, last) = (puppet(&system, 0), puppet(&system, 0));
        if round % 2 == 0 {
            watch(&system, &mut gateway, watcher, target);
            assert!(with(&mut gateway, watcher, move |ctx| ctx.unwatch(target)));
            tell(&mut gateway, target, Job::run(|ctx| ctx.stop_self()));
        } else {
            // Its end and the unwatch may cross: no notice after the unwatch, which says whether one had come.
            watch(&system, &mut gateway, watcher, target);
            tell(&mut gateway, target, Job::run(|ctx| ctx.stop_self()));
            if !with(&mut gateway, watcher, move |ctx| ctx.unwatch(target)) {
                assert_eq!(next(&heard).address, target.address());
            }
        }
        assert!(!with(&mut gateway, watcher, move |ctx| ctx.unwatch(target)));
        // Signals keep their order: whatever came of the first would come before the notice of the last.
        watch(&system, &mut gateway, watcher, last);
        with(&mut gateway, watcher, move |ctx| ctx.stop(last));
        assert_eq!(next(&heard).address, last.address());
    }
    end(system);
}

/// Conformance 17.
#[test]
fn a_watch_with_a_message_tells_that_message() {
    let (system, mut gateway, watcher, heard) = watcher();
    let target = puppet(&system, 0);
    let (told, is_told) = channel();
    with(&mut gateway, watcher, move |ctx| {
        ctx.watch_with(target, Job::run(move |_| told.send("gone").unwrap()))
    })
    .unwrap();
    with(&mut gateway, watcher, move |ctx| ctx.stop(target));
    assert_eq!(next(&is_told), "gone");
    end(system);
    assert!(heard.try_recv().is_err(), "no notice besides");
}

/// Conformance 14.
#[test]
fn every_watcher_on_every_shard_is_told_once() {
    const SHARDS: usize = 4;
    let system = system(SHARDS);
    let mut gateway = system.gateway().unwrap();
    let (notices, heard) = channel();
    let targets: Vec<_> = (0..8).map(|n| puppet(&system, n % SHARDS)).collect();
    for n in 0..20 {
        let watcher = Puppet::default().notices(notices.clone()).on(&system, n % SHARDS);
        for target in targets.clone() {
            watch(&system, &mut gateway, watcher, target);
        }
    }
    for target in &targets {
        tell(&mut gateway, *target, Job::run(|ctx| ctx.stop_self()));
    }
    let mut counts = std::collections::HashMap::new();
    for _ in 0..20 * targets.len() {
        let notice = next(&heard);
        assert!(matches!(notice.reason, StopReason::Stopped), "{notice:?}");
        *counts.entry(notice.address).or_insert(0) += 1;
    }
    assert!(targets.iter().all(|target| counts[&target.address()] == 20));
    end(system);
    assert!(heard.try_recv().is_err());
}

#[test]
fn a_watcher_that_ends_first_leaves_nothing_behind() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let target = puppet(&system, 0);
    let round = |gateway: &mut Gateway| {
        for _ in 0..100 {
            let watcher = puppet(&system, 1);
            with(gateway, watcher, move |ctx| ctx.watch(target)).unwrap();
            tell(gateway, watcher, Job::run(|ctx| ctx.stop_self()));
        }
        system.call(1, |_| ()).unwrap();
        with(gateway, target, |ctx| ctx.scope().stats().used_bytes)
    };
    round(&mut gateway);
    let used = round(&mut gateway);
    for _ in 0..10 {
        round(&mut gateway);
    }
    assert_eq!(round(&mut gateway), used, "the records of watches are used again");
    tell(&mut gateway, target, Job::run(|ctx| ctx.stop_self()));
    end(system);
}

/// Conformance 16.
#[test]
fn an_actor_dies_with_the_one_it_watches_unless_it_minds() {
    struct Pact(ActorRef<Job>);
    impl corelane_kernel::Actor for Pact {
        type Msg = ();
        fn started(&mut self, ctx: &mut corelane_kernel::Ctx<'_, Self>) -> corelane_kernel::Outcome {
            Ok(ctx.watch(self.0)?)
        }
        fn receive(&mut self, (): (), _: &mut corelane_kernel::Ctx<'_, Self>) -> corelane_kernel::Outcome {
            Ok(())
        }
    }
    let (system, mut gateway, watcher, heard) = watcher();
    let first = puppet(&system, 1);
    let pact = system.spawn_on(corelane_shard::On::Shard(0), move || Pact(first)).unwrap();
    with(&mut gateway, watcher, move |ctx| ctx.watch(pact)).unwrap();
    tell(&mut gateway, first, Job::new(|_| Err(Failure::new("out of ink"))));
    let notice = next(&heard);
    assert_eq!(notice.address, pact.address());
    let text = failure(&notice);
    assert!(text.starts_with("death pact: ") && text.contains("is gone"), "{text}");
    end(system);
}

#[test]
fn a_notice_comes_after_what_the_target_was_told_before() {
    let (system, mut gateway, watcher, heard) = watcher();
    let (handled, was_handled) = channel();
    for n in 0..100 {
        let target = puppet(&system, 0);
        watch(&system, &mut gateway, watcher, target);
        let handled = handled.clone();
        tell(&mut gateway, target, Job::run(move |_| handled.send(n).unwrap()));
        tell(&mut gateway, target, Job::run(|ctx| ctx.stop_self()));
        assert_eq!(next(&heard).address, target.address());
        assert_eq!(was_handled.try_recv(), Ok(n));
    }
    end(system);
}
