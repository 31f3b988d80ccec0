//! One link at a time, with a peer that is written by hand: what each thing that may come does, as `docs/wire.md` says.

use std::time::Duration;

use corelane_kernel::{RawAddress, Time, Wire};
use corelane_net::codec::{self, Compact, DecodeError, Undelivered};
use corelane_net::link::{
    Action, Connection, Farewell, GREETING_MAX, Inbound, Link, LinkConfig, LinkTellError, LinkTo, Loss, Me,
    SignalError, Verdict, cost, greet,
};
use corelane_net::wire::{
    Allowance, Chunk, EndReason, Envelope, Frame, Goodbye, Hello, Introduction, Meaning, MessageHead, Reason,
    Room, Signal, Target, capability,
};

const SYSTEM: &str = "shop";

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn me(node: u64, incarnation: u64) -> Me {
    Me { system: SYSTEM.into(), address: "here:2552".into(), node, incarnation }
}

/// Node 10 in life 100, towards node 20.
fn link_with(config: LinkConfig) -> Link {
    Link::new(me(10, 100), 1, LinkTo { node: 20, incarnation: 0, shard: 2 }, config).unwrap()
}

fn link() -> Link {
    link_with(LinkConfig::default())
}

/// What node 20 says.
fn hello(incarnation: u64, epoch: u64, association: u32) -> Hello<'static> {
    Hello {
        welcome: false,
        version_oldest: 1,
        version_newest: 3,
        from_shard: 2,
        to_shard: 1,
        capabilities: u64::MAX,
        required: capability::CHUNKS,
        node: 20,
        incarnation,
        to_node: 10,
        to_incarnation: 100,
        epoch,
        association,
        frame_max: 1 << 16,
        message_max: 1 << 20,
        credit_bytes: 1 << 20,
        credit_messages: 1000,
        signals_received: 0,
        system: SYSTEM,
        address: "there:2552",
    }
}

fn bytes(meanings: &[Meaning<'_>]) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let mut room = Room::new(&mut bytes);
    for meaning in meanings {
        assert!(meaning.write(&mut room), "{meaning:?}");
    }
    let used = room.used();
    bytes.truncate(used);
    bytes
}

fn only_hello(bytes: &[u8]) -> Hello<'_> {
    match meanings(bytes)[..] {
        [Meaning::Hello(hello)] => hello,
        _ => panic!("no hello"),
    }
}

fn meanings(bytes: &[u8]) -> Vec<Meaning<'_>> {
    let (mut at, mut all) = (0, Vec::new());
    while let Some((frame, size)) = Frame::read(&bytes[at..], 1 << 20).unwrap() {
        all.push(Meaning::read(&frame).unwrap());
        at += size;
    }
    assert_eq!(at, bytes.len());
    all
}

fn actions(link: &mut Link) -> Vec<Action> {
    std::iter::from_fn(|| link.poll()).collect()
}

/// Notes what comes, and answers as it is told.
#[derive(Default)]
struct Notes {
    messages: Vec<(u32, usize)>,
    signals: Vec<u64>,
    introductions: Vec<String>,
    verdict: Option<Verdict>,
}

impl Inbound for Notes {
    fn message(&mut self, head: MessageHead, body: &[u8]) -> Verdict {
        self.messages.push((head.target.index, body.len()));
        self.verdict.unwrap_or(Verdict::Taken)
    }
    fn signal(&mut self, signal: Signal<'_>) {
        let Signal::Stop { target } = signal else { panic!("another signal was sent") };
        self.signals.push(target.identity);
    }
    fn introduced(&mut self, introduction: Introduction<'_>) {
        self.introductions.push(introduction.address.to_owned());
    }
}

/// Offers bytes until the link wants no more, and does not mind what it asks for meanwhile.
fn feed(
    link: &mut Link,
    now: Time,
    connection: Connection,
    mut bytes: &[u8],
    notes: &mut Notes,
) -> Vec<Action> {
    let mut all = Vec::new();
    loop {
        let received = link.received(now, connection, bytes, notes);
        all.extend(actions(link));
        bytes = &bytes[received.bytes..];
        if !received.again {
            return all;
        }
    }
}

