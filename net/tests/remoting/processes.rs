//! Two real processes: one is killed, stopped or followed by another.

use std::sync::mpsc::channel;

use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, Strategy, Terminated};
use corelane_net::RemotePool;
use corelane_net::reactor::Choice;
use corelane_shard::On;

use crate::common::*;
use crate::family::*;
use crate::other::{Ground, Other, Patience};

fn near() -> Host {
    Ground::loopback().near(&Log::new(), Patience::Short)
}

fn other() -> Other {
    Ground::loopback().other(Patience::Short)
}

#[test]
fn an_actor_of_another_process_is_told_asked_and_watched() {
    let (near, mut other) = (near(), other());
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    for n in 1..=100 {
        near.tell(0, adder, Order::Add(n));
    }
    assert_eq!(near.ask(0, adder), Ok(5050));
    let (watcher, heard) = Watcher::spawn(&near, 0);
    near.have(watcher, Watching::Watch(adder));
    // It has heard of the watch when it answers what was asked later.
    assert_eq!(near.ask(0, adder), Ok(5050));
    // Two processes of one machine, so all of it goes through memory.
    assert_eq!(near.gate().open_shared, u64::from(cfg!(target_os = "linux")));
    other.say("stop");
    assert_eq!(next(&heard), "Stopped");
    near.end();
}

/// Conformance 38: whatever the process was in the middle of.
#[test]
fn of_what_a_process_tells_when_it_is_killed_the_beginning_is_heard_in_order() {
    let (near, mut other) = (near(), other());
    let (_, seen) = Adder::spawn(&near, On::Shard(0), "reader");
    let (watcher, heard) = Watcher::spawn(&near, 0);
    let counter = near.lookup::<Tick>(&other.url("counter")).unwrap();
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    near.have(watcher, Watching::Watch(adder));
    assert_eq!(near.ask(0, adder), Ok(0));
    other.say(format_args!("tell {} 1 100000000", near.url("reader")));
    assert_eq!(next(&seen), 1);
    // And while it is told as much as it takes.
    for number in 0..10_000 {
        near.system.call(0, move |scope| _ = scope.try_tell(counter, Tick::new(0, number))).unwrap();
    }
    other.kill();
    assert_eq!(next(&heard), "Unreachable");
    near.have(watcher, Watching::Speak);
    assert_eq!(next(&heard), "here");
    for (number, seen) in seen.try_iter().enumerate() {
        assert_eq!(seen, number as u64 + 2);
    }
    assert_eq!(near.gate().violations, 0);
    near.end();
}

/// Conformance 38, 40: between processes.
#[test]
fn a_process_that_is_killed_is_lost_once_and_its_successor_is_welcome_at_once() {
    is_killed_and_followed(&Ground::loopback());
}

pub(crate) fn is_killed_and_followed(ground: &Ground<'_>) {
    let (near, mut other) = (ground.near(&Log::new(), Patience::Short), ground.other(Patience::Short));
    let (watcher, heard) = Watcher::spawn(&near, 0);
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    near.have(watcher, Watching::Watch(adder));
    near.tell(0, adder, Order::Add(7));
    assert_eq!(near.ask(0, adder), Ok(7));
    let (address, url) = (other.address, other.url("adder"));
    other.kill();
    assert_eq!(next(&heard), "Unreachable");
    assert_eq!(near.ask(0, adder), Err(AskError::NotSent));

    let _again = ground.again(address, Patience::Short);
    let new = near.lookup::<Order>(&url).unwrap();
    assert_ne!(new, adder);
    near.tell(0, new, Order::Add(1));
    assert_eq!(near.ask(0, new), Ok(1));
    assert_eq!(near.ask(0, adder), Err(AskError::NotSent));
    near.have(watcher, Watching::Watch(new));
    near.have(watcher, Watching::Stop(new));
    // Nothing of the old one came in between.
    assert_eq!(next(&heard), "Stopped");
    near.end();
}

