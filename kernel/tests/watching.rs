//! Death watch: whoever watches is told of the end exactly once, whatever the order of things.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Census, Log, Order, Puppet, Realm, World, attempt, lock, order, why};
use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, DeadReason, Failure, FailureKind, Group, KernelConfig, Outcome,
    StopReason, Terminated,
};

/// Conformance 14.
#[test]
fn every_watcher_hears_of_the_end_once() {
    let mut world = World::new();
    let target = world.puppet("t");
    for name in ["a", "b", "c"] {
        let watcher = world.puppet(name);
        world.have(watcher, move |_, ctx| ctx.watch(target).unwrap());
    }
    world.events();
    world.stop(target);
    let mut events = world.events();
    events.sort();
    assert_eq!(events, ["a hears: t stopped", "b hears: t stopped", "c hears: t stopped", "t stopped"]);
}

/// Conformance 14.
#[test]
fn watching_one_that_is_already_dead_or_never_lived_gives_one_notice() {
    let mut world = World::new();
    let (w, target) = (world.puppet("w"), world.puppet("t"));
    world.settle();
    world.stop(target);
    let stranger = World::new().puppet("elsewhere");
    world.events();
    world.have(w, move |_, ctx| {
        ctx.watch(target).unwrap();
        ctx.watch(Address::NOBODY).unwrap();
        ctx.watch(stranger).unwrap();
    });
    assert_eq!(
        world.events(),
        ["w hears: t not found", "w hears: somebody not found", "w hears: somebody not found"]
    );
}

#[test]
fn watching_twice_is_watching_once() {
    let mut world = World::new();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    world.have(w, move |_, ctx| {
        ctx.watch(t).unwrap();
        ctx.watch(t).unwrap();
    });
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped"]);
}

/// Conformance 17.
#[test]
fn a_notice_that_is_on_its_way_is_not_told_after_unwatch() {
    let mut world = World::new();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    world.have(w, move |_, ctx| {
        ctx.watch(t).unwrap();
        ctx.watch(Address::NOBODY).unwrap();
        // The notice of this one is queued already.
        assert!(ctx.unwatch(Address::NOBODY));
        assert!(!ctx.unwatch(Address::NOBODY));
    });
    world.events();
    // The target ends first; its watcher unwatches in the same turn, before it has heard.
    world.tell(t, order(|_, ctx| ctx.stop_self()));
    world.tell(w, order(move |me, ctx| me.say(ctx.unwatch(t))));
    world.tell(w, order(move |me, ctx| me.say(ctx.unwatch(t))));
    assert_eq!(world.events(), ["t stopped", "w true", "w false"]);
}

/// Conformance 17.
#[test]
fn watch_with_tells_its_message_instead_of_the_hook() {
    let mut world = World::new();
    let census = Census::default();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    let token = census.token();
    world.have(w, move |_, ctx| {
        ctx.watch_with(t, Order::Carry(token)).unwrap();
        ctx.watch_with(t, Order::Note(1)).unwrap();
        ctx.watch_with(t, Order::Note(2)).unwrap();
    });
    census.expect_none();
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w 2"]);
    // Of one that is gone as well.
    world.have(w, move |_, ctx| ctx.watch_with(t, Order::Note(3)).unwrap());
    assert_eq!(world.events(), ["w 3"]);
}

#[test]
fn a_plain_watch_takes_an_earlier_message_back() {
    let mut world = World::new();
    let census = Census::default();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    let token = census.token();
    world.have(w, move |_, ctx| {
        ctx.watch_with(t, Order::Carry(token)).unwrap();
        ctx.watch(t).unwrap();
    });
    census.expect_none();
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped"]);
}

#[test]
fn unwatching_drops_the_message_of_the_watch() {
    let mut world = World::new();
    let census = Census::default();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    let (one, two) = (census.token(), census.token());
    world.have(w, move |_, ctx| {
        ctx.watch_with(t, Order::Carry(one)).unwrap();
        assert!(ctx.unwatch(t));
        ctx.watch_with(Address::NOBODY, Order::Carry(two)).unwrap();
        assert!(ctx.unwatch(Address::NOBODY));
    });
    census.expect_none();
    world.stop(t);
    assert_eq!(world.events(), ["w started", "t started", "t stopped"]);
}

