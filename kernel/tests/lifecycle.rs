//! An actor's life: its start, its place in the tree, and its end in order.

mod common;

use std::sync::{Arc, Mutex};

use common::{Census, Order, Puppet, Undertaker, World, attempt, lock, ms, order};
use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, DeadReason, Directive, Failure, FailureKind, Group, Outcome, SpawnError,
};

#[test]
fn started_runs_before_the_first_message_and_stopped_after_the_last() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.tell(a, Order::Note(1));
    world.tell(a, Order::Note(2));
    assert_eq!(world.events(), ["a started", "a 1", "a 2"]);
    world.stop(a);
    assert_eq!(world.events(), ["a stopped"]);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn actors_start_in_the_order_in_which_they_were_spawned() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.puppet(name);
    }
    assert_eq!(world.events(), ["a started", "b started", "c started"]);
}

#[test]
fn a_child_starts_after_the_handler_that_spawned_it_and_before_its_first_message() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.have(a, |me, ctx| {
        let b = ctx.spawn(me.other("b")).unwrap();
        ctx.tell(b, Order::Note(1));
        me.say("is done");
    });
    assert_eq!(world.events(), ["a started", "a is done", "b started", "b 1"]);
}

#[test]
fn an_actor_stopped_before_its_first_turn_starts_and_stops() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.tell(a, Order::Note(1));
    world.stop(a);
    assert_eq!(world.events(), ["a started", "a stopped"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn an_actor_that_ends_before_its_start_has_no_hooks_and_its_state_is_dropped_once() {
    let mut world = World::new();
    let a = world.puppet("a");
    let census = Census::default();
    let (plain, with_side) = (census.token(), census.token());
    world.have(a, move |me, ctx| {
        // The stop comes before their start signals.
        ctx.stop_self();
        let b = ctx.spawn(me.other("b").keeping(plain)).unwrap();
        ctx.tell(b, Order::Note(1));
        ctx.spawner().name("c").spawn(me.other("c").keeping(with_side)).unwrap();
        let mut log = Some(me.other("d"));
        ctx.spawn_from(move || log.take().unwrap()).unwrap();
    });
    assert_eq!(world.events(), ["a started", "a stopped"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
    assert_eq!(world.stats().actors, 0);
    census.expect_none();
}

#[test]
fn a_factory_makes_the_state_when_the_actor_starts() {
    let mut world = World::new();
    let log = world.log.clone();
    let a = world
        .scope()
        .spawn_from(move || {
            log.add("made");
            Puppet::new("a", &log)
        })
        .unwrap();
    assert_eq!(world.log.take(), [""; 0]);
    world.tell(a, Order::Note(1));
    assert_eq!(world.events(), ["made", "a started", "a 1"]);
}

#[test]
fn a_state_need_not_be_send() {
    struct Local(std::rc::Rc<std::cell::Cell<u32>>);
    impl Actor for Local {
        type Msg = u32;
        fn receive(&mut self, n: u32, _: &mut Ctx<'_, Self>) -> Outcome {
            self.0.set(self.0.get() + n);
            Ok(())
        }
    }
    let mut world = World::new();
    let sum = std::rc::Rc::new(std::cell::Cell::new(0));
    let a = world.spawn(Local(sum.clone())).unwrap();
    world.tell(a, 40);
    world.tell(a, 2);
    world.settle();
    assert_eq!(sum.get(), 42);
}

#[test]
fn a_factory_that_fails_is_its_actors_failure_before_anything_was_handled() {
    let mut world = World::new();
    let log = world.log.clone();
    let parent = world.puppet("p");
    world.have(parent, move |me, ctx| {
        let child = ctx
            .spawner()
            .try_spawn_from(move || -> Result<Puppet, Failure> {
                log.add("tried");
                Err(Failure::new("no database"))
            })
            .unwrap();
        me.log.know(child.address(), "c");
        ctx.watch(child).unwrap();
        ctx.tell(child, Order::Note(1));
    });
    let events = world.events();
    assert_eq!(
        events,
        [
            "p started",
            "tried",
            "p decides on c: failed start: no database",
            "p hears: c failed (failed start: no database)"
        ]
    );
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
    assert_eq!((world.stats().failed, world.stats().actors), (1, 1));
}

#[test]
fn a_started_hook_that_fails_ends_the_actor_before_its_first_message() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let child = me.other("c").at_start(|_, _| Err(Failure::new("not today")));
        let child = ctx.spawn(child).unwrap();
        ctx.tell(child, Order::Note(1));
    });
    assert_eq!(
        world.events(),
        ["p started", "c started", "p decides on c: failed start: not today", "c stopped"]
    );
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn an_actor_whose_factory_never_ran_is_stopped_without_hooks() {
    let mut world = World::new();
    let census = Census::default();
    let token = census.token();
    let p = world.puppet("p");
    world.have(p, move |me, ctx| {
        let log = me.log.clone();
        let child = ctx.spawn_from(move || {
            let _ = &token;
            log.add("made");
            Puppet::new("c", &log)
        });
        // The parent's own end is asked for first, the child's start comes before it; a failure comes before both.
        let child = child.unwrap();
        ctx.watch(child).unwrap();
        ctx.stop(child);
    });
    assert_eq!(world.events(), ["p started", "made", "c started", "c stopped", "p hears: c stopped"]);
    census.expect_none();
}

#[test]
fn children_spawned_by_a_handler_that_fails_stop_without_having_been_made() {
    let mut world = World::new();
    let census = Census::default();
    let token = census.token();
    let p = world.puppet("p");
    world.settle();
    world.tell(
        p,
        attempt(move |me, ctx| {
            let log = me.log.clone();
            let made = move || {
                let _ = &token;
                log.add("made");
                Puppet::new("c", &log)
            };
            ctx.spawn_from(made).unwrap();
            Err(Failure::new("changed my mind"))
        }),
    );
    assert_eq!(world.events(), ["p started", "p stopped"]);
    census.expect_none();
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn children_stop_before_their_parent_leaves_first() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.have(a, |me, ctx| {
        let b = ctx.spawn(me.other("b")).unwrap();
        let c = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(b, order(|me, ctx| _ = ctx.spawn(me.other("b1")).unwrap()));
        ctx.tell(b, order(|me, ctx| _ = ctx.spawn(me.other("b2")).unwrap()));
        ctx.tell(c, order(|me, ctx| _ = ctx.spawn(me.other("c1")).unwrap()));
    });
    world.events();
    world.stop(a);
    let events = world.events();
    assert_eq!(events.len(), 6);
    let at = |name: &str| events.iter().position(|e| *e == format!("{name} stopped")).unwrap();
    assert!(at("b1") < at("b") && at("b2") < at("b") && at("c1") < at("c"));
    assert!(at("b") < at("a") && at("c") < at("a"));
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn stopping_finishes_the_message_at_hand_then_buries_those_that_wait_then_tells_watchers() {
    let mut world = World::new();
    let (log, watcher) = (world.log.clone(), world.puppet("w"));
    let undertaker = world.spawn(Undertaker(log)).unwrap();
    world.scope().subscribe_dead_letters(undertaker).unwrap();
    let a = world.puppet("a");
    world.have(watcher, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.tell(
        a,
        order(|me, ctx| {
            ctx.stop_self();
            me.say("goes on to the end of its handler");
        }),
    );
    world.tell(a, Order::Note(1));
    world.tell(a, Order::Note(2));
    assert_eq!(
        world.events(),
        [
            "a goes on to the end of its handler",
            "a stopped",
            "dead letter for a: no such actor",
            "dead letter for a: no such actor",
            "w hears: a stopped"
        ]
    );
}

#[test]
fn stopping_one_that_is_gone_does_nothing_and_stopping_twice_is_stopping_once() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.settle();
    world.scope().stop(a);
    world.scope().stop(a);
    world.stop(a);
    world.stop(a);
    world.stop(Address::NOBODY);
    assert_eq!(world.events(), ["a started", "b started", "a stopped"]);
    assert!(world.scope().is_alive(b) && !world.scope().is_alive(a));
    assert!(!world.scope().is_alive(Address::NOBODY));
}

/// Conformance 6.
#[test]
fn a_stopping_actor_spawns_no_children() {
    let mut world = World::new();
    let results = Arc::new(Mutex::new(Vec::new()));
    let seen = results.clone();
    let puppet = Puppet::new("a", &world.log).at_stop(move |me, ctx| {
        let child = ctx.spawn(me.other("child")).map(drop);
        let named = ctx.spawner().name("x").spawn(me.other("child")).map(drop);
        let top = ctx.scope().spawn(me.other("top")).map(drop);
        lock(&seen).extend([child, named, top]);
    });
    let a = world.spawn(puppet).unwrap();
    world.settle();
    world.stop(a);
    assert_eq!(*lock(&results), [Err(SpawnError::Stopping), Err(SpawnError::Stopping), Ok(())]);
    assert_eq!(world.events(), ["a started", "a stopped", "top started"]);
    assert_eq!(world.stats().actors, 1);
}

/// Conformance 6.
#[test]
fn stopping_all_ends_every_top_level_actor_and_all_below() {
    let mut world = World::new();
    for name in ["a", "b"] {
        let top = world.puppet(name);
        world.have(top, |me, ctx| _ = ctx.spawn(me.other("child")).unwrap());
    }
    world.events();
    world.scope().stop_all();
    let mut events = world.events();
    events.sort();
    assert_eq!(events, ["a stopped", "b stopped", "child stopped", "child stopped"]);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn a_large_family_stops_over_several_turns_while_others_are_served() {
    const CHILDREN: u64 = 20_000;
    struct Leaf;
    impl Actor for Leaf {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut world = World::sized(16 << 20);
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.have(a, |_, ctx| {
        for _ in 0..CHILDREN {
            ctx.spawn(Leaf).unwrap();
        }
    });
    assert_eq!(world.stats().actors, CHILDREN + 2);
    world.events();
    world.scope().stop(a);
    let mut turns = 0;
    while world.stats().actors > 1 {
        world.tell(b, Order::Note(turns));
        let turn = world.turn();
        assert!(turn.more || world.stats().actors == 1, "a driver would sleep before the family has stopped");
        turns += 1;
    }
    assert!(turns > 3, "one turn closed {} cells", CHILDREN / turns);
    let events = world.events();
    assert!(events.iter().filter(|e| e.starts_with("b ")).count() as u64 >= turns);
    assert_eq!(events.iter().filter(|e| *e == "a stopped").count(), 1);
}

#[test]
fn a_failing_actor_is_stopped_and_its_parent_and_watchers_are_told_why() {
    let mut world = World::new();
    let (p, w) = (world.puppet("p"), world.puppet("w"));
    world.have(p, move |me, ctx| {
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(
            w,
            order(move |_, ctx| {
                ctx.watch(child).unwrap();
                ctx.tell(child, order(|me, ctx| _ = ctx.spawn(me.other("grandchild")).unwrap()));
                ctx.tell(
                    child,
                    attempt(|_, _| {
                        "seven".parse::<u8>()?;
                        Ok(())
                    }),
                );
                ctx.tell(child, Order::Note(1));
            }),
        );
    });
    assert_eq!(
        world.events(),
        [
            "p started",
            "w started",
            "c started",
            "grandchild started",
            "p decides on c: error: invalid digit found in string",
            "grandchild stopped",
            "c stopped",
            "w hears: c failed (error: invalid digit found in string)"
        ]
    );
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1), (DeadReason::Failed, 1)]);
    assert_eq!(world.stats().failed, 1);
}

#[test]
fn a_failure_names_its_error() {
    let mut world = World::new();
    let seen = Arc::new(Mutex::new(None));
    let store = seen.clone();
    struct Parent(Arc<Mutex<Option<Failure>>>);
    impl Actor for Parent {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            let child = ctx.spawn(Child)?;
            ctx.tell(child, "no number");
            Ok(())
        }
        fn decide(&mut self, _: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
            *lock(&self.0) = Some(failure.clone());
            Directive::Stop
        }
    }
    struct Child;
    impl Actor for Child {
        type Msg = &'static str;
        fn receive(&mut self, text: &'static str, _: &mut Ctx<'_, Self>) -> Outcome {
            text.parse::<u64>()?;
            Ok(())
        }
    }
    world.spawn(Parent(store)).unwrap();
    world.settle();
    let failure = lock(&seen).clone().unwrap();
    assert!(failure.is::<std::num::ParseIntError>() && !failure.is::<std::fmt::Error>());
    assert_eq!(failure.kind(), FailureKind::Error);
    assert_eq!(failure.text(), "invalid digit found in string");
    assert_eq!(failure.error_name(), "core::num::error::ParseIntError");
}

#[test]
fn a_parent_that_fails_over_its_childs_failure_goes_too() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        me.at_failure_of_child = Some(Box::new(|_, _| Err(Failure::new("cannot go on without it"))));
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(child, attempt(|_, _| Err(Failure::new("bad day"))));
    });
    assert_eq!(
        world.events(),
        ["p started", "c started", "p decides on c: error: bad day", "c stopped", "p stopped"]
    );
    assert_eq!(world.stats().failed, 2);
}