/// Conformance 38, 40: the new life says so, before any silence does.
#[test]
fn a_process_that_is_followed_before_anybody_missed_it_is_lost_all_the_same() {
    // The detector is patient here: the next life's hello is what says so.
    let ground = Ground::loopback();
    let (near, mut other) = (ground.near(&Log::new(), Patience::Long), ground.other(Patience::Long));
    let (watcher, heard) = Watcher::spawn(&near, 0);
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    near.have(watcher, Watching::Watch(adder));
    assert_eq!(near.ask(0, adder), Ok(0));
    let address = other.address;
    other.kill();
    let again = ground.again(address, Patience::Long);
    assert_eq!(next(&heard), "Unreachable");
    let new = near.lookup::<Order>(&again.url("adder")).unwrap();
    assert_eq!((near.ask(0, new), near.ask(0, adder)), (Ok(0), Err(AskError::NotSent)));
    near.end();
}

/// Conformance 38: and whoever only hung is not refused for it.
#[test]
fn a_process_that_hangs_is_lost_and_may_come_back() {
    hangs_and_comes_back(&Ground::loopback());
}

pub(crate) fn hangs_and_comes_back(ground: &Ground<'_>) {
    let (near, other) = (ground.near(&Log::new(), Patience::Short), ground.other(Patience::Short));
    let (watcher, heard) = Watcher::spawn(&near, 0);
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    near.have(watcher, Watching::Watch(adder));
    near.tell(0, adder, Order::Add(7));
    assert_eq!(near.ask(0, adder), Ok(7));
    // Its connections stay open, and nothing comes over them.
    other.signal("-STOP");
    assert_eq!(next(&heard), "Unreachable");
    let (sender, answers) = channel();
    near.system
        .call(0, move |scope| {
            scope.ask(adder, LONG, Order::Get, move |answer| _ = sender.send(answer));
        })
        .unwrap();
    assert_eq!(next(&answers), Err(AskError::NotSent));
    other.signal("-CONT");
    // It finds out that it was given up, and goes on: the same actor, which has lost nothing, watched anew.
    let same = near.lookup::<Order>(&other.url("adder")).unwrap();
    assert_eq!(same, adder);
    near.tell(0, same, Order::Add(1));
    assert_eq!(near.ask(0, same), Ok(8));
    near.have(watcher, Watching::Watch(same));
    near.have(watcher, Watching::Stop(same));
    assert_eq!(next(&heard), "Stopped");
    near.end();
}

/// This host and its boss, who hires a worker in another process and watches it.
fn employer(log: &Log, other: &Other) -> (Host, Office, ActorRef<String>, ActorRef<Job>) {
    let near = log.host(1, Choice::Automatic, config());
    let office = log.office(&near, Strategy::one_for_one());
    let said = log.said.clone();
    let reporter = near.system.spawn_on(On::Shard(0), move || Reporter(said.clone())).unwrap();
    let worker = employ(log, &near, &office, other, reporter);
    (near, office, reporter, worker)
}

pub(crate) fn employ(
    log: &Log,
    near: &Host,
    office: &Office,
    at: &Other,
    reporter: ActorRef<String>,
) -> ActorRef<Job> {
    let hire = Hire { name: "w".into(), log: reporter };
    let worker = office.try_hire(near, &at.at(), "w", hire).unwrap();
    office.have(near, move |me, ctx| {
        ctx.watch(worker)?;
        me.say("watches");
        Ok(())
    });
    log.expect_all(&["w started", "boss watches"]);
    worker
}

#[test]
fn a_child_in_another_process_is_restarted_and_stopped_by_its_parent() {
    let (log, other) = (Log::new(), other());
    let (near, office, _, worker) = employer(&log, &other);
    near.give(worker, Job::Fail("oops".into()));
    near.give(worker, Job::Note(1));
    log.expect(&["boss decides: error: oops", "w stopped", "w started", "w 1"]);
    near.give(worker, Job::Share("g".into()));
    log.expect(&["g started"]);
    office.stop(&near);
    // Signals overtake what is told: the boss's own word may be the first.
    log.expect_all(&["g stopped", "w stopped", "boss stopped"]);
    near.end();
}

