//! Reading and writing little-endian fields at the front of what is left of a slice.
//!
//! Neither end panics: a field that is not there is `None`, and what does not fit is not written. Everything that is
//! read from a peer goes through [`Reader`].

/// What is left to read of some bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(first)
    }

    /// All that is left.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Room for frames, which are written into it one behind the other.
///
/// It is the caller's memory: a part of a send buffer, for instance. A frame that does not fit is not begun, so that
/// what stands in [`Room::written`] is whole frames at any time.
///
/// Where the room starts at an address that 8 divides, each frame does, and so does each payload.
#[derive(Debug)]
pub struct Room<'a> {
    bytes: &'a mut [u8],
    used: usize,
}

impl<'a> Room<'a> {
    /// All of `bytes`, as yet empty.
    pub fn new(bytes: &'a mut [u8]) -> Room<'a> {
        Room { bytes, used: 0 }
    }

    /// Bytes that are written.
    pub const fn used(&self) -> usize {
        self.used
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.used)
    }

    /// What is written.
    pub fn written(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    /// What is left, to be written by somebody else and kept with [`Room::keep`].
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.used..).unwrap_or_default()
    }

    /// The first `count` bytes that are left are written.
    pub(crate) fn keep(&mut self, count: usize) {
        self.used = self.used.saturating_add(count).min(self.bytes.len());
    }

    /// Writes fields one behind the other, if they fit all together.
    pub(crate) fn put(&mut self, fields: &[&[u8]]) -> bool {
        let mut count = 0_usize;
        for field in fields {
            count = count.saturating_add(field.len());
        }
        if count > self.left() {
            return false;
        }
        for field in fields {
            if let Some(to) = self.spare().get_mut(..field.len()) {
                to.copy_from_slice(field);
            }
            self.keep(field.len());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_read() {
        let mut reader = Reader::new(&[1, 2, 0, 4]);
        assert_eq!((reader.u8(), reader.u16(), reader.u32()), (Some(1), Some(2), None));
        assert_eq!((reader.bytes(2), reader.rest()), (None, &[4][..]));
    }

    #[test]
    fn what_does_not_fit_is_not_begun() {
        let mut bytes = [0; 5];
        let mut room = Room::new(&mut bytes);
        assert!(room.put(&[&[1, 2], &[3]]));
        assert!(!room.put(&[&[4], &[5, 6]]));
        assert_eq!((room.written(), room.left()), (&[1, 2, 3][..], 2));
    }
}
