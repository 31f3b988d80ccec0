//! What a reactor and its sockets are told when they are made.

use std::time::Duration;

/// What moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// io_uring.
    Uring,
    /// Readiness: epoll, kqueue.
    Poll,
    /// A simulated network.
    Simulated,
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Backend::Uring => "io_uring",
            Backend::Poll => "poll",
            Backend::Simulated => "simulated",
        })
    }
}

/// Which backend to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// io_uring where it can be used, else readiness.
    #[default]
    Automatic,
    /// io_uring, or none.
    Uring,
    /// Readiness.
    Poll,
}

/// What a reactor is made from.
#[derive(Clone, Debug)]
pub struct ReactorConfig {
    /// Which backend to use. [`Choice::Automatic`] by default.
    pub backend: Choice,
    /// Chunks to receive into, of `chunk_bytes` each. With them the reactor's memory for what was
    /// received is bounded. 256 by default, from 1 to 32,768 (what is outside is taken for the nearest); a power of two, else it
    /// is rounded up.
    pub chunks: u16,
    /// Bytes of a chunk, rounded up to whole pages of 4 KiB. 16 KiB by default, at most 1 MiB.
    pub chunk_bytes: usize,
    /// Sockets at most. A connection that comes beyond is closed at once, and counted. 65,536 by default. Memory is taken for
    /// those that are there.
    pub sockets: usize,
    /// Bytes that may wait to be sent at one socket; what is in flight counts, and so does the queue's own memory, about a
    /// hundred bytes for each buffer. With more, a write is [refused](super::WriteError::Full); but one buffer of any size is
    /// taken where nothing waits. 1 MiB by default.
    pub send_bytes: usize,
    /// Entries of io_uring's submission queue: operations begun in one turn, until they are passed on early. Its
    /// completion queue has eight times as many. 256 by default, from 16 to 4,096: what is outside is taken for the nearest.
    pub ring_entries: u16,
    /// Sockets whose descriptors are registered with io_uring, at most: those that are used for long, for which the kernel
    /// then need not look up a descriptor for each operation. 4,096 by default, and never more than the process may
    /// have descriptors; 8 bytes each of the kernel's. 0 is none.
    pub registered: usize,
    /// How long a core that sleeps goes on sleeping for more to come at most, if several things came since it slept last:
    /// fewer and larger turns, for less work in all, as a network card moderates its interrupts. It goes on until so many
    /// things have come as half of the sockets of which it heard in the last such time, and no more than a quarter of what
    /// came then: so a quarter of this is what it takes at most while traffic stays as it is, and all of it once, when that
    /// breaks off. Things that come one at a time are not held up; the first of several is, and so is a wake-up from
    /// another core if there was none in the last such time. Zero, the default, is not at all; a millisecond suits a service
    /// whose many clients send several requests at once and whose cores are not always busy. With less, less is held up and
    /// less is saved: a timer runs once in each such time. A service may [stop](super::Reactor::set_coalescing) it
    /// while it runs. io_uring alone does this; without it nothing is held up.
    pub coalesce: Duration,
    /// Writes to another host that leave together and are of at least so many bytes, a page each on average, go without a
    /// copy, where io_uring is used; a socket for which the operating system copies all the same, or that would pass the
    /// limit for locked memory, goes back to copying. `None`, the default, is never. Between two hosts of one machine
    /// (loopback, a pair of virtual devices) everything is copied at the receiver instead, and what is sent so cost 1.2 to
    /// 1.6 times the processor time from 4 to 64 KiB, and much the same at 1 MiB. It pays only where the network device
    /// gathers, and that is to be measured there: Linux's documentation has it pay from some 10 KB on. What is sent so
    /// counts by whole pages at a receiver of the same machine: with a receive buffer of less than some segments there, its
    /// window shrinks to a few hundred bytes and the connection crawls.
    pub zero_copy_from: Option<usize>,
}

impl Default for ReactorConfig {
    fn default() -> ReactorConfig {
        ReactorConfig {
            backend: Choice::Automatic,
            chunks: 256,
            chunk_bytes: 16 << 10,
            sockets: 1 << 16,
            send_bytes: 1 << 20,
            ring_entries: 256,
            registered: 4096,
            coalesce: Duration::ZERO,
            zero_copy_from: None,
        }
    }
}

impl ReactorConfig {
    pub(crate) fn chunks(&self) -> u16 {
        self.chunks.clamp(1, 1 << 15).next_power_of_two()
    }

    pub(crate) fn chunk_bytes(&self) -> usize {
        self.chunk_bytes.clamp(1, 1 << 20)
    }
}

/// What a socket is made with. What does not apply to its kind is ignored.
#[derive(Clone, Debug)]
pub struct Options {
    /// Small writes are sent at once rather than held back for more. `true` by default.
    pub no_delay: bool,
    /// The peer is asked whether it still lives after a silence of this long. `None` by default.
    pub keep_alive: Option<Duration>,
    /// Several sockets may listen on one address, and the operating system spreads what comes over them: so each shard
    /// has a share. `false` by default.
    pub reuse_port: bool,
    /// Connections that may wait to be accepted. 1,024 by default.
    pub backlog: i32,
    /// Bytes of the operating system's receive buffer; its own choice by default.
    pub receive_buffer: Option<usize>,
    /// Bytes of the operating system's send buffer; its own choice by default.
    pub send_buffer: Option<usize>,
    /// IPv6 sockets do not take IPv4 connections. `false` by default.
    pub only_v6: bool,
    /// The sender's address of a stream that is connected. The operating system's choice by default.
    pub local: Option<std::net::SocketAddr>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            no_delay: true,
            keep_alive: None,
            reuse_port: false,
            backlog: 1024,
            receive_buffer: None,
            send_buffer: None,
            only_v6: false,
            local: None,
        }
    }
}
