//! The rules of ownership: whoever disappears, and whenever, nothing is freed before its time, and nothing is left behind.
//!
//! | rule | shown by |
//! |---|---|
//! | 1: a slot owns what its operation uses until the last completion | `whoever_is_dropped_…`, `a_descriptor_…`; `zero_copy`: `a_buffer_that_is_sent_without_a_copy_…`, `a_buffer_is_held_…` |
//! | 2: a completion of another generation is counted and dropped | `a_completion_of_an_earlier_use_…`, `a_connection_that_comes_with_a_stale_…` |
//! | 3: nobody's disappearance frees; closing waits for operations, and a registered descriptor's place is free before its slot | `ten_thousand_connections_…`, `a_descriptor_…`, `closing_a_listener_…`, all with registered descriptors, too; `special`: `who_stays_has_…` |
//! | 4: who ends takes nothing up, cancels, drains, unmaps | `a_reactor_that_is_dropped_…`, `a_frame_that_is_held_…`; `buffers`: what is written after its time is found out |
//! | 5: full queues, no chunk, interruptions, short sends are normal | `special`: `nothing_is_lost_of_what_the_completion_queue_…`; `bounds`: `more_than_the_queues_…`, `receiving_stops_without_chunks_…`, `large_writes_…`; `zero_copy`: `what_is_sent_without_a_copy_in_parts_…`, `what_the_limit_for_locked_memory_…`; `tests/interrupted.rs` |
//! | 6: operations are tried, and a mebibyte is sent, at the start | `special`: `a_ring_of_which_any_operation_…`; `conversations`: `a_mebibyte_…`; `tests/denied.rs` |
//!
//! In debug builds every chunk that nobody owns is filled with a pattern, which is checked when it is used again; so each of these
//! tests also shows that nothing was written after its operation's end.

use std::time::Duration;

use super::rig::{Rig, pattern, small};
use super::{Open, on_every_backend};
use crate::reactor::backend::{Completion, Descriptor, Outcome};
use crate::reactor::{Backend, Options, ReactorConfig, SocketId};

/// A descriptor's number, where there is one.
fn number(rig: &Rig, socket: SocketId) -> Option<i32> {
    match rig.reactor.store.sockets.get(socket.0)?.descriptor.as_ref()? {
        #[cfg(unix)]
        Descriptor::System(socket) => Some(std::os::fd::AsRawFd::as_raw_fd(socket)),
        Descriptor::Simulated(_) => None,
    }
}

/// A connection that is made, used both ways and finished, given up after so many steps; what is closed and how varies with
/// `how`.
fn give_up(rig: &mut Rig, listener: SocketId, steps: usize, how: usize) {
    let address = rig.reactor.local_address(listener).unwrap();
    let accepted = rig.of(listener).accepted.len();
    let client = rig.connect(&address);
    let mut server = None;
    for step in 0..steps {
        match step {
            1 => rig.reactor.resume(client),
            2 => _ = rig.reactor.write(client, pattern(20_000), Some(1)),
            5 => rig.reactor.finish(client),
            _ => {}
        }
        if server.is_none() {
            server = rig.of(listener).accepted.get(accepted).copied();
            server.iter().for_each(|server| _ = rig.reactor.write(*server, pattern(10_000), None));
        }
        rig.turn();
        // In the simulation, time passes only so.
        rig.reactor.park(Some(Duration::ZERO));
    }
    let ends = [Some(client), server];
    for (at, end) in ends.into_iter().flatten().enumerate() {
        if (how >> at) & 1 == 0 { rig.reactor.abort(end) } else { rig.reactor.close(end) }
    }
}

/// Reliability 28: each step of a connection, each way to give it up.
fn whoever_is_dropped_at_any_step_leaves_nothing_behind(open: Open) {
    for steps in 0..12 {
        for how in 0..4 {
            let Some(mut rig) = Rig::new(open, &small()) else { return };
            let (listener, _) = rig.listen();
            give_up(&mut rig, listener, steps, how);
            // A connection that comes after its client gave it up is the server's to close; so is one that waits for its peer.
            rig.until("only connections without a client are left", |rig| {
                for server in rig.of(listener).accepted.clone() {
                    rig.reactor.abort(server);
                }
                rig.reactor.sockets() == 1
            });
            rig.reactor.close(listener);
            rig.until("nothing is left", |rig| rig.reactor.sockets() == 0);
            rig.check_empty();
        }
    }
}

