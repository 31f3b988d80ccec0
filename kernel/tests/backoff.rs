//! Back-off: waits between restarts, on the kernel's own clock, while messages wait.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::family::failing;
use common::{Census, Log, Order, Puppet, World, lock, ms, order};
use corelane_kernel::{
    Actor, ActorRef, Backoff, Ctx, DeadReason, Directive, Failure, FailureKind, KernelConfig, Outcome,
    Strategy, Terminated,
};

fn config(backoff: Backoff) -> KernelConfig {
    KernelConfig { supervision: Strategy::one_for_one().backoff(backoff), ..KernelConfig::default() }
}

/// Spawns `a` at the top, from a factory.
fn spawn(world: &mut World) -> ActorRef<Order> {
    let log = world.log.clone();
    let a = world.scope().spawn_from(move || Puppet::new("a", &log)).unwrap();
    world.events();
    a
}

/// Fails an actor, and gives the milliseconds until it has started again, or `None` if it never does.
fn wait(world: &mut World, a: ActorRef<Order>) -> Option<u64> {
    world.tell(a, failing("oops"));
    let since = world.now;
    loop {
        let events = world.events();
        if events.contains(&"a started".to_owned()) {
            return Some(world.now.since(since).as_millis() as u64);
        }
        let due = world.next_deadline()?;
        assert!(due > world.now, "a turn at the deadline does its work");
        world.now = due;
    }
}

/// Conformance 12.
#[test]
fn each_wait_is_twice_the_one_before_up_to_the_longest_and_quiet_time_resets_it() {
    let mut world = World::with(1 << 20, config(Backoff::new(ms(10), ms(50)).jitter(0)));
    let a = spawn(&mut world);
    let waits: Vec<_> = (0..5).map(|_| wait(&mut world, a).unwrap()).collect();
    assert_eq!(waits, [10, 20, 40, 50, 50]);
    // Just short of quiet enough, and quiet enough.
    world.now = world.now + ms(49);
    assert_eq!(wait(&mut world, a), Some(50));
    world.now = world.now + ms(51);
    assert_eq!(wait(&mut world, a), Some(10));
}

#[test]
fn messages_wait_for_the_new_instance_and_the_old_one_is_gone_at_once() {
    let mut world = World::with(1 << 20, config(Backoff::new(ms(10), ms(50)).jitter(0)));
    let a = spawn(&mut world);
    let census = Census::default();
    let token = census.token();
    world.have(a, move |me, ctx| {
        me.kept.push(token);
        ctx.set_timer(1, ms(5), Order::Note(99)).unwrap();
    });
    world.tell(a, failing("oops"));
    world.tell(a, Order::Note(1));
    world.settle();
    census.expect_none();
    world.tell(a, Order::Note(2));
    world.pass(ms(9));
    assert_eq!(world.events(), ["a restarting: error: oops", "a stopped"]);
    assert!(world.scope().is_alive(a));
    world.pass(ms(2));
    assert_eq!(world.events(), ["a restarted: error: oops", "a started", "a 1", "a 2"]);
    assert_eq!(world.letters(), [(DeadReason::Failed, 1)]);
}

/// Reliability 17.
#[test]
fn a_child_that_fails_too_often_without_quiet_time_is_given_up() {
    let mut world = World::with(
        1 << 20,
        KernelConfig {
            supervision: Strategy::one_for_one()
                .backoff(Backoff::new(ms(1), ms(50)).jitter(0))
                .give_up_after(3),
            ..KernelConfig::default()
        },
    );
    let a = spawn(&mut world);
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(a).unwrap());
    for waits in [1, 2, 4] {
        assert_eq!(wait(&mut world, a), Some(waits));
    }
    world.tell(a, failing("oops"));
    assert_eq!(world.events(), ["a stopped", "w hears: a failed (error: oops)"]);
}

