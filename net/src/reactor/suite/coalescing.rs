//! Waits that go on until several of those have spoken who are expected to: what brings them about, and what ends them.

use std::io::Write;
use std::time::Duration;

use super::open_uring;
use super::rig::{Rig, small};
use crate::reactor::backend::Descriptor;
use crate::reactor::{ReactorConfig, SocketId};

/// A receive is put off by the kernel, and so many of them come with one wait.
#[test]
fn what_has_come_is_left_to_the_wait_where_waits_coalesce() {
    let config = ReactorConfig { coalesce: Duration::from_micros(50), ..small() };
    let Some(mut rig) = Rig::new(open_uring, &config) else { return };
    rig.looks = 0;
    let (listener, address) = rig.listen();
    let clients: Vec<_> = (0..8).map(|_| rig.connect(&address)).collect();
    rig.until("all are accepted", |rig| rig.of(listener).accepted.len() == 8 && !rig.reactor.has_input());
    let servers = rig.of(listener).accepted.clone();
    for round in 1..=20 {
        for client in &clients {
            let Descriptor::System(socket) = rig.reactor.store.sockets[client.0].descriptor.as_ref().unwrap()
            else {
                unreachable!("a real socket")
            };
            assert_eq!({ socket }.write(b"question").unwrap(), 8);
        }
        rig.reactor.write(servers[0], b"answer", None).unwrap();
        rig.reactor.submit();
        // The answer has left; of the questions nothing was taken, and they keep nobody from waiting.
        assert_eq!(rig.reactor.unsent(servers[0]), 0);
        assert!(rig.reactor.next_event().is_none() && !rig.reactor.has_pending());
        rig.reactor.park(None);
        rig.until("all have come", |rig| {
            servers.iter().all(|server| rig.of(*server).received.len() == round * 8)
        });
    }
    rig.end();
}

/// Has eight connections speak at once, again and again, until waits go on for several of them.
fn speak_until_waits_coalesce(rig: &mut Rig) -> (Vec<SocketId>, Vec<SocketId>) {
    let (listener, address) = rig.listen();
    let clients: Vec<_> = (0..8).map(|_| rig.connect(&address)).collect();
    rig.until("all are accepted", |rig| rig.of(listener).accepted.len() == 8);
    let servers = rig.of(listener).accepted.clone();
    let mut spoken = 0;
    rig.until("waits go on for several", |rig| {
        if servers.iter().all(|server| rig.of(*server).received.len() == spoken) {
            spoken += 1;
            clients.iter().for_each(|client| rig.reactor.write(*client, b"!".to_vec(), None).unwrap());
        }
        rig.reactor.counters().coalesced > 0
    });
    rig.until("all have come", |rig| servers.iter().all(|server| rig.of(*server).received.len() == spoken));
    servers.iter().for_each(|server| rig.of(*server).received.clear());
    (clients, servers)
}

#[test]
fn a_wait_for_several_ends_when_nothing_comes_or_somebody_rings() {
    let config = ReactorConfig { coalesce: Duration::from_millis(5), ..small() };
    let Some(mut rig) = Rig::new(open_uring, &config) else { return };
    rig.looks = 0;
    let (clients, servers) = speak_until_waits_coalesce(&mut rig);
    let waker = rig.reactor.waker();
    for n in 1..=20 {
        // Of eight that spoke two do, and nobody after them.
        clients[..2].iter().for_each(|client| rig.reactor.write(*client, b"!".to_vec(), None).unwrap());
        while rig.of(servers[0]).received.len() + rig.of(servers[1]).received.len() < 2 * n {
            // For ever, if it were not for the end of the period.
            rig.reactor.park(None);
            rig.turn();
        }
        waker.wake();
        rig.reactor.park(None);
        rig.turn();
    }
    rig.end();
}

#[test]
fn waits_that_are_not_to_coalesce_end_with_the_first_that_comes() {
    let config = ReactorConfig { coalesce: Duration::from_millis(5), ..small() };
    let Some(mut rig) = Rig::new(open_uring, &config) else { return };
    rig.looks = 0;
    let (clients, servers) = speak_until_waits_coalesce(&mut rig);
    rig.reactor.set_coalescing(false);
    let before = rig.reactor.counters().coalesced;
    for spoken in 1..=50 {
        clients.iter().for_each(|client| rig.reactor.write(*client, b"!".to_vec(), None).unwrap());
        rig.until("all have come", |rig| {
            servers.iter().all(|server| rig.of(*server).received.len() == spoken)
        });
    }
    assert_eq!(rig.reactor.counters().coalesced, before);
    rig.end();
}
