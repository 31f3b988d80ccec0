//! Each thing an actor can do that may need memory, where there is none.

use std::sync::{Arc, Mutex};

use corelane_kernel::{
    ActorRef, AskError, Ctx, DeadReason, Kernel, KernelConfig, OutOfMemory, Region, SpawnError, StashError,
    limits,
};

use crate::common::{Census, Order, Puppet, Token, World, lock, ms, order};
use crate::rig::fill;

/// What an actor can do that may need memory, and how each says that there is none.
#[derive(Default, Clone, Debug, PartialEq)]
struct Tally {
    done: Vec<&'static str>,
    refused: Vec<&'static str>,
}

impl Tally {
    fn note<E: PartialEq + std::fmt::Debug>(&mut self, what: &'static str, result: Result<(), E>, oom: E) {
        match result {
            Ok(()) => self.done.push(what),
            Err(error) => {
                assert_eq!(error, oom, "{what}");
                self.refused.push(what);
            }
        }
    }
}

/// Does everything that may need memory, in a region of so many bytes, and checks that nothing is lost.
fn do_everything(bytes: usize) -> Option<Tally> {
    let region = Region::from_static(crate::common::memory(bytes)).ok()?;
    let Ok(kernel) = Kernel::new(region, KernelConfig::default()) else { return None };
    let mut world = World::of(kernel);
    let census = Census::default();
    let tally = Arc::new(Mutex::new(Tally::default()));
    let spawn = |world: &mut World, name, bound| {
        let puppet = Puppet::new(name, &world.log).keeping(census.token());
        let spawned = world.scope().spawner().name(name).mailbox(bound).spawn(puppet);
        lock(&tally).note("spawn", spawned.map(drop), SpawnError::OutOfMemory);
        spawned.ok()
    };
    let a = spawn(&mut world, "a", 0);
    let b = spawn(&mut world, "b", 2);
    let tokens: Vec<Token> = (0..12).map(|_| census.token()).collect();
    let (store, people) = (tally.clone(), census.clone());
    if let Some(a) = a {
        let told = world.try_tell(
            a,
            order(move |me, ctx| {
                let mut tokens = tokens.into_iter();
                let mut next = || Order::Carry(tokens.next().unwrap());
                let mut tally = lock(&store);
                let other = b.unwrap_or(ctx.me());
                tally.note("timer", ctx.set_timer(1, ms(1), next()), OutOfMemory);
                tally.note("timer", ctx.set_timer(2, ms(500), next()), OutOfMemory);
                tally.note("timer", ctx.set_timer(2, ms(600), next()), OutOfMemory);
                tally.note("receive time-out", ctx.set_receive_timeout(Some(ms(5))), OutOfMemory);
                tally.note("watch", ctx.watch(other), OutOfMemory);
                let message = next();
                tally.note("watch with", ctx.watch_with(ctx.me(), message), OutOfMemory);
                match ctx.stash(next()) {
                    Ok(()) => tally.done.push("stash"),
                    Err(StashError::OutOfMemory(Order::Carry(_))) => tally.refused.push("stash"),
                    Err(other) => panic!("{other:?}"),
                }
                tally.note("stash bound", ctx.set_stash_bound(5), OutOfMemory);
                let token = people.token();
                tally.note("attach", ctx.attach(token), OutOfMemory);
                let token = people.token();
                let adapter = ctx.adapter(move |_: u64| {
                    let _ = &token;
                    Order::Note(1)
                });
                tally.note("adapter", adapter.map(drop), OutOfMemory);
                let (token, answered) = (people.token(), store.clone());
                ctx.ask(
                    other,
                    ms(10),
                    |_: ActorRef<u64>| Order::Note(7),
                    move |answer| {
                        drop(token);
                        let refused = answer == Err(AskError::OutOfMemory);
                        order(move |_, _| {
                            let mut tally = lock(&answered);
                            if refused { tally.refused.push("ask") } else { tally.done.push("ask") }
                        })
                    },
                );
                let child = ctx.spawn(me.other("c").keeping(people.token()));
                tally.note("spawn a child", child.map(drop), SpawnError::OutOfMemory);
                let token = people.token();
                let log = me.log.clone();
                let child = ctx.spawner().name("d").spawn_from(move || {
                    let _ = &token;
                    Puppet::new("d", &log)
                });
                tally.note("spawn a child", child.map(drop), SpawnError::OutOfMemory);
                tally.note("suspend", ctx.suspend_self(), OutOfMemory);
                tally.note("extension", ctx.scope().set_extension(people.token()), OutOfMemory);
            }),
        );
        let mut tally = lock(&tally);
        if told.is_ok() { tally.done.push("tell") } else { tally.refused.push("tell") }
    }
    world.settle();
    for to in [a, b].into_iter().flatten() {
        for _ in 0..3 {
            world.tell(to, Order::Carry(census.token()));
        }
    }
    world.pass(ms(20));
    for to in [a, b].into_iter().flatten() {
        world.scope().resume(to);
    }
    world.pass(ms(20));
    assert_eq!(world.panics, [""; 0], "{bytes} bytes");
    // Everything ends, although nothing new fits.
    world.scope().stop_all();
    world.settle();
    world.pass(ms(1000));
    assert_eq!(world.stats().actors, 0, "{bytes} bytes");
    census.expect(usize::from(world.extension::<Token>().is_some()));
    let reasons = [
        DeadReason::NoActor,
        DeadReason::Stopped,
        DeadReason::OutOfMemory,
        DeadReason::QueueFull,
        DeadReason::MailboxFull,
    ];
    assert!(world.letters().iter().all(|(reason, _)| reasons.contains(reason)), "{:?}", world.letters());
    drop(world);
    census.expect_none();
    let tally = lock(&tally).clone();
    Some(tally)
}

