//! Families over two hosts of one process: a child on another host is its parent's as any other.

use std::time::Duration;

use corelane_kernel::{Directive, Failure, Group, SpawnError, Strategy};
use corelane_net::reactor::Choice;
use corelane_net::{EndpointConfig, RemoteCtx, RemoteLookupError, RemoteSpawnError};
use corelane_shard::Deployment;

use crate::common::*;
use crate::family::*;

/// Two hosts, and a boss on the first.
fn office(log: &Log, backend: Choice, strategy: Strategy) -> (Host, Host, Office) {
    let (near, far) = (log.host(1, backend, config()), log.host(2, backend, config()));
    let office = log.office(&near, strategy);
    (near, far, office)
}

#[test]
fn a_child_on_another_host_is_told_asked_watched_and_found_below_its_parent() {
    with_each(|backend| {
        let log = Log::new();
        let (near, far, office) = office(&log, backend, Strategy::one_for_one());
        let worker = office.try_hire_on(&near, &far.at(), Some(0), "w", Hire::of("w")).unwrap();
        log.expect(&["w started"]);
        near.give(worker, Job::Note(7));
        log.expect(&["w 7"]);
        assert_eq!(near.path(worker), format!("/remote/{}/user/boss/w", near.address));
        office.have(&near, move |me, ctx| {
            assert_eq!((ctx.child("w"), ctx.name_of(worker)), (Some(worker.address()), Some("w")));
            ctx.watch(worker)?;
            ctx.stop(worker);
            me.say("knows");
            Ok(())
        });
        log.expect(&["boss knows", "w stopped", "boss hears Stopped"]);
        office.have(&near, |me, ctx| {
            assert!(ctx.child("w").is_none());
            me.say("knows");
            Ok(())
        });
        log.expect(&["boss knows"]);
        near.end();
        far.end();
    });
}

/// Conformance 2, 10.
#[test]
fn what_the_parent_decides_is_done_on_the_other_host() {
    with_each(|backend| {
        let log = Log::new();
        let decide = |failure: &Failure| match failure.text() {
            "resume" => Directive::Resume,
            "stop" => Directive::Stop,
            _ if failure.is::<std::num::ParseIntError>() => Directive::Resume,
            _ => Directive::Restart,
        };
        let (near, far, office) = office(&log, backend, Strategy::one_for_one().deciding(decide));
        let worker = office.hire(&near, &far, "w");
        log.expect(&["w started"]);
        let fail = |job: Job, rest: &[&str]| {
            near.give(worker, job);
            near.give(worker, Job::Note(1));
            log.expect(rest);
        };
        fail(Job::Fail("oops".into()), &["boss decides: error: oops", "w stopped", "w started", "w 1"]);
        fail(Job::Fail("resume".into()), &["boss decides: error: resume", "w 1"]);
        let text = "boss decides: error: invalid digit found in string";
        fail(Job::Parse("x".into()), &[text, "w 1"]);
        fail(Job::Panic, &["boss decides: panic: as it was told", "w stopped", "w started", "w 1"]);
        office.have(&near, move |_, ctx| Ok(ctx.watch(worker)?));
        fail(Job::Fail("stop".into()), &["boss decides: error: stop", "w stopped", "boss hears stop"]);
        near.end();
        far.end();
    });
}

/// Conformance 8.
#[test]
fn an_escalated_failure_fails_the_parent_and_its_end_waits_for_the_childs() {
    with_each(|backend| {
        let log = Log::new();
        let (near, far, office) = office(&log, backend, Strategy::escalating());
        let worker = office.hire(&near, &far, "w");
        near.give(worker, Job::Fail("oops".into()));
        log.expect(&["w started", "boss decides: error: oops", "w stopped", "boss stopped"]);
        near.end();
        far.end();
    });
}

#[test]
fn a_parent_that_stops_and_a_system_that_ends_stop_leaves_before_roots() {
    with_each(|backend| {
        for by_system in [false, true] {
            let log = Log::new();
            let (near, far, office) = office(&log, backend, Strategy::one_for_one());
            let worker = office.hire(&near, &far, "w");
            near.give(worker, Job::Share("g".into()));
            log.expect(&["w started", "g started"]);
            if by_system {
                near.end();
                log.expect(&["g stopped", "w stopped", "boss stopped"]);
            } else {
                office.stop(&near);
                log.expect(&["g stopped", "w stopped", "boss stopped"]);
                near.end();
            }
            far.end();
        }
    });
}