/// Conformance 16.
#[test]
fn a_watcher_without_a_handler_for_it_fails_with_its_target() {
    struct Partner(ActorRef<Order>);
    impl Actor for Partner {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.watch(self.0)?;
            Ok(())
        }
    }
    struct Witness(Arc<Mutex<Vec<(FailureKind, String)>>>);
    impl Actor for Witness {
        type Msg = ActorRef<()>;
        fn receive(&mut self, whom: ActorRef<()>, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.watch(whom)?;
            Ok(())
        }
        fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
            let StopReason::Failed(failure) = &gone.reason else { panic!("it did not fail") };
            lock(&self.0).push((failure.kind(), failure.text().to_owned()));
            Ok(())
        }
    }
    let mut world = World::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let target = world.puppet("t");
    let partner = world.spawn(Partner(target)).unwrap();
    let witness = world.spawn(Witness(heard.clone())).unwrap();
    world.tell(witness, partner);
    world.settle();
    world.stop(target);
    assert_eq!(
        *lock(&heard),
        [(FailureKind::DeathPact, format!("{:?} is gone (Stopped)", target.address()))]
    );
    assert!(!world.scope().is_alive(partner));
}

#[test]
fn a_chain_of_death_pacts_unwinds_without_a_push_from_outside() {
    struct Link {
        next: u32,
        log: Log,
    }
    impl Actor for Link {
        type Msg = ();
        fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.stop_self();
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            let me = ctx.me();
            if self.next == 0 {
                ctx.tell(me, ());
                return Ok(());
            }
            let next = Link { next: self.next - 1, log: self.log.clone() };
            let next = ctx.scope().spawn(next)?;
            ctx.watch(next)?;
            Ok(())
        }
        fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
            self.log.add(format!("{} stopped", self.next));
        }
    }
    let mut world = World::new();
    let log = world.log.clone();
    world.spawn(Link { next: 5, log }).unwrap();
    // `settle` turns only as long as the kernel says that more waits.
    world.settle();
    let stopped = ["0 stopped", "1 stopped", "2 stopped", "3 stopped", "4 stopped", "5 stopped"];
    assert_eq!(world.events(), stopped);
    assert_eq!(world.stats().actors, 0);
}

/// Conformance 18.
#[test]
fn a_second_death_under_the_same_name_is_told_too() {
    let mut world = World::new();
    let p = world.puppet("p");
    fn again(me: &mut Puppet, ctx: &mut Ctx<'_, Puppet>) -> Outcome {
        let child = ctx.spawner().name("child").spawn(me.other("c"))?;
        ctx.watch(child)?;
        Ok(())
    }
    world.have(p, |me, ctx| {
        me.at_end_of_other = Some(Box::new(again));
        again(me, ctx).unwrap();
    });
    for _ in 0..3 {
        world.events();
        world.have(p, |me, ctx| {
            let child = ctx.child("child").unwrap();
            ctx.stop(child);
            me.at_end_of_other = Some(Box::new(again));
        });
        assert_eq!(world.events(), ["c stopped", "p hears: c stopped", "c started"]);
    }
}

#[test]
fn watching_again_after_the_notice_gives_another() {
    let mut world = World::new();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    world.have(w, move |me, ctx| {
        ctx.watch(t).unwrap();
        me.at_end_of_other = Some(Box::new(move |_, ctx| Ok(ctx.watch(t)?)));
    });
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped", "w hears: t not found"]);
}

#[test]
fn the_notice_comes_after_all_that_the_target_was_told() {
    let mut world = World::new();
    let (w, t) = (world.puppet("w"), world.puppet("t"));
    world.have(w, move |me, ctx| {
        ctx.watch(t).unwrap();
        me.at_end_of_other = Some(Box::new(|me, ctx| {
            me.say(ctx.scope().stats().dead_letters);
            Ok(())
        }));
    });
    world.events();
    world.tell(t, order(|_, ctx| ctx.stop_self()));
    // More than a turn handles.
    for n in 0..2000 {
        world.tell(t, Order::Note(n));
    }
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped", "w 2000"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 2000)]);
}

