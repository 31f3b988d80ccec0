//! What a reactor remembers: its sockets, the operations that are in flight on them, and what it has to tell.

use std::collections::VecDeque;

use super::backend::Descriptor;
use super::counters::Counters;
use super::event::{Event, EventKind, SocketId};
use super::slab::{Key, Slab};
use crate::buffers::Buffer;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SocketKind {
    #[default]
    Stream,
    Listener,
    Datagrams,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    #[default]
    Open,
    /// A connect is in flight.
    Connecting,
    /// It has failed, and waits to be closed.
    Failed,
    /// It is closed when what is queued has been sent.
    Closing,
    /// It is closed when its operations have ended.
    Aborting,
}

/// Something to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) buffer: Buffer,
    pub(crate) token: Option<u64>,
    /// Of a datagram.
    pub(crate) to: Option<super::address::Address>,
}

#[derive(Debug, Default)]
pub(crate) struct Socket {
    pub(crate) kind: SocketKind,
    pub(crate) life: Life,
    pub(crate) tag: u64,
    pub(crate) descriptor: Option<Descriptor>,
    /// Operations in flight, orphaned ones included.
    pub(crate) operations: u32,
    /// Accepts or receives; at most one.
    pub(crate) incoming: Option<Key>,
    /// Connects, or sends what comes next over a stream; at most one.
    pub(crate) sending: Option<Key>,
    /// The caller wants to hear what comes.
    pub(crate) wanted: bool,
    /// Nothing more will come.
    pub(crate) over: bool,
    /// Came while nobody wanted to hear it.
    pub(crate) held: VecDeque<EventKind>,
    pub(crate) outgoing: VecDeque<Outgoing>,
    /// Bytes that wait to be sent or are in flight.
    pub(crate) outgoing_bytes: usize,
    /// It is among those whose queue is to be looked at before the next submission.
    pub(crate) dirty: bool,
    /// It waits for a chunk.
    pub(crate) starved: bool,
    pub(crate) finish: Finish,
    /// The peer is to be told of a failure when it is closed.
    pub(crate) reset: bool,
    /// The caller has never heard of it.
    pub(crate) unknown: bool,
    /// Large writes need not be copied.
    pub(crate) zero_copy: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Finish {
    #[default]
    No,
    /// After what is queued.
    Wanted,
    Done,
}

impl Socket {
    /// Makes what the last user of a slot left into a new socket.
    pub(crate) fn begin(&mut self, kind: SocketKind, life: Life, descriptor: Descriptor) {
        debug_assert!(self.operations == 0 && self.outgoing.is_empty() && self.held.is_empty());
        let (held, outgoing) = (std::mem::take(&mut self.held), std::mem::take(&mut self.outgoing));
        *self = Socket { kind, life, descriptor: Some(descriptor), held, outgoing, ..Socket::default() };
    }

    /// Whether anything may be sent over it.
    pub(crate) fn may_send(&self) -> bool {
        matches!(self.life, Life::Open | Life::Closing)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Work {
    #[default]
    Accept,
    Connect,
    Receive,
    ReceiveFrom,
    Send,
    SendTo,
}

/// Something in flight, and what it uses.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    pub(crate) work: Work,
    pub(crate) socket: Key,
    /// Its outcome is for nobody.
    pub(crate) orphaned: bool,
    /// Where to connect to.
    pub(crate) to: Option<super::address::Address>,
    pub(crate) buffers: Vec<Outgoing>,
    /// How many bytes of the buffers, taken together, have been sent.
    pub(crate) sent: usize,
    /// All bytes of the buffers.
    pub(crate) bytes: usize,
    /// Sent without a copy.
    pub(crate) zero_copy: bool,
    /// It has failed, and only its last completion is still to come.
    pub(crate) failed: bool,
}

impl Operation {
    /// The bytes that are still to be sent, buffer by buffer.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.sent;
        self.buffers.iter().filter_map(move |outgoing| {
            let bytes: &[u8] = &outgoing.buffer;
            let skipped = skip.min(bytes.len());
            skip -= skipped;
            // A datagram may be empty, and must be sent all the same.
            (skipped < bytes.len() || outgoing.to.is_some()).then(|| &bytes[skipped..])
        })
    }
}

pub(crate) struct Store {
    pub(crate) sockets: Slab<Socket>,
    pub(crate) operations: Slab<Operation>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
}

impl Store {
    pub(crate) fn new() -> Store {
        Store {
            sockets: Slab::new(),
            operations: Slab::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// The socket of an operation in flight. It stands as long as the operation does.
    pub(crate) fn socket_of(&self, operation: Key) -> &Socket {
        &self.sockets[self.operations[operation].socket]
    }

    /// The descriptor that an operation in flight uses.
    pub(crate) fn descriptor_of(&self, operation: Key) -> &Descriptor {
        self.socket_of(operation).descriptor.as_ref().expect("a socket is closed after its operations")
    }

    pub(crate) fn tell(&mut self, socket: Key, kind: EventKind) {
        let tag = self.sockets[socket].tag;
        self.events.push_back(Event { socket: SocketId(socket), tag, kind });
    }
}
