//! Connections that come and go: who may come in, what its first frame says, and how each ends. Until that frame a connection is
//! a stranger's ([`super::strangers`]): there may be so many of them, for so long.

use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Weak;

use corelane_kernel::Scope;

use super::line::Line;
use super::{Gate, Inner};
use crate::link::{Connection, Farewell, LinkTo, greet};
use crate::reactor::{Address as SocketAddress, EventKind, SocketId};
use crate::sockets::{Sink, Sockets};
use crate::tls::TlsRefusal;
use crate::wire::Reason;

impl Gate {
    /// Something has happened at a connection.
    fn hear(&self, connection: Connection, event: EventKind, scope: &mut Scope<'_>) {
        {
            let mut inner = self.enter();
            inner.now = inner.sockets.now();
            match event {
                EventKind::Connected => inner.connected(connection),
                EventKind::Received(chunk) => inner.heard(connection, &chunk, scope),
                EventKind::Written { buffer, .. } => inner.written(connection, buffer),
                EventKind::Finished | EventKind::Failed(_) => {
                    inner.drain(connection, scope);
                    inner.cut(connection);
                }
                EventKind::Closed => inner.gone(connection),
                _ => {}
            }
        }
        self.work_off(scope);
    }

    /// A connection has come in.
    fn accepted(&self, socket: SocketId, nearby: bool) {
        let mut inner = self.enter();
        inner.now = inner.sockets.now();
        let from = match inner.sockets.peer_address(socket) {
            // Who comes over a Unix socket could have come over loopback.
            _ if nearby => Some(Ipv4Addr::LOCALHOST.into()),
            Ok(SocketAddress::Ip(address)) => Some(address.ip().to_canonical()),
            _ => None,
        };
        let may_come = !nearby || inner.is_ours(socket);
        let channel = inner.channel_to_dialer();
        let (true, true, Ok(channel)) =
            (may_come && inner.has_room_for(from), inner.shared.home().is_some(), channel)
        else {
            inner.connections_refused += 1;
            inner.sockets.abort(socket);
            return;
        };
        let connection = inner.lines.next();
        let number = inner.shared.peers.connection();
        let mut line = Line::new(socket, None, Vec::new(), channel, number);
        line.from = from;
        line.nearby = nearby;
        inner.lines.insert(connection, line);
        inner.incoming += 1;
        if let Some(from) = from {
            *inner.by_address.entry(from).or_default() += 1;
        }
        let until = inner.now + inner.shared.config.link.handshake;
        inner.strangers.insert(connection, from, until);
        inner.sockets.attach(socket, Ear { gate: inner.this.clone(), connection });
        inner.sockets.resume(socket);
        inner.make_room_for_strangers();
    }
}

impl Inner {
    /// Whether another connection may come in from there.
    fn has_room_for(&self, from: Option<IpAddr>) -> bool {
        let config = &self.shared.config;
        let of_address = from.and_then(|from| self.by_address.get(&from)).copied().unwrap_or_default();
        self.incoming < config.connections_max && of_address < config.connections_per_address_max
    }

    /// Closes what came in and has not said hello in time, and what was dialed and is not under TLS, or has not answered what it was
    /// offered, in time.
    pub(super) fn dismiss_strangers(&mut self) {
        while let Some(connection) = self.strangers.late(self.now) {
            self.dismiss(connection, TlsRefusal::Late, "no hello in time");
        }
        while let Some((_, connection)) = self.handshakes.front().copied().filter(|(at, _)| *at <= self.now) {
            self.handshakes.pop_front();
            if self.lines.get(connection).is_some_and(|line| line.nearby) {
                self.gone(connection);
            } else {
                self.refuse(connection, TlsRefusal::Late);
            }
        }
    }

