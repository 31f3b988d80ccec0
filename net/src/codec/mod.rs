//! How messages are written, and how they may change.
//!
//! A message type that may leave the process implements [`Wire`]: a name and a version, which hold for ever, and a **form**,
//! a type that implements [`Codec`] for it:
//!
//! | form | for | cost |
//! |---|---|---|
//! | [`Fixed`] | types whose bytes in memory are their meaning (`bytemuck`) | one copy each way |
//! | [`Imaged`] | the same with addresses or enums in them, through an image the type names itself | a few moves more |
//! | [`Compact`] | everything that serde takes, as postcard | its encoding |
//! | [`Upgraded`] | any of these, which reads what an older version wrote as well | nothing for new bytes |
//! | your own | another codec | |
//!
//! ```
//! use corelane_net::codec::{self, Compact, Fixed, Wire, bytemuck};
//! use corelane_kernel::ReplyTo;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Copy, PartialEq, Debug, bytemuck::Pod, bytemuck::Zeroable)]
//! #[repr(C)]
//! struct Tick { at: u64, price: u64 }
//! impl Wire for Tick {
//!     const NAME: &'static str = "market.Tick";
//!     type Form = Fixed;
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! enum Order { Place { item: String, count: u32 }, Query(ReplyTo<Tick>) }
//! impl Wire for Order {
//!     const NAME: &'static str = "shop.Order";
//!     type Form = Compact;
//! }
//!
//! let mut room = [0; 64];
//! let tick = Tick { at: 1, price: 2 };
//! let length = codec::encode(&tick, &mut room)?;
//! let read: Tick = codec::decode(codec::envelope::<Tick>(), &room[..length])?;
//! assert_eq!((read, length), (tick, 16));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An address travels only to where it can be used: `ActorRef<M>` is written and read only if `M` is [`Wire`] too.
//!
//! ```compile_fail,E0277
//! use corelane_kernel::ReplyTo;
//! struct Private;
//! #[derive(serde::Serialize)]
//! struct Ask(ReplyTo<Private>);
//! ```
//!
//! # How a type is named
//!
//! Each message carries the 64-bit hash of its type's name ([`type_hash`]), not a number that two hosts agree on first.
//! That costs four bytes more; in return a connection has no table that must be set up before the first message, that a
//! reconnect would have to bring into step again, and that a peer could make grow. Two names with one hash are found when the
//! second is registered, at start. A hash that nobody registered is an unknown type: refused, counted, and nothing else.
//! What is delivered is decoded as the type with the hash, and told only to an address of which the kernel's census says
//! that it takes this type.
//!
//! # How a type may change
//!
//! A reader of version `r` takes what a writer of version `w` sent, which said that it is readable since `s`:
//!
//! | | |
//! |---|---|
//! | `w = r` | yes |
//! | `w > r`, `s <= r` | yes: the writer only appended fields, and the reader leaves them alone |
//! | `w > r`, `s > r` | no ([`DecodeError::Version`]) |
//! | `w < r` | with [`Upgraded`], which reads it as what it was and converts it; otherwise no |
//!
//! So to change a type: raise [`Wire::VERSION`]; keep the old type under another Rust name, and name it in [`Upgraded`]; if
//! fields were only appended, leave [`Wire::READABLE_SINCE`] where it was. For [`Compact`], fields are appended at the end of
//! the outermost struct, and variants at the end of an enum (an older reader refuses a variant that it does not know,
//! [`DecodeError::Malformed`]). For [`Fixed`], at the end of the struct. Neither format names fields: what is reordered,
//! removed or given another type is a new version that older readers cannot read.
//!
//! # What a peer can do with it
//!
//! Decoding reads only what is in the message. For a row whose length a peer makes up, serde reserves at most a MiB ahead of
//! what is there. But a type that contains itself lets a peer choose how deep the decoder goes, and a `Vec` of things
//! without size how often it turns: such types should not be [`Wire`].

mod compact;
mod crossing;
mod fixed;
mod imaged;
mod props;
mod registry;
mod upgraded;

use core::fmt;

pub use bytemuck;
pub use corelane_kernel::{Compact, Fixed, Wire};
pub use crossing::{Atlas, Crossing, Home, NoHost, Peer};
pub use imaged::{Image, Imaged, WireAddress};
pub use props::Props;
pub(crate) use props::{Adopt, Unmade};
pub(crate) use registry::Take;
pub use registry::{Reader, Registry, RegistryError, Undelivered, Writer};
pub use upgraded::Upgraded;

