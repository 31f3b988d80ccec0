//! Sends without a copy: what they take with them is held until the network lets go of it, whoever goes meanwhile; and where
//! they gain nothing, or may not be, what is sent is copied.

use std::time::Duration;

use super::rig::{Rig, pattern, small};
use super::{open_registered, open_uring};
use crate::reactor::slab::Key;
use crate::reactor::{Options, ReactorConfig, SocketId};

/// A connection over loopback that is sent over without a copy, which the reactor would not do by itself.
fn zero_copy_pair(rig: &mut Rig) -> (SocketId, SocketId) {
    let (_, client, server) = rig.pair();
    rig.reactor.store.sockets[client.0].zero_copy = true;
    (client, server)
}

fn zero_copy() -> ReactorConfig {
    ReactorConfig { zero_copy_from: Some(10_000), send_bytes: 65 << 20, ..small() }
}

#[test]
fn a_buffer_that_is_sent_without_a_copy_comes_back_when_the_network_has_let_go_of_it() {
    let Some(mut rig) = Rig::new(open_uring, &zero_copy()) else { return };
    let (client, server) = zero_copy_pair(&mut rig);
    let bytes = pattern(200_000);
    for token in 0..40 {
        // Small ones are copied, in between.
        let len = if token % 4 == 3 { 500 } else { bytes.len() };
        rig.reactor.write(client, bytes[..len].to_vec(), Some(token)).unwrap();
        rig.turn();
        // The network on this host copies, which would put an end to it.
        rig.reactor.store.sockets[client.0].zero_copy = true;
    }
    rig.until("all has come", |rig| {
        rig.reactor.store.sockets[client.0].zero_copy = true;
        rig.of(server).received.len() == 30 * bytes.len() + 10 * 500 && rig.of(client).written.len() == 40
    });
    let mut at = 0;
    for token in 0..40 {
        let len = if token % 4 == 3 { 500 } else { bytes.len() };
        assert!(rig.of(server).received[at..at + len] == bytes[..len]);
        at += len;
    }
    // In the order in which they were let go of.
    rig.of(client).written.sort_unstable();
    assert_eq!(rig.of(client).written, Vec::from_iter(0..40));
    let counters = rig.reactor.counters();
    assert!(counters.zero_copies > 0 && counters.copied_zero_copies > 0);
    rig.end();
}

#[test]
fn buffers_that_leave_together_are_not_copied_if_they_are_large_enough_on_average() {
    let Some(mut rig) = Rig::new(open_uring, &zero_copy()) else { return };
    let mut zero_copies = 0;
    for (count, len, all) in [(8, 50_000, 1), (8, 3_000, 0), (2, 5_000, 1), (2, 4_999, 0)] {
        let (client, server) = zero_copy_pair(&mut rig);
        for token in 0..count {
            rig.reactor.write(client, pattern(len), Some(token)).unwrap();
        }
        rig.until("all has come", |rig| {
            rig.of(server).received.len() == count as usize * len
                && rig.of(client).written.len() == count as usize
        });
        assert!(rig.of(server).received.chunks(len).all(|piece| piece == pattern(len)));
        // One send takes all of them.
        zero_copies += all;
        assert_eq!(rig.reactor.counters().zero_copies, zero_copies, "{count} of {len}");
    }
    rig.end();
}

/// What becomes of a connection whose reader has stopped while the network holds what was sent without a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Reads,
    ReaderCloses,
    WriterFinishes,
    WriterCloses,
    WriterAborts,
}

