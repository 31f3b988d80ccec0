//! Datagrams for actors: UDP, and Unix sockets.

use std::fmt;
use std::sync::Arc;

use corelane_kernel::{Actor, ActorRef, Ctx, Scope};

use crate::buffers::Buffer;
use crate::credit::{Credit, Received};
use crate::reactor::{Address, EventKind, Options, SocketError, SocketId, WriteError};
use crate::sockets::{Sink, Sockets};
use crate::stream::SocketCtx;

/// What an actor is told of its datagrams.
#[derive(Debug)]
pub enum DatagramEvent {
    /// One has come.
    Received {
        /// Its sender, as far as the network says the truth; without a path if that has a Unix socket without a name.
        from: Address,
        /// What it says.
        bytes: Received,
        /// It was longer than a chunk of the reactor, and the rest is lost.
        truncated: bool,
    },
    /// One with this token was passed to the operating system, and its buffer is free. No proof that anybody has it.
    Sent {
        /// Its token.
        token: u64,
        /// What was sent.
        buffer: Buffer,
    },
    /// One with this token cannot be sent: it is too long, there is no way there, or the reader of a Unix socket lags.
    NotSent {
        /// Its token.
        token: u64,
        /// What was to be sent.
        buffer: Buffer,
    },
}

/// A socket for datagrams that an actor has. Dropped, it is closed. Lives on the shard's thread.
pub struct Datagrams {
    sockets: Sockets,
    socket: SocketId,
}

impl Datagrams {
    /// Queues a datagram; it leaves when this turn ends.
    ///
    /// # Errors
    /// [`WriteError`], with the buffer.
    pub fn send_to(&self, to: impl Into<Address>, bytes: impl Into<Buffer>) -> Result<(), WriteError> {
        self.sockets.send_to(self.socket, to, bytes, None)
    }

    /// Like [`Datagrams::send_to`]; [`DatagramEvent::Sent`] says when the buffer is needed no more, and gives it back.
    ///
    /// # Errors
    /// [`WriteError`], with the buffer.
    pub fn send_to_noticed(
        &self,
        to: impl Into<Address>,
        bytes: impl Into<Buffer>,
        token: u64,
    ) -> Result<(), WriteError> {
        self.sockets.send_to(self.socket, to, bytes, Some(token))
    }

    /// The address, with the port that the operating system chose.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn local_address(&self) -> Result<Address, SocketError> {
        self.sockets.local_address(self.socket)
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.sockets.leave(self.socket);
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Datagrams({:?})", self.socket)
    }
}

struct ToActor<M, F> {
    to: ActorRef<M>,
    make: F,
    credit: Arc<Credit>,
}

impl<M: Send + 'static, F: Fn(DatagramEvent) -> M + 'static> Sink for ToActor<M, F> {
    fn hear(&mut self, socket: SocketId, event: EventKind, sockets: &Sockets, shard: &mut Scope<'_>) {
        let event = match event {
            EventKind::ReceivedFrom { from, bytes, truncated } => {
                let bytes = sockets.received(socket, bytes, &self.credit);
                DatagramEvent::Received { from, bytes, truncated }
            }
            EventKind::Written { token, buffer } => DatagramEvent::Sent { token, buffer },
            EventKind::NotWritten { token, buffer } => DatagramEvent::NotSent { token, buffer },
            _ => return,
        };
        shard.tell(self.to, (self.make)(event));
    }
}

/// What a [`Ctx`] can do with datagrams on a shard of a system that has loaded [`Net`](crate::Net).
///
/// # Panics
/// Every method panics where no `Net` is loaded.
///
/// ```
/// use corelane_kernel::{Actor, Ctx, Outcome};
/// use corelane_net::{DatagramCtx, DatagramEvent, Datagrams};
///
/// /// Sends back what comes.
/// struct Echo { socket: Option<Datagrams> }
///
/// impl Actor for Echo {
///     type Msg = DatagramEvent;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         self.socket = Some(ctx.datagrams(&"127.0.0.1:2552".parse()?, &Default::default(), 64, |event| event)?);
///         Ok(())
///     }
///     fn receive(&mut self, event: DatagramEvent, _: &mut Ctx<'_, Self>) -> Outcome {
///         if let (DatagramEvent::Received { from, bytes, truncated: false }, Some(socket)) = (event, &self.socket) {
///             // Where too much waits already it is lost, as datagrams may be.
///             let _ = socket.send_to(from, bytes);
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait DatagramCtx<A: Actor> {
    /// A socket for datagrams at an address, UDP or Unix; port 0 has the operating system choose, and the file of a Unix socket is
    /// left to the caller to remove. This actor is told what comes, as `make` puts it. With `unhandled` datagrams that it has not
    /// handled nothing more is read until it has handled half; what comes meanwhile waits in the operating system's buffer, and
    /// is lost when that is full. Of a datagram that is longer than a [chunk](crate::reactor::ReactorConfig) the
    /// beginning comes.
    ///
    /// # Errors
    /// [`SocketError`].
    fn datagrams(
        &mut self,
        address: &Address,
        options: &Options,
        unhandled: u32,
        make: impl Fn(DatagramEvent) -> A::Msg + 'static,
    ) -> Result<Datagrams, SocketError>;
}

impl<A: Actor> DatagramCtx<A> for Ctx<'_, A> {
    fn datagrams(
        &mut self,
        address: &Address,
        options: &Options,
        unhandled: u32,
        make: impl Fn(DatagramEvent) -> A::Msg + 'static,
    ) -> Result<Datagrams, SocketError> {
        let sockets = self.sockets();
        let credit = Credit::new(unhandled, sockets.waker());
        let socket = sockets.datagrams(address, options, ToActor { to: self.me(), make, credit })?;
        sockets.resume(socket);
        Ok(Datagrams { sockets, socket })
    }
}
