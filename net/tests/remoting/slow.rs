//! A peer that reads too little: its process is stopped, or a handler holds up one of its shards. Who tells it is held back at
//! a bound, and heartbeats decide whether it is waited for or given up.

use std::sync::mpsc::{Receiver, channel};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, TellError};
use corelane_net::link::LinkConfig;
use corelane_net::wire::Reason;
use corelane_net::{EndpointConfig, NetConfig};
use corelane_shard::On;

#[cfg(target_os = "linux")]
use crate::cable::Cable;
use crate::common::*;
use crate::family::Log;
use crate::other::{Ground, LAST, Patience};
use crate::untrusted::Forger;
use crate::{Reader, until};

/// Ticks that may be under way to an actor that takes none: what the link's credit allows, and what may wait before it.
fn bound() -> u64 {
    let config = EndpointConfig::default();
    let credit = config.link.credit_messages;
    credit + config.pending_bytes as u64 / size_of::<Tick>() as u64
}

/// Tells ticks, from this number on, until one is refused, or there are more than may be. Gives the next number, and whether
/// the peer is out of reach.
fn flood(near: &Host, to: ActorRef<Tick>, from: u64) -> (u64, bool) {
    let end = bound() + 1;
    near.system
        .call(0, move |scope| {
            let refused = (from..end).find_map(|number| {
                let refused = scope.try_tell(to, Tick::new(0, number)).err()?;
                Some((number, refused))
            });
            match refused {
                Some((number, TellError::Full(_))) => (number, false),
                Some((number, TellError::Unreachable(_))) => (number, true),
                other => panic!("not refused as it should be: {other:?}"),
            }
        })
        .unwrap()
}

/// Tells the last tick, as soon as there is room.
fn tell_last(near: &Host, to: ActorRef<Tick>, number: u64) {
    until("there is room", || {
        let tick = Tick { from: LAST, ..Tick::new(0, number) };
        match near.system.call(0, move |scope| scope.try_tell(to, tick)).unwrap() {
            Ok(()) => true,
            Err(TellError::Full(_)) => false,
            Err(other) => panic!("{other:?}"),
        }
    });
}

fn a_stopped_process_is_waited_for(ground: &Ground<'_>) {
    let (near, other) = (ground.near(&Log::new(), Patience::Long), ground.other(Patience::Long));
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    let counter = near.lookup::<Tick>(&other.url("counter")).unwrap();
    let (watcher, heard) = Watcher::spawn(&near, 0);
    near.have(watcher, Watching::Watch(adder));
    assert_eq!(near.ask(0, adder), Ok(0));
    other.freeze();
    let mut told = 0;
    // What leaves makes no room for more.
    for _ in 0..200 {
        (told, _) = flood(&near, counter, told);
    }
    assert!(told > 0 && near.gate().pending > 0);
    other.signal("-CONT");
    tell_last(&near, counter, told);
    other.expect(&format!("counted to {told}, 0 missing"));
    assert_eq!((near.ask(0, adder), near.gate().lost), (Ok(0), 0));
    near.have(watcher, Watching::Speak);
    assert_eq!(next(&heard), "here");
    near.end();
}

fn a_stopped_process_is_given_up(ground: &Ground<'_>) {
    let (near, other) = (ground.near(&Log::new(), Patience::Short), ground.other(Patience::Short));
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    let counter = near.lookup::<Tick>(&other.url("counter")).unwrap();
    let (watcher, heard) = Watcher::spawn(&near, 0);
    near.have(watcher, Watching::Watch(adder));
    assert_eq!(near.ask(0, adder), Ok(0));
    other.freeze();
    let mut told = 0;
    until("it is given up", || {
        let (next, lost) = flood(&near, counter, told);
        told = next;
        lost
    });
    assert_eq!(next(&heard), "Unreachable");
    // What waited is gone with it.
    assert_eq!(near.gate().pending, 0);
    other.signal("-CONT");
    assert_eq!(near.lookup::<Tick>(&other.url("counter")), Ok(counter));
    tell_last(&near, counter, told);
    // Some have arrived, in order and none twice.
    let counted = next(&other.said);
    assert!(counted.starts_with(&format!("counted to {told}, ")), "{counted}");
    near.have(watcher, Watching::Watch(adder));
    near.have(watcher, Watching::Stop(adder));
    assert_eq!(next(&heard), "Stopped");
    near.end();
}

/// Reliability 19: over a link.
#[test]
fn a_process_that_stands_still_holds_its_sender_back_and_loses_nothing_if_it_is_waited_for() {
    a_stopped_process_is_waited_for(&Ground::loopback());
}

#[cfg(target_os = "linux")]
/// Reliability 19: over a link between networks.
#[test]
fn a_process_in_another_network_that_stands_still_holds_its_sender_back() {
    Cable::with(|cable| a_stopped_process_is_waited_for(&Ground::of(cable)));
}

