//! What users of connections see: what goes in comes out, halves and ends, and what is refused.

use std::io::{ErrorKind, Write};

use super::rig::{Rig, pattern, small};
use super::{Open, on_every_backend};
use crate::buffers::Buffer;
use crate::reactor::choose::proof;
use crate::reactor::{Backend, Options, ReactorConfig, Taken, WriteError};

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

fn a_vector_that_was_sent_is_there_for_who_asks_and_one_with_a_token_goes_back(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (_, client, server) = rig.pair();
    for (round, token) in [None, Some(7), None].into_iter().enumerate() {
        let mut vector = rig.reactor.spare(1_000);
        vector.extend_from_slice(&pattern(1_000));
        let at = vector.as_ptr();
        rig.reactor.write(client, vector, token).unwrap();
        rig.until("it has come, and its operation has ended", |rig| {
            rig.of(server).received.len() == (round + 1) * 1_000 && rig.reactor.unsent(client) == 0
        });
        let again = rig.reactor.spare(1);
        assert!(again.is_empty() && (token.is_some() || again.as_ptr() == at));
    }
    assert!(rig.of(server).received.chunks(1_000).all(|piece| piece == pattern(1_000)));
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

fn an_address_that_was_taken_before_is_nobody_elses_and_who_came_is_accepted(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let taken = Taken::at("127.0.0.1:0".parse().unwrap(), &Options::default()).unwrap();
    let address = taken.address;
    // Before the reactor knows of it.
    let mut early = std::net::TcpStream::connect(address).unwrap();
    let shared = Options { reuse_port: true, ..Options::default() };
    assert!(Taken::at(address, &shared).is_err());
    match rig.reactor.listen_on(taken) {
        Err(error) => assert_eq!(
            (rig.reactor.backend(), error.to_string().contains("unsupported")),
            (Backend::Simulated, true)
        ),
        Ok(listener) => {
            early.write_all(b"hello").unwrap();
            rig.until("accepted", |rig| {
                let server = rig.of(listener).accepted.first().copied();
                server.is_some_and(|server| rig.of(server).received == b"hello")
            });
            let late = rig.connect(&address.into());
            rig.until("accepted", |rig| rig.of(listener).accepted.len() == 2 && rig.of(late).connected == 1);
            assert!(Taken::at(address, &shared).is_err());
        }
    }
    rig.end();
}

fn an_address_in_use_is_refused_with_the_address(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let (_, address) = rig.listen();
    let error = rig.reactor.listen(&address, &Options::default()).unwrap_err().to_string();
    assert!(error.starts_with(&address.to_string()), "{error}");
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

on_every_backend!(
    a_mebibyte_comes_out_as_it_went_in,
    both_ends_talk_at_once,
    what_is_sent_at_once_goes_before_what_waits,
    a_vector_that_was_sent_is_there_for_who_asks_and_one_with_a_token_goes_back,
    what_is_written_before_it_is_connected_waits,
    a_half_that_is_finished_leaves_the_other_open,
    closing_sends_what_is_queued_first,
    an_abort_is_seen_as_a_reset,
    writes_that_a_failure_overtakes_come_back,
    a_connection_to_nobody_is_refused,
    an_address_that_was_taken_before_is_nobody_elses_and_who_came_is_accepted,
    an_address_in_use_is_refused_with_the_address,
    buffers_of_every_kind_are_sent,
    events_carry_the_tag_of_their_socket,
);
