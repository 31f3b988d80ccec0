//! Systems that are joined by their configuration: nothing in the program says how, but which messages there are.

#[path = "targets/configuration.rs"]
mod configuration;
mod counting;

use std::net::ToSocketAddrs;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use corelane_kernel::router::{AnyStrategy, RouterKind};
use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Terminated};
use corelane_net::codec::{Compact, Props, Registry, Wire};
use corelane_net::reactor::Backend;
use corelane_net::{
    Endpoint, EndpointConfig, Net, NetConfig, RemoteCtx, RemotePool, RemoteSpawnError, Resolver, Sockets,
};
use corelane_shard::config::{Builder, Config};
use corelane_shard::{DeployPool, On, Sources, System};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

const LONG: Duration = Duration::from_secs(60);

/// As a host's file may be.
const FILE: &str = "
shards = 1
pinned = false
region_bytes = \"16 MiB\"
idle = \"frugal\"
extensions = [\"net\", \"endpoint\"]

[net]
backend = \"poll\"
chunks = 64

[remote]
system = \"shop\"

[remote.link]
heartbeat = \"100 ms\"
";

fn sources() -> Sources {
    Sources::new().section::<NetConfig>().section::<EndpointConfig>().text("shop.toml", FILE)
}

/// What a program does that leaves all else to its configuration.
fn builder(config: &Config) -> Builder {
    config
        .builder()
        .shutdown_within(LONG)
        .offer_extension(Net::configured())
        .offer_extension(Endpoint::configured(Registry::new()))
}

fn end(system: System) {
    let report = system.shutdown(LONG);
    assert!(report.is_clean(), "{report}");
}

struct Reader(Sender<String>);

impl Actor for Reader {
    type Msg = String;
    fn receive(&mut self, text: String, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.0.send(text);
        Ok(())
    }
}

#[test]
fn two_systems_are_joined_by_their_configuration() {
    let far = builder(&sources().load().unwrap()).start().unwrap();
    let near = sources().variables([("CORELANE_REMOTE_LOOKUPS_MAX", "1")]).load().unwrap();
    let near = builder(&near).start().unwrap();
    let backend = far.call(0, |scope| Sockets::of(scope).map(|sockets| sockets.backend()));
    assert_eq!(backend.unwrap(), Some(Backend::Poll));
    let (texts, read) = channel();
    far.spawn_named(On::Shard(0), "reader", move || Reader(texts.clone())).unwrap();
    let at = far.extension::<Endpoint>().unwrap().address();
    let endpoint = near.extension::<Endpoint>().unwrap();
    let reader = endpoint.lookup::<String>(&format!("corelane://shop@{at}/user/reader"), LONG).unwrap();
    near.call(0, move |scope| scope.tell(reader, "by configuration".to_owned())).unwrap();
    assert_eq!(read.recv_timeout(LONG).unwrap(), "by configuration");
    end(near);
    end(far);
}

/// What each routee is made of.
#[derive(Clone, Serialize, Deserialize)]
struct Hire;

impl Wire for Hire {
    const NAME: &'static str = "test.Hire";
    type Form = Compact;
}

impl Props for Hire {
    type Msg = String;
}

/// Whose code says nothing of hosts.
struct Foreman {
    workers: RemotePool<Hire, AnyStrategy>,
    kind: Sender<RouterKind>,
}

impl Actor for Foreman {
    type Msg = String;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.workers.start_deployed(ctx)?;
        Ok(self.kind.send(self.workers.strategy_mut().kind())?)
    }
    fn receive(&mut self, job: String, ctx: &mut Ctx<'_, Self>) -> Outcome {
        // Each is told once it is there.
        if self.workers.routees(ctx).len() < self.workers.len() {
            let me = ctx.me();
            ctx.tell(me, job);
            return Ok(());
        }
        self.workers.router(ctx).broadcast(ctx, job);
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.workers.replace(ctx, gone.address)?;
        Ok(())
    }
}

