//! Hellos: which connection a link has, with which life of the peer, in which association.

use corelane_kernel::Time;

use super::action::{Action, Connection, Farewell, Inbound, Loss};
use super::config::{GRAVES_MAX, KNOCKS_MAX};
use super::credit::{Granting, Spending};
use super::greeting::{CAPABILITIES, REQUIRED, check};
use super::streams::{Inbox, Outbox};
use super::{Greeting, Knock, Line, Link, Open};
use crate::wire::{
    Allowance, FRAME_MIN, Frame, Goodbye, Hello, Kind, MESSAGE_HEAD, Reason, Room, VERSION, VERSION_OLDEST,
    capability,
};

/// Epochs from here on are nobody's: a peer that names one would leave none for the next connection.
const EPOCH_END: u64 = 1 << 62;

const FOLLOWED: &str = "this incarnation was followed by another";

impl Knock {
    /// All that a hello says, of a connection to which so much is granted.
    fn of(connection: Connection, until: Time, hello: &Hello<'_>, granted: Allowance) -> Knock {
        Knock {
            connection,
            until,
            node: hello.node,
            incarnation: hello.incarnation,
            epoch: hello.epoch,
            association: hello.association,
            runs: hello.capabilities & capability::RUNS != 0,
            retires: hello.capabilities & capability::RETIREMENT != 0,
            frame_max: hello.frame_max,
            message_max: hello.message_max,
            streams_max: hello.streams_max,
            allowed: Allowance { bytes: hello.credit_bytes, messages: hello.credit_messages },
            signals_received: hello.signals_received,
            granted,
        }
    }
}

impl Link {
    /// The driver has connected.
    pub fn dialed(&mut self, now: Time, connection: Connection) {
        if !matches!(self.line, Line::Dialing(_)) {
            // Another connection came in meanwhile, or it took too long.
            self.actions.push_back(Action::Close(connection, None));
            return;
        }
        if !self.knocks.is_empty() {
            // Whoever was welcomed has it for agreed, and may speak already: this one would only compete with it.
            self.actions.push_back(Action::Close(connection, None));
            self.line = Line::Silent(Some(now));
            return;
        }
        self.named = (self.named.max(self.epoch) + 1).min(EPOCH_END - 1);
        let until = now + self.config.handshake;
        self.line = Line::Greeting(Greeting { connection, epoch: self.named, until, granted: None });
    }

    /// The driver goes on connecting, in another way: what it has tried so far takes no time from that.
    pub(crate) fn dials_on(&mut self, now: Time) {
        if let Line::Dialing(until) = &mut self.line {
            *until = now + self.config.handshake;
        }
    }

    /// The driver could not connect.
    pub fn dial_failed(&mut self, now: Time) {
        if matches!(self.line, Line::Dialing(_)) {
            self.rest(now);
        }
    }

    /// The driver has lost a connection, or the peer has closed it.
    pub fn disconnected(&mut self, now: Time, connection: Connection) {
        self.knocks.retain(|knock| knock.connection != connection);
        if self.line() != Some(connection) {
            return;
        }
        if self.open().is_some() {
            self.actions.push_back(Action::Down);
            self.wait = self.config.redial_first;
        }
        self.rest(now);
    }

