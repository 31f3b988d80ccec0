//! What comes in, and what each wrong thing does: see the table in `docs/wire.md`.

use corelane_kernel::Time;

use super::action::{Action, Connection, Farewell, Inbound, LinkStats, Verdict};
use super::resend::Arrival;
use super::streams::ChunkError;
use super::{Allowance, Line, Link, cost};
use crate::codec::{DecodeError, Undelivered};
use crate::wire::{
    Allowance as Credit, Chunk, Frame, FrameError, Goodbye, HELLO_MAX, Introduction, Kind, MessageHead,
    Reason, Run, Signal, read_acknowledgement, read_heartbeat,
};

/// What [`Link::received`] did with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// So many are done with. The rest is the beginning of a frame, and is to be offered again with what follows.
    pub bytes: usize,
    /// The link has just opened: do what [`Link::poll`] says, and offer the rest at once.
    pub again: bool,
}

/// What ends a connection.
struct Violation(Reason, &'static str);

impl From<FrameError> for Violation {
    fn from(error: FrameError) -> Violation {
        Violation(
            Reason::Protocol,
            match error {
                FrameError::TooLong { .. } => "a frame is longer than agreed",
                FrameError::UnknownKind(_) => "a frame of unknown kind",
                FrameError::Padding => "a frame is not padded with zeros",
                FrameError::Malformed { .. } => "a malformed frame",
            },
        )
    }
}

impl Link {
    /// Bytes have come: everything that has come on this connection and was not yet taken.
    ///
    /// Whatever comes in is handed over in place, before this returns. Keep the first byte at an address that 8 divides, and
    /// fixed-layout messages are aligned. Call it within the border of the peer ([`corelane_kernel::within`]). Nothing is
    /// allocated, unless a large message comes or a message's own decoding does.
    pub fn received(
        &mut self,
        now: Time,
        connection: Connection,
        bytes: &[u8],
        inbound: &mut dyn Inbound,
    ) -> Received {
        if self.has_knocked(connection) {
            match Frame::read(bytes, self.config.frame_max) {
                Ok(None) => return Received { bytes: 0, again: false },
                Ok(Some((frame, _))) if frame.kind != Some(Kind::Goodbye) => {
                    self.confirmed(now, connection, inbound);
                    return Received { bytes: 0, again: true };
                }
                Ok(Some(_)) => self.turn_away(connection, None),
                Err(error) => {
                    let Violation(reason, text) = error.into();
                    self.turn_away(connection, Some(Farewell::new(reason, text)));
                }
            }
        }
        let mut taken = 0;
        while self.line() == Some(connection) {
            let rest = bytes.get(taken..).unwrap_or_default();
            let greeting = matches!(self.line, Line::Greeting(_));
            let limit = if greeting { HELLO_MAX } else { self.config.frame_max };
            match Frame::read(rest, limit) {
                Ok(Some((frame, size))) => {
                    taken += size;
                    if greeting {
                        self.answered(now, &frame, inbound);
                        return Received { bytes: taken, again: true };
                    }
                    if let Err(Violation(reason, text)) = self.take(now, &frame, size, inbound) {
                        self.violated(now, reason, text);
                    }
                }
                Ok(None) => {
                    if !bytes.is_empty() && !greeting {
                        self.detector.heard(now);
                    }
                    return Received { bytes: taken, again: false };
                }
                Err(error) => {
                    let Violation(reason, text) = error.into();
                    self.violated(now, reason, text);
                }
            }
        }
        // Of a connection that is not listened to any more.
        Received { bytes: bytes.len(), again: false }
    }

    /// A message that was held, and is [released](Link::release), was not told to anybody after all.
    pub fn refuse(&mut self, why: Undelivered) {
        refuse(&mut self.stats, &mut self.strikes, why);
    }

    /// Closes a connection that has knocked.
    fn turn_away(&mut self, connection: Connection, farewell: Option<Farewell>) {
        self.knocks.retain(|knock| knock.connection != connection);
        self.stats.violations += u64::from(farewell.is_some());
        self.actions.push_back(Action::Close(connection, farewell));
    }

    fn take(
        &mut self,
        now: Time,
        frame: &Frame<'_>,
        size: usize,
        inbound: &mut dyn Inbound,
    ) -> Result<(), Violation> {
        let Line::Open(open) = &mut self.line else { return Ok(()) };
        match frame.kind {
            Some(Kind::Message) => {
                let (head, body) = MessageHead::read(frame)?;
                if !open.granting.receive(size, 1) {
                    return Err(Violation(Reason::Protocol, "more than the credit allows"));
                }
                let verdict = inbound.message(head, body);
                judge(&mut self.stats, &mut self.held, &mut self.strikes, verdict, body.len());
            }
            Some(Kind::Run) => {
                let (head, mut run) = Run::read(frame)?;
                if !open.granting.receive(size, run.count() as u64) {
                    return Err(Violation(Reason::Protocol, "more than the credit allows"));
                }
                loop {
                    let taken = inbound.run(head, run);
                    self.stats.messages_in += taken as u64;
                    run = run.behind(taken);
                    let Some(body) = run.messages().next() else { break };
                    let verdict = inbound.message(head, body);
                    judge(&mut self.stats, &mut self.held, &mut self.strikes, verdict, body.len());
                    run = run.behind(1);
                }
            }
            Some(Kind::Chunk) => {
                let chunk = Chunk::read(frame)?;
                if !open.granting.receive(size, 0) {
                    return Err(Violation(Reason::Protocol, "more than the credit allows"));
                }
                let (stats, held, strikes) = (&mut self.stats, &mut self.held, &mut self.strikes);
                let (granting, mut exceeded) = (&mut open.granting, false);
                let (streams_max, message_max) = (self.config.streams_max, self.config.message_max);
                let taken = open.inbox.take(chunk, streams_max, message_max, |head, body| {
                    exceeded |= !granting.receive(0, 1);
                    if !exceeded {
                        judge(stats, held, strikes, inbound.message(head, body), body.len());
                    }
                });
                if exceeded {
                    return Err(Violation(Reason::Protocol, "more than the credit allows"));
                }
                taken.map_err(|error| {
                    Violation(
                        Reason::Protocol,
                        match error {
                            ChunkError::TooManyStreams => "too many streams at once",
                            ChunkError::OutOfOrder => "a chunk that does not follow",
                            ChunkError::TooLong => "a message is longer than agreed",
                            ChunkError::Unfinished => "a stream that ends within a message",
                        },
                    )
                })?;
            }
            Some(Kind::Signal) => {
                let (number, signal) = Signal::read(frame)?;
                match self.received.arrive(number) {
                    Arrival::New => {
                        self.stats.signals_in += 1;
                        inbound.signal(signal);
                    }
                    Arrival::Duplicate => self.stats.signals_repeated += 1,
                    Arrival::Gap => return Err(Violation(Reason::Protocol, "a signal is missing")),
                }
            }
            Some(Kind::Acknowledgement) => {
                let number = read_acknowledgement(frame)?;
                self.signals
                    .acknowledge(number)
                    .map_err(|_| Violation(Reason::Protocol, "signals that were never sent"))?;
            }
            Some(Kind::Credit) => open.spending.allow(Credit::read(frame)?),
            Some(Kind::Heartbeat) => {
                read_heartbeat(frame)?;
                self.detector.heartbeat(now);
            }
            Some(Kind::Introduction) => inbound.introduced(Introduction::read(frame)?),
            Some(Kind::Goodbye) => self.dismissed(now, Goodbye::read(frame)),
            Some(Kind::Hello) => return Err(Violation(Reason::Protocol, "a second hello")),
            None => self.stats.skipped += 1,
        }
        if self.strikes >= self.config.strikes_max {
            self.strikes = 0;
            return Err(Violation(Reason::Abuse, "too many messages that cannot be delivered"));
        }
        Ok(())
    }
}

/// Counts what became of a message.
fn judge(stats: &mut LinkStats, held: &mut Allowance, strikes: &mut u32, verdict: Verdict, length: usize) {
    stats.messages_in += 1;
    match verdict {
        Verdict::Taken => {}
        Verdict::Held => {
            held.bytes = held.bytes.saturating_add(cost(length));
            held.messages = held.messages.saturating_add(1);
        }
        Verdict::Refused(why) => refuse(stats, strikes, why),
    }
}

/// Counts a message that nobody was told.
#[cold]
fn refuse(stats: &mut LinkStats, strikes: &mut u32, why: Undelivered) {
    let (count, strike) = match why {
        Undelivered::UnknownType => (&mut stats.unknown_type, false),
        Undelivered::Decode(DecodeError::Version { .. }) => (&mut stats.unreadable_version, false),
        Undelivered::Decode(DecodeError::Malformed) => (&mut stats.malformed, true),
        Undelivered::Address(_) => (&mut stats.wrong_address, true),
        Undelivered::Full | Undelivered::MailboxFull => (&mut stats.no_room, false),
    };
    *count += 1;
    *strikes += u32::from(strike);
}
