//! Panics: wherever user code panics, its actor fails or its message is lost, its shard goes on, its neighbours keep what
//! they have, and its watchers hear.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{Census, Job, LONG, Puppet, end, failure, hush, next, puppet, system, tell, watch, with};
use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Failure, Outcome, ReplyTo, Terminated};
use corelane_shard::{CallError, Gateway, GatewayAskError, On, ShardCtx, System};

/// A system, a watcher on its second shard, and actors that must survive whatever happens beside them.
struct Scene {
    system: System,
    gateway: Gateway,
    watcher: ActorRef<Job>,
    heard: Receiver<Terminated>,
    siblings: Vec<ActorRef<Count>>,
    counted: u64,
}

/// Counts what it is told.
struct Counter(u64);

enum Count {
    One,
    Get(ReplyTo<u64>),
}

impl Actor for Counter {
    type Msg = Count;
    fn receive(&mut self, message: Count, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match message {
            Count::One => self.0 += 1,
            Count::Get(reply) => ctx.tell(reply, self.0),
        }
        Ok(())
    }
}

impl Scene {
    fn new() -> Scene {
        hush();
        let system = system(2);
        let gateway = system.gateway().unwrap();
        let (notices, heard) = channel();
        let watcher = Puppet::default().notices(notices).on(&system, 1);
        let siblings = (0..4).map(|n| system.spawn_on(On::Shard(n % 2), || Counter(0)).unwrap()).collect();
        Scene { system, gateway, watcher, heard, siblings, counted: 0 }
    }

    /// Neighbours have kept their state and answer.
    fn all_well(&mut self) {
        self.counted += 1;
        for sibling in &self.siblings {
            self.gateway.tell_within(*sibling, Count::One, LONG).unwrap();
            assert_eq!(self.gateway.ask(*sibling, LONG, Count::Get), Ok(self.counted));
        }
    }

    /// The next notice is of this actor, with this text.
    fn hears(&mut self, actor: ActorRef<Job>, text: &str) {
        let notice = next(&self.heard);
        assert_eq!((notice.address, failure(&notice)), (actor.address(), text.to_owned()));
        self.all_well();
    }

    fn end(self) {
        end(self.system);
        assert!(self.heard.try_recv().is_err(), "each was told once");
    }
}

#[test]
fn a_panic_in_a_handler_fails_its_actor_alone() {
    let mut scene = Scene::new();
    for shard in [0, 1] {
        for round in 0..20 {
            let actor = puppet(&scene.system, shard);
            watch(&scene.system, &mut scene.gateway, scene.watcher, actor);
            tell(&mut scene.gateway, actor, Job::run(move |_| panic!("on purpose: {round}")));
            scene.hears(actor, &format!("panic: on purpose: {round}"));
        }
    }
    scene.end();
}

#[test]
fn what_the_handler_of_a_local_message_panics_with_is_its_own() {
    let mut scene = Scene::new();
    let (actor, teller) = (puppet(&scene.system, 1), puppet(&scene.system, 1));
    watch(&scene.system, &mut scene.gateway, scene.watcher, actor);
    with(&mut scene.gateway, teller, move |ctx| {
        ctx.tell(actor, Job::run(|_| panic!("on purpose: told by a neighbour")));
    });
    scene.hears(actor, "panic: on purpose: told by a neighbour");
    assert_eq!(with(&mut scene.gateway, teller, |_| 1), 1);
    scene.end();
}

#[test]
fn a_panic_in_started_is_a_failed_start() {
    let mut scene = Scene::new();
    for shard in [0, 1] {
        let parent_of = puppet(&scene.system, shard);
        let (failures, heard) = channel();
        let parent = Puppet::default().failures(failures).on(&scene.system, shard);
        let child = with(&mut scene.gateway, parent, |ctx| {
            ctx.spawn(Puppet::default().started(|_| panic!("on purpose: started"))).unwrap()
        });
        let (gone, why) = next(&heard);
        assert_eq!(
            (gone, why.to_string()),
            (child.address(), "failed start: on purpose: started".to_owned())
        );
        // And one whose hook returns an error.
        with(&mut scene.gateway, parent, |ctx| {
            ctx.spawn(Puppet::default().started(|_| Err(Failure::new("not today")))).unwrap();
        });
        assert_eq!(next(&heard).1.to_string(), "failed start: not today");
        assert_eq!(with(&mut scene.gateway, parent_of, |_| 1), 1);
        scene.all_well();
    }
    scene.end();
}

