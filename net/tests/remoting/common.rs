//! Hosts, and actors that report what happens to them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, Ctx, KernelConfig, Outcome, ReplyTo, StopReason, Strategy, Terminated,
};
use corelane_net::codec::{Compact, Fixed, Registry, Wire, bytemuck};
use corelane_net::link::LinkConfig;
use corelane_net::liveness::LivenessConfig;
use corelane_net::reactor::{Choice, ReactorConfig};
use corelane_net::{Endpoint, EndpointConfig, Net, NetConfig};
use corelane_shard::{Builder, Idle, On, System};
use serde::{Deserialize, Serialize};

pub(crate) const LONG: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Tick {
    pub(crate) from: u64,
    pub(crate) number: u64,
    pub(crate) rest: [u64; 6],
}

impl Wire for Tick {
    const NAME: &'static str = "test.Tick";
    type Form = Fixed;
}

impl Tick {
    pub(crate) fn new(from: u64, number: u64) -> Tick {
        Tick { from, number, rest: [number; 6] }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Add(u64),
    Get(ReplyTo<u64>),
    /// Hand this on to whoever it names.
    Pass(ActorRef<String>, String),
    Bytes(Vec<u8>),
    Fail,
}

impl Wire for Order {
    const NAME: &'static str = "test.Order";
    type Form = Compact;
}

/// Has no wire form.
#[derive(Debug, PartialEq)]
pub(crate) struct Private(pub(crate) u64);

/// Has one, but nobody has registered it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unknown(pub(crate) u64);

impl Wire for Unknown {
    const NAME: &'static str = "test.Unknown";
    type Form = Compact;
}

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register::<Tick>().unwrap();
    registry.register::<Order>().unwrap();
    registry
}

pub(crate) fn link_config() -> LinkConfig {
    LinkConfig {
        heartbeat: Duration::from_millis(100),
        redial_first: Duration::from_millis(10),
        redial_max: Duration::from_millis(200),
        ..LinkConfig::default()
    }
}

/// Loses what is silent soon.
pub(crate) fn impatient() -> LinkConfig {
    let liveness = LivenessConfig {
        pause: Duration::from_millis(800),
        first: Duration::from_millis(200),
        ..LivenessConfig::default()
    };
    LinkConfig { liveness, ..link_config() }
}

pub(crate) struct Host {
    pub(crate) system: System,
    pub(crate) address: std::net::SocketAddr,
}

pub(crate) fn host_at(shards: usize, backend: Choice, config: EndpointConfig) -> Host {
    host_with(shards, backend, config, registry())
}

pub(crate) fn host_with(shards: usize, backend: Choice, config: EndpointConfig, registry: Registry) -> Host {
    start(builder(shards, backend, config, registry))
}

pub(crate) fn builder(shards: usize, backend: Choice, config: EndpointConfig, registry: Registry) -> Builder {
    builder_on(shards, NetConfig { reactor: reactor(backend), ..NetConfig::default() }, config, registry)
}

pub(crate) fn reactor(backend: Choice) -> ReactorConfig {
    ReactorConfig { backend, ..ReactorConfig::default() }
}

pub(crate) fn builder_on(
    shards: usize,
    net: NetConfig,
    config: EndpointConfig,
    registry: Registry,
) -> Builder {
    System::builder()
        .shards(shards)
        .pinned(false)
        .idle(Idle::Frugal)
        .region_bytes(32 << 20)
        .log_dead_letters(0)
        .kernel(KernelConfig { supervision: Strategy::stopping(), ..KernelConfig::default() })
        .extension(Net::of(net))
        .extension(Endpoint::of(config, registry))
}

pub(crate) fn start(builder: Builder) -> Host {
    let system = builder.start().unwrap();
    let address = system.extension::<Endpoint>().unwrap().address();
    Host { system, address }
}

/// How a host speaks to others: as to another machine, unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) backend: Choice,
    pub(crate) unix_sockets: bool,
    pub(crate) shared_memory: bool,
}

impl From<Choice> for Way {
    fn from(backend: Choice) -> Way {
        Way { backend, unix_sockets: false, shared_memory: false }
    }
}

impl Way {
    pub(crate) fn host(self, shards: usize, config: EndpointConfig) -> Host {
        let Way { backend, unix_sockets, shared_memory } = self;
        let config = EndpointConfig { system: "test".into(), unix_sockets, shared_memory, ..config };
        host_at(shards, backend, config)
    }
}

pub(crate) fn host(shards: usize, way: impl Into<Way>) -> Host {
    way.into().host(shards, EndpointConfig { link: link_config(), ..EndpointConfig::default() })
}

