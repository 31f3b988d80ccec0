//! Messages, signals and calls on their way between kernels: their order, and where they wait while a lane is full.

use std::sync::{Arc, Mutex};

use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadReason, Kernel, KernelConfig, KernelError, Outcome, Seat, TellError,
};

use crate::common::{Census, Order, Puppet, Realm, World, lane_of, lock, order};

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
    let mut random = crate::common::Random(7);
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
        match Kernel::seated(crate::common::region(1 << 20), config, seat, 1) {
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
        let mut random = crate::common::Random(WORDS as u64);
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