#[test]
fn a_host_that_ends_stops_its_children_of_other_hosts_and_their_parents_hear_of_it() {
    with_each(|backend| {
        let log = Log::new();
        let (near, far, office) = office(&log, backend, Strategy::one_for_one());
        let worker = office.hire(&near, &far, "w");
        office.have(&near, move |me, ctx| {
            ctx.watch(worker)?;
            me.say("watches");
            Ok(())
        });
        log.expect(&["w started", "boss watches"]);
        // It has heard of the watch when it answers what was asked later.
        near.path(worker);
        far.end();
        log.expect(&["w stopped", "boss hears Stopped"]);
        near.end();
        log.expect(&["boss stopped"]);
        log.expect_nothing();
    });
}

#[test]
fn a_host_that_may_choose_takes_its_shards_in_turn() {
    let log = Log::new();
    let (near, far, office) = office(&log, Choice::Poll, Strategy::one_for_one());
    let shards: Vec<usize> =
        ["a", "b", "c", "d"].map(|name| office.hire(&near, &far, name).place().shard()).to_vec();
    assert!(shards == [0, 1, 0, 1] || shards == [1, 0, 1, 0], "{shards:?}");
    for shard in [1, 0] {
        let name = if shard == 1 { "e" } else { "f" };
        let worker = office.try_hire_on(&near, &far.at(), Some(shard), name, Hire::of(name)).unwrap();
        assert_eq!(worker.place().shard(), usize::from(shard));
    }
    log.expect(&["a started", "b started", "c started", "d started", "e started", "f started"]);
    office.stop(&near);
    let mut all: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(|name| format!("{name} stopped")).to_vec();
    all.push("boss stopped".into());
    log.expect_all(&all.iter().map(String::as_str).collect::<Vec<_>>());
    near.end();
    far.end();
}

/// A parent must not wait for a host that nobody has met when its system ends.
#[test]
fn a_system_that_ends_waits_for_no_host_that_is_not_there() {
    let log = Log::new();
    let near = log.host(1, Choice::Poll, config());
    let office = log.office(&near, Strategy::one_for_one());
    office.have(&near, |me, ctx| {
        let nowhere = ctx.child_at("corelane://test@127.0.0.1:1").within(10 * LONG);
        nowhere.spawn(Hire::of("nobody"), Command::Hired)?;
        me.say("waits");
        Ok(())
    });
    log.expect(&["boss waits"]);
    near.end();
    log.expect(&["boss stopped"]);
}

#[test]
fn its_own_host_is_as_good_as_any() {
    let log = Log::new();
    let near = log.host(2, Choice::Poll, config());
    let office = log.office(&near, Strategy::one_for_one());
    let worker = office.try_hire_on(&near, &near.at(), Some(1), "w", Hire::of("w")).unwrap();
    log.expect(&["w started"]);
    assert_eq!((near.path(worker), worker.place().shard()), ("/user/boss/w".into(), 1));
    let again = office.try_hire(&near, &near.at(), "w", Hire::of("w"));
    assert_eq!(again, Err(RemoteSpawnError::Spawn(SpawnError::NameTaken)));
    let idle = office.try_hire(&near, &near.at(), "i", Idle(Vec::new()));
    assert_eq!(idle, Err(RemoteSpawnError::UnknownProps { name: "test.Idle" }));
    near.end();
}

