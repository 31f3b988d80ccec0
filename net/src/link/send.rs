//! What goes out: messages as they are told, everything else when the driver flushes.

use corelane_kernel::{Time, Wire};

use super::action::LinkTellError;
use super::{Line, Link};
use crate::codec::{self, Codec, EncodeError};
use crate::wire::{
    Introduction, Joint, MESSAGE_FRAME, MessageHead, Room, Target, write_acknowledgement, write_heartbeat,
};

impl Link {
    /// Writes a message into the send buffer of the open connection, or begins to send it in pieces if it is large.
    ///
    /// The buffer must have [`super::LinkConfig::room_min`] bytes when it is empty. Nothing is allocated, unless the message
    /// is large or follows a large one to the same actor. Call it within the border of the peer
    /// ([`corelane_kernel::within`]), if there may be addresses in the message.
    ///
    /// # Errors
    /// [`LinkTellError`], and nothing is written.
    #[inline]
    pub fn tell<M: Wire<Form: Codec<M>>>(
        &mut self,
        room: &mut Room<'_>,
        target: Target,
        message: &M,
    ) -> Result<(), LinkTellError> {
        let head = MessageHead { target, envelope: codec::envelope::<M>() };
        self.tell_with(room, head, |to| codec::encode(message, to))
    }

    /// As [`Link::tell`], for a message that somebody else writes. `encode` may be called several times, each with more room.
    ///
    /// # Errors
    /// [`LinkTellError`], and nothing is written.
    // Inlined, the room stays in registers. In memory its parts would be written one by one and read together, which waits
    // until they have left the core: for longer than all the rest takes.
    #[inline(always)]
    pub fn tell_with(
        &mut self,
        room: &mut Room<'_>,
        head: MessageHead,
        mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
    ) -> Result<(), LinkTellError> {
        let Line::Open(open) = &mut self.line else { return Err(LinkTellError::Down) };
        if open.spending.messages_left() == 0 {
            return Err(LinkTellError::NoCredit);
        }
        if !open.outbox.is_empty() && open.outbox.leads_to(head.target) {
            return self.stream(head, &mut encode);
        }
        let credit = usize::try_from(open.spending.bytes_left()).unwrap_or(usize::MAX);
        let credit = credit.saturating_sub(MESSAGE_FRAME) & !7;
        if credit == 0 && open.inline_max > 0 {
            return Err(LinkTellError::NoCredit);
        }
        let limit = open.inline_max.min(credit);
        let space = room.left();
        let written = if open.runs {
            head.join_with(room, limit, &mut encode)
        } else {
            head.write_with(room, limit, &mut encode)
        };
        match written {
            Ok(size) => {
                open.spending.spend(size, 1);
                self.stats.messages_out += 1;
                Ok(())
            }
            Err(error) => self.not_inline(head, error, space, credit, &mut encode),
        }
    }

    /// How many more messages like the last may join it in the room, by all that counts, and how long each is.
    pub(crate) fn may_join(&self, room: &mut Room<'_>, head: MessageHead) -> Option<(Joint, usize)> {
        let Line::Open(open) = &self.line else { return None };
        if !open.runs || !open.outbox.is_empty() {
            return None;
        }
        let joint = head.joint(room)?;
        let whole = joint.whole();
        let few = |many: u64| usize::try_from(many).unwrap_or(usize::MAX);
        let by_credit = few(open.spending.messages_left()).min(few(open.spending.bytes_left()) / whole);
        Some((joint, joint.more().min(by_credit).min(room.left() / whole)))
    }

    /// So many messages have been written behind the last, as [`Link::may_join`] allowed.
    pub(crate) fn joined(&mut self, room: &mut Room<'_>, joint: Joint, count: usize) {
        if let Line::Open(open) = &mut self.line {
            open.spending.spend(joint.extend(room, count), count as u64);
            self.stats.messages_out += count as u64;
        }
    }

    /// A message was not written in a frame, where so much space and credit was for it.
    #[cold]
    fn not_inline(
        &mut self,
        head: MessageHead,
        error: EncodeError,
        space: usize,
        credit: usize,
        encode: &mut dyn FnMut(&mut [u8]) -> Result<usize, EncodeError>,
    ) -> Result<(), LinkTellError> {
        let Line::Open(open) = &mut self.line else { return Err(LinkTellError::Down) };
        let space = space.saturating_sub(MESSAGE_FRAME) & !7;
        match error {
            EncodeError::Refused => Err(LinkTellError::Unwritable),
            EncodeError::NoRoom if space < open.inline_max => Err(LinkTellError::NoRoom),
            EncodeError::NoRoom if credit < open.inline_max => Err(LinkTellError::NoCredit),
            EncodeError::NoRoom if open.outbox.len() >= open.streams_max => Err(LinkTellError::StreamsFull),
            EncodeError::NoRoom => self.stream(head, encode),
        }
    }

