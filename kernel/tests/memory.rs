//! Memory: states of every size and alignment, and a region that is used up at any point whatever. Running out is an
//! answer: nothing has changed then, nothing is lost, and what is given back is used again.

mod common;

use std::sync::{Arc, Mutex};

use common::{Census, Order, Puppet, Token, World, lock, ms, order};
use corelane_kernel::{
    Actor, ActorRef, AskError, Ctx, DeadReason, Failure, Kernel, KernelConfig, KernelError, OutOfMemory,
    Outcome, REGION_MIN, Region, RegionError, SpawnError, StashError, limits,
};

/// An actor whose state is so many bytes, each of which it knows.
struct Block<const N: usize> {
    bytes: [u8; N],
    seed: u8,
    seen: Arc<Mutex<u64>>,
}

impl<const N: usize> Block<N> {
    fn new(seed: u8, seen: &Arc<Mutex<u64>>) -> Self {
        Block { bytes: std::array::from_fn(|n| seed.wrapping_add(n as u8)), seed, seen: seen.clone() }
    }
}

impl<const N: usize> Actor for Block<N> {
    type Msg = u8;
    fn receive(&mut self, by: u8, _: &mut Ctx<'_, Self>) -> Outcome {
        let expected: [u8; N] = std::array::from_fn(|n| self.seed.wrapping_add(n as u8));
        assert!(self.bytes == expected, "its state was changed");
        self.seed = self.seed.wrapping_add(by);
        self.bytes = std::array::from_fn(|n| self.seed.wrapping_add(n as u8));
        *lock(&self.seen) += 1;
        Ok(())
    }
}

macro_rules! of_sizes {
    ($each:ident: $($n:literal)*) => { $($each!($n);)* };
}

#[test]
fn actors_of_every_size_up_to_the_bound_keep_their_state_beside_each_other() {
    let mut world = World::sized(8 << 20);
    let seen = Arc::new(Mutex::new(0));
    let mut actors = Vec::new();
    macro_rules! spawn {
        ($n:literal) => {
            for seed in 0..3 {
                actors.push(world.spawn(Block::<$n>::new(seed, &seen)).unwrap());
                let state = seen.clone();
                let made = world.scope().spawn_from(move || Block::<$n>::new(seed, &state));
                actors.push(made.unwrap());
            }
        };
    }
    of_sizes!(spawn:
        0 1 2 3 4 5 6 7 8 9 12 15 16 17 23 24 25 31 32 33 39 40 41 47 48 49 55 56 63 64 65 71 72 79 80 87 88 95 96
        100 111 120 127 128 129 159 160 161 191 192 200 223 224 255 256 257 319 320 383 384 447 448 500 511 512 513
        640 768 896 1000 1023 1024 1025 1500 2047 2048 2049 3000 4095 4096 4097 6000 8191 8192 10000 12345 16383
        16384 20000 24576 30000 32000
    );
    for round in 0..3 {
        for actor in &actors {
            world.tell(*actor, round + 1);
        }
        world.settle();
        assert_eq!(world.panics, [""; 0]);
    }
    assert_eq!(*lock(&seen), 3 * actors.len() as u64);
    // Every other one stops, and others take their cells.
    for actor in actors.iter().step_by(2) {
        world.scope().stop(*actor);
    }
    world.settle();
    let used = world.stats().used_bytes;
    let again: Vec<_> = (0..50).map(|seed| world.spawn(Block::<33>::new(seed, &seen)).unwrap()).collect();
    for actor in actors.iter().skip(1).step_by(2).chain(&again) {
        world.tell(*actor, 1);
    }
    world.settle();
    assert_eq!((world.panics.len(), world.letters()), (0, vec![]));
    assert!(world.stats().used_bytes <= used + (64 << 10));
}

