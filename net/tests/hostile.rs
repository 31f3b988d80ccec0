//! Bytes from a peer that means harm, or is broken: the fuzz targets, over random bytes and over nearly good ones.

mod counting;
mod targets;

use std::time::Duration;

use corelane_kernel::{FailureKind, Group, RawAddress};
use corelane_net::wire::{
    Allowance, Chunk, EndReason, Envelope, Fault, Goodbye, Hello, Introduction, Meaning, MessageHead, News,
    NoChild, Ordered, Reason, Room, Run, Signal, Spawn, Target,
};
use proptest::prelude::*;

fn raw() -> impl Strategy<Value = RawAddress> {
    (any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(identity, index, shard)| RawAddress {
        identity,
        index,
        shard,
    })
}

/// A frame of any kind, as its bytes.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |meaning: Meaning<'_>| {
        let mut bytes = vec![0; 8192];
        let mut room = Room::new(&mut bytes);
        assert!(meaning.write(&mut room));
        let used = room.used();
        bytes.truncate(used);
        bytes
    };
    let names = ("[a-z]{1,20}", "[a-zé.:0-9]{0,40}");
    let hello = (any::<[u64; 8]>(), any::<[u16; 4]>(), any::<bool>(), names).prop_map(
        move |(long, [a, b, c, d], welcome, (system, address))| {
            bytes(Meaning::Hello(Hello {
                welcome,
                version_oldest: a.min(b),
                version_newest: a.max(b),
                from_shard: c,
                to_shard: d,
                capabilities: long[0] | long[1],
                required: long[1],
                node: long[2].max(3),
                incarnation: long[3].max(1),
                to_node: long[4],
                to_incarnation: long[5],
                epoch: long[6].max(1),
                association: u32::from(a).max(1),
                frame_max: u32::from(b) + 4096,
                message_max: long[7],
                credit_bytes: long[0],
                credit_messages: long[1],
                signals_received: long[2],
                streams_max: u32::from(a),
                system: &system,
                address: &address,
            }))
        },
    );
    let text = "[a-zäß]{0,30}";
    let signal = (1..u64::MAX, raw(), raw(), 0..7, text).prop_map(move |(seq, a, b, which, text)| {
        let signal = match which {
            0 => Signal::Watch { watcher: a, target: b },
            1 => Signal::Unwatch { watcher: a, target: b },
            2 => Signal::Ended { watcher: a, target: b, reason: EndReason::Failed, text: &text },
            3 => Signal::Stop { target: a },
            4 => {
                let fault = Fault { kind: FailureKind::Panic, error: seq, text: &text };
                let order = Ordered::Restart { wait: Duration::from_nanos(seq), fault };
                Signal::Order { child: a, outpost: b, round: 7, order }
            }
            5 => {
                let news = News::Unborn(NoChild::AskShard(seq as u16));
                Signal::Report { child: a, outpost: b, round: 7, news }
            }
            _ => {
                let spawn = Spawn {
                    envelope: Envelope { type_hash: seq, version: 2, readable_since: 1 },
                    protocol: seq,
                    group: Group::Bulk,
                    mailbox: 9,
                    anywhere: true,
                    name: "name",
                    path: &text,
                    props: text.as_bytes(),
                };
                Signal::Spawn { outpost: a, parent: b, spawn }
            }
        };
        bytes(Meaning::Signal(seq, signal))
    });
    let body = || prop::collection::vec(any::<u8>(), 1..200);
    let message = (any::<[u64; 2]>(), any::<[u16; 2]>(), body()).prop_map(
        move |([identity, type_hash], [version, readable_since], body)| {
            let target = Target { identity, index: type_hash as u32 };
            let envelope = Envelope { type_hash, version, readable_since };
            bytes(Meaning::Message(MessageHead { target, envelope }, &body))
        },
    );
    let run = (any::<u64>(), any::<u32>(), 1..40_u16, 1..9_usize, any::<u8>()).prop_map(
        move |(identity, index, each, count, byte)| {
            let envelope = Envelope { type_hash: identity, version: 1, readable_since: 1 };
            let head = MessageHead { target: Target { identity, index }, envelope };
            let mut message = vec![byte; each.into()];
            message.resize(usize::from(each).next_multiple_of(8), 0);
            let messages = message.repeat(count);
            bytes(Meaning::Run(head, Run::of(each, &messages).unwrap()))
        },
    );
    let chunk =
        (any::<u32>(), any::<u64>(), any::<bool>(), body()).prop_map(move |(stream, offset, last, body)| {
            bytes(Meaning::Chunk(Chunk { stream, offset, last, bytes: &body }))
        });
    let small = (0..5, any::<[u64; 2]>(), "[a-z]{1,9}").prop_map(move |(which, [a, b], text)| {
        bytes(match which {
            0 => Meaning::Heartbeat(a),
            1 => Meaning::Acknowledgement(a),
            2 => Meaning::Credit(Allowance { bytes: a, messages: b }),
            3 => Meaning::Goodbye(Goodbye { reason: Reason::Other(a as u16 | 16), detail: b, text: &text }),
            _ => Meaning::Introduction(Introduction { node: a | 3, incarnation: b | 1, address: &text }),
        })
    });
    prop_oneof![hello, signal, message, run, chunk, small]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Reliability 27: whatever the pieces, the frames are the same.
    #[test]
    fn good_frames_are_the_same_in_any_pieces(frames in prop::collection::vec(frame(), 1..8), cut in any::<usize>()) {
        let mut bytes = frames.concat();
        bytes.truncate(bytes.len() - cut % 9);
        targets::frames::check(&bytes);
    }

    /// Reliability 23: what is read of damaged frames is written as it was read.
    #[test]
    fn damaged_frames_are_frames_or_errors(
        frames in prop::collection::vec(frame(), 1..4),
        flips in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = frames.concat();
        for (at, with) in flips {
            let at = at % bytes.len();
            bytes[at] ^= with;
        }
        targets::frames::check(&bytes);
        targets::hello::check(&bytes[7..]);
        targets::chunk::check(&bytes[7..]);
    }

    /// Reliability 23: a link takes them, within its limits.
    #[test]
    fn a_link_survives_any_frames_whole_or_damaged(
        frames in prop::collection::vec(frame(), 1..30),
        flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..2),
    ) {
        let mut bytes = frames.concat();
        for (at, with) in flips {
            let at = at % bytes.len();
            bytes[at] ^= with;
        }
        targets::link::check(&bytes);
    }

    /// Reliability 23: nor does noise do harm.
    #[test]
    fn noise_is_frames_or_errors(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        targets::frames::check(&bytes);
        targets::hello::check(&bytes);
        targets::chunk::check(&bytes);
    }

    /// Reliability 23: in any envelope.
    #[test]
    fn noise_is_messages_or_errors(bytes in prop::collection::vec(any::<u8>(), 2..80)) {
        targets::envelope::check(&bytes);
    }
}

/// Reliability 26: a length that no buffer could hold is refused with its head, and nothing is waited for.
#[test]
fn a_length_bomb_is_refused_with_its_head() {
    use corelane_net::wire::{Frame, FrameError, HELLO_MAX};
    let head = [0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0];
    let error = FrameError::TooLong { length: u32::MAX, limit: HELLO_MAX };
    assert_eq!(Frame::read(&head, HELLO_MAX), Err(error));
    assert_eq!(error.to_string(), "a frame of 4294967295 bytes, where 4096 are allowed");
}
