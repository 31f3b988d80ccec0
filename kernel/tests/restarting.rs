//! Restarts: what stays, what ends, in which order, and what happens when a step of it goes wrong itself.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::family::failing;
use common::{Census, Log, Order, Puppet, Token, World, attempt, lock, ms, order};
use corelane_kernel::{
    Actor, ActorRef, Backoff, Ctx, DeadReason, Directive, Failure, FailureKind, KernelConfig, Outcome,
    ReplyTo, SpawnError, Strategy, limits,
};

/// A world with one actor `a` at its top, from a factory whose puppets are prepared like this.
fn world(prepare: impl Fn(Puppet) -> Puppet + Send + 'static) -> (World, ActorRef<Order>) {
    let mut world = World::new();
    let log = world.log.clone();
    let a = world.scope().spawn_from(move || prepare(Puppet::new("a", &log))).unwrap();
    world.events();
    (world, a)
}

/// Fails an actor, and gives what happened, without what every restart says.
fn fail(world: &mut World, actor: ActorRef<Order>) -> Vec<String> {
    world.kernel.tell(actor, failing("oops"));
    let mut events = world.events();
    events.retain(|event| !event.ends_with(": error: oops"));
    events
}

/// All happens at once where nothing has to be waited for.
const RESTARTED: [&str; 2] = ["a stopped", "a started"];

// --- what stays ------------------------------------------------------------------------------------------------------

/// Conformance 2.
#[test]
fn the_old_instance_takes_its_leave_and_the_new_one_starts() {
    let (mut world, a) = world(|puppet| puppet);
    world.tell(a, failing("oops"));
    assert_eq!(
        world.events(),
        ["a restarting: error: oops", "a stopped", "a restarted: error: oops", "a started"]
    );
}

#[test]
fn without_hooks_of_its_own_an_actor_is_stopped_and_started() {
    struct Plain(Log, u32);
    impl Actor for Plain {
        type Msg = Option<u32>;
        fn receive(&mut self, n: Option<u32>, _: &mut Ctx<'_, Self>) -> Outcome {
            self.1 += n.ok_or_else(|| Failure::new("none"))?;
            self.0.add(format!("{}", self.1));
            Ok(())
        }
        fn started(&mut self, _: &mut Ctx<'_, Self>) -> Outcome {
            self.0.add("started");
            Ok(())
        }
        fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
            self.0.add("stopped");
        }
    }
    let mut world = World::new();
    let log = world.log.clone();
    let plain = world.scope().spawn_from(move || Plain(log.clone(), 0)).unwrap();
    for n in [Some(1), Some(1), None, Some(1)] {
        world.tell(plain, n);
    }
    assert_eq!(world.events(), ["started", "1", "2", "stopped", "started", "1"]);
}

#[test]
fn address_name_group_and_what_waits_stay_in_order() {
    let mut world = World::new();
    let log = world.log.clone();
    let spawner = |world: &mut World| {
        let log = log.clone();
        world
            .scope()
            .spawner()
            .name("a")
            .group(corelane_kernel::Group::Bulk)
            .mailbox(4)
            .spawn_from(move || Puppet::new("a", &log))
    };
    let a = spawner(&mut world).unwrap();
    world.events();
    world.tell(a, failing("oops"));
    for n in 1..=3 {
        world.tell(a, Order::Note(n));
    }
    assert!(world.try_tell(a, Order::Note(4)).is_err(), "the bound stays");
    let events = world.events();
    assert_eq!(events[events.len() - 3..], ["a 1", "a 2", "a 3"]);
    assert_eq!(world.scope().named("a"), Some(a.address()));
    assert_eq!(spawner(&mut world), Err(SpawnError::NameTaken));
    assert!(world.scope().is_alive(a));
    // Its credit is as it was.
    for n in 0..4 {
        world.try_tell(a, Order::Note(n)).map_err(drop).expect("room for four");
    }
    assert!(world.try_tell(a, Order::Note(4)).is_err());
}

