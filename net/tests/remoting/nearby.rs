//! Hosts of one machine: they speak over Unix sockets, unless one of them does not want to, or somebody else is there.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use corelane_net::reactor::Choice;
use corelane_net::{Endpoint, EndpointConfig, GateStats};
use corelane_shard::On;

use crate::common::*;

/// The name of a host at an address, or of who pretends to be it.
fn name_of(address: SocketAddr) -> UnixAddr {
    UnixAddr::from_abstract_name(format!("corelane/{address}")).unwrap()
}

fn host_of(unix_sockets: bool, backend: Choice, config: EndpointConfig) -> Host {
    Way { backend, unix_sockets, shared_memory: false }
        .host(1, EndpointConfig { link: link_config(), ..config })
}

fn stats(host: &Host) -> GateStats {
    host.system.extension::<Endpoint>().unwrap().stats(0).unwrap()
}

/// One host asks an actor of the other.
fn are_joined(near: &Host, far: &Host, name: &str) {
    let (seen, _) = channel();
    far.system.spawn_named(On::Shard(0), name, move || Adder { sum: 1, seen: seen.clone() }).unwrap();
    let adder = near.lookup::<Order>(&far.url(name)).unwrap();
    near.tell(0, adder, Order::Add(2));
    assert_eq!(near.ask(0, adder), Ok(3));
}

#[test]
fn hosts_of_one_machine_speak_over_unix_sockets_where_both_want_to() {
    for backend in [Choice::Automatic, Choice::Poll] {
        for (wants, other_wants) in [(true, true), (true, false), (false, true), (false, false)] {
            let near = host_of(wants, backend, EndpointConfig::default());
            let far = host_of(other_wants, backend, EndpointConfig::default());
            are_joined(&near, &far, "adder");
            for host in [&near, &far] {
                let nearby = u64::from(wants && other_wants);
                assert_eq!((stats(host).open, stats(host).open_nearby), (1, nearby), "{wants} {other_wants}");
            }
            near.end();
            far.end();
        }
    }
}

#[test]
fn connections_over_unix_sockets_count_as_such_from_loopback() {
    let far = host_of(
        true,
        Choice::Automatic,
        EndpointConfig { connections_per_address_max: 1, ..EndpointConfig::default() },
    );
    let near = host_of(true, Choice::Automatic, EndpointConfig::default());
    are_joined(&near, &far, "adder");
    let mut one_more = UnixStream::connect_addr(&name_of(far.address)).unwrap();
    assert_eq!(one_more.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(stats(&far).connections_refused, 1);
    near.end();
    far.end();
}

#[test]
fn a_host_without_its_name_is_dialed_at_its_port() {
    // Somebody had the name before.
    let far = host_of(false, Choice::Automatic, EndpointConfig::default());
    let taken = UnixListener::bind_addr(&name_of(far.address)).unwrap();
    let bind = far.address;
    far.end();
    let far = host_of(true, Choice::Automatic, EndpointConfig { bind, ..EndpointConfig::default() });
    drop(taken);
    let near = host_of(true, Choice::Automatic, EndpointConfig::default());
    are_joined(&near, &far, "adder");
    assert_eq!((stats(&near).open, stats(&near).open_nearby), (1, 0));
    near.end();
    far.end();
}

/// The address whose name, in a child that runs as another user, is taken or connected to.
const LISTENS: &str = "CORELANE_TEST_NEARBY_LISTENS";
const CONNECTS: &str = "CORELANE_TEST_NEARBY_CONNECTS";
const NOBODY: u32 = 65_534;

/// Not a test by itself: what another user's process does.
#[test]
fn another_users_process() {
    let name = |variable| std::env::var(variable).ok().map(|address| name_of(address.parse().unwrap()));
    if let Some(name) = name(LISTENS) {
        let listener = UnixListener::bind_addr(&name).unwrap();
        println!("\nready");
        // Until whoever started it is gone, or has heard enough.
        let (mut stream, _) = listener.accept().unwrap();
        println!("\nheard {}", stream.read(&mut [0; 64]).unwrap_or(0));
        let _ = std::io::stdin().read(&mut [0]);
    } else if let Some(name) = name(CONNECTS) {
        let mut stream = UnixStream::connect_addr(&name).unwrap();
        println!("\nheard {}", stream.read(&mut [0; 64]).unwrap_or(0));
    }
}

/// Starts it, if this process may be another user, who may run this program.
fn stranger(variable: &str, address: SocketAddr) -> Option<(Child, impl Iterator<Item = String>)> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "nearby::another_users_process", "--nocapture", "--test-threads", "1"]);
    command.env(variable, address.to_string()).current_dir("/").uid(NOBODY).gid(NOBODY);
    match command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
        Ok(mut child) => {
            let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
            Some((child, lines.filter(|line| line == "ready" || line.starts_with("heard"))))
        }
        Err(error) => {
            eprintln!("SKIPPED: no process of another user: {error}");
            None
        }
    }
}

#[test]
fn another_users_process_that_has_a_hosts_name_is_passed_over() {
    let far = host_of(false, Choice::Automatic, EndpointConfig::default());
    let Some((mut child, mut said)) = stranger(LISTENS, far.address) else { return };
    assert_eq!(said.next().as_deref(), Some("ready"));
    let near = host_of(true, Choice::Automatic, EndpointConfig::default());
    are_joined(&near, &far, "adder");
    assert_eq!((stats(&near).open, stats(&near).open_nearby), (1, 0));
    // Not a byte.
    assert_eq!(said.next().as_deref(), Some("heard 0"));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    near.end();
    far.end();
}

#[test]
fn another_users_process_that_comes_over_a_unix_socket_is_turned_away() {
    let far = host_of(true, Choice::Automatic, EndpointConfig::default());
    let Some((mut child, mut said)) = stranger(CONNECTS, far.address) else { return };
    assert_eq!(said.next().as_deref(), Some("heard 0"));
    assert!(child.wait().unwrap().success());
    assert_eq!(stats(&far).connections_refused, 1);
    far.end();
}
