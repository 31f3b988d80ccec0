//! Messages between actors of different shards: every pair in order, each message once, full ways said to be full.

mod common;

use std::sync::mpsc::channel;

use common::{
    Census, Collect, Collector, Job, LONG, builder, collected, end, next, puppet, system, tell, with,
};
use corelane_kernel::{Actor, ActorRef, Ctx, DeadReason, KernelConfig, Outcome, TellError};
use corelane_shard::On;

#[test]
fn each_pair_of_actors_hears_each_other_in_order() {
    const SHARDS: usize = 3;
    const EACH: u64 = 2_000;
    let system = system(SHARDS);
    let mut gateway = system.gateway().unwrap();
    let collectors: Vec<_> = (0..SHARDS).map(|shard| Collector::<(usize, u64)>::on(&system, shard)).collect();
    let (done, all_told) = channel();
    for from in 0..SHARDS {
        let teller = puppet(&system, from);
        // In parts, so that lanes, queues and outboxes have room: a full way would be a dead letter.
        for part in 0..20 {
            let (collectors, done) = (collectors.clone(), done.clone());
            tell(
                &mut gateway,
                teller,
                Job::run(move |ctx| {
                    for number in part * EACH / 20..(part + 1) * EACH / 20 {
                        for collector in &collectors {
                            ctx.tell(*collector, Collect::Add((from, number)));
                        }
                    }
                    done.send(()).unwrap();
                }),
            );
        }
    }
    for _ in 0..SHARDS * 20 {
        next(&all_told);
    }
    for collector in collectors {
        let mut seen: Vec<(usize, u64)> = Vec::new();
        while seen.len() < SHARDS * EACH as usize {
            seen.append(&mut collected(&mut gateway, collector));
        }
        for from in 0..SHARDS {
            let numbers = seen.iter().filter(|(sender, _)| *sender == from).map(|(_, number)| *number);
            assert!(numbers.eq(0..EACH), "from shard {from}");
        }
    }
    assert_eq!(end(system).dead_letters(), 0);
}

/// Passes a token along a ring of addresses, once round.
struct Link {
    next: Option<ActorRef<Token>>,
}

enum Token {
    Next(ActorRef<Token>),
    Pass { hops: u32, visited: Vec<usize>, done: std::sync::mpsc::Sender<Vec<usize>> },
}

impl Actor for Link {
    type Msg = Token;
    fn receive(&mut self, token: Token, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match token {
            Token::Next(next) => self.next = Some(next),
            Token::Pass { hops, mut visited, done } => {
                visited.push(ctx.me().place().shard());
                match (hops, self.next) {
                    (0, _) | (_, None) => done.send(visited)?,
                    (hops, Some(next)) => ctx.tell(next, Token::Pass { hops: hops - 1, visited, done }),
                }
            }
        }
        Ok(())
    }
}

#[test]
fn an_address_works_from_any_actor_on_any_shard() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    let links: Vec<_> =
        (0..6).map(|n| system.spawn_on(On::Shard(n % 3), || Link { next: None }).unwrap()).collect();
    for (at, link) in links.iter().enumerate() {
        gateway.tell(*link, Token::Next(links[(at + 1) % 6]));
    }
    // The links were told on different lanes; each has answered one question when all know their neighbour.
    for link in &links {
        let (done, visited) = channel();
        gateway.tell(*link, Token::Pass { hops: 0, visited: Vec::new(), done });
        assert_eq!(next(&visited), [link.place().shard()]);
    }
    let (done, visited) = channel();
    gateway.tell(links[0], Token::Pass { hops: 12, visited: Vec::new(), done });
    assert_eq!(next(&visited), [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
    end(system);
}

#[test]
fn messages_of_any_size_cross_whole() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let teller = puppet(&system, 0);
    macro_rules! cross {
        ($($bytes:literal)*) => {$(
            let collector = Collector::<[u8; $bytes]>::on(&system, 1);
            with(&mut gateway, teller, move |ctx| {
                for n in 0..50u8 {
                    ctx.tell(collector, Collect::Add([n; $bytes]));
                }
            });
            let mut seen = Vec::new();
            while seen.len() < 50 {
                seen.append(&mut collected(&mut gateway, collector));
            }
            assert!(seen.iter().enumerate().all(|(n, bytes)| *bytes == [n as u8; $bytes]));
        )*};
    }
    // Below and above the bound beyond which a message travels in a box.
    cross!(0 1 7 8 9 63 500 503 504 505 512 513 4096);
    assert_eq!(end(system).dead_letters(), 0);
}

