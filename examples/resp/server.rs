//! The actors: one for each connection, and on each shard one that does what connections of other shards ask of its keys.
//!
//! The keys of a shard are a part of it (an extension): its own connections use them directly, without a message. What
//! concerns keys elsewhere goes there in one batch for all that was read at once, and comes back in the same box.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use corelane::prelude::*;
use corelane_kernel::{Time, TimerKey};
use corelane_net::reactor::WriteError;
use corelane_net::{SocketCtx, Stream, StreamEvent};
use corelane_shard::{BoxError, Extension};

use crate::batch::Batch;
use crate::keyspace::{Keyspace, Millis};
use crate::pipelining::Pipelining;
use crate::session::{Here, Session};

/// Bytes of one write; a larger output goes in several.
const PIECE: usize = 256 * 1024;

/// Bytes that may wait at a socket before no more is read from there.
const UNSENT_MAX: usize = 2 * PIECE;

/// Room for input that is kept once it is empty.
const INPUT_KEPT: usize = 64 * 1024;

/// How long what found the way to another shard full waits until it is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// How often a store looks for keys whose time is over, and how many it forgets then at once.
const SWEEP: (Duration, usize) = (Duration::from_millis(100), 1000);

/// Gives each shard what its connections have in common.
pub(crate) struct Commons;

/// What the connections of a shard have in common: its keys, whether clients pipeline, and the time of day.
#[derive(Default)]
pub(crate) struct Part {
    keys: RefCell<Keyspace>,
    pipelining: RefCell<Pipelining>,
    /// As it was when it was asked for first in some turn.
    now: Cell<Option<(Time, Millis)>>,
}

impl Part {
    /// The time of day, which the operating system is asked for once a turn.
    fn now(&self, turn: Time) -> Millis {
        match self.now.get() {
            Some((asked, now)) if asked == turn => now,
            _ => {
                let now = now();
                self.now.set(Some((turn, now)));
                now
            }
        }
    }
}

impl Extension for Commons {
    const NAME: &'static str = "commons";

    type Shard = Rc<Part>;

    fn on_shard(&self, _: &mut Scope<'_>) -> Result<Rc<Part>, BoxError> {
        Ok(Rc::default())
    }
}

fn part_of<A: Actor>(ctx: &mut Ctx<'_, A>) -> Result<Rc<Part>, Failure> {
    let part = Commons::part(&mut ctx.scope()).cloned();
    part.ok_or_else(|| Failure::new("the extension \"commons\" is not loaded"))
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(Millis::MAX)
}

// --- the store -------------------------------------------------------------------------------------------------------

/// What is to be done with a shard's keys for a connection elsewhere.
pub(crate) struct Errand {
    batch: Box<Batch>,
    back: ActorRef<Event>,
}

#[derive(Default)]
pub(crate) struct Store {
    part: Rc<Part>,
    /// Batches for which the way back was full.
    kept: VecDeque<Errand>,
}

const SWEEPING: u64 = 1;
const BRINGING: u64 = 2;

impl Store {
    fn bring_back(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        while let Some(Errand { batch, back }) = self.kept.pop_front() {
            if let Err(TellError::Full(Event::Back(batch))) = ctx.try_tell(back, Event::Back(batch)) {
                self.kept.push_front(Errand { batch, back });
                ctx.set_alarm(BRINGING, RETRY)?;
                break;
            }
        }
        Ok(())
    }
}

impl Actor for Store {
    type Msg = Errand;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.part = part_of(ctx)?;
        ctx.set_alarm(SWEEPING, SWEEP.0)?;
        Ok(())
    }

    fn receive(&mut self, mut errand: Errand, ctx: &mut Ctx<'_, Self>) -> Outcome {
        errand.batch.run(&mut self.part.keys.borrow_mut(), self.part.now(ctx.now()));
        self.kept.push_back(errand);
        self.bring_back(ctx)
    }

    fn alarm(&mut self, key: TimerKey, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if key == BRINGING.into() {
            return self.bring_back(ctx);
        }
        let mut keys = self.part.keys.borrow_mut();
        let more = keys.sweep(SWEEP.1, self.part.now(ctx.now()));
        // A shard without keys that end has nothing to wake up for so often.
        let pause = match keys.ending() {
            0 => SWEEP.0 * 10,
            _ if more => RETRY,
            _ => SWEEP.0,
        };
        ctx.set_alarm(SWEEPING, pause)?;
        Ok(())
    }
}

// --- the connection --------------------------------------------------------------------------------------------------

pub(crate) enum Event {
    Stream(StreamEvent),
    /// Another shard has done what it was asked for.
    Back(Box<Batch>),
}

impl From<StreamEvent> for Event {
    fn from(event: StreamEvent) -> Event {
        Event::Stream(event)
    }
}

pub(crate) struct Connection {
    stream: Stream,
    session: Session,
    stores: Arc<[ActorRef<Errand>]>,
    part: Rc<Part>,
    shard: usize,
    /// What was read of a request that is not whole yet, or has to wait.
    input: Vec<u8>,
    /// Batches for which the way to their shard was full.
    kept: VecDeque<(usize, Box<Batch>)>,
    /// How much of the output has been written.
    written: usize,
    paused: bool,
    /// The peer sends nothing more.
    finished: bool,
    closed: bool,
}

