//! Streams for actors: TCP, and Unix sockets alike. What happens at one is told to its actor as a message.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Scope};

use crate::buffers::Buffer;
use crate::credit::{Credit, Received};
use crate::reactor::{Address, EventKind, Options, PeerUser, SocketError, SocketId, WriteError};
use crate::sockets::{Left, Sink, Sockets};

/// How an actor wants a stream.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The socket's options.
    pub socket: Options,
    /// Messages with bytes that are still kept (not handled yet, or written to another stream and not sent yet), from which on
    /// nothing more is read until half of them are not. 8 by default, of at most one chunk of the reactor each.
    pub unhandled: u32,
    /// How long a connection may take to be made. 10 s by default; `None` is as long as the operating system tries.
    pub connect_within: Option<Duration>,
}

impl Default for StreamOptions {
    fn default() -> StreamOptions {
        let connect_within = Some(Duration::from_secs(10));
        StreamOptions { socket: Options::default(), unhandled: 8, connect_within }
    }
}

/// What an actor is told of its stream.
#[derive(Debug)]
pub enum StreamEvent {
    /// It is connected.
    Connected,
    /// Bytes have come.
    Received(Received),
    /// The peer sends nothing more. What is written still reaches it, if it has not closed its other half.
    Finished,
    /// A write with this token was passed to the operating system, and its buffer is free. No proof that the peer has it.
    Written {
        /// The write's.
        token: u64,
        /// What was written.
        buffer: Buffer,
    },
    /// A write with this token was not, or not wholly, passed on.
    NotWritten {
        /// The write's.
        token: u64,
        /// What was to be written.
        buffer: Buffer,
    },
    /// It could not be connected, or has failed: refused, reset, timed out. Nothing comes or goes any more.
    Failed(io::Error),
    /// It was closed, by [`Stream::close`] or [`Stream::abort`]. The last that is told.
    Closed,
}

/// A stream that an actor has. Dropped, it is closed: what was written is sent within the
/// [linger](crate::NetConfig::linger) time; so an actor's connection ends with the actor.
///
/// Lives on the shard's thread.
pub struct Stream {
    sockets: Sockets,
    socket: SocketId,
    credit: Arc<Credit>,
}

impl Stream {
    /// The socket's name on its shard.
    pub fn id(&self) -> SocketId {
        self.socket
    }

    /// Queues bytes to be sent; they leave when this turn ends, together with all that is written in it.
    ///
    /// # Errors
    /// [`WriteError`], with the buffer. When it is [full](WriteError::Full), a write with a token says when to go on.
    pub fn write(&self, bytes: impl Into<Buffer>) -> Result<(), WriteError> {
        self.sockets.write(self.socket, bytes, None)
    }

    /// Like [`Stream::write`]; [`StreamEvent::Written`] says when the buffer is needed no more, and gives it back.
    ///
    /// # Errors
    /// [`WriteError`], with the buffer.
    pub fn write_noticed(&self, bytes: impl Into<Buffer>, token: u64) -> Result<(), WriteError> {
        self.sockets.write(self.socket, bytes, Some(token))
    }

    /// An empty vector with room for so many bytes, to be filled and [written](Stream::write): one that was written so on this
    /// shard and is needed no more, if there is one; see [`Reactor::spare`](crate::reactor::Reactor::spare).
    pub fn spare(&self, room: usize) -> Vec<u8> {
        self.sockets.spare(room)
    }

    /// Bytes that wait to be sent, or are on their way to the operating system.
    pub fn unsent(&self) -> usize {
        self.sockets.unsent(self.socket)
    }

    /// Reads nothing more until [`Stream::resume`]. What is on its way to the actor still comes.
    pub fn pause(&self) {
        self.credit.set_wanted(false);
        self.sockets.pause(self.socket);
    }

    /// Reads again after [`Stream::pause`], as soon as the actor has room for what comes. Not paused, nothing happens.
    pub fn resume(&self) {
        self.credit.set_wanted(true);
        if !self.credit.is_paused() {
            self.sockets.resume(self.socket);
        }
    }

    /// Closes the sending half, after what is queued.
    pub fn finish(&self) {
        self.sockets.finish(self.socket);
    }

    /// Closes both halves, after what is queued. [`StreamEvent::Closed`] follows.
    pub fn close(&self) {
        self.sockets.close(self.socket);
    }

    /// Closes at once: what is queued is thrown away, and the peer sees a reset. [`StreamEvent::Closed`] follows.
    pub fn abort(&self) {
        self.sockets.abort(self.socket);
    }