    /// Closes connections without a hello, if there are more than may be.
    fn make_room_for_strangers(&mut self) {
        while self.strangers.len() > self.shared.config.strangers_max {
            let Some(connection) = self.strangers.crowding() else { return };
            self.dismiss(connection, TlsRefusal::Crowded, "too many connections without a hello");
        }
    }

    /// Closes a connection without a hello.
    fn dismiss(&mut self, connection: Connection, refusal: TlsRefusal, text: &'static str) {
        self.strangers.remove(connection);
        self.strangers_closed += 1;
        if self.lines.get(connection).is_some_and(Line::is_handshaking) {
            self.refuse(connection, refusal);
        } else {
            self.close(connection, Some(Farewell { reason: Reason::TooLate, detail: 0, text }));
        }
    }

    /// The first frame of a connection that came in. Says how many bytes it took; `None` while there is not all of it, or if
    /// the connection was closed.
    pub(super) fn greet(&mut self, connection: Connection, bytes: &[u8]) -> Option<usize> {
        if let Some(size) = self.hear_offer(connection, bytes) {
            return (size > 0).then_some(size);
        }
        let shared = self.shared.clone();
        let wrong = |text| Farewell { reason: Reason::WrongAddress, detail: 0, text };
        let clear = self.check_clear(connection, bytes);
        let welcomed = clear.and_then(|()| greet(&shared.me, bytes)).and_then(|greeted| {
            let Some((hello, size)) = greeted else { return Ok(None) };
            let address: std::net::SocketAddr =
                hello.address.parse().map_err(|_| wrong("the sender's address is none"))?;
            self.check_name(connection, address)?;
            if crate::peer::node_of(hello.system, address) != hello.node {
                return Err(wrong("the sender's node is not that of its address"));
            }
            if hello.to_shard != self.shard {
                return Err(wrong("another shard"));
            }
            let number = self.lines.get(connection).map_or(0, |line| line.number);
            if !shared.peers.may_meet(hello.node, hello.incarnation, number) {
                let text = "this incarnation was followed by another";
                return Err(Farewell { reason: Reason::Quarantined, detail: 0, text });
            }
            if !shared.peers.note_address(hello.node, address) {
                let text = "more hosts than may be known";
                return Err(Farewell { reason: Reason::Abuse, detail: 0, text });
            }
            let to = LinkTo { node: hello.node, incarnation: 0, shard: hello.from_shard };
            let slot = self.slot_for(to).ok_or_else(|| {
                if self.slots.len() < shared.config.links_max {
                    return wrong("no such shard");
                }
                Farewell { reason: Reason::Abuse, detail: 0, text: "more links than may be" }
            })?;
            let Some(line) = self.lines.get_mut(connection) else { return Ok(None) };
            if line.out.is_empty() {
                line.out = self.spares.large();
            }
            let (link, now) = (&mut self.slots[slot].link, self.now);
            line.write(|room| link.accept(now, connection, &hello, room))?;
            line.slot = Some(slot);
            line.pass_on(&self.sockets, &mut self.spares);
            Ok(Some((slot, size)))
        });
        match welcomed {
            Ok(Some((slot, size))) => {
                self.strangers.remove(connection);
                self.settle(slot);
                Some(size)
            }
            Ok(None) => None,
            Err(farewell) => {
                self.refused += 1;
                tracing::debug!(?farewell.reason, farewell.text, "a hello is refused");
                self.close(connection, Some(farewell));
                None
            }
        }
    }

    /// Closes a connection, with last words.
    pub(super) fn close(&mut self, connection: Connection, farewell: Option<Farewell>) {
        let Some(mut line) = self.take_line(connection) else { return };
        line.end();
        if let Some(farewell) = farewell.filter(|_| !line.is_handshaking()) {
            line.make_last_room();
            if !line.write(|room| farewell.write(room)) {
                line.pass_on(&self.sockets, &mut self.spares);
                line.write(|room| farewell.write(room));
            }
        }
        line.pass_on(&self.sockets, &mut self.spares);
        if let Some(channel) = &mut line.channel {
            channel.end();
            line.pass_on(&self.sockets, &mut self.spares);
        }
        self.sockets.leave(line.socket);
        self.spares.give_back(line.out);
    }

