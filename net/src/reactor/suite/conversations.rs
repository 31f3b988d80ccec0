//! What users of sockets see.

use std::io::ErrorKind;
use std::time::Duration;

use super::rig::{Rig, pattern, small};
use super::{Open, on_every_backend};
use crate::buffers::Buffer;
use crate::reactor::choose::proof;
use crate::reactor::{Address, Backend, Options, ReactorConfig, WriteError};

/// Reliability 30: with all of this suite, on each backend.
fn a_mebibyte_comes_out_as_it_went_in(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig::default()) else { return };
    proof::run(&mut rig.reactor).unwrap();
    rig.check_empty();
}

fn both_ends_talk_at_once(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (_, client, server) = rig.pair();
    rig.reactor.resume(client);
    let bytes = pattern(300_000);
    for piece in bytes.chunks(7_001) {
        rig.reactor.write(client, piece.to_vec(), None).unwrap();
        rig.reactor.write(server, piece.to_vec(), None).unwrap();
    }
    rig.until("all has come", |rig| {
        rig.of(client).received.len() == bytes.len() && rig.of(server).received.len() == bytes.len()
    });
    assert!(rig.of(client).received == bytes && rig.of(server).received == bytes);
    rig.end();
}

fn what_is_sent_at_once_goes_before_what_waits(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    rig.resumes = false;
    let (_, client, server) = rig.pair();
    rig.reactor.resume(client);
    let bytes = pattern(8_000_000);
    // Until the operating system has its fill, or from the beginning where there is no such way.
    let (mut sent, mut at_once) = (0, 0);
    for piece in bytes.chunks(60_000) {
        let taken = rig.reactor.send_now(client, piece);
        (sent, at_once) = (sent + piece.len(), at_once + taken);
        if taken < piece.len() {
            rig.reactor.write(client, piece[taken..].to_vec(), Some(1)).unwrap();
            // Nothing overtakes it.
            assert_eq!(rig.reactor.send_now(client, b"overtaking"), 0);
            break;
        }
    }
    assert!(sent < bytes.len() && (at_once > 0) == (rig.reactor.backend() != Backend::Simulated));
    rig.reactor.resume(server);
    rig.until("all has come", |rig| rig.of(server).received.len() == sent && rig.of(client).written == [1]);
    assert!(rig.of(server).received == bytes[..sent]);
    rig.reactor.abort(server);
    rig.until("failed", |rig| rig.of(client).failed.len() + rig.of(client).finished as usize > 0);
    rig.reactor.close(client);
    assert_eq!(rig.reactor.send_now(client, b"late"), 0);
    rig.end();
}

fn what_is_written_before_it_is_connected_waits(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (listener, address) = rig.listen();
    let client = rig.connect(&address);
    rig.reactor.write(client, b"early", Some(1)).unwrap();
    rig.reactor.finish(client);
    rig.until("finished", |rig| {
        let server = rig.of(listener).accepted.first().copied();
        server.is_some_and(|server| rig.of(server).finished == 1)
    });
    let server = rig.of(listener).accepted[0];
    assert_eq!(rig.of(server).received, b"early");
    assert_eq!(rig.of(client).written, [1]);
    rig.end();
}

fn a_half_that_is_finished_leaves_the_other_open(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (_, client, server) = rig.pair();
    rig.reactor.resume(client);
    rig.reactor.write(client, b"request", None).unwrap();
    rig.reactor.finish(client);
    assert!(matches!(rig.reactor.write(client, b"more", None), Err(WriteError::Closed(_))));
    rig.until("finished", |rig| rig.of(server).finished == 1);
    assert_eq!(rig.of(server).received, b"request");
    rig.reactor.write(server, pattern(100_000), None).unwrap();
    rig.reactor.close(server);
    rig.until("answered and closed", |rig| rig.of(client).finished == 1 && rig.of(server).closed == 1);
    assert_eq!(rig.of(client).received, pattern(100_000));
    assert_eq!(rig.of(client).failed, []);
    rig.end();
}

fn closing_sends_what_is_queued_first(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (_, client, server) = rig.pair();
    rig.reactor.pause(server);
    for token in 0..10 {
        rig.reactor.write(client, pattern(90_000), Some(token)).unwrap();
    }
    rig.reactor.close(client);
    assert!(matches!(rig.reactor.write(client, b"more", None), Err(WriteError::Closed(_))));
    rig.turn();
    rig.reactor.resume(server);
    rig.until("all has come", |rig| rig.of(server).finished == 1 && rig.of(client).closed == 1);
    assert_eq!(rig.of(server).received.len(), 900_000);
    assert_eq!(rig.of(client).written, Vec::from_iter(0..10));
    rig.end();
}