impl Host {
    pub(crate) fn url(&self, name: &str) -> String {
        format!("corelane://test@{}/user/{name}", self.address)
    }

    pub(crate) fn lookup<M: Wire<Form: corelane_net::codec::Codec<M>>>(
        &self,
        url: &str,
    ) -> Result<ActorRef<M>, corelane_net::RemoteLookupError> {
        self.system.extension::<Endpoint>().unwrap().lookup(url, LONG)
    }

    /// Asks an actor from a shard.
    pub(crate) fn ask(&self, shard: usize, of: ActorRef<Order>) -> Result<u64, corelane_kernel::AskError> {
        let (sender, receiver) = channel();
        self.system
            .call(shard, move |scope| {
                scope.ask(of, LONG, Order::Get, move |answer| _ = sender.send(answer));
            })
            .unwrap();
        next(&receiver)
    }

    pub(crate) fn tell(&self, shard: usize, to: ActorRef<Order>, order: Order) {
        self.system.call(shard, move |scope| scope.tell(to, order)).unwrap();
    }

    pub(crate) fn end(self) {
        let report = self.system.shutdown(LONG);
        assert!(report.is_clean(), "{report}");
    }
}

/// Runs a test with each backend that this machine permits.
pub(crate) fn with_each(test: impl Fn(Choice)) {
    test(Choice::Poll);
    // Where io_uring is forbidden this is the same once more.
    test(Choice::Automatic);
}

/// Runs a test with each backend, and in each way in which hosts speak.
pub(crate) fn with_each_way(test: impl Fn(Way)) {
    with_each(|backend| {
        for (unix_sockets, shared_memory) in [(false, false), (true, false), (true, true)] {
            test(Way { backend, unix_sockets, shared_memory });
        }
    });
}

pub(crate) fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(LONG).expect("something in time")
}

/// Adds up, and reports what it is sent.
pub(crate) struct Adder {
    pub(crate) sum: u64,
    pub(crate) seen: Sender<u64>,
}

impl Adder {
    pub(crate) fn spawn(host: &Host, on: On, name: &str) -> (ActorRef<Order>, Receiver<u64>) {
        let (seen, receiver) = channel();
        let adder = host.system.spawn_named(on, name, move || Adder { sum: 0, seen: seen.clone() });
        (adder.unwrap(), receiver)
    }
}

impl Actor for Adder {
    type Msg = Order;
    fn receive(&mut self, order: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Add(n) => {
                self.sum += n;
                let _ = self.seen.send(n);
            }
            Order::Get(reply) => ctx.tell(reply, self.sum),
            Order::Pass(to, text) => ctx.tell(to, text),
            Order::Bytes(bytes) => _ = self.seen.send(bytes.iter().map(|byte| u64::from(*byte)).sum()),
            Order::Fail => return Err(corelane_kernel::Failure::new("no disk")),
        }
        Ok(())
    }
}

/// What a watcher heard, in words.
pub(crate) fn why(reason: &StopReason) -> String {
    match reason {
        StopReason::Failed(failure) => failure.text().to_owned(),
        other => format!("{other:?}"),
    }
}

/// Watches whom it is told to, and reports.
pub(crate) struct Watcher {
    pub(crate) heard: Sender<String>,
}

pub(crate) enum Watching {
    Watch(ActorRef<Order>),
    Unwatch(ActorRef<Order>),
    Stop(ActorRef<Order>),
    /// Says "here".
    Speak,
}

impl Watcher {
    pub(crate) fn spawn(host: &Host, shard: usize) -> (ActorRef<Watching>, Receiver<String>) {
        let (heard, receiver) = channel();
        let make = move || Watcher { heard: heard.clone() };
        (host.system.spawn_on(On::Shard(shard), make).unwrap(), receiver)
    }
}

impl Host {
    pub(crate) fn have(&self, watcher: ActorRef<Watching>, watching: Watching) {
        let shard = watcher.place().shard();
        self.system.call(shard, move |scope| scope.tell(watcher, watching)).unwrap();
    }
}

impl Actor for Watcher {
    type Msg = Watching;
    fn receive(&mut self, watching: Watching, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match watching {
            Watching::Watch(actor) => ctx.watch(actor)?,
            Watching::Unwatch(actor) => _ = ctx.unwatch(actor),
            Watching::Stop(actor) => ctx.stop(actor),
            Watching::Speak => _ = self.heard.send("here".to_owned()),
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.heard.send(why(&gone.reason));
        Ok(())
    }
}
