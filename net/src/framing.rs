//! Frames in a stream of bytes: lines, or pieces that say how long they are, or whatever a protocol has.
//!
//! A [`Framer`] is fed what is received, in whatever pieces it comes, and gives whole frames: out of the very memory that was
//! received into where a frame lies within one piece, and copied together where it does not. What it keeps is bounded by the
//! longest frame that is allowed, so a peer that never ends a frame cannot fill the memory.
//!
//! ```
//! use corelane_net::framing::{Framer, Lines};
//!
//! let mut framer = Framer::new(Lines::default());
//! let mut lines = Vec::new();
//! for piece in ["GET /", "a\r\nGET /b\n", "GE"] {
//!     framer.feed(piece.as_bytes(), |line| lines.push(line.to_vec()))?;
//! }
//! assert_eq!(lines, [b"GET /a", b"GET /b"]);
//! # Ok::<(), corelane_net::framing::FrameError>(())
//! ```

use std::fmt;

/// How a protocol says where its frames end.
pub trait Framing {
    /// Looks for the first frame in `bytes`, which begin with one. `searched` of them were given before without a whole frame
    /// being there. Must not need more than its longest frame to know where that ends.
    ///
    /// # Errors
    /// [`FrameError`]: no frame can begin so. The stream is of no more use.
    fn find(&mut self, bytes: &[u8], searched: usize) -> Result<Find, FrameError>;

    /// Bytes of the longest frame, with all that stands around it.
    fn longest(&self) -> usize;
}

/// What a [`Framing`] found at the beginning of what has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// A whole frame.
    Frame {
        /// Bytes before what it says.
        head: usize,
        /// Bytes of what it says.
        len: usize,
        /// Bytes behind that.
        tail: usize,
    },
    /// Only a part of one.
    Partial {
        /// How many bytes, from the frame's beginning, are needed to know more; `None` if its end is to be searched for.
        needs: Option<usize>,
    },
}

/// Why bytes can be no frame. Nothing that comes after them on the stream can be read either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is longer than is allowed.
    TooLong {
        /// Bytes that are allowed.
        longest: usize,
    },
    /// The protocol has no such frame.
    Malformed(&'static str),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLong { longest } => write!(f, "a frame is longer than {longest} bytes"),
            FrameError::Malformed(why) => write!(f, "no frame: {why}"),
        }
    }
}

impl std::error::Error for FrameError {}

/// What a framing of the user's says against its own word.
const INCONSISTENT: FrameError = FrameError::Malformed("its framing found one where there is none");

/// Cuts a stream into frames.
#[derive(Clone, Debug)]
pub struct Framer<F> {
    framing: F,
    /// The beginning of a frame that is not whole.
    partial: Vec<u8>,
    searched: usize,
    needs: Option<usize>,
    failed: Option<FrameError>,
}

impl<F: Framing> Framer<F> {
    /// A framer at the beginning of a stream.
    pub fn new(framing: F) -> Framer<F> {
        Framer { framing, partial: Vec::new(), searched: 0, needs: None, failed: None }
    }

    /// Bytes of a frame that is not whole yet.
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Takes what was received, and gives each frame that is whole now.
    ///
    /// # Errors
    /// [`FrameError`], after the frames before it; and the same again from then on.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let fed = self.try_feed(&mut bytes, &mut each);
        if let Err(error) = fed {
            self.failed = Some(error);
            self.partial = Vec::new();
        }
        fed
    }

    fn try_feed(&mut self, bytes: &mut &[u8], each: &mut impl FnMut(&[u8])) -> Result<(), FrameError> {
        // What began before is made whole with no more than belongs to it, as far as that is known.
        while !self.partial.is_empty() {
            if bytes.is_empty() {
                return Ok(());
            }
            let before = self.partial.len();
            let to = self.needs.unwrap_or(self.framing.longest());
            let more = to.saturating_sub(before).clamp(1, bytes.len());
            self.partial.extend_from_slice(&bytes[..more]);
            match self.look(&[])? {
                Some((start, end, whole)) => {
                    // It may end before what was taken, where an end was searched for.
                    let taken = whole.checked_sub(before).ok_or(INCONSISTENT)?;
                    each(&self.partial[start..end]);
                    *bytes = &bytes[taken..];
                    self.partial.clear();
                }
                None => *bytes = &bytes[more..],
            }
        }
        while !bytes.is_empty() {
            match self.look(bytes)? {
                Some((start, end, whole)) => {
                    each(&bytes[start..end]);
                    *bytes = &bytes[whole..];
                }
                None => {
                    self.partial.extend_from_slice(bytes);
                    *bytes = &[];
                }
            }
        }
        Ok(())
    }

    /// Looks for a frame at the beginning of `bytes`, or of what is partial if there are none: where what it says begins and
    /// ends, and where it ends itself.
    fn look(&mut self, bytes: &[u8]) -> Result<Option<(usize, usize, usize)>, FrameError> {
        let bytes = if bytes.is_empty() { &self.partial[..] } else { bytes };
        let longest = self.framing.longest();
        match self.framing.find(bytes, self.searched)? {
            Find::Frame { head, len, tail } => {
                let whole = head.saturating_add(len).saturating_add(tail);
                if whole > longest {
                    return Err(FrameError::TooLong { longest });
                }
                if whole > bytes.len() || whole == 0 {
                    return Err(INCONSISTENT);
                }
                self.searched = 0;
                Ok(Some((head, head + len, whole)))
            }
            Find::Partial { needs } => {
                if needs.is_some_and(|needs| needs > longest) || bytes.len() >= longest {
                    return Err(FrameError::TooLong { longest });
                }
                (self.searched, self.needs) = (bytes.len(), needs);
                Ok(None)
            }
        }
    }
}