    /// The address of this end.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn local_address(&self) -> Result<Address, SocketError> {
        self.sockets.local_address(self.socket)
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn peer_address(&self) -> Result<Address, SocketError> {
        self.sockets.peer_address(self.socket)
    }

    /// Who runs the process at the other end, of a stream of Unix sockets.
    ///
    /// # Errors
    /// [`SocketError`]; also for other streams, and where the operating system does not say.
    pub fn peer_user(&self) -> Result<PeerUser, SocketError> {
        self.sockets.peer_user(self.socket)
    }

    /// A stream of a connection that was accepted, which nobody hears yet.
    pub(crate) fn of(accepted: Accepted, sockets: &Sockets, options: &StreamOptions) -> Stream {
        let socket = accepted.take();
        let credit = Credit::new(options.unhandled, sockets.waker());
        Stream { sockets: sockets.clone(), socket, credit }
    }

    /// Tells an actor what happens, and begins to read.
    pub(crate) fn tell<M: Send + 'static>(
        sockets: &Sockets,
        (socket, credit): (SocketId, Arc<Credit>),
        to: ActorRef<M>,
        make: impl Fn(StreamEvent) -> M + 'static,
    ) {
        sockets.attach(socket, ToActor { to, make, credit });
        sockets.resume(socket);
    }

    pub(crate) fn parts(&self) -> (SocketId, Arc<Credit>) {
        (self.socket, self.credit.clone())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.sockets.leave(self.socket);
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:?})", self.socket)
    }
}

/// Makes messages of what happens at a stream.
struct ToActor<M, F> {
    to: ActorRef<M>,
    make: F,
    credit: Arc<Credit>,
}

impl<M: Send + 'static, F: Fn(StreamEvent) -> M + 'static> Sink for ToActor<M, F> {
    fn hear(&mut self, socket: SocketId, event: EventKind, sockets: &Sockets, shard: &mut Scope<'_>) {
        let event = match event {
            EventKind::Connected => StreamEvent::Connected,
            EventKind::Received(chunk) => {
                StreamEvent::Received(sockets.received(socket, chunk, &self.credit))
            }
            EventKind::Finished => StreamEvent::Finished,
            EventKind::Written { token, buffer } => StreamEvent::Written { token, buffer },
            EventKind::NotWritten { token, buffer } => StreamEvent::NotWritten { token, buffer },
            EventKind::Failed(error) => StreamEvent::Failed(error),
            EventKind::Closed => StreamEvent::Closed,
            EventKind::Accepted(_) | EventKind::NotAccepted(_) | EventKind::ReceivedFrom { .. } => return,
        };
        shard.tell(self.to, (self.make)(event));
    }
}

/// A connection that was accepted and waits to be taken, on its shard: see [`SocketCtx::take`]. Dropped instead, anywhere, it is
/// reset.
pub struct Accepted {
    socket: Option<SocketId>,
    left: Left,
}

impl Accepted {
    fn take(mut self) -> SocketId {
        self.socket.take().expect("it is taken once")
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if let Some(socket) = self.socket {
            self.left.leave(socket);
        }
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accepted")
    }
}

/// What an actor is told of its listener.
#[derive(Debug)]
pub enum ListenEvent {
    /// Somebody has connected.
    Accepted(Accepted),
    /// Nothing can be accepted (descriptors are used up, for example), and the listener is paused.
    NotAccepted(io::Error),
    /// It was closed. The last that is told.
    Closed,
}

/// A listener that an actor has. Dropped, it is closed. Lives on the shard's thread.
pub struct Listener {
    sockets: Sockets,
    socket: SocketId,
}

impl Listener {
    pub(crate) fn of(sockets: &Sockets, socket: SocketId) -> Listener {
        Listener { sockets: sockets.clone(), socket }
    }

    /// The address, with the port that the operating system chose.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn local_address(&self) -> Result<Address, SocketError> {
        self.sockets.local_address(self.socket)
    }

    /// Accepts nothing more until [`Listener::resume`]; who comes meanwhile waits.
    pub fn pause(&self) {
        self.sockets.pause(self.socket);
    }

    /// Accepts again after [`Listener::pause`], those first who came meanwhile. Not paused, nothing happens.
    pub fn resume(&self) {
        self.sockets.resume(self.socket);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.sockets.leave(self.socket);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({:?})", self.socket)
    }
}

pub(crate) struct Accepting<M, F> {
    pub(crate) to: ActorRef<M>,
    pub(crate) make: F,
}

