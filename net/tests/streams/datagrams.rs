//! Datagrams of actors.

use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use corelane_kernel::{Actor, Ctx, Outcome};
use corelane_net::{DatagramCtx, DatagramEvent, Datagrams};

use crate::rig::{LONG, end, next, system, with_each};

/// Sends datagrams back, and says where it is.
struct DatagramEcho {
    socket: Option<Datagrams>,
    at: Sender<std::net::SocketAddr>,
    unsendable: Sender<u64>,
}

impl Actor for DatagramEcho {
    type Msg = DatagramEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let socket = ctx.datagrams(&"127.0.0.1:0".parse()?, &Default::default(), 4, |event| event)?;
        self.at.send(socket.local_address()?.ip().unwrap())?;
        self.socket = Some(socket);
        Ok(())
    }
    fn receive(&mut self, event: DatagramEvent, _: &mut Ctx<'_, Self>) -> Outcome {
        let socket = self.socket.as_ref().unwrap();
        match event {
            DatagramEvent::Received { from, bytes, .. } if &bytes[..] == b"too long" => {
                socket.send_to_noticed(from, vec![0; 70_000], 9)?;
            }
            DatagramEvent::Received { from, bytes, truncated: false } => socket.send_to(from, bytes)?,
            DatagramEvent::NotSent { token, .. } => self.unsendable.send(token)?,
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

#[test]
fn an_actor_answers_datagrams() {
    with_each(|backend| {
        let system = system(1, backend);
        let ((at, is_at), (unsendable, not_sent)) = (channel(), channel());
        let make = move || DatagramEcho { socket: None, at: at.clone(), unsendable: unsendable.clone() };
        let actor = system.spawn(make).unwrap();
        let address = next(&is_at);
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(LONG)).unwrap();
        for round in 0..100u8 {
            peer.send_to(&[round; 100], address).unwrap();
            let mut heard = [0; 200];
            assert_eq!(peer.recv_from(&mut heard).unwrap(), (100, address));
            assert_eq!(heard[..100], [round; 100]);
        }
        peer.send_to(b"too long", address).unwrap();
        assert_eq!(next(&not_sent), 9);
        // Its port is free again when it has ended.
        system.call(0, move |scope| scope.stop(actor)).unwrap();
        let until = Instant::now() + LONG;
        while std::net::UdpSocket::bind(address).is_err() {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
        end(system);
    });
}