fn an_abort_is_seen_as_a_reset(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (_, client, server) = rig.pair();
    rig.reactor.abort(client);
    rig.until("reset", |rig| !rig.of(server).failed.is_empty());
    assert_eq!(rig.of(server).failed, [ErrorKind::ConnectionReset]);
    assert_eq!(rig.of(client).closed, 1);
    assert!(matches!(rig.reactor.write(server, b"hello?", None), Err(WriteError::Closed(_))));
    rig.reactor.close(server);
    rig.until("closed", |rig| rig.of(server).closed == 1);
    rig.end();
}

fn writes_that_a_failure_overtakes_come_back(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig { send_bytes: 64 << 20, ..small() }) else { return };
    rig.resumes = false;
    let (_, client, server) = rig.pair();
    // More than the operating system's buffers hold.
    let bytes = std::sync::Arc::<[u8]>::from(pattern(1 << 20));
    for token in 0..32 {
        rig.reactor.write(client, bytes.clone(), Some(token)).unwrap();
    }
    rig.turn();
    rig.reactor.abort(server);
    rig.until("failed", |rig| !rig.of(client).failed.is_empty());
    rig.until("answered", |rig| rig.of(client).written.len() + rig.of(client).not_written.len() == 32);
    let seen = rig.of(client);
    assert!(!seen.not_written.is_empty());
    let mut all = [&seen.written[..], &seen.not_written[..]].concat();
    all.sort_unstable();
    assert_eq!(all, Vec::from_iter(0..32));
    assert_eq!(rig.reactor.unsent(client), 0);
    rig.end();
}

fn a_connection_to_nobody_is_refused(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (listener, address) = rig.listen();
    rig.reactor.close(listener);
    rig.until("closed", |rig| rig.of(listener).closed == 1);
    let client = rig.connect(&address);
    rig.reactor.write(client, b"anybody?", Some(7)).unwrap();
    rig.until("refused", |rig| !rig.of(client).failed.is_empty());
    assert_eq!(rig.of(client).failed, [ErrorKind::ConnectionRefused]);
    assert_eq!(rig.of(client).not_written, [7]);
    assert_eq!(rig.of(client).connected, 0);
    rig.end();
}

fn an_address_in_use_is_refused_with_the_address(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (_, address) = rig.listen();
    let error = rig.reactor.listen(&address, &Options::default()).unwrap_err().to_string();
    assert!(error.starts_with(&address.to_string()), "{error}");
    rig.end();
}

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

