//! The RESP example as a user of tokio would write it, to be measured beside it by `scripts/resp.sh --tokio`: GET, SET and PING of
//! RESP2, pipelined; a task for each connection, its input and output in a `BytesMut` each, the keys in a map of many parts
//! with a lock each, values shared by `Bytes`.
//!
//! All that was read at once is answered by one write. Requests are arrays of bulk strings; anything else closes the
//! connection.

mod request;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

use crate::request::{Request, parse};

/// Parts of the map: so many that threads seldom meet at one.
const PARTS: usize = 64;

/// Room for what is read at once.
const INPUT: usize = 16 * 1024;

#[derive(Parser)]
#[command(name = "resp-tokio", version)]
struct Options {
    /// The port at 127.0.0.1; 0 is one that the operating system chooses.
    #[arg(long, default_value_t = 6380)]
    port: u16,
    /// Threads; one has a `current_thread` runtime, more have one that steals work.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

struct Keys {
    hashing: RandomState,
    parts: Vec<Mutex<HashMap<Bytes, Bytes>>>,
}

impl Keys {
    fn part(&self, key: &[u8]) -> MutexGuard<'_, HashMap<Bytes, Bytes>> {
        let part = self.hashing.hash_one(key) as usize % PARTS;
        self.parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.part(key).get(key).cloned()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        let value = Bytes::copy_from_slice(value);
        let mut part = self.part(key);
        match part.get_mut(key) {
            Some(old) => *old = value,
            None => _ = part.insert(Bytes::copy_from_slice(key), value),
        }
    }
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let runtime = match options.threads {
        0 | 1 => Builder::new_current_thread().enable_io().build()?,
        threads => Builder::new_multi_thread().worker_threads(threads).enable_io().build()?,
    };
    let parts = (0..PARTS).map(|_| Mutex::default()).collect();
    let keys = Arc::new(Keys { hashing: RandomState::new(), parts });
    runtime.block_on(async move {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        println!("listening at {} with {} threads", listener.local_addr()?, options.threads);
        loop {
            let (peer, _) = listener.accept().await?;
            peer.set_nodelay(true)?;
            let keys = keys.clone();
            tokio::spawn(async move {
                if let Err(error) = serve(peer, &keys).await {
                    eprintln!("a connection failed: {error}");
                }
            });
        }
    })
}

async fn serve(mut peer: TcpStream, keys: &Keys) -> io::Result<()> {
    let mut input = BytesMut::with_capacity(INPUT);
    let mut output = BytesMut::with_capacity(INPUT);
    loop {
        input.reserve(INPUT);
        if peer.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        let mut done = 0;
        while let Some((request, length)) = parse(&input[done..])? {
            answer(&request, keys, &mut output);
            done += length;
        }
        let _ = input.split_to(done);
        if !output.is_empty() {
            peer.write_all(&output).await?;
            output.clear();
        }
    }
}

fn answer(request: &Request<'_>, keys: &Keys, output: &mut BytesMut) {
    match *request {
        Request::Get(key) => match keys.get(key) {
            Some(value) => bulk(output, &value),
            None => output.extend_from_slice(b"$-1\r\n"),
        },
        Request::Set(key, value) => {
            keys.set(key, value);
            output.extend_from_slice(b"+OK\r\n");
        }
        Request::Ping => output.extend_from_slice(b"+PONG\r\n"),
        Request::Other => output.extend_from_slice(b"-ERR unknown command\r\n"),
    }
}

fn bulk(output: &mut BytesMut, bytes: &[u8]) {
    let mut digits = [0; 20];
    let (mut at, mut left) = (digits.len(), bytes.len());
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    output.extend_from_slice(b"$");
    output.extend_from_slice(&digits[at..]);
    output.extend_from_slice(b"\r\n");
    output.extend_from_slice(bytes);
    output.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn requests_in_any_pieces_are_answered_in_order() {
        let runtime = Builder::new_current_thread().enable_io().build().unwrap();
        let keys =
            Keys { hashing: RandomState::new(), parts: (0..PARTS).map(|_| Mutex::default()).collect() };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::thread::spawn(move || {
            let mut peer = std::net::TcpStream::connect(address).unwrap();
            let requests = b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nset\r\n$1\r\nk\r\n$11\r\nhello\r\nyou!\r\n\
                *2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$5\r\nOTHER\r\n";
            for piece in requests.chunks(7) {
                peer.write_all(piece).unwrap();
            }
            peer.shutdown(std::net::Shutdown::Write).unwrap();
            let mut heard = String::new();
            peer.read_to_string(&mut heard).unwrap();
            heard
        });
        runtime.block_on(async {
            let (peer, _) = listener.accept().await.unwrap();
            serve(peer, &keys).await.unwrap();
        });
        let heard = client.join().unwrap();
        assert_eq!(heard, "+PONG\r\n$-1\r\n+OK\r\n$11\r\nhello\r\nyou!\r\n-ERR unknown command\r\n");
    }
}