    /// A connection is none of the gate's any more.
    pub(super) fn take_line(&mut self, connection: Connection) -> Option<Line> {
        let line = self.lines.remove(connection)?;
        self.incoming -= usize::from(line.came_in);
        if let Some(from) = line.from
            && let Entry::Occupied(mut count) = self.by_address.entry(from)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        match line.slot {
            None => self.strangers.remove(connection),
            Some(_) if line.is_handshaking() => self.no_handshake(connection),
            Some(_) => {}
        }
        Some(line)
    }

    /// A connection that this end dialed is there.
    fn connected(&mut self, connection: Connection) {
        let Some(slot) = self.lines.get(connection).and_then(|line| line.slot) else { return };
        if !self.meets_nearby(slot, connection) {
            return;
        }
        let Some(line) = self.lines.get_mut(connection) else { return };
        line.number = self.shared.peers.connection();
        self.sockets.resume(line.socket);
        if self.offer_memory(connection) {
            return;
        }
        let Some(line) = self.lines.get_mut(connection) else { return };
        if line.is_handshaking() {
            line.pass_on(&self.sockets, &mut self.spares);
            return;
        }
        self.dialed(slot, connection);
    }

    /// A connection that this end dialed is good for the hello.
    pub(super) fn dialed(&mut self, slot: usize, connection: Connection) {
        self.slots[slot].link.dialed(self.now, connection);
        self.slots[slot].dials = None;
        self.settle(slot);
        self.soil(slot);
    }

    /// A connection is lost, or was never made.
    pub(super) fn gone(&mut self, connection: Connection) {
        let Some(line) = self.take_line(connection) else { return };
        self.sockets.abort(line.socket);
        self.spares.give_back(line.out);
        let Some(slot) = line.slot else { return };
        if line.nearby && self.slots[slot].dials.take_if(|dials| *dials == connection).is_some() {
            self.slots[slot].link.dials_on(self.now);
            self.dial_port(slot);
            self.settle(slot);
        } else {
            self.disconnected(slot, connection);
        }
    }

    /// A link's connection is no more, or was never made.
    pub(super) fn disconnected(&mut self, slot: usize, connection: Connection) {
        if self.slots[slot].dials.take_if(|dials| *dials == connection).is_some() {
            self.dial_failed(slot);
        } else {
            self.slots[slot].link.disconnected(self.now, connection);
        }
        self.settle(slot);
        self.end_if_over(slot);
    }
}

/// Hears what happens at a connection.
pub(super) struct Ear {
    pub(super) gate: Weak<Gate>,
    pub(super) connection: Connection,
}

impl Sink for Ear {
    fn hear(&mut self, socket: SocketId, event: EventKind, sockets: &Sockets, scope: &mut Scope<'_>) {
        match self.gate.upgrade() {
            Some(gate) => gate.hear(self.connection, event, scope),
            None => sockets.abort(socket),
        }
    }
}

/// Hears what happens at a listener.
pub(super) struct Door {
    pub(super) gate: Weak<Gate>,
    /// It is the one for peers on this machine.
    pub(super) nearby: bool,
}

impl Sink for Door {
    fn hear(&mut self, socket: SocketId, event: EventKind, sockets: &Sockets, _: &mut Scope<'_>) {
        match (event, self.gate.upgrade()) {
            (EventKind::Accepted(stream), Some(gate)) => gate.accepted(stream, self.nearby),
            (EventKind::Accepted(stream), None) => sockets.abort(stream),
            (EventKind::NotAccepted(error), _) => {
                tracing::warn!(%error, "a connection of another host was not accepted");
                sockets.resume(socket);
            }
            _ => {}
        }
    }
}
