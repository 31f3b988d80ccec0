//! Messages: in one piece or many, as far as the credit goes, and what becomes of those that are wrong.

use corelane_net::codec::{DecodeError, Undelivered};
use corelane_net::link::{Action, Connection, Link, LinkConfig, LinkTellError, Verdict, cost, greet};
use corelane_net::wire::{
    Allowance, Chunk, Hello, Introduction, Meaning, Reason, Room, Run, Target, capability,
};

use crate::peer::*;

/// Reliability 27: in whatever two pieces a hello and four KiB come, the same is handed over.
#[test]
fn every_split_of_a_stream_hands_over_the_same() {
    let mut sent = bytes(&[Meaning::Hello(hello(200, 1, 1)), BEAT]);
    for n in 0..30_u64 {
        let filling = vec![n as u8; (n * 7) as usize];
        sent.extend(bytes(&[
            message(n as u32, &filling),
            Meaning::Signal(n + 1, stop(n)),
            Meaning::Acknowledgement(0),
        ]));
    }
    assert!(sent.len() > 4096);
    let run = |cut: usize| {
        let mut link = link();
        let mut notes = Notes::default();
        let (mut kept, mut welcomed): (Vec<u8>, bool) = (Vec::new(), false);
        for piece in [&sent[..cut], &sent[cut..]] {
            kept.extend_from_slice(piece);
            if !welcomed {
                let Some((hello, size)) = greet(&me(10, 100), &kept).unwrap() else { continue };
                accept(&mut link, at(0), FIRST, &hello).unwrap();
                welcomed = true;
                kept.drain(..size);
            }
            loop {
                let received = link.received(at(1), FIRST, &kept, &mut notes);
                kept.drain(..received.bytes);
                if !received.again {
                    break;
                }
            }
        }
        assert!(kept.is_empty());
        (notes.messages, notes.signals, actions(&mut link))
    };
    let whole = run(0);
    assert_eq!((whole.0.len(), whole.1.len(), &whole.2[..]), (30, 30, &[up(200, 1)][..]));
    for cut in 0..=sent.len() {
        assert_eq!(run(cut), whole, "cut at {cut}");
    }
}

/// What node 20 is told when five messages for one actor, of which the last is longer, and one for another are told in a turn.
fn told_alike(capabilities: u64) -> Vec<u8> {
    let mut link = link();
    let ours = Hello { capabilities, ..hello(200, 1, 1) };
    open(&mut link, at(0), FIRST, &ours);
    let mut sent = vec![0; 1 << 16];
    let mut room = Room::new(&mut sent);
    link.flush(at(0), &mut room);
    let beats = room.used();
    for (index, length) in [(1, 8), (1, 8), (1, 8), (1, 8), (1, 9), (2, 8)] {
        let encode = |to: &mut [u8]| {
            to[..length].fill(7);
            Ok(length)
        };
        link.tell_with(&mut room, head_of(index), encode).unwrap();
    }
    let used = room.used();
    sent.truncate(used);
    sent.split_off(beats)
}

#[test]
fn a_peer_says_whether_it_can_have_actors_retire() {
    for (capabilities, can) in [(u64::MAX, true), (!capability::RETIREMENT, false)] {
        let mut link = link();
        assert!(!link.can_retire(), "nobody has said anything");
        open(&mut link, at(0), FIRST, &Hello { capabilities, ..hello(200, 1, 1) });
        assert_eq!(link.can_retire(), can);
    }
}

