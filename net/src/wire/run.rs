//! Messages of one type to one actor, all of one length, behind one head.
//!
//! ```text
//! 0   …     the head, as in a message frame
//! 24  …     the messages, each padded with zeros to a multiple of 8
//! ```
//!
//! The number in the frame's head says how many bytes each message has, not 0. A sender that tells an actor many small
//! messages so puts little more on the wire than the messages themselves: a message frame whose buffer has not left yet
//! becomes a run when another of its kind follows, and grows in place. Only for a peer that has the capability.

use super::cursor::{Reader, Room};
use super::frame::{Frame, FrameError, HEAD, Kind, emit, head, padded};
use super::message::{MESSAGE_FRAME, MESSAGE_HEAD, MessageHead};

/// Bytes of the longest body of a run that is written here: any peer takes as much. What is longer could not be read before
/// more of it has come.
const RUN_MAX: usize = 4096;

const _: () = assert!(super::FRAME_MIN == 4096);

/// The messages of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// Bytes of each message, not 0.
    each: usize,
    /// The messages, each with its padding.
    bytes: &'a [u8],
}

impl<'a> Run<'a> {
    /// Messages of `each` bytes, every one padded with zeros to a multiple of 8. `None` for what is no whole messages, at least
    /// one and none of them empty.
    pub fn of(each: u16, bytes: &'a [u8]) -> Option<Run<'a>> {
        let run = Run { each: usize::from(each), bytes };
        let whole = bytes.len().checked_rem(padded(run.each)) == Some(0);
        (whole && !bytes.is_empty() && run.is_padded()).then_some(run)
    }

    /// The head and the messages of a run frame.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] for a body that is no head and whole messages behind it, at least one.
    pub fn read(frame: &Frame<'a>) -> Result<(MessageHead, Run<'a>), FrameError> {
        let wrong = |field| FrameError::malformed(Kind::Run, field);
        let mut at = Reader::new(frame.body);
        let head = MessageHead::from_reader(&mut at).ok_or(wrong("length"))?;
        Run::of(frame.detail, at.rest()).map(|run| (head, run)).ok_or(wrong("messages"))
    }

    fn is_padded(self) -> bool {
        let whole = padded(self.each);
        whole == self.each
            || self
                .bytes
                .chunks_exact(whole)
                .all(|message| message.get(self.each..).unwrap_or_default().iter().all(|byte| *byte == 0))
    }

    /// Each message, without padding, in order.
    #[inline]
    pub fn messages(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        // At least 1, since no message is empty.
        self.bytes
            .chunks_exact(padded(self.each).max(1))
            .map(move |message| message.get(..self.each).unwrap_or_default())
    }

    /// How many there are.
    #[inline]
    pub fn count(self) -> usize {
        self.messages().len()
    }

    /// Those behind the first `count`.
    #[inline]
    #[must_use]
    pub fn behind(self, count: usize) -> Run<'a> {
        let bytes = self.bytes.get(count.saturating_mul(padded(self.each))..).unwrap_or_default();
        Run { bytes, ..self }
    }

    /// Writes the frame. `false`, and nothing is written, where it does not fit.
    pub fn write(self, head: MessageHead, room: &mut Room<'_>) -> bool {
        let each = u16::try_from(self.each).unwrap_or(u16::MAX);
        emit(room, Kind::Run, 0, each, [&head.to_bytes(), self.bytes])
    }
}

/// The frame that another message may join.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joint {
    /// Bytes of its body, the last message's padding included.
    body: usize,
    /// Bytes of each of its messages.
    each: u16,
}

impl Joint {
    /// Bytes of each of its messages, not 0.
    #[inline]
    pub(crate) fn each(self) -> usize {
        usize::from(self.each)
    }

    /// The same with the padding.
    #[inline]
    pub(crate) fn whole(self) -> usize {
        padded(self.each())
    }

    /// How many more messages may join, as far as the length of a run goes.
    pub(crate) fn more(self) -> usize {
        RUN_MAX.saturating_sub(self.body).checked_div(self.whole()).unwrap_or_default()
    }