/// Conformance 21.
#[test]
fn a_file_decides_on_which_hosts_a_pool_has_how_many_routees_and_how_it_routes() {
    let hosts: [_; 3] = std::array::from_fn(|_| {
        let (texts, read) = channel();
        let mut registry = Registry::new();
        registry.spawns(move |_: &Hire| Reader(texts.clone())).unwrap();
        let config = sources().load().unwrap();
        let builder = config.builder().shutdown_within(LONG).offer_extension(Net::configured());
        let system = builder.offer_extension(Endpoint::configured(registry)).start().unwrap();
        let at = format!("corelane://shop@{}", system.extension::<Endpoint>().unwrap().address());
        (system, at, read)
    });
    for (routees, on) in [(5, &hosts[..]), (2, &hosts[1..])] {
        let list: Vec<_> = on.iter().map(|(_, at, _)| format!("{at:?}")).collect();
        let list = list.join(", ");
        let deployed = format!(
            "[deploy.\"/user/foreman\"]\nrouter = \"random\"\nroutees = {routees}\nroutees_at = [{list}]\n"
        );
        let near = builder(&sources().text("pool.toml", deployed).load().unwrap()).start().unwrap();
        let (kind, kinds) = channel();
        let make = move || Foreman {
            workers: RemotePool::new(1, Hire).strategy(AnyStrategy::new()),
            kind: kind.clone(),
        };
        let foreman = near.spawner("foreman").spawn(make).unwrap();
        assert_eq!(kinds.recv_timeout(LONG), Ok(RouterKind::Random));
        near.call(0, move |scope| scope.tell(foreman, "all".to_owned())).unwrap();
        for (host, (_, _, read)) in on.iter().enumerate() {
            let count = (routees + on.len() - 1 - host) / on.len();
            for _ in 0..count {
                assert_eq!(read.recv_timeout(LONG).as_deref(), Ok("all"));
            }
        }
        end(near);
        // Nobody else had one, and nobody more.
        assert!(hosts.iter().all(|(_, _, read)| read.try_recv().is_err()));
    }
    hosts.into_iter().for_each(|(system, ..)| end(system));
}

/// Has a child wherever that is decided.
struct Boss(Sender<ActorRef<String>>);

impl Actor for Boss {
    type Msg = Result<ActorRef<String>, RemoteSpawnError>;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.child_here().name("reader").spawn(Hire, |child| child)?;
        Ok(())
    }
    fn receive(&mut self, child: Self::Msg, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(self.0.send(child?)?)
    }
}

/// Conformance 21.
#[test]
fn a_file_calls_the_hosts_of_a_child_and_of_a_pool_by_their_names() {
    let (texts, read) = channel();
    let mut registry = Registry::new();
    registry.spawns(move |_: &Hire| Reader(texts.clone())).unwrap();
    let far = sources().load().unwrap().builder().shutdown_within(LONG).offer_extension(Net::configured());
    let far = far.offer_extension(Endpoint::configured(registry)).start().unwrap();
    let at = far.extension::<Endpoint>().unwrap().address();
    // One name that every machine has, one that is this test's.
    let deployed = format!(
        "[deploy.\"/user/boss/*\"]\nhost = \"corelane://shop@localhost:{}\"\n\
         [deploy.\"/user/foreman\"]\nroutees = 1\nroutees_at = [\"corelane://shop@reader.internal:9000\"]\n",
        at.port()
    );
    let config = sources().text("names.toml", deployed).load().unwrap();
    let resolver = Resolver::by(move |name, port| match (name, port) {
        ("reader.internal", 9000) => Ok(vec![at]),
        _ => (name, port).to_socket_addrs().map(Iterator::collect),
    });
    let near = builder(&config).configure::<EndpointConfig>(move |remote| remote.resolver = resolver);
    let near = near.start().unwrap();
    let (hired, children) = channel();
    near.spawner("boss").spawn(move || Boss(hired.clone())).unwrap();
    let child = children.recv_timeout(LONG).unwrap();
    near.call(0, move |scope| scope.tell(child, "a child".to_owned())).unwrap();
    assert_eq!(read.recv_timeout(LONG).as_deref(), Ok("a child"));
    let (kind, _kinds) = channel();
    let make = move || Foreman {
        workers: RemotePool::new(2, Hire).strategy(AnyStrategy::new()),
        kind: kind.clone(),
    };
    let foreman = near.spawner("foreman").spawn(make).unwrap();
    near.call(0, move |scope| scope.tell(foreman, "a routee".to_owned())).unwrap();
    assert_eq!(read.recv_timeout(LONG).as_deref(), Ok("a routee"));
    end(near);
    end(far);
}