#[test]
fn what_waits_behind_a_backlog_stays_in_order() {
    let config = KernelConfig { budget: 2, ..KernelConfig::default() };
    let mut world = World::with(1 << 20, config);
    let log = world.log.clone();
    let a = world.scope().spawn_from(move || Puppet::new("a", &log)).unwrap();
    world.settle();
    world.scope().suspend(a).unwrap();
    for n in 0..10 {
        world.tell(a, if n % 3 == 0 { failing("oops") } else { Order::Note(n) });
    }
    world.settle();
    world.scope().resume(a);
    for n in 10..15 {
        world.turn();
        world.tell(a, Order::Note(n));
    }
    let notes: Vec<_> = world.events().into_iter().filter(|event| event.len() < 6).collect();
    let expected: Vec<_> = [1, 2, 4, 5, 7, 8, 10, 11, 12, 13, 14].map(|n| format!("a {n}")).into();
    assert_eq!(notes, expected);
}

// --- what ends -------------------------------------------------------------------------------------------------------

#[test]
fn children_are_stopped_before_the_old_instance_is() {
    let (mut world, a) = world(|puppet| puppet);
    world.have(a, |me, ctx| {
        let b = ctx.spawn(me.other("b")).unwrap();
        ctx.tell(b, order(|me, ctx| _ = ctx.spawn(me.other("b1")).unwrap()));
        ctx.spawn(me.other("c")).unwrap();
    });
    world.events();
    world.tell(a, failing("oops"));
    world.tell(a, Order::Note(1));
    assert_eq!(
        world.events(),
        [
            "a restarting: error: oops",
            "c stopped",
            "b1 stopped",
            "b stopped",
            "a stopped",
            "a restarted: error: oops",
            "a started",
            "a 1"
        ]
    );
    assert_eq!(world.stats().actors, 1);
}

#[test]
fn children_that_the_failing_handler_spawned_never_start() {
    let (mut world, a) = world(|puppet| puppet);
    let census = Census::default();
    let token = census.token();
    world.tell(
        a,
        attempt(move |me, ctx| {
            ctx.spawn(me.other("b").keeping(token))?;
            Err(Failure::new("oops"))
        }),
    );
    let events = world.events();
    assert!(!events.iter().any(|event| event == "b 1"), "{events:?}");
    census.expect_none();
    assert_eq!(world.stats().actors, 1);
}

#[test]
fn a_large_family_ends_over_several_turns_while_the_actors_messages_wait() {
    struct Leaf;
    impl Actor for Leaf {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut world = World::sized(16 << 20);
    let log = world.log.clone();
    let a = world.scope().spawn_from(move || Puppet::new("a", &log)).unwrap();
    world.have(a, |me, ctx| {
        let middle = ctx.spawn(me.other("m")).unwrap();
        ctx.tell(
            middle,
            order(|_, ctx| {
                for _ in 0..10_000 {
                    ctx.spawn(Leaf).unwrap();
                }
            }),
        );
    });
    world.events();
    world.tell(a, failing("oops"));
    world.tell(a, Order::Note(1));
    let mut turns = 0;
    while world.turn().more {
        turns += 1;
        assert!(
            turns == 1 || world.log.take().iter().all(|event| event != "a 1") || world.stats().actors == 1
        );
    }
    assert!(turns > 1);
    world.tell(a, Order::Note(2));
    assert!(world.events().contains(&"a 2".to_owned()));
    assert_eq!(world.stats().actors, 1);
}

#[test]
fn children_that_are_left_alone_are_suspended_and_restarted_after_their_parent() {
    let mut world = World::new();
    let log = world.log.clone();
    let a = world
        .scope()
        .spawn_from(move || {
            Puppet::new("a", &log).at_restart(|me, ctx| {
                if let Some(first) = ctx.child("first") {
                    ctx.stop(first);
                }
                me.say("leaves the rest alone");
            })
        })
        .unwrap();
    let slot = Arc::new(Mutex::new(Vec::new()));
    let store = slot.clone();
    world.have(a, move |me, ctx| {
        for name in ["first", "second", "third"] {
            let log = me.log.clone();
            let child = ctx.spawner().name(name).spawn_from(move || Puppet::new(name, &log)).unwrap();
            lock(&store).push(child);
        }
        ctx.spawn(me.other("value")).unwrap();
    });
    world.events();
    let [_, second, _] = lock(&slot)[..] else { panic!("three") };
    world.tell(a, failing("oops"));
    world.tell(second, Order::Note(1));
    assert_eq!(
        world.events(),
        [
            "a restarting: error: oops",
            "a leaves the rest alone",
            "first stopped",
            "a stopped",
            "a restarted: error: oops",
            "a started",
            // One that was spawned from a value cannot be restarted.
            "value stopped",
            "second restarting: error: oops",
            "second stopped",
            "second restarted: error: oops",
            "second started",
            "third restarting: error: oops",
            "third stopped",
            "third restarted: error: oops",
            "third started",
            "second 1"
        ]
    );
    assert!(world.scope().is_alive(second));
}

#[test]
fn timers_and_the_receive_timeout_are_cancelled() {
    let (mut world, a) = world(|puppet| puppet);
    let census = Census::default();
    let tokens = [census.token(), census.token()];
    world.have(a, move |_, ctx| {
        let [one, two] = tokens;
        ctx.set_timer(1, ms(5), Order::Carry(one)).unwrap();
        ctx.set_timer(2, ms(500), Order::Carry(two)).unwrap();
        ctx.set_timer(3, ms(5), Order::Note(3)).unwrap();
        ctx.set_receive_timeout(Some(ms(7))).unwrap();
    });
    assert_eq!(fail(&mut world, a), RESTARTED);
    census.expect_none();
    assert_eq!(world.next_deadline(), None);
    world.pass(ms(1000));
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.letters(), [(DeadReason::Failed, 1)]);
}

