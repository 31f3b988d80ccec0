//! Who is at the other end of a Unix stream. One of the modules where `unsafe` is allowed: the operating system is asked.

#![allow(unsafe_code)]

use std::io;

use socket2::Socket;

/// The user who runs the process at the other end of a Unix stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerUser {
    /// The user's number.
    pub id: u32,
    /// The number of the process, as this one sees it. It may have ended, and another be of this number.
    pub process: u32,
}

/// What Linux says of a user who has no number in this process's user namespace. It is also the number of `nobody`.
const NO_NUMBER: u32 = 65_534;

impl PeerUser {
    /// Whether it is the user who runs this process, or root. Of users without a number here nobody can tell.
    pub fn is_ours(self) -> bool {
        self.id == 0 || (self.id != NO_NUMBER && Some(self.id) == own())
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn of(socket: &Socket) -> io::Result<PeerUser> {
        use std::os::fd::AsRawFd;
        if socket.domain()? != socket2::Domain::UNIX {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut length = size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the option writes at most `length` bytes, all of `found`; the descriptor is open as long as the socket is there.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut found).cast(),
                &raw mut length,
            )
        };
        // A socket that has no peer yet has a process without a number.
        match result {
            0 if found.pid > 0 => Ok(PeerUser { id: found.uid, process: found.pid as u32 }),
            0 => Err(io::ErrorKind::NotConnected.into()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn of(_: &Socket) -> io::Result<PeerUser> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(unix)]
fn own() -> Option<u32> {
    // SAFETY: the call has no arguments and cannot fail.
    Some(unsafe { libc::geteuid() })
}

#[cfg(not(unix))]
fn own() -> Option<u32> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_user_at_the_other_end_of_a_unix_socket_is_told_apart() {
        let (here, there) = Socket::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        for end in [here, there] {
            let user = PeerUser::of(&end).unwrap();
            assert_eq!((Some(user.id), user.process), (own(), std::process::id()));
            assert_eq!(user.is_ours(), user.id != NO_NUMBER);
        }
        let other = own().unwrap() ^ 1;
        let is_ours = |id| PeerUser { id, process: 1 }.is_ours();
        assert!(is_ours(0) && (other == 0 || !is_ours(other)));
        assert!(!is_ours(NO_NUMBER));
        let unconnected = Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        assert_eq!(PeerUser::of(&unconnected).unwrap_err().kind(), io::ErrorKind::NotConnected);
        let tcp = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        assert_eq!(PeerUser::of(&tcp).unwrap_err().kind(), io::ErrorKind::Unsupported);
    }
}