#[test]
fn the_largest_state_fits_exactly() {
    #[repr(align(128))]
    struct Largest([u8; limits::STATE_SIZE_MAX]);
    impl Actor for Largest {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            assert!(self.0.iter().all(|byte| *byte == 7));
            Ok(())
        }
    }
    const { assert!(size_of::<Largest>() == limits::STATE_SIZE_MAX) };
    let mut world = World::sized(2 << 20);
    let all: Vec<_> = (0..5).map(|_| world.spawn(Largest([7; limits::STATE_SIZE_MAX])).unwrap()).collect();
    for actor in all {
        world.tell(actor, ());
    }
    world.settle();
    assert_eq!((world.panics.len(), world.stats().handled), (0, 5));
}

#[test]
fn states_of_every_alignment_stand_aligned() {
    macro_rules! aligned {
        ($world:ident: $($align:literal)*) => {
            $({
                #[repr(align($align))]
                struct Aligned<const N: usize>([u8; N]);
                impl<const N: usize> Actor for Aligned<N> {
                    type Msg = ();
                    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
                        assert!((&raw const *self).addr().is_multiple_of($align));
                        assert!(self.0.iter().all(|byte| *byte == $align));
                        Ok(())
                    }
                }
                macro_rules! spawn {
                    ($n:literal) => {
                        for _ in 0..3 {
                            let actor = $world.spawn(Aligned([$align; $n])).unwrap();
                            $world.tell(actor, ());
                            let actor = $world.scope().spawn_from(|| Aligned([$align; $n])).unwrap();
                            $world.tell(actor, ());
                        }
                    };
                }
                of_sizes!(spawn: 0 1 8 17 64 100 130 1000 5000);
            })*
        };
    }
    let mut world = World::sized(4 << 20);
    aligned!(world: 1 2 4 8 16 32 64 128);
    world.settle();
    assert_eq!((world.panics.len(), world.stats().handled), (0, 8 * 9 * 6));
}

