//! What a peer can make a host keep: connections and links.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};

use corelane_net::EndpointConfig;
use corelane_net::reactor::Choice;
use corelane_shard::On;
use socket2::{Domain, Socket, Type};

use crate::common::*;
use crate::until;
use crate::untrusted::Forger;

fn bounded(change: impl FnOnce(&mut EndpointConfig)) -> Host {
    let mut config =
        EndpointConfig { system: "test".into(), link: link_config(), ..EndpointConfig::default() };
    change(&mut config);
    host_at(1, Choice::Poll, config)
}

/// A connection from an address of this machine.
fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn is_closed(stream: &mut TcpStream) -> bool {
    !matches!(stream.read(&mut [0; 256]), Ok(1..))
}

#[test]
fn connections_beyond_their_bound_are_closed_at_once_and_make_room_when_they_end() {
    let far = bounded(|config| config.connections_max = 2);
    let mut held: Vec<_> = (0..2).map(|_| connect([127, 0, 0, 1], far.address)).collect();
    until("they have come in", || far.gate().strangers == 2);
    assert!(is_closed(&mut connect([127, 0, 0, 1], far.address)));
    assert_eq!((far.gate().connections_refused, far.gate().strangers), (1, 2));
    held.pop();
    until("one is gone", || far.gate().strangers == 1);
    Adder::spawn(&far, On::Shard(0), "adder");
    let near = host(1, Choice::Poll);
    assert!(near.lookup::<Order>(&far.url("adder")).is_ok());
    assert_eq!(far.gate().connections_refused, 1);
    near.end();
    far.end();
}

/// Other addresses of the loopback network are there without setting them up on Linux only.
#[cfg(target_os = "linux")]
#[test]
fn one_address_does_not_get_all_connections() {
    let far = bounded(|config| config.connections_per_address_max = 2);
    let held: Vec<_> = (0..2).map(|_| connect([127, 0, 0, 1], far.address)).collect();
    until("they have come in", || far.gate().strangers == 2);
    assert!(is_closed(&mut connect([127, 0, 0, 1], far.address)));
    let other = connect([127, 0, 0, 2], far.address);
    until("the other has come in", || far.gate().strangers == 3);
    assert_eq!(far.gate().connections_refused, 1);
    drop(held);
    until("they are gone", || far.gate().strangers == 1);
    let again = connect([127, 0, 0, 1], far.address);
    until("another has come in", || far.gate().strangers == 2);
    drop((other, again));
    far.end();
}

#[test]
fn a_hello_makes_no_link_beyond_the_bound() {
    let far = bounded(|config| config.links_max = 3);
    let mut peers: Vec<_> = (0..3).map(|shard| Forger::knock(far.address, "127.0.0.1:9", shard)).collect();
    until("there are links", || far.gate().links == 3);
    let mut more = Forger::knock(far.address, "127.0.0.1:9", 3);
    more.until_closed();
    assert_eq!((far.gate().links, far.gate().violations), (3, 1));
    // Who has one goes on.
    peers.iter_mut().for_each(Forger::open);
    until("they are open", || far.gate().open == 3);
    let wrong = EndpointConfig { links_max: 0, ..EndpointConfig::default() };
    assert!(wrong.check().unwrap_err().to_string().contains("links_max"));
    far.end();
}