#[test]
fn a_handler_that_asks_to_stop_and_then_fails_has_failed() {
    let mut world = World::new();
    let w = world.puppet("w");
    let a = world.puppet("a");
    world.have(w, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.tell(
        a,
        attempt(|_, ctx| {
            ctx.stop_self();
            Err(Failure::new("and failed"))
        }),
    );
    assert_eq!(world.events(), ["a stopped", "w hears: a failed (error: and failed)"]);
}

#[test]
fn a_driver_can_fail_an_actor() {
    let mut world = World::new();
    let (w, a) = (world.puppet("w"), world.puppet("a"));
    world.have(w, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.scope().fail(a, Failure::new("its future was lost"));
    assert_eq!(world.events(), ["a stopped", "w hears: a failed (error: its future was lost)"]);
    world.scope().fail(a, Failure::new("again"));
    world.scope().fail(Address::NOBODY, Failure::new("nobody"));
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.stats().failed, 1);
}

#[test]
fn an_actor_that_has_itself_or_its_parent_failed_finishes_its_handler_first() {
    let mut world = World::new();
    let census = Census::default();
    for fail_parent in [false, true] {
        let p = world.puppet("p");
        let token = census.token();
        world.have(p, move |me, ctx| {
            let child = ctx.spawn(me.other("c").keeping(token)).unwrap();
            ctx.tell(
                child,
                order(move |me, ctx| {
                    let whom = if fail_parent { ctx.parent() } else { ctx.me().address() };
                    ctx.scope().fail(whom, Failure::new("told to"));
                    assert_eq!(me.kept.len(), 1, "the state is still there");
                    me.say("is done");
                }),
            );
        });
        let events = world.events();
        if fail_parent {
            assert_eq!(events, ["p started", "c started", "c is done", "c stopped", "p stopped"]);
        } else {
            let expected =
                ["p started", "c started", "c is done", "p decides on c: error: told to", "c stopped"];
            assert_eq!(events, expected);
            world.stop(p);
            world.events();
        }
        census.expect_none();
    }
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn a_child_may_stop_its_parent_and_is_stopped_with_it() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(
            child,
            order(|me, ctx| {
                let parent = ctx.parent();
                ctx.stop(parent);
                ctx.stop_self();
                me.say("is done");
            }),
        );
    });
    assert_eq!(world.events(), ["p started", "c started", "c is done", "c stopped", "p stopped"]);
}

