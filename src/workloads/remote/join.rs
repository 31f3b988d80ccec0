//! A crowd at the door of a host, and how long somebody takes to get in who belongs there. The workload `remote.join`: the
//! slowest of several hosts that join over TLS, from the first look for an actor of the other host to the answer, while 2,000
//! strangers are connected or try to be. Beside it is the same while nobody else is there.
//!
//! Half of the strangers are silent, the others say a hello byte by byte, one byte a second each. Whoever was closed to make
//! room comes again within half a second, so there is always somebody newer than the member at the door.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corelane_net::Endpoint;
use corelane_shard::Idle;
use corelane_shard::topology::pin_current_thread;

use super::far::USHER;
use super::host::{Far, PATIENCE, Speech, builder};
use super::words::Want;
use crate::workloads::{Cost, Plan, WorkloadError};

const CROWD: usize = 2_000;
/// How often somebody of the crowd says a byte.
const BEAT: Duration = Duration::from_millis(1);
/// Of the crowd so many are looked at in a beat, and connect again if they were closed.
const LOOKED_AT: usize = 4;

/// The beginning of a handshake: the heads of a record of 16 KiB and of a hello in it, which never comes to its end.
const HELLO: [u8; 9] = [22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];

/// One of the crowd, and how much it has said.
struct Stranger {
    stream: TcpStream,
    said: usize,
}

impl Stranger {
    fn connect(at: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(at)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, said: 0 })
    }

    fn say(&mut self) {
        // If it is closed, that is found out when it is looked at.
        let _ = self.stream.write(&[HELLO.get(self.said).copied().unwrap_or_default()]);
        self.said += 1;
    }

    fn is_closed(&mut self) -> bool {
        loop {
            match self.stream.read(&mut [0; 64]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }
}

/// Stays at the door until it is over.
fn stay(crowd: &mut [Stranger], at: SocketAddr, over: &AtomicBool) -> std::io::Result<()> {
    let (mut speaker, mut looked_at) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        // Every other one speaks.
        crowd[speaker].say();
        speaker = (speaker + 2) % crowd.len();
        for _ in 0..LOOKED_AT {
            let stranger = &mut crowd[looked_at];
            if stranger.is_closed() {
                *stranger = Stranger::connect(at)?;
            }
            looked_at = (looked_at + 1) % crowd.len();
        }
        thread::sleep(BEAT);
    }
    Ok(())
}

/// What a host takes to get in: it begins with nothing but an address.
fn join(core: usize, at: SocketAddr) -> Result<Duration, WorkloadError> {
    let started = builder(core, Idle::Frugal, Speech::Tls)?.start();
    let system = started.map_err(WorkloadError::runtime("the system could not be started"))?;
    let endpoint = system.extension::<Endpoint>().ok_or(WorkloadError::Panicked)?;
    let began = Instant::now();
    let usher = endpoint.lookup::<Want>(&format!("corelane://bench@{at}/user/{USHER}"), PATIENCE);
    usher.map_err(WorkloadError::runtime("a member did not get in"))?;
    let took = began.elapsed();
    drop(endpoint);
    let report = system.shutdown(PATIENCE);
    if report.is_clean() { Ok(took) } else { Err(WorkloadError::Unclean { report: report.to_string() }) }
}

/// `remote.join`: twenty members, one after the other.
///
/// # Errors
/// See [`WorkloadError`].
pub(in crate::workloads) fn crowded(plan: &Plan) -> Result<Cost, WorkloadError> {
    run(plan, CROWD)
}

/// Beside `remote.join`: as many, and nobody else is there.
///
/// # Errors
/// See [`WorkloadError`].
pub(in crate::workloads) fn quiet(plan: &Plan) -> Result<Cost, WorkloadError> {
    run(plan, 0)
}

fn run(plan: &Plan, crowd: usize) -> Result<Cost, WorkloadError> {
    let members = plan.pick(20, 3);
    let [near, core] = plan.pair()?;
    let far = Far::start(core, Idle::Latency, Speech::Tls)?;
    let (at, failed) = (far.address, || WorkloadError::runtime("the crowd could not connect"));
    let crowd = (0..crowd).map(|_| Stranger::connect(at)).collect::<Result<Vec<_>, _>>();
    let mut crowd = crowd.map_err(failed())?;
    let over = AtomicBool::new(false);
    let slowest = thread::scope(|threads| {
        let staying = (!crowd.is_empty()).then(|| {
            let (crowd, over) = (&mut crowd, &over);
            threads.spawn(move || {
                // Beside the members: the other core is the host's.
                pin_current_thread(near).map_err(|source| WorkloadError::Pinning { source })?;
                stay(crowd, at, over).map_err(failed())
            })
        });
        let joined = (0..members).map(|_| join(near, at)).collect::<Result<Vec<_>, _>>();
        over.store(true, Ordering::Relaxed);
        if let Some(staying) = staying {
            staying.join().map_err(|_| WorkloadError::Panicked)??;
        }
        joined.map(|all| all.into_iter().max().unwrap_or_default())
    })?;
    drop(crowd);
    far.end()?;
    Ok(Cost::time(slowest, 1))
}
