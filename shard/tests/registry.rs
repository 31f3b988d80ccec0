//! Names and paths: a top-level name is given once in a whole system, and a path leads to its actor from anywhere.

mod common;

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};

use common::{Census, Job, Puppet, await_some, builder, end, next, puppet, system, tell, watch, with};
use corelane_kernel::{Actor, ActorRef, Ctx, DeadReason, Outcome, SpawnError};
use corelane_shard::{CallError, Gateway, LookupError, On, ShardCtx, SpawnOnError, System};

/// An actor of another protocol than that of puppets.
struct Listener;

impl Actor for Listener {
    type Msg = String;
    fn receive(&mut self, _: String, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

const TAKEN: SpawnOnError = SpawnOnError::Spawn(SpawnError::NameTaken);
const BAD: SpawnOnError = SpawnOnError::Spawn(SpawnError::BadName);

fn named(system: &System, shard: usize, name: &str) -> Result<ActorRef<Job>, SpawnOnError> {
    system.spawn_named(On::Shard(shard), name, Puppet::default)
}

/// A child of a puppet.
fn child(gateway: &mut Gateway, parent: ActorRef<Job>, name: &'static str) -> ActorRef<Job> {
    with(gateway, parent, move |ctx| ctx.spawner().name(name).spawn(Puppet::default()).unwrap())
}

/// Stops an actor, and waits until its watchers are told.
fn stop(system: &System, gateway: &mut Gateway, actor: ActorRef<Job>) {
    let (gone, notices) = channel();
    let watcher = Puppet::default().notices(gone).on(system, 0);
    watch(system, gateway, watcher, actor);
    with(gateway, actor, |ctx| ctx.stop_self());
    assert_eq!(next(&notices).address, actor.address());
    with(gateway, watcher, |ctx| ctx.stop_self());
}

/// Conformance 4.
#[test]
fn of_many_threads_that_create_one_name_together_exactly_one_wins() {
    let system = system(3);
    for round in 0..20 {
        let name = format!("only-{round}");
        let together = Arc::new(Barrier::new(8));
        let all: Vec<_> = std::thread::scope(|threads| {
            let (system, name) = (&system, &name);
            let ask = |n: usize| {
                let together = together.clone();
                threads.spawn(move || {
                    together.wait();
                    named(system, n % 3, name)
                })
            };
            let all: Vec<_> = (0..8).map(ask).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winners: Vec<_> = all.iter().filter_map(|result| result.ok()).collect();
        assert_eq!(winners.len(), 1, "{all:?}");
        assert!(all.iter().all(|result| result.is_ok() || *result == Err(TAKEN)), "{all:?}");
        assert_eq!(system.lookup::<Job>(&format!("/user/{name}")), Ok(winners[0]));
    }
    end(system);
}

/// Conformance 4.
#[test]
fn malformed_names_are_refused_and_leave_nothing_behind() {
    let (system, census) = (system(2), Census::default());
    for name in ["", "a b", "a/b", "$own", "a#", "\u{e4}"] {
        let counted = census.one();
        let refused = system.spawn_named(On::Shard(1), name, move || {
            let _ = &counted;
            Puppet::default()
        });
        assert_eq!(refused, Err(BAD), "{name:?}");
        await_some(|| (census.count() == 0).then_some(()));
    }
    end(system);
}

/// Conformance 5.
#[test]
fn a_name_that_is_given_again_is_another_actors_and_the_old_reference_stays_dead() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let old = named(&system, 0, "phoenix").unwrap();
    assert_eq!(named(&system, 1, "phoenix"), Err(TAKEN));
    stop(&system, &mut gateway, old);
    // Whoever was told of the end may use the name, on whatever shard.
    let new = named(&system, 1, "phoenix").unwrap();
    assert_ne!(old, new);
    assert_eq!(system.lookup::<Job>("/user/phoenix"), Ok(new));
    stop(&system, &mut gateway, new);
    let again = named(&system, 0, "phoenix").unwrap();
    assert_ne!(old, again);
    tell(&mut gateway, old, Job::run(|_| panic!("told to the old one")));
    assert_eq!(with(&mut gateway, again, |ctx| ctx.path().to_string()), "/user/phoenix");
    let report = end(system);
    let letters = report.shards[0].dead_letters[DeadReason::NoActor as usize];
    assert_eq!(letters, (DeadReason::NoActor, 1));
}

/// Conformance 24.
#[test]
fn a_path_leads_to_its_actor_from_any_thread_and_any_shard() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    let top = named(&system, 1, "top").unwrap();
    let middle = child(&mut gateway, top, "middle");
    let leaf = child(&mut gateway, middle, "leaf");
    for (actor, path) in [(top, "/user/top"), (middle, "/user/top/middle"), (leaf, "/user/top/middle/leaf")] {
        assert_eq!(system.lookup::<Job>(path), Ok(actor));
        assert_eq!(futures_executor::block_on(system.lookup_future::<Job>(path)), Ok(actor));
        assert_eq!(system.path_of(actor), Ok(Some(path.to_owned())));
        for shard in 0..3 {
            let asker = puppet(&system, shard);
            let (found, answer) = channel();
            with(&mut gateway, asker, move |ctx| {
                let found = move |answer| Job::run(move |_| found.send(answer).unwrap());
                ctx.lookup::<Job>(path, found).unwrap();
            });
            assert_eq!(next(&answer), Ok(actor));
        }
    }
    end(system);
}

/// Conformance 24.
#[test]
fn a_path_that_leads_nowhere_is_refused_with_the_place_where_it_ends() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let top = named(&system, 1, "top").unwrap();
    child(&mut gateway, top, "middle");
    let missing = |path: &str, upto: &str| {
        let error = system.lookup::<Job>(path).unwrap_err();
        assert_eq!(error, LookupError::NoSuchActor { path: upto.to_owned() }, "{path}");
        assert_eq!(error.to_string(), format!("no actor lives at {upto}"));
    };
    missing("/user/nobody/x", "/user/nobody");
    missing("/user/top/x/y/z", "/user/top/x");
    missing("/user/top/middle/leaf", "/user/top/middle/leaf");
    for path in
        ["", "/", "top", "user/top", "/user", "/user/", "/user//x", "/user/top/", "/system/x", "/user/$0.1.1"]
    {
        let error = system.lookup::<Job>(path).unwrap_err();
        assert!(matches!(error, LookupError::BadPath { .. }), "{path}: {error}");
        assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
    }
    end(system);
}

/// Conformance 24.
#[test]
fn stars_and_dots_in_a_path_are_names_and_no_patterns() {
    let system = system(2);
    named(&system, 0, "top").unwrap();
    for (path, upto) in
        [("/user/*", "/user/*"), ("/user/top*", "/user/top*"), ("/user/top/../top", "/user/top/..")]
    {
        let error = system.lookup::<Job>(path).unwrap_err();
        assert_eq!(error, LookupError::NoSuchActor { path: upto.to_owned() }, "{path}");
    }
    let star = named(&system, 1, "*").unwrap();
    assert_eq!(system.lookup::<Job>("/user/*"), Ok(star));
    end(system);
}

/// Conformance 24.
#[test]
fn a_path_to_an_actor_of_another_protocol_is_refused_with_both() {
    let system = system(2);
    let listener = system.spawn_named(On::Shard(1), "listener", || Listener).unwrap();
    assert_eq!(system.lookup::<String>("/user/listener"), Ok(listener));
    let error = system.lookup::<u64>("/user/listener").unwrap_err();
    let (path, speaks, asked) = ("/user/listener".to_owned(), "alloc::string::String", "u64");
    assert_eq!(error, LookupError::OtherProtocol { path, speaks, asked });
    end(system);
}

#[test]
fn actors_without_a_name_have_paths_of_their_own_on_all_shards() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let mut seen = std::collections::HashSet::new();
    for n in 0..20 {
        let actor = puppet(&system, n % 2);
        let path = system.path_of(actor).unwrap().unwrap();
        assert!(path.starts_with(&format!("/user/${}.", n % 2)), "{path}");
        assert_eq!(with(&mut gateway, actor, |ctx| ctx.path().to_string()), path);
        let below = child(&mut gateway, actor, "below");
        assert_eq!(system.path_of(below), Ok(Some(format!("{path}/below"))));
        assert!(seen.insert(path));
        if n % 3 == 0 {
            stop(&system, &mut gateway, actor);
            assert_eq!(system.path_of(actor), Ok(None));
        }
    }
    let other = common::system(1);
    assert_eq!(other.path_of(puppet(&system, 0)), Err(CallError::NoSuchShard));
    end(other);
    end(system);
}

#[test]
fn a_system_that_ends_refuses_look_ups() {
    let system = builder(2).start().unwrap();
    named(&system, 1, "top").unwrap();
    let handle = (*system).clone();
    end(system);
    let error = handle.lookup::<Job>("/user/top").unwrap_err();
    assert!(matches!(error, LookupError::ShuttingDown | LookupError::NoSuchActor { .. }), "{error}");
}
