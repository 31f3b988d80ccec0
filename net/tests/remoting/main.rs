//! Actors of one system tell, ask, watch and stop those of another, over sockets of this machine.

mod asking;
mod bombs;
mod bounds;
#[cfg(target_os = "linux")]
mod cable;
mod common;
mod courses;
#[cfg(target_os = "linux")]
mod crowds;
mod families;
mod family;
mod foreman;
mod forged;
mod gateways;
mod guarded;
mod intruders;
#[cfg(target_os = "linux")]
mod loss;
mod named;
mod names;
#[cfg(target_os = "linux")]
mod nearby;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(unix)]
mod other;
mod outcomes;
#[cfg(target_os = "linux")]
mod parted;
mod pki;
mod pools;
#[cfg(unix)]
mod processes;
mod renewal;
mod routing;
mod secure;
#[cfg(target_os = "linux")]
mod sharing;
#[cfg(unix)]
mod slow;
#[cfg(target_os = "linux")]
mod storm;
mod untrusted;

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use common::*;
use corelane_kernel::{Actor, ActorRef, Ctx, MessageKind, Outcome, TellError};
use corelane_net::reactor::Choice;
use corelane_net::{Endpoint, EndpointConfig, EndpointError, RemoteCtx, RemoteLookupError};
use corelane_shard::On;

#[test]
fn an_actor_of_another_host_is_told_in_order_and_answers() {
    with_each_way(|way| {
        let (near, far) = (host(1, way), host(1, way));
        let (_, seen) = Adder::spawn(&far, On::Shard(0), "adder");
        let adder = near.lookup::<Order>(&far.url("adder")).unwrap();
        for n in 1..=1000 {
            near.tell(0, adder, Order::Add(n));
        }
        for n in 1..=1000 {
            assert_eq!(next(&seen), n);
        }
        assert_eq!(near.ask(0, adder), Ok(500_500));
        near.end();
        far.end();
    });
}

/// Looks somebody up, and tells it many messages.
struct Flooder {
    url: String,
    count: u64,
}

enum Flood {
    Found(Result<ActorRef<Tick>, RemoteLookupError>),
    Go(ActorRef<Tick>, u64),
}

impl Actor for Flooder {
    type Msg = Flood;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.lookup_at(&self.url, LONG, Flood::Found);
        Ok(())
    }
    fn receive(&mut self, flood: Flood, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let (to, mut number) = match flood {
            Flood::Found(found) => (found?, 0),
            Flood::Go(to, number) => (to, number),
        };
        // As many as the way takes; the rest in a later turn.
        while number < self.count && ctx.try_tell(to, Tick::new(1, number)).is_ok() {
            number += 1;
        }
        if number < self.count {
            let me = ctx.me();
            ctx.tell(me, Flood::Go(to, number));
        }
        Ok(())
    }
}

/// Notes gaps and repetitions.
struct Checker {
    next: u64,
    last: u64,
    done: std::sync::mpsc::Sender<u64>,
}

impl Actor for Checker {
    type Msg = Tick;
    fn receive(&mut self, tick: Tick, _: &mut Ctx<'_, Self>) -> Outcome {
        assert_eq!((tick.number, tick.rest), (self.next, [tick.number; 6]));
        self.next += 1;
        if self.next == self.last {
            let _ = self.done.send(self.next);
        }
        Ok(())
    }
}

#[test]
fn a_flood_of_fixed_messages_waits_for_credit_and_loses_none() {
    with_each_way(|way| {
        let (near, far) = (host(1, way), host(1, way));
        let count = 200_000;
        let (done, ends) = channel();
        far.system
            .spawn_named(On::Shard(0), "checker", move || Checker {
                next: 0,
                last: count,
                done: done.clone(),
            })
            .unwrap();
        let url = far.url("checker");
        near.system.spawn(move || Flooder { url: url.clone(), count }).unwrap();
        assert_eq!(next(&ends), count);
        near.end();
        far.end();
    });
}

