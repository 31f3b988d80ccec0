//! Any bytes, as the body of a chunk.

use corelane_net::wire::{CHUNK_FRAME, Chunk, Frame, HEAD, Kind};

use crate::counting::most_held;

/// A body that is taken for a chunk is one.
pub(crate) fn check(data: &[u8]) {
    let (flags, body) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let frame = Frame { kind: Some(Kind::Chunk), flags, detail: 0, body };
    let (chunk, held) = most_held(|| Chunk::read(&frame));
    assert_eq!(held, 0);
    if let Ok(chunk) = chunk {
        assert!(!chunk.bytes.is_empty() && chunk.bytes.len() + CHUNK_FRAME - HEAD == body.len());
    }
}
