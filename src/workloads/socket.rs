//! Bytes over the loopback device: the workloads `net.echo` and `net.stream`, on each backend.
//!
//! A plain thread on the first core is the client, and the same for all: with plain sockets that do not block, it spins. On the
//! second core is an actor's connection, on a shard that does not sleep, or in the raw loops a thread like the client. So the
//! figures differ by what is done on one side only. An echo is 64 bytes there and back, one under way at a time; the stream
//! is writes of 64 KiB, read as they come and counted.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use corelane_kernel::{Actor, Ctx, Outcome};
use corelane_net::reactor::{Choice, ReactorConfig};
use corelane_net::{Net, NetConfig, Stream, StreamEvent, StreamOptions, serve};
use corelane_shard::{Idle, System};

use super::error::check;
use super::{Cost, Plan, WorkloadError, pin};

const ECHO: usize = 64;

const WRITE: usize = 64 * 1024;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends back what comes.
struct Echo(Stream);

impl Actor for Echo {
    type Msg = StreamEvent;

    fn receive(&mut self, event: StreamEvent, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match event {
            StreamEvent::Received(bytes) => self.0.write(bytes)?,
            StreamEvent::Finished | StreamEvent::Failed(_) => ctx.stop_self(),
            _ => {}
        }
        Ok(())
    }
}

/// Counts what comes, and says how much it was when so much has come.
struct Sink {
    stream: Stream,
    left: u64,
}

impl Actor for Sink {
    type Msg = StreamEvent;

    fn receive(&mut self, event: StreamEvent, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match event {
            StreamEvent::Received(bytes) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                if self.left == 0 {
                    self.stream.write(b"!")?;
                }
            }
            StreamEvent::Finished | StreamEvent::Failed(_) => ctx.stop_self(),
            _ => {}
        }
        Ok(())
    }
}

fn rounds(plan: &Plan) -> u64 {
    plan.pick(100_000, 10_000)
}

fn writes(plan: &Plan) -> u64 {
    plan.pick(20_000, 2_000)
}

/// `net.echo.uring`.
pub(super) fn echo_uring(plan: &Plan) -> Result<Cost, WorkloadError> {
    echo(plan, Choice::Uring)
}

/// `net.echo.poll`.
pub(super) fn echo_poll(plan: &Plan) -> Result<Cost, WorkloadError> {
    echo(plan, Choice::Poll)
}

/// `net.stream.uring`.
pub(super) fn stream_uring(plan: &Plan) -> Result<Cost, WorkloadError> {
    stream(plan, Choice::Uring)
}

/// `net.stream.poll`.
pub(super) fn stream_poll(plan: &Plan) -> Result<Cost, WorkloadError> {
    stream(plan, Choice::Poll)
}

fn echo(plan: &Plan, backend: Choice) -> Result<Cost, WorkloadError> {
    let rounds = rounds(plan);
    beside_actors(plan, backend, Echo, |server| call(server, rounds))
}

fn stream(plan: &Plan, backend: Choice) -> Result<Cost, WorkloadError> {
    let (writes, left) = (writes(plan), writes(plan) * WRITE as u64);
    beside_actors(plan, backend, move |stream| Sink { stream, left }, |server| pour(server, writes))
}