#[test]
fn an_end_in_a_slow_group_is_told_after_its_own_queue_only() {
    let mut world = World::new();
    let (w, busy) = (world.puppet("w"), world.puppet("busy"));
    let slow = Puppet::new("slow", &world.log);
    let slow = world.scope().spawner().group(Group::Background).spawn(slow).unwrap();
    world.have(w, move |_, ctx| ctx.watch(slow).unwrap());
    world.events();
    world.tell(slow, Order::Note(1));
    world.scope().stop(slow);
    world.tell(busy, Order::Note(1));
    assert_eq!(world.events(), ["slow stopped", "busy 1", "w hears: slow stopped"]);
}

#[test]
fn a_watcher_that_ends_first_hears_nothing() {
    let mut world = World::new();
    let census = Census::default();
    let (w, v, t) = (world.puppet("w"), world.puppet("v"), world.puppet("t"));
    let tokens = [census.token(), census.token()];
    world.have(w, move |_, ctx| {
        let [one, two] = tokens;
        ctx.watch_with(t, Order::Carry(one)).unwrap();
        // Its notice is queued when the watcher stops.
        ctx.watch_with(Address::NOBODY, Order::Carry(two)).unwrap();
        ctx.stop_self();
    });
    world.have(v, move |_, ctx| ctx.watch(t).unwrap());
    census.expect_none();
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "v hears: t stopped"]);
}

#[test]
fn two_may_watch_each_other_and_one_itself() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.have(a, move |_, ctx| {
        ctx.watch(b).unwrap();
        let me = ctx.me();
        ctx.watch(me).unwrap();
    });
    world.have(b, move |_, ctx| ctx.watch(a).unwrap());
    world.events();
    world.stop(a);
    world.stop(b);
    assert_eq!(world.events(), ["a stopped", "b hears: a stopped", "b stopped"]);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn both_of_two_that_stop_together_are_gone() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let a = ctx.spawn(me.other("a")).unwrap();
        let b = ctx.spawn(me.other("b")).unwrap();
        ctx.tell(a, order(move |_, ctx| ctx.watch(b).unwrap()));
        ctx.tell(b, order(move |_, ctx| ctx.watch(a).unwrap()));
    });
    world.events();
    world.stop(p);
    let mut events = world.events();
    events.sort();
    // Whichever goes first, the other is stopping by then, and hears nothing.
    assert_eq!(events, ["a stopped", "b stopped", "p stopped"]);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn a_parent_hears_of_a_child_that_it_watches_in_its_own_turn() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.watch(child).unwrap();
        ctx.tell(child, attempt(|_, _| Err(Failure::new("gone wrong"))));
    });
    assert_eq!(
        world.events(),
        [
            "p started",
            "c started",
            "p decides on c: error: gone wrong",
            "c stopped",
            "p hears: c failed (error: gone wrong)"
        ]
    );
}

#[test]
fn a_suspended_watcher_hears_by_its_hook_at_once_and_by_message_when_it_runs() {
    let mut world = World::new();
    let (w, v, t) = (world.puppet("w"), world.puppet("v"), world.puppet("t"));
    world.have(w, move |_, ctx| ctx.watch(t).unwrap());
    world.have(v, move |_, ctx| ctx.watch_with(t, Order::Note(1)).unwrap());
    world.scope().suspend(w).unwrap();
    world.scope().suspend(v).unwrap();
    world.events();
    world.stop(t);
    assert_eq!(world.events(), ["t stopped", "w hears: t stopped"]);
    world.scope().resume(v);
    assert_eq!(world.events(), ["v 1"]);
}