pub use crate::wire::Envelope;

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// It is longer than the room for it.
    NoRoom,
    /// It cannot be written at all: an address in it means nothing to the receiver, or its own code refused.
    Refused,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EncodeError::NoRoom => "the message is longer than the room for it",
            EncodeError::Refused => "the message cannot be written for this receiver",
        })
    }
}

impl core::error::Error for EncodeError {}

/// Why bytes are no message of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Of a version that this one cannot read.
    Version {
        /// The version that was written.
        written: u16,
        /// The one that would read it.
        reads: u16,
    },
    /// No value of the type is written so, or an address in it is nobody's.
    Malformed,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Version { written, reads } => {
                write!(f, "a message of version {written}, which version {reads} cannot read")
            }
            DecodeError::Malformed => f.write_str("bytes that are no message of this type"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// A form in which messages of type `M` are written.
///
/// Both directions are pure, but for the border at which addresses are translated ([`corelane_kernel::within`]). Neither may
/// panic, whatever the bytes are.
pub trait Codec<M> {
    /// Whether there may be addresses of actors in what is written. Where there are none, nothing is made ready for their
    /// translation, which a message of a few words notices.
    const ADDRESSES: bool = true;

    /// Writes the message at the front of `to`, and says how many bytes it took. What stands behind them may have been
    /// written too.
    ///
    /// # Errors
    /// [`EncodeError`].
    fn encode(message: &M, to: &mut [u8]) -> Result<usize, EncodeError>;

    /// The message that was written so.
    ///
    /// # Errors
    /// [`DecodeError`].
    fn decode(envelope: Envelope, body: &[u8]) -> Result<M, DecodeError>;
}

/// The number that stands for a type's name on the wire: FNV-1a of 64 bits, mixed once more so that all bits are good.
pub const fn type_hash(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

/// What a message of type `M` says of itself.
pub const fn envelope<M: Wire>() -> Envelope {
    const {
        assert!(!M::NAME.is_empty(), "a message type that may leave the process has a name");
        assert!(M::READABLE_SINCE <= M::VERSION, "no version is readable only since a later one");
        Envelope { type_hash: type_hash(M::NAME), version: M::VERSION, readable_since: M::READABLE_SINCE }
    }
}

/// Whether version `M::VERSION` of a type reads what was written as the envelope says, without help.
pub const fn reads<M: Wire>(envelope: Envelope) -> bool {
    envelope.readable_since <= M::VERSION && M::VERSION <= envelope.version
}

/// The error for what [`reads`] refuses.
pub const fn unreadable<M: Wire>(envelope: Envelope) -> DecodeError {
    DecodeError::Version { written: envelope.version, reads: M::VERSION }
}

/// Writes a message in its form.
///
/// # Errors
/// [`EncodeError`].
#[inline]
pub fn encode<M: Wire<Form: Codec<M>>>(message: &M, to: &mut [u8]) -> Result<usize, EncodeError> {
    M::Form::encode(message, to)
}

/// Reads a message in its form.
///
/// # Errors
/// [`DecodeError`].
#[inline]
pub fn decode<M: Wire<Form: Codec<M>>>(envelope: Envelope, body: &[u8]) -> Result<M, DecodeError> {
    M::Form::decode(envelope, body)
}

/// Writes a message of which only a limit of its length is known into a buffer of its own.
///
/// # Errors
/// [`EncodeError`]; `NoRoom` above the limit.
pub fn encode_large<M: Wire<Form: Codec<M>>>(
    message: &M,
    start: usize,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let mut room = start.clamp(1, limit.max(1));
    loop {
        bytes.resize(room, 0);
        match encode(message, &mut bytes) {
            Ok(length) => {
                bytes.truncate(length);
                return Ok(bytes);
            }
            Err(EncodeError::NoRoom) if room < limit => room = room.saturating_mul(4).min(limit),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash is part of the protocol: these never change.
    #[test]
    fn the_hash_of_a_name_is_for_ever() {
        assert_eq!(type_hash("market.Tick"), 0x81fcf8dae38e2cab);
        assert_eq!(type_hash("a"), 0x82b19d9859a61322);
    }
}