#[test]
fn who_cannot_be_spawned_there_is_refused_with_the_reason_and_leaves_nothing() {
    let log = Log::new();
    let near = log.host(1, Choice::Poll, config());
    let far = log.host(1, Choice::Poll, EndpointConfig { children_max: 1, ..config() });
    let office = log.office(&near, Strategy::one_for_one());
    let at = far.at();
    let refused = |at: &str, name| office.try_hire(&near, at, name, Hire::of("x")).unwrap_err();
    // Here.
    assert_eq!(refused(&at, "$"), RemoteSpawnError::Spawn(SpawnError::BadName));
    let bad = |error| matches!(error, RemoteSpawnError::Host(RemoteLookupError::BadUrl { .. }));
    assert!(bad(refused("test@127.0.0.1:1", "a")) && bad(refused("corelane://test@no where:1", "a")));
    let other = refused("corelane://other@127.0.0.1:1", "a");
    assert!(matches!(other, RemoteSpawnError::Host(RemoteLookupError::OtherSystem { .. })), "{other}");
    let beyond = refused("corelane://test@192.0.2.1:1", "a");
    assert!(matches!(beyond, RemoteSpawnError::Host(RemoteLookupError::BeyondLoopback(_))), "{beyond}");
    // On the way.
    let nobody = "127.0.0.1:1".parse().unwrap();
    let soon = Duration::from_millis(20);
    let nowhere = office.hire_in_vain(&near, "corelane://test@127.0.0.1:1", soon);
    assert_eq!(nowhere, RemoteSpawnError::Host(RemoteLookupError::NotConnected(nobody)));
    let large = Hire { name: "x".repeat(4000), ..Hire::of("x") };
    let large = office.try_hire(&near, &at, "a", large);
    assert_eq!(large, Err(RemoteSpawnError::TooLarge { name: "test.Hire" }));
    // There.
    let idle = office.try_hire(&near, &at, "a", Idle(vec![1]));
    assert_eq!(idle, Err(RemoteSpawnError::UnknownProps { name: "test.Idle" }));
    let worker = office.hire(&near, &far, "a");
    log.expect(&["a started"]);
    assert_eq!(refused(&at, "a"), RemoteSpawnError::Spawn(SpawnError::NameTaken));
    assert_eq!(refused(&at, "b"), RemoteSpawnError::TooMany);
    near.give(worker, Job::Note(1));
    log.expect(&["a 1"]);
    office.have(&near, move |_, ctx| {
        ctx.watch(worker)?;
        ctx.stop(worker);
        Ok(())
    });
    log.expect(&["a stopped", "boss hears Stopped"]);
    // Its place is free again, and so are all names.
    office.hire(&near, &far, "b");
    log.expect(&["b started"]);
    near.end();
    log.expect(&["b stopped", "boss stopped"]);
    far.end();
}

/// The bound holds also for those that come in one piece, before any of them is there.
#[test]
fn children_that_are_sent_for_at_once_are_no_more_than_may() {
    let log = Log::new();
    let near = log.host(1, Choice::Poll, config());
    let far = log.host(1, Choice::Poll, EndpointConfig { children_max: 1, ..config() });
    let office = log.office(&near, Strategy::one_for_one());
    let at = far.at();
    office.have(&near, move |_, ctx| {
        for name in ["a", "b", "c"] {
            ctx.child_at(&at).name(name).within(LONG).spawn(Hire::of(name), Command::Hired)?;
        }
        Ok(())
    });
    let (there, refused): (Vec<_>, Vec<_>) =
        (0..3).map(|_| office.next_hired()).partition(|hired| hired.is_ok());
    assert_eq!((there.len(), refused.len()), (1, 2));
    assert!(refused.iter().all(|hired| *hired == Err(RemoteSpawnError::TooMany)), "{refused:?}");
    log.expect(&["a started"]);
    near.end();
    log.expect(&["a stopped", "boss stopped"]);
    far.end();
}

#[test]
fn addresses_in_props_are_good_where_the_child_is_and_on_hosts_that_it_has_not_met() {
    let log = Log::new();
    let (near, far, office) = office(&log, Choice::Poll, Strategy::one_for_one());
    let third = log.host(1, Choice::Poll, config());
    let elsewhere = Log::new();
    for (host, name) in [(&near, "near"), (&third, "third")] {
        let said = elsewhere.said.clone();
        host.system.spawn_named(corelane_shard::On::Spread, name, move || Reporter(said.clone())).unwrap();
    }
    for (url, name) in [(near.url("near"), "a"), (third.url("third"), "b")] {
        let reporter = near.lookup::<String>(&url).unwrap();
        let hire = Hire { name: name.to_owned(), log: reporter };
        // On each of its shards.
        for shard in [0, 1] {
            let child = if shard == 0 { name } else { ["c", "d"][usize::from(name == "b")] };
            office.try_hire_on(&near, &far.at(), Some(shard), child, hire.clone()).unwrap();
            let line = format!("{name} started");
            elsewhere.expect(&[line.as_str()]);
            log.expect(&[line.as_str()]);
        }
    }
    near.end();
    far.end();
    third.end();
}