#[test]
fn messages_that_are_alike_share_a_head_where_the_peer_takes_that() {
    let sent = told_alike(u64::MAX);
    let counts: Vec<_> = meanings(&sent)
        .into_iter()
        .map(|meaning| match meaning {
            Meaning::Run(head, run) => (head.target.index, run.count()),
            Meaning::Message(head, _) => (head.target.index, 1),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [(1, 4), (1, 1), (2, 1)]);
    let without = told_alike(!capability::RUNS);
    assert!(meanings(&without).iter().all(|meaning| matches!(meaning, Meaning::Message(..))));
    // It hands over the same, however many of a run are taken at once.
    for at_once in [0, 1, 3, 9] {
        for sent in [&sent, &without] {
            let mut link = link();
            open(&mut link, at(0), FIRST, &hello(200, 1, 1));
            let mut notes = Notes { at_once, ..Notes::default() };
            assert_eq!(feed(&mut link, at(1), FIRST, sent, &mut notes), []);
            assert_eq!(notes.messages, [(1, 8), (1, 8), (1, 8), (1, 8), (1, 9), (2, 8)]);
            assert_eq!(link.stats().messages_in, 6);
        }
    }
}

#[test]
fn a_run_costs_credit_for_each_of_its_messages() {
    let config = LinkConfig { credit_messages: 4, ..LinkConfig::default() };
    let run = |count: usize| {
        let messages = vec![7; 8 * count];
        bytes(&[Meaning::Run(head_of(1), Run::of(8, &messages).unwrap())])
    };
    for (count, closed) in [(4, None), (5, Some(Reason::Protocol))] {
        let mut link = link_with(config);
        open(&mut link, at(0), FIRST, &hello(200, 1, 1));
        let mut notes = Notes { at_once: 9, ..Notes::default() };
        let all = feed(&mut link, at(1), FIRST, &run(count), &mut notes);
        assert_eq!((closes(&all), notes.messages.len()), (closed, if closed.is_none() { count } else { 0 }));
    }
    // What is held of it is held one by one.
    let mut link = link_with(config);
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    let mut notes = Notes { verdict: Some(Verdict::Held), at_once: 0, ..Notes::default() };
    feed(&mut link, at(1), FIRST, &run(4), &mut notes);
    let offered = |link: &mut Link| {
        let mut buffer = vec![0; 1 << 16];
        let mut room = Room::new(&mut buffer);
        link.flush(at(1), &mut room);
        let all = meanings(room.written()).into_iter();
        all.filter_map(|meaning| match meaning {
            Meaning::Credit(credit) => Some(credit.messages),
            _ => None,
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(offered(&mut link), []);
    (0..4).for_each(|_| link.release(8));
    assert_eq!(offered(&mut link), [8]);
}

/// What a connection is closed for, whatever else it carried, and that the association survives it.
#[test]
fn each_breach_of_the_rules_closes_the_connection_and_no_more() {
    let chunk = |stream, offset, bytes| Meaning::Chunk(Chunk { stream, offset, last: false, bytes });
    let huge = {
        let mut piece = [0; 32];
        piece[24..].copy_from_slice(&u64::MAX.to_le_bytes());
        piece
    };
    let good = bytes(&[message(1, b"good")]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let breaches = [
        ("unknown kind", with(4, 77)),
        ("padding", with(39, 1)),
        ("length", with(3, 0xff)),
        ("short message", with(0, 3)),
        ("second hello", bytes(&[Meaning::Hello(hello(200, 9, 1))])),
        ("chunk that does not follow", bytes(&[chunk(1, 8, b"x")])),
        ("large length", bytes(&[chunk(1, 0, &huge)])),
        ("many streams", (0..5).flat_map(|stream| bytes(&[chunk(stream, 0, b"x")])).collect()),
        ("gap", bytes(&[Meaning::Signal(2, stop(2))])),
    ];
    for (what, breach) in breaches {
        let mut link = link();
        open(&mut link, at(0), FIRST, &hello(200, 1, 1));
        let mut notes = Notes::default();
        let sent = [good.clone(), breach, good.clone()].concat();
        let all = feed(&mut link, at(1), FIRST, &sent, &mut notes);
        assert_eq!(closes(&all), Some(Reason::Protocol), "{what}");
        assert_eq!(all[1..], [Action::Down], "{what}");
        assert_eq!((notes.messages.len(), link.stats().violations), (1, 1), "{what}");
        assert_eq!(open(&mut link, at(2), Connection(2), &hello(200, 2, 1)), [up(200, 1)], "{what}");
    }
}

/// Conformance 39: a message that cannot be delivered is counted and the link goes on; only too many that make no sense at
/// all end the connection.
#[test]
fn messages_that_cannot_be_delivered_are_counted_and_the_link_goes_on() {
    let mut link = link_with(LinkConfig { strikes_max: 5, ..LinkConfig::default() });
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    let harmless = [
        Undelivered::UnknownType,
        Undelivered::Full,
        Undelivered::Decode(DecodeError::Version { written: 3, reads: 1 }),
    ];
    for why in harmless {
        let mut notes = Notes { verdict: Some(Verdict::Refused(why)), ..Notes::default() };
        for _ in 0..10 {
            assert_eq!(feed(&mut link, at(1), FIRST, &bytes(&[message(1, b"x")]), &mut notes), []);
        }
    }
    let stats = link.stats();
    assert_eq!((stats.unknown_type, stats.no_room, stats.unreadable_version), (10, 10, 10));
    let malformed = Verdict::Refused(Undelivered::Decode(DecodeError::Malformed));
    let mut notes = Notes { verdict: Some(malformed), ..Notes::default() };
    for _ in 0..4 {
        assert_eq!(feed(&mut link, at(1), FIRST, &bytes(&[message(1, b"x")]), &mut notes), []);
    }
    let enough = feed(&mut link, at(1), FIRST, &bytes(&[message(1, b"x")]), &mut notes);
    assert_eq!((closes(&enough), link.stats().malformed), (Some(Reason::Abuse), 5));
    // Frames of the future that may be skipped are.
    open(&mut link, at(2), Connection(2), &hello(200, 2, 1));
    let future = [0, 0, 0, 0, 200, 0, 0, 0];
    assert_eq!(feed(&mut link, at(2), Connection(2), &future, &mut notes), []);
    assert_eq!(link.stats().skipped, 1);
}

fn tell(link: &mut Link, index: u32, length: usize) -> Result<Vec<u8>, LinkTellError> {
    let mut bytes = vec![0; 1 << 16];
    let mut room = Room::new(&mut bytes);
    link.tell(&mut room, Target { identity: 1, index }, &"x".repeat(length))?;
    Ok(room.written().to_vec())
}

#[test]
fn a_large_message_goes_in_pieces_and_holds_up_only_its_own_actors() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    flush(&mut link, at(0));
    assert_eq!(tell(&mut link, 1, 100_000).unwrap(), []);
    // To the same actor: behind it. To another: at once.
    assert_eq!(tell(&mut link, 1, 10).unwrap(), []);
    assert_eq!(meanings(&tell(&mut link, 2, 10).unwrap()).len(), 1);
    link.signal(at(1), stop(1)).unwrap();
    let mut room = vec![0; 1 << 20];
    let mut pieces = 0;
    let mut received = Vec::new();
    let mut more = true;
    while more {
        let mut room = Room::new(&mut room);
        more = link.flush(at(1), &mut room);
        let written = meanings(room.written());
        // A signal never waits for more than one piece.
        if pieces == 0 {
            assert!(matches!(written[..], [Meaning::Signal(..), Meaning::Chunk(_)]), "{written:?}");
        }
        for meaning in &written {
            if let Meaning::Chunk(chunk) = meaning {
                pieces += 1;
                assert!(chunk.bytes.len() <= 16 << 10);
            }
        }
        received.extend_from_slice(room.written());
    }
    assert_eq!(pieces, 7);
    assert!(matches!(meanings(&received).last(), Some(Meaning::Chunk(chunk)) if chunk.last));
    // At the other end.
    let mut other = self::link();
    open(&mut other, at(0), FIRST, &hello(200, 1, 1));
    let mut notes = Notes::default();
    assert_eq!(feed(&mut other, at(1), FIRST, &received, &mut notes), []);
    assert_eq!(notes.messages, [(1, 100_003), (1, 11)]);
    assert_eq!(meanings(&tell(&mut link, 1, 10).unwrap()).len(), 1, "and then directly again");
}

#[test]
fn what_does_not_fit_the_peer_comes_back_at_once() {
    let mut link = link_with(LinkConfig { streams_max: 2, backlog_max: 300_000, ..LinkConfig::default() });
    assert_eq!(tell(&mut link, 1, 10).unwrap_err(), LinkTellError::Down);
    open(&mut link, at(0), FIRST, &Hello { message_max: 200_000, ..hello(200, 1, 1) });
    assert_eq!(tell(&mut link, 1, 200_000).unwrap_err(), LinkTellError::TooLarge);
    for index in 1..=2 {
        tell(&mut link, index, 100_000).unwrap();
    }
    assert_eq!(tell(&mut link, 3, 100_000).unwrap_err(), LinkTellError::StreamsFull);
    assert_eq!(tell(&mut link, 2, 150_000).unwrap_err(), LinkTellError::StreamsFull);
    let mut small = [0; 40];
    let mut room = Room::new(&mut small);
    let refused = link.tell(&mut room, Target { identity: 1, index: 9 }, &"x".repeat(10));
    assert_eq!((refused, room.used()), (Err(LinkTellError::NoRoom), 0));
}

/// Hosts need not agree on how many large messages go at once: a peer is sent no more than it says that it takes.
#[test]
fn no_more_large_messages_go_at_once_than_both_ends_take() {
    for (own, theirs, both) in [(4, 2, 2), (2, 4, 2), (4, 0, 1)] {
        let mut link = link_with(LinkConfig { streams_max: own, ..LinkConfig::default() });
        let welcome =
            accept(&mut link, at(0), FIRST, &Hello { streams_max: theirs, ..hello(200, 1, 1) }).unwrap();
        assert_eq!(only_hello(&welcome).streams_max as usize, own);
        feed(&mut link, at(0), FIRST, &bytes(&[BEAT]), &mut Notes::default());
        for index in 1..=both {
            assert_eq!(tell(&mut link, index, 100_000).unwrap(), []);
        }
        assert_eq!(tell(&mut link, both + 1, 100_000).unwrap_err(), LinkTellError::StreamsFull);
    }
}

/// Hosts need not agree on chunks and windows either: of a window that is smaller than what goes in one frame here, what might not
/// fit into what the peer leaves of it goes in pieces rather than wait without end.
#[test]
fn what_the_peers_window_may_not_hold_goes_in_pieces() {
    let mut link = link_with(LinkConfig { chunk: 16 << 10, ..LinkConfig::default() });
    open(&mut link, at(0), FIRST, &Hello { credit_bytes: 16 << 10, ..hello(200, 1, 1) });
    flush(&mut link, at(0));
    assert_eq!(meanings(&tell(&mut link, 1, 4000).unwrap()).len(), 1);
    // The peer has granted 16 KiB, of which it has had less than half, so no more comes from it.
    assert_eq!(tell(&mut link, 2, 14_000).unwrap(), []);
    let pieces = |bytes: &[u8]| -> usize {
        let length = |meaning: &Meaning<'_>| match meaning {
            Meaning::Chunk(chunk) => chunk.bytes.len(),
            _ => 0,
        };
        meanings(bytes).iter().map(length).sum()
    };
    let first = pieces(&flush(&mut link, at(1)));
    assert!(first > 12_000 && first < 12_400, "{first}");
    let more = Meaning::Credit(Allowance { bytes: 32 << 10, messages: 1000 });
    feed(&mut link, at(2), FIRST, &bytes(&[more]), &mut Notes::default());
    assert!(first + pieces(&flush(&mut link, at(2))) > 14_000);
}

#[test]
fn a_peer_is_sent_no_more_than_it_takes_and_may_send_no_more() {
    let mut link = link_with(LinkConfig { credit_messages: 4, ..LinkConfig::default() });
    let granted = Hello { credit_bytes: 1000, credit_messages: 3, ..hello(200, 1, 1) };
    open(&mut link, at(0), FIRST, &granted);
    flush(&mut link, at(0));
    assert_eq!(tell(&mut link, 1, 2000).unwrap_err(), LinkTellError::NoCredit);
    for _ in 0..3 {
        tell(&mut link, 1, 10).unwrap();
    }
    assert_eq!(tell(&mut link, 1, 10).unwrap_err(), LinkTellError::NoCredit);
    // Signals and heartbeats need none.
    link.signal(at(0), stop(1)).unwrap();
    assert_eq!(meanings(&flush(&mut link, at(1000))).len(), 2);
    let more = Meaning::Credit(Allowance { bytes: 5000, messages: 4 });
    let less = Meaning::Credit(Allowance { bytes: 1, messages: 1 });
    feed(&mut link, at(1), FIRST, &bytes(&[more, less]), &mut Notes::default());
    tell(&mut link, 1, 2000).unwrap();
    assert_eq!(tell(&mut link, 1, 1).unwrap_err(), LinkTellError::NoCredit);

    // The other way: what is held is not granted again until it is released.
    let mut notes = Notes { verdict: Some(Verdict::Held), ..Notes::default() };
    let four: Vec<u8> = (0..4).flat_map(|_| bytes(&[message(1, b"held")])).collect();
    assert_eq!(feed(&mut link, at(2), FIRST, &four, &mut notes), []);
    let credit = |bytes: &[u8]| {
        meanings(bytes).iter().find_map(|meaning| match meaning {
            Meaning::Credit(allowance) => Some(allowance.messages),
            _ => None,
        })
    };
    assert_eq!(credit(&flush(&mut link, at(2))), None);
    link.release(4);
    assert_eq!(credit(&flush(&mut link, at(2))), None, "half a window at a time");
    link.release(4);
    assert_eq!(credit(&flush(&mut link, at(2))), Some(6));
    let three: Vec<u8> = (0..3).flat_map(|_| bytes(&[message(1, b"held")])).collect();
    let exceeded = feed(&mut link, at(3), FIRST, &three, &mut notes);
    assert_eq!((closes(&exceeded), notes.messages.len()), (Some(Reason::Protocol), 6));
    assert_eq!(cost(4), 40);
    // What is held then counts against the next connection.
    let welcome = accept(&mut link, at(4), Connection(2), &hello(200, 2, 1)).unwrap();
    let [Meaning::Hello(welcome)] = meanings(&welcome)[..] else { panic!("no welcome") };
    assert!(welcome.welcome && welcome.credit_messages == 0 && welcome.signals_received == 0);
}

/// What is released between the hello and its answer is granted afterwards, though the hello did not say so.
#[test]
fn what_a_hello_granted_is_what_counts_however_late_the_welcome_comes() {
    let mut link = link_with(LinkConfig { credit_messages: 4, ..LinkConfig::default() });
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    let mut notes = Notes { verdict: Some(Verdict::Held), ..Notes::default() };
    let four: Vec<u8> = (0..4).flat_map(|_| bytes(&[message(1, b"held")])).collect();
    feed(&mut link, at(1), FIRST, &four, &mut notes);
    link.disconnected(at(2), FIRST);
    link.start(at(2));
    link.tick(at(3));
    assert_eq!(actions(&mut link).last(), Some(&Action::Dial));
    link.dialed(at(3), Connection(2));
    let hello_out = flush(&mut link, at(3));
    let [Meaning::Hello(said)] = meanings(&hello_out)[..] else { panic!("no hello") };
    assert_eq!((said.credit_messages, said.epoch, said.to_incarnation), (0, 2, 200));
    for _ in 0..4 {
        link.release(4);
    }
    let welcome = Hello { welcome: true, version_newest: 1, ..hello(200, 2, 1) };
    let opened = feed(&mut link, at(4), Connection(2), &bytes(&[Meaning::Hello(welcome)]), &mut notes);
    assert_eq!(opened, [up(200, 1)]);
    let told = flush(&mut link, at(4));
    assert!(
        meanings(&told).contains(&Meaning::Credit(Allowance { bytes: 4 << 20, messages: 4 })),
        "{told:?}"
    );
}

/// The peer's pieces are smaller than ours, and so is all that it lets us send at once: half of that is what we can count on.
#[test]
fn a_message_that_is_longer_than_a_peers_whole_credit_goes_in_pieces() {
    let config = LinkConfig { chunk: 60 << 10, frame_max: 64 << 10, ..LinkConfig::default() };
    let mut link = link_with(config);
    open(&mut link, at(0), FIRST, &Hello { credit_bytes: 16 << 10, ..hello(200, 1, 1) });
    flush(&mut link, at(0));
    let mut sent = tell(&mut link, 1, 20_000).unwrap();
    // A peer that has taken all in grants more once it is half a window.
    for half in 3..6 {
        sent.extend(flush(&mut link, at(0)));
        let more = Meaning::Credit(Allowance { bytes: half * (8 << 10), messages: 100 });
        feed(&mut link, at(0), FIRST, &bytes(&[more]), &mut Notes::default());
    }
    sent.extend(flush(&mut link, at(0)));
    let mut other = self::link();
    open(&mut other, at(0), FIRST, &hello(200, 1, 1));
    let mut notes = Notes::default();
    feed(&mut other, at(1), FIRST, &sent, &mut notes);
    assert_eq!(notes.messages, [(1, 20_003)]);
}

#[test]
fn no_peer_is_sent_a_longer_message_than_it_takes_though_a_frame_may_be_longer() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &Hello { message_max: 1029, ..hello(200, 1, 1) });
    assert_eq!(tell(&mut link, 1, 8000).unwrap_err(), LinkTellError::TooLarge);
    assert_eq!(tell(&mut link, 1, 1028).unwrap_err(), LinkTellError::TooLarge);
    tell(&mut link, 1, 1027).unwrap();
    let mut link = self::link();
    open(&mut link, at(0), FIRST, &Hello { message_max: 0, ..hello(200, 1, 1) });
    assert_eq!(tell(&mut link, 1, 0).unwrap_err(), LinkTellError::TooLarge);
}

#[test]
fn introductions_come_before_what_is_told_later() {
    let mut link = link();
    let introduction = Introduction { node: 30, incarnation: 300, address: "third:2552" };
    assert!(!link.introduce(&introduction));
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    assert!(link.introduce(&introduction));
    let written = flush(&mut link, at(0));
    assert!(meanings(&written).contains(&Meaning::Introduction(introduction)));
    let mut other = self::link();
    open(&mut other, at(0), FIRST, &hello(200, 1, 1));
    let mut notes = Notes::default();
    feed(&mut other, at(0), FIRST, &written, &mut notes);
    assert_eq!(notes.introductions, ["third:2552"]);
}