#[test]
fn asks_are_dropped_and_their_answers_are_dead_letters() {
    let (mut world, a) = world(|puppet| puppet);
    let slot: Arc<Mutex<Option<ReplyTo<u64>>>> = Arc::default();
    let (other, store) = (world.puppet("other"), slot.clone());
    world.have(a, move |_, ctx| {
        let question = |reply| {
            *lock(&store) = Some(reply);
            Order::Note(0)
        };
        ctx.ask(other, ms(10), question, |_| Order::Note(99));
    });
    world.events();
    assert_eq!(fail(&mut world, a), RESTARTED);
    let reply = lock(&slot).take().unwrap();
    world.tell(reply, 7);
    world.pass(ms(20));
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 1), (DeadReason::Failed, 1)]);
}

#[test]
fn adapters_end_and_attachments_are_dropped() {
    let (mut world, a) = world(|puppet| puppet);
    let census = Census::default();
    let (one, two) = (census.token(), census.token());
    let slot = Arc::new(Mutex::new(None));
    let store = slot.clone();
    world.have(a, move |_, ctx| {
        ctx.attach(one).unwrap();
        let adapter = ctx.adapter(move |n: u64| {
            let _ = &two;
            Order::Note(n)
        });
        *lock(&store) = adapter.ok();
    });
    census.expect(2);
    assert_eq!(fail(&mut world, a), RESTARTED);
    census.expect_none();
    let adapter: ActorRef<u64> = lock(&slot).take().unwrap();
    world.tell(adapter, 7);
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1), (DeadReason::Failed, 1)]);
}

#[test]
fn watches_end_without_a_notice() {
    let (mut world, a) = world(|puppet| puppet);
    let census = Census::default();
    let (b, c, token) = (world.puppet("b"), world.puppet("c"), census.token());
    world.have(a, move |_, ctx| {
        ctx.watch(b).unwrap();
        ctx.watch_with(c, Order::Carry(token)).unwrap();
    });
    world.events();
    assert_eq!(fail(&mut world, a), RESTARTED);
    census.expect_none();
    world.stop(b);
    world.stop(c);
    assert_eq!(world.events(), ["b stopped", "c stopped"]);
}