fn buffers_of_every_kind_are_sent(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    rig.kept = Some(Vec::new());
    let (_, client, server) = rig.pair();
    rig.reactor.resume(client);
    rig.reactor.write(client, b"static ", None).unwrap();
    rig.reactor.write(client, Buffer::from(std::sync::Arc::<[u8]>::from(*b"shared ")), None).unwrap();
    rig.reactor.write(client, vec![], None).unwrap();
    rig.reactor.write(client, b"own".to_vec(), None).unwrap();
    rig.until("all has come", |rig| rig.of(server).received.len() == 17);
    // What was received goes back in the memory that it came in.
    for chunk in rig.kept.replace(Vec::new()).unwrap() {
        rig.reactor.write(server, chunk, None).unwrap();
    }
    rig.until("echoed", |rig| rig.of(client).received.len() == 17);
    assert_eq!(rig.of(client).received, b"static shared own");
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

fn datagrams_come_whole_with_their_sender(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let options = Options::default();
    let nearby: Address = "127.0.0.1:0".parse().unwrap();
    let (a, b) = (
        rig.reactor.datagrams(&nearby, &options).unwrap(),
        rig.reactor.datagrams(&nearby, &options).unwrap(),
    );
    let at = |rig: &Rig, socket| rig.reactor.local_address(socket).unwrap().ip().unwrap();
    let (to_b, port_of_a) = (at(&rig, b), at(&rig, a).port());
    rig.reactor.resume(b);
    rig.turn();
    for token in 0..20 {
        rig.reactor.send_to(a, to_b, vec![token as u8; token as usize * 50], Some(token)).unwrap();
    }
    rig.until("all have come", |rig| rig.of(b).datagrams.len() == 20 && rig.of(a).written.len() == 20);
    let mut sizes = Vec::new();
    for (from, bytes, truncated) in &rig.of(b).datagrams {
        assert_eq!((from.ip().unwrap().port(), *truncated), (port_of_a, false));
        assert!(bytes.iter().all(|byte| usize::from(*byte) * 50 == bytes.len()));
        sizes.push(bytes.len());
    }
    sizes.sort_unstable();
    assert_eq!(sizes, Vec::from_iter((0..20).map(|n| n * 50)));
    // Longer than a chunk.
    rig.reactor.send_to(a, to_b, vec![9; 5000], None).unwrap();
    rig.until("it has come", |rig| rig.of(b).datagrams.len() == 21);
    let (_, bytes, truncated) = rig.of(b).datagrams.pop().unwrap();
    assert!(truncated && bytes.len() <= 4096 && bytes.iter().all(|byte| *byte == 9));
    // To nobody: lost, and no failure of the socket.
    let nobody = rig.reactor.datagrams(&nearby, &options).unwrap();
    let to_nobody = at(&rig, nobody);
    rig.reactor.close(nobody);
    rig.until("closed", |rig| rig.of(nobody).closed == 1);
    rig.reactor.send_to(a, to_nobody, b"hello", Some(100)).unwrap();
    rig.reactor.send_to(a, to_b, b"still here", Some(101)).unwrap();
    rig.until("it has come", |rig| rig.of(b).datagrams.len() == 21 && rig.of(a).written.len() == 22);
    assert_eq!(rig.of(a).failed, []);
    rig.end();
}

fn unix_sockets_carry_datagrams_too(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let path = |name: &str| {
        let name = format!("corelane-{name}-{}-{:?}.sock", std::process::id(), rig.reactor.backend());
        Address::Unix(std::env::temp_dir().join(name))
    };
    let (at_a, at_b, nowhere) = (path("a"), path("b"), path("nowhere"));
    let options = Options::default();
    let a = rig.reactor.datagrams(&at_a, &options).unwrap();
    let b = rig.reactor.datagrams(&at_b, &options).unwrap();
    let nameless = rig.reactor.datagrams(&Address::Unix("".into()), &options).unwrap();
    assert_eq!(rig.reactor.local_address(b).unwrap(), at_b);
    rig.reactor.resume(b);
    rig.turn();
    rig.reactor.send_to(a, at_b.clone(), pattern(3_000), Some(1)).unwrap();
    rig.until("it has come", |rig| rig.of(b).datagrams.len() == 1 && rig.of(a).written == [1]);
    rig.reactor.send_to(nameless, at_b.clone(), vec![], Some(2)).unwrap();
    rig.until("it has come", |rig| rig.of(b).datagrams.len() == 2 && rig.of(nameless).written == [2]);
    let heard = std::mem::take(&mut rig.of(b).datagrams);
    assert!(heard[0] == (at_a.clone(), pattern(3_000), false));
    assert!(heard[1] == (Address::Unix("".into()), vec![], false));
    // To nobody.
    rig.reactor.send_to(a, nowhere, b"hello?", Some(3)).unwrap();
    rig.until("it is back", |rig| rig.of(a).not_written == [3]);
    // To one who lags, until that comes back; what had gone is there when it reads on.
    rig.reactor.pause(b);
    rig.turn();
    let mut sent = 0;
    while rig.of(a).not_written.len() == 1 {
        rig.reactor.send_to(a, at_b.clone(), vec![0; 100], Some(4)).unwrap();
        sent += 1;
        rig.turn();
        rig.reactor.park(Some(Duration::ZERO));
        assert!(sent < 100_000, "it never came back");
    }
    rig.reactor.resume(b);
    rig.until("the rest has come", |rig| {
        let (written, not_written) = (rig.of(a).written.len() - 1, rig.of(a).not_written.len() - 1);
        written + not_written == sent && rig.of(b).datagrams.len() == written
    });
    for address in [at_a, at_b] {
        if let Address::Unix(path) = address {
            let _ = std::fs::remove_file(path);
        }
    }
    rig.end();
}

fn unix_sockets_are_streams_too(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let name = format!("corelane-{}-{:?}.sock", std::process::id(), rig.reactor.backend());
    let path = std::env::temp_dir().join(name);
    let address: Address = format!("unix:{}", path.display()).parse().unwrap();
    let listener = rig.reactor.listen(&address, &Options::default()).unwrap();
    assert_eq!(rig.reactor.local_address(listener).unwrap(), address);
    let client = rig.connect(&address);
    rig.reactor.write(client, pattern(100_000), None).unwrap();
    rig.reactor.finish(client);
    rig.until("finished", |rig| {
        let server = rig.of(listener).accepted.first().copied();
        server.is_some_and(|server| rig.of(server).finished == 1)
    });
    let server = rig.of(listener).accepted[0];
    assert!(rig.of(server).received == pattern(100_000));
    let _ = std::fs::remove_file(&path);
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

fn events_carry_the_tag_of_their_socket(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (listener, client, server) = rig.pair();
    let (before_client, before_server) = (rig.of(client).tags.len(), rig.of(server).tags.len());
    rig.reactor.set_tag(client, 11);
    rig.reactor.set_tag(server, 22);
    rig.reactor.write(client, b"x", Some(0)).unwrap();
    rig.until("written", |rig| rig.of(client).written == [0] && rig.of(server).received == b"x");
    rig.reactor.close(client);
    rig.until("closed", |rig| rig.of(client).closed == 1 && rig.of(server).finished == 1);
    assert!(rig.of(client).tags[before_client..].iter().all(|tag| *tag == 11));
    assert!(rig.of(server).tags[before_server..].iter().all(|tag| *tag == 22));
    assert!(rig.of(listener).tags.iter().all(|tag| *tag == 0));
    rig.end();
}

fn a_wake_up_ends_a_wait_before_and_after_it_begins(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let waker = rig.reactor.waker();
    // Each of these waits would last for ever.
    for _ in 0..10 {
        waker.wake();
        waker.wake();
        rig.reactor.park(None);
        rig.turn();
    }
    let (ask, asked) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        for () in asked {
            waker.wake();
        }
    });
    for _ in 0..100 {
        // Wake-ups so far may have been kept for one more wait.
        ask.send(()).unwrap();
        rig.reactor.park(None);
        rig.turn();
    }
    drop(ask);
    other.join().unwrap();
    rig.end();
}

