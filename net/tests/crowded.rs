//! A crowd at a host's door, on the clock of a simulation: when those are closed who say no hello, how long a member takes to get
//! in past them, and whom they cannot push out.

use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Strategy, Time};
use corelane_net::codec::Registry;
use corelane_net::link::LinkConfig;
use corelane_net::reactor::Address;
use corelane_net::sim::Cluster;
use corelane_net::{
    Endpoint, EndpointConfig, Pem, RemoteCtx, RemoteLookupError, SocketCtx, Stream, StreamEvent,
    StreamOptions, TlsConfig,
};
use corelane_shard::sim::{Host, Options, Sim, note};
use corelane_shard::{Extension, On};

const CROWD: usize = 2_000;
const AT_ONCE: usize = 500;
/// How long a host waits for a hello.
const DEADLINE: Duration = Duration::from_secs(15);
const SECOND: Duration = Duration::from_secs(1);
/// What the simulated network may take at most on top, there and back.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// The beginning of a handshake: the heads of a record of 16 KiB and of a hello in it, which never comes to its end.
const TLS_HELLO: &[u8] = &[22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];
/// The head of a frame of 200 bytes, and the beginning of a hello in it.
const CLEAR_HELLO: &[u8] = &[200, 0, 0, 0, 1, 0, 0, 0, b'C', b'O', b'R', b'E', b'L', b'A', b'N', b'E'];

enum Word {
    /// Some more connect.
    Come,
    /// What happens at one of the connections.
    Event(usize, StreamEvent),
    /// Every other one says a byte.
    Speak,
}

/// Connects two thousand times, and notes when the last of the connections has been closed by the other end.
struct Crowd {
    to: Address,
    hello: &'static [u8],
    /// With the time at which it began.
    streams: Vec<Option<(Stream, Time)>>,
    connected: usize,
    closed: usize,
    said: usize,
}

impl Actor for Crowd {
    type Msg = Word;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.set_timer(0u64, SECOND, Word::Speak)?;
        let me = ctx.me();
        ctx.tell(me, Word::Come);
        Ok(())
    }

    fn receive(&mut self, word: Word, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match word {
            Word::Come => {
                // Fewer than may wait to be accepted.
                for number in self.streams.len()..self.streams.len() + AT_ONCE {
                    let event = move |event| Word::Event(number, event);
                    let stream = ctx.connect(&self.to, &StreamOptions::default(), event)?;
                    self.streams.push(Some((stream, ctx.now())));
                }
                if self.streams.len() < CROWD {
                    ctx.set_timer(1u64, Duration::from_millis(10), Word::Come)?;
                }
            }
            Word::Speak => {
                let byte = self.hello.get(self.said).copied().unwrap_or_default();
                self.said += 1;
                for (stream, _) in self.streams.iter().skip(1).step_by(2).flatten() {
                    stream.write(vec![byte])?;
                }
                ctx.set_timer(0u64, SECOND, Word::Speak)?;
            }
            Word::Event(_, StreamEvent::Connected) => {
                self.connected += 1;
                if self.connected == CROWD {
                    note(format_args!("{CROWD} are in"));
                }
            }
            Word::Event(number, event @ (StreamEvent::Finished | StreamEvent::Failed(_))) => {
                let Some((_, since)) = self.streams[number].take() else { return Ok(()) };
                let after = ctx.now().since(since);
                assert!((DEADLINE..DEADLINE + UNDER_WAY).contains(&after), "{event:?} after {after:?}");
                self.closed += 1;
                if self.closed == CROWD {
                    note("all are closed");
                    ctx.stop_self();
                }
            }
            Word::Event(..) => {}
        }
        Ok(())
    }
}

/// Who is looked for.
struct Porter;

impl Actor for Porter {
    type Msg = u64;
    fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// Looks for the porter, and notes that it was found within a second.
struct Member {
    url: String,
    since: Time,
}

impl Actor for Member {
    type Msg = Result<ActorRef<u64>, RemoteLookupError>;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.since = ctx.now();
        ctx.lookup_at(&self.url, DEADLINE, |found| found);
        Ok(())
    }

    fn receive(&mut self, found: Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        found?;
        let took = ctx.now().since(self.since);
        assert!(took <= SECOND, "it took {took:?}");
        note("a member is in");
        Ok(())
    }
}

/// Connects and says nothing, and notes how long that was put up with.
struct Visitor {
    to: Address,
    since: Time,
    stream: Option<Stream>,
}

impl Actor for Visitor {
    type Msg = StreamEvent;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.since = ctx.now();
        self.stream = Some(ctx.connect(&self.to, &StreamOptions::default(), |event| event)?);
        Ok(())
    }

    fn receive(&mut self, event: StreamEvent, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if let StreamEvent::Finished | StreamEvent::Failed(_) = event {
            note(format_args!("closed after {} s", ctx.now().since(self.since).as_secs()));
            ctx.stop_self();
        }
        Ok(())
    }
}

