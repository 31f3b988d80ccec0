//! A proxy as a user would write one: from TCP to a Unix socket, one actor for each pair of streams. What it does not have to
//! do is what is tested: halves end one by one, whoever lags is waited for, and nobody else is.
#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use corelane_kernel::{Actor, Ctx, KernelConfig, Outcome, Strategy};
use corelane_net::reactor::{Address, Choice, ReactorConfig};
use corelane_net::{Net, NetConfig, Service, SocketCtx, Stream, StreamEvent, StreamOptions, serve};
use corelane_shard::{Idle, System};

const LONG: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Client,
    Server,
}

struct Msg(Side, StreamEvent);

impl From<StreamEvent> for Msg {
    fn from(event: StreamEvent) -> Msg {
        Msg(Side::Client, event)
    }
}

/// Joins a client that was accepted to the server.
struct Proxy {
    to: Address,
    client: Stream,
    server: Option<Stream>,
    finished: u32,
}

impl Actor for Proxy {
    type Msg = Msg;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let make = |event| Msg(Side::Server, event);
        self.server = Some(ctx.connect(&self.to, &StreamOptions::default(), make)?);
        Ok(())
    }

    fn receive(&mut self, Msg(side, event): Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let Some(server) = &self.server else { return Ok(()) };
        let (from, to) = match side {
            Side::Client => (&self.client, server),
            Side::Server => (server, &self.client),
        };
        match event {
            StreamEvent::Received(bytes) => to.write(bytes)?,
            StreamEvent::Finished => {
                to.finish();
                self.finished += 1;
                if self.finished == 2 {
                    ctx.stop_self();
                }
            }
            StreamEvent::Failed(_) => {
                from.abort();
                to.abort();
                ctx.stop_self();
            }
            _ => {}
        }
        Ok(())
    }
}

/// A system with a proxy, and the server behind it.
struct Rig {
    system: System,
    service: Service,
    server: UnixListener,
    path: PathBuf,
}

impl Rig {
    fn new(backend: Choice, reactor: ReactorConfig) -> Rig {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("corelane-proxy-{}-{number}.sock", std::process::id()));
        let server = UnixListener::bind(&path).unwrap();
        let reactor = ReactorConfig { backend, ..reactor };
        let system = System::builder()
            .shards(1)
            .pinned(false)
            .idle(Idle::Frugal)
            .region_bytes(16 << 20)
            .kernel(KernelConfig { supervision: Strategy::stopping(), ..KernelConfig::default() })
            .extension(Net::of(NetConfig { reactor, ..NetConfig::default() }))
            .start()
            .unwrap();
        let to = Address::Unix(path.clone());
        let make = move |client| Proxy { to: to.clone(), client, server: None, finished: 0 };
        let service = serve(&system, &"127.0.0.1:0".parse().unwrap(), &StreamOptions::default(), make);
        Rig { system, service: service.unwrap(), server, path }
    }

    /// Both ends of a way through the proxy.
    fn pair(&self) -> (TcpStream, UnixStream) {
        let client = TcpStream::connect(self.service.address().ip().unwrap()).unwrap();
        let (server, _) = self.server.accept().unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        server.set_read_timeout(Some(LONG)).unwrap();
        (client, server)
    }

    fn end(self) {
        let report = self.system.shutdown(LONG);
        std::fs::remove_file(self.path).unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

fn with_each(test: impl Fn(Choice)) {
    test(Choice::Poll);
    // Where io_uring is forbidden this is the same once more.
    test(Choice::Automatic);
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251 + at / 65_521) as u8).collect()
}

fn read_to_end(from: &mut impl Read) -> Vec<u8> {
    let mut heard = Vec::new();
    from.read_to_end(&mut heard).unwrap();
    heard
}