#[test]
fn a_full_way_hands_the_message_back_and_tell_makes_a_dead_letter_of_it() {
    let config = KernelConfig { outbox_bytes: 4096, ..KernelConfig::default() };
    let system = builder(2).lane_bytes(4096).kernel(config).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let (teller, busy) = (puppet(&system, 0), puppet(&system, 1));
    let census = Census::default();
    let counted = census.clone();
    let (hold, held) = channel::<()>();
    let (holding, is_held) = channel();
    tell(
        &mut gateway,
        busy,
        Job::run(move |_| {
            holding.send(()).unwrap();
            // Until the test lets go of it.
            let _ = held.recv();
        }),
    );
    next(&is_held);
    let accepted = with(&mut gateway, teller, move |ctx| {
        let mut accepted = 0;
        loop {
            let one = counted.one();
            let job = Job::run(move |_| drop(one));
            match ctx.try_tell(busy, job) {
                Ok(()) => accepted += 1,
                Err(refused) => {
                    assert!(matches!(refused, TellError::Full(_)));
                    let job = refused.into_inner();
                    ctx.tell(busy, job);
                    return accepted;
                }
            }
        }
    });
    assert!((200..2000).contains(&accepted), "{accepted} messages in a lane and an outbox of 4 KiB each");
    assert_eq!(census.count(), accepted, "what was refused is dropped");
    drop(hold);
    // Behind all that waited on the same way.
    let (done, is_done) = channel();
    common::await_some(|| {
        let done = done.clone();
        with(&mut gateway, teller, move |ctx| {
            ctx.try_tell(busy, Job::run(move |_| done.send(()).unwrap())).is_ok()
        })
        .then_some(())
    });
    next(&is_done);
    assert_eq!(census.count(), 0);
    let report = end(system);
    let full: u64 =
        report.shards.iter().map(|shard| shard.dead_letters[DeadReason::QueueFull as usize].1).sum();
    assert_eq!((full, report.dead_letters()), (1, 1));
}

#[test]
fn messages_told_before_a_stop_is_asked_on_another_core_are_handled_or_dead_never_lost() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let teller = puppet(&system, 0);
    let census = Census::default();
    for _ in 0..200 {
        let target = puppet(&system, 1);
        let counted = census.clone();
        with(&mut gateway, teller, move |ctx| {
            for _ in 0..10 {
                let one = counted.one();
                ctx.tell(target, Job::run(move |_| drop(one)));
            }
            // A signal, which may overtake them.
            ctx.stop(target);
        });
    }
    end(system);
    assert_eq!(census.count(), 0);
}

#[test]
fn a_call_on_another_shard_keeps_its_place_among_messages() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let teller = puppet(&system, 0);
    let collector = Collector::<u32>::on(&system, 1);
    with(&mut gateway, teller, move |ctx| {
        for n in 0..100 {
            ctx.tell(collector, Collect::Add(2 * n));
            let mut scope = ctx.scope();
            let called = scope.call_on(1, move |there| {
                assert_eq!(there.place().shard(), 1);
                there.tell(collector, Collect::Add(1_000_000 + n));
            });
            assert!(called.is_ok());
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 200 {
        seen.append(&mut collected(&mut gateway, collector));
    }
    let told = seen.iter().filter(|n| **n < 1_000_000).copied();
    assert!(told.eq((0..100).map(|n| 2 * n)));
    let called = seen.iter().filter(|n| **n >= 1_000_000).map(|n| n - 1_000_000);
    assert!(called.eq(0..100));
    let refused = with(&mut gateway, teller, |ctx| {
        ctx.scope().call_on(7, |_| ()).map_err(|refused| format!("{refused:?}"))
    });
    assert_eq!(refused, Err("Unreachable(..)".to_owned()));
    end(system);
}

#[test]
fn asks_between_shards_are_answered_or_time_out() {
    struct Doubler;
    enum Question {
        Double(u64, corelane_kernel::ReplyTo<u64>),
        Silence,
    }
    impl Actor for Doubler {
        type Msg = Question;
        fn receive(&mut self, question: Question, ctx: &mut Ctx<'_, Self>) -> Outcome {
            match question {
                Question::Double(n, reply) => ctx.tell(reply, 2 * n),
                Question::Silence => {}
            }
            Ok(())
        }
    }
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let doubler = system.spawn_on(On::Shard(1), || Doubler).unwrap();
    let asker = puppet(&system, 0);
    let (answers, answered) = channel();
    for n in 0..500 {
        let answers = answers.clone();
        with(&mut gateway, asker, move |ctx| {
            ctx.ask(
                doubler,
                LONG,
                |reply| Question::Double(n, reply),
                move |answer| Job::run(move |_| answers.send(answer).unwrap()),
            );
        });
    }
    let mut all: Vec<u64> = (0..500).map(|_| next(&answered).unwrap()).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq((0..500).map(|n| 2 * n)));
    with(&mut gateway, asker, move |ctx| {
        ctx.ask(
            doubler,
            std::time::Duration::from_millis(5),
            |_: corelane_kernel::ReplyTo<u64>| Question::Silence,
            move |answer| Job::run(move |_| answers.send(answer).unwrap()),
        );
    });
    assert_eq!(next(&answered), Err(corelane_kernel::AskError::Timeout));
    end(system);
}
