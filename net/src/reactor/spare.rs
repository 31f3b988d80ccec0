//! Vectors whose bytes have been sent, to be filled anew: who writes what it has just put together needs no memory of its own
//! for that.
//!
//! None is kept that nobody asks for: there are never more than there were questions without one, nor than [`SPARE_MAX`].

use crate::buffers::Buffer;

/// Vectors that are kept at most.
const SPARE_MAX: usize = 128;

/// Bytes that a vector that is kept has room for at most.
const KEPT_BYTES: usize = 16 * 1024;

pub(super) struct Spare {
    vectors: Vec<Vec<u8>>,
    /// How many were asked for that were not there.
    lacking: usize,
}

impl Spare {
    pub(super) fn new() -> Spare {
        Spare { vectors: Vec::new(), lacking: 0 }
    }

    /// An empty vector with room for so many bytes.
    pub(super) fn take(&mut self, room: usize) -> Vec<u8> {
        match self.vectors.pop() {
            Some(mut vector) => {
                vector.reserve(room);
                vector
            }
            None => {
                self.lacking = SPARE_MAX.min(self.lacking + 1);
                Vec::with_capacity(room)
            }
        }
    }

    /// A buffer is needed no more, and nobody wants to have it back.
    pub(super) fn keep(&mut self, buffer: Buffer) {
        if self.lacking > 0
            && let Some(mut vector) = buffer.into_vec()
            && (1..=KEPT_BYTES).contains(&vector.capacity())
        {
            self.lacking -= 1;
            vector.clear();
            self.vectors.push(vector);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_that_was_sent_is_used_again_with_the_room_that_is_asked_for() {
        let mut spare = Spare::new();
        let mut vector = spare.take(100);
        vector.extend_from_slice(&[7; 100]);
        let at = vector.as_ptr();
        spare.keep(vector.into());
        let again = spare.take(50);
        assert!(again.is_empty() && again.as_ptr() == at);
        spare.keep(again.into());
        assert!(spare.take(1000).capacity() >= 1000);
    }

    #[test]
    fn none_is_kept_that_nobody_asks_for_or_that_is_large() {
        let mut spare = Spare::new();
        spare.keep(vec![1].into());
        assert_eq!(spare.vectors.len(), 0);
        for _ in 0..2 * SPARE_MAX {
            drop(spare.take(1));
        }
        spare.keep(Vec::with_capacity(KEPT_BYTES + 1).into());
        spare.keep(Vec::new().into());
        spare.keep(b"static".into());
        assert_eq!(spare.vectors.len(), 0);
        for _ in 0..2 * SPARE_MAX {
            spare.keep(vec![1].into());
        }
        assert_eq!(spare.vectors.len(), SPARE_MAX);
    }
}
