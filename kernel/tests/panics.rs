//! Panics of user code, wherever it runs: the driver catches them around the turn, and they are the failure of one
//! actor alone. Nothing is lost or dropped twice by them.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use common::{Census, Log, Order, Puppet, Realm, Token, World, lock, ms, order};
use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadLetter, DeadReason, Failure, KernelConfig, Observe, Outcome, Path, ReplyTo,
    Subject, Terminated,
};

/// A value whose drop panics, once it is armed. It counts as dropped all the same.
struct Bomb {
    armed: bool,
    text: &'static str,
    _token: Token,
}

impl Bomb {
    fn new(text: &'static str, census: &Census) -> Bomb {
        Bomb { armed: true, text, _token: census.token() }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.armed && !std::thread::panicking() {
            panic!("{}", self.text);
        }
    }
}

/// Keeps quiet about panics that are meant.
fn world() -> World {
    World::new()
}

/// A watcher `w`, a parent `p` and its child `c`, whose address it gives.
fn family(world: &mut World, child: impl FnOnce(&Log) -> Puppet) -> (ActorRef<Order>, ActorRef<Order>) {
    let (w, p) = (world.puppet("w"), world.puppet("p"));
    let puppet = child(&world.log);
    let slot = Arc::new(Mutex::new(None));
    let store = slot.clone();
    // A puppet with a state to drop is spawned where it is, and carried nowhere.
    let cell = Mutex::new(Some(SendPuppet(puppet)));
    world.have(p, move |_, ctx| {
        let SendPuppet(puppet) = lock(&cell).take().unwrap();
        *lock(&store) = Some(ctx.spawn(puppet).unwrap());
    });
    let c = lock(&slot).take().unwrap();
    world.have(w, move |_, ctx| ctx.watch(c).unwrap());
    world.events();
    (p, c)
}

struct SendPuppet(Puppet);

#[test]
fn a_handlers_panic_is_the_failure_of_its_actor_alone() {
    let mut world = world();
    let (_, c) = family(&mut world, |log| Puppet::new("c", log));
    let other = world.puppet("other");
    world.tell(other, Order::Note(1));
    world.tell(c, order(|_, _| panic!("boom")));
    world.tell(c, Order::Note(2));
    world.tell(other, Order::Note(3));
    assert_eq!(
        world.events(),
        [
            "other started",
            "other 1",
            "p decides on c: panic: boom",
            "c stopped",
            "other 3",
            "w hears: c failed (panic: boom)"
        ]
    );
    assert_eq!((world.stats().failed, world.stats().actors), (1, 3));
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1), (DeadReason::Failed, 1)]);
}

#[test]
fn what_a_panicking_handler_held_is_dropped_and_what_waited_becomes_dead_letters() {
    let mut world = world();
    let census = Census::default();
    let token = census.token();
    let (_, c) = family(&mut world, |log| Puppet::new("c", log).keeping(token));
    let held = census.token();
    world.tell(
        c,
        order(move |_, _| {
            let _held = held;
            panic!("boom");
        }),
    );
    for _ in 0..10 {
        world.tell(c, Order::Carry(census.token()));
    }
    world.settle();
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::NoActor, 10), (DeadReason::Failed, 1)]);
}

