//! What the entry of an operation points to, and the form in which the kernel gives a datagram.
#![allow(unsafe_code)]

use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use io_uring::types::RecvMsgOut;
use socket2::SockAddr;

use crate::buffers::Chunk;
use crate::reactor::backend::Outcome;
use crate::reactor::store::Operation;
use crate::reactor::work::GATHER;

/// Bytes of the longest sender's address of a datagram.
pub(super) const NAME_BYTES: usize = mem::size_of::<libc::sockaddr_in6>();

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

/// The address that a `sockaddr_in` or `sockaddr_in6` says.
fn sender(name: &[u8]) -> Option<SocketAddr> {
    let array = |at: usize| -> Option<[u8; 4]> { name.get(at..at + 4)?.try_into().ok() };
    let family = i32::from(u16::from_ne_bytes(name.get(..2)?.try_into().ok()?));
    let port = u16::from_be_bytes(name.get(2..4)?.try_into().ok()?);
    match family {
        libc::AF_INET => Some((Ipv4Addr::from(array(4)?), port).into()),
        libc::AF_INET6 => {
            let address: [u8; 16] = name.get(8..24)?.try_into().ok()?;
            let (flow, scope) = (u32::from_be_bytes(array(4)?), u32::from_ne_bytes(array(24)?));
            Some(SocketAddrV6::new(Ipv6Addr::from(address), port, flow, scope).into())
        }
        _ => None,
    }
}
