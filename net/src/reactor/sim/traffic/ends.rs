//! What is done at the ends: they are made, send, and are closed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;

use super::{End, FIRST_PORT, Happening, Spot, State, Traffic};
use crate::reactor::address::Address;
use crate::reactor::config::Options;
use crate::reactor::store::SocketKind;

impl Traffic {
    pub(super) fn add(&mut self, host: IpAddr, local: Address, spot: Option<Spot>) -> u32 {
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

    pub(in crate::reactor::sim) fn state(&mut self, end: &End) -> &mut State {
        self.ends.get_mut(&end.number).expect("an end that is not closed is there")
    }

    pub(in crate::reactor::sim) fn make(
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

    pub(in crate::reactor::sim) fn connect(&mut self, host: IpAddr, end: &End, to: &Address) {
        let (from, to) = (end.number, spot(host, to, false));
        self.send(from, Happening::Connect { from, to, tries: 1 });
    }

    /// A connection that waits to be accepted.
    pub(in crate::reactor::sim) fn accept(traffic: &Rc<RefCell<Traffic>>, listener: &End) -> Option<End> {
        let number = traffic.borrow_mut().state(listener).backlog.pop_front()?;
        Some(End { traffic: traffic.clone(), number })
    }

    /// How many bytes a stream takes now.
    pub(in crate::reactor::sim) fn room(&mut self, end: &End) -> Result<usize, io::ErrorKind> {
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
    pub(in crate::reactor::sim) fn push(&mut self, end: &End, bytes: Vec<u8>) {
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

    pub(in crate::reactor::sim) fn push_datagram(
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

    pub(in crate::reactor::sim) fn finish(&mut self, end: &End) {
        let state = self.state(end);
        if !std::mem::replace(&mut state.write_closed, true)
            && let Some(peer) = state.peer
        {
            self.send(peer, Happening::Finish(peer));
        }
    }

    pub(super) fn close(&mut self, number: u32) {
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

    pub(in crate::reactor::sim) fn local_address(&mut self, end: &End) -> Address {
        self.state(end).local.clone()
    }

    pub(in crate::reactor::sim) fn peer_address(&mut self, end: &End) -> io::Result<Address> {
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
