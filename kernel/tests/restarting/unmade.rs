//! What cannot be made again: an actor that was spawned from a value, and one whose factory or first hook fails.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Backoff, DeadReason, Directive, Failure, FailureKind, KernelConfig, Strategy};

use crate::common::family::failing;
use crate::common::{Census, Log, Order, Puppet, World, lock, ms, order};
use crate::rig::stubborn;

#[test]
fn an_actor_that_was_spawned_from_a_value_is_stopped_instead() {
    let mut world = World::new();
    let (a, w) = (world.puppet("a"), world.puppet("w"));
    world.have(w, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.tell(a, failing("oops"));
    assert_eq!(world.events(), ["a stopped", "w hears: a failed (error: oops)"]);
}

/// A factory's puppets, the first so many of which fail to be made: by an error, or by a panic.
fn reluctant(
    log: &Log,
    failures: u32,
    by_panic: bool,
) -> impl FnMut() -> Result<Puppet, Failure> + Send + 'static {
    let (log, mut left) = (log.clone(), failures);
    move || {
        if left == 0 {
            return Ok(Puppet::new("a", &log));
        }
        left -= 1;
        log.add("tried");
        if by_panic { panic!("not yet") } else { Err(Failure::new("not yet")) }
    }
}

/// Conformance 11.
#[test]
fn a_factory_that_fails_is_tried_again_until_an_instance_starts() {
    for by_panic in [false, true] {
        for directive in [(|_| Directive::Restart) as fn(&Failure) -> Directive, |_| Directive::Resume] {
            let mut world = stubborn(directive);
            let factory = reluctant(&world.log, 3, by_panic);
            let a = world.scope().spawner().try_spawn_from(factory).unwrap();
            world.tell(a, Order::Note(1));
            assert_eq!(world.events(), ["tried", "tried", "tried", "a started", "a 1"]);
            assert_eq!((world.stats().failed, world.stats().restarted), (3, 0));
            assert_eq!(world.letters(), []);
        }
    }
}

#[test]
fn a_child_that_could_not_be_made_is_made_when_its_parent_fails_with_it_and_goes_on_or_is_restarted() {
    for directive in [(|_| Directive::Restart) as fn(&Failure) -> Directive, |_| Directive::Resume] {
        let mut world = stubborn(directive);
        let log = world.log.clone();
        let factory = move || {
            let puppet = Puppet::new("a", &log).looking_after(Strategy::escalating());
            puppet.at_restart(|me, _| me.say("leaves its child alone"))
        };
        let a = world.scope().spawn_from(factory).unwrap();
        world.have(a, |me, ctx| {
            let (log, mut tried) = (me.log.clone(), false);
            let factory = move || {
                let again = std::mem::replace(&mut tried, true);
                if again { Ok(Puppet::new("b", &log)) } else { Err(Failure::new("not yet")) }
            };
            let b = ctx.spawner().try_spawn_from(factory).unwrap();
            ctx.tell(b, Order::Note(1));
        });
        let events = world.events();
        assert!(events.ends_with(&["b started".to_owned(), "b 1".to_owned()]), "{events:?}");
        assert_eq!(world.stats().actors, 2);
    }
}

#[test]
fn a_child_that_could_not_be_made_again_knows_when_it_is_that_it_was_restarted() {
    let mut world = stubborn(|_| Directive::Restart);
    let log = world.log.clone();
    let strategy = Strategy::one_for_one().deciding(|failure| match failure.kind() {
        FailureKind::Start => Directive::Escalate,
        _ => Directive::Restart,
    });
    let factory = move || {
        let puppet = Puppet::new("a", &log).looking_after(strategy);
        puppet.at_restart(|me, _| me.say("leaves its child alone"))
    };
    let a = world.scope().spawn_from(factory).unwrap();
    world.have(a, |me, ctx| {
        let (log, mut made) = (me.log.clone(), 0);
        let factory = move || {
            made += 1;
            if made == 2 { Err(Failure::new("not yet")) } else { Ok(Puppet::new("b", &log)) }
        };
        let b = ctx.spawner().try_spawn_from(factory).unwrap();
        ctx.tell(b, failing("oops"));
        ctx.tell(b, Order::Note(1));
    });
    let events = world.events();
    let last = ["a started", "b restarted: failed start: not yet", "b started", "b 1"].map(str::to_owned);
    assert!(events.ends_with(&last), "{events:?}");
}

