//! What must hold for any bytes from a peer. Run over random bytes by `tests/hostile.rs`, and for as long as one likes by the
//! fuzz targets in `fuzz/`, which include this file.

#![allow(unreachable_pub)]

use corelane_kernel::Time;
use corelane_net::codec::bytemuck::{CheckedBitPattern, NoUninit, Pod, Zeroable};
use corelane_net::codec::{self, Compact, DecodeError, Envelope, Fixed, Undelivered, Upgraded, Wire};
use corelane_net::link::{Connection, Inbound, Link, LinkConfig, LinkTo, Me, Verdict};
use corelane_net::wire::{Chunk, Frame, FrameError, HEAD, Hello, Kind, Meaning, MessageHead, Room, Signal};
use serde::{Deserialize, Serialize};

const LIMIT: u32 = 1 << 16;

/// Reads frames until there is none, and gives how many, and how it ended.
fn read_all<'a>(mut bytes: &'a [u8], mut each: impl FnMut(&Frame<'a>)) -> (usize, Result<(), FrameError>) {
    let mut taken = 0;
    loop {
        match Frame::read(bytes, LIMIT) {
            Ok(None) => return (taken, Ok(())),
            Err(error) => return (taken, Err(error)),
            Ok(Some((frame, size))) => {
                assert!(size >= HEAD && size.is_multiple_of(8) && size <= bytes.len());
                assert!(frame.body.len() <= LIMIT as usize);
                each(&frame);
                taken += size;
                bytes = &bytes[size..];
            }
        }
    }
}

/// Frames are the same in whatever pieces the bytes come; what is read and written again reads the same.
pub fn frames(data: &[u8]) {
    let mut whole = Vec::new();
    let (taken, end) = read_all(data, |frame| {
        whole.push(Meaning::read(frame));
        if let Ok(meaning) = Meaning::read(frame)
            && meaning != Meaning::Skipped
        {
            let mut bytes = vec![0; frame.body.len() + HEAD + 16];
            let mut room = Room::new(&mut bytes);
            assert!(meaning.write(&mut room), "{meaning:?}");
            let (again, size) = Frame::read(room.written(), LIMIT).unwrap().unwrap();
            assert_eq!(size, room.used());
            assert_eq!(Meaning::read(&again), Ok(meaning));
        }
    });

    // Byte by byte, keeping only what no frame has taken.
    let mut kept: Vec<u8> = Vec::new();
    let (mut pieces, mut piecewise_taken) = (0, 0);
    let mut piecewise_end = Ok(());
    for byte in data {
        kept.push(*byte);
        let (size, result) = read_all(&kept, |frame| {
            assert_eq!(Meaning::read(frame), whole[pieces]);
            pieces += 1;
        });
        kept.drain(..size);
        piecewise_taken += size;
        if result.is_err() {
            piecewise_end = result;
            break;
        }
    }
    assert_eq!((piecewise_taken, pieces, piecewise_end), (taken, whole.len(), end));
}

/// A body that is taken for a hello is one, and is written as it was read.
pub fn hello(data: &[u8]) {
    let (flags, body) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let frame = Frame { kind: Some(Kind::Hello), flags, detail: 0, body };
    if let Ok(hello) = Hello::read(&frame) {
        let mut bytes = [0; 1024];
        let mut room = Room::new(&mut bytes);
        assert!(hello.write(&mut room));
        assert_eq!(room.used(), hello.size());
        let (again, _) = Frame::read(room.written(), LIMIT).unwrap().unwrap();
        assert_eq!(Hello::read(&again), Ok(hello));
        if let Some(version) = hello.common_version(2, 5) {
            assert!((2..=5).contains(&version));
            assert!((hello.version_oldest..=hello.version_newest).contains(&version));
        }
    }
}

/// A body that is taken for a chunk is one.
pub fn chunk(data: &[u8]) {
    let (flags, body) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let frame = Frame { kind: Some(Kind::Chunk), flags, detail: 0, body };
    if let Ok(chunk) = Chunk::read(&frame) {
        assert!(!chunk.bytes.is_empty() && chunk.bytes.len() + 16 == body.len());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, NoUninit, CheckedBitPattern)]
#[repr(u8)]
pub enum Side {
    Buy = 1,
    Sell = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, NoUninit, CheckedBitPattern)]
#[repr(C)]
pub struct Trade {
    pub at: u64,
    pub amount: u32,
    pub side: Side,
    pub zero: [u8; 3],
}

impl Wire for Trade {
    const NAME: &'static str = "test.Trade";
    type Form = Fixed;
}

#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct TickV1 {
    pub at: u64,
    pub price: u64,
}

impl Wire for TickV1 {
    const NAME: &'static str = "test.Tick";
    type Form = Fixed;
}

