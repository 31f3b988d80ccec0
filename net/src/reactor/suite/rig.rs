//! A reactor with what it has told so far.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::Open;
use crate::buffers::Chunk;
use crate::reactor::{Address, EventKind, Options, Reactor, ReactorConfig, SocketId};

/// Some more than once.
const LOOKS: u32 = 64;
/// Met only by a reactor that is broken.
const DEADLINE: Duration = Duration::from_secs(60);

/// What was told of one socket.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) accepted: Vec<SocketId>,
    pub(super) not_accepted: u32,
    pub(super) connected: u32,
    pub(super) received: Vec<u8>,
    pub(super) datagrams: Vec<(Address, Vec<u8>, bool)>,
    pub(super) finished: u32,
    pub(super) written: Vec<u64>,
    pub(super) not_written: Vec<u64>,
    pub(super) failed: Vec<io::ErrorKind>,
    pub(super) closed: u32,
    pub(super) tags: Vec<u64>,
}

pub(super) struct Rig {
    pub(super) reactor: Reactor,
    pub(super) seen: BTreeMap<SocketId, Seen>,
    /// Chunks are kept here instead of being given back.
    pub(super) kept: Option<Vec<Chunk>>,
    /// Accepted connections are read at once.
    pub(super) resumes: bool,
    /// How often something is looked for before it is waited for.
    pub(super) looks: u32,
}

pub(super) fn small() -> ReactorConfig {
    ReactorConfig { chunks: 32, chunk_bytes: 4096, ..ReactorConfig::default() }
}

impl Rig {
    pub(super) fn new(open: Open, config: &ReactorConfig) -> Option<Rig> {
        Some(Rig { reactor: open(config)?, seen: BTreeMap::new(), kept: None, resumes: true, looks: LOOKS })
    }

    pub(super) fn of(&mut self, socket: SocketId) -> &mut Seen {
        self.seen.entry(socket).or_default()
    }

    /// One turn: what came is noted, what was asked for is passed on.
    pub(super) fn turn(&mut self) {
        self.reactor.turn();
        while let Some(event) = self.reactor.next_event() {
            let seen = self.seen.entry(event.socket).or_default();
            assert_eq!(seen.closed, 0, "{event:?} came after the last event of its socket");
            seen.tags.push(event.tag);
            match event.kind {
                EventKind::Accepted(socket) => {
                    seen.accepted.push(socket);
                    if self.resumes {
                        self.reactor.resume(socket);
                    }
                }
                EventKind::NotAccepted(_) => seen.not_accepted += 1,
                EventKind::Connected => seen.connected += 1,
                EventKind::Received(bytes) => {
                    assert!(!bytes.is_empty());
                    seen.received.extend_from_slice(&bytes);
                    if let Some(kept) = &mut self.kept {
                        kept.push(bytes);
                    }
                }
                EventKind::ReceivedFrom { from, bytes, truncated } => {
                    seen.datagrams.push((from, bytes.to_vec(), truncated));
                }
                EventKind::Finished => seen.finished += 1,
                EventKind::Written { token, .. } => seen.written.push(token),
                EventKind::NotWritten { token, .. } => seen.not_written.push(token),
                EventKind::Failed(error) => seen.failed.push(error.kind()),
                EventKind::Closed => seen.closed += 1,
            }
        }
        self.reactor.submit();
    }

    /// Goes on until something holds.
    #[track_caller]
    pub(super) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Rig) -> bool) {
        let until = Instant::now() + DEADLINE;
        loop {
            self.turn();
            if holds(self) {
                return;
            }
            assert!(Instant::now() < until, "{what}: {:?} {:?}", self.reactor, self.seen);
            // As a shard does that is idle.
            if !(0..self.looks).any(|_| self.reactor.has_input()) {
                self.reactor.park(Some(Duration::from_millis(20)));
            }
        }
    }

    pub(super) fn listen(&mut self) -> (SocketId, Address) {
        let listener = self.reactor.listen(&"127.0.0.1:0".parse().unwrap(), &Options::default()).unwrap();
        (listener, self.reactor.local_address(listener).unwrap())
    }

    pub(super) fn connect(&mut self, address: &Address) -> SocketId {
        self.reactor.connect(address, &Options::default()).unwrap()
    }

    /// A listener, a client and the server's end of its connection.
    pub(super) fn pair(&mut self) -> (SocketId, SocketId, SocketId) {
        let (listener, address) = self.listen();
        let client = self.connect(&address);
        self.until("connected", |rig| rig.of(client).connected == 1 && rig.of(listener).accepted.len() == 1);
        let server = self.of(listener).accepted[0];
        (listener, client, server)
    }

    /// Closes all, and checks that nothing is left.
    #[track_caller]
    pub(super) fn end(mut self) {
        for key in self.reactor.store.sockets.keys() {
            self.reactor.abort(SocketId(key));
        }
        self.until("nothing in flight", |rig| rig.reactor.sockets() == 0);
        self.check_empty();
    }

    #[track_caller]
    pub(super) fn check_empty(&mut self) {
        assert_eq!(self.reactor.in_flight(), 0);
        assert_eq!(self.reactor.counters().stale, 0);
        self.kept = None;
        assert_eq!(self.reactor.chunks_held(), 0);
        assert!(self.seen.values().all(|seen| seen.closed <= 1));
    }
}

/// Bytes that say where they belong.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251 + at / 65_521) as u8).collect()
}
