//! A world: two hosts with a link each, the network between them, and the steps that are made from a seed.

use std::time::Duration;

use corelane_kernel::{RawAddress, Time, Wire};
use corelane_net::codec::{self, Compact};
use corelane_net::link::{
    Action, Connection, GREETING_MAX, Inbound, Link, LinkConfig, LinkTellError, LinkTo, Me, Verdict, greet,
};
use corelane_net::liveness::LivenessConfig;
use corelane_net::wire::{MessageHead, Reason, Room, Signal, Target};
use serde::{Deserialize, Serialize};

use crate::network::{Dice, Network};
use crate::rules::Rules;

/// A message says all that the rules want to know of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Probe {
    pub(super) incarnation: u64,
    pub(super) association: u32,
    pub(super) target: u32,
    pub(super) number: u64,
    pub(super) filling: String,
}

impl Wire for Probe {
    const NAME: &'static str = "test.Probe";
    type Form = Compact;
}

pub(super) const TARGETS: u32 = 4;

pub(super) fn config(dice: &mut Dice) -> LinkConfig {
    LinkConfig {
        heartbeat: Duration::from_millis(100),
        liveness: LivenessConfig {
            threshold: 8.0,
            pause: Duration::from_millis(800),
            deviation_min: Duration::from_millis(20),
            first: Duration::from_millis(100),
            samples: 50,
        },
        handshake: Duration::from_millis(500),
        redial_first: Duration::from_millis(10),
        redial_max: Duration::from_millis(300),
        frame_max: 4096,
        message_max: 20_000,
        chunk: 1024,
        streams_max: 1 + dice.below(3),
        backlog_max: 50_000,
        credit_bytes: 16_384 + dice.below(60_000) as u64,
        credit_messages: 4 + dice.below(60) as u64,
        signals_max: if dice.one_in(8) { 5 } else { 1000 },
        strikes_max: 10,
        seed: dice.next(),
    }
}

/// One host: its link, the connections that have not said hello, and what it has sent.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) broke: Vec<&'static str>,
    pub(super) me: Me,
    pub(super) link: Link,
    /// By connection: what has come and not been taken.
    pub(super) coming: Vec<(Connection, Vec<u8>)>,
    pub(super) greeting: Vec<Connection>,
    pub(super) numbers: [u64; TARGETS as usize],
    pub(super) signals: u64,
    pub(super) held: Vec<usize>,
}

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) now: Time,
    pub(super) network: Network,
    pub(super) hosts: [Host; 2],
    pub(super) rules: Rules,
    pub(super) config: LinkConfig,
}

/// What a link hands over.
pub(super) struct Sink<'a> {
    pub(super) side: usize,
    pub(super) here: u64,
    pub(super) from: u64,
    pub(super) association: u32,
    pub(super) rules: &'a mut Rules,
    pub(super) dice: &'a mut Dice,
    pub(super) held: &'a mut Vec<usize>,
}

