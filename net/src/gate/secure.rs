//! TLS between connections and links: handshakes that are under way, and connections that are refused over it.
//!
//! A link hears of a connection that it dialed when the handshake is over, and the hello of one that came in is read then: so
//! nothing of the protocol is said to anybody who has not shown a certificate. Whatever goes wrong ends that connection and no
//! other, is counted, and is logged with its reason; at most one warning a second, the others for debugging.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Inner;
use crate::link::{Connection, Farewell};
use crate::resolve::RemoteLookupError;
use crate::tls::{Channel, TlsRefusal};
use crate::wire::{MAGIC, Reason};

/// What TLS begins with: the type of a handshake record, and its version.
const TLS_HANDSHAKE: [u8; 2] = [22, 3];

/// Between two warnings.
const WARN_EVERY: Duration = Duration::from_secs(1);

impl Inner {
    /// What stands between a connection that came in and its link; `None` where there is no TLS.
    pub(super) fn channel_to_dialer(&self) -> Result<Option<Box<Channel>>, TlsRefusal> {
        self.shared.tls().map(|identity| identity.accept().map(Box::new)).transpose()
    }

    /// What stands between a connection to a peer at this address and its link; `None` where there is no TLS.
    pub(super) fn channel_to_dialed(&self, at: IpAddr) -> Result<Option<Box<Channel>>, TlsRefusal> {
        self.shared.tls().map(|identity| identity.dial(at).map(Box::new)).transpose()
    }

    /// Takes bytes that came over a connection under TLS, and appends what they say. Says whether the connection goes on.
    pub(super) fn open(&mut self, connection: Connection, sealed: &[u8], plain: &mut Vec<u8>) -> bool {
        let Some(line) = self.lines.get_mut(connection) else { return false };
        let Some(channel) = &mut line.channel else { return false };
        let handshaking = channel.is_handshaking();
        let opened = channel.open(sealed, plain);
        let finished = handshaking && !channel.is_handshaking();
        if let Err(refusal) = opened {
            if refusal == TlsRefusal::Plaintext
                && line.came_in
                && sealed.get(8..16) == Some(&MAGIC.to_le_bytes()[..])
            {
                // A host that speaks in the clear is told so in the clear: there is nothing secret in it.
                line.channel = None;
                line.make_last_room();
                let text = "this host speaks under TLS only";
                let farewell = Farewell { reason: Reason::Incompatible, detail: 0, text };
                line.write(|room| farewell.write(room));
            }
            self.refuse(connection, refusal);
            return false;
        }
        if finished {
            self.tls.handshakes += 1;
            line.trusted = self.shared.trust.as_ref().is_some_and(|trust| channel.bears(trust.except()));
        }
        if channel.has_output() {
            line.pass_on(&self.sockets, &mut self.spares);
        }
        if let Some(slot) = line.slot.filter(|_| finished) {
            self.no_handshake(connection);
            self.dialed(slot, connection);
        }
        true
    }

    /// A connection that was dialed is under TLS, or gone.
    pub(super) fn no_handshake(&mut self, connection: Connection) {
        if let Some(at) = self.handshakes.iter().position(|(_, known)| *known == connection) {
            self.handshakes.remove(at);
        }
    }

    /// Ends a connection over TLS.
    pub(super) fn refuse(&mut self, connection: Connection, refusal: TlsRefusal) {
        let Some(mut line) = self.take_line(connection) else { return };
        self.no_handshake(connection);
        self.complain(line.socket, line.slot, refusal);
        // The alert that says so, if there is one.
        line.pass_on(&self.sockets, &mut self.spares);
        self.sockets.leave(line.socket);
        self.spares.give_back(line.out);
        let Some(slot) = line.slot else { return };
        if !line.came_in {
            self.slots[slot].refusal = Some(refusal);
            if refusal.is_lasting() {
                let error = RemoteLookupError::Tls(refusal);
                self.reject_lookups(slot, &error);
                self.reject_births(slot, &error);
            }
        }
        self.disconnected(slot, connection);
    }

    /// Counts a refusal, and logs it.
    fn complain(&mut self, socket: crate::reactor::SocketId, slot: Option<usize>, refusal: TlsRefusal) {
        self.tls.count(refusal);
        let peer = self.sockets.peer_address(socket).ok();
        let node = slot.map(|slot| self.slots[slot].link.to().node);
        if self.now >= self.warned_until {
            self.warned_until = self.now + WARN_EVERY;
            tracing::warn!(?peer, ?node, %refusal, "a connection is refused");
        } else {
            tracing::debug!(?peer, ?node, %refusal, "a connection is refused");
        }
    }

    /// A connection has ended from outside.
    pub(super) fn cut(&mut self, connection: Connection) {
        let Some(line) = self.lines.get(connection) else { return };
        if line.channel.as_ref().is_some_and(|channel| channel.has_begun() && !channel.has_ended()) {
            let (socket, slot, came_in) = (line.socket, line.slot, line.came_in);
            self.complain(socket, slot, TlsRefusal::Truncated);
            if let Some(slot) = slot.filter(|_| !came_in) {
                self.slots[slot].refusal = Some(TlsRefusal::Truncated);
            }
        }
        self.gone(connection);
    }

    /// Where there is no TLS, somebody may speak it all the same.
    pub(super) fn check_clear(&mut self, connection: Connection, bytes: &[u8]) -> Result<(), Farewell> {
        let Some(line) = self.lines.get(connection) else { return Ok(()) };
        if line.channel.is_some() || !bytes.starts_with(&TLS_HANDSHAKE) {
            return Ok(());
        }
        let socket = line.socket;
        self.complain(socket, None, TlsRefusal::Unexpected);
        Err(Farewell { reason: Reason::Incompatible, detail: 0, text: "this host does not speak TLS" })
    }

    /// Whether who has dialed may say that this is its address.
    pub(super) fn check_name(&mut self, connection: Connection, address: SocketAddr) -> Result<(), Farewell> {
        let Some(line) = self.lines.get(connection) else { return Ok(()) };
        if line.channel.as_ref().is_none_or(|channel| channel.admits(address.ip())) {
            return Ok(());
        }
        let socket = line.socket;
        self.complain(socket, None, TlsRefusal::WrongName);
        let text = "the certificate is not made out to the address";
        Err(Farewell { reason: Reason::WrongAddress, detail: 0, text })
    }
}
