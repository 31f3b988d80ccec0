//! Bytes over the loopback device: the workloads `net.echo` and `net.stream`, on each backend.
//!
//! A plain thread on the first core is the client, and the same for all: with plain sockets that do not block, it spins. On the
//! second core is an actor's connection, on a shard that does not sleep, or in the raw loops a thread like the client. So the
//! figures differ by what is done on one side only. An echo is 64 bytes there and back, one under way at a time; the stream
//! is writes of 64 KiB, read as they come and counted.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use corelane_kernel::{Actor, Ctx, Outcome};
use corelane_net::reactor::{Choice, ReactorConfig};
use corelane_net::{Net, NetConfig, Stream, StreamEvent, StreamOptions, serve};
use corelane_shard::{Idle, System};

use super::raw::socket::{self, WRITE, Waiting::Spins};
use super::{Cost, Plan, WorkloadError, pin};

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
    socket::beside_a_thread(plan, Spins, |server| call(server, rounds), |peer| socket::answer(peer, rounds))
}

/// Beside `net.stream`: a thread that reads.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn raw_stream(plan: &Plan) -> Result<Cost, WorkloadError> {
    let writes = writes(plan);
    socket::beside_a_thread(plan, Spins, |server| pour(server, writes), |peer| socket::drain(peer, writes))
}

// --- the client ------------------------------------------------------------------------------------------------------

/// Round trips, one after the other.
fn call(server: SocketAddr, rounds: u64) -> io::Result<Cost> {
    socket::call(socket::connect(server, Spins)?, rounds, None)
}

/// Writes one behind the other, until the last has come.
fn pour(server: SocketAddr, writes: u64) -> io::Result<Cost> {
    socket::pour(socket::connect(server, Spins)?, writes)
}