/// Reliability 28: 10,000 cycles, with no stale completion and no slot left behind.
fn ten_thousand_connections_come_and_go(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (listener, _) = rig.listen();
    for cycle in 0..10_000 {
        // Aborted by the client, at least: a connection that ends in order would keep its port for a minute.
        give_up(&mut rig, listener, cycle % 9, cycle & 2);
        if cycle % 16 == 15 {
            rig.until("only the listener is left", |rig| {
                for server in rig.of(listener).accepted.clone() {
                    rig.reactor.abort(server);
                }
                rig.reactor.sockets() == 1 && !rig.reactor.has_input()
            });
            let closed = rig.seen.iter().filter(|(socket, _)| **socket != listener);
            assert!(closed.clone().all(|(_, seen)| seen.closed == 1));
            rig.seen.retain(|socket, _| *socket == listener);
            rig.of(listener).accepted.clear();
        }
    }
    assert_eq!(rig.reactor.counters().stale, 0);
    // The slots of all are the slots of few.
    assert!(rig.reactor.store.sockets.keys()[0].slot < 100);
    rig.end();
}

/// Reliability 28: what is stale is not acted on.
fn a_completion_of_an_earlier_use_of_a_slot_is_counted_and_dropped(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    rig.kept = Some(Vec::new());
    let (_, client, server) = rig.pair();
    let old = rig.reactor.store.sockets[server.0].incoming.unwrap();
    rig.reactor.write(client, b"kept", None).unwrap();
    rig.until("received", |rig| rig.of(server).received == b"kept");
    rig.reactor.pause(server);
    rig.until("the receive has ended", |rig| rig.reactor.store.operations.get(old).is_none());
    // The slot is used again, by a receive of the other end.
    rig.reactor.resume(client);
    rig.turn();
    let new = rig.reactor.store.sockets[client.0].incoming.unwrap();
    assert!(new.slot == old.slot && new.generation > old.generation);
    let events = rig.of(client).tags.len();
    let chunk = rig.kept.take().unwrap().remove(0);
    assert_eq!(rig.reactor.chunks_held(), 1);
    for outcome in [Outcome::Received(chunk), Outcome::EndOfStream, Outcome::Sent(9), Outcome::NoChunk] {
        rig.reactor.complete(Completion { key: old, outcome, more: false });
    }
    assert_eq!(rig.reactor.counters().stale, 4);
    assert_eq!(rig.reactor.chunks_held(), 0);
    rig.turn();
    assert_eq!(rig.of(client).tags.len(), events);
    // The one that has the slot now goes on.
    assert_eq!(rig.reactor.store.sockets[client.0].incoming, Some(new));
    rig.reactor.write(server, b"answer", None).unwrap();
    rig.until("received", |rig| rig.of(client).received == b"answer");
    rig.reactor.store.counters.stale = 0;
    rig.end();
}

/// Reliability 28: nor is what it brings kept.
fn a_connection_that_comes_with_a_stale_completion_is_closed(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    rig.resumes = false;
    let (_, client, server) = rig.pair();
    let descriptor = rig.reactor.store.sockets[server.0].descriptor.take().unwrap();
    let gone = rig.reactor.begin(crate::reactor::store::Work::Accept, client.0);
    rig.reactor.store.operations.free(gone);
    rig.reactor.store.sockets[client.0].operations -= 1;
    rig.reactor.resume(client);
    rig.reactor.complete(Completion { key: gone, outcome: Outcome::Accepted(descriptor), more: false });
    rig.until("the other end sees it", |rig| {
        rig.of(client).finished == 1 || !rig.of(client).failed.is_empty()
    });
    assert_eq!(rig.reactor.counters().stale, 1);
    rig.reactor.store.counters.stale = 0;
    rig.end();
}

/// Reliability 28: the number of a descriptor.
fn a_descriptor_is_closed_after_its_operations_and_its_number_used_again_only_then(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    if rig.reactor.backend() == Backend::Simulated {
        // Descriptors have no numbers there.
        return;
    }
    let (_, client, server) = rig.pair();
    rig.reactor.resume(client);
    rig.turn();
    let before = number(&rig, client).unwrap();
    assert!(rig.reactor.store.sockets[client.0].operations > 0);
    rig.reactor.abort(client);
    // Its receive is still in flight: the descriptor stands, so whatever is made now has another number.
    assert_eq!(number(&rig, client), Some(before));
    let another = rig.reactor.datagrams(&"127.0.0.1:0".parse().unwrap(), &Options::default()).unwrap();
    assert_ne!(number(&rig, another), Some(before));
    rig.until("closed", |rig| rig.of(client).closed == 1);
    assert_eq!(rig.reactor.in_flight(), 1 + usize::from(rig.reactor.store.sockets[server.0].operations > 0));
    rig.end();
}

