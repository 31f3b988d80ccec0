//! Hosts under TLS for tests: with an adder to which another goes on talking while strange things come.

use corelane_kernel::ActorRef;
use corelane_net::reactor::Choice;
use corelane_net::{Endpoint, EndpointConfig, GateStats, RemoteLookupError, TlsConfig, TlsStats};
use corelane_shard::On;

use crate::common::*;
use crate::pki::Authority;

pub(crate) fn secure_config(tls: TlsConfig) -> EndpointConfig {
    EndpointConfig { system: "test".into(), link: link_config(), tls: Some(tls), ..EndpointConfig::default() }
}

pub(crate) fn secure(tls: TlsConfig) -> Host {
    host_at(1, Choice::Poll, secure_config(tls))
}

impl Host {
    pub(crate) fn gate(&self) -> GateStats {
        self.system.extension::<Endpoint>().unwrap().stats(0).unwrap()
    }

    pub(crate) fn tls(&self) -> TlsStats {
        self.gate().tls
    }

    pub(crate) fn adder(&self, of: &Host) -> Result<ActorRef<Order>, RemoteLookupError> {
        self.lookup::<Order>(&of.url("adder"))
    }
}

/// A host with an adder, to which another goes on talking while strange things come.
pub(crate) struct Scene {
    pub(crate) authority: Authority,
    pub(crate) far: Host,
    pub(crate) friend: Host,
    pub(crate) adder: ActorRef<Order>,
    pub(crate) _seen: std::sync::mpsc::Receiver<u64>,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene::with(|config| config)
    }

    pub(crate) fn with(change: impl FnOnce(EndpointConfig) -> EndpointConfig) -> Scene {
        let authority = Authority::new("ours");
        let far = host_at(1, Choice::Poll, change(secure_config(authority.config())));
        let (_, seen) = Adder::spawn(&far, On::Shard(0), "adder");
        let friend = secure(authority.config());
        let adder = friend.adder(&far).unwrap();
        Scene { authority, far, friend, adder, _seen: seen }
    }

    /// Nothing has happened to the friend, and nothing but this was counted.
    pub(crate) fn end(self, expected: TlsStats) {
        assert_eq!(self.friend.ask(0, self.adder), Ok(0));
        let mut tls = self.far.tls();
        tls.handshakes = 0;
        assert_eq!(tls, expected);
        assert_eq!((self.friend.tls().handshakes, self.friend.gate().lost), (1, 0));
        self.friend.end();
        self.far.end();
    }
}

/// The counts of a `TlsStats`, which cannot be written with its fields from here.
pub(crate) fn counted(change: impl FnOnce(&mut TlsStats)) -> TlsStats {
    let mut stats = TlsStats::default();
    change(&mut stats);
    stats
}

/// A folder that is removed in the end.
pub(crate) struct Folder(pub(crate) std::path::PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("corelane-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