impl Inbound for Sink<'_> {
    fn message(&mut self, head: MessageHead, body: &[u8]) -> Verdict {
        let probe: Probe = codec::decode(head.envelope, body).expect("what was written is read");
        assert_eq!(head.target.index, probe.target);
        assert_eq!(probe.filling, filling(probe.number, probe.filling.len()), "other contents");
        assert_eq!((probe.incarnation, probe.association), (self.from, self.association), "of another life");
        self.rules.message(self.side, self.here, probe.incarnation, probe.target, probe.number);
        if self.dice.one_in(4) {
            self.held.push(body.len());
            return Verdict::Held;
        }
        Verdict::Taken
    }

    fn signal(&mut self, signal: Signal<'_>) {
        let Signal::Watch { watcher, target } = signal else { panic!("another signal was sent") };
        assert_eq!((target.identity, watcher.index), (self.from, self.association), "of another life");
        self.rules.signal(self.side, self.here, target.identity, watcher.index, watcher.identity);
    }
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let config = config(&mut dice);
        let knows = dice.one_in(2);
        let host = |side: usize, dice: &mut Dice| {
            let me = me(side, dice);
            let to = LinkTo { node: if knows { 10 - side as u64 + 1 } else { 0 }, incarnation: 0, shard: 0 };
            new_host(me, to, config)
        };
        let hosts = [host(0, &mut dice), host(1, &mut dice)];
        World { now: Time::from_millis(1), network: Network::new(), hosts, rules: Rules::new(), config, dice }
    }

    /// Whatever the links ask for.
    pub(super) fn drive(&mut self) {
        loop {
            let mut quiet = true;
            for side in 0..2 {
                while let Some(action) = self.hosts[side].link.poll() {
                    quiet = false;
                    self.act(side, action);
                }
            }
            if quiet {
                return;
            }
        }
    }

    pub(super) fn act(&mut self, side: usize, action: Action) {
        let here = self.hosts[side].me.incarnation;
        match action {
            Action::Dial => self.network.dial(side, self.now, &mut self.dice),
            Action::Close(connection, farewell) => {
                let mut bytes = [0; 512];
                let mut room = Room::new(&mut bytes);
                if let Some(farewell) = farewell {
                    if matches!(farewell.reason, Reason::Protocol | Reason::Abuse) {
                        self.hosts[side].broke.push(farewell.text);
                    }
                    assert!(farewell.write(&mut room));
                }
                self.network.send(side, connection, room.written(), self.now, &mut self.dice);
                self.network.close(side, connection, self.now, &mut self.dice);
                self.hosts[side].coming.retain(|(known, _)| *known != connection);
            }
            Action::Up { incarnation, association } => self.rules.up(side, here, incarnation, association),
            Action::Down => {}
            Action::Lost { incarnation, association, why } => {
                self.rules.lost(side, here, incarnation, association, why);
            }
            Action::Rejected(reason) => self.rules.rejected(side, here, reason),
        }
    }

    /// Bytes that came in on a connection.
    pub(super) fn receive(&mut self, side: usize, connection: Connection, bytes: &[u8]) {
        let host = &mut self.hosts[side];
        let at = match host.coming.iter().position(|(known, _)| *known == connection) {
            Some(at) => at,
            None => {
                host.coming.push((connection, Vec::new()));
                host.coming.len() - 1
            }
        };
        host.coming[at].1.extend_from_slice(bytes);
        if host.greeting.contains(&connection) {
            let mut welcome = vec![0; self.config.room_min()];
            let mut room = Room::new(&mut welcome);
            let answer = match greet(&host.me, &host.coming[at].1) {
                Ok(None) => {
                    assert!(host.coming[at].1.len() < GREETING_MAX);
                    return;
                }
                Ok(Some((hello, size))) => {
                    host.link.accept(self.now, connection, &hello, &mut room).map(|()| size)
                }
                Err(farewell) => Err(farewell),
            };
            host.greeting.retain(|known| *known != connection);
            match answer {
                Ok(size) => {
                    drop(host.coming[at].1.drain(..size));
                    self.network.send(side, connection, room.written(), self.now, &mut self.dice);
                }
                Err(farewell) => return self.act(side, Action::Close(connection, Some(farewell))),
            }
            self.drive();
        }
        loop {
            let host = &mut self.hosts[side];
            let Some(at) = host.coming.iter().position(|(known, _)| *known == connection) else { return };
            let to = host.link.to();
            let mut sink = Sink {
                side,
                here: host.me.incarnation,
                from: to.incarnation,
                association: host.link.association(),
                rules: &mut self.rules,
                dice: &mut self.dice,
                held: &mut host.held,
            };
            let received = host.link.received(self.now, connection, &host.coming[at].1, &mut sink);
            host.coming[at].1.drain(..received.bytes);
            self.drive();
            if !received.again {
                return;
            }
        }
    }

    pub(super) fn flush(&mut self, side: usize) {
        let mut bytes = vec![0; self.config.room_min() + self.dice.below(4000)];
        let mut room = Room::new(&mut bytes);
        self.hosts[side].link.flush(self.now, &mut room);
        let used = room.used();
        if let (Some(line), true) = (self.hosts[side].link.line(), used > 0) {
            self.network.send(side, line, &bytes[..used], self.now, &mut self.dice);
        } else {
            assert_eq!(used, 0, "written to no connection");
        }
        self.drive();
    }

    pub(super) fn tell(&mut self, side: usize) {
        let (target, size) = (self.dice.below(TARGETS as usize) as u32, self.size());
        let host = &mut self.hosts[side];
        let Some(line) = host.link.open() else { return };
        let number = host.numbers[target as usize] + 1;
        let probe = Probe {
            incarnation: host.me.incarnation,
            association: host.link.association(),
            target,
            number,
            filling: filling(number, size),
        };
        let mut bytes = vec![0; self.config.room_min()];
        let mut room = Room::new(&mut bytes);
        match host.link.tell(&mut room, Target { identity: 7, index: target }, &probe) {
            Ok(()) => host.numbers[target as usize] = number,
            Err(LinkTellError::TooLarge) => assert!(size > 19_000),
            Err(LinkTellError::Unwritable) => panic!("nothing here is unwritable"),
            Err(_) => assert_eq!(room.used(), 0),
        }
        let used = room.used();
        self.network.send(side, line, &bytes[..used], self.now, &mut self.dice);
    }

    pub(super) fn size(&mut self) -> usize {
        match self.dice.below(10) {
            0 => self.dice.below(25_000),
            1..=2 => self.dice.below(5000),
            _ => self.dice.below(200),
        }
    }

    pub(super) fn signal(&mut self, side: usize) {
        let host = &mut self.hosts[side];
        let (to, association) = (host.link.to().incarnation, host.link.association());
        let raw = |identity, index| RawAddress { identity, index, shard: 0 };
        let signal = Signal::Watch {
            watcher: raw(host.signals + 1, association),
            target: raw(host.me.incarnation, 1),
        };
        if host.link.signal(self.now, signal).is_ok() {
            host.signals += 1;
            self.rules.signalled(side, host.me.incarnation, to, association, host.signals);
        }
        self.drive();
    }

    pub(super) fn crash(&mut self, side: usize) {
        self.network.crash(side, self.now, &mut self.dice);
        let me = me(side, &mut self.dice);
        let to = LinkTo { incarnation: 0, ..self.hosts[side].link.to() };
        self.rules.crashed(side, self.hosts[side].me.incarnation);
        self.hosts[side] = new_host(me, to, self.config);
        self.hosts[side].link.start(self.now);
        self.drive();
    }

    /// The next thing that the network brings, if it is due.
    pub(super) fn arrive(&mut self) -> bool {
        let Some(event) = self.network.next(self.now) else { return false };
        match event {
            crate::network::Event::Connected { side, connection } => {
                self.hosts[1 - side].greeting.push(connection);
                self.hosts[side].link.dialed(self.now, connection);
                self.drive();
                self.flush(side);
            }
            crate::network::Event::DialFailed { side } => self.hosts[side].link.dial_failed(self.now),
            crate::network::Event::Bytes { side, connection, bytes } => {
                self.receive(side, connection, &bytes)
            }
            crate::network::Event::Closed { side, connection } => {
                self.hosts[side].greeting.retain(|known| *known != connection);
                self.hosts[side].coming.retain(|(known, _)| *known != connection);
                self.hosts[side].link.disconnected(self.now, connection);
            }
        }
        self.drive();
        true
    }

    pub(super) fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        loop {
            while self.arrive() {}
            let times =
                [self.network.next_time(), self.hosts[0].link.next_time(), self.hosts[1].link.next_time()];
            let next = times.into_iter().flatten().min().unwrap_or(end).max(self.now);
            if next > end {
                break;
            }
            // Something is due at once only once, or a link asks for time and makes nothing of it.
            self.now = next.max(self.now + Duration::from_micros(10));
            for side in 0..2 {
                self.hosts[side].link.tick(self.now);
                self.drive();
                self.flush(side);
            }
        }
        self.now = self.now.max(end);
    }

    pub(super) fn step(&mut self) {
        let side = self.dice.below(2);
        match self.dice.below(100) {
            0..=34 => self.tell(side),
            35..=49 => self.signal(side),
            50..=69 => self.flush(side),
            70..=84 => {
                let by = Duration::from_micros(self.dice.below(20_000) as u64);
                self.pass(by);
            }
            85..=91 => {
                if let Some(length) = self.hosts[side].held.pop() {
                    self.hosts[side].link.release(length);
                }
            }
            92..=94 => self.network.cut(self.now, &mut self.dice),
            95 => self.pass(Duration::from_millis(300)),
            96 => self.network.set_blocked([self.dice.one_in(2), self.dice.one_in(2)]),
            97 => self.network.set_blocked([false, false]),
            98 if self.dice.one_in(3) => self.crash(side),
            99 if self.dice.one_in(4) => {
                self.hosts[side].link.quarantine(self.now);
                self.drive();
            }
            _ => {
                self.flush(0);
                self.flush(1);
            }
        }
    }

    /// Faults stop: both must be up with each other, and all that was signalled in this association must arrive.
    pub(super) fn settle(&mut self) {
        self.network.set_blocked([false, false]);
        self.network.heal();
        self.release_all();
        for _ in 0..100 {
            self.pass(Duration::from_millis(100));
            if self.is_settled() {
                break;
            }
        }
        let phases = self.hosts.each_ref().map(|host| (host.link.open(), host.link.signals_waiting()));
        assert!(self.is_settled(), "not settled: {phases:?}");
        let [a, b] = &self.hosts;
        assert_eq!(a.link.open(), b.link.open());
        assert_eq!(a.link.association(), b.link.association());
        assert_eq!((a.link.to().incarnation, b.link.to().incarnation), (b.me.incarnation, a.me.incarnation));
        self.rules.finish([
            (a.me.incarnation, b.me.incarnation, a.link.association()),
            (b.me.incarnation, a.me.incarnation, b.link.association()),
        ]);
        for side in 0..2 {
            assert_eq!(
                self.hosts[side].link.stats().violations,
                0,
                "nobody broke the rules: {:?}",
                self.hosts[side].broke
            );
        }
        // And messages flow, also large ones, whatever credit was left.
        let before = self.hosts.each_ref().map(|host| host.numbers);
        for side in 0..2 {
            for _ in 0..10 {
                for _ in 0..5 {
                    self.tell(side);
                }
                self.pass(Duration::from_millis(20));
                self.release_all();
            }
        }
        for _ in 0..10 {
            self.pass(Duration::from_millis(50));
            self.release_all();
        }
        for (side, before) in before.iter().enumerate() {
            let (host, other) = (&self.hosts[side], self.hosts[1 - side].me.incarnation);
            for target in 0..TARGETS {
                let last = self.rules.last(1 - side, other, host.me.incarnation, target);
                let number = host.numbers[target as usize];
                let sent = number > before[target as usize];
                assert!(!sent || last == number, "the last message did not arrive: {last} of {number}");
            }
        }
    }

    pub(super) fn release_all(&mut self) {
        for host in &mut self.hosts {
            for length in std::mem::take(&mut host.held) {
                host.link.release(length);
            }
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.hosts.iter().all(|host| host.link.open().is_some() && host.link.signals_waiting() == 0)
            && self.hosts[0].link.open() == self.hosts[1].link.open()
    }
}

/// What a message of this number is filled with: no piece of it is like its neighbours'.
pub(super) fn filling(number: u64, size: usize) -> String {
    let mut filling = format!("{number:016x}").repeat(size / 16 + 1);
    filling.truncate(size);
    filling
}

pub(super) fn me(side: usize, dice: &mut Dice) -> Me {
    let address = format!("host{side}:2552");
    Me { system: "test".into(), address, node: 10 + side as u64, incarnation: dice.next() | 1 }
}

pub(super) fn new_host(me: Me, to: LinkTo, config: LinkConfig) -> Host {
    let link = Link::new(me.clone(), 0, to, config).expect("good settings");
    Host {
        broke: Vec::new(),
        me,
        link,
        coming: Vec::new(),
        greeting: Vec::new(),
        numbers: [0; TARGETS as usize],
        signals: 0,
        held: Vec::new(),
    }
}
