//! Sessions beside the keys of several shards, without sockets and threads.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::batch::Batch;
use crate::keyspace::Keyspace;
use crate::session::{Here, Session};

/// A session on shard 0 of so many, and the batches that are under way.
struct Desk {
    session: Session,
    keys: Vec<Keyspace>,
    away: VecDeque<(usize, Box<Batch>)>,
    input: Vec<u8>,
    now: u64,
}

impl Desk {
    fn new(shards: usize) -> Desk {
        let keys = (0..shards).map(|_| Keyspace::default()).collect();
        Desk { session: Session::new(), keys, away: VecDeque::new(), input: Vec::new(), now: 1000 }
    }

    fn read(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        let shards = self.keys.len();
        let mut here = Here { keys: &mut self.keys[0], now: self.now, shard: 0, shards };
        let done = self.session.read(&self.input, &mut here);
        self.input.drain(..done);
        self.away.extend(self.session.outgoing());
    }

    /// One batch is done, and back.
    fn bring_back(&mut self, which: usize) {
        // Batches to one shard stay in order.
        let shard = self.away[which % self.away.len()].0;
        let first = self.away.iter().position(|(to, _)| *to == shard).expect("a batch");
        let (shard, mut batch) = self.away.remove(first).expect("a batch");
        batch.run(&mut self.keys[shard], self.now);
        self.session.returned(batch);
    }

    fn said(&mut self) -> String {
        String::from_utf8(std::mem::take(self.session.output())).expect("text")
    }

    /// Has a line done wherever its keys are, and gives the reply.
    fn ask(&mut self, line: &str) -> String {
        self.read(format!("{line}\r\n").as_bytes());
        while !self.away.is_empty() {
            self.bring_back(0);
        }
        self.said()
    }
}

