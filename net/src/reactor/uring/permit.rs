//! What a ring is used for, and whether it may be: a kernel may lack an operation, and a filter may forbid one though the ring
//! itself could be had.
//!
//! A ring is restricted to the operations below before it is enabled: whoever gets hold of its memory can do no more with it
//! than use sockets. Then each of them is tried on a descriptor that is none. What is permitted fails for that; what is
//! not, fails for another reason, and here instead of at somebody's connection.
#![allow(unsafe_code)]

use std::io;
use std::mem;

use io_uring::register::Restriction;
use io_uring::types::{Fd, Timespec};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue};

use super::open::refusal;
use super::table::UPDATE;
use super::{BELL, CHUNKS};

/// Each operation that is used, by name.
pub(in crate::reactor) const OPERATIONS: [(&str, u8); 11] = [
    ("accept", opcode::AcceptMulti::CODE),
    ("connect", opcode::Connect::CODE),
    ("receive", opcode::RecvMulti::CODE),
    ("receive message", opcode::RecvMsgMulti::CODE),
    ("send", opcode::Send::CODE),
    ("send message", opcode::SendMsg::CODE),
    ("send without a copy", opcode::SendZc::CODE),
    ("send message without a copy", opcode::SendMsgZc::CODE),
    ("read", opcode::Read::CODE),
    ("cancel", opcode::AsyncCancel::CODE),
    ("time", opcode::Timeout::CODE),
];

/// `IORING_REGISTER_PBUF_RING` and `IORING_UNREGISTER_PBUF_RING` of `linux/io_uring.h`, and that of descriptors.
const REGISTRATIONS: [u8; 3] = [22, 23, UPDATE];

/// The first operation that the kernel does not have.
pub(super) fn missing(probe: &Probe) -> Option<&'static str> {
    OPERATIONS.into_iter().find(|(_, code)| !probe.is_supported(*code)).map(|(name, _)| name)
}

/// Enables a ring, for these operations alone.
pub(super) fn restrict(ring: &IoUring, permitted: &[(&str, u8)]) -> Result<(), String> {
    let flags = squeue::Flags::SKIP_SUCCESS | squeue::Flags::BUFFER_SELECT | squeue::Flags::FIXED_FILE;
    let mut restrictions: Vec<_> = permitted.iter().map(|(_, code)| Restriction::sqe_op(*code)).collect();
    restrictions.extend(REGISTRATIONS.map(Restriction::register_op));
    restrictions.push(Restriction::sqe_flags_allowed(flags.bits()));
    let submitter = ring.submitter();
    submitter.register_restrictions(&mut restrictions).map_err(refusal)?;
    submitter.register_enable_rings().map_err(refusal)
}

/// Tries each operation, on a descriptor that is none.
pub(super) fn try_each(ring: &mut IoUring) -> Result<(), String> {
    // SAFETY: a header of zeros is a valid one, with nothing in it.
    let header: libc::msghdr = unsafe { mem::zeroed() };
    let at_once = Timespec::new();
    let (none, nothing) = (Fd(-1), std::ptr::null::<u8>());
    let entries = [
        opcode::AcceptMulti::new(none).build(),
        opcode::Connect::new(none, nothing.cast(), 0).build(),
        opcode::RecvMulti::new(none, CHUNKS).build(),
        opcode::RecvMsgMulti::new(none, &raw const header, CHUNKS).build(),
        opcode::Send::new(none, nothing, 0).build(),
        opcode::SendMsg::new(none, &raw const header).build(),
        opcode::SendZc::new(none, nothing, 0).build(),
        opcode::SendMsgZc::new(none, &raw const header).build(),
        opcode::Read::new(none, nothing.cast_mut(), 0).build(),
        opcode::AsyncCancel::new(BELL).build(),
        opcode::Timeout::new(&raw const at_once).build(),
    ];
    let mut left = entries.len();
    for (n, entry) in entries.into_iter().enumerate() {
        // SAFETY: what it points to, the header or the time, stays here until its last completion: nobody leaves below before all have
        // had theirs, but for a ring that cannot be entered, which has then read nothing.
        if unsafe { ring.submission().push(&entry.user_data(n as u64)) }.is_err() {
            return Err("its queue has no room".to_owned());
        }
    }
    let mut forbidden = None;
    while left > 0 {
        match ring.submit_and_wait(1) {
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            Err(error) => return Err(refusal(error)),
            Ok(_) => {}
        }
        for completion in ring.completion() {
            left -= usize::from(!cqueue::more(completion.flags()));
            if matches!(-completion.result(), libc::EACCES | libc::EPERM) {
                forbidden = forbidden.or(OPERATIONS.get(completion.user_data() as usize));
            }
        }
    }
    match forbidden {
        Some((name, _)) => Err(format!(
            "its operation {name:?} is forbidden: {}",
            io::Error::from_raw_os_error(libc::EACCES)
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_the_kernel_lacks_is_named() {
        // A probe that was never filled knows of none.
        assert_eq!(missing(&Probe::new()), Some("accept"));
    }
}
