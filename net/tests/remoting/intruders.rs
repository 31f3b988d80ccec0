//! Who comes to a host under TLS with something else: other programs, other protocols, silence, and what was changed on its way.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use corelane_net::reactor::Choice;
use corelane_net::{Endpoint, EndpointConfig, RemoteLookupError, TlsRefusal};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::common::*;
use crate::guarded::{Scene, counted, secure, secure_config};
use crate::pki::{Authority, Shown};
use crate::until;

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