/// One send, of one buffer or several, has ended; its last word has not come, and cannot until somebody reads.
fn a_send_that_is_held(rig: &mut Rig, count: usize, len: usize) -> (SocketId, SocketId, Key) {
    // The sender's system takes all at once, the receiver's a part of it until somebody reads. It must have room for some
    // segments: memory that was sent without a copy counts there by whole pages, so a smaller one's window shrinks to some
    // hundred bytes, and then the kernels of both ends wait for timers, ever longer ones: not a hang, but a minute and more.
    let socket = Options { receive_buffer: Some(20_000), send_buffer: Some(400_000), ..Options::default() };
    let listener = rig.reactor.listen(&"127.0.0.1:0".parse().unwrap(), &socket).unwrap();
    let address = rig.reactor.local_address(listener).unwrap();
    let client = rig.reactor.connect(&address, &socket).unwrap();
    rig.until("connected", |rig| rig.of(client).connected == 1 && rig.of(listener).accepted.len() == 1);
    let server = rig.of(listener).accepted[0];
    rig.reactor.store.sockets[client.0].zero_copy = true;
    for token in 0..count {
        rig.reactor.write(client, pattern(len), Some(token as u64)).unwrap();
    }
    rig.reactor.submit();
    let send = rig.reactor.store.sockets[client.0].sending;
    let send = send.or_else(|| {
        // It has ended with its submission.
        let operations = &rig.reactor.store.operations;
        operations.keys().into_iter().find(|key| operations[*key].bytes == count * len)
    });
    let send = send.expect("its memory is in use");
    rig.until("the send has ended", |rig| rig.reactor.store.operations[send].sent == count * len);
    for _ in 0..20 {
        rig.turn();
        rig.reactor.park(Some(Duration::ZERO));
    }
    assert_eq!(rig.of(client).written, []);
    let held = &rig.reactor.store.operations[send].buffers;
    assert!(held.len() == count && held.iter().all(|held| *held.buffer == *pattern(len)));
    (client, server, send)
}

/// Reliability 28: of one buffer and of several, by number and by registered descriptor, whatever is done meanwhile.
#[test]
fn a_buffer_is_held_until_the_network_lets_go_of_it_though_its_send_has_ended() {
    use Then::*;
    for open in [open_uring, open_registered] {
        let Some(mut rig) = Rig::new(open, &zero_copy()) else { return };
        rig.resumes = false;
        for (count, len) in [(1, 100_000), (4, 25_000), (20, 5_000)] {
            for then in [Reads, ReaderCloses, WriterFinishes, WriterCloses, WriterAborts] {
                let (client, server, send) = a_send_that_is_held(&mut rig, count, len);
                match then {
                    Reads => {}
                    ReaderCloses => rig.reactor.close(server),
                    WriterFinishes => rig.reactor.finish(client),
                    WriterCloses => rig.reactor.close(client),
                    WriterAborts => rig.reactor.abort(client),
                }
                rig.turn();
                rig.reactor.resume(server);
                rig.until("it is let go of", |rig| rig.reactor.store.operations.get(send).is_none());
                // Whoever aborts does not hear of it.
                let written = if then == WriterAborts { 0 } else { count };
                rig.until("it is told", |rig| rig.of(client).written.len() == written);
                if let Reads | WriterFinishes | WriterCloses = then {
                    rig.until("all has come", |rig| rig.of(server).received.len() == count * len);
                    assert!(rig.of(server).received.chunks(len).all(|piece| piece == pattern(len)));
                }
                let ends = usize::from(matches!(then, WriterFinishes | WriterCloses)) as u32;
                rig.until("the end has come", |rig| rig.of(server).finished == ends);
                let closes = u32::from(matches!(then, WriterCloses | WriterAborts));
                rig.until("it is closed", |rig| rig.of(client).closed == closes);
                assert_eq!(rig.of(client).not_written, [], "{then:?}");
            }
        }
        rig.end();
    }
}

/// Reliability 30: the kernel goes on by itself where a reader that had stopped makes room again.
#[test]
fn what_is_sent_without_a_copy_in_parts_keeps_its_order_behind_a_reader_that_stops_and_goes_on() {
    for open in [open_uring, open_registered] {
        let Some(mut rig) = Rig::new(open, &zero_copy()) else { return };
        rig.resumes = false;
        for (count, len) in [(4, 1 << 20), (64, 65_536)] {
            let (_, client, server) = rig.pair();
            rig.reactor.store.sockets[client.0].zero_copy = true;
            for token in 0..count {
                rig.reactor.write(client, pattern(len), Some(token)).unwrap();
            }
            let mut stopped = 0;
            while rig.of(server).received.len() < count as usize * len {
                // It reads a little, and stops.
                rig.reactor.resume(server);
                let before = rig.of(server).received.len();
                rig.until("some has come", |rig| rig.of(server).received.len() > before);
                rig.reactor.pause(server);
                stopped += 1;
                for _ in 0..3 {
                    rig.turn();
                    rig.reactor.park(Some(Duration::ZERO));
                    rig.reactor.store.sockets[client.0].zero_copy = true;
                }
            }
            assert!(stopped > 3);
            rig.until("all is let go of", |rig| rig.of(client).written.len() == count as usize);
            rig.of(client).written.sort_unstable();
            assert_eq!(rig.of(client).written, Vec::from_iter(0..count));
            assert!(rig.of(server).received.chunks(len).all(|piece| piece == pattern(len)));
        }
        assert!(rig.reactor.counters().zero_copies > 2);
        rig.end();
    }
}

