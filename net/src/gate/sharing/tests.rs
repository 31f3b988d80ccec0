//! A host and a peer on its machine that is made by hand, does what no host does, and checks what comes of it.

use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Time};
use corelane_shard::{Idle, On, System};

use super::*;
use crate::codec::Registry;
use crate::gate::GateStats;
use crate::link::{Inbound, Link, LinkConfig, LinkTo, Me, Verdict};
use crate::peer::node_of;
use crate::reactor::{Choice, ReactorConfig};
use crate::resolve::{Found, HOST, Lookup};
use crate::wire::{MessageHead, Room, Signal, Target};
use crate::{Endpoint, EndpointConfig, Net, NetConfig};

const LONG: Duration = Duration::from_secs(60);
const WIRE: Connection = Connection(1);
/// The bytes of a ring.
const RING: u64 = 128 << 10;

struct Host {
    system: System,
    address: SocketAddr,
}

impl Host {
    /// One whose shard sleeps as soon as it can, so that whoever is not rung for is not heard.
    fn start(reactor: ReactorConfig) -> Host {
        let mut registry = Registry::new();
        registry.register::<u64>().unwrap();
        let config =
            EndpointConfig { system: "test".into(), link: link_config(), ..EndpointConfig::default() };
        let system = System::builder()
            .shards(1)
            .pinned(false)
            .idle(Idle::Frugal)
            .region_bytes(32 << 20)
            .extension(Net::of(NetConfig { reactor, ..NetConfig::default() }))
            .extension(Endpoint::of(config, registry))
            .start()
            .unwrap();
        let address = system.extension::<Endpoint>().unwrap().address();
        Host { system, address }
    }

    fn each(test: impl Fn(Host)) {
        for backend in [Choice::Automatic, Choice::Poll] {
            // Room for a few bells only.
            test(Host::start(ReactorConfig { backend, send_bytes: 4096, ..ReactorConfig::default() }));
        }
    }

    fn stats(&self) -> GateStats {
        self.system.extension::<Endpoint>().unwrap().stats(0).unwrap()
    }

    fn until(&self, what: &str, holds: impl Fn(GateStats) -> bool) {
        let end = Instant::now() + LONG;
        while !holds(self.stats()) {
            assert!(Instant::now() < end, "{what}: {:?}", self.stats());
            std::thread::yield_now();
        }
    }

    fn noter(&self) -> (ActorRef<u64>, Receiver<u64>) {
        let (notes, noted) = channel();
        (self.system.spawn_on(On::Shard(0), move || Noter(notes.clone())).unwrap(), noted)
    }

    fn end(self) {
        let report = self.system.shutdown(LONG);
        assert!(report.is_clean(), "{report}");
    }
}

/// Heartbeats are none of what is counted here.
fn link_config() -> LinkConfig {
    LinkConfig { heartbeat: LONG, handshake: LONG, ..LinkConfig::default() }
}

struct Noter(Sender<u64>);

impl Actor for Noter {
    type Msg = u64;
    fn receive(&mut self, number: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.0.send(number);
        Ok(())
    }
}

/// Counts answers to look-ups.
#[derive(Default)]
struct Answers(u64);

impl Inbound for Answers {
    fn message(&mut self, head: MessageHead, _: &[u8]) -> Verdict {
        assert_eq!(head.envelope, crate::codec::envelope::<Found>());
        self.0 += 1;
        Verdict::Taken
    }
    fn signal(&mut self, _: Signal<'_>) {}
}

struct Peer {
    socket: UnixStream,
    memory: Memory,
    offer: [u8; OFFER],
    link: Link,
    came: Vec<u8>,
    answers: Answers,
}

impl Peer {
    /// One that has connected, and shares memory.
    fn of(host: &Host) -> Peer {
        let name = UnixAddr::from_abstract_name(format!("corelane/{}", host.address)).unwrap();
        let mut socket = UnixStream::connect_addr(&name).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let (mut memory, offer) = Memory::make(7).unwrap();
        socket.write_all(&offer).unwrap();
        let mut answer = [9];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [TAKEN]);
        memory.agreed();
        let address: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let node = |address| node_of("test", address);
        let me =
            Me { system: "test".into(), address: address.to_string(), node: node(address), incarnation: 1 };
        let to = LinkTo { node: node(host.address), incarnation: 0, shard: 0 };
        let link = Link::new(me, 0, to, link_config()).unwrap();
        Peer { socket, memory, offer, link, came: Vec::new(), answers: Answers::default() }
    }

