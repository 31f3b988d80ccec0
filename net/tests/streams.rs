//! Streams of actors, on real sockets with each backend, and in the simulator.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use corelane_kernel::{Actor, ActorRef, Ctx, KernelConfig, Outcome, Strategy};
use corelane_net::reactor::sim::NetworkOptions;
use corelane_net::reactor::{Address, Choice, ReactorConfig, WriteError};
use corelane_net::{
    Accepted, DatagramCtx, DatagramEvent, Datagrams, ListenEvent, Listener, Net, NetConfig, Received,
    Service, SimulatedHost, SocketCtx, Stream, StreamEvent, StreamOptions, serve,
};
use corelane_shard::sim::{Options as SimOptions, Sim, note};
use corelane_shard::{Idle, On, System};

const LONG: Duration = Duration::from_secs(60);

fn system(shards: usize, backend: Choice) -> System {
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
fn with_each(test: impl Fn(Choice)) {
    test(Choice::Poll);
    // Where io_uring is forbidden this is the same once more.
    test(Choice::Automatic);
}

fn end(system: System) {
    let report = system.shutdown(LONG);
    assert!(report.is_clean(), "{report}");
}

fn nearby() -> Address {
    "127.0.0.1:0".parse().unwrap()
}

fn connect(service: &Service) -> TcpStream {
    let stream = TcpStream::connect(service.address().ip().unwrap()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(LONG).expect("something in time")
}

/// Sends back what comes, as long as its connection takes it.
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

/// Waits until a shard has this many actors.
fn await_actors(system: &System, shard: usize, count: u64) {
    let until = Instant::now() + LONG;
    while system.call(shard, |scope| scope.stats().actors).unwrap() != count {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}

#[test]
fn every_shard_accepts_its_share_and_an_actor_for_each_connection_answers() {
    with_each(|backend| {
        let system = system(2, backend);
        let service = serve(&system, &nearby(), &StreamOptions::default(), Echo).unwrap();
        let mut clients: Vec<_> = (0..64).map(|_| connect(&service)).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            let said = vec![number as u8; 10_000];
            client.write_all(&said).unwrap();
            let mut heard = vec![0; 10_000];
            client.read_exact(&mut heard).unwrap();
            assert!(heard == said);
        }
        let actors = [0, 1].map(|shard| system.call(shard, |scope| scope.stats().actors).unwrap());
        assert_eq!(actors.iter().sum::<u64>(), 2 + 64);
        assert!(actors.iter().all(|actors| *actors > 1), "{actors:?}");
        // A connection that ends, ends its actor.
        drop(clients);
        (0..2).for_each(|shard| await_actors(&system, shard, 1));
        let address = service.address().ip().unwrap();
        service.stop();
        (0..2).for_each(|shard| await_actors(&system, shard, 0));
        let until = Instant::now() + LONG;
        while TcpStream::connect(address).is_ok() {
            assert!(Instant::now() < until, "it goes on listening");
        }
        end(system);
    });
}

/// What a test hears of a client, and has it do.
enum Order {
    Event(StreamEvent),
    Do(Box<dyn FnOnce(&Stream) + Send>),
}

/// Does with its stream as it is told, and passes on what happens.
struct Client {
    to: Address,
    options: StreamOptions,
    stream: Option<Stream>,
    heard: Sender<StreamEvent>,
}

impl Actor for Client {
    type Msg = Order;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.stream = Some(ctx.connect(&self.to, &self.options, Order::Event)?);
        Ok(())
    }
    fn receive(&mut self, order: Order, _: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Event(event) => Ok(self.heard.send(event)?),
            Order::Do(job) => {
                job(self.stream.as_ref().unwrap());
                Ok(())
            }
        }
    }
}

fn client(system: &System, to: &Address, options: StreamOptions) -> (ActorRef<Order>, Receiver<StreamEvent>) {
    let (heard, hears) = channel();
    let to = to.clone();
    let make =
        move || Client { to: to.clone(), options: options.clone(), stream: None, heard: heard.clone() };
    (system.spawn_on(On::Shard(0), make).unwrap(), hears)
}

