//! Services: connections are accepted, have an actor each, and are closed or reset as that ends.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use corelane_kernel::{Actor, Ctx, Outcome};
use corelane_net::reactor::{Address, Choice};
use corelane_net::{Accepted, ListenEvent, Listener, SocketCtx, Stream, StreamEvent, StreamOptions, serve};
use corelane_shard::System;

use crate::rig::{Echo, LONG, connect, end, nearby, next, system, with_each};

/// Waits until a shard has this many actors.
fn await_actors(system: &System, shard: usize, count: u64) {
    let until = Instant::now() + LONG;
    while system.call(shard, |scope| scope.stats().actors).unwrap() != count {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}

#[test]
fn every_shard_accepts_its_share_and_an_actor_for_each_connection_answers() {
    with_each(|backend| {
        let system = system(2, backend);
        let service = serve(&system, &nearby(), &StreamOptions::default(), Echo).unwrap();
        let mut clients: Vec<_> = (0..64).map(|_| connect(&service)).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            let said = vec![number as u8; 10_000];
            client.write_all(&said).unwrap();
            let mut heard = vec![0; 10_000];
            client.read_exact(&mut heard).unwrap();
            assert!(heard == said);
        }
        let actors = [0, 1].map(|shard| system.call(shard, |scope| scope.stats().actors).unwrap());
        assert_eq!(actors.iter().sum::<u64>(), 2 + 64);
        assert!(actors.iter().all(|actors| *actors > 1), "{actors:?}");
        // A connection that ends, ends its actor.
        drop(clients);
        (0..2).for_each(|shard| await_actors(&system, shard, 1));
        let address = service.address().ip().unwrap();
        service.stop();
        (0..2).for_each(|shard| await_actors(&system, shard, 0));
        let until = Instant::now() + LONG;
        while TcpStream::connect(address).is_ok() {
            assert!(Instant::now() < until, "it goes on listening");
        }
        end(system);
    });
}

/// Says something long when its connection begins, and ends in some way.
struct Herald(Stream, &'static str);

impl Actor for Herald {
    type Msg = StreamEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.0.write(vec![1; 900_000])?;
        match self.1 {
            "stops" => ctx.stop_self(),
            "fails" => return Err(std::fmt::Error.into()),
            _ => {}
        }
        Ok(())
    }
    fn receive(&mut self, _: StreamEvent, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

#[test]
fn what_an_actor_wrote_is_sent_though_it_has_ended() {
    with_each(|backend| {
        for how in ["stops", "fails", "goes on"] {
            let system = system(1, backend);
            let service =
                serve(&system, &nearby(), &StreamOptions::default(), move |stream| Herald(stream, how))
                    .unwrap();
            let mut peer = connect(&service);
            let mut heard = vec![0; 1];
            peer.read_exact(&mut heard).unwrap();
            // The rest comes while the system stops.
            let reader = std::thread::spawn(move || {
                peer.read_to_end(&mut heard).unwrap();
                heard
            });
            end(system);
            assert!(reader.join().unwrap() == vec![1; 900_000], "{how}");
        }
    });
}

/// Listens, and passes on who comes.
struct Door {
    listener: Option<Listener>,
    at: Sender<Address>,
    comes: Sender<Accepted>,
}

impl Actor for Door {
    type Msg = ListenEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let listener = ctx.listen(&nearby(), &Default::default(), |event| event)?;
        self.at.send(listener.local_address()?)?;
        self.listener = Some(listener);
        Ok(())
    }
    fn receive(&mut self, event: ListenEvent, _: &mut Ctx<'_, Self>) -> Outcome {
        if let ListenEvent::Accepted(accepted) = event {
            self.comes.send(accepted)?;
        }
        Ok(())
    }
}

#[test]
fn a_connection_that_nobody_takes_is_reset() {
    with_each(|backend| {
        let system = system(1, backend);
        let ((at, is_at), (comes, come)) = (channel(), channel());
        system.spawn(move || Door { listener: None, at: at.clone(), comes: comes.clone() }).unwrap();
        let mut peer = TcpStream::connect(next(&is_at).ip().unwrap()).unwrap();
        // Dropped on a thread that is no shard.
        drop(next(&come));
        peer.set_read_timeout(Some(LONG)).unwrap();
        let ended = peer.read(&mut [0; 1]);
        assert!(
            ended.as_ref().is_ok_and(|count| *count == 0)
                || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
        );
        end(system);
    });
}

#[test]
fn a_unix_socket_is_served_like_any_other() {
    with_each(|backend| {
        let path =
            std::env::temp_dir().join(format!("corelane-streams-{}-{backend:?}.sock", std::process::id()));
        let system = system(2, backend);
        let service = serve(&system, &Address::Unix(path.clone()), &StreamOptions::default(), Echo).unwrap();
        let mut peer = std::os::unix::net::UnixStream::connect(&path).unwrap();
        peer.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        peer.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        service.stop();
        std::fs::remove_file(&path).unwrap();
        end(system);
    });
}

#[test]
fn a_service_without_sockets_or_at_an_impossible_address_is_refused() {
    let without = System::builder().shards(1).pinned(false).start().unwrap();
    let error = serve(&without, &nearby(), &StreamOptions::default(), Echo).unwrap_err();
    assert_eq!(error.to_string(), "the system has not loaded the extension \"net\"");
    let system = system(2, Choice::Automatic);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Ip(taken.local_addr().unwrap());
    let error = serve(&system, &address, &StreamOptions::default(), Echo).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen: {address}: ")), "{error}");
    (0..2).for_each(|shard| await_actors(&system, shard, 0));
    end(system);
}

#[test]
fn an_address_is_served_once_unless_it_is_to_be_shared() {
    with_each(|backend| {
        let (one, other) = (system(2, backend), system(2, backend));
        let service = serve(&one, &nearby(), &StreamOptions::default(), Echo).unwrap();
        let address = service.address().clone();
        let error = serve(&other, &address, &StreamOptions::default(), Echo).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen: {address}: ")), "{error}");
        let mut shared = StreamOptions::default();
        shared.socket.reuse_port = true;
        let successor = serve(&other, &address, &shared, Echo).unwrap();
        service.stop();
        end(one);
        let mut client = connect(&successor);
        client.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        end(other);
    });
}
