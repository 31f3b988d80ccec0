//! Decisions as an observer sees them: what comes of each failure, of whom, and before it is done.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::family::{below, failing, family, maker, supervised_by};
use common::{Log, Order, Puppet, Realm, World, lock, ms, order};
use corelane_kernel::{
    ActorRef, Backoff, DeadLetter, Decision, Directive, Failure, Observe, Path, SpawnError, Strategy,
    Subject, Time,
};

/// Notes what is decided.
struct Journal(Log);

impl Observe for Journal {
    fn dead_letter(&mut self, _: &DeadLetter, _: Path<'_>) {}
    fn failed(&mut self, who: &Subject<'_>, failure: &Failure) {
        self.0.add(format!("{who} failed: {failure}"));
    }
    fn decided(&mut self, who: &Subject<'_>, failure: &Failure, decision: Decision, now: Time) {
        self.0.add(format!("{now:?} {who}: {}: {decision}", failure.text()));
    }
    fn panicked(&mut self, _: &Failure) {}
}

fn observed(mut world: World) -> World {
    let journal = Journal(world.log.clone());
    world.scope().observe(journal).unwrap();
    world
}

/// What was decided since this was called last.
fn decisions(world: &mut World) -> Vec<String> {
    let mut events = world.events();
    events.retain(|event| event.contains("/user/") && !event.contains(" failed: "));
    events
}

/// What is decided about a child `c` of a parent `p` that looks after it like this, in a world whose clock stands at 1.005 s.
fn about_a_child(strategy: Strategy) -> Vec<String> {
    let mut world = observed(supervised_by(Strategy::stopping()));
    let puppet = Puppet::new("p", &world.log).looking_after(strategy);
    let p = world.scope().spawner().name("p").spawn(puppet).unwrap();
    let c = below(&mut world, p, "c");
    world.pass(ms(5));
    world.tell(c, failing("oops"));
    decisions(&mut world)
}

#[test]
fn each_directive_is_shown_as_what_comes_of_it() {
    let by = |decider| Strategy::one_for_one().deciding(decider);
    assert_eq!(about_a_child(by(|_| Directive::Resume)), ["1.005s /user/p/c: oops: it goes on as it is"]);
    assert_eq!(about_a_child(by(|_| Directive::Restart)), ["1.005s /user/p/c: oops: it is restarted"]);
    assert_eq!(about_a_child(by(|_| Directive::Stop)), ["1.005s /user/p/c: oops: it is stopped"]);
    let waits = about_a_child(by(|_| Directive::RestartAfter(Duration::from_secs(2))));
    assert_eq!(waits, ["1.005s /user/p/c: oops: it is restarted after 2s"]);
    // Then the parent has failed, and is decided about.
    assert_eq!(
        about_a_child(Strategy::escalating()),
        ["1.005s /user/p/c: oops: its supervisor fails with it", "1.005s /user/p: oops: it is stopped"]
    );
}

#[test]
fn a_decision_is_shown_between_the_failure_and_what_is_done() {
    let mut world = observed(World::new());
    let (_, [c]) = family(&mut world, Strategy::default(), ["c"]);
    let path = world.scope().path(c).to_string();
    world.tell(c, failing("oops"));
    let now = world.now;
    assert_eq!(
        world.events(),
        [
            format!("{path} failed: error: oops"),
            "p decides on c: error: oops".to_owned(),
            format!("{now:?} {path}: oops: it is restarted"),
            "c restarting: error: oops".to_owned(),
            "c stopped".to_owned(),
            "c restarted: error: oops".to_owned(),
            "c started".to_owned()
        ]
    );
}

#[test]
fn a_back_off_shows_each_wait_and_then_that_it_gives_up() {
    let backoff = Backoff::new(ms(100), ms(1000)).jitter(0);
    let strategy = Strategy::one_for_one().backoff(backoff).give_up_after(3);
    let mut world = observed(supervised_by(strategy));
    let log = world.log.clone();
    let a = world.scope().spawner().name("a").spawn_from(maker("a", &log)).unwrap();
    let mut shown = Vec::new();
    for _ in 0..4 {
        world.tell(a, failing("oops"));
        let decisions = decisions(&mut world);
        shown.extend(
            decisions.into_iter().map(|line| line.split(": ").skip(2).collect::<Vec<_>>().join(": ")),
        );
        world.pass(ms(500));
    }
    assert_eq!(
        shown,
        [
            "it is restarted after 100ms",
            "it is restarted after 200ms",
            "it is restarted after 400ms",
            "it is stopped: there were too many restarts"
        ]
    );
}

#[test]
fn a_limit_that_is_reached_and_a_restart_that_cannot_be_are_told_apart_from_a_stop() {
    let limited = Strategy::all_for_one().restarts(1, Duration::MAX);
    let mut world = observed(World::new());
    let (p, [c, d]) = family(&mut world, limited, ["c", "d"]);
    let [c_path, d_path] = [c, d].map(|child| world.scope().path(child).to_string());
    world.tell(c, failing("one"));
    world.tell(d, failing("two"));
    // The sibling that is restarted, or stopped, along with it is not shown.
    assert_eq!(
        decisions(&mut world),
        [
            format!("1s {c_path}: one: it is restarted"),
            format!("1s {d_path}: two: it is stopped: there were too many restarts")
        ]
    );
    // Made from a value, alone and among siblings.
    for reach in [Strategy::one_for_one(), Strategy::all_for_one()] {
        world.have(p, move |me, ctx| {
            me.strategy = reach;
            let child = ctx.spawner().name("v").spawn(me.other("v")).unwrap();
            ctx.tell(child, failing("three"));
        });
        let shown = decisions(&mut world);
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert!(shown[0].ends_with("/v: three: it is stopped: it cannot be made again"), "{shown:?}");
    }
}

#[test]
fn what_is_decided_about_a_child_on_another_shard_is_shown_once_and_by_its_own_path() {
    for name in [Some("c"), None] {
        let mut realm = Realm::pair();
        let log = realm.log();
        for world in &mut realm.worlds {
            world.scope().observe(Journal(log.clone())).unwrap();
        }
        let puppet = Puppet::new("p", &log).looking_after(Strategy::one_for_one().deciding(|failure| {
            match failure.text() {
                "go on" => Directive::Resume,
                "wait" => Directive::RestartAfter(Duration::from_millis(5)),
                "stop" => Directive::Stop,
                _ => Directive::Restart,
            }
        }));
        let p = realm.worlds[0].scope().spawner().name("p").spawn(puppet).unwrap();
        let born = Arc::new(Mutex::new(None));
        let store = born.clone();
        realm.worlds[0].tell(
            p,
            order(move |me, ctx| {
                let spawner = ctx.child_on(1);
                let spawner = if let Some(name) = name { spawner.name(name) } else { spawner };
                let then = move |child: Result<ActorRef<Order>, SpawnError>| {
                    order(move |_, _| *lock(&store) = Some(child.unwrap()))
                };
                spawner.spawn_from(maker("c", &me.log), then).unwrap();
            }),
        );
        realm.settle();
        let c = lock(&born).take().expect("a child");
        let path = realm.worlds[1].scope().path(c).to_string();
        // Where the parent lives, one without a name is known by its address.
        let from_afar = if name.is_some() { path.clone() } else { format!("{:?}", c.address()) };
        for (text, who, says) in [
            ("go on", &from_afar, "it goes on as it is"),
            ("oops", &path, "it is restarted"),
            ("wait", &path, "it is restarted after 5ms"),
            ("stop", &from_afar, "it is stopped"),
        ] {
            realm.events();
            realm.worlds[0].tell(c, failing(text));
            let mut shown = realm.events();
            shown.retain(|event| event.contains(&format!(": {text}: ")));
            assert_eq!(shown.len(), 1, "{text}: {shown:?}");
            assert!(shown[0].ends_with(&format!("{who}: {text}: {says}")), "{shown:?}");
            realm.pass(ms(10));
        }
    }
}

#[test]
fn a_parent_that_panics_over_its_decision_has_the_child_stopped() {
    let mut world = observed(World::new());
    let (p, [c]) = family(&mut world, Strategy::default(), ["c"]);
    world.have(p, |me, _| {
        me.at_failure_of_child = Some(Box::new(|_, _| panic!("at a loss")));
    });
    let [p_path, c_path] = [p, c].map(|actor| world.scope().path(actor).to_string());
    world.tell(c, failing("oops"));
    assert_eq!(
        decisions(&mut world),
        [
            format!("1s {c_path}: oops: it is stopped"),
            // It was spawned from a value.
            format!("1s {p_path}: at a loss: it is stopped: it cannot be made again")
        ]
    );
    world.tell(c, order(|_, _| unreachable!("it has stopped")));
    world.settle();
    world.tell(p, Order::Note(1));
    assert_eq!(decisions(&mut world), [""; 0]);
}
