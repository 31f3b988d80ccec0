//! `docs/wire.md` and the code say the same: the tables of numbers, and every example, byte by byte.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use corelane_kernel::{FailureKind, Group, RawAddress};
use corelane_net::codec::{self, Envelope};
use corelane_net::wire::{
    Allowance, Chunk, EndReason, Fault, Frame, FrameError, Goodbye, Hello, Introduction, Kind, Meaning,
    MessageHead, News, NoChild, Ordered, Reason, Room, Run, SIGNAL_TEXT_MAX, SPAWN_PROPS_MAX, Signal, Spawn,
    TEXT_MAX, Target, capability,
};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wire.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between `<!-- name -->` and `<!-- /name -->`.
fn between<'a>(text: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let start = text.find(&open).unwrap_or_else(|| panic!("{open} is missing")) + open.len();
    let end = text[start..].find(&close).unwrap_or_else(|| panic!("{close} is missing"));
    &text[start..start + end]
}

/// The first cells of a table's rows: number and name.
fn numbered(table: &str) -> Vec<(u16, String, String)> {
    let rows = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() >= 3)
        .map(|cells| (cells[0].parse().expect("a number"), cells[1].to_owned(), cells[2].to_owned()))
        .collect()
}

/// `SuchAName` as `such a name`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn examples() -> Vec<(&'static str, Meaning<'static>)> {
    let raw = |index| RawAddress { identity: 0x0000_0001_0000_0007, index, shard: 2 };
    let (far, near) = (raw(0x40), raw(0x80));
    let hello = Hello {
        welcome: false,
        version_oldest: 1,
        version_newest: 1,
        from_shard: 2,
        to_shard: 1,
        capabilities: capability::ALL,
        required: capability::CHUNKS | capability::LITTLE_ENDIAN,
        node: 0x14,
        incarnation: 0xc8,
        to_node: 0x0a,
        to_incarnation: 0x64,
        epoch: 3,
        association: 1,
        frame_max: 0x1_0000,
        message_max: 0x100_0000,
        credit_bytes: 0x40_0000,
        credit_messages: 0x1_0000,
        signals_received: 9,
        streams_max: 4,
        system: "shop",
        address: "b:2552",
    };
    let welcome = Hello { welcome: true, address: "", ..hello };
    let envelope = Envelope { type_hash: codec::type_hash("market.Tick"), version: 2, readable_since: 1 };
    let head = MessageHead { target: Target { identity: far.identity, index: far.index }, envelope };
    vec![
        ("a hello", Meaning::Hello(hello)),
        ("a welcome", Meaning::Hello(welcome)),
        ("a goodbye: forgotten, the next association is 2", {
            Meaning::Goodbye(Goodbye { reason: Reason::Forgotten, detail: 2, text: "gone" })
        }),
        ("the seventh heartbeat", Meaning::Heartbeat(7)),
        ("a credit of 65,536 bytes and 256 messages", {
            Meaning::Credit(Allowance { bytes: 0x1_0000, messages: 256 })
        }),
        ("an acknowledgement of 9 signals", Meaning::Acknowledgement(9)),
        ("signal 10: watch", Meaning::Signal(10, Signal::Watch { watcher: far, target: near })),
        ("signal 11: unwatch", Meaning::Signal(11, Signal::Unwatch { watcher: far, target: near })),
        ("signal 12: ended, failed", {
            let reason = EndReason::Failed;
            Meaning::Signal(12, Signal::Ended { watcher: near, target: far, reason, text: "no disk" })
        }),
        ("signal 13: stop", Meaning::Signal(13, Signal::Stop { target: near })),
        ("signal 14: order, restart after a second", {
            let fault = Fault { kind: FailureKind::Panic, error: 0x1234, text: "no" };
            let order = Ordered::Restart { wait: Duration::from_secs(1), fault };
            Meaning::Signal(14, Signal::Order { child: near, outpost: far, round: 1, order })
        }),
        ("signal 15: report, failed", {
            let news = News::Failed(Fault { kind: FailureKind::Error, error: 0x1234, text: "no disk" });
            Meaning::Signal(15, Signal::Report { child: far, outpost: near, round: 1, news })
        }),
        ("signal 16: report, there is no child: nothing is registered for such props", {
            let (child, news) = (RawAddress::default(), News::Unborn(NoChild::UnknownProps));
            Meaning::Signal(16, Signal::Report { child, outpost: near, round: 0, news })
        }),
        ("signal 17: spawn, of props `market.Ticker` of three bytes, a child `a` below `/user/p`", {
            let spawn = Spawn {
                envelope: Envelope {
                    type_hash: codec::type_hash("market.Ticker"),
                    version: 1,
                    readable_since: 1,
                },
                protocol: codec::type_hash("market.Tick"),
                group: Group::Urgent,
                mailbox: 9,
                anywhere: true,
                name: "a",
                path: "/user/p",
                props: &[1, 2, 3],
            };
            Meaning::Signal(17, Signal::Spawn { outpost: far, parent: near, spawn })
        }),
        ("a message `market.Tick` of version 2, readable since 1, of five bytes", {
            Meaning::Message(head, &[1, 2, 3, 4, 5])
        }),
        ("a run of two such messages of three bytes", {
            let messages = &[1, 2, 3, 0, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0, 0, 0];
            Meaning::Run(head, Run::of(3, messages).expect("two messages"))
        }),
        ("the last piece of stream 4", {
            Meaning::Chunk(Chunk { stream: 4, offset: 0x8000, last: true, bytes: b"the end." })
        }),
        ("an introduction", {
            Meaning::Introduction(Introduction { node: 0x1e, incarnation: 0x12c, address: "c:2552" })
        }),
    ]
}