fn accept(
    link: &mut Link,
    now: Time,
    connection: Connection,
    hello: &Hello<'_>,
) -> Result<Vec<u8>, Farewell> {
    let mut welcome = vec![0; 1 << 16];
    let mut room = Room::new(&mut welcome);
    link.accept(now, connection, hello, &mut room)?;
    Ok(room.written().to_vec())
}

const FIRST: Connection = Connection(1);
const BEAT: Meaning<'_> = Meaning::Heartbeat(1);

/// Opens the link by a connection that comes in.
fn open(link: &mut Link, now: Time, connection: Connection, hello: &Hello<'_>) -> Vec<Action> {
    accept(link, now, connection, hello).unwrap();
    feed(link, now, connection, &bytes(&[BEAT]), &mut Notes::default())
}

fn flush(link: &mut Link, now: Time) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let mut room = Room::new(&mut bytes);
    while link.flush(now, &mut room) {}
    let used = room.used();
    bytes.truncate(used);
    bytes
}

fn stop(identity: u64) -> Signal<'static> {
    Signal::Stop { target: RawAddress { identity, index: 1, shard: 1 } }
}

fn message(index: u32, body: &[u8]) -> Meaning<'_> {
    let envelope = Envelope { type_hash: 1, version: 1, readable_since: 1 };
    Meaning::Message(MessageHead { target: Target { identity: 1, index }, envelope }, body)
}

fn closes(actions: &[Action]) -> Option<Reason> {
    actions.iter().find_map(|action| match action {
        Action::Close(_, farewell) => Some(farewell.map_or(Reason::Other(0), |farewell| farewell.reason)),
        _ => None,
    })
}

fn up(incarnation: u64, association: u32) -> Action {
    Action::Up { incarnation, association }
}

fn lost(incarnation: u64, association: u32, why: Loss) -> Action {
    Action::Lost { incarnation, association, why }
}

/// Conformance 36: what is no hello, and what comes too late, ends its connection, and nobody was taken for anybody.
#[test]
fn a_connection_begins_with_a_good_hello_or_ends() {
    let me = me(10, 100);
    let greeted =
        |hello: Hello<'_>| greet(&me, &bytes(&[Meaning::Hello(hello)])).map(|_| ()).map_err(|end| end.reason);
    let good = hello(200, 1, 1);
    assert_eq!(greeted(good), Ok(()));
    assert_eq!(greeted(Hello { to_node: 0, ..good }), Ok(()));
    assert_eq!(greeted(Hello { welcome: true, ..good }), Err(Reason::Protocol));
    assert_eq!(greeted(Hello { system: "bank", ..good }), Err(Reason::WrongAddress));
    assert_eq!(greeted(Hello { to_node: 11, ..good }), Err(Reason::WrongAddress));
    assert_eq!(greeted(Hello { node: 10, ..good }), Err(Reason::WrongAddress));
    assert_eq!(greeted(Hello { version_oldest: 2, ..good }), Err(Reason::Incompatible));
    assert_eq!(greeted(Hello { required: 1 << 63, ..good }), Err(Reason::Incompatible));
    let without = Hello { capabilities: capability::CHUNKS, ..good };
    assert_eq!(greeted(without), Err(Reason::Incompatible));
    assert_eq!(greeted(Hello { frame_max: 4095, ..good }), Err(Reason::Protocol));
    assert_eq!(greet(&me, &bytes(&[BEAT])).unwrap_err().reason, Reason::Protocol);
    assert_eq!(greet(&me, b"GET / HTTP/1.1\r\n").unwrap_err().reason, Reason::Protocol);
    // Byte by byte, it is awaited, within a bound.
    let whole = bytes(&[Meaning::Hello(good)]);
    assert!(whole.len() < GREETING_MAX);
    for end in 0..whole.len() {
        assert_eq!(greet(&me, &whole[..end]), Ok(None));
    }
    // Another link's.
    let mut link = link();
    let wrong_shard = accept(&mut link, at(0), FIRST, &Hello { to_shard: 0, ..good });
    assert_eq!(wrong_shard.unwrap_err().reason, Reason::WrongAddress);

    // Who was welcomed and is silent.
    accept(&mut link, at(0), FIRST, &good).unwrap();
    assert_eq!(link.next_time(), Some(at(15_000)));
    link.tick(at(14_999));
    assert_eq!(actions(&mut link), []);
    link.tick(at(15_000));
    assert_eq!(closes(&actions(&mut link)), Some(Reason::TooLate));
    // Who was dialed and is silent.
    link.start(at(20_000));
    assert_eq!(actions(&mut link), [Action::Dial]);
    link.dialed(at(20_000), Connection(2));
    assert!(matches!(meanings(&flush(&mut link, at(20_000)))[..], [Meaning::Hello(_)]));
    link.tick(at(35_000));
    assert_eq!(closes(&actions(&mut link)), Some(Reason::TooLate));
    assert!(link.open().is_none() && link.to().incarnation == 0);
}