#[test]
fn one_end_is_told_to_many_watchers_and_one_watcher_of_many_ends() {
    const MANY: usize = 2000;
    struct Count(Arc<Mutex<usize>>);
    impl Actor for Count {
        type Msg = Address;
        fn receive(&mut self, whom: Address, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.watch(whom)?;
            Ok(())
        }
        fn terminated(&mut self, _: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
            *lock(&self.0) += 1;
            Ok(())
        }
    }
    let mut world = World::sized(8 << 20);
    let heard = Arc::new(Mutex::new(0));
    let all: Vec<_> = (0..MANY).map(|_| world.spawn(Count(heard.clone())).unwrap()).collect();
    for other in &all[1..] {
        world.tell(*other, all[0].address());
        world.tell(all[0], other.address());
    }
    world.settle();
    world.stop(all[0]);
    assert_eq!(*lock(&heard), MANY - 1);
    let hub = world.spawn(Count(heard.clone())).unwrap();
    for other in &all {
        world.tell(hub, other.address());
    }
    world.settle();
    world.scope().stop_all();
    world.settle();
    assert_eq!(*lock(&heard), MANY - 1 + 1, "only of the one that was gone already");
}

/// What a watcher may do, and what may happen to its target, in a short story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Watch,
    WatchWith,
    Unwatch,
    StopTarget,
    FailTarget,
    /// The target's kernel has a turn.
    TheirTurn,
    /// The watcher's kernel has a turn.
    OurTurn,
}

const ACTS: [Act; 7] = [
    Act::Watch,
    Act::WatchWith,
    Act::Unwatch,
    Act::StopTarget,
    Act::FailTarget,
    Act::TheirTurn,
    Act::OurTurn,
];

/// Checks from the inside that each notice belongs to one watch that was on.
struct Watcher {
    target: ActorRef<()>,
    watching: Arc<Mutex<Watching>>,
}

#[derive(Default)]
struct Watching {
    on: bool,
    with: bool,
    notices: u32,
    wrong: Vec<String>,
}

enum WatcherMsg {
    Act(Act),
    Gone,
}

struct Target;

impl Actor for Target {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Err(Failure::new("told to"))
    }
}

impl Watcher {
    fn heard(&mut self, by_message: bool) {
        let mut state = lock(&self.watching);
        if !state.on {
            state.wrong.push("a notice of no watch".to_owned());
        } else if state.with != by_message {
            state.wrong.push(format!("told by message: {by_message}"));
        }
        state.on = false;
        state.notices += 1;
    }
}

impl Actor for Watcher {
    type Msg = WatcherMsg;

    fn receive(&mut self, msg: WatcherMsg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            WatcherMsg::Gone => self.heard(true),
            WatcherMsg::Act(Act::Unwatch) => {
                let had = ctx.unwatch(self.target);
                let mut state = lock(&self.watching);
                if had != state.on {
                    let wrong = format!("unwatch said {had}, the watch was {}", state.on);
                    state.wrong.push(wrong);
                }
                state.on = false;
            }
            WatcherMsg::Act(act) => {
                if act == Act::Watch {
                    ctx.watch(self.target)?;
                } else {
                    ctx.watch_with(self.target, WatcherMsg::Gone)?;
                }
                let mut state = lock(&self.watching);
                (state.on, state.with) = (true, act == Act::WatchWith);
            }
        }
        Ok(())
    }

    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        if gone.address != self.target.address() {
            lock(&self.watching).wrong.push(format!("another is gone: {gone:?}"));
        }
        self.heard(false);
        Ok(())
    }
}

/// Tells a story on the kernels of a realm; the watcher lives on the first, the target on the last.
fn tell(story: &[Act], realm: &mut Realm) {
    let last = realm.worlds.len() - 1;
    let target = realm.worlds[last].spawn(Target).unwrap();
    let watching = Arc::new(Mutex::new(Watching::default()));
    let watcher = realm.worlds[0].spawn(Watcher { target, watching: watching.clone() }).unwrap();
    realm.settle();
    let mut ended = false;
    for act in story {
        match act {
            Act::Watch | Act::WatchWith | Act::Unwatch => {
                realm.worlds[0].tell(watcher, WatcherMsg::Act(*act));
            }
            Act::StopTarget => realm.worlds[last].scope().stop(target),
            Act::FailTarget => realm.worlds[last].tell(target, ()),
            Act::TheirTurn => _ = realm.worlds[last].turn(),
            Act::OurTurn => _ = realm.worlds[0].turn(),
        }
        ended |= matches!(act, Act::StopTarget | Act::FailTarget);
    }
    realm.settle();
    {
        let state = lock(&watching);
        assert_eq!(state.wrong, [""; 0], "{story:?}");
        assert!(!(ended && state.on), "the notice never came: {story:?}");
        assert!(ended || state.notices == 0, "a notice of one that lives: {story:?}");
    }
    realm.worlds[0].scope().stop(watcher);
    realm.worlds[last].scope().stop(target);
    realm.settle();
}

