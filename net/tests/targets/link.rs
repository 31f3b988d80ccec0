//! Any bytes, over a connection on which somebody has said hello.

use corelane_kernel::Time;
use corelane_net::codec::{DecodeError, Undelivered};
use corelane_net::link::{Connection, Inbound, Link, LinkConfig, LinkTo, Me, Verdict};
use corelane_net::wire::{Hello, MessageHead, Room, Run, Signal};

use super::reading::{meaning, read_all};
use crate::counting::most_held;

/// Bytes of messages that may be under way to the link, and of the longest of them.
const CREDIT: u64 = 20_000;
const MESSAGE_MAX: u64 = 5_000;
/// Bytes that a link may hold of what a peer says: the messages that are not whole yet, in memory that doubles as they grow
/// and is moved then, and what it notes down of each frame for which it has something to say.
const CAP: usize = 4 * (CREDIT + MESSAGE_MAX) as usize;

/// Takes everything, and keeps a little of it back.
#[derive(Default)]
struct Greedy {
    messages: u64,
    last_signal: u64,
}

impl Inbound for Greedy {
    fn message(&mut self, head: MessageHead, body: &[u8]) -> Verdict {
        self.messages += 1;
        match head.target.index % 4 {
            0 => Verdict::Held,
            1 => Verdict::Refused(Undelivered::Decode(DecodeError::Malformed)),
            _ if body.len() > 1000 => Verdict::Refused(Undelivered::UnknownType),
            _ => Verdict::Taken,
        }
    }
    fn run(&mut self, head: MessageHead, run: Run<'_>) -> usize {
        let taken = if head.target.index % 4 == 2 { run.count().min(2) } else { 0 };
        self.messages += taken as u64;
        taken
    }
    fn signal(&mut self, _: Signal<'_>) {
        self.last_signal += 1;
    }
}

/// A link takes any bytes after a good hello: what it hands over is within its limits, and it goes on or closes.
pub(crate) fn check(data: &[u8]) {
    let me = Me { system: "x".into(), address: String::new(), node: 10, incarnation: 100 };
    let to = LinkTo { node: 20, incarnation: 0, shard: 0 };
    let config = LinkConfig {
        frame_max: 4096,
        chunk: 1024,
        message_max: MESSAGE_MAX,
        credit_bytes: CREDIT,
        credit_messages: 20,
        strikes_max: 10,
        ..LinkConfig::default()
    };
    let mut link = Link::new(me, 0, to, config).unwrap();
    let now = Time::from_millis(1);
    let connection = Connection(1);
    let hello = Hello {
        welcome: false,
        version_oldest: 1,
        version_newest: 1,
        from_shard: 0,
        to_shard: 0,
        capabilities: u64::MAX,
        required: 0,
        node: 20,
        incarnation: 200,
        to_node: 10,
        to_incarnation: 100,
        epoch: 1,
        association: 1,
        frame_max: 4096,
        message_max: 5000,
        credit_bytes: 20_000,
        credit_messages: 20,
        signals_received: 0,
        streams_max: 4,
        system: "x",
        address: "",
    };
    let mut bytes = vec![0; config.room_min()];
    link.accept(now, connection, &hello, &mut Room::new(&mut bytes)).unwrap();
    let mut greedy = Greedy::default();
    let mut rest = data;
    let mut most = 0;
    loop {
        let (received, held) = most_held(|| link.received(now, connection, rest, &mut greedy));
        most = most.max(held);
        rest = &rest[received.bytes..];
        // Whatever came, what is written is good.
        let mut room = Room::new(&mut bytes);
        link.flush(now, &mut room);
        let (_, end) = read_all(room.written(), |frame| assert!(meaning(frame).is_ok()));
        assert_eq!(end, Ok(()));
        if !received.again {
            break;
        }
    }
    assert!(most <= CAP, "{most} bytes");
    let stats = link.stats();
    assert!(greedy.messages <= 20 + 20 && stats.messages_in == greedy.messages);
    assert_eq!(stats.signals_in, greedy.last_signal);
    assert!(stats.violations <= 1 && (link.open().is_some() || rest.is_empty() || greedy.messages == 0));
    while link.poll().is_some() {}
    link.tick(Time::from_millis(100_000));
}