/// Lines that end with `\n` or `\r\n`, which are no part of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// Bytes of the longest line, with its end. 8 KiB by default.
    pub longest: usize,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines { longest: 8 << 10 }
    }
}

impl Framing for Lines {
    fn find(&mut self, bytes: &[u8], searched: usize) -> Result<Find, FrameError> {
        let new = bytes.get(searched..).unwrap_or_default();
        let Some(at) = new.iter().position(|byte| *byte == b'\n') else {
            return Ok(Find::Partial { needs: None });
        };
        let len = searched + at;
        let returns = usize::from(len > 0 && bytes[len - 1] == b'\r');
        Ok(Find::Frame { head: 0, len: len - returns, tail: 1 + returns })
    }

    fn longest(&self) -> usize {
        self.longest
    }
}

/// The order of a number's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The highest first, as in most protocols of the Internet.
    Big,
    /// The lowest first.
    Little,
}

/// Frames that begin with their length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthPrefixed {
    /// Bytes of the number: 1 to 8. 4 by default.
    pub bytes: usize,
    /// Their order. [`Order::Big`] by default.
    pub order: Order,
    /// The number counts its own bytes as well. `false` by default.
    pub counts_itself: bool,
    /// What the longest frame says, in bytes, without the number. 128,000 by default.
    pub longest: usize,
}

impl Default for LengthPrefixed {
    fn default() -> LengthPrefixed {
        LengthPrefixed { bytes: 4, order: Order::Big, counts_itself: false, longest: 128_000 }
    }
}

impl LengthPrefixed {
    /// Writes the number for a frame that says `len` bytes, behind `out`.
    ///
    /// # Errors
    /// [`FrameError::TooLong`], also where the number has too few bytes for it; nothing is written then.
    pub fn write(&self, len: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let head = self.head();
        let number = (len + if self.counts_itself { head } else { 0 }) as u64;
        if len > self.longest || (head < 8 && number >> (8 * head) != 0) {
            return Err(FrameError::TooLong { longest: self.longest });
        }
        match self.order {
            Order::Big => out.extend_from_slice(&number.to_be_bytes()[8 - head..]),
            Order::Little => out.extend_from_slice(&number.to_le_bytes()[..head]),
        }
        Ok(())
    }

    fn head(&self) -> usize {
        self.bytes.clamp(1, 8)
    }
}

impl Framing for LengthPrefixed {
    fn find(&mut self, bytes: &[u8], _: usize) -> Result<Find, FrameError> {
        let head = self.head();
        let Some(number) = bytes.get(..head) else { return Ok(Find::Partial { needs: Some(head) }) };
        let add = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
        let number = match self.order {
            Order::Big => number.iter().fold(0, add),
            Order::Little => number.iter().rev().fold(0, add),
        };
        let own = if self.counts_itself { head as u64 } else { 0 };
        let len = number
            .checked_sub(own)
            .ok_or(FrameError::Malformed("its length is less than that of its head"))?;
        let len = usize::try_from(len).ok().filter(|len| *len <= self.longest);
        let len = len.ok_or(FrameError::TooLong { longest: self.longest })?;
        match bytes.len() - head {
            there if there >= len => Ok(Find::Frame { head, len, tail: 0 }),
            _ => Ok(Find::Partial { needs: Some(head + len) }),
        }
    }

