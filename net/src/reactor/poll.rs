//! Readiness: an operation is tried, and if it cannot be done yet, tried again when the operating system says that the
//! socket is ready.
//!
//! Edges are reported, not levels: a socket counts as ready from a report until a call would have waited. So a socket with
//! plenty to say costs one report, and each is served one call at a time, in turn.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use socket2::{MaybeUninitSlice, Socket};

use super::address::Address;
use super::backend::{Completion, Descriptor, Drive, Outcome, Waker};
use super::config::{Backend, Options, ReactorConfig};
use super::descriptor::{self, system};
use super::peer_user::PeerUser;
use super::slab::Key;
use super::store::{SocketKind, Store, Work};
use super::work::GATHER;
use crate::buffers::{Chunk, Supply};

/// The name of the waker.
const WAKER: Token = Token(usize::MAX);
/// Reports taken at once.
const REPORTS: usize = 1024;
/// As long as operations get something done by themselves, new reports are asked for only once in so many turns: asking is a
/// system call, and those whose socket is ready are served in turn anyway.
const UNASKED_MAX: u32 = 8;
/// Chunks that one call receives into, where a socket has plenty.
const CHUNKS_AT_ONCE: usize = 4;
/// Connections accepted in one go.
const ACCEPTS: usize = 16;

/// What is known of one socket.
#[derive(Default)]
struct Watch {
    socket: Key,
    registered: bool,
    readable: bool,
    writable: bool,
    /// Nothing comes behind what is there: a read that does not fill its chunk has not proved that nothing is left.
    read_closed: bool,
    /// The last read found more than a chunk holds, or nearly.
    plenty: bool,
    reading: Option<Key>,
    writing: VecDeque<Key>,
}

pub(super) struct Poll {
    poll: mio::Poll,
    events: Events,
    /// The events are new.
    polled: bool,
    /// Turns since they were asked for.
    unasked: u32,
    waker: Arc<mio::Waker>,
    /// By the slots of sockets.
    watches: Vec<Watch>,
    /// Operations that may get something done: what sends and connects, and what receives and accepts.
    ready_out: VecDeque<Key>,
    ready_in: VecDeque<Key>,
    done: VecDeque<Completion>,
    supply: Supply,
}

/// What came of a try.
enum Try {
    /// It is over, so.
    Done(Outcome),
    /// It waits for readiness.
    Waits,
    /// It may get more done at once.
    Again,
}

