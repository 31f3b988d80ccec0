//! What is under way in a simulated network, and what has arrived at its ends.

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
use crate::reactor::config::Options;
use crate::reactor::store::SocketKind;

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

    pub(super) fn advance_to(&mut self, now: u64) {
        self.now = self.now.max(now);
        while let Some(entry) = self.under_way.first_entry()
            && entry.key().0 <= self.now
        {
            let what = entry.remove();
            self.changes += 1;
            self.arrive(what);
        }
    }

    /// Something has come, unless it is lost on its way.
    fn arrive(&mut self, what: Happening) {
        match what {
            Happening::Connect { from, to, tries } => {
                let Some(state) = self.here(from) else { return };
                let host = state.host;
                if !self.is_cut(host, to.host) {
                    return self.arrive_at_listener(from, &to);
                }
                if tries < CONNECT_TRIES {
                    let at = self.again_at();
                    return self.send_at(at, Happening::Connect { from, to, tries: tries + 1 });
                }
                if let Some(state) = self.ends.get_mut(&from) {
                    state.connected = Some(Err(io::ErrorKind::TimedOut));
                }
            }
            Happening::Again(end) => {
                let Some(state) = self.here(end) else { return };
                let (from, to) = (state.far, state.host);
                if self.is_cut(from, to) {
                    return self.again(end);
                }
                while let Some(what) = self.ends.get_mut(&end).and_then(|state| state.late.pop_front()) {
                    self.happen(what);
                }
            }
            Happening::Bytes { from, to, bytes } if self.here(to).is_none() => {
                let Some(state) = self.here(from) else { return };
                let (host, far) = (state.host, state.far);
                if self.is_cut(host, far) {
                    let at = self.again_at();
                    return self.send_at(at, Happening::Bytes { from, to, bytes });
                }
                self.happen(Happening::Bytes { from, to, bytes });
            }
            Happening::Datagram { from, to, bytes } => {
                // By a path it comes from the same host.
                let host = from.ip().map_or(to.host, |from| from.ip());
                if !self.is_cut(host, to.host) {
                    self.happen(Happening::Datagram { from, to, bytes });
                }
            }
            Happening::Established(to)
            | Happening::Refused(to)
            | Happening::Bytes { to, .. }
            | Happening::Finish(to)
            | Happening::Reset(to) => {
                let Some(state) = self.here(to) else { return };
                let (is_late, from, host) = (!state.late.is_empty(), state.far, state.host);
                if !is_late && !self.is_cut(from, host) {
                    return self.happen(what);
                }
                if let Some(state) = self.ends.get_mut(&to) {
                    state.late.push_back(what);
                }
                if !is_late {
                    self.again(to);
                }
            }
        }
    }

    /// What is late at an end is sent again.
    fn again(&mut self, end: u32) {
        let at = self.again_at();
        self.send_at(at, Happening::Again(end));
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Connect { from, to, .. } => self.arrive_at_listener(from, &to),
            Happening::Again(_) => {}
            Happening::Established(end) => {
                if let Some(state) = self.ends.get_mut(&end) {
                    state.connected = Some(Ok(()));
                }
            }
            Happening::Refused(end) => {
                if let Some(state) = self.ends.get_mut(&end) {
                    state.connected = Some(Err(io::ErrorKind::ConnectionRefused));
                }
            }
            Happening::Bytes { from, to, bytes } => match self.here(to) {
                Some(state) => {
                    state.in_transit -= bytes.len();
                    state.inbox.extend(bytes);
                }
                // Nobody is there any more, and says so.
                None => self.send(from, Happening::Reset(from)),
            },
            Happening::Finish(end) => {
                if let Some(state) = self.ends.get_mut(&end) {
                    state.finished = true;
                }
            }
            Happening::Reset(end) => {
                if let Some(state) = self.ends.get_mut(&end) {
                    state.broken = Some(io::ErrorKind::ConnectionReset);
                    state.inbox.clear();
                }
            }
            // Over a network nobody says that it is lost.
            Happening::Datagram { from, to, bytes } => _ = self.drop_in(from, &to, bytes),
        }
    }

    /// A datagram is there. A socket's buffer is full at some time.
    fn drop_in(&mut self, from: Address, to: &Spot, bytes: Vec<u8>) -> io::Result<()> {
        let window = self.options.window;
        let end = self.one_at(to).and_then(|end| self.ends.get_mut(&end));
        let state = end.ok_or(io::ErrorKind::NotFound)?;
        let waits: usize = state.datagrams.iter().map(|(_, bytes)| bytes.len()).sum();
        if waits + bytes.len() > window {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.datagrams.push_back((from, bytes));
        Ok(())
    }

    fn arrive_at_listener(&mut self, from: u32, to: &Spot) {
        let Some(client) = self.ends.get(&from) else { return };
        let (remote, client_host) = (client.local.clone(), client.host);
        let listener = self.one_at(to).filter(|listener| {
            let state = &self.ends[listener];
            state.backlog.len() < state.backlog_max
        });
        let Some(listener) = listener else {
            return self.send(from, Happening::Refused(from));
        };
        let (local, host) = (self.ends[&listener].local.clone(), self.ends[&listener].host);
        let server = self.add(host, local, None);
        let far = client_host;
        if let Some(state) = self.ends.get_mut(&server) {
            state.peer = Some(from);
            state.far = far;
            state.remote = Some(remote);
            state.connected = Some(Ok(()));
        }
        if let Some(state) = self.ends.get_mut(&from) {
            state.peer = Some(server);
        }
        if let Some(state) = self.ends.get_mut(&listener) {
            state.backlog.push_back(server);
        }
        self.send(from, Happening::Established(from));
    }

    /// One of those who listen at a spot.
    fn one_at(&mut self, spot: &Spot) -> Option<u32> {
        let drawn = self.draw();
        let all = self.spots.get(spot)?;
        all.get((drawn % all.len().max(1) as u64) as usize).copied()
    }

    fn add(&mut self, host: IpAddr, local: Address, spot: Option<Spot>) -> u32 {
        self.last_end += 1;
        let state = State {
            is_off: false,
            host,
            far: host,
            local,
            remote: None,
            spot,
            peer: None,
            connected: None,
            inbox: VecDeque::new(),
            datagrams: VecDeque::new(),
            backlog: VecDeque::new(),
            backlog_max: 0,
            shares: false,
            in_transit: 0,
            unheard: 0,
            last_arrival: self.now,
            late: VecDeque::new(),
            finished: false,
            broken: None,
            write_closed: false,
            reset_at_close: false,
        };
        self.ends.insert(self.last_end, state);
        self.last_end
    }

    fn free_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    pub(super) fn state(&mut self, end: &End) -> &mut State {
        self.ends.get_mut(&end.number).expect("an end that is not closed is there")
    }

    pub(super) fn make(
        traffic: &Rc<RefCell<Traffic>>,
        host: IpAddr,
        kind: SocketKind,
        address: &Address,
        options: &Options,
    ) -> io::Result<End> {
        let mut this = traffic.borrow_mut();
        let number = if kind == SocketKind::Stream {
            let local = match address {
                Address::Ip(_) => options.local.unwrap_or_else(|| (host, this.free_port()).into()).into(),
                Address::Unix(_) => Address::Unix(PathBuf::new()),
            };
            let end = this.add(host, local, None);
            let far = spot(host, address, false).host;
            if let Some(state) = this.ends.get_mut(&end) {
                state.far = far;
                state.remote = Some(address.clone());
            }
            end
        } else {
            let mut local = address.clone();
            if let Address::Ip(address) = &mut local
                && address.port() == 0
            {
                address.set_port(this.free_port());
            }
            let spot = spot(host, &local, kind == SocketKind::Datagrams);
            // Without a path it is nowhere.
            if spot.port == 0 && spot.path.as_os_str().is_empty() {
                let number = this.add(host, local, None);
                return Ok(End { traffic: traffic.clone(), number });
            }
            let others = this.spots.get(&spot).cloned().unwrap_or_default();
            if others.iter().any(|other| !(options.reuse_port && this.ends[other].shares)) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            let end = this.add(host, local, Some(spot.clone()));
            this.spots.entry(spot).or_default().push(end);
            if let Some(state) = this.ends.get_mut(&end) {
                state.shares = options.reuse_port;
                state.backlog_max = options.backlog.max(1) as usize;
            }
            end
        };
        Ok(End { traffic: traffic.clone(), number })
    }

    pub(super) fn connect(&mut self, host: IpAddr, end: &End, to: &Address) {
        let (from, to) = (end.number, spot(host, to, false));
        self.send(from, Happening::Connect { from, to, tries: 1 });
    }

    /// A connection that waits to be accepted.
    pub(super) fn accept(traffic: &Rc<RefCell<Traffic>>, listener: &End) -> Option<End> {
        let number = traffic.borrow_mut().state(listener).backlog.pop_front()?;
        Some(End { traffic: traffic.clone(), number })
    }

    /// How many bytes a stream takes now.
    pub(super) fn room(&mut self, end: &End) -> Result<usize, io::ErrorKind> {
        let window = self.options.window;
        let state = self.state(end);
        if let Some(error) = state.broken {
            return Err(error);
        }
        if state.write_closed {
            return Err(io::ErrorKind::BrokenPipe);
        }
        let unheard = state.unheard;
        let peer = state.peer.and_then(|peer| self.here(peer));
        // To nobody, too, a window can be sent, until it is known.
        let waits = peer.map_or(unheard, |peer| peer.inbox.len() + peer.in_transit);
        Ok(window.saturating_sub(waits))
    }

    /// Sends bytes over a stream that has [room](Traffic::room) for them.
    pub(super) fn push(&mut self, end: &End, bytes: Vec<u8>) {
        let from = end.number;
        let Some(to) = self.state(end).peer else { return };
        if self.one_in(self.options.reset_one_in) {
            self.send(to, Happening::Reset(to));
            self.send(from, Happening::Reset(from));
            return;
        }
        match self.here(to) {
            Some(peer) => peer.in_transit += bytes.len(),
            None => self.state(end).unheard += bytes.len(),
        }
        self.send(to, Happening::Bytes { from, to, bytes });
    }

    pub(super) fn push_datagram(
        &mut self,
        host: IpAddr,
        end: &End,
        to: &Address,
        bytes: &[u8],
    ) -> io::Result<()> {
        let (mut from, spot) = (self.state(end).local.clone(), spot(host, to, true));
        let Address::Ip(ip) = &mut from else {
            // Within a host it is there at once, or not at all.
            return self.drop_in(from, &spot, bytes.to_vec());
        };
        if ip.ip().is_unspecified() {
            ip.set_ip(host);
        }
        if self.one_in(self.options.lose_one_in) {
            return Ok(());
        }
        for _ in 0..1 + u32::from(self.one_in(self.options.repeat_one_in)) {
            let (at, from, to) = (self.arrival(), from.clone(), spot.clone());
            self.send_at(at, Happening::Datagram { from, to, bytes: bytes.to_vec() });
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, end: &End) {
        let state = self.state(end);
        if !std::mem::replace(&mut state.write_closed, true)
            && let Some(peer) = state.peer
        {
            self.send(peer, Happening::Finish(peer));
        }
    }

    fn close(&mut self, number: u32) {
        let Some(state) = self.ends.remove(&number) else { return };
        self.changes += 1;
        if let Some(spot) = state.spot
            && let Some(all) = self.spots.get_mut(&spot)
        {
            all.retain(|other| *other != number);
            if all.is_empty() {
                self.spots.remove(&spot);
            }
        }
        if let Some(peer) = state.peer.filter(|_| state.broken.is_none()) {
            if state.reset_at_close || !state.inbox.is_empty() {
                self.send(peer, Happening::Reset(peer));
            } else if !state.write_closed {
                self.send(peer, Happening::Finish(peer));
            }
        }
        for unaccepted in state.backlog {
            if let Some(state) = self.ends.get_mut(&unaccepted) {
                state.reset_at_close = true;
            }
            self.close(unaccepted);
        }
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

    /// Breaks all connections between two hosts.
    pub(super) fn reset(&mut self, one: IpAddr, other: IpAddr) {
        let between = |state: &State| {
            state.peer.is_some() && [(one, other), (other, one)].contains(&(state.host, state.far))
        };
        let ends: Vec<u32> =
            self.ends.iter().filter(|(_, state)| between(state)).map(|(end, _)| *end).collect();
        ends.into_iter().for_each(|end| self.send(end, Happening::Reset(end)));
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

    pub(super) fn local_address(&mut self, end: &End) -> Address {
        self.state(end).local.clone()
    }

    pub(super) fn peer_address(&mut self, end: &End) -> io::Result<Address> {
        self.state(end).remote.clone().ok_or(io::ErrorKind::NotConnected.into())
    }
}

/// Where an address is, as seen from a host.
fn spot(host: IpAddr, address: &Address, datagrams: bool) -> Spot {
    match address {
        Address::Ip(address) => {
            let own = address.ip().is_loopback() || address.ip().is_unspecified();
            let host = if own { host } else { address.ip() };
            Spot { host, datagrams, port: address.port(), path: PathBuf::new() }
        }
        Address::Unix(path) => Spot { host, datagrams, port: 0, path: path.clone() },
    }
}