/// Reliability 18.
#[test]
fn a_panic_in_every_hook_fails_its_own_actor() {
    type Prepare = fn(&mut Puppet);
    let cases: [(&str, Prepare); 4] = [
        ("at its start", |_| {}),
        ("at the end of another", |c| c.at_end_of_other = Some(Box::new(|_, _| panic!("boom")))),
        ("at the failure of a child", |c| c.at_failure_of_child = Some(Box::new(|_, _| panic!("boom")))),
        ("at silence", |c| c.at_silence = Some(Box::new(|_, _| panic!("boom")))),
    ];
    for (what, prepare) in cases {
        let mut world = world();
        let w = world.puppet("w");
        let other = world.puppet("other");
        let log = world.log.clone();
        world.have(w, move |_, ctx| {
            let mut c = Puppet::new("c", &log);
            if what == "at its start" {
                c = c.at_start(|_, _| panic!("boom"));
            }
            prepare(&mut c);
            let c = ctx.spawn(c).unwrap();
            ctx.watch(c).unwrap();
            ctx.tell(
                c,
                order(move |me, ctx| {
                    ctx.watch(other).unwrap();
                    ctx.set_receive_timeout(Some(ms(10))).unwrap();
                    let child = ctx.spawn(me.other("grandchild")).unwrap();
                    if what == "at the failure of a child" {
                        ctx.tell(child, common::attempt(|_, _| Err(Failure::new("x"))));
                    }
                }),
            );
        });
        if what == "at the end of another" {
            world.stop(other);
        }
        world.pass(ms(20));
        assert_eq!(world.panics, ["boom"], "{what}");
        let events = world.events();
        let kind = if what == "at its start" { "failed start" } else { "panic" };
        let told = format!("w hears: c failed ({kind}: boom)");
        assert_eq!(events.iter().filter(|e| **e == told).count(), 1, "{what}: {events:?}");
        assert!(!events.contains(&"other failed".to_owned()));
    }
}

