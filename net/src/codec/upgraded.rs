//! Messages that are read as what they were when they were written.

use core::fmt;
use core::marker::PhantomData;

use corelane_kernel::Wire;

use super::{Codec, DecodeError, EncodeError, Envelope, reads};

/// The form `F`, which also reads what the older version `P` of the type wrote, and converts it.
///
/// `P` is the type as it was, with the name and the version that it had, under another name in the code. It may be
/// `Upgraded` itself.
///
/// ```
/// use corelane_net::codec::{self, Compact, Upgraded, Wire};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct PlacedV1 { item: u32 }
/// impl Wire for PlacedV1 {
///     const NAME: &'static str = "shop.Placed";
///     type Form = Compact;
/// }
///
/// #[derive(Serialize, Deserialize, Debug, PartialEq)]
/// struct Placed { item: u32, count: u32 }
/// impl Wire for Placed {
///     const NAME: &'static str = "shop.Placed";
///     const VERSION: u16 = 2;
///     const READABLE_SINCE: u16 = 1;
///     type Form = Upgraded<PlacedV1, Compact>;
/// }
/// impl From<PlacedV1> for Placed {
///     fn from(old: PlacedV1) -> Placed { Placed { item: old.item, count: 1 } }
/// }
///
/// let mut room = [0; 16];
/// let length = codec::encode(&PlacedV1 { item: 7 }, &mut room)?;
/// let read: Placed = codec::decode(codec::envelope::<PlacedV1>(), &room[..length])?;
/// assert_eq!(read, Placed { item: 7, count: 1 });
///
/// // The other way round: who is still at version 1 reads what it knows.
/// let length = codec::encode(&Placed { item: 7, count: 9 }, &mut room)?;
/// let read: PlacedV1 = codec::decode(codec::envelope::<Placed>(), &room[..length])?;
/// assert_eq!(read.item, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Upgraded<P, F>(PhantomData<(P, F)>);

impl<P, F> fmt::Debug for Upgraded<P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgraded")
    }
}

impl<M, P, F> Codec<M> for Upgraded<P, F>
where
    M: Wire + From<P>,
    P: Wire<Form: Codec<P>>,
    F: Codec<M>,
{
    const ADDRESSES: bool = F::ADDRESSES;

    #[inline]
    fn encode(message: &M, to: &mut [u8]) -> Result<usize, EncodeError> {
        F::encode(message, to)
    }

    #[inline]
    fn decode(envelope: Envelope, body: &[u8]) -> Result<M, DecodeError> {
        const {
            assert!(P::VERSION < M::VERSION, "what is upgraded is an older version");
            let one_type = super::type_hash(P::NAME) == super::type_hash(M::NAME);
            assert!(one_type, "what is upgraded has the same name");
        }
        if reads::<M>(envelope) || envelope.version > M::VERSION {
            return F::decode(envelope, body);
        }
        P::Form::decode(envelope, body).map(M::from)
    }
}
