//! Untrusted mode: a peer that names whatever it likes, and reaches what it was given.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use corelane_kernel::{ActorRef, FarAddress, Group, RawAddress, Time};
use corelane_net::codec::{self, Compact, Wire};
use corelane_net::link::{Connection, Inbound, Link, LinkConfig, LinkTo, Me, Verdict};
use corelane_net::reactor::Choice;
use corelane_net::wire::{
    EndReason, Envelope, Frame, Meaning, MessageHead, Ordered, Reason, Room, Signal, Spawn, Target,
};
use corelane_net::{
    Endpoint, EndpointConfig, Export, PeerNames, RemoteLookupError, Rights, TlsConfig, Untrusted,
};
use corelane_shard::On;
use serde::{Deserialize, Serialize};

use crate::common::*;
use crate::pki::Authority;
use crate::{Reader, until};

/// An [`Order`] as it stands on the wire, with whatever addresses.
#[derive(Debug, Serialize, Deserialize)]
enum Forged {
    Add(u64),
    Get(FarAddress),
    Pass(FarAddress, String),
}

impl Wire for Forged {
    const NAME: &'static str = Order::NAME;
    type Form = Compact;
}

/// The look-up of an actor, and its answer, as they stand on the wire.
#[derive(Serialize, Deserialize)]
struct Lookup {
    number: u64,
    type_hash: u64,
    path: String,
}

impl Wire for Lookup {
    const NAME: &'static str = "corelane.Lookup";
    type Form = Compact;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum NotFound {
    UnknownType,
    NoSuchActor(String),
}

#[derive(Serialize, Deserialize)]
struct Found {
    number: u64,
    result: Result<RawAddress, NotFound>,
}

impl Wire for Found {
    const NAME: &'static str = "corelane.Found";
    type Form = Compact;
}

/// The word that an actor is to retire, which is answered by its number.
#[derive(Serialize, Deserialize)]
struct Retire {
    number: u64,
}

impl Wire for Retire {
    const NAME: &'static str = "corelane.Retire";
    type Form = Compact;
}

/// A host that is nothing but a link, and says what it likes.
pub(crate) struct Forger {
    link: Link,
    socket: TcpStream,
    came: Vec<u8>,
    heard: Heard,
    now: Time,
}

#[derive(Default)]
struct Heard {
    found: Vec<Result<RawAddress, NotFound>>,
    ends: Vec<(RawAddress, EndReason)>,
    /// What was reported of children, and in words.
    reports: Vec<(RawAddress, String)>,
    /// Outposts of those that are to be spawned.
    spawns: Vec<RawAddress>,
    stops: Vec<RawAddress>,
    numbers: Vec<u64>,
}

impl Inbound for Heard {
    fn message(&mut self, head: MessageHead, body: &[u8]) -> Verdict {
        if head.envelope.type_hash == codec::type_hash(Found::NAME) {
            self.found.push(codec::decode::<Found>(head.envelope, body).unwrap().result);
        } else if head.envelope.type_hash == codec::type_hash("corelane.Retiring") {
            self.numbers.push(codec::decode::<Retire>(head.envelope, body).unwrap().number);
        } else {
            self.numbers.push(codec::decode::<u64>(head.envelope, body).unwrap());
        }
        Verdict::Taken
    }

    fn signal(&mut self, signal: Signal<'_>) {
        match signal {
            Signal::Ended { target, reason, .. } => self.ends.push((target, reason)),
            Signal::Report { child, news, .. } => self.reports.push((child, format!("{news:?}"))),
            Signal::Spawn { outpost, .. } => self.spawns.push(outpost),
            Signal::Stop { target } => self.stops.push(target),
            _ => {}
        }
    }
}

const WIRE: Connection = Connection(1);

pub(crate) fn target<M>(of: ActorRef<M>) -> Target {
    let raw = of.address().to_raw();
    Target { identity: raw.identity, index: raw.index }
}

/// An actor of the forger's.
pub(crate) const OWN: RawAddress = RawAddress { identity: 1 << 32 | 1, index: 5, shard: 0 };

impl Forger {
    pub(crate) fn new(at: SocketAddr, address: &str) -> Forger {
        let mut forger = Forger::knock(at, address, 0);
        forger.open();
        forger
    }