#[test]
fn a_panicking_factory_is_a_failure_before_anything_was_handled() {
    let mut world = world();
    let census = Census::default();
    let token = census.token();
    let p = world.puppet("p");
    world.have(p, move |_, ctx| {
        let child = ctx
            .spawn_from(move || -> Puppet {
                let _ = &token;
                panic!("no way")
            })
            .unwrap();
        ctx.watch(child).unwrap();
        ctx.tell(child, Order::Note(1));
    });
    assert_eq!(
        world.events(),
        [
            "p started",
            "p decides on somebody: failed start: no way",
            "p hears: somebody failed (failed start: no way)"
        ]
    );
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

/// Conformance 3, reliability 18.
#[test]
fn a_panicking_stopped_hook_is_shown_and_watchers_still_hear() {
    let mut world = world();
    let census = Census::default();
    let token = census.token();
    let (_, c) =
        family(&mut world, |log| Puppet::new("c", log).keeping(token).at_stop(|_, _| panic!("no goodbye")));
    let stashed = Order::Carry(census.token());
    world.have(c, move |_, ctx| assert!(ctx.stash(stashed).is_ok()));
    world.stop(c);
    assert_eq!(world.panics, ["no goodbye"]);
    assert_eq!(world.events(), ["c stopped", "w hears: c stopped"]);
    census.expect_none();
    assert_eq!((world.stats().failed, world.stats().actors), (1, 2));
}

#[test]
fn a_panicking_hook_of_a_child_does_not_keep_its_parent_from_stopping() {
    let mut world = world();
    let (p, _) = family(&mut world, |log| Puppet::new("c", log).at_stop(|_, _| panic!("no goodbye")));
    let w = world.puppet("w2");
    world.have(p, |me, ctx| {
        for name in ["d", "e", "f"] {
            ctx.spawn(me.other(name).at_stop(|_, _| panic!("nor here"))).unwrap();
        }
    });
    world.have(w, move |_, ctx| ctx.watch(p).unwrap());
    world.events();
    world.stop(p);
    assert_eq!(world.panics.len(), 4);
    let events = world.events();
    assert_eq!(events.len(), 7, "{events:?}");
    assert!(events.contains(&"w2 hears: p stopped".to_owned()));
    assert_eq!(world.stats().actors, 2);
}

/// An actor with a bomb in every place that is dropped when it ends.
struct Minefield {
    log: Log,
    bombs: Vec<Bomb>,
    laid: u64,
    watching_itself: bool,
    panic_at_stop: bool,
}

enum Mine {
    Own(#[allow(dead_code)] Bomb),
    Lay(Where, Bomb),
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    State,
    Hook,
    Stash,
    Timer,
    Watch,
    Attachment,
    Adapter,
    Ask,
    Backlog,
    Queue,
}

const PLACES: [Where; 10] = [
    Where::State,
    Where::Hook,
    Where::Stash,
    Where::Timer,
    Where::Watch,
    Where::Attachment,
    Where::Adapter,
    Where::Ask,
    Where::Backlog,
    Where::Queue,
];

impl Actor for Minefield {
    type Msg = Mine;

    fn receive(&mut self, mine: Mine, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let Mine::Lay(at, bomb) = mine else { return Ok(()) };
        self.laid += 1;
        match at {
            Where::State => self.bombs.push(bomb),
            Where::Hook => {
                self.panic_at_stop = true;
                defuse(bomb);
            }
            Where::Stash => assert!(ctx.stash(Mine::Own(bomb)).is_ok()),
            Where::Timer => ctx.set_timer(self.laid, ms(5), Mine::Own(bomb))?,
            Where::Watch => {
                let of = if self.watching_itself { ctx.parent() } else { ctx.me().address() };
                self.watching_itself = true;
                ctx.watch_with(of, Mine::Own(bomb))?;
            }
            Where::Attachment => ctx.attach(bomb)?,
            Where::Adapter => {
                ctx.adapter(move |_: u8| {
                    let _ = &bomb;
                    Mine::Plain
                })?;
            }
            Where::Ask => {
                let me: ActorRef<Mine> = ctx.me();
                ctx.ask(
                    me,
                    ms(50),
                    |_: ReplyTo<u8>| Mine::Plain,
                    move |_| {
                        let _ = &bomb;
                        Mine::Plain
                    },
                );
            }
            Where::Backlog | Where::Queue => defuse(bomb),
        }
        Ok(())
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        self.log.add("stopped");
        if self.panic_at_stop {
            panic!("hook");
        }
    }
}

fn defuse(mut bomb: Bomb) {
    bomb.armed = false;
}

/// Spawns a minefield with bombs laid at these places, below a parent, watched by a puppet `w`.
fn mined(world: &mut World, places: &[Where], census: &Census) -> (ActorRef<Order>, ActorRef<Mine>) {
    let w = world.puppet("w");
    let p = world.puppet("p");
    let slot = Arc::new(Mutex::new(None));
    let (store, log) = (slot.clone(), world.log.clone());
    world.have(p, move |_, ctx| {
        let mined =
            Minefield { log, bombs: Vec::new(), laid: 0, watching_itself: false, panic_at_stop: false };
        *lock(&store) = Some(ctx.spawn(mined).unwrap());
    });
    let mined: ActorRef<Mine> = lock(&slot).take().unwrap();
    world.have(w, move |_, ctx| ctx.watch(mined).unwrap());
    world.have(w, move |_, ctx| ctx.watch(p).unwrap());
    for at in places {
        world.tell(mined, Mine::Lay(*at, Bomb::new("laid", census)));
    }
    world.settle();
    if places.contains(&Where::Backlog) {
        world.scope().suspend(mined).unwrap();
        world.tell(mined, Mine::Own(Bomb::new("backlog", census)));
        world.tell(mined, Mine::Own(Bomb::new("backlog", census)));
        world.settle();
    }
    assert_eq!(world.panics, [""; 0]);
    world.events();
    (p, mined)
}

fn expect_all_over(world: &mut World, census: &Census, what: &str) {
    world.settle();
    world.pass(ms(100));
    census.expect_none();
    let events = world.events();
    assert_eq!(events.iter().filter(|e| *e == "stopped").count(), 1, "{what}: {events:?}");
    let heard = events.iter().filter(|e| e.starts_with("w hears: somebody")).count();
    assert_eq!(heard, 1, "{what}: {events:?}");
}

/// Reliability 18.
#[test]
fn a_panicking_drop_at_any_place_of_an_actor_leaves_nothing_behind_when_it_stops() {
    for at in PLACES {
        let (mut world, census) = (world(), Census::default());
        let (_, mined) = mined(&mut world, &[at], &census);
        world.scope().stop(mined);
        if at == Where::Queue {
            world.tell(mined, Mine::Own(Bomb::new("queue", &census)));
        }
        expect_all_over(&mut world, &census, &format!("{at:?}"));
        assert!(!world.panics.is_empty(), "{at:?}");
        assert_eq!(world.stats().actors, 2, "{at:?}");
    }
}

/// Reliability 18.
#[test]
fn panicking_drops_at_all_places_at_once_leave_nothing_behind() {
    let (mut world, census) = (world(), Census::default());
    let all: Vec<Where> = PLACES.into_iter().chain(PLACES).collect();
    let (_, mined) = mined(&mut world, &all, &census);
    world.scope().stop(mined);
    for _ in 0..3 {
        world.tell(mined, Mine::Own(Bomb::new("queue", &census)));
    }
    expect_all_over(&mut world, &census, "all");
    assert!(world.panics.len() >= 15, "{:?}", world.panics);
    assert_eq!(world.stats().actors, 2);
}

#[test]
fn panicking_drops_do_not_keep_a_parent_from_stopping() {
    for at in PLACES {
        let (mut world, census) = (world(), Census::default());
        let (p, _) = mined(&mut world, &[at, at], &census);
        world.scope().stop(p);
        expect_all_over(&mut world, &census, &format!("{at:?}"));
        assert_eq!(world.stats().actors, 1, "{at:?}");
    }
}

/// Reliability 18.
#[test]
fn panicking_drops_of_an_actor_that_failed_are_told_as_its_failure() {
    for at in PLACES {
        let (mut world, census) = (world(), Census::default());
        let (_, mined) = mined(&mut world, &[at], &census);
        world.scope().fail(mined, Failure::new("enough"));
        expect_all_over(&mut world, &census, &format!("{at:?}"));
        assert_eq!(world.stats().actors, 2, "{at:?}");
    }
}

/// Reliability 18.
#[test]
fn a_kernel_dropped_while_a_drop_is_unwinding_drops_nothing_twice() {
    for at in PLACES {
        let (mut world, census) = (world(), Census::default());
        let (_, mined) = mined(&mut world, &[at], &census);
        world.scope().stop(mined);
        if at == Where::Queue {
            world.tell(mined, Mine::Own(Bomb::new("queue", &census)));
        }
        let now = world.now;
        // The driver does not catch: the kernel goes with the stack.
        let result = catch_unwind(AssertUnwindSafe(move || {
            let mut world = world;
            for _ in 0..10 {
                world.kernel.turn(now);
            }
        }));
        assert!(result.is_err(), "{at:?}");
        census.expect_none();
    }
}

#[test]
fn a_panicking_map_or_closure_is_its_owners_failure() {
    let mut world = world();
    let slot = Arc::new(Mutex::new(None));
    for case in 0..3 {
        let (_, c) = family(&mut world, |log| Puppet::new("c", log));
        let (store, other) = (slot.clone(), world.puppet("other"));
        world.have(c, move |_, ctx| match case {
            0 => *lock(&store) = Some(ctx.adapter(|_: u64| -> Order { panic!("boom") }).unwrap()),
            1 => ctx.ask(
                other,
                ms(10),
                |reply| {
                    *lock(&store) = Some(reply);
                    Order::Note(1)
                },
                |_: Result<u64, _>| panic!("boom"),
            ),
            _ => ctx.ask(other, ms(10), |_: ReplyTo<u64>| Order::Note(1), |_| panic!("boom")),
        });
        if let Some(address) = lock(&slot).take() {
            world.tell(address, 1u64);
        }
        world.pass(ms(20));
        let events = world.events();
        assert!(events.contains(&"w hears: c failed (panic: boom)".to_owned()), "{case}: {events:?}");
        assert!(world.scope().is_alive(other), "{case}");
    }
}

/// An actor whose answer to `influences_receive_timeout` is a panic.
struct Touchy(Log);

impl Actor for Touchy {
    type Msg = Option<Token>;
    fn receive(&mut self, _: Option<Token>, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0.add("touchy handled it");
        Ok(())
    }
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        Ok(ctx.set_receive_timeout(Some(ms(10)))?)
    }
    fn influences_receive_timeout(message: &Option<Token>) -> bool {
        assert!(message.is_none(), "asked about a token");
        true
    }
}

#[test]
fn a_panic_about_a_messages_influence_is_its_actors_failure_and_drops_the_message() {
    for suspended in [false, true] {
        let mut world = world();
        let census = Census::default();
        let log = world.log.clone();
        let touchy = world.spawn(Touchy(log)).unwrap();
        let other = world.puppet("other");
        let w = world.puppet("w");
        world.have(w, move |_, ctx| ctx.watch(touchy).unwrap());
        world.events();
        if suspended {
            world.scope().suspend(touchy).unwrap();
        }
        world.tell(other, Order::Note(1));
        world.tell(touchy, Some(census.token()));
        world.settle();
        if suspended {
            world.scope().resume(touchy);
        }
        let events = world.events();
        assert_eq!(events, ["other 1", "w hears: somebody failed (panic: asked about a token)"]);
        assert!(world.scope().is_alive(other));
        census.expect_none();
    }
}

#[test]
fn a_panicking_clone_of_a_periodic_message_is_its_owners_failure() {
    struct Fragile;
    struct Copyable(#[allow(dead_code)] Token);
    impl Clone for Copyable {
        fn clone(&self) -> Copyable {
            panic!("no copies")
        }
    }
    impl Actor for Fragile {
        type Msg = Option<Copyable>;
        fn receive(&mut self, message: Option<Copyable>, ctx: &mut Ctx<'_, Self>) -> Outcome {
            Ok(ctx.set_periodic(1, ms(1), message)?)
        }
    }
    let mut world = world();
    let census = Census::default();
    let fragile = world.spawn(Fragile).unwrap();
    let w = world.puppet("w");
    world.have(w, move |_, ctx| ctx.watch(fragile).unwrap());
    world.tell(fragile, Some(Copyable(census.token())));
    world.pass(ms(5));
    assert_eq!(world.events(), ["w started", "w hears: somebody failed (panic: no copies)"]);
    census.expect_none();
}

/// Sees what goes wrong.
struct Journal(Log);

impl Observe for Journal {
    fn dead_letter(&mut self, letter: &DeadLetter, _: Path<'_>) {
        self.0.add(format!("letter: {}", letter.reason));
    }
    fn failed(&mut self, who: &Subject<'_>, failure: &Failure) {
        self.0.add(format!("failed: {} {failure}", who.actor.rsplit("::").next().unwrap()));
    }
    fn panicked(&mut self, failure: &Failure) {
        self.0.add(format!("panicked: {failure}"));
    }
}

#[test]
fn a_panic_that_is_no_actors_is_shown_as_nobodys() {
    let mut realm = Realm::pair();
    let journal = Journal(realm.log());
    realm.worlds[1].scope().observe(journal).unwrap();
    let (census, survivor) = (Census::default(), realm.worlds[1].puppet("s"));
    realm.events();
    // A call from another core.
    let held = census.token();
    realm.worlds[0]
        .scope()
        .call_on(1, move |_| {
            let _held = held;
            panic!("in a call");
        })
        .map_err(|_| "refused")
        .unwrap();
    realm.worlds[0].tell(survivor, Order::Note(1));
    assert_eq!(realm.events(), ["panicked: panic: in a call", "s 1"]);
    // The drop of a dead letter.
    let log = realm.log();
    let mined = realm.worlds[1]
        .spawn(Minefield { log, bombs: Vec::new(), laid: 0, watching_itself: false, panic_at_stop: false })
        .unwrap();
    realm.settle();
    realm.worlds[1].stop(mined);
    realm.worlds[1].tell(mined, Mine::Own(Bomb::new("in a drop", &census)));
    realm.worlds[1].tell(survivor, Order::Note(2));
    assert_eq!(realm.events(), ["stopped", "panicked: panic: in a drop", "s 2"]);
    census.expect_none();
    assert_eq!(realm.worlds[1].letters(), [(DeadReason::NoActor, 1)]);
    assert!(realm.worlds[1].scope().is_alive(survivor));
}

#[test]
fn a_panicking_drop_of_what_waits_for_a_kernel_that_is_gone_is_nobodys() {
    let config = KernelConfig { outbox_bytes: 4096, ..KernelConfig::default() };
    let mut realm = Realm::new::<32>(2, 1 << 20, &config);
    let (a, census) = (realm.worlds[0].puppet("a"), Census::default());
    let log = realm.log();
    let mined = Minefield { log, bombs: Vec::new(), laid: 0, watching_itself: false, panic_at_stop: false };
    let mined = realm.worlds[1].spawn(mined).unwrap();
    realm.settle();
    for _ in 0..10 {
        realm.worlds[0].tell(mined, Mine::Own(Bomb::new("spilled", &census)));
    }
    assert!(realm.worlds[0].spilled());
    // The lane's own go with their kernel; each of those behind it panics.
    let gone = std::panic::catch_unwind(AssertUnwindSafe(|| drop(realm.worlds.remove(1))));
    assert!(gone.is_err());
    realm.worlds[0].tell(a, Order::Note(1));
    realm.worlds[0].settle();
    assert!(realm.worlds[0].panics.len() > 1);
    assert!(realm.worlds[0].scope().is_alive(a));
    assert_eq!(realm.worlds[0].stats().failed, 0);
    assert!(realm.worlds[0].events().contains(&"a 1".to_owned()));
    census.expect_none();
}

#[test]
fn the_observer_sees_failures_with_the_actors_type() {
    let mut world = world();
    let journal = Journal(world.log.clone());
    world.scope().observe(journal).unwrap();
    let a = world.puppet("a");
    world.tell(a, order(|_, _| panic!("boom")));
    world.tell(a, Order::Note(1));
    assert_eq!(
        world.events(),
        [
            "a started",
            "letter: its handler failed",
            "failed: Puppet panic: boom",
            "a stopped",
            "letter: no such actor"
        ]
    );
}

/// Reliability 16.
#[test]
fn a_thousand_siblings_miss_nothing_while_others_panic() {
    struct Sibling(Arc<Mutex<u64>>);
    impl Actor for Sibling {
        type Msg = u64;
        fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
            *lock(&self.0) += n;
            Ok(())
        }
        fn terminated(&mut self, _: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    struct Weak(#[allow(dead_code)] Token);
    impl Actor for Weak {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            panic!("weak")
        }
    }
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut world = world();
    let (sum, census) = (Arc::new(Mutex::new(0)), Census::default());
    let siblings: Vec<_> = (0..1000).map(|_| world.spawn(Sibling(sum.clone())).unwrap()).collect();
    let mut used = 0;
    for round in 0..20 {
        for sibling in &siblings {
            world.tell(*sibling, 1);
        }
        for _ in 0..50 {
            let weak = world.spawn(Weak(census.token())).unwrap();
            world.tell(weak, ());
        }
        world.settle();
        if round == 0 {
            used = world.stats().used_bytes;
        }
    }
    std::panic::set_hook(previous);
    assert_eq!(*lock(&sum), 20_000);
    assert_eq!(world.panics.len(), 1000);
    census.expect_none();
    assert_eq!(world.stats().used_bytes, used, "panics leave nothing behind");
}