/// Conformance 19.
#[test]
fn what_was_stashed_comes_back_before_all_that_waits() {
    let (mut world, a) = world(|puppet| puppet);
    world.have(a, |_, ctx| ctx.set_stash_bound(2).unwrap());
    for n in 1..=2 {
        world.tell(a, Order::Stash(n));
    }
    world.tell(a, failing("oops"));
    world.tell(a, Order::Note(3));
    let mut events = world.events();
    events.retain(|event| !event.ends_with(": error: oops"));
    assert_eq!(events, ["a stopped", "a started", "a 1", "a 2", "a 3"]);
    // The bound was the old instance's.
    world.have(a, |me, ctx| {
        let mut stashed = 0;
        while ctx.stash(Order::Note(0)).is_ok() {
            stashed += 1;
        }
        me.say(stashed);
    });
    assert_eq!(world.events(), [format!("a {}", limits::STASH_DEFAULT)]);
}

#[test]
fn a_suspended_actor_runs_after_its_restart() {
    let (mut world, a) = world(|puppet| puppet);
    world.have(a, |_, ctx| ctx.suspend_self().unwrap());
    world.tell(a, Order::Note(1));
    assert_eq!(world.events(), [""; 0]);
    world.scope().fail(a, Failure::new("its future was lost"));
    assert_eq!(world.events().last().map(String::as_str), Some("a 1"));
    // Whoever would have resumed it does no harm.
    world.scope().resume(a);
    world.tell(a, Order::Note(2));
    assert_eq!(world.events(), ["a 2"]);
}

#[test]
fn what_the_hooks_of_an_old_instance_set_up_ends_with_it() {
    let census = Census::default();
    let people = census.clone();
    let (mut world, a) = world(move |puppet| {
        let people = people.clone();
        puppet.at_stop(move |me, ctx| {
            ctx.set_timer(1, ms(5), Order::Carry(people.token())).unwrap();
            ctx.attach(people.token()).unwrap();
            let token = people.token();
            ctx.adapter(move |_: u64| {
                let _ = &token;
                Order::Note(0)
            })
            .unwrap();
            ctx.suspend_self().unwrap();
            assert_eq!(ctx.spawn(me.other("late")), Err(SpawnError::Stopping));
            // A message is no part of it: it waits for the new instance.
            let this = ctx.me();
            ctx.tell(this, Order::Note(7));
        })
    });
    world.tell(a, failing("oops"));
    assert_eq!(world.events().last().map(String::as_str), Some("a 7"));
    census.expect_none();
    world.pass(ms(10));
    assert_eq!((world.events(), world.next_deadline()), (vec![], None));
}

// --- what goes wrong ---------------------------------------------------------------------------------------------------

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

/// A world whose top-level actors are always restarted, or resumed.
fn stubborn(directive: fn(&Failure) -> Directive) -> World {
    let supervision = Strategy::one_for_one().deciding(directive);
    World::with(1 << 20, KernelConfig { supervision, ..KernelConfig::default() })
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

/// Panics when it is dropped, if it may.
struct Bomb(Option<&'static str>, #[allow(dead_code)] Token);

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(text) = self.0.take()
            && !std::thread::panicking()
        {
            panic!("{text}");
        }
    }
}

/// An actor with a bomb in each place where something is dropped at a restart.
struct Minefield {
    log: Log,
    census: Census,
    instance: u32,
    /// Dropped with the state.
    _own: Option<Bomb>,
}

impl Actor for Minefield {
    type Msg = Option<Bomb>;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.log.add(format!("instance {}", self.instance));
        if self.instance > 1 {
            return Ok(());
        }
        let bomb = |text| Bomb(Some(text), self.census.token());
        let (adapter, asked) = (bomb("adapter"), bomb("ask"));
        ctx.set_timer(1, ms(5), Some(bomb("timer")))?;
        ctx.attach(bomb("attachment"))?;
        ctx.attach(bomb("attachment"))?;
        ctx.adapter(move |_: u8| {
            let _ = &adapter;
            None
        })?;
        let nobody = ctx.spawn(Sink)?;
        ctx.watch_with(nobody, Some(bomb("watch")))?;
        ctx.ask(
            nobody,
            ms(5),
            |_: ReplyTo<u8>| (),
            move |_| {
                let _ = &asked;
                None
            },
        );
        Ok(())
    }

    fn receive(&mut self, _: Option<Bomb>, _: &mut Ctx<'_, Self>) -> Outcome {
        Err(Failure::new("oops"))
    }

    fn restarting(&mut self, _: &Failure, _: &mut Ctx<'_, Self>) {
        panic!("restarting");
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        panic!("stopped");
    }
}

