//! A link, and the other end of its connections, which says what a test has it say.

use corelane_kernel::{RawAddress, Time};
use corelane_net::link::{
    Action, Connection, Farewell, Inbound, Link, LinkConfig, LinkTo, Loss, Me, Verdict,
};
use corelane_net::wire::{
    Envelope, Frame, Hello, Introduction, Meaning, MessageHead, Reason, Room, Run, Signal, Target, capability,
};

const SYSTEM: &str = "shop";

pub(crate) fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

pub(crate) fn me(node: u64, incarnation: u64) -> Me {
    Me { system: SYSTEM.into(), address: "here:2552".into(), node, incarnation }
}

/// Node 10 in life 100, towards node 20.
pub(crate) fn link_with(config: LinkConfig) -> Link {
    Link::new(me(10, 100), 1, LinkTo { node: 20, incarnation: 0, shard: 2 }, config).unwrap()
}

pub(crate) fn link() -> Link {
    link_with(LinkConfig::default())
}

/// What node 20 says.
pub(crate) fn hello(incarnation: u64, epoch: u64, association: u32) -> Hello<'static> {
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
        streams_max: 4,
        system: SYSTEM,
        address: "there:2552",
    }
}

pub(crate) fn bytes(meanings: &[Meaning<'_>]) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let mut room = Room::new(&mut bytes);
    for meaning in meanings {
        assert!(meaning.write(&mut room), "{meaning:?}");
    }
    let used = room.used();
    bytes.truncate(used);
    bytes
}

pub(crate) fn only_hello(bytes: &[u8]) -> Hello<'_> {
    match meanings(bytes)[..] {
        [Meaning::Hello(hello)] => hello,
        _ => panic!("no hello"),
    }
}

pub(crate) fn meanings(bytes: &[u8]) -> Vec<Meaning<'_>> {
    let (mut at, mut all) = (0, Vec::new());
    while let Some((frame, size)) = Frame::read(&bytes[at..], 1 << 20).unwrap() {
        all.push(Meaning::read(&frame).unwrap());
        at += size;
    }
    assert_eq!(at, bytes.len());
    all
}

pub(crate) fn actions(link: &mut Link) -> Vec<Action> {
    std::iter::from_fn(|| link.poll()).collect()
}

/// Notes what comes, and answers as it is told.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) messages: Vec<(u32, usize)>,
    pub(crate) signals: Vec<u64>,
    pub(crate) introductions: Vec<String>,
    pub(crate) verdict: Option<Verdict>,
    /// Of a run that is offered, so many are taken at once.
    pub(crate) at_once: usize,
}

impl Inbound for Notes {
    fn message(&mut self, head: MessageHead, body: &[u8]) -> Verdict {
        self.messages.push((head.target.index, body.len()));
        self.verdict.unwrap_or(Verdict::Taken)
    }
    fn run(&mut self, head: MessageHead, run: Run<'_>) -> usize {
        let taken = run.messages().take(self.at_once);
        let before = self.messages.len();
        self.messages.extend(taken.map(|body| (head.target.index, body.len())));
        self.messages.len() - before
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
pub(crate) fn feed(
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

pub(crate) fn accept(
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

pub(crate) const FIRST: Connection = Connection(1);
pub(crate) const BEAT: Meaning<'_> = Meaning::Heartbeat(1);

/// Opens the link by a connection that comes in.
pub(crate) fn open(link: &mut Link, now: Time, connection: Connection, hello: &Hello<'_>) -> Vec<Action> {
    accept(link, now, connection, hello).unwrap();
    feed(link, now, connection, &bytes(&[BEAT]), &mut Notes::default())
}

pub(crate) fn flush(link: &mut Link, now: Time) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let mut room = Room::new(&mut bytes);
    while link.flush(now, &mut room) {}
    let used = room.used();
    bytes.truncate(used);
    bytes
}

pub(crate) fn stop(identity: u64) -> Signal<'static> {
    Signal::Stop { target: RawAddress { identity, index: 1, shard: 1 } }
}

pub(crate) fn head_of(index: u32) -> MessageHead {
    let envelope = Envelope { type_hash: 1, version: 1, readable_since: 1 };
    MessageHead { target: Target { identity: 1, index }, envelope }
}

pub(crate) fn message(index: u32, body: &[u8]) -> Meaning<'_> {
    Meaning::Message(head_of(index), body)
}

pub(crate) fn closes(actions: &[Action]) -> Option<Reason> {
    actions.iter().find_map(|action| match action {
        Action::Close(_, farewell) => Some(farewell.map_or(Reason::Other(0), |farewell| farewell.reason)),
        _ => None,
    })
}

pub(crate) fn up(incarnation: u64, association: u32) -> Action {
    Action::Up { incarnation, association }
}

pub(crate) fn lost(incarnation: u64, association: u32, why: Loss) -> Action {
    Action::Lost { incarnation, association, why }
}