/// Both hosts show one certificate, which is its own root.
fn tls() -> TlsConfig {
    let names = [1, 3].map(|number| Cluster::host(number).to_string());
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = || Pem::text(made.cert.pem());
    TlsConfig::new(certificate(), Pem::text(made.signing_key.serialize_pem()), certificate())
}

/// A host with places for all of the crowd, so that only their time can end them.
fn besieged(tls: Option<TlsConfig>, hello: &'static [u8]) {
    let options = Options { supervision: Strategy::stopping(), ..Options::calm() };
    let trace = Sim::new(1).shards(1).options(options).run(|sim| {
        let mut cluster = Cluster::new(sim.seed());
        let places = 2 * CROWD;
        cluster.endpoint = EndpointConfig {
            connections_max: places,
            connections_per_address_max: places,
            strangers_max: places,
            link: LinkConfig { handshake: DEADLINE, ..LinkConfig::default() },
            tls,
            ..cluster.endpoint
        };
        let mut host = sim.start_host(cluster.plan(1, 1, Registry::new()))?;
        host.system().spawn_named(On::Shard(0), "porter", || Porter)?;
        let mut street = sim.start_host(cluster.plan(2, 1, Registry::new()))?;
        street.spawn_on(0, move || Crowd {
            to: Address::Ip(Cluster::address(1)),
            hello,
            streams: Vec::new(),
            connected: 0,
            closed: 0,
            said: 0,
        })?;
        for _ in 0..3 {
            sim.run_for(4 * SECOND);
            // One that has just come: it knows nobody.
            let mut member = sim.start_host(cluster.plan(3, 1, Registry::new()))?;
            let url = cluster.url(1, "/user/porter");
            member.spawn_on(0, move || Member { url: url.clone(), since: Time::ZERO })?;
            sim.run_for(SECOND);
        }
        sim.run_for(2 * SECOND);
        let stats = host.call(0, |scope| Endpoint::part(scope).map(|gate| gate.stats()));
        let stats = stats.unwrap().unwrap();
        assert_eq!(stats.strangers_closed, CROWD as u64);
        Ok(())
    });
    let trace = trace.unwrap();
    let notes: Vec<_> = trace.notes().collect();
    let crowd = format!("{CROWD} are in");
    let member = "a member is in";
    assert_eq!(notes, [&crowd, member, member, member, "all are closed"]);
}

/// Reliability 25: half of them silent, the others with a hello that they say byte by byte.
#[test]
fn a_crowd_is_gone_by_the_deadline_and_members_join_past_it_within_a_second() {
    besieged(None, CLEAR_HELLO);
}

/// Reliability 25: with hellos of TLS.
#[test]
fn under_tls_a_crowd_is_gone_by_the_deadline_and_members_join_past_it_within_a_second() {
    besieged(Some(tls()), TLS_HELLO);
}

/// Reliability 25: the visitor was there first, and would have to go first if the oldest of all made room.
#[test]
fn a_crowd_from_one_address_pushes_out_nobody_of_another() {
    let options = Options { supervision: Strategy::stopping(), ..Options::calm() };
    let trace = Sim::new(1).shards(1).options(options).run(|sim| {
        let mut cluster = Cluster::new(sim.seed());
        cluster.endpoint = EndpointConfig {
            connections_max: 64,
            strangers_max: 4,
            link: LinkConfig { handshake: DEADLINE, ..LinkConfig::default() },
            ..cluster.endpoint
        };
        let to = Address::Ip(Cluster::address(1));
        let visitor = move || Visitor { to: to.clone(), since: Time::ZERO, stream: None };
        let mut host = sim.start_host(cluster.plan(1, 1, Registry::new()))?;
        let mut quiet = sim.start_host(cluster.plan(2, 1, Registry::new()))?;
        let mut street = sim.start_host(cluster.plan(3, 1, Registry::new()))?;
        quiet.spawn_on(0, visitor.clone())?;
        sim.run_for(SECOND);
        for number in 0..20 {
            sim.note(number);
            street.spawn_on(0, visitor.clone())?;
            sim.run_for(SECOND / 10);
        }
        let stats = |host: &mut Host| {
            let stats = host.call(0, |scope| Endpoint::part(scope).map(|gate| gate.stats()));
            stats.unwrap().unwrap()
        };
        let before = stats(&mut host);
        assert_eq!((before.strangers, before.strangers_closed), (4, 17));
        sim.note("the crowd has come");
        sim.run_for(2 * DEADLINE);
        assert_eq!(stats(&mut host).strangers_closed, 21);
        Ok(())
    });
    let trace = trace.unwrap();
    let notes: Vec<_> = trace.notes().collect();
    let mut expected: Vec<_> = (0..3).map(|number| number.to_string()).collect();
    // Each of the crowd that is one too many makes room for the next of them.
    for number in 3..20 {
        expected.extend([number.to_string(), "closed after 0 s".to_owned()]);
    }
    expected.push("the crowd has come".to_owned());
    expected.extend(vec!["closed after 15 s".to_owned(); 4]);
    assert_eq!(notes, expected);
}
