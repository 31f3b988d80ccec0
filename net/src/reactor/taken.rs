//! Addresses that are listened at before there is a reactor to accept what comes: so that nobody else has them meanwhile, and
//! an address that somebody has is known before anything else is begun.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::time::{Duration, Instant};

use socket2::Socket;

use super::backend::Descriptor;
use super::config::{Backend, Options};

/// How long an address that somebody has is waited for. A process that was killed is gone before its ring is: what that has in
/// flight holds sockets until the operating system has ended it, some milliseconds later, or more on a busy machine. Who
/// follows the process need not be started twice for it.
#[cfg(unix)]
const HELD_MAX: Duration = Duration::from_secs(2);
#[cfg(unix)]
const HELD_LOOK: Duration = Duration::from_millis(10);

/// Listens at an address, for a [reactor](super::Reactor::listen_on) to come. Who connects waits for it.
#[derive(Debug)]
pub(crate) struct Taken {
    listener: Socket,
    /// With the port that the operating system chose.
    pub(crate) address: SocketAddr,
}

#[cfg(unix)]
impl Taken {
    /// Takes an address; port 0 is any that is free.
    pub(crate) fn at(address: SocketAddr, options: &Options) -> io::Result<Taken> {
        let kind = super::store::SocketKind::Listener;
        let listener = super::descriptor::make(kind, &address.into(), options, true)?;
        let address = listener.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Taken { listener, address })
    }

    /// As [`Taken::at`], and waits a little for an address that somebody has: where no other would do.
    pub(crate) fn soon_at(address: SocketAddr, options: &Options) -> io::Result<Taken> {
        let until = Instant::now() + HELD_MAX;
        loop {
            match Taken::at(address, options) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => {
                    std::thread::sleep(HELD_LOOK);
                }
                taken => return taken,
            }
        }
    }

    /// As a backend needs it, which knows no such thing where it is simulated.
    pub(super) fn fit(self, backend: Backend) -> io::Result<Descriptor> {
        match backend {
            // An operation that cannot be done yet waits in the kernel instead of failing.
            Backend::Uring => self.listener.set_nonblocking(false)?,
            Backend::Poll => {}
            Backend::Simulated => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(Descriptor::System(self.listener))
    }
}

/// Elsewhere sockets are simulated ones.
#[cfg(not(unix))]
impl Taken {
    pub(crate) fn at(_: SocketAddr, _: &Options) -> io::Result<Taken> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn soon_at(_: SocketAddr, _: &Options) -> io::Result<Taken> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn fit(self, _: Backend) -> io::Result<Descriptor> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
