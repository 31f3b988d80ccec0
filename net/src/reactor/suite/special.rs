//! What only one of the backends has: operations that may be forbidden, a queue that overflows, sends without a copy, and a
//! simulation that can be made to happen again.

use std::io::Write;
use std::time::Duration;

use super::rig::{Rig, pattern, small};
use super::{open_registered, open_simulated, open_uring};
use crate::reactor::backend::Descriptor;
use crate::reactor::choose::or_poll;
use crate::reactor::sim::{Network, NetworkOptions};
use crate::reactor::slab::Key;
use crate::reactor::uring::{OPERATIONS, Uring};
use crate::reactor::{
    Address, Backend, Choice, EventKind, OpenError, Options, Reactor, ReactorConfig, SocketId,
};

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
                "reactor::suite::special::what_the_limit_for_locked_memory_forbids_to_send_without_a_copy_is_copied",
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
