//! What a backend does for the engine: it begins operations, and says how they end.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::config::{Backend, Options};
use super::peer_user::PeerUser;
use super::slab::Key;
use super::store::{SocketKind, Store};
use crate::buffers::Chunk;

/// A socket as its backend knows it. Dropped, it is closed.
#[derive(Debug)]
pub(crate) enum Descriptor {
    #[cfg(unix)]
    System(socket2::Socket),
    Simulated(super::sim::End),
}

/// A word about an operation.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) key: Key,
    pub(crate) outcome: Outcome,
    /// It is not the last: the operation still owns what it was given.
    pub(crate) more: bool,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Accepted(Descriptor),
    Connected,
    Received(Chunk),
    ReceivedFrom {
        from: Address,
        bytes: Chunk,
        truncated: bool,
    },
    /// No more will come.
    EndOfStream,
    Sent(usize),
    /// The memory of a send without a copy is no longer in use.
    Released {
        copied: bool,
    },
    /// No chunk was left to receive into.
    NoChunk,
    /// It was cancelled, or ended by itself with nothing to say.
    Cancelled,
    Failed(io::Error),
}

/// What an engine stands on.
///
/// An operation is [started](Drive::start) once, and again only after its last completion. Whatever is wrong with it comes as
/// a completion. Until its last completion it stands in the store, with all that it uses.
pub(crate) trait Drive {
    fn kind(&self) -> Backend;

    /// Makes a socket: a listener or one for datagrams at the address, or a stream that is to be connected to it.
    fn make(&mut self, kind: SocketKind, address: &Address, options: &Options) -> io::Result<Descriptor>;

    /// Begins an operation of the store, now or at the next [submission](Drive::submit).
    fn start(&mut self, key: Key, store: &mut Store);

    /// Sends over a stream at once as much as it takes without waiting, outside of any operation. What it does not take, and
    /// what is wrong with it, is found out by the operation that sends the rest.
    fn send_now(&mut self, descriptor: &Descriptor, bytes: &[u8]) -> usize {
        let _ = (descriptor, bytes);
        0
    }

    /// Asks for the end of an operation in flight, which comes as a completion; what it did before counts.
    fn cancel(&mut self, key: Key, store: &mut Store);

    /// No operation of this socket is in flight: its descriptor is about to be closed. `reset`: so that the peer is told of
    /// a failure.
    fn retire(&mut self, socket: Key, descriptor: &Descriptor, reset: bool);

    /// Closes the sending half of a stream.
    fn finish(&mut self, descriptor: &Descriptor) -> io::Result<()>;

    /// Breaks a connection so that the operating system lets go of what it still holds for it.
    fn disconnect(&mut self, descriptor: &Descriptor) {
        let _ = descriptor;
    }

    /// Passes on what was started. What has ended with that is collected, so that no turn is needed to hear that a send is
    /// done.
    fn submit(&mut self, store: &mut Store, out: &mut VecDeque<Completion>);

    /// Collects what has come.
    fn reap(&mut self, store: &mut Store, out: &mut VecDeque<Completion>);

    /// Whether something may have come. Cheap enough to be asked while spinning.
    fn has_input(&mut self, store: &mut Store) -> bool;

    /// Whether something is known to have come: what is asked before a wait, which would find the rest.
    fn has_pending(&mut self, store: &mut Store) -> bool {
        self.has_input(store)
    }

    /// Whether there is a chunk to receive into. If not, the next that is given back wakes the reactor.
    fn has_chunks(&mut self) -> bool;

    /// Passes on what was started, and waits until something comes or the reactor is woken. May return early.
    fn park(&mut self, timeout: Option<Duration>, store: &mut Store);

    /// Whether waits may go on for more to come from now on. Without an effect where a backend's never do.
    fn set_coalescing(&mut self, coalescing: bool) {
        let _ = coalescing;
    }

    fn waker(&self) -> Waker;

    fn local_address(&self, descriptor: &Descriptor) -> io::Result<Address>;

    fn peer_address(&self, descriptor: &Descriptor) -> io::Result<Address>;

    fn peer_user(&self, descriptor: &Descriptor) -> io::Result<PeerUser>;

    /// Nothing is in flight: the operating system may hold nothing any more.
    fn end(&mut self);

    /// Something may still be in flight and will not end: whatever the operating system may still use is never freed.
    fn leak(&mut self);

    /// Chunks that are held outside the reactor.
    #[cfg(test)]
    fn chunks_held(&mut self) -> usize;
}

/// Ends a reactor's wait, from any thread. Cheap to clone.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Waker {
        Waker(Arc::new(wake))
    }

    /// Has the reactor's [wait](super::Reactor::park) return; if it does not wait, then its next. Costs a system call, so
    /// it is for those who know that the reactor's thread sleeps.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
