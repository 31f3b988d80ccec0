//! Messages that lie on the wire as they lie in memory: no padding, no pointers, `#[repr(C)]`, and derived with
//! [`bytemuck::Pod`], or with [`bytemuck::NoUninit`] and [`bytemuck::CheckedBitPattern`] where not every pattern of bits is a
//! value.
//!
//! Both ends must be little-endian, which their hellos say. A reader that an appended version calls fit for it leaves the
//! appended bytes alone; otherwise the length must be the type's.

use bytemuck::{CheckedBitPattern, NoUninit, bytes_of, checked};
use corelane_kernel::{Fixed, Wire};

use super::{Codec, DecodeError, EncodeError, Envelope, reads, unreadable};

impl<M: Wire + CheckedBitPattern + NoUninit> Codec<M> for Fixed {
    const ADDRESSES: bool = false;

    #[inline]
    fn encode(message: &M, to: &mut [u8]) -> Result<usize, EncodeError> {
        let bytes = bytes_of(message);
        to.get_mut(..bytes.len()).ok_or(EncodeError::NoRoom)?.copy_from_slice(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn decode(envelope: Envelope, body: &[u8]) -> Result<M, DecodeError> {
        if !reads::<M>(envelope) {
            return Err(unreadable::<M>(envelope));
        }
        let (own, appended) = body.split_at_checked(size_of::<M>()).ok_or(DecodeError::Malformed)?;
        if !appended.is_empty() && envelope.version == M::VERSION {
            return Err(DecodeError::Malformed);
        }
        checked::try_pod_read_unaligned(own).map_err(|_| DecodeError::Malformed)
    }
}
