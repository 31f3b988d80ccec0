//! Corelane: an actor for a connection, on a shard with its own sockets, by io_uring or by readiness.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use core_affinity::CoreId;
use corelane::net::reactor::{Choice, ReactorConfig};
use corelane::net::{Net, NetConfig, Stream, StreamEvent, StreamOptions, serve};
use corelane::prelude::*;

use crate::{Service, Waiting};

struct Connection {
    stream: Stream,
    service: Service,
}

impl Actor for Connection {
    type Msg = StreamEvent;

    fn receive(&mut self, event: StreamEvent, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match (event, &mut self.service) {
            (StreamEvent::Received(bytes), Service::Echo) => self.stream.write(bytes)?,
            (StreamEvent::Received(bytes), Service::Count(left)) => {
                *left -= bytes.len() as u64;
                if *left == 0 {
                    self.stream.write(b"!")?;
                }
            }
            (StreamEvent::Finished | StreamEvent::Failed(_), _) => ctx.stop_self(),
            _ => {}
        }
        Ok(())
    }
}

pub(crate) fn uring(
    core: CoreId,
    service: Service,
    waiting: Waiting,
    client: &mut dyn FnMut(SocketAddr) -> io::Result<f64>,
) -> io::Result<f64> {
    run(Choice::Uring, core, service, waiting, client)
}

pub(crate) fn poll(
    core: CoreId,
    service: Service,
    waiting: Waiting,
    client: &mut dyn FnMut(SocketAddr) -> io::Result<f64>,
) -> io::Result<f64> {
    run(Choice::Poll, core, service, waiting, client)
}

fn run(
    backend: Choice,
    core: CoreId,
    service: Service,
    waiting: Waiting,
    client: &mut dyn FnMut(SocketAddr) -> io::Result<f64>,
) -> io::Result<f64> {
    let idle = if waiting == Waiting::Spin { Idle::Latency } else { Idle::Frugal };
    let reactor = ReactorConfig { backend, ..ReactorConfig::default() };
    let net = Net::of(NetConfig { reactor, ..NetConfig::default() });
    let system = System::builder().cores(&[core.id]).idle(idle).extension(net).start();
    let system = system.map_err(io::Error::other)?;
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0)).into();
    let connection = move |stream| Connection { stream, service };
    let served =
        serve(&system, &anywhere, &StreamOptions::default(), connection).map_err(io::Error::other)?;
    let address = served.address().ip().ok_or_else(|| io::Error::other("no address"))?;
    let cost = client(address)?;
    served.stop();
    let report = system.shutdown(Duration::from_secs(10));
    if report.is_clean() { Ok(cost) } else { Err(io::Error::other(report.to_string())) }
}
