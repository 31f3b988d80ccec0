//! Two real processes: the test starts itself once more as the other host, and treats it badly.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, Strategy};
use corelane_net::EndpointConfig;
use corelane_net::reactor::Choice;
use corelane_shard::On;

use crate::common::*;
use crate::family::*;

/// The address at which the child listens; set in a child only.
const BIND: &str = "CORELANE_TEST_REMOTE_BIND";

/// What the child does: runs until its standard input ends.
#[test]
fn child_of_another_test() {
    let Ok(bind) = std::env::var(BIND) else { return };
    let config = EndpointConfig {
        system: "test".into(),
        bind: bind.parse().unwrap(),
        link: impatient(),
        ..EndpointConfig::default()
    };
    let log = Log::new();
    let host = log.host(1, Choice::Automatic, config);
    let office = log.office(&host, Strategy::one_for_one());
    let (adder, _seen) = Adder::spawn(&host, On::Shard(0), "adder");
    host.system.spawn_named(On::Shard(0), "mirror", || Mirror).unwrap();
    println!("\nlistens {}", host.address);
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {
        if line.trim() == "stop" {
            host.system.call(0, move |scope| scope.stop(adder)).unwrap();
        } else if let Some(at) = line.trim().strip_prefix("hire ") {
            office.try_hire(&host, at, "w", Hire::of("w")).unwrap();
        }
        line.clear();
    }
    host.end();
}

/// Answers each tick with nothing but its count.
struct Mirror;

impl Actor for Mirror {
    type Msg = Tick;
    fn receive(&mut self, _: Tick, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// The other process, killed when it is dropped.
struct Other {
    child: Child,
    address: std::net::SocketAddr,
}

impl Other {
    fn start(bind: &str) -> Other {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::child_of_another_test", "--nocapture", "--test-threads=1"])
            .env(BIND, bind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .find_map(|line| line.unwrap().strip_prefix("listens ").map(str::to_owned))
            .expect("the child listens")
            .parse()
            .unwrap();
        // What it says later is of no interest, but must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        Other { child, address }
    }

    fn url(&self, name: &str) -> String {
        format!("{}/user/{name}", self.at())
    }

    fn at(&self) -> String {
        format!("corelane://test@{}", self.address)
    }

    /// Tells it what to do.
    fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn near() -> Host {
    let config = EndpointConfig { system: "test".into(), link: impatient(), ..EndpointConfig::default() };
    host_at(1, Choice::Automatic, config)
}

#[test]
fn an_actor_of_another_process_is_told_asked_and_watched() {
    let (near, mut other) = (near(), Other::start("127.0.0.1:0"));
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    for n in 1..=100 {
        near.tell(0, adder, Order::Add(n));
    }
    assert_eq!(near.ask(0, adder), Ok(5050));
    let (watcher, heard) = Watcher::spawn(&near, 0);
    near.have(watcher, Watching::Watch(adder));
    // It has heard of the watch when it answers what was asked later.
    assert_eq!(near.ask(0, adder), Ok(5050));
    other.say("stop");
    assert_eq!(next(&heard), "Stopped");
    near.end();
}

/// Conformance 38, 40: between processes.
#[test]
fn a_process_that_is_killed_is_lost_once_and_its_successor_is_welcome_at_once() {
    let (near, other) = (near(), Other::start("127.0.0.1:0"));
    let (watcher, heard) = Watcher::spawn(&near, 0);
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    near.have(watcher, Watching::Watch(adder));
    near.tell(0, adder, Order::Add(7));
    assert_eq!(near.ask(0, adder), Ok(7));
    let (bind, url) = (other.address.to_string(), other.url("adder"));
    other.kill();
    assert_eq!(next(&heard), "Unreachable");
    assert_eq!(near.ask(0, adder), Err(AskError::NotSent));

    let again = Other::start(&bind);
    assert_eq!(again.address.to_string(), bind);
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
    let config = EndpointConfig { system: "test".into(), link: link_config(), ..EndpointConfig::default() };
    let (near, other) = (host_at(1, Choice::Automatic, config), Other::start("127.0.0.1:0"));
    let (watcher, heard) = Watcher::spawn(&near, 0);
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    near.have(watcher, Watching::Watch(adder));
    assert_eq!(near.ask(0, adder), Ok(0));
    let bind = other.address.to_string();
    other.kill();
    let again = Other::start(&bind);
    assert_eq!(next(&heard), "Unreachable");
    let new = near.lookup::<Order>(&again.url("adder")).unwrap();
    assert_eq!((near.ask(0, new), near.ask(0, adder)), (Ok(0), Err(AskError::NotSent)));
    near.end();
}

/// Conformance 38: and whoever only hung is not refused for it.
#[test]
fn a_process_that_hangs_is_lost_and_may_come_back() {
    let (near, other) = (near(), Other::start("127.0.0.1:0"));
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

fn employ(log: &Log, near: &Host, office: &Office, at: &Other, reporter: ActorRef<String>) -> ActorRef<Job> {
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
    let (log, other) = (Log::new(), Other::start("127.0.0.1:0"));
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
    let (log, other) = (Log::new(), Other::start("127.0.0.1:0"));
    let (near, office, reporter, old) = employer(&log, &other);
    let bind = other.address.to_string();
    other.kill();
    log.expect(&["boss hears Unreachable"]);
    let again = Other::start(&bind);
    // The name is free again.
    let new = employ(&log, &near, &office, &again, reporter);
    assert_ne!(old, new);
    near.give(new, Job::Note(1));
    // Nothing more of the old one came in between.
    log.expect(&["w 1"]);
    near.end();
}

#[test]
fn a_child_whose_parents_process_is_killed_stops_by_itself() {
    let (log, mut other) = (Log::new(), Other::start("127.0.0.1:0"));
    let near = log.host(1, Choice::Automatic, config());
    other.say(&format!("hire {}", near.at()));
    log.expect(&["w started"]);
    other.kill();
    log.expect(&["w stopped"]);
    near.end();
    log.expect_nothing();
}

#[test]
fn a_child_and_its_parent_are_parted_by_a_process_that_hangs_and_not_joined_again() {
    let (log, other) = (Log::new(), Other::start("127.0.0.1:0"));
    let (near, office, reporter, old) = employer(&log, &other);
    other.signal("-STOP");
    log.expect(&["boss hears Unreachable"]);
    other.signal("-CONT");
    // It finds out that it was given up, and has the old one stop, who has nobody to say so to.
    let new = employ(&log, &near, &office, &other, reporter);
    assert_ne!(old, new);
    office.have(&near, move |_, ctx| Ok(ctx.watch(old)?));
    let gone = log.next();
    assert!(gone == "boss hears NotFound" || gone == "boss hears Stopped", "{gone}");
    near.end();
}