    /// One that takes, and grants, what these settings say.
    pub(crate) fn with(at: SocketAddr, address: &str, config: LinkConfig) -> Forger {
        let mut forger = Forger::knock_with(at, address, (0, 1), config);
        forger.open();
        forger
    }

    /// The process that follows at the same address.
    pub(crate) fn successor(at: SocketAddr, address: &str) -> Forger {
        let mut forger = Forger::knock_with(at, address, (0, 2), LinkConfig::default());
        forger.open();
        forger
    }

    /// Says hello, as the shard of a host.
    pub(crate) fn knock(at: SocketAddr, address: &str, shard: u16) -> Forger {
        Forger::knock_with(at, address, (shard, 1), LinkConfig::default())
    }

    fn knock_with(
        at: SocketAddr,
        address: &str,
        (shard, incarnation): (u16, u64),
        config: LinkConfig,
    ) -> Forger {
        let node = |address: &str| codec::type_hash(&format!("corelane://test@{address}"));
        let me = Me { system: "test".into(), address: address.into(), node: node(address), incarnation };
        let to = LinkTo { node: node(&at.to_string()), incarnation: 0, shard: 0 };
        let now = Time::from_millis(1);
        let mut link = Link::new(me, shard, to, config).unwrap();
        link.start(now);
        let socket = TcpStream::connect(at).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        link.dialed(now, WIRE);
        let mut forger = Forger { link, socket, came: Vec::new(), heard: Heard::default(), now };
        forger.flush();
        forger
    }

    /// Waits until the link is open.
    pub(crate) fn open(&mut self) {
        while self.link.open().is_none() {
            self.read();
        }
        self.flush();
    }

    /// Waits until the other end closes.
    pub(crate) fn until_closed(&mut self) {
        let _ = self.socket.read_to_end(&mut self.came);
    }

