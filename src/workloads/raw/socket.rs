//! The raw loops of sockets: plain ones between two pinned threads, which do not block and spin, or block and sleep.
//!
//! The client is on the first core and the server on the second, as in the workloads that these bound. An echo sends
//! back what it reads; a stream is read and counted. Nothing is looked at on the way but how much it is, and by the
//! client whether it is what it sent.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Instant;

use crate::workloads::error::check;
use crate::workloads::quantile::Times;
use crate::workloads::{Cost, Plan, WorkloadError, pin};

/// Bytes of one message.
pub(in crate::workloads) const ECHO: usize = 64;
/// Bytes of one write of a stream.
pub(in crate::workloads) const WRITE: usize = 64 * 1024;

/// What a side does while its socket has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::workloads) enum Waiting {
    /// Asks again.
    Spins,
    /// Is put to sleep by the operating system.
    Sleeps,
}

/// A connected stream of which neither end holds small writes back.
pub(in crate::workloads) fn connect(server: SocketAddr, waiting: Waiting) -> io::Result<TcpStream> {
    ready(TcpStream::connect(server)?, waiting)
}

fn ready(stream: TcpStream, waiting: Waiting) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(waiting == Waiting::Spins)?;
    Ok(stream)
}

/// Runs a client on the first core and the server of its one connection on the second.
///
/// # Errors
/// A core that cannot be used, a socket that fails, or what the client finds wrong.
pub(in crate::workloads) fn beside_a_thread<T: Send>(
    plan: &Plan,
    waiting: Waiting,
    client: impl FnOnce(SocketAddr) -> io::Result<T> + Send,
    server: impl FnOnce(TcpStream) -> io::Result<()> + Send,
) -> Result<T, WorkloadError> {
    let failed = || WorkloadError::runtime("a raw socket failed");
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed())?;
    let address = listener.local_addr().map_err(failed())?;
    let serve = move || {
        let (peer, _) = listener.accept()?;
        server(ready(peer, waiting)?)
    };
    let (result, served) = pin::pair(plan.pair()?, || client(address), serve)?;
    served.map_err(failed())?;
    result.map_err(failed())
}

/// As [`beside_a_thread`], over a pair of Unix sockets that spin.
///
/// # Errors
/// As there.
#[cfg(unix)]
pub(in crate::workloads) fn over_a_pair<T: Send>(
    plan: &Plan,
    client: impl FnOnce(UnixStream) -> io::Result<T> + Send,
    server: impl FnOnce(UnixStream) -> io::Result<()> + Send,
) -> Result<T, WorkloadError> {
    let failed = || WorkloadError::runtime("a raw socket failed");
    let (near, far) = UnixStream::pair().map_err(failed())?;
    for end in [&near, &far] {
        end.set_nonblocking(true).map_err(failed())?;
    }
    let (result, served) = pin::pair(plan.pair()?, || client(near), || server(far))?;
    served.map_err(failed())?;
    result.map_err(failed())
}

/// Sends back, message by message, as many as are named.
pub(in crate::workloads) fn answer(mut peer: impl Read + Write, rounds: u64) -> io::Result<()> {
    let mut bytes = [0; ECHO];
    for _ in 0..rounds {
        read_all(&mut peer, &mut bytes)?;
        write_all(&mut peer, &bytes)?;
    }
    Ok(())
}

/// Round trips, one after the other. Says what they took, and notes what each took if that is wanted.
pub(in crate::workloads) fn call(
    mut stream: impl Read + Write,
    rounds: u64,
    times: Option<&mut Times>,
) -> io::Result<Cost> {
    let mut bytes = [0; ECHO];
    time_rounds(rounds, times, |round| {
        bytes[..8].copy_from_slice(&round.to_le_bytes());
        write_all(&mut stream, &bytes)?;
        read_all(&mut stream, &mut bytes)?;
        Ok(bytes)
    })
}

/// Goes round trips, each of which gives what came back of its number, and counts and times them.
#[inline]
pub(super) fn time_rounds(
    rounds: u64,
    mut times: Option<&mut Times>,
    mut go: impl FnMut(u64) -> io::Result<[u8; ECHO]>,
) -> io::Result<Cost> {
    let mut wrong = 0;
    let (mut began, mut sent) = (Instant::now(), Instant::now());
    for round in 0..rounds {
        wrong += u64::from(go(round)?[..8] != round.to_le_bytes());
        // The first only shows that the other side is there.
        if round == 0 {
            (began, sent) = (Instant::now(), Instant::now());
        } else if let Some(times) = &mut times {
            let now = Instant::now();
            times.add((now - sent).as_nanos() as u64);
            sent = now;
        }
    }
    let elapsed = began.elapsed();
    check("the answers that were not the question", 0, wrong).map_err(io::Error::other)?;
    Ok(Cost::time(elapsed, rounds - 1))
}

/// Writes one behind the other, until the server says that it has all of them.
pub(in crate::workloads) fn pour(mut stream: impl Read + Write, writes: u64) -> io::Result<Cost> {
    let bytes = vec![7; WRITE];
    let began = Instant::now();
    for _ in 0..writes {
        write_all(&mut stream, &bytes)?;
    }
    read_all(&mut stream, &mut [0])?;
    Ok(Cost::time(began.elapsed(), writes))
}

/// Reads so many writes, and says so.
pub(in crate::workloads) fn drain(mut peer: impl Read + Write, writes: u64) -> io::Result<()> {
    let (mut bytes, mut left) = (vec![0; WRITE], writes * WRITE as u64);
    while left > 0 {
        left -= some(&mut peer, &mut bytes)? as u64;
    }
    write_all(&mut peer, b"!")
}

/// Sends back whatever comes, as it comes, until it was so many bytes.
pub(in crate::workloads) fn reflect(mut peer: impl Read + Write, mut left: usize) -> io::Result<()> {
    let mut bytes = vec![0; WRITE];
    while left > 0 {
        let count = some(&mut peer, &mut bytes)?;
        write_all(&mut peer, &bytes[..count])?;
        left -= count;
    }
    Ok(())
}

/// Keeps `window` bytes under way until `all` have come back, and sends as much as comes, as it comes.
pub(in crate::workloads) fn juggle(
    mut stream: impl Read + Write,
    window: usize,
    all: usize,
) -> io::Result<Instant> {
    let mut bytes = vec![0; WRITE.max(window)];
    let (mut sent, mut back) = (window.min(all), 0);
    let began = Instant::now();
    write_all(&mut stream, &bytes[..sent])?;
    while back < all {
        let count = some(&mut stream, &mut bytes)?;
        back += count;
        let next = count.min(all - sent);
        write_all(&mut stream, &bytes[..next])?;
        sent += next;
    }
    Ok(began)
}

pub(in crate::workloads) fn read_all(stream: &mut impl Read, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = some(stream, bytes)?;
        bytes = &mut bytes[count..];
    }
    Ok(())
}

/// At least one byte, when there is one.
pub(in crate::workloads) fn some(stream: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(in crate::workloads) fn write_all(stream: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
