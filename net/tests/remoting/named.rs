//! Children and routees on hosts that are called by names, which a resolver of the test knows.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corelane_kernel::{ActorRef, Backoff, Group, SpawnError, Strategy};
use corelane_net::reactor::Choice;
use corelane_net::{EndpointConfig, RemoteCtx, RemoteLookupError, RemoteSpawnError, Resolver};
use corelane_shard::{Deployment, On};

use crate::common::*;
use crate::family::*;
use crate::foreman::{Site, hosts};

/// Who bears which name.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<HashMap<String, Vec<SocketAddr>>>>);

impl Book {
    fn write(&self, name: &str, addresses: &[SocketAddr]) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.insert(name.to_owned(), addresses.to_vec());
    }

    fn config(&self) -> EndpointConfig {
        let book = self.0.clone();
        let resolver = Resolver::by(move |name, port| {
            assert_eq!(port, 1);
            let book = book.lock().unwrap_or_else(PoisonError::into_inner);
            book.get(name).cloned().ok_or_else(|| std::io::Error::other("the book is closed"))
        });
        EndpointConfig { resolver, ..config() }
    }
}

/// An address of this machine where nobody is.
fn nobody() -> SocketAddr {
    "127.0.0.1:1".parse().unwrap()
}

/// An address that may not be dialed: it is not on this machine.
fn beyond() -> SocketAddr {
    "192.0.2.7:1".parse().unwrap()
}

fn by(name: &str) -> String {
    format!("corelane://test@{name}:1")
}

fn unresolved(name: &str, reason: &str) -> RemoteSpawnError {
    RemoteLookupError::Unresolved { host: format!("{name}:1"), reason: reason.into() }.into()
}

#[test]
fn a_child_is_had_on_a_host_that_is_called_by_its_name_and_is_its_parents_as_any_other() {
    with_each(|backend| {
        let (log, book) = (Log::new(), Book::default());
        let near = log.host(1, backend, book.config());
        let far = log.host(2, backend, config());
        book.write("till", &[far.address]);
        let office = log.office(&near, Strategy::one_for_one());
        let worker = office.try_hire(&near, &by("till"), "w", Hire::of("w")).unwrap();
        log.expect(&["w started"]);
        assert_eq!(near.path(worker), format!("/remote/{}/user/boss/w", near.address));
        let again = office.try_hire(&near, &by("till"), "w", Hire::of("x"));
        assert_eq!(again, Err(RemoteSpawnError::Spawn(SpawnError::NameTaken)));
        // On the shard that is wanted.
        let second = office.try_hire_on(&near, &by("till"), Some(1), "v", Hire::of("v")).unwrap();
        log.expect(&["v started"]);
        assert_eq!(second.place().shard(), 1);
        near.give(worker, Job::Fail("oops".into()));
        log.expect(&["boss decides: error: oops", "w stopped", "w started"]);
        near.end();
        log.expect_all(&["w stopped", "v stopped", "boss stopped"]);
        far.end();
    });
}

#[test]
fn the_addresses_of_a_childs_host_are_tried_in_turn_and_asked_for_at_each_birth() {
    let (log, book) = (Log::new(), Book::default());
    let near = log.host(1, Choice::Poll, book.config());
    let (first, second) = (log.host(1, Choice::Poll, config()), log.host(1, Choice::Poll, config()));
    for host in [&first, &second] {
        Adder::spawn(host, On::Shard(0), "anybody");
    }
    let rest = EndpointConfig { system: "rest".into(), ..config() };
    let other = host_at(1, Choice::Poll, rest);
    let office = log.office(&near, Strategy::one_for_one());
    let hired_at = |name: &'static str, host: &Host| {
        let worker = office.try_hire(&near, &by("till"), name, Hire::of(name)).unwrap();
        log.expect(&[&format!("{name} started")]);
        let known: ActorRef<Order> = near.lookup(&host.url("anybody")).unwrap();
        assert!(worker.place().same_realm(known.place()));
    };
    // Nobody is there; somebody else is; one may not be dialed; and that is the one.
    book.write("till", &[nobody(), other.address, beyond(), first.address, second.address]);
    hired_at("a", &first);
    // Those where nobody was reached, or who did not want this host, come last the next time.
    hired_at("b", &first);
    // It has moved.
    book.write("till", &[nobody(), second.address]);
    hired_at("c", &second);
    near.end();
    log.expect_all(&["a stopped", "b stopped", "c stopped", "boss stopped"]);
    [first, second, other].into_iter().for_each(Host::end);
}