/// Conformance 36, 38: a peer without heartbeats is lost, once, and its watchers with it; another contact is another
/// association.
#[test]
fn a_peer_that_falls_silent_is_lost_once() {
    let mut link = link();
    assert_eq!(open(&mut link, at(0), FIRST, &hello(200, 1, 1)), [up(200, 1)]);
    link.signal(at(0), stop(7)).unwrap();
    for second in 1..60 {
        feed(
            &mut link,
            at(second * 1000),
            FIRST,
            &bytes(&[Meaning::Heartbeat(second)]),
            &mut Notes::default(),
        );
        flush(&mut link, at(second * 1000));
        assert_eq!(actions(&mut link), []);
    }
    let mut silent = Vec::new();
    for second in 60..100 {
        link.tick(at(second * 1000));
        silent.extend(actions(&mut link).into_iter().map(|action| (second, action)));
    }
    let farewell = Farewell { reason: Reason::Forgotten, detail: 2, text: "the association was given up" };
    let expected = [Action::Close(FIRST, Some(farewell)), Action::Down, lost(200, 1, Loss::Silent)];
    assert_eq!(silent.iter().map(|(_, action)| *action).collect::<Vec<_>>(), expected);
    assert!((70..73).contains(&silent[0].0), "{silent:?}");
    assert_eq!((link.signals_waiting(), link.association()), (0, 2));
    // It was not dead: in the old association it is refused, and told which one is next.
    let refused = accept(&mut link, at(100_000), Connection(2), &hello(200, 2, 1)).unwrap_err();
    assert_eq!((refused.reason, refused.detail), (Reason::Forgotten, 2));
    assert_eq!(open(&mut link, at(100_000), Connection(3), &hello(200, 3, 2)), [up(200, 2)]);
}

/// Reliability 31: a process that was stopped for a while does not take its peers for dead.
#[test]
fn a_pause_of_this_process_is_not_the_peers_silence() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    for second in 1..20 {
        feed(
            &mut link,
            at(second * 1000),
            FIRST,
            &bytes(&[Meaning::Heartbeat(second)]),
            &mut Notes::default(),
        );
        flush(&mut link, at(second * 1000));
    }
    link.tick(at(90_000));
    assert_eq!(actions(&mut link), []);
    // From there on it counts.
    let mut gone = None;
    for second in 91..130 {
        link.tick(at(second * 1000));
        if let (None, Some(_)) = (gone, closes(&actions(&mut link))) {
            gone = Some(second);
        }
    }
    assert!((100..104).contains(&gone.unwrap()), "{gone:?}");
}

/// Reliability 27: in whatever two pieces four KiB come, the same is handed over.
#[test]
fn every_split_of_a_stream_hands_over_the_same() {
    let mut sent = bytes(&[BEAT]);
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
        accept(&mut link, at(0), FIRST, &hello(200, 1, 1)).unwrap();
        let mut notes = Notes::default();
        let mut kept: Vec<u8> = Vec::new();
        for piece in [&sent[..cut], &sent[cut..]] {
            kept.extend_from_slice(piece);
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

/// Conformance 38: who never answers is lost as well, if anything was to be signalled to it.
#[test]
fn a_peer_that_never_answers_is_lost_if_somebody_watches_there() {
    let to = LinkTo { node: 20, incarnation: 200, shard: 2 };
    let mut link = Link::new(me(10, 100), 1, to, LinkConfig::default()).unwrap();
    link.start(at(0));
    link.signal(at(0), stop(1)).unwrap();
    let mut all = Vec::new();
    while let Some(next) = link.next_time().filter(|next| *next < at(30_000)) {
        link.tick(next);
        for action in actions(&mut link) {
            match action {
                Action::Dial => link.dial_failed(next),
                other => all.push((next, other)),
            }
        }
    }
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].1, lost(200, 1, Loss::Silent));
    assert!(all[0].0 > at(10_000) && all[0].0 < at(14_000), "{all:?}");
}

