//! Hosts that are called by names. This machine's own is the only one that every machine has.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
use corelane_net::reactor::Choice;
use corelane_net::{Endpoint, EndpointConfig, RemoteCtx, RemoteLookupError, Resolver};
use corelane_shard::On;

use crate::common::*;

impl Host {
    fn url_by(&self, name: &str, actor: &str) -> String {
        format!("corelane://test@{name}:{}/user/{actor}", self.address.port())
    }
}

type Found = Result<ActorRef<Order>, RemoteLookupError>;

struct Looking {
    url: String,
    found: Sender<Found>,
}

impl Actor for Looking {
    type Msg = Found;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.lookup_at(&self.url, LONG, |found| found);
        Ok(())
    }
    fn receive(&mut self, found: Found, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.found.send(found);
        Ok(())
    }
}

#[test]
fn a_host_is_found_by_its_name_at_whichever_of_its_addresses_it_is() {
    with_each(|backend| {
        let (near, far) = (host(2, backend), host(2, backend));
        let (_, seen) = Adder::spawn(&far, On::Shard(1), "a");
        let adder = near.lookup::<Order>(&far.url_by("localhost", "a")).unwrap();
        near.tell(0, adder, Order::Add(7));
        assert_eq!(next(&seen), 7);
        // It is the same host as by its numbers, and every time.
        assert_eq!(near.lookup::<Order>(&far.url("a")), Ok(adder));
        assert_eq!(near.lookup::<Order>(&far.url_by("LocalHost", "a")), Ok(adder));
        let (found, answers) = channel();
        let url = far.url_by("localhost", "a");
        near.system
            .spawn_on(On::Shard(1), move || Looking { url: url.clone(), found: found.clone() })
            .unwrap();
        assert_eq!(next(&answers), Ok(adder));
        let missing = near.lookup::<Order>(&far.url_by("localhost", "b")).unwrap_err();
        assert_eq!(missing, RemoteLookupError::NoSuchActor { path: "/user/b".into() });
        near.end();
        far.end();
    });
}

#[test]
fn a_system_finds_its_own_actors_by_its_name() {
    let near = host(1, Choice::Poll);
    let (adder, _) = Adder::spawn(&near, On::Shard(0), "a");
    assert_eq!(near.lookup::<Order>(&near.url_by("localhost", "a")), Ok(adder));
    near.end();
}

#[test]
fn what_is_wrong_with_a_host_that_has_a_name_is_said() {
    let near = host(1, Choice::Poll);
    let far = host(1, Choice::Poll);
    let wrong = |url: &str| near.lookup::<Order>(url).unwrap_err();
    // Longer than any label of a name may be: nobody need be asked.
    let name = "a".repeat(64);
    match wrong(&format!("corelane://test@{name}:1/user/a")) {
        RemoteLookupError::Unresolved { host, reason } => {
            assert_eq!(host, format!("{name}:1"));
            assert!(!reason.is_empty());
        }
        other => panic!("{other}"),
    }
    let elsewhere = far.url_by("localhost", "a").replace("test@", "rest@");
    assert!(matches!(wrong(&elsewhere), RemoteLookupError::OtherSystem { .. }));
    assert!(matches!(wrong("corelane://test@localhost/user/a"), RemoteLookupError::BadUrl { .. }));
    let gone = far.url_by("localhost", "a");
    far.end();
    let endpoint = near.system.extension::<Endpoint>().unwrap();
    let nobody = endpoint.lookup::<Order>(&gone, Duration::from_millis(300)).unwrap_err();
    assert!(matches!(nobody, RemoteLookupError::NotConnected(_)), "{nobody}");
    near.end();
}

/// Who is there is found, whoever was looked for in vain before: the address where nobody was reached comes last.
#[test]
fn a_host_that_comes_later_is_found_by_its_name() {
    let near = host(1, Choice::Poll);
    let far = host(1, Choice::Poll);
    let (bind, url) = (far.address, far.url_by("localhost", "late"));
    far.end();
    // Whoever has the port meanwhile has no such actor.
    let endpoint = near.system.extension::<Endpoint>().unwrap();
    assert!(endpoint.lookup::<Order>(&url, Duration::from_millis(300)).is_err());
    let config =
        EndpointConfig { system: "test".into(), bind, link: link_config(), ..EndpointConfig::default() };
    let far = host_at(1, Choice::Poll, config);
    Adder::spawn(&far, On::Shard(0), "late");
    assert!(near.lookup::<Order>(&url).is_ok());
    near.end();
    far.end();
}

#[test]
fn the_addresses_of_a_name_are_tried_in_turn_and_asked_for_at_each_look_up() {
    let system =
        |name: &str| EndpointConfig { system: name.into(), link: link_config(), ..Default::default() };
    let gone = host(1, Choice::Poll);
    let nobody = gone.address;
    gone.end();
    let other = host_at(1, Choice::Poll, system("rest"));
    let (first, second) = (host(1, Choice::Poll), host(1, Choice::Poll));
    for (host, name) in [(&first, "a"), (&second, "a")] {
        Adder::spawn(host, On::Shard(0), name);
    }
    let here = Arc::new(AtomicU16::new(first.address.port()));
    let (at, elsewhere) = (here.clone(), other.address);
    let resolver = Resolver::by(move |name, _| match name {
        "till" => {
            let here = SocketAddr::from(([127, 0, 0, 1], at.load(Ordering::Relaxed)));
            // Nobody is there; somebody else is; neither may be dialed; and that is the one.
            Ok(vec![nobody, elsewhere, "192.0.2.7:1".parse().unwrap(), here])
        }
        "far" => Ok(vec!["192.0.2.7:1".parse().unwrap()]),
        "none" => Ok(vec![]),
        _ => Err(std::io::Error::other("the registry is closed")),
    });
    let near = host_at(1, Choice::Poll, EndpointConfig { resolver, ..system("test") });
    let url = "corelane://test@till:1/user/a";
    assert_eq!(near.lookup::<Order>(url), near.lookup::<Order>(&first.url("a")));
    // It has moved.
    here.store(second.address.port(), Ordering::Relaxed);
    first.end();
    assert_eq!(near.lookup::<Order>(url), near.lookup::<Order>(&second.url("a")));
    let wrong = |name: &str| near.lookup::<Order>(&format!("corelane://test@{name}:1/user/a")).unwrap_err();
    assert!(matches!(wrong("far"), RemoteLookupError::BeyondLoopback(_)));
    for (name, reason) in [("none", "it has no address"), ("lost", "the registry is closed")] {
        let error = RemoteLookupError::Unresolved { host: format!("{name}:1"), reason: reason.into() };
        assert_eq!(wrong(name), error);
    }
    near.end();
    second.end();
    other.end();
}
