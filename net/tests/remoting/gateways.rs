//! Threads that are no shard: what they tell and ask actors of other hosts.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use corelane_kernel::{ActorRef, AskError, MessageKind, TellError};
use corelane_net::reactor::Choice;
use corelane_net::{RemoteHandle, RemoteLookupError};
use corelane_shard::{GatewayAskError, On, System};

use crate::common::*;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_thread_tells_and_asks_actors_of_another_host_in_order() {
    with_each(|backend| {
        let (near, far) = (host(2, backend), host(2, backend));
        for (shard, name) in ["zero", "one"].into_iter().enumerate() {
            let (_, seen) = Adder::spawn(&far, On::Shard(shard), name);
            let adder = near.system.lookup_at::<Order>(&far.url(name), LONG).unwrap();
            let mut gateway = near.system.gateway().unwrap();
            for n in 1..=500 {
                gateway.tell_within(adder, Order::Add(n), LONG).unwrap();
            }
            for n in 501..=1000 {
                while let Err(refused) = gateway.feed(adder, Order::Add(n)) {
                    assert!(matches!(refused, TellError::Full(Order::Add(_))), "{refused:?}");
                    thread::yield_now();
                }
            }
            gateway.flush();
            for n in 1..=1000 {
                assert_eq!(next(&seen), n);
            }
            assert_eq!(gateway.ask(adder, LONG, Order::Get), Ok(500_500));
            // What is told before a question is heard before it.
            gateway.tell(adder, Order::Add(1));
            assert_eq!(block_on(gateway.ask_future(adder, LONG, Order::Get)), Ok(500_501));
            assert_eq!(near.system.gateway_dead_letters(), 0);
        }
        near.end();
        far.end();
    });
}

#[test]
fn what_cannot_reach_another_host_comes_back_to_its_thread() {
    let (near, far) = (host(1, Choice::Poll), host(1, Choice::Poll));
    Adder::spawn(&far, On::Shard(0), "a");
    let adder = near.lookup::<Order>(&far.url("a")).unwrap();
    let mut gateway = near.system.gateway().unwrap();
    let realm = corelane_kernel::ForeignRealm::new().unwrap();
    let private = realm.admit_as(adder.address().to_raw(), MessageKind::of::<Private>()).unwrap();
    let private: ActorRef<Private> = private.typed().unwrap();
    assert_eq!(gateway.try_tell(private, Private(7)), Err(TellError::NoWireForm(Private(7))));
    let asked = gateway.ask(private, LONG, |_: corelane_kernel::ReplyTo<u64>| Private(7));
    assert_eq!(asked, Err(GatewayAskError::Ask(AskError::NotSent)));
    // A realm that is nobody's.
    let lost = realm.admit_as(adder.address().to_raw(), MessageKind::of::<Order>()).unwrap();
    let lost: ActorRef<Order> = lost.typed().unwrap();
    let refused = gateway.try_tell(lost, Order::Add(1));
    assert!(matches!(refused, Err(TellError::Unreachable(Order::Add(1)))), "{refused:?}");
    assert_eq!(gateway.ask(lost, LONG, Order::Get), Err(GatewayAskError::Unreachable));
    gateway.tell(private, Private(8));
    gateway.tell(lost, Order::Add(2));
    assert_eq!(near.system.gateway_dead_letters(), 2);
    assert_eq!(gateway.try_tell(ActorRef::nobody(), 1_u64), Err(TellError::Unreachable(1)));
    // What only the link finds out is a dead letter of the shard that carries it: this holds an address that means nothing there.
    let nowhere = realm.admit_as(adder.address().to_raw(), MessageKind::of::<String>()).unwrap();
    gateway.try_tell(adder, Order::Pass(nowhere.typed().unwrap(), "x".into())).unwrap();
    assert_eq!(gateway.ask(adder, LONG, Order::Get), Ok(0));
    assert_eq!(near.system.call(0, |scope| scope.stats().dead_letters), Ok(1));
    near.end();
    far.end();
}

#[test]
fn a_thread_looks_actors_of_other_hosts_up_without_blocking() {
    let (near, far) = (host(1, Choice::Poll), host(1, Choice::Poll));
    Adder::spawn(&far, On::Shard(0), "a");
    let handle = (*near.system).clone();
    let found = handle.lookup_at_future::<Order>(&far.url("a"), LONG);
    assert_eq!(block_on(found), near.lookup::<Order>(&far.url("a")));
    let missing = handle.lookup_at_future::<Order>(&far.url("b"), LONG);
    assert_eq!(block_on(missing), Err(RemoteLookupError::NoSuchActor { path: "/user/b".into() }));
    let wrong = handle.lookup_at_future::<Order>("nowhere", LONG);
    assert!(matches!(block_on(wrong), Err(RemoteLookupError::BadUrl { .. })));
    far.end();
    near.end();
    assert_eq!(handle.lookup_at::<Order>("nowhere", LONG), Err(RemoteLookupError::NoEndpoint));
    let alone = System::builder().shards(1).pinned(false).region_bytes(16 << 20).start().unwrap();
    let none = alone.lookup_at_future::<Order>("corelane://test@127.0.0.1:1/user/a", LONG);
    assert_eq!(block_on(none), Err(RemoteLookupError::NoEndpoint));
}
