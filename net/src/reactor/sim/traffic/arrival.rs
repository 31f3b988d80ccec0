//! What was under way arrives: late, lost and sent again, or to nobody.

use std::io;

use super::{CONNECT_TRIES, Happening, Spot, Traffic};
use crate::reactor::address::Address;

impl Traffic {
    pub(in crate::reactor::sim) fn advance_to(&mut self, now: u64) {
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
                    // Nothing comes to an end that is broken.
                    if state.broken.is_none() {
                        state.inbox.extend(bytes);
                    }
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
    pub(super) fn drop_in(&mut self, from: Address, to: &Spot, bytes: Vec<u8>) -> io::Result<()> {
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
}