#[test]
fn who_cannot_be_had_by_the_name_of_a_host_is_told_of_with_the_reason_and_leaves_nothing() {
    let (log, book) = (Log::new(), Book::default());
    let near = log.host(1, Choice::Poll, book.config());
    let office = log.office(&near, Strategy::one_for_one());
    book.write("none", &[]);
    book.write("far", &[beyond()]);
    book.write("gone", &[nobody(), beyond()]);
    // The same name each time: it is free when its parent has been told.
    let refused = |at: &str| office.try_hire(&near, at, "w", Hire::of("w")).unwrap_err();
    assert_eq!(refused(&by("none")), unresolved("none", "it has no address"));
    assert_eq!(refused(&by("lost")), unresolved("lost", "the book is closed"));
    let text = refused(&by("lost")).to_string();
    assert_eq!(text, "the host lost:1 has no address: the book is closed");
    assert_eq!(refused(&by("far")), RemoteLookupError::BeyondLoopback(beyond()).into());
    assert_eq!(refused(&by("gone")), RemoteLookupError::BeyondLoopback(beyond()).into());
    let elsewhere = refused("corelane://rest@none:1");
    assert!(matches!(elsewhere, RemoteSpawnError::Host(RemoteLookupError::OtherSystem { .. })));
    for text in
        ["corelane://test@none", "corelane://test@no ne:1", "test@none:1", "corelane://test@none:1/user/a"]
    {
        let bad = refused(text);
        assert!(
            matches!(&bad, RemoteSpawnError::Host(RemoteLookupError::BadUrl { url, .. }) if url == text),
            "{bad:?}"
        );
    }
    // As long as nobody is reached it is waited for, where there is nowhere else to go.
    book.write("gone", &[beyond(), nobody()]);
    let late = office.hire_in_vain(&near, &by("gone"), Duration::from_millis(300));
    assert_eq!(late, RemoteLookupError::NotConnected(nobody()).into());
    near.end();
    log.expect(&["boss stopped"]);
    log.expect_nothing();
}

#[test]
fn a_name_that_is_the_parents_own_host_means_a_child_here() {
    let (log, book) = (Log::new(), Book::default());
    let decided = Deployment::new().group(Group::Urgent);
    let near = start(builder(2, Choice::Poll, book.config(), log.registry()).deploy("/user/boss/c", decided));
    let office = log.office(&near, Strategy::one_for_one());
    // Whichever of its addresses is this one's.
    book.write("me", &[nobody(), near.address]);
    for (name, shard) in [("a", Some(0)), ("b", Some(1)), ("c", None)] {
        let worker = office.try_hire_on(&near, &by("me"), shard, name, Hire::of(name)).unwrap();
        log.expect(&[&format!("{name} started")]);
        assert_eq!(near.path(worker), format!("/user/boss/{name}"));
        assert!(worker.place().same_realm(office.boss.place()));
        assert!(shard.is_none_or(|shard| worker.place().shard() == usize::from(shard)));
        assert_eq!(worker.address().group(), if name == "c" { Group::Urgent } else { Group::Normal });
        let again = office.try_hire(&near, &by("me"), name, Hire::of("x"));
        assert_eq!(again, Err(RemoteSpawnError::Spawn(SpawnError::NameTaken)));
        near.give(worker, Job::Fail("oops".into()));
        log.expect(&["boss decides: error: oops"]);
        log.expect(&[&format!("{name} stopped"), &format!("{name} started")]);
    }
    let idle = office.try_hire(&near, &by("me"), "i", Idle(Vec::new()));
    assert_eq!(idle, Err(RemoteSpawnError::UnknownProps { name: "test.Idle" }));
    let nowhere = office.try_hire_on(&near, &by("me"), Some(7), "i", Hire::of("i"));
    assert_eq!(nowhere, Err(RemoteSpawnError::Spawn(SpawnError::Unreachable)));
    near.end();
    log.expect_all(&["a stopped", "b stopped", "c stopped", "boss stopped"]);
    log.expect_nothing();
}

/// A host whose resolver knows one address, which it tells only when it is let go.
fn held(log: &Log) -> (Sender<()>, Arc<Mutex<Option<SocketAddr>>>, Host) {
    let (go, gone) = channel();
    let (gone, address) = (Mutex::new(gone), Arc::new(Mutex::new(None)));
    let known = address.clone();
    let resolver = Resolver::by(move |_, _| {
        let _ = gone.lock().unwrap_or_else(PoisonError::into_inner).recv();
        Ok(known.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect())
    });
    let near = log.host(1, Choice::Poll, EndpointConfig { resolver, ..config() });
    (go, address, near)
}

#[test]
fn a_host_that_is_not_found_in_time_is_given_up_and_what_is_found_later_leads_to_nothing() {
    let log = Log::new();
    let (go, address, near) = held(&log);
    let far = log.host(1, Choice::Poll, config());
    address.lock().unwrap_or_else(PoisonError::into_inner).replace(far.address);
    let office = log.office(&near, Strategy::one_for_one());
    let late = office.hire_in_vain(&near, &by("till"), Duration::from_millis(20));
    assert_eq!(late, unresolved("till", "it was not found out in time"));
    drop(go);
    // What is asked for now comes behind what was found late.
    office.try_hire(&near, &by("till"), "nobody", Hire::of("w")).unwrap();
    log.expect(&["w started"]);
    near.end();
    log.expect_all(&["w stopped", "boss stopped"]);
    far.end();
    log.expect_nothing();
}