/// Set in the child.
const CHILD: &str = "CORELANE_TEST_LITTLE_LOCKED_MEMORY";

/// Memory that is sent without a copy is locked as long, within the limit of who has no privilege to lock more.
#[test]
fn what_the_limit_for_locked_memory_forbids_to_send_without_a_copy_is_copied() {
    if std::env::var_os(CHILD).is_none() {
        let child = std::process::Command::new("sh")
            .arg("-c")
            .arg(
                "ulimit -l 1024; test $(id -u) = 0 || exec \"$0\" \"$@\"; \
                 exec setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock \"$0\" \"$@\"",
            )
            .arg(std::env::current_exe().unwrap())
            .arg("--exact")
            .arg(
                "reactor::suite::zero_copy::what_the_limit_for_locked_memory_forbids_to_send_without_a_copy_is_copied",
            )
            .arg("--nocapture")
            .env(CHILD, "1")
            .output();
        match child {
            Ok(child) if child.status.success() => print!("{}", String::from_utf8_lossy(&child.stdout)),
            Ok(child) if child.status.code() == Some(127) => println!("SKIPPED: no setpriv here"),
            Ok(child) => panic!("{child:?}"),
            Err(error) => println!("SKIPPED: no shell here: {error}"),
        }
        return;
    }
    let Some(mut rig) = Rig::new(open_uring, &zero_copy()) else { return };
    for (n, (count, len)) in [(1, 2 << 20), (4, 400_000)].into_iter().enumerate() {
        let (client, server) = zero_copy_pair(&mut rig);
        for token in 0..count {
            rig.reactor.write(client, pattern(len), Some(token)).unwrap();
        }
        rig.until("all has come", |rig| {
            rig.of(server).received.len() == count as usize * len
                && rig.of(client).written.len() == count as usize
        });
        assert!(rig.of(server).received.chunks(len).all(|piece| piece == pattern(len)));
        assert_eq!(rig.of(client).failed, []);
        // It was tried once, and then never again on this connection.
        assert_eq!(rig.reactor.counters().zero_copies, n as u64 + 1);
        assert!(!rig.reactor.store.sockets[client.0].zero_copy);
    }
    assert_eq!(rig.reactor.counters().copied_zero_copies, 2);
    rig.end();
}

#[test]
fn a_socket_whose_sends_are_copied_all_the_same_goes_back_to_copying() {
    let Some(mut rig) = Rig::new(open_uring, &zero_copy()) else { return };
    let (client, server) = zero_copy_pair(&mut rig);
    for round in 1..=5 {
        rig.reactor.write(client, pattern(50_000), Some(round)).unwrap();
        rig.until("written", |rig| {
            rig.of(client).written.len() as u64 == round
                && rig.of(server).received.len() as u64 == round * 50_000
        });
    }
    let counters = rig.reactor.counters();
    assert_eq!((counters.zero_copies, counters.copied_zero_copies), (1, 1));
    rig.end();
}

#[test]
fn an_abort_and_a_dropped_reactor_get_buffers_back_that_the_network_holds() {
    for drops in [false, true] {
        let Some(mut rig) = Rig::new(open_uring, &zero_copy()) else { return };
        let (client, server) = zero_copy_pair(&mut rig);
        rig.reactor.pause(server);
        for token in 0..64 {
            rig.reactor.write(client, pattern(1 << 20), Some(token)).unwrap();
        }
        for _ in 0..20 {
            rig.turn();
            rig.reactor.park(Some(Duration::from_micros(500)));
        }
        // The receiver's buffer is full, and does not empty.
        assert!(rig.reactor.counters().zero_copies > 0 && rig.reactor.in_flight() > 1);
        if drops {
            drop(rig);
        } else {
            rig.reactor.abort(client);
            rig.until("closed", |rig| rig.of(client).closed == 1);
            rig.end();
        }
    }
}

#[test]
fn a_loopback_connection_is_never_sent_over_without_a_copy() {
    let Some(mut rig) = Rig::new(open_uring, &zero_copy()) else { return };
    let (_, client, server) = rig.pair();
    rig.reactor.write(client, pattern(100_000), None).unwrap();
    rig.until("all has come", |rig| rig.of(server).received.len() == 100_000);
    assert_eq!(rig.reactor.counters().zero_copies, 0);
    rig.end();
}