#[test]
fn a_deployment_says_on_which_host_a_child_lives_without_touching_code() {
    let log = Log::new();
    let far = log.host(2, Choice::Poll, config());
    let decided = Deployment::new().host(&far.at()).group(Group::Urgent);
    let builder = builder(1, Choice::Poll, config(), log.registry());
    let near = start(builder.deploy("/user/boss/*", decided).deploy("/user/boss/v", Deployment::new()));
    let office = log.office(&near, Strategy::one_for_one());
    let here = near.at();
    let path = |worker, name: &str| {
        log.expect(&[&format!("{name} started")]);
        near.path(worker)
    };
    // What is decided comes before what the code says: the host, and with it the shard.
    let worker = office.try_hire_on(&near, &here, Some(7), "w", Hire::of("w")).unwrap();
    assert_eq!(path(worker, "w"), format!("/remote/{}/user/boss/w", near.address));
    assert_eq!(worker.address().group(), Group::Urgent);
    let worker = office.hire_here(&near, "x");
    assert_eq!(path(worker, "x"), format!("/remote/{}/user/boss/x", near.address));
    let worker = office.hire_here(&near, "v");
    assert_eq!(path(worker, "v"), "/user/boss/v");
    near.end();
    log.expect_all(&["w stopped", "x stopped", "v stopped", "boss stopped"]);
    far.end();
}

/// The same name, in programs that were built apart.
mod apart {
    use corelane_net::codec::{Compact, Props, Wire};
    use serde::{Deserialize, Serialize};

    macro_rules! hire {
        ($name:ident of $version:literal with $fields:tt for $msg:ty) => {
            #[derive(Serialize, Deserialize)]
            pub(super) struct $name $fields;

            impl Wire for $name {
                const NAME: &'static str = "test.Hire";
                const VERSION: u16 = $version;
                type Form = Compact;
            }

            impl Props for $name {
                type Msg = $msg;
            }
        };
    }

    hire!(Newer of 2 with (pub String) for crate::family::Job);
    hire!(Longer of 1 with (pub [u64; 9]) for crate::family::Job);
    hire!(OfOthers of 1 with (pub String) for String);
}

struct Nobody<M>(std::marker::PhantomData<M>);

impl<M: Send + 'static> corelane_kernel::Actor for Nobody<M> {
    type Msg = M;
    fn receive(&mut self, _: M, _: &mut corelane_kernel::Ctx<'_, Self>) -> corelane_kernel::Outcome {
        Ok(())
    }
}

#[test]
fn props_that_a_host_reads_otherwise_make_no_child_and_the_link_goes_on() {
    fn nobody<P, M>(_: &P) -> Nobody<M> {
        Nobody(std::marker::PhantomData)
    }
    let log = Log::new();
    let near = log.host(1, Choice::Poll, config());
    let office = log.office(&near, Strategy::one_for_one());
    let name = "test.Hire";
    let mut registries = [registry(), registry(), registry()];
    registries[0].spawns(nobody::<apart::Newer, Job>).unwrap();
    registries[1].spawns(nobody::<apart::Longer, Job>).unwrap();
    registries[2].spawns(nobody::<apart::OfOthers, String>).unwrap();
    let expected = [
        RemoteSpawnError::Version { name },
        RemoteSpawnError::Malformed { name },
        RemoteSpawnError::OtherProtocol { name },
    ];
    for (registry, expected) in registries.into_iter().zip(expected) {
        let far = host_with(1, Choice::Poll, config(), registry);
        let (_adder, _seen) = Adder::spawn(&far, corelane_shard::On::Spread, "adder");
        assert_eq!(office.try_hire(&near, &far.at(), "w", Hire::of("w")), Err(expected));
        let adder = near.lookup::<Order>(&far.url("adder")).unwrap();
        assert_eq!(near.ask(0, adder), Ok(0));
        far.end();
    }
    near.end();
}