fn tell_all_stories_of(length: usize, realm: &mut Realm) {
    let mut digits = vec![0; length];
    loop {
        let story: Vec<Act> = digits.iter().map(|d| ACTS[*d]).collect();
        // A story without a watch or an end is a part of one that has both.
        let watches = story.iter().any(|act| matches!(act, Act::Watch | Act::WatchWith));
        if watches && story.iter().any(|act| matches!(act, Act::StopTarget | Act::FailTarget)) {
            tell(&story, realm);
        }
        let Some(at) = digits.iter().rposition(|d| *d + 1 < ACTS.len()) else { return };
        digits[at] += 1;
        digits[at + 1..].fill(0);
    }
}

/// Conformance 14, 17.
#[test]
fn exactly_one_notice_in_every_race_on_one_core() {
    let mut realm = Realm::new::<256>(1, 1 << 20, &KernelConfig::default());
    for length in 2..=5 {
        tell_all_stories_of(length, &mut realm);
    }
    let used = realm.worlds[0].stats().used_bytes;
    tell_all_stories_of(4, &mut realm);
    assert_eq!(realm.worlds[0].stats().used_bytes, used, "watches leave nothing behind");
}

/// Conformance 14, 17.
#[test]
fn exactly_one_notice_in_every_race_between_two_cores() {
    let mut realm = Realm::new::<256>(2, 1 << 20, &KernelConfig::default());
    for length in 2..=5 {
        tell_all_stories_of(length, &mut realm);
    }
    let used: Vec<_> = realm.worlds.iter().map(|world| world.stats().used_bytes).collect();
    tell_all_stories_of(4, &mut realm);
    let after: Vec<_> = realm.worlds.iter().map(|world| world.stats().used_bytes).collect();
    assert_eq!(used, after, "watches leave nothing behind");
}

#[test]
fn a_failures_text_crosses_to_a_watcher_on_another_core() {
    let mut realm = Realm::pair();
    let (w, t) = (realm.worlds[0].puppet("w"), realm.worlds[1].puppet("t"));
    realm.have(0, w, move |_, ctx| ctx.watch(t).unwrap());
    realm.events();
    realm.worlds[1].tell(t, attempt(|_, _| Err(Failure::new("out of luck"))));
    assert_eq!(realm.events(), ["t stopped", "w hears: t failed (error: out of luck)"]);
}

#[test]
fn watchers_of_actors_on_a_kernel_that_goes_hear_once_that_it_is_unreachable() {
    let mut realm = Realm::new::<256>(3, 1 << 20, &KernelConfig::default());
    let census = Census::default();
    let (w, v) = (realm.worlds[0].puppet("w"), realm.worlds[0].puppet("v"));
    let (t, u) = (realm.worlds[1].puppet("t"), realm.worlds[1].puppet("u"));
    let other = realm.worlds[2].puppet("other");
    let (kept, dropped) = (census.token(), census.token());
    realm.have(0, w, move |_, ctx| {
        for target in [t, u, other] {
            ctx.watch(target).unwrap();
        }
    });
    realm.have(0, v, move |_, ctx| {
        ctx.watch_with(t, Order::Carry(kept)).unwrap();
        ctx.watch_with(u, Order::Carry(dropped)).unwrap();
        assert!(ctx.unwatch(u), "of this one nothing is told");
    });
    census.expect(1);
    realm.events();
    drop(realm.worlds.remove(1));
    let mut events = realm.events();
    events.sort();
    assert_eq!(events, ["w hears: t Unreachable", "w hears: u Unreachable"]);
    census.expect_none();
    // There is nobody any more, and whoever watches now hears that.
    realm.have(0, w, move |_, ctx| ctx.watch(t).unwrap());
    assert_eq!(realm.events(), ["w hears: t not found"]);
    realm.worlds[0].tell(t, Order::Note(1));
    assert_eq!(realm.worlds[0].letters(), [(DeadReason::Unreachable, 1)]);
    // The third kernel is there still.
    realm.worlds[1].stop(other);
    assert_eq!(realm.events(), ["other stopped", "w hears: other stopped"]);
}

