//! What is under way in a simulated network, and what has arrived at its ends: what there is of both, and what befalls hosts
//! and the ways between them. How things [arrive](arrival) and what is done at the [ends] is beside it.

mod arrival;
mod ends;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::NetworkOptions;
use crate::reactor::address::Address;

/// Ports that are given to those who ask for none in particular begin here.
const FIRST_PORT: u16 = 32_768;

/// How often it is tried to reach a listener that does not answer.
const CONNECT_TRIES: u32 = 7;

/// Where something listens, or takes datagrams.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    host: IpAddr,
    datagrams: bool,
    port: u16,
    path: PathBuf,
}

/// One end of a connection, a listener or a socket for datagrams; dropped, it is closed.
pub(crate) struct End {
    traffic: Rc<RefCell<Traffic>>,
    pub(super) number: u32,
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "End({})", self.number)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.traffic.borrow_mut().close(self.number);
    }
}

#[derive(Debug)]
pub(super) struct State {
    /// Its host has lost its power: there is nothing left of it but for who still holds it.
    is_off: bool,
    host: IpAddr,
    /// Where the other end is, or is to be.
    far: IpAddr,
    local: Address,
    remote: Option<Address>,
    spot: Option<Spot>,
    peer: Option<u32>,
    pub(super) connected: Option<Result<(), io::ErrorKind>>,
    pub(super) inbox: VecDeque<u8>,
    pub(super) datagrams: VecDeque<(Address, Vec<u8>)>,
    /// Connections that wait to be accepted.
    pub(super) backlog: VecDeque<u32>,
    backlog_max: usize,
    /// Others may listen where it does.
    shares: bool,
    /// Bytes under way to this end.
    in_transit: usize,
    /// Bytes that were sent to a peer that is gone.
    unheard: usize,
    /// When the last thing under way to this end arrives: a connection keeps its order.
    last_arrival: u64,
    /// What was lost on its way here and all that was sent after it, until it is sent again.
    late: VecDeque<Happening>,
    /// The peer sends nothing more.
    pub(super) finished: bool,
    pub(super) broken: Option<io::ErrorKind>,
    write_closed: bool,
    pub(super) reset_at_close: bool,
}

#[derive(Debug)]
enum Happening {
    Connect {
        from: u32,
        to: Spot,
        tries: u32,
    },
    /// What is late at an end comes, or is lost once more.
    Again(u32),
    Established(u32),
    Refused(u32),
    Bytes {
        from: u32,
        to: u32,
        bytes: Vec<u8>,
    },
    Finish(u32),
    Reset(u32),
    Datagram {
        from: Address,
        to: Spot,
        bytes: Vec<u8>,
    },
}

pub(super) struct Traffic {
    pub(super) now: u64,
    random: u64,
    options: NetworkOptions,
    ends: BTreeMap<u32, State>,
    last_end: u32,
    /// Who listens where: more than one, if all of them share.
    spots: BTreeMap<Spot, Vec<u32>>,
    next_port: u16,
    /// By time, then in the order in which it was sent.
    under_way: BTreeMap<(u64, u64), Happening>,
    sent: u64,
    /// Nothing that one host sends comes to the other.
    cuts: BTreeSet<(IpAddr, IpAddr)>,
    /// Hosts without power.
    off: BTreeSet<IpAddr>,
    /// Counts what may let somebody get something done.
    pub(super) changes: u64,
}

impl Traffic {
    pub(super) fn new(seed: u64, options: NetworkOptions) -> Traffic {
        Traffic {
            now: 0,
            random: seed,
            options,
            ends: BTreeMap::new(),
            last_end: 0,
            spots: BTreeMap::new(),
            next_port: FIRST_PORT,
            under_way: BTreeMap::new(),
            sent: 0,
            cuts: BTreeSet::new(),
            off: BTreeSet::new(),
            changes: 0,
        }
    }