/// Each shard sleeps whenever it has nothing to do, so nobody comes to an end who waits for a word that is not said.
#[test]
fn floods_in_both_directions_at_once_lose_none() {
    with_each_way(|way| {
        let hosts = [host(1, way), host(1, way)];
        let count = 50_000;
        let ends = hosts.each_ref().map(|host| {
            let (done, ends) = channel();
            let make = move || Checker { next: 0, last: count, done: done.clone() };
            host.system.spawn_named(On::Shard(0), "checker", make).unwrap();
            ends
        });
        for (from, to) in [(0, 1), (1, 0)] {
            let url = hosts[to].url("checker");
            hosts[from].system.spawn(move || Flooder { url: url.clone(), count }).unwrap();
        }
        for ends in ends {
            assert_eq!(next(&ends), count);
        }
        hosts.into_iter().for_each(Host::end);
    });
}

#[test]
fn all_shards_of_both_hosts_reach_each_other_by_the_same_addresses() {
    with_each_way(|way| {
        let (near, far) = (host(2, way), host(2, way));
        let (_, seen_0) = Adder::spawn(&far, On::Shard(0), "zero");
        let (_, seen_1) = Adder::spawn(&far, On::Shard(1), "one");
        let zero = near.lookup::<Order>(&far.url("zero")).unwrap();
        let one = near.lookup::<Order>(&far.url("one")).unwrap();
        assert_eq!(zero.place().realm(), one.place().realm());
        for shard in [0, 1] {
            near.tell(shard, zero, Order::Add(7));
            near.tell(shard, one, Order::Add(8));
            assert_eq!((next(&seen_0), next(&seen_1)), (7, 8));
            assert!(near.ask(shard, one).unwrap() > 0);
        }
        assert_eq!(near.lookup::<Order>(&far.url("one")), Ok(one));
        near.end();
        far.end();
    });
}

struct Reader(std::sync::mpsc::Sender<String>);

impl Actor for Reader {
    type Msg = String;
    fn receive(&mut self, text: String, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.0.send(text);
        Ok(())
    }
}

#[test]
fn a_reference_in_a_message_works_at_the_other_end_and_on_a_third_host() {
    with_each(|backend| {
        let (a, b, c) = (host(1, backend), host(1, backend), host(1, backend));
        let (texts, read) = channel();
        let reader = a.system.spawn_named(On::Shard(0), "reader", move || Reader(texts.clone())).unwrap();
        Adder::spawn(&b, On::Shard(0), "b");
        Adder::spawn(&c, On::Shard(0), "c");
        let at_b = a.lookup::<Order>(&b.url("b")).unwrap();
        a.tell(0, at_b, Order::Pass(reader, "over b".into()));
        assert_eq!(next(&read), "over b");
        // To c, which has never heard of a: the reference comes from b.
        let reader_at_b = b.lookup::<String>(&a.url("reader")).unwrap();
        let at_c = b.lookup::<Order>(&c.url("c")).unwrap();
        b.tell(0, at_c, Order::Pass(reader_at_b, "over c".into()));
        assert_eq!(next(&read), "over c");
        a.end();
        b.end();
        c.end();
    });
}

/// As above, in a message that waits for its connection: the look-up went over another one.
#[test]
fn a_host_is_introduced_by_a_message_that_had_to_wait_for_its_connection() {
    with_each(|backend| {
        let (a, b, c) = (host(1, backend), host(1, backend), host(2, backend));
        let (texts, read) = channel();
        a.system.spawn_named(On::Shard(0), "reader", move || Reader(texts.clone())).unwrap();
        Adder::spawn(&c, On::Shard(1), "c");
        let reader_at_b = b.lookup::<String>(&a.url("reader")).unwrap();
        let at_c = b.lookup::<Order>(&c.url("c")).unwrap();
        b.tell(0, at_c, Order::Pass(reader_at_b, "over c".into()));
        assert_eq!(next(&read), "over c");
        a.end();
        b.end();
        c.end();
    });
}

#[test]
fn large_messages_pass_in_pieces_with_small_ones_between() {
    with_each_way(|way| {
        let (near, far) = (host(1, way), host(1, way));
        let (_, seen) = Adder::spawn(&far, On::Shard(0), "large");
        let (_, small) = Adder::spawn(&far, On::Shard(0), "small");
        let large = near.lookup::<Order>(&far.url("large")).unwrap();
        let other = near.lookup::<Order>(&far.url("small")).unwrap();
        near.tell(0, large, Order::Bytes(vec![1; 3 << 20]));
        near.tell(0, other, Order::Add(5));
        near.tell(0, large, Order::Add(6));
        assert_eq!(next(&small), 5);
        assert_eq!((next(&seen), next(&seen)), (3 << 20, 6));
        near.end();
        far.end();
    });
}