    fn longest(&self) -> usize {
        self.longest.saturating_add(self.head())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(longest: usize) -> Framer<Lines> {
        Framer::new(Lines { longest })
    }

    #[test]
    fn lines_end_with_either_end() {
        let mut framer = lines(100);
        let mut heard = Vec::new();
        framer.feed(b"a\r\n\n\r\nb\rc\nrest", |line| heard.push(line.to_vec())).unwrap();
        assert_eq!(heard, [&b"a"[..], b"", b"", b"b\rc"]);
        assert_eq!(framer.partial(), b"rest");
    }

    #[test]
    fn a_peer_that_never_ends_a_line_is_stopped_at_the_longest() {
        let mut framer = lines(10);
        let mut most = 0;
        let error = loop {
            if let Err(error) = framer.feed(b"x", |_| panic!("no line")) {
                break error;
            }
            most = most.max(framer.partial().len());
        };
        assert_eq!((error, most), (FrameError::TooLong { longest: 10 }, 9));
        assert_eq!(error.to_string(), "a frame is longer than 10 bytes");
        // And for ever.
        assert_eq!(framer.feed(b"\n", |_| panic!("no line")), Err(error));
    }

    #[test]
    fn a_length_that_is_too_long_is_refused_before_anything_is_kept_for_it() {
        let mut framer = Framer::new(LengthPrefixed { longest: 1000, ..LengthPrefixed::default() });
        let error = framer.feed(&[0xFF; 4], |_| panic!("no frame"));
        assert_eq!(error, Err(FrameError::TooLong { longest: 1000 }));
        assert_eq!(framer.partial.capacity(), 0);
        let itself = LengthPrefixed { counts_itself: true, ..LengthPrefixed::default() };
        assert!(matches!(Framer::new(itself).feed(&[0, 0, 0, 3], |_| ()), Err(FrameError::Malformed(_))));
    }

    #[test]
    fn a_length_that_does_not_fit_its_number_is_not_written() {
        let short = LengthPrefixed { bytes: 1, longest: 1000, ..LengthPrefixed::default() };
        let mut out = Vec::new();
        assert!(short.write(255, &mut out).is_ok() && short.write(256, &mut out).is_err());
        assert_eq!(out, [255]);
    }

    /// Cuts bytes into pieces.
    fn feed<F: Framing>(framer: &mut Framer<F>, mut bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        for cut in cuts.iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let (piece, rest) = bytes.split_at((*cut).min(bytes.len()));
            framer.feed(piece, |frame| frames.push(frame.to_vec())).unwrap();
            bytes = rest;
        }
        frames
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_they_are_cut(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            cuts in prop::collection::vec(1usize..400, 1..20),
            bytes in 2usize..9,
            big: bool,
            counts_itself: bool,
        ) {
            let order = if big { Order::Big } else { Order::Little };
            let framing = LengthPrefixed { bytes, order, counts_itself, longest: 300 };
            let mut stream = Vec::new();
            for frame in &frames {
                framing.write(frame.len(), &mut stream).unwrap();
                stream.extend_from_slice(frame);
            }
            let mut framer = Framer::new(framing);
            prop_assert_eq!(feed(&mut framer, &stream, &cuts), frames);
            prop_assert!(framer.partial().is_empty());
        }

        #[test]
        fn lines_come_out_as_they_went_in_however_they_are_cut(
            lines in prop::collection::vec("[^\r\n]{0,40}", 0..20),
            cuts in prop::collection::vec(1usize..50, 1..20),
            returns: bool,
        ) {
            let end = if returns { "\r\n" } else { "\n" };
            let stream: String = lines.iter().flat_map(|line| [line.as_str(), end]).collect();
            let mut framer = Framer::new(Lines { longest: 400 });
            let frames = feed(&mut framer, stream.as_bytes(), &cuts);
            prop_assert_eq!(frames, lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());
        }

        #[test]
        fn whatever_comes_is_cut_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..2000),
            cuts in prop::collection::vec(1usize..100, 1..20),
        ) {
            let mut framer = Framer::new(LengthPrefixed { bytes: 2, longest: 500, ..LengthPrefixed::default() });
            let mut cuts = cuts.iter().cycle();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                let fed = framer.feed(piece, |frame| assert!(frame.len() <= 500));
                prop_assert!(framer.partial().len() < 502);
                if fed.is_err() {
                    break;
                }
                rest = behind;
            }
        }
    }
}
