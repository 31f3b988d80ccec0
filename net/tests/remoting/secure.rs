//! Hosts under TLS, and all who are not let in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use corelane_kernel::ActorRef;
use corelane_net::reactor::Choice;
use corelane_net::wire::Reason;
use corelane_net::{
    Endpoint, EndpointConfig, GateStats, PeerNames, Pem, RemoteLookupError, TlsConfig, TlsRefusal, TlsStats,
};
use corelane_shard::On;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SerialNumber};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::common::*;
use crate::pki::{Authority, Shown, expired, not_yet_valid};
use crate::until;

fn secure_config(tls: TlsConfig) -> EndpointConfig {
    EndpointConfig { system: "test".into(), link: link_config(), tls: Some(tls), ..EndpointConfig::default() }
}

fn secure(tls: TlsConfig) -> Host {
    host_at(1, Choice::Poll, secure_config(tls))
}

impl Host {
    pub(crate) fn gate(&self) -> GateStats {
        self.system.extension::<Endpoint>().unwrap().stats(0).unwrap()
    }

    fn tls(&self) -> TlsStats {
        self.gate().tls
    }

    fn adder(&self, of: &Host) -> Result<ActorRef<Order>, RemoteLookupError> {
        self.lookup::<Order>(&of.url("adder"))
    }
}