#[test]
fn a_panic_in_a_factory_is_a_failed_start() {
    let mut scene = Scene::new();
    let (failures, heard) = channel();
    let parent = Puppet::default().failures(failures).on(&scene.system, 0);
    with(&mut scene.gateway, parent, |ctx| {
        ctx.spawn_from(|| -> Puppet { panic!("on purpose: factory") }).unwrap();
    });
    assert_eq!(next(&heard).1.to_string(), "failed start: on purpose: factory");
    // From another thread as well: the actor is there, and fails before its first message.
    let spawned = scene.system.spawn_on(On::Shard(1), || -> Puppet { panic!("on purpose: factory") });
    assert!(spawned.is_ok());
    scene.all_well();
    scene.end();
}

/// Reliability 18.
#[test]
fn a_panic_in_stopped_or_in_the_drop_of_the_state_ends_the_actor_all_the_same() {
    let mut scene = Scene::new();
    let census = Census::default();
    for shard in [0, 1] {
        let in_hook = Puppet::default().holds(census.one()).stopped(|_| panic!("on purpose: stopped"));
        let in_drop = Puppet::default().holds((census.one(), Mine));
        let in_both =
            Puppet::default().holds((census.one(), Mine)).stopped(|_| panic!("on purpose: stopped"));
        for doomed in [in_hook, in_drop, in_both] {
            let actor = doomed.on(&scene.system, shard);
            watch(&scene.system, &mut scene.gateway, scene.watcher, actor);
            tell(&mut scene.gateway, actor, Job::run(|ctx| ctx.stop_self()));
            // It was told to stop, and has: its panic changes nothing about that.
            scene.hears(actor, "Stopped");
        }
    }
    assert_eq!(census.count(), 0, "the state is dropped once");
    scene.end();
}

/// Panics as it is dropped.
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("on purpose: drop");
        }
    }
}

/// Reliability 18: one panic after the other is no double panic.
#[test]
fn an_actor_that_panics_and_panics_again_on_its_way_out_is_gone_once() {
    let mut scene = Scene::new();
    let census = Census::default();
    let doomed = Puppet::default().holds((census.one(), Mine)).stopped(|_| panic!("on purpose: stopped"));
    let actor = doomed.on(&scene.system, 0);
    watch(&scene.system, &mut scene.gateway, scene.watcher, actor);
    tell(&mut scene.gateway, actor, Job::run(|_| panic!("on purpose: first")));
    scene.hears(actor, "panic: on purpose: first");
    assert_eq!(census.count(), 0);
    scene.end();
}

#[test]
fn a_message_whose_drop_panics_hurts_nobody() {
    let mut scene = Scene::new();
    let dead = [puppet(&scene.system, 0), puppet(&scene.system, 1)];
    for actor in dead {
        with(&mut scene.gateway, actor, |ctx| ctx.stop_self());
    }
    let teller = puppet(&scene.system, 0);
    for _ in 0..10 {
        for actor in dead {
            // Over a gateway's lane, from a neighbour, from another shard.
            let (mine, other) = (Mine, Mine);
            tell(&mut scene.gateway, actor, Job::run(move |_| drop(mine)));
            with(&mut scene.gateway, teller, move |ctx| ctx.tell(actor, Job::run(move |_| drop(other))));
        }
        scene.all_well();
    }
    // And what waits at an actor that stops.
    let suspended = puppet(&scene.system, 1);
    watch(&scene.system, &mut scene.gateway, scene.watcher, suspended);
    with(&mut scene.gateway, suspended, |ctx| ctx.suspend_self()).unwrap();
    for _ in 0..3 {
        let mine = Mine;
        tell(&mut scene.gateway, suspended, Job::run(move |_| drop(mine)));
    }
    scene.system.call(1, move |scope| scope.stop(suspended)).unwrap();
    scene.hears(suspended, "Stopped");
    scene.end();
}

#[test]
fn a_panic_in_a_notice_hook_fails_the_watcher() {
    struct Jumpy(ActorRef<Job>);
    impl Actor for Jumpy {
        type Msg = ();
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            Ok(ctx.watch(self.0)?)
        }
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn terminated(&mut self, _: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
            panic!("on purpose: terminated")
        }
    }
    let mut scene = Scene::new();
    let first = puppet(&scene.system, 1);
    let jumpy = scene.system.spawn_on(On::Shard(0), move || Jumpy(first)).unwrap();
    watch(&scene.system, &mut scene.gateway, scene.watcher, jumpy);
    tell(&mut scene.gateway, first, Job::run(|ctx| ctx.stop_self()));
    let notice = next(&scene.heard);
    assert_eq!(notice.address, jumpy.address());
    assert_eq!(failure(&notice), "panic: on purpose: terminated");
    scene.all_well();
    scene.end();
}