#[test]
fn running_out_at_any_operation_is_an_answer_and_nothing_is_lost() {
    let mut refused = std::collections::BTreeSet::new();
    let mut done = std::collections::BTreeSet::new();
    let mut last = None;
    let mut bytes = limits::REGION_MIN;
    while bytes < 24 << 10 {
        if let Some(tally) = do_everything(bytes) {
            refused.extend(tally.refused.iter().copied());
            done.extend(tally.done.iter().copied());
            last = Some(tally);
        }
        // Memory is taken in steps of the largest alignment.
        bytes += limits::STATE_ALIGN_MAX;
    }
    let all = [
        "adapter",
        "ask",
        "attach",
        "extension",
        "receive time-out",
        "spawn",
        "spawn a child",
        "stash",
        "stash bound",
        "suspend",
        "tell",
        "timer",
        "watch",
        "watch with",
    ];
    let last = last.unwrap();
    assert_eq!(last.refused, [""; 0], "the largest region has room for all");
    assert!(done.iter().eq(all.iter()), "{done:?}");
    // The stash's bound and a suspension need a side record, which all that comes before them has taken already.
    let missing: Vec<_> = all.iter().filter(|what| !refused.contains(**what)).collect();
    println!("never refused: {missing:?}");
    assert!(missing.len() <= 5, "{missing:?}");
}

#[test]
fn each_operation_alone_answers_when_the_region_is_used_up() {
    type Operation = fn(&mut Puppet, &mut Ctx<'_, Puppet>, Token) -> bool;
    let operations: [(&str, Operation); 11] = [
        ("timer", |_, ctx, token| ctx.set_timer(1, ms(1), Order::Carry(token)) == Err(OutOfMemory)),
        ("receive time-out", |_, ctx, _| ctx.set_receive_timeout(Some(ms(1))) == Err(OutOfMemory)),
        ("watch", |_, ctx, _| {
            let me = ctx.me();
            ctx.watch(me) == Err(OutOfMemory)
        }),
        ("watch with", |_, ctx, token| {
            let me = ctx.me();
            ctx.watch_with(me, Order::Carry(token)) == Err(OutOfMemory)
        }),
        ("stash", |_, ctx, token| matches!(ctx.stash(Order::Carry(token)), Err(StashError::OutOfMemory(_)))),
        ("stash bound", |_, ctx, _| ctx.set_stash_bound(1) == Err(OutOfMemory)),
        ("attach", |_, ctx, token| ctx.attach(token) == Err(OutOfMemory)),
        ("adapter", |_, ctx, token| {
            let adapter = ctx.adapter(move |_: [u64; 3]| {
                let _ = &token;
                Order::Note(1)
            });
            adapter == Err(OutOfMemory)
        }),
        ("suspend", |_, ctx, _| ctx.suspend_self() == Err(OutOfMemory)),
        ("child", |me, ctx, token| ctx.spawn(me.other("c").keeping(token)) == Err(SpawnError::OutOfMemory)),
        ("extension", |_, ctx, token| {
            ctx.scope().set_extension([Some(token), None, None]) == Err(OutOfMemory)
        }),
    ];
    for (what, operation) in operations {
        let mut world = World::sized(16 << 10);
        let census = Census::default();
        let a = world.puppet("a");
        // The queue of messages takes its segment.
        world.tell(a, Order::Note(0));
        world.settle();
        // Neither is there a side record left.
        for filler in fill(&mut world) {
            let _ = world.scope().suspend(filler);
        }
        world.log.take();
        let token = census.token();
        world.have(a, move |me, ctx| {
            let refused = operation(me, ctx, token);
            me.say(refused);
        });
        assert_eq!(world.events(), ["a true"], "{what}");
        census.expect_none();
        // It runs on as if nothing had been tried.
        world.tell(a, Order::Note(1));
        world.pass(ms(50));
        world.stop(a);
        assert_eq!(world.events(), ["a 1", "a stopped"], "{what}");
    }
}

#[test]
fn an_ask_without_room_for_a_reply_address_is_answered_at_once() {
    let mut world = World::sized(16 << 10);
    let census = Census::default();
    let a = world.puppet("a");
    // The queue of messages takes its segment.
    world.tell(a, Order::Note(0));
    world.settle();
    fill(&mut world);
    world.log.take();
    let token = census.token();
    world.have(a, move |_, ctx| {
        let me = ctx.me();
        ctx.ask(
            me,
            ms(1),
            |_: ActorRef<[u8; 3]>| unreachable!(),
            move |answer| {
                drop(token);
                Order::Say(format!("{answer:?}"))
            },
        );
    });
    assert_eq!(world.events(), ["a Err(OutOfMemory)"]);
    census.expect_none();
}
