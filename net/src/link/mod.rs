//! One link: the state machine between a shard of this host and a shard of another.
//!
//! Sans-IO. The driver owns connections, buffers and the clock; the link is handed bytes and times, and answers with bytes
//! and [`Action`]s.
//!
//! - **Inputs**: [`Link::dialed`], [`Link::dial_failed`], [`Link::accept`], [`Link::received`], [`Link::disconnected`],
//!   [`Link::tick`].
//! - **Commands**: [`Link::start`], [`Link::hurry`], [`Link::tell`], [`Link::signal`], [`Link::introduce`],
//!   [`Link::release`], [`Link::refuse`], [`Link::quarantine`], [`Link::leave`].
//! - **Outputs**: [`Link::poll`], until it is `None`, after any of the above; [`Link::flush`], once a turn, into the send
//!   buffer of the connection that is open; [`Link::next_time`], by which [`Link::tick`] wants to be called.
//!
//! # Life
//!
//! ```text
//!            start             dialed            welcome
//!   silent ─────────▶ dialing ─────────▶ greeting ─────────▶ open
//!     ▲                  ▲                   │                │
//!     │                  │ after a wait      │ disconnected   │ disconnected
//!     │                  └───────────────────┴────────────────┤
//!     │           accept, an answer: from any state ──▶ open
//!     └── leave
//! ```
//!
//! Whoever is accepted is open once it has answered the welcome with a frame; until then what was there goes on.
//!
//! # What is guaranteed
//!
//! - **Messages** arrive at most once, and those for one actor in the order in which they were told. What was on its way when
//!   a connection broke may be lost, and is never sent again.
//! - **Signals** arrive exactly once in effect and in order, over as many connections as it takes, or their association is
//!   lost and says so once.
//! - An **association** is the time between two lives of either end, or between two verdicts that the other is gone. It ends
//!   once ([`Action::Lost`]). A peer that was given up and is alive after all finds out at the next hello, gives up its own
//!   side, and goes on in the next association: nothing is quarantined for ever but a life that was followed by another.
//! - What an incarnation or an association that has ended still sends is not listened to.
//!
//! # Example
//!
//! Two links and a wire between them; the driver's buffers are plain arrays.
//!
//! ```
//! use corelane_kernel::Time;
//! use corelane_net::link::{Action, Connection, Inbound, Link, LinkConfig, LinkTo, Me, Verdict, greet};
//! use corelane_net::wire::{MessageHead, Room, Signal, Target};
//!
//! struct Print;
//! impl Inbound for Print {
//!     fn message(&mut self, head: MessageHead, body: &[u8]) -> Verdict {
//!         assert_eq!((head.target.index, body), (8, &7_u64.to_le_bytes()[..]));
//!         Verdict::Taken
//!     }
//!     fn signal(&mut self, _: Signal<'_>) {}
//! }
//!
//! let me = |node| Me { system: "shop".into(), address: "host:2552".into(), node, incarnation: node * 100 };
//! let to = |node| LinkTo { node, incarnation: 0, shard: 0 };
//! let mut a = Link::new(me(10), 0, to(20), LinkConfig::default())?;
//! let mut b = Link::new(me(20), 0, to(10), LinkConfig::default())?;
//! let (now, wire) = (Time::from_millis(1), Connection(1));
//! let (mut from_a, mut from_b) = ([0; 32 << 10], [0; 32 << 10]);
//!
//! // Hello.
//! a.start(now);
//! assert_eq!(a.poll(), Some(Action::Dial));
//! a.dialed(now, wire);
//! let mut room = Room::new(&mut from_a);
//! a.flush(now, &mut room);
//!
//! // Welcome.
//! let (hello, _) = greet(&me(20), room.written()).map_err(|last_words| last_words.text)?.ok_or("more")?;
//! let mut answer = Room::new(&mut from_b);
//! b.accept(now, wire, &hello, &mut answer).map_err(|last_words| last_words.text)?;
//! a.received(now, wire, answer.written(), &mut Print);
//! assert_eq!(a.poll(), Some(Action::Up { incarnation: 2000, association: 1 }));
//!
//! // A message; with it comes the first heartbeat.
//! let mut room = Room::new(&mut from_a);
//! a.tell(&mut room, Target { identity: 9, index: 8 }, &7_u64)?;
//! a.flush(now, &mut room);
//! let received = b.received(now, wire, room.written(), &mut Print);
//! assert!(received.again);
//! assert_eq!(b.poll(), Some(Action::Up { incarnation: 1000, association: 1 }));
//! let received = b.received(now, wire, room.written(), &mut Print);
//! assert_eq!(received.bytes, room.used());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which connection
//!
//! Either end may dial. Each connection has an **epoch**, one more than any that its dialer knows of. A hello with an epoch
//! that is not newer than the open connection's is refused; a newer one takes its place. When both dial at once with the same
//! epoch, the smaller node's connection stays.

