//! Messages that are written through a fixed-layout image of themselves: those with addresses in them, and enums.

use bytemuck::{CheckedBitPattern, NoUninit, Pod, Zeroable, bytes_of, checked};
use corelane_kernel::{ActorRef, Address, FarAddress, RawAddress, Wire};

use super::{Codec, DecodeError, EncodeError, Envelope, reads, unreadable};

/// A type that has an image of fixed layout.
///
/// ```
/// use corelane_kernel::ReplyTo;
/// use corelane_net::codec::{Fixed, Image, Imaged, Wire, WireAddress, bytemuck};
///
/// struct Ping { number: u64, reply_to: ReplyTo<u64> }
///
/// #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
/// #[repr(C)]
/// struct PingImage { number: u64, reply_to: WireAddress }
///
/// # struct Pong(u64);
/// impl Image for Ping {
///     type Image = PingImage;
///     fn to_image(&self) -> Option<PingImage> {
///         Some(PingImage { number: self.number, reply_to: WireAddress::of(self.reply_to)? })
///     }
///     fn from_image(image: PingImage) -> Option<Ping> {
///         Some(Ping { number: image.number, reply_to: image.reply_to.actor()? })
///     }
/// }
///
/// impl Wire for Ping {
///     const NAME: &'static str = "demo.Ping";
///     type Form = Imaged;
/// }
/// ```
pub trait Image: Sized {
    /// Fixed layout, as for [`super::Fixed`].
    type Image: CheckedBitPattern + NoUninit;

    /// The image; `None` where an address in it means nothing to the receiver.
    fn to_image(&self) -> Option<Self::Image>;

    /// What the image is of; `None` where it is of nothing.
    fn from_image(image: Self::Image) -> Option<Self>;
}

/// The form of types that have an [`Image`]. The rules of [`super::Fixed`] hold for the image.
#[derive(Debug)]
pub enum Imaged {}

impl<M: Wire + Image> Codec<M> for Imaged {
    #[inline]
    fn encode(message: &M, to: &mut [u8]) -> Result<usize, EncodeError> {
        let to = to.get_mut(..size_of::<M::Image>()).ok_or(EncodeError::NoRoom)?;
        let image = message.to_image().ok_or(EncodeError::Refused)?;
        to.copy_from_slice(bytes_of(&image));
        Ok(to.len())
    }

    #[inline]
    fn decode(envelope: Envelope, body: &[u8]) -> Result<M, DecodeError> {
        if !reads::<M>(envelope) {
            return Err(unreadable::<M>(envelope));
        }
        let (own, appended) = body.split_at_checked(size_of::<M::Image>()).ok_or(DecodeError::Malformed)?;
        if !appended.is_empty() && envelope.version == M::VERSION {
            return Err(DecodeError::Malformed);
        }
        let image = checked::try_pod_read_unaligned(own).map_err(|_| DecodeError::Malformed)?;
        M::from_image(image).ok_or(DecodeError::Malformed)
    }
}

/// An address in an image: 32 bytes. [`WireAddress::of`] and [`WireAddress::actor`] translate it at the border of the thread,
/// as serde does for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct WireAddress {
    /// The host: 0 nobody's, 1 the sender's, 2 the receiver's, otherwise its node.
    node: u64,
    /// Of another host, which of its lives; else 0.
    incarnation: u64,
    identity: u64,
    index: u32,
    shard: u32,
}

// The three numbers that are no node.
const _: () = assert!(crate::wire::NODE_FIRST == 3);

impl WireAddress {
    /// An address, as it is to be written; `None` where it means nothing to the receiver.
    pub fn of(address: impl Into<Address>) -> Option<WireAddress> {
        let (node, incarnation, raw) = match FarAddress::of(address.into())? {
            FarAddress::Nobody => (0, 0, RawAddress::default()),
            FarAddress::Sender(raw) => (1, 0, raw),
            FarAddress::Receiver(raw) => (2, 0, raw),
            FarAddress::Other { node, incarnation, raw } => (node, incarnation, raw),
        };
        Some(WireAddress { node, incarnation, identity: raw.identity, index: raw.index, shard: raw.shard })
    }

    /// The reference that is meant; `None` where there is no such actor.
    pub fn actor<M: Wire>(self) -> Option<ActorRef<M>> {
        self.far().actor()
    }

    fn far(self) -> FarAddress {
        let raw = RawAddress { identity: self.identity, index: self.index, shard: self.shard };
        match self.node {
            0 => FarAddress::Nobody,
            1 => FarAddress::Sender(raw),
            2 => FarAddress::Receiver(raw),
            node => FarAddress::Other { node, incarnation: self.incarnation, raw },
        }
    }
}