/// The next version, with a field at the end.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Tick {
    pub at: u64,
    pub price: u64,
    pub amount: u64,
}

impl Wire for Tick {
    const NAME: &'static str = "test.Tick";
    const VERSION: u16 = 2;
    const READABLE_SINCE: u16 = 1;
    type Form = Upgraded<TickV1, Fixed>;
}

impl From<TickV1> for Tick {
    fn from(old: TickV1) -> Tick {
        Tick { at: old.at, price: old.price, amount: 1 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderV1 {
    Place { item: String, count: u32 },
    Cancel(u64),
}

impl Wire for OrderV1 {
    const NAME: &'static str = "test.Order";
    type Form = Compact;
}

/// The next version, whose first variant has other fields: no older reader can read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderV2 {
    Place { item: String, count: u32, note: Option<String> },
    Cancel(u64),
}

impl Wire for OrderV2 {
    const NAME: &'static str = "test.Order";
    const VERSION: u16 = 2;
    type Form = Upgraded<OrderV1, Compact>;
}

impl From<OrderV1> for OrderV2 {
    fn from(old: OrderV1) -> OrderV2 {
        match old {
            OrderV1::Place { item, count } => OrderV2::Place { item, count, note: None },
            OrderV1::Cancel(id) => OrderV2::Cancel(id),
        }
    }
}

/// And the next, with a variant at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    Place { item: String, count: u32, note: Option<String> },
    Cancel(u64),
    Flush,
}

impl Wire for Order {
    const NAME: &'static str = "test.Order";
    const VERSION: u16 = 3;
    const READABLE_SINCE: u16 = 2;
    type Form = Upgraded<OrderV2, Compact>;
}

impl From<OrderV2> for Order {
    fn from(old: OrderV2) -> Order {
        match old {
            OrderV2::Place { item, count, note } => Order::Place { item, count, note },
            OrderV2::Cancel(id) => Order::Cancel(id),
        }
    }
}

fn decoded<M: Wire<Form: codec::Codec<M>> + PartialEq + std::fmt::Debug>(
    version: u16,
    since: u16,
    body: &[u8],
) {
    let envelope = Envelope { type_hash: codec::type_hash(M::NAME), version, readable_since: since };
    if let Ok(message) = codec::decode::<M>(envelope, body) {
        // What was decoded has a form of its own, which decodes to the same.
        let bytes = codec::encode_large(&message, 16, 1 << 20).unwrap();
        assert_eq!(codec::decode::<M>(codec::envelope::<M>(), &bytes).unwrap(), message);
        assert!(since <= version || version < M::VERSION, "version {version} since {since}");
    }
}

/// Any bytes in any envelope are a message, or an error.
pub fn envelope(data: &[u8]) {
    let Some((&[version, since], body)) = data.split_first_chunk() else { return };
    let (version, since) = (u16::from(version % 5), u16::from(since % 5));
    decoded::<Trade>(version, since, body);
    decoded::<Tick>(version, since, body);
    decoded::<TickV1>(version, since, body);
    decoded::<Order>(version, since, body);
    decoded::<OrderV1>(version, since, body);
}

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
    fn signal(&mut self, _: Signal<'_>) {
        self.last_signal += 1;
    }
}

/// A link takes any bytes after a good hello: what it hands over is within its limits, and it goes on or closes.
pub fn link(data: &[u8]) {
    let me = Me { system: "x".into(), address: String::new(), node: 10, incarnation: 100 };
    let to = LinkTo { node: 20, incarnation: 0, shard: 0 };
    let config = LinkConfig {
        frame_max: 4096,
        chunk: 1024,
        message_max: 5000,
        credit_bytes: 20_000,
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
        system: "x",
        address: "",
    };
    let mut bytes = vec![0; config.room_min()];
    link.accept(now, connection, &hello, &mut Room::new(&mut bytes)).unwrap();
    let mut greedy = Greedy::default();
    let mut rest = data;
    loop {
        let received = link.received(now, connection, rest, &mut greedy);
        rest = &rest[received.bytes..];
        // Whatever came, what is written is good.
        let mut room = Room::new(&mut bytes);
        link.flush(now, &mut room);
        let (_, end) = read_all(room.written(), |frame| assert!(Meaning::read(frame).is_ok()));
        assert_eq!(end, Ok(()));
        if !received.again {
            break;
        }
    }
    let stats = link.stats();
    assert!(greedy.messages <= 20 + 20 && stats.messages_in == greedy.messages);
    assert_eq!(stats.signals_in, greedy.last_signal);
    assert!(stats.violations <= 1 && (link.open().is_some() || rest.is_empty() || greedy.messages == 0));
    while link.poll().is_some() {}
    link.tick(Time::from_millis(100_000));
}
