//! Nothing allocates on the way of a fixed-layout message between two hosts: from one actor's tell over sockets to the other's
//! handler, on either side, whether one message is under way or thousands are. Counted over both processes' worth of threads.
//! Under TLS, `rustls` allocates for each record at either end, and nobody for a message.

mod counting;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
use corelane_net::codec::{Fixed, Registry, Wire, bytemuck};
use corelane_net::link::LinkConfig;
use corelane_net::reactor::{Choice, Reactor, ReactorConfig};
use corelane_net::{Endpoint, EndpointConfig, Net, NetConfig, Pem, TlsConfig};
use corelane_shard::{Idle, On, System};

const LONG: Duration = Duration::from_secs(60);
/// How many messages are under way; how many go each way until what grows at first has grown; how many then in each stretch that
/// is counted; and how many such stretches, at most, until there is one without an allocation. What waits in queues may grow
/// in one of them, if a host is held up for longer than ever before; what allocates for messages does so in all.
#[derive(Clone, Copy)]
struct Load {
    window: u64,
    warm: u64,
    counted: u64,
    stretches: u64,
}

/// One at a time, as fast as the hosts wake each other. A thousand, which leave together. More than sockets and send buffers
/// take, so that some wait in rows.
const LOADS: [Load; 3] = [
    Load { window: 1, warm: 1_000, counted: 5_000, stretches: 4 },
    Load { window: 1_000, warm: 20_000, counted: 100_000, stretches: 4 },
    Load { window: 40_000, warm: 200_000, counted: 100_000, stretches: 4 },
];

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Tick([u64; 8]);

impl Wire for Tick {
    const NAME: &'static str = "test.Tick";
    type Form = Fixed;
}

type Peer = Arc<OnceLock<ActorRef<Tick>>>;

fn of(peer: &Peer) -> ActorRef<Tick> {
    peer.get().copied().unwrap_or(ActorRef::nobody())
}

/// Plays back.
struct Echo(Peer);

impl Actor for Echo {
    type Msg = Tick;
    fn receive(&mut self, tick: Tick, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(of(&self.0), tick);
        Ok(())
    }
}

/// Keeps some under way, and says how many allocations there were in the stretch that had fewest.
struct Rally {
    peer: Peer,
    load: Load,
    sent: u64,
    back: u64,
    before: u64,
    fewest: u64,
    over: bool,
    done: Sender<u64>,
}

impl Rally {
    /// Takes account of a stretch, if one has just ended.
    fn count(&mut self) {
        let Load { warm, counted, stretches, .. } = self.load;
        let Some(since) = self.back.checked_sub(warm).filter(|since| since % counted == 0) else { return };
        let now = counting::allocations_of_all();
        if since > 0 {
            self.fewest = self.fewest.min(now - self.before);
            self.over |= self.fewest == 0 || since == stretches * counted;
        }
        self.before = now;
    }
}

impl Actor for Rally {
    type Msg = Tick;
    fn receive(&mut self, Tick([number, ..]): Tick, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let first = self.sent == 0;
        if !first {
            assert_eq!(number, self.back, "a message is missing, or came twice");
            self.back += 1;
            self.count();
            if self.over && self.back == self.sent {
                let _ = self.done.send(self.fewest);
            }
        }
        for _ in 0..if first { self.load.window } else { 1 } {
            if !self.over {
                ctx.tell(of(&self.peer), Tick([self.sent; 8]));
                self.sent += 1;
            }
        }
        Ok(())
    }
}

fn system(backend: Choice, tls: Option<TlsConfig>) -> System {
    let mut registry = Registry::new();
    registry.register::<Tick>().unwrap();
    let reactor = ReactorConfig { backend, ..ReactorConfig::default() };
    // A heartbeat's time is kept in a tree, whose nodes come and go: with each heartbeat, not with each message.
    let link = LinkConfig { heartbeat: Duration::from_secs(3600), ..LinkConfig::default() };
    let config = EndpointConfig { system: "test".into(), link, tls, ..EndpointConfig::default() };
    System::builder()
        .shards(1)
        .pinned(false)
        .idle(Idle::Frugal)
        .region_bytes(32 << 20)
        .extension(Net::of(NetConfig { reactor, ..NetConfig::default() }))
        .extension(Endpoint::of(config, registry))
        .start()
        .unwrap()
}

fn find(from: &System, at: &System, name: &str) -> ActorRef<Tick> {
    let address = at.extension::<Endpoint>().unwrap().address();
    let url = format!("corelane://test@{address}/user/{name}");
    from.extension::<Endpoint>().unwrap().lookup(&url, LONG).unwrap()
}

/// Allocations of both systems in the stretch of messages to and fro that had fewest.
fn allocations(backend: Choice, load: Load, tls: Option<&TlsConfig>) -> u64 {
    let (near, far) = (system(backend, tls.cloned()), system(backend, tls.cloned()));
    let (to_far, to_near, (done, ended)) = (Peer::default(), Peer::default(), channel());
    let peer = to_near.clone();
    far.spawn_named(On::Shard(0), "echo", move || Echo(peer.clone())).unwrap();
    let peer = to_far.clone();
    let rally = move || Rally {
        peer: peer.clone(),
        load,
        sent: 0,
        back: 0,
        before: 0,
        fewest: u64::MAX,
        over: false,
        done: done.clone(),
    };
    let rally = near.spawn_named(On::Shard(0), "rally", rally).unwrap();
    to_far.set(find(&near, &far, "echo")).unwrap();
    to_near.set(find(&far, &near, "rally")).unwrap();
    near.gateway().unwrap().tell(rally, Tick([0; 8]));
    let allocations = ended.recv_timeout(LONG).unwrap();
    for system in [near, far] {
        let report = system.shutdown(LONG);
        assert!(report.is_clean() && report.dead_letters() == 0, "{report}");
    }
    allocations
}

/// Its records' own, and now and then more for what comes in the middle of one.
fn check_tls(backend: Choice) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = || Pem::text(made.cert.pem());
    let tls = TlsConfig::new(certificate(), Pem::text(made.signing_key.serialize_pem()), certificate());
    // Each message is a record of its own, both ways: one for each end of each.
    let [alone, together, _] = LOADS.map(|load| Load { stretches: 1, ..load });
    let each = allocations(backend, alone, Some(&tls)) as f64 / alone.counted as f64;
    assert!((3.9..4.5).contains(&each), "{backend:?}: {each} allocations for a round trip");
    // A record has many.
    let each = allocations(backend, together, Some(&tls)) as f64 / together.counted as f64;
    assert!(each < 1.0, "{backend:?}: {each} allocations for a round trip");
}

#[test]
fn nothing_is_allocated_for_a_message_between_hosts() {
    for backend in [Choice::Uring, Choice::Poll] {
        if let Err(error) = Reactor::open(&ReactorConfig { backend, ..ReactorConfig::default() }) {
            println!("SKIPPED: {error}");
            continue;
        }
        for load in LOADS {
            assert_eq!(allocations(backend, load, None), 0, "{backend:?}, {} under way", load.window);
        }
        check_tls(backend);
    }
}
