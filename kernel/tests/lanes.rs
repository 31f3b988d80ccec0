//! Lanes: what crosses between two kernels of a realm arrives once and in order, spills when a lane is full, is refused
//! when its outbox is full as well, and never stands in a signal's way.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use common::{Census, Order, Puppet, Realm, World, lane_of, lock, order};
use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadReason, Group, Kernel, KernelConfig, KernelError, LaneMemory, Outcome, Seat,
    SpawnError, TellError, Time,
};

#[test]
fn a_message_crosses_in_order_and_with_its_drop() {
    let mut realm = Realm::pair();
    let census = Census::default();
    let a = realm.worlds[1].puppet("a");
    for n in 0..500 {
        realm.worlds[0].tell(a, Order::Note(n));
        realm.worlds[0].tell(a, Order::Carry(census.token()));
    }
    let events = realm.events();
    assert_eq!(events.len(), 501);
    assert!(events[1..].iter().enumerate().all(|(n, event)| *event == format!("a {n}")));
    census.expect_none();
}

#[test]
fn messages_of_many_types_and_calls_keep_their_order_on_their_way() {
    /// Notes the numbers it is told, in messages of so many words.
    struct Wide<const WORDS: usize>(Arc<Mutex<Vec<u64>>>);
    impl<const WORDS: usize> Actor for Wide<WORDS> {
        type Msg = [u64; WORDS];
        fn receive(&mut self, msg: [u64; WORDS], _: &mut Ctx<'_, Self>) -> Outcome {
            assert!(msg.iter().all(|word| *word == msg[0]));
            lock(&self.0).push(msg[0]);
            Ok(())
        }
    }
    let config = KernelConfig { batch_words: 64, ..KernelConfig::default() };
    let mut realm = Realm::new::<512>(2, 1 << 20, &config);
    let noted = Arc::new(Mutex::new(Vec::new()));
    let narrow = realm.worlds[1].spawn(Wide::<1>(noted.clone())).unwrap();
    let middling = realm.worlds[1].spawn(Wide::<5>(noted.clone())).unwrap();
    let wide = realm.worlds[1].spawn(Wide::<40>(noted.clone())).unwrap();
    realm.settle();
    let mut random = common::Random(7);
    for n in 0..4000 {
        // One type for a while, then another; the lane runs full now and then.
        for _ in 0..random.below(4) {
            let noted = noted.clone();
            let mut scope = realm.worlds[0].kernel.scope();
            match random.below(8) {
                0 => assert!(scope.call_on(1, move |_| lock(&noted).push(n)).is_ok()),
                1 => scope.tell(wide, [n; 40]),
                2 | 3 => scope.tell(middling, [n; 5]),
                _ => scope.tell(narrow, [n]),
            }
        }
        match random.below(40) {
            0 => drop(realm.worlds[1].turn()),
            1..4 => realm.worlds[0].flush(),
            4 => realm.settle(),
            _ => {}
        }
    }
    realm.settle();
    let noted = lock(&noted);
    assert!(noted.is_sorted() && noted.len() > 4000, "{} in order", noted.len());
    assert_eq!(realm.worlds[0].letters(), []);
}

#[test]
fn a_batch_too_small_for_a_message_or_too_large_to_count_is_refused() {
    for (batch_words, fits) in [(63, false), (64, true), (1 << 20, true), ((1 << 20) + 1, false)] {
        let seat = Seat::realm(1).unwrap().next().unwrap();
        let config = KernelConfig { batch_words, ..KernelConfig::default() };
        match Kernel::seated(common::region(1 << 20), config, seat, 1) {
            Ok(_) => assert!(fits, "{batch_words}"),
            Err(KernelError::Config(text)) => assert!(!fits && text.contains("batch_words"), "{text}"),
            Err(other) => panic!("{batch_words}: {other}"),
        }
    }
}

