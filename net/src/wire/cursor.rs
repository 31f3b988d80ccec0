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
    written: Written,
}

/// How far a send buffer is written, between one [`Room`] in it and the next.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    used: usize,
    /// Where the last frame of messages begins, while it is whole; otherwise beyond all.
    messages: usize,
}

impl Default for Written {
    /// Not at all.
    fn default() -> Written {
        Written { used: 0, messages: usize::MAX }
    }
}

impl Written {
    /// Bytes that are written.
    #[inline]
    pub const fn used(&self) -> usize {
        self.used
    }

    /// The first `count` of them have left, and what is behind them has moved to the front of the buffer.
    pub fn take(&mut self, count: usize) {
        *self = Written { used: self.used.saturating_sub(count), ..Written::default() };
    }
}

impl<'a> Room<'a> {
    /// All of `bytes`, as yet empty.
    pub fn new(bytes: &'a mut [u8]) -> Room<'a> {
        Room::behind(bytes, Written::default())
    }

    /// All of `bytes`, of which so much is written as the last room in them said ([`Room::so_far`]).
    #[inline]
    pub fn behind(bytes: &'a mut [u8], mut written: Written) -> Room<'a> {
        written.used = written.used.min(bytes.len());
        Room { written, bytes }
    }

    /// How far the bytes are written now.
    #[inline]
    pub fn so_far(&self) -> Written {
        self.written
    }

    /// The last frame of messages, and what stands behind it.
    #[inline]
    pub(crate) fn last_messages(&mut self) -> Option<&mut [u8]> {
        self.bytes.get_mut(self.written.messages..self.written.used)
    }

    /// As [`Room::keep`], of a frame of messages.
    #[inline]
    pub(crate) fn keep_messages(&mut self, count: usize) {
        self.written.messages = self.written.used;
        self.keep(count);
    }

    /// Bytes that are written.
    pub const fn used(&self) -> usize {
        self.written.used
    }

    /// Bytes that are left.
    #[inline]
    pub fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.written.used)
    }

    /// What is written.
    pub fn written(&self) -> &[u8] {
        self.bytes.get(..self.written.used).unwrap_or_default()
    }

    /// What is left, to be written by somebody else and kept with [`Room::keep`].
    #[inline]
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.written.used..).unwrap_or_default()
    }

    /// The first `count` bytes that are left are written.
    #[inline]
    pub(crate) fn keep(&mut self, count: usize) {
        self.written.used = self.written.used.saturating_add(count).min(self.bytes.len());
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