#[test]
fn a_panic_in_what_becomes_of_an_answer_fails_the_asker() {
    let mut scene = Scene::new();
    for shard in [0, 1] {
        let (asker, asked) = (puppet(&scene.system, shard), puppet(&scene.system, 1));
        watch(&scene.system, &mut scene.gateway, scene.watcher, asker);
        tell(
            &mut scene.gateway,
            asker,
            Job::run(move |ctx| {
                let question = |reply| Job::run(move |ctx| ctx.tell(reply, 1u32));
                ctx.ask(asked, LONG, question, |_| panic!("on purpose: then"));
            }),
        );
        scene.hears(asker, "panic: on purpose: then");
    }
    scene.end();
}

#[test]
fn a_panic_in_a_gateways_question_is_nobodys() {
    let mut scene = Scene::new();
    let asked = puppet(&scene.system, 0);
    let soon = Duration::from_millis(20);
    let answer = scene.gateway.ask(asked, soon, |_: ReplyTo<u32>| -> Job { panic!("on purpose: question") });
    assert_eq!(answer, Err(GatewayAskError::Ask(AskError::Timeout)));
    scene.all_well();
    scene.end();
}

#[test]
fn a_panic_in_a_call_is_the_callers() {
    let mut scene = Scene::new();
    assert_eq!(scene.system.call(0, |_| -> () { panic!("on purpose: call") }), Err(CallError::Panicked));
    let teller = puppet(&scene.system, 0);
    with(&mut scene.gateway, teller, |ctx| {
        let called = ctx.scope().call_on(1, |_| panic!("on purpose: call"));
        assert!(called.is_ok());
    });
    scene.all_well();
    scene.end();
}

#[test]
fn a_panic_in_a_timers_message_fails_the_actor_that_set_it() {
    /// Panics when it is cloned, if it says so.
    struct Once(u32);
    impl Clone for Once {
        fn clone(&self) -> Once {
            assert!(self.0 < 2, "on purpose: clone");
            Once(self.0 + 1)
        }
    }
    struct Ticking;
    impl Actor for Ticking {
        type Msg = Once;
        fn receive(&mut self, _: Once, ctx: &mut Ctx<'_, Self>) -> Outcome {
            Ok(ctx.set_periodic(1u64, Duration::from_micros(100), Once(2))?)
        }
    }
    let mut scene = Scene::new();
    let ticking = scene.system.spawn_on(On::Shard(0), || Ticking).unwrap();
    watch(&scene.system, &mut scene.gateway, scene.watcher, ticking);
    scene.gateway.tell(ticking, Once(0));
    let notice = next(&scene.heard);
    assert_eq!(
        (notice.address, failure(&notice)),
        (ticking.address(), "panic: on purpose: clone".to_owned())
    );
    scene.all_well();
    scene.end();
}

/// A panic's payload that is no text, and one that panics in turn.
struct Odd;

impl Drop for Odd {
    fn drop(&mut self) {
        std::panic::panic_any(Odd);
    }
}

/// Reliability 18: also one that panics as it is dropped.
#[test]
fn a_payload_of_any_kind_is_a_failure_with_some_text() {
    let mut scene = Scene::new();
    for kind in 0..3 {
        let actor = puppet(&scene.system, 0);
        watch(&scene.system, &mut scene.gateway, scene.watcher, actor);
        tell(
            &mut scene.gateway,
            actor,
            Job::new(move |ctx| match kind {
                0 => std::panic::panic_any(17),
                1 => std::panic::panic_any(Odd),
                _ => Ok(ctx.spawn_future(async { std::panic::panic_any(Odd) }, |()| Job::run(|_| ()))?),
            }),
        );
        scene.hears(actor, "panic: a panic with a payload that is no text");
    }
    scene.end();
}

/// Reliability 16.
#[test]
fn thousands_of_panics_beside_thousands_of_messages() {
    const ROUNDS: u64 = 1000;
    let mut scene = Scene::new();
    let (stopped, has_stopped): (Sender<()>, _) = channel();
    for round in 0..ROUNDS {
        let stopped = stopped.clone();
        let doomed = Puppet::default().stopped(move |_| stopped.send(()).unwrap());
        let actor = doomed.on(&scene.system, (round % 2) as usize);
        tell(&mut scene.gateway, actor, Job::run(|_| panic!("on purpose")));
        for sibling in &scene.siblings {
            scene.gateway.tell_within(*sibling, Count::One, LONG).unwrap();
        }
    }
    for _ in 0..ROUNDS {
        next(&has_stopped);
    }
    scene.counted += ROUNDS;
    scene.all_well();
    let report = end(scene.system);
    // What was told to those that panicked, and nothing else.
    assert_eq!(report.dead_letters(), ROUNDS);
}