struct Sink;

impl Actor for Sink {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// Conformance 3, reliability 18: each step of a restart may panic, and the next one follows.
#[test]
fn panics_at_every_step_of_a_restart_keep_no_new_instance_away_and_lose_nothing() {
    let mut world = World::new();
    let census = Census::default();
    let (log, people) = (world.log.clone(), census.clone());
    let mut instance = 0;
    let field = world
        .scope()
        .spawn_from(move || {
            instance += 1;
            let own = (instance == 1).then(|| Bomb(Some("state"), people.token()));
            Minefield { log: log.clone(), census: people.clone(), instance, _own: own }
        })
        .unwrap();
    world.settle();
    census.expect(7);
    world.tell(field, None);
    assert_eq!(world.events(), ["instance 1", "instance 2"]);
    let mut panics = world.panics.clone();
    assert_eq!(panics[..3], ["restarting", "stopped", "state"]);
    panics.sort();
    assert_eq!(
        panics,
        ["adapter", "ask", "attachment", "attachment", "restarting", "state", "stopped", "timer", "watch"]
    );
    census.expect_none();
    // A hook that panicked stops no child: that is done for it.
    assert_eq!(world.stats().actors, 1);
    assert_eq!(world.stats().restarted, 1);
}

#[test]
fn an_actor_that_is_stopped_amid_its_restart_is_gone_once() {
    for waits in [false, true] {
        let mut world = World::new();
        let log = world.log.clone();
        let wait = if waits { ms(100) } else { Duration::ZERO };
        let p = Puppet::new("p", &log).looking_after(Strategy::one_for_one().deciding(if waits {
            |_| Directive::RestartAfter(Duration::from_millis(100))
        } else {
            |_| Directive::Restart
        }));
        let p = world.kernel.spawn(p).unwrap();
        let slot = Arc::new(Mutex::new(None));
        let store = slot.clone();
        world.have(p, move |me, ctx| {
            let log = me.log.clone();
            let make = move || {
                Puppet::new("c", &log).at_restart(|_, ctx| {
                    // Its children stay, and end with it.
                    ctx.stop_self();
                })
            };
            *lock(&store) = Some(ctx.spawn_from(make).unwrap());
        });
        let c: ActorRef<Order> = lock(&slot).take().unwrap();
        world.have(c, |me, ctx| {
            for _ in 0..3 {
                let child = ctx.spawn(me.other("child").at_stop(|_, _| panic!("no"))).unwrap();
                ctx.tell(child, order(|me, ctx| _ = ctx.spawn(me.other("grandchild")).unwrap()));
            }
        });
        let w = world.puppet("w");
        world.have(w, move |_, ctx| ctx.watch(c).unwrap());
        world.tell(c, failing("oops"));
        world.tell(c, Order::Note(1));
        world.pass(wait);
        let events = world.events();
        assert_eq!(events.iter().filter(|event| *event == "c stopped").count(), 1, "{waits}: {events:?}");
        assert_eq!(events.iter().filter(|event| event.starts_with("w hears: c")).count(), 1, "{events:?}");
        assert_eq!(events.iter().filter(|event| *event == "grandchild stopped").count(), 3, "{events:?}");
        assert_eq!((world.stats().actors, world.next_deadline()), (2, None));
    }
}

#[test]
fn a_kernel_that_is_dropped_amid_restarts_drops_everything_once() {
    let census = Census::default();
    let mut world = stubborn(|_| Directive::RestartAfter(Duration::from_secs(1)));
    for turns in 0..4 {
        let (log, people) = (world.log.clone(), census.clone());
        let a = world
            .scope()
            .spawn_from(move || Puppet::new("a", &log).keeping(people.token()).at_restart(|_, _| {}))
            .unwrap();
        let token = census.token();
        world.have(a, move |me, ctx| _ = ctx.spawn(me.other("c").keeping(token)).unwrap());
        world.tell(a, failing("oops"));
        for _ in 0..turns {
            world.turn();
        }
        world.tell(a, Order::Carry(census.token()));
    }
    drop(world);
    census.expect_none();
}