/// A host with an adder, to which another goes on talking while strange things come.
struct Scene {
    authority: Authority,
    far: Host,
    friend: Host,
    adder: ActorRef<Order>,
    _seen: std::sync::mpsc::Receiver<u64>,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(|config| config)
    }

    fn with(change: impl FnOnce(EndpointConfig) -> EndpointConfig) -> Scene {
        let authority = Authority::new("ours");
        let far = host_at(1, Choice::Poll, change(secure_config(authority.config())));
        let (_, seen) = Adder::spawn(&far, On::Shard(0), "adder");
        let friend = secure(authority.config());
        let adder = friend.adder(&far).unwrap();
        Scene { authority, far, friend, adder, _seen: seen }
    }

    /// Nothing has happened to the friend, and nothing but this was counted.
    fn end(self, expected: TlsStats) {
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
fn counted(change: impl FnOnce(&mut TlsStats)) -> TlsStats {
    let mut stats = TlsStats::default();
    change(&mut stats);
    stats
}

/// Conformance 43: with certificates of one authority, hosts are joined.
#[test]
fn hosts_under_tls_tell_ask_and_watch_as_in_the_clear() {
    let authority = Authority::new("ours");
    with_each(|backend| {
        let make = || host_at(2, backend, secure_config(authority.config()));
        let (near, far) = (make(), make());
        let (_, seen) = Adder::spawn(&far, On::Shard(1), "adder");
        let adder = near.adder(&far).unwrap();
        for shard in [0, 1] {
            for n in 1..=1000 {
                near.tell(shard, adder, Order::Add(n));
            }
            for n in 1..=1000 {
                assert_eq!(next(&seen), n);
            }
        }
        assert_eq!(near.ask(0, adder), Ok(1_001_000));
        near.tell(0, adder, Order::Bytes(vec![1; 3 << 20]));
        near.tell(0, adder, Order::Add(7));
        assert_eq!((next(&seen), next(&seen)), (3 << 20, 7));
        let (watcher, heard) = Watcher::spawn(&near, 0);
        near.have(watcher, Watching::Watch(adder));
        near.tell(0, adder, Order::Fail);
        assert_eq!(next(&heard), "no disk");
        for shard in [0, 1] {
            let stats = near.system.extension::<Endpoint>().unwrap().stats(shard).unwrap();
            assert!(stats.tls.handshakes >= 1, "{stats:?}");
        }
        near.end();
        far.end();
    });
}

#[test]
fn beyond_loopback_tls_is_enough() {
    let authority = Authority::new("ours");
    let bind = "192.0.2.7:2552".parse().unwrap();
    assert!(EndpointConfig { bind, ..secure_config(authority.config()) }.check().is_ok());
}

/// Conformance 43: without a certificate or its key nothing starts.
#[test]
fn settings_that_cannot_be_used_are_named_and_nothing_starts() {
    let authority = Authority::new("ours");
    let good = authority.config();
    let folder = Folder::new("settings");
    let key = folder.write("host.key", &authority.host().key);
    let broken = folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let missing = folder.path("missing.pem");
    let cases = [
        (
            TlsConfig { certificates: Pem::file(&missing), ..good.clone() },
            format!("tls.certificates: {missing} cannot be read"),
        ),
        (TlsConfig { key: Pem::file(&key), ..good.clone() }, format!("tls.key: {key} is not the key of")),
        (
            TlsConfig { key: good.certificates.clone(), ..good.clone() },
            "tls.key: the text that was given: it holds no private key".into(),
        ),
        (
            TlsConfig { certificates: Pem::file(&broken), ..good.clone() },
            format!("tls.certificates: {broken}: a malformed certificate"),
        ),
        (
            TlsConfig { roots: Pem::file(&broken), ..good.clone() },
            format!("tls.roots: {broken}: a certificate that cannot be a root"),
        ),
        (
            TlsConfig { roots: Pem::text(""), ..good.clone() },
            "tls.roots: the text that was given: it holds no certificate".into(),
        ),
        (
            TlsConfig { revoked: Some(Pem::file(&key)), ..good.clone() },
            format!("tls.revoked: {key}: it holds no list of revoked certificates"),
        ),
        (
            TlsConfig { dialed: PeerNames::OneOf(vec!["not a name".into()]), ..good.clone() },
            "tls: \"not a name\" is no DNS name, IP address or URI".into(),
        ),
        (
            TlsConfig { dialing: PeerNames::OneOf(vec![]), ..good },
            "tls: a list of peers' names is empty".into(),
        ),
    ];
    for (tls, expected) in cases {
        let started = corelane_shard::System::builder()
            .shards(1)
            .pinned(false)
            .extension(corelane_net::Net::of(corelane_net::NetConfig::default()))
            .extension(Endpoint::of(secure_config(tls), registry()))
            .start();
        let error = started.err().unwrap().to_string();
        assert!(error.contains(&expected), "{error}, where {expected} is expected");
    }
}

/// Who dials is not let in: what it hears, and that the other end counts it.
fn is_not_let_in(scene: &Scene, tls: TlsConfig, expected: RemoteLookupError) {
    let near = secure(tls);
    assert_eq!(near.adder(&scene.far), Err(expected));
    near.end();
}

/// Reliability 24: expired, not yet valid, revoked, of another use, of another authority, of another name.
#[test]
fn a_host_whose_certificate_is_not_accepted_is_not_let_in() {
    type Change = fn(&mut CertificateParams);
    let revoked: Change = |params| params.serial_number = Some(SerialNumber::from(77));
    let server_only: Change = |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // The alert of each; the last is found out at the hello.
    let cases: [(&str, Change, Option<u8>); 6] = [
        ("127.0.0.1", expired, Some(45)),
        ("127.0.0.1", not_yet_valid, Some(45)),
        ("127.0.0.1", revoked, Some(44)),
        ("127.0.0.1", server_only, Some(43)),
        ("127.0.0.1", |_| (), Some(48)),
        ("127.0.0.9", |_| (), None),
    ];
    for (name, change, alert) in cases {
        let scene = Scene::new();
        if alert == Some(44) {
            let tls = TlsConfig {
                revoked: Some(Pem::text(scene.authority.revoke(&[77]))),
                ..scene.authority.config()
            };
            scene.far.system.extension::<Endpoint>().unwrap().renew_tls_by(&tls).unwrap();
        }
        let stranger = Authority::new("theirs");
        let issuer = if alert == Some(48) { &stranger } else { &scene.authority };
        let shown = issuer.make(&[name], change);
        let expected = match alert {
            Some(alert) => RemoteLookupError::Tls(TlsRefusal::ByPeer(alert)),
            None => RemoteLookupError::Rejected(Reason::WrongAddress),
        };
        is_not_let_in(&scene, scene.authority.trusted_by(&shown), expected);
        let count = scene.far.tls().certificate;
        assert!(count >= 1);
        scene.end(counted(|stats| stats.certificate = count));
    }
}

/// Reliability 24: who dials looks as closely.
#[test]
fn a_host_whose_certificate_is_not_accepted_is_not_talked_to() {
    type Change = fn(&mut CertificateParams);
    let client_only: Change = |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let cases: [(&str, Change, TlsRefusal); 5] = [
        ("127.0.0.1", expired, TlsRefusal::Expired),
        ("127.0.0.1", not_yet_valid, TlsRefusal::NotYetValid),
        ("127.0.0.1", client_only, TlsRefusal::BadCertificate),
        ("127.0.0.9", |_| (), TlsRefusal::WrongName),
        ("127.0.0.1", |_| (), TlsRefusal::UnknownIssuer),
    ];
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    for (name, change, refusal) in cases {
        let issuer = if refusal == TlsRefusal::UnknownIssuer { &theirs } else { &ours };
        let far = secure(ours.trusted_by(&issuer.make(&[name], change)));
        let near = secure(ours.config());
        assert_eq!(near.adder(&far), Err(RemoteLookupError::Tls(refusal)));
        assert!(near.tls().certificate >= 1 && near.tls().handshakes == 0);
        until("the other end hears of it", || far.tls().by_peer >= 1);
        near.end();
        far.end();
    }
}

/// Reliability 24: a certificate of the same authority for another system.
#[test]
fn peers_may_be_restricted_to_names_wherever_they_are() {
    let authority = Authority::new("ours");
    let only = |names: &[&str], shown: &Shown| {
        let names = PeerNames::OneOf(names.iter().map(|name| (*name).to_owned()).collect());
        TlsConfig { dialed: names.clone(), dialing: names, ..authority.trusted_by(shown) }
    };
    let shop = authority.make(&["corelane://shop"], |_| ());
    let till = authority.make(&["till.shop.example"], |_| ());
    let other = authority.make(&["corelane://other", "shop"], |_| ());
    let far = secure(only(&["corelane://shop", "till.shop.example"], &shop));
    Adder::spawn(&far, On::Shard(0), "adder");
    for (shown, expected) in [(&shop, None), (&till, None), (&other, Some(42))] {
        let near = secure(only(&["corelane://shop"], shown));
        match expected {
            None => assert_eq!(near.ask(0, near.adder(&far).unwrap()), Ok(0)),
            Some(alert) => {
                assert_eq!(near.adder(&far), Err(RemoteLookupError::Tls(TlsRefusal::ByPeer(alert))));
            }
        }
        near.end();
    }
    // And who is dialed must be called right too.
    let near = secure(only(&["corelane://other"], &shop));
    assert_eq!(near.adder(&far), Err(RemoteLookupError::Tls(TlsRefusal::WrongName)));
    // Unless it does not matter.
    let any = TlsConfig { dialed: PeerNames::Any, ..only(&["corelane://shop"], &shop) };
    let indifferent = secure(any);
    assert!(indifferent.adder(&far).is_ok());
    for host in [near, indifferent, far] {
        host.end();
    }
}

/// Conformance 43, reliability 24: a host without TLS is not joined to one with it.
#[test]
fn a_host_that_speaks_in_the_clear_is_told_that_this_one_does_not() {
    let scene = Scene::new();
    let near = host(1, Choice::Poll);
    assert_eq!(near.adder(&scene.far), Err(RemoteLookupError::Rejected(Reason::Incompatible)));
    near.end();
    let mismatched = scene.far.tls().mismatched;
    assert!(mismatched >= 1);
    scene.end(counted(|stats| stats.mismatched = mismatched));
}

/// Conformance 43: nor the other way round.
#[test]
fn a_host_that_speaks_tls_is_told_that_this_one_does_not() {
    let authority = Authority::new("ours");
    let (near, far, friend) = (secure(authority.config()), host(1, Choice::Poll), host(1, Choice::Poll));
    Adder::spawn(&far, On::Shard(0), "adder");
    let adder = friend.adder(&far).unwrap();
    assert_eq!(near.adder(&far), Err(RemoteLookupError::Tls(TlsRefusal::Plaintext)));
    assert!(far.tls().mismatched >= 1 && near.tls().mismatched >= 1);
    assert_eq!(friend.ask(0, adder), Ok(0));
    for host in [near, far, friend] {
        host.end();
    }
}

/// Somebody who speaks TLS by another program.
fn raw_client(
    at: SocketAddr,
    roots: &Authority,
    shown: Option<&Shown>,
    alpn: &str,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(roots.roots().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(store);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some(shown) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(shown.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = if alpn.is_empty() { Vec::new() } else { vec![alpn.into()] };
    let tls = ClientConnection::new(Arc::new(config), ServerName::from(at.ip())).unwrap();
    let socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    StreamOwned::new(tls, socket)
}

/// Reads until the other end closes, however it does.
fn read_out(from: &mut impl Read) {
    let mut bytes = [0; 256];
    while let Ok(1..) = from.read(&mut bytes) {}
}

/// Reliability 24: no certificate.
#[test]
fn who_shows_no_certificate_is_not_let_in() {
    let scene = Scene::new();
    let mut client = raw_client(scene.far.address, &scene.authority, None, "corelane");
    let _ = client.flush();
    read_out(&mut client);
    scene.end(counted(|stats| stats.certificate = 1));
}

#[test]
fn who_wants_another_protocol_or_none_is_not_let_in() {
    let scene = Scene::new();
    let shown = scene.authority.host();
    for alpn in ["http/1.1", ""] {
        let mut client = raw_client(scene.far.address, &scene.authority, Some(&shown), alpn);
        let _ = client.flush();
        read_out(&mut client);
    }
    scene.end(counted(|stats| stats.incompatible = 2));
}

/// Reliability 24: TLS 1.2.
#[test]
fn who_speaks_an_older_tls_is_not_let_in() {
    // A client hello of TLS 1.2: two ciphers, no extension that names a newer version.
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    body.extend([0, 26, 0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0, 0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1]);
    let mut hello = vec![22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    hello.extend(body);
    let scene = Scene::new();
    let mut socket = TcpStream::connect(scene.far.address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.write_all(&hello).unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    // A fatal alert: protocol version.
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 70]);
    scene.end(counted(|stats| stats.incompatible = 1));
}

#[test]
fn what_is_no_tls_at_all_is_closed() {
    let scene = Scene::new();
    for text in ["GET / HTTP/1.1\r\n\r\n", "\0\0\0\0", "\u{16}\u{3}\u{1}\u{0}\u{4}????"] {
        let mut socket = TcpStream::connect(scene.far.address).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.write_all(text.as_bytes()).unwrap();
        read_out(&mut socket);
    }
    scene.end(counted(|stats| (stats.mismatched, stats.broken) = (2, 1)));
}

#[test]
fn a_stream_that_is_cut_counts_and_one_that_ends_does_not() {
    let scene = Scene::new();
    let shown = scene.authority.host();
    for ends in [true, false] {
        let before = scene.far.tls().handshakes;
        let mut client = raw_client(scene.far.address, &scene.authority, Some(&shown), "corelane");
        client.flush().unwrap();
        until("the handshake is over", || scene.far.tls().handshakes > before);
        if ends {
            client.conn.send_close_notify();
            client.flush().unwrap();
        }
        drop(client);
        until("it is closed", || scene.far.gate().strangers == 0);
    }
    scene.end(counted(|stats| stats.truncated = 1));
}

#[test]
fn a_record_that_was_changed_on_its_way_ends_its_connection() {
    let scene = Scene::new();
    let shown = scene.authority.host();
    let mut client = raw_client(scene.far.address, &scene.authority, Some(&shown), "corelane");
    client.flush().unwrap();
    client.conn.writer().write_all(b"some words").unwrap();
    let mut record = Vec::new();
    client.conn.write_tls(&mut record).unwrap();
    *record.last_mut().unwrap() ^= 1;
    client.sock.write_all(&record).unwrap();
    read_out(&mut client);
    scene.end(counted(|stats| stats.broken = 1));
}

#[test]
fn who_is_silent_or_stops_in_the_handshake_is_closed_in_time() {
    let handshake = std::time::Duration::from_millis(200);
    let scene = Scene::with(|mut config| {
        config.link.handshake = handshake;
        config
    });
    let mut silent = TcpStream::connect(scene.far.address).unwrap();
    let mut stops = TcpStream::connect(scene.far.address).unwrap();
    stops.write_all(&[22, 3, 1, 1, 0]).unwrap();
    for socket in [&mut silent, &mut stops] {
        socket.set_read_timeout(Some(LONG)).unwrap();
        read_out(socket);
    }
    assert_eq!(scene.far.gate().strangers_closed, 2);
    scene.end(counted(|stats| stats.late = 2));
}

#[test]
fn a_dialer_gives_up_a_handshake_that_does_not_end() {
    // It takes connections, and says nothing.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = Authority::new("ours");
    let mut config = secure_config(authority.config());
    config.link.handshake = std::time::Duration::from_millis(50);
    let near = host_at(1, Choice::Poll, config);
    let url = format!("corelane://test@{}/user/adder", deaf.local_addr().unwrap());
    let endpoint = near.system.extension::<Endpoint>().unwrap();
    let asked = std::thread::scope(|threads| {
        let asked = threads.spawn(|| endpoint.lookup::<Order>(&url, std::time::Duration::from_millis(500)));
        until("it gives up", || near.tls().late >= 2);
        asked.join().unwrap()
    });
    assert_eq!(asked, Err(RemoteLookupError::Tls(TlsRefusal::Late)));
    near.end();
}

/// Reliability 25: peers that say nothing, or begin and go no further, keep nobody out and cost only so much.
#[test]
fn a_host_gets_through_a_crowd_of_silent_connections() {
    let scene = Scene::with(|config| EndpointConfig { strangers_max: 32, ..config });
    let mut crowd = std::collections::VecDeque::new();
    for number in 0..2_000 {
        let mut socket = TcpStream::connect(scene.far.address).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        if number % 2 == 0 {
            socket.write_all(&[22]).unwrap();
        }
        crowd.push_back(socket);
        if crowd.len() > 32 {
            // The oldest has made room.
            read_out(&mut crowd.pop_front().unwrap());
        }
    }
    assert_eq!((scene.far.gate().strangers, scene.far.gate().strangers_closed), (32, 1968));
    let near = secure(scene.authority.config());
    assert_eq!(near.ask(0, near.adder(&scene.far).unwrap()), Ok(0));
    near.end();
    let late = scene.far.tls().late;
    assert_eq!((late, scene.far.gate().strangers_closed), (1969, 1969));
    // A connection that is cut after a byte of TLS was not ended in good order.
    drop(crowd);
    until("they are gone", || scene.far.gate().strangers == 0);
    let truncated = scene.far.tls().truncated;
    scene.end(counted(|stats| (stats.late, stats.truncated) = (late, truncated)));
}

/// A folder that is removed in the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("corelane-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reliability 24: a renewed certificate is accepted, and no link is dropped for it.
#[test]
fn certificates_are_renewed_without_a_restart_and_open_links_stay() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let folder = Folder::new("renewal");
    let put = |authority: &Authority| {
        let shown = authority.host();
        TlsConfig::new(
            Pem::file(folder.write("host.pem", &shown.certificate)),
            Pem::file(folder.write("host.key", &shown.key)),
            Pem::file(folder.write("roots.pem", &authority.roots())),
        )
    };
    let far = secure(put(&old));
    Adder::spawn(&far, On::Shard(0), "adder");
    let early = secure(old.config());
    let adder = early.adder(&far).unwrap();
    let endpoint = far.system.extension::<Endpoint>().unwrap();

    // What cannot be used changes nothing.
    folder.write("host.key", &old.host().key);
    assert!(endpoint.renew_tls().unwrap_err().to_string().contains("host.key is not the key"));
    let second = secure(old.config());
    assert!(second.adder(&far).is_ok());
    second.end();

    put(&new);
    endpoint.renew_tls().unwrap();
    let late = secure(new.config());
    assert_eq!(late.ask(0, late.adder(&far).unwrap()), Ok(0));
    let too_late = secure(old.config());
    assert_eq!(too_late.adder(&far), Err(RemoteLookupError::Tls(TlsRefusal::UnknownIssuer)));
    assert_eq!(early.ask(0, adder), Ok(0));
    assert_eq!((early.tls().handshakes, early.gate().lost), (1, 0));
    for host in [early, late, too_late, far] {
        host.end();
    }
}

#[test]
fn an_endpoint_in_the_clear_has_nothing_to_renew() {
    let near = host(1, Choice::Poll);
    let error = near.system.extension::<Endpoint>().unwrap().renew_tls().unwrap_err().to_string();
    assert!(error.contains("no TLS"), "{error}");
    near.end();
}