mod action;
mod config;
mod credit;
mod greeting;
mod handshake;
mod receive;
mod resend;
mod send;
mod streams;

use std::collections::VecDeque;
use std::time::Duration;

pub use action::{
    Action, Connection, Farewell, Inbound, LinkStats, LinkTellError, Loss, SignalError, Verdict,
};
pub use config::{GRAVES_MAX, KNOCKS_MAX, LinkConfig, LinkConfigError};
use corelane_kernel::Time;
use credit::{Granting, Spending};
pub use greeting::{GREETING_MAX, Me, greet};
pub use receive::Received;
use resend::{Intake, Resend};
use streams::{Inbox, Outbox};

use crate::liveness::Detector;
use crate::wire::{ASSOCIATION_MAX, Allowance, MESSAGE_FRAME, Reason, Signal, padded};

/// Whom a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkTo {
    /// The peer's node, or 0: whoever answers at the address that is dialed.
    pub node: u64,
    /// The life of it that addresses here name, or 0 if none is known. Another that answers is a restart.
    pub incarnation: u64,
    /// The shard there.
    pub shard: u16,
}

/// The connection, as far as there is one.
#[derive(Debug)]
enum Line {
    /// None. The next is dialed at this time, if ever.
    Silent(Option<Time>),
    /// The driver dials, until this time at the latest.
    Dialing(Time),
    /// The hello is on its way, and the welcome awaited until this time.
    Greeting(Greeting),
    Open(Box<Open>),
}

#[derive(Debug)]
struct Greeting {
    connection: Connection,
    epoch: u64,
    until: Time,
    /// What the hello grants, once it is written.
    granted: Option<Allowance>,
}

/// A connection that came in and was welcomed, and has not answered yet: what its hello said.
#[derive(Debug)]
struct Knock {
    connection: Connection,
    until: Time,
    node: u64,
    incarnation: u64,
    epoch: u64,
    association: u32,
    runs: bool,
    retires: bool,
    frame_max: u32,
    message_max: u64,
    streams_max: u32,
    allowed: Allowance,
    signals_received: u64,
    /// What the welcome granted.
    granted: Allowance,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    epoch: u64,
    spending: Spending,
    granting: Granting,
    outbox: Outbox,
    inbox: Inbox,
    /// Longest message that goes in one frame to this peer, and longest of all.
    inline_max: usize,
    message_max: u64,
    /// Large messages at once that both ends put up with.
    streams_max: usize,
    /// The peer takes messages that are alike behind one head.
    runs: bool,
    /// It can have actors stop behind what they were told.
    retires: bool,
    beat: u64,
    next_beat: Time,
    introductions: VecDeque<Box<[u8]>>,
}

/// See the module.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    me: Me,
    shard: u16,
    to: LinkTo,
    line: Line,
    knocks: Vec<Knock>,
    /// Whether this end dials.
    started: bool,
    left: bool,
    /// The newest epoch that was open, with this life of the peer.
    epoch: u64,
    /// The newest that anybody has named: the next one that is dialed is above it.
    named: u64,
    association: u32,
    /// The association has been up.
    established: bool,
    /// This life of the peer has spoken here.
    met: bool,
    /// Lives of the peer that are over.
    graves: VecDeque<u64>,
    signals: Resend,
    received: Intake,
    /// Handed over and not yet released, of all connections.
    held: Allowance,
    detector: Detector,
    /// Silence counts.
    watched: bool,
    next_look: Time,
    wait: Duration,
    dice: u64,
    strikes: u32,
    actions: VecDeque<Action>,
    stats: LinkStats,
}