#[test]
fn actors_of_two_kernels_talk_both_ways() {
    /// The address of the referee travels in the message, and is told.
    type Pass = (u32, ActorRef<(u32, u8)>);
    struct Player {
        other: Option<ActorRef<Pass>>,
        count: Arc<Mutex<u32>>,
    }
    impl Actor for Player {
        type Msg = Pass;
        fn receive(&mut self, (left, back): Pass, ctx: &mut Ctx<'_, Self>) -> Outcome {
            *lock(&self.count) += 1;
            ctx.tell(back, (left, 0));
            if let Some(other) = self.other.filter(|_| left > 0) {
                ctx.tell(other, (left - 1, back));
            }
            Ok(())
        }
    }
    struct Referee(Arc<Mutex<u32>>);
    impl Actor for Referee {
        type Msg = (u32, u8);
        fn receive(&mut self, _: (u32, u8), _: &mut Ctx<'_, Self>) -> Outcome {
            *lock(&self.0) += 1;
            Ok(())
        }
    }
    let mut realm = Realm::pair();
    let (count, judged) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let b = realm.worlds[1].spawn(Player { other: None, count: count.clone() }).unwrap();
    let a = realm.worlds[0].spawn(Player { other: Some(b), count: count.clone() }).unwrap();
    let referee = realm.worlds[1].spawn(Referee(judged.clone())).unwrap();
    for _ in 0..100 {
        realm.worlds[0].tell(a, (1, referee));
    }
    realm.settle();
    assert_eq!((*lock(&count), *lock(&judged)), (200, 200));
}

#[test]
fn a_full_lane_spills_in_order_and_then_says_full() {
    let config = KernelConfig { outbox_bytes: 2048, ..KernelConfig::default() };
    let mut realm = Realm::new::<16>(2, 1 << 20, &config);
    let census = Census::default();
    let a = realm.worlds[1].puppet("a");
    realm.events();
    let mut told = 0;
    let refused = loop {
        match realm.worlds[0].try_tell(a, Order::Note(told)) {
            Ok(()) => told += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, TellError::Full(Order::Note(n)) if n == told));
    assert!(told > 20 && realm.worlds[0].spilled());
    realm.worlds[0].tell(a, Order::Carry(census.token()));
    census.expect_none();
    assert_eq!(realm.worlds[0].letters(), [(DeadReason::QueueFull, 1)]);
    let expected: Vec<String> = (0..told).map(|n| format!("a {n}")).collect();
    assert_eq!(realm.events(), expected);
    assert!(!realm.worlds[0].spilled());
    // Room again for as many, give or take what the end of the ring leaves over.
    for n in 0..told - 4 {
        realm.worlds[0].try_tell(a, Order::Note(n)).expect("room again");
    }
    assert_eq!(realm.events(), expected[..told as usize - 4]);
}

#[test]
fn order_holds_through_lane_and_outbox_for_every_lane_size() {
    fn check<const WORDS: usize>() {
        let mut realm = Realm::new::<WORDS>(2, 1 << 20, &KernelConfig::default());
        let a = realm.worlds[1].puppet("a");
        realm.events();
        let mut random = common::Random(WORDS as u64);
        let mut expected = Vec::new();
        for n in 0..600 {
            realm.worlds[0].tell(a, Order::Note(n));
            expected.push(format!("a {n}"));
            match random.below(8) {
                0 => drop(realm.worlds[0].turn()),
                1 => drop(realm.worlds[1].turn()),
                2 => realm.worlds[0].flush(),
                _ => {}
            }
        }
        assert_eq!(realm.events(), expected, "{WORDS}");
        assert_eq!(realm.worlds[0].letters(), []);
    }
    check::<16>();
    check::<32>();
    check::<64>();
    check::<256>();
    check::<4096>();
}