/// Conformance 38: who watches is told once, and of an actor that ended what it ended of.
#[test]
fn a_watch_is_answered_once_with_the_reason() {
    with_each_way(|way| {
        let (near, far) = (host(1, way), host(1, way));
        let (watcher, heard) = Watcher::spawn(&near, 0);
        for name in ["stops", "fails", "stays"] {
            Adder::spawn(&far, On::Shard(0), name);
        }
        let [stops, fails, stays] =
            ["stops", "fails", "stays"].map(|name| near.lookup::<Order>(&far.url(name)).unwrap());
        for actor in [stops, fails, stays, stops] {
            near.have(watcher, Watching::Watch(actor));
        }
        near.have(watcher, Watching::Stop(stops));
        assert_eq!(next(&heard), "Stopped");
        near.tell(0, fails, Order::Fail);
        assert_eq!(next(&heard), "no disk");
        // Whoever is gone is not found.
        near.have(watcher, Watching::Watch(stops));
        assert_eq!(next(&heard), "NotFound");
        // Nothing comes after an unwatch; what would have come does so before the next notice.
        near.have(watcher, Watching::Unwatch(stays));
        near.have(watcher, Watching::Stop(stays));
        near.have(watcher, Watching::Watch(fails));
        assert_eq!(next(&heard), "NotFound");
        near.have(watcher, Watching::Speak);
        assert_eq!(next(&heard), "here");
        near.end();
        far.end();
    });
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

/// Conformance 38, 40: over real connections; what is addressed to the former life is refused.
#[test]
fn the_end_of_a_host_is_told_to_each_watcher_once_and_its_next_life_is_welcome() {
    with_each(|backend| {
        let (near, far) = (host(2, backend), host(1, backend));
        let (first, heard_0) = Watcher::spawn(&near, 0);
        let (second, heard_1) = Watcher::spawn(&near, 1);
        Adder::spawn(&far, On::Shard(0), "a");
        let old = near.lookup::<Order>(&far.url("a")).unwrap();
        near.have(first, Watching::Watch(old));
        near.have(second, Watching::Watch(old));
        assert_eq!((near.ask(0, old), near.ask(1, old)), (Ok(0), Ok(0)));
        let (url, bind) = (far.url("a"), far.address);
        let identity = far.system.extension::<Endpoint>().unwrap().identity();
        // It stops its actors before it leaves, so that is what is heard.
        far.end();
        assert_eq!((next(&heard_0), next(&heard_1)), ("Stopped".to_owned(), "Stopped".to_owned()));
        until("the old life is refused", || {
            near.system
                .call(0, move |scope| {
                    matches!(scope.try_tell(old, Order::Add(1)), Err(TellError::Unreachable(_)))
                })
                .unwrap()
        });

        let config =
            EndpointConfig { system: "test".into(), bind, link: link_config(), ..EndpointConfig::default() };
        let again = host_at(1, backend, config);
        let next_identity = again.system.extension::<Endpoint>().unwrap().identity();
        assert_eq!(identity.0, next_identity.0);
        assert_ne!(identity.1, next_identity.1);
        let (_, seen) = Adder::spawn(&again, On::Shard(0), "a");
        let new = near.lookup::<Order>(&url).unwrap();
        assert_ne!(old, new);
        for shard in [0, 1] {
            near.tell(shard, new, Order::Add(3));
            assert_eq!(next(&seen), 3);
            let refused = near.system.call(shard, move |scope| scope.try_tell(old, Order::Add(1))).unwrap();
            assert!(matches!(refused, Err(TellError::Unreachable(_))), "{refused:?}");
        }
        near.have(first, Watching::Watch(old));
        assert_eq!(next(&heard_0), "Unreachable");
        for (watcher, heard) in [(first, &heard_0), (second, &heard_1)] {
            near.have(watcher, Watching::Speak);
            assert_eq!(next(heard), "here");
        }
        near.end();
        again.end();
    });
}

#[test]
fn a_lookup_says_what_was_wrong() {
    let (near, far) = (host(1, Choice::Poll), host(1, Choice::Poll));
    Adder::spawn(&far, On::Shard(0), "a");
    let wrong = |url: &str| near.lookup::<Order>(url).unwrap_err();
    assert_eq!(wrong(&far.url("b")), RemoteLookupError::NoSuchActor { path: "/user/b".into() });
    assert_eq!(wrong(&far.url("a/b")), RemoteLookupError::NoSuchActor { path: "/user/a/b".into() });
    assert!(matches!(wrong(&far.url("a//b")), RemoteLookupError::BadUrl { .. }));
    assert!(matches!(wrong("corelane://test@far/user/a"), RemoteLookupError::BadUrl { .. }));
    let elsewhere = far.url("a").replace("test@", "rest@");
    assert!(matches!(wrong(&elsewhere), RemoteLookupError::OtherSystem { .. }));
    assert!(matches!(wrong("corelane://test@192.0.2.7:1/user/a"), RemoteLookupError::BeyondLoopback(_)));
    let other = near.lookup::<Tick>(&far.url("a")).unwrap_err();
    assert!(
        matches!(&other, RemoteLookupError::OtherProtocol { speaks, .. } if speaks.contains("Order")),
        "{other}"
    );
    let unknown = near.lookup::<Unknown>(&far.url("a")).unwrap_err();
    assert_eq!(unknown, RemoteLookupError::NotRegistered { name: "test.Unknown" });
    // Nobody listens where somebody did.
    let gone = far.url("a");
    far.end();
    let endpoint = near.system.extension::<Endpoint>().unwrap();
    let nobody = endpoint.lookup::<Order>(&gone, Duration::from_millis(50)).unwrap_err();
    assert!(matches!(nobody, RemoteLookupError::NotConnected(_)), "{nobody}");
    near.end();
}

#[test]
fn a_host_looks_its_own_actors_up_by_their_urls_too() {
    let near = host(2, Choice::Poll);
    let (adder, _) = Adder::spawn(&near, On::Shard(1), "a");
    assert_eq!(near.lookup::<Order>(&near.url("a")), Ok(adder));
    near.end();
}

/// Conformance 39: what cannot be written for the other host is refused before it leaves, and the link goes on.
#[test]
fn what_has_no_wire_form_comes_back() {
    let (near, far) = (host(1, Choice::Poll), host(1, Choice::Poll));
    Adder::spawn(&far, On::Shard(0), "a");
    let adder = near.lookup::<Order>(&far.url("a")).unwrap();
    let realm = corelane_kernel::ForeignRealm::new().unwrap();
    let nowhere = realm.admit_as(adder.address().to_raw(), MessageKind::of::<Private>()).unwrap();
    let private: ActorRef<Private> = nowhere.typed().unwrap();
    let refused = near.system.call(0, move |scope| scope.try_tell(private, Private(7))).unwrap();
    assert!(matches!(refused, Err(TellError::NoWireForm(Private(7)))), "{refused:?}");
    // An address in a message that means nothing to the other host.
    let lost: ActorRef<String> =
        realm.admit_as(adder.address().to_raw(), MessageKind::of::<String>()).unwrap().typed().unwrap();
    near.ask(0, adder).unwrap();
    let refused =
        near.system.call(0, move |scope| scope.try_tell(adder, Order::Pass(lost, "x".into()))).unwrap();
    assert!(matches!(refused, Err(TellError::NoWireForm(Order::Pass(..)))), "{refused:?}");
    assert_eq!(near.ask(0, adder), Ok(0));
    near.end();
    far.end();
}

#[test]
fn an_endpoint_beyond_loopback_does_not_start_without_the_word() {
    let config = EndpointConfig { bind: "0.0.0.0:0".parse().unwrap(), ..EndpointConfig::default() };
    let started = corelane_shard::System::builder()
        .shards(1)
        .pinned(false)
        .extension(corelane_net::Net::of(corelane_net::NetConfig::default()))
        .extension(Endpoint::of(config, registry()))
        .start();
    let error = started.err().unwrap().to_string();
    let expected = EndpointError::BeyondLoopback("0.0.0.0:0".parse().unwrap()).to_string();
    assert!(error.contains(&expected), "{error}");
}
