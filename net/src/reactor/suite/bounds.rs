//! What is bounded: whoever lags holds up its sender and nobody else, and nothing is lost for want of room.

use std::time::Duration;

use super::rig::{Rig, pattern, small};
use super::{Open, on_every_backend};
use crate::reactor::{Backend, Options, ReactorConfig, WriteError};

fn a_paused_reader_bounds_memory_and_stops_the_writer(open: Open) {
    let config = ReactorConfig { send_bytes: 100_000, ..small() };
    let Some(mut rig) = Rig::new(open, &config) else { return };
    let (_, client, server) = rig.pair();
    rig.reactor.pause(server);
    rig.turn();
    let (mut written, mut refusals) = (0, 0);
    // The operating system's buffers fill as well; until they have, the writer makes progress now and then.
    while refusals < 200 {
        rig.turn();
        match rig.reactor.write(client, pattern(10_000), None) {
            Ok(()) => (written, refusals) = (written + 10_000, 0),
            Err(WriteError::Full(buffer)) => {
                assert_eq!(*buffer, pattern(10_000));
                refusals += 1;
                rig.reactor.park(Some(Duration::from_micros(100)));
            }
            Err(error) => panic!("{error}"),
        }
        assert!(rig.reactor.unsent(client) <= 100_000);
        assert!(rig.reactor.chunks_held() <= 32);
        assert_eq!(rig.of(server).received, []);
        assert!(written < 100 << 20, "nothing ever stopped the writer");
    }
    rig.reactor.resume(server);
    rig.until("all has come", |rig| rig.of(server).received.len() == written);
    assert!(rig.of(server).received.chunks(10_000).all(|piece| piece == pattern(10_000)));
    rig.end();
}

/// Also where each write is next to nothing, or nothing.
fn writes_of_few_bytes_are_bounded_by_the_memory_of_their_queue(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig { send_bytes: 100_000, ..small() }) else { return };
    for bytes in [&b""[..], &b"x"[..]] {
        // Nothing is passed on before the next turn.
        let (_, client, server) = rig.pair();
        let mut taken = 0;
        while rig.reactor.write(client, bytes, Some(taken)).is_ok() {
            taken += 1;
            assert!(taken < 5_000, "nothing ever stopped the writer");
        }
        assert!(taken > 500, "{taken}");
        rig.until("all is written", |rig| rig.of(client).written.len() as u64 == taken);
        rig.until("all has come", |rig| rig.of(server).received.len() as u64 == taken * bytes.len() as u64);
        rig.reactor.write(client, bytes, None).unwrap();
    }
    rig.end();
}

fn nothing_is_heard_while_paused_and_nothing_is_lost(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (_, client, server) = rig.pair();
    for round in 0..50 {
        rig.reactor.write(client, vec![round; 1000], None).unwrap();
        rig.turn();
        rig.reactor.pause(server);
        let before = rig.of(server).received.len();
        for _ in 0..3 {
            rig.turn();
            rig.reactor.park(Some(Duration::from_micros(50)));
        }
        assert_eq!(rig.of(server).received.len(), before);
        rig.reactor.resume(server);
    }
    rig.reactor.finish(client);
    rig.until("finished", |rig| rig.of(server).finished == 1);
    let all: Vec<u8> = (0..50).flat_map(|round| [round; 1000]).collect();
    assert!(rig.of(server).received == all);
    rig.end();
}

/// Reliability 30.
fn large_writes_of_many_buffers_keep_their_order_through_short_sends(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig { send_bytes: 64 << 20, ..small() }) else { return };
    let (listener, address) = rig.listen();
    let options = Options { send_buffer: Some(4096), ..Options::default() };
    let client = rig.reactor.connect(&address, &options).unwrap();
    let bytes = pattern(3 << 20);
    let (mut at, mut token) = (0, 0);
    while at < bytes.len() {
        let len = (token as usize * 7919 % 12_000).min(bytes.len() - at);
        rig.reactor.write(client, bytes[at..at + len].to_vec(), Some(token)).unwrap();
        (at, token) = (at + len, token + 1);
    }
    assert!(token > 500);
    rig.until("all has come", |rig| {
        let server = rig.of(listener).accepted.first().copied();
        server.is_some_and(|server| rig.of(server).received.len() == bytes.len())
            && rig.of(client).written.len() == token as usize
    });
    let server = rig.of(listener).accepted[0];
    assert!(rig.of(server).received == bytes);
    assert_eq!(rig.of(client).written, Vec::from_iter(0..token));
    // io_uring goes on by itself after a short send.
    assert!(rig.reactor.backend() == Backend::Uring || rig.reactor.counters().short_sends > 10);
    assert_eq!(rig.reactor.counters().bytes_sent, bytes.len() as u64);
    rig.end();
}