    /// Begins to send a message in pieces.
    fn stream(
        &mut self,
        head: MessageHead,
        encode: &mut dyn FnMut(&mut [u8]) -> Result<usize, EncodeError>,
    ) -> Result<(), LinkTellError> {
        let Line::Open(open) = &mut self.line else { return Err(LinkTellError::Down) };
        let waiting = open.outbox.waiting();
        if waiting >= self.config.backlog_max {
            return Err(LinkTellError::StreamsFull);
        }
        let limit = usize::try_from(open.message_max).unwrap_or(usize::MAX);
        let bytes = written(encode, 2 * open.inline_max, limit).map_err(|error| match error {
            EncodeError::NoRoom => LinkTellError::TooLarge,
            EncodeError::Refused => LinkTellError::Unwritable,
        })?;
        if waiting > 0 && waiting + bytes.len() > self.config.backlog_max {
            return Err(LinkTellError::StreamsFull);
        }
        open.outbox.push(head, &bytes);
        open.spending.spend(0, 1);
        self.stats.messages_out += 1;
        Ok(())
    }

    /// Says where a host can be reached before messages on this connection name it. Says whether there is a connection.
    pub fn introduce(&mut self, introduction: &Introduction<'_>) -> bool {
        let Line::Open(open) = &mut self.line else { return false };
        let mut bytes = [0; 512];
        let mut room = Room::new(&mut bytes);
        if introduction.write(&mut room) {
            open.introductions.push_back(room.written().into());
        }
        true
    }

    /// Writes all that is due into the send buffer of [`Link::line`]: hello, heartbeat, acknowledgement, credit,
    /// signals, and of each large message one piece. Says whether more is due already.
    ///
    /// Call it once a turn, after what was told; what is told later in the same turn goes behind it. The buffer must have
    /// [`super::LinkConfig::room_min`] bytes when it is empty.
    pub fn flush(&mut self, now: Time, room: &mut Room<'_>) -> bool {
        self.tick(now);
        if let Line::Greeting(greeting) = &self.line {
            if greeting.granted.is_some() {
                return false;
            }
            let (epoch, granted) = (greeting.epoch, self.first_grant());
            if !self.write_hello(room, None, epoch, self.received.last, granted) {
                return true;
            }
            if let Line::Greeting(greeting) = &mut self.line {
                greeting.granted = Some(granted);
            }
            return false;
        }
        let Line::Open(open) = &mut self.line else { return false };
        if open.next_beat <= now {
            if !write_heartbeat(open.beat + 1, room) {
                return true;
            }
            open.beat += 1;
            open.next_beat = now + self.config.heartbeat;
        }
        if self.received.owed {
            if !write_acknowledgement(self.received.last, room) {
                return true;
            }
            self.received.owed = false;
        }
        if let Some(offer) = open.granting.offer(self.held) {
            if !offer.write(room) {
                return true;
            }
            open.granting.grant(offer);
        }
        while let Some(introduction) = open.introductions.front() {
            if !room.put(&[introduction]) {
                return true;
            }
            open.introductions.pop_front();
        }
        if !self.signals.write(room) {
            return true;
        }
        for _ in 0..open.outbox.len() {
            let credit = open.spending.bytes_left();
            let Some(size) = open.outbox.write(room, self.config.chunk.min(open.inline_max), credit) else {
                break;
            };
            open.spending.spend(size, 0);
        }
        !open.outbox.is_empty() && open.spending.bytes_left() > 64
    }
}

/// A message of unknown length, in a buffer of its own.
fn written(
    encode: &mut dyn FnMut(&mut [u8]) -> Result<usize, EncodeError>,
    start: usize,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut size = start.clamp(64, limit.max(64));
    loop {
        let mut bytes = vec![0; size];
        match encode(&mut bytes) {
            Ok(length) if length > limit => return Err(EncodeError::NoRoom),
            Ok(length) => {
                bytes.truncate(length);
                return Ok(bytes);
            }
            Err(EncodeError::NoRoom) if size < limit => size = size.saturating_mul(4).min(limit),
            Err(error) => return Err(error),
        }
    }
}