impl Poll {
    pub(super) fn open(config: &ReactorConfig) -> io::Result<Poll> {
        let poll = mio::Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKER)?);
        let supply = Supply::new(config.chunks(), config.chunk_bytes());
        let chunks = waker.clone();
        supply.wake_by(move || _ = chunks.wake());
        Ok(Poll {
            poll,
            events: Events::with_capacity(REPORTS),
            polled: false,
            unasked: 0,
            waker,
            watches: Vec::new(),
            ready_out: VecDeque::new(),
            ready_in: VecDeque::new(),
            done: VecDeque::new(),
            supply,
        })
    }

    fn watch(&mut self, socket: Key) -> &mut Watch {
        let slot = socket.slot as usize;
        if self.watches.len() <= slot {
            self.watches.resize_with(slot + 1, Watch::default);
        }
        let watch = &mut self.watches[slot];
        if watch.socket != socket {
            debug_assert!(!watch.registered && watch.reading.is_none() && watch.writing.is_empty());
            // Not known to be unready: tried first.
            (watch.socket, watch.readable, watch.writable) = (socket, true, true);
            (watch.read_closed, watch.plenty) = (false, false);
        }
        watch
    }

    fn register(&mut self, socket: Key, descriptor: &Socket) -> io::Result<()> {
        if self.watch(socket).registered {
            return Ok(());
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(socket.word() as usize);
        self.poll.registry().register(&mut SourceFd(&descriptor.as_raw_fd()), token, interest)?;
        self.watch(socket).registered = true;
        Ok(())
    }

    fn finish_operation(&mut self, key: Key, socket: Key, outcome: Outcome) {
        let watch = self.watch(socket);
        if watch.reading == Some(key) {
            watch.reading = None;
        }
        watch.writing.retain(|other| *other != key);
        self.done.push_back(Completion { key, outcome, more: false });
    }

    /// Asks for reports.
    fn ask(&mut self, timeout: Option<Duration>, store: &mut Store) {
        store.counters.enters += 1;
        self.unasked = 0;
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => self.polled = !self.events.is_empty(),
            Err(error) => {
                store.counters.interrupted += u64::from(error.kind() == io::ErrorKind::Interrupted);
                self.polled = false;
            }
        }
    }

    /// Takes note of what was reported.
    fn note(&mut self) {
        self.polled = false;
        for event in &self.events {
            if event.token() == WAKER {
                continue;
            }
            let socket = Key::of_word(event.token().0 as u64);
            // One of a socket that was closed meanwhile.
            let Some(watch) =
                self.watches.get_mut(socket.slot as usize).filter(|watch| watch.socket == socket)
            else {
                continue;
            };
            watch.read_closed |= event.is_read_closed() || event.is_error();
            if (event.is_readable() || event.is_read_closed() || event.is_error())
                && !std::mem::replace(&mut watch.readable, true)
            {
                self.ready_in.extend(watch.reading);
            }
            if (event.is_writable() || event.is_write_closed() || event.is_error())
                && !std::mem::replace(&mut watch.writable, true)
            {
                self.ready_out.extend(watch.writing.iter());
            }
        }
    }

    /// Tries each of the operations that may get something done, once.
    fn try_all(&mut self, incoming: bool, store: &mut Store) {
        let queue = if incoming { &mut self.ready_in } else { &mut self.ready_out };
        for _ in 0..queue.len() {
            let queue = if incoming { &mut self.ready_in } else { &mut self.ready_out };
            let Some(key) = queue.pop_front() else { return };
            // Cancelled meanwhile, if it is none; or it stands here twice.
            let Some(operation) = store.operations.get(key) else { continue };
            let socket = operation.socket;
            let watch = self.watch(socket);
            if watch.reading != Some(key) && !watch.writing.contains(&key) {
                continue;
            }
            match self.attempt(key, socket, store) {
                Try::Done(outcome) => self.finish_operation(key, socket, outcome),
                Try::Waits => {}
                Try::Again if incoming => self.ready_in.push_back(key),
                Try::Again => self.ready_out.push_back(key),
            }
        }
    }

    fn attempt(&mut self, key: Key, socket: Key, store: &mut Store) -> Try {
        let tried = match store.operations[key].work {
            Work::Accept => self.accept(key, store),
            Work::Receive => self.receive(key, socket, store),
            Work::ReceiveFrom => self.receive_from(key, store),
            Work::Connect => connected(key, store),
            Work::Send => send(key, store),
            Work::SendTo => send_to(key, store),
        };
        match tried {
            Ok(tried) => tried,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let incoming =
                    matches!(store.operations[key].work, Work::Accept | Work::Receive | Work::ReceiveFrom);
                let watch = self.watch(socket);
                *(if incoming { &mut watch.readable } else { &mut watch.writable }) = false;
                Try::Waits
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                store.counters.interrupted += 1;
                Try::Again
            }
            Err(error) => Try::Done(Outcome::Failed(error)),
        }
    }

    fn accept(&mut self, key: Key, store: &Store) -> io::Result<Try> {
        let listener = system(store.descriptor_of(key));
        for _ in 0..ACCEPTS {
            let (socket, _) = listener.accept()?;
            socket.set_nonblocking(true)?;
            let outcome = Outcome::Accepted(Descriptor::System(socket));
            self.done.push_back(Completion { key, outcome, more: true });
        }
        Ok(Try::Again)
    }

    fn receive(&mut self, key: Key, socket: Key, store: &Store) -> io::Result<Try> {
        let most = if self.watch(socket).plenty { CHUNKS_AT_ONCE } else { 1 };
        let mut chunks: [Option<Chunk>; CHUNKS_AT_ONCE] = std::array::from_fn(|_| None);
        for chunk in &mut chunks[..most] {
            *chunk = self.supply.take();
        }
        let room: usize = chunks.iter().flatten().map(|chunk| chunk.len()).sum();
        if room == 0 {
            return Ok(Try::Done(Outcome::NoChunk));
        }
        let mut into = std::array::from_fn::<_, CHUNKS_AT_ONCE, _>(|_| IoSliceMut::new(&mut []));
        let mut parts = 0;
        for (slice, chunk) in into.iter_mut().zip(chunks.iter_mut().flatten()) {
            *slice = IoSliceMut::new(chunk);
            parts += 1;
        }
        let count = { system(store.descriptor_of(key)) }.read_vectored(&mut into[..parts])?;
        if count == 0 {
            return Ok(Try::Done(Outcome::EndOfStream));
        }
        let mut left = count;
        for mut chunk in chunks.into_iter().flatten() {
            if left == 0 {
                break;
            }
            chunk.truncate(left);
            left -= chunk.len();
            self.done.push_back(Completion { key, outcome: Outcome::Received(chunk), more: true });
        }
        let watch = self.watch(socket);
        let is_short = count < room;
        // Whoever has filled a chunk may fill several.
        watch.plenty = !is_short || parts > 1 && count > room / parts;
        // What comes from now on is reported anew.
        if is_short && !watch.read_closed && cfg!(any(target_os = "linux", target_os = "android")) {
            watch.readable = false;
            return Ok(Try::Waits);
        }
        Ok(Try::Again)
    }

    fn receive_from(&mut self, key: Key, store: &Store) -> io::Result<Try> {
        let Some(mut chunk) = self.supply.take() else { return Ok(Try::Done(Outcome::NoChunk)) };
        let into = &mut [MaybeUninitSlice::new(chunk.as_uninit())];
        let (count, flags, from) = system(store.descriptor_of(key)).recv_from_vectored(into)?;
        chunk.truncate(count);
        let from = descriptor::foreign(&from);
        let outcome = Outcome::ReceivedFrom { from, bytes: chunk, truncated: flags.is_truncated() };
        self.done.push_back(Completion { key, outcome, more: true });
        Ok(Try::Again)
    }
}