/// Runs a client on the first core against actors on the second.
fn beside_actors<A: Actor<Msg = StreamEvent>>(
    plan: &Plan,
    backend: Choice,
    actor: impl Fn(Stream) -> A + Clone + Send + 'static,
    client: impl FnOnce(SocketAddr) -> io::Result<Cost> + Send,
) -> Result<Cost, WorkloadError> {
    let [near, far] = plan.pair()?;
    let reactor = ReactorConfig { backend, ..ReactorConfig::default() };
    let builder = System::builder().name("bench").cores(&[far]).idle(Idle::Latency).shutdown_within(PATIENCE);
    let system = builder.extension(Net::of(NetConfig { reactor, ..NetConfig::default() })).start();
    let system = system.map_err(|error| match backend {
        // io_uring may be forbidden here, which is no fault of the run.
        Choice::Uring => WorkloadError::Unsupported { reason: error.to_string() },
        _ => WorkloadError::runtime("the system could not be started")(error),
    })?;
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0)).into();
    let service = serve(&system, &anywhere, &StreamOptions::default(), actor)
        .map_err(WorkloadError::runtime("the service could not be started"))?;
    let address = service.address().ip().ok_or(WorkloadError::Panicked)?;
    let cost =
        pin::run(near, || client(address))?.map_err(WorkloadError::runtime("the client's socket failed"));
    service.stop();
    let report = system.shutdown(PATIENCE);
    let cost = cost?;
    if !report.is_clean() {
        return Err(WorkloadError::Unclean { report: report.to_string() });
    }
    Ok(cost)
}

/// Beside `net.echo`: a thread that reads and writes.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn raw_echo(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = rounds(plan);
    beside_a_thread(
        plan,
        |server| call(server, rounds),
        |mut peer| {
            let mut bytes = [0; ECHO];
            for _ in 0..rounds {
                read_all(&mut peer, &mut bytes)?;
                write_all(&mut peer, &bytes)?;
            }
            Ok(())
        },
    )
}

/// Beside `net.stream`: a thread that reads.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn raw_stream(plan: &Plan) -> Result<Cost, WorkloadError> {
    let writes = writes(plan);
    beside_a_thread(
        plan,
        |server| pour(server, writes),
        |mut peer| {
            let (mut bytes, mut left) = (vec![0; WRITE], writes * WRITE as u64);
            while left > 0 {
                left -= some(&mut peer, &mut bytes)? as u64;
            }
            write_all(&mut peer, b"!")
        },
    )
}

fn beside_a_thread(
    plan: &Plan,
    client: impl FnOnce(SocketAddr) -> io::Result<Cost> + Send,
    server: impl FnOnce(TcpStream) -> io::Result<()> + Send,
) -> Result<Cost, WorkloadError> {
    let failed = || WorkloadError::runtime("a raw socket failed");
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed())?;
    let address = listener.local_addr().map_err(failed())?;
    let serve = move || {
        let (peer, _) = listener.accept()?;
        peer.set_nodelay(true)?;
        peer.set_nonblocking(true)?;
        server(peer)
    };
    let (cost, served) = pin::pair(plan.pair()?, || client(address), serve)?;
    served.map_err(failed())?;
    cost.map_err(failed())
}

// --- the client ------------------------------------------------------------------------------------------------------

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Round trips, one after the other.
fn call(server: SocketAddr, rounds: u64) -> io::Result<Cost> {
    let mut stream = connect(server)?;
    let (mut bytes, mut wrong) = ([0; ECHO], 0);
    let mut began = Instant::now();
    for round in 0..rounds {
        bytes[..8].copy_from_slice(&round.to_le_bytes());
        write_all(&mut stream, &bytes)?;
        read_all(&mut stream, &mut bytes)?;
        wrong += u64::from(bytes[..8] != round.to_le_bytes());
        // The first only shows that the other side is there.
        if round == 0 {
            began = Instant::now();
        }
    }
    let elapsed = began.elapsed();
    check("the answers that were not the question", 0, wrong).map_err(io::Error::other)?;
    Ok(Cost::time(elapsed, rounds - 1))
}

/// Writes one behind the other, until the last has come.
fn pour(server: SocketAddr, writes: u64) -> io::Result<Cost> {
    let mut stream = connect(server)?;
    let bytes = vec![7; WRITE];
    let began = Instant::now();
    for _ in 0..writes {
        write_all(&mut stream, &bytes)?;
    }
    read_all(&mut stream, &mut [0])?;
    Ok(Cost::time(began.elapsed(), writes))
}

fn read_all(stream: &mut TcpStream, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = some(stream, bytes)?;
        bytes = &mut bytes[count..];
    }
    Ok(())
}

/// At least one byte, when there is one.
fn some(stream: &mut TcpStream, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
}

fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