    /// Sends bytes as they are, until the other end has closed.
    pub(crate) fn throw(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Reads until the other end closes, and says what came last.
    pub(crate) fn last_words(&mut self) -> Option<Reason> {
        self.until_closed();
        let (mut at, mut last) = (0, None);
        while let Some((frame, size)) = Frame::read(&self.came[at..], 1 << 20).unwrap() {
            at += size;
            last = match Meaning::read(&frame).unwrap() {
                Meaning::Goodbye(goodbye) => Some(goodbye.reason),
                _ => None,
            };
        }
        last
    }

    fn flush(&mut self) {
        let mut bytes = vec![0; 64 << 10];
        let mut room = Room::new(&mut bytes);
        self.link.flush(self.now, &mut room);
        self.socket.write_all(room.written()).unwrap();
    }

    fn read(&mut self) {
        let mut bytes = [0; 4096];
        let count = self.socket.read(&mut bytes).unwrap();
        assert!(count > 0, "the connection was closed: {:?}", self.link.poll());
        self.came.extend_from_slice(&bytes[..count]);
        loop {
            let received = self.link.received(self.now, WIRE, &self.came, &mut self.heard);
            self.came.drain(..received.bytes);
            if !received.again {
                break;
            }
        }
    }

    pub(crate) fn tell<M: Wire<Form: codec::Codec<M>>>(&mut self, to: Target, message: &M) {
        let mut bytes = vec![0; 64 << 10];
        let mut room = Room::new(&mut bytes);
        self.link.tell(&mut room, to, message).unwrap();
        self.socket.write_all(room.written()).unwrap();
    }

    pub(crate) fn signal(&mut self, signal: Signal<'_>) {
        self.link.signal(self.now, signal).unwrap();
        self.flush();
    }

    /// Looks somebody up, and does not wait for the answer.
    pub(crate) fn ask_for(&mut self, path: &str) {
        let lookup = Lookup { number: 7, type_hash: codec::type_hash(Order::NAME), path: path.into() };
        self.tell(Target { identity: 0, index: 0 }, &lookup);
    }

    /// Whether the other end takes a message now, which is for nobody.
    pub(crate) fn may_tell(&mut self) -> bool {
        let mut bytes = vec![0; 4096];
        self.link.tell(&mut Room::new(&mut bytes), Target { identity: 1, index: 1 }, &0_u64).is_ok()
    }

    /// Has an actor tell one of the forger's a text.
    pub(crate) fn pass(&mut self, by: ActorRef<Order>, text: String) {
        self.tell(target(by), &Forged::Pass(FarAddress::Sender(OWN), text));
    }

    pub(crate) fn look_up(&mut self, path: &str) -> Result<RawAddress, NotFound> {
        self.ask_for(path);
        self.next_found()
    }

    pub(crate) fn next_found(&mut self) -> Result<RawAddress, NotFound> {
        while self.heard.found.is_empty() {
            self.read();
        }
        self.heard.found.remove(0)
    }

    pub(crate) fn watch(&mut self, of: ActorRef<Order>) {
        self.signal(Signal::Watch { watcher: OWN, target: of.address().to_raw() });
    }

    pub(crate) fn next_end(&mut self) -> (RawAddress, EndReason) {
        while self.heard.ends.is_empty() {
            self.read();
        }
        self.heard.ends.remove(0)
    }

    pub(crate) fn next_report(&mut self) -> (RawAddress, String) {
        while self.heard.reports.is_empty() {
            self.read();
            self.flush();
        }
        self.heard.reports.remove(0)
    }

    /// The outpost of a child that it is to have.
    pub(crate) fn next_spawn(&mut self) -> RawAddress {
        while self.heard.spawns.is_empty() {
            self.read();
            self.flush();
        }
        self.heard.spawns.remove(0)
    }

    /// Who is told to stop.
    pub(crate) fn next_stop(&mut self) -> RawAddress {
        while self.heard.stops.is_empty() {
            self.read();
            self.flush();
        }
        self.heard.stops.remove(0)
    }

    /// What was said before is done with when this returns.
    pub(crate) fn ask(&mut self, of: ActorRef<Order>) -> u64 {
        self.tell(target(of), &Forged::Get(FarAddress::Sender(OWN)));
        self.next_number()
    }

    fn next_number(&mut self) -> u64 {
        while self.heard.numbers.is_empty() {
            self.read();
        }
        self.heard.numbers.remove(0)
    }
}

struct Scene {
    far: Host,
    open: ActorRef<Order>,
    secret: ActorRef<Order>,
    secrets: Receiver<u64>,
}

fn config(untrusted: Untrusted) -> EndpointConfig {
    EndpointConfig {
        system: "test".into(),
        link: link_config(),
        untrusted: Some(untrusted),
        ..EndpointConfig::default()
    }
}

impl Scene {
    fn new() -> Scene {
        let fragile = Export { rights: Rights { watch: false, stop: true }, ..Export::of("/user/fragile") };
        let exports = vec![Export::of("/user/open"), fragile];
        let far = host_at(1, Choice::Poll, config(Untrusted { exports, ..Untrusted::default() }));
        let (open, _) = Adder::spawn(&far, On::Shard(0), "open");
        let (secret, secrets) = Adder::spawn(&far, On::Shard(0), "secret");
        Scene { far, open, secret, secrets }
    }

    fn endpoint(&self) -> std::sync::Arc<Endpoint> {
        self.far.system.extension::<Endpoint>().unwrap()
    }

