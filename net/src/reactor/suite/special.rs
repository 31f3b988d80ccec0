//! What only one of the backends has: operations that may be forbidden, registered descriptors, a queue that overflows, and a
//! simulation that can be made to happen again.

use std::io::Write;
use std::time::Duration;

use super::rig::{Rig, pattern, small};
use super::{open_simulated, open_uring};
use crate::reactor::backend::Descriptor;
use crate::reactor::choose::or_poll;
use crate::reactor::sim::{Network, NetworkOptions};
use crate::reactor::uring::{OPERATIONS, Uring};
use crate::reactor::{
    Address, Backend, Choice, EventKind, OpenError, Options, Reactor, ReactorConfig, SocketId,
};

#[test]
fn a_backend_that_is_asked_for_and_cannot_be_had_is_an_error_with_its_reason() {
    let config = ReactorConfig { backend: Choice::Poll, ..small() };
    assert_eq!(Reactor::open(&config).unwrap().reason(), "asked for");
    let error = OpenError::Unusable { backend: crate::reactor::Backend::Uring, reason: "no".to_owned() };
    assert_eq!(error.to_string(), "io_uring cannot be used: no");
}

/// Reliability 30: a ring that may do all but one thing is not used; whatever forbids it, readiness is had instead, and said why.
#[test]
fn a_ring_of_which_any_operation_is_forbidden_is_not_used() {
    if open_uring(&small()).is_none() {
        return;
    }
    for (name, code) in OPERATIONS {
        let permitted: Vec<_> = OPERATIONS.into_iter().filter(|(_, other)| *other != code).collect();
        let ring = Uring::open(&small(), &permitted);
        let reason = ring.err().expect("it may not do enough");
        assert!(reason.contains(&format!("{name:?} is forbidden")), "{reason}");
        let mut rig =
            Rig::new(|config| or_poll(config, Err("it is forbidden".to_owned())).ok(), &small()).unwrap();
        assert_eq!(rig.reactor.backend(), Backend::Poll);
        assert_eq!(rig.reactor.reason(), "io_uring cannot be used: it is forbidden");
        assert_eq!(rig.reactor.counters().fallbacks, 1);
        let (_, client, server) = rig.pair();
        rig.reactor.write(client, b"all the same", None).unwrap();
        rig.until("it has come", |rig| rig.of(server).received == b"all the same");
        rig.end();
    }
}

#[test]
fn what_is_asked_for_is_passed_on_and_waited_for_in_one_system_call() {
    let Some(mut rig) = Rig::new(open_uring, &small()) else { return };
    let (_, client, server) = rig.pair();
    for round in 1..=10 {
        let before = rig.reactor.counters().enters;
        rig.reactor.write(client, b"question", None).unwrap();
        rig.reactor.park(None);
        assert_eq!(rig.reactor.counters().enters, before + 1);
        rig.until("it has come", |rig| rig.of(server).received.len() == round * 8);
    }
    rig.end();
}

/// Says so many things over a new connection, then closes it; each end sees that.
fn converse(rig: &mut Rig, listener: SocketId, address: &Address, rounds: usize) {
    let client = rig.connect(address);
    let accepted = rig.of(listener).accepted.len();
    rig.until("accepted", |rig| rig.of(listener).accepted.len() > accepted);
    let server = rig.of(listener).accepted[accepted];
    for round in 1..=rounds {
        rig.reactor.write(client, pattern(1_000), Some(1)).unwrap();
        rig.until("it has come", |rig| {
            rig.of(server).received.len() == round * 1_000 && rig.of(client).written.len() == round
        });
    }
    assert!(rig.of(server).received.chunks(1_000).all(|piece| piece == pattern(1_000)));
    rig.reactor.close(client);
    rig.until("the other end sees it", |rig| rig.of(server).finished == 1);
    rig.reactor.close(server);
    rig.until("both are closed", |rig| rig.of(client).closed == 1 && rig.of(server).closed == 1);
}

#[test]
fn who_stays_has_a_registered_descriptor_and_leaves_its_place_to_the_next() {
    let Some(mut rig) = Rig::new(open_uring, &small()) else { return };
    let (listener, address) = rig.listen();
    for _ in 0..5 {
        converse(&mut rig, listener, &address, 3);
    }
    assert_eq!(rig.reactor.counters().registered, 0);
    // One after the other, all in the same few slots; the server only receives, with one operation.
    for cycle in 1..=20 {
        converse(&mut rig, listener, &address, 50);
        assert_eq!(rig.reactor.counters().registered, cycle);
    }
    rig.end();
}

#[test]
fn who_has_no_place_for_a_registered_descriptor_is_served_all_the_same() {
    for registered in [0, 3] {
        let config = ReactorConfig { registered, ..small() };
        let Some(mut rig) = Rig::new(open_uring, &config) else { return };
        let (listener, address) = rig.listen();
        // The listener has a slot, and each connection two.
        let clients: Vec<_> = (0..4).map(|_| rig.connect(&address)).collect();
        rig.until("all are accepted", |rig| rig.of(listener).accepted.len() == 4);
        for round in 1..=50 {
            for client in &clients {
                rig.reactor.write(*client, pattern(100), None).unwrap();
            }
            rig.until("all has come", |rig| {
                let servers = rig.of(listener).accepted.clone();
                servers.iter().all(|server| rig.of(*server).received.len() == round * 100)
            });
        }
        assert_eq!(rig.reactor.counters().registered, registered.saturating_sub(1) as u64);
        rig.end();
    }
}

