//! Gateways: threads that are no shard tell and ask actors, each in its own order, and learn when nobody hears them.

mod common;

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use common::{
    Census, Collect, Collector, Job, LONG, Puppet, builder, collected, end, hush, next, puppet, system, tell,
    with,
};
use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo, TellError};
use corelane_shard::{CallError, Gateway, GatewayAskError, On, SpawnOnError, System};

/// Answers, or keeps silent.
struct Doubler;

enum Question {
    Double(u64, ReplyTo<u64>),
    Silence { _reply: ReplyTo<u64> },
}

impl Question {
    fn silence(reply: ReplyTo<u64>) -> Question {
        Question::Silence { _reply: reply }
    }
}

impl Actor for Doubler {
    type Msg = Question;
    fn receive(&mut self, question: Question, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if let Question::Double(n, reply) = question {
            ctx.tell(reply, 2 * n);
        }
        Ok(())
    }
}

/// Has a shard's thread wait in a handler until the sender that comes back is dropped or used.
fn hold(system: &System, gateway: &mut Gateway, shard: usize) -> Sender<()> {
    let busy = puppet(system, shard);
    let (holding, is_held) = channel();
    let (release, released) = channel();
    tell(
        gateway,
        busy,
        Job::run(move |_| {
            holding.send(()).unwrap();
            // Until the test has done with it, whichever way.
            let _ = released.recv();
        }),
    );
    next(&is_held);
    release
}

#[test]
fn each_threads_messages_come_in_its_order() {
    const THREADS: u64 = 4;
    const EACH: u64 = 5_000;
    let system = system(2);
    let collectors = [0, 1].map(|shard| Collector::<(u64, u64)>::on(&system, shard));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut gateway = system.gateway().unwrap();
            scope.spawn(move || {
                for n in 0..EACH {
                    for collector in collectors {
                        gateway.tell_within(collector, Collect::Add((thread, n)), LONG).unwrap();
                    }
                }
            });
        }
    });
    let mut gateway = system.gateway().unwrap();
    for collector in collectors {
        let mut seen = Vec::new();
        while seen.len() < (THREADS * EACH) as usize {
            seen.append(&mut collected(&mut gateway, collector));
        }
        for thread in 0..THREADS {
            let of_thread = seen.iter().filter(|(from, _)| *from == thread).map(|(_, n)| *n);
            assert!(of_thread.eq(0..EACH), "thread {thread}");
        }
    }
    assert_eq!(system.gateway_dead_letters(), 0);
    end(system);
}

#[test]
fn a_full_lane_hands_back_and_tell_counts_what_it_drops() {
    let system = builder(1).gateway_bytes(4096).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let collector = Collector::<u64>::on(&system, 0);
    let release = hold(&system, &mut gateway, 0);
    let mut told = 0;
    let refused = loop {
        match gateway.try_tell(collector, Collect::Add(told)) {
            Ok(()) => told += 1,
            Err(refused) => break refused,
        }
    };
    assert!((50..=170).contains(&told), "{told} messages in 4 KiB");
    let TellError::Full(Collect::Add(back)) = refused else { panic!("{refused:?}") };
    assert_eq!(back, told, "the message itself comes back");
    gateway.tell(collector, Collect::Add(1_000_000));
    assert_eq!(system.gateway_dead_letters(), 1);
    let refused = gateway.tell_within(collector, Collect::Add(2_000_000), Duration::from_millis(3));
    assert!(matches!(refused, Err(TellError::Full(Collect::Add(2_000_000)))));
    let unsent = gateway.ask(collector, Duration::from_millis(3), |_: ReplyTo<()>| Collect::Add(3_000_000));
    assert_eq!(unsent, Err(GatewayAskError::Ask(AskError::NotSent)));
    release.send(()).unwrap();
    gateway.tell_within(collector, Collect::Add(told), LONG).unwrap();
    assert!(collected(&mut gateway, collector).into_iter().eq(0..=told));
    end(system);
}

#[test]
fn what_was_fed_is_seen_after_a_flush_or_when_the_lane_is_full() {
    let system = builder(1).gateway_bytes(4096).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let collector = Collector::<u64>::on(&system, 0);
    for n in 0..1000 {
        let mut message = Collect::Add(n);
        // A lane that is full publishes itself, so that this ends.
        while let Err(TellError::Full(back)) = gateway.feed(collector, message) {
            message = back;
            std::thread::yield_now();
        }
    }
    gateway.flush();
    let mut other = system.gateway().unwrap();
    let mut seen = Vec::new();
    while seen.len() < 1000 {
        seen.append(&mut collected(&mut other, collector));
    }
    assert!(seen.into_iter().eq(0..1000));
    end(system);
}