impl Link {
    /// A link from a shard of this host, as yet silent.
    ///
    /// # Errors
    /// [`LinkConfigError`].
    pub fn new(me: Me, shard: u16, to: LinkTo, config: LinkConfig) -> Result<Link, LinkConfigError> {
        config.check()?;
        if me.system.is_empty()
            || me.system.len() > crate::wire::TEXT_MAX
            || me.address.len() > crate::wire::TEXT_MAX
        {
            return Err(LinkConfigError("names and addresses have 1 to 255 bytes"));
        }
        if me.node < crate::wire::NODE_FIRST || me.incarnation == 0 {
            return Err(LinkConfigError("a node is at least 3, and an incarnation not 0"));
        }
        Ok(Link {
            shard,
            to,
            line: Line::Silent(None),
            knocks: Vec::new(),
            started: false,
            left: false,
            epoch: 0,
            named: 0,
            association: 1,
            established: false,
            met: false,
            graves: VecDeque::new(),
            signals: Resend::default(),
            received: Intake::default(),
            held: Allowance::default(),
            detector: Detector::new(config.liveness),
            watched: false,
            next_look: Time::MAX,
            wait: config.redial_first,
            dice: config.seed ^ me.incarnation ^ me.node.rotate_left(17) ^ u64::from(shard),
            strikes: 0,
            actions: VecDeque::new(),
            stats: LinkStats::default(),
            config,
            me,
        })
    }

    // --- commands ------------------------------------------------------------------------------------------------

    /// From here on this end dials whenever there is no connection.
    pub fn start(&mut self, now: Time) {
        if self.left {
            return;
        }
        self.started = true;
        if let Line::Silent(None) = self.line {
            self.line = Line::Silent(Some(now));
            self.tick(now);
        }
    }

    /// The peer is known to be there: what is to be dialed again after a wait is dialed now.
    pub fn hurry(&mut self, now: Time) {
        if let Line::Silent(Some(at)) = self.line
            && at > now
        {
            self.wait = self.config.redial_first;
            self.line = Line::Silent(Some(now));
            self.tick(now);
        }
    }

    /// Has a signal arrive, sooner or later, exactly once in effect.
    ///
    /// # Errors
    /// [`SignalError`].
    pub fn signal(&mut self, now: Time, signal: Signal<'_>) -> Result<(), SignalError> {
        if self.left {
            return Err(SignalError::Left);
        }
        if self.to.incarnation == 0 {
            return Err(SignalError::NoPeer);
        }
        if self.signals.len() >= self.config.signals_max {
            self.give_up(now, Loss::SignalsFull);
            return Err(SignalError::Full);
        }
        self.signals.push(&signal);
        self.watch_over(now);
        Ok(())
    }

    /// A message of `length` bytes that was held has been handled.
    pub fn release(&mut self, length: usize) {
        let bytes = cost(length);
        self.held.bytes = self.held.bytes.saturating_sub(bytes);
        self.held.messages = self.held.messages.saturating_sub(1);
    }

    /// Gives the peer up: the association is lost, and if the peer lives it goes on in the next one.
    pub fn quarantine(&mut self, now: Time) {
        self.give_up(now, Loss::Quarantined);
    }

    /// This life of the peer is over, as another link has heard. Nobody is met until the next one speaks.
    pub fn outlived(&mut self, now: Time) {
        if self.to.incarnation == 0 {
            return;
        }
        self.hang_up(Some(Farewell::new(Reason::Quarantined, "this incarnation was followed by another")));
        if !matches!(self.line, Line::Silent(_) | Line::Dialing(_)) {
            self.rest(now);
        }
        self.lose(Loss::Restarted);
        self.forget();
        self.wait = self.config.redial_first;
    }

