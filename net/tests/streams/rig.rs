//! Systems with sockets, and an actor that echoes.

use std::net::TcpStream;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use corelane_kernel::{Actor, Ctx, KernelConfig, Outcome, Strategy};
use corelane_net::reactor::{Address, Choice, ReactorConfig};
use corelane_net::{Net, NetConfig, Service, Stream, StreamEvent};
use corelane_shard::{Idle, System};

pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn system(shards: usize, backend: Choice) -> System {
    let reactor = ReactorConfig { backend, ..ReactorConfig::default() };
    System::builder()
        .shards(shards)
        .pinned(false)
        .idle(Idle::Frugal)
        .region_bytes(16 << 20)
        .log_dead_letters(0)
        .kernel(KernelConfig { supervision: Strategy::stopping(), ..KernelConfig::default() })
        .extension(Net::of(NetConfig { reactor, ..NetConfig::default() }))
        .start()
        .unwrap()
}

/// Runs a test with each backend that this machine permits.
pub(crate) fn with_each(test: impl Fn(Choice)) {
    test(Choice::Poll);
    // Where io_uring is forbidden this is the same once more.
    test(Choice::Automatic);
}

pub(crate) fn end(system: System) {
    let report = system.shutdown(LONG);
    assert!(report.is_clean(), "{report}");
}

pub(crate) fn nearby() -> Address {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn connect(service: &Service) -> TcpStream {
    let stream = TcpStream::connect(service.address().ip().unwrap()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(crate) fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(LONG).expect("something in time")
}

/// Sends back what comes, as long as its connection takes it.
pub(crate) struct Echo(pub(crate) Stream);

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
