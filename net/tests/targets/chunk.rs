//! Any bytes, as the body of a chunk.

use corelane_net::wire::{Chunk, Frame, Kind};

/// A body that is taken for a chunk is one.
pub(crate) fn check(data: &[u8]) {
    let (flags, body) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let frame = Frame { kind: Some(Kind::Chunk), flags, detail: 0, body };
    if let Ok(chunk) = Chunk::read(&frame) {
        assert!(!chunk.bytes.is_empty() && chunk.bytes.len() + 16 == body.len());
    }
}