#[test]
fn commands_do_what_they_do_elsewhere() {
    for shards in [1, 3] {
        let mut desk = Desk::new(shards);
        for (line, reply) in [
            ("ping", "+PONG\r\n"),
            ("PING hello", "$5\r\nhello\r\n"),
            ("GET a", "$-1\r\n"),
            ("SET a 1", "+OK\r\n"),
            ("GET a", "$1\r\n1\r\n"),
            ("SET a 2 NX", "$-1\r\n"),
            ("SET b 2 XX", "$-1\r\n"),
            ("SET a 2 XX GET", "$1\r\n1\r\n"),
            ("SET a 3 XX NX", "-ERR syntax error\r\n"),
            ("SET a 3 EX 0", "-ERR invalid expire time in 'set' command\r\n"),
            ("SET a 3 EX x", "-ERR value is not an integer or out of range\r\n"),
            ("INCR a", ":3\r\n"),
            ("INCRBY a 40", ":43\r\n"),
            ("DECR n", ":-1\r\n"),
            ("DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"),
            ("MSET x 1 y 2 z 3", "+OK\r\n"),
            ("MSET x", "-ERR wrong number of arguments for 'mset' command\r\n"),
            ("MSET x 1 y", "-ERR wrong number of arguments for 'mset' command\r\n"),
            ("MGET x none y z", "*4\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
            ("EXISTS x x y none", ":3\r\n"),
            ("DBSIZE", ":5\r\n"),
            ("TTL x", ":-1\r\n"),
            ("TTL none", ":-2\r\n"),
            ("EXPIRE x 10", ":1\r\n"),
            ("TTL x", ":10\r\n"),
            ("PTTL x", ":10000\r\n"),
            ("EXPIRE x 20 NX", ":0\r\n"),
            ("EXPIRE x 5 GT", ":0\r\n"),
            ("EXPIRE x 5 LT", ":1\r\n"),
            ("EXPIRE x 5 QQ", "-ERR Unsupported option QQ\r\n"),
            ("PERSIST x", ":1\r\n"),
            ("PERSIST x", ":0\r\n"),
            ("EXPIRE x -1", ":1\r\n"),
            ("EXISTS x", ":0\r\n"),
            ("DEL y z none", ":2\r\n"),
            ("FLUSHALL", "+OK\r\n"),
            ("DBSIZE", ":0\r\n"),
            ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
            ("COMMAND COUNT", ":28\r\n"),
            ("SELECT 1", "-ERR DB index is out of range\r\n"),
            ("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
            ("LPUSH l 1", "-ERR unknown command 'LPUSH', with args beginning with: 'l' '1' \r\n"),
            ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
        ] {
            assert_eq!(desk.ask(line), reply, "{line}, {shards} shards");
        }
        let hello = desk.ask("HELLO 3");
        assert!(hello.starts_with("%6\r\n$6\r\nserver\r\n"), "{hello}");
        assert_eq!(desk.ask("GET none"), "_\r\n");
        assert_eq!(desk.ask("QUIT"), "+OK\r\n");
        assert!(desk.session.is_over());
        assert_eq!(desk.ask("PING"), "");
    }
}

#[test]
fn nonsense_is_answered_and_ends_the_session() {
    let mut desk = Desk::new(2);
    assert_eq!(desk.ask("*1\r\n+PING"), "-ERR Protocol error: expected '$', got '+'\r\n");
    assert!(desk.session.is_over());
}

/// A key of the other one of two shards.
fn far_key() -> String {
    let mut keys = (0..).map(|n| format!("k{n}"));
    keys.find(|key| super::session::shard_of(key.as_bytes(), 2) == 1).expect("half of them are")
}

#[test]
fn replies_that_wait_for_one_before_them_are_bounded() {
    let mut desk = Desk::new(2);
    desk.read(format!("INCR {}\r\n", far_key()).as_bytes());
    let (echo, reply) = ("x".repeat(10_000), format!("$10000\r\n{}\r\n", "x".repeat(10_000)));
    for _ in 0..200 {
        desk.read(format!("ECHO {echo}\r\n").as_bytes());
    }
    assert!(desk.session.is_full() && desk.input.len() > 80 * echo.len());
    assert_eq!(desk.said(), "");
    desk.bring_back(0);
    let mut said = desk.said();
    while !desk.input.is_empty() {
        desk.read(b"");
        said += &desk.said();
    }
    assert!(said == ":1\r\n".to_owned() + &reply.repeat(200));
}

#[test]
fn a_peer_that_sends_on_has_to_wait_until_replies_have_left() {
    let mut desk = Desk::new(2);
    let key = far_key();
    for _ in 0..6000 {
        desk.read(format!("INCR {key}\r\n").as_bytes());
    }
    assert!(desk.session.is_full() && !desk.input.is_empty());
    let mut replies = 0;
    while !desk.away.is_empty() {
        while !desk.away.is_empty() {
            desk.bring_back(0);
        }
        for reply in desk.said().split_terminator("\r\n") {
            replies += 1;
            assert_eq!(reply, format!(":{replies}"));
        }
        desk.read(b"");
    }
    assert_eq!((replies, desk.input.len()), (6000, 0));
}

proptest! {
    /// Whatever is under way elsewhere and comes back when, the replies are those of one shard, in order.
    #[test]
    fn replies_are_in_order_and_the_same_on_one_shard_and_on_many(
        lines in prop::collection::vec((0usize..11, 0u8..5, 0u8..5), 1..60),
        together in prop::collection::vec(any::<bool>(), 60),
        back in prop::collection::vec(any::<Option<u8>>(), 60),
        shards in 2usize..5,
    ) {
        let line = |(what, a, b): &(usize, u8, u8)| match what {
            0 => format!("SET k{a} {b}"),
            1 => format!("GET k{a}"),
            2 => format!("MGET k{a} k{b} none"),
            3 => format!("MSET k{a} {b} k{b} {a}"),
            4 => format!("DEL k{a} k{b}"),
            5 => format!("EXISTS k{a} k{b} k{a}"),
            6 => format!("INCR k{a}"),
            7 => "PING".to_owned(),
            8 => "NONSENSE".to_owned(),
            9 => format!("HELLO {}", 2 + a % 2),
            _ => format!("SET k{a} {b} NX GET"),
        };
        let (mut one, mut many) = (Desk::new(1), Desk::new(shards));
        let (mut expected, mut said, mut unread) = (String::new(), String::new(), String::new());
        for (n, request) in lines.iter().enumerate() {
            unread += &(line(request) + "\r\n");
            // Some come with the next, and share its batches.
            if together[n] && n + 1 < lines.len() {
                continue;
            }
            one.read(unread.as_bytes());
            many.read(unread.as_bytes());
            unread.clear();
            if let (Some(which), false) = (back[n], many.away.is_empty()) {
                many.bring_back(which.into());
            }
            expected += &one.said();
            said += &many.said();
            prop_assert!(expected.starts_with(&said));
        }
        while !many.away.is_empty() {
            many.bring_back(1);
        }
        said += &many.said();
        prop_assert_eq!(said, expected);
    }
}
