//! tokio: a `current_thread` runtime on a pinned thread, one task for a connection.
//!
//! To spin, a task that only yields keeps the scheduler from sleeping, so that it asks for readiness again and again. Buffers are
//! the size of what is expected; larger ones made no difference.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use core_affinity::CoreId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::yield_now;

use crate::{Service, WRITE, Waiting};

pub(crate) fn serve(
    core: CoreId,
    service: Service,
    waiting: Waiting,
    client: &mut dyn FnMut(SocketAddr) -> io::Result<f64>,
) -> io::Result<f64> {
    let (at, is_at) = mpsc::channel();
    thread::scope(|scope| {
        let server = scope.spawn(move || {
            core_affinity::set_for_current(core);
            let runtime = Builder::new_current_thread().enable_io().build()?;
            runtime.block_on(async move {
                if waiting == Waiting::Spin {
                    tokio::spawn(async {
                        loop {
                            yield_now().await;
                        }
                    });
                }
                let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
                let _ = at.send(listener.local_addr()?);
                let (peer, _) = listener.accept().await?;
                peer.set_nodelay(true)?;
                tokio::spawn(answer(peer, service)).await.map_err(io::Error::other)?
            })
        });
        let Ok(address) = is_at.recv() else {
            server.join().map_err(|_| io::Error::other("the server panicked"))??;
            return Err(io::Error::other("the server has no address"));
        };
        let cost = client(address)?;
        server.join().map_err(|_| io::Error::other("the server panicked"))??;
        Ok(cost)
    })
}

async fn answer(mut peer: TcpStream, service: Service) -> io::Result<()> {
    let mut bytes = vec![0; WRITE];
    let mut left = match service {
        Service::Echo => u64::MAX,
        Service::Count(bytes) => bytes,
    };
    loop {
        let count = peer.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        if service == Service::Echo {
            peer.write_all(&bytes[..count]).await?;
            continue;
        }
        left -= count as u64;
        if left == 0 {
            return peer.write_all(b"!").await;
        }
    }
}