fn connected(key: Key, store: &Store) -> io::Result<Try> {
    let socket = system(store.descriptor_of(key));
    if let Some(error) = socket.take_error()? {
        return Ok(Try::Done(Outcome::Failed(error)));
    }
    match socket.peer_addr() {
        Ok(_) => Ok(Try::Done(Outcome::Connected)),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}

fn send(key: Key, store: &Store) -> io::Result<Try> {
    let mut slices = [IoSlice::new(&[]); GATHER];
    let mut count = 0;
    for (slice, bytes) in slices.iter_mut().zip(store.operations[key].rest()) {
        *slice = IoSlice::new(bytes);
        count += 1;
    }
    let socket = system(store.descriptor_of(key));
    let sent = socket.send_vectored_with_flags(&slices[..count], descriptor::SEND_FLAGS)?;
    Ok(Try::Done(Outcome::Sent(sent)))
}

fn send_to(key: Key, store: &Store) -> io::Result<Try> {
    let Some(outgoing) = store.operations[key].buffers.first() else {
        return Ok(Try::Done(Outcome::Cancelled));
    };
    let Some(to) = &outgoing.to else { return Ok(Try::Done(Outcome::Cancelled)) };
    let socket = system(store.descriptor_of(key));
    match socket.send_to_with_flags(&outgoing.buffer, &descriptor::native(to)?, descriptor::SEND_FLAGS) {
        // Its reader lags, and there is no report of when it does not.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && to.ip().is_none() => {
            Ok(Try::Done(Outcome::Failed(error)))
        }
        sent => Ok(Try::Done(Outcome::Sent(sent?))),
    }
}

impl Drive for Poll {
    fn kind(&self) -> Backend {
        Backend::Poll
    }

    fn make(&mut self, kind: SocketKind, address: &Address, options: &Options) -> io::Result<Descriptor> {
        descriptor::make(kind, address, options, true).map(Descriptor::System)
    }

