//! Pools whose routees live on other hosts, in code and by configuration.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use corelane_kernel::router::{AnyStrategy, Pool, RouterKind};
use corelane_kernel::{Actor, Backoff, Ctx, Outcome};
use corelane_net::reactor::Choice;
use corelane_net::{EndpointConfig, RemoteLookupError, RemotePool, RemoteSpawnError};
use corelane_shard::{DeployPool, DeployPoolError, Deployment, RouteesOn, SpreadPool};

use crate::common::*;
use crate::family::*;
use crate::foreman::{Msg, Site, at, hosts};

#[test]
fn routees_are_had_from_each_host_in_turn_and_are_the_owners_children() {
    let hosts = hosts::<3>();
    let site = Site::new(at(&hosts).routees(7), |pool| pool);
    let routees = site.until_there(7);
    for (host, (_, log)) in hosts.iter().enumerate() {
        let count = if host == 0 { 3 } else { 2 };
        log.expect(&["w started"].repeat(count));
        log.expect_nothing();
    }
    assert_eq!(site.ask(|foreman, _| (foreman.pool.len(), foreman.pool.trouble())), (7, None));
    let mut paths: Vec<_> = routees.iter().map(|routee| site.near.path(*routee)).collect();
    paths.sort();
    let of = |n| format!("/remote/{}/user/top/foreman/w-{n}", site.near.address);
    assert_eq!(paths, (1..=7).map(of).collect::<Vec<_>>());
    // One after the other, whoever is the first.
    site.notes(0..14);
    for (host, (_, log)) in hosts.iter().enumerate() {
        (0..if host == 0 { 6 } else { 4 }).for_each(|_| assert!(log.next().starts_with("w ")));
        log.expect_nothing();
    }
    // They go with their owner, which waits for them.
    site.near.end();
    for (host, log) in hosts {
        host.end();
        let mut left: Vec<_> = (0..2).map(|_| log.next()).collect();
        left.dedup();
        assert_eq!(left, ["w stopped"]);
    }
}

#[test]
fn this_host_is_as_good_as_any_and_where_none_is_named_they_live_on_its_shards() {
    let log = Log::new();
    let site = Site::with(true, log.registry(), Deployment::new().routees(4), |pool| {
        // What is decided for shards comes before hosts in the code; here nothing is.
        pool.on(RouteesOn::Spread)
    });
    let shards = |site: &Site| {
        let mut shards: Vec<_> = site.until_there(4).iter().map(|to| to.place().shard()).collect();
        shards.sort_unstable();
        shards
    };
    assert_eq!(shards(&site), [0, 0, 1, 1]);
    site.near.end();
    let log = Log::new();
    let decided = Deployment::new().routees(4).routees_on(RouteesOn::Shards { first: 1, last: 1 });
    let site = Site::with(true, log.registry(), decided, |pool| pool.at(["corelane://test@127.0.0.1:1"]));
    assert_eq!(shards(&site), [1; 4]);
    let own = site.near.at();
    site.have(move |foreman, ctx| {
        let mut pool: RemotePool<Hire> = RemotePool::new(3, Hire::of("x")).at([own]);
        pool.start(ctx)?;
        assert_eq!(pool.len(), 3);
        foreman.say(pool.routees(ctx).len());
        Ok(())
    });
    // Those on the owner's own shard are there at once.
    let there: usize = next(&site.heard).parse().unwrap();
    assert!((1..=2).contains(&there), "{there}");
    site.near.end();
}

/// What each host's worker has noted up to a mark, which each was told by name.
fn noted(site: &Site, hosts: &[(Host, Log)]) -> Vec<Vec<u64>> {
    const MARK: u64 = 1000;
    site.have(|foreman, ctx| {
        foreman.pool.router(ctx).broadcast(ctx, Job::Note(MARK));
        Ok(())
    });
    let number = |line: String| line[2..].parse::<u64>().unwrap();
    let of = |log: &Log| {
        std::iter::repeat_with(|| number(log.next())).take_while(|number| *number != MARK).collect()
    };
    hosts.iter().map(|(_, log)| of(log)).collect()
}