impl Connection {
    pub(crate) fn new(stream: Stream, stores: Arc<[ActorRef<Errand>]>) -> Connection {
        Connection {
            stream,
            session: Session::new(),
            stores,
            part: Rc::default(),
            shard: 0,
            input: Vec::new(),
            kept: VecDeque::new(),
            written: 0,
            paused: false,
            finished: false,
            closed: false,
        }
    }

    /// Has the session handle what has come, behind what had to wait.
    fn read(&mut self, bytes: &[u8], ctx: &mut Ctx<'_, Self>) {
        if bytes.is_empty() && self.input.is_empty() {
            return;
        }
        let mut keys = self.part.keys.borrow_mut();
        let now = self.part.now(ctx.now());
        let mut here = Here { keys: &mut keys, now, shard: self.shard, shards: self.stores.len() };
        if self.input.is_empty() {
            // The rule: whole requests, which are read where they lie.
            let done = self.session.read(bytes, &mut here);
            self.input.extend_from_slice(&bytes[done..]);
        } else {
            self.input.extend_from_slice(bytes);
            let done = self.session.read(&self.input, &mut here);
            self.input.drain(..done);
            if self.input.is_empty() && self.input.capacity() > INPUT_KEPT {
                self.input = Vec::new();
            }
        }
    }

    /// Has the shard wait for more clients at a time where they pipeline, and for none where they do not.
    fn judge(&mut self, ctx: &mut Ctx<'_, Self>) {
        let change = self.part.pipelining.borrow_mut().note(self.session.take_requests());
        if let Some(pipelined) = change {
            ctx.sockets().set_coalescing(pipelined);
        }
    }

    /// Passes on what came of that, and lets the peer wait or go on.
    fn go_on(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        // What had to wait is still answered.
        if self.finished && !self.session.is_full() {
            self.session.close();
        }
        self.send_away(ctx)?;
        self.write();
        self.settle(ctx);
        Ok(())
    }

    /// Sends what other shards are asked for.
    fn send_away(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.kept.extend(self.session.outgoing());
        while let Some((shard, batch)) = self.kept.pop_front() {
            let errand = Errand { batch, back: ctx.me() };
            match ctx.try_tell(self.stores[shard], errand) {
                Ok(()) => {}
                Err(TellError::Full(errand)) => {
                    self.kept.push_front((shard, errand.batch));
                    ctx.set_alarm(1, RETRY)?;
                    break;
                }
                Err(_) => return Err(Failure::new("the keys of a shard are gone")),
            }
        }
        Ok(())
    }

    /// Writes what may be sent.
    fn write(&mut self) {
        while !self.closed && self.stream.unsent() < UNSENT_MAX {
            let output = self.session.output();
            let left = output.len() - self.written;
            if left == 0 {
                break;
            }
            let piece = if self.written == 0 && left <= PIECE {
                let room = output.capacity().min(PIECE);
                std::mem::replace(output, self.stream.spare(room))
            } else {
                let piece = output[self.written..].iter().take(PIECE).copied().collect::<Vec<_>>();
                self.written += piece.len();
                if self.written == output.len() {
                    output.clear();
                    self.written = 0;
                }
                piece
            };
            // Where much waits, the word that some has left brings the rest.
            let notice = self.stream.unsent() + piece.len() >= UNSENT_MAX / 2;
            let result = if notice { self.stream.write_noticed(piece, 0) } else { self.stream.write(piece) };
            match result {
                Ok(()) => {}
                Err(WriteError::Closed(_)) => self.closed = true,
                Err(WriteError::Full(_)) => unreachable!("what waits at a socket is bounded below its limit"),
            }
        }
    }

    /// Lets the peer wait or go on, or ends.
    fn settle(&mut self, ctx: &mut Ctx<'_, Self>) {
        let done = self.session.output().is_empty();
        if self.closed || (self.session.is_over() && done) {
            return ctx.stop_self();
        }
        let wait = self.session.is_full() || self.stream.unsent() >= UNSENT_MAX || self.kept.len() > 64;
        if wait != self.paused {
            self.paused = wait;
            if wait { self.stream.pause() } else { self.stream.resume() }
        }
    }
}

impl Actor for Connection {
    type Msg = Event;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.part = part_of(ctx)?;
        self.shard = ctx.shard();
        Ok(())
    }

    fn receive(&mut self, event: Event, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match event {
            Event::Stream(StreamEvent::Received(bytes)) => {
                self.read(&bytes, ctx);
                self.judge(ctx);
            }
            Event::Back(batch) => {
                self.session.returned(batch);
                self.read(b"", ctx);
            }
            Event::Stream(StreamEvent::Written { .. }) => self.read(b"", ctx),
            Event::Stream(StreamEvent::Finished) => self.finished = true,
            Event::Stream(StreamEvent::Failed(_) | StreamEvent::NotWritten { .. } | StreamEvent::Closed) => {
                ctx.stop_self();
                return Ok(());
            }
            Event::Stream(StreamEvent::Connected) => return Ok(()),
        }
        self.go_on(ctx)
    }

    fn alarm(&mut self, _: TimerKey, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.read(b"", ctx);
        self.go_on(ctx)
    }
}