#[test]
fn what_ended_before_its_kernel_went_is_told_as_it_was() {
    let mut realm = Realm::pair();
    let w = realm.worlds[0].puppet("w");
    let (t, u) = (realm.worlds[1].puppet("t"), realm.worlds[1].puppet("u"));
    realm.have(0, w, move |_, ctx| {
        ctx.watch(t).unwrap();
        ctx.watch(u).unwrap();
    });
    realm.events();
    realm.worlds[1].stop(t);
    assert_eq!(realm.log().take(), ["t stopped"]);
    drop(realm.worlds.remove(1));
    assert_eq!(realm.events(), ["w hears: t stopped", "w hears: u Unreachable"]);
}

#[test]
fn a_watch_that_the_targets_kernel_never_saw_is_told_of_when_that_goes() {
    let mut realm = Realm::pair();
    let (w, t) = (realm.worlds[0].puppet("w"), realm.worlds[1].puppet("t"));
    realm.events();
    realm.worlds[0].tell(w, order(move |_, ctx| ctx.watch(t).unwrap()));
    realm.worlds[0].turn();
    drop(realm.worlds.remove(1));
    assert_eq!(realm.events(), ["w hears: t Unreachable"]);
}

#[test]
fn a_farewell_finds_room_behind_however_many_signals() {
    for signals in 0..40 {
        let mut realm = Realm::pair();
        let w = realm.worlds[0].puppet("w");
        let all: Vec<_> = (0..signals + 1).map(|_| realm.worlds[1].puppet("t")).collect();
        let targets = all.clone();
        realm.have(0, w, move |_, ctx| {
            for target in &targets {
                ctx.watch(*target).unwrap();
            }
        });
        realm.events();
        // Their ends fill the lane for signals, and what waits behind it is lost.
        for target in &all[..signals] {
            realm.worlds[1].scope().stop(*target);
        }
        for _ in 0..3 {
            realm.worlds[1].turn();
        }
        drop(realm.worlds.remove(1));
        realm.log().take();
        let events = realm.events();
        assert_eq!(events.len(), signals + 1, "one notice each: {events:?}");
        assert_eq!(events.last().unwrap(), "w hears: t Unreachable", "after {signals}");
    }
}

#[test]
fn a_watcher_that_is_gone_does_not_hear_of_a_lost_kernel() {
    let mut realm = Realm::pair();
    let (w, v, t) = (realm.worlds[0].puppet("w"), realm.worlds[0].puppet("v"), realm.worlds[1].puppet("t"));
    for watcher in [w, v] {
        realm.have(0, watcher, move |_, ctx| ctx.watch(t).unwrap());
    }
    realm.worlds[0].stop(w);
    realm.events();
    drop(realm.worlds.remove(1));
    assert_eq!(realm.events(), ["v hears: t Unreachable"]);
    assert_eq!(realm.worlds[0].stats().actors, 1);
}

/// Takes all that is left of a region, down to the smallest watch.
fn use_up(world: &mut World) {
    let mut hubs = Vec::new();
    while let Ok(hub) = world.kernel.spawn(Puppet::new("filler", &world.log)) {
        hubs.push(hub);
    }
    world.settle();
    for hub in hubs {
        world.have(hub, |_, ctx| {
            let mut n = 0;
            while ctx.stash(Order::Note(n)).is_ok() && n < 1000 {
                n += 1;
            }
            let mut n = 0;
            while ctx.set_timer(n, Duration::from_secs(1000), Order::Note(n)).is_ok() {
                n += 1;
            }
        });
    }
    world.log.take();
}