#[test]
fn a_parent_that_stops_while_its_childs_host_is_found_out_has_none() {
    let log = Log::new();
    let (go, address, near) = held(&log);
    address.lock().unwrap_or_else(PoisonError::into_inner).replace(near.address);
    let office = log.office(&near, Strategy::one_for_one());
    office.have(&near, |me, ctx| {
        ctx.child_at(&by("me")).name("w").within(LONG).spawn(Hire::of("w"), Command::Hired)?;
        me.say("waits");
        Ok(())
    });
    log.expect(&["boss waits"]);
    office.stop(&near);
    go.send(()).unwrap();
    log.expect(&["boss stopped"]);
    near.end();
    log.expect_nothing();
}

#[test]
fn a_deployment_names_the_host_of_a_child_and_the_code_says_nothing_of_it() {
    let (log, book) = (Log::new(), Book::default());
    let far = log.host(1, Choice::Poll, config());
    book.write("till", &[far.address]);
    let builder = builder(1, Choice::Poll, book.config(), log.registry());
    let builder = builder.deploy("/user/boss/*", Deployment::new().host(&by("till")));
    let near = start(builder.deploy("/user/boss/lost", Deployment::new().host(&by("lost"))));
    let office = log.office(&near, Strategy::one_for_one());
    let worker = office.hire_here(&near, "w");
    log.expect(&["w started"]);
    assert_eq!(near.path(worker), format!("/remote/{}/user/boss/w", near.address));
    // What is decided comes before what the code says.
    let lost = office.try_hire(&near, &by("till"), "lost", Hire::of("lost"));
    assert_eq!(lost, Err(unresolved("lost", "the book is closed")));
    near.end();
    log.expect_all(&["w stopped", "boss stopped"]);
    far.end();
}

/// A host with a foreman to be whose pool is deployed to hosts of these names.
fn host_deployed(book: &Book, routees: u32, names: &[&str]) -> Host {
    let deployment = Deployment::new().routees(routees).routees_at(names.iter().map(|name| by(name)));
    let builder = builder(2, Choice::Poll, book.config(), Log::new().registry());
    start(builder.deploy("/user/top/foreman", deployment))
}

impl Site {
    /// How many of these routees live on a host.
    fn count(&self, routees: &[ActorRef<Job>], of: &Host) -> usize {
        let place = match of.address == self.near.address {
            true => self.foreman.place(),
            false => self.near.lookup::<Order>(&of.url("anybody")).unwrap().place(),
        };
        routees.iter().filter(|routee| routee.place().same_realm(place)).count()
    }
}

#[test]
fn a_pool_has_its_routees_on_hosts_that_are_called_by_names_and_follows_one_that_moves() {
    let (mut far, book) = (Vec::from(hosts::<3>()), Book::default());
    let near = host_deployed(&book, 6, &["left", "right", "here"]);
    book.write("left", &[nobody(), far[0].0.address]);
    book.write("right", &[far[1].0.address]);
    book.write("here", &[near.address]);
    let again = Backoff::new(Duration::from_millis(20), Duration::from_millis(100));
    let site = Site::on(near, true, move |pool| pool.backoff(again));
    let there = site.until_there(6);
    for host in [&far[0].0, &far[1].0, &site.near] {
        assert_eq!(site.count(&there, host), 2);
    }
    assert_eq!(site.ask(|foreman, _| foreman.pool.trouble()), None);
    // It ends, and its name is another's.
    book.write("right", &[far[2].0.address]);
    far.remove(1).0.end();
    loop {
        let there = site.until_there(6);
        if site.count(&there, &far[1].0) >= 1 {
            break;
        }
    }
    site.near.end();
    far.into_iter().for_each(|(host, _)| host.end());
}

#[test]
fn a_pool_knows_by_which_name_each_routee_was_had() {
    let (far, book) = (hosts::<2>(), Book::default());
    let near = host_deployed(&book, 4, &["left", "right"]);
    book.write("left", &[far[0].0.address]);
    let site = Site::on(near, true, |pool| pool);
    // Nobody bears the other one: what is not had there is had here, and is counted here.
    let there = site.until_there(4);
    assert_eq!(site.count(&there, &far[0].0), 4);
    for _ in 0..2 {
        let trouble = next(&site.troubles);
        let wanted = (by("right"), unresolved("right", "the book is closed"));
        assert_eq!((trouble.host.to_string(), trouble.error), wanted);
    }
    book.write("right", &[far[1].0.address]);
    site.have(|foreman, ctx| Ok(foreman.pool.resize(ctx, 8)?));
    let there = site.until_there(8);
    assert_eq!(site.count(&there, &far[1].0), 4);
    site.near.end();
    far.into_iter().for_each(|(host, _)| host.end());
}

#[test]
fn a_pool_whose_only_host_has_no_address_fails_its_owner_with_the_name() {
    let book = Book::default();
    let site = Site::on(host_deployed(&book, 1, &["lost"]), true, |pool| pool);
    let mut told = std::iter::repeat_with(|| next(&site.heard));
    let failed = told.find(|line| line.starts_with("failed"));
    assert_eq!(failed.unwrap(), "failed: error: the host lost:1 has no address: the book is closed");
    assert_eq!(next(&site.troubles).error, unresolved("lost", "the book is closed"));
    site.near.end();
}