#[test]
fn a_message_that_a_lane_can_never_hold_is_too_large() {
    struct Big;
    impl Actor for Big {
        type Msg = [u64; 32];
        fn receive(&mut self, _: [u64; 32], _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut realm = Realm::new::<32>(2, 1 << 20, &KernelConfig::default());
    let big = realm.worlds[1].spawn(Big).unwrap();
    realm.settle();
    let refused = realm.worlds[0].try_tell(big, [1; 32]).unwrap_err();
    assert_eq!((format!("{refused:?}"), refused.into_inner()), ("TooLarge(..)".to_owned(), [1; 32]));
    // It is on its own kernel that it fits.
    realm.worlds[1].try_tell(big, [1; 32]).unwrap();
    let (mut gateway, receiver) = lane_of::<32>();
    realm.worlds[1].add_lane(receiver).unwrap();
    assert!(matches!(gateway.try_tell(big, [2; 32]), Err(TellError::TooLarge([2, ..]))));
    let large = [1u64; 40];
    assert!(matches!(gateway.try_call(move |_| _ = large.len()), Err(TellError::TooLarge(_))));
}

/// Reliability 20.
#[test]
fn signals_cross_however_full_the_messages_way_is() {
    let config = KernelConfig { outbox_bytes: 1024, ..KernelConfig::default() };
    let mut realm = Realm::new::<16>(2, 1 << 20, &config);
    let (w, a) = (realm.worlds[0].puppet("w"), realm.worlds[1].puppet("a"));
    realm.events();
    realm.worlds[0].tell(
        w,
        order(move |me, ctx| {
            while ctx.try_tell(a, Order::Note(0)).is_ok() {}
            ctx.watch(a).unwrap();
            ctx.stop(a);
            me.say("asked");
        }),
    );
    realm.worlds[0].turn();
    realm.worlds[1].turn();
    let events = realm.log().take();
    assert_eq!(events.first().unwrap(), "w asked");
    // The stop is there, and handled before the messages of its turn; what had come with them is dead.
    assert!(events.contains(&"a stopped".to_owned()), "{events:?}");
    assert!(realm.events().contains(&"w hears: a stopped".to_owned()));
}

#[test]
fn thousands_of_signals_spill_and_arrive() {
    const MANY: usize = 2000;
    let mut realm = Realm::new::<16>(2, 4 << 20, &KernelConfig::default());
    let all: Vec<_> = (0..MANY).map(|_| realm.worlds[1].puppet("t")).collect();
    let w = realm.worlds[0].puppet("w");
    realm.events();
    let targets = all.clone();
    realm.worlds[0].tell(
        w,
        order(move |_, ctx| {
            for target in &targets {
                ctx.watch(*target).unwrap();
            }
            for target in &targets {
                ctx.stop(*target);
            }
        }),
    );
    let events = realm.events();
    assert_eq!(events.iter().filter(|e| *e == "w hears: t stopped").count(), MANY);
    assert_eq!(events.len(), 2 * MANY);
    assert_eq!(realm.worlds[1].stats().actors, 0);
}

#[test]
fn calls_run_on_the_other_kernel_in_order_with_messages() {
    let mut realm = Realm::pair();
    let a = realm.worlds[1].puppet("a");
    realm.events();
    let log = realm.log();
    for n in 0..3 {
        realm.worlds[0].tell(a, Order::Note(10 * n));
        let (log, inner) = (log.clone(), log.clone());
        realm.worlds[0]
            .scope()
            .call_on(1, move |scope| {
                log.add(format!("call {n} on {}", scope.place().shard()));
                let new = scope.spawn(Puppet::new("new", &inner)).unwrap();
                scope.stop(new);
            })
            .map_err(|_| "refused")
            .unwrap();
        realm.worlds[0].tell(a, Order::Note(10 * n + 1));
    }
    let events: Vec<_> = realm.events().into_iter().filter(|e| !e.starts_with("new")).collect();
    assert_eq!(
        events,
        ["a 0", "call 0 on 1", "a 1", "a 10", "call 1 on 1", "a 11", "a 20", "call 2 on 1", "a 21"]
    );
}

#[test]
fn a_call_to_a_shard_that_does_not_exist_or_is_ones_own_comes_back() {
    let mut realm = Realm::pair();
    let census = Census::default();
    for shard in [0, 2, 1000] {
        let token = census.token();
        let refused = realm.worlds[0].scope().call_on(shard, move |_| drop(token)).map_err(|e| e.to_string());
        assert_eq!(refused, Err("no way leads to the actor".to_owned()));
        census.expect_none();
    }
    // A kernel on its own has no other at all.
    assert!(World::new().scope().call_on(0, |_| ()).is_err());
}

#[test]
fn groups_that_may_wait_do_not_hold_up_the_lane() {
    let mut realm = Realm::new::<4096>(2, 1 << 20, &KernelConfig::default());
    let census = Census::default();
    let bulk = {
        let puppet = Puppet::new("bulk", &realm.log());
        realm.worlds[1].scope().spawner().group(Group::Bulk).spawn(puppet).unwrap()
    };
    let a = realm.worlds[1].puppet("a");
    realm.events();
    for n in 0..300 {
        realm.worlds[0].tell(bulk, Order::Note(n));
    }
    realm.worlds[0].tell(a, Order::Note(1));
    realm.worlds[0].tell(bulk, Order::Carry(census.token()));
    realm.worlds[0].flush();
    realm.worlds[1].turn();
    let events = realm.log().take();
    let at = events.iter().position(|e| e == "a 1").expect("handled in the first turn");
    assert!(at <= 128, "behind {at}");
    assert_eq!(events.len() + realm.events().len(), 301);
    census.expect_none();
}

#[test]
fn a_slow_groups_full_queue_leaves_its_messages_in_the_lane() {
    // The queue of a group holds less than the lane.
    let config = KernelConfig { queue_share: 1, shares: [512, 512, 8, 8], ..KernelConfig::default() };
    let mut realm = Realm::new::<8192>(2, 64 << 10, &config);
    let bulk = {
        let puppet = Puppet::new("bulk", &realm.log());
        realm.worlds[1].scope().spawner().group(Group::Bulk).spawn(puppet).unwrap()
    };
    realm.events();
    let mut told = 0;
    while realm.worlds[0].try_tell(bulk, Order::Note(told)).is_ok() {
        told += 1;
    }
    let expected: Vec<String> = (0..told).map(|n| format!("bulk {n}")).collect();
    assert_eq!(realm.events(), expected);
    assert_eq!((realm.worlds[1].letters(), told > 1000), (vec![], true));
}

#[test]
fn a_lanes_budget_leaves_the_rest_for_the_next_turn() {
    let config = KernelConfig { budget: 10, ..KernelConfig::default() };
    let mut realm = Realm::new::<4096>(2, 1 << 20, &config);
    let a = realm.worlds[1].puppet("a");
    realm.events();
    for n in 0..95 {
        realm.worlds[0].tell(a, Order::Note(n));
    }
    realm.worlds[0].flush();
    for turn in 1..=10 {
        assert!(realm.worlds[1].has_input(), "turn {turn}");
        realm.worlds[1].turn();
        assert_eq!(realm.log().take().len(), if turn < 10 { 10 } else { 5 });
    }
    assert!(!realm.worlds[1].has_input());
}

#[test]
fn a_panic_amid_a_lanes_messages_loses_none_and_repeats_none() {
    let mut realm = Realm::pair();
    let census = Census::default();
    let (a, b) = (realm.worlds[1].puppet("a"), realm.worlds[1].puppet("b"));
    realm.events();
    for n in 0..10 {
        realm.worlds[0].tell(b, Order::Note(n));
        realm.worlds[0].tell(a, Order::Carry(census.token()));
        let token = census.token();
        realm.worlds[0].tell(
            a,
            order(move |_, _| {
                let _held = token;
                panic!("boom")
            }),
        );
    }
    let events = realm.events();
    let of_b: Vec<_> = events.into_iter().filter(|e| e.starts_with("b ")).collect();
    assert_eq!(of_b, (0..10).map(|n| format!("b {n}")).collect::<Vec<_>>());
    census.expect_none();
    assert_eq!(realm.worlds[1].panics, ["boom"]);
    assert_eq!(realm.worlds[1].letters(), [(DeadReason::NoActor, 18), (DeadReason::Failed, 1)]);
}

#[test]
fn a_kernel_dropped_amid_a_lanes_messages_drops_each_once() {
    for recover in [false, true] {
        let mut realm = Realm::pair();
        let census = Census::default();
        let (a, b) = (realm.worlds[1].puppet("a"), realm.worlds[1].puppet("b"));
        realm.events();
        for n in 0..20 {
            realm.worlds[0].tell(a, Order::Carry(census.token()));
            if n == 10 {
                realm.worlds[0].tell(b, order(|_, _| panic!("boom")));
            }
        }
        realm.worlds[0].flush();
        let mut world = realm.worlds.pop().unwrap();
        let now = world.now;
        if recover {
            world.turn();
        } else {
            let turn = std::panic::AssertUnwindSafe(|| world.kernel.turn(now));
            assert!(std::panic::catch_unwind(turn).is_err());
        }
        assert_eq!(census.alive(), 9, "of those behind the panic");
        drop(world);
        census.expect_none();
    }
}

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
fn lanes_are_only_taken_into_use_by_one_kernel() {
    let (mut gateway, receiver) = lane_of::<64>();
    let mut one = World::new();
    let a = one.puppet("a");
    assert_eq!(gateway.place(), None);
    assert!(matches!(gateway.try_tell(a, Order::Note(1)), Err(TellError::Unreachable(_))));
    one.add_lane(receiver).unwrap();
    assert_eq!(gateway.place(), Some(one.place()));
    gateway.try_tell(a, Order::Note(1)).unwrap();
    assert!(gateway.publish() && !gateway.publish());
    assert_eq!(one.events(), ["a started", "a 1"]);
    // Bound beforehand, it is one kernel's, and no other's.
    let (_sender, mut receiver) = lane_of::<64>();
    receiver.bind(one.place());
    let refused = World::new().add_lane(receiver).unwrap_err();
    one.add_lane(refused).unwrap();
}

#[test]
fn a_static_lane_has_one_pair_of_ends() {
    static LANE: LaneMemory<64> = LaneMemory::new();
    let ends = LANE.split();
    assert!(ends.is_some() && LANE.split().is_none());
    let (sender, receiver) = ends.unwrap();
    assert!(format!("{sender:?} {receiver:?}").contains("64 words"));
}

#[test]
fn a_lane_for_signals_that_cannot_hold_the_largest_is_refused_when_it_is_connected() {
    let mut seats = Seat::realm(2).unwrap();
    let seat = seats.next().unwrap();
    let mut kernel = Kernel::seated(common::region(1 << 20), KernelConfig::default(), seat, 2).unwrap();
    let ((messages, _m), (signals, _s)) = (lane_of::<64>(), lane_of::<16>());
    let connect = std::panic::AssertUnwindSafe(|| kernel.connect(1, messages, signals));
    let panic = std::panic::catch_unwind(connect).unwrap_err();
    assert!(common::text_of(&*panic).contains("signals"), "{}", common::text_of(&*panic));
}

#[test]
fn a_seat_must_fit_its_realm() {
    let seats: Vec<_> = Seat::realm(3).unwrap().collect();
    for (n, seat) in seats.into_iter().enumerate() {
        let kernel = Kernel::seated(common::region(1 << 20), KernelConfig::default(), seat, n);
        let refused = kernel.map(drop).unwrap_err();
        assert!(matches!(refused, KernelError::Config(text) if text.contains("seat")), "{refused}");
    }
}

#[test]
fn spawning_is_refused_and_not_half_done_when_a_kernel_has_no_room_for_lanes() {
    let mut world = World::sized(8 << 10);
    while world.kernel.spawn(Puppet::new("a", &world.log)).is_ok() {}
    assert_eq!(world.kernel.spawn(Puppet::new("a", &world.log)).err(), Some(SpawnError::OutOfMemory));
    let mut refused = None;
    for _ in 0..64 {
        let (_, receiver) = lane_of::<16>();
        if let Err(lane) = world.add_lane(receiver) {
            refused = Some(lane);
            break;
        }
    }
    assert!(refused.is_some(), "the region is used up");
}

#[cfg(feature = "alloc")]
#[test]
fn a_lane_on_the_heap_works_as_long_as_both_ends_are_there_and_is_pruned_when_it_is_empty() {
    let mut world = World::new();
    let census = Census::default();
    let a = world.puppet("a");
    world.events();
    for _ in 0..100 {
        let (mut sender, receiver) = corelane_kernel::lane(100);
        world.add_lane(receiver).unwrap();
        let mut told = 0;
        while sender.try_tell(a, Order::Carry(census.token())).is_ok() {
            told += 1;
        }
        assert!(told > 5, "128 words hold more than {told}");
        // What was told is published with the sender's end.
        drop(sender);
        world.prune_lanes();
        assert!(world.has_input(), "one that is not empty stays");
        world.settle();
        census.expect_none();
        world.prune_lanes();
        assert!(!world.has_input());
    }
    // Pruned lanes make room for new ones: the row of lanes did not grow.
    assert!(world.stats().used_bytes < 64 << 10);
}

#[cfg(feature = "alloc")]
#[test]
fn what_lies_in_a_lane_whose_ends_are_both_gone_is_dropped_once() {
    for order in 0..3 {
        let mut world = World::new();
        let census = Census::default();
        let a = world.puppet("a");
        world.settle();
        let (mut sender, mut receiver) = corelane_kernel::lane(256);
        receiver.bind(world.place());
        for _ in 0..3 {
            sender.try_tell(a, Order::Carry(census.token())).unwrap();
            let token = census.token();
            sender.try_call(move |_| drop(token)).map_err(|_| "refused").unwrap();
        }
        census.expect(6);
        match order {
            // It never reached a kernel.
            0 => drop((receiver, sender)),
            1 => drop((sender, receiver)),
            _ => {
                sender.publish();
                world.add_lane(receiver).unwrap();
                drop(world);
                drop(sender);
            }
        }
        census.expect_none();
    }
}

/// Tells numbers, as many as are taken, and the rest in the next round.
struct Flooder {
    to: ActorRef<u64>,
    next: u64,
    end: u64,
}

impl Actor for Flooder {
    type Msg = ();
    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        while self.next < self.end && ctx.try_tell(self.to, self.next).is_ok() {
            self.next += 1;
        }
        if self.next < self.end {
            let me = ctx.me();
            ctx.tell(me, ());
        }
        Ok(())
    }
}

/// Sees to it that each number comes once and in order.
struct Flooded {
    next: u64,
    end: u64,
    done: Arc<AtomicU64>,
}

impl Actor for Flooded {
    type Msg = u64;
    fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        assert_eq!(n, self.next);
        self.next += 1;
        if self.next == self.end {
            self.done.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[test]
fn two_kernels_flooding_each_other_over_tiny_lanes_lose_and_reorder_nothing() {
    const EACH: u64 = 500_000;
    let config = KernelConfig { outbox_bytes: 4096, shares: [8; 4], ..KernelConfig::default() };
    let mut realm = Realm::new::<16>(2, 1 << 20, &config);
    let done = Arc::new(AtomicU64::new(0));
    let to: Vec<_> = (0..2)
        .map(|shard| {
            let flooded = Flooded { next: 0, end: EACH, done: done.clone() };
            realm.worlds[shard].spawn(flooded).unwrap()
        })
        .collect();
    for shard in 0..2 {
        let flooder = Flooder { to: to[1 - shard], next: 0, end: EACH };
        let flooder = realm.worlds[shard].spawn(flooder).unwrap();
        realm.worlds[shard].tell(flooder, ());
    }
    let mut used = None;
    let mut turns = 0u64;
    while done.load(Ordering::SeqCst) < 2 {
        for world in &mut realm.worlds {
            world.turn();
        }
        let now: Vec<_> = realm.worlds.iter().map(|world| world.stats().used_bytes).collect();
        turns += 1;
        if turns == 100 {
            used = Some(now);
        } else if let Some(used) = &used {
            assert_eq!(*used, now, "memory is bounded");
        }
    }
    for world in &realm.worlds {
        assert_eq!((world.panics.len(), world.stats().dead_letters), (0, 0));
    }
}

#[test]
fn two_kernels_on_two_threads_flooding_each_other_lose_and_reorder_nothing() {
    const EACH: u64 = 20_000;
    let done = Arc::new(AtomicU64::new(0));
    let (to_zero, to_one) = (lane_of::<32>(), lane_of::<32>());
    let (signals_to_zero, signals_to_one) = (lane_of::<64>(), lane_of::<64>());
    let (tell_one, heard_by_one) = std::sync::mpsc::channel();
    let (tell_zero, heard_by_zero) = std::sync::mpsc::channel();
    let ends = [
        (to_one.0, signals_to_one.0, to_zero.1, signals_to_zero.1, tell_one, heard_by_zero),
        (to_zero.0, signals_to_zero.0, to_one.1, signals_to_one.1, tell_zero, heard_by_one),
    ];
    let threads: Vec<_> = Seat::realm(2)
        .unwrap()
        .zip(ends)
        .map(|(seat, (out, signals_out, lane, signals, publish, peer))| {
            let done = done.clone();
            thread::spawn(move || {
                let other = 1 - seat.place().shard();
                let config = KernelConfig { outbox_bytes: 4096, shares: [8; 4], ..KernelConfig::default() };
                let mut kernel = Kernel::seated(common::region(1 << 20), config, seat, 2).unwrap();
                kernel.add_lane(lane).unwrap();
                kernel.add_signal_lane(signals).unwrap();
                kernel.connect(other, out, signals_out);
                let flooded = Flooded { next: 0, end: EACH, done: done.clone() };
                publish.send(kernel.spawn(flooded).unwrap()).unwrap();
                let flooder = Flooder { to: peer.recv().unwrap(), next: 0, end: EACH };
                let flooder = kernel.spawn(flooder).unwrap();
                kernel.tell(flooder, ());
                let mut turns = 0;
                while done.load(Ordering::SeqCst) < 2 {
                    kernel.turn(Time::from_nanos(turns));
                    turns += 1;
                    thread::yield_now();
                }
                assert_eq!(kernel.stats().dead_letters, 0);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(done.load(Ordering::SeqCst), 2);
}