/// Reliability 30: of so many completions that their queue cannot hold them the kernel keeps the rest, and each is told once.
#[test]
fn nothing_is_lost_of_what_the_completion_queue_cannot_hold() {
    // Of 16 entries, it holds 128.
    let config = ReactorConfig { ring_entries: 16, chunks: 1024, send_bytes: 64 << 20, ..small() };
    let Some(mut rig) = Rig::new(open_uring, &config) else { return };
    let (listener, address) = rig.listen();
    let clients: Vec<_> = (0..400).map(|_| rig.connect(&address)).collect();
    rig.until("all are accepted", |rig| {
        rig.of(listener).accepted.len() == 400 && clients.iter().all(|client| rig.of(*client).connected == 1)
    });
    let servers = rig.of(listener).accepted.clone();
    for round in 1..=5 {
        // Each of 400 peers says something before anything of that is looked at: system calls of other threads and rings.
        for (token, client) in clients.iter().enumerate() {
            let Descriptor::System(socket) = rig.reactor.store.sockets[client.0].descriptor.as_ref().unwrap()
            else {
                unreachable!("a real socket")
            };
            assert_eq!({ socket }.write(&pattern(100)).unwrap(), 100);
            rig.reactor.write(servers[token], b"!", Some(token as u64)).unwrap();
        }
        rig.until("all have come", |rig| {
            servers.iter().all(|server| {
                let seen = rig.of(*server);
                seen.received.len() == round * 100 && seen.written.len() == round
            })
        });
    }
    assert!(rig.reactor.counters().overflows > 0, "{:?}", rig.reactor.counters());
    for server in &servers {
        assert!(rig.of(*server).received.chunks(100).all(|piece| piece == pattern(100)));
    }
    rig.end();
}

/// What happens in a network full of faults, as text.
fn story(seed: u64) -> String {
    let options = NetworkOptions {
        delay: Duration::from_micros(5)..Duration::from_millis(2),
        window: 5_000,
        short_one_in: 2,
        reset_one_in: 50,
        lose_one_in: 5,
        repeat_one_in: 5,
        retransmit: Duration::from_millis(1)..Duration::from_millis(5),
    };
    let network = Network::new(seed, options);
    let mut hosts: Vec<_> = (1..=3).map(|n| network.reactor([10, 0, 0, n].into(), &small())).collect();
    let socket = Options::default();
    for host in &mut hosts {
        host.listen(&"0.0.0.0:7000".parse().unwrap(), &socket).unwrap();
        let datagrams = host.datagrams(&"0.0.0.0:7001".parse().unwrap(), &socket).unwrap();
        host.resume(datagrams);
        for peer in 1..=3 {
            let client = host.connect(&format!("10.0.0.{peer}:7000").parse().unwrap(), &socket).unwrap();
            host.write(client, pattern(30_000), Some(peer)).unwrap();
            for n in 0..10 {
                let to: Address = format!("10.0.0.{peer}:7001").parse().unwrap();
                host.send_to(datagrams, to, vec![n; 100], None).unwrap();
            }
        }
    }
    let mut trace = String::new();
    while network.now() < Duration::from_millis(500) {
        for (number, host) in hosts.iter_mut().enumerate() {
            host.submit();
            host.turn();
            while let Some(event) = host.next_event() {
                trace += &format!("{:?} {number} {event:?}\n", network.now());
                if let EventKind::Accepted(socket) = event.kind {
                    host.resume(socket);
                }
            }
            host.submit();
        }
        match network.next_due() {
            Some(at) => network.advance_to(at),
            None => break,
        }
    }
    trace
}

#[test]
fn the_same_seed_makes_the_same_happen_again() {
    let (first, again, other) = (story(1), story(1), story(2));
    assert!(first == again && first != other);
    for expected in ["Connected", "Received(", "ReceivedFrom", "Written", "NotWritten", "Failed"] {
        assert!(first.contains(expected), "{expected} never happened:\n{first}");
    }
}

#[test]
fn a_network_that_breaks_connections_leaves_nothing_behind() {
    for seed in 0..50 {
        let options = NetworkOptions { reset_one_in: 10, window: 3_000, ..NetworkOptions::default() };
        let network = Network::new(seed, options);
        let mut rig = Rig::new(open_simulated, &small()).unwrap();
        rig.reactor = network.reactor([10, 0, 0, 1].into(), &small());
        let (listener, address) = rig.listen();
        let clients: Vec<_> = (0..10).map(|_| rig.connect(&address)).collect();
        for client in &clients {
            rig.reactor.resume(*client);
            for token in 0..10 {
                rig.reactor.write(*client, pattern(2_000), Some(token)).unwrap();
            }
            rig.reactor.close(*client);
        }
        rig.until("all clients are closed", |rig| clients.iter().all(|client| rig.of(*client).closed == 1));
        for client in &clients {
            let seen = rig.of(*client);
            assert_eq!(seen.written.len() + seen.not_written.len(), 10);
            assert!(seen.written.is_sorted());
        }
        rig.until("all servers have heard", |rig| {
            let servers = rig.of(listener).accepted.clone();
            servers.iter().all(|server| rig.of(*server).finished == 1 || !rig.of(*server).failed.is_empty())
        });
        rig.end();
    }
}
