//! Sockets of the operating system: how both real backends make them.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

use super::address::Address;
use super::backend::Descriptor;
use super::config::Options;
use super::store::SocketKind;

/// The socket of a real backend's descriptor.
pub(super) fn system(descriptor: &Descriptor) -> &Socket {
    match descriptor {
        Descriptor::System(socket) => socket,
        Descriptor::Simulated(_) => unreachable!("a descriptor of another backend"),
    }
}

pub(super) fn native(address: &Address) -> io::Result<SockAddr> {
    match address {
        Address::Ip(address) => Ok(SockAddr::from(*address)),
        Address::Unix(path) => SockAddr::unix(path),
    }
}

pub(super) fn foreign(address: &SockAddr) -> Address {
    match address.as_socket() {
        Some(address) => Address::Ip(address),
        None => Address::Unix(match address.as_pathname() {
            Some(path) => path.into(),
            None => abstract_name(address).unwrap_or_default(),
        }),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(address: &SockAddr) -> Option<PathBuf> {
    let name = address.as_abstract_namespace()?;
    Some(OsString::from_vec([b"\0", name].concat()).into())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_: &SockAddr) -> Option<PathBuf> {
    None
}

pub(super) fn local_address(socket: &Socket) -> io::Result<Address> {
    Ok(foreign(&socket.local_addr()?))
}

pub(super) fn peer_address(socket: &Socket) -> io::Result<Address> {
    Ok(foreign(&socket.peer_addr()?))
}

/// Makes a socket, and all of it but the connection of a stream. It blocks or not, as its backend needs it.
pub(super) fn make(
    kind: SocketKind,
    address: &Address,
    options: &Options,
    nonblocking: bool,
) -> io::Result<Socket> {
    let (domain, protocol) = match address {
        Address::Ip(SocketAddr::V4(_)) => (Domain::IPV4, true),
        Address::Ip(SocketAddr::V6(_)) => (Domain::IPV6, true),
        Address::Unix(_) => (Domain::UNIX, false),
    };
    let (ty, protocol) = match kind {
        SocketKind::Datagrams => (Type::DGRAM, protocol.then_some(Protocol::UDP)),
        SocketKind::Stream | SocketKind::Listener => (Type::STREAM, protocol.then_some(Protocol::TCP)),
    };
    let socket = Socket::new(domain, ty, protocol)?;
    socket.set_nonblocking(nonblocking)?;
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    if protocol == Some(Protocol::TCP) {
        // What is accepted has what its listener has.
        socket.set_tcp_nodelay(options.no_delay)?;
        if let Some(after) = options.keep_alive {
            let every = (after / 4).max(Duration::from_secs(1));
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(after).with_interval(every))?;
        }
    }
    match kind {
        SocketKind::Stream => {
            if let (Some(local), Address::Ip(_)) = (options.local, address) {
                socket.bind(&local.into())?;
            }
        }
        SocketKind::Listener | SocketKind::Datagrams => {
            if domain == Domain::IPV6 {
                socket.set_only_v6(options.only_v6)?;
            }
            if kind == SocketKind::Listener && domain != Domain::UNIX {
                socket.set_reuse_address(true)?;
            }
            if options.reuse_port && domain != Domain::UNIX {
                socket.set_reuse_port(true)?;
            }
            // Without a path, a Unix socket has no name.
            if !matches!(address, Address::Unix(path) if path.as_os_str().is_empty()) {
                socket.bind(&native(address)?)?;
            }
            if kind == SocketKind::Listener {
                socket.listen(options.backlog.max(1))?;
            }
        }
    }
    Ok(socket)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
/// Elsewhere the signal is turned off when a program starts, as Rust's runtime does everywhere.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const SEND_FLAGS: i32 = 0;

/// Sends what a stream takes without waiting, also where its descriptor blocks. Whoever sends the rest hears of an error.
pub(super) fn send_now(socket: &Socket, bytes: &[u8]) -> usize {
    socket.send_with_flags(bytes, SEND_FLAGS | libc::MSG_DONTWAIT).unwrap_or(0)
}

/// Has the peer of a stream be told of a failure when it is closed.
pub(super) fn reset_at_close(socket: &Socket) {
    // Where it cannot be done the peer sees an end.
    let _ = socket.set_linger(Some(Duration::ZERO));
}