    /// Makes `count` messages part of the run that were written behind it, each with its padding. Gives their bytes.
    pub(crate) fn extend(self, room: &mut Room<'_>, count: usize) -> usize {
        let bytes = self.whole().saturating_mul(count);
        room.keep(bytes);
        if let Some(front) = room.last_messages().and_then(|bytes| bytes.first_chunk_mut()) {
            *front = head(self.body.saturating_add(bytes), Kind::Run, 0, self.each);
        }
        bytes
    }
}

impl MessageHead {
    /// As [`MessageHead::write_with`], but the message joins the frame before it, if that is for the same actor, of the same
    /// type and length, and nothing of it has left. Answers with the bytes that were added.
    ///
    /// # Errors
    /// As there.
    #[inline(always)]
    pub fn join_with<E>(
        self,
        room: &mut Room<'_>,
        limit: usize,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let Some(joint) = self.joint(room) else { return self.write_with(room, limit, write) };
        let spare = room.spare();
        // With room for a head, which it needs if it is of another length.
        let Some(most) = spare.len().checked_sub(MESSAGE_FRAME) else { return write(&mut []) };
        let offered = (most & !7).min(limit);
        let length = write(spare.get_mut(..offered).unwrap_or_default())?.min(offered);
        if length != joint.each() || joint.more() == 0 {
            spare.copy_within(..length, MESSAGE_FRAME);
            return Ok(self.keep(room, length));
        }
        let whole = padded(length);
        if whole > length {
            spare.get_mut(length..whole).unwrap_or_default().fill(0);
        }
        Ok(joint.extend(room, 1))
    }

    /// The last frame that was written, if it is of messages with this head.
    #[inline(always)]
    pub(crate) fn joint(self, room: &mut Room<'_>) -> Option<Joint> {
        let bytes = room.last_messages()?;
        let written = bytes.len();
        let mut from = Reader::new(bytes);
        let (length, kind, _, detail) = (from.u32()?, from.u8()?, from.u8()?, from.u16()?);
        let length = usize::try_from(length).ok()?;
        let each = if kind == Kind::Run.number() {
            detail
        } else {
            u16::try_from(length.checked_sub(MESSAGE_HEAD)?).ok()?
        };
        let body = padded(length);
        // Word by word: put together first, they would be awaited.
        let [target, versions, hash] = self.to_words();
        let same = target == from.u64()? && versions == from.u64()? && hash == from.u64()?;
        let last = body.checked_add(HEAD) == Some(written);
        (same && last && each > 0).then_some(Joint { body, each })
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Envelope, Target};
    use super::*;

    fn head_of(index: u32) -> MessageHead {
        let envelope = Envelope { type_hash: 7, version: 2, readable_since: 1 };
        MessageHead { target: Target { identity: 9, index }, envelope }
    }

    fn join(room: &mut Room<'_>, index: u32, message: &[u8]) -> Result<usize, ()> {
        head_of(index).join_with(room, usize::MAX, |to| {
            to.get_mut(..message.len()).ok_or(())?.copy_from_slice(message);
            Ok(message.len())
        })
    }

    /// Every message of every frame: the index of its target, and itself.
    fn messages(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let mut found = Vec::new();
        while let Some((frame, size)) = Frame::read(bytes, super::super::FRAME_MIN).unwrap() {
            bytes = &bytes[size..];
            if frame.kind == Some(Kind::Run) {
                let (head, run) = Run::read(&frame).unwrap();
                assert!(run.count() > 1 && head == head_of(head.target.index));
                found.extend(run.messages().map(|message| (head.target.index, message.to_vec())));
            } else {
                let (head, message) = MessageHead::read(&frame).unwrap();
                found.push((head.target.index, message.to_vec()));
            }
        }
        assert!(bytes.is_empty());
        found
    }