    /// A connection came in whose hello ([`super::greet`]) names this link's shards and node. Writes the welcome into its send
    /// buffer, which must have [`super::LinkConfig::room_min`] bytes. What follows goes to [`Link::received`].
    ///
    /// A hello proves nothing: it may have been under way for long, of a connection or a process that is no more. So nothing
    /// changes before the peer has answered the welcome with a frame.
    ///
    /// # Errors
    /// The last words: write them and close.
    pub fn accept(
        &mut self,
        now: Time,
        connection: Connection,
        hello: &Hello<'_>,
        room: &mut Room<'_>,
    ) -> Result<(), Farewell> {
        // An association is one of two lives. Whoever means another life than this names one that is over.
        let known = hello.incarnation == self.to.incarnation;
        let meant = hello.to_incarnation == self.me.incarnation;
        let current = if known { self.association } else { 1 };
        let knock = Knock {
            association: if meant { hello.association } else { current },
            signals_received: if meant { hello.signals_received } else { 0 },
            ..Knock::of(connection, now + self.config.handshake, hello, self.first_grant())
        };
        let checked =
            check(&self.me, hello).and_then(|()| self.check_peer(hello)).and_then(|()| self.admits(&knock));
        if checked.is_err() {
            self.stats.refused += 1;
            return checked;
        }
        // Of an association that is not this one, nothing has been taken in.
        let same = known && knock.association == self.association;
        let received = if same { self.received.last } else { 0 };
        let welcome = Some((knock.incarnation, knock.association));
        if !self.write_hello(room, welcome, knock.epoch, received, knock.granted) {
            return Err(Farewell::new(Reason::TooLate, "no room for the welcome"));
        }
        if self.knocks.len() >= KNOCKS_MAX {
            let oldest = self.knocks.remove(0);
            self.actions.push_back(Action::Close(oldest.connection, None));
        }
        self.knocks.push(knock);
        Ok(())
    }

    /// Whether a connection may take the place of what there is.
    fn admits(&self, knock: &Knock) -> Result<(), Farewell> {
        let farewell = |reason, text, detail| Err(Farewell { reason, detail, text });
        if self.left {
            return farewell(Reason::Leaving, "the system ends", 0);
        }
        if self.graves.contains(&knock.incarnation) {
            return farewell(Reason::Quarantined, "this incarnation was followed by another", 0);
        }
        // Epochs and associations are counted for each life; only two that do not know each other yet may both have dialed.
        let same = knock.incarnation == self.to.incarnation;
        if !same && self.to.incarnation != 0 {
            return Ok(());
        }
        if same && knock.association < self.association {
            return farewell(Reason::Forgotten, "the association was given up", self.association.into());
        }
        let known = match &self.line {
            Line::Open(open) => open.epoch,
            // Both dialed: the smaller node's connection stays.
            Line::Greeting(greeting) if knock.epoch == greeting.epoch && self.me.node > knock.node => {
                greeting.epoch - 1
            }
            Line::Greeting(greeting) => greeting.epoch,
            Line::Silent(_) | Line::Dialing(_) if same => self.epoch,
            Line::Silent(_) | Line::Dialing(_) => 0,
        };
        if knock.epoch <= known {
            return farewell(Reason::Superseded, "a newer connection is there", known);
        }
        Ok(())
    }

    /// The peer has answered the welcome: the connection takes the place of what there is. Whoever else has knocked did so
    /// before this, and may be of a life that this one has followed.
    pub(super) fn confirmed(&mut self, now: Time, connection: Connection, inbound: &mut dyn Inbound) {
        let Some(at) = self.knocks.iter().position(|knock| knock.connection == connection) else { return };
        let knock = self.knocks.remove(at);
        let may_meet = match inbound.may_meet(knock.incarnation) {
            true => Ok(()),
            false => Err(Farewell::new(Reason::Quarantined, FOLLOWED)),
        };
        let admitted = may_meet.and_then(|()| self.admits(&knock)).and_then(|()| {
            // What cannot be true is refused before anything has changed.
            if knock.signals_received > self.signals_sent(knock.incarnation, knock.association) {
                return Err(Farewell::new(Reason::Protocol, "signals that were never sent"));
            }
            self.meet(knock.node, knock.incarnation);
            self.join(knock.association);
            self.signals
                .begin(knock.signals_received)
                .map_err(|_| Farewell::new(Reason::Protocol, "signals that were never sent"))
        });
        if let Err(farewell) = admitted {
            self.stats.refused += 1;
            self.actions.push_back(Action::Close(connection, Some(farewell)));
            return;
        }
        let mut superseded = Farewell::new(Reason::Superseded, "a newer connection is there");
        superseded.detail = knock.epoch;
        self.hang_up(Some(superseded));
        for other in std::mem::take(&mut self.knocks) {
            self.actions.push_back(Action::Close(other.connection, Some(superseded)));
        }
        self.open_line(now, knock);
    }

