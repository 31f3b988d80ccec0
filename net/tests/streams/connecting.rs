//! Actors that connect: what they are told, and when they are not read from.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::sync::mpsc::{Receiver, Sender, channel};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
use corelane_net::reactor::{Address, WriteError};
use corelane_net::{Received, SocketCtx, Stream, StreamEvent, StreamOptions, serve};
use corelane_shard::{On, System};

use crate::rig::{Echo, end, nearby, next, system, with_each};

/// What a test hears of a client, and has it do.
enum Order {
    Event(StreamEvent),
    Do(Box<dyn FnOnce(&Stream) + Send>),
}

/// Does with its stream as it is told, and passes on what happens.
struct Client {
    to: Address,
    options: StreamOptions,
    stream: Option<Stream>,
    heard: Sender<StreamEvent>,
}

impl Actor for Client {
    type Msg = Order;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.stream = Some(ctx.connect(&self.to, &self.options, Order::Event)?);
        Ok(())
    }
    fn receive(&mut self, order: Order, _: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Event(event) => Ok(self.heard.send(event)?),
            Order::Do(job) => {
                job(self.stream.as_ref().unwrap());
                Ok(())
            }
        }
    }
}

fn client(system: &System, to: &Address, options: StreamOptions) -> (ActorRef<Order>, Receiver<StreamEvent>) {
    let (heard, hears) = channel();
    let to = to.clone();
    let make =
        move || Client { to: to.clone(), options: options.clone(), stream: None, heard: heard.clone() };
    (system.spawn_on(On::Shard(0), make).unwrap(), hears)
}

fn order(system: &System, client: ActorRef<Order>, job: impl FnOnce(&Stream) + Send + 'static) {
    system.call(0, move |scope| scope.tell(client, Order::Do(Box::new(job)))).unwrap();
}

#[test]
fn an_actor_that_connects_is_told_of_everything() {
    with_each(|backend| {
        let system = system(1, backend);
        let service = serve(&system, &nearby(), &StreamOptions::default(), Echo).unwrap();
        let (client, hears) = client(&system, service.address(), StreamOptions::default());
        assert!(matches!(next(&hears), StreamEvent::Connected));
        let address = service.address().clone();
        order(&system, client, move |stream| {
            assert_eq!(stream.peer_address().unwrap(), address);
            assert!(stream.local_address().unwrap().is_local());
            stream.write_noticed(b"hello", 7).unwrap();
            stream.finish();
            assert!(matches!(stream.write(b"more"), Err(WriteError::Closed(_))));
        });
        let (mut received, mut written) = (Vec::new(), false);
        loop {
            match next(&hears) {
                StreamEvent::Received(bytes) => received.extend_from_slice(&bytes),
                StreamEvent::Written { token: 7, buffer } => written = *buffer == *b"hello",
                StreamEvent::Finished => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((&received[..], written), (&b"hello"[..], true));
        order(&system, client, Stream::close);
        assert!(matches!(next(&hears), StreamEvent::Closed));
        end(system);
    });
}

#[test]
fn a_connection_that_is_refused_is_told_so() {
    with_each(|backend| {
        let system = system(1, backend);
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Ip(nobody.local_addr().unwrap());
        drop(nobody);
        let (_, hears) = client(&system, &address, StreamOptions::default());
        match next(&hears) {
            StreamEvent::Failed(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
            other => panic!("{other:?}"),
        }
        end(system);
    });
}

#[test]
fn a_connection_is_paused_while_its_actor_keeps_what_came() {
    with_each(|backend| {
        // Given back one by one on this thread, while the shard may be asleep; or several at once on the shard.
        for (most, bytes) in [(1, 4 << 20), (3, 16 << 20)] {
            let system = system(1, backend);
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = Address::Ip(listener.local_addr().unwrap());
            let options = StreamOptions { unhandled: most, ..StreamOptions::default() };
            let (_, hears) = client(&system, &address, options);
            let (mut peer, _) = listener.accept().unwrap();
            let writer = std::thread::spawn(move || {
                peer.write_all(&vec![5; bytes]).unwrap();
                peer.shutdown(Shutdown::Write).unwrap();
            });
            assert!(matches!(next(&hears), StreamEvent::Connected));
            let (mut total, mut finished) = (0, false);
            while !finished {
                let mut kept: Vec<Received> = Vec::new();
                while kept.len() < most as usize && !finished {
                    match next(&hears) {
                        StreamEvent::Received(bytes) => kept.push(bytes),
                        StreamEvent::Finished => finished = true,
                        other => panic!("{other:?}"),
                    }
                }
                total += kept.iter().map(|bytes| bytes.len()).sum::<usize>();
                // Turns later nothing new has come.
                (0..3).for_each(|_| system.call(0, |_| ()).unwrap());
                assert!(hears.try_recv().is_err());
                if most == 1 { drop(kept) } else { system.call(0, move |_| drop(kept)).unwrap() }
            }
            assert_eq!(total, bytes);
            writer.join().unwrap();
            end(system);
        }
    });
}
