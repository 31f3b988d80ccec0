//! Frames one behind the other, as any bytes may hold them.

use corelane_net::wire::{Frame, FrameError, HEAD, Meaning};

use crate::counting::most_held;

pub(crate) const LIMIT: u32 = 1 << 16;

/// What a frame says, for which nothing is reserved.
pub(crate) fn meaning<'a>(frame: &Frame<'a>) -> Result<Meaning<'a>, FrameError> {
    let (meaning, held) = most_held(|| Meaning::read(frame));
    assert_eq!(held, 0, "{meaning:?}");
    meaning
}

/// Reads frames until there is none, and gives how many, and how it ended.
pub(crate) fn read_all<'a>(
    mut bytes: &'a [u8],
    mut each: impl FnMut(&Frame<'a>),
) -> (usize, Result<(), FrameError>) {
    let mut taken = 0;
    loop {
        let (frame, held) = most_held(|| Frame::read(bytes, LIMIT));
        assert_eq!(held, 0, "{frame:?}");
        match frame {
            Ok(None) => return (taken, Ok(())),
            Err(error) => return (taken, Err(error)),
            Ok(Some((frame, size))) => {
                assert!(size >= HEAD && size.is_multiple_of(8) && size <= bytes.len());
                assert!(frame.body.len() <= LIMIT as usize);
                each(&frame);
                taken += size;
                bytes = &bytes[size..];
            }
        }
    }
}
