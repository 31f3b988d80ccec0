//! How what is told to one actor goes out: looked up once for as long as nothing else is told.
//!
//! Where the last message may be joined by more of its kind ([`Link::may_join`]), these are written behind it without looking
//! at anything else, and accounted for together. So a course is **open** while nothing but such messages comes: whoever else
//! enters the gate closes it first ([`super::Gate::enter`]), and finds link and buffer as if each had been told by itself.
//!
//! [`Link::may_join`]: crate::link::Link::may_join

use std::any::TypeId;

use corelane_kernel::{Address, AnyMessage, UplinkRefusal, within};

use super::Inner;
use crate::codec::{EncodeError, Writer};
use crate::link::{Connection, LinkTellError};
use crate::wire::{Joint, MessageHead, Target};

pub(super) struct Course {
    to: Address,
    of: TypeId,
    slot: usize,
    head: MessageHead,
    writer: Writer,
    open: Option<Open>,
}

/// What may still be written without a look at the link.
struct Open {
    connection: Connection,
    joint: Joint,
    /// The connection's send buffer, which is lent for as long.
    out: Vec<u8>,
    /// Where the first that joins goes in it, where the next one does, and where no more do.
    from: usize,
    at: usize,
    end: usize,
}

impl Inner {
    /// Takes a message that is told to an actor of another host.
    #[inline]
    pub(super) fn tell(&mut self, to: Address, message: AnyMessage<'_>) -> Result<(), UplinkRefusal> {
        if let Some(course) = &mut self.course
            && course.to == to
            && course.of == message.id()
            && let Some(open) = &mut course.open
            && open.at < open.end
            && let Some(room) = open.out.get_mut(open.at..open.at + open.joint.each())
            && course.writer.fill(message, room)
        {
            open.at += open.joint.whole();
            return Ok(());
        }
        self.tell_anew(to, message)
    }

    /// Takes a message that nothing is open for.
    #[cold]
    #[inline(never)]
    fn tell_anew(&mut self, to: Address, message: AnyMessage<'_>) -> Result<(), UplinkRefusal> {
        self.close_course();
        if self.course.as_ref().is_none_or(|course| course.to != to || course.of != message.id()) {
            self.set_course(to, message.id())?;
        }
        self.tell_along(message)
    }

    /// Accounts for what was written without a look at the link.
    pub(super) fn close_course(&mut self) {
        let Some(course) = &mut self.course else { return };
        let Some(Open { connection, joint, mut out, from, at, .. }) = course.open.take() else { return };
        let written = out.get_mut(from..at).unwrap_or_default();
        if joint.whole() > joint.each() {
            for message in written.chunks_exact_mut(joint.whole()) {
                message.get_mut(joint.each()..).unwrap_or_default().fill(0);
            }
        }
        let joined = written.len() / joint.whole();
        let Some(line) = self.lines.get_mut(connection) else { return };
        line.take_back(out);
        if joined > 0 {
            let link = &mut self.slots[course.slot].link;
            line.write(|room| link.joined(room, joint, joined));
        }
    }

    /// Settles how messages of a type to an actor go out.
    #[inline(never)]
    fn set_course(&mut self, to: Address, of: TypeId) -> Result<(), UplinkRefusal> {
        // Who tells many by turns tells them the same.
        let writer = match &self.course {
            Some(course) if course.of == of => course.writer,
            _ => self.shared.registry.writer(of).ok_or(UplinkRefusal::NoWireForm)?,
        };
        let slot = self.slot_to(to).ok_or(UplinkRefusal::Unreachable)?;
        let raw = to.to_raw();
        let target = Target { identity: raw.identity, index: raw.index };
        let head = MessageHead { target, envelope: writer.envelope };
        self.course = Some(Course { to, of, slot, head, writer, open: None });
        Ok(())
    }

    /// Takes a message that goes as the course says, which is closed.
    fn tell_along(&mut self, message: AnyMessage<'_>) -> Result<(), UplinkRefusal> {
        let Some(Course { slot, head, writer, .. }) = &self.course else {
            return Err(UplinkRefusal::Unreachable);
        };
        let (slot, head, writer) = (*slot, *head, *writer);
        let (addresses, encode) = (writer.addresses, |to: &mut [u8]| writer.encode(message, to));
        if self.slots[slot].lost || self.left.get() {
            return Err(UplinkRefusal::Unreachable);
        }
        // What waits goes first.
        if self.slots[slot].pending.is_empty() {
            match self.write(slot, head, addresses, &encode) {
                Ok(()) => {
                    if !addresses {
                        self.open_course();
                    }
                    return Ok(());
                }
                Err(LinkTellError::TooLarge) => return Err(UplinkRefusal::TooLarge),
                Err(LinkTellError::Unwritable) => return Err(UplinkRefusal::NoWireForm),
                Err(_) => {}
            }
        }
        self.keep(slot, head, &encode)
    }

    /// Lets more of what was just written be written behind it. Of what names actors, each is looked at by itself.
    fn open_course(&mut self) {
        let Some(course) = &mut self.course else { return };
        let link = &self.slots[course.slot].link;
        let Some(connection) = link.open() else { return };
        let Some(line) = self.lines.get_mut(connection) else { return };
        let (from, more) = line.write(|room| (room.used(), link.may_join(room, course.head)));
        if let Some((joint, left)) = more {
            let end = from + left * joint.whole();
            course.open = Some(Open { connection, joint, out: line.lend(), from, at: from, end });
        }
    }

    /// Has a message wait for room, or for a connection.
    #[inline(never)]
    fn keep(
        &mut self,
        slot: usize,
        head: MessageHead,
        encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
    ) -> Result<(), UplinkRefusal> {
        self.start(slot);
        let of = &mut self.slots[slot];
        let left = self.shared.config.pending_bytes.saturating_sub(of.pending.cost());
        let Some(border) = of.border.clone() else { return Err(UplinkRefusal::Unreachable) };
        let limit = usize::try_from(self.shared.config.link.message_max).unwrap_or(usize::MAX);
        within(border, || of.pending.write(head, left, limit, encode))
    }
}
