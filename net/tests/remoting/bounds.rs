//! What a peer can make a host keep: connections, links, and what it asks.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};

use corelane_kernel::{Actor, ActorRef, Ctx, KernelConfig, Outcome, Scope, Terminated};
use corelane_net::codec::{Fixed, Wire, bytemuck};
use corelane_net::link::LinkConfig;
use corelane_net::reactor::{Choice, ReactorConfig};
use corelane_net::wire::Signal;
use corelane_net::{EndpointConfig, NetConfig};
use corelane_shard::On;
use socket2::{Domain, Socket, Type};

use crate::common::*;
use crate::until;
use crate::untrusted::{Forger, NotFound, target};

fn bounded_config() -> EndpointConfig {
    EndpointConfig { system: "test".into(), link: link_config(), ..EndpointConfig::default() }
}

/// Holds up a shard while something is done.
fn while_held<R>(host: &Host, shard: usize, done: impl FnOnce() -> R) -> R {
    let ((held, holds), (go_on, goes_on)) = (channel(), channel::<()>());
    let hold = move |_: &mut Scope<'_>| {
        held.send(()).unwrap();
        let _ = goes_on.recv();
    };
    std::thread::scope(|threads| {
        let holder = threads.spawn(|| host.system.call(shard, hold));
        next(&holds);
        let result = done();
        drop(go_on);
        holder.join().unwrap().unwrap();
        result
    })
}