    #[test]
    fn what_is_alike_shares_a_head() {
        let mut bytes = [0xff; 256];
        let mut room = Room::new(&mut bytes);
        assert_eq!([1, 2, 3].map(|byte| join(&mut room, 8, &[byte; 5])), [Ok(40), Ok(8), Ok(8)]);
        let (frame, size) = Frame::read(room.written(), 4096).unwrap().unwrap();
        assert_eq!((frame.kind, frame.detail, frame.body.len(), size), (Some(Kind::Run), 5, 48, 56));
        let expected: Vec<_> = [1, 2, 3].map(|byte| (8, vec![byte; 5])).into();
        assert_eq!(messages(room.written()), expected);
    }

    #[test]
    fn what_is_not_alike_has_a_head_of_its_own() {
        let mut bytes = [0xff; 512];
        let mut room = Room::new(&mut bytes);
        let told: [(u32, &[u8]); 8] =
            [(8, &[1]), (8, &[2; 9]), (8, &[3]), (9, &[4]), (9, &[5]), (9, &[]), (9, &[]), (8, &[6])];
        for (index, message) in told {
            assert!(join(&mut room, index, message).is_ok());
        }
        assert_eq!(messages(room.written()), told.map(|(index, message)| (index, message.to_vec())));
    }

    #[test]
    fn nothing_joins_behind_another_frame_or_what_has_left() {
        let mut bytes = [0; 512];
        let mut room = Room::new(&mut bytes);
        assert_eq!(join(&mut room, 8, &[1]), Ok(40));
        assert!(super::super::write_heartbeat(1, &mut room));
        assert_eq!(join(&mut room, 8, &[2]), Ok(40));
        let written = room.so_far();
        let mut room = Room::behind(&mut bytes, written);
        assert_eq!(join(&mut room, 8, &[3]), Ok(8));
        let mut others = [0; 512];
        assert_eq!(join(&mut Room::new(&mut others), 8, &[4]), Ok(40));
    }

    #[test]
    fn a_run_ends_before_it_is_longer_than_any_peer_takes() {
        let mut bytes = vec![0; 64 << 10];
        let mut room = Room::new(&mut bytes);
        let told: Vec<_> = (0..=250_u8).map(|number| (8, vec![number; 64])).collect();
        for (index, message) in &told {
            assert!(join(&mut room, *index, message).is_ok());
        }
        assert_eq!(messages(room.written()), told);
    }

    #[test]
    fn where_no_room_is_left_nothing_is_written() {
        let mut bytes = [0; 100];
        let mut room = Room::new(&mut bytes);
        let told: Vec<_> = (0..9).map(|byte| join(&mut room, 8, &[byte; 8])).collect();
        let fit = told.iter().take_while(|told| told.is_ok()).count();
        assert!(fit > 1 && told[fit..].iter().all(Result::is_err), "{told:?}");
        assert_eq!(messages(room.written()).len(), fit);
    }

    #[test]
    fn what_is_no_run_is_malformed() {
        let mut bytes = [0; 128];
        let mut room = Room::new(&mut bytes);
        join(&mut room, 8, &[1; 5]).and_then(|_| join(&mut room, 8, &[2; 5])).unwrap();
        let (good, _) = Frame::read(room.written(), 4096).unwrap().unwrap();
        let read = |frame: Frame<'_>| Run::read(&frame).map(|(_, run)| run.count());
        assert_eq!(read(good), Ok(2));
        assert_eq!(read(Frame { detail: 13, ..good }), Ok(1));
        let wrong = |field| Err(FrameError::malformed(Kind::Run, field));
        assert_eq!(read(Frame { body: &good.body[..23], ..good }), wrong("length"));
        // None, a part of one, of no length, not padded.
        assert_eq!(read(Frame { body: &good.body[..24], ..good }), wrong("messages"));
        assert_eq!(read(Frame { body: &good.body[..39], ..good }), wrong("messages"));
        assert_eq!(read(Frame { detail: 0, ..good }), wrong("messages"));
        assert_eq!(read(Frame { detail: 4, ..good }), wrong("messages"));
    }
}