fn a_wait_for_several_ends_with_one_that_comes_alone(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig { coalesce: Duration::from_millis(2), ..small() })
    else {
        return;
    };
    let (listener, address) = rig.listen();
    let clients: Vec<_> = (0..20).map(|_| rig.connect(&address)).collect();
    rig.until("accepted", |rig| rig.of(listener).accepted.len() == 20);
    let servers = rig.of(listener).accepted.clone();
    for round in 1..=50 {
        // All at once, then one alone, for which there is nothing to wait with: it comes though more were expected.
        clients.iter().for_each(|client| rig.reactor.write(*client, pattern(100), None).unwrap());
        rig.until("all have come", |rig| {
            servers.iter().map(|server| rig.of(*server).received.len()).sum::<usize>() == round * 2_100 - 100
        });
        rig.reactor.write(clients[0], pattern(100), None).unwrap();
        let before: usize = servers.iter().map(|server| rig.of(*server).received.len()).sum();
        while servers.iter().map(|server| rig.of(*server).received.len()).sum::<usize>() == before {
            rig.reactor.park(None);
            rig.turn();
        }
    }
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
    a_mebibyte_comes_out_as_it_went_in,
    both_ends_talk_at_once,
    what_is_sent_at_once_goes_before_what_waits,
    what_is_written_before_it_is_connected_waits,
    a_half_that_is_finished_leaves_the_other_open,
    closing_sends_what_is_queued_first,
    an_abort_is_seen_as_a_reset,
    writes_that_a_failure_overtakes_come_back,
    a_connection_to_nobody_is_refused,
    an_address_in_use_is_refused_with_the_address,
    a_paused_reader_bounds_memory_and_stops_the_writer,
    nothing_is_heard_while_paused_and_nothing_is_lost,
    large_writes_of_many_buffers_keep_their_order_through_short_sends,
    buffers_of_every_kind_are_sent,
    receiving_stops_without_chunks_and_goes_on_when_another_thread_gives_them_back,
    silent_connections_take_no_memory_that_others_need,
    datagrams_come_whole_with_their_sender,
    unix_sockets_carry_datagrams_too,
    unix_sockets_are_streams_too,
    a_paused_listener_lets_connections_wait,
    connections_beyond_the_limit_are_closed_at_once,
    events_carry_the_tag_of_their_socket,
    a_wake_up_ends_a_wait_before_and_after_it_begins,
    a_wait_for_several_ends_with_one_that_comes_alone,
    more_than_the_queues_hold_is_done_all_the_same,
);