    fn dropped(&self) -> u64 {
        self.far.gate().untrusted
    }
}

/// Conformance 41: look-ups of what is not exported find nobody, whether somebody is there or not.
#[test]
fn an_untrusted_peer_finds_exported_paths_and_no_others() {
    let scene = Scene::new();
    let mut peer = Forger::new(scene.far.address, "127.0.0.1:9");
    assert_eq!(peer.look_up("/user/open"), Ok(scene.open.address().to_raw()));
    let others = ["/user/secret", "/user/nobody", "/user/open/child", "/user/open/", "/user/*", "open", ""];
    for path in others {
        assert_eq!(peer.look_up(path), Err(NotFound::NoSuchActor(path.into())));
    }
    assert_eq!(scene.dropped(), others.len() as u64);
    scene.far.end();
}

/// Conformance 41: messages to what the peer was not given are dropped, though their address is right.
#[test]
fn an_untrusted_peer_tells_what_it_was_given_and_nobody_else() {
    let scene = Scene::new();
    let mut peer = Forger::new(scene.far.address, "127.0.0.1:9");
    peer.tell(target(scene.secret), &Forged::Add(1));
    peer.tell(target(scene.open), &Forged::Add(2));
    // Before it was looked up, that one was not given either.
    peer.look_up("/user/open").unwrap();
    peer.tell(target(scene.open), &Forged::Add(3));
    assert_eq!((peer.ask(scene.open), scene.dropped()), (3, 2));
    assert!(scene.secrets.try_recv().is_err());

    scene.endpoint().export(scene.secret, Rights::default());
    peer.tell(target(scene.secret), &Forged::Add(4));
    assert_eq!((next(&scene.secrets), peer.ask(scene.secret)), (4, 4));
    for actor in [scene.secret, scene.open] {
        scene.endpoint().withdraw(actor);
    }
    peer.tell(target(scene.secret), &Forged::Add(5));
    peer.tell(target(scene.open), &Forged::Add(6));
    peer.look_up("/user/open").unwrap();
    assert_eq!((peer.ask(scene.open), scene.dropped()), (3, 4));
    assert!(scene.secrets.try_recv().is_err());

    // What a peer was given, another was not.
    let mut other = Forger::new(scene.far.address, "127.0.0.1:10");
    other.tell(target(scene.open), &Forged::Add(7));
    assert_eq!(other.look_up("/user/secret"), Err(NotFound::NoSuchActor("/user/secret".into())));
    assert_eq!((peer.ask(scene.open), scene.dropped()), (3, 6));
    scene.far.end();
}

/// Conformance 41: watches and stops are taken as the rights say.
#[test]
fn an_untrusted_peer_watches_and_stops_as_far_as_it_may() {
    let scene = Scene::new();
    let (fragile, _) = Adder::spawn(&scene.far, On::Shard(0), "fragile");
    let mut peer = Forger::new(scene.far.address, "127.0.0.1:9");
    peer.look_up("/user/open").unwrap();
    peer.look_up("/user/fragile").unwrap();
    for actor in [scene.secret, fragile] {
        peer.watch(actor);
        assert_eq!(peer.next_end(), (actor.address().to_raw(), EndReason::NotFound));
    }
    for actor in [scene.secret, scene.open] {
        peer.signal(Signal::Stop { target: actor.address().to_raw() });
    }
    assert_eq!((peer.ask(scene.open), scene.dropped()), (0, 4));
    peer.watch(scene.open);
    // It is watched when the next message is handled, and fails of another's doing.
    peer.ask(scene.open);
    scene.far.tell(0, scene.open, Order::Fail);
    assert_eq!(peer.next_end(), (scene.open.address().to_raw(), EndReason::Failed));

    let (watcher, heard) = Watcher::spawn(&scene.far, 0);
    for actor in [fragile, scene.secret] {
        scene.far.have(watcher, Watching::Watch(actor));
    }
    peer.signal(Signal::Stop { target: fragile.address().to_raw() });
    assert_eq!(next(&heard), "Stopped");
    // The other is there.
    scene.far.tell(0, scene.secret, Order::Add(1));
    assert_eq!((next(&scene.secrets), scene.dropped()), (1, 4));
    scene.far.end();
}

/// Conformance 41: what stops an actor behind its messages is a stop.
#[test]
fn an_untrusted_peer_has_only_those_retire_whom_it_may_stop() {
    let scene = Scene::new();
    let (fragile, _) = Adder::spawn(&scene.far, On::Shard(0), "fragile");
    let mut peer = Forger::new(scene.far.address, "127.0.0.1:9");
    peer.look_up("/user/open").unwrap();
    peer.look_up("/user/fragile").unwrap();
    let (watcher, heard) = Watcher::spawn(&scene.far, 0);
    for actor in [scene.secret, scene.open, fragile] {
        scene.far.have(watcher, Watching::Watch(actor));
    }
    peer.tell(target(scene.secret), &Retire { number: 1 });
    peer.tell(target(scene.open), &Retire { number: 2 });
    assert_eq!(peer.next_number(), 2, "what is not known to it is not answered for");
    assert_eq!((peer.ask(scene.open), scene.dropped()), (0, 2));
    peer.tell(target(fragile), &Retire { number: 3 });
    assert_eq!((peer.next_number(), next(&heard).as_str()), (3, "Stopped"));
    scene.far.tell(0, scene.secret, Order::Add(1));
    assert_eq!((next(&scene.secrets), scene.dropped()), (1, 2));
    scene.far.end();
}

/// Conformance 41: no actor is made to tell another what the peer could not.
#[test]
fn an_untrusted_peer_names_in_its_messages_only_what_it_was_given() {
    let scene = Scene::new();
    let (texts, read) = channel();
    let reader = scene.far.system.spawn_named(On::Shard(0), "reader", move || Reader(texts.clone())).unwrap();
    let (raw, identity) = (reader.address().to_raw(), scene.endpoint().identity());
    let mut peer = Forger::new(scene.far.address, "127.0.0.1:9");
    peer.look_up("/user/open").unwrap();
    let (node, incarnation) = identity;
    for far in [FarAddress::Receiver(raw), FarAddress::Other { node, incarnation, raw }] {
        peer.tell(target(scene.open), &Forged::Pass(far, "for nobody".into()));
    }
    assert_eq!((peer.ask(scene.open), scene.dropped()), (0, 2));
    assert!(read.try_recv().is_err());
    scene.endpoint().export(reader, Rights::default());
    peer.tell(target(scene.open), &Forged::Pass(FarAddress::Receiver(raw), "for the reader".into()));
    assert_eq!(next(&read), "for the reader");
    // A third host is nothing that it knows.
    let other = FarAddress::Other { node: 77, incarnation: 1, raw };
    peer.tell(target(scene.open), &Forged::Pass(other, "for nobody".into()));
    // Nor does it say anything to the host itself but look-ups.
    peer.tell(Target { identity: 0, index: 0 }, &Forged::Add(1));
    // Nor has it children here.
    let (outpost, child) = (OWN, scene.secret.address().to_raw());
    peer.signal(Signal::Order { child, outpost, round: 0, order: Ordered::Stop });
    let envelope = Envelope { type_hash: 1, version: 1, readable_since: 1 };
    let spawn = Spawn {
        envelope,
        protocol: codec::type_hash(Order::NAME),
        group: Group::Normal,
        mailbox: 0,
        anywhere: false,
        name: "mole",
        path: "/user/burrow",
        props: &[],
    };
    peer.signal(Signal::Spawn { outpost, parent: OWN, spawn });
    assert_eq!((peer.ask(scene.open), scene.dropped()), (0, 6));
    assert_eq!((scene.far.gate().violations, scene.far.gate().refused_in), (0, 0));
    scene.far.end();
}

#[test]
fn what_an_untrusted_peer_was_given_is_its_own_on_every_shard() {
    let exports = vec![Export::of("/user/open")];
    let far = host_at(2, Choice::Poll, config(Untrusted { exports, ..Untrusted::default() }));
    let near = host(2, Choice::Poll);
    let (_, seen) = Adder::spawn(&far, On::Shard(1), "open");
    // The look-up goes to the first shard, and messages to where the actor lives.
    let open = near.lookup::<Order>(&far.url("open")).unwrap();
    for shard in [0, 1] {
        near.tell(shard, open, Order::Add(7));
        assert_eq!(next(&seen), 7);
        assert!(near.ask(shard, open).is_ok());
    }
    for shard in [0, 1] {
        assert_eq!(far.system.extension::<Endpoint>().unwrap().stats(shard).unwrap().untrusted, 0);
    }
    near.end();
    far.end();
}

#[test]
fn a_reference_in_a_message_to_an_untrusted_peer_is_given_with_it() {
    let far = host_at(1, Choice::Poll, config(Untrusted::default()));
    let near = host(1, Choice::Poll);
    Adder::spawn(&near, On::Shard(0), "adder");
    let (texts, read) = channel();
    let reader = far.system.spawn(move || Reader(texts.clone())).unwrap();
    // The peer's actors are asked and watched as always, and answer.
    let adder = far.lookup::<Order>(&near.url("adder")).unwrap();
    let (watcher, heard) = Watcher::spawn(&far, 0);
    far.have(watcher, Watching::Watch(adder));
    far.tell(0, adder, Order::Pass(reader, "given".into()));
    assert_eq!((next(&read), far.ask(0, adder)), ("given".into(), Ok(0)));
    far.tell(0, adder, Order::Fail);
    assert_eq!(next(&heard), "no disk");
    assert_eq!(far.gate().untrusted, 0);
    near.end();
    far.end();
}

#[test]
fn peers_with_a_name_of_ours_are_trusted() {
    let authority = Authority::new("ours");
    let secure = |name: &str, untrusted: Option<Untrusted>| {
        let shown = authority.make(&["127.0.0.1", name], |_| ());
        let tls = TlsConfig { dialed: PeerNames::Any, ..authority.trusted_by(&shown) };
        host_at(1, Choice::Poll, EndpointConfig { tls: Some(tls), untrusted, ..config(Untrusted::default()) })
    };
    let except = vec!["corelane://shop".to_owned()];
    let far = secure("corelane://shop", Some(Untrusted { except, ..Untrusted::default() }));
    Adder::spawn(&far, On::Shard(0), "secret");
    let friend = secure("corelane://shop", None);
    let guest = secure("corelane://guest", None);
    let url = far.url("secret");
    let found = friend.lookup::<Order>(&url).unwrap();
    assert_eq!((friend.ask(0, found), far.gate().untrusted), (Ok(0), 0));
    let nobody = RemoteLookupError::NoSuchActor { path: "/user/secret".into() };
    assert_eq!(guest.lookup::<Order>(&url), Err(nobody));
    assert_eq!(far.gate().untrusted, 1);
    // A friend hands on what it has; that does not make it the guest's.
    let (texts, read) = channel();
    far.system.spawn_named(On::Shard(0), "reader", move || Reader(texts.clone())).unwrap();
    let reader = friend.lookup::<String>(&far.url("reader")).unwrap();
    Adder::spawn(&guest, On::Shard(0), "adder");
    let adder = friend.lookup::<Order>(&guest.url("adder")).unwrap();
    friend.tell(0, adder, Order::Pass(reader, "from a guest".into()));
    until("the guest is refused", || far.gate().untrusted == 2);
    friend.system.call(0, move |scope| scope.tell(reader, "from a friend".to_owned())).unwrap();
    assert_eq!(next(&read), "from a friend");
    for host in [friend, guest, far] {
        host.end();
    }
}

#[test]
fn an_export_that_is_none_does_not_start() {
    let wrong = config(Untrusted { exports: vec![Export::of("/user/*")], ..Untrusted::default() });
    assert!(wrong.check().unwrap_err().to_string().contains("no wildcards"));
}
