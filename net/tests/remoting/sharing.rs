//! Hosts of one machine: they share memory, unless one of them does not want to, or cannot.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use corelane_kernel::{Actor, Ctx, Outcome};
use corelane_net::link::{LinkConfig, Loss};
use corelane_net::reactor::Choice;
use corelane_net::{Endpoint, EndpointConfig, GateStats, LinkEvent, LinkState};
use corelane_shard::{On, ShardCtx};

use crate::common::*;
use crate::until;

fn host_of(shared_memory: bool, backend: Choice, config: EndpointConfig) -> Host {
    Way { backend, unix_sockets: true, shared_memory }.host(1, config)
}

fn config() -> EndpointConfig {
    EndpointConfig { link: link_config(), ..EndpointConfig::default() }
}

fn stats(host: &Host) -> GateStats {
    host.system.extension::<Endpoint>().unwrap().stats(0).unwrap()
}

/// One host asks an actor of the other.
fn are_joined(near: &Host, far: &Host) {
    let (_, _seen) = Adder::spawn(far, On::Shard(0), "adder");
    let adder = near.lookup::<Order>(&far.url("adder")).unwrap();
    near.tell(0, adder, Order::Add(3));
    assert_eq!(near.ask(0, adder), Ok(3));
}

#[test]
fn hosts_of_one_machine_share_memory_where_both_want_to() {
    for backend in [Choice::Automatic, Choice::Poll] {
        for (wants, other_wants) in [(true, true), (true, false), (false, true), (false, false)] {
            let near = host_of(wants, backend, config());
            let far = host_of(other_wants, Choice::Automatic, config());
            are_joined(&near, &far);
            for host in [&near, &far] {
                let (stats, shared) = (stats(host), u64::from(wants && other_wants));
                assert_eq!((stats.open_nearby, stats.open_shared), (1, shared), "{wants} {other_wants}");
            }
            near.end();
            far.end();
        }
    }
}

fn name_of(address: SocketAddr) -> UnixAddr {
    UnixAddr::from_abstract_name(format!("corelane/{address}")).unwrap()
}

/// An offer of what this process has under a number; see `docs/wire.md`.
fn offer(version: u32, descriptor: u32) -> Vec<u8> {
    [&b"CLmemory"[..], &version.to_le_bytes(), &descriptor.to_le_bytes(), &[7; 8]].concat()
}

#[test]
fn memory_that_cannot_be_had_is_declined_and_the_socket_used() {
    let far = host_of(true, Choice::Automatic, config());
    let pipe = std::io::pipe().unwrap();
    let pipe = pipe.0.as_raw_fd() as u32;
    for offer in [offer(1, u32::MAX), offer(1, pipe), offer(2, pipe)] {
        let mut peer = UnixStream::connect_addr(&name_of(far.address)).unwrap();
        // In pieces, as it may come.
        let (head, tail) = offer.split_at(9);
        peer.write_all(head).unwrap();
        peer.write_all(tail).unwrap();
        let mut answer = [7];
        peer.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [0]);
        // It is listened to as one that has offered nothing, and what it says is no hello.
        peer.write_all(&[255; 64]).unwrap();
        peer.read_to_end(&mut Vec::new()).unwrap();
    }
    until("each was heard over its socket", || stats(&far).violations == 3);
    let near = host_of(true, Choice::Automatic, config());
    are_joined(&near, &far);
    assert_eq!(stats(&near).open_shared, 1);
    near.end();
    far.end();
}

#[test]
fn a_host_that_offers_memory_and_is_not_answered_dials_the_port() {
    let far = host(1, Choice::Automatic);
    // Somebody of this user has the name, which is free, and says nothing.
    let silent = UnixListener::bind_addr(&name_of(far.address)).unwrap();
    let link = LinkConfig { handshake: Duration::from_secs(1), ..link_config() };
    let near = host_of(true, Choice::Automatic, EndpointConfig { link, ..config() });
    are_joined(&near, &far);
    assert_eq!((stats(&near).open, stats(&near).open_nearby), (1, 0));
    // Once: the port is not given up because the offer took all the time.
    silent.set_nonblocking(true).unwrap();
    assert_eq!(std::iter::from_fn(|| silent.accept().ok()).count(), 1);
    drop(silent);
    near.end();
    far.end();
}

/// Says how links end.
struct Chronicler(Sender<Loss>);

impl Actor for Chronicler {
    type Msg = LinkEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let me = ctx.me();
        Ok(ctx.system().events().subscribe(me)?)
    }
    fn receive(&mut self, event: LinkEvent, _: &mut Ctx<'_, Self>) -> Outcome {
        if let LinkState::Lost(why) = event.state {
            let _ = self.0.send(why);
        }
        Ok(())
    }
}

/// What finds no room in the memory when a system ends goes over the socket, behind what is there.
#[test]
fn a_goodbye_is_heard_behind_more_than_the_memory_holds() {
    for backend in [Choice::Automatic, Choice::Poll] {
        let (near, far) = (host_of(true, backend, config()), host_of(true, backend, config()));
        let (said, ends) = channel();
        far.system.spawn_on(On::Shard(0), move || Chronicler(said.clone())).unwrap();
        let (_, seen) = Adder::spawn(&far, On::Shard(0), "adder");
        let adder = near.lookup::<Order>(&far.url("adder")).unwrap();
        assert_eq!(near.ask(0, adder), Ok(0));
        let before = near.gate().messages_out;
        let (go_on, held) = channel::<()>();
        let (holds, is_held) = channel();
        let hold = move |_: &mut corelane_kernel::Scope<'_>| {
            let _ = holds.send(());
            let _ = held.recv();
        };
        far.system.run_on(0, hold).unwrap();
        next(&is_held);
        while near.gate().pending == 0 {
            near.tell(0, adder, Order::Bytes(vec![1; 15_000]));
        }
        let written = near.gate().messages_out - before;
        near.end();
        drop(go_on);
        assert_eq!(next(&ends), Loss::Left);
        for _ in 0..written {
            assert_eq!(next(&seen), 15_000);
        }
        assert_eq!(stats(&far).violations, 0);
        far.end();
    }
}

#[test]
fn a_host_whose_offer_is_answered_by_nothing_that_is_an_answer_dials_the_port() {
    // Another byte; and an end.
    for answer in [&[7][..], &[]] {
        let far = host(1, Choice::Automatic);
        let other = UnixListener::bind_addr(&name_of(far.address)).unwrap();
        let answers = std::thread::spawn(move || {
            let (mut stream, _) = other.accept().unwrap();
            let mut offer = [0; 24];
            stream.read_exact(&mut offer).unwrap();
            stream.write_all(answer).unwrap();
            offer
        });
        let near = host_of(true, Choice::Automatic, config());
        are_joined(&near, &far);
        assert_eq!(answers.join().unwrap()[..8], *b"CLmemory");
        assert_eq!((stats(&near).open, stats(&near).open_nearby), (1, 0));
        near.end();
        far.end();
    }
}