#[test]
fn asks_are_answered_to_whoever_asked() {
    let system = system(2);
    let doublers = [0, 1].map(|shard| system.spawn_on(On::Shard(shard), || Doubler).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let mut gateway = system.gateway().unwrap();
            scope.spawn(move || {
                for n in 0..200 {
                    let of = doublers[(n % 2) as usize];
                    let number = 1000 * thread + n;
                    let answer = gateway.ask(of, LONG, move |reply| Question::Double(number, reply));
                    assert_eq!(answer, Ok(2 * number));
                }
            });
        }
    });
    end(system);
}

/// Conformance 23.
#[test]
fn an_ask_without_an_answer_times_out() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let doubler = system.spawn_on(On::Shard(1), || Doubler).unwrap();
    let short = Duration::from_millis(5);
    assert_eq!(gateway.ask(doubler, short, Question::silence), Err(GatewayAskError::Ask(AskError::Timeout)));
    // The gateway is as good as before.
    assert_eq!(gateway.ask(doubler, LONG, |reply| Question::Double(4, reply)), Ok(8));
    let dead = puppet(&system, 0);
    with(&mut gateway, dead, |ctx| ctx.stop_self());
    let asked = gateway.ask(dead, short, |reply: ReplyTo<u64>| Job::run(move |ctx| ctx.tell(reply, 1)));
    assert_eq!(asked, Err(GatewayAskError::Ask(AskError::Timeout)));
    end(system);
}

/// Conformance 23.
#[test]
fn an_answer_that_is_late_is_a_dead_letter() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let keeper = puppet(&system, 0);
    let (kept, reply) = channel();
    let asked = gateway.ask(keeper, Duration::from_millis(1), move |reply: ReplyTo<u64>| {
        Job::run(move |_| kept.send(reply).unwrap())
    });
    assert_eq!(asked, Err(GatewayAskError::Ask(AskError::Timeout)));
    let reply = next(&reply);
    // The ask's own deadline passes on the shard, whose next answers come after it.
    common::await_some(|| {
        (!with(&mut gateway, keeper, move |ctx| ctx.scope().is_alive(reply))).then_some(())
    });
    with(&mut gateway, keeper, move |ctx| ctx.tell(reply, 7));
    let report = end(system);
    assert_eq!(report.shards[0].dead_letters[corelane_kernel::DeadReason::LateAnswer as usize].1, 1);
}

#[test]
fn addresses_of_nobody_and_of_other_systems_are_unreachable() {
    let (system, other) = (system(1), system(2));
    let mut gateway = system.gateway().unwrap();
    let census = Census::default();
    for (n, foreign) in [ActorRef::nobody(), puppet(&other, 0), puppet(&other, 1)].into_iter().enumerate() {
        let one = census.one();
        let refused = gateway.try_tell(foreign, Job::run(move |_| drop(one))).unwrap_err();
        assert!(matches!(refused, TellError::Unreachable(_)));
        assert_eq!(census.count(), 1, "the message comes back");
        drop(refused);
        let one = census.one();
        gateway.tell(foreign, Job::run(move |_| drop(one)));
        assert_eq!((census.count(), system.gateway_dead_letters()), (0, n as u64 + 1));
        let asked = gateway.ask(foreign, LONG, |_: ReplyTo<()>| Job::run(|_| ()));
        assert_eq!(asked, Err(GatewayAskError::Unreachable));
    }
    end(other);
    end(system);
}

#[test]
fn what_a_gateway_told_before_it_was_dropped_is_delivered() {
    let system = system(2);
    let mut keeper = system.gateway().unwrap();
    let collectors = [0, 1].map(|shard| Collector::<u64>::on(&system, shard));
    for collector in collectors {
        let release = hold(&system, &mut keeper, collector.place().shard());
        let mut gateway = system.gateway().unwrap();
        for n in 0..100 {
            gateway.feed(collector, Collect::Add(n)).unwrap();
        }
        // Neither flushed nor yet known to the shard.
        drop(gateway);
        drop(release);
        let mut seen = Vec::new();
        while seen.len() < 100 {
            seen.append(&mut collected(&mut keeper, collector));
        }
        assert!(seen.into_iter().eq(0..100));
    }
    end(system);
}

#[test]
fn lanes_of_dropped_gateways_are_let_go_of() {
    let system = system(2);
    let collector = Collector::<u64>::on(&system, 1);
    let mut keeper = system.gateway().unwrap();
    let mut open_and_drop = |times: u64| {
        for n in 0..times {
            let mut gateway = system.gateway().unwrap();
            gateway.tell_within(collector, Collect::Add(n), LONG).unwrap();
        }
        let mut seen = Vec::new();
        while seen.len() < times as usize {
            seen.append(&mut collected(&mut keeper, collector));
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..times));
        [0, 1].map(|shard| system.call(shard, |scope| scope.stats().used_bytes).unwrap())
    };
    let used = open_and_drop(100);
    // Each lane that was kept would take room in the shard's row of lanes, over a hundred KiB for two thousand; how many
    // there are at once varies.
    let later = open_and_drop(2000);
    assert!(later.iter().zip(used).all(|(later, used)| later - used < 64 << 10), "{used:?} {later:?}");
    end(system);
}

