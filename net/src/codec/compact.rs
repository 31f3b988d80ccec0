//! Messages of any shape, as postcard writes what serde describes: <https://postcard.jamesmunns.com/wire-format>, which names
//! no fields.
//!
//! A reader that an appended version calls fit for it leaves what follows alone; otherwise nothing may follow.

use corelane_kernel::{Compact, Wire};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, DecodeError, EncodeError, Envelope, reads, unreadable};

impl<M: Wire + Serialize + DeserializeOwned> Codec<M> for Compact {
    fn encode(message: &M, to: &mut [u8]) -> Result<usize, EncodeError> {
        match postcard::to_slice(message, to) {
            Ok(written) => Ok(written.len()),
            Err(postcard::Error::SerializeBufferFull) => Err(EncodeError::NoRoom),
            Err(_) => Err(EncodeError::Refused),
        }
    }

    fn decode(envelope: Envelope, body: &[u8]) -> Result<M, DecodeError> {
        if !reads::<M>(envelope) {
            return Err(unreadable::<M>(envelope));
        }
        let (message, rest) = postcard::take_from_bytes(body).map_err(|_| DecodeError::Malformed)?;
        if !rest.is_empty() && envelope.version == M::VERSION {
            return Err(DecodeError::Malformed);
        }
        Ok(message)
    }
}