#[test]
fn an_actor_with_a_word_of_state_costs_forty_bytes() {
    struct Word(#[allow(dead_code)] u64);
    impl Actor for Word {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut world = World::sized(16 << 20);
    let mut used = Vec::new();
    for n in 0..200_000u64 {
        world.spawn(Word(n)).unwrap();
        if n % 500 == 0 {
            // Else the starts that wait would be counted as well.
            world.settle();
        }
        if n == 50_000 || n == 150_000 {
            used.push(world.stats().used_bytes);
        }
    }
    let each = (used[1] - used[0]) as f64 / 100_000.0;
    assert!((39.5..40.5).contains(&each), "{each} bytes");
}

#[test]
fn memory_below_the_minimum_is_refused_with_the_numbers() {
    let small = common::memory(1000);
    let start = small.as_ptr().addr();
    let refused = Region::from_static(small).map(drop).unwrap_err();
    let usable = 1000 - (start.next_multiple_of(limits::STATE_ALIGN_MAX) - start);
    assert_eq!(refused, RegionError::TooSmall { bytes: usable, needed: REGION_MIN });
    let text = KernelError::from(refused).to_string();
    assert!(text.contains(&REGION_MIN.to_string()) && text.contains(&usable.to_string()), "{text}");
}

#[test]
fn the_smallest_region_runs_a_first_actor() {
    let mut world = World::sized(REGION_MIN + limits::STATE_ALIGN_MAX);
    let a = world.puppet("a");
    for round in 0..100 {
        world.tell(a, Order::Note(round));
        world.settle();
    }
    assert_eq!(world.events().len(), 101);
}

#[test]
fn a_region_of_any_start_is_aligned() {
    for skip in [0, 1, 3, 8, 64, 127] {
        let memory = common::memory(64 << 10);
        let region = Region::from_static(&mut memory[skip..]).unwrap();
        let mut world = World::of(Kernel::new(region, KernelConfig::default()).unwrap());
        #[repr(align(128))]
        struct Wide(Arc<Mutex<u64>>);
        impl Actor for Wide {
            type Msg = ();
            fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
                assert!((&raw const *self).addr().is_multiple_of(128));
                *lock(&self.0) += 1;
                Ok(())
            }
        }
        let seen = Arc::new(Mutex::new(0));
        let wide = world.spawn(Wide(seen.clone())).unwrap();
        world.tell(wide, ());
        world.settle();
        assert_eq!(*lock(&seen), 1);
    }
}

/// Needs the least that an actor can.
struct Tiny;

impl Actor for Tiny {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// Fills the region with puppets until there is no room for one more, and what is left over with the smallest actors.
/// Gives the puppets.
fn fill(world: &mut World) -> Vec<ActorRef<Order>> {
    let mut all = Vec::new();
    loop {
        match world.kernel.spawn(Puppet::new("filler", &world.log)) {
            Ok(filler) => all.push(filler),
            Err(SpawnError::OutOfMemory) => break,
            Err(other) => panic!("{other}"),
        }
    }
    while world.kernel.spawn(Tiny).is_ok() {}
    // The starts give their room in the queue of signals back; nobody else can use that.
    world.settle();
    all
}

#[test]
fn a_used_up_region_refuses_a_spawn_and_drops_its_state() {
    let mut world = World::sized(32 << 10);
    let census = Census::default();
    let fillers = fill(&mut world);
    assert!(fillers.len() > 20, "{}", fillers.len());
    let actors = world.stats().actors;
    for named in [false, true] {
        let puppet = Puppet::new("late", &world.log).keeping(census.token());
        let (token, log) = (census.token(), world.log.clone());
        let made = move || {
            let _ = &token;
            Puppet::new("late", &log)
        };
        let mut scope = world.kernel.scope();
        let spawner = if named { scope.spawner().name("late") } else { scope.spawner() };
        assert_eq!(spawner.spawn(puppet), Err(SpawnError::OutOfMemory));
        assert_eq!(scope.spawner().spawn_from(made), Err(SpawnError::OutOfMemory));
        census.expect_none();
        assert_eq!(scope.named("late"), None);
    }
    assert_eq!(world.stats().actors, actors);
    // What lives goes on, and a cell that is given back is used again.
    world.stop(fillers[0]);
    world.settle();
    assert_eq!(world.stats().actors, actors - 1);
    fill(&mut world);
    assert_eq!(world.stats().actors, actors);
    assert_eq!(world.letters(), []);
}

#[test]
fn a_used_up_region_still_stops_every_actor_and_tells_every_watcher() {
    for bytes in [8 << 10, 32 << 10, 128 << 10] {
        let mut world = World::sized(bytes);
        let (w, p) = (world.puppet("w"), world.puppet("p"));
        world.have(p, |me, ctx| {
            for _ in 0..3 {
                ctx.spawn(me.other("c")).unwrap();
            }
        });
        world.have(w, move |_, ctx| ctx.watch(p).unwrap());
        let fillers = fill(&mut world);
        world.events();
        for filler in &fillers {
            world.scope().stop(*filler);
        }
        world.settle();
        let stopped = world.log.take();
        assert!(stopped.len() == fillers.len() && stopped.iter().all(|event| event == "filler stopped"));
        world.stop(p);
        assert_eq!(
            world.events(),
            ["c stopped", "c stopped", "c stopped", "p stopped", "w hears: p stopped"]
        );
        world.scope().stop_all();
        world.settle();
        assert_eq!(world.stats().actors, 0);
    }
}

/// A world in which messages may take all that signals do not have yet.
fn greedy_world() -> World {
    World::with(128 << 10, KernelConfig { queue_share: 256, ..KernelConfig::default() })
}

/// Fills the region as [`fill`] does, and takes what that leaves for side records and signals: the latter only until the
/// next turn.
fn fill_to_the_last(world: &mut World) {
    let fillers = fill(world);
    for filler in &fillers {
        if world.scope().suspend(*filler).is_ok() {
            world.scope().resume(*filler);
        }
    }
    world.events();
    while world.try_tell(fillers[0], Order::Carry(Census::default().token())).is_ok() {}
}

#[test]
fn a_parent_hears_of_a_failed_child_however_little_memory_is_left() {
    for children in [1, 3, 100] {
        let mut world = greedy_world();
        let p = world.puppet("p");
        let all = Arc::new(Mutex::new(Vec::new()));
        let made = all.clone();
        world.have(p, move |me, ctx| {
            for _ in 0..children {
                lock(&made).push(ctx.spawn(me.other("c")).unwrap());
            }
        });
        fill_to_the_last(&mut world);
        // All at once, so that the signals' room is used up as well.
        let all = std::mem::take(&mut *lock(&all));
        for child in &all {
            world.scope().fail(*child, Failure::new("gone wrong"));
        }
        let events = world.events();
        let heard = events.iter().filter(|event| event.starts_with("p decides on c: ")).count();
        assert_eq!((heard, events.len()), (children, 2 * children));
        assert_eq!((world.stats().failed, &world.panics[..]), (children as u64, &[][..] as &[String]));
        // Their cells are given back.
        world.have(p, move |me, ctx| {
            for _ in 0..children {
                ctx.spawn(me.other("c")).unwrap();
            }
        });
    }
}

#[test]
fn a_parent_that_stops_over_one_failed_child_is_not_asked_about_the_next() {
    let mut world = greedy_world();
    let p = world.puppet("p");
    let all = Arc::new(Mutex::new(Vec::new()));
    let made = all.clone();
    world.have(p, move |me, ctx| {
        me.at_failure_of_child = Some(Box::new(|_, ctx| {
            ctx.stop_self();
            Ok(())
        }));
        for _ in 0..100 {
            lock(&made).push(ctx.spawn(me.other("c")).unwrap());
        }
    });
    fill_to_the_last(&mut world);
    for child in std::mem::take(&mut *lock(&all)) {
        world.scope().fail(child, Failure::new("gone wrong"));
    }
    let mut events = world.events();
    events.retain(|event| event != "c stopped");
    assert_eq!(events.pop(), Some("p stopped".to_owned()));
    // Asked about those whose failure came before its own stop, and about none after.
    assert!((1..100).contains(&events.len()), "{}", events.len());
    assert!(events.iter().all(|event| event == "p decides on c: error: gone wrong"), "{events:?}");
    assert_eq!((world.stats().failed, &world.panics[..]), (100, &[][..] as &[String]));
    assert!(!world.scope().is_alive(p));
}

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
    let region = Region::from_static(common::memory(bytes)).ok()?;
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
    let mut bytes = REGION_MIN;
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

#[test]
fn a_message_that_finds_no_room_to_wait_is_a_dead_letter_and_gives_its_credit_back() {
    let mut world = World::sized(32 << 10);
    let census = Census::default();
    let puppet = Puppet::new("a", &world.log);
    let a = world.scope().spawner().mailbox(3).spawn(puppet).unwrap();
    world.settle();
    world.scope().suspend(a).unwrap();
    fill(&mut world);
    world.log.take();
    for _ in 0..20 {
        world.try_tell(a, Order::Carry(census.token())).expect("the mailbox is empty");
        world.settle();
        census.expect_none();
    }
    assert_eq!(world.letters(), [(DeadReason::OutOfMemory, 20)]);
    world.scope().resume(a);
    world.tell(a, Order::Note(1));
    assert_eq!(world.events(), ["a 1"]);
}

#[test]
fn memory_given_back_is_used_again_for_its_own_kind() {
    let mut world = World::sized(256 << 10);
    let mut used = Vec::new();
    for _ in 0..30 {
        let (a, b) = (world.puppet("a"), world.puppet("b"));
        world.have(a, move |me, ctx| {
            for key in 0..20 {
                ctx.set_timer(key, ms(5), Order::Note(key)).unwrap();
                assert!(ctx.stash(Order::Note(key)).is_ok());
                ctx.attach([key; 10]).unwrap();
                ctx.adapter(Order::Note).unwrap();
                ctx.spawner().name(&format!("n{key}")).spawn(me.other("c")).unwrap();
                ctx.ask(b, ms(5), |_: ActorRef<u8>| Order::Note(key), |_| Order::Note(0));
            }
            ctx.watch_with(b, Order::Note(99)).unwrap();
            ctx.set_receive_timeout(Some(ms(7))).unwrap();
            ctx.suspend_self().unwrap();
        });
        world.tell(a, Order::Note(1));
        world.pass(ms(6));
        world.scope().resume(a);
        world.pass(ms(20));
        world.scope().stop_all();
        world.events();
        assert_eq!(world.stats().actors, 0);
        used.push(world.stats().used_bytes);
    }
    assert_eq!(used[2], used[29], "{used:?}");
}

/// What makes a puppet, and holds a token as long as it could.
fn factory(
    name: &'static str,
    log: &common::Log,
    token: Option<Token>,
) -> impl FnMut() -> Puppet + Send + 'static {
    let log = log.clone();
    move || {
        let _ = &token;
        Puppet::new(name, &log)
    }
}

/// Fills the region one by one, so that the queue of signals keeps its one segment. Then `free` of the cells are given
/// back.
fn fill_but(world: &mut World, free: usize) {
    // The queue of messages takes its segment before that.
    let first = world.puppet("first");
    world.have(first, |_, ctx| ctx.stop_self());
    let mut all = Vec::new();
    while let Ok(filler) = world.kernel.scope().spawn_from(factory("filler", &world.log, None)) {
        all.push(filler);
        world.settle();
    }
    while world.kernel.spawn(Tiny).is_ok() {
        world.settle();
    }
    assert!(all.len() > free, "{} of {free}", all.len());
    for filler in &all[..free] {
        world.stop(*filler);
    }
    world.log.take();
}

#[test]
fn a_stop_that_finds_no_room_among_the_signals_is_not_lost() {
    let mut world = World::sized(64 << 10);
    let census = Census::default();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    fill_but(&mut world, 100);
    let people = census.clone();
    world.have(a, move |me, ctx| {
        // Each takes room for its start; cells there are more of.
        let mut children = Vec::new();
        let error = loop {
            match ctx.spawn_from(factory("c", &me.log, Some(people.token()))) {
                Ok(child) => children.push(child),
                Err(error) => break error,
            }
        };
        assert!(
            error == SpawnError::OutOfMemory && (20..100).contains(&children.len()),
            "{}",
            children.len()
        );
        people.expect(children.len());
        // These were never made and end at once; the others are found when their turn comes.
        for child in &children[5..] {
            ctx.stop(*child);
        }
        people.expect(5);
        ctx.stop(b);
        ctx.stop_self();
        me.say("is done");
    });
    let mut events = world.events();
    assert_eq!(events.remove(0), "a is done");
    assert_eq!(events.iter().filter(|e| *e == "c started").count(), 5, "{events:?}");
    assert_eq!(events.iter().filter(|e| *e == "c stopped").count(), 5, "{events:?}");
    assert!(events.contains(&"a stopped".to_owned()) && events.contains(&"b stopped".to_owned()));
    assert!(!world.scope().is_alive(a) && !world.scope().is_alive(b));
    census.expect_none();
    assert_eq!(world.panics, [""; 0]);
}

#[test]
fn stops_that_find_no_room_survive_panicking_hooks() {
    let mut world = World::sized(64 << 10);
    let a = world.puppet("a");
    let log = world.log.clone();
    let doomed: Vec<_> = (0..5)
        .map(|_| world.kernel.spawn(Puppet::new("d", &log).at_stop(|_, _| panic!("no"))).unwrap())
        .collect();
    // A family, of which each member's hook panics.
    let parent = Puppet::new("p", &log).at_stop(|_, _| panic!("no")).at_start(|me, ctx| {
        for _ in 0..5 {
            ctx.spawn(me.other("c").at_stop(|_, _| panic!("no")))?;
        }
        Ok(())
    });
    let parent = world.kernel.spawn(parent).unwrap();
    fill_but(&mut world, 100);
    world.have(a, move |me, ctx| {
        while ctx.spawn_from(factory("child", &me.log, None)).is_ok() {}
        for one in doomed {
            ctx.stop(one);
        }
        ctx.stop(parent);
    });
    let events = world.events();
    for (who, count) in [("d stopped", 5), ("c stopped", 5), ("p stopped", 1)] {
        assert_eq!(events.iter().filter(|e| *e == who).count(), count, "{who}: {events:?}");
    }
    assert_eq!(world.panics.len(), 11);
    assert!(!world.scope().is_alive(parent));
}
