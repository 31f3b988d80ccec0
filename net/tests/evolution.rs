//! Messages of other versions: bytes that were written once are kept in `tests/old/`, one file for each version of a type,
//! and must be read for ever.

#[path = "targets/messages.rs"]
mod messages;

use std::fs;
use std::path::Path;

use std::time::Duration;

use corelane_kernel::{FailureKind, Group, RawAddress};
use corelane_net::codec::{self, Codec, DecodeError, Envelope, Wire};
use corelane_net::wire::{Fault, Frame, News, NoChild, Ordered, Room, Signal, Spawn};
use messages::{Order, OrderV1, OrderV2, Side, Tick, TickV1, Trade};

/// Bytes as they are kept: version, readable since, then the message, in hexadecimal.
fn kept(name: &str) -> (u16, u16, Vec<u8>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut words = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let mut number = || words.next().expect("a number").parse().expect("a number");
    let (version, since) = (number(), number());
    (version, since, words.map(|byte| u8::from_str_radix(byte, 16).expect("a byte")).collect())
}

fn read<M: Wire<Form: Codec<M>>>(name: &str) -> Result<M, DecodeError> {
    let (version, readable_since, body) = kept(name);
    let envelope = Envelope { type_hash: codec::type_hash(M::NAME), version, readable_since };
    codec::decode(envelope, &body)
}

/// What is written today is what was kept: a change of the format would be found here first.
fn writes<M: Wire<Form: Codec<M>>>(message: &M, name: &str) {
    let bytes = codec::encode_large(message, 64, 1 << 16).unwrap();
    let envelope = codec::envelope::<M>();
    assert_eq!((envelope.version, envelope.readable_since, bytes), kept(name), "{name}");
}

fn placed_v1() -> OrderV1 {
    OrderV1::Place { item: "bolt".into(), count: 300 }
}

fn placed_v2() -> OrderV2 {
    OrderV2::Place { item: "bolt".into(), count: 300, note: Some("now".into()) }
}

#[test]
fn what_was_written_once_is_still_written_so() {
    writes(&TickV1 { at: 1, price: 0x0203 }, "tick.v1");
    writes(&Tick { at: 1, price: 0x0203, amount: 4 }, "tick.v2");
    writes(&Trade { at: 9, amount: 8, side: Side::Sell, zero: [0; 3] }, "trade.v1");
    writes(&placed_v1(), "order.v1");
    writes(&placed_v2(), "order.v2");
    writes(&Order::Cancel(1 << 40), "order.v3");
    writes(&Order::Flush, "order-flush.v3");
}

#[test]
fn a_newer_reader_reads_what_older_ones_wrote() {
    assert_eq!(read("tick.v1"), Ok(Tick { at: 1, price: 0x0203, amount: 1 }));
    let placed =
        |note: Option<&str>| Order::Place { item: "bolt".into(), count: 300, note: note.map(str::to_owned) };
    assert_eq!(read("order.v1"), Ok(placed(None)));
    assert_eq!(read("order.v2"), Ok(placed(Some("now"))));
}

#[test]
fn an_older_reader_leaves_appended_fields_alone() {
    assert_eq!(read("tick.v2"), Ok(TickV1 { at: 1, price: 0x0203 }));
    assert_eq!(read("order.v3"), Ok(OrderV2::Cancel(1 << 40)));
}

#[test]
fn an_older_reader_refuses_what_it_cannot_read() {
    let refused = DecodeError::Version { written: 2, reads: 1 };
    assert_eq!(read::<OrderV1>("order.v2"), Err(refused));
    assert_eq!(read::<OrderV1>("order.v3"), Err(DecodeError::Version { written: 3, reads: 1 }));
    // A variant that came later, in a version that is readable otherwise.
    assert_eq!(read::<OrderV2>("order-flush.v3"), Err(DecodeError::Malformed));
}

/// What stands in `tests/old/` of frames, whole.
fn kept_frame(name: &str) -> Vec<u8> {
    let (_, _, bytes) = kept(name);
    bytes
}

#[test]
fn what_families_said_to_each_other_once_is_read_and_written_so_for_ever() {
    let raw = |index| RawAddress { identity: 0x0000_0001_0000_0007, index, shard: 2 };
    let (far, near) = (raw(0x40), raw(0x80));
    let fault = Fault { kind: FailureKind::Start, error: 0x1234_5678, text: "no disk" };
    let spawn = Spawn {
        envelope: Envelope { type_hash: codec::type_hash("shop.Till"), version: 3, readable_since: 2 },
        protocol: codec::type_hash("shop.Order"),
        group: Group::Bulk,
        mailbox: 64,
        anywhere: true,
        name: "till",
        path: "/user/shop",
        props: &[1, 2, 3],
    };
    let restart = Ordered::Restart { wait: Duration::from_millis(1500), fault };
    let ask = News::Unborn(NoChild::AskShard(3));
    for (name, number, signal) in [
        ("restart.signal", 1, Signal::Order { child: near, outpost: far, round: 2, order: restart }),
        ("hold.signal", 2, Signal::Order { child: near, outpost: far, round: 2, order: Ordered::Hold }),
        (
            "failed.signal",
            3,
            Signal::Report { child: far, outpost: near, round: 2, news: News::Failed(fault) },
        ),
        (
            "ask.signal",
            4,
            Signal::Report { child: RawAddress::default(), outpost: near, round: 0, news: ask },
        ),
        ("spawn.signal", 5, Signal::Spawn { outpost: far, parent: near, spawn }),
    ] {
        let old = kept_frame(name);
        let (frame, size) = Frame::read(&old, 4096).unwrap().unwrap();
        assert_eq!((Signal::read(&frame), size), (Ok((number, signal)), old.len()), "{name}");
        let mut bytes = [0; 512];
        let mut room = Room::new(&mut bytes);
        assert!(signal.write(number, &mut room));
        assert_eq!(room.written(), old, "{name}");
    }
}

#[test]
fn what_is_too_short_too_long_or_no_value_is_refused() {
    let envelope = codec::envelope::<Trade>();
    let mut bytes =
        codec::encode_large(&Trade { at: 9, amount: 8, side: Side::Buy, zero: [0; 3] }, 64, 64).unwrap();
    assert!(codec::decode::<Trade>(envelope, &bytes).is_ok());
    assert_eq!(codec::decode::<Trade>(envelope, &bytes[..15]), Err(DecodeError::Malformed));
    bytes[12] = 3;
    assert_eq!(codec::decode::<Trade>(envelope, &bytes), Err(DecodeError::Malformed));
    bytes[12] = 1;
    bytes.push(0);
    assert_eq!(codec::decode::<Trade>(envelope, &bytes), Err(DecodeError::Malformed));
}