#[test]
fn what_a_stopped_hook_tells_itself_or_sets_comes_to_nothing() {
    let mut world = World::new();
    let census = Census::default();
    let tokens: Vec<_> = (0..6).map(|_| census.token()).collect();
    let (log, mut carried) = (world.log.clone(), tokens.into_iter());
    let mut next = move || Order::Carry(carried.next().unwrap());
    let puppet = Puppet::new("a", &log).at_stop(move |_, ctx| {
        let me = ctx.me();
        ctx.tell(me, next());
        ctx.set_timer(1, ms(0), next()).unwrap();
        ctx.set_receive_timeout(Some(ms(0))).unwrap();
        ctx.stash(next()).map_err(|_| "refused").unwrap();
        assert_eq!(ctx.unstash_all(), 1);
        ctx.stash(next()).map_err(|_| "refused").unwrap();
        ctx.watch_with(me, next()).unwrap();
        let last = next();
        ctx.ask(me, ms(5), |_: ActorRef<u64>| Order::Note(9), move |_| last);
        ctx.suspend_self().unwrap();
    });
    let a = world.spawn(puppet).unwrap();
    world.settle();
    world.stop(a);
    world.pass(ms(100));
    assert_eq!(world.events(), ["a started", "a stopped"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 2), (DeadReason::Stopped, 2)]);
    census.expect_none();
}

