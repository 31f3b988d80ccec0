//! Peers that announce what no buffer holds, and pieces that lead nowhere, as fast as their sockets take them: only their own
//! connections end for it, and nobody else is held up.

use std::net::SocketAddr;
use std::sync::mpsc::Receiver;

use corelane_kernel::ActorRef;
use corelane_net::codec::type_hash;
use corelane_net::reactor::Choice;
use corelane_net::wire::{Chunk, Envelope, HEAD, Meaning, MessageHead, Room, Target};
use corelane_shard::On;

use crate::common::*;
use crate::untrusted::Forger;

/// A host with an adder, and another that is served all the while.
struct Scene {
    far: Host,
    seen: Receiver<u64>,
    friend: Host,
    adder: ActorRef<Order>,
    told: u64,
}

impl Scene {
    fn new() -> Scene {
        let (far, friend) = (host(1, Choice::Automatic), host(1, Choice::Automatic));
        let (_, seen) = Adder::spawn(&far, On::Shard(0), "adder");
        let adder = friend.lookup(&far.url("adder")).unwrap();
        Scene { far, seen, friend, adder, told: 0 }
    }

    /// Has a peer do harm, with the friend served meanwhile.
    fn beside<T: Send>(&mut self, harm: impl FnOnce(SocketAddr) -> T + Send) -> T {
        let address = self.far.address;
        std::thread::scope(|threads| {
            let harm = threads.spawn(move || harm(address));
            loop {
                let over = harm.is_finished();
                for number in self.told + 1..=self.told + 100 {
                    self.friend.tell(0, self.adder, Order::Add(number));
                }
                let answer = self.friend.ask(0, self.adder).unwrap();
                self.told += 100;
                assert_eq!(answer, (1..=self.told).sum());
                for number in self.told - 99..=self.told {
                    assert_eq!(self.seen.try_recv(), Ok(number));
                }
                if over {
                    return harm.join().unwrap();
                }
            }
        })
    }

    fn end(self, violations: u64) {
        assert_eq!((self.friend.gate().lost, self.far.gate().violations), (0, violations));
        self.friend.end();
        self.far.end();
    }
}

fn bytes(meaning: &Meaning<'_>) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 10];
    let mut room = Room::new(&mut bytes);
    assert!(meaning.write(&mut room));
    room.written().to_vec()
}

fn piece(stream: u32, offset: u64, piece: &[u8]) -> Vec<u8> {
    bytes(&Meaning::Chunk(Chunk { stream, offset, last: false, bytes: piece }))
}

/// A message to nobody, of a type that nobody has.
fn unknown() -> Vec<u8> {
    let envelope = Envelope { type_hash: type_hash("nobody's"), version: 1, readable_since: 1 };
    let head = MessageHead { target: Target { identity: 1 << 32 | 1, index: 1 }, envelope };
    bytes(&Meaning::Message(head, &[]))
}

/// Reliability 26: each kind of what makes no sense, again and again as fast as it goes.
#[test]
fn bombs_end_the_connection_that_they_come_over_and_hold_up_nobody_else() {
    let mut scene = Scene::new();
    // A message's head without its frame's, and a length.
    let endless = [&unknown()[HEAD..], &(4_u64 << 30).to_le_bytes()].concat();
    let bombs: [(&str, Vec<u8>); 5] = [
        ("a length of 4 GiB", [0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0].repeat(65_535)),
        ("pieces with gaps", (0..65_535).flat_map(|number| piece(1, number * 16, &[1; 8])).collect()),
        (
            "streams that begin and go no further",
            (0..65_535).flat_map(|stream| piece(stream, 0, &[1])).collect(),
        ),
        ("a message of 4 GiB, announced", piece(1, 0, &endless)),
        ("pieces of nothing", [0, 0, 0, 0, 8, 0, 0, 0].repeat(65_535)),
    ];
    let count = bombs.len() as u64;
    for (number, (what, bomb)) in bombs.into_iter().enumerate() {
        scene.beside(|far| {
            let mut peer = Forger::new(far, &format!("127.0.0.1:{}", 9 + number));
            peer.throw(&bomb);
            peer.until_closed();
        });
        assert_eq!(scene.far.gate().violations, number as u64 + 1, "{what}");
    }
    scene.end(count);
}

/// Reliability 26: frames that may be skipped, and messages of types that nobody has, are no violation; they hold up nobody.
#[test]
fn a_storm_of_what_means_nothing_is_counted_and_holds_up_nobody_else() {
    let mut scene = Scene::new();
    scene.beside(|far| {
        let mut peer = Forger::new(far, "127.0.0.1:9");
        peer.throw(&[0, 0, 0, 0, 200, 0, 0, 0].repeat(1_000_000));
        // Within the credit that the hello gave.
        peer.throw(&unknown().repeat(50_000));
        // Whoever sent it is still served.
        peer.look_up("/user/adder").unwrap();
    });
    assert_eq!(scene.far.gate().refused_in, 50_000);
    scene.end(0);
}
