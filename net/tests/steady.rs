//! In the steady state a reactor allocates nothing: neither to send nor to receive, nor for what it remembers.

mod counting;

use corelane_net::buffers::Buffer;
use corelane_net::reactor::{Choice, EventKind, Options, Reactor, ReactorConfig};

/// Sends a buffer to and fro; gives how many allocations the last rounds took.
fn allocations(mut reactor: Reactor) -> u64 {
    let options = Options::default();
    let listener = reactor.listen(&"127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let client = reactor.connect(&reactor.local_address(listener).unwrap(), &options).unwrap();
    reactor.resume(client);
    let mut idle: Option<Vec<u8>> = Some(vec![7; 1000]);
    let (mut heard, mut rounds, mut before, mut under_way) = (0, 0, 0, false);
    while rounds < 2_000 {
        if !under_way && let Some(bytes) = idle.take() {
            reactor.write(client, bytes, Some(1)).unwrap();
            under_way = true;
        }
        reactor.park(None);
        reactor.turn();
        while let Some(event) = reactor.next_event() {
            match event.kind {
                EventKind::Accepted(socket) => {
                    reactor.set_tag(socket, 1);
                    reactor.resume(socket);
                }
                // The server sends back what it received, in its own memory.
                EventKind::Received(bytes) if event.tag == 1 => {
                    reactor.write(event.socket, Buffer::from(bytes), None).unwrap();
                }
                EventKind::Received(bytes) => heard += bytes.len(),
                EventKind::Written { buffer, .. } => idle = buffer.into_vec(),
                _ => {}
            }
        }
        if heard == 1000 {
            (heard, rounds, under_way) = (0, rounds + 1, false);
            if rounds == 1_000 {
                before = counting::allocations();
            }
        }
    }
    counting::allocations() - before
}

#[test]
fn nothing_is_allocated_to_send_and_receive() {
    for backend in [Choice::Uring, Choice::Poll] {
        match Reactor::open(&ReactorConfig { backend, ..ReactorConfig::default() }) {
            Ok(reactor) => assert_eq!(allocations(reactor), 0, "{backend:?}"),
            Err(error) => println!("SKIPPED: {error}"),
        }
    }
}