/// Conformance 28.
#[test]
fn every_strategy_works_with_routees_on_other_hosts() {
    let hosts = hosts::<3>();
    let site = Site::new(at(&hosts).router(RouterKind::ConsistentHash).routees(3), |pool| pool);
    let routees = site.until_there(3);
    hosts.iter().for_each(|(_, log)| log.expect(&["w started"]));
    // Each key has one host.
    for _ in 0..3 {
        site.notes(0..32);
    }
    let mut all = Vec::new();
    for mut keys in noted(&site, &hosts) {
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len() * 3, count);
        all.extend(keys);
    }
    all.sort_unstable();
    assert_eq!(all, (0..32).collect::<Vec<_>>());
    let choose = |kind| {
        site.have(move |foreman, ctx| Ok(foreman.pool.strategy_mut().choose(kind, ctx.me())?));
    };
    choose(RouterKind::Random);
    site.notes(0..200);
    let noted_at_random = noted(&site, &hosts);
    assert!(noted_at_random.iter().all(|notes| notes.len() > 20), "{noted_at_random:?}");
    // Load is what the pool has given to each, less what the owner says is done: not what waits there.
    choose(RouterKind::SmallestLoad);
    let second = routees[1];
    site.have(move |foreman, ctx| {
        for routee in foreman.pool.routees(ctx).to_vec() {
            foreman.pool.router(ctx).set_load(routee.to(), 1);
        }
        foreman.pool.router(ctx).measure(ctx);
        let known = foreman.pool.done(second);
        foreman.say(known);
        Ok(())
    });
    site.expect(&["true"]);
    site.notes(7..8);
    let (here, _) = site.host_of(second, &hosts);
    for (host, notes) in noted(&site, &hosts).into_iter().enumerate() {
        assert_eq!(notes, if host == here { vec![7] } else { vec![] });
    }
    // The calls.
    site.have(|foreman, ctx| {
        foreman.pool.router(ctx).scatter_gather(ctx, LONG, Job::Where, Msg::Answer);
        Ok(())
    });
    let answer = next(&site.heard);
    assert!(answer.starts_with("Ok(\"/remote/"), "{answer}");
    let urls: Vec<_> = hosts.iter().map(|(host, _)| host.at()).collect();
    site.have(move |foreman, ctx| {
        let mut plain = RemotePool::new(3, Hire::of("p")).at(urls);
        plain.start(ctx)?;
        foreman.plain = Some(plain);
        Ok(())
    });
    hosts.iter().for_each(|(_, log)| log.expect(&["p started"]));
    site.have(|foreman, ctx| {
        let plain = foreman.plain.as_mut().unwrap();
        plain.router(ctx).tail_chop(ctx, LONG, LONG, Job::Where, Msg::Answer);
        Ok(())
    });
    let answer = next(&site.heard);
    assert!(answer.starts_with("Ok(\"/remote/"), "{answer}");
    site.near.end();
    hosts.into_iter().for_each(|(host, _)| host.end());
}

#[test]
fn a_routee_that_fails_is_dealt_with_as_its_owner_decides_and_one_that_stops_is_replaced_where_it_was() {
    let hosts = hosts::<2>();
    let site = Site::new(at(&hosts).routees(2), |pool| pool);
    let routees = site.until_there(2);
    hosts.iter().for_each(|(_, log)| log.expect(&["w started"]));
    site.near.give(routees[0], Job::Fail("oops".into()));
    site.expect(&["decides: error: oops"]);
    let of = |routee| site.host_of(routee, &hosts).1;
    of(routees[0]).expect(&["w stopped", "w started"]);
    assert_eq!(site.until_there(2), routees);
    let (one, other) = (routees[0], routees[1]);
    site.have(move |_, ctx| {
        ctx.stop(one);
        Ok(())
    });
    of(one).expect(&["w stopped", "w started"]);
    site.expect(&["replaces"]);
    let now = site.until_there(2);
    assert!(now.contains(&other) && !now.contains(&one));
    // One more, one less, and how many there are.
    assert!(site.ask(|foreman, ctx| foreman.pool.resize(ctx, 9).is_err()));
    site.have(|foreman, ctx| Ok(foreman.pool.resize(ctx, 3)?));
    site.until_there(3);
    site.have(|foreman, ctx| Ok(foreman.pool.resize(ctx, 1)?));
    assert_eq!(site.ask(|foreman, _| foreman.pool.len()), 1);
    site.until_there(1);
    site.near.end();
    hosts.into_iter().for_each(|(host, _)| host.end());
}