    fn check_peer(&self, hello: &Hello<'_>) -> Result<(), Farewell> {
        let wrong = |text| Err(Farewell::new(Reason::WrongAddress, text));
        match () {
            () if self.to.node != 0 && hello.node != self.to.node => wrong("another node"),
            () if (hello.from_shard, hello.to_shard) != (self.to.shard, self.shard) => wrong("another shard"),
            () if hello.epoch >= EPOCH_END => Err(Farewell::new(Reason::Protocol, "no such epoch")),
            () => Ok(()),
        }
    }

    /// Which life of the peer speaks. A new one ends what was with the one before.
    fn meet(&mut self, node: u64, incarnation: u64) {
        if incarnation == self.to.incarnation {
            return;
        }
        if self.to.incarnation != 0 {
            self.lose(Loss::Restarted);
            // One that was only expected may come yet.
            if self.met {
                self.bury();
            }
            (self.epoch, self.named) = (0, 0);
        }
        self.association = 1;
        self.to.node = node;
        self.to.incarnation = incarnation;
        self.met = false;
    }

    /// This life of the peer is over.
    pub(super) fn bury(&mut self) {
        if self.graves.len() >= GRAVES_MAX {
            self.graves.pop_front();
        }
        self.graves.push_back(self.to.incarnation);
    }

    /// Signals that were sent, or are to be, in an association with a life of the peer.
    fn signals_sent(&self, incarnation: u64, association: u32) -> u64 {
        let same = (incarnation, association) == (self.to.incarnation, self.association);
        if same { self.signals.sent() } else { 0 }
    }

    /// The peer is in this association, which is no older than ours.
    fn join(&mut self, association: u32) {
        if association > self.association {
            self.lose(Loss::Forgotten);
            self.association = association;
        }
    }

    fn open_line(&mut self, now: Time, peer: Knock) {
        let few = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        // A peer that has taken all in lets us send half of its window at least. How much that is it does not say; but it is
        // more than the least that all take.
        let credit = few(peer.allowed.bytes / 4).max(FRAME_MIN as usize);
        let frame = few(peer.frame_max.into()).saturating_sub(MESSAGE_HEAD);
        let inline = frame.min(credit).min(few(peer.message_max));
        let streams = few(peer.streams_max.into()).max(1);
        self.epoch = self.epoch.max(peer.epoch);
        self.line = Line::Open(Box::new(Open {
            connection: peer.connection,
            epoch: peer.epoch,
            spending: Spending { allowed: peer.allowed, sent: Allowance::default() },
            granting: Granting::begin(self.window(), peer.granted),
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            inline_max: self.config.chunk.min(inline) & !7,
            message_max: peer.message_max,
            streams_max: self.config.streams_max.min(streams),
            runs: peer.runs,
            retires: peer.retires,
            beat: 0,
            next_beat: now,
            introductions: Default::default(),
        }));
        self.received.owed = false;
        self.wait = self.config.redial_first;
        self.stats.opened += 1;
        (self.established, self.met) = (true, true);
        self.watch_over(now);
        self.detector.heard(now);
        let (incarnation, association) = (self.to.incarnation, self.association);
        self.actions.push_back(Action::Up { incarnation, association });
    }

    /// The hello of this end, or its welcome to a life of the peer, in an association with it.
    pub(super) fn write_hello(
        &self,
        room: &mut Room<'_>,
        welcome: Option<(u64, u32)>,
        epoch: u64,
        signals_received: u64,
        grant: Allowance,
    ) -> bool {
        let (to_incarnation, association) = welcome.unwrap_or((self.to.incarnation, self.association));
        Hello {
            welcome: welcome.is_some(),
            version_oldest: if welcome.is_some() { VERSION } else { VERSION_OLDEST },
            version_newest: VERSION,
            from_shard: self.shard,
            to_shard: self.to.shard,
            capabilities: CAPABILITIES,
            required: REQUIRED,
            node: self.me.node,
            incarnation: self.me.incarnation,
            to_node: self.to.node,
            to_incarnation,
            epoch,
            association,
            frame_max: self.config.frame_max,
            message_max: self.config.message_max,
            credit_bytes: grant.bytes,
            credit_messages: grant.messages,
            signals_received,
            streams_max: u32::try_from(self.config.streams_max).unwrap_or(u32::MAX),
            system: &self.me.system,
            address: &self.me.address,
        }
        .write(room)
    }