#[test]
fn a_message_that_panics_its_actor_is_not_dropped_again_with_its_lane() {
    hush();
    let system = system(1);
    let census = Census::default();
    let mut keeper = system.gateway().unwrap();
    for _ in 0..20 {
        let target = puppet(&system, 0);
        let release = hold(&system, &mut keeper, 0);
        let mut gateway = system.gateway().unwrap();
        let one = census.one();
        tell(
            &mut gateway,
            target,
            Job::run(move |_| {
                let _held = one;
                panic!("on purpose");
            }),
        );
        // The shard comes to the panic, and next to the request that lets go of the lane.
        drop(gateway);
        drop(release);
        system.call(0, |_| ()).unwrap();
        with(&mut keeper, puppet(&system, 0), |_| ());
        assert_eq!(census.count(), 0);
    }
    end(system);
}

#[test]
fn after_the_end_nobody_is_reached_and_nothing_leaks() {
    let system = system(2);
    let handle = system.clone();
    let mut gateway = system.gateway().unwrap();
    let census = Census::default();
    let held = census.one();
    let target = Puppet::default().holds(held).on(&system, 1);
    let doubler = system.spawn_on(On::Shard(0), || Doubler).unwrap();
    with(&mut gateway, target, |_| ());
    end(system);
    assert_eq!(census.count(), 0, "actors are gone");
    let one = census.one();
    let refused = gateway.try_tell(target, Job::run(move |_| drop(one))).unwrap_err();
    assert!(matches!(refused, TellError::Unreachable(_)));
    drop(refused);
    let one = census.one();
    gateway.tell(target, Job::run(move |_| drop(one)));
    let one = census.one();
    let refused = gateway.tell_within(target, Job::run(move |_| drop(one)), LONG);
    assert!(matches!(refused, Err(TellError::Unreachable(_))));
    drop(refused);
    let one = census.one();
    let asked = gateway.ask(doubler, LONG, move |reply| {
        drop(one);
        Question::Double(1, reply)
    });
    assert_eq!(asked, Err(GatewayAskError::Unreachable));
    assert_eq!(census.count(), 0);
    assert_eq!(handle.gateway_dead_letters(), 1);
    assert_eq!(handle.gateway().err(), Some(CallError::ShuttingDown));
    let one = census.one();
    assert_eq!(handle.call(0, move |_| drop(one)), Err(CallError::ShuttingDown));
    let one = census.one();
    let spawned = handle.spawn(move || {
        let _ = &one;
        Doubler
    });
    assert_eq!(spawned.err(), Some(SpawnOnError::Call(CallError::ShuttingDown)));
    assert_eq!(census.count(), 0);
}

#[test]
fn whatever_threads_tell_while_the_system_ends_is_dropped_once() {
    for round in 0..20 {
        let system = system(2);
        let census = Census::default();
        let targets = [puppet(&system, 0), puppet(&system, 1)];
        let (told, is_told) = channel();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let mut gateway = system.gateway().unwrap();
                let (census, told) = (census.clone(), told.clone());
                scope.spawn(move || {
                    let mut n = 0;
                    loop {
                        let one = census.one();
                        let message = Job::run(move |_| drop(one));
                        match gateway.try_tell(targets[n % 2], message) {
                            Err(TellError::Unreachable(_)) => break,
                            _ => n += 1,
                        }
                        if n == 10 + round {
                            told.send(()).unwrap();
                        }
                    }
                });
            }
            next(&is_told);
            end(system);
        });
        assert_eq!(census.count(), 0);
    }
}

#[test]
fn whatever_threads_ask_while_the_system_ends_is_answered_or_refused() {
    for _ in 0..20 {
        let system = system(1);
        let doubler = system.spawn_on(On::Shard(0), || Doubler).unwrap();
        let (told, is_told) = channel();
        std::thread::scope(|scope| {
            let mut gateway = system.gateway().unwrap();
            scope.spawn(move || {
                let mut n = 0;
                loop {
                    // An hour: an ask that nobody ends would fail the test by hanging it.
                    let within = Duration::from_secs(3600);
                    let asked =
                        futures_executor::block_on(
                            gateway.ask_future(doubler, within, move |reply| Question::Double(n, reply)),
                        );
                    match asked {
                        Ok(answer) => assert_eq!(answer, 2 * n),
                        Err(GatewayAskError::Unreachable) => break,
                        Err(other) => panic!("{other}"),
                    }
                    n += 1;
                    if n == 10 {
                        told.send(()).unwrap();
                    }
                }
            });
            next(&is_told);
            end(system);
        });
    }
}