fn bytes(meaning: &Meaning<'_>) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    let mut room = Room::new(&mut bytes);
    assert!(meaning.write(&mut room));
    room.written().to_vec()
}

#[test]
fn every_example_is_written_so_and_read_so() {
    let mut expected = String::from("\n");
    for (name, meaning) in examples() {
        let bytes = bytes(&meaning);
        let (frame, size) = Frame::read(&bytes, 4096).unwrap().unwrap();
        assert_eq!((Meaning::read(&frame), size), (Ok(meaning), bytes.len()), "{name}");
        let mut first: Vec<char> = name.chars().collect();
        first[0] = first[0].to_ascii_uppercase();
        let _ = writeln!(expected, "\n{}:\n\n```text", first.into_iter().collect::<String>());
        for line in bytes.chunks(16) {
            let hex =
                |half: &[u8]| half.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
            let (left, right) = line.split_at(8);
            let _ = writeln!(expected, "{}", format!("{}  {}", hex(left), hex(right)).trim_end());
        }
        let _ = writeln!(expected, "```");
    }
    let page = page();
    let found = between(&page, "examples");
    assert_eq!(found.trim(), expected.trim(), "docs/wire.md (left) and the code (right):\n{expected}");
}

#[test]
fn the_table_of_kinds_is_the_codes() {
    let page = page();
    let rows = numbered(between(&page, "kinds"));
    let listed: Vec<_> = rows.iter().map(|(number, name, _)| (*number, name.clone())).collect();
    let kinds: Vec<_> =
        Kind::ALL.iter().map(|kind| (kind.number().into(), words(&format!("{kind:?}")))).collect();
    assert_eq!(listed, kinds);
    // A body that is shorter than the table says is malformed; a goodbye is one in any case.
    for ((_, _, shortest), kind) in rows.iter().zip(Kind::ALL) {
        let shortest: usize = shortest.trim_start_matches("from ").parse().expect("a number");
        for example in examples() {
            let bytes = bytes(&example.1);
            let (frame, _) = Frame::read(&bytes, 4096).unwrap().unwrap();
            if frame.kind != Some(kind) || kind == Kind::Goodbye {
                continue;
            }
            assert!(frame.body.len() >= shortest, "{kind:?}");
            let short = Frame { body: &frame.body[..shortest - 1], ..frame };
            let read = Meaning::read(&short);
            assert!(matches!(read, Err(FrameError::Malformed { .. })), "{kind:?}: {read:?}");
        }
    }
}

#[test]
fn the_tables_of_signals_and_reasons_are_the_codes() {
    let page = page();
    let signals: Vec<_> = examples()
        .into_iter()
        .filter_map(|(_, meaning)| {
            let Meaning::Signal(_, signal) = meaning else { return None };
            let bytes = bytes(&meaning);
            let name = format!("{signal:?}");
            Some((u16::from_le_bytes([bytes[6], bytes[7]]), words(name.split(' ').next()?)))
        })
        .collect();
    let listed: Vec<_> =
        numbered(between(&page, "signals")).into_iter().map(|(number, name, _)| (number, name)).collect();
    // A report stands twice among the examples.
    let mut signals = signals;
    signals.dedup();
    assert_eq!(listed, signals);

    let reasons = [
        Reason::Leaving,
        Reason::Protocol,
        Reason::Incompatible,
        Reason::WrongAddress,
        Reason::Quarantined,
        Reason::Forgotten,
        Reason::Superseded,
        Reason::TooLate,
        Reason::Abuse,
    ];
    let reasons: Vec<_> =
        reasons.iter().map(|reason| (reason.number(), words(&format!("{reason:?}")))).collect();
    let listed: Vec<_> =
        numbered(between(&page, "reasons")).into_iter().map(|(number, name, _)| (number, name)).collect();
    assert_eq!(listed, reasons);
    assert!(
        page.contains(&format!("at most {SIGNAL_TEXT_MAX} bytes"))
            && page.contains(&format!("up to {TEXT_MAX}"))
            && page.contains(&format!("props have at most {SPAWN_PROPS_MAX} bytes"))
    );
}