/// Conformance 40: a restarted peer is welcome at once; what was with its former life is lost, and that life is never
/// listened to again.
#[test]
fn a_new_life_is_welcome_at_once_and_the_old_one_never_again() {
    let mut link = link();
    assert_eq!(open(&mut link, at(0), FIRST, &hello(200, 5, 1)), [up(200, 1)]);
    let reborn = open(&mut link, at(10), Connection(2), &hello(201, 1, 1));
    assert_eq!(reborn[0], lost(200, 1, Loss::Restarted));
    assert!(
        matches!(reborn[1], Action::Close(FIRST, Some(farewell)) if farewell.reason == Reason::Superseded)
    );
    assert_eq!(reborn[2..], [Action::Down, up(201, 1)]);
    // Bytes of the old connection that were on their way.
    let mut notes = Notes::default();
    let late = bytes(&[message(1, b"late"), Meaning::Signal(1, stop(1))]);
    assert_eq!(feed(&mut link, at(11), FIRST, &late, &mut notes), []);
    assert!(notes.messages.is_empty() && notes.signals.is_empty());
    let refused = accept(&mut link, at(12), Connection(3), &hello(200, 9, 1)).unwrap_err();
    assert_eq!(refused.reason, Reason::Quarantined);
    assert_eq!(link.open(), Some(Connection(2)));
}

/// Conformance 40: who called before the new life answered does not come after it.
#[test]
fn a_life_that_called_before_the_present_one_answered_is_not_taken_for_its_successor() {
    let mut link = link();
    accept(&mut link, at(0), FIRST, &hello(200, 1, 1)).unwrap();
    accept(&mut link, at(1), Connection(2), &hello(201, 1, 1)).unwrap();
    let answered = feed(&mut link, at(2), Connection(2), &bytes(&[BEAT]), &mut Notes::default());
    assert_eq!(answered[1], up(201, 1));
    assert!(matches!(answered[0], Action::Close(FIRST, _)));
    // The answer of the dead, which was under way for long.
    assert_eq!(feed(&mut link, at(3), FIRST, &bytes(&[BEAT]), &mut Notes::default()), []);
    assert_eq!((link.open(), link.to().incarnation), (Some(Connection(2)), 201));
}

#[test]
fn a_hello_alone_changes_nothing() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    for connection in 2..20 {
        accept(&mut link, at(1), Connection(connection), &hello(200 + connection, 9, 7)).unwrap();
    }
    let closed = actions(&mut link);
    assert!(closed.iter().all(|action| matches!(action, Action::Close(_, None))), "{closed:?}");
    assert_eq!(closed.len(), 14, "four may wait");
    assert_eq!((link.open(), link.to().incarnation, link.association()), (Some(FIRST), 200, 1));
}

#[test]
fn of_two_that_dial_at_once_the_smaller_nodes_connection_stays() {
    let dialing = |node, other| {
        let to = LinkTo { node: other, incarnation: 0, shard: 0 };
        let mut link = Link::new(me(node, node * 10), 0, to, LinkConfig::default()).unwrap();
        link.start(at(0));
        assert_eq!(actions(&mut link), [Action::Dial]);
        link.dialed(at(0), Connection(node));
        let hello = flush(&mut link, at(0));
        (link, hello)
    };
    let (mut small, from_small) = dialing(10, 20);
    let (mut large, from_large) = dialing(20, 10);
    let refused = accept(&mut small, at(1), Connection(20), &only_hello(&from_large)).unwrap_err();
    assert_eq!((refused.reason, refused.detail), (Reason::Superseded, 1));
    let welcome = accept(&mut large, at(1), Connection(10), &only_hello(&from_small)).unwrap();
    // The refusal comes first; then there is no need to dial again while the other is about to answer.
    let goodbye = bytes(&[Meaning::Goodbye(Goodbye { reason: Reason::Superseded, detail: 1, text: "" })]);
    let closed = feed(&mut large, at(2), Connection(20), &goodbye, &mut Notes::default());
    assert!(matches!(closed[..], [Action::Close(Connection(20), None)]));
    large.tick(at(1000));
    assert_eq!(actions(&mut large), []);
    let opened = feed(&mut small, at(2), Connection(10), &welcome, &mut Notes::default());
    assert_eq!(opened, [up(200, 1)]);
    let first = flush(&mut small, at(2));
    assert_eq!(feed(&mut large, at(3), Connection(10), &first, &mut Notes::default()), [up(100, 1)]);
}

