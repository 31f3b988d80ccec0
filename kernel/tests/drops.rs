//! Whatever a kernel was given is dropped exactly once: with its actor, however that ends, or with the kernel.

mod common;

use std::sync::{Arc, Mutex};

use common::{Census, Order, Puppet, Realm, Token, World, attempt, lane_of, ms, order};
#[cfg(feature = "alloc")]
use corelane_kernel::TellError;
use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadReason, Failure, Group, KernelConfig, Observe, Outcome, SpawnError, Strategy,
};

/// How an actor comes to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Stop,
    Fail,
    Panic,
    WithItsParent,
    WithTheKernel,
    WithTheKernelUnsettled,
}

const ENDS: [End; 6] =
    [End::Stop, End::Fail, End::Panic, End::WithItsParent, End::WithTheKernel, End::WithTheKernelUnsettled];

/// Brings an actor with a parent to its end.
fn end(mut world: World, census: &Census, parent: ActorRef<Order>, a: ActorRef<Order>, how: End) {
    match how {
        End::Stop => world.scope().stop(a),
        End::Fail => world.scope().fail(a, Failure::new("enough")),
        End::Panic => {
            // It comes after what waits behind a suspension, so that is resumed.
            world.scope().resume_with(a, order(|_, _| panic!("enough")));
        }
        End::WithItsParent => world.scope().stop(parent),
        End::WithTheKernel => {}
        End::WithTheKernelUnsettled => {
            for _ in 0..3 {
                world.tell(a, Order::Carry(census.token()));
            }
            world.scope().stop(a);
        }
    }
    if !matches!(how, End::WithTheKernel | End::WithTheKernelUnsettled) {
        world.settle();
        census.expect_none();
    }
    drop(world);
    census.expect_none();
}

/// A parent and its child, which keeps a token in its state.
fn child(world: &mut World, census: &Census) -> (ActorRef<Order>, ActorRef<Order>) {
    let parent = world.puppet("p");
    let token = census.token();
    let (log, slot) = (world.log.clone(), std::sync::Arc::new(std::sync::Mutex::new(None)));
    let store = slot.clone();
    world.have(parent, move |_, ctx| {
        let child = Puppet::new("c", &log).keeping(token);
        *common::lock(&store) = Some(ctx.spawn(child).unwrap());
    });
    let child = common::lock(&slot).take().unwrap();
    (parent, child)
}

type Fill = fn(&mut World, ActorRef<Order>, &Census);

/// Every place where something may wait for an actor, or hang on it.
const PLACES: [(&str, Fill); 12] = [
    ("its state", |_, _, _| {}),
    ("its stash", |world, a, census| {
        for _ in 0..3 {
            let token = census.token();
            world.have(a, move |_, ctx| assert!(ctx.stash(Order::Carry(token)).is_ok()));
        }
    }),
    ("its backlog", |world, a, census| {
        world.scope().suspend(a).unwrap();
        for _ in 0..3 {
            world.tell(a, Order::Carry(census.token()));
        }
        world.settle();
    }),
    ("what was unstashed and waits", |world, a, census| {
        let token = census.token();
        world.have(a, move |_, ctx| {
            assert!(ctx.stash(Order::Carry(token)).is_ok());
            ctx.suspend_self().unwrap();
            assert_eq!(ctx.unstash_all(), 1);
        });
    }),
    ("its timers", |world, a, census| {
        let tokens = [census.token(), census.token()];
        world.have(a, move |_, ctx| {
            for (key, token) in (0..).zip(tokens) {
                ctx.set_timer(key, ms(1000), Order::Carry(token)).unwrap();
            }
            ctx.set_receive_timeout(Some(ms(1000))).unwrap();
        });
    }),
    ("a timer that is due and waits", |world, a, census| {
        let token = census.token();
        world.have(a, move |_, ctx| ctx.set_timer(1, ms(1), Order::Carry(token)).unwrap());
        world.scope().suspend(a).unwrap();
        world.pass(ms(10));
    }),
    ("its watches' messages", |world, a, census| {
        let (token, other) = (census.token(), world.puppet("other"));
        world.have(a, move |_, ctx| ctx.watch_with(other, Order::Carry(token)).unwrap());
    }),
    ("a watch's message on its way", |world, a, census| {
        let token = census.token();
        world.scope().suspend(a).unwrap();
        // Suspended, so that the message that comes at once waits.
        let deed = move |_: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| {
            ctx.watch_with(corelane_kernel::Address::NOBODY, Order::Carry(token)).unwrap();
            ctx.suspend_self().unwrap();
        };
        world.scope().resume_with(a, order(deed));
        world.settle();
    }),
    ("its asks' closures", |world, a, census| {
        let (tokens, other) = ([census.token(), census.token()], world.puppet("other"));
        world.have(a, move |_, ctx| {
            for token in tokens {
                let question = |_: ActorRef<u64>| Order::Note(1);
                ctx.ask(other, ms(1000), question, move |_| Order::Carry(token));
            }
        });
    }),
    ("its adapters", |world, a, census| {
        let tokens = [census.token(), census.token()];
        world.have(a, move |_, ctx| {
            for token in tokens {
                ctx.adapter(move |_: u64| Order::Carry(token.clone())).unwrap();
            }
        });
    }),
    ("its attachments", |world, a, census| {
        let token = census.token();
        world.have(a, move |_, ctx| ctx.attach(token).unwrap());
        world.scope().attach(a, (census.token(), [0u64; 20])).unwrap();
    }),
    ("its children", |world, a, census| {
        let tokens = [census.token(), census.token()];
        world.have(a, move |me, ctx| {
            for token in tokens {
                ctx.spawn(me.other("grandchild").keeping(token)).unwrap();
            }
        });
    }),
];

