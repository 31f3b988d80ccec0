//! The reactor as its caller sees it: sockets are made, written, paused and closed here. `driving` collects and passes on,
//! `work` does what that leads to, and `complete` says what follows from the ends of operations.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;

use super::address::Address;
use super::backend::{Completion, Descriptor, Drive, Waker};
use super::config::{Backend, Options, ReactorConfig};
use super::counters::Counters;
use super::error::{SocketError, WriteError};
use super::event::{Event, EventKind, SocketId};
use super::peer_user::PeerUser;
use super::slab::Key;
use super::spare::Spare;
use super::store::{Finish, Life, Outgoing, SocketKind, Store, Work};
use super::taken::Taken;
use crate::buffers::Buffer;

/// A core's sockets. Lives on one thread. See the [module](super).
pub struct Reactor {
    pub(super) store: Store,
    pub(super) backend: Box<dyn Drive>,
    pub(super) completions: VecDeque<Completion>,
    /// Sockets whose queue is to be looked at.
    pub(super) dirty: Vec<Key>,
    /// Sockets that wait for a chunk.
    pub(super) starved: VecDeque<Key>,
    pub(super) spare: Spare,
    pub(super) sockets_max: usize,
    pub(super) send_bytes: usize,
    pub(super) zero_copy_from: Option<usize>,
    reason: String,
}

impl Reactor {
    pub(super) fn on(backend: Box<dyn Drive>, config: &ReactorConfig, reason: String) -> Reactor {
        Reactor {
            store: Store::new(),
            backend,
            completions: VecDeque::new(),
            dirty: Vec::new(),
            starved: VecDeque::new(),
            spare: Spare::new(),
            sockets_max: config.sockets,
            send_bytes: config.send_bytes,
            zero_copy_from: config.zero_copy_from,
            reason,
        }
    }

    /// What moves the bytes.
    pub fn backend(&self) -> Backend {
        self.backend.kind()
    }

