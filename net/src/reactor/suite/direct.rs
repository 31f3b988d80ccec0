//! Receiving without the ring, from one stream while nothing else is to be done: when that begins, and what ends it.

use std::io::Write;

use super::open_uring;
use super::rig::{Rig, pattern, small};
use crate::reactor::backend::Descriptor;
use crate::reactor::{ReactorConfig, SocketId};

/// What a test says over a socket of the rig, beside the reactor.
fn say(rig: &Rig, client: SocketId, bytes: &[u8]) {
    let Some(Descriptor::System(socket)) = &rig.reactor.store.sockets[client.0].descriptor else {
        unreachable!("a real socket")
    };
    { socket }.write_all(bytes).unwrap();
}

/// Looks for what was said, as a shard does that has nothing else to do, until it is there.
fn spin_for(rig: &mut Rig, server: SocketId, all: usize) {
    while rig.of(server).received.len() < all {
        while !rig.reactor.has_input() {}
        rig.turn();
    }
}

/// A server that has heard so many words of eight bytes from one client, in a rig that spun for each.
fn talked(config: &ReactorConfig, words: usize) -> Option<(Rig, SocketId, SocketId)> {
    let mut rig = Rig::new(open_uring, config)?;
    let (_, client, server) = rig.pair();
    rig.until("both ends are there", |rig| rig.of(client).connected == 1 && !rig.reactor.has_input());
    for word in 1..=words {
        say(&rig, client, b"question");
        spin_for(&mut rig, server, 8 * word);
    }
    Some((rig, client, server))
}

#[test]
fn one_stream_that_is_spun_for_is_received_from_directly_after_some_pieces() {
    let Some((mut rig, client, server)) = talked(&small(), 200) else { return };
    let direct = rig.reactor.counters().direct;
    assert!((100..200).contains(&direct), "{direct}");
    let enters = rig.reactor.counters().enters;
    for word in 201..=300 {
        say(&rig, client, b"question");
        spin_for(&mut rig, server, 8 * word);
    }
    assert_eq!(rig.reactor.counters().direct, direct + 100);
    assert_eq!(rig.reactor.counters().enters, enters, "the ring is not entered");
    assert!(rig.of(server).received.chunks(8).all(|word| word == b"question"));
    rig.end();
}

#[test]
fn two_streams_that_speak_in_turns_are_both_left_to_the_ring() {
    let Some(mut rig) = Rig::new(open_uring, &small()) else { return };
    let (listener, address) = rig.listen();
    let clients = [(); 2].map(|()| rig.connect(&address));
    rig.until("all are accepted", |rig| rig.of(listener).accepted.len() == 2 && !rig.reactor.has_input());
    let servers = rig.of(listener).accepted.clone();
    for word in 1..=200 {
        for client in clients {
            say(&rig, client, b"question");
        }
        servers.iter().for_each(|server| spin_for(&mut rig, *server, 8 * word));
    }
    assert_eq!(rig.reactor.counters().direct, 0);
    rig.end();
}

#[test]
fn a_wait_finds_what_a_stream_brings_that_was_received_from_directly() {
    let Some((mut rig, client, server)) = talked(&small(), 100) else { return };
    let direct = rig.reactor.counters().direct;
    assert!(direct > 0);
    for word in 101..=110 {
        say(&rig, client, b"question");
        // Nobody looks before.
        rig.reactor.park(None);
        rig.until("it has come", |rig| rig.of(server).received.len() == 8 * word);
    }
    assert_eq!(rig.reactor.counters().direct, direct);
    rig.end();
}

#[test]
fn a_shard_that_is_busy_leaves_the_stream_to_the_ring_and_loses_nothing() {
    let Some((mut rig, client, server)) = talked(&small(), 100) else { return };
    let direct = rig.reactor.counters().direct;
    assert!(direct > 0);
    // Turn after turn, and nothing is looked for in between.
    (0..20).for_each(|_| rig.turn());
    say(&rig, client, b"question");
    rig.until("it has come", |rig| rig.of(server).received.len() == 808);
    assert_eq!(rig.reactor.counters().direct, direct);
    rig.end();
}

#[test]
fn what_fills_a_chunk_is_left_to_the_ring_and_stays_in_order() {
    let Some((mut rig, client, server)) = talked(&small(), 100) else { return };
    assert!(rig.reactor.counters().direct > 0);
    let many = pattern(300_000);
    let mut heard = b"question".repeat(100);
    for _ in 0..5 {
        rig.reactor.write(client, many.clone(), None).unwrap();
        heard.extend_from_slice(&many);
        rig.until("all has come", |rig| rig.of(server).received.len() == heard.len());
        for _ in 0..100 {
            say(&rig, client, b"question");
            heard.extend_from_slice(b"question");
            spin_for(&mut rig, server, heard.len());
        }
    }
    assert!(rig.of(server).received == heard);
    rig.end();
}

#[test]
fn the_end_of_a_stream_and_its_failure_are_heard_directly() {
    for resets in [false, true] {
        let Some((mut rig, client, server)) = talked(&small(), 100) else { return };
        assert!(rig.reactor.counters().direct > 0);
        if resets {
            rig.reactor.abort(client);
        } else {
            rig.reactor.close(client);
        }
        rig.until("it is heard", |rig| match resets {
            true => !rig.of(server).failed.is_empty(),
            false => rig.of(server).finished == 1,
        });
        rig.end();
    }
}

#[test]
fn a_stream_that_is_paused_or_closed_is_asked_no_more() {
    let Some((mut rig, client, server)) = talked(&small(), 100) else { return };
    let direct = rig.reactor.counters().direct;
    assert!(direct > 0);
    rig.reactor.pause(server);
    rig.turn();
    say(&rig, client, b"question");
    for _ in 0..1_000 {
        if rig.reactor.has_input() {
            rig.turn();
        }
    }
    assert_eq!(rig.of(server).received.len(), 800);
    rig.reactor.resume(server);
    rig.until("it has come", |rig| rig.of(server).received.len() == 808);
    for word in 102..=200 {
        say(&rig, client, b"question");
        spin_for(&mut rig, server, 8 * word);
    }
    assert!(rig.reactor.counters().direct > direct);
    rig.reactor.abort(server);
    rig.until("it is gone", |rig| rig.of(server).closed == 1);
    rig.end();
}
