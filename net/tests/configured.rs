//! Systems that are joined by their configuration: nothing in the program says how, but which messages there are.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use corelane_kernel::{Actor, Ctx, Outcome};
use corelane_net::codec::Registry;
use corelane_net::reactor::Backend;
use corelane_net::{Endpoint, EndpointConfig, Net, NetConfig, Sockets};
use corelane_shard::config::{Builder, Config};
use corelane_shard::{On, Sources, System};

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