    /// Somebody of this life is to be signalled to, and this end has met nobody so far: so that is whom it expects.
    pub fn expect(&mut self, incarnation: u64) {
        if self.to.incarnation == 0 && !self.graves.contains(&incarnation) {
            self.to.incarnation = incarnation;
        }
    }

    /// Leaves in good order: the peer is told, and nothing is dialed or accepted any more. Flush first what is still to be
    /// sent.
    pub fn leave(&mut self) {
        self.started = false;
        self.left = true;
        let farewell = Farewell::new(Reason::Leaving, "the system ends");
        self.hang_up(Some(farewell));
        self.line = Line::Silent(None);
        for knock in std::mem::take(&mut self.knocks) {
            self.actions.push_back(Action::Close(knock.connection, Some(farewell)));
        }
        self.lose(Loss::Leaving);
    }

    // --- getters -------------------------------------------------------------------------------------------------

    /// The next thing to do or to know.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The connection that is open. Messages, and what [`Link::flush`] writes, go into its send buffer.
    pub fn open(&self) -> Option<Connection> {
        match &self.line {
            Line::Open(open) => Some(open.connection),
            _ => None,
        }
    }

    /// Whether the peer of the open connection can have actors stop behind the messages for them.
    pub fn can_retire(&self) -> bool {
        matches!(&self.line, Line::Open(open) if open.retires)
    }

    fn has_knocked(&self, connection: Connection) -> bool {
        self.knocks.iter().any(|knock| knock.connection == connection)
    }

    /// The connection that [`Link::flush`] writes to: the one that is open, or whose hello is due.
    pub fn line(&self) -> Option<Connection> {
        match &self.line {
            Line::Open(open) => Some(open.connection),
            Line::Greeting(greeting) => Some(greeting.connection),
            Line::Silent(_) | Line::Dialing(_) => None,
        }
    }

    /// Whom the link leads to, as far as is known.
    pub fn to(&self) -> LinkTo {
        self.to
    }

    /// The number of the association with this life of the peer.
    pub fn association(&self) -> u32 {
        self.association
    }

    /// The suspicion that the peer is gone.
    pub fn phi(&self, now: Time) -> f64 {
        if self.watched { self.detector.phi(now) } else { 0.0 }
    }

    /// Counts.
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    /// What was handed over and held, and not released yet.
    pub(crate) fn held(&self) -> Allowance {
        self.held
    }

    /// Signals that wait for their acknowledgement.
    pub fn signals_waiting(&self) -> usize {
        self.signals.len()
    }

    // --- time ----------------------------------------------------------------------------------------------------

    /// When [`Link::tick`] wants to be called, at the latest.
    pub fn next_time(&self) -> Option<Time> {
        let line = match &self.line {
            Line::Silent(at) if self.knocks.is_empty() => *at,
            Line::Silent(_) => None,
            Line::Dialing(until) => Some(*until),
            Line::Greeting(greeting) => Some(greeting.until),
            Line::Open(open) => Some(open.next_beat),
        };
        let look = self.watched.then_some(self.next_look);
        let knock = self.knocks.iter().map(|knock| knock.until).min();
        [line, look, knock].into_iter().flatten().min()
    }

    /// Time has come: heartbeats, deadlines, suspicion. Harmless at any time. Where it comes late by more than a heartbeat, this
    /// process was not running, and the time counts as nobody's silence.
    pub fn tick(&mut self, now: Time) {
        while let Some(late) = self.knocks.iter().position(|knock| knock.until <= now) {
            let farewell = Farewell::new(Reason::TooLate, "no answer to the welcome in time");
            self.actions.push_back(Action::Close(self.knocks.remove(late).connection, Some(farewell)));
        }
        match &self.line {
            // Who has been welcomed is about to answer; then there is no need to dial.
            Line::Silent(Some(at)) if *at <= now && self.knocks.is_empty() => {
                self.line = Line::Dialing(now + self.config.handshake);
                self.actions.push_back(Action::Dial);
            }
            Line::Dialing(until) if *until <= now => self.rest(now),
            Line::Greeting(greeting) if greeting.until <= now => {
                self.hang_up(Some(Farewell::new(Reason::TooLate, "no welcome in time")));
                self.rest(now);
            }
            _ => {}
        }
        if self.watched && self.next_look <= now {
            let late = now.since(self.next_look);
            if late >= self.config.heartbeat {
                // This process was stopped, or busy for long; what the peer said meanwhile may still be read.
                self.detector.excuse(now, late);
            }
            self.next_look = now + self.config.heartbeat;
            if !self.detector.is_available(now) {
                self.give_up(now, Loss::Silent);
            }
        }
    }