/// Reliability 17.
#[test]
fn a_limit_holds_beside_a_back_off() {
    let backoff = Backoff::new(ms(1), ms(50)).jitter(0);
    let supervision = Strategy::one_for_one().backoff(backoff).restarts(2, Duration::MAX);
    let mut world = World::with(1 << 20, KernelConfig { supervision, ..KernelConfig::default() });
    let a = spawn(&mut world);
    assert_eq!([0; 3].map(|_| wait(&mut world, a)), [Some(1), Some(2), None]);
    assert!(!world.scope().is_alive(a));
}

/// Conformance 12, reliability 17.
#[test]
fn jitter_comes_from_the_seed_and_only_shortens() {
    let waits = |seed| {
        let config = KernelConfig { seed, ..config(Backoff::new(ms(100), ms(1600)).jitter(50)) };
        let mut world = World::with(1 << 20, config);
        let a = spawn(&mut world);
        [0; 5].map(|_| wait(&mut world, a).unwrap())
    };
    let (first, again, other) = (waits(1), waits(1), waits(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    for waits in [first, other] {
        for (wait, planned) in waits.into_iter().zip([100, 200, 400, 800, 1600]) {
            assert!((planned / 2..=planned).contains(&wait), "{waits:?}");
        }
    }
}

/// Reliability 17.
#[test]
fn those_that_failed_together_do_not_come_back_together() {
    let mut world = World::with(1 << 20, config(Backoff::new(ms(1000), ms(1000)).jitter(100)));
    let log = world.log.clone();
    let all: Vec<_> = (0..50)
        .map(|_| {
            let log = log.clone();
            world.scope().spawn_from(move || Puppet::new("a", &log)).unwrap()
        })
        .collect();
    world.events();
    for a in &all {
        world.tell(*a, failing("oops"));
    }
    world.events();
    let mut most = 0;
    while let Some(due) = world.next_deadline() {
        world.now = due;
        let started = world.events().iter().filter(|event| *event == "a started").count();
        most = most.max(started);
    }
    assert_eq!(world.stats().restarted, 50);
    assert!(most < 10, "{most} in one tick");
}

#[test]
fn a_decision_may_say_itself_how_long_to_wait() {
    let supervision = Strategy::one_for_one().deciding(|_| Directive::RestartAfter(Duration::from_millis(7)));
    let mut world = World::with(1 << 20, KernelConfig { supervision, ..KernelConfig::default() });
    let a = spawn(&mut world);
    assert_eq!([0; 3].map(|_| wait(&mut world, a)), [Some(7); 3]);
}

#[test]
fn one_that_is_stopped_while_it_waits_is_gone_and_what_waited_is_buried() {
    let mut world = World::with(1 << 20, config(Backoff::new(ms(10), ms(50))));
    let a = spawn(&mut world);
    let census = Census::default();
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(a).unwrap());
    world.tell(a, failing("oops"));
    world.tell(a, Order::Carry(census.token()));
    world.events();
    world.stop(a);
    // Its last instance has taken its leave already.
    assert_eq!(world.events(), ["w hears: a failed (error: oops)"]);
    census.expect_none();
    assert_eq!((world.next_deadline(), world.stats().actors), (None, 1));
    assert_eq!(world.letters(), [(DeadReason::Stopped, 1), (DeadReason::Failed, 1)]);
}

/// Conformance 10.
#[test]
fn what_lives_below_one_that_waits_is_suspended_and_decided_about_all_the_same() {
    let mut world = World::with(1 << 20, config(Backoff::new(ms(10), ms(50)).jitter(0)));
    let log = world.log.clone();
    let a = world
        .scope()
        .spawn_from(move || Puppet::new("a", &log).at_restart(|me, _| me.say("leaves them alone")))
        .unwrap();
    let slot = Arc::new(Mutex::new(Vec::new()));
    let store = slot.clone();
    world.have(a, move |me, ctx| {
        for name in ["b", "c"] {
            let log = me.log.clone();
            lock(&store).push(ctx.spawn_from(move || Puppet::new(name, &log)).unwrap());
        }
    });
    let [b, c] = lock(&slot)[..] else { panic!("two") };
    world.have(b, |me, ctx| _ = ctx.spawn(me.other("b1")).unwrap());
    world.events();
    world.tell(a, failing("oops"));
    world.settle();
    world.log.take();
    // None of them runs, also if somebody resumes it.
    world.tell(b, Order::Note(1));
    world.tell(c, Order::Note(2));
    world.scope().resume(b);
    world.scope().suspend(c).unwrap();
    world.scope().resume(c);
    assert_eq!(world.events(), [""; 0]);
    // One that fails meanwhile has no parent to ask.
    world.scope().fail(c, Failure::new("meanwhile"));
    let mut events = world.events();
    assert_eq!(events.remove(0), "c restarting: error: meanwhile");
    assert!(!events.contains(&"c 2".to_owned()), "{events:?}");
    world.pass(ms(11));
    let events = world.events();
    let mut notes: Vec<_> = events.iter().filter(|event| *event == "b 1" || *event == "c 2").collect();
    notes.sort();
    assert_eq!(notes, ["b 1", "c 2"], "{events:?}");
    assert!(events.contains(&"b1 stopped".to_owned()));
    for actor in [a, b, c] {
        world.tell(actor, Order::Note(3));
    }
    assert_eq!(world.events(), ["a 3", "b 3", "c 3"]);
}

#[test]
fn a_group_waits_together() {
    let mut world = World::new();
    let backoff = Backoff::new(ms(10), ms(50)).jitter(0);
    let p = Puppet::new("p", &world.log).looking_after(Strategy::all_for_one().backoff(backoff));
    let p = world.kernel.spawn(p).unwrap();
    let slot = Arc::new(Mutex::new(Vec::new()));
    let store = slot.clone();
    world.have(p, move |me, ctx| {
        for name in ["a", "b"] {
            let log = me.log.clone();
            lock(&store).push(ctx.spawn_from(move || Puppet::new(name, &log)).unwrap());
        }
    });
    world.events();
    let [a, b] = lock(&slot)[..] else { panic!("two") };
    world.tell(b, failing("oops"));
    world.tell(a, Order::Note(1));
    world.pass(ms(9));
    let events = world.events();
    assert!(!events.iter().any(|event| event.ends_with("started") || event == "a 1"), "{events:?}");
    world.pass(ms(2));
    let events = world.events();
    let mut started: Vec<_> = events.iter().filter(|event| event.ends_with(" started")).cloned().collect();
    started.sort();
    assert_eq!(started, ["a started", "b started"]);
    assert_eq!(events.last().map(String::as_str), Some("a 1"));
}

/// Without room for a timer the wait is as long: it is looked at in each turn.
#[test]
fn a_wait_needs_no_room_for_a_timer() {
    let mut world = World::with(16 << 10, config(Backoff::new(ms(10), ms(10)).jitter(0)));
    let a = spawn(&mut world);
    // It has its side record, and the queue its segment.
    world.scope().suspend(a).unwrap();
    world.scope().resume(a);
    world.tell(a, Order::Note(0));
    world.settle();
    struct Tiny;
    impl Actor for Tiny {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let log = world.log.clone();
    while world.kernel.spawn(Puppet::new("filler", &log)).is_ok() || world.kernel.spawn(Tiny).is_ok() {
        world.settle();
    }
    world.events();
    world.tell(a, failing("oops"));
    for _ in 0..10 {
        assert!(world.turn().more, "a driver must not sleep");
        world.now = world.now + Duration::from_micros(900);
    }
    assert_eq!(world.next_deadline(), None);
    assert_eq!(world.log.take(), ["a restarting: error: oops", "a stopped"]);
    world.now = world.now + ms(2);
    assert_eq!(world.events(), ["a restarted: error: oops", "a started"]);
}

/// Conformance 12, for a child that stops: its parent watches it, and spawns the next after a wait.
#[test]
fn a_parent_that_spawns_a_stopped_child_again_has_the_same_waits() {
    struct Keeper {
        backoff: Backoff,
        attempts: u32,
        log: Log,
    }
    impl Actor for Keeper {
        type Msg = Option<ActorRef<Order>>;
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            self.receive(None, ctx)
        }
        fn receive(&mut self, _: Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
            let log = self.log.clone();
            let child = ctx.spawn_from(move || Puppet::new("c", &log))?;
            ctx.watch(child)?;
            ctx.tell(child, order(|_, ctx| ctx.stop_self()));
            Ok(())
        }
        fn terminated(&mut self, _: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
            let delay = ctx.delay_after(&self.backoff, self.attempts);
            self.attempts += 1;
            ctx.set_timer("again", delay, None)?;
            Ok(())
        }
    }
    let mut world = World::new();
    let backoff = Backoff::new(ms(10), ms(40)).jitter(0);
    let keeper = Keeper { backoff, attempts: 0, log: world.log.clone() };
    world.spawn(keeper).unwrap();
    let mut waits = Vec::new();
    let mut since = world.now;
    while waits.len() < 5 {
        let events = world.events();
        if !events.is_empty() {
            assert_eq!(events, ["c started", "c stopped"]);
            waits.push(world.now.since(since).as_millis());
            since = world.now;
        }
        world.now = world.next_deadline().expect("a timer is set");
    }
    assert_eq!(waits, [0, 10, 20, 40, 40]);
}

#[test]
fn a_failure_from_outside_changes_nothing_for_one_that_waits() {
    let mut world = World::with(1 << 20, config(Backoff::new(ms(10), ms(50)).jitter(0)));
    let a = spawn(&mut world);
    world.tell(a, failing("oops"));
    world.settle();
    for _ in 0..3 {
        world.scope().fail(a, Failure::new("again"));
        world.pass(ms(2));
    }
    world.tell(a, Order::Note(1));
    world.pass(ms(5));
    assert_eq!(
        world.events(),
        ["a restarting: error: oops", "a stopped", "a restarted: error: oops", "a started", "a 1"]
    );
    assert_eq!((world.stats().failed, world.stats().restarted), (4, 1));
}

#[test]
fn what_was_suspended_below_one_goes_on_when_its_failed_start_is_resumed() {
    let supervision = Strategy::one_for_one().deciding(|failure| match failure.kind() {
        FailureKind::Start => Directive::Resume,
        _ => Directive::RestartAfter(Duration::from_millis(10)),
    });
    let mut world = World::with(1 << 20, KernelConfig { supervision, ..KernelConfig::default() });
    let (log, mut instances) = (world.log.clone(), 0);
    let a = world
        .scope()
        .spawn_from(move || {
            instances += 1;
            let fails = instances == 2;
            let puppet = Puppet::new("a", &log).at_restart(|_, _| {});
            puppet.at_start(move |_, _| if fails { Err(Failure::new("half a start")) } else { Ok(()) })
        })
        .unwrap();
    let slot = Arc::new(Mutex::new(None));
    let store = slot.clone();
    world.have(a, move |me, ctx| *lock(&store) = Some(ctx.spawn(me.other("b")).unwrap()));
    let b: ActorRef<Order> = lock(&slot).take().unwrap();
    world.tell(a, failing("oops"));
    world.settle();
    world.tell(b, Order::Note(1));
    world.tell(a, Order::Note(2));
    world.log.take();
    assert_eq!(world.events(), [""; 0]);
    world.pass(ms(11));
    // The first hook failed and is let pass: the instance goes on, and so does what lives below it.
    assert_eq!(world.events(), ["a restarted: error: oops", "a started", "a 2", "b 1"]);
    world.tell(b, Order::Note(3));
    assert_eq!(world.events(), ["b 3"]);
}