impl<M: Send + 'static, F: Fn(ListenEvent) -> M + 'static> Sink for Accepting<M, F> {
    fn hear(&mut self, _: SocketId, event: EventKind, sockets: &Sockets, shard: &mut Scope<'_>) {
        let event = match event {
            EventKind::Accepted(socket) => {
                ListenEvent::Accepted(Accepted { socket: Some(socket), left: sockets.left() })
            }
            EventKind::NotAccepted(error) => ListenEvent::NotAccepted(error),
            EventKind::Closed => ListenEvent::Closed,
            _ => return,
        };
        shard.tell(self.to, (self.make)(event));
    }
}

/// What a [`Ctx`] can do with sockets on a shard of a system that has loaded [`Net`](crate::Net).
///
/// # Panics
/// Every method panics where no `Net` is loaded.
///
/// ```
/// use corelane_kernel::{Actor, Ctx, Outcome};
/// use corelane_net::{SocketCtx, Stream, StreamEvent, StreamOptions};
///
/// /// Fetches a page.
/// struct Fetcher { stream: Option<Stream>, page: Vec<u8> }
///
/// impl Actor for Fetcher {
///     type Msg = StreamEvent;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let stream = ctx.connect(&"127.0.0.1:80".parse()?, &StreamOptions::default(), |event| event)?;
///         stream.write(b"GET / HTTP/1.0\r\n\r\n")?;
///         self.stream = Some(stream);
///         Ok(())
///     }
///     fn receive(&mut self, event: StreamEvent, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match event {
///             StreamEvent::Received(bytes) => self.page.extend_from_slice(&bytes),
///             StreamEvent::Finished => ctx.stop_self(),
///             StreamEvent::Failed(error) => return Err(error.into()),
///             _ => {}
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait SocketCtx<A: Actor> {
    /// Connects to an address. This actor is told what happens, as `make` puts it; it may write at once.
    ///
    /// # Errors
    /// [`SocketError`].
    fn connect(
        &mut self,
        address: &Address,
        options: &StreamOptions,
        make: impl Fn(StreamEvent) -> A::Msg + 'static,
    ) -> Result<Stream, SocketError>;

    /// Listens at an address. This actor is told who comes, as `make` puts it. A service whose connections are actors is
    /// made by [`serve`](crate::serve).
    ///
    /// # Errors
    /// [`SocketError`].
    fn listen(
        &mut self,
        address: &Address,
        options: &Options,
        make: impl Fn(ListenEvent) -> A::Msg + 'static,
    ) -> Result<Listener, SocketError>;

    /// Takes a connection that was accepted on this shard: this actor is told what happens there.
    fn take(
        &mut self,
        accepted: Accepted,
        options: &StreamOptions,
        make: impl Fn(StreamEvent) -> A::Msg + 'static,
    ) -> Stream;

    /// This shard's sockets, for what lies deeper.
    fn sockets(&mut self) -> Sockets;
}

impl<A: Actor> SocketCtx<A> for Ctx<'_, A> {
    fn connect(
        &mut self,
        address: &Address,
        options: &StreamOptions,
        make: impl Fn(StreamEvent) -> A::Msg + 'static,
    ) -> Result<Stream, SocketError> {
        let sockets = self.sockets();
        let credit = Credit::new(options.unhandled, sockets.waker());
        let sink = ToActor { to: self.me(), make, credit: credit.clone() };
        let socket = sockets.connect(address, &options.socket, options.connect_within, sink)?;
        sockets.resume(socket);
        Ok(Stream { sockets, socket, credit })
    }

    fn listen(
        &mut self,
        address: &Address,
        options: &Options,
        make: impl Fn(ListenEvent) -> A::Msg + 'static,
    ) -> Result<Listener, SocketError> {
        let sockets = self.sockets();
        let socket = sockets.listen(address, options, Accepting { to: self.me(), make })?;
        Ok(Listener::of(&sockets, socket))
    }

    fn take(
        &mut self,
        accepted: Accepted,
        options: &StreamOptions,
        make: impl Fn(StreamEvent) -> A::Msg + 'static,
    ) -> Stream {
        let sockets = self.sockets();
        let stream = Stream::of(accepted, &sockets, options);
        Stream::tell(&sockets, stream.parts(), self.me(), make);
        stream
    }

    fn sockets(&mut self) -> Sockets {
        Sockets::of(&mut self.scope()).expect("a shard with sockets: this system has not loaded `Net`")
    }
}
