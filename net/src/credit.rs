//! How many of a connection's messages its actor has not handled: with too many, the connection is paused, so that a flood from
//! a peer waits at the peer.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{ThreadId, current};

use crate::buffers::{Buffer, Chunk, Counted, Keeper};
use crate::reactor::Waker;

/// One connection's.
pub(crate) struct Credit {
    /// Messages with bytes that are still somewhere.
    unhandled: AtomicU32,
    /// As many as there may be before it is paused; it goes on at half of that.
    most: u32,
    paused: AtomicBool,
    /// Its actor wants to hear what comes.
    wanted: AtomicBool,
    thread: ThreadId,
    waker: Waker,
}

impl Credit {
    pub(crate) fn new(most: u32, waker: Waker) -> Arc<Credit> {
        Arc::new(Credit {
            unhandled: AtomicU32::new(0),
            most: most.max(1),
            paused: AtomicBool::new(false),
            wanted: AtomicBool::new(true),
            thread: current().id(),
            waker,
        })
    }

    /// One more message; says whether the connection is to be paused.
    fn take(&self) -> bool {
        let unhandled = self.unhandled.fetch_add(1, Ordering::SeqCst) + 1;
        // Once: who is paused is sent at most what had come before.
        unhandled >= self.most && !self.paused.swap(true, Ordering::SeqCst)
    }

    /// Paused, and with little enough to go on.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.unhandled.load(Ordering::SeqCst) <= self.most / 2
    }

    /// Whether it is to stay paused. If not, it is paused no more.
    pub(crate) fn lags(&self) -> bool {
        let lags = !self.has_caught_up();
        if !lags {
            self.paused.store(false, Ordering::SeqCst);
        }
        lags
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    pub(crate) fn set_wanted(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

impl Keeper for Credit {
    fn is_back(&self) {
        let left = self.unhandled.fetch_sub(1, Ordering::SeqCst) - 1;
        // On the shard's own thread, it is looked at in this very turn.
        if left <= self.most / 2 && self.paused.load(Ordering::SeqCst) && current().id() != self.thread {
            self.waker.wake();
        }
    }
}

/// Bytes that came over a connection. As long as they are kept they count as unhandled, and the connection is paused when too many
/// do; and they take one of the reactor's chunks. Whoever keeps bytes for long copies them out.
///
/// Written to a [`Stream`](crate::Stream) they are sent on without a copy, and kept until they are sent: so whoever passes on
/// what comes is paused as long as the other end lags, and a slow reader holds up its sender and nobody else.
///
/// ```
/// use corelane_kernel::{Actor, Ctx, Outcome};
/// use corelane_net::{SocketCtx, Stream, StreamEvent, StreamOptions};
///
/// enum Msg { Client(StreamEvent), Server(StreamEvent) }
///
/// // What `serve` tells of the client.
/// impl From<StreamEvent> for Msg {
///     fn from(event: StreamEvent) -> Msg { Msg::Client(event) }
/// }
///
/// /// Joins a client to a server: what comes from one goes to the other, and each half ends by itself.
/// struct Proxy { client: Stream, server: Option<Stream>, finished: u32 }
///
/// impl Actor for Proxy {
///     type Msg = Msg;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let server = ctx.connect(&"unix:/run/server.sock".parse()?, &StreamOptions::default(), Msg::Server)?;
///         self.server = Some(server);
///         Ok(())
///     }
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let Some(server) = &self.server else { return Ok(()) };
///         let (from, to, event) = match msg {
///             Msg::Client(event) => (&self.client, server, event),
///             Msg::Server(event) => (server, &self.client, event),
///         };
///         match event {
///             StreamEvent::Received(bytes) => to.write(bytes)?,
///             StreamEvent::Finished => {
///                 to.finish();
///                 self.finished += 1;
///                 if self.finished == 2 {
///                     // Both streams are dropped with this actor, and what was written is sent.
///                     ctx.stop_self();
///                 }
///             }
///             StreamEvent::Failed(_) => {
///                 from.abort();
///                 to.abort();
///                 ctx.stop_self();
///             }
///             _ => {}
///         }
///         Ok(())
///     }
/// }
/// ```
pub struct Received(Counted);

impl Received {
    /// What has come; and whether the connection is to be paused.
    pub(crate) fn new(chunk: Chunk, credit: &Arc<Credit>) -> (Received, bool) {
        let pauses = credit.take();
        (Received(Counted::new(chunk, credit.clone())), pauses)
    }
}

impl Deref for Received {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// To send it on without a copy. It counts as unhandled until the buffer is dropped.
impl From<Received> for Buffer {
    fn from(received: Received) -> Buffer {
        received.0.into()
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({} bytes)", self.len())
    }
}