#[test]
fn the_program_wins_over_files_and_variables() {
    let config = sources().variables([("CORELANE_REMOTE_SYSTEM", "bank")]).load().unwrap();
    assert!(config.to_string().contains("[remote]\nsystem = \"bank\" "), "{config}");
    let system = builder(&config).configure::<EndpointConfig>(|remote| remote.system = "mint".into());
    let system = system.start().unwrap();
    let shown = format!("{:?}", system.extension::<Endpoint>().unwrap());
    assert!(shown.starts_with("Endpoint(corelane://mint@127.0.0.1:"), "{shown}");
    end(system);
    // Without a configuration there are the defaults.
    let system = System::builder().shards(1).pinned(false).region_bytes(16 << 20);
    let system = system.extension(Net::configured()).extension(Endpoint::configured(Registry::new()));
    let system = system.start().unwrap();
    let shown = format!("{:?}", system.extension::<Endpoint>().unwrap());
    assert!(shown.starts_with("Endpoint(corelane://corelane@127.0.0.1:"), "{shown}");
    end(system);
}

#[test]
fn what_the_program_sets_is_checked_at_the_start() {
    let refused = builder(&sources().load().unwrap())
        .configure::<EndpointConfig>(|remote| remote.bind = "0.0.0.0:0".parse().unwrap())
        .start();
    let error = refused.err().unwrap().to_string();
    assert!(error.starts_with("extension \"endpoint\": 0.0.0.0:0 is not a loopback address"), "{error}");
}

#[test]
fn a_port_that_another_has_is_refused_and_named() {
    let first = builder(&sources().load().unwrap()).start().unwrap();
    let at = first.extension::<Endpoint>().unwrap().address();
    let second =
        builder(&sources().load().unwrap()).configure::<EndpointConfig>(move |remote| remote.bind = at);
    let error = second.start().err().unwrap().to_string();
    assert!(error.starts_with(&format!("extension \"endpoint\": cannot listen at {at}: ")), "{error}");
    end(first);
}

const HEADS: [&str; 7] =
    ["[net]", "[remote.link]", "[remote.tls]", "[deploy.\"/user/a\"]", "[deploy.\"/user/*/b\"]", "# ", ""];

/// A line of a file, or a variable behind it, that is nearly right.
fn line() -> impl Strategy<Value = String> {
    let config = sources().load().unwrap();
    let values = config.settings().map(|setting| setting.value.to_string());
    let more =
        ["2", "true", "[]", "[\"a\", \"b\"]", "\"1-3\"", "\"10 s\"", "\"64 KiB\"", "\"off\"", "{ a = 1 }"];
    let value = prop::sample::select(values.chain(more.map(str::to_owned)).collect::<Vec<_>>());
    let keys = config.settings().map(|setting| setting.key.to_owned());
    let keys =
        prop::sample::select(keys.chain(Config::deployment_keys().map(str::to_owned)).collect::<Vec<_>>());
    prop_oneof![
        4 => (keys.clone(), value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        1 => prop::sample::select(&HEADS[..]).prop_map(|head| format!("{head}\n")),
        1 => (keys, "\\PC{0,6}").prop_map(|(key, value)| {
            format!("\0{}={value}", key.to_uppercase().replace('.', "_"))
        }),
        1 => "\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Reliability 23: and what is one says the same when it is written and read again.
    #[test]
    fn any_file_and_variables_are_a_configuration_or_problems_with_their_places(
        lines in prop::collection::vec(line(), 0..12),
        damage in prop::option::weighted(0.2, (any::<usize>(), any::<u8>())),
    ) {
        let mut bytes = lines.concat().into_bytes();
        if let Some((at, with)) = damage && !bytes.is_empty() {
            let at = at % bytes.len();
            bytes[at] ^= with;
        }
        configuration::check(&bytes);
    }
}