fn order(system: &System, client: ActorRef<Order>, job: impl FnOnce(&Stream) + Send + 'static) {
    system.call(0, move |scope| scope.tell(client, Order::Do(Box::new(job)))).unwrap();
}

#[test]
fn an_actor_that_connects_is_told_of_everything() {
    with_each(|backend| {
        let system = system(1, backend);
        let service = serve(&system, &nearby(), &StreamOptions::default(), Echo).unwrap();
        let (client, hears) = client(&system, service.address(), StreamOptions::default());
        assert!(matches!(next(&hears), StreamEvent::Connected));
        let address = service.address().clone();
        order(&system, client, move |stream| {
            assert_eq!(stream.peer_address().unwrap(), address);
            assert!(stream.local_address().unwrap().is_local());
            stream.write_noticed(b"hello", 7).unwrap();
            stream.finish();
            assert!(matches!(stream.write(b"more"), Err(WriteError::Closed(_))));
        });
        let (mut received, mut written) = (Vec::new(), false);
        loop {
            match next(&hears) {
                StreamEvent::Received(bytes) => received.extend_from_slice(&bytes),
                StreamEvent::Written { token: 7, buffer } => written = *buffer == *b"hello",
                StreamEvent::Finished => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((&received[..], written), (&b"hello"[..], true));
        order(&system, client, Stream::close);
        assert!(matches!(next(&hears), StreamEvent::Closed));
        end(system);
    });
}

#[test]
fn a_connection_that_is_refused_is_told_so() {
    with_each(|backend| {
        let system = system(1, backend);
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Ip(nobody.local_addr().unwrap());
        drop(nobody);
        let (_, hears) = client(&system, &address, StreamOptions::default());
        match next(&hears) {
            StreamEvent::Failed(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
            other => panic!("{other:?}"),
        }
        end(system);
    });
}

#[test]
fn a_connection_is_paused_while_its_actor_keeps_what_came() {
    with_each(|backend| {
        // Given back one by one on this thread, while the shard may be asleep; or several at once on the shard.
        for (most, bytes) in [(1, 4 << 20), (3, 16 << 20)] {
            let system = system(1, backend);
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = Address::Ip(listener.local_addr().unwrap());
            let options = StreamOptions { unhandled: most, ..StreamOptions::default() };
            let (_, hears) = client(&system, &address, options);
            let (mut peer, _) = listener.accept().unwrap();
            let writer = std::thread::spawn(move || {
                peer.write_all(&vec![5; bytes]).unwrap();
                peer.shutdown(Shutdown::Write).unwrap();
            });
            assert!(matches!(next(&hears), StreamEvent::Connected));
            let (mut total, mut finished) = (0, false);
            while !finished {
                let mut kept: Vec<Received> = Vec::new();
                while kept.len() < most as usize && !finished {
                    match next(&hears) {
                        StreamEvent::Received(bytes) => kept.push(bytes),
                        StreamEvent::Finished => finished = true,
                        other => panic!("{other:?}"),
                    }
                }
                total += kept.iter().map(|bytes| bytes.len()).sum::<usize>();
                // Turns later nothing new has come.
                (0..3).for_each(|_| system.call(0, |_| ()).unwrap());
                assert!(hears.try_recv().is_err());
                if most == 1 { drop(kept) } else { system.call(0, move |_| drop(kept)).unwrap() }
            }
            assert_eq!(total, bytes);
            writer.join().unwrap();
            end(system);
        }
    });
}

/// Says something long when its connection begins, and ends in some way.
struct Herald(Stream, &'static str);

impl Actor for Herald {
    type Msg = StreamEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.0.write(vec![1; 900_000])?;
        match self.1 {
            "stops" => ctx.stop_self(),
            "fails" => return Err(std::fmt::Error.into()),
            _ => {}
        }
        Ok(())
    }
    fn receive(&mut self, _: StreamEvent, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

#[test]
fn what_an_actor_wrote_is_sent_though_it_has_ended() {
    with_each(|backend| {
        for how in ["stops", "fails", "goes on"] {
            let system = system(1, backend);
            let service =
                serve(&system, &nearby(), &StreamOptions::default(), move |stream| Herald(stream, how))
                    .unwrap();
            let mut peer = connect(&service);
            let mut heard = vec![0; 1];
            peer.read_exact(&mut heard).unwrap();
            // The rest comes while the system stops.
            let reader = std::thread::spawn(move || {
                peer.read_to_end(&mut heard).unwrap();
                heard
            });
            end(system);
            assert!(reader.join().unwrap() == vec![1; 900_000], "{how}");
        }
    });
}

/// Listens, and passes on who comes.
struct Door {
    listener: Option<Listener>,
    at: Sender<Address>,
    comes: Sender<Accepted>,
}

impl Actor for Door {
    type Msg = ListenEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let listener = ctx.listen(&nearby(), &Default::default(), |event| event)?;
        self.at.send(listener.local_address()?)?;
        self.listener = Some(listener);
        Ok(())
    }
    fn receive(&mut self, event: ListenEvent, _: &mut Ctx<'_, Self>) -> Outcome {
        if let ListenEvent::Accepted(accepted) = event {
            self.comes.send(accepted)?;
        }
        Ok(())
    }
}

#[test]
fn a_connection_that_nobody_takes_is_reset() {
    with_each(|backend| {
        let system = system(1, backend);
        let ((at, is_at), (comes, come)) = (channel(), channel());
        system.spawn(move || Door { listener: None, at: at.clone(), comes: comes.clone() }).unwrap();
        let mut peer = TcpStream::connect(next(&is_at).ip().unwrap()).unwrap();
        // Dropped on a thread that is no shard.
        drop(next(&come));
        peer.set_read_timeout(Some(LONG)).unwrap();
        let ended = peer.read(&mut [0; 1]);
        assert!(
            ended.as_ref().is_ok_and(|count| *count == 0)
                || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
        );
        end(system);
    });
}

#[test]
fn a_unix_socket_is_served_like_any_other() {
    with_each(|backend| {
        let path =
            std::env::temp_dir().join(format!("corelane-streams-{}-{backend:?}.sock", std::process::id()));
        let system = system(2, backend);
        let service = serve(&system, &Address::Unix(path.clone()), &StreamOptions::default(), Echo).unwrap();
        let mut peer = std::os::unix::net::UnixStream::connect(&path).unwrap();
        peer.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        peer.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        service.stop();
        std::fs::remove_file(&path).unwrap();
        end(system);
    });
}

#[test]
fn a_service_without_sockets_or_at_an_impossible_address_is_refused() {
    let without = System::builder().shards(1).pinned(false).start().unwrap();
    let error = serve(&without, &nearby(), &StreamOptions::default(), Echo).unwrap_err();
    assert_eq!(error.to_string(), "the system has not loaded the extension \"net\"");
    let system = system(2, Choice::Automatic);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Ip(taken.local_addr().unwrap());
    let error = serve(&system, &address, &StreamOptions::default(), Echo).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen: {address}: ")), "{error}");
    (0..2).for_each(|shard| await_actors(&system, shard, 0));
    end(system);
}

#[test]
fn an_address_is_served_once_unless_it_is_to_be_shared() {
    with_each(|backend| {
        let (one, other) = (system(2, backend), system(2, backend));
        let service = serve(&one, &nearby(), &StreamOptions::default(), Echo).unwrap();
        let address = service.address().clone();
        let error = serve(&other, &address, &StreamOptions::default(), Echo).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen: {address}: ")), "{error}");
        let mut shared = StreamOptions::default();
        shared.socket.reuse_port = true;
        let successor = serve(&other, &address, &shared, Echo).unwrap();
        service.stop();
        end(one);
        let mut client = connect(&successor);
        client.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        end(other);
    });
}

/// Sends datagrams back, and says where it is.
struct DatagramEcho {
    socket: Option<Datagrams>,
    at: Sender<std::net::SocketAddr>,
    unsendable: Sender<u64>,
}

impl Actor for DatagramEcho {
    type Msg = DatagramEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let socket = ctx.datagrams(&"127.0.0.1:0".parse()?, &Default::default(), 4, |event| event)?;
        self.at.send(socket.local_address()?.ip().unwrap())?;
        self.socket = Some(socket);
        Ok(())
    }
    fn receive(&mut self, event: DatagramEvent, _: &mut Ctx<'_, Self>) -> Outcome {
        let socket = self.socket.as_ref().unwrap();
        match event {
            DatagramEvent::Received { from, bytes, .. } if &bytes[..] == b"too long" => {
                socket.send_to_noticed(from, vec![0; 70_000], 9)?;
            }
            DatagramEvent::Received { from, bytes, truncated: false } => socket.send_to(from, bytes)?,
            DatagramEvent::NotSent { token, .. } => self.unsendable.send(token)?,
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

#[test]
fn an_actor_answers_datagrams() {
    with_each(|backend| {
        let system = system(1, backend);
        let ((at, is_at), (unsendable, not_sent)) = (channel(), channel());
        let make = move || DatagramEcho { socket: None, at: at.clone(), unsendable: unsendable.clone() };
        let actor = system.spawn(make).unwrap();
        let address = next(&is_at);
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(LONG)).unwrap();
        for round in 0..100u8 {
            peer.send_to(&[round; 100], address).unwrap();
            let mut heard = [0; 200];
            assert_eq!(peer.recv_from(&mut heard).unwrap(), (100, address));
            assert_eq!(heard[..100], [round; 100]);
        }
        peer.send_to(b"too long", address).unwrap();
        assert_eq!(next(&not_sent), 9);
        // Its port is free again when it has ended.
        system.call(0, move |scope| scope.stop(actor)).unwrap();
        let until = Instant::now() + LONG;
        while std::net::UdpSocket::bind(address).is_err() {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
        end(system);
    });
}

/// Counts what its echo says.
struct Talker {
    to: Address,
    options: StreamOptions,
    stream: Option<Stream>,
    left: usize,
}

impl Actor for Talker {
    type Msg = StreamEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let stream = ctx.connect(&self.to, &self.options, |event| event)?;
        stream.write(vec![9; self.left])?;
        self.stream = Some(stream);
        Ok(())
    }
    fn receive(&mut self, event: StreamEvent, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match event {
            StreamEvent::Received(bytes) => {
                self.left -= bytes.len();
                note(format_args!("{} bytes are left", self.left));
                if self.left == 0 {
                    note("all has come");
                    ctx.stop_self();
                }
            }
            StreamEvent::Failed(error) => {
                note(format_args!("failed: {:?}", error.kind()));
                ctx.stop_self();
            }
            _ => {}
        }
        Ok(())
    }
}

/// An echo service in a simulated network, and three who talk to it.
fn story(seed: u64, delay: std::ops::Range<Duration>, connect_within: Duration) -> String {
    let options = NetworkOptions { delay, window: 4_000, ..NetworkOptions::default() };
    let host = SimulatedHost { address: [10, 0, 0, 1].into(), network: seed, options };
    let net = NetConfig { simulated: Some(host), ..NetConfig::default() };
    let sim = Sim::new(seed).shards(2).options(SimOptions::calm()).extension(Net::of(net));
    let trace = sim.run(|sim| {
        let service = serve(sim.system(), &nearby(), &StreamOptions::default(), Echo)?;
        for shard in [0, 1, 0] {
            let to = service.address().clone();
            let options = StreamOptions { connect_within: Some(connect_within), ..StreamOptions::default() };
            let make =
                move || Talker { to: to.clone(), options: options.clone(), stream: None, left: 20_000 };
            sim.spawn_on(shard, make)?;
        }
        sim.run_for(Duration::from_secs(5));
        Ok(())
    });
    trace.unwrap().to_string()
}

#[test]
fn a_service_runs_in_the_simulator_and_the_same_seed_makes_the_same_happen() {
    let quick = Duration::from_micros(10)..Duration::from_micros(500);
    let first = story(1, quick.clone(), LONG);
    assert_eq!(first.matches("all has come").count(), 3, "{first}");
    assert!(first == story(1, quick.clone(), LONG));
    assert!(first != story(2, quick, LONG));
}

#[test]
fn a_connection_that_takes_too_long_has_timed_out() {
    let slow = Duration::from_secs(1)..Duration::from_secs(2);
    let trace = story(1, slow, Duration::from_millis(100));
    assert_eq!(trace.matches("failed: TimedOut").count(), 3, "{trace}");
}