/// Reliability 28: the reactor itself.
fn a_reactor_that_is_dropped_at_any_step_gives_everything_back(open: Open) {
    for steps in 0..10 {
        let Some(mut rig) = Rig::new(open, &small()) else { return };
        rig.kept = Some(Vec::new());
        let (listener, _) = rig.listen();
        let address = rig.reactor.local_address(listener).unwrap();
        let clients: Vec<_> = (0..4).map(|_| rig.connect(&address)).collect();
        for client in &clients {
            rig.reactor.resume(*client);
            rig.reactor.write(*client, pattern(200_000), Some(1)).unwrap();
        }
        for _ in 0..steps {
            rig.turn();
            rig.reactor.park(Some(Duration::from_micros(50)));
        }
        let received: Vec<u8> = rig.kept.iter().flatten().flat_map(|chunk| chunk.to_vec()).collect();
        let kept = rig.kept.take().unwrap();
        let waker = rig.reactor.waker();
        drop(rig);
        // What outlives the reactor is whole, and does no harm.
        waker.wake();
        assert!(kept.iter().flat_map(|chunk| chunk.to_vec()).eq(received));
    }
}

/// Reliability 29: what came without a copy is held while 10,000 messages pass on another connection, and beyond the reactor's end.
fn a_frame_that_is_held_stands_and_its_sender_waits(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig { send_bytes: 100_000, ..small() }) else { return };
    let (_, client, server) = rig.pair();
    rig.kept = Some(Vec::new());
    rig.reactor.write(client, pattern(50_000), None).unwrap();
    rig.until("some has come", |rig| rig.of(server).received.len() >= 8_000);
    rig.reactor.pause(server);
    let held = rig.kept.take().unwrap();
    let heard = rig.of(server).received.clone();
    let same = |held: &[crate::buffers::Chunk]| {
        held.iter().flat_map(|chunk| chunk.to_vec()).eq(heard.iter().copied())
    };
    assert!(same(&held) && held.len() < 32);
    let (_, other, another) = rig.pair();
    let (mut written, mut refused) = (50_000, 0);
    for _ in 0..10_000 {
        match rig.reactor.write(client, pattern(10_000), None) {
            Ok(()) => written += 10_000,
            Err(_) => refused += 1,
        }
        rig.reactor.write(other, pattern(1_000), None).unwrap();
        rig.until("it has come", |rig| rig.of(another).received.len() == 1_000);
        assert!(std::mem::take(&mut rig.of(another).received) == pattern(1_000));
        assert!(rig.reactor.chunks_held() <= 32 && rig.of(server).received.len() == heard.len());
    }
    assert!(refused > 0 && same(&held), "{refused} of 10,000 were refused");
    // What waited is whole, too.
    rig.reactor.resume(server);
    rig.until("all has come", |rig| rig.of(server).received.len() == written);
    let (first, rest) = rig.of(server).received.split_at(50_000);
    assert!(first == pattern(50_000) && rest.chunks(10_000).all(|piece| piece == pattern(10_000)));
    drop(rig);
    assert!(same(&held));
    std::thread::spawn(move || drop(held)).join().unwrap();
}

fn closing_a_listener_closes_connections_that_nobody_has_taken(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (listener, address) = rig.listen();
    let client = rig.connect(&address);
    rig.reactor.resume(client);
    // Accepted by the reactor, but not yet told.
    while rig.reactor.counters().accepted == 0 {
        rig.reactor.park(Some(Duration::from_millis(20)));
        rig.reactor.turn();
    }
    rig.reactor.close(listener);
    rig.until("the client is told", |rig| rig.of(client).finished == 1 || !rig.of(client).failed.is_empty());
    rig.until("closed", |rig| rig.of(listener).closed == 1 && rig.reactor.sockets() == 1);
    assert_eq!(rig.of(listener).accepted, []);
    rig.end();
}

on_every_backend!(
    whoever_is_dropped_at_any_step_leaves_nothing_behind,
    ten_thousand_connections_come_and_go,
    a_completion_of_an_earlier_use_of_a_slot_is_counted_and_dropped,
    a_connection_that_comes_with_a_stale_completion_is_closed,
    a_descriptor_is_closed_after_its_operations_and_its_number_used_again_only_then,
    a_reactor_that_is_dropped_at_any_step_gives_everything_back,
    a_frame_that_is_held_stands_and_its_sender_waits,
    closing_a_listener_closes_connections_that_nobody_has_taken,
);