    /// Why this backend was chosen, for a log.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.store.counters
    }

    /// Operations that have not ended.
    pub fn in_flight(&self) -> usize {
        self.store.operations.len()
    }

    /// Sockets that are not closed yet.
    pub fn sockets(&self) -> usize {
        self.store.sockets.len()
    }

    /// Ends a [wait](Reactor::park) from another thread.
    pub fn waker(&self) -> Waker {
        self.backend.waker()
    }

    /// Whether waits may go on for more to come from now on, for as long as [`ReactorConfig::coalesce`] says; they may at
    /// first. It costs nothing, and may be said again and again.
    pub fn set_coalescing(&mut self, coalescing: bool) {
        self.backend.set_coalescing(coalescing);
    }

    // ---- making sockets ----

    /// Listens at an address, and accepts what comes. Port 0 has the operating system choose; the file of a Unix socket
    /// must not exist yet, and is left to the caller to remove.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn listen(&mut self, address: &Address, options: &Options) -> Result<SocketId, SocketError> {
        let key = self.make(SocketKind::Listener, address, options)?;
        Ok(self.listens(key))
    }

    fn listens(&mut self, listener: Key) -> SocketId {
        self.store.sockets[listener].wanted = true;
        self.await_input(listener);
        SocketId(listener)
    }

    /// Accepts what comes to an address that was taken before this reactor was there.
    ///
    /// # Errors
    /// [`SocketError`]; also where sockets are simulated.
    pub(crate) fn listen_on(&mut self, taken: Taken) -> Result<SocketId, SocketError> {
        let (address, backend) = (taken.address.into(), self.backend.kind());
        let key = self.add(SocketKind::Listener, &address, |_| taken.fit(backend))?;
        Ok(self.listens(key))
    }

    /// Connects to an address: [`EventKind::Connected`] or [`EventKind::Failed`] follows. What is written meanwhile waits.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn connect(&mut self, address: &Address, options: &Options) -> Result<SocketId, SocketError> {
        let key = self.make(SocketKind::Stream, address, options)?;
        let operation = self.begin(Work::Connect, key);
        self.store.operations[operation].to = Some(address.clone());
        self.store.sockets[key].sending = Some(operation);
        self.backend.start(operation, &mut self.store);
        Ok(SocketId(key))
    }

    /// A socket for datagrams at an address, UDP or Unix. Its reading begins paused. The file of a Unix socket must not exist
    /// yet, and is left to the caller to remove; with an empty path it has no name, and can send but not be answered.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn datagrams(&mut self, address: &Address, options: &Options) -> Result<SocketId, SocketError> {
        Ok(SocketId(self.make(SocketKind::Datagrams, address, options)?))
    }

    fn make(&mut self, kind: SocketKind, address: &Address, options: &Options) -> Result<Key, SocketError> {
        self.add(kind, address, |backend| backend.make(kind, address, options))
    }

    fn add(
        &mut self,
        kind: SocketKind,
        address: &Address,
        make: impl FnOnce(&mut dyn Drive) -> io::Result<Descriptor>,
    ) -> Result<Key, SocketError> {
        if self.store.sockets.len() >= self.sockets_max {
            return Err(SocketError::TooMany);
        }
        let descriptor = make(&mut *self.backend)
            .map_err(|error| SocketError::Refused { address: address.clone(), error })?;
        let life = if kind == SocketKind::Stream { Life::Connecting } else { Life::Open };
        let key = self.store.sockets.take();
        self.store.sockets[key].begin(kind, life, descriptor);
        Ok(key)
    }

    /// Notes a word at a socket, which its events carry.
    pub fn set_tag(&mut self, socket: SocketId, tag: u64) {
        if let Some(socket) = self.store.sockets.get_mut(socket.0) {
            socket.tag = tag;
        }
    }

    /// What was noted at a socket; `None` if it is closed.
    pub fn tag(&self, socket: SocketId) -> Option<u64> {
        self.store.sockets.get(socket.0).map(|socket| socket.tag)
    }

    /// The address of a socket's own end.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn local_address(&self, socket: SocketId) -> Result<Address, SocketError> {
        self.ask(socket, |backend, descriptor| backend.local_address(descriptor))
    }

    /// The address of the other end of a stream.
    ///
    /// # Errors
    /// [`SocketError`]; also for a connection that is over already.
    pub fn peer_address(&self, socket: SocketId) -> Result<Address, SocketError> {
        self.ask(socket, |backend, descriptor| backend.peer_address(descriptor))
    }

    /// Who runs the process at the other end of a Unix stream, as the operating system noted it when it connected or listened.
    ///
    /// # Errors
    /// [`SocketError`]; also for other sockets, and where the operating system does not say.
    pub fn peer_user(&self, socket: SocketId) -> Result<PeerUser, SocketError> {
        self.ask(socket, |backend, descriptor| backend.peer_user(descriptor))
    }

    fn ask<T>(
        &self,
        socket: SocketId,
        ask: impl FnOnce(&dyn Drive, &Descriptor) -> io::Result<T>,
    ) -> Result<T, SocketError> {
        let socket = self.store.sockets.get(socket.0).ok_or(SocketError::NoSuch)?;
        let descriptor = socket.descriptor.as_ref().ok_or(SocketError::NoSuch)?;
        ask(&*self.backend, descriptor)
            .map_err(|error| SocketError::Refused { address: Address::Unix("".into()), error })
    }

    // ---- using sockets ----

    /// Goes on receiving, or accepting. First comes what waits since it was paused.
    pub fn resume(&mut self, socket: SocketId) {
        let Some(entry) = self.store.sockets.get_mut(socket.0) else { return };
        if mem::replace(&mut entry.wanted, true) {
            return;
        }
        let tag = entry.tag;
        while let Some(kind) = entry.held.pop_back() {
            self.store.events.push_front(Event { socket, tag, kind });
        }
        self.await_input(socket.0);
    }

    /// Receives nothing more, or accepts nothing more, until it is resumed. The peer notices when the operating system's
    /// buffer is full.
    pub fn pause(&mut self, socket: SocketId) {
        let Some(entry) = self.store.sockets.get_mut(socket.0) else { return };
        if mem::replace(&mut entry.wanted, false)
            && let Some(operation) = entry.incoming
        {
            self.backend.cancel(operation, &mut self.store);
        }
    }

    /// Queues bytes to be sent over a stream; they leave with the next [`Reactor::submit`]. With a token, the caller is told
    /// when the buffer is needed no more, and is given it back. Writes of one turn leave together.
    ///
    /// # Errors
    /// [`WriteError`], with the buffer. A socket takes one buffer of any size when nothing else waits.
    pub fn write(
        &mut self,
        socket: SocketId,
        bytes: impl Into<Buffer>,
        token: Option<u64>,
    ) -> Result<(), WriteError> {
        self.enqueue(socket, bytes.into(), token, None)
    }

    /// An empty vector with room for so many bytes, to be filled and [written](Reactor::write): one that was written without a
    /// token and is needed no more, if there is one. So who takes all that it writes from here allocates nothing in the
    /// steady state. At most 128 of at most 16 KiB each are kept, and no more than were asked for.
    pub fn spare(&mut self, room: usize) -> Vec<u8> {
        self.spare.take(room)
    }

    /// Queues a datagram. As [`Reactor::write`]; a datagram that the operating system cannot send is
    /// [`EventKind::NotWritten`] if it has a token, and lost otherwise. So is one to a Unix socket that nobody has, or whose
    /// reader lags so far that its queue is full.
    ///
    /// # Errors
    /// [`WriteError`], with the buffer.
    pub fn send_to(
        &mut self,
        socket: SocketId,
        to: impl Into<Address>,
        bytes: impl Into<Buffer>,
        token: Option<u64>,
    ) -> Result<(), WriteError> {
        self.enqueue(socket, bytes.into(), token, Some(to.into()))
    }

    fn enqueue(
        &mut self,
        socket: SocketId,
        buffer: Buffer,
        token: Option<u64>,
        to: Option<Address>,
    ) -> Result<(), WriteError> {
        let kind = if to.is_some() { SocketKind::Datagrams } else { SocketKind::Stream };
        let entry = match self.store.sockets.get_mut(socket.0) {
            Some(entry)
                if entry.kind == kind
                    && matches!(entry.life, Life::Open | Life::Connecting)
                    && entry.finish == Finish::No =>
            {
                entry
            }
            _ => return Err(WriteError::Closed(buffer)),
        };
        let queue = entry.outgoing.len() * mem::size_of::<Outgoing>();
        let is_first = queue == 0 && entry.outgoing_bytes == 0;
        if !is_first && entry.outgoing_bytes + queue + buffer.len() > self.send_bytes {
            return Err(WriteError::Full(buffer));
        }
        entry.outgoing_bytes += buffer.len();
        entry.outgoing.push_back(Outgoing { buffer, token, to });
        self.soil(socket.0);
        Ok(())
    }

    /// Sends over a stream at once, in the middle of a turn, as much as it takes without waiting, and says how many bytes that
    /// was; none where something waits to be sent already, or where the backend has no such way. The rest, and what is wrong
    /// with the connection, if something is, is for [`Reactor::write`]. One system call; no buffer changes hands, and no
    /// event follows.
    pub fn send_now(&mut self, socket: SocketId, bytes: &[u8]) -> usize {
        let Some(entry) = self.store.sockets.get(socket.0) else { return 0 };
        let is_free = entry.life == Life::Open
            && entry.kind == SocketKind::Stream
            && entry.finish == Finish::No
            && entry.outgoing_bytes == 0
            && entry.sending.is_none();
        let (true, Some(descriptor)) = (is_free, &entry.descriptor) else { return 0 };
        let sent = self.backend.send_now(descriptor, bytes);
        self.store.counters.bytes_sent += sent as u64;
        sent
    }

    /// Bytes of a socket that wait to be sent or are in flight.
    pub fn unsent(&self, socket: SocketId) -> usize {
        self.store.sockets.get(socket.0).map_or(0, |entry| entry.outgoing_bytes)
    }

    /// Closes the sending half of a stream after what is queued: the peer sees the end, and may go on sending.
    pub fn finish(&mut self, socket: SocketId) {
        let Some(entry) = self.store.sockets.get_mut(socket.0) else { return };
        if entry.kind == SocketKind::Stream
            && entry.finish == Finish::No
            && matches!(entry.life, Life::Open | Life::Connecting)
        {
            entry.finish = Finish::Wanted;
            self.soil(socket.0);
        }
    }

    /// Closes a socket: what is queued is sent first, and nothing is received any more. Answered by [`EventKind::Closed`].
    /// As long as the peer does not read, what is queued waits; whoever has no patience [aborts](Reactor::abort).
    ///
    /// What has come and was not read may have the peer see a reset instead of an end, as TCP has it; for an end that
    /// cannot, [finish](Reactor::finish), and close when the peer has finished, too.
    pub fn close(&mut self, socket: SocketId) {
        let Some(entry) = self.store.sockets.get_mut(socket.0) else { return };
        match entry.life {
            Life::Open => entry.life = Life::Closing,
            Life::Connecting | Life::Failed => {
                self.give_back_unsent(socket.0);
                self.store.sockets[socket.0].life = Life::Aborting;
            }
            Life::Closing | Life::Aborting => return,
        }
        self.silence(socket.0, |kind| {
            !matches!(kind, EventKind::Written { .. } | EventKind::NotWritten { .. })
        });
        let entry = &mut self.store.sockets[socket.0];
        let orphans = match entry.life {
            Life::Closing => [entry.incoming.take(), None],
            _ => [entry.incoming.take(), entry.sending.take()],
        };
        orphans.into_iter().flatten().for_each(|operation| self.orphan(operation));
        self.soil(socket.0);
    }

    /// Closes a socket at once: what is queued is thrown away, and the peer of a stream sees a reset. Answered by
    /// [`EventKind::Closed`] alone, when nothing is in flight any more.
    pub fn abort(&mut self, socket: SocketId) {
        let Some(entry) = self.store.sockets.get_mut(socket.0) else { return };
        if entry.life == Life::Aborting && entry.reset {
            return;
        }
        entry.life = Life::Aborting;
        entry.reset = true;
        entry.outgoing.clear();
        let orphans = [entry.incoming.take(), entry.sending.take()];
        if entry.zero_copy
            && let Some(descriptor) = &entry.descriptor
        {
            self.backend.disconnect(descriptor);
        }
        self.silence(socket.0, |_| true);
        orphans.into_iter().flatten().for_each(|operation| self.orphan(operation));
        if self.store.sockets[socket.0].kind == SocketKind::Datagrams {
            self.orphan_all(socket.0);
        }
        self.soil(socket.0);
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reactor({}, {} sockets, {} operations)", self.backend(), self.sockets(), self.in_flight())
    }
}
