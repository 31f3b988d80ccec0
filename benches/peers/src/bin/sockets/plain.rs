//! A thread with a plain socket: one that does not block and spins, or one that blocks.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use core_affinity::CoreId;

use crate::client::{read_all, some, write_all};
use crate::{ECHO, Service, WRITE, Waiting};

pub(crate) fn serve(
    core: CoreId,
    service: Service,
    waiting: Waiting,
    client: &mut dyn FnMut(SocketAddr) -> io::Result<f64>,
) -> io::Result<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::scope(|scope| {
        let server = scope.spawn(move || {
            core_affinity::set_for_current(core);
            let (mut peer, _) = listener.accept()?;
            peer.set_nodelay(true)?;
            peer.set_nonblocking(waiting == Waiting::Spin)?;
            match answer(&mut peer, service) {
                // The client has what it wanted.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
                other => other,
            }
        });
        let cost = client(address)?;
        server.join().map_err(|_| io::Error::other("the server panicked"))??;
        Ok(cost)
    })
}

fn answer(peer: &mut TcpStream, service: Service) -> io::Result<()> {
    match service {
        Service::Echo => {
            let mut bytes = [0; ECHO];
            loop {
                read_all(peer, &mut bytes)?;
                write_all(peer, &bytes)?;
            }
        }
        Service::Count(mut left) => {
            let mut bytes = vec![0; WRITE];
            while left > 0 {
                left -= some(peer, &mut bytes)? as u64;
            }
            write_all(peer, b"!")
        }
    }
}