fn bounded(change: impl FnOnce(&mut EndpointConfig)) -> Host {
    let mut config = bounded_config();
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

/// A peer asks on and on, and takes none of the answers.
#[test]
fn answers_that_a_peer_does_not_take_are_no_more_than_may_wait_for_it() {
    let far = bounded(|config| config.pending_bytes = 4096);
    let takes_two = LinkConfig { credit_messages: 2, ..LinkConfig::default() };
    let mut peer = Forger::with(far.address, "127.0.0.1:9", takes_two);
    (0..1000).for_each(|_| peer.ask_for("/user/nobody"));
    until("all was asked", || far.gate().messages_in == 1000);
    // Whoever asks later is answered later.
    let mut other = Forger::new(far.address, "127.0.0.1:10");
    assert_eq!(other.look_up("/user/nobody"), Err(NotFound::NoSuchActor("/user/nobody".into())));
    let waiting = far.gate().pending;
    assert!((1..=4096 / 64).contains(&waiting), "{waiting}");
    far.end();
}

/// A peer asks for somebody whose shard is held up: it may ask no more meanwhile than it may tell.
#[test]
fn who_asks_has_no_credit_for_what_was_not_answered() {
    let link = LinkConfig { credit_messages: 8, ..link_config() };
    let far = host_at(2, Choice::Poll, EndpointConfig { link, ..bounded_config() });
    let (adder, _) = Adder::spawn(&far, On::Shard(1), "adder");
    let (gone, _) = Adder::spawn(&far, On::Shard(0), "gone");
    let mut peer = Forger::new(far.address, "127.0.0.1:9");
    peer.signal(Signal::Stop { target: gone.address().to_raw() });
    while_held(&far, 1, || {
        (0..8).for_each(|_| peer.ask_for("/user/adder"));
        until("all was asked", || far.gate().messages_in == 8);
        // Before a signal comes all the credit that is due.
        peer.watch(gone);
        peer.next_end();
        assert!(!peer.may_tell());
    });
    for _ in 0..8 {
        assert_eq!(peer.next_found(), Ok(adder.address().to_raw()));
    }
    peer.watch(gone);
    peer.next_end();
    assert!(peer.may_tell());
    far.end();
}

/// Each life of a peer counts its questions from 1.
#[test]
fn what_a_former_life_of_a_peer_has_asked_is_not_answered_to_its_successor() {
    let far = host_at(2, Choice::Poll, bounded_config());
    Adder::spawn(&far, On::Shard(1), "adder");
    let mut successor = while_held(&far, 1, || {
        let mut former = Forger::new(far.address, "127.0.0.1:9");
        former.ask_for("/user/adder");
        until("it was asked", || far.gate().messages_in == 1);
        Forger::successor(far.address, "127.0.0.1:9")
    });
    // What was asked of the shard has been found out.
    far.system.call(1, |_| ()).unwrap();
    assert_eq!(successor.look_up("/user/nobody"), Err(NotFound::NoSuchActor("/user/nobody".into())));
    far.end();
}

/// A tick that is none.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Short(u64);

impl Wire for Short {
    const NAME: &'static str = Tick::NAME;
    type Form = Fixed;
}

/// What waits for room is looked at when there is some.
#[test]
fn a_message_that_waited_for_room_and_cannot_be_read_is_counted_as_any_other() {
    let kernel = KernelConfig { queue_share: 1, ..KernelConfig::default() };
    let reactor = ReactorConfig { chunk_bytes: 256 << 10, ..reactor(Choice::Poll) };
    let net = NetConfig { reactor, ..NetConfig::default() };
    let far = start(builder_on(1, net, bounded_config(), registry()).region_bytes(8 << 20).kernel(kernel));
    let (ticks, counted) = channel();
    let counter = far.system.spawn_on(On::Shard(0), move || Counter(ticks.clone())).unwrap();
    let to = target(counter);
    let mut peer = Forger::new(far.address, "127.0.0.1:9");
    // All of it comes in one turn, and is more than the queue takes.
    while_held(&far, 0, || {
        (0..1000).for_each(|number| peer.tell(to, &Tick::new(1, number)));
        peer.tell(to, &Short(1000));
        peer.tell(to, &Tick::new(1, 1001));
    });
    for number in (0..1000).chain([1001]) {
        assert_eq!(next(&counted), number);
    }
    until("it was counted", || far.gate().refused_in == 1);
    assert_eq!((far.gate().messages_in, far.gate().held), (1002, 0));
    far.end();
}

struct Counter(Sender<u64>);

impl Actor for Counter {
    type Msg = Tick;
    fn receive(&mut self, tick: Tick, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.0.send(tick.number);
        Ok(())
    }
}

enum Fancy {
    /// The first takes the only room there is; of the second the refusal crosses that it is taken back, and watched again.
    Both(ActorRef<Order>, ActorRef<Order>),
    First(ActorRef<Order>),
}

/// Watches this one and that one.
struct Fickle(Sender<String>);

impl Actor for Fickle {
    type Msg = Fancy;
    fn receive(&mut self, fancy: Fancy, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match fancy {
            Fancy::Both(first, second) => {
                ctx.watch(first)?;
                ctx.watch(second)?;
                ctx.unwatch(first);
                ctx.unwatch(second);
                ctx.watch(second)?;
            }
            Fancy::First(first) => {
                ctx.watch(first)?;
                ctx.stop(first);
            }
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(self.0.send(why(&gone.reason))?)
    }
}

#[test]
fn a_watch_that_is_refused_takes_no_room_whatever_it_crosses() {
    let far = bounded(|config| config.watches_max = 1);
    let near = host(1, Choice::Poll);
    let [first, second] = ["first", "second"].map(|name| {
        Adder::spawn(&far, On::Shard(0), name);
        near.lookup::<Order>(&far.url(name)).unwrap()
    });
    let (heard, hears) = channel();
    let fickle = near.system.spawn_on(On::Shard(0), move || Fickle(heard.clone())).unwrap();
    for _ in 0..2 {
        near.system.call(0, move |scope| scope.tell(fickle, Fancy::Both(first, second))).unwrap();
        assert_eq!(next(&hears), "Unreachable");
    }
    near.system.call(0, move |scope| scope.tell(fickle, Fancy::First(first))).unwrap();
    assert_eq!(next(&hears), "Stopped");
    near.end();
    far.end();
}
