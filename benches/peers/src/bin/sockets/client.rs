//! The client, the same for all: it spins. Gives nanoseconds for each round trip or write.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::{ECHO, WRITE};

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Round trips, one after the other. The first only shows that the other side is there.
pub(crate) fn call(server: SocketAddr, rounds: u32) -> io::Result<f64> {
    let mut stream = connect(server)?;
    let mut bytes = [0; ECHO];
    let mut began = Instant::now();
    for round in 0..=rounds {
        bytes[..4].copy_from_slice(&round.to_le_bytes());
        write_all(&mut stream, &bytes)?;
        read_all(&mut stream, &mut bytes)?;
        if bytes[..4] != round.to_le_bytes() {
            return Err(io::Error::other("the answer is not the question"));
        }
        if round == 0 {
            began = Instant::now();
        }
    }
    Ok(began.elapsed().as_nanos() as f64 / f64::from(rounds))
}

/// Writes one behind the other, until the last has come.
pub(crate) fn pour(server: SocketAddr, writes: u64) -> io::Result<f64> {
    let mut stream = connect(server)?;
    let bytes = vec![7; WRITE];
    let began = Instant::now();
    for _ in 0..writes {
        write_all(&mut stream, &bytes)?;
    }
    read_all(&mut stream, &mut [0])?;
    Ok(began.elapsed().as_nanos() as f64 / writes as f64)
}

pub(crate) fn read_all(stream: &mut TcpStream, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = some(stream, bytes)?;
        bytes = &mut bytes[count..];
    }
    Ok(())
}

/// At least one byte, when there is one.
pub(crate) fn some(stream: &mut TcpStream, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
