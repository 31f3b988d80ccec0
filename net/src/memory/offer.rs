//! What a dialer says first over a Unix socket if it offers memory to share, and what it is answered.

/// What an offer begins with: no frame does, since as a length it would be beyond any limit.
const MAGIC: [u8; 8] = *b"CLmemory";

/// The layout of the memory, and what its words mean. Another is declined.
const VERSION: u32 = 1;

/// Bytes of an offer.
pub(crate) const OFFER: usize = 24;

/// The first byte that is answered: the memory is shared, and all that follows in both directions goes through it.
pub(crate) const TAKEN: u8 = 1;
/// It is not, and all goes over the socket.
pub(crate) const DECLINED: u8 = 0;

/// Memory to share, as the process has it that has made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The number of its file in the dialer's process.
    pub(super) descriptor: u32,
    /// What also stands in the memory, so that no other is taken for it.
    pub(super) nonce: u64,
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// No offer.
    Other,
    /// The beginning of one, perhaps.
    Part,
    /// An offer; `None` if it is not of this version.
    Offer(Option<Offer>),
}

impl Offer {
    pub(super) fn write(self) -> [u8; OFFER] {
        let mut bytes = [0; OFFER];
        let fields: [&[u8]; 4] =
            [&MAGIC, &VERSION.to_le_bytes(), &self.descriptor.to_le_bytes(), &self.nonce.to_le_bytes()];
        let mut rest = &mut bytes[..];
        for field in fields {
            let (head, tail) = rest.split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        }
        bytes
    }

    /// Reads the first bytes of a connection.
    pub(crate) fn read(bytes: &[u8]) -> First {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return First::Other;
        }
        let Some(offer) = bytes.first_chunk::<OFFER>() else { return First::Part };
        let word = |at: usize| u32::from_le_bytes([offer[at], offer[at + 1], offer[at + 2], offer[at + 3]]);
        let nonce = u64::from(word(16)) | u64::from(word(20)) << 32;
        First::Offer((word(8) == VERSION).then(|| Offer { descriptor: word(12), nonce }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_told_from_a_frame_by_its_first_byte_on() {
        let offer = Offer { descriptor: 7, nonce: 0x0123_4567_89AB_CDEF };
        let bytes = offer.write();
        for length in 0..OFFER {
            assert_eq!(Offer::read(&bytes[..length]), First::Part, "{length}");
        }
        assert_eq!(Offer::read(&bytes), First::Offer(Some(offer)));
        assert_eq!(Offer::read(&[&bytes[..], b"more"].concat()), First::Offer(Some(offer)));
        for length in 1..16 {
            let hello = [64, 0, 0, 0, 1, 0, 0, 0, 0x43, 0x4C, 1, 2, 3, 4, 5, 6];
            assert_eq!(Offer::read(&hello[..length]), First::Other, "{length}");
        }
        let mut later = bytes;
        later[8] = VERSION as u8 + 1;
        assert_eq!(Offer::read(&later), First::Offer(None));
    }
}
