//! Which backend a reactor gets: io_uring where it can be had and proves itself, else readiness.
//!
//! The proof is a mebibyte over the loopback device, through everything that the backend does with streams: it must come
//! out as it went in. It is made once in a process; kernels do not change under it.

use std::fmt;
use std::io;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

use super::config::{Backend, Choice, ReactorConfig};
use super::engine::Reactor;

/// Why a reactor could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The backend that was asked for cannot be used, for this reason.
    Unusable {
        /// What was asked for.
        backend: Backend,
        /// Why not.
        reason: String,
    },
    /// The operating system refused what every reactor needs.
    System(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Unusable { backend, reason } => write!(f, "{backend} cannot be used: {reason}"),
            OpenError::System(error) => write!(f, "no reactor: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::System(error) => Some(error),
            OpenError::Unusable { .. } => None,
        }
    }
}

impl Reactor {
    /// Opens a reactor for the calling thread, which alone may use it. Costs a few system calls, and the first time in a process
    /// a millisecond for io_uring's self-test.
    ///
    /// # Errors
    /// [`OpenError`]. With [`Choice::Automatic`] a backend that cannot be used is no error as long as there is another:
    /// [`Reactor::reason`] says why it is not used.
    pub fn open(config: &ReactorConfig) -> Result<Reactor, OpenError> {
        match config.backend {
            Choice::Uring => {
                uring(config).map_err(|reason| OpenError::Unusable { backend: Backend::Uring, reason })
            }
            Choice::Poll => poll(config, "asked for".to_owned()),
            Choice::Automatic => or_poll(config, uring(config)),
        }
    }
}

/// What could be had, or else readiness and the reason why.
pub(super) fn or_poll(config: &ReactorConfig, uring: Result<Reactor, String>) -> Result<Reactor, OpenError> {
    let reason = match uring {
        Ok(reactor) => return Ok(reactor),
        Err(reason) => reason,
    };
    tracing::warn!(reason, "io_uring cannot be used; sockets are polled instead");
    let mut reactor = poll(config, format!("io_uring cannot be used: {reason}"))?;
    reactor.store.counters.fallbacks += 1;
    Ok(reactor)
}

#[cfg(unix)]
fn poll(config: &ReactorConfig, reason: String) -> Result<Reactor, OpenError> {
    let backend = super::poll::Poll::open(config).map_err(OpenError::System)?;
    Ok(Reactor::on(Box::new(backend), config, reason))
}

#[cfg(not(unix))]
fn poll(_: &ReactorConfig, _: String) -> Result<Reactor, OpenError> {
    let reason = "only Unix has sockets here so far".to_owned();
    Err(OpenError::Unusable { backend: Backend::Poll, reason })
}

#[cfg(target_os = "linux")]
fn uring(config: &ReactorConfig) -> Result<Reactor, String> {
    static PROVED: OnceLock<Result<(), String>> = OnceLock::new();
    let open = || -> Result<Reactor, String> {
        let backend = super::uring::Uring::open(config, &super::uring::OPERATIONS)?;
        Ok(Reactor::on(Box::new(backend), config, "its self-test was passed".to_owned()))
    };
    // A ring may be refused to one thread and not to another, where memory is short; the proof holds for all.
    let reactor = open()?;
    let proved = PROVED.get_or_init(|| {
        let mut reactor = open()?;
        proof::run(&mut reactor).map_err(|reason| format!("it failed its self-test: {reason}"))
    });
    proved.clone().map(|()| reactor)
}

#[cfg(not(target_os = "linux"))]
fn uring(_: &ReactorConfig) -> Result<Reactor, String> {
    Err("only Linux has it".to_owned())
}

/// The self-test.
#[cfg(any(target_os = "linux", test))]
pub(super) mod proof {
    use std::time::{Duration, Instant};

    use crate::reactor::{Address, EventKind, Options, Reactor};

    /// Bytes that are sent, in writes of different sizes.
    const BYTES: usize = 1 << 20;
    const WITHIN: Duration = Duration::from_secs(5);

    /// The bytes from one place on: none like its neighbours, or like those a chunk further.
    fn bytes(at: usize, len: usize) -> Vec<u8> {
        let word = |at: usize| ((at / 8) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        (at..at + len).map(|at| word(at).to_le_bytes()[at % 8]).collect()
    }

    /// FNV-1a, on from a hash.
    fn hash(from: u64, bytes: &[u8]) -> u64 {
        bytes.iter().fold(from, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3))
    }

    pub(crate) fn run(reactor: &mut Reactor) -> Result<(), String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let options = Options::default();
        let nearby: Address = "127.0.0.1:0".parse().map_err(|error| said(&error))?;
        let listener = reactor.listen(&nearby, &options).map_err(|error| said(&error))?;
        let address = reactor.local_address(listener).map_err(|error| said(&error))?;
        let client = reactor.connect(&address, &options).map_err(|error| said(&error))?;
        let (mut written, mut size) = (0, 1);
        let (mut sent, mut heard, mut heard_bytes) = (0xCBF2_9CE4_8422_2325, 0xCBF2_9CE4_8422_2325, 0);
        let (mut server, mut closed) = (None, 0);
        let until = Instant::now() + WITHIN;
        while closed < 3 {
            while written < BYTES {
                let piece = bytes(written, size.min(BYTES - written));
                let (len, next) = (piece.len(), hash(sent, &piece));
                if reactor.write(client, piece, None).is_err() {
                    break;
                }
                (written, sent, size) = (written + len, next, size * 5 % 65_521);
                if written == BYTES {
                    reactor.finish(client);
                }
            }
            reactor.submit();
            reactor.park(Some(Duration::from_millis(100)));
            reactor.turn();
            while let Some(event) = reactor.next_event() {
                match event.kind {
                    EventKind::Accepted(socket) => {
                        server = Some(socket);
                        reactor.resume(socket);
                    }
                    EventKind::Received(bytes) => {
                        heard = hash(heard, &bytes);
                        heard_bytes += bytes.len();
                    }
                    EventKind::Finished => {
                        [Some(client), server, Some(listener)]
                            .into_iter()
                            .flatten()
                            .for_each(|socket| reactor.close(socket));
                    }
                    EventKind::Closed => closed += 1,
                    EventKind::Failed(error) | EventKind::NotAccepted(error) => return Err(error.to_string()),
                    _ => {}
                }
            }
            if Instant::now() > until {
                return Err(format!("{heard_bytes} of {BYTES} bytes have come within {WITHIN:?}"));
            }
        }
        if (heard_bytes, heard) != (BYTES, sent) {
            return Err(format!("{BYTES} bytes were sent, and {heard_bytes} have come, or others"));
        }
        let left = (reactor.in_flight(), reactor.sockets(), reactor.counters().stale);
        if left != (0, 0, 0) {
            return Err(format!("operations, sockets and stale completions left behind: {left:?}"));
        }
        Ok(())
    }
}