/// A peer that has gone on talks on a newer connection; a hello that is older than that is refused.
#[test]
fn a_newer_connection_takes_the_place_of_an_older_and_not_the_other_way_round() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 3, 1));
    let refused = accept(&mut link, at(1), Connection(2), &hello(200, 3, 1)).unwrap_err();
    assert_eq!((refused.reason, refused.detail), (Reason::Superseded, 3));
    let changed = open(&mut link, at(1), Connection(3), &hello(200, 4, 1));
    assert!(matches!(changed[0], Action::Close(FIRST, Some(_))));
    assert_eq!(changed[1..], [Action::Down, up(200, 1)]);
}

/// Conformance 37: signals go again on the next connection from the first that was not taken in; what comes twice is
/// dropped, and what leaves a gap ends the connection.
#[test]
fn signals_are_sent_again_and_taken_in_once() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    for identity in 1..=5 {
        link.signal(at(0), stop(identity)).unwrap();
    }
    let signalled = |bytes: &[u8]| -> Vec<u64> {
        meanings(bytes)
            .iter()
            .filter_map(|meaning| match meaning {
                Meaning::Signal(seq, _) => Some(*seq),
                _ => None,
            })
            .collect()
    };
    assert_eq!(signalled(&flush(&mut link, at(1))), [1, 2, 3, 4, 5]);
    assert_eq!(signalled(&flush(&mut link, at(1))), []);
    feed(&mut link, at(2), FIRST, &bytes(&[Meaning::Acknowledgement(2)]), &mut Notes::default());
    assert_eq!(link.signals_waiting(), 3);
    // The connection breaks; the next hello says what came after the last acknowledgement.
    link.disconnected(at(3), FIRST);
    assert_eq!(actions(&mut link), [Action::Down]);
    link.signal(at(3), stop(6)).unwrap();
    open(&mut link, at(4), Connection(2), &Hello { signals_received: 3, ..hello(200, 2, 1) });
    assert_eq!(signalled(&flush(&mut link, at(4))), [4, 5, 6]);
    // An acknowledgement that is older than what is known does no harm; one of the future does.
    let connection = Connection(2);
    assert_eq!(
        feed(&mut link, at(5), connection, &bytes(&[Meaning::Acknowledgement(1)]), &mut Notes::default()),
        []
    );
    let ahead =
        feed(&mut link, at(5), connection, &bytes(&[Meaning::Acknowledgement(7)]), &mut Notes::default());
    assert_eq!(closes(&ahead), Some(Reason::Protocol));

    // The other direction.
    let mut notes = Notes::default();
    let connection = Connection(3);
    open(&mut link, at(6), connection, &Hello { signals_received: 6, ..hello(200, 3, 1) });
    let twice = bytes(&[
        Meaning::Signal(1, stop(1)),
        Meaning::Signal(2, stop(2)),
        Meaning::Signal(1, stop(1)),
        Meaning::Signal(2, stop(2)),
        Meaning::Signal(3, stop(3)),
    ]);
    assert_eq!(feed(&mut link, at(7), connection, &twice, &mut notes), []);
    assert_eq!((notes.signals.clone(), link.stats().signals_repeated), (vec![1, 2, 3], 2));
    assert!(meanings(&flush(&mut link, at(7))).contains(&Meaning::Acknowledgement(3)));
    let gap = feed(&mut link, at(8), connection, &bytes(&[Meaning::Signal(5, stop(5))]), &mut notes);
    assert_eq!((closes(&gap), notes.signals.len()), (Some(Reason::Protocol), 3));
}