    // --- within --------------------------------------------------------------------------------------------------

    /// Silence counts from here on.
    fn watch_over(&mut self, now: Time) {
        if !self.watched {
            self.watched = true;
            self.detector = Detector::new(self.config.liveness);
            self.detector.expect(now);
            self.next_look = now + self.config.heartbeat;
        }
    }

    /// No connection; the next one after a wait that doubles.
    fn rest(&mut self, now: Time) {
        if !self.started {
            self.line = Line::Silent(None);
            return;
        }
        let wait = self.wait;
        self.wait = wait.saturating_mul(2).min(self.config.redial_max);
        // A step of SplitMix64.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut noise = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        noise ^= noise >> 27;
        let less = wait / (5 * 1024) * (noise % 1024) as u32;
        self.line = Line::Silent(Some(now + (wait - less)));
    }

    /// What the peer may send at first on a connection that begins now.
    fn first_grant(&self) -> Allowance {
        Granting::first(self.window(), self.held)
    }

    fn window(&self) -> Allowance {
        Allowance { bytes: self.config.credit_bytes, messages: self.config.credit_messages }
    }

    /// Closes the connection, if there is one. The line is for the caller to set.
    fn hang_up(&mut self, farewell: Option<Farewell>) {
        match &self.line {
            Line::Greeting(greeting) => {
                self.actions.push_back(Action::Close(greeting.connection, farewell));
            }
            Line::Open(open) => {
                self.actions.push_back(Action::Close(open.connection, farewell));
                self.actions.push_back(Action::Down);
            }
            Line::Silent(_) | Line::Dialing(_) => {}
        }
    }

    /// What was between this life of the peer and this end is over. Says so, if there was anything.
    fn lose(&mut self, why: Loss) {
        if self.established || !self.signals.is_empty() {
            let (incarnation, association) = (self.to.incarnation, self.association);
            self.actions.push_back(Action::Lost { incarnation, association, why });
        }
        self.established = false;
        self.watched = false;
        self.signals = Resend::default();
        self.received = Intake::default();
        self.strikes = 0;
    }

    /// The life of the peer is over, and no other is known.
    fn forget(&mut self) {
        if self.to.incarnation != 0 {
            self.bury();
            self.to.incarnation = 0;
            self.association = 1;
            (self.epoch, self.named) = (0, 0);
            self.met = false;
        }
    }

    /// Loses the association by a verdict of this end; what follows is the next one.
    fn give_up(&mut self, now: Time, why: Loss) {
        if self.to.incarnation == 0 {
            // Nobody, so far.
            return;
        }
        let next = (self.association + 1).min(ASSOCIATION_MAX);
        let mut farewell = Farewell::new(Reason::Forgotten, "the association was given up");
        farewell.detail = u64::from(next);
        self.hang_up(Some(farewell));
        if !matches!(self.line, Line::Silent(_) | Line::Dialing(_)) {
            self.rest(now);
        }
        self.lose(why);
        self.association = next;
    }

    /// The peer broke the rules, or meant harm.
    fn violated(&mut self, now: Time, reason: Reason, text: &'static str) {
        self.stats.violations += 1;
        self.hang_up(Some(Farewell::new(reason, text)));
        self.wait = self.config.redial_max;
        self.rest(now);
    }
}

/// What a message of `length` bytes costs of a link's credit.
pub fn cost(length: usize) -> u64 {
    (MESSAGE_FRAME + padded(length)) as u64
}