#[test]
fn an_adapter_made_in_a_stopped_hook_leads_to_nobody_for_ever() {
    /// Would misread what is told through an adapter of another type's.
    struct Heir(Arc<Mutex<Vec<String>>>);
    impl Actor for Heir {
        type Msg = String;
        fn receive(&mut self, text: String, _: &mut Ctx<'_, Self>) -> Outcome {
            lock(&self.0).push(text);
            Ok(())
        }
    }
    struct Testator(Arc<Mutex<Option<ActorRef<u64>>>>, Option<common::Token>);
    impl Actor for Testator {
        type Msg = u64;
        fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
            let token = self.1.take();
            let adapter = ctx.adapter(move |n: u64| {
                let _ = &token;
                n
            });
            *lock(&self.0) = adapter.ok();
        }
    }
    let mut world = World::new();
    let (census, left, got) = (Census::default(), Arc::new(Mutex::new(None)), Arc::default());
    let testator = world.spawn(Testator(left.clone(), Some(census.token()))).unwrap();
    world.settle();
    world.stop(testator);
    census.expect_none();
    let heirs: Vec<_> = (0..8).map(|_| world.spawn(Heir(Arc::clone(&got))).unwrap()).collect();
    let adapter: ActorRef<u64> = lock(&left).take().expect("an address all the same");
    world.tell(adapter, 77);
    world.tell(heirs[0], "mine".to_owned());
    world.settle();
    assert_eq!(*lock(&got), ["mine"]);
    assert_eq!(world.stats().dead_letters, 1);
}