/// Short, for hosts that are not there. What is there answers sooner, or has the time of another try.
const SOON: Duration = Duration::from_millis(500);

fn often() -> Backoff {
    Backoff::new(Duration::from_millis(20), Duration::from_millis(100))
}

#[test]
fn a_host_that_ends_is_left_and_its_routees_are_had_on_the_others() {
    let mut hosts = Vec::from(hosts::<3>());
    let site = Site::new(at(&hosts).routees(6), |pool| pool.within(SOON).backoff(often()));
    let before = site.until_there(6);
    let ended: Vec<_> = before.iter().copied().filter(|to| site.host_of(*to, &hosts).0 == 0).collect();
    assert_eq!(ended.len(), 2);
    hosts.remove(0).0.end();
    let replaced = loop {
        let there = site.until_there(6);
        if there.iter().all(|to| !ended.contains(to)) {
            break there;
        }
    };
    let lives = |host| replaced.iter().filter(|to| site.host_of(**to, &hosts).0 == host).count();
    assert!(lives(0) + lives(1) == 6 && lives(0) > 1 && lives(1) > 1);
    // What is told to whom is not there any more is a dead letter.
    let letters = || site.near.system.call(0, |scope| scope.stats().dead_letters).unwrap();
    let letters_before = letters();
    site.near.give(ended[0], Job::Note(1));
    super::until("a dead letter", || letters() > letters_before);
    site.near.end();
    hosts.into_iter().for_each(|(host, _)| host.end());
}

#[test]
fn what_one_host_refuses_is_had_from_another_and_the_owner_is_told() {
    let [(free, free_log)] = hosts::<1>();
    let full_log = Log::new();
    let full = full_log.host(1, Choice::Poll, EndpointConfig { children_max: 1, ..config() });
    // One that makes nothing of the props, one that is not there, one with room for one more, and one with room.
    let ignorant = host(1, Choice::Poll);
    let list = [ignorant.at(), "corelane://test@127.0.0.1:1".to_owned(), full.at(), free.at()];
    let site = Site::new(Deployment::new().routees(8).routees_at(list), |pool| pool.within(SOON));
    site.until_there(8);
    full_log.expect(&["w started"]);
    free_log.expect(&["w started"].repeat(7));
    full_log.expect_nothing();
    let unknown = RemoteSpawnError::UnknownProps { name: "test.Hire" };
    let nobody = RemoteSpawnError::Host(RemoteLookupError::NotConnected("127.0.0.1:1".parse().unwrap()));
    let mut told: Vec<String> = site.heard.try_iter().collect();
    for error in [unknown, nobody, RemoteSpawnError::TooMany] {
        assert!(told.contains(&error.to_string()), "{error}: {told:?}");
        told.retain(|known| *known != error.to_string());
    }
    assert_eq!(told, Vec::<String>::new());
    assert!(site.ask(|foreman, _| foreman.pool.trouble()).is_some());
    site.near.end();
    [full, free, ignorant].into_iter().for_each(Host::end);
}

#[test]
fn without_a_back_off_an_owner_goes_on_with_those_who_are_there_and_fails_where_nobody_is() {
    let nowhere = "corelane://test@127.0.0.1:1";
    // Of three there is one: the others are refused there, and elsewhere nobody is.
    let log = Log::new();
    let one = log.host(1, Choice::Poll, EndpointConfig { children_max: 1, ..config() });
    let list = [one.at(), nowhere.to_owned()];
    let site = Site::new(Deployment::new().routees(3).routees_at(list), |pool| pool.within(SOON));
    site.until_there(1);
    super::until("they are given up", || site.ask(|foreman, _| foreman.pool.len()) == 1);
    site.notes(0..4);
    log.expect(&["w started", "w 0", "w 1", "w 2", "w 3"]);
    site.near.end();
    one.end();
    // Nobody is there at all.
    let site = Site::new(Deployment::new().routees(2).routees_at([nowhere]), |pool| pool.within(SOON));
    let nobody = RemoteLookupError::NotConnected("127.0.0.1:1".parse().unwrap());
    let mut told = std::iter::repeat_with(|| next(&site.heard));
    assert_eq!(told.find(|line| line.starts_with("failed")), Some(format!("failed: error: {nobody}")));
    site.near.end();
}