    /// The peer's answer to a hello.
    pub(super) fn answered(&mut self, now: Time, frame: &Frame<'_>, inbound: &mut dyn Inbound) {
        let Line::Greeting(greeting) = &self.line else { return };
        let (connection, epoch, granted) = (greeting.connection, greeting.epoch, greeting.granted);
        match frame.kind {
            Some(Kind::Hello) => match self.try_welcome(epoch, frame, inbound) {
                Ok(hello) => {
                    let peer = Knock::of(connection, now, &hello, granted.unwrap_or_default());
                    self.open_line(now, peer);
                }
                Err(farewell) => {
                    self.stats.refused += 1;
                    self.hang_up(Some(farewell));
                    self.wait = self.config.redial_max;
                    self.rest(now);
                }
            },
            Some(Kind::Goodbye) => self.dismissed(now, Goodbye::read(frame)),
            _ => self.violated(now, Reason::Protocol, "the first frame is no welcome"),
        }
    }

    fn try_welcome<'a>(
        &mut self,
        epoch: u64,
        frame: &Frame<'a>,
        inbound: &mut dyn Inbound,
    ) -> Result<Hello<'a>, Farewell> {
        let wrong = |text| Farewell::new(Reason::Protocol, text);
        let hello = Hello::read(frame).map_err(|_| wrong("the welcome is malformed"))?;
        check(&self.me, &hello)?;
        self.check_peer(&hello)?;
        let one_version = hello.version_oldest == hello.version_newest;
        let meant = hello.to_incarnation == self.me.incarnation;
        if !hello.welcome || hello.epoch != epoch || !one_version || !meant {
            return Err(wrong("a welcome to something else"));
        }
        if self.graves.contains(&hello.incarnation) || !inbound.may_meet(hello.incarnation) {
            return Err(Farewell::new(Reason::Quarantined, FOLLOWED));
        }
        self.meet(hello.node, hello.incarnation);
        if hello.association < self.association {
            let mut farewell = Farewell::new(Reason::Forgotten, "the association was given up");
            farewell.detail = u64::from(self.association);
            return Err(farewell);
        }
        self.join(hello.association);
        self.signals.begin(hello.signals_received).map_err(|_| wrong("signals that were never sent"))?;
        Ok(hello)
    }

    /// The peer has said its last words.
    pub(super) fn dismissed(&mut self, now: Time, goodbye: Goodbye<'_>) {
        let open = matches!(self.line, Line::Open(_));
        self.hang_up(None);
        match goodbye.reason {
            Reason::Leaving => {
                // Before the welcome nobody knows which life says so.
                if open {
                    self.lose(Loss::Left);
                    self.forget();
                }
                self.wait = self.config.redial_max;
            }
            Reason::Forgotten => {
                let theirs = u32::try_from(goodbye.detail).unwrap_or(u32::MAX).min(u32::MAX / 2);
                self.join(theirs);
            }
            // The newer one may be about to be opened here.
            Reason::Superseded => self.named = self.named.max(goodbye.detail.min(EPOCH_END - 1)),
            Reason::TooLate => {}
            reason @ (Reason::Quarantined | Reason::WrongAddress | Reason::Incompatible) => {
                self.lose(Loss::Rejected);
                self.actions.push_back(Action::Rejected(reason));
                self.wait = self.config.redial_max;
            }
            Reason::Protocol | Reason::Abuse | Reason::Other(_) => self.wait = self.config.redial_max,
        }
        self.rest(now);
    }
}