    pub(super) fn set_options(&mut self, options: NetworkOptions) {
        self.options = options;
        self.changes += 1;
    }

    /// The next word of SplitMix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn one_in(&mut self, n: u32) -> bool {
        n > 0 && self.draw().is_multiple_of(n.into())
    }

    /// As much as could be done, or less.
    pub(super) fn part(&mut self, most: usize) -> usize {
        if most > 1 && self.one_in(self.options.short_one_in) {
            1 + (self.draw() % most as u64) as usize
        } else {
            most
        }
    }

    fn send_at(&mut self, at: u64, what: Happening) {
        self.sent += 1;
        self.under_way.insert((at, self.sent), what);
    }

    fn arrival(&mut self) -> u64 {
        let delay = self.options.delay.clone();
        self.now + self.within(&delay)
    }

    fn within(&mut self, times: &Range<Duration>) -> u64 {
        let (from, to) = (times.start.as_nanos() as u64, times.end.as_nanos() as u64);
        let spread = to.saturating_sub(from).max(1);
        from + self.draw() % spread
    }

    /// When something that was lost is sent again.
    fn again_at(&mut self) -> u64 {
        let again = self.options.retransmit.clone();
        // Time never stands still.
        self.now + self.within(&again).max(1)
    }

    /// An end that something can come to.
    fn here(&mut self, end: u32) -> Option<&mut State> {
        self.ends.get_mut(&end).filter(|state| !state.is_off)
    }

    /// Whether nothing comes from one host to another.
    fn is_cut(&self, from: IpAddr, to: IpAddr) -> bool {
        self.cuts.contains(&(from, to)) || self.off.contains(&to)
    }

    /// Sends something to an end, behind all that is under way to it.
    fn send(&mut self, to: u32, what: Happening) {
        let mut at = self.arrival();
        if self.one_in(self.options.lose_one_in) {
            at = at.max(self.again_at());
        }
        if let Some(state) = self.ends.get_mut(&to) {
            at = at.max(state.last_arrival);
            state.last_arrival = at;
        }
        self.send_at(at, what);
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    /// Cuts the way from one host to another, or mends it.
    pub(super) fn cut(&mut self, from: IpAddr, to: IpAddr, cut: bool) {
        if cut {
            self.cuts.insert((from, to));
        } else {
            self.cuts.remove(&(from, to));
        }
    }

    pub(super) fn mend_all(&mut self) {
        self.cuts.clear();
    }

    /// Breaks all connections between two hosts; each end hears of it by itself: before what is under way to it,
    /// behind that, or late.
    pub(super) fn reset(&mut self, one: IpAddr, other: IpAddr) {
        let between = |state: &State| {
            state.peer.is_some() && [(one, other), (other, one)].contains(&(state.host, state.far))
        };
        let ends: Vec<u32> =
            self.ends.iter().filter(|(_, state)| between(state)).map(|(end, _)| *end).collect();
        for end in ends {
            match self.draw() % 3 {
                0 => self.send(end, Happening::Reset(end)),
                kind => {
                    // What is under way is lost; or it comes, and much later the news of the end.
                    let at = if kind == 1 { self.arrival() } else { self.again_at() };
                    self.send_at(at, Happening::Reset(end));
                }
            }
        }
    }

    /// A host has no power from here on: nobody is told, and nothing answers for it.
    pub(super) fn switch_off(&mut self, host: IpAddr) {
        for state in self.ends.values_mut().filter(|state| state.host == host) {
            // Whoever holds it finds it broken, and says nothing to the other end.
            state.is_off = true;
            (state.peer, state.broken) = (None, Some(io::ErrorKind::ConnectionReset));
            state.inbox.clear();
            state.late.clear();
        }
        self.spots.retain(|spot, _| spot.host != host);
        self.off.insert(host);
        self.changes += 1;
    }

    pub(super) fn switch_on(&mut self, host: IpAddr) {
        self.off.remove(&host);
    }
}