    /// One whose link is open.
    fn joined(host: &Host) -> Peer {
        let mut peer = Peer::of(host);
        peer.link.start(Time::from_millis(1));
        peer.link.dialed(Time::from_millis(1), WIRE);
        peer.flush();
        while peer.link.open().is_none() {
            peer.read();
        }
        peer.flush();
        host.until("it is joined", |stats| stats.open_shared == 1);
        peer
    }

    fn write(&mut self, write: impl FnOnce(&mut Link, &mut Room<'_>)) {
        let mut bytes = vec![0; 64 << 10];
        let mut room = Room::new(&mut bytes);
        write(&mut self.link, &mut room);
        let mut bytes = room.written();
        while !bytes.is_empty() {
            let (sent, _) = self.memory.send(bytes);
            bytes = &bytes[sent..];
            // Whether it sleeps or not.
            self.ring();
        }
    }

    fn flush(&mut self) {
        self.write(|link, room| _ = link.flush(Time::from_millis(1), room));
    }

    fn ring(&mut self) {
        // Who has broken the rules is closed at any time.
        let _ = self.socket.write_all(&[0]);
    }

    /// Takes what has come through memory.
    fn read(&mut self) {
        let mut bytes = [0; 4096];
        let (count, _) = self.memory.receive(&mut bytes).unwrap();
        self.came.extend_from_slice(&bytes[..count]);
        loop {
            let received = self.link.received(Time::from_millis(1), WIRE, &self.came, &mut self.answers);
            self.came.drain(..received.bytes);
            if !received.again {
                break;
            }
        }
        std::thread::yield_now();
    }

    /// Has the host answer.
    fn ask(&mut self) {
        let lookup = Lookup { number: 1, type_hash: 1, path: "/user/nobody".into() };
        self.write(|link, room| link.tell(room, HOST, &lookup).unwrap());
    }

    /// Asks, and waits for the answer.
    fn ask_and_hear(&mut self) {
        let before = self.answers.0;
        self.ask();
        while self.answers.0 == before {
            self.read();
        }
        // What it may say to us, and we to it.
        self.flush();
    }

    /// The bells that have come.
    fn bells(&mut self) -> usize {
        self.socket.set_nonblocking(true).unwrap();
        let mut bells = 0;
        let mut bytes = [9; 4096];
        while let Ok(count @ 1..) = self.socket.read(&mut bytes) {
            assert_eq!(bytes[..count], [0; 4096][..count]);
            bells += count;
        }
        self.socket.set_nonblocking(false).unwrap();
        bells
    }

    fn until_closed(mut self) {
        let mut bells = Vec::new();
        if let Err(error) = self.socket.read_to_end(&mut bells) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }
}

#[test]
fn bytes_that_cannot_have_been_sent_close_the_connection_and_are_counted() {
    Host::each(|host| {
        for (closed, sent) in [RING + 1, u64::MAX, 1 << 63].into_iter().enumerate() {
            let mut peer = Peer::of(&host);
            peer.memory.pretend(sent, 0);
            peer.ring();
            peer.until_closed();
            host.until("it is counted", |stats| stats.violations == closed as u64 + 1);
        }
        // Fewer than were sent before.
        let mut peer = Peer::joined(&host);
        peer.memory.pretend(1, 0);
        peer.ring();
        peer.until_closed();
        host.until("it is counted", |stats| stats.violations == 4 && stats.open == 0);
        host.end();
    });
}

#[test]
fn bytes_that_cannot_have_been_received_close_the_connection_where_room_is_short() {
    Host::each(|host| {
        let mut peer = Peer::joined(&host);
        peer.memory.pretend(peer.memory.sent(), u64::MAX);
        // Answers that nobody takes, until there is no room for more.
        let mut asked = 0;
        while host.stats().violations == 0 {
            for _ in 0..100 {
                peer.ask();
                peer.memory.pretend(peer.memory.sent(), u64::MAX);
            }
            asked += 100;
            host.until("it has heard", |stats| stats.violations > 0 || stats.messages_in == asked);
        }
        peer.until_closed();
        host.until("it is closed", |stats| (stats.violations, stats.open) == (1, 0));
        host.end();
    });
}

#[test]
fn what_was_sent_before_a_peer_died_is_read_though_it_has_rung_no_more() {
    Host::each(|host| {
        let (noter, noted) = host.noter();
        let mut peer = Peer::joined(&host);
        let raw = noter.address().to_raw();
        let target = Target { identity: raw.identity, index: raw.index };
        let mut bytes = vec![0; 100 << 10];
        let mut room = Room::new(&mut bytes);
        // More than is read in one go.
        let mut count = 0;
        while room.used() < 80 << 10 {
            peer.link.tell(&mut room, target, &count).unwrap();
            count += 1;
        }
        assert_eq!(peer.memory.send(room.written()).0, room.used());
        drop(peer);
        for number in 0..count {
            assert_eq!(noted.recv_timeout(LONG), Ok(number));
        }
        host.until("it is gone", |stats| (stats.open, stats.violations) == (0, 0));
        host.end();
    });
}

#[test]
fn a_peer_that_always_sleeps_and_hears_no_bell_is_rung_for_in_vain_and_within_bounds() {
    Host::each(|host| {
        let mut peer = Peer::joined(&host);
        peer.bells();
        let rounds = 2000;
        for _ in 0..rounds {
            peer.memory.sleeps();
            peer.ask_and_hear();
        }
        host.until("it lives", |stats| (stats.open_shared, stats.violations) == (1, 0));
        // As many as the socket and what waits for it hold; no more.
        let mut bells = peer.bells();
        assert!(bells > 0);
        peer.memory.wakes();
        peer.ask_and_hear();
        bells += peer.bells();
        assert!(bells < rounds, "{bells}");
        // Heard, they are rung again.
        peer.memory.sleeps();
        peer.ask_and_hear();
        peer.socket.read_exact(&mut [9]).unwrap();
        drop(peer);
        host.end();
    });
}

#[test]
fn who_is_awake_is_not_rung_for() {
    Host::each(|host| {
        let mut peer = Peer::joined(&host);
        peer.memory.wakes();
        for _ in 0..100 {
            peer.ask_and_hear();
        }
        assert_eq!(peer.bells(), 0);
        drop(peer);
        host.end();
    });
}

#[test]
fn any_byte_that_comes_over_the_socket_is_a_bell() {
    Host::each(|host| {
        let mut peer = Peer::of(&host);
        peer.socket.write_all(&[255; 100_000]).unwrap();
        peer.link.start(Time::from_millis(1));
        peer.link.dialed(Time::from_millis(1), WIRE);
        peer.flush();
        while peer.link.open().is_none() {
            peer.read();
            peer.socket.write_all(&[255; 10]).unwrap();
        }
        peer.flush();
        peer.ask_and_hear();
        assert_eq!(host.stats().violations, 0);
        drop(peer);
        host.end();
    });
}

#[test]
fn memory_is_offered_once() {
    Host::each(|host| {
        // Through the memory that was taken.
        let mut peer = Peer::of(&host);
        let offer = peer.offer;
        peer.memory.send(&offer);
        peer.ring();
        peer.until_closed();
        host.until("it is counted", |stats| stats.violations == 1);
        // After one that was declined.
        let name = UnixAddr::from_abstract_name(format!("corelane/{}", host.address)).unwrap();
        let mut socket = UnixStream::connect_addr(&name).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let mut answer = [9];
        socket.write_all(&offer).unwrap();
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [DECLINED]);
        let (_memory, offer) = Memory::make(8).unwrap();
        socket.write_all(&offer).unwrap();
        host.until("it is counted", |stats| stats.violations == 2);
        host.end();
    });
}