/// Conformance 37: more signals than may wait, and the peer is given up: none is lost without notice.
#[test]
fn too_many_signals_that_nobody_takes_in_end_the_association() {
    let mut link = link_with(LinkConfig { signals_max: 3, ..LinkConfig::default() });
    assert_eq!(link.signal(at(0), stop(1)), Err(SignalError::NoPeer));
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    for identity in 1..=3 {
        link.signal(at(0), stop(identity)).unwrap();
    }
    assert_eq!(link.signal(at(0), stop(4)), Err(SignalError::Full));
    let all = actions(&mut link);
    assert_eq!((closes(&all), all[2]), (Some(Reason::Forgotten), lost(200, 1, Loss::SignalsFull)));
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

struct Text(String);

impl Wire for Text {
    const NAME: &'static str = "test.Text";
    type Form = Compact;
}

impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
        String::deserialize(from).map(Text)
    }
}

fn tell(link: &mut Link, index: u32, length: usize) -> Result<Vec<u8>, LinkTellError> {
    let mut bytes = vec![0; 1 << 16];
    let mut room = Room::new(&mut bytes);
    link.tell(&mut room, Target { identity: 1, index }, &Text("x".repeat(length)))?;
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
    let refused = link.tell(&mut room, Target { identity: 1, index: 9 }, &Text("x".repeat(10)));
    assert_eq!((refused, room.used()), (Err(LinkTellError::NoRoom), 0));
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

#[test]
fn a_system_that_leaves_says_so_and_is_lost_at_once() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    let goodbye = Meaning::Goodbye(Goodbye { reason: Reason::Leaving, detail: 0, text: "" });
    let all = feed(&mut link, at(1), FIRST, &bytes(&[goodbye]), &mut Notes::default());
    assert_eq!(all, [Action::Close(FIRST, None), Action::Down, lost(200, 1, Loss::Left)]);
    assert_eq!(
        accept(&mut link, at(2), Connection(2), &hello(200, 2, 1)).unwrap_err().reason,
        Reason::Quarantined
    );
    assert_eq!(open(&mut link, at(3), Connection(3), &hello(201, 1, 1)), [up(201, 1)]);

    link.leave();
    let all = actions(&mut link);
    assert_eq!(closes(&all), Some(Reason::Leaving));
    assert_eq!(all[1..], [Action::Down, lost(201, 1, Loss::Leaving)]);
    assert_eq!(link.signal(at(4), stop(1)), Err(SignalError::Left));
    assert_eq!(
        accept(&mut link, at(4), Connection(4), &hello(202, 1, 1)).unwrap_err().reason,
        Reason::Leaving
    );
    link.start(at(5));
    assert_eq!((actions(&mut link), link.next_time()), (vec![], None));
}

#[test]
fn who_is_rejected_is_told_and_tries_again_after_the_longest_wait() {
    let mut link = link();
    link.start(at(0));
    actions(&mut link);
    link.dialed(at(0), FIRST);
    flush(&mut link, at(0));
    let goodbye = Meaning::Goodbye(Goodbye { reason: Reason::Incompatible, detail: 0, text: "no" });
    let all = feed(&mut link, at(1), FIRST, &bytes(&[goodbye]), &mut Notes::default());
    assert_eq!(all, [Action::Close(FIRST, None), Action::Rejected(Reason::Incompatible)]);
    assert!(link.next_time().unwrap() > at(4001));
}

#[test]
fn waits_between_dials_grow_and_end_with_a_connection() {
    let mut link = link();
    link.start(at(0));
    let mut waits = Vec::new();
    let mut now = at(0);
    for _ in 0..10 {
        assert_eq!(actions(&mut link), [Action::Dial]);
        link.dial_failed(now);
        let next = link.next_time().unwrap();
        waits.push(next.since(now));
        now = next;
        link.tick(now);
    }
    for (at, wait) in waits.iter().enumerate() {
        let full = Duration::from_millis((50 << at).min(5000));
        assert!(*wait <= full && *wait >= full * 4 / 5, "{waits:?}");
    }
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
    let _ = (EndReason::Stopped, codec::envelope::<Text>());
}
