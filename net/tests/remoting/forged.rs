//! A peer that makes up what families say to each other, or says nothing.

use std::time::Duration;

use corelane_kernel::{Group, RawAddress, Strategy};
use corelane_net::codec::{self, Wire};
use corelane_net::reactor::Choice;
use corelane_net::wire::{Envelope, News, NoChild, Ordered, Signal, Spawn};
use corelane_net::{EndpointConfig, RemoteCtx, RemoteSpawnError};
use corelane_shard::On;

use crate::common::*;
use crate::family::*;
use crate::untrusted::{Forger, OWN};

/// The props of a worker without anybody to tell: in postcard, its name and nobody's address.
const PROPS: &[u8] = &[1, b'w', 0];

fn spawn<'a>(name: &'a str, path: &'a str, props: &'a [u8]) -> Spawn<'a> {
    Spawn {
        envelope: codec::envelope::<Hire>(),
        protocol: codec::type_hash(Job::NAME),
        group: Group::Normal,
        mailbox: 0,
        anywhere: false,
        name,
        path,
        props,
    }
}

/// Reliability 23.
#[test]
fn families_that_a_peer_makes_up_make_nobody_stop_nobody_and_the_link_goes_on() {
    let log = Log::new();
    let far = log.host(1, Choice::Poll, config());
    let (adder, _seen) = Adder::spawn(&far, On::Shard(0), "adder");
    let office = log.office(&far, Strategy::one_for_one());
    let local = office.hire(&far, &far, "local");
    log.expect(&["local started"]);
    let mut peer = Forger::new(far.address, "127.0.0.1:9");
    let mut ask = |spawn| {
        peer.signal(Signal::Spawn { outpost: OWN, parent: OWN, spawn });
        peer.next_report()
    };
    let unborn = |why: &str| (RawAddress::default(), format!("Unborn({why})"));
    // Cut off anywhere, and not at all.
    for end in 0..PROPS.len() {
        assert_eq!(ask(spawn("a", "/user/p", &PROPS[..end])), unborn("Malformed"), "{end}");
    }
    assert_eq!(ask(spawn("a", "/user/p", &[0xff; 3000])), unborn("Malformed"));
    let unknown = Envelope { type_hash: 7, ..codec::envelope::<Hire>() };
    assert_eq!(ask(Spawn { envelope: unknown, ..spawn("a", "/user/p", PROPS) }), unborn("UnknownProps"));
    assert_eq!(ask(Spawn { protocol: 7, ..spawn("a", "/user/p", PROPS) }), unborn("OtherProtocol"));
    let old = Envelope { version: 0, readable_since: 0, ..codec::envelope::<Hire>() };
    assert_eq!(ask(Spawn { envelope: old, ..spawn("a", "/user/p", PROPS) }), unborn("Version"));
    assert_eq!(ask(spawn("$a", "/user/p", PROPS)), unborn("Refused"));
    // A path is for reading only.
    let (child, news) = ask(spawn("", "\n/../\u{1b}", PROPS));
    assert_eq!(news, "Born");
    log.expect(&["w started"]);

    // Orders for whom it is no parent of, by outposts that are not the child's, and reports about nobody.
    let strange = RawAddress { index: OWN.index + 1, ..OWN };
    let [adder_raw, local_raw] = [adder.address().to_raw(), local.address().to_raw()];
    let made_up = [(adder_raw, OWN), (local_raw, OWN), (child, strange), (strange, OWN)];
    for (child, outpost) in made_up {
        for order in [Ordered::Hold, Ordered::Resume, Ordered::Stop] {
            peer.signal(Signal::Order { child, outpost, round: 1, order });
        }
    }
    for outpost in [adder_raw, local_raw, office.boss.address().to_raw(), strange] {
        for news in [News::Born, News::Ended] {
            peer.signal(Signal::Report { child: OWN, outpost, round: 0, news });
        }
    }
    assert_eq!(peer.ask(adder), 0);
    far.give(local, Job::Note(1));
    log.expect(&["local 1"]);
    // What is the child's own is obeyed all the same.
    peer.signal(Signal::Order { child, outpost: OWN, round: 0, order: Ordered::Stop });
    assert_eq!(peer.next_report(), (child, "Ended".to_owned()));
    log.expect(&["w stopped"]);
    far.end();
}

/// A live host that does not say what became of a child keeps neither its parent nor that one's end for ever.
#[test]
fn a_child_of_which_a_host_says_nothing_is_waited_for_so_long_and_stopped_when_it_comes_too_late() {
    let log = Log::new();
    let soon = Duration::from_millis(50);
    let near = log.host(1, Choice::Poll, EndpointConfig { spawn_within: soon, ..config() });
    let office = log.office(&near, Strategy::one_for_one());
    let mut peer = Forger::new(near.address, "127.0.0.1:9");
    let at = "corelane://test@127.0.0.1:9";
    // As long as the endpoint says, and as long as the code says.
    assert_eq!(office.hire_by_default(&near, at), RemoteSpawnError::NoAnswer);
    let outpost = peer.next_spawn();
    assert_eq!(office.hire_in_vain(&near, at, soon / 2), RemoteSpawnError::NoAnswer);
    let second = peer.next_spawn();
    assert_ne!(outpost, second);
    // What comes now has no parent, and what is said of nobody means nothing.
    peer.signal(Signal::Report { child: OWN, outpost, round: 0, news: News::Born });
    assert_eq!(peer.next_stop(), OWN);
    let news = News::Unborn(NoChild::TooMany);
    peer.signal(Signal::Report { child: RawAddress::default(), outpost: second, round: 0, news });
    // A parent that is stopped meanwhile has ended when its child has been waited for.
    office.have(&near, move |_, ctx| {
        Ok(ctx.child_at(at).name("nobody").spawn(Hire::of("nobody"), Command::Hired)?)
    });
    peer.next_spawn();
    office.stop(&near);
    log.expect(&["boss stopped"]);
    near.end();
}