#[test]
fn a_notice_that_waits_for_room_holds_up_none_for_others() {
    const MANY: usize = 60;
    let mut realm = Realm::new::<256>(3, 128 << 10, &KernelConfig::default());
    let near = realm.worlds[0].puppet("near");
    let (far, other) = (realm.worlds[1].puppet("far"), realm.worlds[2].puppet("other"));
    realm.events();
    let targets: Vec<_> = (0..MANY).map(|_| realm.worlds[0].puppet("t")).collect();
    let all = targets.clone();
    realm.have(1, far, move |_, ctx| {
        for target in &all {
            ctx.watch(*target).unwrap();
        }
    });
    let last = targets[MANY - 1];
    realm.have(2, other, move |_, ctx| ctx.watch(last).unwrap());
    realm.have(0, near, move |_, ctx| ctx.watch(last).unwrap());
    use_up(&mut realm.worlds[0]);
    for target in targets {
        realm.worlds[0].scope().stop(target);
    }
    for _ in 0..3 {
        realm.worlds[0].turn();
    }
    assert!(realm.worlds[0].turn().more, "some wait for room");
    assert!(realm.log().take().contains(&"near hears: t stopped".to_owned()));
    realm.worlds[2].settle();
    assert_eq!(realm.log().take(), ["other hears: t stopped"]);
    let events = realm.events();
    assert_eq!(events, vec!["far hears: t stopped"; MANY], "each once, when there is room");
}

/// Messages may take what is left of a region.
fn greedy() -> KernelConfig {
    KernelConfig { queue_share: 256, ..KernelConfig::default() }
}

/// Takes the segments that queues have given back: until the next turn has handled what waits.
fn take_all_segments(world: &mut World, to: ActorRef<Order>) {
    while world.try_tell(to, Order::Note(0)).is_ok() {}
}

/// There is room for a few notices in the lane, and for none behind it.
#[test]
fn who_watches_somebody_gone_elsewhere_is_told_so_however_little_memory_is_left_there() {
    const MANY: usize = 12;
    let mut realm = Realm::new::<256>(2, 128 << 10, &greedy());
    let (near, far) = (realm.worlds[0].puppet("near"), realm.worlds[1].puppet("far"));
    let targets: Vec<_> = (0..MANY).map(|_| realm.worlds[0].puppet("t")).collect();
    realm.settle();
    for target in &targets {
        realm.worlds[0].stop(*target);
    }
    use_up(&mut realm.worlds[0]);
    realm.worlds[1].tell(
        far,
        order(move |_, ctx| {
            for target in &targets {
                ctx.watch(*target).unwrap();
            }
        }),
    );
    realm.worlds[1].turn();
    take_all_segments(&mut realm.worlds[0], near);
    let before = realm.worlds[0].stats().refusals;
    realm.worlds[0].turn();
    assert!(realm.worlds[0].stats().refusals > before, "some wait for room");
    realm.settle();
    let heard = realm.log().take().into_iter().filter(|event| event.starts_with("far"));
    assert_eq!(
        heard.collect::<Vec<_>>(),
        vec!["far hears: t not found"; MANY],
        "each once, when there is room"
    );
}

/// A message of a group that may wait goes from its lane to its queue, which had no use for memory before.
#[test]
fn a_message_of_a_lower_group_that_finds_no_queue_runs_out_of_its_lane() {
    let mut realm = Realm::new::<256>(2, 128 << 10, &greedy());
    let log = realm.log();
    let bulk = realm.worlds[0].scope().spawner().group(Group::Bulk).spawn(Puppet::new("bulk", &log)).unwrap();
    let normal = realm.worlds[0].puppet("normal");
    realm.settle();
    use_up(&mut realm.worlds[0]);
    for n in 1..=2 {
        realm.worlds[1].tell(bulk, Order::Note(n));
        realm.worlds[1].tell(normal, Order::Note(n));
    }
    realm.worlds[1].turn();
    take_all_segments(&mut realm.worlds[0], normal);
    realm.worlds[0].turn();
    let mut events = realm.log().take();
    events.truncate(4);
    assert_eq!(events, ["bulk 1", "normal 1", "bulk 2", "normal 2"]);
}

#[test]
fn reasons_read_well() {
    assert_eq!(why(&StopReason::Stopped), "stopped");
    let failure = Failure::new("x");
    assert_eq!(format!("{:?}", StopReason::Failed(failure)), "Failed(Failure(error: x))");
}