#[test]
fn what_waited_below_a_new_instance_goes_on_with_it_if_its_failed_start_is_let_pass() {
    let backoff = Backoff::new(ms(10), ms(10)).jitter(0);
    let supervision = Strategy::one_for_one().backoff(backoff);
    let mut world = World::with(1 << 20, KernelConfig { supervision, ..KernelConfig::default() });
    let log = world.log.clone();
    let factory = move || {
        let resumes = Strategy::one_for_one().deciding(|_| Directive::Resume);
        let puppet = Puppet::new("a", &log).looking_after(resumes);
        puppet.at_restart(|me, _| me.say("leaves its child alone"))
    };
    let a = world.scope().spawn_from(factory).unwrap();
    let slot = Arc::new(Mutex::new(None));
    let store = slot.clone();
    world.have(a, move |me, ctx| {
        let (log, mut made) = (me.log.clone(), 0);
        let factory = move || {
            made += 1;
            let puppet = Puppet::new("b", &log).at_restart(|me, _| me.say("leaves its child alone"));
            if made == 1 { puppet } else { puppet.at_start(|_, _| Err(Failure::new("not well"))) }
        };
        let b = ctx.spawn_from(factory).unwrap();
        let below = order(move |me, ctx| {
            let log = me.log.clone();
            *lock(&store) = Some(ctx.spawn_from(move || Puppet::new("c", &log)).unwrap());
        });
        ctx.tell(b, below);
    });
    world.events();
    let c = lock(&slot).expect("a grandchild");
    // All below waits for the back-off, and then for the child, whose own restart is let pass half-way.
    world.tell(a, failing("oops"));
    world.tell(c, Order::Note(1));
    world.pass(ms(11));
    let events = world.events();
    let last = ["b restarted: error: oops", "b started", "c 1"];
    let told: Vec<_> = events.iter().filter(|event| last.contains(&event.as_str())).collect();
    assert_eq!(told, last, "{events:?}");
}

#[test]
fn a_factory_that_fails_at_a_restart_is_tried_again_and_the_messages_wait() {
    let mut world = stubborn(|_| Directive::Restart);
    let log = world.log.clone();
    let mut made = 0;
    let factory = move || {
        made += 1;
        if (2..4).contains(&made) { Err(Failure::new("not yet")) } else { Ok(Puppet::new("a", &log)) }
    };
    let a = world.scope().spawner().try_spawn_from(factory).unwrap();
    world.tell(a, failing("oops"));
    world.tell(a, Order::Note(1));
    assert_eq!(
        world.events(),
        [
            "a started",
            "a restarting: error: oops",
            "a stopped",
            "a restarted: failed start: not yet",
            "a started",
            "a 1"
        ]
    );
}

#[test]
fn an_actor_that_never_starts_is_tried_again_beside_others_until_it_is_stopped() {
    let mut world = stubborn(|_| Directive::Restart);
    let b = world.puppet("b");
    let census = Census::default();
    let (mut factory, token) = (reluctant(&world.log, u32::MAX, false), census.token());
    let a = world
        .scope()
        .spawner()
        .try_spawn_from(move || {
            let _ = &token;
            factory()
        })
        .unwrap();
    world.tell(a, Order::Carry(census.token()));
    for n in 0..10 {
        world.tell(b, Order::Note(n));
        assert!(world.turn().more);
        assert!(world.log.take().contains(&format!("b {n}")), "others are served");
    }
    world.scope().stop(a);
    world.settle();
    assert!(!world.scope().is_alive(a));
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::Stopped, 1)]);
}

/// An instance whose first hook fails, so many times.
#[test]
fn a_first_hook_that_fails_is_a_failed_start() {
    let mut world = stubborn(|_| Directive::Restart);
    let (log, mut left) = (world.log.clone(), 2);
    let a = world
        .scope()
        .spawn_from(move || {
            let puppet = Puppet::new("a", &log);
            if left == 0 {
                return puppet;
            }
            left -= 1;
            let by_panic = left == 0;
            puppet
                .at_start(move |_, _| if by_panic { panic!("not yet") } else { Err(Failure::new("not yet")) })
        })
        .unwrap();
    world.tell(a, Order::Note(1));
    let round = [
        "a restarting: failed start: not yet",
        "a stopped",
        "a restarted: failed start: not yet",
        "a started",
    ];
    let expected = [&["a started"][..], &round, &round, &["a 1"]].concat();
    assert_eq!(world.events(), expected);
    assert_eq!((world.panics.len(), world.stats().restarted), (1, 1));
}

#[test]
fn unless_told_otherwise_an_instance_that_cannot_be_made_again_is_the_end() {
    let mut world = World::new();
    let (log, mut first) = (world.log.clone(), true);
    let census = Census::default();
    let token = census.token();
    let a = world
        .scope()
        .spawn_from(move || {
            let _ = &token;
            assert!(core::mem::take(&mut first), "only once");
            Puppet::new("a", &log)
        })
        .unwrap();
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.tell(a, failing("oops"));
    world.tell(a, Order::Carry(census.token()));
    assert_eq!(
        world.events(),
        ["a restarting: error: oops", "a stopped", "w hears: a failed (failed start: only once)"]
    );
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1), (DeadReason::Failed, 1)]);
}