#[test]
fn each_half_ends_by_itself_on_either_side_of_a_proxy() {
    with_each(|backend| {
        let rig = Rig::new(backend, ReactorConfig::default());
        let (request, answer) = (pattern(300_000), pattern(500_000));
        // The client has said all, and still hears.
        let (mut client, mut server) = rig.pair();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                client.write_all(&request).unwrap();
                client.shutdown(Shutdown::Write).unwrap();
                assert!(read_to_end(&mut client) == answer);
            });
            assert!(read_to_end(&mut server) == request);
            server.write_all(&answer).unwrap();
            server.shutdown(Shutdown::Write).unwrap();
        });
        // The server has, and still hears.
        let (mut client, mut server) = rig.pair();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                server.write_all(&answer).unwrap();
                server.shutdown(Shutdown::Write).unwrap();
                assert!(read_to_end(&mut server) == request);
            });
            assert!(read_to_end(&mut client) == answer);
            client.write_all(&request).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        rig.end();
    });
}

/// Writes small pieces, then large ones until nothing has been taken for so many tries in a row; gives how many bytes were.
fn write_until_stopped(client: &mut TcpStream, small: usize, another: &mut impl FnMut()) -> usize {
    client.set_nonblocking(true).unwrap();
    let (mut written, mut refused, mut pieces) = (0, 0, 0);
    while refused < 100 {
        let piece: &[u8] = if pieces < small { b"xxxxxxx" } else { &[b'x'; 1 << 16] };
        pieces += 1;
        match client.write(piece) {
            Ok(count) => (written, refused) = (written + count, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(written < 256 << 20, "nothing ever stopped the writer");
        // It goes through the proxy and back: a turn of its shard, at least, in which the piece is taken up by itself.
        if pieces < small || refused > 0 {
            another();
        }
    }
    client.set_nonblocking(false).unwrap();
    written
}

/// Reliability 29: what is passed on is held until it is sent.
#[test]
fn a_reader_that_stops_behind_a_proxy_stops_its_writer_and_nobody_else() {
    with_each(|backend| {
        // Large pieces, or small ones before: a chunk is taken for either.
        for small in [0, 1000] {
            let rig = Rig::new(backend, ReactorConfig { chunks: 32, ..ReactorConfig::default() });
            let (mut client, mut server) = rig.pair();
            client.set_nodelay(true).unwrap();
            let (mut other, mut others_server) = rig.pair();
            other.set_nodelay(true).unwrap();
            let mut another = || {
                other.write_all(b"question").unwrap();
                let mut heard = [0; 8];
                others_server.read_exact(&mut heard).unwrap();
                others_server.write_all(b"answer").unwrap();
                other.read_exact(&mut heard[..6]).unwrap();
                assert_eq!(&heard[..6], b"answer");
            };
            let written = write_until_stopped(&mut client, small, &mut another);
            // Whoever reads again hears all of it, and the writer goes on.
            let reader = std::thread::spawn(move || {
                let heard = read_to_end(&mut server);
                (heard.len(), heard.ends_with(b"xend"))
            });
            client.write_all(b"end").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(reader.join().unwrap(), (written + 3, true));
            rig.end();
        }
    });
}

#[test]
fn a_failure_on_either_side_of_a_proxy_ends_the_other() {
    with_each(|backend| {
        let rig = Rig::new(backend, ReactorConfig::default());
        for clients in [true, false] {
            let (mut client, mut server) = rig.pair();
            client.write_all(b"hello").unwrap();
            server.read_exact(&mut [0; 5]).unwrap();
            // What comes is not read: a reset, which may overtake what was said before.
            client.write_all(b"unread").unwrap();
            server.write_all(b"unread").unwrap();
            let ended = if clients {
                client.peek(&mut [0; 1]).unwrap();
                drop(client);
                server.read_to_end(&mut Vec::new())
            } else {
                drop(server);
                client.read_to_end(&mut Vec::new())
            };
            let ended = ended.map_err(|error| error.kind());
            assert!(matches!(ended, Ok(0 | 6) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
        }
        rig.end();
    });
}