#[test]
fn everything_about_an_actor_is_dropped_once_whichever_way_it_ends() {
    for how in ENDS {
        for (place, fill) in PLACES {
            let (mut world, census) = (World::new(), Census::default());
            let (parent, a) = child(&mut world, &census);
            fill(&mut world, a, &census);
            assert!(census.alive() > 0, "{place}");
            println!("{place}, {how:?}");
            end(world, &census, parent, a, how);
        }
    }
}

#[test]
fn everything_at_once_is_dropped_once_whichever_way_the_actor_ends() {
    for how in ENDS {
        let (mut world, census) = (World::new(), Census::default());
        let (parent, a) = child(&mut world, &census);
        for (_, fill) in PLACES {
            fill(&mut world, a, &census);
            for _ in 0..3 {
                world.scope().resume(a);
            }
        }
        world.scope().suspend(a).unwrap();
        world.tell(a, Order::Carry(census.token()));
        end(world, &census, parent, a, how);
    }
}

#[test]
fn a_handled_message_is_dropped_by_its_handler() {
    let (mut world, census) = (World::new(), Census::default());
    let a = world.puppet("a");
    for _ in 0..100 {
        world.tell(a, Order::Carry(census.token()));
    }
    census.expect(100);
    world.settle();
    census.expect_none();
}

#[test]
fn messages_in_every_groups_queue_are_dropped_with_the_kernel() {
    let (mut world, census) = (World::sized(2 << 20), Census::default());
    for group in Group::ROUND {
        let puppet = Puppet::new("a", &world.log).keeping(census.token());
        let a = world.scope().spawner().group(group).mailbox(5000).spawn(puppet).unwrap();
        for _ in 0..2000 {
            world.tell(a, Order::Carry(census.token()));
        }
    }
    // Some are handled, some are not.
    world.turn();
    assert!(census.alive() > 4000 && census.alive() < 8004);
    drop(world);
    census.expect_none();
}

#[test]
fn a_kernel_that_never_turned_drops_what_it_was_given() {
    let (mut world, census) = (World::new(), Census::default());
    let (log, tokens) = (world.log.clone(), [census.token(), census.token()]);
    let [factory, failing] = tokens;
    world.spawn(Puppet::new("value", &log).keeping(census.token())).unwrap();
    let made = world.scope().spawn_from(move || {
        let _ = &factory;
        Puppet::new("made", &log)
    });
    world
        .scope()
        .spawner()
        .try_spawn_from(move || -> Result<Puppet, Failure> {
            let _ = &failing;
            Err(Failure::new("x"))
        })
        .unwrap();
    world.tell(made.unwrap(), Order::Carry(census.token()));
    census.expect(4);
    drop(world);
    census.expect_none();
}

#[test]
fn factories_and_what_they_made_are_dropped_once() {
    for how in ENDS {
        let config = KernelConfig { supervision: Strategy::stopping(), ..KernelConfig::default() };
        let (mut world, census) = (World::with(1 << 20, config), Census::default());
        let parent = world.puppet("p");
        let (log, token, people) = (world.log.clone(), census.token(), census.clone());
        let a = world
            .scope()
            .spawn_from(move || {
                let _ = &token;
                Puppet::new("a", &log).keeping(people.token())
            })
            .unwrap();
        world.settle();
        census.expect(2);
        if how == End::WithItsParent {
            world.stop(a);
        }
        end(world, &census, parent, a, how);
    }
}