#[test]
fn an_owner_that_only_evicts_hears_when_the_last_one_has_left() {
    let hosts = hosts::<1>();
    let site = Site::with(false, Log::new().registry(), at(&hosts).routees(2), |pool| pool);
    let routees = site.until_there(2);
    site.have(move |_, ctx| {
        routees.iter().for_each(|routee| ctx.stop(*routee));
        Ok(())
    });
    site.expect(&["evicts: Left(1)", "evicts: Last"]);
    site.near.end();
    hosts.into_iter().for_each(|(host, _)| host.end());
}

#[test]
fn with_a_back_off_messages_wait_until_a_host_is_there() {
    // An address that is free, for now.
    let log = Log::new();
    let far = log.host(1, Choice::Poll, config());
    let (at, address) = (far.at(), far.address);
    far.end();
    let deployment = Deployment::new().routees(2).routees_at([at.clone()]);
    let site = Site::new(deployment, |pool| pool.within(Duration::from_millis(50)).backoff(often()));
    site.notes(0..4);
    // Each tried twice at least.
    let nobody = RemoteSpawnError::Host(RemoteLookupError::NotConnected(address));
    for _ in 0..4 {
        let trouble = next(&site.troubles);
        assert_eq!((&*trouble.host, &trouble.error), (at.as_str(), &nobody));
    }
    // Told all the same, once somebody is there.
    let far = log.host(1, Choice::Poll, EndpointConfig { bind: address, ..config() });
    site.until_there(2);
    let mut lines: Vec<_> = (0..6).map(|_| log.next()).collect();
    lines.sort();
    assert_eq!(lines, ["w 0", "w 1", "w 2", "w 3", "w started", "w started"]);
    site.expect(&[&nobody.to_string()]);
    site.near.end();
    far.end();
}

/// Of an owner's pool, why it did not start.
fn failure_of(deployment: Deployment) -> String {
    let site = Site::new(deployment, |pool| pool);
    let failure = next(&site.heard);
    site.near.end();
    failure
}

/// Conformance 21.
#[test]
fn hosts_that_cannot_be_joined_and_pools_that_cannot_have_any_are_errors_that_name_their_place() {
    for (host, words) in [
        (
            "corelane://bank@127.0.0.1:2552",
            "the URL is of the system \"bank\", and only hosts of \"test\" can be joi",
        ),
        (
            "corelane://test@192.0.2.1:2552",
            "192.0.2.1:2552 is not on this machine: set tls, or insecure_plaintex",
        ),
    ] {
        let failure = failure_of(Deployment::new().routees_at(["corelane://test@127.0.0.1:1", host]));
        assert_eq!(failure, format!("failed: failed start: routees_at: {words}"));
    }
    assert!(failure_of(Deployment::new().routees(9)).contains("routees: 9, and the pool has room for 8"));
    assert!(failure_of(Deployment::new().router(RouterKind::Broadcast)).contains("is a call in code"));
}

/// Starts a pool of this host only.
struct Homely(Sender<DeployPoolError>);

impl Actor for Homely {
    type Msg = ();
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let make = || Adder { sum: 0, seen: channel().0 };
        let mut spread = SpreadPool::<_, _, _, 8>::new(1, make).strategy(AnyStrategy::new());
        self.0.send(spread.start_deployed(ctx).unwrap_err())?;
        let mut own = Pool::<_, _, _, 8>::new(1, make).strategy(AnyStrategy::new());
        self.0.send(own.start_deployed(ctx).unwrap_err())?;
        Ok(())
    }
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

#[test]
fn a_pool_of_one_host_refuses_hosts_that_are_decided_for_it() {
    let decided = Deployment::new().routees_at(["corelane://test@127.0.0.1:1"]);
    let near = start(builder(1, Choice::Poll, config(), registry()).deploy("/user/homely", decided));
    let (refused, errors) = channel();
    near.system.spawner("homely").spawn(move || Homely(refused.clone())).unwrap();
    for _ in 0..2 {
        let error = next(&errors);
        assert!(
            matches!(&error, DeployPoolError::RouteesAt { path, .. } if path == "/user/homely"),
            "{error:?}"
        );
        assert!(error.to_string().contains("it takes a RemotePool"), "{error}");
    }
    near.end();
}