/// Conformance 38.
#[test]
fn the_end_of_a_child_whose_process_is_killed_is_heard_once_and_its_successor_makes_another() {
    let (log, mut other) = (Log::new(), other());
    let (near, office, reporter, old) = employer(&log, &other);
    let address = other.address;
    other.kill();
    log.expect(&["boss hears Unreachable"]);
    let again = Ground::loopback().again(address, Patience::Short);
    // The name is free again.
    let new = employ(&log, &near, &office, &again, reporter);
    assert_ne!(old, new);
    near.give(new, Job::Note(1));
    // Nothing more of the old one came in between.
    log.expect(&["w 1"]);
    near.end();
}

/// Has workers in other processes, and others for those that are lost.
struct Crew {
    workers: RemotePool<Hire>,
    said: std::sync::mpsc::Sender<String>,
}

impl Actor for Crew {
    type Msg = Job;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        Ok(self.workers.start(ctx)?)
    }
    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.workers.tell(ctx, job);
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        assert!(self.workers.replace(ctx, gone.address)?);
        Ok(self.said.send(format!("crew hears {}", why(&gone.reason)))?)
    }
}

/// Conformance 28, 38.
#[test]
fn the_routees_of_a_process_that_is_killed_are_had_from_another() {
    let log = Log::new();
    let (mut one, two) = (other(), other());
    let near = log.host(1, Choice::Automatic, config());
    let said = log.said.clone();
    let reporter = near.system.spawn_on(On::Shard(0), move || Reporter(said.clone())).unwrap();
    let (hosts, said) = ([one.at(), two.at()], log.said.clone());
    let make = move || {
        let hire = Hire { name: "w".into(), log: reporter };
        Crew { workers: RemotePool::new(4, hire).at(&hosts), said: said.clone() }
    };
    let crew = near.system.spawn_on(On::Shard(0), make).unwrap();
    log.expect(&["w started"; 4]);
    one.kill();
    log.expect_all(&["crew hears Unreachable", "crew hears Unreachable", "w started", "w started"]);
    let notes = |numbers: std::ops::Range<u64>| {
        numbers.for_each(|n| near.system.call(0, move |scope| scope.tell(crew, Job::Note(n))).unwrap());
    };
    notes(0..8);
    log.expect_all(&["w 0", "w 1", "w 2", "w 3", "w 4", "w 5", "w 6", "w 7"]);
    near.end();
}

#[test]
fn a_child_whose_parents_process_is_killed_stops_by_itself() {
    let (log, mut other) = (Log::new(), other());
    let near = log.host(1, Choice::Automatic, config());
    other.say(format_args!("hire {}", near.at()));
    log.expect(&["v started"]);
    other.kill();
    log.expect(&["v stopped"]);
    near.end();
    log.expect_nothing();
}

#[test]
fn a_child_and_its_parent_are_parted_by_a_process_that_hangs_and_not_joined_again() {
    let (log, other) = (Log::new(), other());
    let (near, office, reporter, old) = employer(&log, &other);
    other.signal("-STOP");
    log.expect(&["boss hears Unreachable"]);
    other.signal("-CONT");
    // It finds out that it was given up, and has the old one stop, whose last word is lost unless the hosts are joined again
    // by then.
    let hire = Hire { name: "w".into(), log: reporter };
    let new = office.try_hire(&near, &other.at(), "w", hire).unwrap();
    assert_ne!(old, new);
    let next = || std::iter::repeat_with(|| log.next()).find(|said| said != "w stopped").unwrap();
    assert_eq!(next(), "w started");
    office.have(&near, move |_, ctx| Ok(ctx.watch(old)?));
    let gone = next();
    assert!(gone == "boss hears NotFound" || gone == "boss hears Stopped", "{gone}");
    near.end();
}
