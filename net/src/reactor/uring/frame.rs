//! What the entry of an operation points to, and the form in which the kernel gives a datagram.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use io_uring::types::RecvMsgOut;
use socket2::SockAddr;

use crate::buffers::Chunk;
use crate::reactor::address::Address;
use crate::reactor::backend::Outcome;
use crate::reactor::store::Operation;
use crate::reactor::work::GATHER;

/// Bytes of the longest sender's address of a datagram.
pub(super) const NAME_BYTES: usize = mem::size_of::<libc::sockaddr_un>();

/// What an operation's entry points to. The kernel may read it until the operation's last completion.
pub(super) struct Frame {
    pub(super) header: libc::msghdr,
    iovecs: [libc::iovec; GATHER],
    pub(super) address: Option<SockAddr>,
}

impl Frame {
    pub(super) fn new() -> Box<Frame> {
        let empty = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // SAFETY: a header of zeros is a valid one, with nothing in it.
        let header = unsafe { mem::zeroed() };
        Box::new(Frame { header, iovecs: [empty; GATHER], address: None })
    }

    /// Makes the header of a message from the rest of an operation's buffers.
    pub(super) fn gather(&mut self, operation: &Operation) {
        let mut count = 0;
        for (iovec, bytes) in self.iovecs.iter_mut().zip(operation.rest()) {
            *iovec = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            count += 1;
        }
        self.header.msg_iov = self.iovecs.as_mut_ptr();
        self.header.msg_iovlen = count;
        match &self.address {
            Some(address) => {
                self.header.msg_name = address.as_ptr().cast_mut().cast();
                self.header.msg_namelen = address.len();
            }
            None => (self.header.msg_name, self.header.msg_namelen) = (std::ptr::null_mut(), 0),
        }
    }
}

/// Takes a datagram out of the form that the kernel gives it when it repeats itself: a head, the sender, the datagram.
pub(super) fn datagram(mut chunk: Chunk, header: &libc::msghdr) -> Option<Outcome> {
    let (from, start, len, truncated) = {
        let out = RecvMsgOut::parse(&chunk, header).ok()?;
        let bytes = out.payload_data();
        let start = bytes.as_ptr() as usize - chunk.as_ptr() as usize;
        (sender(out.name_data())?, start, bytes.len(), out.is_payload_truncated())
    };
    chunk.advance(start);
    chunk.truncate(len);
    Some(Outcome::ReceivedFrom { from, bytes: chunk, truncated })
}

/// The address that a `sockaddr_in`, `sockaddr_in6` or `sockaddr_un` says.
fn sender(name: &[u8]) -> Option<Address> {
    let Some(family) = name.first_chunk() else {
        // A Unix socket without a name says nothing at all.
        return Some(Address::Unix(PathBuf::new()));
    };
    let array = |at: usize| -> Option<[u8; 4]> { name.get(at..at + 4)?.try_into().ok() };
    let port = || Some(u16::from_be_bytes(name.get(2..4)?.try_into().ok()?));
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => Some(SocketAddr::from((Ipv4Addr::from(array(4)?), port()?)).into()),
        libc::AF_INET6 => {
            let address: [u8; 16] = name.get(8..24)?.try_into().ok()?;
            let (flow, scope) = (u32::from_be_bytes(array(4)?), u32::from_ne_bytes(array(24)?));
            let address = SocketAddrV6::new(Ipv6Addr::from(address), port()?, flow, scope);
            Some(SocketAddr::from(address).into())
        }
        libc::AF_UNIX => {
            // The path ends with a zero; a name that begins with one is no path.
            let path = name[2..].split(|byte| *byte == 0).next().unwrap_or_default();
            Some(Address::Unix(OsStr::from_bytes(path).into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_read_in_each_of_its_forms() {
        for text in ["10.1.2.3:456", "[fe80::1]:789", "unix:/run/a.sock"] {
            let address: Address = text.parse().unwrap();
            let native = crate::reactor::descriptor::native(&address).unwrap();
            // SAFETY: the address has so many bytes, which are read while it stands.
            let name = unsafe { std::slice::from_raw_parts(native.as_ptr().cast(), native.len() as usize) };
            assert_eq!(sender(name), Some(address));
        }
        let nameless = Address::Unix(PathBuf::new());
        let unix = (libc::AF_UNIX as u16).to_ne_bytes();
        assert_eq!((sender(&[]), sender(&unix)), (Some(nameless.clone()), Some(nameless.clone())));
        assert_eq!(sender(&[unix[0], unix[1], 0, b'x']), Some(nameless));
        assert_eq!((sender(&[0xff; 16]), sender(&[libc::AF_INET as u8, 0, 1])), (None, None));
    }
}