    fn start(&mut self, key: Key, store: &mut Store) {
        let operation = &store.operations[key];
        let (work, socket) = (operation.work, operation.socket);
        let descriptor = system(store.descriptor_of(key));
        if work == Work::Connect {
            let to = operation.to.as_ref().ok_or(io::ErrorKind::InvalidInput.into());
            let begun = to.and_then(descriptor::native).and_then(|address| descriptor.connect(&address));
            match begun {
                Err(error) if !is_under_way(&error) => {
                    return self.finish_operation(key, socket, Outcome::Failed(error));
                }
                _ => {}
            }
            // Whether it is connected is asked when it is reported, which it is at once if it is.
            self.watch(socket).writable = false;
        }
        if let Err(error) = self.register(socket, descriptor) {
            return self.finish_operation(key, socket, Outcome::Failed(error));
        }
        let watch = self.watch(socket);
        if matches!(work, Work::Accept | Work::Receive | Work::ReceiveFrom) {
            watch.reading = Some(key);
            if watch.readable {
                self.ready_in.push_back(key);
            }
        } else {
            watch.writing.push_back(key);
            if watch.writable {
                self.ready_out.push_back(key);
            }
        }
    }

    fn send_now(&mut self, descriptor: &Descriptor, bytes: &[u8]) -> usize {
        descriptor::send_now(system(descriptor), bytes)
    }

    fn cancel(&mut self, key: Key, store: &mut Store) {
        let socket = store.operations[key].socket;
        let watch = self.watch(socket);
        // If it is over already, then its completion is under way.
        if watch.reading == Some(key) || watch.writing.contains(&key) {
            self.finish_operation(key, socket, Outcome::Cancelled);
        }
    }

    fn retire(&mut self, socket: Key, descriptor: &Descriptor, reset: bool) {
        let descriptor = system(descriptor);
        let watch = self.watch(socket);
        watch.socket = Key::default();
        if std::mem::take(&mut watch.registered) {
            // The operating system forgets it when it is closed, in any case.
            let _ = self.poll.registry().deregister(&mut SourceFd(&descriptor.as_raw_fd()));
        }
        if reset {
            descriptor::reset_at_close(descriptor);
        }
    }

    fn finish(&mut self, descriptor: &Descriptor) -> io::Result<()> {
        system(descriptor).shutdown(std::net::Shutdown::Write)
    }

    fn submit(&mut self, store: &mut Store, out: &mut VecDeque<Completion>) {
        self.try_all(false, store);
        out.append(&mut self.done);
    }

    fn reap(&mut self, store: &mut Store, out: &mut VecDeque<Completion>) {
        self.unasked += 1;
        let is_idle = self.ready_in.is_empty() && self.ready_out.is_empty();
        if !self.polled && (is_idle || self.unasked >= UNASKED_MAX) {
            self.ask(Some(Duration::ZERO), store);
        }
        self.note();
        self.try_all(false, store);
        self.try_all(true, store);
        out.append(&mut self.done);
    }

    fn has_input(&mut self, store: &mut Store) -> bool {
        if !self.has_pending(store) {
            self.ask(Some(Duration::ZERO), store);
        }
        self.has_pending(store)
    }

    fn has_pending(&mut self, _: &mut Store) -> bool {
        self.polled || !(self.done.is_empty() && self.ready_in.is_empty() && self.ready_out.is_empty())
    }

    fn has_chunks(&mut self) -> bool {
        self.supply.has_free()
    }

    fn park(&mut self, timeout: Option<Duration>, store: &mut Store) {
        self.try_all(false, store);
        if !self.has_pending(store) {
            self.ask(timeout, store);
        }
    }

    fn waker(&self) -> Waker {
        let waker = self.waker.clone();
        Waker::new(move || {
            if let Err(error) = waker.wake() {
                tracing::error!(%error, "a reactor cannot be woken");
            }
        })
    }

    fn local_address(&self, descriptor: &Descriptor) -> io::Result<Address> {
        descriptor::local_address(system(descriptor))
    }

    fn peer_address(&self, descriptor: &Descriptor) -> io::Result<Address> {
        descriptor::peer_address(system(descriptor))
    }

    fn peer_user(&self, descriptor: &Descriptor) -> io::Result<PeerUser> {
        PeerUser::of(system(descriptor))
    }

    fn end(&mut self) {}

    fn leak(&mut self) {}

    #[cfg(test)]
    fn chunks_held(&mut self) -> usize {
        self.supply.held()
    }
}

/// Whether a connect has merely not ended yet.
fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.kind() == io::ErrorKind::Interrupted
        || error.raw_os_error() == Some(libc::EINPROGRESS)
}