#[test]
fn what_a_refused_spawn_was_given_is_dropped() {
    let (mut world, census) = (World::new(), Census::default());
    for name in ["", "ok", "ok"] {
        let puppet = Puppet::new("a", &world.log).keeping(census.token());
        let log = world.log.clone();
        let token = census.token();
        let by_value = world.scope().spawner().name(name).spawn(puppet);
        let by_factory = world.scope().spawner().name(name).spawn_from(move || {
            let _ = &token;
            Puppet::new("b", &log)
        });
        assert!(by_factory.is_err());
        census.expect(usize::from(name == "ok"));
        let _: Result<_, SpawnError> = by_value;
    }
}

#[test]
fn the_observer_and_the_extensions_are_dropped_once() {
    struct Silent(#[allow(dead_code)] Token);
    impl Observe for Silent {
        fn dead_letter(&mut self, _: &corelane_kernel::DeadLetter, _: corelane_kernel::Path<'_>) {}
        fn failed(&mut self, _: &corelane_kernel::Subject<'_>, _: &Failure) {}
        fn panicked(&mut self, _: &Failure) {}
    }
    let (mut world, census) = (World::new(), Census::default());
    for _ in 0..3 {
        world.scope().observe(Silent(census.token())).unwrap();
        world.set_extension(census.token()).unwrap();
        census.expect(2);
    }
    world.set_extension((1u8, census.token())).unwrap();
    drop(world);
    census.expect_none();
}

#[test]
fn the_extension_that_was_set_last_is_dropped_first() {
    struct Numbered<const N: u8>(Arc<Mutex<Vec<u8>>>);
    impl<const N: u8> Drop for Numbered<N> {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(N);
        }
    }
    let (mut world, dropped) = (World::new(), Arc::new(Mutex::new(Vec::new())));
    world.set_extension(Numbered::<1>(dropped.clone())).unwrap();
    world.set_extension(Numbered::<2>(dropped.clone())).unwrap();
    world.set_extension(Numbered::<3>(dropped.clone())).unwrap();
    drop(world);
    assert_eq!(*dropped.lock().unwrap(), [3, 2, 1]);
}

#[test]
fn a_periodic_timers_message_and_its_clones_are_dropped_once() {
    struct Clock;
    impl Actor for Clock {
        type Msg = Option<Token>;
        fn receive(&mut self, message: Option<Token>, ctx: &mut Ctx<'_, Self>) -> Outcome {
            if !ctx.has_timer(1) {
                ctx.set_periodic(1, ms(1), message)?;
            }
            Ok(())
        }
    }
    for kernel_goes in [false, true] {
        let (mut world, census) = (World::new(), Census::default());
        let clock = world.spawn(Clock).unwrap();
        world.tell(clock, Some(census.token()));
        for _ in 0..20 {
            world.pass(ms(1));
            census.expect(1);
        }
        assert!(census.born() > 15);
        world.scope().suspend(clock).unwrap();
        world.pass(ms(5));
        if !kernel_goes {
            world.stop(clock);
            census.expect_none();
        }
        drop(world);
        census.expect_none();
    }
}

#[test]
fn a_panicking_drop_does_not_keep_the_kernel_from_dropping_the_rest() {
    struct Bomb(#[allow(dead_code)] Token, bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.1, "meant to");
        }
    }
    impl Actor for Bomb {
        type Msg = (Token, Option<Box<Bomb>>);
        fn receive(&mut self, _: Self::Msg, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    for in_queue in [false, true] {
        let (mut world, census) = (World::new(), Census::default());
        for n in 0..10 {
            let bomb = Bomb(census.token(), n == 5 && !in_queue);
            let a = world.spawn(bomb).unwrap();
            if n % 2 == 0 && n < 5 {
                world.settle();
            }
            let armed = n == 5 && in_queue;
            let inner = Some(Box::new(Bomb(census.token(), armed)));
            world.tell(a, (census.token(), inner));
            world.tell(a, (census.token(), None));
        }
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(world)));
        assert!(dropped.is_err());
        census.expect_none();
    }
}

// --- lanes -------------------------------------------------------------------------------------------------------

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

#[cfg(feature = "alloc")]
#[test]
fn what_is_told_while_the_receiving_kernel_goes_is_dropped_once() {
    // Before it goes, after, and into how large a lane: so that some lies in the lane, in the batch, behind both.
    for (before, after, words) in [(0, 5, 4096), (1, 5, 4096), (1, 500, 4096), (1, 500, 64), (200, 500, 4096)]
    {
        for sender_goes_too in [false, true] {
            let (mut realm, census) = (Realm::on_heap(words), Census::default());
            let a = realm.worlds[1].puppet("a");
            realm.settle();
            let mut told = 0;
            for n in 0..before + after {
                if n == before {
                    drop(realm.worlds.remove(1));
                }
                realm.worlds[0].tell(a, Order::Carry(census.token()));
                let token = census.token();
                let _ = realm.worlds[0].scope().call_on(1, move |_| drop(token));
                told += 2;
            }
            assert_eq!(census.born(), told);
            if !sender_goes_too {
                realm.settle();
                census.expect_none();
            }
            drop(realm);
            census.expect_none();
        }
    }
}

#[cfg(feature = "alloc")]
#[test]
fn what_one_thread_tells_while_the_kernel_of_another_goes_is_dropped_once() {
    use corelane_kernel::{Kernel, Seat, Time, lane};

    /// Drops what it is told.
    struct Sink;
    impl Actor for Sink {
        type Msg = Token;
        fn receive(&mut self, _: Token, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let kernel = |seat: Seat, other: usize, ways: [_; 2], ways_in: [_; 2]| {
        let [messages, signals] = ways;
        let [messages_in, signals_in] = ways_in;
        let mut kernel = Kernel::seated(common::region(64 << 10), KernelConfig::default(), seat, 2).unwrap();
        kernel.add_lane(messages_in).unwrap();
        kernel.add_signal_lane(signals_in).unwrap();
        kernel.connect(other, messages, signals);
        kernel
    };
    for round in 0..200 {
        let census = Census::default();
        let mut seats = Seat::realm(2).unwrap();
        let (here, there) = (seats.next().unwrap(), seats.next().unwrap());
        let ((to_there, there_in), (signals_to_there, signals_there)) = (lane(256), lane(64));
        let ((to_here, here_in), (signals_to_here, signals_here)) = (lane(256), lane(64));
        let (publish, published) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut there = kernel(there, 0, [to_here, signals_to_here], [there_in, signals_there]);
            publish.send(there.spawn(Sink).unwrap()).unwrap();
            for _ in 0..round {
                there.turn(Time::ZERO);
            }
        });
        let sink = published.recv().unwrap();
        let mut here = kernel(here, 1, [to_there, signals_to_there], [here_in, signals_here]);
        let mut told = 0;
        while !matches!(here.try_tell(sink, census.token()), Err(TellError::Unreachable(_))) {
            told += 1;
            if told % 7 == 0 {
                here.turn(Time::ZERO);
            }
        }
        thread.join().unwrap();
        while here.turn(Time::ZERO).more || here.has_input() {}
        census.expect_none();
    }
}

#[cfg(feature = "alloc")]
#[test]
fn a_panicking_drop_of_what_a_lane_still_holds_is_nobodys_failure() {
    struct Bomb(#[allow(dead_code)] Token);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let (mut realm, census) = (Realm::on_heap(4096), Census::default());
    let a = realm.worlds[1].puppet("a");
    realm.settle();
    let survivor = realm.worlds[0].puppet("s");
    realm.settle();
    let bomb = Bomb(census.token());
    // The last of what is told lies in the lane, not yet published.
    assert!(realm.worlds[0].scope().call_on(1, move |_| drop(bomb)).is_ok());
    drop(realm.worlds.remove(1));
    realm.settle();
    assert_eq!(realm.worlds[0].panics, ["boom"]);
    census.expect_none();
    assert!(realm.worlds[0].scope().is_alive(survivor));
    assert!(matches!(realm.worlds[0].try_tell(a, Order::Note(1)), Err(TellError::Unreachable(_))));
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

#[test]
fn boxed_and_inline_messages_are_dropped_alike() {
    let (mut world, census) = (World::new(), Census::default());
    struct Big;
    impl Actor for Big {
        type Msg = ([u64; 62], Token);
        fn receive(&mut self, _: Self::Msg, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let big = world.spawn(Big).unwrap();
    for stop in [false, true] {
        for _ in 0..20 {
            world.tell(big, ([7; 62], census.token()));
        }
        if stop {
            world.stop(big);
        }
        world.settle();
        census.expect_none();
    }
    #[cfg(feature = "alloc")]
    {
        struct Huge;
        impl Actor for Huge {
            type Msg = ([u64; 1000], Token);
            fn receive(&mut self, _: Self::Msg, _: &mut Ctx<'_, Self>) -> Outcome {
                Ok(())
            }
        }
        let huge = world.spawn(Huge).unwrap();
        world.tell(huge, ([7; 1000], census.token()));
        world.settle();
        census.expect_none();
        world.scope().suspend(huge).unwrap();
        world.tell(huge, ([7; 1000], census.token()));
        world.settle();
        world.tell(huge, ([7; 1000], census.token()));
        drop(world);
        census.expect_none();
    }
}

#[test]
fn an_unhandled_order_in_an_attempt_that_fails_is_dropped() {
    let (mut world, census) = (World::new(), Census::default());
    let a = world.puppet("a");
    let token = census.token();
    world.tell(
        a,
        attempt(move |_, _| {
            let _held = token;
            Err(Failure::new("x"))
        }),
    );
    world.settle();
    census.expect_none();
}
