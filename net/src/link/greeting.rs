//! The first frame of a connection that came in: who is there, before it is known whose link it is.
//!
//! What has not said hello costs its connection and one buffer of [`GREETING_MAX`] bytes, and nothing else. The driver closes
//! what is late; see [`super::LinkConfig::handshake`].

use super::action::Farewell;
use crate::wire::{Frame, HELLO_MAX, Hello, Kind, Reason, VERSION, VERSION_OLDEST, capability};

/// Bytes that the first frame takes at most.
pub const GREETING_MAX: usize = HELLO_MAX as usize + 8;

/// Who this end is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// The system's name. Links join hosts of one system.
    pub system: String,
    /// Where other hosts reach this one.
    pub address: String,
    /// The host, whatever life: at least 3.
    pub node: u64,
    /// This life of it: drawn at random at start, not 0.
    pub incarnation: u64,
}

/// What this build can do. Hosts of the other byte order cannot read fixed-layout messages, so they do not connect.
pub(super) const CAPABILITIES: u64 = if cfg!(target_endian = "little") {
    capability::ALL
} else {
    capability::ALL & !capability::LITTLE_ENDIAN
};
/// All of it: nothing that speaks version 1 is without.
pub(super) const REQUIRED: u64 = capability::CHUNKS | capability::LITTLE_ENDIAN | capability::SUPERVISION;

/// Reads the first frame of a connection that came in. `None` while it is not all there; else the hello, by whose shards and
/// node the link is found ([`super::Link::accept`]), and how many bytes it took.
///
/// # Errors
/// The last words: write them and close.
pub fn greet<'a>(me: &Me, bytes: &'a [u8]) -> Result<Option<(Hello<'a>, usize)>, Farewell> {
    match Frame::read(bytes, HELLO_MAX) {
        Ok(None) => Ok(None),
        Ok(Some((frame, size))) if frame.kind == Some(Kind::Hello) => {
            let hello =
                Hello::read(&frame).map_err(|_| Farewell::new(Reason::Protocol, "the hello is malformed"))?;
            if hello.welcome {
                return Err(Farewell::new(Reason::Protocol, "a welcome without a hello"));
            }
            check(me, &hello)?;
            Ok(Some((hello, size)))
        }
        _ => Err(Farewell::new(Reason::Protocol, "the first frame is no hello")),
    }
}

/// What must hold for either end's hello.
pub(super) fn check(me: &Me, hello: &Hello<'_>) -> Result<(), Farewell> {
    if hello.system != me.system {
        return Err(Farewell::new(Reason::WrongAddress, "another system"));
    }
    if hello.to_node != 0 && hello.to_node != me.node {
        return Err(Farewell::new(Reason::WrongAddress, "another node"));
    }
    if hello.node == me.node {
        return Err(Farewell::new(Reason::WrongAddress, "the node is this one"));
    }
    if hello.common_version(VERSION_OLDEST, VERSION).is_none() {
        return Err(Farewell::new(Reason::Incompatible, "no version of the protocol is common"));
    }
    if hello.required & !CAPABILITIES != 0 || REQUIRED & !hello.capabilities != 0 {
        return Err(Farewell::new(Reason::Incompatible, "a capability is missing"));
    }
    Ok(())
}