#[test]
fn a_process_that_stands_still_for_too_long_is_given_up_with_what_waits_for_it() {
    a_stopped_process_is_given_up(&Ground::loopback());
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_in_another_network_that_stands_still_for_too_long_is_given_up_with_what_waits_for_it() {
    Cable::with(|cable| a_stopped_process_is_given_up(&Ground::of(cable)));
}

#[test]
fn a_shard_that_is_held_up_holds_its_senders_back_and_no_other_shards() {
    let ground = Ground::loopback();
    let (near, mut other) = (ground.near(&Log::new(), Patience::Long), ground.other_of(2, Patience::Long));
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    let sleeper = near.lookup::<Tick>(&other.url("sleeper")).unwrap();
    assert_ne!(adder.place(), sleeper.place());
    near.system.call(0, move |scope| scope.tell(sleeper, Tick::new(0, 0))).unwrap();
    other.expect("sleeps");
    let mut told = 1;
    for round in 0..200 {
        (told, _) = flood(&near, sleeper, told);
        near.tell(0, adder, Order::Add(1));
        assert_eq!(near.ask(0, adder), Ok(round + 1));
    }
    other.say("wake");
    tell_last(&near, sleeper, told);
    other.expect(&format!("counted to {told}, 0 missing"));
    assert_eq!(near.gate().lost, 0);
    near.end();
}

/// Conformance 38: a shard is what is given up, as far as others live.
#[test]
fn a_shard_that_is_held_up_for_too_long_is_given_up_alone() {
    let ground = Ground::loopback();
    let (near, mut other) = (ground.near(&Log::new(), Patience::Short), ground.other_of(2, Patience::Short));
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    let neighbour = near.lookup::<Order>(&other.url("neighbour")).unwrap();
    let sleeper = near.lookup::<Tick>(&other.url("sleeper")).unwrap();
    let (of_adder, adder_heard) = Watcher::spawn(&near, 0);
    let (of_neighbour, neighbour_heard) = Watcher::spawn(&near, 0);
    near.have(of_adder, Watching::Watch(adder));
    near.have(of_neighbour, Watching::Watch(neighbour));
    assert_eq!((near.ask(0, adder), near.ask(0, neighbour)), (Ok(0), Ok(0)));
    near.system.call(0, move |scope| scope.tell(sleeper, Tick::new(0, 0))).unwrap();
    other.expect("sleeps");
    assert_eq!(next(&neighbour_heard), "Unreachable");
    near.tell(0, adder, Order::Add(7));
    assert_eq!(near.ask(0, adder), Ok(7));
    near.have(of_adder, Watching::Speak);
    assert_eq!(next(&adder_heard), "here");
    other.say("wake");
    // The same actors, which have lost nothing. Whoever is found is told, though another shard has said where it is.
    assert_eq!(near.lookup::<Order>(&other.url("neighbour")), Ok(neighbour));
    assert_eq!(near.ask(0, neighbour), Ok(0));
    tell_last(&near, sleeper, 1);
    other.expect("counted to 1, 0 missing");
    near.have(of_neighbour, Watching::Watch(neighbour));
    near.have(of_neighbour, Watching::Stop(neighbour));
    assert_eq!(next(&neighbour_heard), "Stopped");
    near.end();
}

/// More is under way than sockets hold when a system ends: its goodbye comes behind what was written, and is not lost with what
/// waits for room.
#[test]
fn a_system_that_ends_says_goodbye_behind_all_that_it_has_written_however_slow_its_peer_is() {
    with_each(|backend| {
        let link = LinkConfig { credit_bytes: 64 << 20, ..link_config() };
        let config = EndpointConfig { system: "test".into(), link, ..EndpointConfig::default() };
        let net = NetConfig { reactor: reactor(backend), linger: LONG, ..NetConfig::default() };
        let far = start(builder_on(1, net, config, registry()));
        let (adder, _) = Adder::spawn(&far, On::Shard(0), "adder");
        let mut peer = Forger::with(far.address, "127.0.0.1:9", link);
        // Nothing is read meanwhile.
        for _ in 0..3000 {
            peer.pass(adder, "x".repeat(15_000));
        }
        until("more waits than a socket takes", || far.gate().messages_in == 3000 && far.gate().pending > 0);
        std::thread::scope(|threads| {
            let words = threads.spawn(|| peer.last_words());
            far.end();
            assert_eq!(words.join().unwrap(), Some(Reason::Leaving));
        });
    });
}

/// Keeps a text for whom it is told to, until it stops, which takes as long as somebody wants.
struct Testator {
    will: Option<(ActorRef<String>, String)>,
    go_on: Receiver<()>,
}

impl Actor for Testator {
    type Msg = Order;
    fn receive(&mut self, order: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Pass(to, text) => self.will = Some((to, text)),
            Order::Get(reply) => ctx.tell(reply, 0),
            _ => {}
        }
        Ok(())
    }
    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        let _ = self.go_on.recv();
        if let Some((to, text)) = self.will.take() {
            ctx.tell(to, text);
        }
    }
}

/// A system ends on one shard while an actor of another still does what it has to: the goodbye is not said for it as well.
#[test]
fn what_the_last_actor_of_a_system_says_is_heard_though_other_shards_were_done_long_before() {
    with_each(|backend| {
        let (near, far) = (host(1, backend), host(2, backend));
        let (texts, read) = channel();
        let reader = near.system.spawn_named(On::Shard(0), "reader", move || Reader(texts.clone())).unwrap();
        Adder::spawn(&far, On::Shard(0), "adder");
        let (go_on, goes_on) = channel();
        let mut goes_on = Some(goes_on);
        let make = move || Testator { will: None, go_on: goes_on.take().unwrap() };
        far.system.spawn_named(On::Shard(1), "testator", make).unwrap();
        let adder = near.lookup::<Order>(&far.url("adder")).unwrap();
        let testator = near.lookup::<Order>(&far.url("testator")).unwrap();
        near.tell(0, testator, Order::Pass(reader, "last words".into()));
        assert_eq!(near.ask(0, testator), Ok(0));
        let (watcher, heard) = Watcher::spawn(&near, 0);
        near.have(watcher, Watching::Watch(adder));
        assert_eq!(near.ask(0, adder), Ok(0));
        std::thread::scope(|threads| {
            let ends = threads.spawn(|| far.end());
            assert_eq!(next(&heard), "Stopped");
            // What the shard that is done may have said behind that is heard by now, as a rule.
            for _ in 0..300 {
                near.gate();
            }
            drop(go_on);
            assert_eq!(next(&read), "last words");
            ends.join().unwrap();
        });
        near.end();
    });
}