#[test]
fn an_actor_knows_itself_its_parent_and_its_children() {
    let mut world = World::new();
    let p = world.puppet("p");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let store = seen.clone();
    world.have(p, move |me, ctx| {
        assert_eq!(ctx.parent(), Address::NOBODY);
        let a = ctx.spawner().name("a").spawn(me.other("a")).unwrap();
        let b = ctx.spawn(me.other("b")).unwrap();
        // An adapter is no child.
        ctx.adapter(Order::Note).unwrap();
        let mut children = Vec::new();
        ctx.children(|child| children.push(child));
        assert_eq!(children, [b.address(), a.address()]);
        assert_eq!((ctx.child("a"), ctx.child("b")), (Some(a.address()), None));
        assert_eq!(ctx.name(), None);
        for child in [a, b] {
            let store = store.clone();
            let deed = move |_: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| {
                assert_eq!(ctx.me(), child);
                lock(&store).push((ctx.parent(), ctx.name().map(str::to_owned)));
            };
            ctx.tell(child, order(deed));
        }
    });
    assert_eq!(*lock(&seen), [(p.address(), Some("a".to_owned())), (p.address(), None)]);
    assert_eq!(world.panics, [""; 0]);
}

#[test]
fn a_stopped_child_is_no_longer_among_the_children() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        for _ in 0..3 {
            ctx.spawn(me.other("c")).unwrap();
        }
        let mut children = Vec::new();
        ctx.children(|child| children.push(child));
        ctx.stop(children[1]);
        let rest = [children[0], children[2]];
        let me = ctx.me();
        ctx.tell(
            me,
            order(move |me, ctx| {
                let mut left = Vec::new();
                ctx.children(|child| left.push(child));
                assert_eq!(left, rest);
                me.say("counted");
            }),
        );
    });
    assert!(world.events().contains(&"p counted".to_owned()));
}

#[test]
fn an_extension_is_one_value_of_its_type_for_the_whole_kernel() {
    let mut world = World::new();
    let census = Census::default();
    assert!(world.extension::<u64>().is_none());
    world.set_extension(7u64).unwrap();
    world.set_extension(census.token()).unwrap();
    world.set_extension(census.token()).unwrap();
    census.expect(1);
    let a = world.puppet("a");
    world.have(a, |me, ctx| {
        *ctx.scope().extension::<u64>().unwrap() += 1;
        ctx.scope().set_extension("text").unwrap();
        me.say("did");
    });
    assert_eq!(world.events(), ["a started", "a did"]);
    assert_eq!(world.extension::<u64>(), Some(&mut 8));
    assert_eq!(world.scope().extension::<&str>(), Some(&mut "text"));
    drop(world);
    census.expect_none();
}

#[test]
fn what_is_attached_is_dropped_when_the_actor_ends() {
    let mut world = World::new();
    let census = Census::default();
    let a = world.puppet("a");
    let (one, two) = (census.token(), census.token());
    world.have(a, move |_, ctx| {
        ctx.attach(one).unwrap();
        ctx.attach((two, 5u8)).unwrap();
    });
    let third = census.token();
    world.scope().attach(a, third).unwrap();
    census.expect(3);
    world.stop(a);
    census.expect_none();
    // It has ended: dropped at once.
    let late = census.token();
    world.scope().attach(a, late).unwrap();
    census.expect_none();
}

#[test]
fn an_addresss_group_is_the_one_it_was_spawned_in() {
    let mut world = World::new();
    for group in Group::ROUND {
        let puppet = Puppet::new("a", &world.log);
        let a = world.scope().spawner().group(group).spawn(puppet).unwrap();
        assert_eq!(a.address().group(), group);
        assert_eq!(a.place(), world.place());
    }
}