/// Reliability 29: whoever keeps what came holds up its sender, and no memory is used twice.
fn receiving_stops_without_chunks_and_goes_on_when_another_thread_gives_them_back(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig { chunks: 4, ..small() }) else { return };
    rig.kept = Some(Vec::new());
    let (_, client, server) = rig.pair();
    rig.reactor.write(client, pattern(100_000), None).unwrap();
    rig.until("out of chunks", |rig| rig.reactor.counters().out_of_chunks > 0);
    for _ in 0..5 {
        rig.turn();
        rig.reactor.park(Some(Duration::from_micros(100)));
    }
    let before = rig.of(server).received.len();
    assert!(before <= 4 * 4096 && rig.kept.as_ref().unwrap().len() <= 4);
    let kept = rig.kept.take();
    let other = std::thread::spawn(move || drop(kept));
    // No time-out: the chunk that comes back wakes.
    while rig.of(server).received.len() < 100_000 {
        rig.reactor.park(None);
        rig.turn();
    }
    other.join().unwrap();
    assert!(rig.of(server).received == pattern(100_000));
    rig.end();
}

fn silent_connections_take_no_memory_that_others_need(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig { chunks: 2, ..small() }) else { return };
    let (listener, address) = rig.listen();
    let silent: Vec<_> = (0..200).map(|_| rig.connect(&address)).collect();
    rig.until("connected", |rig| {
        rig.of(listener).accepted.len() == 200 && silent.iter().all(|client| rig.of(*client).connected == 1)
    });
    // Each of them is being read, half of them from both ends.
    silent.iter().step_by(2).for_each(|client| rig.reactor.resume(*client));
    rig.turn();
    assert_eq!(rig.reactor.chunks_held(), 0);
    let talker = rig.connect(&address);
    rig.reactor.write(talker, pattern(500_000), None).unwrap();
    rig.until("all has come", |rig| {
        let server = rig.of(listener).accepted.get(200).copied();
        server.is_some_and(|server| rig.of(server).received.len() == 500_000)
    });
    rig.end();
}

fn a_paused_listener_lets_connections_wait(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (listener, address) = rig.listen();
    rig.reactor.pause(listener);
    rig.turn();
    let clients: Vec<_> = (0..5).map(|_| rig.connect(&address)).collect();
    for _ in 0..5 {
        rig.turn();
        rig.reactor.park(Some(Duration::from_micros(200)));
    }
    assert_eq!(rig.of(listener).accepted, []);
    rig.reactor.resume(listener);
    rig.until("accepted", |rig| {
        rig.of(listener).accepted.len() == 5 && clients.iter().all(|client| rig.of(*client).connected == 1)
    });
    rig.end();
}

fn connections_beyond_the_limit_are_closed_at_once(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig { sockets: 4, ..small() }) else { return };
    let (listener, address) = rig.listen();
    let a = rig.connect(&address);
    rig.until("accepted", |rig| rig.of(listener).accepted.len() == 1 && rig.of(a).connected == 1);
    let b = rig.connect(&address);
    rig.reactor.resume(b);
    assert!(rig.reactor.connect(&address, &Options::default()).is_err());
    rig.until("turned away", |rig| rig.of(b).finished == 1 || !rig.of(b).failed.is_empty());
    assert_eq!(rig.reactor.counters().turned_away, 1);
    assert_eq!(rig.of(listener).accepted.len(), 1);
    rig.end();
}

/// Reliability 30.
fn more_than_the_queues_hold_is_done_all_the_same(open: Open) {
    let config = ReactorConfig { ring_entries: 16, chunks: 256, ..small() };
    let Some(mut rig) = Rig::new(open, &config) else { return };
    let (listener, address) = rig.listen();
    rig.turn();
    let clients: Vec<_> = (0..300).map(|_| rig.connect(&address)).collect();
    for client in &clients {
        rig.reactor.write(*client, pattern(100), Some(1)).unwrap();
    }
    rig.until("all have come", |rig| {
        let servers = rig.of(listener).accepted.clone();
        servers.len() == 300 && servers.iter().all(|server| rig.of(*server).received.len() == 100)
    });
    for client in &clients {
        assert_eq!(rig.of(*client).written, [1]);
    }
    if rig.reactor.backend() == Backend::Uring {
        assert!(rig.reactor.counters().full_submissions > 0);
    }
    rig.end();
}

on_every_backend!(
    a_paused_reader_bounds_memory_and_stops_the_writer,
    writes_of_few_bytes_are_bounded_by_the_memory_of_their_queue,
    nothing_is_heard_while_paused_and_nothing_is_lost,
    large_writes_of_many_buffers_keep_their_order_through_short_sends,
    receiving_stops_without_chunks_and_goes_on_when_another_thread_gives_them_back,
    silent_connections_take_no_memory_that_others_need,
    a_paused_listener_lets_connections_wait,
    connections_beyond_the_limit_are_closed_at_once,
    more_than_the_queues_hold_is_done_all_the_same,
);
