//! Peers on this machine, without its Internet protocols: these cost more than all that a link does itself.
//!
//! Beside its port a shard listens at an abstract Unix socket that is named after it. Who dials a loopback address looks there
//! first, and dials the port if nobody is there. Names and loopback belong to the same network namespace, so whoever reaches
//! the one reaches the other. But a name, unlike a port, could be taken by somebody else while its host lives: who is at the
//! other end must run as the same user as this process, or as root.
//!
//! Not under TLS, which is about networks; and on Linux only, which alone has such names.

use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Inner;
use super::connections::Door;
use crate::link::Connection;
use crate::reactor::{Address as SocketAddress, Backend, Options, SocketId};

/// The name of who listens at an address.
fn name_of(at: SocketAddr) -> SocketAddress {
    SocketAddress::Unix(OsString::from(format!("\0corelane/{at}")).into())
}

impl Inner {
    fn has_names(&self) -> bool {
        cfg!(target_os = "linux")
            && self.shared.config.unix_sockets
            && self.shared.config.tls.is_none()
            && self.sockets.backend() != Backend::Simulated
    }

    /// Where to look first for who listens at an address.
    pub(super) fn nearby(&self, at: SocketAddr) -> Option<SocketAddress> {
        (at.ip().is_loopback() && self.has_names()).then(|| name_of(at))
    }

    /// Listens for peers on this machine, beside a port of this address.
    pub(super) fn listen_nearby(&mut self, mut at: SocketAddr) {
        if at.ip().is_unspecified() {
            at.set_ip(if at.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
        }
        let Some(name) = self.nearby(at) else { return };
        match self.sockets.listen(&name, &Options::default(), Door { gate: self.this.clone(), nearby: true })
        {
            Ok(listener) => {
                self.sockets.resume(listener);
                self.listener_nearby = Some(listener);
            }
            Err(error) => tracing::info!(%error, "peers on this machine find the port only"),
        }
    }

    /// Whether who is at the other end of a Unix socket is to be believed as much as who has a port.
    pub(super) fn is_ours(&self, socket: SocketId) -> bool {
        self.sockets.peer_user(socket).is_ok_and(|user| user.is_ours())
    }

    /// A Unix socket of a peer is connected. Says whether it is one of ours; if not, the port is dialed.
    pub(super) fn meets_nearby(&mut self, slot: usize, connection: Connection) -> bool {
        let Some(line) = self.lines.get(connection) else { return false };
        if !line.nearby || self.is_ours(line.socket) {
            return true;
        }
        tracing::warn!(node = self.slots[slot].link.to().node, "another user's process has a peer's name");
        self.gone(connection);
        false
    }
}
